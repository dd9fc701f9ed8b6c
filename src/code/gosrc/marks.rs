//! The comments `// coverage-ignore REASON` of a Go file, and the code that each of them means.
//!
//! A mark at the end of a line means that line, a mark alone on its line the line below it, and a mark that is the first in a
//! block that block. Of a line it means the function that begins or opens there, else the block that begins or opens there and
//! goes on below, else the statements that begin there.

use memchr::{memchr_iter, memmem};

use super::bodies::outline;
use super::outline::{Body, Comment, Outline, Statement};

/// The word with which the text of a mark begins.
const WORD: &str = "coverage-ignore";

/// A mark in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Line of the comment, from 1.
    pub(crate) line: u32,
    /// The text after the word; empty if the mark gives no reason.
    pub(crate) reason: Box<str>,
    /// `None` if the mark means no code.
    pub(crate) code: Option<MarkedCode>,
}

/// The code that a mark means. Columns count bytes from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkedCode {
    /// All coverage blocks between these places, those of a function.
    Function([(u32, u32); 2]),
    /// All coverage blocks between these places, those of a block.
    Block([(u32, u32); 2]),
    /// The statements that begin on this line.
    Line(u32),
}

/// The begin of a statement, and the end of the text before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatementStart {
    pub(crate) start: (u32, u32),
    pub(crate) after: (u32, u32),
}

/// The marks of a text, with the statements of its functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    /// In order of their lines; at least one.
    pub(crate) all: Vec<Mark>,
    /// In order of their starts.
    pub(crate) statements: Vec<StatementStart>,
    /// Places of further statements, each of the coverage block that ends there. Ascending.
    pub(crate) ends: Vec<(u32, u32)>,
}

impl Marks {
    /// Finds the marks of a text that [`super::scan`] accepts; `None` if there are none.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        // Most files have no mark.
        memmem::find(text, WORD.as_bytes())?;
        let Outline { bodies, statements, comments } = outline(text);
        let lines = TextLines::new(text);
        let reader = Reader { lines: &lines, bodies: &bodies };
        let marks: Vec<Mark> = comments.iter().filter_map(|comment| reader.mark(comment)).collect();
        if marks.is_empty() {
            return None;
        }
        let place = |at| lines.place(at);
        let (ends, statements): (Vec<Statement>, Vec<Statement>) =
            statements.into_iter().partition(|statement| statement.kind.is_in_block_before());
        let statements = statements
            .iter()
            .map(|statement| StatementStart { start: place(statement.start), after: place(statement.after) });
        Some(Self {
            all: marks,
            statements: statements.collect(),
            ends: ends.iter().map(|statement| place(statement.start)).collect(),
        })
    }
}

/// Returns the reason of a mark; `None` for any other comment.
fn reason(comment: &[u8]) -> Option<&str> {
    let text = str::from_utf8(comment.strip_prefix(b"//")?).ok()?;
    let rest = text.trim_start().strip_prefix(WORD)?;
    if rest.starts_with(|c: char| c != ':' && !c.is_whitespace()) {
        return None;
    }
    Some(rest.trim_start_matches(|c: char| matches!(c, ':' | '/' | '-') || c.is_whitespace()).trim_end())
}

struct TextLines<'t> {
    text: &'t [u8],
    /// Offset of each line.
    starts: Vec<usize>,
}

impl<'t> TextLines<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self { text, starts: std::iter::once(0).chain(memchr_iter(b'\n', text).map(|end| end + 1)).collect() }
    }

    /// Returns the line of a byte, from 1.
    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    fn place(&self, at: usize) -> (u32, u32) {
        let line = self.line(at);
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        (number(line), number(at - self.starts[line - 1] + 1))
    }

    fn is_blank(&self, line: usize) -> bool {
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        self.text[self.starts[line - 1]..end].iter().all(u8::is_ascii_whitespace)
    }
}

struct Reader<'t> {
    lines: &'t TextLines<'t>,
    bodies: &'t [Body],
}

