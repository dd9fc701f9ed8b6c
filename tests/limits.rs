//! Limits of a center's list: a list without end costs nobody else anything, and nothing that is known.

use std::net::TcpListener;

use serde_json::json;

use crate::harness::{ECHO, World, echo};
use crate::sim::Agent;

const LOW_LIMITS: &str = "[pull]\nmax_names = 3\nmax_addresses = 5\n";

/// Makes a pulled service whose center lists this many other names before it, all at an address where nobody listens.
fn world_with_long_list(others: usize) -> (World, Agent) {
    let (world, mut agents) = World::with_pulled_echo();
    world.configure(LOW_LIMITS);
    list_other_names(&world, &agents[0], others);
    (world, agents.remove(0))
}

/// Lists this many other names beside the service.
fn list_other_names(world: &World, agent: &Agent, others: usize) {
    let other = |number: usize| (format!("other_{number:03}"), json!(["http://127.0.0.1:1"]));
    let mut list: serde_json::Map<_, _> = (0..others).map(other).collect();
    list.insert(ECHO.to_owned(), json!([agent.url()]));
    world.center.set_list_answer("200 OK", &json!(list).to_string());
}

#[test]
fn known_services_are_pulled_from_a_list_beyond_the_limits_and_the_rest_is_left_out() {
    let (world, agent) = world_with_long_list(9);
    agent.hit(&[1], 1);
    let message = format!(
        "warning: center \"{}\" lists 10 names with 10 addresses, of which 7 and 7 are left out ([pull] max_names, \
         max_addresses)\n",
        world.center.url()
    );
    world.pull(3).assert_stderr_contains(&message);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 1]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM service"), 3);
    world.run(&["list"]).assert_code(3).assert_stderr_contains(&message);
    world.run(&["pull", "--dry-run"]).assert_code(3).assert_stderr_contains(&message);
}

#[test]
fn known_names_beyond_the_limits_are_not_taken_for_gone() {
    let (world, agent) = world_with_long_list(2);
    world.pull(3);
    world.configure("[pull]\nmax_names = 1\n");
    list_other_names(&world, &agent, 2);
    world.pull(3).assert_stderr_contains("known ones among them");
    let standing = "SELECT count(*) FROM listing WHERE unlisted_at IS NULL";
    assert_eq!(world.query::<i64>(standing), 3);
}

#[test]
fn prune_leaves_a_center_alone_whose_list_is_cut() {
    let (world, agent) = world_with_long_list(9);
    agent.kill();
    let output = world
        .run(&["prune"])
        .assert_code(3)
        .assert_stderr_contains("lists 10 names with 10 addresses, of which 7 and 7 are left out");
    assert!(output.stdout.contains("asked 0 addresses"), "{}", output.stdout);
    world.let_minutes_pass(60);
    world.run(&["prune"]).assert_code(3);
    assert_eq!(world.center.removals(), Vec::<String>::new());
}

#[test]
fn a_name_that_was_never_pulled_is_forgotten_when_it_is_listed_no_more() {
    let (world, agent) = world_with_long_list(2);
    world.pull(3);
    let known = "SELECT group_concat(name, ' ') FROM (SELECT name FROM service ORDER BY name)";
    assert_eq!(world.query::<String>(known), format!("other_000 other_001 {ECHO}"));
    list_other_names(&world, &agent, 1);
    // A pull of services by name does not clean up.
    world.run(&["pull", ECHO]).assert_code(0);
    assert_eq!(world.query::<String>(known), format!("other_000 other_001 {ECHO}"));
    world.pull(3);
    assert_eq!(world.query::<String>(known), format!("other_000 {ECHO}"));
    for table in ["cover_key", "listing", "replicas", "address"] {
        assert_eq!(world.query::<i64>(&format!("SELECT count(*) FROM {table}")), 2, "{table}");
    }
    // A service that was pulled stays, and so does the other name of its key.
    let branch = "staging_th_apa_goc_echoserver_next_845820727e";
    world.center.set_list_answer("200 OK", &json!({ branch: ["http://127.0.0.1:1"] }).to_string());
    world.pull(3);
    world.center.set_list_answer("200 OK", &json!({ "x": [agent.url()] }).to_string());
    world.pull(0);
    assert_eq!(world.query::<String>(known), format!("{ECHO} {branch} x"));
}

#[test]
fn the_deadline_of_a_pull_holds_while_a_center_is_asked() {
    let (mut world, _agents) = World::with_pulled_echo();
    // The center takes the connection and says nothing.
    world.center.stop();
    let silent = TcpListener::bind(world.center.url().trim_start_matches("http://")).unwrap();
    let output = world
        .run(&["pull", "--force", "--deadline", "50ms"])
        .assert_code(3)
        .assert_stderr_contains("timed out");
    assert!(output.stdout.starts_with("pulled 0 services (1 cut off and still due)"), "{}", output.stdout);
    drop(silent);
}

#[test]
fn a_list_of_many_names_is_read_with_the_defaults() {
    let world = World::new();
    let agent = world.start(ECHO, &echo());
    list_other_names(&world, &agent, 999);
    assert_eq!(
        world.run(&["list", "--format", "json"]).assert_code(0).json()[0].as_array().unwrap().len(),
        1000
    );
}
