//! The labels of commits above the chart of an app: in two rows, so that they do not touch each other.

use std::cmp::Ordering;

/// Height of a row of labels in pixels.
const ROW: usize = 13;
/// Number of rows.
const ROWS: usize = 2;
/// Width of the chart in its own units.
const WIDTH: f64 = 1000.0;
/// Length of a label with the space after it, on screens of each kind from a phone to a large monitor: 76 pixels of the
/// narrowest chart there. The style of a page hides the labels of wider screens.
const LENGTHS: [f64; 4] = [280.0, 136.0, 77.0, 45.0];
/// Largest distance of two places of a commit that have one label.
const SAME: f64 = 32.0;

/// Places where the commits of lines began.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CommitBegin {
    /// Place from 0 to 1000.
    pub(super) x: f64,
    /// Short form of the commit.
    pub(super) commit: String,
    /// The number of its line.
    pub(super) line: usize,
}

/// The label of a commit above the place where it began.
#[derive(Debug, PartialEq)]
pub(super) struct CommitLabel {
    pub(super) begin: CommitBegin,
    /// The row in which it stands, from the chart upwards.
    row: usize,
    /// The narrowest kind of screen that has room for it: 0 is a phone.
    pub(super) screen: usize,
    /// The label ends at its place, because it would not fit behind it.
    pub(super) is_end: bool,
}

/// The labels of a chart.
#[derive(Debug)]
pub(super) struct CommitLabels {
    pub(super) all: Vec<CommitLabel>,
    rows: usize,
}

impl CommitLabels {
    /// Gives a label to each commit that has room for one. Labels of narrower screens are placed first, and of these the
    /// newest. A commit that began at one place in several lines has one label.
    pub(super) fn new(mut begins: Vec<CommitBegin>) -> Self {
        begins.sort_by(|a, b| b.x.total_cmp(&a.x).then(a.line.cmp(&b.line)));
        let mut labels = Self { all: Vec::new(), rows: 0 };
        for screen in 0..LENGTHS.len() {
            for begin in &begins {
                if labels.of(begin, SAME).is_none()
                    && let Some(label) = labels.placed(begin, screen)
                {
                    labels.rows = labels.rows.max(label.row + 1);
                    labels.all.push(label);
                }
            }
        }
        labels
    }

    /// Returns the label of a commit in the first free place: behind the beginning of the commit, else before it.
    fn placed(&self, begin: &CommitBegin, screen: usize) -> Option<CommitLabel> {
        let label = |is_end| move |row| CommitLabel { begin: begin.clone(), row, screen, is_end };
        let mut places = [false, true].into_iter().flat_map(|is_end| (0..ROWS).map(label(is_end)));
        places.find(|label| {
            let (from, to) = label.extent(screen);
            0.0 <= from && to <= WIDTH && self.all.iter().all(|other| !label.touches(other, screen))
        })
    }

    /// Returns the label of a commit, if one is at its place or at most so far away.
    pub(super) fn of(&self, begin: &CommitBegin, distance: f64) -> Option<&CommitLabel> {
        let is_its = |label: &&CommitLabel| {
            label.begin.commit == begin.commit && (label.begin.x - begin.x).abs() <= distance
        };
        self.all.iter().find(is_its)
    }

    /// Returns the height of all labels in pixels.
    pub(super) fn height(&self) -> usize {
        self.rows * ROW + 2
    }

    /// Returns the height of the base line of a label, from the top.
    pub(super) fn y(&self, label: &CommitLabel) -> usize {
        (self.rows - label.row) * ROW - 2
    }
}

impl CommitLabel {
    /// Returns its place in percent of the width.
    pub(super) fn left(&self) -> String {
        format!("{:.1}", self.begin.x / WIDTH * 100.0)
    }

    /// Returns where it begins and ends on a kind of screen.
    fn extent(&self, screen: usize) -> (f64, f64) {
        let (x, length) = (self.begin.x, LENGTHS[screen]);
        if self.is_end { (x - length, x) } else { (x, x + length) }
    }

    /// Tells whether it touches another label, or one the line that leads to the other.
    fn touches(&self, other: &Self, screen: usize) -> bool {
        let ((from, to), (from_other, to_other)) = (self.extent(screen), other.extent(screen));
        match self.row.cmp(&other.row) {
            Ordering::Equal => from < to_other && from_other < to,
            Ordering::Greater => from_other < self.begin.x && self.begin.x < to_other,
            Ordering::Less => from < other.begin.x && other.begin.x < to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(x: f64, commit: &str, line: usize) -> CommitBegin {
        CommitBegin { x, commit: commit.to_owned(), line }
    }

    fn shown(labels: &CommitLabels) -> Vec<(&str, f64, usize, usize, bool)> {
        let shown = |label: &CommitLabel| (label.begin.x, label.row, label.screen, label.is_end);
        let name = |label| {
            let (x, row, screen, is_end) = shown(label);
            (label.begin.commit.as_str(), x, row, screen, is_end)
        };
        labels.all.iter().map(name).collect()
    }

    #[test]
    fn labels_that_would_touch_stand_apart_and_wider_screens_have_more() {
        let labels = CommitLabels::new(vec![
            begin(0.0, "a", 0),
            begin(300.0, "b", 0),
            begin(400.0, "c", 1),
            begin(450.0, "d", 0),
            begin(1000.0, "e", 0),
        ]);
        assert_eq!(
            shown(&labels),
            [
                ("e", 1000.0, 0, 0, true),
                ("d", 450.0, 1, 0, false),
                ("c", 400.0, 0, 0, true),
                ("a", 0.0, 1, 0, false),
                ("b", 300.0, 1, 2, false),
            ],
            "on a phone, d would touch e in the lower row; c stands before its place, because the line of d crosses the row \
             behind it; the line of b crosses c but on a screen where c is short"
        );
        assert_eq!((labels.height(), labels.y(&labels.all[0]), labels.y(&labels.all[1])), (28, 24, 11));
    }

    #[test]
    fn commits_of_one_moment_stand_around_their_place() {
        let labels =
            CommitLabels::new(["a", "b", "c", "d", "e"].map(|commit| begin(500.0, commit, 0)).to_vec());
        let places: Vec<(usize, bool)> = labels.all.iter().map(|label| (label.row, label.is_end)).collect();
        assert_eq!(places, [(0, false), (1, false), (0, true), (1, true)], "there is no room for a fifth");
    }

    #[test]
    fn a_commit_of_several_lines_has_one_label_where_it_began_at_one_time() {
        let labels =
            CommitLabels::new(vec![begin(100.0, "a", 1), begin(102.0, "a", 0), begin(600.0, "a", 2)]);
        assert_eq!(shown(&labels), [("a", 600.0, 0, 0, false), ("a", 102.0, 0, 0, false)]);
        assert_eq!(labels.height(), 15);
        assert!(labels.of(&begin(104.0, "a", 1), 4.0).is_some());
        assert!(labels.of(&begin(110.0, "a", 1), 4.0).is_none());
        assert!(labels.of(&begin(102.0, "b", 1), 4.0).is_none());
        assert_eq!(CommitLabels::new(Vec::new()).height(), 2);
    }
}
