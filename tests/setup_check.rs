//! `list --check`: the look over a set-up, which changes nothing.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::harness::git_server::answer_each;
use crate::harness::source::{Source, repository};
use crate::harness::{ECHO, Output, World, echo, output_of};
use crate::sim::{AfterAnswer, Agent, Request, Server, sized};
use crate::terminals::{assert_fits, run_at};

/// Returns level and text of the findings about this part.
fn found(output: &Output, check: &str) -> Vec<String> {
    let lines = output.stdout.lines().filter(|line| line.get(9..24).is_some_and(|part| part.trim() == check));
    lines.map(|line| format!("{} {}", line[..9].trim(), &line[24..])).collect()
}

/// Fails unless a part has one finding, which begins so.
#[track_caller]
fn assert_found(output: &Output, check: &str, start: &str) {
    let found = found(output, check);
    let is_so = matches!(&found[..], [only] if only.starts_with(start));
    assert!(is_so, "{check}: expected {start:?}, found {found:?} in\n{}", output.stdout);
}

/// Returns the check and the level of each finding in JSON.
fn levels(output: &Output) -> Vec<String> {
    let findings = output.json().remove(0);
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let level = |finding: &Value| format!("{} {}", word(finding, "check"), word(finding, "level"));
    findings.as_array().unwrap().iter().map(level).collect()
}

/// Makes a world with one process of a commit that the clone of its app has, and pulls.
fn well_set_up() -> (World, Source, Agent) {
    let (world, source) = (World::new(), Source::with_main());
    let agent = world.start(&source.service_name(), &echo());
    world.pull(0);
    source.clone_into(&world, &["--bare"]);
    (world, source, agent)
}

/// Returns the names of all files below a folder with their sizes.
fn files(folder: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        found.push((
            path.display().to_string(),
            if kind.is_dir() { 0 } else { entry.metadata().unwrap().len() },
        ));
        if kind.is_dir() {
            found.extend(files(&path));
        }
    }
    found.sort();
    found
}

#[test]
fn a_good_set_up_has_a_line_for_each_part_and_stays_as_it_is() {
    let (world, source, _agent) = well_set_up();
    world.configure("[pull]\nconcurrency = 4\n");
    let before = files(&world.root());
    let output = world.run(&["list", "--check"]);
    assert_eq!(files(&world.root()), before);
    let root = world.root().display().to_string();
    for (check, start) in [
        ("root", format!("ok {root}, 1 service")),
        ("owner", "ok user ".to_owned()),
        ("lock", "ok free".to_owned()),
        ("configuration", format!("ok {root}/goc-watchdog.toml is valid")),
        ("center", format!("ok {} lists 1 service, 1 address", world.center.url())),
        ("agent", "ok 1 of 1 address answers".to_owned()),
        ("repository", format!("ok app: the clone has {}", &source.commit[..10])),
        ("git", "ok version ".to_owned()),
        ("clock", "ok 20".to_owned()),
        ("names", "ok 1 name that centers list fit".to_owned()),
        ("timer", "ok the last pull was ".to_owned()),
    ] {
        assert_found(&output, check, &start);
    }
    // The disk of this machine may be full, so the level of this line is not compared.
    assert_eq!(found(&output, "free space").len(), 1);
    assert_eq!((output.code, output.stdout.lines().count()), (0, 12), "{}", output.stderr);
}

#[test]
fn json_has_the_same_findings_in_the_same_order() {
    let (world, _source, _agent) = well_set_up();
    let output = world.run(&["list", "--check", "--format", "json"]).assert_code(0);
    let mut levels = levels(&output);
    levels.retain(|level| !level.starts_with("free_space "));
    assert_eq!(
        levels,
        [
            "root ok",
            "owner ok",
            "lock ok",
            "configuration ok",
            "center ok",
            "agent ok",
            "repository ok",
            "git ok",
            "clock ok",
            "names ok",
            "timer ok"
        ]
    );
    let first = &output.json()[0][0];
    let message = format!("{}, 1 service", world.root().display());
    assert_eq!((&first["message"], &first["next_step"]), (&message.into(), &Value::Null));
    let file = world.home().join("check.json");
    world.run(&["list", "--check", "--format", "json", "-o", file.to_str().unwrap()]).assert_code(0);
    assert_eq!(serde_json::from_str::<Value>(&fs::read_to_string(file).unwrap()).unwrap()[0], *first);
}

