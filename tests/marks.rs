//! `pull SERVICE --mark NAME`: rows of now that a person names, and the commands that know the names.

use serde_json::{Value, json};

use crate::crash::{has_strace, killed_at};
use crate::harness::{ECHO, MAIN_BLOCK, NEXT_ECHO, Output, PING_BLOCK, World, echo};
use crate::sim::{Agent, Behaviour};

const OTHER: &str = "staging_th_other_master_845820727e";

impl World {
    fn mark(&self, service: &str, name: &str) -> Output {
        self.run(&["pull", service, "--mark", name])
    }

    /// Returns the marks of the rows of the echo service, the oldest row first.
    fn marks(&self) -> Vec<Value> {
        let history = self.run(&["history", "echoserver", "--format", "json"]).assert_code(0).json();
        history[0].as_array().unwrap().iter().map(|row| row["mark"].clone()).collect()
    }
}

#[test]
fn a_mark_names_a_row_of_now_whether_counts_moved_or_not() {
    let (world, agents) = World::with_pulled_echo();
    let output = world.mark("echoserver", "before").assert_code(0);
    output.assert_stderr_contains(&format!("{ECHO}: row 2 has the mark \"before\", of 1 replica"));
    agents[0].hit(&[MAIN_BLOCK], 7);
    let pulled =
        world.run(&["pull", "echoserver", "--mark", "after", "--format", "json"]).assert_code(0).json();
    assert_eq!([&pulled[0]["result"], &pulled[0]["marked_row"]], [&json!("unchanged"), &json!(3)]);
    agents[0].hit(&[PING_BLOCK], 1);
    let pulled = world.run(&["pull", "echoserver", "--format", "json"]).assert_code(0).json();
    assert_eq!([&pulled[0]["result"], &pulled[0]["marked_row"]], [&json!("changed"), &json!(null)]);

    assert_eq!(world.marks(), [json!(null), json!("before"), json!("after"), json!(null)]);
    let history = world.run(&["history", "echoserver"]).assert_code(0).stdout;
    assert!(history.lines().next().unwrap().contains("MARK"), "{history}");
    let profile = |mark| {
        let options = ["report", "echoserver", "--id", mark, "--format", "profile", "-q"];
        world.run(&options).assert_code(0).stdout
    };
    assert!(profile("before").contains("main.go:10.13,12.2 2 1\n"), "{}", profile("before"));
    assert!(profile("after").contains("main.go:10.13,12.2 2 8\n"), "{}", profile("after"));
    assert_eq!(profile("2"), profile("before"));
    world
        .run(&["report", "echoserver", "--id", "later", "--format", "profile"])
        .assert_code(1)
        .assert_stderr_contains(
            "no row of apa_goc_echoserver in staging th has the mark \"later\" (goc-watchdog history",
        );
    world.assert_consistent();
}

#[test]
fn a_name_that_reads_as_a_row_a_duration_or_a_time_is_refused() {
    let (world, _agents) = World::with_pulled_echo();
    for name in ["12", "2h", "15M", "2026-11-30", "2026-11-30T12:00:00Z", "-"] {
        world.run(&["pull", "echoserver", &format!("--mark={name}")]).assert_code(2);
    }
    world.run(&["pull", "--mark", "A"]).assert_code(2).assert_stderr_contains("<SERVICE>");
    assert_eq!(world.row_count(), 1);
}

#[test]
fn an_app_has_each_name_once_at_all_its_commits_and_another_app_may_have_it() {
    let (world, _agents) = World::with_two_commits();
    let _other = world.start(OTHER, &echo());
    world.mark(ECHO, "A").assert_code(0);
    let rows = world.row_count();
    for service in [ECHO, NEXT_ECHO, "other echoserver"] {
        let services: Vec<_> = service.split(' ').collect();
        let output = world.run(&[&["pull"][..], &services, &["--mark", "A"]].concat()).assert_code(1);
        output.assert_stderr_contains(
            "the mark \"A\" of apa_goc_echoserver is used already, by row 3; give another name",
        );
    }
    assert_eq!(world.row_count(), rows, "nothing is pulled under a name that is used");
    world.mark("other", "A").assert_code(0);
    // Both commits run.
    world.mark("echoserver", "B").assert_code(0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM mark WHERE name = 'B'"), 2);
    let id = |options: &[&str]| {
        let report = ["report", "echoserver", "--id", "B", "--format", "profile"];
        world.run(&[&report[..], options].concat()).assert_code(0)
    };
    let covers_main = |output: &Output| output.stdout.contains("main.go:10.13,12.2 2 1\n");
    let (of_newer, of_older) = (id(&[]), id(&["--commit", "845820727e"]));
    assert!(of_newer.stderr.contains("ffffffffff"), "{}", of_newer.stderr);
    assert_eq!([covers_main(&of_newer), covers_main(&of_older)], [false, true]);
}

#[test]
fn a_database_of_before_marks_keeps_its_rows_and_gets_marks() {
    let (world, _agents) = World::with_pulled_echo();
    world.downgrade_to(24);
    world.run(&["history", "echoserver"]).assert_code(1);
    world.mark("echoserver", "A").assert_code(0).assert_stderr_contains("(schema 24 to ");
    assert_eq!(world.marks(), [json!(null), json!("A")]);
}

#[test]
fn a_mark_asks_an_address_that_failed_without_waiting_for_its_next_try() {
    let (world, agents) = World::with_pulled_echo();
    agents[0].behave_once(Behaviour::Status("500 Internal Server Error", ""));
    world.pull(3);
    world.mark("echoserver", "A").assert_code(0);
    assert_eq!(agents[0].pulls(), 3);
    assert_eq!(world.marks(), [json!(null), json!("A")]);
}

#[test]
fn a_mark_is_of_what_answered_and_says_so() {
    let (world, agents) = World::with_echo(2);
    for agent in &agents {
        agent.hit(&[MAIN_BLOCK], 1);
    }
    agents[1].kill();
    let output = world.mark("echoserver", "A").assert_code(3);
    output.assert_stderr_contains("row 1 has the mark \"A\", of 1 of 2 replicas");
    agents[0].kill();
    let output = world.mark("echoserver", "B").assert_code(3);
    output.assert_stderr_contains("no row of now could be stored, so nothing has the mark \"B\"");
    assert_eq!(world.marks(), [json!("A")]);
    for agent in &agents {
        agent.revive();
    }
    world.mark("echoserver", "B").assert_code(0).assert_stderr_contains("\"B\", of 2 of 2 replicas");
    // The second process was killed before its counts were pulled.
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 1);
}

