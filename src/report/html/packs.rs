//! Compressed streams with the source, blocks, lines and functions of files for the page.
//!
//! Several files share one stream, so that text that the files of a package have in common, such as the licence, is
//! packed once. A stream is small enough to be unpacked in a few milliseconds. The thread that read its last file
//! compresses a stream as soon as it is full, so that a report never holds all its source in memory.
//!
//! A stream begins with the number of its files. For each file follow the length of its figures, and the length of its
//! text plus one, or 0 for no text. Then come the figures of all files, then the texts. A number has 7 bits in each
//! byte, the lowest first. A table has its columns one after the other, because similar numbers side by side compress
//! better. `script/streams.js` reads streams.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::filter::{Filter, FilteredFile};
use crate::parallel::lock;
use crate::profile::Block;
use crate::report::labels::{FileLabels, LineLabels};
use crate::report::{FunctionReport, LineReport, LineState};

/// Bytes of files after which a stream ends. Four times as many make the page of Kubernetes only 1 % smaller.
const STREAM_BYTES: usize = 256 << 10;
/// Level of deflate. The usual level 6 takes nearly twice as long and makes the page 6 % smaller.
const LEVEL: u32 = 3;

/// Compresses the files of a report while threads read them.
#[derive(Debug)]
pub(crate) struct Packer<'f> {
    /// Files that the filter leaves out are not in the page.
    filter: &'f Filter,
    /// One open stream for each thread, because a thread reads files of the same packages.
    open: Mutex<HashMap<ThreadId, Arc<Pack>>>,
}

/// The place of a file: its stream, and its number in the stream.
#[derive(Clone, Debug)]
pub(in crate::report) struct PackSlot {
    pub(super) pack: Arc<Pack>,
    pub(super) index: usize,
}

/// A stream, shared by the files in it.
#[derive(Debug, Default)]
pub(super) struct Pack(Mutex<PackStream>);

#[derive(Debug)]
enum PackStream {
    Open(Box<OpenPack>),
    /// The compressed stream as characters.
    Packed(Arc<str>),
}

#[derive(Debug, Default)]
struct OpenPack {
    /// Length of the figures and of the text of each file.
    lengths: Vec<(usize, Option<usize>)>,
    figures: Vec<u8>,
    texts: Vec<u8>,
    /// Buffers that keep nothing between two uses.
    cells: Vec<u64>,
    characters: String,
    encoder: Option<DeflateEncoder<Vec<u8>>>,
}

impl Default for PackStream {
    fn default() -> Self {
        Self::Open(Box::default())
    }
}

/// Blocks, counts, lines and functions of a file.
pub(in crate::report) struct FileFigures<'r> {
    pub(in crate::report) blocks: &'r [Block],
    pub(in crate::report) counts: &'r [u64],
    /// The origin of each carried block; `None` in a page that shows nothing of the kind.
    pub(in crate::report) carried: Option<&'r [u32]>,
    pub(in crate::report) lines: &'r [LineReport],
    pub(in crate::report) functions: &'r [FunctionReport],
    /// The runs that count together; `None` in a page that shows nothing of the kind.
    pub(in crate::report) labels: Option<&'r FileLabels<'r>>,
}

impl<'f> Packer<'f> {
    /// Creates a packer for a page with the files that the filter keeps.
    #[must_use]
    pub(crate) fn new(filter: &'f Filter) -> Self {
        Self { filter, open: Mutex::default() }
    }

    /// Puts a file into the stream of this thread; `None` if the filter leaves the file out.
    pub(in crate::report) fn put(
        &self,
        file: FilteredFile<'_>,
        figures: &FileFigures<'_>,
        text: Option<&[u8]>,
    ) -> Option<PackSlot> {
        if !self.filter.takes(file) {
            return None;
        }
        let open = || lock(&self.open);
        let thread = thread::current().id();
        let pack = open().remove(&thread).unwrap_or_default();
        let (index, bytes) = pack.put(figures, text);
        let next = match bytes < STREAM_BYTES {
            true => Arc::clone(&pack),
            false => Arc::new(Pack(Mutex::new(PackStream::Open(pack.close())))),
        };
        open().insert(thread, next);
        Some(PackSlot { pack, index })
    }
}

