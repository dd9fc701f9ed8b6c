//! The builds of stored counts after a change of `agent_files`.
//!
//! The files of an agent are left out while its counters are read, so these globs decide which build a program has.
//! After a change of them each life of a known program gets the build that its next answer will have. A process would
//! have another life otherwise, beside the one that has the same counts already.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;

use crate::agent_files::AgentFiles;
use crate::collect::known_meta::KnownMeta;
use crate::collect::run::Adapters;
use crate::collect::store_thread::StopReason;
use crate::fleet::build_group::StructureIds;
use crate::fleet::change::Change;
use crate::fleet::ids::{BuildGroupId, IdSource, KeyId, LifeId, StructureId};
use crate::fleet::snapshot::hex;
use crate::io::store::{LifeOfMeta, Store, StoreError, Writer};
use crate::profile::{
    Build, BuildRelation, Fingerprint, Template, counts_as_of, encode_build, encode_counts,
};

/// Rebuilds the lives of all known programs where the globs are not those of the last run. Returns the keys with lives
/// that go on, whose rows show other files now.
pub(crate) fn follow(
    agent_files: &AgentFiles,
    adapters: Adapters<'_>,
    ids: &IdSource,
) -> Result<BTreeSet<KeyId>> {
    let Adapters { client, signals, locked, store, deadline, now } = adapters;
    let globs = agent_files.to_json();
    let mut keys = BTreeSet::new();
    if store.follows_agent_files(&globs)? {
        return Ok(keys);
    }
    let (metas, mut writer) = (store.structures_of_metas()?, store.writer(locked.proof()));
    if metas.is_empty() {
        // The metas that this run stores follow the globs already.
        writer.apply(&Change::AgentFilesFollowed { globs, at: now })?;
        writer.commit()?;
        return Ok(keys);
    }
    let mut lives = LivesOfMetas::new(store.lives_of_metas()?);
    let mut rebuilding = Rebuilding { store, writer, ids, structures: store.structures()? };
    for (sha256, structure) in metas {
        if StopReason::now(signals, deadline).is_some() {
            return Ok(keys);
        }
        let Some(data) = store.meta_data(&sha256)? else { continue };
        // A damaged meta is not used, and its agent is asked for it again.
        let known = KnownMeta::from_stored(&data, sha256, client.limits(), agent_files);
        let Some(known) = known else { continue };
        drop(data);
        let lives = lives.take(&sha256, structure);
        keys.extend(rebuilding.rebuild(&known, structure, &lives)?);
    }
    rebuilding.writer.apply(&Change::AgentFilesFollowed { globs, at: now })?;
    rebuilding.writer.commit()?;
    Ok(keys)
}

/// Lives by their metas; those that name none by their structures.
struct LivesOfMetas {
    /// By SHA-256 of the meta, in hex digits.
    told: HashMap<String, Vec<LifeOfMeta>>,
    untold: HashMap<StructureId, Vec<LifeOfMeta>>,
}

impl LivesOfMetas {
    fn new(lives: Vec<LifeOfMeta>) -> Self {
        let (mut told, mut untold) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for life in lives {
            match &life.meta {
                Some(sha256) => told.entry(sha256.clone()).or_default().push(life),
                None => untold.entry(life.structure).or_default().push(life),
            }
        }
        Self { told, untold }
    }

    /// Takes the lives of a meta, of which those with one build group and structure follow each other.
    fn take(&mut self, sha256: &Fingerprint, structure: StructureId) -> Vec<LifeOfMeta> {
        let mut lives = self.told.remove(&hex(sha256.as_bytes())).unwrap_or_default();
        lives.extend(self.untold.remove(&structure).unwrap_or_default());
        lives.sort_by_key(|life| (life.build_group, life.structure, life.id));
        lives
    }
}

struct Rebuilding<'a> {
    store: &'a Store,
    writer: Writer<'a>,
    ids: &'a IdSource,
    structures: StructureIds,
}

