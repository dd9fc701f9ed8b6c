//! A key whose stored state was read, with the structures for comparing answers and their memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::collect::fault::FaultScope;
use crate::collect::known_meta::KnownMeta;
use crate::collect::moved_lives::MovedLives;
use crate::collect::run::{PullRun, StoreMessage};
use crate::fleet::assignment::Assignment;
use crate::fleet::build_group::BuildGroupStatus;
use crate::fleet::change::Change;
use crate::fleet::ids::{KeyId, LifeId, StructureId};
use crate::fleet::key_state::{BuildRef, KeyState};
use crate::fleet::left_process::LeftName;
use crate::fleet::process::Process;
use crate::fleet::records::LastAnswer;
use crate::fleet::row::RowStats;
use crate::fleet::stored_key::StoredKey;
use crate::io::store::Store;
use crate::memory::Reservation;
use crate::names::in_message;
use crate::profile::gocover::MetaHash;
use crate::profile::{Build, Fingerprint, Template};

/// Number of build groups set aside with which an unknown build is compared, the newest first.
const ASIDES_COMPARED: usize = 4;

/// A key whose stored state was read.
#[derive(Default)]
pub(crate) struct OpenKey {
    pub(crate) state: KeyState,
    /// Memory of structures and answers that are kept until the pull of the key ends.
    kept: Vec<Reservation>,
    is_loaded: bool,
    /// Metas that processes of the key served.
    metas: Vec<KnownMeta>,
    /// Metas that processes of the key served or left before this run, and that were not read yet.
    stored_metas: Vec<(MetaHash, Fingerprint)>,
    /// Metas whose left-out files are named, in this run or an earlier one.
    told_left_out: Vec<Fingerprint>,
    /// Processes of lives as they were stored before this run, until [`Self::use_processes`] takes them.
    stored_processes: HashMap<LifeId, Process>,
    /// Processes of lives as they were stored before this run; `None`: not needed yet.
    processes: Option<HashMap<LifeId, Process>>,
    /// Last answers of open lives, as they were stored before this run.
    answers: HashMap<LifeId, LastAnswer>,
    /// The figures of the newest row before this run.
    pub(crate) latest: Option<RowStats>,
    /// Pulled lives that moved in this run, and may be of processes that left files.
    pub(crate) moved: MovedLives,
    /// Such lives that moved before, in a run that was cut or in the inbox, with their counters of before; `None`: they
    /// were new.
    pub(crate) unsettled: BTreeMap<LifeId, Option<Vec<u8>>>,
    /// Encoded counters of lives that were read ahead and not taken yet.
    counts: HashMap<LifeId, Vec<u8>>,
}

impl OpenKey {
    /// Opens a key with its stored state. Structures and large counters are read later, only if an answer changed.
    pub(crate) fn from_stored(stored: StoredKey) -> Self {
        let StoredKey { build_groups, lives, answers, processes, metas, latest, unsettled, counts } = stored;
        Self {
            state: KeyState::new(build_groups, lives),
            answers,
            stored_processes: processes,
            stored_metas: metas,
            latest,
            unsettled,
            counts,
            ..Self::default()
        }
    }

    /// Compares processes from now on, because an answer told its own.
    pub(crate) fn use_processes(&mut self) {
        let Self { stored_processes, processes, .. } = self;
        processes.get_or_insert_with(|| std::mem::take(stored_processes));
    }

    /// Returns the digest of the last answer of a life, if the stored counters were those of that answer before this
    /// run.
    pub(crate) fn last_answer(&self, life: LifeId) -> Option<&LastAnswer> {
        self.answers.get(&life)
    }

    /// Takes the encoded counters of a life, if they were read ahead. They are those of before this run, which may store
    /// newer ones after the first use, so they are given out once.
    pub(crate) fn take_counts(&mut self, life: LifeId) -> Option<Vec<u8>> {
        self.counts.remove(&life)
    }

    /// Returns the process of a life, where its agent told it.
    pub(crate) fn process(&self, life: LifeId) -> Option<&Process> {
        self.processes.as_ref()?.get(&life)
    }

