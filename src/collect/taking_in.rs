//! The way of an answer from its reading to the changes that are sent: its key, its build group, its life.

use std::sync::Arc;

use crate::collect::address_pull::{AddressPull, KeyHandle};
use crate::collect::asking::ask_again;
use crate::collect::fault::AskError;
use crate::collect::grown_answer;
use crate::collect::known_lives::known_lives;
use crate::collect::run::{PulledAnswer, StoreMessage};
use crate::fleet::assignment::{self, AnswerBuild};
use crate::fleet::build_group::{self, Claim};
use crate::fleet::change::Change;
use crate::fleet::counters::{self, Growth};
use crate::fleet::ids::{BuildGroupId, LifeId, StructureId};
use crate::fleet::key_state::AddressAnswer;
use crate::fleet::life::{self, DecidedAnswer, KnownLives, LifeChanges, LifeDecision};
use crate::fleet::process::Process;
use crate::fleet::records::{LastAnswer, Life};
use crate::fleet::row_decision::Moved;
use crate::memory::Reservation;
use crate::profile::{Build, Mode, Profile, Template, decode_counts, hit_fraction};

/// The stored counters of an open life.
pub(crate) struct StoredCounts {
    pub(crate) life: LifeId,
    pub(crate) counts: Vec<u64>,
}

/// The key and the build group of an answer.
pub(crate) struct BuildAssignment<'g> {
    pub(crate) key: KeyHandle<'g>,
    /// The answer is known to be of this key.
    pub(crate) is_decided: bool,
    /// Index of the build group in its key.
    pub(crate) index: usize,
    pub(crate) build_group: BuildGroupId,
    pub(crate) structure: StructureId,
    /// The open life of the address in this group.
    pub(crate) open: Option<Life>,
}

impl BuildAssignment<'_> {
    /// Tells whether a life is of the build and the mode of the answer.
    pub(crate) fn is_of(&self, life: &Life, mode: Mode) -> bool {
        (life.build_group, life.structure, life.mode) == (self.build_group, self.structure, mode)
    }
}

/// The stored counters of the open life that an answer may go on with, in comparison with the answer.
enum OpenCounts {
    /// The counters; `None` where there is no such life, or its counters cannot be read.
    Decoded(Option<Vec<u64>>),
    /// The answer certainly goes on with the life, so that they need not be decoded.
    Grown(LifeId, Growth),
}

/// An answer with its build group and the stored counters of its open life.
struct AssignedAnswer<'g> {
    answer: PulledAnswer,
    assignment: BuildAssignment<'g>,
    stored: OpenCounts,
    /// Bytes of the new structures in the answer.
    learned_bytes: u64,
}

/// Decides the meaning of an answer that differs from the last one, and sends the changes.
///
/// `counts` are stored counters that were already read.
pub(crate) fn take_in(
    pull: &AddressPull<'_>,
    answer: PulledAnswer,
    counts: Option<StoredCounts>,
    templates: &[Arc<Template>],
) -> anyhow::Result<()> {
    let Some(assigned) = assign_steadily(pull, answer, counts, templates)? else { return Ok(()) };
    let AssignedAnswer { mut answer, assignment, stored, learned_bytes } = assigned;
    let reservation = answer.reservation.take();
    let key = assignment.key;
    match stored {
        OpenCounts::Grown(life, growth) => {
            grown_answer::send(pull, answer, &assignment, (life, growth))?;
        }
        OpenCounts::Decoded(stored) => {
            let known = known_lives(pull, &answer, &assignment, stored)?;
            send(pull, answer, &assignment, known)?;
        }
    }
    if let Some(mut reservation) = reservation.filter(|_| learned_bytes > 0) {
        reservation.keep(learned_bytes);
        key.lock().keep(reservation);
    }
    Ok(())
}

/// Finds the build group of an answer, and asks once more if a counter fell. An answer that is not taken in is noted,
/// and the result is `None`.
fn assign_steadily<'g>(
    pull: &AddressPull<'g>,
    mut answer: PulledAnswer,
    mut counts: Option<StoredCounts>,
    templates: &[Arc<Template>],
) -> anyhow::Result<Option<AssignedAnswer<'g>>> {
    let mut was_asked_again = false;
    let mut learned_bytes = 0;
    loop {
        let template = answer.template.take();
        learned_bytes += template.as_ref().map_or(0, |template| template.heap_bytes());
        let profile = &answer.profile;
        let Some(assignment) = assign(pull, &answer, template.as_ref())? else {
            let build = profile.build.fingerprint().short();
            pull.note_failure(&format!(
                "answers as build {build}, which is not the one known here, and it is not listed now"
            ));
            return Ok(None);
        };
        let stored = open_counts(pull, &assignment, &mut counts, &answer)?;
        if let OpenCounts::Decoded(_) = stored {
            answer.fill();
        }
        let has_fallen = match &stored {
            OpenCounts::Decoded(Some(stored)) => counters::fell(stored, &answer.profile.counts),
            OpenCounts::Decoded(None) | OpenCounts::Grown(..) => false,
        };
        if has_fallen && !was_asked_again {
            was_asked_again = true;
            // The memory of the first answer is kept while the second one is read, so that the second one does not wait
            // for it.
            answer.reservation.iter_mut().for_each(Reservation::keep_all);
            // A counter that fell can be noise of one reading, so a second reading decides.
            match ask_again(pull, &answer.kind, templates) {
                Ok(again) => {
                    answer = again;
                    continue;
                }
                Err(AskError::Own(error)) => return Err(error),
                Err(AskError::Address(_)) => {}
            }
        }
        return Ok(Some(AssignedAnswer { answer, assignment, stored, learned_bytes }));
    }
}

