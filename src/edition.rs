//! Which answers belong together, judged by their builds alone.
//!
//! An *edition* is a set of builds that agree in every file they share: a server and a worker that
//! share packages are one. An answer that contradicts the edition its key shows is never poured in; it
//! goes into an edition of its own, where nothing of it is lost.

use chrono::{DateTime, Utc};

use crate::profile::{Build, Relation};

/// Tells whether a process that runs `build` belongs to the edition with the files of `union`.
///
/// One that shares no file with it does only if both can be of one module, and nothing else speaks for
/// the address being another's: `elsewhere` says that it also stands under another name. An empty build
/// says nothing and belongs everywhere.
#[must_use]
pub fn fits(union: &Build, build: &Build, elsewhere: bool) -> bool {
    if union.file_count() == 0 || build.file_count() == 0 {
        return true;
    }
    match union.relation(build) {
        Relation::SharesFiles => true,
        Relation::Conflicts { .. } => false,
        Relation::Disjoint => !elsewhere && union.may_share_module(build),
    }
}

/// What a key has to say about an answer from an address that stands under several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whether the build is the key's; `None` where the key shows none yet.
    pub is_its_build: Option<bool>,
    /// When the address was listed under the key.
    pub listed_at: Option<DateTime<Utc>>,
}

/// Returns the index of the claim that an answer belongs to; `None` where that cannot be told.
///
/// It belongs to the one whose build it is. Where several have that build it belongs to the one listed
/// last; where none has it, to the one without a build yet, or the one listed last.
#[must_use]
pub fn owner(claims: &[Claim]) -> Option<usize> {
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

/// Who answered for an edition in a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turnout {
    /// It is what its key shows.
    pub is_current: bool,
    /// Addresses that serve it: those that answered, and those that were not asked and served it last.
    pub serving: usize,
    /// Place of the first such address in the center's list.
    pub first: usize,
}

/// Returns the index of the edition that a key shows after a pull; `None` leaves all as it is.
///
/// A key that shows none takes the one that most addresses serve, of two alike the one listed first.
/// Another takes a new one, where it may (`adopt`), once nothing serves the current one any more and
/// all that answers serves that one.
#[must_use]
pub fn elect(turnouts: &[Turnout], adopt: bool) -> Option<usize> {
    let serving = || turnouts.iter().enumerate().filter(|(_, turnout)| turnout.serving > 0);
    match turnouts.iter().find(|turnout| turnout.is_current) {
        Some(current) if !adopt || current.serving > 0 => None,
        Some(_) => {
            let mut rivals = serving();
            let (only, _) = rivals.next()?;
            rivals.next().is_none().then_some(only)
        }
        None => serving()
            .max_by_key(|(_, turnout)| (turnout.serving, std::cmp::Reverse(turnout.first)))
            .map(|(index, _)| index),
    }
}

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

    fn turnout(is_current: bool, serving: usize, first: usize) -> Turnout {
        Turnout { is_current, serving, first }
    }

    #[test]
    fn a_new_key_shows_what_most_serve_and_of_two_alike_the_first() {
        assert_eq!(elect(&[turnout(false, 1, 0), turnout(false, 2, 1)], true), Some(1));
        assert_eq!(elect(&[turnout(false, 1, 4), turnout(false, 1, 2)], true), Some(1));
        assert_eq!(elect(&[], true), None);
    }

    #[test]
    fn a_new_build_is_adopted_once_nothing_serves_the_current_one() {
        assert_eq!(elect(&[turnout(true, 1, 0), turnout(false, 2, 1)], true), None);
        assert_eq!(elect(&[turnout(true, 0, 0), turnout(false, 2, 1)], true), Some(1));
        assert_eq!(elect(&[turnout(true, 0, 0), turnout(false, 2, 1)], false), None);
        assert_eq!(elect(&[turnout(true, 0, 0), turnout(false, 2, 1), turnout(false, 1, 3)], true), None);
        assert_eq!(elect(&[turnout(true, 0, 0), turnout(false, 0, 0)], true), None);
    }
}
