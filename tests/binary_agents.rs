//! Agents that serve Go's binary coverage data: their counters are stored as those of goc are, and nothing is lost.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fs};

use serde_json::json;

use crate::harness::inbox::LONG_DEADLINE;
use crate::harness::{ECHO, Output, World, output_of, profile_of};
use crate::sim::{
    AfterAnswer, Agent, Behaviour, BinaryProgram, Coverport, Program, Request, ReservedPort, Server, sized,
};

const PROGRAM: &str = "example.com/apa/echo/main.go:10.13,12.2 2\n\
    example.com/apa/echo/main.go:14.30,16.2 1\n\
    example.com/apa/echo/handlers/ping.go:8.40,10.2 1\n\
    example.com/apa/echo/handlers/mirror.go:9.42,11.16 2\n\
    example.com/apa/echo/handlers/mirror.go:14.2,15.12 3\n\
    example.com/apa/echo/handlers/mirror.go:11.16,13.3 1\n";
/// The same files with other blocks.
const REBUILT: &str = "example.com/apa/echo/main.go:10.13,12.2 2\n\
    example.com/apa/echo/main.go:15.30,18.2 4\n\
    example.com/apa/echo/handlers/ping.go:8.40,10.2 1\n";

/// A program with its agent in its own module.
const WITH_AGENT: &str = "example.com/apa/echo/coverage/coverage_server.go:1.1,2.2 1\n\
    example.com/apa/echo/main.go:10.13,12.2 2\n\
    example.com/apa/echo/main.go:14.30,16.2 1\n";
const AGENT: &str = "example.com/apa/echo/coverage/coverage_server.go";
const MAIN: &str = "example.com/apa/echo/main.go";

/// The recorded answers of an unmodified coverport server, as bodies, and what Go makes of the whole one.
const RECORDED: [&str; 2] = [
    include_str!("fixtures/gocover/coverport-wire/coverage-nometa.txt"),
    include_str!("fixtures/gocover/coverport-wire/coverage.txt"),
];
const RECORDED_TEXT: &str = include_str!("fixtures/gocover/coverport-wire/textfmt.txt");

fn program() -> BinaryProgram {
    BinaryProgram::from_profile(PROGRAM)
}

/// A world with so many processes of [`program`] under [`ECHO`].
fn world_with(replicas: usize) -> (World, Vec<Coverport>) {
    let world = World::new();
    let start = |_| {
        let agent = Coverport::start(&program());
        world.center.register_url(ECHO, &agent.url());
        agent
    };
    let agents = (0..replicas).map(start).collect();
    (world, agents)
}

/// Returns the part of a recording behind its headers.
fn body(recording: &str) -> &[u8] {
    let start = recording.find("\n\n200\n").unwrap() + "\n\n200\n".len();
    let (_, body) = recording[start..].split_once("\n\n").unwrap();
    body.as_bytes()
}

#[test]
fn counters_of_replicas_are_added_and_a_repull_adds_nothing() {
    let (world, agents) = world_with(2);
    agents[0].hit(&[0], 3);
    agents[1].hit(&[0, 4], 2);
    world.pull(0);
    // Canonical order: mirror 9, 11, 14, ping, main 10, 14.
    assert_eq!(world.echo_counts(), [0, 0, 2, 0, 5, 0]);
    let digest = || world.query::<String>("SELECT group_concat(hex(counts) || pulled_at) FROM generation");
    let before = digest();
    world.pull(0);
    assert_eq!((world.echo_counts(), world.row_count(), digest()), (vec![0, 0, 2, 0, 5, 0], 1, before));
    agents[1].hit(&[0], 1);
    world.pull(0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 2);
    agents[1].hit(&[5], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 1, 2, 0, 6, 0]);
    world.assert_consistent();
    assert!(world.latest_text("apa_goc_echoserver").starts_with("mode: atomic\n"));
}

#[test]
fn the_meta_comes_once_and_counters_alone_after_it() {
    let (world, agents) = world_with(1);
    for times in 1..4 {
        agents[0].hit(&[0], times);
        world.pull(0);
        let peeks = usize::try_from(times).unwrap();
        assert_eq!(agents[0].requests(), (peeks, 1));
    }
    // A replica that is new shows its meta once, too.
    let other = Coverport::start(&program());
    world.center.register_url(ECHO, &other.url());
    other.hit(&[2], 1);
    world.pull(0);
    assert_eq!((other.requests(), world.echo_counts()), ((1, 1), vec![0, 0, 0, 1, 6, 0]));
    other.hit(&[2], 1);
    world.run(&["pull", "--force", "--change", "counts"]).assert_code(0);
    assert_eq!((other.requests(), world.echo_counts()), ((2, 1), vec![0, 0, 0, 2, 6, 0]));
    // Another service does not: the hash of a meta is nobody's proof.
    let stranger = Coverport::start(&program());
    world.center.register_url("staging_th_shop_main_0123456789", &stranger.url());
    world.pull(0);
    assert_eq!(stranger.requests(), (1, 1));
    assert_eq!(world.query::<i64>("SELECT count(*) FROM meta"), 1);
}

#[test]
fn an_agent_that_refuses_the_query_for_counters_alone_is_asked_for_everything() {
    let (world, agents) = world_with(1);
    agents[0].behave(Behaviour::RefuseQueries);
    for hits in 1..=2 {
        agents[0].hit(&[0, 2], 1);
        world.run(&["pull", "--force", "--change", "counts"]).assert_code(0);
        assert_eq!(world.echo_counts(), [0, 0, 0, hits, hits, 0]);
    }
}

#[test]
fn the_kind_is_found_out_remembered_and_asked_anew() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[0], 1);
    world.pull(0);
    assert_eq!(
        world.query::<String>("SELECT address || ' ' || kind FROM agent"),
        agents[0].url() + " coverport"
    );
    // An agent that shows nothing is known by what was found before.
    agents[0].hide_headers();
    agents[0].hit(&[2], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 1, 0]);

    // A process of goc takes the address.
    let address = agents[0].url().trim_start_matches("http://").parse().unwrap();
    agents[0].kill();
    let goc = Agent::start_at(address, &Program::from_profile(PROGRAM));
    goc.hit(&[4], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 1, 1, 1, 0]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM agent"), 0);
}

#[test]
fn an_unknown_agent_is_asked_for_its_fraction_first_and_a_known_one_for_its_data_alone() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[0], 1);
    world.pull(0);
    let first = ["GET /v1/cover/coverage", "GET /coverage?nometa=1", "GET /coverage"];
    assert_eq!(agents[0].asked(), first);
    world.pull(0);
    assert_eq!(agents[0].asked(), ["GET /coverage?nometa=1"]);

    let (world, agents) = World::with_covered_echo();
    world.pull(0);
    assert_eq!((agents[0].peeks(), agents[0].pulls()), (1, 1));
    world.pull(0);
    assert_eq!((agents[0].peeks(), agents[0].pulls()), (1, 2));
    // A root of an earlier release has no kinds, and agents of goc are known by their last answer.
    world.execute("DELETE FROM agent");
    world.pull(0);
    assert_eq!((agents[0].peeks(), agents[0].pulls()), (1, 3));
}

