//! The candidates of a key's election: its build groups with the addresses that serve them and vote for them.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::build_group::BuildGroupStatus;
use super::election::Candidate;
use super::ids::{BuildGroupId, StructureId};
use super::key_entry::KeyEntry;
use super::key_state::KeyState;
use super::pulled_key::PulledKey;
use super::records::Life;
use crate::profile::{Build, Fingerprint};

/// The builds that the keys of an address group show, for addresses that are listed under several keys.
#[derive(Default)]
pub(crate) struct OtherKeys {
    /// Indices of the keys that list an address.
    listing: HashMap<String, Vec<usize>>,
    /// Builds that each key shows. A key whose stored values cannot be read shows none.
    shown: HashMap<usize, HashSet<Fingerprint>>,
}

impl OtherKeys {
    /// Notes the builds that a key shows.
    pub(crate) fn note(&mut self, key: usize, entry: &KeyEntry, state: &KeyState) {
        for address in entry.addresses() {
            self.listing.entry(address).or_default().push(key);
        }
        let current = state.current().map(|current| &state.build_groups[current]);
        let builds = current.into_iter().flat_map(|build_group| &build_group.structures);
        self.shown.insert(key, builds.map(|(_, build)| *build).collect());
    }

    /// Tells whether the address is also listed under another key that shows this build.
    fn shows(&self, key: usize, address: &str, build: Fingerprint) -> bool {
        let keys = self.listing.get(address).into_iter().flatten();
        let shows = |other: &usize| self.shown.get(other).is_some_and(|builds| builds.contains(&build));
        keys.filter(|other| **other != key).any(shows)
    }
}

