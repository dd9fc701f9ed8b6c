//! The options of a gate.

use std::time::Duration;

use clap::Args;

use crate::config::parse_duration;
use crate::coverage::Threshold;
use crate::gate::Gate;

/// Requirements; one that is not met ends with exit code 5.
#[derive(Args, Debug)]
pub(crate) struct GateArgs {
    /// Fail below this percentage of all statements; exact, not rounded.
    #[arg(long, value_name = "PERCENT")]
    fail_under: Option<Threshold>,

    /// Fail when the last pull that got an answer is longer ago.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    max_age: Option<Duration>,

    /// Fail when fewer replicas answered at the last pull.
    #[arg(long, value_name = "N")]
    min_replicas: Option<u32>,
}

impl GateArgs {
    /// Returns the requirements.
    pub(crate) fn gate(&self) -> Gate {
        let Self { fail_under, max_age, min_replicas } = *self;
        Gate { fail_under, max_age, min_replicas }
    }
}
