//! A summary for a pull request or a CI job: the total, its change, the packages, and the files with most uncovered
//! statements.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::forms::{Form, Renderer};
use super::marked::stale;
use super::{Report, text};
use crate::coverage::Coverage;
use crate::gate::{GateResult, Verdict};
use crate::names::printable;
use crate::phrases::count;

pub(super) const FORM: Form =
    Form::new("markdown", "Summary for a pull request or a CI job", Renderer::Report(write));

/// Largest length of the rows. GitHub allows 65,536 characters in a comment on a pull request.
pub(super) const LONGEST: usize = 60_000;
/// Number of files in the list of those with most uncovered statements.
const FILES: usize = 10;
/// More packages than this are folded.
const OPEN_PACKAGES: usize = 15;
/// More gates than this that are met are only counted.
const MET_GATES: usize = 5;

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
    if head.ignores_marked {
        let _ = write!(page, ", {} ignored", report.ignored().total);
    }
    if let Some(change) = text::change(report) {
        let _ = write!(page, ", {}", prose(&change));
    }
    let _ = writeln!(page, ".\n\n{}.", prose(&text::facts(head)));
    if !head.filters.is_empty() {
        let _ = writeln!(page, "\nFilters: {}.", code(&head.filters.join(", ")));
    }
    // A report that needed no source does not mention that it has none.
    let was_read = report.files.iter().any(|file| file.no_source != Some(super::NoSource::NotRead));
    if let Some(missing) = text::what_has_no_source(report).filter(|_| was_read) {
        let _ = writeln!(page, "\n{missing}, still counted.");
    }
    gates(&mut page, &head.verdicts);
    stale_marks(&mut page, report);

    let mut worst: Vec<_> = report.files.iter().filter(|file| missed(file.coverage) > 0).collect();
    worst.sort_by_key(|file| Reverse(missed(file.coverage)));
    if !worst.is_empty() {
        let rows = worst.iter().take(FILES).map(|file| (file.best_path(), file.coverage, file.ignored));
        let _ = writeln!(page, "\n#### Files with most uncovered statements\n");
        table(&mut page, "File", rows, head.ignores_marked);
    }

    let packages = report.packages();
    let folds = packages.len() > OPEN_PACKAGES;
    let _ = match folds {
        true => writeln!(page, "\n<details><summary>{} packages</summary>\n", packages.len()),
        false => writeln!(page, "\n#### Packages\n"),
    };
    let rows = packages.iter().map(|package| (package.name, package.coverage, package.ignored));
    table(&mut page, "Package", rows, head.ignores_marked);
    if folds {
        page.push_str("\n</details>\n");
    }
    page
}

/// Adds the verdicts of gates, the unmet ones first. Several with the same message are one.
pub(super) fn gates(page: &mut String, verdicts: &[Verdict]) {
    if verdicts.is_empty() {
        return;
    }
    page.push_str("\nGates:\n\n");
    for (result, word) in
        [(GateResult::Unmet, "**Not met:** "), (GateResult::NotApplied, ""), (GateResult::Met, "Met: ")]
    {
        let mut messages: Vec<&str> = Vec::new();
        for verdict in verdicts.iter().filter(|verdict| verdict.result == result) {
            if !messages.contains(&&*verdict.message) {
                messages.push(&verdict.message);
            }
        }
        if result == GateResult::Met && messages.len() > MET_GATES {
            let _ = writeln!(page, "- {word}{}", count(messages.len(), "gates"));
            continue;
        }
        for (index, message) in messages.iter().enumerate() {
            let line = format!("- {word}{}\n", prose(message));
            if page.len() + line.len() > LONGEST {
                let _ = writeln!(page, "- {word}{} more", messages.len() - index);
                break;
            }
            page.push_str(&line);
        }
    }
}

/// Adds the marks that need a look.
fn stale_marks(page: &mut String, report: &Report<'_>) {
    let marks: Vec<String> = stale(report.marks()).collect();
    if marks.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n<details><summary>{}</summary>\n", count(marks.len(), "stale marks"));
    for (index, mark) in marks.iter().enumerate() {
        let line = format!("- {}\n", prose(mark));
        if page.len() + line.len() > LONGEST {
            let _ = writeln!(page, "- and {} more", marks.len() - index);
            break;
        }
        page.push_str(&line);
    }
    page.push_str("\n</details>\n");
}

