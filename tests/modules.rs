//! Repositories of several modules, in which a name of a profile could mean several files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::source::Source;
use crate::harness::{World, skipped};
use crate::sim::{Agent, Behaviour, Program};

/// Each fixture, and the folder of the module whose processes wrote its profile.
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

fn files(folder: &Path, below: &str, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}{}", path.file_name().unwrap().to_str().unwrap());
        match path.is_dir() {
            true => files(&path, &format!("{name}/"), found),
            false => found.push((name, fs::read(path).unwrap())),
        }
    }
}

/// A repository with what a fixture has, and a process with this profile, pulled.
fn pulled(name: &str, profile: &[u8]) -> (World, Source, Agent) {
    let mut found = Vec::new();
    files(&fixtures().join(name), "", &mut found);
    let found: Vec<(&str, &[u8])> =
        found.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let source = Source::of(&found);
    let world = World::new();
    let agent = world.start(&source.service(), &Program::of(""));
    agent.behave(Behaviour::Body(profile.to_vec()));
    world.pull(0);
    source.clone_into(&world, &["--bare"]);
    (world, source, agent)
}

#[test]
fn names_mean_the_files_that_the_go_command_compiles() {
    if Command::new("go").arg("version").output().is_err() {
        assert!(std::env::var_os("GOC_WATCHDOG_REQUIRE_GO").is_none(), "no \"go\" in PATH");
        skipped("no Go here, so no module was looked for as the real go command does");
        return;
    }
    for (name, main) in REPOSITORIES {
        let profile = fixtures().join(format!("{name}.cov"));
        let (world, source, _agent) = pulled(name, &fs::read(&profile).unwrap());
        let go = Command::new("go")
            .args(["tool", "cover", &format!("-func={}", profile.display())])
            .current_dir(source.folder.path().join(main))
            .env("GOPROXY", "off")
            .env("GOWORK", "")
            .output()
            .unwrap();
        assert!(go.status.success(), "{name}: {}", String::from_utf8_lossy(&go.stderr));
        let report = world.run(&["report", "app"]).ended(0);
        assert_eq!(report.stdout, String::from_utf8_lossy(&go.stdout), "{name}");
        assert_eq!(report.stderr, "", "{name}");
    }
}

#[test]
fn a_profile_that_fits_two_modules_of_one_name_is_reported_with_a_warning() {
    let (world, _source, _agent) = pulled("mono", b"mode: count\napp/main.go:4.12,6.2 1 1\n");
    let report = world.run(&["report", "app", "--format=json"]).ended(0);
    let report = report.warned(
        "the repository has \"app\" several times, and the profile fits each: \
         the source is that of \"svc/one\", not that of \"svc/two\"",
    );
    assert_eq!(report.json()[0]["files"][0]["path"], "svc/one/main.go");
}
