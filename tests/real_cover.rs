//! Real processes of `go build -cover`: pulled through an agent of the kind coverport, and as data that they leave in
//! the inbox.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::go::{Go, write, write_counted};
use crate::harness::{ECHO, World, covered_blocks, profile_of, warn_skipped};
use crate::sim::ReservedPort;

const APP: &str = "apa_goc_echoserver";

/// In a module of its own, so that it does not count itself.
const AGENT: &str = r#"package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/coverage"
	"time"
)

func init() { go serve() }

func serve() {
	for coverage.WriteMeta(io.Discard) != nil {
		time.Sleep(10 * time.Millisecond)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	log.Printf("coverage on port %d", listener.Addr().(*net.TCPAddr).Port)
	mux := http.NewServeMux()
	mux.HandleFunc("/coverage", func(w http.ResponseWriter, r *http.Request) {
		var meta, counters bytes.Buffer
		if err := coverage.WriteCounters(&counters); err != nil {
			http.Error(w, "Failed to collect counters: "+err.Error(), http.StatusInternalServerError)
			return
		}
		answer := map[string]any{"counters_data": counters.Bytes()}
		if r.URL.Query().Get("nometa") != "1" && coverage.WriteMeta(&meta) == nil {
			answer["meta_data"] = meta.Bytes()
		}
		json.NewEncoder(w).Encode(answer)
	})
	http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Art-Coverage-Server", "1")
		w.Header().Set("X-Art-Coverage-Pid", fmt.Sprint(os.Getpid()))
		mux.ServeHTTP(w, r)
	}))
}
"#;

/// The server of three projects, as it is published. The module is not fetched here.
const COVERPORT: &str =
    "github.com/konflux-ci/coverport/instrumentation/go v0.0.0-20260716142834-0e0cf75be216";

/// Options of builds that count in mode atomic: without and with a package of Go.
pub(crate) const ATOMIC: [&[&str]; 2] =
    [&["-covermode=atomic"], &["-covermode=atomic", "-coverpkg=container/ring,./..."]];

/// Blocks of the program that the order "max" executes, and "c".
const MAX: &str = "example.com/counted/calc-x/x.go:3.36,4.11 1";
const C: &str = "example.com/counted/twice.go:10.2,10.31 1";

/// Builds the program of the harness.
pub(crate) struct Builder<'a> {
    go: &'a Go,
    folder: TempDir,
}

impl<'a> Builder<'a> {
    /// Its programs use the agent above.
    pub(crate) fn new(go: &'a Go) -> Self {
        let folder = TempDir::new().unwrap();
        write_counted(&folder.path().join("counted"));
        write(folder.path(), "agent/agent.go", AGENT);
        write(folder.path(), "agent/go.mod", "module example.com/agent\n\ngo 1.20\n");
        Self { go, folder }
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("counted")
    }

    /// Builds a program that serves its coverage, or returns what the tool printed.
    fn try_build(&self, options: &[&str]) -> Result<PathBuf, String> {
        let program = self.source().join("program");
        let arguments = [&["build", "-cover", "-tags=coverage", "-o", "program"], options, &["."]].concat();
        self.go.try_run(&self.source(), &arguments).map(|()| program)
    }

    #[track_caller]
    pub(crate) fn build(&self, options: &[&str]) -> PathBuf {
        self.try_build(options).unwrap_or_else(|printed| panic!("{options:?}: {printed}"))
    }

    /// Makes an empty folder for the data that processes leave.
    pub(crate) fn data(&self) -> PathBuf {
        let data = self.folder.path().join("data");
        drop(fs::remove_dir_all(&data));
        fs::create_dir(&data).unwrap();
        data
    }
}

