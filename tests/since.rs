//! `--since`: what was executed between two stored rows, of simulated processes and of real ones.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::harness::go::Go;
use crate::harness::service::Service;
use crate::harness::source::Source;
use crate::harness::{ECHO, MAIN_BLOCK, NEXT_ECHO, Output, PING_BLOCK, World, profile_of};
use crate::real_cover::{ATOMIC, Builder, Service as RealService};
use crate::sim::{Behaviour, Program};

const MAIN: &str = "package main\n\nfunc main() {\n\trun()\n}\n\nfunc run() {\n\tprintln()\n}\n";
/// The functions of the second commit, and what was executed of them before any mark.
const NEW: &str = "\nfunc a() {\n\tprintln(1)\n}\n\nfunc b() {\n\tprintln(2)\n}\n";
const PROFILE: &str = "example.com/app/main.go:3.13,5.2 1 1\nexample.com/app/main.go:7.12,9.2 1 0\n\
                       example.com/app/main.go:11.10,13.2 1 1\nexample.com/app/main.go:15.10,17.2 1 0\n";
const MAIN_FUNCTION: usize = 0;
const B: usize = 3;

impl World {
    fn marked(&self, service: &str, name: &str) {
        self.run(&["-q", "pull", service, "--mark", name]).assert_code(0);
    }

    fn total_since(&self, service: &str, since: &str, options: &[&str]) -> Output {
        self.run(&[&["total", service, "--since", since], options].concat())
    }
}

/// A service whose second commit adds `a` and `b`: `a` was executed before the mark A, `main` and `b` between A and B.
fn service() -> Service {
    let mut source =
        Source::from_files(&[("main.go", MAIN.as_bytes()), ("go.mod", b"module example.com/app\n")]);
    fs::write(source.folder.path().join("main.go"), [MAIN, NEW].concat()).unwrap();
    source.commit_all();
    let service = Service::from_source(source, PROFILE);
    service.world.marked("th_app", "A");
    service.agent.hit(&[MAIN_FUNCTION, B], 5);
    service.world.marked("th_app", "B");
    service
}

#[test]
fn only_what_was_executed_between_two_rows_is_covered_out_of_all_statements() {
    let Service { world, .. } = &service();
    assert_eq!(world.run(&["total", "th_app"]).assert_code(0).stdout, "75.0\n");
    let output = world.total_since("th_app", "A", &[]).assert_code(0);
    assert_eq!(output.stdout, "50.0\n");
    assert!(output.stderr.contains(": executed between row 2 \"A\" (20"), "{}", output.stderr);
    assert!(output.stderr.contains(" UTC) and row 3 \"B\" (20"), "{}", output.stderr);
    let object = &world.total_since("th_app", "2", &["--format", "json"]).assert_code(0).json()[0];
    assert_eq!([&object["covered"], &object["total"], &object["id"]], [&json!(2), &json!(4), &json!(3)]);
    let since = &object["since"];
    assert_eq!([&since["id"], &since["mark"], &since["until"]["id"]], [&json!(2), &json!("A"), &json!(3)]);
    let stored = |id: u32| {
        world.query::<String>(&format!("SELECT created_at FROM goc_o_staging_service_cover WHERE id = {id}"))
    };
    assert_eq!([&since["stored_at"], &since["until"]["stored_at"]], [&json!(stored(2)), &json!(stored(3))]);
    assert_eq!(world.total_since("th_app", "1", &[]).assert_code(0).stdout, "50.0\n");
    let plain = &world.run(&["total", "th_app", "--format", "json"]).assert_code(0).json()[0];
    assert_eq!(plain["since"], Value::Null);
}

