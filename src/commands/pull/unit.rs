//! One unit of work, from the first request to the row: the keys whose addresses have to be judged
//! together, because an address can stand under several names.
//!
//! Threads share a unit. Each pulls one address, decides where its answer belongs, and sends what the
//! database is to learn; memory holds one sum an edition, whatever the number of replicas. The thread
//! that has the last answer settles the unit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};

use super::super::roster::Entry;
use crate::center::{Answer, Client, HttpError};
use crate::config::ChangeRule;
use crate::coverage::Coverage;
use crate::edition::{self, Claim, Turnout};
use crate::generation::{self, Verdict};
use crate::names::printable;
use crate::profile::{
    self, Build, Fingerprint, Merged, Profile, Template, counts_digest, covered_digest, decode_counts,
    encode_build, encode_counts, hit_fraction,
};
use crate::schedule::{self, Outcome, Reason, Retry, Steps};
use crate::store::{
    AddressState, Allocator, Change, Edition, EditionId, EditionStatus, Fact, Generation, GenerationId,
    NewRow, Row, ScheduleRow, Store, StructureId, Structures,
};
use crate::workdir::{CovPath, Locked};

/// What threads send to the one that writes.
pub(super) enum Message {
    /// To be carried out in one transaction.
    Changes(Vec<Change>),
    /// A key is done with, after these changes.
    Settled(Vec<Change>, Vec<Pulled>),
    /// The run cannot go on.
    Fatal(anyhow::Error),
}

/// How a pull decides.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) change: ChangeRule,
    pub(super) adopt: bool,
    pub(super) adopt_by_hand: Option<String>,
    pub(super) steps: Steps,
    pub(super) retry: Retry,
    pub(super) row_at_least_every: Duration,
}

/// What all threads of a run share.
pub(super) struct Shared<'a> {
    pub(super) client: &'a Client,
    pub(super) locked: &'a Locked,
    pub(super) allocator: &'a Allocator,
    pub(super) rules: Rules,
    pub(super) now: DateTime<Utc>,
    pub(super) messages: SyncSender<Message>,
    pub(super) stopped: &'a AtomicBool,
    pub(super) bytes: Arc<AtomicU64>,
    structures: Mutex<Structures>,
    templates: Mutex<HashMap<StructureId, Weak<Template>>>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(
        client: &'a Client,
        locked: &'a Locked,
        allocator: &'a Allocator,
        rules: Rules,
        now: DateTime<Utc>,
        messages: SyncSender<Message>,
        stopped: &'a AtomicBool,
        structures: Structures,
    ) -> Self {
        Self {
            client,
            locked,
            allocator,
            rules,
            now,
            messages,
            stopped,
            bytes: Arc::default(),
            structures: Mutex::new(structures),
            templates: Mutex::default(),
        }
    }

    /// Sends to the thread that writes; it takes messages until the last sender is gone.
    pub(super) fn send(&self, message: Message) {
        let _ = self.messages.send(message);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn ask(&self, address: &str, known: &[Arc<Template>]) -> Result<Answer, HttpError> {
        let answer = self.client.profile(address, known)?;
        self.bytes.fetch_add(answer.bytes, Ordering::Relaxed);
        Ok(answer)
    }

    /// Returns the id of a structure, which is made known where it is new.
    ///
    /// The change is sent before the lock is let go, so that nobody refers to what is not there yet.
    fn intern(&self, build: &Build, template: Option<&Arc<Template>>) -> anyhow::Result<StructureId> {
        let mut structures = lock(&self.structures);
        if let Some(&id) = structures.get(&build.fingerprint()) {
            return Ok(id);
        }
        let template = template.context("a build without a template that is not known")?;
        let id = self.allocator.structure();
        let data = encode_build(template);
        self.send(Message::Changes(vec![Change::Structure { id, fingerprint: build.fingerprint(), data }]));
        structures.insert(build.fingerprint(), id);
        lock(&self.templates).insert(id, Arc::downgrade(template));
        Ok(id)
    }

    /// Returns a structure, shared by all that use it at the same time.
    fn template(&self, store: &Store, id: StructureId) -> anyhow::Result<Arc<Template>> {
        if let Some(template) = lock(&self.templates).get(&id).and_then(Weak::upgrade) {
            return Ok(template);
        }
        let template = Arc::new(store.structure(id)?);
        lock(&self.templates).insert(id, Arc::downgrade(&template));
        Ok(template)
    }
}

