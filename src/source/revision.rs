//! The commit that a report's source is of: what names it, and how it is found.

use anyhow::{Result, bail};

use super::{NotFetched, SourceReader};
use crate::io::git::{GitError, Network, ObjectId, Repository};
use crate::io::workdir::Reading;
use crate::names::in_message;

/// The name of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    /// A hash or the beginning of one, as a service's name has it; never a branch of that name.
    Hash(String),
    /// Any name that git resolves.
    Any(String),
}

/// A commit of a clone.
pub(crate) struct AtCommit {
    pub(crate) repository: Repository,
    pub(crate) network: Network,
    pub(crate) commit: ObjectId,
}

impl SourceReader<'_> {
    /// Finds a revision, cloned and fetched where it has to be.
    pub(crate) fn at(&self, revision: &Revision, reading: &Reading) -> Result<AtCommit> {
        let network = self.network()?;
        let repository = self.open(reading, &network)?;
        let commit = self.find(&repository, revision, &network)?;
        Ok(AtCommit { repository, network, commit })
    }

    /// Returns the commit, fetched where it has to be.
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
            // A branch moves on, and without a fetch the clone would keep its old commit.
            (Ok(known), Revision::Any(name)) if !self.is_offline && !is_hash(name) => {
                return match repository.fetch_heads_and_tags(network) {
                    Ok(()) => Ok(look()?),
                    Err(GitError::NoRemote { .. }) => Ok(known),
                    Err(error) => {
                        self.warn(format!(
                            "{error}; \"{}\" is taken as this clone knows it",
                            in_message(name)
                        ));
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
        // Servers take only full hashes, and some give no commit that is on no branch or tag.
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

/// Tells whether a revision is a hash, or the beginning of one, by its looks.
pub(super) fn is_hash(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
