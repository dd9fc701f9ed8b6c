//! Builders of keys and records that the tests of decisions share.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::build_group::{BuildGroup, BuildGroupStatus};
use super::change::Change;
use super::ids::{BuildGroupId, HighestIds, IdSource, KeyId, LifeId, ServiceId, StructureId};
use super::key_entry::{KeyEntry, Listing, ServiceName};
use super::key_state::{AddressAnswer, BuildRef, KeyState};
use super::process::Process;
use super::pull_rules::{ChangeRule, PullRules};
use super::pulled_key::PulledKey;
use super::records::Life;
use super::records::{AddressState, Key, Lister, ScheduleRow};
use super::schedule::{AddressRetry, Schedule};
use super::tombstone::Tombstone;
use super::waits::{PullWaits, RetryWaits};
use crate::names::Naming;
use crate::profile::{Build, Fingerprint, Limits, Mode, parse};

/// The time `minute` minutes after 12:00 of an ordinary day.
pub(crate) fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_049_600 + 60 * minute, 0).unwrap()
}

/// The settings of a root without a configuration.
pub(crate) fn rules() -> PullRules {
    PullRules {
        change: ChangeRule::Covered,
        adopt: true,
        adopt_by_hand: None,
        steps: PullWaits::default(),
        retry: RetryWaits::default(),
        agent_files: crate::agent_files::AgentFiles::default(),
        are_details_read: false,
        row_at_least_every: Duration::from_secs(24 * 3600),
        mark: None,
    }
}

/// A process of which an agent tells this program and process id, and nothing else is told.
pub(crate) fn process(meta: Fingerprint, pid: Option<u32>) -> Process {
    Process {
        meta,
        pid,
        uid: None,
        restarts: None,
        pods: BTreeSet::new(),
        is_shared: false,
        read_at: None,
        started_at: None,
    }
}

/// The address of a host.
pub(crate) fn address(host: &str) -> String {
    format!("http://{host}:1")
}

/// A service of this name; one that runs has been listed since `minute`, another one changed then.
pub(crate) fn named_entry(id: i64, name: &str, runs: bool, minute: i64) -> KeyEntry {
    let mut entry = entry(id, if runs { &["a", "b"] } else { &[] });
    let parsed = Naming::default().parse(name);
    entry.key = Key::from_parsed(&parsed);
    entry.members[0].name = name.to_owned();
    entry.members[0].branch = parsed.branch;
    for listing in &mut entry.members[0].listings {
        listing.listed_at = at(minute);
    }
    entry.schedule.last_change_at = (!runs).then(|| at(minute));
    entry
}

