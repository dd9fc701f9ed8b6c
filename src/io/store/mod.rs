//! The database adapter, which has all SQL of the program.
//!
//! The database has a write-ahead log, so that reports read while a pull writes, and `synchronous=FULL`, so that
//! committed changes survive a power cut. Changes are values ([`Change`](crate::fleet::change::Change)): engines decide
//! them without the database, and [`Writer::apply`] carries them out. Each file below reads and writes the tables of
//! one subject. A report stores changed lines without a writer ([`Store::remember_diff`]).

mod address_spellings;
mod address_states;
mod agent_files;
mod agents;
mod builds;
mod damage;
mod diff;
mod error;
mod function_dates;
mod ids;
mod keys;
mod left_counts;
mod lives;
mod numbers;
mod reading;
mod reason;
mod rows;
mod runs;
mod schedules;
mod stored_keys;
mod targets;
mod unsettled;
mod upgrade;
mod waiting;
mod writer;

pub(crate) use upgrade::{Outdated, Upgrade};
pub(crate) use waiting::{never_wait, tell_waits};

pub(crate) use agent_files::LifeOfMeta;
pub(crate) use damage::Damage;
pub(crate) use error::StoreError;
pub(crate) use numbers::{Numbering, ProfileNumbers};
pub(crate) use writer::Writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use damage::Damages;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::lock::LockProof;

/// The id that marks a database file as one of this program ("gocw").
const APPLICATION_ID: i32 = 0x676f_6377;

/// A step that brings a database up to date.
enum Migration {
    Sql(&'static str),
    /// A step that SQL cannot express.
    Code(fn(&Connection) -> rusqlite::Result<()>),
}

use Migration::{Code, Sql};

/// All steps, each with one intent. A released one is never edited.
const MIGRATIONS: &[Migration] = &[
    Sql(include_str!("migrations/0001_coverage.sql")),
    Sql(include_str!("migrations/0002_collection.sql")),
    Sql(include_str!("migrations/0003_answers.sql")),
    Sql(include_str!("migrations/0004_prune.sql")),
    Sql(include_str!("migrations/0005_inbox.sql")),
    Sql(include_str!("migrations/0006_diff.sql")),
    Sql(include_str!("migrations/0007_replicas.sql")),
    Code(address_spellings::normalize),
    Sql(include_str!("migrations/0009_asked_centers.sql")),
    Sql(include_str!("migrations/0010_election.sql")),
    Sql(include_str!("migrations/0011_told.sql")),
    Sql(include_str!("migrations/0012_agents_live.sql")),
    Sql(include_str!("migrations/0013_removed_alive.sql")),
    Sql(include_str!("migrations/0014_file_bytes.sql")),
    Sql(include_str!("migrations/0015_clock_jump.sql")),
    Sql(include_str!("migrations/0016_mixture.sql")),
    Sql(include_str!("migrations/0017_targets.sql")),
    Sql(include_str!("migrations/0018_agents.sql")),
    Sql(include_str!("migrations/0019_left_metas.sql")),
    Sql(include_str!("migrations/0020_read_times.sql")),
    Sql(include_str!("migrations/0021_pods.sql")),
    Sql(include_str!("migrations/0022_shared_addresses.sql")),
    Sql(include_str!("migrations/0023_left_counts.sql")),
    Sql(include_str!("migrations/0024_unsettled.sql")),
    Sql(include_str!("migrations/0025_marks.sql")),
    Sql(include_str!("migrations/0026_function_dates.sql")),
];

/// A connection to the database.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    path: PathBuf,
    damages: Damages,
    /// The write-ahead log is folded into the database when this connection is closed.
    folds_log: bool,
    /// The upgrade that this connection made, if it made one.
    upgrade: Option<Upgrade>,
}

/// Folds the write-ahead log into the database, and keeps the files beside it.
///
/// SQLite would remove the log and its index with the last connection. Then a user who may read the database but not
/// make files beside it could not open it. The log is emptied, so that a copy of the database file alone is complete.
impl Drop for Store {
    fn drop(&mut self) {
        if !self.folds_log {
            return;
        }
        // The drop does not wait for readers, because the next run that writes empties the log.
        let _ = self.connection.busy_timeout(Duration::ZERO);
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

impl Store {
    /// Opens the database for writing; makes it or brings it up to date if necessary.
    pub(crate) fn open(path: &Path, _proof: &LockProof) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut store = Self::connect(path, flags, &path.to_string_lossy())?;
        let version = store.check_version()?;
        store.folds_log = true;
        store.prepare(version).map_err(store.failed())?;
        if version != 0 && version != MIGRATIONS.len() {
            store.upgrade = Some(Upgrade { from: version, to: MIGRATIONS.len() });
        }
        Ok(store)
    }

    /// Opens an existing database for reading, even while another process writes.
    ///
    /// The shared memory that a write-ahead log needs cannot be made in a folder that this user may not write. A
    /// database without a log beside it is complete, and is then read as an immutable file.
    pub(crate) fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        match path.try_exists() {
            // A dangling link gets its own error when it is opened.
            Ok(false) if !path.is_symlink() => return Err(StoreError::Missing { path: path.to_owned() }),
            Ok(_) => {}
            Err(error) => return Err(StoreError::Hidden { path: path.to_owned(), error }),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Self::connect(path, flags, &path.to_string_lossy()).and_then(Self::checked);
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        match opened {
            Err(StoreError::Sqlite { error, .. })
                if matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
                    && !Path::new(&log).exists() =>
            {
                let encoded =
                    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                Self::connect(
                    path,
                    flags | OpenFlags::SQLITE_OPEN_URI,
                    &format!("file:{encoded}?immutable=1"),
                )?
                .checked()
            }
            opened => opened,
        }
    }

    /// Opens another connection, for a thread that only reads.
    pub(crate) fn reader(&self) -> Result<Self, StoreError> {
        let mut reader = Self::open_read_only(&self.path)?;
        reader.damages = self.damages.clone();
        Ok(reader)
    }

    /// Opens another connection, for a thread that folds the write-ahead log while this one reads and writes.
    pub(crate) fn fold_connection(&self, _proof: &LockProof) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let other = Self::connect(&self.path, flags, &self.path.to_string_lossy())?.checked()?;
        other.set_durability().map_err(other.failed())?;
        Ok(other)
    }

