//! Reports for the tests of each form.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{TimeDelta, TimeZone, Utc};

use super::diff::{Base, ChangedText, Changes, DiffReport};
use super::forms::{Form, FormInput};
use super::*;
use crate::code::gosrc::scan;
use crate::code::patch;
use crate::coverage::Coverage;
use crate::filter::Filter;
use crate::profile::{Limits, parse};

/// A name with special characters, which every form has to escape.
pub(super) const HOSTILE: &str = "example.com/a\"b<c>&'d|`e`,=cmd\u{1b}[31m\n--/]]>x_y*.go";

pub(super) fn head() -> ReportHead {
    ReportHead {
        service: "staging_th_app_master_845820727e".to_owned(),
        env: "staging".to_owned(),
        region: "th".to_owned(),
        app: "app".to_owned(),
        branch: "master".to_owned(),
        commit: "845820727e".to_owned(),
        choice: None,
        source_commit: Some("845820727e0123456789012345678901234567ab".to_owned()),
        row: 7,
        mark: None,
        group: None,
        stored_at: Utc.with_ymd_and_hms(2026, 11, 24, 14, 20, 0).unwrap(),
        confirmed_at: Some(Utc.with_ymd_and_hms(2026, 11, 24, 14, 50, 0).unwrap()),
        age: TimeDelta::minutes(3),
        replicas: Some((2, 3)),
        previous: Some(PreviousRow {
            row: 5,
            stored_at: Utc.with_ymd_and_hms(2026, 11, 23, 14, 20, 0).unwrap(),
            commit: "0123456".to_owned(),
            coverage: Some(Coverage { covered: 1, total: 4 }),
        }),
        trend: Vec::new(),
        above: None,
        links: None,
        filters: Vec::new(),
        ignores_marked: false,
        verdicts: Vec::new(),
        together: None,
        carried: None,
        counted_unmeasured: None,
        since: None,
        before: None,
    }
}

/// Combines a profile with these texts, one for each of its files in order, and calls a function with the report. The
/// path of a file with a text is its name without the first folder.
pub(super) fn with_report<T>(
    profile: &str,
    sources: &[Option<&str>],
    then: impl FnOnce(Report<'_>) -> T,
) -> T {
    let filter = Filter::default();
    let packer = Packer::new(&filter);
    let needs = FileNeeds { lines: true, packer: Some(&packer), quotes: true, ..FileNeeds::default() };
    let profile = parse(profile.as_bytes(), Limits::default()).unwrap();
    let sources = profile.build.files().zip(sources).map(|(file, source)| {
        let counts = &profile.counts[file.range.0..file.range.1];
        match source {
            Some(text) => {
                let path = file.name.split_once('/').map_or(file.name, |(_, path)| path);
                FileSource::from_text((path, text.as_bytes(), scan(text.as_bytes())), &file, counts, needs)
            }
            None => FileSource::without_text(None, NoSource::NotInCommit, &file, counts, needs),
        }
    });
    then(Report::new(head(), &profile, sources.collect()))
}

/// Makes a group of these apps, each of which has a package of the report in turn, with a missing app and a file in
/// which they differ.
pub(super) fn group_of(report: &Report<'_>, apps: &[&str]) -> Arc<GroupFacts> {
    let app = |(row, app): (i64, &&str)| GroupApp {
        app: (*app).to_owned(),
        service: format!("staging_th_{app}_master_845820727e"),
        row,
        stored_at: report.head.stored_at,
        last_pull: report.head.confirmed_at,
        replicas: Some((1, 1)),
    };
    let packages = report.packages();
    let shares = packages.iter().enumerate().flat_map(|(at, package)| {
        let share = move |file: &&FileReport<'_>| {
            let mut share = vec![Coverage::default(); apps.len()];
            share[at % apps.len()] = file.coverage;
            (file.name.into(), share)
        };
        package.files.iter().map(share)
    });
    Arc::new(GroupFacts {
        apps: (7..).zip(apps).map(app).collect(),
        missing: vec![LackingApp {
            app: "<web>".to_owned(),
            reason: "<web> has no data of commit 845820727e, its newest is 0123456".to_owned(),
            newest_commit: Some("0123456".to_owned()),
        }],
        conflicts: vec![ConflictingFile {
            file: "m/api/x.go".to_owned(),
            blocks_of: apps[0].to_owned(),
            differs_in: apps[1..].iter().map(|app| (*app).to_owned()).collect(),
        }],
        shares: shares.collect(),
    })
}

/// Writes the form of that name.
pub(super) fn written(form: &str, profile: &str, sources: &[Option<&str>]) -> String {
    written_with(TextLayout::default(), form, profile, sources)
}

/// Writes the form of that name in a layout.
pub(super) fn written_with(
    layout: TextLayout,
    form: &str,
    profile: &str,
    sources: &[Option<&str>],
) -> String {
    with_report(profile, sources, |report| render(form, &report, None, layout))
}

/// Writes the form of that name, with changes if some are given.
pub(super) fn render(
    form: &str,
    report: &Report<'_>,
    changes: Option<(&DiffReport, &Changes)>,
    layout: TextLayout,
) -> String {
    let mut out = Vec::new();
    let form = Form::by_name(form).unwrap();
    form.write(FormInput { report, changes }, layout, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Changes of [`SOURCES`]: lines 1 (no code), 5 (missed) and 10 (executed) of main.go, and a line without code of x.go.
pub(super) const DIFF: &str = "--- app/main.go\n+++ app/main.go\n@@ -1 +1 @@\n-x\n+package app\n@@ -5 +5 @@\n-x\n+\t\tpanic(1)\n@@ -10 +10 @@\n-x\n+\tclose(t.c)\n--- api/x.go\n+++ api/x.go\n@@ -2 +2 @@\n-x\n+\n";

/// Parses a diff of [`SOURCES`].
pub(super) fn changes(diff: &str) -> Changes {
    let text = |text: &str| ChangedText { text: text.as_bytes().into(), scanned: scan(text.as_bytes()) };
    Changes {
        base: Base { commit: Some("0123456789abcdef".to_owned()), how: "which is <main>".to_owned() },
        patches: patch::parse(diff.as_bytes()).unwrap(),
        texts: ["app/main.go", "app/other.go"].map(|path| (path.to_owned(), text(SOURCE))).into(),
        functions_before: HashMap::new(),
    }
}

/// Two packages of three files, one of them without source, and a method among the functions.
pub(super) const SOURCE: &str = "package app\n\nfunc main() {\n\tif run() { // c\n\t\tpanic(1)\n\t}\n}\n\nfunc (t *T) Stop() {\n\tclose(t.c)\n}\n";
pub(super) const PROFILE: &str = "mode: count\n\
    m/app/main.go:3.13,4.11 1 3\nm/app/main.go:4.11,6.3 1 0\nm/app/main.go:9.20,11.2 1 2\n\
    m/app/made.go:1.1,2.2 2 0\n\
    m/api/x.go:3.12,5.2 4 1\n";
/// The text of each file, in order of their names.
pub(super) const SOURCES: [Option<&str>; 3] =
    [Some("package api\n\nfunc x() {\n\ty()\n}\n"), None, Some(SOURCE)];
