//! Agents that serve Go's binary coverage data: JSON of the kind *coverport*, or the files themselves below two paths.

use std::io::Read as _;

use chrono::{DateTime, Utc};
use ureq::Body;
use ureq::http::header::CONNECTION;
use ureq::http::{HeaderMap, Response};

use super::Client;
use super::answer::{refuse_encoded, status_error};
use super::coverage_json::{self, CoverageJson, JsonFault};
use super::error::{HttpError, transport};
use crate::address::base_url;
use crate::memory::{Reservation, make_room};
use crate::profile::ParseError;
use crate::profile::gocover::DataFileName;

/// The mark of an agent of the kind coverport, on any path and whatever the status.
const SERVER: &str = "x-art-coverage-server";
const COMMIT: &str = "x-art-coverage-source-commit";
const SOURCE_URL: &str = "x-art-coverage-source-url";
const BINARY: &str = "x-art-coverage-binary";
const PID: &str = "x-art-coverage-pid";
/// Longest header that is kept.
const LONGEST_HEADER: usize = 1 << 10;

/// The headers in which an agent describes its process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AgentHeaders {
    /// The agent shows that it is of the kind coverport.
    pub(crate) is_coverport: bool,
    pub(crate) commit: Option<String>,
    pub(crate) source_url: Option<String>,
    pub(crate) binary: Option<String>,
    pub(crate) pid: Option<u32>,
}

impl AgentHeaders {
    /// Reads the headers of any answer. An empty header is absent.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let text = |name| {
            let value = headers.get(name)?.to_str().ok()?.trim();
            (!value.is_empty() && value.len() <= LONGEST_HEADER).then(|| value.to_owned())
        };
        Self {
            is_coverport: text(SERVER).is_some_and(|value| value == "1"),
            commit: text(COMMIT),
            source_url: text(SOURCE_URL),
            binary: text(BINARY),
            pid: text(PID).and_then(|pid| pid.parse().ok()),
        }
    }
}

/// The part of its data for which an agent is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AskedFor {
    /// The counters, and most probably nothing else in this run.
    CountersAlone,
    /// The counters, after which the whole may be asked for.
    Counters,
    /// The counters with their meta.
    Whole,
}

/// An answer with Go's binary coverage data, not decoded yet.
#[derive(Debug)]
pub(crate) struct CoverageAnswer {
    pub(crate) headers: AgentHeaders,
    /// `None` where it was not asked for, or the agent sent none.
    pub(crate) meta: Option<Vec<u8>>,
    pub(crate) counters: Vec<u8>,
    /// Time at which the process read its counters, by its own clock, where it tells it.
    pub(crate) read_at: Option<DateTime<Utc>>,
    /// Size of the answer.
    pub(crate) bytes: u64,
}

impl Client {
    /// Asks an agent of the kind coverport.
    pub(crate) fn coverport(
        &self,
        address: &str,
        asked_for: AskedFor,
        reservation: Option<&mut Reservation>,
    ) -> Result<CoverageAnswer, HttpError> {
        let base = base_url(address)?;
        let get = |query| {
            let url = format!("{base}/coverage{query}");
            self.get_from_agent(&url, asked_for == AskedFor::CountersAlone)
        };
        let (mut headers, response) = match asked_for {
            AskedFor::Whole => get(""),
            // An agent that knows no such query may take it for a mistake.
            AskedFor::Counters | AskedFor::CountersAlone => match get("?nometa=1") {
                Err(HttpError::Status { status: 400 | 422, .. }) => get(""),
                answer => answer,
            },
        }?;
        let max_bytes = self.options.limits.max_bytes;
        let body = response.into_body().into_reader();
        let mut buffer = self.buffers.take();
        let read = coverage_json::read(body, max_bytes, reservation, &mut buffer);
        self.buffers.put(buffer);
        let (json, bytes) = read?;
        let CoverageJson { meta, counters, counters_name } = json;
        let (pid, read_at) = pid_and_time_in(&counters_name).unzip();
        headers.pid = headers.pid.or(pid.flatten());
        let meta = Some(meta).filter(|meta| !meta.is_empty());
        Ok(CoverageAnswer { headers, meta, counters, read_at: read_at.flatten(), bytes })
    }

    /// Asks for a file of Go's binary coverage data below a path of an agent. The reservation covers so many bytes beside it.
    pub(crate) fn coverage_file(
        &self,
        address: &str,
        path: &str,
        beside: u64,
        reservation: Option<&mut Reservation>,
    ) -> Result<(AgentHeaders, Vec<u8>), HttpError> {
        let base = base_url(address)?;
        let (headers, response) = self.get_from_agent(&format!("{base}{path}"), false)?;
        let file = self.file(response, beside, reservation)?;
        Ok((headers, file))
    }

    /// Sends a request. The connection `is_closed` after it, or else is kept for another one.
    fn get_from_agent(
        &self,
        url: &str,
        is_closed: bool,
    ) -> Result<(AgentHeaders, Response<Body>), HttpError> {
        /// Size of the buffer for an answer in which only the counters are. A larger one takes longer to be made.
        const BUFFER_BYTES: usize = 16 << 10;
        let mut request = self.bounded(self.agent.get(url));
        if is_closed {
            let closed = request.header(CONNECTION, "close");
            request = closed.config().input_buffer_size(BUFFER_BYTES).build();
        }
        let response = request.call().map_err(|error| self.failed(url, &error))?;
        let headers = AgentHeaders::read(response.headers());
        if response.status() == 200 {
            refuse_encoded(response.headers())?;
            return Ok((headers, response));
        }
        Err(match status_error(self, url, response) {
            HttpError::Status { status, body } if headers.is_coverport => refusal(status, body),
            error => error,
        })
    }

