//! The report of one service, from its row to the written forms and the exit code.

use std::thread;

use anyhow::{Result, bail};

use super::finished::FinishedReport;
use super::lacking_source::tell_lack;
use super::notices::{print, source_settings};
use super::outputs::{Outputs, StdoutTerminal};
use super::reported::Reported;
use super::{ReportArgs, usage};
use crate::carry::BlockOrigins;
use crate::collect::fleet::stored_fleet;
use crate::collect::mending::stored_profile;
use crate::commands::before::{NamedState, StoredState};
use crate::commands::gate::{Judged, tell_verdicts};
use crate::commands::group::group_state;
use crate::commands::notices::told;
use crate::commands::{self, Context, marks, since};
use crate::exit::ExitCode;
use crate::filter::Filter;
use crate::fleet::app_group::AppGroup;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::row::{Row, RowFilter};
use crate::fleet::services::Fleet;
use crate::gate::{Gate, Verdict};
use crate::io::signals::Signals;
use crate::io::store::Store;
use crate::io::workdir::{ReadersLock, report_path};
use crate::parallel;
use crate::profile::Profile;
use crate::report::diff::{Changes, Comparison, DiffReport};
use crate::report::forms::PAGE;
use crate::report::{
    FileNeeds, FileReport, FileSource, ONLY_CHANGED, Packer, Report, ReportHead, SinceFacts, WITH_UNMEASURED,
};
use crate::source::{
    Compared, FoundSource, LookupOutcome, OtherState, SourceDemand, SourceLookup, SourceReader,
    SourceSettings, Subject, check_texts, compared, group_in_newest_place, in_newest_place,
};
use crate::together::{BlockLabels, Together};

