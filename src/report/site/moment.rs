//! Values as the templates of a site print them.

use chrono::{DateTime, Utc};

use crate::coverage::ChangedLines;
use crate::names::printable;
use crate::report::html::grouped;
use crate::time::{iso, minute};

/// A time, for people and for the script, which says how long ago it was.
pub(super) struct Moment(pub(super) DateTime<Utc>);

impl Moment {
    pub(super) fn iso(&self) -> String {
        iso(self.0)
    }

    pub(super) fn minute(&self) -> String {
        minute(self.0)
    }
}

pub(super) fn shown_lines(changed: &ChangedLines) -> String {
    match changed.lines.total {
        0 => "none".to_owned(),
        total => format!("{} of {}", changed.lines, grouped(total)),
    }
}

/// Says what changed lines are counted from.
pub(super) fn base_of(changed: &ChangedLines) -> String {
    format!("Since {}, {}", printable(&changed.base), printable(&changed.how))
}
