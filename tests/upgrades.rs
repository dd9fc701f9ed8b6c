//! Work directories of earlier releases are brought up to date, and lose nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::source::project_path;
use crate::harness::{World, profile_of};
use crate::sim::{BinaryProgram, Coverport};

/// Schemas of the roots that releases wrote; each new one is added here. `tests/fixtures/roots/make.py` makes such a root
/// and says what is in it.
const SCHEMAS: [usize; 2] = [6, BEFORE_BINARY_DATA];

/// The schema of the last release that knew neither Go's binary coverage data nor targets.
const BEFORE_BINARY_DATA: usize = 15;

const SHOP: &str = "staging_th_shop_main_0123456789";
const CART: &str = "staging_th_cart_main_89abcdef01";
/// A service in the root of [`BEFORE_BINARY_DATA`].
const PAY: &str = "staging_th_pay_main_fedcba9876";
const PAY_BLOCKS: &str = "example.com/pay/pay.go:1.1,5.2 3\n\
    example.com/pay/pay.go:7.1,9.2 2\n\
    example.com/pay/refund.go:1.1,4.2 5\n";

/// Blocks that the newest profile of each service of such a root covers.
const COVERED: [(&str, &[&str]); 2] = [
    ("cart", &["example.com/cart/cart.go:1.1,5.2 3"]),
    ("shop", &["example.com/shop/common.go:1.1,3.2 2", "example.com/shop/server.go:1.1,5.2 3"]),
];

fn world_of_schema(schema: usize) -> World {
    let world = World::new();
    let tar = project_path(&format!("tests/fixtures/roots/schema-{schema}.tar"));
    let unpacked = Command::new("tar").args(["xf", &tar, "-C"]).arg(world.home()).status().unwrap();
    assert!(unpacked.success());
    world
}

fn names_before(world: &World) -> Vec<String> {
    let names = fs::read_dir(world.root()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| name.contains(".before-")).collect()
}

#[test]
fn the_root_of_each_release_is_pulled_into_pruned_and_reported() {
    for schema in SCHEMAS {
        let world = world_of_schema(schema);
        let before = world.row_count();
        for (app, wanted) in COVERED {
            assert!(wanted.iter().all(|block| world.covered_blocks(app).contains(*block)), "{app}");
        }
        // A command that only reads changes nothing.
        world
            .run(&["total", "shop"])
            .assert_code(1)
            .assert_stderr_contains("the next pull or prune brings it up to date");
        assert_eq!(names_before(&world), [""; 0]);

        let agent = world.start_counted(
            SHOP,
            "example.com/shop/server.go:1.1,5.2 3 0\nexample.com/shop/common.go:1.1,3.2 2 0\n\
             example.com/shop/worker.go:1.1,5.2 4 7\n",
        );
        let pulled = world.run(&["pull", "--force"]);
        assert!([0, 3].contains(&pulled.code), "{}", pulled.stderr);
        let copy = format!("sqlite.db.before-{}", env!("CARGO_PKG_VERSION"));
        let output = pulled.stderr.lines().find(|line| line.contains("was brought up to date")).unwrap();
        assert!(output.contains(&format!("(schema {schema} to ")) && output.ends_with(&copy), "{output}");
        assert_eq!(names_before(&world), [copy.as_str()]);

        // All stored blocks are there, with those of this pull and of the inbox.
        for (app, wanted) in COVERED {
            let covered = world.covered_blocks(app);
            assert!(wanted.iter().all(|block| covered.contains(*block)), "{app}: {covered:?}");
        }
        assert!(world.covered_blocks("shop").contains("example.com/shop/worker.go:1.1,5.2 4"));
        assert!(world.covered_blocks("cart").contains("example.com/cart/cart.go:7.1,9.2 2"), "of the inbox");
        assert_eq!(world.files(".snapshot"), [""; 0].map(std::path::PathBuf::from));
        assert!(world.row_count() > before);
        world.assert_consistent();

        let pruned = world.run(&["prune"]);
        assert!([0, 3].contains(&pruned.code), "{}", pruned.stderr);
        let listed = world.center.listed();
        assert!(
            listed.iter().any(|(_, address)| *address == agent.url()),
            "a process that answers stays: {listed:?}"
        );
        for (arguments, part) in [
            (&["total", CART][..], "100.0"),
            (&["history", "shop"], "0123456789"),
            (&["list", "--offline"], "shop"),
            (&["report", "cart", "--format", "lcov"], "example.com/cart/cart.go"),
        ] {
            let output = world.run(arguments);
            assert!([0, 3].contains(&output.code), "{arguments:?}: {}", output.stderr);
            assert!(output.stdout.contains(part), "{arguments:?}: {}", output.stdout);
        }
        let again = world.run(&["pull", "--force"]);
        assert!(!again.stderr.contains("brought up to date"), "{}", again.stderr);
        world.assert_consistent();

        // The copy is the database as it was, with everything that lay in its log.
        let copy = Connection::open(world.root().join(copy)).unwrap();
        let copied: usize = copy.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        let rows: usize =
            copy.query_row("SELECT count(*) FROM goc_o_staging_service_cover", [], |row| row.get(0)).unwrap();
        assert_eq!((copied, rows), (schema, before));
        drop(agent);
        let text = world.latest_text("shop");
        assert!(profile_of(&text).coverage().covered > 0);
    }
}

