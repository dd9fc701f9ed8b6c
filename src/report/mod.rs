//! What a profile says of its source: the one model that every format is written from.
//!
//! Pure: a profile and what is known of each of its files go in, figures come out; a format takes those
//! and writes bytes. Statements are what is counted; lines are there for the formats that know nothing
//! else.

mod badge;
mod cobertura;
mod codecov;
pub(crate) mod diff;
mod func;
mod html;
mod json;
mod lcov;
mod lines;
mod markdown;
mod readers;
#[cfg(test)]
mod schema;
pub(crate) mod site;

#[cfg(test)]
mod testing;
mod text;
mod xml;

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, TimeDelta, Utc};

use crate::code::gosrc::{CodeLines, FuncExtent, LostLink, Scanned, SyntaxError};
use crate::coverage::Coverage;
use crate::filter::{Candidate, Filter};
use crate::profile::{Block, BuildFile, Profile};

use diff::{Changes, DiffReport};

pub(crate) use html::Packer;
pub(crate) use lines::{LineReport, LineState, MissedRange, missed_line_ranges};
pub(crate) use text::{Layout, Order};

/// Why the source of a file is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoSource {
    /// No source was looked for, or there was none to look in.
    NotRead,
    /// No file of the commit has that import path: it was generated at build time, is a dependency's,
    /// or lay outside of the repository.
    NotInCommit,
    /// The repository lacks the file's content.
    NotInRepository,
    /// The file is larger than any that people write.
    TooLarge,
    /// The commit has a link there that leads to no file of it.
    Link(LostLink),
    /// What the commit has does not parse.
    DoesNotParse(SyntaxError),
}

impl std::fmt::Display for NoSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

/// What is known of the source of one file of a profile.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// From the root of the repository; `None` for what is not in it.
    path: Option<Box<str>>,
    /// What its text says.
    read: Result<Declared, NoSource>,
    /// Its lines; none where no format asks for them.
    lines: Vec<LineReport>,
    /// Its text; none where nothing quotes it, or where blocks say nothing of its lines.
    text: Option<Box<[u8]>>,
    /// Where it is packed; `None` where no format shows it.
    pack_slot: Option<html::PackSlot>,
}

/// What the formats of a run ask of each file beyond its blocks and functions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wants<'p> {
    /// Something of its lines.
    pub lines: bool,
    /// Its text, to be shown, and who packs it.
    pub packer: Option<&'p Packer<'p>>,
    /// Its text, to quote some lines of.
    pub quotes: bool,
}

/// What a text declares.
#[derive(Clone, Debug)]
struct Declared {
    functions: Vec<FunctionReport>,
    is_generated: bool,
}

impl Source {
    /// A file that no text was read of; its lines are those that its blocks span.
    #[must_use]
    pub(crate) fn without_text(
        path: Option<&str>,
        why: NoSource,
        file: &BuildFile<'_>,
        counts: &[u64],
        wants: Wants<'_>,
    ) -> Self {
        let lines = if wants.lines { lines::of(file.blocks, counts, None) } else { Vec::new() };
        let source = Self { path: path.map(Into::into), read: Err(why), lines, text: None, pack_slot: None };
        source.packed(file, counts, None, wants)
    }

    /// A file whose text was read and scanned. What costs time is done here, where many can be at work.
    #[must_use]
    pub(crate) fn of_text(
        path: &str,
        text: &[u8],
        scanned: Result<Scanned, SyntaxError>,
        file: &BuildFile<'_>,
        counts: &[u64],
        wants: Wants<'_>,
    ) -> Self {
        // Line comments (`//line`) give blocks positions of another text, which may lie beyond the end of this one. The
        // page shows them by number; forms that name lines of the file leave them out.
        let is_moved = scanned.as_ref().is_ok_and(|scanned| scanned.has_moved_lines);
        let code = scanned.as_ref().ok().filter(|_| wants.lines && !is_moved);
        let code = code.map(|scanned| CodeLines::of(text, scanned));
        let blocks = file.blocks;
        let lines = if wants.lines { lines::of(blocks, counts, code.as_ref()) } else { Vec::new() };
        let declared = scanned.map(|Scanned { functions, is_generated, has_moved_lines: _, spanning: _ }| {
            Declared { functions: covered_functions(blocks, counts, functions), is_generated }
        });
        let read = declared.map_err(NoSource::DoesNotParse);
        let shown = (!is_moved).then_some(text);
        let quoted = shown.filter(|_| wants.quotes).map(Into::into);
        let source = Self { path: Some(path.into()), read, lines, text: quoted, pack_slot: None };
        let mut source = source.packed(file, counts, shown, wants);
        if is_moved {
            source.lines = Vec::new();
        }
        source
    }

