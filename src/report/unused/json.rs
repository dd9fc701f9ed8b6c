//! JSON for scripts, as `man/goc-watchdog-report-unused.schema.json` describes it field by field.

use std::io::{self, Write};

use serde::Serialize;

use super::{LastSeen, Observed, Unused, UnusedCount, UnusedFunction};
use crate::json;
use crate::report::group::GroupJson;
use crate::report::listed_function::ListedFunctionJson;
use crate::report::{FunctionReport, Report};
use crate::time::iso;

/// The version of the form for scripts. It rises when a field changes its meaning or is removed, and stays when fields are
/// added.
const SCHEMA: u32 = 1;

impl Unused {
    /// Writes the form for scripts.
    pub(in crate::report) fn write_json(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let head = &report.head;
        let Observed { since, until, places, commits, unknown } = &self.observed;
        let unknown = unknown.iter().map(|(commit, why)| UnknownJson { commit, why });
        let document = Document {
            schema: SCHEMA,
            service: &head.service,
            id: head.own_row(),
            group: head
                .group
                .as_deref()
                .map(|group| GroupJson::new(group, report.files.iter().map(|file| file.name))),
            commit: &head.commit,
            stored_at: iso(head.stored_at),
            filters: &head.filters,
            window_seconds: self.window.as_secs(),
            until: iso(self.now),
            observed: ObservedJson {
                since: iso(*since),
                until: iso(*until),
                places,
                commits: *commits,
                unknown: unknown.collect(),
            },
            count: self.all.into(),
            packages: self
                .packages
                .iter()
                .map(|(name, counted)| PackageJson { name, count: (*counted).into() })
                .collect(),
            functions: self.functions.iter().map(|unused| FunctionJson::new(unused, report)).collect(),
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
    id: Option<i64>,
    group: Option<GroupJson<'r>>,
    commit: &'r str,
    stored_at: String,
    filters: &'r [String],
    window_seconds: u64,
    until: String,
    observed: ObservedJson<'r>,
    #[serde(flatten)]
    count: CountJson,
    packages: Vec<PackageJson<'r>>,
    functions: Vec<FunctionJson<'r>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ObservedJson<'r> {
    since: String,
    until: String,
    places: &'r [String],
    commits: usize,
    unknown: Vec<UnknownJson<'r>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct UnknownJson<'r> {
    commit: &'r str,
    why: &'r str,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CountJson {
    total: usize,
    unused: usize,
    statements: u64,
    unused_statements: u64,
    observed_less: usize,
}

impl From<UnusedCount> for CountJson {
    fn from(
        UnusedCount { functions, unused, statements, unused_statements, observed_less }: UnusedCount,
    ) -> Self {
        Self { total: functions, unused, statements, unused_statements, observed_less }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PackageJson<'r> {
    name: &'r str,
    #[serde(flatten)]
    count: CountJson,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FunctionJson<'r> {
    #[serde(flatten)]
    function: ListedFunctionJson<'r>,
    end_line: u32,
    statements: u64,
    observed_since: String,
    last_seen: Option<LastSeenJson<'r>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LastSeenJson<'r> {
    at: String,
    commit: Option<&'r str>,
    id: i64,
}

impl<'r> FunctionJson<'r> {
    fn new(unused: &'r UnusedFunction, report: &'r Report<'_>) -> Self {
        let (file, FunctionReport { extent, coverage, .. }) = unused.of(report);
        let seen = |last: &'r LastSeen| LastSeenJson {
            at: iso(last.at),
            commit: last.commit.as_deref(),
            id: last.row,
        };
        Self {
            function: ListedFunctionJson::new(file, extent),
            end_line: extent.end.0,
            statements: coverage.total,
            observed_since: iso(unused.since),
            last_seen: unused.last.as_ref().map(seen),
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
            PublishedSchema::new(include_str!("../../../man/goc-watchdog-report-unused.schema.json"));
        published.assert_describes::<Document<'_>>(SCHEMA);
    }
}
