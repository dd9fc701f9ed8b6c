//! Coverage that is carried over from other commits: real programs of one repository, built with `go build -cover` at each
//! of its commits.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::go::{Go, write};
use crate::harness::source::{Source, project_path};
use crate::harness::{Output, World};
use crate::sim::Agent;

const UNTESTED: &str = "no coverage was carried over from builds of other commits";

/// The statements of a function: so many calls, one a line.
fn calls(number: usize) -> String {
    "\tprintln()\n".repeat(number)
}

/// A program that calls the functions that its arguments name. The statements of `one`, `two`, `four` and so on are as
/// many, so that a sum tells which of them were executed. `main` has 3 statements of its own.
fn main_go() -> String {
    "package main\n\nimport \"os\"\n\nfunc main() {\n\tfor _, name := range os.Args[1:] {\n\t\tif f, ok := all[name]; ok {\n\
     \t\t\tf()\n\t\t}\n\t}\n}\n"
        .to_owned()
}

/// The repository of the program, with its processes at several commits.
struct Shop {
    go: Go,
    world: World,
    source: Source,
    agents: Vec<Agent>,
}

impl Shop {
    /// Commits these files beside `main.go`.
    fn new(go: Go, files: &[(&str, &str)]) -> Self {
        let main = main_go();
        let mut all = vec![("go.mod", "module example.com/shop\n\ngo 1.20\n"), ("main.go", &main)];
        all.extend(files);
        let all: Vec<_> = all.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        Self { go, world: World::new(), source: Source::from_files(&all), agents: Vec::new() }
    }

    /// Commits these files; a file without text is removed.
    fn commit(&mut self, files: &[(&str, &str)]) {
        for (path, text) in files {
            match *text {
                "" => fs::remove_file(self.source.folder.path().join(path)).unwrap(),
                text => write(self.source.folder.path(), path, text),
            }
        }
        self.source.commit_all();
    }

    /// Builds the program at the commit of now, runs it with these arguments, and pulls its coverage from a process in an
    /// environment.
    fn run(&mut self, env: &str, arguments: &[&str]) {
        let folder = self.source.folder.path();
        let number = self.agents.len();
        let (program, data) = (
            self.world.home().join(format!("program{number}")),
            self.world.home().join(format!("data{number}")),
        );
        fs::create_dir(&data).unwrap();
        self.go.run(folder, &["build", "-cover", "-o", program.to_str().unwrap(), "."]);
        let status = Command::new(&program).args(arguments).env("GOCOVERDIR", &data).output().unwrap().status;
        assert!(status.success());
        let profile = self.go.textfmt(&data);
        let blocks = profile.split_once('\n').unwrap().1;
        let name = format!("{env}_th_shop_master_{}", &self.source.commit[..10]);
        self.agents.push(self.world.start_counted(&name, blocks));
        self.world.run(&["-q", "pull", &name]).assert_code(0);
    }

    /// Prints the total of the newest commit in staging. The clone has the commits until now.
    fn total(&self, options: &[&str]) -> Output {
        let _ = fs::remove_dir_all(self.world.root().join("shop/repo"));
        self.source.clone_for("shop", &self.world, &["--bare"]);
        let commit = &self.source.commit[..10];
        self.world.run(&[&["total", "shop", "--env", "staging", "--commit", commit][..], options].concat())
    }

    fn json(&self, options: &[&str]) -> Value {
        let output = self.total(&[&["--format", "json"][..], options].concat()).assert_code(0);
        serde_json::from_str(&output.stdout).unwrap()
    }
}

/// The functions of the first commit.
fn lib() -> String {
    format!(
        "package main\n\nvar all = map[string]func(){{\"one\": one, \"two\": two, \"four\": four, \"eight\": eight, \
         \"sixteen\": sixteen, \"more\": T{{}}.more}}\n\nfunc one() {{\n{}}}\n\nfunc two() {{\n{}}}\n\nfunc four() {{\n{}}}\n\n\
         func eight() {{\n{}}}\n\nfunc sixteen() {{\n{}}}\n\ntype T struct{{}}\n\nfunc (T) more() {{\n{}}}\n\nfunc init() {{\n{}}}\n",
        calls(1),
        calls(2),
        calls(4),
        calls(8),
        calls(16),
        calls(32),
        calls(64),
    )
}

