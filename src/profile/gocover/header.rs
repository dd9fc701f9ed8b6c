//! The first bytes of a file: its kind, and the hash by which counters find their meta.

use std::fmt;

use super::super::Mode;
use super::error::{DataError, DataFault, DataKind};
use super::input::ByteReader;

/// Number of bytes from the start of a file that [`DataHeader::from_bytes`] needs.
pub const HEADER_BYTES: usize = 56;
/// Bytes of the header of a counter file.
pub(super) const COUNTER_HEADER_BYTES: usize = 32;
pub(super) const META_MAGIC: [u8; 4] = *b"\0cvm";
pub(super) const COUNTER_MAGIC: [u8; 4] = *b"\0cwm";
const VERSION: u32 = 1;
const PER_BLOCK: u8 = 1;

/// The hash in a meta file, by which counter files name it.
///
/// The hash is a fingerprint of structure and mode, and no proof. It is never verified, since releases of Go and their
/// tools compute it in different ways.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetaHash([u8; 16]);

impl MetaHash {
    /// Takes the bytes as they stand in a header.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes as they stand in a header.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for MetaHash {
    /// Writes 32 hex digits, as they stand in the names of files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MetaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The header of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataHeader {
    /// The header of a meta file.
    Meta(MetaHeader),
    /// The header of a counter file.
    Counters(CounterHeader),
}

/// The header of a meta file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaHeader {
    /// The hash that counter files of this meta have.
    pub hash: MetaHash,
    /// The mode in which the program counts.
    pub mode: Mode,
    /// Length of the whole file.
    pub(super) length: u64,
    pub(super) packages: u64,
    /// Offset and length of the file's own string table.
    pub(super) strings: (u32, u32),
}

/// The header of a counter file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterHeader {
    /// The hash of the meta that the counters belong to.
    pub hash: MetaHash,
    pub(super) flavour: CounterFlavour,
}

/// The form of the numbers behind the header of a counter file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CounterFlavour {
    Uleb,
    RawLittleEndian,
    RawBigEndian,
}

impl DataHeader {
    /// Reads the header of either kind from the start of a file; [`HEADER_BYTES`] suffice.
    pub fn from_bytes(start: &[u8]) -> Result<Self, DataError> {
        match kind(start)? {
            DataKind::Meta => MetaHeader::from_bytes(start).map(Self::Meta),
            DataKind::Counters => CounterHeader::from_bytes(start).map(Self::Counters),
        }
    }
}

/// Tells the kind by the magic bytes.
fn kind(start: &[u8]) -> Result<DataKind, DataError> {
    match start.first_chunk() {
        Some(&META_MAGIC) => Ok(DataKind::Meta),
        Some(&COUNTER_MAGIC) => Ok(DataKind::Counters),
        Some(found) => Err(DataError::Unknown { found: found.escape_ascii().to_string() }),
        None => Err(DataError::TooShort { found: start.len() }),
    }
}

/// Reads magic bytes and version, and returns the input behind them.
fn open(start: &[u8], expected: DataKind, least: usize) -> Result<ByteReader<'_>, DataError> {
    let found = kind(start)?;
    if found != expected {
        return Err(DataError::Kind { expected, found });
    }
    if start.len() < least {
        return Err(DataError::Cut { kind: found, least: least as u64, found: start.len() as u64 });
    }
    let mut input = ByteReader::new(&start[..least], 0);
    let version = input.take(4).and_then(|_| input.u32()).map_err(|fault| fault.at(0))?;
    if version != VERSION {
        return Err(DataError::Version { kind: found, found: version });
    }
    Ok(input)
}

impl MetaHeader {
    /// Reads the header of a meta file.
    pub(super) fn from_bytes(start: &[u8]) -> Result<Self, DataError> {
        let mut input = open(start, DataKind::Meta, HEADER_BYTES)?;
        let read = |input: &mut ByteReader<'_>| -> Result<_, DataFault> {
            let (length, packages) = (input.u64()?, input.u64()?);
            let hash = MetaHash(input.hash()?);
            let strings = (input.u32()?, input.u32()?);
            Ok((length, packages, hash, strings, input.byte()?, input.byte()?))
        };
        let (length, packages, hash, strings, mode, granularity) =
            read(&mut input).map_err(|fault| fault.at(input.offset()))?;
        let mode = match mode {
            1 => Mode::Set,
            2 => Mode::Count,
            3 => Mode::Atomic,
            found => return Err(DataError::Mode { found }),
        };
        if granularity != PER_BLOCK {
            return Err(DataError::Granularity { found: granularity });
        }
        let at = input.offset();
        input.zeros(6).map_err(|fault| fault.at(at))?;
        Ok(Self { hash, mode, length, packages, strings })
    }
}

