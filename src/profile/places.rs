//! The move of blocks to distinct places, which Go's tools need.

use std::sync::Arc;

use super::{Block, Build, BuildFile, Profile};

impl Profile {
    /// Returns the profile with each block of a file at its own place, so that Go's own tools can read it.
    ///
    /// Line comments of generated parsers put different code at one place. `cover.ParseProfiles` of golang.org/x/tools
    /// refuses such blocks if their numbers of statements differ. Go's cover tool writes the later one with an end a
    /// column further (`dedup` in cmd/cover), and so does this function. Statements and counts stay the same.
    #[must_use]
    pub fn at_distinct_places(self) -> Self {
        if !self.build.files().any(|file| shares_places(file.blocks)) {
            return self;
        }
        let apart: Vec<Option<Vec<Block>>> =
            self.build.files().map(|file| moved_apart(file.blocks)).collect();
        let files: Vec<BuildFile<'_>> = self
            .build
            .files()
            .zip(&apart)
            .map(|(file, apart)| BuildFile { blocks: apart.as_deref().unwrap_or(file.blocks), ..file })
            .collect();
        let build = Arc::new(Build::from_files(&files));
        Self { build, ..self }
    }
}

fn shares_places(blocks: &[Block]) -> bool {
    blocks.windows(2).any(|pair| (pair[0].start, pair[0].end) == (pair[1].start, pair[1].end))
}

/// Moves ends until no two blocks are at one place, and keeps their order. Returns `None` if no move is needed, or if
/// the columns are not enough, as in a hostile profile.
fn moved_apart(blocks: &[Block]) -> Option<Vec<Block>> {
    if !shares_places(blocks) {
        return None;
    }
    let mut apart: Vec<Block> = Vec::with_capacity(blocks.len());
    for &block in blocks {
        let mut block = block;
        if let Some(last) = apart.last()
            && (last.start, last.end.0) == (block.start, block.end.0)
            && last.end.1 >= block.end.1
        {
            block.end.1 = last.end.1.checked_add(1)?;
        }
        apart.push(block);
    }
    Some(apart)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::Mode;
    use super::super::tests::{canonical, profile, text};
    use super::*;

    fn apart(lines: &str) -> String {
        let text = canonical(&profile(format!("mode: count\n{lines}")).at_distinct_places());
        text.strip_prefix("mode: count\n").unwrap().to_owned()
    }

    #[test]
    fn the_later_of_two_blocks_at_one_place_ends_a_column_further() {
        let other = "b.go:1.1,2.2 1 0\nb.go:1.1,9.2 2 1\n";
        assert_eq!(apart(other), other);
        assert_eq!(
            apart(
                "a.go:5.0,5.0 1 3\na.go:5.0,5.0 3 0\na.go:5.0,5.0 4 1\na.go:5.0,5.1 2 7\na.go:5.0,6.0 2 9\n"
            ),
            "a.go:5.0,5.0 1 3\na.go:5.0,5.1 3 0\na.go:5.0,5.2 4 1\na.go:5.0,5.3 2 7\na.go:5.0,6.0 2 9\n"
        );
    }

    #[test]
    fn columns_that_do_not_suffice_leave_a_file_as_it_is() {
        let last = "a.go:5.0,5.4294967295 1 3\na.go:5.0,5.4294967295 3 0\n";
        assert_eq!(apart(last), last);
    }

    proptest! {
        #[test]
        fn no_place_is_there_twice_and_every_figure_stays(
            rows in prop::collection::vec(((0..3_u32, 0..3_u32), 0..4_u32, 0..3_u64), 1..40)
        ) {
            let lines = rows.iter().map(|&((start, end), statements, count)| {
                (Block { start: (5, start), end: (5, end), statements }, count)
            });
            let before = profile(text(Mode::Count, &[("a.go".to_owned(), lines.collect())]));
            let after = before.clone().at_distinct_places();
            let places: BTreeSet<_> = after.build.blocks().iter().map(|block| (block.start, block.end)).collect();
            prop_assert_eq!(places.len(), before.build.blocks().len());
            prop_assert_eq!(after.coverage(), before.coverage());
            prop_assert_eq!(&after.counts, &before.counts);
            prop_assert_eq!(&profile(canonical(&after)), &after, "its order is the canonical one");
        }
    }
}
