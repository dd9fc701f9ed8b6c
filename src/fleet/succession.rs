//! The sets of files of a build group that each address served one after the other.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::build_group::ServedSets;
use super::ids::StructureId;
use super::key_state::{KeyState, PulledBuildGroup};
use super::pulled_key::PulledKey;
use super::records::Life;
use crate::profile::{Build, Fingerprint};

/// Returns the addresses that answer with a set of files of `build_group`, with the sets of the group that they served
/// before.
///
/// An address that was not asked in this pull and did not fail at its last one counts with its last answer. An address
/// that no answering center lists replaces no set. A set is not counted as served before if a process began to serve it
/// when the address began to serve its present set, or later: a server and a worker changed places.
pub(crate) fn served(
    key: &PulledKey<'_>,
    state: &KeyState,
    build_group: &PulledBuildGroup,
) -> Vec<ServedSets<StructureId>> {
    let entry = key.entry;
    let structures: HashMap<Fingerprint, StructureId> =
        build_group.structures.iter().map(|(structure, build)| (*build, *structure)).collect();
    // A profile without any file does not show the build.
    let silent = structures.get(&Build::empty().fingerprint()).copied();
    let mut before: HashMap<&str, Vec<StructureId>> = HashMap::new();
    let mut now: BTreeMap<&str, StructureId> = BTreeMap::new();
    let mut begun_last: HashMap<StructureId, DateTime<Utc>> = HashMap::new();
    let mut since: HashMap<(&str, StructureId), DateTime<Utc>> = HashMap::new();
    let listed = entry.addresses();
    let is_unasked = |address: &str| !key.asked.contains(address) && entry.state(address).retry.failures == 0;
    let unasked: HashSet<&str> =
        listed.iter().map(String::as_str).filter(|address| is_unasked(address)).collect();
    let of_it = |known: &&Life| {
        known.build_group == build_group.id && Some(known.structure) != silent && !known.is_mixture
    };
    for known in state.lives.iter().filter(of_it) {
        let Some(address) = known.address.as_deref() else { continue };
        before.entry(address).or_default().push(known.structure);
        let last = begun_last.entry(known.structure).or_insert(known.opened_at);
        *last = known.opened_at.max(*last);
        if known.closed_at.is_none() {
            since.insert((address, known.structure), known.opened_at);
            if unasked.contains(address) {
                now.insert(address, known.structure);
            }
        }
    }
    for (address, answer) in &state.answered {
        let structure = structures.get(&answer.build).copied().filter(|structure| Some(*structure) != silent);
        if let Some(structure) =
            structure.filter(|_| answer.build_group == build_group.id && answer.is_decided)
        {
            now.insert(address, structure);
        }
    }
    let of_address = |(address, now): (&str, StructureId)| {
        let mut before = before.remove(address).unwrap_or_default();
        // A set that began with this pull is later than all stored ones.
        let since = since.get(&(address, now));
        before.retain(|set| *set != now && since.is_none_or(|since| begun_last[set] < *since));
        if !before.is_empty() && entry.is_assumed(address) {
            before.clear();
        }
        ServedSets { now, before }
    };
    now.into_iter().map(of_address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::build_group::BuildGroupStatus::Current;
    use crate::fleet::fixtures::{address, answered, at, entry, failing, life, pulled_key, rules, state};
    use crate::fleet::key_entry::KeyEntry;

    /// Each address that counts, with the set of files that it serves now and those that it served before. The key
    /// shows the sets 1, `server`, and 2, `worker`.
    fn found(
        entry: &KeyEntry,
        lives: Vec<Life>,
        asked: &[&str],
        answers: &[(&str, &str)],
    ) -> Vec<(i64, Vec<i64>)> {
        let mut state = state(&[(Current, &[(1, "server"), (2, "worker")])], lives);
        for (host, files) in answers {
            state.answered.insert(address(host), answered(1, files));
        }
        let (rules, asked) = (rules(), asked.iter().map(|host| address(host)).collect::<Vec<_>>());
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let served = served(&pulled_key(entry, &asked, &rules), &state, &state.build_groups[0]);
        let shown =
            |served: ServedSets<StructureId>| (served.now.0, served.before.iter().map(|it| it.0).collect());
        served.into_iter().map(shown).collect()
    }

    #[test]
    fn an_address_that_answers_with_another_set_of_files_left_the_one_before() {
        let lives = vec![life(7, 1, 2, "a")];
        assert_eq!(found(&entry(1, &["a"]), lives, &["a"], &[("a", "server")]), [(1, vec![2])]);
    }

    #[test]
    fn an_address_that_was_not_asked_counts_with_its_last_answer_unless_it_failed() {
        let lives = vec![life(7, 1, 2, "a")];
        assert_eq!(found(&entry(1, &["a"]), lives.clone(), &[], &[]), [(2, vec![])]);
        assert!(found(&failing(entry(1, &["a"]), "a", 1, 60), lives.clone(), &[], &[]).is_empty());
        assert!(found(&entry(1, &["a"]), lives, &["a"], &[]).is_empty());
    }

    #[test]
    fn a_set_that_another_process_began_to_serve_later_is_not_left_behind() {
        let before = Life { closed_at: Some(at(5)), ..life(7, 1, 2, "a") };
        let now = Life { opened_at: at(5), ..life(8, 1, 1, "a") };
        let lives = vec![before.clone(), now.clone()];
        assert_eq!(found(&entry(1, &["a"]), lives, &["a"], &[("a", "server")]), [(1, vec![2])]);
        let elsewhere = Life { opened_at: at(5), ..life(9, 1, 2, "b") };
        let lives = vec![before, now, elsewhere];
        assert_eq!(found(&entry(1, &["a"]), lives, &["a"], &[("a", "server")]), [(1, vec![])]);
    }

    #[test]
    fn an_address_that_no_center_vouches_for_replaces_nothing() {
        let mut entry = entry(1, &["a"]);
        entry.members[0].listings[0].assumed = true;
        let lives = vec![life(7, 1, 2, "a")];
        assert_eq!(found(&entry, lives, &["a"], &[("a", "server")]), [(1, vec![])]);
    }
}
