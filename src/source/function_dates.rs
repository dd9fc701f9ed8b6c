//! The dating of functions: the rows of an app tell when each function of their commits was executed last.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::{RepositoryCommit, SourceReader, SourceTree};
use crate::carry::{DatedUntil, DigestedText, FunctionDigest, PlaceDates, carriable, executed_since};
use crate::code::gosrc::{DeclaredFunctions, parent};
use crate::fleet::row::Row;
use crate::io::git::ObjectId;
use crate::profile::{BuildFile, Mode, Profile};

/// The texts whose functions are known. Commits have most texts in common.
#[derive(Default)]
pub(crate) struct DigestedTexts {
    /// By the folder of a file and its text; `None`: it is no Go file.
    known: HashMap<(String, ObjectId), Option<Arc<DigestedText>>>,
}

/// A function of a profile, with its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DatedFunction {
    pub(crate) digest: FunctionDigest,
    /// Name of its file in the profile.
    pub(crate) file: String,
    /// Line and column at which it begins.
    pub(crate) start: (u32, u32),
    /// Its blocks among those of the profile.
    pub(crate) blocks: Range<usize>,
}

/// Access to the rows of an app, and what they tell.
pub(crate) struct DatedRows<'a> {
    /// The rows of the app in an environment and region that have a profile, the newest last.
    pub(crate) rows: Vec<&'a Row>,
    /// Returns the time of the last pull that found the counts of a latest row.
    pub(crate) last_pull: &'a dyn Fn(&Row) -> Option<DateTime<Utc>>,
    pub(crate) read: &'a dyn Fn(&Row) -> Result<Profile>,
}

