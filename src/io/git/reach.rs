//! The question whether a repository can be reached, which fetches nothing.

use std::path::Path;

use super::error::GitError;
use super::network::{Network, upload_pack};
use super::running::GitProcess;
use super::url::RemoteUrl;

/// Asks a repository for its references, under the same rules as a clone. A protocol that is not allowed fails before
/// anybody is asked.
pub(crate) fn reach(url: &RemoteUrl, network: &Network) -> Result<(), GitError> {
    let mut git = network.command(url);
    // Git would read the configuration of a repository in the current folder, which may be anybody's.
    git.current_dir(Path::new("/"));
    git.args(["ls-remote", "--quiet", upload_pack(url), "--end-of-options", &network.address(url), "HEAD"]);
    GitProcess::run("ls-remote", git, Vec::new(), network)
}
