//! The work directory: its paths, its lock, and files that are written once and survive a power cut.
//!
//! ```text
//! <root>/
//!   goc-watchdog.toml         optional configuration
//!   goc-watchdog.lock         held by the one command that may write
//!   goc-watchdog.readers      held, shared, while a stored file is opened
//!   goc-watchdog.tmp/         what reports are making
//!   sqlite.db
//!   inbox/                    what leaving pods left
//!   <app>/repo/                         git clone, made by its owner
//!   <app>/repo.fetch/                   what was fetched beside it
//!   <app>/cov_data/<app>_<N>.cov
//!   <app>/cov_data/<app>_<N>_report.txt, .html
//!   <app>/cov_data/aside/               such files that no row knows
//! ```

mod folder;
pub(crate) mod inbox;
pub(crate) mod site;

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use folder::{Folder, Links, Rules};
use rustix::fs::{FileType, OFlags};

use crate::access::Caller;
use crate::fleet::liveness::lasted;
use crate::fleet::retention::{HIGHEST_NUMBER, RowFiles};
use crate::io::users;
use crate::lock::Held;
use crate::names::escape;
use crate::report::forms::stored_suffixes;

/// Name of the database in the root.
pub(crate) const DATABASE: &str = "sqlite.db";
/// Name of the optional configuration in the root.
pub(crate) const CONFIGURATION: &str = "goc-watchdog.toml";
const INBOX: &str = "inbox";
const REPO: &str = "repo";
const FETCHED: &str = "repo.fetch";
/// Folder of an app's profiles.
const COV_DATA: &str = "cov_data";
/// Largest configuration that is read.
const LARGEST_CONFIGURATION: u64 = 1 << 20;
const LOCK: &str = "goc-watchdog.lock";
const READERS: &str = "goc-watchdog.readers";
/// Suffix of a file that is being written; what carries it was left by a crash.
const UNFINISHED: &str = ".tmp";
/// Folder of what readers are making; what lies there while nobody reads was left by a crash.
const SCRATCH: &str = "goc-watchdog.tmp";
const COV: &str = ".cov";
/// Folder in `cov_data` for what no row of the database knows.
pub(crate) const ASIDE: &str = "aside";

/// The work directory could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkdirError {
    /// Another run holds the lock.
    #[error("{}: another run holds the lock", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// A folder that something is to be written into is another's.
    #[error(
        "{:?} holds {found:?} and is no site that goc-watchdog wrote, give a new or an empty folder",
        path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Something in it.
        found: String,
    },
    /// A symbolic link stands where none is followed.
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
    /// A file stands where a folder is needed.
    #[error("{:?} is no folder, and reports need one of that name; remove it or rename it", path.display())]
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
        /// Why not. Its text is in the message, so it is no source that would be said again.
        why: String,
    },
    /// The configuration is too large to be one.
    #[error("cannot read {:?}: it is larger than 1 MiB", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("{action} {:?}", path.display())]
    Io {
        /// What was tried, as in "cannot create".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl WorkdirError {
    /// Tells whether another file may fare better.
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
            Self::Busy { .. } | Self::Foreign { .. } | Self::OtherOwner { .. } | Self::TooLarge { .. } => {
                false
            }
        }
    }

    /// Tells whether there is nothing, not even the folder that it would be in.
    fn is_of_nothing(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
    }

    /// Tells whether a file stands where a folder is needed.
    fn is_of_no_folder(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotADirectory)
    }

    /// Tells whether nothing stands there.
    fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Tells whether this user may not write there.
    fn is_unwritable(&self) -> bool {
        matches!(self, Self::Io { source, .. } if unwritable(source))
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WorkdirError + use<> {
    let path = path.to_owned();
    move |source| WorkdirError::Io { action, path, source }
}

/// A work directory that may be read.
#[derive(Clone, Debug)]
pub(crate) struct Workdir {
    /// Resolved: no part of it is a link.
    root: PathBuf,
    rules: Rules,
}

/// The exclusive lock on a work directory; the kernel releases it when the process ends, however.
#[derive(Debug)]
pub(crate) struct Locked {
    workdir: Workdir,
    held: Held,
    _file: File,
}

/// The result of a sweep.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Files that were removed.
    pub freed: Freed,
    /// Paths of files that no row knows, relative to the root; each was moved aside.
    pub aside: Vec<String>,
    /// Each costs the one file or folder that it names.
    pub failed: Vec<WorkdirError>,
}

