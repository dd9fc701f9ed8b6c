//! The steps of the engine of `pull`, from the lists of centers and sources of targets to the latest row of every key.
//!
//! The steps of a run are [`upkeep::tidy`], [`gather`], [`take_in`], [`plan`](super::planning::plan) and [`pull`]. None
//! of them prints. Each returns its outcome, and the command prints that before the next step.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::thread;

use anyhow::Result;

use crate::address::base_url;
use crate::collect::agent_files_change;
use crate::collect::fleet::{FleetSource, GivenSource, ask_known_first, read_sources};
use crate::collect::inbox::{self, InboxContents, InboxOutcome, InboxReader};
use crate::collect::log_folding::LogFolding;
use crate::collect::marking::MarkedRows;
use crate::collect::mending::MendingOutcome;
use crate::collect::outcome::KeyResult;
use crate::collect::planning::PlannedPull;
use crate::collect::run::{Adapters, PullRun, PullRunSettings};
use crate::collect::store_queue::{StoreReceiver, store_queue};
use crate::collect::store_thread::{PullResult, StopReason, StoreThread};
use crate::collect::target_programs::{ProgramAsking, ask_for_programs};
use crate::collect::upkeep;
use crate::collect::workers::{TaskQueue, Workers};
use crate::config::Config;
use crate::fleet::app_group::AppGroup;
use crate::fleet::assembly::Answers;
use crate::fleet::change::Change;
use crate::fleet::ids::KeyId;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::{ServiceQuery, pick};
use crate::fleet::plan::{PullPlan, Selection, WaitingKey};
use crate::fleet::pull_rules::PullRules;
use crate::fleet::services::Fleet;
use crate::fleet::snapshot::ClockJump;
use crate::fleet::waiting_address::{WaitingAddress, waiting_addresses};
use crate::io::clock::{self, Deadline};
use crate::io::progress::Progress;
use crate::io::store::{Damage, Numbering, Writer};
use crate::io::targets::SourceBounds;
use crate::memory::Memory;
use crate::profile::Limits;

/// The adapters, the centers and the configuration of one run.
#[derive(Clone, Copy)]
pub(crate) struct PullInputs<'a> {
    pub(crate) adapters: Adapters<'a>,
    pub(crate) config: &'a Config,
    pub(crate) centers: &'a [String],
    /// The centers were named, and not only taken by default.
    pub(crate) are_centers_named: bool,
    /// End of the time for sources of targets; half of that of the run, of which standard input may have taken a part.
    pub(crate) sources_until: Deadline,
    /// Somebody watches a bar on stderr.
    pub(crate) shows_progress: bool,
}

impl PullInputs<'_> {
    pub(super) fn is_over(&self) -> bool {
        StopReason::now(self.adapters.signals, self.adapters.deadline).is_some()
    }

    /// Tells whether the time for the inbox is over, which is half of the deadline. The other half is for services,
    /// however full the inbox is.
    fn is_over_for_inbox(&self) -> bool {
        StopReason::now(self.adapters.signals, self.adapters.deadline.half()).is_some()
    }

    fn source_bounds(&self) -> SourceBounds<'_> {
        let (deadline, signals) = (self.sources_until, self.adapters.signals);
        SourceBounds { deadline, signals, max_targets: self.config.pull.max_addresses }
    }
}

/// The services that one run pulls, and the rules for it.
pub(crate) struct PullRequest<'a> {
    /// The services that a person named; empty for all services.
    pub(crate) services: Vec<ServiceQuery<'a>>,
    /// The groups of the configuration, whose names stand for their apps.
    pub(crate) groups: &'a [AppGroup],
    /// The fields by which a person narrowed all services, without text.
    pub(crate) fields: Option<ServiceQuery<'a>>,
    /// The only address to ask. Its data is stored under the only service.
    pub(crate) address: Option<&'a str>,
    /// Services that are not due are pulled, too.
    pub(crate) is_forced: bool,
    /// Services that are not due get a peek.
    pub(crate) may_peek: bool,
    pub(crate) rules: PullRules,
    pub(crate) limits: Limits,
    pub(crate) concurrency: usize,
}

