//! The tab of the page with the functions that nobody executed for some time.

use std::collections::HashMap;
use std::io;

use super::json_in_markup;
use crate::names::printable;
use crate::report::unused::{ONE_SIGN, UnusedCount};
use crate::report::{FileReport, Report};

/// Most functions that have a row. Packages and figures are of all; other forms list the rest.
const MOST_ROWS: usize = 5000;

/// The functions of a page that nobody executed for some time, by package.
pub(super) struct UnusedTable {
    pub(super) number: u64,
    /// The figure of all, and what was observed.
    pub(super) words: [String; 2],
    /// The sentence about what the list can tell.
    pub(super) caution: &'static str,
    /// The commits of which not all is known, in words; empty if there is none.
    pub(super) unknown: String,
    pub(super) packages: Vec<UnusedPackage>,
    /// Number of functions without a row.
    pub(super) more: u64,
    /// Index of the file in the page and line of each function as JSON for the script.
    pub(super) json: String,
}

/// The functions of a package.
pub(super) struct UnusedPackage {
    pub(super) name: String,
    pub(super) count: UnusedCount,
    pub(super) rows: Vec<UnusedRow>,
}

/// A function.
pub(super) struct UnusedRow {
    pub(super) name: String,
    /// File name and line.
    pub(super) place: String,
    pub(super) statements: u64,
    /// The last execution in words.
    pub(super) seen: String,
}

impl UnusedTable {
    /// Lists the functions of a report; `files` are its files in the order of the page. `None` if the report is not about
    /// them.
    pub(super) fn new(report: &Report<'_>, files: &[&FileReport<'_>]) -> io::Result<Option<Self>> {
        let Some(unused) = &report.unused else { return Ok(None) };
        let numbers: HashMap<&str, usize> =
            files.iter().enumerate().map(|(at, file)| (file.name, at)).collect();
        let mut places = Vec::new();
        let mut functions = unused.functions.iter();
        let mut package = |(name, count): &(String, UnusedCount)| {
            let of_package = functions.by_ref().take(count.unused);
            let room = MOST_ROWS.saturating_sub(places.len());
            let rows = of_package.enumerate().filter(|(at, _)| *at < room).map(|(_, of)| {
                let (file, function) = of.of(report);
                let line = function.extent.start.0;
                places.push((numbers[file.name], line));
                UnusedRow {
                    name: printable(&function.extent.qualified_name()).into_owned(),
                    place: format!("{}:{line}", printable(file.base_name())),
                    statements: function.coverage.total,
                    seen: of.words(unused.observed.until),
                }
            });
            UnusedPackage { rows: rows.collect(), name: printable(name).into_owned(), count: *count }
        };
        let packages = unused.packages.iter().map(&mut package).collect();
        Ok(Some(Self {
            number: unused.all.unused as u64,
            words: [unused.words(), unused.observed_words()],
            caution: ONE_SIGN,
            unknown: unused.unknown_words(),
            more: (unused.all.unused - places.len()) as u64,
            packages,
            json: json_in_markup(&places)?,
        }))
    }
}
