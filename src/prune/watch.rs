//! The watch over removed addresses, which registers a process that only seemed dead again at once.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::fleet::probe::ProbeTarget;
use crate::fleet::tombstone::Tombstone;
use crate::fleet::watch::WatchStep;
use crate::io::center::ProbeEffort;
use crate::io::clock::{self, Stopwatch};
use crate::io::workdir::LockedWorkdir;
use crate::names::Naming;
use crate::parallel;
use crate::phrases::count;
use crate::prune::PruneInputs;
use crate::prune::probe::Prober;
use crate::prune::registration::register;

/// Interval at which the watch looks for due addresses.
const TICK: Duration = Duration::from_millis(50);

/// An address that came back.
#[derive(Clone, Debug)]
pub(crate) struct RestoredAddress {
    pub(crate) tombstone: Tombstone,
    /// The reason why it could not be registered again.
    pub(crate) error: Option<String>,
}

/// The result of the watch.
#[derive(Debug, Default)]
pub(crate) struct WatchResult {
    pub(crate) restored: Vec<RestoredAddress>,
    /// The deadline ended the watch before every address had all of its probes.
    pub(crate) is_cut: bool,
}

/// Calls `work` under the lock, while a thread watches the removed addresses that `work` sends.
///
/// The lock is released after the work, and the watch goes on until its end.
pub(crate) fn watch_while<T>(
    prober: &Prober<'_>,
    inputs: &PruneInputs<'_>,
    locked: LockedWorkdir,
    work: impl FnOnce(&LockedWorkdir, &Sender<Vec<Tombstone>>) -> Result<T>,
) -> (Result<T>, Result<WatchResult>) {
    let (removed, received) = channel::<Vec<Tombstone>>();
    let recheck: &[Duration] = if inputs.options.restore { &inputs.prune.recheck } else { &[] };
    let naming = inputs.naming;
    thread::scope(|scope| {
        // Without a thread, the watch begins after the lock is released.
        let watching = parallel::spawn(scope, move || Watch::new(prober, recheck, naming).run(&received));
        let worked = work(&locked, &removed);
        drop(locked);
        drop(removed);
        (worked, watching.join())
    })
}

struct WatchedAddress {
    tombstone: Tombstone,
    since: Stopwatch,
    probes: usize,
    error: Option<String>,
}

impl WatchedAddress {
    fn new(tombstone: Tombstone) -> Self {
        Self { tombstone, since: Stopwatch::start(), probes: 0, error: None }
    }
}

/// The state of the watch.
///
/// The watch stores nothing, because each address has a tombstone: the next run probes it again if this one ends early.
struct Watch<'a> {
    prober: &'a Prober<'a>,
    /// The times of the probes, counted from the removal.
    recheck: &'a [Duration],
    naming: &'a Naming,
    watched: Vec<WatchedAddress>,
    restored: Vec<RestoredAddress>,
}

impl<'a> Watch<'a> {
    fn new(prober: &'a Prober<'a>, recheck: &'a [Duration], naming: &'a Naming) -> Self {
        Self { prober, recheck, naming, watched: Vec::new(), restored: Vec::new() }
    }

    /// Probes each address that comes in, until no more can come and all had their probes.
    fn run(mut self, received: &Receiver<Vec<Tombstone>>) -> Result<WatchResult> {
        let mut is_open = true;
        loop {
            while is_open {
                match received.try_recv() {
                    Ok(tombstones) => self.add(tombstones),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => is_open = false,
                }
            }
            if self.prober.signals.received().is_some() {
                return Ok(self.end(false));
            }
            if self.prober.deadline.has_passed() {
                // The watch still receives removed addresses, so that the run knows whether it leaves some to the next
                // run.
                for tombstones in received {
                    self.add(tombstones);
                }
                let is_cut = self.watched.iter().any(|watched| watched.probes < self.recheck.len());
                return Ok(self.end(is_cut));
            }
            let due = self.take_due();
            if !due.is_empty() {
                self.probe(due)?;
            } else if !is_open && self.watched.is_empty() {
                return Ok(self.end(false));
            } else {
                self.show();
                let _ = clock::wait(TICK, self.prober.signals);
            }
        }
    }

    fn add(&mut self, tombstones: Vec<Tombstone>) {
        self.watched.extend(tombstones.into_iter().map(WatchedAddress::new));
    }

    fn end(self, is_cut: bool) -> WatchResult {
        WatchResult { restored: self.restored, is_cut }
    }

    /// Shows how many addresses are watched, and for how long.
    fn show(&self) {
        let last = self.recheck.last().copied().unwrap_or_default();
        let left = |watched: &WatchedAddress| last.saturating_sub(watched.since.elapsed()).as_secs();
        if let Some(seconds) = self.watched.iter().map(left).max() {
            self.prober.progress.show(|| {
                let addresses = count(self.watched.len(), "removed addresses");
                format!("{addresses} may answer again, watched for {seconds}s more")
            });
        }
    }

    /// Takes out the addresses that are due, and ends the watch of those that had all probes.
    fn take_due(&mut self) -> Vec<WatchedAddress> {
        let mut due = Vec::new();
        for watched in std::mem::take(&mut self.watched) {
            match WatchStep::new(watched.probes, watched.since.elapsed(), self.recheck) {
                WatchStep::Wait => self.watched.push(watched),
                WatchStep::Probe => due.push(watched),
                WatchStep::End => {
                    let WatchedAddress { tombstone, error, .. } = watched;
                    let failed = error.map(|error| RestoredAddress { tombstone, error: Some(error) });
                    self.restored.extend(failed);
                }
            }
        }
        due
    }

    /// Probes addresses, and registers again those that are back.
    fn probe(&mut self, due: Vec<WatchedAddress>) -> Result<()> {
        let target = |watched: &WatchedAddress| ProbeTarget::for_tombstone(&watched.tombstone, self.naming);
        let targets: Vec<ProbeTarget> = due.iter().map(target).collect();
        let Some(results) = self.prober.probe_all(&targets, ProbeEffort::Thorough)? else {
            self.watched.extend(due);
            return Ok(());
        };
        let (mut back, mut away) = (Vec::new(), Vec::new());
        for (watched, result) in due.into_iter().zip(results) {
            let is_back = watched.tombstone.is_back(&result, self.naming);
            if is_back { &mut back } else { &mut away }.push(watched);
        }
        let tombstones: Vec<&Tombstone> = back.iter().map(|watched| &watched.tombstone).collect();
        let errors = register(&self.prober.patient, &tombstones);
        for (watched, error) in back.into_iter().zip(errors) {
            match error {
                None => self.restored.push(RestoredAddress { tombstone: watched.tombstone, error: None }),
                Some(_) => away.push(WatchedAddress { error, ..watched }),
            }
        }
        self.watched
            .extend(away.into_iter().map(|watched| WatchedAddress { probes: watched.probes + 1, ..watched }));
        Ok(())
    }
}
