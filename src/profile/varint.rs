//! Unsigned LEB128 numbers: seven bits a byte, the low ones first. Go's coverage data and the stored counters have them.

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
    // Nearly all numbers are of one byte or two.
    match bytes.get(*at..) {
        Some(&[byte @ ..0x80, ..]) => {
            *at += 1;
            Ok(byte.into())
        }
        Some(&[low, high @ ..0x80, ..]) => {
            *at += 2;
            Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
        }
        _ => read_long(bytes, at),
    }
}

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
