//! The state of one key during a pull: its build groups, its lives, and the answers of its addresses.
//!
//! Pure: the engine reads the stored records, passes them in, and carries out the returned changes.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::build_group::{self, BuildGroup, BuildGroupStatus};
use super::change::Change;
use super::ids::{BuildGroupId, IdSource, KeyId, LifeId, StructureId};
use super::records::Life;
use super::row_decision::Moved;
use crate::profile::{Build, BuildConflict, Fingerprint, Mode, ProfileSum, StoredSumError, Template};

/// State of a key during a pull.
#[derive(Default)]
pub(crate) struct KeyState {
    pub(crate) build_groups: Vec<PulledBuildGroup>,
    /// Lives as they were stored before this run.
    pub(crate) lives: Vec<Life>,
    /// Lives whose counters are in the sums already, so that their stored counters are not added again.
    pub(crate) replaced: HashSet<LifeId>,
    pub(crate) templates: Vec<(StructureId, Arc<Template>)>,
    pub(crate) answered: BTreeMap<String, AddressAnswer>,
    /// Addresses that failed, each with its error.
    pub(crate) failed: BTreeMap<String, String>,
    /// Addresses whose process belongs to another key, each with a name of that key and the build it serves.
    pub(crate) elsewhere: BTreeMap<String, (String, Fingerprint)>,
    /// Records of the key were stored in this run.
    pub(crate) touched: bool,
    /// Stored values of the key that cannot be read.
    pub(crate) faults: BTreeSet<String>,
    /// Sentences about the key that people should know, and that are no faults.
    pub(crate) notes: BTreeSet<String>,
    /// Sentences about programs that are new, for those who want to know everything.
    pub(crate) details: BTreeSet<String>,
    /// Number of lives that ended.
    pub(crate) restarted: usize,
    pub(crate) bytes: u64,
}

/// A build group during a pull.
pub(crate) struct PulledBuildGroup {
    pub(crate) id: BuildGroupId,
    pub(crate) status: BuildGroupStatus,
    pub(crate) structures: Vec<BuildRef>,
    /// The sum of the counters in this run's answers, over a structure with at least the blocks of all of them. Those that
    /// wait are not in it yet.
    pub(crate) sum: Option<ProfileSum>,
    /// Encoded counters of answers of this run, which are added when the sum is needed.
    waiting: Vec<WaitingCounts>,
    waiting_bytes: usize,
    /// Structures of this run's answers. They cannot move to another group before the run ends.
    answered: HashSet<StructureId>,
    /// Counters changed in this run.
    pub(crate) moved: Moved,
    /// The group was made in this run for an answer that may belong to another key.
    pub(crate) is_undecided: bool,
}

/// Encoded counters of an answer.
struct WaitingCounts {
    mode: Mode,
    build: Arc<Build>,
    counts: Box<[u8]>,
}

/// A structure with the fingerprint of its build.
pub(crate) type BuildRef = (StructureId, Fingerprint);

/// The answer of an address in this run.
pub(crate) struct AddressAnswer {
    pub(crate) build_group: BuildGroupId,
    pub(crate) build: Fingerprint,
    pub(crate) fraction: String,
    /// The answer is known to be of this key.
    pub(crate) is_decided: bool,
}

impl KeyState {
    /// Notes the answer of an address, whose counters are in the sums in place of those of this life.
    pub(crate) fn note_answer(&mut self, address: &str, life: LifeId, bytes: u64, answer: AddressAnswer) {
        self.replaced.insert(life);
        self.bytes += bytes;
        self.answered.insert(address.to_owned(), answer);
    }

    /// Starts with the stored build groups and lives. Structures and counters are read later, only if an answer
    /// changed.
    pub(crate) fn new(build_groups: Vec<BuildGroup>, lives: Vec<Life>) -> Self {
        let pulled = |BuildGroup { id, status, structures }| PulledBuildGroup {
            structures,
            ..PulledBuildGroup::new(id, status)
        };
        let build_groups = build_groups.into_iter().map(pulled).collect();
        Self { build_groups, lives, ..Self::default() }
    }

    /// Returns the open lives at an address.
    pub(crate) fn open_at<'s>(&'s self, address: &'s str) -> impl Iterator<Item = &'s Life> {
        self.at(address).filter(|known| known.closed_at.is_none())
    }

    /// Returns all lives at an address.
    pub(crate) fn at<'s>(&'s self, address: &'s str) -> impl Iterator<Item = &'s Life> {
        self.lives.iter().filter(move |known| known.address.as_deref() == Some(address))
    }

