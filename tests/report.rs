//! Reports from stored profiles and git objects.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::harness::git_server::GitServer;
use crate::harness::go::Go;
use crate::harness::service::MAIN_SOURCE;
use crate::harness::source::{Source, repository};
use crate::harness::{Output, World, make_script};
use crate::sim::{Agent, Program};

/// The empty tree, which every repository can name without having it.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const PROFILE: &str = "example.com/app/main.go:3.13,5.2 1 0\nexample.com/app/main.go:7.12,9.2 1 0\n\
                       example.com/app/made/at_build.go:1.1,2.2 2 0\n../../etc/passwd:1.1,2.2 4 0\n";
const TABLE: &str = "example.com/app/main.go:3:\tmain\t\t100.0%\nexample.com/app/main.go:7:\trun\t\t0.0%\n\
                     total:\t\t\t\t(statements)\t50.0%\n";

/// Makes a pulled service of two functions, `main` of which was executed, and its repository.
fn pulled_service() -> (World, Source, Agent) {
    let source = Source::with_main();
    let world = World::new();
    let program = Program::from_profile(PROFILE);
    let agent = world.start(&source.service_name(), &program);
    agent.hit(&program.blocks_at("main.go", &[3]), 1);
    world.pull(0);
    (world, source, agent)
}

fn report(world: &World, options: &[&str]) -> Output {
    world.run(&[&["report", "app"], options].concat())
}

#[test]
fn the_table_comes_from_any_kind_of_clone_and_is_stored_beside_the_profile() {
    let kinds: [&[&str]; 3] = [&[], &["--bare"], &["--no-local", "--depth=1"]];
    for kind in kinds {
        let (world, source, _agent) = pulled_service();
        source.clone_into(&world, kind);
        let output = report(&world, &[]).assert_code(0);
        assert_eq!(output.stdout, TABLE, "{kind:?}");
        let stored = fs::read_to_string(world.root().join("app/cov_data/app_1_report.txt")).unwrap();
        assert_eq!(stored, TABLE);
        world.pull(0);
        assert_eq!(world.files(".tmp"), Vec::<PathBuf>::new());
        assert_eq!(world.files("_report.txt").len(), 1, "the next pull keeps it");
    }
}

