//! Addresses to probe, and the results of their probes.
//!
//! Pure: the engine of `prune` sends the requests.

use std::collections::{BTreeMap, HashSet};

use super::build_group;
use super::key_entry::{KeyEntry, Listing};
use super::liveness::{Finding, ProbeFinding};
use super::records::Key;
use super::services::Fleet;
use super::tombstone::Tombstone;
use crate::address::normal_form;
use crate::names::Naming;
use crate::profile::{Build, BuildRelation, Fingerprint};

/// An address to probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProbeTarget {
    /// Address in its normal form.
    pub address: String,
    /// The keys of all names under which the address is or was listed.
    pub keys: Vec<Key>,
    /// The build is needed to decide which process answers, or which names are right.
    pub wants_build: bool,
}

impl ProbeTarget {
    /// Returns the target that shows whether the process of a tombstone is back.
    pub(crate) fn for_tombstone(tombstone: &Tombstone, naming: &Naming) -> Self {
        let key = Key::from_name(&tombstone.service, naming);
        Self { address: normal_form(&tombstone.address), keys: vec![key], wants_build: true }
    }
}

/// Returns the addresses that centers list now, each once, sorted by address.
pub(crate) fn listed_targets(fleet: &Fleet) -> Vec<ProbeTarget> {
    let mut targets: BTreeMap<&str, ProbeTarget> = BTreeMap::new();
    for (listing, _, entry) in current_listings(fleet) {
        let address = &*listing.address;
        let target = targets.entry(address).or_insert_with(|| ProbeTarget {
            address: address.to_owned(),
            keys: Vec::new(),
            wants_build: false,
        });
        if !target.keys.contains(&entry.key) {
            target.keys.push(entry.key.clone());
        }
        // The served build shows which of several names are stale.
        target.wants_build = target.keys.len() > 1;
    }
    targets.into_values().collect()
}

/// Adds the keys of tombstones to the targets of listed addresses; returns further targets for tombstones of addresses
/// that are not listed.
pub(crate) fn add_tombstones(
    targets: &mut [ProbeTarget],
    tombstones: &[Tombstone],
    naming: &Naming,
) -> Vec<ProbeTarget> {
    for tombstone in tombstones.iter().filter(|tombstone| tombstone.was_alive) {
        let address = normal_form(&tombstone.address);
        if let Some(target) = targets.iter_mut().find(|target| target.address == address) {
            target.keys.push(Key::from_name(&tombstone.service, naming));
            target.wants_build = true;
        }
    }
    let listed: HashSet<&str> = targets.iter().map(|target| target.address.as_str()).collect();
    let mut unlisted: BTreeMap<String, ProbeTarget> = BTreeMap::new();
    for tombstone in tombstones {
        let target = ProbeTarget::for_tombstone(tombstone, naming);
        if listed.contains(target.address.as_str()) {
            continue;
        }
        match unlisted.get_mut(&target.address) {
            Some(known) => known.keys.extend(target.keys),
            None => drop(unlisted.insert(target.address.clone(), target)),
        }
    }
    unlisted.into_values().collect()
}

/// Returns each current listing of a center that answered, with its service name and its key.
pub(crate) fn current_listings(fleet: &Fleet) -> impl Iterator<Item = (&Listing, &str, &KeyEntry)> {
    let members = fleet.entries.iter().flat_map(|entry| entry.members.iter().map(move |name| (name, entry)));
    members.flat_map(|(name, entry)| {
        let listings = name.listings.iter().filter(|listing| !listing.assumed);
        listings.map(move |listing| (listing, name.name.as_str(), entry))
    })
}

/// The result of probing an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProbeResult {
    pub probe: ProbeFinding,
    /// The served build; `None` when it was not needed or could not be read.
    pub build: Option<Fingerprint>,
    /// The match of that build with each key of the target.
    pub matches: Vec<(Key, BuildMatch)>,
}

impl ProbeResult {
    /// Returns the match of the served build with a key; `None` when the build was not read.
    pub(crate) fn build_match(&self, key: &Key) -> Option<BuildMatch> {
        self.matches.iter().find(|(known, _)| known == key).map(|(_, found)| *found)
    }

    /// Tells whether an agent answers.
    pub(crate) fn is_alive(&self) -> bool {
        self.probe.finding == Finding::Alive
    }
}

/// The match of the build that an address serves with the builds that a key shows.
///
/// A build of another key is no evidence against the address, because an agent answers there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum BuildMatch {
    /// The key shows this build, or a build of the same module that agrees with it.
    Own,
    /// The key shows another build of the same program, or another program.
    Other,
    /// The key shows no build, or the answer holds none.
    Unknown,
}

