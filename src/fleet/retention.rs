//! Retention: the rows, keys and build groups that are deleted.
//!
//! Pure. A dropped row loses its files and is marked, but its totals stay for the trend.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::build_group::{BuildGroup, BuildGroupStatus};
use super::ids::{BuildGroupId, KeyId, RowId};
use super::key_entry::KeyEntry;
use super::liveness::lasted;
use super::records::Life;
use super::records::{Key, ScheduleRow};
use super::row::Row;
use super::services::Fleet;

/// The part of the history that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetentionRules {
    /// Number of the newest rows of each key that are kept at any age.
    pub newest: usize,
    /// Rows younger than this are kept, however many there are.
    pub younger_than: Duration,
    /// Keys that no center has listed for this time are deleted as a whole; `None` keeps all.
    pub keys_younger_than: Option<Duration>,
}

/// The stored files that rows name, relative to the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowFiles {
    /// Files of rows that still have their file.
    pub kept: BTreeSet<String>,
    /// Files of rows that kept only their figures.
    pub dropped: BTreeSet<String>,
}

/// Highest number in the name of a profile's file. JSON holds integers exactly only up to this number, and no app
/// stores as many profiles, so a higher number is taken for a file of another program.
pub(crate) const HIGHEST_NUMBER: u64 = 1 << 53;

/// The facts of a public row that decide how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptRow<K, R> {
    pub key: K,
    /// Id, which is higher than those of older rows.
    pub id: R,
    pub created_at: DateTime<Utc>,
    /// The key shows this row.
    pub is_latest: bool,
}

/// Returns the rows that are old enough, not among the newest of their key, and not its latest.
#[must_use]
pub(crate) fn spent<K: Copy + Ord, R: Copy + Ord>(
    rows: &[KeptRow<K, R>],
    keep: &RetentionRules,
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

/// The last use of a key or a build group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastUse<T> {
    pub what: T,
    /// An address that a center lists needs it.
    pub is_needed: bool,
    /// The time when it was last listed, pulled or changed; `None`: never.
    pub last_at: Option<DateTime<Utc>>,
}

/// Returns the keys or build groups that are not needed and have not been used for as long as keys are kept.
#[must_use]
pub(crate) fn outlived<T: Copy>(uses: &[LastUse<T>], keep: &RetentionRules, now: DateTime<Utc>) -> Vec<T> {
    let Some(longest) = keep.keys_younger_than else { return Vec::new() };
    let is_old = |used: &&LastUse<T>| {
        !used.is_needed && used.last_at.is_some_and(|last_at| lasted(last_at, now, longest))
    };
    uses.iter().filter(is_old).map(|used| used.what).collect()
}

/// A key that is deleted with all its data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DroppedKey {
    pub id: KeyId,
    /// All names of the key.
    pub services: Vec<String>,
    pub last_used: Option<DateTime<Utc>>,
    pub rows: Vec<Row>,
}

/// A build group that is deleted: it is set aside and no address serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DroppedBuildGroup {
    pub id: BuildGroupId,
    /// The newest name of the key.
    pub service: String,
    /// Short fingerprint of the newest build.
    pub build: String,
    pub last_used: Option<DateTime<Utc>>,
}

