//! Go coverage profiles: what one says, how it is read, written, merged and remembered.
//!
//! Pure: text and numbers in, text and numbers out. A [`Build`] is the block structure alone, shared
//! by all replicas that run it; a [`Profile`] adds one counter to each of its blocks. Nothing here
//! knows where a profile comes from or where it goes.

mod codec;
mod merge;
mod parse;
mod write;

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::coverage::Coverage;

pub use codec::{CodecError, decode_build, decode_counts, encode_build, encode_counts};
pub use merge::{Conflict, Merged, mix};
pub use parse::{Limits, ParseError, ReadError, Template, parse, read};
pub use write::write;

/// The largest count a merge can reach: Go reads a count as an `int`.
pub const MAX_COUNT: u64 = i64::MAX as u64;

/// How the counters of a profile count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// A block was executed (1) or not (0).
    Set,
    /// How often a block was executed. Increments race, so a busy counter can lose some.
    Count,
    /// How often a block was executed, exactly.
    Atomic,
}

impl Mode {
    /// Returns the mode that `word` stands for; as in Go's tools, a word that is not known counts.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "set" => Self::Set,
            "atomic" => Self::Atomic,
            _ => Self::Count,
        }
    }

    /// Returns the word that stands in a mode line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Count => "count",
            Self::Atomic => "atomic",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A basic block as the annotator cut it: from `start` up to `end`, both as (line, column), columns
/// 1-based and in bytes. Order is that of the source, with the shorter of two that start together first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// Line and column of the first byte.
    pub start: (u32, u32),
    /// Line and column after the last byte.
    pub end: (u32, u32),
    /// Number of statements; 0 and zero width both occur.
    pub statements: u32,
}

/// SHA-256 of a block structure: of one file, or of all files of a build.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Returns the bytes, as they are stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Restores a fingerprint from its 32 stored bytes; `None` for any other length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Returns the first 12 hex digits, what people see and `--adopt` takes.
    #[must_use]
    pub fn short(&self) -> String {
        let number = self.0[..6].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{number:012x}")
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// The block structure of a profile, file by file, sorted; without any counter.
///
/// Blocks of all files stand in one sequence, so that counters are one vector beside it.
#[derive(Clone, PartialEq, Eq)]
pub struct Build {
    names: Vec<Box<str>>,
    /// Index of each file's first block, and the number of all blocks at the end.
    first: Vec<u32>,
    blocks: Vec<Block>,
    file_fingerprints: Vec<Fingerprint>,
    fingerprint: Fingerprint,
}

impl fmt::Debug for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Build({:?}, {} files, {} blocks)", self.fingerprint, self.names.len(), self.blocks.len())
    }
}

/// One file of a [`Build`].
#[derive(Clone, Copy, Debug)]
pub struct BuildFile<'a> {
    /// Import path and file name.
    pub name: &'a str,
    /// Of the file's blocks; the name is no part of it.
    pub fingerprint: Fingerprint,
    /// In canonical order.
    pub blocks: &'a [Block],
    /// Where the file's blocks stand among those of the build.
    pub range: (usize, usize),
}

