//! `report`: a stored profile laid over its source, in the forms that were asked for.

mod outputs;

use std::collections::{BTreeSet, HashMap};
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use outputs::{Outputs, RequestedOutput, RequestedOutputParser};

use crate::collect::fleet::stored_fleet;
use crate::collect::mending::stored_profile;
use crate::commands::gate::{Data, GateArgs, below};
use crate::commands::{Context, Level, show, turn};
use crate::config::AppConfig;
use crate::coverage::ChangedLines;
use crate::exit::ExitCode;
use crate::filter::{Filter, Glob};
use crate::fleet::assembly::Fleet;
use crate::fleet::ids::RowId;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::{is_same_app, pick, pick_app};
use crate::fleet::row::{Row, RowFilter};
use crate::io::signals::Signals;
use crate::io::store::Store;
use crate::io::workdir::{Reading, report_path};
use crate::names::in_message;
use crate::parallel;
use crate::profile::Profile;
use crate::report::diff::{Base, Category, Changes, Comparison, DiffReport};
use crate::report::forms::{Document, Form, Need, PAGE};
use crate::report::{FileReport, Head, NoSource, Order, Packer, Point, Previous, Report, Source, Wants};
use crate::source::changes::Asked;
use crate::source::reader::{AtCommit, NotTrusted, Revision, SourceReader, SourceTree};
use crate::time::minute;

/// Files without source that are named without `--verbose`.
const NAMED_FILES: usize = 5;

/// Report what of a service is covered: function by function, for people, or in a form that other tools read.
///
/// Needs neither Go nor a checkout: the source is read from the objects of the git repository in the
/// app's folder, at the commit of the service, which may be long gone. Without --format it prints, to the
/// byte, what `go tool cover -func` prints in a checkout of that commit, and stores it beside the profile.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ReportArgs {
    /// Full name of the service, or any unambiguous part of it; with --format site --all in place of it.
    #[arg(required_unless_present = "all")]
    pub(crate) service: Option<String>,

    /// Form of the report, and the file that it goes to; several times for several of them [default: func].
    ///
    /// Without FILE it goes to stdout, or to the file of --output; a page that would go to a terminal goes to a file
    /// in the current folder, whose name is told. A file is there whole or not at all.
    #[arg(long = "format", value_name = "FORM[=FILE]", value_parser = RequestedOutputParser)]
    pub(crate) formats: Vec<RequestedOutput>,

    /// Write the form without a file of its own to this one instead of stdout; with --format site the folder.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<std::path::PathBuf>,

    /// Report this row of the history instead of the latest.
    #[arg(long, value_name = "N")]
    pub(crate) id: Option<i64>,

    /// Report the newest row of this commit; of a service whose name tells none, where its source is.
    #[arg(long, value_name = "REV")]
    pub(crate) commit: Option<String>,

    /// Only files that this glob fits, by import path, path in the repository, or a folder above; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<Glob>,

    /// No files that this glob fits, included or not; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<Glob>,

    /// No files that say `// Code generated ... DO NOT EDIT.`.
    #[arg(long)]
    pub(crate) exclude_generated: bool,

    /// No files that the commit lacks, such as those written at build time and links that lead to none of its files;
    /// genhtml, which reads lcov, ends at each.
    #[arg(long)]
    pub(crate) exclude_without_source: bool,

    /// With --format text: what comes first.
    #[arg(long, value_enum, value_name = "ORDER", default_value_t)]
    pub(crate) sort: SortOrder,

    /// With --format text: at most so many files, 0 for all [default: 100 on a terminal, else all].
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,

    /// With the forms of changes and html: count them from this branch, tag or commit, or from its merge base with
    /// this one's; `previous` is the commit that was stored before, `parent` the first parent [default: the
    /// merge base with the default branch, or what came before on that].
    #[arg(long, value_name = "REV")]
    pub(crate) base: Option<String>,

    /// With the forms of changes and html: take them from this unified diff, `-` for stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "base")]
    pub(crate) diff_file: Option<std::path::PathBuf>,

    /// With the forms of changes and html: hold each line against another stored state of the app, the row with
    /// this number or the latest of this service, in the categories of lcov's differential coverage.
    #[arg(long, value_name = "ROW|SERVICE", conflicts_with_all = ["base", "diff_file"])]
    pub(crate) against: Option<String>,

    /// Only files that changed, in every form: a page of them is small enough for a pull request.
    #[arg(long, conflicts_with = "against")]
    pub(crate) only_changed: bool,

    /// With --against: fail when unchanged code was executed there, and is not here.
    #[arg(long, value_enum, value_name = "WHAT", requires = "against")]
    pub(crate) fail_on: Option<FailOn>,

    /// With --format site: of all services. With --format diff: show all places that were missed, not the first
    /// ones of each file.
    #[arg(long)]
    pub(crate) all: bool,

    /// Fetch nothing; work from what is here.
    #[arg(long)]
    pub(crate) offline: bool,

    #[command(flatten)]
    pub(crate) gate: GateArgs,
}

