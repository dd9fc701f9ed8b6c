//! The output of `prune`: a line for each address that is not simply alive, and one for the whole run.

use std::fmt::Write as _;

use anyhow::Result;
use comfy_table::Color;
use indicatif::HumanBytes;
use serde_json::json;

use super::lines::{AddressLine, NOT_TRIED, lines};
use super::summary::Summary;
use crate::address::shown_url;
use crate::cli::Format;
use crate::commands::table::Column;
use crate::commands::{Context, Level, fail, inform, say, show, warn};
use crate::fleet::liveness::Finding;
use crate::fleet::removal::Brake;
use crate::fleet::row::Row;
use crate::io::clock::Stopwatch;
use crate::names::in_message;
use crate::prune::outcome::{ListsOutcome, PruneOutcome};
use crate::prune::retention::RetentionRun;

/// Returns the JSON object of an address.
fn object(line: &AddressLine) -> serde_json::Value {
    let AddressLine { center, address, services, stale, finding, detail, .. } = line;
    let AddressLine { other_build, suspicion, action, result, .. } = line;
    json!({
        "center": center,
        "address": address,
        "services": services,
        "stale_names": stale,
        "state": line.state(),
        "finding": finding.map(Finding::word),
        "detail": (!detail.is_empty()).then_some(detail),
        "other_build": other_build.map(|build| build.short()),
        "runs": suspicion.as_ref().map_or(0, |suspicion| suspicion.any.runs),
        "since": suspicion.as_ref().map(|suspicion| show::iso(suspicion.any.since)),
        "action": action,
        "result": result.as_ref().map(|result| result.as_ref().map_or("failed", |word| *word)),
        "error": result.as_ref().and_then(|result| result.as_ref().err()),
    })
}

fn color(line: &AddressLine) -> Color {
    match line.word() {
        "restored" | "renamed" | "spared" | "alive" | "restore" => Color::Green,
        "removed" | "remove" | "failed" | "held back" => Color::Red,
        _ => Color::Yellow,
    }
}

fn why(line: &AddressLine, context: &Context) -> String {
    let mut why = match (&line.suspicion, line.finding) {
        _ if line.result == Some(Ok("spared")) => line.detail.clone(),
        (Some(suspicion), _) => format!(
            "{} ({} for {})",
            suspicion.probe.detail,
            show::count(suspicion.any.runs as usize, "runs"),
            show::span(context.now() - suspicion.any.since)
        ),
        (None, Some(Finding::Alive)) if line.action == "keep" && line.shows_other_build() => {
            let build = line.other_build.map(|build| build.short()).unwrap_or_default();
            format!("answers, and serves build {build}, which is not the one shown")
        }
        (None, None) => "not asked in this run".to_owned(),
        (None, _) if line.action == "restore" => "answers again".to_owned(),
        (None, _) => line.detail.clone(),
    };
    if !line.stale.is_empty() {
        let _ =
            write!(why, "serves the build of another name, not that of \"{}\"", line.stale.join("\", \""));
    }
    why
}

