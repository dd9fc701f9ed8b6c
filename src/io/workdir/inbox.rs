//! Folders in which others leave files for us: each is there whole or not at all, read once, and then goes.
//!
//! Whoever can write there is a stranger: only regular files are opened, links are never followed, and what is
//! written goes into the very folder that was opened.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, fsync, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::{UNFINISHED, WorkdirError, io_error};

/// Folder, within an inbox, of what cannot be taken in.
const BAD: &str = "bad";
const REASON: &str = ".reason";
/// A temporary file that is older was left by somebody who was ended.
const LEFTOVER_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How long after its last change somebody may still be writing a file.
const FRESH: Duration = Duration::from_secs(600);
/// How many are kept of what cannot be taken in: somebody who breaks each file must not fill the disk.
pub(crate) const MOST_BAD: usize = 100;
/// Room in a name for what is added to it; a file system takes 255 bytes.
const LONGEST_STEM: usize = 200;

/// A file in an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InboxFile {
    folder: PathBuf,
    /// In whatever bytes its writer chose.
    name: OsString,
}

/// Writes a file into a folder of others, whole or not at all; it survives a power cut, and all may read it.
pub(crate) fn leave(folder: &Path, name: &str, text: &[u8]) -> Result<PathBuf, WorkdirError> {
    let opened = open_folder(folder).map_err(io_error("cannot write into", folder))?;
    let path = folder.join(name);
    let written = put(&opened, name.as_ref(), text, Synced::Yes);
    written.map_err(io_error("cannot write", &path))?;
    Ok(path)
}

/// Returns the files of an inbox whose names end so, and sweeps what was left unfinished; `None` where there is no
/// such folder.
pub(crate) fn files(
    folder: &Path,
    suffix: &str,
    now: DateTime<Utc>,
) -> Result<Option<Vec<InboxFile>>, WorkdirError> {
    if fs::metadata(folder).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let (mut files, mut leftovers) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(io_error("cannot list", folder))? {
        let name = entry.map_err(io_error("cannot list", folder))?.file_name();
        let bytes = name.as_bytes();
        if bytes.ends_with(suffix.as_bytes()) {
            files.push(InboxFile { folder: folder.to_owned(), name });
        } else if bytes.ends_with(UNFINISHED.as_bytes()) && name.to_string_lossy().contains(suffix) {
            leftovers.push(folder.join(name));
        }
    }
    files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    for path in leftovers {
        if age(&path, now).is_some_and(|age| age > LEFTOVER_AFTER) {
            #[expect(clippy::disallowed_methods, reason = "this is the inbox's sweep")]
            let _ = fs::remove_file(&path);
        }
    }
    Ok(Some(files))
}

/// Moves files out of the way, each with the reason beside it; what was moved there long before goes. Returns of each
/// whether it was there to move: another root may have taken it.
///
/// Many are moved at once, and those that would go at once again are removed: a folder full of them must cost a run
/// little.
#[must_use]
pub(crate) fn set_aside(files: &[(&InboxFile, &str)]) -> Vec<Result<bool, WorkdirError>> {
    let of_one_folder = files.chunk_by(|(a, _), (b, _)| a.folder == b.folder);
    of_one_folder.flat_map(|files| set_aside_in(&files[0].0.folder, files)).collect()
}

fn set_aside_in(folder: &Path, files: &[(&InboxFile, &str)]) -> Vec<Result<bool, WorkdirError>> {
    let bad = folder.join(BAD);
    let failed = |error: io::Error| Err(io_error("cannot move into", &bad)(error));
    let (folder, into) = match open_bad(folder) {
        Ok(opened) => opened,
        Err(error) => return files.iter().map(|_| failed(errno(&error).into())).collect(),
    };
    let surplus = files.len().saturating_sub(MOST_BAD);
    let mut moved_names = BTreeSet::new();
    let mut moved: Vec<Result<bool, WorkdirError>> = Vec::with_capacity(files.len());
    for (index, (file, reason)) in files.iter().enumerate() {
        let done = match index < surplus && unlinkat(&folder, &*file.name, AtFlags::empty()).is_ok() {
            true => Ok(true),
            false => move_into(&folder, &into, &file.name, reason).map(|name| {
                let was_there = name.is_some();
                moved_names.extend(name);
                was_there
            }),
        };
        moved.push(done.or_else(failed));
    }
    let settled = keep_newest(&into, &moved_names).and_then(|()| Ok(fsync(&into)?));
    if let (Err(error), Some(last)) = (settled, moved.last_mut()) {
        *last = failed(error);
    }
    moved
}

