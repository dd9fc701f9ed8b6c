//! Folders in which others leave files for us: each is there whole or not at all, read once, and then goes.
//!
//! Whoever can write there is a stranger: only regular files are opened, links are never followed, and what is
//! written goes into the very folder that was opened.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use rustix::fs::{AtFlags, Mode, OFlags, fsync, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::{UNFINISHED, WorkdirError, io_error, names_in};

/// Folder, within an inbox, of what cannot be taken in.
const BAD: &str = "bad";
const REASON: &str = ".reason";
/// A temporary file that is older was left by somebody who was ended.
const LEFTOVER_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How long after its last change somebody may still be writing a file.
const FRESH: Duration = Duration::from_secs(600);
/// Room in a name for what is added to it; a file system takes 255 bytes.
const LONGEST_STEM: usize = 200;

/// A file in an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxFile {
    folder: PathBuf,
    name: String,
}

/// Writes a file into a folder of others, whole or not at all; it survives a power cut, and all may read it.
pub fn leave(folder: &Path, name: &str, text: &[u8]) -> Result<PathBuf, WorkdirError> {
    let opened = open_folder(folder).map_err(io_error("cannot write into", folder))?;
    let path = folder.join(name);
    put(&opened, name, text).map_err(io_error("cannot write", &path))?;
    Ok(path)
}

/// Returns the files of an inbox whose names end so, and sweeps what was left unfinished; `None` where there is no
/// such folder.
pub fn files(
    folder: &Path,
    suffix: &str,
    now: DateTime<Utc>,
) -> Result<Option<Vec<InboxFile>>, WorkdirError> {
    if fs::metadata(folder).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let names = names_in(folder)?;
    let is_leftover = |name: &&String| name.ends_with(UNFINISHED) && name.contains(suffix);
    for name in names.iter().filter(is_leftover) {
        let path = folder.join(name);
        if age(&path, now).is_some_and(|age| age > LEFTOVER_AFTER) {
            #[expect(clippy::disallowed_methods, reason = "this is the inbox's sweep")]
            let _ = fs::remove_file(&path);
        }
    }
    let names = names.into_iter().filter(|name| name.ends_with(suffix));
    Ok(Some(names.map(|name| InboxFile { folder: folder.to_owned(), name }).collect()))
}

/// Returns how long ago a file was written to; `None` where that cannot be known.
fn age(path: &Path, now: DateTime<Utc>) -> Option<Duration> {
    let modified = fs::symlink_metadata(path).and_then(|file| file.modified()).ok()?;
    SystemTime::from(now).duration_since(modified).ok()
}

impl InboxFile {
    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Tells whether it was written to within the last minutes, so that somebody may still be at it.
    #[must_use]
    pub fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        age(&self.path(), now).is_some_and(|age| age < FRESH)
    }

    /// Opens it; `None` where it is no regular file.
    pub fn open(&self) -> Result<Option<File>, WorkdirError> {
        let path = self.path();
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        // A link; a socket.
        let is_none = |error: &io::Error| [Errno::LOOP, Errno::NXIO].contains(&errno(error));
        match opened {
            Err(error) if is_none(&error) => Ok(None),
            opened => opened
                .and_then(|file| Ok(file.metadata()?.is_file().then_some(file)))
                .map_err(io_error("cannot open", &path)),
        }
    }

    /// Moves it out of the way, with the reason beside it.
    pub fn set_aside(&self, reason: &str) -> Result<(), WorkdirError> {
        let bad = self.folder.join(BAD);
        let moved = (|| {
            let folder = open_folder(&self.folder)?;
            match mkdirat(&folder, BAD, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            let into: OwnedFd =
                openat(&folder, BAD, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            let stem = self.name.char_indices().take_while(|(at, _)| *at < LONGEST_STEM);
            let stem: String = stem.map(|(_, char)| char).collect();
            let is_taken = statat(&into, &*self.name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
            let name = match is_taken {
                true => format!("{stem}.{:08x}", fastrand::u32(..)),
                false => self.name.clone(),
            };
            let beside = if is_taken { &name } else { &stem };
            put(&into, &format!("{beside}{REASON}"), format!("{reason}\n").as_bytes())?;
            renameat(&folder, &*self.name, &into, &*name)?;
            Ok(fsync(&into)?)
        })();
        moved.map_err(io_error("cannot move into", &bad))
    }

    /// Removes it, once nothing of it is needed any more.
    pub fn remove(&self) -> Result<(), WorkdirError> {
        let path = self.path();
        #[expect(clippy::disallowed_methods, reason = "what is in the inbox goes when it was taken in")]
        fs::remove_file(&path).map_err(io_error("cannot remove", &path))
    }
}

fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Puts a file into a folder that is open, in place of whatever has its name, and follows nothing.
fn put(folder: &OwnedFd, name: &str, text: &[u8]) -> io::Result<()> {
    let unfinished = format!("{name}.{:016x}{UNFINISHED}", fastrand::u64(..));
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, &*unfinished, flags, Mode::from_raw_mode(0o644))?);
    let written = (|| {
        // Whatever the umask of who writes: another user reads it.
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.write_all(text)?;
        file.sync_all()?;
        renameat(folder, &*unfinished, folder, name)?;
        Ok(fsync(folder)?)
    })();
    if written.is_err() {
        let _ = unlinkat(folder, &*unfinished, AtFlags::empty());
    }
    written
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}