#[test]
fn files_without_source_count_are_named_and_nothing_is_read_for_them() {
    let (world, source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    let output = report(&world, &[]).assert_code(0);
    assert_eq!(
        output.stderr,
        "goc-watchdog: warning: no source for 2 files (6 of 8 statements); they count and have no functions:\n  \
         ../../etc/passwd: not in the commit\n  example.com/app/made/at_build.go: not in the commit\n"
    );
    let json = report(&world, &["--format", "json"]).assert_code(0).json().remove(0);
    assert_eq!((&json["covered"], &json["total"]), (&1.into(), &8.into()));
    assert_eq!(json["commit"], source.commit[..10]);
    assert_eq!(json["source_commit"], source.commit);
    let file = |name: &str| {
        json["files"].as_array().unwrap().iter().find(|file| file["name"] == name).unwrap().clone()
    };
    assert_eq!(file("example.com/app/main.go")["functions"][0]["name"], "main");
    assert_eq!(file("../../etc/passwd")["no_source"], "not in the commit");
    assert_eq!(file("../../etc/passwd")["path"], serde_json::Value::Null);
}

#[test]
fn a_gate_compares_all_statements() {
    let (world, source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    report(&world, &["--fail-under", "12.5"]).assert_code(0);
    let output = report(&world, &["-q", "--fail-under", "13"]).assert_code(5);
    output.assert_stderr_contains("12.5% (1 of 8 statements) is below 13%, 1 more to cover");
    report(&world, &["--max-age", "1h", "--min-replicas", "1"]).assert_code(0);
    report(&world, &["-q", "--min-replicas", "2"])
        .assert_code(5)
        .assert_stderr_contains("1 replica answered, fewer than 2");
}

#[test]
fn thresholds_of_the_configuration_hold_for_packages_too() {
    let (world, source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    world.configure(
        "[apps.app]\nfail_under = 12.5\n[apps.app.packages]\n\"example.com/app\" = 50\n\"example.com/app/made\" = \"0.5%\"\n",
    );
    let output = report(&world, &["-q"]).assert_code(5);
    output.assert_stderr_contains(
        "package example.com/app/made: 0.0% (0 of 2 statements) is below 0.5%, 1 more to cover",
    );
    // Excluded files are not asked for, and an option overrides the configuration.
    let output = report(&world, &["-q", "--exclude", "made", "--fail-under", "60"]).assert_code(5);
    output.assert_stderr_contains("app_master_").assert_stderr_contains("is below 60%");
    report(&world, &["-q", "--exclude", "example.com/app/made", "--fail-under", "10"]).assert_code(0);
    world.configure("[apps.app.packages]\n\"example.com/nosuch\" = 99\n");
    report(&world, &[]).assert_code(0).assert_stderr_contains("\"example.com/nosuch\" matches no package");
}

#[test]
fn rows_of_the_history_and_other_commits_can_be_asked_for() {
    let (world, mut source, agent) = pulled_service();
    agent.hit(&Program::from_profile(PROFILE).blocks_at("main.go", &[7]), 1);
    world.pull(0);
    let first = source.commit.clone();
    fs::write(source.folder.path().join("main.go"), MAIN_SOURCE.replace("run", "walk")).unwrap();
    source.commit_all();
    let second = world.start(&source.service_name(), &Program::from_profile(PROFILE));
    world.pull(0);
    drop(second);
    source.clone_into(&world, &["--bare"]);

    let full = TABLE.replace("run\t\t0.0%", "run\t\t100.0%").replace("50.0%", "100.0%");
    assert_eq!(report(&world, &["--id", "1"]).assert_code(0).stdout, TABLE);
    assert_eq!(report(&world, &["--id", "2", "-o", "out.txt"]).assert_code(0).stdout, "");
    assert_eq!(fs::read_to_string(world.home().join("out.txt")).unwrap(), full);
    for commit in [&first[..5], &first[..10], &first] {
        assert_eq!(
            report(&world, &["--commit", commit]).assert_code(0).stdout,
            full,
            "the newest of the commit"
        );
    }
    let walked = report(&world, &["--commit", &source.commit]).assert_code(0).stdout;
    assert!(walked.contains("walk\t\t0.0%"), "{walked}");
    assert_eq!(world.files("_report.txt").len(), 3, "each beside its profile");

    let newest = report(&world, &[]).assert_code(0);
    assert_eq!(newest.stdout, walked, "the commit that was listed last");
    newest.assert_stderr_contains("of 2");
    report(&world, &["--id", "9"]).assert_code(1).assert_stderr_contains("there is no row 9");
    report(&world, &["--commit", "0123456"])
        .assert_code(1)
        .assert_stderr_contains("no data is stored for app at commit \"0123456\"");
}

#[test]
fn a_service_whose_name_tells_no_commit_takes_one() {
    let source = Source::with_main();
    let world = World::new();
    let _agent = world.start("plain", &Program::from_profile(PROFILE));
    world.pull(0);
    let to = world.root().join("plain/repo");
    source.git(&["clone", "--quiet", "--bare", source.folder.path().to_str().unwrap(), to.to_str().unwrap()]);
    let report = |options: &[&str]| world.run(&[&["report", "plain"], options].concat());
    report(&[])
        .assert_code(1)
        .assert_stderr_contains("plain has no commit in its name; give one with --commit REV");
    for revision in ["master", &source.commit, "HEAD"] {
        let table = report(&["--commit", revision]).assert_code(0).stdout;
        assert_eq!(table, TABLE.replace("100.0%", "0.0%").replace("50.0%", "0.0%"));
    }
    assert_eq!(
        world.files("_report.txt"),
        Vec::<PathBuf>::new(),
        "nobody can say that it is the right commit"
    );
    for (revision, shown) in [("--all", "--all"), ("a\nb", "a\\nb"), ("nosuch", "nosuch")] {
        report(&[&format!("--commit={revision}")])
            .assert_code(1)
            .assert_stderr_contains(&format!("has no commit \"{shown}\""));
    }
    report(&["--format", "markdown"]).assert_code(0);
}

#[test]
fn without_repository_the_error_says_what_to_do_and_forms_without_source_go_on() {
    let (world, _source, _agent) = pulled_service();
    let output = report(&world, &[]).assert_code(1);
    output
        .assert_stderr_contains(&format!("git clone --bare URL {}", repository(&world).display()))
        .assert_stderr_contains("[apps.app]\n  repo = \"URL\"");

    let output =
        report(&world, &["--format=func", "--format=markdown=m.md", "--format=badge=b.svg"]).assert_code(1);
    assert_eq!(output.stdout, "");
    output.assert_stderr_contains("is not a git repository");
    let markdown = fs::read_to_string(world.home().join("m.md")).unwrap();
    assert!(markdown.contains("**1 of 8 statements**"), "{markdown}");
    assert!(fs::read_to_string(world.home().join("b.svg")).unwrap().contains("12.5%"));

    fs::create_dir_all(repository(&world)).unwrap();
    fs::write(repository(&world).join("notes"), "mine").unwrap();
    world.configure("[apps.app]\nrepo = \"https://git.example/app.git\"\n");
    report(&world, &[])
        .assert_code(1)
        .assert_stderr_contains("is in the way of a clone of https://git.example/app.git");

    let quiet = report(&world, &["--format", "badge"]).assert_code(0);
    assert_eq!(quiet.stderr, "");
    let json = report(&world, &["--format", "json"])
        .assert_code(3)
        .assert_stderr_contains("has no functions")
        .json()
        .remove(0);
    assert_eq!((&json["covered"], &json["source_commit"]), (&1.into(), &serde_json::Value::Null));
    report(&world, &["--format", "json", "--exclude-generated"])
        .assert_code(1)
        .assert_stderr_contains("--exclude-generated needs the source");
}

#[test]
fn each_form_goes_to_one_place() {
    let (world, source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    let files = ["--format=text", "--format=func=f.txt", "--format=lcov=l.info", "--format=json=j.json"];
    let output = report(&world, &[&files[..], &["-o", "t.txt"]].concat()).assert_code(0);
    assert_eq!(output.stdout, "");
    let written = |name: &str| fs::read_to_string(world.home().join(name)).unwrap();
    assert_eq!(written("f.txt"), TABLE);
    assert!(written("t.txt").contains("12.5%") && written("l.info").contains("SF:main.go\n"));
    assert!(written("j.json").starts_with("{\"schema\":1,"));

    let usage = |options: &[&str], part: &str| {
        report(&world, options).assert_code(2).assert_stderr_contains(part);
    };
    usage(&["--format", "func", "--format", "text"], "only one form can go to stdout or to --output");
    usage(&["--format", "func=a", "--format", "text=a"], "two forms would go to the same file \"a\"");
    usage(&["--format", "func=a", "--format", "text=./a"], "two forms would go to the same file \"./a\"");
    usage(&["--format", "func=a", "-o", "b"], "no form is left for --output \"b\"");
    usage(
        &["--format", "nosuch"],
        "possible values: func, text, json, lcov, cobertura, codecov, profile, markdown, badge",
    );
    usage(&["--format", "func="], "a value is required");
    usage(&["--include", "a["], "is not a glob");
}

#[test]
fn a_device_is_written_to_and_a_link_is_followed() {
    let (world, source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    assert_eq!(report(&world, &["-o", "/dev/stdout"]).assert_code(0).stdout, TABLE);
    assert_eq!(report(&world, &["-o", "/dev/null"]).assert_code(0).stdout, "");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    let (target, link) = (world.home().join("target"), world.home().join("link"));
    fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    report(&world, &["-o", "link"]).assert_code(0);
    assert_eq!(fs::read_to_string(&target).unwrap(), TABLE);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    fs::write(world.home().join("out.txt.tmp"), "mine").unwrap();
    report(&world, &["-o", "out.txt"]).assert_code(0);
    assert_eq!(fs::read_to_string(world.home().join("out.txt.tmp")).unwrap(), "mine");
    report(&world, &["-o", "no/such/folder"]).assert_code(1).assert_stderr_contains("no/such/folder");
}

#[test]
fn excluded_files_are_neither_counted_nor_stored() {
    let source = Source::from_files(&[
        ("main.go", MAIN_SOURCE.as_bytes()),
        ("gen.go", b"// Code generated by x. DO NOT EDIT.\npackage main\n\nfunc g() {\n}\n"),
        ("go.mod", b"module example.com/app\n"),
    ]);
    let world = World::new();
    let profile = format!("{PROFILE}example.com/app/gen.go:4.10,5.2 8 0\n");
    let _agent = world.start(&source.service_name(), &Program::from_profile(&profile));
    world.pull(0);
    source.clone_into(&world, &["--bare"]);
    let total = |options: &[&str]| {
        let json = report(&world, &[options, &["--format=json", "-q"]].concat()).json().remove(0);
        (json["total"].as_u64().unwrap(), json["filters"].to_string())
    };
    assert_eq!(total(&[]), (16, "[]".to_owned()));
    assert_eq!(total(&["--exclude-generated"]), (8, "[\"exclude generated files\"]".to_owned()));
    assert_eq!(total(&["--include", "*.go", "--exclude", "made"]).0, 10);
    assert_eq!(total(&["--include", "main.go"]).0, 2, "by its path in the repository");
    assert_eq!(
        total(&["--include", "example.com/app/made"]),
        (2, "[\"include example.com/app/made\"]".to_owned())
    );
    report(&world, &["--include", "nothing"])
        .assert_code(0)
        .assert_stderr_contains("leave no file of the profile");
    assert_eq!(world.files("_report.txt"), Vec::<PathBuf>::new());
}

#[test]
fn a_configured_repository_is_cloned_once() {
    let (world, source, _agent) = pulled_service();
    let url = format!("file://{}", source.folder.path().display());
    world.configure(&format!(
        "[git]\nrepo = \"{}\"\n",
        url.replace(source.folder.path().to_str().unwrap(), "/{app}")
    ));
    report(&world, &[]).assert_code(1).assert_stderr_contains("cannot clone \"file:///app\"");
    assert_eq!(fs::read_dir(world.root().join("app")).unwrap().count(), 1);
    assert_eq!(
        fs::read_dir(world.root().join("goc-watchdog.tmp")).unwrap().count(),
        0,
        "nothing half cloned is left"
    );

    world.configure(&format!("[git]\nprotocols = [\"https\"]\n[apps.app]\nrepo = \"{url}\"\n"));
    report(&world, &[]).assert_code(1).assert_stderr_contains("transport 'file' not allowed");

    world.configure(&format!("[apps.app]\nrepo = \"{url}\"\n"));
    report(&world, &["--offline"])
        .assert_code(1)
        .assert_stderr_contains("without --offline it is cloned now");
    assert_eq!(report(&world, &[]).assert_code(0).stdout, TABLE);
    fs::remove_dir_all(source.folder.path()).unwrap();
    assert_eq!(report(&world, &[]).assert_code(0).stdout, TABLE, "the clone needs its origin no longer");
}

#[test]
fn leftovers_of_a_killed_report_are_swept_by_the_next_pull() {
    let (world, source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    report(&world, &[]).assert_code(0);
    let scratch = world.root().join("goc-watchdog.tmp");
    fs::create_dir_all(scratch.join("123-repo/objects")).unwrap();
    fs::write(scratch.join("123-report"), "half").unwrap();
    let reader = fs::File::open(world.root().join("goc-watchdog.readers")).unwrap();
    reader.lock_shared().unwrap();
    world.pull(0);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 2, "somebody may be making it");
    reader.unlock().unwrap();
    world.pull(0);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
    assert_eq!(report(&world, &[]).assert_code(0).stdout, TABLE);
}

#[test]
fn reports_of_several_commits_run_side_by_side() {
    let (world, mut source, _agent) = pulled_service();
    let first = source.commit.clone();
    fs::write(source.folder.path().join("main.go"), MAIN_SOURCE.replace("run", "walk")).unwrap();
    source.commit_all();
    let _second = world.start(&source.service_name(), &Program::from_profile(PROFILE));
    world.pull(0);
    world.configure(&format!("[apps.app]\nrepo = \"file://{}\"\n", source.folder.path().display()));
    let running: Vec<_> = (0..6)
        .map(|at| {
            world.spawn(&["report", "app", "--commit", if at % 2 == 0 { &first } else { &source.commit }])
        })
        .collect();
    for (at, child) in running.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        let (table, stderr) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{stderr}");
        assert_eq!(table.contains("run\t"), at % 2 == 0, "{table}");
        assert_eq!(table.contains("walk\t"), at % 2 == 1, "{table}");
    }
    assert_eq!(fs::read_dir(world.root().join("goc-watchdog.tmp")).unwrap().count(), 0);
}

#[test]
fn an_app_whose_name_could_lead_elsewhere_is_put_into_no_url() {
    let world = World::new();
    let _agent = world.start("staging_th_../../x?y_master_0123456789", &Program::from_profile(PROFILE));
    world.pull(0);
    world.configure("[git]\nrepo = \"https://git.example/team/{app}.git\"\n");
    let output = world.run(&["report", "staging"]).assert_code(1);
    output
        .assert_stderr_contains("the app \"../../x?y\" cannot be part of the URL")
        .assert_stderr_contains("[apps.\"../../x?y\"]");
}

#[test]
fn a_commit_that_the_clone_lacks_is_fetched() {
    let (world, mut source, _agent) = pulled_service();
    source.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let url = format!("file://{}", source.folder.path().display());
    let mut running = Vec::new();
    for kind in [&["--bare"][..], &[], &["--depth=1"]] {
        let _ = fs::remove_dir_all(repository(&world));
        let to = repository(&world);
        source.git(&[&["clone", "--quiet"][..], kind, &[&url, to.to_str().unwrap()]].concat());
        // The first commit is on a branch and named by its beginning; another is found only by its full hash.
        fs::write(source.folder.path().join("main.go"), format!("// {kind:?}\n{MAIN_SOURCE}")).unwrap();
        source.commit_all();
        let short = source.service_name();
        source.git(&["commit", "--quiet", "--amend", "--message=again"]);
        source.commit = source.head();
        let head = source.service_name();
        let orphan = source.git(&["commit-tree", "HEAD^{tree}", "-morphan"]).trim().to_owned();
        let full = format!("staging_th_app_master_{orphan}");
        let agents = [&short, &head, &full].map(|name| world.start(name, &Program::from_profile(PROFILE)));
        world.pull(0);
        running.extend(agents);

        let report = |service: &str, options: &[&str]| world.run(&[&["report", service], options].concat());
        report(&head, &["--offline"])
            .assert_code(1)
            .assert_stderr_contains("without --offline it is fetched");
        assert!(report(&head, &[]).assert_code(0).stdout.contains("main.go:4:"), "{kind:?}");
        assert!(report(&full, &[]).assert_code(0).stdout.contains("main.go:4:"), "{kind:?}");
        report(&short, &[])
            .assert_code(1)
            .assert_stderr_contains("nor have the branches and tags of its remote");
        report(&full, &["--offline"]).assert_code(0);
    }
}

#[test]
fn contents_that_a_clone_lacks_are_fetched_in_one_go() {
    let mut files: Vec<(String, String)> = (0..40)
        .map(|file| (format!("p{file}/f.go"), format!("package p{file}\n\nfunc F{file}() {{\n}}\n")))
        .collect();
    files.push(("go.mod".to_owned(), "module example.com/app\n".to_owned()));
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    let source = Source::from_files(&files);
    source.git(&["config", "uploadpack.allowFilter", "true"]);
    let lines: Vec<String> =
        (0..40).map(|file| format!("example.com/app/p{file}/f.go:3.10,4.2 1 0")).collect();
    let profile = lines.join("\n");
    let world = World::new();
    let _agent = world.start(&source.service_name(), &Program::from_profile(&profile));
    world.pull(0);
    let url = format!("file://{}", source.folder.path().display());
    let to = repository(&world);
    source.git(&["clone", "--quiet", "--bare", "--filter=blob:none", &url, to.to_str().unwrap()]);
    let packs = || world.files(".pack").len();
    assert_eq!(packs(), 1);
    let offline = report(&world, &["--offline"]).assert_code(0);
    offline.assert_stderr_contains("1 file is not in the clone; without --offline they are fetched");
    assert_eq!(world.files("_report.txt"), Vec::<PathBuf>::new(), "a table that could be fuller is not kept");

    let table = report(&world, &[]).assert_code(0).stdout;
    assert_eq!(table.lines().count(), 41);
    assert_eq!(packs(), 3, "one fetch for the modules, one for the files");
    fs::remove_dir_all(source.folder.path()).unwrap();
    assert_eq!(report(&world, &[]).assert_code(0).stdout, table);
}

#[test]
fn a_table_whose_modules_could_not_be_read_is_not_kept() {
    let source = Source::from_files(&[
        ("svc/main.go", MAIN_SOURCE.as_bytes()),
        ("svc/go.mod", b"module example.com/app\n"),
    ]);
    source.git(&["config", "uploadpack.allowFilter", "true"]);
    let world = World::new();
    let _agent = world.start(&source.service_name(), &Program::from_profile(PROFILE));
    world.pull(0);
    let url = format!("file://{}", source.folder.path().display());
    let to = repository(&world);
    source.git(&["clone", "--quiet", "--bare", "--filter=blob:none", &url, to.to_str().unwrap()]);
    let output = report(&world, &["--offline"]).assert_code(0);
    output.assert_stderr_contains("example.com/app/main.go: its content is not in the repository");
    assert_eq!(world.files("_report.txt"), Vec::<PathBuf>::new());
    assert!(report(&world, &[]).assert_code(0).stdout.contains("run\t"));
}

#[test]
fn a_clone_without_folders_gets_those_of_the_commit() {
    let (world, source, _agent) = pulled_service();
    source.git(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", source.folder.path().display());
    let to = repository(&world);
    source.git(&["clone", "--quiet", "--bare", "--filter=tree:0", &url, to.to_str().unwrap()]);
    report(&world, &["--offline"])
        .assert_code(1)
        .assert_stderr_contains("without --offline the folders of the commit are fetched");
    assert!(report(&world, &[]).assert_code(0).stdout.contains("run\t"));
}

#[test]
fn programs_that_a_clone_names_are_not_run() {
    let (world, mut source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    let witness = world.home().join("witness");
    let program = format!("touch {}; git-upload-pack", witness.display());
    for (key, value) in [
        ("remote.origin.uploadpack", program.as_str()),
        ("core.alternateRefsCommand", &program),
        ("core.fsmonitor", &program),
        ("core.sshCommand", &program),
        ("core.hooksPath", "/nowhere"),
    ] {
        source.git(&["--git-dir", repository(&world).to_str().unwrap(), "config", key, value]);
    }
    source.git(&["commit", "--quiet", "--allow-empty", "--message=on"]);
    source.commit = source.head();
    let _second = world.start(&source.service_name(), &Program::from_profile(PROFILE));
    world.pull(0);
    assert!(
        world.run(&["report", &source.service_name()]).assert_code(0).stdout.contains("run\t"),
        "it was fetched"
    );
    assert!(!witness.exists());
}

#[test]
fn a_file_too_large_for_source_is_skipped() {
    let source = Source::from_files(&[
        ("main.go", MAIN_SOURCE.as_bytes()),
        ("huge.go", &vec![b'\n'; (32 << 20) + 1]),
        ("go.mod", b"module example.com/app\n"),
    ]);
    let world = World::new();
    let profile = format!("{PROFILE}example.com/app/huge.go:1.1,4000000000.2 2 0\n");
    let _agent = world.start(&source.service_name(), &Program::from_profile(&profile));
    world.pull(0);
    source.clone_into(&world, &["--bare"]);
    let output = report(&world, &["--format", "lcov"])
        .assert_code(0)
        .assert_stderr_contains("example.com/app/huge.go: too large");
    assert!(
        output.stdout.contains("SF:huge.go\nFNF:0\nFNH:0\nDA:1,0\nDA:4000000000,0\n"),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("FN:7,run\n"));
}

#[test]
fn an_ambiguous_commit_lists_its_candidates() {
    let source = Source::from_files(&[("main.go", b"package main\n")]);
    // The hashes of these two commits begin alike; the messages were found by trying.
    let commits = ["17061", "40930"].map(|message| {
        let text = format!(
            "tree {EMPTY_TREE}\nauthor t <t@example.com> 0 +0000\ncommitter t <t@example.com> 0 +0000\n\n{message}\n"
        );
        fs::write(source.folder.path().join("commit"), text).unwrap();
        source.git(&["hash-object", "-w", "-t", "commit", "commit"]).trim().to_owned()
    });
    assert_eq!(commits[0][..7], commits[1][..7]);
    let world = World::new();
    let _agent =
        world.start(&format!("staging_th_app_master_{}", &commits[0][..7]), &Program::from_profile(PROFILE));
    world.pull(0);
    let to = repository(&world);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(source.folder.path().join(".git"), to).unwrap();
    report(&world, &[])
        .assert_code(1)
        .assert_stderr_contains("is ambiguous")
        .assert_stderr_contains(&commits[0])
        .assert_stderr_contains(&commits[1]);
    let _unnamed = world.start("plain", &Program::from_profile(PROFILE));
    world.pull(0);
    let plain = world.root().join("plain/repo");
    fs::create_dir_all(plain.parent().unwrap()).unwrap();
    fs::rename(repository(&world), plain).unwrap();
    let output = world.run(&["report", "plain", "--offline", "--commit", &commits[0][..7]]).assert_code(1);
    output.assert_stderr_contains("is ambiguous").assert_stderr_contains(&commits[1]);

    // None of several stored commits is chosen at random either.
    let others = ["abcdef0123", "abcdef9999"].map(|commit| format!("staging_th_other_master_{commit}"));
    let _others = others.map(|name| world.start(&name, &Program::from_profile(PROFILE)));
    world.pull(0);
    let output = world.run(&["report", "other", "--commit", "abcdef"]).assert_code(1);
    output.assert_stderr_contains("is ambiguous; give more digits:\n  abcdef0123\n  abcdef9999");
}

#[test]
fn no_configuration_of_git_changes_a_report() {
    let (world, source, _agent) = pulled_service();
    source.clone_into(&world, &[]);
    // A branch has the name of the commit, and points to another one.
    let short = &source.commit[..10];
    let git = |arguments: &[&str]| {
        source.git(&[&["-C", repository(&world).to_str().unwrap()], arguments].concat()).trim().to_owned()
    };
    let empty = git(&["commit-tree", EMPTY_TREE, "-mempty"]);
    git(&["update-ref", &format!("refs/heads/{short}"), &empty]);
    git(&["replace", &source.commit, &empty]);
    fs::write(
        world.home().join(".gitconfig"),
        "[core]\n\tquotePath = true\n\tabbrev = 5\n\tpager = false\n[color]\n\tui = always\n[alias]\n\tls-tree = !false\n",
    )
    .unwrap();
    let mut command = world.command(&["report", "app"]);
    command.env("GIT_DIR", "/nowhere").env("GIT_OBJECT_DIRECTORY", "/nowhere").env("GIT_TRACE", "1");
    assert_eq!(crate::harness::output_of(&mut command).assert_code(0).stdout, TABLE);
}

#[test]
fn a_file_that_does_not_parse_is_named_and_the_rest_goes_on() {
    let source = Source::from_files(&[
        ("main.go", b"package main\n\nfunc main() {\n"),
        ("go.mod", b"module example.com/app\n"),
    ]);
    let world = World::new();
    let _agent = world.start(&source.service_name(), &Program::from_profile(PROFILE));
    world.pull(0);
    source.clone_into(&world, &["--bare"]);
    let output = report(&world, &[]).assert_code(0);
    assert_eq!(output.stdout, "total:\t(statements)\t0.0%\n");
    output.assert_stderr_contains(
        "example.com/app/main.go: does not parse, line 3: a bracket that is never closed",
    );
}

/// Collects the files of this project below a folder, with their paths from there.
fn fixture(folder: &Path, below: &str, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            fixture(&path, &format!("{name}/"), found);
        } else {
            found.push((name, fs::read(path).unwrap()));
        }
    }
}

#[test]
fn the_table_is_to_the_byte_what_go_tool_cover_prints() {
    if Go::installed("no report was compared with that of the real go tool cover").is_none() {
        return;
    }
    for folder in ["tests/fixtures/awkward", "examples/echo"] {
        let mut files = Vec::new();
        fixture(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), "", &mut files);
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
        let source = Source::from_files(&files);
        let go = |arguments: &[&str]| {
            let output =
                Command::new("go").args(arguments).current_dir(source.folder.path()).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
            text
        };
        go(&["test", "-covermode=count", "-coverpkg=./...", "-coverprofile=cover.out", "./..."]);
        // No build with coverage has these files: a byte order mark, a file without functions, functions of tests.
        let mut profile = fs::read_to_string(source.folder.path().join("cover.out")).unwrap();
        profile.extend(fs::read_to_string(source.folder.path().join("more.cov")));
        fs::write(source.folder.path().join("cover.out"), &profile).unwrap();
        let wanted = go(&["tool", "cover", "-func=cover.out"]);

        let world = World::new();
        let agent = world.start(&source.service_name(), &Program::from_profile(""));
        agent.behave(crate::sim::Behaviour::Body(profile.into_bytes()));
        world.pull(0);
        source.clone_into(&world, &["--bare"]);
        assert_eq!(report(&world, &[]).assert_code(0).stdout, wanted, "{folder}");
    }
}

#[test]
fn a_transfer_that_hangs_is_ended() {
    let (world, _source, _agent) = pulled_service();
    // The kernel accepts connections for the listener, and nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    world.configure(&format!(
        "[git]\nprotocols = [\"http\"]\ntimeout = \"3s\"\n[apps.app]\nrepo = \"http://{address}/r.git\"\n"
    ));
    report(&world, &[]).assert_code(1).assert_stderr_contains("git clone: did not finish within 3s");
    assert_eq!(fs::read_dir(world.root().join("goc-watchdog.tmp")).unwrap().count(), 0);
}

#[test]
fn a_signal_ends_a_transfer_with_all_its_programs() {
    let (world, _source, _agent) = pulled_service();
    let bin = world.home().join("bin");
    fs::create_dir(&bin).unwrap();
    // This ssh never ends, and writes down its process id.
    make_script(&bin.join("ssh"), "echo $$ >\"$HOME/ssh.pid\"\nexec cat /dev/zero >/dev/null\n");
    world.configure("[apps.app]\nrepo = \"ssh://git@host.invalid/app.git\"\n");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut child = world.command(&["report", "app"]).env("PATH", path).spawn().unwrap();
    let pid_file = world.home().join("ssh.pid");
    let ssh = loop {
        match fs::read_to_string(&pid_file) {
            Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
            _ => assert!(child.try_wait().unwrap().is_none(), "the report ended"),
        }
        thread::yield_now();
    };
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    while fs::read_to_string(format!("/proc/{ssh}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        thread::yield_now();
    }
    assert_eq!(fs::read_dir(world.root().join("goc-watchdog.tmp")).unwrap().count(), 0);
}

#[test]
fn credentials_of_a_url_are_used_and_neither_shown_nor_stored() {
    let (world, source, _agent) = pulled_service();
    let served = source.folder.path().join("r.git");
    source.git(&["clone", "--quiet", "--bare", ".", "r.git"]);
    source.git(&["--git-dir", "r.git", "update-server-info"]);
    let address = GitServer::start(served, "hush").address;
    let configure = |credentials: &str| {
        world.configure(&format!(
            "[git]\nprotocols = [\"http\"]\n[apps.app]\nrepo = \"http://{credentials}{address}/r.git\"\n"
        ));
    };
    configure("");
    report(&world, &[]).assert_code(1).assert_stderr_contains("could not read Username");
    configure("me:wrong@");
    let output = report(&world, &[]).assert_code(1).assert_stderr_contains("cannot clone");
    assert!(!output.stderr.contains("wrong"), "{}", output.stderr);
    configure("me:hush@");
    let output = report(&world, &["-v"]).assert_code(0).assert_stderr_contains("cloning http://127.0.0.1");
    assert_eq!(output.stdout, TABLE);
    assert!(!output.stderr.contains("hush"), "{}", output.stderr);
    for file in world.files("") {
        let is_ours = file.ends_with("goc-watchdog.toml");
        let text = fs::read(&file).unwrap();
        assert!(is_ours || !text.windows(4).any(|bytes| bytes == b"hush"), "{}", file.display());
    }
}
