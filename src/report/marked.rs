//! The statements that marks in the source take out of a report (`--ignore-marked`).
//!
//! A coverage block is taken out as a whole or statement by statement. The statements of a block are known only if as many
//! begin in it as Go counted there; otherwise a mark of a line takes the block out if all of it lies on that line, or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::functions::{FunctionReport, covered_functions, sum};
use crate::code::gosrc::{Mark, MarkedCode, Marks};
use crate::coverage::Coverage;
use crate::phrases::count;
use crate::profile::Block;

/// The marks of a file, and the blocks that they leave.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MarkedFile {
    /// The blocks that are left. A block that is taken out as a whole has no statement left; another one is in several
    /// parts.
    pub(super) left: CountedBlocks,
    /// The blocks and parts that are taken out.
    pub(super) taken: CountedBlocks,
    /// The numbers of the blocks from which statements are taken, with the numbers of these, ascending.
    pub(crate) ignored: Vec<(usize, u32)>,
    /// The marks in order of their lines.
    pub(crate) marks: Vec<FoundMark>,
}

/// Blocks in order of their starts, with their counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CountedBlocks {
    pub(super) blocks: Vec<Block>,
    pub(super) counts: Vec<u64>,
    /// The numbers of the blocks of the profile that they are, or are parts of.
    numbers: Vec<usize>,
}

impl CountedBlocks {
    pub(super) fn slices(&self) -> (&[Block], &[u64]) {
        (&self.blocks, &self.counts)
    }

    pub(super) fn coverage(&self) -> Coverage {
        sum(&self.blocks, &self.counts, |_| true)
    }
}

impl CountedBlocks {
    /// Takes blocks with their numbers.
    fn new(mut blocks: Vec<(Block, usize)>, counts: &[u64]) -> Self {
        blocks.sort_by_key(|(block, _)| block.start);
        let (blocks, numbers): (Vec<Block>, Vec<usize>) = blocks.into_iter().unzip();
        let counts = numbers.iter().map(|number| counts[*number]).collect();
        Self { blocks, counts, numbers }
    }
}

/// A mark, with the statements that it takes out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundMark {
    pub(crate) line: u32,
    pub(crate) reason: Box<str>,
    pub(crate) scope: MarkScope,
    /// Number of statements that it takes out, also if another mark does so, too.
    pub(crate) statements: u64,
    /// First and last line of the code that it means; `None` if it means none.
    pub(super) lines: Option<(u32, u32)>,
    /// The numbers of the blocks in which these are.
    blocks: Vec<usize>,
    /// One of these blocks was executed.
    pub(crate) is_executed: bool,
}

/// The code that a mark means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum MarkScope {
    Function,
    Block,
    Line,
    Nothing,
}

/// The fault of a mark, for which it is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum MarkProblem {
    /// Its code was executed.
    Executed,
    /// It takes out no statement.
    IgnoresNothing,
    /// It gives no reason.
    NoReason,
}

impl fmt::Display for MarkProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Executed => "its code was executed",
            Self::IgnoresNothing => "it takes out no statement",
            Self::NoReason => "it gives no reason",
        })
    }
}

impl FoundMark {
    /// Returns the gravest fault of the mark.
    pub(crate) fn problem(&self) -> Option<MarkProblem> {
        match self {
            Self { is_executed: true, .. } => Some(MarkProblem::Executed),
            Self { statements: 0, .. } => Some(MarkProblem::IgnoresNothing),
            Self { reason, .. } if reason.is_empty() => Some(MarkProblem::NoReason),
            Self { .. } => None,
        }
    }
}

