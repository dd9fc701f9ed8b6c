//! `prune`: removes dead addresses from the centers' lists, never living ones, and deletes old history.

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
use crate::commands::notices::{tell_left, tell_mended, tell_nothing_stored, tell_swept};
use crate::commands::ping::{PingUrlParser, pinging};
use crate::commands::report::notices;
use crate::commands::targets::{TargetArgs, tell_nothing_to_remove};
use crate::config::{PruneConfig, parse_duration, parse_whole};
use crate::exit::ExitCode;
use crate::fleet::liveness::LivenessRules;
use crate::fleet::removal::RemovalOptions;
use crate::fleet::retention::RetentionRules;
use crate::io::center::{Client, RequestOptions};
use crate::io::clock::{Deadline, Stopwatch};
use crate::io::progress::StageProgress;
use crate::io::signals::Signals;
use crate::io::store::{Store, StoreError};
use crate::io::targets::SourceBounds;
use crate::ping::PingUrl;
use crate::prune::PruneInputs;
use crate::prune::event::PruneEvent;
use crate::prune::outcome::PruneOutcome;
use crate::prune::probe::Prober;
use crate::prune::probe_round::ProbeRound;
use crate::prune::run::{self, PruneRun};

/// Remove dead addresses from the centers' lists, and drop old profiles.
///
/// A process registers only once, at its start, so a living one that is removed is lost until it starts again.
/// Therefore an address at which an agent answers stays, whatever it serves. Other addresses are asked several times,
/// and one that fails is only suspect. It is dead when it refused connections in 2 runs at least 5 minutes apart, or
/// when it was silent, out of reach, or had an unknown name in 3 runs over at least 30 minutes. Its coverage stays.
///
/// Nothing is removed from a center if more than half of its addresses would be removed at once (of fewer than four:
/// all), because then the fault is probably on this side; the exit code is 1. An address that answers again within 7
/// days of its removal is registered again.
///
/// Profiles that are older than 30 days and not among the newest 10 of their service and commit are deleted, with the
/// reports beside them. Their totals stay in `history`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  goc-watchdog prune --dry-run")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct PruneArgs {
    #[command(flatten)]
    targets: TargetArgs,

    /// Show the planned actions with their reasons; nothing is removed or stored.
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Remove dead addresses even if so many died at once that the fault is probably on this side.
    #[arg(short, long)]
    force: bool,

    /// Number of runs in which an address has to fail before it is dead, for every kind of failure.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    confirm_runs: Option<u32>,

    /// Time over which an address has to fail before it is dead, for every kind of failure.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    confirm_over: Option<Duration>,

    /// Do not register removed addresses again when they answer.
    #[arg(long)]
    no_restore: bool,

    /// Register addresses with a stale name under their right name only. If that fails, the exit code is 3, and each
    /// later run tries again.
    #[arg(long)]
    fix_names: bool,

    /// Keep the newest N profiles of each service and commit at any age [default: 10].
    #[arg(long, value_name = "N", value_parser = parse_whole::<usize>, allow_hyphen_values = true)]
    keep: Option<usize>,

    /// Keep all profiles that are younger than this number of days [default: 30].
    #[arg(long, value_name = "DAYS", value_parser = parse_days, allow_hyphen_values = true)]
    keep_days: Option<u32>,

    /// Drop also all data of services that no center listed for this time, and data set aside that is so old.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, allow_hyphen_values = true)]
    drop_keys_older_than: Option<Duration>,

    /// Clean only the lists of the centers; the stored history does not change.
    #[arg(long, conflicts_with_all = ["retention_only", "keep", "keep_days", "drop_keys_older_than"])]
    center_only: bool,

    /// Clean only the stored history; no center and no address is asked.
    #[arg(long, conflicts_with_all = ["force", "fix_names", "confirm_runs", "confirm_over", "no_restore"])]
    retention_only: bool,

    /// Wait while another run holds the lock, up to this time, or without a limit if no time is given; without --wait
    /// the run ends with exit code 4.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, num_args = 0..=1)]
    #[arg(default_missing_value = FOREVER, conflicts_with = "dry_run")]
    wait: Option<Duration>,

    /// Ping a dead-man's switch: URL/start at the start, URL at the end, URL/CODE after another exit code than 0.
    #[arg(long, value_name = "URL", value_parser = PingUrlParser, conflicts_with = "dry_run")]
    ping: Option<PingUrl>,

    /// Number of addresses that are asked at the same time [default: 64].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: Option<u16>,

    /// Time limit for connecting to an address, and for its silence [default: 4s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// Time limit for the work at addresses and centers; addresses that it cuts off stay as they were.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "retention_only")]
    deadline: Option<Duration>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Reads a number of days.
