//! Transfers from other machines: clones, commits, and the contents of files.
//!
//! Git reads the user's configuration here and nowhere else, for proxies, certificates and credential helpers. Git never
//! asks the user: without credentials it fails. The configuration of a clone is not read: git fetches into a repository
//! beside the clone, and of the clone's remote uses the URL alone.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::config::read_config;
use super::error::GitError;
use super::fetching::CloneFacts;
use super::network::{Network, upload_pack};
use super::object::{ObjectId, lines};
use super::run::command;
use super::running::GitProcess;
use super::settings::{RemoteSetting, filter_of, remote_settings, unheeded_settings, url_of};
use super::url::RemoteUrl;
use super::{Repository, TrustedOwners};

/// Clones `url` as a bare repository with all objects. A clone that root makes is handed to the owner of the work
/// directory.
pub(crate) fn clone(
    url: &RemoteUrl,
    into: &Path,
    network: &Network,
    owners: &TrustedOwners,
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
    GitProcess::run("clone", git, Vec::new(), network)?;
    let configure = |key, value| {
        let mut config = command();
        config.arg("--git-dir").arg(into).args(["config", key, value]);
        GitProcess::run("config", config, Vec::new(), network)
    };
    // A user who fetches by hand has no such helper.
    if address != url.as_str() {
        configure("remote.origin.url", url.as_str())?;
    }
    // A bare clone has no such line, and a fetch by hand would never move its branches.
    configure("remote.origin.fetch", "+refs/heads/*:refs/heads/*")?;
    owners.hand_over(into);
    Ok(())
}

impl Repository {
    /// Fetches one commit by its full hash.
    pub(crate) fn fetch_commit(&self, hash: &ObjectId, network: &Network) -> Result<(), GitError> {
        // Git would remove the commit some weeks later if no reference named it.
        let kept = format!("{hash}:refs/goc-watchdog/{hash}");
        let depth = if self.is_shallow()? { &["--depth=1"][..] } else { &[] };
        self.fetch(depth, [kept.as_str()], Vec::new(), network)
    }

