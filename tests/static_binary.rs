//! The statically linked binary, in a root folder with nothing else in it; and one for another machine.
//!
//! `.ci/run` builds them and runs these tests. By hand, as root:
//! `GOC_WATCHDOG_STATIC=FILE cargo test static_binary::the -- --ignored`, and
//! `GOC_WATCHDOG_EMULATED='qemu-aarch64 FILE' cargo test static_binary::emulated -- --ignored`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::source::Source;
use crate::harness::{ECHO, Output, World, make_program, output_of};

/// Root folder of an image that was made `FROM scratch`, with the names that a container's runtime adds.
struct Image(TempDir);

impl Image {
    fn new() -> Self {
        let binary = std::env::var_os("GOC_WATCHDOG_STATIC").map(PathBuf::from);
        let binary = binary.expect("GOC_WATCHDOG_STATIC names the statically linked binary");
        let folder = TempDir::new().unwrap();
        make_program(&folder.path().join("goc-watchdog"), fs::File::open(binary).unwrap());
        fs::create_dir(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/hosts"), "127.0.0.1 center\n").unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the binary with an environment that names nothing but the root.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("chroot");
        command.arg(self.path()).arg("/goc-watchdog").args(arguments);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("GOC_WATCHDOG_ROOT", "/data");
        output_of(&mut command)
    }
}

#[test]
#[ignore = "needs a statically linked binary, and root: .ci/run has both"]
fn the_static_binary_pulls_stores_and_prunes_where_there_is_nothing_else() {
    let image = Image::new();
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[0, 1], 3);
    agents[1].hit(&[4], 1);
    let center = world.center.url().replace("127.0.0.1", "center");

    let output = image.run(&["pull", "--center", &center, "--format", "json"]).assert_code(0);
    assert_eq!((&output.json()[0]["covered"], &output.json()[0]["total"]), (&6.into(), &10.into()));
    assert_eq!(
        output.stderr,
        "goc-watchdog: the root \"/data\" is new; another one is named by --root or GOC_WATCHDOG_ROOT\n"
    );
    assert_eq!(image.run(&["total", ECHO]).assert_code(0).stdout, "60.0\n");
    image.run(&["prune", "--center", &center]).assert_code(0);
    image.run(&["report", ECHO]).assert_code(1).assert_stderr_contains("git");

    // A hook runs this before the end of a container of the service.
    fs::create_dir(image.path().join("inbox")).unwrap();
    agents[0].hit(&[2], 1);
    let url = agents[0].url();
    image
        .run(&["pull", "--to-inbox", "/inbox", "--service", ECHO, "--address", &url, "--strict"])
        .assert_code(0);
    assert_eq!(fs::read_dir(image.path().join("inbox")).unwrap().count(), 1);

    let data = image.path().join("data");
    assert!(data.join("sqlite.db").is_file() && data.join("apa_goc_echoserver/cov_data").is_dir());
    let mut left: Vec<_> = fs::read_dir(image.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(
        left,
        ["data", "etc", "goc-watchdog", "inbox"],
        "nothing is written beside the root and the inbox"
    );
}

#[test]
#[ignore = "needs a binary for another machine, and an emulator: .ci/run has both"]
fn emulated_binary_pulls_lists_and_reports() {
    let command = std::env::var("GOC_WATCHDOG_EMULATED").expect("GOC_WATCHDOG_EMULATED names both");
    let (emulator, binary) = command.split_once(' ').expect("the emulator, and the binary");
    let (world, source) = (World::new(), Source::with_main());
    let profile = "example.com/app/main.go:3.13,5.2 1 1\nexample.com/app/main.go:7.12,9.2 1 0\n";
    let _agent = world.start_counted(&source.service_name(), profile);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(emulator);
        command.arg(binary).args(arguments);
        world.set_environment(&mut command);
        output_of(&mut command).assert_code(0)
    };

    assert_eq!(
        run(&["--version"]).stdout.split(' ').nth(1).map(str::trim_end),
        Some(env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(run(&["pull", "--format", "json"]).json()[0]["covered"], 1);
    assert_eq!(run(&["list", "--format", "json"]).json()[0][0]["state"], "ok");
    source.clone_into(&world, &["--bare"]);
    for arguments in [&["list", "--offline", "--format", "json"][..], &["total", "app"], &["report", "app"]] {
        let (emulated, native) = (run(arguments), world.run(arguments).assert_code(0));
        assert_eq!(emulated.stdout, native.stdout, "{arguments:?}");
    }
    let table = "example.com/app/main.go:3:\tmain\t\t100.0%\nexample.com/app/main.go:7:\trun\t\t0.0%\n\
                 total:\t\t\t\t(statements)\t50.0%\n";
    assert_eq!(run(&["report", "app"]).stdout, table);
}
