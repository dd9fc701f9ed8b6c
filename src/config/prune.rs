//! The table `[prune]`.

use std::time::Duration;

use serde::Deserialize;

use super::values::{above_zero, duration, durations, ping_url, some_whole, whole};
use crate::ping::PingUrl;

/// Settings of a prune: the rules for dead addresses, and the history to keep.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PruneConfig {
    /// Pauses between the attempts at an address that fails. The number of attempts is one more.
    #[serde(deserialize_with = "durations")]
    pub(crate) pauses: Vec<Duration>,
    /// Times at which a removed address is probed again, counted from its removal.
    #[serde(deserialize_with = "durations")]
    pub(crate) recheck: Vec<Duration>,
    /// Number of requests at the same time, 1 to 1024.
    #[serde(deserialize_with = "whole::<1, 1024, _, _>")]
    pub(crate) concurrency: usize,
    /// Time limit of connecting, and of silence on a connection.
    #[serde(deserialize_with = "above_zero")]
    pub(crate) timeout: Duration,
    /// Time limit of a run.
    #[serde(deserialize_with = "above_zero")]
    pub(crate) deadline: Option<Duration>,
    /// URL to which runs are reported.
    #[serde(deserialize_with = "ping_url")]
    pub(crate) ping: Option<PingUrl>,
    /// Number of runs in which an address has to fail; `None` for the default of its kind of failure.
    #[serde(deserialize_with = "some_whole::<1, 1000, _, _>")]
    pub(crate) confirm_runs: Option<u32>,
    /// Time over which an address has to fail; `None` for the default of its kind of failure.
    #[serde(deserialize_with = "duration")]
    pub(crate) confirm_over: Option<Duration>,
    /// Addresses that were removed by mistake are registered again.
    pub(crate) restore: bool,
    /// Number of the newest profiles of a key that stay at any age.
    #[serde(deserialize_with = "whole::<0, 1_000_000, _, _>")]
    pub(crate) keep: usize,
    /// Number of days for which all profiles stay.
    #[serde(deserialize_with = "whole::<0, 36_500, _, _>")]
    pub(crate) keep_days: u32,
    /// Age at which offline keys and data set aside are deleted; `None` keeps them.
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
