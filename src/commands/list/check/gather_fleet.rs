//! The look at the fleet: centers, sources of targets, some agents, and the repositories of the apps that run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::finding::{FindingLevel, SetupFinding};
use super::judge_fleet::{
    AgentAnswers, CenterClock, ListerAnswer, judge_agents, judge_center, judge_earlier_source, judge_names,
    judge_nobody, judge_repository, judge_source,
};
use crate::address::{normal_form, shown_url};
use crate::commands::Context;
use crate::commands::list::asking::fleet_within;
use crate::commands::notices::unknown_apps;
use crate::commands::read_fleet::{Asked, ReadFleet};
use crate::commands::report::notices::source_settings;
use crate::exit::EarlyEnd;
use crate::fleet::key_entry::{KeyEntry, Listing, ServiceName};
use crate::fleet::liveness::Finding;
use crate::fleet::records::{Key, Lister};
use crate::fleet::services::Fleet;
use crate::fleet::targets::AgentKind;
use crate::io::center::{Client, ProbeEffort, RequestOptions};
use crate::io::clock::{self, Deadline};
use crate::io::signals::Signals;
use crate::io::store::Store;
use crate::names::Naming;
use crate::notice::Notice;
use crate::parallel::in_parallel;
use crate::phrases::count;
use crate::source::SourceReader;

/// Largest number of agents that are asked.
const MOST_AGENTS: usize = 8;

/// The result of the look at the fleet.
pub(super) struct SeenFleet {
    pub(super) findings: Vec<SetupFinding>,
    pub(super) clocks: Vec<CenterClock>,
    /// The findings about names, which are printed later.
    pub(super) names: Vec<SetupFinding>,
}

/// Looks at the fleet. With `is_offline` nobody is asked. Without `has_git` no repository is looked at.
pub(super) fn look(
    is_offline: bool,
    has_git: bool,
    store: Option<&Store>,
    context: &Context,
) -> Result<SeenFleet> {
    /// Longest time in which sources of targets are read.
    const READING: Duration = Duration::from_secs(60);
    let ReadFleet { fleet, asked, .. } =
        match fleet_within(Deadline::after(Some(READING)), is_offline, store, context) {
            Err(error) if error.downcast_ref::<EarlyEnd>().is_none() => {
                // The proxy, the authorities, or a damaged database: each of them ends a pull, too.
                let finding =
                    SetupFinding::without_step("center", FindingLevel::Failed, format!("{error:#}"));
                let findings = vec![finding];
                let names = vec![judge_names(&[], 0)];
                return Ok(SeenFleet { findings, clocks: Vec::new(), names });
            }
            fleet => fleet?,
        };
    let mut findings = judge_listers(&fleet, &asked, context);
    let clocks = if is_offline { Vec::new() } else { clocks(&fleet, &asked, context) };
    findings.push(judge_agents(&match is_offline {
        true => AgentAnswers::NotAsked,
        false => ask_agents(&fleet, context)?,
    }));
    let listed = names_of_centers(&fleet.entries);
    let unfit = unfit_names(&listed, &context.config.naming);
    if has_git {
        findings.extend(judge_repositories(&fleet.entries, &unfit, is_offline, context));
    }
    let mut names = vec![judge_names(&unfit.into_iter().collect::<Vec<_>>(), listed.len())];
    let warning = |message| SetupFinding::without_step("names", FindingLevel::Warning, message);
    names.extend(unknown_apps(&fleet, context).into_iter().map(warning));
    Ok(SeenFleet { findings, clocks, names })
}

