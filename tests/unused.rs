//! `report --unused`: the functions that nobody executed for some time, over commits, environments and retention.

use std::fs;

use serde_json::{Value, json};

use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::harness::source::Source;
use crate::harness::{Output, World};
use crate::sim::{Agent, Program};

/// The functions of the first commit: each on three lines, but the last one.
const FIRST: [(&str, &str); 3] = [("main", "aa()"), ("aa", "bb()"), ("bb", "println()")];
/// In the second commit `bb` has another text.
const SECOND: [(&str, &str); 3] = [("main", "aa()"), ("aa", "bb()"), ("bb", "println(2)")];
const ONE_LINE: &str = "\nfunc short() { println() }\n\nfunc empty() {}\n";

fn text_of(functions: &[(&str, &str)]) -> String {
    let function = |(name, call): &(&str, &str)| format!("\nfunc {name}() {{\n\t{call}\n}}\n");
    format!("package main\n{}{ONE_LINE}", functions.iter().map(function).collect::<String>())
}

/// A repository whose commits have [`FIRST`] and [`SECOND`], with a process for each.
struct Services {
    world: World,
    source: Source,
    new: Agent,
}

/// Starts a process of the newest commit, with counters of 0: of `main`, `aa`, `bb` and `short`.
fn start(world: &World, source: &Source, region: &str, mode: &'static str) -> Agent {
    let block = |index: usize| {
        let line = 3 + 4 * index;
        format!("example.com/app/main.go:{line}.13,{}.2 1 0\n", line + 2)
    };
    let short = "example.com/app/main.go:15.14,15.27 1 0\n";
    let profile: String = (0..3).map(block).chain([short.to_owned()]).collect();
    let name = source.service_name().replace("_th_", &format!("_{region}_"));
    let agent = world.start(&name, &Program::from_profile(&profile));
    agent.set_mode(mode);
    agent
}

impl Services {
    /// The first commit ran 60 days ago, and executed `main`, `aa` and `bb`; the second one runs and executed `main`.
    fn new() -> Self {
        let mut source = Source::from_files(&[
            ("main.go", text_of(&FIRST).as_bytes()),
            ("go.mod", b"module example.com/app\n"),
        ]);
        let world = World::new();
        let old = start(&world, &source, "th", "count");
        old.hit(&[0], 1);
        old.hit(&[1], 1);
        old.hit(&[2], 1);
        world.pull(0);
        world.execute(LONG_AGO);
        fs::write(source.folder.path().join("main.go"), text_of(&SECOND)).unwrap();
        source.commit_all();
        world.center.remove(&old.url());
        let new = start(&world, &source, "th", "count");
        new.hit(&[0], 1);
        world.pull(0);
        source.clone_for("app", &world, &["--bare"]);
        Self { world, source, new }
    }

    fn unused(&self, options: &[&str]) -> Output {
        self.world.run(&[&["report", "app", "-q"], options].concat())
    }

    /// Returns the names of the functions that were not executed in a time, with whether they were seen before.
    fn names(&self, age: &str, options: &[&str]) -> Vec<(String, bool)> {
        let document = self.json(age, options);
        let functions = document["functions"].as_array().unwrap().iter();
        functions.map(|it| (it["name"].as_str().unwrap().to_owned(), !it["last_seen"].is_null())).collect()
    }

    fn json(&self, age: &str, options: &[&str]) -> Value {
        let all = [&["--unused", age, "--format", "json"], options].concat();
        self.unused(&all).assert_code(0).json().remove(0)
    }
}

fn named(functions: &[(&str, bool)]) -> Vec<(String, bool)> {
    functions.iter().map(|(name, is_seen)| ((*name).to_owned(), *is_seen)).collect()
}

