//! Where the source of a report comes from: the app's repository, cloned and fetched where it has to be.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Result, anyhow, bail};

use crate::code::gosrc::{Doubt, Links, LostLink, Modules, Resolved, is_module_file, scan};
use crate::commands;
use crate::commands::Context;
use crate::config::User;
use crate::io::git::{
    self, Content, Deadline, GitError, Network, ObjectId, Owners, RemoteUrl, Repository, Tree,
};
use crate::io::signals::Signals;
use crate::io::users;
use crate::io::workdir::{FillError, Reading};
use crate::names::in_message;
use crate::parallel::on_all_cores;
use crate::profile::{BuildFile, Profile};
use crate::report::diff::ChangedText;
use crate::report::{NoSource, Source, Wants};

/// Which commit a source is of.
#[derive(Clone, Debug)]
pub(crate) enum Revision {
    /// A hash or the beginning of one, as a service's name has it; never a branch of that name.
    Hash(String),
    /// What git makes of it.
    Any(String),
}

/// Source that is somewhere else, and did not come from there.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct NotFetched {
    message: String,
    /// Whoever has it did not answer in time, and may not for other repositories either.
    pub(crate) is_timed_out: bool,
}

impl NotFetched {
    fn new(message: String, error: &GitError) -> Self {
        Self { message, is_timed_out: error.is_timed_out() }
    }
}

/// A clone of a user whose clones are not read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotTrusted(String);

/// A commit that is there.
pub(crate) struct AtCommit {
    pub(crate) repository: Repository,
    pub(crate) network: Network,
    pub(crate) commit: ObjectId,
}

/// What there is at a commit.
pub(crate) struct SourceTree {
    pub(crate) files: Tree,
    links: Links,
    modules: Modules,
    knows_all_modules: bool,
}

/// Reads source of one app.
pub(crate) struct SourceReader<'a> {
    pub(crate) context: &'a Context,
    pub(crate) app: &'a str,
    /// Nothing may be fetched.
    pub(crate) offline: bool,
    /// Ends what is being fetched.
    pub(crate) signals: &'a Signals,
}

