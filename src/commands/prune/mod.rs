//! `prune`: dead addresses leave the centers' lists, live ones never; and old history goes.

mod lines;
mod output;
mod summary;

use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;

use super::{Context, fail, lock_wait, warn};
use crate::address::shown_url;
use crate::cli::Format;
use crate::collect::fleet::open_reader;
use crate::collect::mending::{Depth, mend};
use crate::commands::lock_wait::{FOREVER, LockWait};
use crate::commands::notices::{tell_left, tell_mended, tell_swept};
use crate::commands::ping::{PingUrlParser, pinging};
use crate::config::{PruneConfig, parse_duration};
use crate::exit::ExitCode;
use crate::fleet::liveness::LivenessRules;
use crate::fleet::removal::{RemovalOptions, RemovalPlan};
use crate::fleet::retention::Keep;
use crate::fleet::situation::Observations;
use crate::fleet::tombstone::Tombstone;
use crate::io::center::{Client, Options};
use crate::io::clock::{Deadline, Stopwatch};
use crate::io::signals::Signals;
use crate::io::store::{Store, StoreError};
use crate::io::workdir::Locked;
use crate::ping::PingUrl;
use crate::prune::Inputs;
use crate::prune::outcome::{ListsOutcome, PruneOutcome};
use crate::prune::probe::Prober;
use crate::prune::probe_round::ProbeRound;
use crate::prune::removal::Remover;
use crate::prune::retention::RetentionRun;
use crate::prune::watch::{WatchResult, watch_while};

/// Take dead addresses out of the centers' lists, and drop old profiles.
///
/// A process registers once, at its start: a live one that is removed is lost until it starts again. So an
/// address at which an agent answers stays, whatever it serves. Others are asked several times, and one that
/// fails is only suspect. It is dead when it was refused in 2 runs at least 5 minutes apart; when it was
/// silent, out of reach, or its name unknown, in 3 runs over at least 30 minutes. What it counted stays.
///
/// Nothing is removed from a center when more than half of its addresses would go at once (of fewer than
/// four: all), because the fault is likely on this side then; the exit code is 1. What answers again
/// within 7 days of its removal is registered again.
///
/// Of the stored history, profiles go that are not among the newest 10 of their service and commit and
/// older than 30 days, with the reports beside them. Their totals stay in `history`.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct PruneArgs {
    /// Show what would be done, and why; nothing is removed or remembered.
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Remove dead addresses even where so many died at once that the fault is likely on this side.
    #[arg(short, long)]
    force: bool,

    /// Number of runs in which an address has to fail before it is dead, however it fails.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    confirm_runs: Option<u32>,

    /// Time over which an address has to fail before it is dead, however it fails.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    confirm_over: Option<Duration>,

    /// Do not register removed addresses again that answer now.
    #[arg(long)]
    no_restore: bool,

    /// Register addresses that also stand under a name that is not theirs any more under the right one alone; a
    /// run that cannot ends with 3, and each later one tries again.
    #[arg(long)]
    fix_names: bool,

    /// Keep the newest N profiles of each service and commit, whatever their age [default: 10].
    #[arg(long, value_name = "N")]
    keep: Option<usize>,

    /// Keep all profiles that are younger than this [default: 30].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=36_500))]
    keep_days: Option<u32>,

    /// Drop also all data of services that nobody listed for so long, and data set aside that is so old.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    drop_keys_older_than: Option<Duration>,

    /// Clean the lists of the centers alone; the stored history stays as it is.
    #[arg(long, conflicts_with_all = ["retention_only", "keep", "keep_days", "drop_keys_older_than"])]
    center_only: bool,

    /// Clean the stored history alone; no center and no address is asked.
    #[arg(long, conflicts_with_all = ["force", "fix_names", "confirm_runs", "confirm_over", "no_restore"])]
    retention_only: bool,

    /// Wait while another run holds the lock, up to this long, or without end where no time is given; without
    /// --wait the run ends with exit code 4.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, num_args = 0..=1)]
    #[arg(default_missing_value = FOREVER, conflicts_with = "dry_run")]
    wait: Option<Duration>,

    /// Tell a dead-man's switch at URL: URL/start at the start, URL when done, URL/CODE for another exit code.
    #[arg(long, value_name = "URL", value_parser = PingUrlParser, conflicts_with = "dry_run")]
    ping: Option<PingUrl>,

    /// Number of addresses that are asked at the same time [default: 64].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: Option<u16>,

    /// Time limit for making a connection to an address, and for a silence of it [default: 4s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// Time limit for the work at addresses and centers; addresses that it cuts off stay as they were.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "retention_only")]
    deadline: Option<Duration>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl PruneArgs {
    fn removal_options(&self, config: &PruneConfig) -> RemovalOptions {
        RemovalOptions {
            rules: LivenessRules::for_any_failure(
                self.confirm_runs.or(config.confirm_runs),
                self.confirm_over.or(config.confirm_over),
            ),
            force: self.force,
            fix_names: self.fix_names,
            restore: config.restore && !self.no_restore,
        }
    }

    fn keep(&self, config: &PruneConfig) -> Keep {
        let days = self.keep_days.unwrap_or(config.keep_days);
        Keep {
            newest: self.keep.unwrap_or(config.keep),
            younger_than: Duration::from_secs(u64::from(days) * 24 * 3600),
            keys_younger_than: self.drop_keys_older_than.or(config.drop_keys_older_than),
        }
    }

    fn inputs<'a>(&self, context: &'a Context) -> Inputs<'a> {
        Inputs {
            naming: &context.config.naming,
            centers: &context.centers,
            prune: &context.config.prune,
            pull: &context.config.pull,
            options: self.removal_options(&context.config.prune),
            now: context.now(),
        }
    }

    fn concurrency(&self, config: &PruneConfig) -> usize {
        self.concurrency.map_or(config.concurrency, usize::from)
    }
}

