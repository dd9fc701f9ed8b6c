//! Stores what processes left in folders: snapshots of one process become its lives, and are never added.

use std::collections::HashSet;
use std::hash::BuildHasher as _;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use foldhash::quality::FixedState;

use super::SnapshotOutcome;
use super::folder::{Folder, FolderReader, LeftCounters};
use super::kept_counts::KeptCounts;
use super::left_key::LeftKey;
use super::pooled_lives::counts_of;
use super::read_ahead::EncodedCounts;
use super::reader::build_group_for;
use super::stored_snapshots::StoredSnapshots;
use crate::collect::open_key::OpenKey;
use crate::fleet::change::Change;
use crate::fleet::counters::fell;
use crate::fleet::ids::{BuildGroupId, IdSource, LifeId, StructureId};
use crate::fleet::left_process::LeftProcess;
use crate::fleet::process_snapshots::ProcessSnapshots;
use crate::fleet::records::Life;
use crate::fleet::snapshot::larger;
use crate::io::store::Store;
use crate::profile::{Fingerprint, Mode, encode_counts, mix};

/// A process of which counter files are taken in.
pub(super) struct OpenProcess {
    pub(super) entry: usize,
    pid: u64,
    meta: Fingerprint,
    build: Fingerprint,
    /// The text under which its lives are stored, in place of an address.
    address: String,
    /// The key under which the database remembers that files of the process were taken in.
    identity: String,
    build_group: BuildGroupId,
    pub(super) structure: StructureId,
    pub(super) mode: Mode,
    pub(super) snapshots: ProcessSnapshots,
    /// The stored lives, each with a hash of its counters.
    pub(super) stored: Vec<(LifeId, u64)>,
    /// The stored life with what is counted and in none of the others.
    pub(super) rest: Option<(LifeId, u64)>,
    /// Lives of it were folded into the sum of their build.
    is_folded: bool,
    /// Pulled lives that may be of this process.
    pub(super) pulled: Vec<LifeId>,
    /// Pulled lives that may have counters of other files.
    claimed: HashSet<LifeId>,
    /// Pulled lives may have a part of its stored lives.
    pub(super) is_pooled: bool,
    files: Vec<LeftFile>,
    /// The counts of its only file as they are stored, where they were encoded ahead.
    encoded: Option<EncodedCounts>,
}

/// A counter file that was added to its process.
struct LeftFile {
    name: String,
    identity: String,
    written_at: DateTime<Utc>,
    has_moved: bool,
}

impl OpenProcess {
    /// Tells whether counters are of this process.
    pub(super) fn is_of(&self, counters: &LeftCounters) -> bool {
        (self.pid, self.meta) == (counters.pid, counters.meta.known.sha256)
    }

