//! Writes that survive a power cut: files and folders are synced, each into the folder that holds it.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

use super::error::{WorkdirError, io_error};

/// Suffix of a file that is being written. A file that still has it was left by a crash.
pub(super) const UNFINISHED: &str = ".tmp";

/// Creates or empties a file, fills it and syncs it.
pub(super) fn write_synced(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), WorkdirError> {
    #[expect(clippy::disallowed_methods, reason = "the durable write starts here")]
    let file = File::create(path).map_err(io_error("cannot create", path))?;
    fill_synced(path, file, write)
}

/// Fills a file and syncs it.
pub(super) fn fill_synced(
    path: &Path,
    file: File,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), WorkdirError> {
    let mut out = BufWriter::with_capacity(256 << 10, file);
    write(&mut out).map_err(io_error("cannot write", path))?;
    let file = out.into_inner().map_err(|error| io_error("cannot write", path)(error.into_error()))?;
    file.sync_all().map_err(io_error("cannot sync", path))
}

/// Tells whether a folder exists. Fails if the path is something else, or cannot be looked at.
pub(super) fn is_folder(path: &Path) -> Result<bool, WorkdirError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => Err(io_error("cannot use", path)(io::ErrorKind::NotADirectory.into())),
        // No folder can be made in the place of a dangling link.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Ok(false),
        Err(error) => Err(io_error("cannot look at", path)(error)),
    }
}

/// Makes a folder and those above it, each synced into its parent.
pub(super) fn make_folder(folder: &Path) -> Result<(), WorkdirError> {
    if is_folder(folder)? {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    let mut created = fs::create_dir(folder);
    if let (Err(error), Some(above)) = (&created, above)
        && error.kind() == io::ErrorKind::NotFound
    {
        make_folder(above)?;
        created = fs::create_dir(folder);
    }
    match created {
        Ok(()) => sync_folder(above.unwrap_or(Path::new("."))),
        // Two threads may store the first profiles of one app at the same time.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(io_error("cannot create", folder)(error)),
    }
}

/// Writes the entries of a folder to the disk.
pub(super) fn sync_folder(folder: &Path) -> Result<(), WorkdirError> {
    #[expect(clippy::disallowed_methods, reason = "a folder is synced through a handle of it")]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("cannot sync", folder))
}
