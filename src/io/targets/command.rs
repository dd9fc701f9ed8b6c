//! A command that prints a list of targets, and leads a group of processes, which is ended as a whole.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, kill_process_group};

use super::SourceError;
use super::time_limit::{STOP_CHECK, TimeLimit};
use crate::io::clock::Stopwatch;
use crate::io::process::{spawn, wait_for};
use crate::names::in_message;

/// Bytes of its messages that are kept, from the end.
const MESSAGE_BYTES: usize = 4096;
/// Bytes that are passed over behind text that is no list.
const PASSED_BYTES: u64 = 1 << 20;
/// Interval in which the end of a command is looked for that has closed its output.
const END_CHECK: Duration = Duration::from_millis(10);
/// Time in which a killed command has to end. A command that this user may not kill, such as one of sudo, may go on
/// after that.
const KILL_TIME: Duration = Duration::from_secs(1);

/// A command that ended with a failure.
#[derive(Debug)]
pub(crate) struct Ended {
    program: String,
    status: ExitStatus,
    /// The last line of its messages.
    message: Option<String>,
}

impl fmt::Display for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "\"{}\" ended with {}", in_message(&self.program), self.status)?;
        self.message.as_ref().map_or(Ok(()), |message| write!(out, ": {}", in_message(message)))
    }
}

/// A command that could not be ended.
#[derive(Debug, thiserror::Error)]
#[error("its command (process {process_id}) cannot be ended and goes on: {reason}")]
pub(crate) struct LeftRunning {
    process_id: u32,
    reason: io::Error,
}

/// A command at work. Reading gives what it prints. A command that is dropped before its end is killed.
pub(super) struct Running<'a> {
    program: &'a str,
    child: Child,
    /// `None` after its end.
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// The end of its messages.
    messages: Vec<u8>,
    has_ended: bool,
    time_limit: &'a TimeLimit<'a>,
}

impl<'a> Running<'a> {
    /// Starts a program with its arguments in a folder, in the environment of this one and without input.
    pub(super) fn start(
        command: &'a [String],
        folder: &Path,
        time_limit: &'a TimeLimit<'a>,
    ) -> Result<Self, SourceError> {
        let (program, arguments) = command.split_first().expect("a command names its program");
        #[expect(clippy::disallowed_methods, reason = "this adapter runs what the configuration names")]
        let mut starting = Command::new(program);
        starting.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        starting.current_dir(folder).process_group(0);
        let mut child = spawn(&mut starting)
            .map_err(|reason| SourceError::NotStarted { program: program.clone(), reason })?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Ok(Self { program, child, stdout, stderr, messages: Vec::new(), has_ended: false, time_limit })
    }

    /// Tells whether all that it printed was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.stdout.is_none()
    }

    /// Waits for its end, and fails if it failed.
    pub(super) fn finish(&mut self) -> Result<(), SourceError> {
        let status = self.wait().map_err(|error| self.time_limit.error_of(error))?;
        if status.success() {
            return Ok(());
        }
        let messages = String::from_utf8_lossy(&self.messages);
        let last = messages.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
        Err(SourceError::Failed(Ended { program: self.program.to_owned(), status, message: last }))
    }

    /// Passes over what it still prints, and waits for its end; returns its failure.
    ///
    /// Returns `None` for a command that ended well, goes on beyond the time limit, or prints more than
    /// [`PASSED_BYTES`].
    pub(super) fn failure(&mut self) -> Option<SourceError> {
        io::copy(&mut self.by_ref().take(PASSED_BYTES), &mut io::sink()).ok()?;
        if !self.is_at_end() {
            return None;
        }
        self.finish().err().filter(|error| matches!(error, SourceError::Failed(_)))
    }

    fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.has_ended = true;
                // These reads take what a pipe holds. A program that the command left behind may write on and on.
                for _ in 0..16 {
                    self.turn(Duration::ZERO)?;
                }
                return Ok(status);
            }
            let wait = self.time_limit.wait(END_CHECK)?;
            self.turn(wait)?;
        }
    }

    /// Ends it with all that it started, unless it has ended. Fails if it goes on.
    pub(super) fn end(&mut self) -> Result<(), LeftRunning> {
        if std::mem::replace(&mut self.has_ended, true) {
            return Ok(());
        }
        // A command that writes on gets an error from now on, also where it may not be killed.
        (self.stdout, self.stderr) = (None, None);
        // The command was not waited for, so its process id is no other program's.
        end(&mut self.child, |group| Ok(kill_process_group(group, Signal::KILL)?))
    }

    /// Waits until it prints something, and keeps its messages; tells whether output and messages were there.
    fn turn(&mut self, wait: Duration) -> io::Result<(bool, bool)> {
        let stdout = self.stdout.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN));
        let stderr = self.stderr.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN));
        let is_open = [&stdout, &stderr].map(Option::is_some);
        let mut polled: Vec<PollFd<'_>> = [stdout, stderr].into_iter().flatten().collect();
        wait_for(&mut polled, wait)?;
        let mut polled = polled.iter();
        let [output, message] = is_open
            .map(|is_open| is_open && polled.next().is_some_and(|polled| !polled.revents().is_empty()));
        if message {
            self.listen();
        }
        Ok((output, message))
    }

    /// Keeps the next part of its messages.
    fn listen(&mut self) {
        let mut part = [0; MESSAGE_BYTES];
        match self.stderr.as_mut().map_or(Ok(0), |stderr| stderr.read(&mut part)) {
            Ok(0) | Err(_) => self.stderr = None,
            Ok(len) => {
                self.messages.extend_from_slice(&part[..len]);
                let surplus = self.messages.len().saturating_sub(MESSAGE_BYTES);
                self.messages.drain(..surplus);
            }
        }
    }
}

impl Read for Running<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.is_at_end() {
                return Ok(0);
            }
            let wait = self.time_limit.wait(STOP_CHECK)?;
            if self.turn(wait)?.0 {
                let len = self.stdout.as_mut().map_or(Ok(0), |stdout| stdout.read(buffer))?;
                if len == 0 {
                    self.stdout = None;
                }
                return Ok(len);
            }
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Kills the group of a command, and waits for its end for [`KILL_TIME`] at most.
fn end(child: &mut Child, kill: impl FnOnce(Pid) -> io::Result<()>) -> Result<(), LeftRunning> {
    let killed = kill(Pid::from_child(child));
    let since = Stopwatch::start();
    loop {
        if child.try_wait().is_ok_and(|status| status.is_some()) {
            return Ok(());
        }
        let waited = since.elapsed();
        if waited >= KILL_TIME {
            let reason = killed.err().unwrap_or_else(|| io::ErrorKind::TimedOut.into());
            return Err(LeftRunning { process_id: child.id(), reason });
        }
        let _ = wait_for(&mut [], END_CHECK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_may_not_be_killed_is_left_to_itself() {
        #[expect(clippy::disallowed_methods, reason = "a command of a test")]
        let mut child = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        // The answer of the kernel where the command is sudo, and the user is not root.
        let left = end(&mut child, |_| Err(io::Error::from_raw_os_error(1))).unwrap_err();
        let expected = format!(
            "its command (process {}) cannot be ended and goes on: Operation not permitted (os error 1)",
            child.id()
        );
        assert_eq!(left.to_string(), expected);
        assert_eq!(child.try_wait().unwrap(), None, "the command is at work");

        let kill = |group| Ok(kill_process_group(group, Signal::KILL)?);
        assert!(end(&mut child, kill).is_ok(), "the command can be killed");
    }
}
