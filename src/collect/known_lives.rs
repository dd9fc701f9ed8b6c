//! The stored lives that concern an answer.

use crate::collect::address_pull::AddressPull;
use crate::collect::run::PulledAnswer;
use crate::collect::taking_in::BuildAssignment;
use crate::fleet::ids::LifeId;
use crate::fleet::life::{self, KnownLives, StoredLife};
use crate::fleet::named_answer::{NamedAnswer, NamedLife, NamedPlace};
use crate::fleet::process::Process;
use crate::fleet::records::Life;
use crate::fleet::shared_address;
use crate::fleet::snapshot::{self, LifeTimes, ResumedLife};
use crate::io::store::{Store, StoreError};
use crate::names::in_message;
use crate::profile::{Profile, add_all};

/// Finds the stored life that an answer may go on with, closed ones that may be the same, and the mixture of its address.
pub(crate) fn known_lives(
    pull: &AddressPull<'_>,
    answer: &PulledAnswer,
    assignment: &BuildAssignment<'_>,
    stored: Option<Vec<u64>>,
) -> anyhow::Result<KnownLives> {
    let (run, store) = (pull.run, pull.store);
    let PulledAnswer { profile: Profile { mode, counts: answered, .. }, process, .. } = answer;
    let doubt = &run.doubt;
    let is_of_it = |known: &Life| assignment.is_of(known, *mode);
    let counts_of = |known: &Life| readable_counts(store, known.id, answered.len());
    let (may_be_of_another, mixtures) = {
        let open = assignment.key.lock();
        let here = open.state.at(pull.address).map(|known| run.life_times(known));
        let may_be_of_another = life::may_be_of_another(*mode, stored.as_deref(), answered, doubt, here);
        let mixtures = open.state.at(pull.address).filter(|known| known.is_mixture && is_of_it(known));
        (may_be_of_another, mixtures.cloned().collect::<Vec<_>>())
    };
    let (mixture, joined_mixtures) = summed_mixtures(mixtures, counts_of)?;
    if let Some(process) = process
        && let (Some(place), here) = named_place(pull, process, answer, assignment, stored.as_deref())?
    {
        let of = |index: usize, counts| Some(StoredLife { life: here[index].clone(), counts });
        let (previous, is_late) = match place {
            NamedPlace::Shared { is_first } => {
                let mut known = shared_lives(pull, process, answer, assignment, (mixture, is_first))?;
                known.others.extend(joined_mixtures);
                return Ok(known);
            }
            NamedPlace::Held(index, then) | NamedPlace::LateOf(index, then) => (of(index, then), true),
            NamedPlace::Resumes(index, then) => (of(index, then), false),
            NamedPlace::LateAlone => (None, true),
        };
        let others = joined_mixtures;
        return Ok(KnownLives { previous, others, mixture, is_late, ..KnownLives::default() });
    }
    if may_be_of_another {
        // A life of another process does not go on, whatever its counters.
        let here: Vec<Life> = {
            let open = assignment.key.lock();
            let here = open.state.at(pull.address);
            here.filter(|known| open.may_be_of(known.id, process.as_ref())).cloned().collect()
        };
        let times: Vec<LifeTimes> = here.iter().map(|known| run.life_times(known)).collect();
        let counts_of = |index: usize| match &here[index] {
            known if is_of_it(known) => counts_of(known),
            _ => Ok(None),
        };
        if let Some(resumed) = snapshot::resumed(*mode, &times, answered, doubt, counts_of)? {
            let ResumedLife { index, then, others, rest, least } = resumed;
            let previous = Some(StoredLife { life: here[index].clone(), counts: then });
            let others = others.iter().map(|&other| here[other].clone()).chain(joined_mixtures).collect();
            let least = Some(least);
            return Ok(KnownLives { previous, others, rest, least, mixture, ..KnownLives::default() });
        }
    }
    let open = assignment.open.clone().zip(stored);
    let previous = open.map(|(life, counts)| StoredLife { life, counts });
    let is_read_after = |mixture: &StoredLife| {
        let of = |known: &StoredLife| run.life_times(&known.life);
        previous.as_ref().is_some_and(|previous| doubt.is_read_after(&of(previous), &of(mixture)))
    };
    let mixture = mixture.filter(|mixture| !is_read_after(mixture));
    let others = if mixture.is_some() { joined_mixtures } else { Vec::new() };
    Ok(KnownLives { previous, others, mixture, ..KnownLives::default() })
}

