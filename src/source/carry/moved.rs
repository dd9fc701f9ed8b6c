//! Functions that moved to another file of their folder between two commits.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use super::{AbsentFunction, CarriedFile, OtherState, SameBlocks, SourcedState};
use crate::carry::{FunctionKey, carriable};
use crate::code::gosrc::{DeclaredFunctions, parent};
use crate::io::git::{BlobContent, ObjectId};
use crate::source::{RepositoryCommit, SourceReader, SourceTree};

/// Returns the blocks of functions that are the same in other files of their folders, where their names are unique in the
/// folder at both commits.
pub(super) fn moved_functions(
    reader: &SourceReader<'_>,
    subject: SourcedState<'_>,
    files: &[CarriedFile<'_>],
    absent: &[AbsentFunction],
    other: &OtherState,
) -> Result<Vec<SameBlocks>> {
    let mut by_folder: BTreeMap<&str, Vec<&AbsentFunction>> = BTreeMap::new();
    for function in absent {
        by_folder.entry(parent(&files[function.file].path)).or_default().push(function);
    }
    if by_folder.is_empty() {
        return Ok(Vec::new());
    }
    let (ours, theirs) = (GoFolders::of(subject.tree), GoFolders::of(&other.tree));
    let mut same = Vec::new();
    for (folder, absent) in by_folder {
        let theirs = theirs.texts(folder, reader, &other.at)?;
        let theirs = FolderFunctions::of(&theirs);
        let named = absent.into_iter().map(|it| {
            let file = &files[it.file];
            (FunctionName { package: &file.package, key: &file.functions[it.function].key }, it)
        });
        let moved: Vec<_> = named.filter_map(|(name, it)| Some((name, it, theirs.only(name)?))).collect();
        if moved.is_empty() {
            continue;
        }
        let ours = ours.texts(folder, reader, subject.at)?;
        let ours = FolderFunctions::of(&ours);
        for (name, it, path) in moved {
            let file = &files[it.file];
            let here =
                ours.only(name).filter(|path| *path == file.path).and_then(|path| ours.declared.get(path));
            let there = theirs.declared.get(path).zip(other.file(path, &file.neighbour(path)));
            let (Some(here), Some((there, build_file))) = (here, there) else { continue };
            let twins = carriable(&there.functions, build_file.blocks);
            let twin = twins.iter().find(|twin| twin.key == *name.key);
            let function = &file.functions[it.function];
            if let Some(twin) =
                twin.filter(|twin| file.is_same(function, here, (twin, there), build_file.blocks))
            {
                same.push(file.same_blocks(function, &build_file, twin.blocks.clone()));
            }
        }
    }
    Ok(same)
}

/// The name of a function in a folder.
#[derive(Clone, Copy)]
struct FunctionName<'n> {
    package: &'n str,
    key: &'n FunctionKey,
}

/// The Go files of a commit by their folders, without tests.
struct GoFolders<'t> {
    tree: &'t SourceTree,
    paths: HashMap<&'t str, Vec<&'t str>>,
}

impl<'t> GoFolders<'t> {
    fn of(tree: &'t SourceTree) -> Self {
        let mut paths: HashMap<&str, Vec<&str>> = HashMap::new();
        for path in tree.files.paths() {
            if path.strip_suffix(".go").is_some_and(|name| !name.ends_with("_test")) {
                paths.entry(parent(path)).or_default().push(path);
            }
        }
        Self { tree, paths }
    }

    /// Reads the files of a folder, with their paths.
    fn texts(
        &self,
        folder: &str,
        reader: &SourceReader<'_>,
        at: &RepositoryCommit,
    ) -> Result<Vec<(&'t str, Vec<u8>)>> {
        let paths = self.paths.get(folder).map_or(&[][..], Vec::as_slice);
        let blobs: Vec<ObjectId> =
            paths.iter().filter_map(|path| self.tree.files.blob(path).cloned()).collect();
        reader.fetched_all(at, &blobs)?;
        let texts =
            at.repository.blobs(&blobs, |_, content: BlobContent<'_>| content.text().map(<[u8]>::to_vec))?;
        Ok(paths.iter().zip(texts).filter_map(|(path, text)| Some((*path, text?))).collect())
    }
}

/// The functions of a folder.
struct FolderFunctions<'t> {
    /// The functions of each file by its path.
    declared: HashMap<&'t str, DeclaredFunctions<'t>>,
    /// The paths of the files that have a function, by the name of its package and its own.
    paths: HashMap<(&'t str, FunctionKey), Vec<&'t str>>,
}

impl<'t> FolderFunctions<'t> {
    fn of(texts: &'t [(&'t str, Vec<u8>)]) -> Self {
        let declared =
            texts.iter().filter_map(|(path, text)| Some((*path, DeclaredFunctions::of(text).ok()?)));
        let declared: HashMap<&str, DeclaredFunctions<'_>> = declared.collect();
        let mut paths: HashMap<(&str, FunctionKey), Vec<&str>> = HashMap::new();
        for (path, file) in &declared {
            for function in &file.functions {
                paths.entry((file.package, FunctionKey::of(function))).or_default().push(path);
            }
        }
        Self { declared, paths }
    }

    /// Returns the path of the only file that has a function.
    fn only(&self, FunctionName { package, key }: FunctionName<'_>) -> Option<&'t str> {
        match self.paths.get(&(package, key.clone()))?[..] {
            [path] => Some(path),
            _ => None,
        }
    }
}
