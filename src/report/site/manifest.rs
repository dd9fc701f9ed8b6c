//! The manifest of a site: its own files, with the data from which each was written.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::address::is_possible;
use crate::report::PullFacts;

/// The version of the format. It rises when files in an older manifest could be misunderstood.
const FORMAT: u32 = 1;

/// The longest time from the pull with which the chart of a report ends to the last one.
const LONGEST_UNCONFIRMED: TimeDelta = TimeDelta::days(1);

/// The files of a site by their paths from its root, with `/` between their parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    files: BTreeMap<String, Option<SiteFile>>,
    /// Time at which missing source was last requested from a remote repository.
    asked: BTreeMap<String, DateTime<Utc>>,
}

/// The record of a written file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SiteFile {
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of its content, in Base64.
    pub sha256: String,
    /// The data of a report; `None` for a file that every run makes anew.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<ReportOrigin>,
}

/// The data from which a report was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportOrigin {
    /// Id of the row.
    pub row: i64,
    /// Short digest of its counts. A new work directory numbers its rows from 1 again, so the id is not enough.
    pub counts: Option<String>,
    /// Id of the row with which the total is compared.
    pub previous: Option<i64>,
    /// Id of the row of the commit before, with which each line is compared.
    #[serde(default)]
    pub commit_before: Option<i64>,
    /// The name of the service that the page shows.
    pub service: String,
    /// The version of the page ([`super::page_version`]).
    #[serde(rename = "edition")]
    pub version: String,
    /// Time of the last pull when the page was made.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The last pull of which the page tells, which is put into a page without making the rest anew; `None` for a page of
    /// an earlier release.
    #[serde(default)]
    pub pull: Option<PullFacts>,
    /// The source in the report.
    pub source: ReportSource,
}

/// The time for which a repository is not asked again for a commit that it did not have.
const PAUSE: TimeDelta = TimeDelta::hours(1);

/// The extent of the source in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportSource {
    /// Full hash of its commit; `None` without source.
    pub commit: Option<String>,
    /// Number of missing files that a repository may still have.
    pub lacking: usize,
    /// The part of the report that is shown with source.
    pub shown: SourceShown,
}

/// The part of a report that is shown with its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceShown {
    /// All files have source.
    Whole,
    /// Some files have source.
    Partly,
    /// No file has source, so lines are shown by number.
    None,
}

impl ReportOrigin {
    /// Tells whether both are of the same data of the same service.
    #[must_use]
    pub(crate) fn is_of(&self, wanted: &Self) -> bool {
        (self.row, &self.counts, &self.service) == (wanted.row, &wanted.counts, &wanted.service)
    }
}

impl ReportSource {
    /// Returns the value for a page without any source.
    #[must_use]
    pub(crate) fn none() -> Self {
        Self { commit: None, lacking: 0, shown: SourceShown::None }
    }

    /// Tells whether another try could find more.
    #[must_use]
    pub(crate) fn could_be_more(&self) -> bool {
        self.commit.is_none() || self.lacking > 0
    }
}

/// The work that a report needs in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportWork {
    /// The report stays as it is.
    Nothing,
    /// More source may be found; the data is up to date, except perhaps for the last pull.
    Source,
    /// The last pull of which the report tells is not the last one.
    Pull,
    /// The report has to be written.
    Page,
}

#[derive(Serialize, Deserialize)]
struct Document {
    goc_watchdog_site: u32,
    files: BTreeMap<String, Option<SiteFile>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    asked: BTreeMap<String, DateTime<Utc>>,
}

/// The reason for which a text is not a valid manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ManifestError {
    /// The text cannot be read.
    #[error("is not a manifest that goc-watchdog wrote: {0}")]
    Damaged(String),
    /// A later release wrote the manifest.
    #[error("was written by a later goc-watchdog, as format {0}; this one knows {FORMAT}")]
    FromTheFuture(u32),
}