/// Reads the counters of a life; `None` for counters that are damaged or gone.
fn readable_counts(store: &Store, life: LifeId, blocks: usize) -> Result<Option<Vec<u64>>, StoreError> {
    match store.counts(life, blocks) {
        Err(error) if error.is_of_one_value() => Ok(None),
        counts => counts,
    }
}

/// Adds the mixtures of an address, which has several after two build groups became one. Returns the first one with the
/// sum, and the others.
fn summed_mixtures<E>(
    mixtures: Vec<Life>,
    counts_of: impl Fn(&Life) -> Result<Option<Vec<u64>>, E>,
) -> Result<(Option<StoredLife>, Vec<Life>), E> {
    let mut first: Option<StoredLife> = None;
    let mut others = Vec::new();
    for life in mixtures {
        let Some(counts) = counts_of(&life)? else { continue };
        match &mut first {
            None => first = Some(StoredLife { life, counts }),
            Some(StoredLife { counts: sum, .. }) => {
                add_all(sum, &counts);
                others.push(life);
            }
        }
    }
    Ok((first, others))
}

/// Finds the lives that concern an answer of an address with several processes, and tells it the first time. `mixture`
/// is that of the address.
fn shared_lives(
    pull: &AddressPull<'_>,
    process: &Process,
    answer: &PulledAnswer,
    assignment: &BuildAssignment<'_>,
    (mixture, is_first): (Option<StoredLife>, bool),
) -> anyhow::Result<KnownLives> {
    let Profile { mode, counts, .. } = &answer.profile;
    let lives: Vec<Life> = {
        let mut open = assignment.key.lock();
        if is_first {
            open.state.notes.insert(format!(
                "several processes with one process id answer at \"{}\", as behind a load balancer: the covered set is \
                 exact, hits are a lower bound from now on; list each process by its own address (this is said once)",
                in_message(pull.address)
            ));
        }
        let of_process = |life: &&Life| {
            assignment.is_of(life, *mode) && !life.is_mixture && open.may_be_of(life.id, Some(process))
        };
        let mut lives: Vec<Life> = open.state.at(pull.address).filter(of_process).cloned().collect();
        lives.sort_by_key(|life| life.id);
        lives
    };
    let times: Vec<LifeTimes> = lives.iter().map(|life| pull.run.life_times(life)).collect();
    let counts_of = |index: usize| readable_counts(pull.store, lives[index].id, counts.len());
    let place = shared_address::place(*mode, &times, counts, is_first, counts_of)?;
    Ok(KnownLives::for_shared(place, &lives, mixture))
}

/// Finds the place of an answer by what its process tells of itself; `None` if its counters decide. An index in the place
/// is that of a life beside it.
fn named_place(
    pull: &AddressPull<'_>,
    process: &Process,
    answer: &PulledAnswer,
    assignment: &BuildAssignment<'_>,
    open_counts: Option<&[u64]>,
) -> anyhow::Result<(Option<NamedPlace>, Vec<Life>)> {
    let Profile { mode, counts, .. } = &answer.profile;
    let (mut is_beside_another, mut is_shared, mut last_read_at) = (false, false, None);
    for key in &pull.keys {
        let mut open = key.lock();
        open.use_processes();
        for life in open.state.at(pull.address) {
            let Some(known) = open.process(life.id) else { continue };
            is_beside_another |= life.closed_at.is_none() && known.is_another(process);
            is_shared |= known.is_shared && known.may_be(process);
            last_read_at = last_read_at.max(known.read_at);
        }
    }
    let named =
        NamedAnswer { process, counts, open: open_counts, is_beside_another, is_shared, last_read_at };
    let here: Vec<(Life, Option<Process>)> = {
        let open = assignment.key.lock();
        let of_build = |life: &&Life| assignment.is_of(life, *mode) && !life.is_mixture;
        let here = open.state.at(pull.address).filter(of_build);
        let mut here: Vec<_> = here
            .map(|life| (life.clone(), open.process(life.id).cloned()))
            .filter(|(_, known)| named.may_be_of(known.as_ref()))
            .collect();
        here.sort_by_key(|(life, _)| std::cmp::Reverse((life.closed_at.is_none(), life.pulled_at, life.id)));
        here
    };
    let lives: Vec<NamedLife<'_>> = here
        .iter()
        .map(|(life, process)| NamedLife { process: process.as_ref(), is_open: life.closed_at.is_none() })
        .collect();
    let counts_of = |index: usize| readable_counts(pull.store, here[index].0.id, counts.len());
    let place = named.place(*mode, &lives, counts_of)?;
    Ok((place, here.into_iter().map(|(life, _)| life).collect()))
}
