//! Folders below an inbox that are the `GOCOVERDIR` of processes.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use goc_watchdog::profile::Profile;
use serde_json::{Value, json};

use crate::crash::{has_strace, killed_at};
use crate::harness::users::{NOBODY, SERVICE_USER, change_owner};
use crate::harness::{ECHO, Output, World, echo, output_of, profile_of, signal, warn_skipped};
use crate::sim::{Agent, Behaviour, BinaryProgram, Coverport, Program, ReservedPort};

const SERVICE: &str = "staging_th_calc_master_845820727e";
const APP: &str = "calc";
/// A name that fits no pattern.
const ODD_SERVICE: &str = "checkout";
const COUNT_META: &str = "covmeta.2580f4b65340bc2b63474139d103ae37";
const SNAPSHOTS_META: &str = "covmeta.39bdad10ba087682b81906837d7d9e0d";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gocover").join(name)
}

/// Returns what `go tool covdata textfmt` makes of a fixture.
fn textfmt(name: &str) -> Profile {
    profile_of(&fs::read_to_string(fixture(name).join("textfmt.txt")).unwrap())
}

/// Returns the files of a fixture with this start of their names, sorted.
fn data(name: &str, start: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(fixture(name).join("data")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start));
    files.sort();
    files
}

fn copy(files: &[PathBuf], into: &Path) {
    for file in files {
        fs::copy(file, into.join(file.file_name().unwrap())).unwrap();
    }
}

/// Returns the names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

/// Sets the time of the last change of a file or folder.
fn set_age(path: &Path, age: Duration) {
    File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

impl World {
    /// Pulls services that are due, and returns the lines about files of the inbox with their results.
    #[track_caller]
    fn pull_folders(&self, code: i32) -> Vec<(String, Value)> {
        let output = self.run(&["pull", "--format", "json", "--no-peek"]).assert_code(code);
        let of_files = output.json().into_iter().filter(|line| line["snapshot"].is_string());
        of_files.map(|line| (line["result"].as_str().unwrap().to_owned(), line)).collect()
    }

    /// Lets time pass for counters that wait for their meta.
    fn let_files_wait(&self, time: Duration) {
        let seconds = time.as_secs();
        self.execute(&format!(
            "UPDATE snapshot SET taken_at = strftime('%Y-%m-%dT%H:%M:%fZ', taken_at, '-{seconds} seconds')"
        ));
    }

    /// Returns the latest profile of an app.
    #[track_caller]
    fn stored(&self, app: &str) -> Profile {
        profile_of(&self.latest_text(app))
    }

    #[track_caller]
    fn run_pull(&self, code: i32) -> Output {
        self.run(&["pull", "--no-peek"]).assert_code(code)
    }
}

fn results(taken: &[(String, Value)]) -> Vec<&str> {
    taken.iter().map(|(result, _)| result.as_str()).collect()
}

fn sorted(taken: &[(String, Value)]) -> Vec<&str> {
    let mut results = results(taken);
    results.sort_unstable();
    results
}

#[test]
fn files_of_agents_that_are_left_out_of_a_folder_are_named_once() {
    let world = World::new();
    let blocks =
        "example.com/calc/main.go:1.1,2.2 1\nexample.com/calc/coverage/coverage_server.go:1.1,2.2 1\n";
    let program = BinaryProgram::from_profile(blocks);
    let pull = |counts: &[u64], time: u32| {
        world.leave_file(SERVICE, &program, &format!("7.{time}"), counts);
        world.run(&["pull", "--no-peek", "-v"]).assert_code(0).stderr
    };
    let said = format!(
        "{SERVICE}: \"example.com/calc/coverage/coverage_server.go\" is a file of its agent and left out (agent_files)"
    );
    world.leave_file(SERVICE, &program, "7.0", &[1, 4]);
    world.run_pull(0);
    let first = pull(&[1, 5], 1);
    assert_eq!(first.matches(&said).count(), 1, "{first}");
    let again = pull(&[2, 6], 2);
    assert!(!again.contains("left out"), "{again}");
    assert_eq!(world.stored(APP).counts, [1]);
}

#[test]
fn a_folder_leaves_out_what_its_address_leaves_out_later() {
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let (agent_file, main) = ("example.com/calc/coverage/coverage_server.go", "example.com/calc/main.go");
    let program = BinaryProgram::from_profile(&format!("{agent_file}:1.1,2.2 1\n{main}:1.1,2.2 1\n"));
    // No address of the service is known, and the program itself shows that it has the agent.
    world.leave_file(SERVICE, &program, "1.1", &[1, 5]);
    world.run_pull(0);
    assert_eq!(world.stored(APP).counts, [5]);
    let agent = Coverport::start(&program);
    agent.switch_to(1, &[2, 7]);
    world.center.register_url(SERVICE, &agent.url());
    world.pull(0);
    assert_eq!(world.stored(APP).counts, [7]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM structure"), 1);
    // A service that only has a file of its own at such a path gets it back.
    world.configure("agent_files = []\n[pull]\nchange = \"counts\"\n");
    agent.switch_to(1, &[3, 8]);
    world.pull(0);
    assert_eq!(world.stored(APP).counts, [3, 8]);
}

#[test]
fn a_process_of_a_folder_counts_once_though_agent_files_change() {
    let world = World::new();
    let (agent, main) = ("example.com/calc/coverage/coverage_server.go", "example.com/calc/main.go");
    let program = BinaryProgram::from_profile(&format!("{agent}:1.1,2.2 1\n{main}:1.1,2.2 1\n"));
    let leave = |process: &str, counts: &[u64]| world.leave_file(SERVICE, &program, process, counts);
    leave("7.1", &[1, 5]);
    world.run_pull(0);
    assert_eq!(world.stored(APP).counts, [5]);
    let followed = "SELECT count(*) FROM told WHERE topic LIKE 'agent_files %'";
    assert_eq!(world.query::<i64>(followed), 1, "the next run reads no meta again");
    world.configure("agent_files = []\n");
    leave("7.2", &[2, 9]);
    leave("8.2", &[2, 9]);
    world.run_pull(0);
    assert_eq!(world.stored(APP).counts, [4, 18]);
    world.configure("");
    leave("8.3", &[3, 10]);
    world.run_pull(0);
    let stored = world.stored(APP);
    assert_eq!((stored.build.file_count(), stored.counts), (1, vec![19]));
}

#[test]
fn folders_whose_names_fit_no_pattern_are_said_once() {
    let world = World::new();
    copy(&data("count", ""), &world.folder(ODD_SERVICE));
    let first = world.run_pull(0).stderr;
    let said = "\"checkout\" fits no pattern of service names, so the whole name is an app without a commit; if it has a \
                commit, set pattern of [naming] in goc-watchdog.toml (this is said once)";
    assert!(first.contains(said), "{first}");
    copy(&data("count", ""), &world.folder(ODD_SERVICE));
    let second = world.run_pull(0).stderr;
    assert!(!second.contains("pattern"), "{second}");
}

#[test]
fn the_data_of_processes_that_ended_is_what_go_tool_covdata_says() {
    for (fixture, mode) in [("count", "count"), ("set", "set"), ("atomic", "atomic"), ("cgo", "set")] {
        let world = World::new();
        let folder = world.folder(SERVICE);
        copy(&data(fixture, ""), &folder);
        let counters = data(fixture, "covcounters").len();
        let output = world.run_pull(0);
        let taken = format!("{counters} snapshot{} taken in", if counters == 1 { "" } else { "s" });
        assert!(output.stdout.contains(&taken), "{}", output.stdout);
        let stored = world.stored(APP);
        assert_eq!((stored.mode.as_str(), &stored), (mode, &textfmt(fixture)), "{fixture}");
        // The meta stays, because a process that runs will not write it again.
        assert_eq!(names(&folder).len(), 1);
        assert!(names(&folder)[0].starts_with("covmeta."));
        world.assert_consistent();
    }
}

#[test]
fn thirty_calls_in_four_cumulative_files_are_thirty_in_whatever_order_they_come() {
    let files = data("snapshots", "covcounters");
    let calls = |world: &World| *world.stored(APP).counts.iter().max().unwrap();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let world = World::new();
        let folder = world.folder(SERVICE);
        copy(&data("snapshots", SNAPSHOTS_META), &folder);
        for index in order {
            copy(&files[index..=index], &folder);
            world.run(&["pull", "--no-peek"]).assert_code(0);
        }
        assert_eq!(calls(&world), 30, "{order:?}");
        assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
    }
    let world = World::new();
    copy(&data("snapshots", ""), &world.folder(SERVICE));
    let taken = world.pull_folders(0);
    assert_eq!(taken.len(), 4);
    assert_eq!(calls(&world), 30);
    // The same files come again, under other names, too.
    let folder = world.folder(SERVICE);
    copy(&files, &folder);
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        fs::copy(file, folder.join(format!("{name}7"))).unwrap();
    }
    assert_eq!(results(&world.pull_folders(0)), ["known"; 8]);
    assert_eq!(calls(&world), 30);
    assert_eq!(names(&folder), [SNAPSHOTS_META]);
}

