//! The pull of a group of addresses, from the first request to the rows of its keys.
//!
//! Threads share a group. Each asks one address, decides where its answer belongs, and sends what the
//! database is to learn; memory holds one sum a build group, whatever the number of replicas. The thread
//! that has the last answer ends the pull of the group.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock};

use crate::collect::address_pull::{AddressPull, KeyHandle};
use crate::collect::asking::ask;
use crate::collect::end_of_pull::EndOfPull;
use crate::collect::fault::Reach;
use crate::collect::open_key::OpenKey;
use crate::collect::outcome::{Failure, KeyResult};
use crate::collect::run::{Message, Run};
use crate::fleet::address_states::Peeked;
use crate::fleet::change::Change;
use crate::fleet::plan::{AddressGroup, GroupAddress};
use crate::fleet::pulled_key::PulledKey;
use crate::fleet::votes::OtherKeys;
use crate::io::store::Store;
use crate::parallel::lock;

/// The pull of a group, made when its first address is asked.
pub(crate) struct GroupPull<'a> {
    group: &'a AddressGroup<'a>,
    slots: Box<[KeySlot]>,
    left: Mutex<Left>,
    /// The address that had moved when the group was peeked at.
    peeked: Option<Peeked>,
}

/// Room for a key of the group.
#[derive(Default)]
struct KeySlot {
    open: OnceLock<Box<Mutex<OpenKey>>>,
    /// Held by the thread that reads what is stored of the key.
    opening: Mutex<()>,
    /// Faults on our own side that kept an answer from being stored.
    faults: Mutex<BTreeSet<String>>,
}

/// How many addresses are not done with.
struct Left {
    of_one_key: usize,
    of_several: usize,
}

/// Asks the addresses of a group for their fractions alone, up to the first that moved since the last pull, which is
/// returned. Sends the addresses that failed if none moved.
pub(crate) fn peek(group: &AddressGroup<'_>, run: &Run<'_>) -> Option<Peeked> {
    let mut changes = Vec::new();
    let mut pulled = Vec::new();
    for GroupAddress { address, keys } in &group.addresses {
        if run.is_stopped() {
            return None;
        }
        let entries = || keys.iter().map(|&key| group.keys[key].entry);
        match run.client.fraction(address) {
            Ok(None) => {}
            Ok(Some(fraction)) => {
                if entries().any(|entry| entry.state(address).is_moved_to(&fraction)) {
                    // The others are about to be pulled anyway; a failure counts once, then.
                    return Some(Peeked { address: address.clone(), fraction });
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
                        Failure { address: address.clone(), error, next_try },
                    ));
                    changes.push(Change::Address { key: entry.id, address: address.clone(), state });
                }
            }
        }
    }
    if !changes.is_empty() {
        run.send(Message::Ended(changes, pulled));
    }
    None
}

impl<'a> GroupPull<'a> {
    /// Begins the pull of a group; `peeked` is the reason where a peek is.
    pub(crate) fn new(group: &'a AddressGroup<'a>, peeked: Option<Peeked>) -> Self {
        let left = Left {
            of_one_key: group.addresses_of_one_key().len(),
            of_several: group.shared_addresses().len(),
        };
        let slots = group.keys.iter().map(|_| KeySlot::default()).collect();
        Self { group, slots, left: Mutex::new(left), peeked }
    }

    /// Pulls one address and returns those that may be asked now.
    pub(crate) fn pull(
        &self,
        address: usize,
        run: &Run<'_>,
        store: &Store,
    ) -> anyhow::Result<std::ops::Range<usize>> {
        let asked = self.open(address, run, store).and_then(|pull| ask(&pull));
        if let Err(error) = asked {
            if Reach::from_error(&error) == Reach::Root {
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

    /// Reads what is stored of the keys that list an address.
    fn open<'g>(
        &'g self,
        address: usize,
        run: &'g Run<'_>,
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

    /// Reads what is stored of a key where no thread has done so yet.
    ///
    /// Threads that begin with a key together wait for the first: each would read all of its build groups otherwise.
    fn open_key(&self, key: usize, store: &Store) -> anyhow::Result<&Mutex<OpenKey>> {
        let KeySlot { open, opening, .. } = &self.slots[key];
        if let Some(open) = open.get() {
            return Ok(open);
        }
        let _opening = lock(opening);
        if let Some(open) = open.get() {
            return Ok(open);
        }
        let opened = OpenKey::open(self.group.keys[key].entry, store)?;
        Ok(open.get_or_init(|| Box::new(Mutex::new(opened))))
    }

    /// Decides what each key of the group shows now.
    pub(crate) fn end(&self, run: &Run<'_>, store: &Store) -> anyhow::Result<()> {
        // Answers of other services wait for the memory of this one as long as it takes.
        let _settling = run.memory.settling();
        let mut changes = Vec::new();
        let mut pulled = Vec::new();
        let others = self.other_keys(store)?;
        for (index, key) in self.group.keys.iter().enumerate() {
            let asked = self.group.asked_for(index);
            if asked.is_empty() && !key.entry.schedule.unfinished && !key.entry.came_in {
                continue;
            }
            let faults = std::mem::take(&mut *lock(&self.slots[index].faults));
            let (rules, now, asked) = (&run.rules, run.now, asked.into_iter().collect());
            let frame = PulledKey { entry: key.entry, asked, full: key.full, rules, now };
            let ended = self.open_key(index, store).and_then(|open| {
                let mut open = std::mem::take(&mut *lock(open));
                open.state.faults.extend(faults.iter().cloned());
                let (others, peeked) = (&others, self.peeked.as_ref());
                EndOfPull { key: frame, reason: key.reason, index, others, peeked, open, run, store }
                    .decide(&mut changes)
            });
            pulled.push(match ended {
                Err(error) if Reach::from_error(&error) == Reach::Service => {
                    changes.push(Change::Unfinished(key.entry.id));
                    let faults = faults.into_iter().chain([format!("{error:#}")]).collect();
                    KeyResult::not_stored(key.entry, key.reason, faults)
                }
                ended => ended?,
            });
        }
        run.send(Message::Ended(changes, pulled));
        Ok(())
    }

    /// Returns the builds that the keys of the group show, where there are several.
    fn other_keys(&self, store: &Store) -> anyhow::Result<OtherKeys> {
        let mut others = OtherKeys::default();
        if self.group.keys.len() > 1 {
            for (index, key) in self.group.keys.iter().enumerate() {
                match self.open_key(index, store) {
                    Ok(open) => others.note(index, key.entry, &lock(open).state),
                    Err(error) if Reach::from_error(&error) == Reach::Root => return Err(error),
                    // The end of its own pull names the error.
                    Err(_) => {}
                }
            }
        }
        Ok(others)
    }
}
