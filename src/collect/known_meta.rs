//! Metas of programs, made ready for the counters that come without them.

use std::sync::Arc;

use crate::agent_files::AgentFiles;
use crate::fleet::targets::ProgramName;
use crate::profile::gocover::{CounterFile, DataError, Meta, MetaBuild, MetaHash};
use crate::profile::{Build, Fingerprint, Hit, HitCounts, Limits, Mode, PartOfBuild, Profile};

/// A meta that a service served.
#[derive(Clone)]
pub(crate) struct KnownMeta {
    pub(crate) sha256: Fingerprint,
    build: Arc<MetaBuild>,
    /// The build without the files of agents, if it has such files.
    part: Option<Arc<PartOfBuild>>,
    /// Import path of its package `main`.
    main_package: Option<Arc<str>>,
}

impl KnownMeta {
    /// Sorts the blocks of a meta.
    pub(crate) fn new(meta: &Meta, agent_files: &AgentFiles) -> Self {
        let build = Arc::new(MetaBuild::from_meta(meta));
        let part = PartOfBuild::new(build.build(), |name| agent_files.fits(name)).map(Arc::new);
        let main_package = meta.main_package().map(Arc::from);
        Self { sha256: meta.sha256(), build, part, main_package }
    }

    /// Reads a stored meta; `None` where its bytes are damaged or those of another meta.
    pub(crate) fn from_stored(
        data: &[u8],
        sha256: Fingerprint,
        limits: Limits,
        agent_files: &AgentFiles,
    ) -> Option<Self> {
        let meta = Meta::from_bytes(data, limits).ok()?;
        (meta.sha256() == sha256).then(|| Self::new(&meta, agent_files))
    }

    /// Returns about how many bytes it holds.
    pub(crate) fn heap_bytes(&self) -> u64 {
        self.build.heap_bytes() as u64
    }

    /// Returns the hash by which counters name it.
    pub(crate) fn hash(&self) -> MetaHash {
        self.build.hash()
    }

    /// Returns the build, without the files of agents.
    pub(crate) fn build(&self) -> &Arc<Build> {
        self.part.as_ref().map_or(self.build.build(), |part| part.build())
    }

    /// Returns the build with the files of agents.
    pub(crate) fn whole_build(&self) -> &Build {
        self.build.build()
    }

    /// Returns the number of blocks that counters of it have, those of agents among them.
    pub(crate) fn counted_blocks(&self) -> usize {
        self.build.build().blocks().len()
    }

    /// Returns the program, of which an agent tells the name of the binary.
    pub(crate) fn program(&self, binary: Option<&str>) -> Option<ProgramName> {
        ProgramName::new(self.main_package.as_deref(), binary)
    }

    /// Returns the files that are left out.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = &str> {
        let files = self.part.as_ref().map(|_| self.build.build().files());
        let names = files.into_iter().flatten().map(|file| file.name);
        names.filter(|name| self.build().find(name).is_none())
    }

    /// Returns how the program counts.
    pub(crate) fn mode(&self) -> Mode {
        self.build.mode()
    }

    /// Returns the profile of counters of this meta.
    pub(crate) fn profile(&self, file: &CounterFile<'_>) -> Result<Profile, DataError> {
        self.profile_and_hits(file).map(|(profile, _)| profile)
    }

    /// Returns the profile of counters of this meta, and [`CounterFile::hits`].
    pub(crate) fn profile_and_hits(&self, file: &CounterFile<'_>) -> Result<(Profile, u64), DataError> {
        let mut counts = Vec::new();
        let hits = self.build.counts_into(file, &mut counts)?;
        if let Some(part) = &self.part {
            counts = part.counts(&counts);
        }
        Ok((Profile { mode: self.mode(), build: Arc::clone(self.build()), counts }, hits))
    }

    /// Returns the counters of this meta that are above zero, which are decoded into a buffer, and [`CounterFile::hits`];
    /// `None` where only a whole profile can have them.
    pub(crate) fn hit_counts(
        &self,
        file: &CounterFile<'_>,
        buffer: Vec<Hit>,
    ) -> Result<Option<(HitCounts, u64)>, DataError> {
        let mut found = self.build.hit_counts(file, buffer)?;
        if let (Some((counts, _)), Some(part)) = (&mut found, &self.part) {
            part.leave(counts);
        }
        Ok(found)
    }
}
