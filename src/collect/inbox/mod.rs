//! The inbox: snapshots of ended pods are taken in before any address is pulled.
//!
//! A snapshot is as untrusted as an answer, and may come late, twice, or after a later one. Its counters and its
//! identity are committed together before its file is removed, so that a crash in between counts nothing twice.

mod emptying;
mod folder;
mod folder_names;
mod kept_counts;
mod left_key;
mod left_meta;
mod left_process;
mod origin;
mod pooled_lives;
mod read_ahead;
mod reader;
mod snapshot_service;
mod stored_snapshots;

pub(crate) use reader::InboxReader;

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{Config, InboxOwner};
use crate::fleet::ids::KeyId;
use crate::fleet::snapshot::{self, BadSnapshot, SnapshotHead};
use crate::io::users;
use crate::io::workdir::data_folder::{DataFolder, DataFolders, data_folders};
use crate::io::workdir::inbox::{self, InboxFile};
use crate::io::workdir::misplaced::{MisplacedFiles, misplaced_files};
use crate::io::workdir::{Workdir, WorkdirError};
use crate::memory::MemoryExhausted;
use crate::profile::Fingerprint;

/// Number of files that are read before bad ones are moved away and the time is checked.
const LOOKED_INTO_AT_ONCE: usize = 512;
/// Time for which the identity of a snapshot is remembered. A snapshot that comes again later still changes nothing,
/// because its counts are stored.
pub(crate) const REMEMBERED: TimeDelta = TimeDelta::days(90);
/// Time for which a process that left counters in a folder is remembered after the last of them. Counters that it
/// leaves later include the earlier ones, which may be part of a sum by then.
pub(crate) const PROCESSES_REMEMBERED: TimeDelta = TimeDelta::days(400);

/// A file of an inbox with its outcome.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotResult {
    /// Path of the file.
    pub(crate) file: String,
    pub(crate) kind: LeftKind,
    /// The service as the head or the folder names it; `None` when the head cannot be read.
    pub(crate) service: Option<String>,
    /// The key to which its data belongs, where that is known.
    pub(crate) key: Option<KeyId>,
    /// The time at which the counters were read, as the file tells it.
    pub(crate) captured_at: Option<DateTime<Utc>>,
    pub(crate) outcome: SnapshotOutcome,
}

/// The kind of a file in an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeftKind {
    /// A snapshot that a hook wrote.
    Snapshot,
    /// Counters that a process wrote itself.
    Counters,
    /// The meta of such counters.
    Meta,
}

/// The outcome of a file of an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotOutcome {
    /// The counters were added.
    Merged,
    /// The counts were stored already.
    Known,
    /// This very file was taken in before, here or in another folder of the service.
    TakenBefore,
    /// The build contradicts the one that the key shows, so the counters are set aside.
    OtherBuild(Fingerprint),
    /// The file waits for the next run, because it may still be written.
    Unfinished(String),
    /// The counters wait for the meta of their program.
    NoMeta(String),
    /// The file could not be read or not be moved away. The next run tries again.
    Stuck(String),
    /// The file was moved away.
    Bad(String),
}

impl SnapshotOutcome {
    fn is_stored(&self) -> bool {
        matches!(self, Self::Merged | Self::Known | Self::TakenBefore | Self::OtherBuild(_))
    }
}

/// A file whose head was read.
pub(crate) struct Snapshot {
    file: InboxFile,
    head: SnapshotHead,
    start: u64,
}

/// A folder that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadInbox {
    /// The configured folder does not exist.
    Missing(PathBuf),
    /// The folder cannot be read for this reason.
    Unreadable(String),
}

/// The contents of the inboxes.
#[derive(Default)]
pub(crate) struct InboxContents {
    /// The snapshots by service, the oldest data first.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Folders below the inboxes, to which processes write by themselves.
    folders: Vec<DataFolder>,
    /// Folders that could not be read.
    pub(crate) bad_inboxes: Vec<BadInbox>,
    /// Links where folders of services or pods stand, which are not followed.
    pub(crate) links: Vec<PathBuf>,
    /// Coverage files that are not taken in, because they lie at a level where no service can be told.
    pub(crate) misplaced: Vec<MisplacedFiles>,
    /// Files that are not snapshots, or not complete yet.
    refused: Vec<SnapshotResult>,
    /// Number of files that were not read for lack of time.
    waiting: usize,
}

