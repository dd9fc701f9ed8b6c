//! Profiles with files that no program measured: all their counts are 0.

use std::sync::Arc;

use super::{Block, Build, BuildFile, Mode, Profile};

impl Profile {
    /// Returns the profile of files of which nothing was executed. The files are sorted by name, each with its sorted blocks.
    pub(crate) fn not_executed<'f>(mode: Mode, files: impl Iterator<Item = (&'f str, &'f [Block])>) -> Self {
        let files: Vec<BuildFile<'_>> =
            files.map(|(name, blocks)| BuildFile { name, blocks, range: (0, 0) }).collect();
        let build = Build::from_files(&files);
        let counts = vec![0; build.blocks().len()];
        // Line comments can put two blocks at one place.
        Self { mode, build: Arc::new(build), counts }.at_distinct_places()
    }

    /// Returns the profile with the files of a build that it lacks, of which nothing was executed.
    pub(crate) fn widened(&self, by: &Build) -> Self {
        let build = self.build.union(by);
        let mut counts = vec![0; build.blocks().len()];
        for file in self.build.files() {
            let (first, end) = build.find(file.name).expect("a union has all files").range;
            counts[first..end].copy_from_slice(&self.counts[file.range.0..file.range.1]);
        }
        Self { mode: self.mode, build: Arc::new(build), counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Limits, parse, write};

    fn text(profile: &Profile) -> String {
        let mut text = Vec::new();
        write(profile.mode, &profile.build, &profile.counts, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn two_blocks_at_one_place_count_both() {
        let block = |line, statements| Block { start: (line, 1), end: (line, 9), statements };
        let (a, b) = ([block(1, 7), block(2, 7)], [block(1, 1), block(1, 1), block(3, 2)]);
        let added = Profile::not_executed(Mode::Count, [("a.go", &a[..]), ("b.go", &b[..])].into_iter());
        assert_eq!(
            text(&added),
            "mode: count\na.go:1.1,1.9 7 0\na.go:2.1,2.9 7 0\nb.go:1.1,1.9 1 0\nb.go:1.1,1.10 1 0\nb.go:3.1,3.9 2 0\n"
        );
    }

    #[test]
    fn a_widened_profile_keeps_its_counts_and_its_own_files() {
        let block = |line, statements| Block { start: (line, 1), end: (line, 9), statements };
        let blocks = [block(1, 7), block(3, 2)];
        let files = [("a.go", &blocks[..]), ("b.go", &blocks[..])];
        let added = Profile::not_executed(Mode::Set, files.into_iter());
        let profile = "mode: count\na.go:1.1,2.2 1 5\nc.go:1.1,2.2 1 4\n";
        let widened = parse(profile.as_bytes(), Limits::default()).unwrap().widened(&added.build);
        assert_eq!(
            text(&widened),
            "mode: count\na.go:1.1,2.2 1 5\nb.go:1.1,1.9 7 0\nb.go:3.1,3.9 2 0\nc.go:1.1,2.2 1 4\n"
        );
    }
}
