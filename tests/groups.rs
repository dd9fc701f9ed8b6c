//! Groups of the configuration: apps of one repository as one at one commit.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::browser::Browser;
use crate::harness::go::{Go, write};
use crate::harness::source::Source;
use crate::harness::{Output, World, profile_of};
use crate::sim::Agent;
use crate::terminals::{assert_fits, run_at};

const LIB: &str = "package lib\n\nfunc Add(a, b int) int {\n\treturn a + b\n}\n\nfunc Sub(a, b int) int {\n\treturn a - b\n}\n\nfunc Mul(a, b int) int {\n\treturn a * b\n}\n";
const MAIN: &str = "package main\n\nfunc main() {\n\trun()\n}\n\nfunc run() {\n\tprintln()\n}\n";

/// The profile of `lib`, of which these functions were executed so often.
fn lib(add: u32, sub: u32) -> String {
    format!(
        "example.com/shop/lib/lib.go:3.24,5.2 1 {add}\nexample.com/shop/lib/lib.go:7.24,9.2 1 {sub}\n\
         example.com/shop/lib/lib.go:11.24,13.2 1 0\n"
    )
}

/// The profile of the main package of an app, of which only `main` was executed.
fn main_of(app: &str) -> String {
    format!(
        "example.com/shop/cmd/{app}/main.go:3.13,5.2 1 1\nexample.com/shop/cmd/{app}/main.go:7.12,9.2 1 0\n"
    )
}

/// A repository of the programs `cart` and `pay`, and their processes.
struct Shop {
    world: World,
    source: Source,
    agents: Vec<Agent>,
}

impl Shop {
    /// Pulls `cart`, which executed `Add`, and then `pay`, which executed `Add` and `Sub`.
    fn new() -> Self {
        let mut shop = Self::without_processes();
        shop.start("staging", "cart", &(main_of("cart") + &lib(1, 0)));
        shop.start("staging", "pay", &(main_of("pay") + &lib(2, 1)));
        shop
    }

    fn without_processes() -> Self {
        Self::with_files(&[
            ("go.mod", "module example.com/shop\n"),
            ("lib/lib.go", LIB),
            ("cmd/cart/main.go", MAIN),
            ("cmd/pay/main.go", MAIN),
        ])
    }

    fn with_files(files: &[(&str, &str)]) -> Self {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let (source, world) = (Source::from_files(&files), World::new());
        world.configure("[groups.shop]\napps = [\"cart\", \"pay\"]\n");
        Self { world, source, agents: Vec::new() }
    }

    fn commit(&self) -> &str {
        &self.source.commit[..10]
    }

    /// Starts a process of an app at the source's commit, and pulls it.
    fn start(&mut self, env: &str, app: &str, profile: &str) {
        let name = format!("{env}_th_{app}_master_{}", self.commit());
        self.agents.push(self.world.start_counted(&name, profile));
        self.world.pull(0);
    }

    /// Commits a change of `lib`.
    fn commit_change(&mut self) {
        fs::write(self.source.folder.path().join("lib/lib.go"), LIB.replace("a * b", "b * a")).unwrap();
        self.source.commit_all();
    }

    fn clone_source(&self) {
        self.source.clone_for("cart", &self.world, &["--bare"]);
    }

    fn run(&self, arguments: &[&str], code: i32) -> Output {
        self.world.run(arguments).assert_code(code)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments, 0).json().remove(0)
    }
}

