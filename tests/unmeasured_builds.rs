//! `--count-unmeasured` beside Go: the counted blocks are those that Go has of all packages, by `go test ./...`.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::harness::go::Go;
use crate::harness::source::Source;
use crate::harness::{Output, World};

const UNTESTED: &str = "the counted blocks were not compared with those that Go has of all packages";

/// A module `example.com/app` whose command links the package `used` alone, and its collected process.
pub(crate) struct Measured {
    go: Go,
    pub(crate) source: Source,
    pub(crate) world: World,
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
        Self::with_links(go, options, files, &[])
    }

    /// `links` are paths of symbolic links, each with what it leads to.
    fn with_links(
        go: Go,
        options: &[&'static str],
        files: &[(String, String)],
        links: &[(&str, &str)],
    ) -> Self {
        let main = "package main\n\nimport _ \"example.com/app/used\"\n\nfunc main() {}\n";
        let own = [
            ("go.mod", "module example.com/app\n\ngo 1.20\n"),
            ("main.go", main),
            ("used/used.go", "package used\n\nfunc Used() {\n\tprintln()\n}\n"),
        ];
        let files = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        let files: Vec<(&str, &[u8])> =
            own.into_iter().chain(files).map(|(path, text)| (path, text.as_bytes())).collect();
        let mut source = Source::from_files(&files);
        for (path, to) in links {
            let path = source.folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(to, path).unwrap();
        }
        if !links.is_empty() {
            source.commit_all();
        }
        let measured = Self::from_source(go, options, source);
        measured.run("app", ".");
        measured.source.clone_for("app", &measured.world, &["--bare"]);
        measured
    }

    pub(crate) fn from_source(go: Go, options: &[&'static str], source: Source) -> Self {
        Self { go, source, world: World::new(), options: options.to_vec() }
    }

    /// Builds and runs a command of an app at the commit of now, and collects what it leaves.
    pub(crate) fn run(&self, app: &str, package: &str) {
        let program = self.world.home().join(app);
        let build = ["build", "-cover", "-o", program.to_str().unwrap()];
        self.go.run(self.source.folder.path(), &[&build, &self.options[..], &[package]].concat());
        let inbox = self.world.root().join("inbox");
        let inbox = inbox.join(format!("staging_th_{app}_master_{}", &self.source.commit[..10]));
        fs::create_dir_all(&inbox).unwrap();
        assert!(Command::new(&program).env("GOCOVERDIR", &inbox).output().unwrap().status.success());
        self.world.run(&["-q", "pull"]).assert_code(0);
    }

    fn counted(&self) -> Output {
        self.world
            .run(&["report", "th_app", "-q", "--count-unmeasured", "--format", "profile"])
            .assert_code(0)
    }

    /// Returns the list for people without its first lines.
    fn listed(&self) -> Vec<String> {
        let listed = self.world.run(&["report", "th_app", "-q", "--unmeasured"]).assert_code(0).stdout;
        listed.lines().skip(3).map(str::to_owned).collect()
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
pub(crate) fn blocks(profile: &str) -> BTreeSet<String> {
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

/// Returns the warnings, without the name of the program.
fn warnings(output: &Output) -> Vec<&str> {
    output.stderr.lines().filter_map(|line| Some(line.split_once("warning: ")?.1)).collect()
}

/// Returns the warning about a package that Go cannot build.
fn refused(package: &str, why: &str) -> String {
    format!(
        "package \"example.com/app/{package}\" does not count, because Go cannot build it: {why}; mend it, or leave it \
         out by a build constraint"
    )
}

#[test]
fn packages_that_go_cannot_build_do_not_count_and_are_named() {
    let text = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let files = [
        file("", "a/fine.go", "Fine"),
        file("", "broken/fine.go", "Fine"),
        text("broken/x.go", "package broken\n\nfunc X() {\n\tx := := 3\n}\n"),
        file("", "names/a.go", "A"),
        text("names/b.go", "package other\n\nfunc B() {\n}\n"),
        text("names/ignored.go", "//go:build ignore\n\npackage main\n\nfunc main() {\n\tx := := 3\n}\n"),
        file("", "reserved/aux/x.go", "X"),
        file("//go:build linux\n//go:build !ignore", "twice/x.go", "Twice"),
        file("", "twice/fine.go", "Fine"),
        // These do not keep Go from a package.
        text("a/doc.go", "package documentation\n\nfunc D() {\n\tprintln()\n}\n"),
        text("a/template.go", "//go:build ignore\n\npackage {{.Name}}\n"),
        file("//go:build (", "a/x_windows.go", "Windows"),
    ];
    let Some(go) = Go::installed(UNTESTED) else { return };
    let measured = Measured::new(go, &[], &files);
    let counted = measured.counted();
    assert_eq!(blocks(&counted.stdout), measured.blocks_of_go());
    assert_eq!(
        warnings(&counted),
        [
            refused("broken", "\"broken/x.go\": line 4: an operator without its operand"),
            refused("names", "\"names/a.go\" is of package names, and \"names/b.go\" of package other"),
            refused("reserved/aux", "\"aux\" of its import path is a name that Windows reserves"),
            "not counted for such a reason either: 1 more package".to_owned(),
        ]
    );
}

#[test]
fn links_to_files_count_where_they_lie_and_folders_behind_links_do_not() {
    let of_package = |path: &str, package: &str| {
        (path.to_owned(), format!("package {package}\n\nfunc Linked() {{\n\tprintln()\n}}\n"))
    };
    let files = [
        file("", "shared/s.go", "Shared"),
        file("", "shared/more/m.go", "More"),
        of_package("shared/used.go.txt", "used"),
        of_package("text/n.txt", "noted"),
        of_package("text/o.txt", "o"),
    ];
    let links = [
        ("used/s_linked.go", "../shared/used.go.txt"),
        ("noted/n.go", "../text/n.txt"),
        ("noted/n_windows.go", "n.go"),
        ("linked", "shared"),
        ("used/folder.go", "../shared"),
        ("once/o.go", "../twice/o.go"),
        ("twice/o.go", "../text/o.txt"),
    ];
    let Some(go) = Go::installed(UNTESTED) else { return };
    let measured = Measured::with_links(go, &[], &files, &links);
    let counted = measured.counted();
    let found = blocks(&counted.stdout);
    assert_eq!(found, measured.blocks_of_go());
    for name in ["used/s_linked", "noted/n", "once/o", "twice/o", "shared/s", "shared/more/m"] {
        let name = format!("example.com/app/{name}.go:");
        assert!(found.iter().any(|block| block.starts_with(&name)), "{name} {found:?}");
    }
    assert_eq!(warnings(&counted), Vec::<&str>::new());
}

#[test]
fn a_link_of_a_measured_package_does_not_make_the_folder_behind_it_measured() {
    let files = [file("", "shared/s.go", "Shared"), file("", "shared/used.go", "Other")];
    let files = files.map(|(path, text)| (path, text.replace("package shared", "package used")));
    let Some(go) = Go::installed(UNTESTED) else { return };
    let measured = Measured::with_links(go, &[], &files, &[("used/s.go", "../shared/s.go")]);
    assert_eq!(blocks(&measured.counted().stdout), measured.blocks_of_go());
    assert_eq!(
        measured.listed(),
        [
            "",
            "example.com/app/shared:\t2 files\t2 functions\t11 statements",
            "",
            "shared/s.go:5:\tShared\t6",
            "shared/used.go:5:\tOther\t5",
        ]
    );
}

#[test]
fn links_that_lead_to_no_file_of_the_repository_are_told() {
    let files = [file("", "a/a.go", "A"), file("", "lost/l.go", "L"), file("", "round/r.go", "R")];
    let links = [
        ("a/out.go", "/etc/hostname"),
        ("a/out_windows.go", "/etc/hostname"),
        ("lost/none.go", "../none.go"),
        ("round/o.go", "o.go"),
    ];
    let Some(go) = Go::installed(UNTESTED) else { return };
    let measured = Measured::with_links(go, &[], &files, &links);
    let counted = measured.counted();
    let names: BTreeSet<String> =
        blocks(&counted.stdout).iter().map(|block| block.rsplit_once(':').unwrap().0.to_owned()).collect();
    let of_module = |name: &str| format!("example.com/app/{name}");
    assert_eq!(names, BTreeSet::from(["a/a.go", "main.go", "used/used.go"].map(of_module)));
    assert_eq!(
        warnings(&counted),
        [
            refused("lost", "\"lost/none.go\": a symbolic link leads to no file"),
            refused("round", "\"round/o.go\": symbolic links lead in a circle"),
            "\"a/out.go\" does not count: a symbolic link leads out of the repository, so its statements are unknown"
                .to_owned(),
        ]
    );
}

#[test]
fn functions_are_counted_in_the_files_that_line_comments_name() {
    let yacc = |package: &str| {
        format!(
            "// Code generated by goyacc g.y. DO NOT EDIT.\n\n//line g.y:2\npackage {package}\n\nfunc Parse() {{\n\
             \tprintln()\n//line g.y:9\n\tif true {{\n\t\tprintln()\n\t}}\n}}\n\n//line yacctab:1\nvar V = func() int {{\n\
             \treturn 3\n}}\n"
        )
    };
    let other = |head: &str, package: &str| {
        format!("{head}package {package}\n\nfunc Own() {{\n//line /x/o.y:70\n\tprintln()\n}}\n")
    };
    let files = [
        ("used/g.go".to_owned(), yacc("used")),
        ("used/g.y".to_owned(), "%{\n".to_owned()),
        ("used/o_windows.go".to_owned(), other("//line w.y:3\n", "used")),
        ("p/g.go".to_owned(), yacc("p")),
        ("p/g.y".to_owned(), "%{\n".to_owned()),
        ("p/o.go".to_owned(), other("", "p")),
    ];
    let Some(go) = Go::installed(UNTESTED) else { return };
    let measured = Measured::new(go, &[], &files);
    let counted = blocks(&measured.counted().stdout);
    assert_eq!(counted, measured.blocks_of_go());
    assert!(counted.contains("example.com/app/p/yacctab:1.0,3.0 1"), "{counted:?}");
    assert_eq!(
        measured.listed(),
        [
            "",
            "example.com/app/p:\t3 files\t2 functions\t5 statements",
            "",
            "p/g.y:4:\tParse\t3",
            "p/o.go:3:\tOwn\t1",
            "",
            "left out by build constraints, or not linked (linux, amd64, cgo):",
            "used/w.y:\t1 function\t1 statement",
        ]
    );
}
