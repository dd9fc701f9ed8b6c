//! The authors of lines, and the owners of files.

use std::time::Duration;

use super::{RepositoryCommit, SourceReader, SourceTree};
use crate::code::blame::Blame;
use crate::code::codeowners::{CodeOwners, PLACES};
use crate::io::clock::Deadline;
use crate::io::git::{BlobContent, ObjectId, Timeout};
use crate::names::in_message;
use crate::parallel::on_all_cores;

/// Time that the authors of all lines of a report may take.
const LONGEST: Duration = Duration::from_secs(10);

/// A file by its path in the repository, with ranges of its lines.
pub(crate) type LinesOfFile<'l> = (&'l str, &'l [(u32, u32)]);

impl SourceReader<'_> {
    /// Tells whether the configuration wants pages of the app to name authors and owners.
    pub(crate) fn names_people(&self) -> bool {
        self.settings.config.apps.get(self.app).is_some_and(|app| app.blame)
    }

    /// Finds the authors of lines. It fetches nothing and ends after ten seconds; a warning tells of how many files the
    /// authors stay unknown.
    pub(crate) fn blame(&self, at: &RepositoryCommit, files: &[LinesOfFile<'_>]) -> Blame {
        let deadline = Deadline::after(Some(LONGEST.min(self.settings.config.git.timeout)));
        let found = on_all_cores(files, |(path, ranges)| {
            let left = deadline.left().unwrap_or(LONGEST);
            if left.is_zero() {
                return Err(format!("the time for that, {} seconds, was over", LONGEST.as_secs()));
            }
            let lines = at.repository.blame(&at.commit, path, ranges, Timeout(left));
            lines.map_err(|error| format!("\"{}\": {error}", in_message(path)))
        });
        let mut blame = Blame::default();
        let mut failures = Vec::new();
        for ((path, _), lines) in files.iter().zip(found) {
            match lines {
                Ok(lines) => {
                    blame.files.insert((*path).to_owned(), lines);
                }
                Err(failure) => failures.push(failure),
            }
        }
        if let Some(first) = failures.first() {
            let number = failures.len();
            let files = if number == 1 { "1 file".to_owned() } else { format!("{number} files") };
            self.warn(format!("the authors of missed changed lines are unknown in {files}: {first}"));
        }
        blame
    }
}

impl SourceReader<'_> {
    /// Returns the owners of the files of a commit; `None` where no file tells them, or where a warning says why they are
    /// unknown.
    pub(crate) fn code_owners(&self, at: &RepositoryCommit, tree: &SourceTree) -> Option<CodeOwners> {
        let (place, blob) = PLACES.iter().find_map(|place| Some((place, tree.files.blob(place)?)))?;
        let read = owners_in(blob, at);
        read.map_err(|cause| {
            self.warn(format!("the report has no owners, because \"{place}\" of the commit {cause}"));
        })
        .ok()
    }
}

/// Reads a `CODEOWNERS` file; the error is a clause.
fn owners_in(blob: &ObjectId, at: &RepositoryCommit) -> Result<CodeOwners, String> {
    let read = at.repository.blobs(std::slice::from_ref(blob), |_, content| match content {
        BlobContent::Text(text) => CodeOwners::parse(&String::from_utf8_lossy(text)),
        BlobContent::Missing => Err("is not in the clone, and nothing is fetched for it".to_owned()),
        BlobContent::TooLarge => Err("is too large".to_owned()),
    });
    let mut read = read.map_err(|error| format!("cannot be read: {error}"))?;
    read.pop().unwrap_or_else(|| Err("cannot be read".to_owned()))
}
