//! JSON for scripts, as `man/goc-watchdog-report-diff.schema.json` describes it field by field.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::super::forms::{Form, FormNeed, Renderer};
use serde::Serialize;

use super::super::group::GroupJson;
use super::super::json::CoverageJson;
use super::super::since::{SinceFacts, SinceJson};
use super::super::unmeasured::{CountedUnmeasured, CountedUnmeasuredJson};
use super::{ChangedFile, DiffReport, LineCategory, LineState, WhyLeftOut};
use crate::carry::{CarriedCoverage, CarriedFromJson};
use crate::gate::{self, Before, Verdict};
use crate::json;
use crate::names::CommitChoice;
use crate::time::iso;
use crate::together::{TogetherCoverage, WithJson};

pub(in crate::report) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines, FormNeed::Changes],
    ..Form::new(
        "diff-json",
        "Changed lines as JSON, for scripts",
        Renderer::Changes(|diff, _, out| write(diff, out)),
    )
};

/// The version of the schema. It rises when a field changes its meaning or is removed, and stays when fields are added.
const SCHEMA: u32 = 1;

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
    age_seconds: i64,
    base_commit: Option<&'r str>,
    base: &'r str,
    filters: &'r [String],
    #[serde(flatten)]
    lines: CoverageJson,
    partly: usize,
    statements: CoverageJson,
    carried_from: Option<Vec<CarriedFromJson>>,
    with: Option<Vec<WithJson>>,
    counted_unmeasured: Option<CountedUnmeasuredJson>,
    since: Option<SinceJson>,
    ignored_lines: Option<usize>,
    files: Vec<ChangedFileJson<'r>>,
    left_out: Vec<LeftOutJson<'r>>,
    unmeasured: Vec<UnmeasuredJson<'r>>,
    gates: &'r [Verdict],
    before: Option<&'r Before>,
    delta: Option<f64>,
    against: Option<ComparisonJson<'r>>,
}

/// The comparison with another state.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ComparisonJson<'r> {
    with: &'r str,
    lines: BTreeMap<&'static str, u64>,
    files: Vec<ComparedFileJson<'r>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ComparedFileJson<'r> {
    path: &'r str,
    lines: BTreeMap<&'static str, u64>,
    lost: &'r [u32],
}

fn by_name(lines: &BTreeMap<LineCategory, u64>) -> BTreeMap<&'static str, u64> {
    lines.iter().map(|(category, number)| (category.name(), *number)).collect()
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ChangedFileJson<'r> {
    path: &'r str,
    old_path: Option<&'r str>,
    new: bool,
    #[serde(flatten)]
    coverage: CoverageJson,
    statements: CoverageJson,
    hit: Vec<u32>,
    partly: Vec<u32>,
    missed: Vec<u32>,
    ignored: &'r [u32],
    functions: Vec<ChangedFunctionJson<'r>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ChangedFunctionJson<'r> {
    name: &'r str,
    line: u32,
    new: Option<bool>,
    #[serde(flatten)]
    coverage: CoverageJson,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LeftOutJson<'r> {
    path: &'r str,
    why: WhyLeftOut,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct UnmeasuredJson<'r> {
    path: &'r str,
    lines: &'r [u32],
}

pub(super) fn write(diff: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    let head = &diff.head;
    let files: Vec<ChangedFileJson<'_>> = diff.files.iter().map(ChangedFileJson::new).collect();
    let document = Document {
        schema: SCHEMA,
        service: &head.service,
        env: &head.env,
        region: &head.region,
        app: &head.app,
        branch: &head.branch,
        commit: &head.commit,
        commit_choice: head.choice,
        source_commit: head.source_commit.as_deref(),
        id: head.own_row(),
        group: head
            .group
            .as_ref()
            .map(|group| GroupJson::new(group, group.shares.keys().map(|name| &**name))),
        stored_at: iso(head.stored_at),
        age_seconds: head.age.num_seconds(),
        base_commit: diff.base.commit.as_deref(),
        base: &diff.base.how,
        filters: &head.filters,
        lines: diff.coverage().into(),
        partly: files.iter().map(|file| file.partly.len()).sum(),
        statements: diff.statements().into(),
        carried_from: head.carried.as_ref().map(CarriedCoverage::origins_json),
        with: head.together.as_ref().map(TogetherCoverage::json),
        counted_unmeasured: head.counted_unmeasured.as_ref().map(CountedUnmeasured::json),
        since: head.since.as_ref().map(SinceFacts::to_json),
        ignored_lines: head.ignores_marked.then_some(diff.ignored_lines),
        files,
        left_out: diff
            .left_out
            .iter()
            .map(|left_out| LeftOutJson { path: &left_out.path, why: left_out.why })
            .collect(),
        unmeasured: diff
            .unmeasured
            .iter()
            .map(|file| UnmeasuredJson { path: &file.path, lines: &file.lines })
            .collect(),
        gates: &head.verdicts,
        before: head.before.as_ref(),
        delta: gate::delta(&head.verdicts),
        against: diff.comparison.as_ref().map(|comparison| ComparisonJson {
            with: &comparison.with,
            lines: by_name(&comparison.lines),
            files: comparison
                .files
                .iter()
                .map(|file| ComparedFileJson {
                    path: &file.path,
                    lines: by_name(&file.lines),
                    lost: &file.lost,
                })
                .collect(),
        }),
    };
    json::write(&mut *out, &document)?;
    writeln!(out)
}

impl<'r> ChangedFileJson<'r> {
    fn new(file: &'r ChangedFile) -> Self {
        let of_state = |state| {
            file.lines.iter().filter(|line| line.state() == state).map(|line| line.line).collect::<Vec<_>>()
        };
        Self {
            path: &file.path,
            old_path: file.old_path.as_deref(),
            new: file.is_new,
            coverage: file.coverage().into(),
            statements: file.statements.into(),
            hit: of_state(LineState::Hit),
            partly: of_state(LineState::Partly),
            missed: of_state(LineState::Missed),
            ignored: &file.ignored,
            functions: file
                .functions
                .iter()
                .map(|function| ChangedFunctionJson {
                    name: &function.name,
                    line: function.line,
                    new: function.is_new,
                    coverage: function.lines.into(),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::schema::PublishedSchema;

    #[test]
    fn the_published_schema_has_the_fields_that_are_written() {
        let published =
            PublishedSchema::new(include_str!("../../../man/goc-watchdog-report-diff.schema.json"));
        published.assert_describes::<Document<'_>>(SCHEMA);
        let categories = LineCategory::ALL.map(LineCategory::name);
        assert_eq!(published.at("/$defs/categories/propertyNames/enum"), &serde_json::json!(categories));
    }
}
