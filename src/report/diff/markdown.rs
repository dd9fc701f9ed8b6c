//! A comment for a pull request: the coverage of the changed lines, and the missed lines of each file.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::super::ReportHead;
use super::super::forms::{Form, FormNeed, Renderer};
use super::super::markdown::{LONGEST, code, escaped, gates, prose};
use super::super::text::{facts, range};
use super::{ChangedFile, DiffReport, LineCategory};

pub(in crate::report) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines, FormNeed::Changes],
    ..Form::new(
        "diff-markdown",
        "Changed lines as a comment for a pull request",
        Renderer::Changes(|diff, _, out| write(diff, out)),
    )
};

/// More files than this are folded.
const OPEN_FILES: usize = 10;
/// Largest number of runs of missed lines for a file.
const MOST_RANGES: usize = 20;

pub(super) fn write(diff: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(comment(diff).as_bytes())
}

fn comment(diff: &DiffReport) -> String {
    let head = &diff.head;
    let mut page = marker(head);
    let title = match diff.coverage().total {
        0 if diff.unmeasured.is_empty() => "no code changed".to_owned(),
        0 => "nothing measured".to_owned(),
        _ => diff.coverage().to_string(),
    };
    let _ = writeln!(page, "### Coverage of changed lines: {title}\n");
    let _ = writeln!(page, "{}.\n", prose(&diff.summary()));
    let _ = writeln!(page, "{}: {}; {}.", code(&head.service), prose(&facts(head)), prose(&diff.base_line()));
    if !head.filters.is_empty() {
        let _ = writeln!(page, "\nFilters: {}.", code(&head.filters.join(", ")));
    }
    gates(&mut page, &head.verdicts);
    if !diff.files.is_empty() {
        let folds = diff.files.len() > OPEN_FILES;
        if folds {
            let _ = writeln!(page, "\n<details><summary>{} files</summary>", diff.files.len());
        }
        let _ = writeln!(page, "\n| File | Lines | Covered | Missed lines |\n|:---|---:|---:|:---|");
        for (index, file) in diff.files.iter().enumerate() {
            let row = row(file);
            if page.len() + row.len() > LONGEST {
                let _ = writeln!(page, "\n{} more files are not shown here.", diff.files.len() - index);
                break;
            }
            page.push_str(&row);
        }
        if folds {
            page.push_str("\n</details>\n");
        }
    }
    if let Some(comparison) = &diff.comparison {
        let _ =
            writeln!(page, "\n#### Against {}\n\n| Lines | | |\n|---:|:---|:---|", prose(&comparison.with));
        for category in LineCategory::ALL.into_iter().filter(|category| comparison.number(*category) > 0) {
            let _ = writeln!(
                page,
                "| {} | {} | {} |",
                comparison.number(category),
                category.name(),
                category.meaning()
            );
        }
    }
    if !diff.left_out.is_empty() && page.len() < LONGEST {
        let _ =
            writeln!(page, "\n<details><summary>{} changed and not counted</summary>\n", diff.left_out.len());
        for left_out in &diff.left_out {
            let line = format!("- {}: {}\n", code(&left_out.path), left_out.why);
            if page.len() + line.len() > LONGEST {
                page.push_str("- and more\n");
                break;
            }
            page.push_str(&line);
        }
        page.push_str("\n</details>\n");
    }
    page
}

/// Returns a line that readers do not see and that is the same for each commit, so that a CI job finds the comment of
/// its last run.
fn marker(head: &ReportHead) -> String {
    let fields = [&head.env, &head.region, &head.app].map(|field| escaped(field));
    format!("<!-- goc-watchdog diff-markdown: {} -->\n", fields.join(" "))
}

fn row(file: &ChangedFile) -> String {
    let coverage = file.coverage();
    let mut ranges: Vec<String> =
        file.missed.iter().take(MOST_RANGES).map(|(first, last)| range(*first, *last)).collect();
    if file.missed.len() > MOST_RANGES {
        ranges.push("…".to_owned());
    }
    format!(
        "| {} | {} of {} | {coverage} | {} |\n",
        code(&file.path),
        coverage.covered,
        coverage.total,
        ranges.join(", ")
    )
}
