//! `--count-unmeasured` beside Go: the counted blocks are those that Go has of all packages, by `go test ./...`.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::harness::go::Go;
use crate::harness::source::Source;
use crate::harness::{Output, World};

const UNTESTED: &str = "the counted blocks were not compared with those that Go has of all packages";

/// A module `example.com/app` whose command links the package `used` alone, and its collected process.
struct Measured {
    go: Go,
    source: Source,
    world: World,
    /// Options of `go build`.
    options: Vec<&'static str>,
}

/// Returns a file with one function, of as many statements as its name has letters.
fn file(head: &str, path: &str, name: &str) -> (String, String) {
    let package = path.rsplit('/').nth(1).unwrap();
    let statements = "\tprintln()\n".repeat(name.len());
    (path.to_owned(), format!("{head}\n\npackage {package}\n\nfunc {name}() {{\n{statements}}}\n"))
}

impl Measured {
    fn new(go: Go, options: &[&'static str], files: &[(String, String)]) -> Self {
        let main = "package main\n\nimport _ \"example.com/app/used\"\n\nfunc main() {}\n";
        let own = [
            ("go.mod", "module example.com/app\n\ngo 1.20\n"),
            ("main.go", main),
            ("used/used.go", "package used\n\nfunc Used() {\n\tprintln()\n}\n"),
        ];
        let files = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        let files: Vec<(&str, &[u8])> =
            own.into_iter().chain(files).map(|(path, text)| (path, text.as_bytes())).collect();
        let source = Source::from_files(&files);
        let measured = Self { go, source, world: World::new(), options: options.to_vec() };
        measured.run();
        measured.source.clone_for("app", &measured.world, &["--bare"]);
        measured
    }

    /// Builds and runs the command, and collects what it leaves.
    fn run(&self) {
        let program = self.world.home().join("app");
        let options = [&["build", "-cover", "-o", program.to_str().unwrap()], &self.options[..]].concat();
        self.go.run(self.source.folder.path(), &options);
        let inbox = self.world.root().join("inbox");
        let inbox = inbox.join(format!("staging_th_app_master_{}", &self.source.commit[..10]));
        fs::create_dir_all(&inbox).unwrap();
        assert!(Command::new(&program).env("GOCOVERDIR", &inbox).output().unwrap().status.success());
        self.world.run(&["-q", "pull"]).assert_code(0);
    }

    fn counted(&self) -> Output {
        self.world
            .run(&["report", "th_app", "-q", "--count-unmeasured", "--format", "profile"])
            .assert_code(0)
    }

    /// Returns the blocks that Go has of all packages that it can build.
    fn blocks_of_go(&self) -> BTreeSet<String> {
        let profile = self.world.home().join("all.out");
        let option = format!("-coverprofile={}", profile.display());
        // The tool fails if one package cannot be built, and writes the blocks of the others.
        let _ = self.go.try_run(
            self.source.folder.path(),
            &[&["test", &option], &self.options[..], &["./..."]].concat(),
        );
        blocks(&fs::read_to_string(profile).unwrap())
    }
}

/// Returns the blocks of a profile, without counts.
fn blocks(profile: &str) -> BTreeSet<String> {
    profile.lines().skip(1).filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

#[test]
fn the_tags_of_the_build_decide_which_files_count() {
    let tags = || {
        [
            file("//go:build netgo && osusergo", "used/tags.go", "Net"),
            file("//go:build netgo", "p/p.go", "P"),
            file("//go:build !netgo", "p/q.go", "Qu"),
            file("//go:build !osusergo", "o/o.go", "Own"),
            file("//go:build amd64.v1", "v/v1.go", "V"),
            file("//go:build amd64.v2", "v/v2.go", "V2"),
            file("//go:build goexperiment.regabiargs || arm", "v/x.go", "Exp"),
            file("//go:build go1.21 && !go1.99", "v/old.go", "Older"),
            file("//go:build go1.99", "v/new.go", "Newest"),
            file("// +build windows\n/* a comment */", "v/plus.go", "Plus"),
            file("", "v/w_windows_test.pb.go", "WindowsTest"),
            file("", "v/l_linux_test.pb.go", "LinuxTest"),
        ]
    };
    let level = || [file("//go:build amd64.v2", "used/v2.go", "Two")];
    let cgo = || [file("//go:build !cgo && ee", "used/ee.go", "Ee"), file("//go:build ee", "e/e.go", "E")];
    for (variables, options, files) in [
        (&[][..], &["-tags=netgo,osusergo"][..], &tags()[..]),
        (&[("GOAMD64", "v2")], &["-tags=netgo,osusergo"], &[&tags()[..], &level()].concat()),
        (&[("CGO_ENABLED", "0")], &["-tags=netgo,osusergo,ee"], &[&tags()[..], &cgo()].concat()),
    ] {
        let Some(go) = Go::installed(UNTESTED) else { return };
        let measured = Measured::new(go.with_variables(variables), options, files);
        let counted = blocks(&measured.counted().stdout);
        assert_eq!(counted, measured.blocks_of_go(), "{variables:?} {options:?}");
        assert!(counted.len() > 6, "{counted:?}");
    }
}
