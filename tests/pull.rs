//! `pull`: coverage of processes that come, go, restart and disagree.

use std::fs;

use crate::harness::{
    ECHO, MAIN_BLOCK, MIRROR_BLOCK, NEXT_ECHO, PING_BLOCK, World, echo, profile_of, rebuilt_echo,
};
use crate::sim::{Agent, Behaviour, Program};

#[test]
fn a_profile_without_blocks_contradicts_no_build() {
    let world = World::new();
    let agents = [(); 2].map(|()| world.start(ECHO, &echo()));
    for agent in &agents {
        agent.behave(Behaviour::Body(b"mode: count\n".to_vec()));
    }
    let output = world.pull(3);
    for agent in &agents {
        let told =
            format!("{ECHO}: \"{}\" answers with a profile without blocks, so there is nothing", agent.url());
        assert!(output.stderr.contains(&told), "{}", output.stderr);
    }
    assert!(!output.stderr.contains("contradicts"), "{}", output.stderr);
    let list = world.run(&["list", "--format", "json"]).json().remove(0);
    assert_eq!(list[0]["state"], "never_pulled", "{list}");
}

#[test]
fn replicas_are_merged_into_one_canonical_profile() {
    let (world, agents) = World::with_echo(2);
    world.configure("");
    agents[0].hit(&[MAIN_BLOCK, PING_BLOCK], 2);
    agents[1].hit(&[MAIN_BLOCK, MIRROR_BLOCK], 3);
    let output = world.run(&["pull"]).assert_code(0);
    assert!(output.stdout.starts_with("pulled 1 service (1 changed), "), "{}", output.stdout);
    assert_eq!(output.stderr, "");
    assert_eq!(
        world.latest_text("apa_goc_echoserver"),
        "mode: count\n\
         example.com/apa/echo/handlers/mirror.go:9.42,11.16 2 3\n\
         example.com/apa/echo/handlers/mirror.go:11.16,13.3 1 0\n\
         example.com/apa/echo/handlers/mirror.go:14.2,15.12 3 0\n\
         example.com/apa/echo/handlers/ping.go:8.40,10.2 1 2\n\
         example.com/apa/echo/main.go:10.13,12.2 2 5\n\
         example.com/apa/echo/main.go:14.30,16.2 1 0\n"
    );
    world.assert_consistent();
}

#[test]
fn the_public_row_has_what_the_product_promises() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    let database = world.database();
    let row = database
        .query_row(
            "SELECT env, region, app_name, git_branch, git_commit, is_latest, cov_file_path, cover_total,
                    addresses, deleted_at, created_at FROM goc_o_staging_service_cover",
            [],
            |row| {
                let texts: Vec<String> = (0..7).map(|column| row.get(column).unwrap()).collect();
                assert_eq!(row.get::<_, Option<String>>(9).unwrap(), None);
                assert!(row.get::<_, String>(10).unwrap().ends_with('Z'));
                Ok((texts.join(" "), row.get::<_, f64>(7).unwrap(), row.get::<_, String>(8).unwrap()))
            },
        )
        .unwrap();
    let mut addresses = [agents[0].url(), agents[1].url()];
    addresses.sort();
    let texts = "staging th apa_goc_echoserver master 845820727e y \
                 apa_goc_echoserver/cov_data/apa_goc_echoserver_1.cov";
    assert_eq!(row, (texts.to_owned(), 20.0, addresses.join(",")));
}

#[test]
fn repull_of_the_same_process_does_not_add() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK], 7);
    world.pull(0);
    world.pull(0);
    agents[0].hit(&[MAIN_BLOCK, PING_BLOCK], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 8, 0]);
}

#[test]
fn no_previous_data_is_said_to_be_kept_where_there_is_none() {
    let (world, agents) = World::with_echo(1);
    agents[0].kill();
    world.pull(3).assert_stderr_contains("connection refused; no answer of it is stored yet, next try ");
}

#[test]
fn unchanged_coverage_writes_no_row_and_changed_coverage_one() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    agents[0].hit(&[MAIN_BLOCK], 100);
    let output = world.run(&["pull", "--force", "--format", "json"]).assert_code(0);
    assert_eq!(output.json()[0]["result"], "unchanged");
    assert_eq!(world.row_count(), 1);
    agents[0].hit(&[PING_BLOCK], 1);
    world.pull(0);
    let latest = "SELECT group_concat(is_latest, ' ') FROM goc_o_staging_service_cover ORDER BY id";
    assert_eq!(world.query::<String>(latest), "n y");
    // The new row also has counters that moved before without new coverage.
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 101, 0]);
}

