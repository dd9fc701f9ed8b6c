//! The reading of a profile that a user names: a text of `go test -coverprofile`, or a folder of covmeta and covcounters.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::io::workdir::{names_outside, open_outside, read_small_outside};
use crate::names::in_message;
use crate::profile::gocover::{CounterFile, DataFileName, DataHeader, Meta, MetaBuild, MetaHash, find_meta};
use crate::profile::{Build, Limits, MAX_COUNT, Profile, ProfileSum, read_file};

/// Reads the profile at a path.
pub(super) fn read_profile(path: &Path, limits: Limits) -> Result<Profile> {
    let profile = match names_outside(path)? {
        Some(names) => read_folder(path, &names, limits),
        None => read_text(path, limits),
    };
    let profile = profile.with_context(|| format!("\"{}\"", in_message(&path.display().to_string())))?;
    Ok(profile.at_distinct_places())
}

fn read_text(path: &Path, limits: Limits) -> Result<Profile> {
    /// A profile of `go test -coverpkg` has each block once for each tested package.
    const MIN_LIMIT: u64 = 1 << 30;
    let limits = Limits { max_bytes: limits.max_bytes.max(MIN_LIMIT), ..limits };
    let file = open_outside(path)?;
    read_file(file, limits).map_err(|error| {
        anyhow!("{error}; this reads a profile of go test -coverprofile, or a folder with covmeta and covcounters files")
    })
}

/// A meta file of a folder.
struct FolderMeta<'n> {
    name: &'n str,
    tag: &'n str,
    hash: MetaHash,
}

/// Adds up what all programs counted that left their data in a folder.
fn read_folder(folder: &Path, names: &[String], limits: Limits) -> Result<Profile> {
    let mut metas = Vec::new();
    let mut counters = Vec::new();
    for name in names {
        match DataFileName::parse(name) {
            Some(DataFileName::Meta { tag }) => {
                let hash = match read_data(folder, name, limits, DataHeader::from_bytes)? {
                    DataHeader::Meta(header) => header.hash,
                    DataHeader::Counters(_) => bail!("\"{}\" has covcounters data", in_message(name)),
                };
                metas.push(FolderMeta { name, tag, hash });
            }
            Some(DataFileName::Counters { tag, .. }) => counters.push((name.as_str(), tag)),
            Some(DataFileName::Unfinished) | None => {}
        }
    }
    if metas.is_empty() {
        let lack = if counters.is_empty() { "covmeta and covcounters files" } else { "covmeta file" };
        bail!(
            "the folder has no {lack}; a program of go build -cover writes them where GOCOVERDIR says, go test -cover \
               where -test.gocoverdir does"
        );
    }
    let heads: Vec<(MetaHash, &str)> = metas.iter().map(|meta| (meta.hash, meta.tag)).collect();
    let mut by_meta: BTreeMap<usize, Vec<&str>> = (0..metas.len()).map(|index| (index, Vec::new())).collect();
    for (name, tag) in counters {
        let hash =
            read_data(folder, name, limits, |bytes| CounterFile::from_bytes(bytes).map(|file| file.hash()))?;
        let meta = find_meta(hash, tag, &heads)
            .ok_or_else(|| anyhow!("the covmeta file of \"{}\" is not there", in_message(name)))?;
        by_meta.entry(meta).or_default().push(name);
    }
    let mut sum = ProfileSum::new(Arc::new(Build::empty()));
    for (index, counters) in by_meta {
        let name = metas[index].name;
        let meta = read_data(folder, name, limits, |bytes| Meta::from_bytes(bytes, limits))?;
        let meta = MetaBuild::from_meta(&meta);
        let counts = added_counts(folder, &counters, &meta, limits)?;
        sum.add(meta.mode(), meta.build(), &counts).map_err(|conflict| {
            anyhow!("the folder has data of builds that contradict each other: {conflict}; give a folder of one build")
        })?;
    }
    Ok(sum.into_profile())
}

/// Returns the sum of the counters of a meta.
fn added_counts(folder: &Path, counters: &[&str], meta: &MetaBuild, limits: Limits) -> Result<Vec<u64>> {
    let mut sum = vec![0_u64; meta.build().blocks().len()];
    let mut counts = Vec::new();
    for name in counters {
        read_data(folder, name, limits, |bytes| {
            CounterFile::from_bytes(bytes).and_then(|file| meta.counts_into(&file, &mut counts))
        })?;
        for (sum, count) in sum.iter_mut().zip(&counts) {
            *sum = sum.saturating_add(*count).min(MAX_COUNT);
        }
    }
    Ok(sum)
}

/// Reads a file of a folder and takes something from it; an error names the file.
fn read_data<T, E: std::error::Error + Send + Sync + 'static>(
    folder: &Path,
    name: &str,
    limits: Limits,
    take: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T> {
    let bytes = read_small_outside(&folder.join(name), limits.max_bytes)?.ok_or_else(|| {
        anyhow!("\"{}\" has more than {} bytes ([pull] max_body)", in_message(name), limits.max_bytes)
    })?;
    take(&bytes).with_context(|| format!("\"{}\"", in_message(name)))
}
