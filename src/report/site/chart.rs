//! The large chart of an app: the totals of its environments and branches over time, on one scale.
//!
//! A page stretches a chart, but lines must keep their width and dots their shape. So dots are paths without length,
//! and the labels of axes and commits are not part of the stretched drawing.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::labels::{CommitBegin, CommitLabels};
use crate::coverage::percent_text;
use crate::names::printable;
use crate::phrases::short_commit;
use crate::report::trend::{Period, Scale, Trace, TrendPoint, begins};
use crate::time::minute;

/// Width and height of the drawing.
const SIZE: (f64, f64) = (1000.0, 200.0);
/// Largest number of dots in a line that can be distinguished.
const DOTS: usize = 90;
/// Largest number of lines that can be distinguished.
const LINES: usize = 6;
/// Largest number of commits of a line that have a mark; the newest ones.
const MARKS: usize = 12;
/// Largest difference of two places that look like one.
const NEAR: f64 = 4.0;
/// The time that a chart spans at most if its axis has the time of day.
const HOURS: TimeDelta = TimeDelta::days(3);
/// Height of the mark of a commit without a label.
const TICK: f64 = 8.0;

/// The totals of a branch in an environment and region.
#[derive(Debug)]
pub(super) struct History {
    pub(super) name: String,
    /// The totals, the oldest first.
    pub(super) points: Vec<TrendPoint>,
    pub(super) last_pull: Option<DateTime<Utc>>,
    /// Addresses of the reports of its commits.
    pub(super) reports: HashMap<String, String>,
    /// Addresses of the rows of its commits in the tables of the page.
    pub(super) rows: HashMap<String, String>,
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
    pub(super) labels: CommitLabels,
    /// Labels of the axis of time: its begin, its middle and its end.
    pub(super) times: [String; 3],
    /// The labels have the time of day, since the chart is of a few days.
    pub(super) has_hours: bool,
    /// The figures for the script.
    pub(super) values: ChartValues,
}

/// A line of a chart.
#[derive(Debug)]
pub(super) struct ChartLine {
    pub(super) name: String,
    pub(super) trace: Trace,
    /// Paths of a line where each commit with a label began, each with the narrowest kind of screen that has room for it.
    pub(super) marks: Vec<(usize, String)>,
    /// Path of a tick where each of the newest commits began.
    pub(super) ticks: String,
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
    /// Address of the report of its commit, or else of its row in a table.
    pub(super) address: Option<String>,
    /// The address is that of a report whose total it is: the last one of its commit.
    pub(super) is_reported: bool,
}

/// The figures of a chart for the script.
#[derive(Debug, Serialize)]
pub(super) struct ChartValues {
    lines: Vec<LineValues>,
}

/// The figures of a line, one for each dot.
#[derive(Debug, Serialize)]
struct LineValues {
    name: String,
    /// Places from 0 to 1000.
    x: Vec<f64>,
    /// Places from 0 at the top to 200.
    y: Vec<f64>,
    time: Vec<String>,
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
        let labels = CommitLabels::new(begins_of(&drawn, period));
        let line =
            |(number, line): (usize, &&History)| ChartLine::new((number, line), period, scale, &labels);
        let lines: Vec<ChartLine> = drawn.iter().enumerate().map(line).collect();
        let Scale { low, high } = scale;
        let tick = |percent: f64| (SIZE.1 * scale.depth(percent), format!("{percent:.0}%"));
        let has_hours = end - begin < HOURS;
        let format = if has_hours { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d" };
        let middle = begin + (end - begin) / 2;
        Some(Self {
            width: SIZE.0,
            height: SIZE.1,
            labels,
            values: ChartValues {
                lines: drawn.iter().map(|line| LineValues::new(line, period, scale)).collect(),
            },
            lines,
            left_out: with_points().count().saturating_sub(LINES),
            ticks: [tick(high), tick(f64::midpoint(low, high)), tick(low)],
            times: [begin, middle, end].map(|time| time.format(format).to_string()),
            has_hours,
        })
    }
}

