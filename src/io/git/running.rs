//! A git at work: the calling thread writes its input, reads both of its outputs and ends it in time.
//!
//! A single `poll` waits for all three pipes, so that no run of git needs a thread: a limit of processes may allow the
//! git, and no thread beside it.

use std::io::{self, Read, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

use super::error::GitError;
use super::network::Network;
use super::run::{Timeout, without_advice, without_credentials};
use crate::io::process::{spawn, wait_for};

/// Size of the largest pipe that Linux grants without a privilege (`/proc/sys/fs/pipe-max-size`).
const PIPE_BYTES: usize = 1 << 20;
/// Length of git's messages that is kept.
const MESSAGE_BYTES: usize = 16 << 10;
/// Interval in which a transfer checks whether this program was asked to stop.
const STOP_CHECK: Duration = Duration::from_millis(50);
/// Time that a git may take to end after a request to do so.
const GRACE: Duration = Duration::from_secs(2);

/// A git at work. Reading gives what it prints, and fails with [`io::ErrorKind::TimedOut`] at the timeout, or
/// when this program was asked to stop. A git that is dropped before its end is killed.
pub(super) struct GitProcess {
    action: &'static str,
    child: Child,
    stdin: Option<GitInput>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// The start of its messages.
    message: Vec<u8>,
    since: Instant,
    timeout: Timeout,
    /// A transfer, with all programs that it started, ends when this is no longer 0.
    stop: Option<Arc<AtomicUsize>>,
}

/// The part of git's input that is not written yet.
struct GitInput {
    pipe: ChildStdin,
    bytes: Vec<u8>,
    written: usize,
}

impl GitProcess {
    /// Starts a git whose output is read.
    pub(super) fn start(
        action: &'static str,
        mut git: Command,
        input: Vec<u8>,
        timeout: Timeout,
    ) -> Result<Self, GitError> {
        git.stdout(Stdio::piped());
        let git = Self::begin(action, git, input, timeout, None)?;
        if let Some(stdout) = &git.stdout {
            // A larger pipe means fewer switches between git and this program; without it, reading is only slower.
            let _ = fcntl_setpipe_size(stdout, PIPE_BYTES);
        }
        Ok(git)
    }

    /// Runs a transfer to its end, and returns its short output.
    pub(super) fn answer(
        action: &'static str,
        mut git: Command,
        network: &Network,
    ) -> Result<Vec<u8>, GitError> {
        git.stdout(Stdio::piped());
        Self::transfer(action, git, Vec::new(), network)?.output()
    }

    /// Runs a transfer to its end.
    pub(super) fn run(
        action: &'static str,
        mut git: Command,
        input: Vec<u8>,
        network: &Network,
    ) -> Result<(), GitError> {
        git.stdout(Stdio::null());
        Self::transfer(action, git, input, network)?.finish()
    }

    /// Starts a transfer, which leads a group of programs of its own: all of them end with it.
    fn transfer(
        action: &'static str,
        mut git: Command,
        input: Vec<u8>,
        network: &Network,
    ) -> Result<Self, GitError> {
        git.process_group(0);
        Self::begin(action, git, input, network.timeout, Some(Arc::clone(&network.stop)))
    }

    fn begin(
        action: &'static str,
        mut git: Command,
        input: Vec<u8>,
        timeout: Timeout,
        stop: Option<Arc<AtomicUsize>>,
    ) -> Result<Self, GitError> {
        git.stdin(Stdio::piped()).stderr(Stdio::piped());
        #[expect(clippy::disallowed_methods, reason = "this adapter keeps deadlines")]
        let since = Instant::now();
        let mut child = spawn(&mut git).map_err(GitError::NotStarted)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let pipe = child.stdin.take().expect("a pipe was asked for");
        let message = Vec::new();
        let mut git = Self { action, child, stdin: None, stdout, stderr, message, since, timeout, stop };
        fcntl_setfl(&pipe, OFlags::NONBLOCK)
            .map_err(|error| GitError::Io { action, reason: error.into() })?;
        git.stdin = GitInput { pipe, bytes: input, written: 0 }.write();
        Ok(git)
    }

    /// Waits for git's end, and returns its output.
    pub(super) fn output(mut self) -> Result<Vec<u8>, GitError> {
        let mut output = Vec::new();
        let read = self.read_to_end(&mut output);
        let action = self.action;
        self.finish()?;
        read.map(|_| output).map_err(|reason| GitError::Io { action, reason })
    }

    /// Waits for git's end, and fails if git failed or was ended. The rest of its output is not read.
    pub(super) fn finish(mut self) -> Result<(), GitError> {
        let action = self.action;
        self.stdout = None;
        // Git's own end counts: a program that git started may outlive it and keep stderr open.
        let exit = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).ok();
        while exit.is_some() || self.stderr.is_some() {
            match self.turn(exit.as_ref()) {
                Ok(GitEvent::Exit) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    self.end(exit.as_ref());
                    return Err(GitError::TimedOut { action, after: self.timeout.0 });
                }
                Err(reason) => return Err(GitError::Io { action, reason }),
            }
        }
        while self.message.len() < MESSAGE_BYTES
            && matches!(self.ready(None, Duration::ZERO), Ok([_, _, true, _]))
        {
            self.listen();
        }
        let status = self.child.wait().map_err(|reason| GitError::Io { action, reason })?;
        if status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&self.message);
        let text = without_advice(&text);
        let text = text.strip_prefix("fatal: ").unwrap_or(text);
        let message = if text.is_empty() { status.to_string() } else { without_credentials(text) };
        Err(GitError::Failed { action, message, code: status.code() })
    }

    /// Waits until one of git's pipes is ready, or git has ended if `exit` is given; writes input and keeps messages.
    /// Fails at the timeout, unless git has ended.
    fn turn(&mut self, exit: Option<&OwnedFd>) -> io::Result<GitEvent> {
        let left = self.timeout.0.saturating_sub(self.since.elapsed());
        let is_stopped = self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed) != 0);
        let wait = match (&self.stop, is_stopped) {
            (_, true) => Duration::ZERO,
            (Some(_), false) => left.min(STOP_CHECK),
            (None, false) => left,
        };
        let [input, output, message, exit] = self.ready(exit, wait)?;
        if (is_stopped || left.is_zero()) && !exit {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if input {
            self.stdin = self.stdin.take().and_then(GitInput::write);
        }
        if message {
            self.listen();
        }
        Ok(match (exit, output) {
            (true, _) => GitEvent::Exit,
            (false, true) => GitEvent::Output,
            (false, false) => GitEvent::Other,
        })
    }

    /// Waits, and tells which of these is ready: input that can be written, output and a message that can be read,
    /// and git's end.
    fn ready(&self, exit: Option<&OwnedFd>, wait: Duration) -> io::Result<[bool; 4]> {
        let stdin = self.stdin.as_ref().map(|input| PollFd::new(&input.pipe, PollFlags::OUT));
        let stdout = self.stdout.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN));
        let stderr = self.stderr.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN));
        let exit = exit.map(|exit| PollFd::new(exit, PollFlags::IN));
        let is_open = [&stdin, &stdout, &stderr, &exit].map(Option::is_some);
        let mut polled: Vec<PollFd<'_>> = [stdin, stdout, stderr, exit].into_iter().flatten().collect();
        wait_for(&mut polled, wait)?;
        let mut polled = polled.iter();
        Ok(is_open.map(|is_open| is_open && polled.next().is_some_and(|polled| !polled.revents().is_empty())))
    }

    /// Keeps the next part of git's messages.
    fn listen(&mut self) {
        let mut part = [0; 4096];
        match self.stderr.as_mut().map_or(Ok(0), |stderr| stderr.read(&mut part)) {
            Ok(0) | Err(_) => self.stderr = None,
            Ok(len) => {
                let kept = len.min(MESSAGE_BYTES - self.message.len());
                self.message.extend_from_slice(&part[..kept]);
            }
        }
    }

    /// Ends git, and all programs that a transfer started: by a request first, by force after that.
    fn end(&mut self, exit: Option<&OwnedFd>) {
        (self.stdin, self.stderr) = (None, None);
        self.kill(Signal::TERM);
        let mut polled: Vec<PollFd<'_>> =
            exit.map(|exit| PollFd::new(exit, PollFlags::IN)).into_iter().collect();
        let _ = wait_for(&mut polled, GRACE);
        self.kill(Signal::KILL);
        let _ = self.child.wait();
    }

    /// Sends a signal. Git must not have been waited for: its process id may be another program's then.
    fn kill(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        let _ = match self.stop {
            Some(_) => kill_process_group(pid, signal),
            None => kill_process(pid, signal),
        };
    }
}

impl Read for GitProcess {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        while self.turn(None)? != GitEvent::Output {}
        self.stdout.as_mut().map_or(Ok(0), |stdout| stdout.read(part))
    }
}

impl Drop for GitProcess {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.kill(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// The next thing that a git did.
#[derive(PartialEq, Eq)]
enum GitEvent {
    /// Git has ended.
    Exit,
    /// Git printed something that can be read.
    Output,
    /// Git took input, wrote a message, or did nothing for a while.
    Other,
}

impl GitInput {
    /// Writes as much as the pipe takes, and returns itself if bytes are left. A broken pipe is no error: the message of
    /// a git that ended early says more.
    fn write(mut self) -> Option<Self> {
        while self.written < self.bytes.len() {
            match self.pipe.write(&self.bytes[self.written..]) {
                Ok(0) => return None,
                Ok(len) => self.written += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(self),
                Err(_) => return None,
            }
        }
        None
    }
}