/// Decides to which key and build group an answer belongs; `None` if it is not taken in.
fn assign<'g>(
    pull: &AddressPull<'g>,
    answer: &PulledAnswer,
    template: Option<&Arc<Template>>,
) -> anyhow::Result<Option<BuildAssignment<'g>>> {
    let (run, store) = (pull.run, pull.store);
    let PulledAnswer { profile, process, .. } = answer;
    let structure = run.intern(&profile.build, template)?;
    let build_ref = (structure, profile.build.fingerprint());
    let owner = match pull.only_key() {
        Some(key) => Some(key),
        None => owner(pull, &profile.build),
    };
    let (key, is_decided) = (owner.unwrap_or(pull.keys[0]), owner.is_some());
    let mut open = key.lock();
    if process.is_some() {
        open.use_processes();
    }
    if !is_decided {
        open.state.mark_undecided(build_ref);
    }
    let answer = AnswerBuild {
        build: &profile.build,
        build_ref,
        is_decided,
        is_elsewhere: pull.keys.len() > 1,
        is_assumed: key.entry.is_assumed(pull.address),
    };
    let Some(assigned) = assignment::assign(&open.state, answer) else { return Ok(None) };
    let index = open.make_room(assigned, key.entry.id, (&profile.build, build_ref), run, store)?;
    let build_group = open.state.build_groups[index].id;
    if let Some(template) = template {
        open.state.templates.push((structure, Arc::clone(template)));
    }
    let mut assignment = BuildAssignment { key, is_decided, index, build_group, structure, open: None };
    let is_of_it =
        |known: &&Life| assignment.is_of(known, profile.mode) && open.may_be_of(known.id, process.as_ref());
    let life = open.state.open_at(pull.address).find(is_of_it).cloned();
    assignment.open = life;
    Ok(Some(assignment))
}

/// Returns the key to which a process at a shared address belongs.
fn owner<'g>(pull: &AddressPull<'g>, build: &Build) -> Option<KeyHandle<'g>> {
    let claim = |key: &KeyHandle<'_>| Claim {
        is_its_build: key.lock().state.is_its_build(build),
        listed_at: key.entry.listed_at(pull.address),
    };
    let claims: Vec<Claim> = pull.keys.iter().map(claim).collect();
    build_group::owner(&claims).map(|index| pull.keys[index])
}

/// Reads the stored counters of the open life that an answer may go on with, unless they were read already.
fn open_counts(
    pull: &AddressPull<'_>,
    assignment: &BuildAssignment<'_>,
    counts: &mut Option<StoredCounts>,
    answer: &PulledAnswer,
) -> anyhow::Result<OpenCounts> {
    let Some(open) = &assignment.open else { return Ok(OpenCounts::Decoded(None)) };
    if let Some(counts) = counts.take().filter(|counts| counts.life == open.id) {
        return Ok(OpenCounts::Decoded(Some(counts.counts)));
    }
    let PulledAnswer { profile, hit, .. } = answer;
    let blocks = profile.build.blocks().len();
    let ahead = assignment.key.lock().take_counts(open.id);
    let encoded = match ahead {
        Some(encoded) => Ok(Some(encoded)),
        None => pull.run.read_warm(pull.store, |store| store.encoded_counts(open.id)),
    };
    let read = encoded.and_then(|encoded| {
        let Some(encoded) = encoded else { return Ok(OpenCounts::Decoded(None)) };
        let may_be_grown = grown_answer::goes_on(pull, answer, open);
        let growth = may_be_grown.then(|| match hit {
            Some(hit) => counters::growth_of_hits(&encoded, hit),
            None => counters::growth(&encoded, &profile.counts),
        });
        match growth.flatten() {
            Some(growth) if growth.has_moved => Ok(OpenCounts::Grown(open.id, growth)),
            _ => decode_counts(&encoded, blocks)
                .map(|counts| OpenCounts::Decoded(Some(counts)))
                .map_err(|error| pull.store.damaged_counts(open.id, error)),
        }
    });
    match read {
        // Counters that cannot be read stay unchanged, and the process gets a new life.
        Err(error) if error.is_of_one_value() => {
            assignment.key.note_fault(error.to_string());
            Ok(OpenCounts::Decoded(None))
        }
        read => Ok(read?),
    }
}

