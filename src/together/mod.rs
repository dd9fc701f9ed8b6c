//! The option `--with`: the profile of a service together with those of other runs, such as unit tests.
//!
//! Blocks are matched by their positions. A profile that does not fit is an error, so no figure is made of code of two
//! commits. Pure: profiles and texts come in, figures and misfits go out.

mod argument;
mod coverage;
mod fit;
mod labels;

use crate::profile::{BlockConflict, Build, Profile, executed_of, unite};

pub(crate) use argument::{ArgumentError, WithArgument, repeated_label};
pub(crate) use coverage::{LabelCoverage, TogetherCoverage, WithJson};
pub(crate) use fit::{Misfit, Unfit, all_blocks};
pub(crate) use labels::{BlockLabels, MOST_RUNS};

/// The profile of a service together with others.
#[derive(Clone, Debug)]
pub(crate) struct Together {
    /// The blocks and counts of all.
    profile: Profile,
    /// Whether the service executed each block; `None` for a block that it has not.
    alone: Vec<Option<bool>>,
    with: Vec<WithBlocks>,
}

/// The blocks that another profile executed.
#[derive(Clone, Debug)]
struct WithBlocks {
    label: String,
    /// The other commit from which it is carried.
    commit: Option<String>,
    executed: Vec<bool>,
}

/// A profile with its label.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LabelledProfile<'p> {
    pub(crate) label: &'p str,
    pub(crate) profile: &'p Profile,
}

impl Together {
    /// Unites the profile of a service with those of other runs of its commit.
    pub(crate) fn new(service: &Profile, others: &[LabelledProfile<'_>]) -> Result<Self, Misfit> {
        let profiles: Vec<&Profile> = others.iter().map(|other| other.profile).collect();
        let profile = unite(service, &profiles).map_err(|conflict| {
            let BlockConflict { profile, lacking, file, block } = conflict;
            let why = match lacking {
                None => Unfit::NotOfService,
                Some(other) => Unfit::NotOfOther { label: others[other].label.to_owned() },
            };
            Misfit { label: others[profile].label.to_owned(), file, block, why }
        })?;
        let with = others.iter().map(|LabelledProfile { label, profile: other }| {
            let executed = executed_of(&profile.build, other);
            let executed = executed.into_iter().map(|executed| executed == Some(true)).collect();
            WithBlocks { label: (*label).to_owned(), commit: None, executed }
        });
        let with = with.collect();
        let alone = executed_of(&profile.build, service);
        Ok(Self { profile, alone, with })
    }

    /// Returns the profile of all together.
    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Adds the files of a build that it lacks. They count, and nothing of them was executed.
    pub(crate) fn widen(&mut self, by: &Build) {
        let profile = self.profile.widened(by);
        let places: Vec<Option<usize>> = places_in(&self.profile.build, &profile.build);
        self.alone =
            places.iter().map(|place| place.map_or(Some(false), |place| self.alone[place])).collect();
        for with in &mut self.with {
            with.executed =
                places.iter().map(|place| place.is_some_and(|place| with.executed[place])).collect();
        }
        self.profile = profile;
    }

    /// Adds a profile that is carried from another commit: its executed blocks as they are numbered here. A block that
    /// nobody else executed gets a count of 1.
    pub(crate) fn carry(&mut self, label: String, commit: String, blocks: impl Iterator<Item = usize>) {
        let mut executed = vec![false; self.alone.len()];
        for block in blocks {
            executed[block] = true;
            self.profile.counts[block] = self.profile.counts[block].max(1);
        }
        self.with.push(WithBlocks { label, commit: Some(commit), executed });
    }

    /// Returns the profile without what is carried from other commits; `None` if nothing is.
    pub(crate) fn without_carried(&self) -> Option<Profile> {
        if self.with.iter().all(|with| with.commit.is_none()) {
            return None;
        }
        let mut profile = self.profile.clone();
        for (block, count) in profile.counts.iter_mut().enumerate() {
            if !self.is_executed_here(block) {
                *count = 0;
            }
        }
        Some(profile)
    }

    /// Returns for each block that only runs of other commits executed the number of the first of them, counted from 1 among
    /// these runs; 0 for any other block. Nothing without such runs.
    pub(crate) fn carried_runs(&self) -> Vec<u32> {
        let runs: Vec<&WithBlocks> = self.with.iter().filter(|with| with.commit.is_some()).collect();
        if runs.is_empty() {
            return Vec::new();
        }
        let number = |block: usize| {
            let mut numbered = runs.iter().zip(1..);
            numbered.find(|(run, _)| run.executed[block]).map_or(0, |(_, number)| number)
        };
        let blocks = 0..self.alone.len();
        blocks.map(|block| if self.is_executed_here(block) { 0 } else { number(block) }).collect()
    }

    /// Tells whether the service or another run of its commit executed a block.
    fn is_executed_here(&self, block: usize) -> bool {
        self.alone[block] == Some(true)
            || self.with.iter().any(|with| with.commit.is_none() && with.executed[block])
    }

    /// Brings the labels into an order.
    pub(crate) fn sort_by_key(&mut self, place: impl Fn(&str) -> usize) {
        self.with.sort_by_key(|with| place(&with.label));
    }

    /// Returns the runs that executed each block; `None` if they are too many.
    pub(crate) fn block_labels(&self) -> Option<BlockLabels> {
        let runs = self.with.len() + 1;
        let executed = |block: usize| {
            let bit = |(with, at): (&WithBlocks, u32)| u32::from(with.executed[block]) << at;
            u32::from(self.alone[block] == Some(true)) | self.with.iter().zip(1..).map(bit).sum::<u32>()
        };
        (runs <= labels::MOST_RUNS).then(|| BlockLabels::new(runs, (0..self.alone.len()).map(executed)))
    }

    /// Returns the coverage of all files.
    pub(crate) fn coverage(&self) -> TogetherCoverage {
        self.coverage_of_files(self.profile.build.files().map(|file| file.name))
    }

    /// Returns the coverage of some files, which are given by their names.
    pub(crate) fn coverage_of_files<'n>(&self, names: impl Iterator<Item = &'n str>) -> TogetherCoverage {
        let labels = self.with.iter().map(|with| (with.label.clone(), with.commit.clone()));
        let mut coverage = TogetherCoverage::new(labels);
        for file in names.filter_map(|name| self.profile.build.find(name)) {
            for (block, at) in file.blocks.iter().zip(file.range.0..) {
                let executed = self.with.iter().map(|with| with.executed[at]);
                coverage.add(u64::from(block.statements), self.alone[at], executed);
            }
        }
        coverage
    }
}

