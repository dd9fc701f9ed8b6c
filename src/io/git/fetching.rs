//! The repository that commits are fetched into: a bare one of this program, beside the clone whose objects it shares.
//!
//! Git obeys the configuration of the repository that it fetches into: it runs the programs that are named there, and
//! sends passwords to the servers named there. A clone may belong to anybody, so git never fetches into it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::error::GitError;
use super::layout::CloneLayout;
use super::network::Network;
use super::object::ObjectId;
use super::owners::TrustedOwners;

const ALTERNATES: &str = "objects/info/alternates";
const SHALLOW: &str = "shallow";
/// The shallow marks of the clone when they were last taken over.
const SEEN_SHALLOW: &str = "shallow.clone";
const LOCK: &str = "goc-watchdog.lock";

/// The folder of such a repository, which need not exist.
#[derive(Clone, Debug)]
pub(super) struct FetchFolder {
    path: PathBuf,
    /// The folder of the clone's objects.
    objects: PathBuf,
    /// The file of the clone's shallow marks, which need not exist.
    shallow: PathBuf,
    owners: TrustedOwners,
}

/// Facts about a clone that the repository beside it needs.
#[derive(Clone, Debug, Default)]
pub(super) struct CloneFacts {
    /// URL to fetch from, without its secrets.
    pub(super) url: String,
    /// Commits that the clone has, with all their ancestors.
    pub(super) tips: BTreeSet<ObjectId>,
    /// Commits of the last fetch were removed from the clone.
    pub(super) has_lost: bool,
    /// The filter of a clone that lacks objects on purpose.
    pub(super) filter: Option<String>,
}

/// A repository that is ready, locked against other runs. Root hands it to the owner when it is dropped.
pub(super) struct LockedFolder<'a> {
    folder: &'a FetchFolder,
    _lock: File,
}

