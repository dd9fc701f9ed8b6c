//! Folders in which other users leave files. Each file is complete or missing, is read once, and then removed.
//!
//! The users who can write there are not trusted: only regular files are opened, links are never followed, and files
//! are written through the handle of the folder.

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
use rustix::fs::{
    Access, AtFlags, Dir, Mode, OFlags, accessat, fsync, mkdirat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use super::durable::UNFINISHED;
use super::error::{WorkdirError, io_error};

/// Folder within an inbox for files that cannot be taken in.
pub(super) const BAD: &str = "bad";
const REASON: &str = ".reason";
/// Age from which a temporary file counts as left by a writer that was killed.
const LEFTOVER_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Time after its last change for which a file may still be written.
const FRESH: Duration = Duration::from_secs(600);
/// Number of kept files that cannot be taken in. A writer of broken files must not fill the disk.
pub(crate) const MOST_BAD: usize = 100;
/// Length of a name before suffixes are added; a file system takes 255 bytes.
const LONGEST_STEM: usize = 200;

/// A file in an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InboxFile {
    folder: PathBuf,
    /// Name of the file, which may not be UTF-8.
    name: OsString,
}

/// Fails if no file can be left in a folder, so that nothing is done for a file that cannot be written.
pub(crate) fn check(folder: &Path) -> Result<(), WorkdirError> {
    let opened = open_folder(folder).map_err(io_error("cannot write into", folder))?;
    let may_write = accessat(&opened, c".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    may_write.map_err(|error| io_error("cannot write into", folder)(error.into()))
}

/// Writes a file into a folder of another user, whole or not at all; it survives a power cut, and all may read it.
pub(crate) fn leave(folder: &Path, name: &str, text: &[u8]) -> Result<PathBuf, WorkdirError> {
    let opened = open_folder(folder).map_err(io_error("cannot write into", folder))?;
    let path = folder.join(name);
    let written = put(&opened, name.as_ref(), text, Synced::Yes);
    written.map_err(io_error("cannot write", &path))?;
    Ok(path)
}

/// Returns the files of an inbox with this suffix, and removes old temporary files; `None` if there is no such folder.
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

/// Moves files aside, each with a file of the reason beside it, and removes the oldest ones there. Returns for each file
/// whether it was moved: another root may have taken it.
///
/// Surplus files are removed without a move, so that a folder full of bad files costs a run little.
#[must_use]
pub(crate) fn set_aside(files: &[(&InboxFile, &str)]) -> Vec<Result<bool, WorkdirError>> {
    let by_folder = files.chunk_by(|(a, _), (b, _)| a.folder == b.folder);
    let aside = |files: &[(&InboxFile, &str)]| {
        let named: Vec<(&OsStr, &str)> = files.iter().map(|(file, reason)| (&*file.name, *reason)).collect();
        move_aside(&files[0].0.folder, None, &named)
    };
    by_folder.flat_map(aside).collect()
}

/// Moves files out of the folder `from`, or out of the inbox itself, into the folder for bad files of the inbox.
pub(super) fn move_aside(
    inbox: &Path,
    from: Option<&OwnedFd>,
    files: &[(&OsStr, &str)],
) -> Vec<Result<bool, WorkdirError>> {
    let bad = inbox.join(BAD);
    let failed = |error: io::Error| Err(io_error("cannot move into", &bad)(error));
    let (folder, into) = match open_bad(inbox) {
        Ok(opened) => opened,
        Err(error) => return files.iter().map(|_| failed(errno(&error).into())).collect(),
    };
    let folder = from.unwrap_or(&folder);
    let surplus = files.len().saturating_sub(MOST_BAD);
    let mut moved_names = BTreeSet::new();
    let mut moved: Vec<Result<bool, WorkdirError>> = Vec::with_capacity(files.len());
    for (index, (name, reason)) in files.iter().enumerate() {
        let done = match index < surplus && unlinkat(folder, *name, AtFlags::empty()).is_ok() {
            true => Ok(true),
            false => move_into(folder, &into, name, reason).map(|name| {
                let was_there = name.is_some();
                moved_names.extend(name);
                was_there
            }),
        };
        moved.push(done.or_else(failed));
    }
    let synced = keep_newest(&into, &moved_names).and_then(|()| Ok(fsync(&into)?));
    if let (Err(error), Some(last)) = (synced, moved.last_mut()) {
        *last = failed(error);
    }
    moved
}

/// Returns the number of files that fit into the folder for bad files, so that none there has to go.
pub(super) fn room_for_bad(inbox: &Path) -> io::Result<usize> {
    let (_, bad) = open_bad(inbox)?;
    Ok(MOST_BAD.saturating_sub(bad_files(&bad)?.len()))
}

/// Opens a folder, and the one within it for bad files.
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

/// Moves a file, and returns its new name; `None` if another root took it.
fn move_into(folder: &OwnedFd, into: &OwnedFd, file: &OsStr, reason: &str) -> io::Result<Option<OsString>> {
    let stem = stem(file);
    let is_taken = statat(into, file, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    let name = match is_taken {
        true => with(&stem, &format!(".{:08x}", fastrand::u32(..))),
        false => file.to_owned(),
    };
    let beside = if is_taken { &name } else { &stem };
    // The move comes before the reason, because only one of two roots succeeds in it.
    match renameat(folder, file, into, &*name) {
        Err(Errno::NOENT) => return Ok(None),
        moved => moved?,
    }
    // The reason is not synced: losing it in a power cut loses no data.
    put(into, &with(beside, REASON), format!("{reason}\n").as_bytes(), Synced::No)?;
    Ok(Some(name))
}

/// Returns the time since a file was changed; `None` if that is unknown.
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

    /// Tells whether it changed within the last minutes, so that it may still be written.
    #[must_use]
    pub(crate) fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        age(&self.path(), now).is_some_and(|age| age < FRESH)
    }

    /// Tells whether the file is gone, because another root took it.
    #[must_use]
    pub(crate) fn is_gone(&self) -> bool {
        fs::symlink_metadata(self.path()).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Opens it; `None` if it is not a regular file.
    pub(crate) fn open(&self) -> Result<Option<File>, WorkdirError> {
        let path = self.path();
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        // ELOOP: a link. ENXIO: a socket.
        let is_none = |error: &io::Error| [Errno::LOOP, Errno::NXIO].contains(&errno(error));
        match opened {
            Err(error) if is_none(&error) => Ok(None),
            opened => opened
                .and_then(|file| Ok(file.metadata()?.is_file().then_some(file)))
                .map_err(io_error("cannot open", &path)),
        }
    }

    /// Removes it after it was taken in.
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

/// Returns the beginning of a name, which leaves room for suffixes.
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

/// Returns the bad files, each with the time at which it was moved there, without their reasons.
fn bad_files(folder: &OwnedFd) -> io::Result<Vec<((i64, u64), OsString)>> {
    let mut files = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let bytes = entry.file_name().to_bytes();
        let name = OsStr::from_bytes(bytes);
        if [REASON, UNFINISHED].iter().any(|end| bytes.ends_with(end.as_bytes())) {
            continue;
        }
        // The change time tells when it was moved here; a writer can set the modification time.
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
            files.push(((stat.st_ctime, stat.st_ctime_nsec), name.to_owned()));
        }
    }
    Ok(files)
}

/// Removes the oldest bad files, with the reasons beside them, but never a file of `newest`.
fn keep_newest(folder: &OwnedFd, newest: &BTreeSet<OsString>) -> io::Result<()> {
    let mut files = bad_files(folder)?;
    files.retain(|(_, name)| !newest.contains(name));
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

/// Tells whether a new file is synced, to survive a power cut.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Synced {
    Yes,
    No,
}

pub(super) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Puts a file into an open folder, replacing an entry of that name, and follows no link.
fn put(folder: &OwnedFd, name: &OsStr, text: &[u8], synced: Synced) -> io::Result<()> {
    let unfinished = with(name, &format!(".{:016x}{UNFINISHED}", fastrand::u64(..)));
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, &*unfinished, flags, Mode::from_raw_mode(0o644))?);
    let written = (|| {
        // The mode ignores the umask, because another user reads the file.
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
    use super::super::site::names_in;
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
    fn the_newest_bad_files_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut names: Vec<String> = (0..MOST_BAD + 5).map(|index| format!("{index}.snapshot")).collect();
        // The first one has a reason with a shorter name; the second name is used again.
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
