//! `history`: the coverage of a service over time.

use std::collections::HashMap;
use std::io::{self, Write};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::carry::CarriedCoverage;
use crate::cli::Format;
use crate::collect::fleet::stored_fleet;
use crate::commands::carry::CarryArgs;
use crate::commands::group::refuse_group;
use crate::commands::narrow::{NarrowArgs, among_stored};
use crate::commands::table::Column;
use crate::commands::{Context, carry, show};
use crate::config::parse_whole;
use crate::coverage::{ChangedLines, percent_text, shown_percent};
use crate::exit::ExitCode;
use crate::fleet::pick::{age, is_same_app, is_same_commit, pick_app};
use crate::fleet::row::{Row, RowFilter};
use crate::io::store::Store;
use crate::names::in_message;

/// Show the coverage of a service over time, row by row.
///
/// The rows are all stored totals of the app in its environment and region, over all its commits, the newest last. They
/// include rows whose profile `prune` dropped.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  goc-watchdog history cart")]
pub struct HistoryArgs {
    /// Full name of the service, or any part of it that fits only one app in one environment and region.
    service: String,

    #[command(flatten)]
    narrow: NarrowArgs,

    /// Show only rows of commits that begin with this.
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,

    #[command(flatten)]
    carry: CarryArgs,

    /// Show only the newest N rows.
    #[arg(long, value_name = "N", value_parser = parse_whole::<usize>, allow_hyphen_values = true)]
    limit: Option<usize>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub(crate) fn run(args: &HistoryArgs, context: &Context) -> Result<ExitCode> {
    let store = Store::open_read_only(&context.workdir.database())?;
    let fleet = stored_fleet(&store, &context.config.naming, context.now())?;
    refuse_group(&args.service, "history", context, &fleet.entries)?;
    let query = args.narrow.query(&args.service, None);
    let app = pick_app(&query, &fleet.entries).map_err(|error| among_stored(error, &[]))?;
    context.tell_namesakes(&query, &app, &fleet.entries);
    let commit = args.commit.as_deref().unwrap_or_default().to_ascii_lowercase();
    let all = store.rows(&RowFilter { with_dropped: true, ..RowFilter::default() })?;
    let rows: Vec<Row> = all.iter().filter(|row| is_same_app(&row.key, &app)).cloned().collect();
    let is_asked_for = |row: &Row| {
        let own = &row.key.commit;
        (own.starts_with(&commit) || is_same_commit(&commit, own))
            && query.branch.is_none_or(|branch| branch == row.branch)
    };
    let mut shown = lines(&rows, is_asked_for, args.limit.unwrap_or(usize::MAX));
    for line in &mut shown {
        line.diff = store.diff(line.row.id)?;
    }
    let of_carry = carry::carried_in_history(&args.carry, &app.app, (&rows, &all), is_asked_for, context)?;
    for line in &mut shown {
        line.carried = of_carry.get(&line.row.id);
    }
    super::tell_damages(&store);
    if !commit.is_empty() && !rows.iter().any(is_asked_for) {
        bail!("no data is stored for {} at commit \"{}\"", in_message(&app.app), in_message(&commit));
    }
    if rows.is_empty() {
        let of_app = fleet.entries.iter().filter(|entry| is_same_app(&entry.key, &app));
        let newest = of_app.max_by_key(|entry| age(entry)).expect("the app was found by a service");
        bail!(newest.lack_of_data());
    }
    if !rows.iter().any(is_asked_for) {
        let branch = query.branch.unwrap_or_default();
        bail!("no data is stored for {} of branch \"{}\"", in_message(&app.app), in_message(branch));
    }
    match args.format {
        Format::Json => show::print_json(&shown.iter().map(HistoryLine::object).collect::<Vec<_>>())?,
        Format::Text => print(&shown, context)?,
    }
    Ok(ExitCode::Done)
}

/// A row with the ones before it.
struct HistoryLine<'a> {
    row: &'a Row,
    /// The row before it in the output, of any commit.
    before: Option<&'a Row>,
    /// The row before it of the same commit, whether it is in the output or not.
    before_of_commit: Option<&'a Row>,
    /// The coverage of its changed lines, if it was computed.
    diff: Option<ChangedLines>,
    /// Its coverage with what is carried from the rows before it.
    carried: Option<&'a CarriedCoverage>,
}

/// Returns the newest `most` of the wanted rows, each with the ones before it. `rows` are those of one app.
fn lines(rows: &[Row], is_wanted: impl Fn(&Row) -> bool, most: usize) -> Vec<HistoryLine<'_>> {
    let mut last_of_commit = HashMap::new();
    let mut before = None;
    let mut lines = Vec::new();
    for row in rows {
        let before_of_commit = last_of_commit.insert(row.key.commit.as_str(), row);
        if is_wanted(row) {
            lines.push(HistoryLine {
                row,
                before: before.replace(row),
                before_of_commit,
                diff: None,
                carried: None,
            });
        }
    }
    lines.split_off(lines.len().saturating_sub(most))
}

