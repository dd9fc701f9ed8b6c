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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::write;

    #[test]
    fn two_blocks_at_one_place_count_both() {
        let block = |line, statements| Block { start: (line, 1), end: (line, 9), statements };
        let (a, b) = ([block(1, 7), block(2, 7)], [block(1, 1), block(1, 1), block(3, 2)]);
        let added = Profile::not_executed(Mode::Count, [("a.go", &a[..]), ("b.go", &b[..])].into_iter());
        let mut text = Vec::new();
        write(added.mode, &added.build, &added.counts, &mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "mode: count\na.go:1.1,1.9 7 0\na.go:2.1,2.9 7 0\nb.go:1.1,1.9 1 0\nb.go:1.1,1.10 1 0\nb.go:3.1,3.9 2 0\n"
        );
    }
}
