//! The lines of blocks, for forms that count only lines.
//!
//! A line belongs to a block if the block has statements and has code of its own on the line. The closing brace of a
//! block, blank lines and comments do not belong to it. Several blocks can share a line.

use std::ops::Range;

use crate::code::gosrc::{CodeLines, FuncExtent};
use crate::coverage::Coverage;
use crate::profile::Block;

/// Largest believed average number of lines that a block spans when the text is unknown, because a hostile profile may
/// claim any number. In a file beyond the limit each block has only its first and last line.
const LINES_OF_A_BLOCK: u64 = 32;
/// Largest believed average number of blocks that span a line of a known text.
const BLOCKS_OF_A_LINE: u64 = 4;
/// Number of lines of a file that is always believed.
const FREE_LINES: u64 = 4096;

/// A line on which a block has code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineReport {
    /// Counted from 1.
    pub line: u32,
    /// Number of blocks with code on the line.
    pub blocks: u32,
    /// Number of executed blocks with code on the line.
    pub hit_blocks: u32,
    /// Number of executed blocks that are carried from other commits.
    pub carried_blocks: u32,
    /// The largest count of these blocks.
    pub hits: u64,
}

/// The state of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineState {
    /// All code of the line was executed.
    Hit,
    /// Only a part of its code was executed.
    Partly,
    /// None of its code was executed.
    Missed,
}

impl LineReport {
    /// Returns the state of the line.
    #[must_use]
    pub(crate) fn state(&self) -> LineState {
        match self.hit_blocks {
            0 => LineState::Missed,
            hit if hit < self.blocks => LineState::Partly,
            _ => LineState::Hit,
        }
    }

    /// Tells whether all code of the line was executed, but some of it at other commits alone.
    #[must_use]
    pub(crate) fn is_carried(&self) -> bool {
        self.carried_blocks > 0 && self.state() == LineState::Hit
    }

    /// Returns the largest count of its blocks at this commit.
    #[must_use]
    pub(crate) fn own_hits(&self) -> u64 {
        if self.carried_blocks < self.hit_blocks { self.hits } else { 0 }
    }
}

/// Returns the lines of a file's blocks in ascending order. `code` is `None` when the text is unknown; then a block has
/// code on all lines that it spans.
pub(super) fn from_blocks(blocks: &[Block], counts: &[u64], code: Option<&CodeLines<'_>>) -> Vec<LineReport> {
    let last_line = code.map_or(u32::MAX, |code| u32::try_from(code.count()).unwrap_or(u32::MAX));
    let counted = || blocks.iter().zip(counts).filter(|(block, _)| block.statements > 0);
    let span = |block: &Block| u64::from(block.end.0.min(last_line).saturating_sub(block.start.0)) + 1;
    let believed = match code {
        Some(code) => BLOCKS_OF_A_LINE * code.count() as u64,
        None => LINES_OF_A_BLOCK * blocks.len() as u64,
    };
    let spanned: u64 = counted().map(|(block, _)| span(block)).sum();
    let is_believed = spanned <= FREE_LINES + believed;
    // A list that grows would be copied several times.
    let most = if is_believed { spanned.min(last_line.into()) } else { 2 * blocks.len() as u64 };
    let mut found: Vec<LineReport> = Vec::with_capacity(usize::try_from(most).unwrap_or_default());
    let mut is_sorted = true;
    for (block, &hits) in counted() {
        let last = block.end.0.min(last_line);
        let step = if is_believed { 1 } else { (last.saturating_sub(block.start.0) as usize).max(1) };
        for line in (block.start.0..=last).step_by(step) {
            if !has_code(block, line, code) {
                continue;
            }
            let hit_blocks = u32::from(hits > 0);
            match found.last_mut() {
                Some(last) if last.line == line => {
                    last.blocks += 1;
                    last.hit_blocks += hit_blocks;
                    last.hits = last.hits.max(hits);
                }
                last => {
                    is_sorted &= last.is_none_or(|last| last.line < line);
                    found.push(LineReport { line, blocks: 1, hit_blocks, carried_blocks: 0, hits });
                }
            }
        }
    }
    if !is_sorted {
        found.sort_unstable_by_key(|line| line.line);
        found.dedup_by(|later, earlier| {
            let is_same = later.line == earlier.line;
            if is_same {
                earlier.blocks += later.blocks;
                earlier.hit_blocks += later.hit_blocks;
                earlier.carried_blocks += later.carried_blocks;
                earlier.hits = earlier.hits.max(later.hits);
            }
            is_same
        });
    }
    // The lines of thousands of files are in memory at the same time.
    found.shrink_to_fit();
    found
}