/// A process that serves its coverage.
pub(crate) struct Service {
    child: Child,
    pub(crate) url: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Service {
    /// Starts a process that leaves its data in a folder at its end.
    pub(crate) fn start(program: &Path, data: &Path) -> Self {
        let free = ReservedPort::local().address().port();
        let mut child = Command::new(program)
            .env("GOCOVERDIR", data)
            .env("COVERAGE_PORT", free.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let line = said.by_ref().find(|line| line.contains(" on port ")).expect("a line with the port");
        std::thread::spawn(move || said.for_each(drop));
        let port = line.split(" on port ").nth(1).unwrap().split(' ').next().unwrap();
        Self { url: format!("http://127.0.0.1:{port}"), child }
    }

    /// Has the process execute these orders.
    pub(crate) fn work(&mut self, orders: &[&str]) {
        let input = self.child.stdin.as_mut().unwrap();
        let output = self.child.stdout.as_mut().unwrap();
        let mut done = BufReader::new(output).lines();
        for order in orders {
            writeln!(input, "{order}").unwrap();
            assert_eq!(done.next().unwrap().unwrap(), "done");
        }
    }

    /// Ends the process, which writes its data then.
    fn end(&mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// Pulls processes of such programs, and compares what is stored with the data that they leave at their end.
fn compare_pulled(builder: &Builder<'_>) {
    for options in ATOMIC {
        let world = World::new();
        world.configure("");
        let (program, data) = (builder.build(options), builder.data());
        let mut replicas = [Service::start(&program, &data), Service::start(&program, &data)];
        replicas[0].work(&["sum", "max", "max", "c"]);
        replicas[1].work(&["sum", "ring", "other"]);
        for replica in &replicas {
            world.center.register_url(ECHO, &replica.url);
        }
        let output = world.pull(0);
        assert_eq!(output.stderr, "");
        let stored = world.latest_text(APP);
        replicas.iter_mut().for_each(Service::end);
        let expected = builder.go.textfmt(&data);
        assert_eq!(profile_of(&stored), profile_of(&expected), "{options:?}");
        assert!(world.covered_blocks(APP).contains(MAX) && world.covered_blocks(APP).contains(C), "{stored}");
        assert_eq!(stored.contains("container/ring/ring.go"), options.len() > 1, "{options:?}");
    }
}

/// Takes in what processes leave in the inbox, and compares it with what the tool makes of the same files.
fn compare_left(builder: &Builder<'_>) {
    for options in [
        &["-covermode=set"][..],
        &["-covermode=count"],
        &["-covermode=atomic"],
        &["-covermode=count", "-coverpkg=container/ring,./..."],
    ] {
        let world = World::new();
        let (program, data) = (builder.build(options), builder.data());
        let folder = world.inbox().join(ECHO).join("pod-0");
        fs::create_dir_all(&folder).unwrap();
        for orders in [&["sum"][..], &["max", "sum", "c", "odd"], &[]] {
            let mut program = Command::new(&program);
            program.args(orders).env("GOCOVERDIR", &folder).stdin(Stdio::null()).output().unwrap();
        }
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, data.join(path.file_name().unwrap())).unwrap();
        }
        let output = world.run(&["pull", "--no-peek"]).assert_code(0);
        assert!(output.stdout.contains("3 snapshots taken in"), "{}", output.stdout);
        let expected = builder.go.textfmt(&data);
        assert_eq!(profile_of(&world.latest_text(APP)), profile_of(&expected), "{options:?}");
        assert!(expected.contains(" 1\n") && expected.contains(C), "{expected}");
    }
}

const UNTESTED: &str = "nothing was tested against a real program of go build -cover";

#[test]
fn the_figures_of_real_processes_are_those_of_go_tool_covdata() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let builder = Builder::new(&go);
    compare_pulled(&builder);
    compare_left(&builder);
}

#[test]
fn the_figures_of_processes_of_an_older_go_are_those_of_its_go_tool_covdata() {
    for go in Go::older("nothing was tested against its programs") {
        let builder = Builder::new(&go);
        compare_pulled(&builder);
        compare_left(&builder);
    }
}

#[test]
fn the_figures_of_processes_with_an_unmodified_coverport_server_are_those_of_go_tool_covdata() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let builder = Builder::new(&go);
    let module = COVERPORT.split(' ').next().unwrap();
    write(
        &builder.source(),
        "go.mod",
        &format!("module example.com/counted\n\ngo 1.21\n\nrequire {COVERPORT}\n"),
    );
    let served = fs::read_to_string(builder.source().join("serve.go")).unwrap();
    write(&builder.source(), "serve.go", &served.replace("example.com/agent", module));
    if let Err(printed) = builder.try_build(ATOMIC[0]) {
        assert!(printed.contains("module lookup disabled by GOPROXY=off"), "{printed}");
        let fetch = COVERPORT.replace(' ', "@");
        warn_skipped(&format!(
            "no coverport here (\"go mod download {fetch}\" fetches it), so it was not pulled"
        ));
        return;
    }
    compare_pulled(&builder);
}

