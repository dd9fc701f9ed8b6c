//! Failures of an address, and faults on this side with their scope: one service, or the whole run.

use crate::io::center::HttpError;
use crate::io::store::StoreError;
use crate::io::workdir::WorkdirError;

/// The scope of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultScope {
    /// Only one service fails.
    Service,
    /// Nothing more can be stored, or nothing more may be stored.
    Root,
}

impl FaultScope {
    /// Returns the scope of a fault that occurred for a service.
    ///
    /// An unknown fault counts only for its service. If it concerns other services, it occurs for them, too.
    pub(crate) fn from_error(error: &anyhow::Error) -> Self {
        let is_of_root = error.chain().find_map(|cause| {
            if let Some(error) = cause.downcast_ref::<StoreError>() {
                return Some(!error.is_of_one_value());
            }
            if let Some(error) = cause.downcast_ref::<WorkdirError>() {
                return Some(!error.is_of_one_file());
            }
            cause.downcast_ref::<BadAdoption>().map(|_| true)
        });
        if is_of_root == Some(true) { Self::Root } else { Self::Service }
    }
}

/// The reason why no answer of an address was taken in.
#[derive(Debug)]
pub(crate) enum AskError {
    /// The address failed; the next run asks it again.
    Address(HttpError),
    /// A fault on this side.
    Own(anyhow::Error),
}

impl From<HttpError> for AskError {
    fn from(error: HttpError) -> Self {
        Self::Address(error)
    }
}

impl From<anyhow::Error> for AskError {
    fn from(error: anyhow::Error) -> Self {
        Self::Own(error)
    }
}

impl AskError {
    /// Tells whether another kind of agent than the one that was asked for serves at the address.
    pub(crate) fn is_of_another_kind(&self) -> bool {
        matches!(self, Self::Address(error) if error.is_of_another_kind())
    }
}

/// The prefix in `--adopt` fits no build of the service, or several.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadAdoption(pub(crate) String);

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_fault_of_one_file_or_value_costs_its_service_alone() {
        let path = || PathBuf::from("root/app/cov_data/app_1.cov.tmp");
        let file = |kind: io::ErrorKind| {
            anyhow!(WorkdirError::Io { action: "cannot create", path: path(), source: kind.into() })
        };
        let sqlite = |code| {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            anyhow!(StoreError::from_sqlite(&path(), error))
        };
        let value = rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, "x".into());
        for (error, scope) in [
            (file(io::ErrorKind::PermissionDenied), FaultScope::Service),
            (file(io::ErrorKind::NotADirectory), FaultScope::Service),
            (file(io::ErrorKind::IsADirectory), FaultScope::Service),
            (file(io::ErrorKind::AlreadyExists), FaultScope::Service),
            (anyhow!(StoreError::Damaged { path: path(), what: "counts".to_owned() }), FaultScope::Service),
            (anyhow!(StoreError::from_sqlite(&path(), value)), FaultScope::Service),
            (anyhow!("blocks of a file conflict"), FaultScope::Service),
            (file(io::ErrorKind::StorageFull), FaultScope::Root),
            (file(io::ErrorKind::QuotaExceeded), FaultScope::Root),
            (file(io::ErrorKind::ReadOnlyFilesystem), FaultScope::Root),
            (anyhow!(WorkdirError::Busy { path: path() }), FaultScope::Root),
            (sqlite(rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER), FaultScope::Service),
            (sqlite(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY), FaultScope::Service),
            (sqlite(rusqlite::ffi::SQLITE_TOOBIG), FaultScope::Service),
            (sqlite(rusqlite::ffi::SQLITE_FULL), FaultScope::Root),
            (sqlite(rusqlite::ffi::SQLITE_CORRUPT), FaultScope::Root),
            (sqlite(rusqlite::ffi::SQLITE_IOERR), FaultScope::Root),
            (sqlite(rusqlite::ffi::SQLITE_BUSY), FaultScope::Root),
            (anyhow!(StoreError::Missing { path: path() }), FaultScope::Root),
            (anyhow!(BadAdoption("--adopt fits no build".to_owned())), FaultScope::Root),
        ] {
            assert_eq!(FaultScope::from_error(&error), scope, "{error:?}");
            assert_eq!(FaultScope::from_error(&error.context("of a service")), scope);
        }
    }
}
