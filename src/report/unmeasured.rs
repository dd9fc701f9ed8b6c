//! The packages and functions of a commit that no stored profile has.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use super::listed_function::ListedFunctionJson;
use super::model::shown_package;
use super::{FileReport, FileSource, PackageReport, Report, ReportHead};
use crate::code::gosrc::parent;
use crate::coverage::{Coverage, shown_percent};
use crate::filter::{Filter, FilteredFile};
use crate::json;
use crate::names::{in_message, printable};
use crate::phrases::{count, short_commit};
use crate::profile::{Block, Mode, Profile};
use crate::time::iso;

/// The version of the form for scripts. It rises when a field changes its meaning or is removed, and stays when fields are
/// added.
const SCHEMA: u32 = 1;

/// The findings about a commit.
#[derive(Clone, Debug)]
pub(crate) struct Unmeasured {
    /// Number of stored profiles of the commit that were read.
    pub(crate) profiles: usize,
    /// Folders of the modules whose files are listed, ascending.
    pub(crate) modules: Vec<String>,
    /// Folders of other modules of the commit, ascending.
    pub(crate) other_modules: Vec<String>,
    /// The system and the tags of the build by which files of other packages are judged, in words.
    pub(crate) tags: String,
    /// The files of packages that no profile has, by name.
    pub(crate) files: Vec<UnmeasuredFile>,
    /// Files that build constraints leave out, or that no program linked although their package was measured, by name.
    pub(crate) left_out: Vec<UnmeasuredFile>,
    /// Packages that Go cannot build, by import path.
    pub(crate) refused: Vec<RefusedPackage>,
    /// The files of the modules that a profile has.
    pub(crate) measured: Vec<MeasuredFile>,
}

/// A file with statements that no stored profile has.
#[derive(Clone, Debug)]
pub(crate) struct UnmeasuredFile {
    /// Import path of the package, a slash and the file name.
    pub(crate) name: String,
    /// The blocks that Go's cover tool makes of it, sorted.
    pub(crate) blocks: Vec<Block>,
    /// The file belongs to a command (`package main`).
    pub(crate) is_of_command: bool,
    pub(crate) source: FileSource,
}

/// A package that does not count, because Go cannot build it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RefusedPackage {
    /// Import path.
    pub(crate) package: String,
    /// The reason in words.
    pub(crate) why: String,
}

/// A file that a stored profile has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MeasuredFile {
    pub(crate) name: String,
    pub(crate) path: String,
    /// A comment says that a program wrote it. Only known if the filter asks for it.
    pub(crate) is_generated: bool,
}

/// The profile of unmeasured files, of which nothing was executed, with their sources.
pub(crate) struct UnmeasuredProfile {
    pub(crate) profile: Profile,
    pub(crate) sources: Vec<FileSource>,
    /// Import paths of commands.
    pub(crate) commands: BTreeSet<String>,
}

impl UnmeasuredProfile {
    pub(crate) fn new(files: Vec<UnmeasuredFile>) -> Self {
        let blocks = files.iter().map(|file| (file.name.as_str(), &*file.blocks));
        let profile = Profile::not_executed(Mode::Set, blocks);
        let commands = files.iter().filter(|file| file.is_of_command);
        let commands =
            commands.filter_map(|file| file.name.rsplit_once('/')).map(|(package, _)| package.to_owned());
        let commands = commands.collect();
        Self { profile, sources: files.into_iter().map(|file| file.source).collect(), commands }
    }
}

/// The part of a coverage that no stored profile has, and that counts all the same (`--count-unmeasured`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CountedUnmeasured {
    pub(crate) packages: usize,
    pub(crate) files: usize,
    pub(crate) statements: u64,
    /// Those of them that were executed at other commits (`--carry`).
    pub(crate) carried: u64,
    /// The coverage of all together.
    pub(crate) all: Coverage,
}

/// The counted part in the form for scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CountedUnmeasuredJson {
    packages: usize,
    files: usize,
    statements: u64,
    measured_percent: f64,
}

impl CountedUnmeasured {
    /// Sums up files: names, with whether they are unmeasured, and their coverage.
    pub(crate) fn of_files<'n>(files: impl Iterator<Item = (&'n str, bool, Coverage)>) -> Self {
        let mut sum = Self::default();
        let mut packages = BTreeSet::new();
        for (name, is_unmeasured, coverage) in files {
            sum.all += coverage;
            if is_unmeasured {
                packages.insert(parent(name));
                sum.files += 1;
                sum.statements += coverage.total;
                sum.carried += coverage.covered;
            }
        }
        sum.packages = packages.len();
        sum
    }

    /// Returns the percentage of what is measured.
    fn measured_percent(&self) -> f64 {
        let Coverage { covered, total } = self.all;
        Coverage { covered: covered - self.carried, total: total - self.statements }.percent()
    }

    /// Returns both percentages in words.
    pub(crate) fn words(&self) -> String {
        if self.files == 0 {
            return "no package is added: a stored profile has each, or a filter leaves it out".to_owned();
        }
        format!(
            "{} of what is measured, {} with {} of {} that no stored profile has",
            shown_percent(self.measured_percent()),
            shown_percent(self.all.percent()),
            statements(self.statements),
            count(self.packages, "packages")
        )
    }

    pub(crate) fn json(&self) -> CountedUnmeasuredJson {
        CountedUnmeasuredJson {
            packages: self.packages,
            files: self.files,
            statements: self.statements,
            measured_percent: self.measured_percent(),
        }
    }
}

