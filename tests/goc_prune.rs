//! `prune` against the real goc: a center with its pitfalls, and processes that die, hang and move.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::goc::{Goc, get};
use crate::harness::{ECHO, NEXT_ECHO, Output};
use crate::sim::{AfterAnswer, Request, Server};

const SETTINGS: &str = "[prune]\npauses = [\"10ms\"]\nrecheck = [\"0s\", \"50ms\"]\ntimeout = \"5s\"\n";

impl Goc {
    /// Returns the list of the center: each name with an address.
    fn listed(&self) -> BTreeSet<(String, String)> {
        let answer = get(&self.center, "/v1/cover/list").unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let services: Value = serde_json::from_str(body).unwrap();
        let pairs = |(name, addresses): (&String, &Value)| -> Vec<(String, String)> {
            let addresses = addresses.as_array().unwrap().iter();
            addresses.map(|address| (name.clone(), address.as_str().unwrap().to_owned())).collect()
        };
        services.as_object().unwrap().iter().flat_map(pairs).collect()
    }

    /// Fails unless the center lists these processes, by folder, under these names.
    #[track_caller]
    fn assert_listed(&self, wanted: &[(&str, &str)]) {
        let wanted = wanted.iter().map(|(service, folder)| ((*service).to_owned(), self.agent(folder)));
        assert_eq!(self.listed(), wanted.collect());
    }

    /// Kills the process with this index among the children.
    fn kill(&mut self, child: usize) {
        self.children[child].kill().unwrap();
        self.children[child].wait().unwrap();
    }

    /// Builds a program of another module, and the service with a change.
    fn build_others(&self) {
        let other = self.folder().join("other-source");
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("go.mod"), "module example.org/other\n\ngo 1.21\n").unwrap();
        fs::write(
            other.join("main.go"),
            "package main\n\nimport (\n\t\"fmt\"\n\t\"net\"\n\t\"net/http\"\n)\n\nfunc main() {\n\
             \tl, _ := net.Listen(\"tcp\", \"127.0.0.1:0\")\n\
             \tfmt.Println(\"listening on http://\" + l.Addr().String())\n\thttp.Serve(l, nil)\n}\n",
        )
        .unwrap();
        self.build(&other, "count", "other");
        let main = self.folder().join("source/main.go");
        let changed = fs::read_to_string(&main).unwrap()
            + "\nfunc extra(more bool) int {\n\tif more {\n\t\treturn 1\n\t}\n\treturn 2\n}\n";
        fs::write(main, changed).unwrap();
        self.build(&self.folder().join("source"), "count", "rebuilt");
    }

    fn unregister(&self, folder: &str) {
        let body = format!("{{\"address\":[\"{}\"]}}", self.agent(folder));
        let mut stream = TcpStream::connect(self.center.strip_prefix("http://").unwrap()).unwrap();
        write!(
            stream,
            "POST /v1/cover/remove HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream.read_to_string(&mut String::new()).unwrap();
    }

    fn register(&self, service: &str, folder: &str) {
        let mut stream = TcpStream::connect(self.center.strip_prefix("http://").unwrap()).unwrap();
        let address = self.agent(folder);
        write!(
            stream,
            "POST /v1/cover/register?name={service}&address={address} HTTP/1.0\r\nContent-Length: 0\r\n\r\n"
        )
        .unwrap();
        stream.read_to_string(&mut String::new()).unwrap();
    }
}

#[track_caller]
fn result_for(output: &Output, address: &str) -> Value {
    let found = output.json().into_iter().find(|line| line["address"] == address);
    found.unwrap_or_else(|| panic!("nothing about {address} in\n{}\n{}", output.stdout, output.stderr))
}

