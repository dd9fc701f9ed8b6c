//! Settles what processes left in folders with the lives that were pulled: nothing that both have is counted twice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Context as _, Result};
use chrono::TimeDelta;

use crate::collect::moved_lives::{MovedLife, MovedLives};
use crate::collect::open_key::OpenKey;
use crate::collect::run::PullRun;
use crate::fleet::change::Change;
use crate::fleet::ids::{BuildGroupId, LifeId, StructureId};
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::left_pool::{LeftCounts, LeftPool, PulledOwner, SettledPool, may_be_before, may_be_of};
use crate::fleet::left_process::{LeftName, is_left};
use crate::fleet::records::Life;
use crate::fleet::row_decision::Moved;
use crate::fleet::snapshot::beyond;
use crate::io::store::Store;
use crate::profile::{Mode, add_all, encode_counts};

/// A left life of a key.
struct LeftLife<'l> {
    life: &'l Life,
    name: LeftName<'l>,
    /// The counters as they were left.
    left: Vec<u64>,
    /// The counters of the life, which are the same until it has possible owners.
    surplus: Vec<u64>,
    owners: BTreeSet<LifeId>,
    had_owners: BTreeSet<LifeId>,
    /// Lives that are new in this run and may be of a process that left files here.
    new: BTreeSet<LifeId>,
}

impl LeftLife<'_> {
    /// Judges whether the file may be of a life after its answer.
    fn judge(&mut self, id: LifeId, moved: &MovedLife, is_from_earlier_run: bool) {
        let of_build = (self.life.structure, self.life.mode) == (moved.structure, moved.mode);
        if !of_build || !self.name.may_be(&moved.process) {
            return;
        }
        let is_new = moved.before.is_none();
        // A proxy may have kept the answer, unless its process read it later than it wrote the file, by its own clock.
        let is_later = moved.process.read_at.is_some_and(|at| at >= self.life.pulled_at);
        let may_own = match is_from_earlier_run && !is_new && !moved.is_late && is_later {
            true => may_be_before(moved.mode, &self.left, &moved.now),
            false => may_be_of(moved.mode, &self.left, &moved.now),
        };
        // A life that goes on under the name of another pod was never compared with the files of that pod.
        let was_possible = || moved.known.as_ref().is_some_and(|known| self.name.may_be(known));
        if is_new || moved.is_unsettled || !was_possible() {
            self.new.insert(id);
        }
        match may_own {
            true if self.new.contains(&id) => _ = self.owners.insert(id),
            true => {}
            false => _ = self.owners.remove(&id),
        }
    }
}

/// A life with counts that are added to the sums of this run.
struct SettledLife {
    id: LifeId,
    mode: Mode,
    group: BuildGroupId,
    structure: StructureId,
    surplus: Vec<u64>,
    changes: Vec<Change>,
}

/// A life with counts of files and pulled lives that are no longer told apart.
struct RestLife<'l> {
    life: &'l Life,
    counts: Vec<u64>,
    /// The pulled lives that had a part of these counts, as they are stored; `None`: it is new in the pool.
    owners: Option<BTreeSet<LifeId>>,
}

/// The left lives of a build that are settled together.
#[derive(Default)]
struct LeftBuild<'l> {
    left: Vec<LeftLife<'l>>,
    rests: Vec<RestLife<'l>>,
}

impl LeftBuild<'_> {
    /// Returns the pulled lives that may have or had a part of any of these, also of files that gave way to others.
    fn owners(&self) -> BTreeSet<LifeId> {
        let of_files = self.left.iter().flat_map(|left| [&left.owners, &left.had_owners, &left.new]);
        of_files.chain(self.rests.iter().filter_map(|rest| rest.owners.as_ref())).flatten().copied().collect()
    }

    /// Returns the changes that store this rest, with the counters that a life has then.
    fn rest_changes(&self, rest: Vec<u64>, run: &PullRun<'_>) -> Vec<SettledLife> {
        let mut settled = Vec::new();
        let mut rests = self.rests.iter();
        let Life { build_group: group, structure, mode, .. } = *self.left[0].life;
        if rest.iter().any(|count| *count > 0) {
            let owners = self.owners();
            let first = rests.next();
            let (id, mut changes) = match first {
                Some(known) if known.counts == rest => (known.life.id, Vec::new()),
                Some(known) => {
                    let (id, at, counts) = (known.life.id, known.life.pulled_at, encode_counts(&rest));
                    (id, vec![Change::LifeMoved { id, mode, at, counts, answer: None }])
                }
                None => self.rest_opened(&rest, run),
            };
            if first.is_none_or(|known| known.owners.as_ref() != Some(&owners)) {
                let counts = encode_counts(&vec![0; rest.len()]);
                changes.push(Change::LeftCounts { life: id, counts, owners: owners.into_iter().collect() });
            }
            settled.push(SettledLife { id, mode, group, structure, surplus: rest, changes });
        }
        // The pool has one rest.
        settled.extend(rests.map(|RestLife { life, counts, .. }| {
            let (surplus, changes) = (vec![0; counts.len()], vec![Change::LifeFolded(life.id)]);
            SettledLife { id: life.id, mode, group, structure, surplus, changes }
        }));
        settled.retain(|life| !life.changes.is_empty());
        settled
    }

    /// Returns a new life with this rest at the first process, and the changes that open it.
    fn rest_opened(&self, rest: &[u64], run: &PullRun<'_>) -> (LifeId, Vec<Change>) {
        let Life { build_group, structure, mode, pulled_at: at, .. } = *self.left[0].life;
        let (id, address, counts) = (run.ids.life(), self.left[0].life.address.clone(), encode_counts(rest));
        let (closed_at, answer) = (Some(run.now), None);
        let opened =
            Change::LifeOpened { id, build_group, structure, address, mode, at, closed_at, counts, answer };
        (id, vec![opened, Change::LifeMixed(id)])
    }
}

