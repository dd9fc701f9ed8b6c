//! The profiles of several programs of one commit as one: a statement is covered if any program executed it, and a file
//! that several programs have counts once.

use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;

use super::merge::{add_all, cap_at_one, mix};
use super::{Block, Build, BuildFile, Mode, Profile};
use crate::coverage::Coverage;

/// The profiles of several programs as one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CombinedPrograms {
    pub(crate) profile: Profile,
    /// The statements of each file that each program executed, and those that it has. Both lists are in order, the
    /// files in that of the profile.
    pub(crate) shares: Vec<Vec<Coverage>>,
    /// Files that programs have with different blocks, sorted by name.
    pub(crate) conflicts: Vec<FileConflict>,
}

/// A file that programs have with different blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileConflict {
    pub(crate) file: String,
    /// The first program with the blocks that count.
    pub(crate) kept: usize,
    /// The programs with other blocks.
    pub(crate) others: Vec<usize>,
}

/// A file as one program has it.
struct Version<'p> {
    program: usize,
    blocks: &'p [Block],
    counts: &'p [u64],
}

/// Combines the profiles of programs.
///
/// Of a file that programs have with different blocks, the blocks of most programs count, or else those of the first
/// one. The counts of another program are added to the blocks that it has, too; its other blocks are left out, so that
/// no statement counts twice.
pub(crate) fn combine(programs: &[Profile]) -> CombinedPrograms {
    let mut by_name: BTreeMap<&str, Vec<Version<'_>>> = BTreeMap::new();
    for (program, profile) in programs.iter().enumerate() {
        for file in profile.build.files() {
            let counts = &profile.counts[file.range.0..file.range.1];
            by_name.entry(file.name).or_default().push(Version { program, blocks: file.blocks, counts });
        }
    }
    let mode = programs.iter().map(|profile| profile.mode).reduce(mix).unwrap_or(Mode::Count);
    let (mut files, mut counts) = (Vec::new(), Vec::new());
    let (mut shares, mut conflicts) = (Vec::new(), Vec::new());
    for (name, versions) in &by_name {
        let kept = kept(versions);
        let first = counts.len();
        counts.resize(first + kept.blocks.len(), 0);
        let mut share = vec![Coverage::default(); programs.len()];
        for version in versions {
            share[version.program] = add(version, kept.blocks, &mut counts[first..]);
        }
        shares.push(share);
        files.push(BuildFile { name, blocks: kept.blocks, range: (first, counts.len()) });
        let others = versions.iter().filter(|version| version.blocks != kept.blocks);
        let others: Vec<usize> = others.map(|version| version.program).collect();
        if !others.is_empty() {
            conflicts.push(FileConflict { file: (*name).to_owned(), kept: kept.program, others });
        }
    }
    if mode == Mode::Set {
        cap_at_one(&mut counts);
    }
    let build = Arc::new(Build::from_files(&files));
    CombinedPrograms { profile: Profile { mode, build, counts }, shares, conflicts }
}

/// Returns what programs have of statements of a file: those that each executed, and those that it has. The statements are
/// given by the numbers of their blocks in the combined profile, and how many they are in each.
pub(crate) fn shares_of(
    programs: &[Profile],
    file: &BuildFile<'_>,
    statements: &[(usize, u32)],
) -> Vec<Coverage> {
    let share = |program: &Profile| -> Option<Coverage> {
        let version = program.build.find(file.name)?;
        let counts = &program.counts[version.range.0..version.range.1];
        let of_block = |&(index, statements): &(usize, u32)| {
            let at = match version.blocks == file.blocks {
                true => index,
                false => version.blocks.binary_search(&file.blocks[index]).ok()?,
            };
            let total = u64::from(statements);
            Some(Coverage { covered: if counts[at] > 0 { total } else { 0 }, total })
        };
        Some(statements.iter().filter_map(of_block).sum())
    };
    programs.iter().map(|program| share(program).unwrap_or_default()).collect()
}

/// Returns the version whose blocks most programs have; of several, the first.
fn kept<'v, 'p>(versions: &'v [Version<'p>]) -> &'v Version<'p> {
    let same = |version: &Version<'_>| versions.iter().filter(|other| other.blocks == version.blocks).count();
    versions.iter().rev().max_by_key(|version| same(version)).expect("a file has a version")
}

