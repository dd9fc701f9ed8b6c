//! What comes to be known of one key in a run: its build groups, who answered, who failed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::collect::fault::Reach;
use crate::collect::shared::{Message, Shared};
use crate::fleet::build_group;
use crate::fleet::build_group::{BuildGroup, BuildGroupStatus};
use crate::fleet::change::Change;
use crate::fleet::generation::Generation;
use crate::fleet::ids::{BuildGroupId, GenerationId, KeyId, StructureId};
use crate::fleet::key_entry::KeyEntry;
use crate::io::store::Store;
use crate::memory::Reservation;
use crate::profile::{Build, Fingerprint, Merged, Template};

/// How many build groups that were set aside an unknown build is compared with, the newest first.
pub(crate) const ASIDES_COMPARED: usize = 4;

/// What came to be known of a key in this run.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) build_groups: Vec<LiveBuildGroup>,
    /// As they were stored before this run.
    pub(crate) generations: Vec<Generation>,
    /// Generations whose stored counters are replaced by those in the sums.
    pub(crate) replaced: HashSet<GenerationId>,
    pub(crate) templates: Vec<(StructureId, Arc<Template>)>,
    is_loaded: bool,
    pub(crate) answered: BTreeMap<String, Answered>,
    pub(crate) failed: BTreeMap<String, String>,
    pub(crate) elsewhere: BTreeMap<String, (String, Fingerprint)>,
    pub(crate) touched: bool,
    /// Stored values of the key that cannot be read.
    pub(crate) faults: BTreeSet<String>,
    /// The memory of what is kept until the key is settled.
    pub(crate) kept: Vec<Reservation>,
    pub(crate) restarted: usize,
    pub(crate) bytes: u64,
}

pub(crate) struct LiveBuildGroup {
    pub(crate) id: BuildGroupId,
    pub(crate) status: BuildGroupStatus,
    pub(crate) structures: Vec<(StructureId, Fingerprint)>,
    /// Of this run's answers alone; its structure holds at least theirs.
    pub(crate) sum: Option<Merged>,
    /// The structures of this run's answers. They stay here until its end.
    answered: HashSet<StructureId>,
    /// Counters moved in this run.
    pub(crate) moved: bool,
    /// Made in this run for an answer of which nobody can tell whose it is.
    pub(crate) is_undecided: bool,
    /// The memory of structures that were read from the database.
    kept: Option<Reservation>,
}

pub(crate) struct Answered {
    pub(crate) build_group: BuildGroupId,
    pub(crate) build: Fingerprint,
    pub(crate) fraction: String,
    pub(crate) is_decided: bool,
}

impl Ledger {
    /// Begins with what is stored, but for structures and counters: where nothing moved, neither is needed.
    pub(crate) fn open(entry: &KeyEntry, store: &Store) -> anyhow::Result<Self> {
        // Keys that came with this run are not stored yet; asking finds nothing.
        let build_groups = store.build_groups(entry.id)?;
        if build_groups.is_empty() {
            return Ok(Self::default());
        }
        let mut live = Vec::new();
        for BuildGroup { id, status, structures } in build_groups {
            live.push(LiveBuildGroup { structures, ..LiveBuildGroup::new(id, status) });
        }
        Ok(Self { build_groups: live, generations: store.generations(entry.id)?, ..Self::default() })
    }

    /// Reads the structures that answers are compared with, where that was not done yet.
    pub(crate) fn load(&mut self, shared: &Shared<'_>, store: &Store) -> anyhow::Result<()> {
        if self.is_loaded {
            return Ok(());
        }
        let asides = self
            .build_groups
            .iter_mut()
            .rev()
            .filter(|build_group| build_group.status == BuildGroupStatus::Aside);
        for build_group in asides.take(ASIDES_COMPARED) {
            build_group.load(&mut self.faults, shared, store)?;
        }
        for build_group in
            self.build_groups.iter_mut().filter(|build_group| build_group.status == BuildGroupStatus::Current)
        {
            self.templates = build_group.load(&mut self.faults, shared, store)?;
        }
        self.is_loaded = true;
        Ok(())
    }

    pub(crate) fn open_at<'s>(&'s self, address: &'s str) -> impl Iterator<Item = &'s Generation> {
        self.at(address).filter(|known| known.closed_at.is_none())
    }

    pub(crate) fn at<'s>(&'s self, address: &'s str) -> impl Iterator<Item = &'s Generation> {
        self.generations.iter().filter(move |known| known.address.as_deref() == Some(address))
    }