#[test]
fn a_row_that_lacks_replicas_is_told_because_their_counts_may_be_of_another_time() {
    let (world, agents) = World::with_echo(2);
    world.pull(0);
    agents[1].hit(&[PING_BLOCK], 1);
    agents[1].behave_once(Behaviour::Status("500 Internal Server Error", ""));
    world.run(&["-q", "pull", "echoserver", "--mark", "before"]).assert_code(3);
    world.marked("echoserver", "after");
    let output = world.total_since("echoserver", "before", &[]).assert_code(0);
    output.assert_stderr_contains(
        "warning: staging_th_apa_goc_echoserver_master_845820727e: row 2 has data of 1 of 2 replicas; what the others had \
         executed before it counts, too",
    );
    let output = world.total_since("echoserver", "before", &["--format", "json"]).assert_code(0);
    let since = &output.json()[0]["since"];
    assert_eq!(since["replicas"], json!({"answered": 1, "known": 2}));
    assert_eq!(since["until"]["replicas"], json!({"answered": 2, "known": 2}));

    agents[1].hit(&[MAIN_BLOCK], 1);
    agents[1].behave_once(Behaviour::Status("500 Internal Server Error", ""));
    world.run(&["-q", "pull", "echoserver", "--mark", "end"]).assert_code(3);
    world.total_since("echoserver", "after", &[]).assert_code(0).assert_stderr_contains(
        "row 4 has data of 1 of 2 replicas; what the others executed since their last answer is lacking",
    );
}

#[test]
fn a_gate_judges_the_figure_that_is_printed_and_says_so() {
    let Service { world, .. } = &service();
    world.configure("[apps.app]\nfail_under = 60\n");
    let unmet = world.total_since("th_app", "A", &["--fail-under", "60"]).assert_code(5);
    assert_eq!(unmet.stdout, "50.0\n");
    assert!(unmet.stderr.contains(", with --since\n"), "{}", unmet.stderr);
    assert!(unmet.stderr.contains("goc-watchdog report staging_th_app_master_"), "{}", unmet.stderr);
    assert!(unmet.stderr.contains(" --since A --format text"), "{}", unmet.stderr);
    let report =
        |options: &[&str]| world.run(&[&["report", "th_app", "-q", "--format", "text"], options].concat());
    report(&["--since", "A", "--fail-under", "60"]).assert_code(5);
    report(&["--since", "A"]).assert_code(0);
    for option in [["--carry", "--offline"], ["--max-drop", "1"], ["--against", "1"]] {
        report(&[&["--since", "A"][..], &option].concat()).assert_code(2);
    }
}

