//! What a pull says: a line a service where somebody watches or asked for it, one line under cron.

pub(crate) use crate::phrases::moment;

use std::collections::HashMap;
use std::io::{self, Write};

use anyhow::Result;
use chrono::{DateTime, Utc};
use comfy_table::{Cell, Color};
use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::json;

use crate::address::shown_url;
use crate::cli::Format;
use crate::collect::intake::{Fate, Found, Taken};
use crate::collect::mending::Mended;
use crate::collect::outcome::{KeyOutcome, KeyResult, WhyQuarantined};
use crate::collect::pending::Pending;
use crate::collect::store_thread::{PullResult, Stop};
use crate::commands::{Context, Level, fail, inform, say, show};
use crate::coverage::Coverage;
use crate::fleet::assembly::Fleet;
use crate::fleet::ids::KeyId;
use crate::fleet::key_entry::{KeyEntry, ServiceName};
use crate::fleet::plan::{GroupKey, PullPlan, Waiting};
use crate::io::clock::Stopwatch;
use crate::io::store::Damage;
use crate::io::workdir::inbox::MOST_BAD;
use crate::names::in_message;

/// Says why a service is not pulled.
pub(crate) fn not_pulled(waiting: &Waiting<'_>) -> String {
    let name = in_message(&waiting.entry.newest_name().name);
    match waiting.until {
        Some((until, reason)) => {
            format!("{name}: not pulled, {reason}, due {}", show::minute(until))
        }
        None => format!("{name}: not pulled, no center lists it"),
    }
}

/// Prints what came of a run.
#[expect(clippy::too_many_arguments, reason = "all that a run did, and how it is shown")]
pub(crate) fn print(
    result: &PullResult,
    found: &Found,
    damages: &[Damage],
    mended: &Mended,
    plan: &PullPlan<'_>,
    fleet: &Fleet,
    started: &Stopwatch,
    format: Format,
    context: &Context,
) -> Result<()> {
    let pulled = by_name(&result.keys, &fleet.entries);
    let taken = &found.taken;
    of_inboxes(found, context);
    for damage in damages {
        fail(damage);
    }
    for pulled in &pulled {
        troubles(pulled, context);
    }
    let results = || pulled.iter().map(|(_, pulled)| *pulled);
    let count_of = |result| results().filter(|pulled| pulled.outcome == result).count();
    let planned: usize = plan.pulls.iter().map(|group| group.keys.len()).sum();
    let settled = pulled.len() - count_of(KeyOutcome::NotDue);
    let summary = Summary {
        pulled: settled,
        changed: count_of(KeyOutcome::Changed),
        unchanged: count_of(KeyOutcome::Unchanged),
        nothing_answered: count_of(KeyOutcome::NothingAnswered),
        damages: damages.iter().map(Damage::to_string).collect(),
        rewritten_files: mended.rewritten.clone(),
        lost_files: mended.lost.clone(),
        not_stored: count_of(KeyOutcome::NotStored) + count_of(KeyOutcome::Refused),
        not_due: plan.waiting.iter().filter(|waiting| waiting.until.is_some()).count(),
        cut_off: if result.stop.is_some() { planned.saturating_sub(settled) } else { 0 },
        failed_addresses: results().map(|pulled| pulled.failures.len()).sum(),
        set_aside_addresses: results().map(|pulled| pulled.quarantined.len()).sum(),
        silent_centers: fleet.silent.iter().map(|silent| shown_url(&silent.url)).collect(),
        snapshots: taken.iter().filter(|taken| matches!(taken.fate, Fate::Merged | Fate::Known)).count(),
        set_aside_snapshots: taken
            .iter()
            .filter(|taken| matches!(taken.fate, Fate::Bad(_) | Fate::OtherBuild(_)))
            .count(),
        bytes: results().map(|pulled| pulled.bytes).sum(),
        seconds: started.elapsed().as_secs_f64(),
        ended_by: match result.stop {
            None => "completion",
            Some(Stop::Deadline) => "deadline",
            Some(Stop::Signal(_)) => "signal",
        },
    };
    match format {
        Format::Json => {
            taken.iter().map(snapshot_object).try_for_each(|object| show::print_json(&object))?;
            for pulled in &pulled {
                objects(pulled, damages).iter().try_for_each(show::print_json)?;
            }
            show::print_json(&json!({ "summary": summary }))
        }
        Format::Text if context.is_quiet => Ok(()),
        Format::Text => {
            let is_asked_for = |(_, pulled): &(&KeyEntry, &KeyResult)| {
                pulled.outcome != KeyOutcome::NotDue
                    && (context.around.stdout_is_terminal || is_named(pulled))
            };
            let rows: Vec<(&KeyEntry, &KeyResult)> = pulled.into_iter().filter(is_asked_for).collect();
            if !rows.is_empty() {
                table(&rows, context)?;
            }
            writeln!(io::stdout(), "{summary}")?;
            Ok(())
        }
    }
}

