//! The marks in the source as a page shows them: the number of statements that they take out, stale marks, and the lines with
//! their reasons.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::json_in_markup;
use crate::names::printable;
use crate::phrases::count;
use crate::report::marked::listed;
use crate::report::{FileReport, Report};

/// The marks of a report.
pub(super) struct PageMarks {
    /// Number of statements that they take out.
    pub(super) statements: u64,
    /// Number of marks in words.
    pub(super) marks: String,
    pub(super) stale: Vec<StaleMark>,
    /// Number of stale marks in words.
    pub(super) stale_words: String,
    /// A [`Document`] for the script.
    pub(super) json: String,
}

/// A stale mark.
pub(super) struct StaleMark {
    /// Its file and line.
    pub(super) place: String,
    pub(super) problem: String,
}

#[derive(Serialize)]
struct Document {
    /// The lines and statements that marks take out of each file, by its index in the page.
    files: BTreeMap<usize, IgnoredLines>,
    /// File and line of each stale mark.
    stale: Vec<(usize, u32)>,
}

#[derive(Serialize)]
struct IgnoredLines {
    statements: u64,
    /// First line, last line and reason of each run of lines.
    lines: Vec<(u32, u32, String)>,
}

impl PageMarks {
    /// Returns the marks of a report; `None` if they mean nothing in it. `files` are those of the page, in its order.
    pub(super) fn new(report: &Report<'_>, files: &[&FileReport<'_>]) -> io::Result<Option<Self>> {
        if !report.head.ignores_marked {
            return Ok(None);
        }
        let shown = |text: &str| printable(text).into_owned();
        let ignored = |file: &FileReport<'_>| IgnoredLines {
            statements: file.ignored.total,
            lines: file
                .ignored_runs()
                .into_iter()
                .map(|(first, last, why)| (first, last, shown(why)))
                .collect(),
        };
        let with_marks = || files.iter().enumerate().filter(|(_, file)| file.marked.is_some());
        let marks = || {
            with_marks().flat_map(|(at, file)| {
                listed(file.best_path(), file.marked.as_deref()).map(move |mark| (at, mark))
            })
        };
        let faults = || marks().filter_map(|(at, listed)| Some((at, listed, listed.mark.problem()?)));
        let stale: Vec<StaleMark> = faults()
            .map(|(_, listed, problem)| StaleMark {
                place: shown(&format!("{}:{}", listed.file, listed.mark.line)),
                problem: problem.to_string(),
            })
            .collect();
        let document = Document {
            files: with_marks().map(|(at, file)| (at, ignored(file))).collect(),
            stale: faults().map(|(at, listed, _)| (at, listed.mark.line)).collect(),
        };
        Ok(Some(Self {
            statements: report.ignored().total,
            marks: count(marks().count(), "marks"),
            stale_words: count(stale.len(), "stale marks"),
            stale,
            json: json_in_markup(&document)?,
        }))
    }
}
