//! Folders below an inbox, into which processes write their coverage data by themselves.
//!
//! Users who can write there are not trusted: folders are opened one below the other, files through the handle of their
//! folder, and links are never followed.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;

use super::error::{WorkdirError, io_error};
use super::inbox::{self, BAD};

/// Folder that some file systems have at their top, for their repairs alone.
const LOST_AND_FOUND: &str = "lost+found";
/// Flags that open a folder, and fail at a link.
pub(super) const AS_FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder of a service below an inbox, or of one of its pods below that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataFolder {
    inbox: PathBuf,
    pub(crate) service: String,
    pub(crate) pod: Option<String>,
}

/// An open [`DataFolder`].
#[derive(Debug)]
pub(crate) struct OpenDataFolder<'f> {
    inbox: &'f Path,
    path: PathBuf,
    opened: OwnedFd,
}

/// The folders of services below an inbox with those of their pods, sorted.
#[derive(Debug, Default)]
pub(crate) struct DataFolders {
    pub(crate) folders: Vec<DataFolder>,
    /// Links that stand in places of folders.
    pub(crate) links: Vec<PathBuf>,
    /// The reasons why other folders cannot be looked into.
    pub(crate) failures: Vec<WorkdirError>,
}

/// Returns the folders of services and pods below an inbox. A folder of a service whose name ends with `suffix` is left
/// out.
pub(crate) fn data_folders(inbox: &Path, suffix: &str) -> DataFolders {
    let mut found = DataFolders::default();
    let is_service =
        |name: &OsStr| name != BAD && name != LOST_AND_FOUND && !name.as_bytes().ends_with(suffix.as_bytes());
    let opened = match inbox::open_folder(inbox) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return found,
        Err(error) => {
            found.failures.push(io_error("cannot list", inbox)(error));
            return found;
        }
    };
    for service in subfolders(&opened, inbox, is_service, &mut found) {
        let path = inbox.join(&service);
        let below = openat(&opened, &*service, AS_FOLDER, Mode::empty());
        match below {
            Ok(below) => {
                let pods = subfolders(&below, &path, |_| true, &mut found);
                let folder = DataFolder { inbox: inbox.to_owned(), service, pod: None };
                let of_pods: Vec<_> =
                    pods.into_iter().map(|pod| DataFolder { pod: Some(pod), ..folder.clone() }).collect();
                found.folders.push(folder);
                found.folders.extend(of_pods);
            }
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {}
            Err(error) => found.failures.push(io_error("cannot open", &path)(error.into())),
        }
    }
    found
}

/// Returns the names of the folders within an open folder, sorted.
fn subfolders(
    opened: &OwnedFd,
    path: &Path,
    is_wanted: impl Fn(&OsStr) -> bool,
    found: &mut DataFolders,
) -> Vec<String> {
    let mut names = Vec::new();
    let listed = each_name(opened, |name, kind| {
        let is_folder = match kind {
            FileType::Unknown => is_folder(opened, name),
            kind => kind.is_dir(),
        };
        if kind.is_symlink() && is_wanted(name) {
            found.links.push(path.join(name));
        }
        if !is_folder || !is_wanted(name) {
            return;
        }
        match name.to_str() {
            Some(name) => names.push(name.to_owned()),
            None => {
                let error = io::Error::new(io::ErrorKind::InvalidData, "its name is not UTF-8");
                found.failures.push(io_error("cannot open", &path.join(name))(error));
            }
        }
    });
    if let Err(error) = listed {
        found.failures.push(io_error("cannot list", path)(error));
    }
    names.sort_unstable();
    names
}

fn is_folder(opened: &OwnedFd, name: &OsStr) -> bool {
    statat(opened, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir())
}

/// Calls `see` with each name in a folder, and the kind of its file as far as the folder tells it.
pub(super) fn each_name(opened: &OwnedFd, mut see: impl FnMut(&OsStr, FileType)) -> io::Result<()> {
    for entry in Dir::read_from(opened)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            see(name, entry.file_type());
        }
    }
    Ok(())
}

impl DataFolder {
    /// Returns its path.
    pub(crate) fn path(&self) -> PathBuf {
        let service = self.inbox.join(&self.service);
        self.pod.as_ref().map_or_else(|| service.clone(), |pod| service.join(pod))
    }

    /// Opens it; `None` if it is gone, or something else stands in its place.
    pub(crate) fn open(&self) -> Result<Option<OpenDataFolder<'_>>, WorkdirError> {
        let opened = inbox::open_folder(&self.inbox).and_then(|inbox| {
            let service = openat(&inbox, &*self.service, AS_FOLDER, Mode::empty())?;
            match &self.pod {
                Some(pod) => Ok(openat(&service, &**pod, AS_FOLDER, Mode::empty())?),
                None => Ok(service),
            }
        });
        let is_none = |error: &io::Error| [Errno::NOENT, Errno::LOOP, Errno::NOTDIR].contains(&errno(error));
        match opened {
            Ok(opened) => Ok(Some(OpenDataFolder { inbox: &self.inbox, path: self.path(), opened })),
            Err(error) if is_none(&error) => Ok(None),
            Err(error) => Err(io_error("cannot open", &self.path())(error)),
        }
    }
}

