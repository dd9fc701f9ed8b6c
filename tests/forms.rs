//! Forms of a report, read by programs of other projects.

use std::fs;

use serde_json::Value;

use crate::harness::service::Service;
use crate::harness::source::{Source, project_path};
use crate::harness::{World, has_program};

const BEFORE: &str = "package main\n\nfunc main() {\n\trun()\n}\n\nfunc run() {\n}\n";
const AFTER: &str = "package main\n\nfunc main() {\n\trun()\n}\n\n// run runs.\nfunc run() {\n\tif ok() {\n\t\tprintln()\n\t}\n\n\tpanic(1)\n}\n\nfunc init() { ok() }\n\nfunc init() {}\n\nfunc ok() bool { return true }\n";

/// Blocks of `AFTER`, and of files with hostile names.
const PROFILE: &str = "example.com/app/main.go:3.13,5.2 1 5
example.com/app/main.go:8.12,9.10 1 1
example.com/app/main.go:9.10,11.3 1 0
example.com/app/main.go:13.2,13.10 1 1
example.com/app/main.go:16.15,16.21 1 1
example.com/app/main.go:20.18,20.31 1 2
example.com/app/<b a=\"x\">&amp;'`|\u{1b}[31m,=cmd()#].go:1.1,2.2 1 0
example.com/app/--></script>]]>é\u{202e}.go:1.1,1.9 1 1
";

/// Makes a service whose repository has two commits, with `BEFORE` on the branch `base`.
fn changed_service() -> Service {
    let mut source =
        Source::from_files(&[("main.go", BEFORE.as_bytes()), ("go.mod", b"module example.com/app\n")]);
    source.git(&["branch", "base"]);
    fs::write(source.folder.path().join("main.go"), AFTER).unwrap();
    source.commit_all();
    Service::from_source(source, PROFILE)
}

/// Writes a form into the folder of the source, where programs that read it find the files that it names.
fn write_form(service: &Service, form: &str, name: &str) -> String {
    let file = service.source.folder.path().join(name);
    service.report(&["-q", "--format", &format!("{form}={}", file.display())]).assert_code(0);
    fs::read_to_string(file).unwrap()
}

#[test]
fn lcov_and_genhtml_read_the_tracefile() {
    if !has_program(&["lcov", "--version"]) || !has_program(&["genhtml", "--version"]) {
        return;
    }
    let service = changed_service();
    let text = write_form(&service, "lcov", "coverage.info");
    let records: Vec<&str> = text.lines().filter(|line| line.starts_with("DA:")).collect();
    let wanted =
        ["DA:1,1", "DA:1,0", "DA:2,0", "DA:4,5", "DA:9,1", "DA:10,0", "DA:13,1", "DA:16,1", "DA:20,2"];
    assert_eq!(records, wanted);
    let summary = service.source.run_tool(&["lcov", "--summary", "coverage.info"]);
    assert!(summary.contains("66.7% (6 of 9 lines)"), "{summary}");
    assert!(summary.contains("100.0% (4 of 4 functions)"), "an empty one is none: {summary}");
    service.source.run_tool(&[
        "genhtml",
        "--quiet",
        "--ignore-errors",
        "source",
        "--output-directory",
        "html",
        "coverage.info",
    ]);
    let page =
        service.source.run_tool(&["find", "html", "-name", "main.go.gcov.html", "-exec", "cat", "{}", ";"]);
    assert!(page.contains("panic"), "genhtml shows the source");
}

#[test]
fn genhtml_reads_a_tracefile_without_the_files_that_the_commit_lacks() {
    if !has_program(&["genhtml", "--version"]) {
        return;
    }
    let service = changed_service();
    let report = |options: &[&str]| {
        service
            .world
            .run(&[&["report", "app", "--format", "lcov=coverage.info"], options].concat())
            .assert_code(0)
    };
    report(&[]).assert_stderr_contains(
        "genhtml fails at files that the commit lacks; --exclude-without-source leaves them out\n",
    );
    report(&["--format", "text=coverage.txt", "--exclude-without-source"]);
    let text = fs::read_to_string(service.world.home().join("coverage.txt")).unwrap();
    assert!(text.contains("\nexclude files without source\n") && text.contains(" 5/6 "), "{text}");
    fs::copy(service.world.home().join("coverage.info"), service.source.folder.path().join("coverage.info"))
        .unwrap();
    service.source.run_tool(&["genhtml", "--quiet", "--output-directory", "html", "coverage.info"]);
    let gate = ["report", "app", "-q", "--exclude-without-source", "--format", "badge", "--fail-under"];
    service.world.run(&[&gate[..], &["83"]].concat()).assert_code(0);
    service.world.run(&[&gate[..], &["84"]].concat()).assert_code(5).assert_stderr_contains("83.3%");
}

#[test]
fn files_with_source_are_not_guessed_where_the_commit_is_missing() {
    let source =
        Source::from_files(&[("main.go", AFTER.as_bytes()), ("go.mod", b"module example.com/app\n")]);
    let world = World::new();
    let _agent = world.start_counted(&source.service_name(), PROFILE);
    world.pull(0);
    let report = world.run(&["report", "app", "--format", "badge", "--exclude-without-source"]);
    report.assert_code(1).assert_stderr_contains("--exclude-without-source needs the commit");
}

