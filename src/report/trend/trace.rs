//! The path of totals over time.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::TrendPoint;

/// The path of totals. Each commit has a line of its own, because the counts of a new commit begin at zero, which would
/// look like a loss.
#[derive(Debug)]
pub(in crate::report) struct Trace {
    /// Path of the totals.
    pub(in crate::report) line: String,
    /// Path from the last change to the last pull; empty if there is none.
    pub(in crate::report) rest: String,
    /// Place of the last change.
    pub(in crate::report) end: (String, String),
}

impl Trace {
    /// Draws totals, at least one and the oldest first, up to `end`. `x` and `y` are the places of times and percentages.
    pub(in crate::report) fn new(
        points: &[&TrendPoint],
        end: DateTime<Utc>,
        x: impl Fn(DateTime<Utc>) -> f64,
        y: impl Fn(f64) -> f64,
    ) -> Self {
        let mut line = String::new();
        let mut commit = None;
        let mut last = Default::default();
        for point in points {
            let (x, y) = (format!("{:.1}", x(point.stored_at)), format!("{:.1}", y(point.percent)));
            let _ = match commit {
                Some(before) if before == &point.commit => write!(line, "L{x} {y}"),
                // The total of the commit before stayed until this total.
                Some(_) => write!(line, "H{x}M{x} {y}"),
                None => write!(line, "M{x} {y}"),
            };
            commit = Some(&point.commit);
            last = (x, y);
        }
        let rest = match format!("{:.1}", x(end)) {
            end if end == last.0 => String::new(),
            end => format!("M{} {}H{end}", last.0, last.1),
        };
        Self { line, rest, end: last }
    }
}

/// Returns the totals with which the commits began, each of which was not there before.
pub(in crate::report) fn begins(points: &[TrendPoint]) -> Vec<&TrendPoint> {
    let mut seen = BTreeSet::new();
    points.iter().filter(|point| seen.insert(&point.commit)).collect()
}
