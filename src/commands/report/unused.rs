//! `report --unused`: the functions that nobody executed for some time, and the dates that it remembers.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use super::reported::Reported;
use super::run::ReportRun;
use crate::carry::{FunctionDates, PlaceDates};
use crate::collect::mending::{present_counts, stored_profile};
use crate::commands::notices::told;
use crate::commands::{self, warn};
use crate::config::parse_duration;
use crate::exit::EarlyEnd;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::{is_same_app, is_same_place};
use crate::fleet::records::Key;
use crate::fleet::row::Row;
use crate::io::store::Store;
use crate::names::in_message;
use crate::phrases::{count, place};
use crate::profile::Profile;
use crate::report::{Observed, Report, Unused, UnusedRequest};
use crate::source::{DatedFunction, DatedRows, DigestedTexts, FoundSource, UnknownCommit, dropped_undated};

/// The options about functions that nobody executes.
#[derive(Args, Debug)]
pub(super) struct UnusedArgs {
    /// List the functions that were not executed within this time, at any stored commit at which their text is the same,
    /// each with its last execution; as text, JSON, or a tab of the page. Data of the service's own environment and
    /// region counts; with --env all, data of all of them. For a group, that of each app counts.
    #[arg(long, value_name = "AGE", value_parser = parse_window, conflicts_with_all = [
        "since", "against", "carry", "with", "all", "blame", "only_changed", "sort", "limit", "fail_under", "max_age",
        "min_replicas", "max_drop", "fail_missed", "min_changed", "fail_on", "by_mark", "base", "diff_file",
        "count_unmeasured",
    ])]
    pub(super) unused: Option<Duration>,

    /// With --unused: leave out functions that stand on one line.
    #[arg(long, requires = "unused")]
    pub(super) exclude_one_line: bool,
}

impl UnusedArgs {
    pub(super) fn is_given(&self) -> bool {
        self.unused.is_some()
    }
}

/// An app in an environment and region, by one of its keys, with the dates of its functions.
type DatedPlace = (Key, PlaceDates);

/// The dates of the functions of a report.
pub(super) struct DatedReport {
    /// By the names of files and the begins of functions.
    dates: HashMap<String, HashMap<(u32, u32), FunctionDates>>,
    observed: Observed,
    /// The commits of rows by their numbers.
    commits: HashMap<i64, String>,
}

