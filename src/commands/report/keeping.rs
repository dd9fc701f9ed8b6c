//! The writing of a report's forms, and what is kept of it: forms beside the profile, and the figure of changed lines.

use anyhow::Result;

use super::finished::FinishedReport;
use super::run::ReportRun;
use crate::commands;
use crate::coverage::ChangedLines;
use crate::fleet::ids::RowId;
use crate::fleet::pick::is_same_commit;
use crate::fleet::row::Row;
use crate::io::store::Store;
use crate::io::workdir::report_path;
use crate::report::diff::{Base, DiffReport};
use crate::report::forms::{Form, FormNeed};
use crate::report::{NoSource, Report};
use crate::source::Subject;

impl ReportRun<'_> {
    /// Writes the forms, and stores the forms that are kept beside the profile and the figure of changed lines.
    pub(super) fn keep_and_write(&self, finished: &FinishedReport<'_>, subject: &Subject) -> Result<()> {
        let rendered = self.render_kept(finished, subject)?;
        if rendered.iter().any(|(form, _)| !form.has_heading) && self.context.has_spectator() {
            let head = subject.head(Vec::new(), self.context.now());
            commands::inform(head.line());
        }
        self.tell_files_without_source(&finished.report);
        let can = |form: &Form| finished.can_write(form, &self.outputs);
        let written =
            self.outputs.write(can, |form, layout, out| match rendered.iter().find(|(of, _)| *of == form) {
                Some((_, text)) => out.write_all(text),
                None => form.write(finished.document(form), layout, out),
            });
        if let Some(diff) = &finished.diff
            && finished.is_resolved
            && subject.is_of_a_row()
            && self.filter.takes_all()
            && self.args.is_of_the_row_alone()
        {
            self.remember(diff);
        }
        written
    }

    /// Renders the forms that are kept beside the profile, and stores them there if they have the whole profile at its
    /// own commit.
    fn render_kept(
        &self,
        finished: &FinishedReport<'_>,
        subject: &Subject,
    ) -> Result<Vec<(&'static Form, Vec<u8>)>> {
        let is_whole = subject.is_of_a_row()
            && self.filter.takes_all()
            && !self.args.only_changed
            && self.args.is_of_the_row_alone();
        let mut rendered = Vec::new();
        for form in self.outputs.forms().filter(|form| finished.can_render(form)) {
            let Some(suffix) = form.stored_suffix else { continue };
            let text = form.render(finished.document(form))?;
            let shows_changes = form.needs(FormNeed::KnownChanges) && finished.diff.is_some();
            let shows_carried = form.is_for_browsers && finished.page.is_some();
            // A page that names people is only for those who asked for it.
            let names_people = form.is_for_browsers && self.names_people;
            if is_whole
                && !shows_changes
                && !names_people
                && !shows_carried
                && let Err(error) = self.keep(&text, suffix, &finished.report, &subject.row)
            {
                commands::warn(format!("{error:#}; the report was not stored beside its profile"));
            }
            rendered.push((form, text));
        }
        Ok(rendered)
    }

    /// Stores a report beside its profile, if this user may write there and the report has all source that can be
    /// found.
    fn keep(&self, text: &[u8], suffix: &str, report: &Report<'_>, row: &Row) -> Result<()> {
        let could_be_found =
            |why: &Option<NoSource>| matches!(why, Some(NoSource::NotRead | NoSource::NotInRepository));
        let is_whole = !report.files.iter().any(|file| could_be_found(&file.no_source));
        match report_path(&row.cov_file_path, suffix).filter(|_| is_whole) {
            Some(path) => Ok(self.context.workdir.store_report(self.reading, &path, text)?),
            None => Ok(()),
        }
    }

    /// Stores the figure of changed lines for `total` and `history`, if the base is another commit. Nothing changed since
    /// the commit itself, with which two rows of one commit are compared. A failure does not fail the report.
    fn remember(&self, diff: &DiffReport) {
        let Base { commit: Some(base), how } = &diff.base else { return };
        if is_same_commit(&diff.head.commit, base) {
            return;
        }
        let figure = ChangedLines {
            base: base.clone(),
            how: how.clone(),
            lines: diff.coverage(),
            computed_at: self.context.now(),
        };
        let is_default_base = self.args.base.is_none() && self.args.against.is_none();
        let (database, row) = (self.context.workdir.database(), RowId(diff.head.row));
        if let Err(error) = Store::remember_diff(&database, row, &figure, is_default_base) {
            self.context.explain(format!("{error}; history and total do not show these changes"));
        }
    }
}
