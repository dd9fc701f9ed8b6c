//! The assembly of the fleet: the lists of the centers and of the sources of targets, laid over what is known from
//! before.
//!
//! The database learns of a fleet by its changes, which `pull` carries out and `list` drops.

mod centers;
mod loopback;
mod sources;
mod target_services;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::center_list::CenterList;
use super::change::Change;
use super::ids::{IdSource, KeyId, ServiceId};
use super::key_entry::{KeyEntry, Listing, ServiceName};
use super::records::{
    AddressState, AddressStates, AskedCenter, Key, KnownSource, ListedAddress, Lister, Replicas, ScheduleRow,
    StoredService,
};
use super::services::{Fleet, SilentCenter, UnaskedCenter};
use super::targets::{ProgramName, ServiceFields};
use crate::names::Naming;

pub(crate) use loopback::join_loopback;
pub(crate) use sources::SourceAnswer;

/// The answer of one center.
#[derive(Debug)]
pub(crate) struct CenterAnswer {
    /// URL in its normal form.
    pub url: String,
    /// The list of the center; `None` when it was not asked, so that its last list counts.
    pub answer: Option<Result<CenterList, String>>,
}

/// The answers of all that list addresses.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) centers: Vec<CenterAnswer>,
    /// In the order given: of two sources that list one address under different keys, the first counts.
    pub(crate) sources: Vec<SourceAnswer>,
}

impl From<Vec<CenterAnswer>> for Answers {
    fn from(centers: Vec<CenterAnswer>) -> Self {
        Self { centers, sources: Vec::new() }
    }
}

/// The keys, names and addresses of the database.
#[derive(Debug, Default)]
pub(crate) struct StoredFleet {
    pub(crate) keys: Vec<(KeyId, Option<Key>)>,
    pub(crate) services: Vec<StoredService>,
    pub(crate) listings: Vec<ListedAddress>,
    pub(crate) centers: HashMap<String, DateTime<Utc>>,
    pub(crate) asked: HashMap<String, AskedCenter>,
    pub(crate) sources: BTreeMap<String, KnownSource>,
    pub(crate) schedules: HashMap<KeyId, ScheduleRow>,
    pub(crate) replicas: HashMap<KeyId, Replicas>,
    pub(crate) states: AddressStates,
    /// Addresses at which agents of the kind coverport were found.
    pub(crate) coverport: HashSet<String>,
}

impl StoredFleet {
    /// Returns the key of targets that have no service yet, where one is stored.
    pub(crate) fn unplaced_key(&self) -> Option<KeyId> {
        let unplaced = Some(Key::of_unplaced());
        self.keys.iter().find(|(_, key)| *key == unplaced).map(|(id, _)| *id)
    }

    /// Tells whether a name was registered before.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.services.binary_search_by(|service| service.name.as_str().cmp(name)).is_ok()
    }

    /// Returns answers without asking: the last list of each center and source that the last pull without names asked.
    /// Without such a pull, the last list of every one counts.
    #[must_use]
    pub(crate) fn without_asking(&self) -> Answers {
        let no_pull = self.asked.is_empty() && self.sources.values().all(|source| source.asked_at.is_none());
        let is_latest = |url: &&String| no_pull || self.asked.get(*url).is_some_and(|asked| asked.is_latest);
        let centers = self.centers.keys().filter(is_latest);
        let centers = centers.map(|url| CenterAnswer { url: url.clone(), answer: None }).collect();
        let is_of_latest = |(_, source): &(&String, &KnownSource)| no_pull || source.place > 0;
        let mut sources: Vec<(&String, &KnownSource)> = self.sources.iter().filter(is_of_latest).collect();
        // The order in which that pull was given the sources decides: the first one that lists an address counts.
        sources.sort_by_key(|(_, source)| source.place);
        let answer = |(name, _): (&String, _)| SourceAnswer { name: name.clone(), answer: None };
        let sources = sources.into_iter().map(answer).collect();
        Answers { centers, sources }
    }
}

