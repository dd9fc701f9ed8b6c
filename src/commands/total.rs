//! `total`: the coverage of a service as one number.

use std::io::{self, Write};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::json;

use crate::cli::Format;
use crate::collect::fleet::stored_fleet;
use crate::commands::before::{NamedRow, row_before};
use crate::commands::gate::{GateArgs, tell_verdicts};
use crate::commands::narrow::NarrowArgs;
use crate::commands::report::notices;
use crate::commands::{Context, show};
use crate::coverage::{ChangedLines, shown_percent};
use crate::exit::{EarlyEnd, ExitCode};
use crate::fleet::pick::{Picked, pick};
use crate::fleet::row::{Row, RowFilter};
use crate::fleet::services::Fleet;
use crate::gate::{Before, GateData, Verdict, delta};
use crate::io::signals::Signals;
use crate::io::store::Store;
use crate::names::in_message;
use crate::source::{Compared, SourceReader};

/// Print the coverage of a service as one number.
///
/// The number is the percentage of all statements in the latest stored profile. No center is asked, and the service may
/// have ended long ago. The options below make the command a gate: the exit code is 5 if a requirement is not met.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  goc-watchdog total cart --fail-under 80")]
pub struct TotalArgs {
    /// Full name of the service, its app, or any part of its name. If several commits fit, the one that runs is meant,
    /// or else the newest.
    service: String,

    #[command(flatten)]
    narrow: NarrowArgs,

    /// Choose the commit that begins with this.
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,

    #[command(flatten)]
    gate: GateArgs,

    /// With --max-drop: compare with this row, or with the latest row of this service, of the same app.
    #[arg(long, value_name = "ROW|SERVICE", requires = "max_drop")]
    against: Option<String>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub(crate) fn run(args: &TotalArgs, context: &Context) -> Result<ExitCode> {
    let store = Store::open_read_only(&context.workdir.database())?;
    let fleet = stored_fleet(&store, &context.config.naming, context.now())?;
    let query = args.narrow.query(&args.service, args.commit.as_deref());
    let picked = pick(&query, &fleet.entries)?;
    let entry = picked.entry;
    context.tell_choice(picked.choice, &entry.key.commit);
    context.tell_namesakes(&query, &entry.key, &fleet.entries);
    let name = in_message(&entry.newest_name().name);
    let latest = store.latest(&entry.key)?;
    let diff = latest.as_ref().map(|row| store.diff(row.id)).transpose()?.flatten();
    super::tell_damages(&store);
    if latest.is_none() && store.dropped_keys()?.contains(&entry.id) {
        bail!("{name}: its data was dropped by prune --drop-keys-older-than (goc-watchdog history {name})");
    }
    let row = latest.ok_or_else(|| {
        anyhow!("{name} was listed but never answered, so it has no stored data (goc-watchdog list --explain {name})")
    })?;
    let stats = row.stats.as_ref();
    let data = GateData {
        coverage: stats.map(|stats| stats.coverage),
        percent: row.cover_total,
        last_pull: entry.schedule.schedule.last_pull,
        replicas: entry.replicas_now(&row),
    };
    let gate = args.gate.gate();
    let mut verdicts = gate.judge(&data, context.now());
    let before = match gate.max_drop {
        Some(_) => {
            let before = state_before(args, &row, &store, &fleet, context)?;
            verdicts.extend(gate.judge_drop(row.id.0, &data, &before));
            before.ok()
        }
        None => None,
    };
    match args.format {
        Format::Text => {
            writeln!(io::stdout(), "{}", shown_percent(row.cover_total))?;
            if let Some(diff) = &diff
                && context.has_spectator()
            {
                super::inform(format!("{name}: changed lines: {}", show::changed_lines(diff)));
            }
        }
        Format::Json => {
            let mut object = object(&picked, &row, diff.as_ref(), context);
            object["gates"] = json!(verdicts);
            object["before"] = json!(before);
            object["delta"] = json!(delta(&verdicts));
            show::print_json(&object)?;
        }
    }
    args.gate.tell_doubts();
    tell_verdicts(&verdicts, &name, before.as_ref(), context);
    let is_unmet = verdicts.iter().any(Verdict::is_unmet);
    Ok(if is_unmet { ExitCode::BelowThreshold } else { ExitCode::Done })
}

/// Returns the state with which `--max-drop` compares; `Err` in the result tells in words why there is none.
fn state_before(
    args: &TotalArgs,
    row: &Row,
    store: &Store,
    fleet: &Fleet,
    context: &Context,
) -> Result<Result<Before, String>> {
    let signals = Signals::catch()?;
    let rows = store.rows(&RowFilter { with_dropped: true, ..RowFilter::default() })?;
    let notify = |notice| notices::print(notice, context);
    let settings = notices::source_settings(context, &signals, &notify);
    let reader = SourceReader { settings, app: &row.key.app, is_offline: true };
    let against = args.against.as_deref();
    let against = NamedRow::find(against, row, &fleet.entries, &rows, Compared::Total)?;
    let before = row_before(against, row, &rows, &reader)?;
    if let Some(signal) = signals.received() {
        bail!(EarlyEnd::Signal(signal));
    }
    Ok(before.map(|(row, how)| Before::from_row(row, how)))
}

fn object(
    picked: &Picked<'_>,
    row: &Row,
    diff: Option<&ChangedLines>,
    context: &Context,
) -> serde_json::Value {
    let Picked { entry, choice } = picked;
    let last_pull = entry.schedule.schedule.last_pull;
    let stats = row.stats.as_ref();
    let replicas = entry.replicas_now(row);
    json!({
        "service": entry.newest_name().name,
        "env": row.key.env,
        "region": row.key.region,
        "app": row.key.app,
        "branch": row.branch,
        "commit": row.key.commit,
        "commit_choice": choice,
        "percent": row.cover_total,
        "covered": stats.map(|stats| stats.coverage.covered),
        "total": stats.map(|stats| stats.coverage.total),
        "replicas": {
            "answered": replicas.map(|(answered, _)| answered),
            "known": replicas.map(|(_, listed)| listed),
        },
        "id": row.id.0,
        "stored_at": show::iso(row.created_at),
        "last_pull": last_pull.map(show::iso),
        "age_seconds": last_pull.map(|at| (context.now() - at).num_seconds()),
        "cov_file_path": row.cov_file_path,
        "diff": diff,
    })
}
