//! Snapshots of the last data of processes, as the hook of a pod leaves them in an inbox.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Output, World};
use crate::sim::BinaryProgram;

/// More time than the five seconds that a hook has by default, for a machine that runs all tests at once.
pub(crate) const LONG_DEADLINE: &[&str] = &["--deadline", "60s"];

impl World {
    /// Makes the inbox of the work directory, and returns its path.
    pub(crate) fn inbox(&self) -> PathBuf {
        let inbox = self.root().join("inbox");
        fs::create_dir_all(&inbox).unwrap();
        inbox
    }

    /// Makes a folder below the inbox.
    pub(crate) fn folder(&self, path: &str) -> PathBuf {
        let folder = self.inbox().join(path);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Writes the counters of a process into a folder below the inbox, with the meta of its program. `process` are its id
    /// and the time in the name of the file.
    pub(crate) fn leave_file(&self, folder: &str, program: &BinaryProgram, process: &str, counts: &[u64]) {
        let folder = self.folder(folder);
        fs::write(folder.join("covmeta.a"), program.meta()).unwrap();
        fs::write(folder.join(format!("covcounters.a.{process}")), program.counters(counts)).unwrap();
    }

    /// Runs the hook of a pod, which saves the counters of the agent at a URL to a folder.
    pub(crate) fn run_hook(&self, folder: &Path, url: &str, service: &str, options: &[&str]) -> Output {
        let folder = folder.to_str().unwrap();
        let hook = ["pull", "--to-inbox", folder, "--service", service, "--address", url];
        self.run(&[&hook, LONG_DEADLINE, options].concat())
    }

    /// Saves the counters of the agent at a URL to the inbox, and returns the new snapshot.
    #[track_caller]
    pub(crate) fn leave_snapshot(&self, url: &str, service: &str) -> PathBuf {
        let inbox = self.inbox();
        let before = snapshots(&inbox);
        self.run_hook(&inbox, url, service, &["--strict"]).assert_code(0);
        snapshots(&inbox).into_iter().find(|path| !before.contains(path)).expect("a snapshot")
    }
}

/// Returns the snapshots in a folder, sorted.
pub(crate) fn snapshots(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "snapshot"))
        .collect();
    found.sort();
    found
}
