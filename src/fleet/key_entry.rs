//! Keys with the names that belong to them and the addresses that are listed under each name.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ids::{KeyId, ServiceId};
use super::records::{AddressState, Key, Replicas, ScheduleRow};
use super::row::Row;
use crate::address::normal_form;

/// An address that stands under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    /// In its normal form, by which it is known.
    pub address: Arc<str>,
    /// As registered, which is how its center knows it.
    pub listed_as: Arc<str>,
    /// URL of the center that lists it.
    pub center: Arc<str>,
    /// The time at which it was first seen there, or seen again.
    pub listed_at: DateTime<Utc>,
    /// The center does not answer for it: it was listed when it last did.
    pub assumed: bool,
}

impl Listing {
    pub(crate) fn new(spelling: Arc<str>, center: &Arc<str>, listed_at: DateTime<Utc>) -> Self {
        let normal = normal_form(&spelling);
        let address = if *normal == *spelling { Arc::clone(&spelling) } else { normal.into() };
        Self { address, listed_as: spelling, center: Arc::clone(center), listed_at, assumed: false }
    }
}

/// A name, with where its processes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceName {
    /// In the database.
    pub id: ServiceId,
    /// As registered.
    pub name: String,
    /// `''` where the name fits no pattern.
    pub branch: String,
    /// The addresses that are listed now, once for each spelling.
    pub listings: Vec<Listing>,
    /// The time at which a center last listed it; `None` where none ever did.
    pub last_seen: Option<DateTime<Utc>>,
    /// The time at which its center was last asked, where nobody lists the name now and that center does not count.
    pub not_asked_since: Option<DateTime<Utc>>,
}

impl ServiceName {
    /// Returns the addresses that are listed now, each by the spelling that is listed first.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Listing> {
        let mut seen = HashSet::new();
        self.listings.iter().filter(move |listing| seen.insert(&*listing.address))
    }
}

/// A key, with all names that are its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyEntry {
    /// In the database.
    pub id: KeyId,
    /// Env, region, app and commit.
    pub key: Key,
    /// Sorted by name; at least one.
    pub members: Vec<ServiceName>,
    /// Its pulls, as they are remembered.
    pub schedule: ScheduleRow,
    /// The replicas at its last pull; `None` where it was never pulled.
    pub replicas: Option<Replicas>,
    /// The states of its addresses, sorted by address.
    pub states: Vec<(String, AddressState)>,
    /// The last data of one of its processes came in during this run.
    pub came_in: bool,
}

impl KeyEntry {
    /// Returns the addresses that are listed now, each once, in their normal form and in the order listed.
    #[must_use]
    pub(crate) fn addresses(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let listings = self.members.iter().flat_map(|member| &member.listings);
        listings
            .filter(|listing| seen.insert(&listing.address))
            .map(|listing| (*listing.address).to_owned())
            .collect()
    }

    /// Returns when an address was listed under this key.
    #[must_use]
    pub(crate) fn listed_at(&self, address: &str) -> Option<DateTime<Utc>> {
        self.places_of(address).map(|listing| listing.listed_at).max()
    }

    /// Tells whether no center that answers lists this address.
    #[must_use]
    pub(crate) fn is_assumed(&self, address: &str) -> bool {
        let mut listings = self.places_of(address).peekable();
        listings.peek().is_some() && listings.all(|listing| listing.assumed)
    }

    fn places_of<'a>(&'a self, address: &'a str) -> impl Iterator<Item = &'a Listing> {
        self.members
            .iter()
            .flat_map(|member| &member.listings)
            .filter(move |listing| *listing.address == *address)
    }

    /// Returns the name that was listed last, which speaks for the key where one name must.
    #[must_use]
    pub(crate) fn newest_name(&self) -> &ServiceName {
        let latest = |member: &&ServiceName| {
            member.listings.iter().map(|listing| listing.listed_at).max().or(member.last_seen)
        };
        self.members.iter().max_by_key(latest).expect("a key has a name")
    }

    /// Tells whether nobody lists the key and nothing is left of its data.
    #[must_use]
    pub(crate) fn is_gone(&self, row: Option<&Row>, dropped: &BTreeSet<KeyId>) -> bool {
        row.is_none() && dropped.contains(&self.id) && self.addresses().is_empty()
    }

    /// Returns the replicas that answered at the last pull, and those listed, for the latest row of this key.
    ///
    /// `None` for a row that another program stored.
    #[must_use]
    pub(crate) fn replicas_now(&self, latest: &Row) -> Option<(u32, u32)> {
        let stored = latest.stats.as_ref().map(|stats| (stats.answered, stats.listed));
        stored.map(|stored| self.replicas.map_or(stored, |found| (found.answered, found.listed)))
    }

    /// Returns the state of an address.
    #[must_use]
    pub(crate) fn state(&self, address: &str) -> AddressState {
        let found = self.states.binary_search_by(|(known, _)| known.as_str().cmp(address));
        found.map(|at| self.states[at].1.clone()).unwrap_or_default()
    }
}
