//! Files of the root that users outside of the group can read.

use super::DATABASE;
use super::error::WorkdirError;
use super::lock::{LOCK, LockedWorkdir, READERS};
use super::profiles::COV_DATA;

impl LockedWorkdir {
    /// Returns the paths, relative to the root, that users outside of the group can read or lock. An earlier release
    /// created them so, or somebody changed their mode.
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
}
