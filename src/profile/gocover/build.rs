//! The canonical build of a meta, and where its counters go.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::{Block, Build, Hit, HitCounts, Mode, Profile};
use super::counters::CounterFile;
use super::error::DataError;
use super::header::MetaHash;
use super::meta::Meta;
use super::shape::MetaShape;

/// A build with the place of every block of its meta, so that counters are put in order without being sorted again.
///
/// Holds all that counter files of the meta need to be read; the [`Meta`] itself can go.
#[derive(Clone)]
pub struct MetaBuild {
    hash: MetaHash,
    mode: Mode,
    build: Arc<Build>,
    shape: MetaShape,
    /// The place in the build of each block of the meta.
    place: Vec<u32>,
    /// Blocks of the meta that share a place in the build, sorted.
    shared: Vec<SharedPlace>,
}

/// A block that stands in the meta more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SharedPlace {
    /// Index among the blocks of the build.
    place: u32,
    /// Number of the function by import path, name and kind: blocks of one are one line of Go's text profile.
    function: u32,
    /// Index among the blocks of the meta.
    block: u32,
}

impl std::fmt::Debug for MetaBuild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MetaBuild({}, {}, {:?})", self.hash, self.mode, self.build)
    }
}

impl MetaBuild {
    /// Sorts the blocks of a meta into the order of a build.
    #[must_use]
    pub fn from_meta(meta: &Meta) -> Self {
        let files = SortedFiles::new(meta);
        let blocks = meta.blocks();
        let mut place = vec![0; blocks.len()];
        let mut sorted: Vec<Block> = Vec::with_capacity(blocks.len());
        let mut first = Vec::with_capacity(files.names.len() + 1);
        first.push(0);
        let mut twins = Vec::new();
        let mut order = files.order;
        let mut rest = &mut order[..];
        for count in files.counts {
            let (of_file, others) = rest.split_at_mut(count);
            rest = others;
            of_file.sort_by_key(|&block| blocks[block as usize]);
            let base = sorted.len();
            for (at, &block) in of_file.iter().enumerate() {
                let own = blocks[block as usize];
                if sorted[base..].last() == Some(&own) {
                    twins.push([of_file[at - 1], block]);
                } else {
                    sorted.push(own);
                }
                place[block as usize] = as_u32(sorted.len() - 1);
            }
            first.push(as_u32(sorted.len()));
        }
        sorted.shrink_to_fit();
        let shared = shared_places(meta, &place, twins.into_flattened());
        let build = Arc::new(Build::from_sorted(files.names, first, sorted));
        Self { hash: meta.hash(), mode: meta.mode(), build, shape: meta.shape().clone(), place, shared }
    }

    /// Returns the hash that counters of this build name.
    #[must_use]
    pub fn hash(&self) -> MetaHash {
        self.hash
    }

    /// Returns how the program counts.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the build.
    #[must_use]
    pub fn build(&self) -> &Arc<Build> {
        &self.build
    }

