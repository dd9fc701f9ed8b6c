//! Rows and keys for tests.

use crate::fleet::fixtures::{at, entry as entry_of_hosts};
use crate::fleet::ids::RowId;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::records::Key;
use crate::fleet::row::Row;

/// The key of an app in staging th.
pub(super) fn key(app: &str, commit: &str) -> Key {
    let [env, region, app, commit] = ["staging", "th", app, commit].map(str::to_owned);
    Key { env, region, app, commit }
}

/// The row with this number, stored `number` minutes after 12:00, which is the latest of its key.
pub(super) fn row(number: i64, app: &str, commit: &str) -> Row {
    Row {
        id: RowId(number),
        created_at: at(number),
        key: key(app, commit),
        addresses: Vec::new(),
        branch: "main".to_owned(),
        is_latest: true,
        cov_file_path: format!("{app}/cov_data/{app}_{number}.cov"),
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        cover_total: number as f64,
        stats: None,
        mark: None,
        deleted_at: None,
    }
}

/// The same row, replaced by a later one of its key.
pub(super) fn superseded(row: Row) -> Row {
    Row { is_latest: false, ..row }
}

/// The same row after its profile was deleted.
pub(super) fn dropped(row: Row) -> Row {
    Row { is_latest: false, deleted_at: Some(at(60)), ..row }
}

/// A key with the name `<app>_<commit>`.
pub(super) fn entry(id: i64, app: &str, commit: &str) -> KeyEntry {
    let mut entry = entry_of_hosts(id, &["host"]);
    entry.members[0].name = format!("{app}_{commit}");
    KeyEntry { key: key(app, commit), ..entry }
}
