//! The names of targets: what labels leave open is that of the program that answers, and what an agent tells counts.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{ECHO, Output, World, output_of};
use crate::sim::{Agent, BinaryProgram, Coverport, Program};

const FILES: &str = "main.go:10.13,12.2 2\nhandlers/ping.go:8.40,10.2 1\n";

/// A process of the program with this import path, whose first block was executed once.
fn process(import_path: &str) -> Coverport {
    let agent = Coverport::start(&program(import_path));
    agent.hit(&[0], 1);
    agent
}

fn program(import_path: &str) -> BinaryProgram {
    let lines: Vec<String> = FILES.lines().map(|line| format!("{import_path}/{line}")).collect();
    BinaryProgram::from_profile(&lines.join("\n"))
}

/// A group of targets with these processes.
fn group(agents: &[&Coverport], labels: &Value) -> Value {
    let targets: Vec<String> =
        agents.iter().map(|agent| agent.url().trim_start_matches("http://").to_owned()).collect();
    json!({ "targets": targets, "labels": labels })
}

/// Runs a command with this list of targets, where no center is named.
fn run(world: &World, arguments: &[&str], list: &Value, code: i32) -> Output {
    fs::write(world.home().join("x.json"), list.to_string()).unwrap();
    let arguments = [arguments, &["--targets", "x.json"]].concat();
    output_of(world.command(&arguments).env_remove("GOC_CENTER")).assert_code(code)
}

fn pull(world: &World, list: &Value, code: i32) -> Output {
    run(world, &["pull", "--force"], list, code)
}

/// Names of services with their states and numbers of addresses.
fn services(world: &World, list: &Value) -> Vec<String> {
    let lines = run(world, &["list", "--format", "json"], list, 0).json();
    let line = |line: &Value| {
        let name = line["service"].as_str().unwrap();
        format!("{name} {} {}", line["state"].as_str().unwrap(), line["replicas"]["known"])
    };
    lines[0].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn services_without_a_commit_are_said_once() {
    let world = World::new();
    let (cart, pay) = (process("example.com/acme/cart"), process("example.com/acme/pay"));
    pay.tell_commit("845820727e");
    let address = |agent: &Coverport| agent.url().trim_start_matches("http://").to_owned();
    let list = json!([{ "targets": [address(&cart), address(&pay)], "labels": {"env": "staging"} }]);
    let first = pull(&world, &list, 0).stderr;
    let said = "\"staging_cart\" has no commit, so builds are not told apart; build with -buildvcs=true where git finds \
                the commit, or set SOURCE_GIT_COMMIT for the process or the label commit (this is said once)";
    assert!(first.contains(said), "{first}");
    assert_eq!(pull(&world, &list, 0).stderr, "");
}

#[test]
fn a_target_without_any_label_has_the_app_of_its_main_package_and_keeps_it_while_it_is_down() {
    let world = World::new();
    world.configure("");
    let agent = process("example.com/acme/cart/v2");
    agent.tell_commit("845820727e");
    let list = json!([{ "targets": [agent.url().trim_start_matches("http://")] }]);
    let listed = run(&world, &["list"], &list, 3);
    listed.assert_stderr_contains(
        "no pull has asked its process yet, so its app, which no label names, is not known; it is left out",
    );
    let output = pull(&world, &list, 0);
    assert_eq!(output.stderr, "");
    assert_eq!(services(&world, &list), ["cart_845820727e ok 1"]);
    // The meta was asked for to learn the name, and by the pull. Later pulls go by the address.
    let before = agent.requests();
    pull(&world, &list, 0);
    assert_eq!(agent.requests(), (before.0 + 1, before.1));
    agent.kill();
    let output = pull(&world, &list, 3);
    assert!(!output.stderr.contains("left out"), "{}", output.stderr);
    assert_eq!(services(&world, &list), ["cart_845820727e unreachable 1"]);
    let total = output_of(world.command(&["total", "cart"]).env_remove("GOC_CENTER")).assert_code(0);
    assert_eq!(total.stdout, "66.7\n");
    world.assert_consistent();
}

#[test]
fn a_target_without_a_service_is_tried_again_after_the_waits_of_failed_addresses() {
    let world = World::new();
    let agent = process("example.com/acme/cart");
    agent.tell_commit("845820727e");
    let (nameless, without_commit) = (agent.url(), process("example.com/acme/shop"));
    without_commit.kill();
    let groups = json!([
        {"targets": [nameless.trim_start_matches("http://")]},
        group(&[&without_commit], &json!({"app": "shop"})),
    ]);
    agent.kill();
    let not_known = "(no connection: connection refused), so its commit, which no label names, is not known; it is left out";
    let fails = format!("it does not answer {not_known}\n");
    let waits =
        format!("it was not asked in this run, because it failed in an earlier one {not_known}; next try ");
    let failures = || world.query::<String>("SELECT group_concat(failures) FROM address");
    for (after, said, expected) in
        [(0, &fails, "1,1"), (0, &waits, "1,1"), (2, &fails, "2,2"), (0, &waits, "2,2"), (6, &fails, "3,3")]
    {
        if after > 0 {
            world.execute(&format!(
                "UPDATE address SET next_try_at = strftime('%Y-%m-%dT%H:%M:%fZ', next_try_at, '-{after} minutes')"
            ));
        }
        let output = run(&world, &["pull"], &groups, 3);
        let output = output.assert_stderr_contains(said);
        assert_eq!(
            output.stderr.contains(" UTC, or at once with pull --force or pull SERVICE\n"),
            *said == waits
        );
        assert_eq!(failures(), expected);
    }
    // Who only lists them learns the cause, too, and a pull by force does not wait.
    run(&world, &["list"], &groups, 3).assert_stderr_contains(&waits);
    run(&world, &["pull", "--force"], &groups, 3);
    assert_eq!(failures(), "4,4");
    assert_eq!(world.query::<i64>("SELECT count(*) FROM service"), 0);
    world.assert_consistent();
}

#[test]
fn a_target_where_no_agent_answers_is_left_out_with_the_way_to_find_the_agent() {
    let world = World::new();
    let service = Agent::start(&Program::from_profile("mode: count\nexample.com/a/a.go:1.1,2.2 1 1\n"));
    let place = service.url().trim_start_matches("http://").to_owned();
    let find = "it is left out; the agent prints its port on stderr (\"coverage agent: listening on ...\"), 53700 by default";
    let labelled = json!([{"targets": [place], "labels": {"agent": "coverport"}}]);
    pull(&world, &labelled, 3)
        .assert_stderr_contains("\": no agent answers there (answered 404")
        .assert_stderr_contains(&format!("), so its app, which no label names, is not known; {find}\n"));
    let said =
        "no agent that tells its program answers there, so its app, which no label names, is not known";
    pull(&world, &json!([{"targets": [place]}]), 3)
        .assert_stderr_contains(&format!("{said}; {find}; an agent of goc needs labels\n"));
}

#[test]
fn a_dry_run_shows_the_targets_whose_services_it_does_not_know() {
    let world = World::new();
    let (one, two) = (process("example.com/acme/cart"), process("example.com/acme/cart"));
    let list = json!([group(&[&one, &two], &json!({}))]);
    let output = run(&world, &["pull", "--dry-run"], &list, 3);
    let line = output.stdout.lines().nth(1).unwrap();
    let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells, ["-", "2", "now", "its process is asked for its service first"]);
    let json = run(&world, &["pull", "--dry-run", "--format", "json"], &list, 3).json();
    let mut addresses = [one.url(), two.url()];
    addresses.sort_unstable();
    assert_eq!((&json[0]["service"], &json[0]["addresses"]), (&Value::Null, &json!(addresses)));
}

