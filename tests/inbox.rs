//! `pull --to-inbox`, and the pull that takes in the snapshots.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::harness::inbox::{LONG_DEADLINE, snapshots};
use crate::harness::{ECHO, World, echo, output_of, profile_of};
use crate::sim::{Agent, Behaviour, Program};

const OTHER_SERVICE: &str = "staging_th_apa_goc_echoserver_develop_ffffffffff";

impl World {
    /// Pulls services that are due, and returns the lines about snapshots with their results.
    #[track_caller]
    fn pull_inbox(&self, code: i32) -> Vec<(String, Value)> {
        let output = self.run(&["pull", "--format", "json", "--no-peek"]).assert_code(code);
        let of_snapshots = output.json().into_iter().filter(|line| line["snapshot"].is_string());
        of_snapshots.map(|line| (line["result"].as_str().unwrap().to_owned(), line)).collect()
    }

    /// Writes a copy of a snapshot with another head to the inbox. Its name and hash are right.
    fn alter(&self, path: &Path, change: impl Fn(&mut Value)) -> PathBuf {
        let text = fs::read_to_string(path).unwrap();
        let mut parts = text.splitn(3, '\n');
        let (format, head, profile) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let mut head: Value = serde_json::from_str(head).unwrap();
        change(&mut head);
        let forged = self.inbox().join(format!("forged-{:x}.snapshot", fastrand::u64(..)));
        fs::write(&forged, format!("{format}\n{head}\n{profile}")).unwrap();
        forged
    }
}

fn results(taken: &[(String, Value)]) -> Vec<&str> {
    taken.iter().map(|(result, _)| result.as_str()).collect()
}

/// Sets the time of the last change long ago, as if nobody wrote to the file any more.
fn set_old_time(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
}

#[test]
fn the_last_data_of_a_pod_is_in_the_report_though_it_was_never_pulled_again() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[0], 1);
    agents[1].hit(&[4], 1);
    world.pull(0);
    agents[0].hit(&[0, 3, 5], 2);
    let path = world.leave_snapshot(&agents[0].url(), ECHO);
    assert!(path.file_name().unwrap().len() == 64 + ".snapshot".len());
    // The pod leaves the list and ends.
    world.center.remove(&agents[0].url());
    agents[0].kill();

    let taken = world.pull_inbox(0);
    assert_eq!(results(&taken), ["merged"]);
    assert_eq!(taken[0].1["service"], ECHO);
    let mut counts = world.echo_counts();
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 1, 2, 2, 3]);
    assert!(snapshots(&world.inbox()).is_empty());
    world.assert_consistent();
}

#[test]
fn a_snapshot_counts_once_however_often_it_is_left() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[0, 1], 3);
    let first = world.leave_snapshot(&agents[0].url(), ECHO);
    let kept = fs::read(&first).unwrap();
    // A second hook of the same process with the same counters leaves the same file.
    let folder = world.inbox();
    let output = world.run_hook(&folder, &agents[0].url(), ECHO, &[]).assert_code(0);
    assert_eq!(output.stdout, format!("{ECHO}: 30.0% of 10 statements, left in {}\n", first.display()));
    assert_eq!(snapshots(&folder), std::slice::from_ref(&first));
    agents[0].kill();
    assert_eq!(results(&world.pull_inbox(3)), ["merged"]);
    let counts = world.echo_counts();
    assert_eq!(counts.iter().sum::<u64>(), 6);

    // A second delivery is recognized by its content, also under another name, and even where its record is lost.
    for memory in ["", "DELETE FROM snapshot"] {
        world.execute(memory);
        fs::write(folder.join("again.snapshot"), &kept).unwrap();
        // The exit code is 3 because the address does not answer any more.
        assert_eq!(results(&world.pull_inbox(3)), ["known"]);
        assert_eq!(world.echo_counts(), counts);
        assert!(snapshots(&folder).is_empty());
    }
    world.assert_consistent();
}

#[test]
fn snapshots_of_one_process_may_come_in_any_order_and_replicas_add_up() {
    let (world, agents) = World::with_echo(2);
    let mut left = Vec::new();
    for round in 1..4 {
        agents[0].hit(&[round], 1);
        agents[1].hit(&[0], 1);
        left.push(world.leave_snapshot(&agents[0].url(), ECHO));
        left.push(world.leave_snapshot(&agents[1].url(), ECHO));
    }
    let all: Vec<(PathBuf, Vec<u8>)> =
        left.iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    for path in &left {
        fs::remove_file(path).unwrap();
    }
    agents.iter().for_each(Agent::kill);
    for index in [5, 0, 4, 1, 3, 2] {
        fs::write(&all[index].0, &all[index].1).unwrap();
        world.run(&["pull", "--no-peek"]);
    }
    let mut counts = world.echo_counts();
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 1, 1, 1, 3]);
    world.assert_consistent();
}

#[test]
fn a_service_known_only_from_the_inbox_is_listed_and_reported() {
    let world = World::new();
    let agent = Agent::start(&echo());
    agent.hit(&[0, 1, 2], 1);
    world.leave_snapshot(&agent.url(), OTHER_SERVICE);
    agent.kill();
    let output = world.run(&["pull"]).assert_code(0);
    assert!(output.stdout.contains("1 snapshot taken in"), "{}", output.stdout);
    let listed = world.run(&["list", "--format", "json"]).assert_code(0).json();
    let (name, state) = (&listed[0][0]["service"], &listed[0][0]["state"]);
    assert_eq!(
        (name, state, &listed[0][0]["percent"]),
        (&json!(OTHER_SERVICE), &json!("offline"), &json!(40.0))
    );
    let total = world.run(&["total", "develop"]).assert_code(0);
    assert_eq!(total.stdout, "40.0\n");
    world.assert_consistent();
}

