//! The comparison of a report with another stored state of its app.

use std::collections::HashMap;

use anyhow::Result;

use super::{Revision, SourceReader};
use crate::coverage::Coverage;
use crate::filter::Filter;
use crate::fleet::row::Row;
use crate::io::workdir::ReadersLock;
use crate::profile::Profile;
use crate::report::diff::{Changes, Comparison};
use crate::report::{FileNeeds, Report, ReportHead};
use crate::time::minute;

/// Another stored state: its row and profile, and the changes from its commit to that of the report.
pub(crate) struct OtherState<'a> {
    pub(crate) row: &'a Row,
    pub(crate) profile: &'a Profile,
    pub(crate) changes: &'a Changes,
}

/// Compares each line of a report with another state.
pub(crate) fn compared(
    report: &Report<'_>,
    other: &OtherState<'_>,
    filter: &Filter,
    reader: &SourceReader<'_>,
    reading: &ReadersLock,
) -> Result<Comparison> {
    let OtherState { row, profile, changes } = other;
    let needs = FileNeeds { lines: true, ..FileNeeds::default() };
    let before = filtered(report.head.clone(), (row, profile), filter, needs, (reader, reading))?;
    let Row { id, key, created_at, .. } = row;
    let with = format!("row {} ({} {} {}, {})", id.0, key.env, key.region, key.commit, minute(*created_at));
    Ok(Comparison::new(with, report, &before, &changes.patches))
}

/// Returns the coverage of another state in the files that a filter leaves.
pub(crate) fn filtered_coverage(
    report: &Report<'_>,
    (row, profile): (&Row, &Profile),
    filter: &Filter,
    reader: &SourceReader<'_>,
    reading: &ReadersLock,
) -> Result<Coverage> {
    let needs = FileNeeds::default();
    Ok(filtered(report.head.clone(), (row, profile), filter, needs, (reader, reading))?.coverage())
}

/// Combines another state with its source, without the files that a filter leaves out.
fn filtered<'p>(
    head: ReportHead,
    (row, profile): (&Row, &'p Profile),
    filter: &Filter,
    needs: FileNeeds<'_>,
    (reader, reading): (&SourceReader<'_>, &ReadersLock),
) -> Result<Report<'p>> {
    let at = reader.at(&Revision::Hash(row.key.commit.clone()), reading)?;
    let sources = reader.sources(profile, (&at, &reader.tree(&at)?), &HashMap::new(), None, needs)?;
    let mut report = Report::new(head, profile, sources);
    report.retain(filter);
    Ok(report)
}
