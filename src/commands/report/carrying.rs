//! The part of a report that is carried from other commits.

use anyhow::Result;

use super::reported::Reported;
use super::run::{FinishedReport, ReportRun};
use crate::carry::Carried;
use crate::commands::{Context, carry};
use crate::fleet::row::Row;
use crate::names::in_message;
use crate::profile::Profile;
use crate::report::{FileReport, Packer, Report, ReportHead};
use crate::source::{CarrySubject, FoundSource};

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
        let (Some(request), Some(FoundSource { at, tree, .. })) = (request, found) else { return Ok(None) };
        let keys = reported.keys();
        let subject = CarrySubject { at, tree, profile, keys: &keys };
        carry::carried(&self.reader, subject, rows, request).map(Some)
    }

    /// Returns the report for other tools, without what is carried; `None` if no form needs it.
    pub(super) fn fresh_report<'r>(
        &self,
        head: &ReportHead,
        found: Option<&FoundSource>,
        profile: &'r Profile,
    ) -> Result<Option<Report<'r>>> {
        if self.args.carry_in_forms || !self.outputs.have_form_for_tools() {
            return Ok(None);
        }
        let packer = Packer::new(&self.filter);
        let sources = self.sources(found, profile, &packer)?;
        let mut report = Report::new(head.clone(), profile, sources);
        report.retain(&self.filter);
        Ok(Some(report))
    }
}

impl FinishedReport<'_> {
    /// Prints what is carried, and puts it where the forms find it. `profile` is the profile without it.
    pub(super) fn set_carried(&mut self, carried: &Carried, profile: &Profile, context: &Context) {
        let names = self.report.files.iter().map(|file: &FileReport<'_>| file.name);
        let coverage = carried.coverage_of_files(profile, names, context.now());
        context.tell(format_args!("{}: {}", in_message(&self.report.head.service), coverage.words()));
        let diff = self.diff.as_mut().map(|diff| &mut diff.head);
        for head in [&mut self.report.head].into_iter().chain(diff) {
            head.carried = Some(coverage.clone());
            // The row before has no such figure to compare with.
            head.previous = None;
        }
    }
}
