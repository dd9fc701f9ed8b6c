//! The choice of the build group that a key shows after a pull. Votes or a person adopt a build group; sets of files
//! that another build replaced leave it.

use std::collections::BTreeMap;

use super::build_group::{self, BuildGroupStatus};
use super::change::Change;
use super::election::{self, Candidate, Election, ElectionConditions, ElectionResult};
use super::ids::{BuildGroupId, IdSource, StructureId};
use super::key_state::{KeyState, PulledBuildGroup};
use super::pulled_key::PulledKey;
use super::succession;
use crate::names::in_message;
use crate::profile::Fingerprint;

/// A build took the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Adoption {
    pub(crate) from: Option<Fingerprint>,
    pub(crate) to: Option<Fingerprint>,
}

/// Decides which build group a key shows. The error says that no build, or more than one, has the fingerprint that a
/// person gave.
pub(crate) fn decide(
    key: &PulledKey<'_>,
    state: &KeyState,
    candidates: &[Candidate<BuildGroupId>],
) -> Result<ElectionResult<BuildGroupId>, String> {
    if let Some(wanted) = &key.rules.adopt_by_hand {
        let wanted = by_hand(wanted, &key.entry.newest_name().name, state)?;
        let chosen = Some(state.build_groups[wanted].id);
        return Ok(ElectionResult { adopted: Some(wanted), remembered: Election { contest: None, chosen } });
    }
    let conditions = ElectionConditions {
        may_adopt: key.rules.adopt,
        is_answered: !state.answered.is_empty(),
        listed: key.entry.addresses().len(),
        now: key.now,
    };
    Ok(election::elect(candidates, &key.entry.schedule.election, conditions))
}

/// Shows the build group with this index.
pub(crate) fn adopt(state: &mut KeyState, elected: usize, changes: &mut Vec<Change>) -> Option<Adoption> {
    let current = state.current();
    if current == Some(elected) {
        return None;
    }
    let newest_build = |index: usize| state.build_groups[index].newest_build();
    let adopted = current.map(|current| Adoption { from: newest_build(current), to: newest_build(elected) });
    changes.extend(current.map(|current| state.set_status(current, BuildGroupStatus::Former)));
    changes.push(state.set_status(elected, BuildGroupStatus::Current));
    adopted
}

/// Moves the sets of files that another build replaced from the build group shown into the history.
pub(crate) fn leave_replaced(
    key: &PulledKey<'_>,
    state: &mut KeyState,
    ids: &IdSource,
    changes: &mut Vec<Change>,
) -> Vec<Adoption> {
    let Some(current) = state.current().filter(|_| key.rules.adopt) else { return Vec::new() };
    let build_group = &state.build_groups[current];
    if build_group.structures.len() < 2 {
        return Vec::new();
    }
    let replaced = build_group::replaced(&succession::served(key, state, build_group));
    if replaced.is_empty() {
        return Vec::new();
    }
    let members: BTreeMap<StructureId, Fingerprint> = build_group.structures.iter().copied().collect();
    let history = history(key, state, ids, changes);
    let mut adopted = Vec::new();
    for (old, new) in replaced {
        changes.push(state.move_structure((old, members[&old]), current, history));
        adopted.push(Adoption { from: Some(members[&old]), to: Some(members[&new]) });
    }
    state.touched = true;
    adopted
}

/// Returns the index of an empty former build group; adds one when there is none.
fn history(key: &PulledKey<'_>, state: &mut KeyState, ids: &IdSource, changes: &mut Vec<Change>) -> usize {
    let is_free = |build_group: &PulledBuildGroup| {
        build_group.status != BuildGroupStatus::Current
            && build_group.structures.is_empty()
            && !build_group.is_undecided
    };
    let index = state.build_groups.iter().position(is_free).unwrap_or_else(|| {
        let (index, added) = state.add_build_group(key.entry.id, false, ids, key.now);
        changes.push(added);
        index
    });
    if state.build_groups[index].status != BuildGroupStatus::Former {
        changes.push(state.set_status(index, BuildGroupStatus::Former));
    }
    index
}

