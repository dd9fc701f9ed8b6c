//! What changes a center's list: one address out, or one back in.
//!
//! goc's center answers 200 whatever it did, so neither call proves anything; who calls reads the list
//! again. And it takes a list without an entry, and a body whose `Content-Type` is not JSON, as *every
//! address*: both are made impossible here.

use serde::Serialize;

use super::{Client, HttpError, excerpt, transport};
use crate::address::{base_url, registered_form};

/// The body of a removal: one address. A type that could hold none would be one slip from removing all.
#[derive(Serialize)]
struct OneAddress<'a> {
    address: [&'a str; 1],
}

impl Client {
    /// Takes an address off a center's list, under every name.
    ///
    /// `address` is what the center listed, to the byte: it compares strings.
    pub(crate) fn remove(&self, center: &str, address: &str) -> Result<(), HttpError> {
        let url = format!("{}/v1/cover/remove", base_url(center)?);
        let body = serde_json::to_vec(&OneAddress { address: [address] }).expect("text can be JSON");
        let response = self
            .bounded_there(self.configured.post(&url))
            .content_type("application/json")
            .send(&body[..])
            .map_err(|error| transport(&error))?;
        self.done(response)
    }

    /// Puts an address on a center's list under a name, as the process itself did at its start.
    ///
    /// Without `ip_revise=false` the center would put our own host in place of the process's.
    pub(crate) fn register(&self, center: &str, service: &str, address: &str) -> Result<(), HttpError> {
        let url = format!("{}/v1/cover/register", base_url(center)?);
        let registered = registered_form(address)?;
        let response = self
            .bounded_there(self.configured.post(&url))
            .query("name", service)
            .query("address", registered)
            .query("ip_revise", "false")
            .send_empty()
            .map_err(|error| transport(&error))?;
        self.done(response)
    }

    fn done(&self, response: ureq::http::Response<ureq::Body>) -> Result<(), HttpError> {
        let status = response.status().as_u16();
        let text = self.text(response)?;
        if status == 200 {
            return Ok(());
        }
        Err(HttpError::Status { status, body: excerpt(&text) })
    }
}