impl Reader<'_> {
    /// Returns the mark that a comment is, if it is one.
    fn mark(&self, comment: &Comment<'_>) -> Option<Mark> {
        let reason = reason(comment.text)?.into();
        let line = self.lines.line(comment.at);
        let start = self.lines.starts[line - 1];
        let is_alone = self.lines.text[start..comment.at].iter().all(u8::is_ascii_whitespace);
        let opened = comment.opened.map(|body| &self.bodies[body]).filter(|body| !body.has_clauses);
        let code = match opened {
            _ if !is_alone => Some(self.code_of(line)),
            Some(body) => Some(self.code(body)),
            None => self.line_below(line, comment.next).map(|line| self.code_of(line)),
        };
        Some(Mark { line: self.lines.place(comment.at).0, reason, code })
    }

    /// Returns the line of the next code if only comments lie between.
    fn line_below(&self, line: usize, next: usize) -> Option<usize> {
        if next == self.lines.text.len() {
            return None;
        }
        let below = self.lines.line(next);
        (line + 1..below).all(|between| !self.lines.is_blank(between)).then_some(below)
    }

    /// Returns the code that a mark of a line means.
    fn code_of(&self, line: usize) -> MarkedCode {
        let begins = |body: &&Body| {
            let [head, open, end] = [body.head, body.open, body.inside.1].map(|at| self.lines.line(at));
            (head == line || open == line) && end > line
        };
        let function = self.bodies.iter().filter(begins).find(|body| body.is_function);
        match function.or_else(|| self.bodies.iter().find(begins)) {
            Some(body) => self.code(body),
            None => MarkedCode::Line(u32::try_from(line).unwrap_or(u32::MAX)),
        }
    }

    fn code(&self, body: &Body) -> MarkedCode {
        let places = [body.inside.0, body.inside.1].map(|at| self.lines.place(at));
        if body.is_function { MarkedCode::Function(places) } else { MarkedCode::Block(places) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns for each mark its line, what it means, and its reason.
    fn found(text: &str) -> Vec<String> {
        let marks = Marks::of(text.as_bytes()).map(|found| found.all).unwrap_or_default();
        let shown = |mark: &Mark| {
            let code = match mark.code {
                Some(MarkedCode::Function([from, to])) => format!("function {}-{}", from.0, to.0),
                Some(MarkedCode::Block([from, to])) => format!("block {}-{}", from.0, to.0),
                Some(MarkedCode::Line(line)) => format!("line {line}"),
                None => "nothing".to_owned(),
            };
            format!("{}: {code}: {}", mark.line, mark.reason)
        };
        marks.iter().map(shown).collect()
    }

    /// Puts a body into a function, whose first line is 4.
    fn in_function(body: &str) -> Vec<String> {
        found(&format!("package p\n\nfunc f() {{\n{body}}}\n"))
    }

    #[test]
    fn a_mark_above_a_function_in_its_comment_or_at_its_opening_means_the_function() {
        for (text, wanted) in [
            ("package p\n\n// coverage-ignore why\nfunc f() {\n\tg()\n}\n", "3: function 4-6: why"),
            (
                "package p\n\n// f does.\n// coverage-ignore why\n// More.\n//go:noinline\nfunc (t T) f() {\n\tg()\n}\n",
                "4: function 7-9: why",
            ),
            ("package p\n\nfunc f() { // coverage-ignore why\n\tg()\n}\n", "3: function 3-5: why"),
            (
                "package p\n\nfunc f(\n\ta int,\n) { // coverage-ignore why\n\tg()\n}\n",
                "5: function 5-7: why",
            ),
            (
                "package p\n\nfunc f( // coverage-ignore why\n\ta int,\n) {\n\tg()\n}\n",
                "3: function 5-7: why",
            ),
            ("package p\n\nfunc f() {\n\n\t// coverage-ignore why\n\tg()\n}\n", "5: function 3-7: why"),
        ] {
            assert_eq!(found(text), [wanted], "{text}");
        }
    }

    #[test]
    fn a_mark_where_a_block_opens_means_that_block() {
        for (body, wanted) in [
            ("\tif a { // coverage-ignore why\n\t\tb()\n\t}\n", "4: block 4-6: why"),
            ("\t// coverage-ignore why\n\tif a &&\n\t\tb {\n\t\tc()\n\t}\n", "4: function 3-9: why"),
            ("\ta()\n\t// coverage-ignore why\n\tif b &&\n\t\tc {\n\t\td()\n\t}\n", "5: block 7-9: why"),
            ("\tif a {\n\t\t// coverage-ignore why\n\t\tb()\n\t}\n", "5: block 4-7: why"),
            ("\tif a {\n\t\tb()\n\t} else { // coverage-ignore why\n\t\tc()\n\t}\n", "6: block 6-8: why"),
            (
                "\tif a {\n\t\tb()\n\t} else if c { // coverage-ignore why\n\t\td()\n\t}\n",
                "6: block 6-8: why",
            ),
            (
                "\tswitch a {\n\tcase 1: // coverage-ignore why\n\t\tb()\n\tcase 2:\n\t}\n",
                "5: block 5-6: why",
            ),
            (
                "\tswitch a {\n\t// coverage-ignore why\n\tcase 1:\n\t\tb()\n\tcase 2:\n\t}\n",
                "5: block 6-7: why",
            ),
            (
                "\tswitch a {\n\tcase 1:\n\t\tb()\n\t// coverage-ignore why\n\tdefault:\n\t\tc()\n\t}\n",
                "7: block 8-9: why",
            ),
            ("\tswitch a { // coverage-ignore why\n\tcase 1:\n\t\tb()\n\t}\n", "4: block 4-7: why"),
            ("\tgo func() { // coverage-ignore why\n\t\tb()\n\t}()\n", "4: block 4-6: why"),
        ] {
            assert_eq!(in_function(body), [wanted], "{body}");
        }
        let outside = "package p\n\n// coverage-ignore why\nvar v = func() {\n\ta()\n}\n";
        assert_eq!(found(outside), ["3: block 4-6: why"]);
    }

    #[test]
    fn a_mark_of_another_line_means_the_statements_that_begin_there() {
        for (body, wanted) in [
            ("\ta()\n\tb() // coverage-ignore why\n", "5: line 5: why"),
            ("\ta()\n\t// coverage-ignore why\n\t// more\n\tb()\n", "5: line 7: why"),
            ("\ta()\n\tif b { c() } // coverage-ignore why\n", "5: line 5: why"),
            ("\ta()\n\tx := T{ // coverage-ignore why\n\t\t1,\n\t}\n", "5: line 5: why"),
            ("\ta()\n\t// coverage-ignore why\n\n\tb()\n", "5: nothing: why"),
            ("\ta()\n\t// coverage-ignore why\n", "5: line 6: why"),
        ] {
            assert_eq!(in_function(body), [wanted], "{body}");
        }
        assert_eq!(found("package p\n\n// coverage-ignore why\n"), ["3: nothing: why"]);
    }

    #[test]
    fn a_mark_is_a_line_comment_that_begins_with_the_word() {
        for (comment, reason) in [
            ("// coverage-ignore", Some("")),
            ("//coverage-ignore why so", Some("why so")),
            ("//  coverage-ignore: why\r", Some("why")),
            ("// coverage-ignore // why", Some("why")),
            ("// coverage-ignore - why", Some("why")),
            ("// coverage-ignored", None),
            ("// coverage-ignore-next", None),
            ("// no coverage-ignore", None),
            ("/* coverage-ignore why */", None),
        ] {
            assert_eq!(super::reason(comment.as_bytes()), reason, "{comment}");
        }
        for body in [
            "\ta(\"// coverage-ignore why\")\n",
            "\ta(`\n// coverage-ignore why\n`)\n",
            "\t/*\n// coverage-ignore why\n*/\n",
        ] {
            assert_eq!(in_function(body), [""; 0], "{body}");
        }
    }
}
