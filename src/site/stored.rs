//! The stored data that a site shows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::collect::fleet::stored_fleet;
use crate::coverage::ChangedLines;
use crate::fleet::branches::Branches;
use crate::fleet::ids::{KeyId, RowId};
use crate::fleet::key_entry::{KeyEntry, ServiceName};
use crate::fleet::liveness::Suspicion;
use crate::fleet::records::Key;
use crate::fleet::row::{Row, RowFilter};
use crate::fleet::service_state::{AddressHealth, ServiceLine, ServiceState};
use crate::fleet::services::Fleet;
use crate::io::store::Store;
use crate::names::Naming;
use crate::phrases::count;
use crate::report::PullFacts;
use crate::report::site::{
    self, Concern, HistoryRow, LinkedReport, Manifest, ReportOrigin, ReportSource, Service, Total,
};
use crate::source::{
    RepositoryCommit, Revision, Subject, nearest_stored, previous_row, row_of_commit_before, trend,
};
use crate::time::minute;

/// Largest number of lines with the reasons of a failing service.
const ERRORS: usize = 3;

/// The time of a run, and the time before which the last pull of a service was too long ago.
#[derive(Clone, Copy)]
pub(super) struct RunTimes {
    pub(super) now: DateTime<Utc>,
    pub(super) overdue_before: DateTime<Utc>,
}

/// The stored data that a site shows.
pub(super) struct SiteData {
    fleet: Fleet,
    health: AddressHealth,
    /// All rows, including deleted ones, the oldest first.
    rows: Vec<Row>,
    /// Indexes of the latest row of each key.
    latest: HashMap<Key, usize>,
    /// Indexes of the rows of an app, environment and region, by a key without a commit.
    of_app: HashMap<Key, Vec<usize>>,
    /// Changed lines that reports computed for the latest rows.
    diffs: HashMap<RowId, ChangedLines>,
    /// Keys whose data was deleted.
    dropped: BTreeSet<KeyId>,
    branches: Branches,
}

fn without_commit(key: &Key) -> Key {
    Key { commit: String::new(), ..key.clone() }
}

