//! Functions by the marks between which they were executed.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::io::{self, Write};

use serde::Serialize;

use super::diff::{Base, DiffReport};
use super::functions::covered_functions;
use super::listed_function::ListedFunctionJson;
use super::since::{MomentJson, StoredMoment};
use super::{FileReport, Report, ReportHead};
use crate::code::gosrc::FuncExtent;
use crate::json;
use crate::names::printable;
use crate::phrases::count;
use crate::profile::Profile;
use crate::time::{from_to, iso, minute};

/// The version of the form for scripts. It rises when a field changes its meaning or is removed, and stays when fields are
/// added.
const SCHEMA: u32 = 1;

/// The time between two neighbouring marks of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestRun {
    /// `None`: the first row of the service and commit is not known to have a mark before it.
    pub from: Option<StoredMoment>,
    /// The row of the next mark, or the reported row if it has none.
    pub until: StoredMoment,
    /// The commit in the name of the service.
    pub commit: String,
}

/// A function with the runs that executed it.
#[derive(Debug)]
struct FunctionRuns<'r> {
    file: &'r FileReport<'r>,
    extent: &'r FuncExtent,
    /// Indices of the runs, ascending.
    runs: Vec<usize>,
}

/// The functions of a report, or those that changed, with the runs that executed them.
#[derive(Debug)]
pub(crate) struct ByMark<'r> {
    head: &'r ReportHead,
    /// The base of the changes; `None` if all functions are listed.
    base: Option<&'r Base>,
    runs: Vec<TestRun>,
    functions: Vec<FunctionRuns<'r>>,
}

/// A function as other commits of its package have it, too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FunctionName {
    package: String,
    /// Type of a method's receiver; empty for a function.
    receiver: Box<str>,
    name: Box<str>,
}

/// The functions that a run executed.
#[derive(Clone, Debug)]
pub(crate) enum ExecutedFunctions {
    /// Of the commit of the report: names of files, with the begins of functions.
    Here(HashSet<(String, (u32, u32))>),
    /// Of another commit.
    Elsewhere(HashSet<FunctionName>),
}

impl FunctionName {
    /// Returns the name of a function; `None` if a package can have several of that name.
    fn of(file: &FileReport<'_>, extent: &FuncExtent) -> Option<Self> {
        let FuncExtent { name, receiver, .. } = extent;
        let is_unique = &**name != "_" && !(&**name == "init" && receiver.is_empty());
        let package = file.package().to_owned();
        is_unique.then(|| Self { package, receiver: receiver.clone(), name: name.clone() })
    }
}

impl ExecutedFunctions {
    /// Returns the functions of a report, which is that of another commit or not, that a profile shows as executed.
    pub(crate) fn find(report: &Report<'_>, profile: &Profile, is_elsewhere: bool) -> Self {
        let executed = || report.files.iter().flat_map(|file| executed_in(file, profile));
        match is_elsewhere {
            false => Self::Here(executed().map(|(file, it)| (file.name.to_owned(), it.start)).collect()),
            true => Self::Elsewhere(executed().filter_map(|(file, it)| FunctionName::of(file, it)).collect()),
        }
    }

    fn has(&self, file: &FileReport<'_>, extent: &FuncExtent) -> bool {
        match self {
            Self::Here(places) => places.contains(&(file.name.to_owned(), extent.start)),
            Self::Elsewhere(names) => {
                FunctionName::of(file, extent).is_some_and(|name| names.contains(&name))
            }
        }
    }
}

/// Returns the functions of a file that a profile shows as executed; none if the profile has other blocks of it.
fn executed_in<'r>(file: &'r FileReport<'_>, profile: &Profile) -> Vec<(&'r FileReport<'r>, &'r FuncExtent)> {
    let Some(same) = profile.build.find(file.name).filter(|same| *same.blocks == *file.blocks) else {
        return Vec::new();
    };
    let counts = &profile.counts[same.range.0..same.range.1];
    let extents = file.functions.iter().map(|function| function.extent.clone()).collect();
    let covered = covered_functions(&file.blocks, counts, &[], extents);
    let executed =
        file.functions.iter().zip(covered).filter(|(_, it)| it.coverage.covered > 0 || it.hits > 0);
    executed.map(|(function, _)| (file, &function.extent)).collect()
}

impl TestRun {
    /// Tells whether its end has a name, so that somebody can repeat it.
    fn is_named(&self) -> bool {
        self.until.mark.is_some()
    }

    /// Returns the run by its marks: `A to B`, `until A` for the time before the first mark, `after B` for that after the
    /// last one.
    fn words(&self) -> String {
        let mark = |moment: &StoredMoment| moment.mark.as_deref().map(|mark| printable(mark).into_owned());
        match (self.from.as_ref().and_then(mark), mark(&self.until)) {
            (Some(from), Some(until)) => format!("{from} to {until}"),
            (None, Some(until)) => format!("until {until}"),
            (Some(from), None) => format!("after {from}"),
            (None, None) => "until now".to_owned(),
        }
    }
}

