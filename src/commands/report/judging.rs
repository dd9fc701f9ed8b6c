//! The judging of a report by the options and the configuration.

use anyhow::Result;

use super::finished::FinishedReport;
use super::reported::Reported;
use super::run::ReportRun;
use crate::commands;
use crate::commands::before::state_before;
use crate::commands::counted::Counted;
use crate::commands::marks;
use crate::commands::since;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::row::Row;
use crate::gate::{Before, GateData, Verdict};
use crate::report::gate::Requirements;
use crate::source::filtered_coverage;

/// The verdicts about a report.
pub(super) struct Judgement {
    pub(super) verdicts: Vec<Verdict>,
    /// The state before, if the total was compared with one.
    pub(super) before: Option<Before>,
}

impl ReportRun<'_> {
    /// Judges the report by the options and the configuration, and prints warnings about these. `stored` are the
    /// services and all rows.
    pub(super) fn judge(
        &self,
        finished: &FinishedReport<'_>,
        reported: &Reported<'_>,
        stored: (&[KeyEntry], &[Row]),
    ) -> Result<Judgement> {
        let subject = &reported.subject;
        // The thresholds of the configuration are for all that was ever executed.
        let app = self.context.config.apps.get(&subject.row.key.app).filter(|_| reported.since.is_none());
        let gate = self.args.gate.gate();
        let requirements = Requirements {
            gate,
            changes: self.args.changes_gate.gate(),
            forbids_stale_marks: self.args.changes_gate.forbids_stale_marks(),
            fail_under: app.and_then(|app| app.fail_under),
            packages: app.map_or(&[], |app| &app.packages),
        };
        let FinishedReport { report, whole, diff, .. } = finished;
        self.args.gate.tell_doubts();
        if diff.is_none() {
            requirements.warnings(report).into_iter().for_each(commands::warn);
        }
        let (last_pull, now) = (subject.last_pull(), self.context.now());
        let mut verdicts = requirements.judge(report, diff.as_ref(), last_pull, now);
        let (together, carried) = (report.head.together.clone(), report.head.carried.clone());
        let unmeasured = report.head.counted_unmeasured.clone();
        Counted { together, carried, unmeasured }.name_in(&mut verdicts);
        if reported.since.is_some() {
            since::name_since(&mut verdicts);
        }
        if self.filter.ignore_marked {
            marks::name_marks(&mut verdicts);
        }
        if gate.max_drop.is_none() {
            return Ok(Judgement { verdicts, before: None });
        }
        let before = self.state_before(finished, reported, stored)?;
        let (replicas, percent) = (report.head.replicas, whole.percent());
        let data = GateData { coverage: Some(*whole), percent, last_pull, replicas };
        verdicts.extend(gate.judge_drop(&report.head.rows(), &data, &before));
        Ok(Judgement { verdicts, before: before.ok() })
    }

    /// Returns the state with which the total is compared; `Err` in the result tells in words why there is none.
    fn state_before(
        &self,
        finished: &FinishedReport<'_>,
        reported: &Reported<'_>,
        stored: (&[KeyEntry], &[Row]),
    ) -> Result<Result<Before, String>> {
        let now = reported.state();
        let (state, how) = match state_before(self.against.clone(), &now, stored, &self.reader)? {
            Ok(found) => found,
            Err(lack) => return Ok(Err(lack)),
        };
        let before = state.before(how, self.context)?;
        let row = &state.row();
        if self.filter.takes_all() {
            return Ok(Ok(before));
        }
        if row.deleted_at.is_some() {
            return Ok(Err(format!(
                "row {} has no profile any more, so the filters cannot be applied to it",
                row.id.0
            )));
        }
        let profile = state.profile(self.context)?;
        let of = (row, &*profile);
        let part = filtered_coverage(&finished.report, of, &self.filter, &self.reader, self.reading)?;
        Ok(Ok(before.of_part(part)))
    }
}
