//! The dating of functions: the rows of an app tell when each function of their commits was executed last.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::{RepositoryCommit, SourceReader, SourceTree};
use crate::carry::{DatedUntil, DigestedText, FunctionDigest, PlaceDates, carriable, executed_since};
use crate::code::gosrc::{DeclaredFunctions, parent};
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::records::Key;
use crate::fleet::row::Row;
use crate::io::git::ObjectId;
use crate::io::store::Store;
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

/// The rows of an app in an environment and region, and access to what they tell.
pub(crate) struct DatedRows<'a> {
    /// The rows that have a profile, the newest last.
    pub(crate) rows: Vec<&'a Row>,
    /// The keys with their schedules.
    pub(crate) entries: &'a [KeyEntry],
    pub(crate) store: &'a Store,
    /// Reads the profile of a row.
    pub(crate) profile: &'a dyn Fn(&Row) -> Result<Profile>,
    /// Reads the present counts of the build that a row shows, which may be ahead of its profile; `None` if they are not
    /// stored any more.
    pub(crate) present: &'a dyn Fn(&Row) -> Result<Option<Profile>>,
}

/// A commit of whose executions nothing is known, or not all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnknownCommit {
    pub(crate) commit: String,
    /// The reason as a clause.
    pub(crate) why: String,
}

impl DatedRows<'_> {
    /// Returns the time until which a row tells what was executed: for a latest row that at which counters of its commit were
    /// read last, else that at which it was stored.
    fn told_until(&self, row: &Row) -> Result<DateTime<Utc>> {
        if !row.is_latest {
            return Ok(row.created_at);
        }
        let entry = self.entries.iter().find(|entry| entry.key == row.key);
        let last_pull = entry.and_then(|entry| entry.schedule.schedule.last_pull);
        let read_at = last_pull.max(self.store.counters_read_at(&row.key)?);
        Ok(read_at.map_or(row.created_at, |at| at.max(row.created_at)))
    }
}

/// The state of a row that was read.
struct DatedState<'r> {
    row: &'r Row,
    profile: Profile,
    functions: Arc<[DatedFunction]>,
}

impl DatedState<'_> {
    /// Returns the profile if it is of the build that another row shows, so that counts of both can be compared.
    fn of_build(&self, other: &Row) -> Option<&Profile> {
        let group = |row: &Row| row.stats.as_ref().map(|stats| stats.build_group);
        (group(self.row).is_some() && group(self.row) == group(other)).then_some(&self.profile)
    }

    /// Notes which functions have a count, as executed by a time.
    fn note(&self, counts: &[u64], at: DateTime<Utc>, dates: &mut PlaceDates) {
        for DatedFunction { digest, blocks, .. } in &*self.functions {
            let is_executed = counts[blocks.clone()].iter().any(|count| *count > 0);
            dates.note(*digest, (self.row.id.0, self.row.created_at), is_executed.then_some(at));
        }
    }
}