#[test]
fn an_address_that_is_listed_with_and_without_a_service_counts_once_under_it() {
    let world = World::new();
    let agent = process("example.com/acme/cart");
    let name = "staging_th_other_master_845820727e";
    let list = json!([group(&[&agent], &json!({})), group(&[&agent], &json!({"service": name}))]);
    for _ in 0..2 {
        let output = pull(&world, &list, 0);
        output.assert_stderr_contains(&format!("it is listed several times, and counts once, as {name}"));
        assert_eq!(services(&world, &list), [format!("{name} ok 1")]);
    }
}

#[test]
fn a_pod_without_labels_has_the_app_of_its_program_too() {
    let world = World::new();
    let agent = process("example.com/acme/cart");
    let address = agent.url();
    let (ip, port) = address.trim_start_matches("http://").split_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    let pods = json!({"kind": "List", "items": [{
        "kind": "Pod",
        "metadata": {"name": "cart-0", "namespace": "staging", "uid": "u"},
        "spec": {"containers": [{"name": "cart", "ports": [{"name": "coverage", "containerPort": port}]}]},
        "status": {"phase": "Running", "podIP": ip, "containerStatuses": [{"name": "cart", "restartCount": 0}]},
    }]});
    pull(&world, &pods, 0);
    assert_eq!(services(&world, &pods), ["staging_cart ok 1"]);
}

