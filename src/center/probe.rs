//! Whether anybody is there: one attempt, and what its failure says.

use std::io;

use ureq::Timeout;

use super::{Client, HttpError, LookupFailed, transport};
use crate::address::{BadAddress, base_url};
use crate::liveness::{Finding, Probe};

/// One attempt at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It answers as goc does, with this fraction of blocks that were hit.
    Fraction(String),
    /// It answers something else; some agents do not have this call.
    Other(u16),
    /// It does not answer.
    Failed(Probe),
}

impl Client {
    /// Connects to an address and asks it for its fraction of hit blocks.
    #[must_use]
    pub fn attempt(&self, address: &str) -> Attempt {
        let base = match base_url(address) {
            Ok(base) => base,
            Err(bad) => return Attempt::Failed(undialled(&bad)),
        };
        // Closed at once: thousands of addresses are asked once each.
        let asked = self.agent.get(format!("{base}/v1/cover/coverage")).header("Connection", "close").call();
        let response = match asked {
            Ok(response) => response,
            Err(error) => return Attempt::Failed(self.failure(&error)),
        };
        let status = response.status().as_u16();
        match Self::fraction_in(response) {
            Ok(Some(fraction)) => Attempt::Fraction(fraction),
            Ok(None) => Attempt::Other(status),
            Err(error) => Attempt::Failed(self.failure(&error)),
        }
    }

    fn failure(&self, error: &ureq::Error) -> Probe {
        let finding = match finding(error) {
            // A proxy that is away says nothing about who is behind it.
            Finding::Refused | Finding::Unreachable | Finding::Unresolved if self.has_proxy => {
                Finding::Withheld
            }
            finding => finding,
        };
        Probe { finding, detail: transport(error).to_string() }
    }
}

/// What is not dialled is no word against an address, unless nobody could dial it.
fn undialled(bad: &BadAddress) -> Probe {
    let finding = if bad.is_possible { Finding::Withheld } else { Finding::Unresolved };
    Probe { finding, detail: HttpError::from(bad.clone()).to_string() }
}

/// Tells apart what an error says about the address. Only what is known to is a word against it: an error
/// on this side (files, ports, a firewall, trust in a certificate) comes in many kinds.
fn finding(error: &ureq::Error) -> Finding {
    use io::ErrorKind;
    match error {
        ureq::Error::Timeout(Timeout::Connect) => Finding::Unreachable,
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => Finding::Silent,
        ureq::Error::HostNotFound => Finding::Unresolved,
        ureq::Error::Other(other) if other.is::<LookupFailed>() => Finding::Unresolved,
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
    fn a_fault_of_ours_is_no_word_against_an_address() {
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
