//! The facts on which a `prune` decides: the centers' lists, combined with probes and with the stored records.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::center_address::{AddressName, CenterAddress};
use super::change::Change;
use super::liveness::Suspicion;
use super::probe::{ProbeResult, current_listings};
use super::records::{AddressState, Key};
use super::removal::RemovalPlan;
use super::services::Fleet;
use super::tombstone::{Tombstone, TombstoneStatus};
use crate::address::normal_form;
use crate::names::Naming;

/// Input of a [`RemovalPlan`].
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    /// Every address that a center lists, once for each center.
    pub listed: Vec<CenterAddress>,
    /// Addresses that were removed before.
    pub tombstones: Vec<TombstoneStatus>,
    /// URLs of the centers that answered.
    pub answered: BTreeSet<String>,
    /// When the run began.
    pub now: DateTime<Utc>,
}

/// The probes of a run and the stored failures of addresses.
pub(crate) struct Observations<'a> {
    pub fleet: &'a Fleet,
    /// The entries by normal form of the address.
    pub results: &'a HashMap<String, ProbeResult>,
    /// The entries by normal form of the address.
    pub suspicions: &'a HashMap<String, Suspicion>,
    pub naming: &'a Naming,
    /// When the run began.
    pub now: DateTime<Utc>,
}

