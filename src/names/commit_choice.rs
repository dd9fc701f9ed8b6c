//! The choice of one commit where a person named none.

use serde::Serialize;

use super::printable;

/// The number of commits of one environment, region, app and branch among which one was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CommitChoice {
    /// Number of all commits, the chosen one included.
    pub(crate) commits: usize,
    /// Number of the commits that run. The chosen one runs if any does.
    pub(crate) running: usize,
}

impl CommitChoice {
    /// Returns the choice of this commit in words.
    pub(crate) fn words(self, commit: &str) -> String {
        let (commit, commits) = (printable(commit), self.commits);
        match self.running {
            0 => format!("commit {commit}, the newest of {commits}"),
            1 => format!("commit {commit}, the one of {commits} that runs"),
            running => format!("commit {commit}, the newest of {running} that run, of {commits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_of_a_commit_is_told() {
        for (commits, running, expected) in [
            (4, 2, "commit 0000004, the newest of 2 that run, of 4"),
            (12, 1, "commit 0000004, the one of 12 that runs"),
            (12, 0, "commit 0000004, the newest of 12"),
        ] {
            assert_eq!(CommitChoice { commits, running }.words("0000004"), expected);
        }
    }
}
