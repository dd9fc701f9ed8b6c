//! Coverage as a pair of statement counts, the threshold of a gate, and the change between two.
//!
//! A percentage is computed only for printing or storing. A gate compares exact fractions, so no decision depends on
//! rounding.

use std::fmt;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::time::iso;

/// The number of covered statements, and of all statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Statements that were executed at least once.
    pub covered: u64,
    /// All statements.
    pub total: u64,
}

/// The coverage of the lines that changed from a base to a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangedLines {
    /// Full hash of the commit from which the changes are counted.
    pub base: String,
    /// The way in which the base was chosen, in words.
    pub how: String,
    /// Changed lines that were executed at least partly, and all that count.
    pub lines: Coverage,
    /// Time at which this was computed.
    pub computed_at: DateTime<Utc>,
}

/// The form for scripts. Without lines that count there is no percentage.
impl Serialize for ChangedLines {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { base, how, lines, computed_at } = self;
        let mut object = serializer.serialize_struct("ChangedLines", 6)?;
        object.serialize_field("base", base)?;
        object.serialize_field("how", how)?;
        object.serialize_field("hit", &lines.covered)?;
        object.serialize_field("lines", &lines.total)?;
        object.serialize_field("percent", &(lines.total > 0).then(|| lines.percent()))?;
        object.serialize_field("computed_at", &iso(*computed_at))?;
        object.end()
    }
}

impl Coverage {
    /// Returns the percentage as Go computes it: `100 * covered / total`, in this order, and 0 without statements
    /// (`percent` in Go's cmd/cover/func.go).
    ///
    /// The order matters: printed with `{:.1}` the figures agree with Go's to the digit. People read them as
    /// [`shown_percent`] writes them.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "Go converts the same counts to float64")]
    pub fn percent(self) -> f64 {
        100.0 * self.covered as f64 / self.total.max(1) as f64
    }

    /// Tells whether this coverage is at least `threshold`, by exact fractions.
    ///
    /// Without statements the coverage is 0 %, as in [`Coverage::percent`].
    #[must_use]
    pub fn meets(self, threshold: Threshold) -> bool {
        let covered = u128::from(self.covered) * 100 * SCALE;
        covered >= u128::from(threshold.scaled_percent) * u128::from(self.total.max(1))
    }

    /// Returns the number of further statements that have to be covered to meet `threshold`.
    #[must_use]
    pub fn missing_for(self, threshold: Threshold) -> u64 {
        let wanted = u128::from(threshold.scaled_percent) * u128::from(self.total.max(1));
        let wanted = wanted.div_ceil(100 * SCALE);
        u64::try_from(wanted).unwrap_or(u64::MAX).saturating_sub(self.covered)
    }

    /// Tells whether this coverage is lower than `earlier` by more than so many percentage points, by exact fractions.
    pub(crate) fn fell_by_more(self, earlier: Coverage, points: Threshold) -> bool {
        let [now, before] = [self, earlier].map(|it| (u128::from(it.covered), u128::from(it.total.max(1))));
        let fall = (before.0 * now.1).saturating_sub(now.0 * before.1);
        let (fall, whole) = (fall.checked_mul(100 * SCALE), before.1 * now.1);
        match (fall, whole.checked_mul(u128::from(points.scaled_percent))) {
            (Some(fall), Some(allowed)) => fall > allowed,
            // Only hostile counts are so large.
            _ => earlier.percent() - self.percent() > points.percent(),
        }
    }

    /// Returns the same coverage without a part of its statements.
    pub(crate) fn without(self, part: Coverage) -> Coverage {
        Coverage {
            covered: self.covered.saturating_sub(part.covered),
            total: self.total.saturating_sub(part.total),
        }
    }

    /// Returns the change from `earlier` to this coverage.
    #[must_use]
    pub fn since(self, earlier: Coverage) -> Delta {
        Delta { earlier, later: self }
    }
}

/// Adds statements with saturation, because counts come from outside and a hostile one must not panic.
impl Add for Coverage {
    type Output = Coverage;

