//! Removes the files of folders that are stored, and moves bad ones aside.

use anyhow::Result;
use chrono::TimeDelta;

use super::folder::{Folder, FolderReader};
use super::left_meta::FolderMeta;
use super::{SnapshotOutcome, WhyRefused, explained};
use crate::fleet::change::Change;
use crate::fleet::left_process::LeftProcess;
use crate::io::workdir::data_folder::DataFolder;
use crate::io::workdir::inbox::MOST_BAD;

/// Time after its last change for which a file that is cut short may still be copied.
const CUT_WAITS: TimeDelta = TimeDelta::hours(1);
/// Time for which counters wait for their meta, from the first run that sees them.
const COUNTERS_WAIT: TimeDelta = TimeDelta::days(7);
/// Time without any change of a folder after which its metas are removed.
const QUIET_AFTER: TimeDelta = TimeDelta::days(1);

/// A file that is stored, and can be removed.
pub(super) struct StoredFile {
    pub(super) name: String,
    /// The identity of a file that was stored before this run.
    pub(super) known: Option<String>,
}

impl FolderReader<'_, '_, '_, '_> {
    /// Removes a file that is stored.
    pub(super) fn remove(&mut self, folder: &mut Folder<'_>, StoredFile { name, known }: StoredFile) {
        match folder.opened.remove(&name) {
            Ok(()) => {}
            Err(error) if error.is_not_permitted() => {
                folder.denied = Some(error);
                folder.stay.extend(known);
            }
            Err(error) => {
                self.outcome.not_removed.push(explained(error));
                self.outcome.is_partial = true;
            }
        }
    }

    /// Removes the metas of a folder in which nothing has happened for a day. Counters that come later find them in the
    /// database.
    pub(super) fn remove_quiet_metas(&mut self, folder: &mut Folder<'_>) -> Result<()> {
        let now = self.reader.run.now;
        let is_quiet = |age: Option<TimeDelta>| age.is_some_and(|age| age > QUIET_AFTER);
        let entry = self.cache.entries.get(&folder.names.service).copied();
        // The counters of a service that shows nothing yet may still come, and would make its key anew.
        let Some(entry) = entry.filter(|_| is_quiet(folder.opened.quiet_for(now))) else { return Ok(()) };
        if self.reader.open_key(entry, &mut self.cache.open)?.state.current().is_none() {
            return Ok(());
        }
        let old = |meta: &FolderMeta| is_quiet(folder.opened.age(&meta.name, now));
        let names: Vec<String> =
            folder.metas.iter().filter(|meta| old(meta)).map(|meta| meta.name.clone()).collect();
        let mut stored = Vec::new();
        for name in names {
            if (self.reader.is_over)() {
                break;
            }
            let identity = folder.opened.state_of(&name).map(|state| {
                let DataFolder { service, pod, .. } = folder.names;
                LeftProcess::file_identity((service, pod.as_deref()), &name, state.as_bytes())
            });
            let Some(identity) = identity else { continue };
            if self.reader.store.is_taken(&identity)? {
                stored.push(StoredFile { name, known: Some(identity) });
                continue;
            }
            let Some(index) = folder.metas.iter().position(|meta| meta.name == name) else { continue };
            if let Some(meta) = self.load_meta(folder, index)? {
                self.learn_meta(entry, &meta)?;
                let taken = Change::SnapshotTaken { identity, at: now };
                self.reader.writer.apply(&taken)?;
                stored.push(StoredFile { name, known: None });
            }
        }
        self.reader.writer.commit()?;
        for file in stored {
            self.remove(folder, file);
        }
        Ok(())
    }

