//! The real goc: a center, and processes of `examples/echo` that it instrumented.
//!
//! These tests warn and pass where goc is missing; `GOC_WATCHDOG_REQUIRE_GO=1` makes that a failure. `GOC` names the
//! program; `.ci/install-goc` installs it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{ECHO, Output, World, profile_of, warn_skipped};
use crate::sim::ReservedPort;

/// A real center, and the programs and ports of processes that register with it.
pub(crate) struct Goc {
    program: PathBuf,
    folder: TempDir,
    pub(crate) center: String,
    /// The center, then each process in the order of their starts.
    pub(crate) children: Vec<Child>,
    /// Ports of the center and of every process, reserved also after its end.
    ports: Vec<ReservedPort>,
    pub(crate) world: World,
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
    warn_skipped("no goc here (.ci/install-goc installs it), so nothing was tested against the real one");
    None
}

/// Asks again and again until there is an answer, since the other side is a process that is starting.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(answer) = ask() {
            return answer;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} did not come up within 30 seconds");
}

pub(crate) fn get(url: &str, path: &str) -> Option<String> {
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
    pub(crate) fn start(mode: &str) -> Option<Self> {
        let program = program()?;
        let folder = TempDir::new().unwrap();
        let port = ReservedPort::local();
        let center = format!("http://{}", port.address());
        let (children, ports, world) = (Vec::new(), vec![port], World::new());
        let mut this = Self { program, folder, center, children, ports, world };
        let server = this.serve("center");
        this.children.push(server);
        let source = this.folder.path().join("source");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/echo"), &source);
        this.build(&source, mode, "echoserver");
        Some(this)
    }

    /// Starts the center in the folder where it keeps its list.
    pub(crate) fn serve(&self, folder: &str) -> Child {
        let folder = self.folder.path().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let server = Command::new(&self.program)
            .args(["server", "--port", self.center.strip_prefix("http://").unwrap()])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("the center", || get(&self.center, "/v1/cover/list"));
        server
    }

    pub(crate) fn build(&self, source: &Path, mode: &str, name: &str) {
        let built = Command::new(&self.program)
            .args(["build", &format!("--center={}", self.center), "--mode", mode, "-o"])
            .args([self.folder.path().join(name).to_str().unwrap(), "."])
            .current_dir(source)
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a replica in a folder of its own, and returns the URL of the service itself.
    fn replica(&mut self, name: &str) -> String {
        self.process(name, "echoserver", ECHO)
    }

    /// Starts a program that was built, in a folder of its own where it keeps its address. Returns the URL of the
    /// service itself.
    pub(crate) fn process(&mut self, name: &str, program: &str, service: &str) -> String {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let own = folder.join("echoserver");
        drop(fs::remove_file(&own));
        fs::hard_link(self.folder.path().join(program), &own).unwrap();
        let address = folder.join("echoserver_profile_listen_addr");
        if !address.exists() {
            // goc reads its address from this file, now and after a restart.
            let port = ReservedPort::local();
            fs::write(&address, port.address().to_string()).unwrap();
            self.ports.push(port);
        }
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = Command::new(own)
            .args(["-addr", "127.0.0.1:0"])
            .env("GOC_SERVICE_NAME", service)
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
        wait_for("its agent", || get(&self.agent(name), "/v1/cover/coverage"));
        url
    }

    /// Returns the address under which the process in this folder is registered.
    pub(crate) fn agent(&self, name: &str) -> String {
        let address = self.folder.path().join(name).join("echoserver_profile_listen_addr");
        let address = fs::read_to_string(address).unwrap();
        let (_, port) = address.trim().rsplit_once(':').unwrap();
        format!("http://127.0.0.1:{port}")
    }

    pub(crate) fn signal(&self, child: usize, signal: &str) {
        let id = self.children[child].id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.world.run(&[arguments, &["--center", &self.center]].concat())
    }

    fn covered(&self) -> BTreeSet<String> {
        self.world.covered_blocks("apa_goc_echoserver")
    }
}

#[test]
fn replicas_are_pulled_merged_and_outlive_hangs_kills_and_restarts() {
    let Some(mut goc) = Goc::start("count") else { return };
    let (first, second) = (goc.replica("first"), goc.replica("second"));
    get(&first, "/").unwrap();
    get(&second, "/ping").unwrap();
    let output = goc.run(&["pull", "--format", "json"]).assert_code(0).json();
    assert_eq!(output[0]["replicas"]["answered"], 2);
    let before = goc.covered();
    let recorded = profile_of(include_str!("fixtures/echo.cov"));
    let stored = profile_of(&goc.world.latest_text("apa_goc_echoserver"));
    assert_eq!(
        stored.build.fingerprint(),
        recorded.build.fingerprint(),
        "tests/fixtures/echo.cov is not what examples/echo is built to any more"
    );

    // A stopped process accepts connections and never answers.
    goc.signal(1, "-STOP");
    let hung = goc.run(&["pull", "--force", "--read-timeout", "2s"]).assert_code(3);
    hung.assert_stderr_contains("timed out (connected, then silent)");
    goc.signal(1, "-CONT");
    goc.run(&["pull", "--force"]).assert_code(0);

    // A killed process stays listed.
    goc.signal(1, "-KILL");
    goc.children[1].wait().unwrap();
    goc.run(&["pull", "--force"]).assert_code(3).assert_stderr_contains("connection refused");
    assert_eq!(goc.covered(), before);

    // A process that is started again in the same folder has the same address, and counters at zero.
    let first = goc.replica("first");
    get(&first, "/nowhere");
    let output = goc.run(&["pull", "--force", "--format", "json"]).assert_code(0).json();
    assert_eq!(output[0]["restarted"], 1);
    assert_eq!(output[0]["replicas"]["known"], 2);
    assert!(goc.covered().is_superset(&before));

    // A terminated process is taken off the list by goc, unless the service itself ends first. Its data stays.
    let before = goc.covered();
    goc.signal(2, "-TERM");
    goc.children[2].wait().unwrap();
    let output = goc.run(&["pull", "--force", "--format", "json"]);
    assert!([0, 3].contains(&output.code), "{output:?}");
    assert_eq!(output.json()[0]["replicas"]["answered"], 1);
    assert_eq!(goc.covered(), before);
    goc.world.assert_consistent();
}

#[test]
fn go_tool_cover_reads_the_stored_profile() {
    let Some(mut goc) = Goc::start("set") else { return };
    let url = goc.replica("only");
    get(&url, "/ping").unwrap();
    goc.run(&["pull"]).assert_code(0);
    let path: String = goc.world.query("SELECT cov_file_path FROM goc_o_staging_service_cover");
    let cover = Command::new("go")
        .args(["tool", "cover", "-func"])
        .arg(goc.world.root().join(path))
        .current_dir(goc.folder.path().join("source"))
        .output()
        .unwrap();
    let report = String::from_utf8(cover.stdout).unwrap();
    let total = goc.run(&["total", ECHO]).assert_code(0).stdout;
    // The totals are equal, since every statement of this program is inside a function.
    let last = report.lines().last().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&cover.stderr)));
    assert_eq!(last.split_whitespace().last().unwrap(), format!("{}%", total.trim()));
}
