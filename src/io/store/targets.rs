//! Sources of targets, and the addresses that they list.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::damage::ValueOwner;
use super::reading::{maybe_time, time, unknown};
use super::{Store, StoreError, Writer};
use crate::fleet::ids::ServiceId;
use crate::fleet::records::{KnownSource, ListedAddress, Lister};
use crate::fleet::targets::{AgentKind, TargetFacts};
use crate::time::iso;

impl Store {
    /// Tells whether a pull was ever given a source of targets.
    pub(crate) fn knows_sources(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM target_source)";
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(self.failed())
    }

    /// Returns the sources of targets by name.
    pub(crate) fn target_sources(&self) -> Result<BTreeMap<String, KnownSource>, StoreError> {
        let sql = "SELECT name, asked_at, is_latest, last_listed_at FROM target_source";
        let read = |row: &Row<'_>| {
            let (asked_at, last_listed_at) = (maybe_time(row, 1)?, maybe_time(row, 3)?);
            Ok((row.get(0)?, KnownSource { asked_at, place: row.get(2)?, last_listed_at }))
        };
        let sources = self.query_readable("target_source", sql, [], |_| Ok(ValueOwner::Nobody), read)?;
        Ok(sources.into_iter().collect())
    }

    /// Returns the paths below which sources list, or listed, the counters of an agent raw at an address.
    pub(crate) fn counters_paths(&self, address: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT counters_path FROM target WHERE address = ?1 AND agent = ?2 ORDER BY counters_path";
        let owner = |_: &Row<'_>| Ok(ValueOwner::Address(address.to_owned()));
        self.query_readable("target", sql, [address, AgentKind::RAW], owner, |row| row.get(0))
    }

    /// Returns the addresses that sources list or listed, in the order in which they were listed.
    pub(crate) fn targets(&self) -> Result<Vec<ListedAddress>, StoreError> {
        let sql = "SELECT service_id, source, address, listed_at, unlisted_at, agent, meta_path, counters_path, pod, uid,
                          restarts
                   FROM target ORDER BY source, position, address";
        let owner = |row: &Row<'_>| Ok(ValueOwner::Service(row.get(0)?));
        let mut listers: HashMap<Arc<str>, Lister> = HashMap::new();
        self.query_readable("target", sql, [], owner, |row| {
            let source: Arc<str> = row.get(1)?;
            let lister = listers.entry(Arc::clone(&source)).or_insert(Lister::Targets(source)).clone();
            let unlisted_at = maybe_time(row, 4)?;
            Ok(ListedAddress {
                service: row.get(0)?,
                address: row.get(2)?,
                lister,
                facts: Some(Arc::new(facts(row)?)),
                listed_at: time(row, 3)?,
                listed: unlisted_at.is_none(),
                unlisted_at,
            })
        })
    }
}

/// Reads the facts of a target, from the column of its agent on.
fn facts(row: &Row<'_>) -> rusqlite::Result<TargetFacts> {
    let agent: Option<String> = row.get(5)?;
    let agent = match agent.as_deref() {
        None => None,
        Some(AgentKind::GOC) => Some(AgentKind::Goc),
        Some(AgentKind::COVERPORT) => Some(AgentKind::Coverport),
        Some(AgentKind::RAW) => Some(AgentKind::Raw { meta: row.get(6)?, counters: row.get(7)? }),
        Some(other) => return Err(unknown(5, other)),
    };
    Ok(TargetFacts { agent, pod: row.get(8)?, uid: row.get(9)?, restarts: row.get(10)? })
}

impl Writer<'_> {
    /// Replaces the sources that the latest pull without names was given. The column `is_latest` has their places, from 1:
    /// of two sources that list one address, the first counts.
    pub(super) fn set_asked_sources(&self, names: &[String], at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run("UPDATE target_source SET is_latest = 0 WHERE is_latest", params![])?;
        (1_i64..).zip(names).try_for_each(|(place, name)| {
            self.run(
                "INSERT INTO target_source (name, asked_at, is_latest) VALUES (?1, ?2, ?3)
                     ON CONFLICT (name) DO UPDATE SET asked_at = excluded.asked_at, is_latest = excluded.is_latest",
                params![name, iso(at), place],
            )
        })
    }

    pub(super) fn set_source_listed(&self, name: &str, at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO target_source (name, last_listed_at) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET last_listed_at = excluded.last_listed_at",
            params![name, iso(at)],
        )
    }

    pub(super) fn upsert_target(
        &self,
        source: &str,
        (service, address): (ServiceId, &str),
        facts: &TargetFacts,
        position: usize,
        at: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        let TargetFacts { agent, pod, uid, restarts } = facts;
        // SQLite has no greater integer, and a count that a source made up must not end the run.
        let restarts = restarts.and_then(|restarts| i64::try_from(restarts).ok());
        let (meta, counters) = match agent {
            Some(AgentKind::Raw { meta, counters }) => (Some(meta), Some(counters)),
            None | Some(AgentKind::Goc | AgentKind::Coverport) => (None, None),
        };
        let agent = agent.as_ref().map(AgentKind::word);
        self.run(
            "INSERT OR REPLACE INTO target (source, service_id, address, position, listed_at, agent, meta_path,
                                            counters_path, pod, uid, restarts)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![source, service, address, position, iso(at), agent, meta, counters, pod, uid, restarts],
        )
    }

    /// Deletes targets that were last listed before. The last one of a service stays, because it tells when the service
    /// was listed.
    pub(super) fn delete_targets(&self, before: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run(
            "DELETE FROM target AS old WHERE unlisted_at < ?1 AND EXISTS (
                 SELECT 1 FROM target AS other WHERE other.service_id = old.service_id
                     AND (other.unlisted_at IS NULL OR (other.unlisted_at, other.source, other.address)
                                                     > (old.unlisted_at, old.source, old.address)))",
            params![iso(before)],
        )
    }

    pub(super) fn end_target(
        &self,
        source: &str,
        service: ServiceId,
        address: &str,
        at: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        self.run(
            "UPDATE target SET unlisted_at = ?4 WHERE source = ?1 AND service_id = ?2 AND address = ?3",
            params![source, service, address, iso(at)],
        )
    }
}
