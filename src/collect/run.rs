//! The state that all threads of a run share: rules, ids, structures, memory, and the queue to the thread that
//! writes.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};

use crate::collect::counts_buffers::CountsBuffers;
use crate::collect::known_meta::KnownMeta;
use crate::collect::outcome::KeyResult;
use crate::collect::store_queue::StoreSender;
use crate::fleet::build_group::StructureIds;
use crate::fleet::change::Change;
use crate::fleet::ids::{IdSource, KeyId, LifeId, StructureId};
use crate::fleet::process::Process;
use crate::fleet::pull_rules::PullRules;
use crate::fleet::records::Life;
use crate::fleet::snapshot::{ClockDoubt, LifeTimes};
use crate::fleet::targets::AgentKind;
use crate::io::center::{Client, HttpError, IncomingAnswer};
use crate::io::clock::Deadline;
use crate::io::signals::Signals;
use crate::io::store::{Numbering, ProfileNumbers, Store, StoreError};
use crate::io::workdir::LockedWorkdir;
use crate::memory::{Memory, MemoryExhausted, Reservation};
use crate::parallel::lock;
use crate::profile::{
    Build, Fingerprint, HitCounts, ParsedAnswer, PreviousAnswer, Profile, Template, encode_build,
};

/// Bytes of the metas, and of the structures, that are kept for further services. The last one is kept in any case.
const KEPT_BYTES: u64 = 16 << 20;

/// The topic of the message about agents whose counts grow with each pull.
pub(crate) const GROWTH: &str = "growing counts";

/// Largest lead of the clock of a process over the start of the run for which its times are believed.
const CLOCKS_APART: TimeDelta = TimeDelta::days(1);

/// A message to the thread that writes.
pub(crate) enum StoreMessage {
    /// Changes that are carried out together. They belong to one key, or with `None` to structures, which belong to no
    /// key.
    Changes(Option<KeyId>, Vec<Change>),
    /// The pull of keys ended, with these changes.
    Ended(Vec<Change>, Vec<KeyResult>),
    /// The run cannot go on. Messages that were sent before are still stored.
    Fatal(anyhow::Error),
}

impl StoreMessage {
    /// Returns about how much memory the message takes.
    pub(crate) fn bytes(&self) -> usize {
        let of_changes =
            |changes: &[Change]| changes.iter().map(|change| size_of::<Change>() + change.data_bytes()).sum();
        let inner: usize = match self {
            Self::Changes(_, changes) => of_changes(changes),
            Self::Ended(changes, keys) => of_changes(changes) + size_of_val(&**keys),
            Self::Fatal(_) => 0,
        };
        size_of::<Self>() + inner
    }
}

/// A complete answer.
pub(crate) struct PulledAnswer {
    pub(crate) profile: Profile,
    /// The counters above zero, while the profile has no counters yet. Most answers are stored without the others.
    pub(crate) hit: Option<HitCounts>,
    /// How to read its build faster next time, where it was not known.
    pub(crate) template: Option<Arc<Template>>,
    /// To know the same answer by when it comes again, encoded, where that is possible.
    pub(crate) digest: Option<Vec<u8>>,
    /// The text that a later peek compares; `None`: the fraction of hit blocks.
    pub(crate) fraction: Option<String>,
    /// The process, where its agent tells it.
    pub(crate) process: Option<Process>,
    /// The kind of the agent that gave it.
    pub(crate) kind: AgentKind,
    /// The reserved memory of the answer.
    pub(crate) reservation: Option<Reservation>,
    /// Size of the answer.
    pub(crate) bytes: u64,
}

impl PulledAnswer {
    /// Gives the profile its counters, unless it has them.
    pub(crate) fn fill(&mut self) {
        if let Some(hit) = self.hit.take() {
            self.profile.counts = hit.counts();
        }
    }
}

