//! The reports of a site, with the decision which of them to write, and from which source.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, Result, bail};

use super::SiteRequest;
use super::stored::SiteData;
use super::writer::SiteWriter;
use crate::carry::Carried;
use crate::collect::mending::{StoredProfile, executed_blocks, stored_profile};
use crate::exit::EarlyEnd;
use crate::filter::Filter;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::row::Row;
use crate::io::progress::Progress;
use crate::names::in_message;
use crate::notice::Notice;
use crate::profile::Profile;
use crate::report::forms::{FormInput, PAGE};
use crate::report::site::{
    self, LinkedReport, ReportOrigin, ReportSource, ReportWork, SiteFile, SourceShown,
};
use crate::report::{FileNeeds, FileReport, FileSource, HostLinks, NoSource, Packer, Report};
use crate::source::{
    CarryRequest, NotFetched, RepositoryCommit, SourceReader, SourceTree, SourcedState, Subject,
};

/// Number of reports after which the manifest is stored. After a killed run later ones are made again.
const AT_ONCE: usize = 20;

/// A commit in its repository, with its files.
type FoundSource = (RepositoryCommit, SourceTree);

/// The maker of reports.
pub(super) struct ReportMaker<'a> {
    pub(super) stored: &'a SiteData,
    pub(super) request: &'a SiteRequest<'a>,
    /// The links of pages to the hosts of the repositories of apps.
    pub(super) links: &'a HashMap<String, HostLinks>,
}

/// A report that may have to be written.
struct ReportCandidate<'p> {
    page: &'p LinkedReport,
    entry: &'p KeyEntry,
    work: ReportWork,
    origin: ReportOrigin,
    /// The existing report, unless it has to be made anew.
    kept: Option<SiteFile>,
}

impl ReportCandidate<'_> {
    /// Returns what the existing report was made from.
    fn known(&self) -> Option<&ReportOrigin> {
        self.kept.as_ref()?.from.as_ref()
    }

    /// Tells whether the manifest must not describe the existing report any more. That of a report that lacks source is
    /// replaced if there is more, which is not known yet.
    fn may_be_written(&self) -> bool {
        match self.work {
            ReportWork::Page | ReportWork::Pull => true,
            ReportWork::Source => self.known().is_some_and(|known| known.pull != self.origin.pull),
            ReportWork::Nothing => false,
        }
    }

    /// Lets the manifest describe the existing report again, which was not written.
    fn take_back(&self, writer: &mut SiteWriter<'_>) {
        if let Some(written) = &self.kept {
            writer.take_back(&self.page.path, written);
        }
    }
}

struct MadeReport {
    /// Text of the report; `None` if the existing one has all source that can be found.
    text: Option<Vec<u8>>,
    source: ReportSource,
    /// The error if its repository could not be reached.
    not_fetched: Option<NotFetched>,
}

