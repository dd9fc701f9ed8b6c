//! The plan of a pull, made before the first request: its keys, the addresses to ask, and the reasons.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use chrono::{DateTime, Utc};

use super::ids::KeyId;
use super::key_entry::{KeyEntry, PullHistory};
use super::pull_rules::PullRules;
use super::schedule::{self, Due, DueReason};
use super::waits::Waits;

/// The services that a run is to pull.
pub(crate) enum Selection {
    /// Every service that is due.
    Due,
    /// Those of these services that are due.
    DueAmong(BTreeSet<KeyId>),
    /// Every service, due or not.
    Forced,
    /// Services that a person named, due or not.
    Named(BTreeSet<KeyId>),
}

impl Selection {
    /// Tells whether a person asked for this key, due or not.
    pub(crate) fn asks_for(&self, key: KeyId) -> bool {
        match self {
            Self::Due | Self::DueAmong(_) => false,
            Self::Forced => true,
            Self::Named(keys) => keys.contains(&key),
        }
    }
}

/// The work of a run.
pub(crate) struct PullPlan<'a> {
    /// Groups to be pulled, the most overdue first.
    pub(crate) pulls: Vec<AddressGroup<'a>>,
    /// Groups to peek at, which are pulled if their coverage changed.
    pub(crate) peeks: Vec<AddressGroup<'a>>,
    /// Keys that are not pulled.
    pub(crate) waiting: Vec<WaitingKey<'a>>,
}

/// Keys that are pulled together, because an address can be listed under several of them.
pub(crate) struct AddressGroup<'a> {
    pub(crate) keys: Box<[GroupKey<'a>]>,
    /// Addresses to ask; those listed under only one key come first.
    pub(crate) addresses: Box<[GroupAddress]>,
    /// Number of addresses that are listed under only one key.
    of_one_key: usize,
}

/// A key of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupKey<'a> {
    pub(crate) entry: &'a KeyEntry,
    pub(crate) reason: DueReason,
    /// Every address is asked, not only those whose retry is due.
    pub(crate) full: bool,
}

/// An address to ask, with the indices of the keys in the group that list it; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupAddress {
    pub(crate) address: String,
    pub(crate) keys: Vec<usize>,
}

/// A key that is not pulled.
pub(crate) struct WaitingKey<'a> {
    pub(crate) entry: &'a KeyEntry,
    /// The time at which the key is due, and the reason for the wait; `None` when nothing lists it.
    pub(crate) until: Option<(DateTime<Utc>, DueReason)>,
}

/// The decision about one key of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
enum KeyPlan {
    /// The key is pulled from these addresses.
    Pull { reason: DueReason, full: bool, addresses: Vec<String> },
    /// The key is not pulled before this time.
    Wait(DateTime<Utc>, DueReason),
    /// No center lists the key.
    Offline,
    /// A person named other keys.
    Passed,
}

impl<'a> AddressGroup<'a> {
    /// Makes a group that asks `addresses`, each listed under at least one of `keys`.
    pub(crate) fn new(keys: Vec<GroupKey<'a>>, mut addresses: Vec<GroupAddress>) -> Self {
        addresses.sort_by_key(|address| address.keys.len() > 1);
        let of_one_key = addresses.iter().take_while(|address| address.keys.len() == 1).count();
        Self { keys: keys.into_boxed_slice(), addresses: addresses.into_boxed_slice(), of_one_key }
    }

    /// Returns the indices of the addresses that may be asked at once. Addresses listed under several keys wait,
    /// because the answers of the others show the keys' builds.
    pub(crate) fn first_addresses(&self) -> Range<usize> {
        if self.of_one_key > 0 { self.addresses_of_one_key() } else { self.shared_addresses() }
    }

    /// Returns the indices of the addresses that are listed under only one key.
    pub(crate) fn addresses_of_one_key(&self) -> Range<usize> {
        0..self.of_one_key
    }

    /// Returns the indices of the addresses that are listed under several keys.
    pub(crate) fn shared_addresses(&self) -> Range<usize> {
        self.of_one_key..self.addresses.len()
    }

    /// Returns the addresses that are asked for a key of the group.
    pub(crate) fn asked_for(&self, key: usize) -> Vec<&str> {
        let of_key = self.addresses.iter().filter(|address| address.keys.contains(&key));
        of_key.map(|address| address.address.as_str()).collect()
    }
}

