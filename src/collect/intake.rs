//! What leaving pods left in the inbox is taken in, before anything is pulled.
//!
//! A snapshot is as hostile as an answer, and may come late, twice, or after its successor. What came of one is
//! committed together with its identity before its file goes, so that a crash in between counts nothing twice.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};

use crate::address::{host_and_port, normal_form};
use crate::collect::fault::Reach;
use crate::collect::open_key::OpenKey;
use crate::collect::run::{Message, Run};
use crate::commands::Context;
use crate::config::InboxOwner;
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
use crate::io::workdir::WorkdirError;
use crate::io::workdir::inbox::{self, InboxFile};
use crate::memory::NoRoom;
use crate::names::Naming;
use crate::profile::{
    Fingerprint, Limits, Mode, ParsedAnswer, Profile, ReadError, Reader, Template, encode_counts, mix,
};

/// How many snapshots are committed together.
const COMMITTED_AT_ONCE: usize = 64;
/// How many files are looked into before those that are bad are moved away, and it is seen whether the run is over.
const LOOKED_INTO_AT_ONCE: usize = 512;
/// How long it is known that a snapshot was taken in. One that comes again later still changes nothing: all that
/// it counted is counted.
pub(crate) const REMEMBERED: TimeDelta = TimeDelta::days(90);

/// What came of a file of the inbox.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) file: String,
    /// Where it says whose it is.
    pub(crate) head: Option<Head>,
    pub(crate) fate: Fate,
}

/// What was done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its counters are merged in.
    Merged,
    /// All that it says was known.
    Known,
    /// Its build contradicts the one that its key shows; its counters wait.
    OtherBuild(Fingerprint),
    /// It waits for the next run: somebody may still be writing it.
    Unfinished(String),
    /// It could not be read, or not be moved away, and is tried again.
    Stuck(String),
    /// It was moved away.
    Bad(String),
}

/// A file whose head was read.
pub(crate) struct Letter {
    file: InboxFile,
    head: Head,
    start: u64,
}

/// What lies in the inboxes.
#[derive(Default)]
pub(crate) struct Found {
    /// By service, the oldest data first.
    pub(crate) letters: Vec<Letter>,
    /// What came of what was looked at.
    pub(crate) taken: Vec<Taken>,
    /// How many files were left for the next run.
    pub(crate) waiting: usize,
    /// An inbox could not be looked into, or not be emptied.
    pub(crate) is_partial: bool,
}

impl Found {
    /// Tells whether something was refused, or waits for more than its end.
    pub(crate) fn has_trouble(&self) -> bool {
        let is_trouble = |fate: &Fate| matches!(fate, Fate::OtherBuild(_) | Fate::Stuck(_) | Fate::Bad(_));
        self.is_partial || self.waiting > 0 || self.taken.iter().any(|taken| is_trouble(&taken.fate))
    }
}

/// Looks into the inboxes, until `is_over`: the next run goes on.
pub(crate) fn look(is_over: &dyn Fn() -> bool, context: &Context) -> Found {
    let now = context.now();
    let mut found = Found::default();
    let own = match context.workdir.inbox() {
        Ok(own) => Some(own),
        Err(error) => {
            crate::commands::fail(format_args!("inbox: {}", explained(error)));
            found.is_partial = true;
            None
        }
    };
    let configured = context.config.inboxes.iter().map(|folder| context.workdir.root().join(folder));
    let mut looked_into = HashSet::new();
    for folder in own.clone().into_iter().chain(configured) {
        if !looked_into.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())) {
            continue;
        }
        let files = match inbox::files(&folder, snapshot::SUFFIX, now) {
            Ok(Some(files)) => files,
            // That of the root is made by whoever needs it; one that was configured is a mount that went.
            Ok(None) if own.as_ref() == Some(&folder) => Vec::new(),
            Ok(None) => {
                crate::commands::fail(format_args!("inbox {:?} is not there", folder.display()));
                found.is_partial = true;
                Vec::new()
            }
            Err(error) => {
                crate::commands::fail(format_args!("inbox: {}", explained(error)));
                found.is_partial = true;
                Vec::new()
            }
        };
        let mut files = files.into_iter().peekable();
        while files.peek().is_some() && !is_over() {
            let mut refused = Vec::new();
            for file in files.by_ref().take(LOOKED_INTO_AT_ONCE) {
                match head_of(&file, context.config.inbox_owners.as_deref()) {
                    Ok((head, start)) => found.letters.push(Letter { file, head, start }),
                    Err(reason) => refused.push(Refusal { file, head: None, reason }),
                }
            }
            found.taken.extend(refuse(refused, now));
        }
        found.waiting += files.len();
    }
    found.letters.sort_by_cached_key(|letter| {
        (letter.head.service.clone(), letter.head.captured_at, letter.file.path())
    });
    found
}