#[test]
fn a_named_pull_takes_the_whole_inbox_in() {
    let (world, agents) = World::with_echo(1);
    let other = Agent::start(&echo());
    other.hit(&[0], 1);
    agents[0].hit(&[1], 1);
    world.leave_snapshot(&other.url(), OTHER_SERVICE);
    world.run(&["pull", ECHO]).assert_code(0);
    assert_eq!(other.pulls(), 1, "by the hook alone");
    assert_eq!(
        world.query::<i64>("SELECT count(*) FROM goc_o_staging_service_cover WHERE is_latest = 'y'"),
        2
    );
}

#[test]
fn a_pull_takes_in_the_inbox_without_its_center() {
    let world = World::new();
    let agent = Agent::start(&echo());
    agent.hit(&[0], 1);
    world.leave_snapshot(&agent.url(), ECHO);
    let output = world.run(&["pull", "--center", "http://127.0.0.1:9"]).assert_code(3);
    output.assert_stderr_contains("connection refused");
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 1);
}

#[test]
fn a_snapshot_of_another_build_is_set_aside_and_not_mixed_in() {
    let (world, _agents) = World::with_pulled_echo();
    let rebuilt = Agent::start(&Program::from_profile(
        "example.com/apa/echo/main.go:10.13,13.2 3\nexample.com/apa/echo/handlers/ping.go:8.40,10.2 1\n",
    ));
    rebuilt.hit(&[0], 7);
    world.leave_snapshot(&rebuilt.url(), ECHO);
    let taken = world.pull_inbox(3);
    assert_eq!(results(&taken), ["set_aside"]);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 1);
    assert!(snapshots(&world.inbox()).is_empty(), "its counters wait in the database");
}

#[test]
fn files_that_are_no_snapshots_are_moved_aside_with_their_reason_and_stop_nothing() {
    let (world, agents) = World::with_covered_echo();
    let good = world.leave_snapshot(&agents[0].url(), ECHO);
    let inbox = world.inbox();
    let text = fs::read_to_string(&good).unwrap();
    // Each copy names another host, since a file with the head of a known snapshot is not even read.
    let of_host = |name: &str| text.replacen("\"host_name\":\"", &format!("\"host_name\":\"{name}"), 1);
    fs::write(inbox.join("html.snapshot"), "<html>").unwrap();
    fs::write(inbox.join("odd.snapshot"), text.replace("snapshot 1\n", "snapshot 0\n")).unwrap();
    fs::write(inbox.join("altered.snapshot"), of_host("a").replace(" 0\n", " 9\n")).unwrap();
    fs::write(inbox.join("cut.snapshot"), &of_host("b")[..text.len() - 9]).unwrap();
    fs::write(inbox.join("headless.snapshot"), &text[..40]).unwrap();
    set_old_time(&inbox.join("cut.snapshot"));
    set_old_time(&inbox.join("headless.snapshot"));
    fs::create_dir(inbox.join("folder.snapshot")).unwrap();
    symlink("/etc/passwd", inbox.join("link.snapshot")).unwrap();
    assert!(Command::new("mkfifo").arg(inbox.join("pipe.snapshot")).status().unwrap().success());
    let lying = world.alter(&good, |head| head["profile_sha256"] = json!("00"));
    let nameless = world.alter(&good, |head| head["service"] = json!(""));
    fs::write(inbox.join("notes.txt"), "not ours").unwrap();
    for damaged in [&inbox.join("altered.snapshot"), &lying] {
        set_old_time(damaged);
    }

    let taken = world.pull_inbox(3);
    let reason_for = |file: &str| {
        let found = taken.iter().find(|(_, line)| line["snapshot"].as_str().unwrap().ends_with(file));
        let (result, line) = found.unwrap_or_else(|| panic!("nothing of {file} in {taken:?}"));
        let reason = fs::read_to_string(inbox.join("bad").join(format!("{file}.reason")))
            .unwrap_or_else(|error| panic!("the reason of {line}: {error}"));
        assert_eq!((result.as_str(), line["why"].as_str().unwrap()), ("bad", reason.trim_end()));
        assert!(fs::symlink_metadata(inbox.join("bad").join(file)).is_ok(), "{file} is kept");
        reason
    };
    assert_eq!(reason_for("html.snapshot"), "it is not a snapshot of goc-watchdog\n");
    assert_eq!(
        reason_for("odd.snapshot"),
        "its format has version 0, and this release reads the versions 1 and 2\n"
    );
    assert_eq!(reason_for("altered.snapshot"), "its profile does not match its head\n");
    assert_eq!(reason_for("cut.snapshot"), "it is cut short\n");
    assert_eq!(reason_for("headless.snapshot"), "it is cut short\n");
    assert!(reason_for("folder.snapshot").contains("it is not a regular file"));
    assert!(reason_for("link.snapshot").contains("it is not a regular file"));
    assert!(reason_for("pipe.snapshot").contains("it is not a regular file"));
    assert_eq!(
        reason_for(lying.file_name().unwrap().to_str().unwrap()),
        "its profile does not match its head\n"
    );
    assert_eq!(
        reason_for(nameless.file_name().unwrap().to_str().unwrap()),
        "its head is wrong: it names no service\n"
    );
    assert!(results(&taken).contains(&"merged"), "{taken:?}");
    assert!(inbox.join("notes.txt").exists());
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 1);
    assert_eq!(world.pull_inbox(0), [], "and once is enough");
    world.assert_consistent();
}