#[test]
fn functions_of_the_same_text_are_carried_and_no_others() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let lib = lib();
    let mut shop = Shop::new(go, &[("lib.go", &lib)]);
    shop.run("staging", &["one", "two", "four", "eight", "sixteen", "more"]);

    // A comment moves `one`, `two` is laid out anew, a statement of `four` changes, `eight` moves to another file,
    // `sixteen` has another name, and `more` a directive.
    let eight = format!("func eight() {{\n{}}}\n", calls(8));
    let changed = lib
        .replace("func one", "// one calls once.\nfunc one")
        .replace("func two() {\n\tprintln()\n", "func two() { // twice\n\n\tprintln(\n\t)\n")
        .replace("func four() {\n\tprintln()", "func four() {\n\tprintln(4)")
        .replace(&eight, "")
        .replace("sixteen()", "seventeen()")
        .replace("\"sixteen\": sixteen", "\"sixteen\": seventeen")
        .replace("func (T) more", "//go:noinline\nfunc (T) more");
    shop.commit(&[("lib.go", &changed), ("eight.go", &format!("package main\n\n{eight}"))]);
    shop.run("staging", &["unknown"]);

    // Without arguments that fit, `main` executes 2 of its 3 statements, and `init` runs by itself.
    let alone = shop.json(&[]);
    assert_eq!(
        (&alone["covered"], &alone["fresh"], &alone["carried_from"]),
        (&json!(66), &json!(null), &json!(null))
    );
    let carried = shop.json(&["--carry"]);
    assert_eq!(carried["covered"], json!(66 + 1 + 1 + 2 + 8), "main, one, two and eight: {carried}");
    assert_eq!(carried["fresh"], alone["percent"]);
    let from = carried["carried_from"].as_array().unwrap();
    assert_eq!((from.len(), &from[0]["statements"], &from[0]["id"]), (1, &json!(12), &json!(1)));
}

/// A repository whose second commit changes only `four`, pulled at both; everything was executed at the first one.
fn shop_with_a_change(go: Go) -> Shop {
    let lib = lib();
    let mut shop = Shop::new(go, &[("lib.go", &lib)]);
    shop.run("staging", &["one", "two", "four", "eight", "sixteen", "more"]);
    shop.commit(&[("lib.go", &lib.replace("func four() {\n\tprintln()", "func four() {\n\tprintln(4)"))]);
    shop.run("staging", &["one"]);
    shop
}

