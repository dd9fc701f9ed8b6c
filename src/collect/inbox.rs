//! The inbox: snapshots that leaving pods left are taken in before anything is pulled.
//!
//! A snapshot is as hostile as an answer, and may come late, twice, or after its successor. Its outcome is committed
//! together with its identity before its file goes, so that a crash in between counts nothing twice.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};

use crate::address::{host_and_port, normal_form};
use crate::collect::fault::Reach;
use crate::collect::open_key::OpenKey;
use crate::collect::run::{Message, Run};
use crate::config::{Config, InboxOwner};
use crate::fleet::assembly::Fleet;
use crate::fleet::assignment::Assignment;
use crate::fleet::build_group::BuildGroupStatus;
use crate::fleet::change::Change;
use crate::fleet::generation::Generation;
use crate::fleet::ids::{BuildGroupId, GenerationId, ServiceId, StructureId};
use crate::fleet::key_entry::{KeyEntry, ServiceName};
use crate::fleet::snapshot::{self, BadSnapshot, Capture, Checked, Head, Life, Place};
use crate::io::store::{Store, Writer};
use crate::io::users;
use crate::io::workdir::inbox::{self, InboxFile};
use crate::io::workdir::{Workdir, WorkdirError};
use crate::memory::NoRoom;
use crate::names::Naming;
use crate::profile::{
    Fingerprint, Limits, Mode, ParsedAnswer, Profile, ReadError, Reader, Template, encode_counts, mix,
};

/// Number of snapshots that are committed together.
const COMMITTED_AT_ONCE: usize = 64;
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

/// Holds snapshots against what is stored, and takes them in.
pub(crate) struct InboxReader<'i, 'a, 'w> {
    pub(crate) run: &'i Run<'a>,
    pub(crate) store: &'i Store,
    pub(crate) writer: &'i mut Writer<'w>,
    pub(crate) messages: &'i Receiver<Message>,
    pub(crate) fleet: &'i mut Fleet,
    pub(crate) naming: &'i Naming,
    pub(crate) limits: Limits,
    /// Owners whose files are taken in; `None`: anybody's.
    pub(crate) owners: Option<&'i [InboxOwner]>,
    /// Tells that the other snapshots are to wait for the next run.
    pub(crate) is_over: &'i dyn Fn() -> bool,
}

/// The services and addresses that snapshots are looked up in. The key of the last snapshot is kept, because the next
/// one mostly belongs to it too.
struct KeyCache {
    /// Index in the fleet, by name.
    entries: HashMap<String, usize>,
    listings: Listings,
    open: Option<(usize, OpenKey)>,
}

/// A snapshot that was looked at.
enum Handled {
    /// The snapshot is stored, so its file can go.
    Stored(SnapshotOutcome),
    /// The snapshot is not taken in.
    Refused(Refused),
}

