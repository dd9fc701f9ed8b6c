//! Annotations of a GitHub workflow (its "workflow commands"), one for each run of missed lines.

use std::io::{self, Write};

use super::super::forms::{Form, FormNeed, Renderer};
use super::{DiffReport, MissedRun};
use crate::names::printable;

pub(in crate::report) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines, FormNeed::Changes],
    ..Form::new(
        "diff-github",
        "Changed lines as annotations of a GitHub workflow",
        Renderer::Changes(|diff, _, out| write(diff, out)),
    )
};

/// Number of warnings. GitHub shows ten of a step and drops the rest, so the last one here tells how many are not
/// shown.
const MOST: usize = 10;

pub(super) fn write(diff: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    let runs: Vec<MissedRun<'_>> = diff.missed_runs().collect();
    let shown = if runs.len() > MOST { MOST - 1 } else { runs.len() };
    for run in &runs[..shown] {
        writeln!(
            out,
            "::warning file={},line={},endLine={},title=Not covered::{}",
            property(&run.file.path),
            run.first,
            run.last,
            run.message()
        )?;
    }
    if shown < runs.len() {
        let more = runs.len() - shown;
        writeln!(out, "::warning title=Not covered::{more} more places changed and were not executed")?;
    }
    writeln!(out, "::notice title=Coverage of changed lines::{}", message(&diff.summary()))
}

/// Returns a text escaped for a property, as GitHub's toolkit does it.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

fn message(text: &str) -> String {
    printable(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}
