//! A service together with its unit tests: real programs, built with `go build -cover` or by goc, and real `go test` of the
//! same module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::goc::Goc;
use crate::harness::go::{Go, write};
use crate::harness::source::Source;
use crate::harness::{Output, World};

const UNTESTED: &str = "no service was counted together with its unit tests";

/// The statements of a function: so many calls, one a line.
fn calls(number: usize) -> String {
    "\tprintln()\n".repeat(number)
}

fn function(name: &str, statements: usize) -> String {
    format!("func {name}() {{\n{}}}\n\n", calls(statements))
}

/// `main` has 3 statements, of which 2 are executed without arguments, and executes `Add`. The statements of the functions
/// are other powers of two, so that a sum tells which of them were executed.
const MAIN: &str = "package main\n\nimport (\n\t\"os\"\n\n\t\"example.com/shop/cart\"\n)\n\nfunc main() {\n\tcart.Add()\n\
    \tif len(os.Args) > 1 {\n\t\tcart.Pay()\n\t}\n}\n";

const GO_MOD: &str = "module example.com/shop\n\ngo 1.20\n";

/// A repository with a service, and the world in which its processes are collected. The service does not link the package
/// `price`.
struct Shop {
    go: Go,
    source: Source,
    world: World,
    /// The folder of the module in the repository; empty for the root.
    module: &'static str,
}

impl Shop {
    fn new(go: Go) -> Self {
        Self::in_folder(go, "", &[])
    }

    /// A shop whose module is in a folder, beside other files.
    fn in_folder(go: Go, module: &'static str, others: &[(&str, &str)]) -> Self {
        let cart =
            format!("package cart\n\n{}{}{}", function("Add", 4), function("Pay", 8), function("Cancel", 16));
        let price = format!("package price\n\n{}{}", function("Price", 32), function("Tax", 64));
        let test = |package: &str, calls: &str| {
            format!("package {package}\n\nimport \"testing\"\n\nfunc Test(t *testing.T) {{\n{calls}}}\n")
        };
        let own = [
            ("go.mod", GO_MOD.to_owned()),
            ("main.go", MAIN.to_owned()),
            ("cart/cart.go", cart),
            ("cart/cart_test.go", test("cart", "\tAdd()\n\tPay()\n")),
            ("price/price.go", price),
            ("price/price_test.go", test("price", "\tPrice()\n")),
        ];
        let own = own.map(|(path, text)| (Path::new(module).join(path).display().to_string(), text));
        let own = own.iter().map(|(path, text)| (path.as_str(), text.as_bytes()));
        let others = others.iter().map(|(path, text)| (*path, text.as_bytes()));
        let source = Source::from_files(&own.chain(others).collect::<Vec<_>>());
        Self { go, source, world: World::new(), module }
    }

    fn folder(&self) -> PathBuf {
        self.source.folder.path().join(self.module)
    }

    fn service(&self) -> String {
        format!("staging_th_shop_master_{}", &self.source.commit[..10])
    }

    /// Builds and runs the service, which leaves its data in the inbox, and takes that in.
    fn run_service(&self) {
        let program = self.world.home().join("program");
        self.go.run(&self.folder(), &["build", "-cover", "-o", program.to_str().unwrap(), "."]);
        let inbox = self.world.root().join("inbox").join(self.service());
        fs::create_dir_all(&inbox).unwrap();
        assert!(Command::new(&program).env("GOCOVERDIR", &inbox).output().unwrap().status.success());
        self.world.run(&["-q", "pull"]).assert_code(0);
    }

    fn clone_now(&self) {
        let _ = fs::remove_dir_all(self.world.root().join("shop/repo"));
        self.source.clone_for("shop", &self.world, &["--bare"]);
    }

    /// Runs unit tests with these options, and returns the path of their profile, which is outside of the repository.
    fn unit_tests(&self, name: &str, options: &[&str]) -> String {
        let path = self.path(name);
        self.go.run(&self.folder(), &[&["test", "-coverprofile", &path], options, &["./..."]].concat());
        path
    }