impl CounterHeader {
    /// Reads the header of a counter file.
    pub(super) fn from_bytes(start: &[u8]) -> Result<Self, DataError> {
        let mut input = open(start, DataKind::Counters, COUNTER_HEADER_BYTES)?;
        let read = |input: &mut ByteReader<'_>| -> Result<_, DataFault> {
            Ok((MetaHash(input.hash()?), input.byte()?, input.byte()?))
        };
        let (hash, flavour, is_big_endian) = read(&mut input).map_err(|fault| fault.at(input.offset()))?;
        let at = input.offset();
        let flavour = match (flavour, is_big_endian) {
            (2, 0) => CounterFlavour::Uleb,
            (1, 0) => CounterFlavour::RawLittleEndian,
            (1, 1) => CounterFlavour::RawBigEndian,
            (1 | 2, _) => return Err(DataFault::NotZero.at(at - 1)),
            (found, _) => return Err(DataError::Flavour { found }),
        };
        input.zeros(6).map_err(|fault| fault.at(at))?;
        Ok(Self { hash, flavour })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::gocover::fixtures::{COUNT_COUNTERS, COUNT_META};

    #[test]
    fn a_header_tells_kind_and_hash_without_the_rest_of_the_file() {
        let shown = |start: &[u8]| match DataHeader::from_bytes(start).unwrap() {
            DataHeader::Meta(header) => format!("{} {}", header.hash, header.mode),
            DataHeader::Counters(header) => header.hash.to_string(),
        };
        assert_eq!(shown(&COUNT_META[..HEADER_BYTES]), "2580f4b65340bc2b63474139d103ae37 count");
        assert_eq!(shown(&COUNT_COUNTERS[..COUNTER_HEADER_BYTES]), "2580f4b65340bc2b63474139d103ae37");
    }

    fn said(bytes: &[u8]) -> String {
        DataHeader::from_bytes(bytes).unwrap_err().to_string()
    }

    fn changed(bytes: &[u8], at: usize, byte: u8) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[at] = byte;
        bytes
    }

    #[test]
    fn what_is_wrong_in_a_header_is_said() {
        let meta = |at, byte| said(&changed(COUNT_META, at, byte));
        let counters = |at, byte| said(&changed(COUNT_COUNTERS, at, byte));
        assert_eq!(said(b"\0cv"), "cut short: 3 bytes, too few to tell what they are");
        assert_eq!(said(b"\x7fELF more"), r#"no coverage data of Go: it begins with "\x7fELF""#);
        assert_eq!(said(&COUNT_META[..55]), "cut short: 55 bytes of covmeta data that has 56 or more");
        assert_eq!(
            said(&COUNT_COUNTERS[..31]),
            "cut short: 31 bytes of covcounters data that has 32 or more"
        );
        let version = "; this release of goc-watchdog reads version 1 alone";
        assert_eq!(meta(4, 2), format!("covmeta data of version 2{version}"));
        assert_eq!(meta(4, 0), format!("covmeta data of version 0{version}"));
        assert_eq!(counters(4, 2), format!("covcounters data of version 2{version}"));
        assert_eq!(meta(48, 4), "counter mode 4 in the header is neither 1 (set), 2 (count) nor 3 (atomic)");
        assert_eq!(meta(49, 2), "granularity 2 in the header; only 1, a counter for each block, can be read");
        assert_eq!(meta(50, 1), "at byte 50: bytes that have to be zero are not");
        assert_eq!(counters(24, 3), "counter flavour 3 in the header is neither 1 (raw) nor 2 (uleb128)");
        assert_eq!(counters(25, 1), "at byte 25: bytes that have to be zero are not");
        assert_eq!(counters(31, 1), "at byte 26: bytes that have to be zero are not");
    }

    #[test]
    fn the_other_kind_is_named() {
        let error = CounterHeader::from_bytes(COUNT_META).unwrap_err();
        assert_eq!(error.to_string(), "covmeta data where covcounters data was expected");
    }
}