/// Returns the rows that are deleted of keys that stay.
pub(crate) fn spent_rows(
    rows: Vec<Row>,
    gone: &[DroppedKey],
    keep: &RetentionRules,
    now: DateTime<Utc>,
) -> Vec<Row> {
    let gone: HashSet<RowId> = gone.iter().flat_map(|key| &key.rows).map(|row| row.id).collect();
    // A row with a mark stays, and takes the place of no other.
    let staying = rows.iter().filter(|row| !gone.contains(&row.id) && row.mark.is_none());
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

/// Returns the keys that no center lists and that have not been used for as long as keys are kept.
///
/// A key in `dropped_before` that was never listed again has nothing left to delete.
pub(crate) fn outlived_keys(
    fleet: &Fleet,
    rows: &[Row],
    dropped_before: &BTreeSet<KeyId>,
    keep: &RetentionRules,
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
    let uses: Vec<LastUse<&KeyEntry>> = candidates
        .map(|entry| LastUse {
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

/// Returns the time at which a key was last listed, answered, pulled or stored.
fn last_used(entry: &KeyEntry, rows: &[&Row]) -> Option<DateTime<Utc>> {
    let seen = entry.members.iter().filter_map(|member| member.last_seen);
    let answered = entry.states.iter().filter_map(|(_, state)| state.last_answer_at);
    let stored = rows.iter().map(|row| row.created_at);
    seen.chain(answered).chain(entry.schedule.schedule.last_pull).chain(stored).max()
}

/// Returns the build groups of a key that are set aside, served by no listed address, and unused for as long as keys
/// are kept.
pub(crate) fn outlived_build_groups(
    entry: &KeyEntry,
    build_groups: &[BuildGroup],
    lives: &[Life],
    keep: &RetentionRules,
    now: DateTime<Utc>,
) -> Vec<DroppedBuildGroup> {
    let listed: BTreeSet<String> = entry.addresses().into_iter().collect();
    let aside = build_groups.iter().filter(|build_group| build_group.status == BuildGroupStatus::Aside);
    let uses: Vec<LastUse<&BuildGroup>> = aside
        .map(|build_group| {
            let of_group = || lives.iter().filter(|known| known.build_group == build_group.id);
            let is_served = |open: &Life| {
                open.closed_at.is_none()
                    && open.address.as_ref().is_some_and(|address| listed.contains(address))
            };
            LastUse {
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
    use crate::fleet::fixtures::{address, entry, with_state};
    use crate::fleet::ids::{LifeId, StructureId};
    use crate::fleet::records::AddressState;
    use crate::profile::Mode;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + day * 86_400, 0).unwrap()
    }

    const fn days(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }

    const KEEP: RetentionRules =
        RetentionRules { newest: 2, younger_than: days(30), keys_younger_than: Some(days(90)) };

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
            // Only the first is old enough.
            (&[0, 20, 21, 22], 31, &[1]),
            // The first is exactly 30 days old.
            (&[0, 1, 2], 30, &[1]),
            (&[0, 1, 2], 29, &[]),
            // Old rows among the newest stay.
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
        let none = RetentionRules { newest: 0, younger_than: Duration::ZERO, ..KEEP };
        assert_eq!(spent(&rows('a', 1, &[0, 1, 2]), &none, at(100)), [1, 2]);
        // The latest row need not be the newest one: a person may have adopted an earlier build again.
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
            |what, is_needed, last_at: Option<i64>| LastUse { what, is_needed, last_at: last_at.map(at) };
        let all = [
            use_of("old", false, Some(0)),
            use_of("needed", true, Some(0)),
            use_of("young", false, Some(11)),
            use_of("to the day", false, Some(10)),
            use_of("never", false, None),
        ];
        assert_eq!(outlived(&all, &KEEP, at(100)), ["old", "to the day"]);
        assert_eq!(outlived(&all, &RetentionRules { keys_younger_than: None, ..KEEP }, at(100)), [""; 0]);
    }

    /// A key of one name that is listed at these hosts, and was last listed on a day.
    fn key(number: i64, hosts: &[&str], last_seen: i64) -> KeyEntry {
        let mut entry = entry(number, hosts);
        entry.members[0].last_seen = Some(at(last_seen));
        entry
    }

    fn fleet(entries: Vec<KeyEntry>) -> Fleet {
        Fleet { entries, ..Fleet::default() }
    }

    /// A row of the key `name<number>`, stored on a day.
    fn row(id: i64, number: i64, day: i64) -> Row {
        Row {
            id: RowId(id),
            created_at: at(day),
            key: Key { app: format!("name{number}"), ..Key::default() },
            addresses: Vec::new(),
            branch: String::new(),
            is_latest: false,
            cov_file_path: String::new(),
            cover_total: 0.0,
            stats: None,
            mark: None,
            deleted_at: None,
        }
    }

    /// The numbers of the keys that are deleted on day 100.
    fn gone(entries: Vec<KeyEntry>, rows: &[Row], dropped_before: &[i64]) -> Vec<i64> {
        let dropped_before = dropped_before.iter().map(|&number| KeyId(number)).collect();
        let dropped = outlived_keys(&fleet(entries), rows, &dropped_before, &KEEP, at(100));
        dropped.iter().map(|key| key.id.0).collect()
    }

    #[test]
    fn a_key_goes_when_its_last_use_of_any_kind_is_long_ago() {
        assert_eq!(gone(vec![key(1, &[], 10)], &[], &[]), [1]);
        assert_eq!(gone(vec![key(1, &[], 11)], &[], &[]), [0; 0]);
        assert_eq!(gone(vec![key(1, &[], 0)], &[row(1, 1, 11)], &[]), [0; 0]);
        assert_eq!(gone(vec![key(1, &[], 0)], &[row(1, 2, 11)], &[]), [1]);
        let mut pulled = key(1, &[], 0);
        pulled.schedule.schedule.last_pull = Some(at(11));
        assert_eq!(gone(vec![pulled], &[], &[]), [0; 0]);
        let state = AddressState { last_answer_at: Some(at(11)), ..AddressState::default() };
        assert_eq!(gone(vec![with_state(key(1, &[], 0), "a", state)], &[], &[]), [0; 0]);
    }

    #[test]
    fn a_key_that_is_listed_stays_however_long_it_was_silent() {
        assert_eq!(gone(vec![key(1, &["a"], 0), key(2, &[], 0)], &[], &[]), [2]);
    }

    #[test]
    fn a_key_that_was_dropped_goes_again_only_where_something_came_back() {
        let mut pulled = key(3, &[], 0);
        pulled.schedule.unfinished = true;
        let keys = vec![key(1, &[], 0), key(2, &[], 0), pulled];
        assert_eq!(gone(keys, &[row(1, 2, 0)], &[1, 2, 3]), [2, 3]);
    }

    #[test]
    fn a_dropped_key_names_its_services_and_takes_all_of_its_rows_along() {
        let rows = [row(1, 1, 4), row(2, 2, 5), row(3, 1, 6)];
        let dropped = outlived_keys(&fleet(vec![key(1, &[], 3)]), &rows, &BTreeSet::new(), &KEEP, at(100));
        let expected = DroppedKey {
            id: KeyId(1),
            services: vec!["name1".to_owned()],
            last_used: Some(at(6)),
            rows: vec![row(1, 1, 4), row(3, 1, 6)],
        };
        assert_eq!(dropped, [expected]);
    }

    #[test]
    fn rows_of_a_dropped_key_are_not_dropped_once_more() {
        let rows: Vec<Row> = (1..=3).flat_map(|id| [row(id, 1, 0), row(id + 10, 2, 0)]).collect();
        let of_first = rows.iter().filter(|row| row.key.app == "name1").cloned().collect();
        let gone = DroppedKey { id: KeyId(1), services: Vec::new(), last_used: None, rows: of_first };
        let spent = |gone: &[DroppedKey]| -> Vec<i64> {
            spent_rows(rows.clone(), gone, &KEEP, at(100)).iter().map(|row| row.id.0).collect()
        };
        assert_eq!(spent(&[]), [1, 11]);
        assert_eq!(spent(&[gone]), [11]);
    }

    /// A life in a build group that was last pulled on a day.
    fn life(build_group: i64, host: &str, pulled: i64, closed: Option<i64>) -> Life {
        Life {
            id: LifeId(pulled),
            build_group: BuildGroupId(build_group),
            structure: StructureId(1),
            address: Some(address(host)),
            mode: Mode::Count,
            opened_at: at(0),
            pulled_at: at(pulled),
            closed_at: closed.map(at),
            is_mixture: false,
        }
    }

    /// The build groups of a key at host `a` that are deleted on day 100; group 1 is shown, 2 and 3 are set aside, 4
    /// was shown before.
    fn gone_groups(lives: &[Life]) -> Vec<i64> {
        use BuildGroupStatus::{Aside, Current, Former};
        let group = |(id, status)| BuildGroup { id: BuildGroupId(id), status, structures: Vec::new() };
        let groups = [(1, Current), (2, Aside), (3, Aside), (4, Former)].map(group);
        let dropped = outlived_build_groups(&key(1, &["a"], 0), &groups, lives, &KEEP, at(100));
        dropped.iter().map(|build_group| build_group.id.0).collect()
    }

    #[test]
    fn of_the_build_groups_only_those_set_aside_go() {
        let lives = [1, 2, 3, 4].map(|group| life(group, "b", 0, None));
        assert_eq!(gone_groups(&lives), [2, 3]);
    }

    #[test]
    fn a_build_group_stays_while_a_listed_address_serves_it_or_its_last_use_is_young() {
        for (lives, expected) in [
            (vec![life(2, "a", 0, None)], &[][..]),
            (vec![life(2, "a", 0, Some(10))], &[2]),
            (vec![life(2, "a", 0, Some(11))], &[]),
            (vec![life(2, "b", 10, None)], &[2]),
            (vec![life(2, "b", 11, None)], &[]),
            (vec![life(2, "b", 0, None), life(2, "b", 11, None)], &[]),
            // The last use of the group is unknown.
            (Vec::new(), &[]),
        ] {
            assert_eq!(gone_groups(&lives), expected, "{lives:?}");
        }
    }

    #[test]
    fn a_dropped_build_group_is_named_by_its_newest_build_and_the_name_of_its_key() {
        let print = |byte| crate::profile::Fingerprint::from_bytes(&[byte; 32]).unwrap();
        let group = BuildGroup {
            id: BuildGroupId(2),
            status: BuildGroupStatus::Aside,
            structures: vec![(StructureId(1), print(1)), (StructureId(2), print(2))],
        };
        let lives = [life(2, "b", 4, Some(5))];
        let expected = DroppedBuildGroup {
            id: BuildGroupId(2),
            service: "name1".to_owned(),
            build: "020202020202".to_owned(),
            last_used: Some(at(5)),
        };
        assert_eq!(outlived_build_groups(&key(1, &[], 0), &[group], &lives, &KEEP, at(100)), [expected]);
    }
}