fn judge_listers(fleet: &Fleet, asked: &Asked, context: &Context) -> Vec<SetupFinding> {
    let knows_addresses = fleet.entries.iter().any(|entry| !entry.addresses().is_empty());
    let is_default = context.named_centers.is_empty();
    let center = |url: &String| {
        let normal = normal_form(url);
        let silent = fleet.silent.iter().find(|silent| silent.url == normal);
        let cut = fleet.cut.iter().find(|(cut, _)| *cut == normal);
        let answer = match (silent, cut) {
            _ if !asked.centers.contains(&normal) => ListerAnswer::NotAsked,
            (Some(silent), _) => {
                ListerAnswer::Silent { reason: silent.message.clone(), can_go_on: knows_addresses }
            }
            (None, Some((_, reason))) => ListerAnswer::Cut(reason.clone()),
            (None, None) => listed(fleet, |lister| lister.center() == Some(&normal)),
        };
        judge_center(&shown_url(url), is_default, &answer)
    };
    let source = |name: &String| {
        let failed = fleet.failed_sources.iter().find(|failed| failed.name == *name);
        let bad = fleet.sources.iter().find(|(known, list)| known == name && list.bad_count > 0);
        let answer = match (failed, bad) {
            _ if !asked.sources.contains(name) => ListerAnswer::NotAsked,
            (Some(failed), _) => ListerAnswer::Silent { reason: failed.message.clone(), can_go_on: true },
            (None, Some((_, list))) => {
                let first = list.bad.first().map(ToString::to_string).unwrap_or_default();
                let are = if list.bad_count == 1 { "is" } else { "are" };
                ListerAnswer::Cut(format!("{} {are} left out: {first}", count(list.bad_count, "entries")))
            }
            (None, None) => listed(fleet, |lister| lister.targets() == Some(name)),
        };
        judge_source(name, &answer)
    };
    let centers = context.centers.iter().map(center);
    let mut findings: Vec<SetupFinding> =
        centers.chain(context.sources.iter().map(|given| source(&given.name))).collect();
    findings.extend(judge_earlier_sources(fleet, context));
    if findings.is_empty() {
        findings.push(judge_nobody());
    }
    findings
}

/// Judges the sources of targets whose last lists stand in, because nobody gave them to this run.
fn judge_earlier_sources(fleet: &Fleet, context: &Context) -> Vec<SetupFinding> {
    let listings = fleet.entries.iter().flat_map(|entry| &entry.members).flat_map(|member| &member.listings);
    let mut names: BTreeSet<&str> = listings.filter_map(|listing| listing.lister.targets()).collect();
    names.retain(|name| context.sources.iter().all(|given| given.name != *name));
    let judge = |name: &str| {
        // The name of a file without one of its own is its path.
        let is_gone = Path::new(name).is_absolute() && !Path::new(name).exists();
        judge_earlier_source(name, is_gone, &listed(fleet, |lister| lister.targets() == Some(name)))
    };
    names.into_iter().map(judge).collect()
}

/// Counts what a lister lists.
fn listed(fleet: &Fleet, is_meant: impl Fn(&Lister) -> bool) -> ListerAnswer {
    let members = || fleet.entries.iter().flat_map(|entry| &entry.members);
    let is_listed = |member: &&ServiceName| member.listings.iter().any(|listing| is_meant(&listing.lister));
    let listings = members().flat_map(|member| &member.listings);
    let addresses: BTreeSet<&str> =
        listings.filter(|listing| is_meant(&listing.lister)).map(|listing| &*listing.address).collect();
    ListerAnswer::Listed { services: members().filter(is_listed).count(), addresses: addresses.len() }
}

/// Returns the clocks of the centers that answered.
fn clocks(fleet: &Fleet, asked: &Asked, context: &Context) -> Vec<CenterClock> {
    let Ok(client) = client(context) else { return Vec::new() };
    let answers = asked.centers.iter().filter(|url| fleet.has_answered(url));
    let clock = |url: &String| {
        let told = client.clock_of(url).ok().flatten()?;
        Some(CenterClock { url: shown_url(url), told, own: clock::now() })
    };
    answers.filter_map(clock).collect()
}

/// Makes a client that waits as long as a person does.
fn client(context: &Context) -> Result<Client> {
    const LONGEST: Duration = Duration::from_secs(5);
    const ALL: Duration = Duration::from_secs(20);
    let options = context.request_options();
    let options = RequestOptions {
        connect_timeout: options.connect_timeout.min(LONGEST),
        read_timeout: options.read_timeout.min(LONGEST),
        timeout: options.timeout.min(LONGEST),
        concurrency: MOST_AGENTS,
        ..options
    };
    Ok(Client::new(&options)?.until(Deadline::after(Some(ALL))))
}

