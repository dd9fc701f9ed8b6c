//! Retention: what of the stored history goes, and what that frees.

use std::collections::{BTreeSet, HashMap, HashSet};

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::collect::mending::{tell_left, tell_swept};
use crate::commands::{Context, fail, turn};
use crate::fleet::assembly::Fleet;
use crate::fleet::build_group::{BuildGroup, BuildGroupStatus};
use crate::fleet::change::Change;
use crate::fleet::generation::Generation;
use crate::fleet::ids::{BuildGroupId, KeyId};
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::records::{Key, ScheduleRow};
use crate::fleet::retention::{Keep, KeptRow, Use, outlived, spent};
use crate::fleet::row::{Row, RowFilter};
use crate::io::signals::Signals;
use crate::io::store::{Store, StoreError};
use crate::io::workdir::{Freed, Locked};

/// What of the stored history goes.
#[derive(Default)]
pub(crate) struct Thinning {
    /// Rows whose profile goes, and their figures stay.
    pub(crate) rows: Vec<Row>,
    /// Keys of which everything goes.
    pub(crate) keys: Vec<DroppedKey>,
    /// Builds that were set aside, and are served by nobody.
    pub(crate) asides: Vec<DroppedAside>,
    /// Files, removed or to be removed.
    pub(crate) freed: Freed,
    /// A folder of profiles could not be swept, which was said.
    pub(crate) is_partial: bool,
    /// Bytes of counters in the database, which it uses again.
    pub(crate) counter_bytes: u64,
}

/// A key that goes.
pub(crate) struct DroppedKey {
    id: KeyId,
    pub(crate) services: Vec<String>,
    pub(crate) last_used: Option<DateTime<Utc>>,
    pub(crate) rows: Vec<Row>,
}

/// Data set aside that goes.
pub(crate) struct DroppedAside {
    id: BuildGroupId,
    pub(crate) service: String,
    pub(crate) build: String,
    pub(crate) last_used: Option<DateTime<Utc>>,
}

impl Thinning {
    /// Decides what goes. No center is asked: what each listed last counts, and what it may still list.
    pub(crate) fn plan(store: &Store, keep: &Keep, context: &Context) -> Result<Self> {
        let now = context.now();
        let known = store.known_fleet()?;
        let heard = known.without_asking();
        let ids = store.id_source()?;
        let fleet = Fleet::assemble(known, heard, &context.config.naming, &ids, now);
        let rows = store.rows(&RowFilter::default())?;
        let mut thinning = Self::default();
        if keep.keys_younger_than.is_some() {
            thinning.keys = outlived_keys(store, &fleet, &rows, keep, now)?;
            let gone: HashSet<KeyId> = thinning.keys.iter().map(|key| key.id).collect();
            let staying = fleet.entries.iter().filter(|entry| !gone.contains(&entry.id));
            thinning.asides = outlived_asides(store, staying, keep, now)?;
            for key in &thinning.keys {
                thinning.counter_bytes += store.key_bytes(key.id)?;
            }
            for aside in &thinning.asides {
                thinning.counter_bytes += store.build_group_bytes(aside.id)?;
            }
        }
        let gone: HashSet<i64> = thinning.keys.iter().flat_map(|key| &key.rows).map(|row| row.id.0).collect();
        let kept: Vec<KeptRow<_, _>> = rows
            .iter()
            .filter(|row| !gone.contains(&row.id.0))
            .map(|row| KeptRow {
                key: &row.key,
                id: row.id,
                created_at: row.created_at,
                is_latest: row.is_latest,
            })
            .collect();
        let spent: HashSet<i64> = spent(&kept, keep, now).into_iter().map(|id| id.0).collect();
        thinning.rows = rows.into_iter().filter(|row| spent.contains(&row.id.0)).collect();
        let all = thinning.rows.iter().chain(thinning.keys.iter().flat_map(|key| &key.rows));
        thinning.freed = context.workdir.size_of_profiles(all.map(|row| row.cov_file_path.as_str()));
        Ok(thinning)
    }

    /// Carries it out: rows first, so that no row is ever without its file, then the files, with whatever
    /// a crash left of earlier ones.
    pub(crate) fn carry_out(
        &mut self,
        store: &Store,
        locked: &Locked,
        keep: &Keep,
        signals: &Signals,
        context: &Context,
    ) -> Result<()> {
        let now = context.now();
        let mut writer = store.writer(locked.held());
        let changes = self
            .rows
            .iter()
            .map(|row| Change::RowDropped(row.id, now))
            .chain(self.asides.iter().map(|aside| Change::BuildGroupDropped(aside.id)))
            .chain(self.keys.iter().map(|key| Change::KeyDropped(key.id, now)));
        for change in changes {
            writer.apply(&change)?;
        }
        if !self.asides.is_empty() || !self.keys.is_empty() {
            writer.apply(&Change::StructuresSwept)?;
        }
        writer.commit()?;
        let files = store.row_files()?;
        for link in locked.links_in_the_way(&files.kept)? {
            fail(link);
            self.is_partial = true;
        }
        let swept = turn::sweep(locked, &files, keep.younger_than, signals, context)?;
        tell_swept(&swept);
        self.is_partial |= !swept.failed.is_empty();
        self.freed = swept.freed;
        tell_left(&locked.sweep_scratch()?);
        Ok(())
    }
}