#[test]
fn counts_are_a_change_where_that_is_asked_for() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.run(&["pull", "--force", "--change", "counts"]).assert_code(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 2, 0]);
}

#[test]
fn moved_counts_are_in_a_row_a_day_later_also_without_new_coverage() {
    let (world, agents) = World::with_echo(1);
    world.configure("[pull]\nrow_at_least_every = \"0s\"\n");
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 2, 0]);
}

#[test]
fn a_restarted_process_adds_to_what_it_counted_before() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK, MIRROR_BLOCK], 5);
    world.pull(0);
    agents[0].restart();
    agents[0].hit(&[MAIN_BLOCK, PING_BLOCK], 1);
    let output = world.run(&["pull", "--force", "--format", "json"]).assert_code(0);
    assert_eq!(output.json()[0]["restarted"], 1);
    assert_eq!(world.echo_counts(), [5, 0, 0, 1, 6, 0]);
    world.pull(0);
    assert_eq!(world.echo_counts(), [5, 0, 0, 1, 6, 0]);
}

#[test]
fn a_crash_loop_folds_into_one_sum_and_loses_nothing() {
    let (world, agents) = World::with_echo(1);
    world.configure("[pull]\nfold_after = \"0s\"\nrow_at_least_every = \"0s\"\n");
    for life in 1..=5 {
        agents[0].restart();
        // The block of the last life is at 0 again, so the restart cannot be missed.
        agents[0].hit(&[MAIN_BLOCK, life], 1);
        world.pull(0);
    }
    assert_eq!(world.echo_counts(), [1, 1, 1, 1, 5, 1]);
    // Three lives may exist: the open one, the one closed in this run, and the sum.
    assert!(world.query::<i64>("SELECT count(*) FROM generation") <= 3);
    world.assert_consistent();
}

#[test]
fn one_torn_reading_is_asked_again_and_not_taken_for_a_restart() {
    let (world, agents) = World::with_echo(1);
    agents[0].set_counts(&[9, 8, 7, 6, 5, 4]);
    world.pull(0);
    agents[0].behave_once(Behaviour::Counts(vec![9, 7, 6, 6, 5, 4]));
    let output = world.run(&["pull", "--force", "--format", "json"]).assert_code(0);
    assert_eq!(output.json()[0]["restarted"], 0);
    assert_eq!(agents[0].pulls(), 3);
    assert_eq!(world.echo_counts(), [6, 4, 5, 7, 9, 8]);
}

#[test]
fn a_dead_replica_loses_nothing_and_is_named() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[MAIN_BLOCK, MIRROR_BLOCK], 1);
    agents[1].hit(&[PING_BLOCK], 1);
    world.pull(0);
    agents[0].kill();
    agents[1].hit(&[PING_BLOCK], 1);
    let output = world
        .run(&["pull", ECHO])
        .assert_code(3)
        .assert_stderr_contains("no connection: connection refused; kept the previous data, next try");
    assert!(
        output.stderr.starts_with(&format!("goc-watchdog: {ECHO}: profile from \"{}\"", agents[0].url()))
    );
    assert!(output.stdout.contains("1 of 2"), "{}", output.stdout);
    assert_eq!(world.echo_counts(), [1, 0, 0, 1, 1, 0]);
    assert_eq!(world.run(&["total", ECHO]).stdout, "50.0\n");
}

