//! `pull`: from the centers' lists to the latest row of every key.

mod output;
mod raw;
mod to_inbox;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use clap::Args;

use crate::address::{base_url, normal_form, shown_url};
use crate::cli::{Format, Global};
use crate::collect::fleet::{ask_known_first, known_of_root};
use crate::collect::intake::{Found, Intake};
use crate::collect::mending::{Depth, Mended, mend};
use crate::collect::outcome::KeyResult;
use crate::collect::run::{Message, Run, WAITING_MESSAGES};
use crate::collect::store_thread::{PullResult, Stop, StoreThread};
use crate::collect::workers::{Queue, Work};
use crate::commands::ping::{PingUrlParser, pinging};
use crate::commands::turn::{FOREVER, Patience};
use crate::commands::{Context, UsageError};
use crate::config::{ChangeRule, parse_duration, parse_size};
use crate::exit::ExitCode;
use crate::fleet::assembly::Fleet;
use crate::fleet::change::Change;
use crate::fleet::ids::IdSource;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::pick;
use crate::fleet::plan::{PullPlan, Selection, Waiting};
use crate::fleet::pull_rules::PullRules;
use crate::fleet::snapshot::{Doubt, Jump};
use crate::io::center::{Client, Options};
use crate::io::clock::{self, Stopwatch};
use crate::io::progress::Progress;
use crate::io::signals::Signals;
use crate::io::store::{Store, Writer};
use crate::io::workdir::Locked;
use crate::memory::Memory;
use crate::names::{Naming, printable};
use crate::ping::PingUrl;
use crate::profile::Limits;

