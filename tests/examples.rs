//! The files of `examples/` are checked or run here, so that none of them becomes wrong unnoticed. (`.ci/run` runs the
//! quickstart and the tests of the agent, and the tests of the real goc run the echo service.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use clap::CommandFactory;
use goc_watchdog::cli::Cli;
use goc_watchdog::config::Config;
use goc_watchdog::exit::ExitCode;
use serde_json::Value;

use crate::harness::service::Service;
use crate::harness::source::{Source, project_path};
use crate::harness::units::{ENVIRONMENT_FILE, unit_environment, unit_values, variables_of};
use crate::harness::users::{NOBODY, SERVICE_USER};
use crate::harness::{ECHO, MAIN_BLOCK, Output, World, echo, has_program, make_script, output_of};
use crate::sim::{AfterAnswer, Agent, Program, Request, Server, sized};

/// The examples that a person adapts; [`each_example_says_what_to_change`] compares the list with the folder.
const EXAMPLES: [&str; 18] = [
    "ci/github-actions.yml",
    "ci/gitlab-ci.yml",
    "compose/compose.yaml",
    "crontab",
    "kubernetes/Dockerfile",
    "kubernetes/cover-deployment.yaml",
    "kubernetes/cronjob.yaml",
    "kubernetes/deployment.yaml",
    "kubernetes/shell.yaml",
    "kubernetes/targets.yaml",
    "kubernetes/volumes.yaml",
    "site/crontab",
    "site/nginx.conf",
    "systemd/env",
    "systemd/goc-watchdog-prune.service",
    "systemd/goc-watchdog-prune.timer",
    "systemd/goc-watchdog-pull.service",
    "systemd/goc-watchdog-pull.timer",
];

/// The path at which the examples expect the binary.
const INSTALLED: &str = "/usr/local/bin/goc-watchdog";

pub(crate) fn example(name: &str) -> String {
    fs::read_to_string(project_path("examples/") + name).unwrap()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Fails unless the program, or a process built with goc, reads the variable.
#[track_caller]
fn assert_is_read(variable: &str) {
    let cli = Cli::command();
    let mut read = cli.get_arguments().filter_map(|argument| argument.get_env());
    let is_of_process = ["GOC_SERVICE_NAME", "GOCOVERDIR", "POD"].contains(&variable);
    assert!(is_of_process || read.any(|it| it == variable), "nothing reads {variable}");
}

/// Prepares a shell in the environment of a world, in which `goc-watchdog` is the binary of this build.
pub(crate) fn shell(world: &World, command: &[&str]) -> Command {
    let bin = world.home().join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_goc-watchdog"), bin.join("goc-watchdog")).unwrap();
    }
    let mut shell = Command::new(command[0]);
    world.set_environment(&mut shell);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path))).unwrap();
    shell.args(&command[1..]).env("PATH", path);
    shell
}

#[test]
fn each_example_says_what_to_change() {
    let folder = PathBuf::from(project_path("examples"));
    let mut found: Vec<String> = files_below(&folder)
        .iter()
        .map(|path| path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned())
        .filter(|name| {
            let is_no_template = |it: &&str| name.starts_with(it) || name.ends_with("/README.md");
            !["quickstart.rs", "round.sh", "agent/", "echo/", "gocover/"].iter().any(is_no_template)
        })
        .collect();
    found.sort();
    assert_eq!(found, EXAMPLES, "an example that no test knows");
    for name in EXAMPLES {
        let text = example(name);
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(
            head.join(" ").to_lowercase().contains("change"),
            "{name} does not begin with what to change"
        );
        assert!(text.lines().all(|line| line.len() <= 120), "{name} has long lines");
    }
    let readme = fs::read_to_string(project_path("README.md")).unwrap();
    for name in EXAMPLES {
        let listed = name.split_once('/').map_or(name, |(folder, _)| folder);
        assert!(readme.contains(&format!("`examples/{listed}")), "the README does not name {name}");
    }
}

// ---- crontab ---------------------------------------------------------------------------------

/// Tells whether cron takes `field` for a time within `range`.
fn is_time(field: &str, range: &RangeInclusive<u32>) -> bool {
    let number = |text: &str| text.parse().ok().filter(|number| range.contains(number));
    field.split(',').all(|part| {
        let (times, step) = part.split_once('/').map_or((part, "1"), |(times, step)| (times, step));
        let is_span = times == "*" || times.contains('-');
        let fits = match times.split_once('-') {
            _ if times == "*" => true,
            Some((from, to)) => number(from).zip(number(to)).is_some_and(|(from, to)| from <= to),
            None => number(times).is_some(),
        };
        fits && step.parse().is_ok_and(|step: u32| step > 0) && (is_span || !part.contains('/'))
    })
}

/// Splits a line of a user's crontab into its times and its command.
pub(crate) fn cron_line(line: &str) -> Option<([&str; 5], &str)> {
    let ranges = [0..=59, 0..=23, 1..=31, 1..=12, 0..=7];
    let mut rest = line;
    let mut times = [""; 5];
    for (time, range) in times.iter_mut().zip(&ranges) {
        let (field, after) = rest.split_once([' ', '\t'])?;
        *time = is_time(field, range).then_some(field)?;
        rest = after.trim_start();
    }
    // A % ends the command for cron, and the rest would go to its stdin.
    let is_cut = rest.replace("\\%", "").contains('%');
    (!rest.is_empty() && !is_cut).then_some((times, rest))
}

#[test]
fn lines_that_cron_rejects_are_told_from_those_that_it_accepts() {
    for good in ["* * * * * true", "*/5 0-23/2 1,15 * 1-5\ttrue", "3-59/10 * * * * date +\\%s"] {
        assert!(cron_line(good).is_some(), "{good}");
    }
    for bad in [
        "* * * * true",
        "60 * * * * true",
        "5/10 * * * * true",
        "*/0 * * * * true",
        "9-3 * * * * true",
        "* * 0 * * true",
        "* * * * *",
        "* * * * * date +%s",
    ] {
        assert_eq!(cron_line(bad), None, "{bad}");
    }
}

#[test]
fn each_line_of_the_crontab_runs_and_prints_nothing() {
    let (world, _agents) = World::with_covered_echo();
    let text = example("crontab");
    assert!(text.ends_with('\n'), "cron leaves out a last line without an end");
    let mut commands = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((name, _)) = line.split_once('=').filter(|(name, _)| !name.contains(' ')) {
            if name.starts_with("GOC_") {
                assert_is_read(name);
            }
            continue;
        }
        let (_, command) = cron_line(line).unwrap_or_else(|| panic!("cron does not take: {line}"));
        let output = output_of(&mut shell(&world, &["sh", "-c", command]));
        assert_eq!((output.code, &*output.stdout, &*output.stderr), (0, "", ""), "{command}");
        commands.push(command.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
    }
    assert_eq!(commands, ["goc-watchdog pull", "goc-watchdog prune"]);
    assert_eq!(world.run(&["total", ECHO]).assert_code(0).stdout, "20.0\n");
}

