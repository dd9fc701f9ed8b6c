//! A digest of counters, by which the same state of a process is recognised without being decoded.
//!
//! Go writes the strings of a counter file in another order each time, so equal states come as different bytes. The
//! records behind them stand in the order in which the linker laid the counters out: two writes of one state by one
//! process have equal records. A state that came in another order would be decoded, and found to be equal then.
//!
//! The hash is XXH3 with 64 bits and a seed that is drawn for each run, as in `answer_digest`: it withstands chance, not
//! an attacker, and a process that tries could only hide its own counters.

use twox_hash::XxHash3_64;

use super::counters::CounterFile;
use super::header::MetaHash;

/// Marks the layout of an encoded digest; that of a text's is 1.
const FORMAT: u8 = 2;

/// The state of a process: which meta, how many functions have run, and a hash of their records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordsDigest {
    seed: u64,
    hash: u64,
    meta: MetaHash,
    flavour: u8,
    functions: u64,
    /// Length of the records.
    bytes: u64,
}

impl RecordsDigest {
    /// Bytes of an encoded digest.
    pub const ENCODED_BYTES: usize = 1 + 4 * 8 + 16 + 1;

    /// Takes the digest of a file.
    #[must_use]
    pub fn new(seed: u64, file: &CounterFile<'_>) -> Self {
        let (flavour, functions, records) = file.state();
        let hash = XxHash3_64::oneshot_with_seed(seed, records);
        Self { seed, hash, meta: file.hash(), flavour, functions, bytes: records.len() as u64 }
    }

    /// Tells whether a file says the same as the one that this was taken of.
    ///
    /// `false` says nothing: the same counters may have been written in another way.
    #[must_use]
    pub fn is_of(&self, file: &CounterFile<'_>) -> bool {
        Self::new(self.seed, file) == *self
    }

    /// Encodes it to be stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { seed, hash, meta, flavour, functions, bytes } = self;
        let mut out = Vec::with_capacity(Self::ENCODED_BYTES);
        out.push(FORMAT);
        for number in [seed, hash, functions, bytes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(meta.as_bytes());
        out.push(*flavour);
        out
    }

    /// Decodes what [`Self::encode`] wrote; `None` for anything else, such as the digest of a text.
    #[must_use]
    pub fn decode(encoded: &[u8]) -> Option<Self> {
        let encoded: &[u8; Self::ENCODED_BYTES] = encoded.try_into().ok()?;
        let (&[FORMAT], rest) = encoded.split_first_chunk()? else { return None };
        let (numbers, rest) = rest.split_first_chunk::<32>()?;
        let (meta, &[flavour]) = rest.split_first_chunk::<16>()? else { return None };
        let number =
            |index: usize| u64::from_le_bytes(numbers[index * 8..][..8].try_into().expect("eight bytes"));
        let [seed, hash, functions, bytes] = [0, 1, 2, 3].map(number);
        Some(Self { seed, hash, meta: MetaHash::from_bytes(*meta), flavour, functions, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::gocover::fixtures::{RAW_COUNTERS, SNAPSHOTS, counter_bytes};

    fn digest(bytes: &[u8]) -> RecordsDigest {
        RecordsDigest::new(7, &CounterFile::from_bytes(bytes).unwrap())
    }

    #[test]
    fn equal_states_are_recognised_though_their_strings_differ() {
        let records = [(0, 0, vec![5]), (0, 1, vec![6, 7])];
        let one = counter_bytes(&records, &[("argc", "1"), ("GOOS", "linux")]);
        let other = counter_bytes(&records, &[("GOOS", "linux"), ("argc", "1")]);
        assert_ne!(one, other);
        assert_eq!(digest(&one), digest(&other));
        assert!(digest(&one).is_of(&CounterFile::from_bytes(&other).unwrap()));
    }

    #[test]
    fn another_counter_flavour_or_meta_is_another_state() {
        let bytes = counter_bytes(&[(0, 0, vec![5])], &[]);
        let mut meta = bytes.clone();
        meta[8] ^= 1;
        let mut big_endian = RAW_COUNTERS.to_vec();
        big_endian[25] = 0;
        for (one, other) in [
            (&bytes, &counter_bytes(&[(0, 0, vec![6])], &[])),
            (&bytes, &meta),
            (&RAW_COUNTERS.to_vec(), &big_endian),
        ] {
            assert!(!digest(one).is_of(&CounterFile::from_bytes(other).unwrap()));
        }
        let cumulative: Vec<u64> = SNAPSHOTS.iter().map(|bytes| digest(bytes).hash).collect();
        let distinct: std::collections::BTreeSet<_> = cumulative.iter().collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn a_digest_is_stored_and_read_back() {
        let digest = digest(SNAPSHOTS[0]);
        let encoded = digest.encode();
        assert_eq!(encoded.len(), RecordsDigest::ENCODED_BYTES);
        assert_eq!(RecordsDigest::decode(&encoded), Some(digest));
        let mut other = encoded.clone();
        other[0] = 1;
        assert_eq!(RecordsDigest::decode(&other), None);
        assert_eq!(RecordsDigest::decode(&encoded[1..]), None);
        assert_eq!(RecordsDigest::decode(&[]), None);
    }
}