    /// Returns about how many bytes it holds beside the names of files.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        size_of_val(self.build.blocks()) + size_of_val(&*self.place) + self.shape.heap_bytes()
    }

    /// Returns for each block of the meta its place in the build.
    #[must_use]
    pub fn place(&self) -> &[u32] {
        &self.place
    }

    /// Writes the counts of a file over `counts`, in the order of the build; they are of no use after an error. Returns
    /// how many counters of the file are above zero, as [`CounterFile::hits`] does.
    ///
    /// The counts are those of the text profile that `go tool covdata textfmt` makes of this file alone.
    pub fn counts_into(&self, file: &CounterFile<'_>, counts: &mut Vec<u64>) -> Result<u64, DataError> {
        if !self.shared.is_empty() {
            let mut by_meta = Vec::new();
            let hits = file.counts_into(&self.shape, self.mode, &mut by_meta)?;
            self.place_into(&by_meta, counts);
            return Ok(hits);
        }
        counts.clear();
        counts.resize(self.build.blocks().len(), 0);
        let most = u64::from(if self.mode == Mode::Set { 1 } else { u32::MAX });
        file.each(&self.shape, |block, count| {
            let sum = &mut counts[self.place[block] as usize];
            *sum = (*sum + u64::from(count)).min(most);
        })
    }

    /// Returns the counters of a file that are above zero, with [`CounterFile::hits`]; they are those of
    /// [`Self::counts_into`]. `None` where a block stands in the meta more than once, or more counters in the file than
    /// the build has blocks.
    pub(crate) fn hit_counts(
        &self,
        file: &CounterFile<'_>,
        mut buffer: Vec<Hit>,
    ) -> Result<Option<(HitCounts, u64)>, DataError> {
        if !self.shared.is_empty() {
            return Ok(None);
        }
        let blocks = self.build.blocks().len();
        // The next counter is written over a zero, also behind the last block. What is in the buffer need not be cleared.
        buffer.resize(buffer.len().max(blocks + 1), (0, 0));
        let most = if self.mode == Mode::Set { 1 } else { u32::MAX };
        let (mut len, mut are_too_many) = (0, false);
        let hits = file.each(&self.shape, |block, count| match buffer.get_mut(len) {
            // A branch on zero would be mispredicted often, so each counter is written, and only the length depends
            // on it.
            Some(next) => {
                *next = (self.place[block], count.min(most));
                len += usize::from(count > 0);
            }
            None => are_too_many = true,
        })?;
        Ok((!are_too_many).then(|| (HitCounts::from_unsorted(blocks, buffer, len, most), hits)))
    }

    /// Puts counts that stand in the order of the meta into that of the build.
    #[must_use]
    pub fn profile(&self, by_meta: &[u32]) -> Profile {
        let mut counts = Vec::new();
        self.place_into(by_meta, &mut counts);
        Profile { mode: self.mode, build: Arc::clone(&self.build), counts }
    }

    fn place_into(&self, by_meta: &[u32], counts: &mut Vec<u64>) {
        assert_eq!(by_meta.len(), self.place.len(), "a counter for each block of the meta");
        let most = if self.mode == Mode::Set { 1 } else { u32::MAX };
        counts.clear();
        counts.resize(self.build.blocks().len(), 0);
        for (&place, &count) in self.place.iter().zip(by_meta) {
            counts[place as usize] = count.min(most).into();
        }
        for twins in self.shared.chunk_by(|a, b| a.place == b.place) {
            let functions = twins.chunk_by(|a, b| a.function == b.function);
            // Go adds within a function up to 2^32 - 1. A text profile then has a line for each function.
            let lines = functions.map(|blocks| {
                let counts = blocks.iter().map(|twin| by_meta[twin.block as usize]);
                u64::from(counts.fold(0_u32, u32::saturating_add).min(most))
            });
            let sum: u64 = lines.sum();
            counts[twins[0].place as usize] = if self.mode == Mode::Set { sum.min(1) } else { sum };
        }
    }
}

/// The files of a meta in order of their names, each with its blocks in the order of the meta.
struct SortedFiles {
    names: Vec<Box<str>>,
    /// Number of blocks of each file.
    counts: Vec<usize>,
    /// Blocks of the meta, file by file.
    order: Vec<u32>,
}

impl SortedFiles {
    fn new(meta: &Meta) -> Self {
        let mut numbers: Vec<u32> = Vec::new();
        let mut file_of = vec![u32::MAX; meta.string_count()];
        for (number, _) in meta.file_numbers() {
            if file_of[number as usize] == u32::MAX {
                file_of[number as usize] = 0;
                numbers.push(number);
            }
        }
        numbers.sort_by_key(|&number| meta.string(number));
        let mut names: Vec<Box<str>> = Vec::with_capacity(numbers.len());
        for number in numbers {
            let name = meta.string(number);
            if names.last().is_none_or(|last| **last != *name) {
                names.push(name.into());
            }
            file_of[number as usize] = as_u32(names.len() - 1);
        }
        let mut counts = vec![0; names.len()];
        for (number, blocks) in meta.file_numbers() {
            counts[file_of[number as usize] as usize] += blocks.len();
        }
        let mut end = 0;
        let mut next: Vec<usize> = Vec::with_capacity(counts.len());
        for count in &counts {
            next.push(end);
            end += count;
        }
        let mut order = vec![0; end];
        for (number, blocks) in meta.file_numbers() {
            let next = &mut next[file_of[number as usize] as usize];
            for block in blocks {
                order[*next] = as_u32(block);
                *next += 1;
            }
        }
        Self { names, counts, order }
    }
}

