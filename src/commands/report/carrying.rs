//! The parts of a report that other runs executed, and those that are carried from other commits.

use anyhow::Result;

use super::finished::FinishedReport;
use super::reported::Reported;
use super::run::ReportRun;
use crate::carry::Carried;
use crate::commands::count_unmeasured::{AddedFiles, add_unmeasured};
use crate::commands::counted::Counted;
use crate::commands::{self, Context, carry, with};
use crate::exit::EarlyEnd;
use crate::fleet::records::Key;
use crate::fleet::row::Row;
use crate::names::in_message;
use crate::profile::Profile;
use crate::report::diff::DiffReport;
use crate::report::{FileReport, Report, ReportHead};
use crate::source::{CarryRequest, FoundSource, SourcedState, TogetherHere};
use crate::together::Together;

/// The report for a page, if the page alone has what is carried from other commits.
pub(super) struct PageReport<'a> {
    pub(super) report: Report<'a>,
    pub(super) diff: Option<DiffReport>,
}

impl PageReport<'_> {
    fn heads(&mut self) -> impl Iterator<Item = &mut ReportHead> {
        [&mut self.report.head].into_iter().chain(self.diff.as_mut().map(|diff| &mut diff.head))
    }
}

impl ReportRun<'_> {
    /// Finds what is carried to the profile of the report; `None` unless that is asked for. `rows` are all rows.
    pub(super) fn carried(
        &self,
        found: Option<&FoundSource>,
        profile: &Profile,
        reported: &Reported<'_>,
        rows: &[Row],
    ) -> Result<Option<Carried>> {
        let request = self.args.carry.request(self.context.now());
        // The report fails without source if something is to be carried.
        let Some((request, found)) = request.zip(found) else { return Ok(None) };
        self.carried_by(request, found, profile, (&reported.keys(), rows)).map(Some)
    }

    /// Finds what is carried to a profile; `keys` are those of its rows, and `rows` all rows.
    fn carried_by(
        &self,
        request: CarryRequest,
        FoundSource { at, tree, .. }: &FoundSource,
        profile: &Profile,
        (keys, rows): (&[Key], &[Row]),
    ) -> Result<Carried> {
        carry::carried(&self.reader, SourcedState { at, tree, profile, keys }, rows, request)
    }

    /// Finds what the configuration has carried to pages; `None` if it has nothing carried, or an option decides about it. A
    /// failure is printed, and the page has what was executed at its commit.
    pub(super) fn carried_to_page(
        &self,
        found: Option<&FoundSource>,
        profile: &Profile,
        reported: &Reported<'_>,
        rows: &[Row],
    ) -> Result<Option<Carried>> {
        let has_option = self.args.carry.is_given()
            || self.args.since.is_given()
            || self.args.counting.count_unmeasured
            || self.against.is_some();
        let is_decided = has_option || !self.outputs.have_page();
        let age = reported.age_of_carried(&self.context.config).filter(|_| !is_decided);
        let Some((age, found)) = age.zip(found) else { return Ok(None) };
        let request = CarryRequest::of_pages(self.context.now(), age);
        match self.carried_by(request, found, profile, (&reported.keys(), rows)) {
            Ok(carried) => Ok(Some(carried)),
            Err(error) if error.is::<EarlyEnd>() => Err(error),
            Err(error) => {
                commands::warn(format_args!("{error:#}; the page has what was executed at its commit"));
                Ok(None)
            }
        }
    }

    /// Finishes the report for a page as the other one was. `report` has the union of both parts, `carried` the part that is
    /// carried to `profile`.
    pub(super) fn page<'r>(
        &self,
        finished: &FinishedReport<'_>,
        mut report: Report<'r>,
        (carried, profile): (&Carried, &Profile),
    ) -> PageReport<'r> {
        report.owners.clone_from(&finished.report.owners);
        let changes = finished.changes.as_ref();
        let mut diff = changes.map(|changes| DiffReport::new(&report, changes, &self.filter));
        report.retain(&self.filter);
        if let Some(changes) = changes.filter(|_| self.args.only_changed) {
            report.retain_changed(changes);
        }
        if let (Some(diff), Some(finished)) = (&mut diff, &finished.diff) {
            diff.blame.clone_from(&finished.blame);
        }
        report.judge_marks_by(profile);
        let files = report.files.iter().map(|file| (file.name, file.ignored_blocks()));
        let coverage = carried.coverage_of_files(profile, files, self.context.now());
        let mut page = PageReport { report, diff };
        page.heads().for_each(|head| head.set_carried(coverage.clone()));
        page
    }

    /// Adds to the profile of the report the files that no stored profile has, and counts it together with those of other
    /// runs, each if that is asked for. `rows` are all rows.
    pub(super) fn with_others(
        &self,
        found: Option<&FoundSource>,
        profile: Profile,
        reported: &Reported<'_>,
        rows: &[Row],
    ) -> Result<(Profile, Option<AddedFiles>, Option<Together>)> {
        let mut here = self.together_here(found, &profile)?;
        let together = here.as_mut().map(|here| &mut here.together);
        let (profile, added) = self.with_unmeasured(found, (profile, together), reported, rows)?;
        let source = found.map(|found| (&found.at, &found.tree));
        let together = here.map(|here| self.reader.carry_others(here, source)).transpose();
        Ok((profile, added, together.map_err(with::refusal)?))
    }

    /// Counts the profile of the report together with those of other runs of its commit; `None` unless that is asked for.
    fn together_here(&self, found: Option<&FoundSource>, profile: &Profile) -> Result<Option<TogetherHere>> {
        if !self.args.with.is_given() {
            return Ok(None);
        }
        let with = self.args.with.read(profile, self.context)?;
        // The report fails without source if other runs count.
        let Some(FoundSource { at, tree, .. }) = found else { return Ok(None) };
        let commit = at.commit.to_string();
        let here = (commit.as_str(), Some((at, tree)));
        let together =
            self.reader.together_here(profile, with, here, self.args.carry.is_given(), self.reading);
        together.map(Some).map_err(with::refusal)
    }

    /// Adds to a profile, and to that of other runs together with it, the files that no stored profile has, if these count.
    /// `rows` are all rows.
    fn with_unmeasured(
        &self,
        found: Option<&FoundSource>,
        (profile, together): (Profile, Option<&mut Together>),
        reported: &Reported<'_>,
        rows: &[Row],
    ) -> Result<(Profile, Option<AddedFiles>)> {
        // The report fails without source if they count.
        let found = found.filter(|_| self.args.counting.count_unmeasured);
        let Some(FoundSource { at, tree, .. }) = found else { return Ok((profile, None)) };
        let keys = reported.keys();
        let subject = SourcedState { at, tree, profile: &profile, keys: &keys };
        let (profile, added) = add_unmeasured(&self.reader, subject, rows, together)?;
        Ok((profile, Some(added)))
    }

    /// Returns the report for other tools, without what is carried; `None` if no form needs it. `profile` is that of the
    /// commit; `None` if nothing is carried.
    pub(super) fn fresh_report<'r>(
        &self,
        head: &ReportHead,
        found: Option<&FoundSource>,
        profile: Option<&'r Profile>,
    ) -> Result<Option<Report<'r>>> {
        let is_needed = !self.args.carry_in_forms && self.outputs.have_form_for_tools();
        let Some(profile) = profile.filter(|_| is_needed) else { return Ok(None) };
        let sources = self.sources(found, profile, (None, None), None)?;
        let mut report = Report::new(head.clone(), profile, sources);
        report.retain(&self.filter);
        Ok(Some(report))
    }
}

