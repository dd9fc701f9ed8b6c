//! The decision whether a pull stores a row, made without counters where possible, and else with their sum.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::ids::BuildGroupId;
use super::key_state::KeyState;
use super::pull_rules::ChangeRule;
use super::records::Life;
use super::records::ScheduleRow;
use super::row::RowStats;
use crate::coverage::Coverage;
use crate::profile::Fingerprint;

/// A key whose row is to be decided.
#[derive(Clone, Copy)]
pub(crate) struct RowQuestion<'a> {
    /// The build group that the key shows.
    pub(crate) build_group: BuildGroupId,
    /// The change of the group's counters in this run; [`Moved::Covered`] also if a snapshot of the key was taken in.
    pub(crate) moved: Moved,
    /// Figures of the latest row, which may be of another build group.
    pub(crate) latest: Option<&'a RowStats>,
    pub(crate) old: &'a ScheduleRow,
    pub(crate) rule: ChangeRule,
    pub(crate) row_at_least_every: Duration,
    /// A person gives the row of now a name, so a row is stored even if nothing moved.
    pub(crate) is_marked: bool,
    pub(crate) now: DateTime<Utc>,
}

/// The change of a build group's counters in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moved {
    #[default]
    Nothing,
    /// Counts grew of blocks that their process had executed before, so the covered set is the same.
    Counts,
    /// The covered set may have grown.
    Covered,
}

/// The first decision about a row, which needs no counters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RowDecision<'s> {
    /// The latest row stays the latest.
    Stands(KeyFigures),
    /// The key has no counters to show.
    Nothing,
    /// The row is decided by a sum: the stored counters of these lives and the answers of this run.
    Sum(Vec<&'s Life>),
}

/// The figures that a key shows after a pull.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyFigures {
    pub(crate) changed: bool,
    pub(crate) coverage: Option<Coverage>,
    pub(crate) counts_moved_at: Option<DateTime<Utc>>,
}

/// The figures of the sum of all counters of a build group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupFigures {
    pub(crate) coverage: Coverage,
    pub(crate) covered_digest: Fingerprint,
    pub(crate) counts_digest: Fingerprint,
}

impl GroupFigures {
    /// Returns the figures for a row of a build group.
    pub(crate) fn stats(self, build_group: BuildGroupId, answered: u32, listed: u32) -> RowStats {
        let Self { coverage, covered_digest, counts_digest } = self;
        RowStats { build_group, coverage, covered_digest, counts_digest, answered, listed }
    }
}

/// The final decision about a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowConclusion {
    pub(crate) shown: KeyFigures,
    /// A row is stored.
    pub(crate) is_stored: bool,
}

