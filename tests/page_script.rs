//! The script of the page without a browser: tables in `tests/page`, by node's own test runner.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::has_program;
use crate::harness::source::project_path;

#[test]
fn the_scripts_parts_without_browser_do_as_their_tables_say() {
    // Streams of the page are of this kind, which node knows since 20.12.
    if !has_program(&["node", "--eval", "new DecompressionStream('deflate-raw')"]) {
        return;
    }
    let folder = project_path("tests/page");
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.to_string_lossy().ends_with(".test.js")).collect();
    files.sort();
    // Files by name, since versions of node differ in what they find in a folder.
    let output = Command::new("node").arg("--test").args(&files).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let passed =
        stdout.lines().find_map(|line| line.trim_start_matches(['#', 'ℹ', ' ']).strip_prefix("pass "));
    assert!(passed.is_some_and(|number| number.parse::<usize>().unwrap() >= 25), "{stdout}");
}