/// Adds a table of coverage, with a column of the statements that marks take out if these do.
fn table<'t>(
    page: &mut String,
    what: &str,
    rows: impl ExactSizeIterator<Item = (&'t str, Coverage, Coverage)>,
    ignores_marked: bool,
) {
    let (head, line) = if ignores_marked { (" Ignored |", "---:|") } else { ("", "") };
    let _ = writeln!(page, "| {what} | Coverage | Covered | Uncovered |{head}\n|:---|---:|---:|---:|{line}");
    let all = rows.len();
    for (index, (name, coverage, ignored)) in rows.enumerate() {
        let mut row = format!(
            "| {} | {coverage} | {} of {} | {} |",
            code(name),
            coverage.covered,
            coverage.total,
            missed(coverage)
        );
        if ignores_marked {
            let _ = write!(row, " {} |", ignored.total);
        }
        row.push('\n');
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

/// Returns a sentence with names from outside, such as that of a branch: escaped, and without links and mentions, which
/// GitHub and GitLab make of the finished text. An empty comment ends the text that they look at.
pub(super) fn prose(text: &str) -> String {
    const BREAK: &str = "<!-- -->";
    let mut safe =
        escaped(text).replace("://", &format!(":{BREAK}//")).replace("www.", &format!("www{BREAK}."));
    for sign in ['@', '#', '!', '~', '$', '&'] {
        let code = format!("&#{};", u32::from(sign));
        safe = safe.replace(&code, &format!("{code}{BREAK}"));
    }
    safe
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

#[cfg(test)]
mod tests {
    use super::super::testing::{PROFILE, SOURCES, with_report};
    use super::*;
    use crate::gate::Requirement;

    fn verdict(result: GateResult, message: &str) -> Verdict {
        let gate = Requirement::FailUnder;
        Verdict { gate, result, figure: None, threshold: 80.0, message: message.to_owned() }
    }

    fn gates_of(verdicts: Vec<Verdict>) -> String {
        let page = with_report(PROFILE, &SOURCES, |mut report| {
            report.head.verdicts = verdicts;
            summary(&report)
        });
        let gates = page.split_once("\nGates:\n\n").map_or("", |(_, after)| after);
        gates.split("\n\n").next().unwrap_or_default().to_owned()
    }

    #[test]
    fn unmet_gates_stand_first_and_each_message_once() {
        assert_eq!(gates_of(Vec::new()), "");
        let few = "2 changed lines, gate not applied";
        let verdicts = vec![
            verdict(GateResult::Met, "1 replica answered"),
            verdict(GateResult::NotApplied, few),
            verdict(GateResult::NotApplied, few),
            verdict(GateResult::Unmet, "50% of <b> is below 80%"),
        ];
        assert_eq!(
            gates_of(verdicts),
            format!("- **Not met:** 50% of &#60;b&#62; is below 80%\n- {few}\n- Met: 1 replica answered")
        );
    }

    #[test]
    fn names_in_sentences_are_neither_mentions_nor_links() {
        let message =
            "no commit before it on branch @team/fix#12 https://evil.example www.evil.example !3 a@b.c";
        assert_eq!(
            gates_of(vec![verdict(GateResult::NotApplied, message)]),
            "- no commit before it on branch &#64;<!-- -->team/fix&#35;<!-- -->12 https:<!-- -->//evil.example \
             www<!-- -->.evil.example &#33;<!-- -->3 a&#64;<!-- -->b.c"
        );
    }

    #[test]
    fn many_gates_that_are_met_are_counted() {
        let met = |number| (0..number).map(|n| verdict(GateResult::Met, &format!("package {n}"))).collect();
        assert_eq!(gates_of(met(5)).lines().count(), 5);
        assert_eq!(gates_of(met(6)), "- Met: 6 gates");
    }

    #[test]
    fn a_page_of_gates_is_no_longer_than_a_comment_may_be() {
        let unmet =
            (0..1_000).map(|n| verdict(GateResult::Unmet, &format!("package {n} {}", "x".repeat(200))));
        let gates = gates_of(unmet.collect());
        assert!(gates.len() < LONGEST, "{}", gates.len());
        assert!(gates.ends_with(" more"), "{gates}");
    }
}
