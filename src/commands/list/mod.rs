//! `list`: the services with their coverage and state.

pub(crate) mod complete;
mod explain;
mod metrics;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use comfy_table::Color;
use serde_json::json;

use crate::address::{base_url, shown_url};
use crate::collect::fleet::{FleetSource, GivenSource, ask_known_first, read_sources};
use crate::commands::narrow::NarrowArgs;
use crate::commands::notices::tell_cut_lists;
use crate::commands::table::Column;
use crate::commands::targets::{TargetArgs, tell_sources};
use crate::commands::{Context, show};
use crate::coverage::shown_percent;
use crate::exit::{EarlyEnd, ExitCode};
use crate::fleet::assembly::Answers;
use crate::fleet::key_entry::{KeyEntry, Listing, ServiceName};
use crate::fleet::pick::{Picked, ServiceQuery, pick, pick_names};
use crate::fleet::service_state::{AddressHealth, RowTotal, ServiceLine, ServiceState};
use crate::fleet::services::{Fleet, UnaskedCenter};
use crate::io::center::{Client, RequestOptions};
use crate::io::clock::Deadline;
use crate::io::signals::Signals;
use crate::io::store::{Store, StoreError};
use crate::io::targets::SourceBounds;
use crate::io::workdir::{self, FillError};
use crate::names::in_message;

/// List the services with their coverage, their state and the age of their data.
///
/// The list has every name that a center or a source of targets lists, or that the database has. The states are: ok;
/// partial (some replicas fail); unreachable (all replicas fail); offline (nothing lists the service); other build (a
/// replica serves another build than the one shown); stale name (a replica serves the build of another name, under
/// which it is listed, too); never pulled. The number of replicas that `prune` found suspect or dead follows the state.
///
/// The exit code is 3 if a center does not answer or a source of targets gives no list. If no center has a valid URL,
/// the table is refused (exit code 1), and the other forms show the stored data (exit code 3).
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Show only services that one of these names means: a full name, an app, or any part of a name.
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,

    #[command(flatten)]
    narrow: NarrowArgs,

    /// Show only services of the commit that begins with this.
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,

    #[command(flatten)]
    targets: TargetArgs,

    /// Ask no center and read no source of targets; show the stored data.
    #[arg(long, conflicts_with = "targets")]
    offline: bool,

    /// Show all details of one service: its schedule with the reason, its addresses, builds and generations.
    #[arg(long, value_name = "SERVICE", conflicts_with = "services")]
    explain: Option<String>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,

    /// Write to this file, which is replaced as a whole.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The words of a command line up to the cursor: print the services that may stand there. For completions.
    #[arg(long, value_name = "WORD", num_args = 1.., allow_hyphen_values = true, hide = true)]
    complete: Vec<String>,
}

/// The form of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// Table for people.
    #[default]
    Text,
    /// JSON for scripts; the man page describes the fields.
    Json,
    /// Metrics for the node exporter's textfile collector; the man page describes them.
    Prometheus,
}

/// Columns of the table. The source of targets is empty for services of a center.
const COLUMNS: [Column; 13] = [
    Column::whole_name("SERVICE"),
    Column::part("ENV"),
    Column::part("REGION"),
    Column::shortened_part("APP"),
    Column::part("BRANCH"),
    Column::part("COMMIT"),
    Column::new("REPLICAS"),
    Column::ranked(3, "TARGETS").optional(),
    Column::new("TOTAL"),
    Column::ranked(1, "CHANGED"),
    Column::ranked(0, "SEEN"),
    Column::ranked(2, "NEXT PULL"),
    Column::wrapped("STATE"),
];

impl ListArgs {
    /// Returns the words of a command line that a shell completes; empty: the command is a list.
    pub(crate) fn line_to_complete(&self) -> &[String] {
        &self.complete
    }

    fn query<'a>(&'a self, service: &'a str) -> ServiceQuery<'a> {
        self.narrow.query(service, self.commit.as_deref())
    }
}

/// Fails if no center has a valid URL. A table of stored data would hide such a mistake.
fn named_centers(centers: &[String]) -> Result<()> {
    let mut faults = Vec::new();
    for center in centers {
        match base_url(center) {
            Ok(_) => return Ok(()),
            Err(fault) => faults.push(fault),
        }
    }
    match faults.into_iter().next() {
        Some(fault) => Err(fault).context("center"),
        None => Ok(()),
    }
}

