//! HTTP: the goc center's list, and what single agents answer.
//!
//! This is the only room that opens a connection. Agents are asked directly, never through the center,
//! whose merged profile blocks on one hung agent, is silently partial with `force`, and fails where
//! builds differ. Everything that comes back is hostile until it has been read to its framed end.

mod dial;
mod list;
mod ping;
mod probe;
mod raw;
mod registry;

pub(crate) use list::ListLimits;
pub(crate) use probe::Effort;

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dial::{AddressFilter, CenterItself, LookupFailed, TargetCheck};
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::{Connector as _, DefaultConnector};
use ureq::{Agent, Body, BodyReader, Proxy, RequestBuilder, Timeout};

use crate::address::{BadAddress, base_url};
use crate::config::{AddressPolicy, PullConfig};
use crate::fleet::center_list::{CenterList, ListCut, ListedService};
use crate::io::clock::Deadline;
use crate::memory::{NoRoom, Reservation};
use crate::profile::{
    AnswerDigest, Limits, ParseError, ParsedAnswer, PreviousAnswer, ReadError, Reader, Template,
};

/// How requests are made.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// For the connection, name resolution included.
    pub connect_timeout: Duration,
    /// Longest silence within an answer.
    pub read_timeout: Duration,
    /// For a whole request with its answer.
    pub timeout: Duration,
    /// The same for what is configured: a center, or a dead-man's switch. `timeout` holds for it, too.
    pub center_timeout: Duration,
    /// Bounds of an answer.
    pub limits: Limits,
    /// Bounds of what a center lists.
    pub list_limits: ListLimits,
    /// Only if asked for; the environment's proxies are never used.
    pub proxy: Option<String>,
    /// Listed names are asked through the proxy that this host cannot resolve.
    pub proxy_resolves: bool,
    /// Which addresses may be dialled.
    pub policy: AddressPolicy,
    /// URLs of the centers, which are no processes.
    pub centers: Vec<String>,
    /// Addresses of this host, at which a center on this host can be reached.
    pub host_addresses: Vec<IpAddr>,
    /// How many requests run at the same time.
    pub concurrency: usize,
}

impl Options {
    /// Returns those of a configuration.
    #[must_use]
    pub(crate) fn of(config: &PullConfig) -> Self {
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
            proxy_resolves: config.proxy_resolves,
            policy: config.policy.clone(),
            centers: Vec::new(),
            host_addresses: Vec::new(),
            concurrency: config.concurrency,
        }
    }
}

/// A request failed, or its answer is not what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The address cannot be dialled.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// No connection.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("timed out ({0})")]
    TimedOut(&'static str),
    /// The answer has another status than 200.
    #[error("answered {status}{}", quoted(body))]
    Status {
        /// HTTP status.
        status: u16,
        /// The start of the body.
        body: String,
    },
    /// The answer has neither a length nor chunks, so its end cannot be told from a cut.
    #[error("answered without Content-Length or chunks, so a cut could not be told from its end")]
    NoFraming,
    /// The answer is compressed, which was not asked for.
    #[error("answered with the content encoding {0:?}, which was not asked for")]
    Encoded(String),
    /// The answer ended early or the connection broke.
    #[error("the answer was cut short: {0}")]
    Cut(String),
    /// The answer is complete, and no profile.
    #[error(transparent)]
    NotAProfile(#[from] ParseError),
    /// The answer is complete, and not what a goc center says.
    #[error("not a goc center: {0}")]
    NotACenter(String),
    /// The center lists more than is taken.
    #[error("{0}")]
    ListTooLong(ListCut),
    /// The center speaks the protocol of goc v2.
    #[error(
        "this center speaks the protocol of goc v2, whose agents can only be asked through it; \
         goc-watchdog needs a center of goc v1 (github.com/qiniu/goc, release v1.4)"
    )]
    Version2,
    /// There is no memory to decode the answer.
    #[error(transparent)]
    Memory(#[from] NoRoom),
    /// What was received could not be passed on.
    #[error("cannot write the profile: {0}")]
    Output(io::Error),
}

impl From<ReadError> for HttpError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Parse(error) => error.into(),
            ReadError::Memory(error) => error.into(),
            ReadError::Io(error) => transport(&error.into()),
        }
    }
}

fn quoted(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body:?}") }
}

/// An agent's answer on its way in; its head was read.
pub(crate) struct Incoming<'a> {
    /// Taken when it is dropped.
    reader: Option<Reader<BodyReader<'static>>>,
    buffers: &'a Buffers,
}

