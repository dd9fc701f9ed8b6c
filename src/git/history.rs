//! How commits relate, and what changed between two.

use super::remote::Network;
use super::{GitError, ObjectId, Repository};

/// The branch that others are merged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Such as `main`.
    pub branch: String,
    /// What it points to.
    pub commit: ObjectId,
}

impl Repository {
    /// Returns the best common ancestor of two commits; `None` where they have none.
    ///
    /// In a shallow clone the true one may lie beyond what is there.
    pub fn merge_base(&self, one: &ObjectId, other: &ObjectId) -> Result<Option<ObjectId>, GitError> {
        match self.output("merge-base", &[one.as_str(), other.as_str()], Vec::new()) {
            Ok(answer) => Ok(String::from_utf8_lossy(&answer).lines().find_map(ObjectId::parse)),
            // So it says that there is none.
            Err(GitError::Failed { code: Some(1), .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the first parent of a commit; `None` where it has none, or the clone ends there.
    pub fn parent(&self, commit: &ObjectId) -> Result<Option<ObjectId>, GitError> {
        Ok(self.checked(format!("{commit}^1^{{commit}}\n"))?.pop())
    }

    /// Asks the remote which branch is its default, and fetches that.
    pub fn fetch_default_branch(&self, network: &Network) -> Result<Tip, GitError> {
        let branch = self.remote_head(network)?;
        let tracked = format!("refs/remotes/origin/{branch}");
        self.fetch_refs(&format!("+refs/heads/{branch}:{tracked}"), network)?;
        self.tip(&branch, &[tracked])?.ok_or(GitError::NoDefaultBranch { path: self.path.clone() })
    }

    /// Returns the default branch as far as this clone knows it.
    pub fn known_default_branch(&self) -> Result<Tip, GitError> {
        const REMOTE_HEADS: &str = "refs/remotes/";
        let none = || GitError::NoDefaultBranch { path: self.path.clone() };
        let arguments = ["--format=%(symref)", "refs/remotes/*/HEAD"];
        let listed = self.output("for-each-ref", &arguments, Vec::new())?;
        let listed = String::from_utf8_lossy(&listed);
        let heads = || listed.lines().filter_map(|line| line.strip_prefix(REMOTE_HEADS)?.split_once('/'));
        let head = heads().find(|(remote, _)| *remote == "origin").or_else(|| heads().next());
        if let Some((remote, branch)) = head {
            return self.tip(branch, &[format!("{REMOTE_HEADS}{remote}/{branch}")])?.ok_or_else(none);
        }
        // A bare clone's own is what it found at the remote; of any other it is what somebody works on.
        let is_bare = self.output("rev-parse", &["--is-bare-repository"], Vec::new())?.starts_with(b"true");
        let head = self.output("symbolic-ref", &["--quiet", "HEAD"], Vec::new());
        let (true, Ok(head)) = (is_bare, head) else { return Err(none()) };
        let head = String::from_utf8_lossy(&head);
        let branch = head.trim().strip_prefix("refs/heads/").ok_or_else(none)?;
        let refs = [format!("refs/remotes/origin/{branch}"), format!("refs/heads/{branch}")];
        self.tip(branch, &refs)?.ok_or_else(none)
    }

    /// Returns what one of these references points to, the one that goes furthest.
    fn tip(&self, branch: &str, refs: &[String]) -> Result<Option<Tip>, GitError> {
        let questions: String = refs.iter().flat_map(|name| [name, "^{commit}\n"]).collect();
        let mut commits = self.checked(questions)?.into_iter();
        let Some(mut commit) = commits.next() else { return Ok(None) };
        for other in commits {
            if self.merge_base(&commit, &other)?.as_ref() == Some(&commit) {
                commit = other;
            }
        }
        Ok(Some(Tip { branch: branch.to_owned(), commit }))
    }

    /// Returns what changed in Go files from one commit to another, as a unified diff without context.
    ///
    /// The contents of both have to be there.
    pub fn diff(&self, from: &ObjectId, to: &ObjectId) -> Result<Vec<u8>, GitError> {
        let arguments = [
            "-r",
            "-p",
            "--unified=0",
            "--find-renames",
            // However many files moved, and whatever the repository's configuration says.
            "-l0",
            "--full-index",
            // Attributes of the repository may call a source file binary.
            "--text",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            from.as_str(),
            to.as_str(),
            "--",
            "*.go",
        ];
        self.output("diff-tree", &arguments, Vec::new())
    }

    /// Returns the contents that [`Repository::diff`] looks at.
    pub fn changed_blobs(&self, from: &ObjectId, to: &ObjectId) -> Result<Vec<ObjectId>, GitError> {
        let arguments =
            ["-r", "--raw", "-z", "--no-renames", "--no-abbrev", from.as_str(), to.as_str(), "--", "*.go"];
        let listed = self.output("diff-tree", &arguments, Vec::new())?;
        // ":<mode> <mode> <hash> <hash> <status>", then the path.
        let entries = listed.split(|&byte| byte == 0).filter(|entry| entry.starts_with(b":"));
        let mut blobs: Vec<ObjectId> = entries
            .flat_map(|entry| {
                String::from_utf8_lossy(entry).split(' ').filter_map(ObjectId::parse).collect::<Vec<_>>()
            })
            .filter(|blob| blob.as_str().bytes().any(|digit| digit != b'0'))
            .collect();
        blobs.sort_unstable();
        blobs.dedup();
        Ok(blobs)
    }
}
