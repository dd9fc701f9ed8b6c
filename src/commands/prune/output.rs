//! What a run says: a line for each address that is not simply alive, and one for the whole.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anyhow::Result;
use comfy_table::Color;
use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::json;

use crate::address::shown_url;
use crate::cli::Format;
use crate::commands::prune::{Done, Lists};
use crate::commands::{Context, Level, fail, inform, say, show, warn};
use crate::fleet::liveness::{Finding, Suspicion};
use crate::fleet::removal::{Action, Brake, Judged, Tombstone};
use crate::fleet::row::Row;
use crate::io::clock::Stopwatch;
use crate::names::in_message;
use crate::profile::Fingerprint;
use crate::prune::removing::Outcome;
use crate::prune::thinning::Thinning;

/// Why something was left undone that was planned.
const NOT_TRIED: &str = "not tried, because the run broke off before";

/// One address, and what was or would be done about it.
struct Line {
    center: String,
    address: String,
    services: Vec<String>,
    stale: Vec<String>,
    finding: Option<Finding>,
    detail: String,
    other_build: Option<Fingerprint>,
    suspicion: Option<Suspicion>,
    action: &'static str,
    /// `None` where nothing was to be done, or nothing is done in this run.
    result: Option<Result<&'static str, String>>,
}

impl Line {
    fn of(judged: &Judged, done: &Lists) -> Self {
        let Judged { listed, suspicion, action } = judged;
        let (action, stale) = match action {
            Action::Keep => ("keep", &[][..]),
            Action::KeepStale(renaming) => ("keep", &renaming.stale[..]),
            Action::Rename(renaming) => ("rename", &renaming.stale[..]),
            Action::Remove => ("remove", &[][..]),
            Action::Hold => ("hold", &[][..]),
        };
        let listing = (listed.center.clone(), listed.address.clone());
        let outcome = done.removal.outcomes.get(&listing);
        let probed = listed.probe.as_ref().map(|probe| probe.detail.clone()).unwrap_or_default();
        Self {
            services: listed.names.iter().map(|name| name.service.clone()).collect(),
            stale: stale.to_vec(),
            finding: listed.probe.as_ref().map(|probe| probe.finding),
            detail: match outcome {
                Some(Outcome::Spared(why)) => why.clone(),
                _ => probed,
            },
            other_build: listed.other_build(),
            suspicion: suspicion.clone(),
            action,
            result: outcome.map(|outcome| match outcome {
                Outcome::Removed => Ok("removed"),
                Outcome::Renamed => Ok("renamed"),
                Outcome::Spared(_) => Ok("spared"),
                Outcome::Failed(error) => Err(error.clone()),
                Outcome::NotTried => Err(NOT_TRIED.to_owned()),
            }),
            center: listing.0,
            address: listing.1,
        }
    }

    fn back(tombstone: &Tombstone, result: Option<&Option<String>>) -> Self {
        Self {
            center: tombstone.center.clone(),
            address: tombstone.address.clone(),
            services: vec![tombstone.service.clone()],
            stale: Vec::new(),
            finding: Some(Finding::Alive),
            detail: String::new(),
            other_build: None,
            suspicion: None,
            action: "restore",
            result: result.map(|error| error.clone().map_or(Ok("restored"), Err)),
        }
    }