impl Fleet {
    /// Lays the answers of the centers over the known services.
    #[must_use]
    pub(crate) fn assemble(
        known: StoredFleet,
        mut answers: Answers,
        naming: &Naming,
        ids: &IdSource,
        now: DateTime<Utc>,
    ) -> Self {
        answers.join_loopback(&known);
        let StoredFleet {
            keys,
            services,
            listings,
            centers,
            asked,
            sources,
            schedules,
            replicas,
            mut states,
            coverport,
        } = known;
        let (mut key_ids, mut unreadable) = (HashMap::with_capacity(keys.len()), HashSet::new());
        for (id, key) in keys {
            match key {
                Some(key) => drop(key_ids.insert(key, id)),
                None => drop(unreadable.insert(id)),
            }
        }
        let unplaced = key_ids.get(&Key::of_unplaced()).and_then(|id| states.remove(id)).unwrap_or_default();
        let mut assembly = Assembly {
            naming,
            ids,
            now,
            key_ids,
            unreadable,
            members: BTreeMap::new(),
            with_fields: HashSet::new(),
            coverport,
            unplaced,
            app_programs: HashMap::new(),
            changes: Vec::new(),
            silent: Vec::new(),
            new_unparsed: Vec::new(),
            new_without_commit: Vec::new(),
            new_namesakes: Vec::new(),
            cut: Vec::new(),
        };
        for service in services {
            assembly.known_service(service);
        }
        let mut listed_before: HashMap<Lister, Vec<ListedAddress>> = HashMap::new();
        for listing in listings {
            listed_before.entry(listing.lister.clone()).or_default().push(listing);
        }
        let last_listed = |lister: &Lister| match lister {
            Lister::Center(url) => centers.get(&**url).copied(),
            Lister::Targets(name) => sources.get(&**name).and_then(|source| source.last_listed_at),
        };
        for (lister, listings) in &listed_before {
            assembly.remember(listings, last_listed(lister));
        }
        for answer in answers.centers {
            let lister = Lister::Center(answer.url.as_str().into());
            let before = listed_before.remove(&lister).unwrap_or_default();
            assembly.heard(answer, &before, last_listed(&lister));
        }
        let order: Vec<String> = answers.sources.iter().map(|answer| answer.name.clone()).collect();
        let (lists, failed_sources) =
            assembly.sources_answered(answers.sources, &sources, &mut listed_before);
        let (mut unasked, mut unasked_sources) = (BTreeMap::new(), BTreeMap::new());
        for (lister, before) in listed_before {
            let asked_at = match &lister {
                Lister::Center(url) => asked.get(&**url).map(|asked| asked.asked_at),
                Lister::Targets(name) => sources.get(&**name).and_then(|source| source.asked_at),
            };
            if let Some(since) = asked_at.or_else(|| last_listed(&lister))
                && let services @ 1.. = assembly.unasked(&before, since)
            {
                let (all, name) = match &lister {
                    Lister::Center(url) => (&mut unasked, url),
                    Lister::Targets(name) => (&mut unasked_sources, name),
                };
                all.insert((**name).to_owned(), UnaskedCenter { since, services });
            }
        }
        let yielded = assembly.settle(&order);
        let fleet = assembly.finish(schedules, &replicas, states);
        Self { unasked, unasked_sources, failed_sources, sources: lists, yielded, ..fleet }
    }
}

struct Assembly<'a> {
    naming: &'a Naming,
    ids: &'a IdSource,
    now: DateTime<Utc>,
    key_ids: HashMap<Key, KeyId>,
    /// Keys whose stored env, region, app or commit cannot be read.
    unreadable: HashSet<KeyId>,
    /// The stored names with their keys. A `ServiceName` gets the name that is shown only at the end.
    members: BTreeMap<String, (KeyId, ServiceName)>,
    /// Members whose stored names hold fields.
    with_fields: HashSet<ServiceId>,
    coverport: HashSet<String>,
    /// The states of targets that had no service when they were asked, sorted by address.
    unplaced: Vec<(String, AddressState)>,
    /// Programs by environment, region and the app that stands for them.
    app_programs: HashMap<[String; 3], ProgramName>,
    changes: Vec<Change>,
    silent: Vec<SilentCenter>,
    new_unparsed: Vec<String>,
    new_without_commit: Vec<String>,
    new_namesakes: Vec<String>,
    cut: Vec<(String, String)>,
}

