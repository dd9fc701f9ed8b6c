//! The changes of stored records, as the decisions return them and the database carries them out.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::build_group::BuildGroupStatus;
use super::ids::{BuildGroupId, KeyId, LifeId, RowId, ServiceId, StructureId};
use super::liveness::Suspicion;
use super::process::Process;
use super::records::LastAnswer;
use super::records::{AddressState, Key, Replicas, ScheduleRow};
use super::row::NewRow;
use super::snapshot::ClockJump;
use super::targets::TargetFacts;
use super::tombstone::Tombstone;
use crate::profile::gocover::MetaHash;
use crate::profile::{Fingerprint, Mode};

/// A change of stored records.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A run began.
    RunStarted(DateTime<Utc>),
    /// A message that is shown only once was shown at this time. The text identifies the message.
    Told(String, DateTime<Utc>),
    /// The run ended regularly.
    RunEnded(DateTime<Utc>),
    /// A new key.
    Key(KeyId, Key),
    /// The values of a key whose stored values were damaged, read again from its names.
    KeyMended(KeyId, Key),
    /// A new name, or a name that the configuration now parses as another key.
    Service {
        id: ServiceId,
        /// The text as it was registered.
        name: String,
        /// The key to which the name's data belongs.
        key: KeyId,
        /// Empty when the name fits no pattern.
        branch: String,
        /// The name holds a target's fields, which no rule for names reads.
        has_fields: bool,
        /// The time at which the name was first seen.
        seen_at: DateTime<Utc>,
    },
    /// A pull without names asked exactly these centers, by URL, and sources of targets, by name.
    ListersAsked { centers: Vec<String>, sources: Vec<String>, at: DateTime<Utc> },
    /// A center answered.
    CenterListed { url: String, at: DateTime<Utc> },
    /// An address is newly listed under a name.
    Listed {
        service: ServiceId,
        /// The text as it was registered.
        address: String,
        /// URL of the center.
        center: String,
        /// Position of the address in the name's list.
        position: usize,
        at: DateTime<Utc>,
    },
    /// An address is no longer listed under a name.
    Unlisted {
        service: ServiceId,
        /// The text as it was registered.
        address: String,
        at: DateTime<Utc>,
    },
    /// The list of a source of targets was read.
    SourceListed { name: String, at: DateTime<Utc> },
    /// A source of targets lists an address for a service, which it did not before, or with other facts.
    TargetListed {
        source: Arc<str>,
        service: ServiceId,
        /// In its normal form.
        address: Arc<str>,
        facts: Arc<TargetFacts>,
        /// Place in the list.
        position: usize,
        at: DateTime<Utc>,
    },
    /// A source of targets no longer lists an address for a service.
    TargetUnlisted { source: String, service: ServiceId, address: String, at: DateTime<Utc> },
    /// A new block structure.
    Structure {
        id: StructureId,
        /// Fingerprint of the build with this structure.
        fingerprint: Fingerprint,
        /// The structure as [`crate::profile::encode_build`] writes it.
        data: Vec<u8>,
    },
    /// A meta that was not known, or is served by another service, too.
    Meta {
        /// Of its content.
        sha256: Fingerprint,
        /// The hash by which counter files name the meta.
        hash: MetaHash,
        /// The structure of its build.
        structure: StructureId,
        /// The bytes of the covmeta file.
        data: Vec<u8>,
    },
    /// A meta was left in a folder of a key, or was needed again.
    MetaLeft { key: KeyId, sha256: Fingerprint, at: DateTime<Utc> },
    /// Metas that were not left or needed since then are no longer kept for counters that may come, except for the last
    /// ones of each key.
    LeftMetasForgotten(DateTime<Utc>),
    /// The lives of all programs have the builds that these globs of `agent_files` leave.
    AgentFilesFollowed {
        /// As [`crate::agent_files::AgentFiles::to_json`] returns them.
        globs: String,
        at: DateTime<Utc>,
    },
    /// A message named the agent's files that are left out of a program of this key.
    LeftOutTold {
        key: KeyId,
        /// SHA-256 of the meta.
        meta: Fingerprint,
        at: DateTime<Utc>,
    },
    /// A meta has another build, because the files of its agent are others.
    MetaRebuilt { sha256: Fingerprint, structure: StructureId },
    /// A life has another build, because the files of its agent are others.
    LifeRebuilt {
        id: LifeId,
        structure: StructureId,
        /// The counters as [`crate::profile::encode_counts`] writes them.
        counts: Vec<u8>,
        /// The counters as a process left them, where pulled lives may have a part of them.
        left: Option<Vec<u8>>,
        /// The counters that were settled last, where the life moved since.
        settled: Option<Vec<u8>>,
    },
    /// The process of a generation.
    ProcessOf(LifeId, Process),
    /// The kind of the agent at an address is another than before.
    AgentFound {
        /// In its normal form.
        address: String,
        /// The agent is of the kind coverport, else of goc.
        is_coverport: bool,
    },
    /// A structure whose stored value was damaged, as [`crate::profile::encode_build`] writes it.
    StructureMended(StructureId, Vec<u8>),
    /// A new build group.
    BuildGroup {
        id: BuildGroupId,
        key: KeyId,
        /// The time at which the build group was first seen.
        at: DateTime<Utc>,
    },
    /// A build group has another status in its key.
    BuildGroupStatus(BuildGroupId, BuildGroupStatus),
    /// All counters of a structure move to another build group of the key.
    StructureMoved {
        structure: StructureId,
        /// The build group that the counters leave.
        from: BuildGroupId,
        /// The build group to which the counters move.
        to: BuildGroupId,
    },
    /// A process was pulled for the first time.
    LifeOpened {
        id: LifeId,
        /// The build group to which the counters belong.
        build_group: BuildGroupId,
        /// Block structure of the program that the process runs.
        structure: StructureId,
        /// Address in its normal form; `None` for a sum of closed lives.
        address: Option<String>,
        /// Counter mode of the program.
        mode: Mode,
        at: DateTime<Utc>,
        /// `None` for a life that goes on. A life that is over is stored as closed at once: SQLite writes all of a row
        /// anew with each change, its counters included.
        closed_at: Option<DateTime<Utc>>,
        /// The counters as [`crate::profile::encode_counts`] writes them.
        counts: Vec<u8>,
        /// The answer that these counters come from, so that the same answer is recognised later.
        answer: Option<LastAnswer>,
    },
    /// Counters of a life changed.
    LifeMoved {
        id: LifeId,
        /// Counter mode of the program.
        mode: Mode,
        at: DateTime<Utc>,
        /// The counters as [`crate::profile::encode_counts`] writes them.
        counts: Vec<u8>,
        /// The answer that shows exactly these counters, so that the same answer is recognised later.
        answer: Option<LastAnswer>,
    },
    /// An answer showed the stored counters again, and is remembered in place of the earlier one.
    AnswerRemembered(LifeId, LastAnswer),
    /// A life ended.
    LifeClosed(LifeId, DateTime<Utc>),
    /// A life that was taken for ended goes on.
    LifeReopened(LifeId),
    /// The counts of a life may be those of several processes.
    LifeMixed(LifeId),
    /// A life was added to a sum and is deleted.
    LifeFolded(LifeId),
    /// A pulled life, of which a process may have left counters, is about to move or to be opened. Its counters of before
    /// stay until [`Change::LivesSettled`].
    LifeUnsettled(LifeId),
    /// All counters that were left for a key are settled with its pulled lives.
    LivesSettled(KeyId),
    /// Pulled lives may have a part of the counters that a process left.
    LeftCounts {
        /// The life that has what is counted beside those.
        life: LifeId,
        /// The counters as they were left, as [`crate::profile::encode_counts`] writes them.
        counts: Vec<u8>,
        owners: Vec<LifeId>,
    },
    /// A snapshot was taken in.
    SnapshotTaken {
        /// The text that distinguishes this snapshot from every other.
        identity: String,
        at: DateTime<Utc>,
    },
    /// A snapshot waits for something that is not there yet.
    SnapshotWaits {
        /// Its identity, which is not the one by which it is remembered when it is taken in.
        identity: String,
        /// The time at which a run saw it first.
        since: DateTime<Utc>,
    },
    /// The identities of files that were taken in before a time are deleted, and those of processes that left their last
    /// file in a folder before another one.
    SnapshotsForgotten { files: DateTime<Utc>, processes: DateTime<Utc> },
    /// The clock of this machine went back.
    ClockWentBack(ClockJump),
    /// Addresses that nobody has listed since then are forgotten, but for the last one of each service.
    UnlistedForgotten(DateTime<Utc>),
    /// A key without any stored data is deleted with its names.
    NeverPulledForgotten(KeyId),
    /// The state of an address of a key.
    Address {
        key: KeyId,
        /// Address in its normal form ([`crate::address::normal_form`]).
        address: String,
        /// The whole new state.
        state: AddressState,
    },
    /// Counters of a key were stored, and the decision about its row is still to be made.
    Unfinished(KeyId),
    /// The schedule of a key after a decision about its row.
    Schedule(KeyId, ScheduleRow),
    /// A new row, which becomes the latest of its key.
    Row(Box<NewRow>),
    /// The file of a row was written again, perhaps with higher counts.
    FileWritten {
        row: RowId,
        /// Digest of the canonical text.
        counts_digest: Fingerprint,
        /// Length of the file.
        bytes: u64,
    },
    /// The number of replicas of a key that answered at its last pull.
    Replicas(KeyId, Replicas),
    /// An address failed.
    Suspected {
        /// Address in its normal form ([`crate::address::normal_form`]).
        address: String,
        /// The failures to remember.
        suspicion: Suspicion,
    },
    /// An address answers or is not listed any more, so its failures are forgotten.
    Unsuspected(String),
    /// An address is about to be removed.
    TombstoneAdded(Tombstone),
    /// A tombstone is no longer needed.
    TombstoneRemoved(Tombstone),
    /// The process at an address of a name will not come back, so its lives are closed.
    Closed {
        /// The name as it was registered.
        service: String,
        /// Address in its normal form ([`crate::address::normal_form`]).
        address: String,
        at: DateTime<Utc>,
    },
    /// The file of a row is deleted.
    RowDropped(RowId, DateTime<Utc>),
    /// All counters of a build group are deleted.
    BuildGroupDropped(BuildGroupId),
    /// Structures to which no counters refer any more are deleted.
    StructuresSwept,
    /// All data of a key is deleted. Its rows are marked as deleted and stay for the trend.
    KeyDropped(KeyId, DateTime<Utc>),
}

impl Change {
    /// Returns the number of bytes of the counters, structures and metas in the change, which are its large parts.
    pub(crate) fn data_bytes(&self) -> usize {
        let of_answer =
            |answer: &Option<LastAnswer>| answer.as_ref().map_or(0, |answer| answer.answer_digest.len());
        match self {
            Self::LifeOpened { counts, answer, .. } | Self::LifeMoved { counts, answer, .. } => {
                counts.len() + of_answer(answer)
            }
            Self::LifeRebuilt { counts, left, settled, .. } => {
                let all = [Some(counts), left.as_ref(), settled.as_ref()];
                all.into_iter().flatten().map(Vec::len).sum()
            }
            Self::LeftCounts { counts: data, .. }
            | Self::Structure { data, .. }
            | Self::StructureMended(_, data)
            | Self::Meta { data, .. } => data.len(),
            Self::AnswerRemembered(_, answer) => answer.answer_digest.len(),
            _ => 0,
        }
    }
}
