//! The lines of a Go file that have code.

use memchr::memchr_iter;

use super::extents::ScannedFile;

/// The lines of a Go file, with the check whether a line has code, which is more than blanks, comments, brackets,
/// commas and semicolons.
///
/// A block of a profile also spans lines without code, such as its closing brace and comments. Only lines with code
/// belong to it.
#[derive(Clone, Debug)]
pub(crate) struct CodeLines<'a> {
    source: &'a [u8],
    scanned: &'a ScannedFile,
    /// Offset of each line, and at the end the length of the text plus one.
    starts: Vec<u32>,
}

impl<'a> CodeLines<'a> {
    /// Creates the lines of a text from its scan.
    #[must_use]
    pub(crate) fn new(source: &'a [u8], scanned: &'a ScannedFile) -> Self {
        // A file with more lines than a u32 can count is never read.
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let mut starts = Vec::with_capacity(2 + source.len() / 24);
        starts.push(0);
        starts.extend(memchr_iter(b'\n', source).map(|newline| number(newline + 1)));
        starts.push(number(source.len() + 1));
        Self { source, scanned, starts }
    }

    /// Returns the number of lines, including the part after the last line end.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Tells whether a line has code in the columns `from..to`. Lines and columns count from 1, columns in bytes. A
    /// token or the line must begin at `from`.
    #[must_use]
    pub(crate) fn has_code(&self, line: u32, from: u32, to: u32) -> bool {
        let line = line as usize;
        let (Some(&start), Some(&next)) = (self.starts.get(line.wrapping_sub(1)), self.starts.get(line))
        else {
            return false;
        };
        let (start, next) = (start as usize, next as usize);
        let column = |column: u32| start.saturating_add((column as usize).saturating_sub(1));
        let end = column(to).min(next - 1);
        let mut at = column(from);
        if at <= start
            && let Some(spanning) = self.scanned.spanning(start)
        {
            if !spanning.is_comment {
                return !self.source[start..end.max(start)].iter().all(u8::is_ascii_whitespace);
            }
            at = spanning.end;
        }
        while at < end {
            match self.source[at] {
                b' ' | b'\t' | b'\r' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b',' | b';' => at += 1,
                b'/' if self.source.get(at + 1) == Some(&b'/') => return false,
                b'/' if self.source.get(at + 1) == Some(&b'*') => {
                    // Columns come from outside and may be inside a comment.
                    let rest = self.source.get(at + 2..end).unwrap_or_default();
                    let Some(length) = memchr::memmem::find(rest, b"*/") else { return false };
                    at += 2 + length + 2;
                }
                _ => return true,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan;
    use super::*;

    #[test]
    fn blank_lines_comments_and_lone_brackets_are_no_code() {
        let source =
            b"package p\n\n// c\nfunc f() {\n\t/* a\n\tb */ x()\n\ty := `\n}\n \n` // z\n\t/*\n*/ }\n/* c */ /* d */\n";
        let scanned = scan(source).unwrap();
        let code = CodeLines::new(source, &scanned);
        let lines: Vec<u32> = (0..20).filter(|line| code.has_code(*line, 1, u32::MAX)).collect();
        assert_eq!((code.count(), lines), (14, vec![1, 4, 6, 7, 8, 10]));
    }

    #[test]
    fn any_columns_of_any_text_can_be_asked_for() {
        let source = b"package p\n\nfunc A() {\n\t(/* c */)\n\t/* d\n*/ x(`\n`) // e\n}\n/";
        let scanned = ScannedFile {
            spanning: scan(&source[..source.len() - 1]).unwrap().spanning,
            ..ScannedFile::default()
        };
        let code = CodeLines::new(source, &scanned);
        for line in 0..12 {
            for from in 0..16 {
                for to in 0..16 {
                    let _ = code.has_code(line, from, to);
                }
            }
        }
        assert!(!code.has_code(4, 2, 4) && code.has_code(6, 4, 5));
    }

    #[test]
    fn code_is_told_from_what_surrounds_it_to_the_column() {
        let source = b"package p\nfunc f() {\nif a {} else { b(\"}\") } // c\n}\n";
        let scanned = scan(source).unwrap();
        let code = CodeLines::new(source, &scanned);
        let within = |from, to| code.has_code(3, from, to);
        assert!(within(1, 6), "if a");
        assert!(!within(6, 8), "{{}}");
        assert!(within(8, 13), "else");
        assert!(!within(14, 16), "brace and blank");
        assert!(within(16, 17) && within(18, 21), "b and the string");
        assert!(!within(21, 40), "bracket, brace and comment");
        assert!(!within(9, 9) && !within(40, 50) && !within(u32::MAX, u32::MAX));
    }
}
