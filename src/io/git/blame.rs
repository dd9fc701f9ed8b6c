//! The authors of lines.

use super::Repository;
use super::error::GitError;
use super::object::ObjectId;
use super::run::{Timeout, command};
use super::running::GitProcess;
use crate::code::blame::{AuthoredLines, authored_lines};

/// Largest number of ranges in one question. More would exceed the length of a command.
const MOST_RANGES: usize = 500;

impl Repository {
    /// Finds the authors of ranges of lines in a file of a commit, in order of the lines; of very many ranges, also the
    /// authors of the lines between. Lines from before the end of a shallow history are left out. Nothing is fetched: it
    /// fails where objects are missing.
    ///
    /// The path is an argument of git, after the `--` behind which nothing is an option.
    pub(crate) fn blame(
        &self,
        commit: &ObjectId,
        path: &str,
        ranges: &[(u32, u32)],
        timeout: Timeout,
    ) -> Result<Vec<AuthoredLines>, GitError> {
        let (Some((first, _)), Some((_, last))) = (ranges.first(), ranges.last()) else {
            return Ok(Vec::new());
        };
        let whole = [(*first, *last)];
        let asked = if ranges.len() > MOST_RANGES { &whole[..] } else { ranges };
        let mut git = command();
        git.arg("--git-dir").arg(self.history()?).args(["blame", "--incremental"]);
        for (first, last) in asked {
            git.arg(format!("-L{first},{last}"));
        }
        git.args([commit.as_str(), "--", path]);
        let output = GitProcess::start("blame", git, Vec::new(), timeout)?.output()?;
        let is_shallow = self.is_shallow()?;
        let mut lines = authored_lines(&String::from_utf8_lossy(&output), is_shallow);
        lines.sort_unstable_by_key(|lines| lines.first);
        Ok(lines)
    }
}
