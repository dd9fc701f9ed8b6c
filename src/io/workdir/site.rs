//! The folder of a site, outside of the work directory. One run at a time writes in it, each file whole or not at all.
//! Files that are not of the site are never touched.
//!
//! ```text
//! <folder>/
//!   .goc-watchdog-site.json     the files of the site, and the source of each
//!   .goc-watchdog-site.lock     held by the one run that may write
//!   .goc-watchdog-site.tmp/     the file that is being written
//!   ...                         the files that a server serves
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::durable::{make_folder, sync_folder, write_synced};
use super::error::{WorkdirError, io_error};
use super::lock::open_lock;
use super::resolved;

const MANIFEST: &str = ".goc-watchdog-site.json";
const LOCK: &str = ".goc-watchdog-site.lock";
/// Folder that each new ext4 file system has.
const LOST_AND_FOUND: &str = "lost+found";
const SCRATCH: &str = ".goc-watchdog-site.tmp";

/// A folder that was opened for writing.
#[derive(Debug)]
pub(crate) struct SiteFolder {
    root: PathBuf,
    /// Folders that changed since they were synced.
    unsynced: BTreeSet<PathBuf>,
    _lock: File,
}

/// The entry at the path of a file of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExistingEntry {
    /// No entry.
    Free,
    /// A file.
    File,
    /// A folder, a link or a special file.
    Other,
}

impl SiteFolder {
    /// Opens a folder, and makes it if it is missing.
    ///
    /// Fails with [`WorkdirError::Busy`] when another run writes there, and with [`WorkdirError::Foreign`] when the
    /// folder has other files and no site.
    pub(crate) fn open(root: &Path) -> Result<Self, WorkdirError> {
        if root.symlink_metadata().is_ok() && !root.is_dir() {
            return Err(io_error("cannot write a site to", root)(io::ErrorKind::NotADirectory.into()));
        }
        make_folder(root)?;
        let lock = root.join(LOCK);
        // The check comes before the lock, so that no lock file is left in a foreign folder.
        if !lock.exists() {
            refuse_foreign(root)?;
        }
        let file = open_lock(&lock)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WorkdirError::Busy { path: lock }),
            Err(TryLockError::Error(error)) => return Err(io_error("cannot lock", &lock)(error)),
        }
        refuse_foreign(root)?;
        let scratch = root.join(SCRATCH);
        if scratch.exists() {
            fs::remove_dir_all(&scratch).map_err(io_error("cannot remove", &scratch))?;
        }
        fs::create_dir(&scratch).map_err(io_error("cannot create", &scratch))?;
        Ok(Self { root: root.to_owned(), unsynced: BTreeSet::new(), _lock: file })
    }

    /// Returns the path of the manifest.
    #[must_use]
    pub(crate) fn manifest_path(&self) -> PathBuf {
        self.root.join(MANIFEST)
    }

    /// Reads the manifest; `None` in a new site.
    pub(crate) fn manifest(&self) -> Result<Option<String>, WorkdirError> {
        let path = self.manifest_path();
        #[expect(clippy::disallowed_methods, reason = "this adapter reads the folder of a site")]
        match fs::read(&path) {
            // Bytes that are not UTF-8 fail with a message when the manifest is parsed.
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("cannot read", &path)(error)),
        }
    }

    /// Reads a file of the site.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, WorkdirError> {
        let path = self.root.join(path);
        #[expect(clippy::disallowed_methods, reason = "this adapter reads the folder of a site")]
        fs::read(&path).map_err(io_error("cannot read", &path))
    }

    /// Replaces the manifest, after all files written before were synced to the disk.
    pub(crate) fn store_manifest(&mut self, text: &str) -> Result<(), WorkdirError> {
        self.sync()?;
        self.put(MANIFEST, text.as_bytes())?;
        self.sync()
    }

    /// Returns the size of the file at a path; `None` if it is missing.
    #[must_use]
    pub(crate) fn size(&self, path: &str) -> Option<u64> {
        let found = fs::symlink_metadata(self.root.join(path)).ok()?;
        found.is_file().then_some(found.len())
    }

    /// Returns the kind of entry at a path, before a file is written there.
    #[must_use]
    pub(crate) fn occupied(&self, path: &str) -> ExistingEntry {
        // A folder that is a link leads out of the site.
        let mut above = path.match_indices('/').map(|(at, _)| self.root.join(&path[..at]));
        if above.any(|folder| fs::symlink_metadata(folder).is_ok_and(|found| !found.is_dir())) {
            return ExistingEntry::Other;
        }
        match fs::symlink_metadata(self.root.join(path)) {
            Ok(found) if found.is_file() => ExistingEntry::File,
            Err(error) if error.kind() == io::ErrorKind::NotFound => ExistingEntry::Free,
            // The entry is a folder or a link, or a file is in the place of a folder above.
            _ => ExistingEntry::Other,
        }
    }

    /// Writes a file, whole or not at all; it survives a power cut once the folder is synced.
    pub(crate) fn put(&mut self, path: &str, text: &[u8]) -> Result<(), WorkdirError> {
        let to = self.root.join(path);
        let folder = to.parent().expect("below the root");
        make_folder(folder)?;
        let unfinished = self.root.join(SCRATCH).join("file");
        write_synced(&unfinished, |out| out.write_all(text))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the file was synced, the folder is before the manifest"
        )]
        fs::rename(&unfinished, &to).map_err(io_error("cannot rename to", &to))?;
        self.unsynced.insert(folder.to_owned());
        Ok(())
    }

    /// Removes a file of the site, and then empty folders above it.
    pub(crate) fn remove(&mut self, path: &str) -> Result<(), WorkdirError> {
        let file = self.root.join(path);
        #[expect(clippy::disallowed_methods, reason = "the manifest names it")]
        match fs::remove_file(&file) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            removed => removed.map_err(io_error("cannot remove", &file))?,
        }
        let above = file.ancestors().skip(1).take_while(|folder| *folder != self.root);
        let last = above.take_while(|folder| fs::remove_dir(folder).is_ok()).last();
        let changed = last.unwrap_or(&file).parent().expect("below the root");
        self.unsynced.insert(changed.to_owned());
        Ok(())
    }

    fn sync(&mut self) -> Result<(), WorkdirError> {
        for folder in std::mem::take(&mut self.unsynced) {
            // A folder may have been removed meanwhile.
            if folder.is_dir() {
                sync_folder(&folder)?;
            }
        }
        Ok(())
    }
}

impl Drop for SiteFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.root.join(SCRATCH));
    }
}

/// Fails if a folder has files and no site.
fn refuse_foreign(root: &Path) -> Result<(), WorkdirError> {
    if root.join(MANIFEST).exists() {
        return Ok(());
    }
    // A run that ended before it wrote a manifest leaves these names.
    let foreign =
        names_in(root)?.into_iter().find(|name| ![LOCK, SCRATCH, LOST_AND_FOUND].contains(&name.as_str()));
    match foreign {
        Some(found) => Err(WorkdirError::Foreign { path: root.to_owned(), found }),
        None => Ok(()),
    }
}

/// Tells whether a folder, which need not exist, is the work directory, in it, or around it.
#[must_use]
pub(crate) fn is_entangled(root: &Path, folder: &Path) -> bool {
    let (root, folder) = (resolved(root), resolved(folder));
    folder.starts_with(&root) || root.starts_with(&folder)
}

/// Returns the names in a folder, sorted.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>, WorkdirError> {
    let entries = fs::read_dir(folder).map_err(io_error("cannot list", folder))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error("cannot list", folder))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}
