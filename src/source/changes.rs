//! What changed since a base: which base that is, and what the two commits say of the files.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail};
use memchr::memchr_iter;

use crate::code::gosrc::scan;
use crate::code::linediff;
use crate::code::patch::{self, FilePatch, Unread};
use crate::fleet::row::Row;
use crate::io::git::{Content, FileAt, FileChange, GitError, ObjectId, Renames, Tree};
use crate::io::workdir;
use crate::names::in_message;
use crate::report::diff::{Base, ChangedText, Changes, is_candidate, is_test};
use crate::source::reader::{AtCommit, Revision, SourceReader, SourceTree, is_hash};
use crate::time::minute;
use crate::{commands, parallel};

/// Which base is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<'a> {
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
    pub(crate) fn of(base: Option<&'a str>) -> Self {
        match base {
            None => Self::Default,
            Some("previous") => Self::Previous,
            Some("parent") => Self::Parent,
            Some(revision) => Self::Revision(revision),
        }
    }
}

/// Finds what changed up to a commit; `rows` are those of the app, the newest last.
pub(crate) fn find(
    asked: Asked<'_>,
    at: &AtCommit,
    reader: &SourceReader<'_>,
    rows: &[Row],
) -> Result<(SourceTree, Changes)> {
    if let Asked::DiffFile(path) = asked {
        let tree = reader.tree(at)?;
        let changes = of_file(path, at, &tree.files, reader)?;
        return Ok((tree, changes));
    }
    let choose = || {
        let (base, how) = choose(asked, at, reader, rows)?;
        // Git compares trees in memory, so both are listed within bounds before.
        reader.files(at, &base)?;
        Ok::<_, anyhow::Error>((base, how))
    };
    let (tree, chosen) = if at.repository.is_partial() {
        // One fetch at a time.
        (reader.tree(at), choose())
    } else {
        thread::scope(|scope| {
            let tree = parallel::begin(scope, || reader.tree(at));
            let chosen = choose();
            (tree.join(), chosen)
        })
    };
    let (tree, (base, how)) = (tree?, chosen?);
    Ok((tree, diff(&base, how, at, reader)?))
}

/// Returns what git says that changed since a base.
fn diff(base: &ObjectId, how: String, at: &AtCommit, reader: &SourceReader<'_>) -> Result<Changes> {
    let repository = &at.repository;
    if repository.is_partial() {
        let files = repository.changed_files(base, &at.commit, Renames::Unknown)?;
        // What went and what came is looked at to find out what moved.
        let looked_at =
            files.iter().filter(|file| file.path_before() != file.path_after() || Pair::of(file).is_some());
        let mut blobs: Vec<ObjectId> = looked_at.flat_map(FileChange::blobs).collect();
        blobs.sort_unstable();
        blobs.dedup();
        for commit in [base, &at.commit] {
            all_fetched(reader, at, commit, &blobs)?;
        }
    }
    let files = repository.changed_files(base, &at.commit, Renames::Found)?;
    let pairs: Vec<Pair<'_>> = files.iter().filter_map(Pair::of).collect();
    let blobs: Vec<_> =
        pairs.iter().map(|pair| [pair.before.map(|at| &at.blob), Some(&pair.after.blob)]).collect();
    let compared = repository.groups(&blobs, |index, contents| pairs[index].compared(contents))?;
    let others = files.iter().filter(|file| Pair::of(file).is_none());
    let mut changes = Changes {
        base: Base { commit: Some(base.to_string()), how },
        patches: others.flat_map(not_compared).collect(),
        texts: HashMap::new(),
        functions_before: HashMap::new(),
    };
    for (pair, compared) in pairs.iter().zip(compared) {
        let Compared { patch, text, functions_before } = compared.with_context(|| {
            format!("what changed in \"{}\" cannot be known", in_message(&pair.after.path))
        })?;
        let path = || pair.after.path.clone();
        changes.texts.extend(text.map(|text| (path(), text)));
        changes.functions_before.extend(functions_before.map(|functions| (path(), functions)));
        changes.patches.push(patch);
    }
    changes.patches.sort_by(|a, b| a.path().cmp(&b.path()));
    Ok(changes)
}

