//! Work directories of earlier releases are brought up to date, and lose nothing.

use std::fs;
use std::process::Command;

use rusqlite::Connection;

use crate::harness::source::project_path;
use crate::harness::{World, profile_of};

/// A root that a release wrote; `tests/fixtures/roots/make.py` makes it and says what is in it.
struct Release {
    version: &'static str,
    /// Schema of the database.
    schema: usize,
}

/// Releases with the roots that they wrote; each new one is added here.
const RELEASES: [Release; 1] = [Release { version: "0.1.0", schema: 6 }];

const SHOP: &str = "staging_th_shop_main_0123456789";
const CART: &str = "staging_th_cart_main_89abcdef01";

/// Blocks that the newest profile of each service of such a root covers.
const COVERED: [(&str, &[&str]); 2] = [
    ("cart", &["example.com/cart/cart.go:1.1,5.2 3"]),
    ("shop", &["example.com/shop/common.go:1.1,3.2 2", "example.com/shop/server.go:1.1,5.2 3"]),
];

fn world_from_release(release: &Release) -> World {
    let world = World::new();
    let tar = project_path(&format!("tests/fixtures/roots/{}.tar", release.version));
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
    for release in &RELEASES {
        let world = world_from_release(release);
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
        assert!(
            output.contains(&format!("(schema {} to ", release.schema)) && output.ends_with(&copy),
            "{output}"
        );
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
        let schema: usize = copy.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        let rows: usize =
            copy.query_row("SELECT count(*) FROM goc_o_staging_service_cover", [], |row| row.get(0)).unwrap();
        assert_eq!((schema, rows), (release.schema, before));
        drop(agent);
        let text = world.latest_text("shop");
        assert!(profile_of(&text).coverage().covered > 0);
    }
}

#[test]
fn a_database_of_which_no_copy_can_be_kept_is_not_brought_up_to_date() {
    let release = &RELEASES[0];
    let world = world_from_release(release);
    let name = format!("sqlite.db.before-{}", env!("CARGO_PKG_VERSION"));
    fs::create_dir(world.root().join(format!("{name}.tmp"))).unwrap();
    for command in ["pull", "prune"] {
        world
            .run(&[command])
            .assert_code(1)
            .assert_stderr_contains("cannot keep a copy of")
            .assert_stderr_contains("was not brought up to date");
        assert_eq!(world.query::<usize>("PRAGMA user_version"), release.schema);
    }
    fs::remove_dir(world.root().join(format!("{name}.tmp"))).unwrap();
    // Prune brings the database up to date, too.
    world.run(&["prune", "--retention-only"]).assert_code(0).assert_stderr_contains(&name);
    assert_eq!(names_before(&world), [name.as_str()]);
}

#[test]
fn a_copy_holds_what_lies_in_the_log_of_a_run_that_was_killed() {
    let release = &RELEASES[0];
    let world = world_from_release(release);
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
