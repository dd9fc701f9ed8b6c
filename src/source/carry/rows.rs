//! The rows from which something may be carried.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::fleet::pick::is_same_app;
use crate::fleet::records::Key;
use crate::fleet::row::Row;

/// The environments from which something is carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CarryRange {
    /// The environment and region of the service.
    #[default]
    Same,
    /// All environments and regions of the app.
    Any,
}

/// The limits of what is carried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CarryRequest {
    /// Rows that were stored earlier than this carry nothing.
    pub(crate) since: DateTime<Utc>,
    /// Rows that were stored later than this carry nothing.
    pub(crate) until: DateTime<Utc>,
    pub(crate) range: CarryRange,
}

impl CarryRequest {
    /// Returns the limits at a time.
    pub(crate) fn at(until: DateTime<Utc>, age: TimeDelta, range: CarryRange) -> Self {
        let since = until.checked_sub_signed(age).unwrap_or(DateTime::<Utc>::MIN_UTC);
        Self { since, until, range }
    }

    /// Returns the limits for the pages of an app whose configuration asks for what is carried.
    pub(crate) fn of_pages(until: DateTime<Utc>, age: Duration) -> Self {
        // A duration of the configuration has at most 100 years.
        Self::at(until, TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX), CarryRange::Same)
    }
}

/// Returns the rows from which something may be carried to a state, the newest first: the newest row with a profile of each
/// other commit, environment and region. `own` are the keys of the state; `rows` are all rows, the newest last.
pub(super) fn rows_to_carry<'r>(rows: &'r [Row], own: &[Key], request: CarryRequest) -> Vec<&'r Row> {
    let is_of_app = |row: &Row| {
        own.iter().any(|own| match request.range {
            CarryRange::Same => is_same_app(&row.key, own),
            CarryRange::Any => row.key.app == own.app,
        })
    };
    let mut seen = HashSet::new();
    let kept = rows.iter().rev().filter(|row| row.deleted_at.is_none() && !row.key.commit.is_empty());
    let fitting = kept.filter(|row| is_of_app(row) && !own.contains(&row.key));
    let newest = fitting.filter(|row| row.created_at <= request.until && seen.insert(&row.key));
    newest.filter(|row| row.created_at >= request.since).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::at;
    use crate::source::testing::{dropped, key, row};

    #[test]
    fn the_newest_row_of_each_other_commit_is_carried_within_the_age() {
        let hour =
            |number: i64, commit: &str| Row { created_at: at(number * 60), ..row(number, "shop", commit) };
        let elsewhere = |row: Row| Row { key: Key { env: "qa".to_owned(), ..row.key.clone() }, ..row };
        let rows = [
            hour(1, "aaaa"),
            hour(2, "bbbb"),
            elsewhere(hour(3, "cccc")),
            hour(4, "bbbb"),
            dropped(hour(5, "dddd")),
            Row { key: key("pay", "aaaa"), ..hour(6, "aaaa") },
            hour(7, "cccc"),
            hour(8, ""),
            hour(9, "eeee"),
        ];
        let carried = |range, hours, until: i64| -> Vec<i64> {
            let request = CarryRequest::at(at(until * 60), TimeDelta::hours(hours), range);
            rows_to_carry(&rows, &[key("shop", "eeee")], request).iter().map(|row| row.id.0).collect()
        };
        assert_eq!(carried(CarryRange::Same, 24, 9), [7, 4, 1]);
        assert_eq!(carried(CarryRange::Same, 5, 9), [7, 4]);
        assert_eq!(carried(CarryRange::Any, 24, 9), [7, 4, 3, 1]);
        assert_eq!(carried(CarryRange::Same, 24, 3), [2, 1], "as it was then");
    }
}