/// Pull, merge and store the coverage of running services.
///
/// Without SERVICE, every service that is due: 15 minutes after its last pull, then 60 minutes, 2 hours
/// and 4 hours while its coverage does not change; at once when it is new, when its addresses changed,
/// or when a peek (one small request an address) shows that its coverage moved. With SERVICE, that one,
/// now. SERVICE is a full name or any unambiguous part of one.
///
/// Data of processes that are gone stays merged in; pulling a process again replaces its counters. An
/// address that fails, or that serves another build, never stops the others: it is named here and in
/// `list`, and the exit code is 3.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct PullArgs {
    /// Services to pull now, due or not.
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,

    /// Pull every service, due or not.
    #[arg(short, long, conflicts_with = "services")]
    force: bool,

    /// Pull this address and store what it serves under SERVICE, listed there or not; with --to-inbox, save it.
    #[arg(long, value_name = "URL")]
    address: Option<String>,

    /// Print one process's profile as it is; nothing is stored.
    #[arg(long, conflicts_with_all = ["force", "dry_run", "adopt", "jitter"])]
    raw: bool,

    /// Save the profile of the process on this host in DIR, for a later pull to take in; what a pod runs before
    /// it ends.
    ///
    /// Touches nothing but DIR, and ends with 0 unless --strict. The process is the one for which goc wrote a
    /// `*_profile_listen_addr`, or that of --address.
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "services", "force", "raw", "output", "adopt", "dry_run", "no_peek", "change", "jitter", "wait", "ping",
        "concurrency", "format",
    ])]
    to_inbox: Option<PathBuf>,

    /// With --to-inbox: the name that the process is registered under [default: `GOC_SERVICE_NAME`, here or in
    /// the environment of the process].
    #[arg(long, value_name = "NAME", requires = "to_inbox", conflicts_with_all = ["services", "force", "raw", "adopt", "dry_run"])]
    service: Option<String>,

    /// With --to-inbox: end with 1 where nothing was saved.
    #[arg(long, requires = "to_inbox", conflicts_with_all = ["services", "force", "raw", "adopt", "dry_run"])]
    strict: bool,

    /// With --raw: write to this file, whole or not at all.
    #[arg(short, long, value_name = "FILE", requires = "raw")]
    output: Option<PathBuf>,

    /// Let the build with this fingerprint take the place of the one that SERVICE shows.
    #[arg(long, value_name = "FINGERPRINT", requires = "services")]
    adopt: Option<String>,

    /// Show what would be pulled, and why; nothing is pulled or stored.
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Do not ask services that are not due whether their coverage moved.
    #[arg(long)]
    no_peek: bool,

    /// What counts as a change.
    #[arg(long, value_enum, value_name = "WHAT")]
    change: Option<ChangeRule>,

    /// Wait a random time up to this first, so that many machines do not pull at the same moment.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    jitter: Option<Duration>,

    /// Wait while another run holds the lock, up to so long or without end; without this: busy, exit code 4.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, num_args = 0..=1)]
    #[arg(default_missing_value = FOREVER, conflicts_with_all = ["raw", "dry_run"])]
    wait: Option<Duration>,

    /// Tell a dead-man's switch there: URL/start at the start, URL when done, URL/CODE for another exit code.
    #[arg(long, value_name = "URL", value_parser = PingUrlParser, conflicts_with_all = ["raw", "dry_run"])]
    ping: Option<PingUrl>,

    /// How many requests run at the same time [default: 16].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: Option<u16>,

    /// For one request with its whole answer [default: 2m].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// For a connection to be made [default: 5s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    connect_timeout: Option<Duration>,

    /// Longest silence within an answer [default: 20s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    read_timeout: Option<Duration>,

    /// For the whole run; what it cuts off stays due [default with --to-inbox: 5s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    deadline: Option<Duration>,

    /// Largest answer, decoded [default: 256MiB].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_body: Option<u64>,

    /// Proxy for all requests; those of the environment are never used.
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl PullArgs {
    /// Returns how requests are made: as `base` says, but for what the command line says.
    fn options(&self, base: Options) -> Options {
        Options {
            connect_timeout: self.connect_timeout.unwrap_or(base.connect_timeout),
            read_timeout: self.read_timeout.unwrap_or(base.read_timeout),
            timeout: self.timeout.unwrap_or(base.timeout),
            limits: Limits { max_bytes: self.max_body.unwrap_or(base.limits.max_bytes), ..base.limits },
            proxy: self.proxy.clone().or(base.proxy.clone()),
            concurrency: self.concurrency.map_or(base.concurrency, usize::from),
            ..base
        }
    }

    fn rules(&self, context: &Context) -> PullRules {
        let config = &context.config.pull;
        PullRules {
            change: self.change.unwrap_or(config.change),
            adopt_by_hand: self.adopt.clone(),
            ..PullRules::from_config(config)
        }
    }

    /// Returns how long to wait first; a person who named services does not wait.
    fn jitter(&self, context: &Context) -> Duration {
        let named = !self.services.is_empty() || self.dry_run;
        let longest = if named { None } else { self.jitter.or(context.config.pull.jitter) };
        longest.unwrap_or_default().mul_f64(fastrand::f64())
    }
}

/// Runs `--to-inbox`, where that was asked for: it needs nothing of what other commands work with.
#[must_use]
pub(crate) fn to_inbox(args: &PullArgs, global: &Global) -> Option<ExitCode> {
    args.to_inbox.as_deref().map(|folder| to_inbox::run(args, folder, global))
}

/// Runs the command.
pub(crate) fn run(args: &PullArgs, context: &Context) -> Result<ExitCode> {
    let options = args.options(context.request_options());
    let client = Client::new(&options)?;
    if args.raw {
        return raw::run(args, context, &client);
    }
    if args.dry_run {
        return dry_run(args, context, &client);
    }
    let url = args.ping.as_ref().or(context.config.pull.ping.as_ref());
    let proxy = options.proxy.clone();
    pinging(url, proxy, context, |begin| locked_pull(args, context, &client, &options, begin))
}