// ---- site ------------------------------------------------------------------------------------

#[test]
fn the_site_is_written_by_its_crontab_and_served_from_the_same_folder() {
    let (world, _agents) = World::with_pulled_echo();
    let text = example("site/crontab");
    let folder = world.home().join("coverage");
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.rfind(|line| !line.contains('=')).expect("a line of the table");
    let (_, command) = cron_line(line).unwrap_or_else(|| panic!("cron does not take: {line}"));
    let (command, served) = command.rsplit_once(' ').unwrap();
    let command = format!("{command} {}", folder.display());
    let output = output_of(&mut shell(&world, &["sh", "-c", &command]));
    assert_eq!((output.code, &*output.stdout, &*output.stderr), (0, "", ""), "{command}");
    assert!(folder.join("index.html").exists());

    assert!(example("site/nginx.conf").contains(&format!("root {served};")), "another folder than {served}");
}

#[test]
fn nginx_serves_the_site_and_nothing_that_is_not_for_readers() {
    let program = if Path::new(NGINX).exists() { NGINX } else { "nginx" };
    if !has_program(&[program, "-v"]) {
        return;
    }
    let (world, _agents) = World::with_pulled_echo();
    let folder = world.home().join("coverage");
    world.run(&["report", "--all", "--format", "site", "-o", folder.to_str().unwrap()]).assert_code(0);
    let served = Nginx::start(Command::new(program), &world, &folder);

    let index = served.get("/", "");
    assert_eq!(
        (index.status(), &*index.body),
        (200, &*fs::read_to_string(folder.join("index.html")).unwrap())
    );
    index.has("Content-Type: text/html; charset=utf-8");
    index.has("Cache-Control: no-cache");
    let etag = index.head.lines().find_map(|line| line.strip_prefix("ETag: ")).expect("an ETag");
    assert_eq!(served.get("/", &format!("If-None-Match: {etag}\r\n")).status(), 304, "asked again");
    for (path, kind) in [
        ("/apa_goc_echoserver/staging/th/badge.svg", "image/svg+xml"),
        ("/apa_goc_echoserver/staging/th/latest.json", "application/json"),
        ("/index.json", "application/json"),
    ] {
        let answer = served.get(path, "");
        assert_eq!(answer.status(), 200, "{path}");
        answer.has(&format!("Content-Type: {kind}"));
        answer.has("Access-Control-Allow-Origin: *");
    }
    let own: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert_eq!(own.len(), 2, "{own:?}");
    for name in own {
        assert_eq!(served.get(&format!("/{name}"), "").status(), 404, "{name}");
    }
}

#[test]
fn nginx_serves_as_its_own_user_a_site_that_the_crontab_of_another_wrote() {
    let program = if Path::new(NGINX).exists() { NGINX } else { "nginx" };
    if !has_program(&[program, "-v"]) {
        return;
    }
    let (world, _agents) = World::with_covered_echo();
    // The binary lies beside the root. The user may write the root and the folder of the site.
    let binary = world.install_binary();
    let folder = world.home().join("coverage");
    for (folder, mode) in [(world.root(), 0o750), (folder.clone(), 0o755)] {
        fs::create_dir(&folder).unwrap();
        let _ = chown(&folder, Some(SERVICE_USER), Some(SERVICE_USER));
        fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).unwrap();
    }
    let text = example("site/crontab");
    let line = text.lines().rfind(|line| line.contains("goc-watchdog report")).unwrap();
    let (command, _) = cron_line(line).unwrap().1.rsplit_once(' ').unwrap();
    let script = format!("goc-watchdog pull --quiet && {command} {}", folder.display());
    let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
    let Some(mut cron) = world.as_user(SERVICE_USER, SERVICE_USER, "022", &["sh", "-c", &script]) else {
        return;
    };
    let wrote = output_of(cron.env("PATH", path));
    assert_eq!((wrote.code, &*wrote.stdout, &*wrote.stderr), (0, "", ""), "{script}");

    let (user, group) = user_of_nginx();
    let served = Nginx::start(world.as_user(user, group, "022", &[program]).unwrap(), &world, &folder);
    let pages = files_below(&folder);
    assert!(pages.iter().any(|page| page.ends_with("badge.svg")), "{pages:?}");
    for page in pages.iter().map(|page| page.strip_prefix(&folder).unwrap().to_str().unwrap()) {
        let wanted = if page.starts_with('.') { 404 } else { 200 };
        assert_eq!(served.get(&format!("/{page}"), "").status(), wanted, "{page}");
    }
    assert_eq!(served.get("/", "").status(), 200);
}

