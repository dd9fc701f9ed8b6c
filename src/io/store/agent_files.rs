//! The files of agents: which were named, and the builds that a change of `agent_files` replaces.

use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{Row, params};

use super::reading::{fingerprint, key_owner};
use super::{Store, StoreError, Writer};
use crate::fleet::ids::{BuildGroupId, KeyId, LifeId, StructureId};
use crate::fleet::left_process::{LeftName, SCHEME};
use crate::fleet::snapshot::hex;
use crate::profile::Fingerprint;

/// Start of the topics of programs whose left-out files were named. SHA-256 of the meta is their end.
const LEFT_OUT: &str = "left out ";

fn left_out_topic(key: KeyId, meta: &Fingerprint) -> String {
    format!("{LEFT_OUT}{} {}", key.0, hex(meta.as_bytes()))
}

/// A life whose counters came with a meta.
#[derive(Clone, Debug)]
pub(crate) struct LifeOfMeta {
    pub(crate) id: LifeId,
    pub(crate) key: KeyId,
    /// SHA-256 of its meta, in hex digits; `None` for counts of several lives, of which the structure alone is known.
    pub(crate) meta: Option<String>,
    pub(crate) build_group: BuildGroupId,
    pub(crate) structure: StructureId,
    pub(crate) is_open: bool,
}

impl Store {
    /// Tells whether a message has named the agent's files that are left out of this program of a key.
    pub(crate) fn is_left_out_told(&self, key: KeyId, meta: &Fingerprint) -> Result<bool, StoreError> {
        self.is_told(&left_out_topic(key, meta))
    }

    /// Returns SHA-256 of each meta, with its structure.
    pub(crate) fn structures_of_metas(&self) -> Result<Vec<(Fingerprint, StructureId)>, StoreError> {
        let sql = "SELECT sha256, structure_id FROM meta ORDER BY sha256";
        self.query_all("meta", sql, [], |row| Ok((fingerprint(row, 0)?, row.get(1)?)))
    }

    /// Returns the meta with this SHA-256.
    pub(crate) fn meta_data(&self, sha256: &Fingerprint) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT data FROM meta WHERE sha256 = ?1";
        Ok(self.query_all("meta", sql, [sha256.as_bytes()], |row| row.get(0))?.pop())
    }

    /// Returns the lives that came with metas, sorted by build group and structure.
    ///
    /// A life whose counters were left in a folder has the meta in its address. A sum of closed lives or a mixture has
    /// no process, so it is taken for one of the meta with its structure. Any other life without a process came from a
    /// text profile, which `agent_files` does not concern.
    pub(crate) fn lives_of_metas(&self) -> Result<Vec<LifeOfMeta>, StoreError> {
        let sql = "SELECT edition.key_id, generation.id, process.meta, edition_id, generation.structure_id,
                          closed_at IS NULL AND address IS NOT NULL, address
                   FROM generation JOIN edition ON edition.id = generation.edition_id
                   LEFT JOIN process ON process.generation_id = generation.id
                   WHERE process.meta IS NOT NULL OR substr(address, 1, length(?1)) = ?1
                      OR generation.structure_id IN (SELECT structure_id FROM meta) AND (address IS NULL OR is_mixture)
                   ORDER BY edition_id, generation.structure_id, generation.id";
        self.query_readable("generation", sql, [SCHEME], key_owner, |row: &Row<'_>| {
            let meta = match row.get_ref(2)? {
                ValueRef::Null => {
                    let address: Option<String> = row.get(6)?;
                    let left = address.as_deref().and_then(LeftName::parse);
                    left.map(|left| left.meta.to_owned())
                }
                _ => Some(hex(fingerprint(row, 2)?.as_bytes())),
            };
            Ok(LifeOfMeta {
                id: row.get(1)?,
                key: row.get(0)?,
                meta,
                build_group: row.get(3)?,
                structure: row.get(4)?,
                is_open: row.get(5)?,
            })
        })
    }
}

impl Writer<'_> {
    pub(super) fn set_left_out_told(
        &self,
        key: KeyId,
        meta: &Fingerprint,
        at: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        self.insert_told(&left_out_topic(key, meta), at)
    }

    /// Forgets which left-out files were named, for programs whose metas are gone.
    pub(super) fn forget_left_out(&self) -> rusqlite::Result<()> {
        self.run(
            "DELETE FROM told WHERE substr(topic, 1, length(?1)) = ?1
                 AND substr(topic, -64) NOT IN (SELECT lower(hex(sha256)) FROM meta)",
            params![LEFT_OUT],
        )
    }

    pub(super) fn set_build_of_meta(
        &self,
        sha256: &Fingerprint,
        structure: StructureId,
    ) -> rusqlite::Result<()> {
        self.run("UPDATE meta SET structure_id = ?2 WHERE sha256 = ?1", params![sha256.as_bytes(), structure])
    }

    /// Replaces the structure of a life with its counters. Its last answer had other blocks.
    pub(super) fn set_build_of_life(
        &self,
        id: LifeId,
        structure: StructureId,
        counts: &[u8],
        (left, settled): (Option<&[u8]>, Option<&[u8]>),
    ) -> rusqlite::Result<()> {
        self.run(
            "UPDATE generation SET structure_id = ?2, counts = ?3 WHERE id = ?1",
            params![id, structure, counts],
        )?;
        if let Some(left) = left {
            self.run("UPDATE left_counts SET counts = ?2 WHERE generation_id = ?1", params![id, left])?;
        }
        if let Some(settled) = settled {
            let sql = "UPDATE unsettled SET counts = ?2 WHERE generation_id = ?1 AND counts IS NOT NULL";
            self.run(sql, params![id, settled])?;
        }
        self.set_last_answer(id, None)
    }
}
