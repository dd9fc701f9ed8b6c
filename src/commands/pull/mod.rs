//! `pull`: its arguments, the order of its steps, and its exit code.

mod dry_run;
mod inbox_messages;
mod messages;
mod output;
mod raw;
mod table;
pub(crate) mod to_inbox;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser as _};
use clap::{Args, ValueEnum};

use self::messages::ToldNames;
use crate::address::{base_url, typed_address};
use crate::cli::Format;
use crate::collect;
use crate::collect::fleet::GivenSource;
use crate::collect::outcome::KeyResult;
use crate::collect::pull::{PullInputs, PullOutcome, PullRequest};
use crate::collect::run::Adapters;
use crate::collect::store_thread::StopReason;
use crate::collect::upkeep;
use crate::commands::Context;
use crate::commands::group::refuse_group;
use crate::commands::lock_wait::{FOREVER, LockWait};
use crate::commands::narrow::NarrowArgs;
use crate::commands::ping::{PingUrlParser, pinging};
use crate::commands::targets::TargetArgs;
use crate::config::{parse_duration, parse_size};
use crate::exit::{EarlyEnd, ExitCode};
use crate::fleet::pick::ServiceQuery;
use crate::fleet::pull_rules::{ChangeRule, PullRules};
use crate::io::center::{Client, RequestOptions};
use crate::io::clock::{self, Deadline, Stopwatch};
use crate::io::signals::Signals;
use crate::io::targets::SourceBounds;
use crate::io::workdir::LockedWorkdir;
use crate::names::in_message;
use crate::ping::PingUrl;
use crate::profile::Limits;