    pub(super) fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| &*file.name)
    }

    /// Adds the counters of a file to the snapshots of the process. `kept` are counters of pulled lives that were read
    /// before.
    pub(super) fn add(
        &mut self,
        store: &Store,
        kept: Option<&mut KeptCounts>,
        counters: LeftCounters,
    ) -> Result<()> {
        let LeftCounters { name, written_at, identity, profile, encoded, .. } = counters;
        self.encoded = encoded;
        let has_moved = self.snapshots.add(&profile.counts) && !self.is_held(store, kept, &profile.counts)?;
        self.files.push(LeftFile { name, identity, written_at, has_moved });
        Ok(())
    }

    /// Tells whether a pulled life that has no other file has all of these counters.
    fn is_held(&self, store: &Store, mut kept: Option<&mut KeptCounts>, counts: &[u64]) -> Result<bool> {
        for life in self.pulled.iter().filter(|life| !self.claimed.contains(life)) {
            let pulled = counts_of(store, kept.as_deref_mut(), *life, counts.len())?;
            if pulled.is_some_and(|pulled| !fell(counts, &pulled)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether its files brought nothing that is not stored.
    fn is_unchanged(&self) -> bool {
        let is_stored = |counts: &Vec<u64>| {
            let hash = hash(counts);
            self.stored.iter().any(|(_, stored)| *stored == hash)
        };
        let lives = self.snapshots.lives();
        lives.len() == self.stored.len() && lives.iter().all(is_stored) && self.is_rest_unchanged()
    }

    /// Tells whether the rest, the counts of the files that are in none of the lives, is the stored one.
    fn is_rest_unchanged(&self) -> bool {
        let rest = self.snapshots.rest().map(|rest| hash(&rest));
        rest == self.rest.filter(|_| !self.is_pooled).map(|(_, stored)| stored)
    }

    /// Returns the time at which the last of its files was written.
    pub(super) fn last_written_at(&self) -> Option<DateTime<Utc>> {
        self.files.iter().map(|file| file.written_at).max()
    }
}

impl FolderReader<'_, '_, '_, '_> {
    /// Reads what is stored of the process that left these counters. A name that was not known is added.
    pub(super) fn open_process(
        &mut self,
        folder: &Folder<'_>,
        counters: &LeftCounters,
    ) -> Result<OpenProcess> {
        let service = &*folder.names.service;
        let entry = match self.cache.entries.get(service) {
            Some(&entry) => entry,
            None => self.reader.introduce(service, &mut self.cache.entries)?,
        };
        let meta = &counters.meta;
        let (structure, mode, build) = (meta.structure, counters.profile.mode, meta.known.build());
        self.learn_meta(entry, meta)?;
        let open_key = self.reader.open_key(entry, &mut self.cache.open)?;
        if open_key.state.templates.iter().all(|(known, _)| *known != structure) {
            open_key.state.templates.push((structure, meta.template.clone()));
        }
        let (run, store) = (self.reader.run, self.reader.store);
        let key_entry = &self.reader.fleet.entries[entry];
        let build_group = build_group_for(key_entry, open_key, build, structure, run, store)?;
        if self.key.as_ref().is_none_or(|key| key.entry != entry) {
            let known = (store.processes(key_entry.id)?, store.left_owners(key_entry.id)?);
            self.key = Some(LeftKey::new(entry, open_key, known, &run.memory));
        }
        let key = self.key.as_ref().expect("it was made");
        let (pid, pod) = (counters.pid, folder.names.pod.as_deref());
        let process = LeftProcess { service, pod, pid, meta: meta.known.sha256 };
        let (address, identity) = (process.address(), process.identity());
        let is_of_it = |life: &&Life| (life.structure, life.mode) == (structure, mode);
        let lives = open_key.state.lives.iter().filter(is_of_it);
        let pulled = key.pulled_lives(lives, &process);

        let lives = key.lives_at(&address, open_key).filter(is_of_it);
        let StoredSnapshots { snapshots, stored, rest, is_pooled } =
            StoredSnapshots::load(store, mode, build.blocks().len(), lives, &key.owners)?;
        let is_folded = stored.is_empty() && store.is_taken(&identity)?;
        let files = Vec::new();
        let is_own = |life: &LifeId| stored.iter().chain(&rest).any(|(id, _)| id == life);
        let others = key.owners.iter().filter(|(life, _)| !is_own(life));
        let claimed =
            others.flat_map(|(_, owners)| owners).filter(|life| pulled.contains(life)).copied().collect();
        let (meta, build) = (meta.known.sha256, build.fingerprint());
        self.reader.carry_out()?;
        Ok(OpenProcess {
            entry,
            pid,
            meta,
            build,
            address,
            identity,
            build_group,
            structure,
            mode,
            snapshots,
            stored,
            rest,
            is_folded,
            pulled,
            claimed,
            is_pooled,
            files,
            encoded: None,
        })
    }

    /// Stores what the files of a process brought, with their identities; returns the outcome of each.
    pub(super) fn store(&mut self, process: &OpenProcess) -> Result<Vec<SnapshotOutcome>> {
        let now = self.reader.run.now;
        let mut changes = Vec::new();
        let sum = match process.is_folded {
            true => self.reader.store.folded(process.build_group, process.structure)?,
            false => None,
        };
        match sum {
            Some(sum) => changes.extend(self.sum_changes(process, &sum)?),
            None => changes.extend(self.life_changes(process)?),
        }
        let has_moved = process.files.iter().any(|file| file.has_moved);
        let entry = &mut self.reader.fleet.entries[process.entry];
        if has_moved {
            changes.push(Change::Unfinished(entry.id));
            entry.came_in = true;
        }
        // A process of which all files joined pulled lives has no life that could be folded.
        let own = (!process.snapshots.lives().is_empty()).then_some(&process.identity);
        let identities = process.files.iter().map(|file| &file.identity).chain(own);
        changes
            .extend(identities.map(|identity| Change::SnapshotTaken { identity: identity.clone(), at: now }));
        self.reader.writer.apply_all(&changes)?;
        let open_key = self.reader.open_key(process.entry, &mut self.cache.open)?;
        let is_shown = open_key.state.current_id() == Some(process.build_group);
        let outcomes = process.files.iter().map(|file| match has_moved && file.has_moved {
            _ if !is_shown => SnapshotOutcome::OtherBuild(process.build),
            true => SnapshotOutcome::Merged,
            false => SnapshotOutcome::Known,
        });
        Ok(outcomes.collect())
    }

    /// Adds counters of a process whose earlier lives were folded to the sum: the larger count of each block, because the
    /// sum may have them already.
    fn sum_changes(&self, process: &OpenProcess, sum: &Life) -> Result<Vec<Change>> {
        let total = process.snapshots.total();
        if total.is_empty() {
            return Ok(Vec::new());
        }
        let counts = self.reader.store.counts(sum.id, total.len())?.context("there is no sum")?;
        let joined = larger(&counts, total);
        if joined == counts {
            return Ok(Vec::new());
        }
        let (id, mode, at) = (sum.id, mix(sum.mode, process.mode), sum.pulled_at);
        Ok(vec![Change::LifeMoved { id, mode, at, counts: encode_counts(&joined), answer: None }])
    }

    /// Makes the stored lives of a process those that its snapshots tell. Their sum never falls.
    fn life_changes(&mut self, process: &OpenProcess) -> Result<Vec<Change>> {
        let run = self.reader.run;
        if process.is_unchanged() {
            return Ok(Vec::new());
        }
        if process.is_pooled || !process.pulled.is_empty() {
            let owners = self.owners_of(process)?;
            let may_be_pulled =
                owners.iter().any(|owners| !owners.is_empty()) || !process.is_rest_unchanged();
            if process.is_pooled || may_be_pulled {
                return self.pooled_changes(process, owners);
            }
        }
        let at = process.last_written_at().unwrap_or(run.now);
        let open_key = self.reader.open_key(process.entry, &mut self.cache.open)?;
        let mut left = LeftLives { process, open_key, at, now: run.now, changes: Vec::new() };
        let hashes: Vec<u64> = process.snapshots.lives().iter().map(|counts| hash(counts)).collect();
        let mut gone = process.stored.iter().filter(|(_, stored)| !hashes.contains(stored));
        let new = process.snapshots.lives().iter().zip(&hashes);
        for (counts, &hash) in new.filter(|(_, new)| process.stored.iter().all(|(_, stored)| stored != *new))
        {
            match gone.next() {
                Some(&(id, _)) => left.moved(id, counts),
                None => {
                    let encoded = EncodedCounts::bytes_of(process.encoded.as_ref(), hash, counts);
                    left.opened(run.ids.life(), encoded, false);
                }
            }
        }
        gone.for_each(|&(id, _)| left.removed(id));
        left.rest_is(process.snapshots.rest(), run.ids);
        let changes = left.changes;
        self.index(process, &changes)?;
        Ok(changes)
    }

    /// Notes the lives of a process that changed.
    pub(super) fn index(&mut self, process: &OpenProcess, changes: &[Change]) -> Result<()> {
        if !changes.is_empty() {
            let open_key = self.reader.open_key(process.entry, &mut self.cache.open)?;
            if let Some(key) = &mut self.key {
                key.index(&process.address, open_key, changes.iter().any(is_removal));
            }
        }
        Ok(())
    }
}

fn is_removal(change: &Change) -> bool {
    matches!(change, Change::LifeFolded(_))
}

/// The lives of a process that are being changed.
pub(super) struct LeftLives<'l> {
    pub(super) process: &'l OpenProcess,
    pub(super) open_key: &'l mut OpenKey,
    pub(super) at: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
    pub(super) changes: Vec<Change>,
}

impl LeftLives<'_> {
    pub(super) fn moved(&mut self, id: LifeId, counts: &[u64]) {
        let (mode, counts) = (self.process.mode, encode_counts(counts));
        let mut at = self.at;
        if let Some(life) = self.open_key.state.lives.iter_mut().find(|life| life.id == id) {
            at = life.pulled_at.max(at);
            (life.pulled_at, life.closed_at) = (at, Some(self.now));
        }
        self.changes.push(Change::LifeMoved { id, mode, at, counts, answer: None });
        self.changes.push(Change::LifeClosed(id, self.now));
    }

    /// Opens a life, which is over: no agent can be asked for it. It is closed now, so that it stays apart for as long as
    /// later snapshots of its process may come.
    pub(super) fn opened(&mut self, id: LifeId, counts: Vec<u8>, is_mixture: bool) {
        let &OpenProcess { build_group, structure, mode, .. } = self.process;
        let (address, at, closed_at) = (Some(self.process.address.clone()), self.at, Some(self.now));
        let answer = None;
        let (opened_at, pulled_at) = (at, at);
        self.open_key.state.lives.push(Life {
            id,
            build_group,
            structure,
            address: address.clone(),
            mode,
            opened_at,
            pulled_at,
            closed_at,
            is_mixture,
        });
        self.changes.push(Change::LifeOpened {
            id,
            build_group,
            structure,
            address,
            mode,
            at,
            closed_at,
            counts,
            answer,
        });
        if is_mixture {
            self.changes.push(Change::LifeMixed(id));
        }
    }

    /// Opens, replaces or removes the stored life with the rest, so that it equals the rest of the snapshots.
    fn rest_is(&mut self, rest: Option<Vec<u64>>, ids: &IdSource) {
        match (rest, self.process.rest) {
            (Some(rest), Some((id, stored))) if hash(&rest) != stored => self.moved(id, &rest),
            (Some(rest), None) => self.opened(ids.life(), encode_counts(&rest), true),
            (None, Some((id, _))) => self.removed(id),
            _ => {}
        }
    }

    pub(super) fn removed(&mut self, id: LifeId) {
        self.open_key.state.lives.retain(|life| life.id != id);
        self.changes.push(Change::LifeFolded(id));
    }
}

/// Returns the hash by which counters of a process are told apart.
pub(super) fn hash(counts: &[u64]) -> u64 {
    FixedState::default().hash_one(counts)
}
