//! What comes to be known of one key in a run: its editions, who answered, who failed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::collect::fault::Reach;
use crate::collect::shared::{Message, Shared};
use crate::fleet::change::Change;
use crate::fleet::edition;
use crate::fleet::edition::{Edition, EditionStatus};
use crate::fleet::generation::Generation;
use crate::fleet::ids::{EditionId, GenerationId, KeyId, StructureId};
use crate::fleet::key_entry::KeyEntry;
use crate::io::store::Store;
use crate::memory::Reservation;
use crate::profile::{Build, Fingerprint, Merged, Template};

/// How many editions that were set aside an unknown build is compared with, the newest first.
pub(crate) const ASIDES_COMPARED: usize = 4;

/// What came to be known of a key in this run.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) editions: Vec<LiveEdition>,
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

pub(crate) struct LiveEdition {
    pub(crate) id: EditionId,
    pub(crate) status: EditionStatus,
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
    pub(crate) edition: EditionId,
    pub(crate) build: Fingerprint,
    pub(crate) fraction: String,
    pub(crate) is_decided: bool,
}

impl Ledger {
    /// Begins with what is stored, but for structures and counters: where nothing moved, neither is needed.
    pub(crate) fn open(entry: &KeyEntry, store: &Store) -> anyhow::Result<Self> {
        // Keys that came with this run are not stored yet; asking finds nothing.
        let editions = store.editions(entry.id)?;
        if editions.is_empty() {
            return Ok(Self::default());
        }
        let mut live = Vec::new();
        for Edition { id, status, structures } in editions {
            live.push(LiveEdition { structures, ..LiveEdition::new(id, status) });
        }
        Ok(Self { editions: live, generations: store.generations(entry.id)?, ..Self::default() })
    }

