//! Files outside of the work directory, which the user names: input of a report, and output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use super::durable::{UNFINISHED, fill_synced};
use super::error::{FillError, WorkdirError, io_error};

/// Reads a file outside of the work directory, at most a gigabyte; `-` is stdin.
pub(crate) fn read_outside(path: &Path) -> Result<Vec<u8>, WorkdirError> {
    const MAX_BYTES: u64 = 1 << 30;
    let mut text = Vec::new();
    let read = match path == Path::new("-") {
        true => io::stdin().take(MAX_BYTES).read_to_end(&mut text),
        #[expect(clippy::disallowed_methods, reason = "this adapter reads files")]
        false => File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text)),
    };
    read.map(|_| text).map_err(io_error("cannot read", path))
}

/// Tells whether there is a file or folder of this path.
pub(crate) fn exists_outside(path: &Path) -> bool {
    path.exists()
}

/// Opens a file outside of the work directory.
pub(crate) fn open_outside(path: &Path) -> Result<File, WorkdirError> {
    #[expect(clippy::disallowed_methods, reason = "this adapter opens files")]
    File::open(path).map_err(io_error("cannot open", path))
}

/// Reads a regular file outside of the work directory if it has at most so many bytes; `None` for a larger one. A pipe, for
/// whose writer a reader would wait, is an error.
pub(crate) fn read_small_outside(path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>, WorkdirError> {
    let is_file = path.metadata().map_err(io_error("cannot read", path))?.is_file();
    if !is_file {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
        return Err(io_error("cannot read", path)(error));
    }
    let mut bytes = Vec::new();
    let read = open_outside(path)?.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(io_error("cannot read", path))?;
    Ok((bytes.len() as u64 <= max_bytes).then_some(bytes))
}

/// Returns the sorted names of a folder outside of the work directory, without those that are not UTF-8; `None` if the path
/// is no folder.
pub(crate) fn names_outside(path: &Path) -> Result<Option<Vec<String>>, WorkdirError> {
    if !path.is_dir() {
        return Ok(None);
    }
    let names = fs::read_dir(path).and_then(|entries| {
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
        names.filter_map(io::Result::transpose).collect::<io::Result<Vec<String>>>()
    });
    let mut names = names.map_err(io_error("cannot list", path))?;
    names.sort_unstable();
    Ok(Some(names))
}

/// Returns the absolute path of a file. Links stay, except before a step to a parent folder.
#[must_use]
pub(crate) fn absolute_path(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let has_steps_up = absolute.components().any(|component| component == Component::ParentDir);
    let parent = absolute.parent().filter(|_| has_steps_up).and_then(|parent| parent.canonicalize().ok());
    match (parent, absolute.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => absolute,
    }
}

/// Tells whether two paths name one file, which need not exist.
#[must_use]
pub(crate) fn is_same_place(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
        path.canonicalize().unwrap_or_else(|_| parent.join(path.file_name().unwrap_or_default()))
    };
    place(one) == place(other)
}

/// Writes a file outside of the work directory, whole or not at all. A device or pipe is written to as it is.
///
/// The temporary file beside it is removed when `write` fails.
pub(crate) fn write_whole<T, E>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, E>,
) -> Result<T, FillError<E>> {
    // A link stays: the file that it leads to is replaced.
    let real = path.canonicalize();
    let path = real.as_deref().unwrap_or(path);
    if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return write_device(path, write);
    }
    // The name is random, and a new file: any file of anybody may lie beside the path.
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{:016x}{UNFINISHED}", fastrand::u64(..)));
    let unfinished = PathBuf::from(unfinished);
    let file = OpenOptions::new().write(true).create_new(true).open(&unfinished);
    // The message names the path of the user, who does not know the other name.
    let file = file.map_err(io_error("cannot create", path))?;
    let written = write_unfinished(&unfinished, file, write).and_then(|value| {
        #[expect(clippy::disallowed_methods, reason = "the file was synced")]
        fs::rename(&unfinished, path).map_err(io_error("cannot rename to", path))?;
        Ok(value)
    });
    if written.is_err() {
        #[expect(clippy::disallowed_methods, reason = "an unfinished file is of no use")]
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Writes to a device or a pipe, which no file may replace.
fn write_device<T, E>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, E>,
) -> Result<T, FillError<E>> {
    let file = OpenOptions::new().write(true).open(path).map_err(io_error("cannot open", path))?;
    let mut out = BufWriter::with_capacity(256 << 10, file);
    let written = write(&mut out);
    out.flush().map_err(io_error("cannot write", path))?;
    written.map_err(FillError::Content)
}

/// Fills a temporary file and syncs it.
fn write_unfinished<T, E>(
    path: &Path,
    file: File,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, E>,
) -> Result<T, FillError<E>> {
    let mut written = None;
    let synced = fill_synced(path, file, |out| {
        let result = write(out);
        let is_written = result.is_ok();
        written = Some(result);
        if is_written { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
    });
    match written.expect("a file that was opened is filled") {
        Ok(value) => {
            synced?;
            Ok(value)
        }
        Err(error) => Err(FillError::Content(error)),
    }
}