#[test]
fn functions_that_no_commit_executed_within_the_time_are_listed_with_their_last_execution() {
    let services = Services::new();
    let first = services.source.commit_of("HEAD^");
    assert_eq!(services.names("30d", &[]), named(&[("aa", true), ("bb", false), ("short", false)]));
    assert_eq!(services.names("90d", &[]), named(&[("bb", false), ("short", false)]));
    let json = services.json("30d", &[]);
    assert_eq!(
        [&json["total"], &json["unused"], &json["statements"], &json["unused_statements"]],
        [&json!(4), &json!(3), &json!(4), &json!(3)],
        "{json}"
    );
    let aa = &json["functions"][0];
    assert_eq!([&aa["path"], &aa["line"], &aa["end_line"]], [&json!("main.go"), &json!(7), &json!(9)]);
    assert_eq!([&aa["last_seen"]["commit"], &aa["last_seen"]["id"]], [&json!(first[..10]), &json!(1)]);
    assert_eq!(json["observed"]["commits"], json!(2));
    assert_eq!(json["packages"][0]["name"], json!("example.com/app"));
    services.source.assert_document_fits_schema("man/goc-watchdog-report-unused.schema.json", &json);

    let text = services.unused(&["--unused", "30d"]).assert_code(0).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[1],
        "3 of 4 functions (75.0%) and 3 of 4 statements were not executed in 30 days; known for less time: 1"
    );
    assert!(
        lines[2].starts_with("observed: staging th, 2 commits from 20") && lines[2].ends_with("(60 days)"),
        "{text}"
    );
    assert_eq!(lines[4], "example.com/app: 3 of 4 functions, 3 statements");
    assert!(
        lines[5].starts_with("  main.go:7   aa     last seen 20") && lines[5].ends_with(&first[..10]),
        "{text}"
    );
    assert!(lines[6].starts_with("  main.go:11  bb     never in the "), "{text}");
    assert!(lines[7].starts_with("  main.go:15  short  never in the 60 days observed"), "{text}");
    assert!(text.ends_with("\nOnly what was pulled is known: silence is one sign, not a proof.\n"));
    assert!(lines[3..].iter().all(|line| line.chars().count() <= 80), "{text}");

    assert_eq!(services.names("30d", &["--exclude-one-line"]), named(&[("aa", true), ("bb", false)]));
    assert_eq!(services.names("30d", &["--exclude", "main.go"]), []);
    // What is executed now is used.
    services.new.hit(&[1, 2], 1);
    services.world.pull(0);
    assert_eq!(services.names("30d", &[]), named(&[("short", false)]));
}

#[test]
fn another_environment_counts_only_where_all_are_named() {
    let services = Services::new();
    let elsewhere = start(&services.world, &services.source, "sg", "count");
    elsewhere.hit(&[2], 1);
    services.world.pull(0);
    let own = named(&[("aa", true), ("bb", false), ("short", false)]);
    assert_eq!(services.names("30d", &["--region", "th"]), own);
    for all in [&["--region", "th", "--env", "all"][..], &["--env", "all"]] {
        assert_eq!(services.names("30d", all), named(&[("aa", true), ("short", false)]));
        assert_eq!(services.json("30d", all)["observed"]["places"], json!(["staging sg", "staging th"]));
    }
    // The older commit has data in one region alone, which is not that of the newest data.
    let first =
        services.world.query::<String>("SELECT git_commit FROM goc_o_staging_service_cover WHERE id = 1");
    for named in [&["--commit", &first][..], &["--id", "1"]] {
        let options = [&["report", "app", "-q", "--unused", "30d", "--env", "all"], named].concat();
        services.world.run(&options).assert_code(0);
    }
}

