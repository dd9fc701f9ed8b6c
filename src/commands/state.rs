//! How a service does, as `list` and the site say it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use comfy_table::Color;

use super::roster::{Entry, Member, Roster};
use super::{Context, show};
use crate::coverage::Coverage;
use crate::fleet::liveness::Suspicion;
use crate::fleet::records::AddressState;
use crate::fleet::row::Row;
use crate::fleet::schedule::{self, Due};
use crate::io::store::{Store, StoreError};

/// What is known of addresses beyond what they answered for one key.
pub(super) struct Signs {
    /// What `prune` remembers of those that fail.
    suspicions: HashMap<String, Suspicion>,
    /// Those that serve what some name shows under which they stand.
    at_home: HashSet<String>,
    /// When each last answered a pull, under whatever name.
    answers: HashMap<String, DateTime<Utc>>,
}

impl Signs {
    pub(super) fn read(roster: &Roster, store: Option<&Store>) -> Result<Self, StoreError> {
        let suspicions = match store {
            Some(store) => store.suspicions()?,
            None => HashMap::new(),
        };
        let is_at_home = |state: &AddressState| state.last_answer_at.is_some() && state.other_build.is_none();
        let of = |entry: &Entry| -> Vec<String> {
            entry.addresses().into_iter().filter(|address| is_at_home(&entry.state(address))).collect()
        };
        let mut answers: HashMap<String, DateTime<Utc>> = HashMap::new();
        for (address, state) in roster.entries.iter().flat_map(|entry| &entry.states) {
            let Some(at) = state.last_answer_at.filter(|_| suspicions.contains_key(address)) else {
                continue;
            };
            let last = answers.entry(address.clone()).or_insert(at);
            *last = at.max(*last);
        }
        Ok(Self { suspicions, at_home: roster.entries.iter().flat_map(of).collect(), answers })
    }

    /// Tells whether an address is listed under a name of `state` that is another's by now.
    pub(super) fn is_stale(&self, address: &str, state: &AddressState) -> bool {
        state.other_build.is_some() && self.at_home.contains(address)
    }

    /// Returns what is known of the failures of an address that did not answer a pull since.
    pub(super) fn suspicion(&self, address: &str) -> Option<&Suspicion> {
        let answered = self.answers.get(address);
        self.suspicions
            .get(address)
            .filter(|suspicion| answered.is_none_or(|answered| *answered <= suspicion.last_failed_at))
    }
}

/// What a service is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ok,
    Partial,
    Unreachable,
    Offline,
    OtherBuild,
    StaleName,
    NeverPulled,
}

impl State {
    pub(super) fn of(member: &Member, entry: &Entry, row: Option<&Row>, signs: &Signs) -> Self {
        let states: Vec<(&str, AddressState)> =
            member.addresses().map(|place| (&*place.address, entry.state(&place.address))).collect();
        let failing = states.iter().filter(|(_, state)| state.retry.failures > 0).count();
        let is_other = |(address, state): &(&str, AddressState)| {
            state.other_build.is_some() && !signs.is_stale(address, state)
        };
        match row {
            _ if states.is_empty() => Self::Offline,
            _ if failing == states.len() => Self::Unreachable,
            _ if states.iter().any(is_other) => Self::OtherBuild,
            _ if states.iter().any(|(address, state)| signs.is_stale(address, state)) => Self::StaleName,
            None => Self::NeverPulled,
            Some(_) if failing > 0 => Self::Partial,
            Some(_) => Self::Ok,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Unreachable => "unreachable",
            Self::Offline => "offline",
            Self::OtherBuild => "other build",
            Self::StaleName => "stale name",
            Self::NeverPulled => "never pulled",
        }
    }

    pub(super) fn color(self) -> Color {
        match self {
            Self::Ok => Color::Green,
            Self::Partial | Self::OtherBuild | Self::StaleName => Color::Yellow,
            Self::Unreachable => Color::Red,
            Self::Offline | Self::NeverPulled => Color::Grey,
        }
    }
}

/// The figures of a stored row that a list shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// Percentage of all statements, unrounded.
    pub(super) cover_total: f64,
    /// `None` for a row that another program stored.
    pub(super) coverage: Option<Coverage>,
}

impl Figures {
    pub(super) fn of(row: &Row) -> Self {
        Self { cover_total: row.cover_total, coverage: row.fact.as_ref().map(|fact| fact.coverage) }
    }
}

/// One line of the list.
pub(super) struct Line<'a> {
    pub(super) entry: &'a Entry,
    pub(super) member: &'a Member,
    pub(super) stored: Option<Figures>,
    pub(super) state: State,
    pub(super) signs: &'a Signs,
}

impl Line<'_> {
    pub(super) fn up(&self) -> usize {
        let answers = |state: AddressState| {
            state.last_answer_at.is_some() && state.retry.failures == 0 && state.other_build.is_none()
        };
        self.member.addresses().filter(|place| answers(self.entry.state(&place.address))).count()
    }

    pub(super) fn failing(&self) -> usize {
        let fails = |address: &str| self.entry.state(address).retry.failures > 0;
        self.member.addresses().filter(|place| fails(&place.address)).count()
    }

    pub(super) fn next_pull(&self, context: &Context) -> Option<DateTime<Utc>> {
        next_pull(self.entry, context)
    }

    /// Returns the same, but for what is overdue when it was due.
    pub(super) fn due(&self, context: &Context) -> Option<DateTime<Utc>> {
        let now = context.now();
        let overdue = self.entry.schedule.schedule.next_due.filter(|due| *due < now);
        self.next_pull(context).map(|at| overdue.filter(|_| at <= now).unwrap_or(at))
    }

    /// Returns the state with what `prune` found, such as `partial, 1 suspect`, or since when the center of what is
    /// offline is not asked.
    pub(super) fn state_text(&self, now: DateTime<Utc>) -> String {
        if let Some(since) = self.member.not_asked_since.filter(|_| self.state == State::Offline) {
            return format!("{}, not asked since {}", self.state.word(), show::moment(since, now));
        }
        let suspicions: Vec<&Suspicion> =
            self.member.addresses().filter_map(|place| self.signs.suspicion(&place.address)).collect();
        let dead = suspicions.iter().filter(|suspicion| suspicion.is_dead).count();
        let parts = [(suspicions.len() - dead, "suspect"), (dead, "dead")];
        let parts = parts.iter().filter(|(number, _)| *number > 0);
        let said: Vec<String> = parts.map(|(number, what)| format!(", {number} {what}")).collect();
        format!("{}{}", self.state.word(), said.concat())
    }
}

pub(super) fn next_pull(entry: &Entry, context: &Context) -> Option<DateTime<Utc>> {
    let addresses = entry.addresses();
    if addresses.is_empty() {
        return None;
    }
    let config = &context.config.pull;
    let now = context.now();
    let retries = addresses.iter().map(|address| entry.state(address).retry.due(now, &config.retry));
    match schedule::due(&entry.schedule.schedule, &addresses, now, &config.steps) {
        // An address that failed has a retry of its own, which is often earlier.
        Due::Later(at, _) => retries.flatten().map(|retry| moment_of(&retry, now)).chain([at]).min(),
        Due::Now(_) => retries.map(|retry| retry.map_or(now, |retry| moment_of(&retry, now))).min(),
    }
}

fn moment_of(due: &Due, now: DateTime<Utc>) -> DateTime<Utc> {
    match due {
        Due::Now(_) => now,
        Due::Later(at, _) => *at,
    }
}
