//! The health of addresses after a pull or a peek: answers, failures with their retries, processes of other keys.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::ids::BuildGroupId;
use super::key_entry::KeyEntry;
use super::key_state::{AddressAnswer, KeyState};
use super::records::AddressState;
use super::targets::Silence;
use super::waits::RetryWaits;
use crate::profile::Fingerprint;

impl AddressState {
    /// Returns the state after an answer of a key that shows `current`. `peeked` is the fraction that a peek of this
    /// run found.
    fn after_answer(
        &self,
        answer: &AddressAnswer,
        current: Option<BuildGroupId>,
        peeked: Option<&String>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            last_answer_at: Some(now),
            fraction: Some(answer.fraction.clone()),
            peeked: peeked.or(self.peeked.as_ref()).cloned(),
            // A profile without blocks is of no build.
            other_build: (Some(answer.build_group) != current && !answer.build.is_of_nothing())
                .then_some(answer.build),
            ..Self::default()
        }
    }

    /// Returns the state after one more failure; everything known from earlier answers is kept.
    pub(crate) fn after_failure(self, error: &str, retry: &RetryWaits, now: DateTime<Utc>) -> Self {
        let after = self.retry.after_failure(now, retry);
        Self { retry: after, last_error: Some(error.to_owned()), ..self }
    }

    /// Returns why a process told nothing in a run that does not ask it, because it failed before.
    pub(crate) fn waiting(&self) -> Silence {
        Silence::Waiting { cause: self.last_error.clone(), next_try: self.retry.next_try }
    }

    /// Returns the state for a key when the process at the address belongs to another key.
    fn of_another_key(build: Fingerprint) -> Self {
        Self { other_build: Some(build), ..Self::default() }
    }

    /// Tells whether its last answer was the text of an agent of goc.
    pub(crate) fn is_of_goc(&self) -> bool {
        self.fraction.as_ref().is_some_and(|fraction| !is_of_binary_data(fraction))
    }

    /// Tells whether a fraction shows that coverage changed: the address showed other fractions before.
    pub(crate) fn is_moved_to(&self, fraction: &str) -> bool {
        let mut known = [&self.fraction, &self.peeked].into_iter().flatten().peekable();
        known.peek().is_some() && known.all(|known| known != fraction)
    }

    /// Tells whether the last answer was of the build that the key shows.
    fn serves_the_key(&self) -> bool {
        self.retry.failures == 0 && self.last_answer_at.is_some() && self.other_build.is_none()
    }
}

/// The suffix behind the number of hits, in the text that stands for the fraction of an agent of Go's binary data.
const HITS: &str = " hit";

/// Returns the text that stands for the fraction of an agent of Go's binary data.
pub(crate) fn fraction_of_hits(hits: u64) -> String {
    format!("{hits}{HITS}")
}

fn is_of_binary_data(fraction: &str) -> bool {
    fraction.ends_with(HITS)
}

/// The fraction of covered blocks that a peek found at an address.
#[derive(Clone, Debug)]
pub(crate) struct PeekedFraction {
    pub(crate) address: String,
    pub(crate) fraction: String,
}

/// Returns the new state of each address that was asked. `peeked` is the address whose fraction had changed in a peek
/// of this run.
pub(crate) fn address_states(
    state: &KeyState,
    entry: &KeyEntry,
    peeked: Option<&PeekedFraction>,
    retry: &RetryWaits,
    now: DateTime<Utc>,
) -> BTreeMap<String, AddressState> {
    let current = state.current_id();
    let mut states = BTreeMap::new();
    for (address, answer) in &state.answered {
        let fraction = peeked.filter(|peeked| peeked.address == *address).map(|peeked| &peeked.fraction);
        let after = entry.state(address).after_answer(answer, current, fraction, now);
        states.insert(address.clone(), after);
    }
    for (address, error) in &state.failed {
        states.insert(address.clone(), entry.state(address).after_failure(error, retry, now));
    }
    for (address, (_, build)) in &state.elsewhere {
        states.insert(address.clone(), AddressState::of_another_key(*build));
    }
    states
}

