//! Of the lines that changed since a base: which were executed.
//!
//! A changed line counts when some block of the profile has code on it. Its percentage is over lines; a line of
//! which only a part was executed counts as executed, and is shown as partly. What does not count is named
//! with its reason, so that nothing is dropped in silence.

mod comparison;
pub(super) mod github;
pub(super) mod json;
pub(super) mod markdown;
pub(super) mod text;

pub(crate) use comparison::{Category, Comparison};

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::functions::block_coverage;
use super::lines::{self, LineReport, LineState};
use super::{FileReport, Head, Report};
use crate::code::gosrc::{CodeLines, Scanned, SyntaxError};
use crate::code::patch::{FilePatch, Unread};
use crate::coverage::Coverage;
use crate::filter::{Candidate, Filter};
use crate::parallel::on_all_cores;

/// What the changes are counted from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// Full hash; `None` where a file said what changed.
    pub commit: Option<String>,
    /// How it was chosen, in words.
    pub how: String,
}

/// What changed.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    /// What the changes are counted from.
    pub base: Base,
    /// File by file.
    pub patches: Vec<FilePatch>,
    /// What changed files say at the service's commit, by their paths there; of those that can count.
    pub texts: HashMap<String, ChangedText>,
    /// Names of the functions that they had before, by the same paths; of those of which it is known.
    pub functions_before: HashMap<String, HashSet<String>>,
}

impl Changes {
    /// Returns the paths of all changed files that are there still.
    #[must_use]
    pub(crate) fn paths_after(&self) -> HashSet<&str> {
        self.patches.iter().filter_map(|patch| patch.new_path.as_deref()).collect()
    }
}

/// What a changed file says.
#[derive(Clone, Debug)]
pub(crate) struct ChangedText {
    /// All of it.
    pub text: Arc<[u8]>,
    /// What was found in it.
    pub scanned: Result<Scanned, SyntaxError>,
}

/// Which of the changed lines were executed.
#[derive(Clone, Debug)]
pub(crate) struct DiffReport {
    /// What it is of.
    pub head: Head,
    /// What the changes are counted from.
    pub base: Base,
    /// Changed files with code that counts, the one with most missed lines first.
    pub files: Vec<ChangedFile>,
    /// Changed files that do not count, in order of their paths.
    pub left_out: Vec<LeftOut>,
    /// What became of the lines since another state, where that was asked for.
    pub comparison: Option<Comparison>,
}

/// A changed file with lines that count.
#[derive(Clone, Debug)]
pub(crate) struct ChangedFile {
    /// From the root of the repository.
    pub path: String,
    /// Where it was before, if elsewhere.
    pub old_path: Option<String>,
    /// It was not there before.
    pub is_new: bool,
    /// Changed lines that count, ascending.
    pub lines: Vec<LineReport>,
    /// Runs of changed lines that were not executed, first and last. Lines without code do not end a run.
    pub missed: Vec<(u32, u32)>,
    /// Statements of the blocks that have code on them.
    pub statements: Coverage,
    /// Functions with changed lines that count.
    pub functions: Vec<ChangedFunction>,
    /// What it says, to show; `None` where that is not known.
    pub text: Option<Arc<[u8]>>,
}

/// A function with changed lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangedFunction {
    /// `Type.method`, or the bare name.
    pub name: String,
    /// Where it begins.
    pub line: u32,
    /// No function of that name was in the file before; `None` where that is not known.
    pub is_new: Option<bool>,
    /// Changed lines that were executed, at least partly, of all that count.
    pub lines: Coverage,
}

/// A changed file that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// From the root of the repository.
    pub path: String,
    /// By which rule.
    pub why: Why,
}

/// Reason why a changed file does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    /// The file is gone.
    Deleted,
    /// The file is no Go file.
    NotGo,
    /// The file is not text.
    Binary,
    /// Git says that the file changed, which is too large to be compared.
    TooLarge,
    /// The name ends with `_test.go`.
    Test,
    /// The file lies in a `vendor` folder.
    Vendored,
    /// The file says that a program wrote it.
    Generated,
    /// `--include` or `--exclude` say so.
    Excluded,
    /// The file declares nothing that can be executed.
    NoStatements,
    /// The profile does not know the file: it is not linked into the program, or left out by build tags.
    NotBuilt,
    /// The `//line` comments move positions, so that nothing tells which of its lines were executed.
    MovedLines,
    /// The diff says nothing of the file's lines, though it is text: an attribute keeps it out of diffs.
    NoDiff,
    /// Nothing that changed in the file is code.
    NoCodeChanged,
    /// The service's commit lacks the file.
    NotInCommit,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Deleted => "deleted",
            Self::NotGo => "not a Go file",
            Self::Binary => "not text",
            Self::TooLarge => "too large",
            Self::Test => "a test",
            Self::Vendored => "vendored",
            Self::Generated => "generated",
            Self::Excluded => "excluded",
            Self::NoStatements => "has no statements",
            Self::NotBuilt => "not in the profile: not linked into the program, or left out by build tags",
            Self::MovedLines => {
                "its //line comments give its lines other numbers, so what was executed of them is not known"
            }
            Self::NoDiff => "the diff has no lines of it, as .gitattributes says -diff or binary",
            Self::NoCodeChanged => "no code changed",
            Self::NotInCommit => "not in the commit",
        })
    }
}

