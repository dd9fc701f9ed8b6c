//! The order of the lines of a list.

use std::cmp::{Ordering, Reverse};

use clap::ValueEnum;

use crate::fleet::pick::{age, group_of};
use crate::fleet::service_state::ServiceLine;

/// The key by which a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SortKey {
    /// Services that fail, then those that run, then those that are offline; the newest commit of a branch first.
    State,
    /// Environment, region, app and commit.
    Name,
    /// Percentage, the lowest one first; services without data last.
    Total,
    /// Time of the last change of the coverage, the newest one first.
    Changed,
    /// Time of the last listing, the newest one first.
    Seen,
}

impl SortKey {
    /// Sorts lines that are in the order of names. Equal lines are in the order of states.
    pub(super) fn sort(self, lines: &mut [ServiceLine<'_>]) {
        if self == Self::Name {
            return;
        }
        lines.sort_by_cached_key(|line| {
            let newest_first = Reverse(age(line.entry));
            (line.state, group_of(line.entry, line.member), newest_first)
        });
        match self {
            Self::State | Self::Name => {}
            Self::Total => lines.sort_by(lowest_first),
            Self::Changed => lines.sort_by_key(|line| Reverse(line.entry.schedule.last_change_at)),
            Self::Seen => lines.sort_by_key(|line| Reverse(line.member.last_seen)),
        }
    }
}

fn lowest_first(one: &ServiceLine<'_>, other: &ServiceLine<'_>) -> Ordering {
    match (one.stored, other.stored) {
        (Some(one), Some(other)) => one.cover_total.total_cmp(&other.cover_total),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}
