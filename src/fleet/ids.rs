//! The ids of stored records, and the source of new ids.

use std::sync::atomic::{AtomicI64, Ordering};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) i64);
    )*};
}

ids! {
    /// Identifies a [`Key`](super::records::Key).
    KeyId,
    /// Identifies a registered name.
    ServiceId,
    /// Identifies a block structure.
    StructureId,
    /// Identifies a [`BuildGroup`](super::build_group::BuildGroup).
    BuildGroupId,
    /// Identifies a [`Life`](super::records::Life).
    LifeId,
    /// Identifies a row of the public table.
    RowId,
}

/// Hands out ids to the threads of the one process that holds the lock.
#[derive(Debug)]
pub(crate) struct IdSource {
    keys: AtomicI64,
    services: AtomicI64,
    structures: AtomicI64,
    build_groups: AtomicI64,
    lives: AtomicI64,
}

/// The highest stored id of each kind of record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HighestIds {
    pub key: i64,
    pub service: i64,
    pub structure: i64,
    pub build_group: i64,
    pub life: i64,
}

/// Begins where nothing is stored.
impl Default for IdSource {
    fn default() -> Self {
        Self::after(HighestIds::default())
    }
}

impl IdSource {
    /// Creates a source whose first ids follow the highest stored ones.
    #[must_use]
    pub(crate) fn after(highest: HighestIds) -> Self {
        let next = |last: i64| AtomicI64::new(last + 1);
        Self {
            keys: next(highest.key),
            services: next(highest.service),
            structures: next(highest.structure),
            build_groups: next(highest.build_group),
            lives: next(highest.life),
        }
    }

    /// Returns the id of the next new key.
    pub(crate) fn key(&self) -> KeyId {
        KeyId(self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the id of the next new name.
    pub(crate) fn service(&self) -> ServiceId {
        ServiceId(self.services.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the id of the next new structure.
    pub(crate) fn structure(&self) -> StructureId {
        StructureId(self.structures.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the id of the next new build group.
    pub(crate) fn build_group(&self) -> BuildGroupId {
        BuildGroupId(self.build_groups.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the id of the next new life.
    pub(crate) fn life(&self) -> LifeId {
        LifeId(self.lives.fetch_add(1, Ordering::Relaxed))
    }
}
