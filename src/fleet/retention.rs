//! Retention: the rows, keys and build groups that go.
//!
//! Pure. A dropped row loses its files and is only marked, so that totals stay for the trend.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::assembly::Fleet;
use super::build_group::{BuildGroup, BuildGroupStatus};
use super::generation::Generation;
use super::ids::{BuildGroupId, KeyId, RowId};
use super::key_entry::KeyEntry;
use super::liveness::lasted;
use super::records::{Key, ScheduleRow};
use super::row::Row;

/// The part of the history that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keep {
    /// So many of the newest rows of each key are kept, whatever their age.
    pub newest: usize,
    /// Rows so young are kept, however many.
    pub younger_than: Duration,
    /// Keys that nobody has listed for so long go as a whole; `None` keeps all.
    pub keys_younger_than: Option<Duration>,
}

/// The stored files that rows name, relative to the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowFiles {
    /// Files of rows that have theirs.
    pub kept: BTreeSet<String>,
    /// Files of rows of which only figures are left.
    pub dropped: BTreeSet<String>,
}

/// Highest number in the name of a profile's file. Higher ones are of other programs: no app stores as many profiles,
/// and JSON, which holds numbers exactly up to here, can say them.
pub(crate) const HIGHEST_NUMBER: u64 = 1 << 53;

/// A row of the public table, with what its age is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptRow<K, R> {
    pub key: K,
    /// Higher than the ids of older rows.
    pub id: R,
    pub created_at: DateTime<Utc>,
    /// The key shows this row.
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

/// The last use of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use<T> {
    pub what: T,
    /// An address that a center lists needs the thing.
    pub is_needed: bool,
    /// The time when it was last listed, pulled or changed; `None`: never.
    pub last_at: Option<DateTime<Utc>>,
}

/// Returns the things that nobody needs and nobody used for as long as keys are kept.
#[must_use]
pub(crate) fn outlived<T: Copy>(uses: &[Use<T>], keep: &Keep, now: DateTime<Utc>) -> Vec<T> {
    let Some(longest) = keep.keys_younger_than else { return Vec::new() };
    let is_old =
        |used: &&Use<T>| !used.is_needed && used.last_at.is_some_and(|last_at| lasted(last_at, now, longest));
    uses.iter().filter(is_old).map(|used| used.what).collect()
}

/// A key that goes, with everything of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DroppedKey {
    pub id: KeyId,
    /// All names of the key.
    pub services: Vec<String>,
    pub last_used: Option<DateTime<Utc>>,
    pub rows: Vec<Row>,
}

/// A build group that goes: set aside, and served by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DroppedBuildGroup {
    pub id: BuildGroupId,
    /// The name that speaks for the key.
    pub service: String,
    /// Short fingerprint of the newest build.
    pub build: String,
    pub last_used: Option<DateTime<Utc>>,
}

/// Returns the rows that go, of keys that stay.
pub(crate) fn spent_rows(rows: Vec<Row>, gone: &[DroppedKey], keep: &Keep, now: DateTime<Utc>) -> Vec<Row> {
    let gone: HashSet<RowId> = gone.iter().flat_map(|key| &key.rows).map(|row| row.id).collect();
    let staying = rows.iter().filter(|row| !gone.contains(&row.id));
    let kept: Vec<KeptRow<&Key, RowId>> = staying
        .map(|row| KeptRow {
            key: &row.key,
            id: row.id,
            created_at: row.created_at,
            is_latest: row.is_latest,
        })
        .collect();
    let spent: HashSet<RowId> = spent(&kept, keep, now).into_iter().collect();
    rows.into_iter().filter(|row| spent.contains(&row.id)).collect()
}

/// Returns the keys that nobody lists and nobody used for as long as keys are kept.
///
/// A key in `dropped_before` that never came back has nothing left to drop.
pub(crate) fn outlived_keys(
    fleet: &Fleet,
    rows: &[Row],
    dropped_before: &BTreeSet<KeyId>,
    keep: &Keep,
    now: DateTime<Utc>,
) -> Vec<DroppedKey> {
    let mut by_key: HashMap<&Key, Vec<&Row>> = HashMap::new();
    for row in rows {
        by_key.entry(&row.key).or_default().push(row);
    }
    let rows_of = |entry: &KeyEntry| by_key.get(&entry.key).map(Vec::as_slice).unwrap_or_default();
    let is_empty = |entry: &KeyEntry| {
        dropped_before.contains(&entry.id)
            && entry.schedule == ScheduleRow::default()
            && rows_of(entry).is_empty()
    };
    let candidates = fleet.entries.iter().filter(|entry| !is_empty(entry));
    let uses: Vec<Use<&KeyEntry>> = candidates
        .map(|entry| Use {
            what: entry,
            is_needed: !entry.addresses().is_empty(),
            last_at: last_used(entry, rows_of(entry)),
        })
        .collect();
    let dropped = outlived(&uses, keep, now).into_iter().map(|entry| DroppedKey {
        id: entry.id,
        services: entry.members.iter().map(|member| member.name.clone()).collect(),
        last_used: last_used(entry, rows_of(entry)),
        rows: rows_of(entry).iter().map(|row| (*row).clone()).collect(),
    });
    dropped.collect()
}

/// Returns when a key was last listed, answered, pulled or stored.
fn last_used(entry: &KeyEntry, rows: &[&Row]) -> Option<DateTime<Utc>> {
    let seen = entry.members.iter().filter_map(|member| member.last_seen);
    let answered = entry.states.iter().filter_map(|(_, state)| state.last_answer_at);
    let stored = rows.iter().map(|row| row.created_at);
    seen.chain(answered).chain(entry.schedule.schedule.last_pull).chain(stored).max()
}

/// Returns the build groups of a key that are set aside, served by no listed address, and unused for as long as keys are
/// kept.
pub(crate) fn outlived_build_groups(
    entry: &KeyEntry,
    build_groups: &[BuildGroup],
    generations: &[Generation],
    keep: &Keep,
    now: DateTime<Utc>,
) -> Vec<DroppedBuildGroup> {
    let listed: BTreeSet<String> = entry.addresses().into_iter().collect();
    let aside = build_groups.iter().filter(|build_group| build_group.status == BuildGroupStatus::Aside);
    let uses: Vec<Use<&BuildGroup>> = aside
        .map(|build_group| {
            let of_group = || generations.iter().filter(|known| known.build_group == build_group.id);
            let is_served = |open: &Generation| {
                open.closed_at.is_none()
                    && open.address.as_ref().is_some_and(|address| listed.contains(address))
            };
            Use {
                what: build_group,
                is_needed: of_group().any(is_served),
                last_at: of_group().map(|known| known.closed_at.unwrap_or(known.pulled_at)).max(),
            }
        })
        .collect();
    let dropped = outlived(&uses, keep, now).into_iter().map(|build_group| DroppedBuildGroup {
        id: build_group.id,
        service: entry.newest_name().name.clone(),
        build: build_group.structures.last().map(|(_, print)| print.short()).unwrap_or_default(),
        last_used: uses.iter().find(|used| used.what.id == build_group.id).and_then(|used| used.last_at),
    });
    dropped.collect()
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