/// What a sweep removed, or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Freed {
    /// How many files.
    pub files: usize,
    /// Their sizes.
    pub bytes: u64,
    /// Nothing was removed, because somebody reads; the next sweep will.
    pub is_put_off: bool,
}

/// Keeps stored files from being swept while one is opened.
#[derive(Debug)]
pub(crate) struct Reading {
    _file: Option<File>,
}

impl Workdir {
    /// Names a work directory, which need not exist yet.
    ///
    /// Links in the path are followed now and never again. Fails where the root belongs to a user whose folders
    /// `caller` does not trust, unless `trusts` says so.
    pub(crate) fn new(root: &Path, caller: Caller, trusts: bool) -> Result<Self, WorkdirError> {
        let root = resolved(root);
        if let Ok(found) = fs::metadata(&root)
            && !trusts
            && !caller.trusts_root_of(found.uid())
        {
            return Err(WorkdirError::OtherOwner { path: root, owner: users::shown(found.uid()) });
        }
        Ok(Self { root, rules: Rules { caller, group_write: false } })
    }

    /// Lets the group write what is created from now on, whatever the umask says.
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

    fn open_root(&self) -> Result<Folder, WorkdirError> {
        Folder::open_root(&self.root, self.rules)
    }

    /// Opens the folder of what has a path relative to the root, and returns its name there.
    ///
    /// Paths come out of the database, whose public table others may write.
    fn open_folder_of<'p>(&self, relative: &'p str, makes: bool) -> Result<(Folder, &'p str), WorkdirError> {
        match relative.rsplit_once('/').filter(|(_, name)| folder::is_name(name)) {
            Some((folder, name)) => Ok((self.open_root()?.below(folder, makes)?, name)),
            None => Err(folder::no_stored_path(&self.root.join(relative))),
        }
    }

    /// Returns the path of the database.
    #[must_use]
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join(DATABASE)
    }

    /// Returns the path of the lock that readers share.
    #[must_use]
    pub(crate) fn readers(&self) -> PathBuf {
        self.root.join(READERS)
    }

    /// Returns the path of the inbox. A link in its place is followed where it belongs to this user or to root.
    pub(crate) fn inbox(&self) -> Result<PathBuf, WorkdirError> {
        self.followed(&[INBOX])?;
        Ok(self.root.join(INBOX))
    }

    /// Returns the path of an app's repository, there or not. A link in the place of that or of the app's folder is
    /// followed where it belongs to this user or to root.
    pub(crate) fn repository(&self, app: &str) -> Result<PathBuf, WorkdirError> {
        let app = escape(app);
        self.followed(&[&app, REPO])?;
        let fetched = self.open_root().and_then(|root| root.below(&format!("{app}/{FETCHED}"), false));
        if let Err(refused @ WorkdirError::Link { .. }) = fetched {
            return Err(refused);
        }
        Ok(self.root.join(app).join(REPO))
    }

    /// Returns the path of the repository that commits of an app are fetched into, there or not.
    #[must_use]
    pub(crate) fn fetch_repository(&self, app: &str) -> PathBuf {
        self.root.join(escape(app)).join(FETCHED)
    }

    /// Fails where one of these folders, each in the one before, is a link that is not followed.
    fn followed(&self, names: &[&str]) -> Result<(), WorkdirError> {
        let open = |folder: Folder, name: &&str| folder.child(name, Links::Trusted);
        match self.open_root().and_then(|root| names.iter().try_fold(root, open)) {
            Err(refused @ (WorkdirError::Link { .. } | WorkdirError::LinkOfOther { .. })) => Err(refused),
            // Other faults are said when the folder is used.
            _ => Ok(()),
        }
    }

    /// Returns the absolute path of what is stored under a path relative to the root.
    #[must_use]
    pub(crate) fn stored(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Returns what the file system would get back without these profiles and the reports beside them.
    #[must_use]
    pub(crate) fn weigh<'a>(&self, profiles: impl IntoIterator<Item = &'a str>) -> Freed {
        let mut freed = Freed::default();
        for profile in profiles {
            let stem = profile.strip_suffix(COV).unwrap_or(profile);
            for name in stored_suffixes().map(|suffix| format!("{stem}{suffix}")).chain([profile.to_owned()])
            {
                if let Ok(file) = fs::symlink_metadata(self.root.join(name)) {
                    freed.files += 1;
                    freed.bytes += file.len();
                }
            }
        }
        freed
    }

    /// Reads the configuration; `None` where there is none. It may be a link, as Kubernetes mounts one.
    pub(crate) fn configuration(&self) -> Result<Option<(PathBuf, String)>, WorkdirError> {
        let path = self.root.join(CONFIGURATION);
        let file = match self.open_root().and_then(|root| root.open_linked_file(CONFIGURATION)) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => return Ok(None),
            // A root that is no folder is named by whoever needs it.
            Err(_) if !self.root.is_dir() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        file.take(LARGEST_CONFIGURATION + 1)
            .read_to_string(&mut text)
            .map_err(io_error("cannot read", &path))?;
        if text.len() as u64 > LARGEST_CONFIGURATION {
            return Err(WorkdirError::TooLarge { path });
        }
        Ok(Some((path, text)))
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

    /// Takes the exclusive lock, and makes the root where there is none.
    ///
    /// Fails at once with [`WorkdirError::Busy`] when another process holds it.
    pub(crate) fn lock(&self) -> Result<Locked, WorkdirError> {
        self.make_root()?;
        let root = self.open_root()?;
        let file = root.open_lock(LOCK)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WorkdirError::Busy { path: self.root.join(LOCK) }),
            Err(TryLockError::Error(error)) => {
                return Err(io_error("cannot lock", &self.root.join(LOCK))(error));
            }
        }
        // Now, because a reader may lack the right to make it.
        open_readers(&root)?;
        Ok(Locked { workdir: self.clone(), held: Held::new(), _file: file })
    }

    fn make_root(&self) -> Result<(), WorkdirError> {
        if is_folder(&self.root)? {
            return Ok(());
        }
        let parent = self.root.parent().unwrap_or(Path::new("/"));
        make_folder(parent)?;
        match DirBuilder::new().mode(0o770).create(&self.root) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.root.is_dir() => return Ok(()),
            Err(error) => return Err(io_error("cannot create", &self.root)(error)),
        }
        if self.rules.group_write {
            let shared = fs::Permissions::from_mode(0o2770);
            fs::set_permissions(&self.root, shared).map_err(io_error("cannot create", &self.root))?;
        }
        sync_folder(parent)
    }

    /// Holds off sweeping until the guard is dropped. Fails at once with [`WorkdirError::Busy`] during a sweep.
    ///
    /// The lock is shared by whoever may read it, and nobody but [`Workdir::lock`] makes it: one of a reader could be
    /// closed to the user who pulls. Where there is none, no run that sweeps was ever here.
    pub(crate) fn reading(&self) -> Result<Reading, WorkdirError> {
        let file = match self.open_root().and_then(|root| root.open_file(READERS)) {
            Ok(file) => file,
            Err(error) if error.is_unwritable() => return Ok(Reading { _file: None }),
            Err(error) => return Err(error),
        };
        let path = self.readers();
        match file.try_lock_shared() {
            Ok(()) => Ok(Reading { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(WorkdirError::Busy { path }),
            Err(TryLockError::Error(error)) => Err(io_error("cannot lock", &path)(error)),
        }
    }

    /// Returns the highest number in the names of an app's files; 0 where it has none.
    pub(crate) fn highest_number(&self, app_folder: &str) -> Result<u64, WorkdirError> {
        let mut highest = 0;
        for path in [format!("{app_folder}/{COV_DATA}/{ASIDE}"), format!("{app_folder}/{COV_DATA}")] {
            let folder = match self.open_root()?.below(&path, false) {
                Err(error) if error.is_of_nothing() => continue,
                folder => folder?,
            };
            for name in folder.names()? {
                if let Some((number, _)) = numbered(app_folder, &name)
                    && folder.file_type(&name)? == Some(FileType::RegularFile)
                {
                    highest = highest.max(number);
                }
            }
        }
        Ok(highest)
    }

    /// Returns the length of a stored file; `None` where there is none.
    pub(crate) fn size(&self, relative: &str) -> Result<Option<u64>, WorkdirError> {
        let (folder, name) = match self.open_folder_of(relative, false) {
            Err(error) if error.is_of_nothing() => return Ok(None),
            opened => opened?,
        };
        match folder.file_type(name)? {
            Some(FileType::RegularFile) => Ok(Some(folder.size(name))),
            Some(_) => {
                Err(io_error("cannot read", &folder.path().join(name))(io::Error::other("it is no file")))
            }
            None => Ok(None),
        }
    }

    /// Opens a stored file.
    pub(crate) fn open_stored(&self, relative: &str) -> Result<File, WorkdirError> {
        let (folder, name) = self.open_folder_of(relative, false)?;
        folder.open_file(name)
    }

    /// Makes the repository of an app: `fill` makes it in a folder that is not there yet, which then takes
    /// its place. Where another process was faster, its repository stays.
    ///
    /// The guard keeps what is being made from being swept.
    pub(crate) fn make_repository<E>(
        &self,
        _reading: &Reading,
        app: &str,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Result<(), E>, WorkdirError> {
        let folder = self.open_root()?.make_child(&escape(app), Links::Trusted)?;
        self.in_scratch(|scratch| {
            let filled = fill(&scratch.path().join(REPO));
            if filled.is_ok() {
                // Files in it have the modes that git gave them, and are closed with the folder around them.
                scratch.child(REPO, Links::Refused)?.close_to_others()?;
                let renamed = scratch.rename(REPO, &folder, REPO);
                if folder.file_type(REPO)?.is_none() {
                    renamed?;
                }
            }
            Ok(filled)
        })
    }

    /// Writes a report beside its profile, whole or not at all; nothing in a root that this user may not
    /// write, or where it is already.
    ///
    /// It needs no lock: whoever reports the same profile writes the same table, and of two pages, which
    /// tell when a pull last found the data so, either will do. The guard keeps what is being written from
    /// being swept.
    pub(crate) fn store_report(
        &self,
        _reading: &Reading,
        relative: &str,
        text: &[u8],
    ) -> Result<(), WorkdirError> {
        let (folder, name) = self.open_folder_of(relative, false)?;
        let known = folder.open_file(name);
        if known.is_ok_and(|known| has_text(known, text).is_ok_and(|has_text| has_text)) {
            return Ok(());
        }
        let stored = self.in_scratch(|scratch| {
            scratch.write_new("report", |out| out.write_all(text))?;
            scratch.rename("report", &folder, name)
        });
        match stored {
            Err(error) if error.is_unwritable() => Ok(()),
            stored => stored,
        }
    }

    /// Makes a folder of this run alone, where something is made without the lock, and removes it again. Containers
    /// that share a root share numbers of processes, so the name is drawn by lot.
    fn in_scratch<T>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, WorkdirError>,
    ) -> Result<T, WorkdirError> {
        let all =
            self.open_root()?.make_child(SCRATCH, Links::Refused).map_err(|error| self.of_scratch(error))?;
        let name = format!("{:016x}", fastrand::u64(..));
        let own = all.make_child(&name, Links::Refused)?;
        let done = work(&own);
        let _ = all.remove_all(&name);
        done
    }

    /// Says clearly that a file stands in the place of the scratch folder, if that is the matter.
    fn of_scratch(&self, error: WorkdirError) -> WorkdirError {
        match error.is_of_no_folder() {
            true => WorkdirError::NoFolder { path: self.root.join(SCRATCH) },
            false => error,
        }
    }
}

/// Returns the path of a report that is kept beside a profile; `None` where the profile is not named as ours.
#[must_use]
pub(crate) fn report_path(cov_file_path: &str, suffix: &str) -> Option<String> {
    cov_file_path.strip_suffix(COV).map(|stem| format!("{stem}{suffix}"))
}

/// Tells whether a file says what is to be written, without taking all of it into memory.
fn has_text(mut file: File, text: &[u8]) -> io::Result<bool> {
    if file.metadata()?.len() != text.len() as u64 {
        return Ok(false);
    }
    let mut part = vec![0; 64 << 10];
    for wanted in text.chunks(part.len()) {
        let part = &mut part[..wanted.len()];
        file.read_exact(part)?;
        if part != wanted {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Opens the lock that readers share, and makes it where there is none.
///
/// Another user of the group may have made it, so that this one may only read it, which is enough to lock it. NFS wants
/// a handle for writing (flock(2)), so that is tried first.
fn open_readers(root: &Folder) -> Result<File, WorkdirError> {
    match root.open_lock(READERS) {
        Err(error) if error.is_unwritable() => root.open_file(READERS),
        opened => opened,
    }
}

fn unwritable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotFound
    )
}

fn open_lock(path: &Path) -> Result<File, WorkdirError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(io_error("cannot open", path))
}

/// Where a profile goes: the app's folder, and the number of the file in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CovPath {
    /// App, or service name where it has none, escaped.
    pub app_folder: String,
    /// Counts up for each app.
    pub number: u64,
}

