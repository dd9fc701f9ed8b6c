//! `--max-drop` of `total` and `report`: not lower than before.

use std::fs;

use serde_json::{Value, json};

use crate::harness::source::Source;
use crate::harness::{ECHO, NEXT_ECHO, World, output_of};
use crate::sim::Agent;

/// A service at three commits: the second one and a fix are both based on the first one. The fix was stored last.
struct Commits {
    world: World,
    source: Source,
    /// The names of the service at these commits.
    names: [String; 3],
    _agents: Vec<Agent>,
}

/// Returns a profile of a main file of 1000 statements and a generated one of 1000 statements.
fn profile(main: u32, made: u32) -> String {
    let file = |name: &str, covered: u32| {
        let missed = 1000 - covered;
        format!("example.com/app/{name}:3.13,4.2 {covered} 1\nexample.com/app/{name}:4.2,5.2 {missed} 0\n")
    };
    file("made.go", made) + &file("main.go", main)
}

/// Stores 50.0, 60.0 and 49.9 percent, half of it of the generated file.
fn commits() -> Commits {
    let mut source = Source::with_main();
    let world = World::new();
    let (mut names, mut agents) = (Vec::new(), Vec::new());
    for (start, main, made) in [(None, 500, 500), (None, 900, 300), (Some("HEAD~1"), 498, 500)] {
        if let Some(start) = start {
            source.git(&["checkout", "--quiet", start]);
        }
        if !names.is_empty() {
            fs::write(source.folder.path().join(format!("{main}.txt")), "x").unwrap();
            source.commit_all();
        }
        let name = source.service_name();
        agents.push(world.start_counted(&name, &profile(main, made)));
        world.pull(0);
        names.push(name);
    }
    source.git(&["branch", "fix"]);
    source.git(&["checkout", "--quiet", "master"]);
    Commits { world, source, names: names.try_into().unwrap(), _agents: agents }
}

impl Commits {
    fn clone_source(&self) {
        self.source.clone_into(&self.world, &["--bare"]);
    }

    /// Returns the commit in the name of a service.
    fn commit(&self, number: usize) -> &str {
        self.names[number].rsplit('_').next().unwrap()
    }
}

