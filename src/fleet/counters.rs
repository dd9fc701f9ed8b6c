//! The end of a life, judged by its counters alone.
//!
//! Nothing in an agent's answer tells whether the process is still the one that answered before: an
//! address is kept across a restart, and there is no start time. But counters only grow within a life,
//! with two exceptions: a uint32 wraps, and in `count` mode increments race, so that a busy counter can fall
//! a little, which is noise. Counters of `atomic` mode have no noise.

use crate::profile::{HitCounts, Mode, each_stored_count};

/// The meaning of an answer for the life that was open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The life goes on, with these counters.
    Continues(Vec<u64>),
    /// The counters started again: the stored life is closed, and the answer opens the next one.
    Restarted,
}

/// Number of counters that are compared together.
const TOGETHER: usize = 8;

/// Tells whether any counter is lower than it was, so that the address should be asked once more.
#[must_use]
pub(crate) fn fell(stored: &[u64], answered: &[u64]) -> bool {
    !only_grew(stored, answered) && any_fell(stored, answered)
}

fn any_fell(stored: &[u64], answered: &[u64]) -> bool {
    stored.iter().zip(answered).any(|(&before, &now)| lift(before, now) < before)
}

/// Tells whether no counter fell and none had wrapped before, so that a life goes on with the counters of the answer.
/// `false` decides nothing.
///
/// The counters of most answers only grew, and most blocks of a large program were never executed. So counters are
/// compared several at a time, and those that were zero are passed over.
#[must_use]
pub(crate) fn only_grew(stored: &[u64], answered: &[u64]) -> bool {
    let grew = |before: &[u64], now: &[u64]| {
        let all = before.iter().fold(0, |all, before| all | before);
        // A count of 32 bits that fell leaves a difference with the highest bit.
        let grown = || before.iter().zip(now).fold(0, |all, (before, now)| all | now.wrapping_sub(*before));
        all == 0 || all <= LOW && grown() >> 63 == 0
    };
    let (together, last) = stored.as_chunks::<TOGETHER>();
    let (together_now, last_now) = answered.as_chunks::<TOGETHER>();
    together.iter().zip(together_now).all(|(before, now)| grew(before, now)) && grew(last, last_now)
}

/// Tells whether a block is hit that was not.
#[must_use]
pub(crate) fn hit_more(stored: &[u64], answered: &[u64]) -> bool {
    let hit = |before: &[u64], now: &[u64]| {
        let new = |(before, now): (&u64, &u64)| if *before == 0 { *now } else { 0 };
        now.iter().fold(0, |all, now| all | now) > 0
            && before.iter().zip(now).fold(0, |all, pair| all | new(pair)) > 0
    };
    let (together, last) = stored.as_chunks::<TOGETHER>();
    let (together_now, last_now) = answered.as_chunks::<TOGETHER>();
    together.iter().zip(together_now).any(|(before, now)| hit(before, now)) || hit(last, last_now)
}

/// The change of counters that only grew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Growth {
    /// A counter is higher than it was.
    pub(crate) has_moved: bool,
    /// A block is hit that was not.
    pub(crate) hit_more: bool,
}

/// Compares an answer with the encoded counters that are stored of the same build; `None` unless they [only
/// grew](only_grew), and for bytes that cannot be decoded.
///
/// Only the blocks that were hit are looked at one by one. Counters of a large program take far more memory when they are
/// decoded, and each pass over that memory costs as much as the decoding.
#[must_use]
pub(crate) fn growth(stored: &[u8], answered: &[u64]) -> Option<Growth> {
    let hit_now = || answered.iter().filter(|&&count| count > 0).count();
    growth_to(stored, answered.len(), |block| answered[block], hit_now)
}

/// Compares an answer with the encoded counters that are stored of the same build, as [`growth`] does.
#[must_use]
pub(crate) fn growth_of_hits(stored: &[u8], answered: &HitCounts) -> Option<Growth> {
    let (hits, mut at) = (answered.hits(), 0);
    let now = |block: usize| {
        while hits.get(at).is_some_and(|hit| (hit.0 as usize) < block) {
            at += 1;
        }
        hits.get(at).filter(|hit| hit.0 as usize == block).map_or(0, |hit| u64::from(hit.1))
    };
    growth_to(stored, answered.blocks(), now, || hits.len())
}

/// Compares stored counters with those of an answer, of which `now` tells that of a block, from the first block to the
/// last one, and `hit_now` how many are above zero.
#[inline]
fn growth_to(
    stored: &[u8],
    blocks: usize,
    mut now: impl FnMut(usize) -> u64,
    hit_now: impl FnOnce() -> usize,
) -> Option<Growth> {
    let (mut all, mut grown, mut hit_before) = (0, 0, 0);
    let decoded = each_stored_count(stored, blocks, |block, before| {
        all |= before;
        // A count of 32 bits that fell leaves a difference with the highest bit.
        grown |= now(block).wrapping_sub(before);
        hit_before += 1;
    });
    if decoded.is_err() || all > LOW || grown >> 63 > 0 {
        return None;
    }
    // Each block that was hit before is still hit, so a larger number now means that some are hit for the first time.
    let hit_more = hit_now() > hit_before;
    Some(Growth { has_moved: hit_more || grown > 0, hit_more })
}

