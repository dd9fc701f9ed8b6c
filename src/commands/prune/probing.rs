//! Asking addresses whether anybody is there: many at once, several times, before any lock is taken.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::center::{Client, Effort};
use crate::clock;
use crate::liveness::{Finding, Kinship, Probe};
use crate::parallel;
use crate::profile::{Build, Fingerprint};
use crate::signals::Signals;
use crate::store::{Key, Store, StoreError};

/// How often the waiting thread looks for a signal.
const TICK: Duration = Duration::from_millis(50);

/// An address to ask.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) address: String,
    /// What its data belongs to, by each name that it stands under.
    pub(super) keys: Vec<Key>,
    /// Its build is needed to tell which process it is, or which of its names are right.
    pub(super) wants_build: bool,
}

/// What was seen at an address.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) probe: Probe,
    /// What it serves, where that was looked at, and how that stands to each key.
    pub(super) build: Option<Fingerprint>,
    pub(super) kinships: Vec<(Key, Kinship)>,
}

impl Sighting {
    /// Returns how what it serves stands to a key; `None` where nobody looked.
    pub(super) fn kinship(&self, key: &Key) -> Option<Kinship> {
        self.kinships.iter().find(|(known, _)| known == key).map(|(_, kinship)| *kinship)
    }
}

/// Asks addresses.
pub(super) struct Prober<'a> {
    /// Gives up early.
    pub(super) quick: &'a Client,
    /// Has the patience that a profile takes.
    pub(super) patient: &'a Client,
    pub(super) concurrency: usize,
    pub(super) signals: &'a Signals,
    /// For the builds that keys show; `None` where nothing was pulled yet.
    pub(super) store: Option<Mutex<Store>>,
}

impl Prober<'_> {
    /// Asks each target until an agent answers, with a pause before each further attempt.
    ///
    /// `None` where a signal ended it.
    pub(super) fn survey(&self, targets: &[Target], pauses: &[Duration]) -> Result<Option<Vec<Sighting>>> {
        // One attempt is to be thorough, and the last one is made at the fewest addresses.
        let effort = |at: usize| if at == pauses.len() { Effort::Thorough } else { Effort::Quick };
        let Some(mut seen) = self.look(targets, effort(0))? else { return Ok(None) };
        for (at, &pause) in pauses.iter().enumerate() {
            let failing: Vec<usize> =
                (0..seen.len()).filter(|&at| seen[at].probe.finding != Finding::Alive).collect();
            if failing.is_empty() {
                break;
            }
            if clock::wait(pause, self.signals).is_some() {
                return Ok(None);
            }
            let again: Vec<Target> = failing.iter().map(|&at| targets[at].clone()).collect();
            let Some(again) = self.look(&again, effort(at + 1))? else { return Ok(None) };
            for (at, again) in failing.into_iter().zip(again) {
                let before = std::mem::replace(&mut seen[at], again);
                seen[at].probe = before.probe.milder(seen[at].probe.clone());
            }
        }
        Ok(Some(seen))
    }

    /// Asks each target once; `None` where a signal ended it.
    pub(super) fn look(&self, targets: &[Target], effort: Effort) -> Result<Option<Vec<Sighting>>> {
        let work = |target: &Target| self.sight(target, effort);
        let seen = in_parallel(
            targets,
            self.concurrency,
            work,
            || self.signals.received().is_some(),
            || {
                self.quick.shutdown();
                self.patient.shutdown();
            },
        );
        match seen {
            Some(seen) => Ok(Some(seen.into_iter().collect::<Result<_>>()?)),
            None => Ok(None),
        }
    }

    fn sight(&self, target: &Target, effort: Effort) -> Result<Sighting> {
        let probe = self.quick.probe(&target.address, effort);
        let mut sighting = Sighting { probe, build: None, kinships: Vec::new() };
        if target.wants_build
            && sighting.probe.finding == Finding::Alive
            && let Some(build) = self.build_at(&target.address)
        {
            for key in &target.keys {
                sighting.kinships.push((key.clone(), self.kinship(key, &build)?));
            }
            sighting.build = Some(build.fingerprint());
        }
        Ok(sighting)
    }

    /// Returns the build that an address serves; `None` where its profile cannot be read.
    fn build_at(&self, address: &str) -> Option<Arc<Build>> {
        let mut incoming = self.patient.profile(address).ok()?;
        // Its imprint is thrown away, so no seed is drawn.
        let understood = incoming.understand(&[], None, 0).ok()?;
        Some(understood.profile.build)
    }

    fn kinship(&self, key: &Key, build: &Build) -> Result<Kinship, StoreError> {
        let Some(store) = &self.store else { return Ok(Kinship::Unknown) };
        let store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut templates = Vec::new();
        for structure in store.shown(key)? {
            templates.push(store.structure(structure)?);
        }
        let shown: Vec<&Build> = templates.iter().map(|template| &**template.build()).collect();
        Ok(Kinship::of(build, &shown))
    }
}

/// Does some work for each item on so many threads; returns what came of each, in the items' order.
///
/// Once `is_stopped`, `break_off` ends what is under way, nothing more is begun, and `None` comes back.
pub(super) fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
    is_stopped: impl Fn() -> bool,
    break_off: impl Fn(),
) -> Option<Vec<R>> {
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let (results, inbox) = mpsc::channel();
    let mut done: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let do_next = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        items.get(at).map(|item| (at, work(item)))
    };
    thread::scope(|scope| {
        let (do_next, stopped) = (&do_next, &stopped);
        let worker = move || {
            while !stopped.load(Ordering::Relaxed)
                && let Some(result) = do_next()
            {
                // The receiver lives until the last sender is gone.
                let _ = results.send(result);
            }
        };
        if parallel::begin_workers(scope, threads.min(items.len()), &worker) == 0 {
            while !is_stopped()
                && let Some((at, result)) = do_next()
            {
                done[at] = Some(result);
            }
        }
        drop(worker);
        loop {
            match inbox.recv_timeout(TICK) {
                Ok((at, result)) => done[at] = Some(result),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if is_stopped() && !stopped.swap(true, Ordering::Relaxed) {
                break_off();
            }
        }
    });
    if stopped.into_inner() { None } else { done.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::testing::with_threads;

    #[test]
    fn what_is_done_in_parallel_comes_back_in_order() {
        let items: Vec<usize> = (0..1000).collect();
        let doubled = in_parallel(&items, 8, |item| item * 2, || false, || ());
        assert_eq!(doubled, Some(items.iter().map(|item| item * 2).collect()));
        assert_eq!(in_parallel(&[0_usize; 0], 8, |item| *item, || false, || ()), Some(vec![]));
    }

    #[test]
    fn without_a_single_further_thread_the_calling_one_does_all() {
        let items: Vec<usize> = (0..100).collect();
        let doubled = with_threads(0, || in_parallel(&items, 8, |item| item * 2, || false, || ()));
        assert_eq!(doubled, Some(items.iter().map(|item| item * 2).collect()));
        let stopped = with_threads(0, || in_parallel(&items, 8, |item| item * 2, || true, || ()));
        assert_eq!(stopped, None);
    }

    #[test]
    fn once_stopped_nothing_more_is_begun() {
        let items: Vec<usize> = (0..1000).collect();
        let is_broken_off = AtomicBool::new(false);
        let begun = AtomicUsize::new(0);
        let work = |_: &usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            while !is_broken_off.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        };
        let done = in_parallel(&items, 4, work, || true, || is_broken_off.store(true, Ordering::Relaxed));
        assert_eq!((done, begun.into_inner()), (None, 4));
    }
}
