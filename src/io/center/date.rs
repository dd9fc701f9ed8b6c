//! The clock of a center.

use chrono::{DateTime, Utc};

use super::Client;
use super::error::{HttpError, transport};
use crate::address::base_url;

impl Client {
    /// Returns the time that the header `Date` of a center's answer tells, to the second; `None` if it tells none.
    ///
    /// The status does not matter: servers of Go send the header with any answer (RFC 9110, 6.6.1).
    pub(crate) fn clock_of(&self, center: &str) -> Result<Option<DateTime<Utc>>, HttpError> {
        let base = base_url(center)?;
        let request = self.bounded_configured(self.configured.get(format!("{base}/")));
        let response = request.header("Connection", "close").call().map_err(|error| transport(&error))?;
        let date = response.headers().get("date").and_then(|date| date.to_str().ok());
        Ok(date.and_then(|date| Some(DateTime::parse_from_rfc2822(date).ok()?.to_utc())))
    }
}
