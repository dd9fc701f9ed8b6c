//! The state of a key as it is stored before its pull.

use std::collections::{BTreeMap, HashMap};

use super::build_group::BuildGroup;
use super::ids::LifeId;
use super::process::Process;
use super::records::{LastAnswer, Life};
use super::row::RowStats;
use crate::profile::Fingerprint;
use crate::profile::gocover::MetaHash;

/// The stored state of a key, without structures. A key that is not stored yet has none of it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct StoredKey {
    /// The oldest first.
    pub(crate) build_groups: Vec<BuildGroup>,
    /// The oldest first.
    pub(crate) lives: Vec<Life>,
    /// Last answers of lives whose stored counters are those of that answer.
    pub(crate) answers: HashMap<LifeId, LastAnswer>,
    /// Processes of lives, where agents told them.
    pub(crate) processes: HashMap<LifeId, Process>,
    /// Hash and SHA-256 of each meta that processes served or left.
    pub(crate) metas: Vec<(MetaHash, Fingerprint)>,
    /// The figures of the newest row.
    pub(crate) latest: Option<RowStats>,
    /// Lives that moved since they were settled with what processes left, with their encoded counters of then; `None`: the
    /// life is new since then.
    pub(crate) unsettled: BTreeMap<LifeId, Option<Vec<u8>>>,
    /// The encoded counters of open lives, as far as they were read ahead.
    pub(crate) counts: HashMap<LifeId, Vec<u8>>,
}
