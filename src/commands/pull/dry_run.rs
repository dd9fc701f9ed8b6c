//! Runs that store nothing: the fleet that they read, and the plan that a dry run prints.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::messages::{self, ToldNames};
use super::{PullArgs, Sources};
use crate::cli::Format;
use crate::collect::fleet::open_reader;
use crate::collect::planning;
use crate::commands::notices::tell_nothing_stored;
use crate::commands::read_fleet::{Asking, read_fleet};
use crate::commands::table::{Cell, Column};
use crate::commands::targets::unlisted;
use crate::commands::{Context, show};
use crate::exit::ExitCode;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::plan::{GroupKey, PullPlan, WaitingKey};
use crate::fleet::service_state::ServiceState;
use crate::fleet::services::Fleet;
use crate::io::center::{Client, RequestOptions};
use crate::io::clock::Deadline;
use crate::io::signals::Signals;
use crate::io::targets::SourceBounds;
use crate::phrases::{NOTHING, moment};

/// Columns of the table of a dry run.
const PLAN_COLUMNS: [Column; 4] =
    [Column::above("SERVICE"), Column::ranked(0, "ADDRESSES"), Column::new("DUE"), Column::wrapped("REASON")];

/// The reason for which addresses of a dry run have no service.
const ASKED_FIRST: &str = "its process is asked for its service first";

/// Prints the services that would be pulled. It takes no lock, so it can run beside a pull.
pub(super) fn dry_run(
    args: &PullArgs,
    context: &Context,
    client: &Client,
    options: &RequestOptions,
) -> Result<ExitCode> {
    let fleet = fleet_to_read(args, context, client)?;
    let plan = planning::plan_only(&args.request(context, options), &fleet, context.now())?;
    let unasked: BTreeSet<&String> = fleet.sources.iter().flat_map(|(_, list)| &list.unasked).collect();
    print_plan(&plan, &unasked, args.format, context)?;
    Ok(if fleet.is_partial() { ExitCode::Partly } else { ExitCode::Done })
}

/// Assembles the fleet for a run that changes nothing, and prints the centers and sources that do not answer.
pub(super) fn fleet_to_read(args: &PullArgs, context: &Context, client: &Client) -> Result<Fleet> {
    tell_nothing_stored(false, context);
    let signals = &match context.sources.is_empty() {
        true => Signals::default(),
        false => Signals::catch().context("cannot catch signals")?,
    };
    let Sources { given: sources, time_left, left_to_read } = Sources::begin(args, context, signals);
    let deadline = Deadline::after(left_to_read);
    let bounds = SourceBounds { deadline, signals, max_targets: context.config.pull.max_addresses };
    let store = open_reader(&context.workdir)?;
    let asking = Asking { client, sources, bounds, time_left };
    let mut fleet = read_fleet(Some(asking), store.as_ref(), context)?.fleet;
    fleet.expect_new_processes(context.now());
    messages::tell_new_names(&fleet, ToldNames::UntilStored, context);
    messages::tell_silence(&fleet, false, context)?;
    Ok(fleet)
}

/// Prints the plan of a run.
///
/// `unasked` are addresses whose services a pull would find out by asking their processes.
fn print_plan(
    plan: &PullPlan<'_>,
    unasked: &BTreeSet<&String>,
    format: Format,
    context: &Context,
) -> Result<()> {
    let pulls = plan.pulls.iter().flat_map(|group| {
        group.keys.iter().enumerate().map(move |(index, key)| (key, group.asked_for(index)))
    });
    match format {
        Format::Json => {
            for (key, addresses) in pulls {
                show::print_json(&json!({
                    "service": key.entry.newest_name().name,
                    "pull": true,
                    "reason": key.reason.to_string(),
                    "addresses": addresses,
                    "due": serde_json::Value::Null,
                }))?;
            }
            if !unasked.is_empty() {
                show::print_json(&json!({
                    "service": serde_json::Value::Null,
                    "pull": true,
                    "reason": ASKED_FIRST,
                    "addresses": unasked,
                    "due": serde_json::Value::Null,
                }))?;
            }
            for waiting in &plan.waiting {
                show::print_json(&json!({
                    "service": waiting.entry.newest_name().name,
                    "pull": false,
                    "reason": waiting.until.map_or_else(
                        || ServiceState::Offline.word().to_owned(),
                        |(_, reason)| reason.to_string(),
                    ),
                    "addresses": [],
                    "due": waiting.until.map(|(until, _)| show::iso(until)),
                }))?;
            }
            Ok(())
        }
        Format::Text if context.is_quiet => Ok(()),
        Format::Text => {
            let pulls = pulls.map(|(key, addresses)| PlanLine::Asked(key, addresses.len()));
            let unasked = (!unasked.is_empty()).then_some(PlanLine::Unasked(unasked.len()));
            let rows: Vec<_> =
                pulls.chain(unasked).chain(plan.waiting.iter().map(PlanLine::Waiting)).collect();
            Ok(show::print_table(context, &PLAN_COLUMNS, &rows, |row| row.cells(context))?)
        }
    }
}

/// A key of a plan, as a row of a table.
enum PlanLine<'a> {
    /// The key would be pulled from this number of its addresses.
    Asked(&'a GroupKey<'a>, usize),
    /// The services of this number of addresses are not known before their processes are asked.
    Unasked(usize),
    Waiting(&'a WaitingKey<'a>),
}

impl PlanLine<'_> {
    fn cells(&self, context: &Context) -> [Cell; 4] {
        let listed = |entry: &KeyEntry| match entry.addresses().len() {
            0 => NOTHING.to_owned(),
            listed => listed.to_string(),
        };
        let (entry, addresses, due, reason) = match self {
            Self::Unasked(addresses) => {
                return [NOTHING, &addresses.to_string(), "now", ASKED_FIRST].map(show::cell);
            }
            Self::Asked(key, addresses) => {
                (key.entry, addresses.to_string(), "now".to_owned(), key.reason.to_string())
            }
            Self::Waiting(WaitingKey { entry, until: Some((until, reason)) }) => {
                (*entry, listed(entry), moment(*until, context.now()), reason.to_string())
            }
            Self::Waiting(WaitingKey { entry, until: None }) => {
                (*entry, listed(entry), String::new(), unlisted(context).to_owned())
            }
        };
        [show::cell(&entry.newest_name().name), show::cell(&addresses), show::cell(&due), show::cell(&reason)]
    }
}
