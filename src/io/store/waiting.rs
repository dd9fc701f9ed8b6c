//! The wait while another program keeps the database locked.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest wait. No option sets it, so it is short.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(25);
/// Time after which the user is told of the wait.
const NOTICE_AFTER: Duration = Duration::from_secs(1);

/// The function that tells the user which file is locked. It is static, because SQLite's callback has no context.
static NOTICE: OnceLock<fn(&Path)> = OnceLock::new();
static IS_NOTIFIED: AtomicBool = AtomicBool::new(false);

/// Sets the function that tells the user that the database is locked. Only the first call has an effect.
pub(crate) fn tell_waits(notice: fn(&Path)) {
    let _ = NOTICE.set(notice);
}

/// The mark that this run does not wait.
static IS_HASTY: AtomicBool = AtomicBool::new(false);

/// Has each wait of this run fail at once: a person who types a command line waits for nothing.
pub(crate) fn never_wait() {
    IS_HASTY.store(true, Ordering::Relaxed);
}

/// The next step of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaitStep {
    Wait,
    NotifyAndWait,
    GiveUp,
}

impl WaitStep {
    /// Returns the step after this number of pauses.
    fn after(pauses: u32) -> Self {
        match PAUSE * pauses {
            waited if waited >= MAX_WAIT => Self::GiveUp,
            waited if waited >= NOTICE_AFTER && waited < NOTICE_AFTER + PAUSE => Self::NotifyAndWait,
            _ => Self::Wait,
        }
    }
}

/// Waits a moment; tells whether to try again.
pub(super) fn wait(attempt: i32, path: &Path) -> bool {
    let step = WaitStep::after(u32::try_from(attempt).unwrap_or(u32::MAX));
    if step == WaitStep::GiveUp || IS_HASTY.load(Ordering::Relaxed) {
        return false;
    }
    // Several threads may wait for the same lock, each with its own connection; one notice is enough.
    if step == WaitStep::NotifyAndWait
        && !IS_NOTIFIED.swap(true, Ordering::Relaxed)
        && let Some(notice) = NOTICE.get()
    {
        notice(path);
    }
    #[expect(clippy::disallowed_methods, reason = "SQLite waits by this call")]
    std::thread::sleep(PAUSE);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_notified_once_after_a_second_and_ends_after_ten() {
        let steps: Vec<WaitStep> = (0..500).map(WaitStep::after).collect();
        let notified: Vec<usize> = (0..500).filter(|at| steps[*at] == WaitStep::NotifyAndWait).collect();
        assert_eq!(notified, [40], "25 ms each");
        assert_eq!(steps.iter().position(|step| *step == WaitStep::GiveUp), Some(400));
        assert!(steps[400..].iter().all(|step| *step == WaitStep::GiveUp));
        assert_eq!(WaitStep::after(u32::MAX), WaitStep::GiveUp);
    }
}
