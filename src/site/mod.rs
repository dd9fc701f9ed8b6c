//! `report --all --format site`: a folder of static pages of everything that is stored.
//!
//! In each run what is small is made anew and written where it changed; a report, which takes a while, is made where
//! the site's manifest says that it was written from something else. The manifest names a file before it is there,
//! so that whatever ends a run, the next one knows what is its own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};

use crate::collect::fleet::stored_fleet;
use crate::collect::mending::stored_profile;
use crate::commands;
use crate::commands::report::{Chosen, ReportArgs, SortOrder, before, trend};
use crate::commands::{Context, Level, say};
use crate::coverage::ChangedLines;
use crate::exit::ExitCode;
use crate::filter::Filter;
use crate::fleet::assembly::Fleet;
use crate::fleet::ids::{KeyId, RowId};
use crate::fleet::key_entry::{KeyEntry, ServiceName};
use crate::fleet::records::Key;
use crate::fleet::row::{Row, RowFilter};
use crate::fleet::state::{AddressHealth, Figures, Line, State};
use crate::io::progress::Progress;
use crate::io::signals::Signals;
use crate::io::store::Store;
use crate::io::workdir::site::{Occupied, SiteFolder, is_entangled};
use crate::io::workdir::{Reading, WorkdirError};
use crate::names::in_message;
use crate::report::forms::{Document, PAGE};
use crate::report::site::{
    self, Concern, Manifest, Need, Origin, Page, Past, Service, Shown, Site, Text, Total, Written,
};
use crate::report::{FileReport, NoSource, Packer, Report, Source, Wants};
use crate::source::reader::{NotFetched, Revision, SourceReader};

/// Services that a message names.
const NAMED: usize = 5;
/// Lines of a service that say why it fails.
const ERRORS: usize = 3;
/// Reports after which the manifest is brought up to date; what is beyond it is made again after a kill.
const AT_ONCE: usize = 20;

/// Returns the folder where a site is asked for; fails where it is and something else is too.
pub(crate) fn asked(args: &ReportArgs) -> Result<Option<&Path>, String> {
    let Some(wanted) = args.formats.iter().find(|wanted| wanted.form.is_folder()) else { return Ok(None) };
    if !args.all || args.service.is_some() {
        return Err("--format site is of all services: give --all and no SERVICE".to_owned());
    }
    if args.formats.len() > 1 {
        return Err("--format site stands alone: it brings reports, badges and JSON of its own".to_owned());
    }
    let ReportArgs {
        service: _,
        formats: _,
        output,
        id,
        commit,
        include,
        exclude,
        exclude_generated,
        exclude_without_source,
        sort,
        limit,
        base,
        diff_file,
        against,
        only_changed,
        fail_on: _,
        all: _,
        offline: _,
        gate,
    } = args;
    let of_one = [
        (id.is_some(), "--id"),
        (commit.is_some(), "--commit"),
        (base.is_some(), "--base"),
        (diff_file.is_some(), "--diff-file"),
        (against.is_some(), "--against"),
        (*only_changed, "--only-changed"),
        (*sort != SortOrder::default(), "--sort"),
        (limit.is_some(), "--limit"),
        (gate.asks_anything(), "a threshold"),
    ];
    if let Some((_, option)) = of_one.iter().find(|(is_given, _)| *is_given) {
        return Err(format!("{option} is for the report of one service, and a site is of all"));
    }
    if !include.is_empty() || !exclude.is_empty() || *exclude_generated || *exclude_without_source {
        return Err("--include and the --exclude options are for the report of one service: \
                    a site shows totals of the history, which are of whole profiles"
            .to_owned());
    }
    match (wanted.file.as_deref(), output.as_deref()) {
        (Some(_), Some(_)) => Err("--format site=DIR and -o DIR say the same thing twice".to_owned()),
        (Some(folder), None) | (None, Some(folder)) if folder == Path::new("-") => {
            Err("--format site needs a folder, which stdout is not".to_owned())
        }
        (Some(folder), None) | (None, Some(folder)) => Ok(Some(folder)),
        (None, None) => Err("--format site needs a folder: -o DIR".to_owned()),
    }
}