impl MarkedFile {
    /// Applies the marks of a text to the blocks of its profile, which are in order of their starts. `has_moved_lines` tells
    /// that the blocks have places of another text, so that no mark means any of them.
    pub(super) fn new(found: &Marks, (blocks, counts): (&[Block], &[u64]), has_moved_lines: bool) -> Self {
        let mut taken = Taken { blocks, found, all: BTreeSet::new(), some: BTreeMap::new() };
        let mut marks = Vec::with_capacity(found.all.len());
        for Mark { line, reason, code } in &found.all {
            let code = code.filter(|_| !has_moved_lines);
            let (scope, by_block) = match code {
                None => (MarkScope::Nothing, Vec::new()),
                Some(MarkedCode::Function(extent)) => (MarkScope::Function, taken.inside(extent)),
                Some(MarkedCode::Block(extent)) => (MarkScope::Block, taken.inside(extent)),
                Some(MarkedCode::Line(line)) => (MarkScope::Line, taken.on_line(line)),
            };
            let lines = code.map(|code| match code {
                MarkedCode::Function([from, to]) | MarkedCode::Block([from, to]) => (from.0, to.0),
                MarkedCode::Line(line) => (line, taken.last_line(line)),
            });
            let statements = by_block.iter().map(|(_, statements)| u64::from(*statements)).sum();
            let blocks = by_block.into_iter().map(|(block, _)| block).collect();
            let (reason, line) = (reason.clone(), *line);
            marks.push(FoundMark { line, reason, scope, statements, lines, blocks, is_executed: false });
        }
        let ignored = taken.ignored();
        let (left, taken) = taken.parted(counts);
        let mut file = Self { left, taken, ignored, marks };
        file.set_executed(counts);
        file
    }

    /// Returns the values of the blocks that are left; `values` has one for each block of the profile.
    pub(super) fn left_of(&self, values: &[u32]) -> Vec<u32> {
        self.left.numbers.iter().map(|number| values[*number]).collect()
    }

    /// Returns the covered and all statements that are taken out.
    pub(crate) fn ignored_coverage(&self) -> Coverage {
        self.taken.coverage()
    }

    /// Counts in each function what is taken out of it.
    pub(super) fn count_in(&self, functions: &mut [FunctionReport]) {
        let extents = functions.iter().map(|function| function.extent.clone()).collect();
        let (blocks, counts) = self.taken.slices();
        for (function, taken) in functions.iter_mut().zip(covered_functions(blocks, counts, &[], extents)) {
            function.ignored = taken.coverage;
        }
    }

    /// Finds out which marks are on executed code, by the counts of the profile's blocks.
    pub(super) fn set_executed(&mut self, counts: &[u64]) {
        for mark in &mut self.marks {
            mark.is_executed =
                mark.blocks.iter().any(|block| counts.get(*block).is_some_and(|count| *count > 0));
        }
    }
}

/// A mark with its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListedMark<'r> {
    /// Path from the root of the repository.
    pub(crate) file: &'r str,
    pub(crate) mark: &'r FoundMark,
}

/// Returns the marks of a file.
pub(crate) fn listed<'r>(
    file: &'r str,
    marked: Option<&'r MarkedFile>,
) -> impl Iterator<Item = ListedMark<'r>> {
    let marks = marked.map_or(&[][..], |marked| &marked.marks);
    marks.iter().map(move |mark| ListedMark { file, mark })
}

/// Returns the stale ones of some marks in words, each with its fault.
pub(crate) fn stale<'r>(marks: impl Iterator<Item = ListedMark<'r>>) -> impl Iterator<Item = String> {
    marks.filter_map(|ListedMark { file, mark }| {
        let problem = mark.problem()?;
        Some(format!("{file}:{}: {problem}", mark.line))
    })
}

/// A mark in the form for scripts.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MarkJson<'r> {
    file: &'r str,
    line: u32,
    reason: &'r str,
    scope: MarkScope,
    statements: u64,
    problem: Option<MarkProblem>,
}

impl<'r> From<ListedMark<'r>> for MarkJson<'r> {
    fn from(ListedMark { file, mark }: ListedMark<'r>) -> Self {
        let FoundMark { line, reason, scope, statements, lines: _, blocks: _, is_executed: _ } = mark;
        Self { file, line: *line, reason, scope: *scope, statements: *statements, problem: mark.problem() }
    }
}

/// Returns in words what marks take out: `14 of 423 statements ignored by 5 marks`.
pub(crate) fn ignored_words(ignored: u64, all: u64, marks: usize) -> String {
    format!("{ignored} of {all} statements ignored by {}", count(marks, "marks"))
}

/// The statements of a file that marks take out.
struct Taken<'a> {
    blocks: &'a [Block],
    found: &'a Marks,
    /// Blocks of which all statements are taken out.
    all: BTreeSet<usize>,
    /// Of each other block the statements that are taken out, by their numbers in the text.
    some: BTreeMap<usize, BTreeSet<usize>>,
}