#[test]
fn a_service_that_ended_is_marked_with_what_its_processes_left() {
    let (world, agents) = World::with_pulled_echo();
    let _other = world.start(OTHER, &echo());
    world.center.remove(&agents[0].url());
    let output = world.mark("echoserver", "A").assert_code(0);
    output.assert_stderr_contains("\"A\", of what ended processes left, because nothing lists an address");
    assert_eq!(world.marks(), [json!(null), json!("A")]);
    world.assert_consistent();
}

#[test]
fn a_mark_is_of_the_commit_whose_first_data_the_inbox_just_brought() {
    let world = World::new();
    for service in [ECHO, NEXT_ECHO] {
        let agent = Agent::start(&echo());
        agent.hit(&[MAIN_BLOCK], 1);
        world.leave_snapshot(&agent.url(), service);
        agent.kill();
        if service == ECHO {
            world.run(&["-q", "pull"]).assert_code(0);
        }
    }
    world.mark("echoserver", "before").assert_code(0);
    let commit = world.query::<String>(
        "SELECT git_commit FROM goc_o_staging_service_cover AS c JOIN mark AS m ON m.row_id = c.id",
    );
    assert!(NEXT_ECHO.ends_with(&commit), "{commit}");
}

#[test]
fn marked_rows_outlive_retention_and_go_with_their_service() {
    let (world, agents) = World::with_echo(1);
    let _other = world.start(OTHER, &echo());
    world.configure("[pull]\nchange = \"counts\"\n");
    for round in 0..6 {
        agents[0].hit(&[MAIN_BLOCK], 1);
        match round {
            1 => world.mark("echoserver", "A").assert_code(0),
            _ => world.pull(0),
        };
    }
    world.let_days_pass(40);
    world.run(&["prune", "--retention-only", "--keep", "2"]).assert_code(0);
    let history = world.run(&["history", "echoserver", "--format", "json"]).assert_code(0).json();
    let kept: Vec<_> =
        history[0].as_array().unwrap().iter().map(|row| !row["dropped_at"].is_string()).collect();
    assert_eq!(kept, [false, true, false, false, true, true], "the mark takes no place of another row");
    world.run(&["report", "echoserver", "--id", "A", "--format", "profile"]).assert_code(0);
    world.assert_consistent();

    world.center.remove(&agents[0].url());
    world.run(&["pull", "--force"]).assert_code(0);
    world.let_days_pass(400);
    world.run(&["prune", "--retention-only", "--drop-keys-older-than", "90d"]).assert_code(0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM mark"), 0);
    world.center.register(ECHO, &agents[0]);
    world.mark("echoserver", "A").assert_code(0);
    world.assert_consistent();
}

#[test]
fn a_pull_killed_at_each_step_leaves_both_row_and_mark_or_neither() {
    if !has_strace() {
        return;
    }
    let (world, agents) = World::with_pulled_echo();
    let (mut killed, mut number) = (0, 0);
    for syscall in ["fsync", "fdatasync", "renameat", "pwrite64"] {
        for nth in 1..40 {
            number += 1;
            agents[0].hit(&[MAIN_BLOCK], 1);
            let (rows, marks) = (world.row_count(), world.query::<usize>("SELECT count(*) FROM mark"));
            let pull = ["pull", "echoserver", "-q", "--mark", &format!("mark{number}")];
            let was_killed = killed_at(&world, (syscall, nth), &pull);
            world.assert_consistent();
            let marked = world.query::<usize>("SELECT count(*) FROM mark") - marks;
            assert_eq!(world.row_count() - rows, marked, "killed at {syscall} {nth}");
            if !was_killed {
                assert_eq!(marked, 1);
                break;
            }
            killed += 1;
        }
    }
    assert!(killed > 10, "only {killed} pulls were killed");
}
