//! The functions that nobody executed for some time, at whatever commit: the list for people and for scripts.

mod json;

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{FileReport, FunctionReport, Report};
use crate::carry::FunctionDates;
use crate::coverage::Coverage;
use crate::names::printable;
use crate::phrases::{count, short_commit};
use crate::time::{day, span};

/// The sentence that stands with each list.
pub(super) const ONE_SIGN: &str = "Only what was pulled is known: silence is one sign, not a proof.";

/// The time and the places in which executions were observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Time of the first row.
    pub since: DateTime<Utc>,
    /// Time of the last data.
    pub until: DateTime<Utc>,
    /// Environments with their regions, in words.
    pub places: Vec<String>,
    /// Number of commits whose executions are known.
    pub commits: usize,
    /// The commits of which not all is known, each with the reason.
    pub unknown: Vec<(String, String)>,
}

/// A last execution with the commit that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastSeen {
    pub at: DateTime<Utc>,
    /// `None`: its row is gone.
    pub commit: Option<String>,
    pub row: i64,
}

/// A function that was not executed within the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnusedFunction {
    /// Index of its file in the report.
    pub file: usize,
    /// Index of the function in its file.
    pub function: usize,
    /// Time since which its executions are known.
    pub since: DateTime<Utc>,
    /// `None`: never in that time.
    pub last: Option<LastSeen>,
}

/// The functions and statements of a package, or of all, and how many of them were not executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnusedCount {
    pub functions: usize,
    pub unused: usize,
    /// Of the functions.
    pub statements: u64,
    pub unused_statements: u64,
    /// Number of unused functions that have been observed for less than the time.
    pub observed_less: usize,
}

/// The functions of a report that nobody executed within a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unused {
    /// The time, up to `now`.
    pub window: Duration,
    pub now: DateTime<Utc>,
    pub observed: Observed,
    pub all: UnusedCount,
    /// The packages with such functions by their import paths, in the order of their first files.
    pub packages: Vec<(String, UnusedCount)>,
    /// In order of the packages, files and lines.
    pub functions: Vec<UnusedFunction>,
}

/// The choice of the functions.
pub(crate) struct UnusedRequest {
    pub window: Duration,
    pub now: DateTime<Utc>,
    /// Functions on one line are left out.
    pub exclude_one_line: bool,
}

impl UnusedCount {
    /// Adds a function. `unused` tells whether it was not executed, and then whether it has been observed for less than the
    /// time.
    fn add(&mut self, statements: u64, unused: Option<bool>) {
        self.functions += 1;
        self.statements += statements;
        if let Some(is_observed_less) = unused {
            self.unused += 1;
            self.unused_statements += statements;
            self.observed_less += usize::from(is_observed_less);
        }
    }
}

impl UnusedFunction {
    /// Returns the last execution in words: `last seen 2026-10-12, 3f2a1b9c0d`, `never in the 47 days observed`.
    pub(super) fn words(&self, until: DateTime<Utc>) -> String {
        match &self.last {
            None => format!("never in the {} observed", length(until - self.since)),
            Some(LastSeen { at, commit: Some(commit), .. }) => {
                format!("last seen {}, {}", day(*at), short_commit(commit))
            }
            Some(LastSeen { at, commit: None, .. }) => format!("last seen {}", day(*at)),
        }
    }
}

impl Unused {
    /// Finds the functions of a report. `dates` returns the dates of a function of a file, by its name and the begin of the
    /// function; `commit` returns the commit of a row.
    pub(crate) fn find(
        report: &Report<'_>,
        UnusedRequest { window, now, exclude_one_line }: UnusedRequest,
        observed: Observed,
        dates: impl Fn(&str, (u32, u32)) -> Option<FunctionDates>,
        commit: impl Fn(i64) -> Option<String>,
    ) -> Self {
        // A duration of the command line has at most 100 years.
        let since = TimeDelta::from_std(window).ok().and_then(|window| now.checked_sub_signed(window));
        let since = since.unwrap_or(DateTime::<Utc>::MIN_UTC);
        let (all, packages, functions) = (UnusedCount::default(), Vec::new(), Vec::new());
        let mut unused = Self { window, now, observed, all, packages, functions };
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for (number, file) in report.files.iter().enumerate() {
            for (index, function) in file.functions.iter().enumerate() {
                let FunctionReport { extent, coverage: Coverage { total, .. }, .. } = function;
                let is_short = exclude_one_line && extent.start.0 == extent.end.0;
                let Some(dates) = dates(file.name, extent.start).filter(|_| *total > 0 && !is_short) else {
                    continue;
                };
                let is_unused = dates.executed.is_none_or(|last| last.at < since);
                let counted = is_unused.then_some(dates.executed.is_none() && dates.first_at > since);
                unused.all.add(*total, counted);
                let package = *numbers.entry(file.package()).or_insert_with(|| {
                    unused.packages.push((file.package().to_owned(), UnusedCount::default()));
                    unused.packages.len() - 1
                });
                unused.packages[package].1.add(*total, counted);
                if is_unused {
                    let last = dates.executed.map(|last| LastSeen {
                        at: last.at,
                        commit: commit(last.row).filter(|commit| !commit.is_empty()),
                        row: last.row,
                    });
                    let since = dates.first_at;
                    unused.functions.push(UnusedFunction { file: number, function: index, since, last });
                }
            }
        }
        // Files stand by their paths, so those of a package may lie apart.
        unused.functions.sort_by_key(|function| numbers[report.files[function.file].package()]);
        unused.packages.retain(|(_, counted)| counted.unused > 0);
        unused
    }