impl CovPath {
    /// Names the file that holds profile `number` of an app.
    #[must_use]
    pub(crate) fn new(app: &str, number: u64) -> Self {
        Self { app_folder: escape(app), number }
    }

    /// Returns the path relative to the root, as it stands in `cov_file_path`.
    #[must_use]
    pub(crate) fn relative(&self) -> String {
        let Self { app_folder, number } = self;
        format!("{app_folder}/{COV_DATA}/{app_folder}_{number}{COV}")
    }
}

impl Locked {
    /// Returns the work directory that is locked.
    #[must_use]
    pub(crate) fn workdir(&self) -> &Workdir {
        &self.workdir
    }

    /// Returns the proof that the lock is held.
    #[must_use]
    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    /// Returns the path of the database, which is created empty where there is none, so that it and the files that
    /// SQLite puts beside it, with its mode, are closed to others.
    pub(crate) fn database(&self) -> Result<PathBuf, WorkdirError> {
        let root = self.workdir.open_root()?;
        match root.file_type(DATABASE)? {
            Some(kind) if kind.is_symlink() => {
                return Err(WorkdirError::Link { path: self.workdir.database() });
            }
            Some(_) => {}
            None => drop(root.create(DATABASE, OFlags::RDWR)?),
        }
        Ok(self.workdir.database())
    }

