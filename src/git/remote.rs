//! What git fetches from other machines: clones, commits, and the contents of files.
//!
//! Here alone git reads the user's configuration, for proxies, certificates and credential helpers; what it
//! prints is not read. It asks nobody: without credentials it fails.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::run::{Deadline, Watch, command, network_command};
use super::{GitError, ObjectId, Repository, lines};

/// How git may reach other machines.
#[derive(Clone, Debug)]
pub struct Network {
    /// Protocols that it may speak, such as `https`.
    pub protocols: Vec<String>,
    /// Where the repository is configured to come from.
    pub url: Option<RemoteUrl>,
    /// How long one transfer may take.
    pub deadline: Deadline,
    /// Ends a transfer when it is no longer 0.
    pub stop: Arc<AtomicUsize>,
}

/// The URL of a repository. Its credentials never show, and are never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    plain: String,
    /// With credentials, where it has some.
    secret: Option<String>,
}

impl RemoteUrl {
    /// Takes the credentials out of a URL: all before an `@`, of ssh only a password, as its user name is
    /// part of the address.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let without = |(scheme, rest): (&str, &str)| {
            let end = rest.find('/').unwrap_or(rest.len());
            let (user, host) = rest[..end].rsplit_once('@')?;
            let user = match user.split_once(':') {
                Some((name, _)) if scheme.ends_with("ssh") => format!("{name}@"),
                None if scheme.ends_with("ssh") => return None,
                _ => String::new(),
            };
            Some(format!("{scheme}://{user}{host}{}", &rest[end..]))
        };
        match url.split_once("://").and_then(without) {
            Some(plain) => Self { plain, secret: Some(url.to_owned()) },
            None => Self { plain: url.to_owned(), secret: None },
        }
    }

    /// Returns it without credentials.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.plain
    }

    /// Returns the machine that it is on, with its user and port; `None` for a path.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let host = match self.plain.split_once("://") {
            Some((_, rest)) => rest.split('/').next(),
            // As ssh has it; a path with a colon begins with a slash or a dot.
            None => self.plain.split_once(':').map(|(host, _)| host).filter(|host| !host.contains('/')),
        };
        host.filter(|host| !host.is_empty())
    }
}

impl std::fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.plain)
    }
}

impl Network {
    /// A git for this network.
    fn command(&self) -> Command {
        let mut git = network_command(&self.protocols);
        // Through the environment, where other users do not see it as they see arguments.
        if let Some(RemoteUrl { plain, secret: Some(secret) }) = &self.url {
            git.env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", format!("url.{secret}.insteadOf"))
                .env("GIT_CONFIG_VALUE_0", plain);
        }
        git
    }
}

/// Clones `url` as a bare repository, whole, so that what is fetched now is there for good.
pub fn clone(url: &RemoteUrl, into: &Path, network: &Network) -> Result<(), GitError> {
    let mut git = network.command();
    git.args([
        "clone",
        "--quiet",
        "--bare",
        "--no-local",
        "--no-hardlinks",
        "--template=",
        "--origin=origin",
    ])
    .args(["--end-of-options", url.as_str()])
    .arg(into);
    Watch::run("clone", git, Vec::new(), network)?;
    // A bare clone has no such line, and for whoever fetches by hand its branches would never move again.
    let mut config = command();
    config.arg("--git-dir").arg(into).args(["config", "remote.origin.fetch", "+refs/heads/*:refs/heads/*"]);
    Watch::run("config", config, Vec::new(), network)
}

impl Repository {
    /// Fetches one commit by its full hash.
    pub fn fetch_commit(&self, hash: &ObjectId, network: &Network) -> Result<(), GitError> {
        // A reference, or git would throw the commit away some weeks later.
        let kept = format!("{hash}:refs/goc-watchdog/{hash}");
        let depth = if self.is_shallow()? { &["--depth=1"][..] } else { &[] };
        self.fetch(depth, [kept.as_str()], Vec::new(), network)
    }

    /// Fetches all heads and tags, of a shallow clone with all that lies before them.
    pub fn fetch_heads_and_tags(&self, network: &Network) -> Result<(), GitError> {
        let unshallow = if self.is_shallow()? { &["--unshallow"][..] } else { &[] };
        self.fetch(
            unshallow,
            ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"],
            Vec::new(),
            network,
        )
    }

    /// Fetches the contents of files that a clone without them lacks, all in one go.
    pub fn fetch_blobs(&self, blobs: &[ObjectId], network: &Network) -> Result<(), GitError> {
        // As git itself does when it comes upon one missing (its promisor-remote.c).
        self.fetch(&["--filter=blob:none", "--stdin"], [], lines(blobs, "", "\n").into_bytes(), network)
    }