/// Opens a folder, and the one within it for what cannot be taken in.
fn open_bad(folder: &Path) -> io::Result<(OwnedFd, OwnedFd)> {
    let folder = open_folder(folder)?;
    match mkdirat(&folder, BAD, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let into = openat(&folder, BAD, flags, Mode::empty())?;
    Ok((folder, into))
}

/// Moves a file, and returns its name there; `None` where another root took it.
fn move_into(folder: &OwnedFd, into: &OwnedFd, file: &OsStr, reason: &str) -> io::Result<Option<OsString>> {
    let stem = stem(file);
    let is_taken = statat(into, file, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    let name = match is_taken {
        true => with(&stem, &format!(".{:08x}", fastrand::u32(..))),
        false => file.to_owned(),
    };
    let beside = if is_taken { &name } else { &stem };
    // The move comes first: of two roots only one moves it, and the other has no reason to leave there.
    match renameat(folder, file, into, &*name) {
        Err(Errno::NOENT) => return Ok(None),
        moved => moved?,
    }
    // A reason that a power cut takes is no loss of data.
    put(into, &with(beside, REASON), format!("{reason}\n").as_bytes(), Synced::No)?;
    Ok(Some(name))
}

/// Returns how long ago a file was written to; `None` where that cannot be known.
fn age(path: &Path, now: DateTime<Utc>) -> Option<Duration> {
    let modified = fs::symlink_metadata(path).and_then(|file| file.modified()).ok()?;
    SystemTime::from(now).duration_since(modified).ok()
}

impl InboxFile {
    /// Returns its path.
    #[must_use]
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Tells whether it was written to within the last minutes, so that somebody may still be at it.
    #[must_use]
    pub(crate) fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        age(&self.path(), now).is_some_and(|age| age < FRESH)
    }

    /// Tells whether it is not there any more, because another root took it.
    #[must_use]
    pub(crate) fn is_gone(&self) -> bool {
        fs::symlink_metadata(self.path()).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Opens it; `None` where it is no regular file.
    pub(crate) fn open(&self) -> Result<Option<File>, WorkdirError> {
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

    /// Removes it, once nothing of it is needed any more.
    pub(crate) fn remove(&self) -> Result<(), WorkdirError> {
        let path = self.path();
        #[expect(clippy::disallowed_methods, reason = "what is in the inbox goes when it was taken in")]
        let removed = fs::remove_file(&path);
        match removed {
            // Another root took it, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(io_error("cannot remove", &path)),
        }
    }
}

/// Returns the beginning of a name, which leaves room for more.
fn stem(name: &OsStr) -> OsString {
    match name.to_str() {
        Some(text) => {
            let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= LONGEST_STEM);
            text[..end.unwrap_or(text.len())].into()
        }
        None => OsString::from_vec(name.as_bytes().iter().copied().take(LONGEST_STEM).collect()),
    }
}

fn with(name: &OsStr, ending: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(ending);
    name
}

/// Removes of a folder of bad files, and the reasons beside them, all but those that came last; never `newest`.
fn keep_newest(folder: &OwnedFd, newest: &BTreeSet<OsString>) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let bytes = entry.file_name().to_bytes();
        let name = OsStr::from_bytes(bytes);
        if newest.contains(name) || [REASON, UNFINISHED].iter().any(|end| bytes.ends_with(end.as_bytes())) {
            continue;
        }
        // When it was moved here, whatever it says of its contents.
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
            files.push(((stat.st_ctime, stat.st_ctime_nsec), name.to_owned()));
        }
    }
    files.sort_unstable();
    let too_many = (files.len() + newest.len()).saturating_sub(MOST_BAD).min(files.len());
    for (_, name) in &files[..too_many] {
        match unlinkat(folder, &**name, AtFlags::empty()) {
            // Another root keeps the same folder small.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        for beside in [name, &stem(name)] {
            let _ = unlinkat(folder, with(beside, REASON), AtFlags::empty());
        }
    }
    Ok(())
}

/// Whether a file survives a power cut once it is put.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Synced {
    Yes,
    No,
}

fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Puts a file into a folder that is open, in place of whatever has its name, and follows nothing.
fn put(folder: &OwnedFd, name: &OsStr, text: &[u8], synced: Synced) -> io::Result<()> {
    let unfinished = with(name, &format!(".{:016x}{UNFINISHED}", fastrand::u64(..)));
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, &*unfinished, flags, Mode::from_raw_mode(0o644))?);
    let written = (|| {
        // Whatever the umask of who writes: another user reads it.
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.write_all(text)?;
        if synced == Synced::Yes {
            file.sync_all()?;
        }
        renameat(folder, &*unfinished, folder, name)?;
        if synced == Synced::Yes {
            fsync(folder)?;
        }
        Ok(())
    })();
    if written.is_err() {
        let _ = unlinkat(folder, &*unfinished, AtFlags::empty());
    }
    written
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::super::names_in;
    use super::*;

    #[test]
    fn a_file_that_another_root_took_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let file = InboxFile { folder: folder.path().to_owned(), name: "a.snapshot".into() };
        assert!(file.is_gone());
        file.remove().unwrap();
        assert!(!set_aside(&[(&file, "too bad")]).remove(0).unwrap());
        assert_eq!(names_in(&folder.path().join(BAD)).unwrap(), Vec::<String>::new(), "no reason of nothing");
    }

    #[test]
    fn of_what_cannot_be_taken_in_the_newest_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut names: Vec<String> = (0..MOST_BAD + 5).map(|index| format!("{index}.snapshot")).collect();
        // The reason beside it has a shorter name; and one that has been there before.
        names.push(format!("{}.snapshot", "x".repeat(240)));
        names.push("0.snapshot".to_owned());
        for name in &names {
            #[expect(clippy::disallowed_methods, reason = "as a stranger writes it")]
            fs::write(folder.path().join(name), "bad").unwrap();
            let file = InboxFile { folder: folder.path().to_owned(), name: name.into() };
            assert!(set_aside(&[(&file, "too bad")]).remove(0).unwrap());
            let bad = names_in(&folder.path().join(BAD)).unwrap();
            let (reasons, files): (Vec<&String>, Vec<&String>) =
                bad.iter().partition(|name| name.ends_with(REASON));
            assert!(files.len() <= MOST_BAD && files.len() == reasons.len(), "{bad:?}");
            assert!(
                files.iter().any(|file| file
                    .starts_with(stem(name.as_ref()).to_str().unwrap().trim_end_matches(".snapshot"))),
                "{name}"
            );
        }
        let bad = names_in(&folder.path().join(BAD)).unwrap();
        assert_eq!(bad.len(), 2 * MOST_BAD);
    }
}
