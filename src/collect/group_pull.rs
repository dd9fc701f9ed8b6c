//! One unit of work, from the first request to the row: the keys whose addresses have to be judged
//! together, because an address can stand under several names.
//!
//! Threads share a unit. Each pulls one address, decides where its answer belongs, and sends what the
//! database is to learn; memory holds one sum a build group, whatever the number of replicas. The thread
//! that has the last answer settles the unit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::collect::election::OtherKeys;
use crate::collect::fault::Reach;
use crate::collect::ledger::{Answered, Ledger};
use crate::collect::settlement::{Failure, Pulled, Settlement};
use crate::collect::shared::{Answer, Message, Shared, lock};
use crate::fleet::build_group::{self, BuildGroupStatus, Claim};
use crate::fleet::change::Change;
use crate::fleet::generation::{self, Generation, LastAnswer, Verdict};
use crate::fleet::ids::{BuildGroupId, GenerationId, StructureId};
use crate::fleet::plan::{AddressGroup, GroupAddress};
use crate::fleet::records::AddressState;
use crate::fleet::snapshot::{self, Life, Resumed};
use crate::io::center::{HttpError, Incoming};
use crate::io::store::Store;
use crate::memory::Reservation;
use crate::profile::{
    AnswerDigest, Fingerprint, Mode, ParsedAnswer, PreviousAnswer, Profile, Template, encode_counts,
    hit_fraction,
};

/// The pull of a group, made when its first address is asked.
pub(crate) struct GroupPull<'a> {
    group: &'a AddressGroup<'a>,
    slots: Box<[KeySlot]>,
    progress: Mutex<Progress>,
    /// Fractions that addresses showed when they were peeked at, where the database does not know them.
    peeked: BTreeMap<String, String>,
}

/// Room for what comes to be known of a key of the group.
#[derive(Default)]
struct KeySlot {
    ledger: Mutex<Option<Box<Ledger>>>,
    /// Faults on our own side that kept an answer from being stored.
    faults: Mutex<BTreeSet<String>>,
}

struct Progress {
    exclusive_left: usize,
    shared_left: usize,
}

/// An open generation, and how to know its last answer again.
struct Before {
    generation: Generation,
    build: Fingerprint,
    fraction: String,
    answer_digest: AnswerDigest,
}

/// Counters as they are stored.
struct Counted {
    generation: GenerationId,
    counts: Vec<u64>,
}

/// Where an answer belongs.
struct Seat {
    part: usize,
    build_group: BuildGroupId,
    structure: StructureId,
    previous: Option<Generation>,
    beside: Beside,
    is_decided: bool,
}

/// Closed generations of which any may be the one that goes on, too.
#[derive(Default)]
struct Beside {
    generations: Vec<Generation>,
    /// Their counters together.
    counts: Vec<u64>,
}

impl Beside {
    /// Returns the changes that leave one generation with all that they count.
    fn changes(&self, mode: Mode) -> Vec<Change> {
        let Some((&Generation { id, pulled_at: at, .. }, gone)) = self.generations.split_first() else {
            return Vec::new();
        };
        let counts = encode_counts(&self.counts);
        let moved = Change::GenerationMoved { id, mode, at, counts, answer: None };
        [moved].into_iter().chain(gone.iter().map(|gone| Change::GenerationFolded(gone.id))).collect()
    }
}

/// Asks each address of a group for its fraction alone; returns those that moved since the last pull, where any did.
///
/// Only what says something is sent: an address that failed.
pub(crate) fn peek(group: &AddressGroup<'_>, shared: &Shared<'_>) -> Option<BTreeMap<String, String>> {
    let mut changes = Vec::new();
    let mut pulled = Vec::new();
    for GroupAddress { address, keys } in &group.addresses {
        if shared.is_stopped() {
            return None;
        }
        let peeked = shared.client.fraction(address);
        let mut moved = BTreeMap::new();
        for &key in keys {
            let entry = group.keys[key].entry;
            let old = entry.state(address);
            match &peeked {
                Ok(None) => {}
                Ok(Some(fraction)) => {
                    let known = [&old.fraction, &old.peeked];
                    let is_new = known.iter().all(|known| known.as_ref() != Some(fraction));
                    if is_new && known.iter().any(|known| known.is_some()) {
                        moved.insert(address.clone(), fraction.clone());
                    }
                }
                Err(_) if shared.is_stopped() => return None,
                Err(error) => {
                    let retry = old.retry.after_failure(shared.now, &shared.rules.retry);
                    let failure = Failure {
                        address: address.clone(),
                        error: error.to_string(),
                        next_try: retry.next_try,
                    };
                    pulled.push(Pulled::peek_failed(entry, failure));
                    let state = AddressState { retry, last_error: Some(error.to_string()), ..old };
                    changes.push(Change::Address { key: entry.id, address: address.clone(), state });
                }
            }
        }
        if !moved.is_empty() {
            // The others are about to be pulled anyway; a failure counts once, then.
            return Some(moved);
        }
    }
    if !changes.is_empty() {
        shared.send(Message::Settled(changes, pulled));
    }
    None
}

