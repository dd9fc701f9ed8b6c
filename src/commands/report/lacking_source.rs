//! The messages about source that is lacking.

use super::run::ReportRun;
use crate::commands::{self, Level};
use crate::exit::ExitCode;
use crate::names::in_message;
use crate::phrases::count;
use crate::report::{NoSource, Report};
use crate::source::SourceLack;

/// Number of files without source that are listed without `--verbose`.
const NAMED_FILES: usize = 5;

impl ReportRun<'_> {
    /// Names the files without source.
    pub(super) fn tell_files_without_source(&self, report: &Report<'_>) {
        let missing: Vec<_> = report
            .files
            .iter()
            .filter_map(|file| file.no_source.as_ref().map(|why| (file, why)))
            .filter(|(_, why)| **why != NoSource::NotRead)
            .collect();
        if missing.is_empty() || self.context.is_quiet {
            return;
        }
        let statements: u64 = missing.iter().map(|(file, _)| file.coverage.total).sum();
        let mut lines = vec![format!(
            "no source for {} ({statements} of {} statements); they count and have no functions:",
            count(missing.len(), "files"),
            report.coverage().total
        )];
        let shown = if self.context.is_verbose { missing.len() } else { NAMED_FILES };
        let named = missing.iter().take(shown);
        lines.extend(named.map(|(file, why)| format!("  {}: {why}", in_message(file.name))));
        if missing.len() > shown {
            lines.push(format!("  and {} more (--verbose)", missing.len() - shown));
        }
        if missing.iter().any(|(file, _)| !file.is_in_commit()) {
            let advice = self.outputs.forms().filter_map(|form| form.advice_on_missing_files);
            lines.extend(advice.map(|advice| format!("  {advice}")));
        }
        commands::warn(lines.join("\n"));
    }
}

/// Prints a lack of source, and returns the exit code for it.
pub(super) fn tell_lack(error: &anyhow::Error, lack: SourceLack) -> ExitCode {
    match lack {
        SourceLack::LeftOut => {
            commands::fail(format_args!("{error:#}"));
            ExitCode::Partly
        }
        SourceLack::Fail => {
            commands::fail(format_args!("{error:#}"));
            ExitCode::Failed
        }
        SourceLack::SayLess => {
            commands::warn(format_args!("{error:#}"));
            commands::say(
                Level::Warning,
                "this report has no functions, and its lines are those that blocks span",
            );
            ExitCode::Partly
        }
    }
}
