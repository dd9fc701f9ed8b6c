//! Questions to targets about their programs, before the fleet is assembled: the commit that the header of an agent
//! tells, and the program whose name stands for an app that no label names.
//!
//! A target is asked where its labels leave something open, where it is new in its source, where its agent contradicted
//! its labels before, and after a failure. Everything else is found out by the pull itself, which refuses an answer of
//! another program.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::collect::run::Adapters;
use crate::collect::store_thread::StopReason;
use crate::collect::whole_answer::main_package_at;
use crate::fleet::assembly::{SourceAnswer, StoredFleet, join_loopback};
use crate::fleet::change::Change;
use crate::fleet::ids::{IdSource, KeyId, ServiceId};
use crate::fleet::records::{AddressState, Key, ListedAddress, Lister, StoredService};
use crate::fleet::schedule::Due;
use crate::fleet::targets::{
    AddressHistory, AgentKind, FoundAgent, NameAnswer, ProgramAnswer, ProgramName, Question, ServiceFields,
    Silence, Target, TargetService, ToldProgram,
};
use crate::fleet::waits::RetryWaits;
use crate::io::center::{Client, HttpError};
use crate::io::store::{Store, StoreError};
use crate::memory::{Memory, MemoryExhausted};
use crate::names::Naming;
use crate::parallel::in_parallel;
use crate::profile::Limits;
use crate::profile::gocover::Meta;

/// Asks targets about their programs where that decides their services.
///
/// An address that failed is not asked before its retry is due, unless the pull is forced.
pub(crate) fn ask_for_programs(
    answers: &mut [SourceAnswer],
    known: &StoredFleet,
    asking: &ProgramAsking<'_>,
) -> Result<UnplacedStates, StoreError> {
    let Adapters { client, signals, deadline, now, .. } = asking.adapters;
    let mut unplaced = UnplacedStates::new(known);
    if answers.is_empty() {
        return Ok(unplaced);
    }
    join_loopback(answers, known);
    let until = deadline.half();
    let client = &client.until(until);
    let history = History::new(known);
    for SourceAnswer { name, answer } in answers {
        let Some(Ok(list)) = answer else { continue };
        list.join_vague(asking.naming);
        let listed = history.listed_by(name);
        let question = |(at, target): (usize, &Target)| {
            let place = listed.get(&*target.address).copied();
            Some((at, history.question(target, place, asking.naming)?))
        };
        let asked: Vec<(usize, Question)> = list.targets.iter().enumerate().filter_map(question).collect();
        // The database cannot be shared by threads.
        let (memory, is_forced) = (&asking.memory, asking.is_forced);
        let state_of = |address: &str| match listed.get(address) {
            Some(place) => place.state,
            None => history.state(unplaced.key?, address),
        };
        let is_restarted = |target: &Target| {
            let before = listed.get(&*target.address).and_then(|place| place.listing.facts.as_ref());
            before.is_some_and(|before| target.facts.is_other_process(before))
        };
        let waiting = |target: &Target| {
            let due = |state: &&AddressState| state.retry.due(now, asking.retry);
            let state = state_of(&target.address).filter(|_| !is_forced && !is_restarted(target));
            state.filter(|state| matches!(due(state), Some(Due::Later(..))))
        };
        let ask = |(at, question): &(usize, Question)| {
            let target = &list.targets[*at];
            match waiting(target) {
                Some(state) => ProgramAnswer::Silent(state.waiting()),
                None => program_of(target, *question, client, memory),
            }
        };
        let is_over = || StopReason::now(signals, until).is_some();
        // The deadline ends requests by itself; they are broken off for a signal alone, as nothing is asked after it.
        let break_off = || {
            if signals.received().is_some() {
                client.shutdown();
            }
        };
        let told = in_parallel(&asked, asking.concurrency, ask, is_over, break_off);
        for ((at, _), told) in asked.into_iter().zip(told) {
            let target = &mut list.targets[at];
            let told = told.unwrap_or(ProgramAnswer::Silent(Silence::Cut));
            let (address, is_open) = (&*target.address, target.lacks_app() || target.lacks_commit());
            if is_open && !listed.contains_key(address) {
                let after = state_after(&told, state_of(address), asking.retry, now);
                unplaced.states.extend(after.map(|after| (address.to_owned(), after)));
            }
            target.program = told;
        }
        note_taken(&mut list.targets, asking)?;
    }
    Ok(unplaced)
}

