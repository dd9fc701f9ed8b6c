//! The lives of a process that left files, where they may be those of pulled lives.

use std::sync::Arc;

use anyhow::Result;

use super::folder::FolderReader;
use super::kept_counts::KeptCounts;
use super::left_process::{LeftLives, OpenProcess, hash};
use crate::fleet::change::Change;
use crate::fleet::ids::LifeId;
use crate::fleet::left_pool::may_be_of;
use crate::fleet::snapshot::beyond;
use crate::io::store::Store;
use crate::profile::{add_all, encode_counts};

/// Reads the counters of a pulled life, unless they are kept.
pub(super) fn counts_of(
    store: &Store,
    kept: Option<&mut KeptCounts>,
    life: LifeId,
    blocks: usize,
) -> Result<Option<Arc<[u64]>>> {
    let read = || store.counts(life, blocks);
    Ok(match kept {
        Some(kept) => kept.of(life, read)?,
        None => read()?.map(Arc::from),
    })
}

impl FolderReader<'_, '_, '_, '_> {
    /// Returns the pulled lives that may have counters of each life of a process.
    pub(super) fn owners_of(&mut self, process: &OpenProcess) -> Result<Vec<Vec<LifeId>>> {
        let mut all = Vec::new();
        for counts in process.snapshots.lives() {
            let hash = hash(counts);
            let stored = process.stored.iter().find(|(_, stored)| *stored == hash);
            let known = stored.and_then(|(id, _)| self.key.as_ref()?.owners.get(id));
            if let Some(known) = known {
                all.push(known.clone());
                continue;
            }
            let mut owners = Vec::new();
            for &life in &process.pulled {
                let kept = self.key.as_mut().map(|key| &mut key.counts);
                let pulled = counts_of(self.reader.store, kept, life, counts.len())?;
                if pulled.is_some_and(|pulled| may_be_of(process.mode, counts, &pulled)) {
                    owners.push(life);
                }
            }
            all.push(owners);
        }
        Ok(all)
    }

    /// Stores the lives of a process beside those of pulled ones. The end of the pull decides how much of their counters is
    /// counted beside these. The part that was counted before stays until then.
    pub(super) fn pooled_changes(
        &mut self,
        process: &OpenProcess,
        owners: Vec<Vec<LifeId>>,
    ) -> Result<Vec<Change>> {
        let (run, store) = (self.reader.run, self.reader.store);
        let blocks = process.snapshots.total().len();
        let mut counted = vec![0_u64; blocks];
        for (id, _) in &process.stored {
            add_all(&mut counted, &store.counts(*id, blocks)?.unwrap_or_default());
        }
        let rest = process.snapshots.rest();
        let rest_before = match process.rest {
            Some((id, _)) => store.counts(id, blocks)?.unwrap_or_default(),
            None => vec![0; blocks],
        };
        // The rest holds counts that a life had before.
        let mut counted = beyond(&counted, &beyond(rest.as_deref().unwrap_or_default(), &rest_before));
        let at = process.last_written_at().unwrap_or(run.now);
        let open_key = self.reader.open_key(process.entry, &mut self.cache.open)?;
        let mut left = LeftLives { process, open_key, at, now: run.now, changes: Vec::new() };
        let mut ids = process.stored.iter().map(|(id, _)| *id);
        let mut new_owners = Vec::new();
        for (counts, owners) in process.snapshots.lives().iter().zip(owners) {
            let surplus = std::mem::replace(&mut counted, vec![0; blocks]);
            let id = match ids.next() {
                Some(id) => {
                    left.moved(id, &surplus);
                    id
                }
                None => {
                    let id = run.ids.life();
                    left.opened(id, encode_counts(&surplus), false);
                    id
                }
            };
            let counts = encode_counts(counts);
            left.changes.push(Change::LeftCounts { life: id, counts, owners: owners.clone() });
            new_owners.push((id, owners));
        }
        ids.for_each(|id| left.removed(id));
        left.rest_is(rest, run.ids);
        let mut changes = left.changes;
        // A file that only one process can have written is later than the answers that it has seen.
        if let (Some(key), [(_, owners)]) = (&mut self.key, &*new_owners)
            && let [owner] = owners[..]
            && let Some(written_at) = process.last_written_at()
        {
            let read_again = key.read_again(owner, written_at);
            changes.extend(read_again.map(|process| Change::ProcessOf(owner, process)));
        }
        if let Some(key) = &mut self.key {
            key.owners.extend(new_owners);
        }
        self.index(process, &changes)?;
        Ok(changes)
    }
}
