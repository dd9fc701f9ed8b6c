//! `prune`: dead addresses leave the center, live ones never do.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{DEADLINES, ECHO, NEXT_ECHO, Output, World, echo, rebuilt_echo};
use crate::sim::{Agent, Behaviour, Program, RemovalBehaviour};

/// Short pauses. The timeout holds for the center, too, and is long for a busy machine, since nothing hangs in these
/// tests.
const PAUSES: &str = "[prune]\npauses = [\"1ms\"]\nrecheck = [\"0s\", \"20ms\"]\ntimeout = \"30s\"\n";
/// Short timeouts, for tests in which an address hangs.
const SHORT_TIMEOUTS: &str =
    "[prune]\npauses = []\nrecheck = []\ntimeout = \"1s\"\n[pull]\nread_timeout = \"1s\"\n";
const NOT_FOUND: Behaviour = Behaviour::Status("404 Not Found", "404 page not found\n");

/// Makes a world of echo processes that were pulled once.
fn pulled_echo(replicas: usize) -> (World, Vec<Agent>) {
    let (world, agents) = World::with_echo(replicas);
    world.configure(PAUSES);
    for (number, agent) in agents.iter().enumerate() {
        agent.hit(&[0, number % 6], 1);
    }
    world.pull(0);
    (world, agents)
}

fn another_program() -> Program {
    Program::from_profile(
        "example.org/other/thing/main.go:1.13,2.2 2\nexample.org/other/thing/main.go:3.13,4.2 2\n",
    )
}

impl World {
    #[track_caller]
    fn prune(&self, arguments: &[&str], code: i32) -> Output {
        self.run(&[&["prune"], arguments].concat()).assert_code(code)
    }

    /// Runs twice, with enough time between for a refused address to be dead.
    #[track_caller]
    fn prune_twice(&self, arguments: &[&str], code: i32) -> Output {
        self.prune(&[], 0);
        self.let_minutes_pass(5);
        self.prune(arguments, code)
    }

    #[track_caller]
    fn assert_listed(&self, agents: &[&Agent]) {
        let mut wanted: Vec<String> = agents.iter().map(|agent| agent.url()).collect();
        wanted.sort();
        let mut listed: Vec<String> = self.center.listed().into_iter().map(|(_, address)| address).collect();
        listed.sort();
        assert_eq!(listed, wanted);
    }
}

/// Returns the line about an address in the output of a run.
#[track_caller]
fn result_for(output: &Output, agent: &Agent) -> Value {
    let found = output.json().into_iter().find(|line| line["address"] == agent.url());
    found.unwrap_or_else(|| panic!("nothing about {} in\n{}", agent.url(), output.stdout))
}

#[track_caller]
fn summary(output: &Output) -> Value {
    output.json().pop().expect("a summary")["summary"].take()
}

#[test]
fn a_dead_address_is_suspect_first_and_goes_in_the_next_run_and_nothing_else_does() {
    let (world, agents) = pulled_echo(3);
    let before = world.echo_counts();
    agents[0].kill();
    let output = world.prune(&["--format", "json"], 0);
    let line = result_for(&output, &agents[0]);
    assert_eq!(
        [&line["state"], &line["finding"], &line["action"], &line["runs"]],
        [&Value::from("suspect"), &"refused".into(), &"keep".into(), &1.into()]
    );
    world.assert_listed(&[&agents[0], &agents[1], &agents[2]]);
    world.let_minutes_pass(5);
    let output = world.prune(&["--format", "json"], 0);
    assert_eq!(result_for(&output, &agents[0])["result"], "removed");
    let summary = summary(&output);
    assert_eq!([&summary["alive"], &summary["removed"], &summary["failed"]], [2, 1, 0]);
    world.assert_listed(&[&agents[1], &agents[2]]);
    // The body must match to the byte, under the header without which goc would remove everything.
    let wanted = format!("application/json {{\"address\":[\"{}\"]}}", agents[0].url());
    assert_eq!(world.center.removals(), [wanted]);
    // Counters of the removed process stay.
    assert_eq!(world.echo_counts(), before);
    agents[1].hit(&[5], 1);
    world.pull(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), before.iter().sum::<u64>() + 1);
    world.assert_consistent();
}

#[test]
fn a_run_a_moment_later_confirms_nothing() {
    let (world, agents) = pulled_echo(3);
    agents[0].kill();
    for _ in 0..4 {
        world.prune(&[], 0);
    }
    world.let_minutes_pass(4);
    world.prune(&[], 0);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
    let output = world.prune(&["--confirm-over", "4m"], 0);
    assert!(output.stdout.contains("removed"), "{}", output.stdout);
    world.assert_listed(&[&agents[1], &agents[2]]);
}