/// Returns each with its key, in the order of their names.
fn by_name<'a>(pulled: &'a [KeyResult], entries: &'a [KeyEntry]) -> Vec<(&'a KeyEntry, &'a KeyResult)> {
    let by_id: HashMap<KeyId, &KeyEntry> = entries.iter().map(|entry| (entry.id, entry)).collect();
    let entry = |pulled: &KeyResult| *by_id.get(&pulled.key).expect("only keys of the fleet are pulled");
    let mut sorted: Vec<_> = pulled.iter().map(|pulled| (entry(pulled), pulled)).collect();
    sorted.sort_by(|(a, _), (b, _)| names(a).cmp(names(b)));
    sorted
}

fn names(entry: &KeyEntry) -> impl Iterator<Item = &str> {
    entry.members.iter().map(|member| member.name.as_str())
}

fn is_named(pulled: &KeyResult) -> bool {
    use crate::fleet::schedule::Reason;
    matches!(pulled.reason, Reason::Named | Reason::Forced)
}

/// How many files of the inboxes with trouble are named.
const NAMED_OF_INBOX: usize = 10;

/// Says on stderr what became of the files of the inboxes: somebody who leaves thousands must not fill a log.
fn of_inboxes(found: &Found, context: &Context) {
    let Found { taken, waiting, .. } = found;
    let has_trouble = |taken: &Taken| !matches!(taken.fate, Fate::Merged | Fate::Known);
    let (troubled, well): (Vec<&Taken>, Vec<&Taken>) = taken.iter().partition(|taken| has_trouble(taken));
    let (named, others) = troubled.split_at(troubled.len().min(NAMED_OF_INBOX));
    for taken in well.iter().chain(named) {
        of_inbox(taken, context);
    }
    if *waiting > 0 {
        let files = show::count(*waiting, "files");
        super::super::warn(format!(
            "{files} of the inbox left for the next run: half of the deadline is for services"
        ));
    }
    if others.is_empty() {
        return;
    }
    let count = |is_so: fn(&Fate) -> bool| others.iter().filter(|taken| is_so(&taken.fate)).count();
    let bad = format!("moved to \"bad\" beside them, which keeps the newest {MOST_BAD}");
    let fates = [
        (count(|fate| matches!(fate, Fate::Bad(_))), &*bad),
        (count(|fate| matches!(fate, Fate::OtherBuild(_))), "of another build and set aside"),
        (count(|fate| matches!(fate, Fate::Stuck(_))), "tried again"),
        (count(|fate| matches!(fate, Fate::Unfinished(_))), "waiting for their end"),
    ];
    let fates = fates.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = fates.map(|(number, fate)| format!("{number} {fate}")).collect();
    super::super::fail(format!("and {} more files of the inbox: {}", others.len(), parts.join(", ")));
}

/// Says on stderr what became of a file of the inbox, where that is not what was hoped for.
fn of_inbox(taken: &Taken, context: &Context) {
    let file = in_message(&taken.file);
    let name = taken.head.as_ref().map(|head| in_message(&head.service));
    match (&taken.fate, name) {
        (Fate::Bad(reason), _) => {
            super::super::fail(format!("snapshot \"{file}\": {reason}; moved to \"bad\" beside it"));
        }
        (Fate::Unfinished(reason), _) => {
            super::super::warn(format!("snapshot \"{file}\": {reason}; it waits for its end"));
        }
        (Fate::Stuck(reason), _) => {
            super::super::fail(format!("snapshot \"{file}\": {reason}; it is tried again"));
        }
        (Fate::OtherBuild(build), Some(name)) => {
            let build = build.short();
            super::super::fail(format!(
                "{name}: snapshot \"{file}\" is of build {build}, which contradicts the one shown; its data is set \
                 aside (to show it: goc-watchdog pull {name} --adopt {build})"
            ));
        }
        (Fate::Merged, Some(name)) => context.explain(format!("{name}: snapshot \"{file}\" is merged in")),
        (_, Some(name)) => {
            context.explain(format!("{name}: snapshot \"{file}\" says nothing that is not known"));
        }
        (_, None) => {}
    }
}