/// Locks; a thread that panicked has ended the run already.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came of one key.
#[derive(Clone, Debug)]
pub(super) struct Pulled {
    pub(super) names: Vec<String>,
    pub(super) reason: Reason,
    pub(super) result: PullResult,
    pub(super) coverage: Option<Coverage>,
    pub(super) before: Option<Coverage>,
    /// Addresses that answered for the key, of those listed or asked.
    pub(super) answered: usize,
    pub(super) known: usize,
    pub(super) bytes: u64,
    pub(super) restarted: usize,
    pub(super) failures: Vec<Failure>,
    pub(super) asides: Vec<Aside>,
    /// Addresses whose process belongs to another key, with a name of that key.
    pub(super) elsewhere: Vec<(String, String)>,
    pub(super) adopted: Option<Adopted>,
    pub(super) next_due: Option<DateTime<Utc>>,
}

impl Pulled {
    fn peek_failed(entry: &Entry, failure: Failure) -> Self {
        Self {
            names: entry.members.iter().map(|member| member.name.clone()).collect(),
            reason: Reason::Peeked,
            result: PullResult::NotDue,
            coverage: None,
            before: None,
            answered: 0,
            known: entry.addresses().len(),
            bytes: 0,
            restarted: 0,
            failures: vec![failure],
            asides: Vec::new(),
            elsewhere: Vec::new(),
            adopted: None,
            next_due: entry.schedule.schedule.next_due,
        }
    }
}

/// What a pull found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PullResult {
    /// Coverage changed.
    Changed,
    /// It did not.
    Unchanged,
    /// No address answered for the key.
    NothingAnswered,
    /// It was not due, and only a peek was tried.
    NotDue,
}

/// An address that failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) address: String,
    pub(super) error: String,
    pub(super) next_try: Option<DateTime<Utc>>,
}

/// An address whose data was set aside.
#[derive(Clone, Debug)]
pub(super) struct Aside {
    pub(super) address: String,
    pub(super) build: Fingerprint,
    pub(super) why: WhyAside,
}

/// Why data is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhyAside {
    /// The build is not the one that the key shows.
    OtherBuild,
    /// The address stands under two names, and which of them it is cannot be told.
    Undecided,
}

/// An edition took the place of another.
#[derive(Clone, Debug)]
pub(super) struct Adopted {
    pub(super) from: Option<Fingerprint>,
    pub(super) to: Option<Fingerprint>,
}

/// An address to ask, with the parts that list it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) address: String,
    pub(super) parts: Vec<usize>,
}

/// Keys that are pulled together.
pub(super) struct Unit<'a> {
    parts: Vec<Part<'a>>,
    /// Those that stand under one key first.
    targets: Vec<Target>,
    exclusive: usize,
    progress: Mutex<Progress>,
    /// What addresses showed when they were peeked at, where that was more than the database knows.
    peeked: Mutex<HashMap<String, String>>,
}

/// One key of a unit.
pub(super) struct Part<'a> {
    pub(super) entry: &'a Entry,
    pub(super) reason: Reason,
    /// Every address is asked, not only those whose retry is due.
    pub(super) full: bool,
    ledger: Mutex<Option<Ledger>>,
}

impl<'a> Part<'a> {
    pub(super) fn new(entry: &'a Entry, reason: Reason, full: bool) -> Self {
        Self { entry, reason, full, ledger: Mutex::default() }
    }
}

struct Progress {
    exclusive_left: usize,
    shared_left: usize,
}

/// How many editions that were set aside an unknown build is compared with, the newest first.
const ASIDES_COMPARED: usize = 4;

/// What came to be known of a key in this run.
#[derive(Default)]
struct Ledger {
    editions: Vec<LiveEdition>,
    /// As they were stored before this run.
    generations: Vec<Generation>,
    /// Generations whose stored counters are replaced by those in the sums.
    replaced: HashSet<GenerationId>,
    templates: Vec<(StructureId, Arc<Template>)>,
    answered: BTreeMap<String, Answered>,
    failed: BTreeMap<String, String>,
    elsewhere: BTreeMap<String, (String, Fingerprint)>,
    touched: bool,
    restarted: usize,
    bytes: u64,
}

struct LiveEdition {
    id: EditionId,
    status: EditionStatus,
    structures: Vec<(StructureId, Fingerprint)>,
    /// Of this run's answers alone; its structure holds at least theirs.
    sum: Option<Merged>,
    /// Counters moved in this run.
    moved: bool,
    /// Made in this run for an answer of which nobody can tell whose it is.
    is_undecided: bool,
}

struct Answered {
    edition: EditionId,
    build: Fingerprint,
    fraction: String,
    is_decided: bool,
}

/// Where an answer belongs.
struct Seat {
    part: usize,
    edition: EditionId,
    structure: StructureId,
    previous: Option<Generation>,
    is_decided: bool,
}

