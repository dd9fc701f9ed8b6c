//! A build without some of its files.

use std::ops::Range;
use std::sync::Arc;

use super::{Build, HitCounts};

/// A build without some of its files, and where the counts of those that are left stand among all.
#[derive(Clone, Debug)]
pub(crate) struct PartOfBuild {
    build: Arc<Build>,
    /// Places of the counts of neighbouring files.
    ranges: Vec<Range<usize>>,
}

impl PartOfBuild {
    /// Leaves files out; `None` where none would be, or none would be left.
    pub(crate) fn new(whole: &Build, is_left_out: impl Fn(&str) -> bool) -> Option<Self> {
        let (mut names, mut first, mut blocks) = (Vec::new(), vec![0], Vec::new());
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for file in whole.files().filter(|file| !is_left_out(file.name)) {
            names.push(file.name.into());
            blocks.extend_from_slice(file.blocks);
            first.push(u32::try_from(blocks.len()).expect("fewer than in the whole"));
            match ranges.last_mut().filter(|range| range.end == file.range.0) {
                Some(range) => range.end = file.range.1,
                None => ranges.push(file.range.0..file.range.1),
            }
        }
        if names.is_empty() || names.len() == whole.file_count() {
            return None;
        }
        Some(Self { build: Arc::new(Build::from_sorted(names, first, blocks)), ranges })
    }

    /// Returns the build that is left.
    pub(crate) fn build(&self) -> &Arc<Build> {
        &self.build
    }

    /// Returns the counts that are left of those of the whole build.
    pub(crate) fn counts(&self, whole: &[u64]) -> Vec<u64> {
        self.ranges.iter().flat_map(|range| &whole[range.clone()]).copied().collect()
    }

    /// Leaves the counters of the whole build that are left.
    pub(crate) fn leave(&self, whole: &mut HitCounts) {
        let (mut ranges, mut before) = (&self.ranges[..], 0);
        whole.move_to(self.build.blocks().len(), |block| {
            while let Some((range, later)) = ranges.split_first()
                && range.end <= block as usize
            {
                (before, ranges) = (before + range.len(), later);
            }
            let range = ranges.first().filter(|range| range.start <= block as usize)?;
            let place = before + block as usize - range.start;
            Some(u32::try_from(place).expect("fewer than in the whole"))
        });
    }
}

/// Returns the counts of the build `from` in the order of the blocks of the build `to`. A file that both builds have
/// has the same blocks in both; a file that only `to` has was never executed.
pub(crate) fn counts_as_of(counts: &[u64], from: &Build, to: &Build) -> Vec<u64> {
    let mut moved = Vec::with_capacity(to.blocks().len());
    for file in to.files() {
        match from.find(file.name) {
            Some(known) => moved.extend_from_slice(&counts[known.range.0..known.range.1]),
            None => moved.resize(moved.len() + file.blocks.len(), 0),
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::super::tests::profile;
    use super::*;

    #[test]
    fn files_are_left_out_with_their_counts() {
        let whole =
            profile("mode: set\na.go:1.1,2.2 1 1\nb.go:1.1,2.2 1 2\nb.go:3.1,4.2 1 3\nc.go:1.1,2.2 1 4\n");
        let part = |left_out: &str| PartOfBuild::new(&whole.build, |name| left_out.contains(name));
        let expected = profile("mode: set\na.go:1.1,2.2 1 1\nc.go:1.1,2.2 1 4\n");
        for left_out in ["a.go", "b.go", "c.go", "a.go b.go", "a.go c.go"] {
            let buffer: Vec<_> = (0..4).zip(1..).collect();
            let mut hits = HitCounts::from_unsorted(4, buffer, 4, u32::MAX);
            let part = part(left_out).unwrap();
            part.leave(&mut hits);
            assert_eq!(hits.counts(), part.counts(&whole.counts), "{left_out}");
        }
        let without_b = part("b.go").unwrap();
        assert_eq!((without_b.build(), without_b.counts(&whole.counts)), (&expected.build, expected.counts));
        assert_eq!(part("a.go").unwrap().counts(&whole.counts), [2, 3, 4]);
        assert!(part("d.go").is_none() && part("a.go b.go c.go").is_none());
    }

    #[test]
    fn counts_move_to_a_build_with_more_and_with_fewer_files() {
        let whole = profile("mode: set\na.go:1.1,2.2 1 1\nb.go:1.1,2.2 1 2\nb.go:3.1,4.2 1 3\n");
        let a = profile("mode: set\na.go:1.1,2.2 1 7\n");
        assert_eq!(counts_as_of(&whole.counts, &whole.build, &a.build), [1]);
        assert_eq!(counts_as_of(&a.counts, &a.build, &whole.build), [7, 0, 0]);
    }
}
