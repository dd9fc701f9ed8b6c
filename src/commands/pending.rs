//! The message of `pull` and `list --explain` about a build that may be adopted soon, for people and for scripts.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::fleet::election::ContestKind;
use crate::fleet::pending::PendingAdoption;
use crate::phrases::count;
use crate::time::{iso, span};

impl PendingAdoption {
    /// Returns the sentence for people.
    pub(crate) fn sentence(&self, now: DateTime<Utc>) -> String {
        let Self { kind, votes, listed, at, .. } = self;
        let compared = match kind {
            ContestKind::Majority => "more than serve the one shown",
            ContestKind::Tie => "as many as serve the one shown",
        };
        let addresses = count(*listed, "addresses");
        let left = if *at > now { format!("in {}", span(*at - now)) } else { "at the next pull".to_owned() };
        format!(
            "build {} is served by {votes} of {addresses}, {compared}; it is adopted if that is still true {left}",
            self.build()
        )
    }

    /// Returns the object for scripts.
    pub(crate) fn object(&self) -> serde_json::Value {
        json!({
            "build": self.build(),
            "votes": self.votes,
            "addresses": self.listed,
            "why": self.kind.word(),
            "at": iso(self.at),
        })
    }

    fn build(&self) -> String {
        self.build.map_or_else(|| "-".to_owned(), |build| build.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::election::{Contest, Election};
    use crate::fleet::ids::BuildGroupId;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn pending(kind: ContestKind, winner: Option<i64>) -> Option<PendingAdoption> {
        let contest = Contest { kind, winner: winner.map(BuildGroupId), since: at(0), votes: 2, listed: 3 };
        PendingAdoption::new(&Election { contest: Some(contest), chosen: None }, |_| None)
    }

    #[test]
    fn a_build_that_may_be_adopted_is_said_with_its_votes_and_the_time_left() {
        let majority = pending(ContestKind::Majority, Some(7)).unwrap();
        assert_eq!(
            majority.sentence(at(60)),
            "build - is served by 2 of 3 addresses, more than serve the one shown; it is adopted if that is still true \
             in 4m"
        );
        assert!(majority.sentence(at(300)).ends_with("it is adopted if that is still true at the next pull"));
        let tie = pending(ContestKind::Tie, Some(7)).unwrap();
        assert!(tie.sentence(at(0)).contains("as many as serve the one shown"), "{}", tie.sentence(at(0)));
    }
}