    /// Notes the process of a life that was stored in this run.
    pub(crate) fn note_process(&mut self, life: LifeId, process: Process) {
        self.processes.get_or_insert_default().insert(life, process);
    }

    /// Tells whether a file that was left may be of a process, as it is told now or as it is known from its life.
    pub(crate) fn has_left_by(&self, process: Option<&Process>, life: Option<LifeId>) -> bool {
        let known = life.and_then(|life| self.process(life));
        let may_be = |left: LeftName<'_>| [process, known].into_iter().flatten().any(|it| left.may_be(it));
        let mut left = self.state.lives.iter().filter_map(|life| LeftName::parse(life.address.as_deref()?));
        left.any(may_be)
    }

    /// Tells whether a life may be that of a process.
    pub(crate) fn may_be_of(&self, life: LifeId, process: Option<&Process>) -> bool {
        let known = self.process(life).zip(process);
        known.is_none_or(|(known, process)| known.may_be(process))
    }

    /// Returns the only meta of this hash that processes of the key served; `None` where there is none, or several.
    pub(crate) fn meta(
        &mut self,
        hash: MetaHash,
        key: KeyId,
        run: &PullRun<'_>,
        store: &Store,
    ) -> anyhow::Result<Option<KnownMeta>> {
        if !self.stored_metas.is_empty() {
            let of_hash: Vec<_> = self.stored_metas.extract_if(.., |(known, _)| *known == hash).collect();
            for (_, sha256) in of_hash {
                // A damaged one is asked for again.
                if let Some(meta) = run.known_meta(store, key, sha256)? {
                    self.kept.push(run.memory.keep(meta.heap_bytes()));
                    self.learn_meta(meta);
                }
            }
        }
        let mut found = self.metas.iter().filter(|known| known.hash() == hash);
        Ok(found.next().filter(|_| found.next().is_none()).cloned())
    }

    /// Notes a meta that a process of the key served.
    pub(crate) fn learn_meta(&mut self, meta: KnownMeta) {
        if self.metas.iter().all(|known| known.sha256 != meta.sha256) {
            self.metas.push(meta);
        }
    }

    /// Names the files of its agent that a meta leaves out, unless a run has named them for this key.
    pub(crate) fn tell_left_out(
        &mut self,
        meta: &KnownMeta,
        key: KeyId,
        run: &PullRun<'_>,
        store: &Store,
    ) -> anyhow::Result<()> {
        let sha256 = meta.sha256;
        if self.told_left_out.contains(&sha256) {
            return Ok(());
        }
        let is_told = store.is_left_out_told(key, &sha256)?;
        self.told_left_out.push(sha256);
        if is_told {
            return Ok(());
        }
        let said =
            |file| format!("\"{}\" is a file of its agent and left out (agent_files)", in_message(file));
        self.state.details.extend(meta.left_out().map(said));
        let told = Change::LeftOutTold { key, meta: sha256, at: run.now };
        run.send(StoreMessage::Changes(None, vec![told]));
        Ok(())
    }

    /// Returns the metas that were read or learned in this run.
    pub(crate) fn learned_metas(&self) -> impl Iterator<Item = &KnownMeta> {
        self.metas.iter()
    }

    /// Keeps memory until the pull of the key ends.
    pub(crate) fn keep(&mut self, reservation: Reservation) {
        self.kept.push(reservation);
    }

    /// Reads the structures for comparing answers, unless they were read already.
    pub(crate) fn load(&mut self, run: &PullRun<'_>, store: &Store) -> anyhow::Result<()> {
        if self.is_loaded {
            return Ok(());
        }
        let of_status = |status| {
            let build_groups = self.state.build_groups.iter().enumerate();
            build_groups.filter(move |(_, known)| known.status == status).map(|(index, _)| index)
        };
        let asides: Vec<usize> = of_status(BuildGroupStatus::Aside).collect();
        let current: Vec<usize> = of_status(BuildGroupStatus::Current).collect();
        for index in asides.into_iter().rev().take(ASIDES_COMPARED) {
            self.load_build_group(index, run, store)?;
        }
        for index in current {
            self.state.templates = self.load_build_group(index, run, store)?;
        }
        self.is_loaded = true;
        Ok(())
    }