#[test]
fn all_forms_have_the_counts_in_between_and_nothing_of_them_is_stored() {
    let Service { world, source, .. } = &service();
    let report = |options: &[&str]| {
        world
            .run(&[&["report", "th_app", "-q", "--since", "A", "--id", "B"], options].concat())
            .assert_code(0)
            .stdout
    };
    let main = "example.com/app/main.go";
    assert_eq!(
        report(&["--format", "profile"]),
        format!(
            "mode: count\n{main}:3.13,5.2 1 5\n{main}:7.12,9.2 1 0\n{main}:11.10,13.2 1 0\n{main}:15.10,17.2 1 5\n"
        )
    );
    let table = report(&[]);
    let percents: Vec<&str> = table.lines().map(|line| line.rsplit('\t').next().unwrap()).collect();
    assert_eq!(percents, ["100.0%", "0.0%", "0.0%", "100.0%", "50.0%"], "{table}");
    let lcov = report(&["--format", "lcov"]);
    assert!(lcov.contains("FNDA:5,b\n") && lcov.contains("FNDA:0,a\n"), "{lcov}");
    assert!(lcov.starts_with("TN:") && lcov.contains("_executed_between_row_2_A_"), "{lcov}");
    for form in ["text", "markdown", "cobertura", "html"] {
        let text = report(&["--format", form]);
        assert!(text.contains("executed between row 2"), "{form}: {text}");
    }
    let base = ["--base", "parent"];
    let diff = report(&[&["--format", "diff"][..], &base].concat());
    assert!(diff.contains("executed between row 2") && diff.contains("50.0%"), "{diff}");

    let file = |form: &str| world.home().join(form).display().to_string();
    let forms = ["json", "diff-json"].map(|form| format!("{form}={}", file(form)));
    report(&[&["--format", &forms[0], "--format", &forms[1]][..], &base].concat());
    source.assert_fits_schema("man/goc-watchdog-report.schema.json", &file("json"));
    source.assert_fits_schema("man/goc-watchdog-report-diff.schema.json", &file("diff-json"));
    let read = |form| serde_json::from_str::<Value>(&fs::read_to_string(file(form)).unwrap()).unwrap();
    assert_eq!((&read("json")["covered"], &read("json")["since"]["mark"]), (&json!(2), &json!("A")));
    let of_changes = read("diff-json");
    assert_eq!(of_changes["since"]["until"]["mark"], "B");
    // The changed lines of `b` were executed, and those of `a` only before.
    assert_eq!(of_changes["percent"], 50.0, "{of_changes}");

    assert_eq!(world.files("_report.txt").len() + world.files("_report.html").len(), 0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM cover_diff"), 0);
}

#[test]
fn a_duration_takes_the_newest_row_that_is_at_least_so_old() {
    let (world, agents) = World::with_pulled_echo();
    world.let_days_pass(1);
    agents[0].hit(&[PING_BLOCK], 1);
    world.pull(0);
    world.let_days_pass(1);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.marked("echoserver", "now");
    for (since, percent, row) in
        [("2h", "20.0\n", 2), ("24h", "20.0\n", 2), ("25h", "30.0\n", 1), ("2", "20.0\n", 2)]
    {
        let output = world.total_since("echoserver", since, &[]).assert_code(0);
        assert_eq!(output.stdout, percent, "{since}");
        assert!(output.stderr.contains(&format!("between row {row} (")), "{since}: {}", output.stderr);
        assert!(output.stderr.contains(" and row 3 \"now\" ("), "{since}: {}", output.stderr);
    }
    let output = world.total_since("echoserver", "3d", &[]).assert_code(1);
    assert!(
        output.stderr.contains("is at least 3days old; the oldest one is row 1, stored 20"),
        "{}",
        output.stderr
    );
    world.total_since("echoserver", "2020-01-01", &[]).assert_code(1);
    world
        .total_since("echoserver", "nothing", &[])
        .assert_code(1)
        .assert_stderr_contains("has the mark \"nothing\"");
    world.total_since("echoserver", "15M", &[]).assert_code(2);
    // Nothing is stored after the newest row, so what was executed is unknown, and not nothing.
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    let unknown = world.total_since("echoserver", "now", &[]).assert_code(1);
    assert!(
        unknown.stderr.contains("pull apa_goc_echoserver --mark NAME stores a row of now"),
        "{}",
        unknown.stderr
    );
    let moved = world.total_since("echoserver", "1", &[]).assert_code(0);
    assert!(moved.stderr.contains("counts moved after row 3 was stored"), "{}", moved.stderr);
}

#[test]
fn a_row_of_another_commit_or_build_or_a_later_one_is_refused() {
    let (world, agents) = World::with_two_commits();
    world.marked(NEXT_ECHO, "A");
    let refused = world.total_since(ECHO, "A", &[]).assert_code(2);
    refused.assert_stderr_contains("so their counts cannot be compared");
    let later = world.run(&["report", "echoserver", "--id", "2", "--since", "3", "--format", "profile"]);
    later.assert_code(2).assert_stderr_contains("--since 2 --id 3 tells what was executed in between");
    agents[1].run(&Program::from_profile("example.com/apa/echo/main.go:10.13,13.2 3\n"));
    agents[1].hit(&[0], 1);
    world.run(&["pull", NEXT_ECHO, "--mark", "B"]);
    let rebuilt = world.total_since(NEXT_ECHO, "A", &[]).assert_code(2);
    rebuilt.assert_stderr_contains("is of another build than row");
}

#[test]
fn mode_set_tells_what_is_newly_covered_and_says_so() {
    let (world, agents) = World::with_echo(1);
    agents[0].set_mode("set");
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.marked("echoserver", "A");
    agents[0].restart();
    agents[0].hit(&[MAIN_BLOCK, PING_BLOCK], 1);
    world.marked("echoserver", "B");
    let output = world.total_since("echoserver", "A", &[]).assert_code(0);
    assert_eq!(output.stdout, "10.0\n", "the block of before is not counted");
    assert!(output.stderr.contains(": newly covered between row 1 \"A\""), "{}", output.stderr);
    assert!(output.stderr.contains("mode set knows only the first execution"), "{}", output.stderr);
}

#[test]
fn the_apps_of_a_group_are_counted_since_the_row_of_each_with_the_mark() {
    let world = World::new();
    world.configure("[groups.shop]\napps = [\"cart\", \"pay\"]\n");
    let profile = |app: &str| {
        format!(
            "example.com/shop/{app}.go:1.1,2.2 3 1\nexample.com/shop/lib.go:1.1,2.2 2 1\nexample.com/shop/lib.go:3.1,4.2 2 0\n"
        )
    };
    let agents = ["cart", "pay"]
        .map(|app| world.start_counted(&format!("staging_th_{app}_master_845820727e"), &profile(app)));
    world.marked("shop", "A");
    agents[0].hit(&[1], 1);
    agents[1].hit(&[2], 1);
    world.marked("shop", "B");
    let object = &world.total_since("shop", "A", &["--format", "json"]).assert_code(0).json()[0];
    assert_eq!([&object["covered"], &object["total"]], [&json!(4), &json!(10)]);
    let since = &object["since"];
    assert_eq!([&since["id"], &since["rows"], &since["mark"]], [&json!(null), &json!([1, 2]), &json!("A")]);
    assert_eq!(since["until"]["rows"], json!([3, 4]));
    world.total_since("shop", "1", &[]).assert_code(2).assert_stderr_contains("is a row of one app");
    let report = ["report", "shop", "--since", "A", "--format", "profile", "-q"];
    let text = world.run(&report).assert_code(0).stdout;
    assert!(text.contains("cart.go:1.1,2.2 3 0\n") && text.contains("lib.go:3.1,4.2 2 1\n"), "{text}");
}

/// The blocks of which a process has more executions than before.
fn grown(before: &str, now: &str) -> BTreeSet<usize> {
    let [before, now] = [before, now].map(profile_of);
    let counts = before.counts.iter().zip(&now.counts);
    counts.enumerate().filter(|(_, (before, now))| now > before).map(|(block, _)| block).collect()
}

#[test]
fn a_test_run_against_real_replicas_is_told_block_by_block_across_a_restart() {
    let Some(go) = Go::installed("nothing was counted since a row of real processes") else { return };
    let builder = Builder::new(&go);
    let (program, data) = (builder.build(ATOMIC[0]), builder.data());
    let world = World::new();
    world.configure("");
    let mut replicas = [RealService::start(&program, &data), RealService::start(&program, &data)];
    for replica in &mut replicas {
        replica.work(&["sum", "other"]);
        world.center.register_url(ECHO, &replica.url);
    }
    let raw = |service: &RealService| {
        world.run(&["pull", "--raw", "--address", &service.url]).assert_code(0).stdout
    };
    world.pull(0);
    world.marked("echoserver", "A");
    let [first, second] = [0, 1].map(|replica: usize| raw(&replicas[replica]));
    // The test run. A replica is killed after its last pull, and another one comes in its place.
    replicas[0].work(&["sum", "max"]);
    replicas[1].work(&["c"]);
    let mut executed = grown(&first, &raw(&replicas[0]));
    executed.extend(grown(&second, &raw(&replicas[1])));
    world.pull(0);
    world.center.remove(&replicas[1].url);
    let mut third = RealService::start(&program, &data);
    third.work(&["max"]);
    drop(std::mem::replace(&mut replicas[1], third));
    world.center.register_url(ECHO, &replicas[1].url);
    let none = first.lines().map(|line| match line.rsplit_once(' ') {
        Some((block, _)) if line.contains(".go:") => format!("{block} 0\n"),
        _ => format!("{line}\n"),
    });
    executed.extend(grown(&none.collect::<String>(), &raw(&replicas[1])));
    world.marked("echoserver", "B");

    let since = |from: &str, to: &str| -> BTreeSet<usize> {
        let options = ["report", "echoserver", "--since", from, "--id", to, "--format", "profile", "-q"];
        let profile = profile_of(&world.run(&options).assert_code(0).stdout);
        profile.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(block, _)| block).collect()
    };
    assert_eq!(since("A", "B"), executed);
    let all = profile_of(&world.latest_text("apa_goc_echoserver"))
        .counts
        .iter()
        .filter(|count| **count > 0)
        .count();
    assert!(executed.len() < all, "something was executed only before: {executed:?}");

    replicas[0].work(&["ring"]);
    world.marked("echoserver", "C");
    let union: BTreeSet<usize> = since("A", "B").union(&since("B", "C")).copied().collect();
    assert_eq!(since("A", "C"), union);
    assert!(!since("B", "C").is_empty() && since("B", "C") != union);
}

