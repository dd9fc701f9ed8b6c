//! `prune --retention-only`: old profiles are removed; their totals and all data in use stay.

use std::fs;

use crate::harness::{ECHO, Output, World, echo};
use crate::sim::{Agent, Program};

/// Makes a world with this many rows of one process, each with its profile and a report beside it.
fn world_with_rows(rows: u64) -> (World, Agent) {
    let (world, mut agents) = World::with_echo(1);
    let agent = agents.remove(0);
    world.configure("[pull]\nrow_at_least_every = \"0s\"\n");
    for _ in 0..rows {
        agent.hit(&[0], 1);
        world.pull(0);
    }
    for path in world.files(".cov") {
        for report in ["_report.txt", "_report.html"] {
            fs::write(path.to_string_lossy().replace(".cov", report), "a report").unwrap();
        }
    }
    (world, agent)
}

impl World {
    #[track_caller]
    fn drop_old(&self, arguments: &[&str]) -> Output {
        self.run(&[&["prune", "--retention-only"], arguments].concat()).assert_code(0)
    }

    /// Returns the names of the stored profiles and reports.
    fn stored_names(&self) -> Vec<String> {
        let mut names: Vec<String> = [".cov", ".txt", ".html"]
            .iter()
            .flat_map(|suffix| self.files(suffix))
            .map(|path| path.file_name().unwrap().to_string_lossy().replace("apa_goc_echoserver_", ""))
            .collect();
        names.sort();
        names
    }
}

#[test]
fn old_profiles_beyond_the_newest_go_with_their_reports_and_their_totals_stay() {
    let (world, agent) = world_with_rows(4);
    world.let_days_pass(31);
    agent.hit(&[0], 1);
    world.pull(0);
    let output = world.drop_old(&["--keep", "2", "--format", "json"]);
    let lines = output.json();
    assert_eq!(lines.len(), 4, "{}", output.stdout);
    assert_eq!(lines[0]["drop"], "profile");
    assert_eq!(lines[0]["cov_file_path"], "apa_goc_echoserver/cov_data/apa_goc_echoserver_1.cov");
    let summary = &lines[3]["summary"];
    assert_eq!([&summary["dropped_profiles"], &summary["freed_files"]], [3, 9]);
    assert_eq!(world.stored_names(), ["4.cov", "4_report.html", "4_report.txt", "5.cov"]);
    world.assert_consistent();
    let history = world.run(&["history", "echoserver", "--format", "json"]).assert_code(0).json();
    let history = history[0].as_array().unwrap();
    let paths: Vec<bool> = history.iter().map(|row| row["cov_file_path"].is_null()).collect();
    assert_eq!(paths, [true, true, true, false, false]);
    assert!(history.iter().all(|row| row["percent"] == 20.0));
    // Numbers of later rows continue.
    agent.hit(&[0], 1);
    world.pull(0);
    assert!(world.stored_names().contains(&"6.cov".to_owned()));
    // All three rows are to be kept.
    assert!(world.drop_old(&["--keep", "3"]).stdout.starts_with("nothing to drop"));
}

#[test]
fn the_defaults_keep_ten_and_thirty_days() {
    let (world, agent) = world_with_rows(12);
    assert!(world.drop_old(&[]).stdout.starts_with("nothing to drop"));
    world.let_days_pass(30);
    let output = world.drop_old(&[]);
    assert!(output.stdout.starts_with("dropped 2 profiles; freed 6 files of "), "{}", output.stdout);
    world.let_days_pass(300);
    world.drop_old(&[]);
    assert_eq!(world.files(".cov").len(), 10);
    // The latest profile stays in any case, and can be added to.
    world.drop_old(&["--keep", "0", "--keep-days", "0"]);
    assert_eq!(world.stored_names(), ["12.cov", "12_report.html", "12_report.txt"]);
    agent.hit(&[1], 1);
    world.pull(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 13);
}

#[test]
fn a_dry_run_says_what_would_go_and_leaves_it() {
    let (world, _agent) = world_with_rows(3);
    world.let_days_pass(40);
    let output = world.drop_old(&["--keep", "1", "--dry-run"]);
    assert!(
        output.stdout.contains("apa_goc_echoserver/cov_data/apa_goc_echoserver_2.cov"),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("would drop 2 profiles; would free 6 files of "), "{}", output.stdout);
    assert_eq!(world.files(".cov").len(), 3);
    let dry = world.drop_old(&["--keep", "1", "-n", "--format", "json"]).json();
    let real = world.drop_old(&["--keep", "1", "--format", "json"]).json();
    assert_eq!(dry[..2], real[..2]);
    for field in ["dropped_profiles", "freed_files", "freed_bytes"] {
        assert_eq!(dry[2]["summary"][field], real[2]["summary"][field], "{field}");
    }
}

#[test]
fn a_reader_postpones_retention() {
    let (world, _agent) = world_with_rows(3);
    world.let_days_pass(40);
    let readers = world.root().join("goc-watchdog.readers");
    let reader = fs::OpenOptions::new().create(true).truncate(false).write(true).open(readers).unwrap();
    reader.lock_shared().unwrap();
    world.drop_old(&["--keep", "1"]).assert_stderr_contains("a report is reading stored files");
    assert_eq!(world.files(".cov").len(), 3);
    reader.unlock().unwrap();
    let output = world.drop_old(&["--keep", "1"]);
    assert!(output.stdout.starts_with("freed 6 files"), "{}", output.stdout);
    assert_eq!(world.files(".cov").len(), 1);
}