    /// Names the links in the place of folders that hold profiles: nothing behind them is swept.
    pub(crate) fn links_in_the_way(
        &self,
        profiles: &BTreeSet<String>,
    ) -> Result<Vec<WorkdirError>, WorkdirError> {
        let root = self.workdir.open_root()?;
        let folders: BTreeSet<&str> =
            profiles.iter().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
        let opened = folders.into_iter().map(|folder| root.below(folder, false));
        let is_link = |error: &WorkdirError| {
            matches!(error, WorkdirError::Link { .. } | WorkdirError::LinkOfOther { .. })
        };
        Ok(opened.filter_map(Result::err).filter(is_link).collect())
    }

    /// Keeps a copy of the database in the root: `fill` writes it into an empty file that is there already, which then
    /// gets its name; it survives a power cut.
    pub(crate) fn keep_copy<E>(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Result<(), E>, WorkdirError> {
        self.workdir.open_root()?.fill_whole(name, fill)
    }

    /// Returns what users outside of the group can read or lock in the root, as paths relative to it: created by
    /// an earlier release, or opened by somebody.
    pub(crate) fn open_to_others(&self) -> Result<Vec<String>, WorkdirError> {
        const READ: u32 = 0o004;
        const PASS: u32 = 0o001;
        let root = self.workdir.open_root()?;
        if root.permissions(".")?.is_none_or(|mode| mode & PASS == 0) {
            return Ok(Vec::new());
        }
        let is_open = |name: &str, wanted: u32| -> Result<bool, WorkdirError> {
            Ok(root.permissions(name)?.is_some_and(|mode| mode & wanted != 0))
        };
        let mut open = Vec::new();
        for name in [DATABASE, LOCK, READERS] {
            if is_open(name, READ)? {
                open.push(name.to_owned());
            }
        }
        for name in root.names()? {
            let cov_data = format!("{name}/{COV_DATA}");
            if is_open(&cov_data, READ | PASS).unwrap_or(false) && is_open(&name, PASS)? {
                open.push(cov_data);
            }
        }
        Ok(open)
    }

    /// Writes a file so that it is there whole, also after a power cut, or not at all.
    ///
    /// `write` fills a temporary file in the same folder; it is synced, renamed, and the folder synced.
    /// Folders are made, and synced into theirs, where they are missing.
    pub(crate) fn store(
        &self,
        relative: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), WorkdirError> {
        let (folder, name) = self.workdir.open_folder_of(relative, true)?;
        folder.write_whole(name, write)
    }

    /// Removes what reports were making when they were ended; nothing while one is running. Returns what could not be
    /// removed, which is in nobody's way.
    ///
    /// Fails where a link stands in the place of the folder: somebody means to have other folders emptied.
    pub(crate) fn sweep_scratch(&self) -> Result<Vec<WorkdirError>, WorkdirError> {
        let root = self.workdir.open_root()?;
        let scratch = match root.child(SCRATCH, Links::Refused) {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) if error.is_of_no_folder() => return Ok(vec![self.workdir.of_scratch(error)]),
            opened => opened?,
        };
        let left = match scratch.names() {
            Ok(left) => left,
            Err(error) => return Ok(vec![leftover(&root, SCRATCH, error)]),
        };
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let guard = open_readers(&root)?;
        if guard.try_lock().is_err() {
            return Ok(Vec::new());
        }
        let removed = left.iter().map(|name| (name, scratch.remove_all(name)));
        let failed = removed.filter_map(|(name, removed)| Some(leftover(&scratch, name, removed.err()?)));
        Ok(failed.collect())
    }