#[test]
fn a_peek_notices_that_an_agent_of_goc_answers_in_place_of_another() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[0], 1);
    world.pull(0);
    let address = agents[0].url().trim_start_matches("http://").parse().unwrap();
    agents[0].kill();
    let goc = Agent::start_at(address, &Program::from_profile(PROGRAM));
    goc.hit(&[4], 1);
    let output = world.run(&["pull"]).assert_code(0);
    assert_eq!(output.stderr, "");
    assert_eq!(world.echo_counts(), [0, 0, 1, 0, 1, 0]);
}

#[test]
fn an_agent_is_known_by_its_header_where_its_service_answers_to_any_path() {
    let (world, agents) = world_with(1);
    agents[0].answer_all();
    agents[0].hit(&[0], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    let raw = world.run(&["pull", "--raw", ECHO]).assert_code(0);
    assert_eq!(profile_of(&raw.stdout).counts, [0, 0, 0, 0, 1, 0]);
}

#[test]
fn another_process_id_is_another_life_whatever_its_counters() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[0], 2);
    world.pull(0);
    agents[0].restart();
    // Its counters are above those of the process before, which text alone could not tell from growth.
    agents[0].hit(&[0, 2], 3);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 3, 5, 0]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation WHERE closed_at IS NOT NULL"), 1);
    // In a container the id is the same, and fallen counters tell.
    agents[0].restart_with_same_pid();
    agents[0].hit(&[5], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 1, 0, 3, 5, 0]);
    world.assert_consistent();
}

#[test]
fn another_program_under_the_same_process_id_is_another_build() {
    let (world, agents) = world_with(3);
    for agent in &agents {
        agent.hit(&[0], 1);
    }
    world.pull(0);
    agents[0].run(&BinaryProgram::from_profile(REBUILT));
    agents[0].hit(&[1], 1);
    let output = world.pull(3);
    assert!(
        output.stderr.contains("which contradicts the one shown; its data is set aside"),
        "{}",
        output.stderr
    );
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 3, 0]);
    // All of them are of the new build now, which takes the place of the old one.
    for agent in &agents[1..] {
        agent.run(&BinaryProgram::from_profile(REBUILT));
    }
    let output = world.pull(0);
    assert!(output.stderr.contains(" replaced build "), "{}", output.stderr);
    assert_eq!(profile_of(&world.latest_text("apa_goc_echoserver")).counts, [0, 0, 1]);
}

#[test]
fn two_metas_of_one_hash_are_two_builds_and_it_is_said() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[0], 1);
    world.pull(0);
    let twin =
        BinaryProgram::from_profile("example.com/apa/echo/other.go:1.1,2.2 1\n").with_hash_of(&program());
    let other = Coverport::start(&twin);
    world.center.register_url("staging_th_other_main_0123456789", &other.url());
    other.hit(&[0], 1);
    let output = world.pull(0);
    assert!(output.stderr.contains("has the hash of another one, "), "{}", output.stderr);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM meta"), 2);
    assert_eq!(world.latest_text("other"), "mode: atomic\nexample.com/apa/echo/other.go:1.1,2.2 1 1\n");
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
}

#[test]
fn recorded_answers_of_coverport_give_what_go_makes_of_them() {
    let (world, agents) = world_with(1);
    world.configure("");
    agents[0].record(body(RECORDED[0]), body(RECORDED[1]));
    let raw = world.run(&["pull", "--raw", "--address", &agents[0].url()]).assert_code(0);
    assert_eq!(profile_of(&raw.stdout), profile_of(RECORDED_TEXT));
    let output = world.pull(0);
    assert_eq!(output.stderr, "");
    // The file of the agent is left out of what is stored.
    let own: Vec<&str> = RECORDED_TEXT.lines().filter(|line| !line.contains("coverage_server.go")).collect();
    assert_eq!(profile_of(&world.latest_text("apa_goc_echoserver")), profile_of(&(own.join("\n") + "\n")));
    // The arguments of the process are in its counters, and nowhere here.
    assert!(!fs::read(world.root().join("sqlite.db")).unwrap().windows(5).any(|bytes| bytes == b"argv0"));
}

#[test]
fn files_of_agents_that_are_left_out_are_named_by_the_first_pull_whose_details_are_read() {
    let world = World::new();
    let agent = Coverport::start(&BinaryProgram::from_profile(WITH_AGENT));
    world.center.register_url(ECHO, &agent.url());
    let pull = |options: &[&str]| {
        // The agent counts itself.
        agent.hit(&[0], 1);
        world.run(&[&["pull", "--force"], options].concat()).assert_code(0).stderr
    };
    let said = format!("{ECHO}: \"{AGENT}\" is a file of its agent and left out (agent_files)");
    let first = pull(&[]);
    assert!(!first.contains("left out"), "{first}");
    let second = pull(&["-v"]);
    assert_eq!(second.matches(&said).count(), 1, "{second}");
    let third = pull(&["-v"]);
    assert!(!third.contains("left out"), "said once: {third}");
}

#[test]
fn a_label_that_calls_an_agent_another_kind_is_named_where_it_does_not_answer_so() {
    let world = World::new();
    let agent = Agent::start(&crate::harness::echo());
    let address = agent.url().trim_start_matches("http://").to_owned();
    let pull = |labels: &serde_json::Value| {
        pull_targets(&world, &json!([{"targets": [address], "labels": labels}]), 3).stderr
    };
    let coverport = pull(&json!({"service": ECHO, "agent": "coverport"}));
    let said =
        "\"404 page not found\" (its label agent is coverport; without that label its kind is found out)";
    assert!(coverport.contains(said), "{coverport}");
    let raw = pull(&json!({"service": ECHO, "agent": "raw", "meta": "/meta", "counters": "/counters"}));
    let said = "(its label agent is raw; its labels meta and counters are paths of its two files)";
    assert!(raw.contains(said), "{raw}");
}

#[test]
fn files_of_agents_are_left_out_unless_the_configuration_says_otherwise() {
    let (world, agents) = world_with(1);
    agents[0].record(body(RECORDED[0]), body(RECORDED[1]));
    let output = world.run(&["pull", "--force", "-v"]).assert_code(0);
    let said =
        "\"example.com/cp/coverage/coverage_server.go\" is a file of its agent and left out (agent_files)";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    let output = world.run(&["pull", "--force", "-v"]).assert_code(0);
    assert!(!output.stderr.contains("left out"), "said once: {}", output.stderr);

    let (world, agents) = world_with(1);
    world.configure("agent_files = []\n");
    agents[0].record(body(RECORDED[0]), body(RECORDED[1]));
    world.pull(0);
    assert_eq!(profile_of(&world.latest_text("apa_goc_echoserver")), profile_of(RECORDED_TEXT));
}

