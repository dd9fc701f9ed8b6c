//! Counters that processes left in folders, with the pulled lives that may have a part of them.

use std::collections::HashMap;

use rusqlite::{Row, params};

use super::reading::key_owner;
use super::{Store, StoreError, Writer};
use crate::fleet::ids::{KeyId, LifeId};
use crate::profile::decode_counts;

impl Store {
    /// Returns the left lives of a key of which pulled lives may have a part, each with those lives.
    pub(crate) fn left_owners(&self, key: KeyId) -> Result<HashMap<LifeId, Vec<LifeId>>, StoreError> {
        let sql = "SELECT edition.key_id, generation.id, owner_id FROM edition
                   JOIN generation ON generation.edition_id = edition.id
                   JOIN left_counts ON left_counts.generation_id = generation.id
                   LEFT JOIN left_owner ON left_id = generation.id WHERE edition.key_id = ?1";
        let read = |row: &Row<'_>| Ok((row.get(1)?, row.get::<_, Option<LifeId>>(2)?));
        let mut owners: HashMap<LifeId, Vec<LifeId>> = HashMap::new();
        for (left, owner) in self.query_readable("left_owner", sql, [key], key_owner, read)? {
            owners.entry(left).or_default().extend(owner);
        }
        Ok(owners)
    }

    /// Returns the counters of a left life as they were left; `None` if the life has all of them.
    pub(crate) fn left_counts(&self, life: LifeId, blocks: usize) -> Result<Option<Vec<u64>>, StoreError> {
        let sql = "SELECT counts FROM left_counts WHERE generation_id = ?1";
        let stored: Option<Vec<u8>> = self.query_all("left_counts", sql, [life], |row| row.get(0))?.pop();
        let decoded = stored.map(|counts| decode_counts(&counts, blocks));
        decoded.transpose().map_err(|error| self.damaged_counts(life, error))
    }
}

impl Writer<'_> {
    pub(super) fn set_left_counts(
        &self,
        life: LifeId,
        counts: &[u8],
        owners: &[LifeId],
    ) -> rusqlite::Result<()> {
        self.run(
            "INSERT OR REPLACE INTO left_counts (generation_id, counts) VALUES (?1, ?2)",
            params![life, counts],
        )?;
        self.run("DELETE FROM left_owner WHERE left_id = ?1", params![life])?;
        for owner in owners {
            self.run("INSERT INTO left_owner (left_id, owner_id) VALUES (?1, ?2)", params![life, owner])?;
        }
        Ok(())
    }
}