/// A never pulled key with one name, whose hosts have been listed since 12:00.
pub(crate) fn entry(id: i64, hosts: &[&str]) -> KeyEntry {
    let name = format!("name{id}");
    let center = Lister::Center("http://center:1".into());
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

/// The key with this state of an address.
pub(crate) fn with_state(mut entry: KeyEntry, host: &str, state: AddressState) -> KeyEntry {
    entry.states.push((address(host), state));
    entry.states.sort_by(|(one, _), (other, _)| one.cmp(other));
    entry
}

/// The key with an address that failed `failures` times in a row and is tried again at minute `next_try`.
pub(crate) fn failing(entry: KeyEntry, host: &str, failures: u32, next_try: i64) -> KeyEntry {
    let retry = AddressRetry { failures, next_try: Some(at(next_try)) };
    with_state(entry, host, AddressState { retry, ..AddressState::default() })
}

/// The build of these files, such as `lib server`. A file with a prime, such as `lib'`, contradicts the file of the
/// same name without it.
pub(crate) fn build(files: &str) -> Arc<Build> {
    let line = |file: &str| {
        let (name, end) = file.strip_suffix('\'').map_or((file, 2), |name| (name, 3));
        format!("x.io/o/m/{name}/f.go:1.1,{end}.2 1 0\n")
    };
    let text: String = files.split_whitespace().map(line).collect();
    parse(format!("mode: count\n{text}").as_bytes(), Limits::default()).unwrap().build
}

/// A fingerprint that repeats this byte.
pub(crate) fn print(byte: u8) -> Fingerprint {
    Fingerprint::from_bytes(&[byte; 32]).unwrap()
}

/// A structure with these files.
pub(crate) fn build_ref(structure: i64, files: &str) -> BuildRef {
    (StructureId(structure), build(files).fingerprint())
}

/// A life of a process at a host since 12:00.
pub(crate) fn life(id: i64, build_group: i64, structure: i64, host: &str) -> Life {
    Life {
        id: LifeId(id),
        build_group: BuildGroupId(build_group),
        structure: StructureId(structure),
        address: Some(address(host)),
        mode: Mode::Count,
        opened_at: at(0),
        pulled_at: at(0),
        closed_at: None,
        is_mixture: false,
    }
}

/// A build group: its status, and its structures with their files.
pub(crate) type GroupSpec<'a> = (BuildGroupStatus, &'a [(i64, &'a str)]);

/// The state of a key whose build groups have the ids 1, 2 and so on, with all structures read.
pub(crate) fn state(groups: &[GroupSpec<'_>], lives: Vec<Life>) -> KeyState {
    let group = |((status, structures), id): (&GroupSpec<'_>, i64)| BuildGroup {
        id: BuildGroupId(id),
        status: *status,
        structures: structures.iter().map(|(structure, files)| build_ref(*structure, files)).collect(),
    };
    let mut state = KeyState::new(groups.iter().zip(1..).map(group).collect(), lives);
    for (build_group, (_, structures)) in state.build_groups.iter_mut().zip(groups) {
        for (_, files) in *structures {
            build_group.take_in(&build(files)).unwrap();
        }
    }
    state
}

/// An answer of this run.
pub(crate) fn answered(build_group: i64, files: &str) -> AddressAnswer {
    AddressAnswer {
        build_group: BuildGroupId(build_group),
        build: build(files).fingerprint(),
        fraction: "1/2".to_owned(),
        is_decided: true,
    }
}

/// A key after these hosts were asked at 12:15.
pub(crate) fn pulled_key<'a>(entry: &'a KeyEntry, asked: &[&'a str], rules: &'a PullRules) -> PulledKey<'a> {
    PulledKey { entry, asked: asked.iter().copied().collect(), full: true, rules, now: at(15) }
}

/// A source of ids that begins with 100.
pub(crate) fn ids() -> IdSource {
    let (key, service, structure, build_group, life) = (99, 99, 99, 99, 99);
    IdSource::after(HighestIds { key, service, structure, build_group, life })
}

/// Changes of build groups, lives and addresses in short words, such as `status 1 former`.
pub(crate) fn words(changes: &[Change]) -> Vec<String> {
    let known = |is_known: bool| if is_known { " known" } else { "" };
    let word = |change: &Change| match change {
        Change::BuildGroup { id, .. } => format!("group {}", id.0),
        Change::BuildGroupStatus(id, status) => format!("status {} {}", id.0, status.as_str()),
        Change::StructureMoved { structure, from, to } => {
            format!("structure {} from {} to {}", structure.0, from.0, to.0)
        }
        Change::LifeOpened { id, answer, closed_at, .. } => {
            let closed = if closed_at.is_some() { " closed" } else { "" };
            format!("opened {}{}{closed}", id.0, known(answer.is_some()))
        }
        Change::LifeMoved { id, answer, .. } => format!("moved {}{}", id.0, known(answer.is_some())),
        Change::LifeReopened(id) => format!("reopened {}", id.0),
        Change::LifeClosed(id, _) => format!("closed {}", id.0),
        Change::LifeMixed(id) => format!("mixed {}", id.0),
        Change::LifeFolded(id) => format!("folded {}", id.0),
        Change::AnswerRemembered(id, _) => format!("remembered {}", id.0),
        other => format!("{other:?}"),
    };
    changes.iter().map(word).collect()
}

/// A dead address that was removed from the list of center `1` at 12:00.
pub(crate) fn removed(host: &str, service: &str) -> Tombstone {
    Tombstone {
        center: "http://center:1".to_owned(),
        address: address(host),
        service: service.to_owned(),
        build: None,
        removed_at: at(0),
        was_alive: false,
    }
}
