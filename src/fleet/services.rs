//! The fleet: the services that one run knows, as the centers and the database have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::change::Change;
use super::ids::{IdSource, KeyId};
use super::key_entry::{KeyEntry, Listing, ServiceName};
use super::records::{AddressState, Key, Lister, ScheduleRow};
use super::schedule::AddressRetry;
use super::targets::{ServiceFields, TargetList};
use crate::names::{Naming, ParsedName};

/// The services that are listed or stored.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    /// The entries, sorted by key.
    pub entries: Vec<KeyEntry>,
    /// Changes for the database.
    pub changes: Vec<Change>,
    /// Centers that did not answer, or suddenly list nothing, each with a message.
    pub silent: Vec<SilentCenter>,
    /// Names that are new and fit no pattern, of centers and of inboxes.
    pub new_unparsed: Vec<String>,
    /// Names that are new, of targets whose labels and agents tell no commit.
    pub new_without_commit: Vec<String>,
    /// Names that are new, of targets whose labels tell other fields than the service that an inbox has by that name.
    pub new_namesakes: Vec<String>,
    /// Centers that list more than was taken, each with a message.
    pub cut: Vec<(String, String)>,
    /// Sources of targets that gave no list.
    pub failed_sources: Vec<FailedSource>,
    /// The lists of sources by name, without their targets, which are among the entries.
    pub sources: Vec<(String, TargetList)>,
    /// Keys with addresses that count for other keys, each with one such address and the lister for which it counts.
    pub yielded: BTreeMap<KeyId, (Arc<str>, Lister)>,
    /// The states of targets that had no service when they were asked, sorted by address.
    pub unplaced: Vec<(String, AddressState)>,
    /// Centers that are not asked any more, and listed services that no other center lists; by URL.
    pub unasked: BTreeMap<String, UnaskedCenter>,
    /// Sources of targets like those, by name.
    pub unasked_sources: BTreeMap<String, UnaskedCenter>,
}

/// A source of targets that gave no list. Its last known list stands in for it.
#[derive(Clone, Debug)]
pub(crate) struct FailedSource {
    pub name: String,
    /// The reason, as a clause.
    pub message: String,
    /// The time at which its list was last read.
    pub last_heard: Option<DateTime<Utc>>,
}

/// A center, or a source of targets, that is not asked any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnaskedCenter {
    /// The time at which the center was asked last.
    pub since: DateTime<Utc>,
    /// Names that it listed then and nobody lists now.
    pub services: usize,
}

/// A center that did not list what it listed before, so that its last known list is used.
#[derive(Clone, Debug)]
pub(crate) struct SilentCenter {
    /// URL of the center in its normal form.
    pub url: String,
    /// The center answered with an empty list, and listed addresses before.
    pub emptied: bool,
    /// The reason, as a clause.
    pub message: String,
    /// The time of its last answer.
    pub last_heard: Option<DateTime<Utc>>,
}

impl Fleet {
    /// Tells whether a center or a source of targets did not answer, or not for all that it lists.
    #[must_use]
    pub(crate) fn is_partial(&self) -> bool {
        let is_bad = |(_, list): &(String, TargetList)| list.bad_count > 0;
        !self.silent.is_empty()
            || !self.cut.is_empty()
            || !self.failed_sources.is_empty()
            || self.sources.iter().any(is_bad)
    }

    /// Tells whether a center that was asked has answered.
    pub(crate) fn has_answered(&self, center: &str) -> bool {
        self.silent.iter().all(|silent| silent.url != center)
    }

    /// Makes failed addresses due at which the lists show a new process. The failures were those of the process before.
    pub(crate) fn expect_new_processes(&mut self, now: DateTime<Utc>) {
        for entry in &mut self.entries {
            let is_waiting = |(_, state): &&(String, AddressState)| state.retry.next_try.is_some();
            let waiting = entry.states.iter().filter(is_waiting);
            let new = waiting.filter(|(address, _)| entry.has_new_process(address, now));
            let new: Vec<String> = new.map(|(address, _)| address.clone()).collect();
            for (address, state) in entry.states.iter_mut().filter(|(address, _)| new.contains(address)) {
                state.retry = AddressRetry::for_new_process(now);
                state.last_error = None;
                let (key, address, state) = (entry.id, address.clone(), state.clone());
                self.changes.push(Change::Address { key, address, state });
            }
        }
    }

    /// Returns the changes that forget names which nobody lists and whose key was never pulled.
    #[must_use]
    pub(crate) fn forget_never_pulled(&self) -> Vec<Change> {
        let is_forgotten = |entry: &&KeyEntry| {
            entry.schedule == ScheduleRow::default()
                && !entry.came_in
                && entry.members.iter().all(|member| member.listings.is_empty())
        };
        self.entries.iter().filter(is_forgotten).map(|entry| Change::NeverPulledForgotten(entry.id)).collect()
    }