    /// Tells whether a build is the one that the key shows, or that its first answers serve.
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

    /// Returns the build group in which answers of this build wait until it can be told whose they are.
    pub(crate) fn undecided_build_group_of(&mut self, member: (StructureId, Fingerprint)) -> Option<usize> {
        let stored = |build_group: &LiveBuildGroup| {
            self.generations.iter().any(|known| known.build_group == build_group.id)
        };
        let index = self.build_groups.iter().rposition(|build_group| {
            build_group.status == BuildGroupStatus::Aside
                && build_group.structures.contains(&member)
                && (build_group.is_undecided || stored(build_group))
        })?;
        self.build_groups[index].is_undecided = true;
        Some(index)
    }

    pub(crate) fn current(&self) -> Option<usize> {
        self.build_groups.iter().position(|build_group| build_group.status == BuildGroupStatus::Current)
    }

    /// Returns the build group that an answer belongs to: the current one if it has the build or the build fits it,
    /// else one that has the build, else one that it fits.
    ///
    /// A build that fits the current build group is moved there with all that it counted before. It was set aside
    /// for another build, or replaced, and is served beside the current one again.
    pub(crate) fn build_group_of(
        &self,
        build: &Build,
        member: (StructureId, Fingerprint),
        elsewhere: bool,
    ) -> Option<usize> {
        let fits = |index: &usize| {
            let sum = self.build_groups[*index].sum.as_ref();
            sum.is_some_and(|sum| build_group::fits(sum.build(), build, elsewhere))
        };
        let newest_first =
            || (0..self.build_groups.len()).rev().filter(|&index| !self.build_groups[index].is_undecided);
        let has_it = |index: &usize| self.build_groups[*index].has(member.0);
        let may_join = |index: &usize| fits(index) && !self.is_answered_elsewhere(*index, member.0);
        let current = self.current();
        current
            .filter(has_it)
            .or_else(|| current.filter(may_join))
            .or_else(|| self.build_group_with(member.0))
            .or_else(|| newest_first().find(fits))
    }

    /// Tells whether an answer of this run belongs to another build group that has this build, or is about to.
    fn is_answered_elsewhere(&self, index: usize, structure: StructureId) -> bool {
        let others = self.build_groups.iter().enumerate().filter(|(other, _)| *other != index);
        let mut decided =
            others.map(|(_, build_group)| build_group).filter(|build_group| !build_group.is_undecided);
        decided.any(|build_group| build_group.answered.contains(&structure))
    }

