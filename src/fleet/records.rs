//! The records of keys, names and addresses that every part of the program uses.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::election::Election;
use super::ids::{BuildGroupId, KeyId, LifeId, ServiceId, StructureId};
use super::schedule::{AddressRetry, Schedule};
use super::targets::TargetFacts;
use crate::names::{Naming, ParsedName};
use crate::profile::{Fingerprint, Mode};

/// The center or the source of targets that lists an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lister {
    /// The URL of the center.
    Center(Arc<str>),
    /// The name of the source.
    Targets(Arc<str>),
}

impl Lister {
    /// Returns the URL of a center; `None` for a source of targets.
    pub(crate) fn center(&self) -> Option<&str> {
        match self {
            Self::Center(url) => Some(url),
            Self::Targets(_) => None,
        }
    }

    /// Returns the name of a source of targets; `None` for a center.
    pub(crate) fn targets(&self) -> Option<&str> {
        match self {
            Self::Center(_) => None,
            Self::Targets(name) => Some(name),
        }
    }
}

/// The identity of stored coverage: env, region, app and commit. Names that differ only in the branch share a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// Empty when the name fits no pattern.
    pub env: String,
    /// Empty when the name fits no pattern.
    pub region: String,
    /// The whole name when it fits no pattern.
    pub app: String,
    /// Empty when the name fits no pattern.
    pub commit: String,
}

impl Key {
    /// Returns the key of states of targets that have no service yet. No service has it, because each has an app.
    #[must_use]
    pub(crate) fn of_unplaced() -> Self {
        Self::default()
    }

    /// Returns the key of a registered name.
    pub(crate) fn from_name(name: &str, naming: &Naming) -> Self {
        Self::from_parsed(&naming.parse(name))
    }

    /// Returns the key of a parsed name, without its branch.
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
pub(crate) struct StoredService {
    pub id: ServiceId,
    /// The text as it was registered, or the stored form of a target's fields
    /// ([`ServiceFields::stored`](super::targets::ServiceFields::stored)).
    pub name: String,
    /// The name holds fields, which no rule for names reads.
    pub has_fields: bool,
    /// The key to which the name's data belongs, and its branch, which is empty when the name fits no pattern; `None`
    /// when either cannot be read.
    pub place: Option<(KeyId, String)>,
}

/// An address that is or was listed under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedAddress {
    pub service: ServiceId,
    /// The text as it was registered.
    pub address: Arc<str>,
    pub lister: Lister,
    /// The description of the process by a source of targets; `None`: a center lists the address.
    pub facts: Option<Arc<TargetFacts>>,
    /// The time at which it was first seen there, or seen again.
    pub listed_at: DateTime<Utc>,
    /// The lister still has the address.
    pub listed: bool,
    /// The time at which a pull found that the lister no longer has it.
    pub unlisted_at: Option<DateTime<Utc>>,
}

/// A center that was asked by a pull without names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AskedCenter {
    /// The time of the last such pull.
    pub asked_at: DateTime<Utc>,
    /// The last such pull asked this center.
    pub is_latest: bool,
}

/// A source of targets that pulls were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownSource {
    /// The time of the last pull without names that was given it.
    pub asked_at: Option<DateTime<Utc>>,
    /// Its place, from 1, among the sources of the last such pull; 0: that pull was not given it.
    pub place: u32,
    /// The time at which its list was last read.
    pub last_listed_at: Option<DateTime<Utc>>,
}

/// The answers and failures of an address for one key.
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
    /// The fraction that the last successful peek found.
    pub peeked: Option<String>,
    /// The build that it serves, if that is not the build of the key.
    pub other_build: Option<Fingerprint>,
}

/// The states of addresses by key; those of a key are sorted by address.
pub(crate) type AddressStates = HashMap<KeyId, Vec<(String, AddressState)>>;

/// The stored schedule of a key's pulls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScheduleRow {
    pub schedule: Schedule,
    /// The time of the last change of coverage.
    pub last_change_at: Option<DateTime<Utc>>,
    /// The time since which the stored counters are newer than the latest row.
    pub counts_moved_at: Option<DateTime<Utc>>,
    /// A run stored counters and ended before it decided about a row.
    pub unfinished: bool,
    pub election: Election<BuildGroupId>,
}

/// The replicas of a key at its last pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replicas {
    /// Number of addresses whose last answer was of this key.
    pub answered: u32,
    /// Number of distinct addresses that were listed or asked.
    pub listed: u32,
    /// Start of the run.
    pub pulled_at: DateTime<Utc>,
}

/// Counters at one address, without the counts: the life of one process, a mixture of several, or the sum of closed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub id: LifeId,
    /// The build group to which its counters belong.
    pub build_group: BuildGroupId,
    /// The block structure of the program that runs, or ran.
    pub structure: StructureId,
    /// Address in its normal form; `None` for a sum of closed lives.
    pub address: Option<String>,
    /// Counter mode of the program.
    pub mode: Mode,
    /// Time of the first pull.
    pub opened_at: DateTime<Utc>,
    /// Time of the last pull that found changed counters.
    pub pulled_at: DateTime<Utc>,
    /// Time at which it was found to have ended.
    pub closed_at: Option<DateTime<Utc>>,
    /// Its counts may belong to several processes of this address, which may have lives of their own, too.
    pub is_mixture: bool,
}

/// An answer, remembered so that a repetition of it is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastAnswer {
    /// The fraction of hit blocks, in the form in which the agent shows it.
    pub fraction: String,
    /// The digest as [`crate::profile::AnswerDigest::encode`] writes it.
    pub answer_digest: Vec<u8>,
}
