//! The large chart of totals, with axes.
//!
//! A page stretches a chart, but lines must keep their width and dots their shape. So dots are paths without length,
//! and the labels of the axes are not part of the drawing.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::scale::{DatedTotal, Period, Scale};
use crate::coverage::percent_text;
use crate::names::printable;
use crate::time::minute;

/// Width and height of a large chart.
const CHART: (f64, f64) = (1000.0, 200.0);
/// Largest number of dots in a line that can be distinguished.
const DOTS: usize = 90;
/// Largest number of lines that can be distinguished.
const LINES: usize = 6;

/// A chart of several lines over time.
#[derive(Debug)]
pub(super) struct HistoryChart {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) lines: Vec<ChartLine>,
    /// Number of lines that were left out.
    pub(super) left_out: usize,
    /// Position and label of each tick, from the top.
    pub(super) ticks: [(f64, String); 3],
    pub(super) from: String,
    pub(super) to: String,
}

/// A line of a chart.
#[derive(Debug)]
pub(super) struct ChartLine {
    pub(super) name: String,
    pub(super) points: String,
    pub(super) dots: Vec<ChartDot>,
    pub(super) first: String,
    pub(super) last: String,
}

/// A dot with a tooltip.
#[derive(Debug)]
pub(super) struct ChartDot {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) title: String,
}

impl HistoryChart {
    /// Draws the first lines; `None` when no line has more than one total.
    pub(super) fn from_lines(all: &[(String, Vec<DatedTotal>)]) -> Option<Self> {
        let with_points = || all.iter().filter(|(_, points)| !points.is_empty());
        let drawn: Vec<&(String, Vec<DatedTotal>)> = with_points().take(LINES).collect();
        let points = || drawn.iter().flat_map(|(_, points)| points);
        if drawn.iter().all(|(_, points)| points.len() < 2) {
            return None;
        }
        let (begin, end) =
            (points().map(|point| point.stored_at).min()?, points().map(|point| point.stored_at).max()?);
        let scale = Scale::over(points());
        let (width, height) = CHART;
        let period = Period { begin, end };
        let share = |at| period.share(at);
        let y = |percent: f64| height * scale.from_top(percent);
        let lines = drawn.iter().map(|(name, points)| {
            let mut dots: Vec<ChartDot> = Vec::new();
            let mut line = String::new();
            for point in thinned(points, share) {
                let dot = ChartDot {
                    x: format!("{:.1}", width * share(point.stored_at)),
                    y: format!("{:.1}", y(point.percent)),
                    title: format!(
                        "{} {} {}, {}",
                        shown(point.percent),
                        printable(name),
                        printable(&point.commit),
                        minute(point.stored_at)
                    ),
                };
                let _ = write!(line, "{},{} ", dot.x, dot.y);
                dots.push(dot);
            }
            ChartLine {
                name: printable(name).into_owned(),
                points: line.trim_end().to_owned(),
                dots,
                first: shown(points[0].percent),
                last: shown(points[points.len() - 1].percent),
            }
        });
        let Scale { low, high } = scale;
        let tick = |percent: f64| (y(percent), format!("{percent:.0}%"));
        Some(Self {
            width,
            height,
            lines: lines.collect(),
            left_out: with_points().count().saturating_sub(LINES),
            ticks: [tick(high), tick(f64::midpoint(low, high)), tick(low)],
            from: begin.format("%Y-%m-%d").to_string(),
            to: end.format("%Y-%m-%d").to_string(),
        })
    }
}

/// Returns the last total of each stretch of time, so that years of them fit.
fn thinned(points: &[DatedTotal], share: impl Fn(DateTime<Utc>) -> f64) -> Vec<&DatedTotal> {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a small number")]
    let stretch = |point: &DatedTotal| (share(point.stored_at) * DOTS as f64) as i64;
    let next = points.iter().skip(1).map(Some).chain([None]);
    let is_last = |(point, next): &(&DatedTotal, Option<&DatedTotal>)| {
        next.is_none_or(|next| stretch(next) != stretch(point))
    };
    points.iter().zip(next).filter(is_last).map(|(point, _)| point).collect()
}

pub(super) fn shown(percent: f64) -> String {
    percent_text(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64, percent: f64) -> DatedTotal {
        super::super::scale::testing::at(hours, percent, "845820727e")
    }

    #[test]
    fn a_chart_lays_branches_over_one_time_and_whole_tens() {
        let lines = [
            ("master".to_owned(), vec![at(0, 41.0), at(10, 58.0)]),
            ("idle".to_owned(), vec![]),
            ("fix".to_owned(), vec![at(5, 50.0)]),
        ];
        let chart = HistoryChart::from_lines(&lines).unwrap();
        let drawn: Vec<(&str, &str)> =
            chart.lines.iter().map(|line| (line.name.as_str(), line.points.as_str())).collect();
        assert_eq!(drawn, [("master", "0.0,190.0 1000.0,20.0"), ("fix", "500.0,100.0")]);
        let ticks = chart.ticks.each_ref().map(|(y, label)| (*y, label.as_str()));
        assert_eq!(ticks, [(0.0, "60%"), (100.0, "50%"), (200.0, "40%")]);
        assert_eq!(chart.lines[0].dots[1].title, "58.0% master 845820727e, 2026-11-01 10:00 UTC");
        assert!(HistoryChart::from_lines(&lines[1..]).is_none(), "one total is no history");
    }

    #[test]
    fn full_coverage_has_room_below_it() {
        let chart = HistoryChart::from_lines(&[("m".to_owned(), vec![at(0, 100.0), at(1, 100.0)])]).unwrap();
        assert_eq!(chart.ticks.map(|(_, label)| label), ["100%", "95%", "90%"]);
    }

    #[test]
    fn years_of_totals_fit_and_the_newest_is_among_them() {
        let hours: Vec<DatedTotal> =
            (0..10_000).map(|hour| at(hour, f64::from(u8::try_from(hour % 100).unwrap()))).collect();
        let chart = HistoryChart::from_lines(&[("m".to_owned(), hours)]).unwrap();
        assert_eq!(chart.lines[0].dots.len(), DOTS + 1);
        assert!(chart.lines[0].dots.last().unwrap().title.starts_with("99.0% "));
    }
}
