//! Which stored profiles may go, and which keys with all that is kept of them.
//!
//! Pure. What is dropped loses its files; rows are only marked, so that totals stay for the trend.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::fleet::liveness::lasted;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keep {
    /// The newest so many rows of each key, whatever their age.
    pub newest: usize,
    /// Rows so young, however many.
    pub younger_than: Duration,
    /// Keys that nobody has listed for so long go as a whole; `None`: none does.
    pub keys_younger_than: Option<Duration>,
}

/// The stored files that rows name, relative to the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowFiles {
    /// Of rows that have theirs.
    pub kept: BTreeSet<String>,
    /// Of rows of which only figures are left.
    pub dropped: BTreeSet<String>,
}

/// Highest number in the name of a profile's file. Higher ones are of other programs: no app stores as many profiles,
/// and JSON, which holds numbers exactly up to here, can say them.
pub(crate) const HIGHEST_NUMBER: u64 = 1 << 53;

/// A row of the public table, as far as its age goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptRow<K, R> {
    /// What it belongs to.
    pub key: K,
    /// Counts up.
    pub id: R,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// It is what its key shows.
    pub is_latest: bool,
}

/// Returns the rows that are beyond the newest of their key and old enough, and not its latest.
#[must_use]
pub(crate) fn spent<K: Copy + Ord, R: Copy + Ord>(
    rows: &[KeptRow<K, R>],
    keep: &Keep,
    now: DateTime<Utc>,
) -> Vec<R> {
    let mut by_key: BTreeMap<K, Vec<&KeptRow<K, R>>> = BTreeMap::new();
    for row in rows {
        by_key.entry(row.key).or_default().push(row);
    }
    let mut spent = Vec::new();
    for rows in by_key.values_mut() {
        rows.sort_by_key(|row| Reverse(row.id));
        let beyond = rows.iter().skip(keep.newest);
        let old = beyond.filter(|row| !row.is_latest && lasted(row.created_at, now, keep.younger_than));
        spent.extend(old.map(|row| row.id));
    }
    spent.sort_unstable();
    spent
}

/// When something was last of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use<T> {
    /// What.
    pub what: T,
    /// An address that a center lists needs it.
    pub is_needed: bool,
    /// When it was last listed, pulled or changed; `None`: never.
    pub last_at: Option<DateTime<Utc>>,
}

/// Returns what nobody needs and nobody used for as long as keys are kept.
#[must_use]
pub(crate) fn outlived<T: Copy>(uses: &[Use<T>], keep: &Keep, now: DateTime<Utc>) -> Vec<T> {
    let Some(longest) = keep.keys_younger_than else { return Vec::new() };
    let is_old =
        |used: &&Use<T>| !used.is_needed && used.last_at.is_some_and(|last_at| lasted(last_at, now, longest));
    uses.iter().filter(is_old).map(|used| used.what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + day * 86_400, 0).unwrap()
    }

    const fn days(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }

    const KEEP: Keep = Keep { newest: 2, younger_than: days(30), keys_younger_than: Some(days(90)) };

    /// Rows 1, 2, ... of one key, stored on these days; the last is the latest.
    fn rows(key: char, first: i64, stored: &[i64]) -> Vec<KeptRow<char, i64>> {
        let mut rows: Vec<KeptRow<char, i64>> = (first..)
            .zip(stored)
            .map(|(id, &day)| KeptRow { key, id, created_at: at(day), is_latest: false })
            .collect();
        if let Some(last) = rows.last_mut() {
            last.is_latest = true;
        }
        rows
    }

    #[test]
    fn a_row_goes_when_it_is_beyond_the_newest_and_old() {
        for (stored, today, expected) in [
            (&[0, 1, 2, 3][..], 40, &[1, 2][..]),
            // Old enough is the first alone.
            (&[0, 20, 21, 22], 31, &[1]),
            // To the day.
            (&[0, 1, 2], 30, &[1]),
            (&[0, 1, 2], 29, &[]),
            // Old, and among the newest.
            (&[0, 1], 400, &[]),
            (&[], 400, &[]),
        ] {
            assert_eq!(spent(&rows('a', 1, stored), &KEEP, at(today)), expected, "{stored:?} on {today}");
        }
    }

    #[test]
    fn keys_are_counted_apart() {
        let mut both = rows('a', 1, &[0, 1, 2]);
        both.extend(rows('b', 4, &[0, 1, 2, 3]));
        both.reverse();
        assert_eq!(spent(&both, &KEEP, at(100)), [1, 4, 5]);
    }

    #[test]
    fn the_latest_of_a_key_stays_whatever_is_asked_for() {
        let none = Keep { newest: 0, younger_than: Duration::ZERO, ..KEEP };
        assert_eq!(spent(&rows('a', 1, &[0, 1, 2]), &none, at(100)), [1, 2]);
        // Also where it is not the newest row: a build that was brought back by hand.
        let mut odd = rows('a', 1, &[0, 1, 2]);
        odd[0].is_latest = true;
        odd[2].is_latest = false;
        assert_eq!(spent(&odd, &none, at(100)), [2, 3]);
    }

    #[test]
    fn a_clock_that_went_back_drops_nothing() {
        assert_eq!(spent(&rows('a', 1, &[10, 11, 12, 13]), &KEEP, at(0)), [0; 0]);
    }

    #[test]
    fn only_what_nobody_needs_and_used_long_ago_is_outlived() {
        let use_of =
            |what, is_needed, last_at: Option<i64>| Use { what, is_needed, last_at: last_at.map(at) };
        let all = [
            use_of("old", false, Some(0)),
            use_of("needed", true, Some(0)),
            use_of("young", false, Some(11)),
            use_of("to the day", false, Some(10)),
            use_of("never", false, None),
        ];
        assert_eq!(outlived(&all, &KEEP, at(100)), ["old", "to the day"]);
        assert_eq!(outlived(&all, &Keep { keys_younger_than: None, ..KEEP }, at(100)), [""; 0]);
    }
}