    /// Removes what nobody needs: unfinished files, and profiles of rows that were dropped, with the reports beside them.
    ///
    /// A whole file that no row knows may be all that is left of something, as after an older database was put back:
    /// it is moved aside. With `aside_for`, what lies there longer than that goes.
    ///
    /// Nothing is removed while a reader opens a file; the next run sweeps again. Folders and files that
    /// are not named as ours are let alone, and what lies behind a link that is not followed. What fails costs
    /// nothing else.
    pub(crate) fn sweep(
        &self,
        files: &RowFiles,
        aside_for: Option<Duration>,
        now: DateTime<Utc>,
    ) -> Result<Swept, WorkdirError> {
        let root = self.workdir.open_root()?;
        let guard = open_readers(&root)?;
        let mut swept = Swept::default();
        match guard.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                swept.freed.is_put_off = true;
                return Ok(swept);
            }
            Err(TryLockError::Error(error)) => {
                return Err(io_error("cannot lock", &root.path().join(READERS))(error));
            }
        }
        for app_folder in root.names()? {
            let app = root.child(&app_folder, Links::Trusted);
            let Ok(cov_data) = app.and_then(|app| app.child(COV_DATA, Links::Refused)) else { continue };
            if let Err(error) = swept.sweep_app(&app_folder, &cov_data, files, now) {
                swept.failed.push(error);
            }
            let Some(longest) = aside_for else { continue };
            let aside = cov_data.child(ASIDE, Links::Refused);
            match aside.and_then(|aside| swept.sweep_aside(&app_folder, &aside, longest, now)) {
                Err(error) if !error.is_not_found() => swept.failed.push(error),
                Ok(()) | Err(_) => {}
            }
        }
        // A folder that cannot be opened fails each file that was to go there.
        let mut told = BTreeSet::new();
        swept.failed.retain(|error| told.insert(error.to_string()));
        Ok(swept)
    }
}

