//! Who is there: what the centers list now, laid over what is known from before.
//!
//! Decides and changes nothing itself: what the database should learn comes back as changes, which
//! `pull` carries out and `list` drops.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::Context;
use crate::address::normal_form;
use crate::fleet::change::Change;
use crate::fleet::ids::{HighestIds, IdSource, KeyId, ServiceId};
use crate::fleet::records::{
    AddressState, AddressStates, AskedCenter, Key, KnownService, ListedAddress, Replicas, ScheduleRow,
};
use crate::fleet::row::Row;
use crate::io::center::{CenterList, Client, HttpError, Listed};
use crate::io::store::{Store, StoreError};
use crate::io::workdir::Workdir;
use crate::names::Naming;

/// What one center said.
#[derive(Debug)]
pub(super) struct Heard {
    /// Its URL.
    pub url: String,
    /// What it lists; `None` where it was not asked, and what it listed last counts.
    pub answer: Option<Result<CenterList, HttpError>>,
}

/// Asks each center what it lists. One that lists more than the limits let through did not answer.
#[must_use]
pub(super) fn ask(client: &Client, centers: &[String]) -> Vec<Heard> {
    let whole = |services| CenterList { services, cut: None };
    let of = |url: &String| Heard { url: normal_form(url), answer: Some(client.list(url).map(whole)) };
    centers.iter().map(of).collect()
}

/// Asks each center what it lists, known names first where that is beyond the limits, for as long as there is time.
#[must_use]
pub(super) fn ask_known_first(
    client: &Client,
    centers: &[String],
    known: &Known,
    time_left: impl Fn() -> Option<Duration>,
) -> Vec<Heard> {
    let of = |url: &String| {
        let answer = client.list_known_first(url, time_left(), &|name| known.knows(name));
        Heard { url: normal_form(url), answer: Some(answer) }
    };
    centers.iter().map(of).collect()
}

/// All that the database knows of keys, names and addresses.
#[derive(Debug, Default)]
pub(super) struct Known {
    keys: Vec<(KeyId, Option<Key>)>,
    services: Vec<KnownService>,
    listings: Vec<ListedAddress>,
    centers: HashMap<String, DateTime<Utc>>,
    asked: HashMap<String, AskedCenter>,
    schedules: HashMap<KeyId, ScheduleRow>,
    replicas: HashMap<KeyId, Replicas>,
    states: AddressStates,
}

impl Known {
    /// Reads what a root knows, for a command that changes nothing; nothing where there is no database yet.
    pub(super) fn of_root(workdir: &Workdir) -> Result<(Self, IdSource), StoreError> {
        match Store::open_read_only(&workdir.database()) {
            Ok(store) => Ok((Self::read(&store)?, store.id_source()?)),
            Err(StoreError::Missing { .. }) => Ok((Self::default(), IdSource::after(HighestIds::default()))),
            Err(error) => Err(error),
        }
    }

    /// Reads it.
    pub(super) fn read(store: &Store) -> Result<Self, StoreError> {
        Ok(Self {
            keys: store.keys()?,
            services: store.services()?,
            listings: store.listings()?,
            centers: store.centers()?,
            asked: store.asked_centers()?,
            schedules: store.schedules()?,
            replicas: store.replicas()?,
            states: store.addresses()?,
        })
    }

    /// Tells whether a name was registered before.
    fn knows(&self, name: &str) -> bool {
        self.services.binary_search_by(|service| service.name.as_str().cmp(name)).is_ok()
    }

    /// Asks no center; of those that the last pull without names asked, what each listed last counts. Where there was
    /// no such pull, what any center listed does.
    #[must_use]
    pub(super) fn without_asking(&self) -> Vec<Heard> {
        let is_latest = |url: &&String| {
            self.asked.is_empty() || self.asked.get(*url).is_some_and(|asked| asked.is_latest)
        };
        self.centers.keys().filter(is_latest).map(|url| Heard { url: url.clone(), answer: None }).collect()
    }
}

/// An address that stands under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In its normal form, by which it is known.
    pub address: Arc<str>,
    /// As registered, which is how its center knows it.
    pub listed_as: Arc<str>,
    /// URL of the center that lists it.
    pub center: Arc<str>,
    /// When it was first seen there, or seen again.
    pub listed_at: DateTime<Utc>,
    /// The center does not answer for it: it was listed when it last did.
    pub assumed: bool,
}

impl Place {
    fn new(spelling: Arc<str>, center: &Arc<str>, listed_at: DateTime<Utc>) -> Self {
        let normal = normal_form(&spelling);
        let address = if *normal == *spelling { Arc::clone(&spelling) } else { normal.into() };
        Self { address, listed_as: spelling, center: Arc::clone(center), listed_at, assumed: false }
    }
}

