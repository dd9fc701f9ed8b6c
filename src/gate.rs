//! The requirements of a gate for coverage, age and replicas, and their check.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use humantime::format_duration;

use crate::coverage::{Coverage, Threshold, shown_percent};
use crate::time::span;

/// The requirements; `None` requires nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    /// The lowest percentage of all statements.
    pub(crate) fail_under: Option<Threshold>,
    /// The longest time since the last pull that got an answer.
    pub(crate) max_age: Option<Duration>,
    /// The fewest replicas that answered at the last pull.
    pub(crate) min_replicas: Option<u32>,
}

/// The data that a gate judges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GateData {
    /// Covered and all statements; `None` for a row of another program, which has only a percentage.
    pub(crate) coverage: Option<Coverage>,
    pub(crate) percent: f64,
    pub(crate) last_pull: Option<DateTime<Utc>>,
    /// Number of replicas that answered, and of those listed.
    pub(crate) replicas: Option<(u32, u32)>,
}

impl Gate {
    /// Returns the same requirements without that of coverage.
    pub(crate) fn without_threshold(self) -> Self {
        Self { fail_under: None, ..self }
    }

    /// Returns the requirements that are not met, each as a clause.
    pub(crate) fn unmet(&self, data: &GateData, now: DateTime<Utc>) -> Vec<String> {
        let Self { fail_under, max_age, min_replicas } = self;
        let mut unmet = Vec::new();
        if let Some(threshold) = fail_under {
            unmet.extend(below(data, *threshold));
        }
        if let Some(max_age) = max_age {
            let age = data.last_pull.map(|at| now - at);
            let longest = TimeDelta::from_std(*max_age).unwrap_or(TimeDelta::MAX);
            if age.is_none_or(|age| age > longest) {
                let age = age.map_or_else(|| "ages".to_owned(), span);
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

/// Returns the part by which data is below a threshold, as a clause; `None` for data that meets it.
pub(crate) fn below(data: &GateData, threshold: Threshold) -> Option<String> {
    match data.coverage {
        Some(coverage) if coverage.meets(threshold) => None,
        Some(coverage) => {
            let missing = coverage.missing_for(threshold);
            Some(format!(
                "{coverage} ({} of {} statements) is below {threshold}, {} more to cover",
                coverage.covered, coverage.total, missing
            ))
        }
        None => Some(format!("{}% is below {threshold}", shown_percent(data.percent))),
    }
}

/// Returns a warning about a threshold that was probably meant as a share, such as 0.8 for 80 %.
pub(crate) fn doubt(setting: &str, threshold: Threshold) -> Option<String> {
    threshold.as_share().map(|share| {
        let meant = share.to_string();
        let meant = meant.trim_end_matches('%');
        format!("{setting} {threshold} is less than one percent; write {meant} for {meant} percent")
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 24, 14, 0, 0).unwrap()
    }

    fn data(covered: u64, total: u64) -> GateData {
        let coverage = Coverage { covered, total };
        GateData {
            coverage: Some(coverage),
            percent: coverage.percent(),
            last_pull: Some(now() - TimeDelta::minutes(30)),
            replicas: Some((2, 3)),
        }
    }

    fn fail_under(percent: &str) -> Gate {
        Gate { fail_under: Some(percent.parse().unwrap()), ..Gate::default() }
    }

    fn max_age(minutes: u64) -> Gate {
        Gate { max_age: Some(Duration::from_secs(60 * minutes)), ..Gate::default() }
    }

    fn min_replicas(number: u32) -> Gate {
        Gate { min_replicas: Some(number), ..Gate::default() }
    }

    #[test]
    fn each_requirement_is_judged_by_itself() {
        let never_pulled = GateData { last_pull: None, ..data(1, 2) };
        let by_another_program = GateData { coverage: None, percent: 49.96, replicas: None, ..data(0, 0) };
        for (gate, data, unmet) in [
            (Gate::default(), never_pulled, ""),
            (fail_under("50"), data(1, 2), ""),
            (fail_under("50.1"), data(1, 2), "50.0% (1 of 2 statements) is below 50.1%, 1 more to cover"),
            (fail_under("0"), data(0, 0), ""),
            (
                fail_under("100"),
                data(2999, 3000),
                "99.9% (2999 of 3000 statements) is below 100%, 1 more to cover",
            ),
            (fail_under("60"), by_another_program, "50.0% is below 60%"),
            (max_age(30), data(1, 2), ""),
            (max_age(29), data(1, 2), "last pulled 30m ago, longer than 29m"),
            (max_age(30), never_pulled, "last pulled ages ago, longer than 30m"),
            (min_replicas(2), data(1, 2), ""),
            (min_replicas(3), data(1, 2), "2 of 3 replicas answered, fewer than 3"),
            (min_replicas(1), by_another_program, "0 of 0 replicas answered, fewer than 1"),
        ] {
            assert_eq!(gate.unmet(&data, now()).join("\n"), unmet, "{gate:?} {data:?}");
        }
    }

    #[test]
    fn requirements_that_are_not_met_are_told_together() {
        let gate = Gate { max_age: max_age(1).max_age, min_replicas: Some(9), ..fail_under("90") };
        assert_eq!(gate.unmet(&data(1, 2), now()).len(), 3);
        assert_eq!(gate.without_threshold().unmet(&data(1, 2), now()).len(), 2);
    }
}