    /// Returns the figure of all in words.
    pub(super) fn words(&self) -> String {
        let UnusedCount { functions, unused, statements, unused_statements, observed_less } = self.all;
        let window = TimeDelta::from_std(self.window).map_or_else(|_| "ever".to_owned(), length);
        if functions == 0 {
            return "no function with statements is known".to_owned();
        }
        let less = match observed_less {
            0 => String::new(),
            less => format!("; known for less time: {less}"),
        };
        format!(
            "{unused} of {} ({}) and {unused_statements} of {statements} statements were not executed in {window}{less}",
            count(functions, "functions"),
            Coverage { covered: unused as u64, total: functions as u64 }
        )
    }

    /// Returns what was observed, in words.
    pub(super) fn observed_words(&self) -> String {
        let Observed { since, until, places, commits, unknown: _ } = &self.observed;
        format!(
            "observed: {}, {} from {} to {} ({})",
            printable(&places.join(", ")),
            count(*commits, "commits"),
            day(*since),
            day(*until),
            length(*until - *since)
        )
    }

    /// Returns the commits of which not all is known, in words; empty if there is none.
    pub(super) fn unknown_words(&self) -> String {
        let unknown = self.observed.unknown.iter();
        let unknown: Vec<String> =
            unknown.map(|(commit, why)| format!("{} ({})", short_commit(commit), printable(why))).collect();
        match unknown.is_empty() {
            true => String::new(),
            false => format!(
                "commits of which not all is known, so that listed functions may have run there: {}",
                unknown.join(", ")
            ),
        }
    }

    /// Writes the form for people.
    pub(super) fn write_text(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", report.head.line())?;
        writeln!(out, "{}", self.words())?;
        writeln!(out, "{}", self.observed_words())?;
        if !self.observed.unknown.is_empty() {
            writeln!(out, "{}", self.unknown_words())?;
        }
        let mut rest = &self.functions[..];
        for (package, counted) in &self.packages {
            writeln!(
                out,
                "\n{}: {} of {}, {}",
                printable(package),
                counted.unused,
                count(counted.functions, "functions"),
                count(usize::try_from(counted.unused_statements).unwrap_or(usize::MAX), "statements")
            )?;
            let (of_package, later) = rest.split_at(counted.unused);
            rest = later;
            let rows: Vec<[String; 3]> = of_package
                .iter()
                .map(|unused| {
                    let (file, function) = unused.of(report);
                    let place = format!("{}:{}", printable(file.base_name()), function.extent.start.0);
                    let name = printable(&function.extent.qualified_name()).into_owned();
                    [place, name, unused.words(self.observed.until)]
                })
                .collect();
            let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            let (place, name) = (width(0), width(1));
            for row in &rows {
                writeln!(out, "  {:place$}  {:name$}  {}", row[0], row[1], row[2])?;
            }
        }
        if self.all.unused > 0 {
            writeln!(out, "\n{ONE_SIGN}")?;
        }
        Ok(())
    }
}

impl UnusedFunction {
    /// Returns the file and the function in the report.
    pub(super) fn of<'r, 'a>(&self, report: &'r Report<'a>) -> (&'r FileReport<'a>, &'r FunctionReport) {
        let file = &report.files[self.file];
        (file, &file.functions[self.function])
    }
}

/// Returns the length of a time in words: `47 days`, `5 hours`.
fn length(time: TimeDelta) -> String {
    // A clock that went back may have made the begin later than the end.
    let time = time.max(TimeDelta::zero());
    let of = |number: i64, what: &str| count(usize::try_from(number).unwrap_or(0), what);
    match (time.num_days(), time.num_hours()) {
        (days @ 2.., _) => of(days, "days"),
        (_, hours @ 2..) => of(hours, "hours"),
        _ => span(time),
    }
}
