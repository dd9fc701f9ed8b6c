//! The tokens of function declarations, for the question whether a function is the same in two texts.
//!
//! Comments and layout are no tokens. The semicolons that Go inserts at line ends are, as in go/scanner; whether a semicolon
//! was inserted or written makes no difference. Directives for the compiler (`//go:`) and for positions (`//line`) count as
//! tokens, because they change what the function does, or where it is.

use memchr::{memchr, memmem};

use super::extents::{FoundFunctions, FuncExtent, SyntaxError};
use super::positions::{FuncSpan, LineDirective, Places};
use super::scanner::{Scanner, is_word, skip_comment, skip_literal, word_ends_statement};

/// The function declarations of a text, whose tokens can be read.
pub(crate) struct DeclaredFunctions<'t> {
    text: &'t [u8],
    /// Name of the package.
    pub(crate) package: &'t str,
    /// The functions in source order.
    pub(crate) functions: Vec<FuncExtent>,
    spans: Vec<FuncSpan>,
    /// Line and column of each function in the text, regardless of `//line` comments.
    text_places: Vec<(u32, u32)>,
    directives: Vec<LineDirective>,
}

impl<'t> DeclaredFunctions<'t> {
    /// Finds the functions of a text.
    pub(crate) fn of(text: &'t [u8]) -> Result<Self, SyntaxError> {
        let mut scanner = Scanner::new(text);
        let FoundFunctions { package: (from, to), spans, .. } = scanner.functions()?;
        let functions = scanner.placed(&spans);
        let package = str::from_utf8(&text[from..to]).unwrap_or_default();
        let mut places = Places::new(text, &[]);
        let text_places = spans.iter().map(|span| places.place(span.start)).collect();
        Ok(Self { text, package, functions, spans, text_places, directives: scanner.directives })
    }

    /// Returns the number of lines by which a function of another text is further below, if its text is the same to the byte
    /// and no directive has a say in it.
    pub(crate) fn lines_to_same_text(&self, index: usize, other: &Self, twin: usize) -> Option<i64> {
        let (own, theirs) = (&self.spans[index], &other.spans[twin]);
        let (here, there) = (self.text_places[index], other.text_places[twin]);
        let has_directive = |text: &[u8]| memmem::find(text, b"//go:").is_some();
        let is_same = self.directives.is_empty()
            && other.directives.is_empty()
            && here.1 == there.1
            && self.text[own.start..own.end] == other.text[theirs.start..theirs.end]
            && !has_directive(&self.text[own.after..own.start])
            && !has_directive(&other.text[theirs.after..theirs.start]);
        is_same.then(|| i64::from(there.0) - i64::from(here.0))
    }

    /// Returns the tokens of the function at this index.
    pub(crate) fn tokens(&self, index: usize) -> FuncTokens {
        let FuncSpan { start, end, after, .. } = self.spans[index];
        let mut tokens = FuncTokens { normal: Vec::with_capacity(end - start), edges: Vec::new() };
        tokens.directives_before(&self.text[after..start]);
        let (line, column) = self.text_places[index];
        let mut places = Places::starting(self.text, &self.directives, start, (line, column));
        let mut number = 0;
        for_each_token(self.text, (start, end), |piece| match piece {
            Piece::Comment { text, .. } => tokens.push_directive(text),
            Piece::Semicolon => {
                tokens.push(b";");
                number += 1;
            }
            Piece::Token { at, text } => {
                // A raw string loses its carriage returns, as in go/scanner.
                match text.first() {
                    Some(b'`') => tokens.push(&without_returns(text)),
                    _ => tokens.push(text),
                }
                tokens.edges.push((places.place(at), 2 * number));
                tokens.edges.push((places.place(at + text.len()), 2 * number + 1));
                number += 1;
            }
        });
        tokens.edges.sort_unstable();
        tokens
    }
}

/// A function declaration of a text, with its tokens.
pub(crate) struct FuncTokens {
    /// The texts of the tokens and directives, each with a NUL behind it, which no Go text contains.
    normal: Vec<u8>,
    /// The places of the tokens' starts (even numbers) and ends (odd numbers), in order of the places.
    edges: Vec<((u32, u32), u32)>,
}

