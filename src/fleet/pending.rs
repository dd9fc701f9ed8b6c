//! A build that an election may adopt soon.

use chrono::{DateTime, Utc};

use super::election::{ContestKind, Election};
use super::ids::BuildGroupId;
use crate::profile::Fingerprint;

/// A build that is adopted if the votes stay as they are.
#[derive(Clone, Debug)]
pub(crate) struct PendingAdoption {
    pub(crate) build: Option<Fingerprint>,
    pub(crate) kind: ContestKind,
    pub(crate) votes: usize,
    pub(crate) listed: usize,
    pub(crate) at: DateTime<Utc>,
}

impl PendingAdoption {
    /// Returns the build that an undecided election may adopt. `build_of` returns the build that stands for a build
    /// group.
    pub(crate) fn new(
        election: &Election<BuildGroupId>,
        build_of: impl FnOnce(BuildGroupId) -> Option<Fingerprint>,
    ) -> Option<Self> {
        let contest = election.contest?;
        let (winner, at) = (contest.winner?, contest.decided_at()?);
        let (kind, votes, listed) = (contest.kind, contest.votes, contest.listed);
        Some(Self { build: build_of(winner), kind, votes, listed, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::election::Contest;
    use crate::fleet::fixtures::at;

    #[test]
    fn nothing_is_pending_where_the_build_shown_stays() {
        let contest = Contest { kind: ContestKind::Tie, winner: None, since: at(0), votes: 2, listed: 3 };
        assert!(PendingAdoption::new(&Election { contest: Some(contest), chosen: None }, |_| None).is_none());
        assert!(PendingAdoption::new(&Election::default(), |_| None).is_none());
    }
}
