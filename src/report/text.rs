//! The report for people: packages and their files, with their coverage and their missed lines.

use std::cmp::Reverse;
use std::io::{self, Write};

use super::forms::{Form, FormNeed, Renderer};
use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::marked::stale;
use super::model::shown_package;
use super::{FileReport, PackageReport, Report, ReportHead, counted_words, missed_line_ranges, shares};
use crate::coverage::Coverage;
use crate::names::printable;
use crate::phrases::{replicas, rows};
use crate::time::{minute, span};

pub(super) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines],
    ..Form::new(
        "text",
        "Packages and files for people, with the lines that are not covered",
        Renderer::Text(write),
    )
};

/// The layout of the reports for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextLayout {
    /// Order of packages and files.
    pub order: FileOrder,
    /// Largest number of files; `None` for all.
    pub most_files: Option<usize>,
    /// Largest number of runs of missed lines for a changed file; `None` for all.
    pub most_ranges: Option<usize>,
    /// Columns of the terminal; `None` when lines need not be cut.
    pub width: Option<usize>,
    /// The text has colours, by escapes of the terminal.
    pub has_color: bool,
}

/// Order of packages and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FileOrder {
    /// Files in order of import path.
    #[default]
    Name,
    /// Files with the lowest percentage first.
    Percent,
    /// Files with most statements that were not executed first.
    Uncovered,
}

/// Number of cells of a bar.
const BAR: usize = 10;
/// Columns before the name: percentage, bar, statements.
const FIGURES: usize = 7 + 1 + BAR + 1 + 13 + 2;
/// Largest width to which names are padded, so that one long name does not push all line numbers away.
const LONGEST_NAME: usize = 48;
/// Smallest room for line numbers; in less room none are shown.
const FEWEST_RANGES: usize = 8;

/// Returns one line with service, commit, time and age of the data, replicas, and the filters.
pub(super) fn headline(head: &ReportHead) -> String {
    line_of(head, &facts(head))
}

/// Returns one line with service, commit, row and filters, for forms that are stored or compared.
///
/// The line lacks the age of the data and the replicas, because both change while the row stays the same.
pub(super) fn row_line(head: &ReportHead, commit: &str) -> String {
    line_of(head, &row_facts(head, commit).join(", "))
}

/// Returns the [`row_line`] of a report with its full commit and the files without source.
pub(super) fn row_and_source_line(report: &Report<'_>) -> String {
    let mut line = row_line(&report.head, report.head.best_commit());
    if let Some(missing) = what_has_no_source(report) {
        line.push_str(", ");
        line.push_str(&missing);
    }
    line
}

fn line_of(head: &ReportHead, facts: &str) -> String {
    let mut line = format!("{}: {facts}", printable(&head.service));
    if !head.filters.is_empty() {
        line.push_str(", ");
        line.push_str(&printable(&head.filters.join(", ")));
    }
    line
}

/// Returns the facts about the data: commit, row, time and age, replicas, what is carried, and the apps that a group lacks.
pub(super) fn facts(head: &ReportHead) -> String {
    let mut facts = row_facts(head, head.best_commit());
    let age = span(head.age);
    facts.push(match head.confirmed_at {
        Some(_) => format!("confirmed {age} ago"),
        None => format!("{age} old"),
    });
    if let Some((answered, known)) = head.replicas {
        facts.push(replicas(answered, known));
    }
    facts.extend(counted_words(head.together.as_ref(), head.carried.as_ref()));
    let missing = head.group.iter().flat_map(|group| &group.missing);
    facts.extend(missing.map(|missing| format!("without {}", printable(&missing.app))));
    facts.join(", ")
}

/// Returns the facts that stay true as long as the row exists.
fn row_facts(head: &ReportHead, commit: &str) -> Vec<String> {
    let commit = (!commit.is_empty()).then(|| format!("commit {}", printable(commit)));
    let row = [rows(&head.rows()), format!("stored {}", minute(head.stored_at))];
    commit.into_iter().chain(row).collect()
}

