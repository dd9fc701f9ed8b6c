//! GitLab's Code Quality report: a JSON array with one finding for each run of missed lines, which a merge request shows
//! in its widget and beside its diff.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::forms::{Form, FormNeed, Renderer};
use super::{DiffReport, MissedRun};
use crate::json;

pub(in crate::report) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines, FormNeed::Changes],
    ..Form::new(
        "diff-gitlab",
        "Changed lines as a Code Quality report of GitLab",
        Renderer::Changes(|diff, _, out| write(diff, out)),
    )
};

/// A finding. GitLab requires the description, the fingerprint, the severity, the path and the first line.
#[derive(Serialize)]
struct Finding<'r> {
    description: &'static str,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location<'r>,
}

#[derive(Serialize)]
struct Location<'r> {
    path: &'r str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

pub(super) fn write(diff: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
    let findings = diff.missed_runs().map(|run| {
        let identity = identity(run);
        let same_before = seen.entry(identity.clone()).or_default();
        let fingerprint = fingerprint(identity, *same_before);
        *same_before += 1;
        Finding {
            description: run.message(),
            check_name: super::MISSED_LINES,
            fingerprint,
            severity: "minor",
            location: Location { path: &run.file.path, lines: Lines { begin: run.first, end: run.last } },
        }
    });
    json::write(&mut *out, &findings.collect::<Vec<_>>())?;
    writeln!(out)
}

/// Returns the path and the text of the lines, or their numbers where the text is unknown. GitLab tells a finding from
/// those of other pipelines by its fingerprint, so lines that only moved have to keep theirs.
fn identity(run: MissedRun<'_>) -> Vec<u8> {
    let mut identity = run.file.path.clone().into_bytes();
    identity.push(0);
    let (first, last) = (run.first as usize, run.last as usize);
    match &run.file.text {
        Some(text) => {
            let lines = text.split(|byte| *byte == b'\n').skip(first - 1).take(last + 1 - first);
            for line in lines {
                identity.extend_from_slice(line.trim_ascii());
                identity.push(b'\n');
            }
        }
        None => identity.extend_from_slice(format!("{first}-{last}").as_bytes()),
    }
    identity
}

/// Returns the hash of an identity and of the number of equal ones before it, so that equal lines of one file differ.
fn fingerprint(mut identity: Vec<u8>, same_before: u32) -> String {
    identity.push(0);
    identity.extend_from_slice(&same_before.to_be_bytes());
    let hash: [u8; 32] = Sha256::digest(&identity).into();
    let half = hash[..16].iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{half:032x}")
}