#[test]
fn cobertura_is_valid_and_diff_cover_finds_the_changed_lines() {
    if !has_program(&["xmllint", "--version"]) || !has_program(&["diff-cover", "--version"]) {
        return;
    }
    let service = changed_service();
    write_form(&service, "cobertura", "coverage.xml");
    let dtd = project_path("tests/fixtures/coverage-04.dtd");
    service.source.run_tool(&["xmllint", "--noout", "--nonet", "--dtdvalid", &dtd, "coverage.xml"]);
    write_form(&service, "lcov", "coverage.info");
    for file in ["coverage.xml", "coverage.info"] {
        service.source.run_tool(&["diff-cover", file, "--compare-branch=base", "--format=json:diff.json"]);
        let found = fs::read(service.source.folder.path().join("diff.json")).unwrap();
        let found: Value = serde_json::from_slice(&found).unwrap();
        let stats = &found["src_stats"]["main.go"];
        assert_eq!(stats["covered_lines"], serde_json::json!([9, 13, 16, 20]), "{file}: {found}");
        assert_eq!(stats["violation_lines"], serde_json::json!([10]), "{file}: {found}");
    }
}

#[test]
fn json_fits_its_published_schema_field_by_field() {
    if !has_program(&["python3", "-c", "import jsonschema"]) {
        return;
    }
    let service = changed_service();
    let json: Value = serde_json::from_str(&write_form(&service, "json", "report.json")).unwrap();
    assert_eq!((&json["covered"], &json["total"]), (&6.into(), &8.into()));
    service.source.assert_fits_schema("man/goc-watchdog-report.schema.json", "report.json");
}

#[test]
fn the_profile_is_the_stored_one_and_go_reads_what_filters_leave() {
    let service = changed_service();
    let stored = service.world.latest_text("app");
    // The control and bidirectional characters of the hostile names are escaped.
    let whole = service.report(&["-q", "--format", "profile"]).assert_code(0).stdout;
    assert_eq!(whole, stored.replace('\u{1b}', "\\u{1b}").replace('\u{202e}', "\\u{202e}"));
    let file = service.source.folder.path().join("own.cov");
    let form = format!("profile={}", file.display());
    service.report(&["-q", "--format", &form, "--include", "main.go"]).assert_code(0);
    let own = fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = whole.lines().filter(|line| !line.contains(".go:1.1,")).collect();
    assert_eq!(own.lines().collect::<Vec<_>>(), lines);
    if has_program(&["go", "version"]) {
        let printed = service.source.run_tool(&["go", "tool", "cover", "-func=own.cov"]);
        assert!(printed.trim_end().ends_with("83.3%"), "{printed}");
    }
}

#[test]
fn the_badge_is_well_formed_xml() {
    if !has_program(&["xmllint", "--version"]) {
        return;
    }
    let service = changed_service();
    assert!(write_form(&service, "badge", "badge.svg").contains(">75.0%</text>"));
    service.source.run_tool(&["xmllint", "--noout", "--nonet", "badge.svg"]);
}

#[test]
fn codecov_gets_a_number_or_a_fraction_for_each_line() {
    let service = changed_service();
    let json: Value = serde_json::from_str(&write_form(&service, "codecov", "codecov.json")).unwrap();
    let lines = &json["coverage"]["main.go"];
    assert_eq!(lines, &serde_json::json!({"4": 5, "9": 1, "10": 0, "13": 1, "16": 1, "20": 2}));
}

#[test]
fn forms_for_other_programs_are_the_same_bytes_for_the_same_row() {
    const FORMS: [&str; 8] =
        ["lcov", "cobertura", "codecov", "badge", "profile", "diff-github", "diff-gitlab", "diff-rdjson"];
    let service = changed_service();
    let written = || {
        FORMS.map(|form| service.world.run(&["report", "app", "-q", "--format", form]).assert_code(0).stdout)
    };
    let at_first = written();
    // A report of the same data must not depend on the time of the last pull.
    service.world.execute("UPDATE schedule SET last_pull_at = '2025-01-01T00:00:00.000Z'");
    assert_eq!(written(), at_first);
}

#[test]
fn a_badge_is_the_same_whatever_is_known_of_the_source() {
    let source =
        Source::from_files(&[("main.go", AFTER.as_bytes()), ("go.mod", b"module example.com/app\n")]);
    let world = World::new();
    let _agent = world.start_counted(&source.service_name(), PROFILE);
    world.pull(0);
    let badge = || world.run(&["report", "app", "-q", "--format", "badge"]).assert_code(0).stdout;
    let without_a_repository = badge();
    source.clone_into(&world, &["--bare"]);
    assert_eq!(badge(), without_a_repository);
    let beside = world.home().join("beside.svg");
    let both = format!("badge={}", beside.display());
    world.run(&["report", "app", "-q", "--format", &both, "--format", "text"]).assert_code(0);
    assert_eq!(fs::read_to_string(beside).unwrap(), without_a_repository);
    assert!(!without_a_repository.contains("no source"), "{without_a_repository}");
}
