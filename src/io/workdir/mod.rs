//! The work directory: its paths, its locks, and files that are written once and survive a power cut.
//!
//! ```text
//! <root>/
//!   goc-watchdog.toml         optional configuration
//!   goc-watchdog.lock         held by the one command that may write
//!   goc-watchdog.readers      held, shared, while a stored file is opened
//!   goc-watchdog.tmp/         files that reports are making
//!   sqlite.db
//!   inbox/                    snapshots that pods left when they ended
//!   inbox/<service>[/<pod>]/  Go's coverage data, which processes write there themselves
//!   <app>/repo/                         git clone, made by its owner
//!   <app>/repo.fetch/                   commits that were fetched, beside it
//!   <app>/cov_data/<app>_<N>.cov
//!   <app>/cov_data/<app>_<N>_report.txt, .html
//!   <app>/cov_data/aside/               such files that no row names
//! ```

pub(crate) mod data_folder;
mod database;
mod durable;
mod error;
mod folder;
pub(crate) mod inbox;
mod inspection;
mod lock;
pub(crate) mod misplaced;
mod outside;
mod permissions;
mod profiles;
mod scratch;
pub(crate) mod site;
mod sweep;
mod writers;

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use folder::{Folder, FolderRules, LinkPolicy};

pub(crate) use error::{FillError, WorkdirError};
pub(crate) use inspection::{FileSystemSpace, LockState};
pub(crate) use lock::{LockedWorkdir, ReadersLock};
pub(crate) use outside::{
    absolute_path, exists_outside, is_same_place, names_outside, open_outside, read_outside,
    read_small_outside, write_whole,
};
pub(crate) use profiles::{ASIDE, CovPath, report_path};
pub(crate) use sweep::{Freed, Swept};

use crate::access::Caller;
use crate::io::users;
use crate::names::escape;
use error::io_error;

/// Name of the database in the root.
pub(crate) const DATABASE: &str = "sqlite.db";
/// Name of the optional configuration in the root.
pub(crate) const CONFIGURATION: &str = "goc-watchdog.toml";
/// Size of the largest configuration that is read.
const MAX_CONFIGURATION_BYTES: u64 = 1 << 20;
const INBOX: &str = "inbox";
/// Name of the clone in an app's folder.
const REPO: &str = "repo";
/// Name of the repository beside the clone, with fetched commits.
const FETCHED: &str = "repo.fetch";

/// A work directory that may be read.
#[derive(Clone, Debug)]
pub(crate) struct Workdir {
    /// The absolute path of the root, of which no part is a link.
    root: PathBuf,
    rules: FolderRules,
}

impl Workdir {
    /// Names a work directory, which need not exist yet.
    ///
    /// Links in the path are followed now and never again. Fails if the root belongs to a user whom `caller` does not
    /// trust, unless `trusts` is set.
    pub(crate) fn new(root: &Path, caller: Caller, trusts: bool) -> Result<Self, WorkdirError> {
        let root = resolved(root);
        if let Ok(found) = fs::metadata(&root)
            && !trusts
            && !caller.trusts_root_of(found.uid())
        {
            return Err(WorkdirError::OtherOwner { path: root, owner: users::shown(found.uid()) });
        }
        Ok(Self { root, rules: FolderRules { caller, group_write: false } })
    }

    /// Lets the group write new files and folders, whatever the umask says.
    #[must_use]
    pub(crate) fn shared_with_group(mut self, group_write: bool) -> Self {
        self.rules.group_write = group_write;
        self
    }

