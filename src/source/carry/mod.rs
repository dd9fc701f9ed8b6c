//! The search for what was executed at other commits in functions that are the same there: texts come from the clone,
//! counts from stored profiles. See [`crate::carry`].

mod files;
mod moved;
mod rows;

use std::collections::HashMap;
use std::ops::Range;
use std::thread;

use anyhow::Result;

pub(crate) use rows::{CarryRange, CarryRequest};

use self::files::{CarriedFile, ChangedFile, ComparedTexts, Twin};
use self::moved::moved_functions;
use self::rows::rows_to_carry;
use super::{RepositoryCommit, SourceReader, SourceTree, SourcedState};
use crate::carry::{Carried, Origin, carriable};
use crate::code::gosrc::DeclaredFunctions;
use crate::fleet::row::Row;
use crate::io::git::{GitError, ObjectId};
use crate::names::in_message;
use crate::parallel;
use crate::phrases::count;
use crate::profile::{Build, BuildFile, Profile};

/// A state of another commit from which something is carried.
pub(super) struct OtherState {
    pub(super) at: RepositoryCommit,
    pub(super) tree: SourceTree,
    pub(super) profile: Profile,
    /// The names of its files by their paths in the repository; `None` if each name means the same path as in the state to
    /// which something is carried.
    names: Option<HashMap<String, String>>,
}

impl OtherState {
    /// Returns the file at a path. `name` is that of the path in the state to which something is carried.
    fn file(&self, path: &str, name: &str) -> Option<BuildFile<'_>> {
        let name = match &self.names {
            Some(names) => names.get(path)?,
            None => name,
        };
        self.profile.build.find(name)
    }
}

/// The blocks of a function here, and the blocks of the same function at another commit, both counted in their profiles.
type SameBlocks = (Range<usize>, Range<usize>);

/// A function of a file that the other commit has not in the file of that path.
struct AbsentFunction {
    /// Index of its file.
    file: usize,
    /// Index among the functions of the file.
    function: usize,
}

