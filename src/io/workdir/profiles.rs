//! Stored profiles, and the reports beside them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};

use rustix::fs::FileType;

use super::Workdir;
use super::durable::UNFINISHED;
use super::error::{WorkdirError, io_error};
use super::lock::{LockedWorkdir, ReadersLock};
use super::sweep::Freed;
use crate::fleet::retention::HIGHEST_NUMBER;
use crate::names::escape;
use crate::report::forms::stored_suffixes;

/// Folder of an app's profiles.
pub(super) const COV_DATA: &str = "cov_data";
/// Folder in `cov_data` for files that no row of the database names.
pub(crate) const ASIDE: &str = "aside";
const COV: &str = ".cov";

/// Path of a profile: the app's folder, and the number of the file in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CovPath {
    /// App, or the service name if it has none, escaped.
    pub app_folder: String,
    /// Number, which rises by one for each profile of the app.
    pub number: u64,
}

impl CovPath {
    /// Returns the path of profile `number` of an app.
    #[must_use]
    pub(crate) fn new(app: &str, number: u64) -> Self {
        Self { app_folder: escape(app), number }
    }

    /// Returns the path relative to the root, as it stands in `cov_file_path`.
    #[must_use]
    pub(crate) fn relative(&self) -> String {
        profile_path(&self.app_folder, self.number)
    }
}

/// Returns the path of a report beside a profile; `None` for a profile that this program would not name so.
#[must_use]
pub(crate) fn report_path(cov_file_path: &str, suffix: &str) -> Option<String> {
    cov_file_path.strip_suffix(COV).map(|stem| format!("{stem}{suffix}"))
}

impl Workdir {
    /// Returns the number and size of these profiles and the reports beside them.
    #[must_use]
    pub(crate) fn size_of_profiles<'a>(&self, profiles: impl IntoIterator<Item = &'a str>) -> Freed {
        let mut freed = Freed::default();
        for profile in profiles {
            let stem = profile.strip_suffix(COV).unwrap_or(profile);
            for name in stored_suffixes().map(|suffix| format!("{stem}{suffix}")).chain([profile.to_owned()])
            {
                if let Ok(file) = fs::symlink_metadata(self.root.join(name)) {
                    freed.files += 1;
                    freed.bytes += file.len();
                }
            }
        }
        freed
    }

    /// Returns the highest number in the names of an app's files; 0 if there are none.
    pub(crate) fn highest_number(&self, app_folder: &str) -> Result<u64, WorkdirError> {
        let mut highest = 0;
        for path in [format!("{app_folder}/{COV_DATA}/{ASIDE}"), format!("{app_folder}/{COV_DATA}")] {
            let folder = match self.open_root()?.below(&path, false) {
                Err(error) if error.is_missing() => continue,
                folder => folder?,
            };
            for name in folder.names()? {
                if let Some((number, _)) = numbered(app_folder, &name)
                    && folder.file_type(&name)? == Some(FileType::RegularFile)
                {
                    highest = highest.max(number);
                }
            }
        }
        Ok(highest)
    }

    /// Returns the length of a stored file; `None` if it is missing.
    pub(crate) fn size(&self, relative: &str) -> Result<Option<u64>, WorkdirError> {
        let (folder, name) = match self.open_folder_of(relative, false) {
            Err(error) if error.is_missing() => return Ok(None),
            opened => opened?,
        };
        match folder.type_and_size(name)? {
            Some((FileType::RegularFile, bytes)) => Ok(Some(bytes)),
            Some(_) => {
                Err(io_error("cannot read", &folder.path().join(name))(io::Error::other("it is not a file")))
            }
            None => Ok(None),
        }
    }

    /// Opens a stored file.
    pub(crate) fn open_stored(&self, relative: &str) -> Result<File, WorkdirError> {
        let (folder, name) = self.open_folder_of(relative, false)?;
        folder.open_file(name)
    }

    /// Writes a report beside its profile, whole or not at all; nothing in a root that this user may not write, or if
    /// the file has the same text already.
    ///
    /// No lock is needed: every report of a profile writes the same table, and pages differ only in the time of the last
    /// pull. The guard keeps the unfinished file from being swept.
    pub(crate) fn store_report(
        &self,
        _reading: &ReadersLock,
        relative: &str,
        text: &[u8],
    ) -> Result<(), WorkdirError> {
        let (folder, name) = self.open_folder_of(relative, false)?;
        let known = folder.open_file(name);
        if known.is_ok_and(|known| has_text(known, text).is_ok_and(|has_text| has_text)) {
            return Ok(());
        }
        let stored = self.in_scratch(|scratch| {
            scratch.write_new("report", |out| out.write_all(text))?;
            scratch.rename("report", &folder, name)
        });
        match stored {
            Err(error) if error.is_unwritable() => Ok(()),
            stored => stored,
        }
    }
}

impl LockedWorkdir {
    /// Writes a file whole, also in a power cut, or not at all.
    ///
    /// `write` fills a temporary file in the same folder; it is synced, renamed, and the folder synced.
    /// Missing folders are made, and synced into theirs.
    pub(crate) fn store(
        &self,
        relative: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), WorkdirError> {
        let (folder, name) = self.workdir.open_folder_of(relative, true)?;
        folder.write_whole(name, write)
    }

    /// Returns an error for each link in the place of a folder of profiles: no file behind a link is swept.
    pub(crate) fn links_in_the_way(
        &self,
        profiles: &BTreeSet<String>,
    ) -> Result<Vec<WorkdirError>, WorkdirError> {
        let root = self.workdir.open_root()?;
        let folders: BTreeSet<&str> =
            profiles.iter().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
        let opened = folders.into_iter().map(|folder| root.below(folder, false));
        let is_link = |error: &WorkdirError| {
            matches!(error, WorkdirError::Link { .. } | WorkdirError::LinkOfOther { .. })
        };
        Ok(opened.filter_map(Result::err).filter(is_link).collect())
    }
}

/// Returns the path of a profile, as it stands in `cov_file_path`.
pub(super) fn profile_path(app_folder: &str, number: u64) -> String {
    format!("{app_folder}/{COV_DATA}/{app_folder}_{number}{COV}")
}

/// Returns the number in the name of a profile or report, and the suffix after it; `None` for a foreign name.
pub(super) fn numbered<'n>(app_folder: &str, name: &'n str) -> Option<(u64, &'n str)> {
    let numbered = name.strip_prefix(app_folder)?.strip_prefix('_')?;
    let (number, kind) = numbered.split_at(numbered.bytes().take_while(u8::is_ascii_digit).count());
    let finished = kind.strip_suffix(UNFINISHED).unwrap_or(kind);
    let is_ours = stored_suffixes().chain([COV]).any(|known| known == finished);
    let number = number.parse().ok().filter(|number| is_ours && *number <= HIGHEST_NUMBER)?;
    Some((number, kind))
}

/// Tells whether a file has this text already, without reading all of it into memory.
fn has_text(mut file: File, text: &[u8]) -> io::Result<bool> {
    if file.metadata()?.len() != text.len() as u64 {
        return Ok(false);
    }
    let mut part = vec![0; 64 << 10];
    for wanted in text.chunks(part.len()) {
        let part = &mut part[..wanted.len()];
        file.read_exact(part)?;
        if part != wanted {
            return Ok(false);
        }
    }
    Ok(true)
}
