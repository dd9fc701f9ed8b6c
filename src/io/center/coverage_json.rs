//! The JSON in which agents of the kind *coverport* answer: one object, whose texts of base64 are decoded as they come.
//!
//! Neither the JSON nor a text of base64 is ever whole in memory, only the data itself, and that within the bounds of an
//! answer. A cut is told by the missing end of the object.

use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::memory::{MemoryExhausted, Reservation, make_room};

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 32 << 10;
/// Characters of base64 that are decoded at once: a multiple of four.
const DECODED_AT_ONCE: usize = 16 << 10;
/// Longest key or name of a file that is kept.
const LONGEST_TEXT: usize = 1 << 10;
/// Objects and lists inside each other, in values that mean nothing here.
const DEEPEST: usize = 32;

/// The data of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CoverageJson {
    /// Empty where it was not asked for.
    pub(super) meta: Vec<u8>,
    pub(super) counters: Vec<u8>,
    /// `covcounters.HASH.PID.TIME`.
    pub(super) counters_name: String,
}

/// An answer is no such JSON, or could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum JsonFault {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Memory(#[from] MemoryExhausted),
    #[error("more than {0} bytes")]
    TooLong(u64),
    /// A place, counted in bytes from 0, and what was expected there.
    #[error("at byte {0}: {1}")]
    Syntax(u64, &'static str),
}

/// Reads the JSON of an answer to its end; also returns its length.
///
/// `reservation` grows with the data. `buffer` has any content, and stays for the next answer.
pub(super) fn read(
    source: impl Read,
    max_bytes: u64,
    reservation: Option<&mut Reservation>,
    buffer: &mut Vec<u8>,
) -> Result<(CoverageJson, u64), JsonFault> {
    buffer.resize(buffer.len().max(BUFFER_BYTES), 0);
    let mut scanner = Scanner {
        source: source.take(max_bytes.saturating_add(1)),
        max_bytes,
        buffer: std::mem::take(buffer),
        start: 0,
        end: 0,
        passed: 0,
        reservation,
        held: 0,
    };
    let answer = scanner.answer();
    *buffer = scanner.buffer;
    Ok((answer?, scanner.passed))
}

struct Scanner<'r, R> {
    source: io::Take<R>,
    max_bytes: u64,
    buffer: Vec<u8>,
    /// The bytes that were not looked at yet lie between these.
    start: usize,
    end: usize,
    /// Bytes before `start`.
    passed: u64,
    reservation: Option<&'r mut Reservation>,
    /// Room of the buffers with data.
    held: u64,
}