impl<'r> ByMark<'r> {
    /// Takes the functions of a report; of changes, those with changed lines that count.
    pub(crate) fn new(report: &'r Report<'r>, diff: Option<&'r DiffReport>) -> Self {
        let changed: HashSet<(&str, u32)> = diff
            .iter()
            .flat_map(|diff| &diff.files)
            .flat_map(|file| file.functions.iter().map(|function| (file.path.as_str(), function.line)))
            .collect();
        let is_wanted = |file: &FileReport<'_>, extent: &FuncExtent| {
            diff.is_none() || changed.contains(&(file.best_path(), extent.start.0))
        };
        let all =
            report.files.iter().flat_map(|file| file.functions.iter().map(move |it| (file, &it.extent)));
        let functions = all
            .filter(|(file, extent)| is_wanted(file, extent))
            .map(|(file, extent)| FunctionRuns { file, extent, runs: Vec::new() });
        let base = diff.map(|diff| &diff.base);
        Self { head: &report.head, base, runs: Vec::new(), functions: functions.collect() }
    }

    /// Adds a run with the functions that it executed.
    pub(crate) fn add(&mut self, run: TestRun, executed: &ExecutedFunctions) {
        let index = self.runs.len();
        for function in &mut self.functions {
            if executed.has(function.file, function.extent) {
                function.runs.push(index);
            }
        }
        self.runs.push(run);
    }

    /// Returns the number of listed functions that a run executed.
    fn executed_by(&self, run: usize) -> usize {
        self.functions.iter().filter(|function| function.runs.contains(&run)).count()
    }

    /// Returns the named runs that executed a changed function, those with most of them first; empty without changes.
    fn to_repeat(&self) -> Vec<usize> {
        let named = self.runs.iter().enumerate().filter(|(_, run)| self.base.is_some() && run.is_named());
        let mut runs: Vec<usize> =
            named.map(|(run, _)| run).filter(|run| self.executed_by(*run) > 0).collect();
        runs.sort_by_key(|run| Reverse(self.executed_by(*run)));
        runs
    }

    /// Writes the form for people.
    pub(crate) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.head.line())?;
        if let Some(Base { commit, how }) = self.base {
            let commit = commit.as_deref().map(|commit| format!(" {commit},")).unwrap_or_default();
            writeln!(out, "changed functions since base{commit} {}", printable(how))?;
        }
        writeln!(out)?;
        for (number, run) in self.runs.iter().enumerate() {
            let until = run.until.stored_at;
            let time = match &run.from {
                Some(from) => from_to(from.stored_at, until),
                None => format!("the first start to {}", minute(until)),
            };
            let commit = match run.commit == self.head.commit {
                true => String::new(),
                false => format!(", commit {}", printable(&run.commit)),
            };
            writeln!(
                out,
                "[{}] {}: {} ({time}{commit})",
                number + 1,
                run.words(),
                count(self.executed_by(number), "functions")
            )?;
        }
        writeln!(out)?;
        for FunctionRuns { file, extent, runs } in &self.functions {
            let numbers: Vec<String> = runs.iter().map(|run| format!("[{}]", run + 1)).collect();
            let shown = if numbers.is_empty() { "in no run".to_owned() } else { numbers.join(" ") };
            let (path, name) = (printable(file.best_path()), extent.qualified_name());
            writeln!(out, "{path}:{}:\t{}\t{shown}", extent.start.0, printable(&name))?;
        }
        if self.base.is_some() {
            writeln!(out, "\n{}", self.advice())?;
        }
        Ok(())
    }

    /// Returns the runs to repeat, in words.
    fn advice(&self) -> String {
        let all = self.functions.len();
        let executed = self.functions.iter().filter(|function| !function.runs.is_empty()).count();
        let summary = format!("{executed} of {} executed in a run", count(all, "changed functions"));
        let repeat: Vec<String> = self
            .to_repeat()
            .into_iter()
            .map(|run| format!("{} ({})", self.runs[run].words(), self.executed_by(run)))
            .collect();
        match &repeat[..] {
            [] => format!("{summary}; no run is to be repeated"),
            _ => format!("{summary}; repeat {}", repeat.join(", ")),
        }
    }

    /// Writes the form for scripts.
    pub(crate) fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { head, base, runs, functions } = self;
        let document = Document {
            schema: SCHEMA,
            service: &head.service,
            id: head.row,
            commit: &head.commit,
            stored_at: iso(head.stored_at),
            filters: &head.filters,
            base_commit: base.and_then(|base| base.commit.as_deref()),
            base: base.map(|base| base.how.as_str()),
            runs: runs
                .iter()
                .enumerate()
                .map(|(number, run)| RunJson {
                    from: run.from.as_ref().map(StoredMoment::to_json),
                    until: run.until.to_json(),
                    commit: &run.commit,
                    functions: self.executed_by(number),
                })
                .collect(),
            functions: functions
                .iter()
                .map(|FunctionRuns { file, extent, runs }| FunctionJson {
                    function: ListedFunctionJson::new(file, extent),
                    runs,
                })
                .collect(),
            repeat: base.map(|_| self.to_repeat()),
        };
        json::write(&mut *out, &document)?;
        writeln!(out)
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Document<'r> {
    schema: u32,
    service: &'r str,
    id: i64,
    commit: &'r str,
    stored_at: String,
    filters: &'r [String],
    base_commit: Option<&'r str>,
    base: Option<&'r str>,
    runs: Vec<RunJson<'r>>,
    functions: Vec<FunctionJson<'r>>,
    repeat: Option<Vec<usize>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RunJson<'r> {
    from: Option<MomentJson>,
    until: MomentJson,
    commit: &'r str,
    functions: usize,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FunctionJson<'r> {
    #[serde(flatten)]
    function: ListedFunctionJson<'r>,
    runs: &'r [usize],
}