/// The shares of `apps` in a package of a report, as `app covered/total`.
fn shares(package: &Value) -> String {
    let shares = package["apps"].as_array().unwrap().iter();
    let shares = shares
        .map(|share| format!("{} {}/{}", share["app"].as_str().unwrap(), share["covered"], share["total"]));
    shares.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_statement_counts_once_and_is_covered_if_any_app_executed_it() {
    let shop = Shop::new();
    let total = shop.run(&["total", "shop"], 0);
    // Of both main packages one of two statements, and of lib two of three.
    assert_eq!((&*total.stdout, &*total.stderr), ("57.1\n", ""));
    let json = shop.json(&["total", "shop", "--format", "json"]);
    let figures =
        ["service", "app", "env", "branch", "commit", "covered", "total", "id", "cov_file_path", "diff"];
    assert_eq!(
        figures.map(|figure| &json[figure]),
        [
            &json!("shop"),
            &json!("shop"),
            &json!("staging"),
            &json!("master"),
            &json!(shop.commit()),
            &json!(4),
            &json!(7),
            &Value::Null,
            &Value::Null,
            &Value::Null
        ]
    );
    assert_eq!(json["replicas"], json!({"answered": 2, "known": 2}));
    let apps = json["group"]["apps"].as_array().unwrap();
    let of_app = |app: &Value| ["app", "id", "covered", "total"].map(|key| app[key].clone());
    let apps: Vec<[Value; 4]> = apps.iter().map(of_app).collect();
    assert_eq!(
        apps,
        [[json!("cart"), json!(1), json!(2), json!(5)], [json!("pay"), json!(2), json!(3), json!(5)]]
    );
    assert_eq!((&json["group"]["missing"], &json["group"]["conflicts"]), (&json!([]), &json!([])));
    assert_eq!(shop.json(&["total", "cart", "--format", "json"])["group"], Value::Null);

    let profile = shop.run(&["report", "shop", "--format", "profile"], 0).stdout;
    let expected = format!("mode: count\n{}{}{}", main_of("cart"), main_of("pay"), lib(3, 1));
    assert_eq!(profile, expected);
}

#[test]
fn reports_tell_which_app_executed_what() {
    let shop = Shop::new();
    shop.clone_source();
    let func = shop.run(&["report", "shop"], 0);
    assert_eq!(
        func.stdout,
        "example.com/shop/cmd/cart/main.go:3:\tmain\t\t100.0%\nexample.com/shop/cmd/cart/main.go:7:\trun\t\t0.0%\n\
         example.com/shop/cmd/pay/main.go:3:\tmain\t\t100.0%\nexample.com/shop/cmd/pay/main.go:7:\trun\t\t0.0%\n\
         example.com/shop/lib/lib.go:3:\t\tAdd\t\t100.0%\nexample.com/shop/lib/lib.go:7:\t\tSub\t\t100.0%\n\
         example.com/shop/lib/lib.go:11:\t\tMul\t\t0.0%\ntotal:\t\t\t\t\t(statements)\t57.1%\n"
    );
    assert_eq!(
        shop.world.files("_report.txt"),
        Vec::<std::path::PathBuf>::new(),
        "nothing is stored beside a profile"
    );

    let json = shop.json(&["report", "shop", "--format", "json"]);
    let packages = json["packages"].as_array().unwrap();
    assert_eq!(
        packages.iter().map(shares).collect::<Vec<_>>(),
        ["cart 1/2, pay 0/0", "cart 0/0, pay 1/2", "cart 1/3, pay 2/3"]
    );
    let filtered = shop.json(&["report", "shop", "--format", "json", "--include", "lib"]);
    let of_cart = &filtered["group"]["apps"][0];
    assert_eq!((&filtered["covered"], &filtered["total"]), (&json!(2), &json!(3)));
    assert_eq!((&of_cart["covered"], &of_cart["total"]), (&json!(1), &json!(3)));

    let (code, text) =
        run_at(&shop.world, 80, &["report", "shop", "--format", "text", "--sort", "uncovered"]);
    assert_eq!(code, Some(0));
    let (_, table) = text.rsplit_once("\n\n").unwrap_or_else(|| panic!("{text}"));
    assert_eq!(
        table.replace('\r', ""),
        "   shop     cart      pay  package\n\
         \x20 50.0%    50.0%        -  example.com/shop/cmd/cart\n\
         \x20 50.0%        -    50.0%  example.com/shop/cmd/pay\n\
         \x20 66.7%    33.3%    66.7%  example.com/shop/lib\n\
         \x20 57.1%    28.6%    42.9%  total\n"
    );
    assert_fits(table, 80);
}

#[test]
fn functions_that_no_app_of_a_group_executes_are_listed() {
    let mut shop = Shop::new();
    shop.clone_source();
    let unused = |shop: &Shop, options: &[&str]| {
        let json = shop.json(&[&["report", "-q", "--unused", "30d", "--format", "json"], options].concat());
        shop.source.assert_document_fits_schema("man/goc-watchdog-report-unused.schema.json", &json);
        let functions = json["functions"].as_array().unwrap().iter();
        let names: Vec<String> = functions
            .map(|it| format!("{} {}", it["path"].as_str().unwrap(), it["name"].as_str().unwrap()))
            .collect();
        (names, json)
    };
    // `pay` executed a function of the package that both have.
    let mains = ["cmd/cart/main.go run", "cmd/pay/main.go run"];
    let (names, json) = unused(&shop, &["shop"]);
    assert_eq!(names, [mains[0], mains[1], "lib/lib.go Mul"], "{json}");
    assert_eq!((&json["id"], &json["observed"]["places"]), (&Value::Null, &json!(["staging th"])));
    assert_eq!(json["group"]["apps"][1]["app"], json!("pay"));
    assert_eq!(unused(&shop, &["cart"]).0, [mains[0], "lib/lib.go Sub", "lib/lib.go Mul"]);

    // Another environment counts where all are named; the group is that of the newest data.
    shop.start("prod", "pay", &(main_of("pay") + &lib(1, 0).replace("13.2 1 0", "13.2 1 3")));
    shop.run(&["report", "-q", "shop", "--unused", "30d"], 1).assert_stderr_contains("--env prod");
    assert_eq!(unused(&shop, &["shop", "--env", "staging"]).0, names);
    let (names, json) = unused(&shop, &["shop", "--env", "all"]);
    assert_eq!(
        (names, &json["observed"]["places"]),
        (vec![mains[1].to_owned()], &json!(["prod th", "staging th"]))
    );
    let page = shop.world.home().join("shop.html");
    let form = format!("html={}", page.display());
    let options = [
        "report", "-q", "shop", "--unused", "30d", "--env", "staging", "--format", "text", "--format", &form,
    ];
    let text = shop.run(&options, 0).stdout;
    assert!(text.contains("3 of 7 functions (42.9%)"), "{text}");
    assert!(fs::read_to_string(&page).unwrap().contains("tab-unused"));
}

#[test]
fn prune_keeps_the_dates_of_each_app_of_a_group_that_has_one_clone() {
    let shop = Shop::new();
    shop.clone_source();
    let unused = || {
        let json = shop.json(&["report", "-q", "shop", "--unused", "30d", "--format", "json"]);
        let functions = json["functions"].as_array().unwrap().iter();
        functions.map(|it| (it["name"].clone(), it["last_seen"]["id"].clone())).collect::<Vec<_>>()
    };
    let never = |name: &str| (json!(name), Value::Null);
    assert_eq!(unused(), [never("run"), never("run"), never("Mul")]);
    // `pay` executes `Mul` in its second row, 40 days ago, which is dropped.
    shop.agents[1].hit(&[4], 1);
    shop.world.pull(0);
    shop.world.execute(
        "UPDATE goc_o_staging_service_cover SET created_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-40 days') WHERE id = 3",
    );
    shop.run(&["pull", "pay", "--mark", "later"], 0);
    shop.world.execute("DELETE FROM mark");
    let pruned = shop.run(&["prune", "--retention-only", "--keep", "1", "--keep-days", "0", "-q"], 0);
    assert_eq!(pruned.stderr, "");
    assert_eq!(unused(), [never("run"), never("run"), (json!("Mul"), json!(3))]);
}

#[test]
fn all_gates_judge_a_group() {
    let mut shop = Shop::new();
    let first = shop.commit().to_owned();
    shop.commit_change();
    shop.start("staging", "cart", &(main_of("cart") + &lib(0, 0)));
    shop.start("staging", "pay", &(main_of("pay") + &lib(1, 0)));
    shop.clone_source();
    let second = shop.commit().to_owned();
    let choice = format!("goc-watchdog: commit {second}, the newest of 2 that run, of 2\n");
    let now = "goc-watchdog: shop: 42.9% (3 of 7 statements";

    let unmet = shop.run(&["total", "shop", "--fail-under", "50", "--min-replicas", "3"], 5).stderr;
    assert_eq!(
        unmet,
        format!(
            "{choice}{now}) is below 50%, 1 more to cover\n\
             goc-watchdog: shop: 2 of 2 replicas answered, fewer than 3\n\
             goc-watchdog: see goc-watchdog report shop --commit {second} --format text --sort uncovered\n\
             goc-watchdog: see goc-watchdog list shop\n"
        )
    );
    shop.run(&["total", "shop", "--fail-under", "42.8", "--min-replicas", "2", "--max-age", "1h"], 0);

    let before = format!("57.1% (4 of 7 statements, rows 1 and 2, commit {first}");
    for command in [&["total", "shop"][..], &["report", "shop", "--format", "badge=badge.svg"]] {
        let drop = shop.run(&[command, &["--max-drop", "1"]].concat(), 5).stderr;
        assert_eq!(
            drop,
            format!(
                "{choice}{now}, rows 3 and 4) is 14.29 points below {before}, the commit before it in git), more than 1\n\
                 goc-watchdog: see goc-watchdog report shop --commit {second} --against 2\n"
            )
        );
    }
    let json = shop.json(&["total", "shop", "--max-drop", "20", "--format", "json"]);
    assert_eq!(
        ["id", "rows", "missing", "covered", "chosen_by"].map(|key| json["before"][key].clone()),
        [Value::Null, json!([1, 2]), json!([]), json!(4), json!("git")]
    );
    let narrowed = ["total", "shop", "--env", "staging", "--commit", &first, "--fail-under", "60"];
    let narrowed = shop.run(&narrowed, 5).stderr;
    let look = format!(
        "see goc-watchdog report shop --env staging --commit {first} --format text --sort uncovered\n"
    );
    assert!(narrowed.ends_with(&look), "{narrowed}");
    let against = shop.run(&["total", "shop", "--max-drop", "1", "--against", "1"], 5).stderr;
    assert!(against.contains(&format!("{before}, --against), more than 1")), "{against}");
    let lib = ["report", "shop", "--include", "lib", "--format", "badge=b.svg", "--max-drop", "30"];
    let filtered = shop.run(&lib, 5).stderr;
    assert!(
        filtered.contains("33.3% (1 of 3 statements, rows 3 and 4) is 33.33 points below 66.7%"),
        "{filtered}"
    );

    let diff = ["report", "shop", "--base", "previous", "--format", "diff"];
    let missed = shop.run(&[&diff[..], &["--fail-missed", "0", "--min-changed", "1"]].concat(), 5);
    assert!(missed.stdout.contains("lib/lib.go: 0 of 1 changed lines"), "{}", missed.stdout);
    assert!(missed.stderr.contains("shop: 1 of 1 changed line missed, more than 0"), "{}", missed.stderr);
    shop.run(&[&diff[..], &["--fail-on", "unmeasured"]].concat(), 0);
    let lost = shop.run(&["report", "shop", "--against", "2", "--format", "diff", "--fail-on", "lost"], 5);
    assert!(lost.stdout.contains(&format!("against staging th {first}, 20")), "{}", lost.stdout);
    assert!(lost.stdout.contains(" UTC (rows 1 and 2):"), "{}", lost.stdout);
    assert!(lost.stderr.contains("lost coverage of code that did not change: 1 line"), "{}", lost.stderr);
}

#[test]
fn an_app_without_data_at_the_commit_is_named() {
    let mut shop = Shop::new();
    let first = shop.commit().to_owned();
    shop.world.center.remove(&shop.agents[0].url());
    shop.world.center.remove(&shop.agents[1].url());
    shop.commit_change();
    shop.start("staging", "cart", &(main_of("cart") + &lib(1, 0)));
    shop.clone_source();
    let second = shop.commit().to_owned();
    let output = shop.run(&["total", "shop"], 0);
    assert_eq!(output.stdout, "40.0\n");
    let choice = format!("goc-watchdog: commit {second}, the one of 2 that runs\n");
    let lacking = format!("pay has no data of commit {second}, its newest is {first}");
    assert_eq!(output.stderr, format!("{choice}goc-watchdog: shop: {lacking}\n"));
    assert_eq!(shop.run(&["total", "shop", "-q"], 0).stderr, "");
    let json = shop.json(&["report", "shop", "--format", "json", "-q"]);
    assert_eq!(json["commit_choice"], json!({"commits": 2, "running": 1}));
    assert_eq!(json["group"]["missing"], json!([{"app": "pay", "reason": lacking, "newest_commit": first}]));
    let markdown = shop.run(&["report", "shop", "--format", "markdown"], 0).stdout;
    assert!(markdown.contains("1 replica, without pay."), "{markdown}");

    assert_eq!(shop.run(&["total", "shop", "--commit", &first], 0).stdout, "57.1\n");
    let drop =
        shop.run(&["total", "shop", "--max-drop", "50", "--commit", &first, "--against", "3"], 0).stderr;
    assert!(
        drop.contains(&format!("40.0% (2 of 5 statements, row 3, without pay, commit {second}, --against)")),
        "{drop}"
    );
}

#[test]
fn several_environments_are_refused_with_the_options_that_choose_one() {
    let mut shop = Shop::new();
    shop.start("prod", "pay", &(main_of("pay") + &lib(1, 0)));
    let error = shop.run(&["total", "shop"], 1).stderr;
    assert_eq!(
        error,
        "goc-watchdog: the group shop has data in 2 environments, regions or branches; give the options of one:\n  \
         --env prod --region th --branch master (pay)\n  --env staging --region th --branch master (cart, pay)\n"
    );
    let narrowed = ["total", "shop", "--env", "staging", "--region", "th", "--branch", "master"];
    assert_eq!(shop.run(&narrowed, 0).stdout, "57.1\n");
    let none = shop.run(&["total", "shop", "--env", "test"], 1).stderr;
    assert!(none.contains("no app of the group shop has data of a commit with --env test"), "{none}");
}

#[test]
fn apps_of_different_repositories_are_refused_with_both() {
    let shop = Shop::new();
    let configure = |pay: &str| {
        let apps =
            format!("[apps.cart]\nrepo = \"https://git.example/shop.git\"\n[apps.pay]\nrepo = \"{pay}\"\n");
        shop.world.configure(&format!("{apps}[groups.shop]\napps = [\"cart\", \"pay\"]\n"));
    };
    configure("https://git.example/pay");
    for command in [&["report", "shop", "--offline"][..], &["total", "shop"]] {
        let error = shop.run(command, 1).stderr;
        assert!(
            error.contains(
                "the apps of the group shop have different repositories: cart has https://git.example/shop.git, and pay \
                 has https://git.example/pay; a group is of one repository"
            ),
            "{error}"
        );
    }
    shop.world.configure(
        "[git]\nrepo = \"https://git.example/{app}.git\"\n[groups.shop]\napps = [\"cart\", \"pay\"]\n",
    );
    shop.run(&["total", "shop"], 1).assert_stderr_contains(
        "the apps of the group shop have different repositories, because {app} in [git] repo stands for the name of each \
         app: cart has https://git.example/cart.git, and pay has https://git.example/pay.git; a group is of one \
         repository, so set the same [apps.APP] repo for all of them",
    );
    configure("https://git.example/shop/");
    shop.clone_source();
    shop.run(&["report", "shop", "--offline"], 0);
}

#[test]
fn the_source_is_read_from_the_first_clone_that_has_the_commit() {
    let mut shop = Shop::new();
    shop.source.clone_for("cart", &shop.world, &["--bare"]);
    shop.commit_change();
    shop.start("staging", "cart", &(main_of("cart") + &lib(1, 0)));
    shop.source.clone_for("pay", &shop.world, &["--bare"]);
    let (first, second) = (shop.source.commit_of("HEAD~1"), shop.source.commit.clone());
    let of_commit = |commit: &str| {
        let json =
            shop.json(&["report", "shop", "--offline", "--format", "json", "-q", "--commit", &commit[..10]]);
        json["source_commit"].clone()
    };
    assert_eq!(of_commit(&second), json!(second), "the clone of pay alone has it");
    // Both clones have the first commit. That of cart comes first, so a broken one of pay is not noticed.
    fs::write(shop.world.root().join("pay/repo/HEAD"), "broken").unwrap();
    assert_eq!(of_commit(&first), json!(first));
    // No clone has the commit now, so the error is about the first one.
    let error = shop.run(&["report", "shop", "--offline", "--commit", &second[..10]], 1).stderr;
    assert!(error.contains("cart/repo"), "{error}");
}

#[test]
fn a_file_with_different_blocks_of_the_state_before_is_named_once() {
    let mut shop = Shop::without_processes();
    shop.start("staging", "cart", &lib(1, 0));
    let other = "example.com/shop/lib/lib.go:3.24,5.2 1 1\nexample.com/shop/lib/lib.go:7.24,13.2 5 1\n";
    shop.start("staging", "pay", other);
    shop.commit_change();
    shop.start("staging", "cart", &lib(1, 0));
    shop.start("staging", "pay", &lib(1, 0));
    shop.clone_source();
    let said = "goc-watchdog: warning: compared with rows 1 and 2: example.com/shop/lib/lib.go has other blocks in pay \
                than in cart; those of cart count, and the same blocks of the others\n";
    let filtered = ["report", "shop", "--include", "lib", "--against", "1", "--format", "diff"];
    for command in [&["total", "shop"][..], &filtered] {
        let output = shop.run(&[command, &["--max-drop", "50"]].concat(), 0);
        assert_eq!(output.stderr.matches(said).count(), 1, "{command:?}: {}", output.stderr);
    }
}

#[test]
fn a_file_with_different_blocks_is_named_and_counts_once() {
    let mut shop = Shop::without_processes();
    shop.start("staging", "cart", &lib(1, 0));
    let other = "example.com/shop/lib/lib.go:3.24,5.2 1 1\nexample.com/shop/lib/lib.go:7.24,13.2 5 1\n";
    shop.start("staging", "pay", other);
    let output = shop.run(&["total", "shop"], 0);
    assert_eq!(output.stdout, "33.3\n", "one of three statements");
    assert_eq!(
        output.stderr,
        "goc-watchdog: warning: example.com/shop/lib/lib.go has other blocks in pay than in cart; those of cart count, \
         and the same blocks of the others\n"
    );
    let json = shop.json(&["total", "shop", "--format", "json"]);
    assert_eq!(
        json["group"]["conflicts"],
        json!([{"file": "example.com/shop/lib/lib.go", "blocks_of": "cart", "differs_in": ["pay"]}])
    );
}

#[test]
fn lists_and_pulls_take_the_apps_of_a_group_and_other_commands_name_them() {
    let mut shop = Shop::new();
    shop.start("staging", "blog", &lib(1, 0));
    shop.world.configure("[groups.shop]\napps = [\"cart\", \"pay\", \"webb\"]\n");
    let listed = shop.run(&["list", "shop", "--format", "json"], 0);
    let apps: Vec<Value> =
        listed.json()[0].as_array().unwrap().iter().map(|service| service["app"].clone()).collect();
    assert_eq!(apps, [json!("cart"), json!("pay")]);
    assert_eq!(listed.stderr, "goc-watchdog: shop: no service has the app webb\n");
    let pulled = shop.run(&["pull", "shop", "--format", "json"], 0);
    assert_eq!(pulled.json().last().unwrap()["summary"]["pulled"], 2, "{}", pulled.stdout);
    assert_eq!(pulled.stderr, "goc-watchdog: shop: no service has the app webb\n");
    let all = shop.run(&["list"], 0).stderr;
    assert_eq!(all, "goc-watchdog: no service has the app \"webb\" of [groups.shop] in goc-watchdog.toml\n");

    for (command, code) in [
        (&["history", "shop"][..], 2),
        (&["list", "--explain", "shop"], 2),
        (&["pull", "--raw", "shop"], 2),
        (&["pull", "--address", "http://127.0.0.1:1", "shop"], 2),
    ] {
        let error = shop.run(command, code).stderr;
        let refused =
            "shop is a group of several apps (cart, pay, webb), and this needs one of them: goc-watchdog ";
        assert!(error.contains(refused) && error.ends_with(" cart\n"), "{command:?}: {error}");
    }
    let error = shop.run(&["report", "shop", "--id", "1"], 2).stderr;
    assert!(error.contains("--id 1 is a row of one app, and shop is a group of several"), "{error}");
    let error = shop.run(&["total", "shop", "--max-drop", "1", "--against", "3"], 1).stderr;
    assert!(error.contains("row 3 is of \"blog\", which is no app of the group shop"), "{error}");
    let error = shop.run(&["total", "shop", "--max-drop", "1", "--against", "shop"], 1).stderr;
    assert!(error.contains("--against \"shop\" is the group itself"), "{error}");

    for (line, is_offered) in
        [("goc-watchdog total sh", true), ("goc-watchdog list sh", true), ("goc-watchdog history sh", false)]
    {
        let words: Vec<&str> = ["list", "--complete"].into_iter().chain(line.split(' ')).collect();
        assert_eq!(shop.run(&words, 0).stdout.contains("shop\n"), is_offered, "{line}");
    }
}

#[test]
fn a_group_is_stronger_than_an_app_of_its_name_and_weaker_than_a_full_name() {
    let mut shop = Shop::new();
    shop.start("staging", "shop", &lib(1, 1));
    let output = shop.run(&["total", "shop"], 0);
    assert_eq!(
        (&*output.stdout, &*output.stderr),
        (
            "57.1\n",
            "goc-watchdog: took the group shop of the configuration, and not the services of the app with that name; a \
             full name chooses one of these\n"
        )
    );
    let full = format!("staging_th_shop_master_{}", shop.commit());
    assert_eq!(shop.run(&["total", &full], 0).stdout, "66.7\n");
}

#[test]
fn options_for_one_app_take_a_service_that_has_the_name_of_a_group_as_its_full_name() {
    let mut shop = Shop::new();
    let agent = shop.world.start_counted("shop", &lib(1, 1));
    shop.world.pull(0);
    let address = agent.url();
    let output = shop.run(&["pull", "--address", &address, "shop", "--format", "json"], 0);
    assert_eq!(output.json()[0]["service"], json!("shop"), "{}", output.stdout);
    let error = shop.run(&["pull", "--adopt", "abcdef", "shop"], 1).stderr;
    assert!(!error.contains("is a group"), "{error}");
    // The name of a group alone never becomes that of a new service.
    shop.world.configure("[groups.both]\napps = [\"cart\", \"pay\"]\n");
    let error = shop.run(&["pull", "--address", &address, "both"], 2).stderr;
    assert!(error.contains("both is a group of several apps"), "{error}");
    shop.agents.push(agent);
}

#[test]
fn an_app_that_a_group_hides_is_named_by_every_command() {
    let mut shop = Shop::new();
    shop.start("staging", "shop", &lib(1, 1));
    let taken = "took the group shop of the configuration, and not the services of the app with that name";
    for command in [&["list", "shop"][..], &["pull", "shop"]] {
        let said = shop.run(command, 0).stderr;
        assert!(said.contains(taken), "{command:?}: {said}");
    }
    let full = format!("staging_th_shop_master_{}", shop.commit());
    for (command, line) in
        [(&["history", "shop"][..], "history"), (&["list", "--explain", "shop"], "list --explain")]
    {
        let error = shop.run(command, 2).stderr;
        let advice = format!(
            "for the app of that name, give the full name of a service: goc-watchdog {line} {full}\n"
        );
        assert!(error.ends_with(&advice), "{error}");
    }
}

#[test]
fn every_form_works_when_filters_leave_no_file_of_a_group() {
    let shop = Shop::new();
    shop.clone_source();
    let page = shop.world.home().join("shop.html");
    let page = format!("html={}", page.display());
    for form in ["text", "func", "json", "markdown", "cobertura", "lcov", "profile", &page] {
        shop.run(&["report", "shop", "--include", "typo", "--format", form], 0);
    }
    let text = shop.run(&["report", "shop", "--exclude", "**", "--format", "text"], 0).stdout;
    let (_, table) = text.rsplit_once("\n\n").unwrap_or_else(|| panic!("{text}"));
    let total: Vec<&str> = table.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(total, ["-", "-", "-", "total"]);
}

#[test]
fn a_group_is_compared_with_the_nearest_commit_that_has_the_same_apps() {
    let mut shop = Shop::new();
    let first = shop.commit().to_owned();
    shop.commit_change();
    shop.start("staging", "pay", &(main_of("pay") + &lib(2, 1)));
    let second = shop.commit().to_owned();
    fs::write(shop.source.folder.path().join("third.txt"), "3").unwrap();
    shop.source.commit_all();
    shop.start("staging", "cart", &(main_of("cart") + &lib(0, 0)));
    shop.start("staging", "pay", &(main_of("pay") + &lib(1, 0)));
    shop.clone_source();
    let third = shop.commit().to_owned();

    // The second commit lacks cart.
    let drop = shop.run(&["total", "shop", "--commit", &third, "--max-drop", "1"], 5).stderr;
    let before =
        format!("57.1% (4 of 7 statements, rows 1 and 2, commit {first}, the commit before it in git)");
    assert!(drop.contains(&before), "{drop}");

    // At the second commit only pay is there, so pay alone is compared.
    let alone = shop.run(&["total", "shop", "--commit", &second, "--max-drop", "0", "-q"], 0);
    assert_eq!(
        alone.stderr,
        format!(
            "goc-watchdog: shop without cart: cart has no data of commit {second}, its newest is {third}\n"
        )
    );
    let json =
        shop.json(&["total", "shop", "--commit", &second, "--max-drop", "0", "-q", "--format", "json"]);
    assert_eq!(
        ["rows", "missing", "covered", "total"].map(|key| json["before"][key].clone()),
        [json!([2]), json!(["cart"]), json!(3), json!(5)]
    );
}

#[test]
fn a_gate_is_not_applied_where_no_earlier_commit_has_the_same_apps() {
    let mut shop = Shop::without_processes();
    shop.start("staging", "pay", &(main_of("pay") + &lib(1, 1)));
    let first = shop.commit().to_owned();
    shop.commit_change();
    shop.start("staging", "cart", &main_of("cart"));
    shop.start("staging", "pay", &main_of("pay"));
    shop.clone_source();
    let second = shop.commit().to_owned();
    let said = shop.run(&["total", "shop", "--commit", &second, "--max-drop", "0"], 0).stderr;
    assert_eq!(
        said,
        format!(
            "goc-watchdog: shop: commit {first} before it has no data of cart, and no earlier one has data of cart and \
             pay, gate not applied (--max-drop)\n"
        )
    );
}

#[test]
fn data_of_the_commit_in_another_environment_is_named_as_such() {
    let mut shop = Shop::without_processes();
    shop.start("staging", "cart", &lib(1, 0));
    shop.start("prod", "pay", &lib(1, 0));
    let commit = shop.commit().to_owned();
    let said = shop.run(&["total", "shop", "--env", "staging"], 0).stderr;
    assert_eq!(
        said,
        format!(
            "goc-watchdog: shop: pay has no data of commit {commit} in staging th, but in prod th (--env prod)\n"
        )
    );
}

#[test]
fn mistyped_groups_and_commits_have_a_next_step() {
    let shop = Shop::new();
    for (command, typed) in
        [("total", "SHOP"), ("total", "shpo"), ("report", "shpo"), ("list", "shpo"), ("pull", "shpo")]
    {
        let error = shop.run(&[command, typed], 1).stderr;
        assert!(error.contains("did you mean \"shop\"?"), "{command} {typed}: {error}");
    }
    let short = shop.run(&["total", "cart", "--commit", "63c"], 1).stderr;
    assert_eq!(shop.run(&["total", "shop", "--commit", "63c"], 1).stderr, short);
    let error = shop.run(&["pull", "shop", "--adopt", "abcdef"], 2).stderr;
    assert!(error.contains("this needs one of them: goc-watchdog pull --adopt abcdef cart"), "{error}");
}

#[test]
fn the_page_of_a_group_shows_the_apps() {
    let Some(mut browser) = Browser::start() else { return };
    let mut shop = Shop::new();
    shop.commit_change();
    shop.start("staging", "cart", &(main_of("cart") + &lib(1, 0)));
    shop.clone_source();
    let page = shop.world.home().join("shop.html");
    let form = format!("html={}", page.display());
    let commit = shop.source.commit_of("HEAD~1")[..10].to_owned();
    shop.run(&["report", "shop", "--commit", &commit, "-q", "--format", &form], 0);
    browser.open(&page, "");
    assert_eq!(browser.texts(".apps thead th"), ["Package", "shop", "cart", "pay"]);
    assert_eq!(
        browser.texts(".apps tbody tr:last-child > *"),
        ["example.com/shop/lib", "66.7%", "33.3%", "66.7%"]
    );
    assert_eq!(browser.texts(".apps tbody tr:first-child td:last-child"), ["-"]);
    if let Some(violations) = browser.accessibility_violations() {
        assert_eq!(violations, Vec::<String>::new());
    }
    let newest = shop.commit().to_owned();
    shop.run(&["report", "shop", "--commit", &newest, "-q", "--format", &form], 0);
    browser.open(&page, "");
    assert_eq!(
        browser.texts(".apps .missing"),
        [format!("pay has no data of commit {newest}, its newest is {commit}")]
    );
    browser.assert_quiet();
}

#[test]
fn the_page_of_a_group_names_people_if_all_its_apps_do_and_has_the_links_of_any() {
    let mut shop = Shop::without_processes();
    fs::write(shop.source.folder.path().join("CODEOWNERS"), "* @all\n").unwrap();
    shop.source.commit_all();
    shop.start("staging", "cart", &(main_of("cart") + &lib(1, 0)));
    shop.start("staging", "pay", &(main_of("pay") + &lib(2, 1)));
    shop.clone_source();
    let page = shop.world.home().join("shop.html");
    let form = format!("html={}", page.display());
    let text = |apps: &str| {
        shop.world.configure(&format!("[groups.shop]\napps = [\"cart\", \"pay\"]\n{apps}"));
        shop.run(&["report", "shop", "-q", "--format", &form], 0);
        fs::read_to_string(&page).unwrap()
    };
    for (app, other) in [("cart", "pay"), ("pay", "cart")] {
        let text = text(&format!("[apps.{app}]\nblame = true\n[apps.{other}]\nblame = false\n"));
        assert!(!text.contains("@all"), "{app} alone wants names");
    }
    assert!(text("[apps.cart]\nblame = true\n[apps.pay]\nblame = true\n").contains("@all"));
    for app in ["cart", "pay"] {
        let text = text(&format!(
            "[apps.{app}]\nweb = 'https://code.example/r/blob/{{commit}}/{{path}}#L{{line}}'\n"
        ));
        assert!(text.contains("https://code.example/r/commit/"), "{app} has the links");
    }
}

const REAL_LIB: &str = "package lib\n\n// Total adds up.\nfunc Total(n []int) int {\n\tsum := 0\n\tfor _, one := range n {\n\t\tif one < 0 {\n\t\t\tpanic(\"negative\")\n\t\t}\n\t\tsum += one\n\t}\n\treturn sum\n}\n\nfunc Empty(n []int) bool {\n\treturn len(n) == 0\n}\n\nfunc Unused() int {\n\treturn 3\n}\n";
const REAL_CART: &str = "package main\n\nimport (\n\t\"example.com/shop/lib\"\n\t\"example.com/shop/lib/price\"\n)\n\nfunc main() {\n\tprintln(lib.Total([]int{1, 2}) * price.Of(3))\n}\n";
const REAL_PAY: &str = "package main\n\nimport \"example.com/shop/lib\"\n\nfunc main() {\n\tif lib.Empty(nil) {\n\t\tprintln(\"nothing to pay\")\n\t\treturn\n\t}\n\tprintln(\"pay\")\n}\n";
const REAL_PRICE: &str =
    "package price\n\nfunc Of(n int) int {\n\tif n > 100 {\n\t\treturn 100\n\t}\n\treturn n\n}\n";

#[test]
fn the_figures_of_a_group_are_those_of_go_for_the_data_of_all_programs() {
    let Some(go) = Go::installed("no group was compared with go tool covdata") else { return };
    let shop = Shop::with_files(&[
        ("go.mod", "module example.com/shop\n\ngo 1.20\n"),
        ("lib/lib.go", REAL_LIB),
        ("lib/price/price.go", REAL_PRICE),
        ("cmd/cart/main.go", REAL_CART),
        ("cmd/pay/main.go", REAL_PAY),
    ]);
    let (world, folder) = (&shop.world, shop.source.folder.path());
    let data = world.home().join("data");
    fs::create_dir(&data).unwrap();
    for app in ["cart", "pay"] {
        let program = world.home().join(app);
        let package = format!("./cmd/{app}");
        go.run(folder, &["build", "-cover", "-covermode=atomic", "-o", program.to_str().unwrap(), &package]);
        let left = world.inbox().join(format!("staging_th_{app}_master_{}", shop.commit())).join("pod-0");
        fs::create_dir_all(&left).unwrap();
        let status = Command::new(&program).env("GOCOVERDIR", &left).stderr(Stdio::null()).status().unwrap();
        assert!(status.success());
        for file in fs::read_dir(&left).unwrap() {
            let path = file.unwrap().path();
            fs::copy(&path, data.join(path.file_name().unwrap())).unwrap();
        }
    }
    world.run(&["pull", "--no-peek"]).assert_code(0);
    shop.clone_source();

    let expected = go.textfmt(&data);
    let profile = world.run(&["report", "shop", "--format", "profile"]).assert_code(0).stdout;
    assert_eq!(profile_of(&profile), profile_of(&expected));
    write(folder, "all.cov", &expected);
    let func = go.output(folder, &["tool", "cover", "-func=all.cov"]);
    assert_eq!(world.run(&["report", "shop"]).assert_code(0).stdout, func);
    let total = world.run(&["total", "shop"]).assert_code(0).stdout;
    assert!(func.ends_with(&format!("(statements)\t{}%\n", total.trim())), "{total}{func}");
    let json = world.run(&["report", "shop", "--format", "json"]).assert_code(0).json().remove(0);
    let price = json["packages"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "example.com/shop/lib/price");
    assert_eq!(shares(price.unwrap()), "cart 2/3, pay 0/0");
}
