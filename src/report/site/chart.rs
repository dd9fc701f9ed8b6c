//! The large chart of an app: the totals of its environments and branches over time, on one scale.
//!
//! A page stretches a chart, but lines must keep their width and dots their shape. So dots are paths without length,
//! and the labels of axes and commits are not part of the stretched drawing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::coverage::percent_text;
use crate::names::printable;
use crate::report::trend::{Period, Scale, Trace, TrendPoint, begins};
use crate::time::{iso, minute};

/// Width and height of the drawing.
const SIZE: (f64, f64) = (1000.0, 200.0);
/// Largest number of dots in a line that can be distinguished.
const DOTS: usize = 90;
/// Largest number of lines that can be distinguished.
const LINES: usize = 6;
/// Largest number of commits of a line that have a mark; the newest ones.
const MARKS: usize = 12;
/// Number of characters of a commit in a label.
const SHORT: usize = 7;
/// Least distance of two labels on a wide screen, and on a phone.
const DISTANCES: (f64, f64) = (75.0, 220.0);
/// Length of a label on a wide screen, and on a phone.
const LENGTHS: (f64, f64) = (60.0, 165.0);

/// The totals of a branch in an environment and region.
#[derive(Debug)]
pub(super) struct History {
    pub(super) name: String,
    /// The totals, the oldest first.
    pub(super) points: Vec<TrendPoint>,
    pub(super) last_pull: Option<DateTime<Utc>>,
    /// Paths of the reports of its commits.
    pub(super) reports: HashMap<String, String>,
}

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
    pub(super) labels: Vec<CommitLabel>,
    pub(super) from: String,
    pub(super) to: String,
    /// The figures for the script.
    pub(super) values: ChartValues,
}

/// A line of a chart.
#[derive(Debug)]
pub(super) struct ChartLine {
    pub(super) name: String,
    pub(super) trace: Trace,
    /// Path of a mark where each of the newest commits began.
    pub(super) marks: String,
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
    /// Path of the report of its commit; only the last dot of a commit has one.
    pub(super) report: Option<String>,
}

/// The label of a commit above the place where it began.
#[derive(Debug, PartialEq)]
pub(super) struct CommitLabel {
    /// Place in percent of the width.
    pub(super) x: String,
    pub(super) commit: String,
    /// The number of its line.
    pub(super) line: usize,
    /// A phone has no room for it.
    pub(super) is_wide: bool,
    /// The label ends at its place, because it would not fit behind it.
    pub(super) is_end: bool,
}

/// The figures of a chart for the script.
#[derive(Debug, Serialize)]
pub(super) struct ChartValues {
    begin: String,
    end: String,
    lines: Vec<LineValues>,
}

/// The figures of a line, one for each dot.
#[derive(Debug, Serialize)]
struct LineValues {
    name: String,
    /// Places from 0 to 1000.
    x: Vec<f64>,
    percent: Vec<String>,
    commit: Vec<String>,
}

impl HistoryChart {
    /// Draws the first lines up to the last pull; `None` when no line has more than one total.
    pub(super) fn new(all: &[History]) -> Option<Self> {
        let with_points = || all.iter().filter(|line| !line.points.is_empty());
        let drawn: Vec<&History> = with_points().take(LINES).collect();
        let points = || drawn.iter().flat_map(|line| &line.points);
        if drawn.iter().all(|line| line.points.len() < 2) {
            return None;
        }
        let times = || points().map(|point| point.stored_at);
        let (begin, end) = (times().min()?, drawn.iter().filter_map(|line| line.end()).max()?);
        let (period, scale) = (Period { begin, end }, Scale::over(points()));
        let lines: Vec<ChartLine> = drawn.iter().map(|line| ChartLine::new(line, period, scale)).collect();
        let Scale { low, high } = scale;
        let tick = |percent: f64| (SIZE.1 * scale.depth(percent), format!("{percent:.0}%"));
        Some(Self {
            width: SIZE.0,
            height: SIZE.1,
            labels: labels(&drawn, period),
            values: ChartValues {
                begin: iso(begin),
                end: iso(end),
                lines: drawn.iter().map(|line| LineValues::new(line, period)).collect(),
            },
            lines,
            left_out: with_points().count().saturating_sub(LINES),
            ticks: [tick(high), tick(f64::midpoint(low, high)), tick(low)],
            from: begin.format("%Y-%m-%d").to_string(),
            to: end.format("%Y-%m-%d").to_string(),
        })
    }
}

