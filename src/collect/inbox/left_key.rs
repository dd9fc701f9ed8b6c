//! The lives of a key, found by the processes that left them, and the pulled lives that may be of such a process.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::kept_counts::KeptCounts;
use crate::collect::open_key::OpenKey;
use crate::fleet::ids::LifeId;
use crate::fleet::left_process::{LeftProcess, is_left, may_be_pulled};
use crate::fleet::process::Process;
use crate::fleet::records::Life;
use crate::memory::Memory;

/// The lives of a key by the processes that left them, so that one is found among very many.
pub(super) struct LeftKey {
    pub(super) entry: usize,
    /// Indices among the lives of the key.
    lives: HashMap<String, Vec<usize>>,
    /// The processes of pulled lives.
    pulled: HashMap<LifeId, Process>,
    /// The counters of pulled lives.
    pub(super) counts: KeptCounts,
    /// The pulled lives that may have a part of left lives.
    pub(super) owners: HashMap<LifeId, Vec<LifeId>>,
}

impl LeftKey {
    pub(super) fn new(
        entry: usize,
        open_key: &OpenKey,
        (pulled, owners): (HashMap<LifeId, Process>, HashMap<LifeId, Vec<LifeId>>),
        memory: &Arc<Memory>,
    ) -> Self {
        let (lives, counts) = (HashMap::new(), KeptCounts::new(memory));
        let mut key = Self { entry, lives, pulled, counts, owners };
        key.index_all(open_key);
        key
    }

    fn index_all(&mut self, open_key: &OpenKey) {
        self.lives.clear();
        for (index, life) in open_key.state.lives.iter().enumerate() {
            if let Some(address) = life.address.as_ref().filter(|address| is_left(address)) {
                self.lives.entry(address.clone()).or_default().push(index);
            }
        }
    }

    /// Notes that lives of a process were added at the end, or removed anywhere.
    pub(super) fn index(&mut self, address: &str, open_key: &OpenKey, was_removed: bool) {
        if was_removed {
            return self.index_all(open_key);
        }
        let known = self.lives.entry(address.to_owned()).or_default();
        let lives = &open_key.state.lives;
        let added =
            (0..lives.len()).rev().take_while(|&index| lives[index].address.as_deref() == Some(address));
        let added: Vec<usize> = added.filter(|index| !known.contains(index)).collect();
        known.extend(added);
    }

    pub(super) fn lives_at<'k>(
        &'k self,
        address: &str,
        open_key: &'k OpenKey,
    ) -> impl Iterator<Item = &'k Life> {
        let indices = self.lives.get(address).into_iter().flatten();
        indices.filter_map(|&index| open_key.state.lives.get(index))
    }

    /// Returns the process of a pulled life with the time of a file that the life has joined, and remembers that.
    pub(super) fn read_again(&mut self, life: LifeId, at: DateTime<Utc>) -> Option<Process> {
        let process = self
            .pulled
            .get_mut(&life)
            .filter(|process| process.read_at.is_none_or(|read_at| read_at < at))?;
        process.read_at = Some(at);
        Some(process.clone())
    }

    /// Returns the pulled lives among these that may be of a process: those of its pod, and those with its process id. A
    /// life that is known to be of another pod is none of them.
    pub(super) fn pulled_lives<'l>(
        &self,
        lives: impl Iterator<Item = &'l Life>,
        process: &LeftProcess<'_>,
    ) -> Vec<LifeId> {
        if self.pulled.is_empty() {
            return Vec::new();
        }
        let is_kin = |life: &&Life| {
            let known = self.pulled.get(&life.id).filter(|known| known.meta == process.meta);
            known.is_some_and(|known| may_be_pulled((process.pod, process.pid), known))
        };
        lives.filter(|life| !life.is_mixture).filter(is_kin).map(|life| life.id).collect()
    }
}
