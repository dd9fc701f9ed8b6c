//! Set-ups with several users: the shipped ones, run as they are written, and the files that others may read then.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use crate::examples::Hook;
use crate::harness::units::unit_values;
use crate::harness::users::{NOBODY, SERVICE_USER, TEAM_GROUP, TEAM_MEMBER, make_folder};
use crate::harness::{Output, World, output_of};

#[test]
fn the_systemd_services_work_as_their_user_with_their_umask_and_the_group_may_read() {
    let (world, _agents) = World::with_covered_echo();
    let unit = "goc-watchdog-pull.service";
    let state = u32::from_str_radix(&unit_values(unit, "StateDirectoryMode")[0], 8).unwrap();
    make_folder(&world.root(), SERVICE_USER, TEAM_GROUP, state);
    // The group is the team's, as where an administrator adds people to it.
    for unit in [unit, "goc-watchdog-prune.service"] {
        let command = unit_values(unit, "ExecStart").remove(0);
        let arguments: Vec<&str> = command.split(' ').skip(1).collect();
        let Some(ran) = world.run_as(SERVICE_USER, TEAM_GROUP, &unit_values(unit, "UMask")[0], &arguments)
        else {
            return;
        };
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{command}");
    }
    for arguments in [&["total", "echoserver"][..], &["list", "--offline"], &["history", "echoserver"]] {
        let member = world.run_as(TEAM_MEMBER, TEAM_GROUP, "022", arguments).unwrap().assert_code(0);
        assert!(member.stdout.contains("20.0"), "{}", member.stdout);
        let stranger = world.run_as(NOBODY, NOBODY, "022", arguments).unwrap();
        assert_ne!(stranger.code, 0, "{}", stranger.stdout);
    }
    let report = world.run_as(TEAM_MEMBER, TEAM_GROUP, "022", &["report", "echoserver", "--format", "lcov"]);
    // The report is partial, since there is no source.
    report.unwrap().assert_code(3);
    // A member who may only read gets one line that says why nothing can be stored.
    let pull = world.run_as(TEAM_MEMBER, TEAM_GROUP, "022", &["pull"]).unwrap().assert_code(1);
    assert_eq!(pull.stderr.lines().count(), 1, "{}", pull.stderr);
    assert!(pull.stderr.contains("Permission denied"), "{}", pull.stderr);
}

#[test]
fn a_team_that_shares_its_root_pulls_in_turn() {
    let (world, agents) = World::with_covered_echo();
    make_folder(&world.root(), SERVICE_USER, TEAM_GROUP, 0o2770);
    fs::write(world.root().join("goc-watchdog.toml"), "[files]\ngroup_write = true\n").unwrap();
    for (block, uid) in [SERVICE_USER, TEAM_MEMBER, SERVICE_USER].into_iter().enumerate() {
        agents[0].hit(&[block], 1);
        let Some(ran) = world.run_as(uid, TEAM_GROUP, "022", &["pull", "--force"]) else { return };
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "user {uid}");
        world
            .run_as(uid, TEAM_GROUP, "022", &["prune", "--keep", "1", "--keep-days", "0"])
            .unwrap()
            .assert_code(0);
    }
    assert_eq!(world.files(".cov").len(), 1, "each may remove what the other stored");
    world.assert_consistent();
}

#[test]
fn a_snapshot_of_a_pod_of_another_user_is_taken_in_through_the_shared_group_where_inbox_owners_has_it() {
    let (world, agents) = World::with_covered_echo();
    // The kubelet makes a volume of an fsGroup with these permissions.
    let inbox = world.home().join("inbox");
    make_folder(&inbox, 0, TEAM_GROUP, 0o2775);
    make_folder(&world.root(), SERVICE_USER, TEAM_GROUP, 0o750);
    let trust = |owners: &str| {
        let text = format!("inbox = [{inbox:?}]\n{owners}\n");
        fs::write(world.root().join("goc-watchdog.toml"), text).unwrap();
    };
    let hook = Hook::from_deployment(&agents[0], &inbox);
    let binary = world.install_binary().display().to_string();
    let arguments = hook.arguments.iter().map(String::as_str);
    // The umask of the process does not matter.
    let command: Vec<&str> = [&*binary].into_iter().chain(arguments).collect();
    let Some(mut pod) = world.as_user(TEAM_MEMBER, TEAM_GROUP, "077", &command) else { return };
    let left = output_of(pod.envs(hook.variables)).assert_code(0);
    assert_eq!(left.stderr, "");
    agents[0].kill();
    world.center.remove_all();

    let lie = || fs::read_dir(&inbox).unwrap().count();
    let pull = || world.run_as(SERVICE_USER, TEAM_GROUP, "027", &["pull", "--quiet"]).unwrap();
    trust(&format!("inbox_owners = [{SERVICE_USER}, \"gid:{TEAM_MEMBER}\"]"));
    let refused = pull().assert_code(3);
    let reason = format!("its owner (user {TEAM_MEMBER}, group {TEAM_GROUP}) is not in inbox_owners");
    assert_eq!(refused.stderr.matches(&reason).count(), 1, "{}", refused.stderr);
    assert_eq!(lie(), 1, "it stays");
    trust(&format!("inbox_owners = [\"gid:{TEAM_GROUP}\"]"));
    assert_eq!(pull().assert_code(0).stderr, "");
    assert_eq!(lie(), 0, "it was taken in and removed");
    let total =
        world.run_as(SERVICE_USER, TEAM_GROUP, "027", &["total", "echoserver"]).unwrap().assert_code(0);
    assert_eq!(total.stdout, "20.0\n");
}