/// The states of targets that were asked and have no service yet, so that none of them is asked in each run.
pub(crate) struct UnplacedStates {
    /// The key under which they are stored, where there is one.
    key: Option<KeyId>,
    /// New states by address.
    states: BTreeMap<String, AddressState>,
}

impl UnplacedStates {
    fn new(known: &StoredFleet) -> Self {
        Self { key: known.unplaced_key(), states: BTreeMap::new() }
    }

    /// Returns the changes that store the states.
    pub(crate) fn changes(self, ids: &IdSource) -> Vec<Change> {
        if self.states.is_empty() {
            return Vec::new();
        }
        let (key, new) = match self.key {
            Some(key) => (key, None),
            None => {
                let key = ids.key();
                (key, Some(Change::Key(key, Key::of_unplaced())))
            }
        };
        let states = self.states.into_iter();
        new.into_iter()
            .chain(states.map(|(address, state)| Change::Address { key, address, state }))
            .collect()
    }
}

/// Returns the new state of a target that was asked; `None` where it stays the same.
fn state_after(
    told: &ProgramAnswer,
    before: Option<&AddressState>,
    retry: &RetryWaits,
    now: DateTime<Utc>,
) -> Option<AddressState> {
    let before = before.cloned().unwrap_or_default();
    match told {
        ProgramAnswer::Silent(Silence::Failed(error) | Silence::NoAgent(error) | Silence::Refused(error)) => {
            Some(before.after_failure(error, retry, now))
        }
        ProgramAnswer::Told(_) | ProgramAnswer::Mute => {
            (before.retry.failures > 0).then(AddressState::default)
        }
        ProgramAnswer::Unasked | ProgramAnswer::Silent(Silence::Cut | Silence::Waiting { .. }) => None,
    }
}

/// The adapters and rules with which targets are asked.
pub(crate) struct ProgramAsking<'a> {
    pub(crate) adapters: Adapters<'a>,
    pub(crate) naming: &'a Naming,
    /// The waits after failures.
    pub(crate) retry: &'a RetryWaits,
    /// The memory for answers that are decoded at the same time.
    pub(crate) memory: Arc<Memory>,
    pub(crate) concurrency: usize,
    pub(crate) is_forced: bool,
}

/// The earlier answers of all addresses.
struct History<'k> {
    known: &'k StoredFleet,
    keys: HashMap<KeyId, &'k Key>,
    services: HashMap<ServiceId, &'k StoredService>,
}

/// The place of an address in the last list of its source.
#[derive(Clone, Copy)]
struct PlaceBefore<'k> {
    listing: &'k ListedAddress,
    key: KeyId,
    branch: &'k str,
    /// Its state under that key.
    state: Option<&'k AddressState>,
}

impl<'k> History<'k> {
    fn new(known: &'k StoredFleet) -> Self {
        let keys = known.keys.iter().filter_map(|(id, key)| Some((*id, key.as_ref()?))).collect();
        let services = known.services.iter().map(|service| (service.id, service)).collect();
        Self { known, keys, services }
    }

    /// Returns the state of an address under a key.
    fn state(&self, key: KeyId, address: &str) -> Option<&'k AddressState> {
        let states = self.known.states.get(&key)?;
        let at = states.binary_search_by(|(known, _)| known.as_str().cmp(address));
        at.ok().map(|at| &states[at].1)
    }

    /// Returns the addresses that a source listed when it was last read.
    fn listed_by(&self, source: &str) -> HashMap<&'k str, PlaceBefore<'k>> {
        let source = Lister::Targets(source.into());
        let place = |listing: &'k ListedAddress| {
            let (key, branch) = self.services.get(&listing.service)?.place.as_ref()?;
            let state = self.state(*key, &listing.address);
            Some((&*listing.address, PlaceBefore { listing, key: *key, branch, state }))
        };
        let listed = self.known.listings.iter().filter(|listing| listing.listed && listing.lister == source);
        listed.filter_map(place).collect()
    }

    /// Returns the service of a place, if the labels of a target may still mean it.
    fn service(
        &self,
        place: PlaceBefore<'_>,
        labels: &ServiceFields,
        target: &Target,
    ) -> Option<ServiceFields> {
        let service = ServiceFields::from_key(self.keys.get(&place.key)?, place.branch);
        target.may_still_be(labels, &service, place.listing.facts.as_deref()).then_some(service)
    }

    fn question(&self, target: &Target, place: Option<PlaceBefore<'_>>, naming: &Naming) -> Option<Question> {
        let labels = target.service.fields(naming)?;
        let before = place.and_then(|place| self.service(place, &labels, target));
        let state = place.and_then(|place| place.state);
        let history = AddressHistory {
            before: before.as_ref(),
            found: match self.known.coverport.contains(&target.address) {
                true => FoundAgent::Coverport,
                false if state.is_some_and(AddressState::is_of_goc) => FoundAgent::Goc,
                false => FoundAgent::Nothing,
            },
            has_failed: state.is_some_and(|state| state.retry.failures > 0),
        };
        target.question(&labels, history)
    }
}

