//! Damaged files and database values of our own: each costs its own service alone, and is named.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use serde_json::Value;

use crate::harness::users::{OTHER_USER, can_change_user};
use crate::harness::{SHORT_PAUSES, World};
use crate::sim::{Agent, Program};

const BROKEN: &str = "staging_th_broken_master_1111111111";
const OTHERS: [&str; 3] = [
    "staging_th_first_master_2222222222",
    "staging_th_second_master_3333333333",
    "staging_th_third_master_4444444444",
];

/// Four services of one process each, the first of which is about to be damaged.
struct FourServices {
    world: World,
    broken: Agent,
    others: Vec<Agent>,
}

impl FourServices {
    /// Starts the services and pulls them once, with one block of four covered.
    fn pulled() -> Self {
        let services = Self::new();
        services.hit(0);
        services.world.pull(0);
        services
    }

    fn new() -> Self {
        let world = World::new();
        world.configure(SHORT_PAUSES);
        // Each service has a program of its own, so that no structure is shared.
        let start = |name: &str| {
            let block = |line| format!("example.com/{name}/a.go:{line}.1,{line}.9 1\n");
            world.start(name, &Program::from_profile(&(1..=4).map(block).collect::<String>()))
        };
        let broken = start(BROKEN);
        let others = OTHERS.map(start).into();
        Self { world, broken, others }
    }

    fn hit(&self, block: usize) {
        for agent in self.others.iter().chain([&self.broken]) {
            agent.hit(&[block], 1);
        }
    }

    /// Returns the number of blocks that the latest row of each other service covers.
    fn covered_by_others(&self) -> [i64; 3] {
        OTHERS.map(|name| self.covered(name))
    }

    fn covered(&self, name: &str) -> i64 {
        let app = name.split('_').nth(2).unwrap();
        self.world.query(&format!(
            "SELECT covered FROM cover_fact JOIN goc_o_staging_service_cover AS cover ON cover.id = row_id
             WHERE app_name = '{app}' AND is_latest = 'y' AND deleted_at IS NULL"
        ))
    }
}

/// A name of the fault, functions that make and repair it, and the word by which the message names it.
type FolderFault = (&'static str, fn(&World), fn(&World), &'static str);

fn cov_data(world: &World) -> std::path::PathBuf {
    world.root().join("broken/cov_data")
}

#[test]
fn a_file_in_the_way_costs_its_service_alone_and_its_counters_are_kept() {
    let faults_of_folders: [FolderFault; 3] = [
        (
            "a stray file at the app's path",
            |world| {
                fs::rename(world.root().join("broken"), world.home().join("aside")).unwrap();
                fs::write(world.root().join("broken"), "stray").unwrap();
            },
            |world| {
                fs::remove_file(world.root().join("broken")).unwrap();
                fs::rename(world.home().join("aside"), world.root().join("broken")).unwrap();
            },
            "broken",
        ),
        (
            "a folder where the profile is to be",
            |world| fs::create_dir_all(cov_data(world).join("broken_2.cov/x")).unwrap(),
            |world| fs::remove_dir_all(cov_data(world).join("broken_2.cov")).unwrap(),
            "broken_2.cov",
        ),
        (
            "a stray file at the place of cov_data",
            |world| {
                fs::rename(cov_data(world), world.home().join("aside")).unwrap();
                fs::write(cov_data(world), "stray").unwrap();
            },
            |world| {
                fs::remove_file(cov_data(world)).unwrap();
                fs::rename(world.home().join("aside"), cov_data(world)).unwrap();
            },
            "cov_data",
        ),
    ];
    for (what, break_it, repair, named) in faults_of_folders {
        let services = FourServices::pulled();
        services.hit(1);
        break_it(&services.world);
        let output = services.world.run(&["pull", "--force", "--format", "json"]);
        let broken = output
            .json()
            .into_iter()
            .find(|object| object["service"] == BROKEN)
            .unwrap_or_else(|| panic!("{what}: {output:?}"));
        let output = output.assert_code(3).assert_stderr_contains(&format!("goc-watchdog: {BROKEN}: "));
        assert_eq!(broken["result"], "not_stored", "{what}");
        assert!(broken["faults"][0].as_str().unwrap().contains(named), "{what}: {broken}");
        assert!(output.stderr.contains("its counters are kept in the database"), "{what}: {}", output.stderr);
        assert_eq!(services.covered_by_others(), [2; 3], "{what}");
        assert_eq!(services.covered(BROKEN), 1, "{what}");

        // The process restarts meanwhile, so its counters exist in the database alone.
        services.broken.restart();
        services.world.run(&["pull"]).assert_code(3).assert_stderr_contains(BROKEN);
        repair(&services.world);
        services.world.run(&["pull"]).assert_code(0);
        assert_eq!(services.covered(BROKEN), 2, "{what}");
        services.world.assert_consistent();
    }
}