impl InboxReader<'_, '_, '_> {
    /// Takes in the snapshots, and marks the keys whose counters moved.
    pub(crate) fn take_in(mut self, contents: InboxContents) -> Result<InboxOutcome> {
        let InboxContents { snapshots, bad_inboxes, refused: results, waiting } = contents;
        let is_partial = !bad_inboxes.is_empty();
        let mut outcome = InboxOutcome { results, waiting, not_removed: Vec::new(), is_partial };
        if snapshots.is_empty() {
            return Ok(outcome);
        }
        let mut cache = KeyCache { entries: HashMap::new(), listings: listings(self.store)?, open: None };
        for (index, entry) in self.fleet.entries.iter().enumerate() {
            cache.entries.extend(entry.members.iter().map(|member| (member.name.clone(), index)));
        }
        for snapshots in snapshots.chunks(COMMITTED_AT_ONCE) {
            self.take_in_together(snapshots, &mut cache, &mut outcome)?;
        }
        Ok(outcome)
    }

    /// Takes in some snapshots with one commit, and removes their files after it.
    fn take_in_together(
        &mut self,
        snapshots: &[Snapshot],
        cache: &mut KeyCache,
        outcome: &mut InboxOutcome,
    ) -> Result<()> {
        let (mut done, mut refused) = (Vec::new(), Vec::new());
        for snapshot in snapshots {
            if (self.is_over)() {
                outcome.waiting += 1;
                continue;
            }
            let head = Some(snapshot.head.clone());
            let of_one = match self.take_one(snapshot, cache) {
                Err(error) if Reach::of(&error) == Reach::Service => {
                    // Half of what is held of the key may be of a snapshot that was not taken in.
                    cache.open = None;
                    SnapshotOutcome::Stuck(format!("{error:#}"))
                }
                handled => match handled? {
                    Handled::Stored(of_one) => {
                        done.push(&snapshot.file);
                        of_one
                    }
                    Handled::Refused(reason) => {
                        refused.push(Refusal { file: snapshot.file.clone(), head, reason });
                        continue;
                    }
                },
            };
            outcome.results.push(SnapshotResult { file: shown(&snapshot.file), head, outcome: of_one });
        }
        self.writer.commit()?;
        outcome.results.extend(refuse(refused, self.run.now));
        for file in done {
            if let Err(error) = file.remove() {
                outcome.not_removed.push(explained(error));
                outcome.is_partial = true;
            }
        }
        Ok(())
    }

    fn take_one(&mut self, snapshot: &Snapshot, cache: &mut KeyCache) -> Result<Handled> {
        let head = &snapshot.head;
        let identity = head.identity();
        if self.store.is_taken(&identity)? {
            return Ok(Handled::Stored(SnapshotOutcome::Known));
        }
        let named = cache.entries.get(&head.service).copied();
        let known: Vec<Arc<Template>> = match named {
            Some(entry) => {
                let open_key = self.open_key(entry, &mut cache.open)?;
                open_key.state.templates.iter().map(|(_, template)| Arc::clone(template)).collect()
            }
            None => Vec::new(),
        };
        let ParsedAnswer { profile, template, .. } = match self.read(snapshot, &known) {
            Ok(understood) => understood,
            Err(refused) => return Ok(Handled::Refused(refused)),
        };
        // Only now: a name that nothing vouches for leaves no trace.
        let index = match named {
            Some(index) => index,
            None => self.introduce(&head.service, &mut cache.entries)?,
        };
        let template = template.map(Arc::new);
        let structure = self.run.intern(&profile.build, template.as_ref())?;
        let open_key = self.open_key(index, &mut cache.open)?;
        if let Some(template) = template {
            open_key.state.templates.push((structure, template));
        }
        let entry = &mut self.fleet.entries[index];
        let build_group = seat(entry, open_key, &profile, structure, self.run, self.store)?;
        carry_out(self.messages, self.writer)?;

        let address = address_of(head, entry, &cache.listings, open_key);
        let at = head.captured_at.min(self.run.now);
        let (run, store, mode) = (self.run, self.store, profile.mode);
        let origin = Origin { run, store, build_group, structure, mode, address, at };
        let mut changes = origin.changes(head, &profile.counts, entry, open_key)?;
        let has_moved = !changes.is_empty();
        if has_moved {
            changes.push(Change::Unfinished(entry.id));
            entry.came_in = true;
        }
        changes.push(Change::SnapshotTaken { identity, at: self.run.now });
        self.writer.apply_all(&changes)?;
        let is_shown = open_key
            .state
            .current()
            .is_some_and(|current| open_key.state.build_groups[current].id == build_group);
        Ok(Handled::Stored(match has_moved {
            _ if !is_shown => SnapshotOutcome::OtherBuild(profile.build.fingerprint()),
            true => SnapshotOutcome::Merged,
            false => SnapshotOutcome::Known,
        }))
    }

    /// Returns the stored state of a key; `open` keeps the last one.
    fn open_key<'d>(&self, entry: usize, open: &'d mut Option<(usize, OpenKey)>) -> Result<&'d mut OpenKey> {
        let open_key = match open.take() {
            Some((of, open_key)) if of == entry => open_key,
            _ => {
                let mut open_key = OpenKey::open(&self.fleet.entries[entry], self.store)?;
                open_key.load(self.run, self.store)?;
                open_key
            }
        };
        Ok(&mut open.insert((entry, open_key)).1)
    }

    /// Makes a name known that only the inbox tells of.
    fn introduce(&mut self, service: &str, entries: &mut HashMap<String, usize>) -> Result<usize> {
        let Run { ids, now, .. } = self.run;
        let (index, changes) = self.fleet.add_service(self.naming.parse(service), ids, *now);
        self.writer.apply_all(&changes)?;
        entries.insert(service.to_owned(), index);
        Ok(index)
    }

    fn read(&self, snapshot: &Snapshot, known: &[Arc<Template>]) -> Result<ParsedAnswer, Refused> {
        let Snapshot { file, head, start } = snapshot;
        let stuck = |error: io::Error| Refused::Stuck(error.to_string());
        let unfinished = |reason: &str| Err(Refused::Unfinished(reason.to_owned()));
        let mut opened = open(file, self.owners)?;
        if head.profile_bytes > self.limits.max_bytes {
            let bytes = head.profile_bytes;
            return Err(Refused::Bad(format!("its profile has {bytes} bytes and is larger than --max-body")));
        }
        match opened.metadata().map_err(stuck)?.len().cmp(&(start + head.profile_bytes)) {
            Ordering::Less => return unfinished("it is cut short"),
            Ordering::Greater => return unfinished("it is longer than its head says"),
            Ordering::Equal => {}
        }
        opened.seek(SeekFrom::Start(*start)).map_err(stuck)?;
        let mut checked = Checked::new(opened);
        let mut reader = Reader::new(&mut checked, self.limits, Vec::new());
        // The head of the snapshot tells its length and digest.
        reader.trust_end();
        reader.reserve(self.run.memory.reader(false));
        let understood = reader.understand(known, None, 0);
        drop(reader);
        // The digest over the rest tells a bad profile that was left so from a damaged one.
        io::copy(&mut checked, &mut io::sink()).map_err(stuck)?;
        match understood {
            Err(ReadError::Io(error)) => Err(stuck(error)),
            _ if !checked.is_whole(head) => unfinished("its profile is not the one that its head tells of"),
            Err(ReadError::Parse(error)) => Err(Refused::Bad(error.to_string())),
            Err(ReadError::Memory(error @ NoRoom::TooLarge { .. })) => Err(Refused::Bad(error.to_string())),
            Err(ReadError::Memory(error @ NoRoom::Crowded { .. })) => Err(Refused::Stuck(error.to_string())),
            Ok(understood) => Ok(understood),
        }
    }
}

