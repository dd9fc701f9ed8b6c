//! Stored data after the program was killed, ran out of disk space, or ran twice at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::harness::{DEADLINES, ECHO, World, echo, output_of, profile_of, signal, warn_skipped};
use crate::sim::{Agent, Behaviour, BinaryProgram, Coverport, Program};

/// Four services with three replicas each: enough work for a kill to hit any step. The last two serve Go's binary
/// coverage data.
struct ReplicatedServices {
    world: World,
    agents: Vec<Replica>,
    program: Program,
}

enum Replica {
    Text(Agent),
    Binary(Coverport),
}

impl Replica {
    fn start(world: &World, index: usize, program: &Program) -> Self {
        let service = index / 3;
        let name = format!("staging_th_app{service}_master_{service:010x}");
        if service < 2 {
            return Self::Text(world.start(&name, program));
        }
        let text = program.profile("atomic", &vec![0; program.blocks()]);
        let agent = Coverport::start(&BinaryProgram::from_profile(&text));
        world.center.register_url(&name, &agent.url());
        Self::Binary(agent)
    }

    fn restart(&self) {
        match self {
            Self::Text(agent) => agent.restart(),
            Self::Binary(agent) => agent.restart(),
        }
    }

    fn hit(&self, blocks: &[usize], times: u64) {
        match self {
            Self::Text(agent) => agent.hit(blocks, times),
            Self::Binary(agent) => agent.hit(blocks, times),
        }
    }
}

impl ReplicatedServices {
    fn new() -> Self {
        let world = World::new();
        // Each change of a counter writes a row and lives fold at once, so a kill can interrupt each of these
        // steps.
        world.configure("[pull]\nchange = \"counts\"\nfold_after = \"0s\"\n");
        let program = Program::synthetic("example.com/replicated", 20, 20, 1);
        let agents = (0..12).map(|index| Replica::start(&world, index, &program)).collect();
        Self { world, agents, program }
    }

    /// Hits some blocks of every process, and restarts one in eight.
    fn run_traffic(&self, random: &mut fastrand::Rng) {
        for agent in &self.agents {
            if random.u8(..8) == 0 {
                agent.restart();
            }
            let blocks: Vec<usize> = (0..10).map(|_| random.usize(..self.program.blocks())).collect();
            agent.hit(&blocks, random.u64(1..100));
        }
    }

    /// Returns the blocks that the latest row of each app shows as covered.
    fn covered(&self) -> Vec<BTreeSet<String>> {
        (0..4).map(|app| self.world.covered_blocks(&format!("app{app}"))).collect()
    }
}

#[track_caller]
fn assert_nothing_lost(before: &[BTreeSet<String>], after: &[BTreeSet<String>]) {
    for (app, (before, after)) in before.iter().zip(after).enumerate() {
        let lost: Vec<_> = before.difference(after).collect();
        assert!(lost.is_empty(), "app{app} lost {lost:?}");
    }
}

#[test]
fn a_pull_killed_at_any_moment_loses_nothing_and_the_next_goes_on() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let services = ReplicatedServices::new();
    services.run_traffic(&mut random);
    let begun = Instant::now();
    services.world.pull(0);
    let mut usual = begun.elapsed();
    let mut before = services.covered();
    let mut killed = 0;
    for round in 0..200 {
        services.run_traffic(&mut random);
        let mut child =
            services.world.command(&["pull", "--force", "-q"]).stderr(Stdio::null()).spawn().unwrap();
        let delay = usual.mul_f64(random.f64() * 1.2);
        // A random moment is the point of this test: the checks below must hold whenever the kill comes.
        std::thread::sleep(delay);
        child.kill().unwrap();
        if child.wait().unwrap().code().is_none() {
            killed += 1;
        }
        services.world.assert_consistent();
        assert_nothing_lost(&before, &services.covered());
        if round % 4 == 3 {
            // Later pulls know the builds and are shorter than the first one, and the machine may be busier by now.
            let begun = Instant::now();
            services.world.pull(0);
            usual = begun.elapsed();
            services.world.assert_consistent();
            assert_eq!(services.world.files(".tmp"), [] as [&Path; 0]);
            let rows = services.world.row_count();
            let is_aside = |path: &&std::path::PathBuf| path.parent().unwrap().ends_with("aside");
            let stored = services.world.files(".cov").iter().filter(|path| !is_aside(path)).count();
            assert_eq!(stored, rows, "orphans are moved aside");
            let after = services.covered();
            assert_nothing_lost(&before, &after);
            before = after;
        }
    }
    println!("{killed} of 200 runs were killed");
    assert!(killed >= 50, "only {killed} of 200 runs were killed before they ended");
}

