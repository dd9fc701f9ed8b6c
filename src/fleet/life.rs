//! The lives of an address after an answer: which one goes on, which ones ended, and whether one begins.

use super::change::Change;
use super::counters::{self, Verdict};
use super::ids::{BuildGroupId, LifeId, StructureId};
use super::records::{LastAnswer, Life};
use super::shared_address::SharedPlace;
use super::snapshot::{ClockDoubt, LifeTimes, ResumedLife, beyond, larger};
use crate::profile::{Mode, add_all, encode_counts};
use chrono::{DateTime, Utc};

/// A stored life with its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredLife {
    pub(crate) life: Life,
    pub(crate) counts: Vec<u64>,
}

/// The life to which an answer belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LifeDecision {
    /// A stored life goes on, with these counters.
    Continues {
        life: LifeId,
        counts: Vec<u64>,
        /// The life was taken for ended.
        is_reopened: bool,
        /// The counters differ from the stored ones.
        has_moved: bool,
        /// The counters equal those of the answer.
        is_as_answered: bool,
    },
    /// A life begins with the counters of the answer.
    Begins { counts: Vec<u64> },
    /// The answer is older than the last one of its address, or has nothing that is not stored. No life ends.
    Late {
        /// The life to which it belongs; `None`: a life of its own, which is over.
        life: Option<Life>,
        /// The counters that the life has then.
        counts: Vec<u64>,
        /// The counters differ from the stored ones.
        has_moved: bool,
    },
}

impl LifeDecision {
    /// Returns the counters of the life after the answer.
    pub(crate) fn counts(&self) -> &[u64] {
        match self {
            Self::Continues { counts, .. } | Self::Begins { counts } | Self::Late { counts, .. } => counts,
        }
    }

    /// Tells whether the life may have executed blocks that it had not when its counters were these.
    pub(crate) fn covers_more(&self, previous: Option<&StoredLife>) -> bool {
        match (self, previous) {
            (Self::Continues { counts, is_reopened: false, .. }, Some(previous)) => {
                counters::hit_more(&previous.counts, counts)
            }
            _ => true,
        }
    }

    /// Tells whether the answer ends an open life of its address.
    pub(crate) fn ends(&self, open: &Life) -> bool {
        match self {
            Self::Continues { life, .. } => *life != open.id,
            Self::Begins { .. } => true,
            Self::Late { .. } => false,
        }
    }
}

/// Decides what an answer means that is older than the last one of its address, or has nothing that is not stored.
/// `life` is the one to which it belongs, if it is known.
pub(crate) fn decide_late(mode: Mode, life: Option<&StoredLife>, answered: Vec<u64>) -> LifeDecision {
    let Some(StoredLife { life, counts: stored }) = life else {
        return LifeDecision::Late { life: None, counts: answered, has_moved: true };
    };
    let counts = if counters::fell(&answered, stored) {
        match counters::judge(mode, stored, &answered) {
            Verdict::Continues(counts) => counts,
            Verdict::Restarted => larger(stored, &answered),
        }
    } else {
        stored.clone()
    };
    LifeDecision::Late { life: Some(life.clone()), has_moved: counts != *stored, counts }
}

/// Decides whether an answer goes on with a stored life.
pub(crate) fn decide_life(mode: Mode, previous: Option<&StoredLife>, answered: Vec<u64>) -> LifeDecision {
    let Some(StoredLife { life, counts: stored }) = previous else {
        return LifeDecision::Begins { counts: answered };
    };
    let (is_reopened, life) = (life.closed_at.is_some(), life.id);
    if counters::only_grew(stored, &answered) {
        let (has_moved, is_as_answered) = (*stored != answered, true);
        return LifeDecision::Continues { life, counts: answered, is_reopened, has_moved, is_as_answered };
    }
    match counters::judge(mode, stored, &answered) {
        Verdict::Restarted => LifeDecision::Begins { counts: answered },
        Verdict::Continues(counts) => LifeDecision::Continues {
            life,
            is_reopened,
            has_moved: *stored != counts,
            is_as_answered: counts == answered,
            counts,
        },
    }
}