/// A name, with where its processes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// In the database.
    pub id: ServiceId,
    /// As registered.
    pub name: String,
    /// `''` where the name fits no pattern.
    pub branch: String,
    /// Its addresses that are listed now, once for each spelling.
    pub places: Vec<Place>,
    /// When it was last listed; `None` where it never was.
    pub last_seen: Option<DateTime<Utc>>,
    /// When the center that listed it last was asked, where nobody lists it now and that center does not count.
    pub not_asked_since: Option<DateTime<Utc>>,
}

impl Member {
    /// Returns the addresses that are listed now, each by the spelling that is listed first.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &Place> {
        let mut seen = HashSet::new();
        self.places.iter().filter(move |place| seen.insert(&*place.address))
    }
}

/// A key, with all names that are its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// In the database.
    pub id: KeyId,
    /// What its data belongs to.
    pub key: Key,
    /// Sorted by name; at least one.
    pub members: Vec<Member>,
    /// What is remembered of its pulls.
    pub schedule: ScheduleRow,
    /// How many answered at its last pull; `None` where it was never pulled.
    pub replicas: Option<Replicas>,
    /// How its addresses have been answering, sorted by address.
    pub states: Vec<(String, AddressState)>,
    /// The last data of one of its processes came in during this run.
    pub came_in: bool,
}

impl Entry {
    /// Returns the addresses that are listed now, each once, in their normal form and in the order listed.
    #[must_use]
    pub(super) fn addresses(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let places = self.members.iter().flat_map(|member| &member.places);
        places.filter(|place| seen.insert(&place.address)).map(|place| (*place.address).to_owned()).collect()
    }

    /// Returns when an address was listed under this key.
    #[must_use]
    pub(super) fn listed_at(&self, address: &str) -> Option<DateTime<Utc>> {
        self.places_of(address).map(|place| place.listed_at).max()
    }

    /// Tells whether no center that answers lists this address.
    #[must_use]
    pub(super) fn is_assumed(&self, address: &str) -> bool {
        let mut places = self.places_of(address).peekable();
        places.peek().is_some() && places.all(|place| place.assumed)
    }

    fn places_of<'a>(&'a self, address: &'a str) -> impl Iterator<Item = &'a Place> {
        self.members.iter().flat_map(|member| &member.places).filter(move |place| *place.address == *address)
    }

    /// Returns the name that was listed last, which speaks for the key where one name must.
    #[must_use]
    pub(super) fn spokesman(&self) -> &Member {
        let latest =
            |member: &&Member| member.places.iter().map(|place| place.listed_at).max().or(member.last_seen);
        self.members.iter().max_by_key(latest).expect("a key has a name")
    }

    /// Tells whether nobody lists it and nothing is left of it.
    #[must_use]
    pub(super) fn is_gone(&self, row: Option<&Row>, dropped: &BTreeSet<KeyId>) -> bool {
        row.is_none() && dropped.contains(&self.id) && self.addresses().is_empty()
    }

    /// Returns how many replicas answered at the last pull, of how many, for the latest row of this key.
    ///
    /// `None` for a row that another program stored.
    #[must_use]
    pub(super) fn replicas_now(&self, latest: &Row) -> Option<(u32, u32)> {
        let stored = latest.fact.as_ref().map(|fact| (fact.answered, fact.listed));
        stored.map(|stored| self.replicas.map_or(stored, |found| (found.answered, found.listed)))
    }

    /// Returns what is remembered of an address.
    #[must_use]
    pub(super) fn state(&self, address: &str) -> AddressState {
        let found = self.states.binary_search_by(|(known, _)| known.as_str().cmp(address));
        found.map(|at| self.states[at].1.clone()).unwrap_or_default()
    }
}

/// Who is there.
#[derive(Debug)]
pub(super) struct Roster {
    /// By key.
    pub entries: Vec<Entry>,
    /// What the database should learn.
    pub changes: Vec<Change>,
    /// Centers that did not answer, or suddenly list nothing, each with a message.
    pub silent: Vec<SilentCenter>,
    /// Centers that list more than was taken, each with a message.
    pub cut: Vec<(String, String)>,
    /// Centers that list services nobody else does, and do not count; by URL.
    pub unasked: BTreeMap<String, UnaskedCenter>,
}

/// A center that is not asked any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnaskedCenter {
    /// When it was asked last.
    pub since: DateTime<Utc>,
    /// Names that it listed then and nobody lists now.
    pub services: usize,
}

