//! Values that the templates of a site print.

use std::borrow::Borrow;

use chrono::{DateTime, Utc};

use crate::coverage::ChangedLines;
use crate::names::printable;
use crate::phrases::short_commit;
use crate::report::HostLinks;
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
pub(super) struct ShownCommit<'s> {
    pub(super) hash: &'s str,
    /// The links to the host of its repository.
    pub(super) links: Option<&'s HostLinks>,
}

impl ShownCommit<'_> {
    pub(super) fn short(&self) -> String {
        printable(&short_commit(self.hash)).into_owned()
    }

    /// Returns the whole hash for a tooltip; `None` if the short form has all of it.
    pub(super) fn whole(&self) -> Option<String> {
        (short_commit(self.hash) != self.hash).then(|| printable(self.hash).into_owned())
    }

    /// Returns its address at the host of its repository.
    pub(super) fn address(&self) -> Option<String> {
        self.links.filter(|_| !self.hash.is_empty())?.commit(self.hash)
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
