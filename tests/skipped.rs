//! The last lines of `cargo test`: what was not tested here, and why. Cargo runs test targets in the order of their
//! names, so this one follows `tests`.

#![expect(clippy::disallowed_methods, reason = "tests left their reasons in a file")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::parent_id;
use std::path::Path;

fn main() {
    // `tests/harness/mod.rs` writes the file, under the process id of the same cargo.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped").join(parent_id().to_string());
    let Ok(text) = fs::read_to_string(&file) else { return };
    let _ = fs::remove_file(&file);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in text.lines() {
        *reasons.entry(reason).or_default() += 1;
    }
    let each = reasons.iter().map(|(reason, tests)| format!("{reason} ({tests})"));
    println!(
        "SKIPPED, at least in part: {} tests: {}\n",
        text.lines().count(),
        each.collect::<Vec<_>>().join("; ")
    );
}
