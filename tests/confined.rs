//! The shipped systemd services, run as systemd would run them on this machine: with their user, their umask and the
//! files that their unit lets them see and write. No systemd is needed: the properties are applied one by one.

use std::fs;
use std::process::Command;

use crate::harness::units::{ENVIRONMENT_FILE, service_settings, unit_environment, variables_of};
use crate::harness::users::{SERVICE_USER, can_change_user, make_folder};
use crate::harness::{ECHO, Output, World, output_of, warn_skipped};
use crate::sim::Agent;

/// The folder at which these tests mount an inbox. A unit sees the folder, but cannot write to it without another
/// setting.
const INBOX: &str = "/srv/inbox";

/// Properties that are applied without a mount or a lost privilege, and are checked elsewhere.
///
/// `examples::the_services_make_no_system_call_that_their_filter_forbids` compares the restrictions with the system
/// calls that are made. The state directory is the folder of the test, which has its mode.
const CHECKED_ELSEWHERE: [&str; 19] = [
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "RemoveIPC",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "StateDirectory",
    "StateDirectoryMode",
    "SuccessExitStatus",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
    "SystemCallFilter",
    "TimeoutStartSec",
    "Type",
];

/// A process as a unit starts it: a script of its mounts, then its privileges, then its command.
#[derive(Default)]
struct UnitProcess {
    /// Script that root runs in a private mount namespace, before everything becomes read-only.
    mounts: String,
    writable: Vec<String>,
    /// Options of setpriv(1).
    privileges: Vec<String>,
    umask: String,
    environment: Vec<String>,
    command: Vec<String>,
}

/// Makes everything read-only but the paths of the unit and folders that are private anyway. Fails where root could
/// still write.
const READ_ONLY: &str = r#"
for at in $(awk '{print $5}' /proc/self/mountinfo | sort -u); do
    case "$at " in
        /proc[/\ ]*|/sys[/\ ]*|/dev[/\ ]*|/tmp\ |/var/tmp\ ) continue;;
    esac
    is_writable=no
    for path in $WRITABLE; do [ "$at" != "$path" ] || is_writable=yes; done
    [ $is_writable = yes ] || mount -o remount,bind,ro "$(printf %b "$at")" || :
done
for path in / /etc /usr /var/lib; do
    [ ! -w $path ] || { echo "$path can still be written" >&2; exit 99; }
done
"#;
const NO_HOMES: &str =
    "for at in /home /root /run/user; do [ ! -d $at ] || mount -t tmpfs -o mode=0,ro tmpfs $at; done\n";
const OWN_TMP: &str = "for at in /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $at; done\n";
const OWN_DEVICES: &str = "\
mount -t tmpfs -o mode=755 tmpfs /mnt
for node in null zero full random urandom tty; do touch /mnt/$node; mount --bind /dev/$node /mnt/$node; done
mkdir /mnt/shm; mount -t tmpfs -o mode=1777 tmpfs /mnt/shm; mount --move /mnt /dev
";

impl UnitProcess {
    fn from_unit(unit: &str) -> Self {
        let mut process = Self::default();
        let mut proc_options = Vec::new();
        let mut late = String::new();
        for (key, value) in service_settings(unit) {
            match (&*key, &*value) {
                ("User", _) => process.privileges.push(format!("--reuid={SERVICE_USER}")),
                ("Group", _) => process.privileges.push(format!("--regid={SERVICE_USER}")),
                ("NoNewPrivileges", "yes") => process.privileges.push("--no-new-privs".into()),
                ("CapabilityBoundingSet", "") => process.privileges.push("--bounding-set=-all".into()),
                ("AmbientCapabilities", "") => {
                    process.privileges.extend(["--inh-caps=-all".into(), "--ambient-caps=-all".into()]);
                }
                ("UMask", umask) => umask.clone_into(&mut process.umask),
                ("EnvironmentFile", ENVIRONMENT_FILE) => {
                    process.environment.extend(variables_of(&unit_environment()).map(Into::into));
                }
                ("ExecStart", command) => process.command = command.split(' ').map(Into::into).collect(),
                ("ReadWritePaths", path) => process.writable.push(path.into()),
                ("ProtectSystem", "strict") => late.push_str(READ_ONLY),
                ("ProtectHome", "yes") => process.mounts.push_str(NO_HOMES),
                ("PrivateTmp", "yes") => process.mounts.push_str(OWN_TMP),
                ("PrivateDevices", "yes") => process.mounts.push_str(OWN_DEVICES),
                ("ProtectProc", value) => proc_options.push(format!("hidepid={value}")),
                ("ProcSubset", value) => proc_options.push(format!("subset={value}")),
                ("ProtectControlGroups" | "ProtectKernelTunables", "yes") => {
                    late.push_str("mount -o remount,bind,ro /sys\n");
                }
                (key, _) if CHECKED_ELSEWHERE.contains(&key) => {}
                _ => panic!("{key}={value} of {unit} is applied by nothing here"),
            }
        }
        // The file systems become read-only last, since the script finds the other mounts in the list of them.
        process.mounts.push_str(&late);
        process.mounts.extend(["mount -t proc -o ", &proc_options.join(","), " proc /proc\n"]);
        process
    }

