//! The commit before a row's own. The total of the row is compared with the total of that commit.

use std::collections::HashSet;

use anyhow::Result;

use super::SourceReader;
use super::base::{nearest_ancestor, newest_of_commits};
use crate::fleet::pick::{is_same_app, is_same_commit};
use crate::fleet::row::Row;
use crate::gate::HowBefore;
use crate::io::git::{GitError, ObjectId, Repository};
use crate::names::in_message;
use crate::notice::Notice;

/// Number of stored commits, the newest ones, that git is asked about. Each costs a run of git.
const ASKED_COMMITS: usize = 100;

impl SourceReader<'_> {
    /// Returns the newest row of the commit before that of a row; `rows` are all rows, the newest last.
    ///
    /// The nearest ancestor in git is taken if the local clone has both commits. Otherwise the commit of the same branch
    /// is taken whose first row is the last one before the first row of this commit. Nothing is fetched.
    pub(crate) fn commit_before<'r>(&self, row: &Row, rows: &'r [Row]) -> Option<(&'r Row, HowBefore)> {
        let others = rows.iter().filter(|other| is_same_app(&other.key, &row.key));
        let own = row.key.commit.as_str();
        if own.is_empty() {
            return None;
        }
        // A commit with more digits in another name is the same one.
        let is_other = |commit: &str| commit == own || !commit.is_empty() && !is_same_commit(own, commit);
        let others: Vec<&Row> = others.filter(|other| is_other(&other.key.commit)).collect();
        let by_git = self.judged_by_git(row, &others).unwrap_or_else(|error| {
            let message = format!(
                "the clone cannot tell the commit before {}, so the one that was stored before it is taken: {error:#}",
                in_message(own)
            );
            let has_clone = !matches!(error.downcast_ref(), Some(GitError::NoRepository { .. }));
            (self.settings.notify)(match has_clone {
                true => Notice::Warning(message),
                false => Notice::Explanation(message),
            });
            JudgedByGit::default()
        });
        let before = match &by_git.nearest {
            Some(commit) => Some((commit.as_str(), HowBefore::Git)),
            None => began_before(row, &others, &by_git.excluded).map(|commit| (commit, HowBefore::Time)),
        };
        let (commit, how) = before?;
        let newest = others.into_iter().rfind(|other| other.key.commit == commit)?;
        Some((newest, how))
    }

    fn judged_by_git(&self, row: &Row, others: &[&Row]) -> Result<JudgedByGit> {
        let repository = self.opened(&self.settings.workdir.repository(self.app)?)?;
        let own = match repository.commit(&row.key.commit) {
            Err(GitError::NoCommit { .. }) => {
                self.warn(format!(
                    "the clone lacks commit {}, so the commit that was stored before it is taken; a report of \
                     changes (--format diff) fetches it",
                    in_message(&row.key.commit)
                ));
                return Ok(JudgedByGit::default());
            }
            found => found?,
        };
        judged_by_git(&own, others, &repository)
    }
}

/// The conclusion from the history of a clone.
#[derive(Debug, Default)]
struct JudgedByGit {
    /// The commit of the nearest ancestor, as a row has it.
    nearest: Option<String>,
    /// Commits that are known not to be ancestors, as rows have them.
    excluded: Vec<String>,
}

fn judged_by_git(own: &ObjectId, others: &[&Row], repository: &Repository) -> Result<JudgedByGit> {
    let mut known: Vec<(ObjectId, &Row)> = Vec::new();
    let mut judged = JudgedByGit::default();
    // The history of a shallow clone ends too early to exclude a commit.
    let excludes = !repository.is_shallow()?;
    for row in newest_of_commits(others.iter().copied()).take(ASKED_COMMITS) {
        let Ok(commit) = repository.commit(&row.key.commit) else { continue };
        if commit == *own || excludes {
            judged.excluded.push(row.key.commit.clone());
        }
        known.push((commit, row));
    }
    let is_ancestor = |older: &ObjectId, newer: &ObjectId| Ok(repository.is_ancestor(older, newer)?);
    judged.nearest = nearest_ancestor(own, known, is_ancestor)?.map(|(_, row)| row.key.commit.clone());
    Ok(judged)
}

/// Returns the commit on the row's branch that began to be stored last before the row's own commit; `others` are the
/// rows of the app, the newest last.
fn began_before<'r>(row: &Row, others: &[&'r Row], excluded: &[String]) -> Option<&'r str> {
    let mut seen = HashSet::new();
    let beginnings = others.iter().filter(|other| seen.insert(other.key.commit.as_str()));
    let earlier = beginnings.take_while(|other| other.key.commit != row.key.commit);
    let on_branch = |other: &&&Row| {
        let mut of_commit = others.iter().filter(|one| one.key.commit == other.key.commit);
        of_commit.any(|one| one.branch == row.branch)
    };
    let fitting = earlier.filter(on_branch).filter(|other| !excluded.contains(&other.key.commit));
    fitting.last().map(|other| other.key.commit.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::row;

    /// Returns the commit before `own`, where the rows are `commit` or `commit@branch` in the order of their numbers.
    fn before(own: &str, stored: &[&str], excluded: &[&str]) -> Option<String> {
        let rows: Vec<Row> = (1..)
            .zip(stored)
            .map(|(number, text)| {
                let (commit, branch) = text.split_once('@').unwrap_or((text, "main"));
                Row { branch: branch.to_owned(), ..row(number, "shop", commit) }
            })
            .collect();
        let rows: Vec<&Row> = rows.iter().collect();
        let excluded: Vec<String> = excluded.iter().map(|commit| (*commit).to_owned()).collect();
        let own = rows.iter().rfind(|row| row.key.commit == own).unwrap();
        began_before(own, &rows, &excluded).map(str::to_owned)
    }

    #[test]
    fn without_git_the_commit_before_began_before_it_on_its_branch() {
        for (own, stored, excluded, expected) in [
            ("b", &["a", "b"][..], &[][..], Some("a")),
            ("a", &["a", "b"], &[], None),
            ("c", &["b", "a", "c"], &[], Some("a")),
            // The former commit is still pulled beside the new one.
            ("b", &["a", "b", "a"], &[], Some("a")),
            ("c", &["a", "b", "a", "c"], &[], Some("b")),
            ("c", &["a", "b@fix", "c"], &[], Some("a")),
            ("c", &["a@fix", "c"], &[], None),
            ("c", &["a@fix", "a", "c"], &[], Some("a")),
            ("c", &["a", "b", "c"], &["b"], Some("a")),
        ] {
            assert_eq!(
                before(own, stored, excluded).as_deref(),
                expected,
                "{own} of {stored:?} without {excluded:?}"
            );
        }
    }
}
