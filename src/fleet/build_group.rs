//! Answers grouped into build groups by their builds.
//!
//! A *build group* is a set of builds that agree in every file they share: a server and a worker that share packages
//! are one build group. An answer that contradicts the build group that its key shows is never added to it; the answer
//! goes into a build group of its own, where nothing of it is lost.
//!
//! A file that the other build lacks is no contradiction. So the addresses decide when a set of files leaves its build
//! group ([`replaced`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::fleet::ids::{BuildGroupId, StructureId};
use crate::profile::{Build, BuildRelation, Fingerprint};

/// Tells whether a process that runs `build` belongs to the build group with the files of `union`.
///
/// A process that shares no file with the group belongs to it only if both can be of one module and the address is not
/// listed under another key, which `elsewhere` says. An empty build is no evidence and belongs to every group.
#[must_use]
pub(crate) fn fits(union: &Build, build: &Build, elsewhere: bool) -> bool {
    if union.file_count() == 0 || build.file_count() == 0 {
        return true;
    }
    match union.relation(build) {
        BuildRelation::SharesFiles => true,
        BuildRelation::Conflicts { .. } => false,
        BuildRelation::Disjoint => !elsewhere && union.may_share_module(build),
    }
}

/// An address that answers, with the sets of files of one build group that it served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServedSets<S> {
    /// The set that it serves now.
    pub now: S,
    /// The sets that it served before, in any order.
    pub before: Vec<S>,
}

/// Returns the sets of files of a build group that were replaced by another build, each with its successor.
///
/// A rebuild that only renames, removes or adds files contradicts nothing, so the files alone look the same for a
/// rebuild and for a server and a worker of one key. The addresses show the difference: a set is replaced when an
/// address that served it serves another one now, and no answering address serves it any more. Sets that are served
/// side by side stay one build group, and so do two sets of which no address served both.
#[must_use]
pub(crate) fn replaced<S: Copy + Ord>(answering: &[ServedSets<S>]) -> BTreeMap<S, S> {
    let served: BTreeSet<S> = answering.iter().map(|address| address.now).collect();
    let mut replaced = BTreeMap::new();
    for ServedSets { now, before } in answering {
        for old in before.iter().filter(|old| !served.contains(old)) {
            let successor = replaced.entry(*old).or_insert(*now);
            *successor = *now.max(successor);
        }
    }
    replaced
}

/// The claim of a key to an answer from an address that is listed under several keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The build is the one that the key shows; `None` when the key shows none yet.
    pub is_its_build: Option<bool>,
    /// The time since which the address is listed under the key; `None` if it is not listed there.
    pub listed_at: Option<DateTime<Utc>>,
}

/// Returns the index of the claim that an answer belongs to; `None` when the claims do not tell.
///
/// The answer belongs to the key that shows its build; of several such keys, to the one listed last. When no key shows
/// the build, the answer belongs to the key without a build yet, or else to the one listed last.
#[must_use]
pub(crate) fn owner(claims: &[Claim]) -> Option<usize> {
    for is_its_build in [Some(true), None, Some(false)] {
        let mut rivals: Vec<usize> =
            (0..claims.len()).filter(|&claim| claims[claim].is_its_build == is_its_build).collect();
        rivals.sort_by_key(|&claim| std::cmp::Reverse(claims[claim].listed_at));
        match rivals[..] {
            [] => {}
            [only] => return Some(only),
            [last, before, ..] => {
                return (claims[last].listed_at > claims[before].listed_at).then_some(last);
            }
        }
    }
    None
}

/// The status of a build group in its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuildGroupStatus {
    /// Reports show this group.
    Current,
    /// The group is set aside, because it contradicts the current one.
    Aside,
    /// The group was current before.
    Former,
}

impl BuildGroupStatus {
    /// Returns the word that is stored.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Aside => "aside",
            Self::Former => "former",
        }
    }

    /// Returns the status of a stored word.
    #[must_use]
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Current, Self::Aside, Self::Former].into_iter().find(|status| status.as_str() == word)
    }
}

/// Builds of a key that agree in every file they share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildGroup {
    pub id: BuildGroupId,
    pub status: BuildGroupStatus,
    /// The structures in the group, with the fingerprints of their builds.
    pub structures: Vec<(StructureId, Fingerprint)>,
}

