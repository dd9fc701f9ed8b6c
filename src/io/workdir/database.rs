//! The file of the database, and copies of it.

use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::error::{FillError, WorkdirError};
use super::lock::LockedWorkdir;
use super::{DATABASE, Workdir};

impl Workdir {
    /// Returns the path of the database.
    #[must_use]
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join(DATABASE)
    }
}

impl LockedWorkdir {
    /// Returns the path of the database, after creating an empty one if it is missing. SQLite would create a file that
    /// others can read; the files that it puts beside the database get the mode of the database.
    pub(crate) fn database(&self) -> Result<PathBuf, WorkdirError> {
        let root = self.workdir.open_root()?;
        match root.file_type(DATABASE)? {
            Some(kind) if kind.is_symlink() => {
                return Err(WorkdirError::Link { path: self.workdir.database() });
            }
            Some(_) => {}
            None => drop(root.create(DATABASE, OFlags::RDWR)?),
        }
        Ok(self.workdir.database())
    }

    /// Keeps a copy of the database in the root. `fill` writes it into an existing empty file, which then gets its
    /// final name and survives a power cut.
    pub(crate) fn keep_copy<E>(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), FillError<E>> {
        self.workdir.open_root()?.fill_whole(name, fill)
    }
}
