//! The lines that changed since a base, with their coverage.
//!
//! A changed line counts when a block of the profile has code on it. The percentage counts lines. A line of which only
//! a part was executed counts as executed and is shown as partly executed. Changed files that do not count are listed
//! with the reason, so that no change is dropped silently.

mod changed_files;
mod comparison;
pub(super) mod github;
pub(super) mod gitlab;
pub(super) mod json;
pub(super) mod markdown;
pub(super) mod rdjson;
mod rules;
pub(super) mod text;

pub(crate) use comparison::{ComparedFile, Comparison, LineCategory};
pub(crate) use rules::{LeftOut, WhyLeftOut, is_candidate, is_test};

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::lines::{self, LineReport, LineState};
use super::{Report, ReportHead};
use crate::code::blame::Blame;
use crate::code::gosrc::{ScannedFile, SyntaxError};
use crate::code::patch::FilePatch;
use crate::coverage::Coverage;
use crate::filter::Filter;
use crate::parallel::on_all_cores;
use crate::phrases::count;

use changed_files::{by_path, changed_code, changed_file, ignored_lines};

/// The name of the rule in forms whose readers filter findings by a rule.
const MISSED_LINES: &str = "missed-changed-lines";

/// The base from which changes are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// Full hash; `None` when a diff file gave the changes.
    pub commit: Option<String>,
    /// The way in which it was chosen, in words.
    pub how: String,
}

/// The changes from a base to a commit.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    pub base: Base,
    /// The changes of each file.
    pub patches: Vec<FilePatch>,
    /// Texts of changed files that can count, at the service's commit, by path.
    pub texts: HashMap<String, ChangedText>,
    /// Names of the functions that these files had at the base, by the same paths, if they are known.
    pub functions_before: HashMap<String, HashSet<String>>,
}

impl Changes {
    /// Returns the paths of all changed files that still exist.
    #[must_use]
    pub(crate) fn paths_after(&self) -> HashSet<&str> {
        self.patches.iter().filter_map(|patch| patch.new_path.as_deref()).collect()
    }
}

/// The text of a changed file.
#[derive(Clone, Debug)]
pub(crate) struct ChangedText {
    pub text: Arc<[u8]>,
    /// Its declarations.
    pub scanned: Result<ScannedFile, SyntaxError>,
}

/// The changed lines with their coverage.
#[derive(Clone, Debug)]
pub(crate) struct DiffReport {
    pub head: ReportHead,
    pub base: Base,
    /// Changed files with lines that count, those with most missed lines first.
    pub files: Vec<ChangedFile>,
    /// Changed files that do not count, sorted by path.
    pub left_out: Vec<LeftOut>,
    /// Changed code that is in no profile, sorted by path. These files are among those left out.
    pub unmeasured: Vec<UnmeasuredFile>,
    /// Number of changed lines of which marks take out all code, also in files that do not count otherwise.
    pub ignored_lines: usize,
    /// The comparison with another state, if one was requested.
    pub comparison: Option<Comparison>,
    /// The authors of missed changed lines, if a page names them.
    pub blame: Option<Blame>,
}

/// A changed file with lines that count.
#[derive(Clone, Debug)]
pub(crate) struct ChangedFile {
    /// Path from the root of the repository.
    pub path: String,
    /// Its earlier path, if that differs.
    pub old_path: Option<String>,
    /// The file is new.
    pub is_new: bool,
    /// Changed lines that count, ascending.
    pub lines: Vec<LineReport>,
    /// Runs of missed changed lines, each by its first and last line. Lines without code do not end a run.
    pub missed: Vec<(u32, u32)>,
    /// Changed lines of which marks take out all code, ascending.
    pub ignored: Vec<u32>,
    /// Statements of the blocks that have code on changed lines.
    pub statements: Coverage,
    /// Functions with changed lines that count.
    pub functions: Vec<ChangedFunction>,
    /// Its text for quotes; `None` if it is unknown.
    pub text: Option<Arc<[u8]>>,
}

/// A changed file with code that the profile lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnmeasuredFile {
    /// Path from the root of the repository.
    pub path: String,
    /// Changed lines with code inside of functions, ascending; at least one.
    pub lines: Vec<u32>,
}

/// A function with changed lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangedFunction {
    /// `Type.method`, or the name of a function.
    pub name: String,
    /// First line of the function.
    pub line: u32,
    /// The file had no function of that name before; `None` when that is unknown.
    pub is_new: Option<bool>,
    /// Changed lines that were executed at least partly, and all that count.
    pub lines: Coverage,
}

/// Changed lines of a file that stand together and were not executed. Lines without code may lie between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct MissedRun<'r> {
    pub(super) file: &'r ChangedFile,
    pub(super) first: u32,
    pub(super) last: u32,
}

impl MissedRun<'_> {
    /// Returns a sentence without a full stop.
    pub(super) fn message(&self) -> &'static str {
        if self.first == self.last {
            "This changed line was not executed"
        } else {
            "These changed lines were not executed"
        }
    }
}