/// The fingerprint of every structure, with its id.
pub(crate) type StructureIds = HashMap<Fingerprint, StructureId>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Limits, parse};

    fn build(text: &str) -> std::sync::Arc<Build> {
        parse(format!("mode: count\n{text}").as_bytes(), Limits::default()).unwrap().build
    }

    #[test]
    fn builds_that_share_files_belong_together_and_those_that_differ_in_one_do_not() {
        let server = build("x.io/o/m/lib/a.go:1.1,2.2 1 0\nx.io/o/m/server/s.go:1.1,2.2 1 0\n");
        let worker = build("x.io/o/m/lib/a.go:1.1,2.2 1 0\nx.io/o/m/worker/w.go:1.1,2.2 1 0\n");
        let dirty = build("x.io/o/m/lib/a.go:1.1,2.2 1 0\nx.io/o/m/server/s.go:1.1,3.2 1 0\n");
        assert!(fits(&server, &worker, false) && fits(&server, &worker, true));
        assert!(!fits(&server, &dirty, false));
    }

    #[test]
    fn builds_without_a_common_file_belong_together_by_module_unless_the_address_is_anothers() {
        let server = build("x.io/o/m/server/s.go:1.1,2.2 1 0\n");
        let worker = build("x.io/o/m/worker/w.go:1.1,2.2 1 0\n");
        let stranger = build("x.io/o/n/s.go:1.1,2.2 1 0\n");
        assert!(fits(&server, &worker, false));
        assert!(!fits(&server, &worker, true));
        let stranger_elsewhere = build("y.io/o/m/s.go:1.1,2.2 1 0\n");
        assert!(!fits(&server, &stranger, false) && !fits(&server, &stranger_elsewhere, false));
    }

    #[test]
    fn a_set_of_files_is_replaced_by_the_next_one_at_its_address_once_nobody_serves_it() {
        // An answering address, the set that it serves, and the sets that it served before.
        type Address = (char, &'static str);
        for (what, addresses, expected) in [
            ("a rebuild in place", &[('b', "a")][..], "a>b"),
            ("nothing new", &[('a', ""), ('a', "a")], ""),
            ("a restart of the same build", &[('a', "a")], ""),
            ("a rolling deploy, the first of two", &[('b', "a"), ('a', "")], ""),
            ("a rolling deploy, both", &[('b', "a"), ('b', "a")], "a>b"),
            (
                "the last old one left, and the first new one is at an old address",
                &[('b', "a"), ('b', "")],
                "a>b",
            ),
            ("pods at new addresses", &[('b', ""), ('b', "")], ""),
            ("a server beside a worker", &[('s', ""), ('w', "")], ""),
            ("a worker that is silent now", &[('s', "")], ""),
            ("the worker rebuilt", &[('s', ""), ('x', "w")], "w>x"),
            ("both rebuilt", &[('t', "s"), ('x', "w")], "s>t w>x"),
            ("server and worker changed places", &[('s', "w"), ('w', "s")], ""),
            (
                "an address changed from worker to server, and the worker is at another",
                &[('s', "w"), ('w', "")],
                "",
            ),
            ("back to the build before", &[('a', "ab")], "b>a"),
            ("the third build", &[('c', "ab")], "a>c b>c"),
            ("two successors: the newest", &[('b', "a"), ('c', "a")], "a>c"),
            ("nobody answers", &[], ""),
        ] {
            let served = |&(now, before): &Address| ServedSets { now, before: before.chars().collect() };
            let served: Vec<ServedSets<char>> = addresses.iter().map(served).collect();
            let found = replaced(&served).into_iter().map(|(old, new)| format!("{old}>{new}"));
            assert_eq!(found.collect::<Vec<_>>().join(" "), expected, "{what}");
        }
    }

    #[test]
    fn an_empty_build_belongs_everywhere() {
        assert!(fits(&build("a/b.go:1.1,2.2 1 0\n"), &build(""), true));
        assert!(fits(&build(""), &build("a/b.go:1.1,2.2 1 0\n"), true));
    }

    fn claim(is_its_build: Option<bool>, listed_at: i64) -> Claim {
        Claim { is_its_build, listed_at: DateTime::from_timestamp(listed_at, 0) }
    }

    #[test]
    fn a_process_under_two_names_belongs_to_the_one_whose_build_it_is() {
        assert_eq!(owner(&[claim(Some(false), 9), claim(Some(true), 1)]), Some(1));
        assert_eq!(owner(&[claim(Some(true), 1), claim(None, 9)]), Some(0));
        assert_eq!(owner(&[claim(Some(false), 9), claim(None, 1)]), Some(1));
    }

    #[test]
    fn between_equal_builds_the_name_listed_last_decides() {
        assert_eq!(owner(&[claim(Some(true), 2), claim(Some(true), 1)]), Some(0));
        assert_eq!(owner(&[claim(None, 1), claim(None, 2)]), Some(1));
        assert_eq!(owner(&[claim(Some(true), 2), claim(Some(true), 2)]), None);
        assert_eq!(owner(&[claim(Some(false), 1), claim(Some(false), 2)]), Some(1));
    }
}
