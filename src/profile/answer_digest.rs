//! A digest of an answer, by which the same answer is recognised without being parsed again.
//!
//! A process prints its files in another order each time, but the lines of a file always in the same.
//! So an [`AnswerDigest`] has length and hash of every file's section of the text, and two texts of the same
//! sections say the same. Telling costs one look for the file's name a section, and a hash that reads
//! memory about as fast as it can be read.
//!
//! The hash is XXH3 with 64 bits and a seed that is drawn for each run: one section in 2^64 that differs
//! would pass for the same. It withstands chance, not an attacker, and need not: a process that tries
//! could only hide its own counters, and can do that by printing the old ones.

use twox_hash::XxHash3_64;

/// Marks the layout of an encoded digest.
const FORMAT: u8 = 1;
/// How many bits of a section's place are its length; the others are of its name's hash.
const LENGTH_BITS: u32 = 22;
/// More files than any program has; what a hostile process prints must not fill the database.
const MOST_SECTIONS: usize = 1 << 16;
const HEAD_BYTES: usize = 17;
const SECTION_BYTES: usize = 16;

/// Length and hash of each section of a text, whatever their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnswerDigest {
    seed: u64,
    /// Of the mode line.
    head: u64,
    /// Sorted, no name twice.
    sections: Vec<FileDigest>,
}

/// Length and hash of the lines of a file, which are a section of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FileDigest {
    /// Hash of the file's name with its colon, above the length of the section.
    place: u64,
    hash: u64,
}

impl AnswerDigest {
    /// Encodes it to be stored.
    #[must_use]
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD_BYTES + self.sections.len() * SECTION_BYTES);
        out.push(FORMAT);
        out.extend_from_slice(&self.seed.to_le_bytes());
        out.extend_from_slice(&self.head.to_le_bytes());
        for section in &self.sections {
            out.extend_from_slice(&section.place.to_le_bytes());
            out.extend_from_slice(&section.hash.to_le_bytes());
        }
        out
    }

    /// Decodes what [`Self::encode`] wrote; `None` for anything else, which costs no more than that the
    /// next answer has to be read whole.
    #[must_use]
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
        let (head, sections) = bytes.split_at_checked(HEAD_BYTES)?;
        if head[0] != FORMAT || sections.len() % SECTION_BYTES != 0 {
            return None;
        }
        let sections: Option<Vec<FileDigest>> = sections
            .chunks_exact(SECTION_BYTES)
            .map(|section| Some(FileDigest { place: number(&section[..8])?, hash: number(&section[8..])? }))
            .collect();
        let sections = sections.filter(|sections| are_distinct(sections))?;
        Some(Self { seed: number(&head[1..9])?, head: number(&head[9..])?, sections })
    }

    /// Returns the number of sections.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.sections.len()
    }

    /// Tells whether a text that starts with this mode line, its newline included, can be the same.
    pub(super) fn has_mode_line(&self, line: &[u8]) -> bool {
        hash(self.seed, line) == self.head
    }

    /// Returns the index of the section that starts with `head`, a name with its colon, and its length.
    pub(super) fn find(&self, head: &[u8]) -> Option<(usize, usize)> {
        let key = key(self.seed, head);
        let index = self.sections.partition_point(|section| section.place < key);
        let section = self.sections.get(index)?;
        let length = section.place ^ key;
        (length >> LENGTH_BITS == 0).then(|| (index, usize::try_from(length).expect("22 bits")))
    }

    /// Tells whether `text` is the section at `index`.
    pub(super) fn is_section(&self, index: usize, text: &[u8]) -> bool {
        hash(self.seed, text) == self.sections[index].hash
    }
}

/// Two sections of one name would pass for each other.
fn are_distinct(sections: &[FileDigest]) -> bool {
    sections.windows(2).all(|pair| pair[0].place >> LENGTH_BITS < pair[1].place >> LENGTH_BITS)
}

fn hash(seed: u64, text: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, text)
}

/// Returns what tells whether stored bytes were damaged.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

fn key(seed: u64, head: &[u8]) -> u64 {
    hash(seed, head) >> LENGTH_BITS << LENGTH_BITS
}

/// Takes the digest of a text while it is read, section by section.
pub(super) struct AnswerDigester {
    seed: u64,
    head: u64,
    sections: Vec<FileDigest>,
    current: Option<CurrentSection>,
    /// There is more than is remembered: a section, or their number.
    too_much: bool,
}

/// The section that is being read.
struct CurrentSection {
    key: u64,
    /// The part that came in earlier pieces of the text.
    before: Option<(u64, twox_hash::xxhash3_64::Hasher)>,
}