/// The services and snapshots that a run can pull or take in.
pub(crate) struct PullSources {
    pub(crate) fleet: Fleet,
    pub(crate) inbox: InboxContents,
    numbering: Numbering,
    /// Tells the threads of the run to end.
    stopped: AtomicBool,
}

/// Asks the centers and the sources of targets for their lists, and reads the inboxes.
pub(crate) fn gather(
    inputs: &PullInputs<'_>,
    request: &PullRequest<'_>,
    sources: Vec<GivenSource>,
) -> Result<PullSources> {
    let PullInputs { adapters, config, centers, .. } = *inputs;
    let Adapters { client, locked, store, deadline, now, .. } = adapters;
    // A URL that cannot be asked may hold a password. Without any other, no center was asked by this run.
    let urls: Vec<String> = centers.iter().filter_map(|url| base_url(url).ok()).collect();
    if request.services.is_empty() && !(urls.is_empty() && sources.is_empty()) {
        // The names of the centers and sources are stored at once, because a run in which none answers may store nothing
        // else.
        let mut writer = store.writer(locked.proof());
        let sources = sources.iter().map(|given| given.source.name.clone()).collect();
        writer.apply(&Change::ListersAsked { centers: urls, sources, at: now })?;
        writer.commit()?;
    }
    let source = FleetSource { store: Some(store), naming: &config.naming, now };
    let mut unplaced = None;
    let (mut fleet, numbering) = source.assemble(|known| match centers.is_empty() && sources.is_empty() {
        // Nobody is asked, so the last lists stand.
        true => known.without_asking(),
        false => {
            let mut sources = read_sources(sources, inputs.source_bounds());
            let asking = ProgramAsking {
                adapters,
                naming: &config.naming,
                retry: &request.rules.retry,
                memory: Memory::new(config.pull.memory_bytes),
                concurrency: request.concurrency,
                is_forced: request.is_forced || !request.services.is_empty(),
            };
            unplaced = Some(ask_for_programs(&mut sources, known, &asking));
            Answers { centers: ask_known_first(client, centers, known, || deadline.left()), sources }
        }
    })?;
    fleet.expect_new_processes(now);
    if let Some(unplaced) = unplaced.transpose()? {
        fleet.changes.extend(unplaced.changes(&numbering.ids));
    }
    if request.address.is_some() && !inputs.are_centers_named {
        // The default center may help to find the service, and need not be there.
        fleet.silent.clear();
    }
    if let (Some(_), [service]) = (request.address, &request.services[..])
        && pick(service, &fleet.entries).is_err()
        && let parsed = config.naming.parse(service.text)
        && parsed.is_parsed()
    {
        let (_, changes) = fleet.add_service(parsed, &numbering.ids, now);
        fleet.changes.extend(changes);
    }
    let inbox = inbox::look(locked.workdir(), config, now, &|| inputs.is_over_for_inbox());
    Ok(PullSources { fleet, inbox, numbering, stopped: AtomicBool::new(false) })
}

/// A run that has taken in the snapshots and pulled nothing yet.
pub(crate) struct StartedPull<'s> {
    pub(crate) fleet: &'s Fleet,
    pub(crate) inbox: InboxOutcome,
    shared: PullRun<'s>,
    received: StoreReceiver,
    writer: Writer<'s>,
}

