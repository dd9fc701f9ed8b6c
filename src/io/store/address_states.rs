//! Health of addresses: their states, suspicions and tombstones, and the number of replicas of a key that answered.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::damage::{ValueOwner, is_of_value};
use super::reading::{key_owner, maybe_time, time, unknown};
use super::{Store, StoreError, Writer};
use crate::address::normal_form;
use crate::fleet::ids::KeyId;
use crate::fleet::liveness::{Finding, ProbeFinding, Streak, Suspicion};
use crate::fleet::records::{AddressState, AddressStates, Replicas};
use crate::fleet::schedule::AddressRetry;
use crate::fleet::tombstone::Tombstone;
use crate::profile::Fingerprint;
use crate::time::iso;

impl Store {
    /// Returns the states of all addresses, by key and normal form of the address.
    pub(crate) fn addresses(&self) -> Result<AddressStates, StoreError> {
        let sql = "SELECT key_id, address, last_answer_at, failures, next_try_at, last_error, fraction,
                          peeked, other_build FROM address ORDER BY key_id, address";
        let mut addresses = AddressStates::new();
        self.query_readable("address", sql, [], key_owner, |row| {
            let state = AddressState {
                last_answer_at: maybe_time(row, 2)?,
                retry: AddressRetry { failures: row.get(3)?, next_try: maybe_time(row, 4)? },
                last_error: row.get(5)?,
                fraction: row.get(6)?,
                peeked: row.get(7)?,
                other_build: row
                    .get::<_, Option<Vec<u8>>>(8)?
                    .and_then(|bytes| Fingerprint::from_bytes(&bytes)),
            };
            // Lists are smaller than maps, because most keys have one address.
            let of_key: &mut Vec<_> = addresses.entry(row.get(0)?).or_default();
            of_key.reserve_exact(1);
            of_key.push((row.get(1)?, state));
            Ok(())
        })?;
        Ok(addresses)
    }

