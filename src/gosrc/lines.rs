//! Which lines of a Go file are code.

use memchr::memchr_iter;

use super::extents::{BYTE_ORDER_MARK, skip_comment, skip_literal};

/// Tells of each line, the first at index 0, whether it is code: not blank, not a comment, and more than
/// brackets, commas and semicolons.
///
/// All lines of a raw string are code. Of a text that is not Go, what follows the mistake is code.
#[must_use]
pub fn code_lines(source: &[u8]) -> Vec<bool> {
    let mut lines = vec![false; 1 + memchr_iter(b'\n', source).count()];
    let mut line = 0;
    let mut at = if source.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    while let Some(&byte) = source.get(at) {
        let token_end = match byte {
            b'\n' => {
                line += 1;
                at += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b',' | b';' => {
                at += 1;
                continue;
            }
            b'/' if matches!(source.get(at + 1), Some(b'/' | b'*')) => match skip_comment(source, at) {
                Ok(end) => {
                    line += memchr_iter(b'\n', &source[at..end]).count();
                    at = end;
                    continue;
                }
                Err(_) => source.len(),
            },
            b'"' | b'\'' | b'`' => skip_literal(source, at).unwrap_or(source.len()),
            _ => at + 1,
        };
        lines[line] = true;
        if token_end > at + 1 {
            for _ in memchr_iter(b'\n', &source[at..token_end]) {
                line += 1;
                lines[line] = true;
            }
        }
        at = token_end;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_comments_and_lone_brackets_are_no_code() {
        let source = b"package p\n\n// c\nfunc f() {\n\t/* a\n\tb */ x()\n\ty := `\n}\n` // z\n\t})\n}\n";
        let code: Vec<usize> =
            code_lines(source).iter().enumerate().filter(|(_, is)| **is).map(|(at, _)| at + 1).collect();
        assert_eq!(code, [1, 4, 6, 7, 8, 9]);
    }
}
