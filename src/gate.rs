//! The requirements of a gate for coverage, age and replicas, and the verdicts about them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use humantime::format_duration;
use serde::Serialize;

use crate::coverage::{Coverage, Threshold, percent_text};
use crate::fleet::row::Row;
use crate::names::printable;
use crate::phrases;
use crate::time::{iso, span};

/// The requirements; `None` requires nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    /// The lowest percentage of all statements.
    pub(crate) fail_under: Option<Threshold>,
    /// The longest time since the last pull that got an answer.
    pub(crate) max_age: Option<Duration>,
    /// The fewest replicas that answered at the last pull.
    pub(crate) min_replicas: Option<u32>,
    /// The most percentage points by which the total may be lower than before.
    pub(crate) max_drop: Option<Threshold>,
}

/// The way in which the earlier state was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum HowBefore {
    /// An option named it.
    Named,
    /// The commit is the nearest stored ancestor in git.
    Git,
    /// The commit is the one that was stored before on the same branch.
    Time,
}

/// The state before, with which a total is compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Before {
    /// Number of the row; `None` for a group.
    pub(crate) id: Option<i64>,
    /// Numbers of all its rows, ascending: one of a service, several of a group.
    pub(crate) rows: Vec<i64>,
    /// Apps of a group that have no data in this state.
    pub(crate) missing: Vec<String>,
    pub(crate) env: String,
    pub(crate) region: String,
    pub(crate) branch: String,
    pub(crate) commit: String,
    pub(crate) stored_at: String,
    /// Executed and all statements; `None` for a row that another program stored.
    pub(crate) covered: Option<u64>,
    pub(crate) total: Option<u64>,
    pub(crate) percent: f64,
    pub(crate) chosen_by: HowBefore,
    /// Its lines can be compared, too.
    #[serde(skip)]
    pub(crate) has_profile: bool,
}

impl Before {
    /// Returns the state of a row.
    pub(crate) fn from_row(row: &Row, chosen_by: HowBefore) -> Self {
        let Row { id, key, branch, created_at, cover_total, stats, deleted_at, .. } = row;
        let coverage = stats.as_ref().map(|stats| stats.coverage);
        Self {
            id: Some(id.0),
            rows: vec![id.0],
            missing: Vec::new(),
            env: key.env.clone(),
            region: key.region.clone(),
            branch: branch.clone(),
            commit: key.commit.clone(),
            stored_at: iso(*created_at),
            covered: coverage.map(|coverage| coverage.covered),
            total: coverage.map(|coverage| coverage.total),
            percent: *cover_total,
            chosen_by,
            has_profile: deleted_at.is_none(),
        }
    }

    /// Returns the same state with only a part of its files.
    pub(crate) fn of_part(self, coverage: Coverage) -> Self {
        let (covered, total) = (Some(coverage.covered), Some(coverage.total));
        Self { covered, total, percent: coverage.percent(), ..self }
    }

    fn coverage(&self) -> Option<Coverage> {
        let (covered, total) = (self.covered?, self.total?);
        Some(Coverage { covered, total })
    }
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
    /// No mark in the source is stale.
    FailOnStaleMark,
    MaxAge,
    MinReplicas,
    /// The total is not lower than before by more than so many points.
    MaxDrop,
}

impl Requirement {
    /// Tells whether it is about what was executed in a state, without a comparison with another one.
    pub(crate) fn is_of_coverage(self) -> bool {
        match self {
            Self::FailUnder | Self::FailUnderPackage | Self::FailUnderChanged | Self::FailMissed => true,
            Self::FailOnLost
            | Self::FailOnUnmeasured
            | Self::FailOnStaleMark
            | Self::MaxAge
            | Self::MinReplicas
            | Self::MaxDrop => false,
        }
    }
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
        let Self { fail_under, max_age, min_replicas, max_drop: _ } = self;
        let coverage = fail_under.map(|threshold| judge_coverage(Requirement::FailUnder, data, threshold));
        let age = max_age.map(|longest| judge_age(data.last_pull.map(|at| now - at), longest));
        let replicas = min_replicas.map(|least| judge_replicas(data.replicas.unwrap_or_default(), least));
        coverage.into_iter().chain(age).chain(replicas).collect()
    }

    /// Judges the total of rows by that of the state before; without one, `lack` is the reason.
    pub(crate) fn judge_drop(
        &self,
        rows: &[i64],
        data: &GateData,
        before: &Result<Before, String>,
    ) -> Option<Verdict> {
        let most = self.max_drop?;
        Some(match before {
            Ok(before) => judge_drop(rows, data, before, most),
            Err(lack) => Verdict {
                gate: Requirement::MaxDrop,
                result: GateResult::NotApplied,
                figure: None,
                threshold: most.percent(),
                message: format!("{lack}, gate not applied (--max-drop)"),
            },
        })
    }
}

/// Judges the percentage of statements.
pub(crate) fn judge_coverage(gate: Requirement, data: &GateData, threshold: Threshold) -> Verdict {
    let (is_met, figure, more) = match data.coverage {
        Some(coverage) => (
            coverage.meets(threshold),
            format!("{coverage} ({} of {} statements)", coverage.covered, coverage.total),
            format!(", {} more to cover", coverage.missing_for(threshold)),
        ),
        None => (data.percent >= threshold.percent(), percent_text(data.percent), String::new()),
    };
    let (result, message) = match is_met {
        true => (GateResult::Met, format!("{figure}, at least {threshold} required")),
        false => (GateResult::Unmet, format!("{figure} is below {threshold}{more}")),
    };
    Verdict { gate, result, figure: Some(data.percent), threshold: threshold.percent(), message }
}

