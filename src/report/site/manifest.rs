//! The manifest of a site: which files are its own, and from which data each was written.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::address::is_possible;

/// Counts up when files of an older one could be taken for something else than they are.
const FORMAT: u32 = 1;

/// How much younger than a page says the data of a running service may become.
const LONGEST_UNCONFIRMED: TimeDelta = TimeDelta::days(1);

/// The files of a site by their paths from its root, with `/` between their parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    files: BTreeMap<String, Option<Written>>,
    /// When what was not here was last asked for elsewhere.
    asked: BTreeMap<String, DateTime<Utc>>,
}

/// A file as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written {
    /// Its size.
    pub bytes: u64,
    /// Of its content, in Base64.
    pub sha256: String,
    /// The data of a report; `None` for a file that is made anew in every run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Origin>,
}

/// The data that a report was written from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The row.
    pub row: i64,
    /// Short digest of its counts: a work directory that was begun anew numbers its rows from 1 again.
    pub counts: Option<String>,
    /// The row that it is compared with.
    pub previous: Option<i64>,
    /// The name of the service on it.
    pub service: String,
    /// The version of the page: see [`super::page_version`].
    #[serde(rename = "edition")]
    pub version: String,
    /// The age that it tells.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Its source.
    pub source: Text,
}

/// How long a repository is not asked again for a commit whose source it did not have.
const PAUSE: TimeDelta = TimeDelta::hours(1);

/// How much of the source a report has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Text {
    /// Full hash of its commit; `None` where it has none.
    pub commit: Option<String>,
    /// Files that it lacks and that could be had.
    pub lacking: usize,
    /// The part of it that is shown.
    pub shown: Shown,
}

/// How much of a report is shown with its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shown {
    /// All files.
    Whole,
    /// Some.
    Partly,
    /// None: lines stand there by number.
    None,
}

impl Origin {
    /// Tells whether both are of the same data of the same service.
    #[must_use]
    pub(crate) fn is_of(&self, wanted: &Self) -> bool {
        (self.row, &self.counts, &self.service) == (wanted.row, &wanted.counts, &wanted.service)
    }
}

impl Text {
    /// Returns what a page without any source has.
    #[must_use]
    pub(crate) fn none() -> Self {
        Self { commit: None, lacking: 0, shown: Shown::None }
    }

    /// Tells whether another try could find more.
    #[must_use]
    pub(crate) fn could_be_more(&self) -> bool {
        self.commit.is_none() || self.lacking > 0
    }
}

/// The work that a report needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// None.
    Nothing,
    /// A look for more source; its data is right.
    Source,
    /// The report has to be written.
    Page,
}

#[derive(Serialize, Deserialize)]
struct Document {
    goc_watchdog_site: u32,
    files: BTreeMap<String, Option<Written>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    asked: BTreeMap<String, DateTime<Utc>>,
}

/// A text that is no manifest of this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ManifestError {
    /// The text cannot be read.
    #[error("does not read as what goc-watchdog wrote: {0}")]
    Damaged(String),
    /// A later release wrote it.
    #[error("was written by a later goc-watchdog, as format {0}; this one knows {FORMAT}")]
    FromTheFuture(u32),
}

impl Manifest {
    /// Reads what [`Manifest::text`] wrote. It names what may be removed, so no path in it leads elsewhere.
    pub(crate) fn parse(text: &str) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Format {
            goc_watchdog_site: u32,
        }
        let damaged = |error: serde_json::Error| ManifestError::Damaged(error.to_string());
        let Format { goc_watchdog_site: format } = serde_json::from_str(text).map_err(damaged)?;
        if format > FORMAT {
            return Err(ManifestError::FromTheFuture(format));
        }
        let Document { files, asked, .. } = serde_json::from_str(text).map_err(damaged)?;
        match files.keys().find(|path| !is_possible(path)) {
            Some(path) => Err(ManifestError::Damaged(format!("no site has a file {path:?}"))),
            None => Ok(Self { files, asked }),
        }
    }

    /// Returns it as it is kept in the site.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let document =
            Document { goc_watchdog_site: FORMAT, files: self.files.clone(), asked: self.asked.clone() };
        let mut text = serde_json::to_string_pretty(&document).expect("plain data");
        text.push('\n');
        text
    }

    /// Tells whether a file is of the site.
    #[must_use]
    pub(crate) fn names(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Returns what was written to a path, where that came to its end.
    #[must_use]
    pub(crate) fn written(&self, path: &str) -> Option<&Written> {
        self.files.get(path)?.as_ref()
    }

    /// Returns what its reports were written from.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.files.values().flatten().filter_map(|written| written.from.as_ref())
    }

    /// Tells whether it is time to ask elsewhere for something; what came here meanwhile is found at any time.
    #[must_use]
    pub(crate) fn may_ask(&self, what: &str, now: DateTime<Utc>) -> bool {
        self.asked.get(what).is_none_or(|at| !is_recent(*at, now))
    }

    /// Notes what was asked for and not had, and forgets what was so too long ago to matter.
    pub(crate) fn asked(&mut self, what: String, now: DateTime<Utc>) {
        self.asked.retain(|_, at| is_recent(*at, now));
        self.asked.insert(what, now);
    }

    /// Notes that a file of the site is about to be written there; until it is, nothing is known of it.
    pub(crate) fn announce(&mut self, path: &str) {
        self.files.insert(path.to_owned(), None);
    }

    /// Notes that it was.
    pub(crate) fn record(&mut self, path: &str, written: Written) {
        self.files.insert(path.to_owned(), Some(written));
    }

    /// Forgets a file.
    pub(crate) fn forget(&mut self, path: &str) {
        self.files.remove(path);
    }

    /// Returns the paths of what was announced and not recorded.
    pub(crate) fn announced(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter(|(_, written)| written.is_none()).map(|(path, _)| path.as_str())
    }

    /// Returns all paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

