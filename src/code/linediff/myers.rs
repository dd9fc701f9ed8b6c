//! The algorithm of Myers in linear space: a window over both sequences is divided in the middle of the shortest way,
//! which is searched from both ends, and then each part again. When the search takes long, a good way is taken instead
//! of the shortest.

#![expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "places and diagonals are differences of each other, and a slice has no more than isize::MAX items"
)]

/// Returns, for each item of both sequences, whether it stays.
pub(super) fn unchanged(before: &[u32], after: &[u32]) -> (Vec<bool>, Vec<bool>) {
    let diagonals = before.len() + after.len() + 3;
    let mut search = Search {
        before,
        after,
        forward: FurthestReach::new(diagonals, after.len() + 1),
        backward: FurthestReach::new(diagonals, after.len() + 1),
        most_steps: isize::try_from(super::rough_root(diagonals))
            .map_or(LEAST_STEPS, |steps| steps.max(LEAST_STEPS)),
        same: (vec![true; before.len()], vec![true; after.len()]),
    };
    search.compare(Window { from: (0, 0), to: (before.len() as isize, after.len() as isize) });
    search.same
}

struct Search<'s> {
    before: &'s [u32],
    after: &'s [u32],
    forward: FurthestReach,
    backward: FurthestReach,
    /// The number of steps after which a good way is taken.
    most_steps: isize,
    same: (Vec<bool>, Vec<bool>),
}

/// The furthest place on each diagonal that was reached, as an index of the sequence before. A diagonal is the index
/// before less the index after.
struct FurthestReach {
    places: Vec<isize>,
    origin: usize,
}

impl FurthestReach {
    fn new(diagonals: usize, origin: usize) -> Self {
        Self { places: vec![0; diagonals], origin }
    }

    fn at(&self, diagonal: isize) -> isize {
        self.places[self.origin.wrapping_add_signed(diagonal)]
    }

    fn set(&mut self, diagonal: isize, place: isize) {
        self.places[self.origin.wrapping_add_signed(diagonal)] = place;
    }
}

/// Indices of both sequences, before and after.
type Point = (isize, isize);

/// Parts of both sequences that are compared with each other.
#[derive(Clone, Copy)]
struct Window {
    from: Point,
    to: Point,
}

/// A division of a window.
struct Split {
    at: Point,
    /// Whether the way to the point, and the way from it, must be the shortest, even if the search takes long.
    is_exact: (bool, bool),
}

/// Diagonals that were looked at; a step goes along every second one.
#[derive(Clone, Copy)]
struct DiagonalRange {
    low: isize,
    high: isize,
}

impl DiagonalRange {
    /// Widens the domain by a diagonal at each end, or narrows it where the window ends, and marks the diagonals beyond
    /// as never reached.
    fn step(&mut self, limits: DiagonalRange, reach: &mut FurthestReach, unreached: isize) {
        if self.low > limits.low {
            self.low -= 1;
            reach.set(self.low - 1, unreached);
        } else {
            self.low += 1;
        }
        if self.high < limits.high {
            self.high += 1;
            reach.set(self.high + 1, unreached);
        } else {
            self.high -= 1;
        }
    }

    fn has(self, diagonal: isize) -> bool {
        (self.low..=self.high).contains(&diagonal)
    }

    /// The diagonals from the highest down: of two ways that are as good, git takes the first that it finds.
    fn diagonals(self) -> impl Iterator<Item = isize> {
        (self.low..=self.high).rev().step_by(2)
    }
}

/// The number of steps before anything but the shortest way is taken.
const LEAST_STEPS: isize = 256;

/// Number of items in a row that stay which make a good place to divide.
const GOOD_RUN: isize = 20;

