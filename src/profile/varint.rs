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

/// Reads the number that begins at `at`, and moves `at` behind it. As in Go, bits beyond the 64th are dropped.
#[inline]
pub(super) fn read(bytes: &[u8], at: &mut usize) -> Result<u64, VarintFault> {
    match read_word(bytes.get(*at..).unwrap_or_default()) {
        Some((number, length)) => {
            *at += length;
            Ok(number)
        }
        None => read_long(bytes, at),
    }
}

/// Reads a number; returns it with the number of its bytes. `None` where it has more than 8 bytes, or fewer than 8 are
/// left.
#[inline]
fn read_word(bytes: &[u8]) -> Option<(u64, usize)> {
    let word = u64::from_le_bytes(*bytes.first_chunk()?);
    let lasts = !word & FOLLOWED;
    if lasts == 0 {
        return None;
    }
    // The bits up to the first byte that no other follows.
    let number = word & (lasts ^ (lasts - 1)) & !FOLLOWED;
    let number = number & 0x007f_007f_007f_007f | (number & 0x7f00_7f00_7f00_7f00) >> 1;
    let number = number & 0x0000_3fff_0000_3fff | (number & 0x3fff_0000_3fff_0000) >> 2;
    let number = number & 0x0000_0000_0fff_ffff | (number & 0x0fff_ffff_0000_0000) >> 4;
    Some((number, lasts.trailing_zeros() as usize / 8 + 1))
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

#[cold]
fn read_long(bytes: &[u8], at: &mut usize) -> Result<u64, VarintFault> {
    let mut number = 0_u64;
    for shift in (0..70).step_by(7) {
        let byte = *bytes.get(*at).ok_or(VarintFault::Short)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(VarintFault::Long)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(bytes: &[u8]) -> Result<u64, VarintFault> {
        read(bytes, &mut 0)
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
                assert_eq!(read_word(&followed), Some((number, bytes.len())), "{number}");
                assert_eq!(read_long(&followed, &mut 0), Ok(number));
            }
        }
        assert_eq!((word(1 << 56), word(u64::MAX)), (None, None));
        assert_eq!((read_word(&[0x80; 9]), read_word(&[1; 7])), (None, None));
    }

    proptest! {
        #[test]
        fn numbers_read_back_as_they_were_written(number in any::<u64>(), short in 0..300_u64) {
            let mut bytes = Vec::new();
            push(&mut bytes, number);
            push(&mut bytes, short);
            let mut at = 0;
            prop_assert_eq!((read(&bytes, &mut at), read(&bytes, &mut at)), (Ok(number), Ok(short)));
            prop_assert_eq!(at, bytes.len());
        }
    }
}