/// Compares an answer block by block with the counters that are stored of the same build.
///
/// - A block that was hit is 0 now, or more than 1 % of the hit blocks (at least 2) fell: the process started again, or
///   its counters were cleared.
/// - Any other fall from above 2^31 to below 2^31 is a uint32 that wrapped: 2^32 is added.
/// - Any other fall is noise in `count` mode: the larger count is kept. In other modes the process started again.
/// - Without a fall the life is the same. A new process that has already passed every count of the old one looks
///   the same, too; then the covered set is still exact, and hits are understated.
#[must_use]
pub(crate) fn judge(mode: Mode, stored: &[u64], answered: &[u64]) -> Verdict {
    assert_eq!(stored.len(), answered.len(), "counters of one build");
    match only_grew(stored, answered) {
        true => Verdict::Continues(answered.to_vec()),
        false => judge_each(mode, stored, answered),
    }
}

fn judge_each(mode: Mode, stored: &[u64], answered: &[u64]) -> Verdict {
    let mut hit = 0_usize;
    let mut fallen = 0_usize;
    for (&before, &now) in stored.iter().zip(answered) {
        if before == 0 {
            continue;
        }
        if now == 0 {
            return Verdict::Restarted;
        }
        hit += 1;
        fallen += usize::from(lift(before, now) < before);
    }
    if fallen >= 2 && fallen * 100 > hit {
        return Verdict::Restarted;
    }
    let continued = stored.iter().zip(answered).map(|(&before, &now)| {
        let lifted = lift(before, now);
        let wrapped = mode != Mode::Set && before & LOW > 1 << 31 && now < 1 << 31;
        match lifted {
            _ if lifted >= before => Some(lifted),
            _ if wrapped => Some(lifted + (1 << 32)),
            _ => (mode == Mode::Count).then_some(before),
        }
    });
    continued.collect::<Option<Vec<u64>>>().map_or(Verdict::Restarted, Verdict::Continues)
}

/// Tells whether an answer goes on with the counters that are stored of the same build.
#[must_use]
pub(crate) fn continues(mode: Mode, stored: &[u64], answered: &[u64]) -> bool {
    !fell(stored, answered) || judge_each(mode, stored, answered) != Verdict::Restarted
}

const LOW: u64 = u32::MAX as u64;