/// Order of packages and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortOrder {
    /// By import path.
    #[default]
    Name,
    /// The lowest percentage first.
    Percent,
    /// The most statements that were not executed first.
    Uncovered,
}

impl From<SortOrder> for Order {
    fn from(order: SortOrder) -> Self {
        match order {
            SortOrder::Name => Self::Name,
            SortOrder::Percent => Self::Percent,
            SortOrder::Uncovered => Self::Uncovered,
        }
    }
}

/// What makes a comparison fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Lost coverage: code that was executed, did not change, and is not executed now.
    Lost,
}

/// Runs the command.
pub(crate) fn run(args: &ReportArgs, context: &Context) -> Result<ExitCode> {
    let signals = Signals::catch()?;
    let ended = match (crate::site::asked(args), &args.service) {
        (Err(message), _) => Ok(usage(&message)),
        (Ok(Some(folder)), _) => crate::site::write(folder, args.offline, context, &signals),
        // Before the row is chosen, so that its file is there when it is opened.
        (Ok(None), Some(service)) => match turn::reading(&signals, context)? {
            Ok(reading) => report(service, args, context, &signals, &reading),
            Err(code) => Ok(code),
        },
        (Ok(None), None) => Ok(usage("--all without SERVICE is for --format site -o DIR")),
    };
    match signals.received() {
        Some(signal) => Ok(ExitCode::of_signal(signal)),
        None => ended,
    }
}

pub(crate) fn usage(message: &str) -> ExitCode {
    super::fail(format_args!("{message}; see goc-watchdog report --help"));
    ExitCode::Usage
}

