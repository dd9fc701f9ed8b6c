//! Unusual source: links, lines with other numbers, renamed files, and commits of too many files.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::World;
use crate::harness::go::Go;
use crate::harness::source::{Source, repository};
use crate::sim::{Agent, Behaviour, Program};

const REAL: &str = "package real\n\nfunc R() {\n\tprintln()\n}\n";
const SHARED: &str = "package app\n\nfunc A(x int) int {\n\tif x > 1 {\n\t\treturn 2\n\t}\n\treturn 1\n}\n";
const PROFILE: &str = "mode: count\nexample.com/app/a.go:3.19,4.11 1 1\nexample.com/app/a.go:4.11,6.3 1 0\n\
                       example.com/app/a.go:7.2,7.10 1 1\nexample.com/app/cmd/deep/r.go:3.10,5.2 1 1\n\
                       example.com/app/linked/r.go:3.10,5.2 1 0\n";

/// Pulls a process with this profile of the source's commit, and clones the source.
fn pulled_service(source: &Source, profile: &str) -> (World, Agent) {
    let world = World::new();
    let agent = world.start(&source.service_name(), &Program::from_profile(""));
    agent.behave(Behaviour::Body(profile.as_bytes().to_vec()));
    world.pull(0);
    source.clone_into(&world, &["--bare"]);
    (world, agent)
}

/// Makes a repository with a file that is a link, and a folder to which two links lead.
fn source_with_links() -> Source {
    let mut source = Source::from_files(&[
        ("go.mod", b"module example.com/app\n\ngo 1.21\n"),
        ("shared/a.txt", SHARED.as_bytes()),
        ("real/r.go", REAL.as_bytes()),
    ]);
    let folder = source.folder.path();
    fs::create_dir(folder.join("cmd")).unwrap();
    for (target, link) in [("shared/a.txt", "a.go"), ("real", "linked"), ("../real", "cmd/deep")] {
        symlink(target, folder.join(link)).unwrap();
    }
    source.commit_all();
    source
}