impl FetchFolder {
    pub(super) fn new(path: &Path, layout: &CloneLayout, owners: &TrustedOwners) -> Self {
        Self {
            path: path.to_owned(),
            objects: layout.objects(),
            shallow: layout.common_dir.join(SHALLOW),
            owners: owners.clone(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn layout(&self) -> CloneLayout {
        CloneLayout { git_dir: self.path.clone(), common_dir: self.path.clone() }
    }

    /// Tells whether this folder can be read in place of the clone: it has the fetched objects and those of the clone.
    /// Changes of the clone are taken over first, if this user may write.
    pub(super) fn is_readable(&self) -> bool {
        let Ok(found) = fs::symlink_metadata(&self.path) else { return false };
        let is_whole = || ["HEAD", "config"].iter().all(|name| self.path.join(name).is_file());
        if !found.is_dir() || self.owners.check(&self.path).is_err() || !is_whole() {
            return false;
        }
        if self.is_current() {
            return true;
        }
        // Another run that holds the lock brings it up to date.
        let brought = self.owners.may_fetch_into(found.uid())
            && self.open_lock().is_ok_and(|lock| lock.try_lock().is_ok() && self.take_over().is_ok());
        brought && self.is_current()
    }

    /// Makes the folder, or brings it up to date, and keeps other runs from fetching into it.
    pub(super) fn prepare(
        &self,
        facts: &CloneFacts,
        network: &Network,
    ) -> Result<LockedFolder<'_>, GitError> {
        let not_writable = |reason| GitError::NotWritable { path: self.path.clone(), reason };
        make_folder(&self.path).map_err(not_writable)?;
        let found = fs::symlink_metadata(&self.path).map_err(not_writable)?;
        if !found.is_dir() {
            return Err(not_writable(io::ErrorKind::NotADirectory.into()));
        }
        if !self.owners.may_fetch_into(found.uid()) {
            return Err(GitError::NotOurs { path: self.path.clone(), owner: found.uid() });
        }
        let lock = self.lock(network)?;
        let made = || {
            for folder in ["objects", "objects/info", "objects/pack", "refs"] {
                make_folder(&self.path.join(folder))?;
            }
            self.take_over()?;
            if facts.has_lost {
                self.forget_references()?;
            }
            self.write("packed-refs", self.packed_refs(&facts.tips).as_bytes())?;
            self.write("config", config(facts).as_bytes())?;
            self.write("HEAD", b"ref: refs/heads/none\n")
        };
        made().map_err(not_writable)?;
        Ok(LockedFolder { folder: self, _lock: lock })
    }

    fn open_lock(&self) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(false).open(self.path.join(LOCK))
    }

    /// Takes the lock, waiting for other runs as long as a transfer may take.
    fn lock(&self, network: &Network) -> Result<File, GitError> {
        const PAUSE: Duration = Duration::from_millis(50);
        let not_writable = |reason| GitError::NotWritable { path: self.path.clone(), reason };
        let lock = self.open_lock().map_err(not_writable)?;
        let mut left = network.timeout.0;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(reason)) => return Err(not_writable(reason)),
                Err(TryLockError::WouldBlock) => {}
            }
            if left.is_zero() || network.stop.load(Ordering::Relaxed) != 0 {
                return Err(GitError::TimedOut { action: "fetch", after: network.timeout.0 });
            }
            #[expect(clippy::disallowed_methods, reason = "this adapter waits for another run")]
            std::thread::sleep(PAUSE.min(left));
            left = left.saturating_sub(PAUSE);
        }
    }

    /// Returns the text of the file by which git also finds the objects of the clone.
    fn alternates(&self) -> Vec<u8> {
        [self.objects.as_os_str().as_bytes(), b"\n"].concat()
    }

    fn is_current(&self) -> bool {
        let seen = read_text(&self.path.join(SEEN_SHALLOW)).unwrap_or_default();
        read_bytes(&self.path.join(ALTERNATES)).is_ok_and(|bytes| bytes == self.alternates())
            && read_text(&self.shallow).unwrap_or_default() == seen
    }

    /// Takes over the folder of the clone's objects, and the end of its history.
    fn take_over(&self) -> io::Result<()> {
        if self.objects.as_os_str().as_bytes().contains(&b'\n') {
            return Err(io::Error::other(
                "git cannot share objects with a clone whose path has a line break",
            ));
        }
        self.write(ALTERNATES, &self.alternates())?;
        let in_clone = read_text(&self.shallow).unwrap_or_default();
        let seen = read_text(&self.path.join(SEEN_SHALLOW)).unwrap_or_default();
        if in_clone != seen {
            let here = read_text(&self.path.join(SHALLOW)).unwrap_or_default();
            let marks = shallow_after(&here, &seen, &in_clone);
            self.write(SHALLOW, marks.as_bytes())?;
            if marks.is_empty() {
                // An empty file would also make git treat the history as shallow.
                #[expect(clippy::disallowed_methods, reason = "this adapter owns the folder")]
                fs::remove_file(self.path.join(SHALLOW))?;
            }
            self.write(SEEN_SHALLOW, in_clone.as_bytes())?;
        }
        Ok(())
    }

    /// Returns references to the commits of the clone, so that git does not fetch them, and those that git packed here.
    fn packed_refs(&self, tips: &BTreeSet<ObjectId>) -> String {
        let packed = read_text(&self.path.join("packed-refs")).unwrap_or_default();
        let mut text = String::new();
        let mut is_own = false;
        for line in packed.lines().filter(|line| !line.starts_with('#')) {
            // A line with a caret belongs to the reference before it.
            is_own = if line.starts_with('^') { is_own } else { !line.contains(OF_CLONE) };
            if is_own {
                text.extend([line, "\n"]);
            }
        }
        text.extend(tips.iter().map(|tip| format!("{tip} {OF_CLONE}{tip}\n")));
        text
    }

    /// Returns the commits that the clone had at the last fetch.
    pub(super) fn known_tips(&self) -> BTreeSet<ObjectId> {
        let packed = read_text(&self.path.join("packed-refs")).unwrap_or_default();
        packed.lines().filter_map(|line| ObjectId::parse(line.split_once(OF_CLONE)?.1)).collect()
    }

    /// Removes the references of fetched commits. Their objects stay.
    ///
    /// Commits that were fetched here have ancestors and files in the clone. If those were removed, a server that is told
    /// of such a commit would not send the missing objects.
    fn forget_references(&self) -> io::Result<()> {
        let refs = self.path.join("refs");
        fs::remove_dir_all(&refs)?;
        make_folder(&refs)?;
        self.write("packed-refs", b"")
    }

    /// Writes a file, whole or not at all; nothing if it has this text already.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path.join(name);
        if read_bytes(&path).is_ok_and(|known| known == bytes) {
            return Ok(());
        }
        let unfinished = self.path.join(format!("{name}.new"));
        #[expect(clippy::disallowed_methods, reason = "each fetch writes anew what a power cut cost")]
        fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, &path))
    }
}