#[test]
fn a_root_that_is_missing_is_told_and_not_made() {
    let (world, _agents) = World::with_echo(1);
    let output = world.run(&["list", "--check"]).assert_code(0);
    assert_found(
        &output,
        "root",
        &format!("warning {} does not exist; the first pull", world.root().display()),
    );
    assert_found(&output, "agent", "ok 1 of 1 address answers");
    assert_found(&output, "timer", "warning nothing was pulled yet; let cron");
    assert!(!world.root().exists());
    fs::create_dir(world.root()).unwrap();
    let output = world.run(&["list", "--check"]).assert_code(0);
    assert_found(&output, "lock", "ok not made yet");
    assert_eq!(files(&world.root()), []);
}

#[test]
fn a_file_in_the_place_of_the_root_fails() {
    let world = World::new();
    fs::write(world.root(), "").unwrap();
    let output = world.run(&["list", "--check"]).assert_code(1);
    assert_found(
        &output,
        "root",
        &format!("failed {} is not a folder; remove the file", world.root().display()),
    );
}

#[test]
fn a_configuration_that_is_not_valid_is_a_finding_among_others() {
    let (world, _source, _agent) = well_set_up();
    world.configure("[pull]\nconcurency = 4\n");
    let output = world.run(&["list", "--check"]).assert_code(1);
    assert_eq!(output.stderr, "");
    let file = world.root().join("goc-watchdog.toml").display().to_string();
    assert_found(
        &output,
        "configuration",
        &format!("failed {file}:2: unknown key \"concurency\" in [pull], did"),
    );
    assert_found(&output, "lock", "ok free");
    assert_found(&output, "timer", "ok the last pull was ");
    assert_eq!(found(&output, "center"), [""; 0]);
}

#[test]
fn a_center_that_is_down_fails_the_targets_and_without_known_addresses_the_pull() {
    let mut world = World::new();
    let agent = world.start(ECHO, &echo());
    world.center.stop();
    let output = world.run(&["list", "--check"]).assert_code(1);
    assert_found(
        &output,
        "center",
        &format!("failed {}: no connection: connection refused;", world.center.url()),
    );
    assert_found(&output, "agent", "warning no address is listed; start a service");
    world.center.start_again();
    world.pull(0);
    world.center.stop();
    let output = world.run(&["list", "--check"]).assert_code(3);
    assert_found(&output, "center", "failed http://");
    assert_found(&output, "agent", "ok 1 of 1 address answers");
    let output = world.run(&["list", "--check", "--offline"]).assert_code(0);
    assert_found(&output, "center", &format!("ok {} is not asked (--offline)", world.center.url()));
    assert_found(&output, "agent", "ok none is asked (--offline)");
    drop(agent);
}

#[test]
fn a_process_or_a_source_of_targets_that_fails_is_a_target_that_fails() {
    let (world, agents) = World::with_echo(2);
    world.pull(0);
    agents[1].kill();
    let output = world.run(&["list", "--check"]).assert_code(3);
    let expected = format!("failed 1 of 2 addresses answers, {}: no connection", agents[1].url());
    assert_found(&output, "agent", &expected);
    let missing = world.home().join("targets.json").display().to_string();
    let given = format!("pods={missing}");
    let output = world.run(&["list", "--check", "--targets", &given]).assert_code(3);
    assert_found(&output, "targets", &format!("failed \"pods\": cannot read \"{missing}\""));
}

#[test]
fn a_command_that_somebody_else_could_have_written_is_not_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let mark = world.home().join("mark");
    world.configure(&format!("[[targets]]\nname = \"pods\"\ncommand = [\"touch\", {mark:?}]\n"));
    let file = world.root().join("goc-watchdog.toml");
    fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
    let output = world.run(&["list", "--check"]).assert_code(1);
    assert_found(&output, "configuration", "failed a command of [[targets]] is run only where nobody but");
    assert!(!mark.exists());
}

#[test]
fn a_clone_without_the_commit_is_a_warning_and_nothing_is_fetched() {
    let (world, mut source, _agent) = well_set_up();
    fs::write(source.folder.path().join("new.go"), "package main\n").unwrap();
    source.commit_all();
    let next = world.start(&source.service_name(), &echo());
    let output = world.run(&["list", "--check"]).assert_code(0);
    let path = repository(&world).display().to_string();
    let commit = &source.commit[..10];
    assert_found(
        &output,
        "repository",
        &format!("warning app: {path} has no commit {commit}; a report fetches it"),
    );
    assert!(!world.root().join("app/repo.fetch").exists());
    fs::remove_dir_all(repository(&world)).unwrap();
    let output = world.run(&["list", "--check"]).assert_code(0);
    assert_found(
        &output,
        "repository",
        "warning app: no repository, so reports have no source; git clone --bare",
    );
    drop(next);
}

