//! A summary for a pull request or a CI job: the total, its change, the packages, and the files with most uncovered
//! statements.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::forms::{Form, Renderer};
use super::{Report, text};
use crate::coverage::Coverage;
use crate::names::printable;

pub(super) const FORM: Form =
    Form::new("markdown", "Summary for a pull request or a CI job", Renderer::Report(write));

/// Largest length of the rows. GitHub allows 65,536 characters in a comment on a pull request.
pub(super) const LONGEST: usize = 60_000;
/// Number of files in the list of those with most uncovered statements.
const FILES: usize = 10;
/// More packages than this are folded.
const OPEN_PACKAGES: usize = 15;

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(summary(report).as_bytes())
}

fn summary(report: &Report<'_>) -> String {
    let head = &report.head;
    let coverage = report.coverage();
    let mut page = String::new();
    let name = code(&head.service);
    let _ = writeln!(page, "### Coverage of {name}: {coverage}\n");
    let _ = write!(page, "**{} of {} statements**", coverage.covered, coverage.total);
    if let Some(change) = text::change(report) {
        let _ = write!(page, ", {}", escaped(&change));
    }
    let _ = writeln!(page, ".\n\n{}.", escaped(&text::facts(head)));
    if !head.filters.is_empty() {
        let _ = writeln!(page, "\nFilters: {}.", code(&head.filters.join(", ")));
    }
    // A report that needed no source does not mention that it has none.
    let was_read = report.files.iter().any(|file| file.no_source != Some(super::NoSource::NotRead));
    if let Some(missing) = text::what_has_no_source(report).filter(|_| was_read) {
        let _ = writeln!(page, "\n{missing}, still counted.");
    }

    let mut worst: Vec<_> = report.files.iter().filter(|file| missed(file.coverage) > 0).collect();
    worst.sort_by_key(|file| Reverse(missed(file.coverage)));
    if !worst.is_empty() {
        let rows = worst.iter().take(FILES).map(|file| (file.best_path(), file.coverage));
        let _ = writeln!(page, "\n#### Files with most uncovered statements\n");
        table(&mut page, "File", rows);
    }

    let packages = report.packages();
    let folds = packages.len() > OPEN_PACKAGES;
    let _ = match folds {
        true => writeln!(page, "\n<details><summary>{} packages</summary>\n", packages.len()),
        false => writeln!(page, "\n#### Packages\n"),
    };
    table(&mut page, "Package", packages.iter().map(|package| (package.name, package.coverage)));
    if folds {
        page.push_str("\n</details>\n");
    }
    page
}

fn table<'t>(page: &mut String, what: &str, rows: impl ExactSizeIterator<Item = (&'t str, Coverage)>) {
    let _ = writeln!(page, "| {what} | Coverage | Covered | Uncovered |\n|:---|---:|---:|---:|");
    let all = rows.len();
    for (index, (name, coverage)) in rows.enumerate() {
        let row = format!(
            "| {} | {coverage} | {} of {} | {} |\n",
            code(name),
            coverage.covered,
            coverage.total,
            missed(coverage)
        );
        if page.len() + row.len() > LONGEST {
            let _ = writeln!(page, "\n{} more are not shown here.", all - index);
            return;
        }
        page.push_str(&row);
    }
}

fn missed(coverage: Coverage) -> u64 {
    coverage.total - coverage.covered
}

/// Returns a name as code in HTML, because Markdown's backquotes cannot contain a backquote or a `|`.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(if text.is_empty() { "." } else { text }))
}

/// Returns a text in which all markup of Markdown and HTML is escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '/' | '.' | '-' | ',' | '(' | ')' | '+' | '%' | ':' => {
                safe.push(c);
            }
            c if c.is_alphanumeric() => safe.push(c),
            c => {
                let _ = write!(safe, "&#{};", u32::from(c));
            }
        }
    }
    safe
}