/// Tells whether strace is here and may trace; warns where not.
pub(crate) fn has_strace() -> bool {
    let Ok(traced) = Command::new("strace").args(["-o", "/dev/null", "true"]).output() else {
        assert!(std::env::var_os("GOC_WATCHDOG_REQUIRE_GO").is_none(), "strace is missing");
        warn_skipped("strace is not installed, so it was not killed at each step");
        return false;
    };
    if !traced.status.success() {
        warn_skipped("strace may trace nothing here, so it was not killed at each step");
    }
    traced.status.success()
}

/// Runs the program under strace, which kills it at the `nth` call of `syscall`. Tells whether such a call came.
pub(crate) fn killed_at(world: &World, (syscall, nth): (&str, usize), arguments: &[&str]) -> bool {
    let mut strace = Command::new("strace");
    world.set_environment(&mut strace);
    strace
        .args(["-f", "-qq", "-o", "/dev/null", "-e"])
        .arg(format!("trace={syscall}"))
        .arg("-e")
        .arg(format!("inject={syscall}:signal=SIGKILL:when={nth}"))
        .arg(env!("CARGO_BIN_EXE_goc-watchdog"))
        .args(arguments);
    let status = strace.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("strace is installed");
    status.code().is_none()
}

#[test]
fn a_pull_killed_at_each_step_of_storing_loses_nothing() {
    if !has_strace() {
        return;
    }
    let mut random = fastrand::Rng::with_seed(7);
    let services = ReplicatedServices::new();
    services.run_traffic(&mut random);
    services.world.pull(0);
    let mut before = services.covered();
    let mut steps = 0;
    for syscall in ["fsync", "fdatasync", "renameat", "unlink", "unlinkat", "pwrite64", "write"] {
        for nth in 1.. {
            services.run_traffic(&mut random);
            // The first twelve calls are tried one by one, then each fourth, since some calls are many.
            let nth = if nth > 12 { nth * 4 } else { nth };
            let was_killed = killed_at(&services.world, (syscall, nth), &["pull", "--force", "-q"]);
            services.world.assert_consistent();
            assert_nothing_lost(&before, &services.covered());
            if !was_killed || nth > 100 {
                break;
            }
            steps += 1;
        }
        services.world.pull(0);
        services.world.assert_consistent();
        let after = services.covered();
        assert_nothing_lost(&before, &after);
        before = after;
    }
    assert!(steps > 20, "only {steps} steps were interrupted");
}

/// Returns the calls of a trace in the order of their effect: a write when it began, any other call when it ended.
fn calls_in_order(trace: &str) -> Vec<String> {
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if call.ends_with("<unfinished ...>") && !call.starts_with("pwrite64") {
            begun.insert(thread, call);
        } else if call.starts_with("<...") {
            calls.extend(begun.remove(thread).map(|begin| format!("{begin} {call}")));
        } else {
            calls.push(call.to_owned());
        }
    }
    calls
}

