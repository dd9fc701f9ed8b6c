//! The strict parser of profiles, which reads them as a stream.
//!
//! The same input is accepted as by Go's own reader (golang.org/x/tools/cover, `ParseProfiles`), less
//! what only a damaged answer holds. A line is parsed from its end, so that a path may hold `:`
//! and `,`. Replicas of one build print the same blocks in the same order inside a file, and only the
//! files change places, so what one answer taught (a [`Template`]) turns the next into comparing bytes
//! and reading one number a line: 354,000 lines in about 5 ms instead of 30. A line that does not match
//! sends the rest of that answer the ordinary way; the result is the same. A file that is as it was in the
//! last answer of the same process is passed over whole (see [`super::AnswerDigest`]).

use std::ops::Range;
use std::sync::Arc;

use super::answer_digest::AnswerDigester;
use super::generic_parse::GenericParse;
use super::limits::{Limits, ParseError};
use super::lines::{LineFault, block_tail, excerpt, mode_line, split_name, strip_cr};
use super::reader::{ParsedAnswer, PreviousAnswer};
use super::template::Template;
use super::template_parse::{TemplateParse, TemplateStep};
use super::{Mode, Profile};

/// The state of the parser between two buffers of one text.
pub(super) struct ProfileParser<'a> {
    limits: Limits,
    /// Lines parsed so far.
    line: u64,
    mode: Option<Mode>,
    known: &'a [Arc<Template>],
    following: Option<TemplateParse<'a>>,
    generic: GenericParse,
    /// The digest of the text; `None` after the text left its template, because the next answer is then read as a whole
    /// anyway.
    digester: Option<AnswerDigester>,
    /// The answer before this one.
    last: Option<&'a PreviousAnswer<'a>>,
}

/// Largest size in bytes of a row and of a file of an unknown build while they are decoded, without names, which are
/// stored three times. A pull of 13 million files with one row each took 350 bytes for a file, and one of 2 million
/// rows in 400 files took 70 bytes for a row.
const ROW_BYTES: usize = 120;

const FILE_BYTES: usize = 320;

/// Size in bytes of a block of a known build: its counter, the stored one, and both encoded.
const COUNTER_BYTES: usize = 32;

impl<'a> ProfileParser<'a> {
    pub(super) fn new(limits: Limits, known: &'a [Arc<Template>], digester: Option<AnswerDigester>) -> Self {
        Self {
            limits,
            line: 0,
            mode: None,
            known,
            following: None,
            generic: GenericParse::default(),
            digester,
            last: None,
        }
    }

    /// Continues after the mode line and the files of the last answer that were `seen`.
    pub(super) fn resume(
        limits: Limits,
        known: &'a [Arc<Template>],
        first_line: &[u8],
        last: &'a PreviousAnswer<'a>,
        seen: &[bool],
        digester: AnswerDigester,
    ) -> Result<Self, ParseError> {
        let mut parser = Self::new(limits, known, Some(digester));
        parser.mode = Some(mode_line(strip_cr(first_line.strip_suffix(b"\n").unwrap_or(first_line)))?);
        parser.last = Some(last);
        let following = TemplateParse::resume(last, seen);
        parser.line = 1 + following.lines_seen() as u64;
        parser.following = Some(following).filter(|following| following.files_seen > 0);
        Ok(parser)
    }

    /// Takes in the complete lines of `text`; returns their size in bytes.
    pub(super) fn parse_lines(&mut self, text: &[u8]) -> Result<usize, ParseError> {
        let mut at = 0;
        // Offset of the present section in this text.
        let mut section = 0;
        if self.mode.is_none() {
            let Some(end) = memchr::memchr(b'\n', text) else { return Ok(0) };
            self.mode = Some(mode_line(strip_cr(&text[..end]))?);
            self.line = 1;
            at = end + 1;
            section = at;
            if let Some(digester) = &mut self.digester {
                digester.mode_line(&text[..at]);
            }
        }
        loop {
            if let Some(following) = &mut self.following {
                let digester = self.digester.as_mut();
                let (used, state) = following.scan(text, at, &mut self.line, &mut section, digester);
                at = used;
                match state {
                    TemplateStep::NeedsMore => break,
                    TemplateStep::Left => self.leave_template(),
                }
            }
            let Some(len) = memchr::memchr(b'\n', &text[at..]) else { break };
            let line = &text[at..at + len];
            if len > self.limits.max_line_bytes {
                return Err(self.too_long(line));
            }
            let opens_file = self.block_line(strip_cr(line))?;
            if let Some(digester) = self.digester.as_mut().filter(|_| opens_file) {
                let head = self.following.as_ref().map_or(&self.generic.head, |following| &following.head);
                digester.turn(&text[section..at], head);
                section = at;
            }
            self.line += 1;
            at += len + 1;
        }
        if let Some(digester) = &mut self.digester {
            digester.pause(&text[section..at]);
        }
        // One check for each buffer is enough, because a text cannot exceed its limits far within one.
        self.too_many().map_or(Ok(at), Err)
    }