    fn packed(mut self, file: &BuildFile<'_>, counts: &[u64], text: Option<&[u8]>, wants: Wants<'_>) -> Self {
        if let Some(packer) = wants.packer {
            let declared = self.read.as_ref().ok();
            let functions = declared.map_or(&[][..], |declared| &declared.functions);
            let path = self.path.as_deref();
            let candidate = Candidate {
                name: file.name,
                path,
                is_generated: declared.is_some_and(|declared| declared.is_generated),
                is_in_commit: is_in_commit(path, self.read.as_ref().err()),
            };
            let figures = html::Figures { blocks: file.blocks, counts, lines: &self.lines, functions };
            self.pack_slot = packer.put(candidate, &figures, text);
        }
        self
    }
}

/// What a report is of.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Name of the service.
    pub service: String,
    /// `''` where the name fits no pattern, as are the next four.
    pub env: String,
    /// Region.
    pub region: String,
    /// The whole name where it fits no pattern.
    pub app: String,
    /// Of the name listed last.
    pub branch: String,
    /// As the service's name has it, mostly abbreviated.
    pub commit: String,
    /// Full hash of the commit that the source is of; `None` where none was read.
    pub source_commit: Option<String>,
    /// Row of the database.
    pub row: i64,
    /// When the profile was stored.
    pub stored_at: DateTime<Utc>,
    /// When a pull last found it so; `None` for a row of the history.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// How long that is ago.
    pub age: TimeDelta,
    /// Replicas that answered, of those listed; `None` for rows of other hands.
    pub replicas: Option<(u32, u32)>,
    /// The row before it of the same app in its environment and region.
    pub previous: Option<Previous>,
    /// Totals of the same app in its environment and region up to this row, the newest last.
    pub trend: Vec<Point>,
    /// What was asked to be left out, in words; empty for a whole report.
    pub filters: Vec<String>,
    /// In a site, where the page of its app is from here.
    pub above: Option<String>,
}

impl Head {
    /// Returns in one line what a report is of: service, commit, time and age of the data, replicas.
    #[must_use]
    pub(crate) fn line(&self) -> String {
        text::headline(self)
    }

    /// Returns the commit by the longest hash that is known.
    #[must_use]
    pub(crate) fn best_commit(&self) -> &str {
        self.source_commit.as_deref().unwrap_or(&self.commit)
    }
}

/// An earlier row, to compare with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Previous {
    /// Row of the database.
    pub row: i64,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
    /// Its commit, as its service's name has it.
    pub commit: String,
    /// Its statements; `None` for rows of other hands.
    pub coverage: Option<Coverage>,
}

/// A total of the history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
    /// Its commit, as its service's name has it.
    pub commit: String,
    /// Of all its statements.
    pub percent: f64,
}

/// A profile, laid over its source.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    /// What it is of.
    pub head: Head,
    /// In byte order of their names.
    pub files: Vec<FileReport<'a>>,
}

/// One file of a profile.
#[derive(Clone, Debug)]
pub(crate) struct FileReport<'a> {
    /// Import path and file name.
    pub name: &'a str,
    /// From the root of the repository; `None` for what is not in it.
    pub path: Option<Box<str>>,
    /// In order of their starts.
    pub blocks: &'a [Block],
    /// One for each block.
    pub counts: &'a [u64],
    /// All its statements, inside of functions or not.
    pub coverage: Coverage,
    /// In source order; none where there is no source.
    pub functions: Vec<FunctionReport>,
    /// Lines with code in some block; none where no format asks for them.
    pub lines: Vec<LineReport>,
    /// Lines that were executed at least partly, of all.
    pub line_coverage: Coverage,
    /// The file says that a program wrote it.
    pub is_generated: bool,
    /// Why there are no functions.
    pub no_source: Option<NoSource>,
    /// What the lines are of; `None` where nothing quotes it, or where they are of another text.
    pub text: Option<Box<[u8]>>,
    /// Where its text and figures are packed; `None` where no format shows them.
    pack_slot: Option<html::PackSlot>,
}