impl History {
    /// Returns the time of the last pull or of the last total, whichever is later.
    fn end(&self) -> Option<DateTime<Utc>> {
        self.last_pull.max(self.points.last().map(|point| point.stored_at))
    }

    /// Returns the last total of each stretch of time, so that years of them fit.
    fn thinned(&self, period: Period) -> Vec<&TrendPoint> {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a small number")]
        let stretch = |point: &TrendPoint| (period.share(point.stored_at) * DOTS as f64) as i64;
        let next = self.points.iter().skip(1).map(Some).chain([None]);
        let is_last = |(point, next): &(&TrendPoint, Option<&TrendPoint>)| {
            next.is_none_or(|next| stretch(next) != stretch(point))
        };
        self.points.iter().zip(next).filter(is_last).map(|(point, _)| point).collect()
    }

    /// Returns the totals with which its newest commits began.
    fn newest_begins(&self) -> Vec<&TrendPoint> {
        let begins = begins(&self.points);
        begins[begins.len().saturating_sub(MARKS)..].to_vec()
    }
}

impl ChartLine {
    fn new(line: &History, period: Period, scale: Scale) -> Self {
        let History { name, points, reports, .. } = line;
        let x = |at| SIZE.0 * period.share(at);
        let y = |percent| SIZE.1 * scale.depth(percent);
        let thinned = line.thinned(period);
        let is_last_of_commit =
            |at: usize| !thinned[at + 1..].iter().any(|later| later.commit == thinned[at].commit);
        let dot = |(at, point): (usize, &&TrendPoint)| ChartDot {
            x: format!("{:.1}", x(point.stored_at)),
            y: format!("{:.1}", y(point.percent)),
            title: format!(
                "{} {} {}, {}",
                shown(point.percent),
                printable(name),
                printable(&point.commit),
                minute(point.stored_at)
            ),
            report: reports.get(&point.commit).filter(|_| is_last_of_commit(at)).cloned(),
        };
        let end = line.end().unwrap_or(period.end);
        let mark = |begin: &TrendPoint| format!("M{:.1} 0V{}", x(begin.stored_at), SIZE.1);
        Self {
            name: printable(name).into_owned(),
            trace: Trace::new(&thinned, end, x, y),
            marks: line.newest_begins().into_iter().map(mark).collect(),
            dots: thinned.iter().enumerate().map(dot).collect(),
            first: shown(points[0].percent),
            last: shown(points[points.len() - 1].percent),
        }
    }
}

impl LineValues {
    fn new(line: &History, period: Period) -> Self {
        let thinned = line.thinned(period);
        let tenths = |at| (SIZE.0 * period.share(at) * 10.0).round() / 10.0;
        Self {
            name: printable(&line.name).into_owned(),
            x: thinned.iter().map(|point| tenths(point.stored_at)).collect(),
            percent: thinned.iter().map(|point| shown(point.percent)).collect(),
            commit: thinned.iter().map(|point| printable(&point.commit).into_owned()).collect(),
        }
    }
}

/// Returns a label for each commit that has room for one, the newest first.
fn labels(lines: &[&History], period: Period) -> Vec<CommitLabel> {
    let of_line = |(number, line): (usize, &&History)| -> Vec<(f64, usize, String)> {
        let begins = line.newest_begins().into_iter().filter(|begin| !begin.commit.is_empty());
        let label = |begin: &TrendPoint| {
            let commit = printable(&begin.commit).chars().take(SHORT).collect();
            (SIZE.0 * period.share(begin.stored_at), number, commit)
        };
        begins.map(label).collect()
    };
    let mut begins: Vec<_> = lines.iter().enumerate().flat_map(of_line).collect();
    begins.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    let (mut labels, mut last, mut last_on_phone) = (Vec::new(), f64::INFINITY, f64::INFINITY);
    for (x, line, commit) in begins {
        if last - x < DISTANCES.0 {
            continue;
        }
        let is_wide = last_on_phone - x < DISTANCES.1;
        let is_end = x > SIZE.0 - LENGTHS.1;
        last = if is_end { x - LENGTHS.0 } else { x };
        if !is_wide {
            last_on_phone = if is_end { x - LENGTHS.1 } else { x };
        }
        labels.push(CommitLabel { x: format!("{:.1}", x / SIZE.0 * 100.0), commit, line, is_wide, is_end });
    }
    labels
}