/// Returns the summary as one line of text.
fn sentence(summary: &Summary) -> String {
    let mut clauses = Vec::new();
    if summary.has_lists {
        let states = [(summary.suspect, "suspect"), (summary.dead, "dead")];
        let asked = show::count(summary.asked, "addresses");
        clauses.push(format!("asked {asked}: {} alive{}", summary.alive, listed(&states, true)));
    }
    let done = [
        (summary.removed, "removed"),
        (summary.renamed, "renamed"),
        (summary.restored, "restored"),
        (summary.held_back, "held back"),
        (summary.failed, "failed"),
    ];
    clauses.push(listed(&done, false));
    if summary.dropped_profiles + summary.dropped_keys + summary.dropped_set_aside > 0 {
        let keys = match summary.dropped_keys {
            0 => String::new(),
            keys => format!(", all of {}", show::count(keys, "services")),
        };
        let asides = match summary.dropped_set_aside {
            0 => String::new(),
            asides => format!(", {} set aside", show::count(asides, "builds")),
        };
        let profiles = show::count(summary.dropped_profiles, "profiles");
        let dropped = if summary.is_dry_run { "would drop" } else { "dropped" };
        clauses.push(format!("{dropped} {profiles}{keys}{asides}"));
    }
    if summary.freed_files > 0 || summary.freed_counter_bytes > 0 {
        let files = show::count(summary.freed_files, "files");
        let freed = if summary.is_dry_run { "would free" } else { "freed" };
        let counters = match summary.freed_counter_bytes {
            0 => String::new(),
            bytes => format!(", and {} in the database", HumanBytes(bytes)),
        };
        clauses.push(format!("{freed} {files} of {}{counters}", HumanBytes(summary.freed_bytes)));
    } else if !summary.has_lists {
        clauses.push("nothing to drop".to_owned());
    }
    clauses.push(match summary.seconds {
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1000.0),
        seconds => format!("{seconds:.1} s"),
    });
    clauses.retain(|clause| !clause.is_empty());
    clauses.join("; ")
}

/// Lists the numbers that are not zero.
fn listed(parts: &[(usize, &str)], go_on: bool) -> String {
    let parts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    match (go_on, parts.is_empty()) {
        (true, false) => format!(", {}", parts.join(", ")),
        _ => parts.join(", "),
    }
}

/// Prints the outcome of a run, or of a dry run.
pub(crate) fn print(
    done: &PruneOutcome,
    format: Format,
    is_dry_run: bool,
    started: &Stopwatch,
    context: &Context,
) -> Result<()> {
    if is_dry_run {
        done.damages.iter().for_each(fail);
    }
    let lines = done.lists.as_ref().map(|lists| lines(lists, is_dry_run)).unwrap_or_default();
    if let Some(lists) = &done.lists {
        troubles(lists, &lines, context);
    }
    let retention = done.retention.as_ref();
    if retention.is_some_and(|retention| retention.freed.is_put_off) {
        say(
            Level::Warning,
            "a report is reading stored files, so none was removed; the next run removes them",
        );
    }
    let summary = Summary::new(&lines, done, is_dry_run, started.elapsed());
    match format {
        Format::Json => {
            lines
                .iter()
                .filter(|line| line.is_news())
                .try_for_each(|line| show::print_json(&object(line)))?;
            retention.map(drops).unwrap_or_default().iter().try_for_each(show::print_json)?;
            show::print_json(&json!({ "summary": summary }))
        }
        Format::Text if context.is_quiet => Ok(()),
        Format::Text => {
            // A suspect address is shown to a person who watches.
            let is_watched = context.environment.stdout_is_terminal || context.is_verbose || is_dry_run;
            let is_shown = |line: &&AddressLine| line.is_news() && (is_watched || line.result.is_some());
            let shown: Vec<&AddressLine> = lines.iter().filter(is_shown).collect();
            if !shown.is_empty() {
                table(&shown, context)?;
            }
            if let Some(retention) = retention.filter(|_| is_watched) {
                drop_table(retention, is_dry_run, context)?;
            }
            let change = if is_dry_run { "nothing was changed; " } else { "" };
            Ok(show::print_sentence(context, &(change.to_owned() + &sentence(&summary)))?)
        }
    }
}

