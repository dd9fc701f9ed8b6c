//! The coverage blocks of a Go file, as Go's cover tool makes them (`addCounters` in its `cmd/cover/cover.go`).
//!
//! A list of statements is one block up to a statement that changes the flow of control, and the next block begins behind
//! it. A block that would be empty is left out with the statements that it has: a label, or a block that stands alone,
//! where a block begins anew.

use super::bodies::{Body, Outline, Statement, StatementKind, outline};
use super::extents::{ScanWithPackage, ScannedFile, SyntaxError, scan_with_package};
use super::positions::Places;

/// A coverage block of a text. Columns count bytes from 1; `//line` comments set positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CoverBlock {
    pub(crate) start: (u32, u32),
    pub(crate) end: (u32, u32),
    /// Number of statements.
    pub(crate) statements: u32,
}

/// A text with the coverage blocks that Go makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoveredText<'t> {
    /// Name of the package.
    pub(crate) package: &'t str,
    pub(crate) scanned: ScannedFile,
    /// In order of their positions.
    pub(crate) blocks: Vec<CoverBlock>,
}

/// A block by its offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct BlockSpan {
    start: usize,
    end: usize,
    statements: u32,
}

impl<'t> CoveredText<'t> {
    /// Finds the blocks of a text.
    pub(crate) fn of(text: &'t [u8]) -> Result<Self, SyntaxError> {
        let ScanWithPackage { scanned, package, directives } = scan_with_package(text)?;
        let spans = spans(text, &outline(text));
        let mut offsets: Vec<usize> = spans.iter().flat_map(|span| [span.start, span.end]).collect();
        offsets.sort_unstable();
        offsets.dedup();
        let mut places = Places::new(text, &directives);
        let of_offsets: Vec<(u32, u32)> = offsets.iter().map(|at| places.place(*at)).collect();
        let place = |at: usize| of_offsets[offsets.partition_point(|offset| *offset < at)];
        let block = |BlockSpan { start, end, statements }: &BlockSpan| CoverBlock {
            start: place(*start),
            end: place(*end),
            statements: *statements,
        };
        let mut blocks: Vec<CoverBlock> = spans.iter().map(block).collect();
        blocks.sort_unstable();
        Ok(Self { package, scanned, blocks })
    }

    /// Returns the number of statements.
    pub(crate) fn statements(&self) -> u64 {
        self.blocks.iter().map(|block| u64::from(block.statements)).sum()
    }
}

/// Returns the blocks of a text.
fn spans(text: &[u8], Outline { bodies, statements, .. }: &Outline<'_>) -> Vec<BlockSpan> {
    let mut lists: Vec<Vec<&Statement>> = vec![Vec::new(); bodies.len()];
    let mut spans = Vec::new();
    for statement in statements {
        match statement.kind {
            // Go puts the `if` into a block of its own, which begins behind the `else`.
            StatementKind::ElseIf => {
                spans.push(BlockSpan { start: statement.after, end: statement.boundary, statements: 1 });
            }
            _ => lists[statement.body].push(statement),
        }
    }
    for (body, list) in bodies.iter().zip(&lists).filter(|(body, _)| !body.has_clauses) {
        add_spans(body, text[body.open] == b':', list, &mut spans);
    }
    // Go instruments no function without a name.
    let blank: Vec<(usize, usize)> =
        bodies.iter().filter(|body| body.is_blank).map(|body| body.inside).collect();
    spans.retain(|span| !blank.iter().any(|(from, to)| (*from..*to).contains(&span.start)));
    spans
}

/// Adds the blocks of a list of statements.
fn add_spans(body: &Body, is_clause: bool, list: &[&Statement], spans: &mut Vec<BlockSpan>) {
    let (mut start, end) = body.inside;
    let Some(final_one) = list.last() else {
        let (start, end) = if is_clause { (start, start) } else { (start + 1, end) };
        spans.push(BlockSpan { start, end, statements: 0 });
        return;
    };
    let mut is_whole = !is_clause;
    let mut statements = 0;
    for (index, statement) in list.iter().enumerate() {
        statements += 1;
        if statement.kind == StatementKind::Plain {
            continue;
        }
        if start != statement.boundary {
            spans.push(BlockSpan { start, end: statement.boundary, statements });
        }
        (is_whole, statements) = (false, 0);
        start = list.get(index + 1).map_or(statement.boundary, |next| next.start);
    }
    let end = if is_whole { end } else { final_one.boundary };
    if statements > 0 && start != end {
        spans.push(BlockSpan { start, end, statements });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &str) -> Vec<String> {
        let found = CoveredText::of(text.as_bytes()).unwrap().blocks;
        let shown = |CoverBlock { start, end, statements }: &CoverBlock| {
            format!("{}.{},{}.{} {statements}", start.0, start.1, end.0, end.1)
        };
        found.iter().map(shown).collect()
    }

    /// The expected blocks of these tests were printed by Go's cover tool (1.26).
    #[test]
    fn the_blocks_are_those_of_gos_cover_tool() {
        let text = "package p\n\nvar v = func() int {\n\treturn 1\n}\n\nfunc (t *T) f(n int) {\n\ta()\n\tif n > 0 {\n\t\tb()\n\t\
                    } else if n < -1 {\n\t\tpanic(n)\n\t} else {\n\t}\n\tswitch x := v(); {\n\tcase n == 1:\n\t\ta()\n\t\tfallthrough\n\t\
                    default:\n\t}\n\tgo func() {\n\t\ta()\n\t}()\n\tb()\n}\n\nfunc g() {}\n";
        assert_eq!(
            blocks(text),
            [
                "3.20,5.2 1",
                "7.22,9.11 2",
                "9.11,11.3 1",
                "11.8,11.19 1",
                "11.19,12.11 1",
                "13.9,14.3 0",
                "15.2,15.19 1",
                "16.14,18.14 2",
                "19.10,19.10 0",
                "21.2,21.12 1",
                "21.12,23.3 1",
                "24.2,24.5 1",
                "27.11,27.12 0",
            ]
        );
    }

    /// Go counts a label, or a block that stands alone, in the block before, and not at all where no block is before.
    #[test]
    fn a_label_or_bare_block_where_a_block_begins_anew_is_not_counted() {
        let text = "package p\n\nfunc f() {\n\tif a() {\n\t}\nl:\n\tb()\n\tgoto l\n\t{\n\t\tb()\n\t}\nm:\n\tfor {\n\t\tbreak m\n\t}\n}\n";
        assert_eq!(
            blocks(text),
            ["3.10,4.9 1", "4.10,5.3 0", "7.2,8.8 2", "9.2,11.3 1", "12.1,13.6 1", "13.6,14.10 1",]
        );
    }

    #[test]
    fn functions_without_a_name_have_no_blocks() {
        let text = "package p\n\nfunc _() {\n\tgo func() { a() }()\n}\n\nfunc (t T) _() {\n\ta()\n}\n\nfunc f(_ int) (_ error) {\n\ta()\n}\n";
        assert_eq!(blocks(text), ["11.25,13.2 1"]);
    }
}
