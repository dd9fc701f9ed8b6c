//! The version of git.

use std::time::Duration;

use super::error::GitError;
use super::run::{Timeout, command};
use super::running::GitProcess;
use crate::names::printable;

/// Returns the version as git tells it, such as `2.39.5`.
pub(crate) fn version() -> Result<String, GitError> {
    const TIMEOUT: Timeout = Timeout(Duration::from_secs(10));
    let mut git = command();
    git.arg("--version");
    let told = GitProcess::start("version", git, Vec::new(), TIMEOUT)?.output()?;
    let told = String::from_utf8_lossy(&told);
    match told.trim().strip_prefix("git version ") {
        Some(version) => Ok(printable(version).into_owned()),
        None => Err(GitError::Unexpected { action: "version", answer: told.chars().take(80).collect() }),
    }
}