#[test]
fn links_to_files_and_folders_are_followed_as_go_does() {
    let source = source_with_links();
    let (world, _agent) = pulled_service(&source, PROFILE);
    let table = world.run(&["report", "app"]).assert_code(0).stdout;
    assert!(
        table.starts_with(
            "example.com/app/a.go:3:\t\t\tA\t\t66.7%\nexample.com/app/cmd/deep/r.go:3:\tR\t\t100.0%\n"
        ),
        "{table}"
    );
    let json = world.run(&["report", "app", "--format=json"]).assert_code(0).json().remove(0);
    let paths: Vec<&Value> = json["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
    assert_eq!(paths, ["shared/a.txt", "real/r.go", "real/r.go"]);
    if Go::installed("links were not followed by the real go tool cover").is_none() {
        return;
    }
    let profile = world.home().join("p.cov");
    fs::write(&profile, PROFILE).unwrap();
    assert_eq!(table, source.run_tool(&["go", "tool", "cover", &format!("-func={}", profile.display())]));
}

#[test]
fn links_out_of_the_repository_and_in_circles_are_no_source_and_say_so() {
    let mut source = source_with_links();
    let folder = source.folder.path();
    for (target, link) in [
        ("/etc/hostname", "out.go"),
        ("../../../../../../etc/hostname", "up.go"),
        ("loop1.go", "loop2.go"),
        ("loop2.go", "loop1.go"),
        ("nothing.go", "dead.go"),
    ] {
        symlink(target, folder.join(link)).unwrap();
    }
    source.commit_all();
    let more = ["dead", "loop1", "out", "up"].map(|name| format!("example.com/app/{name}.go:1.1,2.2 1 0\n"));
    let (world, _agent) = pulled_service(&source, &format!("{PROFILE}{}", more.concat()));
    world
        .run(&["report", "app"])
        .assert_code(0)
        .assert_stderr_contains("example.com/app/dead.go: not in the commit\n")
        .assert_stderr_contains("example.com/app/loop1.go: symbolic links lead in a circle\n")
        .assert_stderr_contains("example.com/app/out.go: a symbolic link leads out of the repository\n")
        .assert_stderr_contains("example.com/app/up.go: a symbolic link leads out of the repository\n");
    let report = ["report", "app", "--exclude-without-source", "--format"];
    let json = world.run(&[&report[..], &["json"]].concat()).assert_code(0).json().remove(0);
    let names: Vec<&Value> = json["files"].as_array().unwrap().iter().map(|file| &file["name"]).collect();
    let found = ["a.go", "cmd/deep/r.go", "linked/r.go"].map(|name| json!(format!("example.com/app/{name}")));
    assert_eq!(names, found.iter().collect::<Vec<_>>());
    let lcov = world.run(&[&report[..], &["lcov"]].concat()).assert_code(0);
    assert_eq!((lcov.stdout.matches("SF:").count(), lcov.stderr.as_str()), (3, ""));
}

#[test]
fn a_changed_line_behind_links_is_executed_if_any_of_its_names_is() {
    let mut source = source_with_links();
    source.git(&["checkout", "--quiet", "-b", "feature"]);
    fs::write(source.folder.path().join("real/r.go"), REAL.replace("println()", "println(2)")).unwrap();
    source.commit_all();
    let (world, _agent) = pulled_service(&source, PROFILE);
    let json =
        world.run(&["report", "app", "--format=diff-json", "--base=parent"]).assert_code(0).json().remove(0);
    assert_eq!((&json["covered"], &json["total"]), (&json!(1), &json!(1)), "{json}");
    assert_eq!(json["files"][0]["path"], "real/r.go");
    world.run(&["report", "app", "--format=diff", "--base=parent", "--fail-under=100"]).assert_code(0);
}

#[test]
fn lines_that_comments_renumber_are_in_no_report_of_lines_and_their_changes_say_why() {
    let text =
        |says: &str| format!("package main\n\nfunc main() {{\n//line gen.y:100\n\tprintln({says})\n}}\n");
    let mut source =
        Source::from_files(&[("main.go", text("1").as_bytes()), ("go.mod", b"module example.com/app\n")]);
    fs::write(source.folder.path().join("main.go"), text("2")).unwrap();
    source.commit_all();
    let (world, _agent) = pulled_service(&source, "mode: count\nexample.com/app/main.go:3.13,101.2 1 1\n");
    let lcov = world.run(&["report", "app", "--format=lcov"]).assert_code(0).stdout;
    assert!(lcov.contains("FNDA:1,main\n") && !lcov.contains("DA:100") && !lcov.contains("DA:101"), "{lcov}");
    let json =
        world.run(&["report", "app", "--format=diff-json", "--base=parent"]).assert_code(0).json().remove(0);
    assert_eq!(json["left_out"], json!([{"path": "main.go", "why": "moved_lines"}]));
    let diff = world.run(&["report", "app", "--format=diff", "--base=parent"]).assert_code(0).stdout;
    assert!(diff.contains("//line comments give its lines other numbers"), "{diff}");
    let total = world.run(&["report", "app", "--format=json"]).assert_code(0).json().remove(0);
    assert_eq!((&total["covered"], &total["total"]), (&json!(1), &json!(1)), "statements count as ever");
}

/// Makes a repository whose `a.go` was `a.txt` one commit before, except for one line. Returns it with a profile.
fn source_with_rename() -> (Source, &'static str) {
    let text = |says: &str| {
        format!(
            "package app\n\nfunc A() {{\n\tprintln({says})\n\tprintln(7)\n\tprintln(8)\n\tprintln(9)\n}}\n"
        )
    };
    let mut source =
        Source::from_files(&[("a.txt", text("1").as_bytes()), ("go.mod", b"module example.com/app\n")]);
    source.git(&["mv", "a.txt", "a.go"]);
    fs::write(source.folder.path().join("a.go"), text("2")).unwrap();
    source.commit_all();
    (source, "mode: count\nexample.com/app/a.go:3.10,8.2 4 1\n")
}

#[test]
fn a_go_file_that_had_another_extension_is_compared_with_its_old_text() {
    let (source, profile) = source_with_rename();
    let (world, _agent) = pulled_service(&source, profile);
    let json =
        world.run(&["report", "app", "--format=diff-json", "--base=parent"]).assert_code(0).json().remove(0);
    let file = &json["files"][0];
    assert_eq!(
        (&file["path"], &file["old_path"], &file["hit"]),
        (&json!("a.go"), &json!("a.txt"), &json!([4]))
    );
}

#[test]
fn a_file_that_attributes_keep_out_of_a_diff_is_named_by_that_rule() {
    let (mut source, profile) = source_with_rename();
    fs::write(source.folder.path().join(".gitattributes"), "*.go -diff\n").unwrap();
    fs::write(source.folder.path().join("a.go"), "package app\n\nfunc A() {\n\tprintln(3)\n}\n").unwrap();
    source.commit_all();
    let (world, _agent) = pulled_service(&source, profile);
    fs::write(world.home().join("changes.diff"), source.git(&["diff", "HEAD^", "HEAD"])).unwrap();
    let report = ["report", "app", "--format=diff-json", "--diff-file=changes.diff"];
    let json = world.run(&report).assert_code(0).json().remove(0);
    let left_out = json["left_out"].as_array().unwrap();
    assert!(left_out.contains(&json!({"path": "a.go", "why": "no_diff"})), "{json}");
}

#[test]
fn blocks_at_one_place_with_two_numbers_of_statements_both_count_as_in_gos_table_of_what_is_stored() {
    let (source, _) = source_with_rename();
    let (world, _agent) = pulled_service(
        &source,
        "mode: count\nexample.com/app/a.go:3.10,8.2 1 1\nexample.com/app/a.go:3.10,8.2 4 0\n",
    );
    let output = world.run(&["report", "app"]).assert_code(0);
    assert_eq!(output.stderr, "");
    assert_eq!(output.stdout, "example.com/app/a.go:3:\tA\t\t20.0%\ntotal:\t\t\t(statements)\t20.0%\n");
    if Go::installed("what is stored was not read by the real go tool cover").is_none() {
        return;
    }
    let profile = world.home().join("p.cov");
    fs::write(&profile, world.latest_text("app")).unwrap();
    let table = source.run_tool(&["go", "tool", "cover", &format!("-func={}", profile.display())]);
    assert_eq!(output.stdout, table);
}

/// Commits a tree of ten folders, each the same again, ten levels deep: ten billion files from eleven objects.
fn tree_bomb(source: &Source) -> String {
    let tree_of = |entries: String| {
        let mut git =
            source.git_command().arg("mktree").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        git.stdin.take().unwrap().write_all(entries.as_bytes()).unwrap();
        String::from_utf8(git.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
    };
    let blob = source.git(&["rev-parse", "HEAD:a.go"]).trim().to_owned();
    let entries = |kind: &str, of: &str| {
        (0..10).fold(String::new(), |all, at| all + &format!("{kind} {of}\tf{at}.go\n"))
    };
    (0..9).fold(tree_of(entries("100644 blob", &blob)), |below, _| tree_of(entries("040000 tree", &below)))
}

#[test]
fn a_commit_with_too_many_files_is_not_read() {
    let (mut source, profile) = source_with_rename();
    let bomb = tree_bomb(&source);
    let head = source.head();
    let bombed = source.git(&["commit-tree", &bomb, "-p", &head, "-mbomb"]).trim().to_owned();
    source.git(&["reset", "--quiet", "--soft", &bombed]);
    source.git(&["commit", "--quiet", "--message=back"]);
    let after = source.head();
    let output = |commit: &str| format!("commit {commit} has more than 20000 files");
    let changes = ["--format=diff", "--base=parent"];
    for (commit, options) in [(&bombed, &[][..]), (&bombed, &changes), (&after, &changes)] {
        source.commit.clone_from(commit);
        let world = World::new();
        world.configure("[git]\nmax_files = 20000\n");
        let agent = world.start(&source.service_name(), &Program::from_profile(""));
        agent.behave(Behaviour::Body(profile.as_bytes().to_vec()));
        world.pull(0);
        let to = repository(&world);
        fs::create_dir_all(&to).unwrap();
        fs::write(to.join("HEAD"), "ref: refs/heads/none\n").unwrap();
        for folder in ["objects/info", "refs"] {
            fs::create_dir_all(to.join(folder)).unwrap();
        }
        let objects = source.folder.path().join(".git/objects");
        fs::write(to.join("objects/info/alternates"), format!("{}\n", objects.display())).unwrap();
        let report = ["report", "app", "--offline"];
        world.run(&[&report[..], options].concat()).assert_code(1).assert_stderr_contains(&output(&bombed));
    }
}
