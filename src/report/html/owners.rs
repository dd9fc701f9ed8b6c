//! The table of owners in the page: the coverage of the files that each owns by `CODEOWNERS`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use super::{CoverageView, PageChanges, json_in_markup};
use crate::code::codeowners::CodeOwners;
use crate::names::printable;
use crate::report::FileReport;

/// The owner of files that nobody owns.
const NOBODY: &str = "nobody";

/// The owners, those with most uncovered statements first, and nobody last. A file with several owners is one of each.
pub(super) struct OwnersTable {
    pub(super) rows: Vec<OwnerRow>,
    /// The names of the owners as JSON for the script, each with the first and last index of each run of its files.
    pub(super) json: String,
}

/// The files of one owner.
pub(super) struct OwnerRow {
    pub(super) name: String,
    /// The indexes of its files in the page, in ascending order.
    pub(super) files: Vec<usize>,
    pub(super) figure: CoverageView,
    /// Covered and all changed lines.
    pub(super) changed: CoverageView,
}

impl OwnersTable {
    /// Returns the owners of files, which are in the order of the page.
    pub(super) fn new(
        owners: &CodeOwners,
        files: &[&FileReport<'_>],
        changes: Option<&PageChanges<'_>>,
    ) -> io::Result<Self> {
        let mut files_of: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
        for (at, file) in files.iter().enumerate() {
            let mut of_file = owners.of(file.path.as_deref().unwrap_or_default());
            if !file.is_in_commit() {
                of_file.clear();
            }
            if of_file.is_empty() {
                files_of.entry(None).or_default().push(at);
            }
            for owner in of_file {
                files_of.entry(Some(owner)).or_default().push(at);
            }
        }
        let row = |(name, indexes): (Option<&str>, Vec<usize>)| OwnerRow {
            name: name.map_or(NOBODY.to_owned(), |name| printable(name).into_owned()),
            figure: CoverageView(indexes.iter().map(|at| files[*at].coverage).sum()),
            changed: CoverageView(
                changes
                    .map(|changes| indexes.iter().map(|at| changes.lines_of(files[*at])).sum())
                    .unwrap_or_default(),
            ),
            files: indexes,
        };
        let mut of_owners: Vec<_> = files_of.into_iter().collect();
        let nobody = of_owners.first().is_some_and(|(name, _)| name.is_none()).then(|| of_owners.remove(0));
        let mut rows: Vec<OwnerRow> = of_owners.into_iter().map(row).collect();
        rows.sort_by_key(|row| Reverse(row.figure.uncovered()));
        rows.extend(nobody.map(row));
        let named: Vec<(&str, Vec<(usize, usize)>)> =
            rows.iter().map(|row| (&*row.name, runs(&row.files))).collect();
        Ok(Self { json: json_in_markup(&named)?, rows })
    }
}

/// Returns the first and last of each run of numbers.
fn runs(numbers: &[usize]) -> Vec<(usize, usize)> {
    numbers.chunk_by(|a, b| a + 1 == *b).map(|run| (run[0], run[run.len() - 1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_told_by_their_ends() {
        assert_eq!(runs(&[0, 1, 2, 4, 6, 7]), [(0, 2), (4, 4), (6, 7)]);
        assert_eq!(runs(&[]), []);
    }
}
