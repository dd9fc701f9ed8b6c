//! The options of a gate.

use std::time::Duration;

use clap::Args;

use crate::commands::warn;
use crate::config::parse_age;
use crate::coverage::Threshold;
use crate::gate::{Gate, doubt};

/// The requirements of a gate. The exit code is 5 if one is not met.
#[derive(Args, Debug)]
pub(crate) struct GateArgs {
    /// Fail if the percentage of all statements is lower; the exact value counts, not the rounded one.
    #[arg(long, value_name = "PERCENT")]
    fail_under: Option<Threshold>,

    /// Fail if the last pull with an answer is longer ago.
    #[arg(long, value_name = "DURATION", value_parser = parse_age)]
    max_age: Option<Duration>,

    /// Fail if fewer replicas answered at the last pull.
    #[arg(long, value_name = "N")]
    min_replicas: Option<u32>,
}

impl GateArgs {
    pub(crate) fn gate(&self) -> Gate {
        let Self { fail_under, max_age, min_replicas } = *self;
        Gate { fail_under, max_age, min_replicas }
    }

    /// Prints a warning about a threshold that was probably meant as a share.
    pub(crate) fn tell_doubts(&self) {
        self.fail_under.and_then(|threshold| doubt("--fail-under", threshold)).into_iter().for_each(warn);
    }
}
