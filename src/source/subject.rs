//! The subject of a report: a stored row, the rows before it, and the revision of its source.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};

use super::Revision;
use super::row_choice::{RowName, RowRequest, no_profile, row_of};
use crate::fleet::branches::Branches;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::{is_same_app, is_same_commit};
use crate::fleet::row::Row;
use crate::names::{CommitChoice, in_message};
use crate::report::{GroupFacts, HostLinks, PreviousRow, ReportHead, TrendPoint};

/// A row to report, with the revision of its source, or the rows of a group at one commit.
#[derive(Debug)]
pub(crate) struct Subject {
    /// The name of its service or group in the report.
    pub(crate) service: String,
    /// Time of the last pull that got an answer; for a group, of the app whose last one is longest ago.
    pub(crate) last_pull: Option<DateTime<Utc>>,
    /// The row; for a group, the newest of its rows under the name of the group, without a profile.
    pub(crate) row: Row,
    /// The apps of a group; `None` for one service.
    pub(crate) group: Option<Arc<GroupFacts>>,
    /// The commits among which the row's was chosen; `None`: a person named it, or there was only one.
    pub(crate) choice: Option<CommitChoice>,
    /// Number of replicas that answered and of those listed, at the time when the row was stored. For the latest row,
    /// unless a person named it by its number, they are those of the last pull.
    pub(crate) replicas: Option<(u32, u32)>,
    pub(crate) previous: Option<Row>,
    /// All rows of the same app, environment and region, the newest last.
    pub(crate) rows_of_app: Vec<Row>,
    /// Totals of its branch up to this row, including rows whose profile was deleted.
    pub(crate) trend: Vec<TrendPoint>,
    /// The revision of the source; `None` when the commit is unknown.
    pub(crate) revision: Option<Revision>,
    /// The commit comes from the service's name, not from an option.
    pub(crate) is_of_its_own_commit: bool,
    /// Full hash of the commit, after it was found.
    pub(crate) source_commit: Option<String>,
    /// Address of the page of its app, if the report is part of a site.
    pub(crate) above: Option<String>,
    /// Links to the host of its repository, if it is known and a form shows them.
    pub(crate) links: Option<HostLinks>,
}

impl Subject {
    /// Finds the requested row of a service. `rows` are all rows, including those without a profile, the newest last.
    pub(crate) fn find(request: RowRequest<'_>, entries: &[KeyEntry], rows: &[Row]) -> Result<Self> {
        let kept: Vec<Row> = rows.iter().filter(|row| row.deleted_at.is_none()).cloned().collect();
        let dropped = |name: &RowName| rows.iter().find(|row| row.deleted_at.is_some() && name.is_of(row));
        let why = |error| request.id.and_then(dropped).map_or(error, no_profile);
        let (row, choice) = row_of(request, entries, &kept).map_err(why)?;
        let entry = entries.iter().find(|entry| entry.key == row.key);
        let entry = entry.with_context(|| format!("row {} belongs to no known service", row.id.0))?;
        let replicas = match request.id {
            None if row.is_latest => entry.replicas_now(row),
            _ => row.stats.as_ref().map(|stats| (stats.answered, stats.listed)),
        };
        let is_of_app = |other: &&Row| is_same_app(&other.key, &row.key);
        let branches = Branches::new(entries);
        let is_of_branch = |other: &&Row| is_of_app(other) && branches.have(&row.branch, other);
        let of_branch = || rows.iter().filter(is_of_branch).take_while(|other| other.id <= row.id);
        Ok(Self {
            service: entry.newest_name().name.clone(),
            last_pull: entry.schedule.schedule.last_pull,
            replicas,
            previous: previous_row(of_branch(), row).cloned(),
            rows_of_app: kept.iter().filter(is_of_app).cloned().collect(),
            trend: trend(of_branch()),
            revision: revision(request.commit, row, entry)?,
            is_of_its_own_commit: !row.key.commit.is_empty(),
            source_commit: None,
            above: None,
            links: None,
            choice,
            row: row.clone(),
            group: None,
        })
    }

    /// Returns the name of its service for a message.
    pub(crate) fn name(&self) -> String {
        in_message(&self.service).into_owned()
    }

    /// Returns the time of the last pull that found the same counts; `None` for a row of the history.
    pub(crate) fn last_pull(&self) -> Option<DateTime<Utc>> {
        self.last_pull.filter(|_| self.row.is_latest)
    }

