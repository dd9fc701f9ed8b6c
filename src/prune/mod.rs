//! The engine of `prune`: it probes the addresses that the centers list, removes dead ones, restores those that were
//! removed by mistake, and deletes old history.
//!
//! A run probes first, without the lock ([`probe_round`]), and then works under it ([`run`]). Each step returns its
//! outcome; what a later error could hide is an event ([`event`]). Nothing here prints.

pub(crate) mod event;
pub(crate) mod outcome;
pub(crate) mod probe;
pub(crate) mod probe_round;
pub(crate) mod removal;
pub(crate) mod retention;
pub(crate) mod run;
pub(crate) mod watch;

mod center_removal;
mod function_dates;
mod registration;
mod rename;

use chrono::{DateTime, Utc};

use crate::config::{PruneConfig, PullConfig};
use crate::fleet::app_group::AppGroup;
use crate::fleet::removal::RemovalOptions;
use crate::fleet::retention::RetentionRules;
use crate::names::Naming;

/// Values that the steps of a run share.
#[derive(Clone, Copy)]
pub(crate) struct PruneInputs<'a> {
    pub(crate) naming: &'a Naming,
    /// The groups of the configuration.
    pub(crate) groups: &'a [AppGroup],
    pub(crate) centers: &'a [String],
    pub(crate) prune: &'a PruneConfig,
    pub(crate) pull: &'a PullConfig,
    pub(crate) options: RemovalOptions,
    /// `None` where the stored history is let alone.
    pub(crate) keep: Option<RetentionRules>,
    /// When the run began.
    pub(crate) now: DateTime<Utc>,
}
