//! The table of owners in the page: the coverage of the files that each owns by `CODEOWNERS`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{CoverageView, PageChanges};
use crate::coverage::Coverage;
use crate::names::printable;
use crate::report::Report;

/// The owner of files that nobody owns.
const NOBODY: &str = "nobody";

/// The owners, those with most uncovered statements first, and nobody last. A file with several owners is one of each.
pub(super) struct OwnersTable {
    pub(super) rows: Vec<OwnerRow>,
}

/// The files of one owner.
pub(super) struct OwnerRow {
    pub(super) name: String,
    pub(super) files: u64,
    pub(super) figure: CoverageView,
    /// Executed and all changed lines.
    pub(super) changed: CoverageView,
}

impl OwnersTable {
    /// Returns the owners of a report's files; `None` where they are unknown.
    pub(super) fn new(report: &Report<'_>, changes: Option<&PageChanges<'_>>) -> Option<Self> {
        let owners = report.owners.as_ref()?;
        let mut figures: BTreeMap<Option<&str>, (u64, Coverage, Coverage)> = BTreeMap::new();
        for file in &report.files {
            let of_file = owners.of(file.path.as_deref().unwrap_or_default());
            let of_file = if of_file.is_empty() || !file.is_in_commit() {
                vec![None]
            } else {
                of_file.into_iter().map(Some).collect()
            };
            let of_changes = changes.map_or(Coverage::default(), |changes| changes.lines_of(file));
            for owner in of_file {
                let (files, all, lines) = figures.entry(owner).or_default();
                *files += 1;
                *all = [*all, file.coverage].into_iter().sum();
                *lines = [*lines, of_changes].into_iter().sum();
            }
        }
        let mut figures: Vec<_> = figures.into_iter().collect();
        figures.sort_by_key(|(name, (_, all, _))| (name.is_none(), Reverse(all.total - all.covered)));
        let rows = figures.into_iter().map(|(name, (files, all, lines))| OwnerRow {
            name: name.map_or(NOBODY.to_owned(), |name| printable(name).into_owned()),
            files,
            figure: CoverageView(all),
            changed: CoverageView(lines),
        });
        Some(Self { rows: rows.collect() })
    }
}
