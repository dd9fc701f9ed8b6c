//! The reading of rows and columns, independent of any table.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Error, Params, Row};

use super::damage::{ValueOwner, described, is_of_value};
use super::{Store, StoreError};
use crate::fleet::ids::KeyId;
use crate::profile::Fingerprint;

impl Store {
    /// Reads rows that belong together. One value that cannot be read fails all of them.
    pub(super) fn query_all<T>(
        &self,
        table: &str,
        sql: &str,
        bound: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let failed = self.failed();
        let mut statement = self.connection.prepare_cached(sql).map_err(&failed)?;
        let mut rows = statement.query(bound).map_err(&failed)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            all.push(read(row).map_err(|error| match is_of_value(&error) {
                true => self.damaged(described(table, row, &error)),
                false => failed(error),
            })?);
        }
        Ok(all)
    }

    /// Reads rows, and skips those with a value that cannot be read. Each skipped row is noted as damage of its
    /// `owner`.
    pub(super) fn query_readable<T>(
        &self,
        table: &str,
        sql: &str,
        bound: impl Params,
        owner: impl Fn(&Row<'_>) -> rusqlite::Result<ValueOwner>,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut damaged = Vec::new();
        let collect = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(bound)?;
            let mut sound = Vec::new();
            while let Some(row) = rows.next()? {
                match read(row) {
                    Ok(value) => sound.push(value),
                    Err(error) if is_of_value(&error) => {
                        damaged
                            .push((owner(row).unwrap_or(ValueOwner::Nobody), described(table, row, &error)));
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(sound)
        };
        let sound = collect().map_err(self.failed())?;
        self.note_all(damaged)?;
        Ok(sound)
    }
}

/// Keys that a statement reads together, as the parameter of `IN (SELECT value FROM json_each(?1))`.
pub(super) fn key_list(keys: &[KeyId]) -> [String; 1] {
    let ids: Vec<i64> = keys.iter().map(|key| key.0).collect();
    [serde_json::json!(ids).to_string()]
}

/// Rows by the keys that they are of.
pub(super) type ByKey<T> = HashMap<KeyId, Vec<T>>;

/// Groups rows by their keys.
pub(super) fn by_key<T>(rows: Vec<(KeyId, T)>) -> ByKey<T> {
    let mut of_keys = ByKey::new();
    for (key, row) in rows {
        of_keys.entry(key).or_default().push(row);
    }
    of_keys
}

/// Returns the key in column 0 as the owner of a row.
pub(super) fn key_owner(row: &Row<'_>) -> rusqlite::Result<ValueOwner> {
    row.get(0).map(ValueOwner::Key)
}

/// Returns the public row in column 0 as the owner of a row.
pub(super) fn row_owner(row: &Row<'_>) -> rusqlite::Result<ValueOwner> {
    row.get(0).map(ValueOwner::Row)
}

/// Reads a time.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    let stored: String = row.get(column)?;
    DateTime::parse_from_rfc3339(&stored)
        .map(|time| time.with_timezone(&Utc))
        .map_err(|_| unknown(column, &stored))
}

/// Reads a time that may be NULL.
pub(super) fn maybe_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DateTime<Utc>>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => time(row, column).map(Some),
    }
}

/// Reads a fingerprint.
pub(super) fn fingerprint(row: &Row<'_>, column: usize) -> rusqlite::Result<Fingerprint> {
    let bytes: Vec<u8> = row.get(column)?;
    Fingerprint::from_bytes(&bytes).ok_or_else(|| unknown(column, "fingerprint"))
}

/// Reads a list of strings, stored as JSON.
pub(super) fn string_list(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    let stored: String = row.get(column)?;
    serde_json::from_str(&stored).map_err(|_| unknown(column, &stored))
}

/// Returns the error for a value that this program never stores.
pub(super) fn unknown(column: usize, found: &str) -> rusqlite::Error {
    let what = format!("unexpected {found:?}");
    Error::FromSqlConversionFailure(column, Type::Text, what.into())
}
