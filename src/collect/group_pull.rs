//! The pull of a group of addresses, from the first request to the rows of its keys.
//!
//! Threads share a group. Each thread asks one address, decides where its answer belongs, and sends the changes for the
//! database. Memory holds one sum for each build group, independent of the number of replicas. The thread with the last
//! answer ends the pull of the group.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

use crate::collect::address_pull::{AddressPull, KeyHandle};
use crate::collect::asking::ask;
use crate::collect::binary_answer;
use crate::collect::end_of_pull::EndOfPull;
use crate::collect::fault::FaultScope;
use crate::collect::open_key::OpenKey;
use crate::collect::outcome::{AddressFailure, KeyResult};
use crate::collect::run::{PullRun, StoreMessage};
use crate::collect::stored_keys::StoredKeys;
use crate::fleet::address_states::PeekedFraction;
use crate::fleet::change::Change;
use crate::fleet::plan::{AddressGroup, GroupAddress};
use crate::fleet::pulled_key::PulledKey;
use crate::fleet::targets::AgentKind;
use crate::fleet::votes::OtherKeys;
use crate::io::center::HttpError;
use crate::io::store::Store;
use crate::parallel::lock;

/// The pull of a group. The value is made when its first address is asked.
pub(crate) struct GroupPull<'a> {
    group: &'a AddressGroup<'a>,
    slots: Box<[KeySlot]>,
    left: Mutex<AddressesLeft>,
    /// The address whose fraction had changed in a peek at the group.
    peeked: Option<PeekedFraction>,
    /// The stored states of the keys of the plan.
    stored: Arc<StoredKeys>,
}

/// The place for the state of a key of the group.
#[derive(Default)]
struct KeySlot {
    open: OnceLock<Box<Mutex<OpenKey>>>,
    /// The lock of the thread that reads the stored state of the key.
    opening: Mutex<()>,
    /// Faults on this side that prevented the storing of an answer.
    faults: Mutex<BTreeSet<String>>,
}

/// Numbers of addresses whose pull has not ended.
struct AddressesLeft {
    of_one_key: usize,
    of_several: usize,
}

/// Asks the addresses of a group only for their fractions, and returns the first address whose fraction changed since
/// the last pull. If none changed, the failures of addresses are sent.
pub(crate) fn peek(group: &AddressGroup<'_>, run: &PullRun<'_>) -> Option<PeekedFraction> {
    let mut changes = Vec::new();
    let mut pulled = Vec::new();
    for GroupAddress { address, keys } in &group.addresses {
        if run.is_stopped() {
            return None;
        }
        let entries = || keys.iter().map(|&key| group.keys[key].entry);
        let kind = entries().find_map(|entry| entry.told_kind(address));
        let fraction = match kind {
            Some(kind) if kind != AgentKind::Goc => binary_answer::peek(run, address, &kind).map(Some),
            None if run.is_coverport(address) => peek_at_coverport(run, address),
            _ => run.client.fraction(address),
        };
        match fraction {
            Ok(None) => {}
            Ok(Some(fraction)) => {
                if entries().any(|entry| entry.state(address).is_moved_to(&fraction)) {
                    // The other addresses are pulled next. A failure counts only there, so that it does not count
                    // twice.
                    return Some(PeekedFraction { address: address.clone(), fraction });
                }
            }
            Err(_) if run.is_stopped() => return None,
            Err(error) => {
                for entry in entries() {
                    let error = error.to_string();
                    let state = entry.state(address).after_failure(&error, &run.rules.retry, run.now);
                    let next_try = state.retry.next_try;
                    pulled.push(KeyResult::peek_failed(
                        entry,
                        AddressFailure { address: address.clone(), error, next_try },
                    ));
                    changes.push(Change::Address { key: entry.id, address: address.clone(), state });
                }
            }
        }
    }
    if !changes.is_empty() {
        run.send(StoreMessage::Ended(changes, pulled));
    }
    None
}

/// Peeks at an address where an agent of the kind coverport was found. An agent of goc that answers there by now has
/// another fraction, so the pull that follows finds out its kind.
fn peek_at_coverport(run: &PullRun<'_>, address: &str) -> Result<Option<String>, HttpError> {
    match binary_answer::peek(run, address, &AgentKind::Coverport) {
        Err(error) if error.is_of_another_kind() => match run.client.fraction(address) {
            Ok(Some(fraction)) => Ok(Some(fraction)),
            _ => Err(error),
        },
        peeked => peeked.map(Some),
    }
}

impl<'a> GroupPull<'a> {
    /// Begins the pull of a group. `peeked` is the peek that is the reason for the pull, if one is.
    pub(crate) fn new(
        group: &'a AddressGroup<'a>,
        peeked: Option<PeekedFraction>,
        stored: Arc<StoredKeys>,
    ) -> Self {
        let left = AddressesLeft {
            of_one_key: group.addresses_of_one_key().len(),
            of_several: group.shared_addresses().len(),
        };
        let slots = group.keys.iter().map(|_| KeySlot::default()).collect();
        Self { group, slots, left: Mutex::new(left), peeked, stored }
    }