    /// Fetches all heads and tags, and the whole history of a shallow clone.
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
        // The same options as git itself uses for a missing object (its promisor-remote.c).
        self.fetch(&["--filter=blob:none", "--stdin"], [], lines(blobs, "", "\n").into_bytes(), network)
    }

    /// Returns the blobs of a commit that the repository lacks; none unless it is a partial clone.
    pub(crate) fn missing_blobs(
        &self,
        commit: &ObjectId,
        blobs: &[ObjectId],
    ) -> Result<Vec<ObjectId>, GitError> {
        if !self.is_partial() {
            return Ok(Vec::new());
        }
        // No other command lists them without trying to fetch them.
        let listed = self.output(
            "rev-list",
            &["--objects", "--missing=print", "--no-walk", commit.as_str()],
            Vec::new(),
        )?;
        let listed = String::from_utf8_lossy(&listed);
        let missing: HashSet<&str> = listed.lines().filter_map(|line| line.strip_prefix('?')).collect();
        Ok(blobs.iter().filter(|blob| missing.contains(blob.as_str())).cloned().collect())
    }

    /// Tells whether it may lack objects of a commit.
    #[must_use]
    pub(crate) fn is_partial(&self) -> bool {
        *self.is_partial.get_or_init(|| {
            // The file itself mostly tells enough. Git also reads the files that it includes.
            if read_config(&self.layout).is_ok_and(|config| !may_say_partial(&config)) {
                return false;
            }
            // Objects missing in alternates, which are not looked at here, are found missing one by one.
            let promised = r"^(remote\..*\.promisor|extensions\.partialclone)$";
            self.own_settings(&["--get-regexp", promised]).is_ok_and(|promised| !promised.is_empty())
        })
    }

    /// Fetches the folders of a commit, which a clone without any (`--filter=tree:0`) lacks.
    pub(crate) fn fetch_trees(&self, commit: &ObjectId, network: &Network) -> Result<(), GitError> {
        self.fetch(&["--refetch", "--filter=blob:none"], [commit.as_str()], Vec::new(), network)
    }

    /// Tells whether the history is cut off.
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
        // The question runs in the folder beside the clone, too, so that no setting of the clone counts.
        let held = self.fetching.prepare(&self.facts(network.address(&url))?, network)?;
        git.arg("--git-dir").arg(self.fetching.path());
        git.args(["ls-remote", upload_pack(&url), "--symref", "--end-of-options", "origin", "HEAD"]);
        let answer = GitProcess::answer("ls-remote", git, network);
        drop(held);
        let answer = answer.map_err(|error| self.with_settings_unheeded(error, network))?;
        let answer = String::from_utf8_lossy(&answer);
        let named =
            answer.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"));
        named.map(str::to_owned).ok_or(GitError::NoDefaultBranch { path: self.path.clone() })
    }

    /// Fetches the references of one reference specification.
    pub(super) fn fetch_refs(&self, refspec: &str, network: &Network) -> Result<(), GitError> {
        self.fetch(&[], [refspec], Vec::new(), network)
    }

    /// Returns the configured URL, or else the one of the clone's remote.
    pub(crate) fn remote(&self, network: &Network) -> Result<RemoteUrl, GitError> {
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
        // Git takes a path as relative to the folder of the clone.
        let path = self.path.join(url.as_str());
        let path = std::path::absolute(&path).unwrap_or(path);
        Ok(RemoteUrl::for_path(&path))
    }

    /// Returns the settings of remotes in the clone's configuration.
    fn remote_settings(&self) -> Result<Vec<RemoteSetting>, GitError> {
        Ok(remote_settings(&self.own_settings(&["--null", "--get-regexp", r"^remote\."])?))
    }

    /// Returns the facts about the clone that the repository beside it needs.
    fn facts(&self, url: String) -> Result<CloneFacts, GitError> {
        let listed = self.output_of_clone("for-each-ref", &["--format=%(objectname)"], Vec::new())?;
        // No reference may lead to a detached HEAD.
        let head = self.output_of_clone("cat-file", &["--batch-check=%(objectname)"], b"HEAD\n".to_vec())?;
        let (listed, head) = (String::from_utf8_lossy(&listed), String::from_utf8_lossy(&head));
        let mut tips: BTreeSet<ObjectId> =
            listed.lines().chain(head.lines()).filter_map(ObjectId::parse).collect();
        // A commit without a reference exists until git cleans up.
        let gone: Vec<ObjectId> = self.fetching.known_tips().difference(&tips).cloned().collect();
        let mut has_lost = false;
        if !gone.is_empty() {
            let question = lines(&gone, "", "\n").into_bytes();
            let existing = match self.output_of_clone("cat-file", &["--batch-check=%(objectname)"], question)
            {
                // A partial clone would fetch missing objects, which is forbidden here.
                Err(GitError::Failed { .. }) => Vec::new(),
                existing => existing?,
            };
            let existing: Vec<ObjectId> =
                String::from_utf8_lossy(&existing).lines().filter_map(ObjectId::parse).collect();
            has_lost = existing.len() < gone.len();
            tips.extend(existing);
        }
        let filter = match self.is_partial() {
            true => Some(filter_of(&self.remote_settings()?)),
            false => None,
        };
        Ok(CloneFacts { url, tips, has_lost, filter })
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
        // The fetch gets all requested objects. Git would otherwise begin a fetch for each object that it misses on the
        // way, and those fetches others in turn.
        git.env("GIT_NO_LAZY_FETCH", "1")
            .arg("--git-dir")
            .arg(self.fetching.path())
            // Git fetches only the requested objects: no other references, no submodules, no clean-up in the
            // background.
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
        let fetched = GitProcess::run("fetch", git, input, network);
        drop(held);
        // A fetch that failed half-way may have left a readable folder, too.
        if self.fetching.is_readable() {
            let _ = self.is_fetched.set(());
        }
        self.end_lookup();
        fetched.map_err(|error| self.with_settings_unheeded(error, network))
    }

    /// Adds the ignored settings of the clone to a failure that they might have prevented.
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

/// Tells whether a configuration may be the one of a partial clone, or include other files.
fn may_say_partial(config: &[u8]) -> bool {
    let config = String::from_utf8_lossy(config).to_ascii_lowercase();
    ["promisor", "partialclone", "include", "worktreeconfig"].iter().any(|word| config.contains(word))
}
