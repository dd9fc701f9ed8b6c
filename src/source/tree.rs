//! The files of a commit, with the targets of its links and the folders of its modules.

use std::collections::HashSet;

use anyhow::{Result, bail};

use super::{RepositoryCommit, SourceReader};
use crate::code::gosrc::{Links, Modules, concerns_modules, is_module_file};
use crate::io::git::{GitError, ObjectId, OtherTree, Tree};
use crate::phrases::count;

/// The files of a commit with its links and modules.
pub(crate) struct SourceTree {
    pub(super) files: Tree,
    pub(super) links: Links,
    pub(super) modules: Modules,
    /// Every `go.mod` could be read.
    pub(super) knows_all_modules: bool,
}

impl SourceReader<'_> {
    /// Returns the files of a commit with the targets of its links and the folders of its modules.
    pub(crate) fn tree(&self, at: &RepositoryCommit) -> Result<SourceTree> {
        /// The length of the longest path (`PATH_MAX`).
        const LONGEST_LINK: usize = 4096;
        let RepositoryCommit { repository, commit, .. } = at;
        let files = self.files(at, commit)?;
        let of_modules = files.paths().filter(|path| is_module_file(path));
        let of_modules = of_modules.filter_map(|path| Some((path, files.blob(path)?)));
        let (paths, blobs): (Vec<&str>, Vec<ObjectId>) =
            of_modules.chain(files.links()).map(|(path, blob)| (path, blob.clone())).unzip();
        let lacking = self.fetched(at, commit, &blobs)?;
        let (present, blobs): (Vec<&str>, Vec<ObjectId>) =
            paths.iter().zip(blobs).filter(|(_, blob)| !lacking.contains(blob)).unzip();
        let texts = repository
            .blobs(&blobs, |_, text| text.text().map(|text| String::from_utf8_lossy(text).into_owned()))?;
        let knows_all_modules = texts.iter().flatten().count() == paths.len();
        let texts = present.iter().zip(texts).filter_map(|(path, text)| Some((*path, text?)));
        let (modules, links): (Vec<_>, Vec<_>) = texts.partition(|(path, _)| files.has(path));
        let links = links.into_iter().filter(|(_, target)| target.len() <= LONGEST_LINK);
        let links = Links::new(links.map(|(path, target)| (path.to_owned(), target)));
        let modules = modules.iter().map(|(path, text)| (*path, text.as_str()));
        let modules = Modules::new(files.paths(), modules);
        Ok(SourceTree { files, links, modules, knows_all_modules })
    }

    /// Does the same for another commit of the clone, of which only what differs from `tree` is read, if that is possible.
    /// Tells whether names of files mean the same paths at both commits.
    pub(super) fn other_tree(
        &self,
        (at, tree): (&RepositoryCommit, &SourceTree),
        other: &RepositoryCommit,
    ) -> Result<(SourceTree, bool)> {
        let most = self.settings.config.git.max_files;
        let found = at.repository.other_tree((&at.commit, &tree.files), &other.commit, most);
        match found {
            Ok(Some(OtherTree { tree: files, changed })) => {
                let links: HashSet<&str> =
                    files.links().chain(tree.files.links()).map(|(path, _)| path).collect();
                let has_other_names =
                    changed.iter().any(|path| concerns_modules(path) || links.contains(&**path));
                if has_other_names {
                    return Ok((self.tree(other)?, false));
                }
                let (links, modules) = (tree.links.clone(), tree.modules.clone());
                let knows_all_modules = tree.knows_all_modules;
                Ok((SourceTree { files, links, modules, knows_all_modules }, true))
            }
            // The clone may lack folders, which are fetched then.
            Ok(None) | Err(GitError::Failed { .. }) => Ok((self.tree(other)?, false)),
            Err(error) => Err(error.into()),
        }
    }

    /// Lists the files of a commit; fetches its folders if the clone lacks them.
    pub(super) fn files(
        &self,
        RepositoryCommit { repository, network, .. }: &RepositoryCommit,
        commit: &ObjectId,
    ) -> Result<Tree> {
        let most = self.settings.config.git.max_files;
        match repository.files(commit, most) {
            Err(error @ GitError::Failed { .. }) if repository.is_partial() => {
                if self.is_offline {
                    bail!("{error}; without --offline the folders of the commit are fetched");
                }
                repository.fetch_trees(commit, network)?;
                Ok(repository.files(commit, most)?)
            }
            files => Ok(files?),
        }
    }

    /// Fetches the missing blobs of a commit together, and fails if some are still missing.
    pub(super) fn fetched_all(&self, at: &RepositoryCommit, blobs: &[ObjectId]) -> Result<()> {
        match self.fetched(at, &at.commit, blobs)?.len() {
            0 => Ok(()),
            lacking => bail!("the clone lacks {} of commit {}", count(lacking, "files"), at.commit),
        }
    }

    /// Fetches the missing blobs of a commit together; returns those that are still missing.
    pub(super) fn fetched(
        &self,
        at: &RepositoryCommit,
        commit: &ObjectId,
        blobs: &[ObjectId],
    ) -> Result<HashSet<ObjectId>> {
        let RepositoryCommit { repository, network, .. } = at;
        let missing = repository.missing_blobs(commit, blobs)?;
        if missing.is_empty() {
            return Ok(HashSet::new());
        }
        let lacking = match missing.len() {
            1 => "1 file is not in the clone".to_owned(),
            number => format!("{number} files are not in the clone"),
        };
        if self.is_offline {
            self.warn(format!("{lacking}; without --offline they are fetched"));
            return Ok(missing.into_iter().collect());
        }
        match repository.fetch_blobs(&missing, network) {
            Ok(()) => Ok(repository.missing_blobs(commit, blobs)?.into_iter().collect()),
            Err(error) => {
                self.warn(format!("{lacking}, and fetching failed: {error}"));
                Ok(missing.into_iter().collect())
            }
        }
    }
}