#[test]
fn a_folder_of_another_user_costs_its_service_alone() {
    if !can_change_user() {
        return;
    }
    let services = FourServices::new();
    services.hit(0);
    // The state is that after `sudo goc-watchdog pull newapp`.
    fs::create_dir_all(cov_data(&services.world)).unwrap();
    services.world.install_binary();
    for path in [services.world.home(), &services.world.root(), &services.world.root().join("broken")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        chown(path, Some(OTHER_USER), Some(OTHER_USER)).unwrap();
    }
    let pull = || services.world.run_as(OTHER_USER, OTHER_USER, "022", &["pull", "--force"]).unwrap();
    pull()
        .assert_code(3)
        .assert_stderr_contains(BROKEN)
        .assert_stderr_contains("cov_data")
        .assert_stderr_contains("Permission denied");
    let rows = services.world.row_count();
    assert_eq!((rows, services.covered_by_others()), (3, [1; 3]));
    chown(cov_data(&services.world), Some(OTHER_USER), Some(OTHER_USER)).unwrap();
    pull().assert_code(0);
    assert_eq!(services.covered(BROKEN), 1);
}

/// Damages of a stored value of the broken service: the SQL, whether the next pull heals it by itself, and a part of
/// the message about it.
const DAMAGES: &[(&str, bool, &str)] = &[
    (
        "UPDATE schedule SET next_due_at = 'soon' WHERE key_id = KEY",
        true,
        "table schedule, column next_due_at",
    ),
    ("UPDATE schedule SET addresses = '[' WHERE key_id = KEY", true, "table schedule, column addresses"),
    ("UPDATE schedule SET step = 'first' WHERE key_id = KEY", true, "table schedule, column step"),
    (
        "UPDATE address SET last_answer_at = 'late' WHERE key_id = KEY",
        true,
        "table address, column last_answer_at",
    ),
    ("UPDATE address SET failures = -1 WHERE key_id = KEY", true, "table address, column failures"),
    ("UPDATE replicas SET pulled_at = x'00ff' WHERE key_id = KEY", true, "table replicas, column pulled_at"),
    ("UPDATE listing SET listed_at = '' WHERE service_id = SERVICE", true, "table listing, column listed_at"),
    (
        "UPDATE listing SET unlisted_at = 'x' WHERE service_id = SERVICE",
        true,
        "table listing, column unlisted_at",
    ),
    (
        "UPDATE generation SET opened_at = 'x' WHERE edition_id = EDITION",
        false,
        "table generation, column opened_at",
    ),
    (
        "UPDATE generation SET closed_at = 'x' WHERE edition_id = EDITION",
        true,
        "table generation, column closed_at",
    ),
    (
        "UPDATE generation SET counts = x'01' WHERE edition_id = EDITION",
        false,
        "table generation, column counts",
    ),
    (
        "UPDATE generation SET counts = zeroblob(99) WHERE edition_id = EDITION",
        false,
        "table generation, column counts",
    ),
    ("UPDATE structure SET data = x'00' WHERE id = STRUCTURE", true, "table structure, column data"),
    ("UPDATE cover_fact SET counts_digest = x'00' WHERE row_id = ROW", true, "column counts_digest"),
    ("UPDATE app SET last_number = -1 WHERE app_name = 'broken'", true, "table app, column last_number"),
    (
        "UPDATE app SET last_number = 9223372036854775807 WHERE app_name = 'broken'",
        true,
        "table app, column last_number: unexpected 9223372036854775807",
    ),
    ("UPDATE cover_fact SET covered = -1 WHERE row_id = ROW", true, "column covered: unexpected -1"),
    (
        "UPDATE goc_o_staging_service_cover SET cov_file_path = x'00ff' WHERE id = ROW",
        true,
        "table goc_o_staging_service_cover, column cov_file_path",
    ),
    (
        "UPDATE goc_o_staging_service_cover SET created_at = 'yesterday' WHERE id = ROW",
        true,
        "table goc_o_staging_service_cover, column created_at",
    ),
    // These texts are no UTF-8.
    ("UPDATE schedule SET last_change_at = NO_TEXT WHERE key_id = KEY", true, "column last_change_at"),
    ("UPDATE address SET last_error = NO_TEXT WHERE key_id = KEY", true, "table address, column last_error"),
    ("UPDATE listing SET center = NO_TEXT WHERE service_id = SERVICE", true, "table listing, column center"),
    ("UPDATE listing SET address = NO_TEXT WHERE service_id = SERVICE", false, "column address"),
    (
        "UPDATE generation SET pulled_at = NO_TEXT WHERE edition_id = EDITION",
        true,
        "table generation, column pulled_at",
    ),
    (
        "UPDATE generation SET address = NO_TEXT WHERE edition_id = EDITION",
        false,
        "table generation, column address",
    ),
    (
        "PRAGMA ignore_check_constraints = 1; UPDATE edition SET status = NO_TEXT WHERE key_id = KEY",
        false,
        "table edition, column status",
    ),
    ("UPDATE service SET git_branch = NO_TEXT WHERE id = SERVICE", true, "table service, column git_branch"),
    ("UPDATE cover_key SET region = NO_TEXT WHERE id = KEY", true, "table cover_key, column region"),
    (
        "UPDATE goc_o_staging_service_cover SET git_branch = NO_TEXT WHERE id = ROW",
        true,
        "table goc_o_staging_service_cover, column git_branch",
    ),
    // These values have another type than their column.
    ("UPDATE service SET git_branch = x'ff' WHERE id = SERVICE", true, "table service, column git_branch"),
    ("UPDATE service SET key_id = 'x' WHERE name = 'NAME'", true, "table service, column key_id"),
    ("UPDATE cover_key SET git_commit = x'ff' WHERE id = KEY", true, "table cover_key, column git_commit"),
    ("UPDATE generation SET counts = 'x' WHERE edition_id = EDITION", false, "column counts"),
    ("UPDATE structure SET data = 'x' WHERE id = STRUCTURE", true, "table structure, column data"),
    ("UPDATE structure SET fingerprint = 'x' WHERE id = STRUCTURE", false, "column fingerprint"),
    ("UPDATE last_answer SET imprint = 'x'", true, "table last_answer, column imprint"),
];

