//! `total`: how much of a service is covered, as one number.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Result, anyhow};
use chrono::TimeDelta;
use clap::Args;
use humantime::format_duration;
use serde_json::json;

use super::pick::pick;
use super::roster::{Entry, Known, Roster};
use super::{Context, show};
use crate::cli::Format;
use crate::config::parse_duration;
use crate::coverage::Threshold;
use crate::exit::ExitCode;
use crate::names::printable;
use crate::store::{Allocator, Fact, Row, Store};

/// Print how much of a service is covered, as one number.
///
/// The percentage of all statements of the latest stored profile, from what is stored: no center is
/// asked, and the service may be long gone. The options below make a gate of it: what they ask for and
/// is not met ends with exit code 5.
#[derive(Args, Debug)]
pub struct TotalArgs {
    /// Full name of the service, or any unambiguous part of it.
    service: String,

    /// Fail below this percentage; exact, not rounded.
    #[arg(long, value_name = "PERCENT")]
    fail_under: Option<Threshold>,

    /// Fail when the last pull that got an answer is longer ago.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    max_age: Option<Duration>,

    /// Fail when fewer replicas answered at the last pull.
    #[arg(long, value_name = "N")]
    min_replicas: Option<u32>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn run(args: &TotalArgs, context: &Context) -> Result<ExitCode> {
    let store = Store::open_read_only(&context.workdir.database())?;
    let roster = stored_roster(&store, context)?;
    let entry = pick(&args.service, &roster.entries)?;
    let name = printable(&entry.spokesman().name);
    let row = store.latest(&entry.key)?.ok_or_else(|| {
        anyhow!("{name} was listed and never answered, so nothing is stored of it (goc-watchdog list --explain {name})")
    })?;
    match args.format {
        Format::Text => writeln!(io::stdout(), "{:.1}", row.cover_total)?,
        Format::Json => show::print_json(&object(entry, &row, context))?,
    }
    let unmet = unmet(args, entry, &row, context);
    for message in &unmet {
        super::say(&format!("{name}: {message}"));
    }
    Ok(if unmet.is_empty() { ExitCode::Done } else { ExitCode::BelowThreshold })
}

/// Reads who is known, without asking anybody.
pub(super) fn stored_roster(store: &Store, context: &Context) -> Result<Roster> {
    let known = Known::read(store)?;
    let heard = known.without_asking();
    Ok(Roster::assemble(known, heard, &context.config.naming, &Allocator::new(store)?, context.now()))
}

fn object(entry: &Entry, row: &Row, context: &Context) -> serde_json::Value {
    let last_pull = entry.schedule.schedule.last_pull;
    let fact = row.fact.as_ref();
    json!({
        "service": entry.spokesman().name,
        "env": row.key.env,
        "region": row.key.region,
        "app": row.key.app,
        "branch": row.branch,
        "commit": row.key.commit,
        "percent": row.cover_total,
        "covered": fact.map(|fact| fact.coverage.covered),
        "total": fact.map(|fact| fact.coverage.total),
        "replicas": { "answered": fact.map(|fact| fact.answered), "known": fact.map(|fact| fact.listed) },
        "id": row.id.0,
        "stored_at": show::iso(row.created_at),
        "last_pull": last_pull.map(show::iso),
        "age_seconds": last_pull.map(|at| (context.now() - at).num_seconds()),
        "cov_file_path": row.cov_file_path,
    })
}

/// Returns what is asked for and not met, each as a clause.
fn unmet(args: &TotalArgs, entry: &Entry, row: &Row, context: &Context) -> Vec<String> {
    let TotalArgs { service: _, fail_under, max_age, min_replicas, format: _ } = args;
    let mut unmet = Vec::new();
    if let Some(threshold) = fail_under {
        // A row of another hand has no statements to compare; its percentage is all there is.
        let coverage = row.fact.as_ref().map(|fact| fact.coverage);
        if !coverage.is_some_and(|coverage| coverage.meets(*threshold)) {
            let statements = coverage.map(|it| format!(" ({} of {} statements)", it.covered, it.total));
            let percent = row.cover_total;
            unmet.push(format!("{percent:.1}%{} is below {threshold}", statements.unwrap_or_default()));
        }
    }
    if let Some(max_age) = max_age {
        let age = entry.schedule.schedule.last_pull.map(|at| context.now() - at);
        let longest = TimeDelta::from_std(*max_age).unwrap_or(TimeDelta::MAX);
        if age.is_none_or(|age| age > longest) {
            let age = age.map_or_else(|| "ages".to_owned(), show::span);
            unmet.push(format!("last pulled {age} ago, longer than {}", format_duration(*max_age)));
        }
    }
    if let Some(wanted) = min_replicas {
        let (answered, listed) =
            row.fact.as_ref().map_or((0, 0), |Fact { answered, listed, .. }| (*answered, *listed));
        if answered < *wanted {
            unmet.push(format!("{answered} of {listed} replicas answered, fewer than {wanted}"));
        }
    }
    unmet
}
