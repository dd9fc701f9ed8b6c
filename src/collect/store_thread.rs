//! The thread that writes to the database: it carries out the messages of the other threads, and ends the run when
//! necessary.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::collect::outcome::{KeyOutcome, KeyResult};
use crate::collect::run::StoreMessage;
use crate::collect::store_queue::{Received, StoreReceiver};
use crate::fleet::change::Change;
use crate::fleet::ids::KeyId;
use crate::io::clock::{Deadline, Stopwatch};
use crate::io::progress::Progress;
use crate::io::signals::Signals;
use crate::io::store::{StoreError, Writer};

/// Interval at which the writing thread checks for signals and for the deadline.
pub(crate) const TICK: Duration = Duration::from_millis(50);
/// Longest interval between two commits.
const COMMIT_EVERY: Duration = Duration::from_millis(500);
/// Bytes of changes that are committed before the interval ends, so that another thread folds them into the database
/// meanwhile.
const COMMIT_BYTES: usize = 4 << 20;

/// The reason for which a run ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// The deadline of the run passed.
    Deadline,
    /// A signal came.
    Signal(i32),
}

impl StopReason {
    /// Returns why a run is to end now, if it is.
    pub(crate) fn now(signals: &Signals, deadline: Deadline) -> Option<Self> {
        signals.received().map(Self::Signal).or_else(|| deadline.has_passed().then_some(Self::Deadline))
    }
}

/// The results of the keys that the threads of a run pulled, and the reason if the run ended early.
pub(crate) struct PullResult {
    pub(crate) keys: Vec<KeyResult>,
    pub(crate) stop: Option<StopReason>,
}

/// The thread that writes.
pub(crate) struct StoreThread<'a, 'w> {
    pub(crate) writer: &'a mut Writer<'w>,
    /// The function that is called after each commit that stored something.
    pub(crate) after_commit: &'a dyn Fn(),
    pub(crate) stopped: &'a AtomicBool,
    pub(crate) signals: &'a Signals,
    pub(crate) deadline: Deadline,
    pub(crate) progress: &'a Progress,
}

/// The progress of a [`StoreThread`].
pub(crate) struct StoreProgress {
    result: PullResult,
    /// Number of addresses that failed.
    failures: usize,
    fatal: Option<anyhow::Error>,
    /// The database accepts changes.
    is_writable: bool,
    /// The reason for which the database refused changes of a key; with `None` of structures, which belong to no key.
    refused: HashMap<Option<KeyId>, String>,
    since_commit: Stopwatch,
    /// Bytes of the changes since the last commit.
    uncommitted_bytes: usize,
}

impl StoreThread<'_, '_> {
    /// Starts without a message.
    pub(crate) fn begin(&self) -> StoreProgress {
        StoreProgress {
            result: PullResult { keys: Vec::new(), stop: self.stop() },
            failures: 0,
            fatal: None,
            is_writable: true,
            refused: HashMap::new(),
            since_commit: Stopwatch::start(),
            uncommitted_bytes: 0,
        }
    }

    /// Takes messages until the sender is gone. `break_off` aborts running requests.
    pub(crate) fn write(
        &mut self,
        messages: &StoreReceiver,
        bytes: impl Fn() -> u64,
        break_off: impl Fn(),
    ) -> anyhow::Result<PullResult> {
        let mut written = self.begin();
        let _served = messages.serve();
        loop {
            match messages.receive(TICK) {
                Received::Messages(messages) => {
                    for message in messages {
                        self.take(Some(message), &mut written, &break_off);
                    }
                }
                Received::Nothing => self.take(None, &mut written, &break_off),
                Received::Ended => break,
            }
            self.show(&written, bytes());
        }
        self.finish(written)
    }

