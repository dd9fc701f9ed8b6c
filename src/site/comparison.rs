//! The comparison of a report with the commit before on its branch, or the first commit of a branch with the nearest
//! ancestor in git that is stored.
//!
//! Nothing is fetched for it, and a report whose comparison fails is written without one.

use anyhow::Result;

use super::reports::ReportMaker;
use crate::filter::Filter;
use crate::fleet::key_entry::KeyEntry;
use crate::names::in_message;
use crate::notice::Notice;
use crate::report::Report;
use crate::report::diff::{Changes, DiffReport};
use crate::report::site::LinkedReport;
use crate::source::{CommitBefore, OtherState, RepositoryCommit, SourceReader, SourceSettings, compared};

impl ReportMaker<'_> {
    /// Returns the row with which a report is compared. Git is asked only for the first commit of a branch, and only when
    /// the report is written, because each run would ask for each branch anew.
    pub(super) fn before<'s>(
        &'s self,
        page: &LinkedReport,
        entry: &KeyEntry,
        at: &RepositoryCommit,
    ) -> Result<Option<CommitBefore<'s>>> {
        if let Some(row) = self.stored.commit_before(page, entry) {
            return Ok(Some(CommitBefore { row, is_of_branch: true }));
        }
        match self.stored.nearest_ancestor(entry, at) {
            Ok(row) => Ok(row.map(|row| CommitBefore { row, is_of_branch: false })),
            Err(error) if self.is_interrupted() => Err(error),
            Err(error) => {
                let service = in_message(&page.service);
                self.tell(Notice::Explanation(format!("{service}: no ancestor was found: {error:#}")));
                Ok(None)
            }
        }
    }

    /// Compares a report with the row of the commit before; tells why there is no comparison if that fails. `own` is the
    /// report without what is carried from other commits, and `at` its commit.
    pub(super) fn compared_or_told(
        &self,
        (report, own): (&Report<'_>, &Report<'_>),
        before: CommitBefore<'_>,
        at: &RepositoryCommit,
    ) -> Result<Option<(DiffReport, Changes)>> {
        let service = in_message(&report.head.service);
        let notify = |notice| {
            self.tell(match notice {
                Notice::Warning(message) => Notice::Explanation(format!("{service}: {message}")),
                other => other,
            });
        };
        let settings = SourceSettings { notify: &notify, ..self.request.source };
        let reader = SourceReader { settings, app: &report.head.app, is_offline: true };
        match self.compared((report, own), before, &reader, at) {
            Ok(compared) => Ok(Some(compared)),
            // A report that was not compared stays until its data changes.
            Err(error) if self.is_interrupted() => Err(error),
            Err(error) => {
                let (row, commit) = (before.row.id.0, in_message(&before.row.key.commit));
                self.tell(Notice::Explanation(format!(
                    "{service}: not compared with row {row} of commit {commit}: {error:#}"
                )));
                Ok(None)
            }
        }
    }

    fn compared(
        &self,
        (report, own): (&Report<'_>, &Report<'_>),
        before: CommitBefore<'_>,
        reader: &SourceReader<'_>,
        at: &RepositoryCommit,
    ) -> Result<(DiffReport, Changes)> {
        let changes = reader.changes_since(before, at)?;
        let row = before.row;
        let profile = self.profile(row)?;
        let filter = Filter::default();
        let mut diff = DiffReport::new(report, &changes, &filter);
        let other = OtherState { row, rows: &[row.id.0], profile: &profile, changes: &changes };
        diff.comparison = Some(compared(own, &other, &filter, reader, self.request.reading)?);
        if reader.names_people() {
            diff.blame = Some(reader.blame(at, &diff.missed_lines()));
        }
        Ok((diff, changes))
    }
}
