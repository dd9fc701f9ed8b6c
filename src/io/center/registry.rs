//! Changes of a center's list: one address is removed, or registered again.
//!
//! goc's center answers 200 also if it changed nothing, so the caller reads the list again. It takes an empty list, and a
//! body whose `Content-Type` is not JSON, as *every address*: both are impossible here.

use serde::Serialize;

use super::Client;
use super::error::{HttpError, excerpt, transport};
use crate::address::{base_url, registered_form};

/// The body of a removal. The array has exactly one address, because an empty one would remove all.
#[derive(Serialize)]
struct OneAddress<'a> {
    address: [&'a str; 1],
}

impl Client {
    /// Removes an address from a center's list, under every name.
    ///
    /// `address` must be the listed one to the byte, because the center compares strings.
    pub(crate) fn remove(&self, center: &str, address: &str) -> Result<(), HttpError> {
        let url = format!("{}/v1/cover/remove", base_url(center)?);
        let body = serde_json::to_vec(&OneAddress { address: [address] }).expect("text can be JSON");
        let response = self
            .bounded_configured(self.configured.post(&url))
            .content_type("application/json")
            .send(&body[..])
            .map_err(|error| transport(&error))?;
        self.check_done(response)
    }

    /// Registers an address under a name, as the process itself did at its start.
    ///
    /// Without `ip_revise=false` the center would replace the host of the process by this one.
    pub(crate) fn register(&self, center: &str, service: &str, address: &str) -> Result<(), HttpError> {
        let url = format!("{}/v1/cover/register", base_url(center)?);
        let registered = registered_form(address)?;
        let response = self
            .bounded_configured(self.configured.post(&url))
            .query("name", service)
            .query("address", registered)
            .query("ip_revise", "false")
            .send_empty()
            .map_err(|error| transport(&error))?;
        self.check_done(response)
    }

    fn check_done(&self, response: ureq::http::Response<ureq::Body>) -> Result<(), HttpError> {
        let status = response.status().as_u16();
        let text = self.text(response)?;
        if status == 200 {
            return Ok(());
        }
        Err(HttpError::Status { status, body: excerpt(&text) })
    }
}
