//! Compares snapshots with the stored data and takes them in.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::Arc;

use anyhow::Result;

use super::folder::FolderReader;
use super::left_meta::MetaCache;
use super::origin::{Listings, SnapshotOrigin, address_of, listings};
use super::snapshot_service::NAMELESS;
use super::{
    InboxContents, InboxOutcome, RefusedFile, Snapshot, SnapshotOutcome, SnapshotResult, WhyRefused,
    explained, open, refuse,
};
use crate::collect::fault::FaultScope;
use crate::collect::known_meta::KnownMeta;
use crate::collect::open_key::OpenKey;
use crate::collect::run::{PullRun, StoreMessage};
use crate::collect::store_queue::StoreReceiver;
use crate::config::InboxOwner;
use crate::fleet::assignment::Assignment;
use crate::fleet::build_group::BuildGroupStatus;
use crate::fleet::change::Change;
use crate::fleet::ids::{BuildGroupId, KeyId, StructureId};
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::process::Process;
use crate::fleet::services::Fleet;
use crate::fleet::snapshot::{HashingReader, SnapshotHead};
use crate::fleet::targets::ServiceFields;
use crate::io::store::{Store, Writer};
use crate::names::Naming;
use crate::profile::gocover::{CounterFile, DataError, Meta};
use crate::profile::{AnswerReader, Build, Limits, ParsedAnswer, ReadError, Template};

/// Number of snapshots that are committed together.
const COMMITTED_AT_ONCE: usize = 64;

/// Compares snapshots with the stored data and takes them in.
pub(crate) struct InboxReader<'i, 'a, 'w> {
    pub(crate) run: &'i PullRun<'a>,
    pub(crate) store: &'i Store,
    pub(crate) writer: &'i mut Writer<'w>,
    pub(crate) messages: &'i StoreReceiver,
    pub(crate) fleet: &'i mut Fleet,
    pub(crate) naming: &'i Naming,
    pub(crate) limits: Limits,
    /// Owners whose files are taken in; `None` for any owner.
    pub(crate) owners: Option<&'i [InboxOwner]>,
    /// Tells whether the other snapshots have to wait for the next run.
    pub(crate) is_over: &'i dyn Fn() -> bool,
}

/// The services and addresses of the fleet, for the lookup of snapshots. The key of the last snapshot stays open,
/// because the next one usually belongs to it, too.
pub(super) struct KeyCache {
    /// Index in the fleet of each name.
    pub(super) entries: HashMap<String, usize>,
    listings: Listings,
    pub(super) open: Option<(usize, OpenKey)>,
}

/// The data of a snapshot.
struct SnapshotAnswer {
    parsed: ParsedAnswer,
    /// The process that its head names.
    process: Option<Process>,
    /// Import path of the package `main` of its program, where its meta has one.
    main_package: Option<String>,
}

/// The result of handling a snapshot.
enum TakeInResult {
    /// The snapshot of this key is stored, so its file can be removed.
    Stored(Option<KeyId>, SnapshotOutcome),
    /// The snapshot is not taken in.
    Refused(WhyRefused),
}

