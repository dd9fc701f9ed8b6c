//! `list`, `total` and `history`: what is known, also when nobody can be asked.

use crate::harness::{ECHO, World, echo};

#[test]
fn list_shows_each_state() {
    let world = World::new();
    let name = |app: &str| format!("staging_th_{app}_master_0123456789");
    let ok = world.start(&name("ok"), &echo());
    ok.hit(&[0], 1);
    let partial = [world.start(&name("partial"), &echo()), world.start(&name("partial"), &echo())];
    let unreachable = world.start(&name("unreachable"), &echo());
    let offline = world.start(&name("offline"), &echo());
    partial[1].kill();
    unreachable.kill();
    world.pull(3);
    world.center.remove(&offline.url());
    let never = world.start(&name("never"), &echo());
    let said = world.run(&["list"]).ended(0);
    let lines: Vec<Vec<&str>> = said.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[0].join(" "),
        "ENV REGION APP BRANCH COMMIT REPLICAS TOTAL CHANGED SEEN NEXT PULL STATE"
    );
    let rows: Vec<String> = lines[1..]
        .iter()
        .map(|row| format!("{} {} {} {}", row[2], row[5], row[6], row.last().unwrap()))
        .collect();
    assert_eq!(
        rows,
        [
            "never 0/1 - pulled",
            "offline 0/0 0.0% offline",
            "ok 1/1 20.0% ok",
            "partial 1/2 0.0% partial",
            "unreachable 0/1 - unreachable"
        ]
    );
    drop(never);
}

#[test]
fn list_of_parts_and_offline() {
    let (mut world, agents) = World::with_echo(1);
    world.pull(0);
    world.center.stop();
    let said = world.run(&["list", "--offline", "--format", "json"]).ended(0);
    assert_eq!(said.stderr, "");
    assert_eq!(said.json()[0][0]["addresses"][0]["address"], agents[0].url());
    assert_eq!(world.run(&["list", "--offline", "nosuch", "--format", "json"]).ended(0).stdout, "[]\n");
    world.run(&["list"]).ended(3).warned("showing what it listed");
}

#[test]
fn a_root_without_data_says_so() {
    let world = World::new();
    for arguments in [&["list", "--offline"][..], &["total", "x"], &["history", "x"]] {
        world.run(arguments).ended(1).warned("nothing was pulled into this root yet (goc-watchdog pull)");
    }
    world.run(&["list"]).ended(0).warned("no service is listed, and none is stored");
    assert!(!world.root().exists());
}

#[test]
fn explain_says_when_and_why() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[0], 1);
    agents[1].kill();
    world.pull(3);
    let said = world.run(&["list", "--explain", "echoserver"]).ended(0);
    for part in
        [ECHO, "20.0%, 1 of 2 replicas", "waiting 15m (step 1)", "connection refused", "1 failure in a row"]
    {
        assert!(said.stdout.contains(part), "expected {part:?} in\n{}", said.stdout);
    }
    let json = &world.run(&["list", "--explain", "echoserver", "--format", "json"]).ended(0).json()[0];
    assert_eq!(json["step"], 1);
    assert_eq!(json["builds"][0]["status"], "current");
    assert_eq!(json["builds"][0]["generations"]["open"], 1);
}

#[test]
fn total_is_one_number_and_a_gate() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[0], 1);
    world.pull(0);
    assert_eq!(world.run(&["total", "echoserver"]).ended(0).stdout, "20.0\n");
    let said = world.run(&["total", "echoserver", "--fail-under", "20.1"]).ended(5);
    assert_eq!(
        said.stderr,
        format!("goc-watchdog: {ECHO}: 20.0% (2 of 10 statements) is below 20.1%, 1 more to cover\n")
    );
    world.run(&["total", "echoserver", "--fail-under", "20"]).ended(0);
    world.run(&["total", "echoserver", "--max-age", "1h", "--min-replicas", "2"]).ended(0);
    world
        .run(&["total", "echoserver", "--min-replicas", "3"])
        .ended(5)
        .warned("2 of 2 replicas answered, fewer than 3");
    world.execute("UPDATE schedule SET last_pull_at = '2020-01-01T00:00:00.000Z'");
    world.run(&["total", "echoserver", "--max-age", "1h"]).ended(5).warned("longer than 1h");
    let json = &world.run(&["total", "echoserver", "--format", "json"]).ended(0).json()[0];
    assert_eq!((&json["covered"], &json["total"], &json["percent"]), (&2.into(), &10.into(), &20.0.into()));
    assert_eq!(json["replicas"], serde_json::json!({ "answered": 2, "known": 2 }));
}

#[test]
fn an_ambiguous_name_lists_the_candidates_and_an_unknown_one_the_nearest() {
    let world = World::new();
    let names = ["staging_th_apa_one_master_0123456789", "staging_th_apa_two_master_0123456789"];
    let agents = names.map(|name| world.start(name, &echo()));
    world.pull(0);
    let said = world.run(&["total", "apa"]).ended(1);
    assert!(names.iter().all(|name| said.stderr.contains(name)), "{}", said.stderr);
    world.run(&["total", "apa_on"]).ended(0);
    world.run(&["total", "nothing_like_it"]).ended(1).warned("nothing_like_it");
    drop(agents);
}

#[test]
fn history_shows_each_row_and_its_change() {
    let (world, agents) = World::with_echo(1);
    for block in [0, 2, 3] {
        agents[0].hit(&[block], 1);
        world.pull(0);
    }
    let said = world.run(&["history", "echoserver"]).ended(0);
    let ends: Vec<String> = said
        .stdout
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().rev().take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(ends, ["- 20.0%", "+10.0 30.0%", "+20.0 50.0%"]);
    let json = world.run(&["history", "echoserver", "--limit", "1", "--format", "json"]).ended(0).json();
    assert_eq!(json[0].as_array().unwrap().len(), 1);
    assert_eq!(json[0][0]["percent"], 50.0);
    assert_eq!(json[0][0]["is_latest"], true);
    let none = world.run(&["history", "echoserver", "--commit", "0000000"]);
    assert!(none.code != 0 || none.stdout.is_empty(), "{none:?}");
}

#[test]
fn colours_come_only_where_they_are_asked_for() {
    let (world, _agents) = World::with_echo(1);
    world.pull(0);
    assert!(!world.run(&["list"]).stdout.contains('\u{1b}'));
    assert!(world.run(&["list", "--color", "always"]).stdout.contains('\u{1b}'));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let world = World::new();
    world.run(&["pul"]).ended(2).warned("pull");
    world.run(&["total"]).ended(2);
    world.run(&["pull", "--timeout", "soon"]).ended(2).warned("soon");
    world.run(&["total", "x", "--fail-under", "101"]).ended(2);
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::process::Stdio;
    let (world, _agents) = World::with_echo(1);
    world.pull(0);
    let mut child = world
        .command(&["list", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn the_recorded_list_of_a_real_center_is_read() {
    let recorded = include_str!("fixtures/wire/list.http");
    let (_, body) = recorded.split_once("\r\n\r\n").unwrap();
    let world = World::new();
    world.center.answer("200 OK", body);
    let list = &world.run(&["list", "--format", "json"]).ended(0).json()[0];
    assert_eq!(list[0]["service"], "staging_th_apa_echoserver_master_e9d29985fd");
    let addresses: Vec<&str> =
        list[0]["addresses"].as_array().unwrap().iter().map(|it| it["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, ["http://127.0.0.1:36715", "http://127.0.0.1:40261", "http://192.0.2.2:36715"]);
}