#[test]
fn processes_with_pid_1_differ_by_the_folders_of_their_pods() {
    let world = World::new();
    let file = data("snapshots", "covcounters").pop().unwrap();
    for (pod, written_at) in [("pod-0", 1_795_924_281_869_788_675_u64), ("pod-1", 1_795_924_281_869_788_676)]
    {
        let folder = world.folder(&format!("{SERVICE}/{pod}"));
        copy(&data("snapshots", SNAPSHOTS_META), &folder);
        let name = format!("covcounters.39bdad10ba087682b81906837d7d9e0d.1.{written_at}");
        fs::copy(&file, folder.join(name)).unwrap();
    }
    assert_eq!(results(&world.pull_folders(0)), ["merged"; 2]);
    assert_eq!(*world.stored(APP).counts.iter().max().unwrap(), 60);
}

#[test]
fn a_file_that_lies_in_several_folders_of_a_service_is_counted_once() {
    let world = World::new();
    let file = data("snapshots", "covcounters").pop().unwrap();
    let folders = ["", "/pod-0", "/pod-1"].map(|pod| world.folder(&format!("{SERVICE}{pod}")));
    for folder in &folders {
        copy(&data("snapshots", SNAPSHOTS_META), folder);
        copy(std::slice::from_ref(&file), folder);
    }
    let output = world.run(&["pull", "--no-peek", "-v"]).assert_code(0);
    assert_eq!(*world.stored(APP).counts.iter().max().unwrap(), 30);
    let said = "was taken in before, here or in another folder of the service, and counts once";
    assert_eq!(output.stderr.matches(said).count(), 2, "{}", output.stderr);
    assert!(output.stdout.contains("1 snapshot taken in"), "{}", output.stdout);
    assert!(folders[1..].iter().all(|folder| names(folder) == [SNAPSHOTS_META]));
    assert_eq!(names(&folders[0]), [SNAPSHOTS_META, "pod-0", "pod-1"]);
    // A copy that comes later is no other file either.
    copy(std::slice::from_ref(&file), &world.folder(&format!("{SERVICE}/pod-2")));
    assert_eq!(results(&world.pull_folders(0)), ["known"]);
    assert_eq!(*world.stored(APP).counts.iter().max().unwrap(), 30);
}

#[test]
fn a_snapshot_that_comes_after_its_process_was_folded_is_counted_once() {
    let world = World::new();
    world.configure("[pull]\nfold_after = \"0s\"\n");
    let folder = world.folder(SERVICE);
    copy(&data("snapshots", SNAPSHOTS_META), &folder);
    for (index, file) in data("snapshots", "covcounters").iter().enumerate() {
        copy(std::slice::from_ref(file), &folder);
        world.run(&["pull", "--no-peek"]).assert_code(0);
        world.execute("UPDATE generation SET closed_at = '2026-01-01T00:00:00Z' WHERE address IS NOT NULL");
        world.run(&["pull", "--no-peek"]).assert_code(0);
        assert_eq!(world.query::<i64>("SELECT count(*) FROM generation WHERE address IS NULL"), 1, "{index}");
    }
    assert_eq!(*world.stored(APP).counts.iter().max().unwrap(), 30);
}

#[test]
fn a_process_that_runs_for_months_after_its_first_file_is_counted_once() {
    let world = World::new();
    world.configure("[pull]\nfold_after = \"0s\"\n");
    let folder = world.folder(SERVICE);
    copy(&data("snapshots", SNAPSHOTS_META), &folder);
    let files = data("snapshots", "covcounters");
    copy(&files[..1], &folder);
    world.run(&["pull", "--no-peek"]).assert_code(0);
    world.execute("UPDATE generation SET closed_at = '2026-01-01T00:00:00Z' WHERE address IS NOT NULL");
    world.execute("UPDATE snapshot SET taken_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-100 days')");
    world.run(&["pull", "--no-peek"]).assert_code(0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM snapshot"), 1, "its file is forgotten");
    copy(&files[3..], &folder);
    world.run(&["pull", "--no-peek"]).assert_code(0);
    assert_eq!(*world.stored(APP).counts.iter().max().unwrap(), 30);
    world.execute("UPDATE snapshot SET taken_at = '2024-01-01T00:00:00Z'");
    world.run(&["pull", "--no-peek"]).assert_code(0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM snapshot"), 0);
}

#[test]
fn a_service_known_only_from_a_folder_is_listed_whatever_its_name() {
    let world = World::new();
    copy(&data("count", ""), &world.folder(ODD_SERVICE));
    let taken = world.pull_folders(0);
    assert_eq!(results(&taken), ["merged"; 3]);
    assert_eq!(taken[0].1["service"], ODD_SERVICE);
    assert!(taken[0].1["captured_at"].as_str().unwrap().starts_with("2026-11-29T"), "{:?}", taken[0].1);
    let listed = world.run(&["list", "--format", "json"]).assert_code(0).json();
    assert_eq!((&listed[0][0]["service"], &listed[0][0]["state"]), (&json!(ODD_SERVICE), &json!("offline")));
    let explained = world.run(&["list", "--explain", ODD_SERVICE]).assert_code(0);
    assert!(explained.stdout.contains(ODD_SERVICE), "{}", explained.stdout);
    assert_eq!(world.stored(ODD_SERVICE), textfmt("count"));
}

#[test]
fn files_that_a_refused_pull_took_in_are_stored() {
    for refused in
        [&["nothing"][..], &["--env", "nowhere"], &[SERVICE, "--env", "nowhere"], &[APP, "--commit", "abc"]]
    {
        let world = World::new();
        copy(&data("count", ""), &world.folder(SERVICE));
        world.run(&[&["pull"], refused].concat()).assert_code(1);
        assert_eq!(world.stored(APP), textfmt("count"), "{refused:?}");
    }
}

/// Returns the rows of the table that a pull prints, without its heading and its summary.
fn rows(output: &Output) -> Vec<&str> {
    let (table, _) = output.stdout.rsplit_once("pulled ").expect(&output.stdout);
    table.lines().skip(1).collect()
}

#[test]
fn a_service_that_only_left_files_has_a_row_with_what_became_of_them() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    let pull = |code: i32| world.run(&["pull", APP]).assert_code(code);
    copy(&data("count", ""), &folder);
    let first = pull(0);
    assert_eq!(
        first.stdout.lines().next().unwrap(),
        "SERVICE                            TOTAL  CHANGE, POINTS  REPLICAS  INBOX       RESULT"
    );
    assert_eq!(rows(&first), [format!("{SERVICE}  79.2%  -               0 of 0    3 taken in  changed")]);
    // Copies of the files bring nothing new.
    copy(&data("count", "covcounters"), &folder);
    let copies = pull(0);
    assert_eq!(rows(&copies), [format!("{SERVICE}  -      -               -         3 known  unchanged")]);
    assert!(!copies.stderr.contains("not pulled"), "{}", copies.stderr);
    fs::write(folder.join("covcounters.2580f4b65340bc2b63474139d103ae37.1.1"), "no counters").unwrap();
    let bad = pull(3);
    assert_eq!(rows(&bad), [format!("{SERVICE}  -      -               -         1 set aside  -")]);
    bad.assert_stderr_contains("not pulled, no center lists it; to pull a process of it, add --address URL");
    // A run that nobody watches has no table.
    copy(&data("count", "covcounters"), &folder);
    assert!(world.run_pull(0).stdout.starts_with("pulled 0 services"));
    copy(&data("count", "covcounters"), &folder);
    assert_eq!(rows(&world.run(&["pull", "--force"]).assert_code(0)).len(), 1);
}

#[test]
fn files_that_are_not_there_yet_wait_and_bad_is_no_service() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    for file in data("count", "") {
        let name = file.file_name().unwrap().to_str().unwrap();
        fs::copy(&file, folder.join(format!("tmp.{name}"))).unwrap();
    }
    fs::write(folder.join("notes.txt"), "not ours").unwrap();
    copy(&data("count", ""), &world.folder("bad"));
    copy(&data("count", ""), &world.folder("bad/pod"));
    assert_eq!(world.pull_folders(0), []);
    assert_eq!(names(&folder).len(), 5);
    assert_eq!(names(&world.inbox().join("bad")).len(), 5);
}