impl Build {
    /// Builds from files sorted by name, each with its blocks sorted and distinct.
    fn from_sorted(names: Vec<Box<str>>, first: Vec<u32>, blocks: Vec<Block>) -> Self {
        debug_assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "files out of order");
        debug_assert_eq!(first.len(), names.len() + 1, "a file without its blocks");
        let mut whole = Sha256::new();
        let mut bytes = Vec::new();
        let mut file_fingerprints = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            bytes.clear();
            for block in &blocks[first[index] as usize..first[index + 1] as usize] {
                for number in [block.start.0, block.start.1, block.end.0, block.end.1, block.statements] {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
            }
            let fingerprint = Fingerprint(Sha256::digest(&bytes).into());
            whole.update((name.len() as u64).to_le_bytes());
            whole.update(name.as_bytes());
            whole.update(fingerprint.0);
            file_fingerprints.push(fingerprint);
        }
        let fingerprint = Fingerprint(whole.finalize().into());
        Self { names, first, blocks, file_fingerprints, fingerprint }
    }

    /// Returns the structure without any file: that of a profile which is a mode line only.
    #[must_use]
    pub fn empty() -> Self {
        Self::from_sorted(Vec::new(), vec![0], Vec::new())
    }

    /// Returns the fingerprint of all files together, names included.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Returns all blocks, file by file.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Returns the number of files.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.names.len()
    }

    /// Returns the files in order of their names.
    #[must_use]
    pub fn files(&self) -> impl ExactSizeIterator<Item = BuildFile<'_>> {
        (0..self.names.len()).map(|index| self.file(index))
    }

    fn file(&self, index: usize) -> BuildFile<'_> {
        let range = (self.first[index] as usize, self.first[index + 1] as usize);
        BuildFile {
            name: &self.names[index],
            fingerprint: self.file_fingerprints[index],
            blocks: &self.blocks[range.0..range.1],
            range,
        }
    }

    /// Returns the file called `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<BuildFile<'_>> {
        self.index_of(name).map(|index| self.file(index))
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.names.binary_search_by(|own| (**own).cmp(name)).ok()
    }

    /// Returns how the files of two builds relate.
    #[must_use]
    pub fn relation(&self, other: &Self) -> Relation {
        if self.fingerprint == other.fingerprint {
            return Relation::SharesFiles;
        }
        let (few, many) = if self.names.len() < other.names.len() { (self, other) } else { (other, self) };
        let mut relation = Relation::Disjoint;
        for file in few.files() {
            match many.find(file.name) {
                Some(twin) if twin.fingerprint == file.fingerprint => relation = Relation::SharesFiles,
                Some(_) => return Relation::Conflicts { file: file.name.to_owned() },
                None => {}
            }
        }
        relation
    }

    /// Tells whether two builds can be of one module, judged by their import paths alone.
    ///
    /// An import path with a dot in its first segment names its repository in the first three
    /// segments (`github.com/org/repo`), or in as many as its shallowest package has; any other in the
    /// first. Nothing in an agent's answer names the module, so this is the best that can be known.
    #[must_use]
    pub fn may_share_module(&self, other: &Self) -> bool {
        let theirs = other.module_roots();
        self.module_roots().iter().any(|own| {
            theirs.iter().any(|root| {
                let common = own.len().min(root.len());
                own[..common] == root[..common]
            })
        })
    }

    fn module_roots(&self) -> std::collections::BTreeSet<Vec<&str>> {
        self.names
            .iter()
            .map(|name| {
                let package = name.rsplit_once('/').map_or("", |(package, _)| package);
                let hosted = package.split('/').next().is_some_and(|host| host.contains('.'));
                package.split('/').take(if hosted { 3 } else { 1 }).collect()
            })
            .collect()
    }
}

/// How the files of two builds relate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// A file of both has different blocks.
    Conflicts {
        /// The first such file.
        file: String,
    },
    /// At least one file is in both, and all that are have the same blocks.
    SharesFiles,
    /// No file is in both.
    Disjoint,
}

/// A coverage profile: a structure, and one counter for each of its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// How the counters count.
    pub mode: Mode,
    /// The blocks.
    pub build: Arc<Build>,
    /// As many as there are blocks, in their order.
    pub counts: Vec<u64>,
}

impl Profile {
    /// Returns how many statements were executed, of how many. Each block counts once.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        coverage(&self.build, &self.counts)
    }
}

/// Returns how many statements of `build` have a counter above 0, of how many.
#[must_use]
pub fn coverage(build: &Build, counts: &[u64]) -> Coverage {
    let mut sum = Coverage { covered: 0, total: 0 };
    for (block, &count) in build.blocks.iter().zip(counts) {
        let statements = u64::from(block.statements);
        sum.total += statements;
        sum.covered += if count > 0 { statements } else { 0 };
    }
    sum
}

/// Returns the fraction of blocks that were executed, in the very form in which an agent shows it.
#[must_use]
pub fn hit_fraction(counts: &[u64]) -> String {
    let hit = counts.iter().filter(|&&count| count > 0).count();
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^32 blocks")]
    let fraction = hit as f64 / counts.len().max(1) as f64;
    format!("{fraction:.6}")
}

/// Returns a digest of which blocks of `build` were executed, however often.
#[must_use]
pub fn covered_digest(build: &Build, counts: &[u64]) -> Fingerprint {
    let mut bits = vec![0_u8; counts.len().div_ceil(8)];
    for (index, _) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
        bits[index / 8] |= 1 << (index % 8);
    }
    let mut digest = Sha256::new();
    digest.update(build.fingerprint.0);
    digest.update(&bits);
    Fingerprint(digest.finalize().into())
}

/// Returns a digest of a whole profile: equal digests are equal canonical bytes.
#[must_use]
pub fn counts_digest(profile: &Profile) -> Fingerprint {
    let mut digest = Sha256::new();
    digest.update(profile.build.fingerprint.0);
    digest.update(profile.mode.as_str());
    digest.update(encode_counts(&profile.counts));
    Fingerprint(digest.finalize().into())
}
