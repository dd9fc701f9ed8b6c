//! What git fetches from other machines: clones, commits, and the contents of files.
//!
//! Here alone git reads the user's configuration, for proxies, certificates and credential helpers; what it
//! prints is not read. It asks nobody: without credentials it fails. The configuration of a clone is not among what
//! it reads: it fetches into a repository beside it, and of the clone's remote takes the URL alone.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::fetching::Facts;
use super::run::{Deadline, command, network_command};
use super::running::Running;
use super::settings::{RemoteSetting, filter_of, remote_settings, unheeded_settings, url_of};
use super::url::RemoteUrl;
use super::{GitError, ObjectId, Owners, Repository, lines};

/// How git may reach other machines.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Protocols that it may speak, such as `https`.
    pub protocols: Vec<String>,
    /// Where the repository is configured to come from.
    pub url: Option<RemoteUrl>,
    /// How long one transfer may take.
    pub deadline: Deadline,
    /// Ends a transfer when it is no longer 0.
    pub stop: Arc<AtomicUsize>,
    /// Names the setting that the URL stands in, or may, as in `[apps.echo] repo`.
    pub setting: String,
}

impl Network {
    /// Returns a git for a URL in this network.
    fn command(&self, url: &RemoteUrl) -> Command {
        let mut protocols = self.protocols.clone();
        protocols.extend(url.helper().filter(|_| self.allows(url)).map(str::to_owned));
        let mut git = network_command(&protocols, url.is_of_ssh() && has_ssh_command());
        url.hand_over(&mut git);
        git
    }

    fn allows(&self, url: &RemoteUrl) -> bool {
        let scheme = url.as_str().split_once("://").map(|(scheme, _)| scheme);
        self.protocols.iter().any(|protocol| Some(protocol.as_str()) == scheme)
    }

    /// Returns what a git of [`Network::command`] is told to fetch from.
    fn address(&self, url: &RemoteUrl) -> String {
        match url.helper() {
            Some(helper) if self.allows(url) => format!("{helper}::{}", url.as_str()),
            // Git refuses a protocol that is not allowed, and names it, before it asks anybody.
            _ => url.as_str().to_owned(),
        }
    }
}

/// Tells whether the user, or this machine, has an ssh command of their own.
fn has_ssh_command() -> bool {
    let says = |scope| {
        let mut git = network_command(&[], true);
        git.args(["config", scope, "--includes", "core.sshCommand"]).stdin(Stdio::null());
        git.output().is_ok_and(|output| output.status.success())
    };
    says("--global") || says("--system")
}

/// Returns the program that serves a repository. One on this machine may be anybody's, and must fetch nothing itself:
/// git before 2.45 would run what its configuration names then.
fn upload_pack(url: &RemoteUrl) -> &'static str {
    match url.host() {
        Some(_) => "--upload-pack=git-upload-pack",
        None => "--upload-pack=GIT_ALLOW_PROTOCOL= GIT_NO_LAZY_FETCH=1 git-upload-pack",
    }
}

/// Clones `url` as a bare repository, whole, so that what is fetched now is there for good. Where root clones, it is
/// for the owner of the work directory.
pub(crate) fn clone(
    url: &RemoteUrl,
    into: &Path,
    network: &Network,
    owners: &Owners,
) -> Result<(), GitError> {
    let mut git = network.command(url);
    let address = network.address(url);
    git.args([
        "clone",
        "--quiet",
        "--bare",
        "--no-local",
        "--no-hardlinks",
        "--template=",
        "--origin=origin",
        upload_pack(url),
    ])
    .args(["--end-of-options", &address])
    .arg(into);
    Running::run("clone", git, Vec::new(), network)?;
    let configure = |key, value| {
        let mut config = command();
        config.arg("--git-dir").arg(into).args(["config", key, value]);
        Running::run("config", config, Vec::new(), network)
    };
    // Whoever fetches by hand has no such helper.
    if address != url.as_str() {
        configure("remote.origin.url", url.as_str())?;
    }
    // A bare clone has no such line, and for whoever fetches by hand its branches would never move again.
    configure("remote.origin.fetch", "+refs/heads/*:refs/heads/*")?;
    owners.hand_over(into);
    Ok(())
}

impl Repository {
    /// Fetches one commit by its full hash.
    pub(crate) fn fetch_commit(&self, hash: &ObjectId, network: &Network) -> Result<(), GitError> {
        // A reference, or git would throw the commit away some weeks later.
        let kept = format!("{hash}:refs/goc-watchdog/{hash}");
        let depth = if self.is_shallow()? { &["--depth=1"][..] } else { &[] };
        self.fetch(depth, [kept.as_str()], Vec::new(), network)
    }

