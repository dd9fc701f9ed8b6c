//! The runs that count together (`--with`) in a page: a table of their figures, and a filter by each of them.

use std::io;

use serde::Serialize;

use super::{CoverageView, grouped, json_in_markup};
use crate::coverage::Coverage;
use crate::names::printable;
use crate::phrases::short_commit;
use crate::report::{FileReport, ReportHead};
use crate::together::{LabelCoverage, TogetherCoverage};

/// The runs of a report.
pub(super) struct PageLabels {
    /// The labels in words.
    pub(super) labels: String,
    /// The number of statements that the service does not have, in words; empty if it has all.
    pub(super) added: String,
    /// The service, then the other runs.
    pub(super) runs: Vec<RunView>,
    /// The [`Document`] for the script; `None` without the parts of files, so that the page has no filter.
    pub(super) json: Option<String>,
}

/// A run with what it executed.
pub(super) struct RunView {
    pub(super) name: String,
    /// The other commit from which it is carried; empty for none.
    pub(super) commit: String,
    pub(super) covered: CoverageView,
    /// The part that no other run executed.
    pub(super) only: CoverageView,
}

#[derive(Serialize)]
struct Document<'r> {
    /// The names of the runs.
    runs: Vec<&'r str>,
    /// Covered statements of each file of the page, for each run, and for each run alone.
    files: Vec<&'r [u64]>,
}

impl PageLabels {
    /// Returns the runs of a report with these files, in the order of the page; `None` if the service counts alone.
    pub(super) fn new(head: &ReportHead, files: &[&FileReport<'_>]) -> io::Result<Option<Self>> {
        let Some(together) = &head.together else { return Ok(None) };
        let runs = runs(together);
        let shares: Option<Vec<&[u64]>> =
            files.iter().map(|file| file.labels.as_ref().map(|labels| &labels.covered[..])).collect();
        let document =
            shares.map(|files| Document { runs: runs.iter().map(|run| &*run.name).collect(), files });
        let json = document.map(|document| json_in_markup(&document)).transpose()?;
        let added = together.added_words(grouped).unwrap_or_default();
        Ok(Some(Self { labels: together.labels(), added, runs, json }))
    }
}

fn runs(together: &TogetherCoverage) -> Vec<RunView> {
    let of = |covered| CoverageView(Coverage { covered, total: together.all.total });
    let service = RunView {
        name: "the service".to_owned(),
        commit: String::new(),
        covered: of(together.alone),
        only: of(together.alone_only),
    };
    let other = |LabelCoverage { label, commit, covered, only }: &LabelCoverage| RunView {
        name: printable(label).into_owned(),
        commit: commit
            .as_deref()
            .map(|commit| printable(&short_commit(commit)).into_owned())
            .unwrap_or_default(),
        covered: of(*covered),
        only: of(*only),
    };
    std::iter::once(service).chain(together.with.iter().map(other)).collect()
}
