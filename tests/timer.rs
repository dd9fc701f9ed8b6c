//! What a timer needs: messages that the journal sorts, and a word to whoever watches over the runs.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use crate::harness::{ECHO, World};

/// Runs the binary with stderr on a socket, as systemd does, and `JOURNAL_STREAM` as made from its device
/// and inode; returns the exit code and what came.
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
    // Its copy of the other end would keep the stream open.
    drop(command);
    let mut text = String::new();
    ours.read_to_string(&mut text).unwrap();
    (code, text)
}

fn journal(device: u64, inode: u64) -> String {
    format!("{device}:{inode}")
}

/// The priority of each line; fails where one has none.
fn priorities(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_inclusive('>').next().unwrap()).collect()
}

#[test]
fn in_the_journal_each_line_has_its_priority() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[0], 1);
    agents[1].kill();
    let (code, text) = with_stderr_on_a_socket(&world, &["pull", "-v"], journal);
    assert_eq!(code, 3);
    let [failed, pulled] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    let expected = format!("<3>goc-watchdog: {ECHO}: profile from \"{}\": ", agents[1].url());
    assert!(failed.starts_with(&expected), "{text}");
    assert_eq!(pulled, format!("<6>goc-watchdog: {ECHO}: pulled, never pulled"));

    let held = std::fs::File::open(world.root().join("goc-watchdog.lock")).unwrap();
    held.try_lock().unwrap();
    let (code, text) = with_stderr_on_a_socket(&world, &["pull"], journal);
    assert_eq!((code, priorities(&text)), (4, vec!["<4>"]), "{text}");
    drop(held);

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
