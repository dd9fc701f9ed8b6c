//! Marks in the source (`--ignore-marked`): real programs built with `go build -cover`, and totals that are computed from
//! their profiles by hand.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::go::{Go, write};
use crate::harness::source::Source;
use crate::harness::{Output, World};
use crate::sim::Agent;

const UNTESTED: &str = "no marks in the source of a real program were applied";

const MAIN: &str = r#"package main

import "os"

// usage prints help.
// coverage-ignore it ends the process
func usage() {
	println("usage")
	os.Exit(2)
}

func main() {
	for _, name := range os.Args[1:] {
		switch name {
		case "one":
			one()
		// coverage-ignore nobody may ask for it
		case "secret":
			println(1)
			println(2)
			if len(os.Args) > 9 {
				println(3)
			}
		case "help":
			usage()
		case "debug":
			debug(1)
		}
	}
	if err := check(); err != nil { // coverage-ignore the disk never fails
		println(err.Error())
		os.Exit(1)
	}
}

func one() {
	println("one")
}

func check() error {
	return nil
}

func debug(a int) int {
	println(a)
	println(a) // coverage-ignore for debugging alone
	println(a)
	return a
}
"#;

/// Returns the first line that begins with a text, from 1.
fn line_of(text: &str, begin: &str) -> u32 {
    let at = text.lines().position(|line| line.trim_start().starts_with(begin)).unwrap();
    u32::try_from(at + 1).unwrap()
}

/// The repository of a program, with its processes at several commits.
struct Service {
    go: Go,
    world: World,
    source: Source,
    agents: Vec<Agent>,
    /// The profile of the last process.
    profile: String,
}

impl Service {
    fn new(go: Go, main: &str) -> Self {
        let files = [("go.mod", &b"module example.com/shop\n\ngo 1.20\n"[..]), ("main.go", main.as_bytes())];
        let source = Source::from_files(&files);
        Self { go, world: World::new(), source, agents: Vec::new(), profile: String::new() }
    }

    fn commit(&mut self, main: &str) {
        write(self.source.folder.path(), "main.go", main);
        self.source.commit_all();
    }

    /// Builds the program at the commit of now, runs it with these arguments, and pulls its coverage as that of an app. The
    /// clone has the commits until now.
    fn run(&mut self, app: &str, arguments: &[&str]) {
        let folder = self.source.folder.path();
        let number = self.agents.len();
        let [program, data] =
            ["program", "data"].map(|name| self.world.home().join(format!("{name}{number}")));
        fs::create_dir(&data).unwrap();
        self.go.run(folder, &["build", "-cover", "-o", program.to_str().unwrap(), "."]);
        let status = Command::new(&program).args(arguments).env("GOCOVERDIR", &data).output().unwrap().status;
        assert!(status.success());
        self.profile = self.go.textfmt(&data);
        let blocks = self.profile.split_once('\n').unwrap().1.to_owned();
        let name = format!("staging_th_{app}_master_{}", &self.source.commit[..10]);
        self.agents.push(self.world.start_counted(&name, &blocks));
        self.world.run(&["-q", "pull", &name]).assert_code(0);
        let _ = fs::remove_dir_all(self.world.root().join(app).join("repo"));
        self.source.clone_for(app, &self.world, &["--bare"]);
    }

    fn command(&self, command: &str, options: &[&str]) -> Output {
        let commit = &self.source.commit[..10];
        self.world.run(&[&[command, "shop", "--commit", commit][..], options].concat())
    }

    fn json(&self, command: &str, options: &[&str]) -> Value {
        let output = self.command(command, &[&["-q", "--format", "json"][..], options].concat());
        serde_json::from_str(&output.assert_code(0).stdout).unwrap()
    }