impl BuildMatch {
    /// Compares `build` with the builds that a key shows.
    #[must_use]
    pub(crate) fn new(build: &Build, shown: &[&Build]) -> Self {
        if build.file_count() == 0 || shown.iter().all(|shown| shown.file_count() == 0) {
            return Self::Unknown;
        }
        let conflicts = |shown: &&Build| matches!(shown.relation(build), BuildRelation::Conflicts { .. });
        let fits = |shown: &&Build| build_group::fits(shown, build, false);
        match !shown.iter().any(conflicts) && shown.iter().any(fits) {
            true => Self::Own,
            false => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::{address, entry, removed};
    use crate::profile::{Limits, parse};

    #[test]
    fn a_build_is_a_keys_own_where_it_agrees_with_what_the_key_shows() {
        let build =
            |text: &str| parse(format!("mode: count\n{text}").as_bytes(), Limits::default()).unwrap().build;
        let server = build("x.io/o/m/lib/a.go:1.1,2.2 1 0\nx.io/o/m/server/s.go:1.1,2.2 1 0\n");
        let worker = build("x.io/o/m/worker/w.go:1.1,2.2 1 0\n");
        let dirty = build("x.io/o/m/lib/a.go:1.1,3.2 1 0\n");
        let other = build("x.io/o/other/main.go:1.1,2.2 1 0\n");
        for (answered, build_match) in [
            (&server, BuildMatch::Own),
            (&worker, BuildMatch::Own),
            (&dirty, BuildMatch::Other),
            (&other, BuildMatch::Other),
            (&build(""), BuildMatch::Unknown),
        ] {
            assert_eq!(BuildMatch::new(answered, &[&server]), build_match);
        }
        assert_eq!(BuildMatch::new(&other, &[]), BuildMatch::Unknown);
        assert_eq!(BuildMatch::new(&other, &[&server, &other]), BuildMatch::Own);
    }

    fn fleet(entries: Vec<KeyEntry>) -> Fleet {
        Fleet { entries, ..Fleet::default() }
    }

    fn key(name: &str) -> Key {
        Key { app: name.to_owned(), ..Key::default() }
    }

    fn target(host: &str, names: &[&str], wants_build: bool) -> ProbeTarget {
        ProbeTarget {
            address: address(host),
            keys: names.iter().map(|name| key(name)).collect(),
            wants_build,
        }
    }

    fn removed_alive(host: &str, service: &str, was_alive: bool) -> Tombstone {
        Tombstone { was_alive, ..removed(host, service) }
    }

    #[test]
    fn an_address_is_probed_once_and_for_its_build_where_two_keys_list_it() {
        let listed = fleet(vec![entry(1, &["b", "a"]), entry(2, &["b"])]);
        let expected = [target("a", &["name1"], false), target("b", &["name1", "name2"], true)];
        assert_eq!(listed_targets(&listed), expected);
    }

    #[test]
    fn two_names_of_one_key_need_no_build() {
        let mut entry = entry(1, &["a"]);
        entry.members.push(entry.members[0].clone());
        assert_eq!(listed_targets(&fleet(vec![entry])), [target("a", &["name1"], false)]);
    }

    #[test]
    fn an_address_that_only_a_silent_center_listed_is_not_probed() {
        let mut entry = entry(1, &["a", "b"]);
        entry.members[0].listings[0].assumed = true;
        assert_eq!(listed_targets(&fleet(vec![entry])), [target("b", &["name1"], false)]);
    }

    #[test]
    fn a_removed_address_is_probed_once_for_all_of_its_names() {
        let mut targets = vec![target("a", &["name1"], false)];
        let tombstones = [removed("c", "two"), removed_alive("b", "one", true), removed("c", "one")];
        let unlisted = add_tombstones(&mut targets, &tombstones, &Naming::default());
        assert_eq!(unlisted, [target("b", &["one"], true), target("c", &["two", "one"], true)]);
        assert_eq!(targets, [target("a", &["name1"], false)]);
    }

    #[test]
    fn a_listed_address_shows_its_build_only_where_it_was_removed_alive() {
        for (was_alive, expected) in
            [(true, target("a", &["name1", "old"], true)), (false, target("a", &["name1"], false))]
        {
            let mut targets = vec![target("a", &["name1"], false)];
            let unlisted =
                add_tombstones(&mut targets, &[removed_alive("a", "old", was_alive)], &Naming::default());
            assert_eq!((unlisted, targets), (Vec::new(), vec![expected]), "{was_alive}");
        }
    }

    #[test]
    fn a_result_knows_only_the_keys_that_it_was_compared_with() {
        let matches = vec![(key("one"), BuildMatch::Own), (key("two"), BuildMatch::Other)];
        let result = ProbeResult { probe: ProbeFinding::alive(), build: None, matches };
        let found = ["one", "two", "three"].map(|name| result.build_match(&key(name)));
        assert_eq!(found, [Some(BuildMatch::Own), Some(BuildMatch::Other), None]);
    }
}