#[test]
fn the_list_holds_exactly_the_live_ones_afterwards() {
    let Some(mut goc) = Goc::start("count") else { return };
    goc.world.configure(SETTINGS);
    goc.build_others();
    let live = ["live-1", "live-2", "live-3", "live-4", "live-5", "live-6"];
    let folders = [&live[..], &["killed", "stopped", "hung", "recycled", "moved"]].concat();
    let mut services = Vec::new();
    for folder in &folders {
        services.push(goc.process(folder, "echoserver", ECHO));
    }
    let child = |name: &str| 1 + folders.iter().position(|folder| *folder == name).unwrap();
    get(&services[child("hung") - 1], "/ping").unwrap();
    goc.run(&["pull"]).assert_code(0);
    let covered = goc.run(&["total", ECHO, "--format", "json"]).json()[0]["covered"].clone();
    assert_eq!(
        goc.run(&["prune"]).assert_code(0).stdout.split(';').next(),
        Some("asked 11 addresses: 11 alive")
    );

    goc.kill(child("killed"));
    goc.signal(child("stopped"), "-TERM");
    goc.children[child("stopped")].wait().unwrap();
    goc.signal(child("hung"), "-STOP");
    // Another program takes the same port, but has registered elsewhere.
    goc.kill(child("recycled"));
    goc.process("recycled", "other", "other");
    goc.unregister("recycled");
    goc.register(ECHO, "recycled");
    // A new version is deployed at the same address, which now stands under two names.
    goc.kill(child("moved"));
    let moved = goc.process("moved", "rebuilt", NEXT_ECHO);
    get(&moved, "/ping").unwrap();
    let second = goc.process("moved-too", "rebuilt", NEXT_ECHO);
    get(&second, "/ping").unwrap();
    goc.run(&["pull", "--force"]).assert_code(3);

    let output = goc.run(&["prune", "--format", "json"]).assert_code(0);
    let finding = |name: &str| result_for(&output, &goc.agent(name))["finding"].clone();
    assert_eq!(finding("killed"), "refused");
    assert_eq!(finding("hung"), "silent");
    assert_eq!(result_for(&output, &goc.agent("recycled"))["state"], "alive");
    assert_eq!(result_for(&output, &goc.agent("moved"))["stale_names"][0], ECHO);

    goc.world.let_minutes_pass(16);
    let output = goc.run(&["prune", "--format", "json"]).assert_code(0);
    assert_eq!(result_for(&output, &goc.agent("killed"))["result"], "removed");
    assert!(result_for(&output, &goc.agent("recycled"))["other_build"].is_string());
    assert_eq!(result_for(&output, &goc.agent("hung"))["state"], "suspect");
    goc.world.let_minutes_pass(16);
    let output = goc.run(&["prune", "--format", "json"]).assert_code(0);
    assert_eq!(result_for(&output, &goc.agent("hung"))["result"], "removed");
    let mut wanted: Vec<(&str, &str)> = live.iter().map(|folder| (ECHO, *folder)).collect();
    wanted.extend([(ECHO, "recycled"), (ECHO, "moved"), (NEXT_ECHO, "moved"), (NEXT_ECHO, "moved-too")]);
    goc.assert_listed(&wanted);

    // The stale name is removed only on request.
    let output = goc.run(&["prune", "--fix-names", "--format", "json"]).assert_code(0);
    assert_eq!(result_for(&output, &goc.agent("moved"))["result"], "renamed");
    wanted.retain(|place| *place != (ECHO, "moved"));
    goc.assert_listed(&wanted);

    // The hung process continues: it is registered again, and its counters are counted once.
    goc.signal(child("hung"), "-CONT");
    let output = goc.run(&["prune", "--format", "json"]).assert_code(0);
    assert_eq!(result_for(&output, &goc.agent("hung"))["result"], "restored");
    wanted.push((ECHO, "hung"));
    goc.assert_listed(&wanted);
    goc.run(&["pull", "--force"]).assert_code(3).assert_stderr_contains("serves build");
    assert_eq!(goc.run(&["total", ECHO, "--format", "json"]).json()[0]["covered"], covered);
    goc.world.assert_consistent();
}

/// A fault of the center, caused before it gets a removal.
type CenterFault = Box<dyn FnMut() + Send>;