#[test]
fn a_run_in_which_an_address_waits_for_its_next_try_does_not_end_as_if_it_answered() {
    let (world, agents) = World::with_echo(2);
    agents[1].kill();
    world.run(&["pull"]).assert_code(3);
    // The service is not due, and the address waits for its first retry.
    let waits = world.run(&["pull", "--no-peek"]).assert_code(3);
    assert!(
        waits.stdout.ends_with("; 1 address not tried again yet (--force tries now)\n"),
        "{}",
        waits.stdout
    );
    assert!(waits.stdout.starts_with("pulled 0 services (1 not due)"), "{}", waits.stdout);
    // A timer's log has nothing but stderr.
    let quiet = world.run(&["pull", "--no-peek", "-q"]).assert_code(3);
    assert_eq!(quiet.stdout, "");
    let said = format!(
        "goc-watchdog: {ECHO}: profile from \"{}\": failed 1 time (no connection: connection refused); not tried again \
         yet, next try ",
        agents[1].url()
    );
    assert!(quiet.stderr.starts_with(&said) && quiet.stderr.lines().count() == 1, "{}", quiet.stderr);
    let summary = world.run(&["pull", "--format", "json"]).assert_code(3).json().pop().unwrap();
    assert_eq!(summary["summary"]["waiting_addresses"], 1);
    // All addresses of a due service may wait.
    agents[0].kill();
    world.run(&["pull", ECHO]).assert_code(3);
    world.execute("UPDATE schedule SET next_due_at = '2020-01-01T00:00:00.000Z'");
    let waits = world.run(&["pull"]).assert_code(3);
    assert!(
        waits.stdout.ends_with("; 2 addresses not tried again yet (--force tries now)\n"),
        "{}",
        waits.stdout
    );
    // A person who names another service does not ask for this one.
    let _other = world.start(NEXT_ECHO, &echo());
    world.run(&["pull", NEXT_ECHO]).assert_code(0);
}

#[test]
fn a_replica_that_left_stays_merged_in() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[MAIN_BLOCK, MIRROR_BLOCK], 1);
    world.pull(0);
    world.center.remove(&agents[0].url());
    agents[1].hit(&[PING_BLOCK], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [1, 0, 0, 1, 1, 0]);
    assert_eq!(
        world.query::<String>("SELECT addresses FROM goc_o_staging_service_cover WHERE is_latest = 'y'"),
        agents[1].url()
    );
}

#[test]
fn modes_are_mixed_as_documented() {
    let (world, agents) = World::with_echo(3);
    agents[0].hit(&[MAIN_BLOCK], 2);
    agents[1].set_mode("atomic");
    agents[1].hit(&[MAIN_BLOCK], 3);
    world.center.remove(&agents[2].url());
    world.pull(0);
    let text = world.latest_text("apa_goc_echoserver");
    assert!(text.starts_with("mode: count\n"));
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 5, 0]);
    world.center.register(ECHO, &agents[2]);
    agents[2].set_mode("set");
    agents[2].hit(&[PING_BLOCK], 1);
    world.pull(0);
    assert!(world.latest_text("apa_goc_echoserver").starts_with("mode: set\n"));
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 1, 0]);
}

#[test]
fn a_dirty_build_is_set_aside_named_and_adopted_once_it_is_alone() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    agents[1].run(&rebuilt_echo());
    agents[1].hit(&[0, 2], 4);
    let output = world.pull(3).assert_stderr_contains("contradicts the one shown; its data is set aside");
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    let list = world.run(&["list", "--offline", "--format", "json"]).assert_code(0).json();
    assert_eq!(list[0][0]["state"], "other_build");
    assert!(output.stdout.contains("1 address set aside"), "{}", output.stdout);
    // The old build is gone, so the data set aside is shown from now on, with all of its counters.
    world.center.remove(&agents[0].url());
    agents[1].restart();
    agents[1].hit(&[1], 1);
    world.pull(0).assert_stderr_contains("replaced build");
    let profile = profile_of(&world.latest_text("apa_goc_echoserver"));
    assert_eq!(profile.counts, [4, 4, 1]);
    assert_eq!(world.run(&["list", "--offline", "--format", "json"]).json()[0][0]["state"], "ok");
    // Data of the old build is kept, and can be brought back by hand.
    let old = world.query::<String>("SELECT lower(hex(fingerprint)) FROM structure ORDER BY id LIMIT 1");
    world.run(&["pull", ECHO, "--adopt", &old[..12]]).assert_code(3);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    world.assert_consistent();
}

#[test]
fn adoption_can_be_switched_off() {
    let (world, agents) = World::with_echo(1);
    world.configure("[pull]\nadopt = false\n");
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    agents[0].run(&rebuilt_echo());
    world.pull(3);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
}

#[test]
fn an_unknown_build_cannot_be_adopted_and_the_known_ones_are_named() {
    let (world, _agents) = World::with_echo(1);
    world.pull(0);
    world.run(&["pull", ECHO, "--adopt", "123456"]).assert_code(1).assert_stderr_contains("fits 0 builds");
}

