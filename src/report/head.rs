//! The facts about the row of a report that forms print above the figures.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::group::GroupFacts;
use super::host_links::HostLinks;
use super::since::SinceFacts;
use super::text;
use super::trend::TrendPoint;
use super::unmeasured::CountedUnmeasured;
use crate::carry::CarriedCoverage;
use crate::coverage::Coverage;
use crate::gate::{Before, Verdict};
use crate::names::CommitChoice;
use crate::together::TogetherCoverage;

/// The filter, in words, of a report that counts what no stored profile has.
pub(crate) const WITH_UNMEASURED: &str = "with packages that no stored profile has";
/// The filter, in words, of a report that has changed files only.
pub(crate) const ONLY_CHANGED: &str = "only files that changed";

/// The row and the service of a report.
#[derive(Clone, Debug)]
pub(crate) struct ReportHead {
    /// Name of the service or group.
    pub service: String,
    /// Empty when the name fits no pattern. So are region, branch and commit.
    pub env: String,
    pub region: String,
    /// The whole name when it fits no pattern; the name of a group.
    pub app: String,
    /// The branch of the name that was listed last.
    pub branch: String,
    /// The commit in the service's name, which is usually abbreviated.
    pub commit: String,
    /// The commits among which this one was chosen; `None`: a person named it, or there was only one.
    pub choice: Option<CommitChoice>,
    /// Full hash of the commit whose source was read; `None` when no source was read.
    pub source_commit: Option<String>,
    /// Row of the database; for a group, the newest of its rows.
    pub row: i64,
    /// The name that a person gave to the row.
    pub mark: Option<String>,
    /// The apps of a group; `None` for one service.
    pub group: Option<Arc<GroupFacts>>,
    pub stored_at: DateTime<Utc>,
    /// Time of the last pull that found the same counts; `None` for a row of the history.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The time since the last confirmation, or since the profile was stored.
    pub age: TimeDelta,
    /// Number of replicas that answered, and of those listed; `None` for a row that another program stored.
    pub replicas: Option<(u32, u32)>,
    /// The previous row of the same app in the same environment and region.
    pub previous: Option<PreviousRow>,
    /// Totals of the same branch, app, environment and region up to this row, the newest last.
    pub trend: Vec<TrendPoint>,
    /// The filters in words; empty for a whole report.
    pub filters: Vec<String>,
    /// Marks in the source take statements out.
    pub ignores_marked: bool,
    /// The verdicts about the requirements of a gate, if there are any.
    pub verdicts: Vec<Verdict>,
    /// The coverage together with other runs, if these count.
    pub together: Option<TogetherCoverage>,
    /// The coverage with what is carried from other commits, if that counts.
    pub carried: Option<CarriedCoverage>,
    /// The code that no stored profile has, if it counts.
    pub counted_unmeasured: Option<CountedUnmeasured>,
    /// The two rows, if only what was executed between them counts.
    pub since: Option<SinceFacts>,
    /// The state before, if the total was compared with one.
    pub before: Option<Before>,
    /// Address of the page of the service's app, if the report is part of a site.
    pub above: Option<String>,
    /// Links to the host of the repository, if it is known.
    pub links: Option<HostLinks>,
}

impl ReportHead {
    /// Returns service, commit, time and age of the data, and replicas in one line.
    #[must_use]
    pub(crate) fn line(&self) -> String {
        text::headline(self)
    }

    /// Returns the numbers of its rows, ascending: one of a service, several of a group.
    #[must_use]
    pub(crate) fn rows(&self) -> Vec<i64> {
        self.group.as_ref().map_or_else(|| vec![self.row], |group| group.rows())
    }

    /// Returns the number of its row; `None` for a group.
    #[must_use]
    pub(crate) fn own_row(&self) -> Option<i64> {
        self.group.is_none().then_some(self.row)
    }

    /// Sets the parts of other runs. The row before has no such figure to compare with.
    pub(crate) fn set_together(&mut self, together: TogetherCoverage) {
        self.together = Some(together);
        self.previous = None;
    }

    /// Sets what is carried from other commits. The row before has no such figure to compare with.
    pub(crate) fn set_carried(&mut self, carried: CarriedCoverage) {
        self.carried = Some(carried);
        self.previous = None;
    }

    /// Returns the longest known hash of the commit.
    #[must_use]
    pub(crate) fn best_commit(&self) -> &str {
        self.source_commit.as_deref().unwrap_or(&self.commit)
    }
}

/// An earlier row, to compare with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PreviousRow {
    /// Row of the database.
    pub row: i64,
    pub stored_at: DateTime<Utc>,
    /// The commit in its service's name.
    pub commit: String,
    /// Covered and all statements; `None` for a row that another program stored.
    pub coverage: Option<Coverage>,
}
