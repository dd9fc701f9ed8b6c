//! The facts on which a `prune` decides: the centers' lists, laid over probes and over what is remembered.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::assembly::{Fleet, key_and_branch};
use super::center_address::{AddressName, CenterAddress};
use super::change::Change;
use super::liveness::Suspicion;
use super::probe::{ProbeResult, current_listings};
use super::records::AddressState;
use super::removal::RemovalPlan;
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

/// Everything that a run has seen and remembers of addresses.
pub(crate) struct Observations<'a> {
    pub fleet: &'a Fleet,
    /// By address in its normal form.
    pub results: &'a HashMap<String, ProbeResult>,
    /// By address in its normal form.
    pub suspicions: &'a HashMap<String, Suspicion>,
    pub naming: &'a Naming,
    /// When the run began.
    pub now: DateTime<Utc>,
}

impl Observations<'_> {
    /// Returns what is known of each address that a center lists, and of each that was removed.
    pub(crate) fn situation(&self, tombstones: Vec<Tombstone>, answered: BTreeSet<String>) -> Situation {
        let mut listed: BTreeMap<(&str, &str), CenterAddress> = BTreeMap::new();
        for (listing, name, entry) in current_listings(self.fleet) {
            let address = &*listing.address;
            let result = self.results.get(address);
            // Each spelling by itself, because a center removes what it is given to the byte.
            let listed =
                listed.entry((&listing.center, &listing.listed_as)).or_insert_with(|| CenterAddress {
                    center: (*listing.center).to_owned(),
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

    /// Returns the changes that the database needs before a plan is carried out.
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
        // A silent center may still list what it listed before.
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

    /// Closes what an address served under a name; `None` where the name's key still has the address, under another
    /// name, in another spelling, or again.
    fn closing(&self, tombstone: &Tombstone) -> Option<Change> {
        let (key, _) = key_and_branch(self.naming, &tombstone.service);
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

    /// When the runs of the tests are, in hours.
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