/// Returns for each block of a wider build its place in a build; `None` for one of another file.
fn places_in(build: &Build, wider: &Build) -> Vec<Option<usize>> {
    let mut places = vec![None; wider.blocks().len()];
    for file in build.files() {
        let (first, end) = wider.find(file.name).map_or((0, 0), |wide| wide.range);
        for (place, own) in places[first..end].iter_mut().zip(file.range.0..) {
            *place = Some(own);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::coverage::LabelCoverage;
    use super::*;
    use crate::coverage::Coverage;
    use crate::profile::{Block, Limits, parse};

    fn profile(text: &str) -> Profile {
        parse(text.as_bytes(), Limits::default()).unwrap()
    }

    fn together(others: &[(&str, &str)]) -> Result<Together, Misfit> {
        let others: Vec<_> = others.iter().map(|(label, text)| (*label, profile(text))).collect();
        let others: Vec<_> =
            others.iter().map(|(label, profile)| LabelledProfile { label, profile }).collect();
        Together::new(&profile(SERVICE), &others)
    }

    /// Statements are powers of two, so that a sum tells which blocks it has.
    const SERVICE: &str =
        "mode: count\na.go:1.1,2.2 1 5\na.go:3.1,4.2 2 0\na.go:5.1,6.2 4 0\na.go:7.1,8.2 8 1\n";
    const UNIT: &str = "mode: set\na.go:1.1,2.2 1 1\na.go:3.1,4.2 2 1\na.go:5.1,6.2 4 0\na.go:7.1,8.2 8 0\nb.go:1.1,2.2 16 1\nb.go:3.1,4.2 32 0\n";

    #[test]
    fn each_label_is_told_alone_and_what_only_it_executed() {
        let e2e = "mode: set\na.go:3.1,4.2 2 1\nb.go:1.1,2.2 16 0\nc.go:1.1,2.2 64 1\n";
        let together = together(&[("unit", UNIT), ("e2e", e2e)]).unwrap();
        let coverage = together.coverage();
        let figures = |label: &LabelCoverage| (label.label.clone(), label.covered, label.only);
        assert_eq!(coverage.all, Coverage { covered: 1 + 2 + 8 + 16 + 64, total: 127 });
        assert_eq!((coverage.alone, coverage.added), (1 + 8, 16 + 32 + 64));
        let labels: Vec<_> = coverage.with.iter().map(figures).collect();
        assert_eq!(labels, [("unit".to_owned(), 1 + 2 + 16, 16), ("e2e".to_owned(), 2 + 64, 64)]);
        assert_eq!(together.profile().coverage(), coverage.all);
        assert_eq!(coverage.alone_only, 8);
        // Three runs: bits 0 to 2 for what each executed, bits 3 to 5 for what it executed alone.
        let labels = together.block_labels().unwrap();
        let range = (0, together.profile().counts.len());
        assert_eq!(
            (labels.choices(), labels.of(range)),
            (6, &[0b11, 0b110, 0, 0b1001, 0b10010, 0, 0b10_0100][..])
        );

        let of_a = together.coverage_of_files(["a.go", "unknown.go"].into_iter());
        assert_eq!((of_a.all, of_a.alone, of_a.added), (Coverage { covered: 11, total: 15 }, 9, 0));
        assert_eq!(of_a.with.iter().map(|label| label.only).collect::<Vec<_>>(), [0, 0], "both executed it");
    }

    #[test]
    fn a_carried_profile_counts_where_it_executed_a_block() {
        let mut together = together(&[("unit", UNIT)]).unwrap();
        together.carry("old".to_owned(), "aaaa".to_owned(), [0, 2].into_iter());
        together.sort_by_key(|label| usize::from(label != "old"));
        assert_eq!(together.profile().counts, [1, 1, 1, 1, 1, 0], "modes are mixed");
        assert_eq!(together.carried_runs(), [0, 0, 1, 0, 0, 0], "the service executed the first block, too");
        let coverage = together.coverage();
        let figures: Vec<_> = coverage.with.iter().map(|label| (label.covered, label.only)).collect();
        assert_eq!(figures, [(1 + 4, 4), (1 + 2 + 16, 2 + 16)]);
        assert_eq!(coverage.with[0].commit.as_deref(), Some("aaaa"));
    }

    #[test]
    fn files_that_nobody_measured_count_as_not_executed_by_the_service() {
        let mut together = together(&[("unit", UNIT)]).unwrap();
        let before = together.coverage();
        together.widen(&profile("mode: set\na.go:9.1,9.2 500 0\naa.go:1.1,2.2 64 0\n").build);
        let coverage = together.coverage();
        let Coverage { covered, total } = before.all;
        assert_eq!(
            coverage.all,
            Coverage { covered, total: total + 64 },
            "a file that is known stays as it is"
        );
        assert_eq!((coverage.alone, coverage.added), (before.alone, before.added));
        let figures = |coverage: &TogetherCoverage| (coverage.with[0].covered, coverage.with[0].only);
        assert_eq!(figures(&coverage), figures(&before));
    }

    #[test]
    fn the_first_block_that_does_not_fit_is_named_with_its_profile() {
        let other = UNIT.replace("a.go:5.1,6.2 4 0", "a.go:5.1,6.9 4 0");
        let misfit = together(&[("a", UNIT), ("unit", &other)]).unwrap_err();
        let block = Block { start: (5, 1), end: (6, 9), statements: 4 };
        let why = Unfit::NotOfService;
        assert_eq!(misfit, Misfit { label: "unit".to_owned(), file: "a.go".to_owned(), block, why });
        let [one, other] =
            ["mode: set\nb.go:1.1,2.2 16 1\n", "mode: set\nb.go:1.1,2.3 16 1\nb.go:5.1,6.2 1 1\n"];
        let misfit = together(&[("one", one), ("other", other)]).unwrap_err();
        assert_eq!((&*misfit.label, misfit.why), ("one", Unfit::NotOfOther { label: "other".to_owned() }));
    }
}