/// Says on stderr what went wrong with a service, whatever the form of the output.
fn troubles((entry, pulled): &(&KeyEntry, &KeyResult), context: &Context) {
    let name = in_message(&entry.members[0].name);
    for fault in &pulled.faults {
        let outcome = match pulled.outcome {
            KeyOutcome::NotStored => "; its counters are kept in the database, its row is not stored",
            KeyOutcome::Refused => "; its counters and its row are not stored",
            _ => "",
        };
        fail(format_args!("{name}: {fault}{outcome}; the next pull tries again"));
    }
    for failure in &pulled.failures {
        let next_try = failure
            .next_try
            .map(|next| format!(", next try {}", moment(next, context.now())))
            .unwrap_or_default();
        fail(format_args!(
            "{name}: profile from \"{}\": {}; kept the previous data{next_try}",
            in_message(&failure.address),
            failure.error
        ));
    }
    for quarantined in &pulled.quarantined {
        let address = in_message(&quarantined.address);
        let build = quarantined.build.short();
        let message = match quarantined.why {
            WhyQuarantined::OtherBuild => format!(
                "{name}: \"{address}\" serves build {build}, which contradicts the one shown; its data is set \
                 aside (to show it: goc-watchdog pull {name} --adopt {build})"
            ),
            WhyQuarantined::Undecided => format!(
                "{name}: \"{address}\" stands under two names with the same build {build}, and which of them \
                 it is cannot be told; its data is set aside"
            ),
        };
        say(Level::Warning, &message);
    }
    if context.is_quiet {
        return;
    }
    for adopted in &pulled.adopted {
        let short = |build: Option<crate::profile::Fingerprint>| {
            build.map_or_else(|| "-".to_owned(), |build| build.short())
        };
        inform(format_args!(
            "{name}: build {} took the place of {}, which is history now",
            short(adopted.to),
            short(adopted.from)
        ));
    }
    if let Some(pending) = &pulled.pending {
        inform(format_args!("{name}: {}", pending.sentence(context.now())));
    }
    if context.is_verbose && pulled.outcome != KeyOutcome::NotDue {
        inform(format_args!("{name}: pulled, {}", pulled.reason));
        for (address, other) in &pulled.elsewhere {
            inform(format_args!(
                "{name}: \"{}\" is a process of {} now",
                in_message(address),
                in_message(other)
            ));
        }
        if pulled.restarted > 0 {
            inform(format_args!(
                "{name}: {} ended since the last pull",
                show::count(pulled.restarted, "processes")
            ));
        }
    }
}

fn table(rows: &[(&KeyEntry, &KeyResult)], context: &Context) -> Result<()> {
    let cells = |(entry, pulled): &(&KeyEntry, &KeyResult)| {
        let replicas = format!("{} of {}", pulled.answered, pulled.known);
        let result = match pulled.outcome {
            KeyOutcome::Changed => show::colored(context, "changed", Color::Green),
            KeyOutcome::Unchanged | KeyOutcome::NotDue => show::cell("unchanged"),
            KeyOutcome::NothingAnswered => show::colored(context, "nothing answered", Color::Red),
            KeyOutcome::NotStored | KeyOutcome::Refused => show::colored(context, "not stored", Color::Red),
        };
        [
            show::cell(&names(entry).collect::<Vec<_>>().join(" ")),
            show::cell(&total(pulled.coverage)),
            show::cell(&difference(pulled)),
            show::cell(&replicas),
            result,
        ]
    };
    let header = ["SERVICE", "TOTAL", "CHANGE", "REPLICAS", "RESULT"];
    show::print_rows(context, &header, rows, cells)?;
    Ok(())
}

fn total(coverage: Option<Coverage>) -> String {
    coverage.map(|coverage| coverage.to_string()).unwrap_or_default()
}

