//! Counter files: how often the blocks of a program were executed in one run.

use super::super::Mode;
use super::error::{DataError, DataFault, DataKind};
use super::header::{COUNTER_HEADER_BYTES, COUNTER_MAGIC, CounterFlavour, CounterHeader, MetaHash};
use super::input::ByteReader;
use super::meta::Meta;
use super::shape::MetaShape;

const FOOTER_BYTES: usize = 16;
/// Bytes of a segment before its string table.
const SEGMENT_HEADER_BYTES: usize = 16;
const LEAST_BYTES: usize = COUNTER_HEADER_BYTES + SEGMENT_HEADER_BYTES + FOOTER_BYTES;

/// A counter file whose frame is whole: header, footer, and the lengths between them.
///
/// The command line of the process was passed over. The counters are read when they are asked for, since that needs
/// the meta.
#[derive(Clone, Copy)]
pub struct CounterFile<'a> {
    header: CounterHeader,
    /// Number of records.
    functions: u64,
    /// A record for each function that ran: number of counters, package, function, counters.
    records: &'a [u8],
    /// Bytes of the file before the records.
    head_bytes: usize,
}

impl std::fmt::Debug for CounterFile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CounterFile({}, {} functions)", self.hash(), self.functions)
    }
}

impl<'a> CounterFile<'a> {
    /// Reads the frame of a whole counter file.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, DataError> {
        let header = CounterHeader::from_bytes(bytes)?;
        if bytes.len() < LEAST_BYTES {
            let (kind, least, found) = (DataKind::Counters, LEAST_BYTES as u64, bytes.len() as u64);
            return Err(DataError::Cut { kind, least, found });
        }
        let (whole, footer) = bytes.split_at(bytes.len() - FOOTER_BYTES);
        read_footer(footer, whole.len())?;
        let mut input = ByteReader::new(&whole[COUNTER_HEADER_BYTES..], COUNTER_HEADER_BYTES);
        let functions = pass_head(&mut input).map_err(|fault| fault.at(input.offset()))?;
        let head_bytes = input.offset();
        Ok(Self { header, functions, records: &whole[head_bytes..], head_bytes })
    }

    /// Returns the hash of the meta that the counters belong to.
    #[must_use]
    pub fn hash(&self) -> MetaHash {
        self.header.hash
    }

    /// Returns the number of functions that have run; one that is there twice counts twice.
    #[must_use]
    pub fn functions(&self) -> u64 {
        self.functions
    }

    /// Returns how many counters are above zero; it grows whenever something is executed for the first time.
    ///
    /// No meta is needed, so that it is not known whether the counters fit one.
    pub fn hits(&self) -> Result<u64, DataError> {
        match self.header.flavour {
            CounterFlavour::Uleb => self.hits_by(ByteReader::uleb),
            CounterFlavour::RawLittleEndian => self.hits_by(|input| input.u32().map(u64::from)),
            CounterFlavour::RawBigEndian => self.hits_by(|input| input.u32_big_endian().map(u64::from)),
        }
    }

    fn hits_by(
        &self,
        number: impl Fn(&mut ByteReader<'a>) -> Result<u64, DataFault>,
    ) -> Result<u64, DataError> {
        let mut input = ByteReader::new(self.records, self.head_bytes);
        let mut hits = 0;
        let mut count = || -> Result<u64, DataFault> {
            for _ in 0..self.functions {
                let counters = number(&mut input)?;
                number(&mut input)?;
                number(&mut input)?;
                for _ in 0..counters {
                    hits += u64::from(number(&mut input)? > 0);
                }
            }
            Ok(hits)
        };
        let counted = count();
        counted.map_err(|fault| fault.at(input.offset()))
    }

    /// Returns a count for each block of `meta`, in its order.
    ///
    /// The caller chooses the meta (see [`super::find_meta`]); the hashes are not compared here. In `set` mode counts
    /// are 0 or 1. In the others the counts of a function that is there twice add up to 2^32 - 1 at most.
    pub fn counts(&self, meta: &Meta) -> Result<Vec<u32>, DataError> {
        let mut counts = Vec::new();
        self.counts_into(meta.shape(), meta.mode(), &mut counts)?;
        Ok(counts)
    }

    /// Writes what [`Self::counts`] returns over `counts`, which holds nothing of use after an error. Returns
    /// [`Self::hits`].
    pub(super) fn counts_into(
        &self,
        shape: &MetaShape,
        mode: Mode,
        counts: &mut Vec<u32>,
    ) -> Result<u64, DataError> {
        counts.clear();
        counts.resize(shape.block_count(), 0);
        match mode {
            Mode::Set => self.each(shape, |block, count| counts[block] |= u32::from(count > 0)),
            Mode::Count | Mode::Atomic => {
                self.each(shape, |block, count| counts[block] = counts[block].saturating_add(count))
            }
        }
    }

    /// Calls `add` with the place of a block among those of the meta, and its count, for each counter of the file.
    /// Returns [`Self::hits`].
    pub(super) fn each(&self, shape: &MetaShape, add: impl FnMut(usize, u32)) -> Result<u64, DataError> {
        match self.header.flavour {
            CounterFlavour::Uleb => self.each_by(shape, ByteReader::uleb, add),
            CounterFlavour::RawLittleEndian => self.each_by(shape, |input| input.u32().map(u64::from), add),
            CounterFlavour::RawBigEndian => {
                self.each_by(shape, |input| input.u32_big_endian().map(u64::from), add)
            }
        }
    }

    fn each_by(
        &self,
        shape: &MetaShape,
        number: impl Fn(&mut ByteReader<'a>) -> Result<u64, DataFault>,
        mut add: impl FnMut(usize, u32),
    ) -> Result<u64, DataError> {
        let mut input = ByteReader::new(self.records, self.head_bytes);
        let mut hits = 0;
        for _ in 0..self.functions {
            let start = input.offset();
            let mut head = || Ok((number(&mut input)?, number(&mut input)?, number(&mut input)?));
            let (found, package, function) = head().map_err(|fault: DataFault| fault.at(start))?;
            let fault = |fault: DataFault| fault.at_function(start, package, Some(function));
            let blocks = shape.find(package, function).map_err(fault)?;
            if found != blocks.len() as u64 {
                return Err(fault(DataFault::Counters { expected: blocks.len(), found }));
            }
            for block in blocks {
                let count = number(&mut input).map_err(fault)?;
                hits += u64::from(count > 0);
                // Counters have 32 bits. Go cuts a longer number, too.
                #[expect(clippy::cast_possible_truncation, reason = "as Go does")]
                add(block, count as u32);
            }
        }
        input.end().map_err(|fault| fault.at(input.offset()))?;
        Ok(hits)
    }

    /// Returns this file without the command line of its process; `file` are the bytes that it was read from.
    #[must_use]
    pub fn without_arguments(&self, file: &[u8]) -> Vec<u8> {
        // One string, which is empty, no arguments, and a zero that fills up to a multiple of 4 bytes.
        const NOTHING: [u8; 4] = [1, 0, 0, 0];
        let mut out = file[..COUNTER_HEADER_BYTES].to_vec();
        out.extend_from_slice(&self.functions.to_le_bytes());
        out.extend([2_u32, 2].map(u32::to_le_bytes).concat());
        out.extend(NOTHING);
        out.extend_from_slice(self.records);
        out.extend_from_slice(&file[file.len() - FOOTER_BYTES..]);
        out
    }

    /// Returns all that tells one state of a process from another: flavour, number of records, and their bytes.
    pub(super) fn state(&self) -> (u8, u64, &'a [u8]) {
        (self.header.flavour as u8, self.functions, self.records)
    }
}

/// Reads the footer, which is the proof that a file is complete.
fn read_footer(footer: &[u8], offset: usize) -> Result<(), DataError> {
    let mut input = ByteReader::new(footer, offset);
    if input.take(COUNTER_MAGIC.len()) != Ok(&COUNTER_MAGIC) {
        return Err(DataError::NoFooter);
    }
    let read = |input: &mut ByteReader<'_>| {
        input.zeros(4)?;
        let segments = input.u32()?;
        input.zeros(4)?;
        Ok(segments)
    };
    match read(&mut input).map_err(|fault: DataFault| fault.at(offset))? {
        1 => Ok(()),
        found => Err(DataError::Segments { found }),
    }
}

