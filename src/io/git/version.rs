//! The version of git.

use std::time::Duration;

use super::error::GitError;
use super::run::{Timeout, command};
use super::running::GitProcess;
use crate::names::printable;

/// Oldest version whose options this program needs. `GIT_CONFIG_GLOBAL` is the newest of them (git's release notes).
pub(crate) const OLDEST: &str = "2.32";

/// Tells whether a version, such as `2.39.5`, is older than [`OLDEST`].
pub(crate) fn is_older_than_needed(version: &str) -> bool {
    let [wanted, found] = [OLDEST, version].map(|text| {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().ok());
        numbers.next().flatten().zip(numbers.next().flatten())
    });
    found.is_some_and(|found| Some(found) < wanted)
}

/// Returns the version as git tells it, such as `2.39.5`.
pub(crate) fn version() -> Result<String, GitError> {
    const TIMEOUT: Timeout = Timeout(Duration::from_secs(10));
    let mut git = command();
    git.arg("--version");
    let told = GitProcess::start("version", git, Vec::new(), TIMEOUT)?.output()?;
    let told = String::from_utf8_lossy(&told);
    match told.trim().strip_prefix("git version ") {
        Some(version) => Ok(printable(version).into_owned()),
        None => Err(GitError::Unexpected { action: "version", answer: told.chars().take(80).collect() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let old = ["2.31.8", "1.9", "2.4.1.windows.2"];
        let new = ["2.32.0", "2.100", "3.0.rc1", "2.39.5 (Apple Git-154)", "unknown"];
        assert!(old.iter().all(|version| is_older_than_needed(version)));
        assert!(!new.iter().any(|version| is_older_than_needed(version)));
    }
}
