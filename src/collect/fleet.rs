//! Assembles the fleet from the database, from the answers of the centers, and from sources of targets.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::address::normal_form;
use crate::collect::run::Adapters;
use crate::config::{SourceInput, TargetSource};
use crate::fleet::assembly::{Answers, CenterAnswer, SourceAnswer, StoredFleet};
use crate::fleet::center_list::CenterList;
use crate::fleet::services::Fleet;
use crate::fleet::targets::{ProgramAnswer, Target, TargetList};
use crate::io::center::Client;
use crate::io::store::{Numbering, Store, StoreError};
use crate::io::targets::{self, SourceBounds};
use crate::io::workdir::Workdir;
use crate::names::Naming;
use crate::parallel::in_parallel;

/// Asks each center for its list. An answer that exceeds the limits counts as a failure.
#[must_use]
pub(crate) fn ask(client: &Client, centers: &[String]) -> Vec<CenterAnswer> {
    let whole = |services| CenterList { services, cut: None };
    let answer_of = |url: &String| CenterAnswer {
        url: normal_form(url),
        answer: Some(client.list(url).map(whole).map_err(|error| error.to_string())),
    };
    centers.iter().map(answer_of).collect()
}

/// Asks each center for its list until the deadline. A list that exceeds the limits is cut, and known names are kept
/// first.
#[must_use]
pub(crate) fn ask_known_first(
    client: &Client,
    centers: &[String],
    known: &StoredFleet,
    time_left: impl Fn() -> Option<Duration>,
) -> Vec<CenterAnswer> {
    let answer_of = |url: &String| {
        let answer = client.list_known_first(url, time_left(), &|name| known.knows(name));
        let answer = answer.map_err(|error| error.to_string());
        CenterAnswer { url: normal_form(url), answer: Some(answer) }
    };
    centers.iter().map(answer_of).collect()
}

/// A source of targets that a run is given.
#[derive(Clone, Debug)]
pub(crate) struct GivenSource {
    pub(crate) source: TargetSource,
    /// Its list, where it was read before the run: standard input is there only once.
    pub(crate) list: Option<Result<TargetList, String>>,
}

impl GivenSource {
    /// Reads those sources that are there only once.
    pub(crate) fn begin(sources: &[TargetSource], bounds: SourceBounds<'_>) -> Vec<Self> {
        let read = |source: &TargetSource| {
            let list = (source.input == SourceInput::Stdin).then(|| read_source(source, bounds));
            Self { source: source.clone(), list }
        };
        sources.iter().map(read).collect()
    }
}

/// Reads the lists of sources.
pub(crate) fn read_sources<'a>(
    sources: Vec<GivenSource>,
    bounds: impl Fn() -> SourceBounds<'a>,
) -> Vec<SourceAnswer> {
    let answer = |GivenSource { source, list }: GivenSource| {
        let list = list.unwrap_or_else(|| read_source(&source, bounds()));
        SourceAnswer { name: source.name, answer: Some(list) }
    };
    sources.into_iter().map(answer).collect()
}

/// Asks targets whose labels leave the commit open for the commit of their program, and those of the kind coverport
/// whether their label is right.
///
/// An address that failed is not asked before its retry is due.
pub(crate) fn ask_for_commits(
    answers: &mut [SourceAnswer],
    known: &StoredFleet,
    adapters: &Adapters<'_>,
    concurrency: usize,
) {
    let Adapters { client, signals, deadline, now, .. } = *adapters;
    let failing: HashSet<&str> = known
        .states
        .values()
        .flatten()
        .filter(|(_, state)| state.retry.next_try.is_some_and(|next| next > now))
        .map(|(address, _)| address.as_str())
        .collect();
    let client = client.until(deadline.half());
    let is_over = || signals.received().is_some() || deadline.half().has_passed();
    for SourceAnswer { answer, .. } in answers {
        let Some(Ok(list)) = answer else { continue };
        let is_asked = |target: &Target| target.lacks_commit() || target.may_contradict();
        let asked: Vec<usize> = (0..list.targets.len()).filter(|&at| is_asked(&list.targets[at])).collect();
        let ask = |&at: &usize| {
            let address = &list.targets[at].address;
            if failing.contains(address.as_str()) { None } else { client.agent_headers(address).ok() }
        };
        // The deadline ends requests by itself; they are broken off for a signal alone, as nothing is asked after it.
        let break_off = || {
            if signals.received().is_some() {
                client.shutdown();
            }
        };
        let told = in_parallel(&asked, concurrency, ask, is_over, break_off);
        for (at, told) in asked.into_iter().zip(told) {
            let target = &mut list.targets[at];
            match told.flatten() {
                None => target.program = ProgramAnswer::Silent,
                Some(headers) => {
                    if let Some(label) = target.take_commit(headers.commit.as_deref()) {
                        let address = target.address.clone();
                        let told = headers.commit.unwrap_or_default();
                        list.contradict(&address, &label, &told);
                    }
                }
            }
        }
    }
}

fn read_source(source: &TargetSource, bounds: SourceBounds<'_>) -> Result<TargetList, String> {
    targets::list(source, bounds).map_err(|error| error.to_string())
}

/// Opens the database for reading; `None` when the root has none yet.
pub(crate) fn open_reader(workdir: &Workdir) -> Result<Option<Store>, StoreError> {
    match Store::open_read_only(&workdir.database()) {
        Ok(store) => Ok(Some(store)),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The stored part of a fleet, and the rules by which its names are read.
#[derive(Clone, Copy)]
pub(crate) struct FleetSource<'a> {
    /// The database; `None` when there is none yet.
    pub(crate) store: Option<&'a Store>,
    pub(crate) naming: &'a Naming,
    /// Start of the run.
    pub(crate) now: DateTime<Utc>,
}

impl FleetSource<'_> {
    /// Lays the answers that `ask` returns over the stored services. The numbers go on after those that the fleet was
    /// given.
    pub(crate) fn assemble(
        &self,
        ask: impl FnOnce(&StoredFleet) -> Answers,
    ) -> Result<(Fleet, Numbering), StoreError> {
        let (known, numbering) = match self.store {
            // Only a pull numbers profiles, but every command names a damaged number.
            Some(store) => (store.known_fleet()?, store.numbering()?),
            None => Default::default(),
        };
        let answers = ask(&known);
        let fleet = Fleet::assemble(known, answers, self.naming, &numbering.ids, self.now);
        Ok((fleet, numbering))
    }
}

/// Assembles the fleet from the database alone.
pub(crate) fn stored_fleet(store: &Store, naming: &Naming, now: DateTime<Utc>) -> Result<Fleet, StoreError> {
    let source = FleetSource { store: Some(store), naming, now };
    Ok(source.assemble(StoredFleet::without_asking)?.0)
}
