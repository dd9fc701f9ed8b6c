//! The encoding of a structure and its counters for the database.
//!
//! A process takes about one byte for each block: the structure is stored once for all processes that run it, and
//! counters are varints with folded runs of zeros (a 25 MB profile of 354,000 blocks takes 0.4 MB). The blocks of a
//! file keep the order in which agents print them, because that order makes the next answer fast to read (see
//! [`super::Template`]).

use super::answer_digest::checksum;
use super::varint::{self, Numbers, VarintFault, push};
use super::{Block, Fingerprint, HitCounts, MAX_COUNT, Template};

/// The error for stored bytes that were damaged or written by another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored coverage cannot be decoded ({0})")]
pub(crate) struct CodecError(&'static str);

/// The format with the fingerprint in front and a checksum behind, so that the fingerprint need not be computed again.
const BUILD_FORMAT: u8 = 2;
const BUILD_WITHOUT_FINGERPRINT: u8 = 1;
const FINGERPRINT_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 8;
const COUNTS_FORMAT: u8 = 1;

/// Encodes counters, one for each block of a build.
#[must_use]
pub(crate) fn encode_counts(counts: &[u64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(counts.len() + counts.len() / 4 + 16);
    out.push(COUNTS_FORMAT);
    push(&mut out, counts.len() as u64);
    let mut encoder = CountEncoder { at: out.len(), out, zeros: 0 };
    let mut rest = counts;
    while !rest.is_empty() {
        // Most blocks of a large program were never executed, and those follow each other.
        if rest.first_chunk().is_some_and(are_zero) {
            rest = encoder.push_zeros(rest);
        }
        let (few, others) = rest.split_at(rest.len().min(COUNTS_AT_ONCE));
        encoder.push_few(few);
        rest = others;
    }
    encoder.out.truncate(encoder.at);
    // There was room for counters of any size.
    encoder.out.shrink_to_fit();
    encoder.out
}

/// Encodes counters as [`encode_counts`] does.
#[must_use]
pub(crate) fn encode_hits(hits: &HitCounts) -> Vec<u8> {
    let mut out = Vec::with_capacity(3 * hits.hits().len() + size_of::<u64>() + 16);
    out.push(COUNTS_FORMAT);
    push(&mut out, hits.blocks() as u64);
    // Words are written without a branch for each byte, see `varint`.
    let mut push_word = |number: u32, shift: usize| {
        let (word, bytes) = varint::word(number.into()).expect("32 bits are 5 bytes");
        out.extend_from_slice(&(word << (8 * shift)).to_le_bytes());
        out.truncate(out.len() - size_of::<u64>() + bytes + shift);
    };
    let end = u32::try_from(hits.blocks()).expect("a build has fewer than 2^32 blocks");
    let mut next = 0;
    for (block, count) in hits.hits().iter().copied().chain([(end, 0)]) {
        if block > next {
            // A run of zeros is a zero with its length.
            push_word(block - next, 1);
        }
        if block < end {
            push_word(count, 0);
        }
        next = block + 1;
    }
    out
}

/// Number of counts that are encoded before more room is made.
const COUNTS_AT_ONCE: usize = 16;
/// Most bytes of a number.
const LONGEST_NUMBER: usize = 10;

/// Encodes counts without a branch for each, since no processor could foresee which are zero.
struct CountEncoder {
    /// Encoded bytes, and room behind them.
    out: Vec<u8>,
    /// Number of encoded bytes.
    at: usize,
    /// Length of the run of zeros at the end, which has its last byte in `out` and is short; 0 if there is none.
    zeros: u64,
}

impl CountEncoder {
    /// Encodes at most [`COUNTS_AT_ONCE`] counts.
    fn push_few(&mut self, counts: &[u64]) {
        let room = self.at + COUNTS_AT_ONCE * LONGEST_NUMBER + size_of::<u64>();
        if self.out.len() < room {
            self.out.resize(room, 0);
        }
        let Self { out, at, zeros } = self;
        for &count in counts {
            let Some((word, bytes)) = varint::word(count) else {
                let mut long = Vec::new();
                push(&mut long, count);
                out[*at..*at + long.len()].copy_from_slice(&long);
                (*at, *zeros) = (*at + long.len(), 0);
                continue;
            };
            let is_zero = count == 0;
            *zeros = if is_zero { *zeros + 1 } else { 0 };
            // A run of zeros is a zero with its length, which is written anew for each of them.
            let start = if *zeros > 1 { *at - 2 } else { *at };
            let (word, bytes) = if is_zero { (*zeros << 8, 2) } else { (word, bytes) };
            out[start..start + size_of::<u64>()].copy_from_slice(&word.to_le_bytes());
            *at = start + bytes;
        }
    }

    /// Encodes all zeros that the counts begin with, as one run with those before them; returns the others.
    fn push_zeros<'c>(&mut self, counts: &'c [u64]) -> &'c [u64] {
        let (eights, _) = counts.as_chunks();
        let zeros = 8 * eights.iter().take_while(|eight| are_zero(eight)).count();
        let zeros = zeros + counts[zeros..].iter().take_while(|&&count| count == 0).count();
        self.out.truncate(self.at);
        match self.zeros {
            0 => self.out.push(0),
            _ => self.out.truncate(self.at - 1),
        }
        push(&mut self.out, self.zeros + zeros as u64);
        (self.at, self.zeros) = (self.out.len(), 0);
        &counts[zeros..]
    }
}

