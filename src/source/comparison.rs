//! The comparison of a report with another stored state of its app.

use std::collections::HashMap;

use anyhow::Result;

use super::{Revision, SourceReader};
use crate::coverage::Coverage;
use crate::filter::Filter;
use crate::fleet::row::Row;
use crate::io::workdir::ReadersLock;
use crate::phrases;
use crate::profile::Profile;
use crate::report::diff::{Changes, Comparison};
use crate::report::{FileNeeds, Report, ReportHead};
use crate::time::minute;

/// Another stored state: its row and profile, and the changes from its commit to that of the report.
pub(crate) struct OtherState<'a> {
    /// Its row; for a group, the newest of its rows under the name of the group.
    pub(crate) row: &'a Row,
    /// Numbers of all its rows.
    pub(crate) rows: &'a [i64],
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
    let OtherState { row, rows, profile, changes } = other;
    let needs = FileNeeds { lines: true, ..FileNeeds::default() };
    let before = filtered(report.head.clone(), (row, profile), filter, needs, (reader, reading))?;
    let Row { key, created_at, .. } = row;
    let rows = phrases::rows(rows);
    let with = format!("{rows} ({} {} {}, {})", key.env, key.region, key.commit, minute(*created_at));
    Ok(Comparison::new((with, sides(&report.head, row)), report, &before, &changes.patches))
}

/// Returns the shortest names that tell a report and the row with which it is compared apart: environment and region,
/// else commits, else times.
fn sides(head: &ReportHead, row: &Row) -> [String; 2] {
    let key = &row.key;
    let places = [(&head.env, &head.region), (&key.env, &key.region)];
    if places[0] != places[1] {
        return places.map(|(env, region)| format!("{env} {region}").trim().to_owned());
    }
    if head.commit != key.commit {
        return [head.commit.clone(), key.commit.clone()];
    }
    [head.stored_at, row.created_at].map(minute)
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