impl SiteData {
    pub(super) fn read(store: &Store, naming: &Naming, now: DateTime<Utc>) -> Result<Self> {
        let fleet = stored_fleet(store, naming, now)?;
        let health = AddressHealth::new(&fleet, store.suspicions()?, store.coverport_addresses()?);
        let rows = store.rows(&RowFilter { with_dropped: true, ..RowFilter::default() })?;
        let latest = rows.iter().enumerate().filter(|(_, row)| row.is_latest && row.deleted_at.is_none());
        let latest: HashMap<Key, usize> = latest.map(|(at, row)| (row.key.clone(), at)).collect();
        let mut diffs = HashMap::new();
        for at in latest.values() {
            let id = rows[*at].id;
            diffs.extend(store.diff(id)?.map(|diff| (id, diff)));
        }
        let mut of_app: HashMap<Key, Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            of_app.entry(without_commit(&row.key)).or_default().push(at);
        }
        let (branches, dropped) = (Branches::new(&fleet.entries), store.dropped_keys()?);
        Ok(Self { fleet, health, rows, latest, of_app, diffs, dropped, branches })
    }

    /// Returns all rows, including deleted ones, the oldest first.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Tells whether a site may come from this work directory.
    pub(super) fn knows_one_of(&self, site: &Manifest) -> bool {
        let known: HashMap<i64, &Row> = self.rows.iter().map(|row| (row.id.0, row)).collect();
        let mut origins = site.origins().peekable();
        origins.peek().is_none()
            || origins.any(|origin| known.get(&origin.row).is_some_and(|row| counts(row) == origin.counts))
    }

    fn latest(&self, entry: &KeyEntry) -> Option<&Row> {
        self.latest.get(&entry.key).map(|at| &self.rows[*at])
    }

    /// Returns the entries with stored data, by the id of their latest row.
    pub(super) fn entries(&self) -> HashMap<i64, &KeyEntry> {
        self.fleet.entries.iter().filter_map(|entry| Some((self.latest(entry)?.id.0, entry))).collect()
    }

    /// Returns a service for each key and branch.
    pub(super) fn services(&self, times: RunTimes) -> Vec<Service> {
        let mut services = Vec::new();
        for entry in &self.fleet.entries {
            let row = self.latest(entry);
            if entry.is_gone(row, &self.dropped) {
                continue;
            }
            let mut branches: BTreeMap<&str, Vec<Service>> = BTreeMap::new();
            for member in &entry.members {
                let service = self.service(entry, member, row, times);
                branches.entry(&member.branch).or_default().push(service);
            }
            services.extend(branches.into_values().filter_map(as_one));
        }
        services
    }

    fn service(
        &self,
        entry: &KeyEntry,
        member: &ServiceName,
        row: Option<&Row>,
        RunTimes { now, overdue_before }: RunTimes,
    ) -> Service {
        let line = ServiceLine::new(member, entry, row, &self.health, overdue_before);
        let state = line.state;
        let last_pull = entry.schedule.schedule.last_pull;
        let text = line.state_text(now);
        let concern = match state {
            ServiceState::Unreachable => Concern::Failing,
            ServiceState::Partial => Concern::Partial,
            ServiceState::OtherBuild | ServiceState::StaleName | ServiceState::Overdue => Concern::Stale,
            ServiceState::Offline => Concern::Gone,
            ServiceState::NeverPulled => Concern::New,
            ServiceState::Ok if text != state.phrase() => Concern::Stale,
            ServiceState::Ok => Concern::Fine,
        };
        let error = |address: &str| {
            let known = entry.state(address);
            match known.last_error {
                Some(error) if known.retry.failures > 0 => Some(format!("{address}: {error}")),
                _ if known.other_build.is_some() => Some(format!("{address} serves another build")),
                _ => self.health.suspicion(address).map(|found| suspicion(address, found)),
            }
        };
        let errors = member.addresses().filter_map(|listing| error(&listing.address));
        let Key { env, region, app, commit } = entry.key.clone();
        Service {
            name: member.name.clone(),
            also: Vec::new(),
            targets: line.source_names().into_iter().map(str::to_owned).collect(),
            agents: line.agents().into_iter().map(str::to_owned).collect(),
            env,
            region,
            app,
            branch: member.branch.clone(),
            commit,
            state: site::ShownState {
                word: state.word(),
                phrase: state.phrase(),
                text,
                meaning: state.meaning(),
                concern,
            },
            errors: errors.take(ERRORS).collect(),
            replicas: (line.up(), member.addresses().count()),
            total: row.map(|row| Total { replicas: entry.replicas_now(row), ..self.total(row) }),
            last_pull,
            last_seen: member.last_seen,
        }
    }

    pub(super) fn history(&self) -> Vec<HistoryRow> {
        let past = |row: &Row| {
            let Key { env, region, app, commit } = row.key.clone();
            HistoryRow {
                env,
                region,
                app,
                branch: row.branch.clone(),
                commit,
                total: self.total(row),
                is_dropped: row.deleted_at.is_some(),
            }
        };
        self.rows.iter().map(past).collect()
    }

    fn total(&self, row: &Row) -> Total {
        let stats = row.stats.as_ref();
        Total {
            row: row.id.0,
            stored_at: row.created_at,
            percent: row.cover_total,
            coverage: stats.map(|stats| stats.coverage),
            replicas: stats.map(|stats| (stats.answered, stats.listed)),
            changed: self.diffs.get(&row.id).cloned(),
        }
    }

    /// Returns the rows of the same app, environment and region up to this row.
    fn until<'s>(&'s self, row: &'s Row) -> impl Iterator<Item = &'s Row> {
        let of_app = self.of_app.get(&without_commit(&row.key)).map(Vec::as_slice).unwrap_or_default();
        of_app.iter().map(|at| &self.rows[*at]).take_while(|other| other.id <= row.id)
    }

    /// Returns the rows of a branch up to this row.
    fn of_branch<'s>(&'s self, branch: &'s str, row: &'s Row) -> impl Iterator<Item = &'s Row> {
        self.until(row).filter(|other| self.branches.have(branch, other))
    }

    /// Returns the row of the commit before on the branch of a report, with which the report is compared.
    pub(super) fn commit_before(&self, page: &LinkedReport, entry: &KeyEntry) -> Option<&Row> {
        let row = self.latest(entry)?;
        row_of_commit_before(row, (&page.branch, &self.branches), self.until(row))
    }

    /// Returns the row of the nearest ancestor in git of a report's commit, of any branch.
    pub(super) fn nearest_ancestor(&self, entry: &KeyEntry, at: &RepositoryCommit) -> Result<Option<&Row>> {
        self.latest(entry).map_or(Ok(None), |row| nearest_stored(row, at, self.until(row)))
    }

    /// Returns the data of a report that is to be written, without its source.
    pub(super) fn origin(
        &self,
        page: &LinkedReport,
        entry: &KeyEntry,
        version: &str,
    ) -> Option<ReportOrigin> {
        let row = self.latest(entry)?;
        Some(ReportOrigin {
            row: row.id.0,
            counts: counts(row),
            previous: previous_row(self.of_branch(&page.branch, row), row).map(|before| before.id.0),
            commit_before: self.commit_before(page, entry).map(|before| before.id.0),
            service: page.service.clone(),
            version: version.to_owned(),
            confirmed_at: entry.schedule.schedule.last_pull,
            pull: Some(PullFacts {
                since: entry.schedule.schedule.last_pull.unwrap_or(row.created_at),
                replicas: entry.replicas_now(row),
            }),
            source: ReportSource::none(),
        })
    }

    /// Returns the subject of the report of the latest row of a key.
    pub(super) fn subject(&self, page: &LinkedReport, entry: &KeyEntry) -> Option<Subject> {
        let row = self.latest(entry)?;
        let hash = row.key.commit.as_str();
        Some(Subject {
            service: page.service.clone(),
            last_pull: entry.schedule.schedule.last_pull,
            replicas: entry.replicas_now(row),
            previous: previous_row(self.of_branch(&page.branch, row), row).cloned(),
            rows_of_app: Vec::new(),
            trend: trend(self.of_branch(&page.branch, row)),
            revision: (!hash.is_empty()).then(|| Revision::Hash(hash.to_owned())),
            is_of_its_own_commit: !hash.is_empty(),
            source_commit: None,
            above: Some(page.above()),
            links: None,
            choice: None,
            row: Row { branch: page.branch.clone(), ..row.clone() },
            group: None,
        })
    }
}

