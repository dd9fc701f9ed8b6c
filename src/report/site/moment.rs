//! Values that the templates of a site print.

use std::borrow::Borrow;

use chrono::{DateTime, Utc};

use crate::coverage::ChangedLines;
use crate::names::printable;
use crate::phrases::short_commit;
use crate::report::html::grouped;
use crate::time::{iso, minute};

/// A time, in one form for people and one for the script, which adds the age.
pub(super) struct Moment(pub(super) DateTime<Utc>);

impl Moment {
    pub(super) fn iso(&self) -> String {
        iso(self.0)
    }

    pub(super) fn minute(&self) -> String {
        minute(self.0)
    }
}

/// A commit in one form for people: its first digits.
pub(super) struct ShownCommit<'s>(pub(super) &'s str);

impl ShownCommit<'_> {
    pub(super) fn short(&self) -> String {
        printable(&short_commit(self.0)).into_owned()
    }

    /// Returns the whole hash for a tooltip; `None` if the short form has all of it.
    pub(super) fn whole(&self) -> Option<String> {
        (short_commit(self.0) != self.0).then(|| printable(self.0).into_owned())
    }
}

/// Returns a number with thousands separators.
pub(super) fn counted(number: impl Borrow<usize>) -> String {
    grouped(*number.borrow() as u64)
}

pub(super) fn shown_lines(changed: &ChangedLines) -> String {
    match changed.lines.total {
        0 => "none".to_owned(),
        total => format!("{} of {}", changed.lines, grouped(total)),
    }
}

/// Returns the base from which changed lines are counted, in words.
pub(super) fn base_of(changed: &ChangedLines) -> String {
    format!("Since {}, {}", printable(&changed.base), printable(&changed.how))
}