impl<'a> PullPlan<'a> {
    /// Decides for every key.
    pub(crate) fn make(
        entries: &'a [KeyEntry],
        selection: &Selection,
        rules: &PullRules,
        now: DateTime<Utc>,
    ) -> Self {
        let mut plan = Self { pulls: Vec::new(), peeks: Vec::new(), waiting: Vec::new() };
        for cluster in clusters(entries) {
            let decisions = cluster.iter().map(|entry| decide(entry, selection, rules, now)).collect();
            plan.add(&cluster, decisions);
        }
        let overdue = |group: &AddressGroup<'a>| {
            group
                .keys
                .iter()
                .map(|key| {
                    let name = key.entry.newest_name().name.as_str();
                    schedule::most_overdue_first(&key.entry.schedule.schedule, name)
                })
                .min()
        };
        plan.pulls.sort_by(|a, b| overdue(a).cmp(&overdue(b)));
        plan
    }

    /// Plans a group that asks only `address`, and the rows of other keys whose snapshots came in.
    ///
    /// Keys that share a listed address with `entry` are in its group, because the builds that they show decide which
    /// addresses vote.
    pub(crate) fn for_address(entry: &'a KeyEntry, address: &str, entries: &'a [KeyEntry]) -> Self {
        let is_entry = |other: &&KeyEntry| other.id == entry.id;
        let came_in = |other| GroupKey { entry: other, reason: DueReason::CameIn, full: false };
        let (own, others): (Vec<_>, Vec<_>) =
            clusters(entries).into_iter().partition(|cluster| cluster.iter().any(is_entry));
        let neighbours = own.into_iter().flatten().filter(|other| !is_entry(other));
        let named = GroupKey { entry, reason: DueReason::Named, full: false };
        let keys = [named].into_iter().chain(neighbours.map(came_in)).collect();
        let asked = vec![GroupAddress { address: address.to_owned(), keys: vec![0] }];
        let others = others.into_iter().flatten().filter(|other| other.came_in);
        let others = others.map(|other| AddressGroup::new(vec![came_in(other)], Vec::new()));
        let pulls = [AddressGroup::new(keys, asked)].into_iter().chain(others).collect();
        Self { pulls, peeks: Vec::new(), waiting: Vec::new() }
    }

    /// Plans groups that ask exactly these listed addresses.
    pub(crate) fn for_listed(entries: &'a [KeyEntry], addresses: &BTreeSet<String>) -> Self {
        let mut pulls = Vec::new();
        for cluster in clusters(entries) {
            let listed = cluster.iter().flat_map(|entry| entry.addresses());
            let asked: BTreeSet<String> = listed.filter(|address| addresses.contains(address)).collect();
            if !asked.is_empty() {
                let key =
                    |entry: &&'a KeyEntry| GroupKey { entry, reason: DueReason::LastChance, full: false };
                pulls.push(AddressGroup::new(cluster.iter().map(key).collect(), listing(&cluster, asked)));
            }
        }
        Self { pulls, peeks: Vec::new(), waiting: Vec::new() }
    }

    /// Adds keys that share addresses. All of them are pulled together if one of them is.
    fn add(&mut self, cluster: &[&'a KeyEntry], decisions: Vec<KeyPlan>) {
        let first_reason = decisions.iter().find_map(|decision| match decision {
            KeyPlan::Pull { reason, .. } => Some(*reason),
            _ => None,
        });
        match first_reason {
            Some(first_reason) => self.add_pull(cluster, decisions, first_reason),
            None => self.add_waiting(cluster, decisions),
        }
    }

    fn add_pull(&mut self, cluster: &[&'a KeyEntry], decisions: Vec<KeyPlan>, first_reason: DueReason) {
        let mut keys = Vec::with_capacity(cluster.len());
        let mut asked = BTreeSet::new();
        for (entry, decision) in cluster.iter().copied().zip(decisions) {
            match decision {
                KeyPlan::Pull { reason, full, addresses } => {
                    keys.push(GroupKey { entry, reason, full });
                    asked.extend(addresses);
                }
                // An address that is asked because of another key is judged for this key, too.
                KeyPlan::Wait(..) | KeyPlan::Offline | KeyPlan::Passed => {
                    keys.push(GroupKey { entry, reason: first_reason, full: false });
                }
            }
        }
        self.pulls.push(AddressGroup::new(keys, listing(cluster, asked)));
    }

    fn add_waiting(&mut self, cluster: &[&'a KeyEntry], decisions: Vec<KeyPlan>) {
        if decisions.iter().any(|decision| matches!(decision, KeyPlan::Wait(..))) {
            let key = |entry: &&'a KeyEntry| GroupKey { entry, reason: DueReason::Peeked, full: true };
            let asked = cluster.iter().flat_map(|entry| healthy_addresses(entry)).collect();
            let keys = cluster.iter().map(key).collect();
            self.peeks.push(AddressGroup::new(keys, listing(cluster, asked)));
        }
        for (entry, decision) in cluster.iter().copied().zip(decisions) {
            match decision {
                KeyPlan::Wait(until, reason) => {
                    self.waiting.push(WaitingKey { entry, until: Some((until, reason)) });
                }
                KeyPlan::Offline => self.waiting.push(WaitingKey { entry, until: None }),
                KeyPlan::Pull { .. } | KeyPlan::Passed => {}
            }
        }
    }
}

/// Returns the addresses of a key whose last request did not fail.
fn healthy_addresses(entry: &KeyEntry) -> impl Iterator<Item = String> {
    entry.addresses().into_iter().filter(|address| entry.state(address).retry.failures == 0)
}

/// Decides about a key, which may have new snapshots.
///
/// A snapshot shows that coverage changed, as a peek would. So the key needs its row, even if none of its addresses is
/// asked.
fn decide(entry: &KeyEntry, selection: &Selection, rules: &PullRules, now: DateTime<Utc>) -> KeyPlan {
    let reason = DueReason::CameIn;
    match whether_due(entry, selection, rules.waits(), now) {
        KeyPlan::Wait(..) if entry.came_in => {
            KeyPlan::Pull { reason, full: true, addresses: healthy_addresses(entry).collect() }
        }
        KeyPlan::Offline | KeyPlan::Passed if entry.came_in => {
            KeyPlan::Pull { reason, full: false, addresses: Vec::new() }
        }
        // Nobody can be asked, so the row of now has what the ended processes left.
        KeyPlan::Offline if rules.mark.is_some() && selection.asks_for(entry.id) => {
            KeyPlan::Pull { reason: DueReason::Named, full: true, addresses: Vec::new() }
        }
        decision => decision,
    }
}

/// Returns the time at which a pull without names asks an address of the key next, and the reason; `None` if nothing
/// lists the key.
pub(crate) fn next_pull(
    entry: &KeyEntry,
    waits: Waits<'_>,
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, DueReason)> {
    match whether_due(entry, &Selection::Due, waits, now) {
        KeyPlan::Pull { .. } if entry.addresses().is_empty() => None,
        KeyPlan::Pull { reason, .. } => Some((now, reason)),
        KeyPlan::Wait(until, reason) => Some((until, reason)),
        KeyPlan::Offline | KeyPlan::Passed => None,
    }
}

/// Decides about a key by its schedule and the retries of its addresses, unless a person overrules them.
fn whether_due(entry: &KeyEntry, selection: &Selection, waits: Waits<'_>, now: DateTime<Utc>) -> KeyPlan {
    let addresses = entry.addresses();
    let overruled = match selection {
        Selection::Due => None,
        Selection::Forced => Some(DueReason::Forced),
        Selection::Named(keys) if keys.contains(&entry.id) => Some(DueReason::Named),
        Selection::DueAmong(keys) if keys.contains(&entry.id) => None,
        Selection::Named(_) | Selection::DueAmong(_) => return KeyPlan::Passed,
    };
    if let Some(reason) = overruled.filter(|_| !addresses.is_empty()) {
        return KeyPlan::Pull { reason, full: true, addresses };
    }
    let cut_off = entry.schedule.unfinished;
    if addresses.is_empty() {
        // Counters that an earlier run stored still lack their row.
        let (reason, full) = (DueReason::CutOff, true);
        return if cut_off { KeyPlan::Pull { reason, full, addresses } } else { KeyPlan::Offline };
    }
    let due = match schedule::due(&entry.schedule.schedule, &addresses, now, waits.steps) {
        _ if cut_off => Due::Now(DueReason::CutOff),
        Due::Now(DueReason::NeverPulled) if entry.pull_history() != PullHistory::NeverPulled => {
            Due::Now(DueReason::NeverAnswered)
        }
        due => due,
    };
    let RetryPlan { ready, retried, earliest, has_healthy } = retries(entry, addresses, &due, waits, now);
    match (due, retried, earliest) {
        (Due::Now(reason), ..) if !ready.is_empty() || cut_off => {
            KeyPlan::Pull { reason, full: true, addresses: ready }
        }
        (Due::Later(..), Some(reason), _) => KeyPlan::Pull { reason, full: false, addresses: ready },
        (Due::Later(until, waiting), None, Some((retry, reason))) if retry < until => match waiting {
            DueReason::Waiting { step, wait } if has_healthy => {
                KeyPlan::Wait(retry, DueReason::RetryInStep { step, wait })
            }
            _ => KeyPlan::Wait(retry, reason),
        },
        // In the second pattern the key is due, and every address waits for its retry.
        (Due::Later(until, reason), None, _) | (Due::Now(_), _, Some((until, reason))) => {
            KeyPlan::Wait(until, reason)
        }
        (Due::Now(reason), ..) => KeyPlan::Pull { reason, full: true, addresses: ready },
    }
}

/// Addresses of a key by their retries.
struct RetryPlan {
    /// Addresses to be asked.
    ready: Vec<String>,
    /// The reason for asking an address that failed before.
    retried: Option<DueReason>,
    /// The earliest retry that is not due yet.
    earliest: Option<(DateTime<Utc>, DueReason)>,
    /// The last request to at least one address did not fail.
    has_healthy: bool,
}

fn retries(
    entry: &KeyEntry,
    addresses: Vec<String>,
    due: &Due,
    waits: Waits<'_>,
    now: DateTime<Utc>,
) -> RetryPlan {
    let mut retries = RetryPlan { ready: Vec::new(), retried: None, earliest: None, has_healthy: false };
    for address in addresses {
        match entry.state(&address).retry.due(now, waits.retry) {
            None => {
                retries.has_healthy = true;
                if matches!(due, Due::Now(_)) {
                    retries.ready.push(address);
                }
            }
            Some(Due::Now(reason)) => {
                retries.retried = Some(reason);
                retries.ready.push(address);
            }
            Some(Due::Later(at, reason)) => {
                if retries.earliest.is_none_or(|(earliest, _)| at < earliest) {
                    retries.earliest = Some((at, reason));
                }
            }
        }
    }
    retries
}

/// Returns the addresses to ask, each with the keys that list it.
fn listing(cluster: &[&KeyEntry], asked: BTreeSet<String>) -> Vec<GroupAddress> {
    let mut listing: HashMap<String, Vec<usize>> = HashMap::new();
    for (key, entry) in cluster.iter().enumerate() {
        for address in entry.addresses() {
            listing.entry(address).or_default().push(key);
        }
    }
    let mut addresses = Vec::with_capacity(asked.len());
    addresses.extend(asked.into_iter().filter_map(|address| {
        let mut keys = listing.remove(&address)?;
        keys.shrink_to_fit();
        Some(GroupAddress { address, keys })
    }));
    addresses
}

/// Groups keys that share an address, directly or through other keys.
fn clusters(entries: &[KeyEntry]) -> Vec<Vec<&KeyEntry>> {
    let mut group: Vec<usize> = (0..entries.len()).collect();
    let mut first_with: HashMap<String, usize> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        for address in entry.addresses() {
            let first = *first_with.entry(address).or_insert(index);
            let (a, b) = (root(&mut group, first), root(&mut group, index));
            group[a.max(b)] = a.min(b);
        }
    }
    let mut clusters: Vec<Vec<&KeyEntry>> = entries.iter().map(|_| Vec::new()).collect();
    for (index, entry) in entries.iter().enumerate() {
        clusters[root(&mut group, index)].push(entry);
    }
    clusters.retain(|cluster| !cluster.is_empty());
    clusters
}

/// Returns the first of the group that `at` belongs to.
fn root(group: &mut [usize], mut at: usize) -> usize {
    while group[at] != at {
        group[at] = group[group[at]];
        at = group[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::{address, at, entry, failing, pulled, rules};

    fn decided(entry: &KeyEntry, minute: i64) -> KeyPlan {
        decide(entry, &Selection::Due, &rules(), at(minute))
    }

    fn pull(reason: DueReason, full: bool, hosts: &[&str]) -> KeyPlan {
        KeyPlan::Pull { reason, full, addresses: hosts.iter().map(|host| address(host)).collect() }
    }

    fn cut_off(mut entry: KeyEntry) -> KeyEntry {
        entry.schedule.unfinished = true;
        entry
    }

    fn came_in(entry: KeyEntry) -> KeyEntry {
        KeyEntry { came_in: true, ..entry }
    }

    const STEP: std::time::Duration = std::time::Duration::from_secs(15 * 60);
    const ELAPSED: DueReason = DueReason::Elapsed { step: 0, wait: STEP };
    const WAITING: DueReason = DueReason::Waiting { step: 0, wait: STEP };
    const RETRY: DueReason = DueReason::Retry { failures: 1 };

    #[test]
    fn a_key_never_pulled_is_pulled_from_all_addresses() {
        assert_eq!(decided(&entry(1, &["a", "b"]), 0), pull(DueReason::NeverPulled, true, &["a", "b"]));
    }

    #[test]
    fn a_key_whose_pulls_all_failed_is_not_told_as_never_pulled() {
        let failed = failing(entry(1, &["a"]), "a", 1, 6);
        assert_eq!(decided(&failed, 6), pull(DueReason::NeverAnswered, true, &["a"]));
    }

    #[test]
    fn a_key_waits_until_its_step_is_over() {
        let key = pulled(1, &["a"]);
        assert_eq!(decided(&key, 5), KeyPlan::Wait(at(15), WAITING));
        assert_eq!(decided(&key, 15), pull(ELAPSED, true, &["a"]));
    }

    #[test]
    fn a_key_that_no_center_lists_is_offline_however_it_is_selected() {
        let key = entry(1, &[]);
        for selection in [Selection::Due, Selection::Forced, Selection::Named([key.id].into())] {
            assert_eq!(decide(&key, &selection, &rules(), at(0)), KeyPlan::Offline);
        }
    }

    #[test]
    fn force_and_a_name_overrule_the_step_and_every_retry() {
        let key = failing(pulled(1, &["a", "b"]), "b", 1, 6);
        let decided = |selection| decide(&key, &selection, &rules(), at(5));
        assert_eq!(decided(Selection::Forced), pull(DueReason::Forced, true, &["a", "b"]));
        assert_eq!(decided(Selection::Named([key.id].into())), pull(DueReason::Named, true, &["a", "b"]));
    }

    #[test]
    fn a_key_that_is_due_and_not_named_is_passed_over() {
        let selection = Selection::Named([KeyId(2)].into());
        assert_eq!(decide(&entry(1, &["a"]), &selection, &rules(), at(0)), KeyPlan::Passed);
    }

    #[test]
    fn a_retry_that_is_due_is_asked_alone_while_its_key_waits() {
        let key = failing(pulled(1, &["a", "b"]), "b", 1, 1);
        assert_eq!(decided(&key, 1), pull(RETRY, false, &["b"]));
    }

    #[test]
    fn a_key_waits_until_the_retry_of_a_failed_address_if_that_comes_before_the_end_of_its_step() {
        let key = failing(pulled(1, &["a", "b"]), "b", 1, 6);
        assert_eq!(decided(&key, 5), KeyPlan::Wait(at(6), DueReason::RetryInStep { step: 0, wait: STEP }));
        let later = failing(pulled(1, &["a", "b"]), "b", 3, 16);
        assert_eq!(decided(&later, 5), KeyPlan::Wait(at(15), WAITING));
        let alone = failing(pulled(1, &["a"]), "a", 1, 6);
        assert_eq!(decided(&alone, 5), KeyPlan::Wait(at(6), RETRY), "there are no others that wait");
    }

    #[test]
    fn a_list_shows_the_pull_that_is_planned_next() {
        let next = |key: &KeyEntry| next_pull(key, rules().waits(), at(5));
        assert_eq!(next(&pulled(1, &["a"])), Some((at(15), WAITING)));
        assert_eq!(next(&failing(pulled(1, &["a"]), "a", 1, 6)), Some((at(6), RETRY)));
        assert_eq!(next(&failing(pulled(1, &["a"]), "a", 1, 5)), Some((at(5), RETRY)));
        assert_eq!(next(&cut_off(failing(pulled(1, &["a"]), "a", 1, 6))), Some((at(5), DueReason::CutOff)));
        assert_eq!(next(&cut_off(entry(1, &[]))), None);
    }

    #[test]
    fn a_retry_that_is_not_due_leaves_its_address_out_when_the_key_is_due() {
        let key = failing(pulled(1, &["a", "b"]), "b", 1, 16);
        assert_eq!(decided(&key, 15), pull(ELAPSED, true, &["a"]));
    }

    #[test]
    fn a_retry_and_a_step_that_are_due_together_ask_every_address() {
        let key = failing(pulled(1, &["a", "b"]), "b", 1, 15);
        assert_eq!(decided(&key, 15), pull(ELAPSED, true, &["a", "b"]));
    }

    #[test]
    fn a_due_key_whose_addresses_all_wait_for_retries_waits_for_the_first_of_them() {
        let key = failing(failing(pulled(1, &["a", "b"]), "a", 1, 16), "b", 2, 18);
        // A timer may be six seconds early for a wait of one minute, so neither is due at 12:15.
        assert_eq!(decided(&key, 15), KeyPlan::Wait(at(16), RETRY));
    }

    #[test]
    fn a_key_of_a_run_that_was_cut_off_is_pulled_before_its_step_is_over() {
        assert_eq!(decided(&cut_off(pulled(1, &["a"])), 5), pull(DueReason::CutOff, true, &["a"]));
    }

    #[test]
    fn a_key_of_a_run_that_was_cut_off_is_decided_without_asking_addresses_that_wait() {
        let key = cut_off(failing(pulled(1, &["a"]), "a", 1, 6));
        assert_eq!(decided(&key, 5), pull(DueReason::CutOff, true, &[]));
    }

    #[test]
    fn a_key_of_a_run_that_was_cut_off_gets_its_row_though_nobody_lists_it() {
        assert_eq!(decided(&cut_off(entry(1, &[])), 5), pull(DueReason::CutOff, true, &[]));
    }

    #[test]
    fn a_snapshot_has_a_waiting_key_pulled_from_the_addresses_that_did_not_fail() {
        let key = came_in(failing(pulled(1, &["a", "b"]), "b", 1, 6));
        assert_eq!(decided(&key, 5), pull(DueReason::CameIn, true, &["a"]));
    }

    #[test]
    fn a_snapshot_of_a_key_that_is_offline_or_passed_over_asks_nothing() {
        assert_eq!(decided(&came_in(entry(1, &[])), 5), pull(DueReason::CameIn, false, &[]));
        let named = Selection::Named([KeyId(2)].into());
        let decided = decide(&came_in(pulled(1, &["a"])), &named, &rules(), at(5));
        assert_eq!(decided, pull(DueReason::CameIn, false, &[]));
    }

    #[test]
    fn a_snapshot_leaves_the_reason_of_a_key_that_is_due_anyway() {
        assert_eq!(decided(&came_in(pulled(1, &["a"])), 15), pull(ELAPSED, true, &["a"]));
    }

    /// Keys and addresses of groups, in words such as `1+2: a(1) b(1+2)`.
    fn shown(groups: &[AddressGroup<'_>]) -> Vec<String> {
        let joined = |numbers: Vec<String>| numbers.join("+");
        let show = |group: &AddressGroup<'_>| {
            let number = |key: &GroupKey<'_>| key.entry.id.0.to_string();
            let keys = joined(group.keys.iter().map(number).collect());
            let addresses = group.addresses.iter().map(|GroupAddress { address, keys }| {
                let host = address.trim_start_matches("http://").trim_end_matches(":1");
                format!(" {host}({})", joined(keys.iter().map(|key| number(&group.keys[*key])).collect()))
            });
            format!("{keys}:{}", addresses.collect::<String>())
        };
        groups.iter().map(show).collect()
    }

    #[test]
    fn keys_that_share_an_address_through_others_are_one_group() {
        let entries = [entry(1, &["a", "b"]), entry(2, &["c"]), entry(3, &["d", "e"]), entry(4, &["b", "d"])];
        let plan = PullPlan::make(&entries, &Selection::Due, &rules(), at(0));
        assert_eq!(shown(&plan.pulls), ["1+3+4: a(1) e(3) b(1+4) d(3+4)", "2: c(2)"]);
    }

    #[test]
    fn an_address_of_one_key_is_asked_before_one_that_several_list() {
        let entries = [entry(1, &["a", "b"]), entry(2, &["a"])];
        let plan = PullPlan::make(&entries, &Selection::Due, &rules(), at(0));
        assert_eq!(shown(&plan.pulls), ["1+2: b(1) a(1+2)"]);
        let [group] = &plan.pulls[..] else { panic!("one group") };
        assert_eq!((group.first_addresses(), group.shared_addresses()), (0..1, 1..2));
        let shared_alone = AddressGroup::new(group.keys.to_vec(), group.addresses[1..].to_vec());
        assert_eq!(shared_alone.first_addresses(), 0..1);
    }

    #[test]
    fn a_key_that_waits_is_pulled_with_one_that_is_due_for_that_one_s_addresses() {
        let entries = [pulled(1, &["a", "b"]), entry(2, &["b", "c"])];
        let plan = PullPlan::make(&entries, &Selection::Due, &rules(), at(5));
        assert_eq!(shown(&plan.pulls), ["1+2: c(2) b(1+2)"]);
        let keys = plan.pulls[0].keys.iter().map(|key| (key.reason, key.full));
        assert_eq!(
            keys.collect::<Vec<_>>(),
            [(DueReason::NeverPulled, false), (DueReason::NeverPulled, true)]
        );
        assert!(plan.waiting.is_empty() && plan.peeks.is_empty());
    }

    #[test]
    fn a_group_of_which_none_is_due_is_peeked_at_where_its_addresses_did_not_fail() {
        let entries = [failing(pulled(1, &["a", "b"]), "b", 1, 6), entry(2, &[])];
        let plan = PullPlan::make(&entries, &Selection::Due, &rules(), at(5));
        assert_eq!((shown(&plan.pulls), shown(&plan.peeks)), (vec![], vec!["1: a(1)".to_owned()]));
        let waiting = plan.waiting.iter().map(|waiting| (waiting.entry.id.0, waiting.until));
        let retry = DueReason::RetryInStep { step: 0, wait: STEP };
        assert_eq!(waiting.collect::<Vec<_>>(), [(1, Some((at(6), retry))), (2, None)]);
    }

    #[test]
    fn the_most_overdue_group_stands_first_and_one_never_pulled_before_all() {
        let mut late = pulled(1, &["a"]);
        late.schedule.schedule.next_due = Some(at(14));
        let entries = [pulled(3, &["c"]), late, entry(2, &["b"])];
        let plan = PullPlan::make(&entries, &Selection::Due, &rules(), at(20));
        assert_eq!(shown(&plan.pulls), ["2: b(2)", "1: a(1)", "3: c(3)"]);
    }

    #[test]
    fn an_address_given_by_hand_is_asked_alone_beside_the_rows_of_what_came_in() {
        let entries = [entry(1, &["a", "b"]), entry(2, &["b"]), came_in(entry(3, &["c"])), entry(4, &["d"])];
        let plan = PullPlan::for_address(&entries[0], &address("x"), &entries);
        assert_eq!(shown(&plan.pulls), ["1+2: x(1)", "3:"]);
        let keys = plan.pulls[0].keys.iter().map(|key| key.reason);
        assert_eq!(keys.collect::<Vec<_>>(), [DueReason::Named, DueReason::CameIn]);
    }

    #[test]
    fn listed_addresses_are_asked_for_every_key_that_lists_them_and_no_others_are() {
        let entries = [entry(1, &["a", "b"]), entry(2, &["b"]), entry(3, &["c"])];
        let plan = PullPlan::for_listed(&entries, &[address("b"), address("x")].into());
        assert_eq!(shown(&plan.pulls), ["1+2: b(1+2)"]);
    }
}