#[test]
fn a_process_counts_on_in_the_build_of_changed_agent_files() {
    let world = World::new();
    let agent = Coverport::start(&BinaryProgram::from_profile(WITH_AGENT));
    world.center.register_url(ECHO, &agent.url());
    let pull_with = |configuration: &str, hit: &[usize], expected: &str| {
        world.configure(&format!("{configuration}[pull]\nchange = \"counts\"\n"));
        agent.hit(hit, 1);
        let output = world.pull(0);
        assert_eq!(
            profile_of(&world.latest_text("apa_goc_echoserver")),
            profile_of(expected),
            "{}",
            output.stderr
        );
        let explained = world.run(&["list", "--explain", ECHO]).assert_code(0).stdout;
        assert_eq!(explained.matches("\n  build ").count(), 1, "{explained}");
    };
    let main =
        |counts: [u64; 2]| format!("{MAIN}:10.13,12.2 2 {}\n{MAIN}:14.30,16.2 1 {}\n", counts[0], counts[1]);
    let whole = |agent: u64, counts| format!("mode: atomic\n{AGENT}:1.1,2.2 1 {agent}\n{}", main(counts));
    let without = |counts| format!("mode: atomic\n{}", main(counts));
    pull_with("", &[0, 1], &without([1, 0]));
    agent.restart();
    pull_with("", &[0, 2], &without([1, 1]));
    // The agent's counters of the process that is over are not known any more.
    pull_with("agent_files = []\n", &[0, 2], &whole(2, [1, 2]));
    pull_with("", &[0, 1], &without([2, 2]));
    pull_with("agent_files = [\"*/main.go\"]\n", &[0], &format!("mode: atomic\n{AGENT}:1.1,2.2 1 4\n"));
    // The counters of the process that is over are gone with the file.
    pull_with("agent_files = []\n", &[0], &whole(5, [1, 2]));
}

#[test]
fn the_last_row_is_that_of_changed_agent_files_though_nothing_moved() {
    let world = World::new();
    let agent = Coverport::start(&BinaryProgram::from_profile(WITH_AGENT));
    world.center.register_url(ECHO, &agent.url());
    agent.hit(&[0, 1], 1);
    world.configure("agent_files = []\n");
    world.pull(0);
    world.configure("");
    world.pull(0);
    let expected = format!("mode: atomic\n{MAIN}:10.13,12.2 2 1\n{MAIN}:14.30,16.2 1 0\n");
    assert_eq!(profile_of(&world.latest_text("apa_goc_echoserver")), profile_of(&expected));
    let again = world.pull(0).stdout;
    assert!(again.contains("unchanged"), "{again}");
}

#[test]
fn what_an_agent_tells_of_its_program_is_shown_and_another_commit_is_named() {
    let (world, agents) = world_with(1);
    agents[0].tell_commit("845820727e1f0a0c4b5d6e7f8091a2b3c4d5e6f7");
    agents[0].hit(&[0], 1);
    let output = world.run(&["pull", "--force", "-v"]).assert_code(0);
    let said = "tells program svc, commit 845820727e1f0a0c4b5d6e7f8091a2b3c4d5e6f7";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    agents[0].tell_commit("0123456789");
    agents[0].hit(&[0], 1);
    let output = world.pull(0);
    let said = "tells commit 0123456789; its data counts for 845820727e all the same";
    assert!(output.stderr.contains(said), "{}", output.stderr);
}

#[test]
fn a_named_address_is_pulled_under_its_service() {
    let (world, agents) = world_with(1);
    let pod = Coverport::start(&program());
    agents[0].hit(&[0], 1);
    pod.hit(&[2], 4);
    world.pull(0);
    world.run(&["pull", ECHO, "--address", &pod.url()]).assert_code(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 4, 1, 0]);
}

#[test]
fn a_service_is_due_when_a_peek_finds_something_new() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[0], 1);
    world.pull(0);
    agents[0].hit(&[0], 5);
    world.run(&["pull"]).assert_code(0);
    assert_eq!(
        (agents[0].requests(), world.echo_counts()),
        ((2, 1), vec![0, 0, 0, 0, 1, 0]),
        "only counts moved"
    );
    agents[0].hit(&[3], 1);
    world.run(&["pull"]).assert_code(0);
    assert_eq!((agents[0].requests(), world.echo_counts()), ((4, 1), vec![1, 0, 0, 0, 6, 0]));
}

/// Kinds of agents that serve binary data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Coverport,
    Raw,
}

const WIRES: [Wire; 2] = [Wire::Coverport, Wire::Raw];

/// Pulls these processes as agents of one kind.
fn pull_as(wire: Wire, world: &World, agents: &[&Coverport], options: &[&str]) -> Output {
    let addresses: Vec<String> =
        agents.iter().map(|agent| agent.url().trim_start_matches("http://").to_owned()).collect();
    let labels = match wire {
        Wire::Coverport => json!({"service": ECHO, "agent": "coverport"}),
        Wire::Raw => json!({"service": ECHO, "agent": "raw", "meta": "/meta", "counters": "/counters"}),
    };
    let [option, path] = targets(world, &json!([{"targets": addresses, "labels": labels}]));
    world.run(&[&["pull", "--force", "-q", &option, &path], options].concat())
}

/// Two replicas, which were pulled once and have a hit each.
#[track_caller]
fn pulled_replicas(wire: Wire) -> (World, [Coverport; 2]) {
    let world = World::new();
    let agents = [0, 1].map(|_| Coverport::start(&program()));
    agents[0].hit(&[0], 1);
    agents[1].hit(&[2], 1);
    pull_as(wire, &world, &agents.each_ref(), &[]).assert_code(0);
    (world, agents)
}

/// Pulls two replicas, the second of which behaves so. Checks that stored data stays and that the first one is taken
/// in, and returns the message about the second.
#[track_caller]
fn fault_of(wire: Wire, behaviour: Behaviour, options: &[&str]) -> String {
    let (world, agents) = pulled_replicas(wire);
    let agents = agents.each_ref();
    agents[0].hit(&[3], 1);
    agents[1].hit(&[4], 1);
    agents[1].behave(behaviour);
    let output = pull_as(wire, &world, &agents, options).assert_code(3);
    assert_eq!(world.echo_counts(), [1, 0, 0, 1, 1, 0]);
    world.assert_consistent();
    output.fault(ECHO, &agents[1].url())
}

fn body_of(text: &str) -> Behaviour {
    Behaviour::Body(text.as_bytes().to_vec())
}