/// Prints errors and warnings on stderr, for all forms of the output.
fn troubles(done: &ListsOutcome, lines: &[AddressLine], context: &Context) {
    for silent in &done.silent {
        warn(format!("center \"{}\": {}; nothing is removed there", shown_url(&silent.url), silent.message));
    }
    for Brake { center, going, listed } in &done.plan.brakes {
        let (what, of) = match going == listed {
            true => ("all", String::new()),
            false => ("more than half", format!(" of {listed}")),
        };
        fail(format_args!(
            "center \"{}\": {going}{of} addresses, {what} that it lists, would go at once, which looks like a \
             fault of the network or of this host; nothing is removed there. Where they really are dead: \
             goc-watchdog prune --force, or wait; it goes on by itself once they have failed for 24 hours \
             while another address answers",
            shown_url(center)
        ));
    }
    for line in lines {
        let address = in_message(&line.address);
        if let Some(Err(error)) = line.result.as_ref().filter(|_| !line.is_not_tried()) {
            fail(format_args!("\"{address}\": {} failed: {error}", line.action));
        }
        if context.is_verbose && line.finding == Some(Finding::Withheld) {
            inform(format_args!("\"{address}\": its state is unknown: {}", line.detail));
        }
    }
    if done.is_cut {
        let unasked = match done.unasked() {
            0 => String::new(),
            unasked => format!(": {} were not asked", show::count(unasked, "addresses")),
        };
        say(Level::Warning, &format!("the deadline ended the run early{unasked}; the next run goes on"));
    }
    let left = lines.iter().filter(|line| line.is_not_tried()).count();
    if left > 0 {
        let left = show::count(left, "addresses");
        say(Level::Warning, &format!("{left} {NOT_TRIED}; the next run goes on"));
    }
}

fn table(lines: &[&AddressLine], context: &Context) -> Result<()> {
    const COLUMNS: [Column; 4] =
        [Column::new("RESULT"), Column::wrapped("WHY"), Column::above("SERVICE"), Column::above("ADDRESS")];
    let cells = |line: &&AddressLine| {
        [
            show::colored(context, line.word(), color(line)),
            show::cell(&why(line, context)),
            show::cell(&line.services.join(" ")),
            show::cell(&line.address),
        ]
    };
    Ok(show::print_table(context, &COLUMNS, lines, cells)?)
}

/// Returns a JSON object for each deleted part of the history.
fn drops(retention: &RetentionRun) -> Vec<serde_json::Value> {
    let row = |row: &Row| {
        json!({
            "drop": "profile",
            "id": row.id.0,
            "env": row.key.env,
            "region": row.key.region,
            "app": row.key.app,
            "commit": row.key.commit,
            "stored_at": show::iso(row.created_at),
            "cov_file_path": row.cov_file_path,
        })
    };
    let keys = retention.keys.iter().flat_map(|key| {
        let object = json!({
            "drop": "key",
            "services": key.services,
            "last_used": key.last_used.map(show::iso),
        });
        key.rows.iter().map(row).chain([object])
    });
    let build_groups = retention.build_groups.iter().map(|build_group| {
        json!({
            "drop": "set_aside",
            "service": build_group.service,
            "build": build_group.build,
            "last_used": build_group.last_used.map(show::iso),
        })
    });
    retention.rows.iter().map(row).chain(keys).chain(build_groups).collect()
}

fn drop_table(retention: &RetentionRun, is_dry_run: bool, context: &Context) -> Result<()> {
    const COLUMNS: [Column; 3] = [Column::new("RESULT"), Column::wrapped("WHY"), Column::above("WHAT")];
    let now = context.now();
    let mut drops = Vec::new();
    for row in &retention.rows {
        let age = show::span(now - row.created_at);
        drops.push((format!("{age} old and not among the newest"), row.cov_file_path.clone()));
    }
    for key in &retention.keys {
        let used = show::ago(key.last_used, now);
        drops.push((format!("all data: last used {used}"), key.services.join(" ")));
    }
    for build_group in &retention.build_groups {
        let (build, used) = (&build_group.build, show::ago(build_group.last_used, now));
        drops.push((format!("build {build}, set aside: last used {used}"), build_group.service.clone()));
    }
    if drops.is_empty() {
        return Ok(());
    }
    let word = if is_dry_run { "drop" } else { "dropped" };
    let cells = |(why, what): &(String, String)| {
        [show::colored(context, word, Color::Yellow), show::cell(why), show::cell(what)]
    };
    Ok(show::print_table(context, &COLUMNS, &drops, cells)?)
}
