//! The settings for the decisions of a pull.

use std::time::Duration;

use crate::agent_files::AgentFiles;

use super::waits::{PullWaits, RetryWaits, Waits};

/// The kind of change of a service's coverage that begins a new row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ChangeRule {
    /// A block became covered.
    #[default]
    Covered,
    /// Any counter moved.
    Counts,
}

impl ChangeRule {
    pub(crate) const ALL: [Self; 2] = [Self::Covered, Self::Counts];

    /// Returns the name in the configuration and in options.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Counts => "counts",
        }
    }
}

/// Settings for the decisions of a pull.
#[derive(Clone, Debug)]
pub(crate) struct PullRules {
    pub(crate) change: ChangeRule,
    /// Another build may replace the one that a key shows.
    pub(crate) adopt: bool,
    /// The prefix of a build's fingerprint that a person gave with `--adopt`.
    pub(crate) adopt_by_hand: Option<String>,
    pub(crate) steps: PullWaits,
    pub(crate) retry: RetryWaits,
    pub(crate) row_at_least_every: Duration,
    /// The name that a person gives to the rows of now of named services.
    pub(crate) mark: Option<String>,
    /// Files that agents of Go's binary data count of themselves.
    pub(crate) agent_files: AgentFiles,
    /// Somebody reads the details of the run (`--verbose`).
    pub(crate) are_details_read: bool,
}

impl PullRules {
    pub(crate) fn waits(&self) -> Waits<'_> {
        Waits { steps: &self.steps, retry: &self.retry }
    }
}
