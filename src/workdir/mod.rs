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
//!   <app>/cov_data/<app>_<N>.cov
//!   <app>/cov_data/<app>_<N>_report.txt, .html
//! ```

pub mod inbox;
pub mod site;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::lock::Held;
use crate::names::escape;

/// Name of the database in the root.
pub const DATABASE: &str = "sqlite.db";
/// Name of the optional configuration in the root.
pub const CONFIGURATION: &str = "goc-watchdog.toml";
const INBOX: &str = "inbox";
const LOCK: &str = "goc-watchdog.lock";
const READERS: &str = "goc-watchdog.readers";
/// Suffix of a file that is being written; what carries it was left by a crash.
const UNFINISHED: &str = ".tmp";
/// Folder of what readers are making; what lies there while nobody reads was left by a crash.
const SCRATCH: &str = "goc-watchdog.tmp";
const COV: &str = ".cov";
const REPORT: &str = "_report.txt";
/// What stands beside a profile, and goes with it.
const PAGE: &str = "_report.html";
const REPORTS: [&str; 2] = [REPORT, PAGE];

/// The work directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkdirError {
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
    pub fn is_of_one_file(&self) -> bool {
        match self {
            Self::Io { source, .. } => !matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
            ),
            Self::Busy { .. } | Self::Foreign { .. } => false,
        }
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WorkdirError + use<> {
    let path = path.to_owned();
    move |source| WorkdirError::Io { action, path, source }
}

/// A work directory that may be read.
#[derive(Clone, Debug)]
pub struct Workdir {
    root: PathBuf,
}

/// The exclusive lock on a work directory; the kernel releases it when the process ends, however.
#[derive(Debug)]
pub struct Locked {
    workdir: Workdir,
    held: Held,
    _file: File,
}

/// What a sweep removed, or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// How many files.
    pub files: usize,
    /// Their sizes.
    pub bytes: u64,
    /// Nothing was removed, because somebody reads; the next sweep will.
    pub is_put_off: bool,
}

/// Keeps stored files from being swept while one is opened.
#[derive(Debug)]
pub struct Reading {
    _file: Option<File>,
}

impl Workdir {
    /// Names a work directory, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns the root as it was given.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of the database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join(DATABASE)
    }

    /// Returns the path of the inbox.
    #[must_use]
    pub fn inbox(&self) -> PathBuf {
        self.root.join(INBOX)
    }

    /// Returns the absolute path of what is stored under a path relative to the root.
    #[must_use]
    pub fn stored(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Returns what the file system would get back without these profiles and the reports beside them.
    #[must_use]
    pub fn weigh<'a>(&self, profiles: impl IntoIterator<Item = &'a str>) -> Freed {
        let mut freed = Freed::default();
        for profile in profiles {
            let stem = profile.strip_suffix(COV).unwrap_or(profile);
            for name in REPORTS.iter().map(|report| format!("{stem}{report}")).chain([profile.to_owned()]) {
                if let Ok(file) = fs::symlink_metadata(self.root.join(name)) {
                    freed.files += 1;
                    freed.bytes += file.len();
                }
            }
        }
        freed
    }

    /// Reads the configuration; `None` where there is none.
    pub fn configuration(&self) -> Result<Option<(PathBuf, String)>, WorkdirError> {
        let path = self.root.join(CONFIGURATION);
        #[expect(clippy::disallowed_methods, reason = "this adapter reads the work directory")]
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some((path, text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("cannot read", &path)(error)),
        }
    }

    /// Returns the kind of network file system that the root is on, if it is on one.
    ///
    /// SQLite's journal and the kernel's locks cannot be relied on there.
    #[must_use]
    pub fn network_file_system(&self) -> Option<&'static str> {
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
    pub fn lock(&self) -> Result<Locked, WorkdirError> {
        make_folder(&self.root)?;
        let path = self.root.join(LOCK);
        let file = open_lock(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Locked { workdir: self.clone(), held: Held::new(), _file: file }),
            Err(TryLockError::WouldBlock) => Err(WorkdirError::Busy { path }),
            Err(TryLockError::Error(error)) => Err(io_error("cannot lock", &path)(error)),
        }
    }

    /// Holds off sweeping until the guard is dropped.
    ///
    /// In a root that this user may not write there is nothing to hold on to, and reading goes on.
    pub fn reading(&self) -> Result<Reading, WorkdirError> {
        let path = self.root.join(READERS);
        let file = match open_lock(&path) {
            Ok(file) => file,
            Err(WorkdirError::Io { source, .. }) if unwritable(&source) => {
                return Ok(Reading { _file: None });
            }
            Err(error) => return Err(error),
        };
        file.lock_shared().map_err(io_error("cannot lock", &path))?;
        Ok(Reading { _file: Some(file) })
    }

    /// Opens a stored file.
    pub fn open_stored(&self, relative: &str) -> Result<File, WorkdirError> {
        let path = self.stored(relative);
        #[expect(clippy::disallowed_methods, reason = "this adapter reads the work directory")]
        File::open(&path).map_err(io_error("cannot open", &path))
    }

    /// Makes the repository of an app: `fill` makes it in a folder that is not there yet, which then takes
    /// its place. Where another process was faster, its repository stays.
    ///
    /// The guard keeps what is being made from being swept.
    pub fn make_repository<E>(
        &self,
        _reading: &Reading,
        app: &str,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Result<(), E>, WorkdirError> {
        let path = self.stored(&repository(app));
        make_folder(path.parent().expect("below the root"))?;
        let scratch = self.scratch()?;
        let unfinished = scratch.join("repo");
        let filled = fill(&unfinished);
        #[expect(clippy::disallowed_methods, reason = "git synced what it wrote")]
        let renamed = match &filled {
            Ok(()) => fs::rename(&unfinished, &path),
            Err(_) => Ok(()),
        };
        let _ = fs::remove_dir_all(&scratch);
        match renamed {
            Err(error) if !path.exists() => Err(io_error("cannot rename to", &path)(error)),
            _ => Ok(filled),
        }
    }

    /// Writes a report beside its profile, whole or not at all; nothing in a root that this user may not
    /// write, or where it is already.
    ///
    /// It needs no lock: whoever reports the same profile writes the same table, and of two pages, which
    /// tell when a pull last found the data so, either will do. The guard keeps what is being written from
    /// being swept.
    pub fn store_report(&self, _reading: &Reading, relative: &str, text: &[u8]) -> Result<(), WorkdirError> {
        let path = self.stored(relative);
        if has_text(&path, text).is_ok_and(|has_text| has_text) {
            return Ok(());
        }
        let stored = self.scratch().and_then(|scratch| {
            let unfinished = scratch.join("report");
            let written = write_synced(&unfinished, |out| out.write_all(text)).and_then(|()| {
                #[expect(clippy::disallowed_methods, reason = "the file was synced")]
                fs::rename(&unfinished, &path).map_err(io_error("cannot rename to", &path))
            });
            let _ = fs::remove_dir_all(&scratch);
            written
        });
        match stored {
            Err(WorkdirError::Io { source, .. }) if unwritable(&source) => Ok(()),
            stored => stored,
        }
    }

    /// Returns a folder of this run alone, where something is made without the lock. Containers that share a
    /// root share numbers of processes, so the name is drawn by lot.
    fn scratch(&self) -> Result<PathBuf, WorkdirError> {
        let scratch = self.root.join(SCRATCH);
        make_folder(&scratch)?;
        loop {
            let folder = scratch.join(format!("{:016x}", fastrand::u64(..)));
            match fs::create_dir(&folder) {
                Ok(()) => return Ok(folder),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error("cannot create", &folder)(error)),
            }
        }
    }
}

