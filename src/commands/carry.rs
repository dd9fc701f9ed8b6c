//! The options that carry over what was executed at other commits.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, ValueEnum};
use humantime::format_duration;
use serde_json::{Value, json};

use crate::carry::{Carried, CarriedCoverage};
use crate::collect::mending::{executed_blocks, stored_profile};
use crate::commands::notices::told;
use crate::commands::report::notices;
use crate::commands::{Context, lock_wait, warn};
use crate::config::parse_duration;
use crate::exit::EarlyEnd;
use crate::fleet::ids::RowId;
use crate::fleet::row::Row;
use crate::gate::{Verdict, name_in_coverage};
use crate::io::signals::Signals;
use crate::names::in_message;
use crate::profile::Profile;
use crate::source::{CarryRange, CarryRequest, Revision, SourceReader, SourcedState};

/// The options of carrying.
#[derive(Args, Debug)]
pub(crate) struct CarryArgs {
    /// Count also what was executed at other commits, in functions whose text is the same there: of each commit of the app
    /// that the clone has, the newest stored data, at most AGE old [default AGE: 30d].
    #[arg(
        long,
        value_name = "AGE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "30d",
        value_parser = parse_duration
    )]
    carry: Option<Duration>,

    /// With --carry: the data that counts, that of the service's own environment and region, or that of any.
    #[arg(long, value_enum, value_name = "WHERE", requires = "carry", default_value_t)]
    carry_from: CarryFrom,
}

/// The data that is carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum CarryFrom {
    /// The environment and region of the service.
    #[default]
    Same,
    /// All environments and regions of the app.
    Any,
}

impl CarryArgs {
    pub(crate) fn is_given(&self) -> bool {
        self.carry.is_some()
    }

    /// Returns the options as they are given, each after a space; empty without `--carry`.
    pub(crate) fn shown(&self) -> String {
        let Some(age) = self.carry else { return String::new() };
        let from = match self.carry_from {
            CarryFrom::Same => "",
            CarryFrom::Any => " --carry-from any",
        };
        format!(" --carry={}{from}", format_duration(age).to_string().replace(' ', ""))
    }

    /// Returns the limits of what is carried to a state that is shown at a time; `None` without `--carry`.
    pub(crate) fn request(&self, at: DateTime<Utc>) -> Option<CarryRequest> {
        // A duration of the command line has at most 100 years.
        let age = TimeDelta::from_std(self.carry?).unwrap_or(TimeDelta::MAX);
        let range = match self.carry_from {
            CarryFrom::Same => CarryRange::Same,
            CarryFrom::Any => CarryRange::Any,
        };
        Some(CarryRequest::at(at, age, range))
    }
}

/// Carries to a state what was executed at other commits. Prints the commits that the clone lacks, and the stored profiles
/// that could not be read from their files.
pub(crate) fn carried(
    reader: &SourceReader<'_>,
    subject: SourcedState<'_>,
    rows: &[Row],
    request: CarryRequest,
) -> Result<Carried> {
    let (carried, lacking) = carried_and_lacking(reader, subject, rows, request)?;
    tell_lacking(&BTreeSet::from_iter(lacking));
    Ok(carried)
}

fn carried_and_lacking(
    reader: &SourceReader<'_>,
    subject: SourcedState<'_>,
    rows: &[Row],
    request: CarryRequest,
) -> Result<(Carried, Vec<String>)> {
    let workdir = reader.settings.workdir;
    let read = |row: &Row| -> Result<Profile> { executed_blocks(row, workdir).map(told) };
    let found = reader.carried(subject, rows, request, read);
    match reader.settings.signals.received() {
        Some(signal) => bail!(EarlyEnd::Signal(signal)),
        None => found.context("nothing can be carried from other commits"),
    }
}

/// Names the commits that a clone lacks.
fn tell_lacking(commits: &BTreeSet<String>) {
    if commits.is_empty() {
        return;
    }
    let named: Vec<_> = commits.iter().map(|commit| in_message(commit)).collect();
    let they_carry = if commits.len() == 1 { "it carries" } else { "they carry" };
    warn(format_args!(
        "the clone lacks {}, so {they_carry} nothing; git fetch gets what the remote still has",
        named.join(", ")
    ));
}

/// Number of commits of a history whose totals are told with what is carried.
const COMMITS_OF_HISTORY: usize = 20;

/// Returns what is carried to the newest row of each of the newest commits of an app, from the rows that were stored before
/// it. `rows` are those of the app in its environment and region, the newest last, and `all` those of all; `shown` tells which
/// of `rows` are shown.
pub(crate) fn carried_in_history(
    args: &CarryArgs,
    app: &str,
    (rows, all): (&[Row], &[Row]),
    shown: impl Fn(&Row) -> bool,
    context: &Context,
) -> Result<HashMap<RowId, CarriedCoverage>> {
    let mut found = HashMap::new();
    if !args.is_given() {
        return Ok(found);
    }
    let signals = Signals::catch()?;
    let reading = lock_wait::hold_off_sweeping(&signals, context)?;
    let notify = |notice| notices::print(notice, context);
    let reader = SourceReader {
        settings: notices::source_settings(context, &signals, &notify),
        app,
        is_offline: false,
    };
    let mut commits = HashSet::new();
    let kept = rows.iter().rev().filter(|row| shown(row) && row.deleted_at.is_none());
    let newest: Vec<&Row> = kept
        .filter(|row| !row.key.commit.is_empty() && commits.insert(row.key.commit.as_str()))
        .take(COMMITS_OF_HISTORY)
        .collect();
    let Some(first) = newest.first() else {
        warn("no row with a profile has a commit in its name, so nothing can be carried to it");
        return Ok(found);
    };
    // The newest commit is fetched if necessary, and the others count as far as the clone has them.
    let at = reader.at(&Revision::Hash(first.key.commit.clone()), &reading)?;
    let mut lacking = BTreeSet::new();
    for row in newest {
        let (Some(request), Ok(commit)) =
            (args.request(row.created_at), at.repository.commit(&row.key.commit))
        else {
            lacking.insert(row.key.commit.clone());
            continue;
        };
        let at = at.beside(commit);
        let tree = reader.tree(&at)?;
        let profile = told(stored_profile(row, &context.workdir)?);
        let keys = [row.key.clone()];
        let subject = SourcedState { at: &at, tree: &tree, profile: &profile, keys: &keys };
        let (carried, without) = carried_and_lacking(&reader, subject, all, request)?;
        lacking.extend(without);
        found.insert(row.id, carried.coverage(&profile, row.created_at));
    }
    tell_lacking(&lacking);
    Ok(found)
}

/// Says in each verdict about coverage that what is carried counts.
pub(crate) fn name_carry(verdicts: &mut [Verdict]) {
    name_in_coverage(verdicts, ", with --carry");
}

/// Adds to the form for scripts what was executed here, what is carried, and from where; nulls without `--carry`.
pub(crate) fn add_carried(object: &mut Value, carried: Option<&CarriedCoverage>) {
    object["fresh"] = json!(carried.map(|carried| carried.fresh.percent()));
    object["carried"] = json!(carried.map(CarriedCoverage::points));
    object["carried_from"] = json!(carried.map(CarriedCoverage::origins_json));
}
