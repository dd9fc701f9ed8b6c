//! The settings by which a pull decides.

use std::time::Duration;

use super::schedule::{Retry, Steps};
use crate::config::{ChangeRule, PullConfig};

/// Settings by which a pull decides.
#[derive(Clone, Debug)]
pub(crate) struct PullRules {
    pub(crate) change: ChangeRule,
    /// Another build may take the place of the one that a key shows.
    pub(crate) adopt: bool,
    /// The beginning of the fingerprint that a person gave.
    pub(crate) adopt_by_hand: Option<String>,
    pub(crate) steps: Steps,
    pub(crate) retry: Retry,
    pub(crate) row_at_least_every: Duration,
}

impl PullRules {
    /// Takes the settings of a configuration.
    pub(crate) fn from_config(config: &PullConfig) -> Self {
        Self {
            change: config.change,
            adopt: config.adopt,
            adopt_by_hand: None,
            steps: config.steps.clone(),
            retry: config.retry.clone(),
            row_at_least_every: config.row_at_least_every,
        }
    }
}