/// Adds the counts of a version to those of the blocks that count; returns the statements of these blocks that it
/// executed, and those that it has.
fn add(version: &Version<'_>, blocks: &[Block], sums: &mut [u64]) -> Coverage {
    let mut share = Coverage::default();
    let mut has = |block: &Block, count: u64| {
        let statements = u64::from(block.statements);
        share += Coverage { covered: if count > 0 { statements } else { 0 }, total: statements };
    };
    if version.blocks == blocks {
        blocks.iter().zip(version.counts).for_each(|(block, count)| has(block, *count));
        add_all(sums, version.counts);
        return share;
    }
    for (block, sum) in blocks.iter().zip(sums) {
        if let Ok(at) = version.blocks.binary_search(block) {
            has(block, version.counts[at]);
            add_all(slice::from_mut(sum), &version.counts[at..=at]);
        }
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::tests::{canonical, profile};

    fn combined(texts: &[&str]) -> CombinedPrograms {
        combine(&texts.iter().map(profile).collect::<Vec<_>>())
    }

    fn share(covered: u64, total: u64) -> Coverage {
        Coverage { covered, total }
    }

    const CART: &str =
        "mode: count\ncart.go:1.1,2.2 3 5\nlib.go:1.1,2.2 2 1\nlib.go:3.1,4.2 4 0\nlib.go:5.1,6.2 8 0\n";
    const PAY: &str =
        "mode: count\nlib.go:1.1,2.2 2 1\nlib.go:3.1,4.2 4 7\nlib.go:5.1,6.2 8 0\npay.go:1.1,2.2 16 0\n";

    #[test]
    fn a_statement_is_covered_if_any_program_executed_it_and_a_shared_file_counts_once() {
        let combined = combined(&[CART, PAY]);
        assert_eq!(
            canonical(&combined.profile),
            "mode: count\ncart.go:1.1,2.2 3 5\nlib.go:1.1,2.2 2 2\nlib.go:3.1,4.2 4 7\nlib.go:5.1,6.2 8 0\npay.go:1.1,2.2 16 0\n"
        );
        assert_eq!(combined.profile.coverage(), share(3 + 2 + 4, 3 + 14 + 16));
        let none = share(0, 0);
        assert_eq!(
            combined.shares,
            [vec![share(3, 3), none], vec![share(2, 14), share(6, 14)], vec![none, share(0, 16)]]
        );
        assert_eq!(combined.conflicts, []);
    }

    #[test]
    fn a_part_of_a_file_has_its_share_of_each_program() {
        let other = "mode: count\nlib.go:1.1,2.2 2 9\nlib.go:3.1,6.2 12 1\n";
        let programs: Vec<Profile> = [CART, PAY, other].iter().map(profile).collect();
        let combined = combine(&programs).profile;
        let file = combined.build.find("lib.go").unwrap();
        let shares = shares_of(&programs, &file, &[(0, 1), (1, 4)]);
        assert_eq!(shares, [share(1, 5), share(5, 5), share(1, 1)], "the third has other blocks");
    }

    #[test]
    fn a_program_in_mode_set_makes_counts_one_or_zero() {
        let combined = combined(&[CART, &PAY.replace("count", "set").replace(" 7\n", " 1\n")]);
        let text = canonical(&combined.profile);
        assert!(text.starts_with("mode: set\ncart.go:1.1,2.2 3 1\nlib.go:1.1,2.2 2 1\n"), "{text}");
    }

    #[test]
    fn of_a_file_with_different_blocks_those_of_most_programs_count_and_no_statement_twice() {
        let other = "mode: count\nlib.go:1.1,2.2 2 9\nlib.go:3.1,6.2 12 1\n";
        let names = |programs: &[&str]| combined(programs);
        let of_two = names(&[CART, other]);
        assert_eq!(
            canonical(&of_two.profile),
            "mode: count\ncart.go:1.1,2.2 3 5\nlib.go:1.1,2.2 2 10\nlib.go:3.1,4.2 4 0\nlib.go:5.1,6.2 8 0\n"
        );
        assert_eq!(of_two.shares[1], [share(2, 14), share(2, 2)]);
        let conflict = |kept, others: &[usize]| {
            vec![FileConflict { file: "lib.go".to_owned(), kept, others: others.to_vec() }]
        };
        assert_eq!(of_two.conflicts, conflict(0, &[1]));
        assert_eq!(names(&[other, CART]).conflicts, conflict(0, &[1]), "the first of two");
        let of_three = names(&[other, CART, PAY]);
        assert_eq!(of_three.conflicts, conflict(1, &[0]), "those of two");
        assert_eq!(of_three.profile.coverage(), share(3 + 2 + 4, 3 + 14 + 16));
    }
}
