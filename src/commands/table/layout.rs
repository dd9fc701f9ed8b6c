//! The places of the cells of a table within a width.

use std::borrow::Cow;
use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr;

use super::{Cell, Column, Fit, GAP};
use crate::names::shortened;
use crate::phrases::NOTHING;

/// Indent of the cells below a name, where all names have lines of their own.
pub(super) const INDENT: usize = 4;

/// Least width of a wrapped text. If a name beside it leaves less room, the name gets a line of its own.
const PROSE: usize = 24;

/// Least width of a shortened text.
const SHORT: usize = 12;

/// Width of an app that is as long as most. Longer ones are shortened before a column is dropped.
const ORDINARY: usize = 24;

/// The longest texts of a column.
#[derive(Clone, Copy, Debug, Default)]
struct Widths {
    text: usize,
    /// Width of the longest text without its details.
    without_details: usize,
    word: usize,
    /// At least one cell is not empty.
    is_used: bool,
}

impl Widths {
    fn of_header(header: &str) -> Self {
        let width = header.width();
        Self { text: width, without_details: width, word: width, is_used: false }
    }

    fn add(&mut self, text: &str) {
        self.text = self.text.max(text.width());
        self.without_details = self.without_details.max(without_details(text).width());
        self.word = self.word.max(text.split(' ').map(UnicodeWidthStr::width).max().unwrap_or_default());
        self.is_used |= text != NOTHING;
    }
}

/// The widths of all rows of a table.
pub(super) struct Measured<'a> {
    columns: &'a [Column],
    widths: Vec<Widths>,
    rows: usize,
    /// The widths of the rows whose names need the same room, and their number, by that room.
    by_need: BTreeMap<usize, (Vec<Widths>, usize)>,
}

impl<'a> Measured<'a> {
    pub(super) fn new(columns: &'a [Column]) -> Self {
        let widths = columns.iter().map(|column| Widths::of_header(column.header)).collect();
        Self { columns, widths, rows: 0, by_need: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, row: &[Cell]) {
        self.rows += 1;
        let (of_need, rows) = self
            .by_need
            .entry(name_need(self.columns, row))
            .or_insert_with(|| (vec![Widths::default(); row.len()], 0));
        *rows += 1;
        for (index, cell) in row.iter().enumerate() {
            self.widths[index].add(cell.text());
            of_need[index].add(cell.text());
        }
    }

    /// Returns the widths without the names of the longest rows, for more and more of these rows, but less than half of
    /// all.
    fn without_long_names(&self) -> Vec<Vec<Widths>> {
        let mut shown: Vec<Widths> =
            self.columns.iter().map(|column| Widths::of_header(column.header)).collect();
        let mut rows = 0;
        let mut steps = Vec::new();
        for (of_need, number) in self.by_need.values() {
            rows += number;
            for (index, widths) in shown.iter_mut().enumerate() {
                if is_of_name(self.columns, index) {
                    widths.text = widths.text.max(of_need[index].text);
                    widths.is_used |= of_need[index].is_used;
                } else {
                    *widths = self.widths[index];
                }
            }
            if 2 * rows > self.rows {
                steps.push(shown.clone());
            }
        }
        steps.reverse();
        steps
    }
}

/// Tells whether a column has the name of a row, or a part of it. Of several names it is the first one.
fn is_of_name(columns: &[Column], index: usize) -> bool {
    match columns[index].fit {
        Fit::Part | Fit::ShortenedPart => true,
        Fit::Above => columns.iter().position(|column| has_own_line(*column)) == Some(index),
        _ => false,
    }
}

fn has_own_line(column: Column) -> bool {
    matches!(column.fit, Fit::Above | Fit::WholeName)
}

/// Returns the least room for the name of a row beside its other cells.
fn name_need(columns: &[Column], row: &[Cell]) -> usize {
    let width = |index: usize| {
        let width = row[index].text().width();
        if columns[index].fit == Fit::ShortenedPart { width.min(SHORT) } else { width }
    };
    (0..columns.len()).filter(|index| is_of_name(columns, *index)).map(width).sum()
}

/// The places of the cells of a row.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    columns: &'a [Column],
    /// Columns with a line of their own.
    above: Vec<usize>,
    /// The other columns.
    beside: Vec<Place>,
    /// Only those names that are too long for `beside` have lines of their own.
    is_by_row: bool,
}

/// A column with its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    index: usize,
    pub(super) width: usize,
    is_shortened: bool,
    leaves_details_out: bool,
}

impl<'a> Layout<'a> {
    pub(super) fn new(columns: &'a [Column], measured: &Measured<'a>, width: usize) -> Self {
        let arranged = |widths: &[Widths], above: &[usize], room: usize, prose: usize| {
            let has_whole_name = above.iter().any(|index| columns[*index].fit == Fit::WholeName);
            let is_beside = |index: &usize| match columns[*index].fit {
                Fit::WholeName => false,
                Fit::Part | Fit::ShortenedPart => !has_whole_name,
                _ => !above.contains(index),
            };
            let is_shown = |index: &usize| widths[*index].is_used || !columns[*index].is_optional;
            let shown = (0..columns.len()).filter(is_shown).filter(is_beside).collect();
            arrange(columns, widths, shown, room, prose)
        };
        let names: Vec<usize> = (0..columns.len()).filter(|index| has_own_line(columns[*index])).collect();
        // A sentence becomes as narrow as its longest word when no name is left that could go.
        let prose = |above: usize| if above < names.len() { PROSE } else { 0 };
        let (mut beside, mut is_fitting) = arranged(&measured.widths, &[], width, prose(0));
        if !is_fitting && !names.is_empty() {
            for widths in measured.without_long_names() {
                let (beside, true) = arranged(&widths, &[], width, prose(0)) else { continue };
                return Self { columns, above: vec![names[0]], beside, is_by_row: true };
            }
        }
        let mut above = Vec::new();
        while !is_fitting && above.len() < names.len() {
            above.push(names[above.len()]);
            (beside, is_fitting) =
                arranged(&measured.widths, &above, width.saturating_sub(INDENT), prose(above.len()));
        }
        Self { columns, above, beside, is_by_row: false }
    }

