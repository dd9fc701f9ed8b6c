//! The pulled lives that moved since what processes left in folders was settled with them.
//!
//! Each answer is stored when it arrives; all answers of a service are settled at the end of its pull. A run that is cut
//! before that end leaves unsettled lives ([`Change::LifeUnsettled`](crate::fleet::change::Change::LifeUnsettled)), and
//! so do snapshots of the inbox. The next end of a pull of the service treats them as moved.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use crate::collect::open_key::OpenKey;
use crate::collect::run::PullRun;
use crate::fleet::ids::{KeyId, LifeId, StructureId};
use crate::fleet::life::{LifeDecision, RivalLives};
use crate::fleet::process::Process;
use crate::io::store::Store;
use crate::profile::{Mode, decode_counts};

/// The changes of this run to pulled lives that may be of processes that left files.
#[derive(Default)]
pub(crate) struct MovedLives {
    pub(super) lives: HashMap<LifeId, MovedLife>,
    /// Lives that were joined into mixtures.
    pub(super) gone: HashSet<LifeId>,
    /// Counters of mixtures that changed.
    pub(super) mixed: HashMap<LifeId, (StructureId, Vec<u64>)>,
}

/// A pulled life whose counters moved.
pub(super) struct MovedLife {
    pub(super) process: Process,
    /// Its process as it was known before.
    pub(super) known: Option<Process>,
    pub(super) structure: StructureId,
    pub(super) mode: Mode,
    /// `None`: the life is new.
    pub(super) before: Option<Vec<u64>>,
    pub(super) now: Vec<u64>,
    /// The counters may be older than this run: they were stored before it, or the answer was older than the last one of
    /// its address.
    pub(super) is_late: bool,
    /// The life moved before this run, and was not compared with any file then.
    pub(super) is_unsettled: bool,
}

impl MovedLives {
    /// Notes an answer. `known` and `before` are the process and the counters of its life before it, if the life is not
    /// new.
    pub(crate) fn note(
        &mut self,
        (life, process, known): (LifeId, &Process, Option<Process>),
        (structure, mode): (StructureId, Mode),
        decision: &LifeDecision,
        before: Option<Vec<u64>>,
        rivals: &RivalLives,
    ) {
        let before = match decision {
            LifeDecision::Begins { .. } | LifeDecision::Late { life: None, .. } => None,
            LifeDecision::Continues { .. } | LifeDecision::Late { .. } => before,
        };
        let is_late = matches!(decision, LifeDecision::Late { .. });
        let (process, now) = (process.clone(), decision.counts().to_vec());
        let is_unsettled = false;
        let moved = MovedLife { process, known, structure, mode, before, now, is_late, is_unsettled };
        self.lives.insert(life, moved);
        if let Some((mixture, gone)) = rivals.lives.split_first() {
            self.mixed.insert(mixture.id, (structure, rivals.counts.clone()));
            self.gone.extend(gone.iter().map(|life| life.id).chain([mixture.id]));
        }
    }

    /// Adds lives that moved before this run and were not settled then.
    pub(super) fn add_unsettled(
        &mut self,
        open: &OpenKey,
        key: KeyId,
        run: &PullRun<'_>,
        store: &Store,
    ) -> Result<()> {
        if open.unsettled.is_empty() {
            return Ok(());
        }
        let mut processes = store.processes(key)?;
        for (id, settled) in &open.unsettled {
            let life = open.state.lives.iter().find(|life| life.id == *id && !life.is_mixture);
            let (Some(life), Some(process)) = (life, processes.remove(id)) else { continue };
            let (structure, mode) = (life.structure, life.mode);
            let blocks = run.template(store, structure)?.build().blocks().len();
            let before = settled.as_deref().map(|counts| decode_counts(counts, blocks)).transpose();
            let before = before.map_err(|error| store.damaged_counts(*id, error))?;
            if let Some(moved) = self.lives.get_mut(id) {
                (moved.before, moved.is_unsettled) = (before, true);
            } else if let Some(now) = store.counts(*id, blocks)? {
                let (known, is_late, is_unsettled) = (None, true, true);
                let moved = MovedLife { process, known, structure, mode, before, now, is_late, is_unsettled };
                self.lives.insert(*id, moved);
            }
        }
        Ok(())
    }
}
