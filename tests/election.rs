//! Elections: a service shows the build that most of its listed addresses serve, whichever came first.

use chrono::{TimeDelta, Utc};

use crate::harness::{ECHO, World, echo, profile_of, rebuilt_echo};
use crate::sim::{Agent, Behaviour};

impl World {
    /// Lets minutes pass for the election.
    fn let_election_age(&self, minutes: i64) {
        let since = self.query::<String>("SELECT since FROM election");
        let since: chrono::DateTime<Utc> = since.parse().unwrap();
        let since =
            (since - TimeDelta::minutes(minutes)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        self.execute(&format!("UPDATE election SET since = '{since}'"));
    }

    /// Returns the state of the election: its kind, the votes, and the number of listed addresses.
    fn election(&self) -> Option<(String, i64, i64)> {
        let mut found = Vec::new();
        let database = self.database();
        let mut rows =
            database.prepare("SELECT kind, votes, listed FROM election WHERE kind IS NOT NULL").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        found.extend(rows.map(Result::unwrap));
        found.pop()
    }

    /// Tells whether the latest profile is of the build that runs.
    fn shows_echo(&self) -> bool {
        profile_of(&self.latest_text("apa_goc_echoserver")).counts.len() == 6
    }
}

/// Makes a service that a stray process served first, before the two real ones came.
fn world_with_stray_process() -> (World, Agent, [Agent; 2]) {
    let world = World::new();
    let stray = world.start(ECHO, &rebuilt_echo());
    stray.hit(&[0, 1], 1);
    world.pull(0);
    let real = [world.start(ECHO, &echo()), world.start(ECHO, &echo())];
    real[0].hit(&[0], 1);
    (world, stray, real)
}

#[test]
fn a_stray_process_that_came_first_gives_way_to_the_majority_after_two_pulls() {
    let (world, _stray, _real) = world_with_stray_process();
    let output = world.run(&["pull"]).assert_code(3);
    output.assert_stderr_contains(
        "is served by 2 of 3 addresses, more than serve the one shown; it is adopted if that is still true in",
    );
    assert!(!world.shows_echo());
    // The service is due again when five minutes have passed, and says so.
    let explained = world.run(&["list", "--explain", ECHO]).assert_code(0).stdout;
    assert!(explained.contains("pending      build "), "{explained}");
    assert!(
        explained.contains("as many addresses or more serve another build than the one shown"),
        "{explained}"
    );
    let explained = world.run(&["list", "--explain", ECHO, "--format", "json"]).assert_code(0).json();
    let pending = &explained[0]["pending"];
    assert_eq!(
        (&pending["votes"], &pending["addresses"], &pending["why"]),
        (&2.into(), &3.into(), &"majority".into())
    );
    assert_eq!(pending["at"], explained[0]["next_pull"]);
    let output = world.run(&["pull", "--no-peek"]).assert_code(0);
    assert!(output.stdout.starts_with("pulled 0 services (1 not due)"), "{}", output.stdout);

    world.let_election_age(5);
    let output = world
        .run(&["pull", "--no-peek", "--format", "json"])
        .assert_code(3)
        .assert_stderr_contains("replaced build");
    let pulled = &output.json()[0];
    assert_eq!(pulled["adopted"]["to"], pending["build"]);
    assert_eq!((&pulled["pending"], &pulled["replicas"]["answered"]), (&serde_json::Value::Null, &2.into()));
    assert!(world.shows_echo());
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    // The stray process is now set aside, and its build belongs to the history.
    assert_eq!(world.query::<i64>("SELECT count(*) FROM edition WHERE status = 'former'"), 1);
    assert_eq!(world.election(), None);
    world.assert_consistent();
}

#[test]
fn addresses_that_fail_or_are_not_asked_vote_by_their_last_answer() {
    let (world, stray, real) = world_with_stray_process();
    world.run(&["pull"]).assert_code(3);
    assert_eq!(world.election(), Some(("majority".to_owned(), 2, 3)));
    // A failing address is still listed, so its vote counts.
    real[0].kill();
    world.pull(3);
    assert_eq!(world.election(), Some(("majority".to_owned(), 2, 3)));
    // A pull of the stray address alone asks none of the others.
    stray.hit(&[0], 1);
    world.run(&["pull", ECHO, "--address", &stray.url()]).assert_code(0);
    assert_eq!(world.election(), Some(("majority".to_owned(), 2, 3)));
    // An address that is no longer listed has no vote. The votes are then equal, and the build that is shown stays.
    world.center.remove(&real[0].url());
    world.pull(3);
    assert_eq!(world.election(), Some(("tie".to_owned(), 1, 2)));
    world.let_election_age(60);
    world.pull(3);
    assert!(!world.shows_echo());
    // The build that was listed last is adopted after a day of equal votes.
    world.let_election_age(23 * 60);
    world.pull(3).assert_stderr_contains("replaced build");
    assert!(world.shows_echo());
    world.assert_consistent();
}

#[test]
fn a_pull_in_which_all_real_processes_fail_does_not_show_a_stray_one() {
    let (world, agents) = World::with_echo(4);
    world.pull(0);
    let _stray = world.start(ECHO, &rebuilt_echo());
    world.pull(3);
    for agent in &agents {
        agent.behave_once(Behaviour::Status("503 Service Unavailable", ""));
    }
    world.pull(3);
    assert!(world.shows_echo());
    assert_eq!(world.election(), Some(("majority".to_owned(), 1, 5)));
    world.pull(3);
    assert_eq!((world.shows_echo(), world.election()), (true, None));
}

#[test]
fn processes_whose_profile_has_no_file_vote_by_the_answer_before() {
    let (world, agents) = World::with_echo(2);
    world.pull(0);
    let _stray = world.start(ECHO, &rebuilt_echo());
    world.pull(3);
    for agent in &agents {
        agent.behave(Behaviour::Body(b"mode: count\n".to_vec()));
    }
    for _ in 0..2 {
        world.run(&["pull", "--force"]);
        assert_eq!((world.shows_echo(), world.election()), (true, None));
    }
}

#[test]
fn a_damaged_value_of_one_key_costs_the_processes_of_another_no_vote() {
    let world = World::new();
    let neighbour = world.start("aaa_th_apa_goc_neighbour_master_1111111111", &rebuilt_echo());
    world.pull(0);
    let real = [(); 3].map(|()| world.start(ECHO, &echo()));
    world.pull(0);
    // The neighbour's port was given to a process that registered under this name.
    world.center.register(ECHO, &neighbour);
    world.execute(
        "UPDATE structure SET fingerprint = x'00' WHERE id IN
         (SELECT structure_id FROM generation JOIN edition ON edition.id = edition_id JOIN service USING (key_id)
          WHERE name LIKE 'aaa%')",
    );
    for _ in 0..2 {
        world.run(&["pull", "--force"]);
        assert!(world.shows_echo());
        assert_eq!(world.election(), None);
    }
    drop(real);
}

#[test]
fn an_address_that_stands_under_another_name_that_shows_its_build_has_no_vote() {
    let (world, _agents) = World::with_pulled_echo();
    let others = [(); 3].map(|()| world.start(ECHO, &rebuilt_echo()));
    world.pull(3);
    assert_eq!(world.election(), Some(("majority".to_owned(), 3, 4)));
    // Two of the addresses belong now to processes of a newer commit that took over the ports.
    let newer = "staging_th_apa_goc_echoserver_master_9999999999";
    let _third = world.start(newer, &rebuilt_echo());
    world.run(&["pull", newer]).assert_code(0);
    for other in &others[..2] {
        world.center.register(newer, other);
    }
    world.pull(3);
    assert_eq!(world.election(), Some(("tie".to_owned(), 1, 4)));
    // Their last answers do not vote under this name either when they fail.
    others[0].kill();
    world.pull(3);
    assert_eq!(world.election(), Some(("tie".to_owned(), 1, 4)));
    world.assert_consistent();
}

#[test]
fn a_last_answer_does_not_vote_once_another_name_shows_its_build() {
    let (world, _agents) = World::with_echo(1);
    world.pull(0);
    let others = [(); 3].map(|()| world.start(ECHO, &rebuilt_echo()));
    world.pull(3);
    let newer = "staging_th_apa_goc_echoserver_master_9999999999";
    let _third = world.start(newer, &rebuilt_echo());
    world.run(&["pull", newer]).assert_code(0);
    for other in &others[..2] {
        other.kill();
        world.center.register(newer, other);
    }
    world.pull(3);
    assert_eq!(world.election(), Some(("tie".to_owned(), 1, 4)));
}

#[test]
fn the_choice_of_a_person_stays_against_a_majority() {
    let (world, stray, _real) = world_with_stray_process();
    world.pull(3);
    let stray_build =
        world.query::<String>("SELECT lower(hex(fingerprint)) FROM structure ORDER BY id LIMIT 1");
    world.run(&["pull", ECHO, "--adopt", &stray_build[..12]]).assert_code(3);
    assert_eq!(world.election(), None);
    let explained = world.run(&["list", "--explain", ECHO]).assert_code(0).stdout;
    assert!(explained.contains("(shown, chosen by hand; "), "{explained}");
    world.pull(3);
    assert_eq!(world.election(), None);
    // A deploy ends the choice that a person made.
    world.center.remove(&stray.url());
    world.pull(0).assert_stderr_contains("replaced build");
    assert!(world.shows_echo());
    assert_eq!(world.query::<i64>("SELECT count(*) FROM election"), 0);
}

#[test]
fn a_majority_changes_nothing_where_adoption_is_switched_off() {
    let (world, _stray, _real) = world_with_stray_process();
    world.configure("[pull]\nadopt = false\n");
    world.pull(3);
    world.pull(3);
    assert_eq!(world.election(), None);
    assert!(!world.shows_echo());
}
