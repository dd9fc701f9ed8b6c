//! What a run is going to do, decided before anything is asked.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::collect::shared::Rules;
use crate::collect::unit::{Part, Target, Unit};
use crate::fleet::ids::KeyId;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::schedule::{self, Due, Reason};

/// Which services a run is about.
pub(crate) enum Selection {
    /// Every one that is due.
    Due,
    /// Every one, due or not.
    Forced,
    /// Those a person named, due or not.
    Named(BTreeSet<KeyId>),
}

/// What a run does.
pub(crate) struct Plan<'a> {
    /// To be pulled, the most overdue first.
    pub(crate) pulls: Vec<Unit<'a>>,
    /// To be peeked at, and pulled if they moved.
    pub(crate) peeks: Vec<Unit<'a>>,
    /// Not to be pulled.
    pub(crate) waiting: Vec<Waiting<'a>>,
}

/// A key that is not pulled.
pub(crate) struct Waiting<'a> {
    pub(crate) entry: &'a KeyEntry,
    /// `None`: no center lists it.
    pub(crate) until: Option<(DateTime<Utc>, Reason)>,
}

enum Decision {
    /// Pulled, from these addresses.
    Pull { reason: Reason, full: bool, addresses: Vec<String> },
    /// Not pulled before then.
    Wait(DateTime<Utc>, Reason),
    /// Not listed.
    Offline,
    /// Not what the run is about.
    Passed,
}

impl<'a> Plan<'a> {
    /// Decides for every key.
    pub(crate) fn make(
        entries: &'a [KeyEntry],
        selection: &Selection,
        rules: &Rules,
        now: DateTime<Utc>,
    ) -> Self {
        let mut plan = Self { pulls: Vec::new(), peeks: Vec::new(), waiting: Vec::new() };
        for cluster in clusters(entries) {
            plan.add(&cluster, selection, rules, now);
        }
        let overdue = |unit: &Unit<'a>| {
            unit.parts()
                .iter()
                .map(|part| {
                    let name = part.entry.newest_name().name.as_str();
                    schedule::most_overdue_first(&part.entry.schedule.schedule, name)
                })
                .min()
        };
        plan.pulls.sort_by(|a, b| overdue(a).cmp(&overdue(b)));
        plan
    }

    /// Plans one unit that asks `address` alone, and the rows of what came in for others.
    ///
    /// Keys that share a listed address with `entry` are parts of its unit: the builds that they show decide
    /// which addresses vote.
    pub(crate) fn of_address(entry: &'a KeyEntry, address: &str, entries: &'a [KeyEntry]) -> Self {
        let is_entry = |other: &&KeyEntry| other.id == entry.id;
        let (own, others): (Vec<_>, Vec<_>) =
            clusters(entries).into_iter().partition(|cluster| cluster.iter().any(is_entry));
        let neighbours = own.into_iter().flatten().filter(|other| !is_entry(other));
        let parts = [Part::new(entry, Reason::Named, false)].into_iter();
        let parts = parts.chain(neighbours.map(|other| Part::new(other, Reason::CameIn, false))).collect();
        let targets = vec![Target { address: address.to_owned(), parts: vec![0] }];
        let others = others.into_iter().flatten().filter(|other| other.came_in);
        let others = others.map(|other| Unit::new(vec![Part::new(other, Reason::CameIn, false)], Vec::new()));
        let pulls = [Unit::new(parts, targets)].into_iter().chain(others).collect();
        Self { pulls, peeks: Vec::new(), waiting: Vec::new() }
    }

    /// Plans units that ask these listed addresses and no others.
    pub(crate) fn of_listed(entries: &'a [KeyEntry], addresses: &BTreeSet<String>) -> Self {
        let mut pulls = Vec::new();
        for cluster in clusters(entries) {
            let listed = cluster.iter().flat_map(|entry| entry.addresses());
            let asked: BTreeSet<String> = listed.filter(|address| addresses.contains(address)).collect();
            if !asked.is_empty() {
                let parts = cluster.iter().map(|entry| Part::new(entry, Reason::LastChance, false)).collect();
                pulls.push(Unit::new(parts, targets(&cluster, asked)));
            }
        }
        Self { pulls, peeks: Vec::new(), waiting: Vec::new() }
    }

    fn add(&mut self, cluster: &[&'a KeyEntry], selection: &Selection, rules: &Rules, now: DateTime<Utc>) {
        let decisions: Vec<Decision> =
            cluster.iter().map(|entry| decide(entry, selection, rules, now)).collect();
        let first_reason = decisions.iter().find_map(|decision| match decision {
            Decision::Pull { reason, .. } => Some(*reason),
            _ => None,
        });
        let Some(first_reason) = first_reason else {
            let waits = decisions.iter().any(|decision| matches!(decision, Decision::Wait(..)));
            if waits {
                let parts = cluster.iter().map(|entry| Part::new(entry, Reason::Peeked, true)).collect();
                let healthy = |entry: &KeyEntry, address: &String| entry.state(address).retry.failures == 0;
                let asked = cluster.iter().flat_map(|entry| {
                    entry.addresses().into_iter().filter(|address| healthy(entry, address))
                });
                let targets = targets(cluster, asked.collect());
                self.peeks.push(Unit::new(parts, targets));
            }
            for (entry, decision) in cluster.iter().copied().zip(decisions) {
                match decision {
                    Decision::Wait(until, reason) => {
                        self.waiting.push(Waiting { entry, until: Some((until, reason)) });
                    }
                    Decision::Offline => self.waiting.push(Waiting { entry, until: None }),
                    Decision::Pull { .. } | Decision::Passed => {}
                }
            }
            return;
        };
        let mut parts = Vec::with_capacity(cluster.len());
        let mut asked = BTreeSet::new();
        for (entry, decision) in cluster.iter().copied().zip(decisions) {
            match decision {
                Decision::Pull { reason, full, addresses } => {
                    parts.push(Part::new(entry, reason, full));
                    asked.extend(addresses);
                }
                // Its addresses that are asked for another's sake are judged for it too.
                Decision::Wait(..) | Decision::Offline | Decision::Passed => {
                    parts.push(Part::new(entry, first_reason, false));
                }
            }
        }
        self.pulls.push(Unit::new(parts, targets(cluster, asked)));
    }
}

