//! The table `[prune]`.

use std::time::Duration;

use serde::Deserialize;

use super::values::{above_zero, duration, durations, ping_url, some_whole, whole};
use crate::ping::PingUrl;

/// Settings of a prune: how dead addresses are told, and how much is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PruneConfig {
    /// Pauses between the attempts at an address that fails; there is one attempt more.
    #[serde(deserialize_with = "durations")]
    pub(crate) pauses: Vec<Duration>,
    /// When an address that was removed is probed again, counted from its removal.
    #[serde(deserialize_with = "durations")]
    pub(crate) recheck: Vec<Duration>,
    /// Requests at the same time, 1 to 1024.
    #[serde(deserialize_with = "whole::<1, 1024, _, _>")]
    pub(crate) concurrency: usize,
    /// Limit of a connection, and of silence on it.
    #[serde(deserialize_with = "above_zero")]
    pub(crate) timeout: Duration,
    /// Limit of a whole run.
    #[serde(deserialize_with = "above_zero")]
    pub(crate) deadline: Option<Duration>,
    /// URL to which runs are reported.
    #[serde(deserialize_with = "ping_url")]
    pub(crate) ping: Option<PingUrl>,
    /// Number of runs in which an address has to fail; `None`: as many as its failure asks for.
    #[serde(deserialize_with = "some_whole::<1, 1000, _, _>")]
    pub(crate) confirm_runs: Option<u32>,
    /// Time over which an address has to fail; `None`: as long as its failure asks for.
    #[serde(deserialize_with = "duration")]
    pub(crate) confirm_over: Option<Duration>,
    /// Whether an address that was removed by mistake is registered again.
    pub(crate) restore: bool,
    /// The newest so many profiles of a key stay, whatever their age.
    #[serde(deserialize_with = "whole::<0, 1_000_000, _, _>")]
    pub(crate) keep: usize,
    /// Profiles of so many days stay, however many.
    #[serde(deserialize_with = "whole::<0, 36_500, _, _>")]
    pub(crate) keep_days: u32,
    /// Offline keys and data set aside go when so old; `None`: never.
    #[serde(deserialize_with = "above_zero")]
    pub(crate) drop_keys_older_than: Option<Duration>,
}

impl Default for PruneConfig {
    fn default() -> Self {
        Self {
            pauses: [500, 2000].map(Duration::from_millis).to_vec(),
            recheck: [0, 5, 30].map(Duration::from_secs).to_vec(),
            concurrency: 64,
            timeout: Duration::from_secs(4),
            deadline: None,
            ping: None,
            confirm_runs: None,
            confirm_over: None,
            restore: true,
            keep: 10,
            keep_days: 30,
            drop_keys_older_than: None,
        }
    }
}