/// Passes over the head of the segment with the arguments of the process; returns the number of records.
fn pass_head(input: &mut ByteReader<'_>) -> Result<u64, DataFault> {
    let functions = input.u64()?;
    let (strings, arguments) = (input.u32()?, input.u32()?);
    let strings = input.claim(strings.into(), 1, "bytes of the string table")?;
    let mut strings = input.split(strings)?;
    let arguments = input.claim(arguments.into(), 1, "bytes of arguments")?;
    let mut arguments = input.split(arguments)?;
    let count = pass_strings(&mut strings)?;
    strings.end()?;
    let claimed = arguments.uleb()?;
    let pairs = arguments.claim(claimed, 2, "arguments")?;
    for _ in 0..2 * pairs {
        let index = arguments.uleb()?;
        if index >= count as u64 {
            return Err(DataFault::NoString { index, count });
        }
    }
    // Zeros fill up to a multiple of 4 bytes. Go counts them as arguments, and a reader of Go passes over others, too.
    arguments.zeros(arguments.left().min(3))?;
    arguments.end()?;
    input.zeros(input.offset().next_multiple_of(4) - input.offset())?;
    Ok(functions)
}

/// Passes over strings of any bytes: an argument need not be UTF-8.
fn pass_strings(input: &mut ByteReader<'_>) -> Result<usize, DataFault> {
    let claimed = input.uleb()?;
    let count = input.claim(claimed, 1, "strings")?;
    for _ in 0..count {
        let claimed = input.uleb()?;
        let len = input.claim(claimed, 1, "bytes of a string")?;
        input.take(len)?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::gocover::fixtures::{
        COUNT_COUNTERS, COUNT_META, ModelPackage, RAW_COUNTERS, Record, counter_bytes, damaged, meta_bytes,
        programs, set_u32,
    };
    use crate::profile::tests::{FUZZ_SEED, fuzz_rounds, modes};
    use crate::profile::{Block, Limits};

    #[test]
    fn a_file_without_its_arguments_says_the_same() {
        let bytes =
            counter_bytes(&[(0, 0, vec![5]), (1, 0, vec![6, 7])], &[("argv0", "./svc --token=s3cret")]);
        let file = CounterFile::from_bytes(&bytes).unwrap();
        let without = file.without_arguments(&bytes);
        assert!(!without.windows(6).any(|part| part == b"s3cret"));
        let read = CounterFile::from_bytes(&without).unwrap();
        assert_eq!((read.hash(), read.state()), (file.hash(), file.state()));
    }

    #[test]
    fn counters_above_zero_are_counted_without_a_meta() {
        let bytes = counter_bytes(&[(0, 0, vec![5, 0]), (1, 0, vec![6, 7, 0])], &[]);
        assert_eq!(CounterFile::from_bytes(&bytes).unwrap().hits(), Ok(3));
        let raw = CounterFile::from_bytes(RAW_COUNTERS).unwrap();
        let uleb = CounterFile::from_bytes(COUNT_COUNTERS).unwrap();
        assert_eq!(raw.hits(), uleb.hits());
        let claims = counter_bytes(&[(0, 0, vec![5])], &[]);
        let mut more = claims.clone();
        let at = claims.len() - FOOTER_BYTES - 4;
        more[at] = 90;
        assert!(CounterFile::from_bytes(&more).unwrap().hits().is_err());
    }

    fn meta(bytes: &[u8]) -> Meta {
        Meta::from_bytes(bytes, Limits::default()).unwrap()
    }

    fn read(bytes: &[u8], meta: &Meta) -> Result<Vec<u32>, String> {
        CounterFile::from_bytes(bytes).and_then(|file| file.counts(meta)).map_err(|error| error.to_string())
    }

    /// A meta with a function of one block, and one of two.
    fn small(mode: Mode) -> Meta {
        let block = Block { start: (1, 2), end: (3, 4), statements: 5 };
        let functions = [1, 2].map(|count| (format!("F{count}"), "p/a.go".to_owned(), vec![block; count]));
        meta(&meta_bytes(mode, &[ModelPackage::new("p", functions)]))
    }

    fn counts(mode: Mode, records: &[Record]) -> Result<Vec<u32>, String> {
        read(&counter_bytes(records, &[]), &small(mode))
    }

    #[test]
    fn counters_stand_in_the_order_of_the_blocks_and_functions_that_did_not_run_are_zero() {
        assert_eq!(counts(Mode::Count, &[(0, 1, vec![7, 9])]), Ok(vec![0, 7, 9]));
        assert_eq!(counts(Mode::Count, &[(0, 1, vec![7, 9]), (0, 0, vec![4])]), Ok(vec![4, 7, 9]));
        assert_eq!(counts(Mode::Count, &[]), Ok(vec![0, 0, 0]));
    }

    #[test]
    fn a_function_that_is_there_twice_is_added_up_to_what_go_counts_to() {
        let twice = [(0, 1, vec![7, u32::MAX - 1]), (0, 1, vec![2, 9])];
        assert_eq!(counts(Mode::Count, &twice), Ok(vec![0, 9, u32::MAX]));
        assert_eq!(counts(Mode::Atomic, &twice), Ok(vec![0, 9, u32::MAX]));
        assert_eq!(counts(Mode::Set, &twice), Ok(vec![0, 1, 1]));
    }

    #[test]
    fn a_counter_of_more_than_32_bits_is_cut_as_go_cuts_it() {
        let mut bytes = counter_bytes(&[(0, 0, vec![5])], &[]);
        let at = bytes.len() - FOOTER_BYTES - 1;
        bytes.splice(at..=at, [0x87, 0x80, 0x80, 0x80, 0x10]);
        assert_eq!(read(&bytes, &small(Mode::Count)), Ok(vec![7, 0, 0]));
    }

    #[test]
    fn both_flavours_and_both_orders_of_bytes_say_the_same() {
        let meta = meta(COUNT_META);
        let counts = read(COUNT_COUNTERS, &meta).unwrap();
        assert_eq!(read(RAW_COUNTERS, &meta), Ok(counts.clone()));
        let mut swapped = RAW_COUNTERS.to_vec();
        swapped[25] = 0;
        let records = CounterFile::from_bytes(RAW_COUNTERS).unwrap().head_bytes;
        let end = swapped.len() - FOOTER_BYTES;
        swapped[records..end].chunks_exact_mut(4).for_each(<[u8]>::reverse);
        assert_eq!(read(&swapped, &meta), Ok(counts));
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_known_as_cut() {
        for end in 0..COUNT_COUNTERS.len() {
            let error = CounterFile::from_bytes(&COUNT_COUNTERS[..end]).unwrap_err();
            assert!(error.is_cut(), "{end}: {error}");
        }
        assert_eq!(
            CounterFile::from_bytes(&COUNT_COUNTERS[..100]).unwrap_err().to_string(),
            "cut short, or changed: the last 16 bytes of the covcounters data are not its footer"
        );
    }

    #[test]
    fn more_segments_than_programs_write_are_refused() {
        let mut bytes = COUNT_COUNTERS.to_vec();
        let segments = bytes.len() - 8;
        for claimed in [0, 2] {
            set_u32(&mut bytes, segments, claimed);
            let said = CounterFile::from_bytes(&bytes).unwrap_err().to_string();
            assert_eq!(
                said,
                format!("{claimed} segments in the covcounters data; programs write exactly one")
            );
        }
    }

    #[test]
    fn counters_that_do_not_fit_the_meta_are_refused() {
        let at = "at byte 52, package";
        for (records, expected) in [
            (vec![(1, 0, vec![1])], format!("{at} 1, function 0: package 1 of 1 in the meta")),
            (
                vec![(0, 2, vec![1])],
                format!("{at} 0, function 2: function 2 of 2 that package 0 has in the meta"),
            ),
            (vec![(0, 1, vec![1])], format!("{at} 0, function 1: 1 counters, and the meta has 2 blocks")),
            (vec![(0, 0, vec![1, 2])], format!("{at} 0, function 0: 2 counters, and the meta has 1 blocks")),
        ] {
            assert_eq!(counts(Mode::Count, &records), Err(expected));
        }
    }

    #[test]
    fn records_end_where_the_footer_begins() {
        let meta = small(Mode::Count);
        let bytes = counter_bytes(&[(0, 0, vec![5])], &[]);
        let footer = bytes.len() - FOOTER_BYTES;
        let mut longer = bytes.clone();
        longer.insert(footer, 1);
        assert_eq!(read(&longer, &meta), Err("at byte 56: 1 bytes are left over".to_owned()));
        let mut shorter = bytes.clone();
        shorter.remove(footer - 1);
        let place = "at byte 52, package 0, function 0: ";
        assert_eq!(read(&shorter, &meta), Err(format!("{place}the data ends where more was expected")));
        let mut more = bytes;
        more[COUNTER_HEADER_BYTES..COUNTER_HEADER_BYTES + 8].fill(0xff);
        let said = "at byte 56: the data ends where more was expected";
        assert_eq!(read(&more, &meta), Err(said.to_owned()));
    }

    #[test]
    fn the_command_line_is_passed_over_and_shown_nowhere() {
        let meta = small(Mode::Count);
        let arguments = [("argc", "2"), ("argv0", "./server"), ("argv1", "--token=geheim")];
        let bytes = counter_bytes(&[(0, 0, vec![5])], &arguments);
        let file = CounterFile::from_bytes(&bytes).unwrap();
        assert_eq!(file.counts(&meta).unwrap(), [5, 0, 0]);
        assert_eq!(format!("{file:?}"), "CounterFile(09090909090909090909090909090909, 1 functions)");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x11;
            let said = read(&changed, &meta).err().unwrap_or_default();
            assert!(!said.contains("geheim") && !said.contains("server"), "{at}: {said}");
        }
    }

    #[test]
    fn an_argument_need_not_be_text() {
        let mut bytes = counter_bytes(&[(0, 0, vec![5])], &[("argv1", "abcd")]);
        let at = bytes.windows(4).position(|four| four == b"abcd").unwrap();
        bytes[at] = 0xff;
        assert_eq!(read(&bytes, &small(Mode::Count)), Ok(vec![5, 0, 0]));
    }

    #[test]
    fn the_head_of_a_segment_adds_up() {
        let bytes = counter_bytes(&[(0, 0, vec![5])], &[("argc", "1")]);
        let said = |at: usize, byte: u8| {
            let mut changed = bytes.clone();
            changed[at] = byte;
            read(&changed, &small(Mode::Count)).unwrap_err()
        };
        // Length of the string table, length of the arguments, number of strings, an index.
        assert!(said(40, 200).contains("the data claims 200 bytes of the string table"));
        assert!(said(44, 200).contains("the data claims 200 bytes of arguments"));
        assert!(said(48, 2).contains("2 bytes are left over"));
        assert!(said(48, 100).contains("the data claims 100 strings"));
        assert!(said(57, 3).contains("the data claims 3 arguments"));
        assert!(said(58, 3).contains("string 3 of 3"));
    }

    #[test]
    fn the_reader_survives_damaged_counters() {
        let meta = meta(COUNT_META);
        let rounds = fuzz_rounds();
        let mut accepted = 0;
        for round in 0..rounds {
            let mut rng = fastrand::Rng::with_seed(FUZZ_SEED + round);
            let file = if rng.bool() { COUNT_COUNTERS } else { RAW_COUNTERS };
            if let Ok(counts) = read(&damaged(file, COUNT_COUNTERS, &mut rng), &meta) {
                assert_eq!(counts.len(), meta.blocks().len());
                accepted += 1;
            }
        }
        assert!(accepted > 0 && accepted < rounds, "{accepted} of {rounds} were accepted");
    }

    proptest! {
        #[test]
        fn counts_are_the_sums_of_the_records(mode in modes(), (packages, records) in programs()) {
            let meta = meta(&meta_bytes(mode, &packages));
            let counts = read(&counter_bytes(&records, &[("argc", "0")]), &meta).unwrap();
            let mut expected = Vec::new();
            for (package, model) in packages.iter().enumerate() {
                for (function, model) in model.functions.iter().enumerate() {
                    let mut sums = vec![0_u64; model.blocks.len()];
                    for (_, _, counters) in records.iter().filter(|record| (record.0, record.1) == (package, function)) {
                        sums.iter_mut().zip(counters).for_each(|(sum, &count)| *sum += u64::from(count));
                    }
                    let most = if mode == Mode::Set { 1 } else { u64::from(u32::MAX) };
                    expected.extend(sums.into_iter().map(|sum| u32::try_from(sum.min(most)).unwrap()));
                }
            }
            prop_assert_eq!(counts, expected);
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let meta = small(Mode::Count);
            let footer = b"\0cwm\0\0\0\0\x01\0\0\0\0\0\0\0";
            let header = &counter_bytes(&[], &[])[..COUNTER_HEADER_BYTES];
            for bytes in [bytes.clone(), [header, &bytes, footer].concat()] {
                if let Ok(counts) = read(&bytes, &meta) {
                    prop_assert_eq!(counts.len(), 3);
                }
            }
        }
    }
}
