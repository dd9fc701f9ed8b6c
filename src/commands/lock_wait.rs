//! The wait for locks. One run at a time works in a root, and other runs end unless they may wait.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use humantime::format_duration;

use crate::commands::Context;
use crate::exit::EarlyEnd;
use crate::io::clock::{self, SHORT_WAIT, Stopwatch, WaitOutcome};
use crate::io::signals::Signals;
use crate::io::workdir::{LockedWorkdir, ReadersLock, WorkdirError};

/// The value of `--wait` without a duration, which is longer than anybody waits.
pub(crate) const FOREVER: &str = "100years";

/// Prevents sweeps, so that stored files stay while they are read.
pub(crate) fn hold_off_sweeping(signals: &Signals, context: &Context) -> Result<ReadersLock> {
    let attempt = || match context.workdir.lock_for_reading() {
        Err(WorkdirError::Busy { .. }) => Ok(None),
        reading => reading.map(Some),
    };
    let path = context.workdir.readers();
    let path = path.display();
    let announce = || tell_short_wait(&format!("{path}: prune is removing files"), context);
    match clock::wait_shortly(signals, attempt, announce)? {
        WaitOutcome::Done(reading) => Ok(reading),
        WaitOutcome::Signal(signal) => Err(EarlyEnd::Signal(signal).into()),
        WaitOutcome::InVain => {
            let wait = format_duration(SHORT_WAIT);
            let message = format!("{path}: another run holds the lock, even after waiting {wait}");
            Err(EarlyEnd::Busy(message).into())
        }
    }
}

/// Tells why a run waits for another that is soon done.
pub(crate) fn tell_short_wait(why: &str, context: &Context) {
    context.tell(format_args!("{why}; waiting up to {}", format_duration(SHORT_WAIT)));
}

/// The total time for which a run waits while others hold the lock.
pub(crate) struct LockWait {
    /// The longest wait; `None` for a run that does not wait.
    longest: Option<Duration>,
    since: Stopwatch,
}

/// The locked work directory, and whether this run waited for the lock.
pub(crate) struct AcquiredLock {
    pub(crate) locked: LockedWorkdir,
    has_waited: bool,
}

impl AcquiredLock {
    /// Returns the context of the run, which begins now if it waited. With the earlier start, data that another run
    /// stored meanwhile would seem to be newer than this run.
    pub(crate) fn begin(&self, context: &Context) -> Context {
        if self.has_waited { context.begun_at(clock::now()) } else { context.clone() }
    }
}

impl LockWait {
    /// Begins to count the wait.
    pub(crate) fn new(longest: Option<Duration>) -> Self {
        Self { longest, since: Stopwatch::start() }
    }

    /// Tells whether the run may wait.
    pub(crate) fn is_any(&self) -> bool {
        self.longest.is_some()
    }

    /// Returns the time left; `None` when it is over.
    fn left(&self) -> Option<Duration> {
        self.longest?.checked_sub(self.since.elapsed()).filter(|left| !left.is_zero())
    }

    /// Takes the lock; fails with [`EarlyEnd`] when the time is over or a signal came.
    pub(crate) fn take(&self, signals: &Signals, context: &Context) -> Result<AcquiredLock> {
        const FIRST_PAUSE: Duration = Duration::from_millis(20);
        const LONGEST_PAUSE: Duration = Duration::from_secs(2);
        let mut pause = FIRST_PAUSE;
        loop {
            let has_waited = pause > FIRST_PAUSE;
            let busy = match context.workdir.lock() {
                Err(busy @ WorkdirError::Busy { .. }) => busy,
                locked => return Ok(AcquiredLock { locked: locked?, has_waited }),
            };
            let Some(left) = self.left() else {
                let advice = if self.longest.is_none() { " (--wait waits for it)" } else { "" };
                return Err(EarlyEnd::Busy(format!("{busy}{self}; nothing was changed{advice}")).into());
            };
            if !has_waited {
                context.explain(format_args!("{busy}; waiting"));
            }
            // The pause is random, so that several waiting runs do not try at the same moment.
            if let Some(signal) = clock::wait(pause.mul_f64(0.5 + fastrand::f64() / 2.0).min(left), signals) {
                return Err(EarlyEnd::Signal(signal).into());
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// The clause of a message about the wait.
impl fmt::Display for LockWait {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.longest {
            Some(longest) => write!(out, ", even after waiting {}", format_duration(longest)),
            None => Ok(()),
        }
    }
}
