//! The times of lives and of this machine's clock, and which of them cannot be trusted.

use chrono::{DateTime, TimeDelta, Utc};

use super::placing::SnapshotCounts;

/// The largest expected difference between the clocks of two hosts.
pub(super) const SLACK: TimeDelta = TimeDelta::seconds(60);
/// The longest time between two runs of a timer. A wrong clock may have gone on for this time after the last run that
/// saw it.
const RUNS_APART: TimeDelta = TimeDelta::hours(4);
/// The longest time for which a snapshot that was written before a clock went back waits in an inbox.
const LONGEST_WAIT: TimeDelta = TimeDelta::days(7);

/// A stored life with the address and build of the snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LifeTimes {
    /// Time at which it was first seen.
    pub opened_at: DateTime<Utc>,
    /// Time at which its counters were read.
    pub pulled_at: DateTime<Utc>,
    /// Time at which it was found to have ended; `None` while it goes on.
    pub closed_at: Option<DateTime<Utc>>,
    /// The clock of this machine went back after it was first stored, so its times may be later than the true ones.
    pub is_from_before_jump: bool,
    /// The counts may belong to several processes of this address, which may have lives of their own, too.
    pub is_mixture: bool,
}

/// A jump of this machine's clock back to an earlier time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockJump {
    /// The first time seen after the jump.
    pub to: DateTime<Utc>,
    /// The latest time that the clock may have shown before the jump.
    pub from: DateTime<Utc>,
}

impl ClockJump {
    /// Returns the jump between two runs, of which the later one began at `now`; `None` when the clock did not go back,
    /// or by no more than half of [`SLACK`]. The other half is left for the clock of the other host.
    #[must_use]
    pub(crate) fn between(last_run: DateTime<Utc>, now: DateTime<Utc>) -> Option<Self> {
        (last_run > now + SLACK / 2).then_some(Self { to: now, from: last_run + RUNS_APART })
    }
}

/// The times that cannot be trusted, because a clock went back.
#[derive(Clone, Debug)]
pub(crate) struct ClockDoubt {
    now: DateTime<Utc>,
    jumps: Vec<ClockJump>,
}

impl ClockDoubt {
    /// Doubts times in the future, and for [`LONGEST_WAIT`] after a jump the times that this machine's clock showed
    /// twice.
    #[must_use]
    pub(crate) fn new(now: DateTime<Utc>, jumps: Vec<ClockJump>) -> Self {
        Self { now, jumps }
    }

    /// Returns a time that another clock told, limited to now.
    pub(super) fn limited(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        time.min(self.now)
    }

    fn concerns(&self, time: DateTime<Utc>) -> bool {
        let was_shown_twice = |jump: &ClockJump| {
            jump.to - SLACK <= time && time <= jump.from + SLACK && self.now <= jump.to + LONGEST_WAIT
        };
        time > self.now + SLACK || self.jumps.iter().any(was_shown_twice)
    }

    pub(super) fn concerns_life(&self, life: &LifeTimes) -> bool {
        life.is_from_before_jump
            || [life.opened_at, life.pulled_at]
                .into_iter()
                .chain(life.closed_at)
                .any(|time| self.concerns(time))
    }

    /// Tells whether an answer that goes on with the open life may also go on with a closed one of these lives.
    #[must_use]
    pub(crate) fn concerns_closed(&self, mut lives: impl Iterator<Item = LifeTimes>) -> bool {
        lives.any(|life| life.closed_at.is_some() && !life.is_mixture && self.concerns_life(&life))
    }

    /// Tells whether a time of the snapshot or of these lives is in doubt, so that only counters decide.
    #[must_use]
    pub(crate) fn concerns_any(&self, capture: &SnapshotCounts<'_>, lives: &[LifeTimes]) -> bool {
        [capture.captured_at].into_iter().chain(capture.started_at).any(|time| self.concerns(time))
            || lives.iter().any(|life| !life.is_mixture && self.concerns_life(life))
    }

    /// Tells whether a life was read after a mixture last grew, so that the mixture has none of its later counts.
    #[must_use]
    pub(crate) fn is_read_after(&self, life: &LifeTimes, mixture: &LifeTimes) -> bool {
        let is_later = mixture.closed_at.is_some_and(|grew_at| life.pulled_at > grew_at + SLACK);
        is_later && !self.concerns_life(life) && !self.concerns_life(mixture)
    }
}