#[test]
fn counters_wait_seven_days_for_their_meta_which_may_be_stored_already() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    let counters = data("count", "covcounters");
    copy(&counters[..1], &folder);
    let taken = world.pull_folders(0);
    assert_eq!(results(&taken), ["waiting"]);
    let reason = "the covmeta file of its program, 2580f4b65340bc2b63474139d103ae37, is not there";
    assert_eq!(taken[0].1["why"], reason);
    world.run_pull(0).assert_stderr_contains("it waits for that file for 7 days");

    copy(&data("count", "covmeta"), &folder);
    assert_eq!(results(&world.pull_folders(0)), ["merged"]);
    // A pod without its meta finds the one that the service left before.
    fs::remove_file(folder.join(COUNT_META)).unwrap();
    let pod = world.folder(&format!("{SERVICE}/pod-7"));
    copy(&counters[1..], &pod);
    assert_eq!(results(&world.pull_folders(0)), ["merged"; 2]);
    assert_eq!(world.stored(APP), textfmt("count"));

    // A meta of another service is none of this one: the hash is nobody's proof.
    let other = world.folder(ODD_SERVICE);
    copy(&counters[..1], &other);
    assert_eq!(results(&world.pull_folders(0)), ["waiting"]);
    world.let_files_wait(hours(6 * 24));
    assert_eq!(results(&world.pull_folders(0)), ["waiting"]);
    world.let_files_wait(hours(24 + 1));
    assert_eq!(results(&world.pull_folders(3)), ["bad"]);
    assert_eq!(names(&other), Vec::<String>::new());
    let aside = world.inbox().join("bad").join(counters[0].file_name().unwrap());
    let written = fs::read_to_string(format!("{}.reason", aside.display())).unwrap();
    assert_eq!(written, format!("{reason}\n"));
}

#[test]
fn counters_that_were_copied_with_their_old_times_before_their_meta_are_not_lost() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    let file = fs::read(&data("snapshots", "covcounters")[3]).unwrap();
    for pid in 0..150 {
        let path =
            folder.join(format!("covcounters.39bdad10ba087682b81906837d7d9e0d.{pid}.1795924281869788675"));
        fs::write(&path, &file).unwrap();
        set_age(&path, hours(8 * 24));
    }
    assert_eq!(results(&world.pull_folders(0)), ["waiting"; 150]);
    // The folder for bad files gets as many counters without a meta as it keeps.
    world.let_files_wait(hours(7 * 24 + 1));
    let taken = world.pull_folders(3);
    assert_eq!(sorted(&taken), [["bad"; 100].as_slice(), &["stuck"; 50]].concat());
    let why = taken.iter().find(|(result, _)| result == "stuck").unwrap().1["why"].clone();
    let reason = "the covmeta file of its program, 39bdad10ba087682b81906837d7d9e0d, is not there; the counters stay here, \
                  because \"bad\" in the inbox has 100 files";
    assert_eq!(why, reason);
    assert_eq!(results(&world.pull_folders(3)), ["stuck"; 50]);
    let bad = world.inbox().join("bad");
    for name in names(&bad) {
        if name.ends_with(".reason") {
            fs::remove_file(bad.join(name)).unwrap();
        } else {
            fs::rename(bad.join(&name), folder.join(&name)).unwrap();
        }
    }
    copy(&data("snapshots", SNAPSHOTS_META), &folder);
    assert_eq!(results(&world.pull_folders(0)), ["merged"; 150]);
    assert_eq!(*world.stored(APP).counts.iter().max().unwrap(), 150 * 30);
}

#[test]
fn a_meta_that_cannot_be_read_this_time_keeps_its_counters_waiting() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    copy(&data("count", ""), &folder);
    // The meta is larger than the counters.
    let output = world.run(&["pull", "--no-peek", "--format", "json", "--max-body", "400"]).assert_code(3);
    let mut results_with_whys: Vec<(String, String)> = output
        .json()
        .into_iter()
        .filter(|line| line["snapshot"].is_string())
        .map(|line| ["result", "why"].map(|key| line[key].as_str().unwrap().to_owned()).into())
        .collect();
    results_with_whys.sort();
    let reason = "it has 1346 bytes and is larger than --max-body".to_owned();
    let of_counters = format!("its meta file, \"{COUNT_META}\", was not read: {reason}");
    let expected = [&reason, &of_counters, &of_counters, &of_counters];
    assert_eq!(results_with_whys, expected.map(|why| ("stuck".to_owned(), why.clone())));
    // However long that lasts.
    world.let_files_wait(hours(8 * 24));
    world.run(&["pull", "--no-peek", "--max-body", "400"]).assert_code(3);
    assert_eq!(names(&folder).len(), 4);
    assert_eq!(results(&world.pull_folders(0)), ["merged"; 3]);
    assert_eq!(world.stored(APP), textfmt("count"));
    assert_eq!(names(&world.inbox().join("bad")), Vec::<String>::new());
}

#[test]
fn a_meta_of_an_owner_who_is_not_trusted_keeps_its_counters_waiting() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    copy(&data("count", ""), &folder);
    let uid = fs::metadata(&folder).unwrap().uid();
    if chown(folder.join(COUNT_META), Some(NOBODY), None).is_err() {
        return warn_skipped("only root can give a file to another user");
    }
    world.configure(&format!("inbox_owners = [{uid}]"));
    let taken = world.pull_folders(3);
    assert_eq!(results(&taken), ["stuck"; 4]);
    let start = format!("its meta file, \"{COUNT_META}\", was not read: its owner ");
    let of_counters = |line: &Value| line["why"].as_str().unwrap().starts_with(&start);
    assert_eq!(taken.iter().filter(|(_, line)| of_counters(line)).count(), 3, "{taken:?}");
}