fn are_zero(counts: &[u64; 8]) -> bool {
    counts.iter().fold(0, |all, count| all | count) == 0
}

/// Decodes the bytes of [`encode_counts`]; `blocks` is the number of blocks of the build.
pub(crate) fn decode_counts(bytes: &[u8], blocks: usize) -> Result<Vec<u64>, CodecError> {
    let mut counts = vec![0; blocks];
    each_stored_count(bytes, blocks, |at, count| counts[at] = count)?;
    Ok(counts)
}

/// Adds the counters of [`encode_counts`] to sums, one for each block, which saturate at [`MAX_COUNT`]. The sums are of no
/// use after an error.
pub(super) fn add_counts(bytes: &[u8], sums: &mut [u64]) -> Result<(), CodecError> {
    each_stored_count(bytes, sums.len(), |at, count| {
        let sum = &mut sums[at];
        *sum = sum.saturating_add(count).min(MAX_COUNT);
    })
}

/// Calls a function with the place and the count of each block that was executed, from the bytes of [`encode_counts`].
#[inline]
pub(crate) fn each_stored_count(
    bytes: &[u8],
    blocks: usize,
    mut each: impl FnMut(usize, u64),
) -> Result<(), CodecError> {
    let mut input = Decoder::new(bytes);
    if input.byte()? != COUNTS_FORMAT {
        return Err(CodecError("unknown counter format"));
    }
    if input.number()? != blocks as u64 {
        return Err(CodecError("counters of another build"));
    }
    let mut at = 0;
    while at < blocks {
        let count = input.number()?;
        if count == 0 {
            let run = input.size()?;
            if run == 0 || run > blocks - at {
                return Err(CodecError("run of zeros out of bounds"));
            }
            at += run;
        } else {
            each(at, count);
            at += 1;
        }
    }
    input.end()
}