impl OpenDataFolder<'_> {
    /// Returns the path of a file in it.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn handle(&self) -> &OwnedFd {
        &self.opened
    }

    /// Calls `see` with each name in it that is UTF-8.
    pub(crate) fn each_name(&self, mut see: impl FnMut(&str)) -> Result<(), WorkdirError> {
        let see = |name: &OsStr, _| {
            if let Some(name) = name.to_str() {
                see(name);
            }
        };
        each_name(&self.opened, see).map_err(io_error("cannot list", &self.path))
    }

    /// Opens a file; `None` if it is gone, `Err(None)` if it is not a regular file.
    pub(crate) fn open_file(&self, name: &str) -> Result<Option<File>, Option<WorkdirError>> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let failed = |error: io::Error| Some(io_error("cannot open", &self.path_of(name))(error));
        match openat(&self.opened, name, flags, Mode::empty()) {
            Ok(opened) => {
                let file = File::from(opened);
                match file.metadata().map_err(failed)?.is_file() {
                    true => Ok(Some(file)),
                    false => Err(None),
                }
            }
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => Err(None),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Returns the time since a file was changed; `None` if that is unknown.
    pub(crate) fn age(&self, name: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
        let stat = statat(&self.opened, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(now - DateTime::from_timestamp(stat.st_mtime, 0)?)
    }

    /// Returns what changes with a file: its size and the time of its last change; `None` if it is gone.
    pub(crate) fn state_of(&self, name: &str) -> Option<String> {
        let stat = statat(&self.opened, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(format!("{} {}.{:09}", stat.st_size, stat.st_mtime, stat.st_mtime_nsec))
    }

    /// Returns the time since a name was added to the folder or removed; `None` if that is unknown.
    pub(crate) fn quiet_for(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let stat = rustix::fs::fstat(&self.opened).ok()?;
        Some(now - DateTime::from_timestamp(stat.st_mtime, 0)?)
    }

    /// Removes a file after it was taken in.
    pub(crate) fn remove(&self, name: &str) -> Result<(), WorkdirError> {
        match unlinkat(&self.opened, name, AtFlags::empty()) {
            // Another root took it, too.
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(io_error("cannot remove", &self.path_of(name))(error.into())),
        }
    }

    /// Returns the number of files that fit into the folder for bad ones of the inbox, so that none there has to go.
    pub(crate) fn room_for_bad(&self) -> Result<usize, WorkdirError> {
        let bad = self.inbox.join(BAD);
        inbox::room_for_bad(self.inbox).map_err(io_error("cannot list", &bad))
    }

    /// Moves files into the folder for bad ones of the inbox, as [`inbox::set_aside`] does.
    #[must_use]
    pub(crate) fn set_aside(&self, files: &[(&str, &str)]) -> Vec<Result<bool, WorkdirError>> {
        let files: Vec<(&OsStr, &str)> =
            files.iter().map(|(name, reason)| (name.as_ref(), *reason)).collect();
        inbox::move_aside(self.inbox, Some(&self.opened), &files)
    }
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "as strangers write it")]
    fn folders_of_services_and_pods_are_found_and_links_are_none() {
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir(outside.path().join("pod")).unwrap();
        let inbox = tempfile::tempdir().unwrap();
        for folder in ["b/pod-1", "b/pod-0", "a", "bad/x", "lost+found", "x.snapshot"] {
            fs::create_dir_all(inbox.path().join(folder)).unwrap();
        }
        fs::write(inbox.path().join("file"), "").unwrap();
        symlink(outside.path(), inbox.path().join("link")).unwrap();
        symlink(outside.path(), inbox.path().join("a/link")).unwrap();
        let DataFolders { folders, links, failures } = data_folders(inbox.path(), ".snapshot");
        assert_eq!(links, ["link", "a/link"].map(|link| inbox.path().join(link)));
        assert!(failures.is_empty(), "{failures:?}");
        let found: Vec<_> = folders.iter().map(|folder| (&*folder.service, folder.pod.as_deref())).collect();
        assert_eq!(found, [("a", None), ("b", None), ("b", Some("pod-0")), ("b", Some("pod-1"))]);

        // A folder whose place is taken by a link meanwhile is not opened.
        fs::remove_dir(inbox.path().join("b/pod-0")).unwrap();
        symlink(outside.path(), inbox.path().join("b/pod-0")).unwrap();
        assert!(folders[2].open().unwrap().is_none());
        assert!(folders[3].open().unwrap().is_some());
    }
}