impl<R: Read> Scanner<'_, R> {
    fn answer(&mut self) -> Result<CoverageJson, JsonFault> {
        let mut answer = CoverageJson::default();
        let (mut has_meta, mut has_counters) = (false, false);
        self.expect(b'{', "expected an object, as in {\"counters_data\":\"...\"}")?;
        if self.peek_token()? == b'}' {
            self.pass(1);
        } else {
            loop {
                self.expect(b'"', "expected a key")?;
                let key = self.text()?;
                self.expect(b':', "expected a colon")?;
                match &*key {
                    b"meta_data" if !has_meta => {
                        has_meta = true;
                        answer.meta = self.data()?;
                    }
                    b"counters_data" if !has_counters => {
                        has_counters = true;
                        answer.counters = self.data()?;
                    }
                    b"meta_data" | b"counters_data" => return Err(self.fault("a key that was there before")),
                    b"counters_filename" => {
                        self.expect(b'"', "expected a text")?;
                        answer.counters_name = String::from_utf8_lossy(&self.text()?).into_owned();
                    }
                    _ => self.skip(0)?,
                }
                match self.peek_token()? {
                    b',' => self.pass(1),
                    b'}' => break self.pass(1),
                    _ => return Err(self.fault("expected a comma or the end of the object")),
                }
            }
        }
        if !has_counters || answer.counters.is_empty() {
            return Err(self.fault("the object has no \"counters_data\""));
        }
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Err(self.fault("something follows the object"));
            }
            self.pass(1);
        }
        Ok(answer)
    }

    fn fault(&self, expected: &'static str) -> JsonFault {
        JsonFault::Syntax(self.passed, expected)
    }

    fn pass(&mut self, bytes: usize) {
        self.start += bytes;
        self.passed += bytes as u64;
    }

    /// Returns the bytes that are at hand; none at the end.
    fn chunk(&mut self) -> Result<&[u8], JsonFault> {
        if self.start == self.end {
            (self.start, self.end) = (0, self.source.read(&mut self.buffer)?);
            if self.passed + self.end as u64 > self.max_bytes {
                return Err(JsonFault::TooLong(self.max_bytes));
            }
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn peek(&mut self) -> Result<Option<u8>, JsonFault> {
        Ok(self.chunk()?.first().copied())
    }

    /// Passes a byte that has to be there.
    fn byte(&mut self) -> Result<u8, JsonFault> {
        let byte = self.peek()?.ok_or_else(|| self.fault("the answer ends where more was expected"))?;
        self.pass(1);
        Ok(byte)
    }

    /// Passes space; returns the byte behind it, which has to be there.
    fn peek_token(&mut self) -> Result<u8, JsonFault> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.pass(1),
                Some(byte) => return Ok(byte),
                None => return Err(self.fault("the answer ends where more was expected")),
            }
        }
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonFault> {
        if self.peek_token()? != byte {
            return Err(self.fault(expected));
        }
        self.pass(1);
        Ok(())
    }

    /// Reads a text behind its first quote, up to [`LONGEST_TEXT`].
    fn text(&mut self) -> Result<Vec<u8>, JsonFault> {
        let mut text = Vec::new();
        self.pieces(|scanner, piece| {
            if text.len() + piece.len() > LONGEST_TEXT {
                return Err(scanner.fault("a key or a name of more than 1024 bytes"));
            }
            text.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(text)
    }

    /// Calls `take` with the text behind its first quote, piece by piece, escapes decoded.
    fn pieces(
        &mut self,
        mut take: impl FnMut(&mut Self, &[u8]) -> Result<(), JsonFault>,
    ) -> Result<(), JsonFault> {
        loop {
            let chunk = self.chunk()?;
            let plain = plain_bytes(&chunk[..chunk.len().min(DECODED_AT_ONCE)]);
            if plain > 0 {
                // The buffer is lent while it is looked at; nothing reads into it meanwhile.
                let buffer = std::mem::take(&mut self.buffer);
                let taken = take(self, &buffer[self.start..self.start + plain]);
                self.buffer = buffer;
                taken?;
                self.pass(plain);
                continue;
            }
            match self.byte()? {
                b'"' => return Ok(()),
                b'\\' => {
                    let (escaped, length) = self.escape()?;
                    take(self, &escaped[..length])?;
                }
                _ => return Err(self.fault("a control character in a text")),
            }
        }
    }

    /// Reads an escape behind its backslash.
    fn escape(&mut self) -> Result<([u8; 4], usize), JsonFault> {
        let byte = match self.byte()? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let mut number = 0;
                for _ in 0..4 {
                    let digit = char::from(self.byte()?).to_digit(16);
                    number = number * 16 + digit.ok_or_else(|| self.fault("expected four hex digits"))?;
                }
                // Half of a surrogate pair has no character; neither names nor data hold such a pair.
                let character = char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER);
                let mut bytes = [0; 4];
                let length = character.encode_utf8(&mut bytes).len();
                return Ok((bytes, length));
            }
            _ => return Err(self.fault("an unknown escape in a text")),
        };
        Ok(([byte, 0, 0, 0], 1))
    }

    /// Reads a text of base64, or null, as the bytes that it encodes.
    fn data(&mut self) -> Result<Vec<u8>, JsonFault> {
        if self.peek_token()? == b'n' {
            self.skip(0)?;
            return Ok(Vec::new());
        }
        self.expect(b'"', "expected a text of base64")?;
        let (mut data, mut quads) = (Vec::new(), Vec::with_capacity(DECODED_AT_ONCE));
        self.pieces(|scanner, mut piece| {
            while !piece.is_empty() {
                let (now, later) = piece.split_at(piece.len().min(DECODED_AT_ONCE - quads.len()));
                quads.extend_from_slice(now);
                piece = later;
                if quads.len() == DECODED_AT_ONCE {
                    scanner.decode(&mut quads, &mut data)?;
                }
            }
            Ok(())
        })?;
        self.decode(&mut quads, &mut data)?;
        Ok(data)
    }

    /// Decodes whole groups of four characters.
    fn decode(&mut self, quads: &mut Vec<u8>, data: &mut Vec<u8>) -> Result<(), JsonFault> {
        // Only the last group may be padded.
        if !data.len().is_multiple_of(3) && !quads.is_empty() {
            return Err(self.fault("base64 goes on behind its padding"));
        }
        // The decoder asks for room for whole groups, also where the last one is padded.
        let more = quads.len().div_ceil(4) * 3;
        make_room(data, more, &mut self.held, self.reservation.as_deref_mut())?;
        let decoded = STANDARD.decode_vec(&*quads, data);
        quads.clear();
        decoded.map_err(|_| self.fault("not base64"))
    }

    /// Passes over a value.
    fn skip(&mut self, depth: usize) -> Result<(), JsonFault> {
        if depth > DEEPEST {
            return Err(self.fault("objects and lists are too deep inside each other"));
        }
        match self.peek_token()? {
            b'"' => {
                self.pass(1);
                self.pieces(|_, _| Ok(()))
            }
            open @ (b'{' | b'[') => {
                self.pass(1);
                let close = if open == b'{' { b'}' } else { b']' };
                if self.peek_token()? == close {
                    self.pass(1);
                    return Ok(());
                }
                loop {
                    if open == b'{' {
                        self.expect(b'"', "expected a key")?;
                        self.pieces(|_, _| Ok(()))?;
                        self.expect(b':', "expected a colon")?;
                    }
                    self.skip(depth + 1)?;
                    match self.peek_token()? {
                        b',' => self.pass(1),
                        byte if byte == close => {
                            self.pass(1);
                            return Ok(());
                        }
                        _ => return Err(self.fault("expected a comma or an end")),
                    }
                }
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
                while self.peek()?.is_some_and(is_part) {
                    self.pass(1);
                }
                Ok(())
            }
            _ => Err(self.fault("expected a value")),
        }
    }
}

