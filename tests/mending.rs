//! Stored profiles that are missing or damaged, and files without a row.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::harness::{ECHO, SHORT_PAUSES, World};
use crate::sim::Agent;

/// Makes a world of one process with one stored profile.
fn world_with_profile() -> (World, Agent) {
    let (world, mut agents) = World::with_echo(1);
    world.configure(SHORT_PAUSES);
    let agent = agents.remove(0);
    agent.hit(&[0], 3);
    world.pull(0);
    (world, agent)
}

fn cov_data(world: &World) -> PathBuf {
    world.root().join("apa_goc_echoserver/cov_data")
}

fn profile_path(world: &World, number: u32) -> PathBuf {
    cov_data(world).join(format!("apa_goc_echoserver_{number}.cov"))
}

#[test]
fn a_latest_profile_that_is_missing_or_damaged_is_written_again_and_that_is_said() {
    type Damage = fn(&[u8]) -> Option<Vec<u8>>;
    let damages: [(&str, &[&str], Damage); 5] = [
        ("is missing", &["pull"], |_| None),
        ("bytes", &["pull"], |text| Some(text[..text.len() / 2].to_vec())),
        ("is missing", &["prune"], |_| None),
        ("does not have the stored contents", &["prune"], |text| {
            Some(String::from_utf8(text.to_vec()).unwrap().replace(" 3\n", " 7\n").into_bytes())
        }),
        ("is not a profile any more", &["pull", "--force"], |text| Some(vec![0; text.len()])),
    ];
    for (what, arguments, damage) in damages {
        let (world, _agent) = world_with_profile();
        let path = profile_path(&world, 1);
        let text = fs::read(&path).unwrap();
        let break_it = || match damage(&text) {
            Some(broken) => fs::write(&path, broken).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        };
        break_it();
        let reported = world
            .run(&["report", "echoserver", "--format", "json"])
            .assert_stderr_contains("made from the database");
        assert!([0, 3].contains(&reported.code) && reported.stdout.contains("\"covered\""), "{reported:?}");
        let output = world
            .run(arguments)
            .assert_code(0)
            .assert_stderr_contains(what)
            .assert_stderr_contains("written again from the database");
        assert!(
            output.stderr.contains(ECHO) && output.stderr.contains("echoserver_1.cov"),
            "{}",
            output.stderr
        );
        assert!(fs::read(&path).unwrap() == text, "{arguments:?}");
        assert_eq!(world.run(arguments).assert_code(0).stderr, "", "it is said once");

        // A database of an earlier release knows no sizes of files.
        break_it();
        world.execute("UPDATE cover_fact SET file_bytes = NULL");
        world.run(&["prune"]).assert_code(0).assert_stderr_contains("written again from the database");
        assert!(fs::read(&path).unwrap() == text, "{arguments:?}");
        world.assert_consistent();
    }
}

#[test]
fn counts_that_moved_on_since_the_row_are_in_the_file_that_is_written_again() {
    let (world, agent) = world_with_profile();
    agent.hit(&[0], 2);
    world.pull(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 3, "no block became covered");
    fs::remove_file(profile_path(&world, 1)).unwrap();
    world.run(&["pull"]).assert_code(0).assert_stderr_contains("written again");
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 5);
    assert_eq!(world.run(&["prune"]).assert_code(0).stderr, "");
    world.assert_consistent();
}

#[test]
fn a_profile_that_cannot_be_written_again_is_named_and_the_others_are() {
    let (world, _agent) = world_with_profile();
    let other = world.start("staging_th_other_master_1234567890", &crate::harness::echo());
    other.hit(&[1], 1);
    world.pull(0);
    for path in world.files(".cov") {
        fs::remove_file(path).unwrap();
    }
    world.execute("UPDATE generation SET counts = x'01' WHERE id = 1");
    let output = world
        .run(&["prune"])
        .assert_code(3)
        .assert_stderr_contains("was not written again")
        .assert_stderr_contains("table generation");
    assert!(output.stderr.contains(ECHO), "{}", output.stderr);
    assert_eq!(world.files(".cov").len(), 1);
}