/// Why a file is not taken in.
enum Refused {
    /// It is no snapshot.
    Bad(String),
    /// Not all of it is there, or not yet.
    Unfinished(String),
    /// It could not be read this time.
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
fn refuse(refusals: Vec<Refusal>, now: DateTime<Utc>) -> Vec<Taken> {
    let taken = |file: &InboxFile, head, fate| Taken { file: file.path().display().to_string(), head, fate };
    let (mut all, mut bad) = (Vec::new(), Vec::new());
    for Refusal { file, head, reason } in refusals {
        match reason {
            _ if file.is_gone() => {}
            Refused::Stuck(reason) => all.push(taken(&file, head, Fate::Stuck(reason))),
            Refused::Unfinished(reason) if file.is_fresh(now) => {
                all.push(taken(&file, head, Fate::Unfinished(reason)));
            }
            Refused::Unfinished(reason) | Refused::Bad(reason) => bad.push((file, head, reason)),
        }
    }
    let moved = inbox::set_aside(&bad.iter().map(|(file, _, reason)| (file, &**reason)).collect::<Vec<_>>());
    for ((file, head, reason), moved) in bad.into_iter().zip(moved) {
        let fate = match moved {
            Ok(true) => Fate::Bad(reason),
            Ok(false) => continue,
            Err(error) => Fate::Stuck(format!("{reason}; {}", explained(error))),
        };
        all.push(taken(&file, head, fate));
    }
    all
}

/// Where what is taken in is held against what is stored.
pub(crate) struct Intake<'i, 'a, 'w> {
    pub(crate) run: &'i Run<'a>,
    pub(crate) store: &'i Store,
    pub(crate) writer: &'i mut Writer<'w>,
    pub(crate) messages: &'i Receiver<Message>,
    pub(crate) fleet: &'i mut Fleet,
    pub(crate) naming: &'i Naming,
    pub(crate) limits: Limits,
    /// Whose files are taken in; `None`: anybody's.
    pub(crate) owners: Option<&'i [InboxOwner]>,
    /// Tells that what is not taken in yet is to wait for the next run.
    pub(crate) is_over: &'i dyn Fn() -> bool,
}

/// The key of the snapshot before, of which the next one mostly is too.
struct Desk {
    entry: usize,
    open: OpenKey,
}