    /// Reads the structures that answers are compared with, where that was not done yet.
    pub(crate) fn load(&mut self, shared: &Shared<'_>, store: &Store) -> anyhow::Result<()> {
        if self.is_loaded {
            return Ok(());
        }
        let asides = self.editions.iter_mut().rev().filter(|edition| edition.status == EditionStatus::Aside);
        for edition in asides.take(ASIDES_COMPARED) {
            edition.load(&mut self.faults, shared, store)?;
        }
        for edition in self.editions.iter_mut().filter(|edition| edition.status == EditionStatus::Current) {
            self.templates = edition.load(&mut self.faults, shared, store)?;
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
        let shown = self.editions.iter().enumerate().filter(|(index, edition)| match current {
            Some(current) => *index == current,
            None => !edition.is_undecided,
        });
        let mut sums = shown.filter_map(|(_, edition)| edition.sum.as_ref()).peekable();
        sums.peek()?;
        Some(sums.any(|sum| edition::fits(sum.build(), build, true)))
    }

    /// Returns the edition in which answers of this build wait until it can be told whose they are.
    pub(crate) fn undecided_edition_of(&mut self, member: (StructureId, Fingerprint)) -> Option<usize> {
        let stored = |edition: &LiveEdition| self.generations.iter().any(|known| known.edition == edition.id);
        let index = self.editions.iter().rposition(|edition| {
            edition.status == EditionStatus::Aside
                && edition.structures.contains(&member)
                && (edition.is_undecided || stored(edition))
        })?;
        self.editions[index].is_undecided = true;
        Some(index)
    }

    pub(crate) fn current(&self) -> Option<usize> {
        self.editions.iter().position(|edition| edition.status == EditionStatus::Current)
    }

    /// Returns the edition that an answer belongs to: the current one if it has the build or the build fits it,
    /// else one that has the build, else one that it fits.
    ///
    /// A build that fits the current edition is moved there with all that it counted before. It was set aside
    /// for another build, or replaced, and is served beside the current one again.
    pub(crate) fn edition_of(
        &self,
        build: &Build,
        member: (StructureId, Fingerprint),
        elsewhere: bool,
    ) -> Option<usize> {
        let fits = |index: &usize| {
            let sum = self.editions[*index].sum.as_ref();
            sum.is_some_and(|sum| edition::fits(sum.build(), build, elsewhere))
        };
        let newest_first =
            || (0..self.editions.len()).rev().filter(|&index| !self.editions[index].is_undecided);
        let has_it = |index: &usize| self.editions[*index].has(member.0);
        let may_join = |index: &usize| fits(index) && !self.is_answered_elsewhere(*index, member.0);
        let current = self.current();
        current
            .filter(has_it)
            .or_else(|| current.filter(may_join))
            .or_else(|| self.edition_with(member.0))
            .or_else(|| newest_first().find(fits))
    }

    /// Tells whether an answer of this run belongs to another edition that has this build, or is about to.
    fn is_answered_elsewhere(&self, index: usize, structure: StructureId) -> bool {
        let others = self.editions.iter().enumerate().filter(|(other, _)| *other != index);
        let mut decided = others.map(|(_, edition)| edition).filter(|edition| !edition.is_undecided);
        decided.any(|edition| edition.answered.contains(&structure))
    }

    /// Makes room for a build in an edition of a key, in a new one where none is given; returns its index.
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
            let id = shared.ids.edition();
            // Before anybody joins this edition and refers to it.
            shared.send(Message::Changes(Some(key), vec![Change::Edition { id, key, at: shared.now }]));
            self.editions.push(LiveEdition {
                is_undecided: !is_decided,
                ..LiveEdition::new(id, EditionStatus::Aside)
            });
            self.editions.len() - 1
        });
        if self.editions[index].status == EditionStatus::Current && !self.editions[index].has(member.0) {
            self.bring_back(index, key, member, shared);
        }
        let edition = &mut self.editions[index];
        edition.load(&mut self.faults, shared, store)?;
        edition.answered.insert(member.0);
        if !edition.structures.contains(&member) {
            edition.structures.push(member);
        }
        edition.sum.get_or_insert_with(|| Merged::new(Arc::clone(build))).take_in(build)?;
        Ok(index)
    }

    /// Moves what other editions have counted of a build into the current one.
    fn bring_back(
        &mut self,
        current: usize,
        key: KeyId,
        member: (StructureId, Fingerprint),
        shared: &Shared<'_>,
    ) {
        for index in 0..self.editions.len() {
            if index != current && !self.editions[index].is_undecided && self.editions[index].has(member.0) {
                let moved = self.move_structure(member, index, current);
                shared.send(Message::Changes(Some(key), vec![Change::Unfinished(key), moved]));
                self.touched = true;
            }
        }
    }

    /// Moves all that was counted of a build from one edition to another, here; returns the change that does it
    /// in the database.
    pub(crate) fn move_structure(
        &mut self,
        member: (StructureId, Fingerprint),
        from: usize,
        to: usize,
    ) -> Change {
        let (structure, (from_id, to_id)) = (member.0, (self.editions[from].id, self.editions[to].id));
        let moved = |known: &&mut Generation| known.edition == from_id && known.structure == structure;
        self.generations.iter_mut().filter(moved).for_each(|known| known.edition = to_id);
        self.editions[from].structures.retain(|known| *known != member);
        if !self.editions[to].has(structure) {
            self.editions[to].structures.push(member);
        }
        for index in [from, to] {
            self.editions[index].moved = true;
        }
        Change::StructureMoved { structure, from: from_id, to: to_id }
    }

    /// Returns the index of an edition of the history that holds nothing yet; makes one where there is none.
    pub(crate) fn history(&mut self, key: KeyId, shared: &Shared<'_>, changes: &mut Vec<Change>) -> usize {
        let is_free = |edition: &LiveEdition| {
            edition.status != EditionStatus::Current && edition.structures.is_empty() && !edition.is_undecided
        };
        let index = self.editions.iter().position(is_free).unwrap_or_else(|| {
            let id = shared.ids.edition();
            changes.push(Change::Edition { id, key, at: shared.now });
            self.editions.push(LiveEdition::new(id, EditionStatus::Aside));
            self.editions.len() - 1
        });
        let edition = &mut self.editions[index];
        if edition.status != EditionStatus::Former {
            edition.status = EditionStatus::Former;
            changes.push(Change::EditionStatus(edition.id, EditionStatus::Former));
        }
        index
    }

    /// Returns the edition that has a structure: the current one if it does, else the newest.
    pub(crate) fn edition_with(&self, structure: StructureId) -> Option<usize> {
        let has_it = |index: &usize| self.editions[*index].has(structure);
        let newest_first =
            || (0..self.editions.len()).rev().filter(|&index| !self.editions[index].is_undecided);
        self.current().filter(has_it).or_else(|| newest_first().find(has_it))
    }
}

impl LiveEdition {
    fn new(id: EditionId, status: EditionStatus) -> Self {
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

    /// Leaves files out of the sum that no build of the edition has any more.
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

    /// Returns the build that stands for the edition where one has to.
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
