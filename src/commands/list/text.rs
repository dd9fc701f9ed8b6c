//! The table of a list.

use std::io::{self, Write};

use comfy_table::Color;

use crate::commands::table::{Column, without_middle};
use crate::commands::{Context, show};
use crate::coverage::percent_text;
use crate::fleet::earlier_commits::EarlierCommits;
use crate::fleet::service_state::{ServiceLine, ServiceState};
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
    Column::ranked(3, "TARGETS").optional(),
    Column::new("TOTAL"),
    Column::ranked(1, "CHANGED"),
    Column::ranked(0, "SEEN"),
    Column::ranked(2, "NEXT PULL"),
    Column::wrapped("STATE"),
];

/// Writes the table, and a line for the commits that were left out.
pub(super) fn write(
    lines: &[ServiceLine<'_>],
    earlier: &EarlierCommits,
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
    show::write_table(context, &COLUMNS, lines, cells, out)?;
    match earlier.count {
        0 => Ok(()),
        _ => writeln!(out, "{}", sentence(earlier, context.environment.stdout_width)),
    }
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
