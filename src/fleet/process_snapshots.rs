//! The snapshots of one process: which of them are of one life, and what they count together.
//!
//! A process that writes its counters several times leaves cumulative files, so their sum would count the same hits
//! again. Neither pid nor time tells lives apart: in containers every pid is 1, and the times in the names of files are
//! not to be trusted. The counters tell, by the rule of [`super::counters`], whatever the order of the files.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::counters::{Verdict, fell, judge, lift};
use super::snapshot::larger;
use crate::profile::{Mode, add_all};

/// Most lives that are held apart. Counts of further ones are kept, and no longer added to each other.
const MOST_LIVES: usize = 64;

/// All snapshots of one process and one build that were seen, as far as later ones have to be compared with them.
///
/// - The greatest snapshot of each life is held as it was written. So no two of these are of one life, and their sum is
///   never above the true number of executions.
/// - The total never falls. It keeps the counts of snapshots that gave way to others: of a life that is taken for the
///   continuation of another, of a counter that fell a little, of a life beyond [`MOST_LIVES`].
/// - A block that any snapshot has hit is hit in the total. In `set` mode a count above 1 says no more than 1.
/// - Any choice of snapshots of one life leads to the same total if the last one is among them. A counter that wrapped
///   or fell is the exception: a wrap shows only as a fall between two snapshots, and a small number may also be from
///   before the wrap. The total of such a counter depends on which snapshots are seen, and is not above the true number
///   either.
/// - A new life can be taken for a wrap of one whose counter stood above 2^31, as in [`super::counters`]. Then a total can
///   be above the true number, by what was left until the wrap. A counter that wrapped and fell back over the wrap is
///   taken for one that wraps twice.
#[derive(Clone, Debug)]
pub(crate) struct ProcessSnapshots {
    mode: Mode,
    lives: Vec<Vec<u64>>,
    /// Counts of the process, at least the sum of all lives in each block. Empty before the first snapshot, and while
    /// the counts of the only life are the total.
    total: Vec<u64>,
    most_lives: usize,
}

/// The order of two snapshots of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotOrder {
    /// The second goes on with the first, and counts this with the wraps that the first has seen.
    Continues(Vec<u64>),
    /// The first goes on with the second, and counts this with the wraps that the second has seen.
    Precedes(Vec<u64>),
    /// The snapshots are of different lives.
    Apart,
}

/// Tells which of two snapshots of one build is the later one, if they can be of one life.
///
/// Each may continue the other if both fell a little. Then the one with more hits is the later one.
pub(crate) fn snapshot_order(mode: Mode, first: &[u64], second: &[u64]) -> SnapshotOrder {
    if !fell(second, first) {
        return SnapshotOrder::Precedes(lifted(second, first, first));
    }
    if !fell(first, second) {
        return SnapshotOrder::Continues(lifted(first, second, second));
    }
    let after = |stored: &[u64], answered: &[u64]| match judge(mode, stored, answered) {
        Verdict::Continues(counts) => Some(lifted(stored, answered, &counts)),
        Verdict::Restarted => None,
    };
    match (after(first, second), after(second, first)) {
        (Some(counts), None) => SnapshotOrder::Continues(counts),
        (None, Some(counts)) => SnapshotOrder::Precedes(counts),
        (Some(_), Some(_)) => match by_hits(first, second) {
            Ordering::Greater => SnapshotOrder::Precedes(first.to_vec()),
            _ => SnapshotOrder::Continues(second.to_vec()),
        },
        (None, None) => SnapshotOrder::Apart,
    }
}

/// Returns what the later of two snapshots counts, with its wraps; of a counter that fell a little what it shows.
fn lifted(earlier: &[u64], later: &[u64], judged: &[u64]) -> Vec<u64> {
    let lifted = earlier.iter().zip(later).zip(judged).map(|((&before, &now), &judged)| {
        let shown = lift(before, now);
        if shown < before && judged == before { shown } else { judged.max(shown) }
    });
    lifted.collect()
}

/// Compares two snapshots in an order that is the same from both sides.
fn by_hits(one: &[u64], other: &[u64]) -> Ordering {
    let sum = |counts: &[u64]| counts.iter().map(|&count| u128::from(count)).sum::<u128>();
    sum(one).cmp(&sum(other)).then_with(|| one.cmp(other))
}