impl<'a> Unit<'a> {
    /// Makes a unit that asks `targets`, each listed by some of `parts`.
    pub(super) fn new(parts: Vec<Part<'a>>, mut targets: Vec<Target>) -> Self {
        targets.sort_by_key(|target| target.parts.len() > 1);
        let exclusive = targets.iter().take_while(|target| target.parts.len() == 1).count();
        let progress = Progress { exclusive_left: exclusive, shared_left: targets.len() - exclusive };
        Self { parts, targets, exclusive, progress: Mutex::new(progress), peeked: Mutex::default() }
    }

    /// Asks each address for its fraction alone; tells whether any moved since its last pull.
    ///
    /// Only what says something is sent: a fraction that moved, and an address that failed.
    pub(super) fn peek(&self, shared: &Shared<'_>) -> bool {
        let mut changes = Vec::new();
        let mut pulled = Vec::new();
        let mut has_moved = false;
        for target in &self.targets {
            if shared.is_stopped() {
                return false;
            }
            let peeked = shared.client.fraction(&target.address);
            for &part in &target.parts {
                let entry = self.parts[part].entry;
                let old = entry.state(&target.address);
                let (key, address) = (entry.id, target.address.clone());
                match &peeked {
                    Ok(None) => {}
                    Ok(Some(fraction)) => {
                        let known = [&old.fraction, &old.peeked];
                        let moved = known.iter().all(|known| known.as_ref() != Some(fraction));
                        if moved && known.iter().any(|known| known.is_some()) {
                            has_moved = true;
                            lock(&self.peeked).insert(address, fraction.clone());
                        }
                    }
                    Err(_) if shared.is_stopped() => return false,
                    Err(error) => {
                        let retry = old.retry.after_failure(shared.now, &shared.rules.retry);
                        let failure = Failure {
                            address: address.clone(),
                            error: error.to_string(),
                            next_try: retry.next_try,
                        };
                        pulled.push(Pulled::peek_failed(entry, failure));
                        let state = AddressState { retry, last_error: Some(error.to_string()), ..old };
                        changes.push(Change::Address { key, address, state });
                    }
                }
            }
            if has_moved {
                // The others are about to be pulled anyway; a failure counts once, then.
                return true;
            }
        }
        if !changes.is_empty() {
            shared.send(Message::Settled(changes, pulled));
        }
        false
    }

    /// Returns the targets that may be asked at once, by index; those that stand under several keys wait
    /// for what the others tell about the keys' builds.
    pub(super) fn first_targets(&self) -> std::ops::Range<usize> {
        if self.exclusive > 0 { 0..self.exclusive } else { 0..self.targets.len() }
    }