/// Returns the change of a total since the state before in percentage points, if verdicts are about one.
pub(crate) fn delta(verdicts: &[Verdict]) -> Option<f64> {
    let of_drop = verdicts.iter().find(|verdict| verdict.gate == Requirement::MaxDrop)?;
    // Without a change, -drop would be written as -0.0.
    of_drop.figure.map(|drop| 0.0 - drop)
}

/// Judges a total by that of the state before.
fn judge_drop(rows: &[i64], data: &GateData, before: &Before, most: Threshold) -> Verdict {
    let drop = before.percent - data.percent;
    let is_met = match (data.coverage, before.coverage()) {
        (Some(now), Some(before)) => !now.fell_by_more(before, most),
        _ => drop <= most.percent(),
    };
    let figure = |coverage: Option<Coverage>, percent: f64, rows: &[i64]| match coverage {
        Some(it) => format!("{it} ({} of {} statements, {}", it.covered, it.total, phrases::rows(rows)),
        None => format!("{} ({}", percent_text(percent), phrases::rows(rows)),
    };
    let missing: Vec<_> = before.missing.iter().map(|app| printable(app)).collect();
    let missing =
        if missing.is_empty() { String::new() } else { format!(", without {}", missing.join(", ")) };
    let how = match before.chosen_by {
        HowBefore::Named => "--against",
        HowBefore::Git => "the commit before it in git",
        HowBefore::Time => "the commit stored before it on its branch",
    };
    let commit = if before.commit.is_empty() {
        String::new()
    } else {
        format!(", commit {}", printable(&before.commit))
    };
    let now = figure(data.coverage, data.percent, rows);
    let then = figure(before.coverage(), before.percent, &before.rows);
    let then = format!("{then}{missing}{commit}, {how})");
    let (by, most_shown) = (points(drop.abs()), most.number());
    let (result, message) = match is_met {
        false => (GateResult::Unmet, format!("{now}) is {by} below {then}, more than {most_shown}")),
        true => {
            let change = match drop {
                drop if drop > 0.0 => format!("{by} below"),
                drop if drop < 0.0 => format!("{by} above"),
                _ => "as high as".to_owned(),
            };
            (GateResult::Met, format!("{now}) is {change} {then}, at most {most_shown} below allowed"))
        }
    };
    Verdict { gate: Requirement::MaxDrop, result, figure: Some(drop), threshold: most.percent(), message }
}

/// Returns a number of percentage points with up to two decimal places, never as 0.
fn points(number: f64) -> String {
    let text = format!("{:.2}", number.max(0.01));
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "1" { "1 point".to_owned() } else { format!("{text} points") }
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
    let shown = format!("{} answered", phrases::replicas(answered, listed));
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
        let meant = share.number();
        format!("{setting} {threshold} is less than one percent; write {meant} for {meant} percent")
    })
}

/// Says in each verdict about coverage how that is counted; `words` end its message.
pub(crate) fn name_in_coverage(verdicts: &mut [Verdict], words: &str) {
    for Verdict { message, .. } in verdicts.iter_mut().filter(|verdict| verdict.gate.is_of_coverage()) {
        message.push_str(words);
    }
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

    fn before(coverage: Option<(u64, u64)>, percent: f64, chosen_by: HowBefore) -> Before {
        let [env, region, branch, commit] = ["staging", "th", "main", "0123456"].map(str::to_owned);
        let (covered, total) = coverage.unzip();
        Before {
            id: Some(5),
            rows: vec![5],
            missing: Vec::new(),
            env,
            region,
            branch,
            commit,
            stored_at: iso(now()),
            covered,
            total,
            percent,
            chosen_by,
            has_profile: true,
        }
    }

    #[test]
    fn a_total_may_be_lower_than_before_by_some_points() {
        let by_git = |covered, total| {
            let percent = Coverage { covered, total }.percent();
            before(Some((covered, total)), percent, HowBefore::Git)
        };
        let by_other = before(None, 50.4, HowBefore::Named);
        for (most, data, before, expected) in [
            (
                "0.5",
                data(499, 1000),
                by_git(504, 1000),
                "Met: 49.9% (499 of 1000 statements, row 9) is 0.5 points below 50.4% (504 of 1000 statements, row 5, \
                 commit 0123456, the commit before it in git), at most 0.5 below allowed",
            ),
            (
                "0.49",
                data(499, 1000),
                by_git(504, 1000),
                "Unmet: 49.9% (499 of 1000 statements, row 9) is 0.5 points below 50.4% (504 of 1000 statements, row 5, \
                 commit 0123456, the commit before it in git), more than 0.49",
            ),
            (
                "0",
                data(2, 3),
                by_git(4, 6),
                "Met: 66.7% (2 of 3 statements, row 9) is as high as 66.7% (4 of 6 statements, row 5, commit 0123456, \
                 the commit before it in git), at most 0 below allowed",
            ),
            (
                "0",
                data(499_999, 1_000_000),
                by_other,
                "Unmet: 50.0% (499999 of 1000000 statements, row 9) is 0.4 points below 50.4% (row 5, commit 0123456, \
                 --against), more than 0",
            ),
        ] {
            let gate = Gate { max_drop: Some(most.parse().unwrap()), ..Gate::default() };
            let verdict = gate.judge_drop(&[9], &data, &Ok(before)).unwrap();
            assert_eq!(format!("{:?}: {}", verdict.result, verdict.message), expected);
        }
        let gate = Gate { max_drop: Some("1".parse().unwrap()), ..Gate::default() };
        let verdict =
            gate.judge_drop(&[9], &data(1, 2), &Err("nothing was stored before".to_owned())).unwrap();
        assert_eq!((verdict.result, verdict.figure), (GateResult::NotApplied, None));
        assert_eq!(verdict.message, "nothing was stored before, gate not applied (--max-drop)");
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
