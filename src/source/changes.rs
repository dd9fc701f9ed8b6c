//! The changes from a base to the commit of a report: files that differ, their lines, and their texts.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result, bail};
use memchr::memchr_iter;

use super::base::{self, BaseChoice};
use super::{CommitBefore, RepositoryCommit, SourceReader, SourceTree};
use crate::code::gosrc::scan;
use crate::code::linediff;
use crate::code::patch::{self, FilePatch, WhyUnread};
use crate::fleet::row::Row;
use crate::io::git::{BlobContent, FileAt, FileChange, ObjectId, Renames, Tree};
use crate::io::workdir;
use crate::names::in_message;
use crate::parallel;
use crate::report::diff::{Base, ChangedText, Changes, is_candidate, is_test};
use crate::time::minute;

/// The origin of the changes that a report shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ChangesFrom<'a> {
    /// Git compares the commit with a base.
    Base(BaseChoice<'a>),
    /// A file holds a unified diff.
    DiffFile(&'a Path),
}

/// Finds the changes up to a commit; `rows` are those of the app, the newest last.
pub(super) fn find(
    from: ChangesFrom<'_>,
    at: &RepositoryCommit,
    reader: &SourceReader<'_>,
    rows: &[Row],
) -> Result<(SourceTree, Changes)> {
    let choice = match from {
        ChangesFrom::Base(choice) => choice,
        ChangesFrom::DiffFile(path) => {
            let tree = reader.tree(at)?;
            let changes = read_diff_file(path, at, &tree.files, reader)?;
            return Ok((tree, changes));
        }
    };
    let choose = || {
        let (base, how) = base::choose(choice, at, reader, rows)?;
        // Git compares trees in memory, so the limit of files has to hold for both commits.
        reader.files(at, &base)?;
        Ok::<_, anyhow::Error>((base, how))
    };
    let (tree, chosen) = if at.repository.is_partial() {
        // Two fetches at the same time would disturb each other.
        (reader.tree(at), choose())
    } else {
        thread::scope(|scope| {
            let tree = parallel::spawn(scope, || reader.tree(at));
            let chosen = choose();
            (tree.join(), chosen)
        })
    };
    let (tree, (base, how)) = (tree?, chosen?);
    Ok((tree, diff(&base, how, at, reader)?))
}

impl SourceReader<'_> {
    /// Returns the changes from the commit of a stored row, which the clone must have.
    pub(crate) fn changes_since(
        &self,
        CommitBefore { row, is_of_branch }: CommitBefore<'_>,
        at: &RepositoryCommit,
    ) -> Result<Changes> {
        let base = at.repository.commit(&row.key.commit)?;
        // Git compares trees in memory, so the limit of files has to hold for both commits.
        self.files(at, &base)?;
        let what = match (is_of_branch, row.branch.as_str()) {
            (true, _) => "the commit before on its branch".to_owned(),
            (false, "") => "the nearest ancestor with data".to_owned(),
            (false, branch) => format!("the nearest ancestor with data, of branch {}", in_message(branch)),
        };
        let how = format!("{what} (row {}, {})", row.id.0, minute(row.created_at));
        diff(&base, how, at, self)
    }
}

/// Compares a commit with a base by git.
fn diff(base: &ObjectId, how: String, at: &RepositoryCommit, reader: &SourceReader<'_>) -> Result<Changes> {
    let repository = &at.repository;
    if repository.is_partial() {
        let files = repository.changed_files(base, &at.commit, Renames::Unknown)?;
        // Git finds renames by the contents of removed and added files.
        let looked_at = files.iter().filter(|file| {
            file.path_before() != file.path_after() || ChangedPair::from_change(file).is_some()
        });
        let mut blobs: Vec<ObjectId> = looked_at.flat_map(FileChange::blobs).collect();
        blobs.sort_unstable();
        blobs.dedup();
        for commit in [base, &at.commit] {
            fetch_all(reader, at, commit, &blobs)?;
        }
    }
    let files = repository.changed_files(base, &at.commit, Renames::Found)?;
    let pairs: Vec<ChangedPair<'_>> = files.iter().filter_map(ChangedPair::from_change).collect();
    let blobs: Vec<_> =
        pairs.iter().map(|pair| [pair.before.map(|at| &at.blob), Some(&pair.after.blob)]).collect();
    let compared = repository.groups(&blobs, |index, contents| pairs[index].compared(contents))?;
    let others = files.iter().filter(|file| ChangedPair::from_change(file).is_none());
    let mut changes = Changes {
        base: Base { commit: Some(base.to_string()), how },
        patches: others.flat_map(not_compared).collect(),
        texts: HashMap::new(),
        functions_before: HashMap::new(),
    };
    for (pair, compared) in pairs.iter().zip(compared) {
        let ComparedTexts { patch, text, functions_before } = compared
            .with_context(|| format!("the changes of \"{}\" are unknown", in_message(&pair.after.path)))?;
        let path = || pair.after.path.clone();
        changes.texts.extend(text.map(|text| (path(), text)));
        changes.functions_before.extend(functions_before.map(|functions| (path(), functions)));
        changes.patches.push(patch);
    }
    changes.patches.sort_by(|a, b| a.path().cmp(&b.path()));
    Ok(changes)
}

