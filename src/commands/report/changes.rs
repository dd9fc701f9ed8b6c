//! What changed since a base: which base that is, and what the two commits say of the files.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};

use super::source::{AtCommit, Revision, SourceReader};
use crate::commands;
use crate::git::{ObjectId, Repository};
use crate::names::printable;
use crate::patch::{self, FilePatch};
use crate::report::diff::{Base, Changes, Texts, is_candidate};
use crate::store::Row;
use crate::time::minute;
use crate::workdir;

/// Which base is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'a> {
    /// The merge base with the default branch, or what came before on it.
    Default,
    /// The commit of the row before.
    Previous,
    /// The first parent.
    Parent,
    /// The merge base with a branch, tag or commit.
    Revision(&'a str),
    /// The commit of a stored row.
    Row(&'a Row),
    /// No base: a file says what changed.
    DiffFile(&'a Path),
}

impl<'a> Asked<'a> {
    /// Reads what `--base` or the configuration say.
    pub(super) fn of(base: Option<&'a str>) -> Self {
        match base {
            None => Self::Default,
            Some("previous") => Self::Previous,
            Some("parent") => Self::Parent,
            Some(revision) => Self::Revision(revision),
        }
    }
}

/// Finds what changed up to a commit; `previous` is the newest row of another commit before it.
pub(super) fn find(
    asked: Asked<'_>,
    at: &AtCommit,
    reader: &SourceReader<'_>,
    previous: Option<&Row>,
) -> Result<Changes> {
    if let Asked::DiffFile(path) = asked {
        let shown = path.display().to_string();
        let shown = printable(&shown);
        let text = workdir::read_outside(path).with_context(|| format!("cannot read \"{shown}\""))?;
        let patches = patch::parse(&text).with_context(|| format!("\"{shown}\" is no unified diff"))?;
        let texts = texts(&patches, at, None);
        return Ok(Changes { base: Base { commit: None, how: format!("\"{shown}\"") }, patches, texts });
    }
    let (base, how) = choose(asked, at, reader, previous)?;
    let blobs = at.repository.changed_blobs(&base, &at.commit)?;
    reader.fetched(&at.repository, &base, &blobs, &at.network)?;
    reader.fetched(&at.repository, &at.commit, &blobs, &at.network)?;
    let text = at.repository.diff(&base, &at.commit)?;
    let patches = patch::parse(&text).context("git printed what is no unified diff")?;
    let texts = texts(&patches, at, Some(&base));
    Ok(Changes { base: Base { commit: Some(base.to_string()), how }, patches, texts })
}

/// Returns the base, and how it was chosen.
fn choose(
    asked: Asked<'_>,
    at: &AtCommit,
    reader: &SourceReader<'_>,
    previous: Option<&Row>,
) -> Result<(ObjectId, String)> {
    let AtCommit { repository, network, commit, .. } = at;
    match asked {
        Asked::Previous => previous_commit(at, reader, previous)?.ok_or_else(|| {
            anyhow!("nothing is stored of a commit before {commit}, so it has no previous one")
        }),
        Asked::Parent => parent(repository, commit),
        Asked::Row(row) if row.key.commit.is_empty() => {
            bail!("row {} tells no commit, so nothing can be held against it", row.id.0)
        }
        Asked::Row(row) => {
            let base = reader.find(repository, &Revision::Hash(row.key.commit.clone()), network)?;
            Ok((base, format!("the commit of row {}", row.id.0)))
        }
        Asked::Revision(revision) => {
            let tip = reader.find(repository, &Revision::Any(revision.to_owned()), network)?;
            let base = merge_base(at, reader, &tip, revision)?;
            let shown = printable(revision);
            let how = match base == tip {
                true => format!("which is {shown}"),
                false => format!("the merge base with {shown} ({tip})"),
            };
            Ok((base, how))
        }
        Asked::Default => {
            let tip = match reader.offline {
                true => repository.known_default_branch()?,
                false => repository.fetch_default_branch(network).or_else(|error| {
                    commands::warn(format!("{error}; the default branch is taken as this clone knows it"));
                    repository.known_default_branch()
                })?,
            };
            let branch = printable(&tip.branch).into_owned();
            let base = merge_base(at, reader, &tip.commit, &tip.branch)?;
            if base != *commit {
                return Ok((base, format!("the merge base with {branch} ({})", tip.commit)));
            }
            // What is on the branch already is new against what came before it.
            let on_branch = format!("as the commit is on {branch} ({})", tip.commit);
            let (base, how) = match previous_commit(at, reader, previous)? {
                Some(previous) => previous,
                None => parent(repository, commit)?,
            };
            Ok((base, format!("{how}, {on_branch}")))
        }
        Asked::DiffFile(_) => bail!("a file says what changed"),
    }
}

/// Returns the commit of the row before, where its repository has it.
fn previous_commit(
    at: &AtCommit,
    reader: &SourceReader<'_>,
    previous: Option<&Row>,
) -> Result<Option<(ObjectId, String)>> {
    let Some(row) = previous else { return Ok(None) };
    let revision = Revision::Hash(row.key.commit.clone());
    let commit = reader.find(&at.repository, &revision, &at.network)?;
    Ok(Some((
        commit,
        format!("the previous commit with data (row {}, {})", row.id.0, minute(row.created_at)),
    )))
}

fn parent(repository: &Repository, commit: &ObjectId) -> Result<(ObjectId, String)> {
    match repository.parent(commit)? {
        Some(parent) => Ok((parent, "the first parent".to_owned())),
        None if repository.is_shallow()? => {
            bail!("the clone is shallow and ends at {commit}; complete it with git fetch --unshallow")
        }
        None => bail!("{commit} has no parent, so nothing changed before it"),
    }
}

fn merge_base(at: &AtCommit, reader: &SourceReader<'_>, tip: &ObjectId, name: &str) -> Result<ObjectId> {
    let AtCommit { repository, network, commit, .. } = at;
    // What a shallow clone says can be wrong, and would be believed.
    if repository.is_shallow()? {
        if reader.offline {
            bail!("the clone is shallow, so a merge base cannot be known; without --offline it is completed");
        }
        repository.fetch_heads_and_tags(network).context("the clone is shallow, and completing it failed")?;
    }
    let base = repository.merge_base(commit, tip)?;
    base.ok_or_else(|| anyhow!("{commit} and \"{}\" ({tip}) have no common ancestor", printable(name)))
}

/// Reads what the files of a diff say; what cannot be read is shown by its lines' numbers alone.
fn texts(patches: &[FilePatch], at: &AtCommit, base: Option<&ObjectId>) -> HashMap<String, Texts> {
    let candidates: Vec<&FilePatch> = patches.iter().filter(|patch| is_candidate(patch)).collect();
    let read = |commit: &ObjectId, path: fn(&FilePatch) -> Option<&String>| {
        let asked: Vec<Option<(&ObjectId, &str)>> =
            candidates.iter().map(|patch| Some((commit, path(patch)?.as_str()))).collect();
        at.repository.contents(&asked).unwrap_or_else(|error| {
            commands::warn(format!("{error}; changed lines are shown without their text"));
            vec![None; candidates.len()]
        })
    };
    let new = read(&at.commit, |patch| patch.new_path.as_ref());
    let old = match base {
        Some(base) => read(base, |patch| patch.old_path.as_ref()),
        None => vec![None; candidates.len()],
    };
    let texts = candidates.iter().zip(new.into_iter().zip(old));
    texts.filter_map(|(patch, (new, old))| Some((patch.new_path.clone()?, Texts { new, old }))).collect()
}