/// Returns the user and group of Debian's nginx, or those of a user who owns nothing where there are none.
fn user_of_nginx() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find_map(|line| line.strip_prefix("www-data:"));
    let ids = line.and_then(|line| {
        let mut fields = line.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    ids.unwrap_or((NOBODY, NOBODY))
}

/// The path of Debian's nginx, whose folder is in the `PATH` of root alone.
const NGINX: &str = "/usr/sbin/nginx";

/// A running nginx that serves a folder as the example says, on a socket of its own.
struct Nginx {
    nginx: Child,
    socket: PathBuf,
}

struct Answer {
    head: String,
    body: String,
}

impl Nginx {
    /// Starts nginx by this command, to which the arguments are added.
    fn start(mut nginx: Command, world: &World, folder: &Path) -> Self {
        let own = world.home().join("nginx");
        fs::create_dir(&own).unwrap();
        // The folder is open to all, since nginx may run as another user and makes its socket there.
        fs::set_permissions(&own, PermissionsExt::from_mode(0o777)).unwrap();
        let (path, socket) = (own.join("nginx.conf"), own.join("socket"));
        let server = example("site/nginx.conf")
            .replace("    listen [::]:80;\n", "")
            .replace("listen 80;", &format!("listen unix:{};", socket.display()))
            .replace("root /var/www/coverage;", &format!("root {};", folder.display()));
        assert!(server.contains("unix:") && !server.contains("/var/www/coverage;"), "{server}");
        let own = own.display();
        // Debian's settings on which answers depend stand around the example. The folders are for users other than
        // root.
        let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {own}/{name};\n"))
            .concat();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {own}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n\
             access_log off;\n{folders}include /etc/nginx/mime.types;\n{server}}}\n"
        );
        fs::write(&path, text).unwrap();
        let mut nginx = nginx
            .args(["-e", "stderr", "-p", &own.to_string(), "-c", path.to_str().unwrap()])
            .spawn()
            .unwrap();
        while UnixStream::connect(&socket).is_err() {
            assert!(nginx.try_wait().unwrap().is_none(), "nginx does not take its configuration");
            std::thread::yield_now();
        }
        Self { nginx, socket }
    }

    fn get(&self, path: &str, more: &str) -> Answer {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        let asked = format!("GET {path} HTTP/1.0\r\nHost: coverage.example.com\r\n{more}\r\n");
        stream.write_all(asked.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer { head: head.to_owned(), body: body.to_owned() }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[track_caller]
    fn has(&self, header: &str) {
        assert!(self.head.lines().any(|line| line == header), "no {header} in {}", self.head);
    }
}

// ---- systemd ---------------------------------------------------------------------------------

const UNITS: [&str; 4] = [
    "goc-watchdog-prune.service",
    "goc-watchdog-prune.timer",
    "goc-watchdog-pull.service",
    "goc-watchdog-pull.timer",
];

/// Returns the arguments of a service's command.
fn arguments(unit: &str) -> Vec<String> {
    let [command] = unit_values(unit, "ExecStart").try_into().expect("one command");
    assert!(!command.contains(['"', '\'', '\\', '%', '$']), "only spaces are read here: {command}");
    let mut words = command.split(' ').map(ToOwned::to_owned);
    assert_eq!(words.next().unwrap(), "goc-watchdog", "systemd finds the program in /usr/local/bin, too");
    words.collect()
}

/// Copies the units to a folder of their own, with the binary of this build in their commands.
fn install_units(world: &World) -> Vec<String> {
    let write = |unit: &&str| {
        let text = example(&format!("systemd/{unit}"));
        let path = world.home().join(unit);
        let command = concat!("ExecStart=", env!("CARGO_BIN_EXE_goc-watchdog"), " ");
        fs::write(&path, text.replace("ExecStart=goc-watchdog ", command)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    UNITS.iter().map(write).collect()
}

#[test]
fn systemd_finds_no_fault_in_the_units() {
    if !has_program(&["systemd-analyze", "--version"]) {
        return;
    }
    let world = World::new();
    let units = install_units(&world);
    let output = output_of(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units));
    // Only our units are looked at, since units of this machine on which ours depend may have faults. The text is
    // checked, too, since an unknown key is only a warning.
    assert!(!output.stderr.contains("goc-watchdog"), "{}", output.stderr);
    output.assert_code(0);
}

#[test]
fn systemd_rates_the_services_as_well_confined() {
    if !has_program(&["systemd-analyze", "--version"]) {
        return;
    }
    let world = World::new();
    for unit in install_units(&world).iter().filter(|unit| unit.ends_with(".service")) {
        // The rating goes from 0 to 100 in tenths: 12 for these services now, 96 for a service without any confinement.
        output_of(Command::new("systemd-analyze").args([
            "security",
            "--offline=yes",
            "--threshold=20",
            unit,
        ]))
        .assert_code(0);
    }
}

#[test]
fn the_services_run_as_they_are_written_and_agree_with_each_other() {
    let (world, _agents) = World::with_covered_echo();
    let services = ["goc-watchdog-pull.service", "goc-watchdog-prune.service"];
    for unit in services {
        let arguments = arguments(unit);
        world.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).assert_code(0);

        let environment = unit_environment();
        let root = variables_of(&environment).find_map(|it| it.strip_prefix("GOC_WATCHDOG_ROOT=")).unwrap();
        assert_eq!(unit_values(unit, "ReadWritePaths"), [root]);
        assert_eq!(Path::new("/var/lib").join(&unit_values(unit, "StateDirectory")[0]), Path::new(root));
        assert_eq!(unit_values(unit, "ProtectSystem"), ["strict"]);
        assert_eq!(unit_values(unit, "NoNewPrivileges"), ["yes"]);
        let good = [ExitCode::Busy, ExitCode::Terminated].map(|code| code.number().to_string());
        assert_eq!(unit_values(unit, "SuccessExitStatus"), [good.join(" ")]);
    }
    for key in ["User", "Group", "EnvironmentFile", "SystemCallFilter", "UMask"] {
        assert_eq!(unit_values(services[0], key), unit_values(services[1], key), "{key}");
    }
    assert_eq!(unit_values(services[0], "EnvironmentFile"), [ENVIRONMENT_FILE]);
    // A center is commented out, because services built with go build -cover need none.
    let with_center = unit_environment().replace("\n#GOC", "\nGOC");
    let names: Vec<&str> = variables_of(&with_center).map(|it| it.split_once('=').unwrap().0).collect();
    assert_eq!(names, ["GOC_CENTER", "GOC_WATCHDOG_ROOT"]);
    names.into_iter().for_each(assert_is_read);
    for timer in ["goc-watchdog-pull.timer", "goc-watchdog-prune.timer"] {
        for key in ["OnCalendar", "RandomizedDelaySec", "AccuracySec", "Persistent", "WantedBy"] {
            assert_eq!(unit_values(timer, key).len(), 1, "{key} of {timer}");
        }
    }
    assert_eq!(world.run(&["total", ECHO]).assert_code(0).stdout, "20.0\n");
}

/// Returns the system calls of a set of systemd's, with those of the sets in it.
fn system_calls(set: &str, sets: &BTreeMap<&str, Vec<&str>>) -> BTreeSet<String> {
    sets[set]
        .iter()
        .flat_map(|it| {
            if it.starts_with('@') { system_calls(it, sets) } else { BTreeSet::from([(*it).to_owned()]) }
        })
        .collect()
}

#[test]
fn the_services_make_no_system_call_that_their_filter_forbids() {
    if !has_program(&["systemd-analyze", "--version"]) || !has_program(&["strace", "-o", "/dev/null", "true"])
    {
        return;
    }
    let known = output_of(Command::new("systemd-analyze").args(["syscall-filter", "--no-pager"]))
        .assert_code(0)
        .stdout;
    let mut sets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut set = "";
    // Each set is "@name", then its members on lines that begin with spaces. Calls outside of any set come last.
    for line in
        known.lines().map(|line| line.split('#').next().unwrap().trim_end()).filter(|it| !it.is_empty())
    {
        match line.strip_prefix("    ") {
            Some(member) => sets.entry(set).or_default().push(member),
            None => set = line,
        }
    }
    let mut allowed = system_calls("@default", &sets);
    for filter in unit_values("goc-watchdog-pull.service", "SystemCallFilter") {
        let (forbids, names) = filter.strip_prefix('~').map_or((false, &*filter), |names| (true, names));
        for name in names.split(' ') {
            for call in system_calls(name, &sets) {
                if forbids {
                    allowed.remove(&call)
                } else {
                    allowed.insert(call)
                };
            }
        }
    }
    // SQLite makes this call only when it runs as root.
    allowed.insert("fchown".to_owned());

    let (world, agents) = World::with_echo(3);
    agents[0].hit(&[0], 1);
    agents[2].kill();
    for (unit, code) in [("goc-watchdog-pull.service", 3), ("goc-watchdog-prune.service", 0)] {
        let trace = world.home().join("trace");
        let mut strace = Command::new("strace");
        world.set_environment(&mut strace);
        strace.args(["-f", "-qq", "-o"]).arg(&trace).arg(env!("CARGO_BIN_EXE_goc-watchdog"));
        output_of(strace.args(arguments(unit))).assert_code(code);
        let trace = fs::read_to_string(trace).unwrap();
        let made: BTreeSet<&str> = trace
            .lines()
            .filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('('))
            .map(|it| it.0)
            .collect();
        assert!(made.contains("connect") && made.contains("fcntl"), "{unit}: {made:?}");
        let forbidden: Vec<_> =
            made.iter().filter(|call| !call.starts_with("<...") && !allowed.contains(**call)).collect();
        assert!(forbidden.is_empty(), "{unit} makes {forbidden:?}");
        let of_other_properties: Vec<&str> =
            trace.lines().filter(|line| is_forbidden_by_other_property(unit, line)).collect();
        assert!(of_other_properties.is_empty(), "{unit}: {of_other_properties:#?}");
    }
}