pub(crate) fn report(
    service: &str,
    args: &ReportArgs,
    context: &Context,
    signals: &Signals,
    reading: &Reading,
) -> Result<ExitCode> {
    let filter = Filter {
        include: args.include.clone(),
        exclude: args.exclude.clone(),
        exclude_generated: args.exclude_generated,
        exclude_without_source: args.exclude_without_source,
    };
    let mut outputs = match Outputs::new(args, context) {
        Ok(outputs) => outputs,
        Err(message) => return Ok(usage(&message)),
    };
    let store = Store::open_read_only(&context.workdir.database())?;
    let fleet = stored_fleet(&store, &context.config.naming, context.now())?;
    let mut chosen = Chosen::of(service, args, &fleet, &store)?;
    outputs.name_page(&chosen.page_name(), context);

    let reader = SourceReader { context, app: &chosen.row.key.app.clone(), offline: args.offline, signals };
    let against = args.against.as_deref().map(|asked| against(asked, &chosen, &fleet, &store)).transpose()?;
    let look = Look { args, chosen: &chosen, reader: &reader, outputs: &outputs, against: against.as_ref() };
    let (profile, found) = thread::scope(|scope| {
        let profile = parallel::begin(scope, || stored_profile(&chosen.row, context));
        // Meanwhile git tells what there is.
        let found = look.at_source(&filter, reading);
        (profile.join(), found)
    });
    let (profile, (found, code)) = (profile?, found?);
    let packer = Packer::new(&filter);
    let wants = outputs.wants(&packer);
    let sources = match &found {
        Some(found) => look.sources(found, &profile, wants)?,
        None => Source::not_read(&profile, wants),
    };
    let (at, changes) = found.map_or((None, None), |found| (Some(found.at), found.changes));
    let known = || reader.known(chosen.revision.as_ref()?);
    chosen.source_commit =
        at.as_ref().map(|at| at.commit.clone()).or_else(known).map(|commit| commit.to_string());
    let mut head = chosen.head(&filter, context);
    if args.only_changed {
        head.filters.push("only files that changed".to_owned());
    }
    let mut report = Report::new(head, &profile, sources);
    let mut diff = changes.as_ref().map(|changes| DiffReport::new(&report, changes, &filter));
    narrow(&mut report, &filter)?;
    let is_resolved = !report.files.iter().any(is_lost);
    if let Some(changes) = changes.as_ref().filter(|_| args.only_changed) {
        report.retain_changed(changes);
    }
    if let (Some(diff), Some(changes), Some(row)) = (&mut diff, &changes, &against) {
        diff.comparison = Some(compared(&report, row, changes, &filter, &reader, reading)?);
    }

    let has_source = |form: &Form| at.is_some() || !form.needs(Need::Functions);
    let document = Document { report: &report, changes: diff.as_ref().zip(changes.as_ref()) };
    let is_whole = chosen.is_of_its_own_commit && filter.takes_all() && !args.only_changed;
    let mut rendered: Vec<(&Form, Vec<u8>)> = Vec::new();
    for form in outputs.forms() {
        let Some(suffix) = form.stored_suffix.filter(|_| has_source(form)) else { continue };
        let text = form.render(document)?;
        // A report that is kept beside a profile says nothing of changes.
        let is_kept = is_whole && !(form.needs(Need::KnownChanges) && diff.is_some());
        if is_kept && let Err(error) = keep(&text, suffix, &report, &chosen.row, reading, context) {
            super::warn(format!("{error:#}; the report was not stored beside its profile"));
        }
        rendered.push((form, text));
    }
    if rendered.iter().any(|(form, _)| !form.has_heading) {
        chosen.say(context);
    }
    let advice: Vec<&str> = outputs.forms().filter_map(|form| form.advice_on_missing_files).collect();
    say_what_has_no_source(&report, &advice, context);
    let can = |form: &Form| has_source(form) && (diff.is_some() || !outputs.needs_changes(form));
    let written = outputs.write(can, |form, layout, out| match rendered.iter().find(|(of, _)| *of == form) {
        Some((_, text)) => out.write_all(text),
        None => form.write(document, layout, out),
    });
    // Whoever closes the database last clears its log away, which one that only reads could not.
    drop(store);
    if let Some(diff) = &diff
        && chosen.is_of_its_own_commit
        && filter.takes_all()
        && is_resolved
    {
        remember(diff, args, context);
    }
    written?;

    let app = context.config.apps.get(&chosen.row.key.app);
    let unmet = unmet(args, app, &report, diff.as_ref(), &chosen, context);
    for message in &unmet {
        super::fail(format_args!("{}: {message}", chosen.name()));
    }
    Ok(if unmet.is_empty() { code } else { code.or(ExitCode::BelowThreshold) })
}

/// Leaves out the files that the filter does not take.
pub(crate) fn narrow(report: &mut Report<'_>, filter: &Filter) -> Result<()> {
    if filter.exclude_without_source && report.files.iter().any(is_lost) {
        bail!("which files have no source cannot be known, since a go.mod of the commit is not in the clone");
    }
    report.retain(filter);
    if report.files.is_empty() && !filter.takes_all() {
        super::warn("no file of the profile is left by --include and --exclude");
    }
    Ok(())
}