#[test]
fn a_meta_that_does_not_fit_in_the_memory_is_named_and_waits_for_no_one() {
    let world = World::new();
    world.configure("[pull]\nmemory = \"300KiB\"\n");
    let lines = (1..=20_000).map(|line| format!("example.com/large/main.go:{line}.1,{line}.9 1 0"));
    let program = BinaryProgram::from_profile(&lines.collect::<Vec<String>>().join("\n"));
    let folder = world.folder(SERVICE);
    fs::write(folder.join("covmeta.a"), program.meta()).unwrap();
    fs::write(folder.join("covcounters.a.1.1"), program.counters(&vec![1; 20_000])).unwrap();
    copy(&data("count", ""), &world.folder(ODD_SERVICE));
    let taken = world.pull_folders(3);
    assert_eq!(sorted(&taken), ["merged", "merged", "merged", "stuck", "stuck"]);
    let reason = "decoding needs more memory than the 307200 bytes for all answers at once ([pull] memory)";
    let of_large = taken.iter().filter(|(result, _)| result == "stuck");
    let mut whys: Vec<&str> = of_large.map(|(_, line)| line["why"].as_str().unwrap()).collect();
    whys.sort_unstable();
    assert_eq!(whys, [reason, &format!("its meta file, \"covmeta.a\", was not read: {reason}")]);
    world.configure("");
    assert_eq!(results(&world.pull_folders(0)), ["merged"]);
    // The stored one takes as much.
    fs::remove_file(folder.join("covmeta.a")).unwrap();
    world.configure("[pull]\nmemory = \"300KiB\"\n");
    for pid in [2, 3] {
        fs::write(folder.join(format!("covcounters.a.{pid}.1")), program.counters(&vec![1; 20_000])).unwrap();
    }
    let taken = world.pull_folders(3);
    assert_eq!(results(&taken), ["stuck"; 2]);
    let why = taken[1].1["why"].as_str().unwrap();
    assert!(why.starts_with("the stored meta of its program, ") && why.ends_with(reason), "{why}");
    world.configure("");
    assert_eq!(results(&world.pull_folders(0)), ["merged"; 2]);
}

#[test]
fn counters_find_their_meta_among_any_number_of_metas() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    let hash =
        |meta: &[u8]| meta[24..40].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    // Metas of builds of which nothing else comes, as a folder keeps them to which processes write each day.
    let mut other = fs::read(&data("snapshots", "covmeta")[0]).unwrap();
    for number in 0..3000_u16 {
        other[24..26].copy_from_slice(&number.to_le_bytes());
        fs::write(folder.join(format!("covmeta.{}", hash(&other))), &other).unwrap();
    }
    for file in 1..=10 {
        let program = BinaryProgram::from_profile(&format!("example.com/calc/file{file}.go:1.1,2.2 1\n"));
        let (meta, counters) = (program.meta(), program.counters(&[1]));
        fs::write(folder.join(format!("covmeta.{}", hash(&meta))), &meta).unwrap();
        fs::write(folder.join(format!("covcounters.{}.1.{file}", hash(&meta))), counters).unwrap();
    }
    assert_eq!(results(&world.pull_folders(0)), ["merged"; 10]);
    assert_eq!(world.stored(APP).counts, [1; 10]);
}

#[test]
fn a_meta_stays_for_a_process_that_ends_after_months() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    let counters = data("count", "covcounters");
    copy(&data("count", "covmeta"), &folder);
    copy(&counters[..1], &folder);
    assert_eq!(results(&world.pull_folders(0)), ["merged"]);
    // The folder was quiet for a day, and more than 90 days have passed.
    fs::remove_file(folder.join(COUNT_META)).unwrap();
    world.execute("UPDATE left_meta SET seen_at = '2026-01-02T00:00:00.000Z'");
    // A name without a commit may have many metas, and the last ones stay.
    world.execute(
        "INSERT INTO left_meta (key_id, sha256, seen_at)
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 40)
         SELECT (SELECT id FROM cover_key), randomblob(32), '2026-01-01T00:00:00.000Z' FROM numbers",
    );
    assert_eq!(world.pull_folders(0), []);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM left_meta"), 16);
    copy(&counters[1..], &folder);
    assert_eq!(results(&world.pull_folders(0)), ["merged"; 2]);
    assert_eq!(world.stored(APP), textfmt("count"));
}

#[test]
fn a_wrong_center_is_named_with_the_remedy_unless_files_were_taken_in() {
    let mut world = World::new();
    world.center.stop();
    let advice = "by --center, GOC_CENTER or center in the configuration";
    let folder = world.folder(SERVICE);
    world.run_pull(1).assert_stderr_contains(advice);
    // Counters that only wait help no one, and are named all the same.
    copy(&data("count", "covcounters"), &folder);
    let output = world.run_pull(1).assert_stderr_contains(advice);
    assert!(output.stderr.contains("it waits for that file for 7 days"), "{}", output.stderr);
    copy(&data("count", "covmeta"), &folder);
    let output = world.run_pull(3);
    assert!(!output.stderr.contains(advice), "{}", output.stderr);
    assert_eq!(world.stored(APP), textfmt("count"));
}

#[test]
fn bad_files_are_moved_aside_with_their_reason_and_stop_nothing() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    copy(&data("count", ""), &folder);
    let counters = fs::read(&data("count", "covcounters")[0]).unwrap();
    let tag = "covcounters.2580f4b65340bc2b63474139d103ae37";
    let name = |number: u32| format!("{tag}.7.{number}");
    let write = |number: u32, bytes: &[u8]| fs::write(folder.join(name(number)), bytes).unwrap();
    write(1, &counters[..counters.len() - 20]);
    write(2, &counters[..counters.len() - 20]);
    set_age(&folder.join(name(2)), hours(2));
    write(3, b"<html>");
    // Counters of another program, which claim the hash of this one.
    let mut forged = fs::read(&data("snapshots", "covcounters")[3]).unwrap();
    forged[8..24].copy_from_slice(&counters[8..24]);
    write(4, &forged);
    symlink("/etc/passwd", folder.join(name(5))).unwrap();
    fs::create_dir(folder.join(name(6))).unwrap();
    let empty_meta = "covmeta.00000000000000000000000000000000";
    fs::write(folder.join(empty_meta), b"").unwrap();
    set_age(&folder.join(empty_meta), hours(2));
    let taken = world.pull_folders(3);
    let of = |file: &str| {
        let found = taken.iter().find(|(_, line)| line["snapshot"].as_str().unwrap().ends_with(file));
        let (result, line) = found.unwrap_or_else(|| panic!("nothing of {file} in {taken:?}"));
        (result.as_str(), line["why"].as_str().unwrap().to_owned())
    };
    let cut = "cut short, or changed: the last 16 bytes of the covcounters data are not its footer";
    assert_eq!(of(&name(1)), ("unfinished", cut.to_owned()));
    for (file, reason) in [
        (name(2), cut),
        (name(3), "no coverage data of Go: it begins with \"<htm\""),
        (name(5), "it is not a regular file"),
        (name(6), "it is not a regular file"),
        (empty_meta.to_owned(), "cut short: 0 bytes, too few to tell what they are"),
    ] {
        assert_eq!(of(&file), ("bad", reason.to_owned()), "{file}");
        let kept = fs::read_to_string(world.inbox().join("bad").join(format!("{file}.reason"))).unwrap();
        assert_eq!(kept, format!("{reason}\n"));
    }
    assert_eq!(of(&name(4)).0, "bad");
    assert_eq!(results(&taken).iter().filter(|result| **result == "merged").count(), 3);
    assert_eq!(world.stored(APP), textfmt("count"));
    assert_eq!(names(&folder), [name(1), COUNT_META.to_owned()]);
    assert!(!fs::read_to_string("/etc/passwd").unwrap().is_empty());
    // The rest of the file comes late.
    write(1, &counters);
    let again = world.pull_folders(0);
    assert_eq!(results(&again), ["merged"], "another process with the same counts");
}

#[test]
fn a_meta_that_is_cut_short_waits_an_hour_and_its_counters_wait_for_a_whole_one() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    copy(&data("count", "covcounters"), &folder);
    let (whole, meta) = (fs::read(&data("count", "covmeta")[0]).unwrap(), folder.join(COUNT_META));
    fs::write(&meta, &whole[..whole.len() - 9]).unwrap();
    assert_eq!(sorted(&world.pull_folders(0)), ["unfinished", "waiting", "waiting", "waiting"]);
    set_age(&meta, hours(2));
    assert_eq!(sorted(&world.pull_folders(3)), ["bad", "waiting", "waiting", "waiting"]);
    assert_eq!(names(&world.inbox().join("bad")), [COUNT_META.to_owned(), format!("{COUNT_META}.reason")]);
    fs::write(&meta, &whole).unwrap();
    assert_eq!(results(&world.pull_folders(0)), ["merged"; 3]);
    assert_eq!(world.stored(APP), textfmt("count"));
}

