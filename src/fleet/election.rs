//! The build group that a key shows, chosen by votes.
//!
//! Each distinct listed address has one *vote*: for the build group of its last answer. So one stray process never
//! decides for long which build group a key shows, even if it was the first.

use std::cmp::{Ordering, Reverse};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::schedule::{self, MAJORITY_AFTER};

/// The time after which a tie is decided for the build group whose address was listed last.
pub(crate) const TIE_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A build group of a key in an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate<E> {
    pub build_group: E,
    /// The key shows this build group.
    pub is_shown: bool,
    /// Number of addresses that serve it: those that answered with it in this pull, and those that were not asked and
    /// answered with it last.
    pub serving: usize,
    /// Position in the center's list of the first address that serves it.
    pub first: usize,
    /// Number of listed addresses whose last answer was of this build group, including those that fail now.
    pub votes: usize,
    /// The latest listing of an address that votes for it: its time, and the position in the list.
    pub listed_last: Option<(DateTime<Utc>, usize)>,
}

/// The state of a key that is kept from one election to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Election<E> {
    /// An election that is not decided yet.
    pub contest: Option<Contest<E>>,
    /// The build group that a person chose. Votes never replace it while it is shown.
    pub chosen: Option<E>,
}

impl<E> Default for Election<E> {
    fn default() -> Self {
        Self { contest: None, chosen: None }
    }
}

impl<E> Election<E> {
    /// Returns the time from which a pull decides the contest.
    #[must_use]
    pub(crate) fn decided_at(&self) -> Option<DateTime<Utc>> {
        self.contest.as_ref().and_then(Contest::decided_at)
    }
}

/// A build group that has at least as many votes as the one shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contest<E> {
    /// The reason for which the other build group may be adopted.
    pub kind: ContestKind,
    /// The build group that is adopted if the votes stay as they are; `None` in a tie that the shown one wins.
    pub winner: Option<E>,
    /// Time of the first of the pulls in a row that found this contest.
    pub since: DateTime<Utc>,
    /// Votes of the winner in the last pull.
    pub votes: usize,
    /// Distinct addresses listed at the last pull.
    pub listed: usize,
}

impl<E> Contest<E> {
    /// Returns the time from which a pull decides it; `None` if the shown build group stays.
    #[must_use]
    pub(crate) fn decided_at(&self) -> Option<DateTime<Utc>> {
        self.winner.as_ref().map(|_| schedule::end_of(self.since, self.kind.wait()))
    }
}

/// The comparison of the votes of two build groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContestKind {
    /// Another build group has more votes than the one shown, or all answering addresses serve it.
    Majority,
    /// Another build group has as many votes as the one shown, and none has more.
    Tie,
}

impl ContestKind {
    /// Returns the word that the database stores and scripts read.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::Tie => "tie",
        }
    }

    /// Returns the kind that a word stands for.
    #[must_use]
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Majority, Self::Tie].into_iter().find(|kind| kind.word() == word)
    }

    /// Returns the time that it has to last before the winner is adopted.
    #[must_use]
    pub(crate) fn wait(self) -> Duration {
        match self {
            Self::Majority => MAJORITY_AFTER,
            Self::Tie => TIE_AFTER,
        }
    }
}

/// The conditions of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ElectionConditions {
    /// Another build group may replace the one shown.
    pub may_adopt: bool,
    /// An address answered in this pull. A pull without an answer learns nothing new about a key.
    pub is_answered: bool,
    /// Number of distinct listed addresses.
    pub listed: usize,
    /// Start of the run.
    pub now: DateTime<Utc>,
}

/// The result of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ElectionResult<E> {
    /// Index of the build group that replaces the one shown; `None` when nothing changes.
    pub adopted: Option<usize>,
    /// The state to keep for the next election.
    pub remembered: Election<E>,
}