impl History {
    /// Returns the time of the last pull or of the last total, whichever is later.
    fn end(&self) -> Option<DateTime<Utc>> {
        self.last_pull.max(self.points.last().map(|point| point.stored_at))
    }

    /// Returns the last total of each stretch of time, so that years of them fit, and that of each commit.
    fn thinned(&self, period: Period) -> Vec<&TrendPoint> {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a small number")]
        let stretch = |point: &TrendPoint| (period.share(point.stored_at) * DOTS as f64) as i64;
        let next = self.points.iter().skip(1).map(Some).chain([None]);
        let is_last = |(point, next): &(&TrendPoint, Option<&TrendPoint>)| {
            next.is_none_or(|next| stretch(next) != stretch(point) || next.commit != point.commit)
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
    fn new((number, line): (usize, &History), period: Period, scale: Scale, labels: &CommitLabels) -> Self {
        let History { name, points, reports, rows, .. } = line;
        let x = |at| SIZE.0 * period.share(at);
        let y = |percent| SIZE.1 * scale.depth(percent);
        let thinned = line.thinned(period);
        let is_last_of_commit =
            |at: usize| !thinned[at + 1..].iter().any(|later| later.commit == thinned[at].commit);
        let dot = |(at, point): (usize, &&TrendPoint)| ChartDot {
            x: format!("{:.1}", x(point.stored_at)),
            y: format!("{:.1}", y(point.percent)),
            title: format!(
                "{} {} {}, {}{}",
                shown(point.percent),
                printable(name),
                printable(&short_commit(&point.commit)),
                minute(point.stored_at),
                if reports.contains_key(&point.commit) { "" } else { " (no report)" }
            ),
            address: reports.get(&point.commit).or(rows.get(&point.commit)).cloned(),
            is_reported: reports.contains_key(&point.commit) && is_last_of_commit(at),
        };
        let end = line.end().unwrap_or(period.end);
        let begins = begins_of_line(number, line, period);
        let path = |to: f64, is_wanted: &dyn Fn(&CommitBegin) -> bool| {
            begins.iter().filter(|begin| is_wanted(begin)).fold(String::new(), |mut path, begin| {
                let _ = write!(path, "M{:.1} 0V{to}", begin.x);
                path
            })
        };
        let screen = |begin: &CommitBegin| labels.of(begin, NEAR).map(|label| label.screen);
        let screens: BTreeSet<usize> = begins.iter().filter_map(screen).collect();
        let marks = |of: usize| (of, path(SIZE.1, &|begin| screen(begin) == Some(of)));
        Self {
            name: printable(name).into_owned(),
            trace: Trace::new(&thinned, end, x, y),
            marks: screens.into_iter().map(marks).collect(),
            ticks: path(TICK, &|_| true),
            dots: thinned.iter().enumerate().map(dot).collect(),
            first: shown(points[0].percent),
            last: shown(points[points.len() - 1].percent),
        }
    }
}

impl LineValues {
    fn new(line: &History, period: Period, scale: Scale) -> Self {
        let thinned = line.thinned(period);
        let tenths = |place: f64| (place * 10.0).round() / 10.0;
        Self {
            name: printable(&line.name).into_owned(),
            x: thinned.iter().map(|point| tenths(SIZE.0 * period.share(point.stored_at))).collect(),
            y: thinned.iter().map(|point| tenths(SIZE.1 * scale.depth(point.percent))).collect(),
            time: thinned.iter().map(|point| minute(point.stored_at)).collect(),
            percent: thinned.iter().map(|point| shown(point.percent)).collect(),
            commit: thinned
                .iter()
                .map(|point| printable(&short_commit(&point.commit)).into_owned())
                .collect(),
        }
    }
}

fn begins_of(lines: &[&History], period: Period) -> Vec<CommitBegin> {
    let of_line = |(number, line): (usize, &&History)| begins_of_line(number, line, period);
    lines.iter().enumerate().flat_map(of_line).collect()
}

/// Returns where the newest commits of a line began.
fn begins_of_line(number: usize, line: &History, period: Period) -> Vec<CommitBegin> {
    let begins = line.newest_begins().into_iter().filter(|begin| !begin.commit.is_empty());
    let begin = |begin: &TrendPoint| CommitBegin {
        x: SIZE.0 * period.share(begin.stored_at),
        commit: printable(&short_commit(&begin.commit)).into_owned(),
        line: number,
    };
    begins.map(begin).collect()
}

pub(super) fn shown(percent: f64) -> String {
    percent_text(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::trend::testing::{at, hour};

    fn history(name: &str, points: Vec<TrendPoint>) -> History {
        History {
            name: name.to_owned(),
            points,
            last_pull: None,
            reports: HashMap::new(),
            rows: HashMap::new(),
        }
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
        assert_eq!(
            chart.lines[0].dots[1].title,
            "58.0% prod master 845820727e, 2026-11-01 10:00 UTC (no report)"
        );
        assert!(HistoryChart::new(&lines[1..]).is_none(), "one total is no history");
    }

    #[test]
    fn lines_go_on_to_their_last_pulls_and_commits_have_marks_and_labels() {
        let line = History {
            last_pull: Some(hour(20)),
            reports: HashMap::from([("bbbbbbbbbb".to_owned(), "../shop/report.html".to_owned())]),
            rows: ["aaaaaaaaaa", "bbbbbbbbbb"].map(|commit| (commit.to_owned(), format!("#{commit}"))).into(),
            ..history(
                "main",
                vec![at(0, 50.0, "aaaaaaaaaa"), at(10, 40.0, "bbbbbbbbbb"), at(15, 50.0, "bbbbbbbbbb")],
            )
        };
        let chart = HistoryChart::new(&[line]).unwrap();
        let [line] = &chart.lines[..] else { panic!("{chart:?}") };
        assert_eq!(line.trace.line, "M0.0 0.0H500.0M500.0 200.0L750.0 0.0");
        assert_eq!(line.trace.rest, "M750.0 0.0H1000.0");
        assert_eq!(line.marks, [(0, "M0.0 0V200M500.0 0V200".to_owned())]);
        assert_eq!(line.ticks, "M0.0 0V8M500.0 0V8");
        let dots: Vec<(&str, bool)> =
            line.dots.iter().map(|dot| (dot.address.as_deref().unwrap(), dot.is_reported)).collect();
        let report = "../shop/report.html";
        assert_eq!(dots, [("#aaaaaaaaaa", false), (report, false), (report, true)]);
        assert_eq!(chart.values.lines[0].x, [0.0, 500.0, 750.0]);
    }

    #[test]
    fn a_commit_without_room_for_its_label_has_a_tick_and_no_line() {
        let mut points: Vec<TrendPoint> =
            (0..12).map(|minute| at(0, 50.0, &format!("{minute:010}"))).collect();
        points.push(at(9, 50.0, "0000000011"));
        let chart = HistoryChart::new(&[history("main", points)]).unwrap();
        let line = &chart.lines[0];
        let marks = |path: &str| path.matches('M').count();
        let lines: usize = line.marks.iter().map(|(_, path)| marks(path)).sum();
        assert_eq!((lines, marks(&line.ticks)), (chart.labels.all.len(), 12));
        assert_eq!(lines, 2, "two rows of labels behind the edge of the chart");
    }

    #[test]
    fn the_axis_of_a_few_days_has_the_time_of_day() {
        let times = |hours| {
            let line = history("m", vec![at(0, 50.0, "a"), at(hours, 60.0, "a")]);
            HistoryChart::new(&[line]).unwrap().times
        };
        assert_eq!(times(3), ["2026-11-01 00:00", "2026-11-01 01:30", "2026-11-01 03:00"]);
        assert_eq!(times(71)[2], "2026-11-03 23:00");
        assert_eq!(times(72), ["2026-11-01", "2026-11-02", "2026-11-04"]);
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
