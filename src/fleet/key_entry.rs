//! Keys with their names, and the addresses that are listed under each name.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ids::{KeyId, ServiceId};
use super::records::{AddressState, Key, Lister, Replicas, ScheduleRow};
use super::row::Row;
use super::targets::{AgentKind, TargetFacts};
use crate::address::normal_form;
use crate::names::in_message;

/// An address that is listed under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The normal form of the address, which identifies it.
    pub address: Arc<str>,
    /// The spelling that was registered; requests to the center need exactly it.
    pub listed_as: Arc<str>,
    pub lister: Lister,
    /// The description of the process by a source of targets; `None`: a center lists the address.
    pub facts: Option<Arc<TargetFacts>>,
    /// Start of the container, where a list that was read in this run tells it.
    pub started_at: Option<DateTime<Utc>>,
    /// The time at which it was first seen there, or seen again.
    pub listed_at: DateTime<Utc>,
    /// The lister did not answer, or left the address out of a cut list; it was listed in an earlier answer.
    pub assumed: bool,
    /// No label names its app, which stands for the program of its process.
    pub is_named_by_program: bool,
    /// The pod or the restarts of its container are not those of the last list.
    pub is_restarted: bool,
}

impl Listing {
    pub(crate) fn new(spelling: Arc<str>, lister: &Lister, listed_at: DateTime<Utc>) -> Self {
        let normal = normal_form(&spelling);
        let address = if *normal == *spelling { Arc::clone(&spelling) } else { normal.into() };
        let (lister, facts, started_at) = (lister.clone(), None, None);
        let (assumed, is_named_by_program, is_restarted) = (false, false, false);
        Self {
            address,
            listed_as: spelling,
            lister,
            facts,
            started_at,
            listed_at,
            assumed,
            is_named_by_program,
            is_restarted,
        }
    }
}

/// A registered name with the addresses that are listed under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceName {
    pub id: ServiceId,
    /// The name as it was registered.
    pub name: String,
    /// Empty when the name fits no pattern.
    pub branch: String,
    /// The addresses that are listed now, one listing for each spelling.
    pub listings: Vec<Listing>,
    /// The time at which a center or a source of targets last listed it; `None` when none ever did.
    pub last_seen: Option<DateTime<Utc>>,
    /// The time at which its center or source was last asked, if that one is not asked any more and no other lists the
    /// name.
    pub not_asked_since: Option<DateTime<Utc>>,
}

impl ServiceName {
    /// Returns a key to sort services of one name by: the greatest is one that is listed, or else was listed last.
    pub(crate) fn listing_order(&self) -> (bool, Option<DateTime<Utc>>) {
        (!self.listings.is_empty(), self.last_seen)
    }

    /// Returns each address that is listed now once, in its first spelling.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Listing> {
        let mut seen = HashSet::new();
        self.listings.iter().filter(move |listing| seen.insert(&*listing.address))
    }
}

/// The pulls of a key as far as they are known, the least success first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PullHistory {
    NeverPulled,
    NeverAnswered,
    Answered,
}

/// A key with all its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyEntry {
    pub id: KeyId,
    pub key: Key,
    /// Sorted by name; at least one.
    pub members: Vec<ServiceName>,
    /// The stored schedule of its pulls.
    pub schedule: ScheduleRow,
    /// The replicas at its last pull; `None` when it was never pulled.
    pub replicas: Option<Replicas>,
    /// The states of its addresses, sorted by address.
    pub states: Vec<(String, AddressState)>,
    /// A snapshot of one of its processes was taken in during this run.
    pub came_in: bool,
}

impl KeyEntry {
    /// Returns the normal form of each address that is listed now, each once, in the order of the list.
    #[must_use]
    pub(crate) fn addresses(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let listings = self.members.iter().flat_map(|member| &member.listings);
        listings
            .filter(|listing| seen.insert(&listing.address))
            .map(|listing| (*listing.address).to_owned())
            .collect()
    }

    /// Returns the time at which an address was listed under this key.
    #[must_use]
    pub(crate) fn listed_at(&self, address: &str) -> Option<DateTime<Utc>> {
        self.places_of(address).map(|listing| listing.listed_at).max()
    }

    /// Tells whether no center or source that answers lists this address.
    #[must_use]
    pub(crate) fn is_assumed(&self, address: &str) -> bool {
        let mut listings = self.places_of(address).peekable();
        listings.peek().is_some() && listings.all(|listing| listing.assumed)
    }

    /// Returns the sources of targets that list this address, sorted.
    #[must_use]
    pub(crate) fn sources_of(&self, address: &str) -> BTreeSet<String> {
        self.places_of(address).filter_map(|listing| listing.lister.targets().map(str::to_owned)).collect()
    }

