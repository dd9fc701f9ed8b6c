//! The errors of the work directory.

use std::io;
use std::path::{Path, PathBuf};

/// The work directory could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkdirError {
    /// Another run holds the lock.
    #[error("{}: another run holds the lock", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// The folder for a site holds files of somebody else.
    #[error(
        "{:?} contains {found:?} and is not a site that goc-watchdog wrote; give a new or an empty folder",
        path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The first file found in it.
        found: String,
    },
    /// A symbolic link is at a place where none is followed.
    #[error(
        "{:?} is a symbolic link, and nothing is read or written through one there; \
         put the file or folder itself in its place",
        path.display()
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A symbolic link belongs to somebody who is not trusted with it.
    #[error(
        "{:?} is a symbolic link of user {owner}; it is followed when it belongs to this user or to root \
         (chown -h), else remove it",
        path.display()
    )]
    LinkOfOther {
        /// The link.
        path: PathBuf,
        /// User id of its owner.
        owner: u32,
    },
    /// The root belongs to a user that root does not trust.
    #[error(
        "the work directory {:?} belongs to {owner}, and this is root: run as that user, or say --trust-root \
         (GOC_WATCHDOG_TRUST_ROOT=1) where that user may decide what root does there",
        path.display()
    )]
    OtherOwner {
        /// The root.
        path: PathBuf,
        /// User id and name of its owner.
        owner: String,
    },
    /// This user may not write to the root.
    #[error(
        "{action} {:?}: {why}; the root belongs to {owner}: run as that user, or let a group share it (chgrp, chmod g+rwxs, \
         group_write = true in [files])",
        path.display()
    )]
    NotPermitted {
        /// The action that failed.
        action: &'static str,
        /// The lock, or the root.
        path: PathBuf,
        /// The reason. The message has its text, so it is not a `source`, which would be printed again.
        why: String,
        /// User id and name of the root's owner.
        owner: String,
    },
    /// The root cannot be made.
    #[error(
        "cannot create {:?}: {why}; {:?} belongs to {owner}: run as a user who may write there, or choose another root with \
         --root or GOC_WATCHDOG_ROOT",
        path.display(),
        above.display()
    )]
    RootNotPermitted {
        /// The root.
        path: PathBuf,
        /// The folder that refused it.
        above: PathBuf,
        /// The reason. The message has its text, so it is not a `source`, which would be printed again.
        why: String,
        /// User id and name of that folder's owner.
        owner: String,
    },
    /// A file is in the place of the root, or of a folder above it.
    #[error(
        "{:?} is not a folder, so {:?} cannot be the root; choose another one with --root or GOC_WATCHDOG_ROOT",
        file.display(),
        root.display()
    )]
    RootIsNoFolder {
        /// The root.
        root: PathBuf,
        /// The file.
        file: PathBuf,
    },
    /// A file is in the place of a folder.
    #[error("{:?} is not a folder, and reports need a folder of that name; remove it or rename it", path.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder that a report left could not be removed.
    #[error(
        "{:?} of {owner} was left by a report and cannot be removed: {why}; \
         remove it as that user or as root (rm -r)",
        path.display()
    )]
    Leftover {
        /// The file or folder.
        path: PathBuf,
        /// User id and name of its owner.
        owner: String,
        /// The reason. The message has its text, so it is not a `source`, which would be printed again.
        why: String,
    },
    /// The configuration is too large to be one.
    #[error("cannot read {:?}: it is larger than 1 MiB", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else can write what decides which programs are run.
    #[error("{:?} belongs to user {owner} and has mode {mode:o}", path.display())]
    WrittenByOthers {
        /// The configuration, a folder on the way to it, or a link there.
        path: PathBuf,
        /// User id of its owner.
        owner: u32,
        /// The owner is neither this user nor root.
        is_of_another: bool,
        mode: u32,
    },
    /// The file system refused.
    #[error("{action} {:?}", path.display())]
    Io {
        /// The action that failed, as in "cannot create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl WorkdirError {
    /// Tells whether the error concerns one file, so that others can be written.
    #[must_use]
    pub(crate) fn is_of_one_file(&self) -> bool {
        match self {
            Self::Io { source, .. } => !matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
            ),
            Self::Link { .. } | Self::LinkOfOther { .. } | Self::NoFolder { .. } | Self::Leftover { .. } => {
                true
            }
            Self::Busy { .. }
            | Self::Foreign { .. }
            | Self::OtherOwner { .. }
            | Self::NotPermitted { .. }
            | Self::RootNotPermitted { .. }
            | Self::RootIsNoFolder { .. }
            | Self::TooLarge { .. }
            | Self::WrittenByOthers { .. } => false,
        }
    }

    /// Tells whether this user may not do that, so that the next try fails, too.
    pub(crate) fn is_not_permitted(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem))
    }

    /// Tells whether the file, or the folder above it, is missing.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
    }

    /// Tells whether a file is in the place of a folder.
    pub(super) fn is_no_folder(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotADirectory)
    }

    /// Tells whether the file is missing, in a folder that exists.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Tells whether this user may not write there.
    pub(super) fn is_unwritable(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_unwritable(source))
    }
}

/// Adds the action and the path to an error of the file system.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WorkdirError + use<> {
    let path = path.to_owned();
    move |source| WorkdirError::Io { action, path, source }
}

/// The error of a file that a closure fills.
#[derive(Debug)]
pub(crate) enum FillError<E> {
    /// The file system refused the file.
    Workdir(WorkdirError),
    /// The closure failed.
    Content(E),
}

impl<E> FillError<E> {
    /// Returns the error itself, of either kind.
    pub(crate) fn into_error<O: From<WorkdirError> + From<E>>(self) -> O {
        match self {
            Self::Workdir(error) => error.into(),
            Self::Content(error) => error.into(),
        }
    }
}

impl<E> From<WorkdirError> for FillError<E> {
    fn from(error: WorkdirError) -> Self {
        Self::Workdir(error)
    }
}

/// Tells whether this user may not write there.
pub(super) fn is_unwritable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotFound
    )
}
