//! Spellings of addresses: a process counts once, however its listed addresses are spelled (RFC 3986, 6.2).

use crate::harness::{ECHO, MAIN_BLOCK, NEXT_ECHO, PING_BLOCK, World, echo};
use crate::sim::{Agent, Behaviour};

/// Returns spellings of the address of an agent, first the one under which it registers itself.
fn spellings(agent: &Agent) -> [String; 5] {
    let url = agent.url();
    let port = url.rsplit(':').next().unwrap().to_owned();
    [
        url.clone(),
        format!("{url}/"),
        url.replace("http:", "HTTP:"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        // goc's center drops the brackets of IPv6 addresses.
        format!("http://::ffff:127.0.0.1:{port}"),
    ]
}

/// Makes a world of one process that is listed in all of its spellings.
fn world_with_spellings() -> (World, Agent) {
    let world = World::new();
    let agent = Agent::start(&echo());
    for spelling in spellings(&agent) {
        world.center.register_url(ECHO, &spelling);
    }
    (world, agent)
}

#[test]
fn a_process_listed_in_several_spellings_is_asked_once_and_counted_once() {
    let (world, agent) = world_with_spellings();
    agent.hit(&[MAIN_BLOCK], 5);
    let output = world.run(&["pull", "--force", "--format", "json"]).assert_code(0);
    assert_eq!(output.json()[0]["replicas"], serde_json::json!({ "answered": 1, "known": 1 }));
    assert_eq!((agent.pulls(), world.echo_counts()), (1, vec![0, 0, 0, 0, 5, 0]));
    let addresses = "SELECT addresses FROM goc_o_staging_service_cover";
    assert_eq!(world.query::<String>(addresses), agent.url());
    world
        .run(&["total", ECHO, "-q", "--min-replicas", "2"])
        .assert_code(5)
        .assert_stderr_contains("1 replica answered");

    // The first pull asked for the fraction once, too, to find out the kind of the agent.
    world.run(&["pull"]).assert_code(0);
    assert_eq!(agent.peeks(), 2);
    let list = &world.run(&["list", "--format", "json"]).assert_code(0).json()[0][0];
    assert_eq!(list["replicas"], serde_json::json!({ "up": 1, "known": 1 }));
    assert_eq!(list["addresses"].as_array().unwrap().len(), 1);
    let metrics = world.run(&["list", "--format", "prometheus"]).stdout;
    let known = metrics.lines().find(|line| line.starts_with("goc_watchdog_replicas_known")).unwrap();
    assert!(known.ends_with(" 1"), "{known}");

    // A failure is counted once, and has one retry.
    agent.behave(Behaviour::Status("500 Internal Server Error", "no"));
    let output = world.run(&["pull", "--force", "--format", "json"]).assert_code(3);
    assert_eq!(output.json()[0]["failures"].as_array().unwrap().len(), 1);
    assert_eq!(world.query::<i64>("SELECT sum(failures) FROM address"), 1);
    agent.behave(Behaviour::Normal);

    // The set of addresses is the same when another spelling comes or goes.
    world.pull(0);
    world.center.remove(&spellings(&agent)[0]);
    world.center.remove(&spellings(&agent)[1]);
    let output = world.run(&["pull", "--dry-run", "--format", "json"]).assert_code(0);
    assert_eq!(output.json()[0]["pull"], false, "{}", output.stdout);
    agent.hit(&[PING_BLOCK], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 5, 0]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
}

#[test]
fn a_process_whose_two_names_spell_it_differently_belongs_to_one_of_them() {
    let world = World::new();
    let agent = Agent::start(&echo());
    world.center.register_url(ECHO, &spellings(&agent)[0]);
    agent.hit(&[MAIN_BLOCK], 5);
    world.pull(0);
    world.center.register_url(NEXT_ECHO, &spellings(&agent)[2]);
    let output = world.run(&["pull", "--force", "--format", "json"]).assert_code(0);
    let next = output.json().into_iter().find(|line| line["service"] == NEXT_ECHO).unwrap();
    assert_eq!(next["elsewhere"][0]["service"], ECHO, "{}", output.stdout);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
}

#[test]
fn an_address_that_is_named_is_the_listed_one_in_any_spelling() {
    let (world, agent) = world_with_spellings();
    agent.hit(&[MAIN_BLOCK], 5);
    world.pull(0);
    let address = agent.url().replace("http", "HTTP") + "//";
    world.run(&["pull", ECHO, "--address", &address]).assert_code(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 5, 0]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
}

#[test]
fn a_snapshot_is_of_the_process_that_is_listed_in_another_spelling() {
    let world = World::new();
    let agent = Agent::start(&echo());
    world.center.register_url(ECHO, &spellings(&agent)[3]);
    agent.hit(&[MAIN_BLOCK], 5);
    world.pull(0);
    agent.hit(&[PING_BLOCK], 1);
    world.leave_snapshot(&agent.url(), ECHO);
    agent.kill();
    world.run(&["pull", "--no-peek"]);
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 5, 0]);
}

