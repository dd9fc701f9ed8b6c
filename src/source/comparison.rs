//! The comparison of a report with another stored state of its app.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::{Revision, SourceReader, check_texts};
use crate::code::patch::FilePatch;
use crate::coverage::Coverage;
use crate::filter::Filter;
use crate::fleet::row::Row;
use crate::io::workdir::ReadersLock;
use crate::phrases;
use crate::profile::{BuildFile, Profile};
use crate::report::diff::{Changes, Comparison};
use crate::report::{FileNeeds, FileReport, Report, ReportHead};
use crate::time::{minute, second};

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
    let needs = FileNeeds { lines: true, marks: filter.ignore_marked, ..FileNeeds::default() };
    // A filter may have to look into the text of a file.
    let same = if filter.takes_all() { same_files(report, profile, changes) } else { HashMap::new() };
    let is_wanted = |path: &str| !same.contains_key(path);
    let mut before =
        filtered(report.head.clone(), (row, profile), filter, (needs, &is_wanted), (reader, reading))?;
    for file in &mut before.files {
        let known = file.path.as_deref().and_then(|path| same.get(path));
        if let Some(known) = known.filter(|known| known.name == file.name) {
            file.lines.clone_from(&known.lines);
        }
    }
    let Row { key, created_at, .. } = row;
    let sides = sides(&report.head, row, rows);
    let commit = phrases::short_commit(&key.commit);
    let with =
        format!("{} {} {commit}, {} ({})", key.env, key.region, minute(*created_at), phrases::rows(rows));
    Ok(Comparison::new((with, sides), report, &before, &changes.patches))
}

/// Returns the files of a report, by path, that are the same in another profile: neither their text changed, nor their
/// blocks, nor which of these were executed. Their lines are the same, so that their text is not read again, which takes
/// most of the time of a comparison.
fn same_files<'r>(
    report: &'r Report<'_>,
    profile: &Profile,
    changes: &Changes,
) -> HashMap<&'r str, &'r FileReport<'r>> {
    let paths = |patch: &'_ FilePatch| [patch.old_path.clone(), patch.new_path.clone()];
    let touched: HashSet<String> = changes.patches.iter().flat_map(paths).flatten().collect();
    let before: HashMap<&str, BuildFile<'_>> = profile.build.files().map(|file| (file.name, file)).collect();
    let executes_the_same = |now: &FileReport<'_>, before: &BuildFile<'_>| {
        let counts = &profile.counts[before.range.0..before.range.1];
        now.blocks == before.blocks
            && now.counts.iter().zip(counts).all(|(now, before)| (*now > 0) == (*before > 0))
    };
    let mut same = HashMap::new();
    let mut several = HashSet::new();
    for file in report.files.iter().filter(|file| file.no_source.is_none()) {
        let Some(path) = file.path.as_deref().filter(|path| !touched.contains(*path)) else { continue };
        let known = before.get(file.name).is_some_and(|before| executes_the_same(file, before));
        // Links can make one file compile under several names.
        if !known || same.insert(path, file).is_some() {
            several.insert(path);
        }
    }
    same.retain(|path, _| !several.contains(path));
    same
}

/// Returns the shortest names that tell a report and the row with which it is compared apart: environment and region,
/// else commits, with their branches if these differ, else the mark of each or its time, else the numbers of the rows.
fn sides(head: &ReportHead, row: &Row, rows: &[i64]) -> [String; 2] {
    let key = &row.key;
    let places = [phrases::place(&head.env, &head.region), phrases::place(&key.env, &key.region)];
    let commits = [(&head.branch, &head.commit), (&row.branch, &key.commit)];
    let with_branches = head.branch != row.branch && !key.commit.is_empty();
    let commits = commits.map(|(branch, commit)| {
        let commit = phrases::short_commit(commit);
        if with_branches { format!("{branch} {commit}").trim().to_owned() } else { commit }
    });
    let stored = [head.stored_at, row.created_at];
    let marks = [&head.mark, &row.mark];
    let marks_or = |times: [String; 2]| {
        let [now, before] = times;
        [marks[0].clone().unwrap_or(now), marks[1].clone().unwrap_or(before)]
    };
    let names = [places, commits, marks_or(stored.map(minute)), marks_or(stored.map(second))];
    let tell_apart = |[now, before]: &[String; 2]| now != before && !now.is_empty() && !before.is_empty();
    let found = names.into_iter().find(tell_apart);
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
    let needs = FileNeeds { marks: filter.ignore_marked, ..FileNeeds::default() };
    let needs = (needs, &|_: &str| true);
    Ok(filtered(report.head.clone(), (row, profile), filter, needs, (reader, reading))?.coverage())
}

/// Combines another state with its source, without the files that a filter leaves out. Only texts of wanted paths are
/// read.
fn filtered<'p>(
    head: ReportHead,
    (row, profile): (&Row, &'p Profile),
    filter: &Filter,
    (needs, is_wanted): (FileNeeds<'_>, &(impl Fn(&str) -> bool + Sync)),
    (reader, reading): (&SourceReader<'_>, &ReadersLock),
) -> Result<Report<'p>> {
    let at = reader.at(&Revision::Hash(row.key.commit.clone()), reading)?;
    let sources = reader.sources(profile, (&at, &reader.tree(&at)?), &HashMap::new(), is_wanted, needs)?;
    let mut report = Report::new(head, profile, sources);
    report.retain(filter);
    if filter.ignore_marked {
        check_texts(&report, "marks")?;
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::fleet::fixtures::at;
    use crate::fleet::pick::ServiceQuery;
    use crate::fleet::records::Key;
    use crate::source::testing::{entry, row, superseded};
    use crate::source::{RowName, RowRequest, Subject};

    #[test]
    fn the_sides_of_a_comparison_differ() {
        let now = row(7, "shop", "bbbb");
        let head = {
            let rows = std::slice::from_ref(&now);
            let request = RowRequest {
                service: ServiceQuery::from_text("shop"),
                id: Some(&RowName::Number(7)),
                commit: None,
            };
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
        let on_fix = |other: &mut Row| {
            other.branch = "fix".to_owned();
            other.key.commit = "aaaa".to_owned();
        };
        assert_eq!(other(&on_fix), ["main bbbb", "fix aaaa"]);
        let times = [now.created_at, at(3)].map(minute);
        assert_eq!(other(&|_| {}), times);
        assert_eq!(other(&|other| other.created_at = now.created_at), ["row 7", "row 3"]);
        let soon = |other: &mut Row| other.created_at = now.created_at + TimeDelta::seconds(9);
        assert_eq!(other(&soon), [now.created_at, now.created_at + TimeDelta::seconds(9)].map(second));
        let marked = |other: &mut Row| {
            other.mark = Some("before".to_owned());
            other.created_at = now.created_at;
        };
        assert_eq!(other(&marked), [minute(now.created_at), "before".to_owned()]);
        let of_mark = ReportHead { mark: Some("after".to_owned()), ..head.clone() };
        let mut before = superseded(row(3, "shop", "bbbb"));
        marked(&mut before);
        assert_eq!(sides(&of_mark, &before, &[3]), ["after", "before"]);
        let nowhere = |other: &mut Row| {
            other.key = Key { env: String::new(), region: String::new(), ..other.key.clone() };
        };
        assert_eq!(other(&nowhere), times, "a name without a word tells nothing");
    }
}