impl Assembly<'_> {
    /// Parses a stored name again, because the configuration may have changed since it was stored.
    fn known_service(&mut self, service: StoredService) {
        let fields = ServiceFields::from_stored(&service.name).filter(|_| service.has_fields);
        let has_fields = fields.is_some();
        let (key, branch) = match fields {
            Some(fields) => (fields.key(), fields.branch),
            None => {
                let parsed = self.naming.parse(&service.name);
                (Key::from_parsed(&parsed), parsed.branch)
            }
        };
        if has_fields {
            self.with_fields.insert(service.id);
        }
        let stood = service.place.as_ref().map(|(key, _)| *key);
        if let Some(id) = stood.filter(|id| self.unreadable.contains(id) && !self.key_ids.contains_key(&key))
        {
            // The damaged key keeps its id, so that its stored data stays with the name.
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
                has_fields,
                seen_at: self.now,
            });
        }
        let member = ServiceName {
            id: service.id,
            name: String::new(),
            branch,
            listings: Vec::new(),
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

    fn by_id(&mut self) -> HashMap<ServiceId, &mut ServiceName> {
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

    /// Treats the addresses that were listed before as listed now.
    fn assume(&mut self, listings: &[&ListedAddress]) {
        let mut members = self.by_id();
        for listing in listings {
            let Some(member) = members.get_mut(&listing.service) else { continue };
            member.listings.reserve_exact(1);
            member.listings.push(Listing {
                assumed: true,
                facts: listing.facts.clone(),
                ..Listing::new(Arc::clone(&listing.address), &listing.lister, listing.listed_at)
            });
        }
    }

    /// Notes the names of a center that is not asked any more, unless another center lists them; returns their number.
    fn unasked(&mut self, listings: &[ListedAddress], since: DateTime<Utc>) -> usize {
        let mut members = self.by_id();
        let mut noted = HashSet::new();
        for listing in listings.iter().filter(|listing| listing.listed) {
            if let Some(member) =
                members.get_mut(&listing.service).filter(|member| member.listings.is_empty())
            {
                member.not_asked_since = member.not_asked_since.max(Some(since));
                noted.insert(listing.service);
            }
        }
        noted.len()
    }

    fn service(&mut self, name: &str) -> ServiceId {
        if let Some((_, member)) = self.members.get(name) {
            return member.id;
        }
        let id = self.ids.service();
        let parsed = self.naming.parse(name);
        if !parsed.is_parsed() {
            self.new_unparsed.push(name.to_owned());
        }
        let (key, branch) = (Key::from_parsed(&parsed), parsed.branch);
        self.add_member(id, name, &key, branch, false);
        id
    }

    /// Adds a name that is not known.
    fn add_member(&mut self, id: ServiceId, name: &str, key: &Key, branch: String, has_fields: bool) {
        let key_id = self.key_id(key);
        self.changes.push(Change::Service {
            id,
            name: name.to_owned(),
            key: key_id,
            branch: branch.clone(),
            has_fields,
            seen_at: self.now,
        });
        let member = ServiceName {
            id,
            name: String::new(),
            branch,
            listings: Vec::new(),
            last_seen: Some(self.now),
            not_asked_since: None,
        };
        self.members.insert(name.to_owned(), (key_id, member));
    }

    fn finish(
        self,
        mut schedules: HashMap<KeyId, ScheduleRow>,
        replicas: &HashMap<KeyId, Replicas>,
        mut states: AddressStates,
    ) -> Fleet {
        let mut keys: HashMap<KeyId, Key> = self.key_ids.into_iter().map(|(key, id)| (id, key)).collect();
        let mut indices: HashMap<KeyId, usize> = HashMap::with_capacity(keys.len());
        let mut entries: Vec<KeyEntry> = Vec::with_capacity(keys.len());
        for (stored, (id, member)) in self.members {
            let fields =
                ServiceFields::from_stored(&stored).filter(|_| self.with_fields.contains(&member.id));
            let member = ServiceName { name: fields.map_or(stored, |fields| fields.to_string()), ..member };
            if let Some(index) = indices.get(&id) {
                entries[*index].members.push(member);
                continue;
            }
            indices.insert(id, entries.len());
            entries.push(KeyEntry {
                id,
                key: keys.remove(&id).expect("each name has a key"),
                members: vec![member],
                schedule: schedules.remove(&id).unwrap_or_default(),
                replicas: replicas.get(&id).copied(),
                states: states.remove(&id).unwrap_or_default(),
                came_in: false,
            });
        }
        for entry in &mut entries {
            entry.members.sort_by(|a, b| a.name.cmp(&b.name));
        }
        entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let Self { changes, silent, new_unparsed, new_without_commit, new_namesakes, cut, unplaced, .. } =
            self;
        Fleet {
            entries,
            changes,
            silent,
            new_unparsed,
            new_without_commit,
            new_namesakes,
            cut,
            unplaced,
            ..Fleet::default()
        }
    }
}