#[test]
fn a_snapshot_is_taken_in_whatever_bytes_its_name_has() {
    let (world, agents) = World::with_covered_echo();
    let left = world.leave_snapshot(&agents[0].url(), ECHO);
    let inbox = world.inbox();
    let (good, bad) = (OsStr::from_bytes(b"\xff\xfe.snapshot"), OsStr::from_bytes(b"\xff.snapshot"));
    fs::rename(&left, inbox.join(good)).unwrap();
    fs::write(inbox.join(bad), "<html>").unwrap();
    let taken = world.pull_inbox(3);
    let mut results = results(&taken);
    results.sort_unstable();
    assert_eq!(results, ["bad", "merged"]);
    assert_eq!(fs::read(inbox.join("bad").join(bad)).unwrap(), b"<html>");
    let reason = inbox.join("bad").join(OsStr::from_bytes(b"\xff.snapshot.reason"));
    assert_eq!(fs::read_to_string(reason).unwrap(), "it is not a snapshot of goc-watchdog\n");
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 1);
    assert_eq!((world.pull_inbox(0), snapshots(&inbox)), (Vec::new(), Vec::new()));
}

/// Writes files that are no snapshots.
fn write_junk(world: &World, number: usize) {
    for index in 0..number {
        fs::write(world.inbox().join(format!("junk-{index:03}.snapshot")), "junk").unwrap();
    }
}

#[test]
fn junk_in_the_inbox_is_named_in_part_and_services_are_pulled() {
    let (world, agents) = World::with_covered_echo();
    write_junk(&world, 300);
    // Some files lie in another inbox and are refused only after all of their text was read.
    let other = world.home().join("other");
    fs::create_dir_all(&other).unwrap();
    world.configure(&format!("inbox = [{:?}]\n", other.display()));
    let text = fs::read_to_string(world.leave_snapshot(&agents[0].url(), ECHO)).unwrap();
    for index in 0..200 {
        let damaged = text.replacen("\"host_name\":\"", &format!("\"host_name\":\"{index}"), 1);
        let path = other.join(format!("junk-{index}.snapshot"));
        fs::write(&path, damaged.replace(" 0\n", " 9\n")).unwrap();
        set_old_time(&path);
    }
    let output = world.run(&["pull"]).assert_code(3).assert_stderr_contains("and 490 more");
    let named = output.stderr.lines().filter(|line| line.contains("junk-")).count();
    assert_eq!(named, 10, "{}", output.stderr);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 1);
    for inbox in [&world.inbox(), &other] {
        assert_eq!(snapshots(inbox), Vec::<PathBuf>::new());
        let kept = snapshots(&inbox.join("bad"));
        assert_eq!(kept.len(), 100);
        let has_reason = |path: &PathBuf| PathBuf::from(format!("{}.reason", path.display())).exists();
        assert!(kept.iter().all(has_reason));
        assert_eq!(fs::read_dir(inbox.join("bad")).unwrap().count(), 200);
    }
    world.pull(0);
}

#[test]
fn a_deadline_ends_the_reading_of_the_inbox_and_the_rest_waits() {
    let (world, _agents) = World::with_pulled_echo();
    write_junk(&world, 3);
    let output = world.run(&["pull", "--deadline", "0s"]).assert_code(3);
    output.assert_stderr_contains("3 files of the inbox left for the next run");
    assert_eq!(snapshots(&world.inbox()).len(), 3);
    world.pull(3);
    assert_eq!(snapshots(&world.inbox()).len(), 0);
}

#[test]
fn a_file_that_is_still_being_written_waits() {
    let (world, agents) = World::with_covered_echo();
    let path = world.leave_snapshot(&agents[0].url(), ECHO);
    let text = fs::read(&path).unwrap();
    agents[0].kill();
    for length in [0, 10, 60, text.len() / 2, text.len() - 1] {
        fs::write(&path, &text[..length]).unwrap();
        let taken = world.run(&["pull", "--format", "json", "--no-peek"]);
        taken
            .assert_stderr_contains("it is cut short; it may still be written, and the next run tries again");
        assert_eq!(snapshots(&world.inbox()), std::slice::from_ref(&path));
    }
    // A leftover of a hook that was ended is removed after some time, and no file of others.
    let leftover = path.with_extension("snapshot.0123456789abcdef.tmp");
    let foreign = world.inbox().join("other.tmp");
    for old in [&leftover, &foreign] {
        fs::write(old, "x").unwrap();
        set_old_time(old);
    }
    fs::write(&path, &text).unwrap();
    world.run(&["pull", "--no-peek"]);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 1);
    assert!(!leftover.exists() && foreign.exists());
}

#[test]
fn a_snapshot_is_taken_in_before_the_pull_of_the_process_that_follows() {
    let (world, agents) = World::with_echo(1);
    agents[0].hit(&[0], 2);
    world.pull(0);
    agents[0].hit(&[0, 1], 3);
    world.leave_snapshot(&agents[0].url(), ECHO);
    // A process restarts at the same address. Its counter is above the pulled one and below that of the snapshot.
    agents[0].restart();
    agents[0].hit(&[0], 4);
    world.pull(0);
    let mut counts = world.echo_counts();
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 0, 0, 3, 9]);
    world.assert_consistent();
}

