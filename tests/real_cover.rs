//! Real processes of `go build -cover`, with an agent of the kind coverport.
//!
//! These tests warn and pass where Go is missing; `GOC_WATCHDOG_REQUIRE_GO=1` makes that a failure.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::{ECHO, World, covered_blocks, has_program, profile_of, warn_skipped};

const MAIN: &str = r#"package main

import (
	"fmt"
	"net/http"

	_ "example.com/agent"
)

func sign(n int) string {
	if n < 0 {
		return "minus"
	}
	return "plus"
}

func main() {
	http.HandleFunc("/plus", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, sign(1)) })
	http.HandleFunc("/minus", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, sign(-1)) })
	select {}
}
"#;

/// In a module of its own, so that it does not count itself. Its mux is that of the service, for requests of tests.
const AGENT: &str = r#"package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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
	fmt.Println(listener.Addr())
	http.HandleFunc("/coverage", func(w http.ResponseWriter, r *http.Request) {
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
		http.DefaultServeMux.ServeHTTP(w, r)
	}))
}
"#;

struct Service {
    folder: TempDir,
    children: Vec<Child>,
}

impl Drop for Service {
    fn drop(&mut self) {
        for child in &mut self.children {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Service {
    fn new() -> Option<Self> {
        if !has_program(&["go", "version"]) {
            assert!(std::env::var_os("GOC_WATCHDOG_REQUIRE_GO").is_none(), "Go is missing");
            warn_skipped("no Go here, so nothing was tested against a real program of go build -cover");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("svc/main.go", MAIN);
        write(
            "svc/go.mod",
            "module example.com/svc\n\ngo 1.20\n\nrequire example.com/agent v0.0.0\n\nreplace example.com/agent => ../agent\n",
        );
        write("agent/agent.go", AGENT);
        write("agent/go.mod", "module example.com/agent\n\ngo 1.20\n");
        Some(Self { folder, children: Vec::new() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn build(&self, mode: &str) -> PathBuf {
        let program = self.path(&format!("svc-{mode}"));
        let built = Command::new("go")
            .args(["build", "-cover", &format!("-covermode={mode}"), "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(self.path("svc"))
            .env("GOFLAGS", "-mod=mod")
            .env("GOPROXY", "off")
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        program
    }

    /// Starts a process, and returns its address.
    fn start(&mut self, program: &Path) -> String {
        let mut child = Command::new(program)
            .env_remove("GOCOVERDIR")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.children.push(child);
        format!("http://{}", line.trim())
    }
}

fn call(address: &str, path: &str) {
    let url = format!("{address}{path}");
    drop(ureq::get(&url).call().unwrap_or_else(|error| panic!("{url}: {error}")));
}

/// Returns the covered blocks of the one stored profile.
fn covered(world: &World) -> BTreeSet<String> {
    covered_blocks(&world.latest_text("apa_goc_echoserver"))
}

#[test]
fn a_real_process_is_pulled_and_its_restart_adds_to_what_it_counted() {
    let Some(mut service) = Service::new() else { return };
    let program = service.build("atomic");
    let world = World::new();
    let first = service.start(&program);
    world.center.register_url(ECHO, &first);
    call(&first, "/plus");
    let output = world.pull(0);
    assert_eq!(output.stderr, "");
    assert!(!covered(&world).contains("example.com/svc/main.go:11.11,13.3 1"), "{:?}", covered(&world));
    assert!(covered(&world).contains("example.com/svc/main.go:14.2,14.15 1"));

    // Killed, and started again at another address: what it counted stays.
    drop(service.children[0].kill());
    let second = service.start(&program);
    world.center.remove(&first);
    world.center.register_url(ECHO, &second);
    call(&second, "/minus");
    world.pull(0);
    assert!(covered(&world).is_superset(&BTreeSet::from([
        "example.com/svc/main.go:11.11,13.3 1".to_owned(),
        "example.com/svc/main.go:14.2,14.15 1".to_owned(),
    ])));
    world.assert_consistent();

    let raw = world.run(&["pull", "--raw", "--address", &second]).assert_code(0);
    let raw = profile_of(&raw.stdout);
    assert_eq!(
        raw.build.blocks().len(),
        profile_of(&world.latest_text("apa_goc_echoserver")).build.blocks().len()
    );
    world.run(&["prune", "--dry-run"]).assert_code(0);
}

#[test]
fn a_real_program_in_another_mode_is_told_with_the_next_step() {
    let Some(mut service) = Service::new() else { return };
    let program = service.build("count");
    let world = World::new();
    world.center.register_url(ECHO, &service.start(&program));
    let output = world.pull(3);
    assert!(output.stderr.contains("build it with go build -cover -covermode=atomic"), "{}", output.stderr);
}
