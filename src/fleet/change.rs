//! The changes of stored records, decided without the database.

use chrono::{DateTime, Utc};

use super::build_group::BuildGroupStatus;
use super::generation::LastAnswer;
use super::ids::{BuildGroupId, GenerationId, KeyId, RowId, ServiceId, StructureId};
use super::liveness::Suspicion;
use super::records::{AddressState, Key, Replicas, ScheduleRow};
use super::row::NewRow;
use super::snapshot::Jump;
use super::tombstone::Tombstone;
use crate::profile::{Fingerprint, Mode};

/// A change, decided without the database.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A run began.
    RunStarted(DateTime<Utc>),
    /// Something was said that is said once, at this time.
    Told(&'static str, DateTime<Utc>),
    /// The run came to its end.
    RunEnded(DateTime<Utc>),
    /// A key that was not known.
    Key(KeyId, Key),
    /// Values of a key that could not be read any more, as its names have them.
    KeyMended(KeyId, Key),
    /// A name that was not known, or that reads as another key now.
    Service {
        /// Of the name.
        id: ServiceId,
        /// As registered.
        name: String,
        /// The key that its data belongs to.
        key: KeyId,
        /// `''` where the name fits no pattern.
        branch: String,
        /// When it was first seen.
        seen_at: DateTime<Utc>,
    },
    /// A pull without names asks these centers, and no others.
    CentersAsked {
        /// Their URLs.
        urls: Vec<String>,
        /// When.
        at: DateTime<Utc>,
    },
    /// A center answered.
    CenterListed {
        /// Its URL.
        url: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// An address stands under a name, where it did not stand before.
    Listed {
        /// The name.
        service: ServiceId,
        /// As registered.
        address: String,
        /// URL of the center.
        center: String,
        /// Its place among the addresses of the name.
        position: usize,
        /// Since when.
        at: DateTime<Utc>,
    },
    /// An address stands no longer under a name.
    Unlisted {
        /// The name.
        service: ServiceId,
        /// As registered.
        address: String,
        /// Since when.
        at: DateTime<Utc>,
    },
    /// A block structure that was not known.
    Structure {
        /// Of the structure.
        id: StructureId,
        /// Of its build.
        fingerprint: Fingerprint,
        /// As [`crate::profile::encode_build`] writes it.
        data: Vec<u8>,
    },
    /// A structure that could not be read any more, as [`crate::profile::encode_build`] writes it.
    StructureMended(StructureId, Vec<u8>),
    /// A build group that was not known.
    BuildGroup {
        /// Of the build group.
        id: BuildGroupId,
        /// Its key.
        key: KeyId,
        /// When it was first seen.
        at: DateTime<Utc>,
    },
    /// The role of a build group for its key.
    BuildGroupStatus(BuildGroupId, BuildGroupStatus),
    /// All counters of a structure belong to another build group of the key.
    StructureMoved {
        /// Of the structure.
        structure: StructureId,
        /// The build group that they leave.
        from: BuildGroupId,
        /// The build group that they move to.
        to: BuildGroupId,
    },
    /// A process was pulled for the first time.
    GenerationOpened {
        /// Of the generation.
        id: GenerationId,
        /// The build group that takes its counters.
        build_group: BuildGroupId,
        /// Block structure of the program that it runs.
        structure: StructureId,
        /// Its address, in its normal form; `None` for a sum of closed ones.
        address: Option<String>,
        /// How it counts.
        mode: Mode,
        /// When.
        at: DateTime<Utc>,
        /// As [`crate::profile::encode_counts`] writes them.
        counts: Vec<u8>,
        /// How to know the answer again whose counters these are.
        answer: Option<LastAnswer>,
    },
    /// Counters of a generation moved.
    GenerationMoved {
        /// Of the generation.
        id: GenerationId,
        /// How it counts.
        mode: Mode,
        /// When.
        at: DateTime<Utc>,
        /// As [`crate::profile::encode_counts`] writes them.
        counts: Vec<u8>,
        /// How to know the answer again, where these are its very counters.
        answer: Option<LastAnswer>,
    },
    /// The counters that are stored came again, in an answer that looks like this.
    AnswerRemembered(GenerationId, LastAnswer),
    /// A generation is over.
    GenerationClosed(GenerationId, DateTime<Utc>),
    /// A generation that was found to be over goes on.
    GenerationReopened(GenerationId),
    /// The counts of a generation may be those of several processes.
    GenerationMixed(GenerationId),
    /// A generation was added to a sum and is to go.
    GenerationFolded(GenerationId),
    /// A snapshot was taken in.
    SnapshotTaken {
        /// The text that tells it from every other snapshot.
        identity: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// Snapshots that were taken in before this are known no longer.
    SnapshotsForgotten(DateTime<Utc>),
    /// The clock of this machine went back.
    ClockWentBack(Jump),
    /// A key of which nothing was ever stored is to go, with its names.
    NeverPulledForgotten(KeyId),
    /// How an address of a key answers.
    Address {
        /// Of the key.
        key: KeyId,
        /// In its normal form ([`crate::address::normal_form`]).
        address: String,
        /// All that is remembered of it.
        state: AddressState,
    },
    /// Counters of a key were stored, and no decision about a row was made yet.
    Unfinished(KeyId),
    /// The pulls of a key, as they are remembered after a decision about a row.
    Schedule(KeyId, ScheduleRow),
    /// A new row; it becomes the latest of its key.
    Row(Box<NewRow>),
    /// The file of a row was written again, perhaps with higher counts.
    FileWritten {
        /// Of the row.
        row: RowId,
        /// Of the canonical text.
        counts_digest: Fingerprint,
        /// Its length.
        bytes: u64,
    },
    /// How many replicas of a key answered at its last pull.
    Replicas(KeyId, Replicas),
    /// An address failed.
    Suspected {
        /// In its normal form ([`crate::address::normal_form`]).
        address: String,
        /// All that is remembered of its failures.
        suspicion: Suspicion,
    },
    /// An address answers, or is gone.
    Unsuspected(String),
    /// An address is about to be removed.
    TombstoneAdded(Tombstone),
    /// A tombstone is no longer needed.
    TombstoneRemoved(Tombstone),
    /// The process at an address under a name will not come back.
    Closed {
        /// The name, as registered.
        service: String,
        /// In its normal form ([`crate::address::normal_form`]).
        address: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// The file of a row is to go.
    RowDropped(RowId, DateTime<Utc>),
    /// All counters of a build group are to go.
    BuildGroupDropped(BuildGroupId),
    /// Structures that no counters refer to any more are to go.
    StructuresSwept,
    /// All data of a key is to go; its rows are marked, and stay for the trend.
    KeyDropped(KeyId, DateTime<Utc>),
}