/// Writes what changed.
pub(crate) fn write(folder: &Path, offline: bool, context: &Context, signals: &Signals) -> Result<ExitCode> {
    // Before the rows are read, so that their files are there when they are opened.
    let reading = match commands::turn::reading(signals, context)? {
        Ok(reading) => reading,
        Err(code) => return Ok(code),
    };
    let store = Store::open_read_only(&context.workdir.database())?;
    if is_entangled(context.workdir.root(), folder) {
        let shown = in_message(&folder.display().to_string()).into_owned();
        bail!(
            "a site is for everybody and \"{shown}\" is the work directory or overlaps it, give another folder"
        );
    }
    let mut files = match SiteFolder::open(folder) {
        Err(busy @ WorkdirError::Busy { .. }) => {
            say(Level::Warning, &format!("{busy}; nothing was changed"));
            return Ok(ExitCode::Busy);
        }
        opened => opened?,
    };
    let manifest = match files.manifest()? {
        Some(text) => Manifest::parse(&text).with_context(|| {
            let path = files.manifest_path();
            format!("{:?}; to begin anew, give an empty folder", path.display())
        })?,
        None => Manifest::default(),
    };
    let stored = Stored::read(&store, context)?;
    if !stored.knows_one_of(&manifest) {
        bail!(
            "{:?} is the site of another work directory: nothing that it was written from is stored here; \
             to begin anew, give an empty folder",
            folder.display()
        );
    }
    let site = Site::new(stored.services(context), stored.history());
    let is_damaged = commands::tell_damages(&store);
    // Whoever closes the database last clears its log away, which one that only reads could not.
    drop(store);

    let mut writer = Writer { files: &mut files, manifest, is_settled: true, tally: Tally::default() };
    let desk = Desk { stored: &stored, reading: &reading, offline, context, signals };
    let brought = bring_up_to_date(&site, &desk, &mut writer);
    // Whatever came of it, the next run has to know what is there.
    writer.forget_unwritten();
    writer.settle()?;
    brought?;
    if let Some(signal) = signals.received() {
        return Ok(ExitCode::of_signal(signal));
    }
    let Tally { written, unchanged, removed, bare, failed } = writer.tally;
    if !bare.is_empty() {
        let named: Vec<_> = bare.iter().take(NAMED).map(|name| in_message(name)).collect();
        let more = if bare.len() > NAMED { ", ..." } else { "" };
        commands::warn(format!(
            "{} without source that could be had: {}{more}; goc-watchdog report SERVICE says why",
            crate::phrases::count(bare.len(), "reports"),
            named.join(", ")
        ));
    }
    if context.has_spectator() {
        let index = folder.join("index.html");
        commands::inform(format!(
            "{written} written, {unchanged} unchanged, {removed} removed: {}",
            in_message(&index.display().to_string())
        ));
    }
    Ok(if !bare.is_empty() || failed > 0 || is_damaged { ExitCode::Partly } else { ExitCode::Done })
}

fn bring_up_to_date(site: &Site, desk: &Desk<'_>, writer: &mut Writer<'_>) -> Result<()> {
    let pages = site.pages();
    let reports = desk.write(&pages, writer)?;
    if desk.signals.received().is_some() {
        return Ok(());
    }
    let mut current: BTreeSet<String> = pages.into_iter().map(|page| page.path).collect();
    let mut changed = Vec::new();
    site.write(&reports, |path, text| -> io::Result<()> {
        current.insert(path.to_owned());
        if writer.has(path, &text) {
            writer.tally.unchanged += 1;
        } else {
            changed.push((path.to_owned(), text));
        }
        Ok(())
    })?;
    let blocked = writer.blocked(changed.iter().map(|(path, _)| path.as_str()));
    changed.retain(|(path, _)| !blocked.contains(path));
    writer.announce(changed.iter().map(|(path, _)| path.as_str()))?;
    for (path, text) in &changed {
        writer.put_or_say(path, text)?;
    }
    writer.remove_others(&current);
    Ok(())
}