/// Asks a few agents: one of each service first.
fn ask_agents(fleet: &Fleet, context: &Context) -> Result<AgentAnswers> {
    let source_of =
        |address: &str| fleet.entries.iter().find_map(|entry| entry.sources_of(address).into_iter().next());
    let mut addresses: BTreeMap<String, (usize, Option<AgentKind>)> = BTreeMap::new();
    for entry in &fleet.entries {
        for (place, address) in entry.addresses().into_iter().enumerate() {
            let kind = entry.told_kind(&address);
            let known = addresses.entry(address).or_insert((place, kind));
            known.0 = known.0.min(place);
        }
    }
    let known = addresses.len();
    let mut chosen: Vec<_> = addresses.into_iter().collect();
    chosen.sort_by_key(|(_, (place, _))| *place);
    chosen.truncate(MOST_AGENTS);
    let client = client(context)?;
    let ask = |(address, (_, kind)): &(String, (usize, Option<AgentKind>))| {
        // An agent of the kind raw shows itself only at the paths of its files.
        let is_raw = matches!(kind, Some(AgentKind::Raw { counters, .. }) if client.serves_counters(address, counters));
        let probe = client.probe(address, ProbeEffort::Quick);
        (!is_raw && probe.finding != Finding::Alive)
            .then(|| (address.clone(), probe.detail, source_of(address)))
    };
    let answers = in_parallel(&chosen, MOST_AGENTS, ask, || false, || ());
    let silent = answers.into_iter().flatten().flatten().collect();
    Ok(AgentAnswers::Asked { asked: chosen.len(), known, silent })
}

/// Judges the repository of each app that is listed. Names that fit no pattern are a finding of their own.
fn judge_repositories(
    entries: &[KeyEntry],
    unfit: &BTreeSet<&str>,
    is_offline: bool,
    context: &Context,
) -> Vec<SetupFinding> {
    /// Longest time in which repositories are asked.
    const ASKING: Duration = Duration::from_secs(20);
    const AT_A_TIME: usize = 8;
    let deadline = Deadline::after(Some(ASKING));
    let mut commits: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let unplaced = Key::of_unplaced();
    let is_unfit = |entry: &&KeyEntry| entry.members.iter().all(|member| unfit.contains(&*member.name));
    let listed = entries.iter().filter(|entry| entry.key != unplaced && !entry.addresses().is_empty());
    for entry in listed.filter(|entry| !is_unfit(entry)) {
        let of_app = commits.entry(&entry.key.app).or_default();
        of_app.extend(Some(entry.key.commit.as_str()).filter(|commit| !commit.is_empty()));
    }
    let (signals, notify) = (Signals::default(), |_: Notice| {});
    let settings = source_settings(context, &signals, &notify);
    let judge = |(app, commits): &(&str, BTreeSet<&str>)| {
        let reader = SourceReader { settings, app, is_offline };
        let commits: Vec<&str> = commits.iter().copied().collect();
        let found = reader.stored_commits(&commits, deadline);
        judge_repository(app, &found.map_err(|error| format!("{error:#}")))
    };
    let commits: Vec<_> = commits.into_iter().collect();
    in_parallel(&commits, AT_A_TIME, judge, || false, || ()).into_iter().flatten().collect()
}

/// Returns the names that centers list.
fn names_of_centers(entries: &[KeyEntry]) -> BTreeSet<&str> {
    let is_of_center = |listing: &Listing| listing.lister.center().is_some();
    let members = entries.iter().flat_map(|entry| &entry.members);
    let listed = members.filter(|member| member.listings.iter().any(is_of_center));
    listed.map(|member| member.name.as_str()).collect()
}

/// Returns the names that fit no pattern.
fn unfit_names<'e>(names: &BTreeSet<&'e str>, naming: &Naming) -> BTreeSet<&'e str> {
    names.iter().copied().filter(|name| !naming.parse(name).is_parsed()).collect()
}
