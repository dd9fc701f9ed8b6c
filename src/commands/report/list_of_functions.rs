//! The lists of functions of one service: what `--by-mark` and `--unmeasured` have in common.

use std::io::{self, Write};

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
use crate::filter::Filter;
use crate::fleet::row::Row;
use crate::io::signals::Signals;
use crate::io::workdir::ReadersLock;
use crate::profile::Profile;
use crate::source::{FoundSource, LookupOutcome, SourceDemand, SourceLookup, SourceReader, Subject};

/// A service whose functions are listed, with its source.
pub(super) struct ListedService<'a> {
    pub(super) context: &'a Context,
    pub(super) subject: Subject,
    /// All rows, the newest last.
    pub(super) rows: &'a [Row],
    pub(super) reader: &'a SourceReader<'a>,
    pub(super) filter: &'a Filter,
    pub(super) found: FoundSource,
    pub(super) profile: Profile,
    outputs: Outputs,
}

impl ListedService<'_> {
    /// Writes the list in the requested forms.
    pub(super) fn write(
        &self,
        text: impl Fn(&mut dyn Write) -> io::Result<()> + Sync,
        json: impl Fn(&mut dyn Write) -> io::Result<()> + Sync,
    ) -> Result<()> {
        self.outputs.write(
            |_| true,
            |form, _, out| match form.name {
                "json" => json(out),
                _ => text(out),
            },
        )
    }
}

/// Finds a service with its source, and has its functions listed. `option` is the one that asks for the list.
pub(super) fn list(
    (service, option): (&str, &str),
    args: &ReportArgs,
    context: &Context,
    (signals, reading): (&Signals, &ReadersLock),
    write: impl FnOnce(&ListedService<'_>) -> Result<()>,
) -> Result<ExitCode> {
    let screen = StdoutTerminal { is_terminal: false, width: None, has_color: false };
    let outputs = match Outputs::new(args, screen) {
        Ok(outputs) => outputs,
        Err(message) => return Ok(usage(&message)),
    };
    let (fleet, rows) = stored(context)?;
    refuse_group(service, &format!("report {option}"), context, &fleet.entries)?;
    let mut subject = Subject::find(args.row(service), &fleet.entries, &rows)
        .map_err(|error| among_stored(error, &context.config.groups))?;
    context.tell_choice(subject.choice, &subject.row.key.commit);
    let notify = |notice| print(notice, context);
    let app = subject.row.key.app.clone();
    let settings = source_settings(context, signals, &notify);
    let reader = SourceReader { settings, app: &app, is_offline: args.offline };
    let filter = args.filter();
    let configured = context.config.apps.get(&app).and_then(|app| app.base.as_deref());
    let lookup = SourceLookup {
        reader: &reader,
        subject: &subject,
        filter: &filter,
        demand: SourceDemand { is_useful: true, is_needed: true, is_needed_by_all: true },
        changes: args.asks_about_changes().then(|| args.changes_from(None, configured)),
    };
    let found = match lookup.run(reading)? {
        LookupOutcome::Found(found) => *found,
        LookupOutcome::Lacking(error, _) => return Err(error),
        LookupOutcome::NotNeeded => bail!("the source of {} is unknown", subject.name()),
    };
    subject.source_commit = Some(found.at.commit.to_string());
    let profile = told(stored_profile(&subject.row, &context.workdir)?);
    let (rows, reader, filter) = (&rows[..], &reader, &filter);
    write(&ListedService { context, subject, rows, reader, filter, found, profile, outputs })?;
    Ok(ExitCode::Done)
}
