//! The stored states of keys, read for many keys at once: a statement for each key takes longer than the key itself.

use std::collections::HashMap;

use super::{Store, StoreError};
use crate::fleet::ids::KeyId;
use crate::fleet::stored_key::StoredKey;

impl Store {
    /// Returns the stored state of a key.
    pub(crate) fn stored_key(&self, key: KeyId) -> Result<StoredKey, StoreError> {
        Ok(self.stored_keys(&[key])?.remove(&key).unwrap_or_default())
    }

    /// Returns the stored states of keys. A key that is new in this run has none.
    ///
    /// A build group or a life that cannot be read fails all of them.
    pub(crate) fn stored_keys(&self, keys: &[KeyId]) -> Result<HashMap<KeyId, StoredKey>, StoreError> {
        let mut stored: HashMap<KeyId, StoredKey> = HashMap::with_capacity(keys.len());
        for (key, build_groups) in self.build_groups_of(keys)? {
            stored.entry(key).or_default().build_groups = build_groups;
        }
        for (key, lives) in self.lives_of(keys)? {
            stored.entry(key).or_default().lives = lives;
        }
        for (key, answers) in self.last_answers_of(keys)? {
            stored.entry(key).or_default().answers = answers.into_iter().collect();
        }
        for (key, processes) in self.processes_of(keys)? {
            stored.entry(key).or_default().processes = processes.into_iter().collect();
        }
        for (key, metas) in self.metas_of(keys)? {
            stored.entry(key).or_default().metas = metas;
        }
        for (key, unsettled) in self.unsettled_of(keys)? {
            stored.entry(key).or_default().unsettled = unsettled.into_iter().collect();
        }
        for (key, latest) in self.latest_of(keys)? {
            stored.entry(key).or_default().latest = latest.stats;
        }
        Ok(stored)
    }
}