impl AnswerDigester {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, head: 0, sections: Vec::new(), current: None, too_much: false }
    }

    /// Goes on after a part of a text whose digest is known: its mode line, and these of its sections.
    pub(super) fn resume(last: &AnswerDigest, recognised: &[bool]) -> Self {
        let sections = last.sections.iter().zip(recognised).filter(|&(_, &is_there)| is_there);
        let sections = sections.map(|(section, _)| *section).collect();
        Self { head: last.head, sections, ..Self::new(last.seed) }
    }

    /// Takes in the mode line, its newline included.
    pub(super) fn mode_line(&mut self, line: &[u8]) {
        self.head = hash(self.seed, line);
    }

    /// Ends the section before with `rest`, and begins the one whose lines start with `head`.
    pub(super) fn turn(&mut self, rest: &[u8], head: &[u8]) {
        self.end(rest);
        self.current = Some(CurrentSection { key: key(self.seed, head), before: None });
    }

    /// Takes in the start of a section whose end is not at hand yet.
    pub(super) fn pause(&mut self, piece: &[u8]) {
        if let Some(current) = self.current.as_mut().filter(|_| !piece.is_empty()) {
            let begin = || (0, twox_hash::xxhash3_64::Hasher::with_seed(self.seed));
            let (length, hasher) = current.before.get_or_insert_with(begin);
            *length += piece.len() as u64;
            std::hash::Hasher::write(hasher, piece);
        }
    }

    fn end(&mut self, rest: &[u8]) {
        let Some(CurrentSection { key, before }) = self.current.take() else { return };
        let (length, hash) = match before {
            None => (rest.len() as u64, hash(self.seed, rest)),
            Some((length, mut hasher)) => {
                std::hash::Hasher::write(&mut hasher, rest);
                (length + rest.len() as u64, std::hash::Hasher::finish(&hasher))
            }
        };
        if length >> LENGTH_BITS != 0 || self.sections.len() == MOST_SECTIONS {
            self.too_much = true;
            return;
        }
        self.sections.push(FileDigest { place: key | length, hash });
    }

    /// Returns the digest of all that was taken in; `None` where sections could not be told apart: a file
    /// that came in two places, one of 4 MiB and more, or more than 65,536 of them.
    pub(super) fn finish(mut self) -> Option<AnswerDigest> {
        self.end(&[]);
        let Self { seed, head, mut sections, too_much, .. } = self;
        sections.sort_unstable();
        (!too_much && are_distinct(&sections)).then_some(AnswerDigest { seed, head, sections })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_digest(pieces: &[(&str, &[&str])]) -> Option<AnswerDigest> {
        let mut digester = AnswerDigester::new(7);
        digester.mode_line(b"mode: set\n");
        for (head, pieces) in pieces {
            digester.turn(b"", head.as_bytes());
            pieces.iter().for_each(|piece| digester.pause(piece.as_bytes()));
        }
        digester.finish()
    }

    #[test]
    fn an_answer_digest_does_not_depend_on_the_order_of_files_or_on_how_the_text_was_cut() {
        let whole =
            answer_digest(&[("a:", &["a:1.1,2.2 1 0\na:3.1,4.2 1 0\n"]), ("b:", &["b:1.1,2.2 1 0\n"])]);
        let cut = answer_digest(&[
            ("b:", &["b:1.1,2.2", " 1 0\n"]),
            ("a:", &["a:1.1,2.2 1 0\n", "a:3.1,4.2 1 0\n"]),
        ]);
        assert_eq!(whole.as_ref().map(AnswerDigest::len), Some(2));
        assert_eq!(whole, cut);
    }

    #[test]
    fn sections_are_found_by_name_and_told_by_every_byte() {
        let answer_digest =
            answer_digest(&[("a:", &["a:1.1,2.2 1 0\n"]), ("b:", &["b:1.1,2.2 1 10\n"])]).unwrap();
        let (index, length) = answer_digest.find(b"b:").unwrap();
        assert_eq!(length, 15);
        assert!(answer_digest.is_section(index, b"b:1.1,2.2 1 10\n"));
        assert!(!answer_digest.is_section(index, b"b:1.1,2.2 1 11\n"));
        assert_eq!(answer_digest.find(b"c:"), None);
        assert!(
            answer_digest.has_mode_line(b"mode: set\n") && !answer_digest.has_mode_line(b"mode: count\n")
        );
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_remembered() {
        assert_eq!(answer_digest(&[("a:", &["a:1.1,2.2 1 0\n"]), ("a:", &["a:3.1,4.2 1 0\n"])]), None);
        let long = "a:1.1,2.2 1 0\n".repeat(300_000);
        assert_eq!(answer_digest(&[("a:", &[&long])]), None);
        let heads: Vec<String> = (0..=MOST_SECTIONS).map(|file| format!("{file}:")).collect();
        let many: Vec<(&str, &[&str])> =
            heads.iter().map(|head| (head.as_str(), &["1.1,2.2 1 0\n"][..])).collect();
        assert_eq!(answer_digest(&many), None);
        assert!(answer_digest(&many[1..]).is_some());
    }

    #[test]
    fn what_is_stored_decodes_and_anything_else_is_nothing() {
        let answer_digest =
            answer_digest(&[("a:", &["a:1.1,2.2 1 0\n"]), ("b:", &["b:1.1,2.2 1 10\n"])]).unwrap();
        let bytes = answer_digest.encode();
        assert_eq!(AnswerDigest::decode(&bytes), Some(answer_digest));
        assert_eq!(AnswerDigest::decode(&[]), None);
        assert_eq!(AnswerDigest::decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(AnswerDigest::decode(&[&[FORMAT + 1], &bytes[1..]].concat()), None);
        let twice = [&bytes[..], &bytes[bytes.len() - SECTION_BYTES..]].concat();
        assert_eq!(AnswerDigest::decode(&twice), None);
    }
}
