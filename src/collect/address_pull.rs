//! An address that is asked, with the open keys that list it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use crate::collect::open_key::OpenKey;
use crate::collect::run::Run;
use crate::fleet::key_entry::KeyEntry;
use crate::io::store::Store;
use crate::parallel::lock;

/// An address that is asked. Whoever has one knows that its keys are open.
pub(crate) struct AddressPull<'g> {
    pub(crate) address: &'g str,
    /// Keys that list the address; there is at least one.
    pub(crate) keys: Vec<KeyHandle<'g>>,
    pub(crate) run: &'g Run<'g>,
    pub(crate) store: &'g Store,
}

/// An open key that threads share.
#[derive(Clone, Copy)]
pub(crate) struct KeyHandle<'g> {
    pub(crate) entry: &'g KeyEntry,
    pub(crate) open: &'g Mutex<OpenKey>,
    /// Faults on our own side that kept an answer from being stored.
    pub(crate) faults: &'g Mutex<BTreeSet<String>>,
}

impl<'g> KeyHandle<'g> {
    pub(crate) fn lock(&self) -> MutexGuard<'g, OpenKey> {
        lock(self.open)
    }

    /// Notes a fault on our own side.
    pub(crate) fn note_fault(&self, fault: String) {
        lock(self.faults).insert(fault);
    }
}

impl<'g> AddressPull<'g> {
    /// Returns the key that lists the address, where there is one alone.
    pub(crate) fn only_key(&self) -> Option<KeyHandle<'g>> {
        match self.keys[..] {
            [key] => Some(key),
            _ => None,
        }
    }

    /// Notes that the address failed.
    pub(crate) fn note_failure(&self, error: &str) {
        for key in &self.keys {
            key.lock().state.failed.insert(self.address.to_owned(), error.to_owned());
        }
    }
}