    /// Returns the approximate size in bytes of the profile that was read so far.
    pub(super) fn heap_bytes(&self) -> u64 {
        let GenericParse { files, rows, name_bytes, .. } = &self.generic;
        let generic = rows * ROW_BYTES + files.len() * FILE_BYTES + 3 * name_bytes;
        let counters = self.following.as_ref().map_or(0, |following| following.counts.len() * COUNTER_BYTES);
        (generic + counters) as u64
    }

    fn too_many(&self) -> Option<ParseError> {
        let Limits { max_files, max_blocks, .. } = self.limits;
        let (files, rows) = match &self.following {
            Some(following) => (following.seen.len(), following.counts.len()),
            None => (self.generic.files.len(), self.generic.rows),
        };
        if files > max_files {
            return Some(ParseError::TooManyFiles { limit: max_files });
        }
        (rows > max_blocks).then_some(ParseError::TooManyBlocks { limit: max_blocks })
    }

    pub(super) fn too_long(&self, line: &[u8]) -> ParseError {
        ParseError::LineTooLong {
            line: self.line + 1,
            limit: self.limits.max_line_bytes,
            found: excerpt(line),
        }
    }

    /// Takes in one line; tells whether it is the first of its file.
    fn block_line(&mut self, line: &[u8]) -> Result<bool, ParseError> {
        if self.line == 1 {
            // The first file decides which of the known builds fit.
            let name = split_name(line).and_then(|(name, _)| str::from_utf8(name).ok());
            let place = name.and_then(|name| {
                self.known.iter().find_map(|known| Some((known, known.build.index_of(name)?)))
            });
            if let Some((template, file)) = place {
                let mut following = TemplateParse::new(template, self.last);
                following.enter(file);
                let mut whole = line.to_vec();
                whole.push(b'\n');
                let (mut lines, mut section) = (self.line, 0);
                if following.scan(&whole, 0, &mut lines, &mut section, None).0 == whole.len() {
                    self.following = Some(following);
                    return Ok(true);
                }
            }
        }
        let generic = &mut self.generic;
        if !generic.head.is_empty()
            && line.starts_with(&generic.head)
            && let Ok((block, count)) = block_tail(&line[generic.head.len()..])
        {
            generic.files[generic.current].1.push((block, count));
            generic.rows += 1;
            return Ok(false);
        }
        let not_a_block = || ParseError::NotABlock { line: self.line + 1, found: excerpt(line) };
        let (name, tail) = split_name(line).ok_or_else(not_a_block)?;
        let (block, count) = block_tail(tail).map_err(|fault| match fault {
            LineFault::Form => not_a_block(),
            LineFault::Size => ParseError::TooLarge { line: self.line + 1, found: excerpt(line) },
        })?;
        let name = str::from_utf8(name).map_err(|_| not_a_block())?;
        generic.enter(name);
        generic.files[generic.current].1.push((block, count));
        generic.rows += 1;
        Ok(true)
    }

    /// Leaves the template and keeps the rows that were read by it.
    fn leave_template(&mut self) {
        let Some(following) = self.following.take() else { return };
        self.digester = None;
        let build = &following.template.build;
        let mut keep = |index: usize, lines: Range<usize>| {
            self.generic.enter(build.file(index).name);
            self.generic.rows += lines.len();
            let rows = &mut self.generic.files[self.generic.current].1;
            rows.extend(lines.map(|line| {
                let block = following.template.lines[line].block as usize;
                (build.blocks[block], following.counts[block])
            }));
        };
        for (index, _) in following.seen.iter().enumerate().filter(|&(_, &seen)| seen) {
            let (start, end) = build.file(index).range;
            keep(index, start..end);
        }
        let start = build.file(following.file).range.0;
        if !following.seen[following.file] && following.next > start {
            keep(following.file, start..following.next);
        }
    }

