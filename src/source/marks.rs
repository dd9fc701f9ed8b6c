//! The marks in the source of a profile, for a total without a report.

use std::collections::HashMap;

use anyhow::{Result, bail};

use super::{RepositoryCommit, SourceReader, SourceTree};
use crate::coverage::Coverage;
use crate::names::in_message;
use crate::phrases::count;
use crate::profile::Profile;
use crate::report::marked::{ListedMark, MarkJson, MarkedFile, listed};
use crate::report::{FileNeeds, FileSource, NoSource, Report};

/// The marks in the source of a profile, and what they take out.
pub(crate) struct MarkedProfile {
    files: Vec<FileOfMarks>,
}

/// A file of a profile, with its marks.
struct FileOfMarks {
    /// Import path of the package, a slash and the file name.
    name: Box<str>,
    path: Box<str>,
    /// `None` without marks.
    marked: Option<MarkedFile>,
    no_source: Option<NoSource>,
}

/// Fails if the clone lacks the text of a file of a report, so that something is `unknown`: its marks, its functions.
pub(crate) fn check_texts(report: &Report<'_>, unknown: &str) -> Result<()> {
    check_texts_of(report.files.iter().map(|file| (file.best_path(), file.no_source.as_ref())), unknown)
}

/// Does the same for files that come with the reasons why they have no text.
fn check_texts_of<'f>(
    files: impl Iterator<Item = (&'f str, Option<&'f NoSource>)>,
    unknown: &str,
) -> Result<()> {
    let is_lacking = |why: &NoSource| matches!(why, NoSource::NotRead | NoSource::NotInRepository);
    let lacking: Vec<&str> =
        files.filter(|(_, why)| why.is_some_and(is_lacking)).map(|(file, _)| file).collect();
    let Some(first) = lacking.first() else { return Ok(()) };
    bail!(
        "the clone lacks the text of {}, such as \"{}\", so the {unknown} there are unknown; git fetch in the clone gets \
         what the remote has, and without --offline it is fetched",
        count(lacking.len(), "files"),
        in_message(first)
    )
}

impl SourceReader<'_> {
    /// Finds the marks in the source of a profile at a commit; fails if the clone lacks a text.
    pub(crate) fn marks(
        &self,
        profile: &Profile,
        (at, tree): (&RepositoryCommit, &SourceTree),
    ) -> Result<MarkedProfile> {
        let needs = FileNeeds { marks: true, ..FileNeeds::default() };
        let sources = self.sources(profile, (at, tree), &HashMap::new(), |_| true, needs)?;
        let file = |(name, source): (&str, FileSource)| {
            let path = source.path().unwrap_or(name).into();
            let no_source = source.no_source().cloned();
            FileOfMarks { name: name.into(), path, marked: source.into_marked(), no_source }
        };
        let names = profile.build.files().map(|file| file.name);
        let files: Vec<FileOfMarks> = names.zip(sources).map(file).collect();
        check_texts_of(files.iter().map(|file| (&*file.path, file.no_source.as_ref())), "marks")?;
        Ok(MarkedProfile { files })
    }
}

impl MarkedProfile {
    /// Returns the covered and all statements that marks take out.
    pub(crate) fn ignored(&self) -> Coverage {
        self.files.iter().filter_map(|file| Some(file.marked.as_ref()?.ignored_coverage())).sum()
    }

    /// Returns the marks in order of the files.
    pub(crate) fn marks(&self) -> impl Iterator<Item = ListedMark<'_>> {
        self.files.iter().flat_map(|file| listed(&file.path, file.marked.as_ref()))
    }

    /// Returns the marks in the form for scripts.
    pub(crate) fn json(&self) -> Vec<MarkJson<'_>> {
        self.marks().map(MarkJson::from).collect()
    }

    /// Returns the names of the files, each with the numbers of the blocks from which statements are taken, ascending, and the
    /// numbers of these.
    pub(crate) fn ignored_blocks(&self) -> impl Iterator<Item = (&str, &[(usize, u32)])> {
        self.files.iter().map(|file| {
            let blocks = file.marked.as_ref().map_or(&[][..], |marked| &marked.ignored);
            (&*file.name, blocks)
        })
    }
}