/// Decides how much of what processes left is counted beside the pulled lives, and adds it to the sums of this run.
pub(crate) fn settle(
    open: &mut OpenKey,
    entry: &KeyEntry,
    run: &PullRun<'_>,
    store: &Store,
) -> Result<Vec<Change>> {
    let mut moved = std::mem::take(&mut open.moved);
    moved.add_unsettled(open, entry.id, run, store)?;
    let mut all = Vec::new();
    if !moved.lives.is_empty() || !open.unsettled.is_empty() {
        all.push(Change::LivesSettled(entry.id));
    }
    let may_have_changed = !moved.lives.is_empty() || entry.came_in || entry.schedule.unfinished;
    if !may_have_changed || !open.state.lives.iter().any(|life| life.address.as_deref().is_some_and(is_left))
    {
        return Ok(all);
    }
    let known = store.left_owners(entry.id)?;
    if known.is_empty() && moved.lives.is_empty() {
        return Ok(all);
    }
    let mut settled = Vec::new();
    let with_rest = with_rest(&open.state.lives, &known, &moved);
    let mut by_build: BTreeMap<(BuildGroupId, StructureId), LeftBuild<'_>> = BTreeMap::new();
    for life in open.state.lives.iter().filter(|life| !life.is_mixture) {
        let Some(name) = life.address.as_deref().and_then(LeftName::parse) else { continue };
        let stored_owners = known.get(&life.id);
        let is_pooled = stored_owners.is_some() || with_rest.contains(&life.address);
        let left = left_life((life, name), (is_pooled, stored_owners), (&moved, run), store)?;
        let Some(left) = left else { continue };
        by_build.entry((life.build_group, life.structure)).or_default().left.push(left);
    }
    for ((group, structure), mut build) in by_build {
        build.rests = rest_lives(&open.state.lives, &build.left, &known, store)?;
        let pool = pool(&open.state.lives, &mut build, &moved, store)?;
        let SettledPool { surpluses, rest } = pool.settled();
        for ((of, counts), surplus) in build.left.iter().zip(&pool.left).zip(surpluses) {
            let changes = changes(of, counts, &surplus);
            if !changes.is_empty() {
                let Life { id, mode, .. } = *of.life;
                settled.push(SettledLife { id, mode, group, structure, surplus, changes });
            }
        }
        settled.extend(build.rest_changes(rest, run));
    }
    for SettledLife { id, mode, group, structure, surplus, changes } in settled {
        all.extend(changes);
        let template = run.template(store, structure)?;
        let groups = &mut open.state.build_groups;
        let group = groups.iter_mut().find(|known| known.id == group).context("its build group is gone")?;
        group.add(mode, template.build(), &surplus)?;
        group.moved = Moved::Covered;
        open.state.replaced.insert(id);
        open.state.touched = true;
    }
    Ok(all)
}

/// Returns the names, stored in place of addresses, of the processes with a rest of which pulled lives may have a part.
/// The rest of a process has the counts that are in none of its left lives.
fn with_rest<'l>(
    lives: &'l [Life],
    known: &HashMap<LifeId, Vec<LifeId>>,
    moved: &MovedLives,
) -> HashSet<&'l Option<String>> {
    let may_be_new = |life: &Life| {
        let name = life.address.as_deref().and_then(LeftName::parse);
        name.is_some_and(|name| {
            let is_new = |moved: &MovedLife| {
                (moved.before.is_none() || moved.is_unsettled) && name.may_be(&moved.process)
            };
            moved.lives.values().any(is_new)
        })
    };
    let rests = lives.iter().filter(|life| life.is_mixture && life.address.as_deref().is_some_and(is_left));
    rests.filter(|life| known.contains_key(&life.id) || may_be_new(life)).map(|life| &life.address).collect()
}