#[test]
fn a_profile_that_was_written_again_is_named_where_a_later_one_ends_the_run() {
    let (world, _agent) = world_with_profile();
    let other = world.start("staging_th_other_master_1234567890", &crate::harness::echo());
    other.hit(&[1], 1);
    world.pull(0);
    world.execute(
        "CREATE TRIGGER refused BEFORE UPDATE OF file_bytes ON cover_fact
         WHEN NEW.row_id = (SELECT max(row_id) FROM cover_fact) BEGIN SELECT RAISE(ABORT, 'no size'); END",
    );
    for command in ["pull", "prune"] {
        for path in world.files(".cov") {
            fs::remove_file(path).unwrap();
        }
        let output = world
            .run(&[command])
            .assert_code(1)
            .assert_stderr_contains("written again from the database")
            .assert_stderr_contains("no size");
        assert_eq!(output.stderr.matches("written again").count(), 1, "{}", output.stderr);
    }
    world.execute("DROP TRIGGER refused");
    world.execute("CREATE TRIGGER refused BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'no end'); END");
    for path in world.files(".cov") {
        fs::remove_file(path).unwrap();
    }
    let output = world.run(&["pull"]).assert_code(1).assert_stderr_contains("no end");
    assert_eq!(output.stderr.matches("written again").count(), 2, "{}", output.stderr);
}

#[test]
fn numbers_go_on_behind_the_files_of_a_newer_database_and_none_is_lost() {
    for arguments in [&["pull", "--force"][..], &["prune"]] {
        let (world, agent) = world_with_profile();
        world.execute("PRAGMA wal_checkpoint(TRUNCATE)");
        let database = world.root().join("sqlite.db");
        let older = fs::read(&database).unwrap();
        for block in [1, 2] {
            agent.hit(&[block], 1);
            world.pull(0);
        }
        let newer = fs::read(profile_path(&world, 3)).unwrap();
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(world.root().join(format!("sqlite.db{suffix}")));
        }
        fs::write(&database, older).unwrap();
        fs::write(cov_data(&world).join("apa_goc_echoserver_3.cov.tmp"), "unfinished").unwrap();

        agent.hit(&[3], 1);
        world.run(arguments).assert_code(0);
        world.pull(0);
        assert!(profile_path(&world, 4).exists(), "numbers go on");
        // The file is where it was, or was moved aside with a message.
        let output = world.run(&["prune"]).assert_code(0);
        let aside = cov_data(&world).join("aside/apa_goc_echoserver_3.cov");
        assert!(fs::read(&aside).unwrap() == newer, "{arguments:?}: {}", output.stderr);
        assert_eq!(world.files(".tmp"), [] as [PathBuf; 0]);
        assert_eq!(world.run(&["prune"]).assert_code(0).stderr, "", "it is named once");
        world.assert_consistent();

        let old = SystemTime::now() - Duration::from_secs(31 * 24 * 3600);
        fs::OpenOptions::new().write(true).open(&aside).unwrap().set_modified(old).unwrap();
        world.run(&["prune"]).assert_code(0);
        assert!(!aside.exists() && cov_data(&world).join("aside/apa_goc_echoserver_2.cov").exists());
    }
}

#[test]
fn a_file_that_no_row_knows_is_named_when_it_is_moved_aside() {
    let (world, _agent) = world_with_profile();
    fs::write(profile_path(&world, 7), "mode: set\n").unwrap();
    world
        .run(&["prune"])
        .assert_code(0)
        .assert_stderr_contains("echoserver_7.cov")
        .assert_stderr_contains("aside");
    assert_eq!(world.run(&["prune"]).assert_code(0).stderr, "");
}

#[test]
fn files_that_cannot_be_swept_stop_nothing() {
    let (world, agent) = world_with_profile();
    // The last run seems not to have ended, so the next one sweeps.
    world.execute("UPDATE run SET ended_at = NULL");
    let other = world.root().join("other/cov_data");
    fs::create_dir_all(other.join("other_1.cov.tmp")).unwrap();
    agent.hit(&[1], 1);
    world.pull(0).assert_stderr_contains("other_1.cov.tmp");
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 4);
}

#[test]
fn a_link_or_a_file_in_place_of_the_folder_aside_is_named_and_prune_was_done_in_part() {
    for is_link in [true, false] {
        for has_orphan in [true, false] {
            let (world, _agent) = world_with_profile();
            let aside = cov_data(&world).join("aside");
            if is_link {
                symlink(world.home(), &aside).unwrap();
            } else {
                fs::write(&aside, "stray").unwrap();
            }
            if has_orphan {
                fs::write(profile_path(&world, 7), "mode: count\n").unwrap();
            }
            let output = world.run(&["prune"]).assert_code(3).assert_stderr_contains("cov_data/aside");
            assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
            assert_eq!(profile_path(&world, 7).exists(), has_orphan);
            fs::remove_file(&aside).unwrap();
            world.run(&["prune"]).assert_code(0);
            assert_eq!(aside.join("apa_goc_echoserver_7.cov").exists(), has_orphan);
        }
    }
}
