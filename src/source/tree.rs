//! The files of a commit, with the targets of its links and the folders of its modules.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};

use super::{RepositoryCommit, SourceReader};
use crate::code::gosrc::{Links, LostLink, Modules, concerns_modules, is_module_file};
use crate::fleet::records::Key;
use crate::io::git::{GitError, ObjectId, OtherTree, Tree};
use crate::phrases::count;
use crate::profile::Profile;

/// The files of a commit with its links and modules.
pub(crate) struct SourceTree {
    pub(super) files: Tree,
    pub(super) links: Links,
    pub(super) modules: Modules,
    /// Every `go.mod` could be read.
    pub(super) knows_all_modules: bool,
    /// Warnings about the tree, and about others that were made of it, which are told once.
    told: Arc<Mutex<HashSet<String>>>,
}

/// A stored state with its source.
#[derive(Clone, Copy)]
pub(crate) struct SourcedState<'a> {
    pub(crate) at: &'a RepositoryCommit,
    pub(crate) tree: &'a SourceTree,
    pub(crate) profile: &'a Profile,
    /// The keys of its rows.
    pub(crate) keys: &'a [Key],
}

/// A Go file of a tree, by the name that Go sees.
pub(super) enum LinkedFile<'t> {
    /// The file is at this path, or the link leads there.
    Text { path: Cow<'t, str>, blob: &'t ObjectId },
    /// The link leads to no file, for this reason, so that Go fails at it.
    Lost(&'static str),
    /// The place where the link leads is unknown, for this reason.
    Unknown(&'static str),
}

impl SourceTree {
    /// Returns the content of a file, or of the file that a link leads to.
    pub(super) fn blob(&self, path: &str) -> Option<&ObjectId> {
        match self.links.follow(path) {
            None => self.files.blob(path),
            Some(to) => self.files.blob(&to.ok()?),
        }
    }

    /// Returns the Go files with their paths. A link to a file is one, and a link to a folder is none, as in go/build.
    pub(super) fn go_files(&self) -> impl Iterator<Item = (&str, LinkedFile<'_>)> {
        let is_go = |path: &str| path.strip_suffix(".go").is_some();
        let files = self.files.files().iter().filter(move |(path, _)| is_go(path));
        let files = files.map(|(path, blob)| (path.as_str(), LinkedFile::Text { path: path.into(), blob }));
        let links = self.files.links().map(|(path, _)| path).filter(move |path| is_go(path));
        files.chain(links.filter_map(|path| Some((path, self.linked(path)?))))
    }

    /// Returns what a link leads to; `None` for a folder.
    fn linked(&self, path: &str) -> Option<LinkedFile<'_>> {
        let to = match self.links.follow(path) {
            None => {
                return Some(LinkedFile::Unknown("the clone lacks the place where a symbolic link leads"));
            }
            Some(Err(LostLink::Outside)) => {
                return Some(LinkedFile::Unknown("a symbolic link leads out of the repository"));
            }
            Some(Err(LostLink::Circle)) => return Some(LinkedFile::Lost("symbolic links lead in a circle")),
            Some(Ok(to)) => to,
        };
        if let Some(blob) = self.files.blob(&to) {
            return Some(LinkedFile::Text { path: to.into(), blob });
        }
        let is_in = |path: &str| path.strip_prefix(&*to).is_some_and(|rest| rest.starts_with('/'));
        let is_folder = to.is_empty() || self.files.paths().any(is_in);
        (!is_folder).then_some(LinkedFile::Lost("a symbolic link leads to no file"))
    }

    /// Tells whether a warning about the tree is new.
    pub(super) fn is_new(&self, warning: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.to_owned())
    }
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
        Ok(SourceTree { files, links, modules, knows_all_modules, told: Arc::default() })
    }

    /// Does the same for another commit of the clone, of which only what differs from `tree` is read, if that is possible.
    /// Tells whether names of files mean the same paths at both commits.
    pub(super) fn other_tree(
        &self,
        (at, tree): (&RepositoryCommit, &SourceTree),
        other: &RepositoryCommit,
    ) -> Result<(SourceTree, bool)> {
        let most = self.settings.config.git.max_files;
        let told = || Arc::clone(&tree.told);
        let of_other = || self.tree(other).map(|other| SourceTree { told: told(), ..other });
        let found = at.repository.other_tree((&at.commit, &tree.files), &other.commit, most);
        match found {
            Ok(Some(OtherTree { tree: files, changed })) => {
                let links: HashSet<&str> =
                    files.links().chain(tree.files.links()).map(|(path, _)| path).collect();
                let has_other_names =
                    changed.iter().any(|path| concerns_modules(path) || links.contains(&**path));
                if has_other_names {
                    return Ok((of_other()?, false));
                }
                let (links, modules) = (tree.links.clone(), tree.modules.clone());
                let knows_all_modules = tree.knows_all_modules;
                Ok((SourceTree { files, links, modules, knows_all_modules, told: told() }, true))
            }
            // The clone may lack folders, which are fetched then.
            Ok(None) | Err(GitError::Failed { .. }) => Ok((of_other()?, false)),
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