fn locked_pull(
    args: &PullArgs,
    context: &Context,
    client: &Client,
    options: &Options,
    begin: &dyn Fn(),
) -> Result<ExitCode> {
    let signals = Signals::catch().context("cannot catch signals")?;
    // Before the lock is taken: who waits keeps nobody else from working.
    if let Some(signal) = clock::wait(args.jitter(context), &signals) {
        return Ok(ExitCode::of_signal(signal));
    }
    let turn = match Patience::new(args.wait).take(&signals, context)? {
        Ok(turn) => turn,
        Err(code) => return Ok(code),
    };
    begin();
    let context = &turn.begin(context);
    if let Some(kind) = context.workdir.network_file_system() {
        let root = context.workdir.root().display();
        super::warn(format!("{root} is on {kind}: locks and SQLite are not safe there, use a local disk"));
    }
    pull(args, context, client, options, &signals, &turn.locked)
}

fn pull(
    args: &PullArgs,
    context: &Context,
    client: &Client,
    options: &Options,
    signals: &Signals,
    locked: &Locked,
) -> Result<ExitCode> {
    let started = Stopwatch::start();
    let now = context.now();
    let store = super::open_store(locked, context)?;
    tell_what_is_open(&store, locked, now)?;
    crate::collect::mending::tell_left(&locked.sweep_scratch()?);
    if !store.last_run_ended()? {
        let swept = locked.sweep(&store.row_files()?, None, now)?;
        crate::collect::mending::tell_swept(&swept);
    }
    let mut writer = store.writer(locked.held());
    note_start(args, context, &store, &mut writer)?;

    let ids = store.id_source()?;
    let deadline = args.deadline.or(context.config.pull.deadline);
    let known = store.known_fleet()?;
    let time_left = || deadline.map(|deadline| deadline.saturating_sub(started.elapsed()));
    let heard = ask_known_first(client, &context.centers, &known, time_left);
    let fleet = Fleet::assemble(known, heard, &context.config.naming, &ids, now);
    let mut fleet = with_named_address(args, fleet, &ids, context)?;
    let is_over = || Stop::now(signals, deadline, &started).is_some();
    // Whoever fills an inbox must not keep services from being pulled: half of the time is for them.
    let for_inbox = deadline.map(|deadline| deadline / 2);
    let is_enough = || Stop::now(signals, for_inbox, &started).is_some();
    let found = crate::collect::intake::look(&is_enough, context);
    report_silence(&fleet, !found.letters.is_empty(), context)?;
    // Let go one after the other: the first run of a large center has three for each name.
    std::mem::take(&mut fleet.changes).into_iter().try_for_each(|change| writer.apply(&change))?;
    writer.commit()?;

    let stopped = AtomicBool::new(false);
    let (messages, inbox) = mpsc::sync_channel::<Message>(WAITING_MESSAGES);
    let run = Run {
        client,
        locked,
        ids: &ids,
        numbers: store.profile_numbers()?,
        rules: args.rules(context),
        now,
        doubt: Doubt::new(now, store.clock_jumps()?),
        last_before_jump: store.last_before_jump()?,
        seed: fastrand::u64(..),
        messages,
        stopped: &stopped,
        bytes: Arc::default(),
        memory: Memory::new(context.config.pull.memory_bytes),
        structures: Mutex::new(store.structures()?),
        templates: Mutex::default(),
        damaged: Mutex::default(),
    };
    let intake = Intake {
        run: &run,
        store: &store,
        writer: &mut writer,
        messages: &inbox,
        fleet: &mut fleet,
        naming: &context.config.naming,
        limits: options.limits,
        owners: context.config.inbox_owners.as_deref(),
        is_over: &is_enough,
    };
    let found = intake.take(found)?;

    let selection = select(args, &fleet.entries)?;
    let plan = match &args.address {
        Some(address) => {
            let address = normal_form(address);
            PullPlan::for_address(pick(&args.services[0], &fleet.entries)?, &address, &fleet.entries)
        }
        None => PullPlan::make(&fleet.entries, &selection, &run.rules, now),
    };
    plan.waiting.iter().for_each(|waiting| context.explain(output::not_pulled(waiting)));

    let progress = Progress::start(plan.pulls.len(), context.around.stderr_is_terminal && !context.is_quiet);
    let peek = context.config.pull.peek && !args.no_peek && matches!(selection, Selection::Due);
    let queue = Queue::new(&plan, peek);
    let mut store_thread = StoreThread {
        writer: &mut writer,
        stopped: &stopped,
        signals,
        deadline,
        started: &started,
        progress: &progress,
    };
    let work = Work { queue: &queue, store: &store, threads: options.concurrency, messages: &inbox };
    let result = work.carry_out(run, &mut store_thread);
    progress.finish();
    let result = result?;

    let mut mended = Mended::default();
    if result.stop.is_none() {
        accept_emptied_centers(&fleet, &store, now, |change| Ok(writer.apply(change)?))?;
        if args.services.is_empty() {
            fleet.forget_never_pulled().iter().try_for_each(|change| writer.apply(change))?;
        }
        let until = crate::collect::fold::until(context.config.pull.fold_after, now);
        crate::collect::fold::fold(&store, &ids, until, |change| Ok(writer.apply(change)?))?;
        writer.apply(&Change::SnapshotsForgotten(now - crate::collect::intake::REMEMBERED))?;
        let depth = if args.force { Depth::Content } else { Depth::Size };
        mended = mend(&store, locked, depth, is_over, |change| writer.apply(change))?;
    }
    writer.apply(&Change::RunEnded(clock::now()))?;
    writer.commit()?;

    let damages = store.damages();
    let is_whole = damages.is_empty() && mended.lost.is_empty();
    output::print(&result, &found, &damages, &mended, &plan, &fleet, &started, args.format, context)?;
    Ok(exit_code(&result, &found, is_whole, &plan, &selection, &fleet))
}

