//! Databases of earlier releases: their schema, a copy of them, and the changes of an upgrade.

use std::path::Path;

use rusqlite::OpenFlags;

use super::{MIGRATIONS, Store, StoreError};

/// The change of each migration since the first release (schema 6), by its number, as a clause for people.
const CHANGES: &[(usize, &str)] = &[
    (7, "the replicas of the last pull are kept apart from stored rows"),
    (8, "spellings of one address became one"),
    (9, "the centers that pulls ask are remembered"),
    (10, "the build that may replace the one shown is remembered"),
    (11, "messages that are shown only once are remembered"),
    (12, "suspicions of addresses at which an agent answers were dropped"),
    (13, "a process that is taken off a center's list alive is remembered as such"),
    (14, "the size of each stored profile is remembered"),
    (15, "jumps of the clock are remembered"),
    (16, "counts that may be those of several processes are marked"),
    (17, "sources of targets are remembered"),
    (18, "agents that serve Go's binary coverage data are remembered, with their programs and processes"),
    (19, "programs whose coverage data was left in an inbox are remembered"),
    (20, "the times at which processes read their counters are remembered"),
    (21, "the pods of processes are remembered"),
    (22, "addresses that answer for several processes are remembered"),
    (23, "the pulled processes that may have left a file are remembered"),
    (24, "answers that a cut run stored beside the files of their processes are remembered"),
    (25, "names that people give to rows are remembered"),
    (26, "the last executions of functions can be remembered"),
];

/// The database of an earlier release.
#[derive(Debug)]
pub(crate) struct Outdated {
    store: Store,
    schema: usize,
}

impl Outdated {
    /// Returns the number of migrations that it has.
    #[must_use]
    pub(crate) fn schema(&self) -> usize {
        self.schema
    }

    /// Copies the database, including its write-ahead log, into an empty file.
    pub(crate) fn copy_into(&self, path: &Path) -> Result<(), StoreError> {
        let copied = self.store.connection.execute("VACUUM INTO ?1", [path.to_string_lossy()]);
        copied.map(drop).map_err(self.store.failed())
    }
}

/// A database that was brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Upgrade {
    /// Schema before.
    pub from: usize,
    /// Schema now.
    pub to: usize,
}

impl Upgrade {
    /// Returns the changes as clauses for people.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &'static str> + use<> {
        let Self { from, to } = *self;
        CHANGES.iter().filter(move |(number, _)| (from + 1..=to).contains(number)).map(|(_, change)| *change)
    }
}

impl Store {
    /// Opens a database of an earlier release for a copy; `None` if there is none, or it is up to date.
    pub(crate) fn outdated(path: &Path) -> Result<Option<Outdated>, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Self::connect(path, flags, &path.to_string_lossy())?;
        let schema = store.check_version()?;
        if schema == 0 || schema == MIGRATIONS.len() {
            return Ok(None);
        }
        Ok(Some(Outdated { store, schema }))
    }

    /// Returns the number of applied migrations of a database of this program.
    pub(crate) fn schema(path: &Path) -> Result<usize, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::connect(path, flags, &path.to_string_lossy())?.check_version()
    }

    /// Returns the upgrade that this connection made, if it made one.
    #[must_use]
    pub(crate) fn upgrade(&self) -> Option<Upgrade> {
        self.upgrade
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_migrations_change_is_told_of_those_that_were_applied() {
        let changes = |from, to| Upgrade { from, to }.changes().collect::<Vec<_>>();
        assert_eq!(changes(7, 9), [CHANGES[1].1, CHANGES[2].1]);
        assert_eq!(changes(9, 9), [""; 0]);
        let numbers = CHANGES.iter().map(|(number, _)| *number);
        assert!(numbers.eq(7..=MIGRATIONS.len()), "each migration tells what it changes");
        assert!(CHANGES.iter().all(|(_, change)| !change.ends_with('.')), "parts of a sentence");
    }
}