/// What came of a run.
#[derive(Debug, Default)]
struct Tally {
    written: usize,
    unchanged: usize,
    removed: usize,
    /// Services whose reports lack source that could be had.
    bare: Vec<String>,
    failed: usize,
}

/// What the database knows.
struct Stored {
    fleet: Fleet,
    health: AddressHealth,
    /// All rows, also those that were dropped, the oldest first.
    rows: Vec<Row>,
    /// The latest of each key, by their places among all.
    latest: HashMap<Key, usize>,
    /// Those of an app in an environment and region, by a key without a commit.
    of_app: HashMap<Key, Vec<usize>>,
    /// What reports found of the changes of the latest.
    diffs: HashMap<RowId, ChangedLines>,
    /// Keys of which nothing is left.
    dropped: BTreeSet<KeyId>,
}

fn without_commit(key: &Key) -> Key {
    Key { commit: String::new(), ..key.clone() }
}

impl Stored {
    fn read(store: &Store, context: &Context) -> Result<Self> {
        let fleet = stored_fleet(store, &context.config.naming, context.now())?;
        let health = AddressHealth::new(&fleet, store.suspicions()?);
        let rows = store.rows(&RowFilter { with_dropped: true, ..RowFilter::default() })?;
        let latest = rows.iter().enumerate().filter(|(_, row)| row.is_latest && row.deleted_at.is_none());
        let latest: HashMap<Key, usize> = latest.map(|(at, row)| (row.key.clone(), at)).collect();
        let mut diffs = HashMap::new();
        for at in latest.values() {
            let id = rows[*at].id;
            diffs.extend(store.diff(id)?.map(|diff| (id, diff)));
        }
        let mut of_app: HashMap<Key, Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            of_app.entry(without_commit(&row.key)).or_default().push(at);
        }
        Ok(Self { health, fleet, latest, of_app, rows, diffs, dropped: store.dropped_keys()? })
    }

    /// Tells whether a site may be of this work directory.
    fn knows_one_of(&self, site: &Manifest) -> bool {
        let known: HashMap<i64, &Row> = self.rows.iter().map(|row| (row.id.0, row)).collect();
        let mut origins = site.origins().peekable();
        origins.peek().is_none()
            || origins.any(|origin| known.get(&origin.row).is_some_and(|row| counts(row) == origin.counts))
    }

    fn latest(&self, entry: &KeyEntry) -> Option<&Row> {
        self.latest.get(&entry.key).map(|at| &self.rows[*at])
    }

    /// Returns the entries that have something stored, by their latest rows.
    fn entries(&self) -> HashMap<i64, &KeyEntry> {
        self.fleet.entries.iter().filter_map(|entry| Some((self.latest(entry)?.id.0, entry))).collect()
    }

    /// Returns each key under each of its branches.
    fn services(&self, context: &Context) -> Vec<Service> {
        let mut services = Vec::new();
        for entry in &self.fleet.entries {
            let row = self.latest(entry);
            if entry.is_gone(row, &self.dropped) {
                continue;
            }
            let mut branches: BTreeMap<&str, Vec<Service>> = BTreeMap::new();
            for member in &entry.members {
                let service = self.service(entry, member, row, context);
                branches.entry(&member.branch).or_default().push(service);
            }
            services.extend(branches.into_values().filter_map(as_one));
        }
        services
    }

    fn service(
        &self,
        entry: &KeyEntry,
        member: &ServiceName,
        row: Option<&Row>,
        context: &Context,
    ) -> Service {
        let state = State::of(member, entry, row, &self.health);
        let line = Line { entry, member, stored: row.map(Figures::of), state, health: &self.health };
        let last_pull = entry.schedule.schedule.last_pull;
        let said = line.state_text(context.now());
        let longest = context.config.pull.steps.wait(usize::MAX);
        // Two of the longest waits without an answer: no timer is at work, or what it does comes to nothing.
        let is_overdue = TimeDelta::from_std(longest.saturating_mul(2))
            .is_ok_and(|longest| last_pull.is_some_and(|at| context.now() - at > longest));
        let (word, concern) = match state {
            State::Unreachable | State::Partial => (state.word(), Concern::Failing),
            State::OtherBuild | State::StaleName => (state.word(), Concern::Stale),
            State::Offline => (state.word(), Concern::Gone),
            State::NeverPulled => (state.word(), Concern::New),
            State::Ok if is_overdue => ("overdue", Concern::Stale),
            State::Ok if said != state.word() => (state.word(), Concern::Stale),
            State::Ok => (state.word(), Concern::Fine),
        };
        let text = if word == "overdue" { word.to_owned() } else { said };
        let error = |address: &str| {
            let known = entry.state(address);
            match known.last_error {
                Some(error) if known.retry.failures > 0 => Some(format!("{address}: {error}")),
                _ if known.other_build.is_some() => Some(format!("{address} serves another build")),
                _ => None,
            }
        };
        let errors = member.addresses().filter_map(|listing| error(&listing.address));
        let Key { env, region, app, commit } = entry.key.clone();
        Service {
            name: member.name.clone(),
            also: Vec::new(),
            env,
            region,
            app,
            branch: member.branch.clone(),
            commit,
            state: site::State { word, text, concern },
            errors: errors.take(ERRORS).collect(),
            replicas: (line.up(), member.addresses().count()),
            total: row.map(|row| Total { replicas: entry.replicas_now(row), ..self.total(row) }),
            last_pull,
            last_seen: member.last_seen,
        }
    }

    fn history(&self) -> Vec<Past> {
        let past = |row: &Row| {
            let Key { env, region, app, commit } = row.key.clone();
            Past {
                env,
                region,
                app,
                branch: row.branch.clone(),
                commit,
                total: self.total(row),
                is_dropped: row.deleted_at.is_some(),
            }
        };
        self.rows.iter().map(past).collect()
    }

    fn total(&self, row: &Row) -> Total {
        let stats = row.stats.as_ref();
        Total {
            row: row.id.0,
            stored_at: row.created_at,
            percent: row.cover_total,
            coverage: stats.map(|stats| stats.coverage),
            replicas: stats.map(|stats| (stats.answered, stats.listed)),
            changed: self.diffs.get(&row.id).cloned(),
        }
    }

    /// Returns the rows of an app in its environment and region up to one.
    fn until<'s>(&'s self, row: &'s Row) -> impl Iterator<Item = &'s Row> {
        let of_app = self.of_app.get(&without_commit(&row.key)).map(Vec::as_slice).unwrap_or_default();
        of_app.iter().map(|at| &self.rows[*at]).take_while(|other| other.id <= row.id)
    }

    /// Returns what a report is to be written from, but for its source.
    fn origin(&self, page: &Page, entry: &KeyEntry, version: &str) -> Option<Origin> {
        let row = self.latest(entry)?;
        Some(Origin {
            row: row.id.0,
            counts: counts(row),
            previous: before(self.until(row), row).map(|before| before.id.0),
            service: page.service.clone(),
            version: version.to_owned(),
            confirmed_at: entry.schedule.schedule.last_pull,
            source: Text::none(),
        })
    }

    /// Returns the latest row of a key with what its report tells beside it.
    fn chosen<'s>(&'s self, page: &Page, entry: &'s KeyEntry) -> Option<Chosen<'s>> {
        let row = self.latest(entry)?;
        let hash = row.key.commit.as_str();
        Some(Chosen {
            service: page.service.clone(),
            entry,
            replicas: entry.replicas_now(row),
            previous: before(self.until(row), row).cloned(),
            of_app: Vec::new(),
            trend: trend(self.until(row)),
            revision: (!hash.is_empty()).then(|| Revision::Hash(hash.to_owned())),
            is_of_its_own_commit: !hash.is_empty(),
            source_commit: None,
            above: Some(page.above()),
            row: Row { branch: page.branch.clone(), ..row.clone() },
        })
    }
}