/// Returns the path of an app's git repository, relative to the root.
#[must_use]
pub fn repository(app: &str) -> String {
    format!("{}/repo", escape(app))
}

/// A report that is kept beside its profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredReport {
    /// The table of functions.
    Func,
    /// The page.
    Html,
}

impl StoredReport {
    /// Returns its path beside a profile; nothing where that is not named as ours.
    #[must_use]
    pub fn path(self, cov_file_path: &str) -> Option<String> {
        let suffix = match self {
            Self::Func => REPORT,
            Self::Html => PAGE,
        };
        cov_file_path.strip_suffix(COV).map(|stem| format!("{stem}{suffix}"))
    }
}

/// Tells whether a file says what is to be written, without taking all of it into memory.
fn has_text(path: &Path, text: &[u8]) -> io::Result<bool> {
    #[expect(clippy::disallowed_methods, reason = "this adapter reads the work directory")]
    let mut file = File::open(path)?;
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
pub struct CovPath {
    /// App, or service name where it has none, escaped.
    pub app_folder: String,
    /// Counts up for each app.
    pub number: u64,
}

impl CovPath {
    /// Names the file that holds profile `number` of an app.
    #[must_use]
    pub fn new(app: &str, number: u64) -> Self {
        Self { app_folder: escape(app), number }
    }

    /// Returns the path relative to the root, as it stands in `cov_file_path`.
    #[must_use]
    pub fn relative(&self) -> String {
        let Self { app_folder, number } = self;
        format!("{app_folder}/cov_data/{app_folder}_{number}.cov")
    }
}

impl Locked {
    /// Returns the work directory that is locked.
    #[must_use]
    pub fn workdir(&self) -> &Workdir {
        &self.workdir
    }

    /// Returns the proof that the lock is held.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Writes a file so that it is there whole, also after a power cut, or not at all.
    ///
    /// `write` fills a temporary file in the same folder; it is synced, renamed, and the folder synced.
    /// Folders are made, and synced into theirs, where they are missing.
    pub fn store(
        &self,
        relative: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), WorkdirError> {
        let path = self.workdir.root.join(relative);
        let folder = path.parent().expect("below the root");
        make_folder(folder)?;
        let mut unfinished = path.clone().into_os_string();
        unfinished.push(UNFINISHED);
        let unfinished = PathBuf::from(unfinished);
        let stored = write_synced(&unfinished, write).and_then(|()| {
            #[expect(clippy::disallowed_methods, reason = "the file was synced, the folder is next")]
            fs::rename(&unfinished, &path).map_err(io_error("cannot rename to", &path))
        });
        if stored.is_err() {
            #[expect(
                clippy::disallowed_methods,
                reason = "an unfinished file would only take up a full disk"
            )]
            let _ = fs::remove_file(&unfinished);
        }
        stored?;
        sync_folder(folder)
    }

    /// Removes what reports were making when they were ended; nothing while one is running.
    pub fn sweep_scratch(&self) -> Result<(), WorkdirError> {
        let folder = self.workdir.root.join(SCRATCH);
        if !folder.is_dir() {
            return Ok(());
        }
        let left = names_in(&folder)?;
        if left.is_empty() {
            return Ok(());
        }
        let readers = self.workdir.root.join(READERS);
        let guard = open_lock(&readers)?;
        if guard.try_lock().is_err() {
            return Ok(());
        }
        for name in left {
            let path = folder.join(name);
            #[expect(clippy::disallowed_methods, reason = "this is the sweep")]
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(io_error("cannot remove", &path))?;
        }
        Ok(())
    }

    /// Removes what nobody needs: unfinished files, and profiles that `referenced` does not name, with
    /// the reports beside them.
    ///
    /// Nothing is removed while a reader opens a file; the next run sweeps again. Folders and files that
    /// are not named as ours are let alone.
    pub fn sweep(&self, referenced: &BTreeSet<String>) -> Result<Freed, WorkdirError> {
        let root = &self.workdir.root;
        let readers = root.join(READERS);
        let guard = open_lock(&readers)?;
        match guard.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Freed { is_put_off: true, ..Freed::default() }),
            Err(TryLockError::Error(error)) => return Err(io_error("cannot lock", &readers)(error)),
        }
        let mut freed = Freed::default();
        for app_folder in names_in(root)? {
            let cov_data = root.join(&app_folder).join("cov_data");
            if !cov_data.is_dir() {
                continue;
            }
            for name in names_in(&cov_data)? {
                if !is_orphan(&app_folder, &name, referenced) {
                    continue;
                }
                let path = cov_data.join(&name);
                freed.bytes += fs::symlink_metadata(&path).map_or(0, |file| file.len());
                #[expect(clippy::disallowed_methods, reason = "this is the sweep")]
                fs::remove_file(&path).map_err(io_error("cannot remove", &path))?;
                freed.files += 1;
            }
        }
        Ok(freed)
    }
}