/// What decides which source is read.
pub(crate) struct Look<'a> {
    args: &'a ReportArgs,
    chosen: &'a Chosen<'a>,
    reader: &'a SourceReader<'a>,
    outputs: &'a Outputs,
    against: Option<&'a Row>,
}

/// The source of a commit, before it is read.
pub(crate) struct Found {
    at: AtCommit,
    tree: SourceTree,
    changes: Option<Changes>,
}

impl Look<'_> {
    /// Finds the source, where something asks for it; goes on without where nothing depends on it.
    fn at_source(&self, filter: &Filter, reading: &Reading) -> Result<(Option<Found>, ExitCode)> {
        let Self { chosen, reader, outputs, .. } = self;
        if !outputs.want_source() && !outputs.have_changes() && filter.takes_all() {
            return Ok((None, ExitCode::Done));
        }
        let revision = chosen.revision.as_ref();
        let at = revision
            .ok_or_else(|| anyhow!("{} does not tell its commit, give one with --commit REV", chosen.name()))
            .and_then(|revision| reader.at(revision, reading));
        let error = match at {
            Ok(at) => return Ok((Some(self.found(at)?), ExitCode::Done)),
            Err(error) if filter.exclude_generated => {
                return Err(error.context("which files are generated stands in their source"));
            }
            Err(error) if filter.exclude_without_source => {
                return Err(error.context("which files have no source is told by the commit"));
            }
            Err(error) => error,
        };
        match outputs.in_need_of_source() {
            (true, _) if error.is::<NotTrusted>() => {
                super::fail(format_args!("{error:#}"));
                Ok((None, ExitCode::Partly))
            }
            (true, true) => Err(error),
            (true, false) => {
                super::fail(format_args!("{error:#}"));
                Ok((None, ExitCode::Failed))
            }
            (false, _) if outputs.want_source() => {
                super::warn(format!("{error:#}"));
                super::say(Level::Warning, "what follows knows no functions, and lines only by blocks");
                Ok((None, ExitCode::Partly))
            }
            (false, _) => Ok((None, ExitCode::Done)),
        }
    }

    fn found(&self, at: AtCommit) -> Result<Found> {
        let Self { args, chosen, reader, outputs, against } = self;
        if !outputs.have_changes() {
            return Ok(Found { tree: reader.tree(&at)?, at, changes: None });
        }
        let app = reader.context.config.apps.get(&chosen.row.key.app);
        let asked = match (&args.diff_file, against) {
            (Some(path), _) => Asked::DiffFile(path),
            (None, Some(row)) => Asked::Row(row),
            (None, None) => Asked::of(args.base.as_deref().or(app.and_then(|app| app.base.as_deref()))),
        };
        let (tree, changes) = crate::source::changes::find(asked, &at, reader, &chosen.of_app)?;
        Ok(Found { at, tree, changes: Some(changes) })
    }

    /// Reads what was found of each file of a profile.
    fn sources(
        &self,
        Found { at, tree, changes }: &Found,
        profile: &Profile,
        wants: Wants<'_>,
    ) -> Result<Vec<Source>> {
        let Self { reader, outputs, against, .. } = self;
        // Where nothing but changes is reported, no other file need be read.
        let is_partial = outputs.are_all_of_changes() && against.is_none();
        let paths = changes.as_ref().filter(|_| is_partial).map(Changes::paths_after);
        let no_texts = HashMap::new();
        let texts = changes.as_ref().map_or(&no_texts, |changes| &changes.texts);
        reader.sources(profile, at, tree, texts, paths.as_ref(), wants)
    }
}

