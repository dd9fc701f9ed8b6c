//! The labels of commits above the chart of an app: in two rows, so that they do not touch each other.

/// Height of a row of labels in pixels.
const ROW: usize = 13;
/// Number of rows.
const ROWS: usize = 2;
/// Width of the chart in its own units.
const WIDTH: f64 = 1000.0;
/// Length of a label with the space after it: on the narrowest screen that is no phone, and on a phone.
const LENGTHS: Lengths = Lengths { wide: 130.0, phone: 250.0 };

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
    /// A phone has no room for it.
    pub(super) is_wide: bool,
    /// The label ends at its place, because it would not fit behind it.
    pub(super) is_end: bool,
}

/// The labels of a chart.
#[derive(Debug)]
pub(super) struct CommitLabels {
    pub(super) all: Vec<CommitLabel>,
    rows: usize,
}

#[derive(Clone, Copy)]
struct Lengths {
    wide: f64,
    phone: f64,
}

/// The places up to which each row is free, from the left.
#[derive(Clone, Copy)]
struct Free([f64; ROWS]);

impl Free {
    fn new() -> Self {
        Self([f64::INFINITY; ROWS])
    }

    /// Returns the lowest row with room for a label.
    fn row(&self, label: (f64, f64)) -> Option<usize> {
        self.0.iter().position(|free| label.1 <= *free)
    }

    /// Takes room in a row for a label. Rows below have none for labels across the line that leads to it.
    fn take(&mut self, row: usize, (from, _): (f64, f64)) {
        for free in &mut self.0[..=row] {
            *free = free.min(from);
        }
    }
}

/// Returns where a label begins and ends.
fn extent(x: f64, is_end: bool, length: f64) -> (f64, f64) {
    if is_end { (x - length, x) } else { (x, x + length) }
}

impl CommitLabels {
    /// Gives a label to each commit that has room for one, the newest first. A commit that began at one place in several
    /// lines has one label.
    pub(super) fn new(mut begins: Vec<CommitBegin>) -> Self {
        begins.sort_by(|a, b| b.x.total_cmp(&a.x).then(a.line.cmp(&b.line)));
        let mut labels = Self { all: Vec::new(), rows: 0 };
        let (mut free, mut free_on_phone) = (Free::new(), Free::new());
        for begin in begins {
            if labels.of(&begin, LENGTHS.wide / 4.0).is_some() {
                continue;
            }
            // The edge of the chart is that of a phone, because a label must have one direction on all screens.
            let is_end = begin.x > WIDTH - LENGTHS.phone;
            let wide = extent(begin.x, is_end, LENGTHS.wide);
            let Some(row) = free.row(wide) else { continue };
            free.take(row, wide);
            let phone = extent(begin.x, is_end, LENGTHS.phone);
            let is_wide = free_on_phone.0[row] < phone.1;
            if !is_wide {
                free_on_phone.take(row, phone);
            }
            labels.rows = labels.rows.max(row + 1);
            labels.all.push(CommitLabel { begin, row, is_wide, is_end });
        }
        labels
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(x: f64, commit: &str, line: usize) -> CommitBegin {
        CommitBegin { x, commit: commit.to_owned(), line }
    }

    fn shown(labels: &CommitLabels) -> Vec<(&str, f64, usize, bool, bool)> {
        let shown = |label: &'_ CommitLabel| (label.begin.x, label.row, label.is_wide, label.is_end);
        let name = |label| {
            let (x, row, is_wide, is_end) = shown(label);
            (label.begin.commit.as_str(), x, row, is_wide, is_end)
        };
        labels.all.iter().map(name).collect()
    }

    #[test]
    fn labels_that_would_touch_stand_in_two_rows_and_a_phone_has_fewer() {
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
                ("e", 1000.0, 0, false, true),
                ("d", 450.0, 0, false, false),
                ("c", 400.0, 1, false, false),
                ("a", 0.0, 0, false, false),
            ],
            "the line that leads to c would cross b in the lower row, and c itself in the upper one"
        );
        assert_eq!((labels.height(), labels.y(&labels.all[0]), labels.y(&labels.all[2])), (28, 24, 11));
    }

    #[test]
    fn a_commit_of_several_lines_has_one_label_where_it_began_at_one_time() {
        let labels =
            CommitLabels::new(vec![begin(100.0, "a", 1), begin(102.0, "a", 0), begin(600.0, "a", 2)]);
        assert_eq!(shown(&labels), [("a", 600.0, 0, false, false), ("a", 102.0, 0, false, false)]);
        assert_eq!(labels.height(), 15);
        assert!(labels.of(&begin(104.0, "a", 1), 4.0).is_some());
        assert!(labels.of(&begin(110.0, "a", 1), 4.0).is_none());
        assert!(labels.of(&begin(102.0, "b", 1), 4.0).is_none());
        assert_eq!(CommitLabels::new(Vec::new()).height(), 2);
    }
}
