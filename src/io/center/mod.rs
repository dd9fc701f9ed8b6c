//! HTTP: the list of a goc center, and the answers of single agents.
//!
//! No other module opens a connection. Agents are asked directly, never through the center, whose merged profile blocks
//! on one hung agent, is silently partial with `force`, and fails if builds differ. No answer is trusted before it was
//! read to its framed end.

mod answer;
mod coverage;
mod coverage_json;
mod date;
mod dial;
mod error;
mod kind;
mod list;
mod options;
mod ping;
mod probe;
mod raw;
mod registry;

pub(crate) use answer::IncomingAnswer;
pub(crate) use coverage::{AgentHeaders, AskedFor, CoverageAnswer};
pub(crate) use error::HttpError;
pub(crate) use options::RequestOptions;
pub(crate) use probe::ProbeEffort;

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use answer::Buffers;
use dial::{AddressFilter, TargetCheck};
use error::{is_before_proxy, transport, transport_to};
use rustix::fs::OFlags;
use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::{Connector as _, DefaultConnector};
use ureq::{Agent, Body, Proxy, RequestBuilder};

use crate::io::clock::Deadline;
use crate::profile::{Limits, ParseError};

/// Reads a file of certificates. A pipe could keep the run waiting, and a device could have no end.
fn read_certificates(path: &Path) -> io::Result<Vec<u8>> {
    /// The file of a system has less than 300 KiB.
    const MOST_BYTES: u64 = 16 << 20;
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut text)?;
    match text.len() as u64 > MOST_BYTES {
        true => Err(io::Error::other(format!("it is longer than {MOST_BYTES} bytes"))),
        false => Ok(text),
    }
}

/// Returns the trusted authorities: those of the file, if one is configured, else those of the system.
///
/// If the system has none, as in an empty image, the authorities of the public web are trusted.
fn authorities(file: Option<&Path>) -> Result<RootCerts, HttpError> {
    if let Some(path) = file {
        let unreadable = |reason| HttpError::Authorities { path: path.to_owned(), reason };
        let text = read_certificates(path).map_err(|error| unreadable(error.to_string()))?;
        let items: Result<Vec<PemItem<'_>>, ureq::Error> = parse_pem(&text).collect();
        let certificate = |item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        };
        let items = items.map_err(|error| unreadable(error.to_string()))?;
        let certificates: Vec<Certificate<'_>> = items.into_iter().filter_map(certificate).collect();
        if certificates.is_empty() {
            return Err(unreadable(
                "it holds no certificate between -----BEGIN CERTIFICATE----- lines".to_owned(),
            ));
        }
        return Ok(RootCerts::new_with_certs(&certificates));
    }
    let store = openssl_probe::probe();
    Ok(match store.cert_file.is_some() || !store.cert_dir.is_empty() {
        true => RootCerts::PlatformVerifier,
        false => RootCerts::WebPki,
    })
}

/// Speaks HTTP to centers and agents; shared by threads.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Asks listed addresses.
    agent: Agent,
    /// Asks configured URLs: centers, and a dead-man's switch.
    configured: Agent,
    options: RequestOptions,
    deadline: Deadline,
    buffers: Arc<Buffers>,
}