/// Decides which build group a key shows after a pull.
///
/// A key that shows no build group adopts the one that most addresses serve; of two with as many, the one listed first.
/// Otherwise, in this order:
/// - No address serves the shown build group, and all answering addresses serve one other, which has at least as many
///   votes: the other is adopted at once.
/// - A person chose the shown build group: it stays.
/// - Another build group leads now, led in a pull [`MAJORITY_AFTER`] ago, and led in every pull between: it is adopted.
///   A build group leads when it has more votes than the shown one, or when all answering addresses serve it, even if
///   more addresses that fail now served the shown one.
/// - Another build group has had as many votes for [`TIE_AFTER`]: of the two, the one whose address was listed last is
///   adopted.
///
/// A build group that no address serves any more is never adopted, however many dead addresses that served it are still
/// listed.
#[must_use]
pub(crate) fn elect<E: Copy + Eq>(
    candidates: &[Candidate<E>],
    remembered: &Election<E>,
    conditions: ElectionConditions,
) -> ElectionResult<E> {
    let ElectionConditions { may_adopt, is_answered, listed, now } = conditions;
    let adopt = |adopted| ElectionResult { adopted: Some(adopted), remembered: Election::default() };
    let served = || candidates.iter().enumerate().filter(|(_, candidate)| candidate.serving > 0);
    let Some((shown_index, shown)) = candidates.iter().enumerate().find(|(_, candidate)| candidate.is_shown)
    else {
        let first = served().max_by_key(|(_, candidate)| (candidate.serving, Reverse(candidate.first)));
        return match first {
            Some((index, _)) => adopt(index),
            None => ElectionResult { adopted: None, remembered: Election::default() },
        };
    };
    let chosen = remembered.chosen.filter(|chosen| *chosen == shown.build_group);
    let keep = |contest| ElectionResult { adopted: None, remembered: Election { contest, chosen } };
    if !may_adopt {
        return keep(None);
    }
    if !is_answered {
        return keep(remembered.contest);
    }
    let is_alone = shown.serving == 0 && served().count() == 1;
    let strongest = served()
        .filter(|(index, _)| *index != shown_index)
        .max_by_key(|(_, candidate)| (candidate.votes, candidate.listed_last));
    let Some((rival_index, rival)) = strongest.filter(|_| is_alone || chosen.is_none()) else {
        return keep(None);
    };
    if is_alone && rival.votes >= shown.votes {
        return adopt(rival_index);
    }
    let (kind, winner) = match rival.votes.cmp(&shown.votes) {
        Ordering::Less if is_alone => (ContestKind::Majority, Some(rival.build_group)),
        Ordering::Less => return keep(None),
        Ordering::Equal if rival.votes == 0 => return keep(None),
        Ordering::Equal => {
            (ContestKind::Tie, (rival.listed_last > shown.listed_last).then_some(rival.build_group))
        }
        Ordering::Greater => (ContestKind::Majority, Some(rival.build_group)),
    };
    // A tie goes on even if its winner changes; a majority goes on only for the same build group.
    let before = remembered.contest.filter(|before| {
        before.kind == kind && (kind == ContestKind::Tie || before.winner == winner) && before.since <= now
    });
    let since = before.map_or(now, |before| before.since);
    if winner.is_some() && before.is_some() && schedule::is_over(since, kind.wait(), now) {
        return adopt(rival_index);
    }
    keep(Some(Contest { kind, winner, since, votes: rival.votes, listed }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + minute * 60, 0).unwrap()
    }

    /// The number of addresses that serve a build group now, its votes, and the minute at which the last of the voting
    /// addresses was listed.
    type Standing = (usize, usize, i64);

    /// Build group 0 is shown, the others follow.
    fn candidates(of: &[Standing]) -> Vec<Candidate<usize>> {
        let candidate = |(build_group, &(serving, votes, listed)): (usize, &Standing)| Candidate {
            build_group,
            is_shown: build_group == 0,
            serving,
            first: build_group,
            votes,
            listed_last: (votes > 0).then(|| (at(listed), build_group)),
        };
        of.iter().enumerate().map(candidate).collect()
    }

    fn conditions(minute: i64) -> ElectionConditions {
        ElectionConditions { may_adopt: true, is_answered: true, listed: 9, now: at(minute) }
    }

    fn contest(kind: ContestKind, winner: Option<usize>, since: i64, votes: usize) -> Election<usize> {
        let contest = Contest { kind, winner, since: at(since), votes, listed: 9 };
        Election { contest: Some(contest), chosen: None }
    }

    /// Runs an election at each of these minutes with these candidates; returns the adopted build groups by minute.
    fn course(pulls: &[(i64, &[Standing])]) -> Vec<(i64, usize)> {
        let mut remembered = Election::default();
        let mut adopted = Vec::new();
        for (minute, of) in pulls {
            let decision = elect(&candidates(of), &remembered, conditions(*minute));
            adopted.extend(decision.adopted.map(|build_group| (*minute, build_group)));
            remembered = decision.remembered;
        }
        adopted
    }

    #[test]
    fn a_new_key_shows_what_most_serve_and_of_two_alike_the_first() {
        let elected = |of: &[(usize, usize)]| {
            let candidate = |(build_group, &(serving, first))| Candidate {
                build_group,
                is_shown: false,
                serving,
                first,
                votes: serving,
                listed_last: None,
            };
            let candidates: Vec<Candidate<usize>> = of.iter().enumerate().map(candidate).collect();
            elect(&candidates, &Election::default(), conditions(0)).adopted
        };
        assert_eq!(elected(&[(1, 0), (2, 1)]), Some(1));
        assert_eq!(elected(&[(1, 4), (1, 2)]), Some(1));
        assert_eq!(elected(&[(0, 4)]), None);
        assert_eq!(elected(&[]), None);
    }

    #[test]
    fn a_new_build_is_adopted_at_once_when_nothing_serves_the_shown_one_and_all_serve_the_new_one() {
        for (of, adopted) in [
            (&[(1, 1, 0), (2, 2, 0)][..], None),
            (&[(0, 0, 0), (2, 2, 0)], Some(1)),
            // Dead addresses that served the shown one are still listed.
            (&[(0, 3, 0), (3, 3, 0)], Some(1)),
            (&[(0, 3, 0), (2, 2, 0)], None),
            (&[(0, 0, 0), (2, 2, 0), (1, 1, 0)], None),
            (&[(0, 0, 0), (0, 0, 0)], None),
            (&[(0, 3, 0), (0, 4, 0)], None),
        ] {
            let decision = elect(&candidates(of), &Election::default(), conditions(0));
            assert_eq!(decision.adopted, adopted, "{of:?}");
        }
        let switched_off = ElectionConditions { may_adopt: false, ..conditions(0) };
        assert_eq!(
            elect(&candidates(&[(0, 0, 0), (2, 2, 0)]), &Election::default(), switched_off).adopted,
            None
        );
    }

    #[test]
    fn one_pull_in_which_all_of_the_shown_build_fail_lets_no_smaller_build_take_its_place() {
        let (failing, answering) = (&[(0, 4, 0), (1, 1, 0)][..], &[(4, 4, 0), (1, 1, 0)][..]);
        assert_eq!(course(&[(0, failing), (5, answering), (10, failing), (14, failing)]), []);
        assert_eq!(course(&[(0, failing), (5, failing)]), [(5, 1)]);
        // A build that a person chose gives way to a deploy in the same way.
        let chosen = Election { contest: None, chosen: Some(0) };
        let pending = elect(&candidates(failing), &chosen, conditions(0)).remembered;
        assert_eq!(elect(&candidates(failing), &pending, conditions(5)).adopted, Some(1));
    }

    #[test]
    fn a_majority_is_adopted_when_a_pull_five_minutes_later_finds_it_again() {
        let (ahead, behind): (&[_], &[_]) = (&[(1, 1, 0), (2, 2, 0)], &[(2, 2, 0), (1, 1, 0)]);
        assert_eq!(course(&[(0, ahead), (5, ahead)]), [(5, 1)]);
        assert_eq!(course(&[(0, ahead), (1, ahead), (4, ahead), (5, ahead)]), [(5, 1)]);
        assert_eq!(course(&[(0, ahead), (4, ahead)]), []);
        assert_eq!(course(&[(0, behind), (5, behind), (500, behind)]), []);
        // A pull in between that finds no majority starts the wait again.
        assert_eq!(course(&[(0, ahead), (4, behind), (5, ahead), (9, ahead), (10, ahead)]), [(10, 1)]);
        // The votes decide, not the number of addresses that answer now.
        assert_eq!(course(&[(0, &[(1, 3, 0), (2, 2, 0)]), (5, &[(1, 3, 0), (2, 2, 0)])]), []);
        assert_eq!(course(&[(0, &[(1, 1, 0), (1, 2, 0)]), (5, &[(1, 1, 0), (1, 2, 0)])]), [(5, 1)]);
    }

    #[test]
    fn the_majority_has_to_be_that_of_one_build() {
        let (one, other): (&[_], &[_]) =
            (&[(1, 1, 0), (3, 3, 0), (2, 2, 0)], &[(1, 1, 0), (2, 2, 0), (3, 3, 0)]);
        assert_eq!(course(&[(0, one), (5, other), (9, other), (10, other)]), [(10, 2)]);
        // Of two with as many votes the one whose address was listed last is ahead.
        let alike: &[_] = &[(1, 1, 0), (2, 2, 7), (2, 2, 3)];
        assert_eq!(course(&[(0, alike), (5, alike)]), [(5, 1)]);
    }

    #[test]
    fn a_timer_may_fire_a_moment_early() {
        let of = candidates(&[(1, 1, 0), (2, 2, 0)]);
        let before = contest(ContestKind::Majority, Some(1), 0, 2);
        for (early, adopted) in [(30, Some(1)), (31, None)] {
            let now = at(5) - chrono::TimeDelta::seconds(early);
            assert_eq!(
                elect(&of, &before, ElectionConditions { now, ..conditions(0) }).adopted,
                adopted,
                "{early}"
            );
        }
    }

    #[test]
    fn a_tie_keeps_the_build_shown_for_a_day_and_then_the_one_listed_last_is_adopted() {
        const DAY: i64 = 24 * 60;
        let later: &[_] = &[(1, 1, 0), (1, 1, 5)];
        assert_eq!(course(&[(0, later), (5, later), (DAY - 2, later), (DAY, later)]), [(DAY, 1)]);
        let earlier: &[_] = &[(1, 1, 5), (1, 1, 0)];
        assert_eq!(course(&[(0, earlier), (DAY, earlier), (3 * DAY, earlier)]), []);
        // The addresses were listed at the same time, so the position decides.
        let together: &[_] = &[(1, 1, 0), (1, 1, 0)];
        assert_eq!(course(&[(0, together), (DAY, together)]), [(DAY, 1)]);
        // The tie goes on even if its winner changes, and starts again after a majority of either.
        assert_eq!(course(&[(0, later), (60, earlier), (DAY, later)]), [(DAY, 1)]);
        assert_eq!(course(&[(0, later), (60, &[(2, 2, 0), (1, 1, 5)]), (DAY, later)]), []);
        assert_eq!(course(&[(0, &[(1, 0, 0), (1, 0, 0)]), (DAY, &[(1, 0, 0), (1, 0, 0)])]), []);
    }

    #[test]
    fn what_is_pending_is_remembered_with_the_time_of_its_decision() {
        let decide = |of: &[Standing], before: &Election<usize>, minute| {
            elect(&candidates(of), before, conditions(minute)).remembered
        };
        let majority = decide(&[(1, 1, 0), (2, 2, 0)], &Election::default(), 0);
        assert_eq!(majority, contest(ContestKind::Majority, Some(1), 0, 2));
        assert_eq!(majority.decided_at(), Some(at(5)));
        assert_eq!(
            decide(&[(1, 1, 0), (3, 3, 0)], &majority, 2),
            contest(ContestKind::Majority, Some(1), 0, 3)
        );
        let tie = decide(&[(1, 1, 0), (1, 1, 1)], &majority, 2);
        assert_eq!(tie, contest(ContestKind::Tie, Some(1), 2, 1));
        assert_eq!(tie.decided_at(), Some(at(2 + 24 * 60)));
        let won = decide(&[(1, 1, 1), (1, 1, 0)], &tie, 3);
        assert_eq!(won, contest(ContestKind::Tie, None, 2, 1));
        assert_eq!(won.decided_at(), None);
        assert_eq!(decide(&[(2, 2, 0), (1, 1, 0)], &tie, 3), Election::default());
        // A contest that began in the future was made by a clock that went back.
        assert_eq!(
            decide(&[(1, 1, 0), (2, 2, 0)], &contest(ContestKind::Majority, Some(1), 9, 2), 3),
            contest(ContestKind::Majority, Some(1), 3, 2)
        );
    }

    #[test]
    fn a_pull_without_an_answer_decides_nothing() {
        let of = candidates(&[(1, 1, 0), (2, 2, 0)]);
        let before = contest(ContestKind::Majority, Some(1), 0, 2);
        let silent = ElectionConditions { is_answered: false, ..conditions(60) };
        assert_eq!(elect(&of, &before, silent), ElectionResult { adopted: None, remembered: before });
    }

    #[test]
    fn no_vote_replaces_what_a_person_chose_or_where_adoption_is_off() {
        let of = candidates(&[(1, 1, 0), (2, 2, 0)]);
        let chosen = Election { chosen: Some(0), ..contest(ContestKind::Majority, Some(1), 0, 2) };
        let kept = ElectionResult { adopted: None, remembered: Election { contest: None, chosen: Some(0) } };
        assert_eq!(elect(&of, &chosen, conditions(60)), kept);
        // A deploy ends the choice once no address serves the chosen build group any more.
        let deployed = elect(&candidates(&[(0, 0, 0), (2, 2, 0)]), &chosen, conditions(60));
        assert_eq!(deployed, ElectionResult { adopted: Some(1), remembered: Election::default() });
        // A choice of a build group that is no longer shown has no effect.
        let former = Election { chosen: Some(7), ..contest(ContestKind::Majority, Some(1), 0, 2) };
        assert_eq!(elect(&of, &former, conditions(60)).adopted, Some(1));
        let off = ElectionConditions { may_adopt: false, ..conditions(60) };
        let before = contest(ContestKind::Majority, Some(1), 0, 2);
        assert_eq!(
            elect(&of, &before, off),
            ElectionResult { adopted: None, remembered: Election::default() }
        );
    }

    /// The listed addresses, each with the build group that it served last and whether it answers now.
    fn world() -> impl Strategy<Value = Vec<(usize, bool)>> {
        prop::collection::vec((0..4_usize, prop::bool::weighted(0.8)), 1..9)
    }

    fn standing(listed: &[(usize, bool)], shown: usize) -> Vec<Candidate<usize>> {
        let candidate = |build_group| {
            let votes = || listed.iter().enumerate().filter(move |(_, (of, _))| *of == build_group);
            let serving = || votes().filter(|(_, (_, answers))| *answers);
            Candidate {
                build_group,
                is_shown: build_group == shown,
                serving: serving().count(),
                first: serving().map(|(place, _)| place).next().unwrap_or(usize::MAX),
                votes: votes().count(),
                listed_last: votes().map(|(place, _)| (at(0), place)).next_back(),
            }
        };
        (0..4).map(candidate).collect()
    }

    proptest! {
        /// The property is checked on histories in which processes come, go and change, with pulls in between.
        #[test]
        fn only_a_lasting_majority_a_long_tie_or_a_deploy_replaces_the_build_shown(
            history in prop::collection::vec((world(), 1..30_i64), 1..40),
        ) {
            let (mut shown, mut remembered) = (0, Election::default());
            // The minute since which each build group has led, and the minute since which it has had at least as many
            // votes as the shown one.
            let mut ahead: [Option<i64>; 4] = [None; 4];
            let mut tied: Option<i64> = None;
            let mut minute = 0;
            for (listed, pause) in history {
                minute += pause;
                let of = standing(&listed, shown);
                let is_answered = of.iter().any(|candidate| candidate.serving > 0);
                let decision = elect(&of, &remembered, ElectionConditions { is_answered, ..conditions(minute) });
                remembered = decision.remembered;
                if is_answered {
                    for (build_group, since) in ahead.iter_mut().enumerate() {
                        let others = of.iter().filter(|it| it.build_group != build_group);
                        let is_alone = of[build_group].serving > 0 && others.clone().all(|it| it.serving == 0);
                        let is_ahead = of[build_group].votes > of[shown].votes || (build_group != shown && is_alone);
                        *since = since.filter(|_| is_ahead).or(is_ahead.then_some(minute));
                    }
                    let is_tied = of.iter().any(|other| !other.is_shown && other.votes == of[shown].votes);
                    tied = tied.filter(|_| is_tied).or(is_tied.then_some(minute));
                }
                let Some(adopted) = decision.adopted else { continue };
                let all_serve_it = || of.iter().all(|it| it.serving == 0 || it.build_group == adopted);
                let is_deploy = of[adopted].votes >= of[shown].votes && all_serve_it();
                let has_majority = ahead[adopted].is_some_and(|since| minute - since >= 5);
                let has_tie = of[adopted].votes == of[shown].votes
                    && tied.is_some_and(|since| minute - since >= 24 * 60 - 1)
                    && of[adopted].listed_last > of[shown].listed_last;
                prop_assert!(of[adopted].serving > 0, "{adopted} is served by nobody");
                prop_assert!(is_deploy || has_majority || has_tie, "{adopted} in place of {shown}");
                (shown, ahead, tied) = (adopted, [None; 4], None);
            }
        }

        #[test]
        fn where_nothing_changes_any_more_the_build_shown_settles(listed in world(), shown in 0..4_usize) {
            let (mut shown, mut remembered, mut last_change) = (shown, Election::default(), 0);
            for minute in (0..6 * 24 * 60).step_by(5) {
                let of = standing(&listed, shown);
                let is_answered = of.iter().any(|candidate| candidate.serving > 0);
                let decision = elect(&of, &remembered, ElectionConditions { is_answered, ..conditions(minute) });
                remembered = decision.remembered;
                if let Some(adopted) = decision.adopted {
                    (shown, last_change) = (adopted, minute);
                }
            }
            prop_assert!(last_change < 3 * 24 * 60, "{shown} was adopted at {last_change}");
            let of = standing(&listed, shown);
            let is_behind = |other: &Candidate<usize>| other.serving == 0 || other.votes <= of[shown].votes;
            prop_assert!(of.iter().all(is_behind), "{shown} is shown of {of:?}");
        }
    }
}
