//! What a page shows of the blocks that are carried from other commits: figures in two parts, and the rows they come from.

use std::io;

use serde::Serialize;

use super::{CoverageView, classes_of, json_in_markup};
use crate::carry::Origin;
use crate::coverage::Coverage;
use crate::names::printable;
use crate::phrases::short_commit;
use crate::report::counted::words_of_rows;
use crate::report::{FileReport, ReportHead};
use crate::time::minute;

/// What is carried to a report.
pub(super) struct PageCarried {
    /// The coverage at this commit alone.
    pub(super) own: CoverageView,
    /// Both parts in words.
    pub(super) words: String,
    /// The rows from which statements are carried, the newest first.
    pub(super) origins: Vec<CarriedOrigin>,
    /// A [`Document`] for the script.
    pub(super) json: String,
}

#[derive(Serialize)]
struct Document {
    /// Short commit and time of each row, then short commit and label of each run of another commit, in the order of the
    /// numbers in the streams.
    origins: Vec<(String, String)>,
    /// Statements of each file of the page that were executed at this commit.
    own: Vec<u64>,
}

/// A row from which statements are carried.
pub(super) struct CarriedOrigin {
    pub(super) commit: String,
    pub(super) whole_commit: String,
    /// Time at which the row was stored.
    pub(super) stored: String,
    pub(super) statements: u64,
}

impl PageCarried {
    /// Returns what is carried to a report with these files, in the order of the page; `None` if nothing can be.
    pub(super) fn new(head: &ReportHead, files: &[&FileReport<'_>]) -> io::Result<Option<Self>> {
        let Some(carried) = &head.carried else { return Ok(None) };
        let short = |origin: &Origin| printable(&short_commit(&origin.commit)).into_owned();
        let rows = carried.origins().iter().map(|(origin, _)| (short(origin), minute(origin.stored_at)));
        let runs = head.together.iter().flat_map(|together| &together.with).filter_map(|run| {
            let commit = short_commit(run.commit.as_deref()?);
            Some((printable(&commit).into_owned(), printable(&run.label).into_owned()))
        });
        let own = files.iter().map(|file| file.own.unwrap_or(file.coverage));
        let document = Document {
            origins: rows.chain(runs).collect(),
            own: own.clone().map(|coverage| coverage.covered).collect(),
        };
        let json = json_in_markup(&document)?;
        let with_statements = carried.origins().iter().filter(|(_, statements)| *statements > 0);
        let origins = with_statements.map(|(origin, statements)| CarriedOrigin {
            commit: short(origin),
            whole_commit: printable(&origin.commit).into_owned(),
            stored: minute(origin.stored_at),
            statements: *statements,
        });
        let own = CoverageView(own.sum());
        // The parts of other runs stand elsewhere.
        let words = match &head.together {
            Some(together) => words_of_rows(together, carried, " points"),
            None => carried.words_with_units(),
        };
        Ok(Some(Self { own, words, origins: origins.collect(), json }))
    }
}

/// Returns the classes of a percentage at this commit alone, by which the style draws the first part of the bar of a row;
/// empty where nothing carried is shown.
pub(super) fn own_shares(own: Option<Coverage>) -> String {
    own.map(|own| format!(" {}", classes_of(own, ["o", "v"]))).unwrap_or_default()
}