/// Finds the build group that a profile belongs to; the first of a key is what it shows.
fn seat(
    entry: &KeyEntry,
    open_key: &mut OpenKey,
    profile: &Profile,
    structure: StructureId,
    run: &Run<'_>,
    store: &Store,
) -> Result<BuildGroupId> {
    let member = (structure, profile.build.fingerprint());
    // A snapshot may be late: that of a build which was replaced belongs to the history of that build.
    let known = open_key.state.build_group_with(structure);
    let index = known.or_else(|| open_key.state.build_group_of(&profile.build, member, false));
    let assignment = index.map_or(Assignment::New { is_undecided: false }, Assignment::Known);
    let index = open_key.make_room(assignment, entry.id, (&profile.build, member), run, store)?;
    let id = open_key.state.build_groups[index].id;
    if open_key.state.current().is_none() {
        open_key.state.build_groups[index].status = BuildGroupStatus::Current;
        let shown = Change::BuildGroupStatus(id, BuildGroupStatus::Current);
        run.send(Message::Changes(Some(entry.id), vec![shown]));
    }
    Ok(id)
}

/// Applies what was sent meanwhile.
fn carry_out(messages: &Receiver<Message>, writer: &mut Writer<'_>) -> Result<()> {
    while let Ok(message) = messages.try_recv() {
        if let Message::Changes(_, changes) = message {
            writer.apply_all(&changes)?;
        }
    }
    Ok(())
}

/// The build, the address and the time of a snapshot.
struct Origin<'o, 'a> {
    run: &'o Run<'a>,
    store: &'o Store,
    build_group: BuildGroupId,
    structure: StructureId,
    mode: Mode,
    address: String,
    /// The time at which the snapshot was taken, and not later than now.
    at: DateTime<Utc>,
}

impl Origin<'_, '_> {
    /// Returns the changes that add the counters; none where all of them were counted.
    fn changes(
        &self,
        head: &Head,
        counts: &[u64],
        entry: &KeyEntry,
        open_key: &mut OpenKey,
    ) -> Result<Vec<Change>> {
        let sum = self.store.folded(self.build_group, self.structure)?;
        Ok(match self.place(head, counts, sum.as_ref(), open_key)? {
            Place::Known => Vec::new(),
            Place::Joins(index, counts) => vec![self.moved(index, &counts, open_key)],
            Place::JoinsSum(counts) => {
                let Generation { id, mode, pulled_at: at, .. } = sum.context("there is no sum")?;
                let (mode, counts) = (mix(mode, self.mode), encode_counts(&counts));
                vec![Change::GenerationMoved { id, mode, at, counts, answer: None }]
            }
            Place::Own(counts) => {
                self.opened(self.run.ids.generation(), head.captured_at, &counts, entry, open_key)
            }
        })
    }