/// Reports a service.
pub(super) fn report(
    service: &str,
    args: &ReportArgs,
    context: &Context,
    signals: &Signals,
    reading: &ReadersLock,
) -> Result<ExitCode> {
    let screen = StdoutTerminal {
        is_terminal: context.environment.stdout_is_terminal,
        width: context.environment.stdout_width,
        has_color: context.has_color,
    };
    let mut outputs = match Outputs::new(args, screen) {
        Ok(outputs) => outputs,
        Err(message) => return Ok(usage(&message)),
    };
    let (fleet, rows) = stored(context)?;
    let stored = (&fleet.entries[..], &rows[..]);
    let notify = |notice| print(notice, context);
    let settings = source_settings(context, signals, &notify);
    let (mut reported, of_group) = reported(service, args, (context, settings), stored)?;
    outputs.name_page(&reported.page_name(), screen);
    let compared = if outputs.have_changes() { Compared::Lines } else { Compared::Total };
    let against = args.against.as_deref();
    let against = against.map(|query| reported.against(query, stored, compared)).transpose()?;
    let app = reported.app.clone();
    let reader = SourceReader { settings, app: &app, is_offline: args.offline };
    let names_people = (args.blame || reported.names_people(&context.config)) && outputs.have_page();
    let run =
        ReportRun { args, context, reading, filter: args.filter(), outputs, reader, against, names_people };

    if let (Some(choice), None) = (args.since.choice(), &of_group) {
        // A wrong choice fails before the source is looked for.
        choice.row_before(&reported.subject.row, &rows, context.now())?;
    }
    run.check_datable(&reported)?;
    let (stored_profile, found, code) = run.load(&reported, of_group)?;
    let stored_profile = reported.since(args.since.choice(), stored_profile, &rows, context)?;
    if let Some(since) = &reported.since {
        since::tell(&reported.subject.name(), since, (&fleet.entries[..], &reported.rows()[..]), context);
    }
    let (stored_profile, added, together) =
        run.with_others(found.as_ref(), stored_profile, &reported, &rows)?;
    let of_commit = together.as_ref().map_or(&stored_profile, Together::profile);
    let carried = run.carried(found.as_ref(), of_commit, &reported, &rows)?;
    let union = carried.as_ref().map(|carried| carried.union(of_commit));
    let profile = union.as_ref().unwrap_or(of_commit);
    let packer = Packer::new(&run.filter);
    let labels = together.as_ref().filter(|_| run.outputs.have_page()).and_then(Together::block_labels);
    let of_page = run.carried_to_page(found.as_ref(), of_commit, &reported, &rows)?;
    let runs = together.as_ref().map(Together::carried_runs).unwrap_or_default();
    let origins = carried.as_ref().map(|carried| carried.origins_with(&runs));
    // Texts are packed once, with the report that the page is written from.
    let packer_of_all = of_page.is_none().then_some(&packer);
    let sources = run.sources(found.as_ref(), profile, (origins.as_ref(), labels.as_ref()), packer_of_all)?;
    reported.subject.source_commit = run.source_commit(found.as_ref(), &reported.subject);
    if run.outputs.have_page() {
        let of_clone = || run.reader.host_links(found.as_ref().map(|found| &found.at));
        let links = reported.configured_links(&context.config).cloned();
        reported.subject.links = links.or_else(of_clone);
    }
    let head = run.head(&reported);
    let without_carried = together.as_ref().and_then(Together::without_carried);
    let own_profile = carried.as_ref().map(|_| without_carried.as_ref().unwrap_or(of_commit));
    let fresh = run.fresh_report(&head, found.as_ref(), own_profile)?;
    let new_report = |head: &ReportHead, profile, sources| {
        let mut report = Report::new(head.clone(), profile, sources);
        if run.filter.ignore_marked {
            reported.leave_out_marked(&mut report, &stored_profile, context)?;
        }
        Ok::<_, anyhow::Error>(report)
    };
    let page_profile = of_page.as_ref().map(|carried| carried.union(of_commit));
    let page = match (&of_page, &page_profile) {
        (Some(carried), Some(profile)) => {
            let shown = (Some(carried.origins()), labels.as_ref());
            let sources = run.sources(found.as_ref(), profile, shown, Some(&packer))?;
            Some(new_report(&head, profile, sources)?)
        }
        _ => None,
    };
    let dated = run.dated(&stored_profile, found.as_ref(), (&fleet.entries, &rows), &reported)?;
    let mut finished = run.finish(new_report(&head, profile, sources)?, fresh, found)?;
    let unused = dated.map(|dated| run.unused(&finished.report, dated));
    if carried.is_some() {
        // Code that was executed at another commit alone is no reason to remove a mark of this one.
        finished.report.judge_marks_by(&stored_profile);
    }
    if let (Some(page), Some(carried)) = (page, &of_page) {
        finished.page = Some(run.page(&finished, page, (carried, of_commit)));
    }
    finished.set_unused(unused);
    finished.set_counted(together.as_ref(), carried.as_ref(), of_commit, context);
    if let Some(added) = &added {
        finished.set_unmeasured(added, context);
    }
    if run.filter.ignore_marked {
        let report = &finished.report;
        marks::tell(&report.head.service, report.ignored(), report.coverage(), report.marks(), context);
    }
    let judged = run.judge(&finished, &reported, stored)?;
    finished.set_judgement(&judged);
    run.keep_and_write(&finished, &reported.subject)?;
    let name = reported.subject.name();
    let options = reported.options(args) + &args.since.shown() + args.marks.shown();
    let about = Judged { name: &name, is_group: reported.subject.group.is_some(), options: &options };
    tell_verdicts(&judged.verdicts, about, judged.before.as_ref(), context);
    let is_unmet = judged.verdicts.iter().any(Verdict::is_unmet);
    Ok(if is_unmet { code.or(ExitCode::BelowThreshold) } else { code })
}

/// Finds the service or the group of a report; returns the profile of a group, too.
fn reported<'a>(
    service: &str,
    args: &ReportArgs,
    (context, settings): (&'a Context, SourceSettings<'_>),
    stored: (&'a [KeyEntry], &'a [Row]),
) -> Result<(Reported<'a>, Option<Profile>)> {
    let is_judged = args.gate.gate() != Gate::default()
        || args.changes_gate.is_given()
        || args.changes_gate.forbids_stale_marks();
    let mut query = args.query(service);
    if args.names_all_environments()
        && let Some(group) = AppGroup::named(service, &context.config.groups, stored.0)
    {
        query = group_in_newest_place(query, group, stored.1);
    }
    Ok(match group_state(&query, context, stored, is_judged)? {
        Some(group) => {
            let (reported, profile) = Reported::from_group(group, args, (context, settings), stored.1)?;
            (reported, Some(profile))
        }
        None => {
            let mut request = args.row(service);
            if args.names_all_environments() {
                request.service = in_newest_place(request, stored);
            }
            (Reported::from_service(request, context, stored)?, None)
        }
    })
}

