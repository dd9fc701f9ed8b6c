//! The rows of the public table.

use chrono::{DateTime, Utc};

use super::ids::{BuildGroupId, KeyId, RowId};
use super::records::Key;
use crate::coverage::Coverage;
use crate::profile::Fingerprint;

/// A row of the public table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// In the database.
    pub id: RowId,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// The key that it belongs to.
    pub key: Key,
    /// Listed or asked when it was stored, sorted.
    pub addresses: Vec<String>,
    /// Of the name listed last when it was stored.
    pub branch: String,
    /// Whether it is the newest of its key.
    pub is_latest: bool,
    /// Relative to the root.
    pub cov_file_path: String,
    /// Percentage of all statements, unrounded.
    pub cover_total: f64,
    /// Figures beyond the public columns; a row that another program stored has none.
    pub stats: Option<RowStats>,
    /// When its file was dropped; only its figures are left then.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// The figures of a row beyond its public columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowStats {
    /// The build group whose data it is.
    pub build_group: BuildGroupId,
    /// Statements executed, of all.
    pub coverage: Coverage,
    /// Of the blocks that were executed.
    pub covered_digest: Fingerprint,
    /// Of the canonical text.
    pub counts_digest: Fingerprint,
    /// Addresses that answered when the row was stored.
    pub answered: u32,
    /// Distinct addresses that were listed then.
    pub listed: u32,
}

/// The file of the latest row of a key, and how it is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LatestFile {
    /// The row.
    pub row: RowId,
    /// Its key.
    pub key: KeyId,
    /// A name of the key.
    pub service: String,
    /// The build group whose data it is.
    pub build_group: BuildGroupId,
    /// Relative to the root.
    pub path: String,
    /// Its length; `None` where an earlier release wrote it.
    pub bytes: Option<u64>,
    /// Of the blocks that were executed.
    pub covered_digest: Fingerprint,
    /// Of the canonical text.
    pub counts_digest: Fingerprint,
}

/// The rows to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowFilter<'a> {
    /// Of this key alone.
    pub key: Option<&'a Key>,
    /// Only the newest of each key.
    pub latest_only: bool,
    /// Also those whose file was dropped.
    pub with_dropped: bool,
}

/// A row to be added to the public table. Its file is stored already.
#[derive(Clone, Debug)]
pub(crate) struct NewRow {
    /// The key that it belongs to.
    pub key: Key,
    /// When.
    pub at: DateTime<Utc>,
    /// Sorted.
    pub addresses: Vec<String>,
    /// Of the name listed last.
    pub branch: String,
    /// Relative to the root.
    pub cov_file_path: String,
    /// The app's folder, and the number of the file in it.
    pub number: (String, u64),
    /// The figures.
    pub stats: RowStats,
    /// Length of the file.
    pub file_bytes: u64,
}
