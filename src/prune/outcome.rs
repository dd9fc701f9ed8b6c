//! The outcome of a run: a line for each address, and the figures of the whole.

use crate::collect::mending::Mended;
use crate::fleet::assembly::SilentCenter;
use crate::fleet::liveness::{Finding, Suspicion};
use crate::fleet::removal::{AddressAction, AddressDecision, RemovalPlan};
use crate::fleet::tombstone::Tombstone;
use crate::profile::Fingerprint;
use crate::prune::removal::{RemovalOutcome, RemovalRun};
use crate::prune::retention::RetentionRun;
use crate::prune::watch::RestoredAddress;

/// Everything that a run did, or would do.
#[derive(Default)]
pub(crate) struct PruneOutcome {
    /// The changes of the centers' lists; `None` where the lists were let alone.
    pub(crate) lists: Option<ListsOutcome>,
    /// The changes of the history; `None` where it was let alone.
    pub(crate) retention: Option<RetentionRun>,
    /// A signal ended the run.
    pub(crate) has_signal: bool,
    /// Stored profiles that were missing or damaged.
    pub(crate) mended: Mended,
    /// Stored values could not be read, or files not written again.
    pub(crate) is_damaged: bool,
}

/// Everything that a run did about the lists of the centers.
#[derive(Default)]
pub(crate) struct ListsOutcome {
    pub(crate) plan: RemovalPlan,
    pub(crate) removal: RemovalRun,
    pub(crate) silent: Vec<SilentCenter>,
    /// Addresses that came back while they were watched.
    pub(crate) restored: Vec<RestoredAddress>,
    /// The deadline ended the run before all was done.
    pub(crate) is_cut: bool,
}

impl ListsOutcome {
    /// Returns how many listed addresses nothing was learnt of.
    pub(crate) fn unasked(&self) -> usize {
        self.plan.decisions.iter().filter(|decision| decision.listed.probe.is_none()).count()
    }

    /// Tells whether something was not done that should have been.
    pub(crate) fn has_failures(&self) -> bool {
        self.removal.has_failures() || self.restored.iter().any(|restored| restored.error.is_some())
    }

    /// Returns a line for each address, in the order in which they are shown.
    pub(crate) fn lines(&self, is_dry_run: bool) -> Vec<AddressLine> {
        let decided = |decision| AddressLine::for_decision(decision, &self.removal);
        let mut lines: Vec<AddressLine> = self.plan.decisions.iter().map(decided).collect();
        if is_dry_run {
            lines.extend(self.plan.restores.iter().map(|it| AddressLine::for_restore(it, None)));
        }
        let back = self.removal.restored.iter().chain(&self.removal.dropped);
        lines.extend(back.map(|(tombstone, error)| AddressLine::for_restore(tombstone, Some(error))));
        let watched = self.restored.iter();
        lines.extend(watched.map(|it| AddressLine::for_restore(&it.tombstone, Some(&it.error))));
        lines
    }
}

/// The reason why something was left undone that was planned.
pub(crate) const NOT_TRIED: &str = "not tried, because the run broke off before";

/// An address, and what was or would be done about it.
pub(crate) struct AddressLine {
    pub(crate) center: String,
    pub(crate) address: String,
    pub(crate) services: Vec<String>,
    pub(crate) stale: Vec<String>,
    pub(crate) finding: Option<Finding>,
    pub(crate) detail: String,
    pub(crate) other_build: Option<Fingerprint>,
    pub(crate) suspicion: Option<Suspicion>,
    pub(crate) action: &'static str,
    /// `None` where nothing was to be done, or nothing is done in this run.
    pub(crate) result: Option<Result<&'static str, String>>,
}

impl AddressLine {
    fn for_decision(decision: &AddressDecision, removal: &RemovalRun) -> Self {
        let AddressDecision { listed, suspicion, action } = decision;
        let (action, stale) = match action {
            AddressAction::Keep => ("keep", &[][..]),
            AddressAction::KeepStale(renaming) => ("keep", &renaming.stale[..]),
            AddressAction::Rename(renaming) => ("rename", &renaming.stale[..]),
            AddressAction::Remove => ("remove", &[][..]),
            AddressAction::Hold => ("hold", &[][..]),
        };
        let place = (listed.center.clone(), listed.address.clone());
        let outcome = removal.outcomes.get(&place);
        let probed = listed.probe.as_ref().map(|probe| probe.detail.clone()).unwrap_or_default();
        Self {
            services: listed.names.iter().map(|name| name.service.clone()).collect(),
            stale: stale.to_vec(),
            finding: listed.probe.as_ref().map(|probe| probe.finding),
            detail: match outcome {
                Some(RemovalOutcome::Spared(why)) => why.clone(),
                _ => probed,
            },
            other_build: listed.other_build(),
            suspicion: suspicion.clone(),
            action,
            result: outcome.map(|outcome| match outcome {
                RemovalOutcome::Removed => Ok("removed"),
                RemovalOutcome::Renamed => Ok("renamed"),
                RemovalOutcome::Spared(_) => Ok("spared"),
                RemovalOutcome::Failed(error) => Err(error.clone()),
                RemovalOutcome::NotTried => Err(NOT_TRIED.to_owned()),
            }),
            center: place.0,
            address: place.1,
        }
    }

    fn for_restore(tombstone: &Tombstone, result: Option<&Option<String>>) -> Self {
        Self {
            center: tombstone.center.clone(),
            address: tombstone.address.clone(),
            services: vec![tombstone.service.clone()],
            stale: Vec::new(),
            finding: Some(Finding::Alive),
            detail: String::new(),
            other_build: None,
            suspicion: None,
            action: "restore",
            result: result.map(|error| error.clone().map_or(Ok("restored"), Err)),
        }
    }

    pub(crate) fn state(&self) -> &'static str {
        match (&self.suspicion, self.finding) {
            (Some(suspicion), _) if suspicion.is_dead => "dead",
            (Some(_), _) => "suspect",
            (None, Some(Finding::Alive)) => "alive",
            (None, _) => "unknown",
        }
    }

    /// Tells whether the only news is that the address serves another build.
    pub(crate) fn shows_other_build(&self) -> bool {
        self.other_build.is_some() && self.stale.is_empty() && self.state() == "alive"
    }

    pub(crate) fn is_not_tried(&self) -> bool {
        self.result.as_ref().is_some_and(|result| result.as_ref().is_err_and(|error| error == NOT_TRIED))
    }

    /// Tells whether there is anything to say about the address.
    pub(crate) fn is_news(&self) -> bool {
        self.action != "keep"
            || self.state() != "alive"
            || !self.stale.is_empty()
            || self.other_build.is_some()
    }

    /// Returns what was done, or would be, in a word.
    pub(crate) fn word(&self) -> &'static str {
        match (&self.result, self.action) {
            (Some(Ok(done)), _) => done,
            (Some(Err(_)), _) => "failed",
            (None, "hold") => "held back",
            (None, "keep") if !self.stale.is_empty() => "stale name",
            (None, "keep") if self.shows_other_build() => "other build",
            (None, "keep") => self.state(),
            (None, action) => action,
        }
    }
}
