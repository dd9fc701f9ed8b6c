//! The script that makes the files of a release, up to the point where it would compile. `.ci/run` runs all of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::source::{Source, project_path};
use crate::harness::{Output, make_script, output_of};

const CHANGELOG: &str = "# Changelog\n\n## 1.2.0 (2026-12-01)\n\n### Added\n\n- A thing with a long text\n  \
                         -that `goes on`.\n- Another one.\n\n## 1.1.0 (2026-01-01)\n\n- An old thing.\n";

/// A repository with the script, and this text of `CHANGELOG.md`.
fn repository(changelog: &str) -> Source {
    let script = fs::read(project_path(".ci/release")).unwrap();
    let manifest = b"[package]\nname = \"goc-watchdog\"\nversion = \"1.2.0\"\n";
    Source::from_files(&[
        (".ci/release", &script),
        ("Cargo.toml", manifest),
        ("CHANGELOG.md", changelog.as_bytes()),
    ])
}

fn release(source: &Source, arguments: &[&str]) -> Output {
    let folder: &Path = source.folder.path();
    let mut command = Command::new("bash");
    command.arg(folder.join(".ci/release")).args(arguments).current_dir(folder.parent().unwrap());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    output_of(&mut command)
}

#[track_caller]
fn assert_refused(source: &Source, tag: &str, message: &str) {
    // Neither form builds anything: "cargo" would fail here, because there is no source.
    for arguments in [&["notes", tag][..], &[tag]] {
        let output = release(source, arguments).assert_code(1);
        assert_eq!((&*output.stdout, output.stderr), ("", format!("release: {message}\n")));
    }
}

#[test]
fn notes_are_the_section_of_the_tag_with_one_line_for_each_item() {
    let source = repository(CHANGELOG);
    source.git(&["tag", "-a", "-m", "release", "v1.2.0"]);
    let output = release(&source, &["notes", "v1.2.0"]).assert_code(0);
    assert_eq!(
        (&*output.stdout, &*output.stderr),
        ("### Added\n\n- A thing with a long text -that `goes on`.\n- Another one.\n\n", "")
    );
}

#[test]
fn a_tag_of_another_version_is_refused() {
    let source = repository(CHANGELOG);
    source.git(&["tag", "v1.3.0"]);
    assert_refused(
        &source,
        "v1.3.0",
        "the tag \"v1.3.0\" is not of this version: Cargo.toml has \"1.2.0\"; change one of them",
    );
}

#[test]
fn a_section_without_a_date_or_of_another_version_is_refused() {
    let refused = |heading: &str, message: &str| {
        let source = repository(&CHANGELOG.replace("1.2.0 (2026-12-01)", heading));
        source.git(&["tag", "v1.2.0"]);
        assert_refused(&source, "v1.2.0", message);
    };
    refused(
        "1.2.0 (unreleased)",
        "CHANGELOG.md has \"1.2.0 (unreleased)\": write its date, as in \"## 1.2.0 (YYYY-MM-DD)\", and tag that commit",
    );
    for heading in ["1.2.1 (2026-12-01)", "1.2.0", "Unreleased", "1.2.0 (soon)"] {
        refused(
            heading,
            &format!(
                "the first section of CHANGELOG.md is \"{heading}\": the release needs \"## 1.2.0 (YYYY-MM-DD)\""
            ),
        );
    }
}

#[test]
fn a_tag_that_is_not_the_clean_commit_checked_out_is_refused() {
    let mut source = repository(CHANGELOG);
    assert_refused(&source, "v1.2.0", "there is no tag \"v1.2.0\": make it by \"git tag -a v1.2.0\"");
    source.git(&["tag", "v1.2.0"]);
    let file = source.folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert_refused(
        &source,
        "v1.2.0",
        "files differ from the tag \"v1.2.0\": commit or remove them (git status names them)",
    );
    source.commit_all();
    assert_refused(
        &source,
        "v1.2.0",
        "the tag \"v1.2.0\" is not the commit that is checked out: run \"git checkout v1.2.0\"",
    );
}

/// Build scripts of C code are run again when the variable differs from the last build.
#[test]
fn the_time_of_the_files_does_not_reach_the_compiler() {
    let source = repository(CHANGELOG);
    let programs = tempfile::tempdir().unwrap();
    let saw = programs.path().join("saw");
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    make_script(
        &programs.path().join("cargo"),
        "[ $1 != build ] || { echo \"$*, ${SOURCE_DATE_EPOCH-none}\" >\"$SAW\"; mkdir -p \"target/$6/$4\"; }",
    );
    make_script(&programs.path().join("jq"), ":");
    let mut command = Command::new("bash");
    command.arg(source.folder.path().join(".ci/release")).args(["binary", &target]);
    command.env("PATH", format!("{}:/usr/bin:/bin", programs.path().display())).env("SAW", &saw);
    command.env("SOURCE_DATE_EPOCH", "7").env_remove("CARGO_TARGET_DIR");
    output_of(&mut command).assert_code(0);
    assert_eq!(
        fs::read_to_string(&saw).unwrap(),
        format!("build --locked --profile release --target {target}, none\n")
    );
}

#[test]
fn other_arguments_are_answered_by_the_usage() {
    let source = repository(CHANGELOG);
    for arguments in
        [&[][..], &["1.2.0"], &["notes"], &["binary"], &["rehearsal", "a", "b"], &["v1.2.0", "a", "b"]]
    {
        let output = release(&source, arguments).assert_code(2);
        assert!(output.stderr.starts_with("usage: .ci/release TAG"), "{arguments:?}: {}", output.stderr);
    }
}
