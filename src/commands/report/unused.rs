//! `report --unused`: the functions that nobody executed for some time, and the dates that it remembers.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use super::reported::Reported;
use super::run::ReportRun;
use crate::carry::{FunctionDates, PlaceDates};
use crate::collect::mending::stored_profile;
use crate::commands::notices::told;
use crate::commands::{self, warn};
use crate::config::parse_duration;
use crate::exit::EarlyEnd;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::is_same_app;
use crate::fleet::records::Key;
use crate::fleet::row::Row;
use crate::io::store::Store;
use crate::names::in_message;
use crate::phrases::listed;
use crate::profile::Profile;
use crate::report::{Observed, Report, Unused, UnusedRequest};
use crate::source::{DatedFunction, DatedRows, DigestedTexts, FoundSource};

/// The options about functions that nobody executes.
#[derive(Args, Debug)]
pub(super) struct UnusedArgs {
    /// List the functions that were not executed within this time, at any stored commit at which their text is the same,
    /// each with its last execution; as text, JSON, or a tab of the page. The data of the service's own environment and
    /// region counts, with --env all that of all.
    #[arg(long, value_name = "AGE", value_parser = parse_duration, conflicts_with_all = [
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

/// An environment and region of an app, by one of its keys, with the dates of its functions.
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
        let own = &reported.subject.row.key;
        if own.commit.is_empty() {
            bail!(EarlyEnd::Refused(format!(
                "the name of {} has no commit, so it is unknown which functions its rows are of",
                reported.subject.name()
            )));
        }
        let is_wanted = |key: &Key| match self.args.names_all_environments() {
            true => key.app == own.app,
            false => is_same_app(key, own),
        };
        let wanted: Vec<&Row> = rows.iter().filter(|row| is_wanted(&row.key)).collect();
        let mut texts = DigestedTexts::default();
        let functions = self.reader.dated_functions((&found.at, &found.tree), profile, &mut texts)?;
        let (places, lacking) = self.dated_places(&wanted, entries, found, &mut texts)?;
        if let Some(signal) = self.reader.settings.signals.received() {
            bail!(EarlyEnd::Signal(signal));
        }
        tell_lacking(&lacking);
        self.remember_dates(&places);
        let mut dates: HashMap<String, HashMap<(u32, u32), FunctionDates>> = HashMap::new();
        for DatedFunction { digest, file, start, .. } in functions {
            let of_places = places.iter().filter_map(|(_, dates)| dates.functions.get(&digest).copied());
            if let Some(of_all) = of_places.reduce(FunctionDates::and) {
                dates.entry(file).or_default().insert(start, of_all);
            }
        }
        let first =
            places.iter().flat_map(|(_, dates)| dates.functions.values().map(|dates| dates.first_at)).min();
        let known = places.iter().flat_map(|(_, dates)| dates.commits.keys());
        let observed = Observed {
            since: first.unwrap_or(self.context.now()),
            places: places
                .iter()
                .map(|(key, _)| format!("{} {}", key.env, key.region).trim().to_owned())
                .collect(),
            commits: known.collect::<BTreeSet<_>>().len(),
            lacking: lacking.into_iter().collect(),
        };
        let commits = wanted.iter().map(|row| (row.id.0, row.key.commit.clone())).collect();
        Ok(Some(DatedReport { dates, observed, commits }))
    }

    /// Returns the dates of the functions of each environment and region of these rows, and the commits that the clone lacks.
    fn dated_places(
        &self,
        rows: &[&Row],
        entries: &[KeyEntry],
        found: &FoundSource,
        texts: &mut DigestedTexts,
    ) -> Result<(Vec<DatedPlace>, BTreeSet<String>)> {
        let workdir = &self.context.workdir;
        let last_pull = |row: &Row| {
            let entry = entries.iter().find(|entry| entry.key == row.key)?;
            entry.schedule.schedule.last_pull
        };
        let read = |row: &Row| stored_profile(row, workdir).map(told);
        let store = Store::open_read_only(&workdir.database())?;
        let (mut places, mut lacking): (Vec<DatedPlace>, _) = (Vec::new(), BTreeSet::new());
        for first in rows {
            if places.iter().any(|(key, _)| is_same_app(key, &first.key)) {
                continue;
            }
            let mut dates = store.function_dates(&first.key)?.unwrap_or_default();
            let kept =
                rows.iter().filter(|row| is_same_app(&row.key, &first.key) && row.deleted_at.is_none());
            let of_place = DatedRows { rows: kept.copied().collect(), last_pull: &last_pull, read: &read };
            lacking.extend(self.reader.date_functions(
                (&found.at, &found.tree),
                texts,
                &mut dates,
                &of_place,
            ));
            places.push((first.key.clone(), dates));
        }
        commands::tell_damages(&store);
        Ok((places, lacking))
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

/// Names the commits that the clone lacks.
fn tell_lacking(commits: &BTreeSet<String>) {
    if commits.is_empty() {
        return;
    }
    let named: Vec<String> = commits.iter().map(|commit| in_message(commit).into_owned()).collect();
    warn(format_args!(
        "the clone lacks {}, so what was executed there is unknown, and functions may be listed that were; git fetch gets what \
         the remote still has",
        listed(&named)
    ));
}
