//! The commands, a file each: its arguments beside what it does with them.

pub mod history;
pub mod list;
pub mod prune;
pub mod pull;
pub mod report;
pub mod total;

mod gate;
mod pick;
mod roster;
mod show;

use std::fmt;
use std::io;

use chrono::{DateTime, Utc};

use crate::cli::{ColorWhen, Global};
use crate::config::Config;
use crate::names::printable;
use crate::workdir::Workdir;

/// Where a center is asked that nobody named: goc's own default.
const DEFAULT_CENTER: &str = "http://127.0.0.1:7777";

/// What the outside world is to this run.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// When the run began.
    pub now: DateTime<Utc>,
    /// Stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// Stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// Its columns, where it is one.
    pub stdout_width: Option<usize>,
    /// `NO_COLOR` is set, or the terminal knows no colours.
    pub no_color: bool,
}

/// What every command works with.
#[derive(Debug)]
pub struct Context {
    workdir: Workdir,
    config: Config,
    centers: Vec<String>,
    is_quiet: bool,
    is_verbose: bool,
    has_color: bool,
    around: Surroundings,
}

impl Context {
    /// Reads the configuration and settles what the options leave open.
    pub fn new(global: &Global, around: Surroundings) -> anyhow::Result<Self> {
        let workdir = Workdir::new(&global.root);
        let config = match workdir.configuration()? {
            Some((path, text)) => Config::parse(&text, &path.display().to_string())?,
            None => Config::default(),
        };
        let centers = match (&global.center, &config.centers) {
            (given, _) if !given.is_empty() => given.clone(),
            (_, configured) if !configured.is_empty() => configured.clone(),
            _ => vec![DEFAULT_CENTER.to_owned()],
        };
        let has_color = match global.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => around.stdout_is_terminal && !around.no_color,
        };
        Ok(Self {
            workdir,
            config,
            centers,
            is_quiet: global.quiet,
            is_verbose: global.verbose,
            has_color,
            around,
        })
    }

    fn now(&self) -> DateTime<Utc> {
        self.around.now
    }

    /// Tells whether somebody watches, or wants to know everything.
    fn has_spectator(&self) -> bool {
        !self.is_quiet && (self.is_verbose || self.around.stderr_is_terminal)
    }

    /// Says why, where that was asked for.
    fn explain(&self, message: impl fmt::Display) {
        if self.is_verbose {
            say(&message.to_string());
        }
    }
}

/// Says something that went wrong and did not stop the run.
fn warn(message: impl fmt::Display) {
    say(&format!("warning: {message}"));
}

/// Prints a message on stderr. Lines are the message's own; what came from outside was made printable
/// where it was put in, and is once more here.
pub fn say(message: &str) {
    for (number, line) in message.lines().enumerate() {
        let prefix = if number == 0 { "goc-watchdog: " } else { "" };
        eprintln!("{prefix}{}", printable(line));
    }
}

/// Tells whether an error is only that nobody reads the output any more.
#[must_use]
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
