//! `report --unmeasured`: the packages and functions of a commit that no stored profile has.

use anyhow::{Result, bail};

use super::notices::{print, source_settings};
use super::outputs::{Outputs, StdoutTerminal};
use super::run::stored;
use super::{ReportArgs, usage};
use crate::collect::mending::stored_profile;
use crate::commands::Context;
use crate::commands::group::refuse_group;
use crate::commands::narrow::among_stored;
use crate::commands::notices::told;
use crate::exit::ExitCode;
use crate::io::signals::Signals;
use crate::io::workdir::ReadersLock;
use crate::report::{Report, UnmeasuredProfile, UnmeasuredReport};
use crate::source::{
    FoundSource, LookupOutcome, SourceDemand, SourceLookup, SourceReader, Subject, UnmeasuredSubject,
};

/// Reports what no stored profile has.
pub(super) fn report(
    service: &str,
    args: &ReportArgs,
    context: &Context,
    signals: &Signals,
    reading: &ReadersLock,
) -> Result<ExitCode> {
    let screen = StdoutTerminal { is_terminal: false, width: None, has_color: false };
    let outputs = match Outputs::new(args, screen) {
        Ok(outputs) => outputs,
        Err(message) => return Ok(usage(&message)),
    };
    let (fleet, rows) = stored(context)?;
    refuse_group(service, "report --unmeasured", context, &fleet.entries)?;
    let mut subject = Subject::find(args.row(service), &fleet.entries, &rows)
        .map_err(|error| among_stored(error, &context.config.groups))?;
    context.tell_choice(subject.choice, &subject.row.key.commit);
    let notify = |notice| print(notice, context);
    let app = subject.row.key.app.clone();
    let settings = source_settings(context, signals, &notify);
    let reader = SourceReader { settings, app: &app, is_offline: args.offline };
    let filter = args.filter();
    let lookup = SourceLookup {
        reader: &reader,
        subject: &subject,
        filter: &filter,
        demand: SourceDemand { is_useful: true, is_needed: true, is_needed_by_all: true },
        changes: None,
    };
    let FoundSource { at, tree, .. } = match lookup.run(reading)? {
        LookupOutcome::Found(found) => *found,
        LookupOutcome::Lacking(error, _) => return Err(error),
        LookupOutcome::NotNeeded => bail!("the source of {} is unknown", subject.name()),
    };
    subject.source_commit = Some(at.commit.to_string());
    let profile = told(stored_profile(&subject.row, &context.workdir)?);
    let of = UnmeasuredSubject {
        at: &at,
        tree: &tree,
        profile: &profile,
        keys: std::slice::from_ref(&subject.row.key),
        needs_generated: filter.exclude_generated,
    };
    let read = |row: &_| stored_profile(row, &context.workdir).map(told);
    let mut found = reader.unmeasured(of, &rows, read)?;
    let head = subject.head(filter.words(), context.now());
    let files = UnmeasuredProfile::new(std::mem::take(&mut found.files));
    let left_out = UnmeasuredProfile::new(std::mem::take(&mut found.left_out));
    let [files_report, left_out] = [(&files.profile, files.sources), (&left_out.profile, left_out.sources)]
        .map(|(profile, sources)| {
            let mut report = Report::new(head.clone(), profile, sources);
            report.retain(&filter);
            report
        });
    let report = UnmeasuredReport::new(&found, (&files_report, &files.commands), &left_out, &filter);
    outputs.write(
        |_| true,
        |form, _, out| match form.name {
            "json" => report.write_json(out),
            _ => report.write_text(out),
        },
    )?;
    Ok(ExitCode::Done)
}
