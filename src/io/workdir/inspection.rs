//! A look at the root that changes nothing: who may write there, whether the lock is held, and how much space is free.

use std::fs::TryLockError;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::error::{WorkdirError, io_error};
use super::lock::LOCK;
use super::{DATABASE, Workdir};

/// The state of the exclusive lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockState {
    /// No run has made its file yet.
    Unmade,
    Free,
    Held,
}

/// The space of the file system of the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileSystemSpace {
    /// Bytes that this user may still write.
    pub(crate) free_bytes: u64,
    pub(crate) size_bytes: u64,
    /// No further file can be made, whatever space is free.
    pub(crate) lacks_inodes: bool,
}

impl Workdir {
    /// Returns the user id of the owner of the root; `None` if there is no root.
    pub(crate) fn owner(&self) -> Option<u32> {
        self.root.metadata().ok().map(|found| found.uid())
    }

    /// Returns the root, or the folder above it that exists, in which a pull would make it.
    fn existing(&self) -> &Path {
        self.root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
    }

    /// Returns the first file or folder that a pull writes and this user may not write.
    pub(crate) fn unwritable(&self) -> Option<PathBuf> {
        let folder = self.existing();
        if !folder.is_dir() || access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
            return Some(folder.to_owned());
        }
        let files = [LOCK, DATABASE].map(|name| self.root.join(name));
        files.into_iter().find(|file| file.exists() && access(file, Access::WRITE_OK).is_err())
    }

    /// Finds out whether a run holds the exclusive lock.
    ///
    /// To find out, this method holds a free lock for an instant. The lock is taken shared, so that two checks at once
    /// do not take each other for a run.
    pub(crate) fn lock_state(&self) -> Result<LockState, WorkdirError> {
        let file = match self.open_root().and_then(|root| root.open_file(LOCK)) {
            Ok(file) => file,
            Err(error) if error.is_missing() => return Ok(LockState::Unmade),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(LockState::Free),
            Err(TryLockError::WouldBlock) => Ok(LockState::Held),
            Err(TryLockError::Error(error)) => Err(io_error("cannot lock", &self.root.join(LOCK))(error)),
        }
    }

    /// Returns the space of the file system on which the root is or would be.
    pub(crate) fn space(&self) -> Option<FileSystemSpace> {
        let found = statvfs(self.existing()).ok()?;
        Some(FileSystemSpace {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            size_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            // Some file systems, such as btrfs, have no limit and tell 0 of 0.
            lacks_inodes: found.f_files > 0 && found.f_favail == 0,
        })
    }
}
