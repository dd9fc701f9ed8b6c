//! The last data of real processes that goc built: traffic, the hook, SIGTERM, and a pull.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::goc::{Goc, get};
use crate::harness::{ECHO, covered_blocks, output_of, profile_of};

const ROUNDS: usize = 25;
const REPLICAS: usize = 4;
const PATHS: [&str; 5] = ["/", "/ping", "/nowhere", "/mirror?name=a", "/ping?again"];

impl Goc {
    /// Runs the hook of the pod in this folder, in an environment that tells it nothing else.
    #[track_caller]
    fn hook(&self, folder: &str, inbox: &Path) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_goc-watchdog"));
        command.env_clear().current_dir(self.folder().join(folder)).stdin(Stdio::null());
        let deadline = ["--deadline", "60s"]; // a busy machine is no failure
        output_of(command.args(["pull", "--strict", "-q", "--to-inbox"]).arg(inbox).args(deadline))
            .assert_code(0);
    }

    /// Starts the central pull without waiting for it.
    fn spawn_pull(&self) -> Child {
        let mut command = self.world.command(&["pull", "--center", &self.center]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Returns the profile of the process in this folder.
    fn profile(&self, folder: &str) -> String {
        let answer = get(&self.agent(folder), "/v1/cover/profile").unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Returns the counters that are stored as the latest of this commit.
    #[track_caller]
    fn counts_of(&self, commit: &str) -> Vec<u64> {
        let path: String = self.world.query(&format!(
            "SELECT cov_file_path FROM goc_o_staging_service_cover
             WHERE git_commit = '{commit}' AND is_latest = 'y'"
        ));
        profile_of(&fs::read_to_string(self.world.root().join(path)).unwrap()).counts
    }

    /// Ends the process that was started last, as Kubernetes does.
    fn terminate(&mut self) {
        let last = self.children.len() - 1;
        self.signal(last, "-TERM");
        self.children[last].wait().unwrap();
    }
}

/// Sends a random number of random requests.
fn send_requests(url: &str) {
    for _ in 0..fastrand::usize(1..6) {
        get(url, fastrand::choice(PATHS).unwrap());
    }
}

/// Returns the files of a folder in random order.
fn files_in_random_order(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    fastrand::shuffle(&mut paths);
    paths
}

/// Moves `number` snapshots to the inbox. A copy of each new one stays, to be delivered a second time.
fn deliver(from: &Path, inbox: &Path, number: usize) {
    for path in files_in_random_order(from).into_iter().take(number) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("again-") {
            fs::copy(&path, path.with_file_name(format!("again-{name}"))).unwrap();
        }
        fs::rename(&path, inbox.join(name)).unwrap();
    }
}

#[test]
fn counters_before_the_hook_are_stored_whatever_runs_at_that_moment() {
    let Some(mut goc) = Goc::start("count") else { return };
    println!("seed {}", fastrand::get_seed()); // shown where it fails
    goc.world.configure("[pull]\nchange = \"counts\"\n");
    let (inbox, volume) = (goc.world.root().join("inbox"), goc.folder().join("volume"));
    fs::create_dir_all(&inbox).unwrap();
    fs::create_dir_all(&volume).unwrap();
    let mut counted = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut pull = None;
        for replica in 0..REPLICAS {
            // Each process has a key and an address of its own, so that lost counters of one are noticed.
            let commit = format!("{round:05x}{replica:05x}");
            let url = goc.process(&commit, "echoserver", &ECHO.replace("845820727e", &commit));
            send_requests(&url);
            if pull.is_none() && fastrand::bool() {
                pull = Some(goc.spawn_pull());
            }
            send_requests(&url);
            let before = profile_of(&goc.profile(&commit)).counts;
            goc.hook(&commit, &volume);
            // The real counters lie between two readings: a watchdog of another test may ask this port, which was an
            // agent's before, and the service counts that.
            let after = profile_of(&goc.profile(&commit)).counts;
            counted.insert(commit.clone(), before.into_iter().zip(after).collect::<Vec<_>>());
            goc.terminate();
        }
        deliver(&volume, &inbox, fastrand::usize(0..=2 * REPLICAS));
        if let Some(mut pull) = pull {
            pull.wait().unwrap();
        }
    }
    while fs::read_dir(&volume).unwrap().next().is_some() {
        deliver(&volume, &inbox, usize::MAX);
        goc.run(&["pull"]);
    }
    assert_eq!(goc.world.files(".snapshot"), [] as [PathBuf; 0]);
    for (commit, wanted) in counted {
        let stored = goc.counts_of(&commit);
        let is_within = |(count, (before, after)): (&u64, &(u64, u64))| (before..=after).contains(&count);
        assert_eq!(stored.len(), wanted.len());
        assert!(stored.iter().zip(&wanted).all(is_within), "of {commit}: {stored:?}, wanted: {wanted:?}");
    }
    goc.world.assert_consistent();
}

