//! Paths of the parts of a clone, found without git, before git reads anything of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::GitError;
use super::owners::TrustedOwners;

/// The folders of a clone, without links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CloneLayout {
    /// Folder of this worktree.
    pub(super) git_dir: PathBuf,
    /// Folder that all worktrees share: configuration, references and objects.
    pub(super) common_dir: PathBuf,
}

impl CloneLayout {
    /// Finds the repository in a folder: a bare one, or one with a working tree, also a linked one. A repository in a
    /// folder above is never used. Fails if a part of it, or of the object folders that it borrows from, belongs to a
    /// user who is not trusted.
    pub(super) fn find(path: &Path, owners: &TrustedOwners) -> Result<Self, GitError> {
        let none = || GitError::NoRepository { path: path.to_owned() };
        let inner = path.join(".git");
        let is_there = |path: &Path| match path.metadata() {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(reason) => Err(unreadable(path, reason)),
        };
        let is_bare = || path.join("HEAD").is_file() && path.join("objects").is_dir();
        let has_inner = is_there(&inner)?;
        if !has_inner && !is_bare() {
            return Err(none());
        }
        owners.check(path)?;
        let git_dir = if has_inner {
            owners.check(&inner)?;
            let leads_to = linked(&inner, "gitdir: ").map_err(|reason| unreadable(&inner, reason))?;
            leads_to.unwrap_or(inner)
        } else {
            path.to_owned()
        };
        owners.check(&git_dir)?;
        let git_dir = git_dir.canonicalize().map_err(|_| none())?;
        let common = git_dir.join("commondir");
        let common_dir = linked(&common, "").map_err(|reason| unreadable(&common, reason))?;
        let common_dir = common_dir.unwrap_or_else(|| git_dir.clone());
        owners.check(&common_dir)?;
        let common_dir = common_dir.canonicalize().map_err(|_| none())?;
        for part in ["config", "HEAD", "refs", "packed-refs", "shallow", "info"] {
            owners.check(&common_dir.join(part))?;
        }
        let layout = Self { git_dir, common_dir };
        check_objects(layout.objects(), owners)?;
        Ok(layout)
    }

    /// Returns the folder of its objects.
    pub(super) fn objects(&self) -> PathBuf {
        self.common_dir.join("objects")
    }
}

/// Tells whether the file, or a folder above it, is missing.
fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// Checks the owners of a folder of objects, and of the folders that it borrows from.
fn check_objects(objects: PathBuf, owners: &TrustedOwners) -> Result<(), GitError> {
    let mut seen = BTreeSet::new();
    let mut to_check = vec![objects];
    while let Some(objects) = to_check.pop() {
        owners.check(&objects)?;
        // A missing folder lends no objects.
        let Ok(objects) = objects.canonicalize() else { continue };
        let list = objects.join("info/alternates");
        owners.check(&list)?;
        if !seen.insert(objects.clone()) || !list.exists() {
            continue;
        }
        let borrowed = read(&list).map_err(|reason| unreadable(&list, reason))?;
        for line in borrowed.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if line.starts_with('"') {
                let reason = std::io::Error::other("a quoted path, which git alone can read");
                return Err(unreadable(&list, reason));
            }
            to_check.push(objects.join(line));
        }
    }
    Ok(())
}

/// Returns the folder that a file names after `prefix`, relative to the folder of the file; `None` if it is not a file.
fn linked(file: &Path, prefix: &str) -> std::io::Result<Option<PathBuf>> {
    if !file.is_file() {
        return Ok(None);
    }
    let text = read(file)?;
    let folder = text.trim_end_matches(['\r', '\n']).strip_prefix(prefix);
    Ok(folder.map(|folder| file.parent().unwrap_or(Path::new("")).join(folder)))
}

/// Reads a small file of a repository.
pub(super) fn read(file: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    const MAX_BYTES: u64 = 1 << 20;
    let mut text = Vec::new();
    refuse_pipe(file)?;
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that reads repositories")]
    let length = fs::File::open(file)?.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    match length as u64 > MAX_BYTES {
        true => Err(std::io::ErrorKind::FileTooLarge.into()),
        false => Ok(String::from_utf8_lossy(&text).into_owned()),
    }
}

/// Fails for a pipe or a device, because this program, or git, would wait for its end for ever.
pub(super) fn refuse_pipe(file: &Path) -> std::io::Result<()> {
    match file.metadata() {
        Ok(found) if !found.is_file() && !found.is_dir() => {
            Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file"))
        }
        _ => Ok(()),
    }
}

fn unreadable(path: &Path, reason: std::io::Error) -> GitError {
    GitError::Unreadable { path: path.to_owned(), reason }
}
