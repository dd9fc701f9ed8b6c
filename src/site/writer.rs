//! The writer of a site's files and of the manifest that names them.

use std::collections::{BTreeSet, HashSet};

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::io::workdir::WorkdirError;
use crate::io::workdir::site::{ExistingEntry, SiteFolder};
use crate::notice::{Notice, Notify};
use crate::report::site::{Manifest, ReportOrigin, ReportSource, ReportWork, SiteFile};

/// The numbers of files of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) written: usize,
    pub(crate) unchanged: usize,
    pub(crate) removed: usize,
    /// Services whose reports lack source that may still be found.
    pub(crate) lacking_source: Vec<String>,
    pub(crate) failed: usize,
}

/// The writer of a site's files, which keeps the manifest.
pub(super) struct SiteWriter<'a> {
    files: &'a mut SiteFolder,
    pub(super) manifest: Manifest,
    /// The manifest on the disk is the same.
    is_stored: bool,
    pub(super) tally: Tally,
    notify: Notify<'a>,
}

impl<'a> SiteWriter<'a> {
    pub(super) fn new(files: &'a mut SiteFolder, manifest: Manifest, notify: Notify<'a>) -> Self {
        Self { files, manifest, is_stored: true, tally: Tally::default(), notify }
    }

    /// Returns the record of a path if the file is unchanged since it was written.
    fn intact(&self, path: &str) -> Option<&SiteFile> {
        self.manifest.written(path).filter(|written| self.files.size(path) == Some(written.bytes))
    }

    /// Returns the record of a report that is not written anew as a whole, with the work that it needs.
    pub(super) fn kept(&self, path: &str, wanted: &ReportOrigin) -> Option<(SiteFile, ReportWork)> {
        let written = self.intact(path)?;
        let work = written.work(wanted);
        (work != ReportWork::Page).then(|| (written.clone(), work))
    }

    /// Takes back the announcement of a file that was not written.
    pub(super) fn take_back(&mut self, path: &str, written: &SiteFile) {
        self.manifest.record(path, written.clone());
        self.is_stored = false;
    }

    /// Tells whether the file exists with this text.
    pub(super) fn has(&self, path: &str, text: &[u8]) -> bool {
        self.intact(path).is_some_and(|written| written.is_of(text))
    }

    /// Returns the source of the existing report, if it is of the wanted data.
    pub(super) fn source(&self, path: &str, wanted: &ReportOrigin) -> Option<ReportSource> {
        let origin = self.manifest.written(path)?.from.as_ref()?;
        origin.is_of(wanted).then(|| origin.source.clone())
    }

    /// Notes a request for source that found nothing.
    pub(super) fn asked(&mut self, what: String, now: DateTime<Utc>) {
        self.manifest.asked(what, now);
        self.is_stored = false;
    }

    /// Returns the paths where a foreign file is in the way, and reports each.
    pub(super) fn blocked<'p>(&mut self, paths: impl Iterator<Item = &'p str>) -> HashSet<String> {
        let mut blocked = HashSet::new();
        for path in paths {
            let is_free = match self.files.occupied(path) {
                ExistingEntry::Free => true,
                ExistingEntry::File => self.manifest.names(path),
                ExistingEntry::Other => false,
            };
            if !is_free {
                self.tell_failure(format!(
                    "\"{path}\" of the site cannot be written, because something that goc-watchdog did not write is in its place; move it away"
                ));
                blocked.insert(path.to_owned());
            }
        }
        blocked
    }

    /// Adds the files that are about to be written to the manifest on the disk, without their contents, because a
    /// killed run may leave them in any state.
    pub(super) fn announce<'p>(&mut self, paths: impl Iterator<Item = &'p str>) -> Result<()> {
        for path in paths {
            self.manifest.announce(path);
            self.is_stored = false;
        }
        self.store_manifest()
    }

    /// Writes a file, and reports a failure that concerns only this file.
    pub(super) fn put_or_tell(&mut self, path: &str, text: &[u8]) -> Result<()> {
        match self.put(path, text, None) {
            Err(error) if error.is_of_one_file() => {
                self.tell_failure(format!("{:#}", anyhow::Error::from(error)));
                Ok(())
            }
            put => Ok(put?),
        }
    }

    pub(super) fn put(
        &mut self,
        path: &str,
        text: &[u8],
        from: Option<ReportOrigin>,
    ) -> Result<(), WorkdirError> {
        self.files.put(path, text)?;
        self.manifest.record(path, SiteFile::new(text, from));
        self.is_stored = false;
        self.tally.written += 1;
        Ok(())
    }

    /// Lets a report tell of the last pull. Returns its size, which is 0 if it tells of that already; `None` if the file is
    /// not as it was written.
    pub(super) fn renew_pull(
        &mut self,
        path: &str,
        written: &SiteFile,
        wanted: &ReportOrigin,
    ) -> Result<Option<u64>, WorkdirError> {
        let Some(from) = &written.from else { return Ok(None) };
        let (Some(told), Some(last)) = (&from.pull, &wanted.pull) else { return Ok(None) };
        if told == last {
            return Ok(Some(0));
        }
        let page = self.files.read(path)?;
        let renewed = if written.is_of(&page) { told.replaced_in(&page, last) } else { None };
        let Some(text) = renewed else { return Ok(None) };
        let from = ReportOrigin { pull: wanted.pull, ..from.clone() };
        self.put(path, &text, Some(from))?;
        Ok(Some(text.len() as u64))
    }

    /// Removes files that the site does not have any more.
    pub(super) fn remove_others(&mut self, current: &BTreeSet<String>) {
        let others: Vec<String> =
            self.manifest.paths().filter(|path| !current.contains(*path)).map(str::to_owned).collect();
        for path in others {
            match self.files.remove(&path) {
                Ok(()) => {
                    self.manifest.forget(&path);
                    self.is_stored = false;
                    self.tally.removed += 1;
                }
                Err(error) => {
                    self.tell_failure(format!("{:#}", anyhow::Error::from(error)));
                }
            }
        }
    }

    /// Forgets files that were announced and not written, so that their places are free again.
    pub(super) fn forget_unwritten(&mut self) {
        let is_free = |path: &&str| self.files.occupied(path) == ExistingEntry::Free;
        let unwritten: Vec<String> = self.manifest.announced().filter(is_free).map(str::to_owned).collect();
        for path in unwritten {
            self.manifest.forget(&path);
            self.is_stored = false;
        }
    }

    /// Brings the manifest on the disk up to date.
    pub(super) fn store_manifest(&mut self) -> Result<()> {
        if !self.is_stored {
            self.files.store_manifest(&self.manifest.text())?;
            self.is_stored = true;
        }
        Ok(())
    }

    fn tell_failure(&mut self, message: String) {
        (self.notify)(Notice::Failure(message));
        self.tally.failed += 1;
    }
}
