//! Repositories of several modules, in which a name of a profile could mean several files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::World;
use crate::harness::go::Go;
use crate::harness::source::Source;
use crate::sim::{Agent, Behaviour, Program};

/// Fixtures, each with the folder of the module whose processes wrote its profile.
const REPOSITORIES: [(&str, &str); 8] = [
    ("83", "."),
    ("84", "."),
    ("86", "."),
    ("89", "."),
    ("90", "svc"),
    ("91", "b"),
    ("103", "svc2"),
    ("mono", "svc/two"),
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/modules")
}

fn collect_files(folder: &Path, below: &str, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}{}", path.file_name().unwrap().to_str().unwrap());
        match path.is_dir() {
            true => collect_files(&path, &format!("{name}/"), found),
            false => found.push((name, fs::read(path).unwrap())),
        }
    }
}

/// Commits the files of a fixture, and pulls a process with this profile.
fn pulled_fixture(name: &str, profile: &[u8]) -> (World, Source, Agent) {
    let mut found = Vec::new();
    collect_files(&fixtures().join(name), "", &mut found);
    let found: Vec<(&str, &[u8])> =
        found.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let source = Source::from_files(&found);
    let world = World::new();
    let agent = world.start(&source.service_name(), &Program::from_profile(""));
    agent.behave(Behaviour::Body(profile.to_vec()));
    world.pull(0);
    source.clone_into(&world, &["--bare"]);
    (world, source, agent)
}

#[test]
fn names_mean_the_files_that_the_go_command_compiles() {
    if Go::installed("no module was looked for as the real go command does").is_none() {
        return;
    }
    for (name, main) in REPOSITORIES {
        let profile = fixtures().join(format!("{name}.cov"));
        let (world, source, _agent) = pulled_fixture(name, &fs::read(&profile).unwrap());
        let go = Command::new("go")
            .args(["tool", "cover", &format!("-func={}", profile.display())])
            .current_dir(source.folder.path().join(main))
            .env("GOPROXY", "off")
            .env("GOWORK", "")
            .output()
            .unwrap();
        assert!(go.status.success(), "{name}: {}", String::from_utf8_lossy(&go.stderr));
        let report = world.run(&["report", "app"]).assert_code(0);
        assert_eq!(report.stdout, String::from_utf8_lossy(&go.stdout), "{name}");
        assert_eq!(report.stderr, "", "{name}");
    }
}

#[test]
fn a_profile_that_fits_two_modules_of_one_name_is_reported_with_a_warning() {
    let (world, _source, _agent) = pulled_fixture("mono", b"mode: count\napp/main.go:4.12,6.2 1 1\n");
    let report = world.run(&["report", "app", "--format=json"]).assert_code(0);
    let report = report.assert_stderr_contains(
        "the repository has \"app\" in several folders that fit the profile; \
         the source of \"svc/one\" is used, not that of \"svc/two\"",
    );
    assert_eq!(report.json()[0]["files"][0]["path"], "svc/one/main.go");
}

/// Changes `svc/two` in the repository `mono`, and pulls a process of a module that both folders could be.
fn pulled_change(profile: &str) -> (World, Source, Agent) {
    let mut found = Vec::new();
    collect_files(&fixtures().join("mono"), "", &mut found);
    let found: Vec<(&str, &[u8])> =
        found.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let mut source = Source::from_files(&found);
    let main = source.folder.path().join("svc/two/main.go");
    let text = fs::read_to_string(&main).unwrap();
    fs::write(&main, text.replace("println(1)", "println(2)")).unwrap();
    source.commit_all();
    let world = World::new();
    let agent = world.start(&source.service_name(), &Program::from_profile(""));
    agent.behave(Behaviour::Body(format!("mode: count\n{profile}").into_bytes()));
    world.pull(0);
    source.clone_into(&world, &["--bare"]);
    (world, source, agent)
}

const GATE: [&str; 5] = ["report", "app", "--format=diff-json", "--base=parent", "--fail-under=100"];

#[test]
fn a_gate_on_changes_fails_where_the_changed_lines_of_the_module_that_was_built_are_not_covered() {
    // Both names mean files of svc/two, since only that folder has y/y.go.
    let (world, _source, _agent) = pulled_change("app/main.go:4.12,6.2 1 0\napp/y/y.go:3.13,5.2 1 1\n");
    let output = world
        .run(&GATE)
        .assert_code(5)
        .assert_stderr_contains("0.0% of the changed lines (0 of 1) is below 100%, 1 more to cover");
    assert!(!output.stderr.contains("several times"), "{}", output.stderr);
    let json = output.json().remove(0);
    assert_eq!(
        (&json["files"][0]["path"], &json["files"][0]["missed"]),
        (&json!("svc/two/main.go"), &json!([5]))
    );
    let (world, _source, _agent) = pulled_change("app/main.go:4.12,6.2 1 1\napp/y/y.go:3.13,5.2 1 0\n");
    assert_eq!(world.run(&GATE).assert_code(0).stderr, "");
}

#[test]
fn a_gate_on_changes_warns_where_the_profile_fits_several_folders() {
    let (world, _source, _agent) = pulled_change("app/main.go:4.12,6.2 1 1\n");
    let output = world
        .run(&GATE)
        .assert_code(0)
        .assert_stderr_contains("the repository has \"app\" in several folders");
    let json = output.json().remove(0);
    assert_eq!(json["left_out"], json!([{"path": "svc/two/main.go", "why": "not_built"}]));
}

/// Go's own repository has its library and its commands below `src`, and the names of the library have no module.
#[test]
fn the_repository_of_go_itself_is_reported_with_its_source() {
    let source = Source::from_files(&[
        ("src/go.mod", b"module std\n\ngo 1.21\n"),
        ("src/fmt/print.go", b"package fmt\n\nfunc Print() {\n\tprintln(1)\n}\n"),
        ("src/cmd/go.mod", b"module cmd\n\ngo 1.21\n"),
        ("src/cmd/go/main.go", b"package main\n\nfunc main() {\n\tprintln(2)\n}\n"),
        ("test/fmt/print.go", b"package fmt\n\nfunc Other() {}\n"),
    ]);
    let world = World::new();
    let agent = world.start(&source.service_name(), &Program::from_profile(""));
    let profile = b"mode: count\ncmd/go/main.go:3.13,5.2 1 0\nfmt/print.go:3.14,5.2 1 7\n";
    agent.behave(Behaviour::Body(profile.to_vec()));
    world.pull(0);
    source.clone_into(&world, &["--bare"]);
    let table = world.run(&["report", "app"]).assert_code(0);
    assert_eq!(table.stderr, "");
    assert_eq!(
        table.stdout,
        "cmd/go/main.go:3:\tmain\t\t0.0%\nfmt/print.go:3:\t\tPrint\t\t100.0%\ntotal:\t\t\t(statements)\t50.0%\n"
    );
    let json = world.run(&["report", "app", "--format=json"]).assert_code(0).json().remove(0);
    let paths: Vec<&Value> = json["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
    assert_eq!(paths, ["src/cmd/go/main.go", "src/fmt/print.go"]);
}