/// Returns the failures that `prune` remembers of an address, which answered the last pull.
fn suspicion(address: &str, Suspicion { any, probe, is_dead, .. }: &Suspicion) -> String {
    let state = if *is_dead { "dead" } else { "suspect" };
    let (runs, since) = (count(any.runs as usize, "runs"), minute(any.since));
    format!("{address} is {state}: {} (prune, {runs} since {since})", probe.detail)
}

/// Returns a short digest of the counts of a row.
fn counts(row: &Row) -> Option<String> {
    row.stats.as_ref().map(|stats| stats.counts_digest.short())
}

/// Joins services whose names have the same parsed parts. The result has the worst of their states.
fn as_one(mut of: Vec<Service>) -> Option<Service> {
    of.sort_by(|a, b| a.name.cmp(&b.name));
    let worst = of.iter().map(|one| &one.state).min_by_key(|state| state.concern)?.clone();
    of.into_iter()
        .reduce(|mut all, mut one| {
            all.also.push(one.name);
            all.targets.append(&mut one.targets);
            all.targets.sort();
            all.targets.dedup();
            all.agents.append(&mut one.agents);
            all.agents.sort();
            all.agents.dedup();
            all.errors.append(&mut one.errors);
            all.errors.truncate(ERRORS);
            all.replicas = (all.replicas.0 + one.replicas.0, all.replicas.1 + one.replicas.1);
            all.last_seen = all.last_seen.max(one.last_seen);
            all
        })
        .map(|all| Service { state: worst, ..all })
}
