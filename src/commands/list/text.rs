//! The table of a list.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use comfy_table::Color;

use crate::address::shown_url;
use crate::commands::table::{Column, without_middle};
use crate::commands::{Context, show};
use crate::coverage::percent_text;
use crate::fleet::earlier_commits::EarlierCommits;
use crate::fleet::service_state::{ServiceLine, ServiceState, suspicion_counts};
use crate::fleet::services::Fleet;
use crate::names::in_message;

/// Columns of the table. The source of targets is empty for services of a center.
const COLUMNS: [Column; 13] = [
    Column::whole_name("SERVICE"),
    Column::part("ENV"),
    Column::part("REGION"),
    Column::shortened_part("APP"),
    Column::part("BRANCH"),
    Column::part("COMMIT"),
    Column::new("REPLICAS"),
    Column::ranked(3, "TARGETS").optional().shortened_first(),
    Column::new("TOTAL"),
    Column::ranked(1, "CHANGED"),
    Column::ranked(0, "SEEN"),
    Column::ranked(2, "NEXT PULL"),
    Column::wrapped("STATE").with_details(),
];

/// Facts for the lines below the table.
pub(super) struct Below<'a> {
    /// The commits that were left out.
    pub(super) earlier: &'a EarlierCommits,
    pub(super) fleet: &'a Fleet,
    /// Warnings name the centers and sources that are not asked any more.
    pub(super) tells_unasked: bool,
}

/// Writes the table. Lines below it have what no cell had room for, and the commits that were left out.
pub(super) fn write(
    lines: &[ServiceLine<'_>],
    below: &Below<'_>,
    context: &Context,
    out: &mut dyn Write,
) -> io::Result<()> {
    if lines.is_empty() && !context.is_quiet {
        return Ok(());
    }
    let now = context.now();
    let cells = |line: &ServiceLine<'_>| {
        let ServiceLine { entry, member, stored, state, health: _ } = line;
        let next = match line.next_pull(context.config.pull.waits(), now) {
            Some(at) if at <= now => "now".to_owned(),
            Some(at) => format!("in {}", show::span(at - now)),
            None => String::new(),
        };
        let total = stored.map(|stored| percent_text(stored.cover_total));
        [
            show::cell(&member.name),
            show::cell(&entry.key.env),
            show::cell(&entry.key.region),
            show::cell(&entry.key.app),
            show::cell(&member.branch),
            show::cell(&entry.key.commit),
            show::cell(&format!("{}/{}", line.up(), member.addresses().count())),
            show::cell(&line.source_names().into_iter().collect::<Vec<_>>().join(" ")),
            show::cell(&total.unwrap_or_default()),
            show::cell(&show::ago(entry.schedule.last_change_at, now)),
            show::cell(&show::ago(member.last_seen, now)),
            show::cell(&next),
            show::colored(context, &line.state_text(now), color(*state)),
        ]
    };
    if show::write_table(context, &COLUMNS, lines, cells, out)? {
        let unasked = if below.tells_unasked { Vec::new() } else { unasked(lines, below.fleet, context) };
        let mut sentences = unasked.into_iter().chain(suspicions(lines));
        sentences.try_for_each(|line| show::write_sentence(context, &line, out))?;
    }
    let earlier = below.earlier;
    match earlier.count {
        0 => Ok(()),
        _ => writeln!(out, "{}", sentence(earlier, context.environment.stdout_width)),
    }
}

/// Returns a line for each of some centers and sources whose services are offline because nobody asks them any more.
fn unasked(lines: &[ServiceLine<'_>], fleet: &Fleet, context: &Context) -> Vec<String> {
    const NAMED: usize = 3;
    if lines.iter().all(|line| line.not_asked_since().is_none()) {
        return Vec::new();
    }
    let centers =
        fleet.unasked.iter().map(|(url, unasked)| (format!("center \"{}\"", shown_url(url)), unasked));
    let sources = fleet.unasked_sources.iter();
    let sources = sources.map(|(name, unasked)| (format!("targets \"{}\"", in_message(name)), unasked));
    let all: Vec<_> = centers.chain(sources).collect();
    let since = |at| show::moment(at, context.now());
    let named = all.iter().take(NAMED).map(|(what, unasked)| {
        format!("{}: {what} is not asked since {}", ServiceState::Offline.phrase(), since(unasked.since))
    });
    let more = all.len().saturating_sub(NAMED);
    named.chain((more > 0).then(|| format!("and {more} more are not asked"))).collect()
}

/// Returns `2 dead, 1 suspect: cart, pay and 3 more apps (--explain APP tells more)` for the addresses that `prune` found failing.
fn suspicions(lines: &[ServiceLine<'_>]) -> Option<String> {
    const NAMED: usize = 3;
    const LONGEST: usize = 24;
    let found: BTreeMap<&str, bool> = lines.iter().flat_map(ServiceLine::suspicions).collect();
    let dead = found.values().filter(|is_dead| **is_dead).count();
    let counts: Vec<String> = suspicion_counts(found.len() - dead, dead).collect();
    let is_concerned = |line: &&ServiceLine<'_>| line.suspicions().next().is_some();
    let apps: BTreeSet<&str> =
        lines.iter().filter(is_concerned).map(|line| line.entry.key.app.as_str()).collect();
    let named = apps.iter().take(NAMED).map(|app| without_middle(&in_message(app), LONGEST).into_owned());
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match apps.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {}", show::count(more, "more apps")),
    };
    (!found.is_empty()).then(|| format!("{}: {named}{more} (--explain APP tells more)", counts.join(", ")))
}

/// Returns `and 11 earlier commits of cart, --all`. The middle of a long app is left out, so that the line fits.
fn sentence(earlier: &EarlierCommits, width: Option<usize>) -> String {
    let commits = show::count(earlier.count, "earlier commits");
    let mut apps = earlier.apps.iter();
    let (Some(app), None) = (apps.next(), apps.next()) else {
        return format!("and {commits} of {} apps, --all", earlier.apps.len());
    };
    let around = format!("and {commits} of , --all").len();
    let app = in_message(app);
    let app = width.map_or(app.as_ref().into(), |width| without_middle(&app, width.saturating_sub(around)));
    format!("and {commits} of {app}, --all")
}

/// Returns the color of a state.
fn color(state: ServiceState) -> Color {
    match state {
        ServiceState::Ok => Color::Green,
        ServiceState::Partial
        | ServiceState::OtherBuild
        | ServiceState::StaleName
        | ServiceState::Overdue => Color::Yellow,
        ServiceState::Unreachable => Color::Red,
        ServiceState::Offline | ServiceState::NeverPulled => Color::Grey,
    }
}
