//! The world of one test: a work directory, a center, and the binary in an environment of its own.

pub(crate) mod browser;
pub(crate) mod git_server;
pub(crate) mod go;
pub(crate) mod inbox;
pub(crate) mod screens;
pub(crate) mod service;
pub(crate) mod shared;
pub(crate) mod source;
mod time;
pub(crate) mod units;
pub(crate) mod users;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use goc_watchdog::profile::{Limits, Profile, parse};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

use crate::sim::{Agent, Center, Program};

/// Deadlines to try one after the other, where a test needs some work done before the deadline: a busy machine is no
/// failure.
pub(crate) const DEADLINES: [&str; 3] = ["500ms", "5s", "50s"];

/// A service of the echo program, named as usual.
pub(crate) const ECHO: &str = "staging_th_apa_goc_echoserver_master_845820727e";

/// The same service at its next commit.
pub(crate) const NEXT_ECHO: &str = "staging_th_apa_goc_echoserver_master_ffffffffff";

/// Settings of `prune` for tests in which nothing hangs: hardly a pause, and one more look.
pub(crate) const SHORT_PAUSES: &str = "[prune]\npauses = [\"1ms\"]\nrecheck = [\"0s\"]\n";

/// The exit code of a program that panicked.
pub(crate) const PANICKED: i32 = 101;

/// Returns the echo program: six blocks, ten statements.
pub(crate) fn echo() -> Program {
    Program::from_profile(
        "example.com/apa/echo/main.go:10.13,12.2 2\n\
         example.com/apa/echo/main.go:14.30,16.2 1\n\
         example.com/apa/echo/handlers/ping.go:8.40,10.2 1\n\
         example.com/apa/echo/handlers/mirror.go:9.42,11.16 2\n\
         example.com/apa/echo/handlers/mirror.go:14.2,15.12 3\n\
         example.com/apa/echo/handlers/mirror.go:11.16,13.3 1\n",
    )
}

/// Block of [`echo`] that a test hits: the first of `main.go`.
///
/// Agents count blocks in the order of the text: main 10, main 14, ping, mirror 9, mirror 14, mirror 11. Profiles have
/// them in canonical order: handlers/mirror.go (9, 11, 14), handlers/ping.go, main.go (10, 14).
pub(crate) const MAIN_BLOCK: usize = 0;
/// The block of `handlers/ping.go`.
pub(crate) const PING_BLOCK: usize = 2;
/// The first block of `handlers/mirror.go`.
pub(crate) const MIRROR_BLOCK: usize = 3;

/// Output and exit code of a command that ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Returns stdout as JSON, one value a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Fails unless the exit code is this one.
    #[track_caller]
    pub(crate) fn assert_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Returns what is said of an address of a service that failed; fails unless what becomes of it is said, too.
    #[track_caller]
    pub(crate) fn fault(&self, service: &str, address: &str) -> String {
        let prefix = format!("goc-watchdog: {service}: profile from \"{address}\": ");
        let line = self.stderr.lines().find_map(|line| line.strip_prefix(&prefix)).expect(&self.stderr);
        let (fault, rest) = line.split_once("; kept the previous data, next try ").expect(line);
        assert!(rest.ends_with(" UTC"), "{rest}");
        fault.to_owned()
    }

    /// Fails unless stderr contains this text.
    #[track_caller]
    pub(crate) fn assert_stderr_contains(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "expected {part:?} in:\n{}", self.stderr);
        self
    }
}

pub(crate) struct World {
    home: TempDir,
    pub(crate) center: Center,
}

impl World {
    pub(crate) fn new() -> Self {
        set_umask();
        Self { home: TempDir::new().unwrap(), center: Center::start() }
    }

    /// Makes a world in which `replicas` echo processes are registered as [`ECHO`].
    pub(crate) fn with_echo(replicas: usize) -> (Self, Vec<Agent>) {
        let world = Self::new();
        let agents: Vec<Agent> = (0..replicas).map(|_| world.start(ECHO, &echo())).collect();
        (world, agents)
    }

    /// Makes a world with one echo process whose first block was executed once.
    pub(crate) fn with_covered_echo() -> (Self, Vec<Agent>) {
        let (world, agents) = Self::with_echo(1);
        agents[0].hit(&[0], 1);
        (world, agents)
    }

    /// Makes the same world, and pulls.
    pub(crate) fn with_pulled_echo() -> (Self, Vec<Agent>) {
        let (world, agents) = Self::with_covered_echo();
        world.pull(0);
        (world, agents)
    }

