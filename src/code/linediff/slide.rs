//! The places of runs of changed lines. A run that begins or ends with the same lines as the text around it can be at
//! several places. It is moved beside a change of the other text, or else to the place where it reads best.

use std::cmp::Ordering;
use std::ops::Range;

/// Moves the marked runs of one text; those of the other text stay.
pub(super) fn slide_runs(lines: &[&[u8]], marks: &mut [bool], others: &[bool]) {
    let mut run = LineRun::first(marks);
    let mut other = LineRun::first(others);
    loop {
        if !run.is_empty() {
            slide_run(lines, marks, &mut run, others, &mut other);
        }
        if !run.go_on(marks) {
            return;
        }
        let is_there = other.go_on(others);
        debug_assert!(is_there, "the unmarked lines of both are the same");
    }
}

/// A run of marked lines, which may be empty, between two unmarked ones.
struct LineRun {
    lines: Range<usize>,
}

impl LineRun {
    fn first(marks: &[bool]) -> Self {
        Self { lines: 0..end_of(marks, 0) }
    }

    fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Goes to the next run; `false` after the last.
    fn go_on(&mut self, marks: &[bool]) -> bool {
        if self.lines.end == marks.len() {
            return false;
        }
        let start = self.lines.end + 1;
        self.lines = start..end_of(marks, start);
        true
    }

    fn go_back(&mut self, marks: &[bool]) {
        let end = self.lines.start.checked_sub(1).expect("the unmarked lines of both are the same");
        self.lines = start_of(marks, end)..end;
    }

    /// Moves the run one line up, and takes in a run that it meets.
    fn slide_up(&mut self, lines: &[&[u8]], marks: &mut [bool]) -> bool {
        let Range { start, end } = self.lines;
        if start == 0 || lines[start - 1] != lines[end - 1] {
            return false;
        }
        marks[start - 1] = true;
        marks[end - 1] = false;
        self.lines = start_of(marks, start - 1)..end - 1;
        true
    }

    /// Moves the run one line down, and takes in a run that it meets.
    fn slide_down(&mut self, lines: &[&[u8]], marks: &mut [bool]) -> bool {
        let Range { start, end } = self.lines;
        if end == lines.len() || lines[start] != lines[end] {
            return false;
        }
        marks[start] = false;
        marks[end] = true;
        self.lines = start + 1..end_of(marks, end + 1);
        true
    }
}

fn end_of(marks: &[bool], start: usize) -> usize {
    start + marks[start..].iter().take_while(|&&mark| mark).count()
}

fn start_of(marks: &[bool], end: usize) -> usize {
    end - marks[..end].iter().rev().take_while(|&&mark| mark).count()
}

fn slide_run(lines: &[&[u8]], marks: &mut [bool], run: &mut LineRun, others: &[bool], other: &mut LineRun) {
    // Runs that meet become one, which may be able to go further.
    let (highest_end, beside_other) = loop {
        let len = run.lines.len();
        while run.slide_up(lines, marks) {
            other.go_back(others);
        }
        let highest_end = run.lines.end;
        let mut beside_other = !other.is_empty();
        while run.slide_down(lines, marks) {
            other.go_on(others);
            beside_other |= !other.is_empty();
        }
        if run.lines.len() == len {
            break (highest_end, beside_other);
        }
    };
    if run.lines.end == highest_end {
        return;
    }
    if beside_other {
        // The lowest place beside something that changed there, too.
        while other.is_empty() {
            run.slide_up(lines, marks);
            other.go_back(others);
        }
        return;
    }
    let end = best_end(lines, run, highest_end);
    while run.lines.end > end {
        run.slide_up(lines, marks);
        other.go_back(others);
    }
}

/// Returns the end at which a run reads best, from `highest_end` down to its own end; of equally good ones, the lowest.
fn best_end(lines: &[&[u8]], run: &LineRun, highest_end: usize) -> usize {
    const FURTHEST: usize = 100;
    let Range { end: lowest_end, .. } = run.lines;
    let len = run.lines.len();
    let from = highest_end.max(lowest_end.saturating_sub(len + 1)).max(lowest_end.saturating_sub(FURTHEST));
    let score = |end: usize| Score::of_cut(lines, end).and(Score::of_cut(lines, end - len));
    let mut best = (from, score(from));
    for end in from + 1..=lowest_end {
        let score = score(end);
        if score.is_as_good_as(best.1) {
            best = (end, score);
        }
    }
    best.0
}

/// Badness of a place for the beginning or the end of a run: indentation first, then the lines around. The weights are
/// git's, taken from measurements (<https://github.com/mhagger/diff-slider-tools>).
#[derive(Clone, Copy)]
struct Score {
    indent: i32,
    penalty: i32,
}

impl Score {
    /// Rates a cut before a line, which may be the one after the last.
    fn of_cut(lines: &[&[u8]], before: usize) -> Self {
        let own = lines.get(before).and_then(|line| indent(line));
        let (blank_above, above) = beyond_blank(&mut lines[..before].iter().rev());
        let (blank_below, below) = beyond_blank(&mut lines.iter().skip(before + 1));
        let is_at_end = before >= lines.len();
        let blank_from_here = if own.is_some() { 0 } else { 1 + blank_below };
        let has_blank = blank_above + blank_from_here > 0;

        let mut penalty = -30 * (blank_above + blank_from_here) + 6 * blank_from_here;
        if above.is_none() && blank_above == 0 {
            penalty += 1;
        }
        if is_at_end {
            penalty += 21;
        }
        let here = own.or(below);
        let by_blank = |with: i32, without: i32| if has_blank { with } else { without };
        if let (Some(here), Some(above)) = (here, above) {
            penalty += match here.cmp(&above) {
                Ordering::Greater => by_blank(10, -4),
                Ordering::Equal => 0,
                Ordering::Less if below.is_some_and(|below| below > here) => by_blank(17, 24),
                Ordering::Less => by_blank(17, 23),
            };
        }
        Self { indent: here.unwrap_or(-1), penalty }
    }

    fn and(self, other: Self) -> Self {
        Self { indent: self.indent + other.indent, penalty: self.penalty + other.penalty }
    }

    fn is_as_good_as(self, other: Self) -> bool {
        const OF_INDENT: i32 = 60;
        OF_INDENT * (self.indent - other.indent).signum() + self.penalty - other.penalty <= 0
    }
}

/// Returns the number of blank lines, and the indentation of the first line that is not blank.
fn beyond_blank<'l>(lines: &mut dyn Iterator<Item = &'l &'l [u8]>) -> (i32, Option<i32>) {
    const MOST: i32 = 20;
    let mut blank = 0;
    for line in lines {
        if let Some(indent) = indent(line) {
            return (blank, Some(indent));
        }
        blank += 1;
        if blank == MOST {
            return (blank, Some(0));
        }
    }
    (blank, None)
}

/// Returns the indentation of a line in columns; `None` for a blank line.
fn indent(line: &[u8]) -> Option<i32> {
    const MOST: i32 = 200;
    let mut columns = 0;
    for byte in line {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns += 8 - columns % 8,
            b'\n' | b'\r' => {}
            _ => return Some(columns),
        }
        if columns >= MOST {
            return Some(MOST);
        }
    }
    None
}