    /// Runs the unit tests of a package, which leave Go's binary data in a folder.
    fn binary_unit_tests(&self, name: &str, package: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        let to = format!("-test.gocoverdir={path}");
        self.go.run(&self.folder(), &["test", "-cover", package, "-args", &to]);
        path
    }

    fn path(&self, name: &str) -> String {
        self.world.home().join(name).display().to_string()
    }

    fn total(&self, options: &[&str]) -> Output {
        self.world.run(&[&["total", "shop"], options].concat())
    }

    fn json(&self, options: &[&str]) -> Value {
        let output = self.total(&[&["--format", "json"], options].concat()).assert_code(0);
        serde_json::from_str(&output.stdout).unwrap()
    }
}

/// A shop whose service ran, with a clone.
fn running_shop() -> Option<Shop> {
    let shop = Shop::new(Go::installed(UNTESTED)?);
    shop.run_service();
    shop.clone_now();
    Some(shop)
}

/// Leaves in a text profile only the files with these words in their names.
fn retain_files(profile: &str, words: &str) {
    let text = fs::read_to_string(profile).unwrap();
    let is_kept = |line: &&str| line.starts_with("mode:") || line.contains(words);
    let kept: Vec<&str> = text.lines().filter(is_kept).collect();
    fs::write(profile, kept.join("\n")).unwrap();
}

fn share(covered: u32) -> Value {
    json!(100.0 * f64::from(covered) / 127.0)
}

#[test]
fn a_service_and_its_unit_tests_count_together() {
    let Some(shop) = running_shop() else { return };
    let alone = shop.json(&[]);
    assert_eq!(
        (&alone["covered"], &alone["total"], &alone["with"]),
        (&json!(2 + 4), &json!(31), &json!(null))
    );

    // Each block stands once for each tested package, also those of the service.
    let unit = shop.unit_tests("unit.out", &["-coverpkg=./..."]);
    let with = format!("{unit}=unit");
    let together = shop.json(&["--with", &with]);
    assert_eq!((&together["covered"], &together["total"]), (&json!(2 + 4 + 8 + 32), &json!(3 + 28 + 96)));
    assert_eq!((&together["percent"], &together["fresh"]), (&share(46), &share(6)));
    let expected =
        json!([{"label": "unit", "commit": null, "percent": share(4 + 8 + 32), "only": share(8 + 32)}]);
    assert_eq!(together["with"], expected);
    assert_eq!((&together["carried"], &together["carried_from"]), (&json!(null), &json!(null)));

    let told = shop.total(&["--with", &with]).assert_code(0);
    assert_eq!(told.stdout, "36.2\n");
    assert_eq!(
        told.stderr.lines().last().unwrap().split_once(": ").unwrap().1,
        format!(
            "{}: 4.7 the service alone, 34.6 unit alone (31.5 only it), 96 of 127 statements are not in the service",
            shop.service()
        )
    );
    // Nothing of it is stored.
    assert_eq!(shop.json(&[]), alone);
}

#[test]
fn folders_of_binary_data_and_texts_of_other_modes_are_the_same_in_any_order() {
    let Some(shop) = running_shop() else { return };
    let [cart, price] = ["cart", "price"].map(|name| shop.binary_unit_tests(name, &format!("./{name}")));
    let text = shop.unit_tests("atomic.out", &["-covermode=atomic"]);
    let together = |with: &[&str]| {
        let options: Vec<&str> = with.iter().flat_map(|path| ["--with", path]).collect();
        let mut object = shop.json(&options);
        let parts = object["with"].as_array_mut().unwrap();
        parts.sort_by_key(|part| part["label"].to_string());
        object
    };
    let here = together(&[&cart, &text, &price]);
    assert_eq!(here["covered"], json!(46));
    let figures = |label: usize| {
        let part = &here["with"][label];
        [&part["label"], &part["percent"], &part["only"]].map(Value::clone)
    };
    assert_eq!(figures(0), [json!("atomic.out"), share(44), json!(0.0)], "the others executed the same");
    assert_eq!(figures(1), [json!("cart"), share(12), json!(0.0)]);
    assert_eq!(figures(2), [json!("price"), share(32), json!(0.0)]);
    assert_eq!(together(&[&price, &cart, &text]), here);
    assert_eq!(together(&[&text, &price, &cart]), here);
    // The folder has what Go's tool finds in it.
    let as_text = shop.path("as-text.out");
    fs::write(&as_text, shop.go.textfmt(&PathBuf::from(&cart))).unwrap();
    let [binary, text] =
        [&cart, &as_text].map(|path| shop.json(&["--with", &format!("{path}=same")])["with"].clone());
    assert_eq!(binary, text);
}