/// Returns a changed file without its lines; one that became a link went, and something else came.
fn not_compared(file: &FileChange) -> Vec<FilePatch> {
    let (before, after) = (file.path_before(), file.path_after());
    match &file.after {
        Some(at) if !at.is_regular && before.is_some() => {
            vec![FilePatch::without_hunks(before, None), FilePatch::without_hunks(None, after)]
        }
        _ => vec![FilePatch::without_hunks(before, after)],
    }
}

/// Beyond what people and generators write; two texts of many more lines without much in common take minutes.
const MOST_LINES: usize = 2 << 20;

/// A changed file of which it matters which lines changed: nothing is ever executed of one that is gone, nor of a test,
/// and tests are mostly half of what changes.
struct Pair<'c> {
    before: Option<&'c FileAt>,
    after: &'c FileAt,
}

/// What came of comparing what a file says before and after.
struct Compared {
    patch: FilePatch,
    /// Where the file can count.
    text: Option<ChangedText>,
    /// Where the file can count, and was there before.
    functions_before: Option<HashSet<String>>,
}

impl Compared {
    fn too_large(mut patch: FilePatch) -> Self {
        patch.unread = Some(Unread::TooLarge);
        Self { patch, text: None, functions_before: None }
    }
}

impl<'c> Pair<'c> {
    fn of(file: &'c FileChange) -> Option<Self> {
        // What a link says is no text of a file.
        let regular = |at: &'c Option<FileAt>| at.as_ref().filter(|at| at.is_regular);
        let after = regular(&file.after).filter(|after| !is_test(&after.path))?;
        Some(Self { before: regular(&file.before), after })
    }

    fn compared(&self, [before, after]: [Option<Content<'_>>; 2]) -> Result<Compared> {
        let Self { before: at_before, after: at_after } = self;
        let path_before = at_before.map(|at| at.path.as_str());
        let mut patch = FilePatch::without_hunks(path_before, Some(&at_after.path));
        if [before, after].iter().flatten().any(|content| matches!(content, Content::Missing)) {
            bail!("its contents are not in the clone");
        }
        let (before, after) = match (at_before, before.and_then(Content::text), after.and_then(Content::text))
        {
            (None, _, Some(after)) => (None, after),
            (_, Some(before), Some(after)) => (Some(before), after),
            _ => return Ok(Compared::too_large(patch)),
        };
        let is_long = |text: &[u8]| text.len() > MOST_LINES && memchr_iter(b'\n', text).count() > MOST_LINES;
        if is_long(after) || before.is_some_and(is_long) {
            return Ok(Compared::too_large(patch));
        }
        patch.hunks = linediff::hunks(before.unwrap_or_default(), after);
        let counts = is_candidate(&at_after.path);
        let functions_of = |before: &[u8]| {
            let functions = scan(before).ok()?.functions;
            Some(functions.iter().map(|extent| extent.qualified_name().into_owned()).collect())
        };
        Ok(Compared {
            patch,
            text: counts.then(|| ChangedText { text: after.into(), scanned: scan(after) }),
            functions_before: before.filter(|_| counts).and_then(functions_of),
        })
    }
}

/// Fetches what a clone without contents lacks; fails where it lacks some still.
fn all_fetched(
    reader: &SourceReader<'_>,
    at: &AtCommit,
    commit: &ObjectId,
    blobs: &[ObjectId],
) -> Result<()> {
    if !reader.fetched(at, commit, blobs)?.is_empty() {
        bail!("contents of changed files are not in the clone, so what changed in them cannot be known");
    }
    Ok(())
}

/// Takes what changed from a file, which has to be of this commit.
fn of_file(path: &Path, at: &AtCommit, tree: &Tree, reader: &SourceReader<'_>) -> Result<Changes> {
    let shown = path.display().to_string();
    let shown = in_message(&shown);
    let text = workdir::read_outside(path)?;
    let mut patches = patch::parse(&text).with_context(|| format!("\"{shown}\" is no unified diff"))?;
    patch::place(&mut patches, tree.files())
        .with_context(|| format!("\"{shown}\" is not of commit {}", at.commit))?;
    let candidates = || {
        let candidates = patches.iter().filter_map(|patch| Some((patch.new_path.as_deref()?, patch)));
        candidates.filter(|(path, _)| is_candidate(path))
    };
    let (paths, blobs): (Vec<&str>, Vec<ObjectId>) =
        candidates().filter_map(|(path, _)| Some((path, tree.blob(path)?.clone()))).unzip();
    all_fetched(reader, at, &at.commit, &blobs)?;
    let read = at.repository.blobs(&blobs, |_, content| {
        content.text().map(|text| ChangedText { text: text.into(), scanned: scan(text) })
    })?;
    let texts: HashMap<String, ChangedText> =
        paths.iter().zip(read).filter_map(|(path, text)| Some(((*path).to_owned(), text?))).collect();
    for (path, patch) in candidates() {
        let Some(ChangedText { text, .. }) = texts.get(path) else { continue };
        let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').map(without_return).collect();
        let is_other = |(number, says): &&(u32, Box<[u8]>)| {
            lines.get(*number as usize - 1) != Some(&without_return(says))
        };
        if let Some((number, says)) = patch.shown.iter().find(is_other) {
            bail!(
                "\"{shown}\" is not of commit {}: line {number} of \"{}\" is not \"{}\" there",
                at.commit,
                in_message(path),
                in_message(&String::from_utf8_lossy(says))
            );
        }
    }
    let base = Base { commit: None, how: format!("\"{shown}\"") };
    Ok(Changes { base, patches, texts, functions_before: HashMap::new() })
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns the base, and how it was chosen.
fn choose(
    asked: Asked<'_>,
    at: &AtCommit,
    reader: &SourceReader<'_>,
    rows: &[Row],
) -> Result<(ObjectId, String)> {
    let AtCommit { repository, network, commit, .. } = at;
    match asked {
        Asked::Previous => previous_commit(at, rows)?.ok_or_else(|| {
            anyhow!("nothing is stored of a commit before {commit}, so it has no previous one")
        }),
        Asked::Parent => parent(at, reader),
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
            let shown = in_message(revision);
            if base == *commit {
                if is_hash(revision) {
                    bail!(
                        "\"{shown}\" is commit {commit} itself, or comes after it, so nothing can have changed since"
                    );
                }
                return before_on_branch(at, reader, rows, &format!("{shown} ({tip})"));
            }
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
                    let known = repository.known_default_branch()?;
                    commands::warn(format!("{error}; the default branch is taken as this clone knows it"));
                    Ok::<_, GitError>(known)
                })?,
            };
            let branch = format!("{} ({})", in_message(&tip.branch), tip.commit);
            let base = merge_base(at, reader, &tip.commit, &tip.branch)?;
            if base == *commit {
                return before_on_branch(at, reader, rows, &branch);
            }
            Ok((base, format!("the merge base with {branch}")))
        }
        Asked::DiffFile(_) => bail!("a file says what changed"),
    }
}