impl FourServices {
    fn damage(&self, sql: &str) {
        let key = "(SELECT id FROM cover_key WHERE app_name = 'broken')";
        let edition = format!("(SELECT id FROM edition WHERE key_id = {key})");
        let structure = format!("(SELECT structure_id FROM generation WHERE edition_id = {edition})");
        let row = "(SELECT id FROM goc_o_staging_service_cover WHERE app_name = 'broken')";
        let service = format!("(SELECT id FROM service WHERE key_id = {key})");
        let sql = sql
            .replace("NO_TEXT", "CAST(x'3230ff' AS TEXT)")
            .replace("NAME", BROKEN)
            .replace("KEY", key)
            .replace("EDITION", &edition)
            .replace("STRUCTURE", &structure)
            .replace("ROW", row)
            .replace("SERVICE", &service);
        self.world.execute(&format!("PRAGMA foreign_keys = 0; {sql}"));
    }
}

#[test]
fn a_damaged_value_costs_its_service_alone_whatever_reads_it() {
    for (sql, heals, named) in DAMAGES {
        let services = FourServices::pulled();
        services.damage(sql);
        services.hit(1);
        for arguments in [&["list"][..], &["list", "--offline"], &["total", "first"], &["history", "second"]]
        {
            let output = services.world.run(arguments);
            assert!([0, 3].contains(&output.code), "{sql}: {arguments:?}: {output:?}");
        }
        let output = services.world.run(&["pull", "--force", "--format", "json"]);
        assert_eq!(output.code, 3, "{sql}: {output:?}");
        let line = output.stderr.lines().find(|line| line.contains(named));
        let line = line.unwrap_or_else(|| panic!("{sql}: {}", output.stderr));
        assert!(line.contains(BROKEN) && line.contains("sqlite.db"), "{sql}: {line}");
        let object = output.json().into_iter().find(|object| object["service"] == BROKEN).unwrap();
        let faults: Vec<&str> =
            object["faults"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(faults.iter().any(|fault| fault.contains(named)), "{sql}: {object}");
        assert_eq!(services.covered_by_others(), [2; 3], "{sql}");

        // The answer is stored even where no row can be.
        let stored: i64 = services.world.query(
            "SELECT count(*) FROM generation JOIN edition ON edition.id = edition_id
             JOIN cover_key ON cover_key.id = key_id WHERE app_name = 'broken' AND length(counts) > 1",
        );
        assert!(stored >= 1, "{sql}");
        let again = services.world.run(&["pull", "--force"]);
        assert_eq!(again.code, if *heals { 0 } else { 3 }, "{sql}: {again:?}");
        if *heals {
            assert_eq!(services.covered(BROKEN), 2, "{sql}");
        }
        let output = services.world.run(&["prune"]);
        assert_eq!(output.code, if output.stderr.is_empty() { 0 } else { 3 }, "{sql}: {output:?}");
        let site = services.world.home().join("site");
        let output =
            services.world.run(&["report", "--all", "--format", "site", "-o", site.to_str().unwrap()]);
        assert!([0, 3].contains(&output.code), "{sql}: {output:?}");
        assert!(site.join("index.html").exists(), "{sql}: {output:?}");
    }
}

/// The first number that is too high for a profile.
const FIRST_IMPOSSIBLE_NUMBER: u64 = (1 << 53) + 1;

#[test]
fn a_file_with_a_number_that_no_profile_can_have_is_left_alone() {
    let services = FourServices::new();
    services.hit(0);
    fs::create_dir_all(cov_data(&services.world)).unwrap();
    for number in [FIRST_IMPOSSIBLE_NUMBER, i64::MAX as u64, u64::MAX] {
        fs::write(cov_data(&services.world).join(format!("broken_{number}.cov")), "mine").unwrap();
    }
    services.world.pull(0);
    assert_eq!((services.covered(BROKEN), services.covered_by_others()), (1, [1; 3]));
    assert_eq!(services.world.run(&["prune"]).assert_code(0).stderr, "");
    assert!(
        cov_data(&services.world).join(format!("broken_{FIRST_IMPOSSIBLE_NUMBER}.cov")).exists(),
        "it is left alone"
    );
    services.world.assert_consistent();
}

#[test]
fn an_app_whose_numbers_are_used_up_costs_its_service_alone() {
    let services = FourServices::new();
    services.hit(0);
    fs::create_dir_all(cov_data(&services.world)).unwrap();
    let last = cov_data(&services.world).join(format!("broken_{}.cov", FIRST_IMPOSSIBLE_NUMBER - 1));
    fs::write(&last, "mine").unwrap();
    let output = services.world.pull(3).assert_stderr_contains(&format!("goc-watchdog: {BROKEN}: "));
    assert!(output.stderr.contains(&format!("broken_{}", FIRST_IMPOSSIBLE_NUMBER - 1)), "{}", output.stderr);
    assert_eq!(services.covered_by_others(), [1; 3]);
    fs::remove_file(last).unwrap();
    services.world.run(&["pull"]).assert_code(0);
    assert_eq!(services.covered(BROKEN), 1);
    services.world.assert_consistent();
}

#[test]
fn a_statement_that_the_database_refuses_for_one_service_costs_that_service_alone() {
    let edition = "(SELECT edition.id FROM edition JOIN cover_key ON cover_key.id = key_id
                    WHERE app_name = 'broken')";
    for (event, is_its, named) in [
        ("INSERT ON goc_o_staging_service_cover", "NEW.app_name = 'broken'".to_owned(), "its row"),
        ("UPDATE ON generation", format!("NEW.edition_id = {edition}"), "its counters"),
    ] {
        let services = FourServices::pulled();
        services.hit(1);
        services.world.execute(&format!(
            "CREATE TRIGGER refused BEFORE {event} WHEN {is_its} BEGIN SELECT RAISE(ABORT, 'no {named}'); END"
        ));
        let output = services.world.pull(3);
        let line = output.stderr.lines().find(|line| line.contains(&format!("no {named}")));
        assert!(line.is_some_and(|line| line.contains(BROKEN)), "{event}: {}", output.stderr);
        assert_eq!((services.covered(BROKEN), services.covered_by_others()), (1, [2; 3]), "{event}");
        services.world.execute("DROP TRIGGER refused");
        services.world.pull(0);
        assert_eq!(services.covered(BROKEN), 2, "{event}");
        services.world.assert_consistent();
    }
}