/// Stores that a run begins, which centers it asks, and whether the clock went back since the last one.
fn note_start(args: &PullArgs, context: &Context, store: &Store, writer: &mut Writer<'_>) -> Result<()> {
    let now = context.now();
    // A URL that cannot be asked may hold a password. Without any other, no center was asked by this run.
    let urls: Vec<String> = context.centers.iter().filter_map(|url| base_url(url).ok()).collect();
    if args.services.is_empty() && !urls.is_empty() {
        // By itself, because a run in which no center answers may end before anything else is stored.
        writer.apply(&Change::CentersAsked { urls, at: now })?;
        writer.commit()?;
    }
    if let Some(jump) = store.last_run_at()?.and_then(|last| Jump::between(last, now)) {
        writer.apply(&Change::ClockWentBack(jump))?;
    }
    Ok(writer.apply(&Change::RunStarted(now))?)
}

/// Says, once a root, what others can read or lock there: an earlier release created it so, and modes of what is
/// there are not changed.
fn tell_what_is_open(store: &Store, locked: &Locked, now: DateTime<Utc>) -> Result<()> {
    const TOPIC: &str = "open to others";
    const NAMED: usize = 3;
    if store.is_told(TOPIC)? {
        return Ok(());
    }
    let open = locked.open_to_others()?;
    if open.is_empty() {
        return Ok(());
    }
    let root = locked.workdir().root().display();
    let shown: Vec<_> = open.iter().take(NAMED).map(|name| printable(name)).collect();
    let more = match open.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    super::warn(format!(
        "other users of this machine can read {}{more} in {root}; to close it (this is said once): cd {root} && \
         chmod -R o= sqlite.db* goc-watchdog.lock goc-watchdog.readers ./*/cov_data",
        shown.join(", ")
    ));
    let mut writer = store.writer(locked.held());
    writer.apply(&Change::Told(TOPIC, now))?;
    Ok(writer.commit()?)
}

/// Adds the name under which `--address` is to be stored, where no center and no database knows it.
fn with_named_address(args: &PullArgs, mut fleet: Fleet, ids: &IdSource, context: &Context) -> Result<Fleet> {
    if args.address.is_none() {
        return Ok(fleet);
    }
    let naming: &Naming = &context.config.naming;
    let [name] = &args.services[..] else {
        bail!(UsageError(
            "--address needs the one SERVICE that it is stored under; see goc-watchdog pull --help"
        ));
    };
    if pick(name, &fleet.entries).is_ok() || !naming.parse(name).is_parsed() {
        return Ok(fleet);
    }
    let (_, changes) = fleet.add_service(name, naming, ids, context.now());
    fleet.changes.extend(changes);
    Ok(fleet)
}

