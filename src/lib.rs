//! Collects, keeps and reports the coverage of running Go services built with goc.
//!
//! Arrows point one way: `main -> lib -> commands -> adapters -> core`. The core knows no I/O, no clock
//! and no environment; adapters are the only rooms that touch the world, and strangers to each other.

// The pure core.
pub mod config;
pub mod coverage;
pub mod edition;
pub mod exit;
pub mod filter;
pub mod generation;
pub mod gosrc;
pub mod json;
pub mod liveness;
pub mod lock;
pub mod names;
pub mod patch;
pub mod profile;
pub mod removal;
pub mod report;
pub mod retention;
pub mod schedule;
pub mod snapshot;
pub mod time;

// The adapters.
pub mod center;
pub mod clock;
pub mod git;
pub mod host;
pub mod progress;
pub mod signals;
pub mod store;
pub mod workdir;

// What stitches them.
pub mod cli;
pub mod commands;

use std::env;
use std::io::{self, IsTerminal};

use anyhow::Result;
use clap::Parser;

use cli::{Cli, Command};
use commands::{Context, Surroundings, is_closed_pipe};
use exit::ExitCode;

/// Runs the program with the arguments of this process, and says on stderr what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli, surroundings()) {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::Done,
        Err(error) => {
            commands::say(&format!("{error:#}"));
            ExitCode::Failed
        }
    }
}

/// Runs one command.
pub fn run(cli: &Cli, around: Surroundings) -> Result<ExitCode> {
    if let Command::Pull(args) = &cli.command
        && let Some(code) = commands::pull::to_inbox(args, &cli.global)
    {
        return Ok(code);
    }
    let context = Context::new(&cli.global, around)?;
    match &cli.command {
        Command::Pull(args) => commands::pull::run(args, &context),
        Command::Prune(args) => commands::prune::run(args, &context),
        Command::Report(args) => commands::report::run(args, &context),
        Command::List(args) => commands::list::run(args, &context),
        Command::Total(args) => commands::total::run(args, &context),
        Command::History(args) => commands::history::run(args, &context),
    }
}

fn surroundings() -> Surroundings {
    Surroundings {
        now: clock::now(),
        stdout_is_terminal: io::stdout().is_terminal(),
        stdout_width: rustix::termios::tcgetwinsize(io::stdout())
            .ok()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0),
        stderr_is_terminal: io::stderr().is_terminal(),
        no_color: env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb"),
    }
}
