//! The files of a state to which something is carried, and their comparison with the files of the same paths at other
//! commits.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::Result;

use super::SameBlocks;
use crate::carry::{Carried, FunctionBlocks, are_moved, carriable, have_same_blocks};
use crate::code::gosrc::{DeclaredFunctions, parent};
use crate::io::git::{BlobContent, ObjectId};
use crate::profile::{Block, BuildFile, Profile};
use crate::source::{RepositoryCommit, SourceReader};

/// A file of the profile of the state, with its functions that can be carried.
pub(super) struct CarriedFile<'p> {
    pub(super) path: String,
    pub(super) blob: ObjectId,
    pub(super) file: BuildFile<'p>,
    /// Name of its package.
    pub(super) package: String,
    pub(super) functions: Vec<FunctionBlocks>,
}

/// A file whose text differs at another commit.
pub(super) struct ChangedFile<'c> {
    /// Index of the file of the state.
    pub(super) index: usize,
    /// The file in the other profile.
    pub(super) theirs: BuildFile<'c>,
    /// Its text there.
    pub(super) blob: &'c ObjectId,
}

/// The function of the same name in another text.
#[derive(Clone)]
pub(super) enum Twin {
    /// The function is the same, and has these blocks, counted from the first one of its file.
    Same(Range<usize>),
    /// The function has another text or other blocks.
    Other,
    /// There is none.
    Absent,
}

impl CarriedFile<'_> {
    /// Returns the name of a file of its package.
    pub(super) fn neighbour(&self, path: &str) -> String {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        format!("{}/{name}", parent(self.file.name))
    }

    /// Returns the indexes of the functions in which something is left to carry.
    pub(super) fn open_functions(&self, carried: &Carried, profile: &Profile) -> Vec<usize> {
        let first = self.file.range.0;
        let is_open = |it: &FunctionBlocks| it.blocks.clone().any(|at| carried.is_open(first + at, profile));
        let open = self.functions.iter().enumerate().filter(|(_, function)| is_open(function));
        open.map(|(index, _)| index).collect()
    }

    /// Returns the blocks of a function in a file of the same text.
    pub(super) fn in_same_text(&self, function: usize, theirs: &BuildFile<'_>) -> Option<SameBlocks> {
        let function = &self.functions[function];
        let there = function.among(theirs.blocks)?;
        (self.file.blocks[function.blocks.clone()] == theirs.blocks[there.clone()])
            .then(|| self.same_blocks(function, theirs, there))
    }

    /// Returns the blocks of a function here, and `there` in another file, as they are counted in their profiles.
    pub(super) fn same_blocks(
        &self,
        function: &FunctionBlocks,
        theirs: &BuildFile<'_>,
        there: Range<usize>,
    ) -> SameBlocks {
        let of =
            |range: &Range<usize>, file: &BuildFile<'_>| file.range.0 + range.start..file.range.0 + range.end;
        (of(&function.blocks, &self.file), of(&there, theirs))
    }

    /// Tells whether a function and one of another text with these blocks are the same.
    pub(super) fn is_same(
        &self,
        function: &FunctionBlocks,
        here: &DeclaredFunctions<'_>,
        (twin, there): (&FunctionBlocks, &DeclaredFunctions<'_>),
        theirs: &[Block],
    ) -> bool {
        let (own, theirs) = (&self.file.blocks[function.blocks.clone()], &theirs[twin.blocks.clone()]);
        // Most functions of a changed file are the same to the byte, for which no tokens are needed.
        if let Some(lines) = here.lines_to_same_text(function.function, there, twin.function) {
            return are_moved(own, theirs, lines);
        }
        let (tokens, others) = (here.tokens(function.function), there.tokens(twin.function));
        tokens.is_same(&others) && have_same_blocks((&tokens, own), (&others, theirs))
    }

    /// Compares all functions with those of the same names in another text.
    fn compared(&self, theirs: &[Block], texts: Option<(&[u8], &[u8])>) -> ComparedText {
        let mut compared = ComparedText { blocks: theirs.to_vec(), twins: Vec::new() };
        let declared = texts.and_then(|(here, there)| {
            Some((DeclaredFunctions::of(here).ok()?, DeclaredFunctions::of(there).ok()?))
        });
        let Some((here, there)) = declared.filter(|(here, there)| here.package == there.package) else {
            return compared;
        };
        let carriable = carriable(&there.functions, theirs);
        let by_name: HashMap<_, _> = carriable.iter().map(|function| (&function.key, function)).collect();
        let twins = self.functions.iter().map(|function| match by_name.get(&function.key) {
            Some(twin) if self.is_same(function, &here, (twin, &there), theirs) => {
                Twin::Same(twin.blocks.clone())
            }
            Some(_) => Twin::Other,
            None => Twin::Absent,
        });
        compared.twins = twins.collect();
        compared
    }
}

/// The comparison of the functions of a file with those of another text.
pub(super) struct ComparedText {
    /// The blocks of the other text in the profile with which it was compared.
    blocks: Vec<Block>,
    /// The function of the same name for each function; empty if the other text is no Go file of the package.
    twins: Vec<Twin>,
}

impl ComparedText {
    /// Returns the function of the same name.
    pub(super) fn twin(&self, function: usize) -> Twin {
        self.twins.get(function).cloned().unwrap_or(Twin::Other)
    }
}

/// The texts with which files were compared. Commits often have the same ones.
#[derive(Default)]
pub(super) struct ComparedTexts {
    /// By the index of a file and the other text.
    known: HashMap<(usize, ObjectId), ComparedText>,
}

impl ComparedTexts {
    /// Compares files with texts that they were not compared with yet.
    pub(super) fn compare<'c>(
        &mut self,
        reader: &SourceReader<'_>,
        files: &[CarriedFile<'_>],
        changed: impl Iterator<Item = &'c ChangedFile<'c>>,
        at: &RepositoryCommit,
    ) -> Result<()> {
        let new: Vec<&ChangedFile<'_>> = changed.filter(|changed| self.of(changed).is_none()).collect();
        let blobs: Vec<ObjectId> = new.iter().map(|changed| changed.blob.clone()).collect();
        reader.fetched_all(at, &blobs)?;
        let texts: Vec<_> =
            new.iter().map(|changed| [Some(&files[changed.index].blob), Some(changed.blob)]).collect();
        let compared = at.repository.groups(&texts, |number, [here, there]| {
            let ChangedFile { index, theirs, .. } = new[number];
            let [here, there] = [here, there].map(|content| content.and_then(BlobContent::text));
            files[*index].compared(theirs.blocks, here.zip(there))
        })?;
        for (changed, compared) in new.into_iter().zip(compared) {
            self.known.insert((changed.index, changed.blob.clone()), compared);
        }
        Ok(())
    }

    /// Returns the comparison with a text, if its profile has the same blocks as that with which it was compared.
    pub(super) fn of(&self, changed: &ChangedFile<'_>) -> Option<&ComparedText> {
        let known = self.known.get(&(changed.index, changed.blob.clone()))?;
        (known.blocks == changed.theirs.blocks).then_some(known)
    }
}
