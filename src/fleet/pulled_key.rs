//! A key at the end of its pull, with the facts that decide its row, its addresses and its next pull.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::election::Election;
use super::ids::BuildGroupId;
use super::key_entry::KeyEntry;
use super::pull_rules::PullRules;
use super::records::ScheduleRow;
use super::row_decision::KeyFigures;
use super::schedule::{Schedule, ScheduleOutcome};

/// A key whose addresses were asked.
pub(crate) struct PulledKey<'a> {
    pub(crate) entry: &'a KeyEntry,
    /// Addresses that were asked in this pull, listed or not.
    pub(crate) asked: HashSet<&'a str>,
    /// Every address was asked, not only those whose retry was due.
    pub(crate) full: bool,
    pub(crate) rules: &'a PullRules,
    /// Start of the run.
    pub(crate) now: DateTime<Utc>,
}

impl PulledKey<'_> {
    /// Returns the addresses that are listed or were asked, sorted.
    pub(crate) fn known_addresses(&self) -> Vec<String> {
        let mut addresses = self.entry.addresses();
        addresses.extend(self.asked.iter().map(|address| (*address).to_owned()));
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Returns the outcome of the pull. `own_answers` is the number of answers with the build that the key shows.
    pub(crate) fn outcome(&self, own_answers: usize, is_changed: bool) -> ScheduleOutcome {
        match own_answers {
            _ if is_changed => ScheduleOutcome::Changed,
            0 if self.asked.is_empty() => ScheduleOutcome::UnchangedAtRetry,
            0 => ScheduleOutcome::NothingAnswered,
            _ if self.full => ScheduleOutcome::Unchanged,
            _ => ScheduleOutcome::UnchangedAtRetry,
        }
    }

    /// Returns the schedule to store for the next pull.
    pub(crate) fn next_schedule(
        &self,
        outcome: ScheduleOutcome,
        shown: &KeyFigures,
        election: Election<BuildGroupId>,
    ) -> ScheduleRow {
        let (old, now, steps) = (&self.entry.schedule, self.now, &self.rules.steps);
        let name = &self.entry.newest_name().name;
        let schedule = match outcome {
            ScheduleOutcome::Changed if self.asked.is_empty() => old.schedule.hastened(name, now, steps),
            outcome => old.schedule.after(name, outcome, &self.entry.addresses(), now, steps),
        };
        ScheduleRow {
            schedule: Schedule { election: election.decided_at(), ..schedule },
            last_change_at: if shown.changed { Some(now) } else { old.last_change_at },
            counts_moved_at: shown.counts_moved_at,
            unfinished: false,
            election,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::election::{Contest, ContestKind};
    use crate::fleet::fixtures::{address, at, entry, pulled, pulled_key, rules};

    fn shown(changed: bool) -> KeyFigures {
        KeyFigures { changed, ..KeyFigures::default() }
    }

    #[test]
    fn the_outcome_of_a_pull_follows_from_its_answers() {
        let (key, rules) = (entry(1, &["a"]), rules());
        for (what, asked, full, own_answers, is_changed, outcome) in [
            ("coverage changed", &["a"][..], true, 1, true, ScheduleOutcome::Changed),
            ("a snapshot changed it", &[], false, 0, true, ScheduleOutcome::Changed),
            ("all were asked", &["a"], true, 1, false, ScheduleOutcome::Unchanged),
            ("a retry alone", &["a"], false, 1, false, ScheduleOutcome::UnchangedAtRetry),
            ("no answer of its build", &["a"], true, 0, false, ScheduleOutcome::NothingAnswered),
            ("nobody was asked", &[], true, 0, false, ScheduleOutcome::UnchangedAtRetry),
        ] {
            let key = PulledKey { full, ..pulled_key(&key, asked, &rules) };
            assert_eq!(key.outcome(own_answers, is_changed), outcome, "{what}");
        }
    }

    #[test]
    fn a_change_begins_the_steps_again_and_is_noted() {
        let (mut entry, rules) = (pulled(1, &["a"]), rules());
        entry.schedule.schedule.step = 2;
        let next = pulled_key(&entry, &["a"], &rules).next_schedule(
            ScheduleOutcome::Changed,
            &shown(true),
            Election::default(),
        );
        assert_eq!((next.schedule.step, next.last_change_at), (0, Some(at(15))));
        assert_eq!(next.schedule.last_pull, Some(at(15)));
    }

    #[test]
    fn an_unchanged_pull_waits_a_step_longer_and_one_without_an_answer_as_before() {
        let (entry, rules) = (pulled(1, &["a"]), rules());
        let key = pulled_key(&entry, &["a"], &rules);
        let next = |outcome| key.next_schedule(outcome, &shown(false), Election::default());
        assert_eq!(next(ScheduleOutcome::Unchanged).schedule.step, 1);
        assert_eq!(next(ScheduleOutcome::NothingAnswered), entry.schedule);
    }

    #[test]
    fn a_run_that_was_cut_off_is_made_up_for() {
        let (mut entry, rules) = (pulled(1, &["a"]), rules());
        entry.schedule.unfinished = true;
        let key = pulled_key(&entry, &["a"], &rules);
        let next = key.next_schedule(ScheduleOutcome::Unchanged, &shown(false), Election::default());
        assert!(!next.unfinished);
    }

    #[test]
    fn a_change_that_came_in_unasked_makes_its_key_due_soon_and_not_pulled() {
        let (mut entry, rules) = (pulled(1, &["a"]), rules());
        entry.schedule.schedule.next_due = Some(at(240));
        let key = pulled_key(&entry, &[], &rules);
        let next = key.next_schedule(ScheduleOutcome::Changed, &shown(true), Election::default()).schedule;
        assert_eq!(next.last_pull, Some(at(0)));
        // The wait of the first step is shortened by up to a tenth.
        assert!(next.next_due.is_some_and(|due| at(28) <= due && due <= at(30)));
    }

    #[test]
    fn an_election_that_is_not_decided_is_remembered_with_its_time() {
        let (entry, rules) = (pulled(1, &["a"]), rules());
        let winner = Some(BuildGroupId(2));
        let contest = Contest { kind: ContestKind::Majority, winner, since: at(15), votes: 2, listed: 3 };
        let election = Election { contest: Some(contest), chosen: None };
        let key = pulled_key(&entry, &["a"], &rules);
        let next = key.next_schedule(ScheduleOutcome::Unchanged, &shown(false), election);
        assert_eq!((next.schedule.election, next.election), (Some(at(20)), election));
    }

    #[test]
    fn addresses_that_are_listed_or_were_asked_are_known_once() {
        let (entry, rules) = (entry(1, &["b", "a"]), rules());
        let (a, x) = (address("a"), address("x"));
        let key = pulled_key(&entry, &[&a, &x], &rules);
        assert_eq!(key.known_addresses(), [address("a"), address("b"), address("x")]);
    }
}