    /// Returns the only open life of an address with its build, if a repetition of its last answer certainly goes on
    /// with this life. `is_assumed` says that no answering center lists the address.
    pub(crate) fn repeatable(&self, address: &str, is_assumed: bool) -> Option<(Life, Fingerprint)> {
        let mut open = self.open_at(address);
        let (Some(life), None) = (open.next(), open.next()) else { return None };
        // A key that shows no build group yet needs all answers to choose one.
        let current = self.current()?;
        let index = self.build_group_with(life.structure)?;
        let build_group = &self.build_groups[index];
        if build_group.id != life.build_group || (is_assumed && index != current) {
            return None;
        }
        let of_it = |build_ref: &&BuildRef| build_ref.0 == life.structure;
        let (_, build) = build_group.structures.iter().find(of_it)?;
        Some((life.clone(), *build))
    }

    /// Returns the index of the build group that the key shows.
    pub(crate) fn current(&self) -> Option<usize> {
        self.build_groups.iter().position(|build_group| build_group.status == BuildGroupStatus::Current)
    }

    /// Returns the id of the build group that the key shows.
    pub(crate) fn current_id(&self) -> Option<BuildGroupId> {
        self.current().map(|current| self.build_groups[current].id)
    }

    /// Tells whether a build belongs to the build group that the key shows, or, before it shows one, to the builds of
    /// its answers. `None` when the key has no answer yet.
    pub(crate) fn is_its_build(&self, build: &Build) -> Option<bool> {
        let current = self.current();
        let shown = self.build_groups.iter().enumerate().filter(|(index, build_group)| match current {
            Some(current) => *index == current,
            None => !build_group.is_undecided,
        });
        let mut sums = shown.filter_map(|(_, build_group)| build_group.sum.as_ref()).peekable();
        sums.peek()?;
        Some(sums.any(|sum| build_group::fits(sum.build(), build, true)))
    }

    /// Returns the build group to which an answer belongs: the current group if it has the build or the build fits it,
    /// else a group that has the build, else a group that the build fits.
    ///
    /// A build that fits the current build group moves there with all its earlier counters ([`Self::bring_back`]). Such
    /// a build was set aside or replaced before, and is now served beside the current one again.
    pub(crate) fn build_group_of(
        &self,
        build: &Build,
        build_ref: BuildRef,
        elsewhere: bool,
    ) -> Option<usize> {
        let fits = |index: &usize| {
            let sum = self.build_groups[*index].sum.as_ref();
            sum.is_some_and(|sum| build_group::fits(sum.build(), build, elsewhere))
        };
        let has_it = |index: &usize| self.build_groups[*index].has(build_ref.0);
        let may_join = |index: &usize| fits(index) && !self.is_answered_elsewhere(*index, build_ref.0);
        let current = self.current();
        current
            .filter(has_it)
            .or_else(|| current.filter(may_join))
            .or_else(|| self.build_group_with(build_ref.0))
            .or_else(|| self.decided_newest_first().find(fits))
    }

    /// Returns the build group that has a structure: the current group if it has it, else the newest group with it.
    pub(crate) fn build_group_with(&self, structure: StructureId) -> Option<usize> {
        let has_it = |index: &usize| self.build_groups[*index].has(structure);
        self.current().filter(has_it).or_else(|| self.decided_newest_first().find(has_it))
    }

    /// Returns the build group in which answers of this build wait until their key is known.
    pub(crate) fn undecided_build_group_of(&self, build_ref: BuildRef) -> Option<usize> {
        let stored = |build_group: &PulledBuildGroup| {
            self.lives.iter().any(|known| known.build_group == build_group.id)
        };
        self.build_groups.iter().rposition(|build_group| {
            build_group.status == BuildGroupStatus::Aside
                && build_group.structures.contains(&build_ref)
                && (build_group.is_undecided || stored(build_group))
        })
    }

    /// Notes that the waiting answers of this build may belong to another key.
    pub(crate) fn mark_undecided(&mut self, build_ref: BuildRef) {
        if let Some(index) = self.undecided_build_group_of(build_ref) {
            self.build_groups[index].is_undecided = true;
        }
    }

    fn decided_newest_first(&self) -> impl Iterator<Item = usize> {
        (0..self.build_groups.len()).rev().filter(|&index| !self.build_groups[index].is_undecided)
    }

    /// Tells whether an answer of this run with this build belongs to another build group, or is about to.
    fn is_answered_elsewhere(&self, index: usize, structure: StructureId) -> bool {
        let others = self.build_groups.iter().enumerate().filter(|(other, _)| *other != index);
        let mut decided =
            others.map(|(_, build_group)| build_group).filter(|build_group| !build_group.is_undecided);
        decided.any(|build_group| build_group.answered.contains(&structure))
    }