    /// Fetches all heads and tags, of a shallow clone with all that lies before them.
    pub(crate) fn fetch_heads_and_tags(&self, network: &Network) -> Result<(), GitError> {
        let unshallow = if self.is_shallow()? { &["--unshallow"][..] } else { &[] };
        self.fetch(
            unshallow,
            ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"],
            Vec::new(),
            network,
        )
    }

    /// Fetches the contents of files that a clone without them lacks, all in one go.
    pub(crate) fn fetch_blobs(&self, blobs: &[ObjectId], network: &Network) -> Result<(), GitError> {
        // As git itself does when it comes upon one missing (its promisor-remote.c).
        self.fetch(&["--filter=blob:none", "--stdin"], [], lines(blobs, "", "\n").into_bytes(), network)
    }

    /// Returns which of these blobs of a commit the repository lacks: none, but of a partial clone.
    pub(crate) fn missing_blobs(
        &self,
        commit: &ObjectId,
        of: &[ObjectId],
    ) -> Result<Vec<ObjectId>, GitError> {
        if !self.is_partial() {
            return Ok(Vec::new());
        }
        // The one command that tells without trying to fetch them.
        let listed = self.output(
            "rev-list",
            &["--objects", "--missing=print", "--no-walk", commit.as_str()],
            Vec::new(),
        )?;
        let listed = String::from_utf8_lossy(&listed);
        let missing: HashSet<&str> = listed.lines().filter_map(|line| line.strip_prefix('?')).collect();
        Ok(of.iter().filter(|blob| missing.contains(blob.as_str())).cloned().collect())
    }

    /// Tells whether it may lack what a commit has.
    #[must_use]
    pub(crate) fn is_partial(&self) -> bool {
        *self.is_partial.get_or_init(|| {
            // Mostly the file tells enough; git reads it as it is meant, with what it includes.
            if super::file_of(&self.layout, super::CONFIG).is_ok_and(|says| !may_say_partial(&says)) {
                return false;
            }
            // Of alternates, which this does not see, what is missing is found missing one by one.
            let promised = r"^(remote\..*\.promisor|extensions\.partialclone)$";
            self.own_settings(&["--get-regexp", promised]).is_ok_and(|promised| !promised.is_empty())
        })
    }

    /// Fetches the folders of a commit, which a clone without any (`--filter=tree:0`) lacks.
    pub(crate) fn fetch_trees(&self, commit: &ObjectId, network: &Network) -> Result<(), GitError> {
        self.fetch(&["--refetch", "--filter=blob:none"], [commit.as_str()], Vec::new(), network)
    }

    /// Tells whether history ends before its beginning here.
    pub(crate) fn is_shallow(&self) -> Result<bool, GitError> {
        let marks = match self.is_fetched.get() {
            Some(()) => std::fs::metadata(self.fetching.path().join("shallow")),
            None => std::fs::metadata(self.layout.common_dir.join("shallow")),
        };
        match marks {
            Ok(marks) => Ok(marks.len() > 0),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(reason) => Err(GitError::Unreadable { path: self.path.clone(), reason }),
        }
    }

    /// Returns the name of the remote's default branch.
    pub(super) fn remote_head(&self, network: &Network) -> Result<String, GitError> {
        let url = self.remote(network)?;
        let mut git = network.command(&url);
        // Also to ask, git goes where no configuration but its own is heeded.
        let held = self.fetching.prepare(&self.facts(network.address(&url))?, network)?;
        git.arg("--git-dir").arg(self.fetching.path());
        git.args(["ls-remote", upload_pack(&url), "--symref", "--end-of-options", "origin", "HEAD"]);
        let answer = Running::answer("ls-remote", git, network);
        drop(held);
        let answer = answer.map_err(|error| self.with_settings_unheeded(error, network))?;
        let answer = String::from_utf8_lossy(&answer);
        let named =
            answer.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"));
        named.map(str::to_owned).ok_or(GitError::NoDefaultBranch { path: self.path.clone() })
    }

    /// Fetches what one reference specification names.
    pub(super) fn fetch_refs(&self, refspec: &str, network: &Network) -> Result<(), GitError> {
        self.fetch(&[], [refspec], Vec::new(), network)
    }

    /// Returns where the repository is configured to come from, else where the clone says that it does.
    fn remote(&self, network: &Network) -> Result<RemoteUrl, GitError> {
        if let Some(url) = &network.url {
            return Ok(url.clone());
        }
        let settings = self.remote_settings()?;
        let url = url_of(&settings).ok_or_else(|| GitError::NoRemote { path: self.path.clone() })?;
        let url = RemoteUrl::new(url);
        let is_path = url.host().is_none() && !url.as_str().contains("://");
        if !is_path {
            return Ok(url);
        }
        // Git takes a path from the folder of the clone on.
        let path = self.path.join(url.as_str());
        let path = std::path::absolute(&path).unwrap_or(path);
        Ok(RemoteUrl::for_path(&path))
    }

