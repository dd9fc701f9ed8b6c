//! The states of services and addresses that `list` and the site show.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::coverage::Coverage;
use crate::fleet::key_entry::{KeyEntry, ServiceName};
use crate::fleet::liveness::Suspicion;
use crate::fleet::plan::next_pull;
use crate::fleet::records::AddressState;
use crate::fleet::row::Row;
use crate::fleet::services::Fleet;
use crate::fleet::targets::AgentKind;
use crate::fleet::waits::Waits;

/// The state of addresses across all keys.
pub(crate) struct AddressHealth {
    /// The failures that `prune` stored.
    suspicions: HashMap<String, Suspicion>,
    /// Addresses that serve the build of a name under which they are listed.
    at_home: HashSet<String>,
    /// The time of each address's last answer to a pull, under any name.
    answers: HashMap<String, DateTime<Utc>>,
    /// Addresses at which agents of the kind coverport were found.
    coverport: HashSet<String>,
}

impl AddressHealth {
    /// Combines the fleet with the remembered failures of addresses, and with the addresses at which agents of the kind
    /// coverport were found.
    pub(crate) fn new(
        fleet: &Fleet,
        suspicions: HashMap<String, Suspicion>,
        coverport: HashSet<String>,
    ) -> Self {
        let is_at_home = |state: &AddressState| state.last_answer_at.is_some() && state.other_build.is_none();
        let at_home = |entry: &KeyEntry| -> Vec<String> {
            entry.addresses().into_iter().filter(|address| is_at_home(&entry.state(address))).collect()
        };
        let mut answers: HashMap<String, DateTime<Utc>> = HashMap::new();
        for (address, state) in fleet.entries.iter().flat_map(|entry| &entry.states) {
            let Some(at) = state.last_answer_at.filter(|_| suspicions.contains_key(address)) else {
                continue;
            };
            let last = answers.entry(address.clone()).or_insert(at);
            *last = at.max(*last);
        }
        let at_home = fleet.entries.iter().flat_map(at_home).collect();
        Self { suspicions, at_home, answers, coverport }
    }

    /// Tells whether the name of `state` is stale for an address: the address serves another build, and that build
    /// belongs to another of its names.
    pub(crate) fn is_stale(&self, address: &str, state: &AddressState) -> bool {
        state.other_build.is_some() && self.at_home.contains(address)
    }

    /// Returns the kind of the agent at an address: the one that a list of targets tells, else the one that was found;
    /// `None` if it never answered.
    pub(crate) fn agent(&self, entry: &KeyEntry, address: &str) -> Option<&'static str> {
        let found = || match self.coverport.contains(address) {
            true => Some(AgentKind::Coverport.word()),
            false => entry.state(address).last_answer_at.map(|_| AgentKind::Goc.word()),
        };
        entry.told_kind(address).map(|kind| kind.word()).or_else(found)
    }

    /// Returns the failures of an address, if it did not answer a pull after the last one.
    pub(crate) fn suspicion(&self, address: &str) -> Option<&Suspicion> {
        let answered = self.answers.get(address);
        self.suspicions
            .get(address)
            .filter(|suspicion| answered.is_none_or(|answered| *answered <= suspicion.last_failed_at))
    }
}

/// The state of a service, the most urgent first. All lists, metrics and pages take their words from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServiceState {
    Unreachable,
    Partial,
    OtherBuild,
    StaleName,
    Overdue,
    NeverPulled,
    Ok,
    Offline,
}

impl ServiceState {
    pub(crate) const ALL: [Self; 8] = [
        Self::Unreachable,
        Self::Partial,
        Self::OtherBuild,
        Self::StaleName,
        Self::Overdue,
        Self::NeverPulled,
        Self::Ok,
        Self::Offline,
    ];

