//! Tables and JSON on standard output.

pub(crate) use crate::phrases::{ago, changed_lines, count, moment};
pub(crate) use crate::time::{iso, minute, span};

use std::io::{self, BufWriter, Write};

use comfy_table::Color;
use serde::Serialize;

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