/// Runs the command.
pub(crate) fn run(args: &ListArgs, context: &Context) -> Result<ExitCode> {
    if args.explain.is_some() && args.format == ListFormat::Prometheus {
        bail!(EarlyEnd::Usage("--explain has no Prometheus form; see goc-watchdog list --help"));
    }
    let context = &context.with_targets(&args.targets)?;
    if !args.offline {
        context.check_commands()?;
    }
    let for_a_file = args.output.as_ref().map(|_| context.for_a_file());
    let context = for_a_file.as_ref().unwrap_or(context);
    let store = match Store::open_read_only(&context.workdir.database()) {
        Ok(store) => Some(store),
        Err(StoreError::Missing { .. }) if !args.offline => None,
        Err(error) => return Err(error.into()),
    };
    let (fleet, asked) = fleet(args, store.as_ref(), context)?;
    tell_centers(&fleet, asked.is_nobody(), context);
    let suspicions = store.as_ref().map(Store::suspicions).transpose()?.unwrap_or_default();
    let coverport = store.as_ref().map(Store::coverport_addresses).transpose()?.unwrap_or_default();
    let health = AddressHealth::new(&fleet, suspicions, coverport);
    let file = args.output.as_deref();
    match &args.explain {
        Some(service) => {
            let Picked { entry, choice } = pick(&args.query(service), &fleet.entries)?;
            context.tell_choice(choice, &entry.key.commit);
            let is_json = args.format == ListFormat::Json;
            let mut shown = Vec::new();
            explain::run(entry, store.as_ref(), &health, is_json, context, &mut shown)?;
            emit(file, |out| out.write_all(&shown))?;
        }
        None => {
            // All lines are read before the first byte is written, because reading may fail.
            let lines = lines(args, &fleet, store.as_ref(), &health)?;
            let up = Up::new(&fleet, &asked);
            if lines.is_empty() && args.format == ListFormat::Text && !context.is_quiet {
                super::inform(nothing_to_show(args, &fleet, context));
            }
            emit(file, |out| write(&lines, &up, args.format, context, out))?;
        }
    }
    let is_damaged = store.as_ref().is_some_and(super::tell_damages);
    Ok(if fleet.is_partial() || is_damaged { ExitCode::Partly } else { ExitCode::Done })
}

/// The centers and sources that a run asked, by URL and by name.
#[derive(Default)]
struct Asked {
    centers: Vec<String>,
    sources: Vec<String>,
}

impl Asked {
    fn is_nobody(&self) -> bool {
        self.centers.is_empty() && self.sources.is_empty()
    }
}

/// Whether each center and each source of targets that was asked has answered.
struct Up {
    centers: BTreeMap<String, bool>,
    sources: BTreeMap<String, bool>,
}

impl Up {
    fn new(fleet: &Fleet, asked: &Asked) -> Self {
        let has_list = |name: &String| fleet.failed_sources.iter().all(|failed| failed.name != *name);
        let sources = asked.sources.iter().map(|name| (name.clone(), has_list(name))).collect();
        Self { centers: centers_up(fleet, &asked.centers), sources }
    }
}

/// Assembles the fleet; also returns who was asked.
fn fleet(args: &ListArgs, store: Option<&Store>, context: &Context) -> Result<(Fleet, Asked)> {
    if !args.offline && args.format == ListFormat::Text {
        named_centers(&context.centers)?;
    }
    let options = RequestOptions { concurrency: 1, ..context.request_options() };
    let client = if args.offline { None } else { Some(Client::new(&options)?) };
    let client = client.filter(|_| !(context.centers.is_empty() && context.sources.is_empty()));
    let signals = &match client.is_none() || context.sources.is_empty() {
        true => Signals::default(),
        false => Signals::catch().context("cannot catch signals")?,
    };
    let max_targets = context.config.pull.max_addresses;
    let bounds = SourceBounds { deadline: Deadline::NONE, signals, max_targets };
    let source = FleetSource { store, naming: &context.config.naming, now: context.now() };
    let mut asked = Asked::default();
    let (fleet, _) = source.assemble(|known| match client {
        None => known.without_asking(),
        Some(client) => {
            let given = GivenSource::begin(&context.sources, bounds);
            let sources = read_sources(given, bounds);
            let centers = ask_known_first(&client, &context.centers, known, || None);
            asked.centers.extend(centers.iter().map(|answer| answer.url.clone()));
            asked.sources.extend(sources.iter().map(|answer| answer.name.clone()));
            Answers { centers, sources }
        }
    })?;
    match signals.received() {
        Some(signal) => bail!(EarlyEnd::Signal(signal)),
        None => Ok((fleet, asked)),
    }
}

