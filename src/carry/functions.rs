//! The functions of a text that can be carried, and the comparison of their blocks.

use std::collections::HashMap;
use std::ops::Range;

use crate::code::gosrc::{FuncExtent, FuncTokens};
use crate::profile::Block;

/// The identity of a function in a package.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FunctionKey {
    /// Type of a method's receiver, without pointer and type parameters; empty for a function.
    pub(super) receiver: Box<str>,
    pub(super) name: Box<str>,
}

impl FunctionKey {
    pub(crate) fn of(function: &FuncExtent) -> Self {
        Self { receiver: function.receiver.clone(), name: function.name.clone() }
    }
}

/// A function that can be carried, with its blocks.
#[derive(Clone, Debug)]
pub(crate) struct FunctionBlocks {
    pub(crate) key: FunctionKey,
    /// Its index among the functions of the text.
    pub(crate) function: usize,
    /// Its begin and its end.
    extent: [(u32, u32); 2],
    /// Its blocks, counted from the first block of the file.
    pub(crate) blocks: Range<usize>,
}

impl FunctionBlocks {
    /// Returns the same function in a profile whose blocks were made by another version of Go from the same text.
    pub(crate) fn among(&self, blocks: &[Block]) -> Option<Range<usize>> {
        blocks_of(self.extent, blocks)
    }
}

/// Returns the functions of a text that can be carried: those with blocks whose names stand for one function alone. Any
/// number of functions can be called `init` or `_`.
pub(crate) fn carriable(functions: &[FuncExtent], blocks: &[Block]) -> Vec<FunctionBlocks> {
    let mut numbers: HashMap<FunctionKey, usize> = HashMap::new();
    for function in functions {
        *numbers.entry(FunctionKey::of(function)).or_default() += 1;
    }
    let mut end = (0, 0);
    let mut found = Vec::new();
    for (index, function) in functions.iter().enumerate() {
        // Line comments can put functions one over the other.
        let is_behind = function.start >= end && function.start < function.end;
        end = end.max(function.end);
        let overlaps_next = functions.get(index + 1).is_some_and(|next| next.start < function.end);
        let has_own_name =
            !(&*function.name == "_" || &*function.name == "init" && function.receiver.is_empty());
        let key = FunctionKey::of(function);
        if !is_behind || overlaps_next || !has_own_name || numbers[&key] > 1 {
            continue;
        }
        let extent = [function.start, function.end];
        if let Some(blocks) = blocks_of(extent, blocks) {
            found.push(FunctionBlocks { key, function: index, extent, blocks });
        }
    }
    found
}

/// Returns the blocks inside of a function; `None` if there are none, or one leaves it.
fn blocks_of([start, end]: [(u32, u32); 2], blocks: &[Block]) -> Option<Range<usize>> {
    let first = blocks.partition_point(|block| block.start < start);
    let behind = first + blocks[first..].partition_point(|block| block.start < end);
    let inside = blocks[first..behind].iter().all(|block| block.start <= block.end && block.end <= end);
    (inside && first < behind).then_some(first..behind)
}

/// Tells whether blocks are the same so many lines below.
pub(crate) fn are_moved(blocks: &[Block], theirs: &[Block], lines: i64) -> bool {
    let is_below = |(line, column): (u32, u32), (other, other_column): (u32, u32)| {
        i64::from(line) + lines == i64::from(other) && column == other_column
    };
    are_same(blocks, theirs, is_below)
}

/// Tells whether two declarations of the same tokens have the same blocks, each between the same tokens. Go makes other
/// blocks in other versions.
pub(crate) fn have_same_blocks(
    (here, blocks): (&FuncTokens, &[Block]),
    (there, theirs): (&FuncTokens, &[Block]),
) -> bool {
    are_same(blocks, theirs, |place, other| here.is_same_place(place, there, other))
}

/// Tells whether there are as many blocks on both sides, with as many statements each, at places that are the same.
fn are_same(
    blocks: &[Block],
    theirs: &[Block],
    is_same_place: impl Fn((u32, u32), (u32, u32)) -> bool,
) -> bool {
    let is_same = |(block, other): (&Block, &Block)| {
        block.statements == other.statements
            && is_same_place(block.start, other.start)
            && is_same_place(block.end, other.end)
    };
    blocks.len() == theirs.len() && blocks.iter().zip(theirs).all(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::gosrc::DeclaredFunctions;

    fn block(start: (u32, u32), end: (u32, u32), statements: u32) -> Block {
        Block { start, end, statements }
    }

    fn names(text: &str, blocks: &[Block]) -> Vec<(String, Range<usize>)> {
        let declared = DeclaredFunctions::of(text.as_bytes()).unwrap();
        let found = carriable(&declared.functions, blocks);
        found.into_iter().map(|it| (it.key.name.into_string(), it.blocks)).collect()
    }

    #[test]
    fn functions_with_blocks_and_a_name_of_their_own_can_be_carried() {
        let text = "package p\nvar v = func() {\n}\nfunc a() {\n}\nfunc init() {\n}\nfunc _() {\n}\nfunc (T) init() {\n}\n\
                    func none() {}\nfunc b() {\n}\n";
        let blocks: Vec<Block> =
            [2, 4, 6, 8, 10, 13].map(|line| block((line, 10), (line + 1, 2), 1)).to_vec();
        let wanted = [("a", 1..2), ("init", 4..5), ("b", 5..6)].map(|(name, at)| (name.to_owned(), at));
        assert_eq!(names(text, &blocks), wanted);
    }

    #[test]
    fn a_name_that_a_text_has_twice_and_a_block_that_leaves_its_function_are_not_carried() {
        let twice = "package p\nfunc a() {\n}\nfunc a() {\n}\nfunc b() {\n}\n";
        let blocks = [block((2, 10), (3, 2), 1), block((4, 10), (5, 2), 1), block((6, 10), (8, 1), 1)];
        assert_eq!(names(twice, &blocks), []);
    }

    #[test]
    fn blocks_are_the_same_between_the_same_tokens_with_as_many_statements() {
        let (here, there) = ("package p\nfunc a() {\n\tb()\n}\n", "package p\n\nfunc a() { // x\n\tb()\n}\n");
        let [here, there] =
            [here, there].map(|text| DeclaredFunctions::of(text.as_bytes()).unwrap().tokens(0));
        let own = [block((2, 10), (4, 2), 1)];
        let same = |theirs: &[Block]| have_same_blocks((&here, &own), (&there, theirs));
        assert!(same(&[block((3, 10), (5, 2), 1)]));
        for other in [block((3, 10), (5, 2), 2), block((3, 10), (4, 5), 1), block((3, 11), (5, 1), 1)] {
            assert!(!same(&[other]), "{other:?}");
        }
        assert!(
            are_moved(&own, &[block((3, 10), (5, 2), 1)], 1)
                && !are_moved(&own, &[block((3, 10), (5, 2), 1)], 0)
        );
        assert!(!same(&[]) && !same(&[block((3, 10), (5, 2), 1), block((5, 2), (5, 2), 0)]));
    }
}
