//! The figures of what is carried.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::Origin;
use crate::coverage::{Coverage, shown_percent};
use crate::phrases::count;
use crate::time::{iso, span};

/// A coverage in two parts: what was executed here, and what is carried from other commits.
#[derive(Clone, Debug)]
pub(crate) struct CarriedCoverage {
    /// The coverage without what is carried.
    pub(crate) fresh: Coverage,
    /// The coverage of both parts together.
    pub(crate) all: Coverage,
    /// The rows from which something is carried, the newest first, each with the number of statements that are carried from it
    /// and from no newer row. It is 0 where all of them are in other files.
    from: Vec<(Origin, u64)>,
    /// Age of the oldest of these rows.
    oldest: Option<TimeDelta>,
}

/// A row from which statements are carried, in the form for scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CarriedFromJson {
    commit: String,
    id: i64,
    stored_at: String,
    statements: u64,
}

impl CarriedCoverage {
    pub(super) fn new(fresh: Coverage, from: Vec<(Origin, u64)>, now: DateTime<Utc>) -> Self {
        let carried: u64 = from.iter().map(|(_, statements)| statements).sum();
        let all = Coverage { covered: fresh.covered + carried, total: fresh.total };
        let counted = from.iter().filter(|(_, statements)| *statements > 0);
        let oldest = counted.map(|(origin, _)| now - origin.stored_at).max();
        Self { fresh, all, from, oldest }
    }

    /// Tells whether no row of another commit has more.
    pub(crate) fn is_empty(&self) -> bool {
        self.oldest.is_none()
    }

    /// Returns the percentage points that are carried.
    pub(crate) fn points(&self) -> f64 {
        self.all.percent() - self.fresh.percent()
    }

    /// Returns both parts in words: `69.4 here, 11.8 carried from 3 commits, the oldest 12d`.
    pub(crate) fn words(&self) -> String {
        format!("{} here, {}", shown_percent(self.fresh.percent()), self.words_of_carried())
    }

    /// Returns both parts in words with their units: `69.4% here, 11.8 points carried from 3 commits, the oldest 12d`.
    pub(crate) fn words_with_units(&self) -> String {
        format!("{} here, {}", self.fresh, self.carried_words(" points"))
    }

    /// Returns what is carried in words: `11.8 carried from 3 commits, the oldest 12d`.
    pub(crate) fn words_of_carried(&self) -> String {
        self.carried_words("")
    }

    /// Returns what is carried in words, with a unit behind the points.
    pub(crate) fn carried_words(&self, unit: &str) -> String {
        let Some(oldest) = self.oldest else { return "nothing carried from other commits".to_owned() };
        let mut commits: Vec<&str> = self.counted().map(|(origin, _)| origin.commit.as_str()).collect();
        commits.sort_unstable();
        commits.dedup();
        let (points, commits) = (self.shown_points(), count(commits.len(), "commits"));
        format!("{points}{unit} carried from {commits}, the oldest {}", span(oldest))
    }

    /// Returns the points that are carried as the difference of the printed percentages, so that the sum is right.
    pub(crate) fn shown_points(&self) -> String {
        let tenths = |part: Coverage| shown_percent(part.percent()).replace('.', "").parse::<i64>();
        let points = tenths(self.all).unwrap_or_default() - tenths(self.fresh).unwrap_or_default();
        format!("{}.{}", points / 10, points % 10)
    }

    /// Returns the rows from which statements are carried.
    pub(crate) fn origins_json(&self) -> Vec<CarriedFromJson> {
        let json = |(Origin { row, commit, stored_at }, statements): &(Origin, u64)| CarriedFromJson {
            commit: commit.clone(),
            id: *row,
            stored_at: iso(*stored_at),
            statements: *statements,
        };
        self.counted().map(json).collect()
    }

    /// Returns the rows with the number of statements that are carried from each, the newest first. The number may be 0.
    pub(crate) fn origins(&self) -> &[(Origin, u64)] {
        &self.from
    }

    fn counted(&self) -> impl Iterator<Item = &(Origin, u64)> {
        self.from.iter().filter(|(_, statements)| *statements > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::at;

    #[test]
    fn both_parts_add_up_as_they_are_printed() {
        let from = |row: i64, commit: &str, statements| {
            (Origin { row, commit: commit.to_owned(), stored_at: at(row) }, statements)
        };
        let words = |covered, from: Vec<(Origin, u64)>| {
            CarriedCoverage::new(Coverage { covered, total: 10_000 }, from, at(2 * 24 * 60)).words()
        };
        assert_eq!(words(6944, Vec::new()), "69.4 here, nothing carried from other commits");
        assert_eq!(
            words(6944, vec![from(5, "bbbb", 1174)]),
            "69.4 here, 11.8 carried from 1 commit, the oldest 47h"
        );
        assert_eq!(
            words(0, vec![from(5, "bbbb", 1), from(4, "aaaa", 1), from(3, "bbbb", 1)]),
            "0.0 here, 0.1 carried from 2 commits, the oldest 47h"
        );
    }
}