impl FinishedReport<'_> {
    /// Prints the parts of the coverage if it has several, and puts them where the forms find them. `of_commit` is the
    /// profile without what is carried.
    pub(super) fn set_counted(
        &mut self,
        together: Option<&Together>,
        carried: Option<&Carried>,
        of_commit: &Profile,
        context: &Context,
    ) {
        let names = || self.report.files.iter().map(|file: &FileReport<'_>| file.name);
        let files =
            || self.report.files.iter().map(|file: &FileReport<'_>| (file.name, file.ignored_blocks()));
        let counted = Counted {
            together: together.map(|together| together.coverage_of_files(names())),
            carried: carried.map(|carried| carried.coverage_of_files(of_commit, files(), context.now())),
            unmeasured: None,
        };
        let Some(words) = counted.words() else { return };
        context.tell(format_args!("{}: {words}", in_message(&self.report.head.service)));
        let Counted { together, carried, .. } = counted;
        for head in self.heads() {
            if let Some(together) = &together {
                head.set_together(together.clone());
            }
            if let Some(carried) = &carried {
                head.set_carried(carried.clone());
            }
        }
    }

    /// Prints the part that no stored profile has, and puts it where the forms find it.
    pub(super) fn set_unmeasured(&mut self, added: &AddedFiles, context: &Context) {
        let counted = added.counted(self.report.files.iter().map(|file| (file.name, file.coverage)));
        context.tell(format_args!("{}: {}", in_message(&self.report.head.service), counted.words()));
        for head in self.heads() {
            head.counted_unmeasured = Some(counted.clone());
        }
    }

    /// Returns the heads of all its reports.
    pub(super) fn heads(&mut self) -> impl Iterator<Item = &mut ReportHead> {
        let page = self.page.iter_mut().flat_map(PageReport::heads);
        [&mut self.report.head].into_iter().chain(self.diff.as_mut().map(|diff| &mut diff.head)).chain(page)
    }
}