impl SourceReader<'_> {
    /// Adds to the dates of a place what its rows tell that were not read before, and returns the commits of which not all is
    /// known. A signal ends the search early. `here` is a commit of the clone whose tree is known.
    pub(crate) fn date_functions(
        &self,
        here: (&RepositoryCommit, &SourceTree),
        texts: &mut DigestedTexts,
        dates: &mut PlaceDates,
        of_place: &DatedRows<'_>,
    ) -> Vec<UnknownCommit> {
        let mut by_commit: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in of_place.rows.iter().filter(|row| !row.key.commit.is_empty()) {
            by_commit.entry(&row.key.commit).or_default().push(row);
        }
        let mut unknown = Vec::new();
        for (commit, rows) in by_commit {
            if self.settings.signals.received().is_some() {
                break;
            }
            let Some(last) = rows.last() else { continue };
            let mut lacks = |why: String| unknown.push(UnknownCommit { commit: commit.to_owned(), why });
            let told_until = match of_place.told_until(last) {
                Ok(told_until) => told_until.timestamp_millis(),
                Err(error) => {
                    lacks(format!("{error:#}"));
                    continue;
                }
            };
            let until = dates.commits.get(commit);
            if until.is_some_and(|until| until.row >= last.id.0 && until.at.timestamp_millis() >= told_until)
            {
                continue;
            }
            let Ok(object) = here.0.repository.commit(commit) else {
                lacks("the clone lacks it".to_owned());
                continue;
            };
            if let Err(error) =
                self.date_commit(here, &here.0.beside(object), texts, dates, (&rows, of_place))
            {
                lacks(format!("{error:#}"));
            }
        }
        unknown
    }

    /// Adds what the rows of a commit tell that were not read before. A row that cannot be read is the error in the end; the
    /// others tell what they have.
    fn date_commit(
        &self,
        here: (&RepositoryCommit, &SourceTree),
        at: &RepositoryCommit,
        texts: &mut DigestedTexts,
        dates: &mut PlaceDates,
        (rows, of_place): (&[&Row], &DatedRows<'_>),
    ) -> Result<()> {
        let (tree, _) = self.other_tree(here, at)?;
        let mut failed = None;
        let mut before: Option<DatedState<'_>> = None;
        let known = rows.first().and_then(|row| dates.commits.get(&row.key.commit)).map(|until| until.row);
        for &row in rows.iter().filter(|row| known.is_none_or(|known| row.id.0 >= known)) {
            let profile = match (of_place.profile)(row) {
                Ok(profile) => profile,
                Err(error) => {
                    failed = Some(error);
                    continue;
                }
            };
            let state = self.dated_state((at, &tree), texts, (row, profile), before.as_ref())?;
            let same_build = before.as_ref().and_then(|before| before.of_build(row));
            if known != Some(row.id.0) {
                state.note(&executed_since(same_build, &state.profile), row.created_at, dates);
            }
            // Counts of the build before may have been ahead of its row when this one came.
            if same_build.is_none()
                && let Some(before) = &before
            {
                self.date_present((at, &tree), texts, dates, (before, row.created_at), of_place)?;
            }
            before = Some(state);
        }
        let Some(state) = before else { return failed.map_or(Ok(()), Err) };
        let told_until = of_place.told_until(state.row)?;
        if told_until > state.row.created_at {
            self.date_present((at, &tree), texts, dates, (&state, told_until), of_place)?;
        }
        // The rows are read again until each of them tells what it has.
        if failed.is_none() {
            let until = DatedUntil { row: state.row.id.0, at: told_until };
            dates.commits.insert(state.row.key.commit.clone(), until);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Adds what the present counts of a row's build tell beyond the row. In mode `set` all that the row has may have been
    /// executed again.
    fn date_present(
        &self,
        at: (&RepositoryCommit, &SourceTree),
        texts: &mut DigestedTexts,
        dates: &mut PlaceDates,
        (state, told_until): (&DatedState<'_>, DateTime<Utc>),
        of_place: &DatedRows<'_>,
    ) -> Result<()> {
        if state.profile.mode == Mode::Set {
            state.note(&state.profile.counts, told_until, dates);
        }
        let Some(profile) = (of_place.present)(state.row)? else { return Ok(()) };
        let counts = executed_since(Some(&state.profile), &profile);
        self.dated_state(at, texts, (state.row, profile), Some(state))?.note(&counts, told_until, dates);
        Ok(())
    }

    /// Finds the functions of a profile that a row tells. Those of another state of the same build are the same.
    fn dated_state<'r>(
        &self,
        at: (&RepositoryCommit, &SourceTree),
        texts: &mut DigestedTexts,
        (row, profile): (&'r Row, Profile),
        other: Option<&DatedState<'_>>,
    ) -> Result<DatedState<'r>> {
        let functions = match other.filter(|other| other.profile.build == profile.build) {
            Some(other) => Arc::clone(&other.functions),
            None => self.dated_functions(at, &profile, texts)?.into(),
        };
        Ok(DatedState { row, profile, functions })
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

/// Returns the commits of rows whose profiles were all dropped before their functions were dated. `is_dated` tells whether
/// the dates of a key's functions are known.
pub(crate) fn dropped_undated(rows: &[&Row], is_dated: impl Fn(&Key) -> bool) -> BTreeSet<UnknownCommit> {
    let kept: HashSet<&Key> =
        rows.iter().filter(|row| row.deleted_at.is_none()).map(|row| &row.key).collect();
    let keys = rows.iter().map(|row| &row.key);
    let dropped = keys.filter(|key| !key.commit.is_empty() && !kept.contains(key) && !is_dated(key));
    let unknown = dropped.map(|key| UnknownCommit {
        commit: key.commit.clone(),
        why: "its profiles were deleted before their functions were dated".to_owned(),
    });
    unknown.collect()
}