impl ProcessSnapshots {
    /// Starts without any snapshot.
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, lives: Vec::new(), total: Vec::new(), most_lives: MOST_LIVES }
    }

    /// Goes on with what was stored: lives as they were written, and the rest of the total.
    pub(crate) fn from_stored(mode: Mode, lives: Vec<Vec<u64>>, rest: Option<Vec<u64>>) -> Self {
        if rest.is_none() && lives.len() < 2 {
            return Self { lives, ..Self::new(mode) };
        }
        let mut total = rest.unwrap_or_default();
        for life in &lives {
            total.resize(life.len(), 0);
            add_all(&mut total, life);
        }
        Self { lives, total, ..Self::new(mode) }
    }

    /// Holds fewer lives apart.
    #[cfg(test)]
    pub(crate) fn with_most_lives(self, most_lives: usize) -> Self {
        Self { most_lives, ..self }
    }

    /// Takes a snapshot in, and tells whether anything changed.
    ///
    /// Counters are in the order of the build that all snapshots have.
    pub(crate) fn add<'c>(&mut self, counts: impl Into<Cow<'c, [u64]>>) -> bool {
        let counts = counts.into();
        if self.total.is_empty() && self.lives.is_empty() {
            self.lives.push(counts.into_owned());
            return true;
        }
        let counts = &*counts;
        // A snapshot that another one dominates says nothing new, whatever else it might continue.
        if self.lives.iter().any(|life| !fell(counts, life)) {
            return false;
        }
        if self.total.is_empty() {
            self.total = self.total().to_vec();
        }
        let mut counted = vec![0; counts.len()];
        let mut newest = counts.to_vec();
        let mut followers: Vec<Vec<u64>> = Vec::new();
        let mut has_moved = false;
        for life in std::mem::take(&mut self.lives) {
            match snapshot_order(self.mode, &life, counts) {
                SnapshotOrder::Apart => {
                    add_all(&mut counted, &life);
                    self.lives.push(life);
                }
                SnapshotOrder::Continues(lifted) => keep_larger(&mut newest, &lifted),
                SnapshotOrder::Precedes(lifted) => {
                    has_moved |= lifted != life || !followers.is_empty();
                    followers.push(lifted);
                }
            }
        }
        // Lives that are apart from the snapshot are not of its life, so that it is added to them.
        if let Some(follower) = followers.into_iter().max_by(|one, other| by_hits(one, other)) {
            add_all(&mut counted, &larger(&newest, &follower));
            self.lives.push(follower);
        } else {
            add_all(&mut counted, &newest);
            self.lives.push(newest);
            has_moved = true;
        }
        if self.lives.len() > self.most_lives {
            self.drop_smallest();
        }
        let total = larger(&counted, &self.total);
        has_moved |= total != self.total;
        self.total = total;
        has_moved
    }

    /// Stops comparing with the life with the fewest hits. The total keeps its counts, and counts of lives that are new
    /// grow into them rather than on top of them.
    fn drop_smallest(&mut self) {
        let smallest =
            (0..self.lives.len()).min_by(|&one, &other| by_hits(&self.lives[one], &self.lives[other]));
        if let Some(smallest) = smallest {
            self.lives.remove(smallest);
        }
    }

    /// Returns the greatest snapshot of each life.
    pub(crate) fn lives(&self) -> &[Vec<u64>] {
        &self.lives
    }

    /// Returns what all lives have counted together.
    pub(crate) fn total(&self) -> &[u64] {
        match &*self.lives {
            [life] if self.total.is_empty() => life,
            _ => &self.total,
        }
    }

    /// Returns the part of the total that is in none of the lives; `None` where there is none.
    pub(crate) fn rest(&self) -> Option<Vec<u64>> {
        if self.total.is_empty() {
            return None;
        }
        let mut rest = self.total.clone();
        for life in &self.lives {
            for (rest, &count) in rest.iter_mut().zip(life) {
                *rest = rest.saturating_sub(count);
            }
        }
        rest.iter().any(|&count| count > 0).then_some(rest)
    }
}