/// A process of the newest commit of a repository, with counters of 0, whose functions are `start` and these others, each
/// on three lines.
fn start(world: &World, source: &Source, functions: &[&str]) -> crate::sim::Agent {
    let block = |(index, _): (usize, &&str)| {
        let line = 3 + 4 * index;
        format!("example.com/app/main.go:{line}.13,{}.2 1\n", line + 2)
    };
    let profile: String = functions.iter().enumerate().map(block).collect();
    world.start(&source.service_name(), &Program::from_profile(&profile))
}

fn text_of(functions: &[(&str, &str)]) -> String {
    let function = |(name, call): &(&str, &str)| format!("\nfunc {name}() {{\n\t{call}\n}}\n");
    format!("package main\n{}", functions.iter().map(function).collect::<String>())
}

#[test]
fn a_run_of_a_build_begins_at_its_own_last_mark_and_mode_set_is_told() {
    let text = |name: &str| format!("package main\n\nfunc {name}() {{\n\tprintln()\n}}\n");
    let [main, aa, bb] = ["main", "aa", "bb"].map(text);
    let files = [
        ("main.go", main.as_bytes()),
        ("a.go", aa.as_bytes()),
        ("b.go", bb.as_bytes()),
        ("go.mod", b"module m\n"),
    ];
    let source = Source::from_files(&files);
    let world = World::new();
    let program = |file: &str, name: &str| {
        let end = "func () {".len() + name.len() + 1;
        Program::from_profile(&format!("m/main.go:3.13,5.2 1\nm/{file}:3.{end},5.2 1\n"))
    };
    let (one, other) = (program("a.go", "aa"), program("b.go", "bb"));
    let agent = world.start(&source.service_name(), &one);
    agent.set_mode("count");
    source.clone_for("app", &world, &["--bare"]);
    world.marked("app", "m1");
    agent.hit(&[0], 1);
    world.marked("app", "m2");
    agent.run(&other);
    agent.hit(&[0], 1);
    world.marked("app", "m3");
    agent.run(&one);
    agent.hit(&[1], 1);
    world.marked("app", "m4");
    let output = world.run(&["report", "app", "--by-mark"]).assert_code(0);
    let functions: Vec<&str> = output.stdout.lines().filter(|line| line.contains(".go:")).collect();
    // The file of the other build is not in the latest profile.
    assert_eq!(functions, ["a.go:3:\taa\t[4]", "main.go:3:\tmain\t[2] [3]"], "{}", output.stdout);
    assert!(output.stdout.contains("[3] until m3: 1 function"), "{}", output.stdout);
    assert!(output.stdout.contains("[4] m2 to m4: 1 function"), "{}", output.stdout);
    let output = output
        .assert_stderr_contains("\"m3\"")
        .assert_stderr_contains("the run to it has all that this build counted")
        .assert_stderr_contains("the run to it begins at row")
        .assert_stderr_contains("such as \"m/b.go\", is told of no function");
    assert!(!output.stderr.contains("mode set"), "{}", output.stderr);

    agent.set_mode("set");
    world.marked("app", "m5");
    world
        .run(&["report", "app", "--by-mark"])
        .assert_code(0)
        .assert_stderr_contains("mode set knows only the first execution");
}

