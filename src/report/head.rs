//! The facts about a report's row that forms print above the figures.

use chrono::{DateTime, TimeDelta, Utc};

use super::text;
use crate::coverage::Coverage;

/// What a report is of.
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
    /// Of the name listed last.
    pub branch: String,
    /// As the service's name has it, mostly abbreviated.
    pub commit: String,
    /// Full hash of the commit that the source is of; `None` where none was read.
    pub source_commit: Option<String>,
    /// Row of the database.
    pub row: i64,
    /// When the profile was stored.
    pub stored_at: DateTime<Utc>,
    /// When a pull last found it so; `None` for a row of the history.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// How long that is ago.
    pub age: TimeDelta,
    /// Replicas that answered, of those listed; `None` for rows of other hands.
    pub replicas: Option<(u32, u32)>,
    /// The row before it of the same app in its environment and region.
    pub previous: Option<Previous>,
    /// Totals of the same app in its environment and region up to this row, the newest last.
    pub trend: Vec<Point>,
    /// What was asked to be left out, in words; empty for a whole report.
    pub filters: Vec<String>,
    /// In a site, where the page of its app is from here.
    pub above: Option<String>,
}

impl Head {
    /// Returns in one line what a report is of: service, commit, time and age of the data, replicas.
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
    /// Its statements; `None` for rows of other hands.
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
