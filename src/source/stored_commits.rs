//! The commits of an app that a clone has, without any fetch.

use std::time::Duration;

use anyhow::Result;

use super::SourceReader;
use crate::io::clock::Deadline;
use crate::io::git::{self, GitError, Network, RemoteUrl, Timeout};

/// Longest time that a run of git may take here.
const LONGEST: Duration = Duration::from_secs(10);

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
    NotCloned {
        url: String,
        /// Whether the remote has a commit; `None`: it was not asked. An error is the message that a report would have.
        has_commit: Option<Result<bool, String>>,
    },
    /// There is neither a clone nor a URL for one.
    NoUrl { path: String },
}

impl SourceReader<'_> {
    /// Finds out whether the clone has these commits. Each run of git may take 10 seconds. The remote of an app without a
    /// clone is asked before the deadline, and nothing is fetched.
    pub(crate) fn stored_commits(&self, commits: &[&str], deadline: Deadline) -> Result<StoredCommits> {
        if commits.is_empty() {
            return Ok(StoredCommits::NoneRun);
        }
        let workdir = &self.settings.workdir;
        let path = workdir.repository(self.app)?;
        let shown = || path.display().to_string();
        let timeout = Timeout(self.settings.config.git.timeout.min(LONGEST));
        let repository = match self.opened_within(&path, timeout) {
            Err(GitError::NoRepository { .. }) => {
                let network = self.network()?;
                return Ok(match &network.url {
                    Some(url) => StoredCommits::NotCloned {
                        url: url.shown(),
                        has_commit: self.has_remote_commit(url, &network, deadline),
                    },
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

    /// Asks the remote of a clone that is still to be made whether it has a commit. Offline, a protocol that is not allowed
    /// is told at least.
    fn has_remote_commit(
        &self,
        url: &RemoteUrl,
        network: &Network,
        deadline: Deadline,
    ) -> Option<Result<bool, String>> {
        let left = deadline.left().unwrap_or(LONGEST).min(LONGEST);
        match network.refuses(url) {
            false if self.is_offline => return None,
            false if left.is_zero() => {
                return Some(Err(format!(
                    "{} was not asked, because the time for that was over",
                    url.shown()
                )));
            }
            _ => {}
        }
        let timeout = Timeout(network.timeout.0.min(left.max(Duration::from_secs(1))));
        let answered = git::reach(url, &Network { timeout, ..network.clone() });
        Some(answered.map_err(|error| self.not_cloned(url, &error)))
    }
}
