//! Runs by a timer: messages that the journal sorts, and pings to a service that watches over the runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use crate::harness::{ECHO, World, signal};
use crate::sim::{AfterAnswer, Behaviour, Request, Server, sized};

/// Runs the binary with stderr on a socket, as systemd does, and `JOURNAL_STREAM` made from its device and inode.
/// Returns the exit code and the text.
fn with_stderr_on_a_socket(
    world: &World,
    arguments: &[&str],
    journal_stream: impl Fn(u64, u64) -> String,
) -> (i32, String) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let socket = rustix::fs::fstat(&theirs).unwrap();
    let mut command = world.command(arguments);
    command.env("JOURNAL_STREAM", journal_stream(socket.st_dev, socket.st_ino));
    command.stdout(Stdio::null()).stderr(OwnedFd::from(theirs));
    let code = command.status().unwrap().code().unwrap();
    // The command's copy of the other end would keep the stream open.
    drop(command);
    let mut text = String::new();
    ours.read_to_string(&mut text).unwrap();
    (code, text)
}

fn journal(device: u64, inode: u64) -> String {
    format!("{device}:{inode}")
}

/// Returns the priority of each line; fails where one has none.
fn priorities(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_inclusive('>').next().unwrap()).collect()
}

#[test]
fn in_the_journal_each_line_has_its_priority() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[0], 1);
    agents[1].kill();
    world.configure("");
    let (code, text) = with_stderr_on_a_socket(&world, &["pull", "-v"], journal);
    assert_eq!(code, 3);
    let [failed, pulled] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    let expected = format!("<3>goc-watchdog: {ECHO}: profile from \"{}\": ", agents[1].url());
    assert!(failed.starts_with(&expected), "{text}");
    assert_eq!(pulled, format!("<6>goc-watchdog: {ECHO}: pulled for the first time"));

    let held = std::fs::File::open(world.root().join("goc-watchdog.lock")).unwrap();
    held.try_lock().unwrap();
    let (code, text) = with_stderr_on_a_socket(&world, &["pull"], journal);
    assert_eq!((code, priorities(&text)), (4, vec!["<4>"]), "{text}");
    held.unlock().unwrap();

    world.center.remove_all();
    let (code, text) = with_stderr_on_a_socket(&world, &["list"], journal);
    assert_eq!((code, priorities(&text)), (3, vec!["<4>"]), "{text}");
    let (code, text) = with_stderr_on_a_socket(&world, &["total", "nosuch"], journal);
    assert_eq!((code, priorities(&text)), (1, vec!["<3>"]), "{text}");
    let (code, text) = with_stderr_on_a_socket(&world, &["pull", "--nosuch"], journal);
    assert_eq!(code, 2);
    assert!(text.starts_with("<3>goc-watchdog: error: unexpected argument '--nosuch' found\n"), "{text}");
    assert!(text.lines().count() > 1, "of a message of several lines each has one: {text}");
    assert!(priorities(&text).iter().all(|priority| *priority == "<3>"), "{text}");
}

#[test]
fn a_stream_that_is_not_the_journals_gets_no_priorities() {
    let (world, agents) = World::with_echo(1);
    agents[0].kill();
    let others: [fn(u64, u64) -> String; 4] = [
        |device, inode| journal(device, inode + 1),
        |device, inode| journal(device + 1, inode),
        |_, inode| format!("{inode}"),
        |_, _| String::new(),
    ];
    for other in others {
        let (code, text) = with_stderr_on_a_socket(&world, &["pull", "--force"], other);
        assert_eq!(code, 3);
        assert!(text.starts_with("goc-watchdog: "), "{text}");
    }
    let (_, text) = with_stderr_on_a_socket(&world, &["--nosuch"], |_, inode| format!("8:{inode}0"));
    assert!(text.starts_with("error: unexpected argument"), "{text}");
}

/// A dead man's switch that gives each request the same answer.
struct DeadManSwitch {
    server: Server,
    requests: Arc<Mutex<Vec<String>>>,
}

impl DeadManSwitch {
    fn start(status: &'static str, headers: &'static str) -> Self {
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let record = Arc::clone(&requests);
        let answer = move |request: &Request, stream: &mut TcpStream| {
            record.lock().unwrap().push(format!("{} {}", request.method, request.path));
            // A service may quote the request in its answer.
            stream.write_all(&sized(status, headers, request.path.as_bytes()))?;
            Ok(AfterAnswer::Close)
        };
        let server = Server::start(([127, 0, 0, 1], 0).into(), Arc::new(answer)).unwrap();
        Self { server, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/ping/T0KEN?rid=7", self.server.address())
    }

    /// Returns the requests since the last call.
    fn take_requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().drain(..).collect()
    }
}

