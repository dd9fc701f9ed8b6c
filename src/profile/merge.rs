//! Adding up the counters of processes: `set` ors, `count` and `atomic` add.

use std::sync::Arc;

use super::{Build, MAX_COUNT, Mode, Profile, Relation};

/// Two builds that cannot be merged: a file of both has different blocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{file}\" has different blocks in the two builds")]
pub struct Conflict {
    /// The first such file.
    pub file: String,
}

/// Returns the mode of what two modes merge to: anything with `set` is `set`, `count` with `atomic` is
/// `count`.
#[must_use]
pub fn mix(a: Mode, b: Mode) -> Mode {
    a.min(b)
}

/// A sum over processes, grown one at a time; it holds one counter a block, however many are added.
#[derive(Clone, Debug)]
pub struct Merged {
    build: Arc<Build>,
    mode: Option<Mode>,
    counts: Vec<u64>,
}

impl Merged {
    /// Starts a sum over `build`; files that only a later process has are taken in when it is added.
    #[must_use]
    pub fn new(build: Arc<Build>) -> Self {
        let counts = vec![0; build.blocks().len()];
        Self { build, mode: None, counts }
    }

    /// Returns the structure of all that was added.
    #[must_use]
    pub fn build(&self) -> &Arc<Build> {
        &self.build
    }

    /// Adds one process. The order in which processes are added does not matter.
    ///
    /// Counts saturate at [`MAX_COUNT`]. Nothing is added when the builds conflict.
    pub fn add(&mut self, mode: Mode, build: &Arc<Build>, counts: &[u64]) -> Result<(), Conflict> {
        assert_eq!(build.blocks().len(), counts.len(), "a counter for each block");
        if !Arc::ptr_eq(&self.build, build) && self.build.fingerprint() != build.fingerprint() {
            self.take_in(build)?;
        }
        self.mode = Some(self.mode.map_or(mode, |own| mix(own, mode)));
        if self.build.fingerprint() == build.fingerprint() {
            add_all(&mut self.counts, counts);
            return Ok(());
        }
        for file in build.files() {
            let own = self.build.find(file.name).expect("taken in above").range;
            add_all(&mut self.counts[own.0..own.1], &counts[file.range.0..file.range.1]);
        }
        Ok(())
    }

    /// Adds a sum that was grown elsewhere.
    pub fn add_merged(&mut self, other: &Self) -> Result<(), Conflict> {
        match other.mode {
            Some(mode) => self.add(mode, &other.build, &other.counts),
            None => Ok(()),
        }
    }

    /// Returns the sum as a profile.
    #[must_use]
    pub fn into_profile(self) -> Profile {
        let mode = self.mode.unwrap_or(Mode::Count);
        let mut counts = self.counts;
        if mode == Mode::Set {
            for count in &mut counts {
                *count = (*count).min(1);
            }
        }
        Profile { mode, build: self.build, counts }
    }

    /// Widens the structure by the files of `build` that it lacks, without any count.
    pub fn take_in(&mut self, build: &Build) -> Result<(), Conflict> {
        if let Relation::Conflicts { file } = self.build.relation(build) {
            return Err(Conflict { file });
        }
        if build.files().all(|file| self.build.find(file.name).is_some()) {
            return Ok(());
        }
        let union = self.build.union(build);
        let mut counts = vec![0; union.blocks().len()];
        for file in self.build.files() {
            let new = union.find(file.name).expect("a union has all files").range;
            counts[new.0..new.1].copy_from_slice(&self.counts[file.range.0..file.range.1]);
        }
        self.build = Arc::new(union);
        self.counts = counts;
        Ok(())
    }
}

impl Build {
    /// Returns the files of both; of a file in both, this build's.
    fn union(&self, other: &Self) -> Self {
        let mut files: Vec<_> = self.files().collect();
        files.extend(other.files().filter(|file| self.find(file.name).is_none()));
        files.sort_unstable_by_key(|file| file.name);
        let mut first = vec![0];
        let mut blocks = Vec::new();
        for file in &files {
            blocks.extend_from_slice(file.blocks);
            first.push(u32::try_from(blocks.len()).expect("fewer than 2^32 blocks"));
        }
        Self::from_sorted(files.iter().map(|file| file.name.into()).collect(), first, blocks)
    }
}

fn add_all(sums: &mut [u64], counts: &[u64]) {
    for (sum, &count) in sums.iter_mut().zip(counts) {
        *sum = sum.saturating_add(count).min(MAX_COUNT);
    }
}