    /// Tells whether a list that was read now shows another process at an address than the last list: its pod or container
    /// is another, or nobody listed the address then.
    #[must_use]
    pub(crate) fn has_new_process(&self, address: &str, now: DateTime<Utc>) -> bool {
        let is_listed_anew = |listing: &Listing| listing.listed_at == now && !listing.assumed;
        self.places_of(address).any(|listing| listing.is_restarted)
            || self.listed_at(address).is_some() && self.places_of(address).all(is_listed_anew)
    }

    /// Returns what sources of targets tell of the process at an address.
    pub(crate) fn facts_of<'a>(&'a self, address: &'a str) -> impl Iterator<Item = &'a TargetFacts> {
        self.places_of(address).filter_map(|listing| listing.facts.as_deref())
    }

    /// Returns what sources of targets tell of the container at an address in lists that were read in this run, and its
    /// start. A last list that stands in may be of the container before.
    pub(crate) fn new_facts_of<'a>(
        &'a self,
        address: &'a str,
    ) -> impl Iterator<Item = (&'a TargetFacts, Option<DateTime<Utc>>)> {
        let new = self.places_of(address).filter(|listing| !listing.assumed);
        new.filter_map(|listing| Some((listing.facts.as_deref()?, listing.started_at)))
    }

    /// Returns the kind of the agent at an address, where a source of targets tells it.
    pub(crate) fn told_kind(&self, address: &str) -> Option<AgentKind> {
        self.facts_of(address).find_map(|facts| facts.agent.clone())
    }

    /// Tells whether the app of this address stands for the program of its process.
    #[must_use]
    pub(crate) fn is_named_by_program(&self, address: &str) -> bool {
        self.places_of(address).any(|listing| listing.is_named_by_program)
    }

    fn places_of<'a>(&'a self, address: &'a str) -> impl Iterator<Item = &'a Listing> {
        self.members
            .iter()
            .flat_map(|member| &member.listings)
            .filter(move |listing| *listing.address == *address)
    }

    /// Returns the name that was listed last. That name stands for the key where one name is needed, such as in
    /// messages.
    #[must_use]
    pub(crate) fn newest_name(&self) -> &ServiceName {
        let latest = |member: &&ServiceName| {
            member.listings.iter().map(|listing| listing.listed_at).max().or(member.last_seen)
        };
        self.members.iter().max_by_key(latest).expect("a key has a name")
    }

    /// Tells whether no center lists the key and none of its data is left.
    #[must_use]
    pub(crate) fn is_gone(&self, row: Option<&Row>, dropped: &BTreeSet<KeyId>) -> bool {
        row.is_none() && dropped.contains(&self.id) && self.addresses().is_empty()
    }

    /// Returns the number of replicas that answered at the last pull and the number listed, for the latest row of this
    /// key.
    ///
    /// Returns `None` for a row that another program stored.
    #[must_use]
    pub(crate) fn replicas_now(&self, latest: &Row) -> Option<(u32, u32)> {
        let stored = latest.stats.as_ref().map(|stats| (stats.answered, stats.listed));
        stored.map(|stored| self.replicas.map_or(stored, |found| (found.answered, found.listed)))
    }

    /// Says why this key has no data, if it has none, with the command that tells more or helps.
    #[must_use]
    pub(crate) fn lack_of_data(&self) -> String {
        let name = in_message(&self.newest_name().name);
        let explain = format!("goc-watchdog list --explain {name}");
        let (why, next) = match self.pull_history() {
            PullHistory::Answered => {
                return format!("{name} answered, and no answer was stored under this name ({explain})");
            }
            PullHistory::NeverAnswered => ("was listed but never answered", explain),
            PullHistory::NeverPulled if self.addresses().is_empty() => {
                ("was never pulled, and nothing lists it now", explain)
            }
            PullHistory::NeverPulled => ("was never pulled", "goc-watchdog pull".to_owned()),
        };
        format!("{name} {why}, so it has no stored data ({next})")
    }

    /// Tells how far the pulls of this key have come.
    pub(crate) fn pull_history(&self) -> PullHistory {
        let mut states = self.states.iter().map(|(_, state)| state);
        let has_answered =
            |state: &AddressState| state.last_answer_at.is_some() || state.other_build.is_some();
        if self.schedule.schedule.last_pull.is_some() || states.clone().any(has_answered) {
            PullHistory::Answered
        } else if states.any(|state| state.retry.failures > 0) {
            PullHistory::NeverAnswered
        } else {
            PullHistory::NeverPulled
        }
    }

    /// Returns the state of an address.
    #[must_use]
    pub(crate) fn state(&self, address: &str) -> AddressState {
        let found = self.states.binary_search_by(|(known, _)| known.as_str().cmp(address));
        found.map(|at| self.states[at].1.clone()).unwrap_or_default()
    }
}