    /// Makes room for a build in a build group of a key, in a new one where none is given; returns its index.
    #[expect(clippy::too_many_arguments, reason = "whose it is, what it is, and where both are known")]
    pub(crate) fn make_room(
        &mut self,
        index: Option<usize>,
        key: KeyId,
        build: &Arc<Build>,
        member: (StructureId, Fingerprint),
        is_decided: bool,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<usize> {
        let index = index.unwrap_or_else(|| {
            let id = shared.ids.build_group();
            // Before anybody joins this build group and refers to it.
            shared.send(Message::Changes(Some(key), vec![Change::BuildGroup { id, key, at: shared.now }]));
            self.build_groups.push(LiveBuildGroup {
                is_undecided: !is_decided,
                ..LiveBuildGroup::new(id, BuildGroupStatus::Aside)
            });
            self.build_groups.len() - 1
        });
        if self.build_groups[index].status == BuildGroupStatus::Current
            && !self.build_groups[index].has(member.0)
        {
            self.bring_back(index, key, member, shared);
        }
        let build_group = &mut self.build_groups[index];
        build_group.load(&mut self.faults, shared, store)?;
        build_group.answered.insert(member.0);
        if !build_group.structures.contains(&member) {
            build_group.structures.push(member);
        }
        build_group.sum.get_or_insert_with(|| Merged::new(Arc::clone(build))).take_in(build)?;
        Ok(index)
    }

    /// Moves what other build groups have counted of a build into the current one.
    fn bring_back(
        &mut self,
        current: usize,
        key: KeyId,
        member: (StructureId, Fingerprint),
        shared: &Shared<'_>,
    ) {
        for index in 0..self.build_groups.len() {
            if index != current
                && !self.build_groups[index].is_undecided
                && self.build_groups[index].has(member.0)
            {
                let moved = self.move_structure(member, index, current);
                shared.send(Message::Changes(Some(key), vec![Change::Unfinished(key), moved]));
                self.touched = true;
            }
        }
    }

    /// Moves all that was counted of a build from one build group to another, here; returns the change that does it
    /// in the database.
    pub(crate) fn move_structure(
        &mut self,
        member: (StructureId, Fingerprint),
        from: usize,
        to: usize,
    ) -> Change {
        let (structure, (from_id, to_id)) =
            (member.0, (self.build_groups[from].id, self.build_groups[to].id));
        let moved = |known: &&mut Generation| known.build_group == from_id && known.structure == structure;
        self.generations.iter_mut().filter(moved).for_each(|known| known.build_group = to_id);
        self.build_groups[from].structures.retain(|known| *known != member);
        if !self.build_groups[to].has(structure) {
            self.build_groups[to].structures.push(member);
        }
        for index in [from, to] {
            self.build_groups[index].moved = true;
        }
        Change::StructureMoved { structure, from: from_id, to: to_id }
    }

    /// Returns the index of a build group of the history that holds nothing yet; makes one where there is none.
    pub(crate) fn history(&mut self, key: KeyId, shared: &Shared<'_>, changes: &mut Vec<Change>) -> usize {
        let is_free = |build_group: &LiveBuildGroup| {
            build_group.status != BuildGroupStatus::Current
                && build_group.structures.is_empty()
                && !build_group.is_undecided
        };
        let index = self.build_groups.iter().position(is_free).unwrap_or_else(|| {
            let id = shared.ids.build_group();
            changes.push(Change::BuildGroup { id, key, at: shared.now });
            self.build_groups.push(LiveBuildGroup::new(id, BuildGroupStatus::Aside));
            self.build_groups.len() - 1
        });
        let build_group = &mut self.build_groups[index];
        if build_group.status != BuildGroupStatus::Former {
            build_group.status = BuildGroupStatus::Former;
            changes.push(Change::BuildGroupStatus(build_group.id, BuildGroupStatus::Former));
        }
        index
    }

    /// Returns the build group that has a structure: the current one if it does, else the newest.
    pub(crate) fn build_group_with(&self, structure: StructureId) -> Option<usize> {
        let has_it = |index: &usize| self.build_groups[*index].has(structure);
        let newest_first =
            || (0..self.build_groups.len()).rev().filter(|&index| !self.build_groups[index].is_undecided);
        self.current().filter(has_it).or_else(|| newest_first().find(has_it))
    }
}

impl LiveBuildGroup {
    fn new(id: BuildGroupId, status: BuildGroupStatus) -> Self {
        Self {
            id,
            status,
            structures: Vec::new(),
            sum: None,
            answered: HashSet::new(),
            moved: false,
            is_undecided: false,
            kept: None,
        }
    }

    /// Leaves files out of the sum that no build of the build group has any more.
    pub(crate) fn leave_replaced(&mut self, shared: &Shared<'_>, store: &Store) -> anyhow::Result<()> {
        let Some(sum) = &mut self.sum else { return Ok(()) };
        let mut left = Vec::new();
        for &(structure, _) in &self.structures {
            left.push(shared.template(store, structure)?);
        }
        sum.retain_files(|name| left.iter().any(|template| template.build().find(name).is_some()));
        Ok(())
    }

    /// Tells whether a structure belongs to it.
    pub(crate) fn has(&self, structure: StructureId) -> bool {
        self.structures.iter().any(|(known, _)| *known == structure)
    }

    /// Returns the build that stands for the build group where one has to.
    pub(crate) fn newest_build(&self) -> Option<Fingerprint> {
        self.structures.last().map(|(_, build)| *build)
    }

    /// Gives the sum the structure of all that belongs here, and returns the structures; those that cannot be read
    /// are left out, and noted.
    pub(crate) fn load(
        &mut self,
        faults: &mut BTreeSet<String>,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<Vec<(StructureId, Arc<Template>)>> {
        if self.sum.is_some() {
            return Ok(Vec::new());
        }
        let mut templates = Vec::new();
        for &(structure, _) in &self.structures {
            let template = match shared.template(store, structure) {
                Err(error) if Reach::of(&error) == Reach::Service => {
                    faults.insert(format!("{error:#}"));
                    continue;
                }
                template => template?,
            };
            let build = template.build();
            self.sum.get_or_insert_with(|| Merged::new(Arc::clone(build))).take_in(build)?;
            templates.push((structure, template));
        }
        let bytes = templates.iter().map(|(_, template)| template.heap_bytes()).sum();
        self.kept = Some(shared.memory.keep(bytes));
        Ok(templates)
    }
}
