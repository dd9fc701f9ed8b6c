//! What was ever executed, of a real service at three commits: carried over these, together with its unit tests, and what
//! nobody executed; with processes that `go build -cover` instrumented, and with those of the real goc.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::goc::{Goc, get, wait_for};
use crate::harness::World;
use crate::harness::go::{Go, write};
use crate::harness::source::Source;

const UNTESTED: &str = "no service was followed over three commits";

const MAIN: &str = "package main\n\nimport (\n\t\"flag\"\n\t\"fmt\"\n\t\"net\"\n\t\"net/http\"\n\t\"os\"\n\n\t\"example.com/shop/work\"\n)\n\n\
    func main() {\n\taddress := flag.String(\"addr\", \"127.0.0.1:0\", \"\")\n\tflag.Parse()\n\
    \tlistener, err := net.Listen(\"tcp\", *address)\n\tif err != nil {\n\t\tpanic(err)\n\t}\n\
    \tfmt.Printf(\"listening on http://%s\\n\", listener.Addr())\n\
    \tpanic(http.Serve(listener, http.HandlerFunc(serve)))\n}\n\n\
    func serve(_ http.ResponseWriter, request *http.Request) {\n\tif request.URL.Path == \"/quit\" {\n\t\tos.Exit(0)\n\t}\n\
    \twork.Do(request.URL.Path[1:])\n}\n";
const TEST: &str = "package work\n\nimport \"testing\"\n\nfunc TestSixteen(t *testing.T) {\n\tsixteen()\n}\n";

/// The package whose functions have as many statements as their names say, and are called by their names.
fn work(functions: &[(&str, usize)]) -> String {
    let entry = |(name, _): &(&str, usize)| format!("\t\"{name}\": {name},\n");
    let entries: Vec<String> = functions.iter().map(entry).collect();
    let entries = entries.concat();
    let bodies = functions.iter().map(|(name, statements)| {
        let body = "\tprintln()\n".repeat(*statements);
        format!("\nfunc {name}() {{\n{body}}}\n")
    });
    let bodies: String = bodies.collect();
    format!(
        "package work\n\nvar all = map[string]func(){{\n{entries}}}\n\n// Do does what a name means.\n\
         func Do(name string) {{\n\tall[name]()\n}}\n{bodies}"
    )
}