    pub(super) fn parts(&self) -> &[Part<'a>] {
        &self.parts
    }

    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Pulls one target and returns those that may be asked now.
    pub(super) fn pull(
        &self,
        target: usize,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<std::ops::Range<usize>> {
        self.ask(&self.targets[target], shared, store)?;
        let mut progress = lock(&self.progress);
        let left =
            if target < self.exclusive { &mut progress.exclusive_left } else { &mut progress.shared_left };
        *left -= 1;
        let last_exclusive = target < self.exclusive && progress.exclusive_left == 0;
        let settled = progress.exclusive_left == 0 && progress.shared_left == 0;
        drop(progress);
        if settled && !shared.is_stopped() {
            self.settle(shared, store)?;
        }
        let next = if last_exclusive { self.exclusive..self.targets.len() } else { 0..0 };
        Ok(next)
    }

    fn ask(&self, target: &Target, shared: &Shared<'_>, store: &Store) -> anyhow::Result<()> {
        let known = self.known_templates(target, shared, store)?;
        let mut answer = match shared.ask(&target.address, &known) {
            Ok(answer) => answer,
            Err(error) => {
                self.fail(target, &error.to_string());
                return Ok(());
            }
        };
        let mut asked_again = false;
        let (seat, stored) = loop {
            let template = answer.template.take().map(Arc::new);
            let Some(seat) = self.seat(target, &answer.profile, template.as_ref(), shared, store)? else {
                let build = answer.profile.build.fingerprint().short();
                let error = format!(
                    "answers as build {build}, which is not the one known here, and no center lists it now"
                );
                self.fail(target, &error);
                return Ok(());
            };
            let profile = &answer.profile;
            let stored = match &seat.previous {
                Some(previous) => store.counts(previous.id)?,
                None => None,
            };
            let blocks = profile.build.blocks().len();
            let stored = stored.map(|counts| decode_counts(&counts, blocks)).transpose()?;
            let fell = stored.as_ref().is_some_and(|stored| generation::fell(stored, &profile.counts));
            if fell && !asked_again {
                asked_again = true;
                // A counter that fell can be noise of one reading, so a second one decides.
                if let Ok(again) = shared.ask(&target.address, &known) {
                    answer = again;
                    continue;
                }
            }
            break (seat, stored);
        };
        self.take_in(target, seat, answer, stored.as_deref(), shared)
    }

    /// Returns the structures that an answer of this address may have, the likeliest first.
    fn known_templates(
        &self,
        target: &Target,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<Vec<Arc<Template>>> {
        let mut known = Vec::new();
        for &part in &target.parts {
            let mut ledger = self.ledger(part, shared, store)?;
            let ledger = ledger.as_mut().expect("opened above");
            if let Some(structure) = ledger.open_at(&target.address).map(|open| open.structure).next() {
                let template = match ledger.templates.iter().find(|(id, _)| *id == structure) {
                    Some((_, template)) => Arc::clone(template),
                    None => shared.template(store, structure)?,
                };
                known.insert(0, template);
            }
            known.extend(ledger.templates.iter().map(|(_, template)| Arc::clone(template)));
        }
        Ok(known)
    }

    /// Opens a key's ledger where no thread has done so yet.
    fn ledger(
        &self,
        part: usize,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<MutexGuard<'_, Option<Ledger>>> {
        let part = &self.parts[part];
        let mut ledger = lock(&part.ledger);
        if ledger.is_none() {
            *ledger = Some(Ledger::open(part.entry, shared, store)?);
        }
        Ok(ledger)
    }

    fn opened(&self, part: usize) -> MutexGuard<'_, Option<Ledger>> {
        lock(&self.parts[part].ledger)
    }

    fn fail(&self, target: &Target, error: &str) {
        for &part in &target.parts {
            let mut ledger = self.opened(part);
            let ledger = ledger.as_mut().expect("opened before the address was asked");
            ledger.failed.insert(target.address.clone(), error.to_owned());
        }
    }

    /// Decides where an answer belongs; `None` where nothing vouches for it.
    fn seat(
        &self,
        target: &Target,
        profile: &Profile,
        template: Option<&Arc<Template>>,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<Option<Seat>> {
        let structure = shared.intern(&profile.build, template)?;
        let elsewhere = target.parts.len() > 1;
        let (part, decided) = match target.parts[..] {
            [part] => (part, true),
            _ => match self.owner(target, profile) {
                Some(owner) => (owner, true),
                None => (target.parts[0], false),
            },
        };
        let entry = self.parts[part].entry;
        let mut ledger = self.opened(part);
        let ledger = ledger.as_mut().expect("opened before the address was asked");
        let member = (structure, profile.build.fingerprint());
        let index = match decided {
            true => ledger.edition_of(&profile.build, member, elsewhere),
            false => ledger.undecided_edition_of(member),
        };
        let shows_another = ledger.editions.iter().any(|edition| edition.status == EditionStatus::Current);
        let is_current = index.is_some_and(|index| ledger.editions[index].status == EditionStatus::Current);
        if entry.is_assumed(&target.address) && shows_another && !is_current {
            return Ok(None);
        }
        let index = match index {
            Some(index) => index,
            None => {
                let id = shared.allocator.edition();
                // Sent under the lock: whoever joins this edition refers to it.
                shared.send(Message::Changes(vec![Change::Edition { id, key: entry.id, at: shared.now }]));
                ledger.editions.push(LiveEdition {
                    id,
                    status: EditionStatus::Aside,
                    structures: Vec::new(),
                    sum: None,
                    moved: false,
                    is_undecided: !decided,
                });
                ledger.editions.len() - 1
            }
        };
        let edition = &mut ledger.editions[index];
        edition.load(shared, store)?;
        if !edition.structures.contains(&member) {
            edition.structures.push(member);
        }
        edition.sum.get_or_insert_with(|| Merged::new(Arc::clone(&profile.build))).take_in(&profile.build)?;
        let id = edition.id;
        if let Some(template) = template {
            ledger.templates.push((structure, Arc::clone(template)));
        }
        let previous = ledger
            .open_at(&target.address)
            .find(|open| open.edition == id && open.structure == structure && open.mode == profile.mode)
            .cloned();
        Ok(Some(Seat { part, edition: id, structure, previous, is_decided: decided }))
    }

    /// Returns the part that a process at a shared address belongs to.
    fn owner(&self, target: &Target, profile: &Profile) -> Option<usize> {
        let claims: Vec<Claim> = target
            .parts
            .iter()
            .map(|&part| {
                let ledger = self.opened(part);
                let ledger = ledger.as_ref().expect("opened before the address was asked");
                Claim {
                    is_its_build: ledger.is_its_build(&profile.build),
                    listed_at: self.parts[part].entry.listed_at(&target.address),
                }
            })
            .collect();
        edition::owner(&claims).map(|claim| target.parts[claim])
    }

    /// Adds an answer to the sum of its edition and sends what is to be remembered of it.
    fn take_in(
        &self,
        target: &Target,
        seat: Seat,
        answer: Answer,
        stored: Option<&[u64]>,
        shared: &Shared<'_>,
    ) -> anyhow::Result<()> {
        let Seat { part: owner, edition, structure, previous, is_decided } = seat;
        let Profile { mode, build, counts: answered } = answer.profile;
        let fraction = hit_fraction(&answered);
        let verdict = match stored {
            Some(stored) => generation::judge(mode, stored, &answered),
            None => Verdict::Restarted,
        };
        let mut changes = vec![Change::Unfinished(self.parts[owner].entry.id)];
        let mut closed = 0;
        for &part in &target.parts {
            let ledger = self.opened(part);
            let ledger = ledger.as_ref().expect("opened before the address was asked");
            for open in ledger.open_at(&target.address) {
                let goes_on = previous.as_ref().is_some_and(|previous| previous.id == open.id)
                    && verdict != Verdict::Restarted;
                if !goes_on {
                    changes.push(Change::GenerationClosed(open.id, shared.now));
                    closed += 1;
                }
            }
        }
        let address = Some(target.address.clone());
        let at = shared.now;
        let (counts, replaced) = match (verdict, previous) {
            (Verdict::Continues(counts), Some(previous)) => {
                if stored != Some(&counts[..]) {
                    let counts = encode_counts(&counts);
                    changes.push(Change::GenerationMoved { id: previous.id, mode, at, counts });
                }
                (counts, previous.id)
            }
            _ => {
                let id = shared.allocator.generation();
                let counts = encode_counts(&answered);
                changes.push(Change::GenerationOpened { id, edition, structure, address, mode, at, counts });
                (answered, id)
            }
        };
        let moved = changes.len() > 1;
        for &part in target.parts.iter().filter(|&&part| part != owner) {
            let name = self.parts[owner].entry.spokesman().name.clone();
            let mut ledger = self.opened(part);
            let ledger = ledger.as_mut().expect("opened before the address was asked");
            ledger.elsewhere.insert(target.address.clone(), (name, build.fingerprint()));
        }
        let mut ledger = self.opened(owner);
        let ledger = ledger.as_mut().expect("opened before the address was asked");
        let live = ledger.editions.iter_mut().find(|live| live.id == edition).expect("seated in it");
        live.sum.as_mut().expect("made when seated").add(mode, &build, &counts)?;
        live.moved |= moved;
        ledger.replaced.insert(replaced);
        ledger.touched |= moved;
        ledger.restarted += closed;
        ledger.bytes += answer.bytes;
        let build = build.fingerprint();
        ledger.answered.insert(target.address.clone(), Answered { edition, build, fraction, is_decided });
        if moved {
            shared.send(Message::Changes(changes));
        }
        Ok(())
    }

    /// Decides what each key of the unit shows now.
    pub(super) fn settle(&self, shared: &Shared<'_>, store: &Store) -> anyhow::Result<()> {
        let mut changes = Vec::new();
        let mut pulled = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            let targets = self.targets.iter().filter(|target| target.parts.contains(&index));
            let asked: Vec<&str> = targets.map(|target| target.address.as_str()).collect();
            if asked.is_empty() && !part.entry.schedule.unfinished {
                continue;
            }
            let ledger = self.ledger(index, shared, store)?.take().expect("opened just now");
            pulled.push(Settlement { unit: self, part, ledger, asked, shared, store }.settle(&mut changes)?);
        }
        shared.send(Message::Settled(changes, pulled));
        Ok(())
    }
}

impl Ledger {
    fn open(entry: &Entry, shared: &Shared<'_>, store: &Store) -> anyhow::Result<Self> {
        // Keys that came with this run are not stored yet; asking finds nothing.
        let editions = store.editions(entry.id)?;
        if editions.is_empty() {
            return Ok(Self::default());
        }
        let mut live = Vec::new();
        for Edition { id, status, structures } in editions {
            live.push(LiveEdition { id, status, structures, sum: None, moved: false, is_undecided: false });
        }
        let mut templates = Vec::new();
        let asides = live.iter_mut().rev().filter(|edition| edition.status == EditionStatus::Aside);
        for edition in asides.take(ASIDES_COMPARED) {
            edition.load(shared, store)?;
        }
        for edition in live.iter_mut().filter(|edition| edition.status == EditionStatus::Current) {
            templates = edition.load(shared, store)?;
        }
        Ok(Self { editions: live, generations: store.generations(entry.id)?, templates, ..Self::default() })
    }

