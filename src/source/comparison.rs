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
    let sides = sides(&report.head, row, rows);
    let rows = phrases::rows(rows);
    let with = format!("{rows} ({} {} {}, {})", key.env, key.region, key.commit, minute(*created_at));
    Ok(Comparison::new((with, sides), report, &before, &changes.patches))
}

/// Returns the shortest names that tell a report and the row with which it is compared apart: environment and region,
/// else commits, else times, else the numbers of the rows.
fn sides(head: &ReportHead, row: &Row, rows: &[i64]) -> [String; 2] {
    let key = &row.key;
    let places = [(&head.env, &head.region), (&key.env, &key.region)];
    let places = places.map(|(env, region)| format!("{env} {region}").trim().to_owned());
    let commits = [head.commit.clone(), key.commit.clone()];
    let times = [head.stored_at, row.created_at].map(minute);
    let tell_apart = |[now, before]: &[String; 2]| now != before && !now.is_empty() && !before.is_empty();
    let found = [places, commits, times].into_iter().find(tell_apart);
    found.unwrap_or_else(|| [phrases::rows(&head.rows()), phrases::rows(rows)])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::at;
    use crate::fleet::pick::ServiceQuery;
    use crate::fleet::records::Key;
    use crate::source::testing::{entry, row, superseded};
    use crate::source::{RowRequest, Subject};

    #[test]
    fn the_sides_of_a_comparison_differ() {
        let now = row(7, "shop", "bbbb");
        let head = {
            let rows = std::slice::from_ref(&now);
            let request = RowRequest { service: ServiceQuery::from_text("shop"), id: Some(7), commit: None };
            Subject::find(request, &[entry(1, "shop", "bbbb")], rows).unwrap().head(Vec::new(), at(60))
        };
        let other = |change: &dyn Fn(&mut Row)| {
            let mut other = superseded(row(3, "shop", "bbbb"));
            change(&mut other);
            sides(&head, &other, &[3])
        };
        let in_prod = |other: &mut Row| other.key.env = "prod".to_owned();
        assert_eq!(other(&in_prod), ["staging th", "prod th"]);
        assert_eq!(other(&|other| other.key.commit = "aaaa".to_owned()), ["bbbb", "aaaa"]);
        let times = [now.created_at, at(3)].map(minute);
        assert_eq!(other(&|_| {}), times);
        assert_eq!(other(&|other| other.created_at = now.created_at), ["row 7", "row 3"]);
        let nowhere = |other: &mut Row| {
            other.key = Key { env: String::new(), region: String::new(), ..other.key.clone() };
        };
        assert_eq!(other(&nowhere), times, "a name without a word tells nothing");
    }
}
