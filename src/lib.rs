//! Collects, keeps and reports the coverage of running Go services: of `go build -cover` and of goc.
//!
//! The modules depend on each other in one direction: `commands -> site | prune -> collect | source -> io -> fleet |
//! report -> profile -> code`. The core has no I/O, no clock and no environment. Only adapters do I/O, and they do not
//! use each other. `parallel` starts threads and `memory` makes them wait, so both are outside of the core.

// The pure core.
mod access;
mod address;
mod agent_files;
mod carry;
pub mod code;
pub mod config;
mod coverage;
pub mod exit;
mod filter;
mod fleet;
mod gate;
mod json;
mod lock;
mod names;
mod notice;
mod phrases;
mod ping;
pub mod profile;
mod prometheus;
mod report;
mod repository_url;
mod time;
mod together;
mod version;

// Threads, and the memory that they share.
mod memory;
mod parallel;

// The adapters.
mod io;

// The engines.
mod collect;
mod prune;
mod site;
mod source;

// The command line.
pub mod cli;
mod commands;

use std::env;
use std::ffi::OsStr;
use std::io::{IsTerminal, stderr, stdout};

use anyhow::Result;
use clap::Parser;

use access::Caller;
use cli::{Cli, Command};
use commands::{Context, RunEnvironment, is_closed_pipe};
use exit::ExitCode;

/// Runs the program with the arguments of this process, and prints failures on stderr.
#[must_use]
pub fn main() -> ExitCode {
    commands::speak_to_journal(stderr_is(env::var_os("JOURNAL_STREAM").as_deref()));
    let arguments = cli::with_help_option(env::args_os());
    let parsed = Cli::try_parse_from(&arguments).map_err(|error| cli::with_tip(error, &arguments));
    let mut cli = match parsed {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && commands::speaks_to_journal() => {
            let text = error.render().to_string();
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            commands::fail(lines.join("\n"));
            return ExitCode::Usage;
        }
        Err(error) => error.exit(),
    };
    if env::var_os("GOC_CENTER").is_some_and(|centers| centers.to_string_lossy().trim().is_empty()) {
        cli.global.without_empty_center();
    }
    let done = run(&cli, run_environment());
    if let Some(reason) = parallel::refusal() {
        commands::warn(format_args!(
            "a thread could not be started ({reason}), so this run went on with fewer and took longer; raise the \
             limit of processes (ulimit -u, TasksMax= of a systemd unit, the pids limit of a container)"
        ));
    }
    let code = match done {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::Done,
        Err(error) => {
            commands::tell_failure(&error);
            commands::exit_code(&error)
        }
    };
    commands::tell_limit_of_files();
    code
}

/// Runs one command.
fn run(cli: &Cli, environment: RunEnvironment) -> Result<ExitCode> {
    if let Command::Pull(args) = &cli.command
        && let Some(folder) = args.inbox()
    {
        return Ok(commands::pull::to_inbox::run(args, folder, &cli.global));
    }
    if let Command::List(args) = &cli.command {
        if !args.line_to_complete().is_empty() {
            return commands::list::complete::run(args.line_to_complete(), &cli.global, environment.caller);
        }
        if args.wants_sample_config() {
            return commands::list::print_sample_config();
        }
        if args.is_check() {
            return commands::list::check::run(args, &cli.global, environment);
        }
    }
    let context = Context::new(&cli.global, environment)?;
    match &cli.command {
        Command::Pull(args) => commands::pull::run(args, &context),
        Command::Prune(args) => commands::prune::run(args, &context),
        Command::Report(args) => commands::report::run(args, &context),
        Command::List(args) => commands::list::run(args, &context),
        Command::Total(args) => commands::total::run(args, &context),
        Command::History(args) => commands::history::run(args, &context),
    }
}

/// Tells whether stderr is the stream that `JOURNAL_STREAM` names by its device and inode.
///
/// The variable alone is not enough, because a program with redirected stderr inherits it (systemd.exec(5)).
fn stderr_is(journal_stream: Option<&OsStr>) -> bool {
    let named = journal_stream.and_then(OsStr::to_str).and_then(|stream| stream.split_once(':'));
    let named = named.and_then(|(device, inode)| Some((device.parse().ok()?, inode.parse().ok()?)));
    let Some(named): Option<(u64, u64)> = named else { return false };
    rustix::fs::fstat(stderr()).is_ok_and(|found| (found.st_dev, found.st_ino) == named)
}

fn run_environment() -> RunEnvironment {
    RunEnvironment {
        now: io::clock::now(),
        caller: Caller {
            uid: rustix::process::geteuid().as_raw(),
            sudo_uid: env::var_os("SUDO_UID").and_then(|uid| uid.to_str()?.parse().ok()),
        },
        stdout_is_terminal: stdout().is_terminal(),
        stdout_width: rustix::termios::tcgetwinsize(stdout())
            .ok()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0),
        stderr_is_terminal: stderr().is_terminal(),
        no_color: env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb"),
    }
}