#[test]
fn an_agent_that_hangs_drips_or_is_cut_off_is_named_and_changes_nothing() {
    for wire in WIRES {
        let hung = fault_of(wire, Behaviour::Hang, &["--read-timeout", "2s"]);
        assert_eq!(hung, "timed out (connected, then silent)");
        let drip = Behaviour::Drip(Duration::from_millis(100));
        let fault = fault_of(wire, drip, &["--timeout", "2s"]);
        assert_eq!(fault, "timed out (the whole answer took too long)");
        for cut in [1, 3, 60, 200] {
            let fault = fault_of(wire, Behaviour::CutBefore(cut), &[]);
            assert!(fault.starts_with("the answer was cut short: "), "{wire:?} {cut}: {fault}");
        }
    }
}

#[test]
fn garbage_in_place_of_json_is_named_and_changes_nothing() {
    let of_body = |body: &str| fault_of(Wire::Coverport, body_of(body), &[]);
    let json = "not the JSON in which agents of the kind coverport answer: ";
    assert!(of_body("<html>Sign in</html>").starts_with(json));
    assert!(of_body("").starts_with(json));
    assert_eq!(of_body(r#"{"counters_data":"!"}"#), format!("{json}at byte 20: not base64"));
    let fault = of_body(r#"{"counters_data":"AGN3bQEAAAA="}"#);
    assert!(fault.starts_with("bad coverage data: cut short: "), "{fault}");
    let fault = of_body(r#"{"counters_data":"f0VMRgEBAQA="}"#);
    assert!(fault.starts_with("bad coverage data: no coverage data of Go: "), "{fault}");
}

#[test]
fn garbage_in_place_of_files_is_named_and_changes_nothing() {
    let counters = program().counters(&[1; 6]);
    for (body, expected) in [
        (&b"<html>Sign in</html>"[..], "no coverage data of Go: it begins with \"<htm\""),
        (b"", "cut short: 0 bytes"),
        (&counters[..counters.len() - 20], "cut short"),
        (&[&counters[..], b"junk"].concat(), "cut short, or changed"),
        (&program().meta(), "covmeta data where covcounters data was expected"),
        // Counters of a program that nobody knows, at an address whose meta is those counters, too.
        (
            &BinaryProgram::from_profile(REBUILT).counters(&[1; 3]),
            "covcounters data where covmeta data was expected",
        ),
    ] {
        let fault = fault_of(Wire::Raw, Behaviour::Body(body.to_vec()), &[]);
        assert!(fault.starts_with(&format!("bad coverage data: {expected}")), "{fault}");
    }
}

#[test]
fn a_meta_that_is_cut_off_is_asked_for_again() {
    for wire in WIRES {
        let world = World::new();
        let agent = Coverport::start(&program());
        agent.hit(&[0], 1);
        // The counters come first, and the meta after them.
        agent.behave_once(Behaviour::Normal);
        agent.behave_once(Behaviour::CutBefore(20));
        let output = pull_as(wire, &world, &[&agent], &[]).assert_code(3);
        assert!(output.stderr.contains(": the answer was cut short: "), "{}", output.stderr);
        assert_eq!((world.row_count(), world.query::<i64>("SELECT count(*) FROM meta")), (0, 0), "{wire:?}");
        pull_as(wire, &world, &[&agent], &[]).assert_code(0);
        assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0], "{wire:?}");
    }
}

#[test]
fn a_process_that_restarted_keeps_what_it_counted_before() {
    for wire in WIRES {
        let world = World::new();
        let agent = Coverport::start(&program());
        agent.hit(&[0, 2], 2);
        pull_as(wire, &world, &[&agent], &[]).assert_code(0);
        agent.restart();
        agent.hit(&[0, 4], 1);
        pull_as(wire, &world, &[&agent], &[]).assert_code(0);
        assert_eq!(world.echo_counts(), [0, 0, 1, 2, 3, 0], "{wire:?}");
        assert_eq!(world.query::<i64>("SELECT count(*) FROM generation WHERE closed_at IS NOT NULL"), 1);
        world.assert_consistent();
    }
}

#[test]
fn a_process_of_another_service_at_the_address_is_set_aside_and_comes_back() {
    for wire in WIRES {
        let (world, agents) = pulled_replicas(wire);
        let agents = agents.each_ref();
        // The address of the second one was given to a pod of another service.
        agents[0].hit(&[3], 1);
        agents[1].run(&BinaryProgram::from_profile("example.com/shop/main.go:1.1,2.2 1\n"));
        agents[1].hit(&[0], 9);
        let output = pull_as(wire, &world, &agents, &[]).assert_code(3);
        let said = format!("goc-watchdog: {ECHO}: \"{}\" serves build ", agents[1].url());
        let line = output.stderr.lines().find(|line| line.starts_with(&said)).expect(&output.stderr);
        assert!(
            line.contains(", which contradicts the one shown; its data is set aside (to show it: "),
            "{line}"
        );
        assert_eq!(world.echo_counts(), [1, 0, 0, 1, 1, 0], "{wire:?}");
        // The service's own program is there again.
        agents[1].run(&program());
        agents[1].hit(&[4], 1);
        pull_as(wire, &world, &agents, &[]).assert_code(0);
        assert_eq!(world.echo_counts(), [1, 0, 1, 1, 1, 0], "{wire:?}");
        world.assert_consistent();
    }
}

#[test]
fn a_program_that_cannot_be_read_is_told_with_the_next_step() {
    for (recording, expected) in [
        (
            include_str!("fixtures/gocover/coverport-wire/coverage-count-mode.txt"),
            "answered 500: its program counts in another mode than atomic, so that its counters can be read at its end \
             alone: build it with go build -cover -covermode=atomic",
        ),
        (
            include_str!("fixtures/gocover/coverport-wire/coverage-not-instrumented.txt"),
            "answered 500: its program was built without -cover: build it with go build -cover -covermode=atomic",
        ),
    ] {
        let said = recording.rsplit_once("\n\n").unwrap();
        let said = if said.1.is_empty() { said.0.rsplit_once("\n\n").unwrap().1 } else { said.1 };
        let status = Behaviour::Status("500 Internal Server Error", said);
        assert_eq!(fault_of(Wire::Coverport, status, &[]), expected);
    }
}

#[test]
fn an_answer_beyond_the_limit_is_refused() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[0], 1);
    let output = world.run(&["pull", "--force", "--max-body", "100"]).assert_code(3);
    assert!(
        output.stderr.contains("more than 100 bytes, the limit for one answer (--max-body)"),
        "{}",
        output.stderr
    );
}

/// Settings with which one run removes an address that is dead.
const PRUNED_AT_ONCE: &str =
    "[prune]\npauses = [\"1ms\"]\nrecheck = [\"0s\"]\nconfirm_runs = 1\nconfirm_over = \"0s\"\n";

