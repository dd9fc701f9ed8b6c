//! The inbox: snapshots that leaving pods left are taken in before anything is pulled.
//!
//! A snapshot is as hostile as an answer, and may come late, twice, or after its successor. Its outcome is committed
//! together with its identity before its file goes, so that a crash in between counts nothing twice.

mod origin;
mod reader;

pub(crate) use reader::InboxReader;

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{Config, InboxOwner};
use crate::fleet::snapshot::{self, BadSnapshot, Head};
use crate::io::users;
use crate::io::workdir::inbox::{self, InboxFile};
use crate::io::workdir::{Workdir, WorkdirError};
use crate::profile::Fingerprint;

/// Number of files that are looked into before bad ones are moved away and the time is checked.
const LOOKED_INTO_AT_ONCE: usize = 512;
/// Time for which the identity of a snapshot is remembered. A snapshot that comes again later still changes nothing: its
/// counts are known.
pub(crate) const REMEMBERED: TimeDelta = TimeDelta::days(90);

/// A file of an inbox, with its outcome.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotResult {
    /// Path of the file.
    pub(crate) file: String,
    /// `None` where the file has no head that can be read.
    pub(crate) head: Option<Head>,
    pub(crate) outcome: SnapshotOutcome,
}

/// The outcome of a file of an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotOutcome {
    /// The counters are merged in.
    Merged,
    /// The counts were known.
    Known,
    /// The build contradicts the one that the key shows; the counters wait.
    OtherBuild(Fingerprint),
    /// The file waits for the next run: somebody may still be writing it.
    Unfinished(String),
    /// The file could not be read, or not be moved away, and is tried again.
    Stuck(String),
    /// The file was moved away.
    Bad(String),
}

/// A file whose head was read.
pub(crate) struct Snapshot {
    file: InboxFile,
    head: Head,
    start: u64,
}

/// A folder that could not be looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadInbox {
    /// The configured folder does not exist.
    Missing(PathBuf),
    /// The folder cannot be read, for this reason.
    Unreadable(String),
}

/// The contents of the inboxes.
#[derive(Default)]
pub(crate) struct InboxContents {
    /// By service, the oldest data first.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Folders that could not be looked into.
    pub(crate) bad_inboxes: Vec<BadInbox>,
    /// Files that are no snapshots, or not yet.
    refused: Vec<SnapshotResult>,
    /// Number of files that were not looked into for lack of time.
    waiting: usize,
}

/// The result of taking in the contents of the inboxes.
#[derive(Default)]
pub(crate) struct InboxOutcome {
    pub(crate) results: Vec<SnapshotResult>,
    /// Number of files that were left for the next run.
    pub(crate) waiting: usize,
    /// Why files that were taken in could not be removed.
    pub(crate) not_removed: Vec<String>,
    /// An inbox could not be looked into, or not be emptied.
    is_partial: bool,
}

impl InboxOutcome {
    /// Tells whether something was refused, or waits for more than its end.
    pub(crate) fn has_trouble(&self) -> bool {
        use SnapshotOutcome::{Bad, OtherBuild, Stuck};
        let is_trouble = |outcome: &SnapshotOutcome| matches!(outcome, OtherBuild(_) | Stuck(_) | Bad(_));
        self.is_partial || self.waiting > 0 || self.results.iter().any(|result| is_trouble(&result.outcome))
    }
}

/// Looks into the inboxes, until `is_over`: the next run goes on.
pub(crate) fn look(
    workdir: &Workdir,
    config: &Config,
    now: DateTime<Utc>,
    is_over: &dyn Fn() -> bool,
) -> InboxContents {
    let mut contents = InboxContents::default();
    let own = match workdir.inbox() {
        Ok(own) => Some(own),
        Err(error) => {
            contents.bad_inboxes.push(BadInbox::Unreadable(explained(error)));
            None
        }
    };
    let configured = config.inboxes.iter().map(|folder| workdir.root().join(folder));
    let mut looked_into = HashSet::new();
    for folder in own.clone().into_iter().chain(configured) {
        if !looked_into.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())) {
            continue;
        }
        let files = match inbox::files(&folder, snapshot::SUFFIX, now) {
            Ok(Some(files)) => files,
            // The inbox of the root is made by whoever needs it; a configured one is a mount that went.
            Ok(None) if own.as_ref() == Some(&folder) => Vec::new(),
            Ok(None) => {
                contents.bad_inboxes.push(BadInbox::Missing(folder));
                continue;
            }
            Err(error) => {
                contents.bad_inboxes.push(BadInbox::Unreadable(explained(error)));
                continue;
            }
        };
        let owners = config.inbox_owners.as_deref();
        contents.look_into(files, owners, now, is_over);
    }
    contents.snapshots.sort_by_cached_key(|snapshot| {
        (snapshot.head.service.clone(), snapshot.head.captured_at, snapshot.file.path())
    });
    contents
}

