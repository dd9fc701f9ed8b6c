//! The lines of a list: the services that were asked for, with their stored figures.

use std::collections::BTreeSet;

use anyhow::Result;

use super::order::SortKey;
use super::{ListArgs, ListFormat};
use crate::commands::Context;
use crate::fleet::app_group::{AppGroup, pick_all};
use crate::fleet::earlier_commits::{EarlierCommits, leave_out_earlier};
use crate::fleet::ids::ServiceId;
use crate::fleet::key_entry::ServiceName;
use crate::fleet::pick::{pick_by_fields, pick_names};
use crate::fleet::service_state::{AddressHealth, ServiceLine};
use crate::fleet::services::Fleet;
use crate::io::store::Store;
use crate::names::in_message;

/// The names that each argument means; `None`: all services are asked for.
type AskedNames = Option<Vec<BTreeSet<ServiceId>>>;

/// Returns the lines that the arguments ask for, and the commits that were left out of them.
pub(super) fn read<'a>(
    args: &ListArgs,
    fleet: &'a Fleet,
    store: Option<&Store>,
    health: &'a AddressHealth,
    context: &Context,
) -> Result<(Vec<ServiceLine<'a>>, EarlierCommits)> {
    if fleet.entries.is_empty() {
        return Ok(Default::default());
    }
    let asked = asked_names(args, fleet, &context.config.groups)?;
    let is_asked = |member: &ServiceName| {
        asked.as_ref().is_none_or(|names| names.iter().any(|names| names.contains(&member.id)))
    };
    let dropped = store.map(Store::dropped_keys).transpose()?.unwrap_or_default();
    let overdue_before = context.config.pull.steps.overdue_before(context.now());
    let mut lines = Vec::new();
    for entry in &fleet.entries {
        let row = match store {
            Some(store) => store.latest(&entry.key)?,
            None => None,
        };
        if entry.is_gone(row.as_ref(), &dropped) {
            continue;
        }
        for member in entry.members.iter().filter(|member| is_asked(member)) {
            lines.push(ServiceLine::new(member, entry, row.as_ref(), health, overdue_before));
        }
    }
    lines.retain(|line| args.states.is_empty() || args.states.contains(&line.state));
    let earlier = match args.leaves_out_earlier() {
        true => {
            let kept = kept_names(asked, &lines, args.format);
            leave_out_earlier(&mut lines, |line| kept.contains(&line.member.id))
        }
        false => EarlierCommits::default(),
    };
    // Scripts and metrics have had the order of names since the first release.
    let default = if args.format == ListFormat::Text { SortKey::State } else { SortKey::Name };
    args.sort.unwrap_or(default).sort(&mut lines);
    Ok((lines, earlier))
}

fn asked_names(args: &ListArgs, fleet: &Fleet, groups: &[AppGroup]) -> Result<AskedNames> {
    let entries = &fleet.entries;
    let mut asked = Vec::new();
    for service in &args.services {
        let query = args.query(service);
        asked.extend(pick_all(&query, groups, entries, |query| pick_names(query, entries))?);
    }
    if !asked.is_empty() {
        return Ok(Some(asked));
    }
    let everything = args.query("");
    if everything.is_everything() {
        return Ok(None);
    }
    let admitted = pick_by_fields(&everything, &fleet.entries)?;
    Ok(Some(vec![admitted.into_iter().map(|(_, member)| member.id).collect()]))
}

/// Returns the names whose offline commits stay in the table: all names that an argument means, if none of them runs.
/// Metrics keep none, because otherwise the end of a service would add many series.
fn kept_names(asked: AskedNames, lines: &[ServiceLine<'_>], format: ListFormat) -> BTreeSet<ServiceId> {
    if format != ListFormat::Text {
        return BTreeSet::new();
    }
    let listed = lines.iter().filter(|line| line.state.is_listed());
    let running: BTreeSet<ServiceId> = listed.map(|line| line.member.id).collect();
    asked.into_iter().flatten().filter(|names| names.is_disjoint(&running)).flatten().collect()
}

/// Returns the message in place of an empty table, so that a mistake in the options or in the root is noticed.
pub(super) fn nothing_to_show(args: &ListArgs, fleet: &Fleet, context: &Context) -> String {
    let is_everything = args.services.is_empty() && args.query("").is_everything();
    if fleet.entries.is_empty() || is_everything && args.states.is_empty() {
        let root = context.workdir.root().display().to_string();
        return format!("no service is listed, and no service is stored in \"{}\"", in_message(&root));
    }
    let why = match (args.states.is_empty(), args.services.is_empty()) {
        (false, true) if is_everything => "no service has this state",
        (false, _) => "none of these services has this state",
        (true, true) => "no service has these fields",
        (true, false) => "no data of these services is left",
    };
    format!("{why}; `goc-watchdog list` shows all")
}