#[test]
fn the_largest_ids_keep_nothing_from_being_stored() {
    let services = FourServices::pulled();
    services.hit(1);
    services.world.execute(
        "INSERT INTO goc_o_staging_service_cover
         SELECT 9223372036854775807, created_at, updated_at, created_at, env, region, 'other', addresses,
                git_branch, git_commit, 'n', '', 1 FROM goc_o_staging_service_cover WHERE id = 1;
         INSERT INTO cover_key (id, env, region, app_name, git_commit)
         VALUES (9223372036854775807, '', '', 'other', '');
         INSERT INTO edition (id, key_id, status, created_at)
         SELECT 9223372036854775807, 9223372036854775807, status, created_at FROM edition WHERE id = 1;
         INSERT INTO generation (id, edition_id, structure_id, address, mode, opened_at, pulled_at, counts)
         SELECT 9223372036854775807, 9223372036854775807, structure_id, address, mode, opened_at, pulled_at, counts
         FROM generation WHERE id = 1",
    );
    let new = services.world.start("staging_th_new_master_5555555555", &crate::harness::echo());
    new.hit(&[0], 1);
    services.world.pull(0);
    assert_eq!((services.covered(BROKEN), services.covered_by_others()), (2, [2; 3]));
    services.world.pull(0);
    services.world.run(&["total", "new"]).assert_code(0);
}

