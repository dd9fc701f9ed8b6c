//! The program: it runs the command line and ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    goc_watchdog::main().into()
}
