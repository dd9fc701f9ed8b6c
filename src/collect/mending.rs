//! The repair of stored profiles that are missing or damaged. Those of latest rows are written again from the counters
//! in the database.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};

use crate::collect::fault::FaultScope;
use crate::fleet::change::Change;
use crate::fleet::ids::{BuildGroupId, KeyId, StructureId};
use crate::fleet::row::{LatestFile, Row};
use crate::io::store::{Store, StoreError};
use crate::io::workdir::{LockedWorkdir, Workdir};
use crate::profile::{
    self, Limits, ParseError, Profile, ProfileSum, ReadError, Template, counts_digest, covered_digest,
};

/// The depth to which stored profiles are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckDepth {
    /// Only sizes are compared.
    Size,
    /// Every file is read and compared.
    Content,
}

/// A stored profile that was found missing or damaged.
#[derive(Clone, Debug)]
pub(crate) struct FaultyFile {
    /// A name of its key.
    pub(crate) service: String,
    /// Path relative to the root.
    pub(crate) path: String,
    pub(crate) repair: Repair,
}

/// The result of the attempt to repair a stored profile. `fault` is a clause such as "is missing".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Repair {
    /// The file was written again from the database.
    Rewritten { fault: String },
    /// The counters in the database are newer than the row, so the next pull stores a new row.
    RowIsBehind { fault: String },
    /// The file could not be written.
    Failed { fault: String, error: String },
    /// The file could not be read this time.
    Unreadable { error: String },
}

/// The result of checking the stored profiles.
#[derive(Debug, Default)]
pub(crate) struct MendingOutcome {
    /// Faulty files in the order of the rows.
    pub(crate) faulty: Vec<FaultyFile>,
    /// The error that ends the run after the faulty files are reported. Then other files were not checked, or nothing
    /// more can be stored.
    pub(crate) stopped_by: Option<anyhow::Error>,
}

impl MendingOutcome {
    /// Returns the paths of files that were written again.
    pub(crate) fn rewritten(&self) -> Vec<String> {
        self.paths(|repair| matches!(repair, Repair::Rewritten { .. }))
    }

    /// Returns the paths of files that could not be written again.
    pub(crate) fn lost(&self) -> Vec<String> {
        self.paths(|repair| !matches!(repair, Repair::Rewritten { .. }))
    }

    fn paths(&self, is_wanted: impl Fn(&Repair) -> bool) -> Vec<String> {
        let wanted = self.faulty.iter().filter(|file| is_wanted(&file.repair));
        wanted.map(|file| file.path.clone()).collect()
    }
}

/// Checks the profile of every latest row until `is_over` or an error, and writes missing or damaged ones again.
pub(crate) fn mend(
    store: &Store,
    locked: &LockedWorkdir,
    depth: CheckDepth,
    is_over: impl Fn() -> bool,
    mut apply: impl FnMut(&Change) -> Result<(), StoreError>,
) -> MendingOutcome {
    let mut faulty = Vec::new();
    let mut look = || -> Result<()> {
        for file in store.latest_files()? {
            if is_over() {
                break;
            }
            if let Some(repair) = check(&file, store, locked, depth, &mut apply)? {
                faulty.push(FaultyFile { service: file.service, path: file.path, repair });
            }
        }
        Ok(())
    };
    let stopped_by = look().err();
    MendingOutcome { faulty, stopped_by }
}

/// Checks a file, and writes it again if it is missing or damaged; `None` for a sound file.
fn check(
    file: &LatestFile,
    store: &Store,
    locked: &LockedWorkdir,
    depth: CheckDepth,
    apply: &mut impl FnMut(&Change) -> Result<(), StoreError>,
) -> Result<Option<Repair>> {
    match condition(file, locked.workdir(), depth) {
        Ok(FileCondition::Sound { bytes }) => {
            if depth == CheckDepth::Content && file.bytes.is_none() {
                // An earlier release stored no size. The size is stored now, so that later checks can compare it.
                apply(&Change::FileWritten { row: file.row, counts_digest: file.counts_digest, bytes })?;
            }
            Ok(None)
        }
        Ok(FileCondition::Faulty(fault)) => repair(file, fault, store, locked, apply).map(Some),
        Err(error) => Ok(Some(Repair::Unreadable { error: format!("{error:#}") })),
    }
}

/// Tries to write a file again. Returns an error only if no other file could be written either.
fn repair(
    file: &LatestFile,
    fault: String,
    store: &Store,
    locked: &LockedWorkdir,
    apply: &mut impl FnMut(&Change) -> Result<(), StoreError>,
) -> Result<Repair> {
    match write_again(file, store, locked) {
        Ok(Some(change)) => {
            apply(&change)?;
            Ok(Repair::Rewritten { fault })
        }
        Ok(None) => {
            apply(&Change::Unfinished(file.key))?;
            Ok(Repair::RowIsBehind { fault })
        }
        Err(error) if FaultScope::from_error(&error) == FaultScope::Service => {
            Ok(Repair::Failed { fault, error: format!("{error:#}") })
        }
        Err(error) => Err(error),
    }
}

/// A stored profile, with a warning if it was not read from its file.
pub(crate) struct StoredProfile {
    pub(crate) profile: Profile,
    pub(crate) warning: Option<String>,
}

impl StoredProfile {
    fn from_file(profile: Profile) -> Self {
        Self { profile: profile.at_distinct_places(), warning: None }
    }
}

