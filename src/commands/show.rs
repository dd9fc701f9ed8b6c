//! Tables and JSON on standard output.

pub(crate) use crate::phrases::{ago, changed_lines, count, moment, replicas};
pub(crate) use crate::time::{iso, minute, span};

use std::io::{self, BufWriter, Write};

use comfy_table::Color;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::commands::Context;
use crate::commands::table::{self, Cell, Column, Screen};
use crate::json;
use crate::names::{printable, shortened};
use crate::phrases::NOTHING;

/// Prints a table that fits the terminal.
pub(crate) fn print_table<T, const N: usize>(
    context: &Context,
    columns: &[Column; N],
    rows: &[T],
    cells: impl Fn(&T) -> [Cell; N],
) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let _details_left_out = write_table(context, columns, rows, cells, &mut out)?;
    out.flush()
}

/// Writes a table that fits the terminal, or one with all columns if stdout is not a terminal. Returns whether the details
/// of texts were left out.
pub(crate) fn write_table<T, const N: usize>(
    context: &Context,
    columns: &[Column; N],
    rows: &[T],
    cells: impl Fn(&T) -> [Cell; N],
    out: &mut dyn Write,
) -> io::Result<bool> {
    let screen = Screen { width: context.environment.stdout_width, has_styles: context.has_color };
    table::write(columns, rows, cells, screen, out)
}

/// Returns a cell with text from outside. The middle of a text is left out that is longer than any name or address of good
/// faith.
pub(crate) fn cell(text: &str) -> Cell {
    const END: usize = 500;
    match text {
        "" => Cell::new(NOTHING),
        _ => Cell::new(shortened(&printable(text), END)),
    }
}

/// Returns a cell in a colour, if colours are allowed.
pub(crate) fn colored(context: &Context, text: &str, color: Color) -> Cell {
    let cell = cell(text);
    if context.has_color { cell.fg(color) } else { cell }
}

/// Returns a text for a terminal with `width` columns: no word is broken, and only a word that is longer than the terminal
/// goes beyond it. The text begins at the column `start`, and each further line at the column `indent`.
pub(crate) fn flowed(text: &str, width: Option<usize>, start: usize, indent: usize) -> String {
    let mut lines = String::new();
    let (mut column, mut is_at_begin) = (start, true);
    for word in text.split_whitespace().map(printable) {
        let is_too_long = width.is_some_and(|width| column + 1 + word.width() > width);
        match (is_at_begin, is_too_long) {
            (true, _) => {}
            (false, false) => {
                lines.push(' ');
                column += 1;
            }
            (false, true) => {
                lines.push('\n');
                lines.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            }
        }
        column += word.width();
        lines.push_str(&word);
        is_at_begin = false;
    }
    lines
}

/// Prints a sentence on stdout, and breaks it between words where the terminal is too narrow.
pub(crate) fn print_sentence(context: &Context, text: &str) -> io::Result<()> {
    write_sentence(context, text, &mut io::stdout())
}

/// Writes a sentence that [`print_sentence`] would print.
pub(crate) fn write_sentence(context: &Context, text: &str, out: &mut dyn Write) -> io::Result<()> {
    const INDENT: usize = 2;
    match context.environment.stdout_width {
        Some(width) => writeln!(out, "{}", flowed(text, Some(width), 0, INDENT)),
        None => writeln!(out, "{text}"),
    }
}

/// Prints one object as a line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(write_json(value, &mut io::stdout().lock())?)
}

/// Writes one object as a line of JSON.
pub(crate) fn write_json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    json::write(&mut *out, value)?;
    writeln!(out)
}

/// Writes objects as one array in a line of JSON. Each object is made when it is written.
pub(crate) fn write_json_each<T: Serialize>(
    objects: impl Iterator<Item = T>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut separator = "[";
    for object in objects {
        out.write_all(separator.as_bytes())?;
        json::write(&mut *out, &object)?;
        separator = ",";
    }
    writeln!(out, "{}", if separator == "[" { "[]" } else { "]" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_between_words_where_it_is_too_long_and_nowhere_else() {
        let text = "pulled 6 services (6 unchanged); 10 addresses failed";
        assert_eq!(flowed(text, None, 0, 2), text);
        assert_eq!(flowed(text, Some(52), 0, 2), text);
        assert_eq!(flowed(text, Some(51), 0, 2), "pulled 6 services (6 unchanged); 10 addresses\n  failed");
        assert_eq!(flowed("a verylongword b", Some(8), 4, 4), "a\n    verylongword\n    b");
        assert_eq!(flowed("購物 車\n2", Some(6), 0, 0), "購物\n車 2");
        assert_eq!(flowed("", Some(6), 0, 0), "");
    }
}
