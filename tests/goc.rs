//! The real goc: a center, and processes of `examples/echo` that it instrumented.
//!
//! Where goc is missing these say so loudly and pass; `GOC_WATCHDOG_REQUIRE_GO=1` makes that a failure.
//! `GOC` names the program; `.ci/install-goc` installs it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{ECHO, Said, World, profile_of, skipped};

/// A center, and what is needed to start processes that register with it.
struct Goc {
    folder: TempDir,
    center: String,
    children: Vec<Child>,
    world: World,
}

impl Drop for Goc {
    fn drop(&mut self) {
        for child in &mut self.children {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn program() -> Option<PathBuf> {
    let named = std::env::var_os("GOC").map(PathBuf::from);
    let program = named.unwrap_or_else(|| PathBuf::from("goc"));
    if Command::new(&program).arg("version").output().is_ok_and(|output| output.status.success()) {
        return Some(program);
    }
    assert!(
        std::env::var_os("GOC_WATCHDOG_REQUIRE_GO").is_none(),
        "goc is missing: install it with .ci/install-goc, or name it by GOC"
    );
    skipped("no goc here (.ci/install-goc installs it), so nothing was tested against the real one");
    None
}

/// Asks again and again until there is an answer; the other side is a process that is starting.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(answer) = ask() {
            return answer;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} did not come up within 30 seconds");
}

fn get(url: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(url.strip_prefix("http://")?).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.0 200").then_some(answer)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(path, to).unwrap();
        }
    }
}

impl Goc {
    /// Starts a center and builds the service in this mode.
    fn start(mode: &str) -> Option<Self> {
        let goc = program()?;
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let center = format!("http://127.0.0.1:{port}");
        let server = Command::new(&goc)
            .args(["server", "--port", &format!("127.0.0.1:{port}")])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let this = Self { folder, center, children: vec![server], world: World::new() };
        wait_for("the center", || get(&this.center, "/v1/cover/list"));
        let source = this.folder.path().join("source");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/echo"), &source);
        let built = Command::new(&goc)
            .args(["build", &format!("--center={}", this.center), "--mode", mode, "-o"])
            .args([this.folder.path().join("echoserver").to_str().unwrap(), "."])
            .current_dir(source)
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Some(this)
    }

    /// Starts a replica in a folder of its own; returns the URL of the service itself.
    fn replica(&mut self, name: &str) -> String {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("echoserver");
        if !program.exists() {
            fs::hard_link(self.folder.path().join("echoserver"), &program).unwrap();
            // goc listens where this file says, now and after a restart. Below the ports that the kernel
            // gives to connections, so that none of the other tests' has it at that moment.
            let mut ports = std::iter::repeat_with(|| fastrand::u16(20_000..32_000));
            let free = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
            fs::write(folder.join("echoserver_profile_listen_addr"), format!("127.0.0.1:{free}")).unwrap();
        }
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = Command::new(program)
            .args(["-addr", "127.0.0.1:0"])
            .env("GOC_SERVICE_NAME", ECHO)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.children.push(child);
        let url = wait_for("the service", || {
            let log = fs::read_to_string(folder.join("log")).unwrap();
            let (_, url) = log.split_once("listening on ")?;
            Some(url.split_once('\n')?.0.trim().to_owned())
        });
        wait_for("its agent", || {
            let agent = fs::read_to_string(folder.join("echoserver_profile_listen_addr")).ok()?;
            get(&format!("http://{}", agent.trim().trim_start_matches("http://")), "/v1/cover/coverage")
        });
        url
    }

    fn signal(&self, child: usize, signal: &str) {
        let id = self.children[child].id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    fn run(&self, arguments: &[&str]) -> Said {
        self.world.run(&[arguments, &["--center", &self.center]].concat())
    }

    fn covered(&self) -> BTreeSet<String> {
        let text = self.world.latest_text("apa_goc_echoserver");
        let hit = |line: &&str| !line.ends_with(" 0");
        text.lines().skip(1).filter(hit).map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    }
}

#[test]
fn replicas_are_pulled_merged_and_outlive_hangs_kills_and_restarts() {
    let Some(mut goc) = Goc::start("count") else { return };
    let (first, second) = (goc.replica("first"), goc.replica("second"));
    get(&first, "/").unwrap();
    get(&second, "/ping").unwrap();
    let said = goc.run(&["pull", "--format", "json"]).ended(0).json();
    assert_eq!(said[0]["replicas"]["answered"], 2);
    let before = goc.covered();
    let recorded = profile_of(include_str!("fixtures/echo.cov"));
    let stored = profile_of(&goc.world.latest_text("apa_goc_echoserver"));
    assert_eq!(
        stored.build.fingerprint(),
        recorded.build.fingerprint(),
        "tests/fixtures/echo.cov is not what examples/echo is built to any more"
    );

    // Stopped: it accepts connections and never answers.
    goc.signal(1, "-STOP");
    let hung = goc.run(&["pull", "--force", "--read-timeout", "300ms"]).ended(3);
    hung.warned("timed out (connected, then silent)");
    goc.signal(1, "-CONT");
    goc.run(&["pull", "--force"]).ended(0);

    // Killed: it stays listed.
    goc.signal(1, "-KILL");
    goc.children[1].wait().unwrap();
    goc.run(&["pull", "--force"]).ended(3).warned("connection refused");
    assert_eq!(goc.covered(), before);

    // Started again at the same path: same address, counters at zero.
    let first = goc.replica("first");
    get(&first, "/nowhere");
    let said = goc.run(&["pull", "--force", "--format", "json"]).ended(0).json();
    assert_eq!(said[0]["restarted"], 1);
    assert_eq!(said[0]["replicas"]["known"], 2);
    assert!(goc.covered().is_superset(&before));

    // Terminated: goc takes it off the list, unless the service itself ends first. Its data stays.
    let before = goc.covered();
    goc.signal(2, "-TERM");
    goc.children[2].wait().unwrap();
    let said = goc.run(&["pull", "--force", "--format", "json"]);
    assert!([0, 3].contains(&said.code), "{said:?}");
    assert_eq!(said.json()[0]["replicas"]["answered"], 1);
    assert_eq!(goc.covered(), before);
    goc.world.is_sound();
}

#[test]
fn what_is_stored_is_what_go_tool_cover_reads() {
    let Some(mut goc) = Goc::start("set") else { return };
    let url = goc.replica("only");
    get(&url, "/ping").unwrap();
    goc.run(&["pull"]).ended(0);
    let path: String = goc.world.query("SELECT cov_file_path FROM goc_o_staging_service_cover");
    let cover = Command::new("go")
        .args(["tool", "cover", "-func"])
        .arg(goc.world.root().join(path))
        .current_dir(goc.folder.path().join("source"))
        .output()
        .unwrap();
    let report = String::from_utf8(cover.stdout).unwrap();
    let total = goc.run(&["total", ECHO]).ended(0).stdout;
    // Every statement of this program is inside a function, so both totals are the same.
    let last = report.lines().last().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&cover.stderr)));
    assert_eq!(last.split_whitespace().last().unwrap(), format!("{}%", total.trim()));
}
