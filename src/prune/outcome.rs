//! The outcome of a run.

use crate::collect::mending::MendingOutcome;
use crate::fleet::removal::RemovalPlan;
use crate::fleet::services::SilentCenter;
use crate::io::store::Damage;
use crate::prune::removal::RemovalResults;
use crate::prune::retention::RetentionRun;
use crate::prune::watch::RestoredAddress;

/// All actions of a run, or of a dry run.
#[derive(Default)]
pub(crate) struct PruneOutcome {
    /// The changes of the centers' lists; `None` when the run left the lists alone.
    pub(crate) lists: Option<ListsOutcome>,
    /// The changes of the history; `None` when the run left it alone.
    pub(crate) retention: Option<RetentionRun>,
    /// A signal ended the run.
    pub(crate) has_signal: bool,
    /// Stored profiles that were missing or damaged.
    pub(crate) mended: MendingOutcome,
    /// Stored values that could not be read.
    pub(crate) damages: Vec<Damage>,
}

impl PruneOutcome {
    /// Tells whether stored values could not be read, or files not written again.
    pub(crate) fn is_damaged(&self) -> bool {
        !self.damages.is_empty() || !self.mended.lost().is_empty()
    }
}

/// All changes of the centers' lists.
#[derive(Default)]
pub(crate) struct ListsOutcome {
    pub(crate) plan: RemovalPlan,
    pub(crate) removal: RemovalResults,
    pub(crate) silent: Vec<SilentCenter>,
    /// Addresses that came back during the watch.
    pub(crate) restored: Vec<RestoredAddress>,
    /// The deadline ended the run early.
    pub(crate) is_cut: bool,
}

impl ListsOutcome {
    /// Returns the number of listed addresses without a result.
    pub(crate) fn unasked(&self) -> usize {
        self.plan.decisions.iter().filter(|decision| decision.listed.probe.is_none()).count()
    }

    /// Tells whether an action failed or was not tried.
    pub(crate) fn has_failures(&self) -> bool {
        self.removal.has_failures() || self.restored.iter().any(|restored| restored.error.is_some())
    }
}