#[test]
fn goc_and_go_test_have_the_same_blocks() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let Some(mut goc) = Goc::start("count") else { return };
    let echo = goc.folder().join("source");
    goc.process("one", "echoserver", "staging_th_echo_master_845820727e");
    goc.run(&["-q", "pull"]).assert_code(0);
    let unit = goc.world.home().join("unit.out").display().to_string();
    go.run(&echo, &["test", "-coverpkg=./...", "-coverprofile", &unit, "./..."]);
    let json = |options: &[&str]| -> Value {
        let output = goc.world.run(&[&["total", "echo", "--format", "json"], options].concat());
        serde_json::from_str(&output.assert_code(0).stdout).unwrap()
    };
    // The service has all files of the tests, so its source is not needed.
    let (alone, together) = (json(&[]), json(&["--with", &unit]));
    assert_eq!((&together["total"], &together["fresh"]), (&alone["total"], &alone["percent"]));
    assert!(together["with"][0]["only"].as_f64().unwrap() > 10.0, "{together}");
}

#[test]
fn a_profile_of_another_commit_is_refused_and_its_first_block_is_named() {
    let Some(mut shop) = running_shop() else { return };
    let before = shop.source.commit.clone();
    let cart = fs::read_to_string(shop.folder().join("cart/cart.go")).unwrap();
    write(&shop.folder(), "cart/cart.go", &cart.replace("func Add", "// Add adds.\nfunc Add"));
    let price = fs::read_to_string(shop.folder().join("price/price.go")).unwrap();
    write(&shop.folder(), "price/price.go", &price.replace("func Tax", "// Tax is paid.\nfunc Tax"));
    shop.source.commit_all();
    shop.clone_now();
    let unit = shop.unit_tests("unit.out", &[]);

    let refused = |options: &[&str]| shop.total(options).assert_code(2).stderr;
    let message = refused(&["--with", &unit]);
    assert!(message.contains("the block example.com/shop/cart/cart.go:4.12,9.2 of unit.out does not fit: the service has no such block in that file"), "{message}");
    assert!(message.contains(&format!("not of commit {}", &before[..10])), "{message}");
    // Only the source tells that the blocks of the other package moved.
    let text = fs::read_to_string(&unit).unwrap();
    let text: Vec<&str> = text.lines().filter(|line| !line.contains("/cart/")).collect();
    fs::write(&unit, text.join("\n")).unwrap();
    let message = refused(&["--with", &unit]);
    assert!(message.contains("price/price.go:39.12,104.2 of unit.out does not fit:"), "{message}");

    // The revision of the profile may be named, and is that of another commit.
    let unit = shop.unit_tests("unit.out", &[]);
    let with = format!("{unit}=unit@{}", shop.source.commit);
    let message = refused(&["--with", &with]);
    assert!(message.contains(&format!("is of commit {}", &shop.source.commit[..10])), "{message}");
    assert!(message.contains("--carry"), "{message}");
    let message = refused(&["--carry", "--with", &format!("{unit}=unit@{before}")]);
    assert!(message.contains("does not fit"), "{message}");
    // All functions are the same but for comments; what the service does not have has no blocks to be carried to.
    let carried = shop.json(&["--carry", "--with", &with]);
    assert_eq!((&carried["covered"], &carried["total"]), (&json!(6 + 8), &json!(31)));
    assert_eq!(carried["with"][0]["commit"], json!(shop.source.commit));
    assert_eq!(carried["with"][0]["only"], json!(100.0 * 8.0 / 31.0));
    assert_eq!((&carried["carried"], &carried["carried_from"]), (&json!(0.0), &json!([])));
    shop.total(&["--carry", "--with", &with])
        .assert_stderr_contains("nothing more carried from other commits");
    // Other tools get what was executed at the commit, unless they are to have more.
    let covered = |options: &[&str]| -> u64 {
        let all = [&["report", "shop", "--carry", "--with", &with, "--format", "profile"], options].concat();
        let profile = shop.world.run(&all).assert_code(0).stdout;
        let blocks =
            profile.lines().skip(1).map(|line| line.split_once(' ').unwrap().1.split_once(' ').unwrap());
        blocks
            .filter(|(_, count)| *count != "0")
            .map(|(statements, _)| statements.parse::<u64>().unwrap())
            .sum()
    };
    assert_eq!([covered(&[]), covered(&["--carry-in-forms"])], [6, 6 + 8]);
}

