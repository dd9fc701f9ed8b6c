//! The reasons for which a query chooses no service, with the next step of each.

use std::collections::BTreeSet;
use std::fmt;

use super::pick::SHORTEST_COMMIT;
use super::targets::ServiceFields;
use crate::names::printable;

/// Number of candidates in the message about an ambiguous query.
const SHOWN_CANDIDATES: usize = 10;

/// The reason for which a query does not choose a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PickError {
    /// The query fits services that differ in more than the commit.
    Ambiguous {
        query: String,
        /// The names that fit, one of each environment, region, app and branch; those that run stand first. Services
        /// with the same name have the fields in which they differ behind it.
        candidates: Vec<String>,
        narrowing: Narrowing,
    },
    /// The query fits no service.
    NotFound {
        query: String,
        /// The nearest name, if one is near.
        nearest: Option<String>,
    },
    /// The query fits commits that begin with the same digits.
    AmbiguousCommit {
        commit: String,
        /// The names that fit, sorted.
        candidates: Vec<String>,
    },
    /// The commit that was asked for has too few digits.
    ShortCommit(String),
    /// The query fits services, and none of them has the fields that were asked for besides.
    NarrowedAway {
        query: String,
        /// The options that were given, such as `--branch master`.
        options: String,
    },
}

/// The options that tell services apart, the one that reaches furthest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Narrowing {
    /// Each service has a name of its own.
    Name,
    /// Some have the same name, and another environment, region or branch.
    Place,
    /// Some have the same name, environment, region and branch.
    Commit,
}

impl Narrowing {
    /// Returns the options that tell services with the same name apart.
    pub(super) fn among(same: &[ServiceFields]) -> Self {
        let places: BTreeSet<_> = same.iter().map(|it| (&it.env, &it.region, &it.branch)).collect();
        match same.len() {
            1 => Self::Name,
            services if services == places.len() => Self::Place,
            _ => Self::Commit,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Name => "give more of the name, or --env, --region or --branch",
            Self::Place => "narrow them with --env, --region or --branch, where '' means none",
            Self::Commit => "narrow them with --env, --region, --branch or --commit, where '' means none",
        }
    }
}

impl std::error::Error for PickError {}

impl PickError {
    /// Returns the error about a commit with too few digits to choose one.
    pub(crate) fn of_short_commit(commit: &str) -> Option<Self> {
        (1..SHORTEST_COMMIT).contains(&commit.len()).then(|| Self::ShortCommit(commit.to_owned()))
    }
}

impl fmt::Display for PickError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous { query, candidates, narrowing } => {
                let remedy = narrowing.advice();
                let count = candidates.len();
                write!(f, "\"{}\" fits {count} services; {remedy}:", printable(query))?;
                for candidate in candidates.iter().take(SHOWN_CANDIDATES) {
                    write!(f, "\n  {}", printable(candidate))?;
                }
                match candidates.len().saturating_sub(SHOWN_CANDIDATES) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
            Self::AmbiguousCommit { commit, candidates } => {
                write!(f, "several commits begin with \"{}\"; give more digits:", printable(commit))?;
                candidates.iter().try_for_each(|name| write!(f, "\n  {}", printable(name)))
            }
            Self::NotFound { query, nearest: Some(nearest) } => {
                write!(
                    f,
                    "no service fits \"{}\", did you mean \"{}\"?",
                    printable(query),
                    printable(nearest)
                )
            }
            Self::NotFound { query, nearest: None } => {
                write!(f, "no service fits \"{}\", `goc-watchdog list` shows them all", printable(query))
            }
            Self::ShortCommit(commit) => write!(
                f,
                "\"{}\" has too few digits for a commit, give at least {SHORTEST_COMMIT}",
                printable(commit)
            ),
            Self::NarrowedAway { query, options } if query.is_empty() => {
                write!(f, "no service has {options}, `goc-watchdog list` shows them all")
            }
            Self::NarrowedAway { query, options } => {
                let query = printable(query);
                write!(
                    f,
                    "no service that fits \"{query}\" has {options}, `goc-watchdog list {query}` shows them"
                )
            }
        }
    }
}
