//! The executions between two stored states of one program.

use std::sync::Arc;

use super::{Build, BuildFile, Mode, Profile};

/// The counts that grew between two states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrownCounts {
    /// The later state with the difference of the counts: 0 where a count did not grow.
    pub(crate) profile: Profile,
    /// Number of blocks whose counts fell. They count as not executed.
    pub(crate) fallen: usize,
}

/// Two states are of different programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildsDiffer {
    /// The first file of the earlier state that the later one lacks, or has with other blocks.
    pub(crate) file: String,
}

/// Returns the first file of a build that another one lacks, or has with other blocks.
pub(crate) fn differing_file<'b>(build: &'b Build, other: &Build) -> Option<&'b str> {
    let is_same = |file: &BuildFile<'_>| other.find(file.name).is_some_and(|same| same.blocks == file.blocks);
    build.files().find(|file| !is_same(file)).map(|file| file.name)
}

/// Returns the counts that grew from one state of a program to a later one.
///
/// A file that only the later state has counts from 0: another program of the service was started. In mode `set` a count
/// grows with the first execution alone.
pub(crate) fn grown(before: &Profile, now: &Profile) -> Result<GrownCounts, BuildsDiffer> {
    if let Some(file) = differing_file(&before.build, &now.build) {
        return Err(BuildsDiffer { file: file.to_owned() });
    }
    let is_set = before.mode == Mode::Set || now.mode == Mode::Set;
    let cap = |count: u64| if is_set { count.min(1) } else { count };
    let mut counts: Vec<u64> = now.counts.iter().copied().map(cap).collect();
    let mut fallen = 0;
    for file in before.build.files() {
        let same = now.build.find(file.name).expect("no file differs");
        let earlier = &before.counts[file.range.0..file.range.1];
        for (count, earlier) in counts[same.range.0..same.range.1].iter_mut().zip(earlier) {
            fallen += usize::from(*count < cap(*earlier));
            *count = count.saturating_sub(cap(*earlier));
        }
    }
    let mode = if is_set { Mode::Set } else { now.mode };
    Ok(GrownCounts { profile: Profile { mode, build: Arc::clone(&now.build), counts }, fallen })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::tests::{canonical, profile};

    fn grown_text(before: &str, now: &str) -> Result<(String, usize), String> {
        let found = grown(&profile(before), &profile(now));
        found.map(|it| (canonical(&it.profile), it.fallen)).map_err(|error| error.file)
    }

    const BEFORE: &str = "mode: atomic\na.go:1.1,2.2 3 5\na.go:3.1,4.2 2 0\nb.go:1.1,2.2 4 7\n";

    #[test]
    fn the_difference_of_the_counts_is_what_was_executed_in_between() {
        let now = "mode: atomic\na.go:1.1,2.2 3 9\na.go:3.1,4.2 2 1\nb.go:1.1,2.2 4 7\n";
        let between = "mode: atomic\na.go:1.1,2.2 3 4\na.go:3.1,4.2 2 1\nb.go:1.1,2.2 4 0\n";
        assert_eq!(grown_text(BEFORE, now), Ok((between.to_owned(), 0)));
    }

    #[test]
    fn a_count_that_fell_is_no_execution_and_is_told() {
        let now = "mode: atomic\na.go:1.1,2.2 3 4\na.go:3.1,4.2 2 0\nb.go:1.1,2.2 4 8\n";
        let between = "mode: atomic\na.go:1.1,2.2 3 0\na.go:3.1,4.2 2 0\nb.go:1.1,2.2 4 1\n";
        assert_eq!(grown_text(BEFORE, now), Ok((between.to_owned(), 1)));
    }

    #[test]
    fn mode_set_knows_the_first_execution_alone() {
        let now = "mode: set\na.go:1.1,2.2 3 1\na.go:3.1,4.2 2 1\nb.go:1.1,2.2 4 1\n";
        let between = "mode: set\na.go:1.1,2.2 3 0\na.go:3.1,4.2 2 1\nb.go:1.1,2.2 4 0\n";
        assert_eq!(grown_text(BEFORE, now), Ok((between.to_owned(), 0)));
        assert_eq!(grown_text(&BEFORE.replace("atomic", "set").replace(" 7", " 1"), now).unwrap().0, between);
    }

    #[test]
    fn a_file_of_another_program_counts_from_zero_and_another_build_is_refused() {
        let worker = format!("{BEFORE}c.go:1.1,2.2 1 6\n");
        let between =
            "mode: atomic\na.go:1.1,2.2 3 0\na.go:3.1,4.2 2 0\nb.go:1.1,2.2 4 0\nc.go:1.1,2.2 1 6\n";
        assert_eq!(grown_text(BEFORE, &worker), Ok((between.to_owned(), 0)));
        assert_eq!(grown_text(&worker, BEFORE), Err("c.go".to_owned()));
        assert_eq!(
            grown_text(BEFORE, &BEFORE.replace("b.go:1.1,2.2 4", "b.go:1.1,2.2 5")),
            Err("b.go".to_owned())
        );
    }

    proptest! {
        #[test]
        fn where_no_count_falls_since_a_to_c_is_the_union_of_a_to_b_and_b_to_c(
            mode in prop_oneof![Just(Mode::Set), Just(Mode::Count), Just(Mode::Atomic)],
            counts in prop::collection::vec((0..3_u64, 0..3_u64, 0..3_u64), 3),
        ) {
            let state = |count: &dyn Fn(&(u64, u64, u64)) -> u64| {
                let counts = counts.iter().map(count);
                let counts = counts.map(|count| if mode == Mode::Set { count.min(1) } else { count }).collect();
                Profile { mode, counts, ..profile(BEFORE) }
            };
            let states = [state(&|it| it.0), state(&|it| it.0 + it.1), state(&|it| it.0 + it.1 + it.2)];
            let covered = |from: usize, to: usize| {
                let grown = grown(&states[from], &states[to]).unwrap();
                grown.profile.counts.iter().map(|count| *count > 0).collect::<Vec<bool>>()
            };
            let union: Vec<bool> =
                covered(0, 1).iter().zip(covered(1, 2)).map(|(first, second)| *first || second).collect();
            prop_assert_eq!(covered(0, 2), union);
        }
    }
}
