//! The output of a pull on stdout: JSON, or a table of services with a summary.

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::json;

use super::table::{self, by_name};
use crate::address::shown_url;
use crate::cli::Format;
use crate::collect::inbox::{SnapshotOutcome, SnapshotResult};
use crate::collect::outcome::{KeyOutcome, KeyResult, WhyQuarantined};
use crate::collect::pull::PullOutcome;
use crate::collect::store_thread::StopReason;
use crate::commands::{Context, show};
use crate::coverage::Coverage;
use crate::fleet::key_entry::{KeyEntry, ServiceName};
use crate::fleet::pending::PendingAdoption;
use crate::fleet::service_state::ServiceState;
use crate::io::store::Damage;

/// Prints the result of a run on stdout in the requested form.
pub(crate) fn print(
    outcome: &PullOutcome<'_>,
    took: Duration,
    format: Format,
    context: &Context,
) -> Result<()> {
    let pulled = by_name(&outcome.pulled, &outcome.fleet.entries);
    let summary = Summary::new(outcome, took);
    match format {
        Format::Json => {
            let results = &outcome.inbox.results;
            results.iter().map(snapshot_object).try_for_each(|object| show::print_json(&object))?;
            for pulled in &pulled {
                objects(pulled, outcome).iter().try_for_each(show::print_json)?;
            }
            show::print_json(&json!({ "summary": summary }))
        }
        Format::Text if context.is_quiet => Ok(()),
        Format::Text => {
            table::print(&pulled, outcome, context)?;
            Ok(show::print_sentence(context, &summary.to_string())?)
        }
    }
}

#[derive(Serialize)]
struct Summary {
    pulled: usize,
    changed: usize,
    unchanged: usize,
    nothing_answered: usize,
    not_stored: usize,
    damages: Vec<String>,
    rewritten_files: Vec<String>,
    lost_files: Vec<String>,
    not_due: usize,
    cut_off: usize,
    failed_addresses: usize,
    waiting_addresses: usize,
    set_aside_addresses: usize,
    silent_centers: Vec<String>,
    failed_sources: Vec<String>,
    snapshots: usize,
    set_aside_snapshots: usize,
    bytes: u64,
    seconds: f64,
    ended_by: &'static str,
}

