//! The scratch folder, in which commands without the lock make files and repositories.

use std::error::Error as _;
use std::path::Path;

use super::error::{FillError, WorkdirError};
use super::folder::{Folder, LinkPolicy};
use super::lock::{LockedWorkdir, ReadersLock, open_readers};
use super::{REPO, Workdir};
use crate::io::users;
use crate::names::escape;

/// Name of the scratch folder. Files in it are left by a crash when nobody holds the lock of readers.
const SCRATCH: &str = "goc-watchdog.tmp";

impl Workdir {
    /// Makes the repository of an app: `fill` makes it in a new folder, which then gets its name. If another process
    /// was faster, its repository stays.
    ///
    /// The guard keeps the unfinished repository from being swept.
    pub(crate) fn make_repository<E>(
        &self,
        _reading: &ReadersLock,
        app: &str,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), FillError<E>> {
        let folder = self.open_root()?.make_child(&escape(app), LinkPolicy::Trusted)?;
        self.in_scratch(|scratch| {
            fill(&scratch.path().join(REPO)).map_err(FillError::Content)?;
            // Files in it have the modes that git gave them, and are closed with the folder around them.
            scratch.child(REPO, LinkPolicy::Refused)?.close_to_others()?;
            let renamed = scratch.rename(REPO, &folder, REPO);
            if folder.file_type(REPO)?.is_none() {
                renamed?;
            }
            Ok(())
        })
    }

    /// Makes a folder for this run alone, and removes it again.
    ///
    /// Its name is random: containers that share a root also share process ids.
    pub(super) fn in_scratch<T, E: From<WorkdirError>>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, E>,
    ) -> Result<T, E> {
        let all = self.open_root()?.make_child(SCRATCH, LinkPolicy::Refused);
        let all = all.map_err(|error| self.scratch_error(error))?;
        let name = format!("{:016x}", fastrand::u64(..));
        let own = all.make_child(&name, LinkPolicy::Refused)?;
        let done = work(&own);
        let _ = all.remove_all(&name);
        done
    }

    /// Returns a clearer error if a file stands in the place of the scratch folder.
    fn scratch_error(&self, error: WorkdirError) -> WorkdirError {
        match error.is_no_folder() {
            true => WorkdirError::NoFolder { path: self.root.join(SCRATCH) },
            false => error,
        }
    }
}

impl LockedWorkdir {
    /// Removes the files of reports that were killed; nothing while one is running. Returns an error for each file that
    /// could not be removed, which harms no later run.
    ///
    /// Fails if a link stands in the place of the folder: somebody wants another folder emptied.
    pub(crate) fn sweep_scratch(&self) -> Result<Vec<WorkdirError>, WorkdirError> {
        let root = self.workdir.open_root()?;
        let scratch = match root.child(SCRATCH, LinkPolicy::Refused) {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) if error.is_no_folder() => return Ok(vec![self.workdir.scratch_error(error)]),
            opened => opened?,
        };
        let left = match scratch.names() {
            Ok(left) => left,
            Err(error) => return Ok(vec![leftover(&root, SCRATCH, error)]),
        };
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let guard = open_readers(&root)?;
        if guard.try_lock().is_err() {
            return Ok(Vec::new());
        }
        let removed = left.iter().map(|name| (name, scratch.remove_all(name)));
        let failed = removed.filter_map(|(name, removed)| Some(leftover(&scratch, name, removed.err()?)));
        Ok(failed.collect())
    }
}

/// Returns the error for a file of a report that could not be removed, with its owner.
fn leftover(folder: &Folder, name: &str, error: WorkdirError) -> WorkdirError {
    let Ok(Some(owner)) = folder.owner(name) else { return error };
    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    WorkdirError::Leftover { path: folder.path().join(name), owner: users::shown(owner), why }
}
