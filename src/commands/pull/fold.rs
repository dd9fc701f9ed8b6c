//! Old closed generations become one sum a build, so that a crash loop does not grow without bound.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};

use crate::profile::{Merged, decode_counts, encode_counts};
use crate::store::{Allocator, Change, Generation, Store};

/// How many generations a run folds at most; the next one goes on.
const FOLDED_AT_ONCE: usize = 10_000;

/// Returns what lies so long ago; `None` where that is before all times.
pub(super) fn until(after: Duration, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    TimeDelta::from_std(after).ok().and_then(|after| now.checked_sub_signed(after))
}

/// Folds what was closed before `until`. What a key shows does not change by it.
pub(super) fn fold(
    store: &Store,
    allocator: &Allocator,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    mut apply: impl FnMut(&Change) -> Result<()>,
) -> Result<()> {
    let Some(until) = until else { return Ok(()) };
    let closed = store.closed_before(until, FOLDED_AT_ONCE)?;
    for alike in closed.chunk_by(|a, b| (a.edition, a.structure) == (b.edition, b.structure)) {
        let Generation { edition, structure, .. } = alike[0];
        let template = store.structure(structure)?;
        let build = template.build();
        let mut sum = Merged::new(Arc::clone(build));
        let before = store.folded(edition, structure)?;
        for generation in before.iter().chain(alike) {
            let Some(counts) = store.counts(generation.id)? else { continue };
            sum.add(generation.mode, build, &decode_counts(&counts, build.blocks().len())?)?;
        }
        let profile = sum.into_profile();
        let (mode, counts) = (profile.mode, encode_counts(&profile.counts));
        apply(&if let Some(before) = before {
            Change::GenerationMoved { id: before.id, mode, at: now, counts, answer: None }
        } else {
            let (id, address, at, answer) = (allocator.generation(), None, now, None);
            Change::GenerationOpened { id, edition, structure, address, mode, at, counts, answer }
        })?;
        for generation in alike {
            apply(&Change::GenerationFolded(generation.id))?;
        }
    }
    Ok(())
}
