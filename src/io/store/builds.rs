//! Builds: their block structures, and the build groups of keys (table `edition`).

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::damage::ValueOwner;
use super::reading::{ByKey, by_key, fingerprint, key_list, key_owner, unknown};
use super::{Store, StoreError, Writer};
use crate::fleet::build_group::{BuildGroup, BuildGroupStatus, StructureIds};
use crate::fleet::ids::{BuildGroupId, KeyId, StructureId};
use crate::fleet::records::Key;
use crate::profile::{Fingerprint, Template, decode_build};
use crate::time::iso;

impl Store {
    /// Returns the structures of the build group that a key shows; empty when it shows none.
    pub(crate) fn shown(&self, key: &Key) -> Result<Vec<StructureId>, StoreError> {
        let sql = "SELECT DISTINCT cover_key.id, structure_id FROM cover_key
                   JOIN edition ON edition.key_id = cover_key.id AND edition.status = 'current'
                   JOIN generation ON generation.edition_id = edition.id
                   WHERE env = ?1 AND region = ?2 AND app_name = ?3 AND git_commit = ?4";
        let bound = params![key.env, key.region, key.app, key.commit];
        self.query_readable("generation", sql, bound, key_owner, |row| row.get(1))
    }

    /// Returns the build that an address, given in its normal form, served under a name at its last pull.
    pub(crate) fn last_build(&self, service: &str, address: &str) -> Result<Option<Fingerprint>, StoreError> {
        let sql = "SELECT service.id, structure.fingerprint FROM generation
                   JOIN edition ON edition.id = generation.edition_id
                   JOIN service ON service.key_id = edition.key_id
                   JOIN structure ON structure.id = generation.structure_id
                   WHERE service.name = ?1 AND generation.address = ?2 AND generation.closed_at IS NULL
                   ORDER BY generation.id DESC LIMIT 1";
        let owner = |row: &Row<'_>| row.get(0).map(ValueOwner::Service);
        let read = |row: &Row<'_>| fingerprint(row, 1);
        Ok(self.query_readable("structure", sql, params![service, address], owner, read)?.pop())
    }

    /// Returns the build groups of a key, the oldest first.
    pub(crate) fn build_groups(&self, key: KeyId) -> Result<Vec<BuildGroup>, StoreError> {
        Ok(self.build_groups_of(&[key])?.remove(&key).unwrap_or_default())
    }

    /// Returns the build groups of keys, the oldest first.
    pub(super) fn build_groups_of(&self, keys: &[KeyId]) -> Result<ByKey<BuildGroup>, StoreError> {
        let sql = "SELECT id, status, key_id FROM edition
                   WHERE key_id IN (SELECT value FROM json_each(?1)) ORDER BY id";
        let mut build_groups = by_key(self.query_all("edition", sql, key_list(keys), |row| {
            let word: String = row.get(1)?;
            let status = BuildGroupStatus::from_word(&word).ok_or_else(|| unknown(1, &word))?;
            Ok((row.get(2)?, BuildGroup { id: row.get(0)?, status, structures: Vec::new() }))
        })?);
        let sql = "SELECT DISTINCT generation.edition_id, structure.id, structure.fingerprint, edition.key_id
                   FROM edition JOIN generation ON generation.edition_id = edition.id
                   JOIN structure ON structure.id = generation.structure_id
                   WHERE edition.key_id IN (SELECT value FROM json_each(?1)) ORDER BY structure.id";
        let members = self.query_all("structure", sql, key_list(keys), |row| {
            Ok((row.get::<_, KeyId>(3)?, row.get::<_, BuildGroupId>(0)?, (row.get(1)?, fingerprint(row, 2)?)))
        })?;
        for (key, build_group, structure) in members {
            let mut known = build_groups.get_mut(&key).into_iter().flatten();
            if let Some(build_group) = known.find(|known| known.id == build_group) {
                build_group.structures.push(structure);
            }
        }
        Ok(build_groups)
    }