/// The row that is reported, and where its source is.
pub(crate) struct Chosen<'a> {
    /// The name that it is reported under.
    pub(crate) service: String,
    pub(crate) entry: &'a KeyEntry,
    pub(crate) row: Row,
    /// Replicas that answered, of those listed: when the row was stored, and for the latest row, where it was not
    /// named by its id, at the last pull.
    pub(crate) replicas: Option<(u32, u32)>,
    pub(crate) previous: Option<Row>,
    /// All rows of the app in its environment and region, the newest last.
    pub(crate) of_app: Vec<Row>,
    /// Totals up to this row, also of those whose profile was dropped.
    pub(crate) trend: Vec<Point>,
    /// `None` where nothing tells it.
    pub(crate) revision: Option<Revision>,
    /// The source is that of the service's own commit, not one that was named for it.
    pub(crate) is_of_its_own_commit: bool,
    pub(crate) source_commit: Option<String>,
    /// Where the page of its app is, in a site.
    pub(crate) above: Option<String>,
}

impl<'a> Chosen<'a> {
    /// Returns the name of the file that its page goes to, the same as of the one that is stored.
    pub(crate) fn page_name(&self) -> String {
        let stored = PAGE.stored_suffix.and_then(|suffix| report_path(&self.row.cov_file_path, suffix));
        let name = stored.as_deref().and_then(|path| path.rsplit('/').next());
        name.map_or_else(|| format!("{}_report.html", self.row.id.0), str::to_owned)
    }

    pub(crate) fn of(service: &str, args: &ReportArgs, fleet: &'a Fleet, store: &Store) -> Result<Self> {
        let all = store.rows(&RowFilter { with_dropped: true, ..RowFilter::default() })?;
        super::tell_damages(store);
        let rows: Vec<Row> = all.iter().filter(|row| row.deleted_at.is_none()).cloned().collect();
        let row = match (args.id, &args.commit) {
            (Some(id), _) => row_by_id(id, service, fleet, rows.as_slice())?,
            (None, Some(commit)) => match row_by_commit(commit, service, fleet, rows.as_slice())? {
                Some(row) => row,
                None => latest(pick(service, &fleet.entries)?, store)?,
            },
            (None, None) => latest(pick(service, &fleet.entries)?, store)?,
        };
        let entry = fleet.entries.iter().find(|entry| entry.key == row.key);
        let entry = entry.with_context(|| format!("row {} is of no service that is known here", row.id.0))?;
        let name = in_message(&entry.newest_name().name);
        let hash = row.key.commit.as_str();
        let revision = match (&args.commit, hash) {
            (Some(revision), "") => Some(Revision::Any(revision.clone())),
            (Some(asked), hash) if !starts_alike(asked, hash) => bail!(
                "{name} has commit \"{}\", not \"{}\" (goc-watchdog history {name})",
                in_message(hash),
                in_message(asked)
            ),
            (_, "") => None,
            (_, hash) => Some(Revision::Hash(hash.to_owned())),
        };
        let is_of_app = |other: &&Row| is_same_app(&other.key, &row.key);
        let of_app = rows.iter().filter(is_of_app).cloned().collect();
        let until = || all.iter().filter(is_of_app).take_while(|other| other.id <= row.id);
        let (previous, trend) = (before(until(), &row).cloned(), trend(until()));
        let is_of_its_own_commit = !hash.is_empty();
        let replicas = match args.id {
            None if row.is_latest => entry.replicas_now(&row),
            _ => row.stats.as_ref().map(|stats| (stats.answered, stats.listed)),
        };
        Ok(Self {
            service: entry.newest_name().name.clone(),
            entry,
            row,
            replicas,
            previous,
            of_app,
            trend,
            revision,
            is_of_its_own_commit,
            source_commit: None,
            above: None,
        })
    }

    pub(crate) fn name(&self) -> String {
        in_message(&self.service).into_owned()
    }

    pub(crate) fn last_pull(&self) -> Option<chrono::DateTime<chrono::Utc>> {
        self.entry.schedule.schedule.last_pull.filter(|_| self.row.is_latest)
    }

