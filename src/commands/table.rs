//! Tables that fit a terminal.
//!
//! No word is broken, and neither a name nor an address is cut. A table that is too wide loses columns by their rank,
//! then the middle of long apps. If that is not enough, the name of a row stands on a line of its own, above the other
//! cells. Output that is not a terminal has all columns on one line.

use std::borrow::Cow;
use std::io::{self, Write};

use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, Table, Width, presets};
use unicode_width::UnicodeWidthStr;

use crate::names::shortened;
use crate::phrases::NOTHING;

/// Empty columns after each column of a table.
const GAP: u16 = 2;

/// Number of rows that are laid out at the same time. A row of ten cells takes about 3 KB until it is written.
const BLOCK: usize = 512;

/// Indent of the cells below a name that has a line of its own.
const INDENT: usize = 4;

/// Least width of a wrapped text. If a name beside it leaves less room, the name gets a line of its own.
const PROSE: usize = 24;

/// Least width of a shortened app.
const SHORT: usize = 12;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    header: &'static str,
    fit: Fit,
    is_optional: bool,
}

/// The behaviour of a column on a narrow terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// The column stays.
    Stays,
    /// The column is dropped, after those of a lower rank.
    Dropped { rank: u8 },
    /// Texts are wrapped between words.
    Wraps,
    /// The column gets a line of its own, above the others.
    Above,
    /// The column is left out where the whole name has a line of its own.
    Part,
    /// The middle of long texts is left out first; after that the column gives way like a `Part`.
    ShortenedPart,
    /// The column has the name that the parts make. It is shown only on a line of its own.
    WholeName,
}

impl Column {
    const fn with(header: &'static str, fit: Fit) -> Self {
        Self { header, fit, is_optional: false }
    }

    /// Returns a column that stays as it is.
    pub(crate) const fn new(header: &'static str) -> Self {
        Self::with(header, Fit::Stays)
    }

    /// Returns a column that is dropped on a narrow terminal, after those of a lower rank.
    pub(crate) const fn ranked(rank: u8, header: &'static str) -> Self {
        Self::with(header, Fit::Dropped { rank })
    }

    /// Returns a column of sentences, which are wrapped between words.
    pub(crate) const fn wrapped(header: &'static str) -> Self {
        Self::with(header, Fit::Wraps)
    }

    /// Returns a column of names or addresses, which get lines of their own on a narrow terminal.
    pub(crate) const fn above(header: &'static str) -> Self {
        Self::with(header, Fit::Above)
    }

    /// Returns a column with a part of a name.
    pub(crate) const fn part(header: &'static str) -> Self {
        Self::with(header, Fit::Part)
    }

    /// Returns a column with the part of a name that may be shortened.
    pub(crate) const fn shortened_part(header: &'static str) -> Self {
        Self::with(header, Fit::ShortenedPart)
    }

    /// Returns the column with the whole name whose parts other columns have.
    pub(crate) const fn whole_name(header: &'static str) -> Self {
        Self::with(header, Fit::WholeName)
    }

    /// Leaves the column out of tables in which all of its cells are empty.
    pub(crate) const fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }
}

/// The place for which a table is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Columns of the terminal; `None` for output that is not a terminal.
    pub(crate) width: Option<usize>,
    pub(crate) has_styles: bool,
}

/// The longest texts of a column.
#[derive(Clone, Copy, Debug, Default)]
struct Widths {
    text: usize,
    word: usize,
    /// At least one cell is not empty.
    is_used: bool,
}

impl Widths {
    fn of_header(header: &str) -> Self {
        Self { text: header.width(), word: header.width(), is_used: false }
    }

    fn add(&mut self, text: &str) {
        self.text = self.text.max(text.width());
        self.word = self.word.max(text.split(' ').map(UnicodeWidthStr::width).max().unwrap_or_default());
        self.is_used |= text != NOTHING;
    }
}

/// Writes a table.
///
/// `cells` is called twice for each row, because the widths of the columns must be known before the first row is
/// written, and all cells of a long table would take much memory.
pub(crate) fn write<T, const N: usize>(
    columns: &[Column; N],
    rows: &[T],
    cells: impl Fn(&T) -> [Cell; N],
    screen: Screen,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut widths = columns.map(|column| Widths::of_header(column.header));
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(cells(row)) {
            width.add(&cell.content());
        }
    }
    let layout = Layout::new(columns, &widths, screen);
    let header = columns.map(|column| Cell::new(column.header));
    let header =
        if screen.has_styles { header.map(|cell| cell.add_attribute(Attribute::Bold)) } else { header };
    layout.write(&[header], out)?;
    let mut block: Vec<[Cell; N]> = Vec::new();
    for row in rows {
        let row = cells(row);
        let has_other_name =
            |last: &[Cell; N]| layout.above.iter().any(|column| last[*column] != row[*column]);
        if block.len() == BLOCK || block.last().is_some_and(has_other_name) {
            layout.write(&block, out)?;
            block.clear();
        }
        block.push(row);
    }
    layout.write(&block, out)
}

