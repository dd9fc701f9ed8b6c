//! The clock. No other module reads it: functions get the time as an argument.

use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};

use crate::io::signals::Signals;

/// Returns the time.
#[must_use]
pub(crate) fn now() -> DateTime<Utc> {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is asked")]
    let system = SystemTime::now();
    from_system(system)
}

/// Converts a time of the system. `Utc::now` panics before 1970, as on a board whose clock has no battery.
fn from_system(time: SystemTime) -> DateTime<Utc> {
    time.into()
}

/// Measures the time since its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    #[must_use]
    pub(crate) fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is where the clock is asked")]
        Self(Instant::now())
    }

    /// Returns the time since the start.
    #[must_use]
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The time at which a run has to end, if it is limited.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadline(Option<(Stopwatch, Duration)>);

impl Deadline {
    /// No deadline.
    pub(crate) const NONE: Self = Self(None);

    /// Begins to count. There is no deadline without a limit.
    #[must_use]
    pub(crate) fn after(limit: Option<Duration>) -> Self {
        Self(limit.map(|limit| (Stopwatch::start(), limit)))
    }

    /// Returns a deadline that is later by this time, for which the run had to wait.
    #[must_use]
    pub(crate) fn put_off(self, by: Duration) -> Self {
        Self(self.0.map(|(since, limit)| (since, limit.saturating_add(by))))
    }

    /// Returns the deadline of a part that may take half of the time.
    #[must_use]
    pub(crate) fn half(self) -> Self {
        Self(self.0.map(|(since, limit)| (since, limit / 2)))
    }

    /// Returns the time left; `None` without a deadline.
    #[must_use]
    pub(crate) fn left(&self) -> Option<Duration> {
        self.0.map(|(since, limit)| limit.saturating_sub(since.elapsed()))
    }

    /// Tells whether no time is left.
    #[must_use]
    pub(crate) fn has_passed(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }
}

/// Waits, and returns early with a signal that came meanwhile.
#[must_use]
pub(crate) fn wait(time: Duration, signals: &Signals) -> Option<i32> {
    const STEP: Duration = Duration::from_millis(50);
    let watch = Stopwatch::start();
    while let Some(left) = time.checked_sub(watch.elapsed()).filter(|left| !left.is_zero()) {
        if let Some(signal) = signals.received() {
            return Some(signal);
        }
        #[expect(clippy::disallowed_methods, reason = "this is where waiting is done")]
        std::thread::sleep(left.min(STEP));
    }
    signals.received()
}

/// The longest wait for another run that is soon done.
pub(crate) const SHORT_WAIT: Duration = Duration::from_secs(10);
/// A short wait that takes longer is announced.
const ANNOUNCED_AFTER: Duration = Duration::from_secs(1);

/// The end of a short wait.
pub(crate) enum WaitOutcome<T> {
    Done(T),
    Signal(i32),
    InVain,
}

/// Tries until there is something, for [`SHORT_WAIT`] at most; calls `announce` once if that takes a while.
pub(crate) fn wait_shortly<T, E>(
    signals: &Signals,
    mut attempt: impl FnMut() -> Result<Option<T>, E>,
    announce: impl FnOnce(),
) -> Result<WaitOutcome<T>, E> {
    const PAUSE: Duration = Duration::from_millis(50);
    let since = Stopwatch::start();
    let mut announce = Some(announce);
    loop {
        if let Some(done) = attempt()? {
            return Ok(WaitOutcome::Done(done));
        }
        let waited = since.elapsed();
        if waited >= SHORT_WAIT {
            return Ok(WaitOutcome::InVain);
        }
        if let Some(announce) = announce.take_if(|_| waited >= ANNOUNCED_AFTER) {
            announce();
        }
        if let Some(signal) = wait(PAUSE, signals) {
            return Ok(WaitOutcome::Signal(signal));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_1970_is_read_as_it_is() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1500);
        assert_eq!(from_system(before).to_rfc3339(), "1969-12-31T23:59:58.500+00:00");
    }
}