impl Incoming<'_> {
    /// Reads on while the answer is the one that this digest was taken of; tells whether it is.
    pub(crate) fn repeats(&mut self, last: &AnswerDigest) -> Result<bool, HttpError> {
        self.reader().repeats(last).map_err(HttpError::from)
    }

    /// Reads it to its end; see [`Reader::understand`].
    pub(crate) fn understand(
        &mut self,
        known: &[Arc<Template>],
        last: Option<&PreviousAnswer<'_>>,
        seed: u64,
    ) -> Result<ParsedAnswer, HttpError> {
        self.reader().understand(known, last, seed).map_err(HttpError::from)
    }

    /// Bounds what is decoded by this reservation.
    pub(crate) fn reserve(&mut self, reservation: Reservation) {
        self.reader().reserve(reservation);
    }

    /// Returns the reservation of what was decoded.
    pub(crate) fn take_reservation(&mut self) -> Option<Reservation> {
        self.reader().take_reservation()
    }

    /// Tells whether a part of it was recognised, so that the last answer is needed to understand it.
    #[must_use]
    pub(crate) fn recognised_any(&self) -> bool {
        self.reader.as_ref().is_some_and(Reader::recognised_any)
    }

    /// Returns the size of the text that came so far.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.reader.as_ref().map_or(0, Reader::bytes)
    }

    fn reader(&mut self) -> &mut Reader<BodyReader<'static>> {
        self.reader.as_mut().expect("taken only when dropped")
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.buffers.put(reader.into_buffer());
        }
    }
}

/// Buffers that answers are read into, kept for the next; as many as were in use at the same time.
#[derive(Debug, Default)]
struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// One that a long section has blown up is not kept.
    const LARGEST_KEPT: usize = 1 << 20;

    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn put(&self, buffer: Vec<u8>) {
        if buffer.len() <= Self::LARGEST_KEPT {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        }
    }
}

/// Returns whose certificates are believed: the system's authorities, and where it has none, as in an empty
/// image, those of the public web.
fn authorities() -> RootCerts {
    let store = openssl_probe::probe();
    match store.cert_file.is_some() || !store.cert_dir.is_empty() {
        true => RootCerts::PlatformVerifier,
        false => RootCerts::WebPki,
    }
}

/// Speaks HTTP to centers and agents; shared by threads.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Asks listed addresses.
    agent: Agent,
    /// Asks what is configured: centers, and a dead-man's switch.
    configured: Agent,
    options: Options,
    deadline: Deadline,
    buffers: Arc<Buffers>,
}