#[test]
fn a_server_and_a_worker_that_share_packages_are_one_key() {
    let world = World::new();
    let server = world
        .start(ECHO, &Program::from_profile("x.io/a/m/lib/l.go:1.1,2.2 1\nx.io/a/m/server/s.go:1.1,2.2 1\n"));
    let worker = world
        .start(ECHO, &Program::from_profile("x.io/a/m/lib/l.go:1.1,2.2 1\nx.io/a/m/worker/w.go:1.1,2.2 1\n"));
    server.hit(&[0, 1], 1);
    worker.hit(&[0], 1);
    world.pull(0);
    assert_eq!(
        world.latest_text("apa_goc_echoserver"),
        "mode: count\nx.io/a/m/lib/l.go:1.1,2.2 1 2\nx.io/a/m/server/s.go:1.1,2.2 1 1\nx.io/a/m/worker/w.go:1.1,2.2 1 0\n"
    );
}

#[test]
fn a_recycled_address_never_adds_another_program_to_the_key() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    agents[1].run(&Program::from_profile("other.org/b/m/main.go:1.1,2.2 1\n"));
    agents[1].hit(&[0], 1);
    world.pull(3).assert_stderr_contains("its data is set aside");
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
}

#[test]
fn a_process_under_two_names_belongs_to_the_name_whose_build_it_runs() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    // A newer commit of the app takes the port, and the old name stays listed.
    let newer = "staging_th_apa_goc_echoserver_master_9999999999";
    world.center.register(newer, &agents[0]);
    agents[0].run(&rebuilt_echo());
    agents[0].hit(&[0], 1);
    world.run(&["pull"]).assert_code(0);
    let totals = "SELECT group_concat(git_commit || ' ' || cover_total, ', ') FROM
                  (SELECT * FROM goc_o_staging_service_cover WHERE is_latest = 'y' ORDER BY git_commit)";
    assert_eq!(world.query::<String>(totals), "845820727e 20.0, 9999999999 60.0");
    world.assert_consistent();
}

#[test]
fn names_that_differ_in_their_branch_are_one_key() {
    let (world, agents) = World::with_echo(1);
    let other = world.start("staging_th_apa_goc_echoserver_release_845820727e", &echo());
    agents[0].hit(&[MAIN_BLOCK], 1);
    other.hit(&[PING_BLOCK], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 1, 0]);
    world.assert_consistent();
}

#[test]
fn a_service_that_is_not_due_is_told_of_before_the_work_that_fails() {
    let (world, _agents) = World::with_echo(1);
    world.run(&["pull"]).assert_code(0);
    world.execute("CREATE TRIGGER refused BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'no end'); END");
    world
        .run(&["pull", "--no-peek", "-v"])
        .assert_code(1)
        .assert_stderr_contains("not pulled")
        .assert_stderr_contains("no end");
}

#[test]
fn a_service_that_is_not_due_is_only_peeked_at() {
    let (world, agents) = World::with_echo(1);
    world.run(&["pull"]).assert_code(0);
    // The first request to an unknown agent is the same as a peek.
    assert_eq!((agents[0].pulls(), agents[0].peeks()), (1, 1));
    let output = world.run(&["pull"]).assert_code(0);
    assert!(output.stdout.starts_with("pulled 0 services (1 not due)"), "{}", output.stdout);
    assert_eq!((agents[0].pulls(), agents[0].peeks()), (1, 2));
    world.run(&["pull", "--no-peek", "-v"]).assert_code(0).assert_stderr_contains("not pulled");
    assert_eq!((agents[0].pulls(), agents[0].peeks()), (1, 2));
    // A service is due at once when its coverage moved.
    agents[0].hit(&[PING_BLOCK], 1);
    let output = world.run(&["pull"]).assert_code(0);
    assert!(output.stdout.starts_with("pulled 1 service (1 changed), "), "{}", output.stdout);
    assert_eq!(agents[0].pulls(), 2);
    agents[0].hit(&[MAIN_BLOCK], 1);
    let output = world.run(&["pull", "-v"]).assert_code(0);
    assert!(!output.stderr.contains("not pulled"), "{}", output.stderr);
    output.assert_stderr_contains(&format!("{ECHO}: pulled, a peek found that coverage moved"));
    world
        .run(&["pull", "-v"])
        .assert_code(0)
        .assert_stderr_contains("not pulled, waiting 15m (step 1), due ");
    agents[0].hit(&[MIRROR_BLOCK], 1);
    let summary = world.run(&["pull", "--format", "json"]).assert_code(0).json().pop().unwrap();
    assert_eq!((&summary["summary"]["pulled"], &summary["summary"]["not_due"]), (&1.into(), &0.into()));
}