    /// Computes covered and all statements that are left and those that are ignored, from the profile. `blocks` are the first
    /// and last lines of marked blocks, and `lines` those with one marked statement each.
    fn expected(&self, blocks: &[(u32, u32)], lines: &[u32]) -> [(u64, u64); 2] {
        let [mut left, mut ignored] = [(0, 0); 2];
        for block in self.profile.lines().skip(1) {
            let numbers: Vec<u64> = block
                .split_once(".go:")
                .unwrap()
                .1
                .split([',', '.', ' '])
                .map(|number| number.parse().unwrap())
                .collect();
            let [from, _, to, _, statements, count] = numbers[..] else { panic!("{block}") };
            let [from, to] = [from, to].map(|line| u32::try_from(line).unwrap());
            let is_inside = |&(first, last): &(u32, u32)| from >= first && to > first && to <= last;
            let on_lines = lines.iter().filter(|line| (from..=to).contains(line)).count() as u64;
            let taken = if blocks.iter().any(is_inside) { statements } else { on_lines };
            for (sum, statements) in [(&mut ignored, taken), (&mut left, statements - taken)] {
                sum.0 += if count > 0 { statements } else { 0 };
                sum.1 += statements;
            }
        }
        [left, ignored]
    }

    /// Returns the marked blocks and lines of [`MAIN`].
    fn expected_of_main(&self) -> [(u64, u64); 2] {
        let blocks = [
            (line_of(MAIN, "func usage"), line_of(MAIN, "func main") - 2),
            (line_of(MAIN, "case \"secret\""), line_of(MAIN, "case \"help\"") - 1),
            (line_of(MAIN, "if err"), line_of(MAIN, "func one") - 3),
        ];
        self.expected(&blocks, &[line_of(MAIN, "println(a) //")])
    }
}

#[test]
fn totals_are_those_of_the_profile_without_the_marked_statements() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let mut shop = Service::new(go, MAIN);
    shop.run("shop", &["one"]);
    let [(covered, total), (_, ignored)] = shop.expected_of_main();
    assert_eq!((covered, total, ignored), (6, 11, 9), "by hand");

    let alone = shop.json("total", &[]);
    assert_eq!(
        [&alone["ignored"], &alone["marks"], &alone["total"]],
        [&json!(null), &json!(null), &json!(20)]
    );
    let json = shop.json("total", &["--ignore-marked"]);
    assert_eq!(
        [&json["covered"], &json["total"], &json["ignored"]],
        [&json!(covered), &json!(total), &json!(ignored)]
    );
    let mark = |begin: &str, reason: &str, scope: &str, statements: u64| {
        let line = line_of(MAIN, begin);
        json!({"file": "main.go", "line": line, "reason": reason, "scope": scope, "statements": statements, "problem": null})
    };
    let marks = json!([
        mark("// coverage-ignore it", "it ends the process", "function", 2),
        mark("// coverage-ignore nobody", "nobody may ask for it", "block", 4),
        mark("if err", "the disk never fails", "block", 2),
        mark("println(a) //", "for debugging alone", "line", 1),
    ]);
    assert_eq!(json["marks"], marks);
    let text = shop.command("total", &["--ignore-marked"]).assert_code(0);
    assert_eq!(text.stdout, "54.5\n");
    text.assert_stderr_contains("9 of 20 statements ignored by 4 marks");

    let report = shop.json("report", &["--ignore-marked"]);
    assert_eq!(report["marks"], marks);
    for counted in [&report, &report["packages"][0], &report["files"][0]] {
        let figures = ["covered", "total", "ignored"].map(|field| counted[field].as_u64());
        assert_eq!(figures, [Some(6), Some(11), Some(9)]);
    }
    let functions = report["files"][0]["functions"].as_array().unwrap();
    let functions: Vec<_> =
        functions.iter().map(|it| (it["name"].as_str().unwrap(), it["ignored"].clone())).collect();
    let wanted = [("usage", 2), ("main", 6), ("one", 0), ("check", 0), ("debug", 1)];
    assert_eq!(functions, wanted.map(|(name, ignored)| (name, json!(ignored))));
    let uncovered: Vec<_> =
        report["files"][0]["uncovered"].as_array().unwrap().iter().map(|it| it["line"].clone()).collect();
    let first = line_of(MAIN, "func debug");
    assert_eq!(
        uncovered[uncovered.len() - 2..],
        [json!(first), json!(first + 3)],
        "the marked line parts them"
    );
}