impl Client {
    /// Prepares connections; nothing is sent yet. Fails on a proxy that is not a URL.
    pub(crate) fn new(options: &Options) -> Result<Self, HttpError> {
        let proxy = match &options.proxy {
            Some(url) => Some(Proxy::new(url).map_err(|_| BadAddress {
                address: url.clone(),
                fault: "a proxy must be a URL such as http://proxy:3128",
                is_possible: false,
            })?),
            None => None,
        };
        let config = |whole: Duration| {
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .proxy(proxy.clone())
                .tls_config(TlsConfig::builder().root_certs(authorities()).build())
                .user_agent(concat!("goc-watchdog/", env!("CARGO_PKG_VERSION")))
                .accept_encoding("identity")
                .max_idle_connections(options.concurrency)
                .max_idle_connections_per_host(1)
                // More would only leave the processor's cache on its way to the parser.
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
            options: Options { center_timeout, ..options.clone() },
            deadline: Deadline::NONE,
            buffers: Arc::default(),
        })
    }

    /// Returns the same client, whose requests end with the deadline.
    #[must_use]
    pub(crate) fn until(&self, deadline: Deadline) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Lets a request to a listed address end with the deadline.
    fn bounded<Any>(&self, request: RequestBuilder<Any>) -> RequestBuilder<Any> {
        self.ended_within(self.options.timeout, request)
    }

    /// Lets a request to what is configured end with the deadline.
    fn bounded_there<Any>(&self, request: RequestBuilder<Any>) -> RequestBuilder<Any> {
        self.ended_within(self.options.center_timeout, request)
    }

    fn ended_within<Any>(&self, whole: Duration, request: RequestBuilder<Any>) -> RequestBuilder<Any> {
        /// None at all would mean without end.
        const LEAST: Duration = Duration::from_millis(1);
        match self.deadline.left().filter(|left| *left < whole) {
            Some(left) => request.config().timeout_global(Some(left.max(LEAST))).build(),
            None => request,
        }
    }

    /// Breaks off all requests that are under way, on whichever thread.
    pub(crate) fn shutdown(&self) {
        self.agent.clone().shutdown();
        self.configured.clone().shutdown();
    }

    /// Asks a center what it lists; fails where that is more than the limits let through.
    pub(crate) fn list(&self, center: &str) -> Result<Vec<ListedService>, HttpError> {
        let CenterList { services, cut } = self.list_known_first(center, None, &|_| false)?;
        match cut {
            None => Ok(services),
            Some(cut) => Err(HttpError::ListTooLong(cut)),
        }
    }

    /// Asks a center what it lists; of a list beyond the limits what is known comes first.
    ///
    /// `within` bounds the request where it is shorter than the timeout.
    pub(crate) fn list_known_first(
        &self,
        center: &str,
        within: Option<Duration>,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Result<CenterList, HttpError> {
        let base = base_url(center)?;
        let request = self.bounded_there(self.configured.get(format!("{base}/v1/cover/list")));
        let request = match within.filter(|within| *within < self.options.center_timeout) {
            Some(within) => request.config().timeout_global(Some(within)).build(),
            None => request,
        };
        let response = request.call().map_err(|error| transport(&error))?;
        let status = response.status().as_u16();
        if status == 200 {
            return list::read(
                response.into_body().into_reader(),
                self.options.limits.max_bytes,
                self.options.list_limits,
                is_known,
            );
        }
        let text = self.text(response)?;
        match status {
            404 if self.is_version_2(&base) => return Err(HttpError::Version2),
            404 => return Err(HttpError::NotACenter(format!("{base}/v1/cover/list is not found (404)"))),
            _ => {}
        }
        Err(HttpError::Status { status, body: excerpt(&text) })
    }

    fn is_version_2(&self, base: &str) -> bool {
        let request = self.bounded_there(self.configured.get(format!("{base}/v2/agents")));
        let Ok(response) = request.call() else { return false };
        let Ok(text) = self.text(response) else { return false };
        serde_json::from_slice::<serde_json::Value>(&text).is_ok_and(|json| json["items"].is_array())
    }

    /// Asks the process at `address` for its profile.
    pub(crate) fn profile(&self, address: &str) -> Result<Incoming<'_>, HttpError> {
        let Opened { body, is_sized } = self.open(address)?;
        let mut reader = Reader::new(body, self.options.limits, self.buffers.take());
        if is_sized {
            reader.trust_end();
        }
        Ok(Incoming { reader: Some(reader), buffers: &self.buffers })
    }

    /// Passes the profile of the process at `address` on to `out`, as it comes, and returns its size.
    ///
    /// Fails as reading it from [`Self::profile`] does, after what came until then was written.
    pub(crate) fn raw(&self, address: &str, out: &mut impl Write) -> Result<u64, HttpError> {
        let Opened { body, is_sized } = self.open(address)?;
        let mut tee = Tee { inner: Counted { inner: body, bytes: 0 }, out, failed: None };
        let mut reader = Reader::new(&mut tee, self.options.limits, Vec::new());
        if is_sized {
            reader.trust_end();
        }
        let read = reader.understand(&[], None, 0);
        drop(reader);
        if let Some(error) = tee.failed {
            return Err(HttpError::Output(error));
        }
        read.map(|_| tee.inner.bytes).map_err(HttpError::from)
    }

    /// Asks the process at `address` for its fraction of covered blocks, a few bytes.
    ///
    /// `None` where it answers something else: not every agent has this call.
    pub(crate) fn fraction(&self, address: &str) -> Result<Option<String>, HttpError> {
        let url = format!("{}/v1/cover/coverage", base_url(address)?);
        match self.agent.get(&url).call() {
            Err(error) if is_center_itself(&error) => match Self::fraction_by(&self.configured, &url) {
                Ok(Some(fraction)) => Ok(Some(fraction)),
                _ => Err(transport(&error)),
            },
            answer => Self::fraction_in(answer),
        }
    }

    fn fraction_by(agent: &Agent, url: &str) -> Result<Option<String>, HttpError> {
        Self::fraction_in(agent.get(url).call())
    }

    fn fraction_in(answer: Result<Response<Body>, ureq::Error>) -> Result<Option<String>, HttpError> {
        let response = answer.map_err(|e| transport(&e))?;
        let is_answer = response.status() == 200;
        let mut text = Vec::new();
        let mut body = response.into_body().into_reader().take(64);
        body.read_to_end(&mut text).map_err(|error| transport(&error.into()))?;
        Ok(fraction_of(&text).filter(|_| is_answer).map(str::to_owned))
    }

    /// Opens the answer with the profile: by GET, by POST where an agent allows nothing else.
    fn open(&self, address: &str) -> Result<Opened, HttpError> {
        let base = base_url(address)?;
        let url = format!("{base}/v1/cover/profile");
        let mut agent = &self.agent;
        let mut answer = self.bounded(agent.get(&url)).call();
        // A center has no coverage call, so one that answers it is a process as well.
        if answer.as_ref().is_err_and(is_center_itself)
            && let Ok(Some(_)) = Self::fraction_by(&self.configured, &format!("{base}/v1/cover/coverage"))
        {
            agent = &self.configured;
            answer = self.bounded(agent.get(&url)).call();
        }
        let mut response = answer.map_err(|e| transport(&e))?;
        if response.status() == 405 {
            response = self
                .bounded(agent.post(&url))
                .content_type("application/json")
                .send("{}")
                .map_err(|e| transport(&e))?;
        }
        let status = response.status().as_u16();
        if status != 200 {
            let location = response.headers().get("location").and_then(|to| to.to_str().ok());
            let body = match location.filter(|_| (300..400).contains(&status)) {
                Some(to) => format!("redirects are not followed, this one goes to {to}"),
                None => self.text(response).map(|text| excerpt(&text)).unwrap_or_default(),
            };
            return Err(HttpError::Status { status, body });
        }
        let headers = response.headers();
        if let Some(encoding) = headers.get("content-encoding").filter(|encoding| *encoding != "identity") {
            return Err(HttpError::Encoded(String::from_utf8_lossy(encoding.as_bytes()).into_owned()));
        }
        if !headers.contains_key("content-length") && !headers.contains_key("transfer-encoding") {
            return Err(HttpError::NoFraming);
        }
        let is_sized = headers.contains_key("content-length") && !headers.contains_key("transfer-encoding");
        Ok(Opened { body: response.into_body().into_reader(), is_sized })
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

/// Tells whether a request was refused because it would have gone to a configured center.
fn is_center_itself(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Other(refused) if refused.is::<CenterItself>())
}