/// Adds the wraps seen so far to what a uint32 counter shows now.
pub(super) fn lift(before: u64, now: u64) -> u64 {
    if now > LOW { now } else { (before & !LOW) + now }
}
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::encode_counts;

    fn continues(counts: &[u64]) -> Verdict {
        Verdict::Continues(counts.to_vec())
    }

    #[test]
    fn counters_that_grew_continue_the_life() {
        assert_eq!(judge(Mode::Count, &[0, 3, 7], &[1, 3, 9]), continues(&[1, 3, 9]));
    }

    #[test]
    fn a_hit_block_that_is_zero_closes_the_life() {
        assert_eq!(judge(Mode::Count, &[5, 3, 7], &[9, 0, 9]), Verdict::Restarted);
        assert_eq!(judge(Mode::Set, &[1, 1], &[1, 0]), Verdict::Restarted);
    }

    #[test]
    fn two_falls_of_few_blocks_close_the_life() {
        assert_eq!(judge(Mode::Count, &[5, 3, 7], &[4, 2, 7]), Verdict::Restarted);
    }

    #[test]
    fn a_lone_small_fall_is_noise_and_the_larger_count_stays() {
        assert_eq!(judge(Mode::Count, &[5, 3, 7], &[4, 3, 8]), continues(&[5, 3, 8]));
    }

    #[test]
    fn a_fall_in_atomic_mode_is_no_noise_but_may_be_a_wrap() {
        assert_eq!(judge(Mode::Atomic, &[5, 3, 7], &[4, 3, 8]), Verdict::Restarted);
        let top = u64::from(u32::MAX);
        assert_eq!(judge(Mode::Atomic, &[top, 3, 7], &[4, 3, 8]), continues(&[(1 << 32) + 4, 3, 8]));
    }

    #[test]
    fn falls_of_one_percent_are_noise_and_of_more_are_a_restart() {
        let stored = vec![10; 200];
        let mut answered = stored.clone();
        answered[..2].fill(9);
        assert_eq!(judge(Mode::Count, &stored, &answered), continues(&stored));
        answered[2] = 9;
        assert_eq!(judge(Mode::Count, &stored, &answered), Verdict::Restarted);
    }

    #[test]
    fn a_lone_fall_across_the_middle_is_a_wrap_each_time_it_happens() {
        let top = u64::from(u32::MAX);
        assert_eq!(judge(Mode::Count, &[top - 1, 3], &[5, 3]), continues(&[(1 << 32) + 5, 3]));
        assert_eq!(judge(Mode::Count, &[(1 << 32) + 5, 3], &[9, 3]), continues(&[(1 << 32) + 9, 3]));
        assert_eq!(judge(Mode::Count, &[(1 << 32) + top, 3], &[9, 3]), continues(&[(2 << 32) + 9, 3]));
    }

    #[test]
    fn a_fall_below_the_middle_is_never_a_wrap() {
        assert_eq!(judge(Mode::Count, &[(1 << 31) - 1, 3], &[5, 3]), continues(&[(1 << 31) - 1, 3]));
    }

    #[test]
    fn a_wrapped_counter_that_is_zero_is_taken_for_a_restart() {
        assert_eq!(judge(Mode::Count, &[1 << 32, 3], &[0, 3]), Verdict::Restarted);
    }

    /// Counters of one build before and now: most are zero, few fell, some are or were beyond 32 bits.
    fn states() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
        let before = prop_oneof![6 => Just(0_u64), 3 => 1_u64..5, 1 => any::<u32>().prop_map(u64::from), 1 => any::<u64>()];
        let grown = prop_oneof![8 => Just(0_u64), 4 => 1_u64..3, 1 => Just(u64::MAX), 1 => any::<u64>()];
        let pairs = prop::collection::vec((before, grown), 0..40);
        pairs.prop_map(|pairs| {
            pairs.into_iter().map(|(before, grown)| (before, before.wrapping_add(grown))).unzip()
        })
    }

    #[test]
    fn growth_is_told_by_the_stored_bytes() {
        let growth = |stored: &[u64], answered: &[u64]| growth(&encode_counts(stored), answered);
        let grown = |has_moved, hit_more| Some(Growth { has_moved, hit_more });
        assert_eq!(growth(&[0, 3, 0, 7], &[0, 3, 0, 7]), grown(false, false));
        assert_eq!(growth(&[0, 3, 0, 7], &[0, 3, 0, 9]), grown(true, false));
        assert_eq!(growth(&[0, 3, 0, 7], &[0, 3, 1, 7]), grown(true, true));
        assert_eq!(growth(&[0, 3, 0, 7], &[5, 2, 0, 7]), None);
        assert_eq!(growth(&[0, 1 << 32], &[0, 1 << 32]), None);
        assert_eq!(growth(&[0, 3], &[0, 3, 0]), None, "counters of another build");
        assert_eq!(super::growth(&[], &[1]), None);
    }

    proptest! {
        #[test]
        fn counters_that_only_grew_are_judged_as_each_by_itself((stored, answered) in states()) {
            if only_grew(&stored, &answered) {
                prop_assert!(!any_fell(&stored, &answered));
                prop_assert_eq!(judge_each(Mode::Count, &stored, &answered), Verdict::Continues(answered.clone()));
            }
            let is_short = |counts: &[u64]| counts.iter().all(|&count| count <= LOW);
            if is_short(&stored) && is_short(&answered) {
                prop_assert_eq!(only_grew(&stored, &answered), !any_fell(&stored, &answered));
            }
            let grown = growth(&encode_counts(&stored), &answered);
            if grown.is_some() {
                prop_assert!(!any_fell(&stored, &answered));
            }
            // Counters that have 64 bits decide nothing, and not always at the same place.
            if answered.iter().all(|count| count >> 63 == 0) {
                let growth = Growth { has_moved: stored != answered, hit_more: hit_more(&stored, &answered) };
                prop_assert_eq!(grown, only_grew(&stored, &answered).then_some(growth));
            }
            let hit_more_now = stored.iter().zip(&answered).any(|(&before, &now)| before == 0 && now > 0);
            prop_assert_eq!(hit_more(&stored, &answered), hit_more_now);
        }

        #[test]
        fn the_same_answer_again_changes_nothing(counts in prop::collection::vec(0_u64..1 << 32, 0..50)) {
            prop_assert!(!fell(&counts, &counts));
            prop_assert_eq!(judge(Mode::Count, &counts, &counts), Verdict::Continues(counts));
        }

        #[test]
        fn a_life_that_goes_on_never_loses_a_count(
            pairs in prop::collection::vec((0_u64..1 << 32, 0_u64..1 << 32), 0..50)
        ) {
            let (stored, answered): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            if let Verdict::Continues(counts) = judge(Mode::Count, &stored, &answered) {
                for ((count, before), now) in counts.iter().zip(&stored).zip(&answered) {
                    prop_assert!(count >= before && (*count > 0 || *now == 0));
                }
            }
        }
    }
}