    /// Makes a world with two commits of the echo service, the older one with 50 % and the newer one with 10 %.
    pub(crate) fn with_two_commits() -> (Self, [Agent; 2]) {
        let world = Self::new();
        let old = world.start(ECHO, &echo());
        old.hit(&[0, 4], 1);
        world.pull(0);
        let new = world.start(NEXT_ECHO, &echo());
        new.hit(&[5], 1);
        world.pull(0);
        (world, [old, new])
    }

    /// Starts a process that registers under `name`.
    pub(crate) fn start(&self, name: &str, program: &Program) -> Agent {
        let agent = Agent::start(program);
        self.center.register(name, &agent);
        agent
    }

    /// Starts a process whose blocks were executed as often as the last column of its profile says.
    pub(crate) fn start_counted(&self, name: &str, profile: &str) -> Agent {
        let agent = self.start(name, &Program::from_profile(profile));
        for (index, line) in profile.lines().enumerate() {
            agent.hit(&[index], line.rsplit(' ').next().unwrap().parse().unwrap());
        }
        agent
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.home.path().join("root")
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn configure(&self, text: &str) {
        fs::create_dir_all(self.root()).unwrap();
        fs::write(self.root().join("goc-watchdog.toml"), text).unwrap();
    }

    /// Prepares a run of the binary without this machine's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_goc-watchdog"));
        self.set_environment(&mut command);
        command.args(arguments);
        command
    }

    /// Gives another command, such as strace, the environment of the binary.
    pub(crate) fn set_environment(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("GOC_WATCHDOG_ROOT", self.root())
            .env("GOC_CENTER", self.center.url())
            .current_dir(self.home.path())
            .stdin(Stdio::null());
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        output_of(&mut self.command(arguments))
    }

    /// Starts the binary without waiting for it.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Pulls everything now, and fails unless the exit code is this one.
    #[track_caller]
    pub(crate) fn pull(&self, code: i32) -> Output {
        self.run(&["pull", "--force"]).assert_code(code)
    }

    pub(crate) fn database(&self) -> Connection {
        let path = self.root().join("sqlite.db");
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
    }

    /// Returns the single value of a query.
    #[track_caller]
    pub(crate) fn query<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Returns the number of rows in the public table.
    #[track_caller]
    pub(crate) fn row_count(&self) -> usize {
        self.query("SELECT count(*) FROM goc_o_staging_service_cover")
    }

    /// Changes the database behind the program's back.
    #[track_caller]
    pub(crate) fn execute(&self, sql: &str) {
        self.database().execute_batch(sql).unwrap();
    }

