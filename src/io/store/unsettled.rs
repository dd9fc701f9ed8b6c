//! Pulled lives that moved since what processes left in folders was last settled with them.
//!
//! A run can end between an answer and the end of its service. The counters that were settled stay here until then, so
//! that the next run settles the difference.

use rusqlite::{Row, params};

use super::reading::{ByKey, by_key, key_list, key_owner};
use super::{Store, StoreError, Writer};
use crate::fleet::ids::{KeyId, LifeId};
use crate::profile::decode_counts;

/// A life with its encoded counters when it was settled last; `None`: it is new since then.
type SettledLife = (LifeId, Option<Vec<u8>>);

impl Store {
    /// Returns the lives of keys that moved since they were settled.
    pub(super) fn unsettled_of(&self, keys: &[KeyId]) -> Result<ByKey<SettledLife>, StoreError> {
        // The table is mostly empty, so the planner must begin with it.
        let sql = "SELECT edition.key_id, generation.id, unsettled.counts FROM unsettled
                   CROSS JOIN generation ON generation.id = generation_id
                   CROSS JOIN edition ON edition.id = generation.edition_id
                   WHERE edition.key_id IN (SELECT value FROM json_each(?1))";
        let read = |row: &Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
        Ok(by_key(self.query_readable("unsettled", sql, key_list(keys), key_owner, read)?))
    }

    /// Returns the counters of a life that were settled last, which are its own where it did not move since; `None`: it is
    /// new since then, or gone.
    pub(crate) fn settled_counts(&self, life: LifeId, blocks: usize) -> Result<Option<Vec<u64>>, StoreError> {
        let sql = "SELECT CASE WHEN generation_id IS NULL THEN generation.counts ELSE unsettled.counts END
                   FROM generation LEFT JOIN unsettled ON generation_id = generation.id WHERE generation.id = ?1";
        let stored: Option<Option<Vec<u8>>> =
            self.query_all("unsettled", sql, [life], |row| row.get(0))?.pop();
        let decoded = stored.flatten().map(|counts| decode_counts(&counts, blocks));
        decoded.transpose().map_err(|error| self.damaged_counts(life, error))
    }
}

impl Writer<'_> {
    /// Keeps the counters of a life that is about to move or to be opened, unless earlier ones are kept already.
    pub(super) fn insert_unsettled(&self, life: LifeId) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO unsettled (generation_id, counts)
                 VALUES (?1, (SELECT counts FROM generation WHERE id = ?1)) ON CONFLICT DO NOTHING",
            params![life],
        )
    }

    pub(super) fn delete_unsettled(&self, key: KeyId) -> rusqlite::Result<()> {
        self.run(
            "DELETE FROM unsettled WHERE (SELECT edition.key_id FROM generation JOIN edition ON edition.id = edition_id
                 WHERE generation.id = generation_id) = ?1",
            params![key],
        )
    }
}
