//! Tables that fit a terminal.
//!
//! No word is broken, and neither a name nor an address is cut. A table that is too wide loses the details of states,
//! then columns by their rank, then the middle of long apps. If that is not enough for a few long names, these have lines
//! of their own, above the other cells of their rows; else all names have. Output that is not a terminal has all columns
//! on one line.

mod cell;
mod layout;

use std::io::{self, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

pub(crate) use cell::Cell;
pub(crate) use layout::without_middle;
use layout::{INDENT, Layout, Measured};

/// Empty columns after each column of a table.
const GAP: u16 = 2;

/// Number of rows that are laid out at the same time. A row of ten cells takes about 3 KB until it is written.
const BLOCK: usize = 512;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of a column, independent of the others"
)]
pub(crate) struct Column {
    header: &'static str,
    fit: Fit,
    is_optional: bool,
    has_details: bool,
    has_phrases: bool,
    is_shortened_first: bool,
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
        Self {
            header,
            fit,
            is_optional: false,
            has_details: false,
            has_phrases: false,
            is_shortened_first: false,
        }
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

    /// Wraps the texts, which are phrases of a few words, before a name gets a line of its own.
    pub(crate) const fn of_phrases(self) -> Self {
        Self { has_phrases: true, ..self }
    }

    /// Leaves out what follows the first comma of each text where the table is too wide.
    pub(crate) const fn with_details(self) -> Self {
        Self { has_details: true, ..self }
    }

    /// Leaves out the middle of long texts before any column is dropped, and then the column before others.
    pub(crate) const fn shortened_first(self) -> Self {
        Self { is_shortened_first: true, ..self }
    }
}

/// The place for which a table is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Columns of the terminal; `None` for output that is not a terminal.
    pub(crate) width: Option<usize>,
    pub(crate) has_styles: bool,
}

/// Writes a table; returns whether the details of texts were left out ([`Column::with_details`]).
///
/// `cells` is called twice for each row, because the widths of the columns must be known before the first row is
/// written, and all cells of a long table would take much memory.
pub(crate) fn write<T, const N: usize>(
    columns: &[Column; N],
    rows: &[T],
    cells: impl Fn(&T) -> [Cell; N],
    screen: Screen,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let mut measured = Measured::new(columns);
    for row in rows {
        measured.add(&cells(row));
    }
    let layout = Layout::new(columns, &measured, screen.width.unwrap_or(usize::MAX));
    let header = columns.map(|column| Cell::new(column.header));
    let header = if screen.has_styles { header.map(Cell::bold) } else { header };
    write_rows(&layout, &[header], screen, out)?;
    let mut block: Vec<[Cell; N]> = Vec::new();
    for row in rows {
        let row = cells(row);
        let has_other_name = |last: &[Cell; N]| {
            layout.above_row(last) != layout.above_row(&row)
                || layout.above_row(&row).iter().any(|column| last[*column] != row[*column])
        };
        if block.len() == BLOCK || block.last().is_some_and(has_other_name) {
            write_rows(&layout, &block, screen, out)?;
            block.clear();
        }
        block.push(row);
    }
    write_rows(&layout, &block, screen, out)?;
    Ok(layout.leaves_details_out())
}