/// The state of a run that all of its threads share.
pub(crate) struct PullRun<'a> {
    pub(crate) client: &'a Client,
    pub(crate) locked: &'a LockedWorkdir,
    pub(crate) ids: &'a IdSource,
    pub(crate) numbers: &'a ProfileNumbers,
    pub(crate) rules: PullRules,
    /// The keys that get a row with the mark of the rules.
    pub(crate) marked: BTreeSet<KeyId>,
    pub(crate) now: DateTime<Utc>,
    /// The stored times that cannot be trusted.
    pub(crate) doubt: ClockDoubt,
    /// The last life that was stored before this machine's clock last went back.
    pub(crate) last_before_jump: Option<LifeId>,
    /// Seed of the digests of answers in this run.
    pub(crate) seed: u64,
    pub(crate) messages: StoreSender,
    pub(crate) stopped: &'a AtomicBool,
    pub(crate) bytes: Arc<AtomicU64>,
    /// The memory for all answers that are decoded at the same time.
    pub(crate) memory: Arc<Memory>,
    pub(crate) counts_buffers: CountsBuffers,
    pub(crate) structures: Mutex<StructureIds>,
    pub(crate) templates: Mutex<HashMap<StructureId, Weak<Template>>>,
    /// Metas and structures that were used last, the newest at the end. Several services often run one program, and a
    /// program that an inbox brought is that of the rows that are stored next.
    kept_metas: Mutex<VecDeque<KnownMeta>>,
    /// Locks of the threads that read a stored meta. All threads begin with the programs of a few services at once, and
    /// one of them reads each.
    reading_metas: Mutex<HashMap<Fingerprint, Arc<Mutex<()>>>>,
    kept_templates: Mutex<VecDeque<Arc<Template>>>,
    /// Connections that know the pages of the counters, one for each processor that a small machine has.
    warm_readers: [Mutex<Option<Store>>; 2],
    /// Stored structures that cannot be read.
    pub(crate) damaged: Mutex<HashSet<StructureId>>,
    /// Addresses at which agents of the kind coverport were found.
    coverport: Mutex<HashSet<String>>,
    /// The message about agents whose counts grow with each pull was given.
    pub(crate) is_growth_told: AtomicBool,
}

/// The adapters that a pull works with, and its times.
#[derive(Clone, Copy)]
pub(crate) struct Adapters<'a> {
    pub(crate) client: &'a Client,
    pub(crate) signals: &'a Signals,
    pub(crate) locked: &'a LockedWorkdir,
    pub(crate) store: &'a Store,
    pub(crate) deadline: Deadline,
    /// When the run began.
    pub(crate) now: DateTime<Utc>,
}

/// Settings of a [`PullRun`].
pub(crate) struct PullRunSettings<'a> {
    pub(crate) adapters: Adapters<'a>,
    pub(crate) numbering: &'a Numbering,
    pub(crate) rules: PullRules,
    /// Bound on the memory of all that is decoded at the same time.
    pub(crate) memory_bytes: u64,
}

impl<'a> PullRun<'a> {
    /// Begins a run with what the database remembers; `stopped` tells its threads to end.
    pub(crate) fn new(
        settings: PullRunSettings<'a>,
        messages: StoreSender,
        stopped: &'a AtomicBool,
    ) -> Result<Self, StoreError> {
        let PullRunSettings { adapters, numbering, rules, memory_bytes } = settings;
        // Each thread opens the database for itself, so the run does not hold it.
        let Adapters { client, locked, store, now, .. } = adapters;
        Ok(Self {
            client,
            locked,
            ids: &numbering.ids,
            numbers: &numbering.profiles,
            rules,
            marked: BTreeSet::new(),
            now,
            doubt: ClockDoubt::new(now, store.clock_jumps()?),
            last_before_jump: store.last_before_jump()?,
            seed: fastrand::u64(..),
            messages,
            stopped,
            bytes: Arc::default(),
            memory: Memory::new(memory_bytes),
            counts_buffers: CountsBuffers::default(),
            structures: Mutex::new(store.structures()?),
            templates: Mutex::default(),
            kept_metas: Mutex::default(),
            reading_metas: Mutex::default(),
            kept_templates: Mutex::default(),
            warm_readers: Default::default(),
            damaged: Mutex::default(),
            coverport: Mutex::new(store.coverport_addresses()?),
            is_growth_told: AtomicBool::new(store.is_told(GROWTH)?),
        })
    }
}