#[test]
fn the_source_is_of_the_folder_in_which_the_service_is_built() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    // The folder before has an old copy of the module, in which the lines of the package differ.
    let old = format!("package price\n\n{}", function("Old", 1));
    let others = [("old/go.mod", GO_MOD), ("old/price/price.go", old.as_str())];
    let mut shop = Shop::in_folder(go, "svc", &others);
    shop.run_service();
    shop.clone_now();
    let unit = shop.unit_tests("unit.out", &[]);
    retain_files(&unit, "/price/");
    let together = shop.total(&["--with", &unit]).assert_code(0);
    assert_eq!(together.stdout, "29.9\n");
    assert!(!together.stderr.contains("several"), "{}", together.stderr);

    // At the next commit `Price` is the same, and the modules could have other names.
    let before = shop.source.commit.clone();
    write(shop.source.folder.path(), "more/go.mod", "module example.com/more\n");
    write(&shop.folder(), "main.go", &MAIN.replace("\tcart.Add()\n\tif", "\tif"));
    shop.source.commit_all();
    shop.run_service();
    shop.clone_now();
    let now = shop.unit_tests("now.out", &["-run", "TestNothing"]);
    let carried = format!("{unit}=before@{before}");
    let options = ["--commit", &shop.source.commit[..10], "--carry", "--with", &now, "--with", &carried];
    let carried = shop.total(&[&options[..], &["--format", "json"]].concat()).assert_code(0);
    assert!(!carried.stderr.contains("several"), "{}", carried.stderr);
    let carried: Value = serde_json::from_str(&carried.stdout).unwrap();
    assert_eq!(carried["with"][1]["only"], json!(100.0 * 32.0 / 126.0));
}

#[test]
fn a_package_that_the_service_lacks_counts_whole_and_has_the_blocks_that_go_makes() {
    let Some(mut shop) = running_shop() else { return };
    let old = shop.unit_tests("old.out", &[]);
    retain_files(&old, "/price/");
    assert_eq!(shop.json(&["--with", &old])["total"], json!(31 + 96));

    // At the next commit the package has one more function, of which an old profile knows nothing.
    let price = fs::read_to_string(shop.folder().join("price/price.go")).unwrap();
    write(&shop.folder(), "price/price.go", &format!("{price}\n{}", function("Duty", 128)));
    shop.source.commit_all();
    shop.run_service();
    shop.clone_now();
    let together = shop.json(&["--with", &old]);
    assert_eq!((&together["covered"], &together["total"]), (&json!(6 + 32), &json!(31 + 96 + 128)));

    // Then a function gets a branch at the same lines, and then a statement more.
    for (text, why) in [
        (
            price.replacen("\tprintln()\n", "\tif true { println() }\n", 1),
            "Go makes other blocks of that file",
        ),
        (price.replacen("\tprintln()\n", "\tprintln(); println()\n", 1), "the file has 33 statements there"),
    ] {
        write(&shop.folder(), "price/price.go", &text);
        shop.source.commit_all();
        shop.run_service();
        shop.clone_now();
        let unit = shop.unit_tests("unit.out", &[]);
        shop.total(&["--with", &unit]).assert_code(0);
        let refused = |options: &[&str]| {
            let message = shop.total(options).assert_code(2).stderr;
            assert!(message.contains("price.go:3.14,36.2 of old.out does not fit:"), "{message}");
            assert!(message.contains("so \""), "{message}");
            assert!(message.contains("old.out\" is not of commit"), "{message}");
            message
        };
        let message = refused(&["--with", &old]);
        assert!(message.contains(why), "{message}");
        // Two profiles contradict each other, and the wrong one is named.
        refused(&["--with", &old, "--with", &unit]);
        refused(&["--with", &unit, "--with", &old]);
    }
}

