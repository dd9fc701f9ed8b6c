//! What a profile says of its source: the one model that every format is written from.
//!
//! Pure: a profile and what is known of each of its files go in, figures come out; a format takes those
//! and writes bytes.

mod func;

use std::io::{self, Write};

use crate::coverage::Coverage;
use crate::gosrc::{FuncExtent, Scanned, SyntaxError};
use crate::profile::{Block, Profile};

/// Why the functions of a file are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSource {
    /// No file of the commit has that import path: it was generated at build time, is a dependency's,
    /// or lay outside of the repository.
    NotInCommit,
    /// The repository lacks the file's content.
    NotInRepository,
    /// What the commit has does not parse.
    DoesNotParse(SyntaxError),
}

impl std::fmt::Display for NoSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotInCommit => f.write_str("not in the commit"),
            Self::NotInRepository => f.write_str("its content is not in the repository"),
            Self::DoesNotParse(error) => write!(f, "does not parse, {error}"),
        }
    }
}

/// A profile, laid over its source.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// In byte order of their names.
    pub files: Vec<FileReport<'a>>,
}

/// One file of a profile.
#[derive(Clone, Debug)]
pub struct FileReport<'a> {
    /// Import path and file name.
    pub name: &'a str,
    /// All its statements, inside of functions or not.
    pub coverage: Coverage,
    /// In source order; none where there is no source.
    pub functions: Vec<FunctionReport>,
    /// Why there are no functions.
    pub no_source: Option<NoSource>,
}

/// One function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionReport {
    /// Bare name, and where it lies.
    pub extent: FuncExtent,
    /// Statements of the blocks that overlap it; a closure counts for the function around it.
    pub coverage: Coverage,
}

impl<'a> Report<'a> {
    /// Lays a profile over its source: of each of its files, in order, what was found in it.
    #[must_use]
    pub fn new(profile: &'a Profile, sources: Vec<Result<Scanned, NoSource>>) -> Self {
        assert_eq!(profile.build.file_count(), sources.len(), "a source for each file");
        let files = profile.build.files().zip(sources);
        let files = files.map(|(file, source)| {
            let counts = &profile.counts[file.range.0..file.range.1];
            let (functions, no_source) = match source {
                Ok(scanned) => (covered_functions(file.blocks, counts, scanned.functions), None),
                Err(why) => (Vec::new(), Some(why)),
            };
            FileReport { name: file.name, coverage: sum(file.blocks, counts, |_| true), functions, no_source }
        });
        Self { files: files.collect() }
    }

    /// Returns the statements of the whole profile, each block once.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.files.iter().map(|file| file.coverage).sum()
    }

    /// Writes what `go tool cover -func` prints.
    pub fn write_func(&self, out: &mut impl Write) -> io::Result<()> {
        func::write(self, out)
    }
}

/// Counts for each function the blocks that overlap it, as Go does (`coverage` in its cmd/cover/func.go).
///
/// Blocks stand in order of their starts; their ends need not ascend, and line comments can put functions
/// anywhere.
fn covered_functions(blocks: &[Block], counts: &[u64], functions: Vec<FuncExtent>) -> Vec<FunctionReport> {
    let mut furthest = (0, 0);
    // The furthest end so far ascends, so that what ends before a function is left out at once.
    let furthest_ends: Vec<(u32, u32)> = blocks
        .iter()
        .map(|block| {
            furthest = furthest.max(block.end);
            furthest
        })
        .collect();
    let covered = |extent: FuncExtent| {
        let first = furthest_ends.partition_point(|end| *end <= extent.start);
        let last = blocks.partition_point(|block| block.start < extent.end).max(first);
        let coverage = sum(&blocks[first..last], &counts[first..last], |block| block.end > extent.start);
        FunctionReport { extent, coverage }
    };
    functions.into_iter().map(covered).collect()
}

fn sum(blocks: &[Block], counts: &[u64], counted: impl Fn(&Block) -> bool) -> Coverage {
    let counted = blocks.iter().zip(counts).filter(|(block, _)| counted(block));
    counted
        .map(|(block, &count)| {
            let statements = u64::from(block.statements);
            Coverage { covered: if count > 0 { statements } else { 0 }, total: statements }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gosrc::scan;
    use crate::profile::{Limits, parse};

    fn func(profile: &str, sources: &[Option<&str>]) -> String {
        let profile = parse(profile.as_bytes(), Limits::default()).unwrap();
        let sources = sources.iter().map(|source| match source {
            Some(source) => scan(source.as_bytes()).map_err(NoSource::DoesNotParse),
            None => Err(NoSource::NotInCommit),
        });
        let mut out = Vec::new();
        Report::new(&profile, sources.collect()).write_func(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn closures_count_for_the_function_around_them_and_variables_for_none() {
        let source = "package p\nvar v = func() int {\n\treturn 1\n}\n\nfunc a() {\n\tf := func() {\n\t\tb()\n\t}\n\tf()\n}\n\nfunc b() {}\n";
        let profile = "mode: set\nm/p.go:2.20,4.2 1 1\nm/p.go:6.10,7.13 1 1\nm/p.go:7.13,9.3 1 0\nm/p.go:9.3,11.2 1 1\n";
        assert_eq!(
            func(profile, &[Some(source)]),
            "m/p.go:6:\ta\t\t66.7%\nm/p.go:13:\tb\t\t0.0%\ntotal:\t\t(statements)\t66.7%\n"
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_cell_in_characters() {
        let source = "package p\nfunc größer() {}\nfunc 日本語日本語日() {}\n";
        assert_eq!(
            func("mode: set\nexample.com/p.go:2.15,2.16 0 0\n", &[Some(source)]),
            "example.com/p.go:2:\tgrößer\t\t0.0%\nexample.com/p.go:3:\t日本語日本語日\t\t0.0%\ntotal:\t\t\t(statements)\t0.0%\n"
        );
    }

    #[test]
    fn a_file_without_source_counts_and_has_no_rows() {
        let profile = "mode: set\na/x.go:1.1,2.2 3 1\nb/y.go:3.1,4.2 1 1\n";
        assert_eq!(
            func(profile, &[None, Some("package p\n\nfunc f() {\n}")]),
            "b/y.go:3:\tf\t\t100.0%\ntotal:\t\t(statements)\t100.0%\n"
        );
        let parsed = parse(profile.as_bytes(), Limits::default()).unwrap();
        let report = Report::new(&parsed, vec![Err(NoSource::NotInCommit), Err(NoSource::NotInRepository)]);
        assert_eq!(report.coverage(), Coverage { covered: 4, total: 4 });
        assert_eq!(func("mode: set\n", &[]), "total:\t(statements)\t0.0%\n");
    }

    #[test]
    fn a_block_that_overlaps_two_functions_counts_in_each() {
        let source = "package p\nfunc a() {}\nfunc b() {}\n";
        assert_eq!(
            func("mode: set\nm/p.go:2.10,3.11 2 1\n", &[Some(source)]),
            "m/p.go:2:\ta\t\t100.0%\nm/p.go:3:\tb\t\t100.0%\ntotal:\t\t(statements)\t100.0%\n"
        );
    }
}