#[test]
fn metrics_and_a_site_are_for_other_users_to_read() {
    let (world, _agents) = World::with_covered_echo();
    make_folder(&world.root(), SERVICE_USER, SERVICE_USER, 0o750);
    let (metrics, site) = (world.home().join("metrics"), world.home().join("coverage"));
    make_folder(&metrics, SERVICE_USER, SERVICE_USER, 0o755);
    make_folder(&site, SERVICE_USER, SERVICE_USER, 0o755);
    let metrics = metrics.join("goc-watchdog.prom").display().to_string();
    let site = site.display().to_string();
    let Some(pulled) = world.run_as(SERVICE_USER, SERVICE_USER, "022", &["pull"]) else { return };
    pulled.assert_code(0);
    let list = ["list", "--offline", "--format", "prometheus", "-o", &metrics];
    world.run_as(SERVICE_USER, SERVICE_USER, "022", &list).unwrap().assert_code(0);
    world
        .run_as(SERVICE_USER, SERVICE_USER, "022", &["report", "--all", "--format", "site", "-o", &site])
        .unwrap()
        .assert_code(0);
    let read = |path: &str| {
        let mut command = world.as_user(NOBODY, NOBODY, "022", &["cat", path]).unwrap();
        output_of(&mut command).assert_code(0).stdout
    };
    assert!(read(&metrics).contains("goc_watchdog"), "as the node exporter reads it");
    for page in ["index.html", "index.json", "apa_goc_echoserver/staging/th/badge.svg"] {
        assert!(!read(&format!("{site}/{page}")).is_empty(), "{page}, as nginx reads it");
    }
}

#[test]
fn a_new_folder_below_an_unreadable_current_folder_is_refused_with_its_reason() {
    let (world, _agents) = World::with_covered_echo();
    make_folder(&world.root(), SERVICE_USER, TEAM_GROUP, 0o750);
    let Some(pulled) = world.run_as(SERVICE_USER, TEAM_GROUP, "027", &["pull"]) else { return };
    pulled.assert_code(0);
    let closed = world.home().join("closed");
    make_folder(&closed, 0, 0, 0o700);
    let binary = world.install_binary();
    let site = ["report", "--all", "--format", "site", "-o", "site"];
    let command = [&[binary.to_str().unwrap()], &site[..]].concat();
    let mut command = world.as_user(SERVICE_USER, TEAM_GROUP, "027", &command).unwrap();
    output_of(command.current_dir(closed))
        .assert_code(1)
        .assert_stderr_contains("\"site\"")
        .assert_stderr_contains("Permission denied");
}

#[test]
fn a_report_before_the_first_pull_leaves_nothing_in_the_way_of_that_pull() {
    let (world, _agents) = World::with_covered_echo();
    make_folder(&world.root(), SERVICE_USER, TEAM_GROUP, 0o2770);
    let Some(report) = world.run_as(TEAM_MEMBER, TEAM_GROUP, "077", &["report", "echoserver"]) else {
        return;
    };
    report.assert_code(1).assert_stderr_contains("nothing was pulled into this root yet");
    assert_eq!(fs::read_dir(world.root()).unwrap().count(), 0, "a report leaves nothing there");
    assert_eq!(world.run_as(SERVICE_USER, TEAM_GROUP, "022", &["pull"]).unwrap().assert_code(0).stderr, "");
}

