//! The schedule of the watch over removed addresses.

use std::time::Duration;

/// The next step for an address that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchStep {
    /// The next probe is not due yet.
    Wait,
    /// A probe is due.
    Probe,
    /// All probes were made.
    End,
}

impl WatchStep {
    /// Decides by how many probes were made, and by the time since the removal. `recheck` holds the time of each probe,
    /// counted from the removal.
    pub(crate) fn new(probes: usize, since_removal: Duration, recheck: &[Duration]) -> Self {
        match recheck.get(probes) {
            None => Self::End,
            Some(after) if since_removal >= *after => Self::Probe,
            Some(_) => Self::Wait,
        }
    }
}
