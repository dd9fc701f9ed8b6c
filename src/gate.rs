//! The requirements of a gate for coverage, age and replicas, and the verdicts about them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use humantime::format_duration;
use serde::Serialize;

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

/// A requirement of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Requirement {
    /// A percentage of all statements.
    FailUnder,
    /// A percentage of a package's statements, from the configuration.
    FailUnderPackage,
    /// A percentage of the changed lines.
    FailUnderChanged,
    /// A number of changed lines that may be missed.
    FailMissed,
    /// No coverage of unchanged code is lost.
    FailOnLost,
    /// All changed code is in the profile.
    FailOnUnmeasured,
    MaxAge,
    MinReplicas,
}

/// The result of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum GateResult {
    Met,
    Unmet,
    /// There was nothing to judge, or less than an option asks for.
    NotApplied,
}

/// The verdict about a requirement.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Verdict {
    pub(crate) gate: Requirement,
    pub(crate) result: GateResult,
    /// The figure that was judged; `None` if there is none. Its unit is that of the threshold.
    pub(crate) figure: Option<f64>,
    /// The threshold: percent, seconds, or a number of replicas or lines.
    pub(crate) threshold: f64,
    /// The thing that was judged, its figure and the threshold, as a clause.
    pub(crate) message: String,
}

impl Verdict {
    pub(crate) fn is_unmet(&self) -> bool {
        self.result == GateResult::Unmet
    }
}

impl Gate {
    /// Returns the same requirements without that of coverage.
    pub(crate) fn without_threshold(self) -> Self {
        Self { fail_under: None, ..self }
    }

    /// Judges data by each requirement.
    pub(crate) fn judge(&self, data: &GateData, now: DateTime<Utc>) -> Vec<Verdict> {
        let Self { fail_under, max_age, min_replicas } = self;
        let coverage = fail_under.map(|threshold| judge_coverage(Requirement::FailUnder, data, threshold));
        let age = max_age.map(|longest| judge_age(data.last_pull.map(|at| now - at), longest));
        let replicas = min_replicas.map(|least| judge_replicas(data.replicas.unwrap_or_default(), least));
        coverage.into_iter().chain(age).chain(replicas).collect()
    }
}

/// Judges the percentage of statements.
pub(crate) fn judge_coverage(gate: Requirement, data: &GateData, threshold: Threshold) -> Verdict {
    let figure = match data.coverage {
        Some(coverage) => format!("{coverage} ({} of {} statements)", coverage.covered, coverage.total),
        None => format!("{}%", shown_percent(data.percent)),
    };
    let is_met = match data.coverage {
        Some(coverage) => coverage.meets(threshold),
        None => data.percent >= threshold.percent(),
    };
    let message = match (is_met, data.coverage) {
        (true, _) => format!("{figure}, at least {threshold} required"),
        (false, Some(coverage)) => {
            format!("{figure} is below {threshold}, {} more to cover", coverage.missing_for(threshold))
        }
        (false, None) => format!("{figure} is below {threshold}"),
    };
    let result = if is_met { GateResult::Met } else { GateResult::Unmet };
    Verdict { gate, result, figure: Some(data.percent), threshold: threshold.percent(), message }
}

fn judge_age(age: Option<TimeDelta>, longest: Duration) -> Verdict {
    let is_met = age.is_some_and(|age| age <= TimeDelta::from_std(longest).unwrap_or(TimeDelta::MAX));
    let shown = age.map_or_else(|| "ages".to_owned(), span);
    let (limit, age_seconds) = (format_duration(longest), age.map(TimeDelta::as_seconds_f64));
    let (result, message) = match is_met {
        true => (GateResult::Met, format!("last pulled {shown} ago, at most {limit} allowed")),
        false => (GateResult::Unmet, format!("last pulled {shown} ago, longer than {limit}")),
    };
    let threshold = longest.as_secs_f64();
    Verdict { gate: Requirement::MaxAge, result, figure: age_seconds, threshold, message }
}

fn judge_replicas((answered, listed): (u32, u32), least: u32) -> Verdict {
    let shown = format!("{answered} of {listed} replicas answered");
    let (result, message) = match answered >= least {
        true => (GateResult::Met, format!("{shown}, at least {least} required")),
        false => (GateResult::Unmet, format!("{shown}, fewer than {least}")),
    };
    let (figure, threshold) = (Some(answered.into()), least.into());
    Verdict { gate: Requirement::MinReplicas, result, figure, threshold, message }
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

    fn unmet_of(gate: Gate, data: &GateData) -> String {
        let verdicts = gate.judge(data, now()).into_iter().filter(Verdict::is_unmet);
        verdicts.map(|verdict| verdict.message).collect::<Vec<_>>().join("\n")
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
            assert_eq!(unmet_of(gate, &data), unmet, "{gate:?} {data:?}");
        }
    }

    #[test]
    fn requirements_that_are_not_met_are_told_together() {
        let gate = Gate { max_age: max_age(1).max_age, min_replicas: Some(9), ..fail_under("90") };
        assert_eq!(unmet_of(gate, &data(1, 2)).lines().count(), 3);
        assert_eq!(unmet_of(gate.without_threshold(), &data(1, 2)).lines().count(), 2);
    }

    #[test]
    fn a_verdict_has_the_figure_and_the_threshold() {
        let gate = Gate { max_age: max_age(40).max_age, min_replicas: Some(3), ..fail_under("49.5") };
        let verdicts = gate.judge(&data(1, 2), now());
        let figures: Vec<_> = verdicts
            .iter()
            .map(|it| (it.gate, it.is_unmet(), it.figure, it.threshold, &*it.message))
            .collect();
        assert_eq!(
            figures,
            [
                (
                    Requirement::FailUnder,
                    false,
                    Some(50.0),
                    49.5,
                    "50.0% (1 of 2 statements), at least 49.5% required"
                ),
                (
                    Requirement::MaxAge,
                    false,
                    Some(1800.0),
                    2400.0,
                    "last pulled 30m ago, at most 40m allowed"
                ),
                (Requirement::MinReplicas, true, Some(2.0), 3.0, "2 of 3 replicas answered, fewer than 3"),
            ]
        );
    }
}