    fn add(self, other: Coverage) -> Coverage {
        Coverage {
            covered: self.covered.saturating_add(other.covered),
            total: self.total.saturating_add(other.total),
        }
    }
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Coverage) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Coverage {
    fn sum<I: Iterator<Item = Coverage>>(parts: I) -> Coverage {
        parts.fold(Coverage::default(), Add::add)
    }
}

/// Prints the percentage for people, `56.4%`.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&percent_text(self.percent()))
    }
}

/// Returns a percentage with one digit after the point, as people read it: 100.0 only if everything is covered, and 0.0
/// only if nothing is. `report --format func` rounds as Go's tool does.
pub(crate) fn shown_percent(percent: f64) -> String {
    let rounded = format!("{percent:.1}");
    match rounded.as_str() {
        "100.0" if percent < 100.0 => "99.9".to_owned(),
        "0.0" if percent > 0.0 => "0.1".to_owned(),
        _ => rounded,
    }
}

/// Returns a percentage as [`shown_percent`] does, with its sign: `56.4%`.
pub(crate) fn percent_text(percent: f64) -> String {
    shown_percent(percent) + "%"
}

/// Returns the size of a change in percentage points, without a sign: with one digit after the point, or, if that is zero,
/// with the first digit that is not: `1.2`, `0.003`.
pub(crate) fn shown_points(points: f64) -> String {
    let rounded = format!("{:.1}", points.abs());
    let first_digit = (2..=DIGITS).zip(2..).find(|(_, power)| points.abs() * 10_f64.powi(*power) >= 1.0);
    match first_digit {
        Some((digits, _)) if rounded == "0.0" => {
            format!("{:.digits$}", points.abs()).trim_end_matches('0').to_owned()
        }
        _ => rounded,
    }
}

/// Digits after the point that a threshold may have. The products in [`Coverage::meets`] then stay
/// below 2^122.
const DIGITS: usize = 15;
/// 10 to the power of [`DIGITS`].
const SCALE: u128 = 1_000_000_000_000_000;

/// The percentage that a gate requires, from 0 to 100, stored as the exact decimal number that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold {
    /// The percentage times [`SCALE`].
    scaled_percent: u64,
}

/// The error for a text that is not a [`Threshold`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{}\" is not a threshold, expected a percentage from 0 to 100 such as \"80\" or \"79.95\"",
    crate::names::printable(.text)
)]
pub struct ThresholdError {
    text: String,
}

impl Threshold {
    /// Returns the exact percentage without zeros at its end and without a sign: `79.95`.
    pub(crate) fn number(self) -> String {
        let scaled = u128::from(self.scaled_percent);
        let decimal = format!("{}.{:0DIGITS$}", scaled / SCALE, scaled % SCALE);
        decimal.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// Returns the nearest number to the percentage.
    pub(crate) fn percent(self) -> f64 {
        self.number().parse().unwrap_or_default()
    }

    /// Returns the percentage that a number above 0 and below 1 stands for if it was meant as a share: 80 for 0.8.
    pub(crate) fn as_share(self) -> Option<Self> {
        let is_share = self.scaled_percent > 0 && u128::from(self.scaled_percent) < SCALE;
        is_share.then_some(Self { scaled_percent: self.scaled_percent.saturating_mul(100) })
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    /// Reads `80`, `79.95`, `.5` or `80%`; no sign, no exponent, at most 15 digits after the point.
    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        scaled_percent(text)
            .map(|scaled_percent| Threshold { scaled_percent })
            .ok_or_else(|| ThresholdError { text: text.to_owned() })
    }
}

fn scaled_percent(text: &str) -> Option<u64> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = fraction.trim_end_matches('0');
    if number.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > DIGITS {
        return None;
    }
    // The fraction is padded to all digits, so that whole and fraction can be read as one integer.
    let scaled: u64 = format!("{whole}{fraction:0<DIGITS$}").parse().ok()?;
    (u128::from(scaled) <= 100 * SCALE).then_some(scaled)
}

/// Prints the exact percentage without zeros at its end: `79.95%`.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&(self.number() + "%"))
    }
}