impl<'a> GroupPull<'a> {
    /// Begins the pull of a group, of which `peeked` was found out.
    pub(crate) fn new(group: &'a AddressGroup<'a>, peeked: BTreeMap<String, String>) -> Self {
        let progress = Progress {
            exclusive_left: group.addresses_of_one_key().len(),
            shared_left: group.shared_addresses().len(),
        };
        let slots = group.keys.iter().map(|_| KeySlot::default()).collect();
        Self { group, slots, progress: Mutex::new(progress), peeked }
    }

    /// Returns what an address showed when it was peeked at, where that was more than the database knows.
    pub(crate) fn peeked(&self, address: &str) -> Option<String> {
        self.peeked.get(address).cloned()
    }

    /// Pulls one target and returns those that may be asked now.
    pub(crate) fn pull(
        &self,
        target: usize,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<std::ops::Range<usize>> {
        let asked = self.ask(&self.group.addresses[target], shared, store);
        if let Err(error) = asked {
            if Reach::of(&error) == Reach::Root {
                return Err(error);
            }
            for &part in &self.group.addresses[target].keys {
                lock(&self.slots[part].faults).insert(format!("{error:#}"));
            }
        }
        let is_exclusive = self.group.addresses_of_one_key().contains(&target);
        let mut progress = lock(&self.progress);
        let left = if is_exclusive { &mut progress.exclusive_left } else { &mut progress.shared_left };
        *left -= 1;
        let last_exclusive = is_exclusive && progress.exclusive_left == 0;
        let settled = progress.exclusive_left == 0 && progress.shared_left == 0;
        drop(progress);
        if settled && !shared.is_stopped() {
            self.settle(shared, store)?;
        }
        let next = if last_exclusive { self.group.shared_addresses() } else { 0..0 };
        Ok(next)
    }

    fn ask(&self, target: &GroupAddress, shared: &Shared<'_>, store: &Store) -> anyhow::Result<()> {
        for &part in &target.keys {
            drop(self.ledger(part, store)?);
        }
        let before = self.before(target, shared, store)?;
        let repeats = |incoming: &mut Incoming<'_>| match &before {
            Some(before) => incoming.repeats(&before.answer_digest),
            None => Ok(false),
        };
        let incoming = shared.client.profile(&target.address).and_then(|mut incoming| {
            let repeats = repeats(&mut incoming)?;
            Ok((incoming, repeats))
        });
        let incoming = match (incoming, &before) {
            (Ok((incoming, true)), Some(before)) => {
                self.repeated(target, before, incoming.bytes(), shared);
                return Ok(());
            }
            (Ok((incoming, _)), _) => incoming,
            (Err(error), _) => {
                self.fail(target, &error.to_string());
                return Ok(());
            }
        };
        let known = self.known_templates(target, shared, store)?;
        let (answer, counted) = read_on(target, incoming, before.as_ref(), &known, shared, store)?;
        match answer {
            Ok(answer) => self.judge(target, answer, counted, &known, shared, store),
            Err(error) => {
                self.fail(target, &error.to_string());
                Ok(())
            }
        }
    }

