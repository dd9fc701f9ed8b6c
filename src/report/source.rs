//! The source of a file in a report: its functions and lines, or the reason why it has none.

use std::fmt;

use super::functions::{FunctionReport, block_coverage, covered_functions};
use super::html::{self, Packer};
use super::labels::{FileLabels, LabelShares};
use super::lines::{self, LineReport};
use super::marked::MarkedFile;
use crate::carry::BlockOrigins;
use crate::code::gosrc::{CodeLines, LostLink, Marks, ScannedFile, SyntaxError};
use crate::coverage::Coverage;
use crate::filter::FilteredFile;
use crate::profile::{Block, BuildFile, Profile};
use crate::together::BlockLabels;

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
    /// Its figures by the runs that count together; `None` if a form shows no such parts.
    pub(super) labels: Option<LabelShares>,
    /// The marks of its text, if they are wanted and it has some.
    pub(super) marked: Option<MarkedFile>,
    /// Lines with code of which marks take out all.
    pub(super) ignored_lines: Vec<u32>,
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
    pub carried: Option<&'p BlockOrigins>,
    /// The runs that executed each block of the profile, if a page shows that.
    pub labels: Option<&'p BlockLabels>,
    /// Marks in the text take statements out. They exclude labels.
    pub marks: bool,
}

/// The blocks of a file that count.
#[derive(Clone, Copy)]
struct CountedFile<'b> {
    blocks: &'b [Block],
    counts: &'b [u64],
    /// The origin of each carried block; `None` if nothing carried is shown.
    carried: Option<&'b [u32]>,
    labels: Option<&'b FileLabels<'b>>,
}

impl CountedFile<'_> {
    /// Returns the coverage without what is carried; `None` if nothing carried is shown.
    fn own(&self) -> Option<Coverage> {
        let blocks = self.blocks.iter().zip(self.counts.iter().zip(self.carried?));
        let own = |(&count, &origin): (&u64, &u32)| if origin == 0 { count } else { 0 };
        Some(blocks.map(|(block, counts)| block_coverage(block, own(counts))).sum())
    }

    /// Returns the lines with what is carried.
    fn lines(&self, code: Option<&CodeLines<'_>>) -> Vec<LineReport> {
        let mut lines = lines::from_blocks(self.blocks, self.counts, code);
        if let Some(carried) = self.carried {
            lines::set_carried(&mut lines, self.blocks, carried, code);
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
        let carried = needs.carried.map(|carried| carried.of(file.range));
        let labels = needs.labels.map(|labels| FileLabels::new(labels, file, None, &[]));
        let counted = CountedFile { blocks: file.blocks, counts, carried, labels: labels.as_ref() };
        let lines = if needs.lines { counted.lines(None) } else { Vec::new() };
        let source = Self { lines, own: counted.own(), ..Self::new(path.map(Into::into), Err(why)) };
        let source = source.packed(file.name, counted, None, needs);
        Self { labels: labels.map(|labels| labels.shares), ..source }
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
        let marks = scanned.as_ref().ok().filter(|_| needs.marks).and_then(|_| Marks::of(text));
        let marked = marks.map(|marks| MarkedFile::new(&marks, (file.blocks, counts), is_moved));
        let carried = needs.carried.map(|carried| carried.of(file.range));
        let left_carried = marked.as_ref().zip(carried).map(|(marked, carried)| marked.left_of(carried));
        let counted = match &marked {
            None => CountedFile { blocks: file.blocks, counts, carried, labels: None },
            Some(marked) => {
                let (blocks, counts) = marked.left.slices();
                CountedFile { blocks, counts, carried: left_carried.as_deref(), labels: None }
            }
        };
        let lines = if needs.lines { counted.lines(code.as_ref()) } else { Vec::new() };
        let ignored_lines = match &marked {
            Some(marked) if needs.lines && !marked.ignored.is_empty() => {
                let (blocks, counts) = marked.taken.slices();
                lines::without(&lines::from_blocks(blocks, counts, code.as_ref()), &lines)
            }
            _ => Vec::new(),
        };
        let functions = scanned.as_ref().map_or(&[][..], |scanned| &scanned.functions);
        let labels = needs.labels.map(|labels| FileLabels::new(labels, file, code.as_ref(), functions));
        let counted = CountedFile { labels: labels.as_ref(), ..counted };
        let declared =
            scanned.map(|ScannedFile { functions, is_generated, has_moved_lines: _, spanning: _ }| {
                let CountedFile { blocks, counts, carried, labels: _ } = counted;
                let mut functions = covered_functions(blocks, counts, carried.unwrap_or_default(), functions);
                if let Some(marked) = &marked {
                    marked.count_in(&mut functions);
                }
                Declarations { functions, is_generated }
            });
        let read = declared.map_err(NoSource::DoesNotParse);
        let shown = (!is_moved).then_some(text);
        let quoted = shown.filter(|_| needs.quotes).map(Into::into);
        let source = Self { lines, own: counted.own(), text: quoted, ..Self::new(Some(path.into()), read) };
        let mut source = source.packed(file.name, counted, shown, needs);
        if is_moved {
            source.lines = Vec::new();
        }
        Self { marked, ignored_lines, labels: labels.map(|labels| labels.shares), ..source }
    }

    fn new(path: Option<Box<str>>, read: Result<Declarations, NoSource>) -> Self {
        let (lines, ignored_lines) = (Vec::new(), Vec::new());
        Self {
            path,
            read,
            lines,
            own: None,
            text: None,
            pack_slot: None,
            labels: None,
            marked: None,
            ignored_lines,
        }
    }

    /// Returns its path from the root of the repository; `None` when the file is not in it.
    pub(crate) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Returns the marks of its text, if they are wanted and it has some.
    pub(crate) fn into_marked(self) -> Option<MarkedFile> {
        self.marked
    }

    /// Returns the reason why it has no text.
    pub(crate) fn no_source(&self) -> Option<&NoSource> {
        self.read.as_ref().err()
    }

    fn packed(
        mut self,
        name: &str,
        counted: CountedFile<'_>,
        text: Option<&[u8]>,
        needs: FileNeeds<'_>,
    ) -> Self {
        if let Some(packer) = needs.packer {
            let declared = self.read.as_ref().ok();
            let functions = declared.map_or(&[][..], |declared| &declared.functions);
            let path = self.path.as_deref();
            let candidate = FilteredFile {
                name,
                path,
                is_generated: declared.is_some_and(|declared| declared.is_generated),
                is_in_commit: is_in_commit(path, self.read.as_ref().err()),
            };
            let CountedFile { blocks, counts, carried, labels } = counted;
            let lines = &self.lines;
            let figures = html::FileFigures { blocks, counts, carried, lines, functions, labels };
            self.pack_slot = packer.put(candidate, &figures, text);
        }
        self
    }
}

pub(super) fn is_in_commit(path: Option<&str>, no_source: Option<&NoSource>) -> bool {
    path.is_some() && !matches!(no_source, Some(NoSource::Link(_)))
}
