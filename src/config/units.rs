//! The forms of durations and sizes in the configuration file and in options.

use std::str::FromStr;
use std::time::Duration;

use crate::names::printable;

pub(super) const A_DURATION: &str = "a duration such as \"90s\", \"15m\" or \"2h 30m\"";
pub(super) const A_SIZE: &str =
    "a number of bytes above zero, alone or with B, KB, KiB, MB, MiB, GB or GiB, such as \"256MiB\"";

/// The longest accepted duration, 100 years. No point in time overflows with it.
const LONGEST_DURATION: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Reads a duration such as `15m` or `2h 30m`, at most 100 years. A month has to be written out, because `15M` is more
/// often a slip for 15 minutes.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    if units(text).any(|unit| unit == "M") {
        let shown = printable(text);
        return Err(format!(
            "\"{shown}\" is refused, because M is a month; write \"{}\" for minutes, or \"{}\"",
            shown.replace('M', "m"),
            shown.replace('M', "months")
        ));
    }
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST_DURATION => Ok(duration),
        Ok(_) => Err(format!("\"{}\" is too long, expected at most 100 years", printable(text))),
        Err(_) => Err(format!("\"{}\" is not a duration, expected {A_DURATION}", printable(text))),
    }
}

/// Reads the longest age of data that a gate accepts. Years are refused: such a gate hardly ever fails.
pub(crate) fn parse_age(text: &str) -> Result<Duration, String> {
    if units(text).any(|unit| matches!(unit, "y" | "yr" | "yrs" | "year" | "years")) {
        let shown = printable(text);
        return Err(format!(
            "\"{shown}\" is refused, because it has years; write hours or days, such as \"36h\" or \"365d\""
        ));
    }
    parse_duration(text)
}

/// Reads a whole number of an option.
pub(crate) fn parse_whole<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("\"{}\" is no whole number, such as 10", printable(text)))
}

/// Returns the units in a duration.
fn units(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphabetic())
}

const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

/// Reads a size in bytes, above zero, such as `4096` or `256MiB`; the case of the unit does not matter.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim_start()));
    unit.and_then(|(_, bytes)| number.parse::<u64>().ok()?.checked_mul(*bytes))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("\"{}\" is not a size, expected {A_SIZE}", printable(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes() {
        assert_eq!(parse_duration("2h 30m"), Ok(Duration::from_secs(9000)));
        assert!(parse_duration("200y").is_err());
        assert_eq!(parse_duration("2months"), parse_duration("2 month"));
        assert_eq!(
            parse_duration("1h 15M").unwrap_err(),
            "\"1h 15M\" is refused, because M is a month; write \"1h 15m\" for minutes, or \"1h 15months\""
        );
        assert_eq!(parse_age("36h"), Ok(Duration::from_secs(36 * 3600)));
        assert!(parse_age("15M").is_err());
        for years in ["1y", "1 year", "2years 3d", "1yr", "2yrs"] {
            assert!(
                parse_age(years).unwrap_err().contains("has years") && parse_duration(years).is_ok(),
                "{years}"
            );
        }
        assert_eq!(parse_size("256MiB"), Ok(256 << 20));
        assert_eq!(parse_size("1 kb"), Ok(1000));
        assert_eq!(parse_size("17"), Ok(17));
        for wrong in ["", "0", "-1", "1.5MB", "1XB", "99999999999GiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong:?}");
        }
    }
}
