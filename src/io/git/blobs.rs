//! The contents of files, read by several gits at a time.

use std::io::{self, BufReader};

use super::error::GitError;
use super::object::{BlobContent, ObjectAnswer, ObjectId, read_answer};
use super::{CAT_FILE, Repository};
use crate::parallel;

/// Starting git costs some milliseconds; fewer blobs than this are read by the git that keeps running.
const MIN_BLOBS_FOR_OWN_GIT: usize = 8;
/// Number of blobs for which one more git pays.
const BLOBS_PER_GIT: usize = 64;

/// Number of gits that read at the same time.
const MAX_GITS: usize = 8;

/// Blobs that are handed on together.
type BlobGroup<'a, const N: usize> = [Option<&'a ObjectId>; N];

impl Repository {
    /// Reads blobs, spread over several gits, and hands each to `take` with its index, on several threads. Returns the
    /// results of `take` in the order of `blobs`.
    pub(crate) fn blobs<T: Send>(
        &self,
        blobs: &[ObjectId],
        take: impl Fn(usize, BlobContent<'_>) -> T + Sync,
    ) -> Result<Vec<T>, GitError> {
        let groups: Vec<_> = blobs.iter().map(|blob| [Some(blob)]).collect();
        self.groups(&groups, |index, [content]| take(index, content.expect("it was asked for")))
    }

    /// Reads blobs as [`blobs`](Self::blobs) does, `N` of them together; `None` is handed on.
    pub(crate) fn groups<T: Send, const N: usize>(
        &self,
        groups: &[[Option<&ObjectId>; N]],
        take: impl Fn(usize, [Option<BlobContent<'_>>; N]) -> T + Sync,
    ) -> Result<Vec<T>, GitError> {
        let blobs = groups.len() * N;
        if blobs < MIN_BLOBS_FOR_OWN_GIT {
            return self.groups_by_lookup(groups, take);
        }
        let parts = blobs.div_ceil(BLOBS_PER_GIT).min(parallel::cores()).min(MAX_GITS);
        // Large files lie side by side, so the groups are dealt out in turn.
        let part = |part| groups.iter().enumerate().skip(part).step_by(parts).collect();
        let read = |index| self.groups_by_one_git(part(index), &take);
        let results = parallel::on_own_threads(0..parts, read);
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

    /// Reads few groups by the git that keeps running.
    fn groups_by_lookup<T, const N: usize>(
        &self,
        groups: &[BlobGroup<'_, N>],
        take: impl Fn(usize, [Option<BlobContent<'_>>; N]) -> T,
    ) -> Result<Vec<T>, GitError> {
        let mut bodies = [const { Vec::new() }; N];
        let mut read = Vec::with_capacity(groups.len());
        for (index, group) in groups.iter().enumerate() {
            let read_one = |blob: &ObjectId, body: &mut Vec<u8>| self.ask(blob.as_str(), body);
            read.push(take_group(index, group, &mut bodies, &take, read_one)?);
        }
        Ok(read)
    }

    /// Reads groups of blobs by one git, and hands each on with its index.
    fn groups_by_one_git<T, const N: usize>(
        &self,
        groups: Vec<(usize, &[Option<&ObjectId>; N])>,
        take: impl Fn(usize, [Option<BlobContent<'_>>; N]) -> T,
    ) -> Result<Vec<(usize, T)>, GitError> {
        let asked = groups.iter().flat_map(|(_, group)| group.iter().flatten());
        let asked: String = asked.flat_map(|blob| [blob.as_str(), "\n"]).collect();
        let git = self.start(CAT_FILE, &["--batch", "--buffer"], asked.into_bytes())?;
        let mut out = BufReader::with_capacity(256 << 10, git);
        let mut bodies = [const { Vec::new() }; N];
        let mut read_one = |_: &ObjectId, body: &mut Vec<u8>| read_answer(&mut out, body);
        let read: io::Result<Vec<(usize, T)>> = groups
            .into_iter()
            .map(|(index, group)| Ok((index, take_group(index, group, &mut bodies, &take, &mut read_one)?)))
            .collect();
        out.into_inner().finish()?;
        read.map_err(|reason| GitError::Io { action: CAT_FILE, reason })
    }
}

/// Reads the blobs of a group by `read`, into `bodies`, and hands them on.
fn take_group<T, E, const N: usize>(
    index: usize,
    group: &[Option<&ObjectId>; N],
    bodies: &mut [Vec<u8>; N],
    take: impl Fn(usize, [Option<BlobContent<'_>>; N]) -> T,
    mut read: impl FnMut(&ObjectId, &mut Vec<u8>) -> Result<ObjectAnswer, E>,
) -> Result<T, E> {
    let mut answers = [const { None }; N];
    for ((answer, body), blob) in answers.iter_mut().zip(&mut *bodies).zip(group) {
        *answer = blob.map(|blob| read(blob, body)).transpose()?;
    }
    let content = |at: usize| {
        answers[at].as_ref().map(|answer| match answer {
            ObjectAnswer::Missing => BlobContent::Missing,
            ObjectAnswer::Object { is_too_large: true, .. } => BlobContent::TooLarge,
            ObjectAnswer::Object { .. } => BlobContent::Text(&bodies[at]),
        })
    };
    Ok(take(index, std::array::from_fn(content)))
}
