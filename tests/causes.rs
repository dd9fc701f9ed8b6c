//! Faults of the system below this program: each message names the file, the real cause and the next step.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::harness::users::{NOBODY, can_change_user};
use crate::harness::{Output, PANICKED, World, output_of};

/// Exit codes of a run that met too low a limit of the system.
const EXPECTED_CODES: [i32; 3] = [0, 1, 3];

/// Runs the binary below a limit that the shell sets, such as `ulimit -n 9`.
fn run_limited(world: &World, limit: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("bash");
    world.set_environment(&mut command);
    let script = format!("{limit}; exec \"$0\" \"$@\"");
    output_of(command.args(["-c", &script, env!("CARGO_BIN_EXE_goc-watchdog")]).args(arguments))
}

#[test]
fn with_too_few_open_files_each_command_says_so_and_how_to_raise_the_limit() {
    let (world, agents) = World::with_services(4);
    world.pull(0);
    let commands: [&[&str]; 6] = [
        &["pull", "--force"],
        &["prune"],
        &["list"],
        &["total", "app0"],
        &["report", "app0"],
        &["report", "--all", "--format", "site", "-o", "site"],
    ];
    let wrong = [
        "does not exist",
        "not an address",
        "is not a git repository",
        "Permission denied",
        "damaged",
        "full",
        "panicked",
        "dmesg",
    ];
    for most in (4..=14).chain([17, 20, 25, 30, 40]) {
        for arguments in commands {
            if arguments[0] == "pull" {
                for agent in &agents {
                    agent.hit(&[0], 1);
                }
            }
            let output = run_limited(&world, &format!("ulimit -n {most}"), arguments);
            let told = format!("{most} files, {arguments:?}: {output:?}");
            assert!(output.code != PANICKED && EXPECTED_CODES.contains(&output.code), "{told}");
            let named: Vec<&&str> = wrong.iter().filter(|part| output.stderr.contains(**part)).collect();
            assert!(named.is_empty(), "{named:?}: {told}");
            let limit = format!("this process may have {most} files open at a time, which were too few");
            let number = output.stderr.matches(&limit).count();
            let is_met = output.code != 0 || output.stderr.contains("(os error 24)");
            assert_eq!(number, usize::from(is_met), "{told}");
        }
    }
    assert_eq!(world.center.removals(), Vec::<String>::new());
    world.pull(0);
    world.assert_consistent();
}

#[test]
fn a_fault_of_the_database_s_files_names_the_file_the_reason_and_the_next_step() {
    let (world, _agents) = World::with_pulled_echo();
    let path = |name: &str| world.root().join(name);
    let pull = || world.run(&["pull", "--force"]);
    let set_aside = |name: &str| {
        if path(name).exists() {
            fs::rename(path(name), path("aside")).unwrap();
        }
    };
    let put_back = |name: &str| {
        if path("aside").exists() {
            fs::rename(path("aside"), path(name)).unwrap();
        }
    };
    for (name, named) in [
        ("sqlite.db", "it cannot be opened: it is a folder; move it away"),
        ("sqlite.db-wal", "sqlite.db-wal\" beside it cannot be opened: it is a folder; move it away"),
        ("sqlite.db-shm", "sqlite.db-shm\" beside it cannot be opened: it is a folder; move it away"),
    ] {
        set_aside(name);
        fs::create_dir(path(name)).unwrap();
        pull().assert_code(1).assert_stderr_contains("database \"").assert_stderr_contains(named);
        // Commands that only read can do without the shared memory file.
        let list = world.run(&["list", "--offline"]);
        assert!(list.code == 0 || list.stderr.contains(named), "{list:?}");
        fs::remove_dir(path(name)).unwrap();
        put_back(name);
    }
    set_aside("sqlite.db-shm");
    symlink("elsewhere", path("sqlite.db-shm")).unwrap();
    pull()
        .assert_code(1)
        .assert_stderr_contains("sqlite.db-shm\" beside it cannot be opened: it is a symbolic link");
    fs::remove_file(path("sqlite.db-shm")).unwrap();
    put_back("sqlite.db-shm");
    pull().assert_code(0);
}

