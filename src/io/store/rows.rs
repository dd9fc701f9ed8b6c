//! Rows of the public table, their figures and files.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rusqlite::{Error, Row as SqlRow, params};

use super::damage::ValueOwner;
use super::ids::HIGHEST_ID;
use super::keys::shown_name;
use super::reading::{fingerprint, key_list, maybe_time, row_owner, time};
use super::{Store, StoreError, Writer};
use crate::coverage::Coverage;
use crate::fleet::ids::{BuildGroupId, KeyId, RowId};
use crate::fleet::records::Key;
use crate::fleet::retention::{HIGHEST_NUMBER, RowFiles};
use crate::fleet::row::{LatestFile, NewRow, Row, RowFilter, RowStats};
use crate::profile::Fingerprint;
use crate::time::iso;

/// The name of the public table.
const PUBLIC_TABLE: &str = "goc_o_staging_service_cover";

/// The columns of the public table (`cover`) and of its figures, in the order of [`public_row`].
const COLUMNS: &str = "cover.id, cover.created_at, env, region, app_name, addresses, git_branch, git_commit, is_latest, \
                       cov_file_path, cover_total, edition_id, covered, total, covered_digest, counts_digest, answered, \
                       listed, deleted_at, mark.name";

/// The public table with the figures and marks of its rows.
const TABLES: &str = "goc_o_staging_service_cover AS cover LEFT JOIN cover_fact ON cover_fact.row_id = cover.id \
                      LEFT JOIN mark ON mark.row_id = cover.id";

impl Store {
    /// Returns the last number of each app's profiles, by folder.
    pub(super) fn app_numbers(&self) -> Result<HashMap<String, u64>, StoreError> {
        let sql = "SELECT app_name, folder, last_number FROM app";
        let owner = |row: &SqlRow<'_>| row.get(0).map(ValueOwner::App);
        let rows = self.query_readable("app", sql, [], owner, |row| {
            let number: i64 = row.get(2)?;
            let sound = u64::try_from(number).ok().filter(|number| *number <= HIGHEST_NUMBER);
            Ok((row.get(1)?, sound.ok_or(Error::IntegralValueOutOfRange(2, number))?))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Returns rows of the public table, the newest last.
    pub(crate) fn rows(&self, filter: &RowFilter<'_>) -> Result<Vec<Row>, StoreError> {
        let any = Key::default();
        let key = filter.key.unwrap_or(&any);
        let sql = format!(
            "SELECT {COLUMNS}
             FROM {TABLES}
             WHERE (?7 OR deleted_at IS NULL) AND (NOT ?1 OR is_latest = 'y')
               AND (NOT ?2 OR (env = ?3 AND region = ?4 AND app_name = ?5 AND git_commit = ?6))
               AND (?8 IS NULL OR mark.name = ?8)
             ORDER BY cover.id"
        );
        let bound = params![
            filter.latest_only,
            filter.key.is_some(),
            key.env,
            key.region,
            key.app,
            key.commit,
            filter.with_dropped,
            filter.mark,
        ];
        self.query_readable(PUBLIC_TABLE, &sql, bound, row_owner, public_row)
    }

    /// Returns the newest row of a key.
    pub(crate) fn latest(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}
             FROM {TABLES}
             WHERE env = ?1 AND region = ?2 AND app_name = ?3 AND git_commit = ?4
               AND is_latest = 'y' AND deleted_at IS NULL"
        );
        let bound = params![key.env, key.region, key.app, key.commit];
        Ok(self.query_readable(PUBLIC_TABLE, &sql, bound, row_owner, public_row)?.pop())
    }

    /// Returns the newest rows of keys.
    pub(super) fn latest_of(&self, keys: &[KeyId]) -> Result<HashMap<KeyId, Row>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, cover_key.id
             FROM cover_key JOIN goc_o_staging_service_cover AS cover USING (env, region, app_name, git_commit)
             LEFT JOIN cover_fact ON cover_fact.row_id = cover.id LEFT JOIN mark ON mark.row_id = cover.id
             WHERE cover_key.id IN (SELECT value FROM json_each(?1)) AND is_latest = 'y' AND deleted_at IS NULL"
        );
        let read = |row: &SqlRow<'_>| Ok((row.get(20)?, public_row(row)?));
        let rows = self.query_readable(PUBLIC_TABLE, &sql, key_list(keys), row_owner, read)?;
        Ok(rows.into_iter().collect())
    }

    /// Returns all stored files that rows name.
    pub(crate) fn row_files(&self) -> Result<RowFiles, StoreError> {
        let sql = "SELECT id, cov_file_path, deleted_at IS NULL FROM goc_o_staging_service_cover";
        let read = |row: &SqlRow<'_>| Ok((row.get::<_, String>(1)?, row.get::<_, bool>(2)?));
        let rows = self.query_readable(PUBLIC_TABLE, sql, [], row_owner, read)?;
        let mut files = RowFiles::default();
        for (path, is_kept) in rows {
            if is_kept { &mut files.kept } else { &mut files.dropped }.insert(path);
        }
        Ok(files)
    }

    /// Returns the files of the latest rows that this program stored.
    pub(crate) fn latest_files(&self) -> Result<Vec<LatestFile>, StoreError> {
        let sql = "SELECT cover.id, cover_key.id,
                          (SELECT name FROM service WHERE key_id = cover_key.id ORDER BY name LIMIT 1),
                          edition_id, cov_file_path, file_bytes, covered_digest, counts_digest
                   FROM goc_o_staging_service_cover AS cover
                   JOIN cover_fact ON row_id = cover.id
                   JOIN cover_key USING (env, region, app_name, git_commit)
                   WHERE is_latest = 'y' AND deleted_at IS NULL ORDER BY cover.id";
        self.query_readable("cover_fact", sql, [], row_owner, |row| {
            Ok(LatestFile {
                row: row.get(0)?,
                key: row.get(1)?,
                service: shown_name(row.get::<_, Option<String>>(2)?.unwrap_or_default()),
                build_group: row.get(3)?,
                path: row.get(4)?,
                bytes: row.get(5)?,
                covered_digest: fingerprint(row, 6)?,
                counts_digest: fingerprint(row, 7)?,
            })
        })
    }
}