#[test]
fn programs_of_one_name_are_two_apps_and_it_is_said() {
    let world = World::new();
    let (one, two) = (process("example.com/one/cart"), process("example.com/two/cart"));
    let first = json!([group(&[&two], &json!({}))]);
    pull(&world, &first, 0);
    assert_eq!(services(&world, &first), ["cart ok 1"]);
    let list = json!([group(&[&one, &two], &json!({}))]);
    let output = pull(&world, &list, 0);
    output.assert_stderr_contains(
        "its program example.com/one/cart has the app one/cart, because cart is the app of example.com/two/cart there; a \
         label app names it otherwise",
    );
    assert_eq!(services(&world, &list), ["cart ok 1", "one/cart ok 1"]);
    assert_eq!(pull(&world, &list, 0).stderr, "");
    world.assert_consistent();
}

#[test]
fn another_program_at_the_address_never_counts_for_the_app_of_the_first() {
    let world = World::new();
    let agent = process("example.com/acme/cart");
    let list = json!([group(&[&agent], &json!({}))]);
    pull(&world, &list, 0);
    let counts = || world.query::<String>("SELECT group_concat(hex(counts)) FROM generation");
    let before = counts();
    agent.run(&program("example.com/acme/shop"));
    agent.hit(&[1], 1);
    let refused = pull(&world, &list, 3);
    refused.assert_stderr_contains(
        "its program is example.com/acme/shop, and its app \"cart\" is that of another program; the next pull lists it anew",
    );
    assert_eq!(counts(), before);
    pull(&world, &list, 0);
    assert_eq!(services(&world, &list), ["cart offline 0", "shop ok 1"]);
    world.assert_consistent();
}

#[test]
fn a_program_whose_data_names_no_main_package_has_the_app_of_its_binary() {
    let world = World::new();
    let agent = Coverport::start(&BinaryProgram::from_profile("command-line-arguments/main.go:1.1,2.2 1\n"));
    agent.hit(&[0], 1);
    let list = json!([group(&[&agent], &json!({"env": "staging"}))]);
    pull(&world, &list, 0);
    assert_eq!(services(&world, &list), ["staging_svc ok 1"]);
}

#[test]
fn a_full_name_whose_commit_its_agent_contradicts_loses_whatever_the_kind_is_known_by() {
    for labels in [json!({"service": ECHO}), json!({"service": ECHO, "agent": "coverport"})] {
        let world = World::new();
        let agent = process("example.com/apa/echo");
        agent.tell_commit("0123456789");
        let list = json!([group(&[&agent], &labels)]);
        let said = "its label service names commit 845820727e, and its agent tells 0123456789, which counts";
        // Each pull says this, and the service stays the one that the agent tells.
        for _ in 0..2 {
            pull(&world, &list, 0).assert_stderr_contains(said);
            assert_eq!(services(&world, &list), ["staging_th_apa_goc_echoserver_master_0123456789 ok 1"]);
        }
        agent.kill();
        pull(&world, &list, 3);
        let states = services(&world, &list);
        assert_eq!(states, ["staging_th_apa_goc_echoserver_master_0123456789 unreachable 1"]);
    }
}

#[test]
fn a_program_of_another_commit_does_not_count_for_the_one_that_was_listed() {
    let world = World::new();
    world.configure("");
    let agent = process("example.com/apa/echo");
    agent.tell_commit("845820727e");
    let list = json!([group(&[&agent], &json!({"service": ECHO}))]);
    assert_eq!(pull(&world, &list, 0).stderr, "");
    let counts = world.echo_counts();
    // The next build runs at the address, and the label stays.
    agent.restart();
    agent.tell_commit("0123456789");
    agent.hit(&[0, 1], 5);
    let refused = pull(&world, &list, 3);
    refused.assert_stderr_contains(
        "its agent tells commit 0123456789, and it was listed as 845820727e; the next pull lists it anew",
    );
    assert_eq!(world.echo_counts(), counts);
    let output = pull(&world, &list, 0);
    output.assert_stderr_contains("its agent tells 0123456789, which counts");
    let states = services(&world, &list);
    let expected = ["staging_th_apa_goc_echoserver_master_0123456789 ok 1", &format!("{ECHO} offline 0")];
    assert_eq!(states, expected);
    world.assert_consistent();
}

#[test]
fn an_answer_without_the_headers_of_an_agent_tells_nothing() {
    for labels in [json!({"app": "echo"}), json!({"app": "echo", "commit": "1234567"}), json!({})] {
        let world = World::new();
        let agent = process("example.com/apa/echo");
        agent.tell_commit("845820727e");
        let list = json!([group(&[&agent], &labels)]);
        pull(&world, &list, 0);
        assert_eq!(services(&world, &list), ["echo_845820727e ok 1"], "{labels}");
        // A proxy answers in place of the agent for a while.
        agent.hide_headers();
        pull(&world, &list, 0);
        assert_eq!(services(&world, &list), ["echo_845820727e ok 1"], "{labels}");
    }
}
