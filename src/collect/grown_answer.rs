//! An answer whose counters only grew, and whose process is certainly that of the open life at its address. Most
//! answers with binary counters are of this kind.
//!
//! This path neither decodes the stored counters nor adds to a sum: the counters of the answer are encoded once for the
//! database, and the sum is made at the end of the pull if a row needs it. The stored data is the same as on the way
//! through [`known_lives`](crate::collect::known_lives).

use crate::collect::address_pull::AddressPull;
use crate::collect::run::{PulledAnswer, StoreMessage};
use crate::collect::taking_in::BuildAssignment;
use crate::fleet::change::Change;
use crate::fleet::counters::Growth;
use crate::fleet::ids::LifeId;
use crate::fleet::key_state::AddressAnswer;
use crate::fleet::named_answer::goes_on_if_grown;
use crate::fleet::process::Process;
use crate::fleet::records::{LastAnswer, Life};
use crate::fleet::row_decision::Moved;
use crate::profile::{Profile, encode_counts, encode_hits, hit_fraction};

/// Tells whether an answer goes on with the open life of its build if its counters only grew. No file that was left may be
/// of its process either, as such files are settled with the counters before and after an answer.
pub(crate) fn goes_on(pull: &AddressPull<'_>, answer: &PulledAnswer, life: &Life) -> bool {
    // At an address of several keys, each key has lives of its own.
    let Some(key) = pull.only_key() else { return false };
    let open = key.lock();
    let (known, answering) = (open.process(life.id), answer.process.as_ref());
    let here = open.state.at(pull.address).map(|known| known.id);
    goes_on_if_grown(life, known, answering, here) && !open.has_left_by(answering, Some(life.id))
}

/// Sends the changes of an answer that [goes on](goes_on) with the open life of its assignment.
pub(crate) fn send(
    pull: &AddressPull<'_>,
    answer: PulledAnswer,
    assignment: &BuildAssignment<'_>,
    (life, growth): (LifeId, Growth),
) -> anyhow::Result<()> {
    let &BuildAssignment { key, build_group, is_decided, .. } = assignment;
    let id = key.entry.id;
    let PulledAnswer { profile: Profile { mode, build, counts }, hit, digest, process, .. } = answer;
    let fraction = answer.fraction.unwrap_or_else(|| hit_fraction(&counts));
    let to_remember = digest.map(|answer_digest| LastAnswer { fraction: fraction.clone(), answer_digest });
    let at = pull.run.now;
    let encoded = match hit {
        Some(hit) => {
            let encoded = encode_hits(&hit);
            pull.run.counts_buffers.give_back(hit.into_buffer());
            encoded
        }
        None => encode_counts(&counts),
    };
    let waiting: Box<[u8]> = encoded.as_slice().into();
    let mut changes = vec![
        Change::Unfinished(id),
        Change::LifeMoved { id: life, mode, at, counts: encoded, answer: to_remember },
    ];
    let mut open = key.lock();
    let process = process.map(|process| match open.process(life) {
        Some(known) => Process { started_at: None, ..process.with_address_of(known) },
        None => Process { started_at: None, ..process },
    });
    let to_store = process.filter(|process| open.process(life) != Some(process));
    changes.extend(to_store.map(|process| Change::ProcessOf(life, process)));
    let state = &mut open.state;
    let pulled = &mut state.build_groups[assignment.index];
    pulled.add_encoded(mode, &build, waiting)?;
    pulled.moved = pulled.moved.max(if growth.hit_more { Moved::Covered } else { Moved::Counts });
    state.touched = true;
    let answered = AddressAnswer { build_group, build: build.fingerprint(), fraction, is_decided };
    state.note_answer(pull.address, life, answer.bytes, answered);
    pull.run.send(StoreMessage::Changes(Some(id), changes));
    Ok(())
}
