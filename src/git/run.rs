//! Starting git with nothing of this environment that could change what it prints, and ending it in time.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::fcntl_getpipe_size;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::GitError;
use super::remote::Network;
use crate::address::shown_url;
use crate::parallel;

/// How long one run of git may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Duration);

/// What of the environment git needs to run at all.
const KEPT: [&str; 4] = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"];

/// Returns a git that asks nobody, heeds no configuration but the repository's own, runs no hooks and no
/// monitor of a file system, shows objects as they are, and reaches no other machine.
///
/// Of the repository's own configuration the commands that read objects, references and settings run nothing:
/// `tests/repositories.rs` has a clone that names a program in every place that git knows.
pub(super) fn command() -> Command {
    let mut git = bare_command();
    git.env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        // Of a clone without blobs, what is missing is said, not fetched one by one. Git before 2.45 knows the first
        // of these not; the second ends its fetch before it runs anything.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "")
        // Ancestry that a clone made up (gitrepository-layout(5)).
        .env("GIT_GRAFT_FILE", "/dev/null/none");
    git
}

/// Returns a git that may reach other machines, by these protocols. An ssh command of the user's own is taken as it is.
pub(super) fn network_command(protocols: &[String], has_ssh_command: bool) -> Command {
    let mut git = bare_command();
    git.env("GIT_ALLOW_PROTOCOL", protocols.join(":")).env("GCM_INTERACTIVE", "never");
    if !has_ssh_command {
        git.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
    }
    if let Some(agent) = std::env::var_os("SSH_AUTH_SOCK") {
        git.env("SSH_AUTH_SOCK", agent);
    }
    git
}

fn bare_command() -> Command {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that runs git")]
    let mut git = Command::new(program());
    git.env_clear();
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            git.env(name, value);
        }
    }
    git.env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        // A replaced object is not what was built.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.askPass="]);
    git
}

/// Returns where git is, looked for once: a program that is named by its path is started without a copy of this
/// process, which would cost more than the little that git mostly does.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let programs = std::env::split_paths(&folders).map(|folder| folder.join("git"));
        let is_program = |path: &PathBuf| {
            path.is_absolute()
                && path.is_file()
                && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
        };
        // Where there is none, starting it tells.
        programs.into_iter().find(is_program).unwrap_or_else(|| "git".into())
    })
}

/// Ends a git that takes too long, and keeps what it says on stderr.
pub(super) struct Watch {
    done: Sender<()>,
    guard: JoinHandle<Guarded>,
    deadline: Deadline,
}

/// How a git ended that was watched.
#[derive(Default)]
struct Guarded {
    /// The start of what it said on stderr.
    said: Vec<u8>,
    is_timed_out: bool,
}

impl Watch {
    pub(super) fn over(child: &mut Child, deadline: Deadline) -> Result<Self, GitError> {
        Self::until(child, deadline, None)
    }

    /// Watches a transfer, which leads a group of programs of its own: all of them end with it.
    fn over_transfer(child: &mut Child, network: &Network) -> Result<Self, GitError> {
        Self::until(child, network.deadline, Some(Arc::clone(&network.stop)))
    }

    fn until(
        child: &mut Child,
        deadline: Deadline,
        stop: Option<Arc<AtomicUsize>>,
    ) -> Result<Self, GitError> {
        let stderr = child.stderr.take().expect("it is piped");
        let (done, ended) = channel();
        let pid = Pid::from_child(child);
        // The child is waited for only after this thread ended, so the number stays its own.
        let guard = parallel::begin_detached(move || guard(pid, stderr, &ended, deadline, stop.as_deref()));
        match guard {
            Ok(guard) => Ok(Self { done, guard, deadline }),
            Err(_) => Err(without_thread(child)),
        }
    }

    /// Runs a git to its end, and returns the little that it printed.
    pub(super) fn answer(
        action: &'static str,
        mut git: Command,
        network: &Network,
    ) -> Result<Vec<u8>, GitError> {
        git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = git.spawn().map_err(GitError::NotStarted)?;
        let mut stdout = child.stdout.take().expect("it is piped");
        let watch = Self::over_transfer(&mut child, network)?;
        let mut answer = Vec::new();
        let read = stdout.read_to_end(&mut answer);
        watch.finish(action, &mut child)?;
        read.map(|_| answer).map_err(|source| GitError::Io { action, source })
    }

    /// Runs a git that prints nothing of interest to its end.
    pub(super) fn run(
        action: &'static str,
        mut git: Command,
        input: Vec<u8>,
        network: &Network,
    ) -> Result<(), GitError> {
        git.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut child = git.spawn().map_err(GitError::NotStarted)?;
        feed(&mut child, input)?;
        Self::over_transfer(&mut child, network)?.finish(action, &mut child)
    }

    /// Waits for git's end, and fails where it failed or was ended.
    pub(super) fn finish(self, action: &'static str, child: &mut Child) -> Result<(), GitError> {
        let Self { done, guard, deadline } = self;
        let _ = done.send(());
        let Guarded { said, is_timed_out } = guard.join().unwrap_or_else(|panic| resume_unwind(panic));
        if is_timed_out {
            let _ = child.wait();
            return Err(GitError::TimedOut { action, after: deadline.0 });
        }
        let status = child.wait().map_err(|source| GitError::Io { action, source })?;
        if status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        let said = said.trim().strip_prefix("fatal: ").unwrap_or(said.trim());
        let message = if said.is_empty() { status.to_string() } else { without_credentials(said) };
        Err(GitError::Failed { action, message, code: status.code() })
    }
}

