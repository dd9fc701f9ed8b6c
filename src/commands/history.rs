//! `history`: the coverage of a service over time.

use std::io::{self, Write};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::cli::Format;
use crate::collect::fleet::stored_fleet;
use crate::commands::narrow::NarrowArgs;
use crate::commands::table::Column;
use crate::commands::{Context, show};
use crate::coverage::ChangedLines;
use crate::exit::ExitCode;
use crate::fleet::pick::{is_same_app, pick_app};
use crate::fleet::row::{Row, RowFilter};
use crate::io::store::Store;
use crate::names::in_message;

/// Show the coverage of a service over time, row by row.
///
/// The rows are all stored totals of the app in its environment and region, over all its commits, the newest last. They
/// include rows whose profile `prune` dropped.
#[derive(Args, Debug)]
pub struct HistoryArgs {
    /// Full name of the service, or any part of it that fits only one app in one environment and region.
    service: String,

    #[command(flatten)]
    narrow: NarrowArgs,

    /// Show only rows of commits that begin with this.
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,

    /// Show only the newest N rows.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub(crate) fn run(args: &HistoryArgs, context: &Context) -> Result<ExitCode> {
    let store = Store::open_read_only(&context.workdir.database())?;
    let fleet = stored_fleet(&store, &context.config.naming, context.now())?;
    let query = args.narrow.query(&args.service, None);
    let app = pick_app(&query, &fleet.entries)?;
    let commit = args.commit.as_deref().unwrap_or_default().to_ascii_lowercase();
    let mut rows = store.rows(&RowFilter { with_dropped: true, ..RowFilter::default() })?;
    rows.retain(|row| {
        is_same_app(&row.key, &app)
            && row.key.commit.starts_with(&commit)
            && query.branch.is_none_or(|branch| branch == row.branch)
    });
    let first = rows.len().saturating_sub(args.limit.unwrap_or(usize::MAX));
    let lines = (first..rows.len()).map(|index| {
        let row = &rows[index];
        let before = index.checked_sub(1).map(|before| &rows[before]);
        Ok(HistoryLine { row, before, diff: store.diff(row.id)? })
    });
    let shown = &lines.collect::<Result<Vec<HistoryLine>>>()?;
    super::tell_damages(&store);
    if rows.is_empty() && !commit.is_empty() {
        bail!("no data is stored for {} at commit \"{}\"", in_message(&app.app), in_message(&commit));
    }
    match args.format {
        Format::Json => show::print_json(&shown.iter().map(HistoryLine::object).collect::<Vec<_>>())?,
        Format::Text => print(shown, context)?,
    }
    Ok(ExitCode::Done)
}

/// A row with the one before it.
struct HistoryLine<'a> {
    row: &'a Row,
    before: Option<&'a Row>,
    /// The coverage of its changed lines, if it was computed.
    diff: Option<ChangedLines>,
}

impl HistoryLine<'_> {
    fn delta(&self) -> Option<f64> {
        self.before.map(|before| self.row.cover_total - before.cover_total)
    }

    fn object(&self) -> serde_json::Value {
        let Row {
            id, created_at, key, branch, cover_total, cov_file_path, is_latest, stats, deleted_at, ..
        } = self.row;
        json!({
            "id": id.0,
            "stored_at": show::iso(*created_at),
            "env": key.env,
            "region": key.region,
            "app": key.app,
            "branch": branch,
            "commit": key.commit,
            "percent": cover_total,
            "delta": self.delta(),
            "covered": stats.as_ref().map(|stats| stats.coverage.covered),
            "total": stats.as_ref().map(|stats| stats.coverage.total),
            "replicas": {
                "answered": stats.as_ref().map(|stats| stats.answered),
                "known": stats.as_ref().map(|stats| stats.listed),
            },
            "is_latest": is_latest,
            "cov_file_path": deleted_at.is_none().then_some(cov_file_path),
            "dropped_at": deleted_at.map(show::iso),
            "diff": self.diff,
        })
    }

    fn delta_text(&self) -> String {
        let facts = |row: &Row| row.stats.as_ref().map(|stats| stats.coverage);
        match (facts(self.row), self.before.and_then(facts)) {
            (Some(now), Some(before)) => now.since(before).to_string(),
            _ => self.delta().map(|delta| format!("{delta:+.1}")).unwrap_or_default(),
        }
    }
}

fn print(lines: &[HistoryLine<'_>], context: &Context) -> Result<()> {
    const COLUMNS: [Column; 8] = [
        Column::new("ID"),
        Column::new("STORED"),
        Column::above("COMMIT"),
        Column::ranked(1, "BRANCH"),
        Column::ranked(0, "REPLICAS"),
        Column::new("TOTAL"),
        Column::new("CHANGE"),
        Column::new("CHANGED LINES").optional(),
    ];
    let cells = |line: &HistoryLine<'_>| {
        let replicas = line.row.stats.as_ref().map(|stats| format!("{} of {}", stats.answered, stats.listed));
        [
            show::cell(&line.row.id.0.to_string()),
            show::cell(&show::minute(line.row.created_at)),
            show::cell(&line.row.key.commit),
            show::cell(&line.row.branch),
            show::cell(&replicas.unwrap_or_default()),
            show::cell(&format!("{:.1}%", line.row.cover_total)),
            show::cell(&line.delta_text()),
            show::cell(&line.diff.as_ref().map(show::changed_lines).unwrap_or_default()),
        ]
    };
    show::print_table(context, &COLUMNS, lines, cells)?;
    if context.environment.stdout_is_terminal && lines.len() > 1 {
        let totals: Vec<f64> = lines.iter().map(|line| line.row.cover_total).collect();
        writeln!(io::stdout(), "\n{}", sparkline(&totals))?;
    }
    Ok(())
}

/// Returns totals as bars between the smallest and the largest of them.
fn sparkline(totals: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let lowest = totals.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = totals.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = (highest - lowest).max(f64::MIN_POSITIVE);
    let bar = |total: &f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
        let height = ((total - lowest) / span * 7.0).round() as usize;
        BARS[height.min(7)]
    };
    let bars: String = totals.iter().map(bar).collect();
    format!("{lowest:.1}% {bars} {highest:.1}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_spans_from_the_lowest_to_the_highest() {
        assert_eq!(sparkline(&[10.0, 50.0, 80.0]), "10.0% ▁▅█ 80.0%");
        assert_eq!(sparkline(&[50.0, 50.0]), "50.0% ▁▁ 50.0%");
    }
}
