//! What leaving pods left in the inbox is taken in, before anything is pulled.
//!
//! A snapshot is as hostile as an answer, and may come late, twice, or after its successor. What came of one is
//! committed together with its identity before its file goes, so that a crash in between counts nothing twice.

use std::collections::{HashMap, HashSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};

use super::super::Context;
use super::super::roster::{Entry, Member, Roster};
use super::ledger::Ledger;
use super::shared::{Message, Shared};
use crate::center::host_and_port;
use crate::names::Naming;
use crate::profile::{
    Fingerprint, Limits, Mode, ReadError, Reader, Template, Understood, decode_counts, encode_counts, mix,
};
use crate::snapshot::{self, BadSnapshot, Checked, Head, Life, Place};
use crate::store::{
    Allocator, Change, EditionId, EditionStatus, Generation, ServiceId, Store, StructureId, Writer,
};
use crate::workdir::inbox::{self, Waiting};

/// How many snapshots are committed together.
const COMMITTED_AT_ONCE: usize = 64;
/// How long it is known that a snapshot was taken in. One that comes again later still changes nothing: all that
/// it counted is counted.
const REMEMBERED: TimeDelta = TimeDelta::days(90);

/// What came of a file of the inbox.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) file: String,
    /// Where it says whose it is.
    pub(super) head: Option<Head>,
    pub(super) fate: Fate,
}

/// What was done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its counters are merged in.
    Merged,
    /// All that it says was known.
    Known,
    /// Its build contradicts the one that its key shows; its counters wait.
    OtherBuild(Fingerprint),
    /// It stays for the next run: somebody may still be writing it.
    Left(String),
    /// It was moved away.
    Bad(String),
}

/// A file whose head was read.
pub(super) struct Letter {
    waiting: Waiting,
    head: Head,
    start: u64,
}

/// Lists what lies in the inboxes, the oldest data first; also returns what has no head.
pub(super) fn look(context: &Context) -> (Vec<Letter>, Vec<Taken>) {
    let now = context.now();
    let own = context.workdir.inbox();
    let configured = context.config.inboxes.iter().map(|folder| context.workdir.root().join(folder));
    let (mut letters, mut taken) = (Vec::new(), Vec::new());
    for folder in [own.clone()].into_iter().chain(configured) {
        let waiting = match inbox::waiting(&folder, snapshot::SUFFIX, now) {
            Ok(Some(waiting)) => waiting,
            // That of the root is made by whoever needs it; one that was configured is a mount that went.
            Ok(None) if folder == own => continue,
            Ok(None) => {
                super::super::warn(format!("inbox \"{}\" is no folder that is there", folder.display()));
                continue;
            }
            Err(error) => {
                super::super::warn(format!("{:#}; what lies there waits", anyhow::Error::from(error)));
                continue;
            }
        };
        for waiting in waiting {
            match head_of(&waiting) {
                Ok((head, start)) => letters.push(Letter { waiting, head, start }),
                Err(Refused { reason, is_cut }) => {
                    let fate = refuse(&waiting, reason, is_cut, now);
                    taken.push(Taken { file: waiting.path().display().to_string(), head: None, fate });
                }
            }
        }
    }
    letters.sort_by(|a, b| {
        a.head.captured_at.cmp(&b.head.captured_at).then_with(|| a.waiting.path().cmp(&b.waiting.path()))
    });
    (letters, taken)
}

/// Makes the names known that only the inbox tells of.
pub(super) fn introduce(
    letters: &[Letter],
    mut roster: Roster,
    naming: &Naming,
    allocator: &Allocator,
    now: DateTime<Utc>,
) -> Roster {
    let known = roster.entries.iter().flat_map(|entry| &entry.members).map(|member| member.name.clone());
    let mut known: HashSet<String> = known.collect();
    for Letter { head, .. } in letters {
        if known.insert(head.service.clone()) {
            roster = roster.with_service(&head.service, naming, allocator, now);
        }
    }
    roster
}