impl FileReport<'_> {
    /// Returns the import path of its package.
    #[must_use]
    pub(crate) fn package(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(package, _)| package)
    }

    /// Returns its name within the package.
    #[must_use]
    pub(crate) fn base_name(&self) -> &str {
        self.name.rsplit_once('/').map_or(self.name, |(_, name)| name)
    }

    /// Tells whether the commit has the file, which neither a path that it lacks nor a lost link is.
    #[must_use]
    pub(crate) fn is_in_commit(&self) -> bool {
        is_in_commit(self.path.as_deref(), self.no_source.as_ref())
    }

    /// Returns its path in the repository, or its import path where it is not in one.
    #[must_use]
    pub(crate) fn best_path(&self) -> &str {
        self.path.as_deref().unwrap_or(self.name)
    }
}

fn is_in_commit(path: Option<&str>, no_source: Option<&NoSource>) -> bool {
    path.is_some() && !matches!(no_source, Some(NoSource::Link(_)))
}

/// One function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionReport {
    /// Its name, and where it lies.
    pub extent: FuncExtent,
    /// Statements of the blocks that overlap it; a closure counts for the function around it.
    pub coverage: Coverage,
    /// How often it was entered: the count of its first block.
    pub hits: u64,
}

/// The files of one package.
#[derive(Clone, Debug)]
pub(crate) struct PackageReport<'r, 'a> {
    /// Import path.
    pub name: &'r str,
    /// All statements of its files.
    pub coverage: Coverage,
    /// In byte order of their names.
    pub files: Vec<&'r FileReport<'a>>,
}

/// A form that a report is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// What `go tool cover -func` prints.
    Func,
    /// For people.
    Text(Layout),
    /// For scripts.
    Json,
    /// An lcov tracefile.
    Lcov,
    /// Cobertura's XML.
    Cobertura,
    /// Codecov's own JSON.
    Codecov,
    /// A summary for a pull request or a CI job.
    Markdown,
    /// An SVG of one number.
    Badge,
    /// One self-contained page for browsers.
    Html,
}

impl Form {
    /// Tells whether the form says something of lines.
    #[must_use]
    pub(crate) fn wants_lines(self) -> bool {
        matches!(self, Self::Text(_) | Self::Json | Self::Lcov | Self::Cobertura | Self::Codecov | Self::Html)
    }

    /// Tells whether the form shows the text of files.
    #[must_use]
    pub(crate) fn wants_text(self) -> bool {
        self == Self::Html
    }

    /// Tells whether the form says something of the source; the others are complete without.
    #[must_use]
    pub(crate) fn wants_source(self) -> bool {
        !matches!(self, Self::Markdown | Self::Badge)
    }
}

impl<'a> Report<'a> {
    /// Lays a profile over its source: of each of its files, in order, what is known of it.
    #[must_use]
    pub(crate) fn new(head: Head, profile: &'a Profile, sources: Vec<Source>) -> Self {
        assert_eq!(profile.build.file_count(), sources.len(), "a source for each file");
        let files = profile.build.files().zip(sources);
        let files = files.map(|(file, source)| {
            let counts = &profile.counts[file.range.0..file.range.1];
            let Source { path, read, lines, text, pack_slot } = source;
            let (functions, is_generated, no_source) = match read {
                Ok(Declared { functions, is_generated }) => (functions, is_generated, None),
                Err(why) => (Vec::new(), false, Some(why)),
            };
            FileReport {
                name: file.name,
                path,
                blocks: file.blocks,
                counts,
                coverage: sum(file.blocks, counts, |_| true),
                functions,
                line_coverage: lines::coverage(&lines),
                lines,
                is_generated,
                no_source,
                text,
                pack_slot,
            }
        });
        Self { head, files: files.collect() }
    }

    /// Returns the statements of all files, each block once.
    #[must_use]
    pub(crate) fn coverage(&self) -> Coverage {
        self.files.iter().map(|file| file.coverage).sum()
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
                PackageReport { name, coverage, files }
            })
            .collect()
    }

    /// Leaves out the files that a filter does not take.
    pub(crate) fn retain(&mut self, filter: &Filter) {
        self.files.retain(|file| {
            filter.takes(Candidate {
                name: file.name,
                path: file.path.as_deref(),
                is_generated: file.is_generated,
                is_in_commit: file.is_in_commit(),
            })
        });
    }

    /// Leaves out the files that did not change.
    pub(crate) fn retain_changed(&mut self, changes: &Changes) {
        let paths = changes.paths_after();
        self.files.retain(|file| file.path.as_deref().is_some_and(|path| paths.contains(path)));
    }

    /// Returns about how many bytes a form takes, where those are many.
    #[must_use]
    pub(crate) fn size_hint(&self, form: Form) -> usize {
        if form == Form::Html { html::size_hint(self) } else { 0 }
    }

    /// Writes the report in a form.
    pub(crate) fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        match form {
            Form::Func => func::write(self, out),
            Form::Text(layout) => text::write(self, layout, out),
            Form::Json => json::write(self, out),
            Form::Lcov => lcov::write(self, out),
            Form::Cobertura => cobertura::write(self, out),
            Form::Codecov => codecov::write(self, out),
            Form::Markdown => markdown::write(self, out),
            Form::Badge => badge::write(self, out),
            Form::Html => html::write(self, None, out),
        }
    }

    /// Writes the page for browsers with what changed in it.
    pub(crate) fn write_page_with(
        &self,
        diff: &DiffReport,
        changes: &Changes,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        html::write(self, Some((diff, changes)), out)
    }
}

