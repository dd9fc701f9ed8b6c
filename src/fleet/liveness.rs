//! Whether an address that a center lists is still somebody: alive, suspect, or dead.
//!
//! An instrumented process registers once, at its start, so a live one that is removed is lost until
//! somebody restarts it. Hence one failure proves nothing: an address becomes dead only by failing in
//! several runs some time apart, and the milder the failure, the more it takes.
//!
//! Pure: what a probe found and what is remembered go in with the time, what is to be remembered comes out.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::fleet::build_group;
use crate::profile::{Build, Relation};

/// What asking an address came to. The order is that of how much it says against the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Finding {
    /// An agent answers.
    Alive,
    /// Nothing was learnt, for a reason on our side; that is no word against it.
    Withheld,
    /// It accepts connections and does not answer as goc: it hangs, or something before it answers.
    Silent,
    /// No route, or no connection in time.
    Unreachable,
    /// Its host name does not resolve, or it is no address that anybody could dial.
    Unresolved,
    /// Its host refuses the connection: nothing listens there.
    Refused,
}

impl Finding {
    const ALL: [Self; 6] =
        [Self::Alive, Self::Withheld, Self::Silent, Self::Unreachable, Self::Unresolved, Self::Refused];

    /// Returns the word that is stored, and that scripts read.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Withheld => "withheld",
            Self::Silent => "silent",
            Self::Unreachable => "unreachable",
            Self::Unresolved => "unresolved",
            Self::Refused => "refused",
        }
    }

    /// Returns the finding that a word stands for.
    #[must_use]
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| finding.word() == word)
    }

    /// Tells whether it speaks against the address.
    #[must_use]
    pub(crate) fn is_failure(self) -> bool {
        !matches!(self, Self::Alive | Self::Withheld)
    }

    /// Tells whether it comes from the host itself, so that a fault between us and it is ruled out.
    fn is_plain(self) -> bool {
        self == Self::Refused
    }
}

/// What asking an address came to, with the words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    /// What it is.
    pub finding: Finding,
    /// In words; empty where it is alive.
    pub detail: String,
}

impl Probe {
    /// Returns what an address where an agent answers is probed to.
    #[must_use]
    pub(crate) fn alive() -> Self {
        Self { finding: Finding::Alive, detail: String::new() }
    }

    /// Returns the one of two attempts that says less against the address.
    #[must_use]
    pub(crate) fn milder(self, other: Self) -> Self {
        if self.finding < other.finding { self } else { other }
    }
}

/// How a build that an address serves stands to the one that a key shows.
///
/// No word against the address: an agent answers there, whatever it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kinship {
    /// It is that build, or one of its module that agrees with it.
    Own,
    /// Another build of the same program, or another program.
    Other,
    /// The key shows no build, or the answer holds none.
    Unknown,
}

impl Kinship {
    /// Judges `build` by what a key shows.
    #[must_use]
    pub(crate) fn of(build: &Build, shown: &[&Build]) -> Self {
        if build.file_count() == 0 || shown.iter().all(|shown| shown.file_count() == 0) {
            return Self::Unknown;
        }
        let conflicts = |shown: &&Build| matches!(shown.relation(build), Relation::Conflicts { .. });
        match !shown.iter().any(conflicts) && shown.iter().any(|shown| build_group::fits(shown, build, false))
        {
            true => Self::Own,
            false => Self::Other,
        }
    }
}

/// In how many runs, and over how long, an address has to fail before it is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// Runs in a row.
    pub runs: u32,
    /// From the first of them to the last.
    pub over: Duration,
}

/// How much it takes for an address to be dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// If its host refuses the connection.
    pub plain: Confirmation,
    /// Whatever the failure.
    pub any: Confirmation,
}

/// 2 runs over 5 minutes where the host refuses the connection, else 3 runs over half an hour.
impl Default for Rules {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Self {
            plain: Confirmation { runs: 2, over: minutes(5) },
            any: Confirmation { runs: 3, over: minutes(30) },
        }
    }
}

impl Rules {
    /// Returns the default rules with what is given in place of both numbers.
    #[must_use]
    pub(crate) fn with(runs: Option<u32>, over: Option<Duration>) -> Self {
        let mut rules = Self::default();
        for confirmation in [&mut rules.plain, &mut rules.any] {
            confirmation.runs = runs.unwrap_or(confirmation.runs).max(1);
            confirmation.over = over.unwrap_or(confirmation.over);
        }
        rules
    }
}

/// Runs in a row in which an address failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Streak {
    /// When the first of them was.
    pub since: DateTime<Utc>,
    /// How many.
    pub runs: u32,
}

impl Streak {
    fn with(streak: Option<Self>, now: DateTime<Utc>) -> Self {
        match streak {
            // A streak that begins in the future was made by a clock that went back, and means nothing.
            Some(streak) if streak.since <= now => Self { runs: streak.runs.saturating_add(1), ..streak },
            _ => Self { since: now, runs: 1 },
        }
    }

