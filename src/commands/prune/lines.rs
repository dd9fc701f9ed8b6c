//! The lines that `prune` prints, each with an address and the action of the run or the dry run.

use crate::fleet::liveness::{Finding, Suspicion};
use crate::fleet::removal::{AddressAction, AddressDecision};
use crate::fleet::service_state::{ListedAddressState, ServiceState};
use crate::fleet::tombstone::Tombstone;
use crate::profile::Fingerprint;
use crate::prune::outcome::ListsOutcome;
use crate::prune::removal::{RemovalOutcome, RemovalResults};

/// Returns a line for each address, in the order in which they are shown.
pub(super) fn lines(lists: &ListsOutcome, is_dry_run: bool) -> Vec<AddressLine> {
    let decided = |decision| AddressLine::for_decision(decision, &lists.removal);
    let mut lines: Vec<AddressLine> = lists.plan.decisions.iter().map(decided).collect();
    if is_dry_run {
        lines.extend(lists.plan.restores.iter().map(|it| AddressLine::for_restore(it, None)));
    }
    let back = lists.removal.restored.iter().chain(&lists.removal.dropped);
    lines.extend(back.map(|(tombstone, error)| AddressLine::for_restore(tombstone, Some(error))));
    let watched = lists.restored.iter();
    lines.extend(watched.map(|it| AddressLine::for_restore(&it.tombstone, Some(&it.error))));
    lines
}

/// The reason for a planned action that was not tried.
pub(super) const NOT_TRIED: &str = "not tried, because the run ended early";

/// An address with the action of the run or the dry run.
pub(super) struct AddressLine {
    pub(super) center: String,
    pub(super) address: String,
    pub(super) services: Vec<String>,
    pub(super) stale: Vec<String>,
    pub(super) finding: Option<Finding>,
    pub(super) detail: String,
    pub(super) other_build: Option<Fingerprint>,
    pub(super) suspicion: Option<Suspicion>,
    pub(super) action: &'static str,
    /// The result of the action; `None` without an action, or in a dry run.
    pub(super) result: Option<Result<&'static str, String>>,
}

impl AddressLine {
    fn for_decision(decision: &AddressDecision, removal: &RemovalResults) -> Self {
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

    pub(super) fn state(&self) -> &'static str {
        match (&self.suspicion, self.finding) {
            (Some(suspicion), _) => ListedAddressState::from_suspicion(suspicion).word(),
            (None, Some(Finding::Alive)) => "alive",
            (None, _) => "unknown",
        }
    }

    /// Tells whether the only news is that the address serves another build.
    pub(super) fn shows_other_build(&self) -> bool {
        self.other_build.is_some() && self.stale.is_empty() && self.state() == "alive"
    }

    pub(super) fn is_not_tried(&self) -> bool {
        self.result.as_ref().is_some_and(|result| result.as_ref().is_err_and(|error| error == NOT_TRIED))
    }

    /// Tells whether the address has a state or an action to print.
    pub(super) fn is_news(&self) -> bool {
        self.action != "keep"
            || self.state() != "alive"
            || !self.stale.is_empty()
            || self.other_build.is_some()
    }

    /// Returns the result or the planned action in a word.
    pub(super) fn word(&self) -> &'static str {
        match (&self.result, self.action) {
            (Some(Ok(done)), _) => done,
            (Some(Err(_)), _) => "failed",
            (None, "hold") => "held back",
            (None, "keep") if !self.stale.is_empty() => ServiceState::StaleName.phrase(),
            (None, "keep") if self.shows_other_build() => ServiceState::OtherBuild.phrase(),
            (None, "keep") => self.state(),
            (None, action) => action,
        }
    }
}
