//! `report --unmeasured`: the packages and functions of a commit that no stored profile has.

use anyhow::Result;

use super::ReportArgs;
use super::list_of_functions::{self, ListedService};
use crate::collect::mending::stored_profile;
use crate::commands::notices::told;
use crate::commands::{Context, warn};
use crate::exit::ExitCode;
use crate::io::signals::Signals;
use crate::io::workdir::ReadersLock;
use crate::report::{Report, UnmeasuredProfile, UnmeasuredReport};
use crate::source::{FoundSource, SourcedState};

/// Reports what no stored profile has.
pub(super) fn report(
    service: &str,
    args: &ReportArgs,
    context: &Context,
    signals: &Signals,
    reading: &ReadersLock,
) -> Result<ExitCode> {
    list_of_functions::list((service, "--unmeasured"), args, context, (signals, reading), write)
}

fn write(listed: &ListedService<'_>) -> Result<()> {
    let ListedService { context, subject, rows, reader, filter, found, profile, .. } = listed;
    let FoundSource { at, tree, .. } = found;
    let of = SourcedState { at, tree, profile, keys: std::slice::from_ref(&subject.row.key) };
    let read = |row: &_| stored_profile(row, &context.workdir).map(told);
    let mut found = reader.unmeasured(of, filter.exclude_generated, rows, read)?;
    let head = subject.head(filter.words(), context.now());
    let files = UnmeasuredProfile::new(std::mem::take(&mut found.files));
    let left_out = UnmeasuredProfile::new(std::mem::take(&mut found.left_out));
    let [files_report, left_out] = [(&files.profile, files.sources), (&left_out.profile, left_out.sources)]
        .map(|(profile, sources)| {
            let mut report = Report::new(head.clone(), profile, sources);
            report.retain(filter);
            report
        });
    let report = UnmeasuredReport::new(&found, (&files_report, &files.commands), &left_out, filter);
    if !report.has_packages() && !filter.takes_all_files() {
        warn("--include and --exclude leave no package of the service's modules");
    }
    listed.write(|out| report.write_text(out), |out| report.write_json(out))
}