#[test]
fn a_late_snapshot_does_not_change_data_of_later_pulls() {
    let (world, agents) = World::with_echo(1);
    world.configure("[pull]\nchange = \"counts\"\n");
    agents[0].hit(&[0], 2);
    let path = world.leave_snapshot(&agents[0].url(), ECHO);
    let early = world.alter(&path, |head| {
        head["captured_at"] = json!("2026-01-01T00:00:00Z");
        head["process"] = json!({"id": 7, "started_at": "2025-12-31T00:00:00Z"});
    });
    let text = fs::read(&early).unwrap();
    fs::remove_file(&early).unwrap();
    fs::remove_file(&path).unwrap();
    agents[0].hit(&[0], 3);
    world.pull(0);
    let rows = world.row_count();
    fs::write(&early, &text).unwrap();
    // The snapshot is older and not larger than anything stored, so it may be of the same process.
    assert_eq!(results(&world.pull_inbox(0)), ["known"]);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 5);
    assert_eq!(world.row_count(), rows);
    agents[0].hit(&[0], 1);
    world.pull(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 6);
}

#[test]
fn inboxes_of_the_configuration_are_taken_in_too() {
    let world = World::new();
    let agent = Agent::start(&echo());
    agent.hit(&[0], 1);
    let shared = world.home().join("shared");
    fs::create_dir(&shared).unwrap();
    world.configure(&format!("inbox = [{:?}, \"beside\"]\n", shared.to_str().unwrap()));
    let left = world.leave_snapshot(&agent.url(), ECHO);
    fs::rename(&left, shared.join(left.file_name().unwrap())).unwrap();
    let other = world.leave_snapshot(&agent.url(), OTHER_SERVICE);
    let beside = world.root().join("beside");
    fs::create_dir(&beside).unwrap();
    fs::rename(&other, beside.join("x.snapshot")).unwrap();
    world.run(&["pull"]).assert_code(0);
    assert_eq!(world.row_count(), 2);
    assert!(snapshots(&shared).is_empty() && snapshots(&beside).is_empty());
    fs::remove_dir(&shared).unwrap();
    world
        .run(&["pull"])
        .assert_code(3)
        .assert_stderr_contains(&format!("inbox \"{}\" does not exist", shared.display()));
}

#[test]
fn a_hook_that_fails_names_the_reason_and_stops_no_pod_unless_it_is_strict() {
    let world = World::new();
    let agent = Agent::start(&echo());
    let (inbox, url) = (world.inbox(), agent.url());
    let inbox = inbox.to_str().unwrap();
    let hook = |options: &[&str], code: i32| {
        let deadline = if options.contains(&"--deadline") { &[] } else { LONG_DEADLINE };
        let all = [&["pull", "--to-inbox", inbox], options, deadline].concat();
        let lenient = world.run(&all).assert_code(0);
        world.run(&[&all[..], &["--strict"]].concat()).assert_code(code);
        lenient
    };
    let nothing = "the last data of the process was not saved: ";
    hook(&["--address", &url], 1)
        .assert_stderr_contains(nothing)
        .assert_stderr_contains("GOC_SERVICE_NAME is neither in this environment nor in that of process");
    hook(&["--address", "http://127.0.0.1:9"], 1)
        .assert_stderr_contains("nothing listens at port 9: name the service with --service");
    hook(&["--address", "nowhere", "--service", ECHO], 1)
        .assert_stderr_contains("is not an address: the scheme is missing");
    hook(&["--address", "http://127.0.0.1:9", "--service", ECHO], 1)
        .assert_stderr_contains("connection refused");
    agent.behave(Behaviour::Body(b"<html>".to_vec()));
    hook(&["--address", &url, "--service", ECHO], 1)
        .assert_stderr_contains("profile from \"http://127.0.0.1:");
    agent.behave(Behaviour::CutBefore(5));
    hook(&["--address", &url, "--service", ECHO], 1).assert_stderr_contains("cut short");
    agent.behave(Behaviour::Hang);
    let hung = hook(&["--address", &url, "--service", ECHO, "--deadline", "200ms"], 1)
        .assert_stderr_contains(nothing);
    // Either limit may end the request first: the one of the request began later if this machine is busy.
    assert!(hung.stderr.contains("200ms") || hung.stderr.contains("timed out"), "{}", hung.stderr);
    agent.behave(Behaviour::Normal);

    let missing = world.home().join("missing");
    let into = |folder: &Path| world.run_hook(folder, &agent.url(), ECHO, &[]);
    into(&missing)
        .assert_code(0)
        .assert_stderr_contains("cannot write into")
        .assert_stderr_contains("No such file or directory");
    assert!(!missing.exists(), "a volume that is not mounted is not made up for");
    into(Path::new("/proc"))
        .assert_code(0)
        .assert_stderr_contains("cannot write ")
        .assert_stderr_contains("\"/proc");
    into(Path::new("/dev/full")).assert_code(0).assert_stderr_contains("Not a directory");
    assert!(snapshots(Path::new(inbox)).is_empty());
    for options in [["--force", "-q"], ["--raw", "-q"], ["name", "-q"]] {
        world.run(&[&["pull", "--to-inbox", inbox][..], &options].concat()).assert_code(2);
    }
    world.run(&["pull", "--service", ECHO]).assert_code(2).assert_stderr_contains("--to-inbox");
    assert!(!world.root().join("sqlite.db").exists() && !world.root().join("goc-watchdog.lock").exists());
}

