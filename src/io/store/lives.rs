//! Lives of processes, with their counters. The tables call a life a generation.

use chrono::{DateTime, Utc};
use rusqlite::{Error, Params, Row, ToSql, params};

use super::damage::{ValueOwner, described, is_of_value};
use super::reading::{ByKey, by_key, key_list, maybe_time, time};
use super::{Store, StoreError, Writer};
use crate::fleet::ids::{BuildGroupId, KeyId, LifeId, StructureId};
use crate::fleet::records::{LastAnswer, Life};
use crate::profile::{CodecError, Mode, decode_counts};
use crate::time::iso;

/// Largest number of bytes of counters that are read with those of other lives.
const LONGEST_SMALL_COUNTS: usize = 64 << 10;
/// Largest number of bytes of all counters that are read together.
const MOST_SMALL_COUNTS: usize = 4 << 20;

impl Store {
    /// Returns the size in bytes of the counters of a build group.
    pub(crate) fn build_group_bytes(&self, build_group: BuildGroupId) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(length(counts)), 0) FROM generation WHERE edition_id = ?1";
        Ok(self.query_all("generation", sql, [build_group], |row| row.get(0))?.pop().unwrap_or(0))
    }

    /// Returns the size in bytes of the counters of a key.
    pub(crate) fn key_bytes(&self, key: KeyId) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(length(counts)), 0) FROM generation
                   JOIN edition ON edition.id = edition_id WHERE key_id = ?1";
        Ok(self.query_all("generation", sql, [key], |row| row.get(0))?.pop().unwrap_or(0))
    }

    /// Returns the lives of a key, the oldest first, without their counters.
    pub(crate) fn lives(&self, key: KeyId) -> Result<Vec<Life>, StoreError> {
        Ok(self.lives_of(&[key])?.remove(&key).unwrap_or_default())
    }

    /// Returns the lives of keys, the oldest first, without their counters.
    pub(super) fn lives_of(&self, keys: &[KeyId]) -> Result<ByKey<Life>, StoreError> {
        let sql =
            "SELECT generation.id, edition_id, structure_id, address, mode, opened_at, pulled_at, closed_at, is_mixture,
                    edition.key_id
                   FROM edition JOIN generation ON generation.edition_id = edition.id
                   WHERE edition.key_id IN (SELECT value FROM json_each(?1)) ORDER BY generation.id";
        let mut damaged = Vec::new();
        let lives = {
            let mut life = reading_lives(&mut damaged);
            self.query_all("generation", sql, key_list(keys), |row| Ok((row.get(9)?, life(row)?)))?
        };
        self.note_all(damaged)?;
        Ok(by_key(lives))
    }

    /// Returns at most `limit` lives that were closed before `until`, sorted by build group and structure, so
    /// that lives that fold into one sum follow each other.
    ///
    /// A mixture is not folded while a life that may own some of its counts is not folded: each that was stored when the
    /// mixture last grew. The same holds for all lives of a build that have counters of files, and for these files. No life
    /// of a build is folded while one is to be settled with what processes left.
    pub(crate) fn closed_before(&self, until: DateTime<Utc>, limit: usize) -> Result<Vec<Life>, StoreError> {
        let sql =
            "SELECT id, edition_id, structure_id, address, mode, opened_at, pulled_at, closed_at, is_mixture
                   FROM generation WHERE address IS NOT NULL AND closed_at < ?1
                   AND (is_mixture = 0 OR NOT EXISTS (
                       SELECT 1 FROM generation AS life
                       WHERE (life.edition_id, life.structure_id, life.mode, life.address)
                             = (generation.edition_id, generation.structure_id, generation.mode, generation.address)
                         AND (life.id < generation.id OR life.opened_at <= generation.closed_at)
                         AND life.is_mixture = 0 AND (life.closed_at IS NULL OR life.closed_at >= ?1)))
                   AND (NOT (EXISTS (SELECT 1 FROM left_owner WHERE left_id = generation.id)
                             OR EXISTS (SELECT 1 FROM left_owner WHERE owner_id = generation.id))
                        OR NOT EXISTS (
                       SELECT 1 FROM left_owner JOIN generation AS life ON life.id IN (left_id, owner_id)
                       WHERE (life.edition_id, life.structure_id) = (generation.edition_id, generation.structure_id)
                         AND (life.closed_at IS NULL OR life.closed_at >= ?1)))
                   AND NOT EXISTS (
                       SELECT 1 FROM unsettled CROSS JOIN generation AS life ON life.id = generation_id
                       WHERE (life.edition_id, life.structure_id) = (generation.edition_id, generation.structure_id))
                   ORDER BY edition_id, structure_id, id LIMIT ?2";
        let owner = |row: &Row<'_>| row.get(1).map(ValueOwner::BuildGroup);
        let mut damaged = Vec::new();
        let read = reading_lives(&mut damaged);
        let lives = self.query_readable("generation", sql, params![iso(until), limit], owner, read)?;
        self.note_all(damaged)?;
        Ok(lives)
    }

    /// Returns the sum into which closed lives of a build were folded, if there is one.
    pub(crate) fn folded(
        &self,
        build_group: BuildGroupId,
        structure: StructureId,
    ) -> Result<Option<Life>, StoreError> {
        let sql =
            "SELECT id, edition_id, structure_id, address, mode, opened_at, pulled_at, closed_at, is_mixture
                   FROM generation WHERE edition_id = ?1 AND structure_id = ?2 AND address IS NULL";
        Ok(self.query_lives(sql, params![build_group, structure])?.pop())
    }

    /// Returns the counters of a life whose build has so many blocks; `None` if it was folded meanwhile.
    pub(crate) fn counts(&self, life: LifeId, blocks: usize) -> Result<Option<Vec<u64>>, StoreError> {
        let stored = self.encoded_counts(life)?;
        let decoded = stored.map(|counts| decode_counts(&counts, blocks));
        decoded.transpose().map_err(|error| self.damaged_counts(life, error))
    }

    /// Returns the counters of a life as they are stored; `None` if it was folded meanwhile.
    pub(crate) fn encoded_counts(&self, life: LifeId) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT counts FROM generation WHERE id = ?1";
        Ok(self.query_all("generation", sql, [life], |row| row.get(0))?.pop())
    }

    /// Returns the counters of open lives of keys as they are stored, of as many lives as take little memory. Counters of
    /// another type are left out; a damaged page is an error.
    pub(crate) fn small_counts_of(&self, keys: &[KeyId]) -> Result<ByKey<(LifeId, Vec<u8>)>, StoreError> {
        let sql = "SELECT generation.id, counts, edition.key_id
                   FROM edition JOIN generation ON generation.edition_id = edition.id
                   WHERE edition.key_id IN (SELECT value FROM json_each(?1))
                       AND closed_at IS NULL AND length(counts) <= ?2";
        let [keys] = key_list(keys);
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![keys, LONGEST_SMALL_COUNTS])?;
            let (mut all, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let Ok(counts) = row.get::<_, Vec<u8>>(1) else { continue };
                bytes += counts.len();
                if bytes > MOST_SMALL_COUNTS {
                    break;
                }
                all.push((row.get(2)?, (row.get(0)?, counts)));
            }
            Ok(by_key(all))
        };
        read().map_err(self.failed())
    }

    /// Returns the error for counters of a life that cannot be decoded.
    pub(crate) fn damaged_counts(&self, life: LifeId, error: CodecError) -> StoreError {
        let id = life.0;
        self.damaged(format!(
            "table generation, column counts of id {id}: {error}; put back a copy of the database, or give up what \
             that process counted alone: sqlite3 FILE \"DELETE FROM generation WHERE id = {id}\""
        ))
    }

    /// Returns the digests of the last answers of the lives of keys, where the stored counters are those of that answer.
    pub(super) fn last_answers_of(&self, keys: &[KeyId]) -> Result<ByKey<(LifeId, LastAnswer)>, StoreError> {
        let sql = "SELECT edition_id, fraction, imprint, generation_id, edition.key_id FROM edition
                   JOIN generation ON generation.edition_id = edition.id
                   JOIN last_answer ON generation_id = generation.id
                   WHERE edition.key_id IN (SELECT value FROM json_each(?1))";
        let owner = |row: &Row<'_>| row.get(0).map(ValueOwner::BuildGroup);
        let answers = self.query_readable("last_answer", sql, key_list(keys), owner, |row| {
            let answer = LastAnswer { fraction: row.get(1)?, answer_digest: row.get(2)? };
            Ok((row.get(4)?, (row.get(3)?, answer)))
        })?;
        Ok(by_key(answers))
    }

    fn query_lives(&self, sql: &str, bound: impl Params) -> Result<Vec<Life>, StoreError> {
        let mut damaged = Vec::new();
        let lives = self.query_all("generation", sql, bound, reading_lives(&mut damaged))?;
        self.note_all(damaged)?;
        Ok(lives)
    }
}

