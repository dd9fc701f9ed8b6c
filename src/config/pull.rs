//! The table `[pull]`.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::addresses::AddressPolicy;
use super::values::{above_zero, duration, durations, expected, ping_url, size, text, whole};
use crate::agent_files::AgentFiles;
use crate::fleet::pull_rules::{ChangeRule, PullRules};
use crate::fleet::waits::{PullWaits, RetryWaits, Waits};
use crate::ping::PingUrl;

/// Settings of a pull.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PullConfig {
    /// Waits between pulls while nothing changes.
    #[serde(deserialize_with = "steps")]
    pub(crate) steps: PullWaits,
    /// Waits before an address that failed is tried again.
    #[serde(deserialize_with = "retry")]
    pub(crate) retry: RetryWaits,
    /// The kind of change that leads to a new row.
    #[serde(deserialize_with = "change_rule")]
    pub(crate) change: ChangeRule,
    /// Number of requests at the same time, 1 to 1024.
    #[serde(deserialize_with = "whole::<1, 1024, _, _>")]
    pub(crate) concurrency: usize,
    /// Time limit of a whole request with its answer.
    #[serde(deserialize_with = "above_zero")]
    pub(crate) timeout: Duration,
    /// Time limit of a whole request to a center with its answer.
    #[serde(deserialize_with = "above_zero")]
    pub(crate) center_timeout: Duration,
    /// Time limit of connecting.
    #[serde(deserialize_with = "above_zero")]
    pub(crate) connect_timeout: Duration,
    /// Longest silence within an answer.
    #[serde(deserialize_with = "above_zero")]
    pub(crate) read_timeout: Duration,
    /// Time limit of a run.
    #[serde(deserialize_with = "above_zero")]
    pub(crate) deadline: Option<Duration>,
    /// Largest size of an answer.
    #[serde(rename = "max_body", deserialize_with = "size")]
    pub(crate) max_body_bytes: u64,
    /// Largest number of names that are read of a center's list.
    #[serde(deserialize_with = "whole::<1, 100_000_000, _, _>")]
    pub(crate) max_names: usize,
    /// Largest number of addresses that are read of a center's list, for all names together.
    #[serde(deserialize_with = "whole::<1, 100_000_000, _, _>")]
    pub(crate) max_addresses: usize,
    /// Largest number of files in an answer.
    #[serde(deserialize_with = "whole::<1, 1_000_000_000, _, _>")]
    pub(crate) max_files: usize,
    /// Largest number of blocks in an answer.
    #[serde(deserialize_with = "whole::<1, 1_000_000_000, _, _>")]
    pub(crate) max_blocks: usize,
    /// Memory for all answers that are decoded at the same time.
    #[serde(rename = "memory", deserialize_with = "size")]
    pub(crate) memory_bytes: u64,
    /// URL to which runs are reported.
    #[serde(deserialize_with = "ping_url")]
    pub(crate) ping: Option<PingUrl>,
    /// The longest random wait before a run starts.
    #[serde(deserialize_with = "duration")]
    pub(crate) jitter: Option<Duration>,
    /// Services that are not due get a peek.
    pub(crate) peek: bool,
    /// A new build is adopted automatically, in a deploy or by the votes of addresses.
    pub(crate) adopt: bool,
    /// URL of the proxy.
    pub(crate) proxy: Option<String>,
    /// Listed names that this host cannot resolve are requested through the proxy.
    pub(crate) proxy_resolves: bool,
    /// The addresses that may be dialled.
    #[serde(rename = "allow_addresses")]
    pub(crate) policy: AddressPolicy,
    /// Time after which changed counts lead to a row, even without the configured kind of change.
    #[serde(deserialize_with = "duration")]
    pub(crate) row_at_least_every: Duration,
    /// Closed lives are folded into one when so old.
    #[serde(deserialize_with = "duration")]
    pub(crate) fold_after: Duration,
    /// The files of agents, which stand in the file outside of this table.
    #[serde(skip)]
    pub(crate) agent_files: AgentFiles,
}

impl Default for PullConfig {
    fn default() -> Self {
        PullConfig {
            steps: PullWaits::default(),
            retry: RetryWaits::default(),
            change: ChangeRule::default(),
            concurrency: 16,
            timeout: Duration::from_secs(120),
            center_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(20),
            deadline: None,
            max_body_bytes: 256 << 20,
            max_names: 100_000,
            max_addresses: 300_000,
            max_files: 100_000,
            max_blocks: 5_000_000,
            memory_bytes: 1 << 30,
            ping: None,
            jitter: None,
            peek: true,
            adopt: true,
            proxy: None,
            proxy_resolves: false,
            policy: AddressPolicy::default(),
            row_at_least_every: Duration::from_secs(24 * 3600),
            fold_after: Duration::from_secs(7 * 24 * 3600),
            agent_files: AgentFiles::default(),
        }
    }
}

impl PullConfig {
    /// Returns the settings by which a pull decides.
    pub(crate) fn rules(&self) -> PullRules {
        PullRules {
            change: self.change,
            adopt: self.adopt,
            adopt_by_hand: None,
            steps: self.steps.clone(),
            retry: self.retry.clone(),
            row_at_least_every: self.row_at_least_every,
            mark: None,
            agent_files: self.agent_files.clone(),
            are_details_read: false,
        }
    }

    /// Returns the waits before a pull.
    pub(crate) fn waits(&self) -> Waits<'_> {
        Waits { steps: &self.steps, retry: &self.retry }
    }
}

const A_CHANGE: &str = "\"covered\" or \"counts\"";

fn change_rule<'de, D: Deserializer<'de>>(value: D) -> Result<ChangeRule, D::Error> {
    let parse = |text: &str| ChangeRule::ALL.into_iter().find(|rule| rule.name() == text);
    text(value, A_CHANGE, |text| parse(text).ok_or_else(|| expected(A_CHANGE)))
}

fn steps<'de, D: Deserializer<'de>>(value: D) -> Result<PullWaits, D::Error> {
    PullWaits::new(durations(value)?).map_err(D::Error::custom)
}

fn retry<'de, D: Deserializer<'de>>(value: D) -> Result<RetryWaits, D::Error> {
    RetryWaits::new(durations(value)?).map_err(D::Error::custom)
}
