//! JSON for scripts, as `man/goc-watchdog-report.schema.json` describes it field by field.

use std::io::{self, Write};

use super::forms::{Form, FormNeed, Renderer};
use serde::{Serialize, Serializer};

use super::group::{GroupJson, ShareJson};
use super::marked::MarkJson;
use super::since::{SinceFacts, SinceJson};
use super::unmeasured::{CountedUnmeasured, CountedUnmeasuredJson};
use super::{
    FileReport, FunctionReport, LineState, MissedRange, PreviousRow, Report, ReportHead, fresh_percent,
};
use crate::carry::{CarriedCoverage, CarriedFromJson};
use crate::coverage::Coverage;
use crate::gate::{self, Before, Verdict};
use crate::json;
use crate::names::CommitChoice;
use crate::profile::Block;
use crate::time::iso;
use crate::together::{TogetherCoverage, WithJson};

pub(super) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines],
    ..Form::new(
        "json",
        "Totals, packages, files, functions and uncovered ranges, for scripts",
        Renderer::Report(write),
    )
};

/// The version of the schema. It rises when a field changes its meaning or is removed, and stays when fields are added.
const SCHEMA: u32 = 1;

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    if let Some(unused) = &report.unused {
        return unused.write_json(report, out);
    }
    let document = Document::new(report);
    json::write(&mut *out, &document)?;
    writeln!(out)
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Document<'r> {
    schema: u32,
    service: &'r str,
    env: &'r str,
    region: &'r str,
    app: &'r str,
    branch: &'r str,
    commit: &'r str,
    commit_choice: Option<CommitChoice>,
    source_commit: Option<&'r str>,
    id: Option<i64>,
    group: Option<GroupJson<'r>>,
    stored_at: String,
    confirmed_at: Option<String>,
    age_seconds: i64,
    replicas: ReplicasJson,
    filters: &'r [String],
    #[serde(flatten)]
    coverage: CoverageJson,
    fresh: Option<f64>,
    carried: Option<f64>,
    carried_from: Option<Vec<CarriedFromJson>>,
    with: Option<Vec<WithJson>>,
    counted_unmeasured: Option<CountedUnmeasuredJson>,
    since: Option<SinceJson>,
    ignored: Option<u64>,
    marks: Option<Vec<MarkJson<'r>>>,
    previous: Option<PreviousJson<'r>>,
    gates: &'r [Verdict],
    before: Option<&'r Before>,
    delta: Option<f64>,
    packages: Vec<PackageJson<'r>>,
    #[serde(serialize_with = "each_file")]
    #[cfg_attr(test, schemars(with = "Vec<FileJson<'r>>"))]
    files: &'r [FileReport<'r>],
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ReplicasJson {
    answered: Option<u32>,
    known: Option<u32>,
}

impl From<Option<(u32, u32)>> for ReplicasJson {
    fn from(replicas: Option<(u32, u32)>) -> Self {
        Self { answered: replicas.map(|(answered, _)| answered), known: replicas.map(|(_, known)| known) }
    }
}

/// A coverage in the form for scripts.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct CoverageJson {
    covered: u64,
    total: u64,
    percent: f64,
}

impl From<Coverage> for CoverageJson {
    fn from(coverage: Coverage) -> Self {
        Self { covered: coverage.covered, total: coverage.total, percent: coverage.percent() }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PreviousJson<'r> {
    id: i64,
    stored_at: String,
    commit: &'r str,
    covered: Option<u64>,
    total: Option<u64>,
    percent: Option<f64>,
}

// The next three structs repeat the three figures instead of flattening a shared struct. Serde writes flattened fields
// through a map, which is slow for the hundred thousand entries of a large service.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PackageJson<'r> {
    name: &'r str,
    files: usize,
    covered: u64,
    total: u64,
    percent: f64,
    ignored: u64,
    apps: Vec<ShareJson<'r>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FileJson<'r> {
    name: &'r str,
    path: Option<&'r str>,
    covered: u64,
    total: u64,
    percent: f64,
    ignored: u64,
    generated: bool,
    no_source: Option<String>,
    lines: LinesJson,
    #[serde(serialize_with = "each_function")]
    #[cfg_attr(test, schemars(with = "Vec<FunctionJson<'r>>"))]
    functions: &'r [FunctionReport],
    #[serde(serialize_with = "each_range")]
    #[cfg_attr(test, schemars(with = "Vec<UncoveredJson>"))]
    uncovered: CountedBlocksJson<'r>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LinesJson {
    hit: usize,
    partly: usize,
    missed: usize,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FunctionJson<'r> {
    name: &'r str,
    receiver: Option<&'r str>,
    line: u32,
    end_line: u32,
    hits: u64,
    covered: u64,
    total: u64,
    percent: f64,
    ignored: u64,
}

/// Blocks with their counts, and the blocks that marks take out.
type CountedBlocksJson<'r> = (&'r [Block], &'r [u64], &'r [Block]);

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct UncoveredJson {
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    statements: u64,
}