/// Returns what the release that wrote the root printed of it.
fn printed(world: &World, name: &str) -> String {
    fs::read_to_string(world.home().join("printed").join(name)).unwrap()
}

/// Fails unless each field of `before` has the same value in `now`; further fields may be there.
#[track_caller]
fn assert_same_fields(before: &Value, now: &Value, path: &str) {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            // A pull that is due is shown as due now.
            for (name, value) in before.iter().filter(|(name, _)| *name != "next_pull") {
                let found = now.get(name).unwrap_or_else(|| panic!("{path}.{name} is gone"));
                assert_same_fields(value, found, &format!("{path}.{name}"));
            }
        }
        (Value::Array(before), Value::Array(now)) => {
            assert_eq!(before.len(), now.len(), "{path}");
            for (index, (before, now)) in before.iter().zip(now).enumerate() {
                assert_same_fields(before, now, &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(now, before, "{path}"),
    }
}

#[test]
fn the_figures_of_a_root_are_those_that_its_release_printed() {
    let world = world_of_schema(BEFORE_BINARY_DATA);
    world.run(&["prune", "--retention-only"]).assert_code(0).assert_stderr_contains("was brought up to date");
    for app in ["cart", "pay", "shop"] {
        let total = world.run(&["total", app]).assert_code(0);
        assert_eq!(total.stdout, printed(&world, &format!("total-{app}.txt")));
        let history = world.run(&["history", app, "--format", "json"]).assert_code(0);
        let before: Value = serde_json::from_str(&printed(&world, &format!("history-{app}.json"))).unwrap();
        assert_same_fields(&before, &history.json()[0], app);
        // The name of the test in the first line tells in words that there is no source here.
        let counts = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with("TN:")).map(str::to_owned).collect()
        };
        let report = world.run(&["report", app, "--format", "lcov"]).assert_code(3);
        assert_eq!(counts(&report.stdout), counts(&printed(&world, &format!("report-{app}.lcov"))));
    }
    let list = world.run(&["list", "--offline", "--format", "json"]).assert_code(0);
    let before: Value = serde_json::from_str(&printed(&world, "list.json")).unwrap();
    assert_same_fields(&before, &list.json()[0], "list");
}

/// Leaves data of a process in a folder, as it is written at the end of the process.
fn leave_data(folder: &Path, program: &BinaryProgram, counts: &[u64]) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("covmeta.0"), program.meta()).unwrap();
    fs::write(folder.join("covcounters.0.77.1795924465675318441"), program.counters(counts)).unwrap();
}

