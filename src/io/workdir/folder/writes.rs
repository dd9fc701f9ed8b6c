//! Changes in a folder: files are written and renamed, entries are removed.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, OFlags, renameat, unlinkat};

use super::super::durable::{UNFINISHED, fill_synced};
use super::super::error::{FillError, WorkdirError, io_error};
use super::{Folder, LinkPolicy};

impl Folder {
    /// Writes a new file, and syncs it.
    pub(in super::super) fn write_new(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), WorkdirError> {
        let file = self.create(name, OFlags::WRONLY)?;
        fill_synced(&self.path.join(name), file, write)
    }

    /// Writes a file whole, also in a power cut, or not at all.
    pub(in super::super) fn write_whole(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), WorkdirError> {
        let unfinished = format!("{name}{UNFINISHED}");
        // A crash may have left such a file, or somebody may have put a link there.
        self.remove_if_there(&unfinished)?;
        let written = self.write_new(&unfinished, write).and_then(|()| self.rename(&unfinished, self, name));
        if written.is_err() {
            // An unfinished file would only take up a full disk.
            let _ = self.remove_if_there(&unfinished);
        }
        written?;
        self.sync()
    }

    /// Lets a program that needs a path make a file, whole or not at all; the file survives a power cut.
    pub(in super::super) fn fill_whole<E>(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), FillError<E>> {
        let unfinished = format!("{name}{UNFINISHED}");
        self.remove_if_there(&unfinished)?;
        let created = self.create(&unfinished, OFlags::RDWR)?;
        let path = self.path.join(&unfinished);
        let filled = fill(&path).map_err(FillError::Content).and_then(|()| {
            created.sync_all().map_err(io_error("cannot sync", &path))?;
            Ok(self.rename(&unfinished, self, name)?)
        });
        if filled.is_err() {
            let _ = self.remove_if_there(&unfinished);
        }
        filled?;
        Ok(self.sync()?)
    }

    /// Moves a file or folder to a name in another folder, and replaces a file there.
    pub(in super::super) fn rename(&self, name: &str, to: &Self, to_name: &str) -> Result<(), WorkdirError> {
        renameat(&self.handle, name, &to.handle, to_name)
            .map_err(|error| io_error("cannot rename to", &to.path.join(to_name))(error.into()))
    }

    /// Removes a file, or a link itself.
    pub(in super::super) fn remove(&self, name: &str) -> Result<(), WorkdirError> {
        unlinkat(&self.handle, name, AtFlags::empty())
            .map_err(|error| io_error("cannot remove", &self.path.join(name))(error.into()))
    }

    fn remove_if_there(&self, name: &str) -> Result<(), WorkdirError> {
        match self.remove(name) {
            Err(error) if error.is_not_found() => Ok(()),
            removed => removed,
        }
    }

    /// Removes a file, or a folder with all its content. Links are removed and not followed.
    pub(in super::super) fn remove_all(&self, name: &str) -> Result<(), WorkdirError> {
        match self.file_type(name)? {
            None => return Ok(()),
            Some(FileType::Directory) => {}
            Some(_) => return self.remove_if_there(name),
        }
        let folder = self.child(name, LinkPolicy::Refused)?;
        for entry in folder.names()? {
            folder.remove_all(&entry)?;
        }
        unlinkat(&self.handle, name, AtFlags::REMOVEDIR)
            .map_err(|error| io_error("cannot remove", &folder.path)(error.into()))
    }
}
