//! Retention: the deletion of old history, with the space that it frees.

use std::collections::HashSet;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};

use crate::collect::fleet::stored_fleet;
use crate::fleet::build_group::BuildGroupStatus;
use crate::fleet::change::Change;
use crate::fleet::ids::KeyId;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::retention::{
    DroppedBuildGroup, DroppedKey, RetentionRules, RowFiles, outlived_build_groups, outlived_keys, spent_rows,
};
use crate::fleet::row::{Row, RowFilter};
use crate::io::store::{Store, StoreError};
use crate::io::workdir::{Freed, LockedWorkdir, Swept, Workdir, WorkdirError};
use crate::names::Naming;

/// The part of the stored history that is deleted.
#[derive(Default)]
pub(crate) struct RetentionRun {
    /// Rows whose profile is deleted and whose figures stay.
    pub(crate) rows: Vec<Row>,
    /// Keys that are deleted with all their data.
    pub(crate) keys: Vec<DroppedKey>,
    /// Build groups that were set aside and that no address serves.
    pub(crate) build_groups: Vec<DroppedBuildGroup>,
    /// Number and size of the files that were removed, or would be.
    pub(crate) freed: Freed,
    /// Symbolic links in place of folders of profiles, which are not swept.
    pub(crate) links: Vec<WorkdirError>,
    /// A folder of profiles could not be swept.
    pub(crate) is_partial: bool,
    /// Bytes of deleted counters in the database, which reuses the space.
    pub(crate) counter_bytes: u64,
}

impl RetentionRun {
    /// Decides the records to delete. No center is asked; the last known lists count.
    pub(crate) fn plan(
        store: &Store,
        workdir: &Workdir,
        keep: &RetentionRules,
        naming: &Naming,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let fleet = stored_fleet(store, naming, now)?;
        let rows = store.rows(&RowFilter::default())?;
        let mut run = Self::default();
        if keep.keys_younger_than.is_some() {
            run.keys = outlived_keys(&fleet, &rows, &store.dropped_keys()?, keep, now);
            let gone: HashSet<KeyId> = run.keys.iter().map(|key| key.id).collect();
            for entry in fleet.entries.iter().filter(|entry| !gone.contains(&entry.id)) {
                run.build_groups.extend(dropped_build_groups(entry, store, keep, now)?);
            }
            for key in &run.keys {
                run.counter_bytes += store.key_bytes(key.id)?;
            }
            for build_group in &run.build_groups {
                run.counter_bytes += store.build_group_bytes(build_group.id)?;
            }
        }
        run.rows = spent_rows(rows, &run.keys, keep, now);
        let all = run.rows.iter().chain(run.keys.iter().flat_map(|key| &key.rows));
        run.freed = workdir.size_of_profiles(all.map(|row| row.cov_file_path.as_str()));
        Ok(run)
    }

    /// Marks the rows as deleted and deletes the counters; returns the files that rows still name. Files are swept
    /// later, so that no row is ever without its file.
    pub(crate) fn drop_rows(
        &mut self,
        store: &Store,
        locked: &LockedWorkdir,
        keep: &RetentionRules,
        now: DateTime<Utc>,
    ) -> Result<RowFiles> {
        let mut writer = store.writer(locked.proof());
        let spent = TimeDelta::from_std(keep.younger_than).ok().and_then(|age| now.checked_sub_signed(age));
        if let Some(before) = spent {
            writer.apply(&Change::UnlistedForgotten(before))?;
        }
        let changes = self
            .rows
            .iter()
            .map(|row| Change::RowDropped(row.id, now))
            .chain(self.build_groups.iter().map(|build_group| Change::BuildGroupDropped(build_group.id)))
            .chain(self.keys.iter().map(|key| Change::KeyDropped(key.id, now)));
        for change in changes {
            writer.apply(&change)?;
        }
        if !self.build_groups.is_empty() || !self.keys.is_empty() {
            writer.apply(&Change::StructuresSwept)?;
        }
        writer.commit()?;
        let files = store.row_files()?;
        self.links = locked.links_in_the_way(&files.kept)?;
        Ok(files)
    }

    /// Notes the files that the sweep removed.
    pub(crate) fn note_sweep(&mut self, swept: &Swept) {
        self.is_partial = !self.links.is_empty() || !swept.failed.is_empty();
        self.freed = swept.freed;
    }
}

/// Decides about the build groups of a key that stays. A key that cannot be read is noted and keeps its groups.
fn dropped_build_groups(
    entry: &KeyEntry,
    store: &Store,
    keep: &RetentionRules,
    now: DateTime<Utc>,
) -> Result<Vec<DroppedBuildGroup>, StoreError> {
    let counted = || {
        let build_groups = store.build_groups(entry.id)?;
        if build_groups.iter().all(|build_group| build_group.status != BuildGroupStatus::Aside) {
            return Ok(None);
        }
        Ok(Some((build_groups, store.lives(entry.id)?)))
    };
    match counted() {
        Ok(Some((build_groups, lives))) => Ok(outlived_build_groups(entry, &build_groups, &lives, keep, now)),
        Ok(None) => Ok(Vec::new()),
        Err(error) if StoreError::is_of_one_value(&error) => {
            store.note_damaged_key(entry.id, &error)?;
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}
