//! The tokens of a Go file outside of all brackets, and its comments and raw strings of several lines.

use memchr::{memchr, memchr_iter};

use super::extents::MultilineToken;
use super::positions::{LineDirective, LinePosition, directive};

/// A fault with its offset.
#[derive(Debug)]
pub(super) struct ScanFault {
    pub(super) at: usize,
    pub(super) reason: &'static str,
}

pub(super) fn fault<T>(at: usize, reason: &'static str) -> Result<T, ScanFault> {
    Err(ScanFault { at, reason })
}

/// A token outside of all brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Identifier or keyword: offset of its begin and of its end.
    Word(usize, usize),
    /// String, rune or number.
    Literal,
    /// An opening bracket.
    Open(u8),
    /// A semicolon, or a line end that counts as one.
    Semicolon,
    /// An operator or any other character.
    Other(u8),
    /// The text ends.
    End,
}

pub(super) struct Scanner<'a> {
    pub(super) source: &'a [u8],
    pub(super) at: usize,
    pub(super) directives: Vec<LineDirective>,
    pub(super) spanning: Vec<MultilineToken>,
}

/// Tells whether Go puts a semicolon at a line end after this identifier or keyword.
pub(super) fn word_ends_statement(word: &[u8]) -> bool {
    !matches!(
        word,
        b"case"
            | b"chan"
            | b"const"
            | b"default"
            | b"defer"
            | b"else"
            | b"for"
            | b"func"
            | b"go"
            | b"goto"
            | b"if"
            | b"import"
            | b"interface"
            | b"map"
            | b"package"
            | b"range"
            | b"select"
            | b"struct"
            | b"switch"
            | b"type"
            | b"var"
    )
}

impl<'a> Scanner<'a> {
    /// Stands before the first byte of a text.
    pub(super) const fn new(source: &'a [u8]) -> Self {
        Self { source, at: 0, directives: Vec::new(), spanning: Vec::new() }
    }

    /// Tells whether Go puts a semicolon at a line end after this token.
    pub(super) fn ends_statement(&self, token: Token) -> bool {
        match token {
            Token::Literal => true,
            Token::Word(from, to) => word_ends_statement(&self.source[from..to]),
            // "++" and "--" are statements, which do not occur outside of brackets.
            _ => false,
        }
    }

    /// Reads the next token outside of brackets; `can_end` tells whether a line end is a semicolon here.
    pub(super) fn token(&mut self, can_end: bool) -> Result<Token, ScanFault> {
        while let Some(&byte) = self.source.get(self.at) {
            let start = self.at;
            self.at += 1;
            return Ok(match byte {
                b'\n' if can_end => Token::Semicolon,
                b' ' | b'\t' | b'\r' | b'\n' => continue,
                b'/' => match self.source.get(self.at) {
                    Some(b'/' | b'*') => {
                        self.at = start;
                        let is_line = self.source[start + 1] == b'/';
                        self.skip_comment()?;
                        // A comment that contains a line end counts as a line end.
                        let newline = !is_line && memchr(b'\n', &self.source[start..self.at]).is_some();
                        if newline && can_end {
                            return Ok(Token::Semicolon);
                        }
                        continue;
                    }
                    _ => Token::Other(byte),
                },
                b'"' | b'\'' | b'`' => {
                    self.at = start;
                    self.skip_literal()?;
                    Token::Literal
                }
                b'(' | b'[' | b'{' => {
                    self.at = start;
                    Token::Open(byte)
                }
                b')' | b']' | b'}' => return fault(start, "a closing bracket without its opening one"),
                b';' => Token::Semicolon,
                b'0'..=b'9' => {
                    self.skip_while(|byte| is_word(byte) || byte == b'.');
                    Token::Literal
                }
                byte if is_word(byte) => {
                    self.skip_while(is_word);
                    if let Some(at) = self.no_letter(start) {
                        return fault(at, "an illegal character");
                    }
                    Token::Word(start, self.at)
                }
                b'@' | b'#' | b'$' | b'?' | b'\\' | 0..=31 | 127 => {
                    return fault(start, "an illegal character");
                }
                byte => Token::Other(byte),
            });
        }
        Ok(Token::End)
    }

    /// Returns the offset of the first character in the word from `start` to here that is neither a letter nor a digit
    /// of any script.
    fn no_letter(&self, start: usize) -> Option<usize> {
        let word = &self.source[start..self.at];
        if word.is_ascii() {
            return None;
        }
        let word = str::from_utf8(word).unwrap_or_default();
        word.char_indices().find(|(_, c)| !c.is_alphanumeric() && *c != '_').map(|(at, _)| start + at)
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        self.at += self.source[self.at..].iter().take_while(|&&byte| wanted(byte)).count();
    }