impl<'r> Document<'r> {
    fn new(report: &'r Report<'_>) -> Self {
        let Report { head, files, mode: _, owners: _, unused: _ } = report;
        let ReportHead {
            service,
            env,
            region,
            app,
            branch,
            commit,
            choice,
            source_commit,
            row: _,
            // The command `history` prints the mark.
            mark: _,
            group,
            stored_at,
            confirmed_at,
            age,
            replicas,
            previous,
            // The command `history` prints the trend.
            trend: _,
            above: _,
            links: _,
            filters,
            ignores_marked,
            verdicts,
            together,
            carried,
            counted_unmeasured,
            since,
            before,
        } = head;
        let packages = report.packages().into_iter().map(|package| PackageJson {
            name: package.name,
            files: package.files.len(),
            covered: package.coverage.covered,
            total: package.coverage.total,
            percent: package.coverage.percent(),
            ignored: package.ignored.total,
            apps: match group {
                Some(group) => group.shares_json(package.files.iter().map(|file| file.name)),
                None => Vec::new(),
            },
        });
        Self {
            schema: SCHEMA,
            service,
            env,
            region,
            app,
            branch,
            commit,
            commit_choice: *choice,
            source_commit: source_commit.as_deref(),
            id: head.own_row(),
            group: group.as_ref().map(|group| GroupJson::new(group, files.iter().map(|file| file.name))),
            stored_at: iso(*stored_at),
            confirmed_at: confirmed_at.map(iso),
            age_seconds: age.num_seconds(),
            replicas: (*replicas).into(),
            filters,
            coverage: report.coverage().into(),
            fresh: fresh_percent(together.as_ref(), carried.as_ref()),
            carried: carried.as_ref().map(CarriedCoverage::points),
            carried_from: carried.as_ref().map(CarriedCoverage::origins_json),
            with: together.as_ref().map(TogetherCoverage::json),
            counted_unmeasured: counted_unmeasured.as_ref().map(CountedUnmeasured::json),
            since: since.as_ref().map(SinceFacts::to_json),
            ignored: ignores_marked.then(|| report.ignored().total),
            marks: ignores_marked.then(|| report.marks().map(MarkJson::from).collect()),
            previous: previous.as_ref().map(PreviousJson::new),
            gates: verdicts,
            before: before.as_ref(),
            delta: gate::delta(verdicts),
            packages: packages.collect(),
            files,
        }
    }
}

impl<'r> PreviousJson<'r> {
    fn new(previous: &'r PreviousRow) -> Self {
        let PreviousRow { row, stored_at, commit, coverage } = previous;
        Self {
            id: *row,
            stored_at: iso(*stored_at),
            commit,
            covered: coverage.map(|coverage| coverage.covered),
            total: coverage.map(|coverage| coverage.total),
            percent: coverage.map(Coverage::percent),
        }
    }
}

fn each_file<S: Serializer>(files: &[FileReport<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(files.iter().map(|file| {
        let mut lines = LinesJson { hit: 0, partly: 0, missed: 0 };
        for line in &file.lines {
            match line.state() {
                LineState::Hit => lines.hit += 1,
                LineState::Partly => lines.partly += 1,
                LineState::Missed => lines.missed += 1,
            }
        }
        FileJson {
            name: file.name,
            path: file.path.as_deref(),
            covered: file.coverage.covered,
            total: file.coverage.total,
            percent: file.coverage.percent(),
            ignored: file.ignored.total,
            generated: file.is_generated,
            no_source: file.no_source.as_ref().map(ToString::to_string),
            lines,
            functions: &file.functions,
            uncovered: (&file.blocks, &file.counts, file.taken()),
        }
    }))
}

fn each_function<S: Serializer>(functions: &[FunctionReport], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(functions.iter().map(
        |FunctionReport { extent, coverage, hits, is_carried: _, ignored }| FunctionJson {
            name: &extent.name,
            receiver: Some(&*extent.receiver).filter(|receiver| !receiver.is_empty()),
            line: extent.start.0,
            end_line: extent.end.0,
            hits: *hits,
            covered: coverage.covered,
            total: coverage.total,
            percent: coverage.percent(),
            ignored: ignored.total,
        },
    ))
}

fn each_range<S: Serializer>(
    (blocks, counts, taken): &CountedBlocksJson<'_>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(MissedRange::in_blocks(blocks, counts, taken).map(|range| UncoveredJson {
        line: range.start.0,
        column: range.start.1,
        end_line: range.end.0,
        end_column: range.end.1,
        statements: range.statements,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::schema::PublishedSchema;

    #[test]
    fn the_published_schema_has_the_fields_that_are_written() {
        let published = PublishedSchema::new(include_str!("../../man/goc-watchdog-report.schema.json"));
        published.assert_describes::<Document<'_>>(SCHEMA);
    }
}
