//! The coverage of functions, counted as Go counts it.

use crate::code::gosrc::FuncExtent;
use crate::coverage::Coverage;
use crate::profile::Block;

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionReport {
    /// Its name and its place in the text.
    pub extent: FuncExtent,
    /// Statements of the blocks that overlap it. A closure counts for the function around it.
    pub coverage: Coverage,
    /// Number of times it was entered: the count of its first block.
    pub hits: u64,
    /// The function was entered at other commits alone: its first block is carried from there.
    pub is_carried: bool,
    /// Covered and all statements that marks take out of it.
    pub ignored: Coverage,
}

impl FunctionReport {
    /// Returns the number of times that it was entered at this commit.
    pub(super) fn own_hits(&self) -> u64 {
        if self.is_carried { 0 } else { self.hits }
    }
}

/// Sums for each function the blocks that overlap it, as Go does (`coverage` in its cmd/cover/func.go).
///
/// Blocks are in order of their starts; their ends need not ascend, and line comments can put functions anywhere. The
/// blocks that overlap a function are those that begin before its end, without those that end before its start. So the
/// difference of two running sums gives the result. Comparing every block with every function would take hours for a
/// hostile profile.
///
/// `carried` has the origin of each carried block, as [`crate::carry::BlockOrigins::of`] does, or nothing.
pub(super) fn covered_functions(
    blocks: &[Block],
    counts: &[u64],
    carried: &[u32],
    functions: Vec<FuncExtent>,
) -> Vec<FunctionReport> {
    let coverage = |index: usize| block_coverage(&blocks[index], counts[index]);
    // A block that ends before it begins fits into neither order, so it is compared with each function.
    let (upright, inverted): (Vec<usize>, Vec<usize>) =
        (0..blocks.len()).partition(|&index| blocks[index].start <= blocks[index].end);
    let mut by_end = upright.clone();
    by_end.sort_by_key(|&index| blocks[index].end);
    let sums = |order: &[usize]| {
        let mut sum = Coverage::default();
        std::iter::once(sum)
            .chain(order.iter().map(|&index| {
                sum += coverage(index);
                sum
            }))
            .collect::<Vec<_>>()
    };
    let (sums_by_start, sums_by_end) = (sums(&upright), sums(&by_end));
    let mut furthest = (0, 0);
    let furthest_ends: Vec<(u32, u32)> = blocks
        .iter()
        .map(|block| {
            furthest = furthest.max(block.end);
            furthest
        })
        .collect();
    let covered = |extent: FuncExtent| {
        let begun = sums_by_start[upright.partition_point(|&index| blocks[index].start < extent.end)];
        let ended = sums_by_end[by_end.partition_point(|&index| blocks[index].end <= extent.start)];
        let mut sum = Coverage {
            covered: begun.covered.saturating_sub(ended.covered),
            total: begun.total.saturating_sub(ended.total),
        };
        let overlaps = |block: &Block| block.start < extent.end && block.end > extent.start;
        // Line comments can make a function end before it begins, too.
        if extent.end <= extent.start {
            sum = self::sum(blocks, counts, |block| block.start <= block.end && overlaps(block));
        }
        for &index in inverted.iter().filter(|&&index| overlaps(&blocks[index])) {
            sum += coverage(index);
        }
        // The running maximum of the ends first passes the function's start at the first block that ends after it.
        let entry = furthest_ends.partition_point(|end| *end <= extent.start);
        let is_entered = blocks.get(entry).is_some_and(|block| block.start < extent.end);
        let is_carried = is_entered && carried.get(entry).is_some_and(|&origin| origin > 0);
        let hits = if is_entered { counts[entry] } else { 0 };
        FunctionReport { extent, coverage: sum, hits, is_carried, ignored: Coverage::default() }
    };
    functions.into_iter().map(covered).collect()
}

pub(super) fn sum(blocks: &[Block], counts: &[u64], counted: impl Fn(&Block) -> bool) -> Coverage {
    let counted = blocks.iter().zip(counts).filter(|(block, _)| counted(block));
    counted.map(|(block, &count)| block_coverage(block, count)).sum()
}

/// Returns the statements of one block.
pub(super) fn block_coverage(block: &Block, count: u64) -> Coverage {
    let statements = u64::from(block.statements);
    Coverage { covered: if count > 0 { statements } else { 0 }, total: statements }
}

#[cfg(test)]
mod tests {
    use super::super::testing::written;
    use super::*;

    fn func(profile: &str, sources: &[Option<&str>]) -> String {
        written("func", profile, sources)
    }

    #[test]
    fn closures_count_for_the_function_around_them_and_variables_for_none() {
        let source = "package p\nvar v = func() int {\n\treturn 1\n}\n\nfunc a() {\n\tf := func() {\n\t\tb()\n\t}\n\tf()\n}\n\nfunc b() {}\n";
        let profile = "mode: set\nm/p.go:2.20,4.2 1 1\nm/p.go:6.10,7.13 1 1\nm/p.go:7.13,9.3 1 0\nm/p.go:9.3,11.2 1 1\n";
        assert_eq!(
            func(profile, &[Some(source)]),
            "m/p.go:6:\ta\t\t66.7%\nm/p.go:13:\tb\t\t0.0%\ntotal:\t\t(statements)\t66.7%\n"
        );
    }

    #[test]
    fn a_block_that_overlaps_two_functions_counts_in_each() {
        let source = "package p\nfunc a() {}\nfunc b() {}\n";
        assert_eq!(
            func("mode: set\nm/p.go:2.10,3.11 2 1\n", &[Some(source)]),
            "m/p.go:2:\ta\t\t100.0%\nm/p.go:3:\tb\t\t100.0%\ntotal:\t\t(statements)\t100.0%\n"
        );
    }

    #[test]
    fn sums_of_functions_are_those_of_looking_at_each_block() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut blocks: Vec<Block> = (0..rng.usize(0..30))
                .map(|_| Block {
                    start: (rng.u32(1..9), rng.u32(0..4)),
                    end: (rng.u32(1..9), rng.u32(0..4)),
                    statements: rng.u32(0..5),
                })
                .collect();
            blocks.sort_unstable();
            let counts: Vec<u64> = blocks.iter().map(|_| rng.u64(0..3)).collect();
            let extent =
                |start: (u32, u32), end| FuncExtent { name: "f".into(), receiver: "".into(), start, end };
            let functions: Vec<FuncExtent> = (0..10)
                .map(|_| extent((rng.u32(1..9), rng.u32(0..4)), (rng.u32(1..9), rng.u32(0..4))))
                .collect();
            let found = covered_functions(&blocks, &counts, &[], functions.clone());
            for (function, extent) in found.iter().zip(&functions) {
                let overlaps = |block: &Block| block.start < extent.end && block.end > extent.start;
                assert_eq!(function.coverage, sum(&blocks, &counts, overlaps), "{blocks:?} {extent:?}");
            }
        }
    }
}