impl ReportMaker<'_> {
    pub(super) fn is_interrupted(&self) -> bool {
        self.request.source.signals.received().is_some()
    }

    /// Writes the reports that have to be written; returns the extent of source in each existing report.
    pub(super) fn write(
        &self,
        pages: &[LinkedReport],
        writer: &mut SiteWriter<'_>,
    ) -> Result<HashMap<String, SourceShown>> {
        let candidates = self.candidates(pages, writer);
        let due = candidates.iter().filter(|candidate| candidate.may_be_written());
        writer.announce(due.map(|candidate| candidate.page.path.as_str()))?;

        let progress = Progress::start(candidates.len(), self.request.shows_progress);
        let (mut failures, mut bytes, mut not_in_manifest) = (Vec::new(), 0, 0);
        let mut reports = HashMap::new();
        // Apps whose repositories cannot be reached are not tried again, because each attempt waits for a timeout.
        let mut unreachable = HashSet::new();
        for (number, candidate) in candidates.iter().enumerate() {
            if self.is_interrupted() {
                candidates[number..].iter().for_each(|candidate| candidate.take_back(writer));
                break;
            }
            let ReportCandidate { page, entry, origin, .. } = candidate;
            match self.bring_up_to_date(candidate, &mut unreachable, writer) {
                Ok(0) => writer.tally.unchanged += 1,
                Ok(length) => {
                    bytes += length;
                    not_in_manifest += 1;
                }
                Err(error) => {
                    candidate.take_back(writer);
                    failures.push(format!("{}: {error:#}", in_message(&page.service)));
                }
            }
            // After a failure an earlier report may still exist, which is of other data.
            if let Some(source) = writer.source(&page.path, origin) {
                if page.is_current && source.could_be_more() && self.has_repository(entry) {
                    writer.tally.lacking_source.push(page.service.clone());
                }
                reports.insert(page.path.clone(), source.shown);
            }
            if not_in_manifest == AT_ONCE {
                writer.store_manifest()?;
                not_in_manifest = 0;
            }
            progress.show(number + 1, bytes, failures.len());
        }
        progress.finish();
        writer.tally.failed += failures.len();
        for failure in failures {
            self.tell(Notice::Failure(failure));
        }
        Ok(reports)
    }

    pub(super) fn tell(&self, notice: Notice) {
        (self.request.source.notify)(notice);
    }

    /// Returns the possible reports with the work that each needs.
    fn candidates<'p>(
        &'p self,
        pages: &'p [LinkedReport],
        writer: &mut SiteWriter<'_>,
    ) -> Vec<ReportCandidate<'p>> {
        let blocked = writer.blocked(pages.iter().map(|page| page.path.as_str()));
        let entries = self.stored.entries();
        let of_pages = site::page_version();
        let mut versions: HashMap<&str, String> = HashMap::new();
        let free = pages.iter().filter(|page| !blocked.contains(&page.path));
        let candidates = free.filter_map(|page| {
            let entry = *entries.get(&page.row)?;
            let app = &entry.key.app;
            let version = versions.entry(app).or_insert_with(|| self.version(&of_pages, app));
            let origin = self.stored.origin(page, entry, version)?;
            let (kept, work) = writer.kept(&page.path, &origin).unzip();
            Some(ReportCandidate { page, entry, work: work.unwrap_or(ReportWork::Page), origin, kept })
        });
        candidates.collect()
    }

    /// Returns a text that changes when reports of an app change their look, which is that of `of_pages`, their links to a
    /// host, whether they name people, or what is carried to them.
    fn version(&self, of_pages: &str, app: &str) -> String {
        let reader = self.reader(app, true);
        let links = self.links.get(app).map(|links| links.line(""));
        let people = if reader.names_people() { " with people" } else { "" };
        let app = self.request.source.config.apps.get(app);
        let carry = app.and_then(|app| app.carry).map(|age| format!(" carry {}s", age.as_secs()));
        let carry = carry.unwrap_or_default();
        format!("{of_pages}{people}{carry} {}", links.unwrap_or_default()).trim_end().to_owned()
    }

    /// Tells whether the source could come from a clone or a URL.
    fn has_repository(&self, entry: &KeyEntry) -> bool {
        !entry.key.commit.is_empty() && self.reader(&entry.key.app, true).is_configured()
    }

    fn reader<'r>(&'r self, app: &'r str, is_offline: bool) -> SourceReader<'r> {
        SourceReader { settings: self.request.source, app, is_offline }
    }

    /// Brings a report up to date; returns its size in bytes if it was written, or else 0.
    fn bring_up_to_date(
        &self,
        candidate: &ReportCandidate<'_>,
        unreachable: &mut HashSet<String>,
        writer: &mut SiteWriter<'_>,
    ) -> Result<u64> {
        let known = candidate.known().map(|known| &known.source);
        let length = match candidate.work {
            ReportWork::Nothing => return Ok(0),
            ReportWork::Pull => None,
            ReportWork::Page | ReportWork::Source => {
                self.write_if_more(candidate, known, unreachable, writer)?
            }
        };
        let renewed = match (length, &candidate.kept) {
            (None, Some(written)) => writer.renew_pull(&candidate.page.path, written, &candidate.origin)?,
            _ => length,
        };
        let written = match renewed {
            None => self.write_if_more(candidate, None, unreachable, writer)?,
            renewed => renewed,
        };
        Ok(written.unwrap_or(0))
    }

    /// Writes a report that does not exist, or that has more source than is `known`; returns its size in bytes.
    fn write_if_more(
        &self,
        ReportCandidate { page, entry, origin, .. }: &ReportCandidate<'_>,
        known: Option<&ReportSource>,
        unreachable: &mut HashSet<String>,
        writer: &mut SiteWriter<'_>,
    ) -> Result<Option<u64>> {
        let (app, now) = (&entry.key.app, self.request.now);
        let (fetch, host) = {
            let reader = self.reader(app, true);
            (reader.fetch_name(&entry.key.commit), reader.host().unwrap_or_default())
        };
        let may_ask = [&fetch, &host].into_iter().all(|asked| writer.manifest.may_ask(asked, now));
        // The source of an earlier commit was fetched while the commit was current, or cannot be had.
        let is_earlier = !page.is_current;
        if is_earlier && known.is_some() && !may_ask {
            return Ok(None);
        }
        let is_offline = self.request.is_offline || unreachable.contains(app) || !may_ask || is_earlier;
        let MadeReport { text, source, not_fetched } =
            self.make(page, entry, &self.reader(app, is_offline), known)?;
        if let Some(not_fetched) = not_fetched {
            unreachable.insert(app.clone());
            if not_fetched.is_timed_out && !host.is_empty() {
                // Every other repository on the host would take as long.
                writer.asked(host, now);
            }
        }
        let was_sought = !is_offline || is_earlier && self.has_repository(entry);
        if was_sought && source.could_be_more() {
            writer.asked(fetch, now);
        }
        let Some(text) = text else { return Ok(None) };
        writer.put(&page.path, &text, Some(ReportOrigin { source, ..origin.clone() }))?;
        Ok(Some(text.len() as u64))
    }

    /// Makes a report. `known` is the extent of the source in the existing report, if only more source is wanted.
    fn make(
        &self,
        page: &LinkedReport,
        entry: &KeyEntry,
        reader: &SourceReader<'_>,
        known: Option<&ReportSource>,
    ) -> Result<MadeReport> {
        let mut subject = self.stored.subject(page, entry).context("its row was deleted meanwhile")?;
        let (found, not_fetched) = match self.find(&subject, reader) {
            Ok(found) => (found, None),
            Err(error) => {
                self.tell(Notice::Explanation(format!("{}: {error:#}", subject.name())));
                (None, error.downcast::<NotFetched>().ok())
            }
        };
        if found.is_none() && known.is_some() {
            return Ok(MadeReport { text: None, source: ReportSource::none(), not_fetched });
        }
        let before = match &found {
            Some((at, _)) => self.before(page, entry, at)?,
            None => None,
        };
        let filter = Filter::default();
        let packer = Packer::new(&filter);
        let lines = FileNeeds { lines: true, ..FileNeeds::default() };
        let own_profile = self.profile(&subject.row)?;
        let carried = match &found {
            Some(found) => self.carried(&subject, found, &own_profile, reader)?,
            None => None,
        };
        let union = carried.as_ref().map(|carried| carried.union(&own_profile));
        let profile = union.as_ref().unwrap_or(&own_profile);
        // The places of a comparison quote their lines.
        let quotes = before.is_some();
        let origins = carried.as_ref().map(Carried::origins);
        let needs = FileNeeds { packer: Some(&packer), quotes, carried: origins, ..lines };
        let sources = read_sources(found.as_ref(), profile, reader, needs)?;
        subject.links = reader.host_links(found.as_ref().map(|(at, _)| at));
        let named = found.as_ref().filter(|_| reader.names_people());
        let owners = named.and_then(|(at, tree)| reader.code_owners(at, tree));
        let commit = found.as_ref().map(|(at, _)| at.commit.to_string());
        let named = || reader.known(subject.revision.as_ref()?).map(|commit| commit.to_string());
        subject.source_commit = commit.clone().or_else(named);
        let report = Report::new(subject.head(filter.words(), self.request.now), profile, sources);
        let mut report = Report { owners, ..report };
        let source = source_shown(&report, commit);
        if known == Some(&source) {
            return Ok(MadeReport { text: None, source, not_fetched });
        }
        if let Some(carried) = &carried {
            report.head.set_carried(carried.coverage(&own_profile, self.request.now));
        }
        let compared = match (&found, before) {
            (Some(found), Some(before)) => {
                // Other states are compared without what is carried.
                let own = match &carried {
                    Some(_) => {
                        let sources = read_sources(Some(found), &own_profile, reader, lines)?;
                        Some(Report::new(report.head.clone(), &own_profile, sources))
                    }
                    None => None,
                };
                self.compared_or_told((&report, own.as_ref().unwrap_or(&report)), before, &found.0)?
            }
            _ => None,
        };
        let changes = compared.as_ref().map(|(diff, changes)| (diff, changes));
        let text = PAGE.render(FormInput { report: &report, changes })?;
        Ok(MadeReport { text: Some(text), source, not_fetched })
    }

    /// Finds what the configuration has carried to the page of a row from rows that were stored before it; `None` if it has
    /// nothing carried. A failure is told, and the page has what was executed at its commit.
    fn carried(
        &self,
        subject: &Subject,
        (at, tree): &FoundSource,
        profile: &Profile,
        reader: &SourceReader<'_>,
    ) -> Result<Option<Carried>> {
        let row = &subject.row;
        let app = reader.settings.config.apps.get(&row.key.app);
        let Some(age) = app.and_then(|app| app.carry) else { return Ok(None) };
        let request = CarryRequest::of_pages(row.created_at, age);
        let subject_of = SourcedState { at, tree, profile, keys: std::slice::from_ref(&row.key) };
        let told = |StoredProfile { profile, warning }| {
            if let Some(warning) = warning {
                self.tell(Notice::Warning(warning));
            }
            profile
        };
        let read = |row: &Row| executed_blocks(row, self.request.source.workdir).map(told);
        match reader.carried(subject_of, self.stored.rows(), request, read) {
            Ok((carried, _)) => match self.request.source.signals.received() {
                Some(signal) => bail!(EarlyEnd::Signal(signal)),
                None => Ok(Some(carried)),
            },
            Err(error) if self.is_interrupted() => Err(error),
            Err(error) => {
                self.tell(Notice::Explanation(format!(
                    "{}: nothing is carried from other commits: {error:#}",
                    subject.name()
                )));
                Ok(None)
            }
        }
    }

    /// Finds the source of a subject; `None` if its name has no commit.
    fn find(&self, subject: &Subject, reader: &SourceReader<'_>) -> Result<Option<FoundSource>> {
        let Some(revision) = &subject.revision else { return Ok(None) };
        let at = reader.at(revision, self.request.reading)?;
        let tree = reader.tree(&at)?;
        Ok(Some((at, tree)))
    }

    pub(super) fn profile(&self, row: &Row) -> Result<Profile> {
        let StoredProfile { profile, warning } = stored_profile(row, self.request.source.workdir)?;
        if let Some(warning) = warning {
            self.tell(Notice::Warning(warning));
        }
        Ok(profile)
    }
}

/// Reads the sources of a profile's files, if a commit was found.
fn read_sources(
    found: Option<&FoundSource>,
    profile: &Profile,
    reader: &SourceReader<'_>,
    needs: FileNeeds<'_>,
) -> Result<Vec<FileSource>> {
    match found {
        Some((at, tree)) => reader.sources(profile, (at, tree), &HashMap::new(), |_| true, needs),
        None => Ok(FileSource::not_read(profile, needs)),
    }
}

/// Returns the extent of the source in a report.
fn source_shown(report: &Report<'_>, commit: Option<String>) -> ReportSource {
    let is_lacking = |file: &&FileReport<'_>| file.no_source == Some(NoSource::NotInRepository);
    let shown = match report.files.iter().filter(|file| file.no_source.is_some()).count() {
        _ if commit.is_none() => SourceShown::None,
        0 => SourceShown::Whole,
        without if without < report.files.len() => SourceShown::Partly,
        _ => SourceShown::None,
    };
    ReportSource { commit, lacking: report.files.iter().filter(is_lacking).count(), shown }
}