    fn state(&self) -> &'static str {
        match (&self.suspicion, self.finding) {
            (Some(suspicion), _) if suspicion.is_dead => "dead",
            (Some(_), _) => "suspect",
            (None, Some(Finding::Alive)) => "alive",
            (None, _) => "unknown",
        }
    }

    /// Tells whether the only thing to say about it is that it serves another build.
    fn shows_other_build(&self) -> bool {
        self.other_build.is_some() && self.stale.is_empty() && self.state() == "alive"
    }

    fn is_not_tried(&self) -> bool {
        self.result.as_ref().is_some_and(|result| result.as_ref().is_err_and(|error| error == NOT_TRIED))
    }

    /// Tells whether there is anything to say about it.
    fn is_news(&self) -> bool {
        self.action != "keep"
            || self.state() != "alive"
            || !self.stale.is_empty()
            || self.other_build.is_some()
    }

    fn object(&self) -> serde_json::Value {
        let Self { center, address, services, stale, finding, detail, .. } = self;
        let Self { other_build, suspicion, action, result, .. } = self;
        json!({
            "center": center,
            "address": address,
            "services": services,
            "stale_names": stale,
            "state": self.state(),
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

    /// Says in a word what was done, or would be.
    fn word(&self) -> &'static str {
        match (&self.result, self.action) {
            (Some(Ok(done)), _) => done,
            (Some(Err(_)), _) => "failed",
            (None, "hold") => "held back",
            (None, "keep") if !self.stale.is_empty() => "stale name",
            (None, "keep") if self.shows_other_build() => "other build",
            (None, "keep") => self.state(),
            (None, action) => action,
        }
    }

    fn color(&self) -> Color {
        match self.word() {
            "restored" | "renamed" | "spared" | "alive" | "restore" => Color::Green,
            "removed" | "remove" | "failed" | "held back" => Color::Red,
            _ => Color::Yellow,
        }
    }

    fn why(&self, context: &Context) -> String {
        let mut why = match (&self.suspicion, self.finding) {
            _ if self.result == Some(Ok("spared")) => self.detail.clone(),
            (Some(suspicion), _) => format!(
                "{} ({} for {})",
                suspicion.probe.detail,
                show::count(suspicion.any.runs as usize, "runs"),
                show::span(context.now() - suspicion.any.since)
            ),
            (None, Some(Finding::Alive)) if self.action == "keep" && self.shows_other_build() => {
                let build = self.other_build.map(|build| build.short()).unwrap_or_default();
                format!("answers, and serves build {build}, which is not the one shown")
            }
            (None, None) => "not asked in this run".to_owned(),
            (None, _) if self.action == "restore" => "answers again".to_owned(),
            (None, _) => self.detail.clone(),
        };
        if !self.stale.is_empty() {
            let _ = write!(why, "serves what another name shows, not \"{}\"", self.stale.join("\", \""));
        }
        why
    }
}

#[derive(Serialize)]
struct Summary {
    asked: usize,
    alive: usize,
    suspect: usize,
    dead: usize,
    removed: usize,
    renamed: usize,
    restored: usize,
    held_back: usize,
    failed: usize,
    stale_names: usize,
    other_builds: usize,
    braked_centers: Vec<String>,
    silent_centers: Vec<String>,
    dropped_profiles: usize,
    dropped_keys: usize,
    dropped_set_aside: usize,
    freed_files: usize,
    freed_bytes: u64,
    freed_counter_bytes: u64,
    rewritten_files: Vec<String>,
    lost_files: Vec<String>,
    #[serde(skip)]
    has_lists: bool,
    seconds: f64,
    ended_by: &'static str,
    is_dry_run: bool,
}

impl Summary {
    fn of(lines: &[Line], done: &Done, is_dry_run: bool, started: &Stopwatch) -> Self {
        let Done { lists, thinning, mended, .. } = done;
        let brakes = lists.iter().flat_map(|lists| &lists.plan.brakes);
        let silent = lists.iter().flat_map(|lists| &lists.silent);
        let nothing = Thinning::default();
        let thinning = thinning.as_ref().unwrap_or(&nothing);
        let listed = || lines.iter().filter(|line| line.action != "restore");
        let in_state = |state: &str| listed().filter(|line| line.state() == state).count();
        let ended = |word: &str| lines.iter().filter(|line| line.word() == word).count();
        Self {
            asked: listed().filter(|line| line.finding.is_some()).count(),
            alive: in_state("alive"),
            suspect: in_state("suspect"),
            dead: in_state("dead"),
            removed: ended("removed"),
            renamed: ended("renamed"),
            restored: ended("restored"),
            held_back: ended("held back"),
            failed: ended("failed"),
            stale_names: listed().map(|line| line.stale.len()).sum(),
            other_builds: listed().filter(|line| line.other_build.is_some()).count(),
            braked_centers: brakes.map(|brake| shown_url(&brake.center)).collect(),
            silent_centers: silent.map(|silent| shown_url(&silent.url)).collect(),
            dropped_profiles: thinning.rows.len()
                + thinning.keys.iter().map(|key| key.rows.len()).sum::<usize>(),
            dropped_keys: thinning.keys.len(),
            dropped_set_aside: thinning.asides.len(),
            freed_files: thinning.freed.files,
            freed_bytes: thinning.freed.bytes,
            freed_counter_bytes: thinning.counter_bytes,
            rewritten_files: mended.rewritten.clone(),
            lost_files: mended.lost.clone(),
            has_lists: lists.is_some(),
            seconds: started.elapsed().as_secs_f64(),
            ended_by: match lists {
                _ if done.has_signal => "signal",
                Some(lists) if lists.is_cut => "deadline",
                _ => "completion",
            },
            is_dry_run,
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut clauses = Vec::new();
        if self.has_lists {
            let states = [(self.suspect, "suspect"), (self.dead, "dead")];
            let asked = show::count(self.asked, "addresses");
            clauses.push(format!("asked {asked}: {} alive{}", self.alive, listed(&states, true)));
        }
        let done = [
            (self.removed, "removed"),
            (self.renamed, "renamed"),
            (self.restored, "restored"),
            (self.held_back, "held back"),
            (self.failed, "failed"),
        ];
        clauses.push(listed(&done, false));
        if self.dropped_profiles + self.dropped_keys + self.dropped_set_aside > 0 {
            let keys = match self.dropped_keys {
                0 => String::new(),
                keys => format!(", all of {}", show::count(keys, "services")),
            };
            let asides = match self.dropped_set_aside {
                0 => String::new(),
                asides => format!(", {} set aside", show::count(asides, "builds")),
            };
            let profiles = show::count(self.dropped_profiles, "profiles");
            let dropped = if self.is_dry_run { "would drop" } else { "dropped" };
            clauses.push(format!("{dropped} {profiles}{keys}{asides}"));
        }
        if self.freed_files > 0 || self.freed_counter_bytes > 0 {
            let files = show::count(self.freed_files, "files");
            let freed = if self.is_dry_run { "would free" } else { "freed" };
            let counters = match self.freed_counter_bytes {
                0 => String::new(),
                bytes => format!(", and {} in the database", HumanBytes(bytes)),
            };
            clauses.push(format!("{freed} {files} of {}{counters}", HumanBytes(self.freed_bytes)));
        } else if !self.has_lists {
            clauses.push("nothing to drop".to_owned());
        }
        clauses.push(match self.seconds {
            seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1000.0),
            seconds => format!("{seconds:.1} s"),
        });
        clauses.retain(|clause| !clause.is_empty());
        write!(f, "{}", clauses.join("; "))
    }
}

/// Lists what there is any of.
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

/// Prints what was done, or would be.
pub(crate) fn print(
    done: &Done,
    format: Format,
    is_dry_run: bool,
    started: &Stopwatch,
    context: &Context,
) -> Result<()> {
    let lines = done.lists.as_ref().map(|lists| lines(lists, is_dry_run)).unwrap_or_default();
    if let Some(lists) = &done.lists {
        troubles(lists, &lines, context);
    }
    let thinning = done.thinning.as_ref();
    if thinning.is_some_and(|thinning| thinning.freed.is_put_off) {
        say(
            Level::Warning,
            "somebody is reading stored files, so none was removed; the next run removes them",
        );
    }
    let summary = Summary::of(&lines, done, is_dry_run, started);
    match format {
        Format::Json => {
            lines
                .iter()
                .filter(|line| line.is_news())
                .try_for_each(|line| show::print_json(&line.object()))?;
            thinning.map(drops).unwrap_or_default().iter().try_for_each(show::print_json)?;
            show::print_json(&json!({ "summary": summary }))
        }
        Format::Text if context.is_quiet => Ok(()),
        Format::Text => {
            // Who is only suspect is news to somebody who watches.
            let is_watched = context.around.stdout_is_terminal || context.is_verbose || is_dry_run;
            let is_shown = |line: &&Line| line.is_news() && (is_watched || line.result.is_some());
            let shown: Vec<&Line> = lines.iter().filter(is_shown).collect();
            if !shown.is_empty() {
                table(&shown, context)?;
            }
            if let Some(thinning) = thinning.filter(|_| is_watched) {
                drop_table(thinning, is_dry_run, context)?;
            }
            writeln!(io::stdout(), "{}{summary}", if is_dry_run { "nothing was changed; " } else { "" })?;
            Ok(())
        }
    }
}

fn lines(done: &Lists, is_dry_run: bool) -> Vec<Line> {
    let mut lines: Vec<Line> = done.plan.judged.iter().map(|judged| Line::of(judged, done)).collect();
    if is_dry_run {
        lines.extend(done.plan.restores.iter().map(|tombstone| Line::back(tombstone, None)));
    }
    let back = done.removal.restored.iter().chain(&done.removal.dropped);
    lines.extend(back.map(|(tombstone, error)| Line::back(tombstone, Some(error))));
    lines.extend(done.restored.iter().map(|back| Line::back(&back.tombstone, Some(&back.error))));
    lines
}

/// Says on stderr what went wrong, whatever the form of the output.
fn troubles(done: &Lists, lines: &[Line], context: &Context) {
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
            inform(format_args!("\"{address}\": nothing is known of it, {}", line.detail));
        }
    }
    if done.is_cut {
        let unasked = match done.unasked() {
            0 => String::new(),
            unasked => format!(": {} were not asked", show::count(unasked, "addresses")),
        };
        say(
            Level::Warning,
            &format!("the deadline ended it before all was done{unasked}; the next run goes on"),
        );
    }
    let left = lines.iter().filter(|line| line.is_not_tried()).count();
    if left > 0 {
        let left = show::count(left, "addresses");
        say(Level::Warning, &format!("{left} {NOT_TRIED}; the next run goes on"));
    }
}

