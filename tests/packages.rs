//! What people install: the version that the program tells, and the package for Debian.
//!
//! `.ci/run deb` builds the package and a clean Debian system, and runs the tests that need both. By hand, as root:
//! `GOC_WATCHDOG_DEB=FILE GOC_WATCHDOG_DEBIAN=FOLDER cargo test --test tests packages:: -- --ignored`.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::source::project_path;
use crate::harness::units::{unit_environment, unit_values};
use crate::harness::{Output, World, output_of};

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

#[test]
fn the_changelog_of_the_debian_package_begins_with_this_version() {
    let text = fs::read_to_string(project_path(".ci/debian/changelog")).unwrap();
    let expected = concat!("goc-watchdog (", env!("CARGO_PKG_VERSION"), "-1) ");
    assert!(text.starts_with(expected), "{text}");
}

/// The folder of the data, and the environment of the services, as the package installs them.
const DATA: &str = "var/lib/goc-watchdog";
const ENVIRONMENT: &str = "etc/goc-watchdog/env";

/// A Debian system with the required packages alone, in a folder of its own.
struct Debian(TempDir);

impl Debian {
    /// Copies the system that `GOC_WATCHDOG_DEBIAN` names, with the package that `GOC_WATCHDOG_DEB` names in it.
    fn new() -> Self {
        let named = |name| PathBuf::from(env::var_os(name).expect("see the head of this file"));
        let folder = TempDir::new().unwrap();
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(named("GOC_WATCHDOG_DEBIAN").join(".")).arg(folder.path());
        output_of(&mut copy).assert_code(0);
        fs::copy(named("GOC_WATCHDOG_DEB"), folder.path().join("goc-watchdog.deb")).unwrap();
        Self(folder)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Runs a command in the system, with these options of chroot(8).
    fn command(&self, options: &[&str], command: &[&str]) -> Output {
        let mut chroot = Command::new("chroot");
        chroot.args(options).arg(self.0.path()).args(command);
        chroot.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        output_of(&mut chroot)
    }

    fn dpkg(&self, arguments: &[&str]) -> Output {
        // A system that a test throws away need not be on the disk.
        self.command(&[], &[&["dpkg", "--force-unsafe-io"], arguments].concat()).assert_code(0)
    }

    /// Runs a line as the user of the services, in a shell that has read their environment.
    fn as_service(&self, line: &str) -> Output {
        let line = format!("cd /; set -a; . /{ENVIRONMENT}; {line}");
        self.command(&["--userspec=goc-watchdog:goc-watchdog"], &["sh", "-c", &line])
    }

    /// Returns the paths of the package's name in a folder, below it.
    fn names_in(&self, folder: &str) -> String {
        let find = ["find", folder, "-name", "*goc-watchdog*", "-printf", "%P\n"];
        self.command(&[], &find).assert_code(0).stdout
    }
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

#[test]
#[ignore = "needs the package, a clean Debian system, and root: .ci/run deb has them"]
fn the_debian_package_has_all_that_a_user_expects_and_starts_nothing() {
    let debian = Debian::new();
    debian.dpkg(&["-i", "/goc-watchdog.deb"]);
    for (installed, source) in [
        ("usr/share/bash-completion/completions/goc-watchdog", "completions/goc-watchdog.bash"),
        ("usr/share/zsh/vendor-completions/_goc-watchdog", "completions/_goc-watchdog"),
        ("usr/share/fish/vendor_completions.d/goc-watchdog.fish", "completions/goc-watchdog.fish"),
        ("usr/lib/systemd/system/goc-watchdog-pull.service", "examples/systemd/goc-watchdog-pull.service"),
        ("usr/lib/systemd/system/goc-watchdog-pull.timer", "examples/systemd/goc-watchdog-pull.timer"),
        ("usr/lib/systemd/system/goc-watchdog-prune.service", "examples/systemd/goc-watchdog-prune.service"),
        ("usr/lib/systemd/system/goc-watchdog-prune.timer", "examples/systemd/goc-watchdog-prune.timer"),
        (ENVIRONMENT, "examples/systemd/env"),
        ("usr/share/doc/goc-watchdog/copyright", ".ci/debian/copyright"),
    ] {
        assert_eq!(read(debian.path(installed)), read(project_path(source)), "{installed}");
    }
    let notices = read(debian.path("usr/share/doc/goc-watchdog/LICENSES-of-crates.txt"));
    assert!(notices.contains("\nrusqlite ") && notices.contains("\n---- "), "{notices}");
    let pages = fs::read_dir(project_path("man")).unwrap().map(|entry| entry.unwrap().file_name());
    for page in pages.filter(|page| Path::new(page).extension().is_some_and(|extension| extension == "1")) {
        let page = format!("usr/share/man/man1/{}.gz", page.to_str().unwrap());
        assert!(debian.path(&page).is_file(), "{page}");
    }
    let version = debian.command(&[], &["goc-watchdog", "--version"]).assert_code(0).stdout;
    assert!(version.starts_with(concat!("goc-watchdog ", env!("CARGO_PKG_VERSION"))), "{version}");
    let user = debian.command(&[], &["getent", "passwd", "goc-watchdog"]).assert_code(0).stdout;
    assert!(user.ends_with(":/var/lib/goc-watchdog:/usr/sbin/nologin\n"), "{user}");
    assert_eq!(debian.names_in("/etc/systemd"), "", "no timer is enabled");
}

#[test]
#[ignore = "needs the package, a clean Debian system, and root: .ci/run deb has them"]
fn the_service_of_the_debian_package_pulls_and_its_group_reads() {
    let debian = Debian::new();
    debian.dpkg(&["-i", "/goc-watchdog.deb"]);
    let (world, _agents) = World::with_covered_echo();
    let center = format!("\nGOC_CENTER={}\n", world.center.url());
    let environment = unit_environment().replace("\n#GOC_CENTER=http://center:7777\n", &center);
    assert!(environment.contains(&center), "{environment}");
    fs::write(debian.path(ENVIRONMENT), environment).unwrap();

    for unit in ["goc-watchdog-pull.service", "goc-watchdog-prune.service"] {
        let command = unit_values(unit, "ExecStart").remove(0);
        let ran = debian.as_service(&command);
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{command}");
    }
    assert_eq!(debian.as_service("goc-watchdog total echoserver").assert_code(0).stdout, "20.0\n");
    let check = debian.as_service("goc-watchdog list --check").assert_code(0).stdout;
    for finding in
        ["ok       root ", "ok       owner ", "ok       center ", "ok       agent ", "ok       timer "]
    {
        assert!(check.contains(finding), "{finding}\n{check}");
    }

    let adduser =
        ["adduser", "--quiet", "--disabled-password", "--gecos", "", "--ingroup", "goc-watchdog", "tester"];
    debian.command(&[], &adduser).assert_code(0);
    let list = ["goc-watchdog", "list", "--offline", "--root", "/var/lib/goc-watchdog"];
    let member = debian.command(&["--userspec=tester:goc-watchdog"], &list).assert_code(0);
    assert!(member.stdout.contains("20.0"), "{}", member.stdout);
    debian.command(&["--userspec=tester:nogroup"], &list).assert_code(1);
    debian.command(&[], &list).assert_code(1).assert_stderr_contains("belongs to user goc-watchdog");
}

#[test]
#[ignore = "needs the package, a clean Debian system, and root: .ci/run deb has them"]
fn an_upgrade_of_the_debian_package_keeps_settings_and_its_removal_keeps_data() {
    let debian = Debian::new();
    debian.dpkg(&["-i", "/goc-watchdog.deb"]);
    let edited = unit_environment() + "GOC_WATCHDOG_TRUST_ROOT=1\n";
    fs::write(debian.path(ENVIRONMENT), &edited).unwrap();
    let data = debian.path(DATA).join("sqlite.db");
    fs::write(&data, "data").unwrap();
    let timer = "goc-watchdog-pull.timer";
    let mut enable = Command::new("systemctl");
    output_of(enable.arg("--root").arg(debian.0.path()).args(["enable", timer])).assert_code(0);
    let link = format!("system/timers.target.wants/{timer}\n");
    assert_eq!(debian.names_in("/etc/systemd"), link);
    let chmod = ["chmod", "2770", "/var/lib/goc-watchdog"];
    debian.command(&[], &chmod).assert_code(0);

    debian.dpkg(&["-i", "/goc-watchdog.deb"]);
    assert_eq!(read(debian.path(ENVIRONMENT)), edited);
    assert_eq!(debian.names_in("/etc/systemd"), link, "the timer stays enabled");
    let folder = fs::metadata(debian.path(DATA)).unwrap();
    assert_eq!(folder.mode() & 0o7777, 0o2770, "the folder stays as the administrator set it");

    let removed = debian.dpkg(&["-r", "goc-watchdog"]);
    assert_eq!(removed.stderr, "");
    assert_eq!(read(debian.path(ENVIRONMENT)), edited);
    assert!(!debian.path("usr/bin/goc-watchdog").exists());

    let purged = debian.dpkg(&["-P", "goc-watchdog"]);
    assert_eq!(
        purged.stderr,
        "The coverage data in /var/lib/goc-watchdog and the user goc-watchdog stay. To remove them:\n  \
         rm -r /var/lib/goc-watchdog && deluser --system goc-watchdog\n"
    );
    assert_eq!(debian.names_in("/etc"), "");
    assert_eq!(read(&data), "data");
    assert_eq!(fs::metadata(debian.path(DATA)).unwrap().uid(), folder.uid());
    debian.command(&[], &["getent", "passwd", "goc-watchdog"]).assert_code(0);
}
