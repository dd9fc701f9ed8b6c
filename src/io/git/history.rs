//! Relations of commits, and the files that changed between two.

use super::Repository;
use super::error::GitError;
use super::network::Network;
use super::object::ObjectId;

/// The branch that others are merged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DefaultBranch {
    /// Name, as `main`.
    pub branch: String,
    /// Its newest commit.
    pub commit: ObjectId,
}

impl Repository {
    /// Returns the best common ancestor of two commits; `None` if they have none.
    ///
    /// In a shallow clone the true ancestor may lie beyond the end of its history.
    pub(crate) fn merge_base(&self, one: &ObjectId, other: &ObjectId) -> Result<Option<ObjectId>, GitError> {
        match self.output("merge-base", &[one.as_str(), other.as_str()], Vec::new()) {
            Ok(answer) => Ok(String::from_utf8_lossy(&answer).lines().find_map(ObjectId::parse)),
            // Git ends with code 1 if there is none.
            Err(GitError::Failed { code: Some(1), .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the first parent of a commit; `None` if it has none, or the history is cut off there.
    pub(crate) fn parent(&self, commit: &ObjectId) -> Result<Option<ObjectId>, GitError> {
        self.look_up(&format!("{commit}^1^{{commit}}"))
    }

    /// Asks the remote for its default branch, and fetches that.
    pub(crate) fn fetch_default_branch(&self, network: &Network) -> Result<DefaultBranch, GitError> {
        let branch = self.remote_head(network)?;
        let tracked = format!("refs/remotes/origin/{branch}");
        self.fetch_refs(&format!("+refs/heads/{branch}:{tracked}"), network)?;
        self.tip(&branch, &[tracked])?.ok_or(GitError::NoDefaultBranch { path: self.path.clone() })
    }

    /// Returns the default branch that this clone knows.
    pub(crate) fn known_default_branch(&self) -> Result<DefaultBranch, GitError> {
        const REMOTE_HEADS: &str = "refs/remotes/";
        let none = || GitError::NoDefaultBranch { path: self.path.clone() };
        let arguments = ["--format=%(symref)", "refs/remotes/*/HEAD"];
        let listed = self.output_of_clone("for-each-ref", &arguments, Vec::new())?;
        let listed = String::from_utf8_lossy(&listed);
        let heads = || listed.lines().filter_map(|line| line.strip_prefix(REMOTE_HEADS)?.split_once('/'));
        let head = heads().find(|(remote, _)| *remote == "origin").or_else(|| heads().next());
        if let Some((remote, branch)) = head {
            return self.tip(branch, &[format!("{REMOTE_HEADS}{remote}/{branch}")])?.ok_or_else(none);
        }
        // The HEAD of a bare clone is the one of the remote; the HEAD of any other is the branch that somebody works on.
        let is_bare = self.is_bare()?;
        let head = self.output_of_clone("symbolic-ref", &["--quiet", "HEAD"], Vec::new());
        let (true, Ok(head)) = (is_bare, head) else { return Err(none()) };
        let head = String::from_utf8_lossy(&head);
        let branch = head.trim().strip_prefix("refs/heads/").ok_or_else(none)?;
        let refs = [format!("refs/remotes/origin/{branch}"), format!("refs/heads/{branch}")];
        self.tip(branch, &refs)?.ok_or_else(none)
    }

    /// Returns the newest commit that one of these references points to.
    fn tip(&self, branch: &str, refs: &[String]) -> Result<Option<DefaultBranch>, GitError> {
        let mut furthest: Option<ObjectId> = None;
        for name in refs {
            let Some(commit) = self.furthest_named(&format!("{name}^{{commit}}"))? else { continue };
            let is_further = match &furthest {
                None => true,
                Some(known) => self.is_ancestor(known, &commit)?,
            };
            if is_further {
                furthest = Some(commit);
            }
        }
        Ok(furthest.map(|commit| DefaultBranch { branch: branch.to_owned(), commit }))
    }

    /// Returns the Go files that differ between two commits. If contents are missing, only `Renames::Unknown` works.
    pub(crate) fn changed_files(
        &self,
        from: &ObjectId,
        to: &ObjectId,
        renames: Renames,
    ) -> Result<Vec<FileChange>, GitError> {
        let arguments = [
            "-r",
            "--raw",
            "-z",
            "--no-abbrev",
            renames.option(),
            UNLIMITED_RENAMES,
            from.as_str(),
            to.as_str(),
            "--",
            ALL_GO_FILES,
        ];
        let mut files = file_changes(&self.output("diff-tree", &arguments, Vec::new())?);
        if renames == Renames::Found && files.iter().any(|file| file.before.is_none()) {
            self.find_renames_from_other_files(from, to, &mut files)?;
        }
        Ok(files)
    }

    /// Finds new Go files that were renamed from other files.
    fn find_renames_from_other_files(
        &self,
        from: &ObjectId,
        to: &ObjectId,
        files: &mut [FileChange],
    ) -> Result<(), GitError> {
        // A partial clone lacks the contents of other files.
        if self.is_partial() {
            return Ok(());
        }
        let renamed_only = "--diff-filter=R";
        let arguments = [
            "-r",
            "--raw",
            "-z",
            "--no-abbrev",
            Renames::Found.option(),
            // The default limit of `git diff`; of more files it finds those that moved unchanged.
            "-l1000",
            renamed_only,
            from.as_str(),
            to.as_str(),
        ];
        let renamed = file_changes(&self.output("diff-tree", &arguments, Vec::new())?);
        for FileChange { before, after } in renamed {
            let is_other = before.as_ref().is_some_and(|before| before.path.strip_suffix(".go").is_none());
            let came = files.iter_mut().find(|file| file.before.is_none() && file.after == after);
            if let Some(file) = came.filter(|_| is_other) {
                file.before = before;
            }
        }
        Ok(())
    }
}

const ALL_GO_FILES: &str = "*.go";
const UNLIMITED_RENAMES: &str = "-l0";

/// Recognition of renamed files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renames {
    /// Renames are found by content.
    Found,
    /// A renamed file is a deleted one and a new one.
    Unknown,
}

impl Renames {
    fn option(self) -> &'static str {
        match self {
            Self::Found => "--find-renames",
            Self::Unknown => "--no-renames",
        }
    }
}

/// A Go file that differs between two commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileChange {
    /// `None` for a new file.
    pub before: Option<FileAt>,
    /// `None` for a deleted file.
    pub after: Option<FileAt>,
}

impl FileChange {
    /// Returns the path before; `None` for a new file.
    #[must_use]
    pub(crate) fn path_before(&self) -> Option<&str> {
        self.before.as_ref().map(|before| before.path.as_str())
    }