    fn file(
        &self,
        response: Response<Body>,
        mut held: u64,
        mut reservation: Option<&mut Reservation>,
    ) -> Result<Vec<u8>, HttpError> {
        const READ_AT_ONCE: usize = 64 << 10;
        let limit = self.options.limits.max_bytes;
        let mut body = response.into_body().into_reader();
        let mut file = Vec::new();
        loop {
            let length = file.len() as u64;
            if length > limit {
                return Err(ParseError::TooLong { limit }.into());
            }
            let more =
                usize::try_from(limit + 1 - length).map_or(READ_AT_ONCE, |left| left.min(READ_AT_ONCE));
            make_room(&mut file, more, &mut held, reservation.as_deref_mut())?;
            let mut piece = (&mut body).take(more as u64);
            if piece.read_to_end(&mut file).map_err(|error| transport(&error.into()))? == 0 {
                return Ok(file);
            }
        }
    }

    /// Asks an address for what its agent says of its process on any path.
    pub(crate) fn agent_headers(&self, address: &str) -> Result<AgentHeaders, HttpError> {
        self.headers_at(&base_url(address)?)
    }

    fn headers_at(&self, base: &str) -> Result<AgentHeaders, HttpError> {
        let answer = self.bounded(self.agent.head(format!("{base}/"))).call();
        answer.map(|response| AgentHeaders::read(response.headers())).map_err(|error| transport(&error))
    }

    /// Tells whether an agent of the kind coverport shows itself on a path that it need not know.
    pub(super) fn shows_coverport(&self, base: &str) -> bool {
        self.headers_at(base).is_ok_and(|headers| headers.is_coverport)
    }
}

impl From<JsonFault> for HttpError {
    fn from(fault: JsonFault) -> Self {
        match fault {
            JsonFault::Io(error) => transport(&error.into()),
            JsonFault::Memory(error) => error.into(),
            JsonFault::TooLong(limit) => ParseError::TooLong { limit }.into(),
            syntax @ JsonFault::Syntax(..) => HttpError::NotCoverage(syntax.to_string()),
        }
    }
}

/// Returns what an agent said instead of coverage data, with the next step where that is known.
fn refusal(status: u16, said: String) -> HttpError {
    let way = if said.contains("-covermode=") {
        "its program counts in another mode than atomic, so that its counters can be read at its end alone: build it \
         with go build -cover -covermode=atomic"
    } else if said.contains("no meta-data available") {
        "its program was built without -cover: build it with go build -cover -covermode=atomic"
    } else {
        return HttpError::Status { status, body: said };
    };
    HttpError::NoCounters { status, way }
}

/// Returns the process id and the time in the name of counters, `covcounters.HASH.PID.NANOSECONDS`.
fn pid_and_time_in(name: &str) -> Option<(Option<u32>, Option<DateTime<Utc>>)> {
    let Some(DataFileName::Counters { pid, written_at, .. }) = DataFileName::parse(name) else { return None };
    let read_at = i64::try_from(written_at).ok().map(DateTime::from_timestamp_nanos);
    Some((pid.try_into().ok(), read_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_headers_are_absent_ones() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [(SERVER, "1"), (COMMIT, ""), (BINARY, " "), (PID, "17"), (SOURCE_URL, "https://x")]
        {
            headers.insert(name, value.parse().unwrap());
        }
        let expected = AgentHeaders {
            is_coverport: true,
            source_url: Some("https://x".to_owned()),
            pid: Some(17),
            ..AgentHeaders::default()
        };
        assert_eq!(AgentHeaders::read(&headers), expected);
        assert_eq!(AgentHeaders::read(&HeaderMap::new()), AgentHeaders::default());
    }

    #[test]
    fn the_process_and_the_time_are_told_by_the_name_of_the_counters() {
        let name = "covcounters.02000000000000002829394659209d70.19614.1795924465675318441";
        let read_at = DateTime::from_timestamp_nanos(1_795_924_465_675_318_441);
        assert_eq!(pid_and_time_in(name), Some((Some(19614), Some(read_at))));
        assert_eq!(pid_and_time_in("covcounters.a.9999999999.99999999999999999999"), None);
        assert_eq!(pid_and_time_in("covcounters.a.9999999999.9999999999999999999"), Some((None, None)));
        for other in ["", "covcounters.1.2", "covcounters.a.x.2", "covmeta.a.1.2"] {
            assert_eq!(pid_and_time_in(other), None, "{other}");
        }
    }

    #[test]
    fn a_program_that_cannot_be_read_is_told_with_what_to_do() {
        let said =
            "Failed to collect counters: WriteCounters invoked for program built with -covermode=count (p…";
        let error = refusal(500, said.to_owned()).to_string();
        assert!(error.ends_with("build it with go build -cover -covermode=atomic"), "{error}");
        let said =
            "Failed to collect metadata: error: no meta-data available (binary not built with -cover?)";
        let error = refusal(500, said.to_owned()).to_string();
        assert!(error.contains("without -cover"), "{error}");
        assert_eq!(refusal(503, "busy".to_owned()).to_string(), "answered 503: \"busy\"");
    }
}
