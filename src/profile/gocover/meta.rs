//! Meta files: the packages, functions and blocks of a program.

use std::ops::Range;

use super::super::limits::{Limits, ParseError};
use super::super::{Block, Fingerprint, Mode};
use super::error::{DataError, DataFault, DataKind};
use super::header::{HEADER_BYTES, MetaHash, MetaHeader};
use super::input::ByteReader;
use super::shape::MetaShape;

/// Bytes of a package before the offsets of its functions.
const PACKAGE_HEADER_BYTES: usize = 44;
/// Least bytes of a block, and of a function without blocks.
const LEAST_BLOCK_BYTES: usize = 5;
/// Bytes of a line of a text profile beside the name of the file, at most: seven numbers and what separates them.
const LONGEST_LINE_TAIL: usize = 80;

/// All that can be counted in a program, in the order of its meta file.
///
/// A block takes 20 bytes and a function 16; names are held once for each package.
#[derive(Clone, PartialEq, Eq)]
pub struct Meta {
    header: MetaHeader,
    sha256: Fingerprint,
    strings: Strings,
    packages: Vec<PackageStrings>,
    functions: Vec<FunctionStrings>,
    shape: MetaShape,
    blocks: Vec<Block>,
}

/// The text of all string tables, one after another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Strings {
    text: String,
    ends: Vec<u32>,
}

/// The strings of a package, by their places in all tables.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PackageStrings {
    name: u32,
    import_path: u32,
    module: u32,
}

/// The strings of a function, by their places in all tables.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FunctionStrings {
    name: u32,
    file: u32,
    is_literal: bool,
}

/// A package of a [`Meta`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaPackage<'a> {
    /// The word in its `package` clause.
    pub name: &'a str,
    /// The path by which it is imported; `command-line-arguments` where the program was built from a list of files.
    pub import_path: &'a str,
    /// The path of its module; empty where there is none.
    pub module: &'a str,
}

/// A function of a [`Meta`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaFunction<'a> {
    /// The name with the receiver of a method (`*Acc.Add`); `func.L3.C15` for a literal outside of functions.
    pub name: &'a str,
    /// Import path and file name, as a profile shows them.
    pub file: &'a str,
    /// The function is a literal outside of functions.
    pub is_literal: bool,
    /// The blocks in the order of their counters, which is not that of the source.
    pub blocks: &'a [Block],
}

impl std::fmt::Debug for Meta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (packages, blocks) = (self.packages.len(), self.blocks.len());
        write!(f, "Meta({}, {}, {packages} packages, {blocks} blocks)", self.hash(), self.mode())
    }
}

impl Strings {
    fn get(&self, index: u32) -> &str {
        let index = index as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.text[start..self.ends[index] as usize]
    }

    fn push(&mut self, string: &str) {
        self.text.push_str(string);
        self.ends.push(u32::try_from(self.text.len()).expect("a file has fewer than 2^32 bytes"));
    }
}

impl Meta {
    /// Reads a whole meta file.
    pub fn from_bytes(bytes: &[u8], limits: Limits) -> Result<Self, DataError> {
        let limit = limits.max_bytes.min(u32::MAX.into());
        if bytes.len() as u64 > limit {
            return Err(ParseError::TooLong { limit }.into());
        }
        let header = MetaHeader::from_bytes(bytes)?;
        let (expected, found) = (header.length, bytes.len() as u64);
        if found < expected {
            return Err(DataError::Cut { kind: DataKind::Meta, least: expected, found });
        }
        if found > expected {
            return Err(DataError::Trailing { expected, found });
        }
        let mut reader = MetaReader::new(limits);
        reader.file(bytes, &header)?;
        let MetaReader { mut strings, packages, mut functions, shape, mut blocks, .. } = reader;
        strings.text.shrink_to_fit();
        strings.ends.shrink_to_fit();
        functions.shrink_to_fit();
        blocks.shrink_to_fit();
        let sha256 = Fingerprint::for_data(bytes);
        Ok(Self { header, sha256, strings, packages, functions, shape, blocks })
    }

    /// Returns the hash that counters of this meta name.
    #[must_use]
    pub fn hash(&self) -> MetaHash {
        self.header.hash
    }

