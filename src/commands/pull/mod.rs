//! `pull`: the order of its steps, and its exit code.

mod args;
mod dry_run;
mod inbox_messages;
mod messages;
mod output;
mod raw;
mod table;
pub(crate) mod to_inbox;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

pub(crate) use self::args::PullArgs;
use self::messages::ToldNames;
use crate::address::base_url;
use crate::collect;
use crate::collect::fleet::{GivenSource, stored_fleet};
use crate::collect::marking::MarkedRows;
use crate::collect::outcome::KeyResult;
use crate::collect::planning;
use crate::collect::pull::{PullInputs, PullOutcome, PullRequest};
use crate::collect::run::Adapters;
use crate::collect::store_thread::StopReason;
use crate::collect::upkeep;
use crate::commands::Context;
use crate::commands::group::refuse_group;
use crate::commands::lock_wait::LockWait;
use crate::commands::ping::pinging;
use crate::exit::{EarlyEnd, ExitCode};
use crate::fleet::app_group::AppGroup;
use crate::io::center::{Client, RequestOptions};
use crate::io::clock::{self, Deadline, Stopwatch};
use crate::io::signals::Signals;
use crate::io::store::Store;
use crate::io::targets::SourceBounds;
use crate::io::workdir::LockedWorkdir;
use crate::names::in_message;

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
    let started = Stopwatch::start();
    let deadline = Deadline::after(sources.time_left);
    let store = &super::open_store(locked, context)?;
    refuse_groups(args, store, context)?;
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
    let (planned, refused) = match planning::plan(inputs, request, started_pull.fleet) {
        Ok(planned) => (planned, None),
        // The files are gone from the inbox, so their services are settled before the run ends.
        Err(error) if started_pull.inbox.took_in_any() => {
            (planning::plan_taken_in(inputs, request, started_pull.fleet), Some(error))
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

/// Fails if the name of a group was given with an option that is for services of one app.
fn refuse_groups(args: &PullArgs, store: &Store, context: &Context) -> Result<()> {
    let command = match (&args.address, &args.adopt) {
        (Some(_), _) => "pull --address URL".to_owned(),
        (None, Some(build)) => format!("pull --adopt {}", in_message(build)),
        (None, None) => return Ok(()),
    };
    let names_group = |service: &String| AppGroup::named(service, &context.config.groups, &[]).is_some();
    if !args.services.iter().any(names_group) {
        return Ok(());
    }
    let known = stored_fleet(store, &context.config.naming, context.now())?.entries;
    args.services.iter().try_for_each(|service| refuse_group(service, &command, context, &known))
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
        || outcome.marked.as_ref().is_some_and(MarkedRows::lacks_any)
        // A run between two tries must not end as if the address answered.
        || !outcome.waiting_addresses.is_empty();
    match outcome.stop {
        Some(StopReason::Signal(signal)) => ExitCode::from_signal(signal),
        Some(StopReason::Deadline) => ExitCode::Partly,
        None if partly => ExitCode::Partly,
        None => ExitCode::Done,
    }
}