    /// Returns the root, without links.
    #[must_use]
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Adds the owner of the root to the error of a user who may not write there.
    fn naming_owner(&self, error: WorkdirError) -> WorkdirError {
        match (error, self.owner()) {
            (WorkdirError::Io { action, path, source }, Some(owner))
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                let owner = users::shown(owner);
                WorkdirError::NotPermitted { action, path, why: source.to_string(), owner }
            }
            (error, _) => error,
        }
    }

    fn open_root(&self) -> Result<Folder, WorkdirError> {
        Folder::open_root(&self.root, self.rules)
    }

    /// Opens the folder of a path relative to the root, and returns the name in it.
    ///
    /// The path is checked: it comes from the public table of the database, which others may write.
    fn open_folder_of<'p>(&self, relative: &'p str, makes: bool) -> Result<(Folder, &'p str), WorkdirError> {
        match relative.rsplit_once('/').filter(|(_, name)| folder::is_name(name)) {
            Some((folder, name)) => Ok((self.open_root()?.below(folder, makes)?, name)),
            None => Err(folder::no_stored_path(&self.root.join(relative))),
        }
    }

    /// Returns the path of the inbox. A link in its place is followed if it belongs to this user or to root.
    pub(crate) fn inbox(&self) -> Result<PathBuf, WorkdirError> {
        self.check_links(&[INBOX])?;
        Ok(self.root.join(INBOX))
    }

    /// Returns the path of an app's repository, which need not exist. A link in the place of it or of the app's folder is
    /// followed if it belongs to this user or to root.
    pub(crate) fn repository(&self, app: &str) -> Result<PathBuf, WorkdirError> {
        let app = escape(app);
        self.check_links(&[&app, REPO])?;
        let fetched = self.open_root().and_then(|root| root.below(&format!("{app}/{FETCHED}"), false));
        if let Err(refused @ WorkdirError::Link { .. }) = fetched {
            return Err(refused);
        }
        Ok(self.root.join(app).join(REPO))
    }

    /// Returns the path of the repository that commits of an app are fetched into, which need not exist.
    #[must_use]
    pub(crate) fn fetch_repository(&self, app: &str) -> PathBuf {
        self.root.join(escape(app)).join(FETCHED)
    }

    /// Fails if one of these nested folders is a link that is not followed.
    fn check_links(&self, names: &[&str]) -> Result<(), WorkdirError> {
        let open = |folder: Folder, name: &&str| folder.child(name, LinkPolicy::Trusted);
        match self.open_root().and_then(|root| names.iter().try_fold(root, open)) {
            Err(refused @ (WorkdirError::Link { .. } | WorkdirError::LinkOfOther { .. })) => Err(refused),
            // Other errors are reported when the folder is used.
            _ => Ok(()),
        }
    }

    /// Returns the absolute path of a path relative to the root.
    #[must_use]
    pub(crate) fn stored(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Reads the configuration; `None` if there is none. The file may be a link, as Kubernetes mounts one.
    pub(crate) fn configuration(&self) -> Result<Option<(PathBuf, String)>, WorkdirError> {
        let path = self.root.join(CONFIGURATION);
        let file = match self.open_root().and_then(|root| root.open_linked_file(CONFIGURATION)) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => return Ok(None),
            // The command that needs the root reports that it is not a folder.
            Err(_) if !self.root.is_dir() => return Ok(None),
            Err(error) => return Err(self.naming_owner(error)),
        };
        let mut text = String::new();
        file.take(MAX_CONFIGURATION_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(io_error("cannot read", &path))?;
        if text.len() as u64 > MAX_CONFIGURATION_BYTES {
            return Err(WorkdirError::TooLarge { path });
        }
        Ok(Some((path, text)))
    }

    /// Fails where anybody but this user and root can write the configuration, or replace it.
    pub(crate) fn check_writers_of_configuration(&self) -> Result<(), WorkdirError> {
        writers::check(&self.root.join(CONFIGURATION), self.rules.caller)
    }

    /// Returns the kind of network file system that the root is on, if it is on one.
    ///
    /// SQLite's journal and the kernel's locks cannot be relied on there.
    #[must_use]
    pub(crate) fn network_file_system(&self) -> Option<&'static str> {
        let magic = rustix::fs::statfs(&self.root).ok()?.f_type;
        // From Linux' include/uapi/linux/magic.h and fs/*; the type's width differs by architecture.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "32-bit magic numbers")]
        match magic as u32 {
            0x6969 => Some("NFS"),
            0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
            0x00c3_6400 => Some("Ceph"),
            0x0102_1997 => Some("9p"),
            0x0bd0_0bd0 => Some("Lustre"),
            0x4750_4653 => Some("GPFS"),
            _ => None,
        }
    }
}

/// Returns a path without links. The part of it that does not exist is kept as it is.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = path.ancestors().find_map(|above| Some((above.canonicalize().ok()?, above)));
    let Some((real, above)) = known else { return path };
    let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
    rest.components().fold(real, |real, part| match part {
        Component::ParentDir => real.parent().map_or(real.clone(), Path::to_owned),
        part => real.join(part),
    })
}
