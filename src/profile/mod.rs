//! Go coverage profiles: their model, and how they are read, written, merged and stored.
//!
//! Pure: input and output are text and numbers. A [`Build`] is only the block structure, shared by all replicas that
//! run it. A [`Profile`] adds one counter for each of its blocks. Nothing here depends on the origin or the use of a
//! profile.

mod answer_digest;
mod codec;
mod combine;
mod generic_parse;
pub mod gocover;
mod grown;
mod hit_counts;
mod limits;
mod lines;
mod merge;
mod parse;
mod part;
mod places;
mod reader;
mod template;
mod template_parse;
mod unite;
mod varint;
mod widened;
mod write;

pub(crate) use answer_digest::AnswerDigest;
pub(crate) use codec::{
    CodecError, decode_build, decode_counts, each_stored_count, encode_build, encode_counts, encode_hits,
};
pub(crate) use combine::{CombinedPrograms, combine, shares_of};
pub(crate) use grown::{differing_file, grown};
pub(crate) use hit_counts::{Hit, HitCounts};
pub use limits::{Limits, ParseError, ReadError};
pub use merge::{BuildConflict, ProfileSum};
pub(crate) use merge::{StoredSumError, add_all, mix};
pub(crate) use part::{PartOfBuild, counts_as_of};
pub(crate) use reader::{AnswerReader, ParsedAnswer, PreviousAnswer, read_file};
pub use reader::{parse, read};
pub use template::Template;
pub(crate) use unite::{BlockConflict, executed_of, unite};
pub use write::write;
pub(crate) use write::{push_file, write_known};

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::code::gosrc::CoverBlock;
use crate::coverage::Coverage;

/// The largest count of a sum, because Go reads a count as an `int`.
pub const MAX_COUNT: u64 = i64::MAX as u64;

/// The counter mode of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// A block was executed (1) or not (0).
    Set,
    /// Number of executions of a block. Increments race, so a busy counter can lose some.
    Count,
    /// Exact number of executions of a block.
    Atomic,
}

impl Mode {
    /// Returns the mode of a word. As in Go's tools, an unknown word means `count`.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "set" => Self::Set,
            "atomic" => Self::Atomic,
            _ => Self::Count,
        }
    }

    /// Returns the word in a mode line.
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

/// A basic block of the annotator: from `start` up to `end`, both as (line, column). Columns count bytes from 1. The
/// order is that of the source; of two blocks with the same start, the shorter is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// Line and column of the first byte.
    pub start: (u32, u32),
    /// Line and column after the last byte.
    pub end: (u32, u32),
    /// Number of statements; 0 and zero width both occur.
    pub statements: u32,
}

impl From<CoverBlock> for Block {
    fn from(CoverBlock { start, end, statements }: CoverBlock) -> Self {
        Self { start, end, statements }
    }
}

/// SHA-256 of a block structure, file names included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Returns the bytes for the database.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Makes the fingerprint of data.
    pub(crate) fn for_data(data: &[u8]) -> Self {
        Self(Sha256::digest(data).into())
    }

    /// Restores a fingerprint from its 32 stored bytes; `None` for any other length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Tells whether it is that of a structure without files.
    pub(crate) fn is_of_nothing(&self) -> bool {
        *self == Self::for_data(&[])
    }

    /// Returns the first 12 hex digits, which messages show and `--adopt` accepts.
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

/// The sorted block structure of a profile, file by file, without counters.
///
/// The blocks of all files are one sequence, so that counters are one vector.
#[derive(Clone, PartialEq, Eq)]
pub struct Build {
    names: Vec<Box<str>>,
    /// Index of each file's first block, and the number of all blocks at the end.
    first: Vec<u32>,
    blocks: Vec<Block>,
    fingerprint: Fingerprint,
}

impl fmt::Debug for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Build({:?}, {} files, {} blocks)", self.fingerprint, self.names.len(), self.blocks.len())
    }
}

