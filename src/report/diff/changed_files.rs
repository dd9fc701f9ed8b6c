//! The changed files of a report, with the lines, statements and functions that count.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::rules::{WhyLeftOut, is_ignored, rule_of_path};
use super::{ChangedFile, ChangedFunction, ChangedText, Changes};
use crate::code::gosrc::CodeLines;
use crate::code::patch::{FilePatch, WhyUnread};
use crate::coverage::Coverage;
use crate::filter::{Filter, FilteredFile};
use crate::report::functions::block_coverage;
use crate::report::lines::{self, LineReport};
use crate::report::{FileReport, Report};

/// Returns the files of a report by their paths. Symbolic links can make one file compile under several names; then a
/// line counts as executed if it was executed under any of them.
pub(super) fn by_path<'r>(report: &'r Report<'_>) -> HashMap<&'r str, Cow<'r, FileReport<'r>>> {
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

pub(super) fn changed_file(
    changed: &FilePatch,
    path: &str,
    by_path: &HashMap<&str, Cow<'_, FileReport<'_>>>,
    diff: &Changes,
    filter: &Filter,
) -> Result<ChangedFile, WhyLeftOut> {
    match rule_of_path(path) {
        Some(WhyLeftOut::NotGo) => return Err(WhyLeftOut::NotGo),
        _ if changed.unread == Some(WhyUnread::Binary) => {
            let is_text = diff.texts.get(path).is_some_and(|text| !text.text.contains(&0));
            return Err(if is_text { WhyLeftOut::NoDiff } else { WhyLeftOut::Binary });
        }
        Some(why) => return Err(why),
        None if changed.unread == Some(WhyUnread::TooLarge) => return Err(WhyLeftOut::TooLarge),
        None => {}
    }
    let text = diff.texts.get(path);
    let scanned = text.and_then(|text| text.scanned.as_ref().ok());
    let known = by_path.get(path);
    if scanned.map_or(known.is_some_and(|file| file.is_generated), |scanned| scanned.is_generated) {
        return Err(WhyLeftOut::Generated);
    }
    let name = known.map_or(path, |file| file.name);
    if !filter.takes(FilteredFile { name, path: Some(path), is_generated: false, is_in_commit: true }) {
        return Err(WhyLeftOut::Excluded);
    }
    let Some(file) = known else {
        if text.is_none() {
            return Err(WhyLeftOut::NotInCommit);
        }
        let has_functions = scanned.is_none_or(|scanned| !scanned.functions.is_empty());
        return Err(match has_functions {
            true if is_ignored(path) => WhyLeftOut::Ignored,
            true => WhyLeftOut::NotBuilt,
            false => WhyLeftOut::NoStatements,
        });
    };
    if scanned.is_some_and(|scanned| scanned.has_moved_lines) {
        return Err(WhyLeftOut::MovedLines);
    }
    let lines: Vec<LineReport> =
        file.lines.iter().copied().filter(|line| changed.has_added(line.line)).collect();
    let ignored = ignored_lines(changed, file);
    if lines.is_empty() {
        return Err(if ignored.is_empty() { WhyLeftOut::NoCodeChanged } else { WhyLeftOut::Marked });
    }
    let code = text.zip(scanned).map(|(text, scanned)| CodeLines::new(&text.text, scanned));
    Ok(ChangedFile {
        path: path.to_owned(),
        old_path: changed.old_path.clone().filter(|old| old != path),
        is_new: changed.old_path.is_none(),
        functions: changed_functions(file, &lines, changed, diff.functions_before.get(path)),
        missed: missed(file, changed),
        ignored,
        statements: statements_on(file, &lines, code.as_ref()),
        lines,
        text: text.map(|text| Arc::clone(&text.text)),
    })
}

/// Returns the changed lines of which marks take out all code.
pub(super) fn ignored_lines(changed: &FilePatch, file: &FileReport<'_>) -> Vec<u32> {
    file.ignored_lines.iter().copied().filter(|line| changed.has_added(*line)).collect()
}

/// Returns the changed lines with code inside of functions, in a file for which the profile has no blocks. A line that
/// only begins a function has no statement.
pub(super) fn changed_code(changed: &FilePatch, text: Option<&ChangedText>) -> Vec<u32> {
    let added = changed.added().flat_map(|(first, end)| first..end);
    let Some((text, Ok(scanned))) = text.map(|text| (&text.text, &text.scanned)) else {
        return added.collect();
    };
    let code = CodeLines::new(text, scanned);
    let is_in_function = |line: u32| {
        // The numbers that `//line` comments set are not those of the text.
        scanned.has_moved_lines
            || scanned.functions.iter().any(|function| {
                let (first, last) = (function.start.0, function.end.0);
                line <= last && (line > first || line == first && first == last)
            })
    };
    added.filter(|line| is_in_function(*line) && code.has_code(*line, 1, u32::MAX)).collect()
}

/// Returns runs of changed lines that were not executed. A run ends at another line with code, at a larger gap without
/// code, and at the end of a function.
fn missed(file: &FileReport<'_>, patch: &FilePatch) -> Vec<(u32, u32)> {
    const GAP: u32 = 4;
    let is_missed = |line: &LineReport| line.hit_blocks == 0 && patch.has_added(line.line);
    let function_of = |line: u32| file.functions.partition_point(|function| function.extent.end.0 < line);
    file.lines
        .chunk_by(|a, b| {
            is_missed(a) == is_missed(b)
                && b.line - a.line <= GAP
                && !lines::has_between(&file.ignored_lines, a.line, b.line)
                && function_of(a.line) == function_of(b.line)
        })
        .filter(|run| is_missed(&run[0]))
        .map(|run| (run[0].line, run[run.len() - 1].line))
        .collect()
}

/// Sums the statements of the blocks that have code on some of these lines.
fn statements_on(file: &FileReport<'_>, lines: &[LineReport], code: Option<&CodeLines<'_>>) -> Coverage {
    let blocks = file.blocks.iter().zip(&*file.counts).filter(|(block, _)| block.statements > 0);
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
