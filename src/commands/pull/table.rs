//! The table of a run: a line for each service that was pulled or left files in an inbox, at a terminal or where a person
//! named it.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use comfy_table::Color;

use crate::collect::inbox::SnapshotOutcome;
use crate::collect::outcome::{KeyOutcome, KeyResult};
use crate::collect::pull::PullOutcome;
use crate::commands::table::{Cell, Column};
use crate::commands::{Context, show};
use crate::coverage::Coverage;
use crate::fleet::ids::KeyId;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::schedule::DueReason;

const COLUMNS: [Column; 6] = [
    Column::above("SERVICE"),
    Column::new("TOTAL"),
    Column::ranked(0, "CHANGE, POINTS"),
    Column::new("REPLICAS"),
    Column::wrapped("INBOX").optional(),
    Column::wrapped("RESULT").of_phrases(),
];

/// A service of the table.
struct Line<'a> {
    name: String,
    /// Its pull; `None` if only an inbox had something of it.
    pulled: Option<&'a KeyResult>,
    files: LeftFiles,
}

/// Numbers of the files of a service in the inboxes.
#[derive(Clone, Copy, Default)]
struct LeftFiles {
    taken_in: usize,
    /// Files that had been taken in before.
    known: usize,
    set_aside: usize,
    /// Files that the next run tries again.
    waiting: usize,
    /// At least one file brought new counts.
    has_moved: bool,
}

impl LeftFiles {
    fn add(&mut self, outcome: &SnapshotOutcome) {
        use SnapshotOutcome::{Bad, Known, Merged, NoMeta, OtherBuild, Stuck, TakenBefore, Unfinished};
        let number = match outcome {
            Merged | Known => &mut self.taken_in,
            TakenBefore => &mut self.known,
            OtherBuild(_) | Bad(_) => &mut self.set_aside,
            Unfinished(_) | NoMeta(_) | Stuck(_) => &mut self.waiting,
        };
        *number += 1;
        self.has_moved |= *outcome == Merged;
    }
}

impl std::fmt::Display for LeftFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { taken_in, known, set_aside, waiting, has_moved: _ } = *self;
        let numbers =
            [(taken_in, "taken in"), (known, "known"), (set_aside, "set aside"), (waiting, "waiting")];
        let parts = numbers.iter().filter(|(number, _)| *number > 0);
        let parts: Vec<String> = parts.map(|(number, what)| format!("{number} {what}")).collect();
        f.write_str(&parts.join(", "))
    }
}

/// The files of the inboxes, grouped by service.
struct LeftByService<'a> {
    of_keys: HashMap<KeyId, LeftFiles>,
    /// Files of services without a key: no file of such a service was taken in.
    of_names: BTreeMap<&'a str, LeftFiles>,
}

impl<'a> LeftByService<'a> {
    fn new(outcome: &'a PullOutcome<'_>) -> Self {
        let mut left = Self { of_keys: HashMap::new(), of_names: BTreeMap::new() };
        if outcome.inbox.results.is_empty() {
            return left;
        }
        let members = |entry: &'a KeyEntry| names(entry).map(|name| (name, entry.id));
        let keys: HashMap<&str, KeyId> = outcome.fleet.entries.iter().flat_map(members).collect();
        for result in &outcome.inbox.results {
            let Some(name) = result.service.as_deref() else { continue };
            let files = match result.key.or_else(|| keys.get(name).copied()) {
                Some(key) => left.of_keys.entry(key).or_default(),
                None => left.of_names.entry(name).or_default(),
            };
            files.add(&result.outcome);
        }
        left
    }
}

/// Prints the table on stdout, unless it would have no line.
pub(super) fn print(
    pulled: &[(&KeyEntry, &KeyResult)],
    outcome: &PullOutcome<'_>,
    context: &Context,
) -> Result<()> {
    let lines = lines(pulled, outcome, context.environment.stdout_is_terminal);
    if !lines.is_empty() {
        show::print_table(context, &COLUMNS, &lines, |line| cells(line, context))?;
    }
    Ok(())
}

fn lines<'a>(
    pulled: &[(&'a KeyEntry, &'a KeyResult)],
    outcome: &'a PullOutcome<'_>,
    is_terminal: bool,
) -> Vec<Line<'a>> {
    let mut left = LeftByService::new(outcome);
    let is_asked_for = |key| is_terminal || outcome.selection.asks_for(key);
    let mut lines = Vec::new();
    for &(entry, pulled) in pulled.iter().filter(|(_, pulled)| pulled.outcome != KeyOutcome::NotDue) {
        let files = left.of_keys.remove(&entry.id).unwrap_or_default();
        // A key that shares addresses with a named one is pulled with it.
        let is_named = matches!(pulled.reason, DueReason::Named | DueReason::Forced);
        if is_named || is_asked_for(entry.id) {
            lines.push(Line { name: shown_names(entry), pulled: Some(pulled), files });
        }
    }
    for entry in outcome.fleet.entries.iter().filter(|entry| is_asked_for(entry.id)) {
        if let Some(files) = left.of_keys.remove(&entry.id) {
            lines.push(Line { name: shown_names(entry), pulled: None, files });
        }
    }
    if is_terminal {
        let nameless = left.of_names.into_iter();
        lines.extend(nameless.map(|(name, files)| Line { name: name.to_owned(), pulled: None, files }));
    }
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    lines
}

fn shown_names(entry: &KeyEntry) -> String {
    names(entry).collect::<Vec<_>>().join(" ")
}

/// Returns each result with its key, in the order of their names.
pub(super) fn by_name<'a>(
    pulled: &'a [KeyResult],
    entries: &'a [KeyEntry],
) -> Vec<(&'a KeyEntry, &'a KeyResult)> {
    let by_id: HashMap<KeyId, &KeyEntry> = entries.iter().map(|entry| (entry.id, entry)).collect();
    let entry = |pulled: &KeyResult| *by_id.get(&pulled.key).expect("only keys of the fleet are pulled");
    let mut sorted: Vec<_> = pulled.iter().map(|pulled| (entry(pulled), pulled)).collect();
    sorted.sort_by(|(a, _), (b, _)| names(a).cmp(names(b)));
    sorted
}

fn names(entry: &KeyEntry) -> impl Iterator<Item = &str> {
    entry.members.iter().map(|member| member.name.as_str())
}

fn cells(Line { name, pulled, files }: &Line<'_>, context: &Context) -> [Cell; 6] {
    let result = match pulled.map(|pulled| pulled.outcome) {
        Some(KeyOutcome::Changed) => show::colored(context, "changed", Color::Green),
        Some(KeyOutcome::Unchanged | KeyOutcome::NotDue) => show::cell("unchanged"),
        Some(KeyOutcome::NothingAnswered) => show::colored(context, "no answer", Color::Red),
        Some(KeyOutcome::NotStored | KeyOutcome::Refused) => show::colored(context, "not stored", Color::Red),
        // The run ended before the turn of the service came.
        None if files.has_moved => show::cell("cut off"),
        None if files.taken_in + files.known > 0 => show::cell("unchanged"),
        None => show::cell(""),
    };
    let replicas = pulled.map(|pulled| format!("{} of {}", pulled.answered, pulled.known));
    [
        show::cell(name),
        show::cell(&pulled.map(|pulled| total(pulled.coverage)).unwrap_or_default()),
        show::cell(&pulled.map(difference).unwrap_or_default()),
        show::cell(&replicas.unwrap_or_default()),
        show::cell(&files.to_string()),
        result,
    ]
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
