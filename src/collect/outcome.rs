//! The result of the pull of a key.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::coverage::Coverage;
use crate::fleet::adoption::Adoption;
use crate::fleet::ids::KeyId;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pending::PendingAdoption;
use crate::fleet::schedule::DueReason;
use crate::profile::Fingerprint;

/// The result of the pull of a key. A run keeps all results until its end, so they copy nothing from the fleet.
#[derive(Clone, Debug)]
pub(crate) struct KeyResult {
    pub(crate) key: KeyId,
    pub(crate) reason: DueReason,
    pub(crate) outcome: KeyOutcome,
    pub(crate) coverage: Option<Coverage>,
    pub(crate) before: Option<Coverage>,
    /// Number of addresses that answered for the key, of those listed or asked.
    pub(crate) answered: usize,
    pub(crate) known: usize,
    /// Addresses that answered in this pull. The list is filled only for [`DueReason::LastChance`], because other runs
    /// need no names and a large fleet has many.
    pub(crate) answering: Vec<String>,
    pub(crate) bytes: u64,
    pub(crate) restarted: usize,
    pub(crate) failures: Vec<AddressFailure>,
    pub(crate) quarantined: Vec<QuarantinedAddress>,
    /// Addresses whose process belongs to another key, with a name of that key.
    pub(crate) elsewhere: Vec<(String, String)>,
    pub(crate) adopted: Vec<Adoption>,
    /// A build that may be adopted soon.
    pub(crate) pending: Option<Box<PendingAdoption>>,
    pub(crate) next_due: Option<DateTime<Utc>>,
    /// Faults on this side that concern only this key.
    pub(crate) faults: BTreeSet<String>,
    /// Sentences about the key that people should know, and that are no faults.
    pub(crate) notes: BTreeSet<String>,
    /// Sentences about programs that are new, for those who want to know everything.
    pub(crate) details: BTreeSet<String>,
}

impl KeyResult {
    /// Returns the result for a key without any decision.
    pub(crate) fn not_stored(entry: &KeyEntry, reason: DueReason, faults: BTreeSet<String>) -> Self {
        let outcome = KeyOutcome::NotStored;
        Self { reason, outcome, faults, ..Self::empty(entry) }
    }

    /// Changes the result to one of which nothing was stored, because the database refused it.
    pub(crate) fn refused(&mut self, outcome: KeyOutcome, fault: String) {
        self.outcome = outcome;
        self.coverage = self.before;
        self.adopted.clear();
        self.faults.insert(fault);
    }

    /// Returns the result for an address that failed in a peek.
    pub(crate) fn peek_failed(entry: &KeyEntry, failure: AddressFailure) -> Self {
        Self { failures: vec![failure], ..Self::empty(entry) }
    }

    /// Tells whether the key was pulled because a peek found that its coverage moved.
    pub(crate) fn was_due_by_peek(&self) -> bool {
        self.reason == DueReason::Peeked && self.outcome != KeyOutcome::NotDue
    }

    /// Returns a result without any data.
    pub(crate) fn empty(entry: &KeyEntry) -> Self {
        Self {
            key: entry.id,
            reason: DueReason::Peeked,
            outcome: KeyOutcome::NotDue,
            coverage: None,
            before: None,
            answered: 0,
            known: entry.addresses().len(),
            answering: Vec::new(),
            bytes: 0,
            restarted: 0,
            failures: Vec::new(),
            quarantined: Vec::new(),
            elsewhere: Vec::new(),
            adopted: Vec::new(),
            pending: None,
            next_due: entry.schedule.schedule.next_due,
            faults: BTreeSet::new(),
            notes: BTreeSet::new(),
            details: BTreeSet::new(),
        }
    }
}

/// The outcome of the pull of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyOutcome {
    /// Coverage changed.
    Changed,
    /// Coverage did not change.
    Unchanged,
    /// No address answered for the key.
    NothingAnswered,
    /// The counters are in the database, but the row could not be stored.
    NotStored,
    /// The database refused the counters.
    Refused,
    /// The key was not due, and only a peek was tried.
    NotDue,
}

/// An address that failed.
#[derive(Clone, Debug)]
pub(crate) struct AddressFailure {
    pub(crate) address: String,
    pub(crate) error: String,
    pub(crate) next_try: Option<DateTime<Utc>>,
}

/// An address whose data was set aside.
#[derive(Clone, Debug)]
pub(crate) struct QuarantinedAddress {
    pub(crate) address: String,
    pub(crate) build: Fingerprint,
    pub(crate) why: WhyQuarantined,
}

/// The reason for which data is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhyQuarantined {
    /// The profile has no blocks, so there is nothing to show.
    NoBlocks,
    /// The build is not the one that the key shows.
    OtherBuild,
    /// The address is listed under two keys, and the answer does not show to which it belongs.
    Undecided,
}
