//! The reason why SQLite failed, and the next step. SQLite does not return the system's reason, so the failed access is
//! tried again to learn it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rusqlite::{Error, ErrorCode, ffi};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::{Resource, getrlimit};

/// Message for a file that is neither a regular one nor a folder nor a link.
const SPECIAL: &str = "cannot be opened: it is not a regular file; move it away";

/// Returns the reason why SQLite failed, and the next step of a person.
pub(super) fn explain(path: &Path, error: &Error) -> String {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "this is not an SQLite database, nothing was changed",
        Some(ErrorCode::DatabaseCorrupt) => {
            "the file is damaged; keep a copy, then try: sqlite3 FILE .recover | sqlite3 NEW"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            return why_not_opened(path, error);
        }
        Some(ErrorCode::DiskFull) => "the disk is full; what was stored before is intact",
        Some(ErrorCode::SystemIoFailure) => return why_not_done(path, error),
        _ => return with_code(error),
    };
    format!("{hint} ({error})")
}

/// Adds SQLite's extended code, by which its documentation lists the error (<https://sqlite.org/rescode.html>).
fn with_code(error: &Error) -> String {
    match error {
        Error::SqliteFailure(code, _) => format!("{error} (SQLite code {})", code.extended_code),
        error => error.to_string(),
    }
}

/// Returns the reason why the database, or a file beside it, cannot be opened, made or written.
fn why_not_opened(path: &Path, error: &Error) -> String {
    if let Err(reason) = can_open_files() {
        return format!("it cannot be opened: {reason}");
    }
    // A user who may only read can open the database if the files beside it exist.
    if let Some(reason) = refused(path, can_be_read).or_else(|| refused(path, can_be_written)) {
        return reason;
    }
    if error.sqlite_error_code() != Some(ErrorCode::CannotOpen) {
        return format!("this user may not write it: {}", with_code(error));
    }
    format!(
        "{}; nothing stands in its way now, so most likely too many files were open for a moment (ulimit -n)",
        with_code(error)
    )
}

/// Returns the path of a file that SQLite keeps beside the database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Fails if this process can open no more files: SQLite needs three at a time.
///
/// The database itself is not opened here: its locks would end when that file is closed (fcntl(2)).
fn can_open_files() -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the open itself is the check")]
    let open = |_| fs::File::open("/dev/null");
    let opened: io::Result<Vec<fs::File>> = (0..3).map(open).collect();
    match opened {
        // EMFILE and ENFILE: too many files of this process, and of this machine.
        Err(error) if matches!(error.raw_os_error(), Some(23 | 24)) => Err(error),
        _ => Ok(()),
    }
}

/// Returns a message about the first of SQLite's files that is a pipe, a socket or a device.
pub(super) fn special_file(path: &Path) -> Option<String> {
    refused(path, |file| match fs::symlink_metadata(file) {
        Ok(found) if !found.is_file() && !found.is_dir() && !found.is_symlink() => Err(SPECIAL.to_owned()),
        _ => Ok(()),
    })
}

/// Returns a message about the first of SQLite's files that fails a check.
fn refused(path: &Path, check: impl Fn(&Path) -> Result<(), String>) -> Option<String> {
    ["", "-wal", "-shm", "-journal"].into_iter().find_map(|suffix| {
        let file = beside(path, suffix);
        let reason = check(&file).err()?;
        Some(match suffix {
            "" => format!("it {reason}"),
            _ => format!("{:?} beside it {reason}", file.display()),
        })
    })
}

fn may(path: &Path, access: Access) -> io::Result<()> {
    Ok(accessat(CWD, path, access, AtFlags::EACCESS)?)
}

/// Fails if this user cannot read a file, or make it if it is missing.
fn can_be_read(file: &Path) -> Result<(), String> {
    match fs::symlink_metadata(file) {
        Ok(found) if found.is_file() => {
            may(file, Access::READ_OK).map_err(|reason| format!("cannot be opened by this user ({reason})"))
        }
        Ok(found) if found.is_dir() => Err("cannot be opened: it is a folder; move it away".to_owned()),
        Ok(found) if found.is_symlink() => {
            Err("cannot be opened: it is a symbolic link; put the file itself in its place".to_owned())
        }
        Ok(_) => Err(SPECIAL.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = file.parent().unwrap_or(Path::new("."));
            may(folder, Access::WRITE_OK | Access::EXEC_OK)
                .map_err(|reason| format!("cannot be made by this user ({reason})"))
        }
        Err(reason) => Err(format!("cannot be looked at ({reason})")),
    }
}

fn can_be_written(file: &Path) -> Result<(), String> {
    match may(file, Access::WRITE_OK) {
        Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
            Err(format!("cannot be written by this user ({reason})"))
        }
        _ => Ok(()),
    }
}

/// Returns the step of SQLite that failed, and its file.
fn why_not_done(path: &Path, error: &Error) -> String {
    let Error::SqliteFailure(ffi::Error { extended_code: code, .. }, _) = error else {
        return error.to_string();
    };
    if let Some(reason) = refused(path, can_be_read) {
        return reason;
    }
    let tried = match *code {
        ffi::SQLITE_IOERR_READ => "reading it, or the log beside it, failed",
        ffi::SQLITE_IOERR_SHORT_READ => "the file, or the log beside it, is shorter than it was",
        ffi::SQLITE_IOERR_WRITE => {
            "writing it, or the log beside it, failed, and what was stored before is intact"
        }
        ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC => "syncing it to the disk failed",
        ffi::SQLITE_IOERR_TRUNCATE => {
            "cutting the log beside it failed, and what was stored before is intact"
        }
        ffi::SQLITE_IOERR_FSTAT => "asking for its size failed",
        ffi::SQLITE_IOERR_LOCK
        | ffi::SQLITE_IOERR_RDLOCK
        | ffi::SQLITE_IOERR_UNLOCK
        | ffi::SQLITE_IOERR_CHECKRESERVEDLOCK
        | ffi::SQLITE_IOERR_SHMLOCK => "locking it failed; its file system may have no locks",
        ffi::SQLITE_IOERR_SHMOPEN | ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_SHMMAP => {
            let file = beside(path, "-shm");
            return format!("making {:?} beside it failed; {}", file.display(), next_step(error));
        }
        ffi::SQLITE_IOERR_GETTEMPPATH => "no folder for temporary files can be written (TMPDIR)",
        _ => "the file system refused it",
    };
    format!("{tried}; {}", next_step(error))
}

/// Returns the next step after the file system failed.
fn next_step(error: &Error) -> String {
    let file_size = getrlimit(Resource::Fsize).current;
    let limit = file_size.map_or(String::new(), |bytes| {
        format!("this process may write no file of more than {bytes} bytes (ulimit -f); ")
    });
    format!(
        "{limit}look at the disk and at what the kernel says of it (dmesg), then run this again: {}",
        with_code(error)
    )
}
