//! The small line in a row of a table: the trend of a branch.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::chart::shown;
use crate::report::trend::{Period, Scale, Trace, TrendPoint, begins};

/// Width and height of the drawing, and the margin at its edges.
const SIZE: (f64, f64, f64) = (96.0, 24.0, 3.0);
/// Largest number of totals in it.
const POINTS: usize = 40;

/// A small line over time.
#[derive(Debug)]
pub(super) struct Sparkline {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) trace: Trace,
    /// Path of a mark where each commit after the first began.
    pub(super) marks: String,
    first: String,
    last: String,
    totals: usize,
    commits: usize,
}

impl Sparkline {
    /// Draws the newest totals up to the last pull; `None` without a total.
    pub(super) fn new(points: &[TrendPoint], last_pull: Option<DateTime<Utc>>) -> Option<Self> {
        let points = &points[points.len().saturating_sub(POINTS)..];
        let (first, last) = (points.first()?, points.last()?);
        let scale = Scale::over(points.iter());
        let end = last_pull.map_or(last.stored_at, |pull| pull.max(last.stored_at));
        let period = Period { begin: first.stored_at, end };
        let (width, height, edge) = SIZE;
        let x = |at| edge + (width - 2.0 * edge) * period.share(at);
        let y = |percent| edge + (height - 2.0 * edge) * scale.depth(percent);
        let commits = begins(points);
        let mut marks = String::new();
        for begin in &commits[1..] {
            let _ = write!(marks, "M{:.1} 0V{height}", x(begin.stored_at));
        }
        Some(Self {
            width,
            height,
            trace: Trace::new(&points.iter().collect::<Vec<_>>(), end, x, y),
            marks,
            first: shown(first.percent),
            last: shown(last.percent),
            totals: points.len(),
            commits: commits.len(),
        })
    }

    /// Returns what the drawing shows, in words.
    pub(super) fn words(&self) -> String {
        let Self { first, last, totals, commits, .. } = self;
        let commits = match commits {
            1 => "1 commit".to_owned(),
            commits => format!("{commits} commits"),
        };
        match totals {
            1 => format!("Trend: one total, {last}"),
            _ => format!("Trend of {totals} totals of {commits}, from {first} to {last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::trend::testing::{at, hour};

    #[test]
    fn a_small_change_stays_small() {
        let spark = Sparkline::new(&[at(0, 40.0, "a"), at(1, 40.05, "a")], None).unwrap();
        assert_eq!(spark.trace.line, "M3.0 21.0L93.0 20.9", "of 18 units, as of ten points");
        let spark = Sparkline::new(&[at(0, 10.0, "a"), at(1, 50.0, "a"), at(3, 30.0, "a")], None).unwrap();
        assert_eq!(spark.trace.line, "M3.0 21.0L33.0 3.0L93.0 12.0");
        assert_eq!(spark.words(), "Trend of 3 totals of 1 commit, from 10.0% to 30.0%");
    }

    #[test]
    fn one_total_is_a_dot_that_goes_on_to_the_last_pull() {
        let spark = Sparkline::new(&[at(0, 40.0, "a")], Some(hour(9))).unwrap();
        assert_eq!((&*spark.trace.line, &*spark.trace.rest), ("M3.0 21.0", "M3.0 21.0H93.0"));
        assert_eq!(spark.trace.end, ("3.0".to_owned(), "21.0".to_owned()));
        assert_eq!(spark.words(), "Trend: one total, 40.0%");
        assert_eq!(Sparkline::new(&[at(0, 40.0, "a")], None).unwrap().trace.end.0, "48.0");
        assert!(Sparkline::new(&[], Some(hour(9))).is_none());
    }

    #[test]
    fn the_line_goes_on_to_the_last_pull() {
        let points = [at(0, 40.0, "a"), at(1, 50.0, "a")];
        let spark = Sparkline::new(&points, Some(hour(3))).unwrap();
        assert_eq!((&*spark.trace.line, &*spark.trace.rest), ("M3.0 21.0L33.0 3.0", "M33.0 3.0H93.0"));
        assert_eq!(spark.trace.end, ("33.0".to_owned(), "3.0".to_owned()));
        for last_pull in [None, Some(hour(0)), Some(hour(1))] {
            assert_eq!(Sparkline::new(&points, last_pull).unwrap().trace.rest, "");
        }
    }

    #[test]
    fn a_commit_begins_with_a_mark_and_no_fall() {
        let points = [at(0, 50.0, "a"), at(1, 60.0, "a"), at(2, 40.0, "b"), at(3, 50.0, "b")];
        let spark = Sparkline::new(&points, None).unwrap();
        assert_eq!(spark.trace.line, "M3.0 12.0L33.0 3.0H63.0M63.0 21.0L93.0 12.0");
        assert_eq!(spark.marks, "M63.0 0V24");
        assert_eq!(spark.words(), "Trend of 4 totals of 2 commits, from 50.0% to 50.0%");
        let beside = [at(0, 50.0, "a"), at(1, 60.0, "b"), at(2, 50.0, "a")];
        assert_eq!(Sparkline::new(&beside, None).unwrap().marks, "M48.0 0V24", "it had begun before");
    }
}
