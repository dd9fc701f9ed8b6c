//! Entries of a folder: their names, types, owners, sizes and times.

use chrono::{DateTime, Utc};
use rustix::fs::{AtFlags, Dir, FileType, Stat, Timespec, Timestamps, statat, utimensat};
use rustix::io::Errno;

use super::super::error::{WorkdirError, io_error};
use super::{Folder, PERMISSIONS};

impl Folder {
    /// Returns the names of its entries, sorted. A name that is not UTF-8 is left out, because this program makes none.
    pub(in super::super) fn names(&self) -> Result<Vec<String>, WorkdirError> {
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

    /// Returns the type of an entry; `None` if there is none.
    pub(in super::super) fn file_type(&self, name: &str) -> Result<Option<FileType>, WorkdirError> {
        Ok(self.stat(name)?.map(|stat| FileType::from_raw_mode(stat.st_mode)))
    }

    /// Returns kind and size of an entry; `None` if there is none.
    pub(in super::super) fn type_and_size(
        &self,
        name: &str,
    ) -> Result<Option<(FileType, u64)>, WorkdirError> {
        let of_entry = |stat: Stat| {
            (FileType::from_raw_mode(stat.st_mode), u64::try_from(stat.st_size).unwrap_or_default())
        };
        Ok(self.stat(name)?.map(of_entry))
    }

    /// Returns the permissions of an entry; `None` for a link, or if there is none.
    pub(in super::super) fn permissions(&self, name: &str) -> Result<Option<u32>, WorkdirError> {
        let stat = self.stat(name)?.filter(|stat| !FileType::from_raw_mode(stat.st_mode).is_symlink());
        Ok(stat.map(|stat| stat.st_mode & PERMISSIONS))
    }

    /// Returns the user id of the owner of an entry; `None` if there is none.
    pub(in super::super) fn owner(&self, name: &str) -> Result<Option<u32>, WorkdirError> {
        Ok(self.stat(name)?.map(|stat| stat.st_uid))
    }

    /// Returns the size of a file; 0 if it cannot be looked at.
    pub(in super::super) fn size(&self, name: &str) -> u64 {
        let stat = self.stat(name).ok().flatten();
        stat.and_then(|stat| u64::try_from(stat.st_size).ok()).unwrap_or_default()
    }

    /// Returns the time at which an entry was moved here; `None` if there is none.
    ///
    /// A file of this user has its modification time set when it is moved. The time of another user's file cannot be set,
    /// but the kernel notes when its name changed.
    pub(in super::super) fn moved_at(&self, name: &str) -> Result<Option<DateTime<Utc>>, WorkdirError> {
        let at = |stat: Stat| match self.rules.caller.sets_times_of(stat.st_uid) {
            true => stat.st_mtime,
            false => stat.st_mtime.max(stat.st_ctime),
        };
        Ok(self.stat(name)?.and_then(|stat| DateTime::from_timestamp(at(stat), 0)))
    }

    /// Sets the modification time of a file.
    pub(in super::super) fn set_modified_at(
        &self,
        name: &str,
        at: DateTime<Utc>,
    ) -> Result<(), WorkdirError> {
        let at = Timespec { tv_sec: at.timestamp(), tv_nsec: 0 };
        let times = Timestamps { last_access: at, last_modification: at };
        utimensat(&self.handle, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| io_error("cannot set the time of", &self.path.join(name))(error.into()))
    }

    fn stat(&self, name: &str) -> Result<Option<Stat>, WorkdirError> {
        match statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(io_error("cannot look at", &self.path.join(name))(error.into())),
        }
    }
}
