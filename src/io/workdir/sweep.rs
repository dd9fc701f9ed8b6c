//! The sweep of stored files: removes dropped profiles and unfinished files, and moves unknown ones aside.

use std::collections::BTreeSet;
use std::fs::TryLockError;
use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::fs::FileType;

use super::durable::UNFINISHED;
use super::error::{WorkdirError, io_error};
use super::folder::{Folder, LinkPolicy};
use super::lock::{LockedWorkdir, READERS, open_readers};
use super::profiles::{ASIDE, COV_DATA, numbered, profile_path};
use crate::fleet::liveness::lasted;
use crate::fleet::retention::RowFiles;

/// The result of a sweep.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Files that were removed.
    pub freed: Freed,
    /// Paths of files that no row names, relative to the root. Each was moved aside.
    pub aside: Vec<String>,
    /// Errors, each of one file or folder, which do not stop the sweep.
    pub failed: Vec<WorkdirError>,
}

/// The files that a sweep removed, or would remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Freed {
    /// Number of files.
    pub files: usize,
    /// Sum of their sizes.
    pub bytes: u64,
    /// A reader held its lock, so nothing was removed; the next sweep will.
    pub is_put_off: bool,
}

/// The step of a sweep for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SweepAction {
    Stays,
    Goes,
    MovesAside,
}

/// Decides about a file in the `cov_data` of an app.
fn sweep_action(app_folder: &str, name: &str, files: &RowFiles) -> SweepAction {
    let Some((number, kind)) = numbered(app_folder, name) else { return SweepAction::Stays };
    let profile = profile_path(app_folder, number);
    match kind {
        _ if kind.ends_with(UNFINISHED) => SweepAction::Goes,
        _ if files.kept.contains(&profile) => SweepAction::Stays,
        _ if files.dropped.contains(&profile) => SweepAction::Goes,
        _ => SweepAction::MovesAside,
    }
}

impl LockedWorkdir {
    /// Removes unfinished files, and profiles of dropped rows with the reports beside them.
    ///
    /// A whole file that no row names is moved aside: after an older database was put back, it may be the only copy of
    /// its data. Files that lie there longer than `aside_for` are removed.
    ///
    /// Nothing is removed while a reader opens a file; the next run sweeps again. Folders and files with foreign names
    /// stay, and so do files behind a link that is not followed. A file that fails does not stop the sweep.
    pub(crate) fn sweep(
        &self,
        files: &RowFiles,
        aside_for: Option<Duration>,
        now: DateTime<Utc>,
    ) -> Result<Swept, WorkdirError> {
        let root = self.workdir.open_root()?;
        let guard = open_readers(&root)?;
        let mut swept = Swept::default();
        match guard.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                swept.freed.is_put_off = true;
                return Ok(swept);
            }
            Err(TryLockError::Error(error)) => {
                return Err(io_error("cannot lock", &root.path().join(READERS))(error));
            }
        }
        for app_folder in root.names()? {
            let app = root.child(&app_folder, LinkPolicy::Trusted);
            let Ok(cov_data) = app.and_then(|app| app.child(COV_DATA, LinkPolicy::Refused)) else { continue };
            if let Err(error) = swept.sweep_app(&app_folder, &cov_data, files, now) {
                swept.failed.push(error);
            }
            let Some(longest) = aside_for else { continue };
            let aside = cov_data.child(ASIDE, LinkPolicy::Refused);
            match aside.and_then(|aside| swept.sweep_aside(&app_folder, &aside, longest, now)) {
                Err(error) if !error.is_not_found() => swept.failed.push(error),
                Ok(()) | Err(_) => {}
            }
        }
        // A folder that cannot be opened gives the same error for each file that was to be moved there.
        let mut seen = BTreeSet::new();
        swept.failed.retain(|error| seen.insert(error.to_string()));
        Ok(swept)
    }
}

