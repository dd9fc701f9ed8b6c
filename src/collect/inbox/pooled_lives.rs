//! The lives of a process that left files, where they may be those of pulled lives.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::Result;

use super::folder::FolderReader;
use super::kept_counts::KeptCounts;
use super::left_process::{LeftLives, OpenProcess, hash};
use crate::fleet::change::Change;
use crate::fleet::ids::{IdSource, LifeId};
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

    /// Returns the stored rest with the counts of files that nothing stored may hold already; `None` if there are no such
    /// counts, or no file gave way to another. `counted` is the sum of the process's stored lives.
    fn grown_rest(&mut self, process: &OpenProcess, counted: &[u64]) -> Result<Option<Vec<u64>>> {
        if process.snapshots.rest().is_none() {
            return Ok(None);
        }
        let (store, total) = (self.reader.store, process.snapshots.total());
        let mut rest = match process.rest {
            Some((id, _)) => store.counts(id, total.len())?.unwrap_or_default(),
            None => vec![0; total.len()],
        };
        let mut unheld = beyond(&beyond(total, counted), &rest);
        for &life in &process.pulled {
            let kept = self.key.as_mut().map(|key| &mut key.counts);
            let pulled = counts_of(store, kept, life, total.len())?;
            unheld = beyond(&unheld, pulled.as_deref().unwrap_or_default());
        }
        let is_own = |id: LifeId| process.stored.iter().chain(&process.rest).any(|(own, _)| *own == id);
        let open_key = self.reader.open_key(process.entry, &mut self.cache.open)?;
        let key = self.key.as_ref();
        let others = open_key.state.lives.iter().filter(|life| {
            let is_pooled = key.is_some_and(|key| key.owners.contains_key(&life.id));
            is_pooled && life.structure == process.structure && !is_own(life.id)
        });
        for life in others {
            unheld = beyond(&unheld, &store.counts(life.id, total.len())?.unwrap_or_default());
        }
        if unheld.iter().all(|count| *count == 0) {
            return Ok(None);
        }
        add_all(&mut rest, &unheld);
        Ok(Some(rest))
    }

    /// Stores the lives of a process beside those of pulled ones. The end of the pull decides how much of their counters is
    /// counted beside these, and the rest of the process. The part that was counted before stays until then.
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
        let grown_rest = self.grown_rest(process, &counted)?;
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
        if let Some(key) = &mut self.key {
            left.join_rest(grown_rest, &mut key.owners, &new_owners, run.ids);
        }
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

impl LeftLives<'_> {
    /// Adds counts to the rest of the process, and notes with it which pulled lives may have a part of them. Pulled
    /// lives that had a part of a left life before are noted, too: their later counts may be counted already, in a left
    /// life that took the place of another.
    fn join_rest(
        &mut self,
        grown_rest: Option<Vec<u64>>,
        owners: &mut HashMap<LifeId, Vec<LifeId>>,
        now: &[(LifeId, Vec<LifeId>)],
        ids: &IdSource,
    ) {
        let process = self.process;
        let is_kept = |owner: &&LifeId| now.iter().any(|(_, owners)| owners.contains(owner));
        let had = process.stored.iter().filter_map(|(id, _)| owners.get(id)).flatten();
        let mut all: BTreeSet<LifeId> = had.filter(|owner| !is_kept(owner)).copied().collect();
        if grown_rest.is_some() {
            all.extend(&process.pulled);
        }
        if all.is_empty() {
            return;
        }
        let none = vec![0; process.snapshots.total().len()];
        let rest = match (process.rest, grown_rest) {
            (Some((id, _)), Some(counts)) => {
                self.moved(id, &counts);
                id
            }
            (Some((id, _)), None) => id,
            (None, counts) => {
                let id = ids.life();
                self.opened(id, encode_counts(counts.as_ref().unwrap_or(&none)), true);
                id
            }
        };
        all.extend(owners.remove(&rest).unwrap_or_default());
        let all: Vec<LifeId> = all.into_iter().collect();
        let counts = encode_counts(&none);
        self.changes.push(Change::LeftCounts { life: rest, counts, owners: all.clone() });
        owners.insert(rest, all);
    }
}