impl Observations<'_> {
    /// Returns the known facts of each address that a center lists, and of each removed address.
    pub(crate) fn situation(&self, tombstones: Vec<Tombstone>, answered: BTreeSet<String>) -> Situation {
        let mut listed: BTreeMap<(&str, &str), CenterAddress> = BTreeMap::new();
        for (listing, name, entry) in current_listings(self.fleet) {
            // A source of targets is no center: nothing is removed there.
            let Some(center) = listing.lister.center() else { continue };
            let address = &*listing.address;
            let result = self.results.get(address);
            // Each spelling has its own entry, because a center removes exactly the bytes that a request names.
            let listed = listed.entry((center, &listing.listed_as)).or_insert_with(|| CenterAddress {
                center: center.to_owned(),
                address: (*listing.listed_as).to_owned(),
                identity: address.to_owned(),
                names: Vec::new(),
                probe: result.map(|result| result.probe.clone()),
                before: self.suspicions.get(address).cloned(),
                last_answer_at: None,
            });
            let build_match = result.and_then(|result| result.build_match(&entry.key));
            let AddressState { last_answer_at, other_build, .. } = entry.state(address);
            listed.names.push(AddressName { service: name.to_owned(), build_match, other_build });
            listed.last_answer_at = listed.last_answer_at.max(last_answer_at);
        }
        let status = |tombstone: Tombstone| {
            let result = self.results.get(&normal_form(&tombstone.address));
            let is_back = result.is_some_and(|result| tombstone.is_back(result, self.naming));
            TombstoneStatus { tombstone, is_back }
        };
        Situation {
            listed: listed.into_values().collect(),
            tombstones: tombstones.into_iter().map(status).collect(),
            answered,
            now: self.now,
        }
    }

    /// Returns the changes to store before a plan is carried out.
    pub(crate) fn changes(&self, plan: &RemovalPlan) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut listed = HashSet::new();
        for decision in &plan.decisions {
            let address = decision.listed.identity.clone();
            if !listed.insert(address.clone()) {
                continue;
            }
            match &decision.suspicion {
                Some(suspicion) if Some(suspicion) == self.suspicions.get(&address) => {}
                Some(suspicion) => changes.push(Change::Suspected { address, suspicion: suspicion.clone() }),
                None if self.suspicions.contains_key(&address) => changes.push(Change::Unsuspected(address)),
                None => {}
            }
        }
        // A silent center may still list the addresses that it listed before, so their failures stay.
        let members = self.fleet.entries.iter().flat_map(|entry| &entry.members);
        let assumed = members.flat_map(|member| &member.listings);
        listed.extend(assumed.map(|listing| (*listing.address).to_owned()));
        let unlisted = self.suspicions.keys().filter(|address| !listed.contains(*address));
        changes.extend(unlisted.cloned().map(Change::Unsuspected));
        for tombstone in &plan.forgotten {
            changes.extend(self.closing(tombstone));
            changes.push(Change::TombstoneRemoved(tombstone.clone()));
        }
        changes
    }

    /// Returns the change that closes the lives of an address under a name; `None` if the name's key still lists the
    /// address, under any name and in any spelling.
    fn closing(&self, tombstone: &Tombstone) -> Option<Change> {
        let key = Key::from_name(&tombstone.service, self.naming);
        let address = normal_form(&tombstone.address);
        let entry = self.fleet.entries.iter().find(|entry| entry.key == key);
        entry.is_none_or(|entry| !entry.addresses().contains(&address)).then(|| Change::Closed {
            service: tombstone.service.clone(),
            address,
            at: self.now,
        })
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::time::Duration;

    use crate::fleet::liveness::{Confirmation, LivenessRules};
    use crate::fleet::removal::RemovalOptions;

    /// Time of the runs in the tests, in hours.
    pub(crate) const NOW: i64 = 100;
    pub(crate) const OPTIONS: RemovalOptions = RemovalOptions {
        rules: LivenessRules {
            plain: Confirmation { runs: 2, over: Duration::from_secs(300) },
            any: Confirmation { runs: 3, over: Duration::from_secs(1800) },
        },
        force: false,
        fix_names: false,
        restore: true,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::{address, at, entry, removed, with_state};
    use crate::fleet::key_entry::{KeyEntry, Listing};
    use crate::fleet::liveness::{Finding, ProbeFinding, Streak};
    use crate::fleet::probe::BuildMatch;
    use crate::fleet::records::Key;
    use crate::fleet::removal::{AddressAction, AddressDecision};

    /// A run at minute 60 without stored failures and without probes.
    struct Run {
        fleet: Fleet,
        results: HashMap<String, ProbeResult>,
        suspicions: HashMap<String, Suspicion>,
    }

    impl Run {
        fn new(entries: Vec<KeyEntry>) -> Self {
            let fleet = Fleet { entries, ..Fleet::default() };
            Self { fleet, results: HashMap::new(), suspicions: HashMap::new() }
        }

        fn probed(mut self, host: &str, finding: Finding, matches: Vec<(Key, BuildMatch)>) -> Self {
            let probe = ProbeFinding { finding, detail: String::new() };
            self.results.insert(address(host), ProbeResult { probe, build: None, matches });
            self
        }

        fn suspecting(mut self, host: &str, minute: i64) -> Self {
            self.suspicions.insert(address(host), suspicion(minute));
            self
        }

        fn seen<T>(&self, look: impl FnOnce(&Observations<'_>) -> T) -> T {
            let Self { fleet, results, suspicions } = self;
            look(&Observations { fleet, results, suspicions, naming: &Naming::default(), now: at(60) })
        }

        fn listed(&self) -> Vec<CenterAddress> {
            self.seen(|seen| seen.situation(Vec::new(), BTreeSet::new()).listed)
        }

        /// The changes of a plan that stores these failures and forgets these tombstones.
        fn changes(
            &self,
            remembered: &[(&str, Option<Suspicion>)],
            forgotten: Vec<Tombstone>,
        ) -> Vec<String> {
            let decision = |(host, suspicion): &(&str, Option<Suspicion>)| {
                let listed = self.listed().into_iter().find(|listed| listed.identity == address(host));
                let (suspicion, action) = (suspicion.clone(), AddressAction::Keep);
                AddressDecision { listed: listed.expect("a listed address"), suspicion, action }
            };
            let decisions = remembered.iter().map(decision).collect();
            let plan = RemovalPlan { decisions, forgotten, ..RemovalPlan::default() };
            let word = |change: Change| match change {
                Change::Suspected { address, .. } => format!("suspected {address}"),
                Change::Unsuspected(address) => format!("unsuspected {address}"),
                Change::Closed { service, address, .. } => format!("closed {service} {address}"),
                Change::TombstoneRemoved(tombstone) => format!("forgotten {}", tombstone.address),
                _ => "another change".to_owned(),
            };
            self.seen(|seen| seen.changes(&plan)).into_iter().map(word).collect()
        }
    }

    /// A first failure at this minute.
    fn suspicion(minute: i64) -> Suspicion {
        Suspicion {
            any: Streak { since: at(minute), runs: 1 },
            plain: None,
            witnessed_since: None,
            last_failed_at: at(minute),
            probe: ProbeFinding { finding: Finding::Silent, detail: String::new() },
            is_dead: false,
        }
    }

    #[test]
    fn each_spelling_of_an_address_is_listed_by_itself_with_the_probe_of_the_address() {
        let mut entry = entry(1, &["a"]);
        let center = entry.members[0].listings[0].lister.clone();
        entry.members[0].listings.push(Listing::new("HTTP://A:1".into(), &center, at(0)));
        let listed = Run::new(vec![entry]).probed("a", Finding::Refused, Vec::new()).listed();
        let shown: Vec<_> = listed
            .iter()
            .map(|it| {
                (it.address.as_str(), it.identity.as_str(), it.probe.as_ref().map(|probe| probe.finding))
            })
            .collect();
        let refused = Some(Finding::Refused);
        assert_eq!(shown, [("HTTP://A:1", "http://a:1", refused), ("http://a:1", "http://a:1", refused)]);
    }

    #[test]
    fn each_name_of_an_address_has_the_match_of_its_own_key() {
        let key = |name: &str| Key { app: name.to_owned(), ..Key::default() };
        let matches = vec![(key("name1"), BuildMatch::Own), (key("name2"), BuildMatch::Other)];
        let run = Run::new(vec![entry(1, &["a"]), entry(2, &["a"]), entry(3, &["a"])]);
        let listed = run.probed("a", Finding::Alive, matches).listed();
        let names: Vec<_> =
            listed[0].names.iter().map(|name| (name.service.as_str(), name.build_match)).collect();
        let expected =
            [("name1", Some(BuildMatch::Own)), ("name2", Some(BuildMatch::Other)), ("name3", None)];
        assert_eq!((listed.len(), names), (1, expected.to_vec()));
    }

    #[test]
    fn the_last_answer_under_any_name_is_the_last_answer_of_the_address() {
        let answered = |minute| AddressState { last_answer_at: Some(at(minute)), ..AddressState::default() };
        let entries = vec![
            with_state(entry(1, &["a"]), "a", answered(20)),
            with_state(entry(2, &["a"]), "a", answered(10)),
            entry(3, &["a"]),
        ];
        assert_eq!(Run::new(entries).listed()[0].last_answer_at, Some(at(20)));
    }

    #[test]
    fn an_address_that_was_not_probed_keeps_what_is_remembered_of_it() {
        let listed = Run::new(vec![entry(1, &["a"])]).suspecting("a", 30).listed();
        assert_eq!((&listed[0].probe, &listed[0].before), (&None, &Some(suspicion(30))));
    }

    #[test]
    fn a_tombstone_is_back_only_where_its_own_address_answers() {
        let run = Run::new(Vec::new()).probed("a", Finding::Alive, Vec::new());
        let run = run.probed("b", Finding::Silent, Vec::new());
        let tombstones = ["a", "b", "c"].map(|host| removed(host, "app")).to_vec();
        let situation = run.seen(|seen| seen.situation(tombstones, BTreeSet::new()));
        let is_back: Vec<bool> = situation.tombstones.iter().map(|status| status.is_back).collect();
        assert_eq!(is_back, [true, false, false]);
    }

    #[test]
    fn only_failures_that_changed_are_stored() {
        let run = Run::new(vec![entry(1, &["a"])]).suspecting("a", 30);
        assert_eq!(run.changes(&[("a", Some(suspicion(30)))], Vec::new()), [""; 0]);
        assert_eq!(run.changes(&[("a", Some(suspicion(40)))], Vec::new()), ["suspected http://a:1"]);
        assert_eq!(run.changes(&[("a", None)], Vec::new()), ["unsuspected http://a:1"]);
        let run = Run::new(vec![entry(1, &["a"])]);
        assert_eq!(run.changes(&[("a", None)], Vec::new()), [""; 0]);
    }

    #[test]
    fn failures_of_an_address_that_nobody_lists_are_forgotten_unless_its_center_is_silent() {
        let mut silent = entry(1, &["a"]);
        silent.members[0].listings[0].assumed = true;
        let run = Run::new(vec![silent]).suspecting("a", 30).suspecting("b", 30);
        assert_eq!(run.changes(&[], Vec::new()), ["unsuspected http://b:1"]);
    }

    #[test]
    fn a_forgotten_tombstone_ends_the_process_unless_its_key_still_has_the_address() {
        let run = Run::new(vec![entry(1, &["a"])]);
        let changes = |host, service| run.changes(&[], vec![removed(host, service)]);
        assert_eq!(changes("a", "name1"), ["forgotten http://a:1"]);
        assert_eq!(changes("b", "name1"), ["closed name1 http://b:1", "forgotten http://b:1"]);
        assert_eq!(changes("a", "name2"), ["closed name2 http://a:1", "forgotten http://a:1"]);
    }
}