    /// Returns the columns of a row that have lines of their own.
    pub(super) fn above_row(&self, row: &[Cell]) -> &[usize] {
        let fits = |place: &Place| {
            !is_of_name(self.columns, place.index)
                || place.is_shortened
                || row[place.index].text().width() <= place.width
        };
        if self.is_by_row && self.beside.iter().all(fits) { &[] } else { &self.above }
    }

    pub(super) fn beside(&self) -> &[Place] {
        &self.beside
    }

    /// Tells whether the cells below a name are indented. Those of a few long names stand below the headers instead.
    pub(super) fn is_indented(&self) -> bool {
        !self.above.is_empty() && !self.is_by_row
    }

    pub(super) fn leaves_details_out(&self) -> bool {
        self.beside.iter().any(|place| place.leaves_details_out)
    }

    /// Returns the cell of a row at a place. The cells of a name that stands above are empty.
    pub(super) fn cell(&self, place: &Place, row: &[Cell]) -> comfy_table::Cell {
        let cell = &row[place.index];
        if is_of_name(self.columns, place.index) && !self.above_row(row).is_empty() {
            return comfy_table::Cell::new("");
        }
        let text = if place.leaves_details_out { without_details(cell.text()) } else { cell.text() };
        if place.is_shortened { cell.showing(&without_middle(text, place.width)) } else { cell.showing(text) }
    }
}

/// Returns these columns with widths that together take at most `room`, and whether that was possible.
///
/// The middle of texts that are longer than ordinary ones and the details of states go first, then columns by rank. Then
/// apps are shortened further, and sentences are wrapped at `prose` or more columns.
fn arrange(
    columns: &[Column],
    widths: &[Widths],
    shown: Vec<usize>,
    room: usize,
    prose: usize,
) -> (Vec<Place>, bool) {
    let place = |index: usize| Place {
        index,
        width: widths[index].text,
        is_shortened: false,
        leaves_details_out: false,
    };
    let mut places: Vec<Place> = shown.into_iter().map(place).collect();
    let excess = |places: &[Place]| {
        let gaps = usize::from(GAP) * places.len().saturating_sub(1);
        (places.iter().map(|place| place.width).sum::<usize>() + gaps).saturating_sub(room)
    };
    let shorten = |place: &mut Place, excess: usize, least: usize| {
        place.width = place.width.saturating_sub(excess).max(least.min(place.width));
    };
    for number in 0..places.len() {
        let (excess, place) = (excess(&places), &mut places[number]);
        let column = &columns[place.index];
        let least = match column.fit {
            Fit::ShortenedPart => ORDINARY,
            _ if column.is_shortened_first => SHORT,
            _ => continue,
        };
        shorten(place, excess, least);
        place.is_shortened |= excess > 0;
    }
    for number in 0..places.len() {
        let (excess, place) = (excess(&places), &mut places[number]);
        let without_details = widths[place.index].without_details;
        if columns[place.index].has_details && excess > 0 && without_details < place.width {
            place.width = without_details;
            place.leaves_details_out = true;
        }
    }
    // A path of which little is left tells less than the columns that it would push out.
    if excess(&places) > 0 {
        places.retain(|place| !(columns[place.index].is_shortened_first && place.is_shortened));
    }
    let rank = |place: &Place| match columns[place.index].fit {
        Fit::Dropped { rank } => Some(rank),
        _ => None,
    };
    while excess(&places) > 0
        && let Some(lowest) = places.iter().filter_map(rank).min()
    {
        places.retain(|place| rank(place) != Some(lowest));
    }
    for fit in [Fit::ShortenedPart, Fit::Wraps] {
        for number in 0..places.len() {
            let (excess, place) = (excess(&places), &mut places[number]);
            if columns[place.index].fit != fit {
                continue;
            }
            let prose = if columns[place.index].has_phrases { 0 } else { prose };
            let least = if fit == Fit::Wraps { widths[place.index].word.max(prose) } else { SHORT };
            shorten(place, excess, least);
            place.is_shortened = fit == Fit::ShortenedPart;
        }
    }
    let is_fitting = excess(&places) == 0;
    (places, is_fitting)
}

/// Returns the text up to its first comma.
fn without_details(text: &str) -> &str {
    text.split_once(", ").map_or(text, |(begin, _)| begin)
}

/// Returns the text with `…` for its middle, so that it is at most this wide.
pub(crate) fn without_middle(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let ends = (1..=width / 2).rev().map(|end| shortened(text, end));
    ends.filter(|short| short.width() <= width)
        .max_by_key(|short| short.width())
        .unwrap_or(Cow::Borrowed("…"))
}