/// Returns the profile of a row from its file. If the file is missing or damaged, the profile of a latest row comes
/// from the counters in the database.
pub(crate) fn stored_profile(row: &Row, workdir: &Workdir) -> Result<StoredProfile> {
    let read = read(&row.cov_file_path, workdir);
    let Some(stats) = &row.stats else { return read.map(StoredProfile::from_file) };
    let fault = match read {
        // The file may come from an earlier release, which wrote two blocks at one place.
        Ok(profile) if counts_digest(&profile) == stats.counts_digest => {
            return Ok(StoredProfile::from_file(profile));
        }
        Ok(_) => {
            let path = workdir.stored(&row.cov_file_path);
            anyhow!("{:?} does not have the stored contents", path.display())
        }
        Err(error) => error,
    };
    if !row.is_latest {
        return Err(fault);
    }
    match present_counts(row, workdir)?.filter(|profile| has_covered_set_of(row, profile)) {
        Some(profile) => {
            let warning = format!(
                "{fault:#}; this report is made from the database, goc-watchdog prune writes the file again"
            );
            Ok(StoredProfile { profile, warning: Some(warning) })
        }
        None => Err(fault),
    }
}

/// Returns a profile with the blocks of a row that were executed, whose counts may be other ones. It comes from the counters
/// in the database if they are still those of the row, because its file takes longer to read.
pub(crate) fn executed_blocks(row: &Row, workdir: &Workdir) -> Result<StoredProfile> {
    let present = if row.is_latest { present_counts(row, workdir).ok().flatten() } else { None };
    match present.filter(|profile| has_covered_set_of(row, profile)) {
        Some(profile) => Ok(StoredProfile { profile, warning: None }),
        None => stored_profile(row, workdir),
    }
}

/// Tells whether a profile has the covered set of a row.
fn has_covered_set_of(row: &Row, profile: &Profile) -> bool {
    let covered = covered_digest(&profile.build, &profile.counts);
    row.stats.as_ref().is_some_and(|stats| covered == stats.covered_digest)
}

/// Returns the present counts of the build group that a row shows, which may be ahead of the row; `None` if the database does
/// not have them any more.
pub(crate) fn present_counts(row: &Row, workdir: &Workdir) -> Result<Option<Profile>> {
    let Some(stats) = &row.stats else { return Ok(None) };
    let store = Store::open_read_only(&workdir.database())?;
    let Some(key) = store.key_id(&row.key)? else { return Ok(None) };
    Ok(rebuilt(&store, key, stats.build_group).ok())
}

/// The state of a stored profile.
enum FileCondition {
    /// The file is unchanged.
    Sound { bytes: u64 },
    /// The file is missing or damaged; the text is a clause.
    Faulty(String),
}

fn condition(file: &LatestFile, workdir: &Workdir, depth: CheckDepth) -> Result<FileCondition> {
    let Some(bytes) = workdir.size(&file.path)? else {
        return Ok(FileCondition::Faulty("is missing".to_owned()));
    };
    if let Some(written) = file.bytes.filter(|written| *written != bytes) {
        return Ok(FileCondition::Faulty(format!("has {bytes} bytes, {written} were written")));
    }
    if depth == CheckDepth::Size {
        return Ok(FileCondition::Sound { bytes });
    }
    match read(&file.path, workdir) {
        Ok(profile) if counts_digest(&profile) == file.counts_digest => Ok(FileCondition::Sound { bytes }),
        Ok(_) => Ok(FileCondition::Faulty("does not have the stored contents".to_owned())),
        Err(error) if error.chain().any(|cause| cause.downcast_ref::<ParseError>().is_some()) => {
            Ok(FileCondition::Faulty("is not a profile any more".to_owned()))
        }
        Err(error) => Err(error),
    }
}

fn read(path: &str, workdir: &Workdir) -> Result<Profile> {
    // The limits of answers do not apply. The answers were checked when they were taken in, and a merged profile may be
    // larger.
    let limits = Limits::of_lines();
    let file = workdir.open_stored(path)?;
    let read = profile::read(file, limits, &[]).map_err(|error| match error {
        ReadError::Parse(error) => anyhow!(error),
        ReadError::Io(error) => anyhow!(error),
        ReadError::Memory(error) => anyhow!(error),
    });
    Ok(read.with_context(|| format!("{:?}", workdir.stored(path).display()))?.0)
}

/// Writes the profile of a latest row from the counters in the database; returns the change for the database. Returns
/// `None` if the counters cover more than the row.
fn write_again(file: &LatestFile, store: &Store, locked: &LockedWorkdir) -> Result<Option<Change>> {
    let profile = rebuilt(store, file.key, file.build_group)?;
    if covered_digest(&profile.build, &profile.counts) != file.covered_digest {
        return Ok(None);
    }
    let mut bytes = 0;
    locked.store(&file.path, |out| {
        profile::write(profile.mode, &profile.build, &profile.counts, out)?;
        bytes = written(out)?;
        Ok(())
    })?;
    Ok(Some(Change::FileWritten { row: file.row, counts_digest: counts_digest(&profile), bytes }))
}

/// Flushes a file and returns its length.
pub(crate) fn written(out: &mut BufWriter<File>) -> io::Result<u64> {
    out.flush()?;
    Ok(out.get_ref().metadata()?.len())
}

/// Returns the sum of the stored counters of a build group, as they were when its service was last decided.
fn rebuilt(store: &Store, key: KeyId, build_group: BuildGroupId) -> Result<Profile> {
    let mut templates: HashMap<StructureId, Template> = HashMap::new();
    let mut sum: Option<ProfileSum> = None;
    for known in store.lives(key)?.iter().filter(|known| known.build_group == build_group) {
        let template = match templates.entry(known.structure) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(store.structure(known.structure)?),
        };
        let build = template.build();
        let Some(counts) = store.settled_counts(known.id, build.blocks().len())? else { continue };
        sum.get_or_insert_with(|| ProfileSum::new(Arc::clone(build))).add(known.mode, build, &counts)?;
    }
    Ok(sum.context("the database has no counters of it")?.into_profile().at_distinct_places())
}