/// Returns the number of files without source and of their statements, in words; `None` when all files have source.
pub(super) fn what_has_no_source(report: &Report<'_>) -> Option<String> {
    let missing: Vec<&FileReport<'_>> = report.files.iter().filter(|file| file.no_source.is_some()).collect();
    let statements: u64 = missing.iter().map(|file| file.coverage.total).sum();
    let files = if missing.len() == 1 { "1 file".to_owned() } else { format!("{} files", missing.len()) };
    (!missing.is_empty())
        .then(|| format!("no source for {files} ({statements} of {} statements)", report.coverage().total))
}

pub(super) fn write(report: &Report<'_>, layout: TextLayout, out: &mut dyn Write) -> io::Result<()> {
    if let Some(unused) = &report.unused {
        return unused.write_text(report, out);
    }
    let head = &report.head;
    writeln!(out, "{}", styled(layout, Style::new().bold(), &printable(&head.service)))?;
    writeln!(out, "{}", facts(head))?;
    if !head.filters.is_empty() {
        writeln!(out, "{}", printable(&head.filters.join(", ")))?;
    }
    writeln!(out)?;

    let mut packages = report.packages();
    packages.sort_by_key(|package| rank(layout.order, package.coverage));
    for package in &mut packages {
        package.files.sort_by_key(|file| rank(layout.order, file.coverage));
    }
    let all = report.files.len();
    let shown = keep_first(&mut packages, layout.most_files.unwrap_or(usize::MAX));
    let longest = packages.iter().flat_map(|package| &package.files).map(|file| file.base_name().width());
    let name_width = longest.max().unwrap_or(0).min(LONGEST_NAME);
    for package in &packages {
        let name = shown_package(package.name);
        figures(package.coverage, layout, out)?;
        let name = styled(layout, Style::new().bold(), &printable(name));
        writeln!(out, "{name}{}", ignored(package.ignored, ", "))?;
        for file in &package.files {
            line(file, name_width, layout, out)?;
        }
    }
    match all - shown {
        0 => {}
        1 => writeln!(out, "\n1 more file is not shown (--limit 0 shows all)")?,
        more => writeln!(out, "\n{more} more files are not shown (--limit 0 shows all)")?,
    }
    writeln!(out)?;
    figures(report.coverage(), layout, out)?;
    write!(out, "total")?;
    if head.ignores_marked {
        write!(out, ", {} ignored", report.ignored().total)?;
    }
    if let Some(change) = change(report) {
        write!(out, ", {change}")?;
    }
    writeln!(out)?;
    if let Some(missing) = what_has_no_source(report) {
        writeln!(out, "{missing}, still counted")?;
    }
    let stale: Vec<String> = stale(report.marks()).collect();
    if !stale.is_empty() {
        writeln!(out, "\nstale marks:")?;
    }
    for mark in stale {
        writeln!(out, "  {}", printable(&mark))?;
    }
    shares::write(report, layout, out)
}

/// Returns the change since the previous row, in words.
pub(super) fn change(report: &Report<'_>) -> Option<String> {
    let previous = report.head.previous.as_ref()?;
    let before = previous.coverage?;
    let is_of_other_commit = !previous.commit.is_empty() && previous.commit != report.head.commit;
    let of = if is_of_other_commit {
        format!(" of commit {}", printable(&previous.commit))
    } else {
        String::new()
    };
    // A filtered report cannot be compared with the whole previous row.
    report.head.filters.is_empty().then(|| match report.coverage().since(before).to_string().as_str() {
        "=" => format!("as in row {}{of}", previous.row),
        delta => format!("{delta} since row {}{of} ({before})", previous.row),
    })
}

/// Returns a sort key. Equal entries stay in order of names.
pub(super) fn rank(order: FileOrder, coverage: Coverage) -> impl Ord {
    let missing = Reverse(coverage.total - coverage.covered);
    match order {
        FileOrder::Name => (0, Reverse(0)),
        // One part in 2^40 is exact enough for the order.
        FileOrder::Percent => {
            ((u128::from(coverage.covered) << 40) / u128::from(coverage.total.max(1)), missing)
        }
        FileOrder::Uncovered => (0, missing),
    }
}

/// Keeps the first files and the packages that still have some; returns the number of kept files.
fn keep_first(packages: &mut Vec<PackageReport<'_, '_>>, most: usize) -> usize {
    let mut left = most;
    for package in packages.iter_mut() {
        package.files.truncate(left);
        left -= package.files.len();
    }
    packages.retain(|package| !package.files.is_empty());
    packages.iter().map(|package| package.files.len()).sum()
}