/// Sets the number of carried blocks of the lines of a file's blocks. `carried` has the origin of each block, as
/// [`crate::carry::BlockOrigins::of`] tells it.
pub(super) fn set_carried(
    lines: &mut [LineReport],
    blocks: &[Block],
    carried: &[u32],
    code: Option<&CodeLines<'_>>,
) {
    let carried: Vec<u64> = carried.iter().copied().map(u64::from).collect();
    // The same blocks have the same lines.
    for (line, carried) in lines.iter_mut().zip(from_blocks(blocks, &carried, code)) {
        line.carried_blocks = carried.hit_blocks;
    }
}

/// Returns the numbers of lines that are not among others. Both ascend.
pub(super) fn without(lines: &[LineReport], others: &[LineReport]) -> Vec<u32> {
    let is_other = |line: u32| others.binary_search_by_key(&line, |other| other.line).is_ok();
    lines.iter().map(|line| line.line).filter(|line| !is_other(*line)).collect()
}

/// Returns the lines of a file that is compiled twice; each line has the better state of the two.
pub(super) fn joined(one: &[LineReport], other: &[LineReport]) -> Vec<LineReport> {
    let mut all: Vec<LineReport> = one.iter().chain(other).copied().collect();
    all.sort_unstable_by_key(|line| line.line);
    all.dedup_by(|later, earlier| {
        let is_same = later.line == earlier.line;
        if is_same {
            earlier.blocks = earlier.blocks.max(later.blocks);
            earlier.hit_blocks = earlier.hit_blocks.max(later.hit_blocks);
            earlier.carried_blocks = earlier.carried_blocks.max(later.carried_blocks);
            earlier.hits = earlier.hits.max(later.hits);
        }
        is_same
    });
    all
}

/// Tells whether a block has code on a line that it spans, which is always assumed when the text is unknown.
pub(super) fn has_code(block: &Block, line: u32, code: Option<&CodeLines<'_>>) -> bool {
    let from = if line == block.start.0 { block.start.1 } else { 0 };
    let to = if line == block.end.0 { block.end.1 } else { u32::MAX };
    code.is_none_or(|code| code.has_code(line, from, to))
}

/// Returns the range of these ascending lines that lie within a function.
pub(super) fn within(lines: &[LineReport], extent: &FuncExtent) -> Range<usize> {
    let first = lines.partition_point(|line| line.line < extent.start.0);
    let end = lines.partition_point(|line| line.line <= extent.end.0);
    // Line comments can make a function end before it begins.
    first..end.max(first)
}

/// Returns the number of lines that were executed at least partly, and the number of all.
pub(super) fn coverage(lines: &[LineReport]) -> Coverage {
    let covered = lines.iter().filter(|line| line.hit_blocks > 0).count();
    Coverage { covered: covered as u64, total: lines.len() as u64 }
}

/// Returns the runs of missed lines, each by its first and last line. A run ends at an executed line and at an ignored one;
/// lines without code do not end it.
pub(crate) fn missed_line_ranges(lines: &[LineReport], ignored: &[u32]) -> impl Iterator<Item = (u32, u32)> {
    lines
        .chunk_by(move |a, b| {
            (a.hit_blocks == 0) == (b.hit_blocks == 0) && !has_between(ignored, a.line, b.line)
        })
        .filter(|run| run[0].hit_blocks == 0)
        .map(|run| (run[0].line, run[run.len() - 1].line))
}

/// Tells whether one of these ascending lines lies between two others.
pub(super) fn has_between(lines: &[u32], from: u32, to: u32) -> bool {
    lines.get(lines.partition_point(|line| *line <= from)).is_some_and(|line| *line < to)
}

/// A run of consecutive blocks of which none was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MissedRange {
    /// Line and column of the first byte. Columns count bytes from 1.
    pub start: (u32, u32),
    /// Line and column after the last byte.
    pub end: (u32, u32),
    /// Number of statements in these blocks.
    pub statements: u64,
}

