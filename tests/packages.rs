//! What people install: the version that the program tells.

use crate::harness::World;

#[test]
fn the_version_is_one_line_that_both_options_print_and_each_command_has() {
    let world = World::new();
    let long = world.run(&["--version"]).assert_code(0);
    let expected = concat!("goc-watchdog ", env!("CARGO_PKG_VERSION"));
    let rest = long.stdout.strip_prefix(expected).and_then(|rest| rest.strip_suffix('\n')).expect("one line");
    // Commit and date depend on the environment of this build.
    assert!(rest.is_empty() || rest.starts_with(" (") && rest.ends_with(')'), "{rest}");
    assert!(!rest.contains('\n') && long.stderr.is_empty(), "{}{}", long.stdout, long.stderr);
    assert_eq!(world.run(&["-V"]).assert_code(0).stdout, long.stdout);
    assert_eq!(
        world.run(&["pull", "--version"]).assert_code(0).stdout,
        long.stdout.replace("dog ", "dog-pull ")
    );
}
