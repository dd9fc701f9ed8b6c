//! The upkeep of the root: what a pull tidies up before it begins, and what it deletes, folds and repairs at its end.

use anyhow::Result;

use crate::collect::fold;
use crate::collect::inbox;
use crate::collect::mending::{CheckDepth, MendingOutcome, mend};
use crate::collect::pull::{PullInputs, PullRequest};
use crate::collect::run::Adapters;
use crate::fleet::change::Change;
use crate::fleet::ids::IdSource;
use crate::fleet::services::Fleet;
use crate::io::store::Writer;
use crate::io::workdir::{Swept, WorkdirError};

/// The result of tidying up the root before the run.
pub(crate) struct TidiedRoot {
    /// Files that other users can read or lock; empty after [`remember_told`] stored that they were reported.
    pub(crate) open_to_others: Vec<String>,
    /// Scratch files that could not be removed.
    pub(crate) scratch_left: Vec<WorkdirError>,
    /// Files that an aborted run left.
    pub(crate) swept: Option<Swept>,
}

/// Removes files that earlier runs left, and looks for files that are open to others.
pub(crate) fn tidy(inputs: &PullInputs<'_>) -> Result<TidiedRoot> {
    let Adapters { locked, store, now, .. } = inputs.adapters;
    let open_to_others = open_to_others(inputs)?;
    let scratch_left = locked.sweep_scratch()?;
    let swept =
        if store.last_run_ended()? { None } else { Some(locked.sweep(&store.row_files()?, None, now)?) };
    Ok(TidiedRoot { open_to_others, scratch_left, swept })
}

/// The topic of the message about files that are open to others.
const OPEN_TO_OTHERS: &str = "open to others";

/// Returns the files in the root that other users can read or lock, until a run has reported them. An earlier release
/// created them so, and modes of existing files are not changed.
fn open_to_others(inputs: &PullInputs<'_>) -> Result<Vec<String>> {
    let Adapters { locked, store, .. } = inputs.adapters;
    if store.is_told(OPEN_TO_OTHERS)? { Ok(Vec::new()) } else { Ok(locked.open_to_others()?) }
}

/// Stores that the files that are open to others were reported, so that later runs do not report them again.
pub(crate) fn remember_told(inputs: &PullInputs<'_>, tidied: &TidiedRoot) -> Result<()> {
    if tidied.open_to_others.is_empty() {
        return Ok(());
    }
    let Adapters { locked, store, now, .. } = inputs.adapters;
    let mut writer = store.writer(locked.proof());
    writer.apply(&Change::Told(OPEN_TO_OTHERS.to_owned(), now))?;
    Ok(writer.commit()?)
}

/// Deletes names and snapshots that are no longer needed, folds old lives, and repairs stored profiles.
pub(super) fn maintain(
    inputs: &PullInputs<'_>,
    request: &PullRequest<'_>,
    fleet: &Fleet,
    ids: &IdSource,
    writer: &mut Writer<'_>,
) -> Result<MendingOutcome> {
    let Adapters { store, locked, now, .. } = inputs.adapters;
    if request.services.is_empty() {
        fleet.forget_never_pulled().iter().try_for_each(|change| writer.apply(change))?;
    }
    let until = fold::until(inputs.config.pull.fold_after, now);
    fold::fold(store, ids, until, |change| Ok(writer.apply(change)?))?;
    let (files, processes) = (now - inbox::REMEMBERED, now - inbox::PROCESSES_REMEMBERED);
    writer.apply(&Change::SnapshotsForgotten { files, processes })?;
    writer.apply(&Change::LeftMetasForgotten(now - inbox::REMEMBERED))?;
    let depth = if request.is_forced { CheckDepth::Content } else { CheckDepth::Size };
    Ok(mend(store, locked, depth, || inputs.is_over(), |change| writer.apply(change)))
}