impl Writer<'_> {
    /// Inserts a life of these values: id, build group, structure, address, mode, time, time of its end (if it has
    /// ended), counters.
    pub(super) fn insert_life(&self, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO generation (id, edition_id, structure_id, address, mode, opened_at, pulled_at, closed_at, counts)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8)",
            values,
        )
    }

    pub(super) fn set_counts(
        &self,
        id: LifeId,
        mode: Mode,
        at: DateTime<Utc>,
        counts: &[u8],
        answer: Option<&LastAnswer>,
    ) -> rusqlite::Result<()> {
        self.run(
            "UPDATE generation SET mode = ?2, pulled_at = ?3, counts = ?4 WHERE id = ?1",
            params![id, mode.as_str(), iso(at), counts],
        )?;
        self.set_last_answer(id, answer)
    }

    pub(super) fn close_life(&self, id: LifeId, at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run("UPDATE generation SET closed_at = ?2 WHERE id = ?1", params![id, iso(at)])?;
        self.set_last_answer(id, None)
    }

    pub(super) fn reopen_life(&self, id: LifeId) -> rusqlite::Result<()> {
        self.run("UPDATE generation SET closed_at = NULL WHERE id = ?1", params![id])
    }

    pub(super) fn mark_mixture(&self, id: LifeId) -> rusqlite::Result<()> {
        self.run("UPDATE generation SET is_mixture = 1 WHERE id = ?1", params![id])
    }

    pub(super) fn delete_life(&self, id: LifeId) -> rusqlite::Result<()> {
        self.run("DELETE FROM generation WHERE id = ?1", params![id])
    }

    /// Closes the lives at an address of a service.
    pub(super) fn close_lives_at(
        &self,
        service: &str,
        address: &str,
        at: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        self.run(
            "UPDATE generation SET closed_at = ?3
                 WHERE address = ?2 AND closed_at IS NULL
                   AND edition_id IN (SELECT edition.id FROM edition
                                      JOIN service ON service.key_id = edition.key_id WHERE service.name = ?1)",
            params![service, address, iso(at)],
        )
    }

    /// Replaces the remembered answer of a life. The one of earlier counters must not stay beside new counters.
    pub(super) fn set_last_answer(&self, id: LifeId, answer: Option<&LastAnswer>) -> rusqlite::Result<()> {
        match answer {
            None => self.run("DELETE FROM last_answer WHERE generation_id = ?1", params![id]),
            Some(LastAnswer { fraction, answer_digest }) => self.run(
                "INSERT INTO last_answer (generation_id, fraction, imprint) VALUES (?1, ?2, ?3)
                 ON CONFLICT (generation_id) DO UPDATE SET fraction = excluded.fraction,
                     imprint = excluded.imprint",
                params![id, fraction, answer_digest],
            ),
        }
    }
}

