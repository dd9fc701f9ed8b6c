//! Too few threads: the work is done with those that can be had, and nothing waits for the others.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::users::{can_change_user, change_owner, unused_user};
use crate::harness::{Output, PANICKED, SHORT_PAUSES, World, output_of};
use crate::sim::Agent;

const SERVICES: usize = 20;
const WARNING: &str = "goc-watchdog: warning: a thread could not be started";
/// The exit code of `timeout` when it had to end a program.
const TIMED_OUT: i32 = 124;
/// A world whose commands run as a user of their own, whose number of threads is limited.
struct ThreadLimit {
    world: World,
    agents: Vec<Agent>,
    user: u32,
    binary: PathBuf,
}

impl ThreadLimit {
    /// Needs root, since the kernel counts the threads of each user, and root's have no limit.
    fn new() -> Option<Self> {
        if !can_change_user() {
            return None;
        }
        let user = unused_user();
        let (world, agents) = World::with_services(SERVICES);
        let binary = world.install_binary();
        change_owner(world.home(), user);
        Some(Self { world, agents, user, binary })
    }

    /// Runs a command with this many threads at most, its first one included.
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

    /// Fails unless the command ended with one of these codes, in time, without a panic, and with at most one warning.
    #[track_caller]
    fn run_and_check(&self, threads: usize, arguments: &[&str], codes: &[i32]) -> Output {
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

#[test]
fn a_pull_stores_everything_with_the_threads_that_it_gets() {
    let Some(limit) = ThreadLimit::new() else { return };
    for (run, threads) in (1..=14).chain([40]).enumerate() {
        for agent in &limit.agents {
            agent.hit(&[0], 1);
        }
        let pull = ["pull", "--force", "--change=counts", "--concurrency=14"];
        let output = limit.run_and_check(threads, &pull, &[0]);
        assert_eq!(output.stderr.contains(WARNING), threads <= 14, "{threads}: {}", output.stderr);
        let rows: usize = limit.world.row_count();
        assert_eq!(rows, (run + 1) * SERVICES);
    }
    limit.world.assert_consistent();
}

#[test]
fn a_name_is_looked_up_without_a_thread_of_its_own() {
    let Some(limit) = ThreadLimit::new() else { return };
    let center = limit.world.center.url().replace("127.0.0.1", "localhost");
    for threads in 1..=3 {
        limit.run_and_check(threads, &["pull", "--force", "--concurrency=1", "--center", &center], &[0]);
    }
}

#[test]
fn prune_removes_the_dead_with_the_threads_that_it_gets() {
    let Some(limit) = ThreadLimit::new() else { return };
    limit.world.configure(SHORT_PAUSES);
    change_owner(limit.world.home(), limit.user);
    limit.run_and_check(64, &["pull"], &[0]);
    for threads in 1..=8 {
        limit.agents[threads].kill();
        limit.run_and_check(threads, &["prune", "--concurrency=14"], &[0]);
        limit.world.let_minutes_pass(6);
        limit.run_and_check(threads, &["prune", "--concurrency=14"], &[0]);
        assert_eq!(limit.world.center.removals().len(), threads, "{threads} threads");
        limit.run_and_check(threads, &["prune", "--dry-run", "--ping=http://localhost:9/"], &[0, 2]);
    }
}

#[test]
fn reports_and_the_site_are_written_with_the_threads_that_there_are() {
    let Some(limit) = ThreadLimit::new() else { return };
    limit.run_and_check(64, &["pull"], &[0]);
    let page = limit.world.home().join("page.html");
    let site = limit.world.home().join("site");
    let [page, site] = [&page, &site].map(|path| path.to_str().unwrap());
    for threads in 1..=8 {
        // Reading source needs the program and two gits, and no further thread. The first git may have ended when the
        // second one starts.
        let codes: &[i32] = match threads {
            1 => &[1, 3],
            2 => &[0, 1, 3],
            _ => &[0],
        };
        let output = limit.run_and_check(threads, &["report", "app0", "--format", "html", "-o", page], codes);
        assert!(
            output.code == 0 || output.stderr.contains("cannot run git: "),
            "{threads}: {}",
            output.stderr
        );
        limit.run_and_check(threads, &["report", "--all", "--format", "site", "-o", site], codes);
    }
}
