//! The pull of one address, with the open keys that list it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use chrono::{DateTime, Utc};

use crate::collect::open_key::OpenKey;
use crate::collect::run::PullRun;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::targets::{AgentKind, TargetFacts};
use crate::io::store::Store;
use crate::parallel::lock;

/// The pull of one address. Its keys are open as long as the value exists.
pub(crate) struct AddressPull<'g> {
    pub(crate) address: &'g str,
    /// Keys that list the address; there is at least one.
    pub(crate) keys: Vec<KeyHandle<'g>>,
    pub(crate) run: &'g PullRun<'g>,
    pub(crate) store: &'g Store,
}

/// An open key that threads share.
#[derive(Clone, Copy)]
pub(crate) struct KeyHandle<'g> {
    pub(crate) entry: &'g KeyEntry,
    pub(crate) open: &'g Mutex<OpenKey>,
    /// Faults on this side that prevented the storing of an answer.
    pub(crate) faults: &'g Mutex<BTreeSet<String>>,
}

impl<'g> KeyHandle<'g> {
    pub(crate) fn lock(&self) -> MutexGuard<'g, OpenKey> {
        lock(self.open)
    }

    /// Notes a fault on this side.
    pub(crate) fn note_fault(&self, fault: String) {
        lock(self.faults).insert(fault);
    }
}

impl<'g> AddressPull<'g> {
    /// Returns the key that lists the address, if only one does.
    pub(crate) fn only_key(&self) -> Option<KeyHandle<'g>> {
        match self.keys[..] {
            [key] => Some(key),
            _ => None,
        }
    }

    /// Returns the kind of the agent, where a source of targets tells it.
    pub(crate) fn told_kind(&self) -> Option<AgentKind> {
        self.keys.iter().find_map(|key| key.entry.told_kind(self.address))
    }

    /// Tells whether the last answer of the address was the text of an agent of goc.
    pub(crate) fn was_of_goc(&self) -> bool {
        self.keys.iter().any(|key| key.entry.state(self.address).is_of_goc())
    }

    /// Returns the facts of the pod and the container with its start, where a source of targets tells them now.
    pub(crate) fn container(&self) -> Option<(&TargetFacts, Option<DateTime<Utc>>)> {
        let mut facts = self.keys.iter().flat_map(|key| key.entry.new_facts_of(self.address));
        facts.find(|(facts, _)| facts.uid.is_some() || facts.restarts.is_some())
    }

    /// Returns the pods of the address, where sources of targets tell them.
    pub(crate) fn pods(&self) -> impl Iterator<Item = &str> {
        self.facts().filter_map(|facts| facts.pod.as_deref())
    }

    fn facts(&self) -> impl Iterator<Item = &TargetFacts> {
        self.keys.iter().flat_map(|key| key.entry.facts_of(self.address))
    }

    /// Notes that the address failed.
    pub(crate) fn note_failure(&self, error: &str) {
        for key in &self.keys {
            key.lock().state.failed.insert(self.address.to_owned(), error.to_owned());
        }
    }
}
