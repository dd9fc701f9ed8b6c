//! The reader of an answer that comes in as a stream: it compares the answer with the last one, and parses it from the
//! first difference on.

use std::io::{self, Read};
use std::sync::Arc;

use super::Profile;
use super::answer_digest::{AnswerDigest, AnswerDigester};
use super::limits::{Limits, ParseError, ReadError};
use super::lines::section_head;
use super::parse::ProfileParser;
use super::template::Template;
use crate::memory::Reservation;

/// Size of a buffer, unless a long section or line needs a larger one. Several buffers have to fit into the processor's
/// cache together.
pub(super) const BUFFER_BYTES: usize = 64 << 10;

/// Reads a profile while it streams in.
///
/// `known` are templates of builds that this answer may have; a match shares the template's [`Build`](super::Build).
/// For another build the result has a template for the next answer. Only one buffer of the text is in memory at a time.
pub fn read(
    source: impl Read,
    limits: Limits,
    known: &[Arc<Template>],
) -> Result<(Profile, Option<Template>), ReadError> {
    let mut reader = AnswerReader::new(source, limits, Vec::new());
    let parser = ProfileParser::new(limits, known, None);
    reader.parse_rest(parser).map(|ParsedAnswer { profile, template, .. }| (profile, template))
}

/// Reads a profile from a file of a user, whose last line may lack its newline.
pub(crate) fn read_file(source: impl Read, limits: Limits) -> Result<Profile, ReadError> {
    let mut reader = AnswerReader::new(source, limits, Vec::new());
    reader.trust_end();
    reader.parse_rest(ProfileParser::new(limits, &[], None)).map(|answer| answer.profile)
}

/// Reads a profile from a text in memory.
pub fn parse(text: &[u8], limits: Limits) -> Result<Profile, ParseError> {
    match read(text, limits, &[]) {
        Ok((profile, _)) => Ok(profile),
        Err(ReadError::Parse(error)) => Err(error),
        Err(error) => unreachable!("reading from memory failed: {error}"),
    }
}

/// A parsed answer.
#[derive(Debug)]
pub(crate) struct ParsedAnswer {
    pub profile: Profile,
    /// The template of its build, if the build was not known.
    pub template: Option<Template>,
    /// The digest that recognises the same answer later, if one is possible.
    pub answer_digest: Option<AnswerDigest>,
}

/// The last answer, whose digest was stored.
#[derive(Debug)]
pub(crate) struct PreviousAnswer<'a> {
    pub(super) answer_digest: &'a AnswerDigest,
    pub(super) template: &'a Arc<Template>,
    pub(super) counts: &'a [u64],
    /// The file of each section.
    files: Vec<usize>,
}

impl<'a> PreviousAnswer<'a> {
    /// Combines the parts; `None` if they do not belong to one answer.
    ///
    /// `counts` are the counters that the answer printed, in the order of the template's build.
    #[must_use]
    pub(crate) fn new(
        answer_digest: &'a AnswerDigest,
        template: &'a Arc<Template>,
        counts: &'a [u64],
    ) -> Option<Self> {
        let build = template.build();
        if answer_digest.len() != build.file_count() || counts.len() != build.blocks().len() {
            return None;
        }
        let mut files = vec![usize::MAX; answer_digest.len()];
        let mut head = Vec::new();
        for (index, file) in build.files().enumerate() {
            head.clear();
            head.extend_from_slice(file.name.as_bytes());
            head.push(b':');
            let (section, _) = answer_digest.find(&head)?;
            files[section] = index;
        }
        (!files.contains(&usize::MAX)).then_some(Self { answer_digest, template, counts, files })
    }
}

/// The reader of an answer.
#[derive(Debug)]
pub(crate) struct AnswerReader<R> {
    source: R,
    limits: Limits,
    buffer: Vec<u8>,
    /// Offset of the first byte that was not read yet.
    start: usize,
    end: usize,
    bytes: u64,
    has_ended: bool,
    /// The mode line, and for each section of a digest whether it was there.
    recognised: Option<(Vec<u8>, Vec<bool>)>,
    /// The reservation for decoded data, if it is limited.
    reservation: Option<Reservation>,
    is_end_trusted: bool,
}

