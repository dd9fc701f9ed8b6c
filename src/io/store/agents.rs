//! Agents that serve Go's binary coverage data: their kinds, the metas of their programs, and the processes of lives.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{Row, params};

use super::damage::ValueOwner;
use super::reading::{ByKey, by_key, fingerprint, key_list, key_owner, string_list};
use super::{Store, StoreError, Writer};
use crate::fleet::ids::{KeyId, LifeId, StructureId};
use crate::fleet::process::Process;
use crate::fleet::targets::AgentKind;
use crate::profile::Fingerprint;
use crate::profile::gocover::MetaHash;
use crate::time::iso;

/// Number of metas of a key that stay, however long ago they were left. A name without a commit has one key for all of
/// its builds, whose metas must not fill the disk.
const LEFT_METAS_OF_A_KEY: i64 = 16;
impl Store {
    /// Returns the addresses at which agents of the kind coverport were found.
    pub(crate) fn coverport_addresses(&self) -> Result<HashSet<String>, StoreError> {
        let sql = "SELECT address FROM agent WHERE kind = ?1";
        let owner = |row: &Row<'_>| Ok(ValueOwner::Address(row.get(0)?));
        Ok(self
            .query_readable("agent", sql, [AgentKind::COVERPORT], owner, |row| row.get(0))?
            .into_iter()
            .collect())
    }

    /// Returns the metas of this hash that processes of a key served or left, each with its SHA-256.
    pub(crate) fn metas(
        &self,
        key: KeyId,
        hash: MetaHash,
    ) -> Result<Vec<(Fingerprint, Vec<u8>)>, StoreError> {
        let sql = "SELECT ?2, sha256, data FROM meta WHERE hash = ?1 AND (
                       EXISTS (SELECT 1 FROM left_meta WHERE key_id = ?2 AND left_meta.sha256 = meta.sha256)
                       OR EXISTS (
                           SELECT 1 FROM edition
                           JOIN generation ON generation.edition_id = edition.id
                           JOIN process ON process.generation_id = generation.id
                           WHERE edition.key_id = ?2 AND process.meta = meta.sha256))";
        let read = |row: &Row<'_>| Ok((fingerprint(row, 1)?, row.get(2)?));
        self.query_readable("meta", sql, params![hash.as_bytes(), key], key_owner, read)
    }

    /// Returns the meta of the newest process of an environment, a region and an app.
    pub(crate) fn newest_meta_of_app(
        &self,
        [env, region, app]: &[String; 3],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT cover_key.id, meta.data FROM cover_key
                   JOIN edition ON edition.key_id = cover_key.id
                   JOIN generation ON generation.edition_id = edition.id
                   JOIN process ON process.generation_id = generation.id
                   JOIN meta ON meta.sha256 = process.meta
                   WHERE env = ?1 AND region = ?2 AND app_name = ?3 ORDER BY generation.id DESC LIMIT 1";
        let read = |row: &Row<'_>| row.get(1);
        Ok(self.query_readable("meta", sql, params![env, region, app], key_owner, read)?.into_iter().next())
    }

    /// Returns hash and SHA-256 of each meta that processes of keys served or left.
    pub(super) fn metas_of(&self, keys: &[KeyId]) -> Result<ByKey<(MetaHash, Fingerprint)>, StoreError> {
        let sql = "SELECT edition.key_id, sha256, hash FROM edition
                   JOIN generation ON generation.edition_id = edition.id
                   JOIN process ON process.generation_id = generation.id
                   JOIN meta ON sha256 = process.meta
                   WHERE edition.key_id IN (SELECT value FROM json_each(?1))
                   UNION
                   SELECT key_id, sha256, hash FROM left_meta JOIN meta USING (sha256)
                   WHERE key_id IN (SELECT value FROM json_each(?1))";
        let metas = self.query_readable("meta", sql, key_list(keys), key_owner, |row| {
            let hash = row.get(2).map(MetaHash::from_bytes)?;
            Ok((row.get(0)?, (hash, fingerprint(row, 1)?)))
        })?;
        Ok(by_key(metas))
    }

    /// Returns the meta with this SHA-256, which a process of a key served or left.
    pub(crate) fn meta(&self, key: KeyId, sha256: &Fingerprint) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT ?2, data FROM meta WHERE sha256 = ?1";
        let bound = params![sha256.as_bytes(), key];
        Ok(self.query_readable("meta", sql, bound, key_owner, |row| row.get(1))?.pop())
    }

    /// Tells whether a meta of this hash and another content is stored.
    pub(crate) fn has_other_meta(&self, hash: MetaHash, sha256: &Fingerprint) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM meta WHERE hash = ?1 AND sha256 <> ?2 LIMIT 1";
        let bound = params![hash.as_bytes(), sha256.as_bytes()];
        Ok(!self.query_all("meta", sql, bound, |row| row.get::<_, i64>(0))?.is_empty())
    }

    /// Tells whether a meta that was left for a key is stored.
    pub(crate) fn has_left_meta(&self, key: KeyId, sha256: &Fingerprint) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM left_meta JOIN meta USING (sha256) WHERE key_id = ?1 AND sha256 = ?2";
        let bound = params![key, sha256.as_bytes()];
        Ok(!self.query_all("left_meta", sql, bound, |row| row.get::<_, i64>(0))?.is_empty())
    }

    /// Returns the processes of the lives of a key, where agents told them.
    pub(crate) fn processes(&self, key: KeyId) -> Result<HashMap<LifeId, Process>, StoreError> {
        let processes = self.processes_of(&[key])?.remove(&key);
        Ok(processes.unwrap_or_default().into_iter().collect())
    }

    /// Returns the processes of the lives of keys, where agents told them.
    pub(super) fn processes_of(&self, keys: &[KeyId]) -> Result<ByKey<(LifeId, Process)>, StoreError> {
        let sql = "SELECT edition.key_id, generation.id, meta, pid, uid, restarts, read_at, pods, is_shared FROM edition
                   JOIN generation ON generation.edition_id = edition.id
                   JOIN process ON process.generation_id = generation.id
                   WHERE edition.key_id IN (SELECT value FROM json_each(?1))";
        let processes = self.query_readable("process", sql, key_list(keys), key_owner, |row| {
            let process = Process {
                meta: fingerprint(row, 2)?,
                pid: row.get(3)?,
                uid: row.get(4)?,
                restarts: row.get::<_, Option<i64>>(5)?.and_then(|restarts| restarts.try_into().ok()),
                read_at: row.get::<_, Option<i64>>(6)?.map(DateTime::from_timestamp_nanos),
                pods: match row.get_ref(7)? {
                    ValueRef::Null => BTreeSet::new(),
                    _ => string_list(row, 7)?.into_iter().collect(),
                },
                is_shared: row.get(8)?,
                started_at: None,
            };
            Ok((row.get(0)?, (row.get(1)?, process)))
        })?;
        Ok(by_key(processes))
    }
}