/// The result of taking in the contents of the inboxes.
#[derive(Default)]
pub(crate) struct InboxOutcome {
    pub(crate) results: Vec<SnapshotResult>,
    /// Number of files that were left for the next run.
    pub(crate) waiting: usize,
    /// Reasons for which files could not be removed after they were taken in.
    pub(crate) not_removed: Vec<String>,
    /// Folders whose files stay because this user may not remove them, each with the error; each is named once.
    pub(crate) not_emptied: Vec<(PathBuf, String)>,
    /// Reasons for which folders below an inbox could not be read.
    pub(crate) bad_folders: Vec<String>,
    /// Services of which two programs have one hash, each with the hash.
    pub(crate) twin_metas: Vec<(String, String)>,
    /// Files of agents that programs of a service leave out and no run has named yet, with its name.
    pub(crate) left_out: Vec<(String, String)>,
    /// An inbox could not be read or not be emptied.
    is_partial: bool,
}

impl InboxOutcome {
    /// Tells whether a snapshot was set aside or refused, or a file is left for the next run, except for files that may
    /// still be written.
    pub(crate) fn has_trouble(&self) -> bool {
        use SnapshotOutcome::{Bad, OtherBuild, Stuck};
        let is_trouble = |outcome: &SnapshotOutcome| matches!(outcome, OtherBuild(_) | Stuck(_) | Bad(_));
        self.is_partial || self.waiting > 0 || self.results.iter().any(|result| is_trouble(&result.outcome))
    }

    /// Tells whether the data of a file is stored, since this run or an earlier one.
    pub(crate) fn took_in_any(&self) -> bool {
        self.results.iter().any(|result| result.outcome.is_stored())
    }

    /// Tells whether the data of a file of this key is stored.
    pub(crate) fn took_in_of(&self, key: KeyId) -> bool {
        self.results.iter().any(|result| result.key == Some(key) && result.outcome.is_stored())
    }
}

impl InboxContents {
    /// Tells whether files cannot be read or cannot be assigned to a service.
    fn is_partial(&self) -> bool {
        !self.bad_inboxes.is_empty() || !self.misplaced.is_empty()
    }

    /// Tells whether there is anything that may be taken in.
    pub(crate) fn has_any(&self) -> bool {
        !self.snapshots.is_empty() || !self.folders.is_empty()
    }
}

/// Reads the inboxes until `is_over`. The next run reads the rest.
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
            // The inbox in the root is made when it is needed. A configured one that is missing is probably a lost
            // mount.
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
        let DataFolders { folders, links, failures } = data_folders(&folder, snapshot::SUFFIX);
        contents.links.extend(links);
        contents.misplaced.extend(misplaced_files(&folder, &folders));
        contents.folders.extend(folders);
        contents.bad_inboxes.extend(failures.into_iter().map(|error| BadInbox::Unreadable(explained(error))));
    }
    // An inbox may lie within another one.
    contents.misplaced.retain(|files| contents.folders.iter().all(|folder| folder.path() != files.folder));
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
                    Err(reason) => refused.push(RefusedFile { file, head: None, reason }),
                }
            }
            self.refused.extend(refuse(refused, now));
        }
        self.waiting += files.len();
    }
}

/// The reason for which a file is not taken in.
enum WhyRefused {
    /// The file is not a snapshot.
    Bad(String),
    /// The file is not complete, or not complete yet.
    Unfinished(String),
    /// The meta that the counters need is not there yet.
    NoMeta(String),
    /// The file could not be read this time.
    Stuck(String),
}