    /// Returns the open generation that goes on if its last answer comes again, where nothing else could
    /// come of that answer.
    fn before(
        &self,
        target: &GroupAddress,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<Option<Before>> {
        let [part] = target.keys[..] else { return Ok(None) };
        let entry = self.group.keys[part].entry;
        let mut ledger = self.opened(part);
        let ledger = ledger.as_mut().expect("opened before the address was asked");
        let open: Vec<&Generation> = ledger.open_at(&target.address).take(2).collect();
        let [generation] = open[..] else { return Ok(None) };
        let generation = generation.clone();
        let Some(index) = ledger.build_group_with(generation.structure) else { return Ok(None) };
        let build_group = &ledger.build_groups[index];
        // Before a key shows anything, all answers together decide what that is.
        let Some(current) = ledger.current() else { return Ok(None) };
        if build_group.id != generation.build_group || (entry.is_assumed(&target.address) && index != current)
        {
            return Ok(None);
        }
        let member = build_group.structures.iter().find(|(structure, _)| *structure == generation.structure);
        let Some(&(_, build)) = member else { return Ok(None) };
        if index != current {
            // A build that fits what is shown joins it again.
            ledger.load(shared, store)?;
            let template = shared.template(store, generation.structure)?;
            if ledger.build_group_of(template.build(), (generation.structure, build), false) == Some(current)
            {
                return Ok(None);
            }
        }
        let Some(LastAnswer { fraction, answer_digest }) = store.last_answer(generation.id)? else {
            return Ok(None);
        };
        let Some(answer_digest) = AnswerDigest::decode(&answer_digest) else { return Ok(None) };
        Ok(Some(Before { generation, build, fraction, answer_digest }))
    }

    /// Notes that an address answered as it did before.
    fn repeated(&self, target: &GroupAddress, before: &Before, bytes: u64, shared: &Shared<'_>) {
        shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut ledger = self.opened(target.keys[0]);
        let ledger = ledger.as_mut().expect("opened before the address was asked");
        ledger.bytes += bytes;
        // Another thread may have moved its build to the current build group meanwhile.
        let now = ledger.open_at(&target.address).find(|open| open.id == before.generation.id);
        let answered = Answered {
            build_group: now.map_or(before.generation.build_group, |open| open.build_group),
            build: before.build,
            fraction: before.fraction.clone(),
            is_decided: true,
        };
        ledger.answered.insert(target.address.clone(), answered);
    }

    /// Decides what an answer that differs from the last one means, and takes it in.
    ///
    /// `counted` are stored counters that were read already.
    fn judge(
        &self,
        target: &GroupAddress,
        mut answer: Answer,
        mut counted: Option<Counted>,
        known: &[Arc<Template>],
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<()> {
        let mut asked_again = false;
        let mut learned_bytes = 0;
        let (seat, stored, fell) = loop {
            let template = answer.understood.template.take().map(Arc::new);
            learned_bytes += template.as_ref().map_or(0, |template| template.heap_bytes());
            let profile = &answer.understood.profile;
            let Some(seat) = self.seat(target, profile, template.as_ref(), shared, store)? else {
                let build = profile.build.fingerprint().short();
                let error = format!(
                    "answers as build {build}, which is not the one known here, and no center lists it now"
                );
                self.fail(target, &error);
                return Ok(());
            };
            let stored = match &seat.previous {
                Some(previous) => match counted.take().filter(|counted| counted.generation == previous.id) {
                    Some(counted) => Some(counted.counts),
                    None => match store.counts(previous.id, profile.build.blocks().len()) {
                        // Counters that cannot be read are left as they are, and the process counts anew.
                        Err(error) if error.is_of_one_value() => {
                            lock(&self.slots[seat.part].faults).insert(error.to_string());
                            None
                        }
                        counts => counts?,
                    },
                },
                None => None,
            };
            let fell = stored.as_ref().is_some_and(|stored| generation::fell(stored, &profile.counts));
            if fell && !asked_again {
                asked_again = true;
                // Held while the second one is read, which must not wait for it.
                answer.reservation.iter_mut().for_each(Reservation::keep_all);
                // A counter that fell can be noise of one reading, so a second one decides.
                if let Ok(again) = shared.ask(&target.address, known) {
                    answer = again;
                    continue;
                }
            }
            break (seat, stored, fell);
        };
        let profile = &answer.understood.profile;
        // Counters that did not fall go on.
        let goes_on = stored.as_ref().is_some_and(|stored| {
            !fell || generation::judge(profile.mode, stored, &profile.counts) != Verdict::Restarted
        });
        let resumed = match goes_on && !self.is_in_doubt(&seat, &target.address, shared) {
            true => None,
            false => self.resumed(&seat, &target.address, profile, shared, store)?,
        };
        let (seat, stored) = match resumed {
            Some((previous, resumed, others)) => {
                let beside = Beside { generations: others, counts: resumed.rest };
                (Seat { previous: Some(previous), beside, ..seat }, Some(resumed.then))
            }
            None => (seat, stored),
        };
        let (reservation, part) = (answer.reservation.take(), seat.part);
        self.take_in(target, seat, answer, stored.as_deref(), shared)?;
        if let Some(mut reservation) = reservation.filter(|_| learned_bytes > 0) {
            reservation.keep(learned_bytes);
            self.opened(part).as_mut().expect("opened before the address was asked").kept.push(reservation);
        }
        Ok(())
    }

    /// Tells whether an answer that goes on with the open generation may go on with another one, too.
    fn is_in_doubt(&self, seat: &Seat, address: &str, shared: &Shared<'_>) -> bool {
        let ledger = self.opened(seat.part);
        let ledger = ledger.as_ref().expect("opened before the address was asked");
        shared.doubt.concerns_closed(ledger.at(address).map(|known| shared.life(known)))
    }

    /// Returns the generation that goes on with an answer, if there is one, its counters, and others that may.
    fn resumed(
        &self,
        seat: &Seat,
        address: &str,
        profile: &Profile,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<Option<(Generation, Resumed, Vec<Generation>)>> {
        let Profile { mode, counts: answered, .. } = profile;
        let here: Vec<Generation> = {
            let ledger = self.opened(seat.part);
            let ledger = ledger.as_ref().expect("opened before the address was asked");
            ledger.at(address).cloned().collect()
        };
        let lives: Vec<Life> = here.iter().map(|known| shared.life(known)).collect();
        let counts_of = |index: usize| {
            let known = &here[index];
            let is_of_it =
                (known.build_group, known.structure, known.mode) == (seat.build_group, seat.structure, *mode);
            match store.counts(known.id, answered.len()) {
                _ if !is_of_it => Ok(None),
                Err(error) if error.is_of_one_value() => Ok(None),
                counts => counts,
            }
        };
        let resumed = snapshot::resumed(*mode, &lives, answered, &shared.doubt, counts_of)?;
        Ok(resumed.map(|resumed| {
            let others = resumed.others.iter().map(|other| here[*other].clone()).collect();
            (here[resumed.index].clone(), resumed, others)
        }))
    }

    /// Returns the structures that an answer of this address may have, the likeliest first.
    fn known_templates(
        &self,
        target: &GroupAddress,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<Vec<Arc<Template>>> {
        let mut known = Vec::new();
        for &part in &target.keys {
            let mut ledger = self.opened(part);
            let ledger = ledger.as_mut().expect("opened before the address was asked");
            ledger.load(shared, store)?;
            let open = ledger.open_at(&target.address).map(|open| open.structure).next();
            if let Some(structure) = open {
                let template = match ledger.templates.iter().find(|(id, _)| *id == structure) {
                    Some((_, template)) => Ok(Arc::clone(template)),
                    None => shared.template(store, structure),
                };
                match template {
                    Ok(template) => known.insert(0, template),
                    // The answer brings the structure along.
                    Err(error) if Reach::of(&error) == Reach::Service => {
                        ledger.faults.insert(format!("{error:#}"));
                    }
                    Err(error) => return Err(error),
                }
            }
            known.extend(ledger.templates.iter().map(|(_, template)| Arc::clone(template)));
        }
        Ok(known)
    }

    /// Opens a key's ledger where no thread has done so yet.
    fn ledger(&self, part: usize, store: &Store) -> anyhow::Result<MutexGuard<'_, Option<Box<Ledger>>>> {
        let mut ledger = lock(&self.slots[part].ledger);
        if ledger.is_none() {
            *ledger = Some(Box::new(Ledger::open(self.group.keys[part].entry, store)?));
        }
        Ok(ledger)
    }

    fn opened(&self, part: usize) -> MutexGuard<'_, Option<Box<Ledger>>> {
        lock(&self.slots[part].ledger)
    }

    fn fail(&self, target: &GroupAddress, error: &str) {
        for &part in &target.keys {
            let mut ledger = self.opened(part);
            let ledger = ledger.as_mut().expect("opened before the address was asked");
            ledger.failed.insert(target.address.clone(), error.to_owned());
        }
    }

    /// Decides where an answer belongs; `None` where nothing vouches for it.
    fn seat(
        &self,
        target: &GroupAddress,
        profile: &Profile,
        template: Option<&Arc<Template>>,
        shared: &Shared<'_>,
        store: &Store,
    ) -> anyhow::Result<Option<Seat>> {
        let structure = shared.intern(&profile.build, template)?;
        let elsewhere = target.keys.len() > 1;
        let (part, decided) = match target.keys[..] {
            [part] => (part, true),
            _ => match self.owner(target, profile) {
                Some(owner) => (owner, true),
                None => (target.keys[0], false),
            },
        };
        let entry = self.group.keys[part].entry;
        let mut ledger = self.opened(part);
        let ledger = ledger.as_mut().expect("opened before the address was asked");
        let member = (structure, profile.build.fingerprint());
        let index = if decided {
            ledger.build_group_of(&profile.build, member, elsewhere)
        } else {
            ledger.undecided_build_group_of(member)
        };
        let shows_another =
            ledger.build_groups.iter().any(|build_group| build_group.status == BuildGroupStatus::Current);
        let is_current =
            index.is_some_and(|index| ledger.build_groups[index].status == BuildGroupStatus::Current);
        if entry.is_assumed(&target.address) && shows_another && !is_current {
            return Ok(None);
        }
        // Under the lock of the ledger.
        let index = ledger.make_room(index, entry.id, &profile.build, member, decided, shared, store)?;
        let id = ledger.build_groups[index].id;
        if let Some(template) = template {
            ledger.templates.push((structure, Arc::clone(template)));
        }
        let previous = ledger
            .open_at(&target.address)
            .find(|open| open.build_group == id && open.structure == structure && open.mode == profile.mode)
            .cloned();
        let beside = Beside::default();
        Ok(Some(Seat { part, build_group: id, structure, previous, beside, is_decided: decided }))
    }

    /// Returns the part that a process at a shared address belongs to.
    fn owner(&self, target: &GroupAddress, profile: &Profile) -> Option<usize> {
        let claims: Vec<Claim> = target
            .keys
            .iter()
            .map(|&part| {
                let ledger = self.opened(part);
                let ledger = ledger.as_ref().expect("opened before the address was asked");
                Claim {
                    is_its_build: ledger.is_its_build(&profile.build),
                    listed_at: self.group.keys[part].entry.listed_at(&target.address),
                }
            })
            .collect();
        build_group::owner(&claims).map(|claim| target.keys[claim])
    }

    /// Adds an answer to the sum of its build group and sends what is to be remembered of it.
    fn take_in(
        &self,
        target: &GroupAddress,
        seat: Seat,
        answer: Answer,
        stored: Option<&[u64]>,
        shared: &Shared<'_>,
    ) -> anyhow::Result<()> {
        let Seat { part: owner, build_group, structure, previous, beside, is_decided } = seat;
        let ParsedAnswer { profile: Profile { mode, build, counts: answered }, answer_digest, .. } =
            answer.understood;
        let fraction = hit_fraction(&answered);
        let to_remember = answer_digest.map(|answer_digest| LastAnswer {
            fraction: fraction.clone(),
            answer_digest: answer_digest.encode(),
        });
        let verdict = match stored {
            Some(stored) => generation::judge(mode, stored, &answered),
            None => Verdict::Restarted,
        };
        let key = self.group.keys[owner].entry.id;
        let mut changes = vec![Change::Unfinished(key)];
        let mut closed = 0;
        for &part in &target.keys {
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
        let (counts, replaced) = if let (Verdict::Continues(counts), Some(previous)) = (verdict, previous) {
            if previous.closed_at.is_some() {
                changes.push(Change::GenerationReopened(previous.id));
            }
            let is_all_it_said = counts == answered;
            let answer = to_remember.filter(|_| is_all_it_said);
            if stored != Some(&counts[..]) {
                let counts = encode_counts(&counts);
                changes.push(Change::GenerationMoved { id: previous.id, mode, at, counts, answer });
            } else if let ([_], Some(answer)) = (&target.keys[..], answer) {
                // By itself: nothing has moved that a row would have to be decided for.
                let remembered = Change::AnswerRemembered(previous.id, answer);
                shared.send(Message::Changes(Some(key), vec![remembered]));
            }
            (counts, previous.id)
        } else {
            let id = shared.ids.generation();
            let counts = encode_counts(&answered);
            let answer = to_remember;
            changes.push(Change::GenerationOpened {
                id,
                build_group,
                structure,
                address,
                mode,
                at,
                counts,
                answer,
            });
            (answered, id)
        };
        changes.extend(beside.changes(mode));
        let moved = changes.len() > 1;
        for &part in target.keys.iter().filter(|&&part| part != owner) {
            let name = self.group.keys[owner].entry.newest_name().name.clone();
            let mut ledger = self.opened(part);
            let ledger = ledger.as_mut().expect("opened before the address was asked");
            ledger.elsewhere.insert(target.address.clone(), (name, build.fingerprint()));
        }
        let mut ledger = self.opened(owner);
        let ledger = ledger.as_mut().expect("opened before the address was asked");
        let live = ledger.build_groups.iter_mut().find(|live| live.id == build_group).expect("seated in it");
        live.sum.as_mut().expect("made when seated").add(mode, &build, &counts)?;
        live.moved |= moved;
        if !beside.generations.is_empty() {
            live.sum.as_mut().expect("made when seated").add(mode, &build, &beside.counts)?;
            ledger.replaced.extend(beside.generations.iter().map(|known| known.id));
        }
        ledger.replaced.insert(replaced);
        ledger.touched |= moved;
        ledger.restarted += closed;
        ledger.bytes += answer.bytes;
        let build = build.fingerprint();
        ledger.answered.insert(target.address.clone(), Answered { build_group, build, fraction, is_decided });
        if moved {
            shared.send(Message::Changes(Some(key), changes));
        }
        Ok(())
    }

    /// Decides what each key of the unit shows now.
    pub(crate) fn settle(&self, shared: &Shared<'_>, store: &Store) -> anyhow::Result<()> {
        // Answers of other services wait for the memory of this one as long as it takes.
        let _settling = shared.memory.settling();
        let mut changes = Vec::new();
        let mut pulled = Vec::new();
        let mut others = OtherKeys::default();
        if self.group.keys.len() > 1 {
            for (index, part) in self.group.keys.iter().enumerate() {
                match self.ledger(index, store) {
                    Ok(ledger) => {
                        others.note(index, part.entry, ledger.as_ref().expect("opened just now"));
                    }
                    Err(error) if Reach::of(&error) == Reach::Root => return Err(error),
                    // Its own settlement names it.
                    Err(_) => {}
                }
            }
        }
        for (index, part) in self.group.keys.iter().enumerate() {
            let asked = self.group.asked_for(index);
            if asked.is_empty() && !part.entry.schedule.unfinished && !part.entry.came_in {
                continue;
            }
            let faults = std::mem::take(&mut *lock(&self.slots[index].faults));
            let settled = self.ledger(index, store).and_then(|mut ledger| {
                let mut ledger = *ledger.take().expect("opened just now");
                ledger.faults.extend(faults.iter().cloned());
                let others = &others;
                Settlement { unit: self, part, index, others, ledger, asked, shared, store }
                    .settle(&mut changes)
            });
            pulled.push(match settled {
                Err(error) if Reach::of(&error) == Reach::Service => {
                    changes.push(Change::Unfinished(part.entry.id));
                    let faults = faults.into_iter().chain([format!("{error:#}")]).collect();
                    Pulled::not_stored(part.entry, part.reason, faults)
                }
                settled => settled?,
            });
        }
        shared.send(Message::Settled(changes, pulled));
        Ok(())
    }
}

/// Reads an answer from where it left the one before; also returns the counters that it took for that.
fn read_on(
    target: &GroupAddress,
    incoming: Incoming<'_>,
    before: Option<&Before>,
    known: &[Arc<Template>],
    shared: &Shared<'_>,
    store: &Store,
) -> anyhow::Result<(Result<Answer, HttpError>, Option<Counted>)> {
    let Some(before) = before.filter(|_| incoming.recognised_any()) else {
        return Ok((shared.read(&target.address, incoming, known, None), None));
    };
    let generation = before.generation.id;
    let stored = shared.template(store, before.generation.structure).and_then(|template| {
        let counts = store.counts(generation, template.build().blocks().len())?.unwrap_or_default();
        Ok((template, counts))
    });
    let (template, counts) = match stored {
        Ok(stored) => stored,
        // Only a damaged database comes here, and below; another answer needs nothing of it.
        Err(error) if Reach::of(&error) == Reach::Service => {
            return Ok((shared.ask(&target.address, known), None));
        }
        Err(error) => return Err(error),
    };
    match PreviousAnswer::new(&before.answer_digest, &template, &counts) {
        Some(last) => Ok((
            shared.read(&target.address, incoming, known, Some(&last)),
            Some(Counted { generation, counts }),
        )),
        None => Ok((shared.ask(&target.address, known), None)),
    }
}