#[test]
fn the_hook_finds_the_port_beside_the_program_and_the_name_in_its_environment() {
    let world = World::new();
    let agent = Agent::start(&echo());
    let (_, port) = agent.url().rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let here = world.home().join("service");
    fs::create_dir(&here).unwrap();
    fs::write(here.join("echo_profile_listen_addr"), format!("10.2.3.4:{port}")).unwrap();
    let hook = |environment: &[(&str, &str)]| {
        let inbox = world.inbox();
        let mut command = Command::new(env!("CARGO_BIN_EXE_goc-watchdog"));
        // The hook must need no variable, such as HOME or PATH.
        command.env_clear().envs(environment.iter().copied()).current_dir(&here).stdin(Stdio::null());
        output_of(command.args(["pull", "--strict", "--to-inbox"]).arg(inbox).args(LONG_DEADLINE))
    };
    fs::write(here.join("empty_profile_listen_addr"), "").unwrap();
    let left = hook(&[("GOC_SERVICE_NAME", ECHO)]).assert_code(0);
    assert!(left.stdout.starts_with(ECHO), "{}", left.stdout);
    // An address at which nobody listens any more does not count.
    fs::write(here.join("old_profile_listen_addr"), "10.2.3.4:9").unwrap();
    hook(&[("GOC_SERVICE_NAME", ECHO)]).assert_code(0);
    fs::rename(here.join("echo_profile_listen_addr"), here.join("kept")).unwrap();
    fs::remove_file(here.join("old_profile_listen_addr")).unwrap();
    hook(&[("GOC_SERVICE_NAME", ECHO)])
        .assert_code(1)
        .assert_stderr_contains("\"empty_profile_listen_addr\" has no port");
    fs::rename(here.join("kept"), here.join("echo_profile_listen_addr")).unwrap();
    let second = Agent::start(&echo());
    fs::write(here.join("worker_profile_listen_addr"), second.url()).unwrap();
    hook(&[("GOC_SERVICE_NAME", ECHO)])
        .assert_code(1)
        .assert_stderr_contains("several processes wrote an address; choose one with --address")
        .assert_stderr_contains("worker_profile_listen_addr: port");
}

#[test]
fn links_and_pipes_in_the_way_are_replaced_and_never_written_through() {
    let (world, agents) = World::with_pulled_echo();
    let inbox = world.inbox();
    let database = fs::metadata(world.root().join("sqlite.db")).unwrap().len();
    // A link to the database lies at the path of the reason.
    fs::create_dir(inbox.join("bad")).unwrap();
    symlink("../../sqlite.db", inbox.join("bad/x.snapshot.reason")).unwrap();
    fs::write(inbox.join("x.snapshot"), "<html>").unwrap();
    assert_eq!(results(&world.pull_inbox(3)), ["bad"]);
    assert!(fs::metadata(world.root().join("sqlite.db")).unwrap().len() >= database);
    world.assert_consistent();
    // The folder "bad" is a link to elsewhere: nothing is moved there, and the run says so.
    fs::remove_dir_all(inbox.join("bad")).unwrap();
    let elsewhere = world.home().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, inbox.join("bad")).unwrap();
    fs::write(inbox.join("y.snapshot"), "<html>").unwrap();
    assert_eq!(results(&world.pull_inbox(3)), ["stuck"]);
    assert!(fs::read_dir(&elsewhere).unwrap().next().is_none());
    fs::remove_file(inbox.join("bad")).unwrap();
    assert_eq!(results(&world.pull_inbox(3)), ["bad"]);

    // A link, then a pipe, lies at the path of the new snapshot.
    let left = world.leave_snapshot(&agents[0].url(), ECHO);
    let victim = world.home().join("victim");
    fs::write(&victim, "mine").unwrap();
    for in_the_way in [&["ln", "-sf"][..], &["mkfifo"]] {
        fs::remove_file(&left).unwrap();
        let mut command = Command::new(in_the_way[0]);
        command.args(&in_the_way[1..]);
        if in_the_way[0] == "ln" {
            command.arg(&victim);
        }
        assert!(command.arg(&left).status().unwrap().success());
        world.run_hook(&inbox, &agents[0].url(), ECHO, &["--strict"]).assert_code(0);
        assert!(fs::symlink_metadata(&left).unwrap().is_file());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    }
}

#[test]
fn a_late_snapshot_closes_no_younger_life() {
    // The second replica serves the server's files beside the worker's, so that both are one build.
    let (world, agents) = World::with_echo(2);
    world.configure("[pull]\nchange = \"counts\"\n");
    agents[0].hit(&[0], 5);
    let server = world.leave_snapshot(&agents[0].url(), ECHO);
    let late = fs::read(&server).unwrap();
    fs::remove_file(&server).unwrap();
    // A worker of the same module follows at the address and shares a file with the server.
    agents[0].run(&Program::from_profile(
        "example.com/apa/echo/handlers/ping.go:8.40,10.2 1\nexample.com/apa/echo/work/work.go:1.1,2.2 3\n",
    ));
    agents[0].hit(&[0], 7);
    world.pull(0);
    fs::write(&server, late).unwrap();
    for _ in 0..3 {
        world.pull(0);
        let counts = profile_of(&world.latest_text("apa_goc_echoserver")).counts;
        assert_eq!(counts.iter().sum::<u64>(), 12);
    }
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation WHERE closed_at < opened_at"), 0);
}