/// Returns in short what a row counted, which no other row of it has.
fn counts(row: &Row) -> Option<String> {
    row.stats.as_ref().map(|stats| stats.counts_digest.short())
}

/// Puts names together that differ in nothing that is shown, such as by what their branches are in: the one that is
/// worst off says how they do.
fn as_one(mut of: Vec<Service>) -> Option<Service> {
    of.sort_by(|a, b| a.name.cmp(&b.name));
    let worst = of.iter().map(|one| &one.state).min_by_key(|state| state.concern)?.clone();
    of.into_iter()
        .reduce(|mut all, mut one| {
            all.also.push(one.name);
            all.errors.append(&mut one.errors);
            all.errors.truncate(ERRORS);
            all.replicas = (all.replicas.0 + one.replicas.0, all.replicas.1 + one.replicas.1);
            all.last_seen = all.last_seen.max(one.last_seen);
            all
        })
        .map(|all| Service { state: worst, ..all })
}

/// Makes reports.
struct Desk<'a> {
    stored: &'a Stored,
    reading: &'a Reading,
    offline: bool,
    context: &'a Context,
    signals: &'a Signals,
}

/// What came of making a report.
struct Made {
    /// `None` where the one that is there has all that there is.
    text: Option<Vec<u8>>,
    source: Text,
    /// Why its repository could not be reached.
    not_fetched: Option<NotFetched>,
}