#[test]
fn an_agent_of_go_binary_data_is_alive_for_prune() {
    for (hides, broken) in [(false, false), (true, false), (false, true)] {
        let (world, agents) = world_with(1);
        world.configure(PRUNED_AT_ONCE);
        agents[0].hit(&[0], 1);
        world.pull(0);
        if hides {
            agents[0].hide_headers();
        }
        if broken {
            agents[0].behave(Behaviour::Status("500 Internal Server Error", "no"));
        }
        world.run(&["prune", "--force"]).assert_code(0);
        assert_eq!(world.center.removals(), [""; 0], "{hides} {broken}");
    }
    // An agent behind a proxy that removes its headers, which writes the meta first, and always.
    let (world, agents) = world_with(1);
    world.configure(PRUNED_AT_ONCE);
    agents[0].hide_headers();
    let Behaviour::Body(kept) = agents[0].kept_answer() else { unreachable!("a body") };
    let kept: serde_json::Value = serde_json::from_slice(&kept).unwrap();
    let [meta, counters] = ["meta_data", "counters_data"].map(|key| &kept[key]);
    let answer = format!("{{\"meta_data\": {meta}, \"counters_data\": {counters}}}");
    agents[0].behave(Behaviour::Body(answer.into_bytes()));
    world.run(&["prune", "--force"]).assert_code(0);
    assert_eq!(world.center.removals(), [""; 0]);

    // An agent without headers that knows no query.
    let (world, agents) = world_with(1);
    world.configure(PRUNED_AT_ONCE);
    agents[0].hide_headers();
    agents[0].behave(Behaviour::RefuseQueries);
    world.run(&["prune", "--force"]).assert_code(0);
    assert_eq!(world.center.removals(), [""; 0]);

    let (world, agents) = world_with(1);
    world.configure(PRUNED_AT_ONCE);
    world.pull(0);
    agents[0].kill();
    world.run(&["prune", "--force"]).assert_code(0);
    let removed = format!("application/json {{\"address\":[\"{}\"]}}", agents[0].url());
    assert_eq!(world.center.removals(), [removed]);
}

#[test]
fn an_agent_raw_that_a_pull_had_data_from_is_alive_for_prune() {
    let (world, agents) = world_with(1);
    world.configure(PRUNED_AT_ONCE);
    agents[0].serve_files_alone();
    let address = agents[0].url().trim_start_matches("http://").to_owned();
    let labels = json!({"service": ECHO, "agent": "raw", "meta": "/meta", "counters": "/counters"});
    agents[0].hit(&[0], 1);
    pull_targets(&world, &json!([{"targets": [address], "labels": labels}]), 0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    world.run(&["prune", "--force"]).assert_code(0);
    assert_eq!(world.center.removals(), [""; 0]);
    // The list has it no more, and the process still serves its data.
    pull_targets(&world, &json!([]), 3);
    world.run(&["prune", "--force"]).assert_code(0);
    assert_eq!(world.center.removals(), [""; 0]);
    agents[0].kill();
    world.run(&["prune", "--force"]).assert_code(0);
    assert_eq!(world.center.removals().len(), 1);
}

/// Writes a list of targets, and returns the option that names it.
fn targets(world: &World, groups: &serde_json::Value) -> [String; 2] {
    let path = world.home().join("targets.json");
    fs::write(&path, groups.to_string()).unwrap();
    ["--targets".to_owned(), path.display().to_string()]
}

fn pull_targets(world: &World, groups: &serde_json::Value, code: i32) -> Output {
    let [option, path] = targets(world, groups);
    world.run(&["pull", "--force", &option, &path]).assert_code(code)
}

#[test]
fn a_label_tells_the_kind_and_files_below_two_paths_are_pulled() {
    let world = World::new();
    let agent = Coverport::start(&program());
    agent.hide_headers();
    agent.hit(&[0], 1);
    let address = agent.url().trim_start_matches("http://").to_owned();
    let labels = |labels: serde_json::Value| json!([{"targets": [address], "labels": labels}]);
    let unknown = pull_targets(&world, &labels(json!({"service": ECHO})), 3);
    assert!(unknown.stderr.contains("answered 404"), "{}", unknown.stderr);
    pull_targets(&world, &labels(json!({"service": ECHO, "agent": "coverport"})), 0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);

    agent.hit(&[2], 4);
    let raw = labels(json!({"service": ECHO, "agent": "raw", "meta": "/meta", "counters": "/counters"}));
    let before = agent.requests();
    pull_targets(&world, &raw, 0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 4, 1, 0]);
    assert_eq!(agent.requests(), (before.0 + 1, before.1), "the meta is known");
    // The same counters again change nothing.
    let stored = || world.query::<String>("SELECT group_concat(hex(counts) || pulled_at) FROM generation");
    let counts = stored();
    pull_targets(&world, &raw, 0);
    assert_eq!(stored(), counts);

    let [option, path] = targets(&world, &raw);
    let text = world.run(&["pull", "--raw", ECHO, &option, &path]).assert_code(0);
    assert_eq!(profile_of(&text.stdout).counts, [0, 0, 0, 4, 1, 0]);

    let other = World::new();
    pull_targets(&other, &raw, 0);
    assert_eq!(other.echo_counts(), [0, 0, 0, 4, 1, 0]);
    let swapped = labels(json!({"service": ECHO, "agent": "raw", "meta": "/counters", "counters": "/meta"}));
    let output = pull_targets(&other, &swapped, 3);
    assert!(
        output.stderr.contains("bad coverage data: covmeta data where covcounters data was expected"),
        "{}",
        output.stderr
    );
}