/// Returns the build groups of a key with the numbers of addresses that serve and vote for each. `index` is the index
/// of the key in its group.
pub(crate) fn candidates(
    index: usize,
    key: &PulledKey<'_>,
    state: &KeyState,
    others: &OtherKeys,
) -> Vec<Candidate<BuildGroupId>> {
    let entry = key.entry;
    let order = entry.addresses();
    let places: HashMap<&str, usize> = order.iter().map(String::as_str).zip(0..).collect();
    let mut listed_at: HashMap<&str, DateTime<Utc>> = HashMap::new();
    for listing in entry.members.iter().flat_map(|member| &member.listings) {
        let known = listed_at.entry(&listing.address).or_insert(listing.listed_at);
        *known = listing.listed_at.max(*known);
    }
    let candidate = |id, status| Candidate {
        build_group: id,
        is_shown: status == BuildGroupStatus::Current,
        serving: 0,
        first: usize::MAX,
        votes: 0,
        listed_last: None,
    };
    let mut candidates: Vec<Candidate<BuildGroupId>> =
        state.build_groups.iter().map(|known| candidate(known.id, known.status)).collect();
    let indices: HashMap<BuildGroupId, usize> =
        state.build_groups.iter().zip(0..).map(|(build_group, index)| (build_group.id, index)).collect();
    for (address, AnsweredBuild { build_group, build }) in last_answers(state) {
        let Some(&at) = indices.get(&build_group) else { continue };
        let candidate = &mut candidates[at];
        let place = places.get(address).copied();
        let is_serving = match state.answered.get(address) {
            Some(_) => true,
            None => {
                !key.asked.contains(address) && place.is_some() && entry.state(address).retry.failures == 0
            }
        };
        if is_serving {
            candidate.serving += 1;
            candidate.first = candidate.first.min(place.unwrap_or(usize::MAX));
        }
        if let Some(place) = place.filter(|_| !others.shows(index, address, build)) {
            candidate.votes += 1;
            let listed = listed_at.get(address).map(|at| (*at, place));
            candidate.listed_last = candidate.listed_last.max(listed);
        }
    }
    candidates
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AnsweredBuild {
    build_group: BuildGroupId,
    build: Fingerprint,
}

/// Returns the last answer of each address that is known to belong to this key.
///
/// A profile without any file does not show the build, so the answer before it counts.
fn last_answers(state: &KeyState) -> HashMap<&str, AnsweredBuild> {
    let silent = Build::empty().fingerprint();
    let builds: HashMap<StructureId, Fingerprint> =
        state.build_groups.iter().flat_map(|build_group| build_group.structures.iter().copied()).collect();
    let answer_of = |known: &Life| {
        let build = builds.get(&known.structure).copied()?;
        Some(AnsweredBuild { build_group: known.build_group, build })
    };
    let mut last: HashMap<&str, AnsweredBuild> = HashMap::new();
    for open in state.lives.iter().filter(|known| known.closed_at.is_none()) {
        let Some(address) = open.address.as_deref() else { continue };
        let tells = |known: &&Life| {
            !known.is_mixture
                && known.address.as_deref() == Some(address)
                && answer_of(known).is_some_and(|it| it.build != silent)
        };
        let answer = match answer_of(open) {
            Some(answer) if answer.build == silent => {
                state.lives.iter().filter(tells).max_by_key(|known| known.pulled_at).and_then(answer_of)
            }
            answer => answer,
        };
        last.extend(answer.map(|answer| (address, answer)));
    }
    for address in state.elsewhere.keys() {
        last.remove(address.as_str());
    }
    for (address, answer) in state.answered.iter().filter(|(_, answer)| answer.build != silent) {
        last.remove(address.as_str());
        if answer.is_decided {
            last.insert(address, AnsweredBuild { build_group: answer.build_group, build: answer.build });
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::build_group::BuildGroupStatus::{Aside, Current};
    use crate::fleet::fixtures::{
        address, answered, at, build, entry, failing, life, pulled_key, rules, state,
    };
    use crate::fleet::key_state::AddressAnswer;

    /// The number of addresses that serve each build group, and its votes, of a key that shows group 1.
    fn counted(
        entry: &KeyEntry,
        asked: &[&str],
        state: &KeyState,
        others: &OtherKeys,
    ) -> Vec<(usize, usize)> {
        let (rules, asked) = (rules(), asked.iter().map(|host| address(host)).collect::<Vec<_>>());
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let key = pulled_key(entry, &asked, &rules);
        candidates(0, &key, state, others).iter().map(|known| (known.serving, known.votes)).collect()
    }

    fn two_groups(lives: Vec<Life>) -> KeyState {
        state(&[(Current, &[(1, "lib")]), (Aside, &[(2, "lib'")])], lives)
    }

    #[test]
    fn an_address_votes_by_its_answer_of_this_run_before_any_that_is_stored() {
        let mut state = two_groups(vec![life(7, 1, 1, "a"), life(8, 1, 1, "b")]);
        state.answered.insert(address("a"), answered(2, "lib'"));
        let counted = counted(&entry(1, &["a", "b"]), &["a"], &state, &OtherKeys::default());
        assert_eq!(counted, [(1, 1), (1, 1)]);
    }

    #[test]
    fn an_address_that_failed_votes_by_its_last_answer_and_serves_nothing() {
        let state = two_groups(vec![life(7, 1, 1, "a"), life(8, 2, 2, "b")]);
        let asked_now = counted(&entry(1, &["a", "b"]), &["a"], &state, &OtherKeys::default());
        assert_eq!(asked_now, [(0, 1), (1, 1)]);
        let earlier = failing(entry(1, &["a", "b"]), "a", 1, 60);
        assert_eq!(counted(&earlier, &[], &state, &OtherKeys::default()), [(0, 1), (1, 1)]);
    }

    #[test]
    fn an_address_that_is_not_listed_serves_without_a_vote_while_it_answers() {
        let mut state = two_groups(vec![life(7, 1, 1, "gone")]);
        state.answered.insert(address("x"), answered(2, "lib'"));
        let counted = counted(&entry(1, &["a"]), &["x"], &state, &OtherKeys::default());
        assert_eq!(counted, [(0, 0), (1, 0)]);
    }

    #[test]
    fn an_address_that_serves_what_another_of_its_keys_shows_does_not_vote_here() {
        let mut others = OtherKeys::default();
        let neighbour = state(&[(Current, &[(2, "lib'")])], vec![]);
        others.note(1, &entry(2, &["a"]), &neighbour);
        let state = two_groups(vec![life(7, 2, 2, "a"), life(8, 2, 2, "b")]);
        assert_eq!(counted(&entry(1, &["a", "b"]), &[], &state, &others), [(0, 0), (2, 1)]);
    }

    #[test]
    fn an_answer_of_which_nobody_can_tell_whose_it_is_does_not_vote() {
        let mut state = two_groups(vec![life(7, 1, 1, "a")]);
        let undecided = AddressAnswer { is_decided: false, ..answered(2, "lib'") };
        state.answered.insert(address("a"), undecided);
        assert_eq!(counted(&entry(1, &["a"]), &["a"], &state, &OtherKeys::default()), [(0, 0), (0, 0)]);
    }

    #[test]
    fn a_process_of_another_key_does_not_vote() {
        let mut state = two_groups(vec![life(7, 1, 1, "a")]);
        state.elsewhere.insert(address("a"), ("name2".to_owned(), build("worker").fingerprint()));
        assert_eq!(counted(&entry(1, &["a"]), &["a"], &state, &OtherKeys::default()), [(0, 0), (0, 0)]);
    }

    #[test]
    fn a_profile_without_files_leaves_the_vote_of_the_answer_before_it() {
        let before = Life { closed_at: Some(at(5)), ..life(7, 2, 2, "a") };
        let silent = Life { pulled_at: at(5), ..life(8, 1, 3, "a") };
        let groups = [(Current, &[(1, "lib"), (3, "")][..]), (Aside, &[(2, "lib'")])];
        let state = state(&groups, vec![before, silent]);
        assert_eq!(counted(&entry(1, &["a"]), &[], &state, &OtherKeys::default()), [(0, 0), (1, 1)]);
    }

    #[test]
    fn the_address_that_was_listed_last_stands_for_its_build_group() {
        let mut entry = entry(1, &["a", "b"]);
        entry.members[0].listings[0].listed_at = at(9);
        let (state, rules) = (two_groups(vec![life(7, 1, 1, "a"), life(8, 1, 1, "b")]), rules());
        let key = pulled_key(&entry, &[], &rules);
        let candidates = candidates(0, &key, &state, &OtherKeys::default());
        let listed: Vec<_> = candidates.iter().map(|known| known.listed_last).collect();
        assert_eq!(listed, [Some((at(9), 0)), None]);
    }
}