    /// Returns the path after; `None` for a deleted file.
    #[must_use]
    pub(crate) fn path_after(&self) -> Option<&str> {
        self.after.as_ref().map(|after| after.path.as_str())
    }

    /// Returns the content before and after.
    #[must_use]
    pub(crate) fn blobs(&self) -> Vec<ObjectId> {
        [&self.before, &self.after].into_iter().flatten().map(|at| at.blob.clone()).collect()
    }
}

/// A file in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileAt {
    /// Path relative to the root of the repository.
    pub path: String,
    /// Content.
    pub blob: ObjectId,
    /// The entry is a regular file, and no link.
    pub is_regular: bool,
}

/// Reads the output of `git diff-tree --raw -z`: `:<mode> <mode> <hash> <hash> <status>`, then the path, or two.
fn file_changes(listed: &[u8]) -> Vec<FileChange> {
    let mut entries = listed.split(|&byte| byte == 0);
    let mut changes = Vec::new();
    while let Some(entry) = entries.next() {
        let head = String::from_utf8_lossy(entry);
        let words: Vec<&str> = head.trim_start_matches(':').split(' ').collect();
        let ([mode_before, mode_after, before, after, status], Some(path)) = (&words[..], entries.next())
        else {
            continue;
        };
        let path_after = if status.starts_with(['R', 'C']) { entries.next().unwrap_or(path) } else { path };
        let at = |path: &[u8], mode: &str, hash: &str| {
            let is_there = mode.bytes().any(|digit| digit != b'0');
            let path = String::from_utf8_lossy(path).into_owned();
            let blob = ObjectId::parse(hash).filter(|_| is_there)?;
            Some(FileAt { path, blob, is_regular: mode.starts_with("100") })
        };
        changes.push(FileChange {
            before: at(path, mode_before, before),
            after: at(path_after, mode_after, after),
        });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_lists_is_read_with_both_paths_of_what_moved() {
        let hash = |digit: &str| digit.repeat(40);
        let none = hash("0");
        let listed = format!(
            ":100644 100755 {} {} M\0a.go\0:100644 100644 {} {} R087\0old \u{fc}.go\0new.go\0\
             :000000 120000 {none} {} A\0link.go\0:100644 000000 {} {none} D\0gone.go\0",
            hash("1"),
            hash("2"),
            hash("3"),
            hash("4"),
            hash("5"),
            hash("6"),
        );
        let shown = |at: &Option<FileAt>| {
            at.as_ref().map(|at| format!("{} {} {}", at.path, &at.blob.as_str()[..1], at.is_regular))
        };
        let read: Vec<_> = file_changes(listed.as_bytes())
            .iter()
            .map(|file| (shown(&file.before), shown(&file.after)))
            .collect();
        let some = |text: &str| Some(text.to_owned());
        let wanted = [
            (some("a.go 1 true"), some("a.go 2 true")),
            (some("old \u{fc}.go 3 true"), some("new.go 4 true")),
            (None, some("link.go 5 false")),
            (some("gone.go 6 true"), None),
        ];
        assert_eq!(read, wanted);
        assert_eq!(file_changes(b""), []);
    }
}
