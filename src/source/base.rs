//! The base that changes are counted from: which one is asked for, which one that is, and why.

use std::collections::HashSet;

use anyhow::{Context as _, Result, anyhow, bail};

use super::revision::is_hash;
use super::{RepositoryCommit, Revision, SourceReader};
use crate::fleet::row::Row;
use crate::io::git::{GitError, ObjectId};
use crate::names::in_message;
use crate::time::minute;

/// The base that is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BaseChoice<'a> {
    /// The merge base with the default branch, or the previous commit of a commit that is on that branch.
    Default,
    /// The commit of the previous row.
    Previous,
    /// The first parent.
    Parent,
    /// The merge base with a branch, tag or commit.
    Revision(&'a str),
    /// The commit of a stored row.
    Row(&'a Row),
}

impl<'a> BaseChoice<'a> {
    /// Reads the words of `--base` and of the configuration.
    pub(crate) fn from_words(base: Option<&'a str>) -> Self {
        match base {
            None => Self::Default,
            Some("previous") => Self::Previous,
            Some("parent") => Self::Parent,
            Some(revision) => Self::Revision(revision),
        }
    }
}

/// A base, and in words how it was chosen.
pub(super) type ChosenBase = (ObjectId, String);

/// A revision that a merge base is computed with.
#[derive(Clone, Copy)]
struct Tip<'a> {
    name: &'a str,
    commit: &'a ObjectId,
}

/// The conclusion from a merge base.
#[derive(Debug, PartialEq)]
enum Conclusion {
    Base(String),
    /// The commit is on the branch, so that its predecessor is the base.
    BeforeOnBranch(String),
    Refused(String),
}

/// Concludes from the merge base of a commit with a named revision.
fn conclude(commit: &ObjectId, merge_base: &ObjectId, Tip { name, commit: tip }: Tip<'_>) -> Conclusion {
    let shown = in_message(name);
    if merge_base == commit {
        return match is_hash(name) {
            true => Conclusion::Refused(format!(
                "\"{shown}\" is commit {commit} itself, or comes after it, so nothing can have changed since"
            )),
            false => Conclusion::BeforeOnBranch(shown.to_string()),
        };
    }
    Conclusion::Base(match merge_base == tip {
        // The words stand behind the hash.
        true if is_hash(name) => "as named".to_owned(),
        true => format!("which is {shown}"),
        false => format!("the merge base with {shown} ({tip})"),
    })
}

/// Concludes from the merge base of a commit with the default branch.
fn conclude_default(
    commit: &ObjectId,
    merge_base: &ObjectId,
    Tip { name, commit: tip }: Tip<'_>,
) -> Conclusion {
    let branch = in_message(name);
    match merge_base == commit {
        true => Conclusion::BeforeOnBranch(branch.to_string()),
        false => Conclusion::Base(format!("the merge base with {branch} ({tip})")),
    }
}

/// Returns the revision that a person means. HEAD means the commit of the service, because the HEAD of a bare clone is a
/// branch at the time of cloning.
fn of_service(revision: &str, commit: &ObjectId) -> String {
    match revision.strip_prefix("HEAD") {
        Some(rest) if rest.is_empty() || rest.starts_with(['~', '^']) => format!("{commit}{rest}"),
        _ => revision.to_owned(),
    }
}

/// Returns the base, and how it was chosen; `rows` are those of the app, the newest last.
pub(super) fn choose(
    choice: BaseChoice<'_>,
    at: &RepositoryCommit,
    reader: &SourceReader<'_>,
    rows: &[Row],
) -> Result<ChosenBase> {
    let RepositoryCommit { repository, network, commit, .. } = at;
    let (merge_base, conclusion) = match choice {
        BaseChoice::Previous => {
            return previous_commit(at, rows)?.ok_or_else(|| {
                anyhow!("no data is stored for a commit before {commit}, so it has no previous one")
            });
        }
        BaseChoice::Parent => return parent(at, reader),
        BaseChoice::Row(row) if row.key.commit.is_empty() => {
            bail!("row {} tells no commit, so nothing can be held against it", row.id.0)
        }
        BaseChoice::Row(row) => {
            let base = reader.find(repository, &Revision::Hash(row.key.commit.clone()), network)?;
            return Ok((base, format!("the commit of row {}", row.id.0)));
        }
        BaseChoice::Revision(name) => {
            let name = &of_service(name, commit);
            let tip = reader.find(repository, &Revision::Any(name.to_owned()), network)?;
            let tip = Tip { name, commit: &tip };
            let merge_base = merge_base(at, reader, tip)?;
            let conclusion = conclude(commit, &merge_base, tip);
            (merge_base, conclusion)
        }
        BaseChoice::Default => {
            let branch = match reader.is_offline {
                true => repository.known_default_branch()?,
                false => repository.fetch_default_branch(network).or_else(|error| {
                    let known = repository.known_default_branch()?;
                    reader.warn(format!("{error}; the default branch in this clone is used"));
                    Ok::<_, GitError>(known)
                })?,
            };
            let tip = Tip { name: &branch.branch, commit: &branch.commit };
            let merge_base = merge_base(at, reader, tip)?;
            let conclusion = conclude_default(commit, &merge_base, tip);
            (merge_base, conclusion)
        }
    };
    match conclusion {
        Conclusion::Base(how) => Ok((merge_base, how)),
        Conclusion::BeforeOnBranch(branch) => before_on_branch(at, reader, rows, &branch),
        Conclusion::Refused(why) => bail!(why),
    }
}