#[test]
fn counters_that_cannot_be_decoded_are_named_with_the_step_that_heals() {
    let services = FourServices::pulled();
    services.damage("UPDATE generation SET counts = x'01' WHERE edition_id = EDITION");
    services.hit(1);
    let id: i64 = services.world.query("SELECT id FROM generation WHERE counts = x'01'");
    let step = format!("DELETE FROM generation WHERE id = {id}");
    let database = services.world.root().canonicalize().unwrap().join("sqlite.db");
    services
        .world
        .run(&["pull", "--force"])
        .assert_code(3)
        .assert_stderr_contains(&format!(
            "goc-watchdog: {BROKEN}: database {database:?}: table generation, column counts of id {id}: "
        ))
        .assert_stderr_contains(&format!(
            "or give up what that process counted alone: sqlite3 FILE \"{step}\""
        ));
    services.world.execute(&step);
    services.world.run(&["pull", "--force"]).assert_code(0);
    assert_eq!(services.covered(BROKEN), 2);
    services.world.assert_consistent();
}

#[test]
fn a_latest_row_with_a_path_of_no_profile_is_named_and_the_others_go_on() {
    for path in ["x.cov", "", "/etc/passwd", "../x.cov", "broken/"] {
        let services = FourServices::pulled();
        services.damage(&format!(
            "UPDATE goc_o_staging_service_cover SET cov_file_path = '{path}' WHERE id = ROW"
        ));
        for (service, agent) in OTHERS.iter().zip(&services.others) {
            agent.hit(&[1], 1);
            assert_eq!(services.covered(service), 1);
        }
        services.world.pull(3).assert_stderr_contains(&format!("goc-watchdog: {BROKEN}: "));
        assert_eq!(services.covered_by_others(), [2; 3], "{path:?}");
        services.world.run(&["prune"]).assert_code(3).assert_stderr_contains(BROKEN);
        let json = services
            .world
            .run(&["report", "broken", "--format", "json"])
            .assert_stderr_contains("made from the database");
        assert!([0, 3].contains(&json.code) && json.stdout.contains("\"covered\""), "{path:?}: {json:?}");
        let id: i64 =
            services.world.query("SELECT id FROM goc_o_staging_service_cover WHERE app_name = 'broken'");
        services
            .world
            .execute("UPDATE goc_o_staging_service_cover SET is_latest = 'n' WHERE app_name = 'broken'");
        let old = ["report", "broken", "--id", &id.to_string(), "--format", "json"];
        services.world.run(&old).assert_code(1);
    }
}