#[test]
fn many_addresses_that_wait_for_their_next_try_are_counted_after_the_first_ones() {
    let (world, agents) = World::with_echo(5);
    for agent in &agents {
        agent.kill();
    }
    world.run(&["pull"]).assert_code(3);
    let quiet = world.run(&["pull", "-q"]).assert_code(3);
    let lines: Vec<&str> = quiet.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{}", quiet.stderr);
    assert!(lines[..3].iter().all(|line| line.contains(": failed 1 time (")), "{}", quiet.stderr);
    assert_eq!(
        lines[3],
        "goc-watchdog: and 2 more addresses that failed, not tried again yet (goc-watchdog list shows the services)"
    );
}

#[test]
fn the_plan_of_a_dry_run_is_what_the_list_says_of_a_failed_address() {
    let (world, agents) = World::with_echo(2);
    agents[1].kill();
    world.run(&["pull"]).assert_code(3);
    let planned = &world.run(&["pull", "-n", "--format", "json"]).assert_code(0).json()[0];
    let listed = &world.run(&["list", "--format", "json"]).assert_code(0).json()[0][0];
    let explained = &world.run(&["list", "--explain", ECHO, "--format", "json"]).assert_code(0).json()[0];
    let retry =
        &listed["addresses"].as_array().unwrap().iter().find(|it| it["failures"] == 1).unwrap()["next_try"];
    assert_eq!([&planned["due"], &listed["next_pull"], &explained["next_pull"]], [retry; 3]);
    let reason = "a failed address; the others waiting 15m (step 1)";
    assert_eq!((&planned["reason"], &explained["why"]), (&reason.into(), &reason.into()));
}

#[test]
fn a_new_address_makes_a_service_due() {
    let (world, _agents) = World::with_echo(1);
    world.run(&["pull"]).assert_code(0);
    let late = world.start(ECHO, &echo());
    world.run(&["pull"]).assert_code(0);
    assert_eq!(late.pulls(), 1);
}

#[test]
fn a_dry_run_shows_what_would_be_pulled_and_stores_nothing() {
    let (world, agents) = World::with_echo(1);
    let output = world.run(&["pull", "--dry-run"]).assert_code(0);
    assert_eq!(
        output.stdout,
        format!(
            "SERVICE{}ADDRESSES  DUE  REASON\n{ECHO}  1          now  never pulled\n",
            " ".repeat(ECHO.len() - 5)
        )
    );
    assert!(!world.root().exists());
    assert_eq!(agents[0].pulls(), 0);
}

#[test]
fn an_address_that_no_center_lists_is_stored_under_the_service_named() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    let unlisted = Agent::start(&echo());
    unlisted.hit(&[PING_BLOCK], 1);
    world.run(&["pull", "echoserver", "--address", &unlisted.url()]).assert_code(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 1, 0]);
    // A new service name is taken, too; a mistaken part of a name is not.
    let new = "staging_sg_apa_new_master_0123456789";
    world.run(&["pull", new, "--address", &unlisted.url()]).assert_code(0);
    assert_eq!(world.run(&["total", "apa_new"]).stdout, "10.0\n");
    world
        .run(&["pull", "nosuch", "--address", &unlisted.url()])
        .assert_code(1)
        .assert_stderr_contains("nosuch");
}

#[test]
fn raw_passes_one_profile_on_and_stores_nothing() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK], 1);
    let output = world.run(&["pull", "--raw", ECHO]).assert_code(0);
    assert_eq!(profile_of(&output.stdout).counts, [0, 0, 0, 0, 1, 0]);
    world.run(&["pull", "--raw", "--address", &agents[0].url(), "-o", "out.cov"]).assert_code(0);
    let written = fs::read_to_string(world.home().join("out.cov")).unwrap();
    assert_eq!(profile_of(&written).counts, [0, 0, 0, 0, 1, 0]);
    assert!(!world.root().exists());
    // An existing file is kept when the profile is bad.
    agents[0].behave(Behaviour::CutBefore(30));
    world
        .run(&["pull", "--raw", "--address", &agents[0].url(), "-o", "out.cov"])
        .assert_code(1)
        .assert_stderr_contains("cut short");
    assert_eq!(fs::read_to_string(world.home().join("out.cov")).unwrap(), written);
}

