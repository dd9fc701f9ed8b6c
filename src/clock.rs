//! The clock, asked here alone: everything else gets the time as an argument.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::signals::Signals;

/// Returns the time.
#[must_use]
pub fn now() -> DateTime<Utc> {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is asked")]
    Utc::now()
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    #[must_use]
    pub fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is where the clock is asked")]
        Self(Instant::now())
    }

    /// Returns the time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Waits, and returns early with the signal that came meanwhile.
#[must_use]
pub fn wait(how_long: Duration, signals: &Signals) -> Option<i32> {
    const STEP: Duration = Duration::from_millis(50);
    let watch = Stopwatch::start();
    while let Some(left) = how_long.checked_sub(watch.elapsed()).filter(|left| !left.is_zero()) {
        if let Some(signal) = signals.received() {
            return Some(signal);
        }
        #[expect(clippy::disallowed_methods, reason = "this is where waiting is done")]
        std::thread::sleep(left.min(STEP));
    }
    signals.received()
}
