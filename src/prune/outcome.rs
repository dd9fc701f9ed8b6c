//! The outcome of a run.

use crate::collect::mending::Mended;
use crate::fleet::removal::RemovalPlan;
use crate::fleet::services::SilentCenter;
use crate::io::store::Damage;
use crate::prune::removal::RemovalRun;
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
    /// Stored values that could not be read.
    pub(crate) damages: Vec<Damage>,
}

impl PruneOutcome {
    /// Tells whether stored values could not be read, or files not written again.
    pub(crate) fn is_damaged(&self) -> bool {
        !self.damages.is_empty() || !self.mended.lost().is_empty()
    }
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
}