/// Decides as [`whether_due`] does, but that what came in by itself shows that coverage moved, as a peek would, and
/// wants its row though nothing is asked for it.
fn decide(entry: &KeyEntry, selection: &Selection, rules: &Rules, now: DateTime<Utc>) -> Decision {
    let reason = Reason::CameIn;
    match whether_due(entry, selection, rules, now) {
        Decision::Wait(..) if entry.came_in => {
            let answers = |address: &String| entry.state(address).retry.failures == 0;
            let addresses = entry.addresses().into_iter().filter(answers).collect();
            Decision::Pull { reason, full: true, addresses }
        }
        Decision::Offline | Decision::Passed if entry.came_in => {
            Decision::Pull { reason, full: false, addresses: Vec::new() }
        }
        decision => decision,
    }
}

fn whether_due(entry: &KeyEntry, selection: &Selection, rules: &Rules, now: DateTime<Utc>) -> Decision {
    let addresses = entry.addresses();
    let overruled = match selection {
        Selection::Due => None,
        Selection::Forced => Some(Reason::Forced),
        Selection::Named(keys) if keys.contains(&entry.id) => Some(Reason::Named),
        Selection::Named(_) => return Decision::Passed,
    };
    if let Some(reason) = overruled.filter(|_| !addresses.is_empty()) {
        return Decision::Pull { reason, full: true, addresses };
    }
    let cut_off = entry.schedule.unfinished;
    if addresses.is_empty() {
        // What was stored before still wants its row.
        let (reason, full) = (Reason::CutOff, true);
        return if cut_off { Decision::Pull { reason, full, addresses } } else { Decision::Offline };
    }
    let due = match schedule::due(&entry.schedule.schedule, &addresses, now, &rules.steps) {
        _ if cut_off => Due::Now(Reason::CutOff),
        due => due,
    };
    let mut ready = Vec::new();
    let mut retried = None;
    let mut earliest: Option<(DateTime<Utc>, Reason)> = None;
    for address in addresses {
        match entry.state(&address).retry.due(now, &rules.retry) {
            None => {
                if matches!(due, Due::Now(_)) {
                    ready.push(address);
                }
            }
            Some(Due::Now(reason)) => {
                retried = Some(reason);
                ready.push(address);
            }
            Some(Due::Later(at, reason)) => {
                if earliest.is_none_or(|(earliest, _)| at < earliest) {
                    earliest = Some((at, reason));
                }
            }
        }
    }
    match (due, retried, earliest) {
        (Due::Now(reason), ..) if !ready.is_empty() || cut_off => {
            Decision::Pull { reason, full: true, addresses: ready }
        }
        (Due::Later(..), Some(reason), _) => Decision::Pull { reason, full: false, addresses: ready },
        // The second: it is due, and every address waits for its retry.
        (Due::Later(until, reason), None, _) | (Due::Now(_), _, Some((until, reason))) => {
            Decision::Wait(until, reason)
        }
        (Due::Now(reason), ..) => Decision::Pull { reason, full: true, addresses: ready },
    }
}

fn targets(cluster: &[&KeyEntry], asked: BTreeSet<String>) -> Vec<Target> {
    let mut listing: HashMap<String, Vec<usize>> = HashMap::new();
    for (part, entry) in cluster.iter().enumerate() {
        for address in entry.addresses() {
            listing.entry(address).or_default().push(part);
        }
    }
    let mut targets = Vec::with_capacity(asked.len());
    targets.extend(asked.into_iter().filter_map(|address| {
        let mut parts = listing.remove(&address)?;
        parts.shrink_to_fit();
        Some(Target { address, parts })
    }));
    targets
}

/// Groups keys that share an address, directly or by others between them.
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
