//! Rebuilds that only rename, remove or add files do not contradict the old build; the addresses tell that they are
//! another build. A server and a worker of one service that run side by side stay one.

use crate::harness::{ECHO, World};
use crate::sim::{Agent, Behaviour, Program};

const MAIN_FILE: &str = "example.com/app/main.go:3.13,5.2 2\n";
const A_FILE: &str = "example.com/app/a.go:3.10,5.2 1\nexample.com/app/a.go:7.10,9.2 1\n";
const B_FILE: &str = "example.com/app/b.go:3.10,5.2 1\nexample.com/app/b.go:7.10,9.2 1\n";
const SERVER_FILE: &str = "example.com/app/server/s.go:3.10,5.2 1\n";
const WORKER_FILE: &str = "example.com/app/worker/w.go:3.10,5.2 1\n";

fn program_of_files(files: &[&str]) -> Program {
    Program::from_profile(&files.concat())
}

impl World {
    /// Returns the total of the service, and the count of each block of its latest profile by file name.
    fn total_and_counts(&self, service: &str) -> (String, String) {
        let total = self.run(&["total", service]).assert_code(0).stdout.trim_end().to_owned();
        let latest = "SELECT cov_file_path FROM goc_o_staging_service_cover WHERE is_latest = 'y'";
        let text = std::fs::read_to_string(self.root().join(self.query::<String>(latest))).unwrap();
        let block = |line: &str| {
            let (file, block) = line.rsplit_once('/').unwrap().1.split_once(".go:").unwrap();
            format!("{file}={}", block.rsplit_once(' ').unwrap().1)
        };
        (total, text.lines().skip(1).map(block).collect::<Vec<_>>().join(" "))
    }

    fn build_count(&self, status: &str) -> i64 {
        self.query(&format!(
            "SELECT count(DISTINCT structure_id) FROM edition JOIN generation ON edition.id = edition_id
             WHERE status = '{status}'"
        ))
    }
}

/// Makes a service of one process that executed all of `main.go` and the first block of `a.go`.
fn pulled_service(service: &str) -> (World, Agent) {
    let world = World::new();
    let agent = world.start(service, &program_of_files(&[MAIN_FILE, A_FILE]));
    agent.hit(&[0, 1], 5);
    world.pull(0);
    assert_eq!(world.total_and_counts(service), ("75.0".to_owned(), "a=5 a=0 main=5".to_owned()));
    (world, agent)
}

#[test]
fn a_renamed_file_is_another_build_and_the_old_files_go_to_the_history() {
    for service in ["echoserver", "staging_th_app_main_1234567"] {
        let (world, agent) = pulled_service(service);
        agent.run(&program_of_files(&[MAIN_FILE, B_FILE]));
        world.pull(0).assert_stderr_contains("replaced build");
        assert_eq!(world.total_and_counts(service), ("0.0".to_owned(), "b=0 b=0 main=0".to_owned()));
        agent.hit(&[0, 1], 1);
        let output = world.pull(0);
        assert!(!output.stderr.contains("replaced build"), "{}", output.stderr);
        assert_eq!(world.total_and_counts(service), ("75.0".to_owned(), "b=1 b=0 main=1".to_owned()));
        assert_eq!((world.build_count("current"), world.build_count("former")), (1, 1));
        assert_eq!(world.query::<i64>("SELECT count(*) FROM generation WHERE closed_at IS NOT NULL"), 1);
        world.assert_consistent();
    }
}

#[test]
fn a_removed_file_and_an_added_one_are_another_build() {
    let (world, agent) = pulled_service(ECHO);
    agent.run(&program_of_files(&[MAIN_FILE]));
    agent.hit(&[0], 1);
    let output = world.run(&["pull", ECHO, "--format", "json"]).assert_code(0).json();
    assert!(
        output[0]["adopted"]["from"].is_string() && output[0]["adopted"]["to"].is_string(),
        "{}",
        output[0]
    );
    assert_eq!(world.total_and_counts(ECHO), ("100.0".to_owned(), "main=1".to_owned()));
    agent.run(&program_of_files(&[MAIN_FILE, B_FILE]));
    world.pull(0).assert_stderr_contains("replaced build");
    assert_eq!(world.total_and_counts(ECHO), ("0.0".to_owned(), "b=0 b=0 main=0".to_owned()));
}