    pub(crate) fn head(&self, filter: &Filter, context: &Context) -> Head {
        let Row { id, created_at, key, branch, .. } = &self.row;
        let confirmed_at = self.last_pull();
        Head {
            service: self.service.clone(),
            env: key.env.clone(),
            region: key.region.clone(),
            app: key.app.clone(),
            branch: branch.clone(),
            commit: key.commit.clone(),
            source_commit: self.source_commit.clone(),
            row: id.0,
            stored_at: *created_at,
            confirmed_at,
            age: context.now() - confirmed_at.unwrap_or(*created_at),
            replicas: self.replicas,
            previous: self.previous.as_ref().map(|row| Previous {
                row: row.id.0,
                stored_at: row.created_at,
                commit: row.key.commit.clone(),
                coverage: row.stats.as_ref().map(|stats| stats.coverage),
            }),
            trend: self.trend.clone(),
            filters: filter.words(),
            above: self.above.clone(),
        }
    }

    /// Says beside the table of functions what it is of; it has no room for that.
    pub(crate) fn say(&self, context: &Context) {
        if !context.has_spectator() {
            return;
        }
        let head = self.head(&Filter::default(), context);
        super::inform(head.line());
    }
}

/// Returns of the rows of an app up to one, the oldest first, the one before it that is there.
pub(crate) fn before<'r>(until: impl Iterator<Item = &'r Row>, row: &Row) -> Option<&'r Row> {
    until.filter(|other| other.id < row.id && other.deleted_at.is_none()).last()
}

/// Returns their totals.
pub(crate) fn trend<'r>(until: impl Iterator<Item = &'r Row>) -> Vec<Point> {
    let point = |row: &Row| Point {
        stored_at: row.created_at,
        commit: row.key.commit.clone(),
        percent: row.cover_total,
    };
    until.map(point).collect()
}

/// Returns the row that `--against` names, by its number or by its service.
pub(crate) fn against(asked: &str, chosen: &Chosen<'_>, fleet: &Fleet, store: &Store) -> Result<Row> {
    let row = match asked.parse::<i64>() {
        Ok(id) => {
            let rows = store.rows(&RowFilter::default())?;
            rows.into_iter().find(|row| row.id.0 == id).ok_or_else(|| anyhow!("there is no row {id}"))?
        }
        Err(_) => latest(pick(asked, &fleet.entries)?, store)?,
    };
    if row.key.app != chosen.row.key.app {
        bail!(
            "row {} is of \"{}\", and lines of another app than \"{}\" have nothing to be held against",
            row.id.0,
            in_message(&row.key.app),
            in_message(&chosen.row.key.app)
        );
    }
    Ok(row)
}

/// Holds each line of a report against another row, from whose commit there are these changes.
pub(crate) fn compared(
    report: &Report<'_>,
    row: &Row,
    changes: &Changes,
    filter: &Filter,
    reader: &SourceReader<'_>,
    reading: &Reading,
) -> Result<Comparison> {
    let profile = stored_profile(row, reader.context)?;
    let at = reader.at(&Revision::Hash(row.key.commit.clone()), reading)?;
    let wants = Wants { lines: true, ..Wants::default() };
    let sources = reader.sources(&profile, &at, &reader.tree(&at)?, &HashMap::new(), None, wants)?;
    let mut before = Report::new(report.head.clone(), &profile, sources);
    before.retain(filter);
    let Row { id, key, created_at, .. } = row;
    let with = format!("row {} ({} {} {}, {})", id.0, key.env, key.region, key.commit, minute(*created_at));
    Ok(Comparison::new(with, report, &before, &changes.patches))
}

pub(crate) fn latest(entry: &KeyEntry, store: &Store) -> Result<Row> {
    let name = in_message(&entry.newest_name().name);
    store.latest(&entry.key)?.ok_or_else(|| {
        anyhow!("{name} was listed and never answered, so nothing is stored of it (goc-watchdog list --explain {name})")
    })
}