fn parse_days(text: &str) -> Result<u32, String> {
    const MOST: u32 = 36_500;
    let in_range = |number: &str| number.parse().ok().filter(|days: &u32| *days <= MOST);
    in_range(text).ok_or_else(|| {
        let example = text.strip_suffix('d').and_then(in_range).unwrap_or(30);
        format!("expected a number of days from 0 to {MOST}, such as {example}")
    })
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
            groups: &context.config.groups,
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
    /// The client for lists and profiles has the time limit of `pull` for a whole request, but that of a probe for
    /// silence.
    patient: Client,
    /// The client for the last pulls has the time limits of `pull`, because an agent that `pull` can read is alive.
    /// These requests have their own client, because the end of a run aborts them together.
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
        // An address that takes longer than a connection and two silences sends too slowly.
        let quick = Client::new(&options(timeout.saturating_mul(3)))?;
        let patient = options(pull.timeout.max(timeout));
        let pulling = RequestOptions { read_timeout: pull.read_timeout.max(timeout), ..patient.clone() };
        Ok(Self { quick, patient: Client::new(&patient)?, pulling: Client::new(&pulling)? })
    }
}

/// Runs the command.
pub(crate) fn run(args: &PruneArgs, context: &Context) -> Result<ExitCode> {
    let context = &context.with_targets(&args.targets)?;
    if !args.retention_only {
        context.check_centers()?;
    }
    let url = args.ping.as_ref().or(context.config.prune.ping.as_ref()).filter(|_| !args.dry_run);
    pinging(url, context.config.pull.proxy.clone(), context, |begin| {
        let signals = Signals::catch().context("cannot catch signals")?;
        let deadline = Deadline::after(args.deadline.or(context.config.prune.deadline)).half();
        let max_targets = context.config.pull.max_addresses;
        let bounds = SourceBounds { deadline, signals: &signals, max_targets };
        let told = match args.retention_only {
            true => ExitCode::Done,
            false => tell_nothing_to_remove(&args.targets, bounds, context),
        };
        Ok(prune(args, context, &signals, begin)?.or(told))
    })
}

fn prune(args: &PruneArgs, context: &Context, signals: &Signals, begin: &dyn Fn()) -> Result<ExitCode> {
    let started = Stopwatch::start();
    // Retention has nothing to do without a database, so it makes none.
    let stores_nothing = args.dry_run || args.retention_only && !context.workdir.database().exists();
    tell_nothing_stored(!stores_nothing, context);
    let clients = Clients::new(args, context)?;
    let lock_wait = LockWait::new(args.wait);
    let context = match stores_nothing {
        true => context.clone(),
        false => bring_up_to_date(&lock_wait, signals, context)?,
    };
    let context = &context;
    let inputs = &args.inputs(context);
    let deadline = Deadline::after(args.deadline.or(context.config.prune.deadline));
    let prober = Prober {
        quick: clients.quick,
        patient: clients.patient,
        concurrency: args.concurrency(&context.config.prune),
        signals,
        deadline: Deadline::NONE,
        store: open_reader(&context.workdir)?.map(Mutex::new),
        progress: StageProgress::new(context.environment.stderr_is_terminal && !context.is_quiet),
    };
    // The other half of the deadline is for the removals. Otherwise a long list would never lose its dead addresses.
    let prober = prober.until(deadline.half());
    // Probes take a while, so they run without the lock, which other runs may need.
    let round = if args.retention_only { None } else { ProbeRound::run(&prober, inputs)? };
    prober.progress.clear();
    if let Some(signal) = signals.received() {
        return Ok(ExitCode::from_signal(signal));
    }
    if stores_nothing {
        let outcome = run::plan(inputs, &context.workdir, round)?;
        output::print(&outcome, args.format, args.dry_run, &started, context)?;
        return Ok(exit_code(&outcome));
    }
    let waiting = Stopwatch::start();
    let held = lock_wait.take(signals, context)?;
    let prober = prober.until(deadline.put_off(waiting.elapsed()));
    begin();
    let store = super::open_store(&held.locked, context)?;
    let on_event = |event: PruneEvent<'_>| prober.progress.beside(|| tell_event(&event, context));
    let notify = |notice| prober.progress.beside(|| notices::print(notice, context));
    let source = notices::source_settings(context, signals, &notify);
    let run = PruneRun { inputs, prober: &prober, pulling: &clients.pulling, source, on_event: &on_event };
    let outcome = run.carry_out(round.as_ref(), held.locked, store);
    prober.progress.clear();
    let outcome = outcome?;
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
        PruneEvent::Damaged(damages) => damages.iter().for_each(fail),
        PruneEvent::Mended(mended) => tell_mended(mended, &context.workdir),
    }
}

/// Brings a database of an earlier release up to date, and waits for another run if `--wait` was given. The wait comes
/// before the probes, which would be out of date after it. Returns the context of the run, which begins after the wait.
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
    // The run did nothing if only the lists were to be cleaned and none could be read.
    let is_in_vain = outcome.retention.is_none()
        && lists.plan.decisions.is_empty()
        && lists.silent.iter().any(|silent| !silent.emptied);
    let vain = if is_in_vain { ExitCode::Failed } else { ExitCode::Done };
    braked.or(vain).or(partly).or(retained)
}