#[test]
fn forms_count_what_is_carried_and_other_tools_do_not_unless_asked() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let shop = shop_with_a_change(go);
    shop.total(&[]);
    let report = |options: &[&str]| {
        shop.world.run(&[&["report", "shop", "-q"], options].concat()).assert_code(0).stdout
    };
    for form in ["lcov", "cobertura", "codecov", "profile"] {
        let [alone, carried, all] = [&[][..], &["--carry"], &["--carry", "--carry-in-forms"]]
            .map(|options| report(&[&["--format", form], options].concat()));
        assert_eq!(alone, carried, "{form}");
        assert_ne!(alone, all, "{form}");
    }
    // The table is Go's of the same counts.
    let union = shop.source.folder.path().join("union.cov");
    fs::write(&union, report(&["--format", "profile", "--carry", "--carry-in-forms"])).unwrap();
    let table =
        shop.go.output(shop.source.folder.path(), &["tool", "cover", "-func", union.to_str().unwrap()]);
    assert_eq!(report(&["--carry"]), table);
    assert!(table.contains("sixteen\t\t100.0%") && table.contains("four\t\t0.0%"), "{table}");
    // What is stored beside the profile stays that of the commit.
    assert_eq!(shop.world.files("_report.txt").len(), 0);

    let text = shop.world.run(&["report", "shop", "--carry", "--format", "markdown"]).assert_code(0);
    let words =
        text.stderr.lines().find(|line| line.contains(" carried from 1 commit, the oldest ")).unwrap();
    let words = words.split_once(": ").unwrap().1.split_once(": ").unwrap().1;
    assert!(text.stdout.contains(words), "{words} is not in {}", text.stdout);

    let [json, of_changes] =
        ["json", "diff-json"].map(|form| shop.world.home().join(form).display().to_string());
    report(&[
        "--carry",
        "--base",
        "previous",
        "--format",
        &format!("json={json}"),
        "--format",
        &format!("diff-json={of_changes}"),
    ]);
    shop.source.assert_fits_schema("man/goc-watchdog-report.schema.json", &json);
    shop.source.assert_fits_schema("man/goc-watchdog-report-diff.schema.json", &of_changes);
    let read = |file| serde_json::from_str::<Value>(&fs::read_to_string(file).unwrap()).unwrap();
    // Of the 3 + 1 + 2 + 4 + 8 + 16 + 32 + 64 statements all but the four of the changed function were executed.
    assert_eq!(read(&json)["covered"], json!(126));
    assert_eq!(read(&json)["carried_from"][0]["statements"], json!(58));
    assert_eq!(read(&of_changes)["carried_from"], read(&json)["carried_from"]);
}

#[test]
fn a_gate_judges_the_figure_that_is_printed_and_says_so() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let shop = shop_with_a_change(go);
    let output = shop.total(&["--carry", "--fail-under", "99"]).assert_code(5);
    assert_eq!(output.stdout, "96.9\n");
    output
        .assert_stderr_contains("96.9% (126 of 130 statements) is below 99%, 3 more to cover, with --carry");
    shop.total(&["--carry", "--fail-under", "96"]).assert_code(0);
    shop.total(&["--fail-under", "96"]).assert_code(5);
    shop.total(&["--carry", "--max-drop", "1"]).assert_code(2);
}

#[test]
fn what_is_carried_is_bounded_by_age_and_place() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let mut shop = shop_with_a_change(go);
    let carried = |shop: &Shop, options: &[&str]| shop.json(options)["covered"].as_u64().unwrap();
    assert_eq!([&["--carry"][..], &["--carry=1h"]].map(|options| carried(&shop, options)), [126, 126]);
    shop.world.execute(
        "UPDATE goc_o_staging_service_cover SET created_at = '2026-01-01T00:00:00.000Z' WHERE id = 1",
    );
    assert_eq!([&["--carry"][..], &["--carry=90years"]].map(|options| carried(&shop, options)), [68, 126]);

    // The same commit in another environment counts only if any may.
    shop.run("qa", &["two", "four"]);
    assert_eq!(carried(&shop, &["--carry"]), 68);
    assert_eq!(carried(&shop, &["--carry", "--carry-from", "any"]), 68 + 2 + 4);
}

#[test]
fn a_commit_that_the_clone_lacks_is_named_and_without_the_own_one_nothing_is_told() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let shop = shop_with_a_change(go);
    shop.total(&[]);
    let first = &shop.source.commit_of("HEAD~1")[..10];
    let clone = shop.world.root().join("shop/repo");
    fs::remove_dir_all(&clone).unwrap();
    let from = format!("file://{}", shop.source.folder.path().display());
    shop.source.git(&["clone", "--quiet", "--bare", "--depth=1", &from, clone.to_str().unwrap()]);
    let output = shop.world.run(&["total", "shop", "--carry"]).assert_code(0);
    output.assert_stderr_contains(&format!("the clone lacks {first}, so it carries nothing"));
    fs::remove_dir_all(&clone).unwrap();
    let output = shop.world.run(&["total", "shop", "--carry"]).assert_code(1);
    assert_eq!(output.stdout, "", "no smaller figure");
}