/// Asks a target.
fn program_of(target: &Target, question: Question, client: &Client, memory: &Arc<Memory>) -> ProgramAnswer {
    let failed = |error: &HttpError| ProgramAnswer::Silent(Silence::Failed(error.to_string()));
    let headers = match client.agent_headers(&target.address) {
        Ok(headers) => headers,
        Err(error) => return failed(&error),
    };
    let told = |name| ProgramAnswer::Told(Box::new(ToldProgram::new(headers.commit.as_deref(), name)));
    let kind = target.facts.agent.clone().or(headers.is_coverport.then_some(AgentKind::Coverport));
    let kind = match (question, kind) {
        // A proxy in front of the process answers any request, too, so an answer alone does not show an agent.
        (Question::Commit, _) if !headers.is_coverport && headers.commit.is_none() => {
            return ProgramAnswer::Mute;
        }
        (Question::Commit, _) => return told(NameAnswer::Unasked),
        (Question::Program, None) => return ProgramAnswer::Mute,
        (Question::Program, Some(kind)) => kind,
    };
    let main = |is_alone| main_package_at(client, &target.address, &kind, memory.reader(is_alone));
    let main = match main(false) {
        // Once more, while nothing else is read.
        Err(HttpError::Memory(MemoryExhausted::Crowded { .. })) => main(true),
        main => main,
    };
    let main = match main {
        Ok(main) => main,
        // The pull gets the same answer, and says what is wrong with it.
        Err(HttpError::NoCounters { .. } | HttpError::Data(_) | HttpError::Contradiction(_)) => None,
        Err(error) if error.is_of_another_kind() => {
            let shows_agent = headers.is_coverport || matches!(kind, AgentKind::Raw { .. });
            let silence = if shows_agent { Silence::Refused } else { Silence::NoAgent };
            return ProgramAnswer::Silent(silence(error.to_string()));
        }
        Err(error) => return failed(&error),
    };
    let name = ProgramName::new(main.as_deref(), headers.binary.as_deref());
    told(name.map_or(NameAnswer::Nameless, NameAnswer::Named))
}

/// Notes which apps of the programs of targets stand for other programs already.
fn note_taken(targets: &mut [Target], asking: &ProgramAsking<'_>) -> Result<(), StoreError> {
    let Adapters { client, store, .. } = asking.adapters;
    let mut programs: BTreeMap<[String; 3], Option<ProgramName>> = BTreeMap::new();
    for target in targets {
        let (TargetService::Fields(fields), ProgramAnswer::Told(told)) =
            (&*target.service, &mut target.program)
        else {
            continue;
        };
        let Some(name) = told.name.named() else { continue };
        let mut taken = Vec::new();
        for app in name.apps() {
            let place = [fields.env.clone(), fields.region.clone(), app.clone()];
            let owner = match programs.get(&place) {
                Some(owner) => owner.clone(),
                None => {
                    let owner = program_of_app(store, &place, client.limits())?;
                    programs.insert(place, owner.clone());
                    owner
                }
            };
            taken.extend(owner.filter(|owner| owner != name).map(|owner| (app, owner)));
        }
        told.taken = taken;
    }
    Ok(())
}

/// Returns the program whose data is stored under an environment, a region and an app, where that can be told.
pub(crate) fn program_of_app(
    store: &Store,
    place: &[String; 3],
    limits: Limits,
) -> Result<Option<ProgramName>, StoreError> {
    let data = store.newest_meta_of_app(place)?;
    // A damaged one tells nothing, and the next answer replaces it.
    let meta = data.and_then(|data| Meta::from_bytes(&data, limits).ok());
    Ok(meta.and_then(|meta| ProgramName::new(meta.main_package(), None)))
}
