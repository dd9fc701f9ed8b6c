//! Source, blocks, lines and functions of files, compressed for the page.
//!
//! Several files make one stream: what the files of a package have in common (the licence above each of them,
//! for one) then costs once. Of Kubernetes that takes a quarter off the page; a stream is still unpacked in a
//! few milliseconds.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::Serialize;

use crate::profile::Block;
use crate::report::{FileReport, LineReport, LineState};

/// Bytes after which a stream ends with the file that it is at; twice the window of deflate.
const STREAM_BYTES: usize = 64 << 10;

/// Files as the page carries them.
pub(super) struct Packed {
    /// Streams of raw deflate in base64.
    pub(super) texts: Vec<String>,
    /// Where each file is.
    pub(super) places: Vec<Place>,
}

/// Where in which stream a file is: its figures as JSON first, then its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    pack: usize,
    start: usize,
    figures: usize,
    /// `None` where there is no text.
    text: Option<usize>,
}

/// Compresses files, on all processors.
pub(super) fn pack(files: &[&FileReport<'_>]) -> Packed {
    // Sizes of figures are not known yet; texts are most of it, and blocks tell of the rest.
    let weight =
        |file: &FileReport<'_>| file.text.as_ref().map_or(0, |text| text.len()) + 8 * file.blocks.len();
    let mut streams: Vec<&[&FileReport<'_>]> = Vec::new();
    let (mut first, mut bytes) = (0, 0);
    for (index, file) in files.iter().enumerate() {
        bytes += weight(file);
        if bytes >= STREAM_BYTES {
            streams.push(&files[first..=index]);
            (first, bytes) = (index + 1, 0);
        }
    }
    if first < files.len() {
        streams.push(&files[first..]);
    }

    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(streams.len());
    let mut packed: Vec<(usize, String, Vec<Place>)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut packed = Vec::new();
                    loop {
                        let pack = next.fetch_add(1, Ordering::Relaxed);
                        let Some(files) = streams.get(pack) else { break packed };
                        let (text, places) = stream(pack, files);
                        packed.push((pack, text, places));
                    }
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    packed.sort_unstable_by_key(|(pack, ..)| *pack);
    let mut all = Packed { texts: Vec::with_capacity(packed.len()), places: Vec::with_capacity(files.len()) };
    for (_, text, places) in packed {
        all.texts.push(text);
        all.places.extend(places);
    }
    all
}

fn stream(pack: usize, files: &[&FileReport<'_>]) -> (String, Vec<Place>) {
    const INTO_MEMORY: &str = "memory takes what is written";
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let mut at = 0;
    let places = files.iter().map(|file| {
        let figures = serde_json::to_vec(&Figures::of(file)).expect("numbers and strings");
        let text = file.text.as_deref();
        encoder.write_all(&figures).expect(INTO_MEMORY);
        encoder.write_all(text.unwrap_or_default()).expect(INTO_MEMORY);
        let place = Place { pack, start: at, figures: figures.len(), text: text.map(<[u8]>::len) };
        at += figures.len() + text.map_or(0, <[u8]>::len);
        place
    });
    let places = places.collect();
    (STANDARD.encode(encoder.finish().expect(INTO_MEMORY)), places)
}

/// What the page knows of a file besides its text.
#[derive(Serialize)]
struct Figures<'r> {
    /// Of each block with statements: lines since the start of the one before, column, lines to its end, column
    /// there, statements, count.
    blocks: Vec<i64>,
    /// Of each run of lines that are alike: lines since the run before, length, state, count.
    lines: Vec<u64>,
    /// Type, name, first and last line, statements covered and all, count.
    functions: Vec<(&'r str, &'r str, u32, u32, u64, u64, u64)>,
}

impl<'r> Figures<'r> {
    fn of(file: &'r FileReport<'_>) -> Self {
        let functions = file.functions.iter().map(|function| {
            let (extent, coverage) = (&function.extent, function.coverage);
            let (receiver, name) = (&*extent.receiver, &*extent.name);
            (receiver, name, extent.start.0, extent.end.0, coverage.covered, coverage.total, function.hits)
        });
        Self {
            blocks: blocks(file.blocks, file.counts),
            lines: runs(&file.lines),
            functions: functions.collect(),
        }
    }
}

fn blocks(blocks: &[Block], counts: &[u64]) -> Vec<i64> {
    let mut flat = Vec::with_capacity(6 * blocks.len());
    let mut line = 0;
    for (block, &count) in blocks.iter().zip(counts).filter(|(block, _)| block.statements > 0) {
        let (start, end) = (i64::from(block.start.0), i64::from(block.end.0));
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let columns = (i64::from(block.start.1), i64::from(block.end.1));
        flat.extend([start - line, columns.0, end - start, columns.1, i64::from(block.statements), count]);
        line = start;
    }
    flat
}

fn runs(lines: &[LineReport]) -> Vec<u64> {
    let state = |line: &LineReport| match line.state() {
        LineState::Hit => 1,
        LineState::Partly => 2,
        LineState::Missed => 3,
    };
    let alike =
        |a: &LineReport, b: &LineReport| a.line + 1 == b.line && state(a) == state(b) && a.hits == b.hits;
    let mut flat = Vec::new();
    let mut end = 0;
    for run in lines.chunk_by(alike) {
        flat.extend([u64::from(run[0].line - end), run.len() as u64, state(&run[0]), run[0].hits]);
        end = run[run.len() - 1].line;
    }
    flat
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;
    use serde_json::{Value, json};

    use super::super::super::testing::{PROFILE, SOURCE, SOURCES, with_report};
    use super::*;

    fn unpacked(packed: &Packed, index: usize) -> (Value, Option<String>) {
        let place = packed.places[index];
        let stream = STANDARD.decode(&packed.texts[place.pack]).unwrap();
        let mut bytes = Vec::new();
        DeflateDecoder::new(&stream[..]).read_to_end(&mut bytes).unwrap();
        let (figures, text) = bytes[place.start..].split_at(place.figures);
        let text = place.text.map(|length| String::from_utf8(text[..length].to_vec()).unwrap());
        (serde_json::from_slice(figures).unwrap(), text)
    }

    #[test]
    fn a_file_comes_out_as_it_went_in() {
        with_report(PROFILE, &SOURCES, |report| {
            let files: Vec<&FileReport<'_>> = report.files.iter().collect();
            let packed = pack(&files);
            assert_eq!(packed.texts.len(), 1);
            let (figures, text) = unpacked(&packed, 2);
            assert_eq!(text.as_deref(), Some(SOURCE), "{}", files[2].name);
            let wanted = json!({
                "blocks": [3, 13, 1, 11, 1, 3, 1, 11, 2, 3, 1, 0, 5, 20, 2, 2, 1, 2],
                "lines": [4, 1, 1, 3, 1, 1, 3, 0, 5, 1, 1, 2],
                "functions": [["", "main", 3, 7, 1, 2, 3], ["T", "Stop", 9, 11, 1, 1, 2]],
            });
            assert_eq!(figures, wanted);
            assert_eq!(unpacked(&packed, 1).1, None);
        });
    }

    #[test]
    fn streams_end_with_files_and_files_stay_in_order() {
        let text = format!("package p\n// {}\nfunc f() {{\n\tx()\n}}\n", "x".repeat(STREAM_BYTES / 2));
        let profile: Vec<String> = ('a'..='e').map(|name| format!("m/{name}.go:3.10,5.2 1 1\n")).collect();
        let profile = profile.concat();
        with_report(&format!("mode: set\n{profile}"), &[Some(&*text); 5], |report| {
            let files: Vec<&FileReport<'_>> = report.files.iter().collect();
            let packed = pack(&files);
            let packs: Vec<usize> = packed.places.iter().map(|place| place.pack).collect();
            assert_eq!(packs, [0, 0, 1, 1, 2]);
            for index in 0..5 {
                assert_eq!(unpacked(&packed, index).1.as_deref(), Some(&*text));
            }
        });
    }
}