impl Swept {
    fn sweep_app(
        &mut self,
        app_folder: &str,
        cov_data: &Folder,
        files: &RowFiles,
        now: DateTime<Utc>,
    ) -> Result<(), WorkdirError> {
        for name in cov_data.names()? {
            let done = match sweep_action(app_folder, &name, files) {
                SweepAction::Stays => continue,
                SweepAction::Goes => self.remove(cov_data, &name),
                SweepAction::MovesAside => match cov_data.file_type(&name) {
                    Ok(Some(FileType::RegularFile)) => move_aside(cov_data, &name, now).map(|()| {
                        self.aside.push(format!("{app_folder}/{COV_DATA}/{name}"));
                    }),
                    // A folder of such a name belongs to somebody else.
                    looked_at => looked_at.map(drop),
                },
            };
            if let Err(error) = done {
                self.failed.push(error);
            }
        }
        Ok(())
    }

    fn sweep_aside(
        &mut self,
        app_folder: &str,
        aside: &Folder,
        longest: Duration,
        now: DateTime<Utc>,
    ) -> Result<(), WorkdirError> {
        for name in aside.names()? {
            let is_old = aside.moved_at(&name)?.is_some_and(|moved_at| lasted(moved_at, now, longest));
            if is_old
                && numbered(app_folder, &name).is_some()
                && let Err(error) = self.remove(aside, &name)
            {
                self.failed.push(error);
            }
        }
        Ok(())
    }

    fn remove(&mut self, folder: &Folder, name: &str) -> Result<(), WorkdirError> {
        let bytes = folder.size(name);
        folder.remove(name)?;
        self.freed.files += 1;
        self.freed.bytes += bytes;
        Ok(())
    }
}

/// Moves a file aside, and sets its modification time to now. Its name is free there, because numbers are not used twice;
/// a file that somebody put there by hand is kept.
///
/// The time of another user's file cannot be set; [`Folder::moved_at`] gets it from the kernel.
fn move_aside(cov_data: &Folder, name: &str, now: DateTime<Utc>) -> Result<(), WorkdirError> {
    let aside = cov_data.make_child(ASIDE, LinkPolicy::Refused)?;
    let to = match aside.file_type(name)? {
        None => name.to_owned(),
        Some(_) => format!("{name}.{:08x}", fastrand::u32(..)),
    };
    match cov_data.set_modified_at(name, now) {
        Err(WorkdirError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {}
        noted => noted?,
    }
    cov_data.rename(name, &aside, &to)?;
    aside.sync()?;
    cov_data.sync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_dropped_rows_are_removed_and_unknown_files_move_aside() {
        let path = |number| BTreeSet::from([format!("app/cov_data/app_{number}.cov")]);
        let files = RowFiles { kept: path(1), dropped: path(2) };
        for (name, wanted) in [
            ("app_1.cov", SweepAction::Stays),
            ("app_1_report.txt", SweepAction::Stays),
            ("app_1_report.html", SweepAction::Stays),
            ("app_1.cov.tmp", SweepAction::Goes),
            ("app_2.cov", SweepAction::Goes),
            ("app_2_report.txt", SweepAction::Goes),
            ("app_2_report.html", SweepAction::Goes),
            ("app_2_report.html.tmp", SweepAction::Goes),
            ("app_3.cov.tmp", SweepAction::Goes),
            ("app_3.cov", SweepAction::MovesAside),
            ("app_3_report.html", SweepAction::MovesAside),
            ("app_2_report.pdf", SweepAction::Stays),
            ("app_2_3.cov", SweepAction::Stays),
            ("app_2_notes.txt", SweepAction::Stays),
            ("app_.cov", SweepAction::Stays),
            ("other_2.cov", SweepAction::Stays),
            ("app_2.cov.bak", SweepAction::Stays),
            ("app_9007199254740992.cov", SweepAction::MovesAside),
            ("app_9007199254740993.cov", SweepAction::Stays),
            ("app_9007199254740993.cov.tmp", SweepAction::Stays),
            ("app_18446744073709551616.cov", SweepAction::Stays),
        ] {
            assert_eq!(sweep_action("app", name, &files), wanted, "{name}");
        }
    }
}