impl Desk<'_> {
    /// Writes the reports that have to be, and returns of those that are there what they show of their source.
    fn write(&self, pages: &[Page], writer: &mut Writer<'_>) -> Result<HashMap<String, Shown>> {
        let blocked = writer.blocked(pages.iter().map(|page| page.path.as_str()));
        let entries = self.stored.entries();
        let version = site::page_version();
        let free = pages.iter().filter(|page| !blocked.contains(&page.path));
        let wanted = free.filter_map(|page| {
            let entry = *entries.get(&page.row)?;
            let origin = self.stored.origin(page, entry, &version)?;
            Some((page, entry, writer.need(&page.path, &origin), origin))
        });
        let wanted: Vec<(&Page, &KeyEntry, Need, Origin)> = wanted.collect();
        let due = wanted.iter().filter(|(_, _, need, _)| *need == Need::Page);
        writer.announce(due.map(|(page, ..)| page.path.as_str()))?;

        let is_watched = self.context.around.stderr_is_terminal && !self.context.is_quiet;
        let progress = Progress::start(wanted.len(), is_watched);
        let (mut failures, mut bytes, mut unsettled) = (Vec::new(), 0, 0);
        let mut reports = HashMap::new();
        // Apps whose repositories cannot be reached: the next try would fail too, and each takes its time.
        let mut silent = HashSet::new();
        for (number, (page, entry, need, origin)) in wanted.into_iter().enumerate() {
            if self.signals.received().is_some() {
                break;
            }
            let brought = match need {
                Need::Nothing => Ok(0),
                Need::Page | Need::Source => {
                    self.bring_up_to_date(page, entry, origin.clone(), &mut silent, writer)
                }
            };
            match brought {
                Ok(0) => writer.tally.unchanged += 1,
                Ok(length) => {
                    bytes += length;
                    unsettled += 1;
                }
                Err(error) => failures.push(format!("{}: {error:#}", in_message(&page.service))),
            }
            // One that failed may have left an earlier one there, which is of something else.
            if let Some(source) = writer.source(&page.path, &origin) {
                if source.could_be_more() && self.could_be_had(entry) {
                    writer.tally.bare.push(page.service.clone());
                }
                reports.insert(page.path.clone(), source.shown);
            }
            if unsettled == AT_ONCE {
                writer.settle()?;
                unsettled = 0;
            }
            progress.show(number + 1, bytes, failures.len());
        }
        progress.finish();
        writer.tally.failed += failures.len();
        failures.iter().for_each(commands::fail);
        Ok(reports)
    }

    /// Tells whether there is anything that its source could come from.
    fn could_be_had(&self, entry: &KeyEntry) -> bool {
        !entry.key.commit.is_empty() && self.reader(&entry.key.app, true).is_configured()
    }

    fn reader<'r>(&'r self, app: &'r str, offline: bool) -> SourceReader<'r> {
        SourceReader { context: self.context, app, offline, signals: self.signals }
    }

    /// Writes a report, where that changes anything; returns how many bytes.
    fn bring_up_to_date(
        &self,
        page: &Page,
        entry: &KeyEntry,
        origin: Origin,
        silent: &mut HashSet<String>,
        writer: &mut Writer<'_>,
    ) -> Result<u64> {
        let known = writer.source(&page.path, &origin);
        let (app, now) = (&entry.key.app, self.context.now());
        let (what, host) = {
            let reader = self.reader(app, true);
            (reader.what_is_asked(&entry.key.commit), reader.host().unwrap_or_default())
        };
        let may_ask = [&what, &host].into_iter().all(|asked| writer.manifest.may_ask(asked, now));
        let offline = self.offline || silent.contains(app) || !may_ask;
        let Made { text, source, not_fetched } =
            self.make(page, entry, &self.reader(app, offline), known.as_ref())?;
        if let Some(not_fetched) = not_fetched {
            silent.insert(app.clone());
            if not_fetched.is_timed_out && !host.is_empty() {
                // Each of its repositories would take as long.
                writer.asked(host, now);
            }
        }
        if !offline && source.could_be_more() {
            writer.asked(what, now);
        }
        let Some(text) = text else { return Ok(0) };
        writer.put(&page.path, &text, Some(Origin { source, ..origin }))?;
        Ok(text.len() as u64)
    }

    /// Makes a report; where one is there already and only its source is in question, `known` is what that has.
    fn make(
        &self,
        page: &Page,
        entry: &KeyEntry,
        reader: &SourceReader<'_>,
        known: Option<&Text>,
    ) -> Result<Made> {
        let mut chosen = self.stored.chosen(page, entry).context("its row went meanwhile")?;
        let found = chosen.revision.as_ref().map(|revision| {
            let at = reader.at(revision, self.reading)?;
            let tree = reader.tree(&at)?;
            anyhow::Ok((at, tree))
        });
        let (found, not_fetched) = match found.transpose() {
            Ok(found) => (found, None),
            Err(error) => {
                commands::heed_limit_of_files(&format!("{error:#}"));
                self.context.explain(format_args!("{}: {error:#}", chosen.name()));
                (None, error.downcast::<NotFetched>().ok())
            }
        };
        if found.is_none() && known.is_some() {
            return Ok(Made { text: None, source: Text::none(), not_fetched });
        }
        let filter = Filter::default();
        let packer = Packer::new(&filter);
        let wants = Wants { lines: true, packer: Some(&packer), quotes: false };
        let profile = stored_profile(&chosen.row, self.context)?;
        let sources = match &found {
            Some((at, tree)) => reader.sources(&profile, at, tree, &HashMap::new(), None, wants)?,
            None => Source::not_read(&profile, wants),
        };
        let commit = found.map(|(at, _)| at.commit.to_string());
        let named = || reader.known(chosen.revision.as_ref()?).map(|commit| commit.to_string());
        chosen.source_commit = commit.clone().or_else(named);
        let report = Report::new(chosen.head(&filter, self.context), &profile, sources);
        let is_lacking = |file: &&FileReport<'_>| file.no_source == Some(NoSource::NotInRepository);
        let lacking = report.files.iter().filter(is_lacking).count();
        let shown = match report.files.iter().filter(|file| file.no_source.is_some()).count() {
            _ if commit.is_none() => Shown::None,
            0 => Shown::Whole,
            without if without < report.files.len() => Shown::Partly,
            _ => Shown::None,
        };
        let source = Text { commit, lacking, shown };
        let text = if known == Some(&source) {
            None
        } else {
            Some(PAGE.render(Document { report: &report, changes: None })?)
        };
        Ok(Made { text, source, not_fetched })
    }
}

