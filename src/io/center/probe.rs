//! The probe: one attempt to find out whether an agent answers at an address, with the meaning of each failure.
//!
//! The first bytes of an answer are enough to recognise an agent (a fraction, the mode line of a profile, the first keys
//! of the JSON with Go's binary data), or a header is. A failure after them (a limit, a cut, a line that does not parse,
//! contradictory framing) does not count against it.

use std::io::{self, Read};

use ureq::http::Response;
use ureq::unversioned::transport::{Connector as _, DefaultConnector};
use ureq::{Agent, Body, Timeout};

use super::Client;
use super::answer::fraction_of;
use super::coverage::AgentHeaders;
use super::dial::{AddressFilter, TargetCheck, UnresolvedName};
use super::error::{HttpError, transport};
use super::raw::{RecordedAnswer, RecordingConnector};
use crate::address::{BadAddress, base_url};
use crate::fleet::liveness::{Finding, ProbeFinding};
use crate::profile::gocover::DataHeader;

/// Path of the first call, whose answer is the shortest.
const COVERAGE: &str = "/v1/cover/coverage";
const PROFILE: &str = "/v1/cover/profile";
/// The first bytes of each profile.
const MODE: &[u8] = b"mode: ";
/// Paths of Go's binary coverage data: without the part that makes it long, and for an agent that refuses the query.
const BINARY: [&str; 2] = ["/coverage?nometa=1", "/coverage"];
/// Keys of that JSON, of which its start has at least one. An agent that always sends its meta may write the meta first.
const BINARY_KEYS: [&str; 4] =
    ["\"meta_data\"", "\"meta_filename\"", "\"counters_filename\"", "\"counters_data\""];
/// Length of the start of an answer, enough for a fraction, for the mode line of a profile and for the first keys.
const HEAD_BYTES: usize = 64;

/// The cost that an attempt may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeEffort {
    /// A silent address is asked only for its fraction.
    Quick,
    /// A silent address is also asked for its profile, and may be silent for as long again.
    Thorough,
}

/// The start of an answer.
struct AnswerStart {
    status: u16,
    bytes: Vec<u8>,
    /// A header says that an agent of the kind coverport answers, whatever the path and the status.
    is_coverport: bool,
}

impl AnswerStart {
    /// Reads until the answer can be recognised, even if it breaks off or never ends.
    fn read(response: Response<Body>) -> Result<Self, ureq::Error> {
        let status = response.status().as_u16();
        if AgentHeaders::read(response.headers()).is_coverport {
            // The header is enough, and the body may be cut or never come.
            return Ok(Self { status, bytes: Vec::new(), is_coverport: true });
        }
        let mut body = response.into_body().into_reader();
        let mut bytes = vec![0; HEAD_BYTES];
        let mut length = 0;
        while length < HEAD_BYTES && !bytes[..length].starts_with(MODE) {
            match body.read(&mut bytes[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if length == 0 => return Err(error.into()),
                Err(_) => break,
            }
        }
        bytes.truncate(length);
        Ok(Self { status, bytes, is_coverport: false })
    }

    fn is_fraction(&self) -> bool {
        self.is_coverport || (self.status == 200 && fraction_of(&self.bytes).is_some())
    }

    fn is_profile(&self) -> bool {
        self.is_coverport || self.bytes.starts_with(MODE)
    }

    /// Tells whether it is a file with Go's counters.
    fn is_counters(&self) -> bool {
        let is_file = || matches!(DataHeader::from_bytes(&self.bytes), Ok(DataHeader::Counters(_)));
        self.is_coverport || (self.status == 200 && is_file())
    }

    /// Tells whether it is the JSON with Go's binary coverage data.
    fn is_binary(&self) -> bool {
        let start = String::from_utf8_lossy(&self.bytes);
        let is_json = self.status == 200 && start.trim_start().starts_with('{');
        self.is_coverport || (is_json && BINARY_KEYS.iter().any(|key| start.contains(key)))
    }
}

impl Client {
    /// Connects to an address and finds out whether an agent answers there.
    ///
    /// An agent of goc gives its fraction of hit blocks; one that lacks this call gives its profile. An agent of Go's binary
    /// data shows itself by a header, or by that data.
    #[must_use]
    pub(crate) fn probe(&self, address: &str, effort: ProbeEffort) -> ProbeFinding {
        let base = match base_url(address) {
            Ok(base) => base,
            Err(bad) => return undialled(&bad),
        };
        let coverage = match self.head(&base, COVERAGE) {
            Ok(head) if head.is_fraction() => return ProbeFinding::alive(),
            Ok(head) => ProbeFinding {
                finding: Finding::Silent,
                detail: format!("does not answer as goc ({})", head.status),
            },
            Err(error) => match self.failure(&error) {
                failure if failure.finding == Finding::Silent && effort == ProbeEffort::Thorough => failure,
                failure => return failure,
            },
        };
        let profile = match self.head(&base, PROFILE) {
            Ok(head) if head.is_profile() => return ProbeFinding::alive(),
            Ok(head) => {
                // Something speaks HTTP there, so that a few more requests take no time.
                let is_binary = |path| self.head(&base, path).is_ok_and(|head| head.is_binary());
                if self.shows_coverport(&base) || BINARY.into_iter().any(is_binary) {
                    return ProbeFinding::alive();
                }
                ProbeFinding { finding: Finding::Silent, detail: format!("answered {}", head.status) }
            }
            Err(error) => self.failure(&error),
        };
        ProbeFinding {
            finding: coverage.finding.min(profile.finding),
            detail: format!("{}; its profile: {}", coverage.detail, profile.detail),
        }
    }