    /// Carries out a message, commits at intervals, and checks whether the run has to end.
    pub(crate) fn take(
        &mut self,
        message: Option<StoreMessage>,
        written: &mut StoreProgress,
        break_off: &impl Fn(),
    ) {
        let StoreProgress { result, failures, fatal, is_writable, refused, since_commit, uncommitted_bytes } =
            written;
        *uncommitted_bytes += message.as_ref().map_or(0, StoreMessage::bytes);
        let applied = match message {
            Some(StoreMessage::Changes(of, changes)) if *is_writable => self.store(of, &changes, refused),
            Some(StoreMessage::Ended(changes, mut keys)) if *is_writable => {
                *failures += keys.iter().map(|key| key.failures.len()).sum::<usize>();
                let stored = self.store_end(&changes, &mut keys, refused);
                result.keys.extend(keys);
                stored
            }
            Some(StoreMessage::Fatal(error)) => {
                fatal.get_or_insert(error);
                Ok(())
            }
            Some(_) | None => Ok(()),
        };
        let is_due = *uncommitted_bytes >= COMMIT_BYTES || since_commit.elapsed() >= COMMIT_EVERY;
        let committed = if is_due && *is_writable {
            (*since_commit, *uncommitted_bytes) = (Stopwatch::start(), 0);
            applied.and_then(|()| self.commit())
        } else {
            applied
        };
        if let Err(error) = committed {
            *is_writable = false;
            fatal.get_or_insert(error.into());
        }
        let stop = self.stop();
        let is_new = result.stop.is_none() && stop.is_some();
        result.stop = result.stop.or(stop);
        if is_new || fatal.is_some() {
            let was_stopped = self.stopped.swap(true, Ordering::Relaxed);
            if !was_stopped || is_new {
                break_off();
            }
        }
    }

    /// Carries out changes. If the database refuses one because of its value, the reason is noted.
    fn store(
        &mut self,
        of: Option<KeyId>,
        changes: &[Change],
        refused: &mut HashMap<Option<KeyId>, String>,
    ) -> Result<(), StoreError> {
        match self.writer.apply_all(changes) {
            Err(error) if error.is_of_one_value() => {
                refused.entry(of).or_insert(error.to_string());
                Ok(())
            }
            applied => applied,
        }
    }

    /// Carries out the decisions about keys that were pulled together. None is carried out if the database refuses a
    /// part of them, or refused counters on which they depend.
    fn store_end(
        &mut self,
        changes: &[Change],
        keys: &mut [KeyResult],
        refused: &HashMap<Option<KeyId>, String>,
    ) -> Result<(), StoreError> {
        let earlier = keys.iter().find_map(|key| refused.get(&Some(key.key)));
        let why = match earlier {
            Some(why) => why.clone(),
            None => match self.writer.apply_all(changes) {
                Err(error) if error.is_of_one_value() => error.to_string(),
                applied => return applied,
            },
        };
        for key in &mut *keys {
            let outcome = match refused.contains_key(&Some(key.key)) {
                true => KeyOutcome::Refused,
                false => KeyOutcome::NotStored,
            };
            key.refused(outcome, why.clone());
            // A structure that was refused earlier may be the reason, because counters refer to it.
            key.faults.extend(refused.get(&None).cloned());
        }
        // The next run tries again, even if the keys are not due.
        let unfinished: Vec<Change> = keys.iter().map(|key| Change::Unfinished(key.key)).collect();
        match self.writer.apply_all(&unfinished) {
            Err(error) if error.is_of_one_value() => Ok(()),
            applied => applied,
        }
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let has_changes = self.writer.has_changes();
        self.writer.commit()?;
        if has_changes {
            (self.after_commit)();
        }
        Ok(())
    }

    /// Returns the reason for which the run has to end now, if there is one.
    pub(crate) fn stop(&self) -> Option<StopReason> {
        StopReason::now(self.signals, self.deadline)
    }

    /// Shows the progress of the run.
    pub(crate) fn show(&self, written: &StoreProgress, bytes: u64) {
        self.progress.show(written.result.keys.len(), bytes, written.failures);
    }

    /// Commits and returns the result of the run.
    pub(crate) fn finish(&mut self, written: StoreProgress) -> anyhow::Result<PullResult> {
        // A run that failed commits, too, because all decisions until then are valid.
        let committed = self.commit();
        match written.fatal {
            Some(error) => Err(error),
            None => Ok(committed.map(|()| written.result)?),
        }
    }
}