#[test]
fn functions_have_the_test_runs_that_executed_them_and_changed_ones_say_which_to_repeat() {
    let text = text_of(&[("main", "aa()"), ("aa", "bb()"), ("bb", "println()")]);
    let mut source =
        Source::from_files(&[("main.go", text.as_bytes()), ("go.mod", b"module example.com/app\n")]);
    let world = World::new();
    let old = start(&world, &source, &["main", "aa", "bb"]);
    old.hit(&[0], 1);
    world.marked("app", "start");
    old.hit(&[1], 1);
    world.marked("app", "fast");
    old.hit(&[1, 2], 1);
    world.marked("app", "slow test");
    source.clone_for("app", &world, &["--bare"]);
    let listed = world.run(&["report", "app", "-q", "--by-mark"]).assert_code(0).stdout;
    let functions: Vec<&str> = listed.lines().filter(|line| line.starts_with("main.go:")).collect();
    assert_eq!(
        functions,
        ["main.go:3:\tmain\t[1]", "main.go:7:\taa\t[2] [3]", "main.go:11:\tbb\t[3]"],
        "{listed}"
    );
    assert!(listed.contains("[3] fast to slow test: 2 functions ("), "{listed}");

    // The next commit changes `aa` and `bb`, and adds `cc`; nobody has tested it.
    let text = text_of(&[("main", "aa()"), ("aa", "bb(); cc()"), ("bb", "println(2)"), ("cc", "println(3)")]);
    fs::write(source.folder.path().join("main.go"), text).unwrap();
    source.commit_all();
    fs::remove_dir_all(world.root().join("app/repo")).unwrap();
    source.clone_for("app", &world, &["--bare"]);
    let new = start(&world, &source, &["main", "aa", "bb", "cc"]);
    world.center.remove(&old.url());
    new.hit(&[0], 1);
    world.pull(0);
    let json = world.run(&["report", "app", "-q", "--by-mark", "--base", "previous", "--format", "json"]);
    let json = &json.assert_code(0).json()[0];
    source.assert_document_fits_schema("man/goc-watchdog-report-by-mark.schema.json", json);
    let functions: Vec<(&str, Vec<u64>)> = json["functions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap(), serde_json::from_value(it["runs"].clone()).unwrap()))
        .collect();
    assert_eq!(functions, [("aa", vec![1, 2]), ("bb", vec![2]), ("cc", vec![])], "{json}");
    let marks = |run: &Value| (run["from"]["mark"].clone(), run["until"]["mark"].clone());
    let runs: Vec<_> = json["runs"].as_array().unwrap().iter().map(marks).collect();
    let [none, start, fast, slow] = [json!(null), json!("start"), json!("fast"), json!("slow test")];
    assert_eq!(
        runs,
        [(none.clone(), start.clone()), (start, fast.clone()), (fast, slow), (none.clone(), none)]
    );
    assert_eq!(json["repeat"], json!([2, 1]), "the run that executed most of them is first");
    let listed = world.run(&["report", "app", "-q", "--by-mark", "--base", "previous"]).assert_code(0).stdout;
    assert!(
        listed.ends_with(
            "2 of 3 changed functions executed in a run; repeat fast to slow test (2), start to fast (1)\n"
        ),
        "{listed}"
    );
    world.run(&["report", "app", "--by-mark", "--format", "lcov"]).assert_code(2);

    // Without the texts no function is known, of which nobody may conclude that none was executed.
    fs::remove_dir_all(world.root().join("app/repo")).unwrap();
    source.git(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", source.folder.path().display());
    let clone = world.root().join("app/repo");
    source.git(&["clone", "--quiet", "--bare", "--filter=blob:none", &url, clone.to_str().unwrap()]);
    for form in ["text", "json"] {
        let output = world.run(&["report", "app", "--by-mark", "--offline", "--format", form]).assert_code(1);
        assert_eq!(output.stdout, "");
        output.assert_stderr_contains("so the functions there are unknown; git fetch in the clone");
    }
}