    /// Pulls one address; returns the indices of addresses that may be asked now.
    pub(crate) fn pull(
        &self,
        address: usize,
        run: &PullRun<'_>,
        store: &Store,
    ) -> anyhow::Result<std::ops::Range<usize>> {
        let asked = self.open(address, run, store).and_then(|pull| ask(&pull));
        if let Err(error) = asked {
            if FaultScope::from_error(&error) == FaultScope::Root {
                return Err(error);
            }
            for &key in &self.group.addresses[address].keys {
                lock(&self.slots[key].faults).insert(format!("{error:#}"));
            }
        }
        let is_of_one_key = self.group.addresses_of_one_key().contains(&address);
        let mut left = lock(&self.left);
        *(if is_of_one_key { &mut left.of_one_key } else { &mut left.of_several }) -= 1;
        let is_last_of_one_key = is_of_one_key && left.of_one_key == 0;
        let is_last = left.of_one_key == 0 && left.of_several == 0;
        drop(left);
        if is_last && !run.is_stopped() {
            self.end(run, store)?;
        }
        Ok(if is_last_of_one_key { self.group.shared_addresses() } else { 0..0 })
    }

    /// Reads the stored state of the keys that list an address.
    fn open<'g>(
        &'g self,
        address: usize,
        run: &'g PullRun<'_>,
        store: &'g Store,
    ) -> anyhow::Result<AddressPull<'g>> {
        let GroupAddress { address, keys } = &self.group.addresses[address];
        let handle = |&key: &usize| {
            let open = self.open_key(key, store)?;
            Ok(KeyHandle { entry: self.group.keys[key].entry, open, faults: &self.slots[key].faults })
        };
        let keys = keys.iter().map(handle).collect::<anyhow::Result<_>>()?;
        Ok(AddressPull { address, keys, run, store })
    }

    /// Reads the stored state of a key, unless another thread has read it.
    ///
    /// Threads that begin with a key at the same time wait for the first; otherwise each would read all build groups of
    /// the key.
    fn open_key(&self, key: usize, store: &Store) -> anyhow::Result<&Mutex<OpenKey>> {
        let KeySlot { open, opening, .. } = &self.slots[key];
        if let Some(open) = open.get() {
            return Ok(open);
        }
        let _opening = lock(opening);
        if let Some(open) = open.get() {
            return Ok(open);
        }
        let opened = OpenKey::from_stored(self.stored.take(self.group.keys[key].entry.id, store)?);
        Ok(open.get_or_init(|| Box::new(Mutex::new(opened))))
    }

    /// Decides the build and the row of each key in the group.
    pub(crate) fn end(&self, run: &PullRun<'_>, store: &Store) -> anyhow::Result<()> {
        // Meanwhile answers of other services wait for memory without a time limit.
        let _settling = run.memory.settling();
        let mut changes = Vec::new();
        let mut pulled = Vec::new();
        let others = self.other_keys(store)?;
        for (index, key) in self.group.keys.iter().enumerate() {
            let asked = self.group.asked_for(index);
            let mark = run.mark_of(key.entry.id);
            let is_touched = key.entry.schedule.unfinished || key.entry.came_in || mark.is_some();
            if asked.is_empty() && !is_touched {
                continue;
            }
            let faults = std::mem::take(&mut *lock(&self.slots[index].faults));
            let (rules, now, asked) = (&run.rules, run.now, asked.into_iter().collect());
            let frame = PulledKey { entry: key.entry, asked, full: key.full, rules, now };
            let ended = self.open_key(index, store).and_then(|open| {
                let mut open = std::mem::take(&mut *lock(open));
                open.state.faults.extend(faults.iter().cloned());
                let (others, peeked) = (&others, self.peeked.as_ref());
                EndOfPull { key: frame, reason: key.reason, index, mark, others, peeked, open, run, store }
                    .decide(&mut changes)
            });
            pulled.push(match ended {
                Err(error) if FaultScope::from_error(&error) == FaultScope::Service => {
                    changes.push(Change::Unfinished(key.entry.id));
                    let faults = faults.into_iter().chain([format!("{error:#}")]).collect();
                    KeyResult::not_stored(key.entry, key.reason, faults)
                }
                ended => ended?,
            });
        }
        run.send(StoreMessage::Ended(changes, pulled));
        Ok(())
    }

    /// Returns the builds that the keys of the group show, if it has several keys.
    fn other_keys(&self, store: &Store) -> anyhow::Result<OtherKeys> {
        let mut others = OtherKeys::default();
        if self.group.keys.len() > 1 {
            for (index, key) in self.group.keys.iter().enumerate() {
                match self.open_key(index, store) {
                    Ok(open) => others.note(index, key.entry, &lock(open).state),
                    Err(error) if FaultScope::from_error(&error) == FaultScope::Root => return Err(error),
                    // The end of the key's own pull reports the error.
                    Err(_) => {}
                }
            }
        }
        Ok(others)
    }
}