    /// Adds all structures of a build group to its sum, and returns them. Structures that cannot be read are left out
    /// and noted.
    fn load_build_group(
        &mut self,
        index: usize,
        run: &PullRun<'_>,
        store: &Store,
    ) -> anyhow::Result<Vec<(StructureId, Arc<Template>)>> {
        let KeyState { build_groups, faults, .. } = &mut self.state;
        let build_group = &mut build_groups[index];
        if build_group.sum.is_some() {
            return Ok(Vec::new());
        }
        let mut templates = Vec::new();
        for (structure, _) in build_group.structures.clone() {
            let template = match run.template(store, structure) {
                Err(error) if FaultScope::from_error(&error) == FaultScope::Service => {
                    faults.insert(format!("{error:#}"));
                    continue;
                }
                template => template?,
            };
            build_group.take_in(template.build())?;
            templates.push((structure, template));
        }
        let bytes = templates.iter().map(|(_, template)| template.heap_bytes()).sum();
        self.kept.push(run.memory.keep(bytes));
        Ok(templates)
    }

    /// Prepares the build group for an answer; returns the index of the group.
    ///
    /// The changes are sent while the key is locked, so that no later change refers to an unknown group.
    pub(crate) fn make_room(
        &mut self,
        assignment: Assignment,
        key: KeyId,
        (build, build_ref): (&Arc<Build>, BuildRef),
        run: &PullRun<'_>,
        store: &Store,
    ) -> anyhow::Result<usize> {
        let send = |changes| run.send(StoreMessage::Changes(Some(key), changes));
        let index = match assignment {
            Assignment::Known(index) => index,
            Assignment::New { is_undecided } => {
                let (index, added) = self.state.add_build_group(key, is_undecided, run.ids, run.now);
                send(vec![added]);
                index
            }
        };
        let build_group = &self.state.build_groups[index];
        if build_group.status == BuildGroupStatus::Current && !build_group.has(build_ref.0) {
            for moved in self.state.bring_back(index, build_ref) {
                send(vec![Change::Unfinished(key), moved]);
            }
        }
        self.load_builds(index, run, store)?;
        self.state.build_groups[index].take_in_answer(build_ref, build)?;
        Ok(index)
    }

    /// Adds all structures of a build group to its sum. The structures are not read from the store if
    /// the metas that were read have all of their builds.
    fn load_builds(&mut self, index: usize, run: &PullRun<'_>, store: &Store) -> anyhow::Result<()> {
        let Self { state, metas, .. } = self;
        let build_group = &mut state.build_groups[index];
        if build_group.sum.is_some() {
            return Ok(());
        }
        let of_meta = |&(_, fingerprint): &BuildRef| {
            metas.iter().map(KnownMeta::build).find(|build| build.fingerprint() == fingerprint)
        };
        let known: Option<Vec<&Arc<Build>>> = build_group.structures.iter().map(of_meta).collect();
        match known {
            Some(builds) => Ok(builds.into_iter().try_for_each(|build| build_group.take_in(build))?),
            None => self.load_build_group(index, run, store).map(drop),
        }
    }

    /// Removes files from the sum of a build group that no build of the group has any more.
    pub(crate) fn leave_replaced(
        &mut self,
        index: usize,
        run: &PullRun<'_>,
        store: &Store,
    ) -> anyhow::Result<()> {
        let build_group = &mut self.state.build_groups[index];
        build_group.add_waiting()?;
        let Some(sum) = &mut build_group.sum else { return Ok(()) };
        let mut left = Vec::new();
        for &(structure, _) in &build_group.structures {
            left.push(run.template(store, structure)?);
        }
        sum.retain_files(|name| left.iter().any(|template| template.build().find(name).is_some()));
        Ok(())
    }
}