    /// Tells whether the whole report is that of a stored row, beside which it can be kept.
    pub(crate) fn is_of_a_row(&self) -> bool {
        self.is_of_its_own_commit && self.group.is_none()
    }

    /// Returns the facts that a report prints. `filters` are the filters in words.
    pub(crate) fn head(&self, filters: Vec<String>, now: DateTime<Utc>) -> ReportHead {
        let Row { id, created_at, key, branch, mark, .. } = &self.row;
        let confirmed_at = self.last_pull();
        ReportHead {
            service: self.service.clone(),
            env: key.env.clone(),
            region: key.region.clone(),
            app: key.app.clone(),
            branch: branch.clone(),
            commit: key.commit.clone(),
            source_commit: self.source_commit.clone(),
            row: id.0,
            mark: mark.clone(),
            stored_at: *created_at,
            confirmed_at,
            age: now - confirmed_at.unwrap_or(*created_at),
            replicas: self.replicas,
            previous: self.previous.as_ref().map(|row| PreviousRow {
                row: row.id.0,
                stored_at: row.created_at,
                commit: row.key.commit.clone(),
                coverage: row.stats.as_ref().map(|stats| stats.coverage),
            }),
            trend: self.trend.clone(),
            filters,
            ignores_marked: false,
            verdicts: Vec::new(),
            together: None,
            carried: None,
            counted_unmeasured: None,
            since: None,
            before: None,
            above: self.above.clone(),
            links: self.links.clone(),
            choice: self.choice,
            group: self.group.clone(),
        }
    }
}

/// Returns the revision of a row's source; fails if another commit than the row's is requested.
fn revision(commit: Option<&str>, row: &Row, entry: &KeyEntry) -> Result<Option<Revision>> {
    let hash = row.key.commit.as_str();
    match commit {
        Some(revision) if hash.is_empty() => Ok(Some(Revision::Any(revision.to_owned()))),
        Some(commit) if !is_same_commit(commit, hash) => {
            let name = in_message(&entry.newest_name().name);
            bail!(
                "{name} has commit \"{}\", not \"{}\" (goc-watchdog history {name})",
                in_message(hash),
                in_message(commit)
            )
        }
        _ => Ok((!hash.is_empty()).then(|| Revision::Hash(hash.to_owned()))),
    }
}

/// Returns the last row of a branch before `row` that still has its profile. `of_branch` are the rows of the branch up to
/// it, the newest last. A row of another branch would look like a loss or a gain.
pub(crate) fn previous_row<'r>(of_branch: impl Iterator<Item = &'r Row>, row: &Row) -> Option<&'r Row> {
    of_branch.filter(|other| other.id < row.id && other.deleted_at.is_none()).last()
}

