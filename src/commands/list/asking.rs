//! The requests of a list to centers and sources of targets, and the messages about them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};

use super::{ListArgs, ListFormat, metrics};
use crate::address::shown_url;
use crate::collect::fleet::GivenSource;
use crate::commands::notices::tell_cut_lists;
use crate::commands::read_fleet::{Asked, Asking, ReadFleet, read_fleet};
use crate::commands::targets::tell_sources;
use crate::commands::{Context, show, valid_center, warn};
use crate::fleet::records::AddressState;
use crate::fleet::services::{Fleet, UnaskedCenter};
use crate::io::center::{Client, RequestOptions};
use crate::io::clock::Deadline;
use crate::io::signals::Signals;
use crate::io::store::Store;
use crate::io::targets::SourceBounds;
use crate::names::in_message;

/// Whether each center and each source of targets that was asked has answered.
pub(super) struct Up {
    pub(super) centers: BTreeMap<String, bool>,
    pub(super) sources: BTreeMap<String, bool>,
}

impl Up {
    pub(super) fn new(fleet: &Fleet, asked: &Asked) -> Self {
        let has_list = |name: &String| fleet.failed_sources.iter().all(|failed| failed.name != *name);
        let sources = asked.sources.iter().map(|name| (name.clone(), has_list(name))).collect();
        Self { centers: centers_up(fleet, &asked.centers), sources }
    }
}

/// Assembles the fleet; also returns who was asked.
pub(super) fn fleet(args: &ListArgs, store: Option<&Store>, context: &Context) -> Result<(Fleet, Asked)> {
    if !args.offline && args.format == ListFormat::Text {
        valid_center(&context.centers).context("center")?;
    }
    let ReadFleet { fleet, asked, targets_read_at, .. } =
        fleet_within(Deadline::NONE, args.offline, store, context)?;
    if asked.is_nobody() {
        tell_unplaced(&fleet, targets_read_at, context);
    }
    Ok((fleet, asked))
}

/// Assembles the fleet; sources of targets are read until the deadline.
pub(super) fn fleet_within(
    deadline: Deadline,
    is_offline: bool,
    store: Option<&Store>,
    context: &Context,
) -> Result<ReadFleet> {
    let options = RequestOptions { concurrency: 1, ..context.request_options() };
    let client = if is_offline { None } else { Some(Client::new(&options)?) };
    let client = client.filter(|_| !(context.centers.is_empty() && context.sources.is_empty()));
    let signals = &match client.is_none() || context.sources.is_empty() {
        true => Signals::default(),
        false => Signals::catch().context("cannot catch signals")?,
    };
    let max_targets = context.config.pull.max_addresses;
    let bounds = SourceBounds { deadline, signals, max_targets };
    let asking = client.as_ref().map(|client| {
        let sources = GivenSource::begin(&context.sources, bounds);
        Asking { client, sources, bounds, time_left: None }
    });
    let mut read = read_fleet(asking, store, context)?;
    read.fleet.show_unplaced(&context.config.naming, &read.numbering.ids, context.now());
    Ok(read)
}

/// Names targets without a service where no source is asked. Only their addresses and failures are stored, so they have no
/// line in the table.
///
/// `read_at` is the time at which a pull last read a list. The wait of a target that this list had was not over then.
fn tell_unplaced(fleet: &Fleet, read_at: Option<DateTime<Utc>>, context: &Context) {
    const NAMED: usize = 5;
    let is_listed = |state: &AddressState| state.retry.next_try > read_at;
    let silent: Vec<_> = fleet.unplaced.iter().filter(|(_, state)| is_listed(state)).collect();
    for (address, state) in silent.iter().take(NAMED) {
        let cause = state.last_error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
        let next = match state.retry.next_try.filter(|next| *next > context.now()) {
            Some(next) => format!("next try {}", show::moment(next, context.now())),
            None => "the next pull tries again".to_owned(),
        };
        warn(format!(
            "target \"{}\": it did not answer{cause}, so its service is not known; {next}",
            shown_url(address)
        ));
    }
    if silent.len() > NAMED {
        warn(format!("{} more targets have no service, as they did not answer", silent.len() - NAMED));
    }
}

/// Reports the centers and sources of targets that do not answer, list too much, or are not asked any more.
pub(super) fn tell_centers(fleet: &Fleet, is_offline: bool, context: &Context) {
    for silent in &fleet.silent {
        let since =
            silent.last_heard.map(|at| format!("; showing its list of {}", show::moment(at, context.now())));
        warn(format!(
            "center \"{}\": {}{}",
            shown_url(&silent.url),
            silent.message,
            since.unwrap_or_default()
        ));
    }
    tell_cut_lists(fleet);
    tell_sources(fleet, "showing what it listed", context);
    if !is_offline {
        return;
    }
    let tell = |what: &str, UnaskedCenter { since, services }: &UnaskedCenter| {
        let (since, are) = (show::moment(*since, context.now()), if *services == 1 { "is" } else { "are" });
        let services = show::count(*services, "services");
        warn(format!("{what}: not asked since {since}; {services} that only it listed {are} offline"));
    };
    for (name, unasked) in &fleet.unasked_sources {
        tell(&format!("targets \"{}\"", in_message(name)), unasked);
    }
    for (url, unasked) in &fleet.unasked {
        tell(&format!("center \"{}\"", shown_url(url)), unasked);
    }
}

/// Returns the asked centers, each with whether it answered.
fn centers_up(fleet: &Fleet, asked: &[String]) -> BTreeMap<String, bool> {
    let mut centers = BTreeMap::new();
    for url in asked {
        let is_up = fleet.has_answered(url);
        // URLs that differ only in credentials are one center here.
        *centers.entry(metrics::without_credentials(url)).or_insert(true) &= is_up;
    }
    centers
}
