//! `pull --to-inbox`: saves the last counters of a process of this host for a later pull.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use super::PullArgs;
use crate::cli::GlobalOptions;
use crate::collect::leave_snapshot::{LeftSnapshot, SnapshotRequest, leave_within};
use crate::config::PullConfig;
use crate::exit::ExitCode;
use crate::io::center::RequestOptions;
use crate::io::host;
use crate::names::in_message;

/// The default deadline, which is well within the 30 seconds that Kubernetes gives a pod.
const DEADLINE: Duration = Duration::from_secs(5);

/// Runs the command. Unless `--strict` is given, a failure does not disturb the end of the process.
pub(crate) fn run(args: &PullArgs, folder: &Path, global: &GlobalOptions) -> ExitCode {
    let deadline = args.deadline.unwrap_or(DEADLINE);
    let within = PullConfig {
        connect_timeout: deadline,
        read_timeout: deadline,
        timeout: deadline,
        ..PullConfig::default()
    };
    let request = SnapshotRequest {
        folder: folder.to_owned(),
        service: args.service.clone().or_else(host::own_service),
        address: args.address.clone(),
        options: args.options(RequestOptions::from_config(&within)),
    };
    match leave_within(deadline, request) {
        Ok(LeftSnapshot { path, head, profile }) => {
            if !global.quiet {
                let (name, coverage) = (in_message(&head.service).into_owned(), profile.coverage());
                // A closed pipe must not fail the hook.
                let _ = writeln!(
                    io::stdout(),
                    "{name}: {coverage} of {} statements, left in {}",
                    coverage.total,
                    in_message(&path.display().to_string())
                );
            }
            ExitCode::Done
        }
        Err(error) => {
            crate::commands::fail(format!("the last data of the process was not saved: {error:#}"));
            if args.strict { ExitCode::Failed } else { ExitCode::Done }
        }
    }
}