/// Tells whether a call that strace saw is forbidden by a property of the unit other than its filter.
fn is_forbidden_by_other_property(unit: &str, call: &str) -> bool {
    let forbids = |key| unit_values(unit, key) == ["yes"];
    let [families] = unit_values(unit, "RestrictAddressFamilies").try_into().expect("one list");
    let of_other_family = call.split_once("socket(").is_some_and(|(_, arguments)| {
        !families.split(' ').any(|family| arguments.starts_with(&format!("{family},")))
    });
    // MemoryDenyWriteExecute= forbids these calls, according to systemd.exec(5).
    let makes_code = call.contains("PROT_WRITE|PROT_EXEC")
        || call.contains("mprotect(") && call.contains("PROT_EXEC")
        || call.contains("SHM_EXEC");
    let is_of_mode = ["mkdir", "chmod", "open", "mknod"].iter().any(|name| call.contains(name));
    // strace writes modes in octal, with as many digits as they have.
    let sets_id = regex::Regex::new(r"\b0[2-7][0-7]{3}\b").unwrap();
    let makes_namespace = call.contains("CLONE_NEW") || call.contains("unshare(") || call.contains("setns(");
    of_other_family
        || makes_code && forbids("MemoryDenyWriteExecute")
        || is_of_mode && sets_id.is_match(call) && forbids("RestrictSUIDSGID")
        || makes_namespace && forbids("RestrictNamespaces")
}

#[test]
fn calls_that_other_properties_forbid_are_told_from_those_that_they_allow() {
    let unit = "goc-watchdog-pull.service";
    for bad in [
        "7 socket(AF_PACKET, SOCK_RAW, 0) = 3",
        "7 mmap(NULL, 4096, PROT_READ|PROT_WRITE|PROT_EXEC, MAP_PRIVATE, -1, 0) = 0x7f",
        "7 mprotect(0x7f, 4096, PROT_READ|PROT_EXEC) = 0",
        "7 fchmod(5, 02770) = 0",
        "7 mkdirat(5, \"a\", 02770) = 0",
        "7 clone(child_stack=NULL, flags=CLONE_NEWUSER|SIGCHLD) = 8",
    ] {
        assert!(is_forbidden_by_other_property(unit, bad), "{bad}");
    }
    for good in [
        "7 socket(AF_INET6, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 3",
        "7 mmap(NULL, 4096, PROT_READ|PROT_EXEC, MAP_PRIVATE, 3, 0) = 0x7f",
        "7 fchmod(5, 0770) = 0",
        "7 openat(5, \"a\", O_WRONLY|O_CREAT|O_EXCL, 0660) = 6",
    ] {
        assert!(!is_forbidden_by_other_property(unit, good), "{good}");
    }
}

// ---- Kubernetes ------------------------------------------------------------------------------

const MANIFESTS: [&str; 5] = [
    "kubernetes/cover-deployment.yaml",
    "kubernetes/cronjob.yaml",
    "kubernetes/deployment.yaml",
    "kubernetes/shell.yaml",
    "kubernetes/volumes.yaml",
];

/// The manifest of a pull from the pods that kubectl lists, which needs no center.
const PODS_MANIFEST: &str = "kubernetes/targets.yaml";