    /// Tells whether an agent raw answers at an address with Go's counters below a path.
    #[must_use]
    pub(crate) fn serves_counters(&self, address: &str, path: &str) -> bool {
        let Ok(base) = base_url(address) else { return false };
        self.head(&base, path).is_ok_and(|head| head.is_counters())
    }

    /// Asks for the start of an answer: by GET, or by POST if an agent allows nothing else.
    fn head(&self, base: &str, path: &str) -> Result<AnswerStart, ureq::Error> {
        let url = format!("{base}{path}");
        // The connection is closed at once: thousands of addresses are asked once each.
        let head =
            self.head_of(|agent| self.bounded(agent.get(&url)).header("Connection", "close").call())?;
        if head.status != 405 {
            return Ok(head);
        }
        self.head_of(|agent| {
            let request = self.bounded(agent.post(&url)).header("Connection", "close");
            request.content_type("application/json").send("{}")
        })
    }

    /// Asks, and if the answer breaks the rules of HTTP, asks once more for the bytes as they come.
    fn head_of(
        &self,
        ask: impl Fn(&Agent) -> Result<Response<Body>, ureq::Error>,
    ) -> Result<AnswerStart, ureq::Error> {
        let head = ask(&self.agent).and_then(AnswerStart::read);
        let Err(error @ (ureq::Error::Protocol(_) | ureq::Error::BodyStalled)) = head else { return head };
        let (filter, recorder) = (AddressFilter::for_agents(&self.options), RecordingConnector::default());
        let connector =
            TargetCheck(filter.clone()).chain(DefaultConnector::default()).chain(recorder.clone());
        // The request fails as before; the recorder has the bytes that came.
        let _ = ask(&Agent::with_parts(self.agent.config().clone(), connector, filter));
        recorder
            .answer()
            .map(|RecordedAnswer { status, headers, body }| AnswerStart {
                status,
                bytes: body,
                is_coverport: AgentHeaders::read(&headers).is_coverport,
            })
            .ok_or(error)
    }

    fn failure(&self, error: &ureq::Error) -> ProbeFinding {
        let finding = match finding(error) {
            // The failure may be the one of the proxy.
            Finding::Refused | Finding::Unreachable | Finding::Unresolved if self.options.proxy.is_some() => {
                Finding::Withheld
            }
            finding => finding,
        };
        ProbeFinding { finding, detail: transport(error).to_string() }
    }
}

/// Returns the result for an address that is not dialled. It counts against the address only if nobody could dial it.
fn undialled(bad: &BadAddress) -> ProbeFinding {
    let finding = if bad.is_possible { Finding::Withheld } else { Finding::Unresolved };
    ProbeFinding { finding, detail: HttpError::from(bad.clone()).to_string() }
}

/// Returns the finding of an error. Only known errors count against the address, because errors on this side (files,
/// ports, a firewall, trust in a certificate) are of many kinds.
fn finding(error: &ureq::Error) -> Finding {
    use io::ErrorKind;
    match error {
        ureq::Error::Timeout(Timeout::Connect) => Finding::Unreachable,
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => Finding::Silent,
        ureq::Error::HostNotFound => Finding::Unresolved,
        ureq::Error::Other(other) if other.is::<UnresolvedName>() => Finding::Unresolved,
        ureq::Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => Finding::Refused,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::TimedOut => {
                Finding::Unreachable
            }
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::InvalidData => Finding::Silent,
            _ => Finding::Withheld,
        },
        _ => Finding::Withheld,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: io::ErrorKind) -> Finding {
        finding(&ureq::Error::Io(kind.into()))
    }

    #[test]
    fn failures_are_told_apart() {
        assert_eq!(found(io::ErrorKind::ConnectionRefused), Finding::Refused);
        assert_eq!(found(io::ErrorKind::HostUnreachable), Finding::Unreachable);
        assert_eq!(found(io::ErrorKind::ConnectionReset), Finding::Silent);
        assert_eq!(finding(&ureq::Error::Timeout(Timeout::Connect)), Finding::Unreachable);
        assert_eq!(finding(&ureq::Error::Timeout(Timeout::PerRead)), Finding::Silent);
        assert_eq!(finding(&ureq::Error::HostNotFound), Finding::Unresolved);
    }

    #[test]
    fn a_fault_on_this_side_does_not_count_against_an_address() {
        // EMFILE, EADDRNOTAVAIL, EPERM: no files left, no ports left, a firewall of this host.
        for code in [24, 99, 1] {
            assert_eq!(finding(&ureq::Error::Io(io::Error::from_raw_os_error(code))), Finding::Withheld);
        }
        assert_eq!(finding(&ureq::Error::Tls("no trust")), Finding::Withheld);
        let refused = crate::config::AddressPolicy::default().check([169, 254, 0, 1].into()).unwrap_err();
        assert_eq!(finding(&ureq::Error::Other(Box::new(refused))), Finding::Withheld);
    }

    #[test]
    fn an_address_that_nobody_could_dial_is_unlike_one_that_we_do_not() {
        let found = |address| undialled(&base_url(address).unwrap_err()).finding;
        assert_eq!(found("http://127.0.0.1:99999"), Finding::Unresolved);
        assert_eq!(found("10.0.0.1"), Finding::Unresolved);
        assert_eq!(found("http://u:p@10.0.0.1:80"), Finding::Withheld);
    }
}
