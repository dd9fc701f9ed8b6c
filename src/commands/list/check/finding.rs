//! Findings of a check, and the exit code that follows from them.

use serde::Serialize;

use crate::exit::ExitCode;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FindingLevel {
    Ok,
    /// `pull` works, but a person should know of this.
    Warning,
    /// `pull` cannot work.
    Failed,
    /// `pull` would end with some targets that failed.
    TargetsFailed,
}

impl FindingLevel {
    /// Returns the word in the text form.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed | Self::TargetsFailed => "failed",
        }
    }
}

/// A finding about one part of a set-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SetupFinding {
    /// The part, a word of lower case.
    pub(super) check: &'static str,
    pub(super) level: FindingLevel,
    pub(super) message: String,
    /// A clause that tells what to do; `None` if there is nothing to do.
    pub(super) next_step: Option<String>,
}

impl SetupFinding {
    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::without_step(check, FindingLevel::Ok, message)
    }

    /// Makes a finding without a next step: nothing has to be done, or the message says it.
    pub(super) fn without_step(check: &'static str, level: FindingLevel, message: impl Into<String>) -> Self {
        Self { check, level, message: message.into(), next_step: None }
    }

    /// Makes a finding about a part that is not in order.
    pub(super) fn new(
        check: &'static str,
        level: FindingLevel,
        message: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self { check, level, message: message.into(), next_step: Some(next_step.into()) }
    }

    /// Returns message and next step as one text.
    pub(super) fn text(&self) -> String {
        match &self.next_step {
            Some(step) => format!("{}; {step}", self.message),
            None => self.message.clone(),
        }
    }
}

/// Returns the exit code: 1 if `pull` cannot work, else 3 if targets fail, else 0.
pub(super) fn exit_code(findings: &[SetupFinding]) -> ExitCode {
    let code = |finding: &SetupFinding| match finding.level {
        FindingLevel::Ok | FindingLevel::Warning => ExitCode::Done,
        FindingLevel::Failed => ExitCode::Failed,
        FindingLevel::TargetsFailed => ExitCode::Partly,
    };
    findings.iter().map(code).fold(ExitCode::Done, ExitCode::or)
}
