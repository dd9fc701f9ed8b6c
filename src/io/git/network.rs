//! Access to other machines: protocols, time limits, and the git that fetches.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::run::{Timeout, network_command};
use super::url::RemoteUrl;

/// Limits within which git may reach other machines.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Allowed protocols, such as `https`.
    pub protocols: Vec<String>,
    /// URL of the repository from the configuration.
    pub url: Option<RemoteUrl>,
    /// Time that one transfer may take.
    pub timeout: Timeout,
    /// Ends a transfer when it is no longer 0.
    pub stop: Arc<AtomicUsize>,
    /// Name of the setting for the URL, as in `[apps.echo] repo`.
    pub setting: String,
}

impl Network {
    /// Returns a git for a URL in this network.
    pub(super) fn command(&self, url: &RemoteUrl) -> Command {
        let mut protocols = self.protocols.clone();
        protocols.extend(url.helper().filter(|_| self.allows(url)).map(str::to_owned));
        let mut git = network_command(&protocols, url.is_of_ssh() && has_ssh_command());
        url.hand_over(&mut git);
        git
    }

    /// Tells whether a URL has a protocol that is not allowed.
    pub(crate) fn refuses(&self, url: &RemoteUrl) -> bool {
        url.as_str().contains("://") && !self.allows(url)
    }

    fn allows(&self, url: &RemoteUrl) -> bool {
        let scheme = url.as_str().split_once("://").map(|(scheme, _)| scheme);
        self.protocols.iter().any(|protocol| Some(protocol.as_str()) == scheme)
    }

    /// Returns the address that a git of [`Network::command`] fetches from.
    pub(super) fn address(&self, url: &RemoteUrl) -> String {
        match url.helper() {
            Some(helper) if self.allows(url) => format!("{helper}::{}", url.as_str()),
            // Git refuses a protocol that is not allowed, and names it, before it opens a connection.
            _ => url.as_str().to_owned(),
        }
    }
}

/// Tells whether the git configuration of the user or of the machine has an ssh command.
fn has_ssh_command() -> bool {
    let has_setting = |scope| {
        let mut git = network_command(&[], true);
        git.args(["config", scope, "--includes", "core.sshCommand"]).stdin(Stdio::null());
        git.output().is_ok_and(|output| output.status.success())
    };
    has_setting("--global") || has_setting("--system")
}

/// Returns the program that serves a repository. A repository on this machine may belong to anybody, so the program must
/// fetch nothing itself: git before 2.45 would run the programs that its configuration names then.
pub(super) fn upload_pack(url: &RemoteUrl) -> &'static str {
    match url.host() {
        Some(_) => "--upload-pack=git-upload-pack",
        None => "--upload-pack=GIT_ALLOW_PROTOCOL= GIT_NO_LAZY_FETCH=1 git-upload-pack",
    }
}
