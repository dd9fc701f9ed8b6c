//! The facts about a report's row that forms print above the figures.

use chrono::{DateTime, TimeDelta, Utc};

use super::text;
use crate::coverage::Coverage;

/// The row and the service of a report.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Name of the service.
    pub service: String,
    /// `''` where the name fits no pattern, as are the next four.
    pub env: String,
    /// Region.
    pub region: String,
    /// The whole name where it fits no pattern.
    pub app: String,
    /// The branch of the name that was listed last.
    pub branch: String,
    /// The commit as the service's name has it, mostly abbreviated.
    pub commit: String,
    /// Full hash of the commit that the source is of; `None` where none was read.
    pub source_commit: Option<String>,
    /// Row of the database.
    pub row: i64,
    /// The time when the profile was stored.
    pub stored_at: DateTime<Utc>,
    /// The last pull that found the same counts; `None` for a row of the history.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The time since the last confirmation, or since the profile was stored.
    pub age: TimeDelta,
    /// Replicas that answered, of those listed; `None` for a row that another program stored.
    pub replicas: Option<(u32, u32)>,
    /// The row before it of the same app in its environment and region.
    pub previous: Option<Previous>,
    /// Totals of the same app in its environment and region up to this row, the newest last.
    pub trend: Vec<Point>,
    /// The filters in words; empty for a whole report.
    pub filters: Vec<String>,
    /// In a site, the address of the page of its app.
    pub above: Option<String>,
}

impl Head {
    /// Returns service, commit, time and age of the data, and replicas in one line.
    #[must_use]
    pub(crate) fn line(&self) -> String {
        text::headline(self)
    }

    /// Returns the commit by the longest hash that is known.
    #[must_use]
    pub(crate) fn best_commit(&self) -> &str {
        self.source_commit.as_deref().unwrap_or(&self.commit)
    }
}

/// An earlier row, to compare with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Previous {
    /// Row of the database.
    pub row: i64,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
    /// Its commit, as its service's name has it.
    pub commit: String,
    /// Its statements; `None` for a row that another program stored.
    pub coverage: Option<Coverage>,
}

/// A total of the history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
    /// Its commit, as its service's name has it.
    pub commit: String,
    /// Of all its statements.
    pub percent: f64,
}