/// Returns the totals of the rows of a branch. Those of other branches would look like losses and gains.
pub(crate) fn trend<'r>(of_branch: impl Iterator<Item = &'r Row>) -> Vec<TrendPoint> {
    of_branch.map(|row| TrendPoint::new(row.created_at, &row.key.commit, row.cover_total)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::at;
    use crate::fleet::pick::ServiceQuery;
    use crate::fleet::records::Replicas;
    use crate::fleet::row::RowStats;
    use crate::source::RowName;
    use crate::source::testing::{dropped, entry, row, superseded};

    const FOURTH: RowName = RowName::Number(4);
    const FIRST: RowName = RowName::Number(1);

    fn request<'a>(service: &'a str, id: Option<&'a RowName>, commit: Option<&'a str>) -> RowRequest<'a> {
        RowRequest { service: ServiceQuery::from_text(service), id, commit }
    }

    #[test]
    fn a_subject_has_the_rows_of_its_app_before_it() {
        let entries = [entry(1, "shop", "aaaa"), entry(2, "pay", "dddd")];
        let rows = [
            superseded(row(1, "shop", "aaaa")),
            dropped(row(2, "shop", "bbbb")),
            row(3, "pay", "dddd"),
            row(4, "shop", "aaaa"),
            superseded(row(5, "shop", "eeee")),
        ];
        let subject = Subject::find(request("shop", Some(&FOURTH), None), &entries, &rows).unwrap();
        assert_eq!(
            subject.previous.map(|row| row.id.0),
            Some(1),
            "a dropped row is no state to compare with"
        );
        let percents: Vec<f64> = subject.trend.iter().map(|point| point.percent).collect();
        assert_eq!(percents, [1.0, 2.0, 4.0], "a dropped row has its total");
        let of_app: Vec<i64> = subject.rows_of_app.iter().map(|row| row.id.0).collect();
        assert_eq!(of_app, [1, 4, 5]);
    }

    #[test]
    fn a_trend_has_the_totals_of_one_branch() {
        let entries = [entry(1, "shop", "aaaa")];
        let of_fix = |row: Row| Row { branch: "fix".to_owned(), ..row };
        let rows =
            [superseded(row(1, "shop", "aaaa")), of_fix(row(2, "shop", "bbbb")), row(3, "shop", "aaaa")];
        let subject =
            Subject::find(request("shop", Some(&RowName::Number(3)), None), &entries, &rows).unwrap();
        let percents: Vec<f64> = subject.trend.iter().map(|point| point.percent).collect();
        assert_eq!(percents, [1.0, 3.0]);
        assert_eq!(subject.previous.map(|row| row.id.0), Some(1), "nor is a row of another one before it");
    }

    #[test]
    fn a_row_counts_for_each_branch_under_which_its_commit_was_registered() {
        let mut entries = [entry(1, "shop", "aaaa"), entry(2, "shop", "bbbb")];
        let mut of_fix = entries[0].members[0].clone();
        of_fix.branch = "fix".to_owned();
        entries[0].members.push(of_fix);
        let fix = Row { branch: "fix".to_owned(), ..row(2, "shop", "bbbb") };
        let rows = [row(1, "shop", "aaaa"), fix];
        let subject =
            Subject::find(request("shop", Some(&RowName::Number(2)), None), &entries, &rows).unwrap();
        let percents: Vec<f64> = subject.trend.iter().map(|point| point.percent).collect();
        assert_eq!((percents, subject.previous.map(|row| row.id.0)), (vec![1.0, 2.0], Some(1)));
    }

    #[test]
    fn the_source_is_of_the_row_s_commit_or_of_the_revision_that_is_named() {
        let entries = [entry(1, "shop", "aaaa1111"), entry(2, "pay", "")];
        let rows = [row(1, "shop", "aaaa1111"), row(2, "pay", "")];
        let revision = |service, commit| {
            let subject = Subject::find(request(service, None, commit), &entries, &rows);
            subject.map(|subject| (subject.revision, subject.is_of_its_own_commit))
        };
        let hash = || Some(Revision::Hash("aaaa1111".to_owned()));
        assert_eq!(revision("shop", None).unwrap(), (hash(), true));
        assert_eq!(revision("shop", Some("aaaa")).unwrap(), (hash(), true));
        assert_eq!(revision("pay", None).unwrap(), (None, false));
        assert_eq!(revision("pay", Some("v1")).unwrap(), (Some(Revision::Any("v1".to_owned())), false));
    }

    #[test]
    fn a_commit_beside_the_number_of_a_row_of_another_commit_is_refused() {
        let entries = [entry(1, "shop", "aaaa1111")];
        let rows = [row(1, "shop", "aaaa1111")];
        let error = Subject::find(request("shop", Some(&FIRST), Some("bbbb")), &entries, &rows).unwrap_err();
        assert_eq!(
            error.to_string(),
            "shop_aaaa1111 has commit \"aaaa1111\", not \"bbbb\" (goc-watchdog history shop_aaaa1111)"
        );
    }

    #[test]
    fn replicas_are_those_of_the_last_pull_unless_a_row_is_named() {
        let entries = [KeyEntry {
            replicas: Some(Replicas { answered: 3, listed: 4, pulled_at: at(0) }),
            ..entry(1, "shop", "aaaa")
        }];
        let digest = crate::profile::Fingerprint::from_bytes(&[0; 32]).unwrap();
        let stats = RowStats {
            build_group: crate::fleet::ids::BuildGroupId(1),
            coverage: crate::coverage::Coverage { covered: 1, total: 2 },
            covered_digest: digest,
            counts_digest: digest,
            answered: 1,
            listed: 2,
        };
        let rows = [Row { stats: Some(stats), ..row(1, "shop", "aaaa") }];
        let replicas = |id| Subject::find(request("shop", id, None), &entries, &rows).unwrap().replicas;
        assert_eq!((replicas(None), replicas(Some(&FIRST))), (Some((3, 4)), Some((1, 2))));
    }
}
