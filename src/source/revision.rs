//! The commit of a report's source: its names, and the search for it.

use anyhow::{Result, bail};

use super::{NotFetched, SourceReader};
use crate::io::git::{GitError, Network, ObjectId, Repository};
use crate::io::workdir::ReadersLock;
use crate::names::in_message;

/// The name of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    /// A hash or the beginning of one, such as in a service's name. A branch of that name is not meant.
    Hash(String),
    /// Any name that git resolves.
    Any(String),
}

/// A commit of a clone.
pub(crate) struct RepositoryCommit {
    pub(crate) repository: Repository,
    pub(crate) network: Network,
    pub(crate) commit: ObjectId,
}

impl RepositoryCommit {
    /// Returns another commit of the same clone.
    pub(crate) fn beside(&self, commit: ObjectId) -> Self {
        Self { repository: self.repository.clone(), network: self.network.clone(), commit }
    }
}

impl SourceReader<'_> {
    /// Finds a revision; clones and fetches if necessary.
    pub(crate) fn at(&self, revision: &Revision, reading: &ReadersLock) -> Result<RepositoryCommit> {
        let network = self.network()?;
        let repository = self.open(reading, &network)?;
        let commit = self.find(&repository, revision, &network)?;
        Ok(RepositoryCommit { repository, network, commit })
    }

    /// Returns the commit; fetches if necessary.
    pub(super) fn find(
        &self,
        repository: &Repository,
        revision: &Revision,
        network: &Network,
    ) -> Result<ObjectId> {
        let look = || match revision {
            Revision::Hash(hash) => repository.commit(hash),
            Revision::Any(revision) => repository.revision(revision),
        };
        let full = match revision {
            Revision::Hash(hash) | Revision::Any(hash) => ObjectId::parse(&hash.to_ascii_lowercase()),
        };
        let missing = match (look(), revision) {
            (Err(missing @ GitError::NoCommit { .. }), _) => missing,
            // A branch may have new commits, which the clone lacks without a fetch.
            (Ok(known), Revision::Any(name)) if !self.is_offline && !is_hash(name) => {
                return match repository.fetch_heads_and_tags(network) {
                    Ok(()) => Ok(look()?),
                    Err(GitError::NoRemote { .. }) => Ok(known),
                    Err(error) => {
                        self.warn(format!("{error}; \"{}\" in this clone is used", in_message(name)));
                        Ok(known)
                    }
                };
            }
            (found, _) => return Ok(found?),
        };
        if self.is_offline {
            bail!("{missing}; without --offline it is fetched");
        }
        self.tell_progress(format!("{missing}, fetching"));
        if let Some(hash) = full
            && repository.fetch_commit(&hash, network).is_ok()
        {
            return Ok(look()?);
        }
        // Servers accept only full hashes, and some refuse commits outside of branches and tags.
        let fetched = repository.fetch_heads_and_tags(network);
        match (look(), fetched) {
            (Err(missing @ GitError::NoCommit { .. }), Err(error)) => {
                bail!(NotFetched::new(format!("{missing}, and fetching failed: {error}"), &error))
            }
            (Err(missing @ GitError::NoCommit { .. }), Ok(())) => {
                bail!("{missing}, nor have the branches and tags of its remote")
            }
            (found, _) => Ok(found?),
        }
    }
}

/// Tells whether a revision looks like a hash or the beginning of one.
pub(super) fn is_hash(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