/// The places of the cells of a row.
#[derive(Debug)]
struct Layout {
    /// Columns with a line of their own.
    above: Vec<usize>,
    /// The other columns.
    beside: Vec<Place>,
    screen: Screen,
}

/// A column with its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    index: usize,
    width: usize,
    is_shortened: bool,
}

impl Layout {
    fn new(columns: &[Column], widths: &[Widths], screen: Screen) -> Self {
        let width = screen.width.unwrap_or(usize::MAX);
        let arranged = |above: &[usize], room: usize, prose: usize| {
            let has_whole_name = above.iter().any(|index| columns[*index].fit == Fit::WholeName);
            let is_beside = |index: &usize| match columns[*index].fit {
                Fit::WholeName => false,
                Fit::Part | Fit::ShortenedPart => !has_whole_name,
                _ => !above.contains(index),
            };
            let is_shown = |index: &usize| widths[*index].is_used || !columns[*index].is_optional;
            arrange(
                columns,
                widths,
                (0..columns.len()).filter(is_shown).filter(is_beside).collect(),
                room,
                prose,
            )
        };
        let has_own_line = |index: &usize| matches!(columns[*index].fit, Fit::Above | Fit::WholeName);
        let names: Vec<usize> = (0..columns.len()).filter(has_own_line).collect();
        // A sentence becomes as narrow as its longest word when no name is left that could go.
        let prose = |above: usize| if above < names.len() { PROSE } else { 0 };
        let (mut beside, mut is_fitting) = arranged(&[], width, prose(0));
        let mut above = Vec::new();
        while !is_fitting && above.len() < names.len() {
            above.push(names[above.len()]);
            (beside, is_fitting) = arranged(&above, width.saturating_sub(INDENT), prose(above.len()));
        }
        Self { above, beside, screen }
    }

    /// Writes rows that have the same name, with the name once where it has a line of its own.
    fn write<const N: usize>(&self, rows: &[[Cell; N]], out: &mut dyn Write) -> io::Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        for column in &self.above {
            // A name is not wrapped: a person may copy it.
            writeln!(out, "{}", first[*column].content())?;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if self.screen.has_styles {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.add_rows(rows.iter().map(|row| self.beside.iter().map(|place| place.cell(row))));
        for (number, (column, place)) in table.column_iter_mut().zip(&self.beside).enumerate() {
            // Blanks with a style stay at the end of a line.
            let gap = if number + 1 < self.beside.len() { GAP } else { 0 };
            let width = u16::try_from(place.width).unwrap_or(u16::MAX).saturating_add(gap);
            column.set_padding((0, gap)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        }
        let indent = if self.above.is_empty() { 0 } else { INDENT };
        for line in table.lines() {
            writeln!(out, "{:indent$}{}", "", line.trim_end())?;
        }
        Ok(())
    }
}

impl Place {
    fn cell<const N: usize>(&self, row: &[Cell; N]) -> Cell {
        let cell = &row[self.index];
        match self.is_shortened {
            true => Cell::new(without_middle(&cell.content(), self.width)),
            false => cell.clone(),
        }
    }
}

/// Returns these columns with widths that together take at most `room`, and whether that was possible.
///
/// Columns are dropped by rank first, then apps are shortened, then sentences are wrapped at `prose` or more columns.
fn arrange(
    columns: &[Column],
    widths: &[Widths],
    shown: Vec<usize>,
    room: usize,
    prose: usize,
) -> (Vec<Place>, bool) {
    let place = |index: usize| Place { index, width: widths[index].text, is_shortened: false };
    let mut places: Vec<Place> = shown.into_iter().map(place).collect();
    let excess = |places: &[Place]| {
        let gaps = usize::from(GAP) * places.len().saturating_sub(1);
        (places.iter().map(|place| place.width).sum::<usize>() + gaps).saturating_sub(room)
    };
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
            let excess = excess(&places);
            let Place { index, width, is_shortened } = &mut places[number];
            if columns[*index].fit != fit {
                continue;
            }
            let least = if fit == Fit::Wraps { widths[*index].word.max(prose) } else { SHORT };
            *width = width.saturating_sub(excess).max(least.min(*width));
            *is_shortened = fit == Fit::ShortenedPart;
        }
    }
    let is_fitting = excess(&places) == 0;
    (places, is_fitting)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::commands::show;
    use comfy_table::Color;

