//! `prune`: dead addresses leave the centers' lists, live ones never; and old history goes.

mod output;

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;

use super::Context;
use crate::cli::Format;
use crate::collect::mending::{Depth, Mended, mend};
use crate::commands::ping::{PingUrlParser, pinging};
use crate::commands::turn::{FOREVER, Patience};
use crate::config::{PruneConfig, parse_duration};
use crate::exit::ExitCode;
use crate::fleet::assembly::{Fleet, SilentCenter};
use crate::fleet::liveness::Rules;
use crate::fleet::removal::{Choices, Plan, Tombstone};
use crate::fleet::retention::Keep;
use crate::io::center::{Client, Options};
use crate::io::clock::{Deadline, Stopwatch};
use crate::io::signals::Signals;
use crate::io::store::{Store, StoreError};
use crate::io::workdir::Locked;
use crate::parallel;
use crate::ping::PingUrl;
use crate::prune::lists::Survey;
use crate::prune::probing::Prober;
use crate::prune::removing::{Removal, Remover};
use crate::prune::thinning::Thinning;
use crate::prune::watch::{Restored, Watched};

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

    /// Remove also where so many are dead at once that the fault is likely on this side.
    #[arg(short, long)]
    force: bool,

    /// In how many runs an address has to fail, however it fails.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    confirm_runs: Option<u32>,

    /// Over how long an address has to fail, however it fails.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    confirm_over: Option<Duration>,

    /// Do not register again what was removed and answers now.
    #[arg(long)]
    no_restore: bool,

    /// Register addresses that also stand under a name that is not theirs any more under the right one alone; a
    /// run that cannot ends with 3, and each later one tries again.
    #[arg(long)]
    fix_names: bool,

    /// Keep the newest N profiles of each service and commit, whatever their age [default: 10].
    #[arg(long, value_name = "N")]
    keep: Option<usize>,

    /// Keep profiles that are younger, however many [default: 30].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=36_500))]
    keep_days: Option<u32>,

    /// Drop also all data of services that nobody listed for so long, and data set aside that is so old.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    drop_keys_older_than: Option<Duration>,

    /// Only see to the centers' lists.
    #[arg(long, conflicts_with_all = ["retention_only", "keep", "keep_days", "drop_keys_older_than"])]
    center_only: bool,

    /// Only see to the stored history; no center and no address is asked.
    #[arg(long, conflicts_with_all = ["force", "fix_names", "confirm_runs", "confirm_over", "no_restore"])]
    retention_only: bool,

    /// Wait while another run holds the lock, up to so long or without end; without this: busy, exit code 4.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, num_args = 0..=1)]
    #[arg(default_missing_value = FOREVER, conflicts_with = "dry_run")]
    wait: Option<Duration>,

    /// Tell a dead-man's switch there: URL/start at the start, URL when done, URL/CODE for another exit code.
    #[arg(long, value_name = "URL", value_parser = PingUrlParser, conflicts_with = "dry_run")]
    ping: Option<PingUrl>,

    /// How many addresses are asked at the same time [default: 64].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: Option<u16>,

    /// For a connection to an address, and for its silence [default: 4s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// For all that is asked and done at addresses and centers; what it cuts off stays as it was.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "retention_only")]
    deadline: Option<Duration>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl PruneArgs {
    fn choices(&self, config: &PruneConfig) -> Choices {
        Choices {
            rules: Rules::with(
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

    fn concurrency(&self, config: &PruneConfig) -> usize {
        self.concurrency.map_or(config.concurrency, usize::from)
    }
}

/// Speaks to addresses and centers.
pub(crate) struct Clients {
    /// Gives up on an address early.
    quick: Client,
    /// Has the patience that a list or a profile takes, though none with silence.
    patient: Client,
    /// For the last pulls of addresses, which are broken off together. Waits for an answer as long as `pull` does:
    /// an agent that `pull` can read is alive.
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
        // A connection and two silences: more than that, and something drips.
        let quick = Client::new(&options(timeout.saturating_mul(3)))?;
        let patient = options(pull.timeout.max(timeout));
        let pulling = Options { read_timeout: pull.read_timeout.max(timeout), ..patient.clone() };
        Ok(Self { quick, patient: Client::new(&patient)?, pulling: Client::new(&pulling)? })
    }
}

/// What a run did, or would do.
#[derive(Default)]
pub(crate) struct Done {
    /// What was done about the lists of the centers; `None` where they were let alone.
    lists: Option<Lists>,
    /// What was done about the history; `None` where it was let alone.
    thinning: Option<Thinning>,
    /// A signal ended it.
    has_signal: bool,
    /// Stored profiles that were missing or damaged.
    mended: Mended,
    /// Stored values could not be read, or files not written again.
    is_damaged: bool,
}

/// What a run did about the lists of the centers.
#[derive(Default)]
pub(crate) struct Lists {
    plan: Plan,
    removal: Removal,
    silent: Vec<SilentCenter>,
    restored: Vec<Restored>,
    /// The deadline ended it before all was done.
    is_cut: bool,
}

impl Lists {
    /// Returns how many listed addresses nothing was learnt of.
    fn unasked(&self) -> usize {
        self.plan.judged.iter().filter(|judged| judged.listed.probe.is_none()).count()
    }
}

/// Runs the command.
pub(crate) fn run(args: &PruneArgs, context: &Context) -> Result<ExitCode> {
    let url = args.ping.as_ref().or(context.config.prune.ping.as_ref()).filter(|_| !args.dry_run);
    pinging(url, context.config.pull.proxy.clone(), context, |begin| prune(args, context, begin))
}

pub(crate) fn prune(args: &PruneArgs, context: &Context, begin: &dyn Fn()) -> Result<ExitCode> {
    let started = Stopwatch::start();
    let signals = Signals::catch().context("cannot catch signals")?;
    let clients = Clients::new(args, context)?;
    let patience = Patience::new(args.wait);
    let context = match args.dry_run {
        true => context.clone(),
        false => match bring_up_to_date(&patience, &signals, context)? {
            Ok(context) => context,
            Err(code) => return Ok(code),
        },
    };
    let context = &context;
    let limit = args.deadline.or(context.config.prune.deadline);
    let deadline = Deadline::after(limit);
    let prober = Prober {
        quick: clients.quick.clone(),
        patient: clients.patient.clone(),
        concurrency: args.concurrency(&context.config.prune),
        signals: &signals,
        deadline: Deadline::NONE,
        store: reader(context)?.map(Mutex::new),
    };
    // The other half is for what comes of it, or a long list would never lose its dead addresses.
    let prober = prober.until(Deadline::after(limit.map(|limit| limit / 2)));
    // Without the lock: asking takes its time, and keeps nobody else from working.
    let survey = if args.retention_only { None } else { Survey::take(&prober, context)? };
    if let Some(signal) = signals.received() {
        return Ok(ExitCode::of_signal(signal));
    }
    if args.dry_run {
        return dry_run(args, context, survey, &started);
    }
    let waiting = Stopwatch::start();
    let turn = match patience.take(&signals, context)? {
        Ok(turn) => turn,
        Err(code) => return Ok(code),
    };
    let prober = prober.until(deadline.put_off(waiting.elapsed()));
    begin();
    let mut done = work_and_watch(args, context, &prober, &clients.pulling, survey.as_ref(), turn.locked)?;
    done.has_signal = signals.received().is_some();
    output::print(&done, args.format, false, &started, context)?;
    Ok(match signals.received() {
        Some(signal) => ExitCode::of_signal(signal),
        None => exit_code(&done),
    })
}

/// Does what the lock is needed for, and goes on to watch what was removed when that is let go.
pub(crate) fn work_and_watch(
    args: &PruneArgs,
    context: &Context,
    prober: &Prober<'_>,
    pulling: &Client,
    survey: Option<&Survey>,
    locked: Locked,
) -> Result<Done> {
    let config = &context.config.prune;
    let choices = args.choices(config);
    let (gone, inbox) = mpsc::channel::<Vec<Tombstone>>();
    let recheck: &[Duration] = if choices.restore { &config.recheck } else { &[] };
    thread::scope(|scope| {
        let naming = &context.config.naming;
        // Without a thread, what was removed is watched once the lock is let go.
        let watching =
            parallel::begin(scope, move || crate::prune::watch::watch(&inbox, prober, recheck, naming));
        let work = Work { args, choices: &choices, context, prober, pulling, locked: &locked, gone: &gone };
        let done = work.carry_out(survey);
        drop(locked);
        drop(gone);
        let watched = watching.join();
        let mut done = done?;
        if let Some(lists) = &mut done.lists {
            let Watched { restored, is_cut } = watched?;
            lists.restored = restored;
            lists.is_cut |= is_cut;
        }
        Ok(done)
    })
}

/// Everything that the part of a run under the lock needs.
pub(crate) struct Work<'a> {
    args: &'a PruneArgs,
    choices: &'a Choices,
    context: &'a Context,
    prober: &'a Prober<'a>,
    pulling: &'a Client,
    locked: &'a Locked,
    gone: &'a mpsc::Sender<Vec<Tombstone>>,
}

impl Work<'_> {
    fn carry_out(&self, survey: Option<&Survey>) -> Result<Done> {
        let Self { args, context, prober, locked, .. } = *self;
        let store = super::open_store(locked, context)?;
        let mut done = Done::default();
        if let Some(survey) = survey {
            done.lists = Some(self.remove(survey, &store)?);
        }
        // Whatever the deadline, or a disk could fill: nobody else is waited for here.
        if !args.center_only && prober.signals.received().is_none() {
            let mut thinning = Thinning::plan(&store, &args.keep(&context.config.prune), context)?;
            let keep = args.keep(&context.config.prune);
            thinning.carry_out(&store, locked, &keep, prober.signals, context)?;
            done.thinning = Some(thinning);
            let mut writer = store.writer(locked.held());
            let is_over = || prober.signals.received().is_some();
            done.mended = mend(&store, locked, Depth::Content, is_over, |change| writer.apply(change))?;
            writer.commit()?;
        }
        done.is_damaged = super::tell_damages(&store) || !done.mended.lost.is_empty();
        Ok(done)
    }

    /// Plans on what the centers list now, remembers who failed, and carries the plan out.
    fn remove(&self, survey: &Survey, store: &Store) -> Result<Lists> {
        let Self { choices, context, prober, pulling, locked, gone, .. } = *self;
        let now = context.now();
        let naming = &context.config.naming;
        let ids = store.id_source()?;
        let heard = survey.ask_again(prober, &context.centers);
        let answered = crate::prune::lists::answered(&heard);
        let mut fleet = Fleet::assemble(store.known_fleet()?, heard, naming, &ids, now);
        fleet.silent.extend(survey.silent());
        let suspicions = store.suspicions()?;
        let situation =
            crate::prune::lists::situation(&fleet, survey, &suspicions, store.tombstones()?, answered, now);
        let plan = Plan::make(situation, choices);

        let mut writer = store.writer(locked.held());
        for change in fleet.changes.iter().chain(&crate::prune::lists::remember(
            &plan,
            &fleet,
            &suspicions,
            naming,
            now,
        )) {
            writer.apply(change)?;
        }
        writer.commit()?;
        drop(writer);
        let (ids, roster_now) = (&ids, &fleet);
        let remover = Remover { context, prober, pulling, locked, store, ids, fleet: roster_now, gone };
        let removal = remover.carry_out(&plan)?;
        let is_cut = survey.is_cut || removal.is_cut;
        Ok(Lists { plan, removal, silent: fleet.silent, restored: Vec::new(), is_cut })
    }
}

