//! A git that keeps running and answers many questions, because starting one takes longer than its answer.

use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::object::{ObjectAnswer, read_answer};
use super::run::{Timeout, command};
use crate::io::process::{spawn, wait_for};

/// A `git cat-file --batch`. References, and the end of a shallow history, are those of its start.
#[derive(Debug)]
pub(super) struct ObjectLookup {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<TimedOutput>,
}

/// Output of a git. Reading fails with [`io::ErrorKind::TimedOut`] if no byte comes until the timeout.
#[derive(Debug)]
struct TimedOutput {
    pipe: ChildStdout,
    timeout: Timeout,
}

impl Read for TimedOutput {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        #[expect(clippy::disallowed_methods, reason = "this adapter keeps deadlines")]
        let since = Instant::now();
        loop {
            let left = self.timeout.0.saturating_sub(since.elapsed());
            let mut polled = [PollFd::new(&self.pipe, PollFlags::IN)];
            wait_for(&mut polled, left)?;
            if !polled[0].revents().is_empty() {
                return self.pipe.read(part);
            }
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl ObjectLookup {
    pub(super) fn start(git_dir: &Path, timeout: Timeout) -> io::Result<Self> {
        let mut git = command();
        git.arg("--git-dir").arg(git_dir).args(["cat-file", "--batch"]);
        // Messages are not needed: after a failure another git repeats the question.
        git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = spawn(&mut git)?;
        let questions = child.stdin.take().expect("it is piped");
        let pipe = child.stdout.take().expect("it is piped");
        Ok(Self { child, questions, answers: BufReader::new(TimedOutput { pipe, timeout }) })
    }

    /// Returns the object that one name, or hash, means, and reads its content into `body`.
    pub(super) fn ask(&mut self, name: &str, body: &mut Vec<u8>) -> io::Result<ObjectAnswer> {
        self.questions.write_all(format!("{name}\n").as_bytes())?;
        read_answer(&mut self.answers, body)
    }
}

impl Drop for ObjectLookup {
    fn drop(&mut self) {
        // The git only reads, so it can be killed at any time; it may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