/// Why a file is not taken in.
struct Refused {
    reason: String,
    /// It ends too early, so it may still be written.
    is_cut: bool,
}

impl Refused {
    fn of(error: &(impl std::fmt::Display + ?Sized)) -> Self {
        Self { reason: error.to_string(), is_cut: false }
    }
}

fn head_of(waiting: &Waiting) -> Result<(Head, u64), Refused> {
    const ENOUGH: u64 = 64 << 10;
    let file = waiting.open().map_err(|error| Refused::of(&format!("{:#}", anyhow::Error::from(error))))?;
    let mut text = Vec::new();
    file.take(ENOUGH).read_to_end(&mut text).map_err(|error| Refused::of(&error))?;
    let (head, start) = snapshot::read_head(&text)
        .map_err(|error| Refused { is_cut: error == BadSnapshot::Cut, ..Refused::of(&error) })?;
    Ok((head, start as u64))
}

fn refuse(waiting: &Waiting, reason: String, is_cut: bool, now: DateTime<Utc>) -> Fate {
    if is_cut && waiting.is_fresh(now) {
        return Fate::Left(reason);
    }
    match waiting.set_aside(&reason) {
        Ok(_) => Fate::Bad(reason),
        Err(error) => Fate::Left(format!("{reason}; {:#}", anyhow::Error::from(error))),
    }
}

/// Where what is taken in is held against what is stored.
pub(super) struct Intake<'i, 'a, 'w> {
    pub(super) shared: &'i Shared<'a>,
    pub(super) store: &'i Store,
    pub(super) writer: &'i mut Writer<'w>,
    pub(super) messages: &'i Receiver<Message>,
    pub(super) limits: Limits,
    /// What was closed before may be part of a sum.
    pub(super) folded_until: Option<DateTime<Utc>>,
    /// Tells that the run is to end.
    pub(super) is_over: &'i dyn Fn() -> bool,
}

