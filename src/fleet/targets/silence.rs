//! The reasons why a process told nothing of its program, as clauses of the message that leaves its target out.

use chrono::{DateTime, Utc};

use crate::phrases::moment;

/// The next step where something else than an agent answers.
const FIND_AGENT: &str =
    "the agent prints its port on stderr (\"coverage agent: listening on ...\"), 53700 by default";

/// The reason why a process told nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Silence {
    /// The run ended before the process was asked or answered.
    Cut,
    /// The process does not answer, for this reason.
    Failed(String),
    /// Something answers, and shows no agent.
    NoAgent(String),
    /// An agent, or what its labels call one, answers without what was asked.
    Refused(String),
    /// The process failed in an earlier run, and this run did not ask it.
    Waiting { cause: Option<String>, next_try: Option<DateTime<Utc>> },
}

/// The reason why a target has no service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unplaced {
    /// A clause.
    pub(crate) reason: String,
    /// A clause about what to do; mostly empty.
    pub(crate) next_step: String,
}

impl From<String> for Unplaced {
    fn from(reason: String) -> Self {
        Self { reason, next_step: String::new() }
    }
}

impl Silence {
    /// Returns why a target whose labels lack this field, such as `commit`, has no service.
    pub(crate) fn leaves_open(&self, field: &str, now: DateTime<Utc>) -> Unplaced {
        let (failure, next_step) = match self {
            Self::Cut => ("the run ended before it answered".to_owned(), String::new()),
            Self::Failed(cause) => (format!("it does not answer ({cause})"), String::new()),
            Self::NoAgent(cause) => (format!("no agent answers there ({cause})"), FIND_AGENT.to_owned()),
            Self::Refused(cause) => {
                (format!("it refused the request for its program ({cause})"), String::new())
            }
            Self::Waiting { cause, next_try } => {
                let cause = cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
                let next = match next_try.filter(|next| *next > now) {
                    Some(next) => format!("next try {}", moment(next, now)),
                    None => "the next pull tries again".to_owned(),
                };
                (
                    format!("it was not asked in this run, because it failed in an earlier one{cause}"),
                    format!("{next}, or at once with pull --force or pull SERVICE"),
                )
            }
        };
        Unplaced { reason: format!("{failure}, {}", unknown(field)), next_step }
    }
}

impl Unplaced {
    /// Returns why a target without an app has none where its process answers, and not as an agent that tells its
    /// program.
    pub(crate) fn mute() -> Self {
        Self {
            reason: format!("no agent that tells its program answers there, {}", unknown("app")),
            next_step: format!("{FIND_AGENT}; an agent of goc needs labels"),
        }
    }
}

/// Returns the consequence for a field that neither a label nor a process tells.
pub(crate) fn unknown(field: &str) -> String {
    format!("so its {field}, which no label names, is not known")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_049_600 + second, 0).unwrap()
    }

    #[test]
    fn a_failure_comes_first_then_its_consequence_and_the_next_step() {
        let refused = || "no connection: connection refused".to_owned();
        let waiting = |seconds| Silence::Waiting { cause: Some(refused()), next_try: Some(at(seconds)) };
        let waits = "it was not asked in this run, because it failed in an earlier one (no connection: connection \
                     refused), so its commit, which no label names, is not known";
        let not_found = || "answered 404: \"404 page not found\"".to_owned();
        for (silence, reason, next_step) in [
            (
                Silence::Cut,
                "the run ended before it answered, so its commit, which no label names, is not known",
                "",
            ),
            (
                Silence::Failed(refused()),
                "it does not answer (no connection: connection refused), so its commit, which no label names, is not known",
                "",
            ),
            (
                Silence::NoAgent(not_found()),
                "no agent answers there (answered 404: \"404 page not found\"), so its commit, which no label names, is \
                 not known",
                FIND_AGENT,
            ),
            (
                Silence::Refused(not_found()),
                "it refused the request for its program (answered 404: \"404 page not found\"), so its commit, which no label \
                 names, is not known",
                "",
            ),
            (waiting(300), waits, "next try 12:05 UTC, or at once with pull --force or pull SERVICE"),
            (waiting(-1), waits, "the next pull tries again, or at once with pull --force or pull SERVICE"),
        ] {
            let expected = Unplaced { reason: reason.to_owned(), next_step: next_step.to_owned() };
            assert_eq!(silence.leaves_open("commit", at(0)), expected);
        }
    }
}
