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
    /// When it was first seen there, or seen again.
    pub listed_at: DateTime<Utc>,
    /// Whether it stands there still.
    pub listed: bool,
    /// When it was found to stand there no longer.
    pub unlisted_at: Option<DateTime<Utc>>,
}

/// A center that was asked by a pull without names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AskedCenter {
    /// When it was asked last.
    pub asked_at: DateTime<Utc>,
    /// The last such pull asked it.
    pub is_latest: bool,
}

/// How an address of a key has been answering.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddressState {
    /// When it last answered with a profile.
    pub last_answer_at: Option<DateTime<Utc>>,
    /// Its failures since then.
    pub retry: AddressRetry,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// Its fraction of hit blocks at the last pull, as its agent would show it.
    pub fraction: Option<String>,
    /// The fraction that it showed last.
    pub peeked: Option<String>,
    /// The build it serves, where that is not the key's.
    pub other_build: Option<Fingerprint>,
}

/// How addresses have been answering, by key; those of a key sorted by address.
pub(crate) type AddressStates = HashMap<KeyId, Vec<(String, AddressState)>>;

/// The pulls of a key, as they are remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScheduleRow {
    /// When it is due.
    pub schedule: Schedule,
    /// When coverage last changed.
    pub last_change_at: Option<DateTime<Utc>>,
    /// Since when counters are ahead of the latest row.
    pub counts_moved_at: Option<DateTime<Utc>>,
    /// Counters were stored, and the run ended before it decided about a row.
    pub unfinished: bool,
    /// State of its elections.
    pub election: Election<BuildGroupId>,
}

/// How many replicas of a key answered at its last pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replicas {
    /// Addresses that answered for the key, at this pull or the last one that asked them.
    pub answered: u32,
    /// Distinct addresses that were listed or asked.
    pub listed: u32,
    /// When the run began.
    pub pulled_at: DateTime<Utc>,
}
