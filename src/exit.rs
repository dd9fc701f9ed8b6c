//! The exit codes of the program, and the errors that carry one.

use std::process;

/// The exit codes, which the man page lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Everything was done.
    Done,
    /// The operation failed.
    Failed,
    /// The command line was wrong.
    Usage,
    /// Some targets failed; the rest is stored.
    Partly,
    /// Another run holds the lock.
    Busy,
    /// A required threshold is not met.
    BelowThreshold,
    /// SIGINT ended the run.
    Interrupted,
    /// SIGTERM ended the run.
    Terminated,
}

impl ExitCode {
    /// All codes, each with its line in the man page.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Usage, "the command line is wrong"),
        (Self::Partly, "partly done: some targets failed, the rest is stored"),
        (
            Self::Busy,
            "busy: another run holds the lock on the work directory, or on a site; or another program kept the database locked for 10 seconds",
        ),
        (
            Self::BelowThreshold,
            "a gate is not met: something is below a required threshold, or changes are not as required",
        ),
        (Self::Interrupted, "ended by SIGINT (Ctrl-C)"),
        (Self::Terminated, "ended by SIGTERM"),
    ];

    /// Returns the number that the process ends with.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partly => 3,
            Self::Busy => 4,
            Self::BelowThreshold => 5,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// Returns the code of a process that a signal ended.
    #[must_use]
    pub fn from_signal(signal: i32) -> Self {
        if signal == signal_hook::consts::SIGINT { Self::Interrupted } else { Self::Terminated }
    }

    /// Returns the code that is used if two apply: failed before below a threshold before partly done.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let rank = |code| match code {
            Self::Interrupted | Self::Terminated => 0,
            Self::Usage => 1,
            Self::Busy => 2,
            Self::Failed => 3,
            Self::BelowThreshold => 4,
            Self::Partly => 5,
            Self::Done => 6,
        };
        if rank(other) < rank(self) { other } else { self }
    }
}

/// An early end of a command, with an exit code of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EarlyEnd {
    /// The command line is incomplete, although the parser accepts it.
    #[error("{0}")]
    Usage(&'static str),
    /// A value of the command line that can never be used, or something that the owner or the mode of the configuration
    /// forbids.
    #[error("{0}")]
    Refused(String),
    /// Another run holds a lock.
    #[error("{0}")]
    Busy(String),
    /// A signal came.
    #[error("ended by signal {0}")]
    Signal(i32),
}

impl EarlyEnd {
    /// Returns the code that the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Refused(_) => ExitCode::Usage,
            Self::Busy(_) => ExitCode::Busy,
            Self::Signal(signal) => ExitCode::from_signal(*signal),
        }
    }
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.number().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_man_page() {
        assert_eq!(ExitCode::ALL.map(|(code, _)| code.number()), [0, 1, 2, 3, 4, 5, 130, 143]);
    }

    #[test]
    fn where_several_apply_the_worst_counts() {
        use ExitCode::{BelowThreshold, Done, Failed, Partly};
        assert_eq!(Done.or(Partly), Partly);
        assert_eq!(Partly.or(BelowThreshold), BelowThreshold);
        assert_eq!(BelowThreshold.or(Partly), BelowThreshold);
        assert_eq!(BelowThreshold.or(Failed), Failed);
        assert_eq!(Done.or(Done), Done);
    }
}
