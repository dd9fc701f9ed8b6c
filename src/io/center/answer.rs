//! Answers of agents: profiles, read or copied as they come, and fractions of hit blocks.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body, BodyReader};

use super::Client;
use super::coverage::AgentHeaders;
use super::dial::AddressOfCenter;
use super::error::{HttpError, asked_without_tls, excerpt, transport};
use crate::address::{base_url, shown_url};
use crate::memory::Reservation;
use crate::parallel::lock;
use crate::profile::{AnswerDigest, AnswerReader, ParsedAnswer, PreviousAnswer, Template};

/// An agent's answer whose head was read and whose body is still to be read.
pub(crate) struct IncomingAnswer<'a> {
    /// The reader of the body; `None` only while the value is dropped.
    reader: Option<AnswerReader<BodyReader<'static>>>,
    buffers: &'a Buffers,
    /// The agent allowed nothing but POST.
    is_by_post: bool,
}

impl IncomingAnswer<'_> {
    /// Reads while the answer equals the one of this digest; tells whether all of it does.
    pub(crate) fn repeats(&mut self, last: &AnswerDigest) -> Result<bool, HttpError> {
        self.reader().repeats(last).map_err(HttpError::from)
    }

    /// Reads it to its end; see [`AnswerReader::parse`].
    pub(crate) fn parse(
        &mut self,
        known: &[Arc<Template>],
        last: Option<&PreviousAnswer<'_>>,
        seed: u64,
    ) -> Result<ParsedAnswer, HttpError> {
        self.reader().parse(known, last, seed).map_err(HttpError::from)
    }

    /// Tells whether the agent allowed nothing but POST.
    #[must_use]
    pub(crate) fn is_by_post(&self) -> bool {
        self.is_by_post
    }

    /// Limits the decoded data by this reservation.
    pub(crate) fn reserve(&mut self, reservation: Reservation) {
        self.reader().reserve(reservation);
    }

    /// Returns the reservation of the decoded data.
    pub(crate) fn take_reservation(&mut self) -> Option<Reservation> {
        self.reader().take_reservation()
    }

    /// Tells whether a part of the answer equals the last one. Then the last answer is needed to decode it.
    #[must_use]
    pub(crate) fn recognised_any(&self) -> bool {
        self.reader.as_ref().is_some_and(AnswerReader::recognised_any)
    }

    /// Returns the size of the text that was read so far.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.reader.as_ref().map_or(0, AnswerReader::bytes)
    }

    fn reader(&mut self) -> &mut AnswerReader<BodyReader<'static>> {
        self.reader.as_mut().expect("taken only when dropped")
    }
}

impl Drop for IncomingAnswer<'_> {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.buffers.put(reader.into_buffer());
        }
    }
}

/// Buffers for answers, kept for the next one. Their number is that of answers read at the same time.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// Size of the largest buffer that is kept. A long section can enlarge a buffer.
    const MAX_KEPT_BYTES: usize = 1 << 20;

    pub(super) fn take(&self) -> Vec<u8> {
        lock(&self.0).pop().unwrap_or_default()
    }

    pub(super) fn put(&self, buffer: Vec<u8>) {
        if buffer.len() <= Self::MAX_KEPT_BYTES {
            lock(&self.0).push(buffer);
        }
    }
}

