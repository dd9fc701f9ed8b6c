//! Totals over time as charts draw them: in a report, and in the tables and charts of a site.
//!
//! This module knows places and paths. Sizes, marks and words belong to each chart.

mod scale;
mod trace;

use chrono::{DateTime, Utc};

pub(super) use scale::{Period, Scale};
pub(super) use trace::{Trace, begins};

/// A total of the history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TrendPoint {
    pub stored_at: DateTime<Utc>,
    /// The commit in its service's name.
    pub commit: String,
    /// Percentage of covered statements.
    pub percent: f64,
}

impl TrendPoint {
    /// Returns a total. A percentage that another program stored may be invalid, and becomes the nearest valid one.
    pub(crate) fn new(stored_at: DateTime<Utc>, commit: &str, percent: f64) -> Self {
        let percent = if percent.is_nan() { 0.0 } else { percent.clamp(0.0, 100.0) };
        Self { stored_at, commit: commit.to_owned(), percent }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use chrono::{TimeDelta, TimeZone as _};

    use super::*;

    pub(in crate::report) fn hour(hour: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 1, 0, 0, 0).unwrap() + TimeDelta::hours(hour)
    }

    /// Returns a total so many hours after the first of November.
    pub(in crate::report) fn at(hours: i64, percent: f64, commit: &str) -> TrendPoint {
        TrendPoint::new(hour(hours), commit, percent)
    }
}
