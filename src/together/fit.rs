//! The check that the blocks of a profile are those of a source text.
//!
//! A profile names no commit. Its blocks are compared with those of the service where both have a file. Of another file
//! only the text is known. Each end of a block has to lie at a token of it, a block inside of one function, and the first
//! block of a function at its opening brace; this tells best what is wrong with a text whose lines moved. Then each block
//! has to be one that Go's cover tool makes of the text, which has been the same from Go 1.20 to 1.26.

use std::fmt;

use memchr::memchr_iter;

use crate::code::gosrc::{CoveredText, FuncExtent, ScannedFile, scan};
use crate::names::{in_message, printable};
use crate::phrases::count;
use crate::profile::Block;

/// A block of a profile that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The label of its profile.
    pub(crate) label: String,
    pub(crate) file: String,
    pub(crate) block: Block,
    pub(crate) why: Unfit,
}

/// The reason why a block does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The service has the file without this block.
    NotOfService,
    /// Another profile has the file without this block.
    NotOfOther { label: String },
    /// It ends before it starts.
    Backwards,
    /// The text ends before.
    BehindLines { lines: usize },
    /// The line ends before.
    BehindColumns { line: u32, columns: usize },
    /// It begins or ends inside of a word, or among blanks.
    NoToken { at: (u32, u32) },
    /// It crosses the begin or the end of a function.
    LeavesFunction { name: String },
    /// It is the first one of a function and does not begin at the brace of its body.
    NoBody { name: String },
    /// Go makes other blocks of the text.
    NotOfText,
    /// The block has another number of statements in the text.
    Statements { in_text: u32 },
}

impl fmt::Display for Misfit {
    /// Writes a clause: `"shop/item.go:12.3,14.5" of unit does not fit: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, file, block: Block { start, end, .. }, why } = self;
        let (file, label) = (in_message(file), in_message(label));
        write!(
            f,
            "the block {file}:{}.{},{}.{} of {label} does not fit: {why}",
            start.0, start.1, end.0, end.1
        )
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOfService => write!(f, "the service has no such block in that file"),
            Self::NotOfOther { label } => {
                write!(f, "{} has no such block in that file", printable(label))
            }
            Self::Backwards => write!(f, "it ends before it starts"),
            Self::BehindLines { lines } => write!(f, "the file has {lines} lines"),
            Self::BehindColumns { line, columns } => write!(f, "line {line} has {columns} columns"),
            Self::NoToken { at: (line, column) } => {
                write!(f, "no word or sign of the file begins or ends at {line}.{column}")
            }
            Self::LeavesFunction { name } => write!(f, "a part of it is outside of {}", printable(name)),
            Self::NoBody { name } => {
                write!(f, "it is the first block of {}, whose body begins elsewhere", printable(name))
            }
            Self::NotOfText => write!(f, "Go makes other blocks of that file"),
            Self::Statements { in_text } => {
                write!(f, "the file has {} there", count(*in_text as usize, "statements"))
            }
        }
    }
}

/// Returns all blocks of a text, if some with statements are not among those of a profile, which are in order; `None` if the
/// profile has all. Fails with the first block of the profile that is not one of the text, and the reason. Nothing is known
/// of a text that does not parse, or whose `//line` comments move positions.
pub(crate) fn all_blocks(text: &[u8], blocks: &[Block]) -> Result<Option<Vec<Block>>, (Block, Unfit)> {
    let (scanned, parts) = match CoveredText::of(text) {
        Ok(CoveredText { scanned, parts, package: _ }) => (scanned, parts),
        Err(_) => match scan(text) {
            Ok(scanned) => (scanned, Vec::new()),
            Err(_) => return Ok(None),
        },
    };
    if let Some(unfit) = unfit_block(text, &scanned, blocks) {
        return Err(unfit);
    }
    let [part] = &parts[..] else { return Ok(None) };
    if scanned.has_moved_lines {
        return Ok(None);
    }
    let counted = part.blocks.iter().filter(|block| block.statements > 0);
    let in_text: Vec<Block> = counted.copied().map(Block::from).collect();
    let place = |block: &Block| (block.start, block.end);
    // goc makes blocks of functions without a name, too; Go does not.
    let is_of_blank = |block: &Block| {
        let mut blank = scanned.functions.iter().filter(|function| &*function.name == "_");
        blank.any(|function| function.start <= block.start && block.end <= function.end)
    };
    let unfit = |block: &Block| match in_text.binary_search_by_key(&place(block), place) {
        Ok(at) if in_text[at].statements == block.statements => None,
        Ok(at) => Some((*block, Unfit::Statements { in_text: in_text[at].statements })),
        Err(_) => (block.statements > 0 && !is_of_blank(block)).then_some((*block, Unfit::NotOfText)),
    };
    if let Some(unfit) = blocks.iter().find_map(unfit) {
        return Err(unfit);
    }
    if in_text.iter().all(|block| blocks.binary_search(block).is_ok()) {
        return Ok(None);
    }
    let mut all = [&in_text[..], blocks].concat();
    all.sort_unstable();
    all.dedup();
    Ok(Some(all))
}