#[test]
fn lists_tell_the_kind_of_each_agent() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[0], 1);
    let goc = world.start(ECHO, &Program::from_profile(PROGRAM));
    goc.hit(&[1], 1);
    let kinds = || {
        let lines = world.run(&["list", "--format", "json"]).assert_code(0).json();
        let addresses = lines[0][0]["addresses"].as_array().unwrap().clone();
        addresses.iter().map(|line| line["agent"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(), [json!(null), json!(null)]);
    world.pull(0);
    assert_eq!(kinds(), [json!("coverport"), json!("goc")]);
    let explained = world.run(&["list", "--explain", ECHO]).assert_code(0);
    let line = |url: &str| explained.stdout.lines().find(|line| line.contains(url)).unwrap().to_owned();
    assert!(line(&agents[0].url()).contains("; agent coverport"), "{}", explained.stdout);
    assert!(!line(&goc.url()).contains("agent"), "{}", explained.stdout);
    let metrics = world.run(&["list", "--format", "prometheus"]).assert_code(0).stdout;
    assert!(
        metrics.contains(",commit=\"845820727e\",agent=\"coverport,goc\",targets=\"\"} 1\n"),
        "{metrics}"
    );
    world.run(&["report", "--all", "--format", "site", "-o", "site"]).assert_code(0);
    let site: serde_json::Value =
        serde_json::from_slice(&fs::read(world.home().join("site/index.json")).unwrap()).unwrap();
    assert_eq!(site["services"][0]["agents"], json!(["coverport", "goc"]));
    let page = fs::read_to_string(world.home().join("site/apa_goc_echoserver/index.html")).unwrap();
    assert!(page.contains("<dt>Agent</dt><dd>coverport, goc</dd>"), "{page}");
}

/// A pod as `kubectl get pods -o json` prints it.
fn pod(agent: &Coverport, uid: &str, restarts: u32) -> serde_json::Value {
    let address = agent.url();
    let (ip, port) = address.trim_start_matches("http://").split_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    json!({"kind": "List", "items": [{
        "kind": "Pod",
        "metadata": {"name": "echo-0", "namespace": "staging", "uid": uid,
                     "annotations": {"goc-watchdog/service": ECHO, "goc-watchdog/port": port.to_string()}},
        "spec": {"containers": [{"name": "echo", "ports": [{"name": "coverage", "containerPort": port}]}]},
        "status": {"phase": "Running", "podIP": ip,
                   "containerStatuses": [{"name": "echo", "restartCount": restarts}]},
    }]})
}

#[test]
fn another_pod_or_a_restart_of_its_container_is_another_process_though_its_id_is_the_same() {
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let agent = Coverport::start(&program());
    agent.hit(&[0], 1);
    pull_targets(&world, &pod(&agent, "uid-1", 0), 0);
    // Counters above those before.
    agent.hit(&[0], 1);
    pull_targets(&world, &pod(&agent, "uid-1", 0), 0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 2, 0]);
    pull_targets(&world, &pod(&agent, "uid-1", 1), 0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 4, 0]);
    pull_targets(&world, &pod(&agent, "uid-2", 1), 0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 6, 0]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation WHERE closed_at IS NULL"), 1);
}

#[test]
fn a_new_process_at_an_address_that_failed_is_asked_at_once() {
    let none = json!({"kind": "List", "items": []});
    for (before, lists) in [
        (("uid-1", 0), vec![Some(("uid-1", 1))]),
        (("uid-1", 0), vec![Some(("uid-2", 0))]),
        // The pod is gone for a run.
        (("uid-1", 0), vec![None, Some(("uid-1", 0))]),
    ] {
        let world = World::new();
        let agent = Coverport::start(&program());
        let pull = |list: &serde_json::Value| {
            let file = world.home().join("pods.json");
            fs::write(&file, list.to_string()).unwrap();
            world.run(&["pull", "--targets", file.to_str().unwrap()])
        };
        let listed = |(uid, restarts)| pod(&agent, uid, restarts);
        agent.behave(Behaviour::Status("503 Service Unavailable", "starting"));
        pull(&listed(before)).assert_code(3);
        let later = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+50 minutes')";
        world.execute(&format!("UPDATE address SET failures = 9, next_try_at = {later}"));
        agent.behave(Behaviour::Normal);
        agent.asked();
        for list in &lists {
            let is_last = list.is_some();
            pull(&list.map_or_else(|| none.clone(), listed)).assert_code(0);
            assert_eq!(agent.asked().is_empty(), !is_last, "{lists:?}");
        }
        let (failures, next): (u32, Option<String>) =
            (world.query("SELECT failures FROM address"), world.query("SELECT next_try_at FROM address"));
        assert_eq!((failures, next), (0, None), "{lists:?}");
    }
}

#[test]
fn a_process_that_is_not_new_waits_for_its_next_try() {
    let world = World::new();
    let agent = Coverport::start(&program());
    let file = world.home().join("pods.json");
    fs::write(&file, pod(&agent, "uid-1", 0).to_string()).unwrap();
    let pull =
        |options: &[&str]| world.run(&[&["pull", "--targets", file.to_str().unwrap()], options].concat());
    pull(&[]).assert_code(0);
    agent.behave(Behaviour::Status("503 Service Unavailable", "starting"));
    pull(&["--force"]).assert_code(3);
    agent.asked();
    pull(&[]).assert_code(3);
    assert_eq!(agent.asked(), [""; 0]);
    // Another source that lists the same address tells nothing new of its process.
    let place = agent.url().replace("http://", "");
    let labels = json!({"service": ECHO});
    fs::write(world.home().join("again.json"), json!([{"targets": [place], "labels": labels}]).to_string())
        .unwrap();
    pull(&["--targets", "again.json"]).assert_code(3);
    assert!(agent.asked().iter().all(|request| !request.starts_with("GET /coverage")));
    // A dry run shows what a pull would do, and stores nothing.
    fs::write(&file, pod(&agent, "uid-1", 1).to_string()).unwrap();
    let plan = pull(&["--dry-run"]).assert_code(0);
    assert!(plan.stdout.contains("a new process is listed at an address that failed"), "{}", plan.stdout);
    assert_eq!(world.query::<u32>("SELECT failures FROM address"), 1);
    // The first failure of the new process is its first one.
    pull(&[]).assert_code(3);
    assert_eq!(world.query::<u32>("SELECT failures FROM address"), 1);
    assert!(!agent.asked().is_empty());
}

#[test]
fn a_process_that_registers_again_at_an_address_that_failed_is_asked_at_once() {
    let (world, agents) = World::with_echo(2);
    agents[0].kill();
    world.run(&["pull"]).assert_code(3);
    world.center.remove(&agents[0].url());
    world.run(&["pull"]).assert_code(0);
    agents[0].revive();
    world.center.register(ECHO, &agents[0]);
    world.run(&["pull"]).assert_code(0);
    assert!(agents[0].pulls() > 0);
}

#[test]
fn the_last_data_of_a_pod_counts_once_and_its_arguments_stay_with_it() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[0], 2);
    world.pull(0);
    agents[0].hit(&[0, 3], 1);
    let snapshot = fs::read(world.leave_snapshot(&agents[0].url(), ECHO)).unwrap();
    assert!(snapshot.starts_with(b"goc-watchdog snapshot 2\n"));
    assert!(!snapshot.windows(6).any(|part| part == b"s3cret"));
    agents[0].kill();
    world.run(&["pull"]).assert_code(3);
    assert_eq!(world.echo_counts(), [1, 0, 0, 0, 3, 0]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
}

#[test]
fn the_hook_finds_an_agent_by_the_port_in_its_environment() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[2], 4);
    let inbox = world.inbox();
    let hook = |port: &str| {
        let mut command = world.command(&["pull", "--strict", "--to-inbox"]);
        command.arg(&inbox).args(LONG_DEADLINE).env("COVERAGE_PORT", port).env("GOC_SERVICE_NAME", ECHO);
        output_of(&mut command)
    };
    // Ports that agents of other tests do not get.
    let row = ReservedPort::in_a_row(50);
    let (first, last) = (row[0].address().port(), row[49].address().port());
    let output = hook(&first.to_string()).assert_code(1);
    let said = format!(
        "no agent listens at port {first} (COVERAGE_PORT) or one of the next up to {last}: name the process with --address"
    );
    assert!(output.stderr.contains(&said), "{}", output.stderr);
    hook(agents[0].url().rsplit_once(':').unwrap().1).assert_code(0);
    agents[0].kill();
    world.run(&["pull"]).assert_code(3);
    assert_eq!(world.echo_counts(), [0, 0, 0, 4, 0, 0]);
}

