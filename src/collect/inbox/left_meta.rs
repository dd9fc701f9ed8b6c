//! The metas of counters that were left in folders: in the folder, or stored since an earlier run.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;

use super::folder::{Folder, FolderReader, refusal};
use super::{ReadFault, WhyRefused};
use crate::collect::known_meta::KnownMeta;
use crate::fleet::change::Change;
use crate::fleet::ids::{KeyId, StructureId};
use crate::memory::Reservation;
use crate::profile::gocover::{DataError, DataFileName, DataHeader, Meta, MetaHash, find_meta};
use crate::profile::{Fingerprint, Template};

/// A meta file of a folder, of which the head was read.
pub(super) struct FolderMeta {
    pub(super) name: String,
    hash: MetaHash,
}

/// A meta file that could not be read this time.
pub(super) struct StuckMeta {
    name: String,
    /// `None` if its head could not be read either.
    hash: Option<MetaHash>,
    reason: String,
}

/// A decoded meta.
#[derive(Clone)]
pub(super) struct LoadedMeta {
    pub(super) known: KnownMeta,
    pub(super) template: Arc<Template>,
    pub(super) structure: StructureId,
    /// The bytes it was read from.
    data: Arc<Vec<u8>>,
    _memory: Arc<Reservation>,
}

/// The place that a meta was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum MetaSource {
    File(PathBuf),
    Stored(KeyId, MetaHash),
}

/// The meta that was needed last. Counters of one program follow each other, so each is decoded once.
#[derive(Default)]
pub(super) struct MetaCache {
    last: Option<(MetaSource, LoadedMeta)>,
    /// Metas that are known to be stored for a key.
    stored: HashSet<(KeyId, Fingerprint)>,
    /// Stored metas that this run could not read, each with the reason. Thousands of counters may need one of them, and
    /// each attempt decodes it.
    stuck: HashMap<(KeyId, MetaHash), String>,
}

impl FolderMeta {
    /// Takes the hash from the head of a file.
    pub(super) fn from_head(name: &str, head: Result<DataHeader, DataError>) -> Result<Self, WhyRefused> {
        match head {
            Ok(DataHeader::Meta(header)) => Ok(Self { name: name.to_owned(), hash: header.hash }),
            Ok(DataHeader::Counters(_)) => {
                Err(WhyRefused::Bad("covcounters data where covmeta data was expected".to_owned()))
            }
            Err(error) => Err(refusal(&error)),
        }
    }

    /// Returns the part of its name by which counters name their meta.
    fn tag(&self) -> &str {
        tag_of(&self.name)
    }
}

fn tag_of(meta: &str) -> &str {
    match DataFileName::parse(meta) {
        Some(DataFileName::Meta { tag }) => tag,
        _ => "",
    }
}

impl StuckMeta {
    /// Tells whether counters with this hash and tag may need it.
    fn may_be_of(&self, hash: MetaHash, tag: &str) -> bool {
        let own = tag_of(&self.name);
        self.hash == Some(hash) || own == tag || own == hash.to_string()
    }

    fn why_counters_wait(&self) -> WhyRefused {
        let Self { name, reason, .. } = self;
        WhyRefused::Stuck(format!("its meta file, \"{name}\", was not read: {reason}"))
    }
}

impl Folder<'_> {
    /// Notes that a meta is refused. Counters wait for a meta that could not be read this time.
    pub(super) fn refuse_meta(&mut self, name: String, hash: Option<MetaHash>, why: WhyRefused) {
        if let WhyRefused::Stuck(reason) = &why {
            self.stuck_metas.push(StuckMeta { name: name.clone(), hash, reason: reason.clone() });
        }
        self.refused.push((name, why));
    }
}

impl FolderReader<'_, '_, '_, '_> {
    /// Finds the meta of counters: in the folder by its hash, else among those that the service left or served before, else
    /// in the folder by the names of the files.
    pub(super) fn meta_for(
        &mut self,
        folder: &mut Folder<'_>,
        tag: &str,
        hash: MetaHash,
    ) -> Result<Option<LoadedMeta>, ReadFault> {
        loop {
            let heads: Vec<(MetaHash, &str)> =
                folder.metas.iter().map(|meta| (meta.hash, meta.tag())).collect();
            let found = find_meta(hash, tag, &heads);
            if found.is_none_or(|index| heads[index].0 != hash)
                && let Some(meta) = self.stored_meta(&folder.names.service, hash)?
            {
                return Ok(Some(meta));
            }
            let Some(index) = found else {
                if self.finds_by_name(folder, hash) {
                    continue;
                }
                let mut stuck = folder.stuck_metas.iter();
                let stuck = stuck.find(|meta| meta.may_be_of(hash, tag));
                return stuck.map_or(Ok(None), |meta| Err(meta.why_counters_wait().into()));
            };
            // A meta that cannot be read is refused, and no longer among those of the folder.
            if let Some(meta) = self.load_meta(folder, index)? {
                return Ok(Some(meta));
            }
        }
    }

    /// Looks for a meta by the name that Go gives it, in a folder with more metas than are looked at; tells whether there is
    /// one. A folder to which processes write each day keeps its metas, and each build leaves another one.
    fn finds_by_name(&self, folder: &mut Folder<'_>, hash: MetaHash) -> bool {
        let name = format!("covmeta.{hash}");
        let is_known = folder.metas.iter().any(|meta| meta.name == name)
            || folder.refused.iter().any(|(refused, _)| *refused == name);
        if !folder.has_more_metas || is_known {
            return false;
        }
        self.read_meta_head(folder, name.clone());
        folder.metas.last().is_some_and(|meta| meta.name == name)
    }