pub(super) fn shown(percent: f64) -> String {
    percent_text(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::trend::testing::{at, hour};

    fn history(name: &str, points: Vec<TrendPoint>) -> History {
        History { name: name.to_owned(), points, last_pull: None, reports: HashMap::new() }
    }

    #[test]
    fn a_chart_lays_lines_over_one_time_and_whole_tens() {
        let lines = [
            history("prod master", vec![at(0, 41.0, "845820727e"), at(10, 58.0, "845820727e")]),
            history("idle", vec![]),
            history("fix", vec![at(5, 50.0, "77aa88bb99")]),
        ];
        let chart = HistoryChart::new(&lines).unwrap();
        let drawn: Vec<(&str, &str)> =
            chart.lines.iter().map(|line| (line.name.as_str(), line.trace.line.as_str())).collect();
        assert_eq!(drawn, [("prod master", "M0.0 190.0L1000.0 20.0"), ("fix", "M500.0 100.0")]);
        let ticks = chart.ticks.each_ref().map(|(y, label)| (*y, label.as_str()));
        assert_eq!(ticks, [(0.0, "60%"), (100.0, "50%"), (200.0, "40%")]);
        assert_eq!(chart.lines[0].dots[1].title, "58.0% prod master 845820727e, 2026-11-01 10:00 UTC");
        assert!(HistoryChart::new(&lines[1..]).is_none(), "one total is no history");
    }

    #[test]
    fn lines_go_on_to_their_last_pulls_and_commits_have_marks_and_labels() {
        let line = History {
            last_pull: Some(hour(20)),
            reports: HashMap::from([("bbbbbbbbbb".to_owned(), "shop/report.html".to_owned())]),
            ..history(
                "main",
                vec![at(0, 50.0, "aaaaaaaaaa"), at(10, 40.0, "bbbbbbbbbb"), at(15, 50.0, "bbbbbbbbbb")],
            )
        };
        let chart = HistoryChart::new(&[line]).unwrap();
        let [line] = &chart.lines[..] else { panic!("{chart:?}") };
        assert_eq!(line.trace.line, "M0.0 0.0H500.0M500.0 200.0L750.0 0.0");
        assert_eq!(line.trace.rest, "M750.0 0.0H1000.0");
        assert_eq!(line.marks, "M0.0 0V200M500.0 0V200");
        let reports: Vec<Option<&str>> = line.dots.iter().map(|dot| dot.report.as_deref()).collect();
        assert_eq!(reports, [None, None, Some("shop/report.html")], "the last dot of a commit leads there");
        let label = |x: &str, commit: &str| CommitLabel {
            x: x.into(),
            commit: commit.into(),
            line: 0,
            is_wide: false,
            is_end: false,
        };
        assert_eq!(chart.labels, [label("50.0", "bbbbbbb"), label("0.0", "aaaaaaa")]);
        assert_eq!(chart.values.lines[0].x, [0.0, 500.0, 750.0]);
    }

    #[test]
    fn labels_do_not_touch_each_other_and_a_phone_has_fewer() {
        let points = (0..20).map(|at_hour| at(at_hour, 50.0, &format!("{at_hour:010}"))).collect();
        let chart = HistoryChart::new(&[history("main", points)]).unwrap();
        let labels: Vec<(&str, bool)> = chart.labels.iter().map(|label| (&*label.x, label.is_wide)).collect();
        let wanted = [("100.0", false), ("84.2", true), ("68.4", true), ("57.9", false), ("47.4", true)];
        assert_eq!(labels, wanted, "of the newest {MARKS} commits");
    }

    #[test]
    fn full_coverage_has_room_below_it() {
        let line = history("m", vec![at(0, 100.0, "a"), at(1, 100.0, "a")]);
        let chart = HistoryChart::new(&[line]).unwrap();
        assert_eq!(chart.ticks.map(|(_, label)| label), ["100%", "95%", "90%"]);
    }

    #[test]
    fn years_of_totals_fit_and_the_newest_is_among_them() {
        let hours = (0..10_000).map(|hour| at(hour, f64::from(u8::try_from(hour % 100).unwrap()), "a"));
        let chart = HistoryChart::new(&[history("m", hours.collect())]).unwrap();
        assert_eq!(chart.lines[0].dots.len(), DOTS + 1);
        assert!(chart.lines[0].dots.last().unwrap().title.starts_with("99.0% "));
    }
}
