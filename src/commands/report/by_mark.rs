//! `report --by-mark`: the functions of a service by the marks between which they were executed.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, anyhow};

use super::ReportArgs;
use super::list_of_functions::{self, ListedService};
use crate::collect::mending::stored_profile;
use crate::commands::notices::told;
use crate::commands::since::moment;
use crate::commands::{Context, warn};
use crate::exit::ExitCode;
use crate::fleet::pick::is_same_app;
use crate::fleet::row::Row;
use crate::io::signals::Signals;
use crate::io::workdir::ReadersLock;
use crate::names::in_message;
use crate::profile::{Mode, Profile, differing_file, grown};
use crate::report::diff::DiffReport;
use crate::report::{ByMark, ExecutedFunctions, FileNeeds, Report, ReportHead, SET_KNOWS_THE_FIRST, TestRun};
use crate::source::{FoundSource, SourceReader, check_texts};

/// Number of other commits whose runs are told, the newest ones.
const MOST_COMMITS: usize = 20;

/// Reports by marks.
pub(super) fn report(
    service: &str,
    args: &ReportArgs,
    context: &Context,
    signals: &Signals,
    reading: &ReadersLock,
) -> Result<ExitCode> {
    list_of_functions::list((service, "--by-mark"), args, context, (signals, reading), write)
}

fn write(listed: &ListedService<'_>) -> Result<()> {
    let ListedService { context, subject, rows, reader, filter, found, profile, .. } = listed;
    let head = subject.head(filter.words(), context.now());
    let sources = found.sources(profile, reader, false, FileNeeds { lines: true, ..FileNeeds::default() })?;
    let mut own = Report::new(head.clone(), profile, sources);
    let changes = found.changes.as_ref().map(|changes| DiffReport::new(&own, changes, filter));
    own.retain(filter);
    check_texts(&own, "functions")?;
    if profile.mode == Mode::Set {
        warn(SET_KNOWS_THE_FIRST);
    }
    let mut by_mark = ByMark::new(&own, changes.as_ref());
    let runs = Runs { context, reader, head: &head };
    if changes.is_some() {
        for rows in marked_elsewhere(&subject.row, rows) {
            runs.add_of_commit(&mut by_mark, &rows, found)?;
        }
    }
    let marked = rows.iter().filter(|row| row.key == subject.row.key && row.deleted_at.is_none());
    let marked = marked.filter(|row| row.id <= subject.row.id && row.mark.is_some());
    let mut of_service: Vec<&Row> = marked.collect();
    if of_service.last().is_none_or(|last| last.id != subject.row.id) {
        of_service.push(&subject.row);
    }
    for (run, between) in runs.between(&of_service)? {
        if let Some(file) = differing_file(&between.build, &profile.build) {
            warn(format_args!(
                "{} is of another build than row {}: what was executed before it in files in which they differ, such as \"{}\", \
                 is told of no function",
                run.until.words(),
                subject.row.id.0,
                in_message(file)
            ));
        }
        by_mark.add(run, &ExecutedFunctions::find(&own, &between, false));
    }
    listed.write(|out| by_mark.write_text(out), |out| by_mark.write_json(out))
}

/// Returns the marked rows of other commits of the app in its environment and region, by commit, the newest commit last.
fn marked_elsewhere<'r>(row: &Row, rows: &'r [Row]) -> Vec<Vec<&'r Row>> {
    let mut by_commit: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    let is_kept =
        |other: &&Row| other.deleted_at.is_none() && other.mark.is_some() && !other.key.commit.is_empty();
    for other in rows.iter().filter(|other| is_same_app(&other.key, &row.key) && other.key != row.key) {
        if is_kept(&other) {
            by_commit.entry(&other.key.commit).or_default().push(other);
        }
    }
    let mut commits: Vec<Vec<&Row>> = by_commit.into_values().collect();
    commits.sort_by_key(|rows| rows.last().map(|row| row.id));
    commits.split_off(commits.len().saturating_sub(MOST_COMMITS))
}

/// The access to the runs between marks.
struct Runs<'a> {
    context: &'a Context,
    reader: &'a SourceReader<'a>,
    head: &'a ReportHead,
}

impl Runs<'_> {
    /// Adds the runs between the marks of another commit. A commit whose source the clone lacks is named, and adds none.
    fn add_of_commit(&self, by_mark: &mut ByMark<'_>, rows: &[&Row], found: &FoundSource) -> Result<()> {
        let between = self.between(rows)?;
        let Some((TestRun { commit, .. }, newest)) = between.last() else { return Ok(()) };
        let report = match self.report_at(commit, newest, found) {
            Ok(report) => report,
            Err(error) => {
                let commit = in_message(commit);
                warn(format_args!("{error:#}; so the runs between the marks of {commit} are unknown"));
                return Ok(());
            }
        };
        let executed: Vec<ExecutedFunctions> =
            between.iter().map(|(_, profile)| ExecutedFunctions::find(&report, profile, true)).collect();
        for ((run, _), executed) in between.iter().zip(&executed) {
            by_mark.add(run.clone(), executed);
        }
        Ok(())
    }

    /// Returns the functions of a profile at its commit.
    fn report_at<'p>(&self, commit: &str, profile: &'p Profile, found: &FoundSource) -> Result<Report<'p>> {
        let object = found.at.repository.commit(commit).map_err(|_| {
            anyhow!("the clone lacks {}; git fetch gets what the remote still has", in_message(commit))
        })?;
        let at = found.at.beside(object);
        let tree = self.reader.tree(&at)?;
        let sources =
            self.reader.sources(profile, (&at, &tree), &HashMap::new(), |_| true, FileNeeds::default())?;
        let report = Report::new(self.head.clone(), profile, sources);
        check_texts(&report, "functions")?;
        Ok(report)
    }

    /// Returns the runs that end with these rows of one service, which are in order, with what they executed. The first
    /// one begins with the service. If another build of the commit ran meanwhile, a run begins at the last mark of its own
    /// build, or with that build.
    fn between(&self, rows: &[&Row]) -> Result<Vec<(TestRun, Profile)>> {
        let mut runs = Vec::new();
        // The last row of each build, the newest one last.
        let mut before: Vec<(&Row, Profile)> = Vec::new();
        for &row in rows {
            let profile = told(stored_profile(row, &self.context.workdir)?);
            if let Some(lack) = moment(row).lack_of_replicas() {
                warn(format_args!(
                    "{lack}; what the others executed before it is told of a later run, or of none"
                ));
            }
            let (commit, until) = (row.key.commit.clone(), moment(row));
            let since = before.iter().enumerate().rev();
            let since = since.map(|(at, (_, earlier))| grown(earlier, &profile).map(|grown| (at, grown)));
            let (from, executed, of_other_build) = match since.flatten().next() {
                Some((at, grown)) => {
                    let from = moment(before.remove(at).0);
                    let begin = format!("the run to it begins at {}", from.words());
                    (Some(from), grown.profile, (at < before.len()).then_some(begin))
                }
                None => {
                    let all = "the run to it has all that this build counted".to_owned();
                    (None, profile.clone(), (!before.is_empty()).then_some(all))
                }
            };
            if let Some(therefore) = of_other_build {
                warn(format_args!(
                    "{} is of another build of the commit than the mark before it; {therefore}",
                    until.words()
                ));
            }
            runs.push((TestRun { from, until, commit }, executed));
            before.push((row, profile));
        }
        Ok(runs)
    }
}
