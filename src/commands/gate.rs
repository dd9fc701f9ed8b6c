//! The options of a gate, and the printing of its verdicts.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::commands::{self, Context};
use crate::config::{parse_age, parse_whole};
use crate::coverage::Threshold;
use crate::gate::{Before, Gate, GateResult, Requirement, Verdict, doubt};
use crate::names::printable;
use crate::report::gate::ChangesGate;

/// The requirements of a gate. The exit code is 5 if one is not met.
#[derive(Args, Debug)]
pub(crate) struct GateArgs {
    /// Fail if the percentage of all statements is lower, or that of the changed lines in a report of changes. The exact
    /// value counts, not the rounded one.
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true)]
    fail_under: Option<Threshold>,

    /// Fail if the last pull with an answer is longer ago.
    #[arg(long, value_name = "DURATION", value_parser = parse_age, allow_hyphen_values = true)]
    max_age: Option<Duration>,

    /// Fail if fewer replicas answered at the last pull.
    #[arg(long, value_name = "N", value_parser = parse_whole::<u32>, allow_hyphen_values = true)]
    min_replicas: Option<u32>,

    /// Fail if the percentage of all statements is more than POINTS percentage points below that of the commit before on
    /// the branch, or below that of the row or service of --against.
    #[arg(long, value_name = "POINTS", value_parser = parse_points, allow_hyphen_values = true, conflicts_with_all = ["carry", "with"])]
    max_drop: Option<Threshold>,
}

/// Reads a number of percentage points.
fn parse_points(text: &str) -> Result<Threshold, String> {
    text.parse().map_err(|_| {
        format!("\"{}\" is no number of percentage points from 0 to 100, such as \"0.5\"", printable(text))
    })
}

impl GateArgs {
    pub(crate) fn gate(&self) -> Gate {
        let Self { fail_under, max_age, min_replicas, max_drop } = *self;
        Gate { fail_under, max_age, min_replicas, max_drop }
    }

    /// Prints a warning about a threshold that was probably meant as a share.
    pub(crate) fn tell_doubts(&self) {
        self.fail_under
            .and_then(|threshold| doubt("--fail-under", threshold))
            .into_iter()
            .for_each(commands::warn);
    }
}

/// The requirements of changed lines.
#[derive(Args, Debug)]
pub(crate) struct ChangesGateArgs {
    /// Fail if more changed lines were missed.
    #[arg(long, value_name = "N", value_parser = parse_whole::<u64>, allow_hyphen_values = true)]
    fail_missed: Option<u64>,

    /// Apply --fail-under and --fail-missed only if at least N changed lines count.
    #[arg(long, value_name = "N", value_parser = parse_whole::<u64>, allow_hyphen_values = true)]
    min_changed: Option<u64>,

    /// Fail for this reason; may be given several times.
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    fail_on: Vec<FailOn>,
}

/// The error for a gate about marks that are not read.
pub(crate) const STALE_WITHOUT_MARKS: &str =
    "--fail-on stale-mark is about marks in the source: give --ignore-marked";

/// A reason for which a report fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// With --against: lost coverage, which is code that was executed there, did not change, and is not executed here.
    Lost,
    /// Changed code that is in no profile, such as that of a package that is not linked into the program.
    Unmeasured,
    /// With --ignore-marked: a mark whose code was executed, that gives no reason, or that takes out no statement.
    StaleMark,
}

impl ChangesGateArgs {
    pub(crate) fn gate(&self) -> ChangesGate {
        let Self { fail_missed, min_changed, fail_on } = self;
        ChangesGate {
            fail_missed: *fail_missed,
            min_changed: *min_changed,
            forbids_lost: fail_on.contains(&FailOn::Lost),
            forbids_unmeasured: fail_on.contains(&FailOn::Unmeasured),
        }
    }

    /// Tells whether an option about changes was given.
    pub(crate) fn is_given(&self) -> bool {
        self.gate() != ChangesGate::default()
    }

    /// Tells whether a stale mark fails.
    pub(crate) fn forbids_stale_marks(&self) -> bool {
        self.fail_on.contains(&FailOn::StaleMark)
    }

    /// Fails if an option can have no effect.
    pub(crate) fn check(&self, gate: Gate, is_against: bool, ignores_marked: bool) -> Result<(), String> {
        if self.forbids_stale_marks() && !ignores_marked {
            return Err(STALE_WITHOUT_MARKS.to_owned());
        }
        if self.fail_on.contains(&FailOn::Lost) && !is_against {
            return Err(
                "--fail-on lost compares with another state: give --against ROW|MARK|SERVICE".to_owned()
            );
        }
        if self.min_changed.is_some() && self.fail_missed.is_none() && gate.fail_under.is_none() {
            return Err("--min-changed is for --fail-under or --fail-missed".to_owned());
        }
        Ok(())
    }
}

/// The service or group that verdicts are about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) name: &'a str,
    pub(crate) is_group: bool,
    /// Options with which `report` shows the same state, each after a space; none if the name is enough.
    pub(crate) options: &'a str,
}

/// Prints the verdicts about a service: the requirements that are not met with the commands that show more, those that
/// were not applied, comparisons with the state before, and at a terminal or with `--verbose` all others.
pub(crate) fn tell_verdicts(
    verdicts: &[Verdict],
    judged: Judged<'_>,
    before: Option<&Before>,
    context: &Context,
) {
    let name = judged.name;
    let (mut told, mut looks) = (Vec::new(), Vec::new());
    for Verdict { gate, result, message, .. } in verdicts {
        if told.contains(&message) {
            continue;
        }
        match result {
            GateResult::Unmet => {
                commands::fail(format_args!("{name}: {message}"));
                let look = look(*gate, judged, before);
                if !looks.contains(&look) {
                    looks.push(look);
                }
            }
            GateResult::NotApplied => context.tell(format_args!("{name}: {message}")),
            GateResult::Met if *gate == Requirement::MaxDrop => {
                context.tell(format_args!("{name}: {message}"));
            }
            GateResult::Met if context.has_spectator() => commands::inform(format_args!("{name}: {message}")),
            GateResult::Met => {}
        }
        told.push(message);
    }
    for look in looks {
        commands::fail(format_args!("see {look}"));
    }
}

/// Returns the command that shows more about a requirement.
fn look(gate: Requirement, judged: Judged<'_>, before: Option<&Before>) -> String {
    let Judged { name, is_group, options } = judged;
    match gate {
        Requirement::FailUnder | Requirement::FailUnderPackage => {
            format!("goc-watchdog report {name}{options} --format text --sort uncovered")
        }
        Requirement::FailUnderChanged
        | Requirement::FailMissed
        | Requirement::FailOnLost
        | Requirement::FailOnUnmeasured => {
            format!("goc-watchdog report {name} --format diff, with the same options")
        }
        Requirement::FailOnStaleMark => {
            format!("goc-watchdog report {name}{options} --format text")
        }
        Requirement::MaxDrop => match before {
            Some(before) if before.has_profile && !before.commit.is_empty() => {
                let row = before.rows.last().copied().unwrap_or_default();
                format!("goc-watchdog report {name}{options} --against {row}")
            }
            _ if is_group => format!("goc-watchdog list {name} --all"),
            _ => format!("goc-watchdog history {name}"),
        },
        Requirement::MaxAge | Requirement::MinReplicas if is_group => format!("goc-watchdog list {name}"),
        Requirement::MaxAge | Requirement::MinReplicas => format!("goc-watchdog list --explain {name}"),
    }
}
