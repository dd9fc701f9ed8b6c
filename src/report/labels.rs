//! The parts of a file's coverage by the runs that count together (`--with`), for each choice of [`BlockLabels`].

use super::functions::{covered_functions, sum};
use super::lines::{self, LineReport, LineState};
use crate::code::gosrc::{CodeLines, FuncExtent};
use crate::profile::BuildFile;
use crate::together::BlockLabels;

/// The figures of a file for each choice.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelShares {
    /// Covered statements.
    pub(super) covered: Vec<u64>,
    /// Covered statements of each function.
    pub(super) functions: Vec<Vec<u64>>,
}

/// The choices of a file's blocks and lines.
pub(super) struct FileLabels<'b> {
    /// Of each block, as bits.
    pub(super) choices: &'b [u32],
    /// Of each line with code, ascending.
    pub(super) lines: Vec<LineLabels>,
    pub(super) shares: LabelShares,
}

/// The choices that cover a line, as bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LineLabels {
    pub(super) line: u32,
    /// Those that cover all its code.
    pub(super) all: u32,
    /// Those that cover at least a part of it.
    pub(super) some: u32,
}

impl<'b> FileLabels<'b> {
    /// Computes the figures of a file with these functions. `code` is `None` when the text is unknown.
    pub(super) fn new(
        labels: &'b BlockLabels,
        file: &BuildFile<'_>,
        code: Option<&CodeLines<'_>>,
        functions: &[FuncExtent],
    ) -> Self {
        let choices = labels.of(file.range);
        let (mut lines, mut shares) = (Vec::new(), LabelShares::default());
        for choice in 0..labels.choices() {
            let counts: Vec<u64> = choices.iter().map(|bits| u64::from(bits >> choice & 1)).collect();
            add_lines(&mut lines, choice, &lines::from_blocks(file.blocks, &counts, code));
            shares.covered.push(sum(file.blocks, &counts, |_| true).covered);
            let functions = covered_functions(file.blocks, &counts, &[], functions.to_vec()).into_iter();
            shares.functions.push(functions.map(|function| function.coverage.covered).collect());
        }
        Self { choices, lines, shares }
    }
}

/// Adds a choice to the lines, which are the same for all choices.
fn add_lines(lines: &mut Vec<LineLabels>, choice: usize, of_choice: &[LineReport]) {
    if lines.is_empty() {
        lines.extend(of_choice.iter().map(|&LineReport { line, .. }| LineLabels { line, all: 0, some: 0 }));
    }
    for (labels, line) in lines.iter_mut().zip(of_choice) {
        labels.all |= u32::from(line.state() == LineState::Hit) << choice;
        labels.some |= u32::from(line.hit_blocks > 0) << choice;
    }
}