/// Starts a proxy of the center that causes the fault before it passes on each removal.
fn faulty_proxy(center: &str, fault: CenterFault) -> Server {
    let center = center.strip_prefix("http://").unwrap().to_owned();
    let fault = Mutex::new(fault);
    let server = Server::start(
        ([127, 0, 0, 1], 0).into(),
        Arc::new(move |request: &Request, stream: &mut TcpStream| {
            if request.path == "/v1/cover/remove" {
                fault.lock().unwrap()();
            }
            let mut behind = TcpStream::connect(&center)?;
            let Request { method, path, content_type, body } = request;
            write!(
                behind,
                "{method} {path} HTTP/1.0\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )?;
            behind.write_all(body)?;
            let mut answer = Vec::new();
            behind.read_to_end(&mut answer)?;
            stream.write_all(&answer)?;
            Ok(AfterAnswer::Close)
        }),
    );
    server.expect("a free port")
}

/// Starts four live processes and a dead one, which the next run removes.
fn goc_with_dead_process() -> Option<Goc> {
    let mut goc = Goc::start("count")?;
    goc.world.configure(SETTINGS);
    for folder in ["a", "b", "c", "d", "dead"] {
        goc.process(folder, "echoserver", ECHO);
    }
    goc.run(&["pull"]).assert_code(0);
    goc.kill(5);
    goc.run(&["prune"]).assert_code(0);
    goc.world.let_minutes_pass(5);
    Some(goc)
}

const LIVE_PROCESSES: [(&str, &str); 4] = [(ECHO, "a"), (ECHO, "b"), (ECHO, "c"), (ECHO, "d")];

/// Prunes while a fault hits the center between the listing and the removal.
fn prune_with_center_fault(goc: &Arc<Mutex<Goc>>, fault: impl Fn(&mut Goc) + Send + 'static) -> Output {
    let server = {
        let goc = Arc::clone(goc);
        let center = goc.lock().unwrap().center.clone();
        faulty_proxy(&center, Box::new(move || fault(&mut goc.lock().unwrap())))
    };
    let url = format!("http://{}", server.address());
    let mut command = {
        let goc = goc.lock().unwrap();
        // The database knows the center by another URL than that of the proxy, which stands for it during the run.
        goc.world.execute(&format!("UPDATE center SET url = '{url}'; UPDATE listing SET center = '{url}'"));
        goc.world.command(&["prune", "--center", &url])
    };
    let output = crate::harness::output_of(&mut command);
    let goc = goc.lock().unwrap();
    let center = &goc.center;
    goc.world.execute(&format!(
        "UPDATE center SET url = '{center}'; UPDATE listing SET center = '{center}';
         UPDATE tombstone SET center = '{center}'"
    ));
    output
}

fn restart(goc: &mut Goc, folder: &str) {
    goc.kill(0);
    goc.children[0] = goc.serve(folder);
}

#[test]
fn a_center_that_is_restarted_before_the_removal_carries_it_out() {
    let Some(goc) = goc_with_dead_process() else { return };
    let goc = Arc::new(Mutex::new(goc));
    prune_with_center_fault(&goc, |goc| restart(goc, "center")).assert_code(0);
    goc.lock().unwrap().assert_listed(&LIVE_PROCESSES);
}

#[test]
fn a_center_that_forgot_everybody_before_the_removal_gets_the_live_ones_back() {
    let Some(goc) = goc_with_dead_process() else { return };
    let goc = Arc::new(Mutex::new(goc));
    let output = prune_with_center_fault(&goc, |goc| restart(goc, "another-folder")).assert_code(3);
    assert!(output.stderr.contains("lost 4 addresses that answer"), "{}", output.stderr);
    goc.lock().unwrap().assert_listed(&LIVE_PROCESSES);
}

#[test]
fn a_center_that_dies_before_the_removal_is_named_and_the_next_run_goes_on() {
    let Some(goc) = goc_with_dead_process() else { return };
    let goc = Arc::new(Mutex::new(goc));
    let output = prune_with_center_fault(&goc, |goc| goc.kill(0)).assert_code(3);
    assert!(output.stderr.contains("remove failed: "), "{}", output.stderr);
    let mut goc = goc.lock().unwrap();
    goc.children[0] = goc.serve("center");
    assert_eq!(goc.listed().len(), 5);
    goc.run(&["prune"]).assert_code(0);
    goc.assert_listed(&LIVE_PROCESSES);
}