    /// Runs the command with the root of a world and the binary at the paths that the unit names.
    fn run(&self, world: &World) -> Output {
        let lines = [
            "set -eu",
            "mount -t tmpfs -o mode=755 tmpfs /usr/local/bin",
            "cp \"$BINARY\" /usr/local/bin/goc-watchdog",
            "mount -t tmpfs -o mode=755 tmpfs /var/lib",
            "mkdir /var/lib/goc-watchdog",
            "mount --bind \"$ROOT\" /var/lib/goc-watchdog",
            "mount -t tmpfs -o mode=755 tmpfs /srv",
            "mkdir /srv/inbox",
            "[ ! -d \"$INBOX\" ] || mount --bind \"$INBOX\" /srv/inbox",
            &self.mounts,
            "cd /",
            "umask $MASK",
            "exec \"$@\"",
        ];
        let mut command = Command::new("unshare");
        world.set_environment(&mut command);
        command.args(["--mount", "--propagation", "private", "sh", "-c", &lines.join("\n"), "sh"]);
        command.args(["setpriv", "--clear-groups"]).args(&self.privileges);
        command.args(["env", "-i", "HOME=/var/lib/goc-watchdog", "PATH=/usr/local/bin:/usr/bin:/bin"]);
        command.args(&self.environment).arg(format!("GOC_CENTER={}", world.center.url())).args(&self.command);
        command.env("BINARY", env!("CARGO_BIN_EXE_goc-watchdog")).env("ROOT", world.root());
        command.env("INBOX", world.home().join("inbox")).env("MASK", &self.umask);
        output_of(command.env("WRITABLE", self.writable.join(" ")))
    }
}

/// Tells whether this machine lets the properties of a unit be applied; warns where not.
fn can_confine() -> bool {
    let namespace = "mount -t tmpfs tmpfs /srv && mount -t proc -o hidepid=invisible,subset=pid proc /proc";
    let unshare =
        Command::new("unshare").args(["--mount", "--propagation", "private", "sh", "-c", namespace]).output();
    let can_confine = can_change_user() && unshare.is_ok_and(|output| output.status.success());
    if !can_confine {
        warn_skipped("neither root nor mount namespaces here, so no unit was run as systemd confines it");
    }
    can_confine
}

/// Makes a world whose root is the state directory of the services.
fn world_of_service() -> (World, Vec<Agent>) {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[0], 1);
    let settings = service_settings("goc-watchdog-pull.service");
    let mode = settings.iter().find(|(key, _)| key == "StateDirectoryMode").unwrap();
    make_folder(&world.root(), SERVICE_USER, SERVICE_USER, u32::from_str_radix(&mode.1, 8).unwrap());
    (world, agents)
}

#[test]
fn the_systemd_services_work_as_they_are_confined() {
    if !can_confine() {
        return;
    }
    let (world, agents) = world_of_service();
    let [pull, prune] =
        ["goc-watchdog-pull.service", "goc-watchdog-prune.service"].map(UnitProcess::from_unit);
    for _ in 0..2 {
        for process in [&pull, &prune] {
            let ran = process.run(&world);
            assert_eq!((ran.code, &*ran.stderr), (0, ""), "{:?}", process.command);
        }
    }
    assert_eq!(world.run(&["--trust-root", "total", "echoserver"]).assert_code(0).stdout, "20.0\n");
    drop(agents);
    // A confined service names a fault as any other run does.
    world.center.remove_all();
    fs::remove_file(world.root().join("sqlite.db")).unwrap();
    fs::create_dir(world.root().join("sqlite.db")).unwrap();
    pull.run(&world).assert_code(1).assert_stderr_contains("sqlite.db");
}

#[test]
fn an_inbox_that_the_unit_may_not_write_is_named_and_one_line_of_the_unit_mends_it() {
    if !can_confine() {
        return;
    }
    let (world, agents) = world_of_service();
    let inbox = world.home().join("inbox");
    make_folder(&inbox, SERVICE_USER, SERVICE_USER, 0o770);
    fs::write(world.root().join("goc-watchdog.toml"), format!("inbox = [{INBOX:?}]\n")).unwrap();
    world.run_hook(&inbox, &agents[0].url(), ECHO, &["--strict"]).assert_code(0);
    let mut pull = UnitProcess::from_unit("goc-watchdog-pull.service");
    pull.run(&world)
        .assert_code(3)
        .assert_stderr_contains("cannot remove \"/srv/inbox/")
        .assert_stderr_contains("Read-only file system")
        .assert_stderr_contains("its data is stored and not counted again");
    assert_eq!(fs::read_dir(&inbox).unwrap().count(), 1);
    pull.writable.push(INBOX.into());
    assert_eq!(pull.run(&world).assert_code(0).stderr, "");
    assert_eq!(fs::read_dir(&inbox).unwrap().count(), 0);
}
