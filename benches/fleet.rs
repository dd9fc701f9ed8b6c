//! Compares a pull of a simulated fleet with a mere download of the same bodies: `cargo bench --bench fleet`. See
//! README.md here.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a bench starts programs and reads the clock"
)]

mod server;
#[path = "../tests/sim/mod.rs"]
mod sim;
mod wire_fleet;
mod wires;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use server::FleetProcess;
use sim::{FleetSize, SimulatedFleet};

const CONCURRENCY: usize = 16;
const REPLICAS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => serve(&arguments[1..]),
        Some("download") => download(&arguments[1], |_, address| drop(get(host(address), PROFILE, false))),
        Some("download-keep") => {
            let folder = Path::new(&arguments[2]);
            download(&arguments[1], |index, address| {
                let body = get(host(address), PROFILE, true);
                if index % REPLICAS == 0 {
                    write_durably(&body, &folder.join(index.to_string()));
                }
            });
        }
        Some(how @ ("download-ureq" | "download-raw")) => {
            let config = ureq::Agent::config_builder().input_buffer_size(64 << 10).build();
            let agent = ureq::Agent::new_with_config(config);
            let path = if how == "download-raw" { COUNTERS } else { PROFILE };
            download(&arguments[1], |_, address| get_with_ureq(&agent, &format!("{address}{path}")));
        }
        Some("serve-wires") => wires::serve(&arguments[1..]),
        Some("wires") => {
            let rounds = arguments.get(1).and_then(|rounds| rounds.parse().ok());
            wires::measure(rounds.unwrap_or(5), &arguments[1..]);
        }
        _ => measure(arguments.first().and_then(|rounds| rounds.parse().ok()).unwrap_or(5)),
    }
}

/// Serves until stdin ends; takes `round N` and `listed N` as commands.
fn serve(arguments: &[String]) {
    let number = |at: usize| arguments[at].parse().expect("a number");
    let size = FleetSize {
        services: number(0),
        replicas: number(1),
        bytes: number(2),
        programs: 8,
        rounds: number(3),
    };
    let fleet = SimulatedFleet::start(size);
    println!("{}", fleet.center());
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("round", round)) => fleet.set_round(round.parse().unwrap()),
            Some(("listed", services)) => fleet.set_listed(services.parse().unwrap()),
            _ => panic!("no order: {line}"),
        }
        println!("done");
    }
}

const PROFILE: &str = "/v1/cover/profile";
const COUNTERS: &str = "/coverage?nometa=1";

/// Passes every address of the center's list, with its index, to `get_profile`, as many at a time as a pull asks.
fn download(center: &str, get_profile: impl Fn(usize, &str) + Sync) {
    let list = get(host(center), "/v1/cover/list", true);
    let services: std::collections::BTreeMap<String, Vec<String>> = serde_json::from_slice(&list).unwrap();
    let addresses: Vec<String> = services.into_values().flatten().collect();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..CONCURRENCY {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(address) = addresses.get(index) else { break };
                    get_profile(index, address);
                }
            });
        }
    });
}

/// Writes a file that survives a power cut, as a pull must.
fn write_durably(body: &[u8], folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let unfinished = folder.join("unfinished");
    let mut file = File::create(&unfinished).unwrap();
    file.write_all(body).unwrap();
    file.sync_all().unwrap();
    fs::rename(&unfinished, folder.join(fs::read_dir(folder).unwrap().count().to_string())).unwrap();
    File::open(folder).unwrap().sync_all().unwrap();
}

fn host(url: &str) -> &str {
    url.strip_prefix("http://").unwrap()
}

/// Reads an answer with the HTTP client of the product.
fn get_with_ureq(agent: &ureq::Agent, url: &str) {
    let mut body = agent.get(url).call().unwrap().into_body().into_reader();
    let mut buffer = vec![0; 64 << 10];
    while body.read(&mut buffer).unwrap() > 0 {}
}

