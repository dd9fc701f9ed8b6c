//! The records of keys, names and addresses, as every part of the program knows them.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::election::Election;
use super::ids::{BuildGroupId, KeyId, ServiceId};
use super::schedule::{AddressRetry, Schedule};
use crate::names::{Naming, ParsedName};
use crate::profile::Fingerprint;

/// Env, region, app and commit: all data of a key is one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// `''` where the name fits no pattern.
    pub env: String,
    /// `''` where the name fits no pattern.
    pub region: String,
    /// The whole name where it fits no pattern.
    pub app: String,
    /// `''` where the name fits no pattern.
    pub commit: String,
}

impl Key {
    /// Returns the key of a registered name.
    pub(crate) fn from_name(name: &str, naming: &Naming) -> Self {
        Self::from_parsed(&naming.parse(name))
    }

    /// Returns the key of a parsed name; the branch is no part of it.
    pub(crate) fn from_parsed(parsed: &ParsedName) -> Self {
        Self {
            env: parsed.env.clone(),
            region: parsed.region.clone(),
            app: parsed.app_or_name().to_owned(),
            commit: parsed.commit.clone(),
        }
    }
}

/// A name that was registered at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownService {
    /// In the database.
    pub id: ServiceId,
    /// As registered.
    pub name: String,
    /// The key that its data belongs to, and its branch, `''` where the name fits no pattern; `None` where either cannot be read.
    pub place: Option<(KeyId, String)>,
}

/// An address that stands, or stood, under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedAddress {
    /// The name.
    pub service: ServiceId,
    /// As registered.
    pub address: Arc<str>,
    /// URL of the center that lists it.
    pub center: Arc<str>,
    /// The time at which it was first seen there, or seen again.
    pub listed_at: DateTime<Utc>,
    /// The center lists the address still.
    pub listed: bool,
    /// The time at which the center was found to list it no longer.
    pub unlisted_at: Option<DateTime<Utc>>,
}

/// A center that was asked by a pull without names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AskedCenter {
    /// The time of the last such pull.
    pub asked_at: DateTime<Utc>,
    /// The last such pull asked it.
    pub is_latest: bool,
}

/// The answers of an address for one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddressState {
    /// The time of its last profile.
    pub last_answer_at: Option<DateTime<Utc>>,
    /// The failures since that answer.
    pub retry: AddressRetry,
    /// The reason of its last failure.
    pub last_error: Option<String>,
    /// The fraction of hit blocks at the last pull, as the agent would show it.
    pub fraction: Option<String>,
    /// The fraction that it showed last.
    pub peeked: Option<String>,
    /// The build that it serves, where that is not the key's.
    pub other_build: Option<Fingerprint>,
}

/// The states of addresses by key; those of a key are sorted by address.
pub(crate) type AddressStates = HashMap<KeyId, Vec<(String, AddressState)>>;

/// The pulls of a key, as they are remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScheduleRow {
    /// The next pull, and the steps until then.
    pub schedule: Schedule,
    /// The time of the last change of coverage.
    pub last_change_at: Option<DateTime<Utc>>,
    /// The time since which counters are ahead of the latest row.
    pub counts_moved_at: Option<DateTime<Utc>>,
    /// Counters were stored, and the run ended before it decided about a row.
    pub unfinished: bool,
    /// State of its elections.
    pub election: Election<BuildGroupId>,
}

/// The replicas of a key at its last pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replicas {
    /// Addresses that answered for the key, at this pull or the last one that asked them.
    pub answered: u32,
    /// Distinct addresses that were listed or asked.
    pub listed: u32,
    /// The start of that run.
    pub pulled_at: DateTime<Utc>,
}
