//! Folders of the work directory, each opened below the one that holds it, so that whoever may write there cannot
//! lead this program elsewhere by a symbolic link, not even in the moment between a look and a step.

use std::fs::File;
use std::io::{self, BufWriter};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, fchmod, fchown, fstat, fsync,
    mkdirat, openat, readlinkat, renameat, statat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::{UNFINISHED, WorkdirError, io_error};
use crate::access::Caller;

/// Modes of what is created. The kernel takes away what the umask forbids; others get nothing.
const FILE: Mode = Mode::from_raw_mode(0o660);
const FOLDER: Mode = Mode::from_raw_mode(0o770);
const PERMISSIONS: u32 = 0o7777;
const OTHERS: u32 = 0o007;
const SET_GROUP: u32 = 0o2000;

/// How files are created, and whose links are followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) caller: Caller,
    /// The group may write whatever the umask says.
    pub(super) group_write: bool,
}

/// Symbolic links that are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// None.
    Refused,
    /// Those of this user and of root.
    Trusted,
}

/// A folder that is open.
#[derive(Debug)]
pub(super) struct Folder {
    handle: OwnedFd,
    /// For messages, and for programs that are given paths.
    path: PathBuf,
    /// User and group of the root folder.
    root_owner: (u32, u32),
    rules: Rules,
}

impl Folder {
    /// Opens the root.
    pub(super) fn open_root(path: &Path, rules: Rules) -> Result<Self, WorkdirError> {
        let opened = rustix::fs::open(path, folder_flags() | OFlags::NOFOLLOW, Mode::empty());
        let handle = opened.map_err(|error| {
            // A link that leads nowhere, or in a circle, is "not a directory" here; a look through it tells more.
            let reason = std::fs::metadata(path).err().unwrap_or_else(|| error.into());
            io_error("cannot open", path)(reason)
        })?;
        let stat = fstat(&handle).map_err(|error| io_error("cannot look at", path)(error.into()))?;
        Ok(Self { handle, path: path.to_owned(), root_owner: (stat.st_uid, stat.st_gid), rules })
    }

    /// Returns its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a folder in it.
    pub(super) fn child(&self, name: &str, links: Links) -> Result<Self, WorkdirError> {
        let path = self.path.join(name);
        let handle = match openat(&self.handle, name, folder_flags() | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(handle) => handle,
            Err(error) => match self.link(name)? {
                Some(link) => self.behind(&link, &path, links)?,
                None => return Err(io_error("cannot open", &path)(error.into())),
            },
        };
        Ok(Self { handle, path, root_owner: self.root_owner, rules: self.rules })
    }

    /// Opens a folder in it, and makes it where there is none; it survives a power cut then.
    pub(super) fn make_child(&self, name: &str, links: Links) -> Result<Self, WorkdirError> {
        match self.child(name, links) {
            Err(error) if error.is_not_found() && self.link(name)?.is_none() => {}
            opened => return opened,
        }
        let path = self.path.join(name);
        match mkdirat(&self.handle, name, FOLDER) {
            Ok(()) => {}
            // Two threads may store the first profiles of one app at the same time.
            Err(Errno::EXIST) => return self.child(name, links),
            Err(error) => return Err(io_error("cannot create", &path)(error.into())),
        }
        let made = self.child(name, Links::Refused)?;
        let adapted = made.opened().and_then(|handle| made.adapt(&handle, FOLDER));
        adapted.map_err(io_error("cannot create", &path))?;
        self.sync()?;
        Ok(made)
    }

    /// Opens a folder below it by names that are separated by `/`, of which only the first may be a link.
    pub(super) fn below(&self, path: &str, makes: bool) -> Result<Self, WorkdirError> {
        if !path.split('/').all(is_name) {
            return Err(no_stored_path(&self.path.join(path)));
        }
        let mut names = path.split('/');
        let first = names.next().unwrap_or_default();
        let open = |folder: &Self, name, links| match makes {
            true => folder.make_child(name, links),
            false => folder.child(name, links),
        };
        names.try_fold(open(self, first, Links::Trusted)?, |folder, name| open(&folder, name, Links::Refused))
    }