impl InboxContents {
    fn look_into(
        &mut self,
        files: Vec<InboxFile>,
        owners: Option<&[InboxOwner]>,
        now: DateTime<Utc>,
        is_over: &dyn Fn() -> bool,
    ) {
        let mut files = files.into_iter().peekable();
        while files.peek().is_some() && !is_over() {
            let mut refused = Vec::new();
            for file in files.by_ref().take(LOOKED_INTO_AT_ONCE) {
                match head_of(&file, owners) {
                    Ok((head, start)) => self.snapshots.push(Snapshot { file, head, start }),
                    Err(reason) => refused.push(Refusal { file, head: None, reason }),
                }
            }
            self.refused.extend(refuse(refused, now));
        }
        self.waiting += files.len();
    }
}

/// Why a file is not taken in.
enum Refused {
    /// The file is no snapshot.
    Bad(String),
    /// Not all of it is there, or not yet.
    Unfinished(String),
    /// The file could not be read this time.
    Stuck(String),
}

fn explained(error: WorkdirError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// Opens a file that one of `owners` left.
fn open(file: &InboxFile, owners: Option<&[InboxOwner]>) -> Result<File, Refused> {
    match file.open() {
        Ok(Some(opened)) => match distrust(&opened, owners) {
            Some(reason) => Err(Refused::Stuck(reason)),
            None => Ok(opened),
        },
        Ok(None) => Err(Refused::Bad("it is no regular file".to_owned())),
        Err(error) => Err(Refused::Stuck(explained(error))),
    }
}

/// Returns why the owner of an opened file is not trusted; `None` where it is.
fn distrust(opened: &File, owners: Option<&[InboxOwner]>) -> Option<String> {
    let owners = owners?;
    let metadata = match opened.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return Some(error.to_string()),
    };
    let (uid, gid) = (metadata.uid(), metadata.gid());
    let is_trusted = owners.iter().any(|owner| owner.has(uid, gid, users::id_of));
    (!is_trusted).then(|| format!("its owner (user {uid}, group {gid}) is none of inbox_owners"))
}

fn head_of(file: &InboxFile, owners: Option<&[InboxOwner]>) -> Result<(Head, u64), Refused> {
    let mut text = Vec::new();
    let read = open(file, owners)?.take(snapshot::LONGEST_HEAD as u64).read_to_end(&mut text);
    read.map_err(|error| Refused::Stuck(error.to_string()))?;
    match snapshot::read_head(&text) {
        Ok((head, start)) => Ok((head, start as u64)),
        Err(error @ BadSnapshot::Cut) => Err(Refused::Unfinished(error.to_string())),
        Err(error) => Err(Refused::Bad(error.to_string())),
    }
}

/// A file that is not taken in.
struct Refusal {
    file: InboxFile,
    head: Option<Head>,
    reason: Refused,
}

/// Moves files aside that are bad; returns what came of each, but for those that another root took meanwhile.
fn refuse(refusals: Vec<Refusal>, now: DateTime<Utc>) -> Vec<SnapshotResult> {
    let result = |file: &InboxFile, head, outcome| SnapshotResult { file: shown(file), head, outcome };
    let (mut all, mut bad) = (Vec::new(), Vec::new());
    for Refusal { file, head, reason } in refusals {
        match reason {
            _ if file.is_gone() => {}
            Refused::Stuck(reason) => all.push(result(&file, head, SnapshotOutcome::Stuck(reason))),
            Refused::Unfinished(reason) if file.is_fresh(now) => {
                all.push(result(&file, head, SnapshotOutcome::Unfinished(reason)));
            }
            Refused::Unfinished(reason) | Refused::Bad(reason) => bad.push((file, head, reason)),
        }
    }
    let moved = inbox::set_aside(&bad.iter().map(|(file, _, reason)| (file, &**reason)).collect::<Vec<_>>());
    for ((file, head, reason), moved) in bad.into_iter().zip(moved) {
        let outcome = match moved {
            Ok(true) => SnapshotOutcome::Bad(reason),
            Ok(false) => continue,
            Err(error) => SnapshotOutcome::Stuck(format!("{reason}; {}", explained(error))),
        };
        all.push(result(&file, head, outcome));
    }
    all
}

fn shown(file: &InboxFile) -> String {
    file.path().display().to_string()
}
