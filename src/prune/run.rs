//! A run after its probes: it changes the lists of the centers and deletes old history under the lock, and watches
//! removed addresses until after the lock is released.

use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::Result;

use crate::collect::fleet::open_reader;
use crate::collect::mending::{CheckDepth, MendingOutcome, mend};
use crate::fleet::removal::RemovalPlan;
use crate::fleet::retention::{RetentionRules, RowFiles};
use crate::fleet::situation::Observations;
use crate::fleet::tombstone::Tombstone;
use crate::io::center::Client;
use crate::io::clock::{self, WaitOutcome};
use crate::io::store::Store;
use crate::io::workdir::{Freed, LockedWorkdir, Swept, Workdir};
use crate::prune::PruneInputs;
use crate::prune::event::{OnEvent, PruneEvent};
use crate::prune::outcome::{ListsOutcome, PruneOutcome};
use crate::prune::probe::Prober;
use crate::prune::probe_round::ProbeRound;
use crate::prune::removal::Remover;
use crate::prune::retention::RetentionRun;
use crate::prune::watch::{WatchResult, watch_while};
use crate::source::SourceSettings;

/// A run that changes lists and history.
pub(crate) struct PruneRun<'a> {
    pub(crate) inputs: &'a PruneInputs<'a>,
    pub(crate) prober: &'a Prober<'a>,
    /// For the last pulls.
    pub(crate) pulling: &'a Client,
    /// For the source of apps whose functions are dated.
    pub(crate) source: SourceSettings<'a>,
    pub(crate) on_event: OnEvent<'a>,
}

impl PruneRun<'_> {
    /// Changes the lists of the centers and deletes old history under the lock, and watches removed addresses until after
    /// the lock is released. Without a round of probes, the lists are left as they are.
    pub(crate) fn carry_out(
        &self,
        round: Option<&ProbeRound>,
        locked: LockedWorkdir,
        store: Store,
    ) -> Result<PruneOutcome> {
        let work = move |locked: &LockedWorkdir, removed: &Sender<Vec<Tombstone>>| {
            // The database is closed before the lock is released.
            let store = store;
            self.work(round, locked, &store, removed)
        };
        let (outcome, watched) = watch_while(self.prober, self.inputs, locked, work);
        let mut outcome = outcome?;
        if let Some(lists) = &mut outcome.lists {
            let WatchResult { restored, is_cut } = watched?;
            lists.restored = restored;
            lists.is_cut |= is_cut;
        }
        outcome.has_signal = self.has_signal();
        Ok(outcome)
    }

    fn work(
        &self,
        round: Option<&ProbeRound>,
        locked: &LockedWorkdir,
        store: &Store,
        removed: &Sender<Vec<Tombstone>>,
    ) -> Result<PruneOutcome> {
        let Self { inputs, prober, pulling, on_event, .. } = *self;
        let update =
            |round| Remover { inputs, prober, pulling, locked, store, removed, on_event }.update_lists(round);
        let lists = round.map(update).transpose()?;
        let mut outcome = PruneOutcome { lists, ..PruneOutcome::default() };
        // Retention ignores the deadline, or a disk could fill up; it waits for no other machine.
        if let Some(keep) = inputs.keep.filter(|_| !self.has_signal()) {
            outcome.retention = Some(self.drop_history(&keep, store, locked)?);
            outcome.mended = self.mend(store, locked)?;
        }
        outcome.damages = store.damages();
        on_event(PruneEvent::Damaged(&outcome.damages));
        Ok(outcome)
    }

    fn has_signal(&self) -> bool {
        self.prober.signals.received().is_some()
    }

    fn drop_history(
        &self,
        keep: &RetentionRules,
        store: &Store,
        locked: &LockedWorkdir,
    ) -> Result<RetentionRun> {
        let Self { inputs: PruneInputs { naming, now, .. }, on_event, .. } = *self;
        let mut run = RetentionRun::plan(store, locked.workdir(), keep, naming, *now)?;
        self.date_functions(&run, store, locked.workdir())?;
        let files = run.drop_rows(store, locked, keep, *now)?;
        run.links.iter().for_each(|link| on_event(PruneEvent::LinkInTheWay(link)));
        let swept = self.sweep(locked, &files, keep.younger_than)?;
        on_event(PruneEvent::Swept(&swept));
        run.note_sweep(&swept);
        on_event(PruneEvent::ScratchLeft(&locked.sweep_scratch()?));
        Ok(run)
    }

    /// Sweeps once nobody opens a stored file, or puts that off.
    fn sweep(&self, locked: &LockedWorkdir, files: &RowFiles, aside_for: Duration) -> Result<Swept> {
        let attempt = || {
            let swept = locked.sweep(files, Some(aside_for), self.inputs.now)?;
            Ok::<_, anyhow::Error>(Some(swept).filter(|swept| !swept.freed.is_put_off))
        };
        let announce = || (self.on_event)(PruneEvent::WaitsForReaders);
        match clock::wait_shortly(self.prober.signals, attempt, announce)? {
            WaitOutcome::Done(swept) => Ok(swept),
            WaitOutcome::Signal(_) | WaitOutcome::InVain => {
                Ok(Swept { freed: Freed { is_put_off: true, ..Freed::default() }, ..Swept::default() })
            }
        }
    }

    /// Writes stored profiles again that are missing.
    fn mend(&self, store: &Store, locked: &LockedWorkdir) -> Result<MendingOutcome> {
        let mut writer = store.writer(locked.proof());
        let is_over = || self.has_signal();
        let mut mended = mend(store, locked, CheckDepth::Content, is_over, |change| writer.apply(change));
        (self.on_event)(PruneEvent::Mended(&mended));
        match mended.stopped_by.take() {
            Some(error) => return Err(error),
            None => writer.commit()?,
        }
        Ok(mended)
    }
}

/// Plans what would be done. Takes no lock, so that a dry run can go on beside anything.
pub(crate) fn plan(
    inputs: &PruneInputs<'_>,
    workdir: &Workdir,
    round: Option<ProbeRound>,
) -> Result<PruneOutcome> {
    let PruneInputs { naming, options, keep, now, .. } = *inputs;
    let store = open_reader(workdir)?;
    let mut outcome = PruneOutcome::default();
    if let Some(ProbeRound { fleet, answered, results, is_cut, .. }) = round {
        let (suspicions, tombstones) = match &store {
            Some(store) => (store.suspicions()?, store.tombstones()?),
            None => Default::default(),
        };
        let seen = Observations { fleet: &fleet, results: &results, suspicions: &suspicions, naming, now };
        let plan = RemovalPlan::new(seen.situation(tombstones, answered), &options);
        let silent = fleet.silent;
        outcome.lists = Some(ListsOutcome { plan, silent, is_cut, ..ListsOutcome::default() });
    }
    if let (Some(store), Some(keep)) = (store, keep) {
        outcome.retention = Some(RetentionRun::plan(&store, workdir, &keep, naming, now)?);
        outcome.damages = store.damages();
    }
    Ok(outcome)
}