    /// Moves files to the folder for bad ones that have waited long enough; notes the outcome of each, except for files
    /// that another root took.
    pub(super) fn refuse(&mut self, folder: &Folder<'_>, refused: Vec<(String, WhyRefused)>) -> Result<()> {
        let (mut bad, mut expired) = (Vec::new(), Vec::new());
        for (name, reason) in refused {
            let Some(age) = folder.opened.age(&name, self.reader.run.now) else { continue };
            match reason {
                WhyRefused::Stuck(reason) => self.note(folder, &name, SnapshotOutcome::Stuck(reason)),
                WhyRefused::Unfinished(reason) if age < CUT_WAITS => {
                    self.note(folder, &name, SnapshotOutcome::Unfinished(reason));
                }
                WhyRefused::NoMeta(reason) if self.has_waited(folder, &name)? < COUNTERS_WAIT => {
                    self.note(folder, &name, SnapshotOutcome::NoMeta(reason));
                }
                WhyRefused::NoMeta(reason) => expired.push((name, reason)),
                WhyRefused::Unfinished(reason) | WhyRefused::Bad(reason) => bad.push((name, reason)),
            }
        }
        self.set_aside(folder, &bad);
        self.set_aside_as_room_permits(folder, expired);
        Ok(())
    }

    /// Returns the time since a run first saw counters without their meta.
    ///
    /// The times of the file say nothing: a copy may keep those of the file that it was made of.
    fn has_waited(&mut self, folder: &Folder<'_>, name: &str) -> Result<TimeDelta> {
        let DataFolder { service, pod, .. } = folder.names;
        let identity = LeftProcess::waiting_identity((service, pod.as_deref()), name);
        let now = self.reader.run.now;
        let Some(since) = self.reader.store.waits_since(&identity)? else {
            self.reader.writer.apply(&Change::SnapshotWaits { identity, since: now })?;
            return Ok(TimeDelta::zero());
        };
        Ok(now - since)
    }

    /// Moves counters whose meta never came to the folder for bad files, as long as no file has to be removed there for
    /// them. Such counters are good, and may be the only ones of their process.
    fn set_aside_as_room_permits(&mut self, folder: &Folder<'_>, mut expired: Vec<(String, String)>) {
        if expired.is_empty() {
            return;
        }
        let (room, why) = match folder.opened.room_for_bad() {
            Ok(room) => {
                (room, format!("the counters stay here, because \"bad\" in the inbox has {MOST_BAD} files"))
            }
            Err(error) => (0, explained(error)),
        };
        for (name, reason) in expired.split_off(room.min(expired.len())) {
            self.note(folder, &name, SnapshotOutcome::Stuck(format!("{reason}; {why}")));
        }
        self.set_aside(folder, &expired);
    }

    fn set_aside(&mut self, folder: &Folder<'_>, bad: &[(String, String)]) {
        if bad.is_empty() {
            return;
        }
        let files: Vec<(&str, &str)> = bad.iter().map(|(name, reason)| (&**name, &**reason)).collect();
        let moved = folder.opened.set_aside(&files);
        for ((name, reason), moved) in bad.iter().zip(moved) {
            match moved {
                Ok(true) => self.note(folder, name, SnapshotOutcome::Bad(reason.clone())),
                Ok(false) => {}
                Err(error) => {
                    let reason = format!("{reason}; {}", explained(error));
                    self.note(folder, name, SnapshotOutcome::Stuck(reason));
                }
            }
        }
    }

    /// Notes once that files of a folder stay because this user may not remove them, and keeps them remembered.
    pub(super) fn tell_stays(&mut self, folder: &Folder<'_>) -> Result<()> {
        let (store, now) = (self.reader.store, self.reader.run.now);
        let writer = &mut *self.reader.writer;
        for identity in &folder.stay {
            writer.apply(&Change::SnapshotTaken { identity: identity.clone(), at: now })?;
        }
        if let Some(denied) = &folder.denied {
            let topic = format!("files stay in {}", folder.opened.path().display());
            if !store.is_told(&topic)? {
                writer.apply(&Change::Told(topic, now))?;
                let reason = std::error::Error::source(denied).map(ToString::to_string).unwrap_or_default();
                self.outcome.not_emptied.push((folder.opened.path().to_owned(), reason));
                self.outcome.is_partial = true;
            }
        }
        Ok(self.reader.writer.commit()?)
    }
}