#[test]
fn a_lock_that_a_run_holds_and_a_timer_that_stopped_are_told() {
    let (world, _source, _agent) = well_set_up();
    let held = File::open(world.root().join("goc-watchdog.lock")).unwrap();
    held.lock().unwrap();
    let output = world.run(&["list", "--check"]).assert_code(0);
    assert_found(&output, "lock", "ok a run holds it");
    drop(held);
    world.execute(
        "UPDATE run SET started_at = '2020-01-01T00:00:00.000Z', ended_at = '2020-01-01T00:00:00.000Z'",
    );
    let output = world.run(&["list", "--check"]).assert_code(0);
    assert_found(&output, "timer", "warning the last pull was ");
    world.execute("UPDATE run SET ended_at = '2200-01-01T00:00:00.000Z'");
    let output = world.run(&["list", "--check"]).assert_code(0);
    assert!(
        found(&output, "clock")[0]
            .ends_with("the last pull stored 2200-01-01 00:00 UTC; set the clock (timedatectl, NTP)")
    );
}

#[test]
fn a_center_with_another_time_and_names_without_a_pattern_are_warnings() {
    let list = br#"{"billing": []}"#;
    let answer = move |request: &Request, stream: &mut TcpStream| {
        let date = "Date: Wed, 01 Jan 2020 00:00:00 GMT\r\n";
        let (status, body) = match request.path.as_str() {
            "/v1/cover/list" => ("200 OK", &list[..]),
            _ => ("404 Not Found", &b""[..]),
        };
        stream.write_all(&sized(status, date, body))?;
        Ok(AfterAnswer::Close)
    };
    let server = Server::start(([127, 0, 0, 1], 0).into(), Arc::new(answer)).unwrap();
    let url = format!("http://{}", server.address());
    let world = World::new();
    let output = world.run(&["list", "--check", "--center", &url]).assert_code(0);
    let clock = &found(&output, "clock")[0];
    assert!(
        clock.starts_with(&format!("warning the clock of {url} is ")) && clock.contains("d behind this one")
    );
    world.center.register_url("billing", "http://127.0.0.1:1");
    let output = world.run(&["list", "--check"]).assert_code(3);
    assert_found(
        &output,
        "names",
        "warning 1 of 1 fit no pattern, such as \"billing\"; set pattern in [naming]",
    );
}

#[test]
fn the_lines_fit_a_terminal() {
    let (world, _source, _agent) = well_set_up();
    world.configure("[pull]\nconcurency = 4\n");
    let (code, text) = run_at(&world, 80, &["list", "--check"]);
    assert_eq!(code, Some(1));
    assert_fits(&text, 80);
    assert!(
        text.contains("\n                        ") && text.contains("ok       lock           free\n"),
        "{text}"
    );
}

#[test]
fn a_check_takes_no_service_and_has_no_metrics() {
    let world = World::new();
    world.run(&["list", "--check", "cart"]).assert_code(2).assert_stderr_contains("cannot be used with");
    world
        .run(&["list", "--check", "--format", "prometheus"])
        .assert_code(2)
        .assert_stderr_contains("--check has no Prometheus form");
}

