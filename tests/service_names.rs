//! Names of services on the command line, after many deploys.

use serde_json::json;

use crate::harness::{World, echo};
use crate::sim::Agent;

const COMMITS: [&str; 3] = ["0000001", "0000002", "0000003"];

fn name(app: &str, branch: &str, commit: &str) -> String {
    format!("staging_th_{app}_{branch}_{commit}")
}

/// Deploys an app with one commit after the other; each was pulled once, and the last ones run.
fn deployed(world: &World, app: &str, running: usize) -> Vec<Agent> {
    let mut agents = Vec::new();
    for (at, commit) in COMMITS.iter().enumerate() {
        let agent = world.start(&name(app, "master", commit), &echo());
        agent.hit(&[0], at as u64 + 1);
        agents.push(agent);
        world.pull(0);
        if agents.len() > running {
            world.center.remove(&agents.remove(0).url());
        }
    }
    world.pull(0);
    agents
}

#[test]
fn an_app_means_its_commit_that_runs_from_the_second_deploy_on() {
    let world = World::new();
    let _cart = deployed(&world, "cart", 1);
    let _other = world.start(&name("cart-v2", "master", COMMITS[0]), &echo());
    world.pull(0);

    let total = world.run(&["total", "cart"]).assert_code(0);
    assert_eq!(
        (&*total.stdout, &*total.stderr),
        ("20.0\n", "goc-watchdog: commit 0000003, the one of 3 that runs\n")
    );
    assert_eq!(world.run(&["total", "cart", "-q"]).assert_code(0).stderr, "");
    let json = &world.run(&["total", "cart", "--format", "json"]).assert_code(0).json()[0];
    assert_eq!(
        (&json["commit"], &json["commit_choice"]),
        (&json!("0000003"), &json!({"commits": 3, "running": 1}))
    );
    let explained = world.run(&["list", "--explain", "cart"]).assert_code(0).stdout;
    assert!(explained.starts_with(&name("cart", "master", "0000003")), "{explained}");
    let explained = &world.run(&["list", "--explain", "cart", "--format", "json"]).assert_code(0).json()[0];
    assert_eq!(explained["commit_choice"], json!({"commits": 3, "running": 1}));
    let named = world.run(&["total", "cart", "--commit", "0000001", "--format", "json"]).assert_code(0);
    assert_eq!(
        (&named.json()[0]["commit"], &named.json()[0]["commit_choice"]),
        (&json!("0000001"), &json!(null))
    );
    let whole = format!("0000001{}", "a".repeat(33));
    let rows = world.run(&["history", "cart", "--commit", &whole, "--format", "json"]).assert_code(0).json();
    assert_eq!(rows[0].as_array().unwrap().len(), 1, "a commit as git prints it: {rows:?}");
    let listed = world.run(&["list", "cart", "--format", "json"]).assert_code(0).json();
    assert_eq!(listed[0].as_array().unwrap().len(), 3, "the app cart-v2 is another one");
}

#[test]
fn a_pull_takes_all_commits_of_an_app_that_run_and_the_newest_where_none_does() {
    let world = World::new();
    let cart = deployed(&world, "cart", 2);
    let before: Vec<usize> = cart.iter().map(Agent::pulls).collect();
    let pulled = world.run(&["pull", "cart", "--force", "--format", "json"]).assert_code(0).json();
    let services: Vec<&str> = pulled.iter().filter_map(|line| line["service"].as_str()).collect();
    assert_eq!(
        services,
        COMMITS[1..].iter().map(|commit| name("cart", "master", commit)).collect::<Vec<_>>()
    );
    assert!(cart.iter().zip(before).all(|(agent, before)| agent.pulls() == before + 1));

    for agent in &cart {
        world.center.remove(&agent.url());
    }
    let keeps_the_center_full = world.start(&name("pay", "master", COMMITS[0]), &echo());
    world.pull(0);
    let total = world.run(&["total", "cart"]).assert_code(0);
    assert_eq!(total.stderr, "goc-watchdog: commit 0000003, the newest of 3\n");
    drop(keeps_the_center_full);
}

#[test]
fn a_name_that_fits_several_branches_is_refused_with_those_that_run_first() {
    let world = World::new();
    let cart = deployed(&world, "cart", 1);
    world.center.remove(&cart[0].url());
    let _fix = world.start(&name("cart", "fix", "0000004"), &echo());
    world.pull(0);
    let refused = world.run(&["total", "cart"]).assert_code(1);
    assert_eq!(
        refused.stderr,
        "goc-watchdog: \"cart\" fits 2 services; give more of the name, or --env, --region or --branch:\n  \
         staging_th_cart_fix_0000004\n  staging_th_cart_master_0000003\n"
    );
    let narrowed = world.run(&["total", "cart", "--branch", "master", "--format", "json"]).assert_code(0);
    assert_eq!(narrowed.json()[0]["commit"], "0000003");
    let rows = world.run(&["history", "cart", "--branch", "fix", "--format", "json"]).assert_code(0).json();
    assert_eq!(rows[0].as_array().unwrap().len(), 1);
}

