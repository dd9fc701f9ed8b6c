//! The model of a report: files with their figures, and the packages that they make up.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::diff::Changes;
use super::functions::{FunctionReport, sum};
use super::head::ReportHead;
use super::html;
use super::labels::LabelShares;
use super::lines::{self, LineReport};
use super::marked::{CountedBlocks, FoundMark, ListedMark, MarkedFile, listed};
use super::source::{Declarations, FileSource, NoSource, is_in_commit};
use super::unused::Unused;
use crate::code::codeowners::CodeOwners;
use crate::coverage::Coverage;
use crate::filter::{Filter, FilteredFile};
use crate::profile::{Block, Mode, Profile};

/// A profile combined with its source.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    /// The row and the service.
    pub head: ReportHead,
    /// The mode of the profile.
    pub mode: Mode,
    /// The files in byte order of their names.
    pub files: Vec<FileReport<'a>>,
    /// The owners of files, if a page names them.
    pub owners: Option<CodeOwners>,
    /// The functions that nobody executed for some time, if the report is about them.
    pub unused: Option<Unused>,
}

/// A file of a profile.
#[derive(Clone, Debug)]
pub(crate) struct FileReport<'a> {
    /// Import path of the package, a slash and the file name.
    pub name: &'a str,
    /// Path from the root of the repository; `None` when the file is not in it.
    pub path: Option<Box<str>>,
    /// The blocks in order of their starts, without the statements that marks take out.
    pub blocks: Cow<'a, [Block]>,
    /// The count of each block.
    pub counts: Cow<'a, [u64]>,
    /// The blocks and counts of the profile.
    pub profile: (&'a [Block], &'a [u64]),
    /// Covered and all statements, inside and outside of functions, without those that marks take out.
    pub coverage: Coverage,
    /// The same of this commit alone; `None` unless what is carried from other commits is shown.
    pub own: Option<Coverage>,
    /// The covered statements by the runs that count together; `None` if a form shows no such parts.
    pub(super) labels: Option<LabelShares>,
    /// Covered and all statements that marks take out.
    pub ignored: Coverage,
    /// Functions in source order; empty without source.
    pub functions: Vec<FunctionReport>,
    /// Lines with code; empty if no form needs them.
    pub lines: Vec<LineReport>,
    /// Lines that were executed at least partly, and all lines.
    pub line_coverage: Coverage,
    /// A comment in the file says that a program wrote it.
    pub is_generated: bool,
    /// The reason for missing functions.
    pub no_source: Option<NoSource>,
    /// Text of the file; `None` if no form quotes it, or if line comments give the lines numbers of another text.
    pub text: Option<Box<[u8]>>,
    /// Its marks, and what they take out of it; `None` if they are not wanted or it has none.
    pub marked: Option<Box<MarkedFile>>,
    /// Lines with code of which marks take out all; empty if no form needs lines.
    pub ignored_lines: Vec<u32>,
    /// Position of its text and figures in the packs; `None` if no form shows them.
    pub(super) pack_slot: Option<html::PackSlot>,
}

impl FileReport<'_> {
    /// Returns the import path of its package.
    #[must_use]
    pub(crate) fn package(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(package, _)| package)
    }

    /// Returns its file name.
    #[must_use]
    pub(crate) fn base_name(&self) -> &str {
        self.name.rsplit_once('/').map_or(self.name, |(_, name)| name)
    }

    /// Tells whether the commit has the file. A link that leads to no file counts as missing.
    #[must_use]
    pub(crate) fn is_in_commit(&self) -> bool {
        is_in_commit(self.path.as_deref(), self.no_source.as_ref())
    }

    /// Tells whether its module could not be read, so that the commit may still have the file.
    #[must_use]
    pub(crate) fn is_of_unknown_module(&self) -> bool {
        self.path.is_none() && self.no_source == Some(NoSource::NotInRepository)
    }

    /// Returns the numbers of the blocks from which marks take statements, ascending, with the numbers of these.
    pub(crate) fn ignored_blocks(&self) -> &[(usize, u32)] {
        self.marked.as_ref().map_or(&[], |marked| &marked.ignored)
    }

    /// Returns runs of ignored lines, each with its first and last line and the reason of the mark, ascending. Of marks one in
    /// the other the inner one is named.
    pub(super) fn ignored_runs(&self) -> Vec<(u32, u32, &str)> {
        let marks = self.marked.as_ref().map_or(&[][..], |marked| &marked.marks);
        let mark_of = |line: u32| {
            let spans =
                |mark: &&FoundMark| mark.lines.is_some_and(|(first, last)| (first..=last).contains(&line));
            let around = marks.iter().filter(|mark| mark.statements > 0).filter(spans);
            // The inner one of two begins later, or ends earlier.
            around.max_by_key(|mark| mark.lines.map(|(first, last)| (first, Reverse(last))))
        };
        let mut runs: Vec<(u32, u32, &FoundMark)> = Vec::new();
        for &line in &self.ignored_lines {
            match (mark_of(line), runs.last_mut()) {
                (Some(mark), Some((_, last, of))) if std::ptr::eq(mark, *of) => *last = line,
                (Some(mark), _) => runs.push((line, line, mark)),
                (None, _) => {}
            }
        }
        runs.into_iter().map(|(first, last, mark)| (first, last, &*mark.reason)).collect()
    }

    /// Returns the blocks and parts of blocks that marks take out.
    pub(super) fn taken(&self) -> &[Block] {
        self.marked.as_ref().map_or(&[], |marked| &marked.taken.blocks)
    }

    /// Returns its path in the repository, or its import path when it is not in the repository.
    #[must_use]
    pub(crate) fn best_path(&self) -> &str {
        self.path.as_deref().unwrap_or(self.name)
    }
}