    /// The columns of `list`.
    const LIST: [Column; 10] = [
        Column::whole_name("SERVICE"),
        Column::part("ENV"),
        Column::shortened_part("APP"),
        Column::part("COMMIT"),
        Column::new("REPLICAS"),
        Column::ranked(3, "TARGETS").optional(),
        Column::ranked(1, "CHANGED"),
        Column::ranked(0, "SEEN"),
        Column::ranked(2, "NEXT PULL"),
        Column::wrapped("STATE"),
    ];
    const COMMIT: &str = "64c8138b597865b650797c142a928739a82bc9a3";
    const SHORT_COMMIT: &str = "845820727e";

    fn service(app: &str, commit: &str, targets: &str, state: &str) -> [String; 10] {
        let name = format!("staging_{app}_{commit}");
        [&name, "staging", app, commit, "2/2", targets, "25m ago", "4s ago", "in 14m", state]
            .map(str::to_owned)
    }

    /// The columns of `prune`.
    const PRUNE: [Column; 4] =
        [Column::new("RESULT"), Column::wrapped("WHY"), Column::above("SERVICE"), Column::above("ADDRESS")];

    fn address(port: u16) -> [String; 4] {
        let why = "no connection: connection refused; 3 runs over 25m";
        let name = format!("staging_th_apa_goc_echoserver_master_{COMMIT}");
        ["suspect", why, &name, &format!("http://10.2.3.4:{port}")].map(str::to_owned)
    }