/// Encodes the structure of `template`.
#[must_use]
pub(crate) fn encode_build(template: &Template) -> Vec<u8> {
    let build = template.build();
    let mut out = vec![BUILD_FORMAT];
    out.extend_from_slice(build.fingerprint().as_bytes());
    push(&mut out, build.file_count() as u64);
    let mut previous = "";
    for (index, file) in build.files().enumerate() {
        let shared = file.name.bytes().zip(previous.bytes()).take_while(|(a, b)| a == b).count();
        push(&mut out, shared as u64);
        push(&mut out, (file.name.len() - shared) as u64);
        out.extend_from_slice(&file.name.as_bytes()[shared..]);
        push(&mut out, file.blocks.len() as u64);
        let mut line = 0;
        for block in template.arrival(index) {
            push_signed(&mut out, i64::from(block.start.0) - line);
            push(&mut out, block.start.1.into());
            push_signed(&mut out, i64::from(block.end.0) - i64::from(block.start.0));
            push(&mut out, block.end.1.into());
            push(&mut out, block.statements.into());
            line = i64::from(block.start.0);
        }
        previous = file.name;
    }
    out.extend_from_slice(&checksum(&out).to_le_bytes());
    out
}

/// Decodes the bytes of [`encode_build`] into a template for reading answers.
pub(crate) fn decode_build(bytes: &[u8]) -> Result<Template, CodecError> {
    let mut input = Decoder::new(bytes);
    let fingerprint = match input.byte()? {
        BUILD_WITHOUT_FINGERPRINT => None,
        BUILD_FORMAT => {
            let (rest, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(CodecError("cut short"))?;
            if u64::from_le_bytes(*sum) != checksum(rest) {
                return Err(CodecError("its checksum is wrong"));
            }
            input = Decoder::new(&rest[1..]);
            Fingerprint::from_bytes(input.take(FINGERPRINT_BYTES)?)
        }
        _ => return Err(CodecError("unknown structure format")),
    };
    let files = input.size()?;
    let mut arrivals: Vec<(Box<str>, Vec<Block>)> = Vec::with_capacity(files.min(bytes.len()));
    for _ in 0..files {
        let shared = input.size()?;
        let own = input.size()?;
        let mut name = arrivals
            .last()
            .map_or(&[][..], |(name, _)| name.as_bytes())
            .get(..shared)
            .ok_or(CodecError("name out of bounds"))?
            .to_vec();
        name.extend_from_slice(input.take(own)?);
        let name = String::from_utf8(name).map_err(|_| CodecError("name is not UTF-8"))?;
        if arrivals.last().is_some_and(|(previous, _)| **previous >= *name) {
            return Err(CodecError("files out of order"));
        }
        let blocks = input.size()?;
        if name.is_empty() || name.contains('\n') || blocks == 0 {
            return Err(CodecError("no such file can be"));
        }
        let mut arrival = Vec::with_capacity(blocks.min(bytes.len()));
        let mut line = 0_i64;
        for _ in 0..blocks {
            let start_line = line.checked_add(input.signed()?).ok_or(CodecError("line out of bounds"))?;
            let start_col = input.small()?;
            let end_line = start_line.checked_add(input.signed()?).ok_or(CodecError("line out of bounds"))?;
            let to_u32 = |line| u32::try_from(line).map_err(|_| CodecError("line out of bounds"));
            let start = (to_u32(start_line)?, start_col);
            let end = (to_u32(end_line)?, input.small()?);
            arrival.push(Block { start, end, statements: input.small()? });
            line = start_line;
        }
        arrivals.push((name.into(), arrival));
    }
    input.end()?;
    Template::from_arrivals(arrivals, fingerprint).ok_or(CodecError("a block stands twice"))
}

fn push_signed(out: &mut Vec<u8>, number: i64) {
    push(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

struct Decoder<'a> {
    bytes: Numbers<'a>,
}

impl<'a> Decoder<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: Numbers::new(bytes) }
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        self.bytes.take(len).ok_or(CodecError("cut short"))
    }

    #[inline]
    fn number(&mut self) -> Result<u64, CodecError> {
        match self.bytes.next() {
            Ok(number) => Ok(number),
            Err(VarintFault::Short) => Err(CodecError("cut short")),
            Err(VarintFault::Long) => Err(CodecError("number out of bounds")),
        }
    }

    fn signed(&mut self) -> Result<i64, CodecError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn size(&mut self) -> Result<usize, CodecError> {
        usize::try_from(self.number()?).map_err(|_| CodecError("size out of bounds"))
    }

    fn small(&mut self) -> Result<u32, CodecError> {
        u32::try_from(self.number()?).map_err(|_| CodecError("number out of bounds"))
    }

    fn end(&self) -> Result<(), CodecError> {
        if self.bytes.left() == 0 { Ok(()) } else { Err(CodecError("more than expected")) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::profile::tests::{AGENT1, TERMINATED, body, canonical, profile, rows, text};
    use crate::profile::{Limits, Mode, Profile, parse, read};

    fn template(text: impl AsRef<[u8]>) -> Template {
        read(text.as_ref(), Limits::default(), &[]).unwrap().1.unwrap()
    }

    #[test]
    fn runs_of_zeros_of_any_length_at_any_place_are_a_zero_with_their_length() {
        for (before, zeros) in
            (0..70).flat_map(|before| [1, 2, 57, 63, 64, 65, 128, 300].map(|zeros| (before, zeros)))
        {
            let counts: Vec<u64> = [vec![1; before], vec![0; zeros], vec![300, u64::MAX, 0]].concat();
            let mut expected = vec![COUNTS_FORMAT];
            push(&mut expected, counts.len() as u64);
            expected.extend(vec![1; before]);
            push(&mut expected, 0);
            push(&mut expected, zeros as u64);
            for number in [300, u64::MAX, 0, 1] {
                push(&mut expected, number);
            }
            assert_eq!(encode_counts(&counts), expected, "{before}, {zeros}");
            assert_eq!(decode_counts(&expected, counts.len()), Ok(counts));
        }
    }

    proptest! {
        #[test]
        fn counters_above_zero_are_encoded_as_all_counters(
            counts in prop::collection::vec(prop_oneof![3 => Just(0), 1 => any::<u32>(), 1 => 0..300_u32], 0..400),
        ) {
            let hits = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let hits: Vec<_> = hits.map(|(at, count)| (u32::try_from(at).unwrap(), *count)).collect();
            let len = hits.len();
            let hits = HitCounts::from_unsorted(counts.len(), hits, len, u32::MAX);
            let counts: Vec<u64> = counts.into_iter().map(u64::from).collect();
            prop_assert_eq!(encode_hits(&hits), encode_counts(&counts));
            prop_assert_eq!(hits.counts(), counts);
        }
    }

    #[test]
    fn counters_are_varints_and_runs_of_zeros_are_folded() {
        let counts = [1, 0, 0, 0, 127, 128, 0];
        let bytes = [COUNTS_FORMAT, 7, 1, 0, 3, 127, 0x80, 1, 0, 1];
        assert_eq!(encode_counts(&counts), bytes);
        assert_eq!(decode_counts(&bytes, 7), Ok(counts.to_vec()));
    }

    #[test]
    fn a_structure_keeps_what_differs_from_the_name_and_line_before() {
        let build = template("mode: set\na/b.go:5.0,6.2 3 0\na/b.go:4.300,4.300 0 0\na/c.go:1.1,1.2 1 0\n");
        let bytes = [
            &[BUILD_FORMAT][..],
            build.build().fingerprint().as_bytes(),
            &[2],
            &[0, 6, b'a', b'/', b'b', b'.', b'g', b'o', 2],
            // Line 5, 1 down; then 1 back (zigzag), on the same line.
            &[10, 0, 2, 2, 3],
            &[1, 0xac, 2, 0, 0xac, 2, 0],
            &[2, 4, b'c', b'.', b'g', b'o', 1],
            &[2, 1, 0, 2, 1],
        ]
        .concat();
        let stored = encode_build(&build);
        assert_eq!(stored.split_last_chunk(), Some((&bytes[..], &checksum(&bytes).to_le_bytes())));
        let older = [&[BUILD_WITHOUT_FINGERPRINT], &bytes[1 + FINGERPRINT_BYTES..]].concat();
        assert_eq!(decode_build(&older).unwrap().build(), build.build());
    }

    /// A larger counter has a longer line, so a busy process is the worst case.
    #[test]
    fn a_process_costs_a_tenth_of_its_profile_at_most() {
        let killed = body(TERMINATED);
        let whole_lines = killed.iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
        for recorded in [AGENT1, &killed[..whole_lines]] {
            let idle = profile(recorded);
            let busy = vec![u64::from(u32::MAX); idle.counts.len()];
            for process in [idle.clone(), Profile { counts: busy, ..idle }] {
                let (stored, shown) = (encode_counts(&process.counts).len(), canonical(&process).len());
                assert!(stored * 10 <= shown, "{stored} bytes for {shown}");
            }
        }
        // A head of two bytes, 35 counters, and 8 runs of zeros.
        assert_eq!(encode_counts(&profile(AGENT1).counts).len(), 2 + 35 + 8 * 2);
    }

    #[test]
    fn claims_beyond_the_input_are_refused_without_room_being_made() {
        let claim = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]; // 2^60 - 1 and more
        let build = |parts: &[&[u8]]| decode_build(&parts.concat()).unwrap_err();
        assert_eq!(build(&[&[1], &claim]), CodecError("cut short"));
        assert_eq!(build(&[&[1, 1], &claim]), CodecError("cut short"));
        assert_eq!(build(&[&[1, 1, 0], &claim]), CodecError("cut short"));
        assert_eq!(build(&[&[1, 1, 0, 1, b'a'], &claim, &[1]]), CodecError("cut short"));
        assert_eq!(build(&[&[1, 1], &claim, &[0, 1]]), CodecError("name out of bounds"));
        let counts = |parts: &[&[u8]]| decode_counts(&parts.concat(), 3).unwrap_err();
        assert_eq!(counts(&[&[1], &claim]), CodecError("counters of another build"));
        assert_eq!(counts(&[&[1, 3, 0], &claim]), CodecError("run of zeros out of bounds"));
    }

    #[test]
    fn each_damage_has_its_reason() {
        let counts = |bytes: &[u8]| decode_counts(bytes, 2).unwrap_err().to_string();
        let reason = |reason: &str| format!("stored coverage cannot be decoded ({reason})");
        assert_eq!(counts(&[]), reason("cut short"));
        assert_eq!(counts(&[2, 2, 1, 1]), reason("unknown counter format"));
        assert_eq!(counts(&[1, 3, 1, 1, 1]), reason("counters of another build"));
        assert_eq!(counts(&[1, 2, 1]), reason("cut short"));
        assert_eq!(counts(&[1, 2, 1, 1, 1]), reason("more than expected"));
        assert_eq!(counts(&[1, 2, 0, 0]), reason("run of zeros out of bounds"));
        assert_eq!(counts(&[1, 2, 0, 3]), reason("run of zeros out of bounds"));
        assert_eq!(counts(&[[1, 2].as_slice(), &[0x80; 10], &[1]].concat()), reason("number out of bounds"));

        let build = |bytes: &[u8]| decode_build(bytes).unwrap_err().to_string();
        let block = [2, 1, 2, 1, 1];
        assert_eq!(build(&[9]), reason("unknown structure format"));
        assert_eq!(build(&[1, 1, 0, 1, 0xff, 1]), reason("name is not UTF-8"));
        for second in [b'a', b'b'] {
            let files = [&[1, 2, 0, 1, b'b', 1][..], &block, &[0, 1, second, 1], &block].concat();
            assert_eq!(build(&files), reason("files out of order"));
        }
        assert_eq!(
            build(&[&[1, 1, 0, 1, b'a', 2][..], &block, &[0, 1, 2, 1, 1]].concat()),
            reason("a block stands twice")
        );
        assert_eq!(build(&[1, 1, 0, 1, b'a', 1, 1, 1, 2, 1, 1]), reason("line out of bounds"));
    }

    #[test]
    fn files_that_no_agent_has_are_refused() {
        let refused = Some(CodecError("no such file can be"));
        assert_eq!(decode_build(&[1, 1, 0, 0, 1, 2, 1, 2, 1, 1]).err(), refused);
        assert_eq!(decode_build(&[1, 1, 0, 1, b'\n', 1, 2, 1, 2, 1, 1]).err(), refused);
        assert_eq!(decode_build(&[1, 1, 0, 1, b'a', 0]).err(), refused);
    }

    /// Damages valid bytes in one of the ways in which a disk does.
    fn damaged(mut bytes: Vec<u8>, at: Index, flip: u8, cut: bool) -> Vec<u8> {
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= flip;
        }
        bytes
    }

    fn stored_counts() -> impl Strategy<Value = Vec<u64>> {
        let run = prop_oneof![
            (Just(0), 1..300_usize),
            (any::<u64>(), 1..3_usize),
            (prop_oneof![Just(u64::MAX), 1..200_u64], 1..5_usize),
        ];
        prop::collection::vec(run, 0..12)
            .prop_map(|runs| runs.into_iter().flat_map(|(count, len)| vec![count; len]).collect())
    }

    proptest! {
        #[test]
        fn counters_read_back_as_they_were(counts in stored_counts()) {
            prop_assert_eq!(decode_counts(&encode_counts(&counts), counts.len()), Ok(counts));
        }

        #[test]
        fn a_structure_reads_back_with_the_order_of_its_lines(rows in rows()) {
            let learned = template(text(Mode::Count, &rows));
            let stored = encode_build(&learned);
            let restored = decode_build(&stored).unwrap();
            prop_assert_eq!(restored.build(), learned.build());
            for index in 0..learned.build().file_count() {
                prop_assert!(restored.arrival(index).eq(learned.arrival(index)));
            }
        }

        #[test]
        fn damaged_counters_are_refused_or_as_many_as_there_are_blocks(
            counts in stored_counts(), at in any::<Index>(), flip in 1..=u8::MAX, cut in any::<bool>(),
        ) {
            let bytes = damaged(encode_counts(&counts), at, flip, cut);
            if let Ok(read) = decode_counts(&bytes, counts.len()) {
                prop_assert!(!cut && read.len() == counts.len());
            }
        }

        #[test]
        fn damaged_structures_are_refused_or_usable(
            rows in rows(), at in any::<Index>(), flip in 1..=u8::MAX, cut in any::<bool>(),
        ) {
            let answer = text(Mode::Count, &rows);
            let bytes = damaged(encode_build(&template(&answer)), at, flip, cut);
            if let Ok(damaged) = decode_build(&bytes) {
                prop_assert!(!cut && bytes[0] == BUILD_WITHOUT_FINGERPRINT);
                let zeros = vec![0; damaged.build().blocks().len()];
                let shown = Profile { mode: Mode::Count, build: Arc::clone(damaged.build()), counts: zeros };
                prop_assert_eq!(profile(canonical(&shown)), shown);
                let known = [Arc::new(damaged)];
                let (read, _) = read(answer.as_bytes(), Limits::default(), &known).unwrap();
                prop_assert_eq!(read, parse(answer.as_bytes(), Limits::default()).unwrap());
            }
        }

        #[test]
        fn random_bytes_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60), blocks in 0..99_usize,
        ) {
            for format in [&[][..], &[COUNTS_FORMAT]] {
                let bytes = [format, &bytes].concat();
                if let Ok(counts) = decode_counts(&bytes, blocks) {
                    prop_assert_eq!(counts.len(), blocks);
                }
                if let Ok(template) = decode_build(&bytes) {
                    let again = decode_build(&encode_build(&template)).unwrap();
                    prop_assert_eq!(again.build(), template.build());
                }
            }
        }
    }
}
