//! Reports for the tests of each form.

use chrono::{TimeDelta, TimeZone, Utc};

use super::*;
use crate::code::gosrc::scan;
use crate::profile::{Limits, parse};

/// A name that every form has to make harmless.
pub(super) const HOSTILE: &str = "example.com/a\"b<c>&'d|`e`,=cmd\u{1b}[31m\n--/]]>x_y*.go";

pub(super) fn head() -> Head {
    Head {
        service: "staging_th_app_master_845820727e".to_owned(),
        env: "staging".to_owned(),
        region: "th".to_owned(),
        app: "app".to_owned(),
        branch: "master".to_owned(),
        commit: "845820727e".to_owned(),
        source_commit: Some("845820727e0123456789012345678901234567ab".to_owned()),
        row: 7,
        stored_at: Utc.with_ymd_and_hms(2026, 11, 24, 14, 20, 0).unwrap(),
        confirmed_at: Some(Utc.with_ymd_and_hms(2026, 11, 24, 14, 50, 0).unwrap()),
        age: TimeDelta::minutes(3),
        replicas: Some((2, 3)),
        previous: Some(Previous {
            row: 5,
            stored_at: Utc.with_ymd_and_hms(2026, 11, 23, 14, 20, 0).unwrap(),
            commit: "0123456".to_owned(),
            coverage: Some(Coverage { covered: 1, total: 4 }),
        }),
        trend: Vec::new(),
        above: None,
        filters: Vec::new(),
    }
}

/// Lays a profile over these texts, one for each of its files in order, and hands the report on; a file
/// with a text has a path: its name without the first folder.
pub(super) fn with_report<T>(
    profile: &str,
    sources: &[Option<&str>],
    then: impl FnOnce(Report<'_>) -> T,
) -> T {
    let filter = Filter::default();
    let packer = Packer::new(&filter);
    let wants = Wants { lines: true, packer: Some(&packer), quotes: true };
    let profile = parse(profile.as_bytes(), Limits::default()).unwrap();
    let sources = profile.build.files().zip(sources).map(|(file, source)| {
        let counts = &profile.counts[file.range.0..file.range.1];
        match source {
            Some(text) => {
                let path = file.name.split_once('/').map_or(file.name, |(_, path)| path);
                Source::of_text(path, text.as_bytes(), scan(text.as_bytes()), &file, counts, wants)
            }
            None => Source::without_text(None, NoSource::NotInCommit, &file, counts, wants),
        }
    });
    then(Report::new(head(), &profile, sources.collect()))
}

pub(super) fn written(form: Form, profile: &str, sources: &[Option<&str>]) -> String {
    with_report(profile, sources, |report| {
        let mut out = Vec::new();
        report.write(form, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    })
}

/// Two packages of three files, one of them without source, and a method among the functions.
pub(super) const SOURCE: &str = "package app\n\nfunc main() {\n\tif run() { // c\n\t\tpanic(1)\n\t}\n}\n\nfunc (t *T) Stop() {\n\tclose(t.c)\n}\n";
pub(super) const PROFILE: &str = "mode: count\n\
    m/app/main.go:3.13,4.11 1 3\nm/app/main.go:4.11,6.3 1 0\nm/app/main.go:9.20,11.2 1 2\n\
    m/app/made.go:1.1,2.2 2 0\n\
    m/api/x.go:3.12,5.2 4 1\n";
/// Of the files in order of their names.
pub(super) const SOURCES: [Option<&str>; 3] =
    [Some("package api\n\nfunc x() {\n\ty()\n}\n"), None, Some(SOURCE)];