#[test]
fn processes_that_follow_each_other_at_one_address_lose_nothing() {
    let Some(mut goc) = Goc::start("count") else { return };
    println!("seed {}", fastrand::get_seed());
    let (inbox, volume) = (goc.world.root().join("inbox"), goc.folder().join("volume"));
    fs::create_dir_all(&inbox).unwrap();
    fs::create_dir_all(&volume).unwrap();
    let mut covered = BTreeSet::new();
    for _ in 0..ROUNDS {
        let url = goc.process("only", "echoserver", ECHO);
        send_requests(&url);
        let pull = fastrand::bool().then(|| goc.spawn_pull());
        send_requests(&url);
        let before: BTreeSet<String> = covered_blocks(&goc.profile("only"));
        covered.extend(before);
        goc.hook("only", &volume);
        goc.terminate();
        if fastrand::bool() {
            deliver(&volume, &inbox, usize::MAX);
        }
        if let Some(mut pull) = pull {
            pull.wait().unwrap();
        }
    }
    while fs::read_dir(&volume).unwrap().next().is_some() {
        deliver(&volume, &inbox, usize::MAX);
        goc.run(&["pull"]);
    }
    assert_eq!(covered_blocks(&goc.world.latest_text("apa_goc_echoserver")), covered);
    goc.world.assert_consistent();
}

#[test]
fn a_port_that_changes_hands_between_pull_and_hook_mixes_no_two_services() {
    for ends in ["-TERM", "-KILL"] {
        let Some(mut goc) = Goc::start("count") else { return };
        goc.world.configure("[pull]\nchange = \"counts\"\n");
        let inbox = goc.world.root().join("inbox");
        fs::create_dir_all(&inbox).unwrap();
        let commits = ["aaaaaaaaaa", "bbbbbbbbbb"];
        let [first, second] = commits.map(|commit| ECHO.replace("845820727e", commit));
        let url = goc.process("first", "echoserver", &first);
        get(&url, "/ping").unwrap();
        let of_first = profile_of(&goc.profile("first")).counts;
        goc.run(&["pull"]).assert_code(0);
        goc.signal(1, ends);
        goc.children[1].wait().unwrap();

        // The same build follows at the same port. A killed process stays listed, so the port stands under both names.
        let (from, to) = ["first", "second"].map(|name| goc.folder().join(name)).into();
        fs::create_dir(&to).unwrap();
        let address = "echoserver_profile_listen_addr";
        fs::copy(from.join(address), to.join(address)).unwrap();
        let url = goc.process("second", "echoserver", &second);
        get(&url, "/").unwrap();
        get(&url, "/nowhere");
        let of_second = profile_of(&goc.profile("second")).counts;
        goc.hook("second", &inbox);
        for _ in 0..2 {
            goc.run(&["pull", "--force"]);
            for (commit, wanted) in commits.into_iter().zip([&of_first, &of_second]) {
                assert_eq!(&goc.counts_of(commit), wanted, "of {commit} after {ends}");
            }
        }
        goc.terminate();
        goc.run(&["pull", "--force"]);
        assert_eq!(goc.counts_of(commits[0]), of_first, "after {ends}");
        goc.world.assert_consistent();
    }
}