impl InboxReader<'_, '_, '_> {
    /// Takes in the snapshots, and marks the keys whose counters changed.
    pub(crate) fn take_in(mut self, contents: InboxContents) -> Result<InboxOutcome> {
        let (has_any, is_partial) = (contents.has_any(), contents.is_partial());
        let InboxContents { snapshots, folders, refused: results, waiting, .. } = contents;
        let mut outcome = InboxOutcome { results, waiting, is_partial, ..InboxOutcome::default() };
        if !has_any {
            return Ok(outcome);
        }
        let listings = listings(self.store)?;
        let mut cache = KeyCache { entries: HashMap::new(), listings, open: None };
        // A service of labels and one that only the inbox knows can have one name; the one that was listed last counts.
        let members = self.fleet.entries.iter().enumerate().flat_map(|(index, entry)| {
            entry.members.iter().map(move |member| (member.listing_order(), &member.name, index))
        });
        let mut members: Vec<_> = members.collect();
        members.sort_unstable();
        cache.entries.extend(members.into_iter().map(|(_, name, index)| (name.clone(), index)));
        for snapshots in snapshots.chunks(COMMITTED_AT_ONCE) {
            self.take_in_together(snapshots, &mut cache, &mut outcome)?;
        }
        let folder_reader = FolderReader {
            reader: &mut self,
            cache: &mut cache,
            outcome: &mut outcome,
            metas: MetaCache::default(),
            named_metas: HashSet::new(),
            key: None,
        };
        folder_reader.take_in(folders)?;
        Ok(outcome)
    }

    /// Takes in a batch of snapshots with one commit, and removes their files after it.
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
            let (key, of_one) = match self.take_one(snapshot, cache) {
                Err(error) if FaultScope::from_error(&error) == FaultScope::Service => {
                    // The state of the key may have changed by a snapshot that was not taken in.
                    cache.open = None;
                    (None, SnapshotOutcome::Stuck(format!("{error:#}")))
                }
                handled => match handled? {
                    TakeInResult::Stored(key, of_one) => {
                        done.push(&snapshot.file);
                        (key, of_one)
                    }
                    TakeInResult::Refused(reason) => {
                        refused.push(RefusedFile { file: snapshot.file.clone(), head, reason });
                        continue;
                    }
                },
            };
            let result = SnapshotResult::of_snapshot(&snapshot.file, head, of_one);
            outcome.results.push(SnapshotResult { key, ..result });
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

    fn take_one(&mut self, snapshot: &Snapshot, cache: &mut KeyCache) -> Result<TakeInResult> {
        let head = &snapshot.head;
        let fields = head.fields.clone().map(ServiceFields::from_list);
        let named = match &fields {
            None => cache.entries.get(&head.service).copied().or_else(|| self.entry_named(&head.service)),
            Some(fields) => self.entry_of(fields),
        };
        let identity = head.identity();
        if self.store.is_taken(&identity)? {
            let key = named.map(|index| self.fleet.entries[index].id);
            return Ok(TakeInResult::Stored(key, SnapshotOutcome::TakenBefore));
        }
        let known: Vec<Arc<Template>> = match named {
            Some(entry) => {
                let open_key = self.open_key(entry, &mut cache.open)?;
                open_key.state.templates.iter().map(|(_, template)| Arc::clone(template)).collect()
            }
            None => Vec::new(),
        };
        let SnapshotAnswer { parsed, process, main_package } = match self.read(snapshot, &known) {
            Ok(answer) => answer,
            Err(refused) => return Ok(TakeInResult::Refused(refused)),
        };
        let ParsedAnswer { profile, template, .. } = parsed;
        // The name is added only now, so that a bad snapshot adds no name.
        let index = match (named, fields) {
            (Some(index), _) => index,
            (None, None) => self.introduce(&head.service, &mut cache.entries)?,
            (None, Some(fields)) => match self.entry_of_program(fields, main_package.as_deref())? {
                Some(index) => index,
                None => return Ok(TakeInResult::Refused(WhyRefused::Bad(NAMELESS.to_owned()))),
            },
        };
        let template = template.map(Arc::new);
        let structure = self.run.intern(&profile.build, template.as_ref())?;
        let open_key = self.open_key(index, &mut cache.open)?;
        if let Some(template) = template {
            open_key.state.templates.push((structure, template));
        }
        let entry = &self.fleet.entries[index];
        let build_group = build_group_for(entry, open_key, &profile.build, structure, self.run, self.store)?;
        self.carry_out()?;
        let entry = &mut self.fleet.entries[index];

        let address = address_of(head, entry, &cache.listings, open_key);
        let at = head.captured_at.min(self.run.now);
        let (run, store, mode) = (self.run, self.store, profile.mode);
        let origin = SnapshotOrigin { run, store, build_group, structure, mode, address, at, process };
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
        let outcome = match has_moved {
            _ if !is_shown => SnapshotOutcome::OtherBuild(profile.build.fingerprint()),
            true => SnapshotOutcome::Merged,
            false => SnapshotOutcome::Known,
        };
        Ok(TakeInResult::Stored(Some(entry.id), outcome))
    }

    /// Returns the stored state of a key; `open` keeps the last one.
    pub(super) fn open_key<'d>(
        &self,
        entry: usize,
        open: &'d mut Option<(usize, OpenKey)>,
    ) -> Result<&'d mut OpenKey> {
        let open_key = match open.take() {
            Some((of, open_key)) if of == entry => open_key,
            _ => {
                let id = self.fleet.entries[entry].id;
                let mut open_key = OpenKey::from_stored(self.store.stored_key(id)?);
                open_key.load(self.run, self.store)?;
                open_key
            }
        };
        Ok(&mut open.insert((entry, open_key)).1)
    }

    /// Returns the index of the entry that an unknown name means by a shorter or longer commit, or else adds the name,
    /// which only the inbox has.
    pub(super) fn introduce(&mut self, service: &str, entries: &mut HashMap<String, usize>) -> Result<usize> {
        let index = match self.entry_named(service) {
            Some(index) => index,
            None => {
                let PullRun { ids, now, .. } = self.run;
                let (index, changes) = self.fleet.add_service(self.naming.parse(service), ids, *now);
                self.writer.apply_all(&changes)?;
                index
            }
        };
        entries.insert(service.to_owned(), index);
        Ok(index)
    }

    /// Applies the changes that were sent meanwhile.
    pub(super) fn carry_out(&mut self) -> Result<()> {
        for message in self.messages.take_all() {
            if let StoreMessage::Changes(_, changes) = message {
                self.writer.apply_all(&changes)?;
            }
        }
        Ok(())
    }

    /// Reads the data of a snapshot.
    fn read(&self, snapshot: &Snapshot, known: &[Arc<Template>]) -> Result<SnapshotAnswer, WhyRefused> {
        let Snapshot { file, head, start } = snapshot;
        let stuck = |error: io::Error| WhyRefused::Stuck(error.to_string());
        let unfinished = |reason: &str| Err(WhyRefused::Unfinished(reason.to_owned()));
        let mut opened = open(file, self.owners)?;
        if head.profile_bytes > self.limits.max_bytes {
            let bytes = head.profile_bytes;
            return Err(WhyRefused::Bad(format!(
                "its profile has {bytes} bytes and is larger than --max-body"
            )));
        }
        match opened.metadata().map_err(stuck)?.len().cmp(&(start + head.profile_bytes)) {
            Ordering::Less => return unfinished("it is cut short"),
            Ordering::Greater => return unfinished("it is longer than its head says"),
            Ordering::Equal => {}
        }
        opened.seek(SeekFrom::Start(*start)).map_err(stuck)?;
        let mut checked = HashingReader::new(opened);
        if let Some(meta_bytes) = head.meta_bytes {
            return self.read_binary(checked, head, meta_bytes);
        }
        let mut reader = AnswerReader::new(&mut checked, self.limits, Vec::new());
        // The head of the snapshot has its length and digest.
        reader.trust_end();
        reader.reserve(self.run.memory.only_reader());
        let parsed = reader.parse(known, None, 0);
        drop(reader);
        // The digest of the whole distinguishes a profile that was bad from the start from one that was damaged later.
        io::copy(&mut checked, &mut io::sink()).map_err(stuck)?;
        match parsed {
            Err(ReadError::Io(error)) => Err(stuck(error)),
            _ if !checked.is_whole(head) => unfinished("its profile does not match its head"),
            Err(ReadError::Parse(error)) => Err(WhyRefused::Bad(error.to_string())),
            Err(ReadError::Memory(error)) => Err(error.into()),
            Ok(parsed) => Ok(SnapshotAnswer { parsed, process: None, main_package: None }),
        }
    }
}

