//! Snapshots of the last data of processes, as the hook of a pod leaves them in an inbox.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Output, World};

/// More time than the five seconds that a hook has by default, for a machine that runs all tests at once.
pub(crate) const LONG_DEADLINE: &[&str] = &["--deadline", "60s"];

impl World {
    /// Makes the inbox of the work directory, and returns its path.
    pub(crate) fn inbox(&self) -> PathBuf {
        let inbox = self.root().join("inbox");
        fs::create_dir_all(&inbox).unwrap();
        inbox
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