    fn meets(self, confirmation: Confirmation, now: DateTime<Utc>) -> bool {
        self.runs >= confirmation.runs && lasted(self.since, now, confirmation.over)
    }
}

/// Tells whether at least `over` lies between `since` and `now`.
#[must_use]
pub(crate) fn lasted(since: DateTime<Utc>, now: DateTime<Utc>, over: Duration) -> bool {
    now.signed_duration_since(since) >= TimeDelta::from_std(over).unwrap_or(TimeDelta::MAX)
}

/// What is remembered of an address that fails. One that does not has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suspicion {
    /// Failures of any kind.
    pub any: Streak,
    /// Those of its last runs that came from its host itself.
    pub plain: Option<Streak>,
    /// Since when it has been failing in runs in which another address answered.
    pub witnessed_since: Option<DateTime<Utc>>,
    /// When it last failed.
    pub last_failed_at: DateTime<Utc>,
    /// How it last failed.
    pub probe: Probe,
    /// It failed often enough, for long enough.
    pub is_dead: bool,
}

/// What else is known where an address is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// When a pull last got an answer from it.
    pub last_answer_at: Option<DateTime<Utc>>,
    /// Another address answered in this run.
    pub is_witnessed: bool,
    /// When the run began.
    pub now: DateTime<Utc>,
}