#[test]
fn a_rolling_deploy_is_one_build_until_nobody_serves_the_old_files_any_more() {
    let (world, first) = pulled_service(ECHO);
    world.configure("[pull]\nchange = \"counts\"\n");
    let second = world.start(ECHO, &program_of_files(&[MAIN_FILE, A_FILE]));
    let third = world.start(ECHO, &program_of_files(&[MAIN_FILE, A_FILE]));
    world.pull(0);
    first.run(&program_of_files(&[MAIN_FILE, B_FILE]));
    world.pull(0);
    assert_eq!(world.total_and_counts(ECHO).1, "a=5 a=0 b=0 b=0 main=5");
    second.run(&program_of_files(&[MAIN_FILE, B_FILE]));
    second.hit(&[0], 1);
    world.pull(0);
    assert_eq!(world.total_and_counts(ECHO).1, "a=5 a=0 b=0 b=0 main=6");
    // The last process of the old build leaves, and the others answer as before.
    world.center.remove(&third.url());
    world.pull(0).assert_stderr_contains("replaced build");
    assert_eq!(world.total_and_counts(ECHO), ("50.0".to_owned(), "b=0 b=0 main=1".to_owned()));
    world.assert_consistent();
}

#[test]
fn a_server_and_a_worker_that_changed_places_stay_one_when_one_of_them_fails() {
    let world = World::new();
    let [one, other] = [
        world.start(ECHO, &program_of_files(&[MAIN_FILE, SERVER_FILE])),
        world.start(ECHO, &program_of_files(&[MAIN_FILE, WORKER_FILE])),
    ];
    other.hit(&[1], 1);
    world.pull(0);
    one.run(&program_of_files(&[MAIN_FILE, WORKER_FILE]));
    other.run(&program_of_files(&[MAIN_FILE, SERVER_FILE]));
    world.pull(0);
    let before = world.total_and_counts(ECHO);
    for failing in [&one, &other] {
        failing.behave(Behaviour::Status("503 Service Unavailable", ""));
        world.pull(3);
        assert_eq!(world.total_and_counts(ECHO), before);
        failing.behave(Behaviour::Normal);
        world.pull(0);
    }
    assert_eq!((world.total_and_counts(ECHO), world.build_count("former")), (before, 0));
}

#[test]
fn a_worker_that_was_rebuilt_is_shown_beside_the_server_that_stayed() {
    let world = World::new();
    let server = world.start(ECHO, &program_of_files(&[MAIN_FILE, SERVER_FILE]));
    let worker = world.start(ECHO, &program_of_files(&[MAIN_FILE, WORKER_FILE]));
    server.hit(&[0, 1], 1);
    worker.hit(&[0, 1], 2);
    world.pull(0);
    assert_eq!(world.total_and_counts(ECHO).1, "main=3 s=1 w=2");
    worker.run(&program_of_files(&[MAIN_FILE, WORKER_FILE, A_FILE]));
    worker.hit(&[1], 4);
    world.pull(0).assert_stderr_contains("replaced build");
    assert_eq!(world.total_and_counts(ECHO).1, "a=0 a=0 main=1 s=1 w=4");
    // Restarts of both change nothing.
    server.restart();
    worker.restart();
    world.pull(0);
    assert_eq!(world.total_and_counts(ECHO).1, "a=0 a=0 main=1 s=1 w=4");
    assert_eq!((world.build_count("current"), world.build_count("former")), (2, 1));
    world.assert_consistent();
}