    /// Returns what the clone's configuration says of remotes.
    fn remote_settings(&self) -> Result<Vec<RemoteSetting>, GitError> {
        Ok(remote_settings(&self.own_settings(&["--null", "--get-regexp", r"^remote\."])?))
    }

    /// Returns what the repository beside the clone has to know of it.
    fn facts(&self, url: String) -> Result<Facts, GitError> {
        let listed = self.output_of_clone("for-each-ref", &["--format=%(objectname)"], Vec::new())?;
        // Of a detached one there may be no other reference.
        let head = self.output_of_clone("cat-file", &["--batch-check=%(objectname)"], b"HEAD\n".to_vec())?;
        let (listed, head) = (String::from_utf8_lossy(&listed), String::from_utf8_lossy(&head));
        let mut tips: BTreeSet<ObjectId> =
            listed.lines().chain(head.lines()).filter_map(ObjectId::parse).collect();
        // A commit that no reference leads to any more is there until somebody cleans up.
        let gone: Vec<ObjectId> = self.fetching.known_tips().difference(&tips).cloned().collect();
        let mut has_lost = false;
        if !gone.is_empty() {
            let question = lines(&gone, "", "\n").into_bytes();
            let still = match self.output_of_clone("cat-file", &["--batch-check=%(objectname)"], question) {
                // A partial clone would fetch what is missing, which it may not here.
                Err(GitError::Failed { .. }) => Vec::new(),
                still => still?,
            };
            let still: Vec<ObjectId> =
                String::from_utf8_lossy(&still).lines().filter_map(ObjectId::parse).collect();
            has_lost = still.len() < gone.len();
            tips.extend(still);
        }
        let filter = match self.is_partial() {
            true => Some(filter_of(&self.remote_settings()?)),
            false => None,
        };
        Ok(Facts { url, tips, has_lost, filter })
    }

    fn fetch<const N: usize>(
        &self,
        options: &[&str],
        refspecs: [&str; N],
        input: Vec<u8>,
        network: &Network,
    ) -> Result<(), GitError> {
        let url = self.remote(network)?;
        let held = self.fetching.prepare(&self.facts(network.address(&url))?, network)?;
        let mut git = network.command(&url);
        // This fetch gets all that was asked for. Git would begin a fetch for each object that it misses on the way, and
        // those fetches others in turn.
        git.env("GIT_NO_LAZY_FETCH", "1")
            .arg("--git-dir")
            .arg(self.fetching.path())
            // Nothing but what was asked for: no other references, no submodules, no clean-up behind our back.
            .args([
                "-c",
                "gc.auto=0",
                "-c",
                "maintenance.auto=false",
                "-c",
                "fetch.negotiationAlgorithm=default",
            ])
            // The commits of the clone are known already, and git would start a program to find them.
            .args(["-c", "core.alternateRefsCommand=true"])
            .args([
                "fetch",
                upload_pack(&url),
                "--quiet",
                "--no-tags",
                "--no-prune",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
            ])
            .args(options)
            .args(["--end-of-options", "origin"])
            .args(refspecs);
        let fetched = Running::run("fetch", git, input, network);
        drop(held);
        // Also where it failed half-way.
        if self.fetching.is_readable() {
            let _ = self.is_fetched.set(());
        }
        self.look_anew();
        fetched.map_err(|error| self.with_settings_unheeded(error, network))
    }

    /// Names beside a failure the settings of the clone that might have helped.
    fn with_settings_unheeded(&self, error: GitError, network: &Network) -> GitError {
        if !matches!(error, GitError::Failed { .. } | GitError::TimedOut { .. }) {
            return error;
        }
        let keys =
            unheeded_settings(&self.own_settings(&["--null", "--name-only", "--list"]).unwrap_or_default());
        match keys.is_empty() {
            true => error,
            false => GitError::SettingsUnheeded {
                error: Box::new(error),
                keys: keys.join(", "),
                setting: network.setting.clone(),
            },
        }
    }
}

/// Tells whether a configuration may be that of a partial clone, or leads to more of it.
fn may_say_partial(config: &[u8]) -> bool {
    let config = String::from_utf8_lossy(config).to_ascii_lowercase();
    ["promisor", "partialclone", "include", "worktreeconfig"].iter().any(|word| config.contains(word))
}
