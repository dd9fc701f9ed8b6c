//! A folder through which git reads a repository without its configuration.
//!
//! Git obeys the configuration of the repository that it reads, and each of its releases may know new settings that name
//! a program. So git is never given a clone: it is given a folder of this program's own, with a configuration of this
//! program's own, in which links lead to the clone's objects and references. A clone may name programs in its
//! configuration, its hooks and its attributes, and git sees none of these.

use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::error::GitError;
use super::layout::{CloneLayout, read, refuse_pipe};

/// Parts of a repository that are data. They need not exist: git ignores a dangling link.
const SHARED: [&str; 7] = ["objects", "refs", "packed-refs", "reftable", "shallow", "logs", "FETCH_HEAD"];
/// Parts of a linked worktree that are its own.
const WORKTREE_PARTS: [&str; 4] = ["refs", "reftable", "logs", "FETCH_HEAD"];

/// Files that git reads to their end.
const READ_BY_GIT: [&str; 6] =
    ["config", "config.worktree", "packed-refs", "shallow", "FETCH_HEAD", "objects/info/alternates"];

const REPOSITORY: &str = "repository";
const WORKTREE: &str = "worktree";

/// A folder for git, which is removed when this value is dropped.
#[derive(Debug)]
pub(super) struct View {
    folder: PathBuf,
    git_dir: PathBuf,
}

impl View {
    /// Makes the view of a repository whose format these settings describe.
    pub(super) fn new(layout: &CloneLayout, format: &[FormatSetting]) -> Result<Self, GitError> {
        for path in READ_BY_GIT.map(|part| layout.common_dir.join(part)) {
            refuse_pipe(&path).map_err(|reason| GitError::Unreadable { path, reason })?;
        }
        let heads = [head_of(&layout.common_dir)?, head_of(&layout.git_dir)?];
        let folder = new_folder()?;
        let is_worktree = layout.git_dir != layout.common_dir;
        // The folder is removed with this value from here on, also after an error.
        let view = Self { git_dir: folder.join(if is_worktree { WORKTREE } else { REPOSITORY }), folder };
        match view.fill(layout, format, &heads) {
            Ok(()) => Ok(view),
            Err(reason) => Err(GitError::NoView { path: view.folder.clone(), reason }),
        }
    }

    /// Returns the folder for `--git-dir`.
    pub(super) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    fn fill(&self, layout: &CloneLayout, format: &[FormatSetting], heads: &[String; 2]) -> io::Result<()> {
        let [head, head_of_worktree] = heads;
        let common = self.folder.join(REPOSITORY);
        link_parts(&layout.common_dir, &common, &SHARED)?;
        write(&common.join("HEAD"), head)?;
        write(&common.join("config"), &config(format))?;
        if self.git_dir != common {
            link_parts(&layout.git_dir, &self.git_dir, &WORKTREE_PARTS)?;
            write(&self.git_dir.join("HEAD"), head_of_worktree)?;
            write(&self.git_dir.join("commondir"), &format!("../{REPOSITORY}\n"))?;
        }
        Ok(())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // Links are removed themselves, not their targets.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A setting of how a repository is stored, as `extensions.objectformat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FormatSetting {
    key: String,
    value: String,
}

/// Reads the output of `git config --null --get-regexp` for [`FORMAT_SETTINGS`].
///
/// An unknown extension is kept, so that a git that does not know it either refuses to read.
pub(super) fn format_settings(listed: &str) -> Vec<FormatSetting> {
    // These settings lead to more configuration, or to a server that has missing objects.
    const LEFT_OUT: [&str; 2] = ["extensions.worktreeconfig", "extensions.partialclone"];
    let setting = |entry: &str| {
        let (key, value) = entry.split_once('\n')?;
        let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let is_plain = key.split('.').count() == 2 && key.split('.').all(is_word) && is_word(value);
        let is_used = is_plain && !LEFT_OUT.contains(&key);
        is_used.then(|| FormatSetting { key: key.to_owned(), value: value.to_owned() })
    };
    listed.split('\0').filter_map(setting).collect()
}

/// Pattern of the settings of how a repository is stored.
pub(super) const FORMAT_SETTINGS: &str = r"^(core\.repositoryformatversion|extensions\.[^.]*)$";

/// Tells whether a configuration may describe another format than the usual one.
pub(super) fn may_say_format(config: &[u8]) -> bool {
    String::from_utf8_lossy(config).to_ascii_lowercase().contains("extensions")
}

/// Returns the configuration of a view. Git reads no other.
fn config(format: &[FormatSetting]) -> String {
    let mut text = "[core]\n\tbare = true\n".to_owned();
    for FormatSetting { key, value } in format {
        if let Some((section, key)) = key.split_once('.') {
            text.extend(["[", section, "]\n\t", key, " = ", value, "\n"]);
        }
    }
    text
}

/// Returns the text of a repository's `HEAD`. A link as `HEAD` means the branch of its target, as git reads it.
fn head_of(git_dir: &Path) -> Result<String, GitError> {
    let head = git_dir.join("HEAD");
    if let Ok(target) = fs::read_link(&head)
        && let Some(branch) = target.to_str().filter(|target| target.starts_with("refs/"))
    {
        return Ok(format!("ref: {branch}\n"));
    }
    read(&head).map_err(|reason| GitError::Unreadable { path: head, reason })
}

/// Makes a temporary folder that only this user may read.
fn new_folder() -> Result<PathBuf, GitError> {
    // The second place exists even in a container with a read-only file system.
    let places = [std::env::temp_dir(), PathBuf::from("/dev/shm")];
    let mut refused = None;
    for place in places {
        let name = OsString::from(format!("goc-watchdog-git.{:016x}", fastrand::u64(..)));
        // Git has another working folder, so the path must be absolute.
        let folder = std::path::absolute(&place).unwrap_or(place).join(name);
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(reason) => drop(refused.get_or_insert((folder, reason))),
        }
    }
    let (path, reason) = refused.expect("two places were tried");
    Err(GitError::NoView { path, reason })
}

fn link_parts(from: &Path, to: &Path, parts: &[&str]) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(to)?;
    parts.iter().try_for_each(|part| symlink(from.join(part), to.join(part)))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "nothing of a view outlives the process")]
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_told_the_format_of_a_repository_and_nothing_else() {
        let listed = "core.repositoryformatversion\n1\0extensions.objectformat\nsha256\0extensions.worktreeconfig\ntrue\0\
                      extensions.partialclone\norigin\0extensions.refstorage\nreftable\0extensions.x\na\n[core]\0\
                      extensions.a.b\nc\0extensions.bare\0";
        assert_eq!(
            config(&format_settings(listed)),
            "[core]\n\tbare = true\n[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n\
             [extensions]\n\trefstorage = reftable\n"
        );
        assert!(may_say_format(b"[Extensions]\n"));
        assert!(!may_say_format(b"[core]\n\tbare = true\n[remote \"origin\"]\n"));
    }
}