fn table(lines: &[&Line], context: &Context) -> Result<()> {
    let mut table = show::table(context, &["RESULT", "WHY", "SERVICE", "ADDRESS"]);
    for line in lines {
        table.add_row([
            show::colored(context, line.word(), line.color()),
            show::cell(&line.why(context)),
            show::cell(&line.services.join(" ")),
            show::cell(&line.address),
        ]);
    }
    show::print_table(&table)?;
    Ok(())
}

/// Returns an object for each thing of the history that goes.
fn drops(thinning: &Thinning) -> Vec<serde_json::Value> {
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
    let keys = thinning.keys.iter().flat_map(|key| {
        let object = json!({
            "drop": "key",
            "services": key.services,
            "last_used": key.last_used.map(show::iso),
        });
        key.rows.iter().map(row).chain([object])
    });
    let asides = thinning.asides.iter().map(|aside| {
        json!({
            "drop": "set_aside",
            "service": aside.service,
            "build": aside.build,
            "last_used": aside.last_used.map(show::iso),
        })
    });
    thinning.rows.iter().map(row).chain(keys).chain(asides).collect()
}

fn drop_table(thinning: &Thinning, is_dry_run: bool, context: &Context) -> Result<()> {
    let now = context.now();
    let mut table = show::table(context, &["RESULT", "WHY", "WHAT"]);
    let mut is_empty = true;
    let mut add = |why: String, what: &str| {
        let word = if is_dry_run { "drop" } else { "dropped" };
        table.add_row([show::colored(context, word, Color::Yellow), show::cell(&why), show::cell(what)]);
        is_empty = false;
    };
    for row in &thinning.rows {
        let age = show::span(now - row.created_at);
        add(format!("{age} old, and not among the newest"), &row.cov_file_path);
    }
    for key in &thinning.keys {
        add(format!("all of it: last used {}", show::ago(key.last_used, now)), &key.services.join(" "));
    }
    for aside in &thinning.asides {
        let (build, used) = (&aside.build, show::ago(aside.last_used, now));
        add(format!("build {build}, set aside: last used {used}"), &aside.service);
    }
    if !is_empty {
        show::print_table(&table)?;
    }
    Ok(())
}