/// A file of a [`Build`].
#[derive(Clone, Copy, Debug)]
pub struct BuildFile<'a> {
    /// Import path of the package, a slash and the file name.
    pub name: &'a str,
    /// The blocks in canonical order.
    pub blocks: &'a [Block],
    /// Index of the file's first block in the build, and the index after its last.
    pub range: (usize, usize),
}

impl Build {
    /// Builds from files sorted by name, each with its blocks sorted and distinct.
    fn from_sorted(names: Vec<Box<str>>, first: Vec<u32>, blocks: Vec<Block>) -> Self {
        let mut whole = Sha256::new();
        let mut bytes = Vec::new();
        for (index, name) in names.iter().enumerate() {
            bytes.clear();
            for block in &blocks[first[index] as usize..first[index + 1] as usize] {
                for number in [block.start.0, block.start.1, block.end.0, block.end.1, block.statements] {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
            }
            whole.update((name.len() as u64).to_le_bytes());
            whole.update(name.as_bytes());
            whole.update(Sha256::digest(&bytes));
        }
        Self::known(names, first, blocks, Fingerprint(whole.finalize().into()))
    }

    /// Does what [`Self::from_sorted`] does, with a known fingerprint.
    fn known(names: Vec<Box<str>>, first: Vec<u32>, blocks: Vec<Block>, fingerprint: Fingerprint) -> Self {
        debug_assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "files out of order");
        debug_assert_eq!(first.len(), names.len() + 1, "a file without its blocks");
        Self { names, first, blocks, fingerprint }
    }

    /// Returns the structure without files, which is that of a profile with only a mode line.
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
        BuildFile { name: &self.names[index], blocks: &self.blocks[range.0..range.1], range }
    }

    /// Returns the file called `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<BuildFile<'_>> {
        self.index_of(name).map(|index| self.file(index))
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.names.binary_search_by(|own| (**own).cmp(name)).ok()
    }

    /// Returns the relation of the files of two builds.
    #[must_use]
    pub(crate) fn relation(&self, other: &Self) -> BuildRelation {
        if self.fingerprint == other.fingerprint {
            return BuildRelation::SharesFiles;
        }
        let (few, many) = if self.names.len() < other.names.len() { (self, other) } else { (other, self) };
        let mut relation = BuildRelation::Disjoint;
        for file in few.files() {
            match many.find(file.name) {
                Some(twin) if twin.blocks == file.blocks => relation = BuildRelation::SharesFiles,
                Some(_) => return BuildRelation::Conflicts { file: file.name.to_owned() },
                None => {}
            }
        }
        relation
    }

    /// Tells whether two builds can be of one module, judged by their import paths alone.
    ///
    /// An import path with a dot in its first segment has its repository in the first three segments
    /// (`github.com/org/repo`), or in as many as its shallowest package has. Any other import path has it in the first
    /// segment. An agent's answer does not name the module, so this is the best guess.
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

/// The relation of the files of two builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BuildRelation {
    /// A file of both has different blocks.
    Conflicts {
        /// The first such file.
        file: String,
    },
    /// At least one file is in both builds, and all common files have the same blocks.
    SharesFiles,
    /// No file is in both.
    Disjoint,
}

/// A coverage profile: a structure, and one counter for each of its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The counter mode.
    pub mode: Mode,
    /// The block structure.
    pub build: Arc<Build>,
    /// One counter for each block, in order of the blocks.
    pub counts: Vec<u64>,
}

impl Profile {
    /// Returns the executed statements and all statements. Each block counts once.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        coverage(&self.build, &self.counts)
    }
}

/// Returns the statements of `build` with a counter above 0, and all statements.
#[must_use]
pub(crate) fn coverage(build: &Build, counts: &[u64]) -> Coverage {
    let mut sum = Coverage { covered: 0, total: 0 };
    for (block, &count) in build.blocks.iter().zip(counts) {
        let statements = u64::from(block.statements);
        sum.total += statements;
        sum.covered += if count > 0 { statements } else { 0 };
    }
    sum
}