impl Intake<'_, '_, '_> {
    /// Takes in what was found, and marks the keys whose counters moved.
    pub(super) fn take(mut self, letters: &[Letter], roster: &mut Roster) -> Result<Vec<Taken>> {
        let mut taken = Vec::new();
        let listings = listings(self.store)?;
        let mut templates = Vec::new();
        for letters in letters.chunks(COMMITTED_AT_ONCE) {
            let mut done = Vec::new();
            for letter in letters {
                if (self.is_over)() {
                    break;
                }
                let named = |entry: &&mut Entry| {
                    entry.members.iter().any(|member| member.name == letter.head.service)
                };
                let entry =
                    roster.entries.iter_mut().find(named).context("a name that was not introduced")?;
                let fate = match self.take_one(letter, entry, &listings, &mut templates)? {
                    Ok(fate) => {
                        done.push(letter);
                        fate
                    }
                    Err(Refused { reason, is_cut }) => {
                        refuse(&letter.waiting, reason, is_cut, self.shared.now)
                    }
                };
                let file = letter.waiting.path().display().to_string();
                taken.push(Taken { file, head: Some(letter.head.clone()), fate });
            }
            self.writer.commit()?;
            for letter in done {
                if let Err(error) = letter.waiting.remove() {
                    let error = anyhow::Error::from(error);
                    super::super::warn(format!("{error:#}; it was taken in, and is passed over from now on"));
                }
            }
        }
        self.writer.apply(&Change::SnapshotsForgotten(self.shared.now - REMEMBERED))?;
        self.writer.commit()?;
        Ok(taken)
    }

    fn take_one(
        &mut self,
        letter: &Letter,
        entry: &mut Entry,
        listings: &Listings,
        templates: &mut Vec<Arc<Template>>,
    ) -> Result<Result<Fate, Refused>> {
        let identity = letter.head.identity();
        if self.store.is_taken(&identity)? {
            return Ok(Ok(Fate::Known));
        }
        let mut ledger = Ledger::open(entry, self.store)?;
        ledger.load(self.shared, self.store)?;
        let known: Vec<Arc<Template>> =
            ledger.templates.iter().map(|(_, template)| Arc::clone(template)).collect();
        let understood = match self.read(letter, &known) {
            Ok(understood) => understood,
            Err(refused) => return Ok(Err(refused)),
        };
        // So that the next one of the same build need not decode it again.
        templates.clone_from(&known);
        let Understood { profile, template, .. } = understood;
        let structure = self.shared.intern(&profile.build, template.map(Arc::new).as_ref())?;
        let member = (structure, profile.build.fingerprint());
        let current = ledger.current();
        let index = ledger.edition_of(&profile.build, member, false);
        let edition = match index {
            Some(index) => ledger.editions[index].id,
            None => self.new_edition(entry, current.is_none()),
        };
        self.carry_out()?;

        let address = address_of(&letter.head, entry, listings, &ledger);
        let is_its = |known: &&Generation| {
            known.address.as_deref() == Some(&*address)
                && (known.edition, known.structure, known.mode) == (edition, structure, profile.mode)
        };
        let generations: Vec<&Generation> = ledger.generations.iter().filter(is_its).collect();
        let blocks = profile.build.blocks().len();
        let mut counted = Vec::new();
        for generation in &generations {
            let counts = self.store.counts(generation.id)?.context("counters of a generation are gone")?;
            counted.push(decode_counts(&counts, blocks)?);
        }
        let lives: Vec<Life<'_>> = generations
            .iter()
            .zip(&counted)
            .map(|(known, counts)| Life {
                opened_at: known.opened_at,
                pulled_at: known.pulled_at,
                closed_at: known.closed_at,
                counts,
            })
            .collect();
        let at = letter.head.captured_at.min(self.shared.now);
        let started_at = letter.head.process.map(|process| process.started_at);
        let place = snapshot::place(profile.mode, &lives, started_at, at, &profile.counts);
        let mut changes = match place {
            Place::Known => Vec::new(),
            Place::Joins(index, counts) => {
                let Generation { id, pulled_at, .. } = *generations[index];
                let (counts, at) = (encode_counts(&counts), pulled_at.max(at));
                vec![Change::GenerationMoved { id, mode: profile.mode, at, counts, answer: None }]
            }
            Place::Own(counts) => {
                let folded = self.store.folded(edition, structure)?;
                match folded.filter(|_| self.folded_until.is_some_and(|until| at < until)) {
                    Some(sum) => self.join_sum(&sum, profile.mode, &counts)?,
                    None => {
                        let is_newest = lives.iter().all(|life| life.pulled_at <= at);
                        let life = (edition, structure, profile.mode);
                        self.open(life, &address, at, &counts, is_newest, entry, &ledger)
                    }
                }
            }
        };
        let has_moved = !changes.is_empty();
        if has_moved {
            changes.push(Change::Unfinished(entry.id));
            entry.came_in = true;
        }
        changes.push(Change::SnapshotTaken { identity, at: self.shared.now });
        changes.iter().try_for_each(|change| self.writer.apply(change))?;
        let is_shown = index == current || current.is_none();
        Ok(Ok(match has_moved {
            _ if !is_shown => Fate::OtherBuild(profile.build.fingerprint()),
            true => Fate::Merged,
            false => Fate::Known,
        }))
    }

    fn read(&self, letter: &Letter, known: &[Arc<Template>]) -> Result<Understood, Refused> {
        let mut file = letter
            .waiting
            .open()
            .map_err(|error| Refused::of(&format!("{:#}", anyhow::Error::from(error))))?;
        file.seek(SeekFrom::Start(letter.start)).map_err(|error| Refused::of(&error))?;
        let mut checked = Checked::new(file);
        let understood = Reader::new(&mut checked, self.limits, Vec::new()).understand(known, None, 0);
        let is_cut = checked.is_cut(&letter.head);
        let error = match understood {
            Ok(understood) if checked.is_whole(&letter.head) => return Ok(understood),
            _ if is_cut => "it is cut short".to_owned(),
            Ok(_) => "its profile is not the one that its head tells of".to_owned(),
            Err(ReadError::Parse(error)) => error.to_string(),
            Err(ReadError::Io(error)) => error.to_string(),
        };
        Err(Refused { reason: error, is_cut })
    }

    fn new_edition(&self, entry: &Entry, is_first: bool) -> EditionId {
        let id = self.shared.allocator.edition();
        let mut changes = vec![Change::Edition { id, key: entry.id, at: self.shared.now }];
        if is_first {
            changes.push(Change::EditionStatus(id, EditionStatus::Current));
        }
        self.shared.send(Message::Changes(changes));
        id
    }

    /// Applies what was sent meanwhile.
    fn carry_out(&mut self) -> Result<()> {
        while let Ok(message) = self.messages.try_recv() {
            if let Message::Changes(changes) = message {
                changes.iter().try_for_each(|change| self.writer.apply(change))?;
            }
        }
        Ok(())
    }

    /// Opens a generation; where it is the newest, whatever was open at its address is over.
    #[expect(clippy::too_many_arguments, reason = "all that tells one generation from another")]
    fn open(
        &self,
        (edition, structure, mode): (EditionId, StructureId, Mode),
        address: &str,
        at: DateTime<Utc>,
        counts: &[u64],
        is_newest: bool,
        entry: &Entry,
        ledger: &Ledger,
    ) -> Vec<Change> {
        let id = self.shared.allocator.generation();
        let mut changes = Vec::new();
        if is_newest {
            changes.extend(ledger.open_at(address).map(|open| Change::GenerationClosed(open.id, at)));
        }
        let (counts, address) = (encode_counts(counts), address.to_owned());
        // Nobody will ask it again where no center lists it.
        let is_over = !is_newest || !entry.addresses().contains(&address);
        let address = Some(address);
        changes.push(Change::GenerationOpened {
            id,
            edition,
            structure,
            address,
            mode,
            at,
            counts,
            answer: None,
        });
        if is_over {
            changes.push(Change::GenerationClosed(id, at));
        }
        changes
    }

    /// Holds what is so old that its generation may be part of a sum against that, by the larger count.
    fn join_sum(&self, sum: &Generation, mode: Mode, counts: &[u64]) -> Result<Vec<Change>> {
        let stored = self.store.counts(sum.id)?.context("counters of a sum are gone")?;
        let stored = decode_counts(&stored, counts.len())?;
        let joined = snapshot::larger(&stored, counts);
        if joined == stored {
            return Ok(Vec::new());
        }
        let (id, at, mode) = (sum.id, sum.pulled_at, mix(sum.mode, mode));
        Ok(vec![Change::GenerationMoved { id, mode, at, counts: encode_counts(&joined), answer: None }])
    }
}

