//! The scale of charts of totals.

use chrono::{DateTime, Utc};

use super::TrendPoint;

/// The percentages between which a chart is drawn: whole tens, so that a change of a tenth of a percent does not look
/// large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::report) struct Scale {
    pub(in crate::report) low: f64,
    pub(in crate::report) high: f64,
}

impl Scale {
    /// Returns the smallest scale that has all points.
    pub(in crate::report) fn over<'p>(points: impl Iterator<Item = &'p TrendPoint>) -> Self {
        let (lowest, highest) = points
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lowest, highest), point| {
                (lowest.min(point.percent), highest.max(point.percent))
            });
        let low = ((lowest / 10.0).floor() * 10.0).min(90.0);
        Self { low, high: ((highest / 10.0).ceil() * 10.0).max(low + 10.0) }
    }

    /// Returns the place of a percentage: 0 at the top of the scale and 1 at its bottom.
    pub(in crate::report) fn depth(self, percent: f64) -> f64 {
        (self.high - percent) / (self.high - self.low)
    }
}

/// A stretch of time that a chart shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::report) struct Period {
    pub(in crate::report) begin: DateTime<Utc>,
    pub(in crate::report) end: DateTime<Utc>,
}

impl Period {
    /// Returns the place of a time: 0 at the beginning and 1 at the end. All is in the middle of an empty period.
    pub(in crate::report) fn share(self, at: DateTime<Utc>) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a few years")]
        match (self.end - self.begin).num_milliseconds() {
            ..=0 => 0.5,
            all => ((at - self.begin).num_milliseconds() as f64 / all as f64).clamp(0.0, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, hour};
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
            let points: Vec<TrendPoint> = percents.iter().map(|percent| at(0, *percent, "")).collect();
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
