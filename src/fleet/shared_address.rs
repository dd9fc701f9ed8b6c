//! An address behind which several processes with the same names answer in turn, such as that of a load balancer.
//!
//! In containers each process has the id 1, so nothing tells the answers of two of them apart. Text has the same limit,
//! and there a fall of the counters is a new start. The evidence of several processes is an answer that fell against the
//! open life and goes on with one that was taken for ended. From then on an answer may be of each life that it goes on
//! with, so that the sum of all is a lower bound: nothing is added that another life may have counted already.

use super::counters::continues;
use super::process_snapshots::{SnapshotOrder, snapshot_order};
use super::snapshot::{ClockDoubt, LifeTimes, ResumedLife, larger, resumed};
use crate::profile::{Mode, add_all};

/// Most lives of an address that are compared with an answer after the evidence was found.
const MOST_LIVES: usize = 16;

/// The place of an answer among the lives of its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SharedPlace {
    /// The life that the answer goes on with, and others that it goes on with as well; `None`: a life begins.
    pub(crate) resumed: Option<ResumedLife>,
    /// Lives that may be of the process of another one. Their counts stay, as those of a mixture: what later answers bring
    /// is taken from it.
    pub(crate) given_up: Vec<usize>,
    /// Counters of those lives together.
    pub(crate) mixed: Vec<u64>,
}

/// Tells whether an answer that fell against the open life shows that this ended life goes on, so that the address has
/// several processes.
///
/// A process that started again soon passes each count of an early life that ended after a few hits, and has executed
/// more blocks. So the ended life has to be near: it has three quarters of the hits and nearly all blocks of the answer,
/// as a process of some age has them when it is pulled again. A life without hits tells nothing.
pub(crate) fn is_evidence(mode: Mode, ended: &[u64], answered: &[u64]) -> bool {
    let hits = |counts: &[u64]| counts.iter().map(|&count| u128::from(count)).sum::<u128>();
    let is_near = || hits(ended) * 4 >= hits(answered) * 3 && covers_nearly(ended, answered);
    mode != Mode::Set && ended.iter().any(|count| *count > 0) && continues(mode, ended, answered) && is_near()
}

/// Tells whether an answer covers at most 1 % more blocks than a life did, or two.
fn covers_nearly(ended: &[u64], answered: &[u64]) -> bool {
    let covered = ended.iter().filter(|count| **count > 0).count();
    let new = ended.iter().zip(answered).filter(|(ended, now)| **ended == 0 && **now > 0).count();
    new <= 2 || new * 100 <= covered
}

/// Finds the place of an answer among these lives of its address, the oldest first. A mixture is none of them.
///
/// The first evidence (`is_first`) has the earlier lives judged anew: two of them may be of one process if one goes on
/// with the other. `counts_of` returns the counters of the life with an index.
pub(crate) fn place<E>(
    mode: Mode,
    lives: &[LifeTimes],
    answered: &[u64],
    is_first: bool,
    mut counts_of: impl FnMut(usize) -> Result<Option<Vec<u64>>, E>,
) -> Result<SharedPlace, E> {
    let (kept, given_up, mixed): (Vec<usize>, _, _) = if is_first {
        let DistinctLives { kept, given_up, mixed } = DistinctLives::new(mode, lives.len(), &mut counts_of)?;
        (kept.into_iter().map(|(index, _)| index).collect(), given_up, mixed)
    } else {
        ((0..lives.len()).collect(), Vec::new(), Vec::new())
    };
    // No time tells which of the processes answers.
    let times: Vec<LifeTimes> =
        kept.iter().map(|&index| LifeTimes { is_from_before_jump: true, ..lives[index] }).collect();
    let doubt = ClockDoubt::new(chrono::DateTime::UNIX_EPOCH, Vec::new());
    let resumed = resumed(mode, &times, answered, &doubt, |index| counts_of(kept[index]))?;
    let resumed = match resumed {
        Some(ResumedLife { index, then, others, rest, .. }) => {
            let (index, others): (_, Vec<_>) = (kept[index], others.iter().map(|&at| kept[at]).collect());
            // Only counts beyond the largest are new, or the sum of all would fall.
            let mut largest = then.clone();
            for &other in &others {
                largest = larger(&largest, &counts_of(other)?.unwrap_or_default());
            }
            Some(ResumedLife { index, then, others, rest, least: largest })
        }
        None => None,
    };
    Ok(SharedPlace { resumed, given_up, mixed })
}

/// Lives of which no two can be of one process.
#[derive(Default)]
struct DistinctLives {
    /// The greatest counters of each process, with the index of their life.
    kept: Vec<(usize, Vec<u64>)>,
    given_up: Vec<usize>,
    mixed: Vec<u64>,
}

impl DistinctLives {
    fn new<E>(
        mode: Mode,
        lives: usize,
        mut counts_of: impl FnMut(usize) -> Result<Option<Vec<u64>>, E>,
    ) -> Result<Self, E> {
        let mut distinct = Self::default();
        for index in 0..lives {
            let Some(counts) = counts_of(index)? else { continue };
            let order = |(_, kept): &(usize, Vec<u64>)| snapshot_order(mode, kept, &counts);
            let orders: Vec<SnapshotOrder> = distinct.kept.iter().map(order).collect();
            if orders.iter().any(|order| matches!(order, SnapshotOrder::Precedes(_))) {
                distinct.give_up(index, &counts);
                continue;
            }
            for (at, order) in orders.iter().enumerate().rev() {
                if matches!(order, SnapshotOrder::Continues(_)) {
                    distinct.give_up_kept(at);
                }
            }
            distinct.kept.push((index, counts));
            if distinct.kept.len() > MOST_LIVES {
                distinct.give_up_kept(0);
            }
        }
        distinct.given_up.sort_unstable();
        Ok(distinct)
    }