impl Search<'_> {
    fn is_same(&self, (before, after): Point) -> bool {
        self.before[before as usize] == self.after[after as usize]
    }

    /// Marks the items that do not stay.
    fn compare(&mut self, all: Window) {
        // The windows to divide, each with whether its way must be the shortest. Recursion could exhaust the stack,
        // because hostile texts divide unevenly.
        let mut windows = vec![(all, false)];
        while let Some((window, is_exact)) = windows.pop() {
            let Window { from: (b, a), to: (b_end, a_end) } = self.without_same_ends(window);
            if b == b_end || a == a_end {
                self.same.0[b as usize..b_end as usize].fill(false);
                self.same.1[a as usize..a_end as usize].fill(false);
                continue;
            }
            let window = Window { from: (b, a), to: (b_end, a_end) };
            let split = self.split(window, is_exact);
            windows.push((Window { to: split.at, ..window }, split.is_exact.0));
            windows.push((Window { from: split.at, ..window }, split.is_exact.1));
        }
    }

    fn without_same_ends(&self, Window { mut from, mut to }: Window) -> Window {
        while from.0 < to.0 && from.1 < to.1 && self.is_same(from) {
            from = (from.0 + 1, from.1 + 1);
        }
        while from.0 < to.0 && from.1 < to.1 && self.is_same((to.0 - 1, to.1 - 1)) {
            to = (to.0 - 1, to.1 - 1);
        }
        Window { from, to }
    }

    /// Goes from both ends until the ways meet.
    fn split(&mut self, window: Window, is_exact: bool) -> Split {
        let Window { from, to } = window;
        let limits = DiagonalRange { low: from.0 - to.1, high: to.0 - from.1 };
        let (first, last) = (from.0 - from.1, to.0 - to.1);
        let is_odd = (first - last) & 1 != 0;
        let mut ahead = DiagonalRange { low: first, high: first };
        let mut back = DiagonalRange { low: last, high: last };
        self.forward.set(first, from.0);
        self.backward.set(last, to.0);
        for steps in 1.. {
            // The ways meet in a step ahead when the first and the last diagonal are an odd number apart, or else in a
            // step back.
            ahead.step(limits, &mut self.forward, -1);
            let (run_ahead, met) = self.step_ahead(to, ahead, is_odd.then_some(back));
            if let Some(at) = met {
                return Split { at, is_exact: (true, true) };
            }
            back.step(limits, &mut self.backward, isize::MAX);
            let (run_back, met) = self.step_back(from, back, (!is_odd).then_some(ahead));
            if let Some(at) = met {
                return Split { at, is_exact: (true, true) };
            }
            if is_exact {
                continue;
            }
            if (run_ahead || run_back)
                && steps > LEAST_STEPS
                && let Some(split) = self.good_run(window, steps, ahead, back)
            {
                return split;
            }
            if steps >= self.most_steps {
                return self.furthest(window, ahead, back);
            }
        }
        unreachable!("the ways meet")
    }

    /// Goes one step further along the diagonals `ahead`, up to the end of the window. Returns whether a good run stays,
    /// and the point where the way meets one of the diagonals `back`.
    fn step_ahead(
        &mut self,
        to: Point,
        ahead: DiagonalRange,
        back: Option<DiagonalRange>,
    ) -> (bool, Option<Point>) {
        let mut has_good_run = false;
        for diagonal in ahead.diagonals() {
            let (below, above) = (self.forward.at(diagonal - 1), self.forward.at(diagonal + 1));
            let begin = if below >= above { below + 1 } else { above };
            let mut point = (begin, begin - diagonal);
            while point.0 < to.0 && point.1 < to.1 && self.is_same(point) {
                point = (point.0 + 1, point.1 + 1);
            }
            has_good_run |= point.0 - begin > GOOD_RUN;
            self.forward.set(diagonal, point.0);
            if back.is_some_and(|back| back.has(diagonal)) && self.backward.at(diagonal) <= point.0 {
                return (has_good_run, Some(point));
            }
        }
        (has_good_run, None)
    }

    /// Goes one step further along the diagonals `back`, down to the begin of the window. Returns whether a good run
    /// stays, and the point where the way meets one of the diagonals `ahead`.
    fn step_back(
        &mut self,
        from: Point,
        back: DiagonalRange,
        ahead: Option<DiagonalRange>,
    ) -> (bool, Option<Point>) {
        let mut has_good_run = false;
        for diagonal in back.diagonals() {
            let (below, above) = (self.backward.at(diagonal - 1), self.backward.at(diagonal + 1));
            let begin = if below < above { below } else { above - 1 };
            let mut point = (begin, begin - diagonal);
            while point.0 > from.0 && point.1 > from.1 && self.is_same((point.0 - 1, point.1 - 1)) {
                point = (point.0 - 1, point.1 - 1);
            }
            has_good_run |= begin - point.0 > GOOD_RUN;
            self.backward.set(diagonal, point.0);
            if ahead.is_some_and(|ahead| ahead.has(diagonal)) && point.0 <= self.forward.at(diagonal) {
                return (has_good_run, Some(point));
            }
        }
        (has_good_run, None)
    }

    /// Returns the end of a long run of items that stay, on the diagonal that came furthest for its steps.
    fn good_run(
        &self,
        window: Window,
        steps: isize,
        ahead: DiagonalRange,
        back: DiagonalRange,
    ) -> Option<Split> {
        const WORTH: isize = 4;
        let Window { from, to } = window;
        let (first, last) = (from.0 - from.1, to.0 - to.1);
        let is_run = |begin: Point| (0..GOOD_RUN).all(|step| self.is_same((begin.0 + step, begin.1 + step)));
        let mut best = (WORTH * steps, None);
        for diagonal in ahead.diagonals() {
            let place = self.forward.at(diagonal);
            let at = (place, place - diagonal);
            let gain = (at.0 - from.0) + (at.1 - from.1) - (diagonal - first).abs();
            let begin = (at.0 - GOOD_RUN, at.1 - GOOD_RUN);
            let is_inside = from.0 <= begin.0 && at.0 < to.0 && from.1 <= begin.1 && at.1 < to.1;
            if gain > best.0 && is_inside && is_run(begin) {
                best = (gain, Some(at));
            }
        }
        if let Some(at) = best.1 {
            return Some(Split { at, is_exact: (true, false) });
        }
        for diagonal in back.diagonals() {
            let place = self.backward.at(diagonal);
            // The diagonal may never have been reached.
            let at = (place, place.saturating_sub(diagonal));
            let gain = (to.0 - at.0) + (to.1 - at.1) - (diagonal - last).abs();
            let is_inside =
                from.0 < at.0 && at.0 <= to.0 - GOOD_RUN && from.1 < at.1 && at.1 <= to.1 - GOOD_RUN;
            if gain > best.0 && is_inside && is_run(at) {
                best = (gain, Some(at));
            }
        }
        best.1.map(|at| Split { at, is_exact: (false, true) })
    }

    /// Returns the reached point that is furthest from its end.
    fn furthest(&self, window: Window, ahead: DiagonalRange, back: DiagonalRange) -> Split {
        let Window { from, to } = window;
        let mut there = (-1, (-1, -1));
        for diagonal in ahead.diagonals() {
            let place = self.forward.at(diagonal).min(to.0);
            let at =
                if place - diagonal > to.1 { (to.1 + diagonal, to.1) } else { (place, place - diagonal) };
            if at.0 + at.1 > there.0 {
                there = (at.0 + at.1, at);
            }
        }
        let mut here = (isize::MAX, (isize::MAX, isize::MAX));
        for diagonal in back.diagonals() {
            let place = self.backward.at(diagonal).max(from.0);
            let at = if place - diagonal < from.1 {
                (from.1 + diagonal, from.1)
            } else {
                (place, place - diagonal)
            };
            if at.0 + at.1 < here.0 {
                here = (at.0 + at.1, at);
            }
        }
        if (to.0 + to.1) - here.0 < there.0 - (from.0 + from.1) {
            Split { at: there.1, is_exact: (true, false) }
        } else {
            Split { at: here.1, is_exact: (false, true) }
        }
    }
}
