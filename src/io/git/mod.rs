//! Git, run as a program: which commit a hash means, which files it has, what is in them.
//!
//! Only objects are read, by plumbing commands whose output does not depend on anybody's configuration;
//! no working tree is looked at or changed. What comes from outside reaches git on its standard input,
//! never as an argument.
//!
//! A clone may be anybody's whom the configuration trusts, and nothing that its own configuration says is carried
//! out: git reads it through a folder that has links to its objects and references and nothing else of it, and what is
//! missing there is fetched into a repository beside it.

mod fetching;
mod history;
mod layout;
mod lookup;
mod owners;
mod remote;
mod run;
mod running;
mod settings;
mod tree;
mod url;
mod view;

pub(crate) use history::{FileAt, FileChange, Renames};
pub(crate) use owners::Owners;
pub(crate) use remote::{Network, clone};
pub(crate) use run::Deadline;
pub(crate) use tree::Tree;
pub(crate) use url::RemoteUrl;

use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use fetching::FetchFolder;
use layout::Layout;
use lookup::Lookup;
use run::command;
use running::Running;
use tree::Listed;
use view::{FORMAT_SETTINGS, FormatSetting, View, format_settings, may_say_format};

use crate::names::printable;
use crate::parallel::{self, Begun};

/// Git could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    /// There is no repository.
    #[error("{:?} is no git repository", path.display())]
    NoRepository {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A repository is of a user whose repositories are not read.
    #[error("{:?} belongs to user {owner}, whose repositories are not read", path.display())]
    NotTrusted {
        /// A part of the repository.
        path: PathBuf,
        /// User id.
        owner: u32,
    },
    /// A part of a repository cannot be looked at.
    #[error("cannot read {:?}: {reason}", path.display())]
    Unreadable {
        /// The part.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// There is no place to fetch into.
    #[error("nothing can be fetched, as {:?} cannot be written: {reason}", path.display())]
    NotWritable {
        /// The folder that is fetched into.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// There is no place for the folder through which git reads.
    #[error(
        "git reads a repository through a folder of links, and {:?} cannot be made (set TMPDIR to a folder that can be written): {reason}",
        path.display()
    )]
    NoView {
        /// The folder.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// The folder to fetch into is of somebody else.
    #[error("nothing is fetched into {:?}, which belongs to user {owner}; remove it or move it away, and it is made again", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// User id.
        owner: u32,
    },
    /// Fetching failed, perhaps for want of settings that only the clone has.
    #[error(
        "{error}; the clone's own configuration has {keys}, which nothing heeds: say it in the git configuration of the user who runs this (git config --global), or in the URL of {setting}"
    )]
    SettingsUnheeded {
        /// The failure itself.
        error: Box<GitError>,
        /// Names of settings.
        keys: String,
        /// Name of this program's own setting.
        setting: String,
    },
    /// Git is not installed, or could not be started.
    #[error("cannot run git: {0}")]
    NotStarted(io::Error),
    /// Talking to git failed.
    #[error("git {action}: {reason}")]
    Io {
        /// The git command.
        action: &'static str,
        /// The failure itself.
        reason: io::Error,
    },
    /// Git ended with an error.
    #[error("git {action}: {message}")]
    Failed {
        /// The git command.
        action: &'static str,
        /// What it said, without credentials.
        message: String,
        /// The code it ended with; `None` where a signal ended it.
        code: Option<i32>,
    },
    /// Git took too long.
    #[error("git {action}: not done after {}", humantime::format_duration(*after))]
    TimedOut {
        /// The git command.
        action: &'static str,
        /// The deadline.
        after: std::time::Duration,
    },
    /// Git said what it never says.
    #[error("git {action}: unexpected answer {answer:?}")]
    Unexpected {
        /// The git command.
        action: &'static str,
        /// The start of the answer.
        answer: String,
    },
    /// A commit has more files than are listed.
    #[error(
        "commit {commit} has more than {most} files, or paths beyond all measure, so none of it is read ([git] max_files)"
    )]
    TooManyFiles {
        /// The commit.
        commit: ObjectId,
        /// The limit.
        most: usize,
    },
    /// The repository has no such commit.
    #[error("{:?} has no commit \"{}\"", path.display(), printable(revision))]
    NoCommit {
        /// The repository.
        path: PathBuf,
        /// What was asked for.
        revision: String,
    },
    /// Nothing tells which branch others are merged into.
    #[error("{:?} does not tell its default branch, give the base with --base REV", path.display())]
    NoDefaultBranch {
        /// The repository.
        path: PathBuf,
    },
    /// There is nowhere to fetch from.
    #[error("{:?} has no remote to fetch from", path.display())]
    NoRemote {
        /// The repository.
        path: PathBuf,
    },
    /// A short hash means several commits.
    #[error("commit \"{}\" is ambiguous in {:?}, give more digits:{}", printable(revision), path.display(),
        lines(candidates, "\n  ", ""))]
    Ambiguous {
        /// The repository.
        path: PathBuf,
        /// What was asked for.
        revision: String,
        /// Full hashes.
        candidates: Vec<ObjectId>,
    },
}