/// Writes rows that have the same name, with the name once where it has a line of its own.
fn write_rows<const N: usize>(
    layout: &Layout<'_>,
    rows: &[[Cell; N]],
    screen: Screen,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    for column in layout.above_row(first) {
        // A name is not wrapped: a person may copy it.
        writeln!(out, "{}", first[*column].text())?;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if screen.has_styles {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let beside = layout.beside();
    table.add_rows(rows.iter().map(|row| beside.iter().map(|place| layout.cell(place, row))));
    for (number, (column, place)) in table.column_iter_mut().zip(beside).enumerate() {
        // Blanks with a style stay at the end of a line.
        let gap = if number + 1 < beside.len() { GAP } else { 0 };
        let width = u16::try_from(place.width).unwrap_or(u16::MAX).saturating_add(gap);
        column.set_padding((0, gap)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
    }
    let indent = if layout.is_indented() { INDENT } else { 0 };
    for line in table.lines() {
        writeln!(out, "{:indent$}{}", "", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::commands::show;
    use crate::phrases::NOTHING;
    use comfy_table::Color;
    use unicode_width::UnicodeWidthStr;

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

    /// The columns of `list`, without some that only take room.
    const SHORT_LIST: [Column; 6] = [
        Column::whole_name("SERVICE"),
        Column::shortened_part("APP"),
        Column::part("COMMIT"),
        Column::ranked(3, "TARGETS").optional().shortened_first(),
        Column::ranked(0, "SEEN"),
        Column::wrapped("STATE").with_details(),
    ];

    fn short_row(app: &str, commit: &str, targets: &str, state: &str) -> [String; 6] {
        [&format!("{app}_{commit}"), app, commit, targets, "4s ago", state].map(str::to_owned)
    }

    #[test]
    fn only_a_few_long_names_have_lines_of_their_own_and_their_cells_stay_below_the_headers() {
        let rows = [
            short_row("cart", SHORT_COMMIT, "", "ok"),
            short_row("cart", COMMIT, "", "partial"),
            short_row("pay", SHORT_COMMIT, "", "ok"),
        ];
        let at_40 = "\
APP   COMMIT      SEEN    STATE
cart  845820727e  4s ago  ok
cart_64c8138b597865b650797c142a928739a82bc9a3
                  4s ago  partial
pay   845820727e  4s ago  ok
";
        assert_eq!(written(&SHORT_LIST, &rows, Some(40)), at_40);
        let half = written(&SHORT_LIST, &rows[..2], Some(40));
        assert!(half.starts_with("SERVICE\n    SEEN    STATE\ncart_845820727e\n    4s ago  ok\n"), "{half}");
    }

    #[test]
    fn the_details_of_a_state_are_left_out_where_the_table_is_too_wide_and_the_caller_learns_it() {
        let rows = [
            short_row("cart", SHORT_COMMIT, "", "unreachable, 1 dead"),
            short_row("pay", SHORT_COMMIT, "", "ok"),
        ];
        let at = |width| {
            let mut out = Vec::new();
            let cells = |row: &[String; 6]| std::array::from_fn(|index| show::cell(&row[index]));
            let screen = Screen { width: Some(width), has_styles: false };
            let is_left_out = write(&SHORT_LIST, &rows, cells, screen, &mut out).unwrap();
            (String::from_utf8(out).unwrap(), is_left_out)
        };
        let whole = "\
APP   COMMIT      SEEN    STATE
cart  845820727e  4s ago  unreachable, 1 dead
pay   845820727e  4s ago  ok
";
        assert_eq!(at(45), (whole.to_owned(), false));
        assert_eq!(at(44), (whole.replace(", 1 dead", ""), true));
    }

    #[test]
    fn a_long_source_of_targets_is_shortened_and_then_dropped_before_other_columns() {
        let targets = "/etc/goc-watchdog/targets/production.json";
        let rows = [short_row("cart", SHORT_COMMIT, targets, "ok")];
        let at_55 = "\
APP   COMMIT      TARGETS                 SEEN    STATE
cart  845820727e  /etc/goc-w…ction.json   4s ago  ok
";
        assert_eq!(written(&SHORT_LIST, &rows, Some(55)), at_55);
        let at_40 = "\
APP   COMMIT      SEEN    STATE
cart  845820727e  4s ago  ok
";
        assert_eq!(written(&SHORT_LIST, &rows, Some(40)), at_40);
    }

    #[test]
    fn an_app_that_is_longer_than_others_is_shortened_before_a_column_is_dropped() {
        let rows =
            [short_row(&"a".repeat(60), SHORT_COMMIT, "", "ok"), short_row("cart", SHORT_COMMIT, "", "ok")];
        let at_60 = written(&SHORT_LIST, &rows, Some(60));
        assert_eq!(
            at_60.lines().next(),
            Some(format!("APP{}COMMIT      SEEN    STATE", " ".repeat(32)).as_str())
        );
        let at_44 = written(&SHORT_LIST, &rows, Some(44));
        assert_eq!(at_44.lines().next(), Some(format!("APP{}COMMIT      STATE", " ".repeat(23)).as_str()));
    }

    #[test]
    fn all_headers_are_bold_and_a_state_without_details_keeps_its_color() {
        let rows = [short_row("apa_goc_echoserver", SHORT_COMMIT, "", "unreachable, 1 dead")];
        let cells = |row: &[String; 6]| std::array::from_fn(|at| show::cell(&row[at]).fg(Color::Red));
        let mut out = Vec::new();
        write(&SHORT_LIST, &rows, cells, Screen { width: Some(40), has_styles: true }, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let header = text.lines().next().unwrap();
        assert_eq!(header.matches("\u{1b}[1m").count(), 3, "{header:?}");
        assert!(text.contains("\u{1b}[38;5;9munreachable") && !text.contains("dead"), "{text:?}");
    }

    #[test]
    fn a_long_name_is_whole_beside_other_cells_and_above_them() {
        let rows = [short_row(&"a".repeat(250), SHORT_COMMIT, "", "ok")];
        assert!(written(&SHORT_LIST, &rows, None).contains(&format!("\n{}  8458", "a".repeat(250))));
        let stacked = written(&SHORT_LIST, &rows, Some(20));
        assert!(stacked.contains(&format!("\n{}_845820727e\n", "a".repeat(250))), "{stacked}");
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
