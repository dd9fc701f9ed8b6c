//! What is asked of coverage, and whether data meets it: how much, how old, of how many replicas.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use humantime::format_duration;

use crate::commands::show;
use crate::config::parse_duration;
use crate::coverage::{Coverage, Threshold};

/// What is asked of coverage; what is not met ends with exit code 5.
#[derive(Args, Debug)]
pub(crate) struct GateArgs {
    /// Fail below this percentage of all statements; exact, not rounded.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) fail_under: Option<Threshold>,

    /// Fail when the last pull that got an answer is longer ago.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    max_age: Option<Duration>,

    /// Fail when fewer replicas answered at the last pull.
    #[arg(long, value_name = "N")]
    min_replicas: Option<u32>,
}

/// What is held against it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data {
    /// `None` for a row of another hand, whose percentage is all there is.
    pub(crate) coverage: Option<Coverage>,
    pub(crate) percent: f64,
    pub(crate) last_pull: Option<DateTime<Utc>>,
    /// Answered, of those listed.
    pub(crate) replicas: Option<(u32, u32)>,
}

impl GateArgs {
    /// Returns the same without the percentage, for what that is not asked of.
    pub(crate) fn without_threshold(&self) -> Self {
        Self { fail_under: None, ..*self }
    }

    /// Tells whether anything is asked for.
    pub(crate) fn asks_anything(&self) -> bool {
        let Self { fail_under, max_age, min_replicas } = self;
        fail_under.is_some() || max_age.is_some() || min_replicas.is_some()
    }

    /// Returns what is asked for and not met, each as a clause.
    pub(crate) fn unmet(&self, data: &Data, now: DateTime<Utc>) -> Vec<String> {
        let Self { fail_under, max_age, min_replicas } = self;
        let mut unmet = Vec::new();
        if let Some(threshold) = fail_under {
            unmet.extend(below(data, *threshold));
        }
        if let Some(max_age) = max_age {
            let age = data.last_pull.map(|at| now - at);
            let longest = TimeDelta::from_std(*max_age).unwrap_or(TimeDelta::MAX);
            if age.is_none_or(|age| age > longest) {
                let age = age.map_or_else(|| "ages".to_owned(), show::span);
                unmet.push(format!("last pulled {age} ago, longer than {}", format_duration(*max_age)));
            }
        }
        if let Some(wanted) = min_replicas {
            let (answered, listed) = data.replicas.unwrap_or_default();
            if answered < *wanted {
                unmet.push(format!("{answered} of {listed} replicas answered, fewer than {wanted}"));
            }
        }
        unmet
    }
}

/// Says that, and by how much, data is below a threshold; `None` where it meets it.
pub(crate) fn below(data: &Data, threshold: Threshold) -> Option<String> {
    let percent = data.percent;
    match data.coverage {
        Some(coverage) if coverage.meets(threshold) => None,
        Some(coverage) => {
            let missing = coverage.missing_for(threshold);
            Some(format!(
                "{percent:.1}% ({} of {} statements) is below {threshold}, {} more to cover",
                coverage.covered, coverage.total, missing
            ))
        }
        None => Some(format!("{percent:.1}% is below {threshold}")),
    }
}