impl DiffReport {
    /// Finds the coverage of the changed lines in a report that has lines.
    #[must_use]
    pub(crate) fn new(report: &Report<'_>, changes: &Changes, filter: &Filter) -> Self {
        let Changes { base, patches, .. } = changes;
        let by_path = by_path(report);
        let mut files = Vec::new();
        let mut left_out = Vec::new();
        let mut unmeasured = Vec::new();
        let mut ignored = 0;
        let judged = on_all_cores(patches, |patch| match &patch.new_path {
            // A file that was replaced by a new one of the same name is listed under the new one.
            None if patches.iter().any(|other| other.new_path == patch.old_path) => None,
            None => Some(Err((patch.old_path.clone().unwrap_or_default(), WhyLeftOut::Deleted, Vec::new()))),
            Some(path) => {
                let file = changed_file(patch, path, &by_path, changes, filter);
                Some(file.map_err(|why| {
                    let lines = match why {
                        WhyLeftOut::NotBuilt => changed_code(patch, changes.texts.get(path)),
                        WhyLeftOut::Marked => {
                            by_path.get(path.as_str()).map_or(Vec::new(), |file| ignored_lines(patch, file))
                        }
                        _ => Vec::new(),
                    };
                    (path.clone(), why, lines)
                }))
            }
        });
        for judged in judged.into_iter().flatten() {
            match judged {
                Ok(file) => {
                    ignored += file.ignored.len();
                    files.push(file);
                }
                Err((path, why, lines)) => {
                    if why == WhyLeftOut::Marked {
                        ignored += lines.len();
                    } else if !lines.is_empty() {
                        unmeasured.push(UnmeasuredFile { path: path.clone(), lines });
                    }
                    left_out.push(LeftOut { path, why });
                }
            }
        }
        files.sort_by(|a, b| {
            let missed = |file: &ChangedFile| file.coverage().total - file.coverage().covered;
            missed(b).cmp(&missed(a)).then_with(|| a.path.cmp(&b.path))
        });
        left_out.sort_by(|a, b| a.path.cmp(&b.path));
        unmeasured.sort_by(|a: &UnmeasuredFile, b| a.path.cmp(&b.path));
        let (head, base) = (report.head.clone(), base.clone());
        let ignored_lines = ignored;
        Self { head, base, files, left_out, unmeasured, ignored_lines, comparison: None, blame: None }
    }

    /// Returns the missed changed lines of each file that has some, by its path.
    #[must_use]
    pub(crate) fn missed_lines(&self) -> Vec<(&str, &[(u32, u32)])> {
        let files = self.files.iter().filter(|file| !file.missed.is_empty());
        files.map(|file| (file.path.as_str(), &file.missed[..])).collect()
    }

    /// Returns the changed lines that were executed at least partly, and all that count.
    #[must_use]
    pub(crate) fn coverage(&self) -> Coverage {
        self.files.iter().map(ChangedFile::coverage).sum()
    }

    /// Returns the covered and all statements of the blocks with changed lines.
    #[must_use]
    pub(crate) fn statements(&self) -> Coverage {
        self.files.iter().map(|file| file.statements).sum()
    }

    /// Returns the missed runs of all files, in the order of the files.
    pub(super) fn missed_runs(&self) -> impl Iterator<Item = MissedRun<'_>> {
        self.files
            .iter()
            .flat_map(|file| file.missed.iter().map(move |&(first, last)| MissedRun { file, first, last }))
    }

    /// Returns the number of changed lines of code that are in no profile.
    pub(crate) fn unmeasured_lines(&self) -> usize {
        self.unmeasured.iter().map(|file| file.lines.len()).sum()
    }

    /// Returns the reason why no changed line counts, in words: nothing changed, or nothing of it was measured.
    pub(crate) fn nothing_counted(&self) -> String {
        match self.unmeasured_lines() {
            0 if self.ignored_lines > 0 => {
                format!("no line that counts changed, {} ignored", count(self.ignored_lines, "changed lines"))
            }
            0 => "no line that counts changed".to_owned(),
            1 => "no changed line was measured (1 line of code is in no profile)".to_owned(),
            lines => format!("no changed line was measured ({lines} lines of code are in no profile)"),
        }
    }

    /// Returns the totals in words.
    #[must_use]
    pub(crate) fn summary(&self) -> String {
        let Coverage { covered, total } = self.coverage();
        if total == 0 {
            return self.nothing_counted();
        }
        let partly =
            self.files.iter().flat_map(|file| &file.lines).filter(|line| line.state() == LineState::Partly);
        let partly = match partly.count() {
            0 => String::new(),
            partly => format!(" ({partly} partly)"),
        };
        let statements = self.statements();
        let with_carry = match self.head.carried {
            Some(_) => ", here or at other commits (--carry)",
            None => "",
        };
        let together = self.head.together.as_ref();
        let together = together.map_or_else(String::new, |it| format!(", together with {}", it.labels()));
        let ignored = match self.head.ignores_marked {
            true => format!("; {} ignored", count(self.ignored_lines, "changed lines")),
            false => String::new(),
        };
        format!(
            "{} of the changed lines were executed: {covered} of {total}{partly}; {} of {} \
             statements{together}{with_carry}{ignored}",
            self.coverage(),
            statements.covered,
            statements.total
        )
    }

    /// Returns the base in words.
    #[must_use]
    pub(crate) fn base_line(&self) -> String {
        match &self.base.commit {
            Some(commit) => format!("base {commit}, {}", self.base.how),
            None => format!("base: {}", self.base.how),
        }
    }
}

impl ChangedFile {
    /// Returns the changed lines that were executed at least partly, and all that count.
    #[must_use]
    pub(crate) fn coverage(&self) -> Coverage {
        lines::coverage(&self.lines)
    }
}
