//! Numbers and strings, read one after another from bytes that are at hand.

use super::error::DataFault;

/// Bytes of which those before `at` were read.
#[derive(Clone, Copy)]
pub(super) struct ByteReader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes of the file before the first of these.
    base: usize,
}

impl<'a> ByteReader<'a> {
    pub(super) fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    /// Returns the place in the file.
    pub(super) fn offset(&self) -> usize {
        self.base + self.at
    }

    /// Returns the place in these bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DataFault> {
        let taken = self.bytes[self.at..].get(..len).ok_or(DataFault::Short)?;
        self.at += len;
        Ok(taken)
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

    /// Reads an unsigned LEB128 number. Go allows bits beyond the 64th and drops them.
    #[inline]
    pub(super) fn uleb(&mut self) -> Result<u64, DataFault> {
        // Nearly all numbers are of one byte or two.
        match self.bytes.get(self.at..) {
            Some(&[byte @ ..0x80, ..]) => {
                self.at += 1;
                Ok(byte.into())
            }
            Some(&[low, high @ ..0x80, ..]) => {
                self.at += 2;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_uleb(),
        }
    }

    fn long_uleb(&mut self) -> Result<u64, DataFault> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(DataFault::LongNumber)
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
    use proptest::prelude::*;

    use super::*;
    use crate::profile::gocover::fixtures::push_uleb;

    fn read(bytes: &[u8]) -> Result<u64, DataFault> {
        ByteReader::new(bytes, 0).uleb()
    }

    #[test]
    fn numbers_are_read_by_seven_bits_a_byte_the_low_ones_first() {
        assert_eq!(read(&[0x7f]), Ok(127));
        assert_eq!(read(&[0x80, 0x01]), Ok(128));
        assert_eq!(read(&[0xe5, 0x8e, 0x26]), Ok(624_485));
        // A number may be longer than it has to be.
        assert_eq!(read(&[0x83, 0x80, 0x00]), Ok(3));
    }

    #[test]
    fn a_number_ends_within_ten_bytes_and_within_the_data() {
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), Ok(u64::MAX));
        assert_eq!(read(&[0x80; 11]), Err(DataFault::LongNumber));
        assert_eq!(read(&[0x80; 3]), Err(DataFault::Short));
        assert_eq!(read(&[]), Err(DataFault::Short));
    }

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

    proptest! {
        #[test]
        fn numbers_read_back_as_they_were_written(number in any::<u64>(), short in 0..300_u64) {
            let mut bytes = Vec::new();
            push_uleb(&mut bytes, number);
            push_uleb(&mut bytes, short);
            let mut input = ByteReader::new(&bytes, 0);
            prop_assert_eq!((input.uleb(), input.uleb(), input.left()), (Ok(number), Ok(short), 0));
        }
    }
}
