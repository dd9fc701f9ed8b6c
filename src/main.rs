//! Parses the command line, runs the command, prints what went wrong, exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    goc_watchdog::main().into()
}
