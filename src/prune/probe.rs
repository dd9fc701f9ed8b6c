//! The probes of addresses: many at the same time, several times each, before any lock is taken.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;

use crate::collect::whole_answer::profile_at;
use crate::fleet::liveness::{Finding, ProbeFinding};
use crate::fleet::probe::{BuildMatch, ProbeResult, ProbeTarget};
use crate::fleet::records::Key;
use crate::fleet::targets::AgentKind;
use crate::io::center::{Client, HttpError, ProbeEffort};
use crate::io::clock::{self, Deadline};
use crate::io::progress::StageProgress;
use crate::io::signals::Signals;
use crate::io::store::{Store, StoreError};
use crate::parallel::{self, in_parallel};
use crate::phrases::count;
use crate::profile::Build;

/// Number of addresses that each thread asks before failed ones are asked again, if the run has a deadline.
const TURNS_A_PART: usize = 8;

/// The sender of probes to addresses, and of requests to centers.
pub(crate) struct Prober<'a> {
    /// Client for probes, with short timeouts.
    pub(crate) quick: Client,
    /// Client for profiles and lists, with long timeouts.
    pub(crate) patient: Client,
    pub(crate) concurrency: usize,
    pub(crate) signals: &'a Signals,
    /// The end of all requests of the two clients.
    pub(crate) deadline: Deadline,
    /// The database, from which the builds that keys show are read; `None` when nothing was pulled yet.
    pub(crate) store: Option<Mutex<Store>>,
    pub(crate) progress: StageProgress,
}