impl Writer<'_> {
    pub(super) fn set_coverport(&self, address: &str, is_coverport: bool) -> rusqlite::Result<()> {
        match is_coverport {
            true => self.run(
                "INSERT OR REPLACE INTO agent (address, kind) VALUES (?1, ?2)",
                params![address, AgentKind::COVERPORT],
            ),
            false => self.run("DELETE FROM agent WHERE address = ?1", params![address]),
        }
    }

    pub(super) fn insert_meta(
        &self,
        sha256: &Fingerprint,
        hash: MetaHash,
        structure: StructureId,
        data: &[u8],
    ) -> rusqlite::Result<()> {
        self.run(
            "INSERT OR REPLACE INTO meta (sha256, hash, structure_id, data) VALUES (?1, ?2, ?3, ?4)",
            params![sha256.as_bytes(), hash.as_bytes(), structure, data],
        )
    }

    pub(super) fn insert_left_meta(
        &self,
        key: KeyId,
        sha256: &Fingerprint,
        at: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        self.run(
            "INSERT OR REPLACE INTO left_meta (key_id, sha256, seen_at) VALUES (?1, ?2, ?3)",
            params![key, sha256.as_bytes(), iso(at)],
        )
    }

    /// Deletes metas that were seen last before a time, but never the last ones of a key.
    ///
    /// Go writes a meta when a process starts, and only its counters when it ends, which may be at any later time.
    pub(super) fn delete_left_metas(&self, before: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run(
            "DELETE FROM left_meta WHERE seen_at < ?1 AND ?2 <= (
                 SELECT count(*) FROM left_meta AS later WHERE later.key_id = left_meta.key_id
                     AND (later.seen_at, later.sha256) > (left_meta.seen_at, left_meta.sha256))",
            params![iso(before), LEFT_METAS_OF_A_KEY],
        )
    }

    pub(super) fn set_process(&self, life: LifeId, process: &Process) -> rusqlite::Result<()> {
        let Process { meta, pid, uid, restarts, pods, is_shared, read_at, started_at: _ } = process;
        let restarts = restarts.and_then(|restarts| i64::try_from(restarts).ok());
        let read_at = read_at.and_then(|at| at.timestamp_nanos_opt());
        let pods = (!pods.is_empty()).then(|| serde_json::json!(pods).to_string());
        self.run(
            "INSERT OR REPLACE INTO process (generation_id, meta, pid, uid, restarts, read_at, pods, is_shared)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![life, meta.as_bytes(), pid, uid, restarts, read_at, pods, is_shared],
        )
    }

    pub(super) fn delete_unused_agents(&self) -> rusqlite::Result<()> {
        self.run("DELETE FROM agent WHERE address NOT IN (SELECT address FROM address)", params![])
    }
}