    /// Undoes the migrations after this schema, so that the next run makes them again.
    ///
    /// For tests of one migration. Changes that migrations made in older tables stay.
    #[track_caller]
    pub(crate) fn downgrade_to(&self, schema: usize) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/io/store/migrations");
        let number = |path: &Path| -> usize {
            path.file_name().unwrap().to_str().unwrap().split('_').next().unwrap().parse().unwrap()
        };
        let mut later: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        later.retain(|path| number(path) > schema);
        later.sort();
        for path in later.iter().rev() {
            for line in fs::read_to_string(path).unwrap().lines() {
                let words: Vec<&str> = line.trim_end_matches(['(', ' ', ';']).split_whitespace().collect();
                match words[..] {
                    ["CREATE", "TABLE", name, ..] => self.execute(&format!("DROP TABLE {name}")),
                    ["CREATE", "INDEX", name, ..] => self.execute(&format!("DROP INDEX IF EXISTS {name}")),
                    ["ALTER", "TABLE", table, "ADD", "COLUMN", column, ..] => {
                        self.execute(&format!("ALTER TABLE {table} DROP COLUMN {column}"));
                    }
                    _ => {}
                }
            }
        }
        self.execute(&format!("PRAGMA user_version = {schema}"));
    }

    /// Returns the text of the latest profile of an app.
    #[track_caller]
    pub(crate) fn latest_text(&self, app: &str) -> String {
        let path: String = self
            .database()
            .query_row(
                "SELECT cov_file_path FROM goc_o_staging_service_cover
                 WHERE app_name = ?1 AND is_latest = 'y' AND deleted_at IS NULL",
                [app],
                |row| row.get(0),
            )
            .unwrap();
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Returns the counters of the latest echo profile, in canonical order.
    #[track_caller]
    pub(crate) fn echo_counts(&self) -> Vec<u64> {
        profile_of(&self.latest_text("apa_goc_echoserver")).counts
    }

    /// Returns the blocks that the latest profile of an app covers, without their counts.
    #[track_caller]
    pub(crate) fn covered_blocks(&self, app: &str) -> BTreeSet<String> {
        covered_blocks(&self.latest_text(app))
    }

    /// Fails unless stored data keeps the promises that hold after every run: one latest row for each key, and for each
    /// row a file that parses and has the total of the row.
    #[track_caller]
    pub(crate) fn assert_consistent(&self) {
        let database = self.database();
        let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
        let mut rows = database
            .prepare(
                "SELECT cov_file_path, cover_total, is_latest, env || '/' || region || '/' || app_name || '/' || git_commit
                 FROM goc_o_staging_service_cover WHERE deleted_at IS NULL",
            )
            .unwrap();
        let rows = rows
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)? == "y", row.get(3)?)))
            .unwrap();
        let mut keys = BTreeSet::new();
        let mut latest = BTreeSet::new();
        for row in rows {
            let (path, total, is_latest, key): (String, f64, bool, String) = row.unwrap();
            let text = fs::read_to_string(self.root().join(&path))
                .unwrap_or_else(|error| panic!("{path} of a row: {error}"));
            let percent = profile_of(&text).coverage().percent();
            assert!((percent - total).abs() < 1e-9, "{path}: {percent} in the file, {total} in the row");
            keys.insert(key.clone());
            if is_latest {
                assert!(latest.insert(key.clone()), "two latest rows of {key}");
            }
        }
        assert_eq!(keys, latest, "a key without a latest row");
    }

    /// Returns the files below the root whose path ends with `suffix`.
    pub(crate) fn files(&self, suffix: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.root()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_string_lossy().ends_with(suffix) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

/// Tells whether a program of another project is here to read our output; warns where not.
///
/// `GOC_WATCHDOG_REQUIRE_READERS=1` makes a missing program a failure.
pub(crate) fn has_program(command: &[&str]) -> bool {
    let (program, arguments) = command.split_first().expect("a program");
    let is_here = Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    if !is_here {
        // Python is often there without the module.
        let missing = arguments.iter().find_map(|argument| argument.strip_prefix("import "));
        let missing =
            missing.map_or((*program).to_owned(), |module| format!("{module} (a module of {program})"));
        assert!(std::env::var_os("GOC_WATCHDOG_REQUIRE_READERS").is_none(), "no {missing}");
        warn_skipped(&format!("no {missing} here, so it has not read what was written for it"));
    }
    is_here
}

/// Tells whether a file that `.ci/run` installs for the tests is here, as [`has_program`] does.
pub(crate) fn has_file(path: &Path) -> bool {
    let is_here = path.is_file();
    if !is_here {
        assert!(std::env::var_os("GOC_WATCHDOG_REQUIRE_READERS").is_none(), "no {}", path.display());
        warn_skipped(&format!("no {} here, with which pages are checked", path.display()));
    }
    is_here
}

/// Says that something was not tested here. The test runner, which would hide the message, is bypassed. The reason is
/// also left for `tests/skipped.rs`, which sums up what one cargo skipped.
#[expect(clippy::explicit_write, reason = "eprintln is captured")]
pub(crate) fn warn_skipped(why: &str) {
    writeln!(std::io::stderr(), "\nSKIPPED: {why}\n").unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(std::os::unix::process::parent_id().to_string());
    let mut file = fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(format!("{}\n", why.replace('\n', " ")).as_bytes()).unwrap();
}

pub(crate) fn output_of(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Makes a program, executable for everybody, from the bytes of `text`.
///
/// A shell writes the file, not this process: a program that another test starts at this moment would hold the file
/// open for writing until it is executed, and nothing can execute such a file ("Text file busy").
pub(crate) fn make_program(path: &Path, text: impl Into<Stdio>) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 022 && cat >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(path).stdin(text);
    assert!(shell.status().unwrap().success());
}

/// Makes a shell script.
pub(crate) fn make_script(path: &Path, commands: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 022 && printf '#!/bin/sh\\n%s' \"$2\" >\"$1\" && chmod 755 \"$1\"", "sh"]);
    assert!(shell.arg(path).arg(commands).status().unwrap().success());
}

/// Sets one umask for this process and those that it starts, so that files get the same permissions on all machines.
pub(crate) fn set_umask() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
}

/// Sends a signal such as `-TERM`.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[track_caller]
pub(crate) fn profile_of(text: &str) -> Profile {
    parse(text.as_bytes(), Limits::default()).unwrap()
}

/// Returns the blocks that a profile covers, without their counts.
pub(crate) fn covered_blocks(profile: &str) -> BTreeSet<String> {
    let covered = profile.lines().skip(1).filter(|line| !line.ends_with(" 0"));
    covered.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// Returns the echo program built from a changed source.
pub(crate) fn rebuilt_echo() -> Program {
    Program::from_profile(
        "example.com/apa/echo/main.go:10.13,13.2 3\n\
         example.com/apa/echo/main.go:15.30,17.2 1\n\
         example.com/apa/echo/handlers/ping.go:8.40,10.2 1\n",
    )
}