    fn give_up_kept(&mut self, at: usize) {
        let (index, counts) = self.kept.remove(at);
        self.give_up(index, &counts);
    }

    fn give_up(&mut self, index: usize, counts: &[u64]) {
        self.given_up.push(index);
        self.mixed.resize(counts.len(), 0);
        add_all(&mut self.mixed, counts);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::fleet::fixtures::at;

    fn placed(lives: &[&[u64]], answered: &[u64], is_first: bool) -> SharedPlace {
        placed_in(Mode::Atomic, lives, answered, is_first)
    }

    fn placed_in(mode: Mode, lives: &[&[u64]], answered: &[u64], is_first: bool) -> SharedPlace {
        let times = LifeTimes {
            opened_at: at(1),
            pulled_at: at(1),
            closed_at: Some(at(1)),
            is_from_before_jump: false,
            is_mixture: false,
        };
        let counts_of = |index: usize| Ok::<_, Infallible>(Some(lives[index].to_vec()));
        let Ok(place) = place(mode, &vec![times; lives.len()], answered, is_first, counts_of);
        place
    }

    #[test]
    fn an_answer_goes_on_with_the_greatest_life_that_it_can() {
        let place = placed(&[&[9, 9], &[5, 5], &[3, 2]], &[6, 6], false);
        let (index, then, others) = (1, vec![5, 5], vec![2]);
        // The other life keeps what is beyond the greatest.
        let resumed = ResumedLife { index, then, others, rest: vec![3, 2], least: vec![5, 5] };
        assert_eq!(place, SharedPlace { resumed: Some(resumed), ..SharedPlace::default() });
        assert_eq!(placed(&[&[9, 9], &[5, 5]], &[4, 1], false), SharedPlace::default());
    }

    #[test]
    fn with_the_first_evidence_lives_that_may_be_one_are_no_longer_told_apart() {
        // Two processes answered in turn: 5, 3, 8, 4, 9, and now 6.
        let place = placed(&[&[5, 5], &[8, 8], &[9, 9]], &[6, 6], true);
        assert_eq!(place, SharedPlace { resumed: None, given_up: vec![0, 1], mixed: vec![13, 13] });
        let place = placed(&[&[5, 5, 1, 1], &[3, 3, 9, 9]], &[6, 6, 2, 2], true);
        let resumed = ResumedLife {
            index: 0,
            then: vec![5, 5, 1, 1],
            others: vec![],
            rest: vec![0; 4],
            least: vec![5, 5, 1, 1],
        };
        assert_eq!(place, SharedPlace { resumed: Some(resumed), ..SharedPlace::default() });
    }

    #[test]
    fn of_very_many_lives_the_oldest_are_given_up() {
        let lives: Vec<Vec<u64>> =
            (0..40).map(|life| (0..40).map(|block| u64::from(life == block)).collect()).collect();
        let lives: Vec<&[u64]> = lives.iter().map(Vec::as_slice).collect();
        let place = placed(&lives, lives[39], true);
        assert_eq!(place.given_up, (0..40 - MOST_LIVES).collect::<Vec<_>>());
        assert_eq!(place.resumed.unwrap().index, 39);
    }

    #[test]
    fn a_fall_to_the_counters_of_an_ended_life_is_evidence() {
        assert!(is_evidence(Mode::Atomic, &[5, 1], &[6, 1]));
        assert!(!is_evidence(Mode::Atomic, &[5, 1], &[4, 0]));
        assert!(!is_evidence(Mode::Atomic, &[0, 0], &[4, 0]), "a life without hits");
        assert!(!is_evidence(Mode::Set, &[1, 0], &[1, 1]), "counts of this mode are not added");
    }

    #[test]
    fn a_process_that_passes_a_short_life_after_its_start_is_no_evidence() {
        assert!(is_evidence(Mode::Atomic, &[900; 20], &[1200; 20]));
        assert!(!is_evidence(Mode::Atomic, &[3; 20], &[50; 20]));
        assert!(!is_evidence(Mode::Atomic, &[899; 20], &[1200; 20]));
        let ended: Vec<u64> = (0..400).map(|block| u64::from(block < 300) * 10).collect();
        let answered =
            |new: usize| (0..400).map(|block| u64::from(block < 300 + new) * 10).collect::<Vec<_>>();
        assert!(is_evidence(Mode::Atomic, &ended, &answered(3)));
        assert!(!is_evidence(Mode::Atomic, &ended, &answered(4)), "new blocks");
    }

    #[test]
    fn no_count_is_lost_where_an_answer_fits_a_greater_life_by_noise() {
        // The answer goes on with the second life, and with the first one but for one block.
        let mut one = vec![1_000_000, 50];
        one.resize(11, 1);
        let mut other = vec![6, 6];
        other.resize(11, 21);
        let answered: Vec<u64> = [6, 60].into_iter().chain([22; 9]).collect();
        let resumed = placed_in(Mode::Count, &[&one, &other], &answered, false).resumed.unwrap();
        assert_eq!((resumed.index, &*resumed.others), (1, &[0][..]));
        let total: Vec<u64> = answered.iter().zip(&resumed.rest).map(|(now, rest)| now + rest).collect();
        assert_eq!(total[..3], [1_000_006, 66, 23]);
    }
}