#[test]
fn a_silent_center_does_not_stop_pulls_of_known_addresses() {
    let (mut world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    world.center.stop();
    agents[0].hit(&[PING_BLOCK], 1);
    world.pull(3).assert_stderr_contains("connection refused; pulling the addresses that it listed");
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 1, 0]);
    // Another program at a known address is not believed while no center lists the address.
    agents[0].run(&rebuilt_echo());
    world.pull(3).assert_stderr_contains("which is not the one known here, and it is not listed now");
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 1, 0]);
    let list =
        world.run(&["list", "--format", "json"]).assert_code(3).assert_stderr_contains("connection refused");
    assert_eq!(list.json()[0][0]["service"], ECHO);
    world.center.start_again();
    world.pull(0);
}

#[test]
fn a_center_that_is_down_at_the_first_pull_is_an_error() {
    let mut world = World::new();
    world.configure("");
    world.center.stop();
    let url = world.center.url();
    let output = world.run(&["pull"]).assert_code(1);
    assert_eq!(
        output.stderr,
        format!(
            "goc-watchdog: center \"{url}\": no connection: connection refused (name a center by --center, GOC_CENTER or center in the configuration, or targets by --targets or [[targets]])\n"
        )
    );
    world.center.start_again();
    world.center.set_list_answer("404 Not Found", "404 page not found\n");
    world
        .run(&["pull"])
        .assert_code(1)
        .assert_stderr_contains("not a goc center: ")
        .assert_stderr_contains("/v1/cover/list is not found (404)");
}

#[test]
fn a_suddenly_empty_center_is_not_believed_while_addresses_that_it_listed_answer() {
    let (world, agents) = World::with_echo(1);
    world.pull(0);
    world.center.remove_all();
    agents[0].hit(&[PING_BLOCK], 1);
    world.pull(3).assert_stderr_contains("lists nothing, and listed 1 address before");
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 0, 0]);
    agents[0].kill();
    world.pull(3).assert_stderr_contains("no address that the emptied center listed answers any more");
    assert_eq!(world.run(&["list", "--format", "json"]).assert_code(0).json()[0][0]["state"], "offline");
}

#[test]
fn a_center_of_goc_v2_is_named() {
    let world = World::new();
    world.center.become_version_2();
    world.run(&["pull"]).assert_code(1).assert_stderr_contains("goc v2");
    world.run(&["list"]).assert_code(3).assert_stderr_contains("goc v2");
}

#[test]
fn a_server_that_is_no_center_is_named_with_its_answer() {
    let world = World::new();
    world.center.set_list_answer("200 OK", "<html>Welcome to nginx</html>");
    world
        .run(&["pull"])
        .assert_code(1)
        .assert_stderr_contains("not a goc center")
        .assert_stderr_contains("<html>Welcome to nginx</html>");
    world.center.set_list_answer("502 Bad Gateway", "upstream");
    world.run(&["pull"]).assert_code(1).assert_stderr_contains("answered 502: \"upstream\"");
}

#[test]
fn hostile_names_are_stored_and_never_leave_the_root() {
    let world = World::new();
    let long = "x".repeat(10_000);
    let names = [
        "..",
        ".",
        "/",
        "../../etc/passwd",
        "a\nb",
        "\u{1b}[31mred",
        "a\0b",
        "inbox",
        "sqlite.db",
        "CASE",
        "case",
        " ",
        "",
        "=cmd|' /C calc'!A0",
        "日本語",
        &long,
    ];
    let agents = names.map(|name| world.start(name, &echo()));
    let before: Vec<_> =
        fs::read_dir(world.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    world.pull(0);
    let after: Vec<_> = fs::read_dir(world.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(after.len(), before.len() + 1, "only the root is new: {after:?}");
    assert_eq!(world.row_count(), names.len());
    assert_eq!(world.files(".cov").len(), names.len());
    world.assert_consistent();
    let list = world.run(&["list"]).assert_code(0);
    assert!(!list.stdout.contains('\u{1b}') && !list.stdout.contains('\0'));
    assert_eq!(list.stdout.lines().count(), names.len() + 1);
    let listed = world.run(&["list", "--format", "json"]).json();
    let mut listed: Vec<&str> =
        listed[0].as_array().unwrap().iter().map(|it| it["service"].as_str().unwrap()).collect();
    let mut names = names;
    listed.sort_unstable();
    names.sort_unstable();
    assert_eq!(listed, names);
    drop(agents);
}

#[test]
fn several_centers_are_asked_and_one_that_is_down_does_not_stop_the_other() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK], 1);
    let centers = format!("{},http://127.0.0.1:1", world.center.url());
    world
        .run(&["pull", "--center", &centers])
        .assert_code(3)
        .assert_stderr_contains("center \"http://127.0.0.1:1\": no connection");
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
}

