//! The fleet of a bench, in a process of its own, so that its memory, threads and sockets are not those that are
//! measured.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The bench itself, run again with `serve`.
pub(crate) struct Server {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Its URL.
    pub(crate) center: String,
}

impl Server {
    pub(crate) fn start(arguments: &[usize]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .args(arguments.iter().map(usize::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut center = String::new();
        answers.read_line(&mut center).unwrap();
        let orders = child.stdin.take().unwrap();
        Self { child, orders, answers, center: center.trim_end().to_owned() }
    }

    /// Gives an order, and returns when it is done.
    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        self.answers.read_line(&mut String::new()).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
