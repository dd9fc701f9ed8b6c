//! The finished report, and the part of it that each form has.

use super::carrying::PageReport;
use super::judging::Judgement;
use super::outputs::Outputs;
use crate::coverage::Coverage;
use crate::report::diff::{Changes, DiffReport};
use crate::report::forms::{Form, FormInput, FormNeed};
use crate::report::{Report, Unused};

/// A report with its changes and the facts about its source.
pub(super) struct FinishedReport<'a> {
    pub(super) report: Report<'a>,
    /// The report for other tools, if it has no more than what was executed at its commit, and the other one has.
    pub(super) fresh: Option<Report<'a>>,
    /// The report for a page, if the page alone has what is carried from other commits.
    pub(super) page: Option<PageReport<'a>>,
    /// The covered and all statements of all files that the filter leaves, changed or not.
    pub(super) whole: Coverage,
    pub(super) changes: Option<Changes>,
    pub(super) diff: Option<DiffReport>,
    pub(super) has_source: bool,
    /// All modules of the commit could be read, so that every file of the commit was found.
    pub(super) is_resolved: bool,
}

impl FinishedReport<'_> {
    pub(super) fn document(&self, form: &Form) -> FormInput<'_, '_> {
        let (report, diff) = match &self.page {
            Some(page) if form.is_for_browsers => (&page.report, &page.diff),
            _ => {
                let fresh = self.fresh.as_ref().filter(|_| form.is_for_coverage_tools);
                (fresh.unwrap_or(&self.report), &self.diff)
            }
        };
        FormInput { report, changes: diff.as_ref().zip(self.changes.as_ref()) }
    }

    /// Puts the verdicts about the report where the forms find them.
    pub(super) fn set_judgement(&mut self, judged: &Judgement) {
        for head in self.heads() {
            head.verdicts.clone_from(&judged.verdicts);
            head.before.clone_from(&judged.before);
        }
    }

    /// Puts the functions that nobody executed where the forms find them.
    pub(super) fn set_unused(&mut self, unused: Option<Unused>) {
        if let Some(page) = &mut self.page {
            page.report.unused.clone_from(&unused);
        }
        self.report.unused = unused;
    }

    pub(super) fn can_write(&self, form: &Form, outputs: &Outputs) -> bool {
        self.can_render(form) && (self.diff.is_some() || !outputs.needs_changes(form))
    }

    pub(super) fn can_render(&self, form: &Form) -> bool {
        self.has_source || !form.needs(FormNeed::Functions)
    }
}