impl Swept {
    fn sweep_app(
        &mut self,
        app_folder: &str,
        cov_data: &Folder,
        files: &RowFiles,
        now: DateTime<Utc>,
    ) -> Result<(), WorkdirError> {
        for name in cov_data.names()? {
            let done = match sweep_action(app_folder, &name, files) {
                SweepAction::Stays => continue,
                SweepAction::Goes => self.remove(cov_data, &name),
                SweepAction::MovesAside => match cov_data.file_type(&name) {
                    Ok(Some(FileType::RegularFile)) => move_aside(cov_data, &name, now).map(|()| {
                        self.aside.push(format!("{app_folder}/{COV_DATA}/{name}"));
                    }),
                    // A folder of such a name is not ours.
                    looked_at => looked_at.map(drop),
                },
            };
            if let Err(error) = done {
                self.failed.push(error);
            }
        }
        Ok(())
    }

    fn sweep_aside(
        &mut self,
        app_folder: &str,
        aside: &Folder,
        longest: Duration,
        now: DateTime<Utc>,
    ) -> Result<(), WorkdirError> {
        for name in aside.names()? {
            let is_old = aside.moved_at(&name)?.is_some_and(|moved_at| lasted(moved_at, now, longest));
            if is_old
                && numbered(app_folder, &name).is_some()
                && let Err(error) = self.remove(aside, &name)
            {
                self.failed.push(error);
            }
        }
        Ok(())
    }

    fn remove(&mut self, folder: &Folder, name: &str) -> Result<(), WorkdirError> {
        let bytes = folder.size(name);
        folder.remove(name)?;
        self.freed.files += 1;
        self.freed.bytes += bytes;
        Ok(())
    }
}

/// Names what a report left in a folder, and whose it is, where it could not be removed.
fn leftover(folder: &Folder, name: &str, error: WorkdirError) -> WorkdirError {
    let Ok(Some(owner)) = folder.owner(name) else { return error };
    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    WorkdirError::Leftover { path: folder.path().join(name), owner: users::shown(owner), why }
}

