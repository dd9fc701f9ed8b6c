//! The sum of stored counters, on two threads where they are many.
//!
//! The calling thread alone reads them, since a database has one connection, and both threads add.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TrySendError};
use std::thread;

use crate::fleet::ids::LifeId;
use crate::parallel;
use crate::profile::{Build, BuildConflict, CodecError, Mode, ProfileSum, StoredSumError};

/// Bytes of counters from which a second thread is worth its start.
const LARGE: usize = 64 << 10;

/// A stored life with its counters.
pub(crate) struct EncodedLife {
    pub(crate) id: LifeId,
    pub(crate) mode: Mode,
    pub(crate) build: Arc<Build>,
    pub(crate) counts: Vec<u8>,
}

/// The reason why there is no sum.
#[derive(Debug)]
pub(crate) enum SumFailure {
    /// The next counters could not be read.
    Reading(anyhow::Error),
    /// The counters of this life cannot be decoded.
    Damaged(LifeId, CodecError),
    Conflict(BuildConflict),
}

/// A failure with the number of its life. Of two failures, the one with the lower number is returned.
type NumberedFailure = (usize, SumFailure);

/// Adds the lives that `read` returns, until it returns `None`, to a sum, which is begun if there is none.
pub(crate) fn add(
    own: Option<ProfileSum>,
    mut read: impl FnMut() -> anyhow::Result<Option<EncodedLife>>,
) -> Result<ProfileSum, SumFailure> {
    let mut sum = own;
    while let Some(life) = read().map_err(SumFailure::Reading)? {
        add_life(&mut sum, &life)?;
        if life.counts.len() >= LARGE {
            drop(life);
            return add_on_two_threads(sum, read);
        }
    }
    Ok(sum.unwrap_or_else(empty))
}

fn empty() -> ProfileSum {
    ProfileSum::new(Arc::new(Build::empty()))
}

fn add_life(sum: &mut Option<ProfileSum>, life: &EncodedLife) -> Result<(), SumFailure> {
    let sum = sum.get_or_insert_with(|| ProfileSum::new(Arc::clone(&life.build)));
    sum.add_encoded(life.mode, &life.build, &life.counts).map_err(|error| match error {
        StoredSumError::Codec(error) => SumFailure::Damaged(life.id, error),
        StoredSumError::Conflict(conflict) => SumFailure::Conflict(conflict),
    })
}

/// Reads the lives, and adds each that the other thread has no time for.
fn add_on_two_threads(
    mut sum: Option<ProfileSum>,
    mut read: impl FnMut() -> anyhow::Result<Option<EncodedLife>>,
) -> Result<ProfileSum, SumFailure> {
    let (lives, received) = mpsc::sync_channel(1);
    let (own, other) = thread::scope(|scope| {
        // Without a thread, one life waits in the channel until the others are added.
        let other = parallel::spawn(scope, move || add_received(&received));
        let mut number = 0;
        let mut add_all = || -> Result<(), SumFailure> {
            while let Some(life) = read().map_err(SumFailure::Reading)? {
                number += 1;
                if let Err(TrySendError::Full((_, life)) | TrySendError::Disconnected((_, life))) =
                    lives.try_send((number, life))
                {
                    add_life(&mut sum, &life)?;
                }
            }
            Ok(())
        };
        let own = add_all();
        drop(lives);
        (own.map_err(|failure| (number, failure)), other.join())
    });
    match (own, other) {
        (Err(own), Err(other)) => Err(if own.0 < other.0 { own.1 } else { other.1 }),
        (Err((_, failure)), Ok(_)) | (Ok(()), Err((_, failure))) => Err(failure),
        (Ok(()), Ok(other)) => {
            let mut sum = sum.unwrap_or_else(empty);
            if let Some(other) = other {
                sum.add_merged(&other).map_err(SumFailure::Conflict)?;
            }
            Ok(sum)
        }
    }
}

fn add_received(lives: &Receiver<(usize, EncodedLife)>) -> Result<Option<ProfileSum>, NumberedFailure> {
    let mut sum = None;
    for (number, life) in lives {
        add_life(&mut sum, &life).map_err(|failure| (number, failure))?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::testing::with_threads;
    use crate::profile::encode_counts;
    use crate::profile::{Limits, read};

    /// A file of more blocks than are added on one thread.
    fn build() -> Arc<Build> {
        let lines: Vec<String> = (1..=LARGE).map(|line| format!("a.go:{line}.1,{line}.2 1 1")).collect();
        let text = format!("mode: count\n{}\n", lines.join("\n"));
        let template = read(text.as_bytes(), Limits::default(), &[]).unwrap().1.unwrap();
        Arc::clone(template.build())
    }

    fn lives(build: &Arc<Build>, count: i64) -> Vec<EncodedLife> {
        let life = |id: i64| {
            let counts =
                (0..LARGE as u64).map(|block| 1 + (block + id.cast_unsigned()) % 3).collect::<Vec<_>>();
            EncodedLife {
                id: LifeId(id),
                mode: Mode::Count,
                build: Arc::clone(build),
                counts: encode_counts(&counts),
            }
        };
        (1..=count).map(life).collect()
    }

    fn added(lives: Vec<EncodedLife>, threads: usize) -> Result<ProfileSum, SumFailure> {
        let mut lives = lives.into_iter();
        with_threads(threads, || add(None, || Ok(lives.next())))
    }

    #[test]
    fn two_threads_add_what_one_adds() {
        let build = build();
        for count in [0, 1, 2, 3, 9] {
            let expected: Vec<u64> = (0..LARGE as u64)
                .map(|block| (1..=count).map(|id: i64| 1 + (block + id.cast_unsigned()) % 3).sum())
                .collect();
            for threads in [0, 1] {
                let sum = added(lives(&build, count), threads).unwrap().into_profile();
                let expected = if count == 0 { Vec::new() } else { expected.clone() };
                assert_eq!(sum.counts, expected, "{count} lives, {threads} threads");
            }
        }
    }

    #[test]
    fn the_first_of_damaged_counters_is_named() {
        let build = build();
        for threads in [0, 1] {
            let mut lives = lives(&build, 9);
            for damaged in [4, 5, 6] {
                lives[damaged].counts.pop();
            }
            let failure = added(lives, threads).unwrap_err();
            assert!(matches!(failure, SumFailure::Damaged(LifeId(5), _)), "{failure:?}");
        }
    }
}
