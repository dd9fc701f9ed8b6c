//! `--count-unmeasured` beside other options that decide what counts: groups, `--since`, `--carry`, marks and changes. The
//! programs are real ones of `go build -cover`, and each function has as many statements as its name says.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::harness::go::{Go, write};
use crate::harness::source::Source;
use crate::harness::{Output, World};
use crate::unmeasured_builds::{Measured, blocks};

const UNTESTED: &str = "unmeasured code was not counted beside other options";

/// The text of a file with functions of so many statements, each one a line.
fn text(package: &str, functions: &[(&str, usize)]) -> String {
    let function = |(name, statements): &(&str, usize)| {
        format!("func {name}() {{\n{}}}\n\n", "\tprintln()\n".repeat(*statements))
    };
    format!("package {package}\n\n{}", functions.iter().map(function).collect::<String>())
}

/// A command that calls functions of packages of its module.
fn main_go(calls: &[&str]) -> String {
    let packages: BTreeSet<&str> = calls.iter().map(|call| call.split('.').next().unwrap()).collect();
    let imports: Vec<String> =
        packages.iter().map(|package| format!("import \"example.com/app/{package}\"")).collect();
    let calls: Vec<String> = calls.iter().map(|call| format!("\t{call}()")).collect();
    format!("package main\n\n{}\n\nfunc main() {{\n{}\n}}\n", imports.join("\n"), calls.join("\n"))
}

/// Commits a module with these files; its command calls `used.Used`, which has 1 statement, and `main` has 1 as well.
fn module(files: &[(&str, &str)]) -> Source {
    let (main, used) = (main_go(&["used.Used"]), text("used", &[("Used", 1)]));
    let own =
        [("go.mod", "module example.com/app\n\ngo 1.20\n"), ("main.go", &main), ("used/used.go", &used)];
    let all: Vec<(&str, &[u8])> =
        own.iter().chain(files).map(|(path, text)| (*path, text.as_bytes())).collect();
    Source::from_files(&all)
}

fn json(output: Output) -> Value {
    serde_json::from_str(&output.assert_code(0).stdout).unwrap()
}

/// Returns the figures of a total and of a report in one form: covered and all statements, and the part that was added.
#[track_caller]
fn figures(world: &World, service: &str, options: &[&str]) -> Value {
    let of = |command: &str| {
        let found =
            json(world.run(
                &[&[command, service, "-q", "--format", "json", "--count-unmeasured"], options].concat(),
            ));
        json!([found["covered"], found["total"], found["counted_unmeasured"]])
    };
    let total = of("total");
    assert_eq!(of("report"), total, "{options:?}");
    total
}

fn part(packages: usize, files: usize, statements: usize, measured_percent: f64) -> Value {
    json!({"packages": packages, "files": files, "statements": statements, "measured_percent": measured_percent})
}

#[test]
fn a_group_counts_what_no_profile_of_its_services_has() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let (price, far) = (text("price", &[("Four", 4), ("Eight", 8)]), text("far", &[("Sixteen", 16)]));
    let worker = main_go(&["price.Four"]);
    let files = [("worker/main.go", &*worker), ("price/p.go", &price), ("far/f.go", &far)];
    let measured = Measured::from_source(go, &[], module(&files));
    measured.run("app", ".");
    measured.world.configure("[groups.shop]\napps = [\"app\", \"worker\"]\n");
    measured.run("worker", "./worker");
    measured.source.clone_for("app", &measured.world, &["--bare"]);
    measured.source.clone_for("worker", &measured.world, &["--bare"]);
    // `app` executes its 2 statements. `worker` executes `main` and `Four`, 5 of its 13 statements.
    let all = json!([7, 31, part(1, 1, 16, 100.0 * 7.0 / 15.0)]);
    assert_eq!(figures(&measured.world, "shop", &[]), all);
    // What another service measured is measured.
    assert_eq!(figures(&measured.world, "th_app", &[]), json!([2, 18, part(1, 1, 16, 100.0)]));
    assert_eq!(
        figures(&measured.world, "th_worker", &[]),
        json!([5, 29, part(1, 1, 16, 100.0 * 5.0 / 13.0)])
    );
    let total = ["total", "shop", "--count-unmeasured", "--fail-under"];
    measured.world.run(&[&total[..], &["22"]].concat()).assert_code(0);
    measured.world.run(&[&total[..], &["23"]].concat()).assert_code(5);
}

#[test]
fn since_a_row_unmeasured_statements_are_among_all() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let source = module(&[("price/p.go", &text("price", &[("Four", 4)]))]);
    let measured = Measured::from_source(go, &["-covermode=atomic"], source);
    measured.world.configure("[pull]\nchange = \"counts\"\n");
    measured.run("app", ".");
    measured.run("app", ".");
    measured.source.clone_for("app", &measured.world, &["--bare"]);
    assert_eq!(figures(&measured.world, "th_app", &["--since", "1"]), json!([2, 6, part(1, 1, 4, 100.0)]));
}

