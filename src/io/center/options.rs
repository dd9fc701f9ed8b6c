//! Options of requests.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::list::ListLimits;
use crate::config::{AddressPolicy, PullConfig};
use crate::profile::Limits;

/// Options of requests.
#[derive(Clone, Debug)]
pub(crate) struct RequestOptions {
    /// Time limit of the connection, name resolution included.
    pub connect_timeout: Duration,
    /// Longest silence within an answer.
    pub read_timeout: Duration,
    /// Time limit of a whole request with its answer.
    pub timeout: Duration,
    /// Time limit of a request to a configured URL: a center, or a dead-man's switch. `timeout` holds for it, too.
    pub center_timeout: Duration,
    /// Bounds of an answer.
    pub limits: Limits,
    /// Bounds of a center's list.
    pub list_limits: ListLimits,
    /// Proxy from the configuration; those of the environment are never used.
    pub proxy: Option<String>,
    /// File with the authorities to trust in place of those of the system.
    pub ca: Option<PathBuf>,
    /// Host names that this host cannot resolve are left to the proxy.
    pub proxy_resolves: bool,
    /// Rules for addresses that may be dialled.
    pub policy: AddressPolicy,
    /// URLs of the centers, which must not be asked as processes.
    pub centers: Vec<String>,
    /// Addresses of this host, by which a center on this host can be reached.
    pub host_addresses: Vec<IpAddr>,
    /// Number of requests at the same time.
    pub concurrency: usize,
}

impl RequestOptions {
    /// Returns the options of a configuration.
    #[must_use]
    pub(crate) fn from_config(config: &PullConfig) -> Self {
        Self {
            connect_timeout: config.connect_timeout,
            read_timeout: config.read_timeout,
            timeout: config.timeout,
            center_timeout: config.center_timeout,
            list_limits: ListLimits { max_names: config.max_names, max_addresses: config.max_addresses },
            limits: Limits {
                max_bytes: config.max_body_bytes,
                max_files: config.max_files,
                max_blocks: config.max_blocks,
                ..Limits::default()
            },
            proxy: config.proxy.clone(),
            ca: None,
            proxy_resolves: config.proxy_resolves,
            policy: config.policy.clone(),
            centers: Vec::new(),
            host_addresses: Vec::new(),
            concurrency: config.concurrency,
        }
    }
}