    /// Moves the counters that other build groups have of a build into the current one; returns the changes for the
    /// database.
    pub(crate) fn bring_back(&mut self, current: usize, build_ref: BuildRef) -> Vec<Change> {
        let mut moved = Vec::new();
        for index in 0..self.build_groups.len() {
            let build_group = &self.build_groups[index];
            if index != current && !build_group.is_undecided && build_group.has(build_ref.0) {
                moved.push(self.move_structure(build_ref, index, current));
            }
        }
        self.touched |= !moved.is_empty();
        moved
    }

    /// Moves all counters of a build from one build group to another; returns the change for the database.
    pub(crate) fn move_structure(&mut self, build_ref: BuildRef, from: usize, to: usize) -> Change {
        let (structure, (from_id, to_id)) =
            (build_ref.0, (self.build_groups[from].id, self.build_groups[to].id));
        let moved = |known: &&mut Life| known.build_group == from_id && known.structure == structure;
        self.lives.iter_mut().filter(moved).for_each(|known| known.build_group = to_id);
        self.build_groups[from].structures.retain(|known| *known != build_ref);
        if !self.build_groups[to].has(structure) {
            self.build_groups[to].structures.push(build_ref);
        }
        for index in [from, to] {
            self.build_groups[index].moved = Moved::Covered;
        }
        Change::StructureMoved { structure, from: from_id, to: to_id }
    }

    /// Adds a build group; returns its index and the change for the database.
    pub(crate) fn add_build_group(
        &mut self,
        key: KeyId,
        is_undecided: bool,
        ids: &IdSource,
        now: DateTime<Utc>,
    ) -> (usize, Change) {
        let id = ids.build_group();
        let added = PulledBuildGroup { is_undecided, ..PulledBuildGroup::new(id, BuildGroupStatus::Aside) };
        self.build_groups.push(added);
        (self.build_groups.len() - 1, Change::BuildGroup { id, key, at: now })
    }

    /// Gives a build group another status; returns the change for the database.
    pub(crate) fn set_status(&mut self, index: usize, status: BuildGroupStatus) -> Change {
        let build_group = &mut self.build_groups[index];
        build_group.status = status;
        Change::BuildGroupStatus(build_group.id, status)
    }
}

impl PulledBuildGroup {
    pub(crate) fn new(id: BuildGroupId, status: BuildGroupStatus) -> Self {
        Self {
            id,
            status,
            structures: Vec::new(),
            sum: None,
            waiting: Vec::new(),
            waiting_bytes: 0,
            answered: HashSet::new(),
            moved: Moved::Nothing,
            is_undecided: false,
        }
    }

    /// Tells whether a structure belongs to the group.
    pub(crate) fn has(&self, structure: StructureId) -> bool {
        self.structures.iter().any(|(known, _)| *known == structure)
    }

    /// Returns the newest build, which stands for the group where one build has to be named.
    pub(crate) fn newest_build(&self) -> Option<Fingerprint> {
        self.structures.last().map(|(_, build)| *build)
    }

    /// Adds the blocks of a build to the structure of the sum.
    pub(crate) fn take_in(&mut self, build: &Arc<Build>) -> Result<(), BuildConflict> {
        self.sum.get_or_insert_with(|| ProfileSum::new(Arc::clone(build))).take_in(build)
    }

    /// Takes in the build of an answer of this run.
    pub(crate) fn take_in_answer(
        &mut self,
        build_ref: BuildRef,
        build: &Arc<Build>,
    ) -> Result<(), BuildConflict> {
        self.answered.insert(build_ref.0);
        if !self.structures.contains(&build_ref) {
            self.structures.push(build_ref);
        }
        self.take_in(build)
    }

    /// Adds counters of an answer to the sum.
    pub(crate) fn add(
        &mut self,
        mode: Mode,
        build: &Arc<Build>,
        counts: &[u64],
    ) -> Result<(), BuildConflict> {
        self.sum.get_or_insert_with(|| ProfileSum::new(Arc::clone(build))).add(mode, build, counts)
    }

    /// Notes encoded counters of an answer for the sum. The counters are added when the sum is needed, since most pulls
    /// need none, or as soon as all waiting ones take more memory than a sum.
    pub(crate) fn add_encoded(
        &mut self,
        mode: Mode,
        build: &Arc<Build>,
        counts: Box<[u8]>,
    ) -> Result<(), StoredSumError> {
        self.waiting_bytes += counts.len() + size_of::<WaitingCounts>();
        self.waiting.push(WaitingCounts { mode, build: Arc::clone(build), counts });
        let are_many = self.waiting_bytes > build.blocks().len() * size_of::<u64>();
        if are_many { self.add_waiting() } else { Ok(()) }
    }