impl GitError {
    /// Tells whether another machine, or git itself, took too long.
    #[must_use]
    pub(crate) fn is_timed_out(&self) -> bool {
        match self {
            Self::TimedOut { .. } => true,
            Self::SettingsUnheeded { error, .. } => error.is_timed_out(),
            _ => false,
        }
    }
}

/// The largest file whose content is read; the largest Go files that people keep have a tenth of it.
pub(crate) const LARGEST_BLOB: u64 = 32 << 20;

/// The full hash of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectId(Box<str>);

impl ObjectId {
    /// Reads a full hash: 40 hex digits, or 64.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_hash = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Self(text.into()))
    }

    /// Returns the hex digits.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

fn lines(ids: &[ObjectId], before: &str, after: &str) -> String {
    ids.iter().flat_map(|id| [before, id.as_str(), after]).collect()
}

/// What is to be had of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// Its bytes.
    Text(&'a [u8]),
    /// The repository lacks it.
    Missing,
    /// It has more than [`LARGEST_BLOB`].
    TooLarge,
}

impl<'a> Content<'a> {
    /// Returns the bytes, where they are to be had.
    #[must_use]
    pub(crate) fn text(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Missing | Self::TooLarge => None,
        }
    }
}

/// A clone, of any kind, with what was fetched beside it.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    path: PathBuf,
    layout: Layout,
    fetching: FetchFolder,
    /// Objects and history are read from the folder beside the clone, which has all of both.
    is_fetched: Arc<OnceLock<()>>,
    deadline: Deadline,
    /// Asked for once; it does not change while a report is made.
    is_partial: OnceLock<bool>,
    /// Started when first asked; those who clone this ask the same.
    lookup: Arc<Mutex<Option<Lookup>>>,
    views: Arc<Views>,
}

/// The folders that git is given, made when first needed.
#[derive(Debug, Default)]
struct Views {
    of_clone: OnceLock<View>,
    of_fetched: OnceLock<View>,
}

impl Repository {
    /// Opens the repository in a folder: a bare one, or one with a working tree. Those in the folders
    /// above are never taken for it. What is fetched goes into, and is read from, the folder `fetched`.
    pub(crate) fn open(
        path: &Path,
        fetched: &Path,
        owners: &Owners,
        deadline: Deadline,
    ) -> Result<Self, GitError> {
        let layout = Layout::find(path, owners)?;
        let fetching = FetchFolder::new(fetched, &layout, owners);
        let is_fetched = Arc::new(OnceLock::new());
        if fetching.is_readable() {
            let _ = is_fetched.set(());
        }
        let (is_partial, lookup, views) = (OnceLock::new(), Arc::default(), Arc::default());
        Ok(Self { path: path.to_owned(), layout, fetching, is_fetched, deadline, is_partial, lookup, views })
    }

    /// Returns the folder through which objects and history are read.
    fn history(&self) -> Result<&Path, GitError> {
        match self.is_fetched.get() {
            Some(()) => self.view(&self.views.of_fetched, &self.fetching.layout()),
            None => self.view_of_clone(),
        }
    }