/// Returns the predecessor of a commit that is on a branch already.
fn before_on_branch(
    at: &RepositoryCommit,
    reader: &SourceReader<'_>,
    rows: &[Row],
    branch: &str,
) -> Result<ChosenBase> {
    let (base, how) = match previous_commit(at, rows)? {
        Some(previous) => previous,
        None => parent(at, reader)?,
    };
    Ok((base, format!("{how}, because the commit itself is on {branch}")))
}

/// Returns the nearest ancestor of which something is stored.
fn previous_commit(at: &RepositoryCommit, rows: &[Row]) -> Result<Option<ChosenBase>> {
    let RepositoryCommit { repository, commit, .. } = at;
    let stored = newest_of_commits(rows.iter())
        .filter_map(|row| Some((repository.commit(&row.key.commit).ok()?, row)));
    let is_ancestor = |older: &ObjectId, newer: &ObjectId| Ok(repository.is_ancestor(older, newer)?);
    let nearest = nearest_ancestor(commit, stored, is_ancestor)?;
    Ok(nearest.map(|(commit, row)| {
        let how = format!("the previous commit with data (row {}, {})", row.id.0, minute(row.created_at));
        (commit, how)
    }))
}

/// Returns the newest row of each commit, the newest first; `rows` have the newest last.
pub(super) fn newest_of_commits<'r>(
    rows: impl DoubleEndedIterator<Item = &'r Row>,
) -> impl Iterator<Item = &'r Row> {
    let mut seen = HashSet::new();
    rows.rev().filter(move |row| seen.insert(row.key.commit.as_str()))
}

/// Returns the nearest of the stored commits that are ancestors of a commit, with its row. Commits of other branches are
/// passed over.
pub(super) fn nearest_ancestor<'r>(
    commit: &ObjectId,
    stored: impl IntoIterator<Item = (ObjectId, &'r Row)>,
    is_ancestor: impl Fn(&ObjectId, &ObjectId) -> Result<bool>,
) -> Result<Option<(ObjectId, &'r Row)>> {
    let mut nearest: Option<(ObjectId, &Row)> = None;
    for (other, row) in stored {
        if other == *commit || !is_ancestor(&other, commit)? {
            continue;
        }
        let is_nearer = match &nearest {
            None => true,
            Some((known, _)) => is_ancestor(known, &other)?,
        };
        if is_nearer {
            nearest = Some((other, row));
        }
    }
    Ok(nearest)
}

fn parent(at: &RepositoryCommit, reader: &SourceReader<'_>) -> Result<ChosenBase> {
    let RepositoryCommit { repository, network, commit, .. } = at;
    let mut parent = repository.parent(commit)?;
    if parent.is_none() && repository.is_shallow()? {
        if reader.is_offline {
            bail!("the clone is shallow and ends at {commit}; without --offline it is completed");
        }
        repository.fetch_heads_and_tags(network).context("the clone is shallow, and completing it failed")?;
        parent = repository.parent(commit)?;
    }
    match parent {
        Some(parent) => Ok((parent, "the first parent".to_owned())),
        None => bail!("{commit} has no parent, so nothing changed before it"),
    }
}