/// Returns what came before a commit that is on a branch already.
fn before_on_branch(
    at: &AtCommit,
    reader: &SourceReader<'_>,
    rows: &[Row],
    branch: &str,
) -> Result<(ObjectId, String)> {
    let (base, how) = match previous_commit(at, rows)? {
        Some(previous) => previous,
        None => parent(at, reader)?,
    };
    Ok((base, format!("{how}, as the commit is on {branch}")))
}

/// Returns the nearest commit before this one of which something is stored: an ancestor, whenever its row was
/// written; rows of other branches, and of commits that are gone, are passed over.
fn previous_commit(at: &AtCommit, rows: &[Row]) -> Result<Option<(ObjectId, String)>> {
    let AtCommit { repository, commit, .. } = at;
    let mut seen = HashSet::new();
    let mut nearest: Option<(ObjectId, String)> = None;
    for row in rows.iter().rev().filter(|row| seen.insert(row.key.commit.as_str())) {
        let Ok(other) = repository.commit(&row.key.commit) else { continue };
        if other == *commit || repository.merge_base(&other, commit)?.as_ref() != Some(&other) {
            continue;
        }
        let is_nearer = match &nearest {
            None => true,
            Some((known, _)) => repository.merge_base(known, &other)?.as_ref() == Some(known),
        };
        if is_nearer {
            let how = format!("the previous commit with data (row {}, {})", row.id.0, minute(row.created_at));
            nearest = Some((other, how));
        }
    }
    Ok(nearest)
}

fn parent(at: &AtCommit, reader: &SourceReader<'_>) -> Result<(ObjectId, String)> {
    let AtCommit { repository, network, commit, .. } = at;
    let mut parent = repository.parent(commit)?;
    if parent.is_none() && repository.is_shallow()? {
        if reader.offline {
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
    base.ok_or_else(|| anyhow!("{commit} and \"{}\" ({tip}) have no common ancestor", in_message(name)))
}