const STARTED: &str = "GET /ping/T0KEN/start?rid=7";

#[test]
fn a_dead_mans_switch_hears_of_the_start_and_of_the_end_with_its_code() {
    let switch = DeadManSwitch::start("200 OK", "");
    let url = switch.url();
    let (world, agents) = World::with_echo(2);
    world.configure("");
    let pull = ["pull", "--force", "--ping", &url];
    assert_eq!(world.run(&pull).assert_code(0).stderr, "");
    assert_eq!(switch.take_requests(), [STARTED, "GET /ping/T0KEN?rid=7"]);

    agents[1].behave_once(Behaviour::Hang);
    let hung = world.spawn(&pull);
    agents[1].wait_for_pulls(2);
    world.run(&pull).assert_code(4);
    world.run(&["prune", "--ping", &url]).assert_code(4);
    assert!(switch.take_requests().iter().all(|requests| requests == STARTED), "who is busy is not heard");
    signal(&hung, "-TERM");
    assert_eq!(hung.wait_with_output().unwrap().status.code(), Some(143));
    assert_eq!(switch.take_requests().last().unwrap(), "GET /ping/T0KEN/143?rid=7");

    agents[1].kill();
    world.run(&pull).assert_code(3);
    assert_eq!(switch.take_requests(), [STARTED, "GET /ping/T0KEN/3?rid=7"]);
    world.run(&["pull", "--force", "--proxy", "no proxy", "--ping", &url]).assert_code(1);
    assert!(switch.take_requests().is_empty(), "a proxy that is none leads to nobody");
    let mut nowhere = World::new();
    nowhere.center.stop();
    nowhere.run(&pull).assert_code(1);
    assert_eq!(switch.take_requests(), [STARTED, "GET /ping/T0KEN/1?rid=7"]);
}

#[test]
fn the_configuration_names_a_switch_for_each_command_and_dry_runs_are_not_reported() {
    let (pulls, prunes) = (DeadManSwitch::start("200 OK", ""), DeadManSwitch::start("200 OK", ""));
    let (world, _agents) = World::with_echo(3);
    world.configure(&format!("[pull]\nping = \"{}\"\n[prune]\nping = \"{}\"\n", pulls.url(), prunes.url()));
    world.run(&["pull"]).assert_code(0);
    assert_eq!((pulls.take_requests().len(), prunes.take_requests().len()), (2, 0));
    world.run(&["prune"]).assert_code(0);
    assert_eq!(
        (pulls.take_requests().len(), prunes.take_requests()),
        (0, vec![STARTED.to_owned(), "GET /ping/T0KEN?rid=7".to_owned()])
    );
    for looking in [&["pull", "--dry-run"][..], &["pull", "--raw", "echoserver"], &["prune", "--dry-run"]] {
        world.run(looking).assert_code(0);
    }
    assert!(pulls.take_requests().is_empty() && prunes.take_requests().is_empty());
}

#[test]
fn a_ping_that_fails_is_a_warning_without_the_secret() {
    let (world, _agents) = World::with_echo(1);
    let (moved, missing) = (
        DeadManSwitch::start("302 Found", "Location: /T0KEN\r\n"),
        DeadManSwitch::start("404 Not Found", ""),
    );
    let odd = DeadManSwitch::start("302 Found", "T0KEN\u{1}: T0KEN\r\n");
    let closed = DeadManSwitch::start("200 OK", "").url();
    let metadata = "http://169.254.169.254/T0KEN".to_owned();
    let cases = [
        (moved.url(), "answered 302"),
        (missing.url(), "answered 404"),
        (odd.url(), "the answer was cut short: not an answer of HTTP"),
        (closed, "no connection: connection refused"),
        (metadata, "no connection: 169.254.169.254 is a link-local address"),
    ];
    world.configure("");
    for (url, fault) in cases {
        let output = world.run(&["pull", "--force", "--ping", &url]).assert_code(0);
        let origin = url.split("/ping").next().unwrap().trim_end_matches("/T0KEN");
        let warning = format!("goc-watchdog: warning: ping \"{origin}\": {fault}");
        let warnings = output.stderr.lines().filter(|line| line.starts_with(&warning)).count();
        assert_eq!((warnings, output.stderr.lines().count()), (2, 2), "{}", output.stderr);
        assert!(!output.stderr.contains("T0KEN"), "{}", output.stderr);
    }
    assert_eq!(moved.take_requests().len(), 2, "no redirect was followed");
    for wrong in ["T0KEN", "ftp://h/T0KEN", "http://T0KEN:secret@h/T0KEN"] {
        let output = world.run(&["pull", "--ping", wrong]).assert_code(2);
        assert!(!output.stderr.contains("T0KEN"), "{}", output.stderr);
        output.assert_stderr_contains("invalid value for '--ping <URL>'");
    }
    world.configure("[prune]\nping = \"http://T0KEN@h/\"\n");
    let output = world
        .run(&["prune"])
        .assert_code(1)
        .assert_stderr_contains("2: ping in [prune]: it holds a user name");
    assert!(!output.stderr.contains("T0KEN"), "{}", output.stderr);
}

