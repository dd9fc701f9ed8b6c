//! The coverage blocks of a Go file, as Go's cover tool makes them (`addCounters` in its `cmd/cover/cover.go`).
//!
//! A list of statements is one block up to a statement that changes the flow of control, and the next block begins behind
//! it. A block that would be empty is left out with the statements that it has: a label, or a block that stands alone,
//! where a block begins anew.

use std::collections::BTreeMap;

use super::bodies::outline;
use super::extents::{FuncExtent, ScanWithPackage, ScannedFile, SyntaxError, scan_with_package};
use super::faults::operand_fault;
use super::outline::{Body, Outline, Statement, StatementKind};
use super::positions::{FuncSpan, LineDirective, Places};

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
    /// The parts of the text by the files in which line comments put its functions; without such comments the whole text.
    pub(crate) parts: Vec<CoveredPart>,
}

/// The functions of a text that Go has under one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CoveredPart {
    /// Name of the file, without folders, that a line comment gives; `None` for the text's own. Go has a function, or a
    /// function literal outside of these, under the name that holds where it begins (`postFunc` in its `cmd/cover/cover.go`).
    pub(crate) file: Option<String>,
    /// In order of their positions.
    pub(crate) blocks: Vec<CoverBlock>,
    /// Declared functions in source order.
    pub(crate) functions: Vec<FuncExtent>,
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
        let ScanWithPackage { scanned, package, spans: functions, directives } = scan_with_package(text)?;
        if let Some(fault) = operand_fault(text) {
            return Err(fault);
        }
        let outline = outline(text);
        let spans = spans(text, &outline);
        let mut offsets: Vec<usize> = spans.iter().flat_map(|span| [span.start, span.end]).collect();
        offsets.sort_unstable();
        offsets.dedup();
        let mut places = Places::new(text, &directives);
        let of_offsets: Vec<(u32, u32)> = offsets.iter().map(|at| places.place(*at)).collect();
        let place = |at: usize| of_offsets[offsets.partition_point(|offset| *offset < at)];
        let files = FileNames { text, directives: &directives };
        let origins = Origins::new(&functions, &outline.bodies);
        let mut parts: BTreeMap<Option<String>, CoveredPart> = BTreeMap::new();
        for BlockSpan { start, end, statements } in spans {
            let block = CoverBlock { start: place(start), end: place(end), statements };
            part_at(&mut parts, files.file_at(origins.of(start))).blocks.push(block);
        }
        for (span, function) in functions.iter().zip(&scanned.functions) {
            part_at(&mut parts, files.file_at(span.start)).functions.push(function.clone());
        }
        let mut parts: Vec<CoveredPart> = parts.into_values().collect();
        for part in &mut parts {
            part.blocks.sort_unstable();
        }
        Ok(Self { package, scanned, parts })
    }

    /// Returns the number of statements.
    pub(crate) fn statements(&self) -> u64 {
        let blocks = self.parts.iter().flat_map(|part| &part.blocks);
        blocks.map(|block| u64::from(block.statements)).sum()
    }
}

/// Returns the part under a name, which is added if it is new.
fn part_at(parts: &mut BTreeMap<Option<String>, CoveredPart>, file: Option<String>) -> &mut CoveredPart {
    parts.entry(file.clone()).or_insert_with(|| CoveredPart { file, ..CoveredPart::default() })
}

/// The names of files that line comments of a text give.
struct FileNames<'a> {
    text: &'a [u8],
    directives: &'a [LineDirective],
}

impl FileNames<'_> {
    /// Returns the name without folders that holds at an offset; `None` for the text's own.
    fn file_at(&self, at: usize) -> Option<String> {
        let last = self.directives.partition_point(|directive| directive.at <= at).checked_sub(1)?;
        let (from, to) = self.directives[last].file?;
        let name = String::from_utf8_lossy(&self.text[from..to]);
        let base = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        Some(if base.is_empty() { ".".to_owned() } else { base.to_owned() })
    }
}

/// The begins of functions, and of function literals outside of them, with their ends, ascending.
struct Origins(Vec<(usize, usize)>);

impl Origins {
    fn new(functions: &[FuncSpan], bodies: &[Body]) -> Self {
        let mut found: Vec<(usize, usize)> = functions.iter().map(|span| (span.start, span.end)).collect();
        let mut end = 0;
        for body in bodies.iter().filter(|body| !body.is_function) {
            let after = found[..functions.len()].partition_point(|(start, _)| *start <= body.head);
            let is_inside = after > 0 && found[after - 1].1 > body.head;
            if !is_inside && body.head >= end {
                end = body.inside.1;
                found.push((body.head, end));
            }
        }
        found.sort_unstable();
        Self(found)
    }

    /// Returns the begin of the function or literal around an offset.
    fn of(&self, at: usize) -> usize {
        let after = self.0.partition_point(|(start, _)| *start <= at);
        self.0[..after].last().map_or(at, |(start, _)| *start)
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
        let found = CoveredText::of(text.as_bytes()).unwrap().parts.remove(0).blocks;
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

    /// The names are those of a profile of Go 1.26.
    #[test]
    fn functions_are_in_the_file_that_holds_where_they_begin() {
        let text = "package p\n\nfunc a() {\n//line x/y.y:4\n\tb()\n}\n\nvar v = func() {\n//line z.y:1\n\tb()\n}\n\n\
                    /*line :9:1*/func c() {\n\tgo func() { b() }()\n}\n\n//line /d/e.y:3\nfunc e() { b() }\n";
        let parts = CoveredText::of(text.as_bytes()).unwrap().parts;
        let shown: Vec<_> = parts
            .iter()
            .map(|part| {
                let functions = part.functions.iter().map(|function| &*function.name).collect::<Vec<_>>();
                (part.file.as_deref(), functions.join(" "), part.blocks.len())
            })
            .collect();
        assert_eq!(
            shown,
            [
                (None, "a".to_owned(), 1),
                (Some("e.y"), "e".to_owned(), 1),
                (Some("y.y"), String::new(), 1),
                (Some("z.y"), "c".to_owned(), 2),
            ]
        );
    }
}