    /// Returns which of these blobs of a commit the repository lacks: none, but of a partial clone.
    pub fn missing_blobs(&self, commit: &ObjectId, of: &[ObjectId]) -> Result<Vec<ObjectId>, GitError> {
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
    pub fn is_partial(&self) -> bool {
        *self.is_partial.get_or_init(|| {
            // Mostly the file tells enough; git reads it as it is meant, with what it includes.
            let says = self.own_file("config").and_then(std::io::Result::ok);
            if says.is_some_and(|says| !may_say_partial(&says)) {
                return false;
            }
            // Of alternates, which this does not see, what is missing is found missing one by one.
            let promised = self.output(
                "config",
                &["--get-regexp", r"^(remote\..*\.promisor|extensions\.partialclone)$"],
                Vec::new(),
            );
            promised.is_ok_and(|promised| !promised.is_empty())
        })
    }

    /// Fetches the folders of a commit, which a clone without any (`--filter=tree:0`) lacks.
    pub fn fetch_trees(&self, commit: &ObjectId, network: &Network) -> Result<(), GitError> {
        self.fetch(&["--refetch", "--filter=blob:none"], [commit.as_str()], Vec::new(), network)
    }

    /// Tells whether history ends before its beginning here.
    pub fn is_shallow(&self) -> Result<bool, GitError> {
        // So git tells it, too.
        if let Some(listed) = self.own_file("shallow") {
            return Ok(listed.is_ok());
        }
        Ok(self.output("rev-parse", &["--is-shallow-repository"], Vec::new())?.starts_with(b"true"))
    }

    /// Returns the name of the remote's default branch.
    pub(super) fn remote_head(&self, network: &Network) -> Result<String, GitError> {
        let mut git = network.command();
        git.arg("--git-dir").arg(&self.git_dir);
        git.args(["ls-remote", "--upload-pack=git-upload-pack", "--symref", "--end-of-options"]);
        git.arg(self.remote(network)?).arg("HEAD");
        let answer = Watch::answer("ls-remote", git, network)?;
        let answer = String::from_utf8_lossy(&answer);
        let named =
            answer.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"));
        named.map(str::to_owned).ok_or(GitError::NoDefaultBranch { path: self.path.clone() })
    }

    /// Fetches what one reference specification names.
    pub(super) fn fetch_refs(&self, refspec: &str, network: &Network) -> Result<(), GitError> {
        self.fetch(&[], [refspec], Vec::new(), network)
    }

    /// Returns the name of the remote, or the configured URL where the repository has none.
    fn remote(&self, network: &Network) -> Result<OsString, GitError> {
        let listed = self.output("remote", &[], Vec::new())?;
        let listed = String::from_utf8_lossy(&listed);
        let name = listed.lines().find(|name| *name == "origin").or(listed.lines().next());
        // What is configured moves with the repository; what a clone was made from may be gone.
        match (name, &network.url) {
            (_, Some(url)) if !self.is_partial() => Ok(url.as_str().into()),
            (Some(name), _) => Ok(name.into()),
            (None, Some(url)) => Ok(url.as_str().into()),
            (None, None) => Err(GitError::NoRemote { path: self.path.clone() }),
        }
    }

    fn fetch<const N: usize>(
        &self,
        options: &[&str],
        refspecs: [&str; N],
        input: Vec<u8>,
        network: &Network,
    ) -> Result<(), GitError> {
        let mut git = network.command();
        git.arg("--git-dir")
            .arg(&self.git_dir)
            // Nothing but what was asked for: no other references, no submodules, no clean-up behind our back.
            .args([
                "-c",
                "gc.auto=0",
                "-c",
                "maintenance.auto=false",
                "-c",
                "fetch.negotiationAlgorithm=default",
            ])
            // Programs that a clone's own configuration may name.
            .args(["-c", "core.alternateRefsCommand=true", "-c", "core.gitProxy="])
            .args([
                "fetch",
                "--upload-pack=git-upload-pack",
                "--quiet",
                "--no-tags",
                "--no-prune",
                "--no-write-fetch-head",
            ])
            .arg("--no-recurse-submodules")
            .args(options)
            .arg("--end-of-options")
            .arg(self.remote(network)?)
            .args(refspecs);
        let fetched = Watch::run("fetch", git, input, network);
        // Also where it failed half-way.
        self.look_anew();
        fetched
    }
}

/// Tells whether a configuration may be that of a partial clone, or leads to more of it.
fn may_say_partial(config: &[u8]) -> bool {
    let config = String::from_utf8_lossy(config).to_ascii_lowercase();
    ["promisor", "partialclone", "include", "worktreeconfig"].iter().any(|word| config.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_tells_whose_it_is() {
        for (url, host) in [
            ("https://me:secret@git.example.com:8443/team/app.git", Some("git.example.com:8443")),
            ("ssh://git@git.example.com/app.git", Some("git@git.example.com")),
            ("git@git.example.com:team/app.git", Some("git@git.example.com")),
            ("file:///srv/app.git", None),
            ("/srv/a:b.git", None),
            ("./a:b.git", None),
        ] {
            assert_eq!(RemoteUrl::new(url).host(), host, "{url}");
        }
    }

    #[test]
    fn credentials_of_a_url_do_not_show() {
        let plain = |url: &str| format!("{:?}", RemoteUrl::new(url));
        assert_eq!(plain("https://me:p@ss@host/a/b@c.git"), "https://host/a/b@c.git");
        assert_eq!(plain("https://token@host/a.git"), "https://host/a.git");
        assert_eq!(plain("ssh://git:pw@host:22/a.git"), "ssh://git@host:22/a.git");
        for unchanged in ["ssh://git@host/a.git", "git@host:a.git", "https://host/a.git", "/srv/a.git"] {
            assert_eq!(plain(unchanged), unchanged);
            assert_eq!(RemoteUrl::new(unchanged).secret, None);
        }
    }
}