fn select(args: &PullArgs, entries: &[KeyEntry]) -> Result<Selection> {
    if args.force {
        return Ok(Selection::Forced);
    }
    if args.services.is_empty() {
        return Ok(Selection::Due);
    }
    let mut named = BTreeSet::new();
    for query in &args.services {
        let entry = pick(query, entries)?;
        named.insert(entry.id);
    }
    Ok(Selection::Named(named))
}

/// Warns of each center that says nothing or too much, and fails where nothing can be done without it.
fn report_silence(fleet: &Fleet, has_letters: bool, context: &Context) -> Result<()> {
    for (url, message) in &fleet.cut {
        super::warn(format!("center \"{}\" {message}", shown_url(url)));
    }
    for silent in &fleet.silent {
        let known = has_letters || fleet.entries.iter().any(|entry| !entry.addresses().is_empty());
        if !known {
            bail!(
                "center \"{}\": {} (--center, GOC_CENTER or center in the configuration says which center is asked)",
                shown_url(&silent.url),
                silent.message
            );
        }
        super::warn(format!(
            "center \"{}\": {}; pulling the addresses it listed {}",
            shown_url(&silent.url),
            silent.message,
            silent.last_heard.map_or_else(|| "before".to_owned(), |at| output::moment(at, context.now()))
        ));
    }
    Ok(())
}

/// Believes a center that lists nothing once nothing that it listed answers any more.
fn accept_emptied_centers(
    fleet: &Fleet,
    store: &Store,
    now: DateTime<Utc>,
    mut apply: impl FnMut(&Change) -> Result<()>,
) -> Result<()> {
    if !fleet.silent.iter().any(|silent| silent.emptied) {
        return Ok(());
    }
    let states = store.addresses()?;
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
        return Ok(());
    }
    let emptied: Vec<&str> =
        fleet.silent.iter().filter(|silent| silent.emptied).map(|silent| silent.url.as_str()).collect();
    for change in fleet.unlist(&emptied, now) {
        apply(&change)?;
    }
    super::warn("nothing that the emptied center listed answers any more, so its services are offline now");
    Ok(())
}

fn exit_code(
    result: &PullResult,
    found: &Found,
    is_whole: bool,
    plan: &PullPlan<'_>,
    selection: &Selection,
    fleet: &Fleet,
) -> ExitCode {
    let failed = |pulled: &KeyResult| {
        !pulled.failures.is_empty() || !pulled.quarantined.is_empty() || !pulled.faults.is_empty()
    };
    let is_offline = |waiting: &Waiting<'_>| waiting.until.is_none();
    let named_offline = matches!(selection, Selection::Named(_)) && plan.waiting.iter().any(is_offline);
    let partly = !is_whole
        || result.keys.iter().any(failed)
        || found.has_trouble()
        || fleet.is_partial()
        || named_offline;
    match result.stop {
        Some(Stop::Signal(signal)) => ExitCode::of_signal(signal),
        Some(Stop::Deadline) => ExitCode::Partly,
        None if partly => ExitCode::Partly,
        None => ExitCode::Done,
    }
}

/// Shows what would be pulled. Takes no lock, so that it can be run beside a pull.
fn dry_run(args: &PullArgs, context: &Context, client: &Client) -> Result<ExitCode> {
    let (known, ids) = known_of_root(&context.workdir)?;
    let heard = ask_known_first(client, &context.centers, &known, || args.deadline);
    let fleet = Fleet::assemble(known, heard, &context.config.naming, &ids, context.now());
    report_silence(&fleet, false, context)?;
    let selection = select(args, &fleet.entries)?;
    let plan = PullPlan::make(&fleet.entries, &selection, &args.rules(context), context.now());
    output::print_plan(&plan, args.format, context)?;
    Ok(if fleet.is_partial() { ExitCode::Partly } else { ExitCode::Done })
}