/// Returns the documents of a YAML file.
#[track_caller]
fn yaml(name: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&example(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the object of this kind and name in the manifests.
#[track_caller]
fn manifest(kind: &str, name: &str) -> Value {
    let mut all = MANIFESTS.iter().flat_map(|file| yaml(file));
    let is_it = |it: &Value| it["kind"] == kind && it["metadata"]["name"] == name;
    all.find(is_it).unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// Returns the templates of all pods in the manifests, with the name of the object that holds each.
fn pods() -> Vec<(&'static str, Value)> {
    let deployment = |name| manifest("Deployment", name)["spec"]["template"]["spec"].clone();
    let job = |name| manifest("CronJob", name)["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone();
    vec![
        ("echoserver", deployment("echoserver")),
        ("cover-echoserver", deployment("cover-echoserver")),
        ("goc-watchdog-pull", job("goc-watchdog-pull")),
        ("goc-watchdog-prune", job("goc-watchdog-prune")),
        ("goc-watchdog-shell", manifest("Pod", "goc-watchdog-shell")["spec"].clone()),
    ]
}

fn pod(name: &str) -> Value {
    pods().into_iter().find(|(it, _)| *it == name).expect("one of the pods").1
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn words(value: &Value) -> Vec<&str> {
    list(value).iter().map(|word| word.as_str().expect("a word")).collect()
}

/// Returns the path at which the container of a pod mounts the volume of this claim.
#[track_caller]
fn mount_path(pod: &Value, claim: &str) -> String {
    let volume = list(&pod["volumes"]).iter().find(|it| it["persistentVolumeClaim"]["claimName"] == claim);
    let volume = volume.unwrap_or_else(|| panic!("no volume of {claim}"));
    let mounts = list(&pod["containers"][0]["volumeMounts"]);
    let mount = mounts.iter().find(|it| it["name"] == volume["name"]).expect("it is mounted");
    assert_eq!(mount.get("readOnly"), None);
    mount["mountPath"].as_str().unwrap().to_owned()
}

/// Returns the configuration that the `ConfigMap` holds for the root.
fn configuration() -> String {
    manifest("ConfigMap", "goc-watchdog")["data"]["goc-watchdog.toml"].as_str().unwrap().to_owned()
}

/// The preStop hook of the deployment, for a process and an inbox of a test.
pub(crate) struct Hook {
    /// Arguments, without the name of the program.
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
}

impl Hook {
    pub(crate) fn from_deployment(agent: &Agent, inbox: &Path) -> Self {
        let service = pod("echoserver");
        let container = &service["containers"][0];
        let mount = mount_path(&service, "goc-watchdog-inbox");
        let command = words(&container["lifecycle"]["preStop"]["exec"]["command"]);
        let argument = |word: &&str| match word.starts_with("--address=") {
            true => format!("--address={}", agent.url()),
            false => word.replace(&mount, inbox.to_str().unwrap()),
        };
        let variable = |it: &Value| ["name", "value"].map(|key| it[key].as_str().unwrap().to_owned()).into();
        Self {
            arguments: command[1..].iter().map(argument).collect(),
            variables: list(&container["env"]).iter().map(variable).collect(),
        }
    }
}

#[test]
fn kubernetes_accepts_the_manifests() {
    if !has_program(&["kubernetes-validate", "--version"]) {
        return;
    }
    let files = MANIFESTS.into_iter().chain([PODS_MANIFEST]).map(|name| project_path("examples/") + name);
    output_of(Command::new("kubernetes-validate").arg("--strict").args(files)).assert_code(0);
}

#[test]
fn objects_that_the_manifests_name_exist() {
    for (name, pod) in pods() {
        let volumes: BTreeSet<_> =
            list(&pod["volumes"]).iter().map(|it| it["name"].as_str().unwrap()).collect();
        let containers = list(&pod["initContainers"]).iter().chain(list(&pod["containers"]));
        let mounted: BTreeSet<_> = containers
            .flat_map(|it| list(&it["volumeMounts"]))
            .map(|mount| mount["name"].as_str().unwrap())
            .collect();
        assert_eq!(volumes, mounted, "{name}");
        for volume in list(&pod["volumes"]) {
            if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
                manifest("PersistentVolumeClaim", claim);
            }
            if let Some(map) = volume["configMap"]["name"].as_str() {
                manifest("ConfigMap", map);
            }
        }
        for container in list(&pod["containers"]) {
            for variable in list(&container["env"]) {
                assert_is_read(variable["name"].as_str().unwrap());
            }
        }
    }
    for name in ["echoserver", "cover-echoserver"] {
        let deployment = manifest("Deployment", name);
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
    }
}

#[test]
fn pods_and_cron_jobs_share_the_inbox_and_a_group_that_may_empty_it() {
    let (service, pull) = (pod("echoserver"), pod("goc-watchdog-pull"));
    let inbox = manifest("PersistentVolumeClaim", "goc-watchdog-inbox");
    assert_eq!(words(&inbox["spec"]["accessModes"]), ["ReadWriteMany"]);
    mount_path(&service, "goc-watchdog-inbox");
    let inbox = mount_path(&pull, "goc-watchdog-inbox");
    let configuration = Config::parse(&configuration(), "goc-watchdog.toml").unwrap();
    assert_eq!(configuration.inboxes, [Path::new(&inbox)]);

    let groups: BTreeSet<_> =
        pods().iter().map(|(_, pod)| pod["securityContext"]["fsGroup"].as_u64()).collect();
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert!(groups.first().unwrap().is_some());
}

#[test]
fn the_pods_of_go_build_cover_have_a_port_a_service_and_a_folder_of_the_inbox() {
    let template = manifest("Deployment", "cover-echoserver")["spec"]["template"].clone();
    let service = template["metadata"]["annotations"]["goc-watchdog/service"].as_str().unwrap();
    let pod = pod("cover-echoserver");
    let [container] = list(&pod["containers"]) else { panic!("one container") };
    assert_eq!(container["ports"][0]["name"], "coverage");
    let inbox = mount_path(&pod, "goc-watchdog-inbox");
    let pull = of_pods("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone();
    let root = mount_path(&pull, "goc-watchdog-root");
    assert_eq!(mount_path(&pull, "goc-watchdog-inbox"), format!("{root}/inbox"));
    assert_eq!(pod["initContainers"][0]["env"], container["env"]);
    assert_eq!(container["env"][1]["value"], format!("{inbox}/{service}/$(POD)"));
}

#[test]
fn a_snapshot_that_a_pod_leaves_before_it_ends_is_taken_in_by_the_cron_job() {
    let (world, agents) = World::with_echo(1);
    let inbox = world.home().join("inbox");
    fs::create_dir(&inbox).unwrap();
    let inbox = inbox.to_str().unwrap();
    let pull = pod("goc-watchdog-pull");
    world.configure(&configuration().replace(&mount_path(&pull, "goc-watchdog-inbox"), inbox));
    let pull = words(&pull["containers"][0]["args"]);
    world.run(&pull).assert_code(0);
    agents[0].hit(&[0], 1);

    let hook = Hook::from_deployment(&agents[0], Path::new(inbox));
    let mut command = world.command(&[]);
    command.env_clear().args(hook.arguments).envs(hook.variables);
    assert_eq!(output_of(&mut command).assert_code(0).stderr, "");
    agents[0].kill();
    assert_eq!(fs::read_dir(inbox).unwrap().count(), 1);

    world
        .run(&[&pull[..], &["--force"]].concat())
        .assert_code(3)
        .assert_stderr_contains("connection refused");
    assert_eq!(world.run(&["total", ECHO]).assert_code(0).stdout, "20.0\n");
    assert_eq!(fs::read_dir(inbox).unwrap().count(), 0);
}

#[test]
fn the_cron_jobs_run_one_at_a_time_on_a_root_that_one_node_has() {
    let (world, _agents) = World::with_covered_echo();
    let claim = manifest("PersistentVolumeClaim", "goc-watchdog-root");
    assert_eq!(words(&claim["spec"]["accessModes"]), ["ReadWriteOnce"]);
    for name in ["goc-watchdog-pull", "goc-watchdog-prune"] {
        let job = manifest("CronJob", name);
        assert_eq!(job["spec"]["concurrencyPolicy"], "Forbid");
        let line = format!("{} true", job["spec"]["schedule"].as_str().unwrap());
        assert!(cron_line(&line).is_some(), "{line}");
        assert_eq!(job["spec"]["jobTemplate"]["spec"]["backoffLimit"], 0);

        let pod = pod(name);
        assert_eq!(pod["restartPolicy"], "Never");
        let container = &pod["containers"][0];
        let root = list(&container["env"]).iter().find(|it| it["name"] == "GOC_WATCHDOG_ROOT").unwrap();
        assert_eq!(root["value"], *mount_path(&pod, "goc-watchdog-root"));
        let configuration = list(&container["volumeMounts"]).iter().find(|it| it["name"] == "configuration");
        let path = Path::new(root["value"].as_str().unwrap()).join("goc-watchdog.toml");
        assert_eq!(configuration.unwrap()["mountPath"], path.to_str().unwrap());
        world.run(&words(&container["args"])).assert_code(0);
    }
    assert_eq!(world.run(&["total", ECHO]).assert_code(0).stdout, "20.0\n");
}

/// Returns the object of this kind in the manifest of a pull from pods.
fn of_pods(kind: &str) -> Value {
    let mut all = yaml(PODS_MANIFEST).into_iter();
    all.find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn the_pull_from_pods_may_list_them_and_only_kubectl_has_the_token_for_it() {
    let pod = of_pods("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone();
    let account = of_pods("ServiceAccount")["metadata"]["name"].clone();
    assert_eq!(
        (&pod["serviceAccountName"], &of_pods("RoleBinding")["subjects"][0]["name"]),
        (&account, &account)
    );
    assert_eq!(of_pods("RoleBinding")["roleRef"]["name"], of_pods("Role")["metadata"]["name"]);
    let rule = &of_pods("Role")["rules"][0];
    assert_eq!((words(&rule["resources"]), words(&rule["verbs"])), (vec!["pods"], vec!["get", "list"]));
    let mounts = |container: &Value| -> BTreeSet<String> {
        list(&container["volumeMounts"])
            .iter()
            .map(|mount| mount["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(mounts(&pod["initContainers"][0]).contains("token"));
    assert!(!mounts(&pod["containers"][0]).contains("token"));
    assert_eq!(pod["automountServiceAccountToken"], false);
    let claim = mount_path(&pod, "goc-watchdog-root");
    assert_eq!(pod["containers"][0]["env"][0]["value"], *claim);
    manifest("PersistentVolumeClaim", "goc-watchdog-root");
    let shell = manifest("Pod", "goc-watchdog-shell")["spec"].clone();
    assert_eq!(mount_path(&shell, "goc-watchdog-root"), claim);
    assert_eq!(shell["containers"][0]["env"][0], pod["containers"][0]["env"][0]);
}

#[test]
fn the_pull_from_pods_asks_those_that_kubectl_lists_and_no_center() {
    let world = World::new();
    let agent = Agent::start(&echo());
    agent.hit(&[MAIN_BLOCK], 1);
    let url = agent.url();
    let (host, port) = url.trim_start_matches("http://").rsplit_once(':').unwrap();
    let pods = serde_json::json!({"kind": "List", "items": [{
        "kind": "Pod",
        "metadata": {
            "name": "echoserver-0", "namespace": "staging",
            "labels": {"app.kubernetes.io/name": "echoserver", "region": "th", "branch": "master"},
            "annotations": {"goc-watchdog/commit": "845820727e"},
        },
        "spec": {"containers": [{"name": "a", "ports": [
            {"name": "coverage", "containerPort": port.parse::<u16>().unwrap()},
        ]}]},
        "status": {"phase": "Running", "podIP": host},
    }]});
    fs::write(world.home().join("pods"), pods.to_string()).unwrap();
    let pod = of_pods("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone();
    let here = |word: &str| word.replace("/targets/", &format!("{}/", world.home().display()));
    let command: Vec<String> = words(&pod["initContainers"][0]["command"]).into_iter().map(here).collect();
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut write_pods = shell(&world, &command);
    let kubectl = world.home().join("bin/kubectl");
    make_script(&kubectl, &format!("cat {}", world.home().join("pods").display()));
    output_of(&mut write_pods).assert_code(0);
    let arguments: Vec<String> = words(&pod["containers"][0]["args"]).into_iter().map(here).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let pulled = output_of(world.command(&arguments).env_remove("GOC_CENTER")).assert_code(0);
    assert_eq!((pulled.stderr.as_str(), world.center.list_requests()), ("", 0));
    assert_eq!(
        world.run(&["total", "staging_th_echoserver_master_845820727e"]).assert_code(0).stdout,
        "20.0\n"
    );
    make_script(&kubectl, "echo forbidden >&2; exit 1");
    output_of(&mut shell(&world, &command)).assert_code(1);

    let is_prune = |it: &&Value| it["metadata"]["name"] == "goc-watchdog-retention";
    let objects = yaml(PODS_MANIFEST);
    let prune =
        &objects.iter().find(is_prune).expect("a second job")["spec"]["jobTemplate"]["spec"]["template"];
    assert_eq!(prune["spec"]["volumes"][0], pod["volumes"][0], "both jobs work on one root");
    let arguments = words(&prune["spec"]["containers"][0]["args"]);
    let pruned = output_of(world.command(&arguments).env_remove("GOC_CENTER")).assert_code(0);
    assert_eq!(pruned.stderr, "");
}

#[test]
fn a_pod_has_the_binary_where_its_hook_looks_for_it_and_time_to_run_it() {
    let pod = pod("echoserver");
    let (init, service) = (&pod["initContainers"][0], &pod["containers"][0]);
    let [copy, from, to] = words(&init["command"])[..] else { panic!("cp FROM TO") };
    assert_eq!((copy, from), ("cp", INSTALLED));
    let hook = words(&service["lifecycle"]["preStop"]["exec"]["command"]);
    assert_eq!(Path::new(hook[0]), Path::new(to).join("goc-watchdog"));
    for container in [init, service] {
        let mount = list(&container["volumeMounts"]).iter().find(|it| it["name"] == "goc-watchdog").unwrap();
        assert_eq!(mount["mountPath"], to.trim_end_matches('/'));
    }

    let after = |option: &str| hook.iter().find_map(|word| word.strip_prefix(option)).expect(option);
    assert_eq!(after("--to-inbox="), mount_path(&pod, "goc-watchdog-inbox"));
    let port = service["ports"][0]["containerPort"].to_string();
    assert_eq!(after("--address="), format!("http://127.0.0.1:{port}"));
    let deadline = humantime::parse_duration(after("--deadline=")).unwrap().as_secs();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace >= deadline + 10, "{grace} s for a hook of {deadline} s and the service's own end");
}

#[test]
fn the_image_has_what_the_manifests_take_from_it() {
    let text = example("kubernetes/Dockerfile");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let both = |instruction: &str| {
        let mut found = lines.iter().filter_map(|line| line.strip_prefix(instruction)?.strip_prefix(' '));
        let two = [found.next(), found.next()].map(|it| it.unwrap_or_else(|| panic!("two {instruction}")));
        assert_eq!(found.next(), None, "{instruction}");
        two
    };
    let copies =
        [format!("--chmod=755 goc-watchdog {INSTALLED}"), format!("--from=binary {INSTALLED} {INSTALLED}")];
    assert_eq!(both("COPY"), copies);
    let entry = format!("[\"{INSTALLED}\"]");
    assert_eq!(both("ENTRYPOINT"), [&*entry, &*entry]);
    let [binary, with_git] = both("FROM");
    assert_eq!(binary, "scratch AS binary");
    assert!(with_git.starts_with("alpine:"), "which has sh, cp, mkdir and sleep");
    let [(user, group), other] = both("USER").map(|it| it.split_once(':').unwrap());
    assert_eq!((user, group), other);
    let tag = format!("registry.example.com/goc-watchdog:{}", env!("CARGO_PKG_VERSION"));
    let joined = text.replace("\\\n#         ", "");
    assert!(
        joined.contains(&format!("-t {tag} "))
            && joined.contains(&format!("--target binary -t {tag}-binary "))
    );
    assert!(example("kubernetes/deployment.yaml").contains(&format!("{{reference: {tag}-binary}}")));
    for (name, pod) in pods() {
        assert_eq!(pod["securityContext"]["runAsUser"].to_string(), user, "{name}");
        assert_eq!(pod["securityContext"]["runAsGroup"].to_string(), group, "{name}");
        let containers = list(&pod["initContainers"]).iter().chain(list(&pod["containers"]));
        let ours: Vec<_> =
            containers.filter(|it| it["name"] != "echoserver" && it["name"] != "kubectl").collect();
        assert!(!ours.is_empty());
        for container in ours {
            assert_eq!(container["image"], *tag, "{name}");
        }
    }
    // The page about installing shows the commands that build the image.
    let readme = fs::read_to_string(project_path("docs/install.md")).unwrap();
    let comment = text.replace("#     ", "");
    for line in ["rustup target add ", "cargo build --release --locked --target "] {
        let line = comment.lines().find(|it| it.starts_with(line)).expect("how it is built");
        assert!(readme.lines().any(|it| it == line), "{line}");
    }
}

// ---- compose ---------------------------------------------------------------------------------

#[test]
fn compose_accepts_the_file() {
    if !has_program(&["check-jsonschema", "--version"]) {
        return;
    }
    let file = project_path("examples/compose/compose.yaml");
    let schema = ["--builtin-schema", "vendor.compose-spec"];
    output_of(Command::new("check-jsonschema").args(schema).arg(file)).assert_code(0);
}

#[test]
fn each_replica_of_the_compose_file_has_a_target_and_a_folder() {
    let [compose] = yaml("compose/compose.yaml").try_into().expect("one document");
    let targets = compose["configs"]["targets"]["content"].as_str().unwrap();
    let targets: Value = serde_json::from_str(targets).unwrap();
    let folders = compose["services"]["folders"]["entrypoint"][2].as_str().unwrap();
    let replicas: Vec<&String> =
        compose["services"].as_object().unwrap().keys().filter(|it| it.starts_with("echoserver")).collect();
    assert_eq!(list(&targets).len(), replicas.len());
    for (name, target) in replicas.into_iter().zip(list(&targets)) {
        let service = target["labels"]["service"].as_str().unwrap();
        assert_eq!(target["targets"][0], format!("{name}:53700"));
        assert_eq!(target["labels"]["pod"], *name);
        let folder = format!("inbox/{service}/{name}");
        assert_eq!(compose["services"][name]["environment"]["GOCOVERDIR"], format!("/{folder}"));
        assert!(folders.lines().any(|line| line == format!("mkdir -p {folder}")), "{folders}");
    }
}

// ---- CI jobs ---------------------------------------------------------------------------------

const BEFORE: &str = "package main\n\nfunc main() {\n\trun(1)\n}\n";
const AFTER: &str = "package main\n\nfunc main() {\n\trun(1)\n}\n\nfunc run(x int) int {\n\ty := 2 * x\n\tif y > 2 {\n\t\ty--\n\t\treturn y\n\t}\n\ty++\n\treturn y\n}\n";

/// Blocks of `AFTER`; the third is two lines that the first test leaves out.
const PROFILE: &str = "example.com/app/main.go:3.13,5.2 1
example.com/app/main.go:7.21,9.11 2
example.com/app/main.go:9.11,12.3 2
example.com/app/main.go:13.2,14.10 2
";

/// The verdicts of the comments about both states.
const BELOW: &str = "**Not met:** 66.7% of the changed lines (4 of 6) is below 80%, 1 more to cover";
const REACHED: &str = "Met: 100.0% of the changed lines (6 of 6), at least 80% required";

/// Makes a service with a change of six lines against `master`, four of which were executed; nothing is pulled yet.
fn changed_service() -> Service {
    let mut source =
        Source::from_files(&[("main.go", BEFORE.as_bytes()), ("go.mod", b"module example.com/app\n")]);
    source.git(&["checkout", "--quiet", "-b", "change"]);
    fs::write(source.folder.path().join("main.go"), AFTER).unwrap();
    source.commit_all();
    let world = World::new();
    let agent = world.start(&source.service_name(), &Program::from_profile(PROFILE));
    agent.hit(&[0, 1, 3], 1);
    source.clone_into(&world, &["--bare"]);
    Service { world, source, agent }
}

/// Returns the variables of a job, without those that name the center and the root of a world.
fn variables(of: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = of.as_object().unwrap().iter().map(|(name, value)| (&**name, value.as_str().unwrap()));
    all.inspect(|(name, _)| {
        if name.starts_with("GOC_") {
            assert_is_read(name);
        }
    })
    .filter(|(name, _)| !name.starts_with("GOC_"))
}

/// The comments of a pull or merge request, behind the routes of the APIs of GitHub and GitLab that the jobs use.
struct Comments {
    server: Server,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Comments {
    /// Starts with more comments of a person than one page of an answer has.
    fn start() -> Self {
        let bodies = Arc::new(Mutex::new(vec!["Looks good to me".to_owned(); 130]));
        let known = Arc::clone(&bodies);
        let handler = move |request: &Request, stream: &mut TcpStream| {
            let answer = Self::answer(request, &mut known.lock().unwrap());
            let headers = "Content-Type: application/json\r\n";
            let (status, answer) = match answer {
                Some(answer) => ("200 OK", answer.to_string()),
                None => ("404 Not Found", "{}".to_owned()),
            };
            stream.write_all(&sized(status, headers, answer.as_bytes()))?;
            Ok(AfterAnswer::KeepAlive)
        };
        let server = Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(handler)).unwrap();
        Self { server, bodies }
    }

    /// Answers a request; `None` for one that the APIs do not know. The id of a comment is its position.
    fn answer(request: &Request, bodies: &mut Vec<String>) -> Option<Value> {
        const LIST_OF_GITHUB: &str = "/repos/team/app/issues/7/comments";
        const LIST_OF_GITLAB: &str = "/projects/5/merge_requests/7/notes";
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let body = || {
            let sent: Value = serde_json::from_slice(&request.body).unwrap();
            sent["body"].as_str().unwrap().to_owned()
        };
        match (&*request.method, path) {
            ("GET", LIST_OF_GITHUB | LIST_OF_GITLAB) => {
                let of_query = |name: &str| {
                    let value = query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
                    value.and_then(|value| value.parse::<usize>().ok())
                };
                let (page, size) = (of_query("page")?, of_query("per_page")?.min(100));
                let all =
                    bodies.iter().enumerate().map(|(id, body)| serde_json::json!({"id": id, "body": body}));
                return Some(all.skip((page - 1) * size).take(size).collect());
            }
            ("POST", LIST_OF_GITHUB | LIST_OF_GITLAB) => bodies.push(body()),
            ("PATCH", path) => {
                let id = path.strip_prefix("/repos/team/app/issues/comments/")?;
                bodies[id.parse::<usize>().ok()?] = body();
            }
            ("PUT", path) => {
                let id = path.strip_prefix(LIST_OF_GITLAB)?.strip_prefix('/')?;
                bodies[id.parse::<usize>().ok()?] = body();
            }
            _ => return None,
        }
        Some(serde_json::json!({}))
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Fails unless there is one comment beside those of the person, with this percentage and this verdict.
    fn assert_one_says(&self, percentage: &str, verdict: &str) {
        let bodies = self.bodies.lock().unwrap();
        let (ours, others): (Vec<&String>, Vec<_>) = bodies.iter().partition(|it| it.starts_with("<!-- "));
        assert_eq!(others, ["Looks good to me"; 130]);
        let [ours] = &ours[..] else { panic!("one comment wanted: {ours:?}") };
        assert!(ours.contains(&format!("changed lines: {percentage}\n")), "{ours}");
        assert!(ours.contains(&format!("\n- {verdict}\n")), "{ours}");
    }
}

/// Runs the steps of the workflow as GitHub does: after one that fails only those with the condition `!cancelled()`.
/// Returns the output of the step that fails, or else of the gate, and the summary of the job.
fn run_github_job(service: &Service, comments: &Comments) -> (Output, String) {
    let [workflow] = yaml("ci/github-actions.yml").try_into().expect("one document");
    let job = &workflow["jobs"]["coverage"];
    let [environment, summary] = ["environment", "summary"].map(|name| service.world.home().join(name));
    fs::write(&environment, "").unwrap();
    fs::write(&summary, "").unwrap();
    let mut gate: Option<Output> = None;
    for step in list(&job["steps"]) {
        let script = step["run"].as_str().expect("a step that runs something");
        assert!(!script.contains("${{"), "what others name must not become a part of a script: {script}");
        let goes_on = step["if"] == "${{ !cancelled() }}";
        if gate.as_ref().is_some_and(|output| output.code != 0) && !goes_on {
            continue;
        }
        let mut shell = shell(&service.world, &["bash", "-e", "-c", script]);
        shell.env("GITHUB_ENV", &environment).env("GITHUB_STEP_SUMMARY", &summary);
        shell.env("RUNNER_TEMP", service.world.home());
        for (name, value) in variables(&job["env"]).chain(step.get("env").into_iter().flat_map(variables)) {
            let value = value
                .replace("${{ github.base_ref }}", "master")
                .replace("${{ github.event.pull_request.head.sha }}", &service.source.commit)
                .replace("${{ github.event.pull_request.number }}", "7")
                .replace("${{ github.token }}", "secret")
                .replace("${{ github.api_url }}", &comments.url())
                .replace("${{ github.repository }}", "team/app");
            assert!(!value.contains("${{"), "{name}: {value} is nothing that is known here");
            shell.env(name, value);
        }
        let set = fs::read_to_string(&environment).unwrap();
        shell.envs(set.lines().map(|line| line.split_once('=').expect("NAME=VALUE")));
        let output = output_of(&mut shell);
        match goes_on {
            true => drop(output.assert_code(0)),
            false => gate = Some(output),
        }
    }
    (gate.expect("a step that gates"), fs::read_to_string(summary).unwrap())
}

#[test]
fn the_github_workflow_gates_on_the_lines_that_changed_and_comments_once() {
    if !has_program(&["jq", "--version"]) || !has_program(&["curl", "--version"]) {
        return;
    }
    let (service, comments) = (changed_service(), Comments::start());
    let (output, summary) = run_github_job(&service, &comments);
    let output = output.assert_code(ExitCode::BelowThreshold.number().into());
    assert!(output.stdout.contains("file=main.go,line=10"), "{}", output.stdout);
    assert!(summary.contains("66.7"), "{summary}");
    comments.assert_one_says("66.7%", BELOW);
    service.agent.hit(&[2], 1);
    let (output, summary) = run_github_job(&service, &comments);
    output.assert_code(0);
    assert!(summary.contains("100"), "{summary}");
    comments.assert_one_says("100.0%", REACHED);
}

/// Runs the script of the job as GitLab does, and then what follows it in a shell of its own. Returns the output of the
/// script and the coverage that GitLab reads from it.
fn run_gitlab_job(service: &Service, comments: &Comments) -> (Output, Option<String>) {
    let [file] = yaml("ci/gitlab-ci.yml").try_into().expect("one document");
    let job = &file["coverage"];
    let run = |part: &str| {
        let script = words(&job[part]).join("\n");
        let mut shell = shell(&service.world, &["bash", "-eo", "pipefail", "-c", &script]);
        shell
            .envs(variables(&job["variables"]))
            .env("CI_API_V4_URL", comments.url())
            .env("CI_PROJECT_ID", "5")
            .env("CI_MERGE_REQUEST_IID", "7")
            .env("COVERAGE_TOKEN", "secret")
            .env("CI_COMMIT_SHA", "0123456789012345678901234567890123456789")
            .env("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", &service.source.commit)
            .env("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "master");
        output_of(&mut shell)
    };
    let output = run("script");
    run("after_script").assert_code(0);
    let pattern = job["coverage"].as_str().unwrap();
    let pattern = pattern.strip_prefix('/').and_then(|it| it.strip_suffix('/')).expect("between slashes");
    let pattern = regex::Regex::new(&format!("(?m){pattern}")).unwrap();
    let coverage = pattern.captures(&output.stdout).map(|found| found[1].to_owned());
    let reports = &job["artifacts"]["reports"];
    let report =
        |path: &Value| fs::read_to_string(service.world.home().join(path.as_str().unwrap())).unwrap();
    let cobertura = report(&reports["coverage_report"]["path"]);
    assert!(cobertura.contains("filename=\"main.go\""), "{cobertura}");
    let quality = report(&reports["codequality"]);
    assert_eq!(quality.contains("\"path\":\"main.go\""), output.code != 0, "{quality}");
    (output, coverage)
}

#[test]
fn the_gitlab_job_gates_on_the_lines_that_changed_and_comments_once() {
    if !has_program(&["jq", "--version"]) || !has_program(&["curl", "--version"]) {
        return;
    }
    let (service, comments) = (changed_service(), Comments::start());
    let (output, coverage) = run_gitlab_job(&service, &comments);
    let output = output.assert_code(ExitCode::BelowThreshold.number().into());
    assert!(output.stdout.contains("66.7%"), "{}", output.stdout);
    assert_eq!(coverage.as_deref(), Some("71.4"));
    comments.assert_one_says("66.7%", BELOW);
    service.agent.hit(&[2], 1);
    let (output, coverage) = run_gitlab_job(&service, &comments);
    output.assert_code(0);
    assert_eq!(coverage.as_deref(), Some("100.0"));
    comments.assert_one_says("100.0%", REACHED);
}

#[test]
fn github_and_gitlab_accept_the_jobs() {
    if !has_program(&["check-jsonschema", "--version"]) {
        return;
    }
    let check = |options: &[&str], name: &str| {
        let file = project_path("examples/") + name;
        output_of(Command::new("check-jsonschema").arg("--builtin-schema").args(options).arg(file))
            .assert_code(0)
    };
    check(&["vendor.github-workflows"], "ci/github-actions.yml");
    check(&["vendor.gitlab-ci", "--data-transform", "gitlab-ci"], "ci/gitlab-ci.yml");
}
