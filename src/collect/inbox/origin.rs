//! The origin of a snapshot, which decides the stored life of its counters.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};

use crate::address::{host_and_port, normal_form};
use crate::collect::open_key::OpenKey;
use crate::collect::run::PullRun;
use crate::fleet::change::Change;
use crate::fleet::ids::{BuildGroupId, LifeId, ServiceId, StructureId};
use crate::fleet::key_entry::{KeyEntry, ServiceName};
use crate::fleet::process::Process;
use crate::fleet::records::Life;
use crate::fleet::snapshot::{self, LifeTimes, Placement, SnapshotCounts, SnapshotHead, SnapshotPlace};
use crate::io::store::Store;
use crate::profile::{Mode, encode_counts, mix};

/// The build, the address and the time of a snapshot.
pub(super) struct SnapshotOrigin<'o, 'a> {
    pub(super) run: &'o PullRun<'a>,
    pub(super) store: &'o Store,
    pub(super) build_group: BuildGroupId,
    pub(super) structure: StructureId,
    pub(super) mode: Mode,
    pub(super) address: String,
    /// The time at which the snapshot was made, limited to now.
    pub(super) at: DateTime<Utc>,
    /// The process, where its agent names it.
    pub(super) process: Option<Process>,
}

impl SnapshotOrigin<'_, '_> {
    /// Returns the changes that add the counters; none if all of them are stored already.
    pub(super) fn changes(
        &self,
        head: &SnapshotHead,
        counts: &[u64],
        entry: &KeyEntry,
        open_key: &mut OpenKey,
    ) -> Result<Vec<Change>> {
        if self.process.is_some() {
            open_key.use_processes();
        }
        let sum = self.store.folded(self.build_group, self.structure)?;
        let Placement { place, mixtures } = self.place(head, counts, sum.as_ref(), open_key)?;
        let shrunk = mixtures.into_iter().map(|(index, counts)| {
            let Life { id, pulled_at: at, .. } = open_key.state.lives[index];
            let (mode, counts) = (self.mode, encode_counts(&counts));
            Change::LifeMoved { id, mode, at, counts, answer: None }
        });
        let shrunk: Vec<Change> = shrunk.collect();
        let changes = match place {
            SnapshotPlace::Known => Vec::new(),
            SnapshotPlace::Joins(index, counts) => {
                let Life { id, is_mixture, .. } = open_key.state.lives[index];
                let changes = self.moved(index, &counts, open_key);
                let named = (!is_mixture).then(|| self.named(id, open_key)).flatten();
                changes.into_iter().chain(named).collect()
            }
            SnapshotPlace::JoinsSum(counts) => {
                let Life { id, mode, pulled_at: at, .. } = sum.context("there is no sum")?;
                let (mode, counts) = (mix(mode, self.mode), encode_counts(&counts));
                vec![Change::LifeMoved { id, mode, at, counts, answer: None }]
            }
            SnapshotPlace::Own(counts) => {
                let id = self.run.ids.life();
                let changes = self.opened(id, head.captured_at, &counts, entry, open_key);
                changes.into_iter().chain(self.named(id, open_key)).collect()
            }
            SnapshotPlace::Mixture(counts) => {
                let id = self.run.ids.life();
                let opened = self.inserted(id, &counts, true, open_key);
                open_key.state.lives.last_mut().expect("it was pushed").is_mixture = true;
                vec![opened, Change::LifeMixed(id)]
            }
        };
        let unsettled = self.unsettled(&changes, open_key);
        Ok(unsettled.into_iter().chain(shrunk).chain(changes).collect())
    }

    /// Keeps the counters of the life that these changes concern, if its process may have left files.
    fn unsettled(&self, changes: &[Change], open_key: &OpenKey) -> Option<Change> {
        let id = changes.iter().find_map(|change| match change {
            Change::LifeMoved { id, .. } | Change::LifeOpened { id, .. } => Some(*id),
            _ => None,
        })?;
        open_key.has_left_by(self.process.as_ref(), Some(id)).then_some(Change::LifeUnsettled(id))
    }

    /// Notes the process of a life, and that its counters were read as late as those of the snapshot.
    fn named(&self, life: LifeId, open_key: &mut OpenKey) -> Option<Change> {
        let process = self.process.as_ref()?;
        let named = match open_key.process(life) {
            None => process.clone(),
            Some(known) => Process {
                pid: known.pid.or(process.pid),
                read_at: known.read_at.max(process.read_at),
                ..known.clone()
            },
        };
        open_key.note_process(life, named.clone());
        Some(Change::ProcessOf(life, named))
    }

