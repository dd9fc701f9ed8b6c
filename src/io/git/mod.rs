//! Git, run as a program: the commit of a hash, the files of a commit, the content of files.
//!
//! Only objects are read, by plumbing commands whose output does not depend on any configuration; no working tree is
//! read or changed. Text from outside reaches git on its standard input, never as an argument.
//!
//! A clone may belong to any user whom the configuration trusts, and no setting of the clone may start a program: git
//! reads it through a folder that has links to its objects and references and nothing else of it, and missing objects
//! are fetched into a repository beside it.

mod blame;
mod blobs;
mod config;
mod error;
mod fetching;
mod history;
mod layout;
mod lookup;
mod network;
mod object;
mod owners;
mod reach;
mod remote;
mod revisions;
mod run;
mod running;
mod settings;
mod tree;
mod url;
mod version;
mod view;

pub(crate) use error::GitError;
pub(crate) use history::{FileAt, FileChange, Renames};
pub(crate) use network::Network;
pub(crate) use object::{BlobContent, ObjectId};
pub(crate) use owners::TrustedOwners;
pub(crate) use reach::reach;
pub(crate) use remote::clone;
pub(crate) use run::Timeout;
pub(crate) use tree::{OtherTree, Tree};
pub(crate) use url::RemoteUrl;
pub(crate) use version::{OLDEST, is_older_than_needed, version};

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use fetching::FetchFolder;
use layout::CloneLayout;
use lookup::ObjectLookup;
use run::command;
use running::GitProcess;
use view::View;

const CAT_FILE: &str = "cat-file";

/// A clone, of any kind, with the commits that were fetched beside it.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    path: PathBuf,
    layout: CloneLayout,
    fetching: FetchFolder,
    /// The mark that the folder beside the clone has the objects and history of both, and is read instead of the clone.
    is_fetched: Arc<OnceLock<()>>,
    timeout: Timeout,
    /// The clone is a partial one. The value is read once, because it does not change while a report is made.
    is_partial: OnceLock<bool>,
    /// The git that keeps running. It is started at the first question, and all copies of this value share it.
    lookup: Arc<Mutex<Option<ObjectLookup>>>,
    views: Arc<Views>,
}

/// The folders that git is given, made when first needed.
#[derive(Debug, Default)]
struct Views {
    clone: OnceLock<View>,
    fetched: OnceLock<View>,
}

impl Repository {
    /// Opens the repository in a folder: a bare one, or one with a working tree. A repository in a folder above is never
    /// used. Commits are fetched into the folder `fetched`, and read from it.
    pub(crate) fn open(
        path: &Path,
        fetched: &Path,
        owners: &TrustedOwners,
        timeout: Timeout,
    ) -> Result<Self, GitError> {
        let layout = CloneLayout::find(path, owners)?;
        let fetching = FetchFolder::new(fetched, &layout, owners);
        let is_fetched = Arc::new(OnceLock::new());
        if fetching.is_readable() {
            let _ = is_fetched.set(());
        }
        let (is_partial, lookup, views) = (OnceLock::new(), Arc::default(), Arc::default());
        Ok(Self { path: path.to_owned(), layout, fetching, is_fetched, timeout, is_partial, lookup, views })
    }

    /// Returns the folder through which objects and history are read.
    fn history(&self) -> Result<&Path, GitError> {
        match self.is_fetched.get() {
            Some(()) => self.view(&self.views.fetched, &self.fetching.layout()),
            None => self.view_of_clone(),
        }
    }

    /// Returns the folder through which the clone itself is read.
    fn view_of_clone(&self) -> Result<&Path, GitError> {
        self.view(&self.views.clone, &self.layout)
    }

    fn view<'v>(&self, made: &'v OnceLock<View>, layout: &CloneLayout) -> Result<&'v Path, GitError> {
        let view = match made.get() {
            Some(view) => view,
            // Two threads may make it at once, and one of both is used.
            None => {
                let view = View::new(layout, &self.format(layout)?)?;
                made.get_or_init(|| view)
            }
        };
        Ok(view.git_dir())
    }

    /// Runs a command of git in the clone itself.
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

    fn start(
        &self,
        action: &'static str,
        arguments: &[&str],
        input: Vec<u8>,
    ) -> Result<GitProcess, GitError> {
        self.start_in(self.history()?, action, arguments, input)
    }

    fn start_in(
        &self,
        git_dir: &Path,
        action: &'static str,
        arguments: &[&str],
        input: Vec<u8>,
    ) -> Result<GitProcess, GitError> {
        let mut git = command();
        git.arg("--git-dir").arg(git_dir).arg(action).args(arguments);
        GitProcess::start(action, git, input, self.timeout)
    }
}