#[test]
fn a_link_in_place_of_a_folder_is_not_followed() {
    let world = World::new();
    let outside = world.home().join("outside");
    fs::create_dir_all(outside.join("pod")).unwrap();
    copy(&data("count", ""), &outside);
    copy(&data("count", ""), &outside.join("pod"));
    symlink(&outside, world.inbox().join(SERVICE)).unwrap();
    symlink(outside.join("pod"), world.folder(ODD_SERVICE).join("pod")).unwrap();
    assert_eq!(world.pull_folders(0), []);
    assert_eq!(names(&outside).len(), 5);
    let said = world.run(&["pull", "--no-peek", "-v"]).assert_code(0).stderr;
    for link in [world.inbox().join(SERVICE), world.inbox().join(ODD_SERVICE).join("pod")] {
        let line = format!("inbox: \"{}\" is a link, and links are not followed", link.display());
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn files_of_owners_who_are_not_trusted_stay_and_are_named() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    copy(&data("count", ""), &folder);
    let uid = fs::metadata(&folder).unwrap().uid();
    world.configure(&format!("inbox_owners = [{}]", uid + 1));
    let taken = world.pull_folders(3);
    assert_eq!(results(&taken), ["stuck"; 4]);
    assert!(taken[0].1["why"].as_str().unwrap().contains("is not in inbox_owners"), "{:?}", taken[0].1);
    assert_eq!(names(&folder).len(), 4);
    world.configure(&format!("inbox_owners = [{uid}]"));
    assert_eq!(results(&world.pull_folders(0)), ["merged"; 3]);
}

#[test]
fn folders_below_configured_inboxes_are_taken_in_too() {
    let world = World::new();
    let inbox = world.home().join("mnt");
    world.configure(&format!("inbox = [{inbox:?}]"));
    fs::create_dir_all(inbox.join(SERVICE).join("pod-0")).unwrap();
    copy(&data("count", ""), &inbox.join(SERVICE).join("pod-0"));
    assert_eq!(results(&world.pull_folders(0)), ["merged"; 3]);
    assert_eq!(world.stored(APP), textfmt("count"));
}

#[test]
fn a_meta_is_removed_when_its_folder_was_quiet_for_a_day_and_is_still_known_then() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    let counters = data("count", "covcounters");
    copy(&data("count", "covmeta"), &folder);
    copy(&counters[..2], &folder);
    world.run_pull(0);
    let meta = folder.join(COUNT_META);
    set_age(&meta, hours(30));
    world.run_pull(0);
    assert!(meta.exists(), "files were removed from the folder just now");
    set_age(&folder, hours(25));
    world.run_pull(0);
    assert_eq!(names(&folder), Vec::<String>::new());
    // The process that wrote it ends long after.
    copy(&counters[2..], &folder);
    assert_eq!(results(&world.pull_folders(0)), ["merged"]);
    assert_eq!(world.stored(APP), textfmt("count"));
}

#[test]
fn files_that_may_not_be_removed_stay_are_counted_once_and_that_is_said_once() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    copy(&data("count", ""), &folder);
    change_owner(&world.root(), SERVICE_USER);
    chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    let run = || world.run_as(SERVICE_USER, SERVICE_USER, "022", &["pull", "--no-peek"]);
    let Some(output) = run() else { return };
    let output =
        output.assert_code(3).assert_stderr_contains("they stay, their data is stored and not counted again");
    assert!(output.stdout.contains("3 snapshots taken in"), "{}", output.stdout);
    let output = run().unwrap().assert_code(0);
    assert!(!output.stderr.contains("they stay"), "{}", output.stderr);
    assert!(!output.stdout.contains("taken in"), "{}", output.stdout);
    assert_eq!(world.stored(APP), textfmt("count"));
    assert_eq!(names(&folder).len(), 4);
    chown(&folder, Some(SERVICE_USER), Some(SERVICE_USER)).unwrap();
    run().unwrap().assert_code(0);
    assert_eq!(names(&folder), [COUNT_META]);
    assert_eq!(world.stored(APP), textfmt("count"));
}

#[test]
fn a_folder_that_cannot_be_read_is_named_and_stops_no_other() {
    let world = World::new();
    let closed = world.folder("staging_th_closed_master_0000000001");
    copy(&data("count", ""), &closed);
    copy(&data("count", ""), &world.folder(SERVICE));
    change_owner(&world.root(), SERVICE_USER);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let output = world.run_as(SERVICE_USER, SERVICE_USER, "022", &["pull", "--no-peek"]);
    let Some(output) = output else { return };
    let output = output.assert_code(3).assert_stderr_contains("staging_th_closed_master_0000000001");
    assert!(output.stderr.contains("Permission denied"), "{}", output.stderr);
    assert_eq!(world.stored(APP), textfmt("count"));
}

#[test]
fn two_programs_in_one_folder_are_two_builds_of_its_service() {
    let world = World::new();
    copy(&data("two-programs", ""), &world.folder(SERVICE));
    world.run_pull(0);
    assert_eq!(world.stored(APP), textfmt("two-programs"));
    assert_eq!(world.query::<i64>("SELECT count(*) FROM meta"), 2);
}

#[test]
fn thousands_of_counter_files_are_taken_in_and_do_not_keep_other_folders_waiting() {
    let world = World::new();
    let folder = world.folder(SERVICE);
    copy(&data("snapshots", SNAPSHOTS_META), &folder);
    let file = fs::read(&data("snapshots", "covcounters")[3]).unwrap();
    for pid in 0..3000 {
        let name = format!("covcounters.39bdad10ba087682b81906837d7d9e0d.{pid}.1795924281869788675");
        fs::write(folder.join(name), &file).unwrap();
    }
    copy(&data("count", ""), &world.folder(ODD_SERVICE));
    let taken = world.pull_folders(0);
    assert_eq!(taken.iter().filter(|(result, _)| result == "merged").count(), 3003);
    let other = taken.iter().position(|(_, line)| line["service"] == ODD_SERVICE).unwrap();
    assert!(other <= 1024, "its turn came only after {other} files");
    assert_eq!(*world.stored(APP).counts.iter().max().unwrap(), 90_000);
    assert_eq!(names(&folder), [SNAPSHOTS_META]);
}

#[test]
fn a_pull_killed_at_any_moment_counts_each_file_once() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\nfold_after = \"0s\"\n");
    let folder = world.folder(SERVICE);
    copy(&data("snapshots", SNAPSHOTS_META), &folder);
    let files: Vec<Vec<u8>> =
        data("snapshots", "covcounters").iter().map(|file| fs::read(file).unwrap()).collect();
    let (mut pid, mut killed) = (0, 0);
    let mut usual = Duration::from_millis(100);
    for round in 0..60 {
        for _ in 0..20 {
            pid += 1;
            for (index, file) in files.iter().enumerate() {
                let name = format!("covcounters.39bdad10ba087682b81906837d7d9e0d.{pid}.{index}");
                fs::write(folder.join(format!("tmp.{name}")), file).unwrap();
                fs::rename(folder.join(format!("tmp.{name}")), folder.join(name)).unwrap();
            }
        }
        let mut child = world.command(&["pull", "-q"]).stderr(Stdio::null()).spawn().unwrap();
        // A random moment is the point of this test: the checks below must hold whenever the kill comes.
        std::thread::sleep(usual.mul_f64(random.f64() * 1.2));
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().code().is_none());
        if round % 6 == 5 {
            let begun = Instant::now();
            world.run(&["pull", "-q"]).assert_code(0);
            usual = begun.elapsed();
            world.assert_consistent();
            assert_eq!(*world.stored(APP).counts.iter().max().unwrap(), 30 * pid, "round {round}");
            assert_eq!(names(&folder), [SNAPSHOTS_META]);
        }
    }
    println!("{killed} of 60 runs were killed");
    assert!(killed >= 15, "only {killed} of 60 runs were killed before they ended");
}

