//! Reads the next counter files of a folder on threads of their own, while the one before them is stored.
//!
//! The threads change nothing. All that they do can be done without them, with the same result.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::Scope;

use super::left_process::hash;
use super::{WhyRefused, distrust, explained};
use crate::collect::known_meta::KnownMeta;
use crate::config::InboxOwner;
use crate::fleet::left_process::LeftProcess;
use crate::io::workdir::data_folder::{DataFolder, OpenDataFolder};
use crate::memory::{Memory, Reservation};
use crate::parallel::{self, lock};
use crate::profile::gocover::{CounterFile, DataError, DataFileName};
use crate::profile::{Fingerprint, Profile, encode_counts};

/// All that is needed for reading files of one folder.
#[derive(Clone, Copy)]
pub(super) struct FileReader<'f> {
    pub(super) names: &'f DataFolder,
    pub(super) opened: &'f OpenDataFolder<'f>,
    /// Owners whose files are read; `None` for any owner.
    pub(super) owners: Option<&'f [InboxOwner]>,
    pub(super) max_bytes: u64,
    pub(super) memory: &'f Arc<Memory>,
}

/// A counter file that is to be read.
struct NextFile {
    name: String,
    /// The meta of the file before, which is probably that of this one, too.
    meta: KnownMeta,
    /// No other file is of its process, so its counters are stored as they are.
    is_single: bool,
}

impl NextFile {
    /// Returns the first of `files`, which come after the file of this name; `None` where there is none.
    fn of(files: &[String], after: &str, meta: &KnownMeta) -> Option<Self> {
        let name = files.first()?;
        let is_single = !is_same_process(name, after)
            && files.get(1).is_none_or(|following| !is_same_process(name, following));
        Some(Self { name: name.clone(), meta: meta.clone(), is_single })
    }
}

/// Tells whether two counter files are of one process, as far as their names tell.
fn is_same_process(one: &str, other: &str) -> bool {
    let process = |name| match DataFileName::parse(name) {
        Some(DataFileName::Counters { tag, pid, .. }) => Some((tag, pid)),
        _ => None,
    };
    process(one) == process(other)
}

/// The bytes of a counter file.
pub(super) struct CounterBytes {
    pub(super) bytes: Vec<u8>,
    pub(super) identity: String,
    /// The counters, where the meta was known.
    pub(super) decoded: Option<DecodedCounters>,
    /// Memory of the bytes.
    pub(super) memory: Reservation,
}

/// The counters of a file by a meta.
pub(super) struct DecodedCounters {
    pub(super) meta: Fingerprint,
    pub(super) profile: Result<Profile, DataError>,
    /// The counts as they are stored, where the file is the only one of its process.
    pub(super) encoded: Option<EncodedCounts>,
}

/// Counts as they are stored.
pub(super) struct EncodedCounts {
    /// The hash of the counts.
    hash: u64,
    bytes: Vec<u8>,
}

impl EncodedCounts {
    fn new(counts: &[u64]) -> Self {
        Self { hash: hash(counts), bytes: encode_counts(counts) }
    }

    /// Returns counts with this hash as they are stored. They are encoded here unless this was done ahead.
    pub(super) fn bytes_of(ahead: Option<&Self>, hash: u64, counts: &[u64]) -> Vec<u8> {
        match ahead {
            Some(encoded) if encoded.hash == hash => encoded.bytes.clone(),
            _ => encode_counts(counts),
        }
    }
}