/// Makes stored builds and counters unreadable while `run` runs.
fn with_damaged_database(world: &World, run: impl FnOnce()) {
    world.execute(
        "CREATE TABLE kept AS SELECT id, data FROM structure;
         CREATE TABLE kept_counts AS SELECT id, counts FROM generation;
         UPDATE structure SET data = x'00';
         UPDATE generation SET counts = x'00';",
    );
    run();
    world.execute(
        "UPDATE structure SET data = (SELECT data FROM kept WHERE kept.id = structure.id);
         UPDATE generation SET counts = (SELECT counts FROM kept_counts WHERE kept_counts.id = generation.id);
         DROP TABLE kept;
         DROP TABLE kept_counts;",
    );
}

#[test]
fn a_repeated_answer_is_recognized_without_its_stored_counters() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[MAIN_BLOCK, PING_BLOCK], 2);
    agents[1].hit(&[MIRROR_BLOCK], 1);
    world.pull(0);
    let seen = "SELECT min(last_answer_at) FROM address";
    let first = world.query::<String>(seen);
    with_damaged_database(&world, || {
        let output = world.run(&["pull", "--force", "--format", "json"]).assert_code(0);
        assert_eq!(output.json()[0]["result"], "unchanged");
        assert_eq!(output.json()[0]["replicas"]["answered"], 2);
    });
    assert!(world.query::<String>(seen) > first);
    assert_eq!(world.row_count(), 1);
    // The first replica moves on; the counters of the other are read from the database.
    agents[0].hit(&[PING_BLOCK], 1);
    agents[0].hit(&[MIRROR_BLOCK + 1], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [1, 0, 1, 3, 2, 0]);
    world.assert_consistent();
}

#[test]
fn a_repeated_answer_without_its_end_is_a_failure() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    // The text is complete, but the last chunk, which says so, is missing.
    agents[0].behave_once(Behaviour::CutBefore(5));
    world.pull(3).assert_stderr_contains("the answer was cut short");
    assert_eq!(world.query::<i64>("SELECT failures FROM address"), 1);
}

#[test]
fn a_process_that_answers_as_before_after_a_failure_is_no_longer_failing() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    agents[0].behave_once(Behaviour::Status("500 Internal Server Error", "no"));
    world.pull(3);
    world.pull(0);
    let failing = "SELECT count(*) FROM address WHERE failures > 0 OR last_error IS NOT NULL";
    assert_eq!(world.query::<i64>(failing), 0);
}

#[test]
fn a_stored_row_never_changes_the_facts_of_its_time() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    let row = || {
        world.query::<String>(
            "SELECT json_array(id, created_at, updated_at, deleted_at, env, region, app_name, addresses, git_branch,
                               git_commit, is_latest, cov_file_path, cover_total, answered, listed)
             FROM goc_o_staging_service_cover JOIN cover_fact ON row_id = id",
        )
    };
    let stored = row();
    let replicas = |arguments: &[&str]| {
        let json = &world.run(arguments).json()[0];
        let object = if json.is_array() { &json[0] } else { json };
        object["replicas"].to_string()
    };
    let both = r#"{"answered":2,"known":2}"#;
    let latest = ["report", ECHO, "--format", "json"];
    assert_eq!([replicas(&latest), replicas(&["total", ECHO, "--format", "json"])], [both, both]);

    // A replica leaves, the other fails, and another name of the key, on another branch, is listed last.
    world.center.remove(&agents[1].url());
    agents[0].behave_once(Behaviour::Status("500 Internal Server Error", "no"));
    world.center.register_url("staging_th_apa_goc_echoserver_release_845820727e", &agents[0].url());
    world.pull(3);
    assert_eq!(row(), stored);
    let none = r#"{"answered":0,"known":1}"#;
    assert_eq!([replicas(&latest), replicas(&["total", ECHO, "--format", "json"])], [none, none]);
    world
        .run(&["total", ECHO, "--min-replicas", "1"])
        .assert_code(5)
        .assert_stderr_contains("0 of 1 replica answered");
    world
        .run(&["report", ECHO, "--format", "json", "--min-replicas", "1"])
        .assert_code(5)
        .assert_stderr_contains("0 of 1 replica answered");
    let explained = world.run(&["list", "--explain", ECHO]).stdout;
    assert!(explained.contains("0 of 1 replica"), "{explained}");

    // The row itself is as it was stored.
    assert_eq!(replicas(&["history", ECHO, "--format", "json"]), both);
    assert_eq!(replicas(&["report", ECHO, "--id", "1", "--format", "json"]), both);
    // The exit code tells only of the missing source.
    world.run(&["report", ECHO, "--id", "1", "--format", "json", "--min-replicas", "2"]).assert_code(3);

    // Unchanged data is as fresh as its last pull.
    world.execute("UPDATE schedule SET last_pull_at = '2020-01-01T00:00:00.000Z'");
    world.run(&["total", ECHO, "--max-age", "1h"]).assert_code(5);
    world.pull(0);
    world.run(&["total", ECHO, "--max-age", "1h", "--min-replicas", "1"]).assert_code(0);
    assert_eq!(row(), stored);
}

