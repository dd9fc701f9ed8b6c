//! The profile of a service together with those of other runs of the same commit, such as unit tests.
//!
//! Unlike [`super::combine()`], nothing is left out: blocks that do not fit are an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::merge::{cap_at_one, mix};
use super::{Block, Build, BuildFile, MAX_COUNT, Mode, Profile};

/// A block of a profile that another profile of the same file lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockConflict {
    /// Index of the profile with the block among the others.
    pub(crate) profile: usize,
    /// The profile that has the file without this block; `None` for the first profile.
    pub(crate) lacking: Option<usize>,
    pub(crate) file: String,
    /// The first such block of the first such file.
    pub(crate) block: Block,
}

/// Unites a profile with others. A block is known by its file, start, end and statements; counts are added. A file that
/// only others have comes from the one with most of its blocks. The order of the others does not matter.
///
/// Fails if a block is not one of the blocks that its file has in the first profile, or else in the one with most of them.
pub(crate) fn unite(first: &Profile, others: &[&Profile]) -> Result<Profile, BlockConflict> {
    let build = united_build(first, others)?;
    let mode = others.iter().map(|profile| profile.mode).fold(first.mode, mix);
    let mut counts = vec![0; build.blocks().len()];
    for profile in [first].into_iter().chain(others.iter().copied()) {
        each_place(&build, profile, |place, count: u64| {
            let sum: &mut u64 = &mut counts[place];
            *sum = sum.saturating_add(count).min(MAX_COUNT);
        });
    }
    if mode == Mode::Set {
        cap_at_one(&mut counts);
    }
    Ok(Profile { mode, build, counts })
}

/// Returns for each block of a united build whether a profile has it, and was executed there.
pub(crate) fn executed_of(build: &Build, profile: &Profile) -> Vec<Option<bool>> {
    let mut executed = vec![None; build.blocks().len()];
    each_place(build, profile, |place, count| executed[place] = Some(count > 0));
    executed
}

/// Hands on the count of each block of a profile, with its place in a build that has all of its blocks.
fn each_place(build: &Build, profile: &Profile, mut take: impl FnMut(usize, u64)) {
    for file in profile.build.files() {
        let Some(united) = build.find(file.name) else { continue };
        let counts = &profile.counts[file.range.0..file.range.1];
        let is_same = united.blocks == file.blocks;
        for (at, (block, &count)) in file.blocks.iter().zip(counts).enumerate() {
            let found = if is_same { Ok(at) } else { united.blocks.binary_search(block) };
            if let Ok(found) = found {
                take(united.range.0 + found, count);
            }
        }
    }
}

