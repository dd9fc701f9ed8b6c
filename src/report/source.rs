//! The source of a file in a report: its functions and lines, or the reason why it has none.

use std::fmt;

use super::functions::{FunctionReport, block_coverage, covered_functions};
use super::html::{self, Packer};
use super::lines::{self, LineReport};
use crate::carry::Carried;
use crate::code::gosrc::{CodeLines, LostLink, ScannedFile, SyntaxError};
use crate::coverage::Coverage;
use crate::filter::FilteredFile;
use crate::profile::{BuildFile, Profile};

/// The reason for which the source of a file is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoSource {
    /// No source was requested, or no repository was available.
    NotRead,
    /// No file of the commit has that import path. The file was generated at build time, belongs to a dependency, or
    /// was outside of the repository.
    NotInCommit,
    /// The repository lacks the file's content.
    NotInRepository,
    /// The file is larger than files that people write.
    TooLarge,
    /// The commit has a symbolic link there that leads to no file of the commit.
    Link(LostLink),
    /// The text in the commit does not parse.
    DoesNotParse(SyntaxError),
}

impl fmt::Display for NoSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRead => f.write_str("no source was read"),
            Self::NotInCommit => f.write_str("not in the commit"),
            Self::NotInRepository => f.write_str("its content is not in the repository"),
            Self::TooLarge => f.write_str("too large"),
            Self::Link(why) => write!(f, "{why}"),
            Self::DoesNotParse(error) => write!(f, "does not parse, {error}"),
        }
    }
}

/// The source of one file of a profile.
#[derive(Clone, Debug)]
pub(crate) struct FileSource {
    /// Path from the root of the repository; `None` when the file is not in it.
    pub(super) path: Option<Box<str>>,
    /// Declarations of its text, or the reason why it has no text.
    pub(super) read: Result<Declarations, NoSource>,
    /// Its lines; empty if no form needs them.
    pub(super) lines: Vec<LineReport>,
    /// Covered and all statements at this commit alone; `None` if nothing carried is shown.
    pub(super) own: Option<Coverage>,
    /// Its text; `None` if no form quotes it, or if line comments give the blocks positions of another text.
    pub(super) text: Option<Box<[u8]>>,
    /// Position of its text in the packs; `None` if no form shows it.
    pub(super) pack_slot: Option<html::PackSlot>,
}

/// The data that the forms of a run need of each file, beyond its blocks and functions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FileNeeds<'p> {
    /// A form needs the lines.
    pub lines: bool,
    /// The packer of the text, if a form shows it.
    pub packer: Option<&'p Packer<'p>>,
    /// A form quotes lines of the text.
    pub quotes: bool,
    /// What is carried to the profile from other commits, if that is shown apart.
    pub carried: Option<&'p Carried>,
}

impl FileNeeds<'_> {
    /// Returns the origin of each carried block of a file; empty if nothing is carried.
    fn carried_of(&self, file: &BuildFile<'_>) -> &[u32] {
        self.carried.map_or(&[], |carried| carried.origins_of(file.range))
    }

    /// Returns the coverage of a file without what is carried; `None` if nothing carried is shown.
    fn own_of(&self, file: &BuildFile<'_>, counts: &[u64]) -> Option<Coverage> {
        let carried = self.carried?.origins_of(file.range);
        let blocks = file.blocks.iter().zip(counts.iter().zip(carried));
        let own = |(&count, &origin): (&u64, &u32)| if origin == 0 { count } else { 0 };
        Some(blocks.map(|(block, counts)| block_coverage(block, own(counts))).sum())
    }

    /// Returns the lines of a file with what is carried; empty if no form needs them.
    fn lines_of(
        &self,
        file: &BuildFile<'_>,
        counts: &[u64],
        code: Option<&CodeLines<'_>>,
    ) -> Vec<LineReport> {
        if !self.lines {
            return Vec::new();
        }
        let mut lines = lines::from_blocks(file.blocks, counts, code);
        if self.carried.is_some() {
            lines::set_carried(&mut lines, file.blocks, self.carried_of(file), code);
        }
        lines
    }
}

