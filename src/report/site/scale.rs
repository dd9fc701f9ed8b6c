//! The scale of charts of totals.

use chrono::{DateTime, Utc};

use crate::report::html::{share, tens_around};

/// A total at a time.
#[derive(Clone, Debug)]
pub(super) struct DatedTotal {
    pub(super) stored_at: DateTime<Utc>,
    pub(super) percent: f64,
    pub(super) commit: String,
}

/// The percentages between which a chart is drawn: whole tens, so that a change of a tenth of a percent does not look
/// large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Scale {
    /// Returns the smallest scale that has all points.
    pub(super) fn over<'p>(points: impl Iterator<Item = &'p DatedTotal>) -> Self {
        let (lowest, highest) = points
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lowest, highest), point| {
                (lowest.min(point.percent), highest.max(point.percent))
            });
        let (low, high) = tens_around(lowest, highest);
        Self { low, high }
    }

    /// Returns the place of a percentage: 0 at the top of the scale and 1 at its bottom.
    pub(super) fn depth(self, percent: f64) -> f64 {
        (self.high - percent) / (self.high - self.low)
    }
}

/// A stretch of time that a chart shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Period {
    pub(super) begin: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
}

impl Period {
    /// Returns the place of a time: 0 at the beginning and 1 at the end. All is in the middle of an empty period.
    pub(super) fn share(self, at: DateTime<Utc>) -> f64 {
        share(self.begin, at, self.end)
    }
}

#[cfg(test)]
pub(super) mod testing {
    use chrono::{TimeDelta, TimeZone as _};

    use super::*;

    pub(in crate::report::site) fn hour(hour: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 1, 0, 0, 0).unwrap() + TimeDelta::hours(hour)
    }

    /// Returns a total so many hours after the first of November.
    pub(in crate::report::site) fn at(hours: i64, percent: f64, commit: &str) -> DatedTotal {
        DatedTotal { stored_at: hour(hours), percent, commit: commit.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{at, hour};
    use super::*;

    #[test]
    fn a_scale_has_whole_tens_and_never_less_than_ten_points() {
        for (percents, low, high) in [
            (&[41.0, 58.0][..], 40.0, 60.0),
            (&[40.0, 40.05], 40.0, 50.0),
            (&[40.0], 40.0, 50.0),
            (&[100.0, 100.0], 90.0, 100.0),
            (&[0.0, 100.0], 0.0, 100.0),
        ] {
            let points: Vec<DatedTotal> = percents.iter().map(|percent| at(0, *percent, "")).collect();
            let scale = Scale::over(points.iter());
            assert_eq!(scale, Scale { low, high }, "{percents:?}");
            assert_eq!((scale.depth(high), scale.depth(low)), (0.0, 1.0));
        }
    }

    #[test]
    fn a_period_without_length_has_one_place() {
        let periods = [(hour(0), hour(4)), (hour(1), hour(1))].map(|(begin, end)| Period { begin, end });
        let [long, empty] = periods.map(|period| period.share(hour(1)));
        assert_eq!((long, empty), (0.25, 0.5));
    }
}