impl RowQuestion<'_> {
    /// Decides as far as possible without counters.
    pub(crate) fn decide<'s>(&self, state: &'s KeyState) -> RowDecision<'s> {
        let Self { build_group, moved, old, .. } = *self;
        let counts_moved_at = match moved {
            Moved::Nothing => old.counts_moved_at,
            Moved::Counts | Moved::Covered => old.counts_moved_at.or(Some(self.now)),
        };
        let is_change = match self.rule {
            ChangeRule::Covered => moved == Moved::Covered,
            ChangeRule::Counts => moved != Moved::Nothing,
        };
        if let Some(stats) = self.stats()
            && !is_change
            && !self.is_marked
            && !old.unfinished
            && !self.is_overdue(counts_moved_at)
        {
            return RowDecision::Stands(KeyFigures {
                changed: false,
                coverage: Some(stats.coverage),
                counts_moved_at,
            });
        }
        let of_group = || state.lives.iter().filter(|known| known.build_group == build_group);
        if state.replaced.is_empty() && of_group().next().is_none() {
            return RowDecision::Nothing;
        }
        RowDecision::Sum(of_group().filter(|known| !state.replaced.contains(&known.id)).collect())
    }

    /// Decides by the figures of the sum.
    pub(crate) fn conclude(&self, figures: &GroupFigures) -> RowConclusion {
        let stats = self.stats();
        let moved = stats.is_none_or(|stats| stats.counts_digest != figures.counts_digest);
        let is_change = match self.rule {
            ChangeRule::Covered => stats.is_none_or(|stats| stats.covered_digest != figures.covered_digest),
            ChangeRule::Counts => moved,
        };
        let moved_at = moved.then(|| self.old.counts_moved_at.unwrap_or(self.now));
        let is_stored = is_change || self.is_marked || self.is_overdue(moved_at);
        let counts_moved_at = moved_at.filter(|_| !is_stored);
        let shown = KeyFigures { changed: is_change, coverage: Some(figures.coverage), counts_moved_at };
        RowConclusion { shown, is_stored }
    }

    /// Returns the figures of the latest row, if it is of the build group that the key shows.
    fn stats(&self) -> Option<&RowStats> {
        self.latest.filter(|stats| stats.build_group == self.build_group)
    }

    /// Tells whether the counters have been newer than the latest row for too long.
    fn is_overdue(&self, since: Option<DateTime<Utc>>) -> bool {
        let longest = TimeDelta::from_std(self.row_at_least_every).unwrap_or(TimeDelta::MAX);
        since.is_some_and(|since| self.now - since >= longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::build_group::BuildGroupStatus::Current;
    use crate::fleet::fixtures::{at, life, print, state};
    use crate::fleet::ids::LifeId;

    /// A row that covers one of two statements, with these digests.
    fn row(build_group: i64, covered: u8, counts: u8) -> RowStats {
        figures(covered, counts).stats(BuildGroupId(build_group), 1, 1)
    }

    fn figures(covered: u8, counts: u8) -> GroupFigures {
        let coverage = Coverage { covered: 1, total: 2 };
        GroupFigures { coverage, covered_digest: print(covered), counts_digest: print(counts) }
    }

    /// A question at 12:15 about build group 1, with a row at least every hour.
    fn question<'a>(latest: Option<&'a RowStats>, old: &'a ScheduleRow) -> RowQuestion<'a> {
        RowQuestion {
            build_group: BuildGroupId(1),
            moved: Moved::Nothing,
            latest,
            old,
            rule: ChangeRule::Covered,
            row_at_least_every: Duration::from_secs(3600),
            is_marked: false,
            now: at(15),
        }
    }

    fn moved_since(minute: i64) -> ScheduleRow {
        ScheduleRow { counts_moved_at: Some(at(minute)), ..ScheduleRow::default() }
    }

    fn of_lives(state: &KeyState, question: RowQuestion<'_>) -> Option<Vec<i64>> {
        match question.decide(state) {
            RowDecision::Sum(lives) => Some(lives.iter().map(|life| life.id.0).collect()),
            RowDecision::Stands(_) | RowDecision::Nothing => None,
        }
    }

    fn shown(changed: bool, counts_moved_at: Option<DateTime<Utc>>) -> KeyFigures {
        KeyFigures { changed, coverage: Some(Coverage { covered: 1, total: 2 }), counts_moved_at }
    }

    fn two_lives() -> KeyState {
        state(&[(Current, &[(1, "lib")])], vec![life(7, 1, 1, "a"), life(8, 1, 1, "b"), life(9, 2, 2, "c")])
    }

    #[test]
    fn counts_that_grew_where_they_were_leave_the_row_and_need_no_sum_unless_the_rule_or_the_time_asks_for_one()
     {
        let (row, default, since) = (row(1, 1, 1), ScheduleRow::default(), moved_since(10));
        let grown = |old| RowQuestion { moved: Moved::Counts, ..question(Some(&row), old) };
        let stands = |at| RowDecision::Stands(shown(false, Some(at)));
        assert_eq!(grown(&default).decide(&two_lives()), stands(at(15)));
        assert_eq!(grown(&since).decide(&two_lives()), stands(at(10)));
        let long = moved_since(-50);
        let unfinished = ScheduleRow { unfinished: true, ..ScheduleRow::default() };
        for sums in [
            RowQuestion { moved: Moved::Covered, ..grown(&default) },
            RowQuestion { rule: ChangeRule::Counts, ..grown(&default) },
            RowQuestion { latest: None, ..grown(&default) },
            grown(&long),
            grown(&unfinished),
        ] {
            assert_eq!(of_lives(&two_lives(), sums), Some(vec![7, 8]));
        }
    }

    #[test]
    fn a_row_of_a_key_of_which_nothing_moved_stands_and_no_counters_are_read() {
        for old in [ScheduleRow::default(), moved_since(0)] {
            let stands = RowDecision::Stands(shown(false, old.counts_moved_at));
            assert_eq!(question(Some(&row(1, 1, 1)), &old).decide(&two_lives()), stands);
        }
    }

    #[test]
    fn the_lives_of_the_build_group_are_added_up_where_any_reason_says_so() {
        let (row, default) = (row(1, 1, 1), ScheduleRow::default());
        let unfinished = ScheduleRow { unfinished: true, ..ScheduleRow::default() };
        let other_row = RowStats { build_group: BuildGroupId(2), ..row.clone() };
        for (why, question) in [
            ("counters moved", RowQuestion { moved: Moved::Covered, ..question(Some(&row), &default) }),
            ("the last run was cut off", question(Some(&row), &unfinished)),
            ("counters are ahead for an hour", question(Some(&row), &moved_since(-45))),
            ("the row is of another build", question(Some(&other_row), &default)),
            ("there is no row", question(None, &default)),
        ] {
            assert_eq!(of_lives(&two_lives(), question), Some(vec![7, 8]), "{why}");
        }
    }

    #[test]
    fn stored_counters_that_an_answer_replaced_are_not_added() {
        let mut state = two_lives();
        state.replaced.insert(LifeId(7));
        assert_eq!(of_lives(&state, question(None, &ScheduleRow::default())), Some(vec![8]));
    }

    #[test]
    fn a_key_whose_only_counters_are_of_this_run_reads_none() {
        let mut state = state(&[(Current, &[(1, "lib")])], vec![]);
        state.replaced.insert(LifeId(7));
        assert_eq!(of_lives(&state, question(None, &ScheduleRow::default())), Some(vec![]));
    }

    #[test]
    fn a_build_group_without_any_counters_has_nothing_to_show() {
        let state = state(&[(Current, &[(1, "lib")])], vec![life(9, 2, 2, "c")]);
        assert_eq!(question(None, &ScheduleRow::default()).decide(&state), RowDecision::Nothing);
    }

    #[test]
    fn the_first_row_of_a_key_is_a_change() {
        let default = ScheduleRow::default();
        let stored = RowConclusion { shown: shown(true, None), is_stored: true };
        assert_eq!(question(None, &default).conclude(&figures(1, 1)), stored);
    }

    #[test]
    fn the_first_row_of_another_build_is_a_change_though_its_figures_are_the_same() {
        let default = ScheduleRow::default();
        let conclusion = question(Some(&row(2, 1, 1)), &default).conclude(&figures(1, 1));
        assert_eq!(conclusion, RowConclusion { shown: shown(true, None), is_stored: true });
    }

    #[test]
    fn another_set_of_covered_blocks_is_a_change() {
        let default = ScheduleRow::default();
        let conclusion = question(Some(&row(1, 1, 1)), &default).conclude(&figures(2, 2));
        assert_eq!(conclusion, RowConclusion { shown: shown(true, None), is_stored: true });
    }

    #[test]
    fn the_same_counters_store_no_row_and_forget_that_they_were_ahead() {
        let old = moved_since(0);
        let conclusion = question(Some(&row(1, 1, 1)), &old).conclude(&figures(1, 1));
        assert_eq!(conclusion, RowConclusion { shown: shown(false, None), is_stored: false });
    }

    #[test]
    fn counters_that_moved_over_the_same_blocks_store_no_row_and_are_ahead_from_then_on() {
        for (old, since) in [(ScheduleRow::default(), 15), (moved_since(10), 10)] {
            let conclusion = question(Some(&row(1, 1, 1)), &old).conclude(&figures(1, 2));
            let ahead = shown(false, Some(at(since)));
            assert_eq!(conclusion, RowConclusion { shown: ahead, is_stored: false });
        }
    }

    #[test]
    fn counters_that_moved_are_a_change_where_the_rule_says_so() {
        let default = ScheduleRow::default();
        let (row, rule) = (row(1, 1, 1), ChangeRule::Counts);
        let question = RowQuestion { rule, ..question(Some(&row), &default) };
        let stored = RowConclusion { shown: shown(true, None), is_stored: true };
        assert_eq!(question.conclude(&figures(1, 2)), stored);
        let same = RowConclusion { shown: shown(false, None), is_stored: false };
        assert_eq!(question.conclude(&figures(1, 1)), same);
    }

    #[test]
    fn a_mark_stores_a_row_of_counters_that_moved_or_did_not_and_is_no_change() {
        let row = row(1, 1, 1);
        for (old, counts) in [(ScheduleRow::default(), 1), (moved_since(0), 1), (moved_since(10), 2)] {
            let question = RowQuestion { is_marked: true, ..question(Some(&row), &old) };
            assert_eq!(of_lives(&two_lives(), question), Some(vec![7, 8]));
            let stored = RowConclusion { shown: shown(false, None), is_stored: true };
            assert_eq!(question.conclude(&figures(1, counts)), stored);
        }
    }

    #[test]
    fn counters_that_are_ahead_for_too_long_get_a_row_that_is_no_change() {
        for (since, is_stored) in [(-44, false), (-45, true)] {
            let old = moved_since(since);
            let conclusion = question(Some(&row(1, 1, 1)), &old).conclude(&figures(1, 2));
            let ahead = (!is_stored).then(|| at(since));
            assert_eq!(conclusion, RowConclusion { shown: shown(false, ahead), is_stored });
        }
    }
}
