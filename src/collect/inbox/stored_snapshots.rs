//! The snapshots of a process, as its stored lives tell them.

use std::collections::HashMap;

use anyhow::{Context as _, Result};

use super::left_process::hash;
use crate::fleet::ids::LifeId;
use crate::fleet::process_snapshots::ProcessSnapshots;
use crate::fleet::records::Life;
use crate::io::store::Store;
use crate::profile::Mode;

/// The stored lives of a process that left files.
pub(super) struct StoredSnapshots {
    pub(super) snapshots: ProcessSnapshots,
    /// The lives, each with a hash of its counters.
    pub(super) stored: Vec<(LifeId, u64)>,
    /// The life with the counts that are in none of the other lives, and a hash of these counts.
    pub(super) rest: Option<(LifeId, u64)>,
    /// Pulled lives may have a part of these lives.
    pub(super) is_pooled: bool,
}

impl StoredSnapshots {
    /// Reads the stored lives of a process. `pooled` are the left lives of which pulled lives may have a part.
    pub(super) fn load<'l>(
        store: &Store,
        mode: Mode,
        blocks: usize,
        of_process: impl Iterator<Item = &'l Life>,
        pooled: &HashMap<LifeId, Vec<LifeId>>,
    ) -> Result<Self> {
        let (mut lives, mut stored, mut rest) = (Vec::new(), Vec::new(), None);
        for life in of_process {
            let left = match pooled.contains_key(&life.id) {
                true => store.left_counts(life.id, blocks)?,
                false => None,
            };
            let stored_counts = || store.counts(life.id, blocks)?.context("the counters of a life are gone");
            let counts = left.map_or_else(stored_counts, Ok)?;
            if life.is_mixture {
                rest = Some((life.id, hash(&counts), counts));
            } else {
                stored.push((life.id, hash(&counts)));
                lives.push(counts);
            }
        }
        let (rest, rest_counts) = rest.map(|(id, hash, counts)| ((id, hash), counts)).unzip();
        let is_pooled = stored.iter().chain(&rest).any(|(id, _)| pooled.contains_key(id));
        // The rest of a pool is not that of the files of one process.
        let rest_counts = rest_counts.filter(|_| !is_pooled);
        let snapshots = ProcessSnapshots::from_stored(mode, lives, rest_counts);
        Ok(Self { snapshots, stored, rest, is_pooled })
    }
}