impl Rebuilding<'_> {
    /// Gives a meta and its lives the build that it has now; returns the keys whose lives go on in it.
    fn rebuild(
        &mut self,
        known: &KnownMeta,
        structure: StructureId,
        lives: &[LifeOfMeta],
    ) -> Result<Vec<KeyId>> {
        let now = self.structures.get(&known.build().fingerprint()).copied();
        if now == Some(structure) && lives.iter().all(|life| life.structure == structure) {
            return Ok(Vec::new());
        }
        let now = match now {
            Some(now) => now,
            None => self.add_structure(known)?,
        };
        self.writer.apply(&Change::MetaRebuilt { sha256: known.sha256, structure: now })?;
        let mut keys = Vec::new();
        for alike in lives.chunk_by(|a, b| (a.build_group, a.structure) == (b.build_group, b.structure)) {
            if alike[0].structure == now {
                continue;
            }
            match self.rebuild_lives(known, now, alike) {
                Ok(()) => keys.extend(alike.iter().filter(|life| life.is_open).map(|life| life.key)),
                // The lives of a build that cannot be read stay as they are.
                Err(error) if error.is_of_one_value() => {
                    self.store.note_damage(alike[0].build_group, &error)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        for &key in &keys {
            self.writer.apply(&Change::Unfinished(key))?;
        }
        self.writer.commit()?;
        Ok(keys)
    }

    fn add_structure(&mut self, known: &KnownMeta) -> Result<StructureId, StoreError> {
        let (id, fingerprint) = (self.ids.structure(), known.build().fingerprint());
        let data = encode_build(&Template::for_build(known.build()));
        self.writer.apply(&Change::Structure { id, fingerprint, data })?;
        self.structures.insert(fingerprint, id);
        Ok(id)
    }

    /// Moves lives of one build group and structure to the build of their meta. They stay where they are if that build
    /// contradicts another one of their build group.
    fn rebuild_lives(
        &mut self,
        known: &KnownMeta,
        now: StructureId,
        lives: &[LifeOfMeta],
    ) -> Result<(), StoreError> {
        let &LifeOfMeta { key, build_group, structure, .. } = &lives[0];
        let template = self.store.structure(structure)?;
        let (from, to) = (template.build(), known.build());
        let whole = known.whole_build();
        let is_part =
            from.files().all(|file| whole.find(file.name).is_some_and(|of| of.blocks == file.blocks));
        if !is_part || !self.has_room(to, key, [structure, now], build_group)? {
            return Ok(());
        }
        for life in lives {
            match self.rebuild_life(life.id, now, from, to) {
                // Counts that cannot be read stay as they are.
                Err(error) if error.is_of_one_value() => self.store.note_damage(build_group, &error)?,
                rebuilt => rebuilt?,
            }
        }
        Ok(())
    }

    fn rebuild_life(
        &mut self,
        id: LifeId,
        structure: StructureId,
        from: &Build,
        to: &Build,
    ) -> Result<(), StoreError> {
        let (store, blocks) = (self.store, from.blocks().len());
        let as_of = |counts: Vec<u64>| encode_counts(&counts_as_of(&counts, from, to));
        let Some(counts) = store.counts(id, blocks)?.map(as_of) else { return Ok(()) };
        let (left, settled) = (store.left_counts(id, blocks)?, store.settled_counts(id, blocks)?);
        let (left, settled) = (left.map(as_of), settled.map(as_of));
        self.writer.apply(&Change::LifeRebuilt { id, structure, counts, left, settled })
    }

    /// Tells whether a build contradicts no other one of a build group.
    fn has_room(
        &self,
        build: &Build,
        key: KeyId,
        besides: [StructureId; 2],
        build_group: BuildGroupId,
    ) -> Result<bool, StoreError> {
        let groups = self.store.build_groups(key)?;
        let group = groups.into_iter().find(|group| group.id == build_group);
        for (structure, _) in group.into_iter().flat_map(|group| group.structures) {
            if !besides.contains(&structure) {
                let other = self.store.structure(structure)?;
                if matches!(build.relation(other.build()), BuildRelation::Conflicts { .. }) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
