//! Folders of the work directory. Each is opened through the handle of its parent, so that another user who may write
//! there cannot redirect this program by a symbolic link, not even between a check and the next step.

mod entries;
mod writes;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    FileType, Gid, Mode, OFlags, Uid, fchmod, fchown, fstat, fsync, mkdirat, openat, readlinkat,
};
use rustix::io::Errno;

use super::error::{WorkdirError, io_error};
use crate::access::Caller;

/// Modes of new files and folders, without rights for others. The kernel subtracts the umask.
const FILE: Mode = Mode::from_raw_mode(0o660);
const FOLDER: Mode = Mode::from_raw_mode(0o770);
const PERMISSIONS: u32 = 0o7777;
const OTHERS: u32 = 0o007;
const SET_GROUP: u32 = 0o2000;

/// Rules for new files, and for links that are followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FolderRules {
    pub(super) caller: Caller,
    /// The group may write, even if the umask forbids it.
    pub(super) group_write: bool,
}

/// Symbolic links that are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkPolicy {
    /// No link is followed.
    Refused,
    /// Links of this user and of root are followed.
    Trusted,
}

/// A folder that is open.
#[derive(Debug)]
pub(super) struct Folder {
    handle: OwnedFd,
    /// Path for messages, and for programs that need one.
    path: PathBuf,
    /// User and group of the root folder.
    root_owner: (u32, u32),
    rules: FolderRules,
}

impl Folder {
    /// Opens the root.
    pub(super) fn open_root(path: &Path, rules: FolderRules) -> Result<Self, WorkdirError> {
        let opened = rustix::fs::open(path, folder_flags() | OFlags::NOFOLLOW, Mode::empty());
        let handle = opened.map_err(|error| {
            // A dangling or circular link is "not a directory" here; its metadata gives a better reason.
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
    pub(super) fn child(&self, name: &str, links: LinkPolicy) -> Result<Self, WorkdirError> {
        let path = self.path.join(name);
        let handle = match openat(&self.handle, name, folder_flags() | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(handle) => handle,
            Err(error) => match self.link(name)? {
                Some(link) => self.follow(&link, &path, links)?,
                None => return Err(io_error("cannot open", &path)(error.into())),
            },
        };
        Ok(Self { handle, path, root_owner: self.root_owner, rules: self.rules })
    }

    /// Opens a folder in it, after making it if there is none; the new folder survives a power cut.
    pub(super) fn make_child(&self, name: &str, links: LinkPolicy) -> Result<Self, WorkdirError> {
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
        let made = self.child(name, LinkPolicy::Refused)?;
        let adapted = made.opened().and_then(|handle| made.adapt(&handle, FOLDER));
        adapted.map_err(io_error("cannot create", &path))?;
        self.sync()?;
        Ok(made)
    }

    /// Opens a folder by a path relative to this one. Only the first part of the path may be a link.
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
        names.try_fold(open(self, first, LinkPolicy::Trusted)?, |folder, name| {
            open(&folder, name, LinkPolicy::Refused)
        })
    }

    /// Opens a regular file in it for reading.
    pub(super) fn open_file(&self, name: &str) -> Result<File, WorkdirError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => regular(File::from(handle)).map_err(io_error("cannot open", &self.path.join(name))),
            Err(error) => Err(self.not_opened(name, error)),
        }
    }

    /// Opens a regular file in it, following any links.
    pub(super) fn open_linked_file(&self, name: &str) -> Result<File, WorkdirError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(&self.handle, name, flags, Mode::empty()).map_err(io::Error::from);
        opened
            .and_then(|handle| regular(File::from(handle)))
            .map_err(io_error("cannot read", &self.path.join(name)))
    }

    /// Opens a lock file in it for reading and writing, after making it if there is none.
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

    /// Creates a new file in it.
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

    /// Sets the mode and the owner of a new file or folder.
    fn adapt(&self, handle: &OwnedFd, mode: Mode) -> io::Result<()> {
        if self.rules.group_write {
            let found = fstat(handle)?.st_mode & PERMISSIONS;
            // A folder keeps the set-group-ID bit. Hardened services may not set that (RestrictSUIDSGID), so the mode
            // is changed only if the umask took something away.
            let wanted = mode.as_raw_mode() | (found & SET_GROUP);
            if found != wanted {
                fchmod(handle, Mode::from_raw_mode(wanted))?;
            }
        }
        let (user, group) = self.root_owner;
        if self.rules.caller.gives_files_to(user) {
            match fchown(handle, Some(Uid::from_raw(user)), Some(Gid::from_raw(group))) {
                // Root in a container may lack the right to do so.
                Ok(()) | Err(Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes the permissions of others from the folder itself.
    pub(super) fn close_to_others(&self) -> Result<(), WorkdirError> {
        let closed = self.opened().and_then(|handle| {
            let mode = fstat(&handle)?.st_mode & PERMISSIONS & !OTHERS;
            Ok(fchmod(&handle, Mode::from_raw_mode(mode))?)
        });
        closed.map_err(io_error("cannot change the mode of", &self.path))
    }

    /// Writes its changed entries to the disk.
    pub(super) fn sync(&self) -> Result<(), WorkdirError> {
        let synced = self.opened().and_then(|handle| Ok(fsync(handle)?));
        synced.map_err(io_error("cannot sync", &self.path))
    }

    /// Returns a handle of it that can also read and sync.
    fn opened(&self) -> io::Result<OwnedFd> {
        Ok(openat(&self.handle, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Returns a handle of the link itself; `None` if the entry is no link.
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

    /// Opens the folder that a link leads to, if such a link is followed.
    fn follow(&self, link: &OwnedFd, path: &Path, links: LinkPolicy) -> Result<OwnedFd, WorkdirError> {
        let failed = |error: Errno| io_error("cannot open", path)(error.into());
        if links == LinkPolicy::Refused {
            return Err(WorkdirError::Link { path: path.to_owned() });
        }
        let owner = fstat(link).map_err(failed)?.st_uid;
        if !self.rules.caller.follows_link_of(owner, self.root_owner.0) {
            return Err(WorkdirError::LinkOfOther { path: path.to_owned(), owner });
        }
        // The handle is read, because another link may have the name by now.
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

/// Tells whether a part of a path names an entry of a folder, rather than the folder itself or its parent.
pub(super) fn is_name(part: &str) -> bool {
    !["", ".", ".."].contains(&part)
}

/// Returns the error for a path that does not lie below the folder of an app.
pub(super) fn no_stored_path(path: &Path) -> WorkdirError {
    let why = "nothing is stored under such a path, only below the folder of an app";
    io_error("cannot open", path)(io::Error::new(io::ErrorKind::InvalidInput, why))
}

fn folder_flags() -> OFlags {
    // O_PATH, because a user who may pass through a folder may lack the right to list it.
    OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC
}

/// Fails if the file is not a regular one, because reading another one might wait forever.
fn regular(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
}