#[test]
fn a_file_with_an_impossible_time_ends_no_run() {
    // The case exists only where the file system can store such a time.
    let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return };
    let world = World::new();
    let agent = Agent::start(&echo());
    agent.hit(&[0], 1);
    world.configure(&format!("inbox = [{:?}]\n", folder.path().to_str().unwrap()));
    world.leave_snapshot(&agent.url(), ECHO);
    for name in ["a.snapshot.0.tmp", "b.snapshot"] {
        let path = folder.path().join(name);
        fs::write(&path, "goc-watchdog snapshot 1\n").unwrap();
        assert!(
            Command::new("touch").args(["-d", "@9000000000000000"]).arg(&path).status().unwrap().success()
        );
    }
    world.run(&["pull"]).assert_code(3).assert_stderr_contains("it is cut short");
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 1);
}

#[test]
fn a_snapshot_makes_its_service_due_and_its_data_no_younger() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[0], 1);
    agents[1].hit(&[0], 1);
    world.pull(0);
    let pulls = agents[1].pulls();
    agents[0].hit(&[1], 1);
    world.leave_snapshot(&agents[0].url(), ECHO);
    // The other replicas are asked, as after a peek that found moved coverage.
    world.run(&["pull", "--no-peek"]).assert_code(0);
    assert_eq!(agents[1].pulls(), pulls + 1);

    // A pull of another service by its name asks no replica of this one, and old data stays old.
    let other = world.start(OTHER_SERVICE, &echo());
    other.hit(&[0], 1);
    world.pull(0);
    agents[0].hit(&[2], 1);
    world.leave_snapshot(&agents[0].url(), ECHO);
    world.execute(
        "UPDATE schedule SET last_pull_at = '2026-01-01T00:00:00.000Z', next_due_at = '2026-01-01T04:00:00.000Z'",
    );
    world.run(&["pull", OTHER_SERVICE]).assert_code(0);
    assert_eq!(world.echo_counts().iter().filter(|count| **count > 0).count(), 3);
    world.run(&["total", ECHO, "--max-age", "1h"]).assert_code(5).assert_stderr_contains("longer than 1h");
}

#[test]
fn refused_snapshots_leave_no_trace_and_too_large_ones_are_moved_aside_once() {
    let (world, agents) = World::with_covered_echo();
    let good = world.leave_snapshot(&agents[0].url(), ECHO);
    let forged = world.alter(&good, |head| {
        head["service"] = json!(OTHER_SERVICE);
        head["profile_sha256"] = json!("00");
    });
    set_old_time(&forged);
    assert_eq!(results(&world.pull_inbox(3)).len(), 2);
    assert!(!world.run(&["list", "--all"]).stdout.contains("develop"), "a name that nothing vouches for");

    // A snapshot above the limit is moved aside, not tried again in each run, and not lost.
    agents[0].hit(&[1], 1);
    let large = world.leave_snapshot(&agents[0].url(), ECHO);
    world.center.remove_all();
    agents[0].kill();
    let output = world.run(&["pull", "--no-peek", "--max-body", "100"]).assert_code(3);
    output.assert_stderr_contains("larger than --max-body");
    assert!(!large.exists());
    let again = world.run(&["pull", "--no-peek", "--max-body", "100"]);
    assert!(!again.stderr.contains("--max-body"), "{}", again.stderr);
    let aside = world.inbox().join("bad").join(large.file_name().unwrap());
    fs::rename(aside, &large).unwrap();
    let merged = world.run(&["pull", "--no-peek", "--format", "json"]).json();
    assert!(merged.iter().any(|line| line["result"] == "merged"), "{merged:?}");
}

#[test]
fn a_snapshot_of_an_owner_who_is_not_trusted_stays_and_is_named_once() {
    let (world, agents) = World::with_covered_echo();
    let path = world.leave_snapshot(&agents[0].url(), ECHO);
    let file = fs::metadata(&path).unwrap();
    let (uid, gid) = (file.uid(), file.gid());
    world.configure(&format!("inbox_owners = [{}, \"gid:{}\", \"nobody-of-this-name\"]", uid + 1, gid + 1));
    let output = world.run(&["pull", "--force"]).assert_code(3);
    let reason = format!("its owner (user {uid}, group {gid}) is not in inbox_owners");
    assert_eq!(output.stderr.matches(&reason).count(), 1, "{}", output.stderr);
    assert!(path.exists());
    world.configure(&format!("inbox_owners = [\"gid:{gid}\"]"));
    world.pull(0);
    assert!(!path.exists());
}

