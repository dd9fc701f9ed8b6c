//! The commits of an app that a clone has, without any fetch.

use std::time::Duration;

use anyhow::Result;

use super::SourceReader;
use crate::io::git::{GitError, RemoteUrl, Timeout};

/// The state of the source of an app for some commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoredCommits {
    /// No commit was asked for.
    NoneRun,
    /// The clone has all of these.
    All(Vec<String>),
    /// The clone lacks this one, the first of several.
    Missing { commit: String, path: String },
    /// There is no clone yet, and it is made when it is needed.
    NotCloned { url: String },
    /// There is neither a clone nor a URL for one.
    NoUrl { path: String },
}

impl SourceReader<'_> {
    /// Finds out whether the clone has these commits. Each run of git may take 10 seconds.
    pub(crate) fn stored_commits(&self, commits: &[&str]) -> Result<StoredCommits> {
        const LONGEST: Duration = Duration::from_secs(10);
        if commits.is_empty() {
            return Ok(StoredCommits::NoneRun);
        }
        let workdir = &self.settings.workdir;
        let path = workdir.repository(self.app)?;
        let shown = || path.display().to_string();
        let timeout = Timeout(self.settings.config.git.timeout.min(LONGEST));
        let repository = match self.opened_within(&path, timeout) {
            Err(GitError::NoRepository { .. }) => {
                let url = self.network()?.url;
                return Ok(match url.as_ref().map(RemoteUrl::shown) {
                    Some(url) => StoredCommits::NotCloned { url },
                    None => StoredCommits::NoUrl { path: shown() },
                });
            }
            Err(GitError::NotTrusted { path, owner }) => return Err(self.not_trusted(&path, owner).into()),
            opened => opened?,
        };
        for commit in commits {
            match repository.commit(commit) {
                Ok(_) => {}
                Err(GitError::NoCommit { .. }) => {
                    return Ok(StoredCommits::Missing { commit: (*commit).to_owned(), path: shown() });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(StoredCommits::All(commits.iter().map(|commit| (*commit).to_owned()).collect()))
    }
}