/// Counts the addresses whose last answer was of the build that the key shows. Addresses without a state in `states`
/// were not asked now.
pub(crate) fn answering(
    addresses: &[String],
    states: &BTreeMap<String, AddressState>,
    entry: &KeyEntry,
) -> usize {
    let answers = |address: &&String| match states.get(*address) {
        Some(state) => state.serves_the_key(),
        None => entry.state(address).serves_the_key(),
    };
    addresses.iter().filter(answers).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::build_group::BuildGroupStatus::{Aside, Current};
    use crate::fleet::fixtures::{address, answered, at, build, entry, failing, rules, state, with_state};
    use crate::fleet::schedule::AddressRetry;

    /// The state of an address that answered at 12:00.
    fn answering_state() -> AddressState {
        AddressState {
            last_answer_at: Some(at(0)),
            fraction: Some("1/2".to_owned()),
            peeked: Some("2/2".to_owned()),
            ..AddressState::default()
        }
    }

    /// The state of host `a` after a pull at 12:15 in which a key that shows `lib` learned `learn`.
    fn after(entry: &KeyEntry, peeked: &[&str], learn: impl FnOnce(&mut KeyState)) -> AddressState {
        let mut state = state(&[(Current, &[(1, "lib")]), (Aside, &[(2, "lib'")])], vec![]);
        learn(&mut state);
        let peeked = peeked
            .first()
            .map(|&fraction| PeekedFraction { address: address("a"), fraction: fraction.to_owned() });
        address_states(&state, entry, peeked.as_ref(), &rules().retry, at(15)).remove(&address("a")).unwrap()
    }

    #[test]
    fn an_answer_ends_all_failures_of_its_address() {
        let failed = failing(entry(1, &["a"]), "a", 3, 10);
        let after = after(&failed, &[], |state| {
            state.answered.insert(address("a"), answered(1, "lib"));
        });
        let expected = AddressState {
            last_answer_at: Some(at(15)),
            fraction: Some("1/2".to_owned()),
            ..AddressState::default()
        };
        assert_eq!(after, expected);
    }

    #[test]
    fn an_answer_of_another_build_than_the_one_shown_is_noted() {
        let after = after(&entry(1, &["a"]), &[], |state| {
            state.answered.insert(address("a"), answered(2, "lib'"));
        });
        assert_eq!(after.other_build, Some(build("lib'").fingerprint()));
    }

    #[test]
    fn the_fraction_of_a_peek_stays_until_a_later_peek_shows_another() {
        let known = with_state(entry(1, &["a"]), "a", answering_state());
        let answer = |state: &mut KeyState| {
            state.answered.insert(address("a"), answered(1, "lib"));
        };
        assert_eq!(after(&known, &[], answer).peeked, Some("2/2".to_owned()));
        assert_eq!(after(&known, &["3/4"], answer).peeked, Some("3/4".to_owned()));
    }

    #[test]
    fn a_failure_leaves_what_the_address_answered_before() {
        let known = with_state(entry(1, &["a"]), "a", answering_state());
        let after = after(&known, &[], |state| {
            state.failed.insert(address("a"), "connection refused".to_owned());
        });
        let expected = AddressState {
            retry: AddressRetry { failures: 1, next_try: Some(at(16)) },
            last_error: Some("connection refused".to_owned()),
            ..answering_state()
        };
        assert_eq!(after, expected);
    }

    #[test]
    fn each_failure_in_a_row_waits_longer_for_the_next_try() {
        for (failures, next_try) in [(0, 16), (1, 20), (2, 30), (3, 75), (4, 75)] {
            let retry = AddressRetry { failures, next_try: None };
            let old = AddressState { retry, ..AddressState::default() };
            let retry = old.after_failure("timeout", &rules().retry, at(15)).retry;
            assert_eq!(retry, AddressRetry { failures: failures + 1, next_try: Some(at(next_try)) });
        }
    }

    #[test]
    fn a_process_of_another_key_leaves_its_build_alone() {
        let known = with_state(entry(1, &["a"]), "a", answering_state());
        let worker = build("worker").fingerprint();
        let after = after(&known, &[], |state| {
            state.elsewhere.insert(address("a"), ("worker".to_owned(), worker));
        });
        assert_eq!(after, AddressState { other_build: Some(worker), ..AddressState::default() });
    }

    #[test]
    fn a_fraction_has_moved_where_the_address_showed_others_before() {
        for (fraction, peeked, now, has_moved) in [
            (None, None, "1/2", false),
            (Some("1/2"), None, "1/2", false),
            (Some("1/2"), None, "2/2", true),
            (Some("1/2"), Some("2/2"), "2/2", false),
            (Some("1/2"), Some("2/2"), "1/2", false),
            (None, Some("1/2"), "2/2", true),
        ] {
            let [fraction, peeked] = [fraction, peeked].map(|known| known.map(str::to_owned));
            let state = AddressState { fraction, peeked, ..AddressState::default() };
            assert_eq!(state.is_moved_to(now), has_moved, "{state:?} {now}");
        }
    }

    #[test]
    fn an_address_counts_as_answering_by_its_last_answer_of_the_build_shown() {
        let failed =
            AddressState { retry: AddressRetry { failures: 1, next_try: None }, ..answering_state() };
        let other = AddressState { other_build: Some(build("x").fingerprint()), ..answering_state() };
        for (what, before, now, expected) in [
            ("never asked", AddressState::default(), None, 0),
            ("answered earlier, and not asked now", answering_state(), None, 1),
            ("answered now", AddressState::default(), Some(answering_state()), 1),
            ("failed now", answering_state(), Some(failed.clone()), 0),
            ("failed earlier, and not asked now", failed, None, 0),
            ("serves another build", answering_state(), Some(other), 0),
        ] {
            let entry = with_state(entry(1, &["a"]), "a", before);
            let states = now.map(|now| (address("a"), now)).into_iter().collect();
            assert_eq!(answering(&[address("a")], &states, &entry), expected, "{what}");
        }
    }
}