#[test]
fn an_answer_in_between_clears_the_suspicion() {
    let (world, agents) = pulled_echo(3);
    agents[0].kill();
    world.prune(&[], 0);
    agents[0].revive();
    // The process counted on: no counter fell to 0.
    agents[0].hit(&[0, 1], 9);
    world.let_minutes_pass(5);
    world.prune(&[], 0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM suspicion"), 0);
    agents[0].kill();
    world.prune(&[], 0);
    // A pull got an answer meanwhile, which counts as much as an answer to a probe.
    world.let_minutes_pass(10);
    agents[0].revive();
    world.pull(0);
    agents[0].kill();
    world.prune(&[], 0);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
}

#[test]
fn an_address_that_hangs_is_removed_after_three_runs_over_half_an_hour() {
    let (world, agents) = pulled_echo(3);
    world.configure(SHORT_TIMEOUTS);
    agents[0].behave(Behaviour::Hang);
    for _ in 0..2 {
        let output = world.prune(&["--format", "json"], 0);
        assert_eq!(result_for(&output, &agents[0])["finding"], "silent");
        world.let_minutes_pass(14);
    }
    world.prune(&[], 0);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
    world.let_minutes_pass(2);
    world.prune(&[], 0);
    world.assert_listed(&[&agents[1], &agents[2]]);
}

#[test]
fn the_last_pull_is_stored_and_spares_addresses_that_answer_it() {
    let (world, agents) = pulled_echo(3);
    world.configure(SHORT_TIMEOUTS);
    agents[0].behave(Behaviour::Hang);
    for _ in 0..2 {
        world.prune(&[], 0);
        world.let_minutes_pass(16);
    }
    // The process was too busy for a probe, and is not for the last pull.
    agents[0].hit(&[3], 7);
    agents[0].behave_once(Behaviour::Hang);
    agents[0].behave_once(Behaviour::Normal);
    let output = world.prune(&["--format", "json"], 0);
    let line = result_for(&output, &agents[0]);
    assert_eq!([&line["result"], &line["detail"]], ["spared", "it answered the last pull"]);
    assert_eq!(world.echo_counts()[0], 7);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
    assert_eq!(world.query::<i64>("SELECT count(*) FROM suspicion"), 0);
}

#[test]
fn an_agent_too_slow_for_a_probe_and_fast_enough_for_a_pull_is_alive() {
    let (world, agents) = pulled_echo(3);
    world.configure("[prune]\npauses = []\nrecheck = []\ntimeout = \"200ms\"\n");
    agents[0].run(&Program::from_profile("m/a.go:1.1,2.2 1\n"));
    agents[0].behave_for_coverage(Behaviour::Hang);
    agents[0].behave(Behaviour::Drip(Duration::from_millis(300)));
    for _ in 0..2 {
        world.prune(&[], 0);
        world.let_minutes_pass(16);
    }
    let output = world.prune(&["--format", "json"], 0);
    let line = result_for(&output, &agents[0]);
    assert_eq!([&line["result"], &line["detail"]], ["spared", "it answered the last pull"]);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
}

#[test]
fn a_profile_that_no_pull_can_read_spares_an_address_at_the_last_moment() {
    let (world, agents) = pulled_echo(3);
    world.configure(&format!("{SHORT_TIMEOUTS}max_body = \"1KiB\"\n"));
    agents[0].behave(Behaviour::Hang);
    for _ in 0..2 {
        world.prune(&[], 0);
        world.let_minutes_pass(16);
    }
    agents[0].behave_for_coverage(Behaviour::Hang);
    agents[0].behave(Behaviour::Endless("example.com/apa/echo/main.go:10.13,12.2 2 1\n"));
    agents[0].behave_once(Behaviour::Hang);
    let output = world.prune(&["--format", "json"], 0);
    let line = result_for(&output, &agents[0]);
    assert_eq!([&line["result"], &line["detail"]], ["spared", "it answers again"]);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
    assert_eq!(world.query::<i64>("SELECT count(*) FROM suspicion"), 0);
}

#[test]
fn a_signal_ends_a_run_at_once_and_nothing_is_removed() {
    let (world, agents) = pulled_echo(3);
    world.configure("[prune]\ntimeout = \"10m\"\n");
    agents[0].behave(Behaviour::Hang);
    let before = agents[0].peeks();
    let mut run = world.spawn(&["prune"]);
    agents[0].wait_for_peeks(before + 1);
    assert!(Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(143));
    assert_eq!(world.query::<i64>("SELECT count(*) FROM suspicion"), 0);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
}

#[test]
fn an_answer_of_a_sidecar_counts_as_silence_and_a_missing_call_does_not() {
    let (world, agents) = pulled_echo(3);
    agents[0].behave(Behaviour::Status("503 Service Unavailable", "upstream connect error"));
    agents[1].behave(Behaviour::PostOnly);
    let output = world.prune(&["--format", "json"], 0);
    let line = result_for(&output, &agents[0]);
    assert_eq!(line["finding"], "silent");
    assert!(line["detail"].as_str().unwrap().contains("503"), "{line}");
    assert_eq!(summary(&output)["alive"], 2);
    world.let_minutes_pass(6);
    world.prune(&[], 0);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
}

#[test]
fn pods_that_answer_stay_listed_whichever_build_came_first_under_their_name() {
    let world = World::new();
    let stray = world.start(ECHO, &another_program());
    stray.hit(&[0], 1);
    world.pull(0);
    let pods = [world.start(ECHO, &echo()), world.start(ECHO, &echo())];
    for _ in 0..2 {
        let output = world.prune(&["--format", "json"], 0);
        let summary = summary(&output);
        assert_eq!([&summary["alive"], &summary["suspect"], &summary["removed"]], [3, 0, 0]);
        assert_eq!(world.query::<i64>("SELECT count(*) FROM suspicion"), 0);
        world.pull(3);
        world.let_minutes_pass(5);
    }
    world.assert_listed(&[&stray, &pods[0], &pods[1]]);
    // The pull found the other build that they serve, and both commands show it.
    let output = world.prune(&["--format", "json"], 0);
    for pod in &pods {
        let line = result_for(&output, pod);
        assert_eq!([&line["state"], &line["action"]], ["alive", "keep"]);
        assert!(line["other_build"].is_string(), "{line}");
    }
    assert_eq!(summary(&output)["other_builds"], 2);
    let text = world.prune(&["--dry-run"], 0).stdout;
    assert_eq!(text.matches("other build").count(), 2, "{text}");
    let list = world.run(&["list", "--offline", "--format", "json"]).assert_code(0).json();
    let states = list[0][0]["addresses"].as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap());
    assert_eq!(states.collect::<Vec<_>>(), ["ok", "other_build", "other_build"]);
}