fn difference(pulled: &KeyResult) -> String {
    match (pulled.coverage, pulled.before) {
        (Some(now), Some(before)) if now != before => now.since(before).to_string(),
        _ => String::new(),
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
    set_aside_addresses: usize,
    silent_centers: Vec<String>,
    snapshots: usize,
    set_aside_snapshots: usize,
    bytes: u64,
    seconds: f64,
    ended_by: &'static str,
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
        if self.set_aside_addresses > 0 {
            write!(f, "; {} set aside", show::count(self.set_aside_addresses, "addresses"))?;
        }
        Ok(())
    }
}

fn snapshot_object(taken: &Taken) -> serde_json::Value {
    let (result, why) = match &taken.fate {
        Fate::Merged => ("merged", None),
        Fate::Known => ("known", None),
        Fate::OtherBuild(build) => ("set_aside", Some(format!("other build {}", build.short()))),
        Fate::Unfinished(reason) => ("unfinished", Some(reason.clone())),
        Fate::Stuck(reason) => ("stuck", Some(reason.clone())),
        Fate::Bad(reason) => ("bad", Some(reason.clone())),
    };
    json!({
        "snapshot": taken.file,
        "service": taken.head.as_ref().map(|head| &head.service),
        "captured_at": taken.head.as_ref().map(|head| show::iso(head.captured_at)),
        "result": result,
        "why": why,
    })
}

/// Returns one object for each name of the key.
fn objects((entry, pulled): &(&KeyEntry, &KeyResult), damages: &[Damage]) -> Vec<serde_json::Value> {
    let result = match pulled.outcome {
        KeyOutcome::Changed => "changed",
        KeyOutcome::Unchanged => "unchanged",
        KeyOutcome::NothingAnswered => "nothing_answered",
        KeyOutcome::NotStored | KeyOutcome::Refused => "not_stored",
        KeyOutcome::NotDue => "not_due",
    };
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
                    WhyQuarantined::OtherBuild => "other_build",
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
            "pending": pulled.pending.as_deref().map(Pending::object),
            "next_due": iso(pulled.next_due),
            "faults": damages.iter().filter(|damage| damage.services.contains(name)).map(|damage| &damage.what)
                .chain(&pulled.faults).collect::<Vec<_>>(),
        })
    };
    entry.members.iter().map(object).collect()
}

/// Prints what a run would do.
pub(crate) fn print_plan(plan: &PullPlan<'_>, format: Format, context: &Context) -> Result<()> {
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
            for waiting in &plan.waiting {
                show::print_json(&json!({
                    "service": waiting.entry.newest_name().name,
                    "pull": false,
                    "reason": waiting.until.map_or_else(|| "offline".to_owned(), |(_, reason)| reason.to_string()),
                    "addresses": [],
                    "due": waiting.until.map(|(until, _)| show::iso(until)),
                }))?;
            }
            Ok(())
        }
        Format::Text => {
            let pulls = pulls.map(|(key, addresses)| Planned::Asked(key, addresses.len()));
            let rows: Vec<_> = pulls.chain(plan.waiting.iter().map(Planned::Waiting)).collect();
            let header = ["SERVICE", "ADDRESSES", "DUE", "REASON"];
            Ok(show::print_rows(context, &header, &rows, |row| row.cells(context))?)
        }
    }
}

/// A key of a plan, as a row of a table.
enum Planned<'a> {
    /// Pulled from so many addresses.
    Asked(&'a GroupKey<'a>, usize),
    Waiting(&'a Waiting<'a>),
}

impl Planned<'_> {
    fn cells(&self, context: &Context) -> [Cell; 4] {
        let (entry, addresses, due, reason) = match self {
            Self::Asked(key, addresses) => (key.entry, *addresses, "now".to_owned(), key.reason.to_string()),
            Self::Waiting(Waiting { entry, until: Some((until, reason)) }) => {
                (*entry, 0, moment(*until, context.now()), reason.to_string())
            }
            Self::Waiting(Waiting { entry, until: None }) => {
                (*entry, 0, String::new(), "no center lists it".to_owned())
            }
        };
        [
            show::cell(&entry.newest_name().name),
            show::cell(&addresses.to_string()),
            show::cell(&due),
            show::cell(&reason),
        ]
    }
}