    /// Finds the place of the counters. An index in it is that of a life of the key.
    fn place(
        &self,
        head: &SnapshotHead,
        counts: &[u64],
        sum: Option<&Life>,
        open_key: &OpenKey,
    ) -> Result<Placement> {
        let Self { run, store, .. } = *self;
        let is_of_it = |known: &Life| {
            known.address.as_ref() == Some(&self.address)
                && (known.build_group, known.structure, known.mode)
                    == (self.build_group, self.structure, self.mode)
                && open_key.may_be_of(known.id, self.process.as_ref())
        };
        let counts_of =
            |known: &Life| store.counts(known.id, counts.len())?.context("the counters of a life are gone");
        let (mut of_it, mut mixtures) = (Vec::new(), HashMap::new());
        for (index, known) in open_key.state.lives.iter().enumerate().filter(|(_, known)| is_of_it(known)) {
            if known.is_mixture {
                // A mixture that cannot be read says nothing about the snapshot, and stays as it is.
                let Ok(counts) = counts_of(known) else { continue };
                mixtures.insert(index, counts);
            }
            of_it.push(index);
        }
        let lives: Vec<LifeTimes> =
            of_it.iter().map(|&index| run.life_times(&open_key.state.lives[index])).collect();
        let capture = SnapshotCounts {
            started_at: head.process.map(|process| process.started_at),
            captured_at: head.captured_at,
            counts,
        };
        let doubt = &run.doubt;
        let is_in_doubt = doubt.concerns_any(&capture, &lives);
        let may_be_in = |sum: &&Life| is_in_doubt || snapshot::may_be_in_sum(&capture, sum.pulled_at);
        let summed = sum.filter(may_be_in).map(counts_of).transpose()?;
        let counts_of = |life: usize| match mixtures.get(&of_it[life]) {
            Some(counts) => Ok(counts.clone()),
            None => counts_of(&open_key.state.lives[of_it[life]]),
        };
        let placed = snapshot::place(self.mode, &lives, summed.as_deref(), &capture, doubt, counts_of)?;
        let place = match placed.place {
            SnapshotPlace::Joins(life, counts) => SnapshotPlace::Joins(of_it[life], counts),
            place => place,
        };
        let mixtures = placed.mixtures.into_iter().map(|(life, counts)| (of_it[life], counts));
        Ok(Placement { place, mixtures: mixtures.collect() })
    }

    /// Gives a life of the key these counters. One that is over stays for as long as if it were over now, because
    /// its process may be pulled again.
    fn moved(&self, index: usize, counts: &[u64], open_key: &mut OpenKey) -> Vec<Change> {
        let (mode, now) = (self.mode, self.run.now);
        let life = &mut open_key.state.lives[index];
        life.pulled_at = life.pulled_at.max(self.at);
        life.closed_at = life.closed_at.map(|_| now);
        let (id, at, counts) = (life.id, life.pulled_at, encode_counts(counts));
        let moved = Change::LifeMoved { id, mode, at, counts, answer: None };
        [moved].into_iter().chain(life.closed_at.map(|at| Change::LifeClosed(id, at))).collect()
    }

    /// Opens a life. If no later data of its address is stored, the open lives there end.
    fn opened(
        &self,
        id: LifeId,
        captured_at: DateTime<Utc>,
        counts: &[u64],
        entry: &KeyEntry,
        open_key: &mut OpenKey,
    ) -> Vec<Change> {
        let (address, at) = (&self.address, self.at);
        let here = |known: &Life| known.address.as_ref() == Some(address);
        // After this machine's clock went back, stored times can be later than now, so the snapshot's own time is
        // compared with them.
        let is_newest = open_key
            .state
            .lives
            .iter()
            .filter(|known| here(known) && !known.is_mixture)
            .all(|known| known.pulled_at <= captured_at);
        let mut changes = Vec::new();
        if is_newest {
            let open =
                open_key.state.lives.iter_mut().filter(|known| known.closed_at.is_none() && here(known));
            changes.extend(open.map(|known| {
                known.closed_at = Some(at);
                Change::LifeClosed(known.id, at)
            }));
        }
        // An address that no center lists is not asked again.
        let is_over = !is_newest || !entry.addresses().contains(address);
        changes.push(self.inserted(id, counts, is_over, open_key));
        changes
    }

    /// Inserts a life, which is over or goes on.
    fn inserted(&self, id: LifeId, counts: &[u64], is_over: bool, open_key: &mut OpenKey) -> Change {
        let Self { build_group, structure, mode, at, .. } = *self;
        // The closing time is not the time of the snapshot. An old snapshot would be folded at once, and a later pull of
        // its process would count it again.
        let closed_at = is_over.then_some(self.run.now);
        let (address, counts) = (Some(self.address.clone()), encode_counts(counts));
        open_key.state.lives.push(Life {
            id,
            build_group,
            structure,
            address: address.clone(),
            mode,
            opened_at: at,
            pulled_at: at,
            closed_at,
            is_mixture: false,
        });
        let answer = None;
        Change::LifeOpened { id, build_group, structure, address, mode, at, closed_at, counts, answer }
    }
}

pub(super) type Listings = HashMap<ServiceId, Vec<String>>;

/// Returns the addresses that are or were listed under each name, the latest first.
pub(super) fn listings(store: &Store) -> Result<Listings> {
    let mut all = store.listings()?;
    all.extend(store.targets()?);
    all.sort_by_key(|listing| std::cmp::Reverse((listing.listed, listing.listed_at)));
    let mut by_service = Listings::new();
    for listing in all {
        by_service.entry(listing.service).or_default().push(normal_form(&listing.address));
    }
    Ok(by_service)
}

/// Returns the address under which the process of a snapshot is known, or else its own address.
pub(super) fn address_of(
    head: &SnapshotHead,
    entry: &KeyEntry,
    listings: &Listings,
    open_key: &OpenKey,
) -> String {
    let named = |member: &&ServiceName| member.name == head.service;
    let (own, others): (Vec<_>, Vec<_>) = entry.members.iter().partition(named);
    let listed =
        own.into_iter().chain(others).flat_map(|member| listings.get(&member.id).into_iter().flatten());
    let stored = open_key.state.lives.iter().rev().filter_map(|known| known.address.as_ref());
    let mut seen = HashSet::new();
    let all: Vec<(&String, String, u16)> = listed
        .chain(stored)
        .filter(|address| seen.insert(*address))
        .filter_map(|address| host_and_port(address).ok().map(|(host, port)| (address, host, port)))
        .collect();
    let found = head.find(all.iter().map(|(address, host, port)| (address.as_str(), host.as_str(), *port)));
    found.map_or_else(|| normal_form(&head.own_address()), str::to_owned)
}