impl FuncTokens {
    /// Tells whether two declarations have the same tokens and directives.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.normal == other.normal
    }

    /// Returns the texts of its tokens and directives, each with a NUL behind it.
    pub(crate) fn text(&self) -> &[u8] {
        &self.normal
    }

    /// Tells whether a place in this declaration and one in the other are at the same end of the same token.
    pub(crate) fn is_same_place(&self, place: (u32, u32), other: &Self, there: (u32, u32)) -> bool {
        let there = other.edges_at(there);
        self.edges_at(place).iter().any(|(_, edge)| there.iter().any(|(_, other)| edge == other))
    }

    fn push(&mut self, text: &[u8]) {
        self.normal.extend_from_slice(text);
        self.normal.push(0);
    }

    /// Adds the directives in the comments before the declaration.
    fn directives_before(&mut self, text: &[u8]) {
        for_each_token(text, (0, text.len()), |piece| {
            if let Piece::Comment { text, .. } = piece {
                self.push_directive(text);
            }
        });
    }

    /// Adds a comment if it is a directive.
    fn push_directive(&mut self, comment: &[u8]) {
        if is_directive(comment) {
            self.push(comment.strip_suffix(b"\r").unwrap_or(comment));
        }
    }

    /// Returns the ends of tokens at a place: two where tokens touch.
    fn edges_at(&self, place: (u32, u32)) -> &[((u32, u32), u32)] {
        let from = self.edges.partition_point(|(at, _)| *at < place);
        let length = self.edges[from..].partition_point(|(at, _)| *at == place);
        &self.edges[from..from + length]
    }
}

/// A piece of a text between blanks.
pub(super) enum Piece<'t> {
    Comment {
        at: usize,
        text: &'t [u8],
    },
    /// A semicolon that Go inserts.
    Semicolon,
    Token {
        at: usize,
        text: &'t [u8],
    },
}

/// Hands on the tokens and comments between two offsets of a text whose literals, comments and brackets are sound.
pub(super) fn for_each_token<'t>(
    text: &'t [u8],
    (start, end): (usize, usize),
    mut take: impl FnMut(Piece<'t>),
) {
    let mut at = start;
    let mut can_end = false;
    while at < end {
        let length = match text[at] {
            b'\n' => {
                if can_end {
                    take(Piece::Semicolon);
                    can_end = false;
                }
                at += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' => {
                at += 1;
                continue;
            }
            b'/' if matches!(text.get(at + 1), Some(b'/' | b'*')) => {
                let comment_end = skip_comment(text, at).unwrap_or(end);
                let comment = &text[at..comment_end];
                // The semicolon stands before a comment that contains a line end.
                if can_end && memchr(b'\n', comment).is_some() {
                    take(Piece::Semicolon);
                    can_end = false;
                }
                take(Piece::Comment { at, text: comment });
                at = comment_end;
                continue;
            }
            b'"' | b'\'' | b'`' => skip_literal(text, at).unwrap_or(end) - at,
            b'0'..=b'9' => number_length(&text[at..end]),
            b'.' if text.get(at + 1).is_some_and(u8::is_ascii_digit) => number_length(&text[at..end]),
            byte if is_word(byte) => text[at..end].iter().take_while(|&&byte| is_word(byte)).count(),
            _ => operator_length(&text[at..end]),
        };
        let token = &text[at..at + length];
        can_end = match token[0] {
            b'"' | b'\'' | b'`' | b')' | b']' | b'}' | b'0'..=b'9' => true,
            b'.' => length > 1 && token != b"...",
            byte if is_word(byte) => word_ends_statement(token),
            _ => matches!(token, b"++" | b"--"),
        };
        take(Piece::Token { at, text: token });
        at += length;
    }
}

fn without_returns(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|&byte| byte != b'\r').collect()
}

/// Tells whether a comment is a directive for positions or for the compiler.
fn is_directive(comment: &[u8]) -> bool {
    [&b"//line "[..], b"/*line ", b"//go:"].iter().any(|begin| comment.starts_with(begin))
}

/// Returns the length of the number at the begin of a text.
fn number_length(text: &[u8]) -> usize {
    let exponent: &[u8] = if matches!(text, [b'0', b'x' | b'X', ..]) { b"pP" } else { b"eE" };
    let mut length = 0;
    while let Some(&byte) = text.get(length) {
        let is_sign = matches!(byte, b'+' | b'-') && length > 0 && exponent.contains(&text[length - 1]);
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') || is_sign) {
            break;
        }
        length += 1;
    }
    length
}