#[test]
fn a_file_of_this_commit_that_does_not_parse_is_named() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let mut shop = shop_with_a_change(go);
    shop.commit(&[("lib.go", "package main\n\nfunc one() {\n")]);
    let name = format!("staging_th_shop_master_{}", &shop.source.commit[..10]);
    shop.agents.push(shop.world.start_counted(&name, "example.com/shop/lib.go:3.12,4.2 1 0\n"));
    shop.world.run(&["-q", "pull", &name]).assert_code(0);
    let output = shop.total(&["--carry"]).assert_code(0);
    output.assert_stderr_contains(
        "nothing is carried to 1 file of this commit that cannot be parsed, such as \"lib.go\"",
    );
}

#[test]
fn a_history_tells_what_was_carried_to_each_commit_then() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let shop = shop_with_a_change(go);
    shop.total(&[]);
    let output = shop.world.run(&["history", "shop", "--carry", "--format", "json"]).assert_code(0);
    let rows: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
    let of_carry: Vec<_> = rows.iter().map(|row| (row["id"].clone(), row["carried_from"].clone())).collect();
    assert_eq!(of_carry[0], (json!(1), json!([])), "nothing came before");
    assert_eq!(of_carry[1].1[0]["statements"], json!(58));
    let [with, without, points] =
        ["percent_with_carry", "percent", "carried"].map(|field| rows[1][field].as_f64().unwrap());
    assert!((with - without - points).abs() < 1e-9, "{with} {without} {points}");
    let table = shop.world.run(&["history", "shop", "--carry"]).assert_code(0).stdout;
    assert!(table.contains("WITH CARRY") && table.contains("96.9% (+44.6)"), "{table}");
}

/// Packages of Go's library, whose two releases are a history of real code.
const PACKAGES: [&str; 12] = [
    "bufio",
    "compress/flate",
    "encoding/csv",
    "encoding/xml",
    "go/printer",
    "go/scanner",
    "mime/multipart",
    "net/textproto",
    "net/url",
    "regexp",
    "regexp/syntax",
    "text/template",
];

/// Copies the packages of a Go installation into a folder, and returns their blocks by Go's own annotator, each with a count.
fn library(go: &Go, folder: &Path, count: u64) -> String {
    let root = go.output(Path::new("/"), &["env", "GOROOT"]);
    for package in PACKAGES {
        let (from, to) = (Path::new(root.trim()).join("src").join(package), folder.join(package));
        let _ = fs::remove_dir_all(&to);
        fs::create_dir_all(&to).unwrap();
        for file in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            if name.strip_suffix(".go").is_some_and(|name| !name.ends_with("_test")) {
                fs::write(to.join(name), fs::read(file).unwrap()).unwrap();
            }
        }
    }
    let profile = folder.join("blocks");
    let made = Command::new("python3")
        .arg(project_path("benches/mkprofile.py"))
        .arg(folder)
        .arg(&profile)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = fs::read_to_string(&profile).unwrap();
    fs::remove_file(profile).unwrap();
    let counted = |line: &str| format!("{} {count}\n", line.rsplit_once(' ').unwrap().0);
    text.lines().skip(1).map(counted).collect()
}