/// The HTTP clients of a run.
struct Clients {
    /// The client for probes gives up on an address early.
    quick: Client,
    /// The client for lists and profiles gives the whole request as long as `pull` does, but a silence no longer than
    /// a probe.
    patient: Client,
    /// The client for the last pulls waits for an answer as long as `pull` does: an agent that `pull` can read is alive.
    /// The end of a run breaks these requests off together, so they have a client of their own.
    pulling: Client,
}

impl Clients {
    fn new(args: &PruneArgs, context: &Context) -> Result<Self> {
        let (pull, prune) = (&context.config.pull, &context.config.prune);
        let timeout = args.timeout.unwrap_or(prune.timeout);
        let options = |whole| Options {
            connect_timeout: timeout,
            read_timeout: timeout,
            timeout: whole,
            concurrency: args.concurrency(prune),
            ..context.request_options()
        };
        // An address that takes longer than a connection and two silences drips.
        let quick = Client::new(&options(timeout.saturating_mul(3)))?;
        let patient = options(pull.timeout.max(timeout));
        let pulling = Options { read_timeout: pull.read_timeout.max(timeout), ..patient.clone() };
        Ok(Self { quick, patient: Client::new(&patient)?, pulling: Client::new(&pulling)? })
    }
}

/// Runs the command.
pub(crate) fn run(args: &PruneArgs, context: &Context) -> Result<ExitCode> {
    let url = args.ping.as_ref().or(context.config.prune.ping.as_ref()).filter(|_| !args.dry_run);
    pinging(url, context.config.pull.proxy.clone(), context, |begin| prune(args, context, begin))
}