impl Taken<'_> {
    /// Takes out the blocks inside of an extent; returns their numbers with their statements.
    fn inside(&mut self, [start, end]: [(u32, u32); 2]) -> Vec<(usize, u32)> {
        let first = self.blocks.partition_point(|block| block.start < start);
        let inside = self.blocks.iter().enumerate().skip(first).take_while(|(_, block)| block.start < end);
        let inside =
            inside.filter(|(_, block)| block.start <= block.end && block.end <= end && block.statements > 0);
        let found: Vec<(usize, u32)> = inside.map(|(index, block)| (index, block.statements)).collect();
        self.all.extend(found.iter().map(|(index, _)| *index));
        found
    }

    /// Takes out the statements that begin on a line; returns the numbers of their blocks with how many they are.
    fn on_line(&mut self, line: u32) -> Vec<(usize, u32)> {
        let mut found = Vec::new();
        let spans = |block: &Block| block.statements > 0 && block.start.0 <= line && line <= block.end.0;
        for (index, block) in self.blocks.iter().enumerate().filter(|(_, block)| spans(block)) {
            let statements = &self.found.statements;
            let Some(own) = self.statements_of(block) else {
                if block.start.0 == line && block.end.0 == line {
                    self.all.insert(index);
                    found.push((index, block.statements));
                }
                continue;
            };
            let on_line: BTreeSet<usize> = own.clone().filter(|at| statements[*at].start.0 == line).collect();
            if on_line.is_empty() {
                continue;
            }
            let number = u32::try_from(on_line.len()).unwrap_or(u32::MAX);
            found.push((index, number));
            let taken = self.some.entry(index).or_default();
            taken.extend(on_line);
            if taken.len() == block.statements as usize {
                self.some.remove(&index);
                self.all.insert(index);
            }
        }
        found
    }

    /// Returns the last line of the statements that begin on a line: no later than the end of their block and the begin of
    /// the next statement.
    fn last_line(&self, line: u32) -> u32 {
        let ends = self.blocks.iter().map(|block| block.end.0).filter(|end| *end >= line);
        let next = self.found.statements.iter().find(|statement| statement.start.0 > line);
        let next = next.map_or(u32::MAX, |statement| statement.after.0);
        ends.min().unwrap_or(line).min(next).max(line)
    }

    /// Returns the numbers of a block's statements in the text; `None` if they are not as many as Go counted.
    fn statements_of(&self, block: &Block) -> Option<std::ops::Range<usize>> {
        let Marks { statements, ends, .. } = self.found;
        let first = statements.partition_point(|statement| statement.start < block.start);
        let end = first + statements[first..].partition_point(|statement| statement.start < block.end);
        let at_end = usize::from(ends.binary_search(&block.end).is_ok());
        (end - first + at_end == block.statements as usize).then_some(first..end)
    }

    /// Returns the numbers of the blocks from which statements are taken, with the numbers of these.
    fn ignored(&self) -> Vec<(usize, u32)> {
        let all = self.all.iter().map(|index| (*index, self.blocks[*index].statements));
        let some = self.some.iter().filter(|(index, _)| !self.all.contains(index));
        let some = some.map(|(index, taken)| (*index, u32::try_from(taken.len()).unwrap_or(u32::MAX)));
        let mut ignored: Vec<(usize, u32)> = all.chain(some).collect();
        ignored.sort_unstable();
        ignored
    }

    /// Returns the blocks that are left, and those that are taken out.
    fn parted(&self, counts: &[u64]) -> (CountedBlocks, CountedBlocks) {
        let (mut left, mut taken) = (Vec::with_capacity(counts.len()), Vec::new());
        for (index, &block) in self.blocks.iter().enumerate() {
            match (self.all.contains(&index), self.some.get(&index)) {
                (true, _) => {
                    left.push((Block { statements: 0, ..block }, index));
                    taken.push((block, index));
                }
                (false, Some(statements)) => {
                    for (part, is_taken) in self.parts(&block, statements) {
                        if is_taken { &mut taken } else { &mut left }.push((part, index));
                    }
                }
                (false, None) => left.push((block, index)),
            }
        }
        (CountedBlocks::new(left, counts), CountedBlocks::new(taken, counts))
    }

    /// Returns the parts of a block, each with whether it is taken out.
    fn parts(&self, block: &Block, taken: &BTreeSet<usize>) -> Vec<(Block, bool)> {
        let own = self.statements_of(block).unwrap_or_default();
        let mut parts: Vec<(Block, bool)> = Vec::new();
        for at in own.clone() {
            let (statement, is_taken) = (self.found.statements[at], taken.contains(&at));
            match parts.last_mut() {
                Some((part, was_taken)) if *was_taken == is_taken => part.statements += 1,
                before => {
                    if let Some((part, _)) = before {
                        part.end = statement.after;
                    }
                    let start = if at == own.start { block.start } else { statement.start };
                    parts.push((Block { start, statements: 1, ..*block }, is_taken));
                }
            }
        }
        // The statement at the end of a block begins behind it.
        if own.len() < block.statements as usize {
            match parts.last_mut() {
                Some((part, false)) => part.statements += 1,
                _ => parts.push((Block { start: block.end, end: block.end, statements: 1 }, false)),
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function of nine lines: blocks of the body, of the `if`, of the rest, and of a loop.
    const TEXT: [&str; 10] = [
        "package p",
        "func f() {",
        "\ta(); b()",
        "\tif c() {",
        "\t\td()",
        "\t}",
        "\te(",
        "\t)",
        "\tg()",
        "}",
    ];
    const BLOCKS: [Block; 3] =
        [block((2, 10), (4, 9), 3), block((4, 9), (6, 3), 1), block((7, 2), (9, 5), 2)];

    const fn block(start: (u32, u32), end: (u32, u32), statements: u32) -> Block {
        Block { start, end, statements }
    }

    /// Puts marks at the ends of lines.
    fn marked(lines: &[usize]) -> String {
        let line = |(at, text): (usize, &&str)| match lines.contains(&(at + 1)) {
            true => format!("{text} // coverage-ignore why\n"),
            false => format!("{text}\n"),
        };
        TEXT.iter().enumerate().map(line).collect()
    }

    fn applied(text: &str, blocks: &[Block], counts: &[u64]) -> MarkedFile {
        MarkedFile::new(&Marks::of(text.as_bytes()).unwrap(), (blocks, counts), false)
    }

    #[test]
    fn a_mark_takes_out_what_it_means() {
        let all = |at: usize| (at, BLOCKS[at].statements);
        for (line, scope, ignored, left) in [
            (2, MarkScope::Function, vec![all(0), all(1), all(2)], vec![]),
            (3, MarkScope::Line, vec![(0, 2)], vec![block((4, 2), (4, 9), 1), BLOCKS[1], BLOCKS[2]]),
            (4, MarkScope::Block, vec![all(1)], vec![BLOCKS[0], BLOCKS[2]]),
            (5, MarkScope::Line, vec![all(1)], vec![BLOCKS[0], BLOCKS[2]]),
            (7, MarkScope::Line, vec![(2, 1)], vec![BLOCKS[0], BLOCKS[1], block((9, 2), (9, 5), 1)]),
            (8, MarkScope::Line, vec![], BLOCKS.to_vec()),
            (9, MarkScope::Line, vec![(2, 1)], vec![BLOCKS[0], BLOCKS[1], block((7, 2), (8, 3), 1)]),
        ] {
            let file = applied(&marked(&[line]), &BLOCKS, &[1, 0, 1]);
            let counted: Vec<Block> =
                file.left.blocks.into_iter().filter(|block| block.statements > 0).collect();
            assert_eq!((file.marks[0].scope, file.ignored, counted), (scope, ignored, left), "{line}");
        }
    }

    #[test]
    fn marks_together_take_out_each_statement_once() {
        let file = applied(&marked(&[3, 4, 5, 7, 9]), &BLOCKS, &[1, 0, 1]);
        assert_eq!(file.ignored, [(0, 2), (1, 1), (2, 2)]);
        let statements: Vec<u64> = file.marks.iter().map(|mark| mark.statements).collect();
        assert_eq!(statements, [2, 1, 1, 1, 1]);
        let whole = applied(&marked(&[2, 3]), &BLOCKS, &[1, 0, 1]);
        assert_eq!(whole.ignored, [(0, 3), (1, 1), (2, 2)]);
    }

    #[test]
    fn a_block_that_go_counted_differently_is_taken_out_only_from_its_own_line() {
        let text = "package p\nfunc f() {\n\ta() // coverage-ignore why\n\tb()\n}\n";
        let other = [block((2, 10), (5, 2), 3)];
        assert_eq!(applied(text, &other, &[0]).ignored, []);
        let on_line = [block((2, 10), (3, 1), 1), block((3, 2), (3, 9), 7)];
        assert_eq!(applied(text, &on_line, &[0, 0]).ignored, [(1, 7)]);
    }

    #[test]
    fn a_label_stays_when_the_statements_before_it_go() {
        let text = "package p\nfunc f() {\n\ta() // coverage-ignore why\nl:\n\tb()\n}\n";
        let blocks = [block((2, 10), (4, 1), 2), block((5, 2), (5, 5), 1)];
        let file = applied(text, &blocks, &[1, 0]);
        assert_eq!(
            (file.ignored, file.left.blocks),
            (vec![(0, 1)], vec![block((4, 1), (4, 1), 1), blocks[1]])
        );
    }

    #[test]
    fn the_gravest_fault_of_a_mark_is_told() {
        let problem = |text: &str, counts: &[u64]| applied(text, &BLOCKS, counts).marks[0].problem();
        let (with, without) = (marked(&[4]), marked(&[4]).replace(" why", ""));
        assert_eq!(problem(&with, &[1, 0, 1]), None);
        assert_eq!(problem(&with, &[0, 2, 0]), Some(MarkProblem::Executed));
        assert_eq!(problem(&without, &[0, 2, 0]), Some(MarkProblem::Executed));
        assert_eq!(problem(&without, &[1, 0, 1]), Some(MarkProblem::NoReason));
        assert_eq!(problem(&marked(&[8]), &[1, 1, 1]), Some(MarkProblem::IgnoresNothing));
        let found = Marks::of(with.as_bytes()).unwrap();
        let moved = MarkedFile::new(&found, (&BLOCKS, &[0, 1, 0]), true);
        assert_eq!(
            (moved.marks[0].problem(), moved.left.blocks),
            (Some(MarkProblem::IgnoresNothing), BLOCKS.to_vec())
        );
    }

    /// Any marks in any text with any blocks: totals never grow, what is left and what is taken out are the whole, and a
    /// block without a mark stays as it is.
    #[test]
    fn marks_only_take_out() {
        const LINES: [&str; 12] = [
            "\ta()",
            "\ta(); b()",
            "\tif a {",
            "\t} else {",
            "\t}",
            "\tfor {",
            "l:",
            "\tswitch {",
            "\tcase b:",
            "\tx := func() {",
            "\t}()",
            "",
        ];
        let mut rng = fastrand::Rng::with_seed(23);
        for _ in 0..2_000 {
            let mut text = "package p\nfunc f() {\n".to_owned();
            for _ in 0..rng.usize(0..14) {
                text += LINES[rng.usize(0..LINES.len())];
                text += ["", "", " // coverage-ignore why", "\n// coverage-ignore"][rng.usize(0..4)];
                text += "\n";
            }
            text += "}\n// coverage-ignore\n";
            let place = |rng: &mut fastrand::Rng| (rng.u32(1..20), rng.u32(1..12));
            let mut blocks: Vec<Block> = (0..rng.usize(0..9))
                .map(|_| block(place(&mut rng), place(&mut rng), rng.u32(0..4)))
                .collect();
            blocks.sort_unstable();
            let counts: Vec<u64> = blocks.iter().map(|_| rng.u64(0..2)).collect();
            let MarkedFile { left, taken, ignored, .. } = applied(&text, &blocks, &counts);
            assert_eq!(
                left.coverage() + taken.coverage(),
                sum(&blocks, &counts, |_| true),
                "{text}{blocks:?}"
            );
            let number: u64 = ignored.iter().map(|(_, statements)| u64::from(*statements)).sum();
            assert_eq!(taken.coverage().total, number);
            for (at, block) in blocks.iter().enumerate() {
                if !ignored.iter().any(|(of, _)| *of == at) {
                    assert!(left.blocks.contains(block), "{block:?} of {text}");
                }
            }
        }
    }
}