#[test]
fn a_pipe_in_place_of_a_file_of_the_database_is_named_and_keeps_nobody_waiting() {
    let (world, _agents) = World::with_pulled_echo();
    let commands: [&[&str]; 7] = [
        &["pull"],
        &["pull", "--dry-run"],
        &["prune"],
        &["list", "--offline"],
        &["total", "echoserver"],
        &["history", "echoserver"],
        &["report", "echoserver"],
    ];
    for name in ["sqlite.db", "sqlite.db-wal", "sqlite.db-shm", "sqlite.db-journal"] {
        let (path, aside) = (world.root().join(name), world.home().join("aside"));
        let stood_there = fs::rename(&path, &aside).is_ok();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        for arguments in commands {
            let mut command = Command::new("timeout");
            world.set_environment(&mut command);
            command.args(["60", env!("CARGO_BIN_EXE_goc-watchdog")]).args(arguments);
            let output = output_of(&mut command);
            let told = format!("{name}: {arguments:?}: {output:?}");
            assert!(output.code == 1 && output.stderr.contains(name), "{told}");
            assert!(
                output.stderr.contains("cannot be opened: it is not a regular file; move it away"),
                "{told}"
            );
        }
        fs::remove_file(&path).unwrap();
        if stood_there {
            fs::rename(&aside, &path).unwrap();
        }
    }
    world.pull(0);
    world.assert_consistent();
}

#[test]
fn a_write_that_the_system_refuses_names_the_file_the_operation_and_the_next_step() {
    let (world, agents) = World::with_pulled_echo();
    let rows = "SELECT count(*) FROM goc_o_staging_service_cover";
    agents[0].hit(&[1], 1);
    // The log grows by pages of 4 KiB, the shared memory by 32 KiB at once, so only the latter exceeds the limit.
    let output = run_limited(&world, "trap '' XFSZ; ulimit -f 8", &["pull", "--force"]).assert_code(1);
    output
        .assert_stderr_contains("sqlite.db\": ")
        .assert_stderr_contains("this process may write no file of more than 8192 bytes (ulimit -f)");
    assert_eq!(world.query::<i64>(rows), 1);
    world.pull(0);
    assert_eq!(world.query::<i64>(rows), 2);
    world.assert_consistent();
}

#[test]
fn a_root_that_cannot_be_looked_at_is_not_said_to_be_missing() {
    let world = World::new();
    symlink("loop", world.home().join("loop")).unwrap();
    let long = "x".repeat(300);
    fs::write(world.home().join("file"), "").unwrap();
    for (root, reason) in [
        ("loop", "Too many levels of symbolic links"),
        ("loop/root", "Too many levels of symbolic links"),
        (long.as_str(), "File name too long"),
        ("file/root", "ot a directory"),
    ] {
        for arguments in
            [&["pull"][..], &["list", "--offline"], &["total", "app"], &["report", "app"], &["prune"]]
        {
            let output = world.run(&[&["--root", root], arguments].concat()).assert_code(1);
            let has_reason = output.stderr.contains(reason)
                || root == "file/root" && output.stderr.contains("file\" is not a folder, so ");
            assert!(has_reason, "{root} {arguments:?}: {}", output.stderr);
            let wrong = ["does not exist", "File exists"].iter().find(|part| output.stderr.contains(**part));
            assert_eq!(wrong, None, "{root} {arguments:?}: {}", output.stderr);
        }
    }
}

#[test]
fn a_folder_that_this_user_may_not_enter_is_not_said_to_be_missing() {
    let (world, _agents) = World::with_services(4);
    world.pull(0);
    let mode = |path: &str, mode| {
        fs::set_permissions(world.root().join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    let user = if can_change_user() { NOBODY } else { rustix::process::geteuid().as_raw() };
    let run = |arguments: &[&str]| {
        if can_change_user() {
            world.run_as(user, user, "022", arguments)
        } else {
            Some(world.run(arguments))
        }
    };
    if can_change_user() {
        world.install_binary();
        Command::new("chown").args(["-R", &user.to_string()]).arg(world.root()).status().unwrap();
    }
    mode("app0/repo", 0);
    let Some(report) = run(&["report", "app0"]) else { return };
    mode("app0/repo", 0o755);
    report
        .assert_code(1)
        .assert_stderr_contains("cannot read \"")
        .assert_stderr_contains("app0/repo/.git\": Permission denied");
    mode("", 0o600);
    let all: Vec<Output> = [&["list", "--offline"][..], &["pull"], &["report", "app0"]]
        .iter()
        .filter_map(|line| run(line))
        .collect();
    mode("", 0o755);
    for output in all {
        let output = output.assert_code(1).assert_stderr_contains("Permission denied");
        assert!(!output.stderr.contains("does not exist"), "{}", output.stderr);
    }
}