#[test]
fn a_dead_process_is_removed_and_registered_again_in_each_spelling_as_listed() {
    let (world, agent) = world_with_spellings();
    let living = world.start(ECHO, &echo());
    // goc's center lists no brackets.
    world.center.remove(&spellings(&agent)[3]);
    world.configure("[prune]\npauses = [\"1ms\"]\nrecheck = []\n");
    agent.hit(&[MAIN_BLOCK], 5);
    world.pull(0);
    let before = world.center.listed();
    assert_eq!(before.len(), 5);
    agent.kill();
    world.run(&["prune"]).assert_code(0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM suspicion"), 1);
    world.let_minutes_pass(5);
    // Removing one of two processes is allowed, whatever the number of its spellings.
    world.run(&["prune"]).assert_code(0);
    assert_eq!(world.center.listed(), [(ECHO.to_owned(), living.url())]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM suspicion"), 0);

    agent.revive();
    world.run(&["prune"]).assert_code(0);
    assert_eq!(world.center.listed(), before);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 5, 0]);
}

/// Pulls one process, and changes the database to that of a release that took each spelling for a process.
fn stored_in_two_spellings(world: &World, agent: &Agent) {
    agent.hit(&[MAIN_BLOCK], 5);
    world.pull(0);
    let (other, center) = (agent.url().replace("http:", "HTTP:"), world.center.url());
    let old_center = center.replace("http:", "HTTP:");
    world.execute(&format!(
        "INSERT INTO listing (service_id, address, center, position, listed_at)
             SELECT service_id, '{other}', center, 1, listed_at FROM listing;
         INSERT INTO generation (edition_id, structure_id, address, mode, opened_at, pulled_at, closed_at, counts)
             SELECT edition_id, structure_id, '{other}', mode, opened_at, pulled_at, closed_at, counts FROM generation;
         INSERT INTO address (key_id, address, last_answer_at, failures, last_error)
             SELECT key_id, '{other}', NULL, 3, 'no' FROM address;
         INSERT INTO suspicion (address, since, runs, last_failed_at, finding, detail, is_dead)
             VALUES ('{}', '2026-01-01T00:00:00.000Z', 1, '2026-01-01T00:00:00.000Z', 'silent', '', 0),
                    ('{other}', '2026-01-01T00:00:00.000Z', 3, '2026-01-01T00:00:00.000Z', 'silent', '', 1);
         UPDATE schedule SET addresses = json_array('{other}', '{}');
         UPDATE listing SET center = '{old_center}';
         UPDATE center SET url = '{old_center}';",
        agent.url(),
        agent.url()
    ));
    world.downgrade_to(7);
    world.center.register_url(ECHO, &other);
}

#[test]
fn lives_stored_in_two_spellings_become_one_with_the_larger_counts() {
    let (world, agents) = World::with_echo(1);
    stored_in_two_spellings(&world, &agents[0]);
    // The second spelling was pulled later.
    agents[0].hit(&[MAIN_BLOCK, PING_BLOCK], 2);
    let newer = World::new();
    newer.center.register(ECHO, &agents[0]);
    newer.pull(0);
    let counts: Vec<u8> = newer.query("SELECT counts FROM generation");
    world
        .database()
        .execute("UPDATE generation SET counts = ?1 WHERE address LIKE 'HTTP:%'", [counts])
        .unwrap();

    world.run(&["prune", "--retention-only"]).assert_code(0);
    let url = agents[0].url();
    for (what, expected) in [
        ("SELECT group_concat(address) FROM generation", url.as_str()),
        ("SELECT group_concat(address || failures) FROM address", &format!("{url}0")),
        ("SELECT group_concat(address || runs) FROM suspicion", &format!("{url}1")),
        ("SELECT addresses FROM schedule", &format!("[\"{url}\"]")),
        ("SELECT group_concat(url) FROM center", &world.center.url()),
    ] {
        assert_eq!(world.query::<String>(what), expected, "{what}");
    }
    assert_eq!(world.query::<i64>("SELECT count(*) FROM listing"), 2);
    agents[0].behave(Behaviour::Status("500 Internal Server Error", "no"));
    world.run(&["pull"]).assert_code(3);
    assert_eq!(world.echo_counts(), [0, 0, 0, 2, 7, 0]);

    agents[0].behave(Behaviour::Normal);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.run(&["pull", "--force", "--change", "counts"]).assert_code(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 2, 8, 0]);
}

#[test]
fn lives_of_two_spellings_that_cannot_be_read_stay_and_stop_nothing() {
    let (world, agents) = World::with_echo(1);
    stored_in_two_spellings(&world, &agents[0]);
    world.execute("UPDATE generation SET counts = x'00' WHERE address LIKE 'HTTP:%'");
    world.run(&["prune", "--retention-only"]).assert_code(0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 2);
}
