//! The simulated fleet of a bench in a process of its own, so that its memory, threads and sockets are not measured.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A second process of the bench itself, run with `serve`.
pub(crate) struct FleetProcess {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// URL of the center.
    pub(crate) center: String,
}

impl FleetProcess {
    pub(crate) fn start(arguments: &[usize]) -> Self {
        Self::start_as("serve", arguments)
    }

    /// Starts it with another word in place of `serve`.
    pub(crate) fn start_as(word: &str, arguments: &[usize]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(word)
            .args(arguments.iter().map(usize::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut center = String::new();
        answers.read_line(&mut center).unwrap();
        let commands = child.stdin.take().unwrap();
        Self { child, commands, answers, center: center.trim_end().to_owned() }
    }

    /// Sends a command, and returns the answer when it is done.
    pub(crate) fn send(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }
}

impl Drop for FleetProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