    /// Returns the numbers of replicas of each key at its last pull.
    pub(crate) fn replicas(&self) -> Result<HashMap<KeyId, Replicas>, StoreError> {
        let sql = "SELECT key_id, answered, listed, pulled_at FROM replicas";
        let rows = self.query_readable("replicas", sql, [], key_owner, |row| {
            let replicas = Replicas { answered: row.get(1)?, listed: row.get(2)?, pulled_at: time(row, 3)? };
            Ok((row.get(0)?, replicas))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Returns the stored failures of addresses.
    pub(crate) fn suspicions(&self) -> Result<HashMap<String, Suspicion>, StoreError> {
        let sql = "SELECT address, since, runs, plain_since, plain_runs, witnessed_since, last_failed_at,
                          finding, detail, is_dead FROM suspicion";
        let owner = |row: &Row<'_>| Ok(ValueOwner::Address(row.get(0)?));
        let rows = self.query_readable("suspicion", sql, [], owner, |row| {
            let word: String = row.get(7)?;
            let suspicion = Suspicion {
                any: Streak { since: time(row, 1)?, runs: row.get(2)? },
                plain: match maybe_time(row, 3)? {
                    Some(since) => Some(Streak { since, runs: row.get(4)? }),
                    None => None,
                },
                witnessed_since: maybe_time(row, 5)?,
                last_failed_at: time(row, 6)?,
                probe: ProbeFinding {
                    finding: Finding::from_word(&word).ok_or_else(|| unknown(7, &word))?,
                    detail: row.get(8)?,
                },
                is_dead: row.get(9)?,
            };
            Ok((row.get(0)?, suspicion))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Returns the tombstones of removed addresses.
    pub(crate) fn tombstones(&self) -> Result<Vec<Tombstone>, StoreError> {
        let sql = "SELECT center, address, service, build, removed_at, was_alive FROM tombstone
                   ORDER BY center, address, service";
        let owner = |row: &Row<'_>| Ok(ValueOwner::Address(row.get(1)?));
        self.query_readable("tombstone", sql, [], owner, |row| {
            Ok(Tombstone {
                center: row.get(0)?,
                address: row.get(1)?,
                service: row.get(2)?,
                build: row.get::<_, Option<Vec<u8>>>(3)?.and_then(|bytes| Fingerprint::from_bytes(&bytes)),
                removed_at: time(row, 4)?,
                was_alive: row.get(5)?,
            })
        })
    }
}

/// Reads a key and an address; `None` for damaged values.
fn readable_state(row: &Row<'_>) -> rusqlite::Result<Option<(KeyId, String)>> {
    match row.get(0).and_then(|key| Ok((key, row.get(1)?))) {
        Err(error) if is_of_value(&error) => Ok(None),
        state => state.map(Some),
    }
}

impl Writer<'_> {
    pub(super) fn set_address_state(
        &self,
        key: KeyId,
        address: &str,
        state: &AddressState,
    ) -> rusqlite::Result<()> {
        let AddressState { last_answer_at, retry, last_error, fraction, peeked, other_build } = state;
        self.run(
            "INSERT OR REPLACE INTO address (key_id, address, last_answer_at, failures, next_try_at,
                         last_error, fraction, peeked, other_build)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                key,
                address,
                last_answer_at.map(iso),
                retry.failures,
                retry.next_try.map(iso),
                last_error,
                fraction,
                peeked,
                other_build.as_ref().map(Fingerprint::as_bytes),
            ],
        )
    }

    /// Deletes the states of addresses that nothing lists, and that were last asked before a time.
    pub(super) fn delete_address_states(&self, before: DateTime<Utc>) -> rusqlite::Result<()> {
        let connection = &self.store.connection;
        let sql = "SELECT key_id, address FROM address
                   WHERE coalesce(last_answer_at, '') < ?1 AND coalesce(next_try_at, '') < ?1";
        let mut statement = connection.prepare_cached(sql)?;
        let old = statement.query_map([iso(before)], readable_state)?;
        let old: Vec<_> = old.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect();
        if old.is_empty() {
            return Ok(());
        }
        // A center's list has the spellings that were registered.
        let sql = "SELECT service.key_id, listing.address FROM listing JOIN service ON service.id = listing.service_id
                   UNION SELECT service.key_id, target.address FROM target JOIN service ON service.id = target.service_id";
        let mut listed: HashSet<(KeyId, String)> = HashSet::new();
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            // A damaged address is no address of a state.
            if let Some((key, address)) = readable_state(row)? {
                listed.insert((key, normal_form(&address)));
            }
        }
        for state in old {
            if !listed.contains(&state) {
                let (key, address) = state;
                self.run("DELETE FROM address WHERE key_id = ?1 AND address = ?2", params![key, address])?;
            }
        }
        Ok(())
    }

    pub(super) fn set_replicas(&self, key: KeyId, replicas: &Replicas) -> rusqlite::Result<()> {
        let Replicas { answered, listed, pulled_at } = replicas;
        self.run(
            "INSERT OR REPLACE INTO replicas (key_id, answered, listed, pulled_at) VALUES (?1, ?2, ?3, ?4)",
            params![key, answered, listed, iso(*pulled_at)],
        )
    }

    pub(super) fn set_suspicion(&self, address: &str, suspicion: &Suspicion) -> rusqlite::Result<()> {
        let Suspicion { any, plain, witnessed_since, last_failed_at, probe, is_dead } = suspicion;
        self.run(
            "INSERT OR REPLACE INTO suspicion (address, since, runs, plain_since, plain_runs,
                         witnessed_since, last_failed_at, finding, detail, is_dead)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                address,
                iso(any.since),
                any.runs,
                plain.map(|Streak { since, .. }| iso(since)),
                plain.map_or(0, |Streak { runs, .. }| runs),
                witnessed_since.map(iso),
                iso(*last_failed_at),
                probe.finding.word(),
                probe.detail,
                is_dead,
            ],
        )
    }

    pub(super) fn delete_suspicion(&self, address: &str) -> rusqlite::Result<()> {
        self.run("DELETE FROM suspicion WHERE address = ?1", params![address])
    }

    pub(super) fn insert_tombstone(&self, tombstone: &Tombstone) -> rusqlite::Result<()> {
        let Tombstone { center, address, service, build, removed_at, was_alive } = tombstone;
        self.run(
            "INSERT OR REPLACE INTO tombstone (center, address, service, build, removed_at, was_alive)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                center,
                address,
                service,
                build.as_ref().map(Fingerprint::as_bytes),
                iso(*removed_at),
                was_alive,
            ],
        )
    }

    pub(super) fn delete_tombstone(&self, tombstone: &Tombstone) -> rusqlite::Result<()> {
        let Tombstone { center, address, service, .. } = tombstone;
        self.run(
            "DELETE FROM tombstone WHERE center = ?1 AND address = ?2 AND service = ?3",
            params![center, address, service],
        )
    }
}
