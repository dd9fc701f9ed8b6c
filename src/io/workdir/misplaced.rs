//! Coverage files at a level of an inbox where no service or pod can be told.
//!
//! Such files are only counted: a folder that is meant for something else may hold them, so they are never moved.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, openat};

use super::data_folder::{AS_FOLDER, DataFolder, each_name};
use super::inbox;
use crate::profile::gocover::DataFileName;

/// Levels below the folder of a pod that are looked into.
const DEEPEST: usize = 8;
/// Folders of an inbox that are looked into below those of its pods, so that a large tree does not hold up a run.
const MOST_FOLDERS: usize = 1024;

/// The coverage files of a folder that is no service and no pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MisplacedFiles {
    /// The folder that holds the files.
    pub(crate) folder: PathBuf,
    /// Number of the files.
    pub(crate) files: usize,
    pub(crate) level: WrongLevel,
}

/// The level of misplaced files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrongLevel {
    /// The files lie in the inbox itself.
    Inbox,
    /// The files lie deeper than the folder of a pod.
    BelowPod,
}

/// Returns the coverage files in an inbox itself, and in folders below those of its pods. A folder that cannot be read
/// counts as empty.
pub(crate) fn misplaced_files(inbox: &Path, folders: &[DataFolder]) -> Vec<MisplacedFiles> {
    let mut search = Search { found: Vec::new(), folders_left: MOST_FOLDERS };
    if let Ok(opened) = inbox::open_folder(inbox) {
        search.look_into(&opened, inbox, Some(WrongLevel::Inbox));
    }
    for pod in folders.iter().filter(|folder| folder.pod.is_some()) {
        if search.folders_left == 0 {
            break;
        }
        if let Ok(Some(opened)) = pod.open() {
            search.look_below(opened.handle(), opened.path(), 0);
        }
    }
    search.found
}

struct Search {
    found: Vec<MisplacedFiles>,
    folders_left: usize,
}

impl Search {
    /// Looks into the folders within an open folder, which is so many levels below that of a pod.
    fn look_below(&mut self, opened: &OwnedFd, path: &Path, level: usize) {
        let is_below_pod = (level > 0).then_some(WrongLevel::BelowPod);
        let mut below = self.look_into(opened, path, is_below_pod);
        if level == DEEPEST {
            return;
        }
        below.sort_unstable();
        for name in below {
            if self.folders_left == 0 {
                return;
            }
            self.folders_left -= 1;
            if let Ok(opened) = openat(opened, &*name, AS_FOLDER, Mode::empty()) {
                self.look_below(&opened, &path.join(&name), level + 1);
            }
        }
    }

    /// Counts the coverage files in an open folder whose level is wrong. Returns the folders within it.
    fn look_into(&mut self, opened: &OwnedFd, path: &Path, wrong: Option<WrongLevel>) -> Vec<OsString> {
        let (mut files, mut below) = (0, Vec::new());
        let see = |name: &OsStr, kind: FileType| match kind {
            FileType::RegularFile | FileType::Unknown if is_coverage_file(name) => files += 1,
            // Anything else whose kind is not told cannot be opened as a folder.
            FileType::Directory | FileType::Unknown => below.push(name.to_owned()),
            _ => {}
        };
        let _ = each_name(opened, see);
        if let Some(level) = wrong.filter(|_| files > 0) {
            self.found.push(MisplacedFiles { folder: path.to_owned(), files, level });
        }
        below
    }
}

fn is_coverage_file(name: &OsStr) -> bool {
    let name = name.to_str().and_then(DataFileName::parse);
    matches!(name, Some(DataFileName::Meta { .. } | DataFileName::Counters { .. }))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::data_folder::data_folders;
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "as strangers write it")]
    fn coverage_files_of_a_wrong_level_are_counted_by_their_folders() {
        let home = tempfile::tempdir().unwrap();
        let inbox = home.path();
        for folder in ["svc/pod/x/y", "svc/pod/a", "bad/p/q", "lost+found/p/q"] {
            fs::create_dir_all(inbox.join(folder)).unwrap();
        }
        for file in [
            "covmeta.a",
            "covcounters.a.1.2",
            "notes.txt",
            "tmp.covmeta.a",
            "svc/covmeta.a",
            "svc/pod/covmeta.a",
            "svc/pod/x/y/covcounters.a.1.2",
            "svc/pod/a/covmeta.a",
            "svc/pod/a/core",
            "bad/covmeta.a",
            "bad/p/q/covmeta.a",
            "lost+found/p/q/covmeta.a",
        ] {
            fs::write(inbox.join(file), "").unwrap();
        }
        symlink(inbox.join("svc"), inbox.join("svc/pod/link")).unwrap();
        fs::create_dir(inbox.join("svc/pod/covmeta.folder")).unwrap();
        let folders = data_folders(inbox, ".snapshot").folders;
        let below = |folder: &str| MisplacedFiles {
            folder: inbox.join(folder),
            files: 1,
            level: WrongLevel::BelowPod,
        };
        assert_eq!(
            misplaced_files(inbox, &folders),
            [
                MisplacedFiles { folder: inbox.to_owned(), files: 2, level: WrongLevel::Inbox },
                below("svc/pod/a"),
                below("svc/pod/x/y"),
            ]
        );
        assert_eq!(misplaced_files(&inbox.join("nowhere"), &[]), []);
    }
}