/// Stores the start of the run, and takes in the snapshots.
pub(crate) fn take_in<'s>(
    inputs: &PullInputs<'s>,
    request: &PullRequest<'_>,
    sources: &'s mut PullSources,
) -> Result<StartedPull<'s>> {
    let PullInputs { adapters, config, .. } = *inputs;
    let Adapters { locked, store, .. } = adapters;
    let PullSources { fleet, inbox, numbering, stopped } = sources;
    let mut writer = store.writer(locked.proof());
    store_start(inputs, fleet, &mut writer)?;

    let (messages, received) = store_queue();
    let (rules, memory_bytes) = (request.rules.clone(), config.pull.memory_bytes);
    let rebuilt = agent_files_change::follow(&rules.agent_files, adapters, &numbering.ids)?;
    for entry in fleet.entries.iter_mut().filter(|entry| rebuilt.contains(&entry.id)) {
        entry.schedule.unfinished = true;
    }
    let shared =
        PullRun::new(PullRunSettings { adapters, numbering, rules, memory_bytes }, messages, stopped)?;
    let reader = InboxReader {
        run: &shared,
        store,
        writer: &mut writer,
        messages: &received,
        fleet,
        naming: &config.naming,
        limits: request.limits,
        owners: config.inbox_owners.as_deref(),
        is_over: &|| inputs.is_over_for_inbox(),
    };
    let inbox = reader.take_in(std::mem::take(inbox))?;
    Ok(StartedPull { fleet, inbox, shared, received, writer })
}

/// The result of a run.
pub(crate) struct PullOutcome<'s> {
    pub(crate) fleet: &'s Fleet,
    pub(crate) pulled: Vec<KeyResult>,
    /// Number of keys that the run planned to pull.
    pub(crate) planned: usize,
    /// Keys that were not pulled. A key that a peek made due is not among them.
    pub(crate) waiting: Vec<WaitingKey<'s>>,
    /// The keys that a person asked for.
    pub(crate) selection: Selection,
    /// A person named a service that nobody lists, and the inbox had no data of it.
    pub(crate) is_named_offline: bool,
    /// Listed addresses that failed before, and whose next try is not due.
    pub(crate) waiting_addresses: Vec<WaitingAddress<'s>>,
    pub(crate) stop: Option<StopReason>,
    pub(crate) inbox: InboxOutcome,
    /// The empty list of a center was accepted, so its services are offline now.
    pub(crate) accepted_emptied: bool,
    pub(crate) mended: MendingOutcome,
    /// The rows that got the mark of the request, if it has one.
    pub(crate) marked: Option<MarkedRows<'s>>,
    /// Stored values that could not be read.
    pub(crate) damages: Vec<Damage>,
}

