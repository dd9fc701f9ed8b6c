//! Files of the work directory: links that must not be followed, and folders of other users.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::users::{NOBODY, can_change_user};
use crate::harness::{Output, World, output_of};

/// Creates a folder outside of the work directory, with a file in it.
fn foreign_folder(world: &World) -> PathBuf {
    let folder = world.home().join("precious");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("letter"), "dear").unwrap();
    folder
}

/// Fails unless the folder that [`foreign_folder`] made is as it was.
#[track_caller]
fn assert_untouched(folder: &Path) {
    let names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["letter"]);
    assert_eq!(fs::read_to_string(folder.join("letter")).unwrap(), "dear");
}

#[test]
fn a_link_in_place_of_the_scratch_folder_is_named_and_the_folder_behind_it_left_alone() {
    let (world, _agents) = World::with_pulled_echo();
    let folder = foreign_folder(&world);
    let link = world.root().join("goc-watchdog.tmp");
    let _ = fs::remove_dir(&link);
    symlink(&folder, &link).unwrap();
    for arguments in [&["pull", "--force"][..], &["prune", "--retention-only"]] {
        world.run(arguments).assert_code(1).assert_stderr_contains("goc-watchdog.tmp\" is a symbolic link");
        assert_untouched(&folder);
    }
}

#[test]
fn a_file_in_place_of_the_scratch_folder_is_named_and_stops_nothing() {
    let (world, _agents) = World::with_pulled_echo();
    let file = world.root().join("goc-watchdog.tmp");
    fs::write(&file, "mine").unwrap();
    let message =
        "goc-watchdog.tmp\" is not a folder, and reports need a folder of that name; remove it or rename it";
    for arguments in [&["pull", "--force"][..], &["prune", "--retention-only"]] {
        world.run(arguments).assert_code(0).assert_stderr_contains(message);
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine", "{arguments:?}");
    }
}

#[test]
fn a_link_in_place_of_a_lock_or_the_database_is_named_and_not_followed() {
    for name in ["goc-watchdog.lock", "goc-watchdog.readers", "sqlite.db"] {
        let (world, _agents) = World::with_covered_echo();
        fs::create_dir(world.root()).unwrap();
        let folder = foreign_folder(&world);
        // A link to a file that does not exist would create one there.
        for target in ["letter", "new"] {
            let link = world.root().join(name);
            symlink(folder.join(target), &link).unwrap();
            let message = format!("{name}\" is a symbolic link");
            world.run(&["pull"]).assert_code(1).assert_stderr_contains(&message);
            if name == "sqlite.db" {
                world.run(&["total", "echoserver"]).assert_code(1).assert_stderr_contains(&message);
            }
            assert_untouched(&folder);
            fs::remove_file(link).unwrap();
        }
    }
}

#[test]
fn a_link_in_place_of_an_unfinished_profile_is_replaced() {
    let (world, agents) = World::with_pulled_echo();
    let folder = foreign_folder(&world);
    let unfinished = world.root().join("apa_goc_echoserver/cov_data/apa_goc_echoserver_2.cov.tmp");
    symlink(folder.join("letter"), unfinished).unwrap();
    agents[0].hit(&[1], 1);
    world.pull(0);
    assert_untouched(&folder);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 1]);
    world.assert_consistent();
}

#[test]
fn a_link_in_place_of_a_profile_is_not_read() {
    let (world, _agents) = World::with_pulled_echo();
    let profile = world.root().join("apa_goc_echoserver/cov_data/apa_goc_echoserver_1.cov");
    let elsewhere = world.home().join("elsewhere.cov");
    let text = fs::read_to_string(&profile).unwrap();
    fs::remove_file(&profile).unwrap();
    fs::write(&elsewhere, text.replace(" 0\n", " 7\n")).unwrap();
    symlink(&elsewhere, &profile).unwrap();
    let output = world.run(&["report", "echoserver", "--format", "lcov"]);
    let output = output
        .assert_stderr_contains("apa_goc_echoserver_1.cov\" is a symbolic link")
        .assert_stderr_contains("made from the database");
    assert!(output.stdout.contains("DA:10,1\n") && !output.stdout.contains(",7\n"), "{}", output.stdout);
}