    /// Decodes a meta of a folder. One that cannot be read is refused, and removed from those of the folder.
    pub(super) fn load_meta(&mut self, folder: &mut Folder<'_>, index: usize) -> Result<Option<LoadedMeta>> {
        let name = folder.metas[index].name.clone();
        let source = MetaSource::File(folder.opened.path_of(&name));
        if let Some(known) = self.metas.from(&source) {
            return Ok(Some(known));
        }
        let mut memory = self.reader.run.memory.only_reader();
        let refused = match self.file_reader(folder).read(&name, &mut memory) {
            Ok(Some(data)) => match self.decode(data, source, memory) {
                Ok(meta) => return Ok(Some(meta)),
                Err(ReadFault::Refused(refused)) => Some(refused),
                Err(ReadFault::Own(error)) => return Err(error),
            },
            Ok(None) => None,
            Err(refused) => Some(refused),
        };
        let hash = folder.metas.remove(index).hash;
        if let Some(refused) = refused {
            folder.refuse_meta(name, Some(hash), refused);
        }
        Ok(None)
    }

    /// Returns the only stored meta of this hash that the service left or served; the hash alone proves nothing.
    fn stored_meta(&mut self, service: &str, hash: MetaHash) -> Result<Option<LoadedMeta>, ReadFault> {
        let Some(&entry) = self.cache.entries.get(service) else { return Ok(None) };
        let key = self.reader.fleet.entries[entry].id;
        let source = MetaSource::Stored(key, hash);
        if let Some(known) = self.metas.from(&source) {
            return Ok(Some(known));
        }
        if let Some(reason) = self.metas.stuck.get(&(key, hash)) {
            return Err(WhyRefused::Stuck(reason.clone()).into());
        }
        let mut stored = self.reader.store.metas(key, hash).map_err(anyhow::Error::from)?;
        let (Some((sha256, data)), true) = (stored.pop(), stored.is_empty()) else { return Ok(None) };
        if Fingerprint::for_data(&data) != sha256 {
            return Ok(None);
        }
        let memory = self.reader.run.memory.only_reader();
        match self.decode(data, source, memory) {
            Ok(meta) => Ok(Some(meta)),
            Err(ReadFault::Refused(WhyRefused::Stuck(reason))) => {
                let reason = format!("the stored meta of its program, {hash}, was not read: {reason}");
                self.metas.stuck.insert((key, hash), reason.clone());
                Err(WhyRefused::Stuck(reason).into())
            }
            Err(ReadFault::Refused(_)) => Ok(None),
            Err(error @ ReadFault::Own(_)) => Err(error),
        }
    }

    /// Decodes a meta, unless it is the last one that was decoded.
    fn decode(
        &mut self,
        data: Vec<u8>,
        source: MetaSource,
        mut memory: Reservation,
    ) -> Result<LoadedMeta, ReadFault> {
        if let Some((last_source, last)) = &mut self.metas.last
            && Fingerprint::for_data(&data) == last.known.sha256
        {
            *last_source = source;
            return Ok(last.clone());
        }
        // The last meta is not needed any more, and this one may need its memory.
        self.metas.last = None;
        let meta = Meta::from_bytes(&data, self.reader.limits).map_err(|error| refusal(&error))?;
        // The build, its place table and its template take about as much as the meta, each.
        let bytes = (data.len() + 3 * meta.heap_bytes()) as u64;
        if memory.grow_to(bytes).is_err() {
            // The key of the last counters holds memory, too, and is read again where it is needed.
            self.forget_key();
            memory.grow_to(bytes).map_err(WhyRefused::from)?;
        }
        let known = KnownMeta::new(&meta, &self.reader.run.rules.agent_files);
        drop(meta);
        memory.keep_all();
        let template = Arc::new(Template::for_build(known.build()));
        let structure = self.reader.run.intern(known.build(), Some(&template))?;
        self.reader.carry_out()?;
        let (data, memory) = (Arc::new(data), Arc::new(memory));
        let loaded = LoadedMeta { known, template, structure, data, _memory: memory };
        self.metas.last = Some((source, loaded.clone()));
        Ok(loaded)
    }

    /// Stores a meta for a key, where it is not stored yet, for counters that come without one.
    pub(super) fn learn_meta(&mut self, entry: usize, meta: &LoadedMeta) -> Result<()> {
        let entry = &self.reader.fleet.entries[entry];
        let (key, sha256, hash) = (entry.id, meta.known.sha256, meta.known.hash());
        if self.metas.stored.contains(&(key, sha256)) {
            return Ok(());
        }
        let (store, at) = (self.reader.store, self.reader.run.now);
        let mut changes = Vec::new();
        if !store.has_left_meta(key, &sha256)? {
            if store.has_other_meta(hash, &sha256)? {
                let service = entry.members[0].name.clone();
                self.outcome.twin_metas.push((service, hash.to_string()));
            }
            let (structure, data) = (meta.structure, meta.data.to_vec());
            changes.push(Change::Meta { sha256, hash, structure, data });
        }
        changes.push(Change::MetaLeft { key, sha256, at });
        let mut left_out = meta.known.left_out().peekable();
        if self.reader.run.rules.are_details_read
            && left_out.peek().is_some()
            && !store.is_left_out_told(key, &sha256)?
        {
            let service = &entry.newest_name().name;
            self.outcome.left_out.extend(left_out.map(|file| (service.clone(), file.to_owned())));
            changes.push(Change::LeftOutTold { key, meta: sha256, at });
        }
        self.reader.writer.apply_all(&changes)?;
        self.metas.stored.insert((key, sha256));
        Ok(())
    }
}

impl MetaCache {
    /// Returns the last meta if it was read from this place.
    fn from(&self, source: &MetaSource) -> Option<LoadedMeta> {
        self.last.as_ref().filter(|(last, _)| last == source).map(|(_, meta)| meta.clone())
    }
}
