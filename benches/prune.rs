//! Measures probes and removals in a list of 20,000 addresses, 5 % of which are dead: `cargo bench --bench prune`. See
//! README.md here.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a bench starts programs and reads the clock"
)]

mod server;
#[path = "../tests/sim/mod.rs"]
mod sim;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use server::FleetProcess;
use sim::{FleetSize, SimulatedFleet};

const SIZE: FleetSize = FleetSize { services: 2000, replicas: 10, bytes: 20_000, programs: 8, rounds: 1 };
const DEAD_EVERY: usize = 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => serve(),
        _ => measure(arguments.first().and_then(|rounds| rounds.parse().ok()).unwrap_or(5)),
    }
}

/// Serves until stdin ends; a line on stdin makes processes dead.
fn serve() {
    let fleet = SimulatedFleet::start(SIZE);
    println!("{}", fleet.center());
    for _ in std::io::stdin().lines().map_while(Result::ok) {
        fleet.set_dead_every(DEAD_EVERY);
        println!("done");
    }
}

/// Costs of a run.
struct Cost {
    seconds: f64,
    /// Peak memory in MB.
    memory: u64,
    /// Largest number of sockets.
    sockets: usize,
    summary: serde_json::Value,
}

fn run(server: &FleetProcess, root: &Path, arguments: &[&str]) -> Cost {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_goc-watchdog"))
        .args(arguments)
        .args(["--format", "json", "--center", &server.center])
        .arg("--root")
        .arg(root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let last = thread::spawn(move || output.lines().map_while(Result::ok).last());
    let process = format!("/proc/{}", child.id());
    let (mut memory, mut sockets) = (0, 0);
    loop {
        let ended = child.try_wait().unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        let status = fs::read_to_string(format!("{process}/status")).unwrap_or_default();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = high.and_then(|high| high.split_whitespace().next()?.parse::<u64>().ok());
        memory = memory.max(kilobytes.unwrap_or(0) / 1024);
        let open = fs::read_dir(format!("{process}/fd")).into_iter().flatten().flatten();
        let is_socket = |file: &fs::DirEntry| {
            fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        };
        sockets = sockets.max(open.filter(is_socket).count());
        if let Some(ended) = ended {
            assert!(ended.success(), "{arguments:?} ended with {ended}");
            let last = last.join().unwrap().unwrap();
            let summary = serde_json::from_str::<serde_json::Value>(&last).unwrap()["summary"].take();
            return Cost { seconds, memory, sockets, summary };
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn print_costs(what: &str, costs: &[Cost], fields: &[&str]) {
    let mut seconds: Vec<f64> = costs.iter().map(|cost| cost.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let memory = costs.iter().map(|cost| cost.memory).max().unwrap_or(0);
    let sockets = costs.iter().map(|cost| cost.sockets).max().unwrap_or(0);
    let output: Vec<String> =
        fields.iter().map(|field| format!("{} {field}", costs[0].summary[field])).collect();
    println!(
        "{what}: {:.1} s (median of {}, longest {:.1} s), peak memory {memory} MB, at most {sockets} sockets; {}",
        seconds[seconds.len() / 2],
        costs.len(),
        seconds[seconds.len() - 1],
        output.join(", ")
    );
}

fn measure(rounds: usize) {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("root");
    println!("20,000 addresses in 2,000 services, of which 1,000 are dead");
    let (mut probes, mut removals) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut server = FleetProcess::start(&[]);
        let root = root.join(round.to_string());
        run(&server, &root, &["pull", "--force", "--no-peek"]);
        server.send("die");
        probes.push(run(&server, &root, &["prune", "--center-only"]));
        fs::write(root.join("goc-watchdog.toml"), "[prune]\nrecheck = []\n").unwrap();
        removals.push(run(&server, &root, &["prune", "--center-only", "--confirm-over", "0s"]));
    }
    print_costs("first run", &probes, &["asked", "alive", "suspect"]);
    print_costs("second run", &removals, &["asked", "alive", "removed", "failed"]);
}