/// Reads the services and all rows of the database, and prints those that could not be read.
pub(super) fn stored(context: &Context) -> Result<(Fleet, Vec<Row>)> {
    // The database is closed again at once. The last connection removes the log, which a read-only connection cannot
    // do.
    let store = Store::open_read_only(&context.workdir.database())?;
    let fleet = stored_fleet(&store, &context.config.naming, context.now())?;
    let rows = store.rows(&RowFilter { with_dropped: true, ..RowFilter::default() })?;
    commands::tell_damages(&store);
    Ok((fleet, rows))
}

/// Returns the name of the file for a page, which is also the name of the stored page.
pub(super) fn page_name(row: &Row) -> String {
    let stored = PAGE.stored_suffix.and_then(|suffix| report_path(&row.cov_file_path, suffix));
    let name = stored.as_deref().and_then(|path| path.rsplit('/').next());
    name.map_or_else(|| format!("{}_report.html", row.id.0), str::to_owned)
}

/// The choices of the command line, and the access to the source.
pub(super) struct ReportRun<'a> {
    pub(super) args: &'a ReportArgs,
    pub(super) context: &'a Context,
    pub(super) reading: &'a ReadersLock,
    pub(super) filter: Filter,
    pub(super) outputs: Outputs,
    pub(super) reader: SourceReader<'a>,
    pub(super) against: Option<NamedState<'a>>,
    /// A page names authors and owners.
    pub(super) names_people: bool,
}

