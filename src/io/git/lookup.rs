//! A git that stays, and is asked again and again: starting one takes longer than its answer.

use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::run::{Deadline, command};
use super::running::spawn;
use super::{Answer, read_answer};

/// It knows the references and objects as they are, and of a shallow clone where history ended when it began.
#[derive(Debug)]
pub(super) struct Lookup {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<Patient>,
}

/// Waits so long for each part of an answer.
#[derive(Debug)]
struct Patient {
    answers: ChildStdout,
    deadline: Deadline,
}

impl Read for Patient {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let timeout = Timespec::try_from(self.deadline.0).ok();
        match poll(&mut [PollFd::new(&self.answers, PollFlags::IN)], timeout.as_ref())? {
            0 => Err(io::ErrorKind::TimedOut.into()),
            _ => self.answers.read(part),
        }
    }
}

impl Lookup {
    pub(super) fn start(git_dir: &Path, deadline: Deadline) -> io::Result<Self> {
        let mut git = command();
        git.arg("--git-dir").arg(git_dir).args(["cat-file", "--batch"]);
        // A failure is looked into by another git, whose messages are read.
        git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = spawn(&mut git)?;
        let questions = child.stdin.take().expect("it is piped");
        let answers = child.stdout.take().expect("it is piped");
        Ok(Self { child, questions, answers: BufReader::new(Patient { answers, deadline }) })
    }

    /// Returns what one name, or hash, means, and reads what that says.
    pub(super) fn ask(&mut self, name: &str, says: &mut Vec<u8>) -> io::Result<Answer> {
        self.questions.write_all(format!("{name}\n").as_bytes())?;
        read_answer(&mut self.answers, says)
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        // It only reads. Where it is gone already, so much the better.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
