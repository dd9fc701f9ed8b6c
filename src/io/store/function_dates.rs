//! The dates of functions, stored by the report that found them, and by `prune` before it drops profiles.

use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension as _, Row, params};

use super::damage::ValueOwner;
use super::{Store, StoreError, reading};
use crate::carry::{DatedUntil, FunctionDates, FunctionDigest, LastExecution, PlaceDates};
use crate::fleet::records::Key;

impl Store {
    /// Returns the dates of the functions of an app in an environment and region; `None` if none are stored. The commit of
    /// `place` does not matter.
    pub(crate) fn function_dates(&self, place: &Key) -> Result<Option<PlaceDates>, StoreError> {
        let Some(app) = self.dated_app(place)? else { return Ok(None) };
        let owner = |_: &Row<'_>| Ok(ValueOwner::Nobody);
        let sql = "SELECT digest, first_at, executed_at, executed_row FROM function_date WHERE app_id = ?1";
        let functions = self.query_readable("function_date", sql, [app], owner, |row| {
            let executed = match (row.get::<_, Option<i64>>(2)?, row.get(3)?) {
                (Some(_), Some(id)) => Some(LastExecution { at: time(row, 2)?, row: id }),
                _ => None,
            };
            Ok((FunctionDigest(row.get(0)?), FunctionDates { first_at: time(row, 1)?, executed }))
        })?;
        let sql = "SELECT hash, row_id, read_at FROM dated_commit WHERE app_id = ?1";
        let commits = self.query_readable("dated_commit", sql, [app], owner, |row| {
            Ok((row.get(0)?, DatedUntil { row: row.get(1)?, at: time(row, 2)? }))
        })?;
        let (functions, commits) = (functions.into_iter().collect(), commits.into_iter().collect());
        Ok(Some(PlaceDates { functions, commits, ..PlaceDates::default() }))
    }

    /// Stores the dates of a place that changed, through a connection of its own.
    ///
    /// As with [`Self::remember_diff`], this needs no lock of the work directory: SQLite orders the transaction among those
    /// of a pull or prune, and these decide nothing by it. Two reports that do so at the same time store what both found.
    pub(crate) fn remember_function_dates(
        path: &Path,
        places: &[(Key, PlaceDates)],
    ) -> Result<(), StoreError> {
        Self::beside_a_run(path, |store| {
            places.iter().try_for_each(|(key, dates)| store.insert_dates(key, dates))
        })
    }

    /// Stores the dates of a place that changed.
    pub(crate) fn store_function_dates(&self, place: &Key, dates: &PlaceDates) -> Result<(), StoreError> {
        self.insert_dates(place, dates).map_err(self.failed())
    }

    /// Returns the time at which counters of a key were read last; `None` if none are kept.
    pub(crate) fn counters_read_at(&self, key: &Key) -> Result<Option<DateTime<Utc>>, StoreError> {
        let Some(key) = self.key_id(key)? else { return Ok(None) };
        let sql = "SELECT max(pulled_at) FROM generation WHERE edition_id IN (SELECT id FROM edition WHERE key_id = ?1)
                   HAVING max(pulled_at) IS NOT NULL";
        Ok(self.query_all("generation", sql, [key], |row| reading::time(row, 0))?.pop())
    }

    fn insert_dates(&self, place: &Key, dates: &PlaceDates) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        let Key { env, region, app, .. } = place;
        let known = "INSERT INTO dated_app (env, region, app) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        transaction.execute(known, params![env, region, app])?;
        let sql = "SELECT id FROM dated_app WHERE (env, region, app) = (?1, ?2, ?3)";
        let app: i64 = transaction.query_row(sql, params![env, region, app], |row| row.get(0))?;
        let sql = "INSERT INTO dated_commit (app_id, hash, row_id, read_at) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (app_id, hash) DO UPDATE SET row_id = excluded.row_id, read_at = excluded.read_at
                   WHERE (row_id, read_at) < (excluded.row_id, excluded.read_at)";
        for (hash, DatedUntil { row, at }) in &dates.commits {
            transaction.prepare_cached(sql)?.execute(params![app, hash, row, at.timestamp_millis()])?;
        }
        let sql = "INSERT INTO function_date (app_id, digest, first_at, executed_at, executed_row)
                   VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT (app_id, digest) DO UPDATE SET
                       first_at = min(first_at, excluded.first_at),
                       executed_row = iif(coalesce(excluded.executed_at > executed_at, executed_at IS NULL),
                           excluded.executed_row, executed_row),
                       executed_at = max(coalesce(executed_at, excluded.executed_at),
                           coalesce(excluded.executed_at, executed_at))";
        for digest in &dates.changed {
            let Some(FunctionDates { first_at, executed }) = dates.functions.get(digest) else { continue };
            let (at, row) = executed.map(|last| (last.at.timestamp_millis(), last.row)).unzip();
            transaction.prepare_cached(sql)?.execute(params![
                app,
                digest.0,
                first_at.timestamp_millis(),
                at,
                row
            ])?;
        }
        transaction.commit()
    }

    fn dated_app(&self, place: &Key) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM dated_app WHERE (env, region, app) = (?1, ?2, ?3)";
        let Key { env, region, app, .. } = place;
        let found = self.connection.query_row(sql, params![env, region, app], |row| row.get(0)).optional();
        found.map_err(self.failed())
    }
}

/// Reads milliseconds since 1970.
fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    let milliseconds: i64 = row.get(column)?;
    let at = DateTime::from_timestamp_millis(milliseconds);
    at.ok_or(rusqlite::Error::IntegralValueOutOfRange(column, milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::at;
    use crate::lock::LockProof;

    fn place(region: &str) -> Key {
        let [env, app, commit] = ["staging", "shop", "aaaa"].map(str::to_owned);
        Key { env, region: region.to_owned(), app, commit }
    }

    #[test]
    fn dates_are_kept_by_place_and_two_writers_store_what_both_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goc-watchdog.db");
        let store = Store::open(&path, &LockProof::new()).unwrap();
        assert_eq!(store.function_dates(&place("th")).unwrap(), None);
        let [a, b, c] = [1, 2, 3].map(|byte| FunctionDigest([byte; 16]));
        let mut dates = PlaceDates::default();
        dates.note(a, (1, at(10)), Some(at(10)));
        dates.note(b, (1, at(10)), None);
        dates.commits.insert("aaaa".to_owned(), DatedUntil { row: 1, at: at(10) });
        let mut other = PlaceDates::default();
        other.note(a, (1, at(5)), Some(at(5)));
        other.note(b, (2, at(20)), Some(at(20)));
        other.note(c, (2, at(20)), None);
        other.commits.insert("aaaa".to_owned(), DatedUntil { row: 2, at: at(20) });
        for dates in [&dates, &other, &dates] {
            Store::remember_function_dates(&path, &[(place("th"), dates.clone())]).unwrap();
        }
        let stored = store.function_dates(&place("th")).unwrap().unwrap();
        let of = |first, executed: Option<(i64, i64)>| FunctionDates {
            first_at: at(first),
            executed: executed.map(|(row, minute)| LastExecution { at: at(minute), row }),
        };
        let wanted = [(a, of(5, Some((1, 10)))), (b, of(10, Some((2, 20)))), (c, of(20, None))];
        assert_eq!(stored.functions, wanted.into_iter().collect());
        let until = DatedUntil { row: 2, at: at(20) };
        assert_eq!(stored.commits, [("aaaa".to_owned(), until)].into_iter().collect());
        assert_eq!(store.function_dates(&place("sg")).unwrap(), None);
    }
}