#[test]
fn a_package_whose_code_is_of_a_template_outside_of_the_commit_counts() {
    let Some(mut shop) = running_shop() else { return };
    let page = format!("//line page.tmpl:1\npackage page\n\n{}", function("Page", 128));
    write(&shop.folder(), "page/page.go", &page);
    write(
        &shop.folder(),
        "page/page_test.go",
        "package page\n\nimport \"testing\"\n\nfunc Test(t *testing.T) { Page() }\n",
    );
    shop.source.commit_all();
    shop.run_service();
    shop.clone_now();
    let unit = shop.unit_tests("unit.out", &["-vet=off"]);
    retain_files(&unit, "page.tmpl");
    let together = shop.json(&["--with", &unit]);
    assert_eq!((&together["covered"], &together["total"]), (&json!(6 + 128), &json!(31 + 128)));
}

#[test]
fn a_profile_of_another_commit_counts_in_unmeasured_packages() {
    let Some(mut shop) = running_shop() else { return };
    let before = shop.source.commit.clone();
    let unit = shop.unit_tests("unit.out", &[]);
    write(&shop.folder(), "main.go", &MAIN.replace("\tcart.Add()\n\tif", "\tif"));
    shop.source.commit_all();
    shop.run_service();
    shop.clone_now();
    let with = format!("{unit}=unit@{before}");
    let carried = shop.total(&["--carry", "--with", &with]).assert_code(0);
    carried
        .assert_stderr_contains("executed in 1 file is not carried, such as example.com/shop/price/price.go");
    let carried = shop.total(&["--carry", "--with", &with, "--count-unmeasured"]).assert_code(0);
    assert!(!carried.stderr.contains("is not carried"), "{}", carried.stderr);
    let json = shop.json(&["--carry", "--with", &with, "--count-unmeasured"]);
    assert_eq!((&json["covered"], &json["total"]), (&json!(1 + 4 + 8 + 32), &json!(30 + 96)));
    // Without another package nothing is left.
    retain_files(&unit, "/price/");
    let nothing = shop.total(&["--carry", "--with", &with]).assert_code(0);
    assert!(!nothing.stderr.contains("nothing is carried"), "{}", nothing.stderr);
}

#[test]
fn the_source_is_needed_for_files_that_the_service_lacks() {
    let Some(shop) = running_shop() else { return };
    let unit = shop.unit_tests("unit.out", &[]);
    fs::remove_dir_all(shop.world.root().join("shop/repo")).unwrap();
    shop.total(&["--with", &unit]).assert_code(1).assert_stderr_contains("repo");
    let text = fs::read_to_string(&unit).unwrap();
    let text: Vec<&str> = text.lines().filter(|line| !line.contains("/price/")).collect();
    fs::write(&unit, text.join("\n")).unwrap();
    assert_eq!(shop.json(&["--with", &unit])["covered"], json!(2 + 4 + 8));
}