#[test]
fn dates_outlive_the_profiles_that_told_them() {
    let services = Services::new();
    let world = &services.world;
    // Nothing is kept for those who never ask.
    assert_eq!(world.query::<i64>("SELECT count(*) FROM function_date"), 0);
    let before = services.names("30d", &[]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM function_date"), 5, "bb has two texts");
    // After the report: a row that executes `short`, and later one that covers nothing new; the first of both is dropped.
    services.new.hit(&[3], 1);
    world.pull(0);
    world.execute(
        "UPDATE goc_o_staging_service_cover SET created_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-40 days') WHERE id = 3",
    );
    world.run(&["pull", "app", "--mark", "later"]).assert_code(0);
    world.execute("DELETE FROM mark");
    world.run(&["prune", "--retention-only", "--keep", "1", "--keep-days", "0", "-q"]).assert_code(0);
    let kept = "SELECT count(*) FROM goc_o_staging_service_cover WHERE deleted_at IS NULL";
    assert_eq!(world.query::<i64>(kept), 2);
    let json = services.json("30d", &[]);
    let short = &json["functions"][2];
    assert_eq!([&short["name"], &short["last_seen"]["id"]], [&json!("short"), &json!(3)], "{json}");
    assert_eq!(services.names("50d", &[]), before[..2].to_vec());
    // A second report finds nothing new.
    assert_eq!(services.json("30d", &[])["functions"], json["functions"]);
}

const LONG_AGO: &str =
    "UPDATE goc_o_staging_service_cover SET created_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-60 days')";

/// A service of one commit whose first row is 60 days old.
fn old_service(mode: &'static str) -> (World, Source, Agent) {
    let source = Source::from_files(&[
        ("main.go", text_of(&FIRST).as_bytes()),
        ("go.mod", b"module example.com/app\n"),
        ("work/work.go", b"package work\n\nfunc Work() {\n\tprintln()\n}\n"),
        ("zz.go", b"package main\n\nfunc zz() {\n\tprintln()\n}\n"),
    ]);
    let world = World::new();
    let agent = start(&world, &source, "th", mode);
    agent.hit(&[0, 1], 5);
    world.pull(0);
    world.execute(LONG_AGO);
    source.clone_for("app", &world, &["--bare"]);
    (world, source, agent)
}

fn unused(world: &World) -> (Vec<String>, Value) {
    let output = world.run(&["report", "app", "-q", "--unused", "30d", "--format", "json"]).assert_code(0);
    let json = output.json().remove(0);
    let names =
        json["functions"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned());
    (names.collect(), json)
}

#[test]
fn counts_that_have_no_row_yet_are_executions_too() {
    let (world, _source, agent) = old_service("count");
    assert_eq!(unused(&world).0, ["main", "aa", "bb", "short"]);
    // Nothing new is covered, so no row is stored, and then the process ends.
    agent.hit(&[1], 1);
    world.pull(0);
    world.center.remove(&agent.url());
    assert_eq!(
        (unused(&world).0, world.row_count()),
        (vec!["main".to_owned(), "bb".to_owned(), "short".to_owned()], 1)
    );
}

#[test]
fn counts_of_another_build_of_the_commit_are_not_compared_and_a_package_stands_once() {
    let (world, source, old) = old_service("count");
    // Counts of the build before that are ahead of its row: no report reads them before the other build comes.
    old.hit(&[0], 1);
    world.pull(0);
    world.center.remove(&old.url());
    let block = |index: usize| {
        let line = 3 + 4 * index;
        format!("example.com/app/main.go:{line}.13,{}.2 1\n", line + 2)
    };
    let files: String = (0..3).map(block).collect();
    let profile = format!(
        "{files}example.com/app/main.go:15.14,15.27 1\nexample.com/app/work/work.go:3.13,5.2 1\nexample.com/app/zz.go:3.11,5.2 1\n"
    );
    let new = world.start(&source.service_name(), &Program::from_profile(&profile.replace(" 1\n", " 1 0\n")));
    // As often as the build before, or less.
    new.hit(&[1], 3);
    new.hit(&[4], 1);
    world.pull(0);
    let (names, json) = unused(&world);
    assert_eq!(names, ["bb", "short", "zz"], "{json}");
    let packages: Vec<(&str, u64)> = json["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap(), it["unused"].as_u64().unwrap()))
        .collect();
    assert_eq!(packages, [("example.com/app", 3)]);
    assert_eq!(json["total"], json!(6));
}

#[test]
fn a_row_that_cannot_be_read_is_told_and_the_rows_after_it_are_dated() {
    let (world, _source, agent) = old_service("count");
    unused(&world);
    std::fs::remove_file(&world.files("_1.cov")[0]).unwrap();
    agent.hit(&[2], 1);
    world.pull(0);
    let (names, json) = unused(&world);
    assert!(!names.contains(&"bb".to_owned()), "{json}");
    // It is told as long as the row is there and cannot be read.
    for json in [json, unused(&world).1] {
        let why = json["observed"]["unknown"][0]["why"].as_str().unwrap();
        assert!(why.contains("app_1.cov"), "{json}");
    }
}

#[test]
fn what_was_deleted_before_the_first_report_is_unknown() {
    let services = Services::new();
    let world = &services.world;
    world.execute("UPDATE goc_o_staging_service_cover SET deleted_at = created_at WHERE id = 1");
    let json = services.json("30d", &[]);
    let unknown = &json["observed"]["unknown"];
    assert_eq!(unknown[0]["commit"], json!(services.source.commit_of("HEAD^")[..10]));
    assert!(
        unknown[0]["why"].as_str().unwrap().contains("deleted before their functions were dated"),
        "{json}"
    );
}

#[test]
fn in_mode_set_a_function_counts_as_executed_until_its_data_was_read_last() {
    let (world, _source, _agent) = old_service("set");
    world.pull(0);
    let (names, json) = unused(&world);
    assert_eq!(names, ["bb", "short"], "{json}");
    // They have been there since the first row all the same.
    let since = json["functions"][0]["observed_since"].as_str().unwrap();
    assert!(since < json["until"].as_str().unwrap() && json["observed_less"] == json!(0), "{json}");
}

#[test]
fn what_is_unknown_is_said_and_senseless_options_are_refused() {
    let services = Services::new();
    let world = &services.world;
    fs::remove_dir_all(world.root().join("app/repo")).unwrap();
    let missing = world.run(&["report", "app", "--unused", "30d"]).assert_code(1);
    missing.assert_stderr_contains("git clone --bare");
    // A clone of the newest commit alone.
    let to = world.root().join("app/repo");
    let from = format!("file://{}", services.source.folder.path().display());
    services.source.git(&["clone", "--quiet", "--bare", "--depth", "1", &from, to.to_str().unwrap()]);
    let first = services.source.commit_of("HEAD^");
    let output =
        world.run(&["report", "app", "--unused", "30d", "--format", "json", "--offline"]).assert_code(0);
    let output = output.assert_stderr_contains(&format!(
        "what commit {} executed is unknown: the clone lacks it; so functions may be listed that were executed there",
        &first[..10]
    ));
    let json = output.json().remove(0);
    assert_eq!(json["observed"]["unknown"], json!([{"commit": first[..10], "why": "the clone lacks it"}]));
    let text = world.run(&["report", "app", "--unused", "30d", "-q", "--offline"]).assert_code(0).stdout;
    assert!(
        text.contains(&format!(
            "\ncommits of which not all is known, so that listed functions may have run there: {} (",
            &first[..10]
        )),
        "{text}"
    );
    assert_eq!(json["functions"][0]["last_seen"], Value::Null);
    for (options, why) in [
        (&["--unused", "30d", "--format", "lcov"][..], "--unused has the forms text, json and html"),
        (&["--unused", "30d", "--carry"], "cannot be used with"),
        (&["--unused", "soon"], "invalid value"),
        (&["--unused", "0s"], "a time longer than 0 is needed"),
        (&["--exclude-one-line"], "--unused"),
    ] {
        let output = world.run(&[&["report", "app"], options].concat()).assert_code(2);
        output.assert_stderr_contains(why);
    }
}

#[test]
fn a_page_has_a_tab_of_functions_that_nobody_executes() {
    let services = Services::new();
    let page = services.world.home().join("page.html");
    let form = format!("html={}", page.display());
    services.unused(&["--format", &form]).assert_code(0);
    assert!(!fs::read_to_string(&page).unwrap().contains("tab-unused"));
    let stored = services.world.files("_report.html");
    let before = fs::read(&stored[0]).unwrap();
    services.unused(&["--unused", "30d", "--format", &form]).assert_code(0);
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.contains("<a id=\"tab-unused\" href=\"#tab=unused\">Unused <span>3</span></a>"), "{text}");
    assert_eq!(fs::read(&stored[0]).unwrap(), before, "the page of the row stays beside its profile");

    let Some(mut browser) = Browser::start() else { return };
    on_each_screen(&mut browser, 700, |browser, screen| {
        browser.open(&page, "#tab=unused");
        let rows = browser.texts("#unused-functions tbody tr:not(.package) :is(a, .seen)");
        assert_eq!([&rows[0], &rows[2], &rows[4]], ["aa", "bb", "short"], "{screen}");
        assert!(
            rows[1].starts_with("last seen 20") && rows[3].starts_with("never in the "),
            "{screen}: {rows:?}"
        );
        let beyond = "[...document.querySelectorAll('#unused-list *')].filter((it) => it.checkVisibility() && !it.matches('.unseen'))
            .filter((it) => it.getBoundingClientRect().right > innerWidth || it.scrollWidth > it.clientWidth + 1 && it.clientWidth)
            .map((it) => it.outerHTML)";
        assert_eq!(browser.eval(beyond), json!([]), "{screen}");
        let heads = "new Set([...document.querySelectorAll('#unused-functions thead th')]
            .filter((it) => it.checkVisibility()).map((it) => it.offsetHeight)).size";
        assert_eq!(browser.eval(heads), json!(1), "{screen}: no head is broken within a word");
        browser.assert_quiet();
    });
    browser.click("#unused-functions tbody tr:not(.package) a");
    browser.wait_until("!document.getElementById('view').hidden");
    assert_eq!(browser.eval("location.hash"), json!("#file=example.com/app/main.go&line=7"));
}