    /// Finds the place of the counters; an index is that of a generation of the key.
    fn place(
        &self,
        head: &Head,
        counts: &[u64],
        sum: Option<&Generation>,
        open_key: &OpenKey,
    ) -> Result<Place> {
        let Self { run, store, .. } = *self;
        let is_of_it = |known: &Generation| {
            known.address.as_ref() == Some(&self.address)
                && (known.build_group, known.structure, known.mode)
                    == (self.build_group, self.structure, self.mode)
        };
        let of_it: Vec<usize> = (0..open_key.state.generations.len())
            .filter(|&index| is_of_it(&open_key.state.generations[index]))
            .collect();
        let counts_of = |known: &Generation| {
            store.counts(known.id, counts.len())?.context("counters of a generation are gone")
        };
        let lives: Vec<Life> =
            of_it.iter().map(|&index| run.life(&open_key.state.generations[index])).collect();
        let capture = Capture {
            started_at: head.process.map(|process| process.started_at),
            captured_at: head.captured_at,
            counts,
        };
        let doubt = &run.doubt;
        let is_in_doubt = doubt.concerns_any(&capture, &lives);
        let may_be_in = |sum: &&Generation| is_in_doubt || snapshot::may_be_in_sum(&capture, sum.pulled_at);
        let summed = sum.filter(may_be_in).map(counts_of).transpose()?;
        let counts_of = |life: usize| counts_of(&open_key.state.generations[of_it[life]]);
        Ok(match snapshot::place(self.mode, &lives, summed.as_deref(), &capture, doubt, counts_of)? {
            Place::Joins(life, counts) => Place::Joins(of_it[life], counts),
            place => place,
        })
    }

    /// Gives a generation of the key these counters.
    fn moved(&self, index: usize, counts: &[u64], open_key: &mut OpenKey) -> Change {
        let life = &mut open_key.state.generations[index];
        life.pulled_at = life.pulled_at.max(self.at);
        let (id, at, counts) = (life.id, life.pulled_at, encode_counts(counts));
        Change::GenerationMoved { id, mode: self.mode, at, counts, answer: None }
    }

    /// Opens a generation; where nothing was seen at its address since, what was open there is over.
    fn opened(
        &self,
        id: GenerationId,
        captured_at: DateTime<Utc>,
        counts: &[u64],
        entry: &KeyEntry,
        open_key: &mut OpenKey,
    ) -> Vec<Change> {
        let Self { build_group, structure, mode, ref address, at, .. } = *self;
        let now = self.run.now;
        let here = |known: &Generation| known.address.as_ref() == Some(address);
        // After our clock went back, stored times are later than now, so the snapshot's own time is compared with them.
        let is_newest = open_key
            .state
            .generations
            .iter()
            .filter(|known| here(known))
            .all(|known| known.pulled_at <= captured_at);
        let mut changes = Vec::new();
        if is_newest {
            let open = open_key
                .state
                .generations
                .iter_mut()
                .filter(|known| known.closed_at.is_none() && here(known));
            changes.extend(open.map(|known| {
                known.closed_at = Some(at);
                Change::GenerationClosed(known.id, at)
            }));
        }
        // Nobody will ask it again where no center lists it.
        let is_over = !is_newest || !entry.addresses().contains(address);
        let (address, counts) = (Some(address.clone()), encode_counts(counts));
        open_key.state.generations.push(Generation {
            id,
            build_group,
            structure,
            address: address.clone(),
            mode,
            opened_at: at,
            pulled_at: at,
            closed_at: is_over.then_some(now),
        });
        changes.push(Change::GenerationOpened {
            id,
            build_group,
            structure,
            address,
            mode,
            at,
            counts,
            answer: None,
        });
        if is_over {
            // Not the time of the snapshot: an old one would be folded at once, and then nothing tells that its process
            // is counted where that is pulled again.
            changes.push(Change::GenerationClosed(id, now));
        }
        changes
    }
}

type Listings = HashMap<ServiceId, Vec<String>>;

/// Returns the addresses under which each name stands or stood, the latest first.
fn listings(store: &Store) -> Result<Listings> {
    let mut all = store.listings()?;
    all.sort_by_key(|listing| std::cmp::Reverse((listing.listed, listing.listed_at)));
    let mut by_service = Listings::new();
    for listing in all {
        by_service.entry(listing.service).or_default().push(normal_form(&listing.address));
    }
    Ok(by_service)
}

/// Returns the address under which the process of a snapshot is known, or would be.
fn address_of(head: &Head, entry: &KeyEntry, listings: &Listings, open_key: &OpenKey) -> String {
    let named = |member: &&ServiceName| member.name == head.service;
    let (own, others): (Vec<_>, Vec<_>) = entry.members.iter().partition(named);
    let listed =
        own.into_iter().chain(others).flat_map(|member| listings.get(&member.id).into_iter().flatten());
    let stored = open_key.state.generations.iter().rev().filter_map(|known| known.address.as_ref());
    let mut seen = HashSet::new();
    let all: Vec<(&String, String, u16)> = listed
        .chain(stored)
        .filter(|address| seen.insert(*address))
        .filter_map(|address| host_and_port(address).ok().map(|(host, port)| (address, host, port)))
        .collect();
    let found = head.find(all.iter().map(|(address, host, port)| (address.as_str(), host.as_str(), *port)));
    found.map_or_else(|| normal_form(&head.own_address()), str::to_owned)
}