fn prune(args: &PruneArgs, context: &Context, begin: &dyn Fn()) -> Result<ExitCode> {
    let started = Stopwatch::start();
    let signals = Signals::catch().context("cannot catch signals")?;
    let clients = Clients::new(args, context)?;
    let lock_wait = LockWait::new(args.wait);
    let context = match args.dry_run {
        true => context.clone(),
        false => bring_up_to_date(&lock_wait, &signals, context)?,
    };
    let context = &context;
    let run = Run { args, context, inputs: &args.inputs(context) };
    let limit = args.deadline.or(context.config.prune.deadline);
    let deadline = Deadline::after(limit);
    let prober = Prober {
        quick: clients.quick,
        patient: clients.patient,
        concurrency: args.concurrency(&context.config.prune),
        signals: &signals,
        deadline: Deadline::NONE,
        store: open_reader(&context.workdir)?.map(Mutex::new),
    };
    // The other half is for the removals, or a long list would never lose its dead addresses.
    let prober = prober.until(Deadline::after(limit.map(|limit| limit / 2)));
    // Probes take a while, so they run without the lock, which other runs may need.
    let round = if args.retention_only { None } else { ProbeRound::run(&prober, run.inputs)? };
    if let Some(signal) = signals.received() {
        return Ok(ExitCode::from_signal(signal));
    }
    if args.dry_run {
        let outcome = run.plan(round)?;
        output::print(&outcome, args.format, true, &started, context)?;
        return Ok(exit_code(&outcome));
    }
    let waiting = Stopwatch::start();
    let held = lock_wait.take(&signals, context)?;
    let prober = prober.until(deadline.put_off(waiting.elapsed()));
    begin();
    let mut outcome = run.work_and_watch(&prober, &clients.pulling, round.as_ref(), held.locked)?;
    outcome.has_signal = signals.received().is_some();
    output::print(&outcome, args.format, false, &started, context)?;
    Ok(match signals.received() {
        Some(signal) => ExitCode::from_signal(signal),
        None => exit_code(&outcome),
    })
}

/// A run, from its arguments to the engine and back.
struct Run<'a> {
    args: &'a PruneArgs,
    context: &'a Context,
    inputs: &'a Inputs<'a>,
}

impl Run<'_> {
    /// Does what the lock is needed for, and goes on to watch removed addresses when the lock is let go.
    fn work_and_watch(
        &self,
        prober: &Prober<'_>,
        pulling: &Client,
        round: Option<&ProbeRound>,
        locked: Locked,
    ) -> Result<PruneOutcome> {
        let work = |locked: &Locked, removed: &Sender<Vec<Tombstone>>| {
            let store = &super::open_store(locked, self.context)?;
            let lists = match round {
                Some(round) => {
                    let (inputs, on_dropped) = (self.inputs, &warn_of_dropped);
                    let remover = Remover { inputs, prober, pulling, locked, store, removed, on_dropped };
                    Some(remover.update_lists(round)?)
                }
                None => None,
            };
            let mut outcome = PruneOutcome { lists, ..PruneOutcome::default() };
            // Retention ignores the deadline, or a disk could fill up; it waits for no other machine.
            if !self.args.center_only && prober.signals.received().is_none() {
                self.see_to_history(store, locked, prober.signals, &mut outcome)?;
            }
            outcome.is_damaged = super::tell_damages(store) || !outcome.mended.lost().is_empty();
            Ok(outcome)
        };
        let (outcome, watched) = watch_while(prober, self.inputs, locked, work);
        let mut outcome = outcome?;
        if let Some(lists) = &mut outcome.lists {
            let WatchResult { restored, is_cut } = watched?;
            lists.restored = restored;
            lists.is_cut |= is_cut;
        }
        Ok(outcome)
    }

    /// Drops old history, and writes stored profiles again that are missing.
    fn see_to_history(
        &self,
        store: &Store,
        locked: &Locked,
        signals: &Signals,
        outcome: &mut PruneOutcome,
    ) -> Result<()> {
        let keep = self.keep();
        let mut run = self.plan_retention(store, &keep)?;
        let files = run.drop_rows(store, locked, self.inputs.now)?;
        run.links.iter().for_each(fail);
        let swept = lock_wait::sweep(locked, &files, keep.younger_than, signals, self.context)?;
        tell_swept(&swept);
        run.note_sweep(&swept);
        tell_left(&locked.sweep_scratch()?);
        outcome.retention = Some(run);
        let mut writer = store.writer(locked.held());
        let is_over = || signals.received().is_some();
        outcome.mended = mend(store, locked, Depth::Content, is_over, |change| writer.apply(change));
        tell_mended(&outcome.mended, locked.workdir());
        if let Some(error) = outcome.mended.stopped_by.take() {
            return Err(error);
        }
        Ok(writer.commit()?)
    }

    fn keep(&self) -> Keep {
        self.args.keep(&self.context.config.prune)
    }

    fn plan_retention(&self, store: &Store, keep: &Keep) -> Result<RetentionRun> {
        RetentionRun::plan(store, &self.context.workdir, keep, self.inputs.naming, self.inputs.now)
    }

    /// Plans what would be done. Takes no lock, so that a dry run can go on beside anything.
    fn plan(&self, round: Option<ProbeRound>) -> Result<PruneOutcome> {
        let store = open_reader(&self.context.workdir)?;
        let mut outcome = PruneOutcome::default();
        if let Some(ProbeRound { fleet, answered, results, is_cut, .. }) = round {
            let (suspicions, tombstones) = match &store {
                Some(store) => (store.suspicions()?, store.tombstones()?),
                None => Default::default(),
            };
            let Inputs { naming, options, now, .. } = *self.inputs;
            let seen =
                Observations { fleet: &fleet, results: &results, suspicions: &suspicions, naming, now };
            let plan = RemovalPlan::new(seen.situation(tombstones, answered), &options);
            let silent = fleet.silent;
            outcome.lists = Some(ListsOutcome { plan, silent, is_cut, ..ListsOutcome::default() });
        }
        if let Some(store) = store.filter(|_| !self.args.center_only) {
            outcome.retention = Some(self.plan_retention(&store, &self.keep())?);
            outcome.is_damaged = super::tell_damages(&store);
        }
        Ok(outcome)
    }
}

