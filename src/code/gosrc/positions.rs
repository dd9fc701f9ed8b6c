//! The positions that `//line` comments set.

use memchr::{memchr_iter, memrchr};

use super::extents::FuncExtent;
use super::scanner::Scanner;

/// A `//line` or `/*line*/` comment, which sets the position of the text after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineDirective {
    /// Offset of the first byte to which it applies.
    pub(super) at: usize,
    pub(super) line: i64,
    /// Column of that byte; 0 if this column and the following ones are unknown.
    pub(super) column: i64,
    /// First line of the text to which it applies, from 1.
    pub(super) text_line: usize,
    /// Offsets of the name of the file in which it puts the text; `None` if the text stays in its own.
    pub(super) file: Option<(usize, usize)>,
}

/// The name and the position that the text of a line comment gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinePosition {
    pub(super) line: i64,
    /// 0 without a column.
    pub(super) column: i64,
    /// Length of the name of the file, at the begin of the text.
    pub(super) name_length: usize,
}

/// The offsets of a function.
pub(super) struct FuncSpan {
    pub(super) name: (usize, usize),
    pub(super) receiver: Option<(usize, usize)>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The end of the declaration before, or of the package clause.
    pub(super) after: usize,
}

/// A counter of lines that only goes forward.
struct LineCounter<'a> {
    source: &'a [u8],
    at: usize,
    line: usize,
    line_start: usize,
}

impl LineCounter<'_> {
    /// Returns the line of a byte, and the offset of that line. Calls must have ascending offsets.
    fn line_at(&mut self, at: usize) -> (usize, usize) {
        let between = &self.source[self.at..at];
        self.line += memchr_iter(b'\n', between).count();
        if let Some(newline) = memrchr(b'\n', between) {
            self.line_start = self.at + newline + 1;
        }
        self.at = at;
        (self.line, self.line_start)
    }
}

/// The conversion of offsets into lines and columns, as `//line` comments set them.
pub(super) struct Places<'a> {
    lines: LineCounter<'a>,
    directives: &'a [LineDirective],
}

impl<'a> Places<'a> {
    pub(super) fn new(source: &'a [u8], directives: &'a [LineDirective]) -> Self {
        Self { lines: LineCounter { source, at: 0, line: 1, line_start: 0 }, directives }
    }

    /// Begins at a byte whose line and column in the text are known.
    pub(super) fn starting(
        source: &'a [u8],
        directives: &'a [LineDirective],
        at: usize,
        (line, column): (u32, u32),
    ) -> Self {
        let line_start = at + 1 - column as usize;
        Self { lines: LineCounter { source, at, line: line as usize, line_start }, directives }
    }

    /// Returns the line and column of a byte. Calls must have ascending offsets.
    pub(super) fn place(&mut self, at: usize) -> (u32, u32) {
        let (line, line_start) = self.lines.line_at(at);
        let last = self.directives.partition_point(|directive| directive.at <= at).checked_sub(1);
        let (line, column) = match last.map(|last| self.directives[last]) {
            None => (line, at - line_start + 1),
            Some(directive) => {
                let distance = line - directive.text_line;
                let column = match (directive.column, distance) {
                    (0, _) => 0,
                    (column, 0) => usize::try_from(column).unwrap_or(0) + (at - directive.at),
                    _ => at - line_start + 1,
                };
                (usize::try_from(directive.line).unwrap_or(0) + distance, column)
            }
        };
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}

impl Scanner<'_> {
    /// Converts offsets into lines and columns.
    pub(super) fn placed(&self, spans: &[FuncSpan]) -> Vec<FuncExtent> {
        let mut places = Places::new(self.source, &self.directives);
        let text = |(from, to): (usize, usize)| String::from_utf8_lossy(&self.source[from..to]).into();
        let extents = spans.iter().map(|FuncSpan { name, receiver, start, end, .. }| FuncExtent {
            name: text(*name),
            receiver: receiver.map(text).unwrap_or_default(),
            start: places.place(*start),
            end: places.place(*end),
        });
        extents.collect()
    }
}

/// Reads the text after `line ` in a comment: `file:line` or `file:line:column`, as go/scanner does.
///
/// Returns `None` if the comment is not a directive.
pub(super) fn directive(text: &[u8]) -> Result<Option<LinePosition>, &'static str> {
    const LARGEST: u64 = 1 << 30;
    let Some((rest, last)) = trailing_number(text) else { return Ok(None) };
    let Some(last) = last else { return Err("a line directive with an invalid line number") };
    let (line, column, name) = match trailing_number(rest) {
        Some((name, Some(line))) if (1..=LARGEST).contains(&last) => (line, last, name),
        Some((_, Some(_))) => return Err("a line directive with an invalid column number"),
        _ => (last, 0, rest),
    };
    if !(1..=LARGEST).contains(&line) {
        return Err("a line directive with an invalid line number");
    }
    let (line, column) = (line.cast_signed(), column.cast_signed());
    Ok(Some(LinePosition { line, column, name_length: name.len() }))
}

/// Splits a text at its last colon. The number is `None` if the text after the colon is not a number.
fn trailing_number(text: &[u8]) -> Option<(&[u8], Option<u64>)> {
    let colon = text.iter().rposition(|&byte| byte == b':')?;
    let digits = &text[colon + 1..];
    let number = digits.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(digits).ok()?.parse().ok());
    Some((&text[..colon], number.flatten()))
}