    /// Returns the parsed answer; `rest` is the text after the last complete line.
    pub(super) fn finish(mut self, rest: &[u8]) -> Result<ParsedAnswer, ParseError> {
        if !rest.is_empty() {
            if self.mode.is_none() {
                // A text without a line end may be another page, and is not reported as a cut profile.
                mode_line(rest)?;
            }
            return Err(ParseError::Cut { line: self.line + 1, found: excerpt(rest) });
        }
        let Some(mode) = self.mode else { return Err(ParseError::NoMode { found: String::new() }) };
        match self.following.take() {
            Some(following) if following.files_seen == following.seen.len() => {
                let build = Arc::clone(&following.template.build);
                let profile = Profile { mode, build, counts: following.counts };
                let answer_digest = self.digester.and_then(AnswerDigester::finish);
                return Ok(ParsedAnswer { profile, template: None, answer_digest });
            }
            unfinished => {
                self.following = unfinished;
                self.leave_template();
            }
        }
        let (profile, template) = self.generic.into_profile(mode);
        let answer_digest = self.digester.and_then(AnswerDigester::finish);
        match self.known.iter().find(|known| known.build.fingerprint() == profile.build.fingerprint()) {
            Some(known) => {
                let profile = Profile { build: Arc::clone(&known.build), ..profile };
                Ok(ParsedAnswer { profile, template: None, answer_digest })
            }
            None => Ok(ParsedAnswer { profile, template: Some(template), answer_digest }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use proptest::prelude::*;

    use super::*;
    use crate::profile::Block;
    use crate::profile::limits::ReadError;
    use crate::profile::reader::BUFFER_BYTES;
    use crate::profile::template_parse::same;
    use crate::profile::tests::{
        AGENT1, AGENT2, ATOMIC, FUZZ_SEED, KILLED, Rows, SET, TERMINATED, body, canonical, fuzz_rounds, line,
        modes, profile, rows, text,
    };
    use crate::profile::{encode_build, parse, read};

    /// Parses `text`; returns it in canonical form, or the error message.
    fn said(text: impl AsRef<[u8]>) -> String {
        said_within(text, Limits::default())
    }

    fn said_within(text: impl AsRef<[u8]>, limits: Limits) -> String {
        match parse(text.as_ref(), limits) {
            Ok(profile) => canonical(&profile),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_go_accepts_is_accepted() {
        for (text, canonical) in [
            ("mode: count\r\na.go:1.2,3.4 5 6\r\n", "mode: count\na.go:1.2,3.4 5 6\n"),
            ("mode: set\na.go:+1.+2,+3.+4 +5 +1\n", "mode: set\na.go:1.2,3.4 5 1\n"),
            ("mode: count\na.go:01.002,3.4 5 006\n", "mode: count\na.go:1.2,3.4 5 6\n"),
            ("mode: wibble\na.go:1.2,3.4 5 6\n", "mode: count\na.go:1.2,3.4 5 6\n"),
            ("mode: atomic\n", "mode: atomic\n"),
        ] {
            assert_eq!(said(text), canonical, "{text:?}");
        }
    }

    #[test]
    fn blocks_that_only_generated_sources_have_survive() {
        let text = "mode: count\n\
                    a.go:0.0,0.0 0 1\n\
                    a.go:49.16,50.2 0 0\n\
                    a.go:100.10,100.10 0 0\n\
                    a.go:900.0,12.3 2 4\n\
                    a.go:4294967295.1,4294967295.1 4294967295 0\n";
        assert_eq!(said(text), text);
    }

    #[test]
    fn a_name_may_hold_what_separates_the_fields() {
        let text = "mode: count\n\
                    C:/a b/c,d.go:1.1,2.2 1 0\n\
                    C:/a b/c,d.go:1.1,2.2:1.1,2.2 1 0\n\
                    a.go:1.1,2.2 1 0 b.go:1.1,2.2 1 0\n";
        let names: Vec<_> = profile(text).build.files().map(|file| file.name.to_owned()).collect();
        assert_eq!(names, ["C:/a b/c,d.go", "C:/a b/c,d.go:1.1,2.2", "a.go:1.1,2.2 1 0 b.go"]);
        assert_eq!(said(text), text);
    }

    #[test]
    fn control_characters_in_a_name_survive() {
        let text = "mode: count\na\0\u{1b}[31m\r\t.go:1.1,2.2 1 0\n";
        assert_eq!(said(text), text);
    }

    #[test]
    fn a_line_that_is_no_block_is_shown_with_its_number() {
        let not_a_block = "expected \"file:line.col,line.col statements count\", found";
        for line in [
            "",
            "mode: count",
            "a.go:1.1,2.2 1 0 ",
            "a.go:1.1,2.2 1 -1",
            "a.go:1.1,2.2 -1 1",
            "a.go:1.1,2.2 1 1.0",
            "a.go:1.1,2.2 1 0x1",
            "a.go:1.1,2.2 1 +",
            "a.go:1.1,2.2 1 ++1",
            "a.go:1.1,2.2 1 ",
            "a.go:1.1,2.2 1",
            "a.go:1.1,2.2  1 1",
            "a.go:1.1, 2.2 1 1",
            "a.go:1,2.2 1 1",
            "a.go 1.1,2.2 1 1",
            ":1.1,2.2 1 1",
            "invalid block format, err: unexpected EOF",
        ] {
            let text = format!("mode: count\na.go:1.1,2.2 1 0\n{line}\n");
            assert_eq!(said(text), format!("line 3: {not_a_block} {line:?}"));
        }
        let twice_a_return = "mode: count\na.go:1.1,2.2 1 0\r\r\n";
        assert_eq!(said(twice_a_return), format!("line 2: {not_a_block} \"a.go:1.1,2.2 1 0\\r\""));
        let latin1 = b"mode: count\n\xe9.go:1.1,2.2 1 0\n";
        assert_eq!(said(latin1), format!("line 2: {not_a_block} \"\u{fffd}.go:1.1,2.2 1 0\""));
        let escapes = "mode: count\n\u{1b}]0;owned\u{7}\0\n";
        assert_eq!(said(escapes), format!(r#"line 2: {not_a_block} "\u{{1b}}]0;owned\u{{7}}\0""#));
    }

    #[test]
    fn a_text_without_a_mode_line_is_no_profile() {
        for first in [
            "",
            "mode:",
            "mode: ",
            "mode:count",
            "mode: count ",
            "mode: count: set",
            " mode: count",
            "Mode: count",
            "\u{feff}mode: count",
            "a.go:1.1,2.2 1 0",
            "<!DOCTYPE html>",
            r#"{"error":"service not found"}"#,
        ] {
            let expected = format!("line 1: expected \"mode: set|count|atomic\", found {first:?}");
            assert_eq!(said(format!("{first}\na.go:1.1,2.2 1 0\n")), expected);
            assert_eq!(said(first), expected, "without a newline");
        }
    }

    #[test]
    fn only_the_start_of_a_long_line_is_shown() {
        let page = format!("<html>{}\n", "x".repeat(200));
        assert_eq!(
            said(page),
            format!("line 1: expected \"mode: set|count|atomic\", found \"<html>{}…\"", "x".repeat(114))
        );
    }

    #[test]
    fn a_number_without_room_is_refused() {
        let most = "mode: count\na.go:1.1,2.2 1 9223372036854775807\n";
        assert_eq!(said(most), most);
        for line in [
            "a.go:1.1,2.2 1 9223372036854775808",
            "a.go:1.1,2.2 1 18446744073709551616",
            "a.go:1.1,2.2 1 99999999999999999999999999999999",
            "a.go:1.1,2.2 4294967296 1",
            "a.go:4294967296.1,2.2 1 1",
            "a.go:1.4294967296,2.2 1 1",
            "a.go:1.1,4294967296.2 1 1",
            "a.go:1.1,2.4294967296 1 1",
        ] {
            let text = format!("mode: count\n{line}\n");
            assert_eq!(said(text), format!("line 2: a number is too large in {line:?}"));
        }
    }

    #[test]
    fn a_block_that_comes_again_is_summed_and_in_a_set_ored() {
        let lines = "b.go:1.1,2.2 1 3\na.go:1.1,2.2 1 1\nb.go:1.1,2.2 1 4\nb.go:0.0,9.9 1 0\n";
        let summed = "a.go:1.1,2.2 1 1\nb.go:0.0,9.9 1 0\nb.go:1.1,2.2 1 7\n";
        for mode in ["count", "atomic"] {
            assert_eq!(said(format!("mode: {mode}\n{lines}")), format!("mode: {mode}\n{summed}"));
        }
        let set = "mode: set\na.go:1.1,2.2 1 1\na.go:1.1,2.2 1 1\na.go:1.1,2.2 1 0\n";
        assert_eq!(said(set), "mode: set\na.go:1.1,2.2 1 1\n");
        let most = "a.go:1.1,2.2 1 9223372036854775807\n";
        assert_eq!(said(format!("mode: count\n{most}{most}{most}")), format!("mode: count\n{most}"));
    }

    #[test]
    fn blocks_that_start_together_and_end_apart_are_two() {
        let text = "mode: count\na.go:1.1,2.2 1 3\na.go:1.1,9.9 2 4\n";
        assert_eq!(said(text), text);
    }

    /// Line comments of generated parsers put blocks of different code at one place (Loki's goyacc output does). Go's
    /// tools refuse such a profile, but it would be worse never to store the coverage of such a service. In the stored
    /// profile each block has its own place.
    #[test]
    fn blocks_of_one_place_with_different_numbers_of_statements_are_two() {
        let text = "mode: count\na.go:50.0,50.0 3 4\na.go:50.0,50.0 1 3\na.go:50.0,50.0 3 1\n";
        let canonical = "mode: count\na.go:50.0,50.0 1 3\na.go:50.0,50.0 3 5\n";
        assert_eq!(said(text), canonical);
        assert_eq!(said(canonical), canonical);
        let again = outcome(canonical.as_bytes(), &[learn(canonical)]).unwrap();
        assert_eq!(again.counts, [3, 5]);
    }

    #[test]
    fn a_text_has_no_more_files_and_blocks_than_its_limits() {
        let text = "mode: set\na.go:1.1,2.2 1 0\na.go:3.1,4.2 1 0\nb.go:1.1,2.2 1 0\n";
        let within = |max_files, max_blocks| Limits { max_files, max_blocks, ..Limits::default() };
        assert!(parse(text.as_bytes(), within(2, 3)).is_ok());
        let files = "more than 1 files, the limit for one answer ([pull] max_files)";
        let blocks = "more than 2 blocks, the limit for one answer ([pull] max_blocks)";
        assert_eq!(said_within(text, within(1, 9)), files);
        assert_eq!(said_within(text, within(9, 2)), blocks);
        // The build was known before the limits were reduced.
        let (_, template) = read(text.as_bytes(), Limits::default(), &[]).unwrap();
        let known = [Arc::new(template.unwrap())];
        for (limits, expected) in [(within(1, 9), files), (within(9, 2), blocks)] {
            assert_eq!(read(text.as_bytes(), limits, &known).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn limits_are_inclusive() {
        let text = "mode: count\na.go:1.1,2.2 1 0\n";
        let limits = Limits { max_bytes: 29, max_line_bytes: 16, ..Limits::default() };
        assert_eq!(said_within(text, limits), text);
        assert_eq!(
            said_within(text, Limits { max_line_bytes: 15, ..limits }),
            "line 2: longer than 15 bytes, starts with \"a.go:1.1,2.2 1 0\""
        );
        assert_eq!(
            said_within(text, Limits { max_bytes: 28, ..limits }),
            "more than 28 bytes, the limit for one answer (--max-body)"
        );
    }

    #[test]
    fn a_line_that_never_ends_is_broken_off() {
        let limits = Limits { max_line_bytes: 1000, ..Limits::of_lines() };
        for (start, number) in [("", 1), ("mode: count\n", 2)] {
            let mut endless = io::repeat(b'x').take(1 << 30);
            assert_eq!(
                read(start.as_bytes().chain(&mut endless), limits, &[]).unwrap_err().to_string(),
                format!("line {number}: longer than 1000 bytes, starts with \"{}…\"", "x".repeat(120))
            );
            assert_eq!((1 << 30) - endless.limit(), BUFFER_BYTES as u64, "bytes held");
        }
    }

    #[test]
    fn an_endless_text_is_broken_off() {
        struct Endless;
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let line = b"a.go:1.1,2.2 1 0\n";
                buffer[..line.len()].copy_from_slice(line);
                Ok(line.len())
            }
        }
        let limits = Limits { max_bytes: 1000, ..Limits::default() };
        let error = read(b"mode: count\n".chain(Endless), limits, &[]).unwrap_err();
        assert_eq!(error.to_string(), "more than 1000 bytes, the limit for one answer (--max-body)");
    }

    /// Go's reader accepts a last line without its newline. An agent always ends it, and a cut count looks complete:
    /// `12` of `123`.
    #[test]
    fn a_text_cut_inside_a_line_is_refused_wherever_it_is_cut() {
        let whole = "mode: count\na.go:1.1,2.2 1 123";
        assert_eq!(said("mode: co"), r#"line 1: cut short, the text ends with "mode: co""#);
        for end in 13..=whole.len() {
            let expected = format!("line 2: cut short, the text ends with {:?}", &whole[12..end]);
            assert_eq!(said(&whole[..end]), expected);
        }
    }

    /// The caller must know from the framing (chunks, Content-Length) that the text is complete.
    #[test]
    fn a_text_cut_at_the_end_of_a_line_looks_whole() {
        let cut = "mode: count\na.go:1.1,2.2 1 1\n";
        assert_eq!(said(cut), cut);
        assert_eq!(said("mode: count\n"), "mode: count\n");
    }

    #[test]
    fn answers_of_processes_that_were_ended_are_cut_short() {
        let said = [KILLED, TERMINATED].map(|answer| said(body(answer)));
        assert_eq!(
            said,
            [
                r#"line 95: cut short, the text ends with "example""#,
                r#"line 572: cut short, the text ends with "example.com/big/p""#
            ]
        );
    }

    #[test]
    fn an_interrupted_source_is_asked_again_and_a_failed_one_is_an_error() {
        struct Failing(Vec<io::ErrorKind>);
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                self.0.pop().map_or(Ok(0), |kind| Err(kind.into()))
            }
        }
        let read = |failures| {
            let source = b"mode: set\n".chain(Failing(failures)).chain(&b"a.go:1.1,2.2 1 0\n"[..]);
            read(source, Limits::default(), &[]).map(|(profile, _)| canonical(&profile))
        };
        let whole = read(vec![io::ErrorKind::Interrupted]).unwrap();
        assert_eq!(whole, "mode: set\na.go:1.1,2.2 1 0\n");
        let Err(ReadError::Io(error)) = read(vec![io::ErrorKind::ConnectionReset]) else {
            panic!("no error")
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    fn learn(text: impl AsRef<[u8]>) -> Arc<Template> {
        let (_, template) = read(text.as_ref(), Limits::default(), &[]).unwrap();
        Arc::new(template.expect("nothing is known yet"))
    }

    /// Returns the outcome of reading in a form that can be compared.
    fn outcome(text: &[u8], known: &[Arc<Template>]) -> Result<Profile, String> {
        match read(text, Limits::default(), known) {
            Ok((profile, _)) => Ok(profile),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_known_build_is_shared_and_taught_once() {
        let other = learn("mode: count\na.go:1.1,2.2 1 0\n");
        let known = [other, learn(AGENT1)];
        for recorded in [AGENT1, AGENT2, SET, ATOMIC] {
            let (read, template) = read(recorded, Limits::default(), &known).unwrap();
            assert!(Arc::ptr_eq(&read.build, known[1].build()) && template.is_none());
            assert_eq!(read, profile(recorded));
        }
    }

    #[test]
    fn an_unknown_build_is_taught_where_it_shares_files_with_a_known_one() {
        let known = [learn("mode: count\na.go:1.1,2.2 1 0\nb.go:1.1,2.2 1 0\n")];
        for text in [
            "mode: count\na.go:1.1,2.2 1 7\n",
            "mode: count\nb.go:1.1,2.2 1 7\na.go:1.1,2.2 1 8\na.go:3.1,4.2 1 9\n",
            "mode: count\na.go:1.1,2.2 1 7\nc.go:1.1,2.2 1 8\nb.go:1.1,2.2 1 9\n",
            "mode: count\nb.go:1.1,2.2 1 7\na.go:1.1,3.3 1 8\n",
        ] {
            let (read, template) = read(text.as_bytes(), Limits::default(), &known).unwrap();
            assert_eq!(read, profile(text));
            assert_eq!(template.unwrap().build(), &read.build);
        }
    }

    #[test]
    fn a_line_of_a_known_build_in_another_form_keeps_the_lines_before_it() {
        let known = [learn("mode: count\nb.go:5.1,6.2 1 0\nb.go:1.1,2.2 1 0\na.go:1.1,2.2 1 0\n")];
        let lines = ["b.go:5.1,6.2 1 1\n", "b.go:1.1,2.2 1 2\n", "a.go:1.1,2.2 1 3\n"];
        let expected = "mode: count\na.go:1.1,2.2 1 3\nb.go:1.1,2.2 1 2\nb.go:5.1,6.2 1 1\n";
        for odd in 0..lines.len() {
            for (from, to) in
                [("\n", "\r\n"), (" 1 ", " 1 +"), (" 1 ", " 1 0000000000000000000"), ("go:", "go:0")]
            {
                let mut lines = lines.map(str::to_owned);
                lines[odd] = lines[odd].replace(from, to);
                let text = format!("mode: count\n{}", lines.concat());
                let read = outcome(text.as_bytes(), &known).map(|profile| canonical(&profile));
                assert_eq!(read.as_deref(), Ok(expected), "{text:?}");
            }
        }
    }

    #[test]
    fn a_count_is_checked_in_a_known_build_too() {
        let known = [learn("mode: count\na.go:1.1,2.2 1 0\na.go:3.1,4.2 1 0\n")];
        for count in ["", "-1", "1 ", "9223372036854775808", "18446744073709551617"] {
            let text = format!("mode: count\na.go:1.1,2.2 1 0\na.go:3.1,4.2 1 {count}\n");
            let refused = outcome(text.as_bytes(), &known).unwrap_err();
            assert!(refused.starts_with("line 3: ") && refused == said(&text), "{refused}");
        }
    }

    #[test]
    fn a_file_of_a_known_build_that_comes_twice_is_summed() {
        let text = "mode: count\na.go:1.1,2.2 1 1\na.go:3.1,4.2 1 2\nb.go:1.1,2.2 1 3\n";
        let twice = text.to_owned() + "a.go:1.1,2.2 1 40\na.go:3.1,4.2 1 50\n";
        let read = outcome(twice.as_bytes(), &[learn(text)]).unwrap();
        assert_eq!(canonical(&read), "mode: count\na.go:1.1,2.2 1 41\na.go:3.1,4.2 1 52\nb.go:1.1,2.2 1 3\n");
    }

    #[test]
    fn a_text_beyond_the_buffer_is_read_whole_with_and_without_a_template() {
        let long_name = "n".repeat(BUFFER_BYTES + 1);
        let mut rows: Rows = vec![(long_name, vec![(block(1), 1)])];
        rows.extend(
            (0..40)
                .map(|file| (format!("dir/{file}.go"), (1..201).map(|at| (block(at), at.into())).collect())),
        );
        let text = text(Mode::Count, &rows);
        let limits = Limits { max_line_bytes: 2 * BUFFER_BYTES, ..Limits::default() };
        let (whole, template) = read(text.as_bytes(), limits, &[]).unwrap();
        assert_eq!((whole.build.file_count(), whole.counts.iter().sum::<u64>()), (41, 1 + 40 * 20100));
        let (again, _) = read(text.as_bytes(), limits, &[Arc::new(template.unwrap())]).unwrap();
        assert_eq!(again, whole);
    }

    fn block(line: u32) -> Block {
        Block { start: (line, 1), end: (line, 9), statements: 1 }
    }

    /// A source that gives a text in pieces of up to `longest` bytes.
    struct Pieces<'a> {
        text: &'a [u8],
        longest: usize,
        rng: fastrand::Rng,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = self.rng.usize(1..=self.longest).min(buffer.len());
            self.text.read(&mut buffer[..len])
        }
    }

    /// Returns a possible answer of another process: files and blocks in another order, and often of another build.
    fn variant(rows: &Rows, rng: &mut fastrand::Rng) -> Rows {
        let mut rows = rows.clone();
        rng.shuffle(&mut rows);
        for _ in 0..rng.usize(..4) {
            let Some(file) = rng.choice(0..rows.len()) else { break };
            let lines = &mut rows[file].1;
            let at = rng.usize(..lines.len());
            match rng.u8(..7) {
                0 => rng.shuffle(lines),
                1 => drop(lines.remove(at)),
                2 => lines[at].0.statements ^= 1,
                3 => lines[at].0.end.1 ^= 1,
                4 => lines.iter_mut().for_each(|(_, count)| *count = rng.u64(..9)),
                5 => {
                    let rest = lines.split_off(at);
                    rows.push((rows[file].0.clone(), rest));
                }
                _ => {
                    let again = rows[file].clone();
                    rows.push(again);
                }
            }
            rows.retain(|(_, lines)| !lines.is_empty());
        }
        rows
    }

    /// Writes an answer, sometimes in a valid form that no agent writes.
    fn answer(mode: Mode, rows: &Rows, rng: &mut fastrand::Rng) -> Vec<u8> {
        let odd = rng.bool();
        let mut text = format!("mode: {mode}\n");
        for (file, lines) in rows {
            for &(block, count) in lines {
                let form = if odd { rng.u8(..12) } else { 0 };
                text += &match form {
                    1 => line(file, block, format_args!("+{count}")),
                    2 => line(file, block, format_args!("0{count}")),
                    3 => line(file, block, count).replace('\n', "\r\n"),
                    _ => line(file, block, count),
                };
            }
        }
        if rng.u8(..6) == 0 {
            let end = rng.usize(..=text.len());
            return text.into_bytes()[..end].to_vec();
        }
        text.into_bytes()
    }

    proptest! {
        #[test]
        fn texts_are_the_same_only_where_every_byte_is(
            text in prop::collection::vec(any::<u8>(), 0..140), at in any::<prop::sample::Index>(), flip: u8,
        ) {
            let mut other = text.clone();
            if !text.is_empty() {
                other[at.index(text.len())] ^= flip;
            }
            prop_assert_eq!(same(&text, &other), text == other);
        }

        #[test]
        fn the_pieces_in_which_a_text_comes_do_not_matter(
            rows in rows(),
            mode in modes(),
            longest in prop_oneof![Just(1), 1..90_usize],
            seed in any::<u64>(),
        ) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let text = answer(mode, &variant(&rows, &mut rng), &mut rng);
            let known = if rng.bool() { vec![learn(super::super::tests::text(mode, &rows))] } else { vec![] };
            let pieces = Pieces { text: &text, longest, rng };
            let read = match read(pieces, Limits::default(), &known) {
                Ok((profile, _)) => Ok(profile),
                Err(error) => Err(error.to_string()),
            };
            prop_assert_eq!(read, outcome(&text, &[]));
        }

        #[test]
        fn what_is_known_changes_nothing_that_is_read(
            rows in rows(), mode in modes(), known in 1..3, seed in any::<u64>(),
        ) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let text = answer(mode, &variant(&rows, &mut rng), &mut rng);
            let known: Vec<_> = (0..known)
                .filter_map(|_| {
                    let like = answer(Mode::Count, &variant(&rows, &mut rng), &mut rng);
                    Some(Arc::new(read(&like[..], Limits::default(), &[]).ok()?.1?))
                })
                .collect();
            prop_assert_eq!(outcome(&text, &known), outcome(&text, &[]));
            if let Ok((_, Some(taught))) = read(&text[..], Limits::default(), &known) {
                prop_assert_eq!(encode_build(&taught), encode_build(&learn(&text)));
            }
        }
    }

    fn mutated(corpus: &[Vec<u8>], rng: &mut fastrand::Rng) -> Vec<u8> {
        const TOKENS: [&[u8]; 14] = [
            b"\n",
            b"\r\n",
            b" ",
            b":",
            b".",
            b",",
            b"+",
            b"-",
            b"0",
            b"9223372036854775807",
            b"4294967296",
            b"mode: set\n",
            b"\0",
            b"\xff",
        ];
        let pick = |rng: &mut fastrand::Rng| &corpus[rng.usize(..corpus.len())];
        let mut text = pick(rng).clone();
        for _ in 0..rng.usize(1..6) {
            let (from, len) = (rng.usize(..=text.len()), rng.usize(..80));
            let to = (from + len).min(text.len());
            match rng.u8(..7) {
                0 if from < text.len() => text[from] ^= 1 << rng.u8(..8),
                1 if from < text.len() => text[from] = rng.u8(b'0'..=b'9'),
                2 => drop(text.drain(from..to)),
                3 => drop(text.splice(from..from, TOKENS[rng.usize(..TOKENS.len())].iter().copied())),
                4 => {
                    let other = pick(rng);
                    let start = rng.usize(..other.len());
                    let end = (start + len * 4).min(other.len());
                    text.splice(from..to, other[start..end].iter().copied());
                }
                5 => {
                    // Complete lines change places, which leaves most texts valid.
                    let mut lines: Vec<Vec<u8>> =
                        text.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
                    let tail = lines.len().min(2);
                    rng.shuffle(&mut lines[tail..]);
                    text = lines.concat();
                }
                _ if rng.u8(..4) == 0 => text.truncate(from),
                _ => {}
            }
        }
        text
    }

    #[test]
    fn the_parser_survives_mutated_profiles() {
        let rounds = fuzz_rounds();
        println!("seed {FUZZ_SEED:#x}, {rounds} rounds");
        let mut killed = body(KILLED);
        killed.truncate(killed.len() - b"example".len());
        let corpus = [AGENT1, AGENT2, SET, ATOMIC, &killed].map(<[u8]>::to_vec);
        let known = corpus.clone().map(learn);
        let mut accepted = 0;
        for round in 0..rounds {
            let text = mutated(&corpus, &mut fastrand::Rng::with_seed(FUZZ_SEED + round));
            let shown = || format!("round {round}, seed {FUZZ_SEED:#x}:\n{}", text.escape_ascii());
            let read = outcome(&text, &[]);
            assert_eq!(outcome(&text, &known), read, "{}", shown());
            if let Ok(read) = read {
                accepted += 1;
                assert_eq!(outcome(canonical(&read).as_bytes(), &known), Ok(read), "{}", shown());
            }
        }
        assert!(accepted > rounds / 10 && accepted < rounds, "{accepted} of {rounds} were accepted");
    }
}
