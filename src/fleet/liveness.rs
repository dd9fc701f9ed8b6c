//! The judgement of an address that a center lists: alive, suspect, or dead.
//!
//! An instrumented process registers only once, at its start, so a live process that is removed is lost until somebody
//! restarts it. Hence one failure proves nothing: an address is dead only after failures in several runs some time
//! apart, and a milder failure has to be seen more often.
//!
//! Pure: the input is a probe, the remembered failures and the time; the output is the failures to remember.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The finding of a probe. A later variant is stronger evidence against the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Finding {
    /// An agent answers.
    Alive,
    /// The probe learned nothing, for a reason on this host, so it is no evidence against the address.
    Withheld,
    /// The address accepts connections and does not answer as goc: the process hangs, or a proxy in front of it
    /// answers.
    Silent,
    /// The host has no route, or no connection was made in time.
    Unreachable,
    /// The host name does not resolve, or the address is invalid.
    Unresolved,
    /// The host refuses the connection: nothing listens there.
    Refused,
}

impl Finding {
    const ALL: [Self; 6] =
        [Self::Alive, Self::Withheld, Self::Silent, Self::Unreachable, Self::Unresolved, Self::Refused];

    /// Returns the word that the database stores and scripts read.
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

    /// Tells whether the finding is evidence against the address.
    #[must_use]
    pub(crate) fn is_failure(self) -> bool {
        !matches!(self, Self::Alive | Self::Withheld)
    }

    /// Tells whether the finding comes from the host itself, which rules out a fault on the way to it.
    fn is_plain(self) -> bool {
        self == Self::Refused
    }
}

/// A finding, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProbeFinding {
    pub finding: Finding,
    /// The reason in words; empty where an agent answers.
    pub detail: String,
}

impl ProbeFinding {
    /// Returns the probe of an address where an agent answers.
    #[must_use]
    pub(crate) fn alive() -> Self {
        Self { finding: Finding::Alive, detail: String::new() }
    }

    /// Returns the weaker evidence against the address of two attempts.
    #[must_use]
    pub(crate) fn milder(self, other: Self) -> Self {
        if self.finding < other.finding { self } else { other }
    }
}

/// The number of runs in which an address has to fail, and the time between the first and the last, before it is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// Number of runs in a row.
    pub runs: u32,
    /// Least time from the first of these runs to the last.
    pub over: Duration,
}

/// Conditions under which an address is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LivenessRules {
    /// The rule for an address whose host refuses the connection.
    pub plain: Confirmation,
    /// The rule for any failure.
    pub any: Confirmation,
}

/// The rules that the man page of `prune` promises: 2 runs over 5 minutes where the host refuses the connection, else 3
/// over half an hour.
impl Default for LivenessRules {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Self {
            plain: Confirmation { runs: 2, over: minutes(5) },
            any: Confirmation { runs: 3, over: minutes(30) },
        }
    }
}

