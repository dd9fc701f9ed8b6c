//! `--since`: what was executed between two stored rows.

use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use humantime::format_duration;

use crate::collect::mending::stored_profile;
use crate::commands::group::{as_one, combined};
use crate::commands::notices::told;
use crate::commands::row_name::parse_row_name;
use crate::commands::{Context, warn};
use crate::config::parse_duration;
use crate::exit::EarlyEnd;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::row::Row;
use crate::gate::{Verdict, name_in_coverage};
use crate::names::{in_message, printable};
use crate::profile::{Mode, Profile, grown};
use crate::report::{GroupFacts, SinceFacts, StoredMoment};
use crate::source::{GroupState, RowName, SinceChoice};
use crate::time::{iso, minute, parse_moment};

/// The option of executions between two rows.
#[derive(Args, Debug)]
pub(crate) struct SinceArgs {
    /// Count as covered only what was executed since a stored row: its number, the name that pull --mark gave it, or the
    /// newest row that is at least so old (2h) or was stored by a time (2026-11-30 14:20, in UTC).
    #[arg(long, value_name = "ROW|TIME|MARK", value_parser = parse_since)]
    #[arg(conflicts_with_all = ["carry", "with", "against", "max_drop"])]
    since: Option<SinceChoice>,
}

/// Reads the value of `--since`.
fn parse_since(text: &str) -> Result<SinceChoice, String> {
    if let Ok(number) = text.parse() {
        return Ok(SinceChoice::Row(RowName::Number(number)));
    }
    if let Ok(age) = parse_duration(text) {
        return Ok(SinceChoice::Age(age));
    }
    if let Some(at) = parse_moment(text) {
        return Ok(SinceChoice::Time(at));
    }
    parse_row_name(text).map(SinceChoice::Row).map_err(|_| {
        format!(
            "\"{}\" is neither a row, a duration (2h), a time (2026-11-30 14:20) nor a mark",
            printable(text)
        )
    })
}

impl SinceArgs {
    pub(crate) fn choice(&self) -> Option<&SinceChoice> {
        self.since.as_ref()
    }

    pub(crate) fn is_given(&self) -> bool {
        self.since.is_some()
    }

    /// Returns the option as it is given, after a space; empty without it.
    pub(crate) fn shown(&self) -> String {
        match &self.since {
            None => String::new(),
            Some(SinceChoice::Row(name)) => format!(" --since {name}"),
            Some(SinceChoice::Age(age)) => {
                format!(" --since {}", format_duration(*age).to_string().replace(' ', ""))
            }
            Some(SinceChoice::Time(at)) => format!(" --since {}", iso(*at)),
        }
    }
}

/// What was executed between two stored states.
pub(crate) struct Since {
    /// The counts that grew.
    pub(crate) profile: Profile,
    pub(crate) facts: SinceFacts,
}

/// Finds what was executed in a service since a row. `profile` is that of the later row, and `rows` are all rows.
pub(crate) fn since(
    choice: &SinceChoice,
    (row, profile): (&Row, &Profile),
    rows: &[Row],
    context: &Context,
) -> Result<Since> {
    let before = choice.row_before(row, rows, context.now())?;
    let earlier = told(stored_profile(before, &context.workdir)?);
    let grown = grown(&earlier, profile).map_err(|differ| {
        anyhow!(EarlyEnd::Refused(format!(
            "row {} is of another build than row {}: they differ in \"{}\"",
            before.id.0,
            row.id.0,
            in_message(&differ.file)
        )))
    })?;
    let is_set = grown.profile.mode == Mode::Set;
    let facts = SinceFacts { from: moment(before), until: moment(row), is_set, fallen: grown.fallen };
    Ok(Since { profile: grown.profile, facts })
}

/// Returns the moment of a row.
pub(crate) fn moment(row: &Row) -> StoredMoment {
    StoredMoment {
        rows: vec![row.id.0],
        stored_at: row.created_at,
        mark: row.mark.clone(),
        replicas: row.stats.as_ref().map(|stats| (stats.answered, stats.listed)),
    }
}