impl Pack {
    /// Adds a file; returns its number in the stream, and the size of the stream in bytes.
    fn put(&self, figures: &FileFigures<'_>, text: Option<&[u8]>) -> (usize, usize) {
        let mut stream = lock(&self.0);
        let PackStream::Open(files) = &mut *stream else { unreachable!("a stream that is full is put away") };
        let files = &mut **files;
        let before = files.figures.len();
        figures.write(&mut files.figures, &mut files.cells);
        files.lengths.push((files.figures.len() - before, text.map(<[u8]>::len)));
        files.texts.extend_from_slice(text.unwrap_or_default());
        (files.lengths.len() - 1, files.figures.len() + files.texts.len())
    }

    /// Closes the stream and returns its text for the page.
    pub(super) fn packed(&self) -> Arc<str> {
        self.close();
        match &*lock(&self.0) {
            PackStream::Packed(packed) => Arc::clone(packed),
            PackStream::Open(_) => unreachable!("it was closed"),
        }
    }

    /// Packs the files of an open stream, and returns their buffers for the next one. New buffers for each stream would
    /// fragment the memory, and the program would take half as much again. Allocators that give free memory back to the
    /// kernel at once, such as the one of musl, would spend much time with it.
    fn close(&self) -> Box<OpenPack> {
        let mut stream = lock(&self.0);
        let PackStream::Open(files) = &mut *stream else { return Box::default() };
        let mut files = std::mem::take(files);
        *stream = PackStream::Packed(files.packed().into());
        let OpenPack { lengths, figures, texts, cells: _, characters, encoder: _ } = &mut *files;
        lengths.clear();
        figures.clear();
        texts.clear();
        characters.clear();
        // One file may have been very large.
        texts.shrink_to(2 * STREAM_BYTES);
        characters.shrink_to(2 * STREAM_BYTES);
        files
    }
}

impl OpenPack {
    fn packed(&mut self) -> &str {
        const INTO_MEMORY: &str = "memory takes what is written";
        let mut head = Vec::new();
        number(&mut head, self.lengths.len() as u64);
        for (figures, text) in &self.lengths {
            number(&mut head, *figures as u64);
            number(&mut head, text.map_or(0, |length| length as u64 + 1));
        }
        let encoder =
            self.encoder.get_or_insert_with(|| DeflateEncoder::new(Vec::new(), Compression::new(LEVEL)));
        encoder.write_all(&head).expect(INTO_MEMORY);
        encoder.write_all(&self.figures).expect(INTO_MEMORY);
        // A flush starts a new block of deflate, because codes for numbers do not suit text.
        encoder.flush().expect(INTO_MEMORY);
        encoder.write_all(&self.texts).expect(INTO_MEMORY);
        let mut deflated = encoder.reset(Vec::new()).expect(INTO_MEMORY);
        write_characters(&mut self.characters, &deflated);
        deflated.clear();
        *encoder.get_mut() = deflated;
        &self.characters
    }
}

impl FileFigures<'_> {
    /// Writes the figures; `cells` is a buffer for tables.
    fn write(&self, out: &mut Vec<u8>, cells: &mut Vec<u64>) {
        table(out, blocks(self.blocks, self.counts), cells);
        if let Some(carried) = self.carried {
            let counted = self.blocks.iter().zip(carried).filter(|(block, _)| block.statements > 0);
            table(out, counted.map(|(_, &origin)| [origin.into()]), cells);
        }
        table(out, runs(self.lines), cells);
        let mut line = 0;
        let rows = self.functions.iter().map(|function| {
            let (extent, coverage) = (&function.extent, function.coverage);
            let (start, end) = (extent.start.0, extent.end.0);
            let row = [
                extent.receiver.len() as u64,
                extent.name.len() as u64,
                // `//line` comments can put a function before the one above it.
                start.wrapping_sub(line).into(),
                end.wrapping_sub(start).into(),
                coverage.covered,
                coverage.total,
                function.own_hits(),
            ];
            line = end;
            row
        });
        table(out, rows, cells);
        for function in self.functions {
            out.extend_from_slice(function.extent.receiver.as_bytes());
            out.extend_from_slice(function.extent.name.as_bytes());
        }
        if let Some(FileLabels { choices, lines, shares }) = self.labels {
            let counted = self.blocks.iter().zip(*choices).filter(|(block, _)| block.statements > 0);
            table(out, counted.map(|(_, &choices)| [choices.into()]), cells);
            table(out, label_runs(lines), cells);
            for functions in &shares.functions {
                table(out, functions.iter().map(|covered| [*covered]), cells);
            }
        }
    }
}