/// Reads what a process left, if pulled lives have or may have a part of it after the answers of this run.
fn left_life<'l>(
    (life, name): (&'l Life, LeftName<'l>),
    (is_pooled, stored_owners): (bool, Option<&Vec<LifeId>>),
    (moved, run): (&MovedLives, &PullRun<'_>),
    store: &Store,
) -> Result<Option<LeftLife<'l>>> {
    if !is_pooled && !moved.lives.values().any(|moved| name.may_be(&moved.process)) {
        return Ok(None);
    }
    let blocks = run.template(store, life.structure)?.build().blocks().len();
    let Some(counts) = store.counts(life.id, blocks)? else { return Ok(None) };
    let left = stored_owners.map(|_| store.left_counts(life.id, blocks)).transpose()?.flatten();
    let left = left.unwrap_or_else(|| counts.clone());
    let had_owners: BTreeSet<LifeId> = stored_owners.into_iter().flatten().copied().collect();
    let owners = had_owners.clone();
    let mut left = LeftLife { life, name, left, surplus: counts, owners, had_owners, new: BTreeSet::new() };
    // Stored times have milliseconds.
    let is_from_earlier_run = life.closed_at.is_some_and(|at| at <= run.now - TimeDelta::milliseconds(1));
    moved.lives.iter().for_each(|(id, moved)| left.judge(*id, moved, is_from_earlier_run));
    Ok((is_pooled || !left.owners.is_empty()).then_some(left))
}

/// Reads the lives with the rests of these processes: the counts that are in none of their left lives.
fn rest_lives<'l>(
    lives: &'l [Life],
    left: &[LeftLife<'_>],
    known: &HashMap<LifeId, Vec<LifeId>>,
    store: &Store,
) -> Result<Vec<RestLife<'l>>> {
    let (blocks, Life { build_group, structure, .. }) = (left[0].left.len(), left[0].life);
    let is_of_process = |life: &Life| left.iter().any(|left| left.life.address == life.address);
    let is_rest = |life: &&Life| {
        life.is_mixture
            && (life.build_group, life.structure) == (*build_group, *structure)
            && (known.contains_key(&life.id) || is_of_process(life))
    };
    let mut rests = Vec::new();
    for life in lives.iter().filter(is_rest) {
        let Some(counts) = store.counts(life.id, blocks)? else { continue };
        let owners = known.get(&life.id).map(|owners| owners.iter().copied().collect());
        rests.push(RestLife { life, counts, owners });
    }
    Ok(rests)
}

/// Returns the pool of the left lives of a build, with their counters.
fn pool(lives: &[Life], build: &mut LeftBuild<'_>, moved: &MovedLives, store: &Store) -> Result<LeftPool> {
    let ids = build.owners();
    let LeftBuild { left, rests } = build;
    let (blocks, structure) = (left[0].left.len(), left[0].life.structure);
    let mut rest = vec![0_u64; blocks];
    for known in rests.iter() {
        add_all(&mut rest, &known.counts);
    }
    let mut pulled = Vec::new();
    for id in &ids {
        let is_stored = lives.iter().any(|life| life.id == *id && !life.is_mixture);
        let counts = match moved.lives.get(id) {
            _ if moved.gone.contains(id) => None,
            Some(moved) => Some(moved.now.clone()),
            None if is_stored => store.counts(*id, blocks)?,
            None => None,
        };
        let grown = moved.lives.get(id).map(|moved| match &moved.before {
            Some(before) => beyond(&moved.now, before),
            None => moved.now.clone(),
        });
        pulled.push(PulledOwner { counts, grown: grown.unwrap_or_default() });
    }
    let place = |id: &LifeId| ids.iter().position(|known| known == id).expect("it is one of them");
    let files = left.iter_mut().map(|left| {
        let (counts, surplus) = (std::mem::take(&mut left.left), std::mem::take(&mut left.surplus));
        LeftCounts { counts, surplus, owners: left.owners.iter().map(place).collect() }
    });
    let files: Vec<LeftCounts> = files.collect();
    let mut mixed = vec![0_u64; blocks];
    let is_of_it = |life: &&Life| {
        life.is_mixture
            && life.structure == structure
            && !life.address.as_deref().is_some_and(is_left)
            && !moved.gone.contains(&life.id)
    };
    for life in lives.iter().filter(is_of_it) {
        add_all(&mut mixed, &store.counts(life.id, blocks)?.unwrap_or_default());
    }
    moved
        .mixed
        .values()
        .filter(|(of, _)| *of == structure)
        .for_each(|(_, counts)| add_all(&mut mixed, counts));
    Ok(LeftPool { pulled, left: files, rest, mixed })
}

/// Returns the changes that store a surplus and the owners of a left life.
fn changes(left: &LeftLife<'_>, counts: &LeftCounts, surplus: &[u64]) -> Vec<Change> {
    let mut changes = Vec::new();
    let Life { id, mode, pulled_at: at, .. } = *left.life;
    if surplus != counts.surplus {
        changes.push(Change::LifeMoved { id, mode, at, counts: encode_counts(surplus), answer: None });
    }
    if !changes.is_empty() || left.owners != left.had_owners {
        let (counts, owners) = (encode_counts(&counts.counts), left.owners.iter().copied().collect());
        changes.push(Change::LeftCounts { life: id, counts, owners });
    }
    changes
}