/// The declarations of a text.
#[derive(Clone, Debug)]
pub(super) struct Declarations {
    pub(super) functions: Vec<FunctionReport>,
    pub(super) is_generated: bool,
}

impl FileSource {
    /// Returns the sources of a profile's files when nothing was read.
    #[must_use]
    pub(crate) fn not_read(profile: &Profile, needs: FileNeeds<'_>) -> Vec<Self> {
        let files = profile.build.files();
        let source = |file: BuildFile<'_>| {
            let counts = &profile.counts[file.range.0..file.range.1];
            Self::without_text(None, NoSource::NotRead, &file, counts, needs)
        };
        files.map(source).collect()
    }

    /// Returns the source of a file without text. Its lines are those that its blocks span.
    #[must_use]
    pub(crate) fn without_text(
        path: Option<&str>,
        why: NoSource,
        file: &BuildFile<'_>,
        counts: &[u64],
        needs: FileNeeds<'_>,
    ) -> Self {
        let lines = needs.lines_of(file, counts, None);
        let own = needs.own_of(file, counts);
        let source =
            Self { path: path.map(Into::into), read: Err(why), lines, own, text: None, pack_slot: None };
        source.packed(file, counts, None, needs)
    }

    /// Returns the source of a file whose text was read and scanned. The slow work is done here, because many threads
    /// call this function.
    #[must_use]
    pub(crate) fn from_text(
        (path, text, scanned): (&str, &[u8], Result<ScannedFile, SyntaxError>),
        file: &BuildFile<'_>,
        counts: &[u64],
        needs: FileNeeds<'_>,
    ) -> Self {
        // Line comments (`//line`) give blocks positions of another text, which may lie beyond the end of this one. The
        // page shows such lines by number; forms that name lines of the file leave them out.
        let is_moved = scanned.as_ref().is_ok_and(|scanned| scanned.has_moved_lines);
        let code = scanned.as_ref().ok().filter(|_| needs.lines && !is_moved);
        let code = code.map(|scanned| CodeLines::new(text, scanned));
        let lines = needs.lines_of(file, counts, code.as_ref());
        let declared =
            scanned.map(|ScannedFile { functions, is_generated, has_moved_lines: _, spanning: _ }| {
                let carried = needs.carried_of(file);
                Declarations {
                    functions: covered_functions(file.blocks, counts, carried, functions),
                    is_generated,
                }
            });
        let read = declared.map_err(NoSource::DoesNotParse);
        let shown = (!is_moved).then_some(text);
        let quoted = shown.filter(|_| needs.quotes).map(Into::into);
        let own = needs.own_of(file, counts);
        let source = Self { path: Some(path.into()), read, lines, own, text: quoted, pack_slot: None };
        let mut source = source.packed(file, counts, shown, needs);
        if is_moved {
            source.lines = Vec::new();
        }
        source
    }

    fn packed(
        mut self,
        file: &BuildFile<'_>,
        counts: &[u64],
        text: Option<&[u8]>,
        needs: FileNeeds<'_>,
    ) -> Self {
        if let Some(packer) = needs.packer {
            let declared = self.read.as_ref().ok();
            let functions = declared.map_or(&[][..], |declared| &declared.functions);
            let path = self.path.as_deref();
            let candidate = FilteredFile {
                name: file.name,
                path,
                is_generated: declared.is_some_and(|declared| declared.is_generated),
                is_in_commit: is_in_commit(path, self.read.as_ref().err()),
            };
            let figures = html::FileFigures {
                blocks: file.blocks,
                counts,
                carried: needs.carried.map(|_| needs.carried_of(file)),
                lines: &self.lines,
                functions,
            };
            self.pack_slot = packer.put(candidate, &figures, text);
        }
        self
    }
}

pub(super) fn is_in_commit(path: Option<&str>, no_source: Option<&NoSource>) -> bool {
    path.is_some() && !matches!(no_source, Some(NoSource::Link(_)))
}