/// The step in bytes in which memory is reserved.
const RESERVED_AT_ONCE: u64 = 256 << 10;

impl<R: Read> AnswerReader<R> {
    /// Starts reading with a borrowed buffer, so that not every answer needs a new one.
    #[must_use]
    pub(crate) fn new(source: R, limits: Limits, mut buffer: Vec<u8>) -> Self {
        if buffer.len() < BUFFER_BYTES {
            buffer.resize(BUFFER_BYTES, 0);
        }
        Self {
            source,
            limits,
            buffer,
            start: 0,
            end: 0,
            bytes: 0,
            has_ended: false,
            recognised: None,
            reservation: None,
            is_end_trusted: false,
        }
    }

    /// Accepts a last line without newline, because the source fails if it ends too early.
    pub(crate) fn trust_end(&mut self) {
        self.is_end_trusted = true;
    }

    /// Limits the decoded data by this reservation, which grows with the data.
    pub(crate) fn reserve(&mut self, reservation: Reservation) {
        self.reservation = Some(reservation);
    }

    /// Returns the reservation of the decoded data.
    pub(crate) fn take_reservation(&mut self) -> Option<Reservation> {
        self.reservation.take()
    }

    /// Returns the number of bytes that were read so far.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the borrowed buffer.
    #[must_use]
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Reads while the answer has the same sections as the last one; tells whether all of it has.
    ///
    /// After `false`, [`Self::parse`] goes on from there.
    pub(crate) fn repeats(&mut self, last: &AnswerDigest) -> Result<bool, ReadError> {
        let Some(line) = self.line()? else { return Ok(false) };
        if !last.has_mode_line(&self.buffer[self.start..self.start + line]) {
            return Ok(false);
        }
        let mode_line = self.buffer[self.start..self.start + line].to_vec();
        self.start += line;
        let mut is_there = vec![false; last.len()];
        let mut left = last.len();
        while self.section(last, &mut is_there)? {
            left -= 1;
        }
        self.recognised = Some((mode_line, is_there));
        Ok(left == 0 && self.has_ended && self.start == self.end)
    }

    /// Skips the next section if the digest has it and it did not occur yet.
    fn section(&mut self, last: &AnswerDigest, is_there: &mut [bool]) -> Result<bool, ReadError> {
        let Some(line) = self.line()? else { return Ok(false) };
        let Some(head) = section_head(&self.buffer[self.start..self.start + line]) else { return Ok(false) };
        let Some((index, length)) = last.find(head) else { return Ok(false) };
        if is_there[index] {
            return Ok(false);
        }
        while self.end - self.start < length {
            if !self.fill()? {
                return Ok(false);
            }
        }
        let is_same = last.is_section(index, &self.buffer[self.start..self.start + length]);
        if is_same {
            is_there[index] = true;
            self.start += length;
        }
        Ok(is_same)
    }

