//! The forms of durations and sizes in the configuration file and in options.

use std::time::Duration;

use crate::names::printable;

pub(super) const A_DURATION: &str = "a duration such as \"90s\", \"15m\" or \"2h 30m\"";
pub(super) const A_SIZE: &str =
    "a number of bytes above zero, alone or with B, KB, KiB, MB, MiB, GB or GiB, such as \"256MiB\"";

/// The longest accepted duration, 100 years. No point in time overflows with it.
const LONGEST_DURATION: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Reads a duration such as `15m` or `2h 30m`, at most 100 years.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST_DURATION => Ok(duration),
        Ok(_) => Err(format!("\"{}\" is too long, expected at most 100 years", printable(text))),
        Err(_) => Err(format!("\"{}\" is not a duration, expected {A_DURATION}", printable(text))),
    }
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
        assert_eq!(parse_size("256MiB"), Ok(256 << 20));
        assert_eq!(parse_size("1 kb"), Ok(1000));
        assert_eq!(parse_size("17"), Ok(17));
        for wrong in ["", "0", "-1", "1.5MB", "1XB", "99999999999GiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong:?}");
        }
    }
}