/// Returns the index of the only build group with a build whose fingerprint begins with `wanted`.
fn by_hand(wanted: &str, service: &str, state: &KeyState) -> Result<usize, String> {
    let wanted = wanted.to_ascii_lowercase();
    let builds = || {
        state.build_groups.iter().enumerate().flat_map(|(index, build_group)| {
            build_group.structures.iter().map(move |(_, fingerprint)| (index, fingerprint.short()))
        })
    };
    let mut fitting: Vec<usize> =
        builds().filter(|(_, known)| known.starts_with(&wanted)).map(|(index, _)| index).collect();
    fitting.dedup();
    if let [index] = fitting[..] {
        return Ok(index);
    }
    let known: Vec<String> = builds().map(|(_, known)| known).collect();
    Err(format!(
        "--adopt \"{}\" fits {} builds of {}, known are: {}",
        in_message(&wanted),
        fitting.len(),
        in_message(service),
        known.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::build_group::BuildGroupStatus::{Aside, Current, Former};
    use crate::fleet::fixtures::{
        address, answered, build, entry, ids, life, pulled_key, rules, state, words,
    };
    use crate::fleet::votes::{OtherKeys, candidates};

    fn adopted(from: &str, to: &str) -> Adoption {
        let build = |files| Some(build(files).fingerprint());
        Adoption { from: build(from), to: build(to) }
    }

    /// A key that shows `server` and `old`, whose host `a` served structure 2, `old`, and answers as `files` now.
    fn after_answer(files: &str) -> KeyState {
        let groups = [(Current, &[(1, "server"), (2, "old")][..])];
        let mut state = state(&groups, vec![life(7, 1, 2, "a")]);
        state.answered.insert(address("a"), answered(1, files));
        state
    }

    #[test]
    fn a_key_takes_the_build_group_that_most_addresses_serve() {
        let (entry, rules, others) = (entry(1, &["a", "b", "c"]), rules(), OtherKeys::default());
        let asked = ["a", "b", "c"].map(address);
        let key = pulled_key(&entry, &asked.each_ref().map(String::as_str), &rules);
        let mut state = state(&[(Aside, &[(1, "lib")]), (Aside, &[(2, "lib'")])], vec![]);
        for (host, group, files) in [("a", 1, "lib"), ("b", 2, "lib'"), ("c", 2, "lib'")] {
            state.answered.insert(address(host), answered(group, files));
        }
        let decision = decide(&key, &state, &candidates(0, &key, &state, &others)).unwrap();
        assert_eq!(decision.adopted, Some(1));
    }

    #[test]
    fn a_build_that_a_person_names_is_adopted_and_stays_chosen() {
        let (entry, mut rules) = (entry(1, &["a"]), rules());
        let state = state(&[(Current, &[(1, "lib")]), (Aside, &[(2, "lib'")])], vec![]);
        rules.adopt_by_hand = Some(build("lib'").fingerprint().short().to_uppercase());
        let decision = decide(&pulled_key(&entry, &[], &rules), &state, &[]).unwrap();
        let remembered = Election { contest: None, chosen: Some(BuildGroupId(2)) };
        assert_eq!(decision, ElectionResult { adopted: Some(1), remembered });
    }

    #[test]
    fn a_fingerprint_that_fits_no_build_or_several_names_those_that_are_known() {
        let (entry, mut rules) = (entry(1, &["a"]), rules());
        let state = state(&[(Current, &[(1, "lib")]), (Aside, &[(2, "lib'")])], vec![]);
        let known = ["lib", "lib'"].map(|files| build(files).fingerprint().short()).join(", ");
        for (wanted, fitting) in [("xyz", 0), ("", 2)] {
            rules.adopt_by_hand = Some(wanted.to_owned());
            let error = decide(&pulled_key(&entry, &[], &rules), &state, &[]).unwrap_err();
            let expected = format!("--adopt \"{wanted}\" fits {fitting} builds of name1, known are: {known}");
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn the_first_build_group_of_a_key_takes_nobody_s_place() {
        let mut state = state(&[(Aside, &[(1, "lib")])], vec![]);
        let mut changes = Vec::new();
        assert_eq!(adopt(&mut state, 0, &mut changes), None);
        assert_eq!((words(&changes), state.current()), (vec!["status 1 current".to_owned()], Some(0)));
    }

    #[test]
    fn an_adopted_build_group_makes_the_one_shown_before_a_former_one() {
        let mut state = state(&[(Current, &[(1, "lib")]), (Aside, &[(2, "lib'")])], vec![]);
        let mut changes = Vec::new();
        assert_eq!(adopt(&mut state, 1, &mut changes), Some(adopted("lib", "lib'")));
        assert_eq!(words(&changes), ["status 1 former", "status 2 current"]);
    }

    #[test]
    fn a_build_group_that_is_shown_already_changes_nothing() {
        let mut state = state(&[(Current, &[(1, "lib")])], vec![]);
        let mut changes = Vec::new();
        assert_eq!(adopt(&mut state, 0, &mut changes), None);
        assert!(changes.is_empty());
    }

    #[test]
    fn a_set_of_files_that_another_build_replaced_becomes_history() {
        let (entry, rules, a) = (entry(1, &["a"]), rules(), address("a"));
        let key = pulled_key(&entry, &[&a], &rules);
        let (mut state, mut changes) = (after_answer("server"), Vec::new());
        let replaced = leave_replaced(&key, &mut state, &ids(), &mut changes);
        assert_eq!(replaced, [adopted("old", "server")]);
        assert_eq!(words(&changes), ["group 100", "status 100 former", "structure 2 from 1 to 100"]);
        assert!(state.touched);
    }

    #[test]
    fn a_free_build_group_is_used_for_the_history() {
        let (entry, rules, a) = (entry(1, &["a"]), rules(), address("a"));
        let key = pulled_key(&entry, &[&a], &rules);
        let (mut state, mut changes) = (after_answer("server"), Vec::new());
        state.build_groups.push(PulledBuildGroup::new(BuildGroupId(2), Former));
        leave_replaced(&key, &mut state, &ids(), &mut changes);
        assert_eq!(words(&changes), ["structure 2 from 1 to 2"]);
    }

    #[test]
    fn a_set_of_files_that_is_served_still_stays() {
        let (entry, rules, a) = (entry(1, &["a"]), rules(), address("a"));
        let key = pulled_key(&entry, &[&a], &rules);
        let (mut state, mut changes) = (after_answer("old"), Vec::new());
        assert!(leave_replaced(&key, &mut state, &ids(), &mut changes).is_empty() && changes.is_empty());
    }

    #[test]
    fn nothing_is_replaced_where_adoption_is_off() {
        let (entry, mut rules, a) = (entry(1, &["a"]), rules(), address("a"));
        rules.adopt = false;
        let key = pulled_key(&entry, &[&a], &rules);
        let (mut state, mut changes) = (after_answer("server"), Vec::new());
        assert!(leave_replaced(&key, &mut state, &ids(), &mut changes).is_empty() && changes.is_empty());
    }
}
