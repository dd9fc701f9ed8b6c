//! The options of a gate.

use std::time::Duration;

use clap::Args;

use crate::config::parse_duration;
use crate::coverage::Threshold;
use crate::gate::Gate;

/// The requirements of a gate. The exit code is 5 if one is not met.
#[derive(Args, Debug)]
pub(crate) struct GateArgs {
    /// Fail if the percentage of all statements is lower; the exact value counts, not the rounded one.
    #[arg(long, value_name = "PERCENT")]
    fail_under: Option<Threshold>,

    /// Fail if the last pull with an answer is longer ago.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
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
}