fn keep_larger(counts: &mut [u64], other: &[u64]) {
    for (count, &other) in counts.iter_mut().zip(other) {
        *count = other.max(*count);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::Limits;
    use crate::profile::gocover::fixtures::{SNAPSHOTS, SNAPSHOTS_META};
    use crate::profile::gocover::{CounterFile, Meta, MetaBuild};

    fn taken<'a>(snapshots: impl IntoIterator<Item = &'a [u64]>) -> ProcessSnapshots {
        taken_in(Mode::Atomic, snapshots)
    }

    fn taken_in<'a>(mode: Mode, snapshots: impl IntoIterator<Item = &'a [u64]>) -> ProcessSnapshots {
        let mut taken = ProcessSnapshots::new(mode);
        for counts in snapshots {
            taken.add(counts);
        }
        taken
    }

    #[test]
    fn thirty_calls_in_four_cumulative_files_are_thirty() {
        let meta = Meta::from_bytes(SNAPSHOTS_META, Limits::default()).unwrap();
        let build = MetaBuild::from_meta(&meta);
        let read = |bytes: &[u8]| {
            let mut counts = Vec::new();
            build.counts_into(&CounterFile::from_bytes(bytes).unwrap(), &mut counts).unwrap();
            counts
        };
        let snapshots = SNAPSHOTS.map(read);
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let taken = taken(order.map(|index| &*snapshots[index]));
            assert_eq!((taken.lives(), taken.rest()), (&[snapshots[3].clone()][..], None));
            // The body of the inner loop, which calls "work".
            assert_eq!(taken.total().iter().max(), Some(&30));
        }
    }

    #[test]
    fn a_snapshot_that_continues_another_replaces_it_in_either_order() {
        let (earlier, later): (&[u64], &[u64]) = (&[1, 0, 2], &[1, 3, 9]);
        assert_eq!(taken([earlier, later]).lives(), [later]);
        assert_eq!(taken([later, earlier]).lives(), [later]);
    }

    #[test]
    fn a_file_that_is_found_again_changes_nothing() {
        let mut taken = taken([&[1, 2][..]]);
        assert!(!taken.add(&[1, 2]));
        assert_eq!(taken.total(), [1, 2]);
    }

    #[test]
    fn lives_that_cannot_be_one_are_added() {
        let taken = taken([&[9, 0, 1][..], &[2, 5, 0]]);
        assert_eq!((taken.lives().len(), taken.total(), taken.rest()), (2, &[11, 5, 1][..], None));
    }

    #[test]
    fn a_counter_that_fell_a_little_is_of_the_same_life_and_no_count_is_lost() {
        for snapshots in [[&[5, 3, 7][..], &[4, 3, 9]], [&[4, 3, 9], &[5, 3, 7]]] {
            let taken = taken_in(Mode::Count, snapshots);
            assert_eq!(taken.lives(), [[4, 3, 9]]);
            assert_eq!((taken.total(), taken.rest()), (&[5, 3, 9][..], Some(vec![1, 0, 0])));
        }
    }

    #[test]
    fn a_counter_of_mode_atomic_that_fell_is_of_another_life() {
        let mut first = vec![1; 300];
        let mut second = first.clone();
        (first[0], second[0], second[1]) = (1000, 5, 2000);
        for order in [[&*first, &second], [&second, &first]] {
            let taken = taken(order);
            assert_eq!((taken.lives().len(), taken.rest()), (2, None));
            assert_eq!(taken.total()[..3], [1005, 2001, 2]);
        }
    }

    #[test]
    fn a_counter_that_wrapped_goes_on_from_two_to_the_32nd() {
        let top = u64::from(u32::MAX);
        let before: &[u64] = &[top - 1, 3, 3, 3];
        for snapshots in [[before, &[5, 4, 4, 4]], [&[5, 4, 4, 4], before]] {
            let mut taken = taken(snapshots);
            assert_eq!(taken.lives(), [[top + 6, 4, 4, 4]]);
            assert!(!taken.add(before), "the older file comes again");
            assert!(taken.add(&[9, 4, 5, 4]));
            assert_eq!(taken.lives(), [[top + 10, 4, 5, 4]]);
        }
    }

    #[test]
    fn after_a_wrap_the_total_depends_on_which_snapshots_are_seen_and_is_never_too_high() {
        let top = u64::from(u32::MAX);
        let snapshots: [&[u64]; 3] = [&[top - 1, 3, 3, 3], &[5, 4, 4, 4], &[9, 4, 4, 4]];
        assert_eq!(taken([snapshots[0], snapshots[2]]).total(), [top + 10, 4, 4, 4]);
        // The last one could be of before the wrap, as far as the two before it together tell.
        assert_eq!(taken(snapshots).total(), [top + 6, 4, 4, 4]);
    }

    #[test]
    fn a_life_that_dominates_two_others_leaves_the_sum_of_those_as_it_was() {
        let mut taken = taken([&[100, 50, 9, 9][..], &[20, 5, 70, 30]]);
        assert_eq!(taken.total(), [120, 55, 79, 39]);
        assert!(taken.add(&[200, 100, 80, 31]));
        assert_eq!(taken.lives(), [[200, 100, 80, 31]]);
        assert_eq!((taken.total(), taken.rest()), (&[200, 100, 80, 39][..], Some(vec![0, 0, 0, 8])));
        // The life goes on: its counts grow into the rest first.
        assert!(taken.add(&[210, 110, 81, 35]));
        assert_eq!((taken.total(), taken.rest()), (&[210, 110, 81, 39][..], Some(vec![0, 0, 0, 4])));
    }

    #[test]
    fn what_was_stored_goes_on_as_if_it_had_not_been() {
        let before = taken([&[100, 50, 9, 9][..], &[20, 5, 70, 30], &[200, 100, 80, 31], &[0, 1, 0, 7]]);
        let mut stored = ProcessSnapshots::from_stored(Mode::Atomic, before.lives().to_vec(), before.rest());
        let mut held = before;
        assert_eq!(stored.total(), held.total());
        assert_eq!(stored.add(&[210, 110, 81, 35]), held.add(&[210, 110, 81, 35]));
        assert_eq!((stored.total(), stored.lives()), (held.total(), held.lives()));
    }

    #[test]
    fn a_first_snapshot_without_hits_is_a_life() {
        let taken = taken([&[0, 0][..]]);
        assert_eq!((taken.lives().len(), taken.total()), (1, &[0, 0][..]));
    }

    const BLOCKS: usize = 6;

    /// Snapshots of a life, each with what was executed since the one before.
    fn life() -> impl Strategy<Value = Vec<Vec<u64>>> {
        let step = prop::collection::vec(prop_oneof![3 => Just(0), 2 => 1..6_u64, 1 => 0..900_u64], BLOCKS);
        prop::collection::vec(step, 1..6).prop_map(|steps| {
            let mut counts = vec![0; BLOCKS];
            let mut grown = |step: Vec<u64>| {
                add_all(&mut counts, &step);
                counts.clone()
            };
            steps.into_iter().map(&mut grown).collect()
        })
    }

    fn mode() -> impl Strategy<Value = Mode> {
        prop::sample::select(vec![Mode::Set, Mode::Count, Mode::Atomic])
    }

    /// Returns what a life shows in a mode.
    fn shown(mode: Mode, snapshots: &[Vec<u64>]) -> Vec<Vec<u64>> {
        let most = if mode == Mode::Set { 1 } else { u64::MAX };
        let shown = |counts: &Vec<u64>| counts.iter().map(|count| *count.min(&most)).collect();
        snapshots.iter().map(shown).collect()
    }

    /// The executions of a life of which one counter wraps or falls a little, and some of its snapshots in any order,
    /// its last among them.
    fn uneven_life() -> impl Strategy<Value = (Vec<u64>, Vec<Vec<u64>>)> {
        const LOW: u64 = u32::MAX as u64;
        let uneven = prop::collection::vec((0..40_u64, 0..3_u64), 6);
        (life(), LOW - 60..LOW, uneven)
            .prop_flat_map(|(mut life, first, steps)| {
                let mut really = first;
                for (counts, (more, less)) in life.iter_mut().zip(steps) {
                    really += more;
                    // A counter that is 0 is taken for a new start.
                    really += u64::from(really & LOW == 0);
                    // A fall back over the wrap shows a number near 2^32, which would be a second wrap.
                    counts[0] = (really & LOW).saturating_sub(less).max(1);
                }
                let mut executed = life.last().expect("at least one").clone();
                executed[0] = really;
                let (last, len) = (life.last().expect("at least one").clone(), life.len());
                (Just(executed), prop::sample::subsequence(life, 0..=len), Just(last))
            })
            .prop_flat_map(|(executed, mut others, last)| {
                others.push(last);
                (Just(executed), Just(others).prop_shuffle())
            })
    }

    /// Some snapshots of each life, its last among them, in any order.
    fn lives() -> impl Strategy<Value = (Vec<Vec<u64>>, Vec<Vec<u64>>)> {
        let chosen = life().prop_flat_map(|life| {
            let last = life.last().expect("at least one").clone();
            let len = life.len();
            let others = prop::sample::subsequence(life, 0..=len);
            (Just(last), others)
        });
        prop::collection::vec(chosen, 1..6).prop_flat_map(|lives| {
            let (last, others): (Vec<_>, Vec<_>) = lives.into_iter().unzip();
            let all: Vec<Vec<u64>> = others.into_iter().flatten().chain(last.clone()).collect();
            (Just(last), Just(all).prop_shuffle())
        })
    }

    fn covered(counts: &[u64]) -> Vec<bool> {
        counts.iter().map(|&count| count > 0).collect()
    }

    fn assert_sound(mode: Mode, last: &[Vec<u64>], all: &[Vec<u64>], most_lives: usize) {
        let (last, all) = (&shown(mode, last), &shown(mode, all));
        let mut really = vec![0; BLOCKS];
        for life in last {
            add_all(&mut really, life);
        }
        let mut taken = ProcessSnapshots::new(mode).with_most_lives(most_lives);
        let mut before = vec![0; BLOCKS];
        let mut seen = vec![0; BLOCKS];
        for counts in all {
            taken.add(counts);
            add_all(&mut seen, counts);
            let shown = || format!("{counts:?} of {all:?}: {taken:?}");
            assert!(taken.lives().len() <= last.len().min(most_lives), "{}", shown());
            assert_eq!(covered(taken.total()), covered(&seen), "{}", shown());
            assert!(before.iter().zip(taken.total()).all(|(before, now)| before <= now), "{}", shown());
            assert!(really.iter().zip(taken.total()).all(|(really, now)| really >= now), "{}", shown());
            let mut whole = taken.rest().unwrap_or_else(|| vec![0; BLOCKS]);
            for life in taken.lives() {
                add_all(&mut whole, life);
            }
            assert_eq!(whole, taken.total(), "{}", shown());
            before = taken.total().to_vec();
        }
    }

    proptest! {
        #[test]
        fn any_snapshots_of_one_life_that_hold_its_last_say_the_same(
            (last, snapshots) in life().prop_flat_map(|life| {
                let last = life.last().expect("at least one").clone();
                let len = life.len();
                (Just(last.clone()), prop::sample::subsequence(life, 0..=len), Just(last))
            }).prop_flat_map(|(last, mut others, again)| {
                others.push(again);
                (Just(last), Just(others).prop_shuffle())
            }),
            mode in mode(),
        ) {
            let (last, snapshots) = (shown(mode, &[last]).remove(0), shown(mode, &snapshots));
            let taken = taken_in(mode, snapshots.iter().map(Vec::as_slice));
            prop_assert_eq!(taken.lives(), std::slice::from_ref(&last));
            prop_assert_eq!((taken.total(), taken.rest()), (&*last, None));
        }

        #[test]
        fn a_life_with_a_counter_that_wraps_or_falls_is_understated_at_most((executed, snapshots) in uneven_life()) {
            let mut taken = ProcessSnapshots::new(Mode::Count);
            let mut before = vec![0; BLOCKS];
            for counts in &snapshots {
                taken.add(counts);
                prop_assert_eq!(taken.lives().len(), 1);
                let total = taken.total();
                prop_assert!(total.iter().zip(&executed).all(|(now, executed)| now <= executed), "{taken:?}");
                prop_assert!(total.iter().zip(before.iter().zip(counts)).all(|(now, (before, shown))| now >= before.max(shown)));
                before = total.to_vec();
            }
            prop_assert_eq!(&before[1..], &executed[1..]);
        }

        #[test]
        fn of_several_lives_the_covered_set_is_exact_and_hits_neither_fall_nor_exceed_the_true_ones(
            (last, all) in lives(),
            mode in mode(),
        ) {
            assert_sound(mode, &last, &all, MOST_LIVES);
        }

        #[test]
        fn more_lives_than_can_be_held_apart_are_understated_at_most((last, all) in lives(), mode in mode()) {
            assert_sound(mode, &last, &all, 2);
        }

        #[test]
        fn a_succession_is_the_same_from_both_sides(
            (one, other) in (life(), life()).prop_map(|(mut one, mut other)| (one.remove(0), other.remove(0))),
            mode in mode(),
        ) {
            let (one, other) = (shown(mode, &[one]).remove(0), shown(mode, &[other]).remove(0));
            let (there, back) = (snapshot_order(mode, &one, &other), snapshot_order(mode, &other, &one));
            match (there, back) {
                (SnapshotOrder::Apart, SnapshotOrder::Apart) => {}
                (SnapshotOrder::Continues(a), SnapshotOrder::Precedes(b)) | (SnapshotOrder::Precedes(a), SnapshotOrder::Continues(b)) => {
                    prop_assert_eq!(a, b);
                }
                // Equal snapshots precede each other.
                (SnapshotOrder::Precedes(a), SnapshotOrder::Precedes(b)) => prop_assert_eq!(a, b),
                (there, back) => prop_assert!(false, "{there:?} {back:?}"),
            }
        }
    }
}