#[test]
fn a_build_that_comes_back_has_all_of_its_counters() {
    let (world, agent) = pulled_service(ECHO);
    agent.run(&program_of_files(&[MAIN_FILE, B_FILE]));
    agent.hit(&[1], 7);
    world.pull(0);
    agent.run(&program_of_files(&[MAIN_FILE, A_FILE]));
    agent.hit(&[0], 1);
    world.pull(0).assert_stderr_contains("replaced build");
    assert_eq!(world.total_and_counts(ECHO), ("75.0".to_owned(), "a=5 a=0 main=6".to_owned()));
    agent.run(&program_of_files(&[MAIN_FILE, B_FILE]));
    world.pull(0).assert_stderr_contains("replaced build");
    assert_eq!(world.total_and_counts(ECHO), ("25.0".to_owned(), "b=7 b=0 main=0".to_owned()));
    // Two editions exist, however often the builds change.
    assert_eq!(world.query::<i64>("SELECT count(*) FROM edition"), 2);
    world.assert_consistent();
}

#[test]
fn a_worker_that_was_silent_is_shown_again_once_it_answers_beside_the_server() {
    let world = World::new();
    // The worker had the server's port before.
    let server = world.start(ECHO, &program_of_files(&[MAIN_FILE, WORKER_FILE]));
    let worker = world.start(ECHO, &program_of_files(&[MAIN_FILE, WORKER_FILE]));
    server.hit(&[1], 1);
    worker.hit(&[1], 2);
    world.pull(0);
    server.run(&program_of_files(&[MAIN_FILE, SERVER_FILE]));
    server.hit(&[1], 1);
    world.pull(0);
    assert_eq!(world.total_and_counts(ECHO).1, "main=0 s=1 w=3");
    worker.kill();
    world.pull(3);
    assert_eq!(world.total_and_counts(ECHO).1, "main=0 s=1");
    worker.revive();
    world.pull(0);
    assert_eq!(world.total_and_counts(ECHO).1, "main=0 s=1 w=3");
    world.assert_consistent();
}

#[test]
fn sets_of_files_that_no_address_served_one_after_the_other_stay_one() {
    let (world, agent) = pulled_service(ECHO);
    // The new pod has an address of its own, as in Kubernetes.
    world.center.remove(&agent.url());
    let next = world.start(ECHO, &program_of_files(&[MAIN_FILE, B_FILE]));
    next.hit(&[1], 1);
    world.pull(0);
    world.pull(0);
    assert_eq!(world.total_and_counts(ECHO).1, "a=5 a=0 b=1 b=0 main=5");
}

#[test]
fn where_adoption_is_switched_off_the_files_of_both_builds_are_shown() {
    let (world, agent) = pulled_service(ECHO);
    world.configure("[pull]\nadopt = false\n");
    agent.run(&program_of_files(&[MAIN_FILE, B_FILE]));
    world.pull(0);
    assert_eq!(world.total_and_counts(ECHO).1, "a=5 a=0 b=0 b=0 main=5");
}

#[test]
fn a_profile_without_files_replaces_nothing() {
    let (world, agent) = pulled_service(ECHO);
    agent.run(&program_of_files(&[]));
    world.pull(0);
    assert_eq!(world.total_and_counts(ECHO).1, "a=5 a=0 main=5");
}

#[test]
fn a_late_snapshot_of_a_build_that_was_replaced_goes_to_the_history() {
    let (world, agent) = pulled_service(ECHO);
    agent.hit(&[2], 1);
    let snapshot = world.leave_snapshot(&agent.url(), ECHO);
    let late = world.home().join("late");
    std::fs::rename(&snapshot, &late).unwrap();
    agent.run(&program_of_files(&[MAIN_FILE, B_FILE]));
    world.pull(0).assert_stderr_contains("replaced build");
    std::fs::rename(&late, &snapshot).unwrap();
    world.pull(3);
    assert_eq!(world.total_and_counts(ECHO).1, "b=0 b=0 main=0");
    // Nothing is lost: the counters belong to the build that comes back.
    agent.run(&program_of_files(&[MAIN_FILE, A_FILE]));
    world.pull(0).assert_stderr_contains("replaced build");
    assert_eq!(world.total_and_counts(ECHO).1, "a=5 a=1 main=5");
    world.assert_consistent();
}
