//! The requests of a list to centers and sources of targets, and the messages about them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use super::{ListArgs, ListFormat, metrics};
use crate::address::{base_url, shown_url};
use crate::collect::fleet::GivenSource;
use crate::commands::notices::tell_cut_lists;
use crate::commands::read_fleet::{Asked, Asking, ReadFleet, read_fleet};
use crate::commands::targets::tell_sources;
use crate::commands::{Context, show, warn};
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
        named_centers(&context.centers)?;
    }
    fleet_within(Deadline::NONE, args.offline, store, context)
}

/// Assembles the fleet; sources of targets are read until the deadline. Also returns who was asked.
pub(super) fn fleet_within(
    deadline: Deadline,
    is_offline: bool,
    store: Option<&Store>,
    context: &Context,
) -> Result<(Fleet, Asked)> {
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
    let ReadFleet { mut fleet, asked, numbering } = read_fleet(asking, store, context)?;
    fleet.show_unplaced(&context.config.naming, &numbering.ids, context.now());
    Ok((fleet, asked))
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

/// Fails if no center has a valid URL. A table of stored data would hide such a mistake.
fn named_centers(centers: &[String]) -> Result<()> {
    let mut faults = Vec::new();
    for center in centers {
        match base_url(center) {
            Ok(_) => return Ok(()),
            Err(fault) => faults.push(fault),
        }
    }
    match faults.into_iter().next() {
        Some(fault) => Err(fault).context("center"),
        None => Ok(()),
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
