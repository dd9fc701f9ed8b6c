//! Pings to a dead-man's switch.

use std::time::Duration;

use super::Client;
use super::error::{HttpError, transport};
use super::list::ListLimits;
use super::options::RequestOptions;
use crate::config::AddressPolicy;
use crate::ping::{Ping, PingUrl};
use crate::profile::Limits;

/// Time limit of a ping: a run must not wait for a service that only listens.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Client {
    /// Prepares connections to a dead-man's switch.
    pub(crate) fn for_pings(proxy: Option<String>, policy: AddressPolicy) -> Result<Self, HttpError> {
        Self::new(&RequestOptions {
            connect_timeout: TIMEOUT,
            read_timeout: TIMEOUT,
            timeout: TIMEOUT,
            center_timeout: TIMEOUT,
            limits: Limits::default(),
            list_limits: ListLimits { max_names: 0, max_addresses: 0 },
            proxy,
            ca: None,
            proxy_resolves: false,
            policy,
            centers: Vec::new(),
            host_addresses: Vec::new(),
            concurrency: 1,
        })
    }

    /// Sends a ping about a run. The URL is a secret, so an error has no more of it than the host: neither the answer,
    /// which may quote the URL, nor the target of a redirect.
    pub(crate) fn ping(&self, url: &PingUrl, ping: Ping) -> Result<(), HttpError> {
        let response = self.configured.get(url.with(ping)).header("Connection", "close").call();
        let status = match response {
            Ok(response) => response.status().as_u16(),
            Err(ureq::Error::BadUri(_) | ureq::Error::Http(_)) => {
                return Err(HttpError::Unreachable("not a URL".to_owned()));
            }
            // The error text may quote a header.
            Err(ureq::Error::Protocol(_)) => return Err(HttpError::Cut("not an answer of HTTP".to_owned())),
            Err(error) => return Err(transport(&error)),
        };
        match status {
            200..300 => Ok(()),
            status => Err(HttpError::Status { status, body: String::new() }),
        }
    }
}
