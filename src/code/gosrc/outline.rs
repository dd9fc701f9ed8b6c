//! The outline of a Go text: its blocks, statements and comments, which [`super::bodies`] finds.

/// A block of a text: the body of a function, a function literal or a control statement, a clause, or braces that stand
/// alone. Offsets count bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// Begin of its head: of `func`, `if`, `else`, `case` and so on, or of the brace.
    pub(super) head: usize,
    /// Offset of the opening brace, or of the colon of a clause.
    pub(super) open: usize,
    /// Begin and end of the text of which Go makes coverage blocks for it.
    pub(super) inside: (usize, usize),
    /// The body is that of a declared function.
    pub(super) is_function: bool,
    /// The body is that of a function with the name `_`.
    pub(super) is_blank: bool,
    /// The body has clauses and no statements of its own.
    pub(super) has_clauses: bool,
}

/// A statement of a function's text, or a label of a statement that is no loop, switch or select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// Offset of its first byte; of a loop, switch or select with a label, of the label.
    pub(super) start: usize,
    /// End of the token before it.
    pub(super) after: usize,
    /// Index of the body that has it in its list.
    pub(super) body: usize,
    /// Offset at which its coverage block ends if it is the last one there: at the opening of the body that it controls or of
    /// the first function literal in it, or behind its last token.
    pub(super) boundary: usize,
    pub(super) kind: StatementKind,
}

/// The kinds of statements that Go's coverage tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatementKind {
    /// The coverage block goes on behind it.
    Plain,
    /// The statement ends its coverage block: a control statement, a jump, a call of `panic`, or one with a function literal.
    Last,
    /// The `if` of an `else if`, which is in no list.
    ElseIf,
    /// A label of a statement that is no loop, switch or select.
    Label,
    /// A block that stands alone.
    Braces,
}

impl StatementKind {
    /// Tells whether Go counts it in the coverage block that ends where it begins.
    pub(super) fn is_in_block_before(self) -> bool {
        matches!(self, Self::Label | Self::Braces)
    }
}

/// A comment of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comment<'t> {
    pub(super) at: usize,
    pub(super) text: &'t [u8],
    /// Index of the body that was opened by the token before it, if one was.
    pub(super) opened: Option<usize>,
    /// Offset of the next token; the length of the text behind the last one.
    pub(super) next: usize,
}

/// The blocks, statements and comments of a text.
#[derive(Debug, Default)]
pub(super) struct Outline<'t> {
    /// In order of their openings.
    pub(super) bodies: Vec<Body>,
    /// In order of their starts.
    pub(super) statements: Vec<Statement>,
    pub(super) comments: Vec<Comment<'t>>,
}