fn is_recent(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at <= now && now - at < PAUSE
}

impl Written {
    /// Describes a file with this text.
    #[must_use]
    pub(crate) fn new(text: &[u8], from: Option<Origin>) -> Self {
        Self { bytes: text.len() as u64, sha256: STANDARD.encode(Sha256::digest(text)), from }
    }

    /// Tells whether it is this text that was written.
    #[must_use]
    pub(crate) fn is_of(&self, text: &[u8]) -> bool {
        self.sha256 == STANDARD.encode(Sha256::digest(text))
    }

    /// Says what there is to do about a report that is to be `wanted`, but for its source.
    #[must_use]
    pub(crate) fn need(&self, wanted: &Origin) -> Need {
        let Some(origin) = &self.from else { return Need::Page };
        let is_like =
            origin.is_of(wanted) && (origin.previous, &origin.version) == (wanted.previous, &wanted.version);
        // Each pull confirms the data of a row, and a page that was written after each would be another each time.
        let is_told = match (origin.confirmed_at, wanted.confirmed_at) {
            (Some(told), Some(known)) => (TimeDelta::zero()..LONGEST_UNCONFIRMED).contains(&(known - told)),
            (told, known) => told.is_some() == known.is_some(),
        };
        match () {
            () if !is_like || !is_told => Need::Page,
            () if origin.source.could_be_more() => Need::Source,
            () => Need::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn origin() -> Origin {
        Origin {
            row: 7,
            counts: Some("5b1f".to_owned()),
            previous: Some(6),
            service: "s".to_owned(),
            version: "e".to_owned(),
            confirmed_at: Some(Utc.with_ymd_and_hms(2026, 11, 24, 14, 20, 0).unwrap()),
            source: Text { commit: Some("845820727e".to_owned()), lacking: 0, shown: Shown::Partly },
        }
    }

    fn written(from: Origin) -> Written {
        Written { bytes: 3, sha256: "00".to_owned(), from: Some(from) }
    }

    #[test]
    fn it_reads_what_it_wrote() {
        let mut manifest = Manifest::default();
        manifest.record("app/-/-/-/report.html", written(origin()));
        manifest.record("index.html", Written { from: None, ..written(origin()) });
        manifest.announce("index.json");
        manifest.asked("app".to_owned(), origin().confirmed_at.unwrap());
        assert_eq!(Manifest::parse(&manifest.text()), Ok(manifest));
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
        assert_eq!(kept.need(&origin()), Need::Nothing);
        let others = [
            Origin { row: 8, ..origin() },
            Origin { counts: Some("77aa".to_owned()), ..origin() },
            Origin { previous: None, ..origin() },
            Origin { service: "t".to_owned(), ..origin() },
            Origin { version: "f".to_owned(), ..origin() },
            Origin { confirmed_at: None, ..origin() },
        ];
        for other in others {
            assert_eq!(kept.need(&other), Need::Page, "{other:?}");
        }
        assert_eq!(Written { from: None, ..kept }.need(&origin()), Need::Page);
    }

    #[test]
    fn a_page_whose_data_is_confirmed_again_and_again_is_written_once_a_day() {
        let later = |hours| {
            let confirmed_at = origin().confirmed_at.map(|at| at + TimeDelta::hours(hours));
            written(origin()).need(&Origin { confirmed_at, ..origin() })
        };
        let nothing = Need::Nothing;
        assert_eq!([-1, 0, 1, 23, 24].map(later), [Need::Page, nothing, nothing, nothing, Need::Page]);
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
        for source in [Text::none(), Text { lacking: 1, ..origin().source }] {
            assert_eq!(written(Origin { source, ..origin() }).need(&origin()), Need::Source);
        }
    }
}