/// A center whose last known list stands in for what it does not say.
#[derive(Clone, Debug)]
pub(super) struct SilentCenter {
    /// Its URL.
    pub url: String,
    /// It answered, but with an empty list where there was none before.
    pub emptied: bool,
    /// What is wrong.
    pub message: String,
    /// When it last answered.
    pub last_heard: Option<DateTime<Utc>>,
}

impl Roster {
    /// Reads who is known, without asking anybody.
    pub(super) fn stored(store: &Store, context: &Context) -> Result<Self> {
        let known = Known::read(store)?;
        let heard = known.without_asking();
        Ok(Self::assemble(known, heard, &context.config.naming, &store.id_source()?, context.now()))
    }

    /// Lays what the centers say over what is known.
    #[must_use]
    pub(super) fn assemble(
        known: Known,
        heard: Vec<Heard>,
        naming: &Naming,
        ids: &IdSource,
        now: DateTime<Utc>,
    ) -> Self {
        let Known { keys, services, listings, centers, asked, schedules, replicas, states } = known;
        let (mut key_ids, mut unreadable) = (HashMap::with_capacity(keys.len()), HashSet::new());
        for (id, key) in keys {
            match key {
                Some(key) => drop(key_ids.insert(key, id)),
                None => drop(unreadable.insert(id)),
            }
        }
        let mut assembly =
            Assembly { naming, ids, now, key_ids, unreadable, members: BTreeMap::new(), changes: Vec::new() };
        for service in services {
            assembly.known_service(service);
        }
        let mut listed_before: HashMap<Arc<str>, Vec<ListedAddress>> = HashMap::new();
        for listing in listings {
            listed_before.entry(Arc::clone(&listing.center)).or_default().push(listing);
        }
        for (center, listings) in &listed_before {
            let last_heard = centers.get(&**center).copied();
            assembly.remember(listings, last_heard);
        }
        let (mut silent, mut cuts) = (Vec::new(), Vec::new());
        for Heard { url, answer } in heard {
            let before = listed_before.remove(&*url).unwrap_or_default();
            let stood: Vec<&ListedAddress> = before.iter().filter(|listing| listing.listed).collect();
            let last_heard = centers.get(&url).copied();
            let lists_nothing = |listed: &[Listed]| listed.iter().all(|service| service.addresses.is_empty());
            let is_empty =
                matches!(&answer, Some(Ok(list)) if list.cut.is_none() && lists_nothing(&list.services));
            match answer {
                None => assembly.assume(&stood),
                Some(Ok(_)) if is_empty && !stood.is_empty() => {
                    let message = format!("lists nothing, and listed {} addresses before", stood.len());
                    assembly.assume(&stood);
                    silent.push(SilentCenter { url, emptied: true, message, last_heard });
                }
                Some(Ok(CenterList { services, cut })) => {
                    assembly.listed(&url, &services, &before, cut.is_some_and(|cut| cut.of_known));
                    cuts.extend(cut.map(|cut| (url, cut.to_string())));
                }
                Some(Err(error)) => {
                    assembly.assume(&stood);
                    silent.push(SilentCenter { url, emptied: false, message: error.to_string(), last_heard });
                }
            }
        }
        let mut unasked = BTreeMap::new();
        for (url, before) in listed_before {
            let since = asked.get(&*url).map(|asked| asked.asked_at).or_else(|| centers.get(&*url).copied());
            if let Some(since) = since
                && let services @ 1.. = assembly.unasked(&before, since)
            {
                unasked.insert((*url).to_owned(), UnaskedCenter { since, services });
            }
        }
        Self { silent, cut: cuts, unasked, ..assembly.finish(schedules, &replicas, states) }
    }

    /// Tells whether a center did not answer, or not for all that it lists.
    #[must_use]
    pub(super) fn is_partial(&self) -> bool {
        !self.silent.is_empty() || !self.cut.is_empty()
    }

    /// Returns the changes that forget names which nobody lists and whose key was never pulled.
    #[must_use]
    pub(super) fn forget_never_pulled(&self) -> Vec<Change> {
        let is_forgotten = |entry: &&Entry| {
            entry.schedule == ScheduleRow::default()
                && !entry.came_in
                && entry.members.iter().all(|member| member.places.is_empty())
        };
        self.entries.iter().filter(is_forgotten).map(|entry| Change::NeverPulledForgotten(entry.id)).collect()
    }

