//! The search for what was executed at other commits in functions that are the same there: texts come from the clone,
//! counts from stored profiles. See [`crate::carry`].

mod moved;
mod rows;

use std::collections::HashMap;
use std::ops::Range;

use anyhow::Result;

pub(crate) use rows::{CarryRange, CarryRequest};

use self::moved::moved_functions;
use self::rows::rows_to_carry;
use super::{RepositoryCommit, SourceReader, SourceTree};
use crate::carry::{Carried, FunctionBlocks, Origin, carriable, have_same_blocks};
use crate::code::gosrc::DeclaredFunctions;
use crate::fleet::records::Key;
use crate::fleet::row::Row;
use crate::io::git::{BlobContent, GitError, ObjectId};
use crate::profile::{BuildFile, Profile};

/// A stored state to which something is carried.
#[derive(Clone, Copy)]
pub(crate) struct CarrySubject<'a> {
    pub(crate) at: &'a RepositoryCommit,
    pub(crate) tree: &'a SourceTree,
    pub(crate) profile: &'a Profile,
    /// The keys of its rows.
    pub(crate) keys: &'a [Key],
}

/// A file of the profile of the state, with its functions that can be carried.
struct CarriedFile<'p> {
    path: String,
    blob: ObjectId,
    file: BuildFile<'p>,
    /// Name of its package.
    package: String,
    functions: Vec<FunctionBlocks>,
}

/// A stored state from which something is carried.
struct OtherCommit<'o> {
    at: &'o RepositoryCommit,
    tree: &'o SourceTree,
    profile: &'o Profile,
    /// The files of its profile by their paths in the repository.
    files: HashMap<String, BuildFile<'o>>,
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
        subject: CarrySubject<'_>,
        rows: &[Row],
        request: CarryRequest,
        read: impl Fn(&Row) -> Result<Profile>,
    ) -> Result<(Carried, Vec<String>)> {
        let CarrySubject { at, profile, keys, .. } = subject;
        let mut carried = Carried::nothing(profile);
        let rows = rows_to_carry(rows, keys, request);
        if rows.is_empty() {
            return Ok((carried, Vec::new()));
        }
        let files = self.carried_files(subject, &carried)?;
        let mut lacking = Vec::new();
        for row in rows {
            if self.settings.signals.received().is_some() {
                break;
            }
            let commit = match at.repository.commit(&row.key.commit) {
                Err(GitError::NoCommit { .. }) => {
                    lacking.push(row.key.commit.clone());
                    continue;
                }
                commit => commit?,
            };
            let there =
                RepositoryCommit { repository: at.repository.clone(), network: at.network.clone(), commit };
            let found = read(row).and_then(|other| {
                let tree = self.tree(&there)?;
                let other = self.other_commit(&there, &tree, &other);
                let same = self.same_functions(subject, &files, &other, &carried)?;
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
    }

    /// Reads the functions of those files in which something is left to carry.
    fn carried_files<'p>(
        &self,
        CarrySubject { at, tree, profile, .. }: CarrySubject<'p>,
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
        self.fetched(at, &at.commit, &blobs)?;
        let read = at.repository.blobs(&blobs, |index, content| {
            let declared = DeclaredFunctions::of(content.text()?).ok()?;
            let functions = carriable(&declared.functions, found[index].0.blocks);
            Some((declared.package.to_owned(), functions))
        })?;
        let with_functions = found.into_iter().zip(read).filter_map(|((file, path, blob), read)| {
            let (package, functions) = read?;
            Some(CarriedFile { path, blob, file, package, functions })
        });
        Ok(with_functions.collect())
    }

    fn other_commit<'o>(
        &self,
        at: &'o RepositoryCommit,
        tree: &'o SourceTree,
        profile: &'o Profile,
    ) -> OtherCommit<'o> {
        let files: Vec<BuildFile<'_>> = profile.build.files().collect();
        let (paths, _) = self.resolved(&files, tree);
        let files = paths.into_iter().zip(files).filter_map(|(path, file)| Some((path?, file)));
        OtherCommit { at, tree, profile, files: files.collect() }
    }

    /// Returns the blocks of the functions that are the same at another commit, where something is left to carry.
    fn same_functions(
        &self,
        subject: CarrySubject<'_>,
        files: &[CarriedFile<'_>],
        other: &OtherCommit<'_>,
        carried: &Carried,
    ) -> Result<Vec<SameBlocks>> {
        let CarrySubject { at, profile, .. } = subject;
        let mut same = Vec::new();
        let mut absent = Vec::new();
        let mut changed = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let first = file.file.range.0;
            let is_open =
                |it: &FunctionBlocks| it.blocks.clone().any(|at| carried.is_open(first + at, profile));
            let open = file.functions.iter().enumerate().filter(|(_, function)| is_open(function));
            let open: Vec<usize> = open.map(|(function, _)| function).collect();
            if open.is_empty() {
                continue;
            }
            match (other.files.get(&file.path), other.tree.files.blob(&file.path)) {
                (Some(theirs), Some(blob)) if *blob == file.blob => {
                    same.extend(open.iter().filter_map(|&function| file.in_same_text(function, theirs)));
                }
                (Some(theirs), Some(blob)) => changed.push((index, open, theirs, blob)),
                _ => absent.extend(open.into_iter().map(|function| AbsentFunction { file: index, function })),
            }
        }
        let blobs: Vec<ObjectId> = changed.iter().map(|(.., blob)| (*blob).clone()).collect();
        self.fetched(other.at, &other.at.commit, &blobs)?;
        let texts: Vec<_> =
            changed.iter().map(|(index, .., blob)| [Some(&files[*index].blob), Some(*blob)]).collect();
        let compared = at.repository.groups(&texts, |number, [here, there]| {
            let (index, open, theirs, _) = &changed[number];
            let texts = (here.and_then(BlobContent::text)?, there.and_then(BlobContent::text)?);
            files[*index].compared(open, theirs, texts)
        })?;
        for ((index, ..), compared) in changed.iter().zip(compared) {
            let Some(ComparedFile { same: blocks, absent: functions }) = compared else { continue };
            same.extend(blocks);
            absent.extend(functions.into_iter().map(|function| AbsentFunction { file: *index, function }));
        }
        same.extend(moved_functions(self, subject, files, &absent, other)?);
        Ok(same)
    }
}

