//! The choice of the services that a run pulls, and of the addresses that it asks.

use std::collections::BTreeSet;

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::address::{loopback, normal_form};
use crate::collect::inbox::InboxOutcome;
use crate::collect::marking::refuse_used;
use crate::collect::pull::{PullInputs, PullRequest};
use crate::fleet::app_group::pick_all;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::{pick, pick_by_fields, pick_running};
use crate::fleet::plan::{PullPlan, Selection, WaitingKey};
use crate::fleet::services::Fleet;

/// The services that a run pulls now, and those that wait.
pub(crate) struct PlannedPull<'s> {
    pub(crate) plan: PullPlan<'s>,
    pub(super) selection: Selection,
}

impl<'s> PlannedPull<'s> {
    /// Returns the services that a person named, that nobody lists, and of which the inbox had no data.
    pub(crate) fn named_offline(&self, inbox: &InboxOutcome) -> impl Iterator<Item = &WaitingKey<'s>> {
        let is_named = matches!(self.selection, Selection::Named(_));
        let waiting = self.plan.waiting.iter().filter(move |_| is_named);
        waiting.filter(|waiting| waiting.until.is_none() && !inbox.took_in_of(waiting.entry.id))
    }
}

/// Decides the services to pull and the addresses to ask.
pub(crate) fn plan<'s>(
    inputs: &PullInputs<'_>,
    request: &PullRequest<'_>,
    fleet: &'s Fleet,
) -> Result<PlannedPull<'s>> {
    let entries = &fleet.entries;
    let selection = select(request, entries)?;
    if let (Some(mark), Selection::Named(keys)) = (&request.rules.mark, &selection) {
        let named = entries.iter().filter(|entry| keys.contains(&entry.id));
        let apps = named.map(|entry| entry.key.app.as_str()).collect();
        refuse_used(inputs.adapters.store, mark, &apps)?;
    }
    let plan = match (request.address, &request.services[..]) {
        (Some(address), [service, ..]) => {
            let entry = pick(service, entries)?.entry;
            PullPlan::for_address(entry, &known_address(entry, address), entries)
        }
        _ => PullPlan::make(entries, &selection, &request.rules, inputs.adapters.now),
    };
    Ok(PlannedPull { plan, selection })
}

/// Plans the services that have counters without a row, as those of files that were taken in have, and no others.
pub(crate) fn plan_taken_in<'s>(
    inputs: &PullInputs<'_>,
    request: &PullRequest<'_>,
    fleet: &'s Fleet,
) -> PlannedPull<'s> {
    let unfinished = fleet.entries.iter().filter(|entry| entry.schedule.unfinished);
    let selection = Selection::DueAmong(unfinished.map(|entry| entry.id).collect());
    let plan = PullPlan::make(&fleet.entries, &selection, &request.rules, inputs.adapters.now);
    PlannedPull { plan, selection }
}

/// Returns the address of a key that an address by hand means: this machine has several names.
fn known_address(entry: &KeyEntry, by_hand: &str) -> String {
    let address = normal_form(by_hand);
    let Some((_, process)) = loopback(&address) else { return address };
    let states = entry.states.iter().map(|(address, _)| address.clone());
    let mut known = entry.addresses().into_iter().chain(states);
    let is_same = |known: &String| loopback(known).is_some_and(|(_, other)| other == process);
    known.find(is_same).unwrap_or(address)
}

/// Finds the services that a request names.
fn select(request: &PullRequest<'_>, entries: &[KeyEntry]) -> Result<Selection> {
    if request.services.is_empty() {
        let Some(fields) = &request.fields else {
            return Ok(if request.is_forced { Selection::Forced } else { Selection::Due });
        };
        let admitted = pick_by_fields(fields, entries)?.into_iter().map(|(entry, _)| entry);
        return Ok(match request.is_forced {
            true => {
                let listed = admitted.filter(|entry| !entry.addresses().is_empty());
                Selection::Named(listed.map(|entry| entry.id).collect())
            }
            false => Selection::DueAmong(admitted.map(|entry| entry.id).collect()),
        });
    }
    let mut named = BTreeSet::new();
    for query in &request.services {
        let picked = pick_all(query, request.groups, entries, |query| pick_running(query, entries))?;
        named.extend(picked.into_iter().flatten().map(|entry| entry.id));
    }
    Ok(Selection::Named(named))
}

/// Decides the work of a pull without `--address`, and does none of it.
pub(crate) fn plan_only<'s>(
    request: &PullRequest<'_>,
    fleet: &'s Fleet,
    now: DateTime<Utc>,
) -> Result<PullPlan<'s>> {
    let selection = select(request, &fleet.entries)?;
    Ok(PullPlan::make(&fleet.entries, &selection, &request.rules, now))
}
