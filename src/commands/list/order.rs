//! The order of the lines of a list.

use std::cmp::Ordering;

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
    /// Sorts lines that are in the order of names.
    pub(super) fn sort(self, lines: &mut [ServiceLine<'_>]) {
        // Keys of 100,000 lines take many megabytes, so they are made anew for each comparison.
        match self {
            Self::Name => {}
            Self::State => lines.sort_unstable_by(most_urgent_first),
            _ => lines.sort_unstable_by(|a, b| self.compare(a, b).then_with(|| most_urgent_first(a, b))),
        }
    }

    fn compare(self, a: &ServiceLine<'_>, b: &ServiceLine<'_>) -> Ordering {
        match self {
            Self::State | Self::Name => Ordering::Equal,
            Self::Total => lowest_first(a, b),
            Self::Changed => b.entry.schedule.last_change_at.cmp(&a.entry.schedule.last_change_at),
            Self::Seen => b.member.last_seen.cmp(&a.member.last_seen),
        }
    }
}

/// Compares by state, and in each state by environment, region, app and branch. No two lines are equal.
fn most_urgent_first(a: &ServiceLine<'_>, b: &ServiceLine<'_>) -> Ordering {
    let newest_first = || age(b.entry).cmp(&age(a.entry));
    let by_group =
        a.state.cmp(&b.state).then_with(|| group_of(a.entry, a.member).cmp(&group_of(b.entry, b.member)));
    by_group.then_with(newest_first).then_with(|| a.member.name.cmp(&b.member.name))
}

fn lowest_first(a: &ServiceLine<'_>, b: &ServiceLine<'_>) -> Ordering {
    match (a.stored, b.stored) {
        (Some(a), Some(b)) => a.cover_total.total_cmp(&b.cover_total),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}