#[test]
fn a_file_is_synced_before_its_rename_and_its_folder_before_the_commit() {
    if !has_strace() {
        return;
    }
    let (world, _agents) = World::with_covered_echo();
    let trace = world.home().join("trace");
    let mut strace = Command::new("strace");
    world.set_environment(&mut strace);
    strace
        .args(["-f", "-y", "-s", "8192", "-o"])
        .arg(&trace)
        .args(["-e", "trace=fsync,fdatasync,renameat,unlinkat,pwrite64,openat"]);
    strace.arg(env!("CARGO_BIN_EXE_goc-watchdog")).args(["pull", "--concurrency", "1"]);
    output_of(&mut strace).assert_code(0);
    let trace = fs::read_to_string(trace).unwrap();
    let calls = calls_in_order(&trace);
    let find = |from: usize, parts: &[&str]| {
        let is_it = |line: &String| parts.iter().all(|part| line.contains(part));
        let found = calls[from..].iter().position(is_it);
        from + found.unwrap_or_else(|| panic!("no {parts:?} after call {from} in\n{}", calls.join("\n")))
    };
    let file = find(0, &["fsync(", "apa_goc_echoserver_1.cov.tmp>"]);
    let rename = find(file, &["renameat(", "_1.cov.tmp\"", "_1.cov\""]);
    let folder = find(rename, &["fsync(", "/cov_data>"]);
    // The row names the file, so it may enter the log of the database only now, and is synced there.
    let row = find(0, &["pwrite64(", "sqlite.db-wal>", "apa_goc_echoserver_1.cov"]);
    assert!(row > folder, "the row was written before its file was safe:\n{}", calls.join("\n"));
    find(row, &["sync(", "sqlite.db-wal>"]);
    // Each new folder was synced into the one above.
    find(0, &["fsync(", "/root>"]);
    find(0, &["fsync(", "/apa_goc_echoserver>"]);
}

#[test]
fn a_second_pull_at_the_same_time_says_busy_and_ends_with_4() {
    let (world, agents) = World::with_echo(1);
    agents[0].behave_once(Behaviour::Hang);
    let mut first = world.spawn(&["pull"]);
    agents[0].wait_for_pulls(1);
    let second = world.run(&["pull"]).assert_code(4);
    assert!(second.stderr.contains("another run holds the lock"), "{}", second.stderr);
    assert_eq!(agents[0].pulls(), 1);
    // Commands that only read do not wait for the lock.
    world.run(&["list", "--offline"]).assert_code(0);
    first.kill().unwrap();
    first.wait().unwrap();
    // The kernel releases the lock of a process that was killed.
    world.run(&["pull"]).assert_code(0);
    world.assert_consistent();
}

#[test]
fn two_pulls_started_at_once_store_each_row_once() {
    let (world, agents) = World::with_echo(2);
    for round in 0..10 {
        agents[0].hit(&[round % 6], 1);
        let both = [
            world.spawn(&["pull", "--force", "--change", "counts"]),
            world.spawn(&["pull", "--force", "--change", "counts"]),
        ];
        let codes = both.map(|child| child.wait_with_output().unwrap().status.code().unwrap());
        assert!(codes.contains(&0) && codes.iter().all(|code| [0, 4].contains(code)), "{codes:?}");
        world.assert_consistent();
    }
    assert_eq!(world.row_count(), 10);
}

#[test]
fn a_signal_ends_a_pull_at_once_with_its_code_and_nothing_half_stored() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let (world, mut agents) = World::with_echo(2);
        // A single thread asks the addresses in this order, so the first has answered when the second is asked.
        agents.sort_by_key(Agent::url);
        agents[0].hit(&[0], 1);
        world.pull(0);
        agents[0].hit(&[1], 1);
        agents[1].behave_once(Behaviour::Hang);
        let child = world.spawn(&["pull", "--force", "--concurrency", "1"]);
        agents[1].wait_for_pulls(2);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        world.assert_consistent();
        // The service that the signal cut off is still due, and the next run pulls it.
        world.run(&["pull", "--no-peek"]).assert_code(0);
        assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 1]);
    }
}

