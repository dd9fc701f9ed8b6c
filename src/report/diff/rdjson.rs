//! Reviewdog's diagnostic format (`rdjson`), which comments on pull requests of GitHub, Gitea, Bitbucket and others.

use std::io::{self, Write};

use serde::Serialize;

use super::super::forms::{Form, FormNeed, Renderer};
use super::DiffReport;
use crate::json;

pub(in crate::report) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines, FormNeed::Changes],
    ..Form::new(
        "diff-rdjson",
        "Changed lines as diagnostics for reviewdog",
        Renderer::Changes(|diff, _, out| write(diff, out)),
    )
};

#[derive(Serialize)]
struct Document<'r> {
    source: Source,
    severity: &'static str,
    diagnostics: Vec<Diagnostic<'r>>,
}

#[derive(Serialize)]
struct Source {
    name: &'static str,
}

#[derive(Serialize)]
struct Diagnostic<'r> {
    message: &'static str,
    location: Location<'r>,
    severity: &'static str,
    code: Code,
}

#[derive(Serialize)]
struct Location<'r> {
    path: &'r str,
    range: Range,
}

#[derive(Serialize)]
struct Range {
    start: Position,
    end: Position,
}

/// A position without a column means the whole line.
#[derive(Serialize)]
struct Position {
    line: u32,
}

#[derive(Serialize)]
struct Code {
    value: &'static str,
}

const SEVERITY: &str = "WARNING";

pub(super) fn write(diff: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    let diagnostics = diff.missed_runs().map(|run| Diagnostic {
        message: run.message(),
        location: Location {
            path: &run.file.path,
            range: Range { start: Position { line: run.first }, end: Position { line: run.last } },
        },
        severity: SEVERITY,
        code: Code { value: super::MISSED_LINES },
    });
    let document = Document {
        source: Source { name: "goc-watchdog" },
        severity: SEVERITY,
        diagnostics: diagnostics.collect(),
    };
    json::write(&mut *out, &document)?;
    writeln!(out)
}
