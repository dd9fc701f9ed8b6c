//! Takes in Go's coverage data from the folders below the inboxes, each of which may be the `GOCOVERDIR` of a process.
//!
//! Folders take turns, so that one with very many files does not keep the others waiting. A failure is that of its folder
//! or file.

use std::collections::{HashSet, VecDeque};
use std::io::Read as _;
use std::thread::{self, Scope};
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::emptying::StoredFile;
use super::folder_names::{FolderTurn, NextFiles};
use super::left_key::LeftKey;
use super::left_meta::{FolderMeta, LoadedMeta, MetaCache, StuckMeta};
use super::left_process::OpenProcess;
use super::read_ahead::{CounterBytes, DecodedCounters, EncodedCounts, FileReader, ReadAhead};
use super::reader::{InboxReader, KeyCache};
use super::{InboxOutcome, LeftKind, ReadFault, SnapshotOutcome, SnapshotResult, WhyRefused};
use crate::collect::fault::FaultScope;
use crate::io::clock::Stopwatch;
use crate::io::workdir::WorkdirError;
use crate::io::workdir::data_folder::{DataFolder, OpenDataFolder};
use crate::profile::Profile;
use crate::profile::gocover::{CounterFile, DataError, DataFileName, DataHeader, HEADER_BYTES};

/// Bytes of counter files after which a batch is committed.
const BATCH_BYTES: u64 = 16 << 20;
/// Time after which a batch is committed in any case, because the next run reads the uncommitted files of a killed run
/// again.
const BATCH_TIME: Duration = Duration::from_millis(500);

/// Bytes of a counter file from which the next ones are read on other threads. For a smaller file, the exchange with a
/// thread would take as long as the reading.
const READ_AHEAD_FROM: u64 = 64 << 10;

/// Takes in the files of folders, one folder after another.
pub(super) struct FolderReader<'r, 'i, 'a, 'w> {
    pub(super) reader: &'r mut InboxReader<'i, 'a, 'w>,
    pub(super) cache: &'r mut KeyCache,
    pub(super) outcome: &'r mut InboxOutcome,
    pub(super) metas: MetaCache,
    /// Metas whose outcome was noted.
    pub(super) named_metas: HashSet<String>,
    /// The key of the last folder.
    pub(super) key: Option<LeftKey>,
}

/// An open folder with its metas.
pub(super) struct Folder<'f> {
    pub(super) names: &'f DataFolder,
    pub(super) opened: &'f OpenDataFolder<'f>,
    pub(super) metas: Vec<FolderMeta>,
    /// There are more metas than are looked at.
    pub(super) has_more_metas: bool,
    /// Metas that could not be read this time.
    pub(super) stuck_metas: Vec<StuckMeta>,
    /// Files that are not taken in, each with the reason.
    pub(super) refused: Vec<(String, WhyRefused)>,
    /// The error of the last file that this user may not remove.
    pub(super) denied: Option<WorkdirError>,
    /// Identities of files that stay although they are stored.
    pub(super) stay: Vec<String>,
}

/// A counter file that was read.
pub(super) struct LeftCounters {
    pub(super) name: String,
    pub(super) pid: u64,
    pub(super) written_at: DateTime<Utc>,
    pub(super) identity: String,
    /// Size of the file.
    bytes: u64,
    pub(super) meta: LoadedMeta,
    pub(super) profile: Profile,
    /// The counts as they are stored, where this was done ahead.
    pub(super) encoded: Option<EncodedCounts>,
}

/// Counter files whose counters are committed together.
struct Batch {
    begun: Stopwatch,
    /// Bytes of its files.
    bytes: u64,
    /// The process of the last file, which later files may be of, too.
    process: Option<OpenProcess>,
    /// Files that are removed after the commit.
    stored: Vec<StoredFile>,
}