#[test]
fn an_address_whose_answer_begins_like_an_agents_is_alive() {
    let answer = |head: &str, body: &str| Behaviour::Raw(format!("{head}\r\n\r\n{body}").into_bytes());
    let profile = "mode: count\nexample.com/apa/echo/main.go:10.13,12.2 2 1\n";
    let (short, chunked) = ("Content-Length: 20", "Transfer-Encoding: chunked");
    let agents = [
        Behaviour::Normal,
        Behaviour::PostOnly,
        Behaviour::Endless("example.com/apa/echo/main.go:10.13,12.2 2 1\n"),
        Behaviour::CutBefore(5),
        Behaviour::CutBefore(80),
        Behaviour::Body(b"mode: count\ninvalid block format, err: EOF\n".to_vec()),
        Behaviour::Body(b"mode: ".to_vec()),
        // The header of an agent of Go's binary data is enough, though its body is cut or its framing is contradictory.
        answer("HTTP/1.1 200 OK\r\nX-Art-Coverage-Server: 1\r\nContent-Length: 9", ""),
        answer("HTTP/1.1 500 No\r\nContent-Length: 9\r\nContent-Length: 8\r\nX-Art-Coverage-Server: 1", ""),
        // These answers have neither length nor chunks, or both with a body that is not chunked.
        answer("HTTP/1.1 200 OK", profile),
        answer(&format!("HTTP/1.1 200 OK\r\n{short}\r\n{chunked}"), profile),
        answer(&format!("HTTP/1.1 200 OK\r\n{chunked}"), profile),
        answer(&format!("HTTP/1.1 200 OK\r\n{short}\r\nContent-Length: 21"), profile),
        answer("HTTP/1.1 200 OK\r\nContent-Length: x", profile),
        answer("HTTP/1.1 200 OK\r\nContent-Length: 999", profile),
        answer(&format!("HTTP/1.1 200 OK\r\n{short}\r\nContent-Encoding: gzip"), profile),
        answer(&format!("HTTP/1.1 500 Internal Server Error\r\n{short}"), profile),
    ];
    let world = World::new();
    world.configure(&format!("[pull]\nmax_body = \"1KiB\"\n{PAUSES}"));
    let agents = agents.map(|behaviour| {
        let agent = world.start(ECHO, &echo());
        agent.behave_for_coverage(NOT_FOUND);
        agent.behave(behaviour);
        agent
    });
    let page = world.start("page", &echo());
    page.behave_for_coverage(NOT_FOUND);
    page.behave(Behaviour::Body(b"<html>mode: dark</html>".to_vec()));
    for _ in 0..4 {
        let output = world.prune(&["--format", "json"], 0);
        let summary = summary(&output);
        assert_eq!([&summary["asked"], &summary["alive"]], [18, 17], "{}", output.stdout);
        world.let_minutes_pass(11);
    }
    // Only the page of another program was removed, since it is no answer of an agent.
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
}

#[test]
fn an_agent_that_is_too_slow_for_its_fraction_and_not_for_its_profile_is_alive() {
    let (world, agents) = pulled_echo(2);
    world.configure(SHORT_TIMEOUTS);
    agents[0].behave_for_coverage(Behaviour::Hang);
    let output = world.prune(&["--format", "json"], 0);
    assert_eq!(summary(&output)["alive"], 2);
}

#[test]
fn a_run_removes_neither_all_of_a_short_list_nor_most_of_a_long_one() {
    for (replicas, dead) in [(1, 1), (3, 3), (5, 3)] {
        let (world, agents) = pulled_echo(replicas);
        for agent in &agents[..dead] {
            agent.kill();
        }
        let output = world.prune_twice(&[], 1);
        for part in ["nothing is removed there", "--force", "24 hours"] {
            assert!(output.stderr.contains(part), "{}", output.stderr);
        }
        world.assert_listed(&agents.iter().collect::<Vec<_>>());
        assert_eq!(world.center.removals(), [""; 0]);
        // A day later the cause cannot be our network, if others answer.
        world.let_minutes_pass(24 * 60);
        if dead < replicas {
            world.prune(&[], 0);
            world.assert_listed(&agents[dead..].iter().collect::<Vec<_>>());
        } else {
            world.prune(&[], 1);
            world.assert_listed(&agents.iter().collect::<Vec<_>>());
            world.prune(&["--force"], 0);
            world.assert_listed(&[]);
        }
    }
}

#[test]
fn a_network_fault_removes_nothing_however_often_it_is_seen() {
    let world = World::new();
    world.configure(SHORT_TIMEOUTS);
    // The kernel accepts the connections, and no program ever answers.
    let listeners: Vec<TcpListener> =
        (0..4).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    for listener in &listeners {
        world.center.register_url(ECHO, &format!("http://{}", listener.local_addr().unwrap()));
    }
    let before = world.center.listed();
    for code in [0, 0, 0, 1, 1] {
        world.prune(&[], code);
        world.let_minutes_pass(11);
    }
    world.let_minutes_pass(25 * 60);
    let output = world.prune(&["--format", "json"], 1);
    assert_eq!(output.json()[0]["action"], "hold");
    assert_eq!(summary(&output)["held_back"], 4);
    assert_eq!(world.center.listed(), before);
    assert_eq!(world.center.removals(), [""; 0]);
}