/// Reports the centers and sources of targets that do not answer, list too much, or are not asked any more.
fn tell_centers(fleet: &Fleet, is_offline: bool, context: &Context) {
    for silent in &fleet.silent {
        let since =
            silent.last_heard.map(|at| format!("; showing its list of {}", show::moment(at, context.now())));
        super::warn(format!(
            "center \"{}\": {}{}",
            shown_url(&silent.url),
            silent.message,
            since.unwrap_or_default()
        ));
    }
    tell_cut_lists(fleet);
    tell_sources(fleet, "showing what it listed", context);
    for (name, UnaskedCenter { since, services }) in fleet.unasked_sources.iter().filter(|_| is_offline) {
        super::warn(format!(
            "targets \"{}\": not asked since {}; {} that it alone listed {} offline",
            in_message(name),
            show::moment(*since, context.now()),
            show::count(*services, "services"),
            if *services == 1 { "is" } else { "are" },
        ));
    }
    for (url, UnaskedCenter { since, services }) in fleet.unasked.iter().filter(|_| is_offline) {
        super::warn(format!(
            "center \"{}\": not asked since {}; {} that only it listed {} offline",
            shown_url(url),
            show::moment(*since, context.now()),
            show::count(*services, "services"),
            if *services == 1 { "is" } else { "are" },
        ));
    }
}

/// Calls `write` with the file, which is replaced as a whole, or else with stdout.
fn emit(file: Option<&Path>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let Some(file) = file else {
        let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
        write(&mut out)?;
        return Ok(out.flush()?);
    };
    workdir::write_whole(file, |out| write(out)).map_err(|error| match error {
        FillError::Workdir(error) => error.into(),
        FillError::Content(error) => {
            anyhow!(error).context(format!("cannot write \"{}\"", in_message(&file.display().to_string())))
        }
    })
}

/// Returns the lines of the list with their stored figures.
fn lines<'a>(
    args: &ListArgs,
    fleet: &'a Fleet,
    store: Option<&Store>,
    health: &'a AddressHealth,
) -> Result<Vec<ServiceLine<'a>>> {
    let dropped = match store {
        Some(store) => store.dropped_keys()?,
        None => BTreeSet::new(),
    };
    if fleet.entries.is_empty() {
        return Ok(Vec::new());
    }
    let mut meant = BTreeSet::new();
    for service in &args.services {
        meant.append(&mut pick_names(&args.query(service), &fleet.entries)?);
    }
    let everything = args.query("");
    let is_wanted = |entry: &KeyEntry, member: &ServiceName| match args.services.is_empty() {
        true => everything.admits(&entry.key, &member.branch),
        false => meant.contains(&member.id),
    };
    let mut lines = Vec::new();
    for entry in &fleet.entries {
        let row = match store {
            Some(store) => store.latest(&entry.key)?,
            None => None,
        };
        if entry.is_gone(row.as_ref(), &dropped) {
            continue;
        }
        for member in entry.members.iter().filter(|member| is_wanted(entry, member)) {
            let state = ServiceState::new(member, entry, row.as_ref(), health);
            lines.push(ServiceLine {
                entry,
                member,
                stored: row.as_ref().map(RowTotal::from_row),
                state,
                health,
            });
        }
    }
    Ok(lines)
}

/// Returns the message in place of an empty table, so that a mistake in the options or in the root is noticed.
fn nothing_to_show(args: &ListArgs, fleet: &Fleet, context: &Context) -> String {
    if fleet.entries.is_empty() || args.services.is_empty() && args.query("").is_everything() {
        let root = context.workdir.root().display().to_string();
        return format!("no service is listed, and no service is stored in \"{}\"", in_message(&root));
    }
    match args.services.is_empty() {
        true => "no service has these fields; `goc-watchdog list` shows all".to_owned(),
        false => "no data of these services is left; `goc-watchdog list` shows all".to_owned(),
    }
}

fn write(
    lines: &[ServiceLine<'_>],
    up: &Up,
    format: ListFormat,
    context: &Context,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        ListFormat::Json => show::write_json_each(lines.iter().map(|line| object(line, context)), out),
        ListFormat::Text => table(lines, context, out),
        ListFormat::Prometheus if context.environment.stdout_is_terminal => {
            metrics::show(lines, up, context, out)
        }
        ListFormat::Prometheus => metrics::write(lines, up, context, out),
    }
}

