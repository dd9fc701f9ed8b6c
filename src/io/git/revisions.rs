//! Commits by hash, branch, tag or expression.

use std::io;

use super::error::GitError;
use super::lookup::ObjectLookup;
use super::object::{ObjectAnswer, ObjectId, read_answer};
use super::{CAT_FILE, Repository};

impl Repository {
    /// Returns the commit of a full hash, or of the beginning of one.
    ///
    /// A branch or tag of that name is ignored: the hash was built into a service.
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
            // The answer is no commit, several, or the target of a branch or tag of that name.
            _ => {}
        }
        // The argument is safe: hex digits after an equals sign.
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

    /// Returns the commit of a revision: a branch, a tag, a hash, or an expression of git.
    pub(crate) fn revision(&self, revision: &str) -> Result<ObjectId, GitError> {
        let no_commit = || GitError::NoCommit { path: self.path.clone(), revision: revision.to_owned() };
        if revision.is_empty() || revision.contains(['\n', '\0']) {
            return Err(no_commit());
        }
        // The fetched state of a branch is newer than the one of the clone, or than somebody's local one.
        for name in [format!("refs/remotes/origin/{revision}^{{commit}}"), format!("{revision}^{{commit}}")] {
            if let Some(commit) = self.furthest_named(&name)? {
                return Ok(commit);
            }
        }
        // The error of an ambiguous hash lists its candidates.
        self.commit(revision).map_err(|error| match error {
            GitError::NoCommit { .. } => no_commit(),
            error => error,
        })
    }

    /// Returns the hash of the object that a name, of one line, means; `None` if it means no object, or several.
    pub(super) fn look_up(&self, name: &str) -> Result<Option<ObjectId>, GitError> {
        match self.ask(name, &mut Vec::new())? {
            ObjectAnswer::Object { id, .. } => Ok(Some(id)),
            ObjectAnswer::Missing => Ok(None),
        }
    }

    /// Returns the commit that a name means in the clone, or in the folder beside it: the descendant of both, or the
    /// fetched one if they diverged.
    pub(super) fn furthest_named(&self, name: &str) -> Result<Option<ObjectId>, GitError> {
        let here = self.look_up(name)?;
        if self.is_fetched.get().is_none() {
            return Ok(here);
        }
        let question = format!("{name}\n").into_bytes();
        let answer = self.output_of_clone(CAT_FILE, &["--batch"], question)?;
        let answer = read_answer(&mut answer.as_slice(), &mut Vec::new());
        let in_clone = match answer.map_err(|reason| GitError::Io { action: CAT_FILE, reason })? {
            ObjectAnswer::Object { id, .. } => Some(id),
            ObjectAnswer::Missing => None,
        };
        match (here, in_clone) {
            (Some(here), Some(in_clone)) if self.is_ancestor(&here, &in_clone)? => Ok(Some(in_clone)),
            (here, in_clone) => Ok(here.or(in_clone)),
        }
    }

    /// Tells whether a commit is another one, or an ancestor of it.
    pub(crate) fn is_ancestor(&self, ancestor: &ObjectId, commit: &ObjectId) -> Result<bool, GitError> {
        Ok(ancestor == commit || self.merge_base(ancestor, commit)?.as_ref() == Some(ancestor))
    }

    /// Asks the git that keeps running for the object of a name, and reads its content into `body`.
    pub(super) fn ask(&self, name: &str, body: &mut Vec<u8>) -> Result<ObjectAnswer, GitError> {
        let mut lookup = self.lookup.lock().expect("no panic");
        let open = match lookup.take() {
            Some(open) => Ok(open),
            None => ObjectLookup::start(self.history()?, self.timeout),
        };
        let answered = open.and_then(|mut open| {
            let answer = open.ask(name, body)?;
            *lookup = Some(open);
            Ok(answer)
        });
        match answered {
            Ok(answer) => Ok(answer),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(GitError::TimedOut { action: CAT_FILE, after: self.timeout.0 })
            }
            // The git that keeps running has no messages, so another one repeats the question and tells the reason.
            Err(_) => {
                let answer = self.output(CAT_FILE, &["--batch"], format!("{name}\n").into_bytes())?;
                read_answer(&mut answer.as_slice(), body)
                    .map_err(|reason| GitError::Io { action: CAT_FILE, reason })
            }
        }
    }

    /// Ends the git that keeps running, because references and the end of a shallow history may have moved.
    pub(super) fn end_lookup(&self) {
        *self.lookup.lock().expect("no panic") = None;
    }
}