#[test]
fn a_pull_killed_at_each_step_of_taking_in_counts_each_file_once() {
    if !has_strace() {
        return;
    }
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let folder = world.folder(SERVICE);
    copy(&data("snapshots", SNAPSHOTS_META), &folder);
    let files = data("snapshots", "covcounters").into_iter().map(|file| fs::read(file).unwrap());
    let files: Vec<Vec<u8>> = files.collect();
    let (mut pid, mut killed) = (0, 0);
    for syscall in ["unlinkat", "fdatasync", "fsync", "pwrite64", "renameat"] {
        for nth in 1..8 {
            pid += 1;
            for (index, file) in files.iter().enumerate() {
                let name = format!("covcounters.39bdad10ba087682b81906837d7d9e0d.{pid}.{index}");
                fs::write(folder.join(name), file).unwrap();
            }
            killed += u32::from(killed_at(&world, (syscall, nth), &["pull", "--force", "-q"]));
        }
        world.run(&["pull", "-q"]).assert_code(0);
        world.assert_consistent();
        assert_eq!(*world.stored(APP).counts.iter().max().unwrap(), 30 * pid, "{syscall}");
        assert_eq!(names(&folder), [SNAPSHOTS_META]);
    }
    assert!(killed > 12, "only {killed} steps were interrupted");
}

const BLOCKS: &str = "example.com/calc/main.go:1.1,2.2 1\nexample.com/calc/main.go:3.1,4.2 1\n\
    example.com/calc/other.go:1.1,2.2 1\n";

/// A world with a process of three blocks that was pulled over HTTP, and the folder of its service.
fn world_with_pulled(counts: [u64; 3]) -> (World, Coverport, BinaryProgram, PathBuf) {
    let world = World::new();
    let program = BinaryProgram::from_profile(BLOCKS);
    let agent = Coverport::start(&program);
    world.center.register_url(SERVICE, &agent.url());
    for (block, times) in counts.into_iter().enumerate() {
        agent.hit(&[block], times);
    }
    world.pull(0);
    assert_eq!(world.stored(APP).counts, counts);
    let folder = world.folder(SERVICE);
    fs::write(folder.join("covmeta.a"), program.meta()).unwrap();
    (world, agent, program, folder)
}

/// Returns the number of lives whose counters were not left in a folder.
fn pulled_lives(world: &World) -> i64 {
    world.query("SELECT count(*) FROM generation WHERE address NOT LIKE 'gocoverdir:%'")
}

#[test]
fn an_exit_file_joins_the_pulled_life_of_its_process_whichever_is_older() {
    for (exit, then) in [([5, 1, 2], [5, 1, 2]), ([3, 0, 2], [3, 0, 2]), ([2, 0, 1], [3, 0, 2])] {
        let (world, agent, program, folder) = world_with_pulled([3, 0, 2]);
        agent.kill();
        fs::write(folder.join("covcounters.a.1.1"), program.counters(&exit)).unwrap();
        let is_new = exit == [5, 1, 2];
        // Its service is due only where the file brought something.
        let taken = world.pull_folders(if is_new { 3 } else { 0 });
        assert_eq!(results(&taken), [if is_new { "merged" } else { "known" }]);
        assert_eq!(world.stored(APP).counts, then);
        assert_eq!(pulled_lives(&world), 1);
    }
}