/// Counts for each function the blocks that overlap it, as Go does (`coverage` in its cmd/cover/func.go).
///
/// Blocks stand in order of their starts; their ends need not ascend, and line comments can put functions
/// anywhere. What overlaps a function is what begins before its end but for what ends before its start, so
/// two sums from the beginning answer for each; with every block looked at for every function, a hostile
/// profile would take hours.
fn covered_functions(blocks: &[Block], counts: &[u64], functions: Vec<FuncExtent>) -> Vec<FunctionReport> {
    let coverage = |index: usize| of_block(&blocks[index], counts[index]);
    // One that ends before it begins has no order that both sums could heed.
    let (upright, inverted): (Vec<usize>, Vec<usize>) =
        (0..blocks.len()).partition(|&index| blocks[index].start <= blocks[index].end);
    let mut by_end = upright.clone();
    by_end.sort_by_key(|&index| blocks[index].end);
    let sums = |order: &[usize]| {
        let mut sum = Coverage::default();
        std::iter::once(sum)
            .chain(order.iter().map(|&index| {
                sum += coverage(index);
                sum
            }))
            .collect::<Vec<_>>()
    };
    let (sums_by_start, sums_by_end) = (sums(&upright), sums(&by_end));
    let mut furthest = (0, 0);
    let furthest_ends: Vec<(u32, u32)> = blocks
        .iter()
        .map(|block| {
            furthest = furthest.max(block.end);
            furthest
        })
        .collect();
    let covered = |extent: FuncExtent| {
        let begun = sums_by_start[upright.partition_point(|&index| blocks[index].start < extent.end)];
        let ended = sums_by_end[by_end.partition_point(|&index| blocks[index].end <= extent.start)];
        let mut sum = Coverage {
            covered: begun.covered.saturating_sub(ended.covered),
            total: begun.total.saturating_sub(ended.total),
        };
        let overlaps = |block: &Block| block.start < extent.end && block.end > extent.start;
        // Line comments can make a function end before it begins, too.
        if extent.end <= extent.start {
            sum = self::sum(blocks, counts, |block| block.start <= block.end && overlaps(block));
        }
        for &index in inverted.iter().filter(|&&index| overlaps(&blocks[index])) {
            sum += coverage(index);
        }
        // Where the furthest end passes the start, the block there is the one that passes it.
        let entry = furthest_ends.partition_point(|end| *end <= extent.start);
        let is_entered = blocks.get(entry).is_some_and(|block| block.start < extent.end);
        FunctionReport { extent, coverage: sum, hits: if is_entered { counts[entry] } else { 0 } }
    };
    functions.into_iter().map(covered).collect()
}

fn sum(blocks: &[Block], counts: &[u64], counted: impl Fn(&Block) -> bool) -> Coverage {
    let counted = blocks.iter().zip(counts).filter(|(block, _)| counted(block));
    counted.map(|(block, &count)| of_block(block, count)).sum()
}