impl InboxReader<'_, '_, '_> {
    /// Reads a snapshot that holds a meta and counters.
    fn read_binary(
        &self,
        mut checked: HashingReader<File>,
        head: &SnapshotHead,
        meta_bytes: u64,
    ) -> Result<SnapshotAnswer, WhyRefused> {
        let stuck = |error: io::Error| WhyRefused::Stuck(error.to_string());
        let bad = |error: DataError| WhyRefused::Bad(error.to_string());
        let mut reservation = self.run.memory.only_reader();
        reservation.grow_to(head.profile_bytes)?;
        let mut bytes = Vec::new();
        // The head may lie about a size that nobody has memory for.
        (&mut checked).take(head.profile_bytes).read_to_end(&mut bytes).map_err(stuck)?;
        if !checked.is_whole(head) {
            return Err(WhyRefused::Unfinished(
                "its profile is not the one that its head tells of".to_owned(),
            ));
        }
        let split = usize::try_from(meta_bytes).ok().and_then(|at| bytes.split_at_checked(at));
        let (meta, counters) = split.ok_or_else(|| WhyRefused::Bad("its meta is cut short".to_owned()))?;
        let meta = Meta::from_bytes(meta, self.limits).map_err(bad)?;
        let counters = CounterFile::from_bytes(counters).map_err(bad)?;
        if counters.hash() != meta.hash() {
            return Err(WhyRefused::Bad("its counters are of another program than its meta".to_owned()));
        }
        let profile = KnownMeta::new(&meta, &self.run.rules.agent_files).profile(&counters).map_err(bad)?;
        let template = Some(Template::for_build(&profile.build));
        let parsed = ParsedAnswer { profile, template, answer_digest: None };
        let process = head.named_process(meta.sha256());
        let read_at = self.run.believed(process.read_at);
        let main_package = meta.main_package().map(str::to_owned);
        Ok(SnapshotAnswer { parsed, process: Some(Process { read_at, ..process }), main_package })
    }
}

/// Finds the build group of a build. The first one of a key becomes the current one.
pub(super) fn build_group_for(
    entry: &KeyEntry,
    open_key: &mut OpenKey,
    build: &Arc<Build>,
    structure: StructureId,
    run: &PullRun<'_>,
    store: &Store,
) -> Result<BuildGroupId> {
    let build_ref = (structure, build.fingerprint());
    // A late snapshot of a replaced build belongs to the build group of that build.
    let known = open_key.state.build_group_with(structure);
    let index = known.or_else(|| open_key.state.build_group_of(build, build_ref, false));
    let assignment = index.map_or(Assignment::New { is_undecided: false }, Assignment::Known);
    let index = open_key.make_room(assignment, entry.id, (build, build_ref), run, store)?;
    let id = open_key.state.build_groups[index].id;
    if open_key.state.current().is_none() {
        open_key.state.build_groups[index].status = BuildGroupStatus::Current;
        let shown = Change::BuildGroupStatus(id, BuildGroupStatus::Current);
        run.send(StoreMessage::Changes(Some(entry.id), vec![shown]));
    }
    Ok(id)
}