#[test]
fn lives_that_cannot_be_folded_keep_no_others_from_being_folded() {
    let services = FourServices::new();
    services.world.configure(&format!("{SHORT_PAUSES}[pull]\nfold_after = \"0s\"\n"));
    services.hit(0);
    services.world.pull(0);
    for agent in services.others.iter().chain([&services.broken]) {
        agent.restart();
    }
    services.hit(1);
    services.damage("UPDATE generation SET counts = x'01' WHERE edition_id = EDITION");
    services
        .world
        .run(&["pull", "--force"])
        .assert_code(3)
        .assert_stderr_contains("table generation, column counts");
    // The first life of each service is closed by the second pull, and folded in the third.
    services.world.run(&["pull", "--force"]).assert_code(3);
    let folded: i64 = services.world.query("SELECT count(*) FROM generation WHERE address IS NULL");
    assert_eq!(folded, 3);
}

#[test]
fn damaged_records_of_prune_cost_nobody_else() {
    let services = FourServices::pulled();
    services.others[0].kill();
    services.broken.kill();
    services.world.run(&["prune"]).assert_code(0);
    services.world.let_minutes_pass(6);
    let address = services.broken.url();
    services.world.execute(&format!("UPDATE suspicion SET since = 'x' WHERE address = '{address}'"));
    let output = services
        .world
        .run(&["prune"])
        .assert_code(3)
        .assert_stderr_contains("table suspicion, column since")
        .assert_stderr_contains(BROKEN);
    let removals = services.world.center.removals().concat();
    assert!(
        removals.contains(&services.others[0].url()) && !removals.contains(&address),
        "{}",
        output.stderr
    );
}

#[test]
fn a_name_that_cannot_be_read_costs_nobody_else() {
    for value in ["x'ff'", "CAST(x'ff' AS TEXT)"] {
        let services = FourServices::pulled();
        services.damage(&format!("UPDATE service SET name = {value} WHERE id = SERVICE"));
        services.hit(1);
        let output = services.world.run(&["list"]);
        assert!(output.stdout.contains(" first ") && output.code == 3, "{value}: {output:?}");
        services
            .world
            .run(&["pull", "--force"])
            .assert_code(3)
            .assert_stderr_contains("table service, column name");
        // The name that the center lists belongs to the same key.
        assert_eq!((services.covered(BROKEN), services.covered_by_others()), (2, [2; 3]), "{value}");
        services
            .world
            .run(&["pull", "--force"])
            .assert_code(3)
            .assert_stderr_contains("table service, column name")
            .assert_stderr_contains(BROKEN);
        services.world.run(&["prune"]).assert_code(3).assert_stderr_contains("table service, column name");
    }
}

