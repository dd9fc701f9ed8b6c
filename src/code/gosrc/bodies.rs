//! The blocks and statements of a Go file, found by its tokens.
//!
//! Go's grammar of statements needs no types: a brace opens a block behind the head of a control statement, behind the
//! signature of a function, behind `else`, and where a statement may begin. Each other brace is of a composite literal or a
//! type. Whoever uses the statements compares their number with that of a coverage block, because text that this reads
//! differently from Go has another number.

use super::outline::{Body, Comment, Outline, Statement, StatementKind};
use super::scanner::word_ends_statement;
use super::tokens::{Piece, for_each_token};

/// An open bracket.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
struct Frame {
    kind: FrameKind,
    body: Option<usize>,
    /// The clause that is open, of a switch or select.
    clause: Option<usize>,
    /// The next token begins a statement or declaration.
    at_start: bool,
    /// Tokens of the present statement.
    tokens: usize,
    /// Begin of the head that a body belongs to.
    head: usize,
    /// Kind of the control statement whose body is still to come.
    control: Option<FrameKind>,
    is_in_case: bool,
    /// Begin of a function's signature whose body may come.
    func: Option<usize>,
    /// The function is a declaration.
    is_declared: bool,
    /// The declared function has the name `_`.
    is_blank: bool,
    /// The tokens before form a type whose literal may come, also in the head of a control statement.
    is_literal_type: bool,
    /// The label of the next statement.
    label: Option<Statement>,
    /// The present statement begins with the word `panic`.
    is_panic: bool,
    /// Index of the present statement.
    statement: Option<usize>,
    /// Opening of the first function literal in the present statement or head.
    literal: Option<usize>,
    /// The same of the part of a head up to its last semicolon.
    literal_before_semicolon: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FrameKind {
    #[default]
    File,
    Block,
    /// The body of a switch or select.
    Clauses,
    /// Brackets without statements.
    Other,
}

/// The token before.
#[derive(Clone, Copy, Default)]
struct Before<'t> {
    text: &'t [u8],
    end: usize,
    opened: Option<usize>,
}

/// The boundary of a statement that has not ended.
const UNKNOWN: usize = usize::MAX;

struct Reader<'t> {
    found: Outline<'t>,
    frames: Vec<Frame>,
    before: Before<'t>,
    /// The token before [`Self::before`].
    earlier: &'t [u8],
    /// Number of comments that know the token after them.
    settled: usize,
}

/// Finds the blocks and statements of a text whose literals, comments and brackets are sound.
pub(super) fn outline(text: &[u8]) -> Outline<'_> {
    let mut reader = Reader {
        found: Outline::default(),
        frames: vec![Frame { at_start: true, ..Frame::default() }],
        before: Before::default(),
        earlier: b"",
        settled: 0,
    };
    for_each_token(text, (0, text.len()), |piece| match piece {
        Piece::Comment { at, text } => {
            let opened = reader.before.opened;
            reader.found.comments.push(Comment { at, text, opened, next: usize::MAX });
        }
        Piece::Semicolon => {
            reader.semicolon();
            reader.before.text = b";";
        }
        Piece::Token { at, text } => reader.token(at, text),
    });
    reader.settle_comments(text.len());
    reader.found
}

impl<'t> Reader<'t> {
    fn settle_comments(&mut self, next: usize) {
        for comment in &mut self.found.comments[self.settled..] {
            comment.next = next;
        }
        self.settled = self.found.comments.len();
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the frame of the file stays")
    }

    fn semicolon(&mut self) {
        let frame = self.frame();
        (frame.func, frame.is_literal_type) = (None, false);
        // The semicolons of a head separate no statements.
        if frame.control.is_some() {
            frame.literal_before_semicolon = frame.literal;
            return;
        }
        self.end_statement();
        let frame = self.frame();
        frame.at_start = frame.kind != FrameKind::Other;
        frame.tokens = 0;
    }

    /// Ends the present statement of the innermost brackets behind the token before.
    fn end_statement(&mut self) {
        let (end, before) = (self.before.end, self.before.text);
        let frame = self.frames.last_mut().expect("the frame of the file stays");
        let (Some(index), literal) = (frame.statement.take(), frame.literal.take()) else { return };
        let statement = &mut self.found.statements[index];
        if statement.boundary != UNKNOWN {
            return;
        }
        statement.boundary = literal.unwrap_or(end);
        let is_panic = frame.is_panic && frame.tokens == 2 && before == b")";
        if literal.is_some() || is_panic {
            statement.kind = StatementKind::Last;
        }
    }

