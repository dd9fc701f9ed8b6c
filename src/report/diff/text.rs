//! The report of changes for people: the totals, the worst files first, and the missed lines with the lines around
//! them.

use std::io::{self, Write};

use super::super::forms::{Form, FormNeed, Renderer};
use anstyle::{AnsiColor, Style};
use memchr::memchr_iter;

use super::super::text::{TextLayout, color, facts, range};
use super::{ChangedFile, Comparison, DiffReport, LineCategory, LineState};
use crate::names::printable;

pub(in crate::report) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines, FormNeed::Changes],
    ..Form::new(
        "diff",
        "Lines that changed since --base, and whether they were executed, for people",
        Renderer::Changes(write),
    )
};

/// Number of lines shown before and after missed ones.
const AROUND: u32 = 1;
/// Largest number of lines shown of one run.
const LONGEST_RUN: u32 = 12;

pub(super) fn write(diff: &DiffReport, layout: TextLayout, out: &mut dyn Write) -> io::Result<()> {
    let head = &diff.head;
    writeln!(out, "{}", styled(layout, Style::new().bold(), &printable(&head.service)))?;
    writeln!(out, "{}", facts(head))?;
    writeln!(out, "{}", printable(&diff.base_line()))?;
    if !head.filters.is_empty() {
        writeln!(out, "{}", printable(&head.filters.join(", ")))?;
    }
    for file in &diff.files {
        writeln!(out)?;
        self::file(file, layout, out)?;
    }
    if !diff.left_out.is_empty() {
        writeln!(out, "\nchanged and not counted:")?;
        for left_out in &diff.left_out {
            writeln!(out, "  {}: {}", printable(&left_out.path), left_out.why)?;
        }
    }
    if let Some(comparison) = &diff.comparison {
        self::comparison(comparison, layout, out)?;
    }
    let color = color(diff.coverage());
    writeln!(out, "\n{}", styled(layout, color.on_default(), &diff.summary()))
}

fn comparison(comparison: &Comparison, layout: TextLayout, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\nagainst {}:", printable(&comparison.with))?;
    for category in LineCategory::ALL {
        let number = comparison.number(category);
        if number > 0 {
            let line = format!("  {number:>7} {} {}", category.name(), category.meaning());
            let style =
                if category == LineCategory::Lbc { AnsiColor::Red.on_default() } else { Style::new() };
            writeln!(out, "{}", styled(layout, style, &line))?;
        }
    }
    let most = layout.most_ranges.unwrap_or(usize::MAX);
    let lost = || comparison.files.iter().filter(|file| !file.lost.is_empty());
    for file in lost().take(most) {
        writeln!(out, "  lost in {}: {}", printable(&file.path), runs(&file.lost))?;
    }
    match lost().skip(most).count() {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more files (--all)"),
    }
}

/// Returns numbers in which neighbours are joined: `3-5 9`.
fn runs(lines: &[u32]) -> String {
    let runs = lines.chunk_by(|a, b| a + 1 == *b).map(|run| range(run[0], run[run.len() - 1]));
    runs.collect::<Vec<_>>().join(" ")
}

fn file(file: &ChangedFile, layout: TextLayout, out: &mut dyn Write) -> io::Result<()> {
    let coverage = file.coverage();
    let from = match (&file.old_path, file.is_new) {
        (Some(old), _) => format!(", was {}", printable(old)),
        (None, true) => ", new".to_owned(),
        (None, false) => String::new(),
    };
    let path = printable(&file.path);
    let path = styled(layout, Style::new().bold(), &path);
    writeln!(out, "{path}: {} of {} changed lines{from}", coverage.covered, coverage.total)?;
    for function in file.functions.iter().filter(|function| function.lines.covered < function.lines.total) {
        let kind = if function.is_new == Some(true) { "new" } else { "changed" };
        let lines = function.lines;
        let name = printable(&function.name);
        writeln!(out, "  {kind} func {name}: {} of {}", lines.covered, lines.total)?;
    }
    let most = layout.most_ranges.unwrap_or(usize::MAX);
    let shown = &file.missed[..file.missed.len().min(most)];
    let last_shown = shown.last().map_or(0, |(_, last)| last.saturating_add(AROUND));
    let lines = file.text.as_deref().map(|text| first_lines(text, last_shown as usize));
    for &missed in shown {
        run(file, lines.as_deref(), missed, layout, out)?;
    }
    match file.missed.len() - shown.len() {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more places (--all)"),
    }
}

fn first_lines(text: &[u8], most: usize) -> Vec<&[u8]> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let mut begin = 0;
    let ends = memchr_iter(b'\n', text).chain([text.len()]).take(most);
    ends.map(|end| &text[std::mem::replace(&mut begin, end + 1)..end]).collect()
}

fn run(
    file: &ChangedFile,
    lines: Option<&[&[u8]]>,
    (first, last): (u32, u32),
    layout: TextLayout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(lines) = lines else { return writeln!(out, "    {}", range(first, last)) };
    let most = if layout.most_ranges.is_some() { LONGEST_RUN } else { u32::MAX };
    let shown = last.min(first.saturating_add(most - 1));
    let until = if shown < last { shown } else { last.saturating_add(AROUND) };
    writeln!(out)?;
    for number in first.saturating_sub(AROUND).max(1)..=until {
        let Some(text) = lines.get(number as usize - 1) else { break };
        let text = String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text)).replace('\t', "    ");
        let text = printable(&text);
        let state = file.lines.iter().find(|line| line.line == number).map(super::LineReport::state);
        let (sign, style) = match state {
            Some(LineState::Missed) => ('!', AnsiColor::Red.on_default()),
            Some(LineState::Partly) => ('~', AnsiColor::Yellow.on_default()),
            Some(LineState::Hit) => ('+', AnsiColor::Green.on_default()),
            None => (' ', Style::new()),
        };
        writeln!(out, "  {}", styled(layout, style, format!("{number:>6} {sign} {text}").trim_end()))?;
    }
    if shown < last {
        writeln!(out, "         ... to line {last}")?;
    }
    Ok(())
}

fn styled(layout: TextLayout, style: Style, text: &str) -> String {
    if layout.has_color { format!("{style}{text}{style:#}") } else { text.to_owned() }
}
