//! The stored lives that concern an answer.

use crate::collect::address_pull::AddressPull;
use crate::collect::run::PulledAnswer;
use crate::collect::taking_in::BuildAssignment;
use crate::fleet::life::{self, KnownLives, StoredLife};
use crate::fleet::named_answer::{NamedAnswer, NamedLife, NamedPlace};
use crate::fleet::process::Process;
use crate::fleet::records::Life;
use crate::fleet::snapshot::{self, LifeTimes, ResumedLife};
use crate::profile::Profile;

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
    let is_of_it = |known: &Life| {
        (known.build_group, known.structure, known.mode)
            == (assignment.build_group, assignment.structure, *mode)
    };
    let counts_of = |known: &Life| match store.counts(known.id, answered.len()) {
        Err(error) if error.is_of_one_value() => Ok(None),
        counts => counts,
    };
    let (may_be_of_another, mixture) = {
        let open = assignment.key.lock();
        let here = open.state.at(pull.address).map(|known| run.life_times(known));
        let may_be_of_another = life::may_be_of_another(*mode, stored.as_deref(), answered, doubt, here);
        let mut here = open.state.at(pull.address);
        (may_be_of_another, here.find(|known| known.is_mixture && is_of_it(known)).cloned())
    };
    let mixture = match mixture {
        Some(life) => counts_of(&life)?.map(|counts| StoredLife { life, counts }),
        None => None,
    };
    let named = match process {
        Some(process) => named_place(pull, process, answer, assignment, stored.as_deref())?,
        None => None,
    };
    if let Some(NamedLives { previous, is_late }) = named {
        return Ok(KnownLives { previous, mixture, is_late, ..KnownLives::default() });
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
            let others = others.iter().map(|&other| here[other].clone()).collect();
            let least = Some(least);
            return Ok(KnownLives { previous, others, rest, least, mixture, is_late: false });
        }
    }
    let open = assignment.open.clone().zip(stored);
    let previous = open.map(|(life, counts)| StoredLife { life, counts });
    let is_read_after = |mixture: &StoredLife| {
        let of = |known: &StoredLife| run.life_times(&known.life);
        previous.as_ref().is_some_and(|previous| doubt.is_read_after(&of(previous), &of(mixture)))
    };
    let mixture = mixture.filter(|mixture| !is_read_after(mixture));
    Ok(KnownLives { previous, mixture, ..KnownLives::default() })
}

/// The life of an answer whose process names itself.
struct NamedLives {
    previous: Option<StoredLife>,
    is_late: bool,
}

/// Finds the life of an answer by what its process tells of itself; `None` where its counters decide.
fn named_place(
    pull: &AddressPull<'_>,
    process: &Process,
    answer: &PulledAnswer,
    assignment: &BuildAssignment<'_>,
    open_counts: Option<&[u64]>,
) -> anyhow::Result<Option<NamedLives>> {
    let Profile { mode, counts, .. } = &answer.profile;
    let of_group = (assignment.build_group, assignment.structure, *mode);
    let (mut is_beside_another, mut last_read_at) = (false, None);
    for key in &pull.keys {
        let mut open = key.lock();
        open.load_processes(key.entry.id, pull.store)?;
        for life in open.state.at(pull.address) {
            let Some(known) = open.process(life.id) else { continue };
            is_beside_another |= life.closed_at.is_none() && known.is_another(process);
            last_read_at = last_read_at.max(known.read_at);
        }
    }
    let named = NamedAnswer { process, counts, open: open_counts, is_beside_another, last_read_at };
    let here: Vec<(Life, Option<Process>)> = {
        let open = assignment.key.lock();
        let of_build =
            |life: &&Life| (life.build_group, life.structure, life.mode) == of_group && !life.is_mixture;
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
    let counts_of = |index: usize| match pull.store.counts(here[index].0.id, counts.len()) {
        Err(error) if error.is_of_one_value() => Ok(None),
        counts => counts,
    };
    let of = |index: usize, counts| Some(StoredLife { life: here[index].0.clone(), counts });
    Ok(named.place(*mode, &lives, counts_of)?.map(|place| match place {
        NamedPlace::Held(index, then) | NamedPlace::LateOf(index, then) => {
            NamedLives { previous: of(index, then), is_late: true }
        }
        NamedPlace::Resumes(index, then) => NamedLives { previous: of(index, then), is_late: false },
        NamedPlace::LateAlone => NamedLives { previous: None, is_late: true },
    }))
}
