//! The build groups of a key with the addresses that serve them, as its election needs them.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::collect::ledger::Ledger;
use crate::fleet::build_group::{BuildGroupStatus, Candidate};
use crate::fleet::generation::Generation;
use crate::fleet::ids::{BuildGroupId, StructureId};
use crate::fleet::key_entry::KeyEntry;
use crate::profile::{Build, Fingerprint};

/// A build group took the place of another.
#[derive(Clone, Debug)]
pub(crate) struct Adopted {
    pub(crate) from: Option<Fingerprint>,
    pub(crate) to: Option<Fingerprint>,
}

/// The builds that the other keys of a unit show, by the addresses listed under several keys.
#[derive(Default)]
pub(crate) struct OtherKeys {
    /// The parts that list an address.
    listing: HashMap<String, Vec<usize>>,
    /// By part. A part whose stored values cannot be read shows none.
    shown: HashMap<usize, HashSet<Fingerprint>>,
}

impl OtherKeys {
    /// Notes the builds that a part shows.
    pub(crate) fn note(&mut self, part: usize, entry: &KeyEntry, ledger: &Ledger) {
        for address in entry.addresses() {
            self.listing.entry(address).or_default().push(part);
        }
        let current = ledger.current().map(|current| &ledger.build_groups[current]);
        let builds = current.into_iter().flat_map(|build_group| &build_group.structures);
        self.shown.insert(part, builds.map(|(_, build)| *build).collect());
    }

    /// Tells whether the address stands under another key than that of `part`, and that key shows this build.
    fn shows(&self, part: usize, address: &str, build: Fingerprint) -> bool {
        let parts = self.listing.get(address).into_iter().flatten();
        let shows = |other: &usize| self.shown.get(other).is_some_and(|builds| builds.contains(&build));
        parts.filter(|other| **other != part).any(shows)
    }
}

/// Returns the build groups of a key with the addresses that serve and vote for each.
///
/// `asked` are the addresses that were asked in this pull, listed or not.
pub(crate) fn candidates(
    part: usize,
    entry: &KeyEntry,
    ledger: &Ledger,
    asked: &HashSet<&str>,
    others: &OtherKeys,
) -> Vec<Candidate<BuildGroupId>> {
    let order = entry.addresses();
    let places: HashMap<&str, usize> = order.iter().map(String::as_str).zip(0..).collect();
    let mut listed_at: HashMap<&str, DateTime<Utc>> = HashMap::new();
    for place in entry.members.iter().flat_map(|member| &member.listings) {
        let known = listed_at.entry(&place.address).or_insert(place.listed_at);
        *known = place.listed_at.max(*known);
    }
    let mut candidates: Vec<Candidate<BuildGroupId>> = ledger
        .build_groups
        .iter()
        .map(|build_group| Candidate {
            build_group: build_group.id,
            is_shown: build_group.status == BuildGroupStatus::Current,
            serving: 0,
            first: usize::MAX,
            votes: 0,
            listed_last: None,
        })
        .collect();
    let indices: HashMap<BuildGroupId, usize> =
        ledger.build_groups.iter().zip(0..).map(|(build_group, index)| (build_group.id, index)).collect();
    for (address, LastAnswer { build_group, build }) in last_answers(ledger) {
        let Some(&index) = indices.get(&build_group) else { continue };
        let candidate = &mut candidates[index];
        let place = places.get(address).copied();
        let is_serving = match ledger.answered.get(address) {
            Some(_) => true,
            None => !asked.contains(address) && place.is_some() && entry.state(address).retry.failures == 0,
        };
        if is_serving {
            candidate.serving += 1;
            candidate.first = candidate.first.min(place.unwrap_or(usize::MAX));
        }
        if let Some(place) = place.filter(|_| !others.shows(part, address, build)) {
            candidate.votes += 1;
            let listed = listed_at.get(address).map(|at| (*at, place));
            candidate.listed_last = candidate.listed_last.max(listed);
        }
    }
    candidates
}

#[derive(Clone, Copy)]
struct LastAnswer {
    build_group: BuildGroupId,
    build: Fingerprint,
}

/// Returns the last answer of each address of which it is known that it belongs to this key.
///
/// A profile without any file says nothing of the build, so the answer before it stands.
fn last_answers(ledger: &Ledger) -> HashMap<&str, LastAnswer> {
    let silent = Build::empty().fingerprint();
    let builds: HashMap<StructureId, Fingerprint> =
        ledger.build_groups.iter().flat_map(|build_group| build_group.structures.iter().copied()).collect();
    let answer_of = |known: &Generation| {
        let build = builds.get(&known.structure).copied()?;
        Some(LastAnswer { build_group: known.build_group, build })
    };
    let mut last: HashMap<&str, LastAnswer> = HashMap::new();
    for open in ledger.generations.iter().filter(|known| known.closed_at.is_none()) {
        let Some(address) = open.address.as_deref() else { continue };
        let said = |known: &&Generation| {
            known.address.as_deref() == Some(address) && answer_of(known).is_some_and(|it| it.build != silent)
        };
        let answer = match answer_of(open) {
            Some(answer) if answer.build == silent => {
                ledger.generations.iter().filter(said).max_by_key(|known| known.pulled_at).and_then(answer_of)
            }
            answer => answer,
        };
        last.extend(answer.map(|answer| (address, answer)));
    }
    for address in ledger.elsewhere.keys() {
        last.remove(address.as_str());
    }
    for (address, answer) in ledger.answered.iter().filter(|(_, answer)| answer.build != silent) {
        last.remove(address.as_str());
        if answer.is_decided {
            last.insert(address, LastAnswer { build_group: answer.build_group, build: answer.build });
        }
    }
    last
}