/// Reads an answer to its framed end; returns the body only where `keep` says so.
fn get(host: &str, path: &str, keep: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut input = BufReader::with_capacity(256 << 10, stream);
    let mut length = None;
    loop {
        let mut line = String::new();
        input.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        length = line.strip_prefix("Content-Length: ").and_then(|bytes| bytes.parse().ok()).or(length);
    }
    let mut body = Vec::new();
    let mut take = |input: &mut BufReader<TcpStream>, bytes: u64| {
        if keep {
            input.take(bytes).read_to_end(&mut body).unwrap();
        } else {
            std::io::copy(&mut input.take(bytes), &mut std::io::sink()).unwrap();
        }
    };
    if let Some(length) = length {
        take(&mut input, length);
        return body;
    }
    loop {
        let mut size = String::new();
        input.read_line(&mut size).unwrap();
        let size = u64::from_str_radix(size.trim_end(), 16).unwrap();
        take(&mut input, size);
        let mut end = [0; 2];
        input.read_exact(&mut end).unwrap();
        if size == 0 {
            return body;
        }
    }
}

/// Runs a command; returns its seconds and its peak memory in MB.
fn timed(command: &mut Command) -> (f64, u64) {
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let ended = child.try_wait().unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        let text = fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = high.and_then(|high| high.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) / 1024);
        if let Some(status) = ended {
            assert!(status.success(), "{command:?} ended with {status}");
            return (seconds, peak);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn pull(server: &FleetProcess, root: &Path, options: &[&str]) -> (f64, u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goc-watchdog"));
    command.args(["pull", "-q", "--center", &server.center]).arg("--root").arg(root).args(options);
    timed(&mut command)
}

/// Downloads in a process of its own; `how` is "download", "download-ureq", "download-raw" (binary counters) or
/// "download-keep", which keeps one body of each service in a folder.
fn download_in_process(server: &FleetProcess, how: &str, folder: Option<&Path>) -> (f64, u64) {
    timed(Command::new(std::env::current_exe().unwrap()).args([how, &server.center]).args(folder))
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn print_ratio(what: &str, pulls: &[(f64, u64)], downloads: &[(f64, u64)]) {
    let seconds = |runs: &[(f64, u64)]| median(runs.iter().map(|(seconds, _)| *seconds).collect());
    let peak = pulls.iter().map(|(_, peak)| *peak).max().unwrap_or(0);
    let (pull, download) = (seconds(pulls), seconds(downloads));
    println!(
        "{what}: pull {pull:.2} s, download {download:.2} s, ratio {:.2}, peak memory {peak} MB",
        pull / download
    );
}

fn measure(rounds: usize) {
    let scratch = tempfile::tempdir().unwrap();
    let mut server = FleetProcess::start(&[1000, REPLICAS, 1_000_000, rounds + 1]);
    let root = scratch.path().join("fleet");
    println!("1,000 services of 3 replicas, 1 MB each; medians of {rounds}, side by side");
    println!("first pull of all: {:.2} s", pull(&server, &root, &["--force"]).0);
    let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
    let (mut raw, mut through_ureq, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        server.send(&format!("round {round}"));
        raw.push(download_in_process(&server, "download", None));
        changed.push(pull(&server, &root, &["--force"]));
        through_ureq.push(download_in_process(&server, "download-ureq", None));
        unchanged.push(pull(&server, &root, &["--force"]));
        raw.push(download_in_process(&server, "download", None));
        kept.push(download_in_process(&server, "download-keep", Some(&scratch.path().join("kept"))));
    }
    print_ratio("all changed", &changed, &raw);
    print_ratio("unchanged", &unchanged, &raw);
    print_ratio("all changed, beside a download that keeps one body of each service", &changed, &kept);
    print_ratio("all changed, beside a download through ureq", &changed, &through_ureq);
    print_ratio("unchanged, beside a download through ureq", &unchanged, &through_ureq);
    drop(server);

    let mut server = FleetProcess::start(&[10_000, 1, 20_000, 1]);
    println!("10,000 services of 1 replica, 20 KB each, of which 100 are new");
    let (mut without, mut with, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    let root = scratch.path().join("many");
    server.send("listed 9800");
    pull(&server, &root, &["--force"]);
    server.send("listed 9900");
    without.push(pull(&server, &root, &["--no-peek"]));
    server.send("listed 10000");
    with.push(pull(&server, &root, &[]));
    let hundred = FleetProcess::start(&[100, 1, 20_000, 1]);
    alone.push(pull(&hundred, &scratch.path().join("hundred"), &[]));
    print_ratio("without peeks (beside a pull of those 100 alone)", &without, &alone);
    print_ratio("with peeks (beside the same)", &with, &alone);
}
