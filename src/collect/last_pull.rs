//! The last pull of listed addresses, before `prune` removes them from the list of a center.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use anyhow::Result;

use crate::collect::agent_files_change;
use crate::collect::run::{Adapters, PullRun, PullRunSettings};
use crate::collect::store_queue::store_queue;
use crate::collect::store_thread::StoreThread;
use crate::collect::workers::{TaskQueue, Workers};
use crate::config::PullConfig;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::plan::PullPlan;
use crate::io::progress::Progress;
use crate::io::store::Numbering;

/// Inputs of a last pull.
pub(crate) struct LastPull<'a> {
    pub(crate) adapters: Adapters<'a>,
    pub(crate) numbering: &'a Numbering,
    pub(crate) concurrency: usize,
    pub(crate) config: &'a PullConfig,
}

impl LastPull<'_> {
    /// Pulls these listed addresses and stores their answers; returns those that answered with a profile.
    pub(crate) fn ask(&self, addresses: &BTreeSet<String>, entries: &[KeyEntry]) -> Result<BTreeSet<String>> {
        let Self { adapters, numbering, concurrency, config } = *self;
        let Adapters { signals, locked, store, deadline, .. } = adapters;
        let plan = PullPlan::for_listed(entries, addresses);
        let queue = TaskQueue::new(&plan, false);
        let (messages, received) = store_queue();
        let stopped = AtomicBool::new(false);
        let (rules, memory_bytes) = (config.rules(), config.memory_bytes);
        // The keys need no row now: the next pull decides.
        agent_files_change::follow(&rules.agent_files, adapters, &numbering.ids)?;
        let run =
            PullRun::new(PullRunSettings { adapters, numbering, rules, memory_bytes }, messages, &stopped)?;
        let mut store_thread = StoreThread {
            writer: &mut store.writer(locked.proof()),
            after_commit: &|| (),
            stopped: &stopped,
            signals,
            deadline,
            progress: &Progress::start(plan.pulls.len(), false),
        };
        let work = Workers { queue: &queue, store, threads: concurrency, messages: &received };
        let result = work.carry_out(run, &mut store_thread)?;
        Ok(result.keys.into_iter().flat_map(|key| key.answering).collect())
    }
}