impl Prober<'_> {
    /// Returns this prober with another deadline.
    pub(crate) fn until(self, deadline: Deadline) -> Self {
        Self { quick: self.quick.until(deadline), patient: self.patient.until(deadline), deadline, ..self }
    }

    /// Tells whether the run has to end now.
    pub(crate) fn is_over(&self) -> bool {
        self.signals.received().is_some() || self.deadline.has_passed()
    }

    /// Probes each target until an agent answers, with a pause before each further attempt.
    ///
    /// `None` stands for a target without an answer for which the end of the run left out attempts.
    pub(crate) fn probe_repeatedly(
        &self,
        targets: &[ProbeTarget],
        pauses: &[Duration],
    ) -> Result<Vec<Option<ProbeResult>>> {
        // When time is short, all attempts for a part of the addresses are better than one attempt for each.
        let part_len = match self.deadline.left() {
            Some(_) => self.concurrency.saturating_mul(TURNS_A_PART),
            None => targets.len(),
        };
        let mut results = Vec::with_capacity(targets.len());
        for part in targets.chunks(part_len.max(1)) {
            results.extend(self.probe_part_repeatedly(part, pauses)?);
        }
        Ok(results)
    }

    fn probe_part_repeatedly(
        &self,
        targets: &[ProbeTarget],
        pauses: &[Duration],
    ) -> Result<Vec<Option<ProbeResult>>> {
        // The last attempt is the thorough one, because it has the fewest addresses.
        let effort = |at: usize| if at == pauses.len() { ProbeEffort::Thorough } else { ProbeEffort::Quick };
        let mut results = self.probe_shown(targets, effort(0), "addresses")?;
        for (at, &pause) in pauses.iter().enumerate() {
            let is_failing = |&at: &usize| results[at].as_ref().is_some_and(|result| !result.is_alive());
            let failing: Vec<usize> = (0..results.len()).filter(is_failing).collect();
            if failing.is_empty() {
                break;
            }
            let pause = self.deadline.left().map_or(pause, |left| left.min(pause));
            self.progress.show(|| {
                let (addresses, pause) =
                    (count(failing.len(), "addresses"), humantime::format_duration(pause));
                format!("no answer from {addresses}, asked again in {pause}")
            });
            let _ = clock::wait(pause, self.signals);
            let again: Vec<ProbeTarget> = failing.iter().map(|&at| targets[at].clone()).collect();
            let again = self.probe_shown(&again, effort(at + 1), "addresses again")?;
            for (at, again) in failing.into_iter().zip(again) {
                let before = results[at].take();
                results[at] = before.zip(again).map(|(before, again)| ProbeResult {
                    probe: before.probe.milder(again.probe.clone()),
                    ..again
                });
            }
        }
        Ok(results)
    }

    /// Probes each target once; `None` if the run ended before all were asked.
    pub(crate) fn probe_all(
        &self,
        targets: &[ProbeTarget],
        effort: ProbeEffort,
    ) -> Result<Option<Vec<ProbeResult>>> {
        Ok(self.probe_each(targets, effort, &|| {})?.into_iter().collect())
    }

    /// Probes each target once, and shows the progress; `None` stands for a target that the end of the run left out.
    pub(crate) fn probe_shown(
        &self,
        targets: &[ProbeTarget],
        effort: ProbeEffort,
        what: &'static str,
    ) -> Result<Vec<Option<ProbeResult>>> {
        let asked = AtomicUsize::new(0);
        self.probe_each(targets, effort, &|| {
            let asked = asked.fetch_add(1, Ordering::Relaxed) + 1;
            self.progress.show(|| format!("asked {asked} of {} {what}", targets.len()));
        })
    }

    /// Probes each target once, and calls `when_asked` after each of them.
    fn probe_each(
        &self,
        targets: &[ProbeTarget],
        effort: ProbeEffort,
        when_asked: &(dyn Fn() + Sync),
    ) -> Result<Vec<Option<ProbeResult>>> {
        let results = in_parallel(
            targets,
            self.concurrency,
            |target| {
                let probed = self.probe(target, effort);
                when_asked();
                probed
            },
            || self.is_over(),
            || {
                // A deadline ends each request by itself, and its result still counts.
                if self.signals.received().is_some() {
                    self.quick.shutdown();
                    self.patient.shutdown();
                }
            },
        );
        results.into_iter().map(Option::transpose).collect()
    }

    fn probe(&self, target: &ProbeTarget, effort: ProbeEffort) -> Result<ProbeResult> {
        let mut probe = self.quick.probe(&target.address, effort);
        // An agent of the kind raw shows itself only at the paths of its files.
        if probe.finding == Finding::Silent
            && self
                .counters_paths(&target.address)?
                .iter()
                .any(|path| self.quick.serves_counters(&target.address, path))
        {
            probe = ProbeFinding::alive();
        }
        let mut result = ProbeResult { probe, build: None, matches: Vec::new() };
        if target.wants_build
            && result.is_alive()
            && let Some(build) = self.build_at(&target.address)
        {
            for key in &target.keys {
                result.matches.push((key.clone(), self.build_match(key, &build)?));
            }
            result.build = Some(build.fingerprint());
        }
        Ok(result)
    }

    /// Returns the paths below which an address serves counters as an agent raw.
    fn counters_paths(&self, address: &str) -> Result<Vec<String>, StoreError> {
        self.store.as_ref().map_or(Ok(Vec::new()), |store| parallel::lock(store).counters_paths(address))
    }

    /// Returns the build that an address serves; `None` if its profile cannot be read.
    fn build_at(&self, address: &str) -> Option<Arc<Build>> {
        let mut incoming = match self.patient.profile(address) {
            Ok(incoming) => incoming,
            Err(HttpError::Coverport) => {
                return Some(profile_at(&self.patient, address, &AgentKind::Coverport).ok()?.build);
            }
            Err(_) => return None,
        };
        // The digest is not used, so it needs no random seed.
        let parsed = incoming.parse(&[], None, 0).ok()?;
        Some(parsed.profile.build)
    }

    fn build_match(&self, key: &Key, build: &Build) -> Result<BuildMatch, StoreError> {
        let Some(store) = &self.store else { return Ok(BuildMatch::Unknown) };
        let store = parallel::lock(store);
        let mut templates = Vec::new();
        for structure in store.shown(key)? {
            match store.structure(structure) {
                // The next pull of the key reports the damage.
                Err(error) if error.is_of_one_value() => {}
                template => templates.push(template?),
            }
        }
        let shown: Vec<&Build> = templates.iter().map(|template| &**template.build()).collect();
        Ok(BuildMatch::new(build, &shown))
    }
}
