//! The stored states of the keys of a plan, which threads take one by one and which are read for many keys at once.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use crate::fleet::ids::KeyId;
use crate::fleet::plan::PullPlan;
use crate::fleet::stored_key::StoredKey;
use crate::io::store::{Store, StoreError};
use crate::parallel::lock;

/// Number of keys that are read at once. More would only wait in memory for their turn.
const READ_AT_ONCE: usize = 32;

/// The stored states of the keys that a plan pulls. Nothing but the pull of a key changes its stored state during a run,
/// so the state may be read before that pull begins.
#[derive(Default)]
pub(crate) struct StoredKeys(Mutex<KeysAhead>);

#[derive(Default)]
struct KeysAhead {
    /// Keys that are not read yet, in the order of the plan.
    planned: VecDeque<KeyId>,
    /// States that were read and not taken yet.
    read: HashMap<KeyId, StoredKey>,
    /// A connection that has its statements prepared.
    reader: Option<Store>,
}

impl StoredKeys {
    /// Begins before the first key of a plan.
    pub(crate) fn new(plan: &PullPlan<'_>) -> Self {
        let planned = plan.pulls.iter().flat_map(|group| &group.keys).map(|key| key.entry.id).collect();
        Self(Mutex::new(KeysAhead { planned, ..KeysAhead::default() }))
    }

    /// Takes the stored state of a key.
    pub(crate) fn take(&self, key: KeyId, store: &Store) -> Result<StoredKey, StoreError> {
        let mut ahead = lock(&self.0);
        if let Some(stored) = ahead.read.remove(&key) {
            return Ok(stored);
        }
        let at_once = READ_AT_ONCE.min(ahead.planned.len());
        if ahead.planned.range(..at_once).all(|planned| *planned != key) {
            drop(ahead);
            return store.stored_key(key);
        }
        let next: Vec<KeyId> = ahead.planned.drain(..at_once).collect();
        if ahead.reader.is_none() {
            // If no connection can be opened, that of the calling thread reads.
            ahead.reader = store.reader().ok();
        }
        match read_ahead(&next, ahead.reader.as_ref().unwrap_or(store)) {
            Ok(read) => {
                ahead.read.extend(read);
                Ok(ahead.read.remove(&key).unwrap_or_default())
            }
            Err(error) if error.is_of_one_value() => {
                // A value that cannot be read fails its own key alone.
                drop(ahead);
                store.stored_key(key)
            }
            Err(error) => Err(error),
        }
    }
}

/// Reads the stored states of keys, with the small counters of their lives: most keys that are pulled again need these, and
/// they stand beside what is read of their lives.
fn read_ahead(keys: &[KeyId], store: &Store) -> Result<HashMap<KeyId, StoredKey>, StoreError> {
    let mut stored = store.stored_keys(keys)?;
    // Counters that are needed and are not there are read one by one, and that read tells what is damaged.
    for (key, counts) in store.small_counts_of(keys).unwrap_or_default() {
        stored.entry(key).or_default().counts = counts.into_iter().collect();
    }
    // Nothing is stored of a key that is new in this run.
    Ok(keys.iter().map(|key| (*key, stored.remove(key).unwrap_or_default())).collect())
}
