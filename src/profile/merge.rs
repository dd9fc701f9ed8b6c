//! The sum of the counters of processes: `set` is or-ed, `count` and `atomic` are added.

use std::sync::Arc;

use super::codec::{CodecError, add_counts, decode_counts};
use super::{Build, BuildFile, BuildRelation, MAX_COUNT, Mode, Profile};

/// The error for two builds of which a common file has different blocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{file}\" has different blocks in the two builds")]
pub struct BuildConflict {
    /// The first such file.
    pub file: String,
}

/// The error for stored counters that cannot be added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoredSumError {
    #[error(transparent)]
    Conflict(#[from] BuildConflict),
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Returns the mode of the sum of two modes: `set` with any mode is `set`, `count` with `atomic` is `count`.
#[must_use]
pub(crate) fn mix(a: Mode, b: Mode) -> Mode {
    a.min(b)
}

/// A sum over processes, which are added one by one. It has one counter for each block, independent of their number.
#[derive(Clone, Debug)]
pub struct ProfileSum {
    build: Arc<Build>,
    mode: Option<Mode>,
    /// `None` until a process is added, since the structure alone decides many pulls.
    counts: Option<Vec<u64>>,
}

impl ProfileSum {
    /// Starts a sum over `build`; files that only a later process has are taken in when it is added.
    #[must_use]
    pub fn new(build: Arc<Build>) -> Self {
        Self { build, mode: None, counts: None }
    }

    /// Returns the structure of all added processes.
    #[must_use]
    pub fn build(&self) -> &Arc<Build> {
        &self.build
    }

    /// Adds one process. The order in which processes are added does not matter.
    ///
    /// Counts saturate at [`MAX_COUNT`]. Nothing is added when the builds conflict.
    pub fn add(&mut self, mode: Mode, build: &Arc<Build>, counts: &[u64]) -> Result<(), BuildConflict> {
        assert_eq!(build.blocks().len(), counts.len(), "a counter for each block");
        if !self.has_build(build) {
            self.take_in(build)?;
        }
        self.mix_in(mode);
        if self.has_build(build) {
            add_all(self.counts_mut(), counts);
            return Ok(());
        }
        for file in build.files() {
            let own = self.build.find(file.name).expect("taken in above").range;
            add_all(&mut self.counts_mut()[own.0..own.1], &counts[file.range.0..file.range.1]);
        }
        Ok(())
    }

    fn counts_mut(&mut self) -> &mut [u64] {
        self.counts.get_or_insert_with(|| vec![0; self.build.blocks().len()])
    }

    fn has_build(&self, build: &Arc<Build>) -> bool {
        Arc::ptr_eq(&self.build, build) || self.build.fingerprint() == build.fingerprint()
    }

    fn mix_in(&mut self, mode: Mode) {
        self.mode = Some(self.mode.map_or(mode, |own| mix(own, mode)));
    }

    /// Adds one process with counters as they are stored. The sum is of no use after an error.
    pub(crate) fn add_encoded(
        &mut self,
        mode: Mode,
        build: &Arc<Build>,
        counts: &[u8],
    ) -> Result<(), StoredSumError> {
        if self.has_build(build) {
            add_counts(counts, self.counts_mut())?;
            self.mix_in(mode);
            return Ok(());
        }
        let counts = decode_counts(counts, build.blocks().len())?;
        Ok(self.add(mode, build, &counts)?)
    }

    /// Adds a sum that was grown elsewhere.
    pub fn add_merged(&mut self, other: &Self) -> Result<(), BuildConflict> {
        match other.mode.zip(other.counts.as_ref()) {
            Some((mode, counts)) => self.add(mode, &other.build, counts),
            None => Ok(()),
        }
    }

    /// Returns the sum as a profile.
    #[must_use]
    pub fn into_profile(mut self) -> Profile {
        let mode = self.mode.unwrap_or(Mode::Count);
        if mode == Mode::Set {
            cap_at_one(self.counts_mut());
        }
        let Self { build, counts, .. } = self;
        let counts = counts.unwrap_or_else(|| vec![0; build.blocks().len()]);
        Profile { mode, build, counts }
    }

    /// Removes the files for which `keep` is false, with their counts.
    pub fn retain_files(&mut self, keep: impl Fn(&str) -> bool) {
        let kept: Vec<_> = self.build.files().filter(|file| keep(file.name)).collect();
        if kept.len() == self.build.file_count() {
            return;
        }
        let build = Build::from_files(&kept);
        if let Some(counts) = &mut self.counts {
            *counts = kept.iter().flat_map(|file| &counts[file.range.0..file.range.1]).copied().collect();
        }
        self.build = Arc::new(build);
    }

    /// Widens the structure by the files of `build` that it lacks, without any count.
    pub fn take_in(&mut self, build: &Build) -> Result<(), BuildConflict> {
        if self.build.fingerprint() == build.fingerprint() {
            return Ok(());
        }
        if let BuildRelation::Conflicts { file } = self.build.relation(build) {
            return Err(BuildConflict { file });
        }
        if build.files().all(|file| self.build.find(file.name).is_some()) {
            return Ok(());
        }
        let union = self.build.union(build);
        if let Some(counts) = &mut self.counts {
            let mut widened = vec![0; union.blocks().len()];
            for file in self.build.files() {
                let new = union.find(file.name).expect("a union has all files").range;
                widened[new.0..new.1].copy_from_slice(&counts[file.range.0..file.range.1]);
            }
            *counts = widened;
        }
        self.build = Arc::new(union);
        Ok(())
    }
}

impl Build {
    /// Returns the files of both builds; a common file comes from this build.
    pub(super) fn union(&self, other: &Self) -> Self {
        let mut files: Vec<_> = self.files().collect();
        files.extend(other.files().filter(|file| self.find(file.name).is_none()));
        files.sort_unstable_by_key(|file| file.name);
        Self::from_files(&files)
    }

    /// Creates a structure from these files, which are sorted by name.
    pub(super) fn from_files(files: &[BuildFile<'_>]) -> Self {
        let mut first = vec![0];
        let mut blocks = Vec::new();
        for file in files {
            blocks.extend_from_slice(file.blocks);
            first.push(u32::try_from(blocks.len()).expect("fewer than 2^32 blocks"));
        }
        Self::from_sorted(files.iter().map(|file| file.name.into()).collect(), first, blocks)
    }
}

/// Makes counts those of the mode `set`, which are one or zero.
pub(super) fn cap_at_one(counts: &mut [u64]) {
    for count in counts {
        *count = (*count).min(1);
    }
}

/// Adds counts to sums, which saturate at [`MAX_COUNT`]. Most counts of a large program are zero, so they are passed over
/// several at a time.
pub(crate) fn add_all(sums: &mut [u64], counts: &[u64]) {
    for (sums, counts) in sums.chunks_mut(8).zip(counts.chunks(8)) {
        if counts.iter().fold(0, |all, count| all | count) == 0 {
            continue;
        }
        for (sum, &count) in sums.iter_mut().zip(counts) {
            *sum = sum.saturating_add(count).min(MAX_COUNT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::profile::Block;
    use crate::profile::tests::{AGENT1, AGENT2, SET, canonical, counts, modes, profile, rows, text};

    fn sum<'a>(processes: impl IntoIterator<Item = &'a Profile>) -> ProfileSum {
        let mut sum = ProfileSum::new(Arc::new(Build::empty()));
        for Profile { mode, build, counts } in processes {
            sum.add(*mode, build, counts).unwrap();
        }
        sum
    }

    fn merged(texts: &[&str]) -> String {
        let processes: Vec<Profile> = texts.iter().map(profile).collect();
        canonical(&sum(&processes).into_profile())
    }

    #[test]
    fn count_and_atomic_add() {
        for mode in ["count", "atomic"] {
            let one = format!("mode: {mode}\na.go:1.1,2.2 1 2\na.go:3.1,4.2 1 0\n");
            let other = format!("mode: {mode}\na.go:1.1,2.2 1 40\na.go:3.1,4.2 1 1\n");
            let both = format!("mode: {mode}\na.go:1.1,2.2 1 42\na.go:3.1,4.2 1 1\n");
            assert_eq!(merged(&[&one, &other]), both);
        }
    }

    #[test]
    fn set_ors() {
        let one = "mode: set\na.go:1.1,2.2 1 1\na.go:3.1,4.2 1 1\na.go:5.1,6.2 1 0\n";
        let other = "mode: set\na.go:1.1,2.2 1 1\na.go:3.1,4.2 1 0\na.go:5.1,6.2 1 0\n";
        assert_eq!(merged(&[one, other]), one);
    }

    #[test]
    fn mixed_modes_merge_to_the_one_that_says_less() {
        use Mode::{Atomic, Count, Set};
        let mixed = [(Atomic, Count), (Count, Atomic), (Set, Count), (Atomic, Set), (Atomic, Atomic)]
            .map(|(a, b)| mix(a, b));
        assert_eq!(mixed, [Count, Count, Set, Set, Atomic]);
    }

    #[test]
    fn counts_merged_into_a_set_are_one_or_zero() {
        let counted = "mode: count\na.go:1.1,2.2 1 7\na.go:3.1,4.2 1 0\n";
        let set = "mode: set\na.go:1.1,2.2 1 1\na.go:3.1,4.2 1 0\n";
        assert_eq!(merged(&[counted, set]), set);
    }

    #[test]
    fn counts_saturate_at_what_go_reads() {
        let most = "mode: count\na.go:1.1,2.2 1 9223372036854775807\n";
        assert_eq!(merged(&[most, "mode: count\na.go:1.1,2.2 1 1\n"]), most);
        let mut sum = sum([&profile(most)]);
        let build = Arc::clone(sum.build());
        sum.add(Mode::Count, &build, &[u64::MAX]).unwrap();
        assert_eq!(canonical(&sum.into_profile()), most);
    }

    #[test]
    fn a_server_and_a_worker_keep_their_own_files_and_share_the_common_one() {
        let server = "mode: count\nlib.go:1.1,2.2 1 1\nserver.go:1.1,2.2 1 3\n";
        let worker = "mode: count\na-worker.go:1.1,2.2 1 5\nlib.go:1.1,2.2 1 1\n";
        let both = "mode: count\na-worker.go:1.1,2.2 1 5\nlib.go:1.1,2.2 1 2\nserver.go:1.1,2.2 1 3\n";
        assert_eq!(merged(&[server, worker]), both);
        assert_eq!(
            merged(&[both, worker, server]),
            both.replace("5\n", "10\n").replace("2\ns", "4\ns").replace("3\n", "6\n")
        );
    }

    #[test]
    fn files_that_are_left_out_take_their_counts_along_and_leave_the_others() {
        let all =
            profile("mode: count\na.go:1.1,2.2 1 1\nb.go:1.1,2.2 1 2\nb.go:3.1,4.2 1 3\nc.go:1.1,2.2 1 4\n");
        let mut left = sum([&all]);
        left.retain_files(|name| name != "b.go");
        let expected = "mode: count\na.go:1.1,2.2 1 1\nc.go:1.1,2.2 1 4\n";
        assert_eq!(canonical(&left.clone().into_profile()), expected);
        assert_eq!(*left.build(), profile(expected).build);
        left.retain_files(|_| true);
        assert_eq!(canonical(&left.into_profile()), expected);
    }

    #[test]
    fn builds_without_a_common_file_stand_side_by_side() {
        let one = "mode: count\nb.go:1.1,2.2 1 1\n";
        let other = "mode: count\na.go:1.1,2.2 1 2\nc.go:1.1,2.2 1 0\n";
        assert_eq!(
            merged(&[one, other]),
            "mode: count\na.go:1.1,2.2 1 2\nb.go:1.1,2.2 1 1\nc.go:1.1,2.2 1 0\n"
        );
    }

    #[test]
    fn recorded_replicas_add_block_by_block() {
        let whole = sum(&[profile(AGENT1), profile(AGENT2)]).into_profile();
        let expected: Vec<u64> =
            profile(AGENT1).counts.iter().zip(&profile(AGENT2).counts).map(|(a, b)| a + b).collect();
        assert_eq!(whole, Profile { counts: expected, ..profile(AGENT1) });
        let with_set = sum(&[profile(AGENT1), profile(SET)]).into_profile();
        assert_eq!((with_set.mode, with_set.counts.iter().max()), (Mode::Set, Some(&1)));
    }

    #[test]
    fn a_conflict_names_the_file_and_changes_nothing() {
        let own = profile("mode: count\na.go:1.1,2.2 1 1\nb.go:1.1,2.2 1 1\n");
        let other = profile("mode: set\na.go:1.1,2.2 1 1\nb.go:1.1,2.2 2 1\nc.go:1.1,2.2 1 1\n");
        let mut sum = sum([&own]);
        let conflict = sum.add(other.mode, &other.build, &other.counts).unwrap_err();
        assert_eq!(conflict.to_string(), "\"b.go\" has different blocks in the two builds");
        assert_eq!(sum.add_merged(&self::sum([&other])), Err(conflict.clone()));
        assert_eq!(sum.take_in(&other.build), Err(conflict));
        assert_eq!(sum.into_profile(), own);
    }

    #[test]
    fn taking_in_a_build_adds_its_files_without_a_count_or_a_mode() {
        let mut sum = ProfileSum::new(profile("mode: set\nb.go:1.1,2.2 1 1\n").build);
        sum.take_in(&profile("mode: set\na.go:1.1,2.2 1 1\n").build).unwrap();
        assert_eq!(canonical(&sum.into_profile()), "mode: count\na.go:1.1,2.2 1 0\nb.go:1.1,2.2 1 0\n");
    }

    /// Processes of one module: each runs some of its files.
    fn processes() -> impl Strategy<Value = Vec<Profile>> {
        let process = |files: usize| (modes(), prop::collection::vec(any::<bool>(), files));
        (rows(), prop::collection::vec(process(5), 0..6), prop::collection::vec(counts(), 240)).prop_map(
            |(rows, processes, counts)| {
                let mut next = counts.into_iter().cycle();
                let mut run = |(mode, chosen): (Mode, Vec<bool>)| {
                    let mut own = rows.clone();
                    let mut chosen = chosen.into_iter();
                    own.retain(|_| chosen.next() == Some(true));
                    for (_, count) in own.iter_mut().flat_map(|(_, lines)| lines) {
                        *count = next.next().expect("endless");
                    }
                    profile(text(mode, &own))
                };
                processes.into_iter().map(&mut run).collect()
            },
        )
    }

    fn by_block(profile: &Profile) -> impl Iterator<Item = ((String, Block), u64)> {
        let files = profile.build.files();
        let places =
            files.flat_map(|file| file.blocks.iter().map(move |&block| (file.name.to_owned(), block)));
        places.zip(profile.counts.iter().copied())
    }

    fn covered(profile: &Profile) -> BTreeSet<(String, Block)> {
        by_block(profile).filter(|&(_, count)| count > 0).map(|(place, _)| place).collect()
    }

    proptest! {
        #[test]
        fn the_order_of_processes_does_not_matter(
            (processes, shuffled) in processes()
                .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        ) {
            prop_assert_eq!(sum(&shuffled).into_profile(), sum(&processes).into_profile());
        }

        #[test]
        fn each_block_has_the_sum_of_its_counts(processes in processes()) {
            let mut expected: BTreeMap<(String, Block), u64> = BTreeMap::new();
            for (place, count) in processes.iter().flat_map(by_block) {
                let sum = expected.entry(place).or_default();
                *sum = (*sum + count).min(MAX_COUNT);
            }
            if processes.iter().any(|process| process.mode == Mode::Set) {
                for count in expected.values_mut() {
                    *count = (*count).min(1);
                }
            }
            prop_assert_eq!(by_block(&sum(&processes).into_profile()).collect::<BTreeMap<_, _>>(), expected);
        }

        #[test]
        fn what_is_covered_stays_covered_when_a_process_is_added(processes in processes()) {
            let mut before = BTreeSet::new();
            for end in 0..=processes.len() {
                let after = covered(&sum(&processes[..end]).into_profile());
                prop_assert!(after.is_superset(&before), "{before:?} {after:?}");
                before = after;
            }
        }

        #[test]
        fn adding_a_sum_is_adding_its_processes(
            processes in processes(), cut in any::<prop::sample::Index>(),
        ) {
            let (one, other) = processes.split_at(cut.index(processes.len() + 1));
            let mut whole = sum(one);
            whole.add_merged(&sum(other)).unwrap();
            prop_assert_eq!(whole.into_profile(), sum(&processes).into_profile());
        }
    }
}