    /// Skips from an opening bracket past the one that closes it.
    pub(super) fn skip_brackets(&mut self) -> Result<(), ScanFault> {
        let first = self.at;
        // Bodies rarely nest deeper.
        let mut open = Vec::with_capacity(32);
        loop {
            let rest = &self.source[self.at..];
            let Some(skipped) = rest.iter().position(|&byte| IS_OF_INTEREST[usize::from(byte)]) else {
                return fault(first, "a bracket that is never closed");
            };
            self.at += skipped;
            let at = self.at;
            match self.source[at] {
                b'(' => open.push(b')'),
                b'[' => open.push(b']'),
                b'{' => open.push(b'}'),
                b'/' => {
                    if matches!(self.source.get(at + 1), Some(b'/' | b'*')) {
                        self.skip_comment()?;
                        continue;
                    }
                }
                closing @ (b')' | b']' | b'}') => {
                    if open.pop() != Some(closing) {
                        return fault(at, "brackets do not match");
                    }
                    if open.is_empty() {
                        self.at += 1;
                        return Ok(());
                    }
                }
                _ => {
                    self.skip_literal()?;
                    continue;
                }
            }
            self.at += 1;
        }
    }

    /// Skips a string, raw string or rune.
    fn skip_literal(&mut self) -> Result<(), ScanFault> {
        let start = self.at;
        self.at = skip_literal(self.source, start)?;
        if self.source[start] == b'`' {
            self.remember_spanning(start, false);
        }
        Ok(())
    }

    /// Remembers the comment or raw string from `start` to here, if it has several lines.
    fn remember_spanning(&mut self, start: usize, is_comment: bool) {
        if memchr(b'\n', &self.source[start..self.at]).is_some() {
            self.spanning.push(MultilineToken { start, end: self.at, is_comment });
        }
    }

    /// Skips a comment, without the line end after `//`; notes a line directive.
    fn skip_comment(&mut self) -> Result<(), ScanFault> {
        let start = self.at;
        let end = skip_comment(self.source, start)?;
        self.at = end;
        if self.source[start + 1] == b'*' {
            self.remember_spanning(start, true);
        }
        let text = &self.source[start..end];
        if !text[2..].starts_with(b"line ") {
            return Ok(());
        }
        let (text, applies_at) = if text[1] == b'*' {
            (&text[7..text.len() - 2], end)
        } else if start == 0 || self.source[start - 1] == b'\n' {
            (text[7..].strip_suffix(b"\r").unwrap_or(&text[7..]), end + 1)
        } else {
            return Ok(());
        };
        match directive(text) {
            // A directive at the very end of the file does not count, as in go/token.
            Ok(Some(LinePosition { line, column, name_length })) if applies_at < self.source.len() => {
                // The count continues from the directive before. Otherwise a file full of directives would take
                // quadratic time.
                let before = self.directives.last().map_or((0, 1), |last| (last.at, last.text_line));
                let text_line = before.1 + memchr_iter(b'\n', &self.source[before.0..applies_at]).count();
                let name = (start + 7, start + 7 + name_length);
                // An empty name before a column is the one before.
                let file = match name_length {
                    0 if column > 0 => self.directives.last().and_then(|last| last.file),
                    _ => Some(name),
                };
                self.directives.push(LineDirective { at: applies_at, line, column, text_line, file });
            }
            Ok(_) => {}
            Err(reason) => return fault(start, reason),
        }
        Ok(())
    }
}

const IS_OF_INTEREST: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b"(){}[]\"'`/";
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] = true;
        index += 1;
    }
    table
};

/// Tells whether a byte may be part of a word. Letters of other scripts are checked when the word is complete.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Returns the offset after the string, raw string or rune that begins at `start`.
pub(super) fn skip_literal(source: &[u8], start: usize) -> Result<usize, ScanFault> {
    let quote = source[start];
    let mut at = start + 1;
    if quote == b'`' {
        return match memchr(b'`', &source[at..]) {
            Some(length) => Ok(at + length + 1),
            None => fault(start, "a raw string that never ends"),
        };
    }
    loop {
        // Strings are short, so a loop is faster than a search with a setup.
        match source.get(at) {
            Some(&byte) if byte == quote => return Ok(at + 1),
            Some(b'\\') if source.get(at + 1) != Some(&b'\n') => at += 2,
            Some(b'\n' | b'\\') | None => return fault(start, "a literal that never ends"),
            Some(_) => at += 1,
        }
    }
}

/// Returns the offset after the comment that begins at `start`. The line end after `//` is not part of the comment.
pub(super) fn skip_comment(source: &[u8], start: usize) -> Result<usize, ScanFault> {
    if source[start + 1] == b'/' {
        return Ok(memchr(b'\n', &source[start..]).map_or(source.len(), |length| start + length));
    }
    match memchr::memmem::find(&source[start + 2..], b"*/") {
        Some(length) => Ok(start + 2 + length + 2),
        None => fault(start, "a comment that never ends"),
    }
}