/// Tells whether an answer may go on with a life that was taken for ended, so that the closed lives have to be read.
///
/// `open` are the counters of the open life with the answer's build, `here` all lives of the address. An answer that
/// goes on with the open life belongs to another one only after a clock went back.
pub(crate) fn may_be_of_another(
    mode: Mode,
    open: Option<&[u64]>,
    answered: &[u64],
    doubt: &ClockDoubt,
    here: impl Iterator<Item = LifeTimes>,
) -> bool {
    let goes_on = open.is_some_and(|stored| counters::continues(mode, stored, answered));
    !goes_on || doubt.concerns_closed(here)
}

/// Lives that may hold counts of the life to which an answer belongs: the mixture of its address, and further lives that
/// the answer may go on with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RivalLives {
    pub(crate) lives: Vec<Life>,
    /// The counters that they keep together, without those that the answer has now.
    pub(crate) counts: Vec<u64>,
}

impl RivalLives {
    /// Returns the changes that combine these lives into one life with their counters. A mixture that grows is closed
    /// anew, because it stays for as long as a life that stood beside it then.
    fn changes(&self, mode: Mode, now: DateTime<Utc>) -> Vec<Change> {
        let Some((&Life { id, pulled_at: at, is_mixture, .. }, gone)) = self.lives.split_first() else {
            return Vec::new();
        };
        let counts = encode_counts(&self.counts);
        let moved = Change::LifeMoved { id, mode, at, counts, answer: None };
        let mixed = (!is_mixture).then_some(Change::LifeMixed(id));
        let closed = (!is_mixture || !gone.is_empty()).then_some(Change::LifeClosed(id, now));
        let folded = gone.iter().map(|gone| Change::LifeFolded(gone.id));
        [moved].into_iter().chain(mixed).chain(closed).chain(folded).collect()
    }
}

/// The stored lives that concern an answer.
#[derive(Debug, Default)]
pub(crate) struct KnownLives {
    /// The life that the answer may go on with.
    pub(crate) previous: Option<StoredLife>,
    /// The others with which the answer may go on as well.
    pub(crate) others: Vec<Life>,
    /// Counters of the others together.
    pub(crate) rest: Vec<u64>,
    /// The counts beyond which the answer brings something new; `None`: those of the previous life.
    pub(crate) least: Option<Vec<u64>>,
    /// The mixture of the address.
    pub(crate) mixture: Option<StoredLife>,
    /// The answer is older than the last one of its address, or `previous` has all its counts. So it ends no life.
    pub(crate) is_late: bool,
    /// The address answers for several processes with the same names.
    pub(crate) is_shared: bool,
}

impl KnownLives {
    /// Returns the lives that concern an answer of an address with several processes, by its place among `lives`.
    /// `mixture` is that of the address.
    pub(crate) fn for_shared(place: SharedPlace, lives: &[Life], mixture: Option<StoredLife>) -> Self {
        let SharedPlace { resumed, given_up, mixed } = place;
        let mut others: Vec<Life> = given_up.iter().map(|&index| lives[index].clone()).collect();
        let mixture = match mixture {
            Some(StoredLife { life, mut counts }) => {
                add_all(&mut counts, &mixed);
                Some(StoredLife { life, counts })
            }
            None if others.is_empty() => None,
            None => Some(StoredLife { life: others.remove(0), counts: mixed }),
        };
        let Some(ResumedLife { index, then, others: rivals, rest, least }) = resumed else {
            return Self { others, mixture, is_shared: true, ..Self::default() };
        };
        others.extend(rivals.into_iter().map(|index| lives[index].clone()));
        let previous = Some(StoredLife { life: lives[index].clone(), counts: then });
        Self { previous, others, rest, least: Some(least), mixture, is_shared: true, ..Self::default() }
    }

    /// Decides to which of the lives an answer belongs.
    pub(crate) fn decide(&self, mode: Mode, answered: Vec<u64>) -> LifeDecision {
        if self.is_late {
            return decide_late(mode, self.previous.as_ref(), answered);
        }
        decide_life(mode, self.previous.as_ref(), answered)
    }

    /// Returns the lives that change beside the one that the answer is of.
    ///
    /// The mixture may have counted before what the answer brings, so this is taken from it.
    pub(crate) fn rivals(self, decision: &LifeDecision) -> RivalLives {
        let Self { previous, others, rest, least, mixture, is_late: _, is_shared: _ } = self;
        let Some(StoredLife { life, counts: then }) = mixture else {
            return RivalLives { lives: others, counts: rest };
        };
        let before = match decision {
            LifeDecision::Begins { .. } | LifeDecision::Late { life: None, .. } => Vec::new(),
            LifeDecision::Continues { .. } | LifeDecision::Late { .. } => {
                least.or(previous.map(|previous| previous.counts)).unwrap_or_default()
            }
        };
        let mut left = beyond(&then, &beyond(decision.counts(), &before));
        add_all(&mut left, &rest);
        if others.is_empty() && left == then && life.is_mixture {
            return RivalLives::default();
        }
        RivalLives { lives: [life].into_iter().chain(others).collect(), counts: left }
    }
}