impl HistoryLine<'_> {
    /// Returns the change since a row in percentage points.
    fn delta(&self, since: Option<&Row>) -> Option<f64> {
        since.map(|before| self.row.cover_total - before.cover_total)
    }

    /// Tells whether its commit began with this row.
    fn begins_commit(&self) -> bool {
        self.before_of_commit.is_none() && !self.row.key.commit.is_empty()
    }

    fn object(&self) -> serde_json::Value {
        let Row {
            id,
            created_at,
            key,
            branch,
            cover_total,
            cov_file_path,
            is_latest,
            stats,
            mark,
            deleted_at,
            ..
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
            "delta": self.delta(self.before),
            "commit_delta": self.delta(self.before_of_commit),
            "new_commit": self.begins_commit(),
            "covered": stats.as_ref().map(|stats| stats.coverage.covered),
            "total": stats.as_ref().map(|stats| stats.coverage.total),
            "replicas": {
                "answered": stats.as_ref().map(|stats| stats.answered),
                "known": stats.as_ref().map(|stats| stats.listed),
            },
            "is_latest": is_latest,
            "mark": mark,
            "cov_file_path": deleted_at.is_none().then_some(cov_file_path),
            "dropped_at": deleted_at.map(show::iso),
            "diff": self.diff,
            "percent_with_carry": self.carried.map(|carried| carried.all.percent()),
            "carried": self.carried.map(CarriedCoverage::points),
            "carried_from": self.carried.map(CarriedCoverage::origins_json),
        })
    }

    /// Returns the total with what is carried, and the points that it is above the total without.
    fn with_carry(&self) -> String {
        let shown =
            |it: &CarriedCoverage| format!("{} (+{})", percent_text(it.all.percent()), it.shown_points());
        self.carried.map(shown).unwrap_or_default()
    }

    /// Returns the change since the row before of the same commit.
    fn change(&self) -> String {
        if self.begins_commit() {
            return "new commit".to_owned();
        }
        let facts = |row: &Row| row.stats.as_ref().map(|stats| stats.coverage);
        match (facts(self.row), self.before_of_commit.and_then(facts)) {
            (Some(now), Some(before)) => now.since(before).to_string(),
            _ => self.delta(self.before_of_commit).map(|delta| format!("{delta:+.1}")).unwrap_or_default(),
        }
    }
}

fn print(lines: &[HistoryLine<'_>], context: &Context) -> Result<()> {
    const COLUMNS: [Column; 10] = [
        Column::new("ID"),
        Column::new("STORED"),
        Column::above("COMMIT"),
        Column::ranked(1, "BRANCH"),
        Column::ranked(0, "REPLICAS"),
        Column::new("TOTAL"),
        Column::new("CHANGE, POINTS"),
        Column::new("MARK").optional(),
        Column::new("WITH CARRY").optional(),
        Column::new("CHANGED LINES").optional().with_details(),
    ];
    let cells = |line: &HistoryLine<'_>| {
        let replicas = line.row.stats.as_ref().map(|stats| format!("{} of {}", stats.answered, stats.listed));
        [
            show::cell(&line.row.id.0.to_string()),
            show::cell(&show::minute(line.row.created_at)),
            show::cell(&line.row.key.commit),
            show::cell(&line.row.branch),
            show::cell(&replicas.unwrap_or_default()),
            show::cell(&percent_text(line.row.cover_total)),
            show::cell(&line.change()),
            show::cell(line.row.mark.as_deref().unwrap_or_default()),
            show::cell(&line.with_carry()),
            show::cell(&line.diff.as_ref().map(show::changed_lines).unwrap_or_default()),
        ]
    };
    show::print_table(context, &COLUMNS, lines, cells)?;
    if context.environment.stdout_is_terminal && lines.len() > 1 {
        let points: Vec<_> = lines.iter().map(|line| (line.row.cover_total, line.begins_commit())).collect();
        let width = context.environment.stdout_width.unwrap_or(usize::MAX);
        writeln!(io::stdout(), "\n{}", sparkline(&points, width))?;
    }
    Ok(())
}