pub(crate) fn row_by_id(id: i64, service: &str, fleet: &Fleet, rows: &[Row]) -> Result<Row> {
    let app = pick_app(service, &fleet.entries)?;
    let name = in_message(&app.app);
    let row = rows.iter().find(|row| row.id.0 == id);
    let row = row.ok_or_else(|| anyhow!("there is no row {id} (goc-watchdog history {name})"))?;
    if !is_same_app(&row.key, &app) {
        bail!("row {id} is not of {name} (goc-watchdog history {name})");
    }
    Ok(row.clone())
}

/// Returns the newest row of a commit; `None` for services whose names tell none.
pub(crate) fn row_by_commit(commit: &str, service: &str, fleet: &Fleet, rows: &[Row]) -> Result<Option<Row>> {
    let app = pick_app(service, &fleet.entries)?;
    let mut of_app = rows.iter().filter(|row| is_same_app(&row.key, &app)).peekable();
    if of_app.peek().is_some_and(|row| row.key.commit.is_empty()) {
        return Ok(None);
    }
    let fitting: Vec<&Row> = of_app.filter(|row| starts_alike(commit, &row.key.commit)).collect();
    let name = in_message(&app.app);
    let commits: BTreeSet<&str> = fitting.iter().map(|row| row.key.commit.as_str()).collect();
    if commits.len() > 1 {
        let commits: Vec<&str> = commits.into_iter().collect();
        bail!(
            "commit \"{}\" of {name} is ambiguous, give more digits:\n  {}",
            in_message(commit),
            commits.join("\n  ")
        );
    }
    let row = fitting.into_iter().next_back();
    let row = row.ok_or_else(|| {
        let commit = in_message(commit);
        anyhow!("nothing is stored of {name} at commit \"{commit}\" (goc-watchdog history {name})")
    })?;
    Ok(Some(row.clone()))
}

/// Tells whether one of two hashes is the beginning of the other.
pub(crate) fn starts_alike(asked: &str, stored: &str) -> bool {
    const SHORTEST: usize = 4;
    let asked = asked.to_ascii_lowercase();
    let length = asked.len().min(stored.len());
    length >= SHORTEST && asked.as_bytes()[..length] == stored.as_bytes()[..length]
}

/// Returns what is asked of a report and not met.
pub(crate) fn unmet(
    args: &ReportArgs,
    app: Option<&AppConfig>,
    report: &Report<'_>,
    diff: Option<&DiffReport>,
    chosen: &Chosen<'_>,
    context: &Context,
) -> Vec<String> {
    let coverage = report.coverage();
    let of = |coverage: crate::coverage::Coverage| Data {
        coverage: Some(coverage),
        percent: coverage.percent(),
        last_pull: chosen.last_pull(),
        replicas: report.head.replicas,
    };
    // Where changes are reported, what is asked for is asked of them.
    if let Some(diff) = diff {
        let mut unmet = args.gate.without_threshold().unmet(&of(coverage), context.now());
        let (lines, threshold) = (diff.coverage(), args.gate.fail_under);
        if let Some(threshold) = threshold.filter(|threshold| lines.total > 0 && !lines.meets(*threshold)) {
            unmet.push(format!(
                "{lines} of the changed lines ({} of {}) is below {threshold}, {} more to cover",
                lines.covered,
                lines.total,
                lines.missing_for(threshold)
            ));
        }
        let lost = diff.comparison.as_ref().map_or(0, |comparison| comparison.number(Category::Lbc));
        if args.fail_on == Some(FailOn::Lost) && lost > 0 {
            let lines = show::count(usize::try_from(lost).unwrap_or(usize::MAX), "lines");
            unmet.push(format!("lost coverage of code that did not change: {lines}"));
        }
        return unmet;
    }
    let mut unmet = args.gate.unmet(&of(coverage), context.now());
    let Some(app) = app else { return unmet };
    // An option is stronger than the configuration.
    if let (None, Some(threshold)) = (args.gate.fail_under, app.fail_under) {
        unmet.extend(below(&of(coverage), threshold));
    }
    let packages = report.packages();
    for (glob, threshold) in &app.packages {
        if !packages.iter().any(|package| glob.fits(package.name)) && report.head.filters.is_empty() {
            super::warn(format!(
                "\"{}\" fits no package, so nothing is asked to reach {threshold}",
                in_message(glob.as_str())
            ));
        }
    }
    for package in packages {
        let fitting = app.packages.iter().filter(|(glob, _)| glob.fits(package.name));
        if let Some((_, threshold)) = fitting.max_by_key(|(glob, _)| glob.as_str().len()) {
            let message = below(&of(package.coverage), *threshold);
            unmet.extend(message.map(|message| format!("package {}: {message}", in_message(package.name))));
        }
    }
    unmet
}