impl Client {
    /// Prepares connections; sends nothing yet. Fails if the proxy is no URL, or the authorities cannot be read.
    pub(crate) fn new(options: &RequestOptions) -> Result<Self, HttpError> {
        let proxy = match &options.proxy {
            Some(url) => Some(Proxy::new(url).map_err(|_| HttpError::BadProxy(url.clone()))?),
            None => None,
        };
        let authorities = authorities(options.ca.as_deref())?;
        let config = |whole: Duration| {
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .proxy(proxy.clone())
                .tls_config(TlsConfig::builder().root_certs(authorities.clone()).build())
                .user_agent(concat!("goc-watchdog/", env!("CARGO_PKG_VERSION")))
                .accept_encoding("identity")
                .max_idle_connections(options.concurrency)
                .max_idle_connections_per_host(1)
                // A larger buffer would leave the processor's cache on its way to the parser.
                .input_buffer_size(64 << 10)
                .output_buffer_size(4 << 10)
                .timeout_connect(Some(options.connect_timeout))
                .timeout_per_read(Some(options.read_timeout))
                .timeout_global(Some(whole))
                .build()
        };
        let agent_with = |filter: AddressFilter, whole| {
            let connector = TargetCheck(filter.clone()).chain(DefaultConnector::default());
            Agent::with_parts(config(whole), connector, filter)
        };
        let center_timeout = options.center_timeout.min(options.timeout);
        Ok(Self {
            agent: agent_with(AddressFilter::for_agents(options), options.timeout),
            configured: agent_with(AddressFilter::for_configured(options), center_timeout),
            options: RequestOptions { center_timeout, ..options.clone() },
            deadline: Deadline::NONE,
            buffers: Arc::default(),
        })
    }

    /// Returns the same client, whose requests end with the deadline.
    #[must_use]
    pub(crate) fn until(&self, deadline: Deadline) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Returns the bounds of an answer.
    pub(crate) fn limits(&self) -> Limits {
        self.options.limits
    }

    /// Lets a request to a listed address end with the deadline.
    fn bounded<Any>(&self, request: RequestBuilder<Any>) -> RequestBuilder<Any> {
        self.ended_within(self.options.timeout, request)
    }

    /// Lets a request to a configured URL end with the deadline.
    fn bounded_configured<Any>(&self, request: RequestBuilder<Any>) -> RequestBuilder<Any> {
        self.ended_within(self.options.center_timeout, request)
    }

    fn ended_within<Any>(&self, whole: Duration, request: RequestBuilder<Any>) -> RequestBuilder<Any> {
        /// Shortest timeout: zero would mean no limit.
        const MIN_TIMEOUT: Duration = Duration::from_millis(1);
        match self.deadline.left().filter(|left| *left < whole) {
            Some(left) => request.config().timeout_global(Some(left.max(MIN_TIMEOUT))).build(),
            None => request,
        }
    }

    /// Breaks off all requests that are under way, on any thread.
    pub(crate) fn shutdown(&self) {
        self.agent.clone().shutdown();
        self.configured.clone().shutdown();
    }

    /// Returns the error for a request to a URL that failed below HTTP. It names the proxy if that was not reached.
    fn failed(&self, url: &str, error: &ureq::Error) -> HttpError {
        match &self.options.proxy {
            Some(proxy) if is_before_proxy(error) => {
                let why = match transport(error) {
                    HttpError::Unreachable(why) => why,
                    other => other.to_string(),
                };
                HttpError::Proxy { url: proxy.clone(), why }
            }
            _ => transport_to(url, error),
        }
    }

    fn text(&self, response: Response<Body>) -> Result<Vec<u8>, HttpError> {
        let mut text = Vec::new();
        let mut body = response.into_body().into_reader().take(self.options.limits.max_bytes + 1);
        body.read_to_end(&mut text).map_err(|error| transport(&error.into()))?;
        if text.len() as u64 > self.options.limits.max_bytes {
            return Err(ParseError::TooLong { limit: self.options.limits.max_bytes }.into());
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_holds_authorities_and_its_name_is_quoted() {
        let home = tempfile::tempdir().unwrap();
        let pipe = home.path().join("p\u{1b}.pem");
        #[expect(clippy::disallowed_methods, reason = "a pipe of a test")]
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let error = |path: &Path| authorities(Some(path)).unwrap_err().to_string();
        let expected = format!(
            "cannot read \"{}/p\\u{{1b}}.pem\": it is no regular file (ca in [tls])",
            home.path().display()
        );
        assert_eq!(error(&pipe), expected);
        assert_eq!(
            error(Path::new("/dev/zero")),
            "cannot read \"/dev/zero\": it is no regular file (ca in [tls])"
        );
    }
}
