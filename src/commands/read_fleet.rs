//! The fleet of a command that stores nothing.

use std::time::Duration;

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};

use super::Context;
use crate::collect::fleet::{FleetSource, GivenSource, ask_known_first, read_sources};
use crate::exit::EarlyEnd;
use crate::fleet::assembly::Answers;
use crate::fleet::services::Fleet;
use crate::io::center::Client;
use crate::io::signals::Signals;
use crate::io::store::{Numbering, Store};
use crate::io::targets::SourceBounds;

/// The centers and sources that a run asked, by URL and by name.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) centers: Vec<String>,
    pub(super) sources: Vec<String>,
}

impl Asked {
    pub(super) fn is_nobody(&self) -> bool {
        self.centers.is_empty() && self.sources.is_empty()
    }
}

/// The means by which centers and sources of targets are asked.
pub(super) struct Asking<'a> {
    pub(super) client: &'a Client,
    pub(super) sources: Vec<GivenSource>,
    pub(super) bounds: SourceBounds<'a>,
    /// The time that the centers have together.
    pub(super) time_left: Option<Duration>,
}

/// An assembled fleet.
pub(super) struct ReadFleet {
    pub(super) fleet: Fleet,
    pub(super) asked: Asked,
    pub(super) numbering: Numbering,
    /// The time at which a pull last read the list of a source of targets.
    pub(super) targets_read_at: Option<DateTime<Utc>>,
}

/// Assembles the fleet from the last lists, or from new ones where somebody is to be asked.
pub(super) fn read_fleet(
    asking: Option<Asking<'_>>,
    store: Option<&Store>,
    context: &Context,
) -> Result<ReadFleet> {
    let signals = asking.as_ref().map(|asking| asking.bounds.signals);
    let source = FleetSource { store, naming: &context.config.naming, now: context.now() };
    let mut asked = Asked::default();
    let mut targets_read_at = None;
    let read_at = &mut targets_read_at;
    let (fleet, numbering) = source.assemble(|known| {
        *read_at = known.sources.values().filter_map(|source| source.last_listed_at).max();
        match asking {
            Some(Asking { client, sources, bounds, time_left })
                if !(context.centers.is_empty() && sources.is_empty()) =>
            {
                let sources = read_sources(sources, bounds);
                let centers = ask_known_first(client, &context.centers, known, || time_left);
                asked.centers.extend(centers.iter().map(|answer| answer.url.clone()));
                asked.sources.extend(sources.iter().map(|answer| answer.name.clone()));
                Answers { centers, sources }
            }
            _ => known.without_asking(),
        }
    })?;
    match signals.and_then(Signals::received) {
        Some(signal) => bail!(EarlyEnd::Signal(signal)),
        None => Ok(ReadFleet { fleet, asked, numbering, targets_read_at }),
    }
}