impl Writer<'_> {
    /// Adds a row to the public table, as the latest of its key.
    pub(super) fn add_row(&self, row: &NewRow) -> rusqlite::Result<()> {
        let key = &row.key;
        self.store
            .connection
            .prepare_cached(
                "UPDATE goc_o_staging_service_cover SET is_latest = 'n', updated_at = ?5
                 WHERE env = ?1 AND region = ?2 AND app_name = ?3 AND git_commit = ?4
                   AND is_latest = 'y' AND deleted_at IS NULL",
            )?
            .execute(params![key.env, key.region, key.app, key.commit, iso(row.at)])?;
        let id = self.insert_public_row(row)?;
        // SQLite may reuse the id of a deleted row, whose changed lines may still be stored.
        self.run("DELETE FROM cover_diff WHERE row_id = ?1", params![id])?;
        self.insert_row_stats(id, row)?;
        self.set_mark(id, row.mark.as_deref())?;
        self.set_profile_number(row)
    }

    /// Inserts a row into the public table, and returns its id.
    fn insert_public_row(&self, row: &NewRow) -> rusqlite::Result<i64> {
        let NewRow { key, at, addresses, branch, cov_file_path, stats, .. } = row;
        // SQLite would use the highest id plus one. A row of another program may have so high an id that none is left;
        // then the next id below HIGHEST_ID is used.
        self.store
            .connection
            .prepare_cached(
                "INSERT INTO goc_o_staging_service_cover (id, created_at, updated_at, env, region, app_name,
                     addresses, git_branch, git_commit, is_latest, cov_file_path, cover_total)
                 SELECT iif(max(highest, coalesce(seq, 0)) >= ?10, below + 1, NULL),
                        ?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, 'y', ?8, ?9
                 FROM (SELECT coalesce(max(id), 0) AS highest FROM goc_o_staging_service_cover)
                 JOIN (SELECT coalesce(max(id), 0) AS below FROM goc_o_staging_service_cover WHERE id < ?10)
                 JOIN (SELECT max(seq) AS seq FROM sqlite_sequence WHERE name = 'goc_o_staging_service_cover')",
            )?
            .insert(params![
                iso(*at),
                key.env,
                key.region,
                key.app,
                addresses.join(","),
                branch,
                key.commit,
                cov_file_path,
                stats.coverage.percent(),
                HIGHEST_ID,
            ])
    }

    /// Inserts the figures of a row that have no column in the public table.
    fn insert_row_stats(&self, id: i64, row: &NewRow) -> rusqlite::Result<()> {
        let RowStats { build_group, coverage, covered_digest, counts_digest, answered, listed } = &row.stats;
        self.run(
            "INSERT OR REPLACE INTO cover_fact (row_id, edition_id, covered, total, covered_digest, counts_digest,
                     answered, listed, file_bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                id,
                build_group,
                coverage.covered,
                coverage.total,
                covered_digest.as_bytes(),
                counts_digest.as_bytes(),
                answered,
                listed,
                row.file_bytes,
            ],
        )
    }

    /// Gives a row this name, or none: SQLite may reuse the id of a deleted row that had one.
    fn set_mark(&self, row: i64, mark: Option<&str>) -> rusqlite::Result<()> {
        match mark {
            Some(name) => {
                self.run("INSERT OR REPLACE INTO mark (row_id, name) VALUES (?1, ?2)", params![row, name])
            }
            None => self.run("DELETE FROM mark WHERE row_id = ?1", params![row]),
        }
    }

    /// Sets the last number of the app's profiles to that of the row, unless the stored one is readable and higher.
    fn set_profile_number(&self, row: &NewRow) -> rusqlite::Result<()> {
        let (folder, number) = &row.number;
        self.run(
            "INSERT INTO app (folder, app_name, last_number) VALUES (?1, ?2, ?3)
                 ON CONFLICT (folder) DO UPDATE SET last_number = CASE
                     WHEN last_number BETWEEN excluded.last_number AND ?4 THEN last_number
                     ELSE excluded.last_number END",
            params![folder, row.key.app, number, HIGHEST_NUMBER],
        )
    }

    pub(super) fn set_row_file(
        &self,
        row: RowId,
        counts_digest: &Fingerprint,
        bytes: u64,
    ) -> rusqlite::Result<()> {
        self.run(
            "UPDATE cover_fact SET counts_digest = ?2, file_bytes = ?3 WHERE row_id = ?1",
            params![row, counts_digest.as_bytes(), bytes],
        )
    }

    pub(super) fn drop_row(&self, id: RowId, at: DateTime<Utc>) -> rusqlite::Result<()> {
        self.run(
            "UPDATE goc_o_staging_service_cover SET deleted_at = ?2, updated_at = ?2
                 WHERE id = ?1 AND deleted_at IS NULL",
            params![id, iso(at)],
        )?;
        self.run("DELETE FROM mark WHERE row_id = ?1", params![id])
    }
}

fn public_row(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let stats = match row.get::<_, Option<BuildGroupId>>(11)? {
        Some(build_group) => Some(RowStats {
            build_group,
            coverage: Coverage { covered: row.get(12)?, total: row.get(13)? },
            covered_digest: fingerprint(row, 14)?,
            counts_digest: fingerprint(row, 15)?,
            answered: row.get(16)?,
            listed: row.get(17)?,
        }),
        None => None,
    };
    let addresses: String = row.get(5)?;
    Ok(Row {
        id: row.get(0)?,
        created_at: time(row, 1)?,
        key: Key { env: row.get(2)?, region: row.get(3)?, app: row.get(4)?, commit: row.get(7)? },
        addresses: addresses.split(',').filter(|address| !address.is_empty()).map(str::to_owned).collect(),
        branch: row.get(6)?,
        is_latest: row.get::<_, String>(8)? == "y",
        cov_file_path: row.get(9)?,
        cover_total: row.get(10)?,
        stats,
        mark: row.get(19)?,
        deleted_at: maybe_time(row, 18)?,
    })
}
