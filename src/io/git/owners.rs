//! The users whose repositories are read. Git's own check of the owner is off when a repository is named by
//! `--git-dir`.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;
use std::{fs, io};

use super::error::GitError;
use crate::access::Caller;

const ROOT: u32 = 0;

/// Users whose repositories are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrustedOwners {
    caller: Caller,
    /// Owner and group of the work directory.
    of_root: Option<(u32, u32)>,
    trusted: BTreeSet<u32>,
}

impl TrustedOwners {
    /// Trusts this process's user, root, the owner of the work directory and those that are configured; under
    /// `sudo` also the user who called it, as git does (`ensure_valid_ownership` in its path.c).
    #[must_use]
    pub(crate) fn new(root: &Path, caller: Caller, configured: impl IntoIterator<Item = u32>) -> Self {
        let of_root = fs::metadata(root).ok().map(|root| (root.uid(), root.gid()));
        Self::of_users(caller, of_root, configured)
    }

    fn of_users(
        caller: Caller,
        of_root: Option<(u32, u32)>,
        configured: impl IntoIterator<Item = u32>,
    ) -> Self {
        let mut trusted = BTreeSet::from([caller.uid, ROOT]);
        trusted.extend(of_root.map(|(owner, _)| owner));
        trusted.extend(caller.sudo_uid.filter(|_| caller.uid == ROOT));
        trusted.extend(configured);
        Self { caller, of_root, trusted }
    }

    /// Fails if a file or folder, or the target of a link, belongs to another user. A missing file passes.
    pub(super) fn check(&self, path: &Path) -> Result<(), GitError> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(reason) => return Err(GitError::Unreadable { path: path.to_owned(), reason }),
        };
        match self.trusted.contains(&metadata.uid()) {
            true => Ok(()),
            false => Err(GitError::NotTrusted { path: path.to_owned(), owner: metadata.uid() }),
        }
    }

    /// Tells whether git may fetch into a folder of this owner, whose configuration git obeys.
    pub(super) fn may_fetch_into(&self, owner: u32) -> bool {
        let of_root = self.of_root.map(|(owner, _)| owner);
        owner == self.caller.uid || (self.caller.uid == ROOT && Some(owner) == of_root)
    }

    /// Gives a folder that root made, with all its content, to the owner and the group of the work directory, who could
    /// not use it later otherwise.
    ///
    /// A failure is ignored: root in a container may lack the right to do so, and the owner gets an error later.
    pub(super) fn hand_over(&self, folder: &Path) {
        let Some((owner, group)) = self.of_root else { return };
        if !self.caller.gives_files_to(owner) {
            return;
        }
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let _ = lchown(&folder, Some(owner), Some(group));
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    _ => drop(lchown(entry.path(), Some(owner), Some(group))),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_read_of_this_user_root_the_owner_of_the_work_directory_and_those_configured() {
        let owners =
            TrustedOwners::of_users(Caller { uid: 1000, sudo_uid: Some(1005) }, Some((1001, 1001)), [65533]);
        let trusted = [0, 1000, 1001, 1005, 1002, 65533].map(|uid| owners.trusted.contains(&uid));
        assert_eq!(trusted, [true, true, true, false, false, true], "sudo counts for root alone");
        let root = TrustedOwners::of_users(Caller { uid: 0, sudo_uid: Some(1005) }, Some((0, 0)), []);
        assert_eq!([0, 1005, 65534].map(|uid| root.trusted.contains(&uid)), [true, true, false]);
    }

    #[test]
    fn git_fetches_into_folders_of_its_own_user() {
        let cases = [
            // user, owner of the work directory, owner of the folder, allowed
            (1000, 1000, 1000, true),
            (1000, 1001, 1001, false),
            (1000, 1000, 0, false),
            (0, 0, 0, true),
            (0, 1000, 1000, true),
            (0, 0, 1000, false),
        ];
        for (user, of_root, owner, is_allowed) in cases {
            let owners = TrustedOwners::of_users(
                Caller { uid: user, sudo_uid: None },
                Some((of_root, of_root)),
                [owner],
            );
            assert_eq!(owners.may_fetch_into(owner), is_allowed, "{user} {of_root} {owner}");
        }
    }
}
