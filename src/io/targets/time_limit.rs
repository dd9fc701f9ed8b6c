//! Reading within a time limit, which also ends at a signal.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::SourceError;
use crate::fleet::targets::{TargetList, TargetsError};
use crate::io::clock::Stopwatch;
use crate::io::process::wait_for;
use crate::io::signals::Signals;

/// Interval in which reading checks whether this program was asked to stop.
pub(super) const STOP_CHECK: Duration = Duration::from_millis(50);

/// The time that reading a source may take.
pub(super) struct TimeLimit<'a> {
    since: Stopwatch,
    within: Option<Duration>,
    signals: &'a Signals,
}

impl<'a> TimeLimit<'a> {
    /// Begins to count. There is no limit without `within`.
    pub(super) fn new(within: Option<Duration>, signals: &'a Signals) -> Self {
        Self { since: Stopwatch::start(), within, signals }
    }

    /// Returns how long to wait now, at most `longest`. Fails where the time is over, or a signal came.
    pub(super) fn wait(&self, longest: Duration) -> io::Result<Duration> {
        if self.signals.received().is_some() {
            return Err(io::Error::other("a signal came"));
        }
        match self.within.map(|within| within.saturating_sub(self.since.elapsed())) {
            Some(left) if left.is_zero() => Err(io::ErrorKind::TimedOut.into()),
            Some(left) => Ok(left.min(longest)),
            None => Ok(longest),
        }
    }

    /// Returns the error of a source whose stream failed.
    pub(super) fn error_of(&self, error: io::Error) -> SourceError {
        match (self.within, error.kind()) {
            _ if self.signals.received().is_some() => SourceError::Stopped,
            (Some(within), io::ErrorKind::TimedOut) => SourceError::TimedOut(within),
            _ => SourceError::List(TargetsError::Io(error)),
        }
    }

    /// Returns a list, or the error of its source.
    pub(super) fn list(&self, read: Result<TargetList, TargetsError>) -> Result<TargetList, SourceError> {
        read.map_err(|error| match error {
            TargetsError::Io(error) => self.error_of(error),
            error => error.into(),
        })
    }
}

/// A file or pipe that is read within a time limit.
pub(super) struct TimedReader<'a, F> {
    file: F,
    time_limit: &'a TimeLimit<'a>,
}

impl<'a, F: AsFd> TimedReader<'a, F> {
    pub(super) fn new(file: F, time_limit: &'a TimeLimit<'a>) -> Self {
        Self { file, time_limit }
    }
}

impl<F: AsFd> Read for TimedReader<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let wait = self.time_limit.wait(STOP_CHECK)?;
            let mut polled = [PollFd::new(&self.file, PollFlags::IN)];
            wait_for(&mut polled, wait)?;
            if polled[0].revents().is_empty() {
                continue;
            }
            match rustix::io::read(&self.file, &mut *buffer).map_err(io::Error::from) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}
