//! The schedule of the probes of removed addresses after a `prune`.

use std::time::Duration;

/// The next step for an address that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchStep {
    /// The next probe is not due yet.
    Wait,
    /// A probe is due.
    Probe,
    /// All probes were made.
    End,
}

impl WatchStep {
    /// Decides by the number of probes made and the time since the removal. `recheck` has the time of each probe,
    /// counted from the removal.
    pub(crate) fn new(probes: usize, since_removal: Duration, recheck: &[Duration]) -> Self {
        match recheck.get(probes) {
            None => Self::End,
            Some(after) if since_removal >= *after => Self::Probe,
            Some(_) => Self::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(probes: usize, seconds: u64, recheck: &[u64]) -> WatchStep {
        let recheck: Vec<Duration> = recheck.iter().map(|&seconds| Duration::from_secs(seconds)).collect();
        WatchStep::new(probes, Duration::from_secs(seconds), &recheck)
    }

    #[test]
    fn each_probe_is_due_at_its_own_time_after_the_removal() {
        use WatchStep::{End, Probe, Wait};
        for (probes, seconds, expected) in [
            (0, 0, Probe),
            (1, 0, Wait),
            (1, 4, Wait),
            (1, 5, Probe),
            (2, 29, Wait),
            (2, 30, Probe),
            (2, 600, Probe),
            (3, 30, End),
        ] {
            assert_eq!(step(probes, seconds, &[0, 5, 30]), expected, "{probes} {seconds}");
        }
    }

    #[test]
    fn the_watch_ends_at_once_where_no_probe_is_wanted() {
        assert_eq!(step(0, 0, &[]), WatchStep::End);
    }
}