    fn open_at<'s>(&'s self, address: &'s str) -> impl Iterator<Item = &'s Generation> {
        self.generations
            .iter()
            .filter(move |known| known.closed_at.is_none() && known.address.as_deref() == Some(address))
    }

    /// Tells whether a build is the one that the key shows, or that its first answers serve.
    fn is_its_build(&self, build: &Build) -> Option<bool> {
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
    fn undecided_edition_of(&mut self, member: (StructureId, Fingerprint)) -> Option<usize> {
        let stored = |edition: &LiveEdition| self.generations.iter().any(|known| known.edition == edition.id);
        let index = self.editions.iter().rposition(|edition| {
            edition.status == EditionStatus::Aside
                && edition.structures.contains(&member)
                && (edition.is_undecided || stored(edition))
        })?;
        self.editions[index].is_undecided = true;
        Some(index)
    }

    fn current(&self) -> Option<usize> {
        self.editions.iter().position(|edition| edition.status == EditionStatus::Current)
    }

    /// Returns the edition that a build belongs to: the one that has it, the current one first, else one
    /// that it fits.
    fn edition_of(
        &self,
        build: &Build,
        member: (StructureId, Fingerprint),
        elsewhere: bool,
    ) -> Option<usize> {
        let has_it = |index: &usize| self.editions[*index].structures.contains(&member);
        let fits = |index: &usize| {
            let sum = self.editions[*index].sum.as_ref();
            sum.is_some_and(|sum| edition::fits(sum.build(), build, elsewhere))
        };
        let newest_first =
            || (0..self.editions.len()).rev().filter(|&index| !self.editions[index].is_undecided);
        self.current()
            .filter(has_it)
            .or_else(|| newest_first().find(has_it))
            .or_else(|| self.current().filter(fits))
            .or_else(|| newest_first().find(fits))
    }
}

impl LiveEdition {
    /// Gives the sum the structure of all that belongs here, and returns the structures.
    fn load(
        &mut self,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<Vec<(StructureId, Arc<Template>)>> {
        if self.sum.is_some() {
            return Ok(Vec::new());
        }
        let mut templates = Vec::new();
        for &(structure, _) in &self.structures {
            let template = shared.template(store, structure)?;
            let build = template.build();
            self.sum.get_or_insert_with(|| Merged::new(Arc::clone(build))).take_in(build)?;
            templates.push((structure, template));
        }
        Ok(templates)
    }
}

/// The end of a key's pull.
struct Settlement<'s, 'a> {
    unit: &'s Unit<'a>,
    part: &'s Part<'a>,
    ledger: Ledger,
    asked: Vec<&'s str>,
    shared: &'s Shared<'s>,
    store: &'s Store,
}

impl Settlement<'_, '_> {
    fn settle(mut self, changes: &mut Vec<Change>) -> anyhow::Result<Pulled> {
        let entry = self.part.entry;
        let now = self.shared.now;
        let adopted = self.elect(changes)?;
        let current = self.ledger.current();
        let states = self.address_states();
        changes.extend(states.iter().map(|(address, state)| Change::Address {
            key: entry.id,
            address: address.clone(),
            state: state.clone(),
        }));

        let mut addresses = entry.addresses();
        addresses.extend(self.asked.iter().map(|address| (*address).to_owned()));
        addresses.sort_unstable();
        addresses.dedup();
        let answered = addresses
            .iter()
            .filter(|address| {
                let state = states.get(*address).cloned().unwrap_or_else(|| entry.state(address));
                state.retry.failures == 0 && state.last_answer_at.is_some() && state.other_build.is_none()
            })
            .count();

        let latest = self.store.latest(&entry.key)?;
        let before = latest.as_ref().and_then(|row| row.fact.as_ref()).map(|fact| fact.coverage);
        let shown_id = current.map(|current| self.ledger.editions[current].id);
        let serves_current = |answer: &Answered| shown_id == Some(answer.edition);
        let own_answers = self.ledger.answered.values().filter(|answer| serves_current(answer)).count();
        let shown = match current {
            Some(current) => self.show(current, latest.as_ref(), &addresses, answered, changes)?,
            None => Shown::default(),
        };

        let outcome = match own_answers {
            _ if shown.changed => Outcome::Changed,
            0 => Outcome::NothingAnswered,
            _ if self.part.full => Outcome::Unchanged,
            _ => Outcome::UnchangedAtRetry,
        };
        let old = &entry.schedule;
        let schedule = ScheduleRow {
            schedule: schedule::after(
                &old.schedule,
                &entry.spokesman().name,
                outcome,
                &entry.addresses(),
                now,
                &self.shared.rules.steps,
            ),
            last_change_at: if shown.changed { Some(now) } else { old.last_change_at },
            counts_moved_at: shown.counts_moved_at,
            unfinished: false,
        };
        if schedule != *old || self.ledger.touched {
            changes.push(Change::Schedule(entry.id, schedule.clone()));
        }

        let failures = self.ledger.failed.iter().map(|(address, error)| Failure {
            address: address.clone(),
            error: error.clone(),
            next_try: states.get(address).and_then(|state| state.retry.next_try),
        });
        let asides = self.ledger.answered.iter().filter(|(_, answer)| !serves_current(answer));
        let asides = asides.map(|(address, answer)| Aside {
            address: address.clone(),
            build: answer.build,
            why: if answer.is_decided { WhyAside::OtherBuild } else { WhyAside::Undecided },
        });
        let elsewhere =
            self.ledger.elsewhere.iter().map(|(address, (name, _))| (address.clone(), name.clone()));
        Ok(Pulled {
            names: entry.members.iter().map(|member| member.name.clone()).collect(),
            reason: self.part.reason,
            result: match outcome {
                Outcome::Changed => PullResult::Changed,
                Outcome::Unchanged | Outcome::UnchangedAtRetry => PullResult::Unchanged,
                Outcome::NothingAnswered => PullResult::NothingAnswered,
            },
            coverage: shown.coverage.or(before),
            before,
            answered,
            known: addresses.len(),
            bytes: self.ledger.bytes,
            restarted: self.ledger.restarted,
            failures: failures.collect(),
            asides: asides.collect(),
            elsewhere: elsewhere.collect(),
            adopted,
            next_due: schedule.schedule.next_due,
        })
    }

