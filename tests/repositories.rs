//! Where source comes from: clones of anybody's, and other machines.

use std::fs;
use std::path::Path;

use crate::harness::World;
use crate::harness::git_server::{GitServer, Hold};
use crate::harness::source::Source;
use crate::sim::{Agent, Program};

const MAIN: &str = "package main\n\nfunc main() {\n\trun()\n}\n\nfunc run() {\n\tprintln()\n}\n";
const PROFILE: &str = "example.com/app/main.go:3.13,5.2 1 0\nexample.com/app/main.go:7.12,9.2 1 0\n";
const TABLE: &str = "example.com/app/main.go:3:\tmain\t\t0.0%\nexample.com/app/main.go:7:\trun\t\t0.0%\n\
                     total:\t\t\t\t(statements)\t0.0%\n";

/// One service of two functions, pulled, and its repository.
fn pulled() -> (World, Source, Agent) {
    let source = Source::of(&[("main.go", MAIN.as_bytes()), ("go.mod", b"module example.com/app\n")]);
    let world = World::new();
    let agent = world.start(&source.service(), &Program::of(PROFILE));
    world.pull(0);
    (world, source, agent)
}

/// Makes the bare repository that a server has of a source.
fn published(source: &Source) -> std::path::PathBuf {
    let served = source.folder.path().join("r.git");
    if !served.exists() {
        source.git(&["clone", "--quiet", "--bare", ".", "r.git"]);
    }
    source.git(&["--git-dir", "r.git", "fetch", "--quiet", ".", "+refs/heads/*:refs/heads/*"]);
    source.git(&["--git-dir", "r.git", "update-server-info"]);
    served
}

/// The arguments of each process of this machine.
fn arguments_of_all() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline"));
    let arguments = processes.filter_map(|path| fs::read(path).ok());
    arguments.map(|arguments| String::from_utf8_lossy(&arguments).replace('\0', " ")).collect()
}

/// Fails where a process shows the password while a transfer is in the middle; ends when `is_done` says so.
#[track_caller]
fn no_process_shows(password: &str, address: &str, hold: &Hold, mut is_done: impl FnMut() -> bool) {
    use std::sync::mpsc::RecvTimeoutError::Timeout;
    let mut looked = 0;
    while !is_done() {
        match hold.reached.recv_timeout(std::time::Duration::from_millis(20)) {
            Err(Timeout) => continue,
            reached => reached.unwrap(),
        }
        let shown = arguments_of_all();
        let is_transfer =
            |arguments: &&String| arguments.contains("git-remote-http") && arguments.contains(address);
        assert!(shown.iter().any(|arguments| is_transfer(&arguments)), "the transfer is held");
        let telling: Vec<&String> = shown.iter().filter(|arguments| arguments.contains(password)).collect();
        assert!(telling.is_empty(), "{telling:?}");
        looked += 1;
        hold.go_on.send(()).unwrap();
    }
    assert!(looked > 2, "{looked} requests were looked at");
}

#[test]
fn no_process_shows_the_password_of_a_repository_while_it_is_cloned_and_fetched() {
    let (world, mut source, _agent) = pulled();
    // Other tests on this machine have passwords, too.
    let password = format!("hush{}", std::process::id());
    let (server, hold) = GitServer::start_held(published(&source), &password);
    world.configure(&format!(
        "[git]\nprotocols = [\"http\"]\n[apps.app]\nrepo = \"http://me:{password}@{}/r.git\"\n",
        server.address
    ));
    let report = |service: &str| {
        let mut child = world.spawn(&["report", service]);
        no_process_shows(&password, &server.address, &hold, || child.try_wait().unwrap().is_some());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), TABLE);
    };
    report("app");
    source.git(&["commit", "--quiet", "--allow-empty", "--message=on"]);
    source.commit = source.head();
    published(&source);
    let _second = world.start(&source.service(), &Program::of(PROFILE));
    world.pull(0);
    report(&source.service());
    assert!(server.authorizations().len() > 2, "the server was given it");
    for file in world.files("") {
        let is_ours = file.ends_with("goc-watchdog.toml");
        assert!(is_ours || !holds(&file, password.as_bytes()), "{}", file.display());
    }
}

fn holds(file: &Path, part: &[u8]) -> bool {
    fs::read(file).unwrap().windows(part.len()).any(|bytes| bytes == part)
}