#[test]
fn an_address_that_nobody_can_dial_is_removed_and_those_that_we_do_not_dial_stay() {
    let (world, _agents) = pulled_echo(4);
    let odd = ["http://127.0.0.1:99999", "http://169.254.169.254:80", "http://u:p@127.0.0.1:1"];
    for url in odd {
        world.center.register_url("odd", url);
    }
    for _ in 0..3 {
        world.prune(&[], 0);
        world.let_minutes_pass(16);
    }
    let left: Vec<String> = world.center.listed().into_iter().map(|(_, address)| address).collect();
    assert_eq!(odd.map(|url| left.contains(&url.to_owned())), [false, true, true]);
}

#[test]
fn a_dry_run_says_what_a_run_does_and_does_nothing() {
    let (world, agents) = pulled_echo(3);
    agents[0].kill();
    world.prune(&[], 0);
    world.let_minutes_pass(5);
    let known = "SELECT group_concat(address || runs || is_dead || last_failed_at) FROM suspicion";
    let before: String = world.query(known);
    let dry = world.prune(&["--dry-run", "--format", "json"], 0);
    assert_eq!(world.query::<String>(known), before);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
    let line = result_for(&dry, &agents[0]);
    assert_eq!([&line["action"], &line["result"]], [&Value::from("remove"), &Value::Null]);
    let text = world.prune(&["-n"], 0).stdout;
    assert!(text.contains("remove") && text.contains("nothing was changed"), "{text}");
    let real = result_for(&world.prune(&["--format", "json"], 0), &agents[0]);
    for field in ["state", "finding", "detail", "runs", "since", "action", "services"] {
        assert_eq!(line[field], real[field], "{field}");
    }
    assert_eq!(real["result"], "removed");
}

#[test]
fn a_dry_run_needs_no_root() {
    let (world, _agents) = World::with_echo(1);
    let output = world.prune(&["--dry-run"], 0);
    assert!(output.stdout.starts_with("nothing was changed; asked 1 address: 1 alive"), "{}", output.stdout);
    assert!(!world.root().exists());
}

#[test]
fn an_address_that_answers_at_the_last_moment_is_spared() {
    let (world, agents) = pulled_echo(4);
    agents[0].kill();
    agents[1].kill();
    world.prune(&[], 0);
    world.let_minutes_pass(5);
    // The first of the two removals wakes the other process.
    let [first, second] = if agents[0].url() < agents[1].url() { [0, 1] } else { [1, 0] };
    let waking = agents[second].clone();
    world.center.after_each_removal(move |_| waking.revive());
    let output = world.prune(&["--format", "json"], 0);
    assert_eq!(result_for(&output, &agents[first])["result"], "removed");
    assert_eq!(result_for(&output, &agents[second])["result"], "spared");
    world.assert_listed(&[&agents[second], &agents[2], &agents[3]]);
}

#[test]
fn an_address_that_comes_back_while_it_is_removed_is_registered_again() {
    let (world, agents) = pulled_echo(3);
    agents[0].kill();
    world.prune(&[], 0);
    world.let_minutes_pass(5);
    let waking = agents[0].clone();
    world.center.after_each_removal(move |_| waking.revive());
    let output = world.prune(&["--format", "json"], 0);
    assert_eq!(summary(&output)["restored"], 1);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
    let [registration] = &world.center.registrations()[..] else { panic!("one registration") };
    assert!(registration.contains("ip_revise=false") && registration.contains(ECHO), "{registration}");
}

#[test]
fn an_address_that_comes_back_within_a_week_is_registered_again_and_goes_on_counting() {
    let (world, agents) = pulled_echo(3);
    let before = world.echo_counts();
    agents[0].kill();
    world.prune_twice(&[], 0);
    world.assert_listed(&[&agents[1], &agents[2]]);
    world.pull(0);
    // The very same process answers again, as after a broken network.
    let counts = [2, 0, 0, 0, 0, 0];
    agents[0].revive();
    agents[0].set_counts(&counts);
    world.let_minutes_pass(6 * 24 * 60);
    let output = world.prune(&["--no-restore"], 0);
    assert!(!output.stdout.contains("restored"), "{}", output.stdout);
    world.assert_listed(&[&agents[1], &agents[2]]);
    let dry = world.prune(&["--dry-run", "--format", "json"], 0);
    assert_eq!(result_for(&dry, &agents[0])["action"], "restore");
    let output = world.prune(&[], 0);
    assert!(output.stdout.contains("restored"), "{}", output.stdout);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
    world.pull(0);
    assert_eq!(world.echo_counts(), before, "it was counted twice, or lost");
    // The tombstone is not needed any more.
    world.prune(&[], 0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM tombstone"), 0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation WHERE closed_at IS NOT NULL"), 0);
}