/// A pull that does not time out on a slow machine.
const PULL_WITH_LONG_TIMEOUTS: [&str; 5] = ["pull", "--read-timeout", "10m", "--timeout", "10m"];

#[test]
fn one_of_fifty_overlapping_starts_works_and_the_others_are_busy_at_once() {
    let (world, agents) = World::with_covered_echo();
    agents[0].behave(Behaviour::Hold);
    let (ended, ends) = mpsc::channel();
    for _ in 0..50 {
        let (run, ended) = (world.spawn(&PULL_WITH_LONG_TIMEOUTS), ended.clone());
        thread::spawn(move || ended.send(run.wait_with_output().unwrap()));
    }
    // No run can finish before the process answers, so the first 49 ends are of runs that did not get the lock.
    for end in ends.iter().take(49) {
        let output = String::from_utf8(end.stderr).unwrap();
        assert_eq!((end.status.code(), end.stdout.as_slice()), (Some(4), &b""[..]), "{output}");
        assert!(
            output.ends_with(
                "goc-watchdog.lock: another run holds the lock; nothing was changed (--wait waits for it)\n"
            ),
            "{output}"
        );
        assert_eq!(output.lines().count(), 1, "{output}");
    }
    // The last run may not have asked the process yet.
    agents[0].wait_for_pulls(1);
    agents[0].release();
    assert_eq!(ends.recv().unwrap().status.code(), Some(0));
    assert_eq!(agents[0].pulls(), 1);
    assert_eq!(world.row_count(), 1);
    world.assert_consistent();
}

/// Starts a run and returns once it says that it waits for the lock.
fn spawn_waiting(world: &World, arguments: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let mut child = world.spawn(arguments);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut output = String::new();
    stderr.read_line(&mut output).unwrap();
    assert!(output.ends_with("another run holds the lock; waiting\n"), "{output}");
    (child, stderr)
}

#[test]
fn a_run_that_may_wait_works_when_the_other_is_done() {
    let (world, agents) = World::with_covered_echo();
    agents[0].behave_once(Behaviour::Hold);
    let first = world.spawn(&PULL_WITH_LONG_TIMEOUTS);
    agents[0].wait_for_pulls(1);
    let (pull, _pull_says) = spawn_waiting(&world, &["pull", "--force", "-v", "--wait"]);
    let (prune, _prune_says) = spawn_waiting(&world, &["prune", "-v", "--wait", "10m"]);
    world
        .run(&["pull", "--wait", "50ms"])
        .assert_code(4)
        .assert_stderr_contains("holds the lock, even after waiting 50ms; nothing was");
    world
        .run(&["prune", "--wait", "50ms"])
        .assert_code(4)
        .assert_stderr_contains("holds the lock, even after waiting 50ms; nothing was");
    let (ended, _ended_says) = spawn_waiting(&world, &["pull", "-v", "--wait"]);
    signal(&ended, "-TERM");
    assert_eq!(ended.wait_with_output().unwrap().status.code(), Some(143));
    assert_eq!(agents[0].pulls(), 1);

    agents[0].hit(&[1], 1);
    let released: String = world.query("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')");
    agents[0].release();
    for run in [first, pull, prune] {
        assert_eq!(run.wait_with_output().unwrap().status.code(), Some(0));
    }
    assert_eq!(agents[0].pulls(), 2);
    assert_eq!(world.row_count(), 2);
    // A run that waited begins when it gets the lock, so its data is no older than the run for which it waited.
    let stored: String = world.query("SELECT max(created_at) FROM goc_o_staging_service_cover");
    assert!(stored >= released, "{stored} is before {released}");
    world.assert_consistent();
}

#[test]
fn an_invalid_duration_of_the_wait_is_not_taken_for_a_service() {
    let world = World::new();
    world
        .run(&["pull", "--wait", "echoserver"])
        .assert_code(2)
        .assert_stderr_contains("\"echoserver\" is not a duration");
    for looking in
        [&["pull", "--wait", "--dry-run"][..], &["pull", "--wait", "--raw"], &["prune", "--wait", "-n"]]
    {
        world.run(looking).assert_code(2).assert_stderr_contains("cannot be used with");
    }
}
