//! Too few threads: the work is done with those that can be had, and nothing waits for the others.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::source::Source;
use crate::harness::{Output, World, can_change_user, output_of, unused_user};
use crate::sim::Agent;

const SERVICES: usize = 20;
const WARNING: &str = "goc-watchdog: warning: a thread could not be started";
/// The code of `timeout` where it had to end a program.
const TIMED_OUT: i32 = 124;
const PANICKED: i32 = 101;

/// A world whose commands run as a user of their own, of whom so many threads may run at the same time.
struct Limited {
    world: World,
    agents: Vec<Agent>,
    user: u32,
    binary: PathBuf,
}

impl Limited {
    /// Needs root: the kernel counts the threads of a user, and root's have no limit.
    fn new() -> Option<Self> {
        if !can_change_user() {
            return None;
        }
        let user = unused_user();
        let world = World::new();
        let source =
            Source::from_files(&[("go.mod", b"module example.com/m\n"), ("a.go", SOURCE.as_bytes())]);
        let commit = &source.commit[..10];
        let profile = "example.com/m/a.go:3.13,5.2 1 1\nexample.com/m/a.go:7.13,9.2 1 0";
        let name = |service: usize| format!("staging_th_app{service}_master_{commit}");
        let agents = (0..SERVICES).map(|service| world.start_counted(&name(service), profile)).collect();
        let binary = world.install_binary();
        fs::create_dir_all(world.root().join("app0")).unwrap();
        let repository = world.root().join("app0/repo");
        source.git(&[
            "clone",
            "--quiet",
            source.folder.path().to_str().unwrap(),
            repository.to_str().unwrap(),
        ]);
        give(world.home(), user);
        Some(Self { world, agents, user, binary })
    }

    /// Runs a command with so many threads at most, this process's first among them.
    fn run(&self, threads: usize, arguments: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        self.world.set_environment(&mut command);
        command
            .args(["300", "setpriv", &format!("--reuid={0}", self.user), &format!("--regid={0}", self.user)])
            .args(["--clear-groups", "bash", "-c", "ulimit -u \"$0\" && exec \"$@\"", &threads.to_string()])
            .arg(&self.binary)
            .args(arguments);
        output_of(&mut command)
    }

    /// Fails unless it ended so, in time, without a panic, and with one warning where threads were too few.
    #[track_caller]
    fn ends(&self, threads: usize, arguments: &[&str], codes: &[i32]) -> Output {
        let output = self.run(threads, arguments);
        let told = format!("{threads} threads, {arguments:?}: {output:?}");
        assert!(
            output.code != TIMED_OUT && output.code != PANICKED && codes.contains(&output.code),
            "{told}"
        );
        assert!(output.stderr.matches(WARNING).count() <= 1, "{told}");
        assert!(!output.stderr.contains("panicked"), "{told}");
        output
    }
}

const SOURCE: &str = "package m\n\nfunc A() {\n\tprintln(1)\n}\n\nfunc B() {\n\tprintln(2)\n}\n";

fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), user);
        }
    }
}

#[test]
fn a_pull_stores_everything_with_the_threads_that_it_gets() {
    let Some(limited) = Limited::new() else { return };
    for (run, threads) in (1..=14).chain([40]).enumerate() {
        for agent in &limited.agents {
            agent.hit(&[0], 1);
        }
        let pull = ["pull", "--force", "--change=counts", "--concurrency=14"];
        let output = limited.ends(threads, &pull, &[0]);
        assert_eq!(output.stderr.contains(WARNING), threads <= 14, "{threads}: {}", output.stderr);
        let rows: usize = limited.world.query("SELECT count(*) FROM goc_o_staging_service_cover");
        assert_eq!(rows, (run + 1) * SERVICES);
    }
    limited.world.assert_consistent();
}

#[test]
fn a_name_is_looked_up_without_a_thread_of_its_own() {
    let Some(limited) = Limited::new() else { return };
    let center = limited.world.center.url().replace("127.0.0.1", "localhost");
    for threads in 1..=3 {
        limited.ends(threads, &["pull", "--force", "--concurrency=1", "--center", &center], &[0]);
    }
}

#[test]
fn prune_removes_the_dead_with_the_threads_that_it_gets() {
    let Some(limited) = Limited::new() else { return };
    limited.world.configure("[prune]\npauses = [\"1ms\"]\nrecheck = [\"0s\"]\n");
    give(limited.world.home(), limited.user);
    limited.ends(64, &["pull"], &[0]);
    for threads in 1..=8 {
        limited.agents[threads].kill();
        limited.ends(threads, &["prune", "--concurrency=14"], &[0]);
        limited.world.minutes_pass(6);
        limited.ends(threads, &["prune", "--concurrency=14"], &[0]);
        assert_eq!(limited.world.center.removals().len(), threads, "{threads} threads");
        limited.ends(threads, &["prune", "--dry-run", "--ping=http://localhost:9/"], &[0, 2]);
    }
}

#[test]
fn reports_and_the_site_are_written_with_the_threads_that_there_are() {
    let Some(limited) = Limited::new() else { return };
    limited.ends(64, &["pull"], &[0]);
    let page = limited.world.home().join("page.html");
    let site = limited.world.home().join("site");
    let [page, site] = [&page, &site].map(|path| path.to_str().unwrap());
    for threads in 1..=8 {
        // The program and two gits at the same time are needed to read source, and no thread.
        let codes: &[i32] = if threads < 3 { &[1, 3] } else { &[0] };
        let output = limited.ends(threads, &["report", "app0", "--format", "html", "-o", page], codes);
        assert!(
            output.code == 0 || output.stderr.contains("cannot run git: "),
            "{threads}: {}",
            output.stderr
        );
        limited.ends(threads, &["report", "--all", "--format", "site", "-o", site], codes);
    }
}
