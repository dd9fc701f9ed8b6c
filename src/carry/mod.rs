//! The option `--carry`: blocks that were executed at other commits count, function by function.
//!
//! A function is carried as a whole or not at all: its declaration has to have the same tokens at both commits, and the
//! same blocks. Blocks outside of functions are never carried. Pure: texts and profiles come in, block numbers go out.

mod coverage;
mod dates;
mod functions;

use chrono::{DateTime, Utc};

use crate::coverage::Coverage;
use crate::profile::Profile;

pub(crate) use coverage::{CarriedCoverage, CarriedFromJson};
pub(crate) use dates::{
    DatedUntil, DigestedText, FunctionDates, FunctionDigest, LastExecution, PlaceDates, executed_since,
};
pub(crate) use functions::{FunctionBlocks, FunctionKey, are_moved, carriable, have_same_blocks};

/// The coverage of a profile with what is carried from other commits.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    blocks: BlockOrigins,
    /// The rows from which something is carried, the newest first.
    origins: Vec<Origin>,
}

/// From where each block of a profile is carried: the number of the row, counted from 1 in the order of
/// [`CarriedCoverage::origins`]; 0 for a block that is not carried.
#[derive(Clone, Debug)]
pub(crate) struct BlockOrigins(Vec<u32>);

/// A row from which blocks are carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Number of the row.
    pub(crate) row: i64,
    pub(crate) commit: String,
    pub(crate) stored_at: DateTime<Utc>,
}

impl Carried {
    /// Begins with nothing carried.
    pub(crate) fn nothing(profile: &Profile) -> Self {
        Self { blocks: BlockOrigins(vec![0; profile.counts.len()]), origins: Vec::new() }
    }

    /// Tells whether a block was executed neither here nor at the commits until now.
    pub(crate) fn is_open(&self, block: usize, profile: &Profile) -> bool {
        profile.counts[block] == 0 && self.blocks.0[block] == 0
    }

    /// Carries blocks from a row, each with whether it was executed there. Blocks that were executed here, or are carried
    /// from a newer row, stay as they are.
    pub(crate) fn add(
        &mut self,
        origin: Origin,
        executed: impl Iterator<Item = (usize, bool)>,
        profile: &Profile,
    ) {
        let number = u32::try_from(self.origins.len() + 1).unwrap_or(u32::MAX);
        let mut is_new = false;
        for (block, was_executed) in executed {
            if was_executed && self.is_open(block, profile) {
                self.blocks.0[block] = number;
                is_new = true;
            }
        }
        if is_new {
            self.origins.push(origin);
        }
    }

    /// Returns the origins of all blocks.
    pub(crate) fn origins(&self) -> &BlockOrigins {
        &self.blocks
    }

    /// Returns the origins of all blocks, with runs of other commits whose numbers follow those of the rows. `runs` has the
    /// number of the run from which each block is carried, from 1, or 0; it is empty without such runs.
    pub(crate) fn origins_with(&self, runs: &[u32]) -> BlockOrigins {
        let rows = u32::try_from(self.origins.len()).unwrap_or(u32::MAX);
        let runs = runs.iter().copied().chain(std::iter::repeat(0));
        let numbers = self.blocks.0.iter().zip(runs);
        BlockOrigins(numbers.map(|(&row, run)| if run > 0 { rows + run } else { row }).collect())
    }

    /// Returns the profile with a count of 1 in each carried block.
    pub(crate) fn union(&self, profile: &Profile) -> Profile {
        let counts = profile.counts.iter().zip(&self.blocks.0);
        let counts = counts.map(|(&count, &carried)| if count == 0 && carried > 0 { 1 } else { count });
        Profile { counts: counts.collect(), ..profile.clone() }
    }

    /// Returns the coverage of all files of the profile.
    pub(crate) fn coverage(&self, profile: &Profile, now: DateTime<Utc>) -> CarriedCoverage {
        self.coverage_of_files(profile, profile.build.files().map(|file| (file.name, &[][..])), now)
    }

    /// Returns the coverage of some files of the profile, which are given by their names, each with the numbers of the blocks
    /// from which statements are left out, ascending, and how many.
    pub(crate) fn coverage_of_files<'n>(
        &self,
        profile: &Profile,
        files: impl Iterator<Item = (&'n str, &'n [(usize, u32)])>,
        now: DateTime<Utc>,
    ) -> CarriedCoverage {
        let mut fresh = Coverage::default();
        let mut from = vec![0; self.origins.len() + 1];
        for (file, left_out) in files.filter_map(|(name, out)| Some((profile.build.find(name)?, out))) {
            let mut left_out = left_out.iter().peekable();
            for (index, block) in file.blocks.iter().enumerate() {
                let at = file.range.0 + index;
                let out = left_out.next_if(|(of, _)| *of == index).map_or(0, |(_, statements)| *statements);
                let statements = u64::from(block.statements.saturating_sub(out));
                let covered = if profile.counts[at] > 0 { statements } else { 0 };
                fresh += Coverage { covered, total: statements };
                from[self.blocks.0[at] as usize] += statements;
            }
        }
        let from = self.origins.iter().cloned().zip(from.into_iter().skip(1));
        CarriedCoverage::new(fresh, from.collect(), now)
    }
}

impl BlockOrigins {
    /// Returns the origins of the blocks in a range.
    pub(crate) fn of(&self, (first, end): (usize, usize)) -> &[u32] {
        &self.0[first..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::at;
    use crate::profile::{Limits, parse};

    #[test]
    fn runs_of_other_commits_are_origins_behind_the_rows() {
        let text = "mode: set\na.go:1.1,2.2 1 0\na.go:3.1,4.2 1 0\na.go:5.1,6.2 1 1\n";
        let profile = parse(text.as_bytes(), Limits::default()).unwrap();
        let mut carried = Carried::nothing(&profile);
        let origin = Origin { row: 5, commit: "aaaa".to_owned(), stored_at: at(5) };
        carried.add(origin, [(0, true), (1, false), (2, true)].into_iter(), &profile);
        assert_eq!(carried.origins().of((0, 3)), [1, 0, 0]);
        assert_eq!(carried.origins_with(&[]).of((0, 3)), [1, 0, 0]);
        assert_eq!(carried.origins_with(&[0, 0, 2]).of((0, 3)), [1, 0, 3]);
    }
}
