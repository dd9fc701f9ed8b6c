//! The data of a site as JSON, for scripts and other pages. Paths are relative to `index.json`.

use std::collections::HashMap;
use std::io;

use serde::Serialize;

use super::super::json::ReplicasJson;
use super::SourceShown;
use super::address::{BADGE, HISTORY, INDEX, LATEST};
use super::change::Change;
use super::model::{App, Branch, EnvRegion, HistoryRow, Service};
use crate::coverage::ChangedLines;
use crate::json;
use crate::time::iso;

/// The version of the schema. It rises when a field changes its meaning or is removed, and stays when fields are added.
const SCHEMA: u32 = 1;
/// Largest number of totals for an app in an environment and region. The database has all.
const ROWS: usize = 1000;

pub(super) fn text(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    json::write(&mut out, value)?;
    out.push(b'\n');
    Ok(out)
}

#[derive(Serialize)]
pub(super) struct IndexJson<'s> {
    schema: u32,
    services: Vec<ServiceJson<'s>>,
}

#[derive(Serialize)]
pub(super) struct LatestJson<'s> {
    schema: u32,
    #[serde(flatten)]
    service: ServiceJson<'s>,
}

#[derive(Serialize)]
struct ServiceJson<'s> {
    service: &'s str,
    also: &'s [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    targets: &'s [String],
    agents: &'s [String],
    env: &'s str,
    region: &'s str,
    app: &'s str,
    branch: &'s str,
    commit: &'s str,
    state: &'static str,
    concern: &'static str,
    errors: &'s [String],
    up: usize,
    listed: usize,
    percent: Option<f64>,
    covered: Option<u64>,
    total: Option<u64>,
    replicas: ReplicasJson,
    id: Option<i64>,
    stored_at: Option<String>,
    change_7d: Option<f64>,
    diff: Option<&'s ChangedLines>,
    last_pull: Option<String>,
    last_seen: Option<String>,
    page: String,
    report: Option<String>,
    source: Option<SourceShown>,
    badge: Option<String>,
    latest: Option<String>,
    history: String,
}

impl<'s> ServiceJson<'s> {
    fn new(
        app: &App,
        place: &EnvRegion,
        branch: &'s Branch,
        service: &'s Service,
        reports: &HashMap<String, SourceShown>,
    ) -> Self {
        let Service {
            name,
            also,
            targets,
            agents,
            env,
            region,
            app: of,
            branch: on,
            commit,
            state,
            errors,
            replicas,
            total,
            last_pull,
            last_seen,
        } = service;
        let path = branch.report(service);
        let report = reports.get(&path).map(|report| (path, report));
        let total = total.as_ref();
        let coverage = total.and_then(|total| total.coverage);
        let beside = |file| branch.is_stored(service).then(|| format!("{}/{file}", branch.folder));
        Self {
            service: name,
            also,
            targets,
            agents,
            env,
            region,
            app: of,
            branch: on,
            commit,
            state: state.word,
            concern: state.concern.word(),
            errors,
            up: replicas.0,
            listed: replicas.1,
            percent: total.map(super::Total::percent),
            covered: coverage.map(|coverage| coverage.covered),
            total: coverage.map(|coverage| coverage.total),
            replicas: total.and_then(|total| total.replicas).into(),
            id: total.map(|total| total.row),
            stored_at: total.map(|total| iso(total.stored_at)),
            change_7d: branch.week_of(service).map(Change::points),
            diff: total.and_then(|total| total.changed.as_ref()),
            last_pull: last_pull.map(iso),
            // The field would change with each pull of any service while the service is listed, so it is left out then.
            last_seen: last_seen.filter(|_| !service.is_listed()).map(iso),
            page: format!("{}/{INDEX}#{}", app.folder, place.anchor()),
            source: report.as_ref().map(|(_, shown)| **shown),
            report: report.map(|(path, _)| path),
            badge: beside(BADGE),
            latest: beside(LATEST),
            history: format!("{}/{HISTORY}", place.folder),
        }
    }
}

impl<'s> IndexJson<'s> {
    pub(super) fn new(apps: &'s [App], reports: &HashMap<String, SourceShown>) -> Self {
        let mut services = Vec::new();
        for app in apps {
            for place in &app.places {
                for branch in &place.branches {
                    let of = |service| ServiceJson::new(app, place, branch, service, reports);
                    services.extend(branch.services.iter().map(of));
                }
            }
        }
        Self { schema: SCHEMA, services }
    }
}

impl<'s> LatestJson<'s> {
    pub(super) fn new(
        app: &App,
        place: &EnvRegion,
        branch: &'s Branch,
        service: &'s Service,
        reports: &HashMap<String, SourceShown>,
    ) -> Self {
        Self { schema: SCHEMA, service: ServiceJson::new(app, place, branch, service, reports) }
    }
}

#[derive(Serialize)]
pub(super) struct HistoryJson<'s> {
    schema: u32,
    env: &'s str,
    region: &'s str,
    app: &'s str,
    rows: Vec<HistoryRowJson<'s>>,
}

#[derive(Serialize)]
struct HistoryRowJson<'s> {
    id: i64,
    stored_at: String,
    branch: &'s str,
    commit: &'s str,
    percent: f64,
    covered: Option<u64>,
    total: Option<u64>,
    replicas: ReplicasJson,
    dropped: bool,
}

impl<'s> HistoryJson<'s> {
    pub(super) fn new(app: &'s App, place: &'s EnvRegion) -> Self {
        let EnvRegion { env, region, history, .. } = place;
        let newest = &history[history.len().saturating_sub(ROWS)..];
        let row = |HistoryRow { branch, commit, total, is_dropped, .. }: &'s HistoryRow| HistoryRowJson {
            id: total.row,
            stored_at: iso(total.stored_at),
            branch,
            commit,
            percent: total.percent(),
            covered: total.coverage.map(|coverage| coverage.covered),
            total: total.coverage.map(|coverage| coverage.total),
            replicas: total.replicas.into(),
            dropped: *is_dropped,
        };
        Self { schema: SCHEMA, env, region, app: &app.name, rows: newest.iter().map(row).collect() }
    }
}