/// Returns totals as bars between the lowest and the highest of them, the newest ones that fit the width. The flag of a
/// point tells that a commit begins with it; a mark stands before it.
fn sparkline(points: &[(f64, bool)], width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const MARK: char = '│';
    const LABELS: usize = "oldest 100.0%  newest 100.0%".len();
    let room = width.saturating_sub(LABELS).max(1);
    let cells = |(_, begins): &(f64, bool)| 1 + usize::from(*begins);
    let (mut shown, mut needed) = (points, points.iter().map(cells).sum::<usize>());
    while needed > room
        && let [oldest, newer @ ..] = shown
        && !newer.is_empty()
    {
        needed -= cells(oldest);
        shown = newer;
    }
    let totals = || shown.iter().map(|(total, _)| *total);
    let lowest = totals().fold(f64::INFINITY, f64::min);
    let highest = totals().fold(f64::NEG_INFINITY, f64::max);
    let span = (highest - lowest).max(f64::MIN_POSITIVE);
    let bar = |total: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
        let height = ((total - lowest) / span * 7.0).round() as usize;
        BARS[height.min(7)]
    };
    let mut bars = String::new();
    for (index, (total, begins)) in shown.iter().enumerate() {
        bars.extend((*begins && index > 0).then_some(MARK));
        bars.push(bar(*total));
    }
    let [oldest, newest] =
        [shown.first(), shown.last()].map(|point| shown_percent(point.map_or(0.0, |(total, _)| *total)));
    let [lowest, highest] = [lowest, highest].map(shown_percent);
    let is_cut = shown.len() < points.len();
    let cut = is_cut.then(|| format!("the newest {} of {} rows", shown.len(), points.len()));
    let legend = bars.contains(MARK).then(|| format!("{MARK} a new commit"));
    let scale = format!("lowest {lowest}%, highest {highest}%");
    let notes: Vec<String> = [scale].into_iter().chain(cut).chain(legend).collect();
    let length = notes.iter().map(|note| note.chars().count() + "; ".len()).sum::<usize>() - "; ".len();
    let notes = notes.join(if length <= width { "; " } else { "\n" });
    format!("oldest {oldest}% {bars} newest {newest}%\n{notes}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::at;
    use crate::fleet::ids::RowId;
    use crate::fleet::records::Key;

    fn row(id: i64, commit: &str, percent: f64) -> Row {
        let [env, region, app, commit] = ["staging", "th", "cart", commit].map(str::to_owned);
        Row {
            id: RowId(id),
            created_at: at(id),
            key: Key { env, region, app, commit },
            addresses: Vec::new(),
            branch: "main".to_owned(),
            is_latest: false,
            cov_file_path: String::new(),
            cover_total: percent,
            stats: None,
            mark: None,
            deleted_at: None,
        }
    }

    #[test]
    fn a_row_is_compared_with_the_one_before_of_its_commit() {
        let rows = [
            row(1, "aaaa", 50.0),
            row(2, "aaaa", 60.0),
            row(3, "bbbb", 10.0),
            row(4, "aaaa", 61.0),
            row(5, "bbbb", 12.5),
        ];
        let shown = |is_wanted: fn(&Row) -> bool, most| {
            let lines = lines(&rows, is_wanted, most);
            lines
                .iter()
                .map(|line| format!("{} {} {:?}", line.row.id.0, line.change(), line.delta(line.before)))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown(|_| true, 9),
            [
                "1 new commit None",
                "2 +10.0 Some(10.0)",
                "3 new commit Some(-50.0)",
                "4 +1.0 Some(51.0)",
                "5 +2.5 Some(-48.5)",
            ]
        );
        assert_eq!(shown(|_| true, 2), ["4 +1.0 Some(51.0)", "5 +2.5 Some(-48.5)"]);
        assert_eq!(shown(|row| row.id.0 >= 4, 9), ["4 +1.0 None", "5 +2.5 Some(-48.5)"]);
    }

    #[test]
    fn a_service_without_commits_begins_none() {
        let rows = [row(1, "", 50.0), row(2, "", 60.0)];
        let changes: Vec<String> = lines(&rows, |_| true, 9).iter().map(HistoryLine::change).collect();
        assert_eq!(changes, ["", "+10.0"]);
    }

    /// Returns the bars of totals; `new` marks the first one of a commit.
    fn bars(points: &[(f64, &str)], width: usize) -> String {
        let points: Vec<_> = points.iter().map(|(total, mark)| (*total, *mark == "new")).collect();
        sparkline(&points, width)
    }

    #[test]
    fn a_sparkline_goes_from_the_oldest_total_to_the_newest_and_tells_its_scale_and_new_commits() {
        assert_eq!(
            bars(&[(80.0, "new"), (50.0, ""), (10.0, "")], 80),
            "oldest 80.0% █▅▁ newest 10.0%\nlowest 10.0%, highest 80.0%",
            "the first total has nothing before it"
        );
        assert_eq!(
            bars(&[(50.0, ""), (50.0, "")], 80),
            "oldest 50.0% ▁▁ newest 50.0%\nlowest 50.0%, highest 50.0%"
        );
        assert_eq!(
            bars(&[(10.0, "new"), (80.0, ""), (10.0, "new"), (50.0, "")], 80),
            "oldest 10.0% ▁█│▁▅ newest 50.0%\nlowest 10.0%, highest 80.0%; │ a new commit"
        );
    }

    #[test]
    fn a_sparkline_has_the_newest_totals_that_fit() {
        let points = [(0.0, "new"), (80.0, ""), (40.0, "new"), (50.0, ""), (60.0, "")];
        assert_eq!(
            bars(&points, 33),
            "oldest 80.0% █│▁▃▅ newest 60.0%\nlowest 40.0%, highest 80.0%\nthe newest 4 of 5 rows\n│ a new commit"
        );
        assert_eq!(
            bars(&points, 0),
            "oldest 60.0% ▁ newest 60.0%\nlowest 60.0%, highest 60.0%\nthe newest 1 of 5 rows"
        );
    }
}
