//! Folders in which others leave files for us: each is there whole or not at all, read once, and then goes.
//!
//! Whoever can write there is a stranger: only regular files are opened, and links are never followed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use super::{UNFINISHED, WorkdirError, io_error, make_folder, names_in, sync_folder, write_whole};

/// Folder, within an inbox, of what cannot be taken in.
const BAD: &str = "bad";
const REASON: &str = ".reason";
/// A temporary file that is older was left by somebody who was ended.
const LEFTOVER_AFTER: TimeDelta = TimeDelta::days(1);

/// A file in an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    folder: PathBuf,
    name: String,
}

/// Writes a file into a folder of others, whole or not at all; it survives a power cut.
pub fn leave(folder: &Path, name: &str, text: &[u8]) -> Result<PathBuf, WorkdirError> {
    if !folder.is_dir() {
        let missing = io::Error::new(io::ErrorKind::NotFound, "it is no folder that is there");
        return Err(io_error("cannot write into", folder)(missing));
    }
    let path = folder.join(name);
    let written = write_whole(&path, |out| io::Write::write_all(out, text))?;
    written.map_err(io_error("cannot write", &path))?;
    sync_folder(folder)?;
    Ok(path)
}

/// Returns the files of an inbox whose names end so, and sweeps what was left unfinished; `None` where there is no
/// such folder.
pub fn waiting(
    folder: &Path,
    suffix: &str,
    now: DateTime<Utc>,
) -> Result<Option<Vec<Waiting>>, WorkdirError> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let names = names_in(folder)?;
    let is_leftover = |name: &&String| name.ends_with(UNFINISHED) && name.contains(suffix);
    for name in names.iter().filter(is_leftover) {
        let path = folder.join(name);
        if modified(&path).is_some_and(|modified| now - modified > LEFTOVER_AFTER) {
            #[expect(clippy::disallowed_methods, reason = "this is the inbox's sweep")]
            let _ = fs::remove_file(&path);
        }
    }
    let names = names.into_iter().filter(|name| name.ends_with(suffix));
    Ok(Some(names.map(|name| Waiting { folder: folder.to_owned(), name }).collect()))
}

fn modified(path: &Path) -> Option<DateTime<Utc>> {
    fs::symlink_metadata(path).and_then(|file| file.modified()).ok().map(DateTime::from)
}

impl Waiting {
    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Tells whether it was written to within the last minutes, so that somebody may still be at it.
    #[must_use]
    pub fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        modified(&self.path()).is_some_and(|modified| (now - modified).abs() < TimeDelta::minutes(10))
    }

    /// Opens it; fails on all that is no regular file.
    pub fn open(&self) -> Result<File, WorkdirError> {
        let path = self.path();
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let opened =
            OpenOptions::new().read(true).custom_flags(flags).open(&path).and_then(|file| {
                match file.metadata()?.is_file() {
                    true => Ok(file),
                    false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
                }
            });
        opened.map_err(io_error("cannot open", &path))
    }

    /// Moves it out of the way, with the reason beside it; returns where it is then.
    pub fn set_aside(&self, reason: &str) -> Result<PathBuf, WorkdirError> {
        let bad = self.folder.join(BAD);
        make_folder(&bad)?;
        let to = bad.join(&self.name);
        #[expect(clippy::disallowed_methods, reason = "the folders are synced")]
        fs::rename(self.path(), &to).map_err(io_error("cannot rename to", &to))?;
        let beside = bad.join(format!("{}{REASON}", self.name));
        let written =
            write_whole(&beside, |out| io::Write::write_all(out, format!("{reason}\n").as_bytes()))?;
        written.map_err(io_error("cannot write", &beside))?;
        sync_folder(&bad)?;
        Ok(to)
    }

    /// Removes it, once nothing of it is needed any more.
    pub fn remove(&self) -> Result<(), WorkdirError> {
        let path = self.path();
        #[expect(clippy::disallowed_methods, reason = "what is in the inbox goes when it was taken in")]
        fs::remove_file(&path).map_err(io_error("cannot remove", &path))
    }
}