fn line(file: &FileReport<'_>, name_width: usize, layout: TextLayout, out: &mut dyn Write) -> io::Result<()> {
    figures(file.coverage, layout, out)?;
    let name = printable(file.base_name());
    let padding = name_width.saturating_sub(name.width());
    let ignored = ignored(file.ignored, "  ");
    let used = FIGURES + 2 + name.width() + padding + ignored.len() + 2;
    let room = layout.width.map(|width| width.saturating_sub(used));
    let ranges = ranges(file, room);
    if ranges.is_empty() && ignored.is_empty() {
        return writeln!(out, "  {name}");
    }
    write!(out, "  {name}{:padding$}{ignored}", "")?;
    match ranges.is_empty() {
        true => writeln!(out),
        false => writeln!(out, "  {}", styled(layout, AnsiColor::Red.on_default(), &ranges)),
    }
}

/// Returns the number of statements that marks take out, with a separator before it; empty if there are none.
fn ignored(ignored: Coverage, separator: &str) -> String {
    match ignored.total {
        0 => String::new(),
        number => format!("{separator}{number} ignored"),
    }
}

fn figures(coverage: Coverage, layout: TextLayout, out: &mut dyn Write) -> io::Result<()> {
    let style = color(coverage).on_default();
    // The bar is full only if all is covered, and empty only if nothing is.
    let full = match (coverage.covered, coverage.total) {
        (0, _) => 0,
        (covered, total) => {
            usize::try_from(u128::from(covered) * BAR as u128 / u128::from(total)).unwrap_or(BAR).max(1)
        }
    };
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
    let statements = format!("{}/{}", coverage.covered, coverage.total);
    let (percent, bar) = (styled(layout, style, &format!("{coverage:>7}")), styled(layout, style, &bar));
    write!(out, "{percent} {bar} {statements:>13}  ")
}

/// Returns the colour of a percentage: green, yellow or red.
pub(super) fn color(coverage: Coverage) -> AnsiColor {
    match coverage.percent() {
        _ if coverage.total == 0 => AnsiColor::White,
        percent if percent >= 80.0 => AnsiColor::Green,
        percent if percent >= 60.0 => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    }
}

/// Returns the missed lines, as many as there is room for.
fn ranges(file: &FileReport<'_>, room: Option<usize>) -> String {
    let room = room.unwrap_or(usize::MAX);
    if room < FEWEST_RANGES {
        return String::new();
    }
    let mut text = String::new();
    for (first, last) in missed_line_ranges(&file.lines, &file.ignored_lines) {
        let range = range(first, last);
        let comma = if text.is_empty() { "" } else { " " };
        // Two columns stay free for the sign that more follow.
        if text.len() + comma.len() + range.len() + 2 > room {
            text.push_str(" …");
            break;
        }
        text.push_str(comma);
        text.push_str(&range);
    }
    text
}

/// Returns a range of lines as `3-5`, or as `3` for one line.
pub(super) fn range(first: u32, last: u32) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

pub(super) fn styled(layout: TextLayout, style: Style, text: &str) -> String {
    if layout.has_color { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::testing::written_with;
    use super::*;

    #[test]
    fn lines_fit_the_terminal_and_colours_are_asked_for() {
        let mut profile = "mode: set\n".to_owned();
        for line in (2..198).step_by(2) {
            let hit = line / 2 % 2;
            let _ = write!(profile, "m/a.go:{line}.1,{line}.9 1 0\nm/a.go:{line}.9,{line}.20 1 {hit}\n");
        }
        let layout = TextLayout { width: Some(60), has_color: true, ..TextLayout::default() };
        let text = written_with(layout, "text", &profile, &[None]);
        let line = text.lines().find(|line| line.contains("a.go")).unwrap();
        let plain = "  25.0% ██░░░░░░░░        49/196    a.go  4 8 12 16 20 24 …";
        assert!(line.contains("\u{1b}[31m") && plain.chars().count() <= 60, "{line:?}");
        let mut without = line.to_owned();
        for escape in ["\u{1b}[31m", "\u{1b}[0m"] {
            without = without.replace(escape, "");
        }
        assert_eq!(without, plain);
    }
}