/// Writes a number with 7 bits in each byte, the lowest first.
fn number(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Writes the number of rows of a table and then its columns. `cells` is a buffer, which can be used for many tables.
pub(super) fn table<const WIDTH: usize>(
    out: &mut Vec<u8>,
    rows: impl Iterator<Item = [u64; WIDTH]>,
    cells: &mut Vec<u64>,
) {
    cells.clear();
    cells.extend(rows.flatten());
    let (rows, _) = cells.as_chunks::<WIDTH>();
    number(out, rows.len() as u64);
    for column in 0..WIDTH {
        for row in rows {
            number(out, row[column]);
        }
    }
}

/// Returns a row for each block with statements: lines since the start of the block before, column, lines to its end,
/// column of the end, statements, count.
fn blocks(blocks: &[Block], counts: &[u64]) -> impl Iterator<Item = [u64; 6]> {
    let mut line = 0;
    let counted = blocks.iter().zip(counts).filter(|(block, _)| block.statements > 0);
    counted.map(move |(block, &count)| {
        let Block { start, end, statements } = block;
        let from = start.0 - line;
        line = start.0;
        // A block may claim to end above its start.
        let lines = end.0.wrapping_sub(start.0);
        [from.into(), start.1.into(), lines.into(), end.1.into(), (*statements).into(), count]
    })
}

/// Returns a row for each run of lines that the same runs cover: lines since the run before, length, choices that cover all of
/// it, and those that cover some of it.
fn label_runs(lines: &[LineLabels]) -> impl Iterator<Item = [u64; 4]> {
    let alike = |a: &LineLabels, b: &LineLabels| a.line + 1 == b.line && (a.all, a.some) == (b.all, b.some);
    let mut end = 0;
    lines.chunk_by(alike).map(move |run| {
        let LineLabels { line, all, some } = run[0];
        let row = [u64::from(line - end), run.len() as u64, all.into(), some.into()];
        end = run[run.len() - 1].line;
        row
    })
}

/// Returns a row for each run of equal lines: lines since the run before, length, state, count.
fn runs(lines: &[LineReport]) -> impl Iterator<Item = [u64; 4]> {
    let state = |line: &LineReport| match line.state() {
        LineState::Hit if line.is_carried() => 4,
        LineState::Hit => 1,
        LineState::Partly => 2,
        LineState::Missed => 3,
    };
    let alike = move |a: &LineReport, b: &LineReport| {
        a.line + 1 == b.line && state(a) == state(b) && a.own_hits() == b.own_hits()
    };
    let mut end = 0;
    lines.chunk_by(alike).map(move |run| {
        let row = [u64::from(run[0].line - end), run.len() as u64, state(&run[0]), run[0].own_hits()];
        end = run[run.len() - 1].line;
        row
    })
}

/// The characters for digits: the visible ones of ASCII without `<`, which could end a script.
const DIGITS: [u8; 93] = {
    let mut digits = [0; 93];
    let (mut index, mut character) = (0, b'!');
    while index < digits.len() {
        if character == b'<' {
            character += 1;
        }
        digits[index] = character;
        index += 1;
        character += 1;
    }
    digits
};

/// Compresses bytes and returns them as text for the page.
pub(super) fn packed(bytes: &[u8]) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    in_characters(&written.expect("memory takes what is written"))
}

