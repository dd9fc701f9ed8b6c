//! The kind of an agent of which nothing is known.

use std::io::Read;

use super::Client;
use super::answer::{fraction_of, is_address_of_center};
use super::coverage::AgentHeaders;
use super::error::HttpError;
use crate::address::base_url;
use crate::fleet::targets::AgentKind;

/// Longest start of an answer that may be a fraction.
const FRACTION_BYTES: usize = 64;

impl Client {
    /// Finds out the kind of the agent at an address; `None` where its answers do not show it, so that it has to be asked
    /// for a text profile.
    ///
    /// The first request is the one for the fraction of hit blocks: an agent of goc answers it with a few bytes, and one
    /// of coverport shows itself in the headers of any answer.
    pub(crate) fn find_kind(&self, address: &str) -> Result<Option<AgentKind>, HttpError> {
        let base = base_url(address)?;
        let answer = self.bounded(self.agent.get(format!("{base}/v1/cover/coverage"))).call();
        let response = match answer {
            Err(error) if is_address_of_center(&error) => return Ok(None),
            answer => answer.map_err(|error| self.failed(&base, &error))?,
        };
        if AgentHeaders::read(response.headers()).is_coverport {
            return Ok(Some(AgentKind::Coverport));
        }
        if response.status() == 200 && is_fraction(response.into_body().into_reader()) {
            return Ok(Some(AgentKind::Goc));
        }
        Ok(self.shows_coverport(&base).then_some(AgentKind::Coverport))
    }
}

/// Tells whether an answer is a fraction. An answer that breaks off or goes on without end is none; the request for a
/// profile finds out what it is.
fn is_fraction(mut body: impl Read) -> bool {
    let mut text = [0; FRACTION_BYTES];
    let mut length = 0;
    while length < FRACTION_BYTES {
        match body.read(&mut text[length..]) {
            Ok(0) => return fraction_of(&text[..length]).is_some(),
            Ok(read) => length += read,
            Err(_) => return false,
        }
        // A profile is recognised by its first letter, and not read on.
        if text[..length].iter().any(|byte| !b"0123456789.eE+-\r\n ".contains(byte)) {
            return false;
        }
    }
    false
}