impl Summary {
    fn new(outcome: &PullOutcome<'_>, took: Duration) -> Self {
        use SnapshotOutcome::{Bad, Known, Merged, OtherBuild};
        let PullOutcome { fleet, pulled, planned, waiting, stop, inbox, mended, damages, .. } = outcome;
        let count_of = |result| pulled.iter().filter(|pulled| pulled.outcome == result).count();
        let snapshots_of = |is_so: fn(&SnapshotOutcome) -> bool| {
            inbox.results.iter().filter(|result| is_so(&result.outcome)).count()
        };
        let settled = pulled.len() - count_of(KeyOutcome::NotDue);
        let due_by_peek = pulled.iter().filter(|pulled| pulled.was_due_by_peek()).count();
        Self {
            pulled: settled,
            changed: count_of(KeyOutcome::Changed),
            unchanged: count_of(KeyOutcome::Unchanged),
            nothing_answered: count_of(KeyOutcome::NothingAnswered),
            damages: damages.iter().map(Damage::to_string).collect(),
            rewritten_files: mended.rewritten(),
            lost_files: mended.lost(),
            not_stored: count_of(KeyOutcome::NotStored) + count_of(KeyOutcome::Refused),
            not_due: waiting.iter().filter(|waiting| waiting.until.is_some()).count(),
            cut_off: if stop.is_some() { planned.saturating_sub(settled - due_by_peek) } else { 0 },
            failed_addresses: pulled.iter().map(|pulled| pulled.failures.len()).sum(),
            waiting_addresses: outcome.waiting_addresses.len(),
            set_aside_addresses: pulled.iter().map(|pulled| pulled.quarantined.len()).sum(),
            silent_centers: fleet.silent.iter().map(|silent| shown_url(&silent.url)).collect(),
            failed_sources: fleet.failed_sources.iter().map(|failed| failed.name.clone()).collect(),
            snapshots: snapshots_of(|outcome| matches!(outcome, Merged | Known)),
            set_aside_snapshots: snapshots_of(|outcome| matches!(outcome, Bad(_) | OtherBuild(_))),
            bytes: pulled.iter().map(|pulled| pulled.bytes).sum(),
            seconds: took.as_secs_f64(),
            ended_by: match stop {
                None => "completion",
                Some(StopReason::Deadline) => "deadline",
                Some(StopReason::Signal(_)) => "signal",
            },
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pulled {}", show::count(self.pulled, "services"))?;
        let mut parts = Vec::new();
        for (number, what) in [
            (self.changed, "changed"),
            (self.unchanged, "unchanged"),
            (self.nothing_answered, "without an answer"),
            (self.not_stored, "not stored"),
            (self.not_due, "not due"),
            (self.cut_off, "cut off and still due"),
        ] {
            if number > 0 {
                parts.push(format!("{number} {what}"));
            }
        }
        if !parts.is_empty() {
            write!(f, " ({})", parts.join(", "))?;
        }
        write!(f, ", {} in ", HumanBytes(self.bytes))?;
        match self.seconds {
            seconds if seconds < 1.0 => write!(f, "{:.0} ms", seconds * 1000.0)?,
            seconds => write!(f, "{seconds:.1} s")?,
        }
        if self.snapshots > 0 {
            write!(f, "; {} taken in", show::count(self.snapshots, "snapshots"))?;
        }
        if self.set_aside_snapshots > 0 {
            write!(f, "; {} set aside", show::count(self.set_aside_snapshots, "snapshots"))?;
        }
        if self.failed_addresses > 0 {
            write!(f, "; {} failed", show::count(self.failed_addresses, "addresses"))?;
        }
        if self.waiting_addresses > 0 {
            write!(
                f,
                "; {} not tried again yet (--force tries now)",
                show::count(self.waiting_addresses, "addresses")
            )?;
        }
        if self.set_aside_addresses > 0 {
            write!(f, "; {} set aside", show::count(self.set_aside_addresses, "addresses"))?;
        }
        Ok(())
    }
}

fn snapshot_object(snapshot: &SnapshotResult) -> serde_json::Value {
    let (result, why) = match &snapshot.outcome {
        SnapshotOutcome::Merged => ("merged", None),
        SnapshotOutcome::Known | SnapshotOutcome::TakenBefore => ("known", None),
        SnapshotOutcome::OtherBuild(build) => ("set_aside", Some(format!("other build {}", build.short()))),
        SnapshotOutcome::Unfinished(reason) => ("unfinished", Some(reason.clone())),
        SnapshotOutcome::NoMeta(reason) => ("waiting", Some(reason.clone())),
        SnapshotOutcome::Stuck(reason) => ("stuck", Some(reason.clone())),
        SnapshotOutcome::Bad(reason) => ("bad", Some(reason.clone())),
    };
    json!({
        "snapshot": snapshot.file,
        "service": snapshot.service,
        "captured_at": snapshot.captured_at.map(show::iso),
        "result": result,
        "why": why,
    })
}

/// Returns one object for each name of the key.
fn objects((entry, pulled): &(&KeyEntry, &KeyResult), outcome: &PullOutcome<'_>) -> Vec<serde_json::Value> {
    let result = match pulled.outcome {
        KeyOutcome::Changed => "changed",
        KeyOutcome::Unchanged => "unchanged",
        KeyOutcome::NothingAnswered => "nothing_answered",
        KeyOutcome::NotStored | KeyOutcome::Refused => "not_stored",
        KeyOutcome::NotDue => "not_due",
    };
    let marked = outcome.marked.as_ref().and_then(|marked| marked.row_of(entry));
    let iso = |at: Option<DateTime<Utc>>| at.map(show::iso);
    let object = |ServiceName { name, .. }: &ServiceName| {
        json!({
            "service": name,
            "result": result,
            "reason": pulled.reason.to_string(),
            "covered": pulled.coverage.map(|coverage| coverage.covered),
            "total": pulled.coverage.map(|coverage| coverage.total),
            "percent": pulled.coverage.map(Coverage::percent),
            "previous_percent": pulled.before.map(Coverage::percent),
            "replicas": { "answered": pulled.answered, "known": pulled.known },
            "restarted": pulled.restarted,
            "bytes": pulled.bytes,
            "failures": pulled.failures.iter().map(|failure| json!({
                "address": failure.address,
                "error": failure.error,
                "next_try": iso(failure.next_try),
            })).collect::<Vec<_>>(),
            "set_aside": pulled.quarantined.iter().map(|quarantined| json!({
                "address": quarantined.address,
                "build": quarantined.build.short(),
                "why": match quarantined.why {
                    WhyQuarantined::NoBlocks => "no_blocks",
                    WhyQuarantined::OtherBuild => ServiceState::OtherBuild.word(),
                    WhyQuarantined::Undecided => "undecided",
                },
            })).collect::<Vec<_>>(),
            "elsewhere": pulled.elsewhere.iter().map(|(address, service)| json!({
                "address": address,
                "service": service,
            })).collect::<Vec<_>>(),
            "adopted": pulled.adopted.first().map(|adopted| json!({
                "from": adopted.from.map(|build| build.short()),
                "to": adopted.to.map(|build| build.short()),
            })),
            "pending": pulled.pending.as_deref().map(PendingAdoption::object),
            "next_due": iso(pulled.next_due),
            "marked_row": marked.map(|row| row.id.0),
            "faults": outcome.damages.iter().filter(|damage| damage.services.contains(name)).map(|damage| &damage.what)
                .chain(&pulled.faults).collect::<Vec<_>>(),
        })
    };
    entry.members.iter().map(object).collect()
}
