//! The chart of the last totals beside the summary of a page. The page stretches the drawing, so dots are paths without
//! length.

use chrono::{DateTime, Utc};

use crate::coverage::percent_text;
use crate::names::printable;
use crate::phrases::short_commit;
use crate::report::TrendPoint;
use crate::report::trend::{Period, Scale, Trace, begins};
use crate::time::minute;

/// Largest number of totals in the chart.
const POINTS: usize = 60;
/// Width and height of the drawing, and the margin at its edges.
const CHART: (f64, f64, f64) = (400.0, 72.0, 4.0);

/// A line of totals over time.
pub(super) struct TrendChart {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) trace: Trace,
    pub(super) points: Vec<ChartMark>,
    /// First totals of the commits after the first one.
    pub(super) commits: Vec<ChartMark>,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) lowest: String,
    pub(super) highest: String,
    /// Labels of the lower and the upper edge.
    pub(super) scale: (String, String),
}

/// A place in the chart with a tooltip.
pub(super) struct ChartMark {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) title: String,
}

impl TrendChart {
    /// Draws the newest totals, up to the last pull; `None` for fewer than two.
    pub(super) fn from_trend(trend: &[TrendPoint], last_pull: Option<DateTime<Utc>>) -> Option<Self> {
        let points = &trend[trend.len().saturating_sub(POINTS)..];
        let [first, .., last] = points else { return None };
        let scale = Scale::over(points.iter());
        let end = last.stored_at.max(last_pull.unwrap_or_default());
        let period = Period { begin: first.stored_at, end };
        let (width, height, edge) = CHART;
        let x = |at| edge + (width - 2.0 * edge) * period.share(at);
        let y = |percent| edge + (height - 2.0 * edge) * scale.depth(percent);
        let mark = |point: &TrendPoint, what: &str| ChartMark {
            x: format!("{:.1}", x(point.stored_at)),
            y: format!("{:.1}", y(point.percent)),
            title: format!(
                "{what}, commit {}, {}",
                printable(&short_commit(&point.commit)),
                minute(point.stored_at)
            ),
        };
        let percents = || points.iter().map(|point| point.percent);
        Some(Self {
            width,
            height,
            trace: Trace::new(&points.iter().collect::<Vec<_>>(), end, x, y),
            points: points.iter().map(|point| mark(point, &percent_text(point.percent))).collect(),
            commits: begins(points)[1..].iter().map(|point| mark(point, "first data")).collect(),
            first: percent_text(first.percent),
            last: percent_text(last.percent),
            lowest: percent_text(percents().fold(f64::INFINITY, f64::min)),
            highest: percent_text(percents().fold(f64::NEG_INFINITY, f64::max)),
            scale: (format!("{:.0}%", scale.low), format!("{:.0}%", scale.high)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::trend::testing::{at, hour};

    fn marks(marks: &[ChartMark]) -> Vec<(&str, &str)> {
        marks.iter().map(|mark| (&*mark.x, &*mark.title)).collect()
    }

    #[test]
    fn a_chart_has_whole_tens_and_goes_on_evenly_to_the_last_pull() {
        let points = [at(0, 90.80, "aaaa"), at(1, 90.85, "aaaa"), at(5, 84.0, "bbbb")];
        let chart = TrendChart::from_trend(&points, Some(hour(10))).unwrap();
        assert_eq!(chart.scale, ("80%".to_owned(), "100%".to_owned()));
        assert_eq!(chart.trace.line, "M4.0 33.4L43.2 33.3H200.0M200.0 55.2", "no fall where a commit begins");
        assert_eq!(chart.trace.rest, "M200.0 55.2H396.0");
        assert_eq!(marks(&chart.commits), [("200.0", "first data, commit bbbb, 2026-11-01 05:00 UTC")]);
        assert_eq!(chart.points[1].title, "90.8%, commit aaaa, 2026-11-01 01:00 UTC");
    }

    #[test]
    fn a_commit_that_is_deployed_again_has_one_mark() {
        let points = [at(0, 50.0, "a"), at(1, 60.0, "b"), at(2, 50.0, "a"), at(4, 60.0, "b")];
        let chart = TrendChart::from_trend(&points, None).unwrap();
        assert_eq!(marks(&chart.commits), [("102.0", "first data, commit b, 2026-11-01 01:00 UTC")]);
    }

    #[test]
    fn totals_at_an_edge_or_at_one_time_stay_within_the_chart() {
        let full = TrendChart::from_trend(&[at(0, 100.0, "a"), at(1, 100.0, "a")], None).unwrap();
        assert_eq!((&*full.scale.0, &*full.trace.line, &*full.trace.rest), ("90%", "M4.0 4.0L396.0 4.0", ""));
        let odd = TrendChart::from_trend(&[at(0, f64::NAN, "a"), at(0, 400.0, "a")], Some(hour(0))).unwrap();
        assert_eq!(odd.trace.line, "M200.0 68.0L200.0 4.0");
        assert!(TrendChart::from_trend(&[at(0, 10.0, "a")], Some(hour(3))).is_none());
        assert!(TrendChart::from_trend(&[], None).is_none());
    }
}