/// Returns the build with the files of all profiles.
fn united_build(first: &Profile, others: &[&Profile]) -> Result<Arc<Build>, BlockConflict> {
    let mut versions: BTreeMap<&str, Vec<(usize, BuildFile<'_>)>> = BTreeMap::new();
    for (index, profile) in others.iter().enumerate() {
        for file in profile.build.files() {
            versions.entry(file.name).or_default().push((index, file));
        }
    }
    let mut added = Vec::new();
    for (name, versions) in &versions {
        let known = first.build.find(name);
        // Of several with as many blocks, the choice must not depend on the order of the profiles.
        let (lacking, kept) = match known {
            Some(file) => (None, file),
            None => {
                let most = versions.iter().max_by_key(|(_, file)| (file.blocks.len(), file.blocks));
                let (index, file) = most.expect("a file has a version");
                (Some(*index), *file)
            }
        };
        for (profile, file) in versions.iter().filter(|(_, file)| file.blocks != kept.blocks) {
            if let Some(block) = first_other_block(file.blocks, kept.blocks) {
                return Err(BlockConflict { profile: *profile, lacking, file: (*name).to_owned(), block });
            }
        }
        if known.is_none() {
            added.push(kept);
        }
    }
    if added.is_empty() {
        return Ok(Arc::clone(&first.build));
    }
    let mut files: Vec<BuildFile<'_>> = first.build.files().chain(added).collect();
    files.sort_unstable_by_key(|file| file.name);
    Ok(Arc::new(Build::from_files(&files)))
}

/// Returns the first block that is not among others.
fn first_other_block(blocks: &[Block], others: &[Block]) -> Option<Block> {
    blocks.iter().find(|block| others.binary_search(block).is_err()).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::tests::{canonical, profile};

    const SERVICE: &str = "mode: count\ncart.go:1.1,2.2 3 5\nlib.go:1.1,2.2 2 0\nlib.go:3.1,4.2 4 1\n";

    fn united(others: &[&str]) -> Result<String, BlockConflict> {
        let others: Vec<Profile> = others.iter().map(profile).collect();
        let others: Vec<&Profile> = others.iter().collect();
        unite(&profile(SERVICE), &others).map(|united| canonical(&united))
    }

    #[test]
    fn counts_of_the_same_blocks_are_added_and_files_of_one_side_come_in() {
        let unit = "mode: atomic\nlib.go:1.1,2.2 2 7\nlib.go:3.1,4.2 4 1\nmore.go:1.1,2.2 8 0\n";
        assert_eq!(
            united(&[unit]).unwrap(),
            "mode: count\ncart.go:1.1,2.2 3 5\nlib.go:1.1,2.2 2 7\nlib.go:3.1,4.2 4 2\nmore.go:1.1,2.2 8 0\n"
        );
    }

    #[test]
    fn a_profile_in_mode_set_makes_counts_one_or_zero() {
        let text = united(&["mode: set\nlib.go:1.1,2.2 2 1\n"]).unwrap();
        assert_eq!(text, "mode: set\ncart.go:1.1,2.2 3 1\nlib.go:1.1,2.2 2 1\nlib.go:3.1,4.2 4 1\n");
    }

    #[test]
    fn a_block_that_the_file_lacks_is_named() {
        let other =
            "mode: set\na.go:1.1,2.2 1 1\nlib.go:1.1,2.2 2 1\nlib.go:3.1,4.9 4 1\nlib.go:5.1,6.2 4 1\n";
        let block = Block { start: (3, 1), end: (4, 9), statements: 4 };
        let conflict = BlockConflict { profile: 1, lacking: None, file: "lib.go".to_owned(), block };
        assert_eq!(united(&["mode: set\n", other]), Err(conflict));
        // Other statements in the same place are another block, too.
        assert!(united(&["mode: set\nlib.go:1.1,2.2 3 1\n"]).is_err());
    }

    #[test]
    fn a_file_that_only_others_have_is_the_one_with_most_blocks_and_the_rest_has_to_fit() {
        let part = "mode: set\nmore.go:3.1,4.2 1 1\n";
        let whole = "mode: set\nmore.go:1.1,2.2 1 0\nmore.go:3.1,4.2 1 0\n";
        let text = united(&[part, whole]).unwrap();
        assert!(text.ends_with("more.go:1.1,2.2 1 0\nmore.go:3.1,4.2 1 1\n"), "{text}");
        assert_eq!(united(&[whole, part]).unwrap(), text);
        let conflict = united(&["mode: set\nmore.go:3.1,4.3 1 1\n", whole]).unwrap_err();
        assert_eq!((conflict.profile, conflict.lacking), (0, Some(1)));
    }

    #[test]
    fn blocks_are_executed_missed_or_absent() {
        let (service, unit) =
            (profile(SERVICE), profile("mode: set\nlib.go:1.1,2.2 2 0\nmore.go:1.1,2.2 8 1\n"));
        let united = unite(&service, &[&unit]).unwrap();
        assert_eq!(executed_of(&united.build, &service), [Some(true), Some(false), Some(true), None]);
        assert_eq!(executed_of(&united.build, &unit), [None, Some(false), None, Some(true)]);
    }

    proptest! {
        #[test]
        fn the_order_of_the_others_does_not_matter(
            counts in prop::collection::vec(prop::collection::vec(prop::option::of(0..3_u64), 6), 1..5),
            modes in prop::collection::vec(prop::sample::select(vec!["set", "count", "atomic"]), 5),
            turn in 0..5_usize,
        ) {
            let others: Vec<Profile> = counts.iter().zip(modes).map(|(counts, mode)| {
                let mut text = format!("mode: {mode}\n");
                for (block, count) in counts.iter().enumerate() {
                    // Two blocks of each of three files, of which the service has one.
                    let (file, second) = (["a.go", "lib.go", "z.go"][block / 2], u32::from(block % 2 == 1));
                    let (line, statements) = (1 + 2 * second, if file == "lib.go" { 2 + 2 * second } else { 1 });
                    let block = Block { start: (line, 1), end: (line + 1, 2), statements };
                    text.extend(count.map(|count| crate::profile::tests::line(file, block, count)));
                }
                profile(text)
            }).collect();
            let mut turned: Vec<&Profile> = others.iter().collect();
            let service = profile(SERVICE);
            let here = unite(&service, &turned);
            let shift = turn % others.len();
            turned.rotate_left(shift);
            turned.reverse();
            let there = unite(&service, &turned);
            match (here, there) {
                (Ok(here), Ok(there)) => prop_assert_eq!(canonical(&here), canonical(&there)),
                (here, there) => prop_assert_eq!(here.is_err(), there.is_err()),
            }
        }
    }
}