impl ReportRun<'_> {
    /// Fails if functions are to be dated and the service's name has no commit.
    pub(super) fn check_datable(&self, reported: &Reported<'_>) -> Result<()> {
        if self.args.unused.is_given() && reported.subject.row.key.commit.is_empty() {
            bail!(EarlyEnd::Refused(format!(
                "the name of {} has no commit, so it is unknown which functions its rows are of; --unused is for services \
                 whose names have one, as env_region_app_branch_commit does, or a pattern of yours ([naming])",
                reported.subject.name()
            )));
        }
        Ok(())
    }

    /// Finds when the functions of the report were executed last; `None` unless that is asked for. What is found of new rows
    /// is remembered.
    pub(super) fn dated(
        &self,
        profile: &Profile,
        found: Option<&FoundSource>,
        (entries, rows): (&[KeyEntry], &[Row]),
        reported: &Reported<'_>,
    ) -> Result<Option<DatedReport>> {
        // The report fails without source if functions are to be dated.
        let Some(found) = found.filter(|_| self.args.unused.is_given()) else { return Ok(None) };
        // Of a group, its environment and region.
        let own = &reported.subject.row.key;
        let is_wanted = |key: &Key| {
            reported.apps().any(|app| app == key.app)
                && (self.args.names_all_environments() || is_same_place(key, own))
        };
        let wanted: Vec<&Row> = rows.iter().filter(|row| is_wanted(&row.key)).collect();
        let mut texts = DigestedTexts::default();
        let functions = self.reader.dated_functions((&found.at, &found.tree), profile, &mut texts)?;
        let (places, mut unknown) = self.dated_places(&wanted, entries, found, &mut texts)?;
        if let Some(signal) = self.reader.settings.signals.received() {
            bail!(EarlyEnd::Signal(signal));
        }
        unknown.extend(dropped_undated(&wanted, |key| {
            let place = places.iter().find(|(place, _)| is_same_app(place, key));
            place.is_some_and(|(_, dates)| dates.commits.contains_key(&key.commit))
        }));
        tell_unknown(&unknown);
        self.remember_dates(&places);
        let mut dates: HashMap<String, HashMap<(u32, u32), FunctionDates>> = HashMap::new();
        for DatedFunction { digest, file, start, .. } in functions {
            let of_places = places.iter().filter_map(|(_, dates)| dates.functions.get(&digest).copied());
            if let Some(of_all) = of_places.reduce(FunctionDates::and) {
                dates.entry(file).or_default().insert(start, of_all);
            }
        }
        let first = places.iter().flat_map(|(_, dates)| dates.functions.values().map(|dates| dates.first_at));
        let read = places.iter().flat_map(|(_, dates)| dates.commits.values().map(|until| until.at));
        let until = read.chain(wanted.iter().map(|row| row.created_at)).max().unwrap_or(self.context.now());
        let known = places.iter().flat_map(|(_, dates)| dates.commits.keys());
        // The apps of a group have places in common.
        let shown: BTreeSet<String> = places.iter().map(|(key, _)| place(&key.env, &key.region)).collect();
        let observed = Observed {
            since: first.min().unwrap_or(until),
            until,
            places: shown.into_iter().collect(),
            commits: known.collect::<BTreeSet<_>>().len(),
            unknown: unknown.into_iter().map(|UnknownCommit { commit, why }| (commit, why)).collect(),
        };
        let commits = wanted.iter().map(|row| (row.id.0, row.key.commit.clone())).collect();
        Ok(Some(DatedReport { dates, observed, commits }))
    }

    /// Returns the dates of the functions of each environment and region of these rows, and the commits of which not all is
    /// known.
    fn dated_places(
        &self,
        rows: &[&Row],
        entries: &[KeyEntry],
        found: &FoundSource,
        texts: &mut DigestedTexts,
    ) -> Result<(Vec<DatedPlace>, BTreeSet<UnknownCommit>)> {
        let workdir = &self.context.workdir;
        let store = Store::open_read_only(&workdir.database())?;
        let profile = |row: &Row| stored_profile(row, workdir).map(told);
        let present = |row: &Row| present_counts(row, workdir);
        let (mut places, mut unknown): (Vec<DatedPlace>, _) = (Vec::new(), BTreeSet::new());
        for first in rows {
            if places.iter().any(|(key, _)| is_same_app(key, &first.key)) {
                continue;
            }
            let mut dates = store.function_dates(&first.key)?.unwrap_or_default();
            let kept =
                rows.iter().filter(|row| is_same_app(&row.key, &first.key) && row.deleted_at.is_none());
            let rows = kept.copied().collect();
            let (store, profile, present) = (&store, &profile, &present);
            let of_place = DatedRows { rows, entries, store, profile, present };
            unknown.extend(self.reader.date_functions(
                (&found.at, &found.tree),
                texts,
                &mut dates,
                &of_place,
            ));
            places.push((first.key.clone(), dates));
        }
        commands::tell_damages(&store);
        Ok((places, unknown))
    }

    /// Finds the functions of a report that nobody executed within the time.
    pub(super) fn unused(&self, report: &Report<'_>, dated: DatedReport) -> Unused {
        let DatedReport { dates, observed, commits } = dated;
        let UnusedArgs { unused, exclude_one_line } = self.args.unused;
        let request =
            UnusedRequest { window: unused.unwrap_or_default(), now: self.context.now(), exclude_one_line };
        let of = |file: &str, start: (u32, u32)| dates.get(file)?.get(&start).copied();
        Unused::find(report, request, observed, of, |row| commits.get(&row).cloned())
    }

    /// Remembers the dates that are new. A failure does not fail the report.
    fn remember_dates(&self, places: &[DatedPlace]) {
        let is_new = places.iter().any(|(_, dates)| !dates.changed.is_empty());
        if !is_new {
            return;
        }
        if let Err(error) = Store::remember_function_dates(&self.context.workdir.database(), places) {
            self.context
                .explain(format!("{error}; the dates of functions are found again by the next report"));
        }
    }
}

/// Names the commits of which not all is known.
fn tell_unknown(unknown: &BTreeSet<UnknownCommit>) {
    let Some(UnknownCommit { commit, why }) = unknown.first() else { return };
    let more = match unknown.len() {
        1 => String::new(),
        number => format!(" (and {})", count(number - 1, "more commits")),
    };
    warn(format_args!(
        "what commit {} executed is unknown: {why}{more}; so functions may be listed that were executed there",
        in_message(commit)
    ));
}

/// Reads a time that is longer than nothing.
fn parse_window(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("a time longer than 0 is needed, such as 30d".to_owned()),
        window => Ok(window),
    }
}
