//! What the threads of a run share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::settlement::Pulled;
use crate::center::{Answer, Client, HttpError};
use crate::config::ChangeRule;
use crate::profile::{Build, Template, encode_build};
use crate::schedule::{Retry, Steps};
use crate::store::{Allocator, Change, Store, StructureId, Structures};
use crate::workdir::Locked;

/// What threads send to the one that writes.
pub(super) enum Message {
    /// To be carried out in one transaction.
    Changes(Vec<Change>),
    /// A key is done with, after these changes.
    Settled(Vec<Change>, Vec<Pulled>),
    /// The run cannot go on.
    Fatal(anyhow::Error),
}

/// How a pull decides.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) change: ChangeRule,
    pub(super) adopt: bool,
    pub(super) adopt_by_hand: Option<String>,
    pub(super) steps: Steps,
    pub(super) retry: Retry,
    pub(super) row_at_least_every: Duration,
}

/// What all threads of a run share.
pub(super) struct Shared<'a> {
    pub(super) client: &'a Client,
    pub(super) locked: &'a Locked,
    pub(super) allocator: &'a Allocator,
    pub(super) rules: Rules,
    pub(super) now: DateTime<Utc>,
    pub(super) messages: SyncSender<Message>,
    pub(super) stopped: &'a AtomicBool,
    pub(super) bytes: Arc<AtomicU64>,
    pub(super) structures: Mutex<Structures>,
    pub(super) templates: Mutex<HashMap<StructureId, Weak<Template>>>,
}

impl Shared<'_> {
    /// Sends to the thread that writes; it takes messages until the last sender is gone.
    pub(super) fn send(&self, message: Message) {
        let _ = self.messages.send(message);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Asks an address for its profile.
    pub(super) fn ask(&self, address: &str, known: &[Arc<Template>]) -> Result<Answer, HttpError> {
        let answer = self.client.profile(address, known)?;
        self.bytes.fetch_add(answer.bytes, Ordering::Relaxed);
        Ok(answer)
    }

    /// Returns the id of a structure, which is made known where it is new.
    ///
    /// The change is sent before the lock is let go, so that nobody refers to what is not there yet.
    pub(super) fn intern(
        &self,
        build: &Build,
        template: Option<&Arc<Template>>,
    ) -> anyhow::Result<StructureId> {
        let mut structures = lock(&self.structures);
        if let Some(&id) = structures.get(&build.fingerprint()) {
            return Ok(id);
        }
        let template = template.context("a build without a template that is not known")?;
        let id = self.allocator.structure();
        let data = encode_build(template);
        self.send(Message::Changes(vec![Change::Structure { id, fingerprint: build.fingerprint(), data }]));
        structures.insert(build.fingerprint(), id);
        lock(&self.templates).insert(id, Arc::downgrade(template));
        Ok(id)
    }

    /// Returns a structure, shared by all that use it at the same time.
    pub(super) fn template(&self, store: &Store, id: StructureId) -> anyhow::Result<Arc<Template>> {
        if let Some(template) = lock(&self.templates).get(&id).and_then(Weak::upgrade) {
            return Ok(template);
        }
        let template = Arc::new(store.structure(id)?);
        lock(&self.templates).insert(id, Arc::downgrade(&template));
        Ok(template)
    }
}

/// Locks; a thread that panicked has ended the run already.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