/// Tells whether a changed file can count, judged by its path alone.
#[must_use]
pub(crate) fn is_candidate(path: &str) -> bool {
    rule_of_path(path).is_none()
}

/// Tells whether a path is that of a Go file with tests, which no program contains.
#[must_use]
pub(crate) fn is_test(path: &str) -> bool {
    path.ends_with("_test.go")
}

fn rule_of_path(path: &str) -> Option<Why> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name.strip_suffix(".go") {
        None => Some(Why::NotGo),
        Some(_) if folders.split('/').any(|folder| folder == "vendor") => Some(Why::Vendored),
        Some(_) if is_test(name) => Some(Why::Test),
        Some(_) => None,
    }
}

impl DiffReport {
    /// Holds what changed against a report with lines.
    #[must_use]
    pub(crate) fn new(report: &Report<'_>, changes: &Changes, filter: &Filter) -> Self {
        let Changes { base, patches, .. } = changes;
        let by_path = by_path(report);
        let mut files = Vec::new();
        let mut left_out = Vec::new();
        let judged = on_all_cores(patches, |patch| match &patch.new_path {
            // What became a file of the same name is told by that.
            None if patches.iter().any(|other| other.new_path == patch.old_path) => None,
            None => Some(Err((patch.old_path.clone().unwrap_or_default(), Why::Deleted))),
            Some(path) => {
                let file = changed_file(patch, path, &by_path, changes, filter);
                Some(file.map_err(|why| (path.clone(), why)))
            }
        });
        for judged in judged.into_iter().flatten() {
            match judged {
                Ok(file) => files.push(file),
                Err((path, why)) => left_out.push(LeftOut { path, why }),
            }
        }
        files.sort_by(|a, b| {
            let missed = |file: &ChangedFile| file.coverage().total - file.coverage().covered;
            missed(b).cmp(&missed(a)).then_with(|| a.path.cmp(&b.path))
        });
        left_out.sort_by(|a, b| a.path.cmp(&b.path));
        Self { head: report.head.clone(), base: base.clone(), files, left_out, comparison: None }
    }

    /// Returns how many changed lines were executed, at least partly, of all that count.
    #[must_use]
    pub(crate) fn coverage(&self) -> Coverage {
        self.files.iter().map(ChangedFile::coverage).sum()
    }

    /// Returns the statements of the blocks that changed.
    #[must_use]
    pub(crate) fn statements(&self) -> Coverage {
        self.files.iter().map(|file| file.statements).sum()
    }

    /// Returns in words what the whole comes to.
    #[must_use]
    pub(crate) fn summary(&self) -> String {
        let Coverage { covered, total } = self.coverage();
        if total == 0 {
            return "no code changed that counts".to_owned();
        }
        let partly =
            self.files.iter().flat_map(|file| &file.lines).filter(|line| line.state() == LineState::Partly);
        let partly = match partly.count() {
            0 => String::new(),
            partly => format!(" ({partly} partly)"),
        };
        let statements = self.statements();
        format!(
            "{} of the changed lines were executed: {covered} of {total}{partly}; {} of {} statements",
            self.coverage(),
            statements.covered,
            statements.total
        )
    }

    /// Returns in words what the changes are counted from.
    #[must_use]
    pub(crate) fn base_line(&self) -> String {
        match &self.base.commit {
            Some(commit) => format!("base {commit}, {}", self.base.how),
            None => format!("base: {}", self.base.how),
        }
    }
}

impl ChangedFile {
    /// Returns how many of its changed lines were executed, at least partly, of all that count.
    #[must_use]
    pub(crate) fn coverage(&self) -> Coverage {
        lines::coverage(&self.lines)
    }
}

/// Returns the files of a report by their paths. A file that is compiled under several names, as links make it, is
/// executed where any of them is.
fn by_path<'r>(report: &'r Report<'_>) -> HashMap<&'r str, Cow<'r, FileReport<'r>>> {
    let mut by_path: HashMap<&str, Cow<'_, FileReport<'_>>> = HashMap::new();
    for file in &report.files {
        let Some(path) = file.path.as_deref() else { continue };
        match by_path.entry(path) {
            Entry::Vacant(free) => {
                free.insert(Cow::Borrowed(file));
            }
            Entry::Occupied(mut known) => {
                let lines = lines::joined(&known.get().lines, &file.lines);
                let known = known.get_mut();
                if file.coverage.covered > known.coverage.covered {
                    *known = Cow::Borrowed(file);
                }
                let known = known.to_mut();
                known.line_coverage = lines::coverage(&lines);
                known.lines = lines;
            }
        }
    }
    by_path
}