    /// Returns the length of the next line with its newline; `None` if there is none within the limit.
    fn line(&mut self) -> Result<Option<usize>, ReadError> {
        loop {
            let text = &self.buffer[self.start..self.end];
            if let Some(length) = memchr::memchr(b'\n', text) {
                return Ok((length <= self.limits.max_line_bytes).then_some(length + 1));
            }
            if text.len() > self.limits.max_line_bytes || !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads the answer to its end, from its first difference to the last answer on.
    ///
    /// `known` are templates of builds that it may have. `last` is the answer with which it was compared, which is
    /// needed only if [`Self::recognised_any`] is true. `seed` is for its digest.
    pub(crate) fn parse(
        &mut self,
        known: &[Arc<Template>],
        last: Option<&PreviousAnswer<'_>>,
        seed: u64,
    ) -> Result<ParsedAnswer, ReadError> {
        let parser = match self.recognised.take() {
            None => ProfileParser::new(self.limits, known, Some(AnswerDigester::new(seed))),
            Some((mode_line, is_there)) => {
                let last = last.expect("what was recognised is not at hand any more");
                let mut files_seen = vec![false; last.files.len()];
                for (section, _) in is_there.iter().enumerate().filter(|&(_, &is_there)| is_there) {
                    files_seen[last.files[section]] = true;
                }
                let digester = AnswerDigester::resume(last.answer_digest, &is_there);
                ProfileParser::resume(self.limits, known, &mode_line, last, &files_seen, digester)?
            }
        };
        self.parse_rest(parser)
    }

    /// Tells whether a section was recognised, so that the counters of the last answer are needed.
    #[must_use]
    pub(crate) fn recognised_any(&self) -> bool {
        self.recognised.is_some()
    }

    fn parse_rest(&mut self, mut parser: ProfileParser<'_>) -> Result<ParsedAnswer, ReadError> {
        loop {
            self.start += parser.parse_lines(&self.buffer[self.start..self.end])?;
            if let Some(reservation) = &mut self.reservation {
                reservation.grow_to(parser.heap_bytes().next_multiple_of(RESERVED_AT_ONCE))?;
            }
            let rest = self.end - self.start;
            if rest == self.buffer.len() && rest > self.limits.max_line_bytes {
                return Err(parser.too_long(&self.buffer).into());
            }
            if !self.fill()? {
                break;
            }
        }
        parser.finish(&self.buffer[self.start..self.end]).map_err(ReadError::from)
    }

    /// Reads more of the answer into the buffer; `false` at its end.
    fn fill(&mut self) -> Result<bool, ReadError> {
        if self.has_ended {
            return Ok(false);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end * 2, 0);
        }
        let read = loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.end += read;
        self.bytes += read as u64;
        self.has_ended = read == 0;
        if self.bytes > self.limits.max_bytes {
            return Err(ParseError::TooLong { limit: self.limits.max_bytes }.into());
        }
        if self.has_ended
            && self.is_end_trusted
            && self.end > self.start
            && self.buffer[self.end - 1] != b'\n'
        {
            self.buffer[self.end] = b'\n';
            self.end += 1;
            return Ok(true);
        }
        Ok(read > 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::tests::{AGENT1, canonical, modes, profile, rows, text};

    /// A source that gives its text in pieces of this size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.1.min(buffer.len()).min(self.0.len());
            let (piece, rest) = self.0.split_at(size);
            buffer[..size].copy_from_slice(piece);
            self.0 = rest;
            Ok(size)
        }
    }

    /// An answer that was read to its end.
    struct Before {
        template: Arc<Template>,
        profile: Profile,
        answer_digest: AnswerDigest,
    }

    fn before(text: &[u8], piece: usize) -> Before {
        let mut reader = AnswerReader::new(Pieces(text, piece), Limits::default(), Vec::new());
        let ParsedAnswer { profile, template, answer_digest } = reader.parse(&[], None, 7).unwrap();
        Before { template: Arc::new(template.unwrap()), profile, answer_digest: answer_digest.unwrap() }
    }

    /// Compares an answer with the one before; returns `None` if it repeats that, else the parsed answer.
    fn held_against(before: &Before, text: &[u8], piece: usize) -> Result<Option<ParsedAnswer>, ReadError> {
        let mut reader = AnswerReader::new(Pieces(text, piece), Limits::default(), Vec::new());
        if reader.repeats(&before.answer_digest)? {
            assert_eq!(reader.bytes(), text.len() as u64);
            return Ok(None);
        }
        let last =
            PreviousAnswer::new(&before.answer_digest, &before.template, &before.profile.counts).unwrap();
        reader.parse(&[Arc::clone(&before.template)], Some(&last), 9).map(Some)
    }

    const ANSWER: &str = "mode: count\n\
                          b.go:1.1,2.2 1 0\n\
                          b.go:0.0,9.9 1 17\n\
                          a.go:1.1,2.2 1 3\n\
                          c:1.go:1.1,2.2 1 0\n";

    #[test]
    fn a_last_line_without_newline_is_whole_where_the_end_is_trusted() {
        let text = "mode: set\na.go:1.1,2.2 1 0\na.go:3.1,4.2 1 1";
        let read = |text: &str, is_end_trusted: bool| {
            let mut reader = AnswerReader::new(text.as_bytes(), Limits::default(), Vec::new());
            if is_end_trusted {
                reader.trust_end();
            }
            reader.parse(&[], None, 7).map(|parsed| parsed.profile).map_err(|error| error.to_string())
        };
        assert_eq!(read(text, true), Ok(profile(format!("{text}\n"))));
        assert_eq!(read(&format!("{text}\n"), true), Ok(profile(format!("{text}\n"))));
        assert_eq!(read("mode: set", true), Ok(profile("mode: set\n")));
        assert!(read(text, false).unwrap_err().contains("line 3: cut short"));
        assert!(read(&text[..text.len() - 2], true).unwrap_err().starts_with("line 3: expected"));
        assert!(read("", true).is_err());
    }

    #[test]
    fn an_answer_that_comes_again_in_another_order_is_known_without_being_parsed() {
        let before = before(ANSWER.as_bytes(), 99);
        let again = "mode: count\n\
                     c:1.go:1.1,2.2 1 0\n\
                     b.go:1.1,2.2 1 0\n\
                     b.go:0.0,9.9 1 17\n\
                     a.go:1.1,2.2 1 3\n";
        for piece in 1..again.len() {
            assert!(held_against(&before, again.as_bytes(), piece).unwrap().is_none(), "{piece}");
        }
    }

    #[test]
    fn a_recorded_answer_with_one_count_more_is_read_as_if_nothing_were_known() {
        let before = before(AGENT1, 1000);
        assert!(held_against(&before, AGENT1, 1000).unwrap().is_none());
        let text = str::from_utf8(AGENT1).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for changed in 1..lines.len() {
            let mut lines = lines.clone();
            let line = format!("{}0", lines[changed].replace(" 0", " 7"));
            lines[changed] = &line;
            let text = format!("{}\n", lines.join("\n"));
            let parsed = held_against(&before, text.as_bytes(), 1000).unwrap().expect("it differs");
            assert_eq!(parsed.profile, profile(&text));
        }
    }

    #[test]
    fn what_is_more_less_or_other_than_the_last_answer_is_no_repetition() {
        let before = before(ANSWER.as_bytes(), 99);
        for other in [
            ANSWER.replace("mode: count", "mode: set"),
            ANSWER.replace("mode: count\n", "mode: count\r\n"),
            ANSWER.replace(" 17", " 18"),
            ANSWER.replace(" 17", " 1"),
            ANSWER.replace("c:1.go", "d:1.go"),
            ANSWER.replace("b.go:0.0,9.9 1 17\n", ""),
            ANSWER.replace("a.go:1.1,2.2 1 3\n", ""),
            ANSWER.replace("c:1.go:1.1,2.2 1 0\n", ""),
            format!("{ANSWER}d.go:1.1,2.2 1 0\n"),
            format!("{ANSWER}a.go:5.1,6.2 1 0\n"),
            format!("{ANSWER}a.go:1.1,2.2 1 3\n"),
            "mode: count\n".to_owned(),
        ] {
            for piece in [1, 20, 999] {
                let parsed = held_against(&before, other.as_bytes(), piece).unwrap().expect(&other);
                assert_eq!(canonical(&parsed.profile), canonical(&profile(&other)), "{other}");
            }
        }
    }

    #[test]
    fn a_bad_answer_is_refused_with_the_line_that_is_bad_however_much_was_recognised() {
        let before = before(ANSWER.as_bytes(), 99);
        for bad in [
            "",
            "mode: count",
            "<html>\n",
            &ANSWER[..ANSWER.len() - 1],
            &ANSWER[..ANSWER.len() - 9],
            &format!("{ANSWER}invalid block format, err: EOF\n"),
            &format!("{ANSWER}\n"),
            &ANSWER.replace(" 17", " x"),
            &ANSWER.replace("a.go", ""),
        ] {
            let error = held_against(&before, bad.as_bytes(), 7).unwrap_err().to_string();
            assert_eq!(error, parse(bad.as_bytes(), Limits::default()).unwrap_err().to_string());
        }
    }

    #[test]
    fn an_answer_beyond_the_limit_is_refused_also_where_it_is_the_last_one() {
        let before = before(ANSWER.as_bytes(), 99);
        let limits = Limits { max_bytes: ANSWER.len() as u64 - 1, ..Limits::default() };
        let mut reader = AnswerReader::new(ANSWER.as_bytes(), limits, Vec::new());
        assert!(reader.repeats(&before.answer_digest).unwrap_err().to_string().contains("--max-body"));
    }

    #[test]
    fn the_digest_of_an_answer_that_was_recognised_in_part_is_that_of_all_of_it() {
        let before = before(ANSWER.as_bytes(), 99);
        let changed = ANSWER.replace("a.go:1.1,2.2 1 3", "a.go:1.1,2.2 1 4");
        let ParsedAnswer { profile, answer_digest, .. } =
            held_against(&before, changed.as_bytes(), 20).unwrap().expect("it differs");
        let before = Before { profile, answer_digest: answer_digest.unwrap(), ..before };
        assert!(held_against(&before, changed.as_bytes(), 20).unwrap().is_none());
        assert!(held_against(&before, ANSWER.as_bytes(), 20).unwrap().is_some());
    }

    #[test]
    fn parts_of_different_answers_are_not_taken_for_one() {
        let one = before(ANSWER.as_bytes(), 99);
        let other = before(ANSWER.replace("b.go", "x.go").as_bytes(), 99);
        assert!(PreviousAnswer::new(&one.answer_digest, &other.template, &other.profile.counts).is_none());
        assert!(PreviousAnswer::new(&one.answer_digest, &one.template, &one.profile.counts[1..]).is_none());
    }

    fn shuffled() -> impl Strategy<Value = (crate::profile::tests::Rows, crate::profile::tests::Rows)> {
        rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    }

    proptest! {
        #[test]
        fn a_repetition_is_known_and_anything_else_read_as_ever(
            (rows, mut again) in shuffled(), mode in modes(),
            moved in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u64), 0..3),
            piece in prop_oneof![1..300_usize, Just(9999)],
        ) {
            let before = before(text(mode, &rows).as_bytes(), piece);
            let lines: usize = again.iter().map(|(_, lines)| lines.len()).sum();
            let mut has_moved = false;
            for (index, by) in moved.into_iter().filter(|_| lines > 0) {
                let counts = again.iter_mut().flat_map(|(_, lines)| lines).map(|(_, count)| count);
                let count = counts.into_iter().nth(index.index(lines)).unwrap();
                if count.checked_add(by).is_some_and(|sum| sum <= crate::profile::MAX_COUNT) {
                    *count += by;
                    has_moved |= by > 0;
                }
            }
            let again = text(mode, &again);
            match held_against(&before, again.as_bytes(), piece).unwrap() {
                None => prop_assert!(!has_moved),
                Some(parsed) => {
                    prop_assert!(has_moved);
                    prop_assert_eq!(parsed.profile, profile(&again));
                    // An answer with a count of 19 digits leaves the template and has no digest.
                    if let Some(answer_digest) = parsed.answer_digest {
                        let mut reader = AnswerReader::new(again.as_bytes(), Limits::default(), Vec::new());
                        prop_assert!(reader.repeats(&answer_digest).unwrap());
                    }
                }
            }
        }
    }
}