    /// Returns SHA-256 of the file.
    #[must_use]
    pub fn sha256(&self) -> Fingerprint {
        self.sha256
    }

    /// Returns how the program counts.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.header.mode
    }

    /// Returns the packages in the order in which they were initialised: those that others import first, `main` last.
    #[must_use]
    pub fn packages(&self) -> impl ExactSizeIterator<Item = MetaPackage<'_>> {
        self.packages.iter().map(|package| MetaPackage {
            name: self.strings.get(package.name),
            import_path: self.strings.get(package.import_path),
            module: self.strings.get(package.module),
        })
    }

    /// Returns the import path of the package `main`, if the program counts it.
    #[must_use]
    pub fn main_package(&self) -> Option<&str> {
        self.packages().filter(|package| package.name == "main").last().map(|package| package.import_path)
    }

    /// Returns the functions of the package at this index.
    #[must_use]
    pub fn functions(&self, package: usize) -> impl ExactSizeIterator<Item = MetaFunction<'_>> {
        self.shape.functions(package).map(|function| self.function(function))
    }

    /// Returns all blocks, function by function: counters stand in this order.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Returns about how many bytes it holds.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.strings.text.capacity()
            + self.strings.ends.capacity() * size_of::<u32>()
            + self.packages.capacity() * size_of::<PackageStrings>()
            + self.functions.capacity() * size_of::<FunctionStrings>()
            + self.blocks.capacity() * size_of::<Block>()
            + self.shape.heap_bytes()
    }

    pub(super) fn shape(&self) -> &MetaShape {
        &self.shape
    }

    /// Returns the function at this place among those of all packages.
    pub(super) fn function(&self, function: usize) -> MetaFunction<'_> {
        let FunctionStrings { name, file, is_literal } = self.functions[function];
        let (name, file) = (self.strings.get(name), self.strings.get(file));
        MetaFunction { name, file, is_literal, blocks: &self.blocks[self.shape.blocks(function)] }
    }

    /// Returns a number for the file of each function that has blocks, with those blocks; numbers are below
    /// [`Self::string_count`], and a file may have several.
    pub(super) fn file_numbers(&self) -> impl Iterator<Item = (u32, Range<usize>)> {
        let files = self.functions.iter().map(|function| function.file);
        files
            .enumerate()
            .map(|(index, file)| (file, self.shape.blocks(index)))
            .filter(|(_, blocks)| !blocks.is_empty())
    }

    pub(super) fn string_count(&self) -> usize {
        self.strings.ends.len()
    }

    /// Returns the name for a number of [`Self::file_numbers`].
    pub(super) fn string(&self, number: u32) -> &str {
        self.strings.get(number)
    }
}

/// The parts of a [`Meta`] while they are read.
struct MetaReader {
    limits: Limits,
    strings: Strings,
    packages: Vec<PackageStrings>,
    functions: Vec<FunctionStrings>,
    shape: MetaShape,
    blocks: Vec<Block>,
    /// Flags of the strings of the package being read: a function is in a file of this name.
    is_file: Vec<bool>,
    file_count: usize,
}

