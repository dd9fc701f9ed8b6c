//! The objects of a list in JSON.

use serde_json::{Value, json};

use super::metrics;
use crate::commands::{Context, show};
use crate::fleet::key_entry::{KeyEntry, Listing};
use crate::fleet::service_state::{AddressHealth, ListedAddressState, ServiceLine, ServiceState};

/// Returns the object of a line.
pub(super) fn object(line: &ServiceLine<'_>, context: &Context) -> Value {
    let ServiceLine { entry, member, stored, state, health } = line;
    let coverage = stored.and_then(|stored| stored.coverage);
    let address = |listing: &Listing| {
        let address = &*listing.address;
        let suspicion = health.suspicion(address);
        let more = json!({
            "address": *listing.listed_as,
            "center": listing.lister.center().map(metrics::without_credentials),
            "targets": listing.lister.targets(),
            "pod": listing.facts.as_ref().and_then(|facts| facts.pod.as_ref()),
            "state": ListedAddressState::new(address, &entry.state(address), health).word(),
            "suspect_runs": suspicion.map(|suspicion| suspicion.any.runs),
            "suspect_since": suspicion.map(|suspicion| show::iso(suspicion.any.since)),
        });
        address_object(entry, address, health, more)
    };
    json!({
        "service": member.name,
        "env": entry.key.env,
        "region": entry.key.region,
        "app": entry.key.app,
        "branch": member.branch,
        "commit": entry.key.commit,
        "state": released_state(*state).word(),
        "overdue": *state == ServiceState::Overdue,
        "replicas": { "up": line.up(), "known": member.addresses().count() },
        "addresses": member.addresses().map(address).collect::<Vec<_>>(),
        "percent": stored.map(|stored| stored.cover_total),
        "covered": coverage.map(|coverage| coverage.covered),
        "total": coverage.map(|coverage| coverage.total),
        "last_change": entry.schedule.last_change_at.map(show::iso),
        "last_pull": entry.schedule.schedule.last_pull.map(show::iso),
        "last_seen": member.last_seen.map(show::iso),
        "not_asked_since": member.not_asked_since.map(show::iso),
        "next_pull": line.next_pull(context.config.pull.waits(), context.now()).map(show::iso),
    })
}

/// Returns the object of an address: the fields that a list and `--explain` have in common, and further ones.
pub(super) fn address_object(
    entry: &KeyEntry,
    address: &str,
    health: &AddressHealth,
    mut further: Value,
) -> Value {
    let state = entry.state(address);
    further["agent"] = json!(health.agent(entry, address));
    further["last_answer"] = json!(state.last_answer_at.map(show::iso));
    further["failures"] = json!(state.retry.failures);
    further["next_try"] = json!(state.retry.next_try.map(show::iso));
    further["error"] = json!(state.last_error);
    further["other_build"] = json!(state.other_build.map(|build| build.short()));
    further["finding"] = json!(health.suspicion(address).map(|suspicion| suspicion.probe.finding.word()));
    further
}

/// Returns the state that JSON has had since the first release, which knows no overdue data: the field `overdue` tells
/// it.
fn released_state(state: ServiceState) -> ServiceState {
    match state {
        ServiceState::Overdue => ServiceState::Ok,
        state => state,
    }
}