#[test]
fn forms_leave_marked_code_out_and_those_of_go_have_it() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let mut shop = Service::new(go, MAIN);
    shop.run("shop", &["one"]);
    let form = |name: &str, options: &[&str]| {
        shop.command("report", &[&["-q", "--format", name][..], options].concat()).assert_code(0).stdout
    };
    for of_go in ["func", "profile"] {
        assert_eq!(form(of_go, &["--ignore-marked"]), form(of_go, &[]), "{of_go}");
    }
    let marked = [
        line_of(MAIN, "println(\"usage\")"),
        line_of(MAIN, "os.Exit(2)"),
        line_of(MAIN, "println(1)"),
        line_of(MAIN, "println(2)"),
        line_of(MAIN, "if len(os.Args)"),
        line_of(MAIN, "println(3)"),
        line_of(MAIN, "println(err.Error())"),
        line_of(MAIN, "os.Exit(1)"),
        line_of(MAIN, "println(a) //"),
    ];
    let lines = |options: &[&str]| -> Vec<u32> {
        let text = form("lcov", options);
        let lines = text.lines().filter_map(|line| line.strip_prefix("DA:"));
        lines.map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
    };
    let wanted: Vec<u32> = lines(&[]).into_iter().filter(|line| !marked.contains(line)).collect();
    assert_eq!(lines(&["--ignore-marked"]), wanted);
    for name in ["lcov", "cobertura"] {
        let (with, without) = (form(name, &[]), form(name, &["--ignore-marked"]));
        assert!(with.contains("usage") && !without.contains("usage"), "{name}: {without}");
    }
    assert_ne!(form("codecov", &[]), form("codecov", &["--ignore-marked"]));
    let text = form("text", &["--ignore-marked"]);
    assert!(text.contains("main.go  9 ignored") && text.contains("total, 9 ignored"), "{text}");
    let markdown = form("markdown", &["--ignore-marked"]);
    assert!(markdown.contains("**6 of 11 statements**, 9 ignored"), "{markdown}");
    // What is kept beside the profile is that of the whole one.
    let kept = |suffix| shop.world.files(suffix).len();
    assert_eq!((kept("_report.txt"), kept("_report.html")), (1, 0));
    let file = shop.world.home().join("report.json").display().to_string();
    form(&format!("json={file}"), &["--ignore-marked"]);
    shop.source.assert_fits_schema("man/goc-watchdog-report.schema.json", &file);
}

