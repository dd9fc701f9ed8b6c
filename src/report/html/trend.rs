//! The chart of the last totals beside the summary of a page.
//!
//! The scale is honest: time goes on evenly to the last pull, and percentages span whole tens, so that a change of a
//! tenth does not look large. The page stretches the drawing, so dots are paths without length.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::short_commit;
use crate::coverage::percent_text;
use crate::names::printable;
use crate::report::TrendPoint;
use crate::time::minute;

/// Largest number of totals in the chart.
const POINTS: usize = 60;
/// Width and height of the drawing, and the margin at its edges.
const CHART: (f64, f64, f64) = (400.0, 72.0, 4.0);

/// A line of totals over time.
pub(super) struct TrendChart {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) line: String,
    pub(super) points: Vec<ChartMark>,
    /// First totals of new commits.
    pub(super) commits: Vec<ChartMark>,
    /// Path from the last change to the last pull, which found the same; empty without one.
    pub(super) goes_on: String,
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
        let trend = &trend[trend.len().saturating_sub(POINTS)..];
        // Another program may have stored an invalid percentage.
        let percents: Vec<f64> = trend
            .iter()
            .map(|point| point.percent.clamp(0.0, 100.0))
            .map(|p| if p.is_nan() { 0.0 } else { p })
            .collect();
        let [first, .., last] = percents[..] else { return None };
        let lowest = percents.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = percents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = tens_around(lowest, highest);
        let (width, height, edge) = CHART;
        let y = |percent: f64| {
            format!("{:.1}", height - edge - (height - 2.0 * edge) * (percent - low) / (high - low))
        };
        let end = trend[trend.len() - 1].stored_at.max(last_pull.unwrap_or_default());
        let x = |at| format!("{:.1}", edge + (width - 2.0 * edge) * share(trend[0].stored_at, at, end));
        let marks = percents.iter().zip(trend).map(|(&percent, point)| ChartMark {
            x: x(point.stored_at),
            y: y(percent),
            title: title(&percent_text(percent), point),
        });
        let points: Vec<ChartMark> = marks.collect();
        let commits = trend.windows(2).filter(|pair| pair[0].commit != pair[1].commit);
        let commits = commits.map(|pair| ChartMark {
            x: x(pair[1].stored_at),
            y: String::new(),
            title: title("first data", &pair[1]),
        });
        let mut line = String::new();
        for point in &points {
            let _ = write!(line, "{},{} ", point.x, point.y);
        }
        let (from, to) = (&points[points.len() - 1], x(end));
        Some(Self {
            width,
            height,
            line: line.trim_end().to_owned(),
            commits: commits.collect(),
            goes_on: if from.x == to { String::new() } else { format!("M{} {}H{to}", from.x, from.y) },
            points,
            first: percent_text(first),
            last: percent_text(last),
            lowest: percent_text(lowest),
            highest: percent_text(highest),
            scale: (format!("{low:.0}%"), format!("{high:.0}%")),
        })
    }
}

/// Returns the whole tens around percentages, at least ten apart.
pub(in crate::report) fn tens_around(lowest: f64, highest: f64) -> (f64, f64) {
    let low = ((lowest / 10.0).floor() * 10.0).min(90.0);
    (low, ((highest / 10.0).ceil() * 10.0).max(low + 10.0))
}

/// Returns the share of a span of time, from 0 to 1, that is over at a moment.
pub(in crate::report) fn share(begin: DateTime<Utc>, at: DateTime<Utc>, end: DateTime<Utc>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a few years")]
    match (end - begin).num_milliseconds() {
        ..=0 => 0.5,
        all => ((at - begin).num_milliseconds() as f64 / all as f64).clamp(0.0, 1.0),
    }
}

fn title(what: &str, point: &TrendPoint) -> String {
    format!("{what}, commit {}, {}", printable(&short_commit(&point.commit)), minute(point.stored_at))
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone};

    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 24, 14, 0, 0).unwrap() + TimeDelta::hours(hour)
    }

    fn chart(totals: &[(i64, f64, &str)], last_pull: Option<i64>) -> Option<TrendChart> {
        let points: Vec<TrendPoint> = totals
            .iter()
            .map(|&(hour, percent, commit)| TrendPoint {
                stored_at: at(hour),
                commit: commit.to_owned(),
                percent,
            })
            .collect();
        TrendChart::from_trend(&points, last_pull.map(at))
    }

    #[test]
    fn a_chart_has_whole_tens_and_goes_on_evenly_to_the_last_pull() {
        let chart = chart(&[(0, 90.80, "aaaa"), (1, 90.85, "aaaa"), (5, 84.0, "bbbb")], Some(10)).unwrap();
        assert_eq!(chart.scale, ("80%".to_owned(), "100%".to_owned()));
        assert_eq!(chart.line, "4.0,33.4 43.2,33.3 200.0,55.2");
        assert_eq!(chart.goes_on, "M200.0 55.2H396.0");
        let commits: Vec<(&str, &str)> = chart.commits.iter().map(|mark| (&*mark.x, &*mark.title)).collect();
        assert_eq!(commits, [("200.0", "first data, commit bbbb, 2026-11-24 19:00 UTC")]);
        assert_eq!(chart.points[1].title, "90.8%, commit aaaa, 2026-11-24 15:00 UTC");
    }

    #[test]
    fn odd_totals_and_times_stay_within_the_chart() {
        let full = chart(&[(0, 100.0, "a"), (1, 100.0, "a")], None).unwrap();
        assert_eq!((full.scale.0, &*full.line, &*full.goes_on), ("90%".to_owned(), "4.0,4.0 396.0,4.0", ""));
        let odd = chart(&[(0, f64::NAN, "a"), (0, 400.0, "a")], Some(0)).unwrap();
        assert_eq!(odd.line, "200.0,68.0 200.0,4.0");
        assert!(chart(&[(0, 10.0, "a")], Some(3)).is_none() && chart(&[], None).is_none());
    }
}