    /// Returns the changes that accept that emptied centers mean it: nothing is listed there.
    #[must_use]
    pub(crate) fn unlist(&self, emptied: &[&str], now: DateTime<Utc>) -> Vec<Change> {
        let members = self.entries.iter().flat_map(|entry| &entry.members);
        let listings = members.flat_map(|member| member.listings.iter().map(|listing| (member.id, listing)));
        let is_of_emptied =
            |listing: &Listing| listing.lister.center().is_some_and(|url| emptied.contains(&url));
        let gone = listings.filter(|(_, listing)| is_of_emptied(listing));
        gone.map(|(service, listing)| Change::Unlisted {
            service,
            address: (*listing.listed_as).to_owned(),
            at: now,
        })
        .collect()
    }

    /// Adds a name that no center lists and nobody knew, with no address, and notes a name that fits no pattern. Returns
    /// the index of its entry, and what the database should learn.
    pub(crate) fn add_service(
        &mut self,
        parsed: ParsedName,
        ids: &IdSource,
        now: DateTime<Utc>,
    ) -> (usize, Vec<Change>) {
        if !parsed.is_parsed() {
            self.new_unparsed.push(parsed.name.clone());
        }
        let key = Key::from_parsed(&parsed);
        let ParsedName { name, branch, .. } = parsed;
        let new = NewService { key, stored: name.clone(), name, branch, has_fields: false };
        self.add(new, ids, now)
    }

    /// Adds a service by its fields, like [`Self::add_service`].
    pub(crate) fn add_service_of(
        &mut self,
        fields: &ServiceFields,
        naming: &Naming,
        ids: &IdSource,
        now: DateTime<Utc>,
    ) -> (usize, Vec<Change>) {
        let (key, name, branch) = (fields.key(), fields.to_string(), fields.branch.clone());
        let has_fields = !fields.is_name(naming);
        let stored = if has_fields { fields.stored() } else { name.clone() };
        self.add(NewService { key, name, stored, branch, has_fields }, ids, now)
    }

    /// Adds the services of targets whose commit or app is not known yet, for a list, which stores nothing: their labels
    /// name them, and an address stands for an app that no label names.
    pub(crate) fn show_unplaced(&mut self, naming: &Naming, ids: &IdSource, now: DateTime<Utc>) {
        let mut unplaced = Vec::new();
        for (name, list) in &mut self.sources {
            let lister = Lister::Targets(name.as_str().into());
            unplaced.extend(list.unplaced.drain(..).map(|target| (lister.clone(), target)));
        }
        for (lister, target) in unplaced {
            let Some(mut fields) = target.service.fields(naming) else { continue };
            if fields.app.is_empty() {
                let (_, place) = target.address.split_once("://").unwrap_or(("", &target.address));
                place.clone_into(&mut fields.app);
            }
            let (key, name) = (fields.key(), fields.to_string());
            let has_name = |entry: &KeyEntry| entry.members.iter().any(|member| member.name == name);
            let known = self.entries.iter().position(|entry| entry.key == key && has_name(entry));
            let index = known.unwrap_or_else(|| self.add_service_of(&fields, naming, ids, now).0);
            let KeyEntry { members, states, .. } = &mut self.entries[index];
            if let Ok(at) = self.unplaced.binary_search_by(|(known, _)| known.cmp(&target.address))
                && let Err(place) = states.binary_search_by(|(known, _)| known.cmp(&target.address))
            {
                states.insert(place, self.unplaced[at].clone());
            }
            let member = members.iter_mut().find(|member| member.name == name).expect("added above");
            let (address, facts) = (target.address.into(), Some(Arc::new(target.facts)));
            member.listings.push(Listing { facts, ..Listing::new(address, &lister, now) });
        }
        self.entries.sort_by(|a, b| a.key.cmp(&b.key));
    }

    fn add(&mut self, new: NewService, ids: &IdSource, now: DateTime<Utc>) -> (usize, Vec<Change>) {
        let NewService { key, name, stored, branch, has_fields } = new;
        let id = ids.service();
        let mut changes = Vec::new();
        let known = self.entries.iter().position(|entry| entry.key == key);
        let index = known.unwrap_or_else(|| {
            let id = ids.key();
            changes.push(Change::Key(id, key.clone()));
            let (schedule, replicas, states) = Default::default();
            let (members, came_in) = (Vec::new(), false);
            self.entries.push(KeyEntry { id, key, members, schedule, replicas, states, came_in });
            self.entries.len() - 1
        });
        let entry = &mut self.entries[index];
        let key = entry.id;
        let branch_of_name = branch.clone();
        changes.push(Change::Service { id, name: stored, key, branch, has_fields, seen_at: now });
        let (listings, last_seen, not_asked_since) = (Vec::new(), None, None);
        entry.members.push(ServiceName {
            id,
            name,
            branch: branch_of_name,
            listings,
            last_seen,
            not_asked_since,
        });
        (index, changes)
    }
}

/// A service that nobody knew.
struct NewService {
    key: Key,
    /// The name that is shown.
    name: String,
    /// The text by which the database knows it.
    stored: String,
    branch: String,
    has_fields: bool,
}