/// Prints what would be done. Takes no lock, so that it can be run beside anything.
pub(crate) fn dry_run(
    args: &PruneArgs,
    context: &Context,
    survey: Option<Survey>,
    started: &Stopwatch,
) -> Result<ExitCode> {
    let config = &context.config.prune;
    let store = reader(context)?;
    let mut done = Done::default();
    if let Some(survey) = survey {
        let (suspicions, tombstones) = match &store {
            Some(store) => (store.suspicions()?, store.tombstones()?),
            None => Default::default(),
        };
        let (fleet, answered, now) = (&survey.fleet, survey.answered.clone(), context.now());
        let is_cut = survey.is_cut;
        let situation =
            crate::prune::lists::situation(fleet, &survey, &suspicions, tombstones, answered, now);
        let plan = Plan::make(situation, &args.choices(config));
        done.lists = Some(Lists { plan, silent: survey.fleet.silent, is_cut, ..Lists::default() });
    }
    if let Some(store) = store.filter(|_| !args.center_only) {
        done.thinning = Some(Thinning::plan(&store, &args.keep(config), context)?);
        done.is_damaged = super::tell_damages(&store);
    }
    output::print(&done, args.format, true, started, context)?;
    Ok(exit_code(&done))
}

/// Opens the database for reading; `None` where there is none yet.
pub(crate) fn reader(context: &Context) -> Result<Option<Store>> {
    match Store::open_read_only(&context.workdir.database()) {
        Ok(store) => Ok(Some(store)),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Lets a database of an earlier release have what this one reads, and waits for the run that is at work
/// where it may: what addresses answered before that would be old when they are judged by it. Returns the
/// context of a run that begins then, or what this one ends with.
pub(crate) fn bring_up_to_date(
    patience: &Patience,
    signals: &Signals,
    context: &Context,
) -> Result<Result<Context, ExitCode>> {
    let is_outdated =
        matches!(Store::open_read_only(&context.workdir.database()), Err(StoreError::Outdated { .. }));
    if !is_outdated && !patience.is_any() {
        return Ok(Ok(context.clone()));
    }
    let turn = match patience.take(signals, context)? {
        Ok(turn) => turn,
        Err(code) => return Ok(Err(code)),
    };
    if is_outdated {
        super::open_store(&turn.locked, context)?;
    }
    Ok(Ok(turn.begin(context)))
}

pub(crate) fn exit_code(done: &Done) -> ExitCode {
    let thinned = match &done.thinning {
        Some(thinning) if thinning.is_partial => ExitCode::Partly,
        _ => ExitCode::Done,
    };
    let thinned = if done.is_damaged { thinned.or(ExitCode::Partly) } else { thinned };
    let Some(lists) = &done.lists else { return thinned };
    let is_short = lists.removal.has_failures() || lists.restored.iter().any(|it| it.error.is_some());
    let braked = if lists.plan.brakes.is_empty() { ExitCode::Done } else { ExitCode::Failed };
    let is_partly = is_short || lists.is_cut || !lists.silent.is_empty();
    let partly = if is_partly { ExitCode::Partly } else { ExitCode::Done };
    // Where the lists were all that there was to do, and none could be read, nothing was done.
    let is_in_vain = done.thinning.is_none()
        && lists.plan.judged.is_empty()
        && lists.silent.iter().any(|silent| !silent.emptied);
    let vain = if is_in_vain { ExitCode::Failed } else { ExitCode::Done };
    braked.or(vain).or(partly).or(thinned)
}