#[test]
fn fields_without_a_service_are_refused_where_one_process_is_meant() {
    let world = World::new();
    for arguments in [
        &["pull", "--raw", "--env", "staging"][..],
        &["pull", "--raw", "--address", "http://127.0.0.1:1", "--branch", "master"],
    ] {
        world
            .run(arguments)
            .assert_code(2)
            .assert_stderr_contains("--raw with --env, --region, --branch or --commit needs a SERVICE");
    }
    let folder = world.home().to_str().unwrap();
    let hook = world.run(&["pull", "--to-inbox", folder, "--env", "staging"]).assert_code(2);
    hook.assert_stderr_contains("'--to-inbox <DIR>' cannot be used with");
    assert!(!world.root().exists());
}

#[test]
fn names_that_fit_no_pattern_are_said_at_their_first_pull() {
    let world = World::new();
    let _agents = ["echo", "cart.v2"].map(|name| world.start(name, &echo()));
    let first = world.pull(0).stderr;
    let said = "2 names (\"cart.v2\", \"echo\") fit no pattern of service names, so each whole name is an app without a \
                commit; if it has a commit, set pattern of [naming] in goc-watchdog.toml (this is said once)";
    assert!(first.contains(said), "{first}");
    let _new = world.start("pay", &echo());
    let second = world.pull(0).stderr;
    assert!(
        second.contains("\"pay\" fits no pattern of service names, so the whole name is an app"),
        "{second}"
    );
    assert!(!second.contains("echo"), "{second}");
    assert!(!world.pull(0).stderr.contains("pattern"));
}

#[test]
fn a_service_is_found_by_its_commit_as_git_shortens_it() {
    const COMMIT: &str = "64c8138b597865b650797c142a928739a82bc9a3";
    let world = World::new();
    let service = &name("echoserver", "master", COMMIT);
    let agent = world.start(service, &echo());
    world.pull(0);
    let whole = world.run(&["total", service]).assert_code(0).stdout;
    for short in [&COMMIT[..12], &service[..service.len() - 28], "echoserver"] {
        assert_eq!(world.run(&["total", short]).assert_code(0).stdout, whole, "{short}");
    }
    drop(agent);
}

#[test]
fn a_full_name_that_is_the_app_of_other_services_is_said_to_be_taken() {
    let world = World::new();
    let odd = world.start("echo", &echo());
    let named = world.start(&name("echo", "master", COMMITS[0]), &echo());
    odd.hit(&[0], 1);
    named.hit(&[0, 1, 2], 1);
    world.pull(0);
    let said = "took the service whose full name is \"echo\", and not 1 other service with that app; to choose otherwise, \
                give more of a name, or --env, --region, --branch or --commit";
    for command in
        [&["total", "echo"][..], &["history", "echo"], &["pull", "echo"], &["pull", "--raw", "echo"]]
    {
        world.run(command).assert_code(0).assert_stderr_contains(said);
    }
    world.run(&["report", "echo", "--format", "func", "--offline"]).assert_stderr_contains(said);
    let chosen = world.run(&["total", "echo", "--env", "staging"]).assert_code(0);
    assert_eq!((&*chosen.stdout, &*chosen.stderr), ("40.0\n", ""));
    assert_eq!(world.run(&["total", &name("echo", "master", COMMITS[0])]).stderr, "");
}

#[test]
fn a_dry_run_does_not_claim_that_it_says_something_once() {
    let world = World::new();
    let _agent = world.start("echo", &echo());
    let pattern = "set pattern of [naming] in goc-watchdog.toml";
    for _ in 0..2 {
        let output = world.run(&["pull", "--dry-run"]).assert_code(0);
        assert!(output.stderr.contains(&format!("{pattern}\n")), "{}", output.stderr);
    }
    world.run(&["pull"]).assert_code(0).assert_stderr_contains(&format!("{pattern} (this is said once)\n"));
}