    fn token(&mut self, at: usize, text: &'t [u8]) {
        self.settle_comments(at);
        let bodies = self.found.bodies.len();
        match text {
            b";" => {
                self.empty_statement(at);
                self.semicolon();
            }
            b"}" | b")" | b"]" => self.close(at + 1),
            _ => {
                if self.frame().at_start {
                    self.start(at, text);
                }
                self.frame().tokens += 1;
                self.part(at, text);
            }
        }
        let opened = (self.found.bodies.len() > bodies).then(|| self.found.bodies.len() - 1);
        self.earlier = self.before.text;
        self.before = Before { text, end: at + text.len(), opened };
    }

    /// Begins a statement, a declaration or a clause.
    fn start(&mut self, at: usize, text: &[u8]) {
        let after = self.before.end;
        let frame = self.frame();
        (frame.at_start, frame.tokens, frame.head) = (false, 0, at);
        (frame.literal, frame.literal_before_semicolon, frame.statement) = (None, None, None);
        let kind = frame.kind;
        if kind == FrameKind::File {
            frame.is_declared = text == b"func";
            return;
        }
        if kind == FrameKind::Clauses && matches!(text, b"case" | b"default") {
            frame.is_in_case = true;
            if let Some(clause) = frame.clause.take() {
                self.found.bodies[clause].inside.1 = after;
            }
            return;
        }
        let control = control(text);
        frame.control = control;
        frame.is_panic = text == b"panic";
        let label = frame.label.take();
        let is_last = control.is_some() || matches!(text, b"break" | b"continue" | b"goto" | b"fallthrough");
        let (kind, boundary) = match text {
            b"{" => (StatementKind::Braces, at),
            _ if is_last => (StatementKind::Last, UNKNOWN),
            _ => (StatementKind::Plain, UNKNOWN),
        };
        let mut statement = Statement { start: at, after, body: self.body(), boundary, kind };
        match label {
            None => {}
            // Go takes the label and the loop for one statement.
            Some(label) if control.is_some() && text != b"if" => {
                (statement.start, statement.after) = (label.start, label.after);
            }
            Some(label) => self.found.statements.push(label),
        }
        self.push(statement);
    }

    /// Takes a semicolon where a statement may begin, which is one.
    fn empty_statement(&mut self, at: usize) {
        let after = self.before.end;
        let frame = self.frame();
        if !frame.at_start || matches!(frame.kind, FrameKind::File | FrameKind::Other) {
            return;
        }
        let label = frame.label.take();
        self.found.statements.extend(label);
        let (body, kind) = (self.body(), StatementKind::Plain);
        self.found.statements.push(Statement { start: at, after, body, boundary: at + 1, kind });
    }

    /// Adds a statement, which is the present one of the innermost brackets then.
    fn push(&mut self, statement: Statement) {
        self.frame().statement = Some(self.found.statements.len());
        self.found.statements.push(statement);
    }

    /// Returns the body whose list has the statements in the innermost brackets.
    fn body(&mut self) -> usize {
        let frame = self.frame();
        frame.clause.or(frame.body).unwrap_or_default()
    }