#[test]
fn a_folder_with_a_shorter_commit_belongs_to_the_service_of_the_longer_one() {
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let program = BinaryProgram::from_profile(BLOCKS);
    let agent = Coverport::start(&program);
    world.center.register_url(&format!("{SERVICE}0123456789"), &agent.url());
    agent.hit(&[0], 3);
    world.pull(0);
    agent.kill();
    world.leave_file(&format!("{SERVICE}/pod-0"), &program, "1.1", &[5, 1, 0]);
    assert_eq!(results(&world.pull_folders(3))[..1], ["merged"]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM cover_key"), 1);
    assert_eq!(world.stored(APP).counts, [5, 1, 0]);
}

#[test]
fn an_exit_file_of_another_process_or_another_life_is_added() {
    for (name, exit) in [("covcounters.a.2.1", [5, 1, 2]), ("covcounters.a.1.1", [0, 4, 1])] {
        let (world, _agent, program, folder) = world_with_pulled([3, 0, 2]);
        fs::write(folder.join(name), program.counters(&exit)).unwrap();
        assert_eq!(results(&world.pull_folders(0)), ["merged"]);
        let sum: Vec<u64> = exit.iter().zip([3, 0, 2]).map(|(exit, pulled)| exit + pulled).collect();
        assert_eq!(world.stored(APP).counts, sum, "{name}");
    }
}

#[test]
fn of_several_pulled_lives_the_greatest_that_goes_on_is_joined() {
    let (world, first, program, folder) = world_with_pulled([3, 0, 2]);
    let second = Coverport::start(&program);
    world.center.register_url(SERVICE, &second.url());
    second.hit(&[0], 4);
    second.hit(&[2], 2);
    world.pull(0);
    first.kill();
    second.kill();
    fs::write(folder.join("covcounters.a.1.1"), program.counters(&[6, 1, 2])).unwrap();
    assert_eq!(results(&world.pull_folders(3)), ["merged"]);
    assert_eq!(world.stored(APP).counts, [9, 1, 4]);
}

#[test]
fn an_exit_file_joins_the_life_of_its_pod_before_a_greater_one_of_another_pod() {
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let program = BinaryProgram::from_profile(BLOCKS);
    let agents = [1, 2].map(|_| Coverport::start(&program));
    let targets = agents.iter().zip(["pod-0", "pod-1"]).map(|(agent, pod)| {
        let target = agent.url().replace("http://", "");
        json!({"targets": [target], "labels": {"service": SERVICE, "pod": pod}})
    });
    let file = world.home().join("targets.json");
    fs::write(&file, json!(targets.collect::<Vec<_>>()).to_string()).unwrap();
    agents[0].hit(&[0], 1);
    agents[1].hit(&[0], 9);
    let pull = ["pull", "--force", "--targets", file.to_str().unwrap()];
    world.run(&pull).assert_code(0);
    agents.iter().for_each(Coverport::kill);
    for (pod, counts, sum) in [
        ("pod-0", [10, 0, 0], [19, 0, 0]),
        // A pod that no source lists had a process of its own.
        ("pod-2", [20, 1, 0], [39, 1, 0]),
        ("pod-1", [9, 0, 3], [39, 1, 3]),
    ] {
        world.leave_file(&format!("{SERVICE}/{pod}"), &program, "1.1", &counts);
        world.run(&pull).assert_code(3);
        assert_eq!(world.stored(APP).counts, sum, "{pod}");
    }
    assert_eq!(pulled_lives(&world), 2);
}

#[test]
fn an_exit_file_joins_the_life_of_its_pod_though_another_pod_has_its_address_now() {
    // Only lists of pods tell a uid.
    for tells_uid in [false, true] {
        let world = World::new();
        world.configure("[pull]\nchange = \"counts\"\n");
        let program = BinaryProgram::from_profile(BLOCKS);
        let agent = Coverport::start(&program);
        let address = agent.url().replace("http://", "");
        let (ip, port) = address.split_once(':').unwrap();
        let file = world.home().join("targets.json");
        let pull = |pod: &str, code: i32| {
            let list = match tells_uid {
                false => json!([{"targets": [address], "labels": {"service": SERVICE, "pod": pod}}]),
                true => json!({"kind": "List", "items": [{
                    "kind": "Pod",
                    "metadata": {"name": pod, "namespace": "staging", "uid": format!("uid-{pod}"),
                                 "annotations": {"goc-watchdog/service": SERVICE, "goc-watchdog/port": port}},
                    "spec": {"containers": [{"name": "calc"}]},
                    "status": {"phase": "Running", "podIP": ip},
                }]}),
            };
            fs::write(&file, list.to_string()).unwrap();
            world.run(&["pull", "--force", "--targets", file.to_str().unwrap()]).assert_code(code);
        };
        agent.switch_to(1, &[5, 0, 1]);
        pull("pod-x", 0);
        world.leave_file(&format!("{SERVICE}/pod-x"), &program, "1.1", &[6, 0, 1]);
        agent.switch_to(1, &[0, 2, 0]);
        pull("pod-y", 0);
        assert_eq!(world.stored(APP).counts, [6, 2, 1], "{tells_uid}");
        // The first pod leaves nothing more, and the second one its own file.
        world.leave_file(&format!("{SERVICE}/pod-y"), &program, "1.1", &[7, 3, 1]);
        agent.kill();
        pull("pod-y", 3);
        assert_eq!(world.stored(APP).counts, [13, 3, 2], "{tells_uid}");
        world.assert_consistent();
    }
}

#[test]
fn a_process_whose_pod_gets_another_name_in_the_list_is_counted_once() {
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let program = BinaryProgram::from_profile(BLOCKS);
    let agent = Coverport::start(&program);
    let file = world.home().join("targets.json");
    let target = agent.url().replace("http://", "");
    agent.switch_to(1, &[5, 0, 1]);
    for (pod, counts) in [("a", [5, 0, 1]), ("b", [5, 0, 1]), ("c", [7, 0, 1])] {
        agent.switch_to(1, &counts);
        let list = json!([{"targets": [target], "labels": {"service": SERVICE, "pod": pod}}]);
        fs::write(&file, list.to_string()).unwrap();
        world.run(&["pull", "--force", "--targets", file.to_str().unwrap()]).assert_code(0);
        assert_eq!(world.stored(APP).counts, counts, "{pod}");
    }
    // A folder has the name that the pod had when the process started.
    world.leave_file(&format!("{SERVICE}/b"), &program, "1.1", &[8, 0, 1]);
    agent.kill();
    world.run(&["pull", "--force", "--targets", file.to_str().unwrap()]).assert_code(3);
    assert_eq!(world.stored(APP).counts, [8, 0, 1]);
}

/// Two processes of pods whose names no list tells, each with the process id 1, and a pull that has counters of them.
struct Unnamed {
    world: World,
    program: BinaryProgram,
    agents: [Coverport; 2],
}

impl Unnamed {
    fn new() -> Self {
        let world = World::new();
        world.configure("[pull]\nchange = \"counts\"\n");
        let program = BinaryProgram::from_profile(BLOCKS);
        let agents = [1, 2].map(|_| Coverport::start(&program));
        for agent in &agents {
            world.center.register_url(SERVICE, &agent.url());
        }
        Self { world, program, agents }
    }

    /// Writes a file of a pod, as if it was the one with this number.
    fn write(&self, pod: &str, number: u32, count: u64) {
        let (folder, process) = (format!("{SERVICE}/{pod}"), format!("1.{number}"));
        self.world.leave_file(&folder, &self.program, &process, &[count, 0, count]);
    }

    /// Pulls with these counters of the processes, and returns what is stored.
    #[track_caller]
    fn pull(&self, counts: [u64; 2]) -> u64 {
        for (agent, count) in self.agents.iter().zip(counts) {
            agent.switch_to(1, &[count, 0, count]);
        }
        self.world.pull(0);
        self.stored()
    }

    /// Ends the processes, pulls, and returns what is stored.
    #[track_caller]
    fn end(&self) -> u64 {
        self.agents.iter().for_each(Coverport::kill);
        self.world.pull(3);
        self.stored()
    }

    #[track_caller]
    fn stored(&self) -> u64 {
        self.world.assert_consistent();
        let counts = self.world.stored(APP).counts;
        assert_eq!((counts[0], counts[1]), (counts[2], 0));
        counts[0]
    }
}

#[test]
fn pods_that_write_while_they_run_and_are_pulled_are_counted_once() {
    let pods = Unnamed::new();
    assert_eq!(pods.pull([10, 10]), 20);
    pods.write("pod-a", 1, 10);
    pods.write("pod-b", 2, 10);
    assert_eq!(pods.pull([12, 11]), 23);
    // The larger life could be the one of this file.
    pods.write("pod-b", 3, 14);
    assert_eq!(pods.pull([13, 14]), 27);
    pods.write("pod-a", 4, 16);
    assert_eq!(pods.pull([16, 14]), 30);
    assert_eq!(pods.pull([17, 15]), 32);
}

#[test]
fn exit_files_of_pods_that_are_replaced_are_those_of_several_processes() {
    let pods = Unnamed::new();
    assert_eq!(pods.pull([5, 5]), 10);
    pods.write("pod-a", 1, 30);
    pods.write("pod-b", 2, 30);
    // The pods that take their place begin anew.
    assert_eq!(pods.pull([1, 2]), 63);
    assert_eq!(pods.pull([2, 3]), 65);
    assert_eq!(pods.pull([40, 50]), 150);
    pods.write("pod-c", 1, 41);
    pods.write("pod-d", 1, 52);
    assert_eq!(pods.end(), 153);
}

#[test]
fn left_files_and_the_lives_they_may_be_of_are_folded_together() {
    let pods = Unnamed::new();
    pods.world.configure("[pull]\nchange = \"counts\"\nfold_after = \"7d\"\n");
    pods.pull([5, 5]);
    pods.write("pod-a", 1, 30);
    // The file may be of either.
    assert_eq!(pods.pull([5, 6]), 30 + 5);
    // The file alone is old. Its counts stay apart as long as a life may have them.
    let old = "closed_at = '2026-01-01T00:00:00Z'";
    pods.world.execute(&format!("UPDATE generation SET {old} WHERE address LIKE 'gocoverdir:%'"));
    assert_eq!(pods.pull([31, 6]), 37);
    assert_eq!(pods.world.query::<i64>("SELECT count(*) FROM generation WHERE address IS NULL"), 0);
    pods.world.execute(&format!("UPDATE generation SET {old}"));
    pods.world.execute("UPDATE generation SET pulled_at = '2026-01-01T00:00:00Z'");
    assert_eq!(pods.end(), 37);
    assert_eq!(pods.world.query::<i64>("SELECT count(*) FROM generation"), 1);
}

/// Pulls, and ends the run after all processes but one of goc have answered. That one is the last that is asked.
fn cut_pull(world: &World, hung: &Agent) {
    let asked = hung.pulls();
    let child = world.spawn(&["pull", "--force", "--concurrency", "1"]);
    hung.wait_for_pulls(asked + 1);
    signal(&child, "-TERM");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(143));
    world.assert_consistent();
}

#[test]
fn a_pull_that_is_cut_before_its_service_is_settled_overstates_nothing() {
    for pulled_before in [false, true] {
        let world = World::new();
        world.configure("[pull]\nchange = \"counts\"\n");
        let program = BinaryProgram::from_profile(BLOCKS);
        // Addresses are asked in their order, and this port is below those that the kernel gives out.
        let agent = Coverport::start_at(ReservedPort::in_a_row(1).remove(0), &program);
        let hung = Agent::start(&Program::from_profile(BLOCKS));
        hung.behave_once(Behaviour::Hang);
        world.leave_file(&format!("{SERVICE}/pod-a"), &program, "1.1", &[6, 0, 1]);
        if pulled_before {
            agent.switch_to(1, &[5, 0, 1]);
            world.center.register_url(SERVICE, &agent.url());
            world.pull(0);
        } else {
            world.run_pull(0);
        }
        assert_eq!(world.stored(APP).counts, [6, 0, 1]);
        // The process of the file goes on, and is stored beside it by a run that ends before the service does.
        world.center.register_url(SERVICE, &agent.url());
        world.center.register_url(SERVICE, &hung.url());
        agent.switch_to(1, &[9, 1, 1]);
        cut_pull(&world, &hung);
        assert_eq!(world.stored(APP).counts, [6, 0, 1], "no decision was made");
        agent.kill();
        hung.kill();
        world.pull(3);
        assert_eq!(world.stored(APP).counts, [9, 1, 1], "{pulled_before}");
        assert_eq!(world.query::<i64>("SELECT count(*) FROM unsettled"), 0);
        world.assert_consistent();
    }
}