#[test]
fn the_root_of_a_release_before_binary_data_goes_on_with_binary_data_and_targets() {
    let world = world_of_schema(BEFORE_BINARY_DATA);
    let program = BinaryProgram::from_profile(PAY_BLOCKS);
    let agent = Coverport::start(&program);
    agent.hit(&[1], 100);
    leave_data(&world.inbox().join(PAY).join("pod-2"), &program, &[0, 0, 1000]);
    let targets = world.home().join("targets.json");
    let address = agent.url().trim_start_matches("http://").to_owned();
    let labels =
        json!({"env": "staging", "region": "th", "app": "pay", "branch": "main", "commit": "fedcba9876"});
    fs::write(&targets, json!([{"targets": [address], "labels": labels}]).to_string()).unwrap();
    let targets = targets.display().to_string();
    let pull = |code: i32| {
        let output = world.run(&["pull", "--force", "--change", "counts", "--targets", &targets]);
        output.assert_code(code)
    };
    let pay = || profile_of(&world.latest_text("pay")).counts;

    // The life that ended and the one after it; the snapshot of the other process; the agent and the folder.
    pull(0).assert_stderr_contains("was brought up to date");
    assert_eq!(pay(), [41 + 1 + 6, 3 + 1 + 100, 8 + 1000]);
    for (table, rows) in
        [("target_source", 1), ("target", 1), ("agent", 1), ("meta", 1), ("process", 1), ("left_meta", 1)]
    {
        assert_eq!(world.query::<i64>(&format!("SELECT count(*) FROM {table}")), rows, "{table}");
    }
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation WHERE is_mixture"), 0);

    agent.hit(&[1], 5);
    pull(0);
    assert_eq!(pay(), [48, 109, 1008]);
    assert_eq!(world.run(&["total", "pay"]).assert_code(0).stdout, printed(&world, "total-pay.txt"));
    world.run(&["prune", "--retention-only"]).assert_code(0);
    world.assert_consistent();
    let rows: usize = world.query(
        "SELECT count(*) FROM goc_o_staging_service_cover WHERE app_name = 'pay' AND deleted_at IS NULL",
    );
    let history = world.run(&["history", "pay", "--format", "json"]).assert_code(0).json();
    assert_eq!(history[0].as_array().unwrap().len(), rows);
    assert!(rows > 3, "rows of both releases are in the history");
}

#[test]
fn a_database_of_which_no_copy_can_be_kept_is_not_brought_up_to_date() {
    let world = world_of_schema(SCHEMAS[0]);
    let name = format!("sqlite.db.before-{}", env!("CARGO_PKG_VERSION"));
    fs::create_dir(world.root().join(format!("{name}.tmp"))).unwrap();
    for command in ["pull", "prune"] {
        world
            .run(&[command])
            .assert_code(1)
            .assert_stderr_contains("cannot keep a copy of")
            .assert_stderr_contains("was not brought up to date");
        assert_eq!(world.query::<usize>("PRAGMA user_version"), SCHEMAS[0]);
    }
    fs::remove_dir(world.root().join(format!("{name}.tmp"))).unwrap();
    // Prune brings the database up to date, too.
    world.run(&["prune", "--retention-only"]).assert_code(0).assert_stderr_contains(&name);
    assert_eq!(names_before(&world), [name.as_str()]);
}

#[test]
fn a_copy_holds_what_lies_in_the_log_of_a_run_that_was_killed() {
    let world = world_of_schema(SCHEMAS[0]);
    // A crash leaves changes in the log alone.
    let database = world.root().join("sqlite.db");
    let running = Connection::open(&database).unwrap();
    running.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0").unwrap();
    running.execute("UPDATE goc_o_staging_service_cover SET git_branch = 'of the log'", []).unwrap();
    let left = world.home().join("left");
    fs::create_dir(&left).unwrap();
    for name in ["sqlite.db", "sqlite.db-wal"] {
        fs::copy(world.root().join(name), left.join(name)).unwrap();
    }
    drop(running);
    for name in ["sqlite.db", "sqlite.db-wal"] {
        fs::copy(left.join(name), world.root().join(name)).unwrap();
    }
    let _ = fs::remove_file(world.root().join("sqlite.db-shm"));
    world.run(&["prune", "--retention-only"]).assert_code(0);
    let copy = format!("sqlite.db.before-{}", env!("CARGO_PKG_VERSION"));
    let copy = Connection::open(world.root().join(copy)).unwrap();
    let others: i64 = copy
        .query_row(
            "SELECT count(*) FROM goc_o_staging_service_cover WHERE git_branch <> 'of the log'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(others, 0);
}
