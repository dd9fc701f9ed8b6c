//! The changed lines of a row, stored by the report that counted them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{ErrorCode, OpenFlags, params};

use super::damage::ValueOwner;
use super::reading::time;
use super::{Store, StoreError};
use crate::coverage::{ChangedLines, Coverage};
use crate::fleet::ids::RowId;
use crate::time::iso;

/// Longest wait for another writer. A pull commits every half second.
const LOCK_WAIT: Duration = Duration::from_secs(2);

impl Store {
    /// Stores the changed lines of a row, in place of earlier ones since the same base.
    ///
    /// This write needs no lock of the work directory. It is a single statement, which SQLite orders among those of a pull
    /// or prune, and these decide nothing by it. So a report need not wait for their end.
    pub(crate) fn remember_diff(
        path: &Path,
        row: RowId,
        diff: &ChangedLines,
        is_default_base: bool,
    ) -> Result<(), StoreError> {
        Self::beside_a_run(path, |store| store.insert_diff(row, diff, is_default_base))
    }

    /// Writes without the lock of the work directory, beside whatever a pull or prune does. The database is neither made
    /// nor brought up to date.
    pub(super) fn beside_a_run(
        path: &Path,
        write: impl FnOnce(&Self) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Self::connect(path, flags, &path.to_string_lossy())?;
        store.connection.busy_timeout(LOCK_WAIT).map_err(store.failed())?;
        let mut store = store.checked()?;
        store.folds_log = true;
        let prepared = store.set_durability().and_then(|()| {
            // The log of a pull that is running is left to the pull, or the report would wait for the disk.
            store.connection.pragma_update(None, "wal_autocheckpoint", 0)
        });
        prepared.and_then(|()| write(&store)).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => StoreError::Busy { path: path.to_owned(), waited: LOCK_WAIT },
            _ => store.failed()(error),
        })
    }

    fn insert_diff(&self, row: RowId, diff: &ChangedLines, is_default_base: bool) -> rusqlite::Result<()> {
        let ChangedLines { base, how, lines, computed_at } = diff;
        let at = iso(*computed_at);
        // A default base stays the default when it is also named in the arguments.
        let sql = "INSERT INTO cover_diff (row_id, base_commit, how, hit, lines, computed_at, default_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                   ON CONFLICT (row_id, base_commit) DO UPDATE SET
                       how = iif(excluded.default_at IS NULL AND default_at IS NOT NULL, how, excluded.how),
                       hit = excluded.hit, lines = excluded.lines, computed_at = excluded.computed_at,
                       default_at = coalesce(excluded.default_at, default_at)
                   -- What is known and told already is not written again, which would wait for the disk.
                   WHERE (hit, lines) <> (excluded.hit, excluded.lines)
                       OR how <> excluded.how AND (excluded.default_at IS NOT NULL OR default_at IS NULL)
                       OR excluded.default_at IS NOT NULL AND default_at IS NULL
                       OR EXISTS (SELECT 1 FROM cover_diff AS other
                           WHERE other.row_id = excluded.row_id AND other.base_commit <> excluded.base_commit
                               AND (other.computed_at >= cover_diff.computed_at
                                   OR other.default_at >= cover_diff.default_at))";
        let default_at = is_default_base.then_some(&at);
        self.connection
            .execute(sql, params![row, base, how, lines.covered, lines.total, at, default_at])
            .map(drop)
    }

    /// Returns the changed lines of a row: since its default base, else since the base that was computed last.
    pub(crate) fn diff(&self, row: RowId) -> Result<Option<ChangedLines>, StoreError> {
        let sql = "SELECT row_id, base_commit, how, hit, lines, computed_at FROM cover_diff WHERE row_id = ?1
                   ORDER BY default_at DESC NULLS LAST, computed_at DESC LIMIT 1";
        let owner = |row: &rusqlite::Row<'_>| row.get(0).map(ValueOwner::Row);
        let read = |row: &rusqlite::Row<'_>| {
            Ok(ChangedLines {
                base: row.get(1)?,
                how: row.get(2)?,
                lines: Coverage { covered: row.get(3)?, total: row.get(4)? },
                computed_at: time(row, 5)?,
            })
        };
        Ok(self.query_readable("cover_diff", sql, [row], owner, read)?.pop())
    }
}