impl Batch {
    fn new() -> Self {
        Self { begun: Stopwatch::start(), bytes: 0, process: None, stored: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.begun.elapsed() >= BATCH_TIME
    }
}

/// The content of a counter file.
enum ReadCounters {
    /// The file was taken in before; its identity.
    Known(String),
    New(Box<LeftCounters>),
    /// Another root took the file meanwhile.
    Gone,
}

impl<'f> Folder<'f> {
    fn new(names: &'f DataFolder, opened: &'f OpenDataFolder<'f>) -> Self {
        let (metas, stuck_metas) = (Vec::new(), Vec::new());
        let (refused, stay) = (Vec::new(), Vec::new());
        Self { names, opened, metas, has_more_metas: false, stuck_metas, refused, denied: None, stay }
    }
}

impl<'i> FolderReader<'_, 'i, '_, '_> {
    /// Takes in the files of all folders, a part of each at a time.
    pub(super) fn take_in(mut self, folders: Vec<DataFolder>) -> Result<()> {
        let mut turns: VecDeque<FolderTurn> = folders.into_iter().map(FolderTurn::new).collect();
        while let Some(mut turn) = turns.pop_front() {
            match self.take_turn(&mut turn, turns.len() + 1) {
                Ok(false) => {}
                Ok(true) => turns.push_back(turn),
                Err(error) if FaultScope::from_error(&error) == FaultScope::Service => {
                    self.forget_key();
                    self.outcome.bad_folders.push(format!("{error:#}"));
                    self.outcome.is_partial = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes in the next files of one of so many folders. Tells whether there are more.
    fn take_turn(&mut self, turn: &mut FolderTurn, folders: usize) -> Result<bool> {
        let FolderTurn { folder: names, files } = turn;
        let Some(opened) = names.open()? else { return Ok(false) };
        let NextFiles { metas, has_more_metas, counters, more } = files.next(&opened, folders)?;
        if metas.is_empty() && counters.is_empty() {
            return Ok(false);
        }
        if (self.reader.is_over)() {
            self.outcome.waiting += counters.len() + more;
            return Ok(false);
        }
        let mut folder = Folder::new(names, &opened);
        folder.has_more_metas = has_more_metas;
        for name in metas {
            self.read_meta_head(&mut folder, name);
        }
        thread::scope(|scope| self.take_in_files(&mut folder, &counters, scope))?;
        if more == 0 {
            self.remove_quiet_metas(&mut folder)?;
        }
        let refused = std::mem::take(&mut folder.refused);
        self.refuse(&folder, refused)?;
        self.tell_stays(&folder)?;
        Ok(more > 0)
    }

    /// Takes in counter files. They are removed after the commit with what they gave.
    fn take_in_files<'s, 'f: 's>(
        &mut self,
        folder: &mut Folder<'f>,
        files: &[String],
        scope: &'s Scope<'s, '_>,
    ) -> Result<()>
    where
        'i: 's,
    {
        let mut batch = Batch::new();
        let mut ahead = ReadAhead::new(scope, self.file_reader(folder));
        for (at, name) in files.iter().enumerate() {
            if (self.reader.is_over)() {
                self.outcome.waiting += 1;
                continue;
            }
            match self.read_counters(folder, name, ahead.take(name)) {
                Ok(ReadCounters::Gone) => {}
                Ok(ReadCounters::Known(identity)) => {
                    batch.stored.push(StoredFile { name: name.clone(), known: Some(identity) });
                    self.note(folder, name, SnapshotOutcome::TakenBefore);
                }
                Ok(ReadCounters::New(counters)) => {
                    // The next files are begun first, so that they are read while the process of this one is stored.
                    if counters.bytes >= READ_AHEAD_FROM {
                        ahead.begin(&files[at + 1..], name, &counters.meta.known);
                    }
                    if batch.process.as_ref().is_some_and(|process| !process.is_of(&counters)) {
                        self.store_process(folder, &mut batch)?;
                    }
                    batch.bytes += counters.bytes;
                    if let Err(error) = self.add(folder, &mut batch.process, *counters) {
                        self.note_failure(folder, std::slice::from_ref(name), error)?;
                    }
                }
                Err(ReadFault::Refused(reason)) => folder.refused.push((name.clone(), reason)),
                Err(ReadFault::Own(error)) => return Err(error),
            }
            if batch.is_full() {
                self.commit(folder, std::mem::replace(&mut batch, Batch::new()))?;
            }
        }
        self.commit(folder, batch)
    }

    /// Commits what files gave, and removes them.
    fn commit(&mut self, folder: &mut Folder<'_>, mut batch: Batch) -> Result<()> {
        self.store_process(folder, &mut batch)?;
        self.reader.writer.commit()?;
        if batch.bytes >= BATCH_BYTES {
            // Other threads decode the next files meanwhile. At the end of the run nothing else is left to do.
            self.reader.writer.fold_log();
        }
        for file in batch.stored {
            self.remove(folder, file);
        }
        Ok(())
    }

    /// Adds counters to those of their process, which is opened where it is not open yet.
    fn add(
        &mut self,
        folder: &Folder<'_>,
        process: &mut Option<OpenProcess>,
        counters: LeftCounters,
    ) -> Result<()> {
        let process = match process {
            Some(process) => process,
            None => process.insert(self.open_process(folder, &counters)?),
        };
        process.add(self.reader.store, self.key.as_mut().map(|key| &mut key.counts), counters)
    }

    /// Stores what files of a process have brought; their identities are stored with it.
    fn store_process(&mut self, folder: &Folder<'_>, batch: &mut Batch) -> Result<()> {
        let Some(process) = batch.process.take() else { return Ok(()) };
        let names: Vec<String> = process.file_names().map(str::to_owned).collect();
        match self.store(&process) {
            Ok(outcomes) => {
                for (name, outcome) in names.into_iter().zip(outcomes) {
                    self.note(folder, &name, outcome);
                    batch.stored.push(StoredFile { name, known: None });
                }
                Ok(())
            }
            Err(error) => self.note_failure(folder, &names, error),
        }
    }

    /// Notes files that could not be stored, where the failure is that of their service.
    fn note_failure(&mut self, folder: &Folder<'_>, names: &[String], error: anyhow::Error) -> Result<()> {
        if FaultScope::from_error(&error) != FaultScope::Service {
            return Err(error);
        }
        // The state of the key may have changed by files that were not taken in.
        self.forget_key();
        for name in names {
            self.note(folder, name, SnapshotOutcome::Stuck(format!("{error:#}")));
        }
        Ok(())
    }

    pub(super) fn forget_key(&mut self) {
        self.key = None;
        self.cache.open = None;
    }

    pub(super) fn note(&mut self, folder: &Folder<'_>, name: &str, outcome: SnapshotOutcome) {
        let (kind, captured_at) = match DataFileName::parse(name) {
            Some(DataFileName::Counters { written_at, .. }) => {
                (LeftKind::Counters, Some(time_of(written_at, self.reader.run.now)))
            }
            _ => (LeftKind::Meta, None),
        };
        let file = folder.opened.path_of(name).display().to_string();
        // A meta is looked at each time that it is its folder's turn.
        if kind == LeftKind::Meta && !self.named_metas.insert(file.clone()) {
            return;
        }
        let service = &folder.names.service;
        let key = self.cache.entries.get(service).map(|index| self.reader.fleet.entries[*index].id);
        let service = Some(service.clone());
        self.outcome.results.push(SnapshotResult { file, kind, service, key, captured_at, outcome });
    }

    /// Reads a counter file, and finds its meta.
    fn read_counters(
        &mut self,
        folder: &mut Folder<'_>,
        name: &str,
        ahead: Option<CounterBytes>,
    ) -> Result<ReadCounters, ReadFault> {
        let Some(DataFileName::Counters { tag, pid, written_at }) = DataFileName::parse(name) else {
            return Ok(ReadCounters::Gone);
        };
        let read = match ahead {
            Some(read) => Ok(Some(read)),
            None => match self.file_reader(folder).read_counters(name) {
                // The counters of pulled lives are read again where they are needed.
                Err(_) if self.key.as_mut().is_some_and(|key| key.counts.give_back()) => {
                    self.file_reader(folder).read_counters(name)
                }
                read => read,
            },
        };
        // The memory stays reserved until the counters are decoded.
        let Some(CounterBytes { bytes, identity, decoded, memory: _memory }) = read? else {
            return Ok(ReadCounters::Gone);
        };
        if self.reader.store.is_taken(&identity).map_err(anyhow::Error::from)? {
            return Ok(ReadCounters::Known(identity));
        }
        let file = CounterFile::from_bytes(&bytes).map_err(|error| refusal(&error))?;
        let Some(meta) = self.meta_for(folder, tag, file.hash())? else {
            let reason = format!("the covmeta file of its program, {}, is not there", file.hash());
            return Err(WhyRefused::NoMeta(reason).into());
        };
        let (profile, encoded) = match decoded.filter(|decoded| decoded.meta == meta.known.sha256) {
            Some(DecodedCounters { profile, encoded, .. }) => (profile, encoded),
            None => (meta.known.profile(&file), None),
        };
        let profile = profile.map_err(|error| refusal(&error))?;
        let written_at = time_of(written_at, self.reader.run.now);
        let (name, bytes) = (name.to_owned(), bytes.len() as u64);
        Ok(ReadCounters::New(Box::new(LeftCounters {
            name,
            pid,
            written_at,
            identity,
            bytes,
            meta,
            profile,
            encoded,
        })))
    }

    /// Returns what reads the files of a folder.
    pub(super) fn file_reader<'s, 'f: 's>(&self, folder: &Folder<'f>) -> FileReader<'s>
    where
        'i: 's,
    {
        let InboxReader { run, owners, ref limits, .. } = *self.reader;
        let Folder { names, opened, .. } = *folder;
        FileReader { names, opened, owners, max_bytes: limits.max_bytes, memory: &run.memory }
    }

    /// Reads the head of a meta, which tells by which hash counters name it.
    pub(super) fn read_meta_head(&self, folder: &mut Folder<'_>, name: String) {
        let mut head = Vec::new();
        let read = self.file_reader(folder).open(&name).and_then(|opened| {
            let Some(opened) = opened else { return Ok(false) };
            let read = opened.take(HEADER_BYTES as u64).read_to_end(&mut head);
            read.map(|_| true).map_err(|error| WhyRefused::Stuck(error.to_string()))
        });
        match read {
            Ok(false) => {}
            Ok(true) => match FolderMeta::from_head(&name, DataHeader::from_bytes(&head)) {
                Ok(meta) => folder.metas.push(meta),
                Err(reason) => folder.refuse_meta(name, None, reason),
            },
            Err(reason) => folder.refuse_meta(name, None, reason),
        }
    }
}

/// Returns the time at which a file was written, as its name tells it, limited to now.
fn time_of(written_at: u64, now: DateTime<Utc>) -> DateTime<Utc> {
    i64::try_from(written_at).map_or(now, |nanoseconds| DateTime::from_timestamp_nanos(nanoseconds).min(now))
}

/// Returns the reason why bytes are refused. A file that is cut short may be whole when its copy is done, and a limit of
/// the configuration may be raised.
pub(super) fn refusal(error: &DataError) -> WhyRefused {
    match error {
        DataError::TooMuch(_) => WhyRefused::Stuck(error.to_string()),
        error if error.is_cut() => WhyRefused::Unfinished(error.to_string()),
        error => WhyRefused::Bad(error.to_string()),
    }
}