#[cfg(test)]
mod tests {
    use super::super::testing::with_report;
    use super::*;
    use crate::fleet::fixtures::at;
    use crate::profile::{Limits, parse};
    use crate::report::schema::PublishedSchema;

    const SOURCE: &str = "package p\nfunc a() {\n}\nfunc (t *T) b() {\n}\nfunc init() {\n}\n";

    fn profile(counts: [u32; 3]) -> String {
        let [a, b, init] = counts;
        format!("mode: count\nm/p.go:2.10,3.2 1 {a}\nm/p.go:4.17,5.2 1 {b}\nm/p.go:6.13,7.2 1 {init}\n")
    }

    fn moment(row: i64, mark: Option<&str>) -> StoredMoment {
        StoredMoment { rows: vec![row], stored_at: at(row), mark: mark.map(str::to_owned), replicas: None }
    }

    fn run(from: Option<(i64, &str)>, until: i64, mark: Option<&str>, commit: &str) -> TestRun {
        let from = from.map(|(row, mark)| moment(row, Some(mark)));
        TestRun { from, until: moment(until, mark), commit: commit.to_owned() }
    }

    #[test]
    fn each_function_has_the_runs_that_executed_it_at_this_commit_or_by_name_at_another() {
        let parsed = |counts| parse(profile(counts).as_bytes(), Limits::default()).unwrap();
        with_report(&profile([1, 1, 1]), &[Some(SOURCE)], |report| {
            let mut by_mark = ByMark::new(&report, None);
            let executed =
                |counts, is_elsewhere| ExecutedFunctions::find(&report, &parsed(counts), is_elsewhere);
            by_mark.add(run(None, 1, Some("A"), "old"), &executed([0, 2, 1], true));
            by_mark.add(run(None, 2, Some("B"), "845820727e"), &executed([1, 0, 1], false));
            by_mark.add(run(Some((2, "B")), 3, None, "845820727e"), &executed([0, 0, 0], false));
            let mut text = Vec::new();
            by_mark.write_text(&mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            let lines: Vec<&str> = text.lines().skip(2).collect();
            let [first, second] = [1, 2].map(|row| minute(at(row)));
            assert_eq!(
                lines,
                [
                    &*format!("[1] until A: 1 function (the first start to {first}, commit old)"),
                    &format!("[2] until B: 2 functions (the first start to {second})"),
                    &format!("[3] after B: 0 functions ({})", from_to(at(2), at(3))),
                    "",
                    "p.go:2:\ta\t[2]",
                    "p.go:4:\tT.b\t[1]",
                    "p.go:6:\tinit\t[2]",
                ]
            );
            let mut json = Vec::new();
            by_mark.write_json(&mut json).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(
                (&json["runs"][0]["until"]["mark"], &json["runs"][2]["from"]["id"]),
                (&"A".into(), &2.into())
            );
            assert_eq!(json["functions"][1]["runs"], serde_json::json!([0]));
            assert_eq!(json["repeat"], serde_json::Value::Null, "without changes nothing is to be repeated");
        });
    }

    #[test]
    fn runs_of_which_nobody_knows_the_name_are_not_to_be_repeated() {
        with_report(&profile([1, 1, 1]), &[Some(SOURCE)], |report| {
            let base = Base { commit: None, how: "a file".to_owned() };
            let mut by_mark = ByMark { base: Some(&base), ..ByMark::new(&report, None) };
            let executed = |counts: [u32; 3]| {
                let profile = parse(profile(counts).as_bytes(), Limits::default()).unwrap();
                ExecutedFunctions::find(&report, &profile, false)
            };
            by_mark.add(run(None, 1, Some("A"), "old"), &executed([1, 0, 0]));
            by_mark.add(run(None, 2, Some("B"), "old"), &executed([1, 1, 0]));
            by_mark.add(run(None, 3, None, "old"), &executed([1, 1, 1]));
            assert_eq!(by_mark.to_repeat(), [1, 0]);
            assert_eq!(
                by_mark.advice(),
                "3 of 3 changed functions executed in a run; repeat until B (2), until A (1)"
            );
        });
    }

    #[test]
    fn the_published_schema_has_the_fields_that_are_written() {
        let published =
            PublishedSchema::new(include_str!("../../man/goc-watchdog-report-by-mark.schema.json"));
        published.assert_describes::<Document<'_>>(SCHEMA);
    }
}