/// Warns of a center that dropped more addresses than it was asked to.
fn warn_of_dropped(center: &str, count: usize) {
    warn(format!(
        "center \"{}\" lost {count} addresses that answer and that nobody asked it to remove; they are \
         registered again, and nothing more is removed there",
        shown_url(center)
    ));
}

/// Brings a database of an earlier release up to date, and waits for a run at work if `--wait` asks for that. Probes made
/// before the wait would be out of date afterwards. Returns the context of a run that begins then.
fn bring_up_to_date(lock_wait: &LockWait, signals: &Signals, context: &Context) -> Result<Context> {
    let is_outdated =
        matches!(Store::open_read_only(&context.workdir.database()), Err(StoreError::Outdated { .. }));
    if !is_outdated && !lock_wait.is_any() {
        return Ok(context.clone());
    }
    let held = lock_wait.take(signals, context)?;
    if is_outdated {
        super::open_store(&held.locked, context)?;
    }
    Ok(held.begin(context))
}

fn exit_code(outcome: &PruneOutcome) -> ExitCode {
    let is_partial = outcome.retention.as_ref().is_some_and(|retention| retention.is_partial);
    let retained = if is_partial || outcome.is_damaged { ExitCode::Partly } else { ExitCode::Done };
    let Some(lists) = &outcome.lists else { return retained };
    let braked = if lists.plan.brakes.is_empty() { ExitCode::Done } else { ExitCode::Failed };
    let is_partly = lists.has_failures() || lists.is_cut || !lists.silent.is_empty();
    let partly = if is_partly { ExitCode::Partly } else { ExitCode::Done };
    // Nothing was done where only the lists were to be seen to, and none could be read.
    let is_in_vain = outcome.retention.is_none()
        && lists.plan.decisions.is_empty()
        && lists.silent.iter().any(|silent| !silent.emptied);
    let vain = if is_in_vain { ExitCode::Failed } else { ExitCode::Done };
    braked.or(vain).or(partly).or(retained)
}