    /// Takes a token of a statement.
    fn part(&mut self, at: usize, text: &'t [u8]) {
        let (before, earlier) = (self.before.text, self.earlier);
        match text {
            b"{" => self.brace(at),
            b"(" | b"[" => {
                let frame = self.frame();
                match text {
                    b"[" if !ends_operand(before) => frame.is_literal_type = true,
                    // A conversion to the type, and no literal.
                    b"(" if before != b"func" => frame.is_literal_type = false,
                    _ => {}
                }
                self.frames.push(Frame { kind: FrameKind::Other, ..Frame::default() });
            }
            b"func" => {
                let is_product = before == b"*" && ends_operand(earlier) && earlier != b"]";
                let is_of_type = matches!(before, b"]" | b")" | b"*" | b"chan") && !is_product
                    || before == b"<-" && earlier == b"chan";
                let frame = self.frame();
                if !is_of_type && frame.func.is_none() {
                    frame.func = Some(at);
                }
            }
            b"map" => self.frame().is_literal_type = true,
            b"else" => self.frame().head = at,
            b"if" if before == b"else" => {
                let (after, body) = (self.before.end, self.body());
                self.push(Statement {
                    start: at,
                    after,
                    body,
                    boundary: UNKNOWN,
                    kind: StatementKind::ElseIf,
                });
                let frame = self.frame();
                (frame.control, frame.literal) = (Some(FrameKind::Block), None);
            }
            b":" => self.colon(at),
            b"," | b"=" | b":=" => {
                let frame = self.frame();
                (frame.func, frame.is_literal_type) = (None, false);
            }
            b"." | b"*" => {}
            b"_" if self.frame().kind == FrameKind::File => {
                let frame = self.frame();
                // The name follows the keyword or the receiver.
                frame.is_blank = frame.is_declared && matches!(before, b"func" | b")") && frame.tokens <= 3;
            }
            _ if is_operator(text) => self.frame().is_literal_type = false,
            _ => {}
        }
    }

    /// Takes the colon of a clause or label.
    fn colon(&mut self, at: usize) {
        let bodies = self.found.bodies.len();
        let statements = &mut self.found.statements;
        let frame = self.frames.last_mut().expect("the frame of the file stays");
        frame.func = None;
        if frame.is_in_case {
            (frame.is_in_case, frame.at_start, frame.clause) = (false, true, Some(bodies));
            frame.is_literal_type = false;
            let inside = (at + 1, at + 1);
            let head = frame.head;
            let clause =
                Body { head, open: at, inside, is_function: false, is_blank: false, has_clauses: false };
            self.found.bodies.push(clause);
        } else if frame.tokens == 2 && frame.kind != FrameKind::Other && frame.kind != FrameKind::File {
            let label = statements.pop();
            let as_label =
                |label: Statement| Statement { boundary: label.start, kind: StatementKind::Label, ..label };
            (frame.label, frame.statement, frame.at_start) = (label.map(as_label), None, true);
        }
    }

    fn brace(&mut self, at: usize) {
        let (before, earlier) = (self.before, self.earlier);
        if self.frame().func.is_some() && !matches!(before.text, b"struct" | b"interface") {
            self.note_literal(at);
        }
        let frame = self.frames.last_mut().expect("the frame of the file stays");
        let (kind, head) = match before.text {
            b"struct" | b"interface" => {
                frame.is_literal_type = true;
                self.frames.push(Frame { kind: FrameKind::Other, ..Frame::default() });
                return;
            }
            _ if frame.func.is_some() => (FrameKind::Block, frame.func.take().unwrap_or(at)),
            b"else" => (FrameKind::Block, frame.head),
            _ if frame.control.is_some() && !frame.is_literal_type => {
                let is_type_switch = before.text == b")" && earlier == b"type";
                let literal = if is_type_switch { frame.literal_before_semicolon } else { frame.literal };
                if let Some(index) = frame.statement {
                    self.found.statements[index].boundary = literal.unwrap_or(at);
                }
                (frame.control.take().unwrap_or_default(), frame.head)
            }
            _ if frame.tokens == 1 && frame.kind != FrameKind::Other => (FrameKind::Block, at),
            _ => {
                frame.is_literal_type = false;
                self.frames.push(Frame { kind: FrameKind::Other, ..Frame::default() });
                return;
            }
        };
        frame.is_literal_type = false;
        let is_function = frame.kind == FrameKind::File && std::mem::take(&mut frame.is_declared);
        let is_blank = is_function && std::mem::take(&mut frame.is_blank);
        // The coverage block of an else begins behind that word.
        let start = if before.text == b"else" { before.end } else { at };
        let has_clauses = kind == FrameKind::Clauses;
        let body = self.found.bodies.len();
        let inside = (start, at + 1);
        self.found.bodies.push(Body { head, open: at, inside, is_function, is_blank, has_clauses });
        self.frames.push(Frame { kind, body: Some(body), at_start: true, ..Frame::default() });
    }

    /// Notes the opening of a function literal for the statement around it.
    fn note_literal(&mut self, at: usize) {
        let around = self.frames.iter_mut().rev().find(|frame| frame.kind != FrameKind::Other);
        if let Some(frame) = around {
            frame.literal.get_or_insert(at);
        }
    }

