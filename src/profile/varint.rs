//! Unsigned LEB128 numbers: seven bits a byte, the low ones first. Go's coverage data and the stored counters have them.
//!
//! Counts have one to three bytes in no order that a processor could foresee, and a wrong guess costs more than all else
//! of a number. So short numbers are read and written as words, without a branch for each byte.

/// The bit of each byte that says that another byte follows.
const FOLLOWED: u64 = 0x8080_8080_8080_8080;

/// The reason why no number can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VarintFault {
    /// The bytes end within the number.
    Short,
    /// The number has more than ten bytes.
    Long,
}

#[inline]
pub(super) fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).expect("seven bits"));
}

/// Bytes from which numbers are read one after another.
///
/// Several numbers are taken from each word that is loaded. If each were loaded by itself, the load of the next one would
/// have to wait for the length of the one before.
#[derive(Clone, Copy)]
pub(super) struct Numbers<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The bytes from `at` on, as far as they were loaded.
    word: u64,
    /// The highest bit of each byte of `word` that ends a number; 0 where the word has no whole number.
    lasts: u64,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, word: 0, lasts: 0 }
    }

    /// Returns the place of the next number.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns the number of bytes that were not read.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Passes over bytes, and returns them; `None` if fewer are left.
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.bytes[self.at..].get(..len)?;
        self.at += len;
        self.lasts = 0;
        Some(taken)
    }

    /// Reads a number. As in Go, bits beyond the 64th are dropped.
    #[inline]
    pub(super) fn next(&mut self) -> Result<u64, VarintFault> {
        if self.lasts == 0 && !self.load() {
            let (number, length) = read_long(&self.bytes[self.at..])?;
            self.at += length;
            return Ok(number);
        }
        let last = self.lasts.trailing_zeros();
        let number = self.word & (u64::MAX >> (63 - last)) & !FOLLOWED;
        // The shift is done in two steps, because a number may fill the word.
        self.word = self.word >> last >> 1;
        self.lasts = self.lasts >> last >> 1;
        self.at += last as usize / 8 + 1;
        Ok(joined(number))
    }

    /// Loads a word; tells whether it has a whole number.
    #[inline]
    fn load(&mut self) -> bool {
        let Some(bytes) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) else { return false };
        self.word = u64::from_le_bytes(*bytes);
        self.lasts = !self.word & FOLLOWED;
        self.lasts != 0
    }
}

/// Joins the seven low bits of each byte.
#[inline]
fn joined(number: u64) -> u64 {
    let number = number & 0x007f_007f_007f_007f | (number & 0x7f00_7f00_7f00_7f00) >> 1;
    let number = number & 0x0000_3fff_0000_3fff | (number & 0x3fff_0000_3fff_0000) >> 2;
    number & 0x0000_0000_0fff_ffff | (number & 0x0fff_ffff_0000_0000) >> 4
}

/// Returns the bytes of a number as a word with the first one lowest, and how many they are; `None` if they are more than
/// 8.
#[inline]
pub(super) fn word(number: u64) -> Option<(u64, usize)> {
    if number >> 56 != 0 {
        return None;
    }
    let bits = u64::BITS - (number | 1).leading_zeros();
    let bytes = bits.div_ceil(7);
    let number = number & 0x0000_0000_0fff_ffff | (number & 0x00ff_ffff_f000_0000) << 4;
    let number = number & 0x0000_3fff_0000_3fff | (number & 0x0fff_c000_0fff_c000) << 2;
    let number = number & 0x007f_007f_007f_007f | (number & 0x3f80_3f80_3f80_3f80) << 1;
    let followed = FOLLOWED & ((1 << (8 * (bytes - 1))) - 1);
    Some((number | followed, bytes as usize))
}

/// Reads a number at the end of the bytes, or one that is too long for a word; returns it with the number of its bytes.
#[cold]
fn read_long(bytes: &[u8]) -> Result<(u64, usize), VarintFault> {
    let mut number = 0_u64;
    for length in 0..10 {
        let byte = *bytes.get(length).ok_or(VarintFault::Short)?;
        number |= u64::from(byte & 0x7f) << (7 * length);
        if byte < 0x80 {
            return Ok((number, length + 1));
        }
    }
    Err(VarintFault::Long)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(bytes: &[u8]) -> Result<u64, VarintFault> {
        Numbers::new(bytes).next()
    }

    #[test]
    fn numbers_are_read_by_seven_bits_a_byte_the_low_ones_first() {
        assert_eq!(number(&[0x7f]), Ok(127));
        assert_eq!(number(&[0x80, 0x01]), Ok(128));
        assert_eq!(number(&[0xe5, 0x8e, 0x26]), Ok(624_485));
        // A number may be longer than it has to be.
        assert_eq!(number(&[0x83, 0x80, 0x00]), Ok(3));
    }

    #[test]
    fn a_number_ends_within_ten_bytes_and_within_the_data() {
        assert_eq!(number(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), Ok(u64::MAX));
        assert_eq!(number(&[0x80; 11]), Err(VarintFault::Long));
        assert_eq!(number(&[0x80; 3]), Err(VarintFault::Short));
        assert_eq!(number(&[]), Err(VarintFault::Short));
    }

    #[test]
    fn short_numbers_are_the_same_as_words_whatever_follows_them() {
        let powers = (0..56).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1, 0x55_5555 << bit]);
        for number in powers.chain([300, 16_383, (1 << 56) - 1]).map(|number| number & ((1 << 56) - 1)) {
            let mut bytes = Vec::new();
            push(&mut bytes, number);
            let (word, length) = word(number).unwrap();
            assert_eq!(word.to_le_bytes()[..length], bytes, "{number}");
            for rest in [0, 0x7f, 0xff] {
                let mut followed = bytes.clone();
                followed.resize(bytes.len() + 8, rest);
                let mut numbers = Numbers::new(&followed);
                assert_eq!((numbers.next(), numbers.at()), (Ok(number), bytes.len()), "{number}");
                assert_eq!(read_long(&followed), Ok((number, bytes.len())));
            }
        }
        assert_eq!((word(1 << 56), word(u64::MAX)), (None, None));
    }

    proptest! {
        #[test]
        fn numbers_read_back_as_they_were_written(
            numbers in prop::collection::vec(prop_oneof![0..300_u64, 0..1_u64 << 32, any::<u64>()], 0..40),
            taken in 0..40_usize,
        ) {
            let mut bytes = Vec::new();
            let mut ends = vec![0];
            for &number in &numbers {
                push(&mut bytes, number);
                ends.push(bytes.len());
            }
            let mut input = Numbers::new(&bytes);
            for (index, &number) in numbers.iter().enumerate() {
                prop_assert_eq!(input.at(), ends[index]);
                if index == taken {
                    // The word in memory no longer fits the position after a take.
                    let length = ends[index + 1] - ends[index];
                    prop_assert_eq!(input.take(length), Some(&bytes[ends[index]..ends[index + 1]]));
                } else {
                    prop_assert_eq!(input.next(), Ok(number));
                }
            }
            prop_assert_eq!((input.left(), input.next()), (0, Err(VarintFault::Short)));
        }
    }
}