#[test]
fn a_deadline_stores_what_came_and_leaves_the_rest_due() {
    let world = World::new();
    let quick = world.start(ECHO, &echo());
    let hung = world.start("staging_th_apa_hung_master_0123456789", &echo());
    quick.hit(&[0], 1);
    hung.behave(Behaviour::Hang);
    // A short deadline may cut off the other service, too, on a busy machine; that one is then due as before.
    let cut_off = |deadline: &&str| {
        let output = world.run(&["pull", "--deadline", deadline]);
        output.stdout.contains("1 cut off and still due").then_some(output)
    };
    DEADLINES.iter().find_map(cut_off).expect("one that answers in time").assert_code(3);
    hung.behave(Behaviour::Normal);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    let output = world.run(&["pull", "--no-peek"]).assert_code(0);
    assert!(output.stdout.starts_with("pulled 1 service (1 changed, 1 not due)"), "{}", output.stdout);
}

/// Mounts a small tmpfs and runs `test` in it; warns where mounting is not allowed.
fn on_a_small_disk(kilobytes: u32, test: impl FnOnce(&Path)) {
    let mount = tempfile::TempDir::new().unwrap();
    let size = format!("size={kilobytes}k");
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(mount.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        warn_skipped("a tmpfs cannot be mounted here (not root?), so no disk was filled");
        return;
    }
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(mount.path())));
    // The unmount is lazy, since a program that another test starts may hold a file there until it is executed.
    let unmounted = Command::new("umount").arg("--lazy").arg(mount.path()).status().unwrap();
    assert!(unmounted.success());
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn a_full_disk_stops_a_pull_with_a_clear_message_and_loses_nothing() {
    on_a_small_disk(1200, |disk| {
        let services = ReplicatedServices::new();
        let mut random = fastrand::Rng::with_seed(3);
        let root = disk.join("root");
        let pull = |arguments: &[&str]| output_of(services.world.command(arguments).arg("--root").arg(&root));
        fs::create_dir(&root).unwrap();
        fs::copy(services.world.root().join("goc-watchdog.toml"), root.join("goc-watchdog.toml")).unwrap();
        let mut failed = 0;
        let mut total_before = 0.0;
        for _ in 0..60 {
            services.run_traffic(&mut random);
            let output = pull(&["pull", "--force"]);
            assert!([0, 1].contains(&output.code), "{output:?}");
            if output.code == 1 {
                failed += 1;
                assert!(
                    output.stderr.contains("No space left on device")
                        || output.stderr.contains("disk is full"),
                    "{}",
                    output.stderr
                );
            }
            let output = pull(&["total", "app0", "--format", "json"]);
            if output.code == 0 {
                let total = output.json()[0]["percent"].as_f64().unwrap();
                assert!(total >= total_before, "{total} after {total_before}");
                total_before = total;
            }
        }
        assert!(failed > 5, "the disk was never full");
        // Space is freed: an old profile goes, as retention would remove it.
        let database = rusqlite::Connection::open(root.join("sqlite.db")).unwrap();
        let old = "SELECT cov_file_path FROM goc_o_staging_service_cover WHERE is_latest = 'n'";
        let old: Vec<String> = database
            .prepare(old)
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for path in old {
            match fs::remove_file(root.join(path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
                _ => {}
            }
        }
        drop(database);
        let output = pull(&["pull", "--force"]).assert_code(0);
        assert!(output.stdout.contains("4 changed"), "{}", output.stdout);
        let total = pull(&["total", "app0", "--format", "json"]).json()[0]["percent"].as_f64().unwrap();
        assert!(total >= total_before);
        let path = pull(&["total", "app0", "--format", "json"]).json()[0]["cov_file_path"].clone();
        profile_of(&fs::read_to_string(root.join(path.as_str().unwrap())).unwrap());
    });
}