/// A report of what no stored profile has.
pub(crate) struct UnmeasuredReport<'r> {
    of: &'r Unmeasured,
    /// The files of packages that no profile has.
    report: &'r Report<'r>,
    left_out: &'r Report<'r>,
    commands: &'r BTreeSet<String>,
    /// Number of packages of which a profile has a file that the filter takes.
    measured_packages: usize,
}

impl<'r> UnmeasuredReport<'r> {
    /// Takes the reports of the files of unmeasured packages and of those that were left out, both of the filter's files.
    pub(crate) fn new(
        of: &'r Unmeasured,
        (report, commands): (&'r Report<'r>, &'r BTreeSet<String>),
        left_out: &'r Report<'r>,
        filter: &Filter,
    ) -> Self {
        let is_taken = |file: &&MeasuredFile| {
            let MeasuredFile { name, path, is_generated } = file;
            filter.takes(FilteredFile {
                name,
                path: Some(path),
                is_generated: *is_generated,
                is_in_commit: true,
            })
        };
        let packages = of.measured.iter().filter(is_taken);
        let packages: BTreeSet<&str> = packages.map(|file| parent(&file.name)).collect();
        Self { of, report, left_out, commands, measured_packages: packages.len() }
    }

    fn head(&self) -> &ReportHead {
        &self.report.head
    }

    /// Tells whether the filter leaves a package, measured or not.
    pub(crate) fn has_packages(&self) -> bool {
        self.measured_packages > 0 || !self.report.files.is_empty()
    }

    /// Returns the figures of all in words.
    fn summary(&self, packages: &[PackageReport<'_, '_>]) -> String {
        let all = count(self.measured_packages + packages.len(), "packages");
        let commit = short_commit(&self.head().commit);
        if packages.is_empty() {
            return format!(
                "nothing is unmeasured: a stored profile of commit {} has each of {all}",
                printable(&commit)
            );
        }
        let are = if packages.len() == 1 { "is" } else { "are" };
        format!(
            "{} of {all} {are} in no stored profile of commit {}, {} of {} in {}",
            packages.len(),
            printable(&commit),
            statements(self.report.coverage().total),
            count(functions(&self.report.files).count(), "functions"),
            count(self.report.files.len(), "files")
        )
    }

    /// Writes the form for people.
    pub(crate) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let packages = self.report.packages();
        writeln!(out, "{}\n\n{}", self.head().line(), self.summary(&packages))?;
        let commands = packages.iter().filter(|package| self.commands.contains(package.name)).count();
        match commands {
            0 => {}
            1 => writeln!(out, "1 of them is a binary of its own (package main)")?,
            some => writeln!(out, "{some} of them are binaries of their own (package main)")?,
        }
        if !packages.is_empty() {
            writeln!(out)?;
        }
        for package in &packages {
            let kind = if self.commands.contains(package.name) { " (package main)" } else { "" };
            writeln!(
                out,
                "{}{kind}:\t{}\t{}\t{}",
                printable(shown_package(package.name)),
                count(package.files.len(), "files"),
                count(functions(package.files.iter().copied()).count(), "functions"),
                statements(package.coverage.total)
            )?;
        }
        if functions(&self.report.files).next().is_some() {
            writeln!(out)?;
        }
        for (file, function) in functions(&self.report.files) {
            let (path, name) = (printable(file.best_path()), function.extent.qualified_name());
            let statements = function.coverage.total;
            writeln!(out, "{path}:{}:\t{}\t{statements}", function.extent.start.0, printable(&name))?;
        }
        if !self.left_out.files.is_empty() {
            writeln!(out, "\nleft out by build constraints, or not linked ({}):", printable(&self.of.tags))?;
        }
        for file in &self.left_out.files {
            let functions = count(functions([file]).count(), "functions");
            let statements = statements(file.coverage.total);
            writeln!(out, "{}:\t{functions}\t{statements}", printable(file.best_path()))?;
        }
        if !self.of.refused.is_empty() {
            writeln!(out, "\npackages that do not count, because Go cannot build them:")?;
        }
        for RefusedPackage { package, why } in &self.of.refused {
            writeln!(out, "{}: {}", printable(package), printable(why))?;
        }
        if !self.of.other_modules.is_empty() {
            let folders: Vec<String> =
                self.of.other_modules.iter().map(|folder| shown_folder(folder)).collect();
            writeln!(out, "\nother modules, of which the profile has no file: {}", folders.join(", "))?;
        }
        Ok(())
    }