type Listings = HashMap<ServiceId, Vec<String>>;

/// Returns where each name stands or stood, the latest first.
fn listings(store: &Store) -> Result<Listings> {
    let mut all = store.listings()?;
    all.sort_by_key(|listing| std::cmp::Reverse((listing.listed, listing.listed_at)));
    let mut by_service = Listings::new();
    for listing in all {
        by_service.entry(listing.service).or_default().push(listing.address);
    }
    Ok(by_service)
}

/// Returns the address under which the process of a snapshot is known, or would be.
fn address_of(head: &Head, entry: &Entry, listings: &Listings, ledger: &Ledger) -> String {
    let named = |member: &&Member| member.name == head.service;
    let (own, others): (Vec<_>, Vec<_>) = entry.members.iter().partition(named);
    let listed =
        own.into_iter().chain(others).flat_map(|member| listings.get(&member.id).into_iter().flatten());
    let stored = ledger.generations.iter().rev().filter_map(|known| known.address.as_ref());
    let all: Vec<(&String, String, u16)> = listed
        .chain(stored)
        .filter_map(|address| host_and_port(address).ok().map(|(host, port)| (address, host, port)))
        .collect();
    let found = head.find(all.iter().map(|(address, host, port)| (address.as_str(), host.as_str(), *port)));
    found.map_or_else(|| head.own_address(), str::to_owned)
}