/// The files of one package.
#[derive(Clone, Debug)]
pub(crate) struct PackageReport<'r, 'a> {
    pub name: &'r str,
    /// Covered and all statements of its files.
    pub coverage: Coverage,
    /// Covered and all statements that marks take out of its files.
    pub ignored: Coverage,
    /// The files in byte order of their names.
    pub files: Vec<&'r FileReport<'a>>,
}

/// Returns the name of a package for people, which is `.` for files without a path.
pub(super) fn shown_package(name: &str) -> &str {
    if name.is_empty() { "." } else { name }
}

impl<'a> Report<'a> {
    /// Combines a profile with the sources of its files, which are in the same order.
    #[must_use]
    pub(crate) fn new(head: ReportHead, profile: &'a Profile, sources: Vec<FileSource>) -> Self {
        assert_eq!(profile.build.file_count(), sources.len(), "a source for each file");
        let files = profile.build.files().zip(sources);
        let files = files.map(|(file, source)| {
            let counts = &profile.counts[file.range.0..file.range.1];
            let FileSource { path, read, lines, own, text, pack_slot, labels, marked, ignored_lines } =
                source;
            let (functions, is_generated, no_source) = match read {
                Ok(Declarations { functions, is_generated }) => (functions, is_generated, None),
                Err(why) => (Vec::new(), false, Some(why)),
            };
            let mut marked = marked.map(Box::new);
            let (blocks, left_counts) = match &mut marked {
                Some(marked) => {
                    let CountedBlocks { blocks, counts, .. } = std::mem::take(&mut marked.left);
                    (Cow::Owned(blocks), Cow::Owned(counts))
                }
                None => (Cow::Borrowed(file.blocks), Cow::Borrowed(counts)),
            };
            FileReport {
                name: file.name,
                path,
                coverage: sum(&blocks, &left_counts, |_| true),
                blocks,
                counts: left_counts,
                profile: (file.blocks, counts),
                ignored: marked.as_ref().map(|marked| marked.ignored_coverage()).unwrap_or_default(),
                marked,
                ignored_lines,
                own,
                labels,
                functions,
                line_coverage: lines::coverage(&lines),
                lines,
                is_generated,
                no_source,
                text,
                pack_slot,
            }
        });
        Self { head, mode: profile.mode, files: files.collect(), owners: None, unused: None }
    }

    /// Returns the covered and all statements of all files. Each block counts once.
    #[must_use]
    pub(crate) fn coverage(&self) -> Coverage {
        self.files.iter().map(|file| file.coverage).sum()
    }

    /// Returns the covered and all statements that marks take out of the files.
    #[must_use]
    pub(crate) fn ignored(&self) -> Coverage {
        self.files.iter().map(|file| file.ignored).sum()
    }

    /// Returns the marks of the files, in order.
    pub(crate) fn marks(&self) -> impl Iterator<Item = ListedMark<'_>> {
        self.files.iter().flat_map(|file| listed(file.best_path(), file.marked.as_deref()))
    }

    /// Finds out which marks are on code that a profile executed, in place of the report's own. Both have the same blocks.
    pub(crate) fn judge_marks_by(&mut self, profile: &Profile) {
        for file in &mut self.files {
            let range = profile.build.find(file.name).map(|found| found.range);
            if let (Some(marked), Some((first, end))) = (&mut file.marked, range) {
                marked.set_executed(&profile.counts[first..end]);
            }
        }
    }

    /// Returns the packages in byte order of their import paths.
    #[must_use]
    pub(crate) fn packages(&self) -> Vec<PackageReport<'_, 'a>> {
        let mut packages: BTreeMap<&str, Vec<&FileReport<'a>>> = BTreeMap::new();
        for file in &self.files {
            packages.entry(file.package()).or_default().push(file);
        }
        let packages = packages.into_iter();
        packages
            .map(|(name, files)| {
                let coverage = files.iter().map(|file| file.coverage).sum();
                let ignored = files.iter().map(|file| file.ignored).sum();
                PackageReport { name, coverage, ignored, files }
            })
            .collect()
    }

    /// Removes the files that a filter leaves out.
    pub(crate) fn retain(&mut self, filter: &Filter) {
        self.files.retain(|file| {
            filter.takes(FilteredFile {
                name: file.name,
                path: file.path.as_deref(),
                is_generated: file.is_generated,
                is_in_commit: file.is_in_commit(),
            })
        });
    }

    /// Removes the files that did not change.
    pub(crate) fn retain_changed(&mut self, changes: &Changes) {
        let paths = changes.paths_after();
        self.files.retain(|file| file.path.as_deref().is_some_and(|path| paths.contains(path)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::with_report;

    #[test]
    fn files_of_a_package_stand_together_though_another_lies_between() {
        let profile = "mode: set\na/b/a.go:1.1,2.2 1 1\na/b/c/y.go:1.1,2.2 1 0\na/b/x.go:1.1,2.2 1 0\n";
        with_report(profile, &[None, None, None], |report| {
            let packages: Vec<_> = report
                .packages()
                .iter()
                .map(|package| (package.name, package.files.len(), package.coverage.covered))
                .collect();
            assert_eq!(packages, [("a/b", 2, 1), ("a/b/c", 1, 0)]);
        });
    }
}