impl LivenessRules {
    /// Returns the default rules, in which the given numbers hold for every failure.
    #[must_use]
    pub(crate) fn for_any_failure(runs: Option<u32>, over: Option<Duration>) -> Self {
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
    /// Start of the first of these runs.
    pub since: DateTime<Utc>,
    pub runs: u32,
}

impl Streak {
    fn continued(streak: Option<Self>, now: DateTime<Utc>) -> Self {
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

/// The remembered failures of an address. An address that answers has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suspicion {
    /// Failures of any kind.
    pub any: Streak,
    /// Failures in its last runs that came from the host itself.
    pub plain: Option<Streak>,
    /// Start of the failures in a row during which another address answered in every run.
    pub witnessed_since: Option<DateTime<Utc>>,
    pub last_failed_at: DateTime<Utc>,
    /// The last failure.
    pub probe: ProbeFinding,
    /// The failures meet the rules for a dead address.
    pub is_dead: bool,
}

/// Facts beside the probe that count for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Time of the last answer to a pull.
    pub last_answer_at: Option<DateTime<Utc>>,
    /// Another address answered in this run.
    pub is_witnessed: bool,
    /// Start of the run.
    pub now: DateTime<Utc>,
}

/// Returns the failures to remember of an address after a probe; `None` when nothing is to be remembered.
///
/// The streak ends with an answer to a probe, and with an answer to a pull after the last failure. A withheld probe
/// changes nothing.
#[must_use]
pub(crate) fn judge(
    before: Option<&Suspicion>,
    probe: &ProbeFinding,
    evidence: Evidence,
    rules: &LivenessRules,
) -> Option<Suspicion> {
    let Evidence { last_answer_at, is_witnessed, now } = evidence;
    let before = before.filter(|before| last_answer_at.is_none_or(|answer| answer <= before.last_failed_at));
    match probe.finding {
        Finding::Alive => return None,
        Finding::Withheld => return before.cloned(),
        _ => {}
    }
    let any = Streak::continued(before.map(|before| before.any), now);
    let plain =
        probe.finding.is_plain().then(|| Streak::continued(before.and_then(|before| before.plain), now));
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

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + minute * 60, 0).unwrap()
    }

    fn probe(finding: Finding) -> ProbeFinding {
        ProbeFinding { finding, detail: "it failed".to_owned() }
    }

    fn evidence(minute: i64) -> Evidence {
        Evidence { last_answer_at: None, is_witnessed: true, now: at(minute) }
    }

    /// Judges a finding at each of these minutes; returns after each whether the address is alive, suspect or dead.
    fn course(runs: &[(i64, Finding)], rules: &LivenessRules) -> Vec<&'static str> {
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
        let rules = LivenessRules::default();
        assert_eq!(course(&[(0, Refused), (5, Refused)], &rules), ["suspect", "dead"]);
        assert_eq!(
            course(&[(0, Refused), (1, Refused), (4, Refused), (5, Refused)], &rules),
            ["suspect", "suspect", "suspect", "dead"]
        );
    }

    #[test]
    fn any_other_failure_takes_three_runs_over_half_an_hour() {
        let rules = LivenessRules::default();
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
        let rules = LivenessRules::default();
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
        let rules = LivenessRules::default();
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
        let rules = LivenessRules::default();
        let refused = probe(Finding::Refused);
        let first = judge(None, &refused, evidence(0), &rules);
        let pulled = Evidence { last_answer_at: Some(at(2)), ..evidence(6) };
        let second = judge(first.as_ref(), &refused, pulled, &rules).unwrap();
        assert_eq!((second.any, second.is_dead), (Streak { since: at(6), runs: 1 }, false));
    }

    #[test]
    fn both_numbers_can_be_set_for_every_failure() {
        let once = LivenessRules::for_any_failure(Some(1), Some(Duration::ZERO));
        assert_eq!(course(&[(0, Finding::Silent)], &once), ["dead"]);
        assert_eq!(course(&[(0, Finding::Refused)], &once), ["dead"]);
        let long = LivenessRules::for_any_failure(None, Some(Duration::from_secs(3600)));
        let refused = |minute| (minute, Finding::Refused);
        assert_eq!(course(&[refused(0), refused(59), refused(60)], &long), ["suspect", "suspect", "dead"]);
        assert_eq!(LivenessRules::for_any_failure(None, None), LivenessRules::default());
    }

    #[test]
    fn a_clock_that_went_back_begins_anew() {
        use Finding::Refused;
        assert_eq!(course(&[(90, Refused), (0, Refused)], &LivenessRules::default()), ["suspect", "suspect"]);
    }

    #[test]
    fn only_runs_in_which_another_address_answered_are_witnessed() {
        let rules = LivenessRules::default();
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
        assert_eq!(ProbeFinding::alive().milder(refused.clone()), ProbeFinding::alive());
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
    fn only_an_answer_after_the_last_failure_ends_the_streak() {
        let rules = LivenessRules::default();
        let refused = probe(Finding::Refused);
        let first = judge(None, &refused, evidence(10), &rules);
        for (answered, runs) in [(None, 2), (Some(9), 2), (Some(10), 2), (Some(11), 1)] {
            let evidence = Evidence { last_answer_at: answered.map(at), ..evidence(20) };
            let second = judge(first.as_ref(), &refused, evidence, &rules).unwrap();
            assert_eq!(second.any.runs, runs, "{answered:?}");
        }
    }
}