impl SourceReader<'_> {
    /// Returns the full hash of a revision, as far as it is known here.
    pub(crate) fn known(&self, revision: &Revision) -> Option<ObjectId> {
        let path = self.context.workdir.repository(self.app).ok()?;
        let repository = self.opened(&path).ok()?;
        match revision {
            Revision::Hash(hash) => repository.commit(hash).ok(),
            Revision::Any(revision) => repository.revision(revision).ok(),
        }
    }

    /// Tells whether there is a repository, or is said where there is one.
    pub(crate) fn is_configured(&self) -> bool {
        self.context.workdir.repository(self.app).is_ok_and(|path| path.exists())
            || self.network().is_ok_and(|network| network.url.is_some())
    }

    /// Names what is asked for where the source of a commit is not here.
    pub(crate) fn what_is_asked(&self, commit: &str) -> String {
        let url = self.network().ok().and_then(|network| network.url);
        format!("{} {commit} {}", self.app, url.as_ref().map_or("", RemoteUrl::as_str))
    }

    /// Names the machine that is asked, where that is configured.
    pub(crate) fn host(&self) -> Option<String> {
        self.network().ok()?.url?.host().map(str::to_owned)
    }

    /// Finds a revision, cloned and fetched where it has to be.
    pub(crate) fn at(&self, revision: &Revision, reading: &Reading) -> Result<AtCommit> {
        let network = self.network()?;
        let repository = self.open(reading, &network)?;
        let commit = self.find(&repository, revision, &network)?;
        Ok(AtCommit { repository, network, commit })
    }

    fn network(&self) -> Result<Network> {
        let git = &self.context.config.git;
        let own = self.context.config.apps.get(self.app).and_then(|app| app.repo.clone());
        let url = match (own, &git.repo) {
            (Some(url), _) => Some(url),
            (None, Some(pattern)) => Some(self.fill(pattern)?),
            (None, None) => None,
        };
        Ok(Network {
            protocols: git.protocols.clone(),
            url: url.as_deref().map(RemoteUrl::new),
            deadline: Deadline(git.timeout),
            stop: self.signals.flag(),
            setting: format!("[apps.{}] repo", toml_key(self.app)),
        })
    }

    /// Puts the app's name into the configured URL. Anyone who can register a service chooses that name.
    fn fill(&self, pattern: &str) -> Result<String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !self.app.chars().all(is_plain) || self.app.starts_with(['-', '.']) {
            let table = toml_key(self.app);
            bail!(
                "the app \"{}\" cannot stand in the URL \"{}\"; give its repository by itself:\n  [apps.{table}]\n  repo = \"URL\"",
                in_message(self.app),
                RemoteUrl::new(pattern).shown()
            );
        }
        Ok(pattern.replace("{app}", self.app))
    }

    /// Opens the clone in a folder.
    fn opened(&self, path: &Path) -> Result<Repository, GitError> {
        let fetched = self.context.workdir.fetch_repository(self.app);
        Repository::open(path, &fetched, &self.owners(), Deadline(self.context.config.git.timeout))
    }

    /// Returns the users whose clones are read.
    fn owners(&self) -> Owners {
        let trusted = self.context.config.git.trust_owners.iter().filter_map(|user| match user {
            User::Id(id) => Some(*id),
            User::Name(name) => users::id_of(name),
        });
        Owners::new(self.context.workdir.root(), self.context.around.caller, trusted)
    }

    /// Says of whom a clone is that is not read, and where to say that it may be.
    fn not_trusted(&self, path: &Path, owner: u32) -> NotTrusted {
        let key = users::name_of(owner).map_or_else(|| owner.to_string(), |name| format!("{name:?}"));
        let user = users::shown(owner);
        let unknown = self.context.config.git.trust_owners.iter().filter_map(|user| match user {
            User::Name(name) if users::id_of(name).is_none() => Some(format!("\"{}\"", in_message(name))),
            User::Name(_) | User::Id(_) => None,
        });
        let unknown: Vec<String> = unknown.collect();
        let unknown = match unknown.is_empty() {
            true => String::new(),
            false => format!(" (/etc/passwd knows no {}, give a number)", unknown.join(", ")),
        };
        NotTrusted(format!(
            "no source of {}: {:?} belongs to {user}, whose clones are not read; give it to a user who is trusted \
             (chown -R), or trust this one: [git] trust_owners = [{key}]{unknown}",
            in_message(self.app),
            path.display()
        ))
    }

    fn open(&self, reading: &Reading, network: &Network) -> Result<Repository> {
        let workdir = &self.context.workdir;
        let path = workdir.repository(self.app)?;
        match (self.opened(&path), &network.url) {
            (Err(GitError::NoRepository { .. }), Some(url)) if !self.offline => {
                let shown = url.shown();
                if path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
                    bail!(
                        "{:?} is in the way of a clone of {shown}: it is no git repository, and not empty",
                        path.display()
                    );
                }
                self.tell(&format!("cloning {shown} into {:?}", path.display()));
                workdir
                    .make_repository(reading, self.app, |folder| {
                        git::clone(url, folder, network, &self.owners())
                    })
                    .map_err(|error| match error {
                        FillError::Workdir(error) => anyhow!(error),
                        FillError::Content(error) => {
                            anyhow!(NotFetched::new(format!("cannot clone \"{shown}\": {error}"), &error))
                        }
                    })?;
                Ok(self.opened(&path)?)
            }
            (Err(GitError::NotTrusted { path, owner }), _) => Err(self.not_trusted(&path, owner).into()),
            (Err(GitError::NoRepository { path }), url) => Err(self.how_to_clone(&path, url.as_ref())),
            (opened, _) => Ok(opened?),
        }
    }

    fn how_to_clone(&self, path: &Path, url: Option<&RemoteUrl>) -> anyhow::Error {
        let app = in_message(self.app);
        let head =
            format!("a report needs the source of {app}, and {:?} is no git repository", path.display());
        let shown = url.map_or("URL".to_owned(), RemoteUrl::shown);
        let command = format!("git clone --bare {shown} {}", shell_word(&path.display().to_string()));
        match url {
            Some(_) => {
                anyhow!("{head}; without --offline it is cloned now, or clone it yourself:\n  {command}")
            }
            None => anyhow!(
                "{head}; clone it:\n  {command}\nor say in {:?} where it is, and it is cloned when it is needed:\n  [apps.{}]\n  repo = \"URL\"",
                self.context.workdir.root().join("goc-watchdog.toml").display(),
                toml_key(self.app)
            ),
        }
    }

    /// Returns the commit, fetched where it has to be.
    pub(crate) fn find(
        &self,
        repository: &Repository,
        revision: &Revision,
        network: &Network,
    ) -> Result<ObjectId> {
        let look = || match revision {
            Revision::Hash(hash) => repository.commit(hash),
            Revision::Any(revision) => repository.revision(revision),
        };
        let full = match revision {
            Revision::Hash(hash) | Revision::Any(hash) => ObjectId::parse(&hash.to_ascii_lowercase()),
        };
        let missing = match (look(), revision) {
            (Err(missing @ GitError::NoCommit { .. }), _) => missing,
            // A branch goes on, and what this clone last saw of it would be reported for ever.
            (Ok(known), Revision::Any(name)) if !self.offline && !is_hash(name) => {
                return match repository.fetch_heads_and_tags(network) {
                    Ok(()) => Ok(look()?),
                    Err(GitError::NoRemote { .. }) => Ok(known),
                    Err(error) => {
                        commands::warn(format!(
                            "{error}; \"{}\" is taken as this clone knows it",
                            in_message(name)
                        ));
                        Ok(known)
                    }
                };
            }
            (found, _) => return Ok(found?),
        };
        if self.offline {
            bail!("{missing}; without --offline it is fetched");
        }
        self.tell(&format!("{missing}, fetching"));
        if let Some(hash) = full
            && repository.fetch_commit(&hash, network).is_ok()
        {
            return Ok(look()?);
        }
        // Only a full hash can be asked for, and some servers give none that no branch or tag has.
        let fetched = repository.fetch_heads_and_tags(network);
        match (look(), fetched) {
            (Err(missing @ GitError::NoCommit { .. }), Err(error)) => {
                bail!(NotFetched::new(format!("{missing}, and fetching failed: {error}"), &error))
            }
            (Err(missing @ GitError::NoCommit { .. }), Ok(())) => {
                bail!("{missing}, nor have the branches and tags of its remote")
            }
            (found, _) => Ok(found?),
        }
    }

    /// Returns the files of a commit, where its links lead, and where its modules are.
    pub(crate) fn tree(&self, at: &AtCommit) -> Result<SourceTree> {
        /// As long as a path may be (`PATH_MAX`).
        const LONGEST_LINK: usize = 4096;
        let AtCommit { repository, commit, .. } = at;
        let files = self.files(at, commit)?;
        let of_modules = files.paths().filter(|path| is_module_file(path));
        let of_modules = of_modules.filter_map(|path| Some((path, files.blob(path)?)));
        let (paths, blobs): (Vec<&str>, Vec<ObjectId>) =
            of_modules.chain(files.links()).map(|(path, blob)| (path, blob.clone())).unzip();
        let lacking = self.fetched(at, commit, &blobs)?;
        let (present, blobs): (Vec<&str>, Vec<ObjectId>) =
            paths.iter().zip(blobs).filter(|(_, blob)| !lacking.contains(blob)).unzip();
        let texts = repository
            .blobs(&blobs, |_, text| text.text().map(|text| String::from_utf8_lossy(text).into_owned()))?;
        let knows_all_modules = texts.iter().flatten().count() == paths.len();
        let texts = present.iter().zip(texts).filter_map(|(path, text)| Some((*path, text?)));
        let (modules, links): (Vec<_>, Vec<_>) = texts.partition(|(path, _)| files.has(path));
        let links = links.into_iter().filter(|(_, target)| target.len() <= LONGEST_LINK);
        let links = Links::new(links.map(|(path, target)| (path.to_owned(), target)));
        let modules = modules.iter().map(|(path, text)| (*path, text.as_str()));
        let modules = Modules::new(files.paths(), modules);
        Ok(SourceTree { files, links, modules, knows_all_modules })
    }

    /// Lists the files of a commit, fetched where the clone has no folders.
    pub(crate) fn files(
        &self,
        AtCommit { repository, network, .. }: &AtCommit,
        commit: &ObjectId,
    ) -> Result<Tree> {
        let most = self.context.config.git.max_files;
        match repository.files(commit, most) {
            Err(error @ GitError::Failed { .. }) if repository.is_partial() => {
                if self.offline {
                    bail!("{error}; without --offline the folders of the commit are fetched");
                }
                repository.fetch_trees(commit, network)?;
                Ok(repository.files(commit, most)?)
            }
            files => Ok(files?),
        }
    }

    /// Returns what a commit says of each file of a profile, in their order; where `only` names paths, of those
    /// alone. What was read before, `known` has by its path.
    pub(crate) fn sources(
        &self,
        profile: &Profile,
        at: &AtCommit,
        source: &SourceTree,
        known: &HashMap<String, ChangedText>,
        only: Option<&HashSet<&str>>,
        wants: Wants<'_>,
    ) -> Result<Vec<Source>> {
        let AtCommit { repository, commit, .. } = at;
        let files: Vec<BuildFile<'_>> = profile.build.files().collect();
        let names: Vec<&str> = files.iter().map(|file| file.name).collect();

        let SourceTree { files: tree, links, modules, knows_all_modules } = source;
        // A link that leads nowhere is what is meant, too.
        let leads = |path: &str| links.follow(path).is_some_and(|to| to.map_or(true, |to| tree.has(&to)));
        let Resolved { paths, doubts } = modules.resolve(&names, |path| tree.has(path) || leads(path));
        doubts.iter().for_each(say_doubt);
        let mut lost: HashMap<usize, LostLink> = HashMap::new();
        let paths = paths.into_iter().enumerate().map(|(index, path)| match links.follow(path.as_ref()?) {
            Some(Ok(to)) => Some(to),
            Some(Err(why)) => {
                lost.insert(index, why);
                path
            }
            None => path,
        });
        let paths: Vec<Option<String>> = paths.collect();
        // Where a module cannot be read, a name that leads nowhere may well be of the commit.
        let nowhere = if *knows_all_modules { NoSource::NotInCommit } else { NoSource::NotInRepository };

        let is_wanted = |path: &str| only.is_none_or(|only| only.contains(path));
        let is_to_read = |path: &str| is_wanted(path) && !known.contains_key(path);
        let to_read = paths.iter().flatten().filter(|path| is_to_read(path));
        let to_read: Vec<ObjectId> = to_read.filter_map(|path| tree.blob(path).cloned()).collect();
        let lacking = self.fetched(at, commit, &to_read)?;
        // What is read, and of which file it is.
        let readable: Vec<(usize, &str)> = paths
            .iter()
            .enumerate()
            .filter_map(|(index, path)| path.as_deref().map(|path| (index, path)))
            .filter(|(_, path)| {
                is_to_read(path) && tree.blob(path).is_some_and(|blob| !lacking.contains(blob))
            })
            .collect();
        let ids: Vec<ObjectId> = readable.iter().filter_map(|(_, path)| tree.blob(path).cloned()).collect();
        let counts = |file: &BuildFile<'_>| &profile.counts[file.range.0..file.range.1];
        let without =
            |path, why, file: &BuildFile<'_>| Source::without_text(path, why, file, counts(file), wants);
        let of_text = |path, text: &[u8], scanned, file: &BuildFile<'_>| {
            Source::of_text(path, text, scanned, file, counts(file), wants)
        };
        let read = repository.blobs(&ids, |at, text| {
            let (index, path) = readable[at];
            let file = &files[index];
            match text {
                Content::Text(text) => of_text(path, text, scan(text), file),
                Content::Missing => without(Some(path), NoSource::NotInRepository, file),
                Content::TooLarge => without(Some(path), NoSource::TooLarge, file),
            }
        })?;
        let resolved = paths.iter().enumerate().filter_map(|(index, path)| Some((index, path.as_deref()?)));
        let known: Vec<(usize, &str, &ChangedText)> =
            resolved.filter_map(|(index, path)| Some((index, path, known.get(path)?))).collect();
        let laid = on_all_cores(&known, |(index, path, ChangedText { text, scanned })| {
            of_text(path, text, scanned.clone(), &files[*index])
        });
        let mut read = readable.iter().map(|(index, _)| *index).zip(read).peekable();
        let mut laid = known.iter().map(|(index, ..)| *index).zip(laid).peekable();
        let sources = files.iter().zip(&paths).enumerate().map(|(index, (file, path))| {
            let is_this = |(of, _): &(usize, Source)| *of == index;
            match (read.next_if(is_this).or_else(|| laid.next_if(is_this)), path.as_deref()) {
                (Some((_, source)), _) => source,
                (None, Some(path)) if !is_wanted(path) => {
                    let wants = Wants::default();
                    Source::without_text(Some(path), NoSource::NotRead, file, counts(file), wants)
                }
                (None, Some(path)) => {
                    let why = lost.get(&index).map_or(NoSource::NotInRepository, |why| NoSource::Link(*why));
                    without(Some(path), why, file)
                }
                (None, None) => without(None, nowhere.clone(), file),
            }
        });
        Ok(sources.collect())
    }

    /// Fetches the blobs of a commit that a clone without contents lacks, in one go; returns what it lacks still.
    pub(crate) fn fetched(
        &self,
        at: &AtCommit,
        commit: &ObjectId,
        blobs: &[ObjectId],
    ) -> Result<HashSet<ObjectId>> {
        let AtCommit { repository, network, .. } = at;
        let missing = repository.missing_blobs(commit, blobs)?;
        if missing.is_empty() {
            return Ok(HashSet::new());
        }
        let lacking = match missing.len() {
            1 => "1 file is not in the clone".to_owned(),
            number => format!("{number} files are not in the clone"),
        };
        if self.offline {
            commands::warn(format!("{lacking}; without --offline they are fetched"));
            return Ok(missing.into_iter().collect());
        }
        match repository.fetch_blobs(&missing, network) {
            Ok(()) => Ok(repository.missing_blobs(commit, blobs)?.into_iter().collect()),
            Err(error) => {
                commands::warn(format!("{lacking}, and fetching failed: {error}"));
                Ok(missing.into_iter().collect())
            }
        }
    }

    /// Says what takes a while, to whoever watches.
    fn tell(&self, message: &str) {
        if self.context.has_spectator() {
            commands::inform(message);
        }
    }
}

/// Says that another folder of the repository could be meant as well.
fn say_doubt(Doubt { module, taken, others }: &Doubt) {
    let shown =
        |folder: &str| format!("\"{}\"", if folder.is_empty() { ".".into() } else { in_message(folder) });
    let others: Vec<String> = others.iter().map(|folder| shown(folder)).collect();
    commands::warn(format!(
        "the repository has \"{}\" several times, and the profile fits each: the source is that of {}, not that of {}",
        in_message(module),
        shown(taken),
        others.join(", ")
    ));
}

/// Tells whether a revision is a hash, or the beginning of one, by its looks.
pub(crate) fn is_hash(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns a name as a key of TOML.
fn toml_key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { format!("{name:?}") }
}

/// Returns a text as one word of a shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-%+:@".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