#[test]
fn stale_marks_are_listed_and_fail_a_gate() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let main = MAIN
        .replace("func one() {", "func one() { // coverage-ignore nobody calls it")
        .replace("// coverage-ignore it ends the process", "// coverage-ignore")
        .replace("func check()", "// coverage-ignore no code\n\nfunc check()");
    let mut shop = Service::new(go, &main);
    shop.run("shop", &["one"]);
    let problem = |begin: &str, problem: &str| format!("main.go:{}: {problem}", line_of(&main, begin));
    let problems = [
        problem("// coverage-ignore", "it gives no reason"),
        problem("func one", "its code was executed"),
        problem("// coverage-ignore no code", "it takes out no statement"),
    ];
    for command in ["total", "report"] {
        let output = shop.command(command, &["--ignore-marked"]).assert_code(0);
        let listed = problems.join("\n  ");
        output.assert_stderr_contains(&format!("3 stale marks:\n  {listed}\n"));
        let failed =
            shop.command(command, &["-q", "--ignore-marked", "--fail-on", "stale-mark"]).assert_code(5);
        failed.assert_stderr_contains(&format!("3 of 6 marks stale: {}", problems.join("; ")));
        shop.command(command, &["--fail-on", "stale-mark"]).assert_code(2);
        let below = shop.command(command, &["-q", "--ignore-marked", "--fail-under", "51"]).assert_code(5);
        below.assert_stderr_contains(
            "50.0% (5 of 10 statements) is below 51%, 1 more to cover, without marked code",
        );
        shop.command(command, &["-q", "--ignore-marked", "--fail-under", "50"]).assert_code(0);
    }
    let text = shop.command("report", &["-q", "--ignore-marked", "--format", "text"]).assert_code(0).stdout;
    assert!(text.ends_with(&format!("stale marks:\n  {}\n", problems.join("\n  "))), "{text}");
    let json = shop.json("report", &["--ignore-marked"]);
    let found: Vec<_> =
        json["marks"].as_array().unwrap().iter().map(|mark| mark["problem"].clone()).collect();
    let wanted = [
        json!("no_reason"),
        json!(null),
        json!(null),
        json!("executed"),
        json!("ignores_nothing"),
        json!(null),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn marked_changed_lines_do_not_count_and_their_number_is_told() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let mut shop = Service::new(go, MAIN);
    let changed = MAIN
        .replace("println(a) //", "println(a, a) //")
        .replace("\tprintln(a)\n\treturn", "\tprintln(-a)\n\treturn")
        .replace("println(2)", "println(22)");
    shop.commit(&changed);
    shop.run("shop", &["one"]);
    let diff =
        |options: &[&str]| shop.command("report", &[&["-q", "--base", "parent"][..], options].concat());
    let all = diff(&["--format", "diff"]).assert_code(0).stdout;
    assert!(all.contains("0 of 3;"), "{all}");
    let left = diff(&["--format", "diff", "--ignore-marked"]).assert_code(0).stdout;
    assert!(left.contains("0 of 1;") && left.contains("; 2 changed lines ignored"), "{left}");
    let file = shop.world.home().join("diff.json").display().to_string();
    diff(&["--format", &format!("diff-json={file}"), "--ignore-marked"]).assert_code(0);
    shop.source.assert_fits_schema("man/goc-watchdog-report-diff.schema.json", &file);
    let json: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let ignored = [line_of(&changed, "println(22)"), line_of(&changed, "println(a, a)")];
    assert_eq!((&json["ignored_lines"], &json["files"][0]["ignored"]), (&json!(2), &json!(ignored)));
    diff(&["--format", "diff", "--ignore-marked", "--fail-missed", "1"]).assert_code(0);
    diff(&["--format", "diff", "--fail-missed", "1"]).assert_code(5);

    // A file all of whose changed code is marked does not count at all.
    shop.commit(&changed.replace("println(22)", "println(23)"));
    shop.run("shop", &["one"]);
    let diff =
        |options: &[&str]| shop.command("report", &[&["-q", "--base", "parent"][..], options].concat());
    let marked = diff(&["--format", "diff", "--ignore-marked", "--fail-missed", "0"]).assert_code(0).stdout;
    assert!(marked.contains("main.go: all changed code is marked with coverage-ignore"), "{marked}");
    assert!(marked.ends_with("no line that counts changed, 1 changed line ignored\n"), "{marked}");
}