/// The change between two coverages, for the trend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    earlier: Coverage,
    later: Coverage,
}

impl Delta {
    /// Returns the change in percentage points, unrounded.
    #[must_use]
    pub fn points(self) -> f64 {
        self.later.percent() - self.earlier.percent()
    }
}

/// Prints `+1.2`, `-0.3`, or `=` for equal fractions.
///
/// The sign is exact: a single new statement among many prints `+0.001`, not `=`.
impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cross = |a: Coverage, b: Coverage| u128::from(a.covered) * u128::from(b.total.max(1));
        let sign = match cross(self.later, self.earlier).cmp(&cross(self.earlier, self.later)) {
            std::cmp::Ordering::Less => '-',
            std::cmp::Ordering::Equal => return f.pad("="),
            std::cmp::Ordering::Greater => '+',
        };
        f.pad(&format!("{sign}{}", shown_points(self.points())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(covered: u64, total: u64) -> Coverage {
        Coverage { covered, total }
    }

    fn threshold(text: &str) -> Threshold {
        text.parse().unwrap()
    }

    #[test]
    fn percentages_print_rounded_but_never_as_all_or_nothing_that_they_are_not() {
        for (covered, total, expected) in [
            (0, 0, "0.0%"),
            (0, 7, "0.0%"),
            (35, 62, "56.5%"),
            (1, 3, "33.3%"),
            (2, 3, "66.7%"),
            (7, 7, "100.0%"),
            (1, 16, "6.2%"),
            (2999, 3000, "99.9%"),
            (9995, 10000, "99.9%"),
            (9994, 10000, "99.9%"),
            (1, 3000, "0.1%"),
            (5, 10000, "0.1%"),
            (14, 10000, "0.1%"),
            (16, 10000, "0.2%"),
        ] {
            assert_eq!(pair(covered, total).to_string(), expected, "{covered} of {total}");
        }
        assert_eq!(format!("{:>7}", pair(1, 2)), "  50.0%");
    }

    #[test]
    fn parts_sum_and_a_hostile_count_saturates() {
        assert_eq!([pair(1, 2), pair(3, 4)].into_iter().sum::<Coverage>(), pair(4, 6));
        assert_eq!(pair(u64::MAX, u64::MAX) + pair(1, 2), pair(u64::MAX, u64::MAX));
    }

    #[test]
    fn what_is_missing_is_enough_and_no_more() {
        for (coverage, wanted) in
            [(pair(79, 100), "80"), (pair(0, 3), "33.4"), (pair(5, 7), "100"), (pair(8, 10), "80")]
        {
            let missing = coverage.missing_for(threshold(wanted));
            let with = |more| pair(coverage.covered + more, coverage.total).meets(threshold(wanted));
            assert!(with(missing) && (missing == 0 || !with(missing - 1)), "{coverage:?} {wanted}");
        }
    }

    #[test]
    fn thresholds_are_read_exactly() {
        let printed = ["0", ".5", "80", "80%", "080.50", "79.95", "100", "100.000", "0.000000000000001"]
            .map(|text| threshold(text).to_string());
        assert_eq!(
            printed,
            ["0%", "0.5%", "80%", "80%", "80.5%", "79.95%", "100%", "100%", "0.000000000000001%"]
        );
    }

    #[test]
    fn a_number_below_one_percent_may_be_a_share() {
        let meant = |text: &str| threshold(text).as_share().map(|share| share.to_string());
        assert_eq!(
            ["0.8", "0.7995", "0.005"].map(meant),
            ["80%", "79.95%", "0.5%"].map(|it| Some(it.to_owned()))
        );
        assert_eq!(["0", "1", "1.5", "80"].map(meant), [None, None, None, None]);
    }

    #[test]
    fn what_is_no_percentage_is_refused() {
        for text in [
            "",
            "%",
            ".",
            "80.",
            ".%",
            "-1",
            "+80",
            "1e2",
            "NaN",
            "inf",
            "80 %",
            "80%%",
            "8o",
            "1.2.3",
            "100.1",
            "100.000000000000001",
            "101",
            "0.0000000000000001",
            "99999999999999999999",
        ] {
            assert_eq!(text.parse::<Threshold>(), Err(ThresholdError { text: text.to_owned() }), "{text}");
        }
        assert_eq!(
            "eighty\n".parse::<Threshold>().unwrap_err().to_string(),
            r#""eighty\n" is not a threshold, expected a percentage from 0 to 100 such as "80" or "79.95""#
        );
    }

    #[test]
    fn a_gate_compares_fractions_not_printed_text() {
        // 79.96 % prints as 80.0 %, and is below 80 %.
        assert_eq!(pair(1999, 2500).to_string(), "80.0%");
        assert!(!pair(1999, 2500).meets(threshold("80")));
        assert!(pair(1999, 2500).meets(threshold("79.96")));
        assert!(pair(4, 5).meets(threshold("80")));
        assert!(pair(1, 3).meets(threshold("33.333333333333333")));
        assert!(!pair(1, 3).meets(threshold("33.333333333333334")));
        assert!(pair(u64::MAX, u64::MAX).meets(threshold("100")));
        assert!(!pair(u64::MAX - 1, u64::MAX).meets(threshold("100")));
    }

    #[test]
    fn a_fall_is_compared_exactly() {
        // A fall from 60 to 59.9 % has 0.1 points; in floating point it has 0.10000000000000142.
        assert!(!pair(599, 1000).fell_by_more(pair(6, 10), threshold("0.1")));
        assert!(pair(599, 1000).fell_by_more(pair(6, 10), threshold("0.099999999999999")));
        assert!(!pair(2, 3).fell_by_more(pair(4, 6), threshold("0")));
        assert!(pair(1, 3).fell_by_more(pair(2, 3), threshold("33")));
        assert!(!pair(1, 1).fell_by_more(pair(0, 1), threshold("0")), "a rise");
        assert!(pair(0, u64::MAX).fell_by_more(pair(u64::MAX, u64::MAX), threshold("99")));
    }

    #[test]
    fn without_statements_only_zero_is_met() {
        assert!(pair(0, 0).meets(threshold("0")));
        assert!(!pair(0, 0).meets(threshold("0.1")));
    }

    #[test]
    fn a_delta_shows_its_direction_even_where_it_rounds_away() {
        let delta = |earlier: Coverage, later: Coverage| later.since(earlier).to_string();
        assert_eq!(delta(pair(50, 100), pair(60, 100)), "+10.0");
        assert_eq!(delta(pair(564, 1000), pair(561, 1000)), "-0.3");
        assert_eq!(delta(pair(1, 2), pair(2, 4)), "=");
        assert_eq!(delta(pair(0, 0), pair(0, 9)), "=");
        assert_eq!(delta(pair(5000, 100_000), pair(5001, 100_000)), "+0.001");
        assert_eq!(delta(pair(5001, 100_000), pair(5000, 100_000)), "-0.001");
        assert_eq!(delta(pair(0, u64::MAX), pair(1, u64::MAX)), "+0.0", "no real program has so many");
    }

    #[test]
    fn a_small_change_shows_its_first_digit() {
        let shown = [12.34, 0.06, 0.05, 0.049, 0.0096, 0.005, -0.000_123, 0.0].map(shown_points);
        assert_eq!(shown, ["12.3", "0.1", "0.1", "0.05", "0.01", "0.005", "0.0001", "0.0"]);
    }

    proptest! {
        #[test]
        fn a_threshold_reads_back_what_it_prints(scaled_percent in 0..=100_000_000_000_000_000_u64) {
            let threshold = Threshold { scaled_percent };
            prop_assert_eq!(threshold.to_string().parse(), Ok(threshold));
        }

        #[test]
        fn meeting_a_whole_percentage_is_plain_arithmetic(
            covered in 0..1_000_000_u64, rest in 0..1_000_000_u64, percent in 0..=100_u64,
        ) {
            let total = (covered + rest).max(1);
            let met = pair(covered, total).meets(threshold(&percent.to_string()));
            prop_assert_eq!(met, covered * 100 >= percent * total);
        }
    }
}