#[test]
fn fields_without_a_service_narrow_a_pull_to_what_is_due_of_them() {
    let world = World::new();
    let staging = world.start(&name("cart", "master", COMMITS[0]), &echo());
    let prod = world.start("prod_th_cart_master_0000001", &echo());
    let pulls = || (staging.pulls(), prod.pulls());
    let planned = world.run(&["pull", "--env", "prod", "-n", "--format", "json"]).assert_code(0).json();
    let named: Vec<&str> = planned.iter().filter_map(|line| line["service"].as_str()).collect();
    assert_eq!(named, ["prod_th_cart_master_0000001"]);
    world.run(&["pull", "--env", "prod"]).assert_code(0);
    assert_eq!(pulls(), (0, 1));
    world.run(&["pull", "--env", "prod", "--no-peek"]).assert_code(0);
    assert_eq!(pulls(), (0, 1), "it is not due");
    world.run(&["pull", "--env", "prod", "--force"]).assert_code(0);
    assert_eq!(pulls(), (0, 2));
    world.run(&["pull"]).assert_code(0);
    assert_eq!(pulls(), (1, 2));
    let none = world.run(&["pull", "--env", "nowhere"]).assert_code(1);
    assert_eq!(
        none.stderr,
        "goc-watchdog: no service has --env nowhere, `goc-watchdog list` shows them all\n"
    );
    for form in ["text", "json", "prometheus"] {
        let none = world.run(&["list", "--region", "xx", "--format", form]).assert_code(1);
        let said = "goc-watchdog: no service has --region xx, `goc-watchdog list` shows them all\n";
        assert_eq!((&*none.stdout, &*none.stderr), ("", said));
    }
}

#[test]
fn a_mistyped_name_leads_to_the_app_or_to_what_runs() {
    let world = World::new();
    let _cart = deployed(&world, "cart", 1);
    for (command, text) in [("total", "crt"), ("list", "CART"), ("history", "carts"), ("pull", "crt")] {
        let said = format!("goc-watchdog: no service fits \"{text}\", did you mean \"cart\"?\n");
        assert_eq!(world.run(&[command, text]).assert_code(1).stderr, said);
    }
    let nearest = world.run(&["list", "staging_th_cart_mastre"]).assert_code(1).stderr;
    assert!(
        nearest.ends_with(&format!("did you mean \"{}\"?\n", name("cart", "master", COMMITS[2]))),
        "{nearest}"
    );
}

#[test]
fn a_whole_commit_from_git_fits_a_name_with_a_short_one() {
    let world = World::new();
    let _cart = deployed(&world, "cart", 1);
    let pasted = format!("{}ffffffffffffffffffffffffffffffffffffffffff", name("cart", "master", COMMITS[0]));
    let total = world.run(&["total", &pasted, "--format", "json"]).assert_code(0);
    assert_eq!(total.json()[0]["commit"], COMMITS[0]);
    let short = world.run(&["total", "cart", "--commit", "000"]).assert_code(1);
    assert_eq!(short.stderr, "goc-watchdog: \"000\" has too few digits for a commit, give at least 4\n");
}

#[test]
fn a_service_without_data_is_told_apart_by_whether_it_was_asked() {
    let world = World::new();
    let service = &name("cart", "master", COMMITS[0]);
    let agent = world.start(service, &echo());
    let missing = world.run(&["prune"]).assert_code(0);
    assert!(missing.stdout.contains("asked 1 address"), "{}", missing.stdout);
    world.run(&["pull", "--env", "nowhere"]).assert_code(1);
    let never =
        format!("goc-watchdog: {service} was never pulled, so it has no stored data (goc-watchdog pull)\n");
    for command in ["total", "history", "report"] {
        let output = world.run(&[command, "cart"]).assert_code(1);
        assert_eq!((&*output.stdout, &*output.stderr), ("", &*never), "{command}");
    }
    agent.kill();
    world.run(&["pull"]).assert_code(3);
    let said = format!(
        "goc-watchdog: {service} was listed but never answered, so it has no stored data (goc-watchdog list --explain \
         {service})\n"
    );
    assert_eq!(world.run(&["history", "cart"]).assert_code(1).stderr, said);
    let fresh = world.run(&["total", "fresh"]).assert_code(1);
    assert_eq!(
        fresh.stderr,
        "goc-watchdog: no service fits \"fresh\", `goc-watchdog list` shows them all; nothing of a new service is stored \
         before its first pull (goc-watchdog pull)\n"
    );
}

#[test]
fn numbers_of_options_reach_the_messages_about_them() {
    let world = World::new();
    for (arguments, said) in [
        (
            &["total", "cart", "--max-drop", "-1"][..],
            "\"-1\" is no number of percentage points from 0 to 100, such as",
        ),
        (&["prune", "--keep", "-1"], "\"-1\" is no whole number, such as 10"),
        (&["history", "cart", "--limit", "-1"], "\"-1\" is no whole number, such as 10"),
        (&["prune", "--keep-days", "-1"], "expected a number of days from 0 to 36500"),
        (&["total", "cart", "--max-age", "-1h"], "\"-1h\" is not a duration, expected a duration such as"),
        (&["total", "cart", "--fail-under", "-1"], "invalid value '-1' for '--fail-under <PERCENT>'"),
    ] {
        world.run(arguments).assert_code(2).assert_stderr_contains(said);
    }
    let without_root = world.run(&["total", "cart", "--max-drop", ".5", "--fail-under", ".5"]).assert_code(1);
    without_root.assert_stderr_contains("nothing was pulled into this root yet");
}