/// Folder of the references to the clone's commits.
const OF_CLONE: &str = "refs/clone/";

impl Drop for LockedFolder<'_> {
    fn drop(&mut self) {
        self.folder.owners.hand_over(&self.folder.path);
    }
}

/// Returns the configuration of such a repository. Beside it, git reads only the user's own.
fn config(CloneFacts { url, tips, filter, .. }: &CloneFacts) -> String {
    let mut text = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n".to_owned();
    if tips.first().is_some_and(|tip| tip.as_str().len() == 64) {
        text.push_str("[extensions]\n\tobjectformat = sha256\n");
    }
    if filter.is_some() {
        text.push_str("[extensions]\n\tpartialclone = origin\n");
    }
    text.extend(["[remote \"origin\"]\n\turl = ", &quoted(url), "\n"]);
    if let Some(filter) = filter {
        text.extend(["\tpromisor = true\n\tpartialclonefilter = ", &quoted(filter), "\n"]);
    }
    text
}

/// Returns a value in the syntax of git's configuration.
fn quoted(value: &str) -> String {
    let escaped = value.chars().fold(String::new(), |mut escaped, c| {
        match c {
            '\n' => escaped.push_str("\\n"),
            '"' | '\\' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
        escaped
    });
    format!("\"{escaped}\"")
}

/// Returns the shallow marks of a repository, from its own (`here`), those of the clone at the last look (`seen`), and
/// those of the clone now.
///
/// A surplus mark cuts history short until the next fetch; a missing mark makes git look for commits that do not exist.
/// So marks that a fetch removed stay removed, and those of the clone are removed when the clone has none any more.
fn shallow_after(here: &str, seen: &str, in_clone: &str) -> String {
    let [mut marks, seen, in_clone] =
        [here, seen, in_clone].map(|text| text.lines().collect::<BTreeSet<&str>>());
    if in_clone.is_empty() {
        marks.retain(|mark| !seen.contains(mark));
    }
    marks.extend(in_clone.difference(&seen));
    marks.iter().flat_map(|mark| [mark, "\n"]).collect()
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that reads repositories")]
    fs::read(path)
}

fn read_text(path: &Path) -> io::Result<String> {
    read_bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Makes a folder that other users cannot read and that the group may not write, even with `[files] group_write`: git
/// obeys the configuration in it, which a user who may write the folder could replace.
fn make_folder(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o750).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shallow_marks_of_a_clone_are_taken_over_and_those_that_a_fetch_undid_stay_away() {
        let cases = [
            // here, seen in the clone, there now, then here
            ("", "", "a\nb\n", "a\nb\n"),
            ("a\n", "a\n", "a\n", "a\n"),
            ("", "a\n", "a\nb\n", "b\n"),
            ("a\nc\n", "a\n", "b\n", "a\nb\nc\n"),
            ("a\nc\n", "a\n", "", "c\n"),
        ];
        for (here, seen, in_clone, wanted) in cases {
            assert_eq!(shallow_after(here, seen, in_clone), wanted, "{here:?} {seen:?} {in_clone:?}");
        }
    }

    #[test]
    fn nothing_of_a_url_or_filter_can_be_another_line_of_the_configuration() {
        let facts = CloneFacts {
            url: "file:///a\"b\\c\n[core]\n\tsshCommand = x".to_owned(),
            tips: BTreeSet::from([ObjectId::parse(&"a".repeat(64)).unwrap()]),
            has_lost: false,
            filter: Some("blob:none".to_owned()),
        };
        assert_eq!(
            config(&facts),
            "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n\
             [extensions]\n\tpartialclone = origin\n[remote \"origin\"]\n\
             \turl = \"file:///a\\\"b\\\\c\\n[core]\\n\tsshCommand = x\"\n\
             \tpromisor = true\n\tpartialclonefilter = \"blob:none\"\n"
        );
    }
}