/// Adds an answer to the sum of its build group, and sends the changes for the database.
fn send(
    pull: &AddressPull<'_>,
    answer: PulledAnswer,
    assignment: &BuildAssignment<'_>,
    known: KnownLives,
) -> anyhow::Result<()> {
    let &AddressPull { address, run, .. } = pull;
    let &BuildAssignment { key, build_group, structure, .. } = assignment;
    let id = key.entry.id;
    let PulledAnswer { profile: Profile { mode, build, counts: answered }, digest, process, .. } = answer;
    let fraction = answer.fraction.unwrap_or_else(|| hit_fraction(&answered));
    let to_remember = digest.map(|answer_digest| LastAnswer { fraction: fraction.clone(), answer_digest });
    let decision = known.decide(mode, answered);
    let covers_more = decision.covers_more(known.previous.as_ref());
    let is_shared = known.is_shared;
    let known_life = known.previous.as_ref().map(|known| known.life.id);
    let may_have_left = process.is_some() && key.lock().has_left_by(process.as_ref(), known_life);
    let before = known.previous.as_ref().filter(|_| may_have_left).map(|known| known.counts.clone());
    let rivals = &known.rivals(&decision);
    let closed = ended_lives(pull, &decision);
    let at = run.now;
    let decided = DecidedAnswer { address, build_group, structure, mode, at, to_remember, rivals };
    let LifeChanges { life, changes: mut more, remembered } =
        life::changes(&decision, decided, || run.ids.life());
    if let Some(remembered) = remembered.filter(|_| pull.keys.len() == 1) {
        // The change is sent by itself, because the counters are the same and no row has to be decided.
        run.send(StoreMessage::Changes(Some(id), vec![remembered]));
    }
    note_elsewhere(pull, key, &build);
    let mut open = key.lock();
    let has_new_counts = !more.is_empty();
    let process = process.map(|process| match open.process(life) {
        Some(known) if !has_new_counts => process.or_container_of(known),
        // Counters that moved may be of another container than the one that was known.
        Some(known) => process.with_address_of(known),
        None => process,
    });
    let process = process.map(|process| Process {
        started_at: None,
        is_shared: process.is_shared || is_shared,
        ..process
    });
    if let Some(process) = process.as_ref().filter(|_| may_have_left) {
        let known = open.process(life).cloned();
        open.moved.note((life, process, known), (structure, mode), &decision, before, rivals);
    }
    let unsettled = may_have_left.then_some(Change::LifeUnsettled(life));
    let to_store = process.filter(|process| match (&decision, open.process(life)) {
        (LifeDecision::Late { life: Some(_), .. }, _) => false,
        (_, Some(known)) => !known.is_told_as(process) || has_new_counts && known != process,
        (_, None) => true,
    });
    if let Some(process) = to_store {
        let process = Change::ProcessOf(life, process);
        match has_new_counts {
            true => more.push(process),
            false => {
                let changes = unsettled.iter().cloned().chain([process]).collect();
                run.send(StoreMessage::Changes(Some(id), changes));
            }
        }
    }
    let state = &mut open.state;
    let has_moved = !closed.is_empty() || has_new_counts;
    let pulled = &mut state.build_groups[assignment.index];
    pulled.add(mode, &build, decision.counts())?;
    let moved = if !closed.is_empty() || !rivals.lives.is_empty() || (has_new_counts && covers_more) {
        Moved::Covered
    } else if has_new_counts {
        Moved::Counts
    } else {
        Moved::Nothing
    };
    pulled.moved = pulled.moved.max(moved);
    if !rivals.lives.is_empty() {
        pulled.add(mode, &build, &rivals.counts)?;
        state.replaced.extend(rivals.lives.iter().map(|known| known.id));
    }
    state.touched |= has_moved;
    state.restarted += closed.len();
    let (build, is_decided) = (build.fingerprint(), assignment.is_decided);
    let answered = AddressAnswer { build_group, build, fraction, is_decided };
    state.note_answer(address, life, answer.bytes, answered);
    if has_moved {
        let unsettled = unsettled.filter(|_| has_new_counts);
        let changes =
            [Change::Unfinished(id)].into_iter().chain(unsettled).chain(closed).chain(more).collect();
        run.send(StoreMessage::Changes(Some(id), changes));
    }
    Ok(())
}

/// Returns the changes that close the open lives of an address that do not go on.
fn ended_lives(pull: &AddressPull<'_>, decision: &LifeDecision) -> Vec<Change> {
    let mut closed = Vec::new();
    for key in &pull.keys {
        let open = key.lock();
        let ended = open.state.open_at(pull.address).filter(|open| decision.ends(open));
        closed.extend(ended.map(|open| Change::LifeClosed(open.id, pull.run.now)));
    }
    closed
}

/// Notes for the other keys that list an address that its process belongs to this one.
fn note_elsewhere(pull: &AddressPull<'_>, owner: KeyHandle<'_>, build: &Build) {
    for key in pull.keys.iter().filter(|key| key.entry.id != owner.entry.id) {
        let name = owner.entry.newest_name().name.clone();
        let elsewhere = &mut key.lock().state.elsewhere;
        elsewhere.insert(pull.address.to_owned(), (name, build.fingerprint()));
    }
}