    /// Lets another edition take the place of the current one where that is due.
    fn elect(&mut self, changes: &mut Vec<Change>) -> anyhow::Result<Option<Adopted>> {
        let entry = self.part.entry;
        let order = entry.addresses();
        let turnout = |edition: &LiveEdition| {
            let of_it = |answer: &Answered| answer.edition == edition.id && answer.is_decided;
            let answered = self.ledger.answered.iter().filter(|(_, answer)| of_it(answer));
            let answered: Vec<&str> = answered.map(|(address, _)| address.as_str()).collect();
            let unasked = order.iter().map(String::as_str).filter(|address| {
                edition.status == EditionStatus::Current
                    && !self.asked.contains(address)
                    && entry.state(address).retry.failures == 0
                    && self.ledger.open_at(address).any(|open| open.edition == edition.id)
            });
            let serving: Vec<&str> = answered.into_iter().chain(unasked).collect();
            let place = |address: &&str| order.iter().position(|listed| listed == address);
            Turnout {
                is_current: edition.status == EditionStatus::Current,
                serving: serving.len(),
                first: serving.iter().filter_map(place).min().unwrap_or(usize::MAX),
            }
        };
        let turnouts: Vec<Turnout> = self.ledger.editions.iter().map(turnout).collect();
        let elected = match &self.shared.rules.adopt_by_hand {
            Some(wanted) => Some(self.by_hand(wanted)?),
            None => edition::elect(&turnouts, self.shared.rules.adopt),
        };
        let current = self.ledger.current();
        let Some(elected) = elected.filter(|elected| Some(*elected) != current) else { return Ok(None) };
        let face = |edition: &LiveEdition| edition.structures.last().map(|(_, fingerprint)| *fingerprint);
        let adopted = current.map(|current| Adopted {
            from: face(&self.ledger.editions[current]),
            to: face(&self.ledger.editions[elected]),
        });
        for (index, status) in current
            .map(|current| (current, EditionStatus::Former))
            .into_iter()
            .chain([(elected, EditionStatus::Current)])
        {
            let edition = &mut self.ledger.editions[index];
            edition.status = status;
            changes.push(Change::EditionStatus(edition.id, status));
        }
        Ok(adopted)
    }