#[test]
fn orphans_of_a_crash_go_and_files_of_others_stay() {
    let (world, _agent) = world_with_rows(1);
    let folder = world.root().join("apa_goc_echoserver/cov_data");
    for name in ["_9.cov", "_9_report.txt", "_9.cov.tmp", "_1_report.txt.tmp"] {
        fs::write(folder.join(format!("apa_goc_echoserver{name}")), "left").unwrap();
    }
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let output = world.drop_old(&[]);
    assert!(output.stdout.starts_with("freed 2 files"), "{}", output.stdout);
    let aside = folder.join("aside");
    assert_eq!(
        fs::read_dir(&aside).unwrap().count(),
        2,
        "whole files that no row knows are kept for a while"
    );
    fs::remove_dir_all(aside).unwrap();
    assert_eq!(world.stored_names(), ["1.cov", "1_report.html", "1_report.txt", "notes.txt"]);
}

#[test]
fn a_key_that_nobody_listed_for_long_goes_as_a_whole_and_can_come_back() {
    let (world, agent) = world_with_rows(2);
    let live = world.start("staging_th_live_master_0123456789", &echo());
    live.hit(&[0], 1);
    world.center.remove(&agent.url());
    world.pull(0);
    world.let_days_pass(91);
    // The key is still listed, though nobody pulled since.
    let dry = world.drop_old(&["--drop-keys-older-than", "90d", "-n", "--format", "json"]).json();
    let keys: Vec<_> = dry.iter().filter(|line| line["drop"] == "key").collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0]["services"][0], ECHO);
    world.drop_old(&[]);
    assert_eq!(world.files(".cov").len(), 3, "keys go only where that is asked for");
    let output = world.drop_old(&["--drop-keys-older-than", "90d"]);
    assert!(
        output.stdout.contains("dropped 2 profiles, all of 1 service; freed 6 files"),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("in the database"), "{}", output.stdout);
    assert_eq!(world.files(".cov").len(), 1);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
    world.assert_consistent();
    let list = world.run(&["list", "--offline"]).assert_code(0).stdout;
    assert!(!list.contains("echoserver") && list.contains("live"), "{list}");
    world
        .run(&["list", "--offline", "echoserver"])
        .assert_code(0)
        .assert_stderr_contains("no data of these services is left; `goc-watchdog list` shows all");
    assert_eq!(world.run(&["history", "echoserver"]).assert_code(0).stdout.lines().count(), 3);
    world.run(&["total", "echoserver"]).assert_code(1).assert_stderr_contains("its data was dropped");
    assert!(world.drop_old(&["--drop-keys-older-than", "90d"]).stdout.starts_with("nothing to drop"));

    world.center.register(ECHO, &agent);
    let output = world.pull(0);
    assert!(!output.stderr.contains("replaced build"), "{}", output.stderr);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 2);
    assert!(world.stored_names().contains(&"3.cov".to_owned()), "{:?}", world.stored_names());
    world.assert_consistent();
}

#[test]
fn data_set_aside_goes_once_nobody_serves_it() {
    let (world, agent) = world_with_rows(1);
    let other = world.start(ECHO, &Program::from_profile("example.com/apa/echo/main.go:10.13,13.2 3\n"));
    other.hit(&[0], 1);
    world.pull(3).assert_stderr_contains("set aside");
    world.let_days_pass(91);
    let asides = "SELECT count(*) FROM edition WHERE status = 'aside'";
    world.drop_old(&["--drop-keys-older-than", "90d"]);
    assert_eq!(world.query::<i64>(asides), 1, "it is served still");
    world.center.remove(&other.url());
    agent.hit(&[0], 1);
    world.pull(0);
    world.let_days_pass(91);
    let output = world.drop_old(&["--drop-keys-older-than", "90d"]);
    assert!(output.stdout.contains("1 build set aside"), "{}", output.stdout);
    assert_eq!(world.query::<i64>(asides), 0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM structure"), 1);
    world.pull(0);
    world.assert_consistent();
}

#[test]
fn retention_and_removals_can_be_run_alone() {
    let (mut world, _agent) = world_with_rows(3);
    world.let_days_pass(40);
    let output = world.run(&["prune", "--center-only"]).assert_code(0);
    assert!(output.stdout.starts_with("asked 1 address: 1 alive; "), "{}", output.stdout);
    assert_eq!(world.files(".cov").len(), 3);
    world.center.stop();
    assert_eq!(world.drop_old(&["--keep", "1"]).stderr, "");
    world.run(&["prune", "--retention-only", "--center-only"]).assert_code(2);
    world.run(&["prune", "--retention-only", "--force"]).assert_code(2);
}

#[test]
fn a_silent_center_does_not_keep_old_history() {
    let (mut world, _agent) = world_with_rows(3);
    world.let_days_pass(40);
    world.center.stop();
    let output = world.run(&["prune", "--keep", "1"]).assert_code(3);
    assert!(output.stdout.contains("dropped 2 profiles"), "{}", output.stdout);
    assert_eq!(world.files(".cov").len(), 1);
}

#[test]
fn an_address_that_left_the_center_long_ago_is_forgotten() {
    let (world, agent) = world_with_rows(1);
    let listed = |address: &str, unlisted: &str| {
        world.execute(&format!(
            "INSERT INTO listing (service_id, address, center, position, listed_at, unlisted_at)
                 SELECT service_id, '{address}', center, 9, listed_at, {unlisted} FROM listing LIMIT 1"
        ));
    };
    listed("http://10.0.0.1:1", "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-31 days')");
    listed("http://10.0.0.2:1", "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-29 days')");
    world.drop_old(&[]);
    let left = "SELECT group_concat(address, ' ') FROM (SELECT address FROM listing ORDER BY position)";
    assert_eq!(world.query::<String>(left), format!("{} http://10.0.0.2:1", agent.url()));
    assert_eq!(world.drop_old(&["--keep-days", "28"]).stderr, "");
    assert_eq!(world.query::<String>(left), agent.url());
}
