//! The commit before a row's own. The total of the row is compared with the total of that commit.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::base::{nearest_ancestor, newest_of_commits};
use super::{RepositoryCommit, SourceReader};
use crate::fleet::branches::Branches;
use crate::fleet::pick::{is_same_app, is_same_commit};
use crate::fleet::row::Row;
use crate::gate::HowBefore;
use crate::io::git::{GitError, ObjectId, Repository};
use crate::names::in_message;
use crate::notice::Notice;

/// The row of the commit before that of another row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommitBefore<'r> {
    pub(crate) row: &'r Row,
    /// The commit was before on the branch. Otherwise it is the nearest ancestor in git, of any branch.
    pub(crate) is_of_branch: bool,
}

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
        let others = told_apart(own, others);
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
            None => {
                let is_possible = |commit: &str| !by_git.excluded.iter().any(|excluded| excluded == commit);
                let is_of_branch = |other: &Row| other.branch == row.branch;
                let before = began_before(own, &others, is_of_branch, is_possible);
                before.map(|commit| (commit, HowBefore::Time))
            }
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

/// Returns the newest row of the nearest ancestor in git, of any branch, of which a profile is kept. `until` are the rows
/// of the app up to the row, the newest last; `at` is the commit of the row. Nothing is fetched.
pub(crate) fn nearest_stored<'r>(
    row: &Row,
    at: &RepositoryCommit,
    until: impl Iterator<Item = &'r Row>,
) -> Result<Option<&'r Row>> {
    let others = told_apart(&row.key.commit, until.filter(|other| other.deleted_at.is_none()));
    let nearest = judged_by_git(&at.commit, &others, &at.repository)?.nearest;
    let newest = |commit: String| others.into_iter().rfind(|other| other.key.commit == commit);
    Ok(nearest.and_then(newest))
}

/// Returns the newest row of the commit before that of a row on a branch: of the commits of the branch that began to be
/// stored before it, and of which a profile is kept, the last one. `until` are the rows of the app up to the row, the
/// newest last. Rows that are newer do not count, so that a former commit that still runs is the same state until the
/// row itself changes.
pub(crate) fn row_of_commit_before<'r>(
    row: &Row,
    (branch, branches): (&str, &Branches),
    until: impl Iterator<Item = &'r Row>,
) -> Option<&'r Row> {
    let own = row.key.commit.as_str();
    if own.is_empty() {
        return None;
    }
    let others = told_apart(own, until);
    let kept = others.iter().filter(|other| other.deleted_at.is_none());
    let newest: HashMap<&str, &Row> = kept.map(|other| (other.key.commit.as_str(), *other)).collect();
    let is_of_branch = |other: &Row| branches.have(branch, other);
    let before = began_before(own, &others, is_of_branch, |commit| newest.contains_key(commit))?;
    newest.get(before).copied()
}

/// Returns the rows of a commit and of other commits, without those of the same commit under another name: a commit with
/// more digits is the same one.
fn told_apart<'r>(own: &str, rows: impl Iterator<Item = &'r Row>) -> Vec<&'r Row> {
    let is_apart = |commit: &str| commit == own || !commit.is_empty() && !is_same_commit(own, commit);
    rows.filter(|row| is_apart(&row.key.commit)).collect()
}

/// Returns the commit on a branch that began to be stored last before another commit, of those that `is_possible`
/// leaves; `others` are the rows of the app, the newest last.
fn began_before<'r>(
    own: &str,
    others: &[&'r Row],
    is_of_branch: impl Fn(&Row) -> bool,
    is_possible: impl Fn(&str) -> bool,
) -> Option<&'r str> {
    let commits = others.iter().map(|other| other.key.commit.as_str());
    let mut seen = HashSet::new();
    let beginnings = commits.filter(|commit| seen.insert(*commit));
    let on_branch: HashSet<&str> =
        others.iter().filter(|other| is_of_branch(other)).map(|other| other.key.commit.as_str()).collect();
    let earlier = beginnings.take_while(|commit| *commit != own);
    earlier.filter(|commit| on_branch.contains(commit) && is_possible(commit)).last()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{dropped, row};

    /// Makes rows of texts `commit` or `commit@branch` in the order of their numbers.
    fn rows(stored: &[&str]) -> Vec<Row> {
        let row = |(number, text): (i64, &&str)| {
            let (commit, branch) = text.split_once('@').unwrap_or((text, "main"));
            Row { branch: branch.to_owned(), ..row(number, "shop", commit) }
        };
        (1..).zip(stored).map(row).collect()
    }

    fn before(own: &str, stored: &[&str], excluded: &[&str]) -> Option<String> {
        let rows = rows(stored);
        let rows: Vec<&Row> = rows.iter().collect();
        let is_possible = |commit: &str| !excluded.contains(&commit);
        let found = began_before(own, &rows, |row| row.branch == "main", is_possible);
        found.map(str::to_owned)
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

    #[test]
    fn the_row_of_the_commit_before_is_older_than_the_row_and_has_its_profile() {
        // Rows that begin with a minus have no profile any more.
        let before = |id: usize, stored: &[&str]| {
            let without_sign: Vec<&str> = stored.iter().map(|text| text.trim_start_matches('-')).collect();
            let mut rows = rows(&without_sign);
            for (row, text) in rows.iter_mut().zip(stored) {
                if text.starts_with('-') {
                    *row = dropped(row.clone());
                }
            }
            let until = rows[..id].iter();
            row_of_commit_before(&rows[id - 1], ("main", &Branches::default()), until).map(|row| row.id.0)
        };
        for (id, stored, expected) in [
            (1, &["a"][..], None),
            (2, &["a", "b"], Some(1)),
            (3, &["a", "a", "b"], Some(2)),
            // The former commit is still pulled beside the new one.
            (2, &["a", "b", "a"], Some(1)),
            (3, &["a", "b", "a"], None),
            (4, &["a", "b", "a", "b"], Some(3)),
            // Of the commit before, the last profile that is kept; without any, the commit before that.
            (3, &["a", "-a", "b"], Some(1)),
            (3, &["a", "-b", "c"], Some(1)),
            (2, &["-a", "b"], None),
            (4, &["a", "b@fix", "b@fix", "c"], Some(1)),
            (2, &["a@fix", "c"], None),
        ] {
            assert_eq!(before(id, stored), expected, "row {id} of {stored:?}");
        }
    }

    #[test]
    fn a_commit_without_a_hash_or_with_more_digits_is_not_the_commit_before() {
        let main = ("main", &Branches::default());
        let none = rows(&["aaaa", ""]);
        assert_eq!(row_of_commit_before(&none[1], main, none.iter()), None);
        let same = rows(&["", "aaaa1111", "aaaa"]);
        assert_eq!(row_of_commit_before(&same[2], main, same.iter()), None);
    }
}
