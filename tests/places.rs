//! Blocks at one place with different numbers of statements, which Go's own tools refuse in a profile.

use std::fs;

use crate::harness::World;
use crate::sim::Program;

const SERVICE: &str = "staging_th_app_main_1234567";

/// A profile with different code at one place, as line comments of a generated parser cause it.
const BLOCKS_AT_ONE_PLACE: &str = "example.com/app/y.go:3.10,5.2 1\n\
                     example.com/app/y.go:50.0,50.0 3\n\
                     example.com/app/y.go:50.0,50.0 1\n\
                     example.com/app/y.go:50.0,50.1 2\n";

#[test]
fn stored_profiles_have_each_block_at_a_place_of_its_own_with_all_of_its_counts() {
    let world = World::new();
    world.configure("");
    let agent = world.start(SERVICE, &Program::from_profile(BLOCKS_AT_ONE_PLACE));
    agent.hit(&[0, 2], 4);
    assert_eq!(world.pull(0).stderr, "");
    // The later block ends one column further, as Go's cover tool writes it (dedup in cmd/cover).
    let stored = "mode: count\n\
                  example.com/app/y.go:3.10,5.2 1 4\n\
                  example.com/app/y.go:50.0,50.0 1 4\n\
                  example.com/app/y.go:50.0,50.1 3 0\n\
                  example.com/app/y.go:50.0,50.2 2 0\n";
    assert_eq!(world.latest_text("app"), stored);
    let total = world.run(&["total", SERVICE, "--format", "json"]).assert_code(0).json();
    assert_eq!((&total[0]["covered"], &total[0]["total"]), (&2.into(), &7.into()), "{}", total[0]);
    agent.hit(&[1], 2);
    world.pull(0);
    assert!(world.latest_text("app").contains("50.0,50.1 3 2\n"), "{}", world.latest_text("app"));
    // The stored file is not damaged, and a lost one is written again as it was.
    let text = world.latest_text("app");
    assert_eq!(world.run(&["prune"]).assert_code(0).stderr, "");
    let path = world.files(".cov").pop().unwrap();
    fs::remove_file(path).unwrap();
    world.run(&["prune"]).assert_code(0).assert_stderr_contains("written again");
    assert_eq!(world.latest_text("app"), text);
    world.assert_consistent();
}

#[test]
fn forms_of_lines_have_the_line_of_several_blocks_once() {
    let world = World::new();
    let agent = world.start(SERVICE, &Program::from_profile(BLOCKS_AT_ONE_PLACE));
    agent.hit(&[0, 2], 4);
    world.pull(0);
    let lcov = world.run(&["report", SERVICE, "--format", "lcov"]);
    let lines: Vec<&str> = lcov.stdout.lines().filter(|line| line.starts_with("DA:50,")).collect();
    assert_eq!(lines, ["DA:50,4"]);
    let cobertura = world.run(&["report", SERVICE, "--format", "cobertura"]);
    assert_eq!(cobertura.stdout.matches("<line number=\"50\"").count(), 1, "{}", cobertura.stdout);
    let codecov = world.run(&["report", SERVICE, "--format", "codecov"]);
    assert_eq!(codecov.stdout.matches("\"50\":").count(), 1, "{}", codecov.stdout);
}

#[test]
fn replicas_that_count_another_number_of_statements_are_two_builds() {
    let world = World::new();
    let one = world.start(SERVICE, &Program::from_profile("example.com/app/a.go:3.13,5.2 1\n"));
    let other = world.start(SERVICE, &Program::from_profile("example.com/app/a.go:3.13,5.2 2\n"));
    one.hit(&[0], 1);
    other.hit(&[0], 1);
    let output = world.pull(3);
    output.assert_stderr_contains("which contradicts the one shown");
    assert_eq!(world.latest_text("app").lines().count(), 2, "the blocks of one of them");
    world.assert_consistent();
}
