//! The counters above zero of a build. Most blocks of a large program are never executed, so these are far fewer.

/// A counter above zero: the index of its block among those of the build, and the count.
pub(crate) type Hit = (u32, u32);

/// The counters above zero of a build, sorted by their blocks, each block once.
#[derive(Debug)]
pub(crate) struct HitCounts {
    /// Number of blocks of the build.
    blocks: usize,
    /// The counters, and any others behind them.
    buffer: Vec<Hit>,
    len: usize,
}

impl HitCounts {
    /// Sorts the first `len` counters of a buffer. Counters of one block are added, up to `most`.
    pub(super) fn from_unsorted(blocks: usize, mut buffer: Vec<Hit>, mut len: usize, most: u32) -> Self {
        let hits = &mut buffer[..len];
        // Programs that count packages in the order of their names have them sorted already.
        if !hits.is_sorted_by(|a, b| a.0 < b.0) {
            hits.sort_by_key(|(block, _)| *block);
            len = 0;
            for at in 0..hits.len() {
                let (block, count) = hits[at];
                match hits[..len].last_mut() {
                    Some((last, sum)) if *last == block => *sum = sum.saturating_add(count).min(most),
                    _ => {
                        hits[len] = (block, count);
                        len += 1;
                    }
                }
            }
        }
        Self { blocks, buffer, len }
    }

    /// Returns the number of blocks of the build.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Returns the counters above zero.
    pub(crate) fn hits(&self) -> &[Hit] {
        &self.buffer[..self.len]
    }

    /// Returns the counters of all blocks.
    pub(crate) fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.blocks];
        for &(block, count) in self.hits() {
            counts[block as usize] = count.into();
        }
        counts
    }

    /// Returns the buffer, for other counters.
    pub(crate) fn into_buffer(self) -> Vec<Hit> {
        self.buffer
    }

    /// Replaces the blocks by those of another build with so many blocks. Counters of blocks that it does not have are
    /// dropped; the order of the blocks is the same in both builds.
    pub(super) fn move_to(&mut self, blocks: usize, mut place: impl FnMut(u32) -> Option<u32>) {
        let mut len = 0;
        for at in 0..self.len {
            let (block, count) = self.buffer[at];
            if let Some(block) = place(block) {
                self.buffer[len] = (block, count);
                len += 1;
            }
        }
        (self.blocks, self.len) = (blocks, len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_sorted_and_those_of_one_block_are_added() {
        let hits = |unsorted: &[Hit], most| {
            let mut buffer = unsorted.to_vec();
            buffer.push((0, 99));
            HitCounts::from_unsorted(6, buffer, unsorted.len(), most)
        };
        let sorted = hits(&[(4, 7), (1, 2), (4, u32::MAX), (0, 1)], u32::MAX);
        assert_eq!(sorted.hits(), [(0, 1), (1, 2), (4, u32::MAX)]);
        assert_eq!(sorted.counts(), [1, 2, 0, 0, u64::from(u32::MAX), 0]);
        assert_eq!(hits(&[(4, 1), (1, 1), (4, 1)], 1).hits(), [(1, 1), (4, 1)]);
        assert_eq!(hits(&[], 1).counts(), [0; 6]);
    }
}
