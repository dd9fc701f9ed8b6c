//! The waits between pulls of a service, and before an address that failed is tried again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use humantime::format_duration;

const MINUTE: u64 = 60;
/// The longest accepted wait, a leap year. No sum of times overflows with it.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(366 * 24 * 60 * MINUTE);

/// The waits between pulls of a service while nothing changes; the last one repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PullWaits(Vec<Duration>);

/// The waits before an address that failed is tried again; the last one repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RetryWaits(Vec<Duration>);

/// The waits before a pull.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits<'a> {
    pub(crate) steps: &'a PullWaits,
    pub(crate) retry: &'a RetryWaits,
}

/// The reason for which a list of waits makes no [`PullWaits`] and no [`RetryWaits`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WaitsError {
    /// The list is empty.
    #[error("expected at least one duration, such as [\"15m\", \"60m\"]")]
    Empty,
    /// A wait is zero or over [`LONGEST_WAIT`].
    #[error("\"{}\" is out of range, expected more than 0s and at most 366days", format_duration(*.0))]
    OutOfRange(Duration),
    /// A wait is not longer than the one before it.
    #[error(
        "\"{}\" after \"{}\", expected each to be longer than the one before",
        format_duration(*.next), format_duration(*.before)
    )]
    NotAscending {
        /// The wait before it.
        before: Duration,
        /// The wait that is not longer.
        next: Duration,
    },
}

impl PullWaits {
    /// Accepts one or more waits above zero in ascending order.
    pub(crate) fn new(waits: Vec<Duration>) -> Result<PullWaits, WaitsError> {
        ascending(waits).map(PullWaits)
    }

    /// Returns the wait of `step`; beyond the last step it is the last wait.
    #[must_use]
    pub(crate) fn wait(&self, step: usize) -> Duration {
        wait(&self.0, step)
    }

    /// Returns the time before which the last pull of a service was too long ago. After twice the longest wait without an
    /// answer no timer runs, or none of its pulls succeeds.
    #[must_use]
    pub(crate) fn overdue_before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let longest = self.wait(usize::MAX).saturating_mul(2);
        now.checked_sub_signed(delta(longest)).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// Returns the step after this one; the last one repeats.
    pub(super) fn after(&self, step: usize) -> usize {
        (step + 1).min(self.0.len() - 1)
    }
}

/// 15 minutes, 1, 2 and 4 hours.
impl Default for PullWaits {
    fn default() -> Self {
        PullWaits([15, 60, 120, 240].map(|minutes| Duration::from_secs(minutes * MINUTE)).to_vec())
    }
}

impl RetryWaits {
    /// Accepts one or more waits above zero in ascending order.
    pub(crate) fn new(waits: Vec<Duration>) -> Result<RetryWaits, WaitsError> {
        ascending(waits).map(RetryWaits)
    }

    /// Returns the wait after this number of failures in a row; beyond the last wait it is the last one.
    #[must_use]
    pub(crate) fn wait(&self, failures: u32) -> Duration {
        wait(&self.0, usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX))
    }
}

/// 1, 5, 15 and 60 minutes.
impl Default for RetryWaits {
    fn default() -> Self {
        RetryWaits([1, 5, 15, 60].map(|minutes| Duration::from_secs(minutes * MINUTE)).to_vec())
    }
}

fn ascending(waits: Vec<Duration>) -> Result<Vec<Duration>, WaitsError> {
    if waits.is_empty() {
        return Err(WaitsError::Empty);
    }
    if let Some(wait) = waits.iter().find(|wait| wait.is_zero() || **wait > LONGEST_WAIT) {
        return Err(WaitsError::OutOfRange(*wait));
    }
    match waits.windows(2).find(|pair| pair[1] <= pair[0]) {
        Some(pair) => Err(WaitsError::NotAscending { before: pair[0], next: pair[1] }),
        None => Ok(waits),
    }
}

fn wait(waits: &[Duration], at: usize) -> Duration {
    waits[at.min(waits.len() - 1)]
}

/// Returns a wait as a difference of times.
pub(super) fn delta(duration: Duration) -> TimeDelta {
    // Every wait is at most LONGEST_WAIT, which fits.
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn waits_are_some_and_ascending_and_above_zero() {
        let message = |waits: &[u64]| {
            let waits = waits.iter().map(|wait| secs(*wait)).collect();
            PullWaits::new(waits).unwrap_err().to_string()
        };
        assert_eq!(message(&[]), r#"expected at least one duration, such as ["15m", "60m"]"#);
        assert_eq!(message(&[0]), r#""0s" is out of range, expected more than 0s and at most 366days"#);
        assert_eq!(
            message(&[60, 900, 300]),
            r#""5m" after "15m", expected each to be longer than the one before"#
        );
        assert_eq!(
            RetryWaits::new(vec![secs(1), secs(1)]).unwrap_err(),
            WaitsError::NotAscending { before: secs(1), next: secs(1) }
        );
        assert!(PullWaits::new(vec![LONGEST_WAIT]).is_ok());
        assert!(PullWaits::new(vec![LONGEST_WAIT + secs(1)]).is_err());
    }
}