impl SourceReader<'_> {
    /// Carries to a state what was executed at other commits, and returns the commits that the clone lacks, which carry
    /// nothing. `rows` are all rows, the newest last; `read` reads a profile. A message names a row that cannot be read. A
    /// signal ends the search early.
    pub(crate) fn carried(
        &self,
        subject: SourcedState<'_>,
        rows: &[Row],
        request: CarryRequest,
        read: impl Fn(&Row) -> Result<Profile> + Sync,
    ) -> Result<(Carried, Vec<String>)> {
        let SourcedState { profile, keys, .. } = subject;
        let mut carried = Carried::nothing(profile);
        let mut lacking = Vec::new();
        let rows = rows_to_carry(rows, keys, request);
        let Some((first, later)) = rows.split_first() else { return Ok((carried, lacking)) };
        let read = &read;
        thread::scope(|scope| {
            // The next state is read while functions of this one are compared.
            let prepare = |row| parallel::spawn(scope, move || self.other_state(subject, row, read));
            let mut ahead = Some(prepare(first));
            let files = self.carried_files(subject, &carried)?;
            let mut texts = ComparedTexts::default();
            let mut later = later.iter();
            for row in &rows {
                let Some(state) = ahead.take() else { break };
                let other = state.join();
                if self.settings.signals.received().is_some() {
                    break;
                }
                ahead = later.next().map(|row| prepare(row));
                let found = other.and_then(|other| {
                    let Some(other) = other else {
                        lacking.push(row.key.commit.clone());
                        return Ok(());
                    };
                    let same = self.same_functions(subject, &files, &other, &carried, &mut texts)?;
                    let executed = same.iter().flat_map(|(here, there)| here.clone().zip(there.clone()));
                    let executed = executed.map(|(here, there)| (here, other.profile.counts[there] > 0));
                    carried.add(Origin::from_row(row), executed, profile);
                    Ok(())
                });
                if let Err(error) = found {
                    self.warn(format!("row {} carries nothing: {error:#}", row.id.0));
                }
            }
            Ok((carried, lacking))
        })
    }

    /// Reads the state of a row; `None` if the clone lacks its commit.
    fn other_state(
        &self,
        SourcedState { at, tree, .. }: SourcedState<'_>,
        row: &Row,
        read: impl Fn(&Row) -> Result<Profile>,
    ) -> Result<Option<OtherState>> {
        let commit = match at.repository.commit(&row.key.commit) {
            Err(GitError::NoCommit { .. }) => return Ok(None),
            commit => commit?,
        };
        self.state_at((at, tree), at.beside(commit), read(row)?, &Build::empty()).map(Some)
    }

    /// Returns the state of another commit with this profile. `others` are files that were built in the same folder.
    pub(super) fn state_at(
        &self,
        here: (&RepositoryCommit, &SourceTree),
        at: RepositoryCommit,
        profile: Profile,
        others: &Build,
    ) -> Result<OtherState> {
        let (tree, has_same_names) = self.other_tree(here, &at)?;
        let names = (!has_same_names).then(|| {
            let files: Vec<BuildFile<'_>> = profile.build.files().collect();
            let (paths, _) = self.resolved_among(&files, others, &tree);
            let files = paths.into_iter().zip(files);
            files.filter_map(|(path, file)| Some((path?, file.name.to_owned()))).collect()
        });
        Ok(OtherState { at, tree, profile, names })
    }

    /// Returns the blocks of a profile whose functions are the same at another commit and that were executed there, whether
    /// they were executed here or not.
    pub(super) fn executed_at(
        &self,
        (at, tree): (&RepositoryCommit, &SourceTree),
        profile: &Profile,
        other: &OtherState,
    ) -> Result<Vec<usize>> {
        let open = Profile { counts: vec![0; profile.counts.len()], ..profile.clone() };
        let carried = Carried::nothing(&open);
        let subject = SourcedState { at, tree, profile: &open, keys: &[] };
        let files = self.carried_files(subject, &carried)?;
        let same = self.same_functions(subject, &files, other, &carried, &mut ComparedTexts::default())?;
        let blocks = same.into_iter().flat_map(|(here, there)| here.zip(there));
        let executed = blocks.filter(|(_, there)| other.profile.counts[*there] > 0);
        Ok(executed.map(|(here, _)| here).collect())
    }

    /// Reads the functions of those files in which something is left to carry.
    fn carried_files<'p>(
        &self,
        SourcedState { at, tree, profile, .. }: SourcedState<'p>,
        carried: &Carried,
    ) -> Result<Vec<CarriedFile<'p>>> {
        let files: Vec<BuildFile<'_>> = profile.build.files().collect();
        let (paths, _) = self.resolved(&files, tree);
        let is_open =
            |file: &BuildFile<'_>| (file.range.0..file.range.1).any(|it| carried.is_open(it, profile));
        let open = files.into_iter().zip(paths).filter(|(file, _)| is_open(file));
        let found: Vec<(BuildFile<'p>, String, ObjectId)> = open
            .filter_map(|(file, path)| {
                let path = path?;
                let blob = tree.files.blob(&path)?.clone();
                Some((file, path, blob))
            })
            .collect();
        let blobs: Vec<ObjectId> = found.iter().map(|(.., blob)| blob.clone()).collect();
        self.fetched_all(at, &blobs)?;
        let read = at.repository.blobs(&blobs, |index, content| {
            let declared = DeclaredFunctions::of(content.text()?).ok()?;
            let functions = carriable(&declared.functions, found[index].0.blocks);
            Some((declared.package.to_owned(), functions))
        })?;
        let unread = found.iter().zip(&read).filter(|(_, read)| read.is_none());
        let unread: Vec<&str> = unread.map(|((_, path, _), _)| path.as_str()).collect();
        if let [first, ..] = unread[..] {
            self.warn(format!(
                "nothing is carried to {} of this commit that cannot be parsed, such as \"{}\"",
                count(unread.len(), "files"),
                in_message(first)
            ));
        }
        let with_functions = found.into_iter().zip(read).filter_map(|((file, path, blob), read)| {
            let (package, functions) = read?;
            Some(CarriedFile { path, blob, file, package, functions })
        });
        Ok(with_functions.collect())
    }

    /// Returns the blocks of the functions that are the same at another commit, where something is left to carry.
    fn same_functions(
        &self,
        subject: SourcedState<'_>,
        files: &[CarriedFile<'_>],
        other: &OtherState,
        carried: &Carried,
        texts: &mut ComparedTexts,
    ) -> Result<Vec<SameBlocks>> {
        let mut same = Vec::new();
        let mut absent = Vec::new();
        let mut changed = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let open = file.open_functions(carried, subject.profile);
            if open.is_empty() {
                continue;
            }
            match (other.file(&file.path, file.file.name), other.tree.files.blob(&file.path)) {
                (Some(theirs), Some(blob)) if *blob == file.blob => {
                    same.extend(open.iter().filter_map(|&function| file.in_same_text(function, &theirs)));
                }
                (Some(theirs), Some(blob)) => changed.push((ChangedFile { index, theirs, blob }, open)),
                _ => absent.extend(open.into_iter().map(|function| AbsentFunction { file: index, function })),
            }
        }
        texts.compare(self, files, changed.iter().map(|(file, _)| file), &other.at)?;
        for (changed, open) in &changed {
            let file = &files[changed.index];
            let Some(compared) = texts.of(changed) else { continue };
            for &function in open {
                match compared.twin(function) {
                    Twin::Same(there) => {
                        same.push(file.same_blocks(&file.functions[function], &changed.theirs, there));
                    }
                    Twin::Other => {}
                    Twin::Absent => absent.push(AbsentFunction { file: changed.index, function }),
                }
            }
        }
        same.extend(moved_functions(self, subject, files, &absent, other)?);
        Ok(same)
    }
}

impl Origin {
    fn from_row(row: &Row) -> Self {
        Self { row: row.id.0, commit: row.key.commit.clone(), stored_at: row.created_at }
    }
}