impl Intake<'_, '_, '_> {
    /// Takes in what was found, and marks the keys whose counters moved.
    pub(crate) fn take(mut self, mut found: Found) -> Result<Found> {
        if found.letters.is_empty() {
            return Ok(found);
        }
        let listings = listings(self.store)?;
        let mut entries = HashMap::new();
        for (index, entry) in self.fleet.entries.iter().enumerate() {
            entries.extend(entry.members.iter().map(|member| (member.name.clone(), index)));
        }
        let mut desk = None;
        for letters in found.letters.chunks(COMMITTED_AT_ONCE) {
            let (mut done, mut refused) = (Vec::new(), Vec::new());
            for letter in letters {
                if (self.is_over)() {
                    found.waiting += 1;
                    continue;
                }
                let fate = match self.take_one(letter, &mut entries, &listings, &mut desk) {
                    Err(error) if Reach::of(&error) == Reach::Service => {
                        // Half of what it holds may be of a snapshot that was not taken in.
                        desk = None;
                        Fate::Stuck(format!("{error:#}"))
                    }
                    fate => match fate? {
                        Ok(fate) => {
                            done.push(&letter.file);
                            fate
                        }
                        Err(reason) => {
                            let (file, head) = (letter.file.clone(), Some(letter.head.clone()));
                            refused.push(Refusal { file, head, reason });
                            continue;
                        }
                    },
                };
                let file = letter.file.path().display().to_string();
                found.taken.push(Taken { file, head: Some(letter.head.clone()), fate });
            }
            self.writer.commit()?;
            found.taken.extend(refuse(refused, self.run.now));
            for file in done {
                if let Err(error) = file.remove() {
                    let error = explained(error);
                    crate::commands::fail(format_args!(
                        "{error}; its data is stored and not counted again; let this user write the folder, or remove \
                         the file"
                    ));
                    found.is_partial = true;
                }
            }
        }
        Ok(found)
    }

    fn take_one(
        &mut self,
        letter: &Letter,
        entries: &mut HashMap<String, usize>,
        listings: &Listings,
        desk: &mut Option<Desk>,
    ) -> Result<Result<Fate, Refused>> {
        let head = &letter.head;
        let identity = head.identity();
        if self.store.is_taken(&identity)? {
            return Ok(Ok(Fate::Known));
        }
        let named = entries.get(&head.service).copied();
        let known: Vec<Arc<Template>> = match named {
            Some(entry) => {
                let ledger = self.ledger_of(entry, desk)?;
                ledger.state.templates.iter().map(|(_, template)| Arc::clone(template)).collect()
            }
            None => Vec::new(),
        };
        let ParsedAnswer { profile, template, .. } = match self.read(letter, &known) {
            Ok(understood) => understood,
            Err(refused) => return Ok(Err(refused)),
        };
        // Only now: a name that nothing vouches for leaves no trace.
        let index = match named {
            Some(index) => index,
            None => self.introduce(&head.service, entries)?,
        };
        let template = template.map(Arc::new);
        let structure = self.run.intern(&profile.build, template.as_ref())?;
        let ledger = self.ledger_of(index, desk)?;
        if let Some(template) = template {
            ledger.state.templates.push((structure, template));
        }
        let entry = &mut self.fleet.entries[index];
        let build_group = seat(entry, ledger, &profile, structure, self.run, self.store)?;
        carry_out(self.messages, self.writer)?;

        let address = address_of(head, entry, listings, ledger);
        let at = head.captured_at.min(self.run.now);
        let origin = Origin { build_group, structure, mode: profile.mode, address, at, now: self.run.now };
        let sum = self.store.folded(build_group, structure)?;
        let place = origin.place(head, &profile.counts, sum.as_ref(), ledger, self.run, self.store)?;
        let mut changes = match place {
            Place::Known => Vec::new(),
            Place::Joins(index, counts) => vec![origin.moved(index, &counts, ledger)],
            Place::JoinsSum(counts) => {
                let Generation { id, mode, pulled_at: at, .. } = sum.context("there is no sum")?;
                let (mode, counts) = (mix(mode, profile.mode), encode_counts(&counts));
                vec![Change::GenerationMoved { id, mode, at, counts, answer: None }]
            }
            Place::Own(counts) => {
                let id = self.run.ids.generation();
                origin.opened(id, head.captured_at, &counts, entry, ledger)
            }
        };
        let has_moved = !changes.is_empty();
        if has_moved {
            changes.push(Change::Unfinished(entry.id));
            entry.came_in = true;
        }
        changes.push(Change::SnapshotTaken { identity, at: self.run.now });
        self.writer.apply_all(&changes)?;
        let is_shown = ledger
            .state
            .current()
            .is_some_and(|current| ledger.state.build_groups[current].id == build_group);
        Ok(Ok(match has_moved {
            _ if !is_shown => Fate::OtherBuild(profile.build.fingerprint()),
            true => Fate::Merged,
            false => Fate::Known,
        }))
    }

    /// Returns what is known of a key.
    fn ledger_of<'d>(&self, entry: usize, desk: &'d mut Option<Desk>) -> Result<&'d mut OpenKey> {
        if desk.as_ref().is_none_or(|desk| desk.entry != entry) {
            let mut open = OpenKey::open(&self.fleet.entries[entry], self.store)?;
            open.load(self.run, self.store)?;
            *desk = Some(Desk { entry, open });
        }
        Ok(&mut desk.as_mut().expect("opened just now").open)
    }

    /// Makes a name known that only the inbox tells of.
    fn introduce(&mut self, service: &str, entries: &mut HashMap<String, usize>) -> Result<usize> {
        let Run { ids, now, .. } = self.run;
        let (index, changes) = self.fleet.add_service(service, self.naming, ids, *now);
        self.writer.apply_all(&changes)?;
        entries.insert(service.to_owned(), index);
        Ok(index)
    }

    fn read(&self, letter: &Letter, known: &[Arc<Template>]) -> Result<ParsedAnswer, Refused> {
        let Letter { file, head, start } = letter;
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
        // Of what is no profile the rest tells whether it was left so, or damaged.
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
    ledger: &mut OpenKey,
    profile: &Profile,
    structure: StructureId,
    run: &Run<'_>,
    store: &Store,
) -> Result<BuildGroupId> {
    let member = (structure, profile.build.fingerprint());
    // A snapshot may be late: that of a build which was replaced belongs to the history of that build.
    let known = ledger.state.build_group_with(structure);
    let index = known.or_else(|| ledger.state.build_group_of(&profile.build, member, false));
    let assignment = index.map_or(Assignment::New { is_undecided: false }, Assignment::Known);
    let index = ledger.make_room(assignment, entry.id, (&profile.build, member), run, store)?;
    let id = ledger.state.build_groups[index].id;
    if ledger.state.current().is_none() {
        ledger.state.build_groups[index].status = BuildGroupStatus::Current;
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

/// Where a snapshot comes from.
struct Origin {
    build_group: BuildGroupId,
    structure: StructureId,
    mode: Mode,
    address: String,
    /// When it was taken, and not later than now.
    at: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Origin {
    /// Finds the place of its counters; an index is that of a generation of the ledger.
    fn place(
        &self,
        head: &Head,
        counts: &[u64],
        sum: Option<&Generation>,
        ledger: &OpenKey,
        run: &Run<'_>,
        store: &Store,
    ) -> Result<Place> {
        let is_of_it = |known: &Generation| {
            known.address.as_ref() == Some(&self.address)
                && (known.build_group, known.structure, known.mode)
                    == (self.build_group, self.structure, self.mode)
        };
        let of_it: Vec<usize> = (0..ledger.state.generations.len())
            .filter(|&index| is_of_it(&ledger.state.generations[index]))
            .collect();
        let counts_of = |known: &Generation| {
            store.counts(known.id, counts.len())?.context("counters of a generation are gone")
        };
        let lives: Vec<Life> =
            of_it.iter().map(|&index| run.life(&ledger.state.generations[index])).collect();
        let capture = Capture {
            started_at: head.process.map(|process| process.started_at),
            captured_at: head.captured_at,
            counts,
        };
        let doubt = &run.doubt;
        let is_in_doubt = doubt.concerns_any(&capture, &lives);
        let may_be_in = |sum: &&Generation| is_in_doubt || snapshot::may_be_in_sum(&capture, sum.pulled_at);
        let summed = sum.filter(may_be_in).map(counts_of).transpose()?;
        let counts_of = |life: usize| counts_of(&ledger.state.generations[of_it[life]]);
        Ok(match snapshot::place(self.mode, &lives, summed.as_deref(), &capture, doubt, counts_of)? {
            Place::Joins(life, counts) => Place::Joins(of_it[life], counts),
            place => place,
        })
    }

    /// Gives a generation of the ledger these counters.
    fn moved(&self, index: usize, counts: &[u64], ledger: &mut OpenKey) -> Change {
        let life = &mut ledger.state.generations[index];
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
        ledger: &mut OpenKey,
    ) -> Vec<Change> {
        let Self { build_group, structure, mode, address, at, now } = self;
        let (build_group, structure, mode, at, now) = (*build_group, *structure, *mode, *at, *now);
        let here = |known: &Generation| known.address.as_ref() == Some(address);
        // After our clock went back, stored times are later than now, so the snapshot's own time is compared with them.
        let is_newest = ledger
            .state
            .generations
            .iter()
            .filter(|known| here(known))
            .all(|known| known.pulled_at <= captured_at);
        let mut changes = Vec::new();
        if is_newest {
            let open =
                ledger.state.generations.iter_mut().filter(|known| known.closed_at.is_none() && here(known));
            changes.extend(open.map(|known| {
                known.closed_at = Some(at);
                Change::GenerationClosed(known.id, at)
            }));
        }
        // Nobody will ask it again where no center lists it.
        let is_over = !is_newest || !entry.addresses().contains(address);
        let (address, counts) = (Some(address.clone()), encode_counts(counts));
        ledger.state.generations.push(Generation {
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
fn address_of(head: &Head, entry: &KeyEntry, listings: &Listings, ledger: &OpenKey) -> String {
    let named = |member: &&ServiceName| member.name == head.service;
    let (own, others): (Vec<_>, Vec<_>) = entry.members.iter().partition(named);
    let listed =
        own.into_iter().chain(others).flat_map(|member| listings.get(&member.id).into_iter().flatten());
    let stored = ledger.state.generations.iter().rev().filter_map(|known| known.address.as_ref());
    let mut seen = HashSet::new();
    let all: Vec<(&String, String, u16)> = listed
        .chain(stored)
        .filter(|address| seen.insert(*address))
        .filter_map(|address| host_and_port(address).ok().map(|(host, port)| (address, host, port)))
        .collect();
    let found = head.find(all.iter().map(|(address, host, port)| (address.as_str(), host.as_str(), *port)));
    found.map_or_else(|| normal_form(&head.own_address()), str::to_owned)
}