#[test]
fn what_cannot_count_is_told() {
    let Some(shop) = running_shop() else { return };
    let unit = shop.unit_tests("unit.out", &[]);
    let file = |name: &str, text: &str| {
        let path = shop.path(name);
        fs::write(&path, text).unwrap();
        path
    };
    let empty = shop.path("empty");
    fs::create_dir(&empty).unwrap();
    let only_counters = shop.binary_unit_tests("counters", "./cart");
    for entry in fs::read_dir(&only_counters).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("covmeta.") {
            fs::remove_file(path).unwrap();
        }
    }
    let pipe = shop.path("pipe");
    fs::create_dir(&pipe).unwrap();
    let made = Command::new("mkfifo").arg(Path::new(&pipe).join("covmeta.0123")).status().unwrap();
    assert!(made.success());
    let other = "mode: set\nexample.com/other/a.go:1.1,2.2 1 1\n";
    for (options, code, part) in [
        (&["--with", "none.out"][..], 1, "there is no such file or folder"),
        (&["--with", &empty], 1, "the folder has no covmeta and covcounters files"),
        (&["--with", &pipe], 1, "it is not a regular file"),
        (&["--with", &only_counters], 1, "the folder has no covmeta file"),
        (&["--with", &file("nothing", "")], 1, "expected \"mode: set|count|atomic\""),
        (&["--with", &file("cut", "mode: set\na.go:1.1,2.2 1")], 1, "line 2"),
        (&["--with", &file("other", other)], 2, "it is of another module, or of another commit"),
        (&["--with", &unit, "--with", &unit], 2, "two profiles have the label \"unit.out\""),
        (&["--with", &format!("{unit}=")], 2, "has no LABEL"),
        (&["--with", &format!("{unit}@none")], 1, "none"),
        (&["--with", "/dev/null"], 1, "expected \"mode: set|count|atomic\""),
        (&["--with", &file("page", "<html>\n")], 1, "this reads a profile of go test -coverprofile"),
        (&["--with", &unit, "--max-drop", "1"], 2, "cannot be used with"),
    ] {
        let output = shop.total(options).assert_code(code);
        assert!(output.stderr.contains(part), "{options:?}: {}", output.stderr);
        assert_eq!(output.stdout, "", "{options:?}");
    }
    // A profile of packages without statements has only its first line.
    let none = shop.total(&["--with", &file("none", "mode: set\n")]).assert_code(0);
    assert_eq!(none.stdout, "19.4\n");
    assert!(none.stderr.contains("none\" has no blocks, so it adds nothing"), "{}", none.stderr);
    // Names of files come from outside.
    let hostile =
        file("hostile", &fs::read_to_string(&unit).unwrap().replace("price.go", "pri\u{1b}[31mce.go"));
    let lacking = shop.total(&["--with", &hostile]).assert_code(0).stderr;
    assert!(lacking.contains("lacks 1 file of") && lacking.contains("pri\\u{1b}[31mce.go"), "{lacking}");
    let odd = shop.total(&["--with", &format!("{unit}=a\u{1b}[31m\nb")]).assert_code(0);
    assert!(odd.stderr.contains("34.6 a\\u{1b}[31m\\nb alone"), "{}", odd.stderr);
    // A gate judges the union, and says so.
    shop.total(&["--with", &format!("{unit}=unit"), "--fail-under", "36"]).assert_code(0);
    let failed = shop.total(&["--with", &format!("{unit}=unit"), "--fail-under", "37"]).assert_code(5);
    assert!(
        failed
            .stderr
            .contains("36.2% (46 of 127 statements) is below 37%, 1 more to cover, together with unit"),
        "{}",
        failed.stderr
    );
}