/// Returns the statements of one block.
fn of_block(block: &Block, count: u64) -> Coverage {
    let statements = u64::from(block.statements);
    Coverage { covered: if count > 0 { statements } else { 0 }, total: statements }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::testing::{with_report, written};
    use super::*;

    fn func(profile: &str, sources: &[Option<&str>]) -> String {
        written(Form::Func, profile, sources)
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
        with_report(profile, &[None, None], |report| {
            assert_eq!(report.coverage(), Coverage { covered: 4, total: 4 });
        });
        assert_eq!(func("mode: set\n", &[]), "total:\t(statements)\t0.0%\n");
    }

    #[test]
    fn sums_of_functions_are_those_of_looking_at_each_block() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut blocks: Vec<Block> = (0..rng.usize(0..30))
                .map(|_| Block {
                    start: (rng.u32(1..9), rng.u32(0..4)),
                    end: (rng.u32(1..9), rng.u32(0..4)),
                    statements: rng.u32(0..5),
                })
                .collect();
            blocks.sort_unstable();
            let counts: Vec<u64> = blocks.iter().map(|_| rng.u64(0..3)).collect();
            let extent =
                |start: (u32, u32), end| FuncExtent { name: "f".into(), receiver: "".into(), start, end };
            let functions: Vec<FuncExtent> = (0..10)
                .map(|_| extent((rng.u32(1..9), rng.u32(0..4)), (rng.u32(1..9), rng.u32(0..4))))
                .collect();
            let found = covered_functions(&blocks, &counts, functions.clone());
            for (function, extent) in found.iter().zip(&functions) {
                let overlaps = |block: &Block| block.start < extent.end && block.end > extent.start;
                assert_eq!(function.coverage, sum(&blocks, &counts, overlaps), "{blocks:?} {extent:?}");
            }
        }
    }

    #[test]
    fn a_block_that_overlaps_two_functions_counts_in_each() {
        let source = "package p\nfunc a() {}\nfunc b() {}\n";
        assert_eq!(
            func("mode: set\nm/p.go:2.10,3.11 2 1\n", &[Some(source)]),
            "m/p.go:2:\ta\t\t100.0%\nm/p.go:3:\tb\t\t100.0%\ntotal:\t\t(statements)\t100.0%\n"
        );
    }

    #[test]
    fn each_form_is_written_as_it_was() {
        use super::testing::{PROFILE, SOURCES};
        let layout = Layout { order: Order::Uncovered, most_files: Some(2), width: None, has_color: false };
        let snapshots = [
            (Form::Func, include_str!("../../tests/fixtures/forms/func.txt")),
            (Form::Text(layout), include_str!("../../tests/fixtures/forms/text.txt")),
            (Form::Json, include_str!("../../tests/fixtures/forms/json.json")),
            (Form::Lcov, include_str!("../../tests/fixtures/forms/lcov.info")),
            (Form::Cobertura, include_str!("../../tests/fixtures/forms/cobertura.xml")),
            (Form::Codecov, include_str!("../../tests/fixtures/forms/codecov.json")),
            (Form::Markdown, include_str!("../../tests/fixtures/forms/markdown.md")),
            (Form::Badge, include_str!("../../tests/fixtures/forms/badge.svg")),
        ];
        for (form, wanted) in snapshots {
            let wanted = wanted.replace("VERSION", env!("CARGO_PKG_VERSION"));
            assert_eq!(written(form, PROFILE, &SOURCES), wanted, "{form:?}");
        }
    }

    #[test]
    fn lines_fit_the_terminal_and_colours_are_asked_for() {
        let mut profile = "mode: set\n".to_owned();
        for line in (2..198).step_by(2) {
            let hit = line / 2 % 2;
            let _ = write!(profile, "m/a.go:{line}.1,{line}.9 1 0\nm/a.go:{line}.9,{line}.20 1 {hit}\n");
        }
        let layout = Layout { order: Order::Name, most_files: None, width: Some(60), has_color: true };
        let text = written(Form::Text(layout), &profile, &[None]);
        let line = text.lines().find(|line| line.contains("a.go")).unwrap();
        let plain = "  25.0% ██░░░░░░░░        49/196    a.go  4 8 12 16 20 24 …";
        assert!(line.contains("\u{1b}[31m") && plain.chars().count() <= 60, "{line:?}");
        let mut without = line.to_owned();
        for escape in ["\u{1b}[31m", "\u{1b}[0m"] {
            without = without.replace(escape, "");
        }
        assert_eq!(without, plain);
    }

    #[test]
    fn hostile_names_stay_inside_their_place() {
        use super::testing::HOSTILE;
        let profile = format!("mode: set\n{}:1.1,2.2 1 0\n", HOSTILE.replace('\n', "\u{b}"));
        let layout = Layout { order: Order::Name, most_files: None, width: None, has_color: false };
        let written = |form| super::testing::written(form, &profile, &[None]);
        for form in
            [Form::Text(layout), Form::Lcov, Form::Cobertura, Form::Codecov, Form::Markdown, Form::Json]
        {
            let text = written(form);
            let controls = text.chars().filter(|c| c.is_control() && *c != '\n').count();
            assert_eq!(controls, 0, "{form:?}: {text}");
        }
        assert!(!written(Form::Cobertura).contains("<c>"));
        assert!(!written(Form::Markdown).contains("<c>") && !written(Form::Markdown).contains("|`"));
        let mut records = written(Form::Lcov);
        records.retain(|c| c != '\n');
        assert_eq!(records.matches("end_of_record").count(), 1);
    }

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