impl FileReader<'_> {
    /// Reads a counter file; `None` if another root took it.
    pub(super) fn read_counters(&self, name: &str) -> Result<Option<CounterBytes>, WhyRefused> {
        let mut memory = self.memory.only_reader();
        let Some(bytes) = self.read(name, &mut memory)? else { return Ok(None) };
        let DataFolder { service, pod, .. } = self.names;
        let identity = LeftProcess::file_identity((service, pod.as_deref()), name, &bytes);
        Ok(Some(CounterBytes { bytes, identity, decoded: None, memory }))
    }

    /// Reads the whole of a file; `None` if another root took it.
    pub(super) fn read(&self, name: &str, memory: &mut Reservation) -> Result<Option<Vec<u8>>, WhyRefused> {
        let Some(file) = self.open(name)? else { return Ok(None) };
        let stuck = |error: io::Error| WhyRefused::Stuck(error.to_string());
        let length = file.metadata().map_err(stuck)?.len();
        if length > self.max_bytes {
            // The limit is that of one run, so the file is not bad.
            return Err(WhyRefused::Stuck(format!("it has {length} bytes and is larger than --max-body")));
        }
        memory.grow_to(length)?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes).map_err(stuck)?;
        Ok(Some(bytes))
    }

    /// Opens a file, which must belong to a trusted owner; `None` if it is gone.
    pub(super) fn open(&self, name: &str) -> Result<Option<File>, WhyRefused> {
        let opened = match self.opened.open_file(name) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(None),
            Err(None) => return Err(WhyRefused::Bad("it is not a regular file".to_owned())),
            Err(Some(error)) => return Err(WhyRefused::Stuck(explained(error))),
        };
        match distrust(&opened, self.owners) {
            Some(reason) => Err(WhyRefused::Stuck(reason)),
            None => Ok(Some(opened)),
        }
    }

    /// Reads and decodes a file; `None` where the caller has to read it, and learns why this failed.
    fn read_ahead(&self, next: &NextFile) -> Option<CounterBytes> {
        let mut read = self.read_counters(&next.name).ok()??;
        read.decoded = decoded(&next.meta, &read.bytes, next.is_single);
        Some(read)
    }
}

/// Decodes counters, if they are of this meta.
fn decoded(meta: &KnownMeta, bytes: &[u8], is_single: bool) -> Option<DecodedCounters> {
    let file = CounterFile::from_bytes(bytes).ok().filter(|file| file.hash() == meta.hash())?;
    let profile = meta.profile(&file);
    let counts = profile.as_ref().ok().filter(|_| is_single).map(|profile| &*profile.counts);
    let encoded = counts.map(EncodedCounts::new);
    Some(DecodedCounters { meta: meta.sha256, profile, encoded })
}

/// Number of files that are begun before they are needed, each on a thread. Decoding takes longer than storing.
const FILES_AHEAD: usize = 2;

/// Reads the next files while the one before them is stored. The threads are started when they are needed for the first
/// time.
pub(super) struct ReadAhead<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    reader: FileReader<'scope>,
    threads: ReaderThreads,
    /// The files that were begun and not taken.
    begun: VecDeque<BegunFile>,
}

enum ReaderThreads {
    NotStarted,
    Running(Sender<ReadRequest>),
    /// The system refused them, so each file is read when it is needed.
    Refused,
}

struct ReadRequest {
    next: NextFile,
    read: SyncSender<Option<CounterBytes>>,
}

struct BegunFile {
    name: String,
    read: Receiver<Option<CounterBytes>>,
}

