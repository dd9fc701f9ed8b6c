//! Stored values that cannot be read. Each one fails only its owner, and is reported.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use rusqlite::types::ValueRef;
use rusqlite::{Error, ErrorCode, Row, ToSql};

use super::keys::shown_name;
use super::{Store, StoreError};
use crate::fleet::ids::{BuildGroupId, KeyId, RowId, ServiceId, StructureId};
use crate::parallel::lock;

/// A stored value that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Damage {
    /// Names of the services that it belongs to, sorted; none if it belongs to no service.
    pub services: Vec<String>,
    /// The file, the table, the column, and the value found there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [first, others @ ..] = &self.services[..] {
            write!(out, "{first}")?;
            if !others.is_empty() {
                write!(out, " and {} more", others.len())?;
            }
            write!(out, ": ")?;
        }
        write!(out, "{}", self.what)
    }
}

/// The owner of a stored value.
#[derive(Clone, Debug)]
pub(super) enum ValueOwner {
    Key(KeyId),
    Service(ServiceId),
    BuildGroup(BuildGroupId),
    Row(RowId),
    Structure(StructureId),
    Address(String),
    /// An app by its name.
    App(String),
    /// No service.
    Nobody,
}

/// The damages that a store and its readers found.
#[derive(Clone, Debug, Default)]
pub(super) struct Damages(Arc<Mutex<BTreeSet<Damage>>>);

/// Tells whether an error concerns one value that was read or written, rather than the database.
pub(super) fn is_of_value(error: &Error) -> bool {
    // Another program may have added rules to a table; and SQLite limits the size of a value.
    let refused = [ErrorCode::ConstraintViolation, ErrorCode::TypeMismatch, ErrorCode::TooBig];
    if error.sqlite_error_code().is_some_and(|code| refused.contains(&code)) {
        return true;
    }
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
            | Error::QueryReturnedNoRows
            | Error::ToSqlConversionFailure(..)
    )
}

impl Store {
    /// Returns the damaged values that this store and its readers found so far.
    #[must_use]
    pub(crate) fn damages(&self) -> Vec<Damage> {
        lock(&self.damages.0).iter().cloned().collect()
    }

    /// Notes that a value of a build group could not be read because of `error`.
    pub(crate) fn note_damage(
        &self,
        build_group: BuildGroupId,
        error: &StoreError,
    ) -> Result<(), StoreError> {
        self.note(&ValueOwner::BuildGroup(build_group), error)
    }

    /// Notes that a value of a key could not be read because of `error`.
    pub(crate) fn note_damaged_key(&self, key: KeyId, error: &StoreError) -> Result<(), StoreError> {
        self.note(&ValueOwner::Key(key), error)
    }

    fn note(&self, owner: &ValueOwner, error: &StoreError) -> Result<(), StoreError> {
        let services = self.names_of(owner).map_err(self.failed())?;
        let damage = Damage { services, what: error.to_string() };
        lock(&self.damages.0).insert(damage);
        Ok(())
    }

    /// Notes values that cannot be read, each with its owner.
    pub(super) fn note_all(&self, damaged: Vec<(ValueOwner, String)>) -> Result<(), StoreError> {
        for (owner, what) in damaged {
            let services = self.names_of(&owner).map_err(self.failed())?;
            let what = format!("database {:?}: {what}", self.path.display().to_string());
            lock(&self.damages.0).insert(Damage { services, what });
        }
        Ok(())
    }

    fn names_of(&self, owner: &ValueOwner) -> rusqlite::Result<Vec<String>> {
        let (sql, id): (_, &dyn ToSql) = match owner {
            ValueOwner::Key(key) => ("SELECT name FROM service WHERE key_id = ?1 ORDER BY name", key),
            ValueOwner::Service(service) => ("SELECT name FROM service WHERE id = ?1", service),
            ValueOwner::BuildGroup(build_group) => (
                "SELECT name FROM service JOIN edition USING (key_id) WHERE edition.id = ?1 ORDER BY name",
                build_group,
            ),
            ValueOwner::Row(row) => (
                "SELECT name FROM service JOIN cover_key ON cover_key.id = key_id
                 JOIN goc_o_staging_service_cover AS cover USING (env, region, app_name, git_commit)
                 WHERE cover.id = ?1 ORDER BY name",
                row,
            ),
            ValueOwner::Structure(structure) => (
                "SELECT DISTINCT name FROM service JOIN edition USING (key_id)
                 JOIN generation ON edition_id = edition.id WHERE structure_id = ?1 ORDER BY name",
                structure,
            ),
            ValueOwner::Address(address) => (
                "SELECT name FROM service WHERE id IN (SELECT service_id FROM listing WHERE address = ?1
                                                       UNION SELECT service_id FROM target WHERE address = ?1)
                 ORDER BY name",
                address,
            ),
            ValueOwner::App(app) => (
                "SELECT name FROM service JOIN cover_key ON cover_key.id = key_id
                 WHERE app_name = ?1 ORDER BY name",
                app,
            ),
            ValueOwner::Nobody => return Ok(Vec::new()),
        };
        // The name itself may be the value that cannot be read.
        let name = |row: &Row<'_>| row.get_ref(0).map(shown).map(shown_name);
        self.connection.prepare_cached(sql)?.query_map([id], name)?.collect()
    }
}

/// Returns a stored name as text, with replacement characters for bytes that are not UTF-8.
fn shown(name: ValueRef<'_>) -> String {
    match name {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
    }
}

/// Returns a message about the value of a row that cannot be read.
pub(super) fn described(table: &str, row: &Row<'_>, error: &Error) -> String {
    let column = |index: usize| row.as_ref().column_name(index).unwrap_or("?").to_owned();
    match error {
        Error::FromSqlConversionFailure(index, _, what) => {
            format!("table {table}, column {}: {what}", column(*index))
        }
        Error::IntegralValueOutOfRange(index, number) => {
            format!("table {table}, column {}: unexpected {number}", column(*index))
        }
        Error::InvalidColumnType(_, name, kind) => {
            format!("table {table}, column {name}: unexpected {kind}")
        }
        Error::Utf8Error(index, error) => format!("table {table}, column {}: {error}", column(*index)),
        error => format!("table {table}: {error}"),
    }
}