impl From<MemoryExhausted> for WhyRefused {
    /// The file is not bad: the next run may have more memory.
    fn from(error: MemoryExhausted) -> Self {
        Self::Stuck(error.to_string())
    }
}

/// The reason why data was not read.
enum ReadFault {
    /// The file that holds it is refused.
    Refused(WhyRefused),
    /// A fault on this side.
    Own(anyhow::Error),
}

impl From<WhyRefused> for ReadFault {
    fn from(reason: WhyRefused) -> Self {
        Self::Refused(reason)
    }
}

impl From<anyhow::Error> for ReadFault {
    fn from(error: anyhow::Error) -> Self {
        Self::Own(error)
    }
}

fn explained(error: WorkdirError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// Opens a file, which must belong to one of `owners`.
fn open(file: &InboxFile, owners: Option<&[InboxOwner]>) -> Result<File, WhyRefused> {
    match file.open() {
        Ok(Some(opened)) => match distrust(&opened, owners) {
            Some(reason) => Err(WhyRefused::Stuck(reason)),
            None => Ok(opened),
        },
        Ok(None) => Err(WhyRefused::Bad("it is not a regular file".to_owned())),
        Err(error) => Err(WhyRefused::Stuck(explained(error))),
    }
}

/// Returns the reason for which the owner of an opened file is not trusted; `None` for a trusted owner.
fn distrust(opened: &File, owners: Option<&[InboxOwner]>) -> Option<String> {
    let owners = owners?;
    let metadata = match opened.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return Some(error.to_string()),
    };
    let (uid, gid) = (metadata.uid(), metadata.gid());
    let is_trusted = owners.iter().any(|owner| owner.has(uid, gid, users::id_of));
    (!is_trusted).then(|| format!("its owner (user {uid}, group {gid}) is not in inbox_owners"))
}

fn head_of(file: &InboxFile, owners: Option<&[InboxOwner]>) -> Result<(SnapshotHead, u64), WhyRefused> {
    let mut text = Vec::new();
    let read = open(file, owners)?.take(snapshot::LONGEST_HEAD as u64).read_to_end(&mut text);
    read.map_err(|error| WhyRefused::Stuck(error.to_string()))?;
    match snapshot::read_head(&text) {
        Ok((head, start)) => Ok((head, start as u64)),
        Err(error @ BadSnapshot::Cut) => Err(WhyRefused::Unfinished(error.to_string())),
        // The next release may be installed at any time.
        Err(error @ BadSnapshot::FromTheFuture { .. }) => Err(WhyRefused::Stuck(error.to_string())),
        Err(error) => Err(WhyRefused::Bad(error.to_string())),
    }
}

/// A file that is not taken in.
struct RefusedFile {
    file: InboxFile,
    head: Option<SnapshotHead>,
    reason: WhyRefused,
}

/// Moves bad files aside; returns the result of each, except for files that another root took meanwhile.
fn refuse(refusals: Vec<RefusedFile>, now: DateTime<Utc>) -> Vec<SnapshotResult> {
    let result = SnapshotResult::of_snapshot;
    let (mut all, mut bad) = (Vec::new(), Vec::new());
    for RefusedFile { file, head, reason } in refusals {
        match reason {
            _ if file.is_gone() => {}
            WhyRefused::Stuck(reason) => all.push(result(&file, head, SnapshotOutcome::Stuck(reason))),
            WhyRefused::Unfinished(reason) if file.is_fresh(now) => {
                all.push(result(&file, head, SnapshotOutcome::Unfinished(reason)));
            }
            WhyRefused::Unfinished(reason) | WhyRefused::NoMeta(reason) | WhyRefused::Bad(reason) => {
                bad.push((file, head, reason));
            }
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

impl SnapshotResult {
    fn of_snapshot(file: &InboxFile, head: Option<SnapshotHead>, outcome: SnapshotOutcome) -> Self {
        let (service, captured_at) = head.map(|head| (head.service, head.captured_at)).unzip();
        let file = file.path().display().to_string();
        Self { file, kind: LeftKind::Snapshot, service, key: None, captured_at, outcome }
    }
}