/// Reads what a git says on stderr until it closes that and `ended` tells that nothing more is expected of it.
/// Ends the git when it takes too long, or when `stop` is no longer 0.
///
/// A program that git started may outlive it with stderr in hand, so nothing is waited for after the deadline.
fn guard(
    pid: Pid,
    stderr: ChildStderr,
    ended: &Receiver<()>,
    deadline: Deadline,
    stop: Option<&AtomicUsize>,
) -> Guarded {
    const LOOK: Duration = Duration::from_millis(50);
    const GRACE: Duration = Duration::from_secs(2);
    #[expect(clippy::disallowed_methods, reason = "a deadline is what this adapter keeps")]
    let now = Instant::now;
    let kill = |signal| {
        let _ = match stop {
            Some(_) => kill_process_group(pid, signal),
            None => kill_process(pid, signal),
        };
    };
    let mut guarded = Guarded::default();
    let mut stderr = Some(stderr);
    let (mut since, mut limit) = (now(), deadline.0);
    loop {
        let left = limit.saturating_sub(since.elapsed());
        let is_stopped = stop.is_some_and(|stop| stop.load(Ordering::Relaxed) != 0);
        if !guarded.is_timed_out && (left.is_zero() || is_stopped) {
            kill(Signal::TERM);
            guarded.is_timed_out = true;
            (since, limit) = (now(), GRACE);
            continue;
        }
        if left.is_zero() {
            kill(Signal::KILL);
            return guarded;
        }
        let wait = if stop.is_some() { left.min(LOOK) } else { left };
        match &mut stderr {
            Some(pipe) => {
                if !listen(pipe, wait, &mut guarded.said) {
                    stderr = None;
                }
            }
            None if ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) => {}
            None => return guarded,
        }
    }
}

/// Waits for the next part of what a git says and keeps the start of it; tells whether more may come.
fn listen(stderr: &mut ChildStderr, wait: Duration, said: &mut Vec<u8>) -> bool {
    const SAID: usize = 16 << 10;
    let timeout = Timespec::try_from(wait).ok();
    match poll(&mut [PollFd::new(&*stderr, PollFlags::IN)], timeout.as_ref()) {
        Ok(0) | Err(Errno::INTR) => return true,
        Ok(_) => {}
        Err(_) => return false,
    }
    let mut part = [0; 4096];
    match stderr.read(&mut part) {
        Ok(0) | Err(_) => false,
        Ok(len) => {
            let kept = len.min(SAID - said.len());
            said.extend_from_slice(&part[..kept]);
            true
        }
    }
}

/// Ends a git for which no thread can be had.
fn without_thread(child: &mut Child) -> GitError {
    let _ = child.kill();
    let _ = child.wait();
    GitError::NotStarted(io::Error::new(io::ErrorKind::WouldBlock, "no thread could be started to watch it"))
}

/// Writes to git's stdin: at once where the pipe holds all of it, else from a thread, because git answers before
/// it has read everything. Where it ended early, its message says more than the broken pipe here.
pub(super) fn feed(child: &mut Child, input: Vec<u8>) -> Result<(), GitError> {
    let mut stdin = child.stdin.take().expect("it is piped");
    let is_held_by_pipe = fcntl_getpipe_size(&stdin).is_ok_and(|size| size >= input.len());
    let mut write = move || {
        let _ = stdin.write_all(&input);
    };
    if is_held_by_pipe {
        write();
        return Ok(());
    }
    match parallel::begin_detached(write) {
        Ok(_) => Ok(()),
        Err(_) => Err(without_thread(child)),
    }
}

/// Returns a text whose URLs have neither user and password nor values of a query.
pub(super) fn without_credentials(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let begin = rest[..at].trim_end_matches(is_of_scheme).len();
        let (before, url) = rest.split_at(begin);
        let word = url.split(char::is_whitespace).next().unwrap_or_default();
        // Git quotes a URL and goes on behind the quote.
        let quote = before.chars().next_back().filter(|c| matches!(c, '\'' | '"'));
        let end = quote.and_then(|quote| word.rfind(quote)).unwrap_or(word.len());
        cleaned.extend([before, &shown_url(&without_inner(&word[..end]))]);
        rest = &url[end..];
    }
    cleaned + rest
}

/// Returns a URL that has another one in its path, such as that of a mirror, without all before its last `@`.
fn without_inner(url: &str) -> Cow<'_, str> {
    match (url.find("://"), url.rfind("://"), url.rfind('@')) {
        (Some(first), Some(last), Some(at)) if first < last && last < at => {
            Cow::Owned(format!("{}***{}", &url[..first + 3], &url[at..]))
        }
        _ => Cow::Borrowed(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_cut_out_of_every_url() {
        for (said, shown) in [
            (
                "cannot read 'https://me:p@ss@host/x.git' or ssh://git@h:22/y, not a@b",
                "cannot read 'https://***@host/x.git' or ssh://git@h:22/y, not a@b",
            ),
            (
                "unable to access 'https://me:p/w@host/x.git/': URL using bad/illegal format",
                "unable to access 'https://***@host/x.git/': URL using bad/illegal format",
            ),
            (
                "repository 'https://host/x.git?token=hu'sh/' not found\nsee https://host/?a=hush next",
                "repository 'https://host/x.git?token=***' not found\nsee https://host/?a=*** next",
            ),
            ("https://mirror/https://me:hush@host/x.git", "https://***@host/x.git"),
            ("://", "://"),
        ] {
            assert_eq!(without_credentials(said), shown);
        }
    }
}