/// Returns a changed file without its lines. A file that became a link counts as one removed and one added file.
fn not_compared(file: &FileChange) -> Vec<FilePatch> {
    let (before, after) = (file.path_before(), file.path_after());
    match &file.after {
        Some(at) if !at.is_regular && before.is_some() => {
            vec![FilePatch::without_hunks(before, None), FilePatch::without_hunks(None, after)]
        }
        _ => vec![FilePatch::without_hunks(before, after)],
    }
}

/// Largest number of lines that are compared, which is more than people and generators write. Comparing two longer
/// texts with little in common takes minutes.
const MOST_LINES: usize = 2 << 20;

/// A changed file whose changed lines are needed. Removed files and tests have no executed lines, and tests are often
/// half of the changes.
struct ChangedPair<'c> {
    before: Option<&'c FileAt>,
    after: &'c FileAt,
}

/// The result of comparing the texts of a file before and after.
struct ComparedTexts {
    patch: FilePatch,
    /// The text after the change; `None` for a file that cannot count.
    text: Option<ChangedText>,
    /// The functions before the change; `None` for a file that cannot count, or is new.
    functions_before: Option<HashSet<String>>,
}

impl ComparedTexts {
    fn too_large(mut patch: FilePatch) -> Self {
        patch.unread = Some(WhyUnread::TooLarge);
        Self { patch, text: None, functions_before: None }
    }
}

impl<'c> ChangedPair<'c> {
    fn from_change(file: &'c FileChange) -> Option<Self> {
        // A link has a target in place of a text.
        let regular = |at: &'c Option<FileAt>| at.as_ref().filter(|at| at.is_regular);
        let after = regular(&file.after).filter(|after| !is_test(&after.path))?;
        Some(Self { before: regular(&file.before), after })
    }

    fn compared(&self, [before, after]: [Option<BlobContent<'_>>; 2]) -> Result<ComparedTexts> {
        let Self { before: at_before, after: at_after } = self;
        let path_before = at_before.map(|at| at.path.as_str());
        let mut patch = FilePatch::without_hunks(path_before, Some(&at_after.path));
        if [before, after].iter().flatten().any(|content| matches!(content, BlobContent::Missing)) {
            bail!("its contents are not in the clone");
        }
        let (before, after) =
            match (at_before, before.and_then(BlobContent::text), after.and_then(BlobContent::text)) {
                (None, _, Some(after)) => (None, after),
                (_, Some(before), Some(after)) => (Some(before), after),
                _ => return Ok(ComparedTexts::too_large(patch)),
            };
        let is_long = |text: &[u8]| text.len() > MOST_LINES && memchr_iter(b'\n', text).count() > MOST_LINES;
        if is_long(after) || before.is_some_and(is_long) {
            return Ok(ComparedTexts::too_large(patch));
        }
        patch.hunks = linediff::hunks(before.unwrap_or_default(), after);
        let counts = is_candidate(&at_after.path);
        let functions_of = |before: &[u8]| {
            let functions = scan(before).ok()?.functions;
            Some(functions.iter().map(|extent| extent.qualified_name().into_owned()).collect())
        };
        Ok(ComparedTexts {
            patch,
            text: counts.then(|| ChangedText { text: after.into(), scanned: scan(after) }),
            functions_before: before.filter(|_| counts).and_then(functions_of),
        })
    }
}

/// Fetches the contents that a clone lacks; fails if some are still missing.
fn fetch_all(
    reader: &SourceReader<'_>,
    at: &RepositoryCommit,
    commit: &ObjectId,
    blobs: &[ObjectId],
) -> Result<()> {
    if !reader.fetched(at, commit, blobs)?.is_empty() {
        bail!("the clone lacks the contents of changed files, so their changes are unknown");
    }
    Ok(())
}

/// Reads the changes from a diff file, which must fit the commit.
fn read_diff_file(
    path: &Path,
    at: &RepositoryCommit,
    tree: &Tree,
    reader: &SourceReader<'_>,
) -> Result<Changes> {
    let shown = path.display().to_string();
    let shown = in_message(&shown);
    let text = workdir::read_outside(path)?;
    let mut patches = patch::parse(&text).with_context(|| format!("\"{shown}\" is not a unified diff"))?;
    patch::place(&mut patches, tree.files())
        .with_context(|| format!("\"{shown}\" is not of commit {}", at.commit))?;
    let candidates = || {
        let candidates = patches.iter().filter_map(|patch| Some((patch.new_path.as_deref()?, patch)));
        candidates.filter(|(path, _)| is_candidate(path))
    };
    let (paths, blobs): (Vec<&str>, Vec<ObjectId>) =
        candidates().filter_map(|(path, _)| Some((path, tree.blob(path)?.clone()))).unzip();
    fetch_all(reader, at, &at.commit, &blobs)?;
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
