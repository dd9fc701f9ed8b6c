//! The source of each file of a profile, read from a commit.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::{RepositoryCommit, SourceReader, SourceTree};
use crate::code::gosrc::{AmbiguousModule, LostLink, ResolvedPaths, ScannedFile, SyntaxError, scan};
use crate::io::git::{BlobContent, ObjectId};
use crate::names::in_message;
use crate::parallel::on_all_cores;
use crate::profile::{Build, BuildFile, Profile};
use crate::report::diff::ChangedText;
use crate::report::{FileNeeds, FileSource, NoSource};

impl SourceReader<'_> {
    /// Returns the source of each file of a profile in the same order. Texts are read only of the paths that are wanted.
    /// `known` has texts that were read before, by path.
    pub(crate) fn sources(
        &self,
        profile: &Profile,
        (at, tree): (&RepositoryCommit, &SourceTree),
        known: &HashMap<String, ChangedText>,
        is_wanted: impl Fn(&str) -> bool + Sync,
        needs: FileNeeds<'_>,
    ) -> Result<Vec<FileSource>> {
        let files: Vec<BuildFile<'_>> = profile.build.files().collect();
        let (paths, lost) = self.resolved(&files, tree);
        let profile_files = ProfileFiles { profile, files: &files, paths: &paths, needs };

        let is_to_read = |path: &str| is_wanted(path) && !known.contains_key(path);
        let read = self.read(&profile_files, (at, tree), is_to_read)?;
        let resolved = paths.iter().enumerate().filter_map(|(index, path)| Some((index, path.as_deref()?)));
        let known: Vec<(usize, &str, &ChangedText)> =
            resolved.filter_map(|(index, path)| Some((index, path, known.get(path)?))).collect();
        let known = on_all_cores(&known, |(index, path, ChangedText { text, scanned })| {
            (*index, profile_files.with_text(*index, path, text, scanned.clone()))
        });

        // If a module cannot be read, the commit may have the file although no readable module contains it.
        let nowhere = if tree.knows_all_modules { NoSource::NotInCommit } else { NoSource::NotInRepository };
        let (mut read, mut known) = (read.into_iter().peekable(), known.into_iter().peekable());
        let sources = paths.iter().enumerate().map(|(index, path)| {
            let is_this = |(of, _): &(usize, FileSource)| *of == index;
            match (read.next_if(is_this).or_else(|| known.next_if(is_this)), path.as_deref()) {
                (Some((_, source)), _) => source,
                (None, Some(path)) if !is_wanted(path) => {
                    let profile_files = ProfileFiles { needs: FileNeeds::default(), ..profile_files };
                    profile_files.without_text(index, Some(path), NoSource::NotRead)
                }
                (None, Some(path)) => {
                    let why = lost.get(&index).map_or(NoSource::NotInRepository, |why| NoSource::Link(*why));
                    profile_files.without_text(index, Some(path), why)
                }
                (None, None) => profile_files.without_text(index, None, nowhere.clone()),
            }
        });
        Ok(sources.collect())
    }

    /// Returns the path of each file in the repository after following links, and the links without a target by the
    /// indexes of their files. Warns once of modules that lie in several folders.
    pub(super) fn resolved(
        &self,
        files: &[BuildFile<'_>],
        source: &SourceTree,
    ) -> (Vec<Option<String>>, HashMap<usize, LostLink>) {
        self.resolved_among(files, &Build::empty(), source)
    }

    /// Does the same for files that were built in the same folder as others, which decide, too, of which folder a module is.
    pub(super) fn resolved_among(
        &self,
        files: &[BuildFile<'_>],
        others: &Build,
        source: &SourceTree,
    ) -> (Vec<Option<String>>, HashMap<usize, LostLink>) {
        let mut names: Vec<&str> = files.iter().map(|file| file.name).collect();
        let own: HashSet<&str> = names.iter().copied().collect();
        names.extend(others.files().map(|file| file.name).filter(|name| !own.contains(name)));
        let (ResolvedPaths { mut paths, ambiguous }, mut lost) = paths_of(&names, source);
        paths.truncate(files.len());
        lost.retain(|index, _| *index < files.len());
        for warning in ambiguous.iter().map(ambiguity).filter(|warning| source.is_new(warning)) {
            self.warn(warning);
        }
        (paths, lost)
    }

    /// Reads the texts of files from a commit; returns their sources with the indexes of the files in ascending order.
    fn read(
        &self,
        profile_files: &ProfileFiles<'_>,
        (at, SourceTree { files: tree, .. }): (&RepositoryCommit, &SourceTree),
        is_to_read: impl Fn(&str) -> bool,
    ) -> Result<Vec<(usize, FileSource)>> {
        let RepositoryCommit { repository, commit, .. } = at;
        let to_read = profile_files.paths.iter().flatten().filter(|path| is_to_read(path));
        let to_read: Vec<ObjectId> = to_read.filter_map(|path| tree.blob(path).cloned()).collect();
        let lacking = self.fetched(at, commit, &to_read)?;
        let readable: Vec<(usize, &str)> = profile_files
            .paths
            .iter()
            .enumerate()
            .filter_map(|(index, path)| path.as_deref().map(|path| (index, path)))
            .filter(|(_, path)| {
                is_to_read(path) && tree.blob(path).is_some_and(|blob| !lacking.contains(blob))
            })
            .collect();
        let ids: Vec<ObjectId> = readable.iter().filter_map(|(_, path)| tree.blob(path).cloned()).collect();
        let read = repository.blobs(&ids, |at, text| {
            let (index, path) = readable[at];
            match text {
                BlobContent::Text(text) => profile_files.with_text(index, path, text, scan(text)),
                BlobContent::Missing => {
                    profile_files.without_text(index, Some(path), NoSource::NotInRepository)
                }
                BlobContent::TooLarge => profile_files.without_text(index, Some(path), NoSource::TooLarge),
            }
        })?;
        Ok(readable.iter().map(|(index, _)| *index).zip(read).collect())
    }
}

/// Returns the paths of files by their names in profiles, after following links, and the links without a target by the
/// indexes of their files.
pub(super) fn paths_of(names: &[&str], source: &SourceTree) -> (ResolvedPaths, HashMap<usize, LostLink>) {
    let links = &source.links;
    let ResolvedPaths { paths, ambiguous } = resolved_names(names, source);
    let mut lost = HashMap::new();
    let paths = paths.into_iter().enumerate().map(|(index, path)| match links.follow(path.as_ref()?) {
        Some(Ok(to)) => Some(to),
        Some(Err(why)) => {
            lost.insert(index, why);
            path
        }
        None => path,
    });
    let paths = paths.collect();
    (ResolvedPaths { paths, ambiguous }, lost)
}

/// Returns the paths at which the tree has files, by their names in profiles. Of links that lead to the folder the folder is
/// taken, and a file that is a link is at the path of the link.
pub(super) fn places_of(names: &[&str], source: &SourceTree) -> Vec<Option<String>> {
    let place = |path: String| {
        let (folder, file) = path.rsplit_once('/')?;
        let folder = source.links.follow(folder)?.ok()?;
        Some(if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") })
    };
    let paths = resolved_names(names, source).paths;
    paths.into_iter().map(|path| path.map(|path| place(path.clone()).unwrap_or(path))).collect()
}

/// Returns the paths of files by their names in profiles, before links are followed.
fn resolved_names(names: &[&str], source: &SourceTree) -> ResolvedPaths {
    let SourceTree { files: tree, links, modules, .. } = source;
    // A link without a target is a file of the commit, too.
    let leads = |path: &str| links.follow(path).is_some_and(|to| to.map_or(true, |to| tree.has(&to)));
    modules.resolve(names, |path| tree.has(path) || leads(path))
}

/// The files of a profile that are combined with their texts.
#[derive(Clone, Copy)]
struct ProfileFiles<'a> {
    profile: &'a Profile,
    files: &'a [BuildFile<'a>],
    /// Paths of the files in the repository, if they are known.
    paths: &'a [Option<String>],
    needs: FileNeeds<'a>,
}