/// Moves a file into the folder for what no row knows, and notes when. Its name is free there, because numbers are not
/// used again; whoever put a file of that name there by hand keeps it.
///
/// Of a file of another user nothing can be noted; [`Folder::moved_at`] knows the time nevertheless.
fn move_aside(cov_data: &Folder, name: &str, now: DateTime<Utc>) -> Result<(), WorkdirError> {
    let aside = cov_data.make_child(ASIDE, Links::Refused)?;
    let to = match aside.file_type(name)? {
        None => name.to_owned(),
        Some(_) => format!("{name}.{:08x}", fastrand::u32(..)),
    };
    match cov_data.set_modified_at(name, now) {
        Err(WorkdirError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {}
        noted => noted?,
    }
    cov_data.rename(name, &aside, &to)?;
    aside.sync()?;
    cov_data.sync()
}

/// Returns a path without links: where it leads to, as far as that is there, and what is not there yet below that.
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

/// Reads a file outside of the work directory, up to a gigabyte; `-` is stdin.
pub(crate) fn read_outside(path: &Path) -> Result<Vec<u8>, WorkdirError> {
    const MOST: u64 = 1 << 30;
    let mut text = Vec::new();
    let read = match path == Path::new("-") {
        true => io::stdin().take(MOST).read_to_end(&mut text),
        #[expect(clippy::disallowed_methods, reason = "this adapter reads files")]
        false => File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut text)),
    };
    read.map(|_| text).map_err(io_error("cannot read", path))
}

/// Tells whether two paths are of one file, there already or not.
#[must_use]
pub(crate) fn is_same_place(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
        path.canonicalize().unwrap_or_else(|_| parent.join(path.file_name().unwrap_or_default()))
    };
    place(one) == place(other)
}

/// Writes a file outside of the work directory, whole or not at all. A device or pipe is written to as it is.
///
/// The temporary file beside it goes when `write` fails; what `write` returns is passed on.
pub(crate) fn write_whole<T, E>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, E>,
) -> Result<Result<T, E>, WorkdirError> {
    // What a link names is what is meant.
    let real = path.canonicalize();
    let path = real.as_deref().unwrap_or(path);
    if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let file = OpenOptions::new().write(true).open(path).map_err(io_error("cannot open", path))?;
        let mut out = BufWriter::with_capacity(256 << 10, file);
        let written = write(&mut out);
        out.flush().map_err(io_error("cannot write", path))?;
        return Ok(written);
    }
    // Drawn by lot and never one that is there: beside it may lie anything of anybody's.
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{:016x}{UNFINISHED}", fastrand::u64(..)));
    let unfinished = PathBuf::from(unfinished);
    let mut written = None;
    let file = OpenOptions::new().write(true).create_new(true).open(&unfinished);
    // The name that was asked for: nobody knows the other one.
    let file = file.map_err(io_error("cannot create", path))?;
    let synced = fill_synced(&unfinished, file, |out| match write(out) {
        Ok(value) => {
            written = Some(Ok(value));
            Ok(())
        }
        Err(error) => {
            written = Some(Err(error));
            Err(io::ErrorKind::Other.into())
        }
    });
    let renamed = synced.and_then(|()| {
        #[expect(clippy::disallowed_methods, reason = "the file was synced")]
        fs::rename(&unfinished, path).map_err(io_error("cannot rename to", path))
    });
    if renamed.is_err() {
        #[expect(clippy::disallowed_methods, reason = "an unfinished file is of no use")]
        let _ = fs::remove_file(&unfinished);
    }
    match (written, renamed) {
        (Some(Err(error)), _) => Ok(Err(error)),
        (_, Err(error)) => Err(error),
        (Some(written), Ok(())) => Ok(written),
        (None, Ok(())) => unreachable!("a file was written by the closure"),
    }
}

/// The step of a sweep for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SweepAction {
    Stays,
    Goes,
    MovesAside,
}

/// Decides about a file in the `cov_data` of an app.
fn sweep_action(app_folder: &str, name: &str, files: &RowFiles) -> SweepAction {
    let Some((number, kind)) = numbered(app_folder, name) else { return SweepAction::Stays };
    let cov = format!("{app_folder}/{COV_DATA}/{app_folder}_{number}{COV}");
    match kind {
        _ if kind.ends_with(UNFINISHED) => SweepAction::Goes,
        _ if files.kept.contains(&cov) => SweepAction::Stays,
        _ if files.dropped.contains(&cov) => SweepAction::Goes,
        _ => SweepAction::MovesAside,
    }
}