#[test]
fn two_roots_that_race_for_one_inbox_take_each_file_and_neither_fails() {
    let (world, agents) = World::with_covered_echo();
    let first = world.home().join("first");
    fs::rename(world.leave_snapshot(&agents[0].url(), ECHO), &first).unwrap();
    world.center.remove_all();
    let own = format!("inbox = [{:?}]\n", world.inbox());
    let other = world.home().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("goc-watchdog.toml"), own).unwrap();
    let pull = |root: &Path| {
        let mut command = world.command(&["pull", "--no-peek", "--format", "json"]);
        command.env("GOC_WATCHDOG_ROOT", root).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    for round in 0..3 {
        let service = |index: u32| format!("staging_th_app{index}_master_{round:010x}");
        for index in 0..40 {
            world.alter(&first, |head| head["service"] = json!(service(index)));
            // Both roots also want to move these files aside.
            fs::write(world.inbox().join(format!("bad-{round}-{index}.snapshot")), "no snapshot").unwrap();
        }
        let pulls = [world.root(), other.clone()].map(|root| pull(&root));
        let mut merged = BTreeSet::new();
        let mut bad = 0;
        for child in pulls {
            let output = child.wait_with_output().unwrap();
            let (stdout, stderr) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            for line in stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
                match line["result"].as_str() {
                    Some("merged") => drop(merged.insert(line["service"].as_str().unwrap().to_owned())),
                    Some("bad") => bad += 1,
                    _ => {}
                }
            }
            assert!(!stderr.contains("No such file"), "{stderr}");
        }
        let wanted: BTreeSet<String> = (0..40).map(service).collect();
        assert_eq!((&merged, bad), (&wanted, 40), "each is taken by a root, and set aside by one");
        assert_eq!(snapshots(&world.inbox()), Vec::<PathBuf>::new());
        let aside = fs::read_dir(world.inbox().join("bad")).unwrap();
        let names: Vec<String> =
            aside.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let (reasons, files): (Vec<&String>, Vec<&String>) =
            names.iter().partition(|name| name.ends_with(".reason"));
        let reasons: BTreeSet<&str> = reasons.iter().map(|name| name.trim_end_matches(".reason")).collect();
        let files: BTreeSet<&str> = files.iter().map(|name| name.as_str()).collect();
        assert_eq!(reasons, files, "a reason is beside each file, and nowhere else");
    }
}

#[test]
fn a_folder_that_no_snapshot_can_be_left_in_is_named_before_the_process_is_asked() {
    let world = World::new();
    let agent = Agent::start(&echo());
    agent.behave(Behaviour::Hang);
    let folder = world.home().join("missing");
    let output = world.run_hook(&folder, &agent.url(), ECHO, &[]).assert_code(0);
    output.assert_stderr_contains(&format!(
        "the last data of the process was not saved: cannot write into {folder:?}: No such file or directory (os error 2); \
         let --to-inbox be a folder that exists and that this user can write\n"
    ));
}

#[test]
fn options_that_the_hook_would_ignore_are_refused() {
    let world = World::new();
    for options in [
        &["--ping", "http://127.0.0.1:9/x"][..],
        &["--wait"],
        &["--format", "json"],
        &["--no-peek"],
        &["--change", "counts"],
        &["--jitter", "1s"],
    ] {
        world.run(&[&["pull", "--to-inbox", "."][..], options].concat()).assert_code(2);
    }
    for options in
        [&["--force", "--service", "x"][..], &["--force", "--strict"], &["--raw", "--service", "x"]]
    {
        world.run(&[&["pull"][..], options].concat()).assert_code(2);
    }
    let long = "x".repeat(5000);
    let agent = Agent::start(&echo());
    world
        .run(
            &[
                &["pull", "--to-inbox", ".", "--strict", "--address", &agent.url(), "--service", &long],
                LONG_DEADLINE,
            ]
            .concat(),
        )
        .assert_code(1)
        .assert_stderr_contains("longer than");
}

#[test]
fn a_snapshot_that_waited_while_the_clock_went_back_is_counted_once() {
    let (world, agents) = World::with_echo(1);
    world.configure("[pull]\nchange = \"counts\"\n");
    agents[0].hit(&[0, 1], 5);
    world.pull(0);
    agents[0].hit(&[0, 1], 2);
    let left = world.leave_snapshot(&agents[0].url(), ECHO);
    world.center.remove(&agents[0].url());
    agents[0].kill();
    // The stored times, and the one of the snapshot, lie in the future.
    let of_later = world.alter(&left, |head| {
        head["captured_at"] = json!("2099-01-02T00:00:00Z");
        head["process"] = json!({"id": 7, "started_at": "2098-12-31T00:00:00Z"});
    });
    fs::remove_file(&left).unwrap();
    world.execute(
        "UPDATE generation SET opened_at = '2099-01-01T00:00:00.000Z', pulled_at = '2099-01-01T00:00:00.000Z'",
    );
    assert_eq!(results(&world.pull_inbox(3)), ["merged"]);
    assert!(!of_later.exists());
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 14);
    world.assert_consistent();
}

#[test]
fn a_snapshot_that_comes_after_its_process_was_folded_is_counted_once() {
    let (world, agents) = World::with_echo(1);
    world.configure("[pull]\nchange = \"counts\"\n");
    agents[0].hit(&[0, 1], 5);
    let left = world.leave_snapshot(&agents[0].url(), ECHO);
    let text = fs::read(&left).unwrap();
    fs::remove_file(&left).unwrap();
    world.pull(0);
    agents[0].restart();
    agents[0].hit(&[2], 1);
    world.pull(0);
    world.let_days_pass(8);
    let closed_at = world.query::<String>("SELECT closed_at FROM generation WHERE closed_at IS NOT NULL");
    world.pull(0);

    // This setting would not have folded the process yet.
    world.configure("[pull]\nchange = \"counts\"\nfold_after = \"30d\"\n");
    fs::write(&left, text).unwrap();
    world.alter(&left, |head| {
        head["captured_at"] = json!(closed_at);
        head["process"] = json!({"id": 7, "started_at": "2026-01-01T00:00:00Z"});
    });
    fs::remove_file(&left).unwrap();
    assert_eq!(results(&world.pull_inbox(0)), ["known"]);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 11);
    let of_sum = "SELECT pulled_at FROM generation WHERE address IS NULL";
    assert_eq!(world.query::<String>(of_sum), closed_at, "the sum tells when its last process ended");
    // A process that counted less than the sum must be younger than all processes in the sum.
    let other = Agent::start(&echo());
    other.hit(&[0, 1], 3);
    world.leave_snapshot(&other.url(), ECHO);
    other.kill();
    assert_eq!(results(&world.pull_inbox(0)), ["merged"]);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 17);
    world.assert_consistent();
}