    /// Returns the changes that accept that emptied centers mean it: nothing is listed there.
    #[must_use]
    pub(super) fn unlist(&self, emptied: &[&str], now: DateTime<Utc>) -> Vec<Change> {
        let members = self.entries.iter().flat_map(|entry| &entry.members);
        let places = members.flat_map(|member| member.places.iter().map(|place| (member.id, place)));
        let gone = places.filter(|(_, place)| emptied.contains(&&*place.center));
        gone.map(|(service, place)| Change::Unlisted {
            service,
            address: (*place.listed_as).to_owned(),
            at: now,
        })
        .collect()
    }

    /// Adds a name that no center lists and nobody knew, with no address; returns the index of its entry, and what
    /// the database should learn.
    pub(super) fn add_service(
        &mut self,
        name: &str,
        naming: &Naming,
        ids: &IdSource,
        now: DateTime<Utc>,
    ) -> (usize, Vec<Change>) {
        let (key, branch) = read(naming, name);
        let id = ids.service();
        let mut changes = Vec::new();
        let known = self.entries.iter().position(|entry| entry.key == key);
        let index = known.unwrap_or_else(|| {
            let id = ids.key();
            changes.push(Change::Key(id, key.clone()));
            let (schedule, replicas, states) = Default::default();
            let (members, came_in) = (Vec::new(), false);
            self.entries.push(Entry { id, key, members, schedule, replicas, states, came_in });
            self.entries.len() - 1
        });
        let entry = &mut self.entries[index];
        let (key, name) = (entry.id, name.to_owned());
        changes.push(Change::Service { id, name: name.clone(), key, branch: branch.clone(), seen_at: now });
        let (places, last_seen, not_asked_since) = (Vec::new(), None, None);
        entry.members.push(Member { id, name, branch, places, last_seen, not_asked_since });
        (index, changes)
    }
}

struct Assembly<'a> {
    naming: &'a Naming,
    ids: &'a IdSource,
    now: DateTime<Utc>,
    key_ids: HashMap<Key, KeyId>,
    /// Keys that the database has, and of which nobody can read what they are.
    unreadable: HashSet<KeyId>,
    /// By name, which a member gets at the end.
    members: BTreeMap<String, (KeyId, Member)>,
    changes: Vec<Change>,
}