#[test]
fn replicas_of_the_last_pull_are_taken_from_the_latest_row_of_an_older_database() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    world.execute("UPDATE cover_fact SET answered = 1, listed = 5");
    world.downgrade_to(6);
    // This command brings the database up to date and asks nobody.
    world.run(&["prune", "--retention-only"]).assert_code(0);
    world.execute("UPDATE cover_fact SET answered = 7, listed = 7");
    let json = &world.run(&["total", ECHO, "--format", "json"]).json()[0];
    assert_eq!(json["replicas"], serde_json::json!({ "answered": 1, "known": 5 }));
}

#[test]
fn a_restart_is_seen_also_after_answers_that_were_the_same() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK, MIRROR_BLOCK], 5);
    world.pull(0);
    world.pull(0);
    agents[0].restart();
    world.pull(0);
    assert_eq!(world.echo_counts(), [5, 0, 0, 0, 5, 0]);
    agents[0].hit(&[MAIN_BLOCK, MIRROR_BLOCK], 5);
    world.pull(0);
    agents[0].hit(&[PING_BLOCK], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [10, 0, 0, 1, 10, 0]);
}

#[test]
fn an_answer_whose_counters_are_not_the_stored_ones_is_never_taken_for_known() {
    let (world, agents) = World::with_echo(1);
    agents[0].set_counts(&[9, 8, 7, 6, 5, 4]);
    world.pull(0);
    // A single counter that fell is no restart: the larger count is kept, and each pull asks once more.
    agents[0].set_counts(&[9, 7, 7, 6, 5, 4]);
    world.pull(0);
    world.pull(0);
    assert_eq!(agents[0].pulls(), 5);
    assert_eq!(world.echo_counts(), [6, 4, 5, 7, 9, 8]);
    agents[0].set_counts(&[9, 8, 7, 6, 5, 4]);
    world.pull(0);
    assert_eq!(agents[0].pulls(), 6);
}

#[test]
fn counters_that_moved_before_get_their_row_also_when_the_answer_is_the_same_again() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    world.configure("[pull]\nrow_at_least_every = \"0s\"\n");
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 2, 0]);
}

#[test]
fn another_build_at_an_address_is_set_aside_and_known_again_there() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    agents[1].run(&rebuilt_echo());
    agents[1].hit(&[0, 2], 4);
    for _ in 0..3 {
        world.pull(3).assert_stderr_contains("contradicts the one shown; its data is set aside");
        assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    }
    world.center.remove(&agents[0].url());
    world.pull(0).assert_stderr_contains("replaced build");
    assert_eq!(profile_of(&world.latest_text("apa_goc_echoserver")).counts, [4, 4, 0]);
}

#[test]
fn a_database_of_an_earlier_state_is_brought_up_to_date() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[MAIN_BLOCK], 1);
    world.pull(0);
    // Schema 2 knows neither last answers nor suspicions.
    world.downgrade_to(2);
    world.pull(0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM last_answer"), 1);
    agents[0].hit(&[PING_BLOCK], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 1, 1, 0]);
}

#[test]
fn a_missing_service_is_an_error_of_the_command_line() {
    let (world, agents) = World::with_echo(1);
    world
        .run(&["pull", "--raw"])
        .assert_code(2)
        .assert_stderr_contains("--raw needs one SERVICE, or --address URL");
    let address = agents[0].url();
    for services in [&[][..], &["echo", "pay"]] {
        let arguments = [&["pull", "--address", &address][..], services].concat();
        world
            .run(&arguments)
            .assert_code(2)
            .assert_stderr_contains("--address needs the one SERVICE that it is stored under");
    }
}