    /// Adds the counters that wait to the sum.
    pub(crate) fn add_waiting(&mut self) -> Result<(), StoredSumError> {
        self.waiting_bytes = 0;
        for WaitingCounts { mode, build, counts } in self.waiting.drain(..) {
            let sum = self.sum.get_or_insert_with(|| ProfileSum::new(Arc::clone(&build)));
            sum.add_encoded(mode, &build, &counts)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::build_group::BuildGroupStatus::{Aside, Current, Former};
    use crate::fleet::fixtures::{address, at, build, build_ref, life, state, words};
    use crate::profile::encode_counts;

    #[test]
    fn counters_of_any_number_of_replicas_wait_in_less_memory_than_a_sum_takes() {
        let files: Vec<String> = (0..100).map(|file| format!("f{file}")).collect();
        let build = build(&files.join(" "));
        let mut counts = vec![0; 100];
        counts[7] = 3;
        let mut group = PulledBuildGroup::new(BuildGroupId(1), Current);
        for replicas in 1..100 {
            group.add_encoded(Mode::Count, &build, encode_counts(&counts).into()).unwrap();
            let waiting: usize = group.waiting.iter().map(|waiting| waiting.counts.len()).sum();
            assert!(waiting + size_of_val(&*group.waiting) <= size_of_val(&*counts));
            if replicas == 2 {
                assert!(group.sum.is_none());
            }
        }
        group.add_waiting().unwrap();
        counts[7] = 99 * 3;
        assert_eq!(group.sum.map(|sum| sum.into_profile().counts), Some(counts));
    }

    #[test]
    fn a_build_that_joins_what_is_shown_brings_along_all_that_it_counted() {
        let groups = [(Current, &[(1, "server")][..]), (Former, &[(2, "worker"), (3, "tool")])];
        let mut state = state(&groups, vec![life(7, 2, 2, "a"), life(8, 2, 3, "b")]);
        let changes = state.bring_back(0, build_ref(2, "worker"));
        assert_eq!(words(&changes), ["structure 2 from 2 to 1"]);
        assert_eq!(state.lives.iter().map(|life| life.build_group.0).collect::<Vec<_>>(), [1, 2]);
        assert!(
            state.touched && state.build_groups.iter().all(|build_group| build_group.moved == Moved::Covered)
        );
        assert!(state.build_groups[0].has(StructureId(2)) && !state.build_groups[1].has(StructureId(2)));
        assert!(state.bring_back(0, build_ref(2, "worker")).is_empty());
    }

    #[test]
    fn a_build_is_that_of_a_key_where_it_fits_what_the_key_shows() {
        let shown = state(&[(Current, &[(1, "lib server")]), (Aside, &[(2, "lib'")])], vec![]);
        assert_eq!(shown.is_its_build(&build("lib worker")), Some(true));
        assert_eq!(shown.is_its_build(&build("lib'")), Some(false));
        // A build without a common file belongs to the group only by its module.
        assert_eq!(shown.is_its_build(&build("worker")), Some(false));
    }

    #[test]
    fn a_key_that_shows_nothing_yet_claims_the_builds_of_its_first_answers() {
        assert_eq!(KeyState::default().is_its_build(&build("lib")), None);
        let first = state(&[(Aside, &[(1, "lib")])], vec![]);
        assert_eq!(first.is_its_build(&build("lib worker")), Some(true));
        assert_eq!(first.is_its_build(&build("lib'")), Some(false));
    }

    #[test]
    fn a_repeated_answer_goes_on_with_the_one_open_life_of_its_address() {
        let closed = Life { closed_at: Some(at(1)), ..life(6, 1, 1, "a") };
        let (open, elsewhere) = (life(7, 1, 1, "a"), life(8, 1, 1, "b"));
        let state = state(&[(Current, &[(1, "lib")])], vec![closed, open.clone(), elsewhere]);
        let repeated = Some((open, build("lib").fingerprint()));
        assert_eq!(state.repeatable(&address("a"), false), repeated);
        assert_eq!(state.repeatable(&address("c"), false), None);
    }

    #[test]
    fn a_repeated_answer_is_read_where_two_lives_are_open_or_nothing_is_shown() {
        let two = vec![life(7, 1, 1, "a"), life(8, 1, 1, "a")];
        assert_eq!(state(&[(Current, &[(1, "lib")])], two).repeatable(&address("a"), false), None);
        let one = vec![life(7, 1, 1, "a")];
        assert_eq!(state(&[(Aside, &[(1, "lib")])], one).repeatable(&address("a"), false), None);
    }

    #[test]
    fn a_repeated_answer_of_a_build_set_aside_needs_a_center_that_vouches_for_it() {
        let groups = [(Current, &[(1, "lib")][..]), (Aside, &[(2, "lib'")])];
        let state = state(&groups, vec![life(7, 2, 2, "a")]);
        assert!(state.repeatable(&address("a"), false).is_some());
        assert_eq!(state.repeatable(&address("a"), true), None);
    }
}