impl PullRun<'_> {
    /// Returns the mark that the row of a key gets in this run.
    pub(crate) fn mark_of(&self, key: KeyId) -> Option<&str> {
        self.rules.mark.as_deref().filter(|_| self.marked.contains(&key))
    }

    /// Sends a message to the thread that writes, which takes messages until the sender is gone.
    pub(crate) fn send(&self, message: StoreMessage) {
        self.messages.send(message);
    }

    /// Returns the times of a life, and whether they can be trusted.
    pub(crate) fn life_times(&self, life: &Life) -> LifeTimes {
        let Life { id, opened_at, pulled_at, closed_at, is_mixture, .. } = *life;
        let is_from_before_jump = self.last_before_jump.is_some_and(|last| id <= last);
        LifeTimes { opened_at, pulled_at, closed_at, is_from_before_jump, is_mixture }
    }

    /// Returns the time at which a process says that it read its counters, if that can be true. A time in the future
    /// would make all later answers look old.
    pub(crate) fn believed(&self, read_at: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        read_at.filter(|at| *at <= self.now + CLOCKS_APART)
    }

    /// Tells whether an agent of the kind coverport was found at an address.
    pub(crate) fn is_coverport(&self, address: &str) -> bool {
        lock(&self.coverport).contains(address)
    }

    /// Remembers which kind of agent answers at an address.
    pub(crate) fn note_kind(&self, address: &str, is_coverport: bool) {
        let mut known = lock(&self.coverport);
        let is_new = match is_coverport {
            true => known.insert(address.to_owned()),
            false => known.remove(address),
        };
        if is_new {
            let found = Change::AgentFound { address: address.to_owned(), is_coverport };
            self.send(StoreMessage::Changes(None, vec![found]));
        }
    }

    /// Reads from the database through a connection that several threads share, or through `own` while they use it.
    ///
    /// Each thread has a connection, and one that is seldom used has to read the inner pages of a table again.
    pub(crate) fn read_warm<T>(&self, own: &Store, query: impl FnOnce(&Store) -> T) -> T {
        let free = self.warm_readers.iter().find_map(|reader| reader.try_lock().ok());
        let Some(mut warm) = free else { return query(own) };
        if warm.is_none() {
            *warm = own.reader().ok();
        }
        query(warm.as_ref().unwrap_or(own))
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Asks an address for its profile and reads all of it.
    pub(crate) fn ask(&self, address: &str, known: &[Arc<Template>]) -> Result<PulledAnswer, HttpError> {
        self.read(address, self.client.profile(address)?, known, None)
    }

    /// Reads the rest of an answer after its comparison with the last answer.
    ///
    /// If the memory of the run was not enough for all answers at the same time, the address is asked once more while
    /// no other answer is read.
    pub(crate) fn read(
        &self,
        address: &str,
        incoming: IncomingAnswer<'_>,
        known: &[Arc<Template>],
        last: Option<&PreviousAnswer<'_>>,
    ) -> Result<PulledAnswer, HttpError> {
        match self.read_within(self.memory.reader(false), incoming, known, last) {
            Err(HttpError::Memory(MemoryExhausted::Crowded { .. })) => {
                let alone = self.memory.reader(true);
                self.read_within(alone, self.client.profile(address)?, known, None)
            }
            read => read,
        }
    }

    fn read_within(
        &self,
        reservation: Reservation,
        mut incoming: IncomingAnswer<'_>,
        known: &[Arc<Template>],
        last: Option<&PreviousAnswer<'_>>,
    ) -> Result<PulledAnswer, HttpError> {
        incoming.reserve(reservation);
        let parsed = incoming.parse(known, last, self.seed)?;
        let mut reservation = incoming.take_reservation();
        reservation.iter_mut().for_each(Reservation::decoded);
        let bytes = incoming.bytes();
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let ParsedAnswer { profile, template, answer_digest } = parsed;
        Ok(PulledAnswer {
            profile,
            hit: None,
            template: template.map(Arc::new),
            digest: answer_digest.map(|digest| digest.encode()),
            fraction: None,
            process: None,
            kind: AgentKind::Goc,
            reservation,
            bytes,
        })
    }

    /// Returns the template of a build that is not stored; `None` where it is.
    ///
    /// The build of a known meta is another one after a change of `agent_files`.
    pub(crate) fn template_if_new(&self, build: &Arc<Build>) -> Option<Arc<Template>> {
        let is_known = lock(&self.structures).contains_key(&build.fingerprint());
        (!is_known).then(|| Arc::new(Template::for_build(build)))
    }

    /// Returns the id of a structure. A new structure is stored.
    ///
    /// The change is sent before the lock is released, so that no change refers to a structure that is not stored yet.
    pub(crate) fn intern(
        &self,
        build: &Build,
        template: Option<&Arc<Template>>,
    ) -> anyhow::Result<StructureId> {
        let mut structures = lock(&self.structures);
        if let Some(&id) = structures.get(&build.fingerprint()) {
            if let Some(template) = template
                && lock(&self.damaged).remove(&id)
            {
                let data = encode_build(template);
                self.send(StoreMessage::Changes(None, vec![Change::StructureMended(id, data)]));
                lock(&self.templates).insert(id, Arc::downgrade(template));
            }
            return Ok(id);
        }
        let template = template.context("a build without a template that is not known")?;
        let id = self.ids.structure();
        let data = encode_build(template);
        let new = Change::Structure { id, fingerprint: build.fingerprint(), data };
        self.send(StoreMessage::Changes(None, vec![new]));
        structures.insert(build.fingerprint(), id);
        keep(&self.kept_templates, Arc::clone(template), |template| template.heap_bytes());
        lock(&self.templates).insert(id, Arc::downgrade(template));
        Ok(id)
    }

    /// Returns the meta with this SHA-256, which processes of a key served; `None` where it is damaged.
    pub(crate) fn known_meta(
        &self,
        store: &Store,
        key: KeyId,
        sha256: Fingerprint,
    ) -> anyhow::Result<Option<KnownMeta>> {
        if let Some(kept) = self.kept_meta(sha256) {
            return Ok(Some(kept));
        }
        let reading = Arc::clone(lock(&self.reading_metas).entry(sha256).or_default());
        let _reading = lock(&reading);
        if let Some(kept) = self.kept_meta(sha256) {
            return Ok(Some(kept));
        }
        let Some(data) = store.meta(key, &sha256)? else { return Ok(None) };
        let known = KnownMeta::from_stored(&data, sha256, self.client.limits(), &self.rules.agent_files);
        let Some(meta) = known else { return Ok(None) };
        keep(&self.kept_metas, meta.clone(), KnownMeta::heap_bytes);
        Ok(Some(meta))
    }

    fn kept_meta(&self, sha256: Fingerprint) -> Option<KnownMeta> {
        let mut kept = lock(&self.kept_metas);
        let index = kept.iter().position(|kept| kept.sha256 == sha256)?;
        let found = kept.remove(index)?;
        kept.push_back(found.clone());
        Some(found)
    }

    /// Returns a structure, which all of its present users share.
    pub(crate) fn template(&self, store: &Store, id: StructureId) -> anyhow::Result<Arc<Template>> {
        if let Some(template) = lock(&self.templates).get(&id).and_then(Weak::upgrade) {
            return Ok(template);
        }
        let read = store.structure(id);
        if read.as_ref().is_err_and(StoreError::is_of_one_value) {
            lock(&self.damaged).insert(id);
        }
        let template = Arc::new(read?);
        keep(&self.kept_templates, Arc::clone(&template), |template| template.heap_bytes());
        lock(&self.templates).insert(id, Arc::downgrade(&template));
        Ok(template)
    }
}

/// Keeps a value beside those that were used last, and drops the oldest of them beyond [`KEPT_BYTES`].
fn keep<T>(kept: &Mutex<VecDeque<T>>, value: T, bytes: impl Fn(&T) -> u64) {
    let mut kept = lock(kept);
    kept.push_back(value);
    while kept.len() > 1 && kept.iter().map(&bytes).sum::<u64>() > KEPT_BYTES {
        kept.pop_front();
    }
}