#[test]
fn a_process_that_is_listed_after_its_snapshot_was_taken_in_is_counted_once() {
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let agent = Agent::start(&echo());
    agent.hit(&[0, 1], 3);
    let left = world.leave_snapshot(&agent.url(), ECHO);
    // The snapshot is weeks old and no center lists its address, so its process counts as ended.
    world.alter(&left, |head| {
        head["addresses"] = json!(["127.0.0.1"]);
        head["captured_at"] = json!("2026-01-02T00:00:00Z");
        head["process"] = json!({"id": 7, "started_at": "2026-01-01T00:00:00Z"});
    });
    fs::remove_file(&left).unwrap();
    assert_eq!(results(&world.pull_inbox(0)), ["merged"]);
    agent.hit(&[0, 1], 2);
    world.center.register(ECHO, &agent);
    world.pull(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 10);
    agent.hit(&[2], 1);
    world.pull(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 11);
    world.assert_consistent();
}

#[test]
fn a_pull_after_the_clock_went_back_replaces_the_counters_of_a_snapshot() {
    let (world, agents) = World::with_echo(1);
    world.configure("[pull]\nchange = \"counts\"\n");
    agents[0].hit(&[0, 1], 5);
    world.pull(0);
    // The clock was ahead when the first process was pulled.
    world.execute(
        "UPDATE generation SET opened_at = '2099-01-01T00:00:00.000Z', pulled_at = '2099-01-01T00:00:00.000Z'",
    );
    agents[0].restart();
    agents[0].hit(&[0, 2], 7);
    world.leave_snapshot(&agents[0].url(), ECHO);
    world.pull(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 24);
    agents[0].hit(&[0], 1);
    world.pull(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 25);
    world.assert_consistent();
}

#[test]
fn a_snapshot_that_may_be_of_either_process_after_the_clock_went_back_is_not_counted_twice() {
    let (world, agents) = World::with_echo(1);
    world.configure("[pull]\nchange = \"counts\"\n");
    agents[0].hit(&[3], 5);
    let first = world.leave_snapshot(&agents[0].url(), ECHO);
    let waits = fs::read(&first).unwrap();
    fs::remove_file(&first).unwrap();
    agents[0].restart();
    agents[0].hit(&[2], 1);
    world.pull(0);
    // The clock was ahead when the second process was pulled.
    world.execute(
        "UPDATE generation SET opened_at = '2099-01-01T00:00:00.000Z', pulled_at = '2099-01-01T00:00:00.000Z'",
    );
    fs::write(&first, waits).unwrap();
    world.pull(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 6);
    // The last data of the second process goes on with what is stored of the first one, too. Two of the five hits of
    // block 3 may be those that it shows now, so they are counted once.
    agents[0].hit(&[3], 2);
    agents[0].hit(&[2], 1);
    world.leave_snapshot(&agents[0].url(), ECHO);
    world.pull(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 7);
    agents[0].hit(&[2], 4);
    world.pull(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 11);
    // Nothing can be told apart in a sum, so the mixture waits for the life that it may be of.
    world.configure("[pull]\nchange = \"counts\"\nfold_after = \"0s\"\n");
    let mixtures = || world.query::<i64>("SELECT count(*) FROM generation WHERE is_mixture");
    world.run(&["pull", "--force"]);
    world.run(&["pull", "--force"]);
    assert_eq!(mixtures(), 1);
    agents[0].restart();
    world.run(&["pull", "--force"]);
    world.run(&["pull", "--force"]);
    assert_eq!(mixtures(), 0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 11);
    world.assert_consistent();
}

#[test]
fn a_clock_that_went_back_is_remembered_after_its_times_have_passed() {
    let (world, agents) = World::with_echo(1);
    world.configure("[pull]\nchange = \"counts\"\n");
    agents[0].hit(&[0, 1], 5);
    world.pull(0);
    agents[0].hit(&[0, 1], 2);
    let left = world.leave_snapshot(&agents[0].url(), ECHO);
    let text = fs::read(&left).unwrap();
    fs::remove_file(&left).unwrap();
    world.center.remove(&agents[0].url());
    agents[0].kill();
    // The clock was two hours ahead when the process was pulled, and is right in the next run.
    let hours_pass = |hours: &str| {
        let moved =
            |column: &str| format!("{column} = strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '{hours} hours')");
        world.execute(&format!(
            "UPDATE generation SET {}, {}; UPDATE run SET {}, {}",
            moved("opened_at"),
            moved("pulled_at"),
            moved("started_at"),
            moved("ended_at")
        ));
    };
    hours_pass("+2");
    world.run(&["pull"]);
    hours_pass("-3");
    fs::write(&left, text).unwrap();
    world.alter(&left, |head| {
        let left_at: chrono::DateTime<chrono::Utc> = head["captured_at"].as_str().unwrap().parse().unwrap();
        let before = |hours: i64| json!(left_at - chrono::TimeDelta::hours(hours));
        head["captured_at"] = before(3);
        head["process"] = json!({"id": 7, "started_at": before(4)});
    });
    fs::remove_file(&left).unwrap();
    let taken = world.run(&["pull", "--no-peek"]);
    assert!(taken.stdout.contains("1 snapshot taken in"), "{}", taken.stdout);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 14);
    world.assert_consistent();
}