/// An answer whose life is decided.
pub(crate) struct DecidedAnswer<'a> {
    pub(crate) address: &'a str,
    pub(crate) build_group: BuildGroupId,
    pub(crate) structure: StructureId,
    pub(crate) mode: Mode,
    pub(crate) at: DateTime<Utc>,
    /// The digest by which the same answer is recognised later.
    pub(crate) to_remember: Option<LastAnswer>,
    pub(crate) rivals: &'a RivalLives,
}

/// The changes of stored records that an answer brings.
#[derive(Debug)]
pub(crate) struct LifeChanges {
    /// The life to which the answer belongs.
    pub(crate) life: LifeId,
    /// Changes after which a row has to be decided.
    pub(crate) changes: Vec<Change>,
    /// The change that remembers the answer, if it showed the stored counters again.
    pub(crate) remembered: Option<Change>,
}

/// Returns the changes of an answer, without the end of other lives. `new_id` is called when a life begins.
pub(crate) fn changes(
    decision: &LifeDecision,
    answer: DecidedAnswer<'_>,
    new_id: impl FnOnce() -> LifeId,
) -> LifeChanges {
    let DecidedAnswer { address, build_group, structure, mode, at, to_remember, rivals } = answer;
    let mut changes = Vec::new();
    let mut remembered = None;
    let life = match decision {
        LifeDecision::Continues { life, counts, is_reopened, has_moved, is_as_answered } => {
            changes.extend(is_reopened.then_some(Change::LifeReopened(*life)));
            let answer = to_remember.filter(|_| *is_as_answered);
            if *has_moved {
                let counts = encode_counts(counts);
                changes.push(Change::LifeMoved { id: *life, mode, at, counts, answer });
            } else {
                remembered = answer.map(|answer| Change::AnswerRemembered(*life, answer));
            }
            *life
        }
        LifeDecision::Late { life: Some(life), counts, has_moved } => {
            let (id, counts) = (life.id, encode_counts(counts));
            // The life is not read later than those that were read after it.
            let moved = Change::LifeMoved { id, mode, at: life.pulled_at, counts, answer: None };
            changes.extend(has_moved.then_some(moved));
            // A life that is over stays for as long as if it were over now.
            let is_over = *has_moved && life.closed_at.is_some();
            changes.extend(is_over.then_some(Change::LifeClosed(id, at)));
            id
        }
        LifeDecision::Begins { counts } | LifeDecision::Late { life: None, counts, .. } => {
            let id = new_id();
            let counts = encode_counts(counts);
            let closed_at = matches!(decision, LifeDecision::Late { .. }).then_some(at);
            let (address, answer) = (Some(address.to_owned()), to_remember.filter(|_| closed_at.is_none()));
            changes.push(Change::LifeOpened {
                id,
                build_group,
                structure,
                address,
                mode,
                at,
                closed_at,
                counts,
                answer,
            });
            id
        }
    };
    changes.extend(rivals.changes(mode, at));
    LifeChanges { life, changes, remembered }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::{at, life, words};

    fn stored(counts: &[u64]) -> StoredLife {
        StoredLife { life: life(7, 1, 1, "a"), counts: counts.to_vec() }
    }

    fn closed(counts: &[u64]) -> StoredLife {
        let life = Life { closed_at: Some(at(1)), ..life(7, 1, 1, "a") };
        StoredLife { life, counts: counts.to_vec() }
    }

    fn decided(previous: Option<&StoredLife>, answered: &[u64]) -> LifeDecision {
        decide_life(Mode::Count, previous, answered.to_vec())
    }

    fn continues(counts: &[u64], has_moved: bool, is_as_answered: bool) -> LifeDecision {
        let (life, counts) = (LifeId(7), counts.to_vec());
        LifeDecision::Continues { life, counts, is_reopened: false, has_moved, is_as_answered }
    }

    fn begins(counts: &[u64]) -> LifeDecision {
        LifeDecision::Begins { counts: counts.to_vec() }
    }

    /// The life of an answer, its changes in words, and the remembered answer in words.
    fn changed(decision: &LifeDecision, rivals: &RivalLives) -> (i64, Vec<String>, Vec<String>) {
        let to_remember = Some(LastAnswer { fraction: "1/2".to_owned(), answer_digest: vec![1] });
        let answer = DecidedAnswer {
            address: "http://a:1",
            build_group: BuildGroupId(1),
            structure: StructureId(1),
            mode: Mode::Count,
            at: at(15),
            to_remember,
            rivals,
        };
        let changes = changes(decision, answer, || LifeId(9));
        let remembered: Vec<Change> = changes.remembered.into_iter().collect();
        (changes.life.0, words(&changes.changes), words(&remembered))
    }

    #[test]
    fn a_life_covers_more_when_it_begins_or_executes_a_block_that_it_had_not() {
        let previous = StoredLife { life: life(7, 1, 1, "a"), counts: vec![3, 0, 1] };
        let covers_more = |answered: &[u64]| {
            decide_life(Mode::Atomic, Some(&previous), answered.to_vec()).covers_more(Some(&previous))
        };
        assert!(!covers_more(&[9, 0, 1]));
        assert!(covers_more(&[9, 1, 1]));
        assert!(covers_more(&[0, 0, 1]), "another life begins");
        assert!(decide_life(Mode::Atomic, None, vec![1]).covers_more(None));
    }

    #[test]
    fn an_answer_at_an_address_without_a_life_begins_one() {
        assert_eq!(decided(None, &[1, 0]), begins(&[1, 0]));
    }

    #[test]
    fn counters_that_grew_or_stayed_go_on_with_the_life() {
        assert_eq!(decided(Some(&stored(&[1, 0])), &[2, 1]), continues(&[2, 1], true, true));
        assert_eq!(decided(Some(&stored(&[1, 0])), &[1, 0]), continues(&[1, 0], false, true));
    }

    #[test]
    fn a_counter_that_fell_a_little_keeps_the_larger_count() {
        assert_eq!(decided(Some(&stored(&[5, 3, 7])), &[4, 3, 8]), continues(&[5, 3, 8], true, false));
        assert_eq!(decided(Some(&stored(&[5, 3, 7])), &[4, 3, 7]), continues(&[5, 3, 7], false, false));
    }

    #[test]
    fn a_hit_block_that_is_zero_again_begins_a_life() {
        assert_eq!(decided(Some(&stored(&[5, 3])), &[9, 0]), begins(&[9, 0]));
    }

    #[test]
    fn a_life_that_was_taken_for_over_is_opened_again() {
        let decision = decided(Some(&closed(&[1, 0])), &[2, 0]);
        assert!(matches!(decision, LifeDecision::Continues { is_reopened: true, has_moved: true, .. }));
        let changes = vec!["reopened 7".to_owned(), "moved 7 known".to_owned()];
        assert_eq!(changed(&decision, &RivalLives::default()), (7, changes, vec![]));
    }

    #[test]
    fn every_open_life_but_that_which_goes_on_is_over() {
        let (own, other) = (life(7, 1, 1, "a"), life(8, 2, 2, "a"));
        let goes_on = continues(&[1], true, true);
        assert_eq!((goes_on.ends(&own), goes_on.ends(&other)), (false, true));
        assert_eq!((begins(&[1]).ends(&own), begins(&[1]).ends(&other)), (true, true));
    }

    #[test]
    fn a_life_that_begins_is_stored_under_a_new_id_and_its_answer_is_known_again() {
        let changes = vec!["opened 9 known".to_owned()];
        assert_eq!(changed(&begins(&[1, 0]), &RivalLives::default()), (9, changes, vec![]));
    }

    #[test]
    fn an_answer_whose_counters_are_stored_changes_nothing_and_is_remembered_by_itself() {
        let same = continues(&[1, 0], false, true);
        assert_eq!(changed(&same, &RivalLives::default()), (7, vec![], vec!["remembered 7".to_owned()]));
    }

    #[test]
    fn an_answer_with_a_counter_that_fell_is_not_known_again() {
        let noise = continues(&[5, 8], true, false);
        assert_eq!(changed(&noise, &RivalLives::default()), (7, vec!["moved 7".to_owned()], vec![]));
        assert_eq!(changed(&continues(&[5, 3], false, false), &RivalLives::default()), (7, vec![], vec![]));
    }

    #[test]
    fn lives_that_may_be_the_same_are_left_as_one_beside_it() {
        let lives = vec![life(4, 1, 1, "a"), life(5, 1, 1, "a"), life(6, 1, 1, "a")];
        let rivals = RivalLives { lives, counts: vec![1, 0] };
        let changes = ["moved 7 known", "moved 4", "mixed 4", "closed 4", "folded 5", "folded 6"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(changed(&continues(&[2, 0], true, true), &rivals), (7, changes, vec![]));
    }

    /// The ids and counters that change beside a life, with what is known of its address.
    fn rivals(known: KnownLives, decision: &LifeDecision) -> (Vec<i64>, Vec<u64>) {
        let RivalLives { lives, counts } = known.rivals(decision);
        (lives.iter().map(|known| known.id.0).collect(), counts)
    }

    fn mixture(counts: &[u64]) -> StoredLife {
        let life = Life { is_mixture: true, ..life(3, 1, 1, "a") };
        StoredLife { life, counts: counts.to_vec() }
    }

    #[test]
    fn what_an_answer_brings_is_taken_from_the_mixture() {
        let goes_on =
            |mixture| KnownLives { previous: Some(stored(&[5, 1])), mixture, ..KnownLives::default() };
        let moved = continues(&[7, 1], true, true);
        assert_eq!(rivals(goes_on(Some(mixture(&[3, 9]))), &moved), (vec![3], vec![1, 9]));
        assert_eq!(rivals(goes_on(Some(mixture(&[0, 9]))), &moved), (vec![], vec![]), "nothing of it moves");
        assert_eq!(rivals(goes_on(None), &moved), (vec![], vec![]));
        // All that a life counts which begins.
        assert_eq!(rivals(goes_on(Some(mixture(&[3, 9]))), &begins(&[1, 2])), (vec![3], vec![2, 7]));
    }

    #[test]
    fn two_mixtures_become_one_which_loses_what_an_answer_brings() {
        let second = Life { is_mixture: true, ..life(4, 1, 1, "a") };
        let previous = Some(stored(&[5, 1]));
        let known = KnownLives {
            previous,
            others: vec![second],
            mixture: Some(mixture(&[3, 9])),
            ..KnownLives::default()
        };
        assert_eq!(rivals(known, &continues(&[7, 1], true, true)), (vec![3, 4], vec![1, 9]));
    }

    #[test]
    fn lives_that_may_be_the_same_join_the_mixture_and_the_smallest_of_them_tells_what_the_answer_brings() {
        let known = |mixture| KnownLives {
            previous: Some(stored(&[5, 1])),
            others: vec![life(4, 1, 1, "a")],
            rest: vec![2, 1],
            least: Some(vec![2, 1]),
            mixture,
            ..KnownLives::default()
        };
        let moved = continues(&[7, 1], true, true);
        assert_eq!(rivals(known(None), &moved), (vec![4], vec![2, 1]));
        assert_eq!(rivals(known(Some(mixture(&[6, 9]))), &moved), (vec![3, 4], vec![1 + 2, 9 + 1]));
    }

    #[test]
    fn closed_lives_are_looked_at_where_the_open_one_does_not_go_on() {
        let doubt = ClockDoubt::new(at(15), Vec::new());
        let may_be = |open: Option<&[u64]>, answered: &[u64]| {
            may_be_of_another(Mode::Count, open, answered, &doubt, std::iter::empty())
        };
        assert!(may_be(None, &[1]));
        assert!(may_be(Some(&[5, 3]), &[9, 0]));
        assert!(!may_be(Some(&[5, 3]), &[5, 4]));
        // One counter that fell a little is noise.
        assert!(!may_be(Some(&[5, 3]), &[4, 3]));
    }

    #[test]
    fn closed_lives_of_a_time_in_doubt_are_looked_at_though_the_open_one_goes_on() {
        let doubt = ClockDoubt::new(at(15), Vec::new());
        let life = |closed: i64| LifeTimes {
            opened_at: at(0),
            pulled_at: at(0),
            closed_at: Some(at(closed)),
            is_from_before_jump: false,
            is_mixture: false,
        };
        let may_be = |life| may_be_of_another(Mode::Count, Some(&[1]), &[2], &doubt, [life].into_iter());
        assert!(!may_be(life(10)));
        // The life ended later than now, so the clock went back.
        assert!(may_be(life(60)));
    }
}
