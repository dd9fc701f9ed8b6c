//! The request to an address and the reading of its answer.
//!
//! A repeated answer is recognised by its digest and is not decoded.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::collect::address_pull::{AddressPull, KeyHandle};
use crate::collect::binary_answer;
use crate::collect::fault::{AskError, FaultScope};
use crate::collect::program_check::check_text;
use crate::collect::run::{GROWTH, PulledAnswer, StoreMessage};
use crate::collect::taking_in::{StoredCounts, take_in};
use crate::fleet::change::Change;
use crate::fleet::key_state::AddressAnswer;
use crate::fleet::records::{LastAnswer, Life};
use crate::fleet::targets::AgentKind;
use crate::io::center::{HttpError, IncomingAnswer};
use crate::names::in_message;
use crate::profile::{AnswerDigest, Fingerprint, PreviousAnswer, Template};

/// The open life of an address, with the digest of its last answer.
pub(crate) struct KnownAnswer<'g> {
    pub(crate) key: KeyHandle<'g>,
    pub(crate) life: Life,
    build: Fingerprint,
    fraction: String,
    /// The stored bytes of the digest; the first one tells a text profile from binary data.
    pub(crate) answer_digest: Vec<u8>,
}

/// Asks an address and takes in its answer.
pub(crate) fn ask(pull: &AddressPull<'_>) -> anyhow::Result<()> {
    let asked = match pull.told_kind() {
        Some(AgentKind::Goc) => ask_for_text(pull),
        Some(kind) => binary_answer::ask(pull, &kind),
        None => ask_unknown(pull),
    };
    match asked {
        Err(AskError::Own(error)) => Err(error),
        Err(AskError::Address(error)) => {
            let label = pull.told_kind().filter(|_| matches!(error, HttpError::Status { .. }));
            pull.note_failure(&format!("{error}{}", label.as_ref().map(hint_at).unwrap_or_default()));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Returns the next step where an address does not answer as the kind of agent that a label tells.
fn hint_at(label: &AgentKind) -> String {
    let step = match label {
        AgentKind::Goc | AgentKind::Coverport => "without that label its kind is found out",
        AgentKind::Raw { .. } => "its labels meta and counters are paths of its two files",
    };
    format!(" (its label agent is {}; {step})", label.word())
}

/// Asks an address of which no label tells the kind of its agent: as the agent that was found there last, else as the one
/// that its answers show.
fn ask_unknown(pull: &AddressPull<'_>) -> Result<(), AskError> {
    let (run, address) = (pull.run, pull.address);
    if run.is_coverport(address) {
        let asked = binary_answer::ask(pull, &AgentKind::Coverport);
        if !is_of_another_kind(&asked) {
            return asked;
        }
    } else if pull.was_of_goc() {
        // An additional request to each address would slow down the pull of a fleet of goc.
        return ask_as_goc(pull);
    }
    match run.client.find_kind(address)? {
        Some(AgentKind::Coverport) => ask_as_coverport(pull),
        _ => ask_as_goc(pull),
    }
}

/// Asks for a text, the answer to which shows another kind of agent, too.
fn ask_as_goc(pull: &AddressPull<'_>) -> Result<(), AskError> {
    let asked = ask_for_text(pull);
    if matches!(asked, Err(AskError::Address(HttpError::Coverport))) {
        return ask_as_coverport(pull);
    }
    if asked.is_ok() {
        pull.run.note_kind(pull.address, false);
    }
    asked
}

fn ask_as_coverport(pull: &AddressPull<'_>) -> Result<(), AskError> {
    let asked = binary_answer::ask(pull, &AgentKind::Coverport);
    if !is_of_another_kind(&asked) {
        pull.run.note_kind(pull.address, true);
    }
    asked
}

fn is_of_another_kind(asked: &Result<(), AskError>) -> bool {
    asked.as_ref().is_err_and(AskError::is_of_another_kind)
}

/// Asks an address for a text profile, and takes in what it answers.
fn ask_for_text(pull: &AddressPull<'_>) -> Result<(), AskError> {
    let known = known_answer(pull)?;
    // The last answer of this life may have been no text.
    let digest = known.as_ref().and_then(|known| AnswerDigest::decode(&known.answer_digest));
    let known = known.zip(digest);
    let incoming = pull.run.client.profile(pull.address).and_then(|mut incoming| {
        let is_repeated = match &known {
            Some((_, digest)) => incoming.repeats(digest)?,
            None => false,
        };
        Ok((incoming, is_repeated))
    });
    if incoming.is_ok() {
        check_text(pull)?;
    }
    if let Ok((incoming, _)) = &incoming
        && incoming.is_by_post()
    {
        tell_growing(pull);
    }
    let incoming = match (incoming, &known) {
        (Ok((incoming, true)), Some((known, _))) => {
            note_repeated(pull, known, incoming.bytes());
            return Ok(());
        }
        (Ok((incoming, _)), _) => incoming,
        (Err(error), _) => return Err(error.into()),
    };
    let templates = known_templates(pull)?;
    let (answer, counts) = read_on(pull, incoming, known.as_ref(), &templates)?;
    Ok(take_in(pull, answer, counts, &templates)?)
}

/// Says once in the life of a root that counters which an agent adds up anew for each answer are too high.
///
/// Such an agent (goverage) allows POST alone, as an agent of goc may, and has no fraction, as one of goc has.
fn tell_growing(pull: &AddressPull<'_>) {
    let run = pull.run;
    if run.is_growth_told.load(Ordering::Relaxed)
        || !matches!(run.client.fraction(pull.address), Ok(None))
        || run.is_growth_told.swap(true, Ordering::Relaxed)
    {
        return;
    }
    let note = format!(
        "the agent at \"{}\" answers to POST alone and has no fraction, as goverage, whose counts grow with each pull: \
         the covered set is exact, hits are not (this is said once)",
        in_message(pull.address)
    );
    pull.keys[0].lock().state.notes.insert(note);
    run.send(StoreMessage::Changes(None, vec![Change::Told(GROWTH.to_owned(), run.now)]));
}

/// Asks an address again, in the way in which it was asked a moment ago.
pub(crate) fn ask_again(
    pull: &AddressPull<'_>,
    kind: &AgentKind,
    templates: &[Arc<Template>],
) -> Result<PulledAnswer, AskError> {
    match kind {
        AgentKind::Goc => Ok(pull.run.ask(pull.address, templates)?),
        kind => binary_answer::ask_again(pull, kind),
    }
}

/// Returns the open life of the address, if a repeated answer certainly continues it.
pub(crate) fn known_answer<'g>(pull: &AddressPull<'g>) -> anyhow::Result<Option<KnownAnswer<'g>>> {
    let (run, store) = (pull.run, pull.store);
    let Some(key) = pull.only_key() else { return Ok(None) };
    let mut open = key.lock();
    let Some((life, build)) = open.state.repeatable(pull.address, key.entry.is_assumed(pull.address)) else {
        return Ok(None);
    };
    let build_ref = (life.structure, build);
    let current = open.state.current();
    if open.state.build_group_with(life.structure) != current {
        // A build that fits the current build group moves there again, so its answer is decoded.
        open.load(run, store)?;
        let template = run.template(store, life.structure)?;
        if open.state.build_group_of(template.build(), build_ref, false) == current {
            return Ok(None);
        }
    }
    let Some(LastAnswer { fraction, answer_digest }) = open.last_answer(life.id).cloned() else {
        return Ok(None);
    };
    Ok(Some(KnownAnswer { key, life, build, fraction, answer_digest }))
}

/// Notes that an address repeated its last answer.
pub(crate) fn note_repeated(pull: &AddressPull<'_>, known: &KnownAnswer<'_>, bytes: u64) {
    pull.run.bytes.fetch_add(bytes, Ordering::Relaxed);
    let state = &mut known.key.lock().state;
    state.bytes += bytes;
    // Another thread may have moved its build to the current build group meanwhile.
    let now = state.open_at(pull.address).find(|open| open.id == known.life.id);
    let answered = AddressAnswer {
        build_group: now.unwrap_or(&known.life).build_group,
        build: known.build,
        fraction: known.fraction.clone(),
        is_decided: true,
    };
    state.answered.insert(pull.address.to_owned(), answered);
}

/// Returns the structures that an answer of this address may have, the most likely first.
fn known_templates(pull: &AddressPull<'_>) -> anyhow::Result<Vec<Arc<Template>>> {
    let (run, store) = (pull.run, pull.store);
    let mut known = Vec::new();
    for key in &pull.keys {
        let mut open = key.lock();
        open.load(run, store)?;
        let state = &mut open.state;
        let served = state.open_at(pull.address).map(|open| open.structure).next();
        if let Some(structure) = served {
            let template = match state.templates.iter().find(|(id, _)| *id == structure) {
                Some((_, template)) => Ok(Arc::clone(template)),
                None => run.template(store, structure),
            };
            match template {
                Ok(template) => known.insert(0, template),
                // The answer itself has the structure, too.
                Err(error) if FaultScope::from_error(&error) == FaultScope::Service => {
                    state.faults.insert(format!("{error:#}"));
                }
                Err(error) => return Err(error),
            }
        }
        known.extend(state.templates.iter().map(|(_, template)| Arc::clone(template)));
    }
    Ok(known)
}

/// Reads an answer from the first part that differs from the last answer; also returns the stored counters that were
/// read for this.
fn read_on(
    pull: &AddressPull<'_>,
    incoming: IncomingAnswer<'_>,
    known: Option<&(KnownAnswer<'_>, AnswerDigest)>,
    templates: &[Arc<Template>],
) -> Result<(PulledAnswer, Option<StoredCounts>), AskError> {
    let (run, store) = (pull.run, pull.store);
    let Some((known, digest)) = known.filter(|_| incoming.recognised_any()) else {
        return Ok((run.read(pull.address, incoming, templates, None)?, None));
    };
    let life = known.life.id;
    let stored = run.template(store, known.life.structure).and_then(|template| {
        let counts = store.counts(life, template.build().blocks().len())?.unwrap_or_default();
        Ok((template, counts))
    });
    let (template, counts) = match stored {
        Ok(stored) => stored,
        // Only a damaged stored value leads here and to the branch below. The address is asked anew, and that answer
        // needs no stored value.
        Err(error) if FaultScope::from_error(&error) == FaultScope::Service => {
            return Ok((run.ask(pull.address, templates)?, None));
        }
        Err(error) => return Err(error.into()),
    };
    match PreviousAnswer::new(digest, &template, &counts) {
        Some(last) => Ok((
            run.read(pull.address, incoming, templates, Some(&last))?,
            Some(StoredCounts { life, counts }),
        )),
        None => Ok((run.ask(pull.address, templates)?, None)),
    }
}