#[test]
fn the_configuration_and_folders_of_apps_may_lie_elsewhere() {
    let (world, agents) = World::with_covered_echo();
    // Kubernetes mounts a ConfigMap so that the file is a link through a link.
    let mounted = world.home().join("mounted");
    fs::create_dir_all(mounted.join("..2026_11_29")).unwrap();
    symlink("..2026_11_29", mounted.join("..data")).unwrap();
    fs::write(mounted.join("..2026_11_29/goc-watchdog.toml"), "[pull]\nchange = \"counts\"\n").unwrap();
    symlink("..data/goc-watchdog.toml", mounted.join("goc-watchdog.toml")).unwrap();
    // The root itself, an app and the inbox may lie on another disk.
    let (disk, real) = (world.home().join("disk"), world.home().join("real"));
    fs::create_dir_all(disk.join("app")).unwrap();
    fs::create_dir(disk.join("inbox")).unwrap();
    fs::create_dir(&real).unwrap();
    symlink(&real, world.root()).unwrap();
    symlink(mounted.join("goc-watchdog.toml"), real.join("goc-watchdog.toml")).unwrap();
    symlink(disk.join("app"), real.join("apa_goc_echoserver")).unwrap();
    symlink(disk.join("inbox"), real.join("inbox")).unwrap();
    world.pull(0);
    agents[0].hit(&[0], 1);
    world.pull(0);
    assert_eq!(world.row_count(), 2);
    assert!(disk.join("app/cov_data/apa_goc_echoserver_2.cov").is_file());
    world.run(&["prune", "--keep", "1", "--keep-days", "0"]).assert_code(0);
    assert!(!disk.join("app/cov_data/apa_goc_echoserver_1.cov").exists(), "prune sweeps there, too");
    fs::write(disk.join("inbox/x.snapshot"), "no snapshot").unwrap();
    world.pull(3).assert_stderr_contains("x.snapshot");
}

#[test]
fn a_link_of_another_user_in_place_of_an_app_is_named_and_the_others_are_stored() {
    if !can_change_user() {
        return;
    }
    let (world, _agents) = World::with_covered_echo();
    let other = world.start("staging_th_other_master_0123456789", &crate::harness::echo());
    other.hit(&[0], 1);
    let folder = foreign_folder(&world);
    fs::create_dir(world.root()).unwrap();
    let link = world.root().join("other");
    symlink(&folder, &link).unwrap();
    lchown(&link, Some(NOBODY), None).unwrap();
    world.pull(3).assert_stderr_contains("root/other\" is a symbolic link of user 65534");
    assert_untouched(&folder);
}

#[test]
fn a_link_in_place_of_cov_data_fails_that_app_alone() {
    let (world, _agents) = World::with_covered_echo();
    let other = world.start("staging_th_other_master_0123456789", &crate::harness::echo());
    other.hit(&[0], 1);
    let folder = foreign_folder(&world);
    fs::create_dir_all(world.root().join("other")).unwrap();
    symlink(&folder, world.root().join("other/cov_data")).unwrap();
    world.pull(3).assert_stderr_contains("other/cov_data\" is a symbolic link");
    assert_untouched(&folder);
}

#[test]
fn prune_names_a_link_in_place_of_cov_data_and_removes_nothing_behind_it() {
    let (world, _agents) = World::with_pulled_echo();
    let (cov_data, moved) = (world.root().join("apa_goc_echoserver/cov_data"), world.home().join("moved"));
    fs::rename(&cov_data, &moved).unwrap();
    fs::write(moved.join("apa_goc_echoserver_7.cov"), "as an orphan").unwrap();
    symlink(&moved, &cov_data).unwrap();
    let prune = ["prune", "--retention-only"];
    world
        .run(&prune)
        .assert_code(3)
        .assert_stderr_contains("apa_goc_echoserver/cov_data\" is a symbolic link");
    assert_eq!(fs::read_dir(&moved).unwrap().count(), 2);
}

#[test]
fn nothing_is_fetched_through_a_link() {
    let (world, _agents) = World::with_pulled_echo();
    let folder = foreign_folder(&world);
    symlink(&folder, world.root().join("apa_goc_echoserver/repo.fetch")).unwrap();
    world
        .run(&["report", "echoserver", "--format", "lcov"])
        .assert_code(3)
        .assert_stderr_contains("apa_goc_echoserver/repo.fetch\" is a symbolic link");
    assert_untouched(&folder);
}

#[test]
fn a_configuration_that_is_no_regular_file_is_refused_at_once() {
    let world = World::new();
    fs::create_dir(world.root()).unwrap();
    let path = world.root().join("goc-watchdog.toml");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let list = || {
        let mut command = Command::new("timeout");
        world.set_environment(&mut command);
        command.args(["60", env!("CARGO_BIN_EXE_goc-watchdog"), "list", "--offline"]);
        output_of(&mut command)
    };
    list().assert_code(1).assert_stderr_contains("goc-watchdog.toml\": it is not a regular file");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    list().assert_code(1).assert_stderr_contains("goc-watchdog.toml\": it is not a regular file");
    fs::remove_dir(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    list().assert_code(1).assert_stderr_contains("goc-watchdog.toml\": it is not a regular file");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "#".repeat(2 << 20)).unwrap();
    list().assert_code(1).assert_stderr_contains("goc-watchdog.toml\": it is larger than 1 MiB");
}

