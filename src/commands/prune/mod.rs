//! `prune`: dead addresses leave the centers' lists, live ones never; and old history goes.

mod lines;
mod output;
mod summary;

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;

use super::{Context, fail, warn};
use crate::address::shown_url;
use crate::cli::Format;
use crate::collect::fleet::open_reader;
use crate::commands::lock_wait::{FOREVER, LockWait, tell_short_wait};
use crate::commands::notices::{tell_left, tell_mended, tell_swept};
use crate::commands::ping::{PingUrlParser, pinging};
use crate::config::{PruneConfig, parse_duration};
use crate::exit::ExitCode;
use crate::fleet::liveness::LivenessRules;
use crate::fleet::removal::RemovalOptions;
use crate::fleet::retention::RetentionRules;
use crate::io::center::{Client, RequestOptions};
use crate::io::clock::{Deadline, Stopwatch};
use crate::io::signals::Signals;
use crate::io::store::{Store, StoreError};
use crate::ping::PingUrl;
use crate::prune::PruneInputs;
use crate::prune::event::PruneEvent;
use crate::prune::outcome::PruneOutcome;
use crate::prune::probe::Prober;
use crate::prune::probe_round::ProbeRound;
use crate::prune::run::{self, PruneRun};

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

    fn keep(&self, config: &PruneConfig) -> Option<RetentionRules> {
        let days = self.keep_days.unwrap_or(config.keep_days);
        let keep = RetentionRules {
            newest: self.keep.unwrap_or(config.keep),
            younger_than: Duration::from_secs(u64::from(days) * 24 * 3600),
            keys_younger_than: self.drop_keys_older_than.or(config.drop_keys_older_than),
        };
        (!self.center_only).then_some(keep)
    }

    fn inputs<'a>(&self, context: &'a Context) -> PruneInputs<'a> {
        PruneInputs {
            naming: &context.config.naming,
            centers: &context.centers,
            prune: &context.config.prune,
            pull: &context.config.pull,
            options: self.removal_options(&context.config.prune),
            keep: self.keep(&context.config.prune),
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
        let options = |whole| RequestOptions {
            connect_timeout: timeout,
            read_timeout: timeout,
            timeout: whole,
            concurrency: args.concurrency(prune),
            ..context.request_options()
        };
        // An address that takes longer than a connection and two silences drips.
        let quick = Client::new(&options(timeout.saturating_mul(3)))?;
        let patient = options(pull.timeout.max(timeout));
        let pulling = RequestOptions { read_timeout: pull.read_timeout.max(timeout), ..patient.clone() };
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
    let inputs = &args.inputs(context);
    let deadline = Deadline::after(args.deadline.or(context.config.prune.deadline));
    let prober = Prober {
        quick: clients.quick,
        patient: clients.patient,
        concurrency: args.concurrency(&context.config.prune),
        signals: &signals,
        deadline: Deadline::NONE,
        store: open_reader(&context.workdir)?.map(Mutex::new),
    };
    // The other half is for the removals, or a long list would never lose its dead addresses.
    let prober = prober.until(deadline.half());
    // Probes take a while, so they run without the lock, which other runs may need.
    let round = if args.retention_only { None } else { ProbeRound::run(&prober, inputs)? };
    if let Some(signal) = signals.received() {
        return Ok(ExitCode::from_signal(signal));
    }
    if args.dry_run {
        let outcome = run::plan(inputs, &context.workdir, round)?;
        output::print(&outcome, args.format, true, &started, context)?;
        return Ok(exit_code(&outcome));
    }
    let waiting = Stopwatch::start();
    let held = lock_wait.take(&signals, context)?;
    let prober = prober.until(deadline.put_off(waiting.elapsed()));
    begin();
    let store = super::open_store(&held.locked, context)?;
    let on_event = |event: PruneEvent<'_>| tell_event(&event, context);
    let run = PruneRun { inputs, prober: &prober, pulling: &clients.pulling, on_event: &on_event };
    let outcome = run.carry_out(round.as_ref(), held.locked, store)?;
    output::print(&outcome, args.format, false, &started, context)?;
    Ok(match signals.received() {
        Some(signal) => ExitCode::from_signal(signal),
        None => exit_code(&outcome),
    })
}

fn tell_event(event: &PruneEvent<'_>, context: &Context) {
    match event {
        PruneEvent::Dropped { center, count } => warn(format!(
            "center \"{}\" lost {count} addresses that answer and that nobody asked it to remove; they are \
             registered again, and nothing more is removed there",
            shown_url(center)
        )),
        PruneEvent::LinkInTheWay(link) => fail(link),
        PruneEvent::WaitsForReaders => tell_short_wait("reports are being read", context),
        PruneEvent::Swept(swept) => tell_swept(swept),
        PruneEvent::ScratchLeft(left) => tell_left(left),
        PruneEvent::Mended(mended) => tell_mended(mended, &context.workdir),
    }
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
    let retained = if is_partial || outcome.is_damaged() { ExitCode::Partly } else { ExitCode::Done };
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