/// Returns the fraction of executed blocks, in the exact form of an agent.
#[must_use]
pub(crate) fn hit_fraction(counts: &[u64]) -> String {
    let hit = counts.iter().filter(|&&count| count > 0).count();
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^32 blocks")]
    let fraction = hit as f64 / counts.len().max(1) as f64;
    format!("{fraction:.6}")
}

/// Returns a digest of the set of executed blocks of `build`.
#[must_use]
pub(crate) fn covered_digest(build: &Build, counts: &[u64]) -> Fingerprint {
    let mut bits = vec![0_u8; counts.len().div_ceil(8)];
    for (index, _) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
        bits[index / 8] |= 1 << (index % 8);
    }
    let mut digest = Sha256::new();
    digest.update(build.fingerprint.0);
    digest.update(&bits);
    Fingerprint(digest.finalize().into())
}

/// Returns a digest of a whole profile. Equal digests mean equal canonical bytes.
#[must_use]
pub(crate) fn counts_digest(profile: &Profile) -> Fingerprint {
    let mut digest = Sha256::new();
    digest.update(profile.build.fingerprint.0);
    digest.update(profile.mode.as_str());
    digest.update(encode_counts(&profile.counts));
    Fingerprint(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    macro_rules! recorded {
        ($name:literal) => {
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wire/", $name))
        };
    }

    pub(super) const AGENT1: &[u8] = recorded!("agent1-profile.cov");
    pub(super) const AGENT2: &[u8] = recorded!("agent2-profile.cov");
    pub(super) const SET: &[u8] = recorded!("agent-mode-set-profile.cov");
    pub(super) const ATOMIC: &[u8] = recorded!("agent-mode-atomic-profile.cov");
    pub(super) const KILLED: &[u8] = recorded!("agent-killed-mid-response.raw");
    pub(super) const TERMINATED: &[u8] = recorded!("agent-sigterm-mid-response.raw");

    /// The seed of the first round of a test with damaged data.
    pub(super) const FUZZ_SEED: u64 = 0x676f_6377_6174_6368;

    #[expect(
        clippy::disallowed_methods,
        reason = "a nightly run asks for more rounds than a commit can wait for"
    )]
    pub(super) fn fuzz_rounds() -> u64 {
        std::env::var("GOC_WATCHDOG_FUZZ_ROUNDS").map_or(4000, |rounds| rounds.parse().unwrap())
    }

    /// Returns the body of a recorded HTTP answer, as far as its chunks go.
    pub(super) fn body(answer: &[u8]) -> Vec<u8> {
        let end_of_line = |text: &[u8]| text.windows(2).position(|pair| pair == b"\r\n");
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let mut rest = &answer[head + 4..];
        let mut body = Vec::new();
        while let Some(end) = end_of_line(rest) {
            let size = str::from_utf8(&rest[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            rest = &rest[end + 2..];
            body.extend_from_slice(&rest[..size.min(rest.len())]);
            rest = rest.get(size + 2..).unwrap_or_default();
        }
        body
    }

    /// Files and their lines, in order of arrival.
    pub(super) type Rows = Vec<(String, Vec<(Block, u64)>)>;

    pub(super) fn profile(text: impl AsRef<[u8]>) -> Profile {
        parse(text.as_ref(), Limits::default()).unwrap()
    }

    pub(super) fn canonical(profile: &Profile) -> String {
        let mut text = Vec::new();
        write(profile.mode, &profile.build, &profile.counts, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    pub(super) fn line(file: &str, block: Block, count: impl fmt::Display) -> String {
        let Block { start, end, statements } = block;
        format!("{file}:{}.{},{}.{} {statements} {count}\n", start.0, start.1, end.0, end.1)
    }

    pub(super) fn text(mode: Mode, rows: &[(String, Vec<(Block, u64)>)]) -> String {
        let mut text = format!("mode: {mode}\n");
        for (file, lines) in rows {
            text.extend(lines.iter().map(|&(block, count)| line(file, block, count)));
        }
        text
    }

    pub(super) fn modes() -> impl Strategy<Value = Mode> {
        prop::sample::select(vec![Mode::Set, Mode::Count, Mode::Atomic])
    }

    pub(super) fn counts() -> impl Strategy<Value = u64> {
        prop_oneof![4 => Just(0), 4 => 1..9_u64, 1 => 0..=MAX_COUNT]
    }

    /// Profiles in any order, including names and numbers that only a hostile agent sends.
    pub(super) fn rows() -> impl Strategy<Value = Rows> {
        let number = || prop_oneof![8 => 0..30_u32, 1 => any::<u32>()];
        let place = ((number(), number()), (number(), number()));
        let lines = prop::collection::btree_map(place, (0..5_u32, counts()), 1..8).prop_map(|lines| {
            let row = |((start, end), (statements, count))| (Block { start, end, statements }, count);
            lines.into_iter().map(row).collect::<Vec<_>>()
        });
        let name = prop_oneof![3 => "[a-c:, /.]{1,4}", 1 => "[^\n]{1,9}"];
        prop::collection::btree_map(name, lines.prop_shuffle(), 0..5)
            .prop_map(|files: BTreeMap<_, _>| files.into_iter().collect::<Vec<_>>())
            .prop_shuffle()
    }

    #[test]
    fn recorded_agents_have_the_coverage_they_said() {
        let said = [AGENT1, AGENT2, SET, ATOMIC].map(|text| {
            let profile = profile(text);
            (profile.mode, profile.coverage(), hit_fraction(&profile.counts))
        });
        let of = |covered| Coverage { covered, total: 86 };
        assert_eq!(
            said,
            [
                (Mode::Count, of(53), "0.564516".to_owned()),
                (Mode::Count, of(38), "0.387097".to_owned()),
                (Mode::Set, of(25), "0.209677".to_owned()),
                (Mode::Atomic, of(25), "0.209677".to_owned()),
            ]
        );
    }

    #[test]
    fn a_profile_and_the_fraction_answered_a_second_later_agree() {
        let fraction = recorded!("agent1-coverage.http");
        let profile = profile(body(recorded!("agent1-profile.http")));
        assert!(fraction.ends_with(format!("\r\n\r\n{}", hit_fraction(&profile.counts)).as_bytes()));
    }

    #[test]
    fn without_blocks_the_fraction_is_zero_as_a_number() {
        assert_eq!(hit_fraction(&[]), "0.000000");
        assert_eq!(hit_fraction(&[0, u64::MAX, 1]), "0.666667");
    }

    #[test]
    fn coverage_counts_statements_and_each_block_once() {
        let profile = profile("mode: count\na.go:1.1,2.2 3 9\na.go:3.1,4.2 4 0\na.go:5.1,5.1 0 7\n");
        assert_eq!(profile.coverage(), Coverage { covered: 3, total: 7 });
    }

    #[test]
    fn replicas_of_one_build_share_its_fingerprint_whatever_their_mode() {
        let shown = [AGENT1, AGENT2, SET, ATOMIC].map(|text| profile(text).build.fingerprint());
        assert_eq!(shown, [shown[0]; 4]);
    }

    #[test]
    fn a_fingerprint_differs_with_any_name_or_number() {
        let builds = [
            "a.go:1.2,3.4 5 0\n",
            "b.go:1.2,3.4 5 0\n",
            "a.go:9.2,3.4 5 0\n",
            "a.go:1.9,3.4 5 0\n",
            "a.go:1.2,9.4 5 0\n",
            "a.go:1.2,3.9 5 0\n",
            "a.go:1.2,3.4 9 0\n",
            "a.go:1.2,3.4 5 0\na.go:6.1,7.1 1 0\n",
            "a.go:1.2,3.4 5 0\nb.go:1.2,3.4 5 0\n",
            "",
        ]
        .map(|lines| profile(format!("mode: count\n{lines}")).build.fingerprint());
        let distinct: std::collections::BTreeSet<_> = builds.iter().collect();
        assert_eq!(distinct.len(), builds.len());
        assert_eq!(Build::empty().fingerprint(), builds[9]);
    }

    #[test]
    fn a_fingerprint_is_shown_by_its_first_twelve_digits_and_restored_from_all_bytes() {
        let bytes: Vec<u8> = (1..=32).collect();
        let fingerprint = Fingerprint::from_bytes(&bytes).unwrap();
        assert_eq!(fingerprint.short(), "010203040506");
        assert_eq!(fingerprint.as_bytes()[..], bytes);
        assert_eq!(Fingerprint::from_bytes(&bytes[1..]), None);
    }

    fn build(files: &[&str]) -> Arc<Build> {
        let block = Block { start: (1, 1), end: (2, 2), statements: 1 };
        let rows: Rows = files.iter().map(|&file| (file.to_owned(), vec![(block, 0)])).collect();
        profile(text(Mode::Count, &rows)).build
    }

    #[test]
    fn the_relation_of_two_builds_is_the_same_from_both_sides() {
        let one = build(&["a.go", "c.go"]);
        let other = profile("mode: set\na.go:1.1,2.2 1 0\nc.go:1.1,2.2 2 0\nd.go:1.1,2.2 2 0\n").build;
        for (a, b, expected) in [
            (&one, &one, BuildRelation::SharesFiles),
            (&one, &build(&["a.go", "b.go"]), BuildRelation::SharesFiles),
            (&one, &build(&["b.go"]), BuildRelation::Disjoint),
            (&one, &build(&[]), BuildRelation::Disjoint),
            (&one, &other, BuildRelation::Conflicts { file: "c.go".to_owned() }),
        ] {
            assert_eq!((a.relation(b), b.relation(a)), (expected.clone(), expected));
        }
    }

    #[test]
    fn a_module_is_told_by_three_segments_of_a_hosted_path_and_by_one_of_another() {
        let share = |a: &str, b: &str| build(&[a]).may_share_module(&build(&[b]));
        assert!(share("github.com/o/m/server/s.go", "github.com/o/m/worker/w.go"));
        assert!(!share("github.com/o/m/s.go", "github.com/o/n/s.go"));
        assert!(share("go.uber.org/zap/z.go", "go.uber.org/zap/buffer/b.go"));
        assert!(!share("go.uber.org/zap/z.go", "go.uber.org/fx/f.go"));
        assert!(share("echo/server/s.go", "echo/worker/w.go"));
        assert!(!share("echo/main.go", "other/main.go"));
        assert!(share("main.go", "other.go"));
    }

    #[test]
    fn the_covered_digest_tells_which_blocks_were_hit_and_not_how_often() {
        let build = build(&["a.go", "b.go"]);
        let digest = |counts: [u64; 2]| covered_digest(&build, &counts);
        assert_eq!(digest([1, 0]), digest([u64::MAX, 0]));
        assert_ne!(digest([1, 0]), digest([0, 1]));
        assert_ne!(digest([1, 0]), covered_digest(&self::build(&["a.go", "c.go"]), &[1, 0]));
    }

    proptest! {
        #[test]
        fn digests_of_profiles_are_equal_where_their_bytes_are(
            rows in rows(), first in modes(), second in modes(), count in counts(),
        ) {
            let one = profile(text(first, &rows));
            let mut other = profile(text(second, &rows));
            if let Some(last) = other.counts.last_mut() {
                *last = count;
            }
            let same = canonical(&one) == canonical(&other);
            prop_assert_eq!(counts_digest(&one) == counts_digest(&other), same);
        }
    }
}