/// Returns bytes as text that every server and editor leaves unchanged. Two digits to the base 93 hold 13 bits, which
/// takes 8 % less room than base64. Up to 6 bits at the end are one digit.
fn in_characters(bytes: &[u8]) -> String {
    let mut text = String::new();
    write_characters(&mut text, bytes);
    text
}

/// Writes bytes as [`in_characters`] returns them.
fn write_characters(text: &mut String, bytes: &[u8]) {
    let base = DIGITS.len();
    text.reserve(bytes.len() * 16 / 13 + 2);
    let mut push = |digit: usize| text.push(DIGITS[digit].into());
    let (mut held, mut bits) = (0, 0);
    for &byte in bytes {
        held |= usize::from(byte) << bits;
        bits += 8;
        if bits >= 13 {
            let pair = held & 0x1fff;
            push(pair / base);
            push(pair % base);
            held >>= 13;
            bits -= 13;
        }
    }
    if bits > 6 {
        push(held / base);
    }
    if bits > 0 {
        push(held % base);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;

    use super::super::super::Report;
    use super::super::super::testing::{PROFILE, SOURCE, SOURCES, with_report};
    use super::*;
    use crate::filter::Glob;

    fn from_characters(text: &str) -> Vec<u8> {
        let digit = |digit: &u8| DIGITS.iter().position(|known| known == digit).unwrap();
        let mut bits = Vec::new();
        for part in text.as_bytes().chunks(2) {
            let (value, length) = match part {
                [high, low] => (93 * digit(high) + digit(low), 13),
                [one] => (digit(one), 6),
                _ => unreachable!(),
            };
            bits.extend((0..length).map(|bit| (value >> bit) & 1 == 1));
        }
        let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
        bits.chunks_exact(8).map(byte).collect()
    }

    /// Returns figures and text of each file of a stream.
    fn unpacked(pack: &Pack) -> Vec<(Vec<u64>, Option<String>)> {
        let mut bytes = Vec::new();
        DeflateDecoder::new(&from_characters(&pack.packed())[..]).read_to_end(&mut bytes).unwrap();
        let mut rest = &bytes[..];
        let lengths: Vec<(u64, u64)> =
            (0..next(&mut rest)).map(|_| (next(&mut rest), next(&mut rest))).collect();
        let mut take = |length: u64| {
            let (taken, left) = rest.split_at(usize::try_from(length).unwrap());
            rest = left;
            taken.to_vec()
        };
        let figures: Vec<Vec<u8>> = lengths.iter().map(|(figures, _)| take(*figures)).collect();
        let texts = lengths.iter().map(|(_, text)| text.checked_sub(1).map(&mut take));
        let texts: Vec<Option<String>> =
            texts.map(|text| text.map(|text| String::from_utf8(text).unwrap())).collect();
        assert_eq!(rest, b"");
        let numbers = |figures: Vec<u8>| {
            let mut rest = &figures[..];
            std::iter::from_fn(|| (!rest.is_empty()).then(|| next(&mut rest))).collect()
        };
        figures.into_iter().map(numbers).zip(texts).collect()
    }

    fn next(bytes: &mut &[u8]) -> u64 {
        let length = bytes.iter().position(|byte| *byte < 0x80).unwrap() + 1;
        let (number, rest) = bytes.split_at(length);
        *bytes = rest;
        number.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f))
    }

    fn slots(report: &Report<'_>) -> Vec<PackSlot> {
        report.files.iter().map(|file| file.pack_slot.clone().unwrap()).collect()
    }

    #[test]
    fn a_file_comes_out_as_it_went_in() {
        with_report(PROFILE, &SOURCES, |report| {
            let slots = slots(&report);
            let files = unpacked(&slots[2].pack);
            assert_eq!(slots.iter().map(|slot| slot.index).collect::<Vec<_>>(), [0, 1, 2]);
            let (figures, text) = &files[2];
            assert_eq!(text.as_deref(), Some(SOURCE), "{}", report.files[2].name);
            let blocks = [&[3][..], &[3, 1, 5], &[13, 11, 20], &[1, 2, 2], &[11, 3, 2], &[1; 3], &[3, 0, 2]];
            let lines = [&[3][..], &[4, 1, 5], &[1; 3], &[1, 3, 1], &[3, 0, 2]];
            let functions =
                [&[2][..], &[0, 1], &[4, 4], &[3, 2], &[4, 2], &[1, 1], &[2, 1], &[3, 2]].concat();
            let names = b"mainTStop".map(u64::from);
            assert_eq!(figures[..], [&blocks.concat()[..], &lines.concat(), &functions, &names].concat());
            assert_eq!(files[1].1, None);
        });
    }

    #[test]
    fn a_block_may_claim_to_end_above_its_start() {
        let block = Block { start: (5, 2), end: (3, 1), statements: 1 };
        assert_eq!(blocks(&[block], &[7]).collect::<Vec<_>>(), [[5, 2, (1 << 32) - 2, 1, 1, 7]]);
    }

    #[test]
    fn a_number_of_any_size_comes_out_as_it_went_in() {
        for wanted in [0, 127, 128, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            number(&mut bytes, wanted);
            assert_eq!(next(&mut &bytes[..]), wanted);
        }
    }

    #[test]
    fn bytes_of_any_number_are_characters_that_stay_as_they_are() {
        assert_eq!((DIGITS[0], DIGITS[26], DIGITS[27], DIGITS[92]), (b'!', b';', b'=', b'~'));
        let bytes: Vec<u8> = (0..=u8::MAX).chain([0xff; 16]).chain([0; 16]).collect();
        for length in 0..bytes.len() {
            let text = in_characters(&bytes[..length]);
            assert!(text.bytes().all(|c| c.is_ascii_graphic() && c != b'<'), "{text}");
            assert_eq!(from_characters(&text), bytes[..length]);
        }
        assert_eq!(in_characters(&[0xff; 13]).len(), 16);
        // tests/page/streams.test.js decodes the same characters.
        let bytes: [&[u8]; 6] = [&[], &[0], &[26], &[27], &[255], &[255, 255]];
        assert_eq!(bytes.map(in_characters), ["", "!!", "!;", "!=", "#g", "z(("]);
    }

    #[test]
    fn streams_end_with_files_and_files_stay_in_order() {
        let text = format!("package p\n// {}\nfunc f() {{\n\tx()\n}}\n", "x".repeat(STREAM_BYTES / 2));
        let profile: Vec<String> = ('a'..='e').map(|name| format!("m/{name}.go:3.10,5.2 1 1\n")).collect();
        let profile = profile.concat();
        with_report(&format!("mode: set\n{profile}"), &[Some(&*text); 5], |report| {
            let slots = slots(&report);
            let packs: Vec<*const Pack> = slots.iter().map(|slot| Arc::as_ptr(&slot.pack)).collect();
            assert_eq!((packs[0], packs[2]), (packs[1], packs[3]));
            assert!(packs[0] != packs[2] && packs[2] != packs[4] && packs[0] != packs[4]);
            for PackSlot { pack, index } in slots {
                assert_eq!(unpacked(&pack)[index].1.as_deref(), Some(&*text));
            }
        });
    }

    #[test]
    fn what_a_filter_leaves_out_is_not_packed() {
        let filter = Filter {
            exclude: vec!["m/a".parse::<Glob>().unwrap()],
            exclude_generated: true,
            ..Filter::default()
        };
        let packer = Packer::new(&filter);
        let put = |name, is_generated| {
            let figures = FileFigures {
                blocks: &[],
                counts: &[],
                carried: None,
                lines: &[],
                functions: &[],
                labels: None,
            };
            let file = FilteredFile { name, path: None, is_generated, is_in_commit: false };
            packer.put(file, &figures, Some(name.as_bytes()))
        };
        assert!(put("m/a/x.go", false).is_none());
        assert!(put("m/b/made.go", true).is_none());
        let slot = put("m/b/x.go", false).unwrap();
        let texts: Vec<Option<String>> = unpacked(&slot.pack).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, [Some("m/b/x.go".to_owned())]);
    }
}
