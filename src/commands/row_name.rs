//! The names of stored rows on a command line: a number, or a mark that `pull --mark` gave.

use std::fmt::{self, Display};

use crate::config::parse_duration;
use crate::names::printable;
use crate::source::RowName;
use crate::time::parse_moment;

/// Most characters of a mark.
const LONGEST: usize = 100;

/// Reads a new mark: a name with a letter that reads as no row, duration or time.
pub(crate) fn parse_mark(text: &str) -> Result<String, String> {
    let shown = printable(text);
    let refused = |why: &str| Err(format!("\"{shown}\" is no name of a mark, because it {why}"));
    if !text.contains(char::is_alphabetic) {
        return refused("holds no letter");
    }
    if text.trim() != text || text.contains(char::is_control) {
        return refused("has a control character, or white space at an end");
    }
    if text.chars().count() > LONGEST {
        return refused(&format!("is longer than {LONGEST} characters"));
    }
    if parse_duration(text).is_ok() || humantime::parse_duration(text).is_ok() {
        return refused("reads as a duration");
    }
    if parse_moment(text).is_some() {
        return refused("reads as a time");
    }
    Ok(text.to_owned())
}

/// Reads the name of a row: its number, or a mark.
pub(crate) fn parse_row_name(text: &str) -> Result<RowName, String> {
    match text.parse() {
        Ok(number) => Ok(RowName::Number(number)),
        Err(_) => parse_mark(text)
            .map(RowName::Mark)
            .map_err(|_| format!("\"{}\" is neither the number of a row nor a mark", printable(text))),
    }
}

impl Display for RowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Mark(mark) if mark.contains(' ') => write!(f, "\"{}\"", printable(mark)),
            Self::Mark(mark) => printable(mark).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_holds_a_letter_and_reads_as_no_row_duration_or_time() {
        for name in ["regression-2026-11", "A", "2x", "before the test", "回归", "M15"] {
            assert_eq!(parse_mark(name), Ok(name.to_owned()));
        }
        let long = "a".repeat(101);
        for (name, why) in [
            ("12", "holds no letter"),
            ("2026-11-30", "holds no letter"),
            ("", "holds no letter"),
            ("2h", "reads as a duration"),
            ("2h 30m", "reads as a duration"),
            ("15M", "reads as a duration"),
            ("200y", "reads as a duration"),
            ("2026-11-30T14:20:00Z", "reads as a time"),
            ("2026-11-30 14:20 UTC", "reads as a time"),
            (" a", "has a control character, or white space at an end"),
            ("a\u{1b}b", "has a control character, or white space at an end"),
            (&long, "is longer than 100 characters"),
        ] {
            let shown = printable(name);
            assert_eq!(parse_mark(name), Err(format!("\"{shown}\" is no name of a mark, because it {why}")));
        }
    }

    #[test]
    fn a_row_is_named_by_its_number_or_a_mark() {
        assert_eq!(parse_row_name("12"), Ok(RowName::Number(12)));
        assert_eq!(parse_row_name("A"), Ok(RowName::Mark("A".to_owned())));
        assert_eq!(parse_row_name("2h"), Err("\"2h\" is neither the number of a row nor a mark".to_owned()));
    }
}
