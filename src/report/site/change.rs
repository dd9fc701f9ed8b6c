//! The change between two totals, and the choice of the total of a week ago.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{HistoryRow, Total};
use crate::coverage::{Delta, shown_points};

/// The least age of the total against which the column "7 days" compares.
const WEEK: TimeDelta = TimeDelta::days(7);

/// A change in percentage points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// Between totals whose statements are known.
    Exact(Delta),
    /// Between totals of which another program stored at least one.
    Points(f64),
}

impl Change {
    /// Returns the percentage points, unrounded.
    pub(super) fn points(self) -> f64 {
        match self {
            Self::Exact(delta) => delta.points(),
            Self::Points(points) => points,
        }
    }

    /// Returns the change with its unit, such as `+1.2 points`.
    pub(super) fn in_words(self) -> String {
        match self.to_string() {
            same if same == "=" => "unchanged".to_owned(),
            points => format!("{points} points"),
        }
    }

    /// Returns the class of its colour.
    pub(super) fn class(self) -> &'static str {
        match self.points() {
            points if points > 0.0 => "rose",
            points if points < 0.0 => "fell",
            _ => "same",
        }
    }
}

/// Prints `+1.2`, `-3.4`, or `=` for equal totals.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(delta) => delta.fmt(f),
            Self::Points(0.0) => f.pad("="),
            Self::Points(points) => {
                let sign = if *points < 0.0 { '-' } else { '+' };
                f.pad(&format!("{sign}{}", shown_points(*points)))
            }
        }
    }
}

/// Returns the change of a total against the newest of the rows that is at least 7 days old, whatever its commit.
/// The rows have the oldest first.
pub(super) fn of_week<'r>(
    total: &Total,
    rows: impl DoubleEndedIterator<Item = &'r HistoryRow>,
    now: DateTime<Utc>,
) -> Option<Change> {
    let before = rows.rev().find(|row| row.total.stored_at <= now - WEEK)?;
    Some(total.since(&before.total))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;
    use crate::coverage::Coverage;

    fn at(day: i64, hour: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 1, 0, 0, 0).unwrap() + TimeDelta::days(day) + TimeDelta::hours(hour)
    }

    fn total(stored_at: DateTime<Utc>, covered: u64) -> Total {
        let coverage = Coverage { covered, total: 1000 };
        Total {
            row: 1,
            stored_at,
            percent: coverage.percent(),
            coverage: Some(coverage),
            replicas: None,
            changed: None,
        }
    }

    fn row(commit: &str, total: Total) -> HistoryRow {
        let [env, region, app, branch, commit] = ["staging", "th", "cart", "main", commit].map(str::to_owned);
        HistoryRow { env, region, app, branch, commit, total, is_dropped: false }
    }

    #[test]
    fn the_newest_total_of_seven_days_ago_counts_whatever_its_commit() {
        let rows = [
            row("aaaa", total(at(0, 0), 900)),
            row("bbbb", total(at(1, 0), 500)),
            row("cccc", total(at(3, 0), 700)),
            row("cccc", total(at(9, 0), 734)),
        ];
        let newest = &rows[3].total;
        for (now, wanted) in [
            (at(6, 23), None),
            (at(7, 0), Some("-16.6")),
            (at(8, 0), Some("+23.4")),
            (at(9, 23), Some("+23.4")),
            (at(10, 0), Some("+3.4")),
            (at(15, 23), Some("+3.4")),
            (at(16, 0), Some("=")),
        ] {
            let change = of_week(newest, rows.iter(), now).map(|change| change.to_string());
            assert_eq!(change.as_deref(), wanted, "{now}");
        }
        assert_eq!(of_week(newest, [].iter(), at(10, 0)), None);
    }

    #[test]
    fn a_small_change_shows_its_size_with_its_unit_and_has_its_colour() {
        let exact = Coverage { covered: 10_001, total: 20_000 }.since(Coverage { covered: 1, total: 2 });
        for (change, text, words, class) in [
            (Change::Exact(exact), "+0.005", "+0.005 points", "rose"),
            (Change::Points(-3.44), "-3.4", "-3.4 points", "fell"),
            (Change::Points(0.0), "=", "unchanged", "same"),
        ] {
            let shown = (change.to_string(), change.in_words(), change.class());
            assert_eq!((&*shown.0, &*shown.1, shown.2), (text, words, class));
        }
    }
}