fn changed_file(
    changed: &FilePatch,
    path: &str,
    by_path: &HashMap<&str, Cow<'_, FileReport<'_>>>,
    diff: &Changes,
    filter: &Filter,
) -> Result<ChangedFile, Why> {
    match rule_of_path(path) {
        Some(Why::NotGo) => return Err(Why::NotGo),
        _ if changed.unread == Some(Unread::Binary) => {
            let is_text = diff.texts.get(path).is_some_and(|text| !text.text.contains(&0));
            return Err(if is_text { Why::NoDiff } else { Why::Binary });
        }
        Some(why) => return Err(why),
        None if changed.unread == Some(Unread::TooLarge) => return Err(Why::TooLarge),
        None => {}
    }
    let text = diff.texts.get(path);
    let scanned = text.and_then(|text| text.scanned.as_ref().ok());
    let known = by_path.get(path);
    if scanned.map_or(known.is_some_and(|file| file.is_generated), |scanned| scanned.is_generated) {
        return Err(Why::Generated);
    }
    let name = known.map_or(path, |file| file.name);
    if !filter.takes(Candidate { name, path: Some(path), is_generated: false, is_in_commit: true }) {
        return Err(Why::Excluded);
    }
    let Some(file) = known else {
        if text.is_none() {
            return Err(Why::NotInCommit);
        }
        let has_functions = scanned.is_none_or(|scanned| !scanned.functions.is_empty());
        return Err(if has_functions { Why::NotBuilt } else { Why::NoStatements });
    };
    if scanned.is_some_and(|scanned| scanned.has_moved_lines) {
        return Err(Why::MovedLines);
    }
    let lines: Vec<LineReport> =
        file.lines.iter().copied().filter(|line| changed.has_added(line.line)).collect();
    if lines.is_empty() {
        return Err(Why::NoCodeChanged);
    }
    let code = text.zip(scanned).map(|(text, scanned)| CodeLines::new(&text.text, scanned));
    Ok(ChangedFile {
        path: path.to_owned(),
        old_path: changed.old_path.clone().filter(|old| old != path),
        is_new: changed.old_path.is_none(),
        functions: changed_functions(file, &lines, changed, diff.functions_before.get(path)),
        missed: missed(file, changed),
        statements: statements_on(file, &lines, code.as_ref()),
        lines,
        text: text.map(|text| Arc::clone(&text.text)),
    })
}

/// Returns runs of changed lines that were not executed. A run ends at a line that is no such, at a gap without
/// code that nobody would look over, and at the end of a function.
fn missed(file: &FileReport<'_>, patch: &FilePatch) -> Vec<(u32, u32)> {
    const GAP: u32 = 4;
    let is_missed = |line: &LineReport| line.hit_blocks == 0 && patch.has_added(line.line);
    let function_of = |line: u32| file.functions.partition_point(|function| function.extent.end.0 < line);
    file.lines
        .chunk_by(|a, b| {
            is_missed(a) == is_missed(b)
                && b.line - a.line <= GAP
                && function_of(a.line) == function_of(b.line)
        })
        .filter(|run| is_missed(&run[0]))
        .map(|run| (run[0].line, run[run.len() - 1].line))
        .collect()
}

/// Sums the statements of the blocks that have code on some of these lines.
fn statements_on(file: &FileReport<'_>, lines: &[LineReport], code: Option<&CodeLines<'_>>) -> Coverage {
    let blocks = file.blocks.iter().zip(file.counts).filter(|(block, _)| block.statements > 0);
    let touched = blocks.filter(|(block, _)| {
        let first = lines.partition_point(|line| line.line < block.start.0);
        let spanned = lines[first..].iter().take_while(|line| line.line <= block.end.0);
        spanned.map(|line| line.line).any(|line| lines::has_code(block, line, code))
    });
    touched.map(|(block, &count)| block_coverage(block, count)).sum()
}

fn changed_functions(
    file: &FileReport<'_>,
    lines: &[LineReport],
    changed: &FilePatch,
    before: Option<&HashSet<String>>,
) -> Vec<ChangedFunction> {
    let changed = file.functions.iter().filter_map(|function| {
        let own = &lines[lines::within(lines, &function.extent)];
        let name = function.extent.qualified_name().into_owned();
        let is_new = match before {
            _ if changed.old_path.is_none() => Some(true),
            before => before.map(|before| !before.contains(&name)),
        };
        (!own.is_empty()).then(|| ChangedFunction {
            line: function.extent.start.0,
            is_new,
            name,
            lines: lines::coverage(own),
        })
    });
    changed.collect()
}