/// Follows a service over three commits. `execute` builds the service at the commit of now, sends it these requests, and
/// collects its coverage under the name of the service.
fn follow(go: &Go, world: &World, execute: &mut dyn FnMut(&Path, &str, &[&str])) {
    let functions = [("one", 1), ("two", 2), ("four", 4), ("eight", 8), ("sixteen", 16)];
    let first = work(&functions);
    let files =
        [("go.mod", "module example.com/shop\n\ngo 1.20\n"), ("main.go", MAIN), ("work/work.go", &first)];
    let files = files.into_iter().chain([("work/work_test.go", TEST)]);
    let files: Vec<(&str, &[u8])> = files.map(|(path, text)| (path, text.as_bytes())).collect();
    let mut source = Source::from_files(&files);
    let name = |source: &Source| format!("staging_th_shop_master_{}", &source.commit[..10]);
    execute(source.folder.path(), &name(&source), &["one", "two", "four"]);
    let first_commit = source.commit[..10].to_owned();
    let second = first.replace("func two() {\n\tprintln()", "func two() {\n\tprintln(2)");
    write(source.folder.path(), "work/work.go", &second);
    source.commit_all();
    execute(source.folder.path(), &name(&source), &["eight"]);
    let third = second.replace("func four", "// four does four.\nfunc four") + "\nfunc thirtyTwo() {\n}\n";
    let third = third
        .replace("func thirtyTwo() {\n", &format!("func thirtyTwo() {{\n{}", "\tprintln()\n".repeat(32)));
    let third = third.replace("\t\"two\": two,\n", "\t\"two\": two,\n\t\"thirtyTwo\": thirtyTwo,\n");
    write(source.folder.path(), "work/work.go", &third);
    source.commit_all();
    execute(source.folder.path(), &name(&source), &[]);
    source.clone_for("shop", world, &["--bare"]);
    let unit = world.home().join("unit.out").display().to_string();
    go.run(source.folder.path(), &["test", "-coverpkg=./...", "-coverprofile", &unit, "./..."]);

    let service = name(&source);
    let table = |options: &[&str]| {
        world.run(&[&["report", &service, "-q", "--format", "func"], options].concat()).assert_code(0).stdout
    };
    let executed = |options: &[&str]| -> Vec<String> {
        let table = table(options);
        let of_work = table.lines().filter(|line| line.contains("/work/") && !line.ends_with("\t0.0%"));
        of_work
            .map(|line| line.split('\t').filter(|part| !part.is_empty()).nth(1).unwrap().to_owned())
            .collect()
    };
    assert_eq!(executed(&[]), Vec::<String>::new());
    assert_eq!(executed(&["--carry"]), ["Do", "one", "four", "eight"]);
    let with = format!("{unit}=unit");
    assert_eq!(executed(&["--with", &with]), ["sixteen"]);
    let both = ["--carry", "--with", &with];
    assert_eq!(executed(&both), ["Do", "one", "four", "eight", "sixteen"]);
    // The table is Go's of the same counts.
    let profile = [&both[..], &["--carry-in-forms", "--format", "profile"]].concat();
    let union = world.run(&[&["report", &service, "-q"], &profile[..]].concat()).assert_code(0).stdout;
    let path = world.home().join("union.cov");
    fs::write(&path, union).unwrap();
    assert_eq!(
        table(&both),
        go.output(source.folder.path(), &["tool", "cover", "-func", path.to_str().unwrap()])
    );

    let total = |options: &[&str]| -> Value {
        let all = [&["total", &service, "--format", "json"], options].concat();
        world.run(&all).assert_code(0).json().remove(0)
    };
    let (alone, all) = (total(&[]), total(&both));
    assert_eq!(all["fresh"], alone["percent"]);
    // Do has a statement. Without requests `serve` executed none of its 3 there, but at the commits before 2.
    let covered = |json: &Value| json["covered"].as_u64().unwrap();
    let carried: u64 =
        all["carried_from"].as_array().unwrap().iter().map(|it| it["statements"].as_u64().unwrap()).sum();
    assert_eq!(covered(&all) - covered(&alone) - carried, 16, "of unit tests: {all}");
    assert!(
        all["carried_from"].as_array().unwrap().iter().any(|it| it["commit"] == json!(first_commit)),
        "{all}"
    );

    let unused = ["report", &service, "-q", "--unused", "30d", "--format", "json"];
    let unused = world.run(&unused).assert_code(0).json().remove(0);
    let names: Vec<&str> =
        unused["functions"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["two", "sixteen", "thirtyTwo"], "{unused}");
    assert_eq!(unused["observed"]["commits"], json!(3));
}

#[test]
fn a_service_of_go_build_cover_is_followed_over_three_commits() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let world = World::new();
    world.configure("");
    follow(&go, &world, &mut |folder, service, requests| {
        let (program, log) = (world.home().join("program"), world.home().join("log"));
        go.run(folder, &["build", "-cover", "-coverpkg=./...", "-o", program.to_str().unwrap(), "."]);
        let inbox = world.root().join("inbox").join(service);
        fs::create_dir_all(&inbox).unwrap();
        let out = fs::File::create(&log).unwrap();
        let mut process = Command::new(&program)
            .env("GOCOVERDIR", &inbox)
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = wait_for("the service", || {
            let log = fs::read_to_string(&log).unwrap();
            Some(log.split_once("listening on ")?.1.split_once('\n')?.0.to_owned())
        });
        for request in requests {
            get(&url, &format!("/{request}")).unwrap();
        }
        // Go writes the counters at the end of the process.
        let _ = get(&url, "/quit");
        assert!(process.wait().unwrap().success());
        world.run(&["-q", "pull"]).assert_code(0);
    });
}

#[test]
fn a_service_of_goc_is_followed_over_three_commits() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let Some(mut goc) = Goc::start("count") else { return };
    let world = World::new();
    world.configure("");
    let mut number = 0;
    follow(&go, &world, &mut |folder, service, requests| {
        number += 1;
        let program = format!("program{number}");
        goc.build(folder, "count", &program);
        let url = goc.process(&format!("process{number}"), &program, service);
        for request in requests {
            get(&url, &format!("/{request}")).unwrap();
        }
        world.run(&["-q", "pull", service, "--center", &goc.center]).assert_code(0);
    });
}