#[test]
fn code_that_was_executed_at_another_commit_alone_makes_no_mark_stale() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let mut shop = Service::new(go, MAIN);
    shop.run("shop", &["one", "debug"]);
    shop.commit(&MAIN.replace("println(\"one\")", "println(\"eins\")"));
    shop.run("shop", &[]);
    let json = |options: &[&str]| {
        let json = shop.json("total", options);
        ["covered", "total", "ignored"].map(|field| json[field].as_u64())
    };
    // `debug` has four statements, of which one is marked.
    assert_eq!(json(&["--ignore-marked"]), [Some(3), Some(11), Some(9)]);
    assert_eq!(json(&["--ignore-marked", "--carry"]), [Some(9), Some(11), Some(9)]);
    for command in ["total", "report"] {
        let options = ["--ignore-marked", "--carry", "--fail-on", "stale-mark"];
        let output = shop.command(command, &options).assert_code(0);
        output.assert_stderr_contains("27.3 here, 54.5 carried from 1 commit");
    }
    let marks = shop.json("report", &["--ignore-marked", "--carry"])["marks"].clone();
    assert!(marks.as_array().unwrap().iter().all(|mark| mark["problem"].is_null()), "{marks}");
}

#[test]
fn a_group_and_the_commit_before_are_without_their_marked_code() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let mut shop = Service::new(go, MAIN);
    shop.world.configure("[groups.shop]\napps = [\"cart\", \"pay\"]\n");
    shop.run("cart", &["one"]);
    shop.run("pay", &["debug"]);
    let json = shop.json("total", &["--ignore-marked"]);
    let figures = ["covered", "total", "ignored"].map(|field| json[field].as_u64());
    assert_eq!(figures, [Some(6 + 4), Some(11), Some(9)]);
    let of_apps = |json: &Value| -> Vec<_> {
        let apps = json["group"]["apps"].as_array().unwrap().iter();
        apps.map(|app| (app["covered"].as_u64().unwrap(), app["total"].as_u64().unwrap())).collect()
    };
    assert_eq!(of_apps(&json), [(6, 11), (5 + 3, 11)]);
    let report = shop.json("report", &["--ignore-marked"]);
    assert_eq!(of_apps(&report), of_apps(&json));
    assert_eq!(report["packages"][0]["apps"][1], json!({"app": "pay", "covered": 8, "total": 11}));

    // The marked line was executed, so the whole falls less than what is left.
    shop.commit(&MAIN.replace("println(\"one\")", "println(\"eins\")"));
    shop.run("cart", &["one"]);
    shop.run("pay", &["one"]);
    for command in ["total", "report"] {
        let drop =
            |options: &[&str]| shop.command(command, &[&["-v", "--max-drop", "100"][..], options].concat());
        drop(&[]).assert_code(0).assert_stderr_contains("(11 of 20");
        drop(&["--ignore-marked"]).assert_code(0).assert_stderr_contains("(10 of 11");
    }
}

#[test]
fn a_text_that_the_clone_lacks_is_no_answer_in_silence() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let mut shop = Service::new(go, MAIN);
    shop.run("shop", &["one"]);
    let clone = shop.world.root().join("shop/repo");
    fs::remove_dir_all(&clone).unwrap();
    let total = shop.command("total", &["--ignore-marked"]).assert_code(1);
    assert_eq!(total.stdout, "");
    let report = shop.command("report", &["--ignore-marked", "--format", "json"]).assert_code(1);
    report.assert_stderr_contains("--ignore-marked needs the source to find the marks");

    shop.source.git(&["config", "uploadpack.allowFilter", "true"]);
    let from = format!("file://{}", shop.source.folder.path().display());
    shop.source.git(&["clone", "--quiet", "--bare", "--filter=blob:none", &from, clone.to_str().unwrap()]);
    let offline =
        shop.command("report", &["--ignore-marked", "--offline", "--format", "json"]).assert_code(1);
    assert_eq!(offline.stdout, "");
    offline.assert_stderr_contains("the clone lacks the text of 1 file");
    assert_eq!(shop.command("total", &["--ignore-marked"]).assert_code(0).stdout, "54.5\n");
    shop.world
        .run(&["report", "--all", "--format", "site", "-o", "site", "--ignore-marked"])
        .assert_code(2)
        .assert_stderr_contains("--ignore-marked is for the report of one service");
}
