//! The errors of the database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;

use super::{damage, reason};

/// The database could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The file belongs to another program.
    #[error("{path:?} is a database of another program, nothing was changed; name another root with --root")]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later release.
    #[error(
        "{path:?} was written by a later release (schema {found}, this one knows {known}); install that \
         release, nothing was changed"
    )]
    FromTheFuture {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: usize,
        /// The newest schema this program knows.
        known: usize,
    },
    /// The file was written by an earlier release, and a command that only reads does not change it.
    #[error(
        "database {path:?}: schema {found} is older than this release; the next pull or prune brings it up to date"
    )]
    Outdated {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: usize,
    },
    /// A symbolic link is in the place of the database.
    #[error(
        "{path:?} is a symbolic link, and no database is opened through one; put the file itself in its place"
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A pipe, a socket or a device is in the place of the database, or of a file beside it.
    #[error("database {path:?}: {reason}")]
    NoFile {
        /// The database.
        path: PathBuf,
        /// Name of the file, and the next step.
        reason: String,
    },
    /// No database is there yet.
    #[error(
        "{path:?} does not exist: nothing was pulled into this root yet (goc-watchdog pull), or another root is meant (--root, GOC_WATCHDOG_ROOT)"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be looked at, so it is unknown whether it exists.
    #[error(
        "database {path:?}: it cannot be looked at: {error}; check the path of the root (--root), and that this user \
         may enter each folder of it"
    )]
    Hidden {
        /// The file.
        path: PathBuf,
        /// The reason. The message has its text, so it is not a `source`, which would be printed again.
        error: std::io::Error,
    },
    /// Another program (a backup, a person's sqlite3) kept the file locked for as long as this one waited.
    #[error("database {path:?}: another program kept it locked for {} seconds", waited.as_secs())]
    Busy {
        /// The file.
        path: PathBuf,
        /// Length of the wait.
        waited: Duration,
    },
    /// SQLite failed.
    #[error("database {path:?}: {reason}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The error of SQLite. The message has its text, so it is not a `source`, which would be printed again.
        error: rusqlite::Error,
        /// The reason as it was when the error happened, and the next step.
        reason: String,
    },
    /// A stored value cannot be read.
    #[error("database {path:?}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The table and column, and the value found there.
        what: String,
    },
}

impl StoreError {
    /// Wraps an error of SQLite, with the reason as the system gives it now.
    #[must_use]
    pub(crate) fn from_sqlite(path: &Path, error: rusqlite::Error) -> Self {
        Self::Sqlite { path: path.to_owned(), reason: reason::explain(path, &error), error }
    }

    /// Tells whether a file cannot be opened. Other connections may be open already and go on.
    #[must_use]
    pub(crate) fn is_not_opened(&self) -> bool {
        matches!(self, Self::Sqlite { error, .. } if error.sqlite_error_code() == Some(ErrorCode::CannotOpen))
    }

    /// Tells whether one stored value is at fault, so that everything else can go on.
    #[must_use]
    pub(crate) fn is_of_one_value(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Sqlite { error, .. } => damage::is_of_value(error),
            Self::NotOurs { .. }
            | Self::FromTheFuture { .. }
            | Self::Outdated { .. }
            | Self::Missing { .. }
            | Self::Link { .. }
            | Self::NoFile { .. }
            | Self::Hidden { .. }
            | Self::Busy { .. } => false,
        }
    }
}