impl ProfileFiles<'_> {
    fn counts(&self, index: usize) -> &[u64] {
        let (first, end) = self.files[index].range;
        &self.profile.counts[first..end]
    }

    fn with_text(
        &self,
        index: usize,
        path: &str,
        text: &[u8],
        scanned: Result<ScannedFile, SyntaxError>,
    ) -> FileSource {
        FileSource::from_text((path, text, scanned), &self.files[index], self.counts(index), self.needs)
    }

    fn without_text(&self, index: usize, path: Option<&str>, why: NoSource) -> FileSource {
        FileSource::without_text(path, why, &self.files[index], self.counts(index), self.needs)
    }
}

/// Returns the warning that another folder of the repository fits the profile, too.
fn ambiguity(AmbiguousModule { module, taken, others }: &AmbiguousModule) -> String {
    let shown =
        |folder: &str| format!("\"{}\"", if folder.is_empty() { ".".into() } else { in_message(folder) });
    let folders: Vec<String> = others.iter().map(|(_, folder)| shown(folder)).collect();
    let what = match others.iter().all(|(other, _)| other == module) {
        true => format!("\"{}\" in several folders that fit", in_message(module)),
        false => "several modules that fit".to_owned(),
    };
    format!(
        "the repository has {what} the profile; the source of {} is used, not that of {}",
        shown(taken),
        folders.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_one_module_and_of_several_are_told_apart() {
        let warning = |others: &[(&str, &str)]| {
            let others = others.iter().map(|(module, folder)| ((*module).to_owned(), (*folder).to_owned()));
            ambiguity(&AmbiguousModule {
                module: "m".to_owned(),
                taken: String::new(),
                others: others.collect(),
            })
        };
        assert_eq!(
            warning(&[("m", "a"), ("m", "b")]),
            "the repository has \"m\" in several folders that fit the profile; the source of \".\" is used, not that of \
             \"a\", \"b\""
        );
        assert_eq!(
            warning(&[("m/sub", "sub")]),
            "the repository has several modules that fit the profile; the source of \".\" is used, not that of \"sub\""
        );
    }
}