    /// Judges a name by the answers of its addresses. Data that was pulled before `overdue_before` is overdue.
    fn new(
        member: &ServiceName,
        entry: &KeyEntry,
        row: Option<&Row>,
        health: &AddressHealth,
        overdue_before: DateTime<Utc>,
    ) -> Self {
        let states: Vec<(&str, AddressState)> =
            member.addresses().map(|listing| (&*listing.address, entry.state(&listing.address))).collect();
        let failing = states.iter().filter(|(_, state)| state.retry.failures > 0).count();
        let is_other = |(address, state): &(&str, AddressState)| {
            state.other_build.is_some() && !health.is_stale(address, state)
        };
        let is_overdue = entry.schedule.schedule.last_pull.is_some_and(|at| at < overdue_before);
        match row {
            _ if states.is_empty() => Self::Offline,
            _ if failing == states.len() => Self::Unreachable,
            _ if states.iter().any(is_other) => Self::OtherBuild,
            _ if states.iter().any(|(address, state)| health.is_stale(address, state)) => Self::StaleName,
            None => Self::NeverPulled,
            Some(_) if failing > 0 => Self::Partial,
            Some(_) if is_overdue => Self::Overdue,
            Some(_) => Self::Ok,
        }
    }

    /// Returns the word for scripts, in JSON, metrics and options.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Partial => "partial",
            Self::OtherBuild => "other_build",
            Self::StaleName => "stale_name",
            Self::Overdue => "overdue",
            Self::NeverPulled => "never_pulled",
            Self::Ok => "ok",
            Self::Offline => "offline",
        }
    }

    /// Returns the word for people, in tables and pages.
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Self::OtherBuild => "other build",
            Self::StaleName => "stale name",
            Self::NeverPulled => "never pulled",
            _ => self.word(),
        }
    }

    /// Returns the meaning of the word, as a clause.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Unreachable => "all replicas fail",
            Self::Partial => "some replicas fail",
            Self::OtherBuild => "a replica serves another build than the one shown",
            Self::StaleName => "a replica serves the build of another name, under which it is listed, too",
            Self::Overdue => "no pull got an answer for twice the longest wait of the schedule",
            Self::NeverPulled => "listed, and no data is stored yet",
            Self::Ok => "data is stored, and no replica fails",
            Self::Offline => "nothing lists the service",
        }
    }

    /// Tells whether a center or a source of targets lists the service.
    pub(crate) fn is_listed(self) -> bool {
        self != Self::Offline
    }
}

/// The state of an address of a service, the one that decides first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListedAddressState {
    /// `prune` found it dead.
    Dead,
    /// `prune` found failures.
    Suspect,
    StaleName,
    Failed,
    OtherBuild,
    Ok,
    NeverPulled,
}

impl ListedAddressState {
    pub(crate) fn new(address: &str, state: &AddressState, health: &AddressHealth) -> Self {
        match health.suspicion(address) {
            Some(suspicion) => Self::from_suspicion(suspicion),
            None if health.is_stale(address, state) => Self::StaleName,
            None if state.retry.failures > 0 => Self::Failed,
            None if state.other_build.is_some() => Self::OtherBuild,
            None if state.last_answer_at.is_some() => Self::Ok,
            None => Self::NeverPulled,
        }
    }

    pub(crate) fn from_suspicion(suspicion: &Suspicion) -> Self {
        if suspicion.is_dead { Self::Dead } else { Self::Suspect }
    }

    /// Returns the word of a service in the same state, or a word for addresses alone.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Suspect => "suspect",
            Self::Failed => "failed",
            Self::StaleName => ServiceState::StaleName.word(),
            Self::OtherBuild => ServiceState::OtherBuild.word(),
            Self::Ok => ServiceState::Ok.word(),
            Self::NeverPulled => ServiceState::NeverPulled.word(),
        }
    }
}

/// The figures of a stored row that a list shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowTotal {
    /// Percentage of all statements, unrounded.
    pub(crate) cover_total: f64,
    /// Covered and all statements; `None` for a row that another program stored.
    pub(crate) coverage: Option<Coverage>,
}

impl RowTotal {
    fn from_row(row: &Row) -> Self {
        Self { cover_total: row.cover_total, coverage: row.stats.as_ref().map(|stats| stats.coverage) }
    }
}