    /// Writes the form for scripts.
    pub(crate) fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let (head, packages) = (self.head(), self.report.packages());
        let document = Document {
            schema: SCHEMA,
            service: &head.service,
            id: head.row,
            commit: &head.commit,
            source_commit: head.source_commit.as_deref(),
            stored_at: iso(head.stored_at),
            filters: &head.filters,
            profiles: self.of.profiles,
            modules: &self.of.modules,
            other_modules: &self.of.other_modules,
            tags: &self.of.tags,
            all_packages: self.measured_packages + packages.len(),
            statements: self.report.coverage().total,
            packages: packages
                .iter()
                .map(|package| PackageJson {
                    package: package.name,
                    is_command: self.commands.contains(package.name),
                    files: package.files.len(),
                    functions: functions(package.files.iter().copied()).count(),
                    statements: package.coverage.total,
                })
                .collect(),
            functions: functions(&self.report.files)
                .map(|(file, function)| FunctionJson {
                    function: ListedFunctionJson::new(file, &function.extent),
                    statements: function.coverage.total,
                })
                .collect(),
            left_out: self
                .left_out
                .files
                .iter()
                .map(|file| LeftOutJson {
                    file: file.name,
                    path: file.path.as_deref(),
                    functions: functions([file]).count(),
                    statements: file.coverage.total,
                })
                .collect(),
            refused: &self.of.refused,
        };
        json::write(&mut *out, &document)?;
        writeln!(out)
    }
}

/// Returns the functions of files that have statements.
fn functions<'f, 'a: 'f>(
    files: impl IntoIterator<Item = &'f FileReport<'a>>,
) -> impl Iterator<Item = (&'f FileReport<'a>, &'f super::FunctionReport)> {
    let of_file = |file: &'f FileReport<'a>| file.functions.iter().map(move |function| (file, function));
    files.into_iter().flat_map(of_file).filter(|(_, function)| function.coverage.total > 0)
}

fn statements(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "statements")
}

fn shown_folder(folder: &str) -> String {
    format!("\"{}\"", if folder.is_empty() { ".".into() } else { in_message(folder) })
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Document<'r> {
    schema: u32,
    service: &'r str,
    id: i64,
    commit: &'r str,
    source_commit: Option<&'r str>,
    stored_at: String,
    filters: &'r [String],
    profiles: usize,
    modules: &'r [String],
    other_modules: &'r [String],
    tags: &'r str,
    all_packages: usize,
    statements: u64,
    packages: Vec<PackageJson<'r>>,
    functions: Vec<FunctionJson<'r>>,
    left_out: Vec<LeftOutJson<'r>>,
    refused: &'r [RefusedPackage],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PackageJson<'r> {
    package: &'r str,
    is_command: bool,
    files: usize,
    functions: usize,
    statements: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FunctionJson<'r> {
    #[serde(flatten)]
    function: ListedFunctionJson<'r>,
    statements: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LeftOutJson<'r> {
    file: &'r str,
    path: Option<&'r str>,
    functions: usize,
    statements: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::schema::PublishedSchema;

    #[test]
    fn what_is_added_is_told_beside_what_is_measured() {
        let coverage = |covered, total| Coverage { covered, total };
        let files = [
            ("m/a/a.go", false, coverage(3, 4)),
            ("m/b/b.go", true, coverage(0, 2)),
            ("m/b/c.go", true, coverage(0, 4)),
            ("m/c.go", true, coverage(0, 2)),
        ];
        let counted = CountedUnmeasured::of_files(files.into_iter());
        let all = coverage(3, 12);
        assert_eq!(counted, CountedUnmeasured { packages: 2, files: 3, statements: 8, carried: 0, all });
        assert_eq!(
            counted.words(),
            "75.0 of what is measured, 25.0 with 8 statements of 2 packages that no stored profile has"
        );
        let carried = [files[0], ("m/b/b.go", true, coverage(1, 2)), files[2], files[3]];
        assert_eq!(
            CountedUnmeasured::of_files(carried.into_iter()).words(),
            "75.0 of what is measured, 33.3 with 8 statements of 2 packages that no stored profile has"
        );
        let none = CountedUnmeasured::of_files(files[..1].iter().copied());
        assert_eq!(none.words(), "no package is added: a stored profile has each, or a filter leaves it out");
    }

    #[test]
    fn the_published_schema_has_the_fields_that_are_written() {
        let published =
            PublishedSchema::new(include_str!("../../man/goc-watchdog-report-unmeasured.schema.json"));
        published.assert_describes::<Document<'_>>(SCHEMA);
    }
}