/// Writes files of a site, and keeps its manifest.
struct Writer<'a> {
    files: &'a mut SiteFolder,
    manifest: Manifest,
    /// The manifest on the disk says the same.
    is_settled: bool,
    tally: Tally,
}

impl Writer<'_> {
    /// Returns what was written to a path, where that is there as it was.
    fn intact(&self, path: &str) -> Option<&Written> {
        self.manifest.written(path).filter(|written| self.files.size(path) == Some(written.bytes))
    }

    /// Says what there is to do about a report.
    fn need(&self, path: &str, wanted: &Origin) -> Need {
        self.intact(path).map_or(Need::Page, |written| written.need(wanted))
    }

    /// Tells whether a file is there with this text.
    fn has(&self, path: &str, text: &[u8]) -> bool {
        self.intact(path).is_some_and(|written| written.is_of(text))
    }

    /// Returns what the report that was asked for has of its source, where that is the one that is there.
    fn source(&self, path: &str, wanted: &Origin) -> Option<Text> {
        let origin = self.manifest.written(path)?.from.as_ref()?;
        origin.is_of(wanted).then(|| origin.source.clone())
    }

    /// Notes what was asked for and not had.
    fn asked(&mut self, what: String, now: DateTime<Utc>) {
        self.manifest.asked(what, now);
        self.is_settled = false;
    }

    /// Returns the paths in whose place something else stands, which is said.
    fn blocked<'p>(&mut self, paths: impl Iterator<Item = &'p str>) -> HashSet<String> {
        let mut blocked = HashSet::new();
        for path in paths {
            let is_free = match self.files.occupied(path) {
                Occupied::Free => true,
                Occupied::File => self.manifest.names(path),
                Occupied::Other => false,
            };
            if !is_free {
                commands::fail(format_args!(
                    "\"{path}\" of the site cannot be written: something that goc-watchdog did not write is in its place"
                ));
                self.tally.failed += 1;
                blocked.insert(path.to_owned());
            }
        }
        blocked
    }

    /// Has the manifest on the disk name files that are about to be written, and know nothing more of them: what
    /// becomes of them when this run is killed only looking tells.
    fn announce<'p>(&mut self, paths: impl Iterator<Item = &'p str>) -> Result<()> {
        for path in paths {
            self.manifest.announce(path);
            self.is_settled = false;
        }
        self.settle()
    }

    /// Writes a file, and goes on where that one alone cannot be.
    fn put_or_say(&mut self, path: &str, text: &[u8]) -> Result<()> {
        match self.put(path, text, None) {
            Err(error) if error.is_of_one_file() => {
                commands::fail(format_args!("{:#}", anyhow::Error::from(error)));
                self.tally.failed += 1;
                Ok(())
            }
            put => Ok(put?),
        }
    }

    fn put(&mut self, path: &str, text: &[u8], from: Option<Origin>) -> Result<(), WorkdirError> {
        self.files.put(path, text)?;
        self.manifest.record(path, Written::of(text, from));
        self.is_settled = false;
        self.tally.written += 1;
        Ok(())
    }

    /// Removes the files of the site that it has no more.
    fn remove_others(&mut self, current: &BTreeSet<String>) {
        let others: Vec<String> =
            self.manifest.paths().filter(|path| !current.contains(*path)).map(str::to_owned).collect();
        for path in others {
            match self.files.remove(&path) {
                Ok(()) => {
                    self.manifest.forget(&path);
                    self.is_settled = false;
                    self.tally.removed += 1;
                }
                Err(error) => {
                    commands::fail(format_args!("{:#}", anyhow::Error::from(error)));
                    self.tally.failed += 1;
                }
            }
        }
    }

    /// Forgets what was announced and did not come to be, so that it is anybody's again.
    fn forget_unwritten(&mut self) {
        let is_free = |path: &&str| self.files.occupied(path) == Occupied::Free;
        let unwritten: Vec<String> = self.manifest.announced().filter(is_free).map(str::to_owned).collect();
        for path in unwritten {
            self.manifest.forget(&path);
            self.is_settled = false;
        }
    }

    /// Brings the manifest on the disk up to date.
    fn settle(&mut self) -> Result<()> {
        if !self.is_settled {
            self.files.store_manifest(&self.manifest.text())?;
            self.is_settled = true;
        }
        Ok(())
    }
}