#[test]
fn forms_have_all_together_and_say_so() {
    let Some(shop) = running_shop() else { return };
    let unit = shop.unit_tests("unit.out", &["-coverpkg=./..."]);
    let with = format!("{unit}=unit");
    let report = |options: &[&str]| shop.world.run(&[&["report", "shop", "--with", &with], options].concat());
    let quiet = |options: &[&str]| report(&[&["-q"], options].concat()).assert_code(0).stdout;

    // The table is Go's of the same counts.
    let profile = shop.path("together.cov");
    fs::write(&profile, quiet(&["--format", "profile"])).unwrap();
    let table = shop.go.output(&shop.folder(), &["tool", "cover", "-func", &profile]);
    assert_eq!(quiet(&[]), table);
    assert!(table.contains("Price\t\t100.0%") && table.contains("Tax\t\t0.0%"), "{table}");

    let words =
        "4.7 the service alone, 34.6 unit alone (31.5 only it), 96 of 127 statements are not in the service";
    for form in ["text", "markdown", "func"] {
        let output = report(&["--format", form]).assert_code(0);
        assert!(output.stderr.contains(words), "{form}: {}", output.stderr);
        assert!(
            form == "func" || output.stdout.replace('\\', "").contains(words),
            "{form}: {}",
            output.stdout
        );
    }
    let page = quiet(&["--format", "html"]);
    let row = |run: &str, covered: &str, only: &str| {
        format!("<tr><th scope=\"row\"><bdi>{run}</bdi></th><td>{covered}</td><td>{only}</td></tr>")
    };
    let added = "Together with <bdi>unit</bdi>; 96 of 127 statements are not in the service";
    for part in [added, &row("the service", "4.7%", "1.6%"), &row("unit", "34.6%", "31.5%")] {
        assert!(page.contains(part), "the page says so: {part}");
    }
    assert!(quiet(&["--format", "lcov"]).contains("SF:price/price.go"));
    assert_eq!(shop.world.files("_report.txt"), Vec::<PathBuf>::new(), "nothing is stored");
    assert_eq!(shop.world.files("_report.html"), Vec::<PathBuf>::new());

    let [json, of_changes] = ["json", "diff-json"].map(|form| shop.path(form));
    let forms = [format!("json={json}"), format!("diff-json={of_changes}")];
    let diff = shop.path("changes.diff");
    let tree = shop.source.git(&["hash-object", "-t", "tree", "/dev/null"]);
    fs::write(&diff, shop.source.git(&["diff", tree.trim(), "HEAD", "--", "cart/cart.go", "price/price.go"]))
        .unwrap();
    let gated =
        report(&["--format", &forms[0], "--format", &forms[1], "--diff-file", &diff, "--fail-under", "99"]);
    let gated = gated.assert_code(5);
    assert!(gated.stderr.contains("together with unit"), "{}", gated.stderr);
    shop.source.assert_fits_schema("man/goc-watchdog-report.schema.json", &json);
    shop.source.assert_fits_schema("man/goc-watchdog-report-diff.schema.json", &of_changes);
    let read = |file: &str| serde_json::from_str::<Value>(&fs::read_to_string(file).unwrap()).unwrap();
    let (json, of_changes) = (read(&json), read(&of_changes));
    assert_eq!((&json["covered"], &json["total"], &json["fresh"]), (&json!(46), &json!(127), &share(6)));
    assert_eq!(json["with"], of_changes["with"]);
    assert_eq!(json["with"][0]["only"], share(40));
    // Of the lines of both packages those with executed statements.
    assert_eq!(of_changes["statements"]["covered"], json!(4 + 8 + 32));
    assert_eq!(shop.json(&[])["diff"], json!(null), "the figure of changed lines is not stored");

    let filtered = report(&["--format", "json", "--include", "price"]).assert_code(0);
    let filtered: Value = serde_json::from_str(&filtered.stdout).unwrap();
    assert_eq!((&filtered["covered"], &filtered["fresh"]), (&json!(32), &json!(0.0)));
    for (options, part) in [
        (&["--against", "1", "--format", "diff"][..], "cannot be used with"),
        (&["--max-drop", "1"], "cannot be used with"),
    ] {
        assert!(report(options).assert_code(2).stderr.contains(part), "{options:?}");
    }
    let site = shop.path("site");
    let refused = shop.world.run(&["report", "--all", "--format", "site", "-o", &site, "--with", &unit]);
    refused.assert_code(2).assert_stderr_contains("--with is for the report of one service");
    for command in [&["history", "shop"][..], &["prune"], &["pull"], &["list"]] {
        let refused = shop.world.run(&[command, &["--with", &unit]].concat());
        refused.assert_code(2).assert_stderr_contains("unexpected argument");
    }
}