impl MetaReader {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            strings: Strings::default(),
            packages: Vec::new(),
            functions: Vec::new(),
            shape: MetaShape::default(),
            blocks: Vec::new(),
            is_file: Vec::new(),
            file_count: 0,
        }
    }

    /// Reads all that follows the header.
    fn file(&mut self, bytes: &[u8], header: &MetaHeader) -> Result<(), DataError> {
        let mut input = ByteReader::new(&bytes[HEADER_BYTES..], HEADER_BYTES);
        let (mut offsets, mut lengths) =
            Self::tables(&mut input, header).map_err(|fault| fault.at(input.offset()))?;
        for package in 0..header.packages {
            let at = input.offset();
            let part = Self::part(&mut input, &mut offsets, &mut lengths)
                .map_err(|fault| fault.at_function(at, package, None))?;
            self.package(part, package)?;
        }
        input.end().map_err(|fault| fault.at(input.offset()))
    }

    /// Returns the bytes of the next package.
    fn part<'a>(
        input: &mut ByteReader<'a>,
        offsets: &mut ByteReader<'_>,
        lengths: &mut ByteReader<'_>,
    ) -> Result<ByteReader<'a>, DataFault> {
        expect("offset of the package", input.offset(), offsets.u64()?)?;
        let claimed = lengths.u64()?;
        let length = input.claim(claimed, 1, "bytes of a package")?;
        input.split(length)
    }

    /// Reads up to the first package; returns the tables of offsets and of lengths.
    fn tables<'a>(
        input: &mut ByteReader<'a>,
        header: &MetaHeader,
    ) -> Result<(ByteReader<'a>, ByteReader<'a>), DataFault> {
        let count = input.claim(header.packages, 16, "packages")?;
        let (offsets, lengths) = (input.split(count * 8)?, input.split(count * 8)?);
        let (at, length) = header.strings;
        expect("offset of the string table", input.offset(), at.into())?;
        let length = input.claim(length.into(), 1, "bytes of the string table")?;
        let mut table = input.split(length)?;
        table.strings(|_| ())?;
        table.end()?;
        Ok((offsets, lengths))
    }

    fn package(&mut self, mut input: ByteReader<'_>, package: u64) -> Result<(), DataError> {
        let offsets = self
            .package_head(&mut input)
            .map_err(|fault| fault.at_function(input.offset(), package, None))?;
        for (function, offset) in (0..).zip(offsets.chunks_exact(4)) {
            let offset = u32::from_le_bytes(offset.try_into().expect("four bytes"));
            let is_in_place = expect("offset of the function", input.at(), offset.into());
            is_in_place
                .and_then(|()| self.function(&mut input))
                .map_err(|fault| fault.at_function(input.offset(), package, Some(function)))?;
            self.check_limits()?;
        }
        self.shape.end_package();
        input.end().map_err(|fault| fault.at_function(input.offset(), package, None))
    }

    /// Reads a package up to its first function; returns the offsets of its functions.
    fn package_head<'a>(&mut self, input: &mut ByteReader<'a>) -> Result<&'a [u8], DataFault> {
        expect("length of the package", input.left(), input.u32()?.into())?;
        let strings = [input.u32()?, input.u32()?, input.u32()?];
        let _hash = input.hash()?;
        input.zeros(4)?;
        let string_count = input.u32()?;
        let claimed = input.u32()?;
        debug_assert_eq!(input.at(), PACKAGE_HEADER_BYTES, "the header was read");
        let functions = input.claim(claimed.into(), 4, "functions")?;
        let offsets = input.take(functions * 4)?;
        let first = self.strings.ends.len();
        let count = input.strings(|string| self.strings.push(string))?;
        expect("number of strings", count, string_count.into())?;
        self.is_file.clear();
        self.is_file.resize(count, false);
        let [name, import_path, module] = strings.map(|index| self.string(first, index));
        let package = PackageStrings { name: name?, import_path: import_path?, module: module? };
        if self.strings.get(package.import_path).is_empty() {
            return Err(DataFault::NoImportPath);
        }
        self.packages.push(package);
        Ok(offsets)
    }

    /// Returns the place among all strings of one of the present package, whose first is at `first`.
    fn string(&self, first: usize, index: u32) -> Result<u32, DataFault> {
        let count = self.is_file.len();
        if index as usize >= count {
            return Err(DataFault::NoString { index: index.into(), count });
        }
        Ok(u32::try_from(first).expect("a string has bytes of a file") + index)
    }

    fn function(&mut self, input: &mut ByteReader<'_>) -> Result<(), DataFault> {
        let claimed = input.uleb()?;
        let count = input.claim(claimed, LEAST_BLOCK_BYTES, "blocks")?;
        let first = self.strings.ends.len() - self.is_file.len();
        let (name, file_index) = (input.uleb32()?, input.uleb32()?);
        let (name, file) = (self.string(first, name)?, self.string(first, file_index)?);
        if count > 0 && !self.is_file[file_index as usize] {
            self.is_file[file_index as usize] = true;
            self.file_count += 1;
            self.check_file_name(file)?;
        }
        for _ in 0..count {
            let start = (input.uleb32()?, input.uleb32()?);
            let end = (input.uleb32()?, input.uleb32()?);
            self.blocks.push(Block { start, end, statements: input.uleb32()? });
        }
        let is_literal = match input.uleb()? {
            0 => false,
            1 => true,
            flag => return Err(DataFault::Literal(flag)),
        };
        self.functions.push(FunctionStrings { name, file, is_literal });
        self.shape.push_function(u32::try_from(self.blocks.len()).expect("a block has bytes of a file"));
        Ok(())
    }

    /// Checks that a line of a text profile can begin with this name.
    fn check_file_name(&self, file: u32) -> Result<(), DataFault> {
        let name = self.strings.get(file).as_bytes();
        let is_short = name.len().saturating_add(LONGEST_LINE_TAIL) <= self.limits.max_line_bytes;
        if name.is_empty() || !is_short || memchr::memchr(b'\n', name).is_some() {
            return Err(DataFault::FileName);
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), ParseError> {
        let Limits { max_files, max_blocks, .. } = self.limits;
        if self.file_count > max_files {
            return Err(ParseError::TooManyFiles { limit: max_files });
        }
        if self.blocks.len() > max_blocks {
            return Err(ParseError::TooManyBlocks { limit: max_blocks });
        }
        Ok(())
    }
}