/// Returns the fraction of hit blocks that a text is.
fn fraction_of(text: &[u8]) -> Option<&str> {
    let text = str::from_utf8(text).ok()?.trim();
    let is_fraction = text.parse::<f64>().is_ok_and(|fraction| (0.0..=1.0).contains(&fraction));
    is_fraction.then_some(text)
}

/// Says what went wrong below HTTP in the words of the person who has to mend it.
fn transport(error: &ureq::Error) -> HttpError {
    match error {
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => HttpError::TimedOut("no connection"),
        ureq::Error::Timeout(Timeout::PerRead) => HttpError::TimedOut("connected, then silent"),
        ureq::Error::Timeout(_) => HttpError::TimedOut("the whole answer took too long"),
        ureq::Error::HostNotFound => HttpError::Unreachable("no such host".to_owned()),
        ureq::Error::Io(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof => HttpError::Cut("the connection was closed early".to_owned()),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                HttpError::Cut("the connection was reset".to_owned())
            }
            io::ErrorKind::ConnectionRefused => HttpError::Unreachable("connection refused".to_owned()),
            _ => HttpError::Unreachable(error.to_string()),
        },
        ureq::Error::Other(refused) => HttpError::Unreachable(refused.to_string()),
        other => HttpError::Cut(other.to_string()),
    }
}

fn excerpt(text: &[u8]) -> String {
    const LONGEST: usize = 120;
    let text = text.trim_ascii();
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut found = String::from_utf8_lossy(&line[..line.len().min(LONGEST)]).into_owned();
    if text.len() > found.len() {
        found.push('…');
    }
    found
}

struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// An answer with a profile, of which the head was read.
struct Opened {
    body: BodyReader<'static>,
    /// Whether its head tells its length: reading fails where it ends before. An agent that breaks off while it
    /// sends chunks may end them as if that were all.
    is_sized: bool,
}

/// Writes what it reads; a failure to write ends the reading and is kept apart from one to read.
struct Tee<'a, R, W> {
    inner: R,
    out: &'a mut W,
    failed: Option<io::Error>,
}

impl<R: Read, W: Write> Read for Tee<'_, R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let Err(error) = self.out.write_all(&buffer[..read]) {
            self.failed = Some(error);
            return Err(io::Error::other("the output failed"));
        }
        Ok(read)
    }
}