/// Returns the length of the operator at the begin of a text: the longest one that fits.
fn operator_length(text: &[u8]) -> usize {
    const THREE: [&[u8]; 4] = [b"<<=", b">>=", b"&^=", b"..."];
    const TWO: [&[u8]; 21] = [
        b"<<", b">>", b"&^", b"+=", b"-=", b"*=", b"/=", b"%=", b"&=", b"|=", b"^=", b"&&", b"||", b"<-",
        b"++", b"--", b"==", b"!=", b"<=", b">=", b":=",
    ];
    let begins = |operators: &[&[u8]]| operators.iter().any(|operator| text.starts_with(operator));
    if begins(&THREE) {
        3
    } else if begins(&TWO) {
        2
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the tokens of the only function of a text.
    fn only(text: &str) -> FuncTokens {
        let declared = DeclaredFunctions::of(text.as_bytes()).unwrap();
        assert_eq!(declared.functions.len(), 1, "{text}");
        declared.tokens(0)
    }

    fn words(text: &str) -> Vec<String> {
        let tokens = only(text).normal;
        let words = tokens.split(|&byte| byte == 0).filter(|word| !word.is_empty());
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    #[test]
    fn tokens_are_those_of_go_scanner() {
        let text = "package p\nfunc f(a ...int) {\n\tx<<=1; y &^= ^z // end\n\tc <-a<-b\n\tn := 0x1p-2+1e+5-0x1e+5+.5i\n\
                    \tr, s := '\\'', `a\r\nb`\n\ti++ /*\n*/\n}\n";
        let wanted = "func f ( a ... int ) { x <<= 1 ; y &^= ^ z ; c <- a <- b ; n := 0x1p-2 + 1e+5 - 0x1e + 5 + .5i ; \
                      r , s := '\\'' , `a\nb` ; i ++ ; }";
        assert_eq!(words(text).join(" "), wanted);
    }

    #[test]
    fn layout_and_comments_make_no_difference_and_tokens_do() {
        let first = only("package p\nfunc f() {\n\ta(1); b()\n}\n");
        for same in [
            "package q\n\n// f does it.\nfunc f() {\n\ta(1)\n\tb() /* so */\n}\n",
            "package p\nfunc  f ( ) { a ( 1 ) ; b ( )\n}\n",
            "package p\nfunc f() {\r\n\ta(1) // one\r\n\tb()\r\n}\r\n",
        ] {
            assert!(first.is_same(&only(same)), "{same}");
        }
        for other in [
            "package p\nfunc f() {\n\ta(2); b()\n}\n",
            "package p\nfunc f() {\n\ta(1); b();\n;}\n",
            "package p\nfunc f() { a(1); b() }\n",
            "package p\nfunc f() int {\n\ta(1); b()\n}\n",
            "package p\nfunc (T) f() {\n\ta(1); b()\n}\n",
            "package p\n//go:noinline\nfunc f() {\n\ta(1); b()\n}\n",
            "package p\nfunc f() {\n//line x.go:7\n\ta(1); b()\n}\n",
        ] {
            assert!(!first.is_same(&only(other)), "{other}");
        }
    }

    #[test]
    fn a_directive_of_the_declaration_before_is_none_of_this_one() {
        let with = "package p\n//go:embed x\nvar x string\n\nfunc f() {}\n";
        assert!(only(with).is_same(&only("package p\nfunc f() {}\n")));
    }

    #[test]
    fn places_are_the_same_at_the_same_end_of_the_same_token() {
        let here = only("package p\nfunc f() {\n\tswitch {\n\tcase x:\n\t\ta()\n\t}\n}\n");
        let there = only("package p\n\n\nfunc f() {\n\n\tswitch { // of x\n\tcase x :\n\t\ta( )\n\t}\n}\n");
        for (place, other) in [
            // The opening brace, behind the colon, and behind the closing bracket.
            ((2, 10), (4, 10)),
            ((4, 9), (7, 10)),
            ((5, 6), (8, 7)),
        ] {
            assert!(here.is_same_place(place, &there, other), "{place:?}");
        }
        assert!(!here.is_same_place((4, 9), &there, (7, 9)), "before the colon");
        assert!(!here.is_same_place((3, 1), &there, (6, 1)), "no token");
    }

    #[test]
    fn places_follow_line_comments() {
        let moved = only("package p\n//line x.go:100\nfunc f() { a()\n}\n");
        let twin = only("package p\n//line x.go:100\n\nfunc f() { a()\n}\n");
        assert!(moved.is_same(&twin));
        assert!(moved.is_same_place((100, 0), &twin, (101, 0)), "columns are unknown there");
    }
}
