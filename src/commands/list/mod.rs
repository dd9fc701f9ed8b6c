//! `list`: the services with their coverage and state.

mod asking;
pub(crate) mod check;
pub(crate) mod complete;
mod explain;
mod json;
mod lines;
mod metrics;
mod order;
mod text;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::commands::group::{refuse_group, tell_taken};
use crate::commands::narrow::NarrowArgs;
use crate::commands::notices::{tell_nothing_stored, unknown_apps};
use crate::commands::targets::TargetArgs;
use crate::commands::{Context, show};
use crate::config::SAMPLE_CONFIG;
use crate::exit::{EarlyEnd, ExitCode};
use crate::fleet::pick::{ServiceQuery, pick};
use crate::fleet::service_state::{AddressHealth, ServiceState};
use crate::io::store::{Store, StoreError};
use crate::io::workdir::{self, FillError};
use crate::names::in_message;

use asking::{Up, fleet, tell_centers};
use order::SortKey;
use text::Below;

/// List the services with their coverage, their state and the age of their data.
///
/// Services that fail stand first, then those that run. The table and the metrics leave out earlier commits: all that
/// are offline, except the newest one with data of each environment, region, app and branch. A line below the table
/// counts them. The number of replicas that `prune` found suspect or dead follows the state.
///
/// The exit code is 3 if a center does not answer or a source of targets gives no list. If no center of the configuration
/// has a valid URL, the table is refused (exit code 1), and the other forms show the stored data (exit code 3).
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  goc-watchdog list\n  goc-watchdog list --explain cart")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct ListArgs {
    /// Show only services that one of these names means: a full name, an app, any part of a name, or a group of the
    /// configuration.
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,

    #[command(flatten)]
    narrow: NarrowArgs,

    /// Show only services of the commit that begins with this.
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,

    /// Show only services in this state; may be given several times.
    #[arg(long = "state", value_name = "STATE", value_enum)]
    states: Vec<ServiceState>,

    /// Sort by this; the default is `state` in the table, and `name` in other forms.
    #[arg(long, value_name = "KEY", value_enum)]
    sort: Option<SortKey>,

    /// Show earlier commits that are offline, too; JSON, `--commit` and `--state` always show them.
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    targets: TargetArgs,

    /// Ask no center and read no source of targets; show the stored data.
    #[arg(long, conflicts_with = "targets")]
    offline: bool,

    /// Show all details of one service: its schedule with the reason, its addresses, builds and generations.
    #[arg(long, value_name = "SERVICE", conflicts_with_all = ["services", "states", "sort", "all"])]
    explain: Option<String>,

    /// Look over the set-up instead, one line for each part; nothing is changed.
    ///
    /// The parts are the root, its owner, lock and free space, the configuration, the centers and sources of targets, a
    /// few agents, the repository of each app, git, the clock, names, and the last pull. The remote of a repository
    /// that is not cloned yet is asked whether it has a commit. The exit code is 1 if `pull` cannot work, and 3 if targets
    /// fail; a last line says why.
    #[arg(
        long,
        conflicts_with_all = ["services", "env", "region", "branch", "commit", "states", "sort", "all", "explain"]
    )]
    check: bool,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,

    /// Write to this file, which is replaced as a whole.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Print a configuration with every key, all commented out, and nothing else.
    #[arg(long)]
    sample_config: bool,

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
    /// JSON for scripts.
    Json,
    /// Metrics for the node exporter's textfile collector.
    Prometheus,
}

impl ListArgs {
    /// Returns the words of a command line that a shell completes; empty: the command is a list.
    pub(crate) fn line_to_complete(&self) -> &[String] {
        &self.complete
    }

    /// Tells whether the sample of a configuration is wanted, which needs no root.
    pub(crate) fn wants_sample_config(&self) -> bool {
        self.sample_config
    }

    /// Tells whether the set-up is looked over, for which the configuration need not be valid.
    pub(crate) fn is_check(&self) -> bool {
        self.check
    }

    /// Tells whether a list leaves earlier commits out that are offline.
    fn leaves_out_earlier(&self) -> bool {
        !self.all && self.format != ListFormat::Json && self.states.is_empty() && self.commit.is_none()
    }

    fn query<'a>(&'a self, service: &'a str) -> ServiceQuery<'a> {
        self.narrow.query(service, self.commit.as_deref())
    }
}

/// Runs the command.
pub(crate) fn run(args: &ListArgs, context: &Context) -> Result<ExitCode> {
    if args.explain.is_some() && args.format == ListFormat::Prometheus {
        bail!(EarlyEnd::Usage("--explain has no Prometheus form; see goc-watchdog list --help"));
    }
    let context = &context.with_targets(&args.targets)?;
    if !args.offline {
        context.check_centers()?;
        context.check_commands()?;
    }
    let for_a_file = args.output.as_ref().map(|_| context.for_a_file());
    let context = for_a_file.as_ref().unwrap_or(context);
    let store = match Store::open_read_only(&context.workdir.database()) {
        Ok(store) => Some(store),
        Err(StoreError::Missing { .. }) if !args.offline => {
            tell_nothing_stored(false, context);
            None
        }
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
            refuse_group(service, "list --explain", context, &fleet.entries)?;
            let picked = pick(&args.query(service), &fleet.entries)?;
            context.tell_choice(picked.choice, &picked.entry.key.commit);
            let is_json = args.format == ListFormat::Json;
            let mut shown = Vec::new();
            explain::run(&picked, store.as_ref(), &health, is_json, context, &mut shown)?;
            emit(file, |out| out.write_all(&shown))?;
        }
        None => {
            for service in &args.services {
                tell_taken(service, context, &fleet.entries);
            }
            // All lines are read before the first byte is written, because reading may fail.
            let (lines, earlier) = lines::read(args, &fleet, store.as_ref(), &health, context)?;
            let up = Up::new(&fleet, &asked);
            if args.services.is_empty() && args.format == ListFormat::Text {
                for message in unknown_apps(&fleet, context) {
                    context.tell(message);
                }
            }
            if lines.is_empty() && args.format == ListFormat::Text && !context.is_quiet {
                super::inform(lines::nothing_to_show(args, &fleet, context));
            }
            let below = Below { earlier: &earlier, fleet: &fleet, tells_unasked: asked.is_nobody() };
            emit(file, |out| match args.format {
                ListFormat::Json => {
                    show::write_json_each(lines.iter().map(|line| json::object(line, context)), out)
                }
                ListFormat::Text => text::write(&lines, &below, context, out),
                ListFormat::Prometheus => metrics::write(&lines, &up, context, out),
            })?;
        }
    }
    let is_damaged = store.as_ref().is_some_and(super::tell_damages);
    Ok(if fleet.is_partial() || is_damaged { ExitCode::Partly } else { ExitCode::Done })
}

/// Prints the sample of a configuration.
pub(crate) fn print_sample_config() -> Result<ExitCode> {
    io::stdout().write_all(SAMPLE_CONFIG.as_bytes())?;
    Ok(ExitCode::Done)
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

impl ValueEnum for ServiceState {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    /// Returns the word; the phrase that a table shows is accepted, too.
    fn to_possible_value(&self) -> Option<PossibleValue> {
        let mut meaning = self.meaning().chars();
        let first = meaning.next().map(|first| first.to_ascii_uppercase());
        let help: String = first.into_iter().chain(meaning).collect();
        Some(PossibleValue::new(self.word()).alias(self.phrase()).help(help))
    }
}