    fn close(&mut self, end: usize) {
        if self.frames.len() == 1 {
            return;
        }
        self.end_statement();
        let label = self.frame().label.take();
        self.found.statements.extend(label);
        let Some(Frame { body, clause, .. }) = self.frames.pop() else { return };
        if let Some(clause) = clause {
            self.found.bodies[clause].inside.1 = self.before.end;
        }
        if let Some(body) = body {
            self.found.bodies[body].inside.1 = end;
        }
    }
}

/// Returns the kind of the body that follows a control statement.
fn control(word: &[u8]) -> Option<FrameKind> {
    match word {
        b"if" | b"for" => Some(FrameKind::Block),
        b"switch" | b"select" => Some(FrameKind::Clauses),
        _ => None,
    }
}

/// Tells whether an index, and no type, follows a token if it is a bracket.
fn ends_operand(token: &[u8]) -> bool {
    match token.first() {
        Some(b')' | b']' | b'}' | b'"' | b'`' | b'\'') => true,
        Some(byte) if byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80 => {
            word_ends_statement(token) && token != b"return"
        }
        _ => false,
    }
}

fn is_operator(token: &[u8]) -> bool {
    token
        .first()
        .is_some_and(|byte| byte.is_ascii_punctuation() && !matches!(byte, b'_' | b'"' | b'`' | b'\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the heads, or the first 12 bytes of each body's head to its opening, and its last line.
    fn found(text: &str) -> Vec<String> {
        let found = outline(text.as_bytes());
        let line = |at: usize| 1 + text[..at].matches('\n').count();
        let shown = |body: &Body| {
            format!("{} {}-{}", &text[body.head..=body.open], line(body.head), line(body.inside.1))
        };
        found.bodies.iter().map(shown).collect()
    }

    /// Returns the first words of each statement.
    fn statements(text: &str) -> Vec<&str> {
        let mut found = outline(text.as_bytes()).statements;
        found.retain(|statement| !statement.kind.is_in_block_before());
        let end = |at: usize| text[at..].find(['\n', ';', '}']).map_or(text.len(), |length| at + length);
        found.iter().map(|statement| text[statement.start..end(statement.start)].trim_end()).collect()
    }

    #[test]
    fn bodies_are_told_from_literals_and_types() {
        let text = "package p\nfunc f() {\n\tx := T{1}\n\tif y := (T{2}); y == z {\n\t} else if a {\n\t} else {\n\t}\n\
                    \tfor _, s := range []string{\"a\"} {\n\t}\n\tfor range map[string]func(){\"f\": f} {\n\t}\n\
                    \tif v == struct{ a int }{1} {\n\t}\n\t{\n\t}\n\tvar g = func() []int { return []int{1} }\n\
                    \th := []func(){f}\n\tif string([]byte(s)) == \"\" {\n\t}\n\tgo func() {\n\t}()\n}\n\
                    var w = func(int) struct{} {\n\treturn struct{}{}\n}\ntype I interface {\n\tM()\n}\n";
        assert_eq!(
            found(text),
            [
                "func f() { 2-22",
                "if y := (T{2}); y == z { 4-5",
                "else if a { 5-6",
                "else { 6-7",
                "for _, s := range []string{\"a\"} { 8-9",
                "for range map[string]func(){\"f\": f} { 10-11",
                "if v == struct{ a int }{1} { 12-13",
                "{ 14-15",
                "func() []int { 16-16",
                "if string([]byte(s)) == \"\" { 18-19",
                "func() { 20-21",
                "func(int) struct{} { 23-25",
            ]
        );
    }

    #[test]
    fn clauses_end_where_the_next_begins() {
        let text = "package p\nfunc f() {\n\tswitch x := y.(type) {\n\tcase a, b:\n\t\tg(x[1:2])\n\n\tcase func():\n\t\th()\n\
                    \tdefault:\n\t}\n\tselect {\n\tcase v := <-c:\n\t\tg(v)\n\t}\n}\n";
        assert_eq!(
            found(text),
            [
                "func f() { 2-15",
                "switch x := y.(type) { 3-10",
                "case a, b: 4-5",
                "case func(): 7-8",
                "default: 9-9",
                "select { 11-14",
                "case v := <-c: 12-13",
            ]
        );
    }

    #[test]
    fn statements_begin_as_in_go() {
        let text = "package p\nvar v = 1\nfunc f() {\n\ta(); b(\n\t\t1,\n\t)\n\tfor i := 0; i < 3; i++ {\n\t\tc()\n\t}\n\
                    \tif d() {\n\t\te()\n\t} else if g() {\n\t\treturn\n\t}\nl:\n\tfor {\n\t\tbreak l\n\t}\n\
                    m:\n\th()\n\t*p = 1\n\tvar (\n\t\tq = 1\n\t\tr = 2\n\t)\n\t{\n\t\ts()\n\t}\n\
                    \tswitch t() {\n\tcase 1:\n\t\tu()\n\t}\n\tw := func() { x() }\n}\n";
        let found = statements(text);
        let wanted = [
            "a()",
            "b(",
            "for i := 0",
            "c()",
            "if d() {",
            "e()",
            "if g() {",
            "return",
            "l:",
            "break l",
            "h()",
            "*p = 1",
            "var (",
            "s()",
            "switch t() {",
            "u()",
            "w := func() { x()",
            "x()",
        ];
        assert_eq!(found, wanted);
        let ends = ["m:", "{\n\t\ts()"].map(|begin| text.find(begin).unwrap());
        let found = outline(text.as_bytes()).statements;
        let in_block_before = found.iter().filter(|statement| statement.kind.is_in_block_before());
        assert_eq!(in_block_before.map(|statement| statement.start).collect::<Vec<_>>(), ends);
    }

    #[test]
    fn a_type_in_a_case_makes_no_literal_of_the_statement_behind_it() {
        let text = "package p\nfunc f() {\n\tswitch x.(type) {\n\tcase []int, map[string]int:\n\t\tif y {\n\t\t\tg()\n\t\t}\n\t}\n\
                    \tfor _, f := range []func() func(){a} {\n\t\tf()\n\t}\n}\n";
        assert_eq!(
            statements(text),
            ["switch x.(type) {", "if y {", "g()", "for _, f := range []func() func(){a", "f()"]
        );
    }

    #[test]
    fn each_statement_knows_its_list_and_where_its_block_ends() {
        let text = "package p\nfunc f() {\n\ta(1)\n\tb(func() { c() }, 2)\n\tpanic(d)\n\tif e := func() bool { return true }(); e {\n\t} else if g {\n\t}\n\
                    \tswitch h := func() any { return 1 }().(type) {\n\tcase int:\n\t\tbreak\n\t}\nl: {\n\t}\nm:\n}\n";
        let Outline { bodies, statements, .. } = outline(text.as_bytes());
        let shown = |statement: &Statement| {
            let Statement { start, body, boundary, kind, .. } = *statement;
            let to = text[start..].find(['\n', '{']).map_or(text.len(), |length| start + length);
            format!(
                "{} {kind:?} to {:?} in {}",
                text[start..to].trim_end(),
                &text[boundary..=boundary],
                bodies[body].open
            )
        };
        let open = |part: &str| text.find(part).unwrap() + part.len() - 1;
        let [f, literal, yes, any, int] =
            ["f() {", "b(func() {", "func() bool {", "func() any {", "case int:"].map(open);
        let found: Vec<String> = statements.iter().map(shown).collect();
        assert_eq!(
            found,
            [
                format!("a(1) Plain to \"\\n\" in {f}"),
                format!("b(func() Last to \"{{\" in {f}"),
                format!("c() }}, 2) Plain to \" \" in {literal}"),
                format!("panic(d) Last to \"\\n\" in {f}"),
                format!("if e := func() bool Last to \"{{\" in {f}"),
                format!("return true }}(); e Plain to \" \" in {yes}"),
                format!("if g ElseIf to \"{{\" in {f}"),
                format!("switch h := func() any Last to \"{{\" in {f}"),
                format!("return 1 }}().(type) Plain to \" \" in {any}"),
                format!("break Last to \"\\n\" in {int}"),
                format!("l: Label to \"l\" in {f}"),
                format!(" Braces to \"{{\" in {f}"),
                format!("m: Label to \"m\" in {f}"),
            ]
        );
    }
}
