//! Databases that are not ours, not whole, or not writable: each is named clearly, and none is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;

use crate::harness::users::NOBODY;
use crate::harness::{Output, World, output_of};
use crate::sim::Behaviour;

/// Runs every command on a root with this database. Each must fail with the message and leave the file as it is.
#[track_caller]
fn assert_refused(make: impl Fn(&std::path::Path), message: &str) {
    let (world, _agents) = World::with_echo(1);
    fs::create_dir_all(world.root()).unwrap();
    let path = world.root().join("sqlite.db");
    make(&path);
    let before = fs::read(&path).unwrap();
    for arguments in [&["pull"][..], &["list", "--offline"], &["total", "echo"], &["history", "echo"]] {
        let output = world.run(arguments).assert_code(1);
        assert!(
            output.stderr.contains("sqlite.db") && output.stderr.contains(message),
            "{arguments:?}: {}",
            output.stderr
        );
        assert!(fs::read(&path).unwrap() == before, "{arguments:?} changed the file");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    assert_refused(
        |path| fs::write(path, "these are my notes, ".repeat(100)).unwrap(),
        "this is not an SQLite database",
    );
}

#[test]
fn a_database_of_another_program_is_refused() {
    let make = |path: &std::path::Path| {
        let other = Connection::open(path).unwrap();
        other.execute_batch("CREATE TABLE photos (id INTEGER); INSERT INTO photos VALUES (1)").unwrap();
    };
    assert_refused(make, "");
}

#[test]
fn a_database_of_a_later_release_is_refused() {
    let (world, _agents) = World::with_pulled_echo();
    world.execute("PRAGMA user_version = 99");
    for arguments in [&["pull"][..], &["list"], &["total", "echo"]] {
        world
            .run(arguments)
            .assert_code(1)
            .assert_stderr_contains("was written by a later release (schema 99, this one knows");
    }
    assert_eq!(world.query::<i64>("PRAGMA user_version"), 99);
}

#[test]
fn a_damaged_database_is_named_and_left_alone() {
    let (world, _agents) = World::with_echo(1);
    world.pull(0);
    world.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    let path = world.root().join("sqlite.db");
    let mut bytes = fs::read(&path).unwrap();
    // Only the first page, which marks the file as ours, is left whole.
    for byte in &mut bytes[4096..] {
        *byte ^= 0xa5;
    }
    fs::write(&path, &bytes).unwrap();
    for arguments in [&["pull"][..], &["list", "--offline"]] {
        let output = world.run(arguments).assert_code(1);
        assert!(
            output.stderr.contains("sqlite.db") && output.stderr.contains("damaged"),
            "{}",
            output.stderr
        );
    }
    assert!(fs::read(&path).unwrap() == bytes);
}

#[test]
fn a_locked_database_is_said_to_be_locked() {
    let (world, _agents) = World::with_echo(1);
    world.pull(0);
    let other = world.database();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    world
        .run(&["pull", "--force"])
        .assert_code(4)
        .assert_stderr_contains("sqlite.db\": another program keeps it locked; waiting up to 10s")
        .assert_stderr_contains("another program kept it locked for 10 seconds");
    drop(other);
    world.pull(0);
}

/// Runs as a user who may not write, where this one may write everything.
fn run_without_write_access(world: &World, arguments: &[&str]) -> Option<Output> {
    if !rustix::process::geteuid().is_root() {
        return Some(world.run(arguments));
    }
    world.run_as(NOBODY, NOBODY, "022", arguments)
}

/// Script in Python that queries the public table of a database, opened by this name.
const QUERY_SCRIPT: &str = r#"
import sqlite3, sys
table = sqlite3.connect("file:" + sys.argv[1], uri=True)
print(table.execute("select app_name, is_latest, cover_total from goc_o_staging_service_cover").fetchall())
"#;

#[test]
fn a_user_who_may_only_read_the_root_can_query_the_public_table() {
    let (world, agents) = World::with_pulled_echo();
    let path = world.root().join("sqlite.db");
    // All users may read, and nobody but the owner may write.
    for file in world.files("") {
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(world.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let ask = |name: &str| {
        let mut command = world.as_user(NOBODY, NOBODY, "022", &["python3", "-c", QUERY_SCRIPT, name])?;
        Some(output_of(&mut command).assert_code(0).stdout)
    };
    let path = path.display();
    let Some(answer) = ask(&format!("{path}?mode=ro")) else { return };
    assert_eq!(answer, "[('apa_goc_echoserver', 'y', 20.0)]\n");
    assert_eq!(ask(&path.to_string()).unwrap(), answer, "opened as any program does");

    // The query also works while a pull has the database open.
    agents[0].hit(&[1], 1);
    agents[0].behave_once(Behaviour::Hold);
    let pull = world.spawn(&["pull", "--force"]);
    agents[0].wait_for_pulls(2);
    assert_eq!(ask(&format!("{path}?mode=ro")).unwrap(), answer);
    agents[0].release();
    assert!(pull.wait_with_output().unwrap().status.success());

    let copy = world.home().join("copy.db");
    fs::copy(world.root().join("sqlite.db"), &copy).unwrap();
    let rows: i64 = Connection::open(copy)
        .unwrap()
        .query_row("SELECT count(*) FROM goc_o_staging_service_cover", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 2, "a copy of the one file is whole when nothing runs");
}

#[test]
fn a_report_waits_for_a_sweep_that_does_not_end_and_says_so() {
    let (world, _agents) = World::with_pulled_echo();
    let readers = fs::File::open(world.root().join("goc-watchdog.readers")).unwrap();
    readers.lock().unwrap();
    world
        .run(&["report", "echoserver"])
        .assert_code(4)
        .assert_stderr_contains("goc-watchdog.readers: prune is removing files; waiting up to 10s")
        .assert_stderr_contains("goc-watchdog.readers: another run holds the lock, even after waiting 10s");
    readers.unlock().unwrap();
    world
        .run(&["report", "echoserver", "--format", "lcov"])
        .assert_code(3)
        .assert_stderr_contains("needs the source");
}

#[test]
fn files_that_an_earlier_release_left_open_to_others_are_named_once_and_not_changed() {
    let (world, _agents) = World::with_pulled_echo();
    fs::set_permissions(world.root(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(world.pull(0).stderr, "", "all that this release creates is closed");
    let mode = |name: &str, mode| {
        fs::set_permissions(world.root().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("sqlite.db", 0o644);
    mode("apa_goc_echoserver", 0o755);
    mode("apa_goc_echoserver/cov_data", 0o755);
    // A run that fails before it names them leaves that to the next one.
    let [readers, aside, scratch] =
        ["goc-watchdog.readers", "aside", "goc-watchdog.tmp/left"].map(|name| world.root().join(name));
    fs::create_dir_all(&scratch).unwrap();
    fs::rename(&readers, &aside).unwrap();
    fs::create_dir(&readers).unwrap();
    world.run(&["pull"]).assert_code(1).assert_stderr_contains("goc-watchdog.readers");
    fs::remove_dir(&readers).unwrap();
    fs::rename(&aside, &readers).unwrap();
    let told = world.pull(0);
    let root = world.root().canonicalize().unwrap();
    let root = root.display();
    let warning = format!(
        "goc-watchdog: warning: other users of this machine can read sqlite.db, apa_goc_echoserver/cov_data in {root}; \
         to close them (this message comes once): cd {root} && "
    );
    let command = told.stderr.trim_end().strip_prefix(&warning).unwrap_or_else(|| panic!("{}", told.stderr));
    assert_eq!(world.pull(0).stderr, "");
    let found = fs::metadata(world.root().join("sqlite.db")).unwrap().permissions().mode();
    assert_eq!(found & 0o777, 0o644, "modes of what is there are not changed");
    // The command in the message repairs the permissions.
    let mut shell = std::process::Command::new("sh");
    world.set_environment(&mut shell);
    output_of(shell.args(["-c", command]).current_dir(world.root())).assert_code(0);
    let found = fs::metadata(world.root().join("sqlite.db")).unwrap().permissions().mode();
    assert_eq!(found & 0o777, 0o640);
}

#[test]
fn a_root_that_may_only_be_read_is_read_and_never_written() {
    let (world, _agents) = World::with_pulled_echo();
    let read_only = |mode| {
        for path in world.files("") {
            fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o666)).unwrap();
        }
        fs::set_permissions(world.root(), fs::Permissions::from_mode(mode)).unwrap();
    };
    read_only(0o555);
    let total = run_without_write_access(&world, &["total", "echoserver"]);
    let pull = run_without_write_access(&world, &["pull", "--force"]);
    read_only(0o755);
    let (Some(total), Some(pull)) = (total, pull) else { return };
    assert_eq!(total.assert_code(0).stdout, "20.0\n");
    pull.assert_code(1)
        .assert_stderr_contains("goc-watchdog.lock")
        .assert_stderr_contains("Permission denied");
    assert_eq!(world.query::<i64>("SELECT count(*) FROM run"), 1);
}

#[test]
fn a_root_that_cannot_be_made_is_named() {
    let world = World::new();
    fs::write(world.root(), "a file").unwrap();
    world.run(&["pull"]).assert_code(1).assert_stderr_contains("root");
}
