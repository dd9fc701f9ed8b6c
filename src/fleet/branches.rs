//! The branches for which a stored row counts.

use std::collections::HashMap;

use super::key_entry::KeyEntry;
use super::records::Key;
use super::row::Row;

/// The branches under which each commit was registered.
///
/// A row names one branch alone, that of the name that was listed last. A branch that was made of a commit runs the
/// same build, whose data is one thing, so the rows count for each branch of the commit.
#[derive(Debug, Default)]
pub(crate) struct Branches(HashMap<Key, Vec<String>>);

impl Branches {
    pub(crate) fn new(entries: &[KeyEntry]) -> Self {
        let named = entries.iter().filter(|entry| !entry.key.commit.is_empty());
        let branches = |entry: &KeyEntry| entry.members.iter().map(|member| member.branch.clone()).collect();
        Self(named.map(|entry| (entry.key.clone(), branches(entry))).collect())
    }

    /// Tells whether a row counts for a branch.
    pub(crate) fn have(&self, branch: &str, row: &Row) -> bool {
        row.branch == branch || self.0.get(&row.key).is_some_and(|all| all.iter().any(|of| of == branch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::{at, entry};
    use crate::fleet::ids::RowId;

    #[test]
    fn a_row_counts_for_each_branch_of_its_commit() {
        let mut entry = entry(1, &["host"]);
        entry.key.commit = "845820727e".to_owned();
        let mut other = entry.members[0].clone();
        other.branch = "fix".to_owned();
        entry.members.push(other);
        let row = Row {
            id: RowId(1),
            created_at: at(0),
            key: entry.key.clone(),
            addresses: Vec::new(),
            branch: entry.members[0].branch.clone(),
            is_latest: true,
            cov_file_path: String::new(),
            cover_total: 0.0,
            stats: None,
            deleted_at: None,
            mark: None,
        };
        let next = Row { key: Key { commit: "ffffffffff".to_owned(), ..row.key.clone() }, ..row.clone() };
        let branches = Branches::new(std::slice::from_ref(&entry));
        for (branch, row, expected) in [
            (row.branch.as_str(), &row, true),
            ("fix", &row, true),
            ("other", &row, false),
            (row.branch.as_str(), &next, true),
            ("fix", &next, false),
        ] {
            assert_eq!(branches.have(branch, row), expected, "{branch} {}", row.key.commit);
        }
        assert!(!Branches::default().have("fix", &row));
    }
}