impl Assembly<'_> {
    /// Reads a name again: the configuration may say otherwise than when it was stored.
    fn known_service(&mut self, service: KnownService) {
        let (key, branch) = read(self.naming, &service.name);
        let stood = service.place.as_ref().map(|(key, _)| *key);
        if let Some(id) = stood.filter(|id| self.unreadable.contains(id) && !self.key_ids.contains_key(&key))
        {
            // Its data must not be parted from the name.
            self.unreadable.remove(&id);
            self.changes.push(Change::KeyMended(id, key.clone()));
            self.key_ids.insert(key.clone(), id);
        }
        let key_id = self.key_id(&key);
        if service.place.is_none_or(|place| place != (key_id, branch.clone())) {
            self.changes.push(Change::Service {
                id: service.id,
                name: service.name.clone(),
                key: key_id,
                branch: branch.clone(),
                seen_at: self.now,
            });
        }
        let member = Member {
            id: service.id,
            name: String::new(),
            branch,
            places: Vec::new(),
            last_seen: None,
            not_asked_since: None,
        };
        self.members.insert(service.name, (key_id, member));
    }

    fn key_id(&mut self, key: &Key) -> KeyId {
        if let Some(id) = self.key_ids.get(key) {
            return *id;
        }
        let id = self.ids.key();
        self.changes.push(Change::Key(id, key.clone()));
        self.key_ids.insert(key.clone(), id);
        id
    }

    fn by_id(&mut self) -> HashMap<ServiceId, &mut Member> {
        self.members.values_mut().map(|(_, member)| (member.id, member)).collect()
    }

    fn remember(&mut self, listings: &[ListedAddress], last_heard: Option<DateTime<Utc>>) {
        let mut members = self.by_id();
        for listing in listings {
            let Some(member) = members.get_mut(&listing.service) else { continue };
            let seen = if listing.listed { last_heard } else { listing.unlisted_at };
            member.last_seen = member.last_seen.max(seen);
        }
    }

    /// Takes what was listed before for what is listed now.
    fn assume(&mut self, listings: &[&ListedAddress]) {
        let mut members = self.by_id();
        for listing in listings {
            let Some(member) = members.get_mut(&listing.service) else { continue };
            member.places.reserve_exact(1);
            member.places.push(Place {
                assumed: true,
                ..Place::new(Arc::clone(&listing.address), &listing.center, listing.listed_at)
            });
        }
    }

    /// Notes the names that a center listed which does not count, where nobody lists them now; returns how many.
    fn unasked(&mut self, listings: &[ListedAddress], since: DateTime<Utc>) -> usize {
        let mut members = self.by_id();
        let mut noted = HashSet::new();
        for listing in listings.iter().filter(|listing| listing.listed) {
            if let Some(member) = members.get_mut(&listing.service).filter(|member| member.places.is_empty())
            {
                member.not_asked_since = member.not_asked_since.max(Some(since));
                noted.insert(listing.service);
            }
        }
        noted.len()
    }

    /// Takes in what a center lists. Where some of what is known was left out, what is missing stays as it was.
    fn listed(&mut self, url: &str, listed: &[Listed], before: &[ListedAddress], is_partial: bool) {
        let now = self.now;
        self.changes.push(Change::CenterListed { url: url.to_owned(), at: now });
        let mut stood: HashMap<(ServiceId, &str), &ListedAddress> =
            before.iter().map(|listing| ((listing.service, &*listing.address), listing)).collect();
        let center: Arc<str> = url.into();
        for Listed { name, addresses } in listed {
            let service = self.service(name);
            if let Some((_, member)) = self.members.get_mut(name) {
                member.places.reserve_exact(addresses.len());
            }
            let mut seen = HashSet::new();
            for (position, address) in addresses.iter().enumerate() {
                if !seen.insert(address) {
                    continue;
                }
                let before = stood.remove(&(service, address.as_str()));
                let spelling = before.map_or_else(|| address.as_str().into(), |it| Arc::clone(&it.address));
                let listed_at = if let Some(listing) = before.filter(|listing| listing.listed) {
                    listing.listed_at
                } else {
                    self.changes.push(Change::Listed {
                        service,
                        address: address.clone(),
                        center: url.to_owned(),
                        position,
                        at: now,
                    });
                    now
                };
                let (_, member) = self.members.get_mut(name).expect("made above");
                member.places.push(Place::new(spelling, &center, listed_at));
            }
            let (_, member) = self.members.get_mut(name).expect("made above");
            member.last_seen = Some(now);
        }
        let stood: Vec<((ServiceId, &str), &ListedAddress)> = stood.into_iter().collect();
        if is_partial {
            let standing = stood.iter().map(|(_, listing)| *listing).filter(|listing| listing.listed);
            self.assume(&standing.collect::<Vec<_>>());
            return;
        }
        for ((service, address), listing) in stood {
            if listing.listed {
                self.changes.push(Change::Unlisted { service, address: address.to_owned(), at: now });
            }
        }
    }

    fn service(&mut self, name: &str) -> ServiceId {
        if let Some((_, member)) = self.members.get(name) {
            return member.id;
        }
        let id = self.ids.service();
        let (key, branch) = read(self.naming, name);
        let key_id = self.key_id(&key);
        self.changes.push(Change::Service {
            id,
            name: name.to_owned(),
            key: key_id,
            branch: branch.clone(),
            seen_at: self.now,
        });
        let member = Member {
            id,
            name: String::new(),
            branch,
            places: Vec::new(),
            last_seen: Some(self.now),
            not_asked_since: None,
        };
        self.members.insert(name.to_owned(), (key_id, member));
        id
    }

    fn finish(
        self,
        mut schedules: HashMap<KeyId, ScheduleRow>,
        replicas: &HashMap<KeyId, Replicas>,
        mut states: AddressStates,
    ) -> Roster {
        let mut keys: HashMap<KeyId, Key> = self.key_ids.into_iter().map(|(key, id)| (id, key)).collect();
        let mut indices: HashMap<KeyId, usize> = HashMap::with_capacity(keys.len());
        let mut entries: Vec<Entry> = Vec::with_capacity(keys.len());
        for (name, (id, member)) in self.members {
            let member = Member { name, ..member };
            if let Some(index) = indices.get(&id) {
                entries[*index].members.push(member);
                continue;
            }
            indices.insert(id, entries.len());
            entries.push(Entry {
                id,
                key: keys.remove(&id).expect("each name has a key"),
                members: vec![member],
                schedule: schedules.remove(&id).unwrap_or_default(),
                replicas: replicas.get(&id).copied(),
                states: states.remove(&id).unwrap_or_default(),
                came_in: false,
            });
        }
        entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let changes = self.changes;
        Roster { entries, changes, silent: Vec::new(), cut: Vec::new(), unasked: BTreeMap::new() }
    }
}

/// Returns what the data of a name belongs to, and its branch.
pub(super) fn read(naming: &Naming, name: &str) -> (Key, String) {
    let parsed = naming.parse(name);
    let app = parsed.app_or_name().to_owned();
    (Key { env: parsed.env, region: parsed.region, app, commit: parsed.commit }, parsed.branch)
}
