//! The lock of the one command that may write, and the lock that readers share.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::Workdir;
use super::durable::{is_folder, make_folder, sync_folder};
use super::error::{WorkdirError, io_error};
use super::folder::Folder;
use crate::io::users;
use crate::lock::LockProof;

pub(super) const LOCK: &str = "goc-watchdog.lock";
pub(super) const READERS: &str = "goc-watchdog.readers";

/// A work directory under its exclusive lock. The kernel releases the lock when the process ends in any way.
#[derive(Debug)]
pub(crate) struct LockedWorkdir {
    pub(super) workdir: Workdir,
    /// This run made the root.
    pub(crate) is_new: bool,
    proof: LockProof,
    _file: File,
}

/// The shared lock that keeps stored files from being swept while one is opened.
#[derive(Debug)]
pub(crate) struct ReadersLock {
    _file: Option<File>,
}

impl Workdir {
    /// Returns the path of the lock that readers share.
    #[must_use]
    pub(crate) fn readers(&self) -> PathBuf {
        self.root.join(READERS)
    }

    /// Takes the exclusive lock, and makes the root if it is missing.
    ///
    /// Fails at once with [`WorkdirError::Busy`] when another process holds it.
    pub(crate) fn lock(&self) -> Result<LockedWorkdir, WorkdirError> {
        let is_new = self.make_root().map_err(|error| self.naming_another_root(error))?;
        let opened = self.open_root().and_then(|root| Ok((root.open_lock(LOCK)?, root)));
        let (file, root) = opened.map_err(|error| self.naming_owner(error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WorkdirError::Busy { path: self.root.join(LOCK) }),
            Err(TryLockError::Error(error)) => {
                return Err(io_error("cannot lock", &self.root.join(LOCK))(error));
            }
        }
        // The lock of readers is made here, because a reader may lack the right to make it.
        open_readers(&root)?;
        Ok(LockedWorkdir { workdir: self.clone(), is_new, proof: LockProof::new(), _file: file })
    }

    /// Adds to an error about making the root who could help, and how another one is chosen.
    fn naming_another_root(&self, error: WorkdirError) -> WorkdirError {
        if error.is_no_folder() {
            let is_file = |path: &&Path| path.metadata().is_ok_and(|found| !found.is_dir());
            let file = self.root.ancestors().find(is_file).unwrap_or(&self.root);
            return WorkdirError::RootIsNoFolder { root: self.root.clone(), file: file.to_owned() };
        }
        let above = self.root.ancestors().skip(1).find_map(|above| Some((above, fs::metadata(above).ok()?)));
        match (error, above) {
            (WorkdirError::Io { source, .. }, Some((above, found)))
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                WorkdirError::RootNotPermitted {
                    path: self.root.clone(),
                    above: above.to_owned(),
                    why: source.to_string(),
                    owner: users::shown(found.uid()),
                }
            }
            (error, _) => error,
        }
    }

    /// Makes the root, and tells whether it was missing.
    fn make_root(&self) -> Result<bool, WorkdirError> {
        if is_folder(&self.root)? {
            return Ok(false);
        }
        let parent = self.root.parent().unwrap_or(Path::new("/"));
        make_folder(parent)?;
        match DirBuilder::new().mode(0o770).create(&self.root) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.root.is_dir() => {
                return Ok(false);
            }
            Err(error) => return Err(io_error("cannot create", &self.root)(error)),
        }
        if self.rules.group_write {
            let shared = fs::Permissions::from_mode(0o2770);
            fs::set_permissions(&self.root, shared).map_err(io_error("cannot create", &self.root))?;
        }
        sync_folder(parent)?;
        Ok(true)
    }

    /// Prevents sweeps until the guard is dropped. Fails at once with [`WorkdirError::Busy`] during a sweep.
    ///
    /// Only [`Workdir::lock`] makes the file of this lock: one that a reader made could be closed to the user who pulls.
    /// A root without it was never swept, so the guard is empty then.
    pub(crate) fn lock_for_reading(&self) -> Result<ReadersLock, WorkdirError> {
        let file = match self.open_root().and_then(|root| root.open_file(READERS)) {
            Ok(file) => file,
            Err(error) if error.is_unwritable() => return Ok(ReadersLock { _file: None }),
            Err(error) => return Err(error),
        };
        let path = self.readers();
        match file.try_lock_shared() {
            Ok(()) => Ok(ReadersLock { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(WorkdirError::Busy { path }),
            Err(TryLockError::Error(error)) => Err(io_error("cannot lock", &path)(error)),
        }
    }
}

impl LockedWorkdir {
    /// Returns the work directory that is locked.
    #[must_use]
    pub(crate) fn workdir(&self) -> &Workdir {
        &self.workdir
    }

    /// Returns the proof that the lock is held.
    #[must_use]
    pub(crate) fn proof(&self) -> &LockProof {
        &self.proof
    }
}

/// Opens the lock that readers share, and makes it if it is missing.
///
/// Another user of the group may have made it, so that this user may only read it, which is enough to lock it. NFS needs
/// a handle for writing (flock(2)), so that is tried first.
pub(super) fn open_readers(root: &Folder) -> Result<File, WorkdirError> {
    match root.open_lock(READERS) {
        Err(error) if error.is_unwritable() => root.open_file(READERS),
        opened => opened,
    }
}

/// Opens a lock file, and makes it if it is missing.
pub(super) fn open_lock(path: &Path) -> Result<File, WorkdirError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(io_error("cannot open", path))
}
