//! Tables and JSON on standard output.

pub(crate) use crate::phrases::{NOTHING, ago, changed_lines, count, moment};
pub(crate) use crate::time::{iso, minute, span};

use std::io::{self, BufWriter, Write};

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;

use crate::commands::Context;
use crate::json;
use crate::names::{printable, shortened};

/// Empty columns after each column of a table.
const GAP: u16 = 2;

/// Number of rows of a table that are laid out at the same time. A row of ten cells takes about 3 KB until it is
/// written.
const BLOCK: usize = 512;

/// Returns a table that fits the terminal, or one without wrapped lines if stdout is not a terminal.
pub(crate) fn table(context: &Context, header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if context.environment.stdout_is_terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    if context.has_color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let bold = |name: &&str| {
        if context.has_color { Cell::new(name).add_attribute(Attribute::Bold) } else { Cell::new(name) }
    };
    table.set_header(header.iter().map(bold));
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table
}

/// Prints a table without the spaces at the ends of its lines.
pub(crate) fn print_table(table: &Table) -> io::Result<()> {
    write_table(table, &mut io::stdout().lock())
}

/// Writes a table without the spaces at the ends of its lines.
pub(crate) fn write_table(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Prints a table of any number of rows, as [`write_rows`] writes it.
pub(crate) fn print_rows<T, const N: usize>(
    context: &Context,
    header: &[&str; N],
    rows: &[T],
    cells: impl Fn(&T) -> [Cell; N],
) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    write_rows(context, header, rows, cells, &mut out)?;
    out.flush()
}

/// Writes a table of any number of rows, as [`write_table`] would, without all of its cells in memory.
///
/// `cells` is called twice for each row of a long table, because the widths of the columns must be known before the
/// first row is written.
pub(crate) fn write_rows<T, const N: usize>(
    context: &Context,
    header: &[&str; N],
    rows: &[T],
    cells: impl Fn(&T) -> [Cell; N],
    out: &mut dyn Write,
) -> io::Result<()> {
    write_blocks(&table(context, header), rows, cells, out)
}

/// Fills `empty`, which has the header, with the rows of one block after the other.
fn write_blocks<T, const N: usize>(
    empty: &Table,
    rows: &[T],
    cells: impl Fn(&T) -> [Cell; N],
    out: &mut dyn Write,
) -> io::Result<()> {
    let filled = |rows: &[T]| {
        let mut table = empty.clone();
        table.add_rows(rows.iter().map(&cells));
        table
    };
    if rows.len() <= BLOCK {
        return write_table(&filled(rows), out);
    }
    let mut widths = [0; N];
    for block in rows.chunks(BLOCK) {
        for (width, in_block) in widths.iter_mut().zip(filled(block).column_max_content_widths()) {
            *width = in_block.max(*width);
        }
    }
    let whole: usize = widths.iter().map(|width| usize::from(width.saturating_add(GAP))).sum();
    let is_wrapped = !matches!(empty.content_arrangement(), ContentArrangement::Disabled)
        && empty.width().is_some_and(|width| usize::from(width) < whole);
    if is_wrapped {
        // All cells of a column decide where lines are wrapped, not only the longest one.
        return write_table(&filled(rows), out);
    }
    for (number, block) in rows.chunks(BLOCK).enumerate() {
        let mut table = filled(block);
        for (column, width) in table.column_iter_mut().zip(widths) {
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width.saturating_add(GAP))));
        }
        // The header is one line, because it is not wrapped.
        for line in table.lines().skip(usize::from(number > 0)) {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

/// Returns a cell with text from outside. The middle of a very long text is left out.
pub(crate) fn cell(text: &str) -> Cell {
    const END: usize = 60;
    match text {
        "" => Cell::new(NOTHING),
        _ => Cell::new(shortened(&printable(text), END)),
    }
}

/// Returns a cell in a colour, if colours are allowed.
pub(crate) fn colored(context: &Context, text: &str, color: Color) -> Cell {
    if context.has_color { Cell::new(text).fg(color) } else { Cell::new(text) }
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
    fn long_names_keep_their_ends() {
        assert_eq!(shortened("日本語", 60), "日本語");
        let long = format!("{}{}{}", "é".repeat(60), "x".repeat(9000), "z".repeat(60));
        assert_eq!(shortened(&long, 60), format!("{}…{}", "é".repeat(60), "z".repeat(60)));
        assert_eq!(shortened(&"a".repeat(120), 60), "a".repeat(120));
    }

    /// Returns a table for a terminal of `width` columns; `None` for output that is not a terminal.
    fn empty(width: Option<u16>) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).force_no_tty().set_header(["SERVICE", "", "WHY"]);
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        table.column_iter_mut().for_each(|column| {
            column.set_padding((0, GAP));
        });
        table
    }

    #[test]
    fn a_table_in_blocks_is_the_table() {
        let cells = |row: &usize| {
            let name = if row % 700 == 699 { "日本語".repeat(row / 70) } else { format!("app{row}") };
            [cell(&name), cell(&"é".repeat(row % 3)), cell(["no connection", "", "a\u{1b}b"][row % 3])]
        };
        let rows: Vec<usize> = (0..=3 * BLOCK).collect();
        for number in [0, 1, BLOCK, BLOCK + 1, 2 * BLOCK, rows.len()] {
            for width in [None, Some(20), Some(80), Some(150), Some(u16::MAX)] {
                let rows = &rows[..number];
                let (mut whole, mut in_blocks) = (Vec::new(), Vec::new());
                let mut table = empty(width);
                table.add_rows(rows.iter().map(cells));
                write_table(&table, &mut whole).unwrap();
                write_blocks(&empty(width), rows, cells, &mut in_blocks).unwrap();
                assert!(whole == in_blocks, "{number} rows at {width:?}");
            }
        }
    }
}
