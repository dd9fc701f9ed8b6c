//! A git that stays, and is asked again and again what a name means: starting one takes longer than its answer.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ObjectId;
use super::run::{Deadline, command};

/// What `cat-file` prints of each name.
pub(super) const CHECK: &str = "--batch-check=%(objectname)";

/// Reads an answer; `<name> missing` and `<name> ambiguous` are no hashes.
pub(super) fn hash(answer: &str) -> Option<ObjectId> {
    ObjectId::parse(answer.trim_end_matches('\n'))
}

/// It knows the references and objects as they are, and of a shallow clone where history ended when it began.
#[derive(Debug)]
pub(super) struct Lookup {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Lookup {
    pub(super) fn start(git_dir: &Path) -> io::Result<Self> {
        let mut child = command()
            .arg("--git-dir")
            .arg(git_dir)
            .args(["cat-file", CHECK])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Whoever wants to know why it failed asks a git that ends.
            .stderr(Stdio::null())
            .spawn()?;
        let questions = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        Ok(Self { child, questions, answers })
    }

    /// Returns the hash of what one name means; `None` where it means nothing, or several things.
    pub(super) fn ask(&mut self, name: &str, patience: Deadline) -> io::Result<Option<ObjectId>> {
        self.questions.write_all(format!("{name}\n").as_bytes())?;
        let mut answer = String::new();
        self.wait(patience)?;
        match self.answers.read_line(&mut answer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(hash(&answer)),
        }
    }

    /// Waits until there is something to read.
    fn wait(&self, patience: Deadline) -> io::Result<()> {
        let mut fds = [PollFd::new(self.answers.get_ref(), PollFlags::IN)];
        let patience = Timespec::try_from(patience.0).ok();
        match poll(&mut fds, patience.as_ref())? {
            0 => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        // It only reads. Where it is gone already, so much the better.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
