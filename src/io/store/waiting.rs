//! Waiting while another program keeps the database locked.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long is waited; nobody asked for that, so it is not long.
pub(super) const LONGEST: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(25);
/// When it is said that something is waited for.
const SAID_AFTER: Duration = Duration::from_secs(1);

/// Says that a file is waited for. One for the process, as the place where it is said is.
static NOTICE: OnceLock<fn(&Path)> = OnceLock::new();
static IS_SAID: AtomicBool = AtomicBool::new(false);

/// Settles, once, how it is said that the database is waited for.
pub(crate) fn tell_waits(notice: fn(&Path)) {
    let _ = NOTICE.set(notice);
}

/// The next step of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Wait,
    SayAndWait,
    GiveUp,
}

impl Step {
    /// Decides after so many pauses.
    fn after(pauses: u32) -> Self {
        match PAUSE * pauses {
            waited if waited >= LONGEST => Self::GiveUp,
            waited if waited >= SAID_AFTER && waited < SAID_AFTER + PAUSE => Self::SayAndWait,
            _ => Self::Wait,
        }
    }
}

/// Waits a moment, and tells whether to try again.
pub(super) fn wait(attempt: i32, path: &Path) -> bool {
    let step = Step::after(u32::try_from(attempt).unwrap_or(u32::MAX));
    if step == Step::GiveUp {
        return false;
    }
    // Each thread has a connection of its own, and all of them wait for the same.
    if step == Step::SayAndWait
        && !IS_SAID.swap(true, Ordering::Relaxed)
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
    fn it_is_said_once_after_a_second_and_given_up_after_ten() {
        let steps: Vec<Step> = (0..500).map(Step::after).collect();
        let said: Vec<usize> = (0..500).filter(|at| steps[*at] == Step::SayAndWait).collect();
        assert_eq!(said, [40], "25 ms each");
        assert_eq!(steps.iter().position(|step| *step == Step::GiveUp), Some(400));
        assert!(steps[400..].iter().all(|step| *step == Step::GiveUp));
        assert_eq!(Step::after(u32::MAX), Step::GiveUp);
    }
}