/// Reads a file outside of the work directory, up to a gigabyte; `-` is stdin.
pub fn read_outside(path: &Path) -> Result<Vec<u8>, WorkdirError> {
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
pub fn is_same_place(one: &Path, other: &Path) -> bool {
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
pub fn write_whole<T, E>(
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
    let file = file.map_err(io_error("cannot create", &unfinished))?;
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

/// Tells whether a file of ours belongs to no row: unfinished, or of a profile that `referenced` lacks.
fn is_orphan(app_folder: &str, name: &str, referenced: &BTreeSet<String>) -> bool {
    let Some(numbered) = name.strip_prefix(app_folder).and_then(|rest| rest.strip_prefix('_')) else {
        return false;
    };
    let (number, kind) = numbered.split_at(numbered.bytes().take_while(u8::is_ascii_digit).count());
    let finished = kind.strip_suffix(UNFINISHED);
    let cov = format!("{app_folder}/cov_data/{app_folder}_{number}{COV}");
    !number.is_empty()
        && REPORTS.iter().chain([&COV]).any(|known| *known == finished.unwrap_or(kind))
        && (finished.is_some() || !referenced.contains(&cov))
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

/// Makes a folder and those above it, each synced into the one that holds it.
fn make_folder(folder: &Path) -> Result<(), WorkdirError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_folder(parent)?;
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(parent),
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
    fn orphans_are_ours_and_of_no_row() {
        let referenced = BTreeSet::from(["app/cov_data/app_1.cov".to_owned()]);
        let names = [
            ("app_1.cov", false),
            ("app_1_report.txt", false),
            ("app_1.cov.tmp", true),
            ("app_2.cov", true),
            ("app_2_report.txt", true),
            ("app_1_report.html", false),
            ("app_2_report.html", true),
            ("app_2_report.html.tmp", true),
            ("app_2_report.pdf", false),
            ("app_2_3.cov", false),
            ("app_2_notes.txt", false),
            ("app_.cov", false),
            ("other_2.cov", false),
            ("app_2.cov.bak", false),
        ];
        for (name, wanted) in names {
            assert_eq!(is_orphan("app", name, &referenced), wanted, "{name}");
        }
    }
}