/// Runs the binary as root, as `sudo` does for this user where one is given.
fn as_root(world: &World, sudo_uid: Option<u32>, arguments: &[&str]) -> Output {
    let mut command = world.command(arguments);
    command.envs(sudo_uid.map(|uid| ("SUDO_UID", uid.to_string())));
    output_of(&mut command)
}

#[test]
fn root_is_refused_in_a_folder_of_another_user_unless_it_trusts_the_folder() {
    if !can_change_user() {
        return;
    }
    let (world, agents) = World::with_covered_echo();
    // The configuration of the folder cannot say that the folder is trusted: the owner is checked before it is read.
    world.configure("trust_root = true\n");
    chown(world.root(), Some(NOBODY), Some(NOBODY)).unwrap();
    let root = world.root().canonicalize().unwrap();
    let message = format!("the work directory {root:?} belongs to user nobody (65534), and this is root");
    for arguments in [&["pull"][..], &["list", "--offline"], &["total", "echoserver"], &["prune"]] {
        for sudo_uid in [None, Some(1000)] {
            let output = as_root(&world, sudo_uid, arguments)
                .assert_code(1)
                .assert_stderr_contains(&message)
                .assert_stderr_contains("--trust-root");
            assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
        }
    }
    assert!(!root.join("sqlite.db").exists());
    world.run(&["pull", "--trust-root"]).assert_code(1).assert_stderr_contains("unknown key \"trust_root\"");

    fs::remove_file(root.join("goc-watchdog.toml")).unwrap();
    let mut trusting = world.command(&["pull"]);
    output_of(trusting.env("GOC_WATCHDOG_TRUST_ROOT", "1")).assert_code(0);
    output_of(trusting.env("GOC_WATCHDOG_TRUST_ROOT", "0")).assert_code(1);
    // A user who calls sudo trusts their own folder, and can go on without sudo.
    agents[0].hit(&[1], 1);
    as_root(&world, Some(NOBODY), &["pull", "--force"]).assert_code(0);
    for path in world.files("") {
        assert_eq!(fs::metadata(&path).unwrap().uid(), NOBODY, "{} is not theirs", path.display());
    }
}

/// Pulls in a new root under a umask, and returns the permissions of all files there.
fn permissions_after_pull(umask: &str, configuration: Option<&str>) -> Vec<(String, String)> {
    let (world, _agents) = World::with_covered_echo();
    if let Some(text) = configuration {
        world.configure(text);
    }
    let mut shell = Command::new("sh");
    world.set_environment(&mut shell);
    let script = format!("umask {umask}; exec \"$0\" pull");
    output_of(shell.args(["-c", &script, env!("CARGO_BIN_EXE_goc-watchdog")])).assert_code(0);
    let mode = |path: &Path| format!("{:o}", fs::metadata(path).unwrap().permissions().mode() & 0o7777);
    let mut found = Vec::new();
    let mut folders = vec![world.root()];
    while let Some(folder) = folders.pop() {
        found.push((folder.strip_prefix(world.home()).unwrap().display().to_string(), mode(&folder)));
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("goc-watchdog.toml") {
                found.push((path.strip_prefix(world.home()).unwrap().display().to_string(), mode(&path)));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn created_files_are_closed_to_others_and_open_to_the_group_as_the_umask_allows() {
    let wanted = |folder: &str, file: &str| {
        let folders = ["root", "root/apa_goc_echoserver", "root/apa_goc_echoserver/cov_data"];
        let files = [
            "root/apa_goc_echoserver/cov_data/apa_goc_echoserver_1.cov",
            "root/goc-watchdog.lock",
            "root/goc-watchdog.readers",
            "root/sqlite.db",
            "root/sqlite.db-shm",
            "root/sqlite.db-wal",
        ];
        let folders = folders.map(|name| (name.to_owned(), folder.to_owned()));
        let files = files.map(|name| (name.to_owned(), file.to_owned()));
        let mut all: Vec<_> = folders.into_iter().chain(files).collect();
        all.sort();
        all
    };
    assert_eq!(permissions_after_pull("022", None), wanted("750", "640"));
    assert_eq!(permissions_after_pull("027", None), wanted("750", "640"));
    assert_eq!(permissions_after_pull("077", None), wanted("700", "600"));
    assert_eq!(permissions_after_pull("002", None), wanted("770", "660"));
    assert_eq!(permissions_after_pull("000", None), wanted("770", "660"));
    let mut shared = permissions_after_pull("022", Some("[files]\ngroup_write = true\n"));
    // The test made the root itself here.
    shared.retain(|(name, _)| name != "root");
    let mut wanted = wanted("770", "660");
    wanted.retain(|(name, _)| name != "root");
    assert_eq!(shared, wanted);
}