/// Returns the number in the name of a file of ours, and what follows it.
fn numbered<'n>(app_folder: &str, name: &'n str) -> Option<(u64, &'n str)> {
    let numbered = name.strip_prefix(app_folder)?.strip_prefix('_')?;
    let (number, kind) = numbered.split_at(numbered.bytes().take_while(u8::is_ascii_digit).count());
    let finished = kind.strip_suffix(UNFINISHED).unwrap_or(kind);
    let is_ours = stored_suffixes().chain([COV]).any(|known| known == finished);
    let number = number.parse().ok().filter(|number| is_ours && *number <= HIGHEST_NUMBER)?;
    Some((number, kind))
}

fn names_in(folder: &Path) -> Result<Vec<String>, WorkdirError> {
    let entries = fs::read_dir(folder).map_err(io_error("cannot list", folder))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error("cannot list", folder))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

fn write_synced(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), WorkdirError> {
    #[expect(clippy::disallowed_methods, reason = "the durable write starts here")]
    let file = File::create(path).map_err(io_error("cannot create", path))?;
    fill_synced(path, file, write)
}

fn fill_synced(
    path: &Path,
    file: File,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), WorkdirError> {
    let mut out = BufWriter::with_capacity(256 << 10, file);
    write(&mut out).map_err(io_error("cannot write", path))?;
    let file = out.into_inner().map_err(|error| io_error("cannot write", path)(error.into_error()))?;
    file.sync_all().map_err(io_error("cannot sync", path))
}

/// Tells whether there is a folder; fails where something else stands there, or nobody can tell.
fn is_folder(path: &Path) -> Result<bool, WorkdirError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => Err(io_error("cannot use", path)(io::ErrorKind::NotADirectory.into())),
        // A link that leads nowhere is no place for a folder.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Ok(false),
        Err(error) => Err(io_error("cannot look at", path)(error)),
    }
}

/// Makes a folder and those above it, each synced into the one that holds it.
fn make_folder(folder: &Path) -> Result<(), WorkdirError> {
    if is_folder(folder)? {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    let mut created = fs::create_dir(folder);
    if let (Err(error), Some(above)) = (&created, above)
        && error.kind() == io::ErrorKind::NotFound
    {
        make_folder(above)?;
        created = fs::create_dir(folder);
    }
    match created {
        Ok(()) => sync_folder(above.unwrap_or(Path::new("."))),
        // Two threads may store the first profiles of one app at the same time.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(io_error("cannot create", folder)(error)),
    }
}

fn sync_folder(folder: &Path) -> Result<(), WorkdirError> {
    #[expect(clippy::disallowed_methods, reason = "a folder is synced through a handle of it")]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("cannot sync", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_row_dropped_goes_and_what_no_row_knows_moves_aside() {
        let path = |number| BTreeSet::from([format!("app/cov_data/app_{number}.cov")]);
        let files = RowFiles { kept: path(1), dropped: path(2) };
        for (name, wanted) in [
            ("app_1.cov", SweepAction::Stays),
            ("app_1_report.txt", SweepAction::Stays),
            ("app_1_report.html", SweepAction::Stays),
            ("app_1.cov.tmp", SweepAction::Goes),
            ("app_2.cov", SweepAction::Goes),
            ("app_2_report.txt", SweepAction::Goes),
            ("app_2_report.html", SweepAction::Goes),
            ("app_2_report.html.tmp", SweepAction::Goes),
            ("app_3.cov.tmp", SweepAction::Goes),
            ("app_3.cov", SweepAction::MovesAside),
            ("app_3_report.html", SweepAction::MovesAside),
            ("app_2_report.pdf", SweepAction::Stays),
            ("app_2_3.cov", SweepAction::Stays),
            ("app_2_notes.txt", SweepAction::Stays),
            ("app_.cov", SweepAction::Stays),
            ("other_2.cov", SweepAction::Stays),
            ("app_2.cov.bak", SweepAction::Stays),
            ("app_9007199254740992.cov", SweepAction::MovesAside),
            ("app_9007199254740993.cov", SweepAction::Stays),
            ("app_9007199254740993.cov.tmp", SweepAction::Stays),
            ("app_18446744073709551616.cov", SweepAction::Stays),
        ] {
            assert_eq!(sweep_action("app", name, &files), wanted, "{name}");
        }
    }
}