#[test]
fn a_repository_that_is_not_cloned_yet_is_asked_under_the_rules_of_a_clone() {
    let (world, source, _agent) = well_set_up();
    fs::remove_dir_all(repository(&world)).unwrap();
    let path = source.folder.path().display().to_string();
    let configure = |protocol: &str, repo: &str| {
        world.configure(&format!("[git]\nprotocols = [\"{protocol}\"]\n[apps.app]\nrepo = \"{repo}\"\n"));
    };
    configure("file", &path);
    let output = world.run(&["list", "--check"]).assert_code(0);
    assert_found(&output, "repository", &format!("ok app: the first report clones {path}, which answers"));
    let output = world.run(&["list", "--check", "--offline"]).assert_code(0);
    assert_found(
        &output,
        "repository",
        &format!("ok app: the first report clones {path}, which is not asked"),
    );
    assert!(!repository(&world).exists());
    // HEAD of the repository names a branch that it does not have.
    source.git(&["checkout", "--quiet", "--orphan", "empty"]);
    let output = world.run(&["list", "--check"]).assert_code(0);
    assert_found(&output, "repository", &format!("ok app: the first report clones {path}, which answers"));
    let empty = world.home().join("empty.git").display().to_string();
    source.git(&["init", "--quiet", "--bare", &empty]);
    let page = answer_each(|_, stream| drop(stream.write_all(&sized("200 OK", "", b"<html>welcome</html>"))));
    let page = format!("http://{page}/shop.git");
    for (protocol, url) in [("file", &empty), ("http", &page)] {
        configure(protocol, url);
        assert_found(
            &world.run(&["list", "--check"]).assert_code(0),
            "repository",
            &format!(
                "warning app: {url} answers and has no commit; push the commits there, or correct repo in [apps.app]"
            ),
        );
    }
    configure("file", &format!("{path}/gone"));
    let output = world.run(&["list", "--check"]).assert_code(0);
    let found = &found(&output, "repository")[0];
    assert!(
        found.starts_with(&format!("warning app: cannot clone \"{path}/gone\": git ls-remote: ")),
        "{found}"
    );
    assert!(found.contains("check repo in [apps.app]"), "{found}");
    configure("https", "http://git.example/x.git");
    for arguments in [&["list", "--check"][..], &["list", "--check", "--offline"]] {
        assert_found(
            &world.run(arguments).assert_code(0),
            "repository",
            "warning app: cannot clone \"http://git.example/x.git\": git ls-remote: transport 'http' not allowed; protocols \
             in [git] lacks \"http\": add it, if the network is trusted",
        );
    }
}

#[test]
fn an_app_of_the_configuration_that_no_service_has_is_told() {
    let (world, _source, _agent) = well_set_up();
    world.configure("[apps.apq]\nfail_under = 80\n");
    let output = world.run(&["list", "--check"]).assert_code(0);
    assert_eq!(
        found(&output, "names")[1],
        "warning no service has the app of [apps.apq] in goc-watchdog.toml, did you mean \"app\"?"
    );
}

#[test]
fn targets_of_an_earlier_run_are_told_with_whether_their_file_is_there() {
    let (world, _agents) = World::with_echo(1);
    let list = world.home().join("t.json");
    fs::write(
        &list,
        format!("[{{\"targets\": [\"127.0.0.1:1\"], \"labels\": {{\"service\": \"{ECHO}\"}}}}]"),
    )
    .unwrap();
    let without_center = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        output_of(command.env_remove("GOC_CENTER"))
    };
    without_center(&["pull", "--targets", "t.json"]).assert_code(3);
    let path = list.canonicalize().unwrap().display().to_string();
    let output = without_center(&["list", "--check"]).assert_code(3);
    assert_found(
        &output,
        "targets",
        &format!(
            "ok \"{path}\" listed 1 service, 1 address at an earlier run, and is not read; give it to this check"
        ),
    );
    let agent = &found(&output, "agent")[0];
    assert!(agent.ends_with(&format!(
        "whoever writes the targets \"{path}\" leave it out (prune removes nothing there)"
    )));
    assert!(
        output.stdout.ends_with("exit code 3: pull works, and some targets fail (agent)\n"),
        "{}",
        output.stdout
    );
    fs::remove_file(list).unwrap();
    let output = without_center(&["list", "--check"]).assert_code(3);
    assert_found(
        &output,
        "targets",
        &format!("warning \"{path}\" listed 1 service, 1 address at an earlier run"),
    );
    assert!(found(&output, "targets")[0].contains("the file is gone"));
}

#[test]
fn a_fact_is_told_once() {
    let (world, _source, _agent) = well_set_up();
    world.center.register_url("billing", "http://127.0.0.1:1");
    let output = world.run(&["list", "--check"]).assert_code(3);
    assert_found(&output, "names", "warning 1 of 2 fit no pattern, such as \"billing\"");
    assert_eq!(found(&output, "repository").len(), 1, "{}", output.stdout);
    let mut without_git = world.command(&["list", "--check"]);
    let output = output_of(without_git.env("PATH", world.home())).assert_code(3);
    assert_found(&output, "git", "warning cannot run git: no folder of PATH has it; install git");
    assert_eq!(output.stdout.matches("install git").count(), 1, "{}", output.stdout);
}