/// A line of the list.
pub(crate) struct ServiceLine<'a> {
    pub(crate) entry: &'a KeyEntry,
    pub(crate) member: &'a ServiceName,
    pub(crate) stored: Option<RowTotal>,
    pub(crate) state: ServiceState,
    pub(crate) health: &'a AddressHealth,
}

impl<'a> ServiceLine<'a> {
    /// Judges a name, like [`ServiceState::new`], for the latest row of its key.
    pub(crate) fn new(
        member: &'a ServiceName,
        entry: &'a KeyEntry,
        row: Option<&Row>,
        health: &'a AddressHealth,
        overdue_before: DateTime<Utc>,
    ) -> Self {
        let state = ServiceState::new(member, entry, row, health, overdue_before);
        Self { entry, member, stored: row.map(RowTotal::from_row), state, health }
    }

    /// Returns the sources of targets that list an address of the service, each as often as it lists one.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        self.member.listings.iter().filter_map(|listing| listing.lister.targets())
    }

    /// Returns the sources of targets that list an address of the service, each once.
    pub(crate) fn source_names(&self) -> BTreeSet<&str> {
        self.sources().collect()
    }

    /// Returns the kinds of the agents at its addresses, where they are known.
    pub(crate) fn agents(&self) -> BTreeSet<&'static str> {
        self.member
            .addresses()
            .filter_map(|listing| self.health.agent(self.entry, &listing.address))
            .collect()
    }

    pub(crate) fn up(&self) -> usize {
        let answers = |state: AddressState| {
            state.last_answer_at.is_some() && state.retry.failures == 0 && state.other_build.is_none()
        };
        self.member.addresses().filter(|listing| answers(self.entry.state(&listing.address))).count()
    }

    pub(crate) fn failing(&self) -> usize {
        let fails = |address: &str| self.entry.state(address).retry.failures > 0;
        self.member.addresses().filter(|listing| fails(&listing.address)).count()
    }

    pub(crate) fn next_pull(&self, waits: Waits<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        next_pull(self.entry, waits, now).map(|(at, _)| at)
    }

    /// Returns the time of the next pull, or the time since which the pull is overdue.
    pub(crate) fn due(&self, waits: Waits<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let overdue = self.entry.schedule.schedule.next_due.filter(|due| *due < now);
        self.next_pull(waits, now).map(|at| overdue.filter(|_| at <= now).unwrap_or(at))
    }

    /// Returns the time since which the center of an offline service is not asked.
    pub(crate) fn not_asked_since(&self) -> Option<DateTime<Utc>> {
        self.member.not_asked_since.filter(|_| self.state == ServiceState::Offline)
    }

    /// Returns the addresses that `prune` found failing, each with whether it is dead.
    pub(crate) fn suspicions(&self) -> impl Iterator<Item = (&str, bool)> {
        self.member.addresses().filter_map(|listing| {
            let suspicion = self.health.suspicion(&listing.address)?;
            Some((&*listing.address, suspicion.is_dead))
        })
    }

    /// Returns the state with the findings of `prune`, such as `partial, 1 suspect`. For an offline service it has the
    /// time since which its center is not asked.
    pub(crate) fn state_text(&self, now: DateTime<Utc>) -> String {
        if let Some(since) = self.not_asked_since() {
            return format!(
                "{}, not asked since {}",
                self.state.phrase(),
                crate::phrases::moment(since, now)
            );
        }
        let (dead, suspect): (Vec<_>, Vec<_>) = self.suspicions().partition(|(_, is_dead)| *is_dead);
        let state = [self.state.phrase().to_owned()];
        state.into_iter().chain(suspicion_counts(suspect.len(), dead.len())).collect::<Vec<_>>().join(", ")
    }
}

/// Returns `2 suspect` and `1 dead`, without numbers that are zero.
pub(crate) fn suspicion_counts(suspect: usize, dead: usize) -> impl Iterator<Item = String> {
    let counts = [(suspect, ListedAddressState::Suspect), (dead, ListedAddressState::Dead)];
    counts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {}", what.word()))
}