impl Client {
    /// Asks the process at `address` for its profile.
    pub(crate) fn profile(&self, address: &str) -> Result<IncomingAnswer<'_>, HttpError> {
        let AnswerBody { body, is_sized, is_by_post } = self.open(address)?;
        let mut reader = AnswerReader::new(body, self.options.limits, self.buffers.take());
        if is_sized {
            reader.trust_end();
        }
        Ok(IncomingAnswer { reader: Some(reader), buffers: &self.buffers, is_by_post })
    }

    /// Copies the profile of the process at `address` unchanged to `out`, and returns its size.
    ///
    /// Fails as reading it from [`Self::profile`] does, after the bytes before the failure were written.
    pub(crate) fn raw(&self, address: &str, out: &mut impl Write) -> Result<u64, HttpError> {
        let AnswerBody { body, is_sized, .. } = self.open(address)?;
        let mut tee = TeeReader { inner: CountingReader { inner: body, bytes: 0 }, out, failed: None };
        let mut reader = AnswerReader::new(&mut tee, self.options.limits, Vec::new());
        if is_sized {
            reader.trust_end();
        }
        let read = reader.parse(&[], None, 0);
        drop(reader);
        if let Some(error) = tee.failed {
            return Err(HttpError::Output(error));
        }
        read.map(|_| tee.inner.bytes).map_err(HttpError::from)
    }

    /// Asks the process at `address` for its fraction of covered blocks, a few bytes.
    ///
    /// Returns `None` if the answer is not a fraction, because not every agent has this call.
    pub(crate) fn fraction(&self, address: &str) -> Result<Option<String>, HttpError> {
        let url = format!("{}/v1/cover/coverage", base_url(address)?);
        match self.agent.get(&url).call() {
            Err(error) if is_address_of_center(&error) => match Self::fraction_by(&self.configured, &url) {
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

    /// Opens the answer with the profile: by GET, or by POST if an agent allows nothing else.
    fn open(&self, address: &str) -> Result<AnswerBody, HttpError> {
        let base = base_url(address)?;
        let url = format!("{base}/v1/cover/profile");
        let mut agent = &self.agent;
        let mut answer = self.bounded(agent.get(&url)).call();
        // A center has no coverage call, so a center that answers it is a process as well.
        if answer.as_ref().is_err_and(is_address_of_center)
            && let Ok(Some(_)) = Self::fraction_by(&self.configured, &format!("{base}/v1/cover/coverage"))
        {
            agent = &self.configured;
            answer = self.bounded(agent.get(&url)).call();
        }
        let mut response = answer.map_err(|error| self.failed(&base, &error))?;
        let is_coverport = |response: &Response<Body>| AgentHeaders::read(response.headers()).is_coverport;
        // A program may answer 200 to any path.
        if is_coverport(&response) {
            return Err(HttpError::Coverport);
        }
        let is_by_post = response.status() == 405;
        if is_by_post {
            response = self
                .bounded(agent.post(&url))
                .content_type("application/json")
                .send("{}")
                .map_err(|e| transport(&e))?;
        }
        if response.status() != 200 {
            return Err(match self.shows_coverport(&base) {
                true => HttpError::Coverport,
                false => status_error(self, &base, response),
            });
        }
        let headers = response.headers();
        refuse_encoded(headers)?;
        if !headers.contains_key("content-length") && !headers.contains_key("transfer-encoding") {
            return Err(HttpError::NoFraming);
        }
        let is_sized = headers.contains_key("content-length") && !headers.contains_key("transfer-encoding");
        Ok(AnswerBody { body: response.into_body().into_reader(), is_sized, is_by_post })
    }
}

/// Returns the error of an answer to a request to `url` whose status is not 200.
pub(super) fn status_error(client: &Client, url: &str, response: Response<Body>) -> HttpError {
    let status = response.status().as_u16();
    let location = response.headers().get("location").and_then(|to| to.to_str().ok());
    let body = match location.filter(|_| (300..400).contains(&status)) {
        Some(to) => format!("redirects are not followed, this one goes to {}", shown_url(to)),
        None => {
            let text = client.text(response).unwrap_or_default();
            if let Some(error) = asked_without_tls(url, status, &text) {
                return error;
            }
            excerpt(&text)
        }
    };
    HttpError::Status { status, body }
}

/// Refuses an answer that is compressed, which was not asked for.
pub(super) fn refuse_encoded(headers: &HeaderMap) -> Result<(), HttpError> {
    match headers.get("content-encoding").filter(|encoding| *encoding != "identity") {
        Some(encoding) => Err(HttpError::Encoded(String::from_utf8_lossy(encoding.as_bytes()).into_owned())),
        None => Ok(()),
    }
}

/// Tells whether a request was refused because it would have gone to a configured center.
pub(super) fn is_address_of_center(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Other(refused) if refused.is::<AddressOfCenter>())
}

/// Returns a text that is a fraction of hit blocks; `None` for any other.
pub(super) fn fraction_of(text: &[u8]) -> Option<&str> {
    let text = str::from_utf8(text).ok()?.trim();
    let is_fraction = text.parse::<f64>().is_ok_and(|fraction| (0.0..=1.0).contains(&fraction));
    is_fraction.then_some(text)
}

struct CountingReader<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// An answer with a profile, of which the head was read.
struct AnswerBody {
    body: BodyReader<'static>,
    /// The head tells the length, so that an early end fails the reading. An agent that breaks off while it sends chunks
    /// may end them as if the answer were complete.
    is_sized: bool,
    is_by_post: bool,
}

/// A reader that copies the bytes that it reads. A failure to write ends the reading, and is distinguished from a
/// failure to read.
struct TeeReader<'a, R, W> {
    inner: R,
    out: &'a mut W,
    failed: Option<io::Error>,
}

impl<R: Read, W: Write> Read for TeeReader<'_, R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let Err(error) = self.out.write_all(&buffer[..read]) {
            self.failed = Some(error);
            return Err(io::Error::other("the output failed"));
        }
        Ok(read)
    }
}
