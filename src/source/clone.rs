//! The clone of an app's repository: its place, its trusted owners, and its making.

use std::path::Path;

use anyhow::{Result, anyhow, bail};

use super::{RepositoryCommit, Revision, SourceReader};
use crate::config::{User, toml_key};
use crate::io::git::{self, GitError, Network, ObjectId, RemoteUrl, Repository, Timeout, TrustedOwners};
use crate::io::users;
use crate::io::workdir::{FillError, ReadersLock};
use crate::names::in_message;
use crate::report::HostLinks;

/// The error when source could not be fetched from a remote.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct NotFetched {
    message: String,
    /// The remote did not answer in time, so other repositories on its host may not answer either.
    pub(crate) is_timed_out: bool,
}

impl NotFetched {
    pub(super) fn new(message: String, error: &GitError) -> Self {
        Self { message, is_timed_out: error.is_timed_out() }
    }
}

/// The error for a clone of a user who is not trusted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotTrusted(String);

impl SourceReader<'_> {
    /// Returns the full hash of a revision, if the clone has it.
    pub(crate) fn known(&self, revision: &Revision) -> Option<ObjectId> {
        let path = self.settings.workdir.repository(self.app).ok()?;
        let repository = self.opened(&path).ok()?;
        match revision {
            Revision::Hash(hash) => repository.commit(hash).ok(),
            Revision::Any(revision) => repository.revision(revision).ok(),
        }
    }

    /// Tells whether a clone or a URL for one exists.
    pub(crate) fn is_configured(&self) -> bool {
        self.settings.workdir.repository(self.app).is_ok_and(|path| path.exists())
            || self.network().is_ok_and(|network| network.url.is_some())
    }

    /// Returns a name for the fetch of a commit's source.
    pub(crate) fn fetch_name(&self, commit: &str) -> String {
        let url = self.network().ok().and_then(|network| network.url);
        format!("{} {commit} {}", self.app, url.as_ref().map_or("", RemoteUrl::as_str))
    }

    /// Returns the host of the configured URL.
    pub(crate) fn host(&self) -> Option<String> {
        self.network().ok()?.url?.host()
    }

    /// Returns the links to the host of the repository. The configuration gives them, or they follow from its URL, or from
    /// the remote of the clone that was opened.
    pub(crate) fn host_links(&self, at: Option<&RepositoryCommit>) -> Option<HostLinks> {
        let configured = self.settings.config.apps.get(self.app).and_then(|app| app.web.clone());
        configured.or_else(|| {
            let url = match at {
                Some(at) => at.repository.remote(&at.network).ok(),
                None => self.network().ok()?.url,
            };
            HostLinks::of_repository(url?.as_str())
        })
    }

    /// Returns the links to the host that a page of any commit would have: those of the configuration, or of the remote of
    /// the clone.
    pub(crate) fn host_links_of_clone(&self) -> Option<HostLinks> {
        self.host_links(None).or_else(|| {
            let repository = self.opened(&self.settings.workdir.repository(self.app).ok()?).ok()?;
            HostLinks::of_repository(repository.remote(&self.network().ok()?).ok()?.as_str())
        })
    }

    pub(super) fn network(&self) -> Result<Network> {
        let git = &self.settings.config.git;
        let own = self.settings.config.apps.get(self.app).and_then(|app| app.repo.clone());
        let url = match (own, &git.repo) {
            (Some(url), _) => Some(url),
            (None, Some(pattern)) => Some(self.fill(pattern)?),
            (None, None) => None,
        };
        Ok(Network {
            protocols: git.protocols.clone(),
            url: url.as_deref().map(RemoteUrl::new),
            timeout: Timeout(git.timeout),
            stop: self.settings.signals.flag(),
            setting: format!("[apps.{}] repo", toml_key(self.app)),
        })
    }

    /// Puts the app's name into the configured URL. The name is not trusted, because everybody who can register a
    /// service chooses one.
    fn fill(&self, pattern: &str) -> Result<String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !self.app.chars().all(is_plain) || self.app.starts_with(['-', '.']) {
            let table = toml_key(self.app);
            bail!(
                "the app \"{}\" cannot be part of the URL \"{}\"; set its own repository:\n  [apps.{table}]\n  repo = \"URL\"",
                in_message(self.app),
                RemoteUrl::new(pattern).shown()
            );
        }
        Ok(pattern.replace("{app}", self.app))
    }

    /// Opens the clone in a folder.
    pub(super) fn opened(&self, path: &Path) -> Result<Repository, GitError> {
        self.opened_within(path, Timeout(self.settings.config.git.timeout))
    }

    /// Opens the clone in a folder, of which each run of git may take as long as `timeout`.
    pub(super) fn opened_within(&self, path: &Path, timeout: Timeout) -> Result<Repository, GitError> {
        let fetched = self.settings.workdir.fetch_repository(self.app);
        Repository::open(path, &fetched, &self.owners(), timeout)
    }

    /// Returns the users whose clones are read.
    fn owners(&self) -> TrustedOwners {
        let trusted = self.settings.config.git.trust_owners.iter().filter_map(|user| match user {
            User::Id(id) => Some(*id),
            User::Name(name) => users::id_of(name),
        });
        TrustedOwners::new(self.settings.workdir.root(), self.settings.caller, trusted)
    }

    /// Returns the error for a clone whose owner is not trusted, with the setting that trusts the owner.
    pub(super) fn not_trusted(&self, path: &Path, owner: u32) -> NotTrusted {
        let key = users::name_of(owner).map_or_else(|| owner.to_string(), |name| format!("{name:?}"));
        let user = users::shown(owner);
        let unknown = self.settings.config.git.trust_owners.iter().filter_map(|user| match user {
            User::Name(name) if users::id_of(name).is_none() => Some(format!("\"{}\"", in_message(name))),
            User::Name(_) | User::Id(_) => None,
        });
        let unknown: Vec<String> = unknown.collect();
        let unknown = match unknown.is_empty() {
            true => String::new(),
            false => format!(" (/etc/passwd has no {}; give a number)", unknown.join(", ")),
        };
        NotTrusted(format!(
            "no source for {}: {:?} belongs to {user}, whose clones are not read; give it to a user who is trusted \
             (chown -R), or trust this one: [git] trust_owners = [{key}]{unknown}",
            in_message(self.app),
            path.display()
        ))
    }

    pub(super) fn open(&self, reading: &ReadersLock, network: &Network) -> Result<Repository> {
        let workdir = &self.settings.workdir;
        let path = workdir.repository(self.app)?;
        match (self.opened(&path), &network.url) {
            (Err(GitError::NoRepository { .. }), Some(url)) if !self.is_offline => {
                let shown = url.shown();
                if path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
                    bail!(
                        "{:?} is in the way of a clone of {shown}: it is not a git repository, and not empty",
                        path.display()
                    );
                }
                self.tell_progress(format!("cloning {shown} into {:?}", path.display()));
                workdir
                    .make_repository(reading, self.app, |folder| {
                        git::clone(url, folder, network, &self.owners())
                    })
                    .map_err(|error| match error {
                        FillError::Workdir(error) => anyhow!(error),
                        FillError::Content(error) => {
                            anyhow!(NotFetched::new(self.not_cloned(url, &error), &error))
                        }
                    })?;
                Ok(self.opened(&path)?)
            }
            (Err(GitError::NotTrusted { path, owner }), _) => Err(self.not_trusted(&path, owner).into()),
            (Err(GitError::NoRepository { path }), url) => Err(self.how_to_clone(&path, url.as_ref())),
            (opened, _) => Ok(opened?),
        }
    }

    /// Returns the message about a repository that cannot be cloned, with the setting of its URL where git's own message
    /// leads no further.
    pub(super) fn not_cloned(&self, url: &RemoteUrl, error: &GitError) -> String {
        let check = match error.has_next_step() {
            true => String::new(),
            false => {
                let own = self.settings.config.apps.get(self.app).is_some_and(|app| app.repo.is_some());
                let key = if own {
                    format!("repo in [apps.{}]", toml_key(self.app))
                } else {
                    "repo in [git]".to_owned()
                };
                format!("; check {key}, and that this user may reach it (git ls-remote {})", url.shown())
            }
        };
        format!("cannot clone \"{}\": {error}{check}", url.shown())
    }

    fn how_to_clone(&self, path: &Path, url: Option<&RemoteUrl>) -> anyhow::Error {
        let app = in_message(self.app);
        let head =
            format!("a report needs the source of {app}, and {:?} is not a git repository", path.display());
        let shown = url.map_or("URL".to_owned(), RemoteUrl::shown);
        let command = format!("git clone --bare {shown} {}", shell_word(&path.display().to_string()));
        match url {
            Some(_) => {
                anyhow!("{head}; without --offline it is cloned now, or clone it yourself:\n  {command}")
            }
            None => anyhow!(
                "{head}; clone it:\n  {command}\nor set its URL in {:?}, so that it is cloned when it is needed:\n  [apps.{}]\n  repo = \"URL\"",
                self.settings.workdir.root().join("goc-watchdog.toml").display(),
                toml_key(self.app)
            ),
        }
    }
}

/// Returns a text as one word of a shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-%+:@".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
