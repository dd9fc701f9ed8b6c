//! The counters of pulled lives, kept while the files of one service are taken in.

use std::collections::HashMap;
use std::sync::Arc;

use crate::fleet::ids::LifeId;
use crate::memory::{Memory, Reservation};

/// Decoded counters of the lives with which each file is compared, as many as the memory of the run has room for.
pub(super) struct KeptCounts {
    /// `None`: the life is gone.
    counts: HashMap<LifeId, Option<Arc<[u64]>>>,
    bytes: u64,
    memory: Reservation,
    /// Further counters are read each time.
    is_full: bool,
}

impl KeptCounts {
    pub(super) fn new(memory: &Arc<Memory>) -> Self {
        Self { counts: HashMap::new(), bytes: 0, memory: memory.only_reader(), is_full: false }
    }

    /// Returns the counters of a life, which `read` reads where they are not kept; `None` if the life is gone.
    pub(super) fn of<E>(
        &mut self,
        life: LifeId,
        read: impl FnOnce() -> Result<Option<Vec<u64>>, E>,
    ) -> Result<Option<Arc<[u64]>>, E> {
        if let Some(kept) = self.counts.get(&life) {
            return Ok(kept.clone());
        }
        let counts: Option<Arc<[u64]>> = read()?.map(Arc::from);
        let bytes = self.bytes + counts.as_ref().map_or(0, |counts| size_of_val::<[u64]>(counts)) as u64;
        if !self.is_full && self.memory.grow_to(bytes).is_ok() {
            self.bytes = bytes;
            self.counts.insert(life, counts.clone());
        } else {
            self.is_full = true;
        }
        Ok(counts)
    }

    /// Gives its memory back, and keeps nothing more. Tells whether there was any.
    pub(super) fn give_back(&mut self) -> bool {
        self.is_full = true;
        self.counts = HashMap::new();
        self.memory.keep(0);
        std::mem::take(&mut self.bytes) > 0
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Reads the counters of each life so often; returns how often they were decoded.
    fn decoded(kept: &mut KeptCounts, lives: i64, times: usize) -> usize {
        let mut decoded = 0;
        for life in (0..times).flat_map(|_| 0..lives) {
            let counts = vec![u64::try_from(life).unwrap(); 10];
            let read = || {
                decoded += 1;
                Ok::<_, Infallible>(Some(counts.clone()))
            };
            let Ok(found) = kept.of(LifeId(life), read);
            assert_eq!(found.as_deref(), Some(&counts[..]));
        }
        decoded
    }

    #[test]
    fn counters_are_decoded_once_as_far_as_there_is_memory() {
        let memory = Memory::new(1000);
        assert_eq!(decoded(&mut KeptCounts::new(&memory), 12, 5), 12);
        // Twelve have room.
        assert_eq!(decoded(&mut KeptCounts::new(&memory), 20, 5), 12 + 5 * 8);
    }

    #[test]
    fn memory_that_something_else_needs_is_given_back() {
        let memory = Memory::new(1000);
        let mut kept = KeptCounts::new(&memory);
        decoded(&mut kept, 12, 1);
        let mut file = memory.only_reader();
        assert!(file.grow_to(500).is_err());
        assert!(kept.give_back() && !kept.give_back());
        file.grow_to(1000).unwrap();
        assert_eq!(decoded(&mut kept, 3, 2), 6);
    }

    #[test]
    fn a_life_that_is_gone_stays_gone() {
        let mut kept = KeptCounts::new(&Memory::new(1000));
        assert_eq!(kept.of(LifeId(2), || Ok::<_, Infallible>(None)), Ok(None));
        let read = || Ok::<_, Infallible>(Some(vec![1, 0]));
        assert_eq!(kept.of(LifeId(1), read).unwrap().as_deref(), Some(&[1, 0][..]));
        assert_eq!(kept.of(LifeId(2), read), Ok(None));
    }
}
