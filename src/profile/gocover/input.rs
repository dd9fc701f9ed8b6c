//! Numbers and strings, read one after another from bytes that are at hand.

use super::super::varint::{Numbers, VarintFault};
use super::error::DataFault;

/// Bytes that are read one after another.
#[derive(Clone, Copy)]
pub(super) struct ByteReader<'a> {
    bytes: Numbers<'a>,
    /// Bytes of the file before the first of these.
    base: usize,
}

impl<'a> ByteReader<'a> {
    pub(super) fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes: Numbers::new(bytes), base }
    }

    /// Returns the place in the file.
    pub(super) fn offset(&self) -> usize {
        self.base + self.at()
    }

    /// Returns the place in these bytes.
    pub(super) fn at(&self) -> usize {
        self.bytes.at()
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.left()
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DataFault> {
        self.bytes.take(len).ok_or(DataFault::Short)
    }

    /// Splits off the next bytes, to be read on their own.
    pub(super) fn split(&mut self, len: usize) -> Result<Self, DataFault> {
        let base = self.offset();
        Ok(Self::new(self.take(len)?, base))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DataFault> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were taken"))
    }

    pub(super) fn byte(&mut self) -> Result<u8, DataFault> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DataFault> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u32_big_endian(&mut self) -> Result<u32, DataFault> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, DataFault> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn hash(&mut self) -> Result<[u8; 16], DataFault> {
        self.array()
    }

    pub(super) fn zeros(&mut self, len: usize) -> Result<(), DataFault> {
        if self.take(len)?.iter().all(|&byte| byte == 0) { Ok(()) } else { Err(DataFault::NotZero) }
    }

    /// Reads an unsigned LEB128 number.
    #[inline]
    pub(super) fn uleb(&mut self) -> Result<u64, DataFault> {
        match self.bytes.next() {
            Ok(number) => Ok(number),
            Err(VarintFault::Short) => Err(DataFault::Short),
            Err(VarintFault::Long) => Err(DataFault::LongNumber),
        }
    }

    /// Reads a number that has to fit into 32 bits.
    #[inline]
    pub(super) fn uleb32(&mut self) -> Result<u32, DataFault> {
        let number = self.uleb()?;
        u32::try_from(number).map_err(|_| DataFault::LargeNumber(number))
    }

    /// Reads the number of things that follow, each of at least so many bytes.
    pub(super) fn claim(&self, claimed: u64, least: usize, things: &'static str) -> Result<usize, DataFault> {
        let left = self.left();
        match usize::try_from(claimed) {
            Ok(count) if count <= left / least => Ok(count),
            _ => Err(DataFault::Claim { claimed, things, left }),
        }
    }

    /// Reads a string table, and hands out its strings; returns how many there are.
    pub(super) fn strings(&mut self, mut each: impl FnMut(&'a str)) -> Result<usize, DataFault> {
        let claimed = self.uleb()?;
        let count = self.claim(claimed, 1, "strings")?;
        for _ in 0..count {
            let claimed = self.uleb()?;
            let len = self.claim(claimed, 1, "bytes of a string")?;
            each(str::from_utf8(self.take(len)?).map_err(|_| DataFault::NotUtf8)?);
        }
        Ok(count)
    }

    /// Checks that everything was read.
    pub(super) fn end(&self) -> Result<(), DataFault> {
        match self.left() {
            0 => Ok(()),
            left => Err(DataFault::LeftOver(left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_beyond_32_bits_is_refused_where_it_has_to_fit() {
        let uleb32 = |bytes: &[u8]| ByteReader::new(bytes, 0).uleb32();
        assert_eq!(uleb32(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX));
        assert_eq!(uleb32(&[0x80, 0x80, 0x80, 0x80, 0x10]), Err(DataFault::LargeNumber(1 << 32)));
    }

    #[test]
    fn a_string_table_is_read_to_its_end_and_not_beyond() {
        let mut found = Vec::new();
        let mut input = ByteReader::new(b"\x02\x00\x03abcd", 0);
        assert_eq!(input.strings(|string| found.push(string)), Ok(2));
        assert_eq!((found, input.left()), (vec!["", "abc"], 1));
        let table = |bytes: &[u8]| ByteReader::new(bytes, 0).strings(|_| ()).unwrap_err();
        assert_eq!(table(b"\x03\x00\x00"), DataFault::Claim { claimed: 3, things: "strings", left: 2 });
        let things = "bytes of a string";
        assert_eq!(table(b"\x01\x05abcd"), DataFault::Claim { claimed: 5, things, left: 4 });
        assert_eq!(table(b"\x01\x01\xff"), DataFault::NotUtf8);
    }
}
