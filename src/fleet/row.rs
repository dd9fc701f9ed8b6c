//! The rows of the public table.

use chrono::{DateTime, Utc};

use super::ids::{BuildGroupId, KeyId, RowId};
use super::records::Key;
use crate::coverage::Coverage;
use crate::profile::Fingerprint;

/// A row of the public table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub id: RowId,
    /// Time at which it was stored.
    pub created_at: DateTime<Utc>,
    pub key: Key,
    /// Addresses that were listed or asked when it was stored, sorted.
    pub addresses: Vec<String>,
    /// Branch of the name that was listed last when it was stored.
    pub branch: String,
    /// The key shows this row.
    pub is_latest: bool,
    /// Path of the profile's file, relative to the root.
    pub cov_file_path: String,
    /// Percentage of covered statements, unrounded.
    pub cover_total: f64,
    /// Figures beyond the public columns; `None` for a row that another program stored.
    pub stats: Option<RowStats>,
    /// The name that a person gave to it (`pull --mark`).
    pub mark: Option<String>,
    /// Time at which its file was deleted and only its figures were kept.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// The figures of a row beyond its public columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowStats {
    pub build_group: BuildGroupId,
    /// Covered statements and all statements.
    pub coverage: Coverage,
    /// Digest of the set of covered blocks.
    pub covered_digest: Fingerprint,
    /// Digest of the profile's canonical text.
    pub counts_digest: Fingerprint,
    /// Number of addresses that answered when the row was stored.
    pub answered: u32,
    /// Number of distinct addresses that were listed or asked then.
    pub listed: u32,
}

/// The file of the latest row of a key, with the digests that its contents must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LatestFile {
    pub row: RowId,
    pub key: KeyId,
    /// A name of the key.
    pub service: String,
    pub build_group: BuildGroupId,
    /// Path of the profile's file, relative to the root.
    pub path: String,
    /// Length of the file; `None` when an earlier release wrote it.
    pub bytes: Option<u64>,
    /// Digest of the set of covered blocks.
    pub covered_digest: Fingerprint,
    /// Digest of the profile's canonical text.
    pub counts_digest: Fingerprint,
}

/// The rows to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowFilter<'a> {
    /// Only rows of this key; `None` for all keys.
    pub key: Option<&'a Key>,
    /// Only the row that each key shows.
    pub latest_only: bool,
    /// Only rows with this mark.
    pub mark: Option<&'a str>,
    /// Also rows whose file was deleted.
    pub with_dropped: bool,
}

/// A row to add to the public table. Its file is stored already.
#[derive(Clone, Debug)]
pub(crate) struct NewRow {
    pub key: Key,
    pub at: DateTime<Utc>,
    pub addresses: Vec<String>,
    /// Branch of the name that was listed last.
    pub branch: String,
    /// Path of the profile's file, relative to the root.
    pub cov_file_path: String,
    /// The app's folder and the number of the file in it.
    pub number: (String, u64),
    pub stats: RowStats,
    pub file_bytes: u64,
    /// The name that a person gives to it.
    pub mark: Option<String>,
}