    /// Folds the write-ahead log into the database, as far as no reader needs the log, and waits for nobody; tells whether
    /// another try may fold more, which is false after an error. The end of the run folds what is left, so a failure costs
    /// nothing.
    pub(crate) fn fold_log(&self) -> bool {
        let sql = "PRAGMA wal_checkpoint(PASSIVE)";
        let pages =
            self.connection.query_row(sql, [], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)));
        pages.is_ok_and(|(in_log, folded)| folded < in_log)
    }

    /// Returns the writer, which carries out changes.
    pub(crate) fn writer<'a>(&'a self, proof: &'a LockProof) -> Writer<'a> {
        Writer::new(self, proof)
    }

    fn connect(path: &Path, flags: OpenFlags, name: &str) -> Result<Self, StoreError> {
        if path.is_symlink() {
            return Err(StoreError::Link { path: path.to_owned() });
        }
        // Opening a pipe would wait for a process at its other end.
        if let Some(reason) = reason::special_file(path) {
            return Err(StoreError::NoFile { path: path.to_owned(), reason });
        }
        let failed = |error| StoreError::from_sqlite(path, error);
        let flags = flags | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(name, flags).map_err(failed)?;
        // The last connection would remove the log, which readers who may not write need.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
        let shown = path.to_owned();
        connection.busy_handler(Some(move |attempt| waiting::wait(attempt, &shown))).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(64);
        // The bundled SQLite (with STAT4) would otherwise prepare a statement anew whenever a bound value changes.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            damages: Damages::default(),
            folds_log: false,
            upgrade: None,
        })
    }

    fn checked(self) -> Result<Self, StoreError> {
        let version = self.check_version()?;
        if version == MIGRATIONS.len() {
            return Ok(self);
        }
        Err(StoreError::Outdated { path: self.path.clone(), found: version })
    }

    /// Returns the number of applied migrations; fails if the file belongs to another program.
    fn check_version(&self) -> Result<usize, StoreError> {
        let ask =
            |sql: &str| self.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(self.failed());
        let application = ask("PRAGMA application_id")?;
        let version = ask("PRAGMA user_version")?;
        // A connection parses all tables for the first statement that names one, so none is named for a file of this program.
        // Most connections of a pull need no statement at all.
        if application != i64::from(APPLICATION_ID)
            && (application != 0 || version != 0 || ask("SELECT count(*) FROM sqlite_schema")? != 0)
        {
            return Err(StoreError::NotOurs { path: self.path.clone() });
        }
        let found = usize::try_from(version).unwrap_or(usize::MAX);
        if found > MIGRATIONS.len() {
            let known = MIGRATIONS.len();
            return Err(StoreError::FromTheFuture { path: self.path.clone(), found, known });
        }
        Ok(found)
    }

    fn prepare(&mut self, version: usize) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "journal_mode", "WAL")?;
        self.set_durability()?;
        // The undo of a change that fails would go through a temporary file in each transaction.
        self.connection.pragma_update(None, "temp_store", "MEMORY")?;
        // The size is large enough that the thread that writes does not fold the log after every few services.
        self.connection.pragma_update(None, "wal_autocheckpoint", 16_384)?;
        if version == MIGRATIONS.len() {
            return Ok(());
        }
        let transaction = self.connection.transaction()?;
        for migration in &MIGRATIONS[version..] {
            match migration {
                Sql(sql) => transaction.execute_batch(sql)?,
                Code(run) => run(&transaction)?,
            }
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", MIGRATIONS.len())?;
        transaction.commit()
    }

    /// Sets the pragmas that every connection that writes needs.
    fn set_durability(&self) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.pragma_update(None, "foreign_keys", true)
    }

    /// Wraps an error of SQLite with the name of the file.
    fn failed(&self) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Busy { path: path.clone(), waited: waiting::MAX_WAIT }
            }
            _ => StoreError::from_sqlite(&path, error),
        }
    }

    fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what: what.into() }
    }
}