#[test]
fn of_real_code_as_many_functions_are_carried_as_gos_own_scanner_keeps() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let older = Go::older("no functions of an older library were carried");
    let Some(older) = older.first() else { return };
    let mut source = Source::from_files(&[("go.mod", b"module example.com/library\n")]);
    let world = World::new();
    let mut agents = Vec::new();
    for (go, count) in [(older, 1), (&go, 0)] {
        let blocks = library(go, source.folder.path(), count);
        source.commit_all();
        agents.push(
            world.start_counted(&format!("staging_th_library_master_{}", &source.commit[..10]), &blocks),
        );
        world.pull(0);
    }
    source.clone_for("library", &world, &["--bare"]);
    let [old, new] = ["old", "new"].map(|name| world.home().join(name));
    for (folder, revision) in [(&old, "HEAD~1"), (&new, "HEAD")] {
        source.git(&["worktree", "add", "--quiet", "--detach", folder.to_str().unwrap(), revision]);
    }
    let program = project_path("tests/fixtures/carry/kept.go");
    let kept = go.output(world.home(), &["run", &program, old.to_str().unwrap(), new.to_str().unwrap()]);
    let kept: BTreeSet<&str> = kept.lines().collect();

    let table = world.run(&["-q", "report", "library", "--carry"]).assert_code(0).stdout;
    let carried = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let place = words[0].strip_prefix("example.com/library/")?;
        (words[2] == "100.0%").then(|| format!("{place}{}", words[1]))
    });
    let carried: BTreeSet<String> = carried.collect();
    let carried: BTreeSet<&str> = carried.iter().map(String::as_str).collect();
    let lost: Vec<_> = kept.difference(&carried).collect();
    let invented: Vec<_> = carried.difference(&kept).collect();
    assert!(
        lost.is_empty() && invented.is_empty(),
        "not carried: {lost:?}, carried by mistake: {invented:?}"
    );
    assert!(
        kept.len() > 700 && kept.len() < table.lines().count() - 100,
        "{} of {}",
        kept.len(),
        table.lines().count()
    );
}

#[test]
fn files_that_a_partial_clone_lacks_are_no_smaller_figure_in_silence() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let shop = shop_with_a_change(go);
    shop.source.git(&["config", "uploadpack.allowFilter", "true"]);
    let clone = shop.world.root().join("shop/repo");
    let from = format!("file://{}", shop.source.folder.path().display());
    shop.source.git(&["clone", "--quiet", "--bare", "--filter=blob:none", &from, clone.to_str().unwrap()]);
    let report = |form: &str| shop.world.run(&["report", "shop", "--offline", "--carry", "--format", form]);
    report("json").assert_code(1).assert_stderr_contains("the clone lacks 1 file of commit");
    // The source of this commit is fetched, and that of the other one is not.
    shop.world.run(&["-q", "report", "shop"]).assert_code(0);
    report("json")
        .assert_code(0)
        .assert_stderr_contains("row 1 carries nothing: the clone lacks 1 file of commit");
    assert_eq!(shop.world.run(&["total", "shop", "--carry"]).assert_code(0).stdout, "96.9\n");
}

#[test]
fn a_history_takes_the_data_of_any_environment_and_no_form_compares_what_is_carried_with_what_is_not() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let lib = lib();
    let mut shop = Shop::new(go, &[("lib.go", &lib)]);
    shop.run("qa", &["one", "two", "four", "eight", "sixteen", "more"]);
    shop.commit(&[("lib.go", &lib.replace("func four() {\n\tprintln()", "func four() {\n\tprintln(4)"))]);
    shop.run("staging", &[]);
    shop.run("staging", &["one"]);
    shop.total(&[]);
    let history = |options: &[&str]| {
        let output =
            shop.world.run(&[&["history", "staging_th_shop", "--carry"], options].concat()).assert_code(0);
        output.stdout
    };
    assert!(history(&[]).contains("(+0.0)") && history(&["--carry-from", "any"]).contains("96.9% (+44.6)"));
    let report = |options: &[&str]| {
        shop.world.run(&[&["-q", "report", "staging_th_shop"], options].concat()).assert_code(0)
    };
    let text = ["--format", "text"];
    assert!(report(&text).stdout.contains("since row 2"));
    assert!(!report(&[&text[..], &["--carry"]].concat()).stdout.contains("since row"));
    let output = shop.world.run(&[
        "total",
        "staging_th_shop",
        "--carry=1h",
        "--carry-from",
        "any",
        "--fail-under",
        "99",
    ]);
    output
        .assert_code(5)
        .assert_stderr_contains(" --carry=1h --carry-from any --format text --sort uncovered");
}
