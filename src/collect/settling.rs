//! Settles what processes left in folders with the lives that were pulled: nothing that both have is counted twice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Context as _, Result};
use chrono::TimeDelta;

use crate::collect::open_key::OpenKey;
use crate::collect::run::PullRun;
use crate::fleet::change::Change;
use crate::fleet::ids::{BuildGroupId, LifeId, StructureId};
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::left_pool::{LeftCounts, LeftPool, PulledOwner, may_be_before, may_be_of};
use crate::fleet::left_process::{LeftName, is_left};
use crate::fleet::life::{LifeDecision, RivalLives};
use crate::fleet::process::Process;
use crate::fleet::records::Life;
use crate::fleet::row_decision::Moved;
use crate::fleet::snapshot::beyond;
use crate::io::store::Store;
use crate::profile::{Mode, add_all, encode_counts};

/// The changes of this run to pulled lives that may be of processes that left files.
#[derive(Default)]
pub(crate) struct MovedLives {
    lives: HashMap<LifeId, MovedLife>,
    /// Lives that were joined into mixtures.
    gone: HashSet<LifeId>,
    /// Counters of mixtures that changed.
    mixed: HashMap<LifeId, (StructureId, Vec<u64>)>,
}

/// A pulled life whose counters moved.
struct MovedLife {
    process: Process,
    /// Its process as it was known before.
    known: Option<Process>,
    structure: StructureId,
    mode: Mode,
    /// `None`: the life is new.
    before: Option<Vec<u64>>,
    now: Vec<u64>,
    /// The answer was older than the last one of its address.
    is_late: bool,
}

impl MovedLives {
    /// Notes an answer. `known` and `before` are the process and the counters of its life before it, if the life is not
    /// new.
    pub(crate) fn note(
        &mut self,
        (life, process, known): (LifeId, &Process, Option<Process>),
        (structure, mode): (StructureId, Mode),
        decision: &LifeDecision,
        before: Option<Vec<u64>>,
        rivals: &RivalLives,
    ) {
        let before = match decision {
            LifeDecision::Begins { .. } | LifeDecision::Late { life: None, .. } => None,
            LifeDecision::Continues { .. } | LifeDecision::Late { .. } => before,
        };
        let is_late = matches!(decision, LifeDecision::Late { .. });
        let (process, now) = (process.clone(), decision.counts().to_vec());
        self.lives.insert(life, MovedLife { process, known, structure, mode, before, now, is_late });
        if let Some((mixture, gone)) = rivals.lives.split_first() {
            self.mixed.insert(mixture.id, (structure, rivals.counts.clone()));
            self.gone.extend(gone.iter().map(|life| life.id).chain([mixture.id]));
        }
    }
}

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
        match may_own {
            true if is_new || !was_possible() => _ = self.owners.insert(id),
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

/// Decides how much of what processes left is counted beside the pulled lives, and adds it to the sums of this run.
pub(crate) fn settle(
    open: &mut OpenKey,
    entry: &KeyEntry,
    run: &PullRun<'_>,
    store: &Store,
) -> Result<Vec<Change>> {
    let moved = std::mem::take(&mut open.moved);
    let may_have_changed = !moved.lives.is_empty() || entry.came_in || entry.schedule.unfinished;
    if !may_have_changed || !open.state.lives.iter().any(|life| life.address.as_deref().is_some_and(is_left))
    {
        return Ok(Vec::new());
    }
    let known = store.left_owners(entry.id)?;
    if known.is_empty() && moved.lives.is_empty() {
        return Ok(Vec::new());
    }
    let mut settled = Vec::new();
    let mut by_build: BTreeMap<(BuildGroupId, StructureId), Vec<LeftLife<'_>>> = BTreeMap::new();
    for life in open.state.lives.iter().filter(|life| !life.is_mixture) {
        let Some(name) = life.address.as_deref().and_then(LeftName::parse) else { continue };
        let Some(left) = left_life(life, name, &known, (&moved, run), store)? else { continue };
        by_build.entry((life.build_group, life.structure)).or_default().push(left);
    }
    for ((group, structure), mut left) in by_build {
        let pool = pool(&open.state.lives, &mut left, &moved, store)?;
        for ((of, counts), surplus) in left.iter().zip(&pool.left).zip(pool.surpluses()) {
            let changes = changes(of, counts, &surplus);
            if !changes.is_empty() {
                let Life { id, mode, .. } = *of.life;
                settled.push(SettledLife { id, mode, group, structure, surplus, changes });
            }
        }
    }
    let mut all = Vec::new();
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

/// Reads what a process left, if pulled lives have or may have a part of it after the answers of this run.
fn left_life<'l>(
    life: &'l Life,
    name: LeftName<'l>,
    known: &HashMap<LifeId, Vec<LifeId>>,
    (moved, run): (&MovedLives, &PullRun<'_>),
    store: &Store,
) -> Result<Option<LeftLife<'l>>> {
    let stored_owners = known.get(&life.id);
    if stored_owners.is_none() && !moved.lives.values().any(|moved| name.may_be(&moved.process)) {
        return Ok(None);
    }
    let blocks = run.template(store, life.structure)?.build().blocks().len();
    let Some(counts) = store.counts(life.id, blocks)? else { return Ok(None) };
    let left = stored_owners.map(|_| store.left_counts(life.id, blocks)).transpose()?.flatten();
    let left = left.unwrap_or_else(|| counts.clone());
    let had_owners: BTreeSet<LifeId> = stored_owners.into_iter().flatten().copied().collect();
    let owners = had_owners.clone();
    let mut left = LeftLife { life, name, left, surplus: counts, owners, had_owners };
    // Stored times have milliseconds.
    let is_from_earlier_run = life.closed_at.is_some_and(|at| at <= run.now - TimeDelta::milliseconds(1));
    moved.lives.iter().for_each(|(id, moved)| left.judge(*id, moved, is_from_earlier_run));
    let is_pooled = stored_owners.is_some() || !left.owners.is_empty();
    Ok(is_pooled.then_some(left))
}

/// Returns the pool of the left lives of a build, with their counters.
fn pool(lives: &[Life], left: &mut [LeftLife<'_>], moved: &MovedLives, store: &Store) -> Result<LeftPool> {
    let ids: BTreeSet<LifeId> =
        left.iter().flat_map(|left| left.owners.union(&left.had_owners)).copied().collect();
    let (blocks, structure) = (left[0].left.len(), left[0].life.structure);
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
    Ok(LeftPool { pulled, left: files, mixed })
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