#[test]
fn a_real_process_is_pulled_and_its_restart_adds_to_what_it_counted() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let builder = Builder::new(&go);
    let (program, data) = (builder.build(ATOMIC[0]), builder.data());
    let world = World::new();
    world.configure("");
    let mut first = Service::start(&program, &data);
    world.center.register_url(ECHO, &first.url);
    first.work(&["c"]);
    let output = world.pull(0);
    assert_eq!(output.stderr, "");
    let covered = world.covered_blocks(APP);
    assert!(covered.contains(C) && !covered.contains(MAX), "{covered:?}");

    // Killed, and started again at another address: what it counted stays.
    world.center.remove(&first.url);
    drop(first);
    let mut second = Service::start(&program, &data);
    world.center.register_url(ECHO, &second.url);
    second.work(&["max"]);
    world.pull(0);
    let covered = world.covered_blocks(APP);
    assert!(covered.contains(C) && covered.contains(MAX), "{covered:?}");
    world.assert_consistent();

    let raw = world.run(&["pull", "--raw", "--address", &second.url]).assert_code(0);
    let raw = profile_of(&raw.stdout);
    assert_eq!(raw.build.blocks().len(), profile_of(&world.latest_text(APP)).build.blocks().len());
    world.run(&["prune", "--dry-run"]).assert_code(0);
}

/// The block that the order "ring" executes.
const RING: &str = "example.com/counted/calc/calc.go:19.24,19.52 1 ";

#[test]
fn processes_that_are_killed_or_end_at_any_moment_of_a_pull_count_what_they_left_and_never_more() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let builder = Builder::new(&go);
    let program = builder.build(ATOMIC[0]);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let data = builder.data();
    let mut survivor = Service::start(&program, &data);
    survivor.work(&["ring"]);
    world.center.register_url(ECHO, &survivor.url);
    world.pull(0);
    // Calls of all processes, and of those that must be counted: of this one, and of those that ended by themselves,
    // which wrote their data then.
    let (mut called, mut left) = (1, 1);
    let mut before = BTreeSet::new();
    for round in 0..15 {
        let mut replicas = Vec::new();
        for pod in 0..3 {
            let folder = world.inbox().join(ECHO).join(format!("pod-{round}-{pod}"));
            fs::create_dir_all(&folder).unwrap();
            let mut replica = Service::start(&program, &folder);
            let calls = random.usize(1..6);
            replica.work(&vec!["ring"; calls]);
            called += calls;
            world.center.register_url(ECHO, &replica.url);
            replicas.push((replica, calls));
        }
        let mut pull = world.command(&["pull", "--force", "-q"]).stderr(Stdio::null()).spawn().unwrap();
        for (replica, calls) in &mut replicas {
            // A random moment is the point of this test: the checks below must hold whenever the process goes.
            std::thread::sleep(Duration::from_millis(random.u64(..40)));
            if random.bool() {
                replica.end();
                left += *calls;
            } else {
                replica.child.kill().unwrap();
            }
        }
        pull.wait().unwrap();
        for (replica, _) in &replicas {
            world.center.remove(&replica.url);
        }
        let after = world.run(&["pull", "-q"]);
        assert_eq!((after.code, &*after.stderr), (0, ""), "round {round}");
        world.assert_consistent();
        let text = world.latest_text(APP);
        let count = text.lines().find_map(|line| line.strip_prefix(RING)).unwrap().parse::<usize>().unwrap();
        assert!((left..=called).contains(&count), "round {round}: {left} to {called} calls, not {count}");
        let covered = covered_blocks(&text);
        assert!(covered.is_superset(&before), "round {round}: {covered:?}");
        before = covered;
    }
    println!("{left} of {called} calls had to be counted");
    assert!(left > 1 && left < called && !before.is_empty());
}

#[test]
fn a_real_program_in_another_mode_is_told_with_the_next_step() {
    let Some(go) = Go::installed(UNTESTED) else { return };
    let builder = Builder::new(&go);
    for mode in ["-covermode=set", "-covermode=count"] {
        let world = World::new();
        let service = Service::start(&builder.build(&[mode]), &builder.data());
        world.center.register_url(ECHO, &service.url);
        let output = world.pull(3);
        assert!(
            output.stderr.contains("build it with go build -cover -covermode=atomic"),
            "{}",
            output.stderr
        );
    }
}