impl MissedRange {
    /// Returns the ranges of a file, in order. A block that marks take out ends a range.
    pub(super) fn in_blocks<'b>(
        blocks: &'b [Block],
        counts: &'b [u64],
        taken: &'b [Block],
    ) -> impl Iterator<Item = Self> + 'b {
        let is_between = |from: &Block, to: &Block| {
            let behind = taken.partition_point(|block| block.start <= from.start);
            taken.get(behind).is_some_and(|block| block.start < to.start)
        };
        let mut blocks = blocks.iter().zip(counts).filter(|(block, _)| block.statements > 0).peekable();
        std::iter::from_fn(move || {
            let (first, _) = blocks.find(|(_, count)| **count == 0)?;
            let mut range =
                Self { start: first.start, end: first.end, statements: u64::from(first.statements) };
            let mut last = first;
            while let Some((block, _)) =
                blocks.next_if(|(block, count)| **count == 0 && !is_between(last, block))
            {
                last = block;
                range.end = range.end.max(block.end);
                range.statements += u64::from(block.statements);
            }
            Some(range)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::gosrc::scan;
    use LineState::{Hit, Missed, Partly};

    fn block(start: (u32, u32), end: (u32, u32), statements: u32) -> Block {
        Block { start, end, statements }
    }

    #[test]
    fn a_line_is_a_block_s_where_it_has_code_of_it() {
        let source = b"package p\n\nfunc f(a bool) {\n\tif a { // c\n\t\tg()\n\n\t\t// c\n\t}\n\tg(); func() { g() }()\n}\n";
        let blocks = [
            block((3, 16), (4, 7), 1),
            block((4, 7), (8, 3), 1),
            block((9, 2), (9, 15), 2),
            block((9, 14), (9, 21), 1),
        ];
        let found =
            from_blocks(&blocks, &[3, 0, 3, 0], Some(&CodeLines::new(source, &scan(source).unwrap())));
        let states: Vec<_> = found.iter().map(|line| (line.line, line.state(), line.hits)).collect();
        assert_eq!(states, [(4, Hit, 3), (5, Missed, 0), (9, Partly, 3)]);
        let raw = from_blocks(&blocks, &[3, 0, 3, 0], None);
        let lines: Vec<_> = raw.iter().map(|line| (line.line, line.state())).collect();
        let wanted = [(3, Hit), (4, Partly), (5, Missed), (6, Missed), (7, Missed), (8, Missed), (9, Partly)];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn missed_lines_form_runs_over_lines_without_code() {
        let lines = [(2, 1), (4, 0), (5, 0), (9, 0), (10, 1), (11, 0)].map(|(line, hits)| LineReport {
            line,
            blocks: 1,
            hit_blocks: hits,
            carried_blocks: 0,
            hits: hits.into(),
        });
        assert_eq!(missed_line_ranges(&lines, &[]).collect::<Vec<_>>(), [(4, 9), (11, 11)]);
        assert_eq!(missed_line_ranges(&lines, &[3, 7]).collect::<Vec<_>>(), [(4, 5), (9, 9), (11, 11)]);
        assert_eq!(missed_line_ranges(&[], &[]).count(), 0);
    }

    #[test]
    fn missed_blocks_that_follow_each_other_are_one_range() {
        let blocks = [
            block((1, 1), (2, 1), 1),
            block((2, 1), (3, 5), 2),
            block((4, 1), (4, 9), 0),
            block((5, 1), (6, 1), 4),
        ];
        let ranges: Vec<_> = MissedRange::in_blocks(&blocks, &[1, 0, 9, 0], &[]).collect();
        assert_eq!(ranges, [MissedRange { start: (2, 1), end: (6, 1), statements: 6 }]);
        let ranges: Vec<_> =
            MissedRange::in_blocks(&blocks, &[0, 1, 0, 0], &[]).map(|range| range.statements).collect();
        assert_eq!(ranges, [1, 4]);
    }

    #[test]
    fn a_profile_that_claims_any_number_of_lines_has_few() {
        let claim = [block((1, 1), (u32::MAX, 1), 1)];
        let lines = |code| from_blocks(&claim, &[1], code).iter().map(|line| line.line).collect::<Vec<_>>();
        assert_eq!(lines(None), [1, u32::MAX]);
        let scanned = scan(b"package p\n").unwrap();
        assert_eq!(lines(Some(&CodeLines::new(b"package p\n", &scanned))), [1]);
        assert_eq!(from_blocks(&[block((9, 1), (2, 1), 1)], &[1], None), []);
    }
}