    fn by_hand(&self, wanted: &str) -> anyhow::Result<usize> {
        let wanted = wanted.to_ascii_lowercase();
        let builds = || {
            self.ledger.editions.iter().enumerate().flat_map(|(index, edition)| {
                edition.structures.iter().map(move |(_, fingerprint)| (index, fingerprint.short()))
            })
        };
        let mut fitting: Vec<usize> =
            builds().filter(|(_, known)| known.starts_with(&wanted)).map(|(index, _)| index).collect();
        fitting.dedup();
        match fitting[..] {
            [index] => Ok(index),
            _ => {
                let known: Vec<String> = builds().map(|(_, known)| known).collect();
                anyhow::bail!(
                    "--adopt \"{}\" fits {} builds of {}, known are: {}",
                    printable(&wanted),
                    fitting.len(),
                    printable(&self.part.entry.spokesman().name),
                    known.join(", ")
                )
            }
        }
    }

    /// Returns what is to be remembered of each address that was asked.
    fn address_states(&self) -> BTreeMap<String, AddressState> {
        let Self { unit, part, ledger, shared, .. } = self;
        let now = shared.now;
        let current = ledger.current().map(|current| ledger.editions[current].id);
        let mut states = BTreeMap::new();
        for (address, answer) in &ledger.answered {
            let state = AddressState {
                last_answer_at: Some(now),
                fraction: Some(answer.fraction.clone()),
                peeked: lock(&unit.peeked).remove(address).or_else(|| part.entry.state(address).peeked),
                other_build: (Some(answer.edition) != current).then_some(answer.build),
                ..AddressState::default()
            };
            states.insert(address.clone(), state);
        }
        for (address, error) in &ledger.failed {
            let old = part.entry.state(address);
            let retry = old.retry.after_failure(now, &shared.rules.retry);
            states.insert(address.clone(), AddressState { retry, last_error: Some(error.clone()), ..old });
        }
        for (address, (_, build)) in &ledger.elsewhere {
            let state = AddressState { other_build: Some(*build), ..AddressState::default() };
            states.insert(address.clone(), state);
        }
        states
    }