impl ReportRun<'_> {
    /// Reads the profile, unless it is that of a group, and finds its source at the same time. A lack of source is
    /// printed; the returned exit code is that for the lack.
    fn load(
        &self,
        reported: &Reported<'_>,
        of_group: Option<Profile>,
    ) -> Result<(Profile, Option<FoundSource>, ExitCode)> {
        let (subject, config) = (&reported.subject, &self.context.config);
        let against = self.against.as_ref().map(|against| against.state.row());
        let changes = || self.args.changes_from(against.as_ref(), reported.configured_base(config));
        let lookup = SourceLookup {
            reader: &self.reader,
            subject,
            filter: &self.filter,
            demand: match self.args.counts_more() || self.args.unused.is_given() {
                true => SourceDemand { is_useful: true, is_needed: true, is_needed_by_all: true },
                false => self.outputs.demand(),
            },
            changes: self.outputs.have_changes().then(changes),
        };
        let (profile, outcome) = thread::scope(|scope| {
            let workdir = &self.context.workdir;
            let read = || stored_profile(&subject.row, workdir);
            let profile = of_group.ok_or_else(|| parallel::spawn(scope, read));
            let outcome = lookup.run(self.reading);
            (profile.or_else(|reading| reading.join().map(told)), outcome)
        });
        let outcome = outcome.map(|outcome| match outcome {
            LookupOutcome::Found(found) => (Some(*found), ExitCode::Done),
            LookupOutcome::NotNeeded => (None, ExitCode::Done),
            LookupOutcome::Lacking(error, lack) => (None, tell_lack(&error, lack)),
        });
        let (profile, (found, code)) = (profile?, outcome?);
        Ok((profile, found, code))
    }

    /// Reads the sources of the files that a form needs. `carried` is what the profile has from other commits, `labels` are the
    /// runs that count together.
    pub(super) fn sources<'p>(
        &self,
        found: Option<&FoundSource>,
        profile: &Profile,
        (carried, labels): (Option<&'p BlockOrigins>, Option<&'p BlockLabels>),
        packer: Option<&'p Packer<'p>>,
    ) -> Result<Vec<FileSource>> {
        // Marks are listed and judged in all files.
        let marks = self.filter.ignore_marked;
        let labels = labels.filter(|_| packer.is_some());
        let needs = FileNeeds { carried, labels, marks, ..self.outputs.file_needs(packer) };
        let is_only_changed = self.outputs.are_all_of_changes() && self.against.is_none() && !marks;
        match found {
            Some(found) => found.sources(profile, &self.reader, is_only_changed, needs),
            None => Ok(FileSource::not_read(profile, needs)),
        }
    }

    fn source_commit(&self, found: Option<&FoundSource>, subject: &Subject) -> Option<String> {
        let known = || self.reader.known(subject.revision.as_ref()?);
        found.map(|found| found.at.commit.clone()).or_else(known).map(|commit| commit.to_string())
    }

    fn head(&self, Reported { subject, since, .. }: &Reported<'_>) -> ReportHead {
        let mut filters: Vec<String> = since.iter().map(SinceFacts::words).collect();
        filters.extend(self.filter.words());
        if self.args.only_changed {
            filters.push(ONLY_CHANGED.to_owned());
        }
        if self.args.counting.count_unmeasured {
            filters.push(WITH_UNMEASURED.to_owned());
        }
        let head = subject.head(filters, self.context.now());
        let head = ReportHead { ignores_marked: self.filter.ignore_marked, ..head };
        if since.is_none() && !self.args.counting.count_unmeasured {
            return head;
        }
        // Other rows have no such figure to compare with.
        ReportHead { since: since.clone(), previous: None, trend: Vec::new(), ..head }
    }

    /// Removes the files that are not wanted, and finds the coverage of changes and the comparison.
    fn finish<'r>(
        &self,
        mut report: Report<'r>,
        mut fresh: Option<Report<'r>>,
        found: Option<FoundSource>,
    ) -> Result<FinishedReport<'r>> {
        let has_source = found.is_some();
        if let Some(found) = found.as_ref().filter(|_| self.names_people) {
            report.owners = self.reader.code_owners(&found.at, &found.tree);
        }
        let (at, changes) = found.map(|found| (found.at, found.changes)).unzip();
        let changes = changes.flatten();
        let mut diff = changes.as_ref().map(|changes| DiffReport::new(&report, changes, &self.filter));
        self.narrow(&mut report)?;
        let is_resolved = !report.files.iter().any(FileReport::is_of_unknown_module);
        let whole = report.coverage();
        if let Some(changes) = changes.as_ref().filter(|_| self.args.only_changed) {
            report.retain_changed(changes);
            if let Some(fresh) = &mut fresh {
                fresh.retain_changed(changes);
            }
        }
        if let (Some(diff), Some(changes), Some(against)) = (&mut diff, &changes, &self.against) {
            diff.comparison = Some(self.compared(&report, &against.state, changes)?);
        }
        if let (Some(diff), Some(at)) = (&mut diff, at.filter(|_| self.names_people)) {
            diff.blame = Some(self.reader.blame(&at, &diff.missed_lines()));
        }
        Ok(FinishedReport { report, fresh, page: None, whole, changes, diff, has_source, is_resolved })
    }

    /// Removes the files that the filter leaves out.
    fn narrow(&self, report: &mut Report<'_>) -> Result<()> {
        let is_unknown = report.files.iter().any(FileReport::is_of_unknown_module);
        if self.filter.exclude_without_source && is_unknown {
            bail!("the files without source are unknown, because the clone lacks a go.mod of the commit");
        }
        report.retain(&self.filter);
        if self.filter.ignore_marked {
            check_texts(report, "marks")?;
        }
        if report.files.is_empty() && !self.filter.takes_all_files() {
            commands::warn("--include and --exclude leave no file of the profile");
        }
        Ok(())
    }

    fn compared(
        &self,
        report: &Report<'_>,
        state: &StoredState<'_>,
        changes: &Changes,
    ) -> Result<Comparison> {
        let profile = state.profile(self.context)?;
        let (row, rows) = (state.row(), state.rows());
        let other = OtherState { row: &row, rows: &rows, profile: &profile, changes };
        compared(report, &other, &self.filter, &self.reader, self.reading)
    }
}
