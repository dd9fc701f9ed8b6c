//! The question whether a repository can be reached, which fetches nothing.

use std::path::Path;

use super::error::GitError;
use super::network::{Network, upload_pack};
use super::running::GitProcess;
use super::url::RemoteUrl;

/// Asks a repository for its references, under the same rules as a clone, and tells whether it has a commit. A protocol
/// that is not allowed fails before anybody is asked.
///
/// Git takes a page of a web server for a repository without commits.
pub(crate) fn reach(url: &RemoteUrl, network: &Network) -> Result<bool, GitError> {
    let names_commit = |option: &str, pattern: &[&str]| {
        let mut git = network.command(url);
        // Git would read the configuration of a repository in the current folder, which may be anybody's.
        git.current_dir(Path::new("/"));
        git.args(["ls-remote", option, upload_pack(url), "--end-of-options", &network.address(url)]);
        git.args(pattern);
        Ok(!GitProcess::answer("ls-remote", git, network)?.is_empty())
    };
    // HEAD may name a branch that does not exist.
    Ok(names_commit("--quiet", &["HEAD"])? || names_commit("--heads", &[])?)
}