#[test]
fn the_hook_looks_at_the_ports_that_an_agent_tries_and_refuses_to_guess() {
    let world = World::new();
    let inbox = world.inbox();
    let mut row: Vec<ReservedPort> = ReservedPort::in_a_row(50);
    let (far, near) = (row.pop().unwrap(), row.remove(1));
    let first = row[0].address().port();
    let hook = |port: u16| {
        let mut command = world.command(&["pull", "--strict", "--to-inbox"]);
        command.arg(&inbox).args(LONG_DEADLINE);
        output_of(command.env("COVERAGE_PORT", port.to_string()).env("GOC_SERVICE_NAME", ECHO))
    };
    // The first port is taken by a server that is no agent.
    let _other = row[0].listen().unwrap();
    let agent = Coverport::start_at(far, &program());
    agent.hit(&[2], 4);
    hook(first).assert_code(0);
    // Another agent at a port between: nothing tells which one is meant.
    let other = Coverport::start_at(near, &program());
    other.hit(&[0], 1);
    other.tell_commit("0123456789");
    let port_of = |agent: &Coverport| agent.url().rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    agent.tell_commit("0123456789");
    let output = hook(first).assert_code(1);
    let id = std::process::id();
    let said = format!(
        "several agents listen here, and nothing tells which one is that of the service; choose one with --address \
         http://127.0.0.1:PORT or COVERAGE_PORT=PORT:\n  port {}, process {id}, program svc, commit 0123456789\n  port {}, \
         process {id}, program svc, commit 0123456789\n",
        port_of(&other),
        port_of(&agent)
    );
    assert!(output.stderr.contains(&said), "{}", output.stderr);
    // The port itself is a choice, and so is the commit at the end of the name.
    hook(port_of(&other)).assert_code(0);
    agent.tell_commit("845820727e");
    hook(first).assert_code(0);
    world.run(&["pull"]).assert_code(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 4, 1, 0]);
}

/// A process with an environment of its own, which serves coverage until this value is dropped.
struct ServedElsewhere {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl ServedElsewhere {
    /// Starts the test below at a port, with a service name in its environment and this path of its program.
    fn start(service: &str, port: u16, program: &Path) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.arg0(program).args(["--ignored", "--nocapture", "a_process_that_other_tests_start"]);
        command.env("GOC_SERVICE_NAME", service).env("SERVED_AT", port.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("it serves") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "it ended");
        }
        Self { child, output }
    }
}

impl Drop for ServedElsewhere {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.output.read_to_string(&mut String::new());
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "a process that other tests start"]
fn a_process_that_other_tests_start() {
    let port: u16 = env::var("SERVED_AT").expect("a port").parse().unwrap();
    let agent = Coverport::start_at(ReservedPort::new(([127, 0, 0, 1], port).into()).unwrap(), &program());
    agent.hit(&[0], u64::from(port));
    println!("it serves");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn the_hook_never_saves_the_data_of_a_process_with_another_name() {
    let world = World::new();
    let inbox = world.inbox();
    let row = ReservedPort::in_a_row(50);
    let [first, second] = [0, 1].map(|index: usize| row[index].address().port());
    let hook_in = |folder: &Path| {
        let mut command = world.command(&["pull", "--strict", "--to-inbox"]);
        command.arg(&inbox).args(LONG_DEADLINE).args(["--service", ECHO]).current_dir(folder);
        output_of(command.env("COVERAGE_PORT", first.to_string()))
    };
    let hook = || hook_in(world.home());
    let other = "staging_th_other_master_0123456789";
    let program = world.home().join("other");
    let one = ServedElsewhere::start(other, first, &program);
    let said = format!(
        "no agent here is one of \"{ECHO}\"; if one of these is, choose it with --address http://127.0.0.1:PORT:\n  \
         port {first}, process {}, program svc, service {other}\n",
        one.child.id()
    );
    let refused = || {
        let output = hook().assert_code(1);
        assert!(output.stderr.contains(&said), "{}", output.stderr);
    };
    refused();
    // Nor does a file beside its program, as goc writes it.
    fs::write(world.home().join("other_profile_listen_addr"), format!("127.0.0.1:{first}")).unwrap();
    fs::create_dir(world.home().join("elsewhere")).unwrap();
    let in_its_folder = hook_in(&world.home().join("elsewhere")).assert_code(1);
    assert!(in_its_folder.stderr.contains(&said), "{}", in_its_folder.stderr);
    fs::remove_file(world.home().join("other_profile_listen_addr")).unwrap();

    let two = ServedElsewhere::start(ECHO, second, &world.home().join("echo"));
    hook().assert_code(0);
    drop((one, two));
    world.run(&["pull"]).assert_code(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, u64::from(second), 0]);
}

/// Runs the hook without a name, with these variables of the pod.
fn hook_of_pod(world: &World, agent: &Coverport, variables: &[(&str, &str)], code: i32) -> Output {
    let inbox = world.inbox();
    let mut command = world.command(&["pull", "--strict", "--address", &agent.url(), "--to-inbox"]);
    command.arg(&inbox).args(LONG_DEADLINE).envs(variables.iter().copied());
    output_of(&mut command).assert_code(code)
}