#[test]
fn marks_take_unmeasured_statements_out() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let marked = text("price", &[("Two", 2)])
        + "// coverage-ignore nobody links it\n"
        + "func Three() {\n\tprintln()\n\tprintln()\n\tprintln()\n}\n";
    let measured = Measured::from_source(go, &[], module(&[("price/p.go", &marked)]));
    measured.run("app", ".");
    measured.source.clone_for("app", &measured.world, &["--bare"]);
    assert_eq!(figures(&measured.world, "th_app", &[]), json!([2, 7, part(1, 1, 5, 100.0)]));
    assert_eq!(figures(&measured.world, "th_app", &["--ignore-marked"]), json!([2, 4, part(1, 1, 2, 100.0)]));
    let gated =
        ["report", "th_app", "-q", "--count-unmeasured", "--ignore-marked", "--fail-on", "stale-mark"];
    measured.world.run(&gated).assert_code(0);
}

#[test]
fn changed_lines_of_unmeasured_code_count_as_not_executed() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let source = module(&[("price/p.go", &text("price", &[("Four", 4)]))]);
    let mut measured = Measured::from_source(go, &[], source);
    let base = measured.source.commit.clone();
    measured.write("used/used.go", &text("used", &[("Used", 2)]));
    measured.write("price/p.go", &text("price", &[("Four", 4), ("Three", 3)]));
    measured.source.commit_all();
    measured.run("app", ".");
    measured.source.clone_for("app", &measured.world, &["--bare"]);
    let diff = |options: &[&str]| {
        let form = ["report", "th_app", "-q", "--base", &base, "--format", "diff-json"];
        let found = json(measured.world.run(&[&form, options].concat()));
        json!([found["covered"], found["total"], found["counted_unmeasured"]])
    };
    // One line of `Used` is new, and the 3 lines of statements of `Three`.
    assert_eq!(diff(&[]), json!([1, 1, null]));
    assert_eq!(diff(&["--count-unmeasured"]), json!([1, 4, part(1, 1, 7, 100.0)]));
    let text = ["report", "th_app", "-q", "--base", &base, "--format", "diff", "--count-unmeasured"];
    let printed = measured.world.run(&text).assert_code(0).stdout;
    assert!(printed.contains("price/p.go"), "{printed}");
    let gated = |percent| [&text[..], &["--fail-missed", percent]].concat();
    measured.world.run(&gated("3")).assert_code(0);
    measured.world.run(&gated("2")).assert_code(5);
}

#[test]
fn unmeasured_functions_are_carried_from_commits_that_executed_them() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let mut measured = Measured::from_source(go, &[], module(&[]));
    let un = |sixteen| text("un", &[("Four", 4), ("Eight", 8), ("Sixteen", sixteen)]);
    measured.write("main.go", &main_go(&["used.Used", "un.Four", "un.Sixteen"]));
    measured.write("un/un.go", &un(16));
    measured.write("far/far.go", &text("far", &[("ThirtyTwo", 32)]));
    measured.source.commit_all();
    measured.run("app", ".");
    // The command does not link `un` any more, of which one function is another one now.
    measured.write("main.go", &main_go(&["used.Used"]));
    measured.write("un/un.go", &un(17));
    measured.source.commit_all();
    measured.run("app", ".");
    measured.source.clone_for("app", &measured.world, &["--bare"]);

    let added = part(2, 2, 61, 100.0);
    assert_eq!(figures(&measured.world, "th_app", &[]), json!([2, 63, added]));
    assert_eq!(figures(&measured.world, "th_app", &["--carry"]), json!([6, 63, added]));
    let printed =
        measured.world.run(&["total", "th_app", "-v", "--carry", "--count-unmeasured"]).assert_code(0);
    assert_eq!(printed.stdout, "9.5\n");
    for words in [
        "3.2 here, 6.3 carried from 1 commit",
        "100.0 of what is measured, 9.5 with 61 statements of 2 packages that no stored profile has",
    ] {
        assert!(printed.stderr.contains(words), "{}", printed.stderr);
    }
    let found =
        json(measured.world.run(&["total", "th_app", "--carry", "--count-unmeasured", "--format", "json"]));
    assert_eq!((&found["percent"], &found["fresh"]), (&json!(600.0 / 63.0), &json!(200.0 / 63.0)));
    for (least, code) in [("9", 0), ("10", 5)] {
        for command in ["total", "report"] {
            let options = [command, "th_app", "-q", "--carry", "--count-unmeasured", "--fail-under", least];
            measured.world.run(&options).assert_code(code);
        }
    }
    let profile = |options: &[&str]| {
        let form = ["report", "th_app", "-q", "--carry", "--count-unmeasured", "--format", "profile"];
        measured.world.run(&[&form, options].concat()).assert_code(0).stdout
    };
    let executed = |profile: &str| -> Vec<String> {
        let lines = profile.lines().skip(1).filter(|line| line.contains("/un/") && line.ends_with(" 1"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(executed(&profile(&[])), Vec::<String>::new());
    assert_eq!(executed(&profile(&["--carry-in-forms"])), ["example.com/app/un/un.go:3.13,8.2 4 1"]);
    assert_eq!(blocks(&profile(&[])), blocks(&profile(&["--carry-in-forms"])));
    fs::remove_dir_all(measured.world.root().join("app/repo")).unwrap();
    measured.world.run(&["total", "th_app", "--carry", "--count-unmeasured"]).assert_code(1);
}

impl Measured {
    fn write(&self, path: &str, text: &str) {
        write(self.source.folder.path(), path, text);
    }
}