    fn written<const N: usize>(columns: &[Column; N], rows: &[[String; N]], width: Option<usize>) -> String {
        let mut out = Vec::new();
        let cells = |row: &[String; N]| std::array::from_fn(|index| show::cell(&row[index]));
        write(columns, rows, cells, Screen { width, has_styles: false }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_wide_table_and_one_without_a_terminal_have_everything_on_one_line() {
        let rows = [service("apa_goc_echoserver", COMMIT, "", "ok"), service("cart", COMMIT, "", "offline")];
        let whole = "\
ENV      APP                 COMMIT                                    REPLICAS  CHANGED  SEEN    NEXT PULL  STATE
staging  apa_goc_echoserver  64c8138b597865b650797c142a928739a82bc9a3  2/2       25m ago  4s ago  in 14m     ok
staging  cart                64c8138b597865b650797c142a928739a82bc9a3  2/2       25m ago  4s ago  in 14m     offline
";
        assert_eq!(written(&LIST, &rows, None), whole);
        assert_eq!(written(&LIST, &rows, Some(119)), whole);
        let with_targets = written(&LIST, &[service("cart", COMMIT, "pods x.json", "ok")], None);
        assert!(with_targets.contains("  TARGETS      CHANGED  "), "{with_targets}");
    }

    #[test]
    fn columns_are_as_wide_in_the_first_block_of_rows_as_in_the_last_one() {
        let app = |row| if row == 2 * BLOCK { "apa_goc_echoserver" } else { "cart" };
        let rows: Vec<_> = (0..=2 * BLOCK).map(|row| service(app(row), COMMIT, "", "ok")).collect();
        let ends = [&rows[0], &rows[2 * BLOCK]].map(Clone::clone);
        let at_ends = written(&LIST, &ends, None);
        let [header, first, last] = at_ends.lines().collect::<Vec<_>>()[..] else { panic!("{at_ends}") };
        let mut expected = vec![header];
        expected.resize(1 + 2 * BLOCK, first);
        expected.push(last);
        assert_eq!(written(&LIST, &rows, None).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn columns_are_dropped_by_rank_and_apps_shortened_before_the_name_gets_a_line_of_its_own() {
        let rows = [service("apa_goc_echoserver", COMMIT, "", "partial, 1 suspect")];
        let at_100 = "\
ENV      APP                 COMMIT                                    REPLICAS  STATE
staging  apa_goc_echoserver  64c8138b597865b650797c142a928739a82bc9a3  2/2       partial, 1 suspect
";
        assert_eq!(written(&LIST, &rows, Some(100)), at_100);
        let at_96 = "\
ENV      APP              COMMIT                                    REPLICAS  STATE
staging  apa_goc…oserver  64c8138b597865b650797c142a928739a82bc9a3  2/2       partial, 1 suspect
";
        assert_eq!(written(&LIST, &rows, Some(96)), at_96);
        let at_80 = "\
SERVICE
    REPLICAS  CHANGED  SEEN    NEXT PULL  STATE
staging_apa_goc_echoserver_64c8138b597865b650797c142a928739a82bc9a3
    2/2       25m ago  4s ago  in 14m     partial, 1 suspect
";
        assert_eq!(written(&LIST, &rows, Some(80)), at_80);
        let at_30 = "\
SERVICE
    REPLICAS  STATE
staging_apa_goc_echoserver_64c8138b597865b650797c142a928739a82bc9a3
    2/2       partial, 1
              suspect
";
        assert_eq!(written(&LIST, &rows, Some(30)), at_30);
    }

    #[test]
    fn sentences_are_wrapped_and_a_name_stands_once_above_its_rows() {
        let rows = [address(49970), address(49971)];
        let at_80 = "\
SERVICE
    RESULT   WHY                                           ADDRESS
staging_th_apa_goc_echoserver_master_64c8138b597865b650797c142a928739a82bc9a3
    suspect  no connection: connection refused; 3 runs     http://10.2.3.4:49970
             over 25m
    suspect  no connection: connection refused; 3 runs     http://10.2.3.4:49971
             over 25m
";
        assert_eq!(written(&PRUNE, &rows, Some(80)), at_80);
        let at_30 = "\
SERVICE
ADDRESS
    RESULT   WHY
staging_th_apa_goc_echoserver_master_64c8138b597865b650797c142a928739a82bc9a3
http://10.2.3.4:49970
    suspect  no connection:
             connection
             refused; 3 runs
             over 25m
";
        assert_eq!(written(&PRUNE, &rows[..1], Some(30)), at_30);
    }

    /// Asserts for each width that no line is too long unless it is one word, and that each word is one of the cells.
    fn assert_readable<const N: usize>(columns: &[Column; N], rows: &[[String; N]]) {
        let texts =
            rows.iter().flatten().map(String::as_str).chain(columns.iter().map(|column| column.header));
        let words: BTreeSet<&str> = texts.flat_map(str::split_whitespace).collect();
        for width in 30..=250 {
            let table = written(columns, rows, Some(width));
            for line in table.lines() {
                let is_narrow = line.width() <= width || line.split_whitespace().count() == 1;
                assert!(is_narrow && line.trim_end() == line, "{width}: {line:?}");
            }
            let is_whole = |word: &&str| words.contains(word) || **word == *NOTHING || word.contains('…');
            let broken: Vec<&str> = table.split_whitespace().filter(|word| !is_whole(word)).collect();
            assert_eq!(broken, [""; 0], "at {width}:\n{table}");
        }
    }

    #[test]
    fn no_word_is_broken_and_no_line_too_long_at_any_width() {
        let apps = ["cart", "apa_goc_echoserver_of_the_second_floor", "日本語日本語日本語日本語"];
        let states = ["ok", "partial, 2 of 12 suspect", "unreachable since the day before yesterday"];
        for commit in [COMMIT, SHORT_COMMIT] {
            let rows = apps
                .map(|app| states.map(|state| service(app, commit, "compose targets.json", state)))
                .concat();
            assert_readable(&LIST, &rows);
        }
        assert_readable(&PRUNE, &[address(1), address(49970)]);
    }

    #[test]
    fn lines_with_styles_are_no_longer_than_the_terminal() {
        let rows =
            [service("cart", SHORT_COMMIT, "compose", "ok"), service("pay", SHORT_COMMIT, "", "partial")];
        let cells = |row: &[String; 10]| std::array::from_fn(|at| show::cell(&row[at]).fg(Color::Green));
        for width in 40..=130 {
            let mut out = Vec::new();
            write(&LIST, &rows, cells, Screen { width: Some(width), has_styles: true }, &mut out).unwrap();
            for line in String::from_utf8(out).unwrap().lines() {
                let mut parts = line.split("\u{1b}[");
                let plain = parts.next().unwrap_or_default().to_owned();
                let plain =
                    parts.fold(plain, |plain, part| plain + part.split_once('m').unwrap_or_default().1);
                assert!(plain.width() <= width || plain.split_whitespace().count() == 1, "{width}: {line:?}");
            }
        }
    }

    #[test]
    fn ranks_go_in_their_order_and_what_names_a_row_stays() {
        let rows = [service("cart", SHORT_COMMIT, "compose", "ok")];
        let ranked = ["TARGETS", "NEXT PULL", "CHANGED", "SEEN"];
        let mut shown = BTreeSet::new();
        for width in (36..=120).rev() {
            let header = written(&LIST, &rows, Some(width)).lines().next().unwrap().to_owned();
            if header == "SERVICE" {
                break;
            }
            let is_shown = ranked.map(|column| header.contains(column));
            assert!(is_shown.is_sorted_by(|a, b| a >= b), "{header}");
            shown.insert(is_shown);
            let stays = ["ENV", "APP", "COMMIT", "REPLICAS", "STATE"];
            assert!(stays.iter().all(|column| header.contains(column)), "{header}");
        }
        assert_eq!(shown.len(), 5);
    }
}
