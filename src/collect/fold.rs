//! The folding of old closed lives into one sum for each build, so that a crash loop does not fill the database.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};

use crate::fleet::change::Change;
use crate::fleet::ids::{IdSource, StructureId};
use crate::fleet::records::Life;
use crate::io::store::{Store, StoreError};
use crate::profile::{ProfileSum, encode_counts};

/// Largest number of lives that a run folds; the next run folds the rest.
const FOLDED_AT_ONCE: usize = 10_000;

/// Returns the time that is `after` before `now`; `None` when it cannot be represented.
pub(crate) fn until(after: Duration, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    TimeDelta::from_std(after).ok().and_then(|after| now.checked_sub_signed(after))
}

/// Folds lives that were closed before `until`. The counts that a key shows stay the same.
pub(crate) fn fold(
    store: &Store,
    ids: &IdSource,
    until: Option<DateTime<Utc>>,
    mut apply: impl FnMut(&Change) -> Result<()>,
) -> Result<()> {
    let Some(until) = until else { return Ok(()) };
    let closed = store.closed_before(until, FOLDED_AT_ONCE)?;
    for alike in closed.chunk_by(|a, b| (a.build_group, a.structure) == (b.build_group, b.structure)) {
        let Life { build_group, structure, .. } = alike[0];
        let folded = store.folded(build_group, structure).and_then(|before| {
            let sum = sum_of(before.iter().chain(alike), structure, store)?;
            Ok((before, sum.into_profile()))
        });
        let (before, profile) = match folded {
            // Lives that cannot be read stay as they are.
            Err(error) if error.is_of_one_value() => {
                store.note_damage(build_group, &error)?;
                continue;
            }
            folded => folded?,
        };
        let (mode, counts, answer) = (profile.mode, encode_counts(&profile.counts), None);
        let at = before.iter().chain(alike).map(last_seen).fold(last_seen(&alike[0]), Ord::max);
        apply(&if let Some(before) = before {
            Change::LifeMoved { id: before.id, mode, at, counts, answer }
        } else {
            let (id, address, closed_at) = (ids.life(), None, None);
            Change::LifeOpened { id, build_group, structure, address, mode, at, closed_at, counts, answer }
        })?;
        for life in alike {
            apply(&Change::LifeFolded(life.id))?;
        }
    }
    Ok(())
}

/// Returns the latest time at which a life may have counted. A sum of an earlier release has the later time of
/// its folding instead.
fn last_seen(life: &Life) -> DateTime<Utc> {
    life.closed_at.map_or(life.pulled_at, |closed_at| closed_at.max(life.pulled_at))
}

/// Adds lives of one structure.
fn sum_of<'g>(
    lives: impl Iterator<Item = &'g Life>,
    structure: StructureId,
    store: &Store,
) -> Result<ProfileSum, StoreError> {
    let template = store.structure(structure)?;
    let build = template.build();
    let mut sum = ProfileSum::new(Arc::clone(build));
    for life in lives {
        if let Some(counts) = store.counts(life.id, build.blocks().len())? {
            sum.add(life.mode, build, &counts).expect("all are of one build");
        }
    }
    Ok(sum)
}