fn outlived_keys(
    store: &Store,
    fleet: &Fleet,
    rows: &[Row],
    keep: &Keep,
    now: DateTime<Utc>,
) -> Result<Vec<DroppedKey>> {
    let dropped_before = store.dropped_keys()?;
    let mut by_key: HashMap<&Key, Vec<&Row>> = HashMap::new();
    for row in rows {
        by_key.entry(&row.key).or_default().push(row);
    }
    let rows_of = |entry: &KeyEntry| by_key.get(&entry.key).map(Vec::as_slice).unwrap_or_default();
    let last_used = |entry: &KeyEntry| {
        let seen = entry.members.iter().filter_map(|member| member.last_seen);
        let answered = entry.states.iter().filter_map(|(_, state)| state.last_answer_at);
        let stored = rows_of(entry).iter().map(|row| row.created_at);
        seen.chain(answered).chain(entry.schedule.schedule.last_pull).chain(stored).max()
    };
    // One that was dropped and never came back has nothing left to drop.
    let is_empty = |entry: &KeyEntry| {
        dropped_before.contains(&entry.id)
            && entry.schedule == ScheduleRow::default()
            && rows_of(entry).is_empty()
    };
    let candidates = fleet.entries.iter().enumerate().filter(|(_, entry)| !is_empty(entry));
    let uses: Vec<Use<usize>> = candidates
        .map(|(what, entry)| Use {
            what,
            is_needed: !entry.addresses().is_empty(),
            last_at: last_used(entry),
        })
        .collect();
    let outlived = outlived(&uses, keep, now).into_iter().map(|at| {
        let entry = &fleet.entries[at];
        DroppedKey {
            id: entry.id,
            services: entry.members.iter().map(|member| member.name.clone()).collect(),
            last_used: last_used(entry),
            rows: rows_of(entry).iter().map(|row| (*row).clone()).collect(),
        }
    });
    Ok(outlived.collect())
}

/// Everything that the processes of a key have counted.
struct Counted {
    build_groups: Vec<BuildGroup>,
    generations: Vec<Generation>,
}

/// Returns the build groups and generations of a key; `None` where it has no build group set aside.
fn with_asides(store: &Store, key: KeyId) -> Result<Option<Counted>, StoreError> {
    let build_groups = store.build_groups(key)?;
    if build_groups.iter().all(|build_group| build_group.status != BuildGroupStatus::Aside) {
        return Ok(None);
    }
    Ok(Some(Counted { build_groups, generations: store.generations(key)? }))
}

fn outlived_asides<'a>(
    store: &Store,
    entries: impl Iterator<Item = &'a KeyEntry>,
    keep: &Keep,
    now: DateTime<Utc>,
) -> Result<Vec<DroppedAside>> {
    let mut uses = Vec::new();
    let mut asides = Vec::new();
    for entry in entries {
        let Counted { build_groups, generations } = match with_asides(store, entry.id) {
            Ok(Some(counted)) => counted,
            Ok(None) => continue,
            Err(error) if error.is_of_one_value() => {
                store.note_damaged_key(entry.id, &error)?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let listed: BTreeSet<String> = entry.addresses().into_iter().collect();
        for build_group in
            build_groups.into_iter().filter(|build_group| build_group.status == BuildGroupStatus::Aside)
        {
            let of_it = || generations.iter().filter(|known| known.build_group == build_group.id);
            let serves_it = |address: &String| listed.contains(address);
            uses.push(Use {
                what: asides.len(),
                is_needed: of_it()
                    .any(|open| open.closed_at.is_none() && open.address.as_ref().is_some_and(serves_it)),
                last_at: of_it().map(|known| known.closed_at.unwrap_or(known.pulled_at)).max(),
            });
            asides.push(DroppedAside {
                id: build_group.id,
                service: entry.newest_name().name.clone(),
                build: build_group.structures.last().map(|(_, print)| print.short()).unwrap_or_default(),
                last_used: uses[asides.len()].last_at,
            });
        }
    }
    let outlived: BTreeSet<usize> = outlived(&uses, keep, now).into_iter().collect();
    Ok(asides.into_iter().enumerate().filter(|(at, _)| outlived.contains(at)).map(|(_, it)| it).collect())
}