/// Stores a report beside its profile, where this user may write there; not one that lacks what source could
/// still be had of.
pub(crate) fn keep(
    text: &[u8],
    suffix: &str,
    report: &Report<'_>,
    row: &Row,
    reading: &Reading,
    context: &Context,
) -> Result<()> {
    let could_be_had =
        |why: &Option<NoSource>| matches!(why, Some(NoSource::NotRead | NoSource::NotInRepository));
    let is_whole = !report.files.iter().any(|file| could_be_had(&file.no_source));
    match report_path(&row.cov_file_path, suffix).filter(|_| is_whole) {
        Some(path) => Ok(context.workdir.store_report(reading, &path, text)?),
        None => Ok(()),
    }
}

/// Tells whether a module could not be read, so that a file of it may be taken for one that is not there.
pub(crate) fn is_lost(file: &FileReport<'_>) -> bool {
    file.path.is_none() && file.no_source == Some(NoSource::NotInRepository)
}

/// Remembers what came of the changes, for `total` and `history`, where a commit is their base; a report is whole
/// without that.
pub(crate) fn remember(diff: &DiffReport, args: &ReportArgs, context: &Context) {
    let Base { commit: Some(base), how } = &diff.base else { return };
    let figure = ChangedLines {
        base: base.clone(),
        how: how.clone(),
        lines: diff.coverage(),
        computed_at: context.now(),
    };
    let is_default_base = args.base.is_none() && args.against.is_none();
    let row = RowId(diff.head.row);
    if let Err(error) = Store::remember_diff(&context.workdir.database(), row, &figure, is_default_base) {
        context.explain(format!("{error}; history and total will not know of these changes"));
    }
}

pub(crate) fn say_what_has_no_source(report: &Report<'_>, advice: &[&str], context: &Context) {
    let missing: Vec<_> = report
        .files
        .iter()
        .filter_map(|file| file.no_source.as_ref().map(|why| (file, why)))
        .filter(|(_, why)| **why != NoSource::NotRead)
        .collect();
    if missing.is_empty() || context.is_quiet {
        return;
    }
    let statements: u64 = missing.iter().map(|(file, _)| file.coverage.total).sum();
    let mut lines = vec![format!(
        "no source of {} ({statements} of {} statements), which count and have no functions:",
        show::count(missing.len(), "files"),
        report.coverage().total
    )];
    let shown = if context.is_verbose { missing.len() } else { NAMED_FILES };
    lines.extend(missing.iter().take(shown).map(|(file, why)| format!("  {}: {why}", in_message(file.name))));
    if missing.len() > shown {
        lines.push(format!("  and {} more (--verbose)", missing.len() - shown));
    }
    if missing.iter().any(|(file, _)| !file.is_in_commit()) {
        lines.extend(advice.iter().map(|advice| format!("  {advice}")));
    }
    super::warn(lines.join("\n"));
}