#[test]
fn another_build_or_a_return_after_a_week_is_not_registered_again() {
    let (world, agents) = pulled_echo(3);
    agents[0].kill();
    world.prune_twice(&[], 0);
    agents[0].run(&rebuilt_echo());
    agents[0].hit(&[0], 1);
    let server = agents[0].clone();
    server.revive();
    world.prune(&[], 0);
    world.assert_listed(&[&agents[1], &agents[2]]);
    agents[0].run(&echo());
    agents[0].hit(&[0], 5);
    world.let_minutes_pass(7 * 24 * 60);
    world.prune(&[], 0);
    world.assert_listed(&[&agents[1], &agents[2]]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM tombstone"), 0);
    // The life is closed now, and will be folded.
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation WHERE closed_at IS NOT NULL"), 1);
}

#[test]
fn a_restore_that_the_center_ignores_is_named_and_tried_again() {
    let (world, agents) = pulled_echo(3);
    agents[0].kill();
    world.prune_twice(&[], 0);
    agents[0].revive();
    agents[0].hit(&[0], 1);
    world.center.ignore_registrations(true);
    world
        .prune(&[], 3)
        .assert_stderr_contains("restore failed: the center accepted it, but does not list it as before");
    world.center.ignore_registrations(false);
    world.prune(&[], 0);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
}

#[test]
fn an_odd_name_comes_back_as_it_was() {
    let (world, _agents) = pulled_echo(3);
    let odd = "a&b=c d+e%41\n\u{1b}服务";
    let agent = world.start(odd, &another_program());
    agent.hit(&[0], 1);
    world.pull(0);
    agent.kill();
    world.prune_twice(&[], 0);
    agent.revive();
    agent.hit(&[0], 1);
    world.prune(&[], 0);
    assert!(world.center.listed().contains(&(odd.to_owned(), agent.url())), "{:?}", world.center.listed());
}

#[test]
fn an_ipv6_address_comes_back_as_the_center_wrote_it() {
    let (world, agents) = pulled_echo(3);
    let Ok(_) = TcpListener::bind("[::1]:0") else { return };
    let agent = Agent::start_at("[::1]:0".parse().unwrap(), &echo());
    agent.hit(&[0], 1);
    let listed = agent.url().replace(['[', ']'], "");
    world.center.register_url(ECHO, &listed);
    world.pull(0);
    agent.kill();
    world.prune_twice(&[], 0);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
    agent.revive();
    agent.hit(&[0], 1);
    world.prune(&[], 0);
    assert!(world.center.listed().contains(&(ECHO.to_owned(), listed)), "{:?}", world.center.listed());
}

/// Makes a world with a process that was deployed anew at its address, and still stands under its old name.
fn world_with_stale_name() -> (World, Vec<Agent>) {
    let (world, mut agents) = pulled_echo(2);
    agents[0].run(&rebuilt_echo());
    agents[0].hit(&[0], 1);
    let other = world.start(NEXT_ECHO, &rebuilt_echo());
    other.hit(&[1], 1);
    world.center.register(NEXT_ECHO, &agents[0]);
    world.pull(0);
    agents.push(other);
    (world, agents)
}

/// Kills a run that fixes names between the removal and the registration.
fn kill_between_removal_and_registration(world: &World) {
    let pid = std::sync::Arc::new(std::sync::OnceLock::new());
    let killed = std::sync::Arc::clone(&pid);
    let mut is_done = false;
    world.center.after_each_removal(move |_| {
        let pid: &u32 = killed.wait();
        if !std::mem::replace(&mut is_done, true) {
            assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
        }
    });
    let mut run = world.spawn(&["prune", "--fix-names"]);
    pid.set(run.id()).unwrap();
    assert!(!run.wait().unwrap().success());
}

#[test]
fn after_a_kill_while_a_name_is_fixed_the_next_run_registers_the_right_one() {
    for option in [&[][..], &["--no-restore"], &["--fix-names"]] {
        let (world, agents) = world_with_stale_name();
        kill_between_removal_and_registration(&world);
        world.assert_listed(&[&agents[1], &agents[2]]);
        // A process that answers is not forgotten after a week.
        world.let_minutes_pass(8 * 24 * 60);
        let output = world.prune(&[option, &["--format", "json"]].concat(), 0);
        assert_eq!(result_for(&output, &agents[0])["result"], "restored");
        assert!(world.center.listed().contains(&(NEXT_ECHO.to_owned(), agents[0].url())));
        world.assert_listed(&[&agents[0], &agents[1], &agents[2]]);
        world.prune(&[], 0);
        assert_eq!(world.query::<i64>("SELECT count(*) FROM tombstone"), 0);
    }
}

#[test]
fn a_name_that_was_fixed_in_part_is_fixed_by_the_next_run() {
    const THIRD: &str = "staging_th_apa_goc_echoserver_master_eeeeeeeeee";
    let (world, agents) = world_with_stale_name();
    // This third name may be right, too, since nothing was ever pulled for it alone.
    world.center.register(THIRD, &agents[0]);
    kill_between_removal_and_registration(&world);
    world.assert_listed(&[&agents[1], &agents[2]]);
    // This is the state after a kill that came a moment later.
    world.center.register(NEXT_ECHO, &agents[0]);
    world.prune(&[], 0);
    let of_it: Vec<String> =
        world.center.listed().into_iter().filter(|it| it.1 == agents[0].url()).map(|it| it.0).collect();
    assert_eq!(of_it, [THIRD, NEXT_ECHO]);
}

#[test]
fn a_fixed_name_that_the_center_does_not_register_is_tried_in_every_run() {
    let (world, agents) = world_with_stale_name();
    world.center.ignore_registrations(true);
    world.prune(&["--fix-names"], 3).assert_stderr_contains("rename failed: ");
    for option in [&[][..], &["--no-restore"]] {
        world.prune(option, 3).assert_stderr_contains("restore failed: ");
    }
    world.assert_listed(&[&agents[1], &agents[2]]);
    world.center.ignore_registrations(false);
    world.prune(&[], 0);
    world.assert_listed(&[&agents[0], &agents[1], &agents[2]]);
}

#[test]
fn a_stale_name_stays_until_its_removal_is_asked_for() {
    let (world, agents) = world_with_stale_name();
    let output = world.prune(&["--format", "json"], 0);
    let line = result_for(&output, &agents[0]);
    assert_eq!([&line["state"], &line["action"], &line["stale_names"][0]], ["alive", "keep", ECHO]);
    assert_eq!(world.center.removals(), [""; 0]);
    let list = world.run(&["list", "--offline", "--format", "json"]).assert_code(0).json();
    let stale = list[0].as_array().unwrap().iter().find(|service| service["service"] == ECHO).unwrap();
    assert!(stale["addresses"].as_array().unwrap().iter().any(|it| it["state"] == "stale_name"), "{stale}");

    let output = world.prune(&["--fix-names", "--format", "json"], 0);
    assert_eq!(result_for(&output, &agents[0])["result"], "renamed");
    assert_names_are_fixed(&world, &agents);
}

/// Fails unless the first and the third process stand under the new name alone, and no tombstone is left.
#[track_caller]
fn assert_names_are_fixed(world: &World, agents: &[Agent]) {
    let mut wanted = vec![
        (ECHO.to_owned(), agents[1].url()),
        (NEXT_ECHO.to_owned(), agents[0].url()),
        (NEXT_ECHO.to_owned(), agents[2].url()),
    ];
    wanted.sort();
    assert_eq!(world.center.listed(), wanted);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM tombstone"), 0);
}

#[test]
fn a_stale_name_in_a_spelling_of_its_own_is_fixed_and_the_right_one_stays_as_it_is_spelled() {
    let (world, agents) = world_with_stale_name();
    let spelled = agents[0].url().replace("http:", "HTTP:");
    world.center.remove(&agents[0].url());
    world.center.register_url(ECHO, &spelled);
    world.center.register(NEXT_ECHO, &agents[0]);
    world.pull(0);
    let result =
        |output: &Output| output.json().into_iter().find(|line| line["address"] == *spelled).unwrap();
    let line = result(&world.prune(&["--format", "json"], 0));
    assert_eq!([&line["state"], &line["action"], &line["stale_names"][0]], ["alive", "keep", ECHO]);
    assert_eq!(world.center.removals(), [""; 0]);

    let output = world.prune(&["--fix-names", "--format", "json"], 0);
    assert_eq!(result(&output)["result"], "renamed");
    assert_eq!(world.center.removals().len(), 1);
    assert_names_are_fixed(&world, &agents);
}

#[test]
fn a_dead_process_under_two_names_goes_under_both() {
    let (world, agents) = pulled_echo(4);
    world.center.register(NEXT_ECHO, &agents[0]);
    agents[0].kill();
    world.prune_twice(&[], 0);
    world.assert_listed(&[&agents[1], &agents[2], &agents[3]]);
    assert_eq!(world.center.removals().len(), 1);
}

#[test]
fn a_center_that_confirms_a_removal_and_does_nothing_is_found_out() {
    let (world, agents) = pulled_echo(5);
    agents[0].kill();
    agents[1].kill();
    world.prune(&[], 0);
    world.let_minutes_pass(5);
    world.center.set_removal_behaviour(RemovalBehaviour::Ignored);
    let output = world
        .prune(&["--format", "json"], 3)
        .assert_stderr_contains("the center accepted the removal, but still lists it");
    assert_eq!([&summary(&output)["removed"], &summary(&output)["failed"]], [0, 2]);
    world.center.set_removal_behaviour(RemovalBehaviour::AsGoc);
    world.prune(&[], 0);
    world.assert_listed(&[&agents[2], &agents[3], &agents[4]]);
}

#[test]
fn a_center_that_drops_everybody_is_stopped_and_everybody_put_back() {
    let (world, agents) = pulled_echo(5);
    agents[0].kill();
    agents[1].kill();
    world.prune(&[], 0);
    world.let_minutes_pass(5);
    world.center.set_removal_behaviour(RemovalBehaviour::Everything);
    let output = world.prune(&["--format", "json"], 3).assert_stderr_contains("lost 3 addresses that answer");
    assert_eq!(summary(&output)["restored"], 3);
    world.assert_listed(&[&agents[2], &agents[3], &agents[4]]);
    assert_eq!(world.center.removals().len(), 1);
}

#[test]
fn addresses_that_a_center_dropped_are_named_before_an_error_ends_the_run() {
    let (world, agents) = world_with_stale_name();
    world.center.set_removal_behaviour(RemovalBehaviour::Everything);
    world.execute("CREATE TRIGGER full BEFORE DELETE ON tombstone BEGIN SELECT RAISE(ABORT, 'no room'); END");
    let output = world.prune(&["--fix-names"], 1);
    let warning = output.stderr.find("lost 2 addresses that answer");
    let error = output.stderr.find("no room");
    assert!(warning.is_some() && warning < error, "{}", output.stderr);
    world.assert_listed(&[&agents[0], &agents[1], &agents[2]]);
}

#[test]
fn a_center_that_dies_over_a_removal_loses_nobody() {
    for removing in [RemovalBehaviour::DiesBefore, RemovalBehaviour::DiesAfter] {
        let (mut world, agents) = pulled_echo(5);
        agents[0].kill();
        agents[1].kill();
        world.prune(&[], 0);
        world.let_minutes_pass(5);
        world.center.set_removal_behaviour(removing);
        world.prune(&[], 3).assert_stderr_contains("remove failed: ");
        world.center.set_removal_behaviour(RemovalBehaviour::AsGoc);
        world.center.start_again();
        world.prune(&[], 0);
        world.assert_listed(&[&agents[2], &agents[3], &agents[4]]);
    }
}

#[test]
fn a_run_killed_right_after_a_removal_still_knows_whom_to_restore() {
    let (world, agents) = pulled_echo(3);
    agents[0].kill();
    world.prune(&[], 0);
    world.let_minutes_pass(5);
    let pid = std::sync::Arc::new(std::sync::OnceLock::new());
    let (killed, waking) = (std::sync::Arc::clone(&pid), agents[0].clone());
    world.center.after_each_removal(move |_| {
        let pid: &u32 = killed.wait();
        assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
        waking.revive();
    });
    let mut run = world.spawn(&["prune"]);
    pid.set(run.id()).unwrap();
    assert!(!run.wait().unwrap().success());
    world.assert_listed(&[&agents[1], &agents[2]]);
    let output = world.prune(&["--format", "json"], 0);
    assert_eq!(summary(&output)["restored"], 1);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
}

#[test]
fn a_database_of_an_earlier_release_is_brought_up_to_date() {
    let (world, agents) = World::with_echo(3);
    world.configure(PAUSES);
    let old = rusqlite::Connection::open(world.root().join("sqlite.db")).unwrap();
    old.execute_batch(include_str!("../src/io/store/migrations/0001_coverage.sql")).unwrap();
    old.execute_batch(include_str!("../src/io/store/migrations/0002_collection.sql")).unwrap();
    old.execute_batch("PRAGMA application_id = 0x676f6377; PRAGMA user_version = 2").unwrap();
    agents[0].kill();
    world.prune(&["--dry-run"], 1).assert_stderr_contains("the next pull or prune brings it up to date");
    world.prune_twice(&[], 0);
    world.assert_listed(&[&agents[1], &agents[2]]);
}

#[test]
fn a_suspicion_of_another_program_does_not_outlive_the_release_that_had_it() {
    const BEFORE: [&str; 6] = [
        include_str!("../src/io/store/migrations/0001_coverage.sql"),
        include_str!("../src/io/store/migrations/0002_collection.sql"),
        include_str!("../src/io/store/migrations/0003_answers.sql"),
        include_str!("../src/io/store/migrations/0004_prune.sql"),
        include_str!("../src/io/store/migrations/0005_inbox.sql"),
        include_str!("../src/io/store/migrations/0006_diff.sql"),
    ];
    let (world, agents) = World::with_echo(2);
    world.configure(PAUSES);
    let old = rusqlite::Connection::open(world.root().join("sqlite.db")).unwrap();
    for migration in BEFORE {
        old.execute_batch(migration).unwrap();
    }
    old.execute_batch("PRAGMA application_id = 0x676f6377; PRAGMA user_version = 6").unwrap();
    for (agent, finding) in agents.iter().zip(["other_program", "silent"]) {
        old.execute(
            "INSERT INTO suspicion VALUES (?1, ?2, 1, ?2, 1, ?2, ?2, ?3, 'words', 1)",
            [&agent.url(), "2023-01-01T00:00:00.000Z", finding],
        )
        .unwrap();
    }
    world.prune(&["--retention-only"], 0);
    assert_eq!(world.query::<String>("SELECT group_concat(address) FROM suspicion"), agents[1].url());
    world.prune(&[], 0);
    world.assert_listed(&[&agents[0], &agents[1]]);
}

#[test]
fn a_removal_that_the_center_refuses_is_named_and_does_not_stop_the_next() {
    let (world, agents) = pulled_echo(5);
    agents[0].kill();
    agents[1].kill();
    world.prune(&[], 0);
    world.let_minutes_pass(5);
    world.center.set_removal_behaviour(RemovalBehaviour::Forbidden);
    world.prune(&[], 3).assert_stderr_contains("remove failed: answered 403: \"not for you\"");
    assert_eq!(world.center.removals().len(), 2);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
}

#[test]
fn a_center_that_is_away_is_left_alone() {
    let (mut world, agents) = pulled_echo(3);
    agents[0].kill();
    world.prune(&[], 0);
    world.let_minutes_pass(5);
    world.center.stop();
    world.prune(&[], 3).assert_stderr_contains("nothing is removed there");
    assert_eq!(world.query::<i64>("SELECT runs FROM suspicion"), 1);
    world.prune(&["--center-only"], 1);
    world.center.start_again();
    world.prune(&[], 0);
    world.assert_listed(&[&agents[1], &agents[2]]);
}

#[test]
fn a_center_whose_list_drips_is_given_up_and_not_asked_again_with_the_lock() {
    let (world, agents) = pulled_echo(3);
    world.configure(&format!("[pull]\ncenter_timeout = \"2s\"\n{PAUSES}"));
    agents[0].kill();
    let before = world.center.list_requests();
    world.center.drip(Duration::from_millis(20));
    world
        .prune(&["--center-only"], 1)
        .assert_stderr_contains("the whole answer took too long); nothing is removed there");
    assert_eq!(world.center.list_requests(), before + 1);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM suspicion"), 0);
}

#[test]
fn a_deadline_ends_a_list_that_drips() {
    let (world, _agents) = pulled_echo(1);
    world.center.drip(Duration::from_millis(20));
    let output = world.prune(&["--deadline", "400ms", "--format", "json"], 3);
    assert_eq!(summary(&output)["ended_by"], "deadline");
}

#[test]
fn addresses_that_a_deadline_cuts_off_stay_as_they_were() {
    let (world, agents) = pulled_echo(3);
    world.configure("[prune]\npauses = []\ntimeout = \"10m\"\n");
    agents[0].behave(Behaviour::Hang);
    // A busy machine may not get to ask the others in a short time, so longer deadlines are tried.
    let in_time = |deadline: &&str| {
        let output = world.run(&["prune", "--deadline", deadline, "--format", "json"]);
        (summary(&output)["asked"] == 2).then_some(output)
    };
    let output = DEADLINES.iter().find_map(in_time).expect("two that answer in time").assert_code(3);
    let output = output.assert_stderr_contains("the deadline ended the run early: 1 address");
    let line = result_for(&output, &agents[0]);
    assert_eq!(
        [&line["state"], &line["finding"], &line["action"]],
        [&"unknown".into(), &Value::Null, &"keep".into()]
    );
    assert_eq!(
        [&summary(&output)["ended_by"], &summary(&output)["asked"]],
        [&Value::from("deadline"), &2.into()]
    );
    assert_eq!(world.query::<i64>("SELECT count(*) FROM suspicion"), 0);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
    world.prune(&["--deadline", "500ms", "--dry-run"], 3);
    // Addresses that answered are still judged when no time is left for removals.
    agents[1].kill();
    let suspects = |deadline: &&str| {
        world.configure(&format!("[prune]\npauses = []\ntimeout = \"10m\"\ndeadline = \"{deadline}\"\n"));
        world.run(&["prune"]);
        world.query::<Option<String>>("SELECT group_concat(address) FROM suspicion")
    };
    assert_eq!(DEADLINES.iter().find_map(suspects), Some(agents[1].url()));
}

#[test]
fn a_deadline_ends_the_watch_of_removed_addresses() {
    let (world, agents) = pulled_echo(3);
    world.configure("[prune]\npauses = []\nrecheck = [\"10m\"]\n");
    agents[0].kill();
    world.prune(&[], 0);
    world.let_minutes_pass(5);
    let removed = |deadline: &&str| {
        let output = world.run(&["prune", "--deadline", deadline, "--format", "json"]);
        let is_removed = |line: &Value| line["address"] == agents[0].url() && line["result"] == "removed";
        output.json().iter().any(is_removed).then_some(output)
    };
    let output = DEADLINES.iter().find_map(removed).expect("a removal in time").assert_code(3);
    assert_eq!(summary(&output)["ended_by"], "deadline");
    assert_eq!(world.query::<i64>("SELECT count(*) FROM tombstone"), 1);
}

#[test]
fn a_run_in_time_says_so() {
    let (world, _agents) = pulled_echo(1);
    let output = world.prune(&["--deadline", "10m", "--format", "json"], 0);
    assert_eq!(summary(&output)["ended_by"], "completion");
}

#[test]
fn a_held_lock_is_busy_and_changes_nothing() {
    let (world, agents) = pulled_echo(3);
    agents[0].kill();
    let lock = std::fs::File::open(world.root().join("goc-watchdog.lock")).unwrap();
    lock.try_lock().unwrap();
    world.prune(&[], 4).assert_stderr_contains("another run holds the lock; nothing was changed");
    assert_eq!(world.query::<i64>("SELECT count(*) FROM suspicion"), 0);
    // A dry run needs no lock.
    world.prune(&["--dry-run"], 0);
}

#[test]
fn a_prune_before_the_first_pull_works_too() {
    let (world, agents) = World::with_echo(3);
    world.configure(PAUSES);
    agents[0].kill();
    world.prune_twice(&[], 0);
    world.assert_listed(&[&agents[1], &agents[2]]);
    // The address was never pulled and nobody else stands there, so its process can only be the removed one.
    agents[0].revive();
    world.prune(&[], 0);
    world.assert_listed(&agents.iter().collect::<Vec<_>>());
}

#[test]
fn list_shows_suspect_and_dead_addresses() {
    let (world, agents) = pulled_echo(3);
    agents[0].kill();
    world.prune(&[], 0);
    let list =
        |arguments: &[&str]| world.run(&[&["list", "--offline"], arguments].concat()).assert_code(0).stdout;
    assert!(list(&[]).contains("ok, 1 suspect"), "{}", list(&[]));
    let explained = list(&["--explain", "echoserver"]);
    assert!(explained.contains("suspect: no connection: connection refused (1 run"), "{explained}");
    agents[1].kill();
    agents[2].kill();
    world.prune_twice(&[], 1);
    assert!(list(&[]).contains("ok, 3 dead"), "{}", list(&[]));
    let list = world.run(&["list", "--offline", "--format", "json"]).json();
    let address = &list[0][0]["addresses"][0];
    assert_eq!([&address["state"], &address["finding"]], ["dead", "refused"]);
}

#[test]
fn names_and_addresses_from_outside_never_reach_the_terminal_raw() {
    let (world, _agents) = pulled_echo(4);
    world.center.register_url("evil\u{1b}[31m", "http://127.0.0.1:1");
    let output = world.prune_twice(&["-v"], 0);
    assert!(
        !output.stdout.contains('\u{1b}') && output.stdout.contains("evil\\u{1b}[31m"),
        "{}",
        output.stdout
    );
    assert!(world.center.listed().iter().all(|(_, address)| address != "http://127.0.0.1:1"));
}