/// Pulls the planned services, and stores the results.
pub(crate) fn pull<'s>(
    inputs: &PullInputs<'_>,
    request: &PullRequest<'_>,
    started_pull: StartedPull<'s>,
    planned: PlannedPull<'s>,
) -> Result<PullOutcome<'s>> {
    let Adapters { signals, locked, store, deadline, .. } = inputs.adapters;
    let StartedPull { fleet, inbox, mut shared, received, mut writer } = started_pull;
    let is_named_offline = planned.named_offline(&inbox).next().is_some();
    let PlannedPull { plan, selection } = planned;
    if let (Some(_), Selection::Named(keys)) = (&request.rules.mark, &selection) {
        shared.marked.clone_from(keys);
    }
    let waiting_addresses = match selection {
        Selection::Due => waiting_addresses(&plan, fleet.entries.iter()),
        Selection::DueAmong(ref keys) => {
            waiting_addresses(&plan, fleet.entries.iter().filter(|entry| keys.contains(&entry.id)))
        }
        // A person who named services asks for no others.
        Selection::Forced | Selection::Named(_) => Vec::new(),
    };
    let (ids, stopped) = (shared.ids, shared.stopped);
    let named: Vec<&KeyEntry> =
        fleet.entries.iter().filter(|entry| shared.marked.contains(&entry.id)).collect();

    let progress = &Progress::start(plan.pulls.len(), inputs.shows_progress);
    let queue = TaskQueue::new(
        &plan,
        request.may_peek && matches!(selection, Selection::Due | Selection::DueAmong(_)),
    );
    let work = Workers { queue: &queue, store, threads: request.concurrency, messages: &received };
    let (pulled, stop, (accepted_emptied, mended)) = thread::scope(|scope| -> Result<_> {
        let folding = LogFolding::new(scope, store, locked.proof());
        let (writer, after_commit) = (&mut writer, &|| folding.fold());
        let mut store_thread = StoreThread { writer, after_commit, stopped, signals, deadline, progress };
        let done = work.carry_out(shared, &mut store_thread);
        progress.finish();
        let PullResult { keys, stop } = done?;
        let writer = store_thread.writer;
        let (mut accepted_emptied, mut mended) = (false, MendingOutcome::default());
        if stop.is_none() {
            accepted_emptied = accept_emptied_centers(inputs, fleet, writer)?;
            mended = upkeep::maintain(inputs, request, fleet, ids, writer).unwrap_or_else(|error| {
                MendingOutcome { stopped_by: Some(error), ..MendingOutcome::default() }
            });
        }
        if mended.stopped_by.is_none() {
            let ended = writer.apply(&Change::RunEnded(clock::now())).and_then(|()| writer.commit());
            mended.stopped_by = ended.err().map(Into::into);
        }
        Ok((keys, stop, (accepted_emptied, mended)))
    })?;
    drop(queue);
    let planned = plan.pulls.iter().map(|group| group.keys.len()).sum();
    let due_by_peek: BTreeSet<KeyId> =
        pulled.iter().filter(|pulled| pulled.was_due_by_peek()).map(|pulled| pulled.key).collect();
    let PullPlan { mut waiting, .. } = plan;
    waiting.retain(|waiting| !due_by_peek.contains(&waiting.entry.id));
    Ok(PullOutcome {
        fleet,
        pulled,
        planned,
        waiting,
        selection,
        is_named_offline,
        waiting_addresses,
        stop,
        inbox,
        accepted_emptied,
        mended,
        marked: request
            .rules
            .mark
            .as_deref()
            .map(|mark| MarkedRows::read(store, mark, &named))
            .transpose()?,
        damages: store.damages(),
    })
}

/// Stores the start of the run, a jump of the clock since the last run, and the lists of the centers.
fn store_start(inputs: &PullInputs<'_>, fleet: &mut Fleet, writer: &mut Writer<'_>) -> Result<()> {
    let Adapters { store, now, .. } = inputs.adapters;
    if let Some(jump) = store.last_run_at()?.and_then(|last| ClockJump::between(last, now)) {
        writer.apply(&Change::ClockWentBack(jump))?;
    }
    writer.apply(&Change::RunStarted(now))?;
    // Dropped one after the other: the first run of a large center has three for each name.
    std::mem::take(&mut fleet.changes).into_iter().try_for_each(|change| writer.apply(&change))?;
    Ok(writer.commit()?)
}

/// Accepts the empty list of a center if no address that it listed before answers any more; tells whether one was
/// accepted.
fn accept_emptied_centers(inputs: &PullInputs<'_>, fleet: &Fleet, writer: &mut Writer<'_>) -> Result<bool> {
    let emptied: Vec<&str> =
        fleet.silent.iter().filter(|silent| silent.emptied).map(|silent| silent.url.as_str()).collect();
    if emptied.is_empty() {
        return Ok(false);
    }
    let states = inputs.adapters.store.addresses()?;
    let is_gone = |entry: &&KeyEntry| {
        let known = states.get(&entry.id);
        entry.addresses().iter().all(|address| {
            let state = known.and_then(|known| known.iter().find(|(known, _)| known == address));
            state.is_some_and(|(_, state)| state.retry.failures > 0)
        })
    };
    let assumed = |entry: &&KeyEntry| entry.addresses().iter().any(|address| entry.is_assumed(address));
    let (gone, there): (Vec<&KeyEntry>, Vec<&KeyEntry>) =
        fleet.entries.iter().filter(assumed).partition(is_gone);
    if !there.is_empty() || gone.is_empty() {
        return Ok(false);
    }
    fleet.unlist(&emptied, inputs.adapters.now).iter().try_for_each(|change| writer.apply(change))?;
    Ok(true)
}