#[test]
fn other_runs_and_other_commits_count_together() {
    let Some(mut shop) = running_shop() else { return };
    // At the next commit the service does nothing, and only the text of `Cancel` is another one.
    let main = MAIN.replace("\tcart.Add()\n\tif", "\tif").replace("cart.Pay()", "cart.Add()\n\t\tcart.Pay()");
    write(&shop.folder(), "main.go", &main);
    let cart = fs::read_to_string(shop.folder().join("cart/cart.go")).unwrap();
    write(
        &shop.folder(),
        "cart/cart.go",
        &cart.replace("func Cancel() {\n\tprintln()", "func Cancel() {\n\tprintln(1)"),
    );
    shop.source.commit_all();
    shop.run_service();
    shop.clone_now();
    let unit = shop.unit_tests("unit.out", &["-run", "TestNothing"]);
    let price = shop.binary_unit_tests("price", "./price");
    let commit = shop.source.commit[..10].to_owned();
    let with = [format!("{unit}=unit@{commit}"), format!("{price}=price")];
    let options = ["--commit", &commit, "--with", &with[0], "--with", &with[1]];

    // `main` has 3 statements, of which 1 is executed; `price` 32, and `Add` was executed before.
    let together = shop.json(&options);
    assert_eq!((&together["covered"], &together["total"]), (&json!(1 + 32), &json!(3 + 28 + 96)));
    assert_eq!(together["with"][0]["commit"], json!(null), "its revision is this commit");
    let carried = shop.json(&[&options[..], &["--carry"]].concat());
    assert_eq!((&carried["covered"], &carried["fresh"]), (&json!(1 + 32 + 4), &share(1)));
    assert_eq!(carried["carried_from"][0]["statements"], json!(4));
    assert_eq!(carried["with"], together["with"]);
    let told = shop.total(&[&options[..], &["--carry", "--fail-under", "30"]].concat()).assert_code(5).stderr;
    let words = "0.8 the service alone, 0.0 unit alone (0.0 only it), 25.2 price alone (25.2 only it), 96 of 127 statements \
                 are not in the service, 3.1 carried from 1 commit, the oldest ";
    assert!(told.contains(words), "{told}");
    assert!(told.contains("together with unit and price, with --carry"), "{told}");

    // The forms for other tools have the runs of this commit, and what is carried only if that is asked for.
    let lines = |more: &[&str]| {
        let options =
            [&["report", "shop", "-q", "--format", "profile", "--carry"], &options[..], more].concat();
        let text = shop.world.run(&options).assert_code(0).stdout;
        text.lines().filter(|line| line.ends_with(" 1")).map(str::to_owned).collect::<Vec<_>>()
    };
    let is_add = |line: &String| line.contains("/cart.go:3.12,8.2 4 1");
    assert!(!lines(&[]).iter().any(is_add) && lines(&["--carry-in-forms"]).iter().any(is_add));
    assert!(lines(&[]).iter().any(|line| line.contains("/price.go:3.14,36.2 32 1")));
}

#[test]
fn a_group_counts_together_with_unit_tests() {
    let Some(shop) = running_shop() else { return };
    shop.world.configure("agent_files = [\"*/price.go\"]\n[groups.both]\napps = [\"shop\", \"none\"]\n");
    let unit = shop.unit_tests("unit.out", &[]);
    let output = shop.world.run(&["total", "both", "--format", "json", "--with", &unit]).assert_code(0);
    let object: Value = serde_json::from_str(&output.stdout).unwrap();
    // The files of agents are left out.
    assert_eq!((&object["covered"], &object["total"]), (&json!(2 + 4 + 8), &json!(31)));
    assert_eq!(object["with"][0]["only"], json!(100.0 * 8.0 / 31.0));
}
