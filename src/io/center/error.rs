//! The errors of requests.

use std::io;
use std::path::PathBuf;

use ureq::Timeout;

use crate::address::{BadAddress, MistypedCenter, by_other_scheme, shown_url};
use crate::fleet::center_list::ListCut;
use crate::memory::MemoryExhausted;
use crate::profile::gocover::DataError;
use crate::profile::{ParseError, ReadError};

/// A request failed, or its answer is not the expected one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The address cannot be dialled.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The URL of a center has a usual mistake.
    #[error(transparent)]
    Center(#[from] MistypedCenter),
    /// The authorities to trust cannot be read.
    #[error("cannot read {path:?}: {reason} (ca in [tls])")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// A clause.
        reason: String,
    },
    /// The proxy is no URL.
    #[error(
        "\"{}\" is not a proxy, expected a URL such as \"http://proxy:3128\" (--proxy, or proxy in [pull])",
        shown_url(.0)
    )]
    BadProxy(String),
    /// No connection to the proxy.
    #[error("no connection to the proxy \"{}\" (--proxy, or proxy in [pull]): {why}", shown_url(url))]
    Proxy {
        /// URL of the proxy.
        url: String,
        /// A clause.
        why: String,
    },
    /// No connection.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The server speaks https and was asked by http, or the reverse.
    #[error("it speaks {}: {url}", url.split(':').next().unwrap_or_default())]
    OtherScheme {
        /// The URL by which it answers.
        url: String,
    },
    /// The answer does not begin as HTTP does, for example because the server speaks TLS.
    #[error("answered without HTTP; if it speaks https, its URL is {url}")]
    NoHttp {
        /// The same URL with https.
        url: String,
    },
    /// The request took too long.
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
    /// The answer has neither a length nor chunks, so a cut answer would look complete.
    #[error("answered without Content-Length or chunks, so a cut answer would look complete")]
    NoFraming,
    /// The answer is compressed, which was not requested.
    #[error("answered with the content encoding {0:?}, which was not requested")]
    Encoded(String),
    /// The answer ended early or the connection broke.
    #[error("the answer was cut short: {0}")]
    Cut(String),
    /// The answer is complete, and no profile.
    #[error(transparent)]
    NotAProfile(#[from] ParseError),
    /// The answer is complete, and not the one of a goc center.
    #[error("not a goc center: {0}")]
    NotACenter(String),
    /// The agent serves Go's binary coverage data, and no text.
    #[error("serves Go's binary coverage data, as agents of the kind coverport do, and no text profile")]
    Coverport,
    /// The agent can give no counters of its program.
    #[error("answered {status}: {way}")]
    NoCounters {
        /// HTTP status.
        status: u16,
        /// The reason and the next step.
        way: &'static str,
    },
    /// The answer is complete, and no JSON of an agent of the kind coverport.
    #[error("not the JSON in which agents of the kind coverport answer: {0}")]
    NotCoverage(String),
    /// The answer holds no coverage data of Go, or damaged data.
    #[error("bad coverage data: {0}")]
    Data(#[from] DataError),
    /// The answer does not fit together.
    #[error("{0}")]
    Contradiction(&'static str),
    /// The process runs another program than the one by which it is listed.
    #[error("{0}; the next pull lists it anew")]
    OtherProgram(String),
    /// The center lists more than the limits allow.
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
    Memory(#[from] MemoryExhausted),
    /// The output failed to take the profile.
    #[error("cannot write the profile: {0}")]
    Output(io::Error),
}

impl HttpError {
    /// Tells that something answers at the address, but not as an agent of the kind that was asked.
    pub(crate) fn is_of_another_kind(&self) -> bool {
        matches!(self, Self::Status { .. } | Self::NotCoverage(_) | Self::Coverport)
    }
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

/// Tells whether a request through a proxy failed before the proxy was reached. The proxy itself answers for an address
/// that it cannot reach.
pub(super) fn is_before_proxy(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound | ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => true,
        ureq::Error::Io(error) => {
            let is_cut = matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
            );
            // An error of TLS is of the address, and has the kind of data that cannot be read.
            !is_cut && error.kind() != io::ErrorKind::InvalidData
        }
        _ => false,
    }
}

/// Returns the error for a failure below HTTP of a request to a URL; see [`transport`].
pub(super) fn transport_to(url: &str, error: &ureq::Error) -> HttpError {
    // A server of http answers the start of TLS with an error in plain text.
    const NO_TLS: &str = "received corrupt message of type InvalidContentType";
    const NO_HTTP: &str = "http parse fail: invalid HTTP version";
    match by_other_scheme(url) {
        Some(other) if other.starts_with("http:") && error.to_string().ends_with(NO_TLS) => {
            HttpError::OtherScheme { url: other }
        }
        Some(other) if other.starts_with("https:") && error.to_string().ends_with(NO_HTTP) => {
            HttpError::NoHttp { url: other }
        }
        _ => transport(error),
    }
}

/// Returns the error if an answer of HTTP is that of a server of https, which was asked without TLS.
pub(super) fn asked_without_tls(url: &str, status: u16, body: &[u8]) -> Option<HttpError> {
    // The words of Go's net/http, of nginx and of Apache.
    const SAID: [&str; 3] =
        ["HTTP request to an HTTPS server", "sent to HTTPS port", "plain HTTP to an SSL-enabled"];
    let body = String::from_utf8_lossy(body);
    let is_said = status == 400 && SAID.iter().any(|said| body.contains(said));
    let url = by_other_scheme(url).filter(|url| is_said && url.starts_with("https:"))?;
    Some(HttpError::OtherScheme { url })
}

/// Returns the error for a failure below HTTP, in the words of the person who has to repair it.
pub(super) fn transport(error: &ureq::Error) -> HttpError {
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
            _ => HttpError::Unreachable(with_trusted(error.to_string())),
        },
        ureq::Error::Other(refused) => HttpError::Unreachable(refused.to_string()),
        other => HttpError::Cut(other.to_string()),
    }
}

/// Adds which authorities are trusted to the reason for which a certificate is not.
fn with_trusted(why: String) -> String {
    match why.starts_with("invalid peer certificate") {
        true => {
            format!(
                "{why}; trusted are the authorities in the file of ca in [tls], or else those of the system"
            )
        }
        false => why,
    }
}

/// Returns the start of an answer, for a message.
pub(super) fn excerpt(text: &[u8]) -> String {
    const MAX_BYTES: usize = 120;
    let text = text.trim_ascii();
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut found = String::from_utf8_lossy(&line[..line.len().min(MAX_BYTES)]).into_owned();
    if text.len() > found.len() {
        found.push('…');
    }
    found
}
