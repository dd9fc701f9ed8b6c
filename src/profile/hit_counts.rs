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
        let hits = &buffer[..len];
        // Programs that count packages in the order of their names have them sorted already.
        if !hits.is_sorted_by(|a, b| a.0 < b.0) {
            sort(blocks, &mut buffer, len);
            let hits = &mut buffer[..len];
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

/// Number of counters below which they are sorted by comparisons. A pass also goes over the places of all digits.
const MANY: usize = 256;
/// Largest number of bits of a block that one pass sorts by. The places for more would not stay in the cache.
const MOST_BITS: u32 = 11;

/// Sorts the first `len` counters of a buffer by their blocks; the counters behind them are of no use then.
///
/// The first pass sorts by the lower half of the bits of a block, and the second one by the upper half.
fn sort(blocks: usize, buffer: &mut [Hit], len: usize) {
    let (hits, behind) = buffer.split_at_mut(len);
    let bits = (usize::BITS - blocks.leading_zeros()).div_ceil(2);
    if len < MANY || behind.len() < len || bits > MOST_BITS {
        hits.sort_by_key(|(block, _)| *block);
        return;
    }
    let (lower, upper) =
        (|block: u32| (block & ((1 << bits) - 1)) as usize, |block: u32| (block >> bits) as usize);
    // The numbers of counters become the places of the next ones.
    let mut next = vec![[0; 2]; 1 << bits];
    for &(block, _) in &*hits {
        next[lower(block)][0] += 1;
        next[upper(block)][1] += 1;
    }
    let mut before = [0; 2];
    for places in &mut next {
        for (place, before) in places.iter_mut().zip(&mut before) {
            *before += std::mem::replace(place, *before);
        }
    }
    for &hit in &*hits {
        let place = &mut next[lower(hit.0)][0];
        behind[*place] = hit;
        *place += 1;
    }
    for &hit in &behind[..len] {
        let place = &mut next[upper(hit.0)][1];
        hits[*place] = hit;
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn many_counters_are_sorted_as_few(
            blocks in prop_oneof![1..3000_u32, Just(16_632), Just(1 << 22), Just((1 << 22) + 1)],
            unsorted in prop::collection::vec(any::<Hit>(), 0..1500),
            room in 0..2000_usize,
        ) {
            let mut buffer: Vec<Hit> =
                unsorted.iter().map(|&(number, count)| (number % blocks, count)).collect();
            let len = buffer.len();
            let mut expected = buffer.clone();
            expected.sort_by_key(|(block, _)| *block);
            buffer.resize(len + room, (9, 9));
            sort(blocks as usize, &mut buffer, len);
            prop_assert_eq!(&buffer[..len], expected);
        }
    }

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