/// Pull, merge and store the coverage of running services.
///
/// Without SERVICE, every due service is pulled. A service is due 15 minutes after its last pull, then after 60
/// minutes, 2 hours and 4 hours while its coverage does not change. It is due at once when it is new, when its
/// addresses changed, or when a peek (one small request for each address) shows that its coverage changed. With
/// SERVICE, only that service is pulled, at once. SERVICE is a full name, an app, or any part of a name, and means all
/// commits that run. --env, --region, --branch and --commit narrow the services that are pulled, with SERVICE or
/// without.
///
/// Data of ended processes stays in the totals. Pulling a process again replaces its counters. An address that fails or
/// serves another build never stops the others: a message and `list` name it, and the exit code is 3.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  goc-watchdog pull\n  goc-watchdog pull cart --center http://center:7777"
)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct PullArgs {
    /// Services to pull now, due or not.
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,

    #[command(flatten)]
    narrow: NarrowArgs,

    /// Pull only the commit that begins with this.
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,

    /// Pull every service, due or not.
    #[arg(short, long)]
    force: bool,

    #[command(flatten)]
    targets: TargetArgs,

    /// Pull only this address and store its data under SERVICE, even if it is not listed there; with --to-inbox, save
    /// its data.
    #[arg(long, value_name = "URL|HOST:PORT",
        value_parser = StringValueParser::new().map(|address| typed_address(&address)))]
    address: Option<String>,

    /// Print the unchanged profile of one process; nothing is stored.
    #[arg(long, conflicts_with_all = ["force", "dry_run", "adopt", "jitter"])]
    raw: bool,

    /// Save the profile of the process on this host in DIR, for a later pull; a hook for the end of a pod.
    ///
    /// The command writes only to DIR, and without --strict the exit code is always 0. The process is the one for
    /// which goc wrote a `*_profile_listen_addr`, or that of --address.
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "services", "force", "raw", "output", "adopt", "dry_run", "no_peek", "change", "jitter", "wait", "ping",
        "concurrency", "format", "targets", "env", "region", "branch", "commit",
    ])]
    to_inbox: Option<PathBuf>,

    /// With --to-inbox: the registered name of the process [default: `GOC_SERVICE_NAME`, in this environment or in that
    /// of the process; else made of `POD_NAMESPACE`, `POD_APP` and what its agent tells].
    #[arg(long, value_name = "NAME", requires = "to_inbox", conflicts_with_all = ["services", "force", "raw", "adopt", "dry_run"])]
    service: Option<String>,

    /// With --to-inbox: end with exit code 1 if nothing was saved.
    #[arg(long, requires = "to_inbox", conflicts_with_all = ["services", "force", "raw", "adopt", "dry_run"])]
    strict: bool,

    /// With --raw: write to this file, which is replaced as a whole.
    #[arg(short, long, value_name = "FILE", requires = "raw")]
    output: Option<PathBuf>,

    /// Adopt the build with this fingerprint: SERVICE shows its coverage from now on.
    #[arg(long, value_name = "FINGERPRINT", requires = "services")]
    adopt: Option<String>,

    /// Show the services that would be pulled, with the reasons; nothing is pulled or stored.
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Do not peek at services that are not due.
    #[arg(long)]
    no_peek: bool,

    /// Kind of change that stores a new row.
    #[arg(long, value_enum, value_name = "WHAT")]
    change: Option<ChangeRule>,

    /// Wait a random time up to this before the run, so that many machines do not pull at the same moment.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    jitter: Option<Duration>,

    /// Wait while another run holds the lock, up to this time, or without a limit if no time is given; without --wait
    /// the run ends with exit code 4.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, num_args = 0..=1)]
    #[arg(default_missing_value = FOREVER, conflicts_with_all = ["raw", "dry_run"])]
    wait: Option<Duration>,

    /// Ping a dead-man's switch: URL/start at the start, URL at the end, URL/CODE after another exit code than 0.
    #[arg(long, value_name = "URL", value_parser = PingUrlParser, conflicts_with_all = ["raw", "dry_run"])]
    ping: Option<PingUrl>,

    /// Number of requests at the same time [default: 16].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: Option<u16>,

    /// Time limit of a request with its whole answer [default: 2m].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// Time limit for making a connection [default: 5s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    connect_timeout: Option<Duration>,

    /// Longest silence within an answer [default: 20s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    read_timeout: Option<Duration>,

    /// Time limit of the whole run; services that it cuts off stay due [default with --to-inbox: 5s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    deadline: Option<Duration>,

    /// Largest size of a decoded answer [default: 256MiB].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_body: Option<u64>,

    /// Proxy for all requests; proxies of the environment are never used.
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl ValueEnum for ChangeRule {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Covered => "A block became covered",
            Self::Counts => "Any counter moved",
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

impl PullArgs {
    /// Returns the options of requests: those in `base`, replaced by those of the command line.
    fn options(&self, base: RequestOptions) -> RequestOptions {
        RequestOptions {
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
            are_details_read: context.is_verbose,
            ..config.rules()
        }
    }

    /// Returns the random wait before the run, which is zero if a person named services.
    fn jitter(&self, context: &Context) -> Duration {
        let named = !self.services.is_empty() || self.dry_run;
        let longest = if named { None } else { self.jitter.or(context.config.pull.jitter) };
        longest.unwrap_or_default().mul_f64(fastrand::f64())
    }
}

impl PullArgs {
    /// Returns the folder of `--to-inbox`, which needs neither root nor configuration.
    pub(crate) fn inbox(&self) -> Option<&Path> {
        self.to_inbox.as_deref()
    }

    fn query<'a>(&'a self, service: &'a str) -> ServiceQuery<'a> {
        self.narrow.query(service, self.commit.as_deref())
    }

    /// Returns the fields by which all services are narrowed; `None` if none was given.
    fn fields(&self) -> Option<ServiceQuery<'_>> {
        Some(self.query("")).filter(|fields| !fields.is_everything())
    }

    fn request<'a>(&'a self, context: &'a Context, options: &RequestOptions) -> PullRequest<'a> {
        PullRequest {
            groups: &context.config.groups,
            services: self.services.iter().map(|service| self.query(service)).collect(),
            fields: self.fields(),
            address: self.address.as_deref(),
            is_forced: self.force,
            may_peek: context.config.pull.peek && !self.no_peek,
            rules: self.rules(context),
            limits: options.limits,
            concurrency: options.concurrency,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &PullArgs, context: &Context) -> Result<ExitCode> {
    if args.services.is_empty() && args.raw && args.fields().is_some() {
        bail!(EarlyEnd::Usage(
            "--raw with --env, --region, --branch or --commit needs a SERVICE; see goc-watchdog pull --help"
        ));
    }
    if let Some(address) = &args.address {
        base_url(address).map_err(|error| EarlyEnd::Refused(format!("--address: {error}")))?;
    }
    let context = &context.with_targets(&args.targets)?;
    context.check_centers()?;
    context.check_commands()?;
    let options = args.options(context.request_options());
    let client = Client::new(&options)?;
    if args.raw {
        return raw::run(args, context, &client);
    }
    if args.dry_run {
        return dry_run::dry_run(args, context, &client, &options);
    }
    let url = args.ping.as_ref().or(context.config.pull.ping.as_ref());
    let proxy = options.proxy.clone();
    pinging(url, proxy, context, |begin| locked_pull(args, context, &client, &options, begin))
}

fn locked_pull(
    args: &PullArgs,
    context: &Context,
    client: &Client,
    options: &RequestOptions,
    begin: &dyn Fn(),
) -> Result<ExitCode> {
    let signals = Signals::catch().context("cannot catch signals")?;
    // The wait comes before the lock, so that it does not block other runs.
    if let Some(signal) = clock::wait(args.jitter(context), &signals) {
        return Ok(ExitCode::from_signal(signal));
    }
    let sources = Sources::begin(args, context, &signals);
    if let Some(signal) = signals.received() {
        return Ok(ExitCode::from_signal(signal));
    }
    let held = LockWait::new(args.wait).take(&signals, context)?;
    begin();
    let context = &held.begin(context);
    if held.locked.is_new {
        messages::tell_new_root(context);
    }
    if let Some(kind) = context.workdir.network_file_system() {
        let root = context.workdir.root().display();
        super::warn(format!("{root} is on {kind}: locks and SQLite are not safe there, use a local disk"));
    }
    let request = args.request(context, options);
    pull(&request, sources, (args, context), client, (&signals, &held.locked))
}

/// The sources of targets of a run.
struct Sources {
    given: Vec<GivenSource>,
    /// The time that is left for the run once standard input was read.
    time_left: Option<Duration>,
    /// The part of it that is left for the other sources.
    left_to_read: Option<Duration>,
}

impl Sources {
    /// Reads standard input before anybody is kept from the lock.
    fn begin(args: &PullArgs, context: &Context, signals: &Signals) -> Self {
        let run = Deadline::after(args.deadline.or(context.config.pull.deadline));
        let deadline = run.half();
        let max_targets = context.config.pull.max_addresses;
        let given = GivenSource::begin(&context.sources, SourceBounds { deadline, signals, max_targets });
        Self { given, time_left: run.left(), left_to_read: deadline.left() }
    }
}

/// Does the steps under the lock, and prints the outcome of each before the next one.
fn pull(
    request: &PullRequest<'_>,
    sources: Sources,
    (args, context): (&PullArgs, &Context),
    client: &Client,
    (signals, locked): (&Signals, &LockedWorkdir),
) -> Result<ExitCode> {
    if args.address.is_some() && args.services.len() != 1 {
        bail!(EarlyEnd::Usage(
            "--address needs the one SERVICE that it is stored under; see goc-watchdog pull --help"
        ));
    }
    if let (Some(_), [service]) = (&args.address, &args.services[..]) {
        refuse_group(service, "pull --address URL", context, &[])?;
    }
    if let Some(build) = &args.adopt {
        let command = format!("pull --adopt {}", in_message(build));
        args.services.iter().try_for_each(|service| refuse_group(service, &command, context, &[]))?;
    }
    let started = Stopwatch::start();
    let deadline = Deadline::after(sources.time_left);
    let store = &super::open_store(locked, context)?;
    let inputs = &PullInputs {
        adapters: Adapters { client, signals, locked, store, deadline, now: context.now() },
        config: &context.config,
        centers: &context.centers,
        are_centers_named: !context.named_centers.is_empty(),
        sources_until: Deadline::after(sources.left_to_read),
        shows_progress: context.environment.stderr_is_terminal && !context.is_quiet,
    };
    let tidied = upkeep::tidy(inputs)?;
    messages::tell_tidied(&tidied, &context.workdir);
    upkeep::remember_told(inputs, &tidied)?;
    let mut sources = collect::pull::gather(inputs, request, sources.given)?;
    inbox_messages::tell_left_outside(&sources.inbox, context);
    // An address by hand needs nobody who lists it.
    let is_by_hand = request.address.is_some();
    let may_take_in = sources.inbox.has_any();
    if !may_take_in {
        messages::tell_silence(&sources.fleet, is_by_hand, context)?;
    }
    let started_pull = collect::pull::take_in(inputs, request, &mut sources)?;
    messages::tell_new_names(started_pull.fleet, ToldNames::Once, context);
    inbox_messages::tell_not_removed(&started_pull.inbox);
    if may_take_in {
        let can_go_on = is_by_hand || started_pull.inbox.took_in_any();
        messages::tell_silence(started_pull.fleet, can_go_on, context)
            .inspect_err(|_| inbox_messages::tell_inboxes(&started_pull.inbox, context))?;
    }
    let (planned, refused) = match collect::pull::plan(inputs, request, started_pull.fleet) {
        Ok(planned) => (planned, None),
        // The files are gone from the inbox, so their services are settled before the run ends.
        Err(error) if started_pull.inbox.took_in_any() => {
            (collect::pull::plan_taken_in(inputs, request, started_pull.fleet), Some(error))
        }
        Err(error) => return Err(error),
    };
    messages::tell_named(request, &started_pull.fleet.entries, context);
    messages::tell_waiting(&planned, &started_pull, request.may_peek, context);
    let mut outcome = collect::pull::pull(inputs, request, started_pull, planned)?;
    messages::tell_not_due(&outcome, request.may_peek, context);
    messages::tell_house_keeping(&outcome, context);
    if let Some(error) = outcome.mended.stopped_by.take() {
        return Err(error);
    }
    messages::tell(&outcome, context);
    output::print(&outcome, started.elapsed(), args.format, context)?;
    refused.map_or_else(|| Ok(exit_code(&outcome)), Err)
}

fn exit_code(outcome: &PullOutcome<'_>) -> ExitCode {
    let failed = |pulled: &KeyResult| {
        !pulled.failures.is_empty() || !pulled.quarantined.is_empty() || !pulled.faults.is_empty()
    };
    let partly = !outcome.damages.is_empty()
        || !outcome.mended.lost().is_empty()
        || outcome.pulled.iter().any(failed)
        || outcome.inbox.has_trouble()
        || outcome.fleet.is_partial()
        || outcome.is_named_offline
        // A run between two tries must not end as if the address answered.
        || !outcome.waiting_addresses.is_empty();
    match outcome.stop {
        Some(StopReason::Signal(signal)) => ExitCode::from_signal(signal),
        Some(StopReason::Deadline) => ExitCode::Partly,
        None if partly => ExitCode::Partly,
        None => ExitCode::Done,
    }
}
