//! `list --format prometheus`: metrics for alerts.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, Utc};

use super::super::Context;
use super::asking::Up;
use crate::address::end_of_user;
use crate::fleet::service_state::ServiceLine;
use crate::names::in_message;
use crate::prometheus::{self, Gauge, Labels};

/// A function that returns a figure of a service; `None` if it is unknown.
type MetricValue<'a> = &'a dyn Fn(&ServiceLine<'_>) -> Option<f64>;

/// Writes the figures of each service, and whether each center and source of targets answered.
pub(super) fn write(
    lines: &[ServiceLine<'_>],
    up: &Up,
    context: &Context,
    out: &mut dyn Write,
) -> io::Result<()> {
    match context.environment.stdout_is_terminal {
        true => show(lines, up, context, out),
        false => each(lines, up, context, |gauge| prometheus::write(&[gauge], &mut *out)),
    }
}

/// Makes one gauge after the other, because all of them together take hundreds of bytes for each service.
fn each(
    lines: &[ServiceLine<'_>],
    up: &Up,
    context: &Context,
    mut take: impl FnMut(Gauge<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let now = context.now();
    let coverage = |line: &ServiceLine<'_>| line.stored?.coverage;
    let last_pull = |line: &ServiceLine<'_>| line.entry.schedule.schedule.last_pull;
    let numbers: [(&'static str, &'static str, MetricValue<'_>); 9] = [
        (
            "goc_watchdog_coverage_ratio",
            "Statements executed, of all, from 0 to 1, as stored last.",
            &|line| line.stored.map(|stored| stored.cover_total / 100.0),
        ),
        ("goc_watchdog_statements_covered", "Statements executed, as stored last.", &|line| {
            coverage(line).map(|coverage| number(coverage.covered))
        }),
        ("goc_watchdog_statements", "Statements in all, as stored last.", &|line| {
            coverage(line).map(|coverage| number(coverage.total))
        }),
        ("goc_watchdog_data_timestamp_seconds", "When a pull last got an answer.", &|line| {
            last_pull(line).map(seconds)
        }),
        ("goc_watchdog_data_age_seconds", "How long that was ago when this was written.", &|line| {
            last_pull(line).map(|at| (now - at).as_seconds_f64())
        }),
        ("goc_watchdog_replicas_up", "Addresses that answered their last pull.", &|line| {
            Some(number(line.up() as u64))
        }),
        ("goc_watchdog_replicas_known", "Addresses that centers and targets list.", &|line| {
            Some(number(line.member.addresses().count() as u64))
        }),
        ("goc_watchdog_pull_errors", "Addresses that failed at their last pull.", &|line| {
            Some(number(line.failing() as u64))
        }),
        (
            "goc_watchdog_next_due_timestamp_seconds",
            "When the service, or one of its addresses that failed, is or was due to be pulled.",
            &|line| line.due(context.config.pull.waits(), context.now()).map(seconds),
        ),
    ];
    for (name, help, number) in numbers {
        let samples = lines.iter().filter_map(|line| Some((labels(line), number(line)?))).collect();
        take(Gauge { name, help, samples })?;
    }
    take_states(lines, &mut take)?;
    take_info(lines, &mut take)?;
    take(center_up(&up.centers))?;
    each_of_sources(lines, up, take)
}

/// Takes the metric whose label tells the state of each service.
fn take_states(
    lines: &[ServiceLine<'_>],
    take: &mut impl FnMut(Gauge<'_>) -> io::Result<()>,
) -> io::Result<()> {
    take(Gauge {
        name: "goc_watchdog_service_state",
        help: "Always 1; the label has the state of the service.",
        samples: lines
            .iter()
            .map(|line| {
                let mut labels = labels(line);
                labels.push(("state", line.state.word()));
                (labels, 1.0)
            })
            .collect(),
    })
}

/// Takes the metric whose labels tell the agents and sources of services, if any are known.
///
/// A metric of its own has them, because another label on a released metric would make another series of it.
fn take_info(
    lines: &[ServiceLine<'_>],
    take: &mut impl FnMut(Gauge<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let info = |line: &ServiceLine<'_>| {
        let agents: Vec<&str> = line.agents().into_iter().collect();
        let sources: Vec<&str> = line.source_names().into_iter().collect();
        (agents.join(","), sources.join(","))
    };
    let infos: Vec<(&ServiceLine<'_>, (String, String))> = lines
        .iter()
        .map(|line| (line, info(line)))
        .filter(|(_, (agents, sources))| !(agents.is_empty() && sources.is_empty()))
        .collect();
    if infos.is_empty() {
        return Ok(());
    }
    take(Gauge {
        name: "goc_watchdog_service_info",
        help: "Always 1; the labels have the kinds of its agents and the sources of targets that list it, joined by commas.",
        samples: infos
            .iter()
            .map(|(line, (agents, sources))| {
                let mut labels = labels(line);
                labels.extend([("agent", agents.as_str()), ("targets", sources.as_str())]);
                (labels, 1.0)
            })
            .collect(),
    })
}

/// Takes the metrics of sources of targets, if there are any.
fn each_of_sources(
    lines: &[ServiceLine<'_>],
    up: &Up,
    mut take: impl FnMut(Gauge<'_>) -> io::Result<()>,
) -> io::Result<()> {
    if !up.sources.is_empty() {
        take(Gauge {
            name: "goc_watchdog_targets_up",
            help: "Whether the list of the source of targets was read.",
            samples: up
                .sources
                .iter()
                .map(|(name, is_up)| (vec![("targets", name.as_str())], f64::from(u8::from(*is_up))))
                .collect(),
        })?;
    }
    let of_source = |line: &'_ ServiceLine<'_>| {
        let mut replicas: BTreeMap<String, u64> = BTreeMap::new();
        for name in line.sources() {
            *replicas.entry(name.to_owned()).or_default() += 1;
        }
        replicas
    };
    let by_source: Vec<(&ServiceLine<'_>, BTreeMap<String, u64>)> =
        lines.iter().map(|line| (line, of_source(line))).filter(|(_, of)| !of.is_empty()).collect();
    if by_source.is_empty() {
        return Ok(());
    }
    take(Gauge {
        name: "goc_watchdog_targets_known",
        help: "Addresses that the source of targets lists.",
        samples: by_source
            .iter()
            .flat_map(|(line, of)| of.iter().map(|(name, replicas)| (*line, name, *replicas)))
            .map(|(line, name, replicas)| {
                let mut labels = labels(line);
                labels.push(("targets", name));
                (labels, number(replicas))
            })
            .collect(),
    })
}

fn center_up(centers: &BTreeMap<String, bool>) -> Gauge<'_> {
    Gauge {
        name: "goc_watchdog_center_up",
        help: "Whether the center answered; 0 also where it suddenly lists nothing.",
        samples: centers
            .iter()
            .map(|(center, is_up)| (vec![("center", center.as_str())], f64::from(u8::from(*is_up))))
            .collect(),
    }
}

/// Writes the metrics for a terminal, with control characters escaped. The format itself has no escapes for them, and two
/// names may differ only in them, so a file gets them unchanged.
fn show(lines: &[ServiceLine<'_>], up: &Up, context: &Context, out: &mut dyn Write) -> io::Result<()> {
    each(lines, up, context, |gauge| {
        let mut text = Vec::new();
        prometheus::write(&[gauge], &mut text)?;
        String::from_utf8_lossy(&text)
            .split_terminator('\n')
            .try_for_each(|line| writeln!(out, "{}", in_message(line)))
    })
}

fn labels<'a>(line: &'a ServiceLine<'_>) -> Labels<'a> {
    let (key, member) = (&line.entry.key, line.member);
    // Names are unique, so all samples have different labels.
    vec![
        ("service", &member.name),
        ("env", &key.env),
        ("region", &key.region),
        ("app", &key.app),
        ("branch", &member.branch),
        ("commit", &key.commit),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn number(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "exact for 285 000 years")]
fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

/// Returns a center's URL without its credentials.
pub(super) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let rest = end_of_user(rest).map_or(rest, |at| &rest[at + 1..]);
    let listing = rest.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{listing}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_center_is_named_without_credentials() {
        assert_eq!(without_credentials("http://10.0.0.1:7777"), "http://10.0.0.1:7777");
        assert_eq!(without_credentials("https://u:p@c.example/goc?token=1"), "https://c.example/goc");
        assert_eq!(without_credentials("http://u:p@ss@c:7777#x@y"), "http://c:7777");
        assert_eq!(without_credentials("http://u:p/ss@c:7777/goc"), "http://c:7777/goc");
    }
}