impl Manifest {
    /// Reads the text of [`Manifest::text`]. Files in a manifest may be removed, so every path must be one of a site.
    pub(crate) fn parse(text: &str) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct FormatNumber {
            goc_watchdog_site: u32,
        }
        let damaged = |error: serde_json::Error| ManifestError::Damaged(error.to_string());
        let FormatNumber { goc_watchdog_site: format } = serde_json::from_str(text).map_err(damaged)?;
        if format > FORMAT {
            return Err(ManifestError::FromTheFuture(format));
        }
        let Document { files, asked, .. } = serde_json::from_str(text).map_err(damaged)?;
        match files.keys().find(|path| !is_possible(path)) {
            Some(path) => Err(ManifestError::Damaged(format!("no site has a file {path:?}"))),
            None => Ok(Self { files, asked }),
        }
    }

    /// Returns the text that is stored in the site.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let document =
            Document { goc_watchdog_site: FORMAT, files: self.files.clone(), asked: self.asked.clone() };
        let mut text = serde_json::to_string_pretty(&document).expect("plain data");
        text.push('\n');
        text
    }

    /// Tells whether the site owns a file.
    #[must_use]
    pub(crate) fn names(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Returns the record of a file that was written completely.
    #[must_use]
    pub(crate) fn written(&self, path: &str) -> Option<&SiteFile> {
        self.files.get(path)?.as_ref()
    }

    /// Returns the data from which its reports were written.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &ReportOrigin> {
        self.files.values().flatten().filter_map(|written| written.from.as_ref())
    }

    /// Tells whether a remote repository may be asked again. Source that came into the local clone meanwhile is found
    /// at any time.
    #[must_use]
    pub(crate) fn may_ask(&self, what: &str, now: DateTime<Utc>) -> bool {
        self.asked.get(what).is_none_or(|at| !is_recent(*at, now))
    }

    /// Notes a request that found nothing, and forgets requests that are too old to matter.
    pub(crate) fn asked(&mut self, what: String, now: DateTime<Utc>) {
        self.asked.retain(|_, at| is_recent(*at, now));
        self.asked.insert(what, now);
    }

    /// Notes that a file of the site is about to be written; its content is unknown until [`Self::record`].
    pub(crate) fn announce(&mut self, path: &str) {
        self.files.insert(path.to_owned(), None);
    }

    /// Notes that a file was written.
    pub(crate) fn record(&mut self, path: &str, written: SiteFile) {
        self.files.insert(path.to_owned(), Some(written));
    }

    pub(crate) fn forget(&mut self, path: &str) {
        self.files.remove(path);
    }

    /// Returns the paths of files that were announced and not recorded.
    pub(crate) fn announced(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter(|(_, written)| written.is_none()).map(|(path, _)| path.as_str())
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

fn is_recent(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at <= now && now - at < PAUSE
}

impl SiteFile {
    /// Creates the record of a file with this text.
    #[must_use]
    pub(crate) fn new(text: &[u8], from: Option<ReportOrigin>) -> Self {
        Self { bytes: text.len() as u64, sha256: STANDARD.encode(Sha256::digest(text)), from }
    }

    /// Tells whether the file has this text.
    #[must_use]
    pub(crate) fn is_of(&self, text: &[u8]) -> bool {
        self.sha256 == STANDARD.encode(Sha256::digest(text))
    }

    /// Returns the work to make this report show the data in `wanted`, whose source is ignored.
    #[must_use]
    pub(crate) fn work(&self, wanted: &ReportOrigin) -> ReportWork {
        let Some(origin) = &self.from else { return ReportWork::Page };
        let compared = |origin: &ReportOrigin| (origin.previous, origin.commit_before);
        let is_like =
            origin.is_of(wanted) && compared(origin) == compared(wanted) && origin.version == wanted.version;
        // Each pull confirms the data of a row. Only what it says of the pull is renewed each time, because to make a large
        // report takes a second, or, with the authors of lines, ten.
        let is_told = match (origin.confirmed_at, wanted.confirmed_at) {
            (Some(told), Some(known)) => (TimeDelta::zero()..LONGEST_UNCONFIRMED).contains(&(known - told)),
            (told, known) => told.is_some() == known.is_some(),
        };
        match () {
            () if !is_like || !is_told || origin.pull.is_none() => ReportWork::Page,
            () if origin.source.could_be_more() => ReportWork::Source,
            () if origin.pull != wanted.pull => ReportWork::Pull,
            () => ReportWork::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn origin() -> ReportOrigin {
        ReportOrigin {
            row: 7,
            counts: Some("5b1f".to_owned()),
            previous: Some(6),
            commit_before: Some(5),
            service: "s".to_owned(),
            version: "e".to_owned(),
            confirmed_at: Some(Utc.with_ymd_and_hms(2026, 11, 24, 14, 20, 0).unwrap()),
            pull: Some(pull(0, 2)),
            source: ReportSource {
                commit: Some("845820727e".to_owned()),
                lacking: 0,
                shown: SourceShown::Partly,
            },
        }
    }

    fn pull(hours: i64, answered: u32) -> PullFacts {
        let first = Utc.with_ymd_and_hms(2026, 11, 24, 14, 20, 0).unwrap();
        PullFacts { since: first + TimeDelta::hours(hours), replicas: Some((answered, 2)) }
    }

    fn written(from: ReportOrigin) -> SiteFile {
        SiteFile { bytes: 3, sha256: "00".to_owned(), from: Some(from) }
    }

    #[test]
    fn it_reads_what_it_wrote() {
        let mut manifest = Manifest::default();
        manifest.record("app/-/-/-/report.html", written(origin()));
        manifest.record("index.html", SiteFile { from: None, ..written(origin()) });
        manifest.announce("index.json");
        manifest.asked("app".to_owned(), origin().confirmed_at.unwrap());
        assert_eq!(Manifest::parse(&manifest.text()), Ok(manifest));
    }

    #[test]
    fn a_report_of_an_earlier_release_was_not_compared() {
        let mut manifest = Manifest::default();
        manifest.record("app/-/-/-/report.html", written(origin()));
        let text = manifest.text().replace("\"commit_before\": 5,", "");
        let read = Manifest::parse(&text).unwrap();
        let report = read.written("app/-/-/-/report.html").unwrap();
        assert_eq!(report, &written(ReportOrigin { commit_before: None, ..origin() }));
    }

    #[test]
    fn nothing_outside_of_the_site_is_taken_for_its_own() {
        for path in ["../index.html", "/etc/index.html", "a/../../index.html", "notes.txt", ""] {
            let text = format!("{{\"goc_watchdog_site\": 1, \"files\": {{\"{path}\": null}}}}");
            assert!(matches!(Manifest::parse(&text), Err(ManifestError::Damaged(_))), "{path}");
        }
        assert!(matches!(Manifest::parse("{}"), Err(ManifestError::Damaged(_))));
        assert!(matches!(Manifest::parse(""), Err(ManifestError::Damaged(_))));
        assert_eq!(
            Manifest::parse("{\"goc_watchdog_site\": 2, \"files\": []}"),
            Err(ManifestError::FromTheFuture(2))
        );
    }

    #[test]
    fn a_page_is_written_when_what_it_is_of_changes() {
        let kept = written(origin());
        assert_eq!(kept.work(&origin()), ReportWork::Nothing);
        let others = [
            ReportOrigin { row: 8, ..origin() },
            ReportOrigin { counts: Some("77aa".to_owned()), ..origin() },
            ReportOrigin { previous: None, ..origin() },
            ReportOrigin { commit_before: None, ..origin() },
            ReportOrigin { commit_before: Some(4), ..origin() },
            ReportOrigin { service: "t".to_owned(), ..origin() },
            ReportOrigin { version: "f".to_owned(), ..origin() },
            ReportOrigin { confirmed_at: None, ..origin() },
        ];
        for other in others {
            assert_eq!(kept.work(&other), ReportWork::Page, "{other:?}");
        }
        assert_eq!(SiteFile { from: None, ..kept }.work(&origin()), ReportWork::Page);
    }

    #[test]
    fn a_page_whose_data_is_confirmed_again_and_again_is_written_once_a_day() {
        let later = |hours| {
            let confirmed_at = origin().confirmed_at.map(|at| at + TimeDelta::hours(hours));
            written(origin()).work(&ReportOrigin { confirmed_at, ..origin() })
        };
        let nothing = ReportWork::Nothing;
        assert_eq!(
            [-1, 0, 1, 23, 24].map(later),
            [ReportWork::Page, nothing, nothing, nothing, ReportWork::Page]
        );
    }

    #[test]
    fn a_page_tells_of_each_pull() {
        let kept = written(origin());
        for (pull, work) in [
            (pull(0, 2), ReportWork::Nothing),
            (pull(1, 2), ReportWork::Pull),
            (pull(0, 1), ReportWork::Pull),
        ] {
            assert_eq!(kept.work(&ReportOrigin { pull: Some(pull), ..origin() }), work, "{pull:?}");
        }
        assert_eq!(written(ReportOrigin { pull: None, ..origin() }).work(&origin()), ReportWork::Page);
    }

    #[test]
    fn a_repository_that_lacks_it_is_asked_again_after_an_hour() {
        let first = origin().confirmed_at.unwrap();
        let mut manifest = Manifest::default();
        manifest.asked("app".to_owned(), first);
        let may = |minutes| manifest.may_ask("app", first + TimeDelta::minutes(minutes));
        assert_eq!(
            [0, 59, 60, -1].map(may),
            [false, false, true, true],
            "a clock that went back begins anew"
        );
        assert!(manifest.may_ask("other", first));
        manifest.asked("other".to_owned(), first + TimeDelta::hours(2));
        assert_eq!(manifest.asked.len(), 1, "what is long ago is forgotten");
    }

    #[test]
    fn a_page_that_lacks_source_is_looked_at_again() {
        for source in [ReportSource::none(), ReportSource { lacking: 1, ..origin().source }] {
            assert_eq!(written(ReportOrigin { source, ..origin() }).work(&origin()), ReportWork::Source);
        }
    }
}