#[test]
fn stored_changed_lines_that_cannot_be_read_are_named() {
    let services = FourServices::pulled();
    services.damage(
        "INSERT INTO cover_diff (row_id, base_commit, how, hit, lines, computed_at)
         VALUES (ROW, 'abc', NO_TEXT, 1, 2, '2020-01-01T00:00:00Z')",
    );
    for arguments in [&["total", BROKEN][..], &["history", BROKEN]] {
        let output = services.world.run(arguments);
        assert!(output.stderr.contains("table cover_diff, column how"), "{arguments:?}: {output:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_number_of_profiles_that_cannot_be_read_is_named_by_commands_that_only_read() {
    let services = FourServices::pulled();
    services.damage("UPDATE app SET last_number = -3 WHERE app_name = 'broken'");
    for arguments in [&["list", "--offline"][..], &["total", BROKEN], &["history", BROKEN]] {
        let output = services.world.run(arguments);
        assert!(output.stderr.contains("table app, column last_number"), "{arguments:?}: {output:?}");
    }
    services.world.run(&["list", "--offline"]).assert_code(3);
}

#[test]
fn times_of_runs_that_cannot_be_read_are_named_and_cost_nobody_anything() {
    let services = FourServices::pulled();
    services.damage(
        "UPDATE run SET started_at = NO_TEXT;
         INSERT INTO clock_jump (went_to, came_from, last_generation) VALUES (x'ff', '', 'x')",
    );
    services.hit(1);
    services
        .world
        .run(&["pull", "--force"])
        .assert_code(3)
        .assert_stderr_contains("table run, column")
        .assert_stderr_contains("table clock_jump, column");
    assert_eq!((services.covered(BROKEN), services.covered_by_others()), (2, [2; 3]));
}

#[test]
fn records_of_a_row_that_does_not_exist_keep_no_row_from_being_stored() {
    let services = FourServices::pulled();
    // The four rows have ids 1 to 4; these records have the id that the next row will get.
    services.damage(
        "INSERT INTO cover_fact (row_id, edition_id, covered, total, covered_digest, counts_digest, answered, listed)
         SELECT 5, edition_id, 0, 9, covered_digest, counts_digest, 7, 7 FROM cover_fact WHERE row_id = 1;
         INSERT INTO cover_diff (row_id, base_commit, how, hit, lines, computed_at)
         VALUES (5, 'abc', 'x', 1, 2, '2020-01-01T00:00:00Z')",
    );
    services.hit(1);
    services.world.pull(0);
    assert_eq!((services.covered(BROKEN), services.covered_by_others()), (2, [2; 3]));
    assert_eq!(services.world.query::<i64>("SELECT count(*) FROM cover_diff"), 0);
}

#[test]
fn a_row_with_the_largest_id_keeps_no_row_from_being_stored() {
    for sequence in ["4", "'x'", "NULL", "9223372036854775807"] {
        let services = FourServices::pulled();
        // SQLite's sequence of ids does not know of an id that was changed.
        services.damage(&format!(
            "DELETE FROM cover_fact WHERE row_id = ROW;
             UPDATE goc_o_staging_service_cover SET id = 9223372036854775807 WHERE id = ROW;
             UPDATE sqlite_sequence SET seq = {sequence}"
        ));
        for block in [1, 2] {
            services.hit(block);
            let output = services.world.run(&["pull", "--force"]);
            assert!([0, 3].contains(&output.code), "{sequence}: {output:?}");
        }
        assert_eq!((services.covered(BROKEN), services.covered_by_others()), (3, [3; 3]), "{sequence}");
    }
}
