//! The choice of the build group to which an answer belongs: a known one, a new one, or none.

use super::build_group::BuildGroupStatus;
use super::key_state::{BuildRef, KeyState};
use crate::profile::Build;

/// An answer whose build group is to be decided.
#[derive(Clone, Copy)]
pub(crate) struct AnswerBuild<'a> {
    pub(crate) build: &'a Build,
    pub(crate) build_ref: BuildRef,
    /// The answer is known to be of this key.
    pub(crate) is_decided: bool,
    /// The address is also listed under another key.
    pub(crate) is_elsewhere: bool,
    /// No center that answers lists the address.
    pub(crate) is_assumed: bool,
}

/// The build group of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assignment {
    /// The build group with this index.
    Known(usize),
    /// A build group that is made for the answer.
    New {
        /// The answer may belong to another key.
        is_undecided: bool,
    },
}

/// Decides to which build group of a key an answer belongs. `None` means that the answer is not taken in: no center
/// that answers lists the address, and its build is not the one that the key shows.
pub(crate) fn assign(state: &KeyState, answer: AnswerBuild<'_>) -> Option<Assignment> {
    let AnswerBuild { build, build_ref, is_decided, is_elsewhere, is_assumed } = answer;
    let index = if is_decided {
        state.build_group_of(build, build_ref, is_elsewhere)
    } else {
        state.undecided_build_group_of(build_ref)
    };
    let is_current = |index: usize| state.build_groups[index].status == BuildGroupStatus::Current;
    if is_assumed && state.current().is_some() && !index.is_some_and(is_current) {
        return None;
    }
    Some(index.map_or(Assignment::New { is_undecided: !is_decided }, Assignment::Known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::build_group::BuildGroupStatus::{Aside, Current, Former};
    use crate::fleet::fixtures::{build, build_ref, life, state};

    const KNOWN: [Option<Assignment>; 2] = [Some(Assignment::Known(0)), Some(Assignment::Known(1))];
    const NEW: Option<Assignment> = Some(Assignment::New { is_undecided: false });

    /// An answer at an address that is listed under one key.
    fn assigned(state: &KeyState, structure: i64, files: &str) -> Option<Assignment> {
        let (build, build_ref) = (build(files), build_ref(structure, files));
        let (is_decided, is_elsewhere, is_assumed) = (true, false, false);
        assign(state, AnswerBuild { build: &build, build_ref, is_decided, is_elsewhere, is_assumed })
    }

    /// The same at an address that is also listed under another key.
    fn assigned_elsewhere(state: &KeyState, structure: i64, files: &str) -> Option<Assignment> {
        let (build, build_ref) = (build(files), build_ref(structure, files));
        let (is_decided, is_elsewhere, is_assumed) = (true, true, false);
        assign(state, AnswerBuild { build: &build, build_ref, is_decided, is_elsewhere, is_assumed })
    }

    /// The same when the answer may belong to another key.
    fn assigned_undecided(state: &KeyState, structure: i64, files: &str) -> Option<Assignment> {
        let (build, build_ref) = (build(files), build_ref(structure, files));
        let (is_decided, is_elsewhere, is_assumed) = (false, true, false);
        assign(state, AnswerBuild { build: &build, build_ref, is_decided, is_elsewhere, is_assumed })
    }

    /// An answer at an address that no answering center lists.
    fn assigned_assumed(state: &KeyState, structure: i64, files: &str) -> Option<Assignment> {
        let (build, build_ref) = (build(files), build_ref(structure, files));
        let (is_decided, is_elsewhere, is_assumed) = (true, false, true);
        assign(state, AnswerBuild { build: &build, build_ref, is_decided, is_elsewhere, is_assumed })
    }

    #[test]
    fn the_first_answer_of_a_key_makes_a_build_group() {
        assert_eq!(assigned(&KeyState::default(), 1, "lib"), NEW);
    }

    #[test]
    fn an_answer_of_the_build_shown_belongs_to_it() {
        assert_eq!(assigned(&state(&[(Current, &[(1, "lib")])], vec![]), 1, "lib"), KNOWN[0]);
    }

    #[test]
    fn a_build_that_agrees_in_shared_files_joins_the_one_shown() {
        let shown = state(&[(Current, &[(1, "lib server")])], vec![]);
        assert_eq!(assigned(&shown, 2, "lib worker"), KNOWN[0]);
    }

    #[test]
    fn a_build_that_contradicts_the_one_shown_is_set_aside_in_a_group_of_its_own() {
        let shown = state(&[(Current, &[(1, "lib server")])], vec![]);
        assert_eq!(assigned(&shown, 2, "lib' server"), NEW);
    }

    #[test]
    fn a_build_that_was_set_aside_and_what_agrees_with_it_go_on_in_its_group() {
        let state = state(&[(Current, &[(1, "lib")]), (Aside, &[(2, "lib'")])], vec![]);
        assert_eq!(assigned(&state, 2, "lib'"), KNOWN[1]);
        assert_eq!(assigned(&state, 3, "lib' worker"), KNOWN[1]);
    }

    #[test]
    fn a_former_build_that_fits_the_one_shown_joins_it_unless_the_address_is_another_key_s_too() {
        let state = state(&[(Current, &[(1, "server")]), (Former, &[(2, "worker")])], vec![]);
        assert_eq!(assigned(&state, 2, "worker"), KNOWN[0]);
        assert_eq!(assigned_elsewhere(&state, 2, "worker"), KNOWN[1]);
    }

    #[test]
    fn a_build_that_answered_in_its_own_group_in_this_run_stays_there() {
        let mut state = state(&[(Current, &[(1, "server")]), (Aside, &[(2, "worker")])], vec![]);
        state.build_groups[1].take_in_answer(build_ref(2, "worker"), &build("worker")).unwrap();
        assert_eq!(assigned(&state, 2, "worker"), KNOWN[1]);
    }

    #[test]
    fn of_several_groups_that_fit_the_newest_is_taken() {
        let state = state(&[(Aside, &[(1, "lib")]), (Aside, &[(2, "lib worker")])], vec![]);
        assert_eq!(assigned(&state, 3, "lib server"), KNOWN[1]);
    }

    #[test]
    fn an_answer_of_which_nobody_can_tell_whose_it_is_waits_in_a_group_of_its_own() {
        let shown = [(Current, &[(1, "lib")][..])];
        let new = Some(Assignment::New { is_undecided: true });
        assert_eq!(assigned_undecided(&state(&shown, vec![]), 1, "lib"), new);
    }

    #[test]
    fn an_answer_that_waited_before_goes_on_waiting_in_the_group_that_counted_it() {
        let groups = [(Current, &[(1, "lib")][..]), (Aside, &[(1, "lib")])];
        let stored = state(&groups, vec![life(7, 2, 1, "a")]);
        assert_eq!(assigned_undecided(&stored, 1, "lib"), KNOWN[1]);
        let new = Some(Assignment::New { is_undecided: true });
        assert_eq!(assigned_undecided(&state(&groups, vec![]), 1, "lib"), new);
    }

    #[test]
    fn a_decided_answer_never_joins_a_group_of_undecided_ones() {
        let mut state = state(&[(Aside, &[(1, "lib")])], vec![life(7, 1, 1, "a")]);
        state.mark_undecided(build_ref(1, "lib"));
        assert_eq!(assigned(&state, 1, "lib"), NEW);
    }

    #[test]
    fn an_address_that_no_center_vouches_for_is_believed_with_the_build_shown_alone() {
        let shown = state(&[(Current, &[(1, "lib")]), (Aside, &[(2, "lib'")])], vec![]);
        assert_eq!(assigned_assumed(&shown, 1, "lib"), KNOWN[0]);
        assert_eq!(assigned_assumed(&shown, 2, "lib'"), None);
        assert_eq!(assigned_assumed(&shown, 3, "lib' worker"), None);
        assert_eq!(assigned_assumed(&KeyState::default(), 1, "lib"), NEW);
    }
}