    /// Opens a regular file in it for reading.
    pub(super) fn open_file(&self, name: &str) -> Result<File, WorkdirError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => regular(File::from(handle)).map_err(io_error("cannot open", &self.path.join(name))),
            Err(error) => Err(self.not_opened(name, error)),
        }
    }

    /// Opens a regular file in it, through whatever links.
    pub(super) fn open_linked_file(&self, name: &str) -> Result<File, WorkdirError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(&self.handle, name, flags, Mode::empty()).map_err(io::Error::from);
        opened
            .and_then(|handle| regular(File::from(handle)))
            .map_err(io_error("cannot read", &self.path.join(name)))
    }

    /// Opens a lock file in it for reading and writing, and makes it where there is none.
    pub(super) fn open_lock(&self, name: &str) -> Result<File, WorkdirError> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        loop {
            match openat(&self.handle, name, flags, Mode::empty()) {
                Ok(handle) => {
                    let file = regular(File::from(handle));
                    return file.map_err(io_error("cannot open", &self.path.join(name)));
                }
                Err(Errno::NOENT) => {}
                Err(error) => return Err(self.not_opened(name, error)),
            }
            match self.create(name, OFlags::RDWR) {
                Err(WorkdirError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created,
            }
        }
    }

    /// Creates a file in it that is not there yet.
    pub(super) fn create(&self, name: &str, access: OFlags) -> Result<File, WorkdirError> {
        let flags = access | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let created = openat(&self.handle, name, flags, FILE).map_err(io::Error::from);
        created
            .and_then(|handle| {
                self.adapt(&handle, FILE)?;
                Ok(File::from(handle))
            })
            .map_err(io_error("cannot create", &self.path.join(name)))
    }

    /// Gives what was just created the mode and the owner that it is to have.
    fn adapt(&self, handle: &OwnedFd, mode: Mode) -> io::Result<()> {
        if self.rules.group_write {
            let found = fstat(handle)?.st_mode & PERMISSIONS;
            // A folder keeps the bit that hands its group on. To set that is forbidden to hardened services
            // (RestrictSUIDSGID), so nothing is set where the umask left all of it.
            let wanted = mode.as_raw_mode() | (found & SET_GROUP);
            if found != wanted {
                fchmod(handle, Mode::from_raw_mode(wanted))?;
            }
        }
        let (user, group) = self.root_owner;
        if self.rules.caller.gives_files_to(user) {
            match fchown(handle, Some(Uid::from_raw(user)), Some(Gid::from_raw(group))) {
                // In a container root may lack the right to.
                Ok(()) | Err(Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Writes a file in it that is not there yet, and syncs the file.
    pub(super) fn write_new(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), WorkdirError> {
        let file = self.create(name, OFlags::WRONLY)?;
        super::fill_synced(&self.path.join(name), file, write)
    }

    /// Writes a file in it so that it is there whole, also after a power cut, or not at all.
    pub(super) fn write_whole(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), WorkdirError> {
        let unfinished = format!("{name}{UNFINISHED}");
        // A crash may have left one, and somebody a link in its place.
        self.remove_if_there(&unfinished)?;
        let written = self.write_new(&unfinished, write).and_then(|()| self.rename(&unfinished, self, name));
        if written.is_err() {
            // An unfinished file would only take up a full disk.
            let _ = self.remove_if_there(&unfinished);
        }
        written?;
        self.sync()
    }

    /// Has a file in it made by a program that is given its path, whole or not at all; it survives a power cut.
    pub(super) fn fill_whole<E>(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Result<(), E>, WorkdirError> {
        let unfinished = format!("{name}{UNFINISHED}");
        self.remove_if_there(&unfinished)?;
        let created = self.create(&unfinished, OFlags::RDWR)?;
        let path = self.path.join(&unfinished);
        let filled = fill(&path);
        let done = match &filled {
            Ok(()) => created
                .sync_all()
                .map_err(io_error("cannot sync", &path))
                .and_then(|()| self.rename(&unfinished, self, name)),
            Err(_) => Ok(()),
        };
        if filled.is_err() || done.is_err() {
            let _ = self.remove_if_there(&unfinished);
        }
        done?;
        self.sync()?;
        Ok(filled)
    }

    /// Moves what it holds under a name to a name in another folder, in place of what is there.
    pub(super) fn rename(&self, name: &str, to: &Self, to_name: &str) -> Result<(), WorkdirError> {
        renameat(&self.handle, name, &to.handle, to_name)
            .map_err(|error| io_error("cannot rename to", &to.path.join(to_name))(error.into()))
    }

    /// Removes a file, or a link, and not what it leads to.
    pub(super) fn remove(&self, name: &str) -> Result<(), WorkdirError> {
        unlinkat(&self.handle, name, AtFlags::empty())
            .map_err(|error| io_error("cannot remove", &self.path.join(name))(error.into()))
    }

    fn remove_if_there(&self, name: &str) -> Result<(), WorkdirError> {
        match self.remove(name) {
            Err(error) if error.is_not_found() => Ok(()),
            removed => removed,
        }
    }

    /// Removes whatever it holds under a name, with all that is in it; links are removed and not followed.
    pub(super) fn remove_all(&self, name: &str) -> Result<(), WorkdirError> {
        match self.file_type(name)? {
            None => return Ok(()),
            Some(FileType::Directory) => {}
            Some(_) => return self.remove_if_there(name),
        }
        let folder = self.child(name, Links::Refused)?;
        for entry in folder.names()? {
            folder.remove_all(&entry)?;
        }
        unlinkat(&self.handle, name, AtFlags::REMOVEDIR)
            .map_err(|error| io_error("cannot remove", &folder.path)(error.into()))
    }

    /// Returns the names of what it holds, sorted. A name that is no text is left out: this program makes none.
    pub(super) fn names(&self) -> Result<Vec<String>, WorkdirError> {
        let listed = |error| io_error("cannot list", &self.path)(error);
        let handle = self.opened().map_err(listed)?;
        let mut names = Vec::new();
        for entry in Dir::new(handle).map_err(|error| listed(error.into()))? {
            let entry = entry.map_err(|error| listed(error.into()))?;
            if let Ok(name) = entry.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        names.retain(|name| name != "." && name != "..");
        names.sort_unstable();
        Ok(names)
    }

    /// Returns what kind of thing it holds under a name; `None` where there is nothing.
    pub(super) fn file_type(&self, name: &str) -> Result<Option<FileType>, WorkdirError> {
        Ok(self.stat(name)?.map(|stat| FileType::from_raw_mode(stat.st_mode)))
    }

    /// Returns the permissions of what it holds under a name, where that is no link.
    pub(super) fn permissions(&self, name: &str) -> Result<Option<u32>, WorkdirError> {
        let stat = self.stat(name)?.filter(|stat| !FileType::from_raw_mode(stat.st_mode).is_symlink());
        Ok(stat.map(|stat| stat.st_mode & PERMISSIONS))
    }

    /// Returns the id of the user whom what it holds under a name belongs to; `None` where there is nothing.
    pub(super) fn owner(&self, name: &str) -> Result<Option<u32>, WorkdirError> {
        Ok(self.stat(name)?.map(|stat| stat.st_uid))
    }

    /// Returns the size of a file in it.
    pub(super) fn size(&self, name: &str) -> u64 {
        let stat = self.stat(name).ok().flatten();
        stat.and_then(|stat| u64::try_from(stat.st_size).ok()).unwrap_or_default()
    }

    /// Returns when what stands there was moved here; `None` where there is nothing.
    ///
    /// Whoever moves a file of their own here has it modified then. Of a file of another user, whose time nobody else may
    /// set, the kernel notes when its name changed.
    pub(super) fn moved_at(&self, name: &str) -> Result<Option<DateTime<Utc>>, WorkdirError> {
        let at = |stat: rustix::fs::Stat| match self.rules.caller.sets_times_of(stat.st_uid) {
            true => stat.st_mtime,
            false => stat.st_mtime.max(stat.st_ctime),
        };
        Ok(self.stat(name)?.and_then(|stat| DateTime::from_timestamp(at(stat), 0)))
    }

    /// Has a file in it modified then.
    pub(super) fn set_modified_at(&self, name: &str, at: DateTime<Utc>) -> Result<(), WorkdirError> {
        let at = Timespec { tv_sec: at.timestamp(), tv_nsec: 0 };
        let times = Timestamps { last_access: at, last_modification: at };
        utimensat(&self.handle, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| io_error("cannot set the time of", &self.path.join(name))(error.into()))
    }

    fn stat(&self, name: &str) -> Result<Option<rustix::fs::Stat>, WorkdirError> {
        match statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(io_error("cannot look at", &self.path.join(name))(error.into())),
        }
    }

    /// Takes the permissions of others from the folder itself.
    pub(super) fn close_to_others(&self) -> Result<(), WorkdirError> {
        let closed = self.opened().and_then(|handle| {
            let mode = fstat(&handle)?.st_mode & PERMISSIONS & !OTHERS;
            Ok(fchmod(&handle, Mode::from_raw_mode(mode))?)
        });
        closed.map_err(io_error("cannot change the mode of", &self.path))
    }

    /// Writes what changed in it to the disk.
    pub(super) fn sync(&self) -> Result<(), WorkdirError> {
        let synced = self.opened().and_then(|handle| Ok(fsync(handle)?));
        synced.map_err(io_error("cannot sync", &self.path))
    }

    /// Returns a handle of it for more than paths.
    fn opened(&self) -> io::Result<OwnedFd> {
        Ok(openat(&self.handle, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Returns a handle of the link itself; `None` where something else stands there, or nothing.
    fn link(&self, name: &str) -> Result<Option<OwnedFd>, WorkdirError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let failed = |error: Errno| io_error("cannot look at", &self.path.join(name))(error.into());
        match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(link) => {
                let stat = fstat(&link).map_err(failed)?;
                Ok(FileType::from_raw_mode(stat.st_mode).is_symlink().then_some(link))
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Opens the folder that a link leads to, where such a link is followed.
    fn behind(&self, link: &OwnedFd, path: &Path, links: Links) -> Result<OwnedFd, WorkdirError> {
        let failed = |error: Errno| io_error("cannot open", path)(error.into());
        if links == Links::Refused {
            return Err(WorkdirError::Link { path: path.to_owned() });
        }
        let owner = fstat(link).map_err(failed)?.st_uid;
        if !self.rules.caller.follows_link_of(owner, self.root_owner.0) {
            return Err(WorkdirError::LinkOfOther { path: path.to_owned(), owner });
        }
        // Through the handle: another link may stand under the name by now.
        let target = readlinkat(link, "", Vec::new()).map_err(failed)?;
        openat(&self.handle, &*target, folder_flags(), Mode::empty()).map_err(failed)
    }

    fn not_opened(&self, name: &str, error: Errno) -> WorkdirError {
        let path = self.path.join(name);
        match self.link(name) {
            Ok(Some(_)) => WorkdirError::Link { path },
            _ => io_error("cannot open", &path)(error.into()),
        }
    }
}

/// Tells whether a part of a path names something in a folder, and not the folder itself or the one above.
pub(super) fn is_name(part: &str) -> bool {
    !["", ".", ".."].contains(&part)
}

/// Says that a path does not lie below the folder of an app.
pub(super) fn no_stored_path(path: &Path) -> WorkdirError {
    let why = "nothing is stored under such a path, only below the folder of an app";
    io_error("cannot open", path)(io::Error::new(io::ErrorKind::InvalidInput, why))
}

fn folder_flags() -> OFlags {
    // A handle for paths alone: whoever may pass through a folder need not be allowed to list it.
    OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC
}

/// Fails where something else than a regular file was opened, which could keep its reader waiting for ever.
fn regular(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
    }
}
