//! The unchanged bytes of an answer, for answers with contradictory framing.
//!
//! The HTTP library gives no body for an answer with two lengths or with broken chunks. Its first bytes still show
//! whether an agent sent it.

use std::sync::{Arc, Mutex};

use ureq::http::{HeaderMap, HeaderName, HeaderValue};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use crate::parallel::lock;

/// The end of the head, and of each line in it.
const HEAD_END: &[u8] = b"\r\n\r\n";
/// Length of an answer that is kept; a head is shorter.
const KEPT_BYTES: usize = 64 << 10;
/// Length of a body that is waited for.
const BODY_BYTES: usize = 6;

/// A connector that keeps the first bytes of its connection.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordingConnector(Arc<Mutex<Vec<u8>>>);

impl RecordingConnector {
    /// Returns the answer as far as it came; `None` if its head has no end.
    pub(super) fn answer(&self) -> Option<RecordedAnswer> {
        let kept = lock(&self.0);
        let body = body(&kept)?.to_vec();
        let status = std::str::from_utf8(kept.get(9..12)?).ok()?.parse().ok()?;
        Some(RecordedAnswer { status, headers: headers(&kept), body })
    }
}

/// The first part of an answer, as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RecordedAnswer {
    pub(super) status: u16,
    /// The headers without the broken ones.
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Connector<Box<dyn Transport>> for RecordingConnector {
    type Out = RecordingTransport;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<Box<dyn Transport>>,
    ) -> Result<Option<RecordingTransport>, ureq::Error> {
        let kept = Arc::clone(&self.0);
        // A proxy's answer comes before that of the address, over a connection of its own.
        lock(&kept).clear();
        Ok(chained.map(|inner| RecordingTransport { inner, kept }))
    }
}

/// A connection whose first bytes are kept.
#[derive(Debug)]
pub(super) struct RecordingTransport {
    inner: Box<dyn Transport>,
    kept: Arc<Mutex<Vec<u8>>>,
}

impl RecordingTransport {
    /// Waits for more bytes, and keeps them; tells whether any came.
    fn record(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let before = self.inner.buffers().input().len();
        let came = self.inner.await_input(timeout)?;
        let new = self.inner.buffers().input().get(before..).unwrap_or_default();
        let mut kept = lock(&self.kept);
        let room = KEPT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&new[..new.len().min(room)]);
        Ok(came)
    }

    fn waits_for_a_body(&self) -> bool {
        let kept = lock(&self.kept);
        body(&kept).is_some_and(|body| body.len() < BODY_BYTES)
    }
}

impl Transport for RecordingTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let came = self.record(timeout)?;
        // The request fails as soon as it sees the head, so the body has to be read before that.
        while came && self.waits_for_a_body() {
            if !self.record(timeout).unwrap_or(false) {
                break;
            }
        }
        Ok(came)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Returns the headers of an answer. A broken header is left out.
fn headers(answer: &[u8]) -> HeaderMap {
    let end = memchr::memmem::find(answer, HEAD_END).unwrap_or_default();
    let lines = answer[..end].split(|byte| *byte == b'\n').skip(1);
    let header = |line: &[u8]| {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
    };
    lines.filter_map(header).collect()
}

/// Returns the bytes after the head of an answer, without the size of a first chunk.
fn body(answer: &[u8]) -> Option<&[u8]> {
    let end = memchr::memmem::find(answer, HEAD_END)?;
    let body = &answer[end + HEAD_END.len()..];
    let Some(line) = memchr::memmem::find(body, b"\r\n") else { return Some(body) };
    let is_size = (1..=16).contains(&line) && body[..line].iter().all(u8::is_ascii_hexdigit);
    Some(if is_size { &body[line + 2..] } else { body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_begins_behind_the_head_and_the_size_of_its_first_chunk() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\nmode: count\n", Some("mode: count\n")),
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\n2f\r\nmode: count\n", Some("mode: count\n")),
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\n0.5", Some("0.5")),
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", Some("")),
            ("HTTP/1.1 200 OK\r\nA: b\r\n", None),
            ("", None),
        ] {
            let found = body(answer.as_bytes()).map(|body| std::str::from_utf8(body).unwrap());
            assert_eq!(found, expected, "{answer:?}");
        }
    }

    #[test]
    fn an_answer_without_a_status_is_none() {
        let recorder = |bytes: &[u8]| RecordingConnector(Arc::new(Mutex::new(bytes.to_vec())));
        let refused = RecordedAnswer { status: 405, headers: HeaderMap::new(), body: b"no".to_vec() };
        assert_eq!(recorder(b"HTTP/1.1 405 No\r\n\r\nno").answer(), Some(refused));
        assert_eq!(recorder(b"SSH-2.0\r\n\r\nmode: count").answer(), None);
        assert_eq!(recorder(b"\r\n\r\n").answer(), None);
    }

    #[test]
    fn headers_are_read_beside_those_that_are_broken() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nno header\r\nX-Art-coverage-SERVER:  1 \r\n\r\nA: b\r\n";
        let mut expected = HeaderMap::new();
        expected.insert("content-length", HeaderValue::from_static("3"));
        expected.insert("x-art-coverage-server", HeaderValue::from_static("1"));
        assert_eq!(headers(answer), expected);
        assert_eq!(headers(b"HTTP/1.1 200 OK\r\nA: b\r\n"), HeaderMap::new());
    }
}