/// The comparison of a file with the file of its path at another commit.
struct ComparedFile {
    same: Vec<SameBlocks>,
    /// Functions that the other file lacks.
    absent: Vec<usize>,
}

impl CarriedFile<'_> {
    /// Returns the blocks of a function in a file of the same text.
    fn in_same_text(&self, function: usize, theirs: &BuildFile<'_>) -> Option<SameBlocks> {
        let function = &self.functions[function];
        let there = function.among(theirs.blocks)?;
        (self.file.blocks[function.blocks.clone()] == theirs.blocks[there.clone()])
            .then(|| self.same_blocks(function, theirs, there))
    }

    fn same_blocks(
        &self,
        function: &FunctionBlocks,
        theirs: &BuildFile<'_>,
        there: Range<usize>,
    ) -> SameBlocks {
        let of =
            |range: &Range<usize>, file: &BuildFile<'_>| file.range.0 + range.start..file.range.0 + range.end;
        (of(&function.blocks, &self.file), of(&there, theirs))
    }

    /// Compares functions with those of the same names in another text; `None` if that is no Go file of this package.
    fn compared(
        &self,
        open: &[usize],
        theirs: &BuildFile<'_>,
        (here, there): (&[u8], &[u8]),
    ) -> Option<ComparedFile> {
        let (here, there) = (DeclaredFunctions::of(here).ok()?, DeclaredFunctions::of(there).ok()?);
        if here.package != there.package {
            return None;
        }
        let carriable = carriable(&there.functions, theirs.blocks);
        let by_name: HashMap<_, _> = carriable.iter().map(|function| (&function.key, function)).collect();
        let mut compared = ComparedFile { same: Vec::new(), absent: Vec::new() };
        for &index in open {
            let function = &self.functions[index];
            match by_name.get(&function.key) {
                Some(twin) => {
                    compared.same.extend(self.same_function(function, &here, theirs, (twin, &there)));
                }
                None => compared.absent.push(index),
            }
        }
        Some(compared)
    }

    /// Returns the blocks of a function and of one of the same name in another text, if both are the same.
    fn same_function(
        &self,
        function: &FunctionBlocks,
        here: &DeclaredFunctions<'_>,
        theirs: &BuildFile<'_>,
        (twin, there): (&FunctionBlocks, &DeclaredFunctions<'_>),
    ) -> Option<SameBlocks> {
        let (own, other) = (here.tokens(function.function), there.tokens(twin.function));
        let blocks = (&self.file.blocks[function.blocks.clone()], &theirs.blocks[twin.blocks.clone()]);
        let is_same = own.is_same(&other) && have_same_blocks((&own, blocks.0), (&other, blocks.1));
        is_same.then(|| self.same_blocks(function, theirs, twin.blocks.clone()))
    }
}

impl Origin {
    fn from_row(row: &Row) -> Self {
        Self { row: row.id.0, commit: row.key.commit.clone(), stored_at: row.created_at }
    }
}