/// Returns the profiles of a group's apps as one with the facts about them, or what was executed in them since a row of each,
/// if there is a choice. `rows` are all rows.
pub(crate) fn combined_or_since(
    choice: Option<&SinceChoice>,
    group: &GroupState<'_>,
    rows: &[Row],
    context: &Context,
) -> Result<(Profile, Arc<GroupFacts>, Option<SinceFacts>)> {
    Ok(match choice {
        None => {
            let (profile, facts) = combined(group, "", context)?;
            (profile, facts, None)
        }
        Some(choice) => {
            let (since, facts) = combined_since(choice, group, rows, context)?;
            (since.profile, facts, Some(since.facts))
        }
    })
}

/// Finds what was executed in the apps of a group since a row of each. `rows` are all rows.
fn combined_since(
    choice: &SinceChoice,
    group: &GroupState<'_>,
    rows: &[Row],
    context: &Context,
) -> Result<(Since, Arc<GroupFacts>)> {
    if let SinceChoice::Row(RowName::Number(number)) = choice {
        let name = in_message(&group.group.name);
        bail!(EarlyEnd::Refused(format!(
            "--since {number} is a row of one app, and {name} is a group of several; give a mark or a time, or the name of \
             the app in place of {name}"
        )));
    }
    let (mut profiles, mut facts) = (Vec::new(), Vec::new());
    for member in &group.members {
        let profile = told(stored_profile(&member.row, &context.workdir)?);
        let found = since(choice, (&member.row, &profile), rows, context)?;
        profiles.push(found.profile);
        facts.push(found.facts);
    }
    let (profile, of_group) = as_one(&profiles, group, "", context);
    let facts = facts.into_iter().reduce(SinceFacts::with).expect("a group has a member");
    Ok((Since { profile, facts }, of_group))
}

/// Prints both states, what their difference cannot know, and each row after which counts moved. `rows` are the later
/// ones.
pub(crate) fn tell(
    name: &str,
    facts: &SinceFacts,
    (entries, rows): (&[KeyEntry], &[&Row]),
    context: &Context,
) {
    context.tell(format_args!("{name}: {}", facts.words()));
    for warning in facts.warnings() {
        warn(format_args!("{name}: {warning}"));
    }
    for row in rows.iter().filter(|row| row.is_latest) {
        let entry = entries.iter().find(|entry| entry.key == row.key);
        let Some(moved_at) = entry.and_then(|entry| entry.schedule.counts_moved_at) else { continue };
        let app = in_message(&row.key.app);
        context.tell(format_args!(
            "{name}: counts moved after row {} was stored, since {}; goc-watchdog pull {app} --mark NAME stores a row of now",
            row.id.0,
            minute(moved_at)
        ));
    }
}

/// Says in each verdict about coverage that only what was executed since a row counts.
pub(crate) fn name_since(verdicts: &mut [Verdict]) {
    name_in_coverage(verdicts, ", with --since");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_value_is_a_row_a_duration_a_time_or_a_mark_in_this_order() {
        let mark = |name: &str| SinceChoice::Row(RowName::Mark(name.to_owned()));
        for (text, read, shown) in [
            ("12", SinceChoice::Row(RowName::Number(12)), "12"),
            ("2h 30m", SinceChoice::Age(Duration::from_secs(9000)), "2h30m"),
            (
                "2026-11-30 14:20",
                SinceChoice::Time(parse_moment("2026-11-30T14:20:00Z").unwrap()),
                "2026-11-30T14:20:00.000Z",
            ),
            ("regression-2026-11", mark("regression-2026-11"), "regression-2026-11"),
            ("my test", mark("my test"), "\"my test\""),
        ] {
            assert_eq!(parse_since(text), Ok(read.clone()), "{text}");
            assert_eq!(SinceArgs { since: Some(read) }.shown(), format!(" --since {shown}"));
        }
        for text in ["", "15M", "2026-13-01", "--"] {
            parse_since(text).unwrap_err();
        }
    }
}