/// Checks a number that follows from the parts of the file.
fn expect(field: &'static str, expected: usize, found: u64) -> Result<(), DataFault> {
    let expected = expected as u64;
    if expected == found { Ok(()) } else { Err(DataFault::Layout { field, expected, found }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::gocover::fixtures::{
        COUNT_META, ModelPackage, damaged, meta_bytes, packages, set_u32,
    };
    use crate::profile::tests::{FUZZ_SEED, fuzz_rounds, modes};

    fn meta(bytes: &[u8]) -> Meta {
        Meta::from_bytes(bytes, Limits::default()).unwrap()
    }

    fn said(bytes: &[u8]) -> String {
        Meta::from_bytes(bytes, Limits::default()).unwrap_err().to_string()
    }

    #[test]
    fn a_recorded_meta_has_its_packages_functions_and_blocks() {
        let meta = meta(COUNT_META);
        assert_eq!(meta.hash().to_string(), "2580f4b65340bc2b63474139d103ae37");
        assert_eq!((meta.mode(), meta.blocks().len()), (Mode::Count, 58));
        let packages: Vec<_> = meta.packages().map(|package| (package.name, package.import_path)).collect();
        assert_eq!(
            packages,
            [
                ("calcx", "example.com/fx/calc-x"),
                ("gen", "example.com/fx/gen"),
                ("lit", "example.com/fx/lit"),
                ("calc", "example.com/fx/calc"),
                ("main", "example.com/fx/cmd/app"),
            ]
        );
        assert!(meta.packages().all(|package| package.module == "example.com/fx"));
        let literals = [2, 3].map(|package| meta.functions(package).next().unwrap());
        assert_eq!(literals.map(|function| function.name), ["func.L3.C15", "func.L8.C13"]);
        assert!(literals.iter().all(|function| function.is_literal));
        let app = meta.functions(4).next().unwrap();
        assert_eq!((app.name, app.file), ("main", "example.com/fx/cmd/app/main.go"));
        assert_eq!(app.blocks[0], Block { start: (14, 13), end: (16, 22), statements: 2 });
    }

    #[test]
    fn a_block_takes_20_bytes_and_a_function_16() {
        let functions = 1000;
        let function = |index: usize| {
            let block = |line| Block { start: (line, 2), end: (line + 1, 3), statements: 1 };
            (format!("F{index}"), "example.com/m/a.go".to_owned(), (0..10).map(block).collect::<Vec<_>>())
        };
        let package = ModelPackage::new("example.com/m", (0..functions).map(function));
        let held = meta(&meta_bytes(Mode::Set, &[package])).heap_bytes();
        let expected = functions * (10 * 20 + 16);
        // Names and their ends come on top.
        assert!((expected..expected + functions * 12).contains(&held), "{held}");
    }

    #[test]
    fn sha256_tells_two_contents_of_one_hash_apart() {
        let mut other = COUNT_META.to_vec();
        *other.last_mut().unwrap() ^= 1;
        let (one, other) = (meta(COUNT_META), meta(&other));
        assert_eq!(one.hash(), other.hash());
        assert_ne!(one.sha256(), other.sha256());
    }

    #[test]
    fn a_meta_that_is_cut_or_longer_is_refused_with_both_lengths() {
        let cut = Meta::from_bytes(&COUNT_META[..1345], Limits::default()).unwrap_err();
        assert!(cut.is_cut());
        assert_eq!(cut.to_string(), "cut short: 1345 bytes of covmeta data that has 1346 or more");
        let longer = [COUNT_META, b"12345"].concat();
        assert_eq!(said(&longer), "1351 bytes of covmeta data where its header says 1346");
    }

    #[test]
    fn limits_hold() {
        let within = |limits: Limits| Meta::from_bytes(COUNT_META, limits).unwrap_err().to_string();
        let limits = Limits::default();
        assert!(within(Limits { max_bytes: 1345, ..limits }).starts_with("more than 1345 bytes"));
        assert!(within(Limits { max_files: 6, ..limits }).starts_with("more than 6 files"));
        assert!(within(Limits { max_blocks: 57, ..limits }).starts_with("more than 57 blocks"));
        assert!(Meta::from_bytes(COUNT_META, Limits { max_files: 7, max_blocks: 58, ..limits }).is_ok());
    }

    /// A file with one package of one function with one block.
    fn small() -> Vec<u8> {
        let block = Block { start: (1, 2), end: (3, 4), statements: 5 };
        meta_bytes(Mode::Set, &[ModelPackage::new("p", [("F".to_owned(), "p/a.go".to_owned(), vec![block])])])
    }

    #[test]
    fn claims_beyond_the_bytes_are_refused_without_room_being_made() {
        let bytes = small();
        let mut packages = bytes.clone();
        packages[16..24].fill(0x7f);
        let claimed = 0x7f7f_7f7f_7f7f_7f7f_u64;
        let left = bytes.len() - HEADER_BYTES;
        assert_eq!(
            said(&packages),
            format!("at byte 56: the data claims {claimed} packages, and only {left} bytes are left")
        );
        // The header, one offset and one length, the string table: the package begins here.
        let package = HEADER_BYTES + 16 + 2;
        let mut functions = bytes.clone();
        set_u32(&mut functions, package + 40, u32::MAX);
        let place = format!("at byte {}, package 0", package + 44);
        let left = bytes.len() - package - 44;
        assert_eq!(
            said(&functions),
            format!("{place}: the data claims 4294967295 functions, and only {left} bytes are left")
        );
        // The function ends the file: block count, name, file, five numbers, flag.
        let mut blocks = bytes.clone();
        let function = bytes.len() - 9;
        blocks[function] = 2;
        let place = format!("at byte {}, package 0, function 0", function + 1);
        assert_eq!(said(&blocks), format!("{place}: the data claims 2 blocks, and only 8 bytes are left"));
    }

    #[test]
    fn what_contradicts_itself_is_named_with_its_place() {
        let bytes = small();
        let package = HEADER_BYTES + 16 + 2;
        let function = bytes.len() - 9;
        let in_package = |at| format!("at byte {at}, package 0: ");
        let in_function = |at| format!("at byte {at}, package 0, function 0: ");
        let length = bytes.len() - package;
        let strings = "offset of the string table is 74 and has to be 72";
        for (at, byte, expected) in [
            (40, 74, format!("at byte 72: the {strings}")),
            (44, 1, "at byte 73: the data claims 1 strings, and only 0 bytes are left".to_owned()),
            (56, 75, format!("{}the offset of the package is 75 and has to be 74", in_package(74))),
            (
                package,
                1,
                format!("{}the length of the package is 1 and has to be {length}", in_package(package + 4)),
            ),
            (package + 32, 1, format!("{}bytes that have to be zero are not", in_package(package + 36))),
            (package + 8, 0, format!("{}the package has no import path", in_package(function))),
            (package + 8, 99, format!("{}string 99 of ", in_package(function))),
            (package + 36, 99, format!("{}the number of strings is 99 and has to be ", in_package(function))),
            (
                package + 44,
                0,
                format!("{}the offset of the function is 0 and has to be ", in_function(function)),
            ),
            (function, 0, format!("{}5 bytes are left over", in_package(function + 4))),
            (function + 1, 99, format!("{}string 99 of ", in_function(function + 3))),
            (function + 2, 0, format!("{}the name of a file is empty", in_function(function + 3))),
            (function + 8, 2, format!("{}the flag of a function literal is 2", in_function(bytes.len()))),
        ] {
            let mut changed = bytes.clone();
            changed[at] = byte;
            let said = said(&changed);
            assert!(said.starts_with(&expected), "byte {at}: {said}\nexpected {expected}");
        }
    }

    #[test]
    fn files_that_no_line_of_a_profile_can_name_are_refused() {
        let block = Block { start: (1, 2), end: (3, 4), statements: 5 };
        let with = |file: &str, blocks: Vec<Block>| {
            meta_bytes(Mode::Set, &[ModelPackage::new("p", [("F".to_owned(), file.to_owned(), blocks)])])
        };
        for file in ["", "a\nb.go", &"n".repeat(70_000)] {
            assert!(said(&with(file, vec![block])).contains("the name of a file"));
            assert_eq!(
                meta(&with(file, vec![])).blocks().len(),
                0,
                "nothing is shown of a file without blocks"
            );
        }
        assert_eq!(meta(&with("C:/a b/c,d.go:1", vec![block])).blocks(), [block]);
    }

    #[test]
    fn a_number_that_no_source_has_is_refused() {
        let mut bytes = small();
        let line = bytes.len() - 6;
        bytes.splice(line..=line, [0x80, 0x80, 0x80, 0x80, 0x10]);
        let length = u64::try_from(bytes.len()).unwrap();
        bytes[8..16].copy_from_slice(&length.to_le_bytes());
        let package = u32::try_from(bytes.len() - HEADER_BYTES - 18).unwrap();
        bytes[64..68].copy_from_slice(&package.to_le_bytes());
        set_u32(&mut bytes, HEADER_BYTES + 18, package);
        assert!(
            said(&bytes).ends_with("the number 4294967296 is larger than 4294967295"),
            "{}",
            said(&bytes)
        );
    }

    /// Bytes that a meta holds for each byte of its file, at most: a block of 5 bytes takes 20, a string of 1 byte 5.
    const MOST_HELD: usize = 8;

    fn assert_survived(bytes: &[u8]) -> bool {
        let read = Meta::from_bytes(bytes, Limits::default());
        if let Ok(meta) = &read {
            assert!(meta.heap_bytes() <= MOST_HELD * bytes.len(), "{meta:?}: {}", meta.heap_bytes());
            let counted: usize = (0..meta.packages().len())
                .flat_map(|package| meta.functions(package))
                .map(|function| function.blocks.len())
                .sum();
            assert_eq!(counted, meta.blocks().len());
        }
        read.is_ok()
    }

    #[test]
    fn the_reader_survives_damaged_metas() {
        let rounds = fuzz_rounds();
        let mut accepted = 0;
        for round in 0..rounds {
            let bytes = damaged(COUNT_META, COUNT_META, &mut fastrand::Rng::with_seed(FUZZ_SEED + round));
            accepted += u64::from(assert_survived(&bytes));
        }
        assert!(accepted > 0 && accepted < rounds, "{accepted} of {rounds} were accepted");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(mode in modes(), packages in packages()) {
            let meta = meta(&meta_bytes(mode, &packages));
            prop_assert_eq!(meta.mode(), mode);
            prop_assert_eq!(meta.packages().len(), packages.len());
            for (index, (read, package)) in meta.packages().zip(&packages).enumerate() {
                prop_assert_eq!(read.import_path, &package.import_path);
                let functions: Vec<_> = meta.functions(index).collect();
                prop_assert_eq!(functions.len(), package.functions.len());
                for (read, function) in functions.iter().zip(&package.functions) {
                    prop_assert_eq!((read.name, read.file), (&*function.name, &*function.file));
                    prop_assert_eq!((read.is_literal, read.blocks), (function.is_literal, &*function.blocks));
                }
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            assert_survived(&bytes);
            let mut framed = [b"\0cvm\x01\0\0\0", &(bytes.len() as u64 + 16).to_le_bytes()[..], &bytes].concat();
            assert_survived(&framed);
            if framed.len() > HEADER_BYTES {
                framed[17..24].fill(0);
                framed[48..56].copy_from_slice(&[1, 1, 0, 0, 0, 0, 0, 0]);
            }
            assert_survived(&framed);
        }
    }
}
