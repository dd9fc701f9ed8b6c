//! Where code stands on the lines of a Go file.

use memchr::memchr_iter;

use super::extents::{BYTE_ORDER_MARK, skip_comment, skip_literal};

/// Where code stands on each line: what is not blank, comment, bracket, comma or semicolon.
///
/// A block of a profile spans lines that hold nothing to execute (the brace that ends it, the comment
/// inside of it); only those with code of its own are lines of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeSpans {
    /// Index of each line's first span, and the number of all spans at the end.
    first: Vec<u32>,
    /// Columns from and to, 1-based and in bytes.
    spans: Vec<(u32, u32)>,
}

impl CodeSpans {
    /// Finds it in one pass. All lines of a raw string are code; of a text that is not Go, what follows the
    /// mistake is code.
    #[must_use]
    pub fn of(source: &[u8]) -> Self {
        let mut found = Self { first: vec![0], spans: Vec::with_capacity(source.len() / 16) };
        let mut line_start = 0;
        let mut at = if source.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        // Whether only blanks lie between the last span and here.
        let mut adjoins = false;
        while let Some(&byte) = source.get(at) {
            let end = match CLASS[usize::from(byte)] {
                Class::Blank => {
                    at += 1;
                    continue;
                }
                Class::Newline => {
                    at += 1;
                    found.next_line();
                    line_start = at;
                    adjoins = false;
                    continue;
                }
                Class::Punctuation => {
                    at += 1;
                    adjoins = false;
                    continue;
                }
                Class::Slash if matches!(source.get(at + 1), Some(b'/' | b'*')) => {
                    match skip_comment(source, at) {
                        Ok(end) => {
                            for newline in memchr_iter(b'\n', &source[at..end]) {
                                found.next_line();
                                line_start = at + newline + 1;
                            }
                            at = end;
                            adjoins = false;
                            continue;
                        }
                        Err(_) => source.len(),
                    }
                }
                Class::Quote => skip_literal(source, at).unwrap_or(source.len()),
                Class::Slash | Class::Code => {
                    let rest = source[at + 1..].iter();
                    at + 1 + rest.take_while(|&&byte| CLASS[usize::from(byte)] == Class::Code).count()
                }
            };
            // A raw string goes on over lines.
            let mut start = at;
            for newline in memchr_iter(b'\n', &source[at..end]) {
                found.add(start - line_start, at + newline - line_start, adjoins);
                found.next_line();
                line_start = at + newline + 1;
                start = line_start;
                adjoins = false;
            }
            found.add(start - line_start, end - line_start, adjoins);
            adjoins = true;
            at = end;
        }
        found.next_line();
        found
    }

    fn add(&mut self, from: usize, to: usize, adjoins: bool) {
        let column = |offset: usize| u32::try_from(offset + 1).unwrap_or(u32::MAX);
        match self.spans.last_mut() {
            Some(last) if adjoins => last.1 = column(to),
            _ => self.spans.push((column(from), column(to))),
        }
    }

    fn next_line(&mut self) {
        self.first.push(u32::try_from(self.spans.len()).unwrap_or(u32::MAX));
    }

    /// Returns the number of lines; what follows the last line end is one, too.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.first.len() - 1
    }

    /// Tells whether a line, counted from 1, has code in the columns `from..to`.
    #[must_use]
    pub fn has_code(&self, line: u32, from: u32, to: u32) -> bool {
        let line = line as usize;
        let (Some(&first), Some(&end)) = (self.first.get(line.wrapping_sub(1)), self.first.get(line)) else {
            return false;
        };
        self.spans[first as usize..end as usize].iter().any(|span| span.0 < to && span.1 > from)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Code,
    Blank,
    Newline,
    Punctuation,
    Slash,
    Quote,
}

const fn class_of(byte: u8) -> Class {
    match byte {
        b' ' | b'\t' | b'\r' => Class::Blank,
        b'\n' => Class::Newline,
        b'(' | b')' | b'[' | b']' | b'{' | b'}' | b',' | b';' => Class::Punctuation,
        b'/' => Class::Slash,
        b'"' | b'\'' | b'`' => Class::Quote,
        _ => Class::Code,
    }
}

const CLASS: [Class; 256] = {
    let mut table = [Class::Code; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = class_of(byte);
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_comments_and_lone_brackets_are_no_code() {
        let source = b"package p\n\n// c\nfunc f() {\n\t/* a\n\tb */ x()\n\ty := `\n}\n` // z\n\t})\n}\n";
        let code = CodeSpans::of(source);
        let lines: Vec<u32> = (0..20).filter(|line| code.has_code(*line, 1, u32::MAX)).collect();
        assert_eq!((code.line_count(), lines), (12, vec![1, 4, 6, 7, 8, 9]));
    }

    #[test]
    fn code_is_told_from_what_surrounds_it_to_the_column() {
        let code = CodeSpans::of(b"if a {} else { b(\"}\") } // c\n");
        let within = |from, to| code.has_code(1, from, to);
        assert!(within(1, 6), "if a");
        assert!(!within(6, 8), "{{}}");
        assert!(within(8, 13), "else");
        assert!(!within(14, 16), "brace and blank");
        assert!(within(16, 17) && within(18, 21), "b and the string");
        assert!(!within(21, 40), "bracket, brace and comment");
    }
}
