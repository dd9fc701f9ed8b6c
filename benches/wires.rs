//! A pull of a fleet that serves Go's binary coverage data beside one of the same counters as text.

use std::fs;
use std::path::{Path, PathBuf};

use crate::server::FleetProcess;
use crate::wire_fleet::{Wire, WireFleet, WireFleetSize, whole_files};
use crate::{download_in_process, median, pull};

/// Serves until stdin ends; takes `state N` and `sent` as commands.
pub(crate) fn serve(arguments: &[String]) {
    let number = |at: usize| arguments[at].parse().expect("a number");
    let wire = if number(0) == 0 { Wire::Text } else { Wire::Coverport };
    let [services, replicas, blocks, one_in, states] = [1, 2, 3, 4, 5].map(number);
    let fleet = WireFleet::start(WireFleetSize { services, replicas, blocks, one_in, states }, wire);
    println!("{}", fleet.center());
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("state", state)) => fleet.set_state(state.parse().unwrap()),
            None if line == "sent" => {
                println!("{}", fleet.sent());
                continue;
            }
            _ => panic!("no order: {line}"),
        }
        println!("done");
    }
}

/// A fleet, and the root into which it is pulled.
struct WireBench {
    server: FleetProcess,
    root: PathBuf,
}

/// Seconds, peak memory in MB, and bytes on the wire of a pull.
type Figures = (f64, u64, u64);

impl WireBench {
    fn new(scratch: &Path, wire: usize, sizes: [usize; 5]) -> Self {
        let [services, replicas, blocks, one_in, states] = sizes;
        let arguments = [wire, services, replicas, blocks, one_in, states];
        let server = FleetProcess::start_as("serve-wires", &arguments);
        let root = scratch.join(format!("{wire}-{one_in}"));
        fs::create_dir(&root).unwrap();
        // All services are due in each run; "--force" would read all stored profiles, too.
        fs::write(root.join("goc-watchdog.toml"), "[pull]\nsteps = [\"1ms\"]\n").unwrap();
        Self { server, root }
    }

    fn pull(&mut self, state: usize) -> Figures {
        self.server.send(&format!("state {state}"));
        self.server.send("sent");
        let (seconds, peak) = pull(&self.server, &self.root, &[]);
        (seconds, peak, self.server.send("sent").parse().expect("bytes"))
    }

    /// Returns the number of stored profiles.
    fn profiles(&self) -> usize {
        let apps = fs::read_dir(&self.root).unwrap().map(|app| app.unwrap().path().join("cov_data"));
        apps.filter_map(|folder| fs::read_dir(folder).ok())
            .flatten()
            .filter(|file| {
                file.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "cov")
            })
            .count()
    }
}

fn print(what: &str, [text, raw]: &[Vec<Figures>; 2], wanted: &str) {
    let seconds = |pulls: &[Figures]| median(pulls.iter().map(|pull| pull.0).collect());
    let peak = |pulls: &[Figures]| pulls.iter().map(|pull| pull.1).max().unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "a ratio of two sizes")]
    let bytes = |pulls: &[Figures]| pulls.iter().map(|pull| pull.2).sum::<u64>() as f64 / pulls.len() as f64;
    println!(
        "{what}: text {:.2} s, raw {:.2} s, {:.2} times faster{wanted}; {:.1} MB and {:.1} MB on the wire, 1/{:.0}; peak \
         memory {} MB and {} MB",
        seconds(text),
        seconds(raw),
        seconds(text) / seconds(raw),
        bytes(text) / 1e6,
        bytes(raw) / 1e6,
        bytes(text) / bytes(raw),
        peak(text),
        peak(raw)
    );
}

/// Measures so many rounds; `options` are `--blocks N` and `--services N`.
pub(crate) fn measure(rounds: usize, options: &[String]) {
    let number = |option: &str, otherwise: usize| match options.iter().position(|given| given == option) {
        Some(at) => options[at + 1].parse().expect("a number"),
        None => otherwise,
    };
    let blocks = whole_files(number("--blocks", 16_632));
    let services = number("--services", 1000);
    for one_in in [10, 1] {
        let scratch = tempfile::tempdir().unwrap();
        let (replicas, states) = (3, 2 * rounds + 1);
        let sizes = [services, replicas, blocks, one_in, states];
        let mut fleets = [0, 1].map(|wire| WireBench::new(scratch.path(), wire, sizes));
        println!(
            "{services} services of {replicas} replicas, {blocks} blocks each, one function in {one_in} has run; medians \
             of {rounds}, in turn"
        );
        let first = fleets.each_mut().map(|fleet| vec![fleet.pull(0)]);
        print("first pull of all", &first, "");
        let [mut moved, mut new, mut unchanged] = [(); 3].map(|()| [Vec::new(), Vec::new()]);
        let mut downloads = Vec::new();
        for round in 0..rounds {
            for (index, fleet) in fleets.iter_mut().enumerate() {
                let profiles = fleet.profiles();
                moved[index].push(fleet.pull(2 * round + 1));
                assert_eq!(fleet.profiles(), profiles, "a row was written where only counts moved");
                unchanged[index].push(fleet.pull(2 * round + 1));
                if index == 1 {
                    downloads.push(download_in_process(&fleet.server, "download-raw", None).0);
                }
                new[index].push(fleet.pull(2 * round + 2));
                assert_eq!(fleet.profiles(), profiles + services, "no row was written for something new");
            }
        }
        print("only counts moved", &moved, " (wanted: 5)");
        print("something new in each", &new, " (wanted: 1.8)");
        print("unchanged", &unchanged, "");
        let (raw, download) = (median(unchanged[1].iter().map(|pull| pull.0).collect()), median(downloads));
        println!(
            "unchanged, beside a download of the counters through ureq: {raw:.2} s and {download:.2} s (wanted: at most \
             {:.2} s)",
            1.3 * download + 0.1
        );
    }
}