    /// Returns the folder through which the clone is read, whatever was fetched beside it.
    fn view_of_clone(&self) -> Result<&Path, GitError> {
        self.view(&self.views.of_clone, &self.layout)
    }

    fn view<'v>(&self, made: &'v OnceLock<View>, layout: &Layout) -> Result<&'v Path, GitError> {
        let view = match made.get() {
            Some(view) => view,
            // Of two threads one makes it in vain.
            None => {
                let view = View::of(layout, &self.format(layout)?)?;
                made.get_or_init(|| view)
            }
        };
        Ok(view.git_dir())
    }

    /// Returns how a repository is stored. Git takes that from no file that is included.
    fn format(&self, layout: &Layout) -> Result<Vec<FormatSetting>, GitError> {
        if !may_say_format(&file_of(layout, CONFIG).unwrap_or_default()) {
            return Ok(Vec::new());
        }
        let arguments = ["--no-includes", "--null", "--get-regexp", FORMAT_SETTINGS];
        Ok(format_settings(&self.settings_in(&layout.common_dir, CONFIG, &arguments)?))
    }

    /// Returns what `git config` prints of the clone's own files, with those that they include.
    fn own_settings(&self, arguments: &[&str]) -> Result<String, GitError> {
        let arguments = [&["--includes"], arguments].concat();
        let mut settings = self.settings_in(&self.layout.common_dir, CONFIG, &arguments)?;
        if self.layout.git_dir.join(CONFIG_OF_WORKTREE).is_file() {
            settings += &self.settings_in(&self.layout.git_dir, CONFIG_OF_WORKTREE, &arguments)?;
        }
        Ok(settings)
    }

    /// Has git read a configuration as a file, in no repository.
    fn settings_in(&self, folder: &Path, file: &str, arguments: &[&str]) -> Result<String, GitError> {
        let mut git = command();
        git.current_dir(folder)
            .args(["--git-dir", "/dev/null/none", "config", "--file", file])
            .args(arguments);
        match Running::start("config", git, Vec::new(), self.deadline)?.output() {
            Ok(settings) => Ok(String::from_utf8_lossy(&settings).into_owned()),
            // None at all.
            Err(GitError::Failed { code: Some(1), .. }) => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// Tells whether the clone has no working tree.
    fn is_bare(&self) -> Result<bool, GitError> {
        let is_linked = self.layout.git_dir != self.layout.common_dir;
        let says = self.own_settings(&["--type=bool", "--get", "core.bare"])?;
        Ok(!is_linked && says.lines().last() == Some("true"))
    }

    /// Returns the commit that a full hash, or the beginning of one, means.
    ///
    /// A branch or tag of that name is not looked at: the hash was built into a service.
    pub(crate) fn commit(&self, hash: &str) -> Result<ObjectId, GitError> {
        let no_commit = || GitError::NoCommit { path: self.path.clone(), revision: hash.to_owned() };
        if !(4..=64).contains(&hash.len()) || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(no_commit());
        }
        let asked = hash.to_ascii_lowercase();
        let is_whole = ObjectId::parse(&asked).is_some();
        match self.look_up(&format!("{asked}^{{commit}}"))? {
            Some(commit) if is_whole || commit.as_str().starts_with(&asked) => return Ok(commit),
            None if is_whole => return Err(no_commit()),
            // Nothing, several, or what a branch or tag of that name points to.
            _ => {}
        }
        // Safe as an argument: hex digits after an equals sign.
        let listed = self.output("rev-parse", &[&format!("--disambiguate={asked}")], Vec::new())?;
        let candidates: Vec<ObjectId> =
            String::from_utf8_lossy(&listed).lines().filter_map(ObjectId::parse).collect();
        let mut commits = Vec::new();
        for candidate in candidates {
            commits.extend(self.look_up(&format!("{candidate}^{{commit}}"))?);
        }
        // A tag object and the commit it names may begin alike.
        commits.sort();
        commits.dedup();
        match commits.len() {
            0 => Err(no_commit()),
            1 => Ok(commits.remove(0)),
            _ => Err(GitError::Ambiguous {
                path: self.path.clone(),
                revision: hash.to_owned(),
                candidates: commits,
            }),
        }
    }

    /// Returns the commit that a revision means: a branch, a tag, a hash, or an expression of git's.
    pub(crate) fn revision(&self, revision: &str) -> Result<ObjectId, GitError> {
        let no_commit = || GitError::NoCommit { path: self.path.clone(), revision: revision.to_owned() };
        if revision.is_empty() || revision.contains(['\n', '\0']) {
            return Err(no_commit());
        }
        // What was fetched of a branch is newer than what a clone began with, or what somebody works on.
        for name in [format!("refs/remotes/origin/{revision}^{{commit}}"), format!("{revision}^{{commit}}")] {
            if let Some(commit) = self.furthest_named(&name)? {
                return Ok(commit);
            }
        }
        // It says of an ambiguous hash what the question above passes over.
        self.commit(revision).map_err(|error| match error {
            GitError::NoCommit { .. } => no_commit(),
            error => error,
        })
    }

    /// Returns the hash of what a name means, which is one line; `None` where it means nothing, or several things.
    fn look_up(&self, name: &str) -> Result<Option<ObjectId>, GitError> {
        match self.ask(name, &mut Vec::new())? {
            Answer::Object { id, .. } => Ok(Some(id)),
            Answer::Missing => Ok(None),
        }
    }

    /// Returns the commit that a name means in the clone, or in the folder beside it: the one that goes further, of
    /// two that went apart the one that was fetched.
    fn furthest_named(&self, name: &str) -> Result<Option<ObjectId>, GitError> {
        let here = self.look_up(name)?;
        if self.is_fetched.get().is_none() {
            return Ok(here);
        }
        let question = format!("{name}\n").into_bytes();
        let answer = self.output_of_clone(CAT_FILE, &["--batch"], question)?;
        let answer = read_answer(&mut answer.as_slice(), &mut Vec::new());
        let in_clone = match answer.map_err(|reason| GitError::Io { action: CAT_FILE, reason })? {
            Answer::Object { id, .. } => Some(id),
            Answer::Missing => None,
        };
        match (here, in_clone) {
            (Some(here), Some(in_clone)) if self.is_ancestor(&here, &in_clone)? => Ok(Some(in_clone)),
            (here, in_clone) => Ok(here.or(in_clone)),
        }
    }

    fn is_ancestor(&self, one: &ObjectId, of: &ObjectId) -> Result<bool, GitError> {
        Ok(one == of || self.merge_base(one, of)?.as_ref() == Some(one))
    }

    /// Asks the git that stays what one name means, and reads what that says.
    fn ask(&self, name: &str, says: &mut Vec<u8>) -> Result<Answer, GitError> {
        let mut lookup = self.lookup.lock().expect("no panic");
        let open = match lookup.take() {
            Some(open) => Ok(open),
            None => Lookup::start(self.history()?, self.deadline),
        };
        let answered = open.and_then(|mut open| {
            let answer = open.ask(name, says)?;
            *lookup = Some(open);
            Ok(answer)
        });
        match answered {
            Ok(answer) => Ok(answer),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(GitError::TimedOut { action: CAT_FILE, after: self.deadline.0 })
            }
            // One that ends says why it fails.
            Err(_) => {
                let answer = self.output(CAT_FILE, &["--batch"], format!("{name}\n").into_bytes())?;
                read_answer(&mut answer.as_slice(), says)
                    .map_err(|reason| GitError::Io { action: CAT_FILE, reason })
            }
        }
    }

    /// Forgets what git had read; references and the end of a shallow clone's history may have moved.
    fn look_anew(&self) {
        *self.lookup.lock().expect("no panic") = None;
    }

    /// Returns the files and links of a commit, of which it has at most so many.
    pub(crate) fn files(&self, commit: &ObjectId, most: usize) -> Result<Tree, GitError> {
        let arguments = ["-r", "-z", "--full-tree", commit.as_str()];
        let mut out = BufReader::with_capacity(256 << 10, self.start(LS_TREE, &arguments, Vec::new())?);
        match Tree::read(&mut out, most) {
            Ok(Listed::Whole(tree)) => out.into_inner().finish().map(|()| tree),
            Ok(Listed::TooMany) => Err(GitError::TooManyFiles { commit: commit.clone(), most }),
            Ok(Listed::Unexpected(answer)) => Err(GitError::Unexpected { action: LS_TREE, answer }),
            Err(reason) => {
                out.into_inner().finish()?;
                Err(GitError::Io { action: LS_TREE, reason })
            }
        }
    }

    /// Reads blobs, spread over several gits, and hands each to `take` with its index, on several threads;
    /// returns what those gave, in the order asked for.
    pub(crate) fn blobs<T: Send>(
        &self,
        blobs: &[ObjectId],
        take: impl Fn(usize, Content<'_>) -> T + Sync,
    ) -> Result<Vec<T>, GitError> {
        let groups: Vec<_> = blobs.iter().map(|blob| [Some(blob)]).collect();
        self.groups(&groups, |index, [content]| take(index, content.expect("it was asked for")))
    }

    /// Reads blobs as [`blobs`](Self::blobs) does, `N` of them together; `None` is handed on.
    pub(crate) fn groups<T: Send, const N: usize>(
        &self,
        groups: &[[Option<&ObjectId>; N]],
        take: impl Fn(usize, [Option<Content<'_>>; N]) -> T + Sync,
    ) -> Result<Vec<T>, GitError> {
        // Starting git costs some milliseconds; below so many blobs one does not pay, nor a second one.
        const WORTH_ONE: usize = 8;
        const WORTH_ANOTHER: usize = 64;
        let blobs = groups.len() * N;
        let most = thread::available_parallelism().map_or(1, usize::from).min(8);
        let parts = blobs.div_ceil(WORTH_ANOTHER).min(most);
        if blobs < WORTH_ONE {
            let mut bodies = [const { Vec::new() }; N];
            let mut read = Vec::with_capacity(groups.len());
            for (index, group) in groups.iter().enumerate() {
                let read_one = |blob: &ObjectId, says: &mut Vec<u8>| self.ask(blob.as_str(), says);
                read.push(taken(index, group, &mut bodies, &take, read_one)?);
            }
            return Ok(read);
        }
        // In turn, as large files lie side by side.
        let part = |part| groups.iter().enumerate().skip(part).step_by(parts).collect();
        let read = |index| self.groups_of_one(part(index), &take);
        let read = &read;
        let results: Vec<Result<Vec<(usize, T)>, GitError>> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..parts).map(|index| parallel::begin(scope, move || read(index))).collect();
            threads.into_iter().map(Begun::join).collect()
        });
        let mut all = Vec::with_capacity(groups.len());
        for (index, result) in results.into_iter().enumerate() {
            all.extend(match result {
                // A limit of processes may still allow one git at a time.
                Err(GitError::NotStarted(_)) if parts > 1 => read(index)?,
                result => result?,
            });
        }
        all.sort_unstable_by_key(|(index, _)| *index);
        Ok(all.into_iter().map(|(_, taken)| taken).collect())
    }

    /// Reads groups of blobs by one git, and hands each on with its index.
    fn groups_of_one<T, const N: usize>(
        &self,
        groups: Vec<(usize, &[Option<&ObjectId>; N])>,
        take: impl Fn(usize, [Option<Content<'_>>; N]) -> T,
    ) -> Result<Vec<(usize, T)>, GitError> {
        let asked = groups.iter().flat_map(|(_, group)| group.iter().flatten());
        let asked: String = asked.flat_map(|blob| [blob.as_str(), "\n"]).collect();
        let git = self.start(CAT_FILE, &["--batch", "--buffer"], asked.into_bytes())?;
        let mut out = BufReader::with_capacity(256 << 10, git);
        let mut bodies = [const { Vec::new() }; N];
        let mut read_one = |_: &ObjectId, says: &mut Vec<u8>| read_answer(&mut out, says);
        let read: io::Result<Vec<(usize, T)>> = groups
            .into_iter()
            .map(|(index, group)| Ok((index, taken(index, group, &mut bodies, &take, &mut read_one)?)))
            .collect();
        out.into_inner().finish()?;
        read.map_err(|reason| GitError::Io { action: CAT_FILE, reason })
    }

    /// Runs a command of git in the clone itself, whatever was fetched beside it.
    fn output_of_clone(
        &self,
        action: &'static str,
        arguments: &[&str],
        input: Vec<u8>,
    ) -> Result<Vec<u8>, GitError> {
        self.start_in(self.view_of_clone()?, action, arguments, input)?.output()
    }

    /// Runs a command of git to its end and returns what it printed.
    fn output(&self, action: &'static str, arguments: &[&str], input: Vec<u8>) -> Result<Vec<u8>, GitError> {
        self.start(action, arguments, input)?.output()
    }

    fn start(&self, action: &'static str, arguments: &[&str], input: Vec<u8>) -> Result<Running, GitError> {
        self.start_in(self.history()?, action, arguments, input)
    }

    fn start_in(
        &self,
        git_dir: &Path,
        action: &'static str,
        arguments: &[&str],
        input: Vec<u8>,
    ) -> Result<Running, GitError> {
        let mut git = command();
        git.arg("--git-dir").arg(git_dir).arg(action).args(arguments);
        Running::start(action, git, input, self.deadline)
    }
}

/// Reads a file of a repository's own.
fn file_of(layout: &Layout, name: &str) -> io::Result<Vec<u8>> {
    layout::refuse_pipe(&layout.common_dir.join(name))?;
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that reads repositories")]
    std::fs::read(layout.common_dir.join(name))
}

const CONFIG: &str = "config";
const CONFIG_OF_WORKTREE: &str = "config.worktree";
const CAT_FILE: &str = "cat-file";
const LS_TREE: &str = "ls-tree";

/// What git says of a name or hash that it was asked for.
enum Answer {
    /// It is no such object, or several.
    Missing,
    /// It is one.
    Object { id: ObjectId, is_too_large: bool },
}

/// Reads what `git cat-file --batch` prints of one: `<hash> <type> <size>`, its bytes and a line end, or
/// `<what was asked> missing` or `ambiguous`. What is too large is passed over.
fn read_answer(out: &mut impl BufRead, says: &mut Vec<u8>) -> io::Result<Answer> {
    let mut head = Vec::new();
    out.read_until(b'\n', &mut head)?;
    if head.ends_with(b" missing\n") || head.ends_with(b" ambiguous\n") {
        return Ok(Answer::Missing);
    }
    let head = String::from_utf8_lossy(&head);
    let words: Vec<&str> = head.trim_end_matches('\n').split(' ').collect();
    let object = match words[..] {
        [id, _, size] => ObjectId::parse(id).zip(size.parse::<u64>().ok()),
        _ => None,
    };
    let (id, size) = object.ok_or(io::ErrorKind::UnexpectedEof)?;
    let is_too_large = size > LARGEST_BLOB;
    says.clear();
    if is_too_large {
        io::copy(&mut out.take(size), &mut io::sink())?;
    } else {
        says.reserve(usize::try_from(size).unwrap_or(0));
        out.take(size).read_to_end(says)?;
    }
    out.read_exact(&mut [0])?;
    Ok(Answer::Object { id, is_too_large })
}

/// Reads the blobs of a group by `read`, into `bodies`, and hands them on.
fn taken<T, E, const N: usize>(
    index: usize,
    group: &[Option<&ObjectId>; N],
    bodies: &mut [Vec<u8>; N],
    take: impl Fn(usize, [Option<Content<'_>>; N]) -> T,
    mut read: impl FnMut(&ObjectId, &mut Vec<u8>) -> Result<Answer, E>,
) -> Result<T, E> {
    let mut answers = [const { None }; N];
    for ((answer, body), blob) in answers.iter_mut().zip(&mut *bodies).zip(group) {
        *answer = blob.map(|blob| read(blob, body)).transpose()?;
    }
    let content = |at: usize| {
        answers[at].as_ref().map(|answer| match answer {
            Answer::Missing => Content::Missing,
            Answer::Object { is_too_large: true, .. } => Content::TooLarge,
            Answer::Object { .. } => Content::Text(&bodies[at]),
        })
    };
    Ok(take(index, std::array::from_fn(content)))
}