/// Returns the first block that cannot be one of a text, with the reason. The blocks are in order. Nothing is known of a text
/// whose `//line` comments move positions.
fn unfit_block(text: &[u8], scanned: &ScannedFile, blocks: &[Block]) -> Option<(Block, Unfit)> {
    if scanned.has_moved_lines {
        return None;
    }
    let lines = TextLines::new(text);
    let mut functions = FunctionsAhead { functions: &scanned.functions, entered: None };
    blocks.iter().find_map(|block| Some((*block, lines.fault(block, &mut functions)?)))
}

/// The functions of a text, of which those before a block are passed over.
struct FunctionsAhead<'s> {
    functions: &'s [FuncExtent],
    /// Begin of the function that has the block before.
    entered: Option<(u32, u32)>,
}

impl FunctionsAhead<'_> {
    /// Returns what is wrong with a block among the functions. Blocks come in order. `is_brace` tells whether it begins at
    /// the brace of a body.
    fn fault(&mut self, block: &Block, is_brace: bool) -> Option<Unfit> {
        let passed = self.functions.iter().take_while(|function| function.end <= block.start).count();
        self.functions = &self.functions[passed..];
        let function = self.functions.first()?;
        let is_inside = function.start <= block.start;
        // Blocks outside of functions are those of literals in declarations of variables.
        if (is_inside && block.end > function.end) || (!is_inside && block.end > function.start) {
            return Some(Unfit::LeavesFunction { name: function.qualified_name().into_owned() });
        }
        let is_first = is_inside && self.entered.replace(function.start) != Some(function.start);
        (is_first && !is_brace).then(|| Unfit::NoBody { name: function.qualified_name().into_owned() })
    }
}

/// A text with the offsets of its lines.
struct TextLines<'t> {
    text: &'t [u8],
    /// Offset of each line, and behind the last one.
    starts: Vec<usize>,
}

impl<'t> TextLines<'t> {
    fn new(text: &'t [u8]) -> Self {
        let mut starts = vec![0];
        starts.extend(memchr_iter(b'\n', text).map(|at| at + 1));
        starts.push(text.len() + 1);
        Self { text, starts }
    }

    fn fault(&self, block: &Block, functions: &mut FunctionsAhead<'_>) -> Option<Unfit> {
        let (start, end) = match (self.offset(block.start), self.offset(block.end)) {
            (Ok(start), Ok(end)) => (start, end),
            (Err(why), _) | (_, Err(why)) => return Some(why),
        };
        if end < start {
            return Some(Unfit::Backwards);
        }
        // A block without statements can be empty, behind the colon of a case.
        let ends = [(start, block.start), (end, block.end)];
        if let Some((_, at)) = ends.into_iter().find(|(offset, _)| !self.is_at_token(*offset)) {
            return Some(Unfit::NoToken { at });
        }
        // The block of an empty body begins behind the brace.
        let is_brace = self.byte(start) == b'{' || start > 0 && self.byte(start - 1) == b'{';
        functions.fault(block, is_brace)
    }

    /// Returns the offset of a position; behind the last byte of a line is one, too.
    fn offset(&self, (line, column): (u32, u32)) -> Result<usize, Unfit> {
        let lines = self.starts.len() - 1;
        let (at, to) = match (line as usize).checked_sub(1).filter(|index| *index < lines) {
            Some(index) => (self.starts[index], self.starts[index + 1]),
            None => return Err(Unfit::BehindLines { lines }),
        };
        let columns = to - at - 1;
        match (column as usize).checked_sub(1).filter(|before| *before <= columns) {
            Some(before) => Ok(at + before),
            None => Err(Unfit::BehindColumns { line, columns }),
        }
    }