/// Returns the number of bytes before the first quote, backslash or control character. Profiles have none of these for
/// hundreds of kilobytes, so 32 bytes are tested together.
fn plain_bytes(bytes: &[u8]) -> usize {
    let is_plain = |byte: u8| byte != b'"' && byte != b'\\' && byte >= b' ';
    let (together, _) = bytes.as_chunks::<32>();
    let are_plain = |bytes: &&[u8; 32]| bytes.iter().fold(true, |all, &byte| all & is_plain(byte));
    let passed = 32 * together.iter().take_while(are_plain).count();
    passed + bytes[passed..].iter().take_while(|&&byte| is_plain(byte)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives a few bytes at a time.
    struct Dripping<'a>(&'a [u8], usize);

    impl Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    fn answer(text: &str) -> Result<CoverageJson, String> {
        let read = read(text.as_bytes(), 1 << 20, None, &mut Vec::new());
        read.map(|(answer, _)| answer).map_err(|fault| fault.to_string())
    }

    #[test]
    fn meta_counters_and_the_name_are_taken_and_the_rest_is_passed_over() {
        let text = r#" {"meta_filename":"covmeta.0", "meta_data" : "AGN2bQ==", "more":{"a":[1,-2.5e3,null,{"b":"}"}],"c":{}},
            "counters_filename":"covcounters.0.17.5\u002f\/","counters_data":"AGN3\u0062Q==","timestamp":1795924465675318441}
"#;
        let expected = CoverageJson {
            meta: b"\0cvm".to_vec(),
            counters: b"\0cwm".to_vec(),
            counters_name: "covcounters.0.17.5//".to_owned(),
        };
        assert_eq!(answer(text), Ok(expected));
        let without = r#"{"meta_data":null,"counters_data":"AGN3bQ=="}"#;
        assert_eq!(answer(without).unwrap().meta, b"");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, expected) in [
            ("", "at byte 0: the answer ends where more was expected"),
            ("<html>", r#"at byte 0: expected an object, as in {"counters_data":"..."}"#),
            ("{}", r#"at byte 2: the object has no "counters_data""#),
            (r#"{"counters_data":""}"#, r#"at byte 20: the object has no "counters_data""#),
            (r#"{"counters_data":"AGN3bQ=="#, "at byte 26: the answer ends where more was expected"),
            (r#"{"counters_data":"AGN3bQ=="}x"#, "at byte 28: something follows the object"),
            (r#"{"counters_data":"AGN3bQ"}"#, "at byte 25: not base64"),
            (r#"{"counters_data":"AG*3bQ=="}"#, "at byte 27: not base64"),
            (r#"{"counters_data":17}"#, "at byte 17: expected a text of base64"),
            (r#"{"counters_data":"AGN3","counters_data":"AGN3"}"#, "at byte 40: a key that was there before"),
            ("{\"a\":\"\n\"}", "at byte 7: a control character in a text"),
        ] {
            assert_eq!(answer(text).unwrap_err(), expected, "{text}");
        }
        let deep = format!("{{\"a\":{}", "[".repeat(100));
        assert!(answer(&deep).unwrap_err().ends_with("too deep inside each other"));
        let long = format!("{{\"{}\":1}}", "a".repeat(2000));
        assert!(answer(&long).unwrap_err().ends_with("a key or a name of more than 1024 bytes"));
    }

    #[test]
    fn an_answer_beyond_the_bound_is_refused_before_all_of_it_came() {
        let long = format!("{{\"counters_data\":\"{}\"}}", "AAAA".repeat(100_000));
        let mut source = long.as_bytes();
        let fault = read(&mut source, 1000, None, &mut Vec::new()).unwrap_err();
        assert!(matches!(fault, JsonFault::TooLong(1000)), "{fault}");
        assert_eq!(long.len() - source.len(), 1001, "one byte tells that there are more");
        assert!(read(long.as_bytes(), long.len() as u64, None, &mut Vec::new()).is_ok());
    }

    #[test]
    fn all_room_of_the_data_is_reserved() {
        let memory = crate::memory::Memory::new(8 << 20);
        for groups in [1, 80_000, 300_000, 777_777] {
            let text = "AAAA".repeat(groups);
            let text = format!("{{\"meta_data\":\"{text}\",\"counters_data\":\"{text}\"}}");
            let mut reservation = memory.reader(false);
            let (answer, _) =
                read(text.as_bytes(), 8 << 20, Some(&mut reservation), &mut Vec::new()).unwrap();
            let room = (answer.meta.capacity() + answer.counters.capacity()) as u64;
            assert!(room <= reservation.bytes(), "{room} {}", reservation.bytes());
        }
    }

    #[test]
    fn padding_ends_the_data() {
        let text = format!("{{\"counters_data\":\"{}AA==AAAA\"}}", "AAAA".repeat(DECODED_AT_ONCE / 4 - 1));
        assert!(answer(&text).unwrap_err().ends_with("base64 goes on behind its padding"));
    }

    proptest! {
        #[test]
        fn any_data_is_read_whatever_the_pieces_in_which_it_comes(
            meta in prop::collection::vec(any::<u8>(), 0..60_000),
            counters in prop::collection::vec(any::<u8>(), 1..300),
            few in 1..70_000_usize,
        ) {
            let text = serde_json::json!({
                "meta_data": STANDARD.encode(&meta),
                "counters_filename": "c\u{e9}\"",
                "counters_data": STANDARD.encode(&counters),
            })
            .to_string();
            let (answer, bytes) = read(Dripping(text.as_bytes(), few), 1 << 20, None, &mut Vec::new()).unwrap();
            let counters_name = "c\u{e9}\"".to_owned();
            prop_assert_eq!(answer, CoverageJson { meta, counters, counters_name });
            prop_assert_eq!(bytes, text.len() as u64);
        }

        #[test]
        fn no_answer_makes_it_panic(text in "[\\{\\}\\[\\]:,\"a1\\\\nu]{0,40}", cut in 0..200_usize) {
            let _ = answer(&text);
            let whole = r#"{"a":[{"b":"\u00e9"}],"meta_data":"AGN2bQ==","counters_data":"AGN3bQ=="}"#;
            let _ = answer(&whole[..cut.min(whole.len())]);
        }
    }
}