/// Returns the asked centers, each with whether it answered.
fn centers_up(fleet: &Fleet, asked: &[String]) -> BTreeMap<String, bool> {
    let mut centers = BTreeMap::new();
    for url in asked {
        let is_up = fleet.silent.iter().all(|silent| silent.url != *url);
        // URLs that differ only in credentials are one center here.
        *centers.entry(metrics::without_credentials(url)).or_insert(true) &= is_up;
    }
    centers
}

fn table(lines: &[ServiceLine<'_>], context: &Context, out: &mut dyn Write) -> io::Result<()> {
    if lines.is_empty() && !context.is_quiet {
        return Ok(());
    }
    let now = context.now();
    let cells = |line: &ServiceLine<'_>| {
        let ServiceLine { entry, member, stored, state, health: _ } = line;
        let next = match line.next_pull(context.config.pull.waits(), context.now()) {
            Some(at) if at <= now => "now".to_owned(),
            Some(at) => format!("in {}", show::span(at - now)),
            None => String::new(),
        };
        let total = stored.map(|stored| format!("{}%", shown_percent(stored.cover_total)));
        [
            show::cell(&member.name),
            show::cell(&entry.key.env),
            show::cell(&entry.key.region),
            show::cell(&entry.key.app),
            show::cell(&member.branch),
            show::cell(&entry.key.commit),
            show::cell(&format!("{}/{}", line.up(), member.addresses().count())),
            show::cell(&line.source_names().into_iter().collect::<Vec<_>>().join(" ")),
            show::cell(&total.unwrap_or_default()),
            show::cell(&show::ago(entry.schedule.last_change_at, now)),
            show::cell(&show::ago(member.last_seen, now)),
            show::cell(&next),
            show::colored(context, &line.state_text(now), color(*state)),
        ]
    };
    show::write_table(context, &COLUMNS, lines, cells, out)
}

fn object(line: &ServiceLine<'_>, context: &Context) -> serde_json::Value {
    let ServiceLine { entry, member, stored, state, health } = line;
    let coverage = stored.and_then(|stored| stored.coverage);
    let address = |listing: &Listing| {
        let address = &*listing.address;
        let state = entry.state(address);
        let suspicion = health.suspicion(address);
        json!({
            "address": *listing.listed_as,
            "center": listing.lister.center().map(metrics::without_credentials),
            "targets": listing.lister.targets(),
            "agent": health.agent(entry, address),
            "pod": listing.facts.as_ref().and_then(|facts| facts.pod.as_ref()),
            "state": match &state {
                _ if suspicion.is_some_and(|suspicion| suspicion.is_dead) => "dead",
                _ if suspicion.is_some() => "suspect",
                state if health.is_stale(address, state) => "stale_name",
                state if state.retry.failures > 0 => "failed",
                state if state.other_build.is_some() => "other_build",
                state if state.last_answer_at.is_some() => "ok",
                _ => "never_pulled",
            },
            "last_answer": state.last_answer_at.map(show::iso),
            "failures": state.retry.failures,
            "next_try": state.retry.next_try.map(show::iso),
            "error": state.last_error,
            "other_build": state.other_build.map(|build| build.short()),
            "finding": suspicion.map(|suspicion| suspicion.probe.finding.word()),
            "suspect_runs": suspicion.map(|suspicion| suspicion.any.runs),
            "suspect_since": suspicion.map(|suspicion| show::iso(suspicion.any.since)),
        })
    };
    json!({
        "service": member.name,
        "env": entry.key.env,
        "region": entry.key.region,
        "app": entry.key.app,
        "branch": member.branch,
        "commit": entry.key.commit,
        "state": state.word().replace(' ', "_"),
        "replicas": { "up": line.up(), "known": member.addresses().count() },
        "addresses": member.addresses().map(address).collect::<Vec<_>>(),
        "percent": stored.map(|stored| stored.cover_total),
        "covered": coverage.map(|coverage| coverage.covered),
        "total": coverage.map(|coverage| coverage.total),
        "last_change": entry.schedule.last_change_at.map(show::iso),
        "last_pull": entry.schedule.schedule.last_pull.map(show::iso),
        "last_seen": member.last_seen.map(show::iso),
        "not_asked_since": member.not_asked_since.map(show::iso),
        "next_pull": line.next_pull(context.config.pull.waits(), context.now()).map(show::iso),
    })
}

/// Returns the color of a state.
fn color(state: ServiceState) -> Color {
    match state {
        ServiceState::Ok => Color::Green,
        ServiceState::Partial | ServiceState::OtherBuild | ServiceState::StaleName => Color::Yellow,
        ServiceState::Unreachable => Color::Red,
        ServiceState::Offline | ServiceState::NeverPulled => Color::Grey,
    }
}