    /// Returns a byte; a newline behind the end.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(b'\n')
    }

    /// Tells whether a token may begin or end at an offset: it is neither among blanks nor inside of a word.
    fn is_at_token(&self, at: usize) -> bool {
        let before = if at == 0 { b'\n' } else { self.byte(at - 1) };
        let behind = self.byte(at);
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
        let is_blank = |byte: u8| byte.is_ascii_whitespace();
        !(is_word(before) && is_word(behind) || is_blank(before) && is_blank(behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::gosrc::scan;

    const TEXT: &str = "package p\n\nvar f = func() int {\n\treturn 1\n}\n\nfunc (t *T) m(n int) {\n\tif n > 0 {\n\t\tprintln(n)\n\
        \t}\n\tswitch {\n\tcase n == 1:\n\t\tprintln(n)\n\tcase n == 2:\n\t}\nloop:\n\tfor {\n\t\tgoto loop\n\t}\n}\n\n\
        func empty() {}\n";

    /// Start and end of a block.
    type Ends = ((u32, u32), (u32, u32));

    /// The blocks that Go's cover tool (1.26) makes of the text.
    const BLOCKS: &[Ends] = &[
        ((3, 20), (5, 2)),
        ((7, 22), (8, 11)),
        ((8, 11), (10, 3)),
        ((11, 2), (11, 9)),
        ((12, 14), (13, 13)),
        ((14, 14), (14, 14)),
        ((16, 1), (17, 6)),
        ((17, 6), (18, 12)),
        ((22, 15), (22, 16)),
    ];

    fn unfit(blocks: &[Ends]) -> Option<Unfit> {
        let blocks: Vec<Block> =
            blocks.iter().map(|&(start, end)| Block { start, end, statements: 1 }).collect();
        unfit_block(TEXT.as_bytes(), &scan(TEXT.as_bytes()).unwrap(), &blocks).map(|(_, why)| why)
    }

    #[test]
    fn the_blocks_of_a_text_fit_it() {
        assert_eq!(unfit(BLOCKS), None);
        assert_eq!(unfit(&[]), None);
    }

    #[test]
    fn blocks_of_a_text_with_other_lines_do_not_fit() {
        for lines in [-2_i64, -1, 1, 2] {
            let moved: Vec<_> = BLOCKS[1..]
                .iter()
                .map(|&((first, from), (last, to))| {
                    let line = |line: u32| u32::try_from(i64::from(line) + lines).unwrap();
                    ((line(first), from), (line(last), to))
                })
                .collect();
            assert!(unfit(&moved).is_some(), "{lines}");
        }
    }

    #[test]
    fn the_reason_is_told() {
        let name = |name: &str| name.to_owned();
        for (block, expected) in [
            (((7, 22), (24, 1)), Unfit::BehindLines { lines: 23 }),
            (((0, 1), (24, 1)), Unfit::BehindLines { lines: 23 }),
            (((7, 24), (8, 11)), Unfit::BehindColumns { line: 7, columns: 22 }),
            (((7, 22), (8, 0)), Unfit::BehindColumns { line: 8, columns: 11 }),
            (((8, 11), (7, 22)), Unfit::Backwards),
            (((8, 3), (8, 11)), Unfit::NoToken { at: (8, 3) }),
            (((7, 22), (9, 1)), Unfit::NoToken { at: (9, 1) }),
            (((7, 22), (21, 1)), Unfit::NoToken { at: (21, 1) }),
            (((7, 22), (22, 16)), Unfit::LeavesFunction { name: name("T.m") }),
            (((3, 20), (7, 22)), Unfit::LeavesFunction { name: name("T.m") }),
            (((8, 2), (8, 11)), Unfit::NoBody { name: name("T.m") }),
        ] {
            assert_eq!(unfit(&[block]), Some(expected), "{block:?}");
        }
    }

    /// The blocks with statements, each with the number of these.
    const COUNTED: &[(Ends, u32)] = &[
        (((3, 20), (5, 2)), 1),
        (((7, 22), (8, 11)), 1),
        (((8, 11), (10, 3)), 1),
        (((11, 2), (11, 9)), 1),
        (((12, 14), (13, 13)), 1),
        (((16, 1), (17, 6)), 1),
        (((17, 6), (18, 12)), 1),
    ];

    fn with_statements((ends, statements): (Ends, u32)) -> Block {
        Block { start: ends.0, end: ends.1, statements }
    }

    #[test]
    fn blocks_that_a_profile_lacks_are_added() {
        let all: Vec<Block> = COUNTED.iter().copied().map(with_statements).collect();
        assert_eq!(all_blocks(TEXT.as_bytes(), &all), Ok(None));
        // An empty body has a block, too, which changes no figure.
        let empty = with_statements((((22, 15), (22, 16)), 0));
        let part = [all[1], all[2], empty];
        let expected = [&all[..], &[empty]].concat();
        assert_eq!(all_blocks(TEXT.as_bytes(), &part), Ok(Some(expected)));
    }

    #[test]
    fn blocks_that_go_does_not_make_do_not_fit() {
        let unfit = |block: (Ends, u32)| all_blocks(TEXT.as_bytes(), &[with_statements(block)]).unwrap_err();
        // The whole body of a function, which an older text had without the `if`.
        let whole = (((7, 22), (20, 2)), 3);
        assert_eq!(unfit(whole), (with_statements(whole), Unfit::NotOfText));
        let first = (((7, 22), (8, 11)), 3);
        assert_eq!(unfit(first), (with_statements(first), Unfit::Statements { in_text: 1 }));
        assert_eq!(unfit((first.0, 0)).1, Unfit::Statements { in_text: 1 });
    }

    #[test]
    fn blocks_of_functions_without_a_name_fit() {
        let text = "package p\n\nfunc _() {\n\tprintln()\n}\n\nfunc a() {\n\tprintln()\n}\n";
        let blocks = [(((3, 10), (5, 2)), 1), (((7, 10), (9, 2)), 1)].map(with_statements);
        assert_eq!(all_blocks(text.as_bytes(), &blocks), Ok(None));
        assert_eq!(all_blocks(text.as_bytes(), &blocks[1..]), Ok(None), "Go makes none of it");
    }

    #[test]
    fn nothing_is_known_of_a_text_with_line_comments() {
        let text = b"package p\n//line x.y:100\nfunc a() {\n}\n";
        let block = Block { start: (300, 1), end: (301, 1), statements: 1 };
        assert_eq!(unfit_block(text, &scan(text).unwrap(), &[block]), None);
    }
}