impl<'scope, 'env> ReadAhead<'scope, 'env> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, reader: FileReader<'scope>) -> Self {
        Self { scope, reader, threads: ReaderThreads::NotStarted, begun: VecDeque::new() }
    }

    /// Begins to read the first of `files`, which come after the file of this name. Files that were begun before and not
    /// taken are the first of them.
    pub(super) fn begin(&mut self, files: &[String], after: &str, meta: &KnownMeta) {
        while self.begun.len() < FILES_AHEAD.min(files.len()) {
            let at = self.begun.len();
            let before = if at == 0 { after } else { &files[at - 1] };
            let Some(next) = NextFile::of(&files[at..], before, meta) else { break };
            if matches!(self.threads, ReaderThreads::NotStarted) {
                self.threads = self.start();
            }
            let ReaderThreads::Running(requests) = &self.threads else { break };
            let name = next.name.clone();
            let (read, file) = mpsc::sync_channel(1);
            if requests.send(ReadRequest { next, read }).is_err() {
                break;
            }
            self.begun.push_back(BegunFile { name, read: file });
        }
    }

    /// Waits for the file of this name, if it was begun. Files that were begun before it are not needed.
    pub(super) fn take(&mut self, name: &str) -> Option<CounterBytes> {
        while let Some(begun) = self.begun.pop_front() {
            if begun.name == name {
                return begun.read.recv().ok()?;
            }
        }
        None
    }

    fn start(&self) -> ReaderThreads {
        let (requests, requested) = mpsc::channel::<ReadRequest>();
        let requested = Arc::new(Mutex::new(requested));
        let reader = self.reader;
        let work = move || {
            loop {
                let request = lock(&requested).recv();
                let Ok(ReadRequest { next, read }) = request else { break };
                let file = reader.read_ahead(&next);
                // The caller may have to make room for another meta.
                drop(next);
                // A caller that does not need the file has gone on.
                let _ = read.send(file);
            }
        };
        match parallel::spawn_workers(self.scope, FILES_AHEAD, &work) {
            0 => ReaderThreads::Refused,
            _ => ReaderThreads::Running(requests),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;
    use crate::agent_files::AgentFiles;
    use crate::io::workdir::data_folder::data_folders;
    use crate::parallel::testing::with_threads;
    use crate::profile::Limits;
    use crate::profile::gocover::Meta;
    use crate::profile::gocover::fixtures::{COUNT_COUNTERS, COUNT_META, RAW_COUNTERS};

    fn meta() -> KnownMeta {
        let meta = Meta::from_bytes(COUNT_META, Limits::default()).unwrap();
        KnownMeta::new(&meta, &AgentFiles::new([]).unwrap())
    }

    fn names() -> Vec<String> {
        [(1, 1), (2, 1), (3, 1), (3, 2)]
            .map(|(pid, time)| format!("covcounters.2580f4b65340bc2b63474139d103ae37.{pid}.{time}"))
            .to_vec()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "as strangers write it")]
    fn a_file_that_was_begun_is_read_as_when_it_is_needed() {
        let inbox = tempfile::tempdir().unwrap();
        let (names, meta, memory) = (names(), meta(), Memory::new(1 << 20));
        fs::create_dir(inbox.path().join("app")).unwrap();
        for (name, bytes) in names.iter().zip([COUNT_COUNTERS, COUNT_COUNTERS, RAW_COUNTERS]) {
            fs::write(inbox.path().join("app").join(name), bytes).unwrap();
        }
        let folder = data_folders(inbox.path(), ".snapshot").folders.remove(0);
        let opened = folder.open().unwrap().unwrap();
        let reader =
            FileReader { names: &folder, opened: &opened, owners: None, max_bytes: 1 << 20, memory: &memory };
        let expected = meta.profile(&CounterFile::from_bytes(COUNT_COUNTERS).unwrap()).unwrap();
        with_threads(2, || {
            thread::scope(|scope| {
                let mut ahead = ReadAhead::new(scope, reader);
                assert!(ahead.take(&names[1]).is_none(), "nothing was begun");
                ahead.begin(&names[1..], &names[0], &meta);
                let read = ahead.take(&names[1]).unwrap();
                let alone = reader.read_counters(&names[1]).ok().flatten().unwrap();
                assert_eq!((&read.bytes, &read.identity), (&alone.bytes, &alone.identity));
                let decoded = read.decoded.unwrap();
                assert_eq!(decoded.meta, meta.sha256);
                assert_eq!(decoded.profile.unwrap(), expected);
                let hash = hash(&expected.counts);
                assert_eq!(
                    EncodedCounts::bytes_of(decoded.encoded.as_ref(), hash, &[]),
                    encode_counts(&expected.counts)
                );
                // The third file was begun, too, and is not needed.
                ahead.begin(&names[2..], &names[1], &meta);
                assert!(ahead.take(&names[3]).is_none(), "the file is gone");
                ahead.begin(&names[2..], &names[1], &meta);
                assert!(ahead.take(&names[1]).is_none(), "others were begun");
                ahead.begin(&names[1..], &names[0], &meta);
                let both = [1, 2].map(|at| ahead.take(&names[at]).unwrap().identity);
                let alone =
                    [1, 2].map(|at| reader.read_counters(&names[at]).ok().flatten().unwrap().identity);
                assert_eq!(both, alone);
            });
        });
        with_threads(0, || {
            thread::scope(|scope| {
                let mut ahead = ReadAhead::new(scope, reader);
                ahead.begin(&names[1..], &names[0], &meta);
                assert!(ahead.take(&names[1]).is_none(), "no thread reads it");
            });
        });
    }

    #[test]
    fn counts_are_encoded_ahead_where_a_process_has_one_file() {
        let (names, meta) = (names(), meta());
        let is_single = |at: usize| NextFile::of(&names[at..], &names[at - 1], &meta).unwrap().is_single;
        assert_eq!([1, 2, 3].map(is_single), [true, false, false]);
        assert!(NextFile::of(&[], &names[3], &meta).is_none());
    }
}