impl SourceReader<'_> {
    /// Adds to the dates of a place what its rows tell that were not read before, and returns the commits that the clone
    /// lacks, of whose functions nothing is known. A row that cannot be read is named, and tells nothing. A signal ends the
    /// search early. `here` is a commit of the clone whose tree is known.
    pub(crate) fn date_functions(
        &self,
        here: (&RepositoryCommit, &SourceTree),
        texts: &mut DigestedTexts,
        dates: &mut PlaceDates,
        of_place: &DatedRows<'_>,
    ) -> Vec<String> {
        let mut by_commit: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in of_place.rows.iter().filter(|row| !row.key.commit.is_empty()) {
            by_commit.entry(&row.key.commit).or_default().push(row);
        }
        let mut lacking = Vec::new();
        for (commit, rows) in by_commit {
            if self.settings.signals.received().is_some() {
                break;
            }
            let until = dates.commits.get(commit).copied();
            let new = rows_to_read(&rows, until, of_place.last_pull);
            if new.is_empty() {
                continue;
            }
            let Ok(object) = here.0.repository.commit(commit) else {
                lacking.push(commit.to_owned());
                continue;
            };
            let (repository, network) = (here.0.repository.clone(), here.0.network.clone());
            let at = RepositoryCommit { repository, network, commit: object };
            let before = until.and_then(|until| rows.iter().find(|row| row.id.0 == until.row)).copied();
            if let Err(error) = self.date_commit(here, &at, texts, dates, (before, &new), of_place) {
                self.warn(format!("what commit {commit} executed is not dated: {error:#}"));
            }
        }
        lacking
    }

    /// Adds what new rows of a commit tell. `before` is the last row that was read earlier.
    fn date_commit(
        &self,
        here: (&RepositoryCommit, &SourceTree),
        at: &RepositoryCommit,
        texts: &mut DigestedTexts,
        dates: &mut PlaceDates,
        (before, new): (Option<&Row>, &[&Row]),
        of_place: &DatedRows<'_>,
    ) -> Result<()> {
        let mut before = match before {
            Some(row) if new.iter().all(|new| new.id != row.id) => Some((of_place.read)(row)?),
            _ => None,
        };
        let (tree, _) = self.other_tree(here, at)?;
        let mut functions: Option<(Arc<_>, Vec<DatedFunction>)> = None;
        for row in new {
            let profile = match (of_place.read)(row) {
                Ok(profile) => profile,
                Err(error) => {
                    self.warn(format!("row {} tells nothing: {error:#}", row.id.0));
                    continue;
                }
            };
            let told_at = match profile.mode {
                Mode::Set => told_until(row, of_place.last_pull),
                Mode::Count | Mode::Atomic => row.created_at,
            };
            let known = functions.take().filter(|(build, _)| Arc::ptr_eq(build, &profile.build));
            let (build, of_build) = match known {
                Some(known) => known,
                None => (Arc::clone(&profile.build), self.dated_functions((at, &tree), &profile, texts)?),
            };
            let counts = executed_since(before.as_ref(), &profile);
            for DatedFunction { digest, blocks, .. } in &of_build {
                let is_executed = counts[blocks.clone()].iter().any(|count| *count > 0);
                dates.note(*digest, (row.id.0, told_at), is_executed);
            }
            let until = DatedUntil { row: row.id.0, at: told_until(row, of_place.last_pull) };
            dates.commits.insert(row.key.commit.clone(), until);
            functions = Some((build, of_build));
            before = Some(profile);
        }
        Ok(())
    }

    /// Returns the functions of a profile at its commit that have blocks and a name of their own. Files without source have
    /// none.
    pub(crate) fn dated_functions(
        &self,
        (at, tree): (&RepositoryCommit, &SourceTree),
        profile: &Profile,
        texts: &mut DigestedTexts,
    ) -> Result<Vec<DatedFunction>> {
        let files: Vec<BuildFile<'_>> = profile.build.files().collect();
        let (paths, _) = self.resolved(&files, tree);
        let found: Vec<(BuildFile<'_>, (String, ObjectId))> = files
            .into_iter()
            .zip(paths)
            .filter_map(|(file, path)| {
                let path = path?;
                let blob = tree.files.blob(&path)?.clone();
                Some((file, (parent(&path).to_owned(), blob)))
            })
            .collect();
        self.digest(at, found.iter().map(|(_, text)| text), texts)?;
        let functions =
            found.iter().filter_map(|(file, text)| Some((file, texts.known.get(text)?.as_ref()?)));
        let functions = functions.flat_map(|(file, text)| {
            carriable(&text.functions, file.blocks).into_iter().map(|function| {
                let (digest, blocks) = text.dated(&function);
                let blocks = file.range.0 + blocks.start..file.range.0 + blocks.end;
                let start = text.functions[function.function].start;
                DatedFunction { digest, file: file.name.to_owned(), start, blocks }
            })
        });
        Ok(functions.collect())
    }

    /// Reads the functions of texts that are not known yet, each with its folder.
    fn digest<'t>(
        &self,
        at: &RepositoryCommit,
        wanted: impl Iterator<Item = &'t (String, ObjectId)>,
        texts: &mut DigestedTexts,
    ) -> Result<()> {
        let mut new: Vec<&(String, ObjectId)> =
            wanted.filter(|text| !texts.known.contains_key(*text)).collect();
        new.sort_unstable();
        new.dedup();
        let blobs: Vec<ObjectId> = new.iter().map(|(_, blob)| blob.clone()).collect();
        self.fetched_all(at, &blobs)?;
        let read = at.repository.blobs(&blobs, |index, content| {
            let declared = DeclaredFunctions::of(content.text()?).ok()?;
            Some(Arc::new(DigestedText::new(&declared, &new[index].0)))
        })?;
        texts.known.extend(new.into_iter().cloned().zip(read));
        Ok(())
    }
}

/// Returns the time until which a row tells what was executed: that of the last pull that found the same counts, or that at
/// which it was stored.
fn told_until(row: &Row, last_pull: &dyn Fn(&Row) -> Option<DateTime<Utc>>) -> DateTime<Utc> {
    let pulled = last_pull(row).filter(|_| row.is_latest);
    pulled.map_or(row.created_at, |pulled| pulled.max(row.created_at))
}

/// Returns the rows of a commit that tell more than those until which it is dated: those that were stored later; without
/// one the latest row, if a later pull found the same counts.
fn rows_to_read<'r>(
    rows: &[&'r Row],
    until: Option<DatedUntil>,
    last_pull: &dyn Fn(&Row) -> Option<DateTime<Utc>>,
) -> Vec<&'r Row> {
    let Some(until) = until else { return rows.to_vec() };
    let later: Vec<&Row> = rows.iter().copied().filter(|row| row.id.0 > until.row).collect();
    let known = rows.iter().copied().filter(|row| row.id.0 == until.row);
    match later.is_empty() {
        true => known.filter(|row| told_until(row, last_pull).timestamp() > until.at.timestamp()).collect(),
        false => later,
    }
}