    /// Returns a block structure as a template for reading answers.
    pub(crate) fn structure(&self, structure: StructureId) -> Result<Template, StoreError> {
        let sql = "SELECT data FROM structure WHERE id = ?1";
        let data: Option<Vec<u8>> = self.query_all("structure", sql, [structure], |row| row.get(0))?.pop();
        let data = data.ok_or_else(|| self.damaged(format!("table structure: no id {}", structure.0)))?;
        decode_build(&data).map_err(|error| {
            self.damaged(format!("table structure, column data of id {}: {error}", structure.0))
        })
    }

    /// Returns all structures by fingerprint.
    pub(crate) fn structures(&self) -> Result<StructureIds, StoreError> {
        let sql = "SELECT id, fingerprint FROM structure";
        let owner = |row: &Row<'_>| row.get(0).map(ValueOwner::Structure);
        let read = |row: &Row<'_>| Ok((fingerprint(row, 1)?, row.get(0)?));
        Ok(self.query_readable("structure", sql, [], owner, read)?.into_iter().collect())
    }
}

impl Writer<'_> {
    pub(super) fn insert_structure(
        &self,
        id: StructureId,
        fingerprint: &Fingerprint,
        data: &[u8],
    ) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO structure (id, fingerprint, data) VALUES (?1, ?2, ?3)",
            params![id, fingerprint.as_bytes(), data],
        )
    }

    pub(super) fn mend_structure(&self, id: StructureId, data: &[u8]) -> rusqlite::Result<()> {
        self.run("UPDATE structure SET data = ?2 WHERE id = ?1", params![id, data])
    }

    pub(super) fn delete_unused_structures(&self) -> rusqlite::Result<()> {
        // Counters of a meta that was left may still come.
        self.run(
            "DELETE FROM structure WHERE id NOT IN (SELECT structure_id FROM generation)
                 AND id NOT IN (SELECT structure_id FROM meta JOIN left_meta USING (sha256))",
            params![],
        )
    }

    pub(super) fn insert_build_group(
        &self,
        id: BuildGroupId,
        key: KeyId,
        at: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO edition (id, key_id, status, created_at) VALUES (?1, ?2, 'aside', ?3)",
            params![id, key, iso(at)],
        )
    }

    pub(super) fn set_build_group_status(
        &self,
        id: BuildGroupId,
        status: BuildGroupStatus,
    ) -> rusqlite::Result<()> {
        self.run("UPDATE edition SET status = ?2 WHERE id = ?1", params![id, status.as_str()])
    }

    pub(super) fn move_structure(
        &self,
        structure: StructureId,
        from: BuildGroupId,
        to: BuildGroupId,
    ) -> rusqlite::Result<()> {
        self.run(
            "UPDATE generation SET edition_id = ?3 WHERE structure_id = ?1 AND edition_id = ?2",
            params![structure, from, to],
        )
    }

    /// Deletes all counters of a build group, and the build group itself unless a row refers to it.
    pub(super) fn drop_build_group(&self, build_group: BuildGroupId) -> rusqlite::Result<()> {
        let connection = &self.store.connection;
        connection.prepare_cached("DELETE FROM generation WHERE edition_id = ?1")?.execute([build_group])?;
        let sql = "DELETE FROM election WHERE winner_id = ?1 OR chosen_id = ?1";
        connection.prepare_cached(sql)?.execute([build_group])?;
        // A build group stays while a row has its id.
        let sql = "DELETE FROM edition WHERE id = ?1
                   AND NOT EXISTS (SELECT 1 FROM cover_fact WHERE edition_id = edition.id)";
        connection.prepare_cached(sql)?.execute([build_group])?;
        let sql = "UPDATE edition SET status = 'former' WHERE id = ?1";
        connection.prepare_cached(sql)?.execute([build_group])?;
        Ok(())
    }
}