fn merge_base(at: &RepositoryCommit, reader: &SourceReader<'_>, tip: Tip<'_>) -> Result<ObjectId> {
    let RepositoryCommit { repository, network, commit, .. } = at;
    // Git finds a wrong merge base in a shallow clone, and does not say so.
    if repository.is_shallow()? {
        if reader.is_offline {
            bail!("the clone is shallow, so a merge base cannot be known; without --offline it is completed");
        }
        repository.fetch_heads_and_tags(network).context("the clone is shallow, and completing it failed")?;
    }
    let base = repository.merge_base(commit, tip.commit)?;
    base.ok_or_else(|| {
        anyhow!("{commit} and \"{}\" ({}) have no common ancestor", in_message(tip.name), tip.commit)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::source::testing::row;

    /// Returns a commit of one digit, forty times.
    fn id(digit: char) -> ObjectId {
        ObjectId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    #[test]
    fn the_words_of_an_option_name_a_base() {
        for (words, choice) in [
            (None, BaseChoice::Default),
            (Some("previous"), BaseChoice::Previous),
            (Some("parent"), BaseChoice::Parent),
            (Some("main"), BaseChoice::Revision("main")),
            (Some("Previous"), BaseChoice::Revision("Previous")),
        ] {
            assert_eq!(BaseChoice::from_words(words), choice, "{words:?}");
        }
    }

    #[test]
    fn a_named_revision_is_the_base_up_to_the_commit_itself() {
        let (commit, tip, fork) = (id('c'), id('d'), id('f'));
        let conclude = |name, tip: &ObjectId, merge_base: &ObjectId| {
            super::conclude(&commit, merge_base, Tip { name, commit: tip })
        };
        assert_eq!(conclude("v1", &tip, &tip), Conclusion::Base("which is v1".to_owned()), "an ancestor");
        assert_eq!(conclude("ddddddd", &tip, &tip), Conclusion::Base("as named".to_owned()), "its hash");
        assert_eq!(
            conclude("main", &tip, &fork),
            Conclusion::Base(format!("the merge base with main ({tip})")),
            "a branch that went on elsewhere"
        );
        assert_eq!(
            conclude("main", &tip, &commit),
            Conclusion::BeforeOnBranch("main".to_owned()),
            "a branch that has the commit"
        );
        assert!(
            matches!(conclude("ccccccc", &commit, &commit), Conclusion::Refused(why) if why.contains("itself")),
            "a hash of the commit"
        );
        assert!(
            matches!(conclude("ddddddd", &tip, &commit), Conclusion::Refused(_)),
            "a hash of a descendant"
        );
    }

    #[test]
    fn the_default_branch_gives_its_merge_base_unless_it_has_the_commit() {
        let (commit, tip, fork) = (id('c'), id('d'), id('f'));
        let conclude =
            |merge_base: &ObjectId| conclude_default(&commit, merge_base, Tip { name: "main", commit: &tip });
        assert_eq!(conclude(&fork), Conclusion::Base(format!("the merge base with main ({tip})")));
        assert_eq!(conclude(&tip), Conclusion::Base(format!("the merge base with main ({tip})")));
        assert_eq!(conclude(&commit), Conclusion::BeforeOnBranch("main".to_owned()));
    }

    /// Finds the nearest stored ancestor of commit `d`. History: a - b - c - d, and e beside them, from b.
    fn nearest(stored: &[char]) -> Option<String> {
        let ancestors = BTreeMap::from([('a', "a"), ('b', "ab"), ('c', "abc"), ('d', "abcd"), ('e', "abe")]);
        let digit = |id: &ObjectId| id.as_str().chars().next().unwrap();
        let is_ancestor =
            |older: &ObjectId, newer: &ObjectId| Ok(ancestors[&digit(newer)].contains(digit(older)));
        // Commit 9 is gone.
        let find = |hash: &str| ObjectId::parse(hash).filter(|id| digit(id) != '9');
        let rows: Vec<Row> =
            (1..).zip(stored).map(|(number, commit)| row(number, "app", id(*commit).as_str())).collect();
        let stored = newest_of_commits(rows.iter()).filter_map(|row| Some((find(&row.key.commit)?, row)));
        let base = nearest_ancestor(&id('d'), stored, is_ancestor).unwrap();
        base.map(|(commit, row)| format!("{} row {}", digit(&commit), row.id.0))
    }

    #[test]
    fn the_previous_commit_is_the_nearest_stored_ancestor() {
        for (stored, expected) in [
            (&[][..], None),
            (&['d'], None),
            (&['e'], None),
            (&['9'], None),
            (&['a', 'b'], Some("b row 2")),
            (&['b', 'a'], Some("b row 1")),
            (&['c', 'e', 'd'], Some("c row 1")),
            (&['a', 'c', 'b', '9'], Some("c row 2")),
            (&['b', 'b', 'd'], Some("b row 2")),
        ] {
            assert_eq!(nearest(stored).as_deref(), expected, "{stored:?}");
        }
    }
}
