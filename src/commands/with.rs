//! The option that counts the profiles of other runs, such as unit tests, together with a stored one.

use std::ffi::OsString;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::commands::Context;
use crate::exit::EarlyEnd;
use crate::gate::{Requirement, Verdict};
use crate::io::workdir::exists_outside;
use crate::names::in_message;
use crate::profile::{Limits, Profile};
use crate::source::{ProfileRefused, WithProfile};
use crate::together::{ArgumentError, TogetherCoverage, WithArgument, repeated_label};

/// The option `--with`.
#[derive(Args, Debug)]
pub(crate) struct WithArgs {
    /// Count also what another run of the same commit executed, such as unit tests: PATH is a profile of go test
    /// -coverprofile, or a folder of GOCOVERDIR. LABEL names it [default: its file name]. With --carry, REV may be another
    /// commit, at which that run was. May be given several times.
    #[arg(long, value_name = "PATH[=LABEL][@REV]", value_hint = clap::ValueHint::AnyPath)]
    with: Vec<OsString>,
}

impl WithArgs {
    pub(crate) fn is_given(&self) -> bool {
        !self.with.is_empty()
    }

    /// Returns the options as they are given, each after a space.
    pub(crate) fn shown(&self) -> String {
        let shown = |value: &OsString| format!(" --with {}", in_message(&value.to_string_lossy()));
        self.with.iter().map(shown).collect()
    }

    /// Reads the profiles that are to count together with that of a service.
    pub(crate) fn read(&self, service: &Profile, context: &Context) -> Result<Vec<WithProfile>> {
        let parsed = self.with.iter().map(|value| WithArgument::parse(value, exists_outside));
        let arguments = parsed.collect::<Result<Vec<_>, ArgumentError>>().map_err(|error| match error {
            ArgumentError::EmptyPart { .. } => EarlyEnd::Refused(error.to_string()).into(),
            ArgumentError::NothingThere(_) => anyhow::Error::new(error),
        })?;
        if let Some(label) = repeated_label(&arguments) {
            bail!(EarlyEnd::Refused(format!(
                "two profiles have the label \"{}\"; give each its own: --with PATH=LABEL",
                in_message(label)
            )));
        }
        let pull = &context.config.pull;
        let limits = Limits {
            max_bytes: pull.max_body_bytes,
            max_files: pull.max_files,
            max_blocks: pull.max_blocks,
            ..Limits::default()
        };
        WithProfile::read_all(&arguments, service, limits, &pull.agent_files)
    }
}

/// Returns the error with the exit code of a value that can never be used, if a profile was refused.
pub(crate) fn refusal(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<ProfileRefused>() {
        Ok(refused) => EarlyEnd::Refused(refused.to_string()).into(),
        Err(error) => error,
    }
}

/// Says in each verdict about coverage that other runs count.
pub(crate) fn name_with(verdicts: &mut [Verdict], together: &TogetherCoverage) {
    let labels = together.labels();
    for Verdict { gate, message, .. } in verdicts {
        if gate.is_of_coverage() || *gate == Requirement::FailOnUnmeasured {
            message.push_str(", together with ");
            message.push_str(&labels);
        }
    }
}

/// Adds to the form for scripts the parts of the other runs, and what the service executed alone; null without `--with`.
pub(crate) fn add_with(object: &mut Value, together: Option<&TogetherCoverage>) {
    if let Some(together) = together {
        object["fresh"] = json!(together.alone_percent());
    }
    object["with"] = json!(together.map(TogetherCoverage::json));
}