/// Returns a closure that reads a life and notes each time that cannot be read.
fn reading_lives(damaged: &mut Vec<(ValueOwner, String)>) -> impl FnMut(&Row<'_>) -> rusqlite::Result<Life> {
    |row| {
        let build_group = row.get(1)?;
        life_from_row(row, |error| {
            damaged.push((ValueOwner::BuildGroup(build_group), described("generation", row, error)));
        })
    }
}

/// Reads a life. A time that cannot be read must not cost the counters: another time is used in its place, and
/// `damaged` is called.
pub(super) fn life_from_row(row: &Row<'_>, mut damaged: impl FnMut(&Error)) -> rusqlite::Result<Life> {
    let mut lenient = |time: rusqlite::Result<DateTime<Utc>>| match time {
        Err(error) if is_of_value(&error) => {
            damaged(&error);
            Ok(None)
        }
        time => time.map(Some),
    };
    let (opened_at, pulled_at) = (lenient(time(row, 5))?, lenient(time(row, 6))?);
    let known = opened_at.or(pulled_at).unwrap_or(DateTime::UNIX_EPOCH);
    let closed_at = match maybe_time(row, 7) {
        Ok(closed_at) => closed_at,
        Err(error) => Some(lenient(Err(error))?.unwrap_or(pulled_at.unwrap_or(known))),
    };
    Ok(Life {
        id: row.get(0)?,
        build_group: row.get(1)?,
        structure: row.get(2)?,
        address: row.get(3)?,
        mode: Mode::from_word(&row.get::<_, String>(4)?),
        opened_at: opened_at.unwrap_or(known),
        pulled_at: pulled_at.unwrap_or(known),
        closed_at,
        is_mixture: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::change::Change;
    use crate::fleet::records::Key;
    use crate::lock::LockProof;
    use crate::profile::Fingerprint;

    /// Stores a life of the only key with counters of so many bytes.
    fn life(id: i64, bytes: usize, closed_at: Option<DateTime<Utc>>) -> Change {
        Change::LifeOpened {
            id: LifeId(id),
            build_group: BuildGroupId(1),
            structure: StructureId(1),
            address: Some(format!("http://10.0.0.{id}")),
            mode: Mode::Atomic,
            at: DateTime::UNIX_EPOCH,
            closed_at,
            counts: vec![1; bytes],
            answer: None,
        }
    }

    /// The sizes of the counters of lives that are read together.
    fn read_together(lives: &[Change]) -> Vec<(i64, usize)> {
        let home = tempfile::tempdir().unwrap();
        let proof = LockProof::new();
        let store = Store::open(&home.path().join("db"), &proof).unwrap();
        let (at, fingerprint) = (DateTime::UNIX_EPOCH, Fingerprint::for_data(b""));
        let [env, region, app, commit] = ["e", "r", "a", "c"].map(str::to_owned);
        let parents = [
            Change::Key(KeyId(1), Key { env, region, app, commit }),
            Change::Structure { id: StructureId(1), fingerprint, data: Vec::new() },
            Change::BuildGroup { id: BuildGroupId(1), key: KeyId(1), at },
        ];
        let mut writer = store.writer(&proof);
        writer.apply_all(&parents).unwrap();
        writer.apply_all(lives).unwrap();
        writer.commit().unwrap();
        let read =
            store.small_counts_of(&[KeyId(1), KeyId(2)]).unwrap().remove(&KeyId(1)).unwrap_or_default();
        let mut sizes: Vec<_> = read.into_iter().map(|(life, counts)| (life.0, counts.len())).collect();
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn small_counts_of_open_lives_are_read_together() {
        let lives = [
            life(1, 9, None),
            life(2, 9, Some(DateTime::UNIX_EPOCH)),
            life(3, LONGEST_SMALL_COUNTS, None),
            life(4, LONGEST_SMALL_COUNTS + 1, None),
        ];
        assert_eq!(read_together(&lives), [(1, 9), (3, LONGEST_SMALL_COUNTS)]);
    }

    #[test]
    fn counts_that_are_read_together_are_bounded() {
        let most = MOST_SMALL_COUNTS / LONGEST_SMALL_COUNTS;
        let lives: Vec<Change> =
            (0..=most).map(|id| life(i64::try_from(id).unwrap(), LONGEST_SMALL_COUNTS, None)).collect();
        assert_eq!(read_together(&lives).len(), most);
    }
}