/// Says of the blocks that share a place which function each is of.
fn shared_places(meta: &Meta, place: &[u32], mut blocks: Vec<u32>) -> Vec<SharedPlace> {
    blocks.sort_unstable();
    blocks.dedup();
    let import_paths: Vec<&str> = meta.packages().map(|package| package.import_path).collect();
    let mut numbers = HashMap::new();
    let mut shared: Vec<SharedPlace> = blocks
        .into_iter()
        .map(|block| {
            let (package, function) = meta.shape().owner(block as usize);
            let function = meta.function(function);
            let count = as_u32(numbers.len());
            let key = (import_paths[package], function.name, function.is_literal);
            let function = *numbers.entry(key).or_insert(count);
            SharedPlace { place: place[block as usize], function, block }
        })
        .collect();
    shared.sort_unstable();
    shared
}

fn as_u32(number: usize) -> u32 {
    u32::try_from(number).expect("a meta has fewer than 2^32 blocks and strings")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::gocover::fixtures::{
        COUNT_COUNTERS, COUNT_META, ModelPackage, counter_bytes, meta_bytes, packages, programs,
    };
    use crate::profile::gocover::{MetaCounts, textfmt};
    use crate::profile::tests::{canonical, modes, profile};
    use crate::profile::{Limits, parse};

    fn meta(bytes: &[u8]) -> Meta {
        Meta::from_bytes(bytes, Limits::default()).unwrap()
    }

    fn block(line: u32) -> Block {
        Block { start: (line, 1), end: (line + 1, 2), statements: 1 }
    }

    fn function(name: &str, file: &str, lines: &[u32]) -> (String, String, Vec<Block>) {
        (name.to_owned(), file.to_owned(), lines.iter().map(|&line| block(line)).collect())
    }

    #[test]
    fn files_and_blocks_are_sorted_and_every_counter_keeps_its_block() {
        let packages = [
            ModelPackage::new("p/b", [function("F", "p/b/b.go", &[9, 1]), function("G", "p/b/a.go", &[5])]),
            ModelPackage::new("p/a", [function("F", "p/a/a.go", &[3]), function("G", "p/b/b.go", &[4])]),
        ];
        let meta = meta(&meta_bytes(Mode::Count, &packages));
        let build = MetaBuild::from_meta(&meta);
        assert_eq!(build.place(), [4, 2, 1, 0, 3]);
        assert_eq!(
            canonical(&build.profile(&[10, 20, 30, 40, 50])),
            "mode: count\n\
             p/a/a.go:3.1,4.2 1 40\n\
             p/b/a.go:5.1,6.2 1 30\n\
             p/b/b.go:1.1,2.2 1 20\n\
             p/b/b.go:4.1,5.2 1 50\n\
             p/b/b.go:9.1,10.2 1 10\n"
        );
    }

    #[test]
    fn a_block_of_several_functions_has_the_sum_of_their_counts() {
        let packages = [
            ModelPackage::new("p", [function("F", "p/a.go", &[1]), function("G", "p/a.go", &[1])]),
            // A function that is there twice is one for Go, and its counts stop at 2^32 - 1.
            ModelPackage::new("q", [function("F", "q/a.go", &[1]), function("F", "q/a.go", &[1])]),
        ];
        let counted = |mode, counts: &[u32]| {
            let build = MetaBuild::from_meta(&meta(&meta_bytes(mode, &packages)));
            build.profile(counts).counts
        };
        let most = u64::from(u32::MAX);
        assert_eq!(counted(Mode::Count, &[u32::MAX, 2, u32::MAX, 2]), [most + 2, most]);
        assert_eq!(counted(Mode::Atomic, &[1, 2, 3, 4]), [3, 7]);
        assert_eq!(counted(Mode::Set, &[1, 1, 0, 0]), [1, 0]);
    }

    #[test]
    fn a_recorded_program_is_the_build_of_its_text_profile() {
        let meta = meta(COUNT_META);
        let build = MetaBuild::from_meta(&meta);
        let file = CounterFile::from_bytes(COUNT_COUNTERS).unwrap();
        let mut program = MetaCounts::new(&meta);
        program.add(&file).unwrap();
        let text = profile(textfmt(&[program]).unwrap());
        assert_eq!(build.profile(&file.counts(&meta).unwrap()), text);
        assert_eq!(build.build().fingerprint(), text.build.fingerprint());
    }

    #[test]
    fn a_function_that_is_there_several_times_is_added_in_a_buffer_of_the_blocks() {
        let packages =
            [ModelPackage::new("p", [function("F", "p/a.go", &[1, 3]), function("G", "p/a.go", &[2])])];
        let build = MetaBuild::from_meta(&meta(&meta_bytes(Mode::Count, &packages)));
        let hits = |records: &[(usize, usize, Vec<u32>)]| {
            let bytes = counter_bytes(records, &[]);
            let file = CounterFile::from_bytes(&bytes).unwrap();
            build.hit_counts(&file, Vec::new()).unwrap().map(|(counts, hits)| (counts.counts(), hits))
        };
        let (f, g) = ((0, 0, vec![5, 0]), (0, 1, vec![7]));
        assert_eq!(hits(&[g.clone(), f.clone(), f.clone()]), Some((vec![10, 7, 0], 3)));
        assert_eq!(hits(&[f.clone(), f.clone(), f.clone(), f, g]), None);
    }

    #[test]
    fn counts_of_a_reused_buffer_are_those_of_the_last_file_alone() {
        let build = MetaBuild::from_meta(&meta(COUNT_META));
        let file = CounterFile::from_bytes(COUNT_COUNTERS).unwrap();
        let mut counts = vec![77; 3];
        build.counts_into(&file, &mut counts).unwrap();
        let first = counts.clone();
        build.counts_into(&file, &mut counts).unwrap();
        assert_eq!((counts.len(), counts), (58, first));
    }

    proptest! {
        #[test]
        fn a_build_and_its_counts_are_those_of_the_text_that_go_writes(
            mode in modes(), (packages, records) in programs(),
        ) {
            let meta = meta(&meta_bytes(mode, &packages));
            let bytes = counter_bytes(&records, &[]);
            let file = CounterFile::from_bytes(&bytes).unwrap();
            let mut program = MetaCounts::new(&meta);
            program.add(&file).unwrap();
            let text = parse(&textfmt(&[program]).unwrap(), Limits::default()).unwrap();
            let build = MetaBuild::from_meta(&meta);
            prop_assert_eq!(&build.profile(&file.counts(&meta).unwrap()), &text);
            let mut counts = vec![9; 5];
            prop_assert_eq!(build.counts_into(&file, &mut counts), file.hits());
            prop_assert_eq!(&counts, &text.counts);
            let buffer = vec![(7, 7); 3];
            if let Some((hit, hits)) = build.hit_counts(&file, buffer).unwrap() {
                prop_assert_eq!(hits, file.hits().unwrap());
                prop_assert_eq!(hit.counts(), counts);
            }
        }

        #[test]
        fn each_block_is_at_its_place(mode in modes(), packages in packages()) {
            let meta = meta(&meta_bytes(mode, &packages));
            let build = MetaBuild::from_meta(&meta);
            for (block, &place) in meta.blocks().iter().zip(build.place()) {
                prop_assert_eq!(block, &build.build().blocks()[place as usize]);
            }
        }
    }
}
