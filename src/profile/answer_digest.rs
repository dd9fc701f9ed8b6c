//! A digest of an answer, by which the same answer is recognised without being parsed again.
//!
//! A process prints its files in another order each time, but the lines of a file always in the same order. So an
//! [`AnswerDigest`] has length and hash of every file's section of the text, and two texts of the same sections are
//! equal answers. The comparison costs one lookup of the file's name for each section, and a hash that is about as fast
//! as reading memory.
//!
//! The hash is XXH3 with 64 bits and a random seed for each run, so one of 2^64 different sections would pass as equal.
//! The hash protects against chance, not against an attacker. A hostile process could only hide its own counters, which
//! it can also do by printing the old ones.

use twox_hash::XxHash3_64;

/// The version of the layout of an encoded digest.
const FORMAT: u8 = 1;
/// Number of bits of a section's place that are its length. The others are of the hash of its name.
const LENGTH_BITS: u32 = 22;
/// Largest number of sections, which is more than any program has. A hostile answer must not fill the database.
const MOST_SECTIONS: usize = 1 << 16;
const HEAD_BYTES: usize = 17;
const SECTION_BYTES: usize = 16;

/// Length and hash of each section of a text, independent of their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnswerDigest {
    seed: u64,
    /// Hash of the mode line.
    head: u64,
    /// The sections, sorted, with distinct names.
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
    /// Encodes the digest for the database.
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

    /// Decodes the bytes of [`Self::encode`]; `None` for any other bytes, after which the next answer is read as a
    /// whole.
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

    /// Tells whether a text that begins with this mode line, including its newline, can be the same answer.
    pub(super) fn has_mode_line(&self, line: &[u8]) -> bool {
        hash(self.seed, line) == self.head
    }

    /// Returns index and length of the section that begins with `head`, a name with its colon.
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

/// Tells whether all sections have distinct names, because two sections of one name could be mistaken for each other.
fn are_distinct(sections: &[FileDigest]) -> bool {
    sections.windows(2).all(|pair| pair[0].place >> LENGTH_BITS < pair[1].place >> LENGTH_BITS)
}

fn hash(seed: u64, text: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, text)
}

/// Returns the checksum that shows whether stored bytes were damaged.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

fn key(seed: u64, head: &[u8]) -> u64 {
    hash(seed, head) >> LENGTH_BITS << LENGTH_BITS
}

/// The digest of a text while it is read, section by section.
pub(super) struct AnswerDigester {
    seed: u64,
    head: u64,
    sections: Vec<FileDigest>,
    current: Option<CurrentSection>,
    /// A section is too long, or there are too many.
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

    /// Continues after a part of a text whose digest is known: its mode line, and these of its sections.
    pub(super) fn resume(last: &AnswerDigest, recognised: &[bool]) -> Self {
        let sections = last.sections.iter().zip(recognised).filter(|&(_, &is_there)| is_there);
        let sections = sections.map(|(section, _)| *section).collect();
        Self { head: last.head, sections, ..Self::new(last.seed) }
    }

    /// Takes in the mode line, its newline included.
    pub(super) fn mode_line(&mut self, line: &[u8]) {
        self.head = hash(self.seed, line);
    }

    /// Ends the present section with `rest`, and begins the one whose lines begin with `head`.
    pub(super) fn turn(&mut self, rest: &[u8], head: &[u8]) {
        self.end(rest);
        self.current = Some(CurrentSection { key: key(self.seed, head), before: None });
    }

    /// Takes in the beginning of a section whose end was not read yet.
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

    /// Returns the digest of the text; `None` if sections could not be distinguished: a file at two places, a section
    /// of 4 MiB or more, or more than 65,536 sections.
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