#[test]
fn the_lock_of_readers_may_belong_to_another_user_of_the_group() {
    let (world, _agents) = World::with_covered_echo();
    make_folder(&world.root(), SERVICE_USER, TEAM_GROUP, 0o2770);
    let readers = world.root().join("goc-watchdog.readers");
    fs::write(&readers, "").unwrap();
    let _ = chown(&readers, Some(TEAM_MEMBER), Some(TEAM_GROUP));
    fs::set_permissions(&readers, fs::Permissions::from_mode(0o640)).unwrap();
    for arguments in [&["pull"][..], &["prune", "--retention-only"], &["pull", "--force"]] {
        let Some(ran) = world.run_as(SERVICE_USER, TEAM_GROUP, "022", arguments) else { return };
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{arguments:?}");
    }
    // The lock keeps its meaning: a sweep takes it from readers.
    fs::File::open(&readers).unwrap().lock().unwrap();
    let held = fs::File::open(&readers).unwrap();
    held.lock_shared().unwrap();
    let swept = world.run_as(SERVICE_USER, TEAM_GROUP, "022", &["prune", "--retention-only"]).unwrap();
    assert!(swept.stderr.contains("reports are being read"), "{}", swept.stderr);
}

#[test]
fn a_leftover_of_another_users_report_is_named_with_its_owner_and_stops_nothing() {
    let (world, _agents) = World::with_covered_echo();
    make_folder(&world.root(), SERVICE_USER, TEAM_GROUP, 0o2770);
    let Some(pulled) = world.run_as(SERVICE_USER, TEAM_GROUP, "022", &["pull"]) else { return };
    pulled.assert_code(0);
    let scratch = world.root().join("goc-watchdog.tmp");
    make_folder(&scratch, TEAM_MEMBER, TEAM_GROUP, 0o2770);
    make_folder(&scratch.join("0123456789abcdef"), TEAM_MEMBER, TEAM_GROUP, 0o750);
    fs::write(scratch.join("0123456789abcdef/report"), "half").unwrap();
    make_folder(&scratch.join("1123456789abcdef"), SERVICE_USER, TEAM_GROUP, 0o750);
    let named = |output: Output| {
        output
            .assert_code(0)
            .assert_stderr_contains("goc-watchdog.tmp/0123456789abcdef\"")
            .assert_stderr_contains(&format!("of user {TEAM_MEMBER} "))
            .assert_stderr_contains("rm -r")
    };
    for arguments in [&["pull", "--force"][..], &["prune", "--retention-only"]] {
        named(world.run_as(SERVICE_USER, TEAM_GROUP, "022", arguments).unwrap());
    }
    assert!(!scratch.join("1123456789abcdef").exists(), "the others are removed");
    fs::set_permissions(&scratch, fs::Permissions::from_mode(0o700)).unwrap();
    world
        .run_as(SERVICE_USER, TEAM_GROUP, "022", &["pull", "--force"])
        .unwrap()
        .assert_code(0)
        .assert_stderr_contains(&format!("of user {TEAM_MEMBER} "));
}

#[test]
fn a_profile_of_another_user_that_no_row_knows_is_moved_aside_and_kept() {
    let (world, _agents) = World::with_covered_echo();
    make_folder(&world.root(), SERVICE_USER, TEAM_GROUP, 0o2770);
    let Some(pulled) = world.run_as(SERVICE_USER, TEAM_GROUP, "007", &["pull"]) else { return };
    pulled.assert_code(0);
    let cov_data = world.root().join("apa_goc_echoserver/cov_data");
    let orphan = cov_data.join("apa_goc_echoserver_7.cov");
    fs::write(&orphan, "mode: set\n").unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(400 * 24 * 3600);
    fs::File::options().write(true).open(&orphan).unwrap().set_modified(old).unwrap();
    chown(&orphan, Some(TEAM_MEMBER), Some(TEAM_GROUP)).unwrap();
    let pruned =
        world.run_as(SERVICE_USER, TEAM_GROUP, "007", &["prune", "--retention-only"]).unwrap().assert_code(0);
    pruned.assert_stderr_contains("moved to aside/");
    let moved = cov_data.join("aside/apa_goc_echoserver_7.cov");
    assert!(moved.exists() && !orphan.exists(), "its age counts from the day when it was moved");
    assert_eq!(
        world
            .run_as(SERVICE_USER, TEAM_GROUP, "007", &["prune", "--retention-only"])
            .unwrap()
            .assert_code(0)
            .stderr,
        ""
    );
    assert!(moved.exists());
}
