//! Looking after what was removed: a process that only seemed dead is registered again at once.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use anyhow::Result;

use crate::address::normal_form;
use crate::fleet::assembly::key_and_branch;
use crate::fleet::removal::Tombstone;
use crate::io::center::Effort;
use crate::io::clock::{self, Stopwatch};
use crate::names::Naming;
use crate::prune::lists::is_back;
use crate::prune::probing::{Prober, Target};
use crate::prune::registering::register;

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_millis(50);

/// An address that came back.
#[derive(Clone, Debug)]
pub(crate) struct Restored {
    pub(crate) tombstone: Tombstone,
    /// Why it could not be registered again.
    pub(crate) error: Option<String>,
}

/// The result of the watch.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) restored: Vec<Restored>,
    /// The deadline ended it before all was looked after.
    pub(crate) is_cut: bool,
}

struct Removed {
    tombstone: Tombstone,
    since: Stopwatch,
    looks: usize,
    error: Option<String>,
}

impl Removed {
    fn new(tombstone: Tombstone) -> Self {
        Self { tombstone, since: Stopwatch::start(), looks: 0, error: None }
    }
}

/// Probes each address that comes in so long after its removal, in the background of further removals.
///
/// Writes nothing down: whoever is cut off here has a tombstone, and the next run looks again.
pub(crate) fn watch(
    inbox: &Receiver<Vec<Tombstone>>,
    prober: &Prober<'_>,
    recheck: &[Duration],
    naming: &Naming,
) -> Result<Watched> {
    let mut restored = Vec::new();
    let mut watched: Vec<Removed> = Vec::new();
    let mut is_open = true;
    loop {
        while is_open {
            match inbox.try_recv() {
                Ok(tombstones) => watched.extend(tombstones.into_iter().map(Removed::new)),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => is_open = false,
            }
        }
        if prober.signals.received().is_some() {
            return Ok(Watched { restored, is_cut: false });
        }
        if prober.deadline.has_passed() {
            // Until nothing more can come, so that the run knows whether it leaves anything to the next one.
            watched.extend(inbox.iter().flatten().map(Removed::new));
            let is_cut = watched.iter().any(|removed| removed.looks < recheck.len());
            return Ok(Watched { restored, is_cut });
        }
        let is_due = |removed: &Removed| {
            recheck.get(removed.looks).is_none_or(|after| removed.since.elapsed() >= *after)
        };
        let (due, later): (Vec<Removed>, Vec<Removed>) = watched.into_iter().partition(is_due);
        watched = later;
        let (due, over): (Vec<Removed>, Vec<Removed>) =
            due.into_iter().partition(|removed| removed.looks < recheck.len());
        restored.extend(over.into_iter().filter_map(|removed| {
            removed.error.map(|error| Restored { tombstone: removed.tombstone, error: Some(error) })
        }));
        if due.is_empty() {
            if !is_open && watched.is_empty() {
                return Ok(Watched { restored, is_cut: false });
            }
            let _ = clock::wait(TICK, prober.signals);
            continue;
        }
        let targets: Vec<Target> = due.iter().map(|removed| target(&removed.tombstone, naming)).collect();
        let Some(seen) = prober.look(&targets, Effort::Thorough)? else {
            watched.extend(due);
            continue;
        };
        let (mut back, mut gone) = (Vec::new(), Vec::new());
        for (removed, sighting) in due.into_iter().zip(seen) {
            if is_back(&removed.tombstone, &sighting, naming) { &mut back } else { &mut gone }.push(removed);
        }
        let tombstones: Vec<&Tombstone> = back.iter().map(|removed| &removed.tombstone).collect();
        let errors = register(&prober.patient, &tombstones);
        for (removed, error) in back.into_iter().zip(errors) {
            match error {
                None => restored.push(Restored { tombstone: removed.tombstone, error: None }),
                Some(_) => gone.push(Removed { error, ..removed }),
            }
        }
        watched.extend(gone.into_iter().map(|removed| Removed { looks: removed.looks + 1, ..removed }));
    }
}

/// Returns what to ask to find out whether a process is back.
pub(crate) fn target(tombstone: &Tombstone, naming: &Naming) -> Target {
    let (key, _) = key_and_branch(naming, &tombstone.service);
    Target { address: normal_form(&tombstone.address), keys: vec![key], wants_build: true }
}
