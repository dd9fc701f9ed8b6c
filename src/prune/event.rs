//! The events of a run: the command that started it tells of each at once, because a later error may end the run.

use crate::collect::mending::MendingOutcome;
use crate::io::store::Damage;
use crate::io::workdir::{Swept, WorkdirError};

/// An event of a run.
pub(crate) enum PruneEvent<'e> {
    /// A center dropped addresses that answer, and that nobody named.
    Dropped { center: &'e str, count: usize },
    /// A link stands in the place of a folder of profiles, which is not swept.
    LinkInTheWay(&'e WorkdirError),
    /// The sweep waits for readers of stored files.
    WaitsForReaders,
    /// Files were swept.
    Swept(&'e Swept),
    /// Scratch files could not be removed.
    ScratchLeft(&'e [WorkdirError]),
    /// Stored values could not be read.
    Damaged(&'e [Damage]),
    /// Stored profiles were looked at.
    Mended(&'e MendingOutcome),
}

/// The receiver of events.
pub(crate) type OnEvent<'a> = &'a dyn Fn(PruneEvent<'_>);