#[test]
fn a_profile_that_is_written_again_after_a_cut_pull_has_the_counts_of_its_row() {
    let pods = Unnamed::new();
    pods.write("pod-a", 1, 6);
    assert_eq!(pods.pull([5, 0]), 6);
    let path = pods.world.files(".cov").into_iter().max().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    // The processes have counted more, and the run was cut before it settled that.
    let pulled = "address NOT LIKE 'gocoverdir:%'";
    pods.world.execute(&format!("INSERT INTO unsettled SELECT id, counts FROM generation WHERE {pulled}"));
    pods.world
        .execute(&format!("UPDATE generation SET counts = (SELECT counts FROM left_counts) WHERE {pulled}"));
    fs::remove_file(&path).unwrap();
    pods.world.run(&["prune", "--retention-only"]).assert_code(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    // No sum takes in what is not settled, however old it is.
    let world = &pods.world;
    world.execute(
        "UPDATE generation SET pulled_at = '2026-01-01T00:00:00Z', closed_at = '2026-01-01T00:00:00Z'",
    );
    let _other = world.start(ECHO, &echo());
    let lives = || world.query::<i64>("SELECT count(*) FROM generation WHERE address LIKE '%:%'");
    let before = lives();
    world.run(&["pull", ECHO]).assert_code(0);
    assert_eq!(lives(), before + 1);
    world.execute("DELETE FROM unsettled");
    world.run(&["pull", ECHO]).assert_code(0);
    assert_eq!(lives(), 1);
}

#[test]
fn a_snapshot_of_a_process_that_left_a_file_before_is_counted_once() {
    for pulled_before in [false, true] {
        let world = World::new();
        world.configure("[pull]\nchange = \"counts\"\n");
        let program = BinaryProgram::from_profile(BLOCKS);
        let agent = Coverport::start(&program);
        agent.switch_to(1, &[5, 0, 1]);
        world.leave_file(&format!("{SERVICE}/pod-a"), &program, "1.1", &[6, 0, 1]);
        if pulled_before {
            world.center.register_url(SERVICE, &agent.url());
            world.pull(0);
        } else {
            world.run_pull(0);
        }
        assert_eq!(world.stored(APP).counts, [6, 0, 1]);
        agent.switch_to(1, &[9, 1, 1]);
        world.leave_snapshot(&agent.url(), SERVICE);
        agent.kill();
        world.pull(if pulled_before { 3 } else { 0 });
        assert_eq!(world.stored(APP).counts, [9, 1, 1], "{pulled_before}");
    }
}

#[test]
fn a_process_whose_pod_gets_another_name_after_it_left_a_file_is_counted_once() {
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let program = BinaryProgram::from_profile(BLOCKS);
    let agent = Coverport::start(&program);
    let target = agent.url().replace("http://", "");
    let file = world.home().join("targets.json");
    let pull = |pod: &str, counts: [u64; 3]| {
        agent.switch_to(1, &counts);
        let list = json!([{"targets": [target], "labels": {"service": SERVICE, "pod": pod}}]);
        fs::write(&file, list.to_string()).unwrap();
        world.run(&["pull", "--force", "--targets", file.to_str().unwrap()]).assert_code(0);
        world.stored(APP).counts
    };
    world.leave_file(&format!("{SERVICE}/a"), &program, "1.1", &[6, 0, 1]);
    assert_eq!(pull("a", [5, 0, 1]), [6, 0, 1]);
    assert_eq!(pull("b", [9, 1, 1]), [9, 1, 1]);
}

#[test]
fn a_process_that_goes_on_after_it_left_a_file_stays_one_life() {
    let (world, agent, program, folder) = world_with_pulled([3, 0, 2]);
    fs::write(folder.join("covcounters.a.1.1"), program.counters(&[5, 0, 2])).unwrap();
    agent.hit(&[0], 2);
    agent.hit(&[1], 1);
    world.run_pull(0);
    assert_eq!(world.stored(APP).counts, [5, 1, 2]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation WHERE closed_at IS NULL"), 1);
    assert_eq!(pulled_lives(&world), 1);
}

#[test]
fn files_at_a_wrong_level_of_an_inbox_are_named_with_the_next_step_and_stay() {
    let world = World::new();
    let (inbox, deep) = (world.inbox(), world.folder("svc/pod/run"));
    copy(&data("count", ""), &inbox);
    copy(&data("count", "covmeta"), &deep);
    for other in ["bad/x/y", "svc/pod/logs"] {
        fs::write(world.folder(other).join("notes.txt"), "of another tool").unwrap();
    }
    copy(&data("count", ""), &world.folder("bad/x/y"));
    copy(&data("count", ""), &world.folder(SERVICE));
    let said = [
        format!(
            "inbox: 4 coverage files in \"{}\" itself not taken in, because no folder tells the service; let GOCOVERDIR be \
             \"{}/<service>/<pod>\", and move the files there",
            inbox.display(),
            inbox.display()
        ),
        format!(
            "inbox: 1 coverage file in \"{}\" not taken in, because that is deeper than <service>/<pod>; let GOCOVERDIR be \
             the folder of a pod, and move the files there",
            deep.display()
        ),
    ];
    for _ in 0..2 {
        let output = world.run_pull(3);
        for line in &said {
            assert_eq!(output.stderr.matches(line).count(), 1, "{}", output.stderr);
        }
        assert_eq!(output.stderr.matches("not taken in").count(), 2, "{}", output.stderr);
        assert_eq!(world.stored(APP), textfmt("count"));
        assert_eq!((names(&inbox).len(), names(&deep).len()), (4 + 3, 1));
    }
    fs::remove_dir_all(&deep).unwrap();
    for file in data("count", "") {
        fs::remove_file(inbox.join(file.file_name().unwrap())).unwrap();
    }
    world.run_pull(0);
}

#[test]
fn a_folder_counts_for_the_target_of_its_name_as_soon_as_one_is_listed_and_that_is_said_once() {
    let world = World::new();
    let program = BinaryProgram::from_profile("example.com/cart/main.go:1.1,2.2 1\n");
    let agent = Coverport::start(&program);
    let list = json!([{
        "targets": [agent.url().trim_start_matches("http://")],
        "labels": {"env": "staging", "app": "cart"},
    }]);
    fs::write(world.home().join("x.json"), list.to_string()).unwrap();
    let pull = || {
        let command = ["pull", "--force", "--targets", "x.json"];
        output_of(world.command(&command).env_remove("GOC_CENTER")).assert_code(0).stderr
    };
    world.leave_file("staging_cart", &program, "7.1", &[3]);
    world.run_pull(0);
    assert_eq!(*world.stored("staging_cart").counts, [3]);
    let said = "\"staging_cart\" is the name of a target now, and of a service that only the inbox knew: what the inbox \
                brings from now on counts for the target, and what it brought before stays apart (goc-watchdog list shows \
                both; --env, --region and --branch choose one, where '' means none) (this is said once)";
    let first = pull();
    assert!(first.contains(said), "{first}");
    world.leave_file("staging_cart", &program, "8.2", &[5]);
    let second = pull();
    assert!(!second.contains("the inbox"), "{second}");
    assert_eq!((&*world.stored("staging_cart").counts, &*world.stored("cart").counts), (&[3][..], &[5][..]));
    let total = |env: &str| world.run(&["total", "staging_cart", "--env", env]).assert_code(0).stdout;
    assert_eq!((total("staging"), total("")), ("100.0\n".to_owned(), "100.0\n".to_owned()));
}
