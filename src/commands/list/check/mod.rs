//! `list --check`: examines a set-up as an experienced operator would.
//!
//! [`gather`] and [`gather_fleet`] look at the world and change nothing; [`judge_root`] and [`judge_fleet`] make findings
//! of what they saw.

mod finding;
mod gather;
mod gather_fleet;
mod judge_fleet;
mod judge_root;
mod output;

use anyhow::{Result, bail};

use super::{ListArgs, ListFormat, emit};
use crate::cli::GlobalOptions;
use crate::commands::{RunEnvironment, show};
use crate::exit::{EarlyEnd, ExitCode};

/// Looks over the set-up and prints the findings.
pub(crate) fn run(args: &ListArgs, global: &GlobalOptions, environment: RunEnvironment) -> Result<ExitCode> {
    if args.format == ListFormat::Prometheus {
        bail!(EarlyEnd::Usage("--check has no Prometheus form; see goc-watchdog list --help"));
    }
    let width = environment.stdout_width.filter(|_| args.output.is_none());
    let findings = gather::findings(args, global, environment)?;
    emit(args.output.as_deref(), |out| match args.format {
        ListFormat::Json => show::write_json_each(findings.iter(), out),
        _ => output::write_text(&findings, width, out),
    })?;
    Ok(finding::exit_code(&findings))
}