#[test]
fn without_a_name_the_hook_makes_the_one_that_a_target_of_the_pod_has() {
    let world = World::new();
    let agent = Coverport::start(&program());
    agent.hit(&[2], 1);
    agent.tell_commit("0123456789");
    let labels = json!({"env": "staging", "region": "th", "branch": "feature/x"});
    let address = agent.url().trim_start_matches("http://").to_owned();
    pull_targets(&world, &json!([{"targets": [address], "labels": labels}]), 0);
    agent.hit(&[2, 3], 4);
    let pod = [
        ("POD_NAMESPACE", "staging"),
        ("POD_REGION", "th"),
        ("POD_BRANCH", "feature/x"),
        // The header counts.
        ("POD_COMMIT", "845820727e"),
    ];
    let output = hook_of_pod(&world, &agent, &pod, 0);
    assert!(output.stdout.starts_with("staging_th_echo_feature/x_0123456789: "), "{}", output.stdout);
    agent.kill();
    world.run(&["pull"]).assert_code(0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM cover_key"), 1);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
    assert_eq!(profile_of(&world.latest_text("echo")).counts, [4, 0, 0, 5, 0, 0]);
}

#[test]
fn a_snapshot_without_a_name_is_of_the_app_of_its_program_and_of_no_other_one() {
    let world = World::new();
    let other = Coverport::start(&BinaryProgram::from_profile("example.com/other/echo/main.go:1.1,2.2 1\n"));
    other.hit(&[0], 1);
    let address = other.url().trim_start_matches("http://").to_owned();
    pull_targets(&world, &json!([{"targets": [address]}]), 0);
    let agent = Coverport::start(&program());
    agent.hit(&[2], 4);
    hook_of_pod(&world, &agent, &[], 0);
    world.run(&["pull"]).assert_code(0);
    let apps = "SELECT group_concat(app_name, ' ') FROM (SELECT app_name FROM cover_key ORDER BY app_name)";
    assert_eq!(world.query::<String>(apps), "apa/echo echo");
    assert_eq!(profile_of(&world.latest_text("apa/echo")).counts, [0, 0, 0, 4, 0, 0]);
    // A name that a variable gives is that of the app, whatever the program.
    agent.hit(&[2], 1);
    let named = hook_of_pod(&world, &agent, &[("POD_APP", "mirror"), ("POD_NAMESPACE", "a_b")], 0);
    assert!(named.stdout.starts_with("a_b_mirror: "), "{}", named.stdout);
    world.run(&["pull"]).assert_code(0);
    let row = "SELECT env || '|' || app_name FROM goc_o_staging_service_cover WHERE app_name = 'mirror'";
    assert_eq!(world.query::<String>(row), "a_b|mirror");
}

#[test]
fn a_snapshot_of_a_process_that_was_never_pulled_is_taken_in() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[2], 4);
    world.leave_snapshot(&agents[0].url(), ECHO);
    agents[0].kill();
    world.run(&["pull"]).assert_code(3);
    assert_eq!(world.echo_counts(), [0, 0, 0, 4, 0, 0]);
}

#[test]
fn a_snapshot_from_the_future_waits() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[2], 4);
    let path = world.leave_snapshot(&agents[0].url(), ECHO);
    let content = fs::read(&path).unwrap();
    let later = [b"goc-watchdog snapshot 3\n", &content[b"goc-watchdog snapshot 2\n".len()..]].concat();
    fs::write(&path, later).unwrap();
    let output = world.run(&["pull"]).assert_code(3);
    let said = "its format has version 3, which a newer release of goc-watchdog reads";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    assert!(path.exists());
    // The newer release is there.
    fs::write(&path, content).unwrap();
    world.run(&["pull"]).assert_code(0);
    assert!(!path.exists());
}

#[test]
fn a_damaged_snapshot_of_binary_data_is_set_aside_by_name() {
    let (world, agents) = world_with(1);
    agents[0].hit(&[2], 4);
    let path = world.leave_snapshot(&agents[0].url(), ECHO);
    let content = fs::read(&path).unwrap();
    let head_end = content.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0;
    let head: serde_json::Value =
        serde_json::from_slice(&content[b"goc-watchdog snapshot 2\n".len()..head_end]).unwrap();
    let mut other = head.clone();
    other["meta_bytes"] = (head["meta_bytes"].as_u64().unwrap() - 1).into();
    let text = [b"goc-watchdog snapshot 2\n".as_slice(), other.to_string().as_bytes(), &content[head_end..]]
        .concat();
    fs::write(&path, text).unwrap();
    let output = world.run(&["pull"]).assert_code(3);
    assert!(output.stderr.contains("cut short: "), "{}", output.stderr);
    assert!(output.stderr.contains("moved to \"bad\" beside it"), "{}", output.stderr);
}

/// The recorded answers of goverage: counts that grow with each pull, by POST alone.
const GOVERAGE: [&str; 2] = [
    include_str!("fixtures/gocover/goverage-wire/post-1.txt"),
    include_str!("fixtures/gocover/goverage-wire/post-2.txt"),
];

#[test]
fn recorded_answers_of_goverage_are_taken_and_that_their_counts_grow_is_said_once() {
    let (world, _) = world_with(0);
    let recorded = Arc::new(Mutex::new(0));
    let answer = {
        let recorded = Arc::clone(&recorded);
        move |request: &Request, stream: &mut TcpStream| {
            let text = GOVERAGE[*recorded.lock().unwrap()].rsplit_once("\n\n").unwrap().1;
            let answer = match (&*request.path, &*request.method) {
                ("/v1/cover/profile", "POST") => sized("200 OK", "", text.as_bytes()),
                ("/v1/cover/profile", _) => sized("405 Method Not Allowed", "", b""),
                _ => sized("404 Not Found", "", b"404 page not found\n"),
            };
            stream.write_all(&answer)?;
            Ok(AfterAnswer::KeepAlive)
        }
    };
    let server = Server::start(([127, 0, 0, 1], 0).into(), Arc::new(answer)).unwrap();
    world.center.register_url(ECHO, &format!("http://{}", server.address()));
    let output = world.pull(0);
    assert_eq!(output.stderr.matches("(this is said once)").count(), 1, "{}", output.stderr);
    assert_eq!(world.echo_counts(), [3, 0, 3, 1]);
    *recorded.lock().unwrap() = 1;
    let output = world.pull(0);
    assert_eq!(output.stderr, "");
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
}

#[test]
fn a_target_without_commit_takes_that_of_its_agent_and_a_label_that_contradicts_it_loses() {
    let world = World::new();
    let agent = Coverport::start(&program());
    agent.hit(&[0], 1);
    agent.tell_commit("845820727e");
    let address = agent.url().trim_start_matches("http://").to_owned();
    let labels = |labels: serde_json::Value| json!([{"targets": [address], "labels": labels}]);
    let names = || {
        let listed = world.run(&["list", "--offline", "--format", "json"]).assert_code(0).json();
        let of = |line: &serde_json::Value| {
            format!("{} {}", line["service"].as_str().unwrap(), line["replicas"]["known"])
        };
        listed[0].as_array().unwrap().iter().map(of).collect::<Vec<String>>()
    };
    let open = labels(json!({"app": "svc"}));
    pull_targets(&world, &open, 0);
    assert_eq!(names(), ["svc_845820727e 1"]);
    // A process that does not answer stays what it was.
    agent.kill();
    pull_targets(&world, &open, 3);
    assert_eq!(names(), ["svc_845820727e 1"]);

    let next = Coverport::start(&program());
    next.hit(&[2], 1);
    next.tell_commit("0123456789");
    let address = next.url().trim_start_matches("http://").to_owned();
    let labels = json!({"app": "svc", "commit": "845820727e", "agent": "coverport"});
    let output = pull_targets(&world, &json!([{"targets": [address], "labels": labels}]), 0);
    let said = "its label commit is 845820727e, and its agent tells 0123456789, which counts";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    assert_eq!(names(), ["svc_0123456789 1", "svc_845820727e 0"]);
}