#[test]
fn a_total_is_compared_with_the_commit_before_in_git_or_else_with_the_one_stored_before() {
    let commits = commits();
    let Commits { world, names, .. } = &commits;
    let total = |arguments: &[&str], code| {
        let output = world.run(&[&["total", &*names[2]], arguments].concat()).assert_code(code);
        assert_eq!(output.stdout, "49.9\n", "one number");
        output.stderr
    };
    let now = format!("goc-watchdog: {}: 49.9% (998 of 2000 statements, row 3)", names[2]);
    let second = format!("60.0% (1200 of 2000 statements, row 2, commit {}", commits.commit(1));
    assert_eq!(
        total(&["--max-drop", "0.5"], 5),
        format!(
            "{now} is 10.1 points below {second}, the commit stored before it on its branch), more than 0.5\n\
             goc-watchdog: see goc-watchdog report {} --against 2\n",
            names[2]
        )
    );
    commits.clone_source();
    let first = format!("50.0% (1000 of 2000 statements, row 1, commit {}", commits.commit(0));
    assert_eq!(
        total(&["--max-drop", "0.5"], 0),
        format!(
            "{now} is 0.1 points below {first}, the commit before it in git), at most 0.5 below allowed\n"
        )
    );
    assert_eq!(total(&["--max-drop", "0.5", "-q"], 0), "");
    assert!(total(&["--max-drop", "0.05"], 5).contains(", more than 0.05\n"));
    assert!(
        total(&["--max-drop", "0.5", "--against", "2"], 5)
            .contains(&format!("{second}, --against), more than 0.5"))
    );
    assert!(total(&["--max-drop", "0.5", "--against", &names[1]], 5).contains(&second));

    let json = world
        .run(&["total", &names[2], "--max-drop", "0.5", "--format", "json"])
        .assert_code(0)
        .json()
        .remove(0);
    let before = &json["before"];
    assert_eq!(
        (&before["id"], &before["covered"], &before["total"], &before["percent"], &before["chosen_by"]),
        (&json!(1), &json!(1000), &json!(2000), &json!(50.0), &json!("git"))
    );
    let delta = json["delta"].as_f64().unwrap();
    assert!((delta + 0.1).abs() < 1e-9, "{delta}");
    assert_eq!((&json["gates"][0]["gate"], &json["gates"][0]["result"]), (&json!("max_drop"), &json!("met")));
    let without = world.run(&["total", &names[2], "--format", "json"]).assert_code(0).json().remove(0);
    assert_eq!((&without["before"], &without["delta"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_total_without_a_commit_before_passes_and_says_so() {
    let commits = commits();
    let Commits { world, names, .. } = &commits;
    for has_clone in [false, true] {
        if has_clone {
            commits.clone_source();
        }
        let output = world.run(&["total", &names[0], "--max-drop", "0", "--format", "json"]).assert_code(0);
        assert_eq!(
            output.stderr,
            format!(
                "goc-watchdog: {}: nothing is stored of a commit before {} on branch master, gate not applied (--max-drop)\n",
                names[0],
                commits.commit(0)
            )
        );
        let json = &output.json()[0];
        assert_eq!((&json["before"], &json["delta"]), (&Value::Null, &Value::Null));
        assert_eq!(json["gates"][0]["result"], "not_applied");
    }
    world
        .run(&["total", &names[0], "--max-drop", "0", "--against", "1"])
        .assert_code(1)
        .assert_stderr_contains("--against 1 is row 1 itself");
    world.run(&["total", &names[0], "--against", "2"]).assert_code(2).assert_stderr_contains("--max-drop");
    world.run(&["total", &names[0], "--max-drop", "-1"]).assert_code(2);
}

#[test]
fn a_report_is_compared_in_the_files_that_its_filters_leave() {
    let commits = commits();
    commits.clone_source();
    let Commits { world, names, .. } = &commits;
    let report = |arguments: &[&str], code| {
        world.run(&[&["report", &*names[2], "--format"], arguments].concat()).assert_code(code)
    };
    let json = report(&["json", "--max-drop", "0.1"], 0).json().remove(0);
    assert_eq!((&json["before"]["id"], &json["before"]["percent"]), (&json!(1), &json!(50.0)));
    // The total of main.go alone fell from 50.0 to 49.8 percent.
    let output = report(&["json", "--max-drop", "0.1", "--exclude", "made.go"], 5);
    assert!(
        output
            .stderr
            .contains("49.8% (498 of 1000 statements, row 3) is 0.2 points below 50.0% (500 of 1000"),
        "{}",
        output.stderr
    );
    assert_eq!(output.json()[0]["before"]["covered"], 500);
    // The other files of a report of changes are compared, too.
    let changed = report(&["json", "--max-drop", "0.1", "--only-changed"], 0);
    assert!(
        changed.stderr.contains("(998 of 2000 statements, row 3) is 0.1 points below"),
        "{}",
        changed.stderr
    );
    let diff = report(&["diff-json", "--max-drop", "0.1", "--against", "2"], 5);
    assert!(diff.stderr.contains("row 2"), "{}", diff.stderr);
    let diff = &diff.json()[0];
    assert_eq!((&diff["before"]["id"], &diff["before"]["chosen_by"]), (&json!(2), &json!("named")));
    assert!(diff["against"]["with"].as_str().unwrap().ends_with("(row 2)"), "{diff}");
    let json = report(&["json", "--max-drop", "99", "--against", "2"], 0).json().remove(0);
    assert!((json["delta"].as_f64().unwrap() + 10.1).abs() < 1e-9, "{json}");

    world.execute(
        "UPDATE goc_o_staging_service_cover SET deleted_at = created_at, is_latest = 'n' WHERE id = 1",
    );
    let json = report(&["json", "--max-drop", "0.1"], 0).json().remove(0);
    assert_eq!(json["before"]["id"], 1, "the total of a dropped profile stays");
    report(&["json", "--max-drop", "0.1", "--exclude", "made.go"], 0).assert_stderr_contains(
        "row 1 has no profile any more, so the filters cannot be applied to it, gate not applied",
    );
}

#[test]
fn a_canary_is_compared_with_the_commit_before_whichever_was_stored_last() {
    let (world, [old, _new]) = World::with_two_commits();
    old.hit(&[2], 1);
    world.pull(0);
    let stderr = |name: &str, code| world.run(&["total", name, "--max-drop", "1"]).assert_code(code).stderr;
    assert!(
        stderr(NEXT_ECHO, 5).contains(
            "10.0% (1 of 10 statements, row 2) is 50 points below 60.0% (6 of 10 statements, row 3"
        )
    );
    assert!(stderr(ECHO, 0).contains("nothing is stored of a commit before 845820727e on branch master"));
}

#[test]
fn a_comparison_without_git_says_that_the_order_of_storing_decides() {
    let commits = commits();
    let total = |path: &str| {
        let mut command = commits.world.command(&["total", &commits.names[2], "--max-drop", "0.5"]);
        output_of(command.env("PATH", path)).stderr
    };
    assert!(!total("/nowhere").contains("git"), "an app without a clone is not about git");
    commits.clone_source();
    let stderr = total("/nowhere");
    let expected = format!(
        "warning: the clone cannot tell the commit before {}, so the one that was stored before it is taken: cannot run git: no folder of PATH has it; install git",
        commits.commit(2)
    );
    assert!(stderr.contains(&expected), "{stderr}");
    assert!(stderr.contains("is 10.1 points below"), "{stderr}");
}