    /// Brings the latest row up to what the current edition holds.
    fn show(
        &mut self,
        current: usize,
        latest: Option<&Row>,
        addresses: &[String],
        answered: usize,
        changes: &mut Vec<Change>,
    ) -> anyhow::Result<Shown> {
        let Shared { now, rules, .. } = self.shared;
        let entry = self.part.entry;
        let old = &entry.schedule;
        let longest = TimeDelta::from_std(rules.row_at_least_every).unwrap_or(TimeDelta::MAX);
        let is_overdue = |since: Option<DateTime<Utc>>| since.is_some_and(|since| *now - since >= longest);
        let edition = &mut self.ledger.editions[current];
        let fact = latest.and_then(|row| row.fact.as_ref()).filter(|fact| fact.edition == edition.id);
        if let (Some(row), Some(fact)) = (latest, fact)
            && !edition.moved
            && !old.unfinished
            && !is_overdue(old.counts_moved_at)
        {
            self.update_addresses(row, fact, addresses, answered, changes);
            return Ok(Shown {
                changed: false,
                coverage: Some(fact.coverage),
                counts_moved_at: old.counts_moved_at,
            });
        }

        let id = edition.id;
        let mut sum = edition.sum.take().unwrap_or_else(|| Merged::new(Arc::new(Build::empty())));
        for known in &self.ledger.generations {
            if known.edition != id || self.ledger.replaced.contains(&known.id) {
                continue;
            }
            let Some(counts) = self.store.counts(known.id)? else { continue };
            let template = self.shared.template(self.store, known.structure)?;
            let counts = decode_counts(&counts, template.build().blocks().len())?;
            sum.add(known.mode, template.build(), &counts)?;
        }
        if self.ledger.replaced.is_empty() && !self.ledger.generations.iter().any(|known| known.edition == id)
        {
            return Ok(Shown::default());
        }
        let profile = sum.into_profile();
        let coverage = profile.coverage();
        let covered = covered_digest(&profile.build, &profile.counts);
        let counts = counts_digest(&profile);
        let moved = fact.is_none_or(|fact| fact.counts_digest != counts);
        let changed = match rules.change {
            ChangeRule::Covered => fact.is_none_or(|fact| fact.covered_digest != covered),
            ChangeRule::Counts => moved,
        };
        let moved_at = moved.then(|| old.counts_moved_at.unwrap_or(*now));
        if !changed && !is_overdue(moved_at) {
            if let (Some(row), Some(fact)) = (latest, fact) {
                self.update_addresses(row, fact, addresses, answered, changes);
            }
            return Ok(Shown { changed: false, coverage: Some(coverage), counts_moved_at: moved_at });
        }

        let folder = crate::names::escape(&entry.key.app);
        let number = self.shared.allocator.number(&folder);
        let path = CovPath::new(&entry.key.app, number).relative();
        self.shared
            .locked
            .store(&path, |out| profile::write(profile.mode, &profile.build, &profile.counts, out))?;
        changes.push(Change::Row(Box::new(NewRow {
            key: entry.key.clone(),
            at: *now,
            addresses: addresses.to_vec(),
            branch: entry.spokesman().branch.clone(),
            cov_file_path: path,
            number: (folder, number),
            fact: Fact {
                edition: id,
                coverage,
                covered_digest: covered,
                counts_digest: counts,
                answered: small(answered),
                listed: small(addresses.len()),
            },
        })));
        Ok(Shown { changed, coverage: Some(coverage), counts_moved_at: None })
    }

    fn update_addresses(
        &self,
        row: &Row,
        fact: &Fact,
        addresses: &[String],
        answered: usize,
        changes: &mut Vec<Change>,
    ) {
        let branch = &self.part.entry.spokesman().branch;
        if row.addresses != addresses || row.branch != *branch || fact.answered != small(answered) {
            changes.push(Change::RowAddresses {
                id: row.id,
                addresses: addresses.to_vec(),
                branch: branch.clone(),
                answered: small(answered),
                at: self.shared.now,
            });
        }
    }
}

#[derive(Default)]
struct Shown {
    changed: bool,
    coverage: Option<Coverage>,
    counts_moved_at: Option<DateTime<Utc>>,
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