/// Returns what is to be remembered of an address after a probe; `None` where nothing speaks against it.
///
/// An answer to a pull since it last failed ends the streak. So does an answer to a probe; a probe that was
/// withheld changes nothing.
#[must_use]
pub(crate) fn judge(
    before: Option<&Suspicion>,
    probe: &Probe,
    evidence: Evidence,
    rules: &Rules,
) -> Option<Suspicion> {
    let Evidence { last_answer_at, is_witnessed, now } = evidence;
    let before = before.filter(|before| last_answer_at.is_none_or(|answer| answer <= before.last_failed_at));
    match probe.finding {
        Finding::Alive => return None,
        Finding::Withheld => return before.cloned(),
        _ => {}
    }
    let any = Streak::with(before.map(|before| before.any), now);
    let plain = probe.finding.is_plain().then(|| Streak::with(before.and_then(|before| before.plain), now));
    let witnessed = before.and_then(|before| before.witnessed_since).filter(|since| *since <= now);
    Some(Suspicion {
        any,
        plain,
        witnessed_since: is_witnessed.then(|| witnessed.unwrap_or(now)),
        last_failed_at: now,
        probe: probe.clone(),
        is_dead: any.meets(rules.any, now) || plain.is_some_and(|plain| plain.meets(rules.plain, now)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Limits, parse};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + minute * 60, 0).unwrap()
    }

    fn probe(finding: Finding) -> Probe {
        Probe { finding, detail: "it failed".to_owned() }
    }

    fn evidence(minute: i64) -> Evidence {
        Evidence { last_answer_at: None, is_witnessed: true, now: at(minute) }
    }

    /// Runs a probe at each minute; returns after each whether the address is alive, suspect or dead.
    fn course(runs: &[(i64, Finding)], rules: &Rules) -> Vec<&'static str> {
        let mut known: Option<Suspicion> = None;
        let run = |&(minute, finding): &(i64, Finding)| {
            known = judge(known.as_ref(), &probe(finding), evidence(minute), rules);
            match &known {
                None => "alive",
                Some(suspicion) if suspicion.is_dead => "dead",
                Some(_) => "suspect",
            }
        };
        runs.iter().map(run).collect()
    }

    #[test]
    fn refused_is_dead_after_two_runs_five_minutes_apart() {
        use Finding::Refused;
        let rules = Rules::default();
        assert_eq!(course(&[(0, Refused), (5, Refused)], &rules), ["suspect", "dead"]);
        assert_eq!(
            course(&[(0, Refused), (1, Refused), (4, Refused), (5, Refused)], &rules),
            ["suspect", "suspect", "suspect", "dead"]
        );
    }

    #[test]
    fn any_other_failure_takes_three_runs_over_half_an_hour() {
        let rules = Rules::default();
        for finding in [Finding::Silent, Finding::Unreachable, Finding::Unresolved] {
            assert_eq!(
                course(&[(0, finding), (15, finding), (30, finding)], &rules),
                ["suspect", "suspect", "dead"]
            );
            assert_eq!(course(&[(0, finding), (40, finding)], &rules), ["suspect", "suspect"]);
            assert_eq!(
                course(&[(0, finding), (5, finding), (10, finding), (29, finding)], &rules),
                ["suspect"; 4]
            );
        }
    }

    #[test]
    fn the_quick_rule_counts_only_what_its_host_said_in_a_row() {
        use Finding::{Refused, Silent};
        let rules = Rules::default();
        assert_eq!(
            course(&[(0, Refused), (5, Silent), (10, Refused), (15, Refused)], &rules),
            ["suspect", "suspect", "suspect", "dead"]
        );
        assert_eq!(
            course(&[(0, Silent), (5, Silent), (10, Refused), (15, Refused)], &rules),
            ["suspect", "suspect", "suspect", "dead"]
        );
        assert_eq!(
            course(&[(0, Silent), (15, Refused), (30, Silent)], &rules),
            ["suspect", "suspect", "dead"]
        );
    }

    #[test]
    fn an_answer_begins_anew_and_a_withheld_probe_changes_nothing() {
        use Finding::{Alive, Refused, Withheld};
        let rules = Rules::default();
        assert_eq!(
            course(&[(0, Refused), (3, Alive), (6, Refused), (11, Refused)], &rules),
            ["suspect", "alive", "suspect", "dead"]
        );
        assert_eq!(
            course(&[(0, Withheld), (1, Refused), (7, Withheld), (8, Refused)], &rules),
            ["alive", "suspect", "suspect", "dead"]
        );
    }

    #[test]
    fn an_answer_to_a_pull_in_between_begins_anew() {
        let rules = Rules::default();
        let refused = probe(Finding::Refused);
        let first = judge(None, &refused, evidence(0), &rules);
        let pulled = Evidence { last_answer_at: Some(at(2)), ..evidence(6) };
        let second = judge(first.as_ref(), &refused, pulled, &rules).unwrap();
        assert_eq!((second.any, second.is_dead), (Streak { since: at(6), runs: 1 }, false));
    }

    #[test]
    fn both_numbers_can_be_set_for_every_failure() {
        let once = Rules::with(Some(1), Some(Duration::ZERO));
        assert_eq!(course(&[(0, Finding::Silent)], &once), ["dead"]);
        assert_eq!(course(&[(0, Finding::Refused)], &once), ["dead"]);
        let long = Rules::with(None, Some(Duration::from_secs(3600)));
        let refused = |minute| (minute, Finding::Refused);
        assert_eq!(course(&[refused(0), refused(59), refused(60)], &long), ["suspect", "suspect", "dead"]);
        assert_eq!(Rules::with(None, None), Rules::default());
    }

    #[test]
    fn a_clock_that_went_back_begins_anew() {
        use Finding::Refused;
        assert_eq!(course(&[(90, Refused), (0, Refused)], &Rules::default()), ["suspect", "suspect"]);
    }

    #[test]
    fn only_runs_in_which_another_address_answered_are_witnessed() {
        let rules = Rules::default();
        let refused = probe(Finding::Refused);
        let alone = |minute| Evidence { is_witnessed: false, ..evidence(minute) };
        let first = judge(None, &refused, evidence(0), &rules);
        assert_eq!(first.as_ref().unwrap().witnessed_since, Some(at(0)));
        let second = judge(first.as_ref(), &refused, alone(10), &rules);
        assert_eq!(second.as_ref().unwrap().witnessed_since, None);
        let third = judge(second.as_ref(), &refused, evidence(20), &rules);
        assert_eq!(third.unwrap().witnessed_since, Some(at(20)));
    }

    #[test]
    fn of_two_attempts_the_milder_counts() {
        let refused = probe(Finding::Refused);
        assert_eq!(refused.clone().milder(probe(Finding::Silent)).finding, Finding::Silent);
        assert_eq!(Probe::alive().milder(refused.clone()), Probe::alive());
        assert_eq!(refused.milder(probe(Finding::Withheld)).finding, Finding::Withheld);
    }

    #[test]
    fn words_turn_back() {
        for finding in Finding::ALL {
            assert_eq!(Finding::from_word(finding.word()), Some(finding));
        }
        for unknown in ["dead", "other_program"] {
            assert_eq!(Finding::from_word(unknown), None);
        }
    }

    #[test]
    fn a_build_is_a_keys_own_where_it_agrees_with_what_the_key_shows() {
        let build =
            |text: &str| parse(format!("mode: count\n{text}").as_bytes(), Limits::default()).unwrap().build;
        let server = build("x.io/o/m/lib/a.go:1.1,2.2 1 0\nx.io/o/m/server/s.go:1.1,2.2 1 0\n");
        let worker = build("x.io/o/m/worker/w.go:1.1,2.2 1 0\n");
        let dirty = build("x.io/o/m/lib/a.go:1.1,3.2 1 0\n");
        let other = build("x.io/o/other/main.go:1.1,2.2 1 0\n");
        for (answered, kinship) in [
            (&server, Kinship::Own),
            (&worker, Kinship::Own),
            (&dirty, Kinship::Other),
            (&other, Kinship::Other),
            (&build(""), Kinship::Unknown),
        ] {
            assert_eq!(Kinship::of(answered, &[&server]), kinship);
        }
        assert_eq!(Kinship::of(&other, &[]), Kinship::Unknown);
        assert_eq!(Kinship::of(&other, &[&server, &other]), Kinship::Own);
    }
}
