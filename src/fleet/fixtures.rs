//! Builders of keys and records that the tests of decisions share.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ids::{KeyId, ServiceId};
use super::key_entry::{KeyEntry, Listing, ServiceName};
use super::pull_rules::PullRules;
use super::records::{AddressState, Key, ScheduleRow};
use super::schedule::{AddressRetry, Schedule};
use crate::config::PullConfig;

/// So many minutes after 12:00 of an ordinary day.
pub(crate) fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_049_600 + 60 * minute, 0).unwrap()
}

/// The settings of a root without a configuration.
pub(crate) fn rules() -> PullRules {
    PullRules::from_config(&PullConfig::default())
}

/// The address of a host.
pub(crate) fn address(host: &str) -> String {
    format!("http://{host}:1")
}

/// A key of one name that was never pulled, with these hosts listed since 12:00.
pub(crate) fn entry(id: i64, hosts: &[&str]) -> KeyEntry {
    let name = format!("name{id}");
    let center: Arc<str> = "http://center:1".into();
    let listings = hosts.iter().map(|host| Listing::new(address(host).into(), &center, at(0))).collect();
    let member = ServiceName {
        id: ServiceId(id),
        name: name.clone(),
        branch: String::new(),
        listings,
        last_seen: Some(at(0)),
        not_asked_since: None,
    };
    KeyEntry {
        id: KeyId(id),
        key: Key { app: name, ..Key::default() },
        members: vec![member],
        schedule: ScheduleRow::default(),
        replicas: None,
        states: Vec::new(),
        came_in: false,
    }
}

/// The same key, pulled at 12:00 and due at 12:15.
pub(crate) fn pulled(id: i64, hosts: &[&str]) -> KeyEntry {
    let schedule = Schedule {
        step: 0,
        last_pull: Some(at(0)),
        next_due: Some(at(15)),
        addresses: hosts.iter().map(|host| address(host)).collect(),
        election: None,
    };
    KeyEntry { schedule: ScheduleRow { schedule, ..ScheduleRow::default() }, ..entry(id, hosts) }
}

/// The key, with what is remembered of an address.
pub(crate) fn with_state(mut entry: KeyEntry, host: &str, state: AddressState) -> KeyEntry {
    entry.states.push((address(host), state));
    entry.states.sort_by(|(one, _), (other, _)| one.cmp(other));
    entry
}

/// The key, one of whose addresses failed so often in a row and is tried again at this minute.
pub(crate) fn failing(entry: KeyEntry, host: &str, failures: u32, next_try: i64) -> KeyEntry {
    let retry = AddressRetry { failures, next_try: Some(at(next_try)) };
    with_state(entry, host, AddressState { retry, ..AddressState::default() })
}
