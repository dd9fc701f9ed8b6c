//! What the centers list, with what was seen there and what is remembered of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::address::normal_form;
use crate::collect::fleet::ask;
use crate::commands::Context;
use crate::fleet::assembly::{CenterAnswer, Fleet, KnownFleet, SilentCenter, key_and_branch};
use crate::fleet::center_list::CenterList;
use crate::fleet::change::Change;
use crate::fleet::ids::{HighestIds, IdSource};
use crate::fleet::key_entry::{KeyEntry, Listing};
use crate::fleet::liveness::{Finding, Kinship, Suspicion};
use crate::fleet::records::{AddressState, Key};
use crate::fleet::removal::{Grave, Listed, Name, Plan, Situation, Tombstone};
use crate::io::center::Effort;
use crate::names::Naming;
use crate::prune::probing::{Prober, Sighting, Target};

/// Everything that was asked, and what was seen.
pub(crate) struct Survey {
    pub(crate) fleet: Fleet,
    pub(crate) answered: BTreeSet<String>,
    /// The answer of each center.
    lists: HashMap<String, CenterList>,
    seen: HashMap<String, Sighting>,
    /// The deadline ended it before all were asked.
    pub(crate) is_cut: bool,
    naming: Naming,
}

impl Survey {
    /// Asks the centers what they list, and everybody there; `None` where a signal ended it.
    pub(crate) fn take(prober: &Prober<'_>, context: &Context) -> Result<Option<Self>> {
        let (known, ids, suspicions, tombstones) = match crate::commands::prune::reader(context)? {
            Some(store) => {
                (store.known_fleet()?, store.id_source()?, store.suspicions()?, store.tombstones()?)
            }
            None => {
                (KnownFleet::default(), IdSource::after(HighestIds::default()), HashMap::new(), Vec::new())
            }
        };
        let naming = context.config.naming.clone();
        let heard = ask(&prober.patient, &context.centers);
        let answered = answered(&heard);
        let list =
            |heard: &CenterAnswer| Some((heard.url.clone(), heard.answer.as_ref()?.as_ref().ok()?.clone()));
        let lists = heard.iter().filter_map(list).collect();
        let fleet = Fleet::assemble(known, heard, &naming, &ids, context.now());
        let mut targets = targets(&fleet);
        // Suspects are asked first, the others in random order, so that short runs leave out others each time.
        fastrand::shuffle(&mut targets);
        targets.sort_by_key(|target| !suspicions.contains_key(&target.address));
        for tombstone in tombstones.iter().filter(|tombstone| tombstone.was_alive) {
            let address = normal_form(&tombstone.address);
            if let Some(target) = targets.iter_mut().find(|target| target.address == address) {
                target.keys.push(key_and_branch(&naming, &tombstone.service).0);
                target.wants_build = true;
            }
        }
        let listed: HashSet<String> = targets.iter().map(|target| target.address.clone()).collect();
        let mut buried: BTreeMap<String, Vec<Key>> = BTreeMap::new();
        for tombstone in &tombstones {
            let address = normal_form(&tombstone.address);
            if !listed.contains(&address) {
                buried.entry(address).or_default().push(key_and_branch(&naming, &tombstone.service).0);
            }
        }
        let graves: Vec<Target> =
            buried.into_iter().map(|(address, keys)| Target { address, keys, wants_build: true }).collect();
        let mut seen = prober.survey(&targets, &context.config.prune.pauses)?;
        // Once will do: most stay dead, and there is a next run.
        seen.extend(prober.look_at_each(&graves, Effort::Thorough)?);
        if prober.signals.received().is_some() {
            return Ok(None);
        }
        let is_cut = prober.deadline.has_passed();
        targets.extend(graves);
        let seen = targets.into_iter().map(|target| target.address).zip(seen);
        let seen = seen.filter_map(|(address, sighting)| Some((address, sighting?))).collect();
        Ok(Some(Self { fleet, answered, lists, seen, is_cut, naming }))
    }

    /// Asks those centers again that answered; where no time is left for it, what they said stands.
    pub(crate) fn ask_again(&self, prober: &Prober<'_>, centers: &[String]) -> Vec<CenterAnswer> {
        let ask = |center: &String| -> Vec<CenterAnswer> {
            let url = normal_form(center);
            match self.lists.get(&url) {
                // A center that drips must not take as long once more while the lock is held.
                None => vec![CenterAnswer { url, answer: None }],
                Some(list) if prober.deadline.has_passed() => {
                    vec![CenterAnswer { url, answer: Some(Ok(list.clone())) }]
                }
                Some(_) => ask(&prober.patient, std::slice::from_ref(center)),
            }
        };
        centers.iter().flat_map(ask).collect()
    }

    /// Returns the centers that did not answer.
    pub(crate) fn silent(&self) -> impl Iterator<Item = SilentCenter> {
        self.fleet.silent.iter().filter(|silent| !silent.emptied).cloned()
    }
}

/// Returns the centers that said what they list.
pub(crate) fn answered(heard: &[CenterAnswer]) -> BTreeSet<String> {
    let said = heard.iter().filter(|heard| matches!(heard.answer, Some(Ok(_))));
    said.map(|heard| heard.url.clone()).collect()
}

/// Calls `visit` with each address that a center lists now, where it stands, and its key.
fn each_place<'a>(fleet: &'a Fleet, mut visit: impl FnMut(&'a Listing, &'a str, &'a KeyEntry)) {
    for entry in &fleet.entries {
        for member in &entry.members {
            for listing in member.listings.iter().filter(|listing| !listing.assumed) {
                visit(listing, &member.name, entry);
            }
        }
    }
}

fn targets(fleet: &Fleet) -> Vec<Target> {
    let mut targets: BTreeMap<&str, Target> = BTreeMap::new();
    each_place(fleet, |listing, _, entry| {
        let address = &*listing.address;
        let target = targets.entry(address).or_insert_with(|| Target {
            address: address.to_owned(),
            keys: Vec::new(),
            wants_build: false,
        });
        if !target.keys.contains(&entry.key) {
            target.keys.push(entry.key.clone());
        }
        // The build that the address serves tells which of its names are stale.
        target.wants_build = target.keys.len() > 1;
    });
    targets.into_values().collect()
}

/// Lays what was seen over what the centers list.
pub(crate) fn situation(
    fleet: &Fleet,
    survey: &Survey,
    suspicions: &HashMap<String, Suspicion>,
    tombstones: Vec<Tombstone>,
    answered: BTreeSet<String>,
    now: DateTime<Utc>,
) -> Situation {
    let mut listed: BTreeMap<(&str, &str), Listed> = BTreeMap::new();
    each_place(fleet, |listing, name, entry| {
        let address = &*listing.address;
        let sighting = survey.seen.get(address);
        // Each spelling by itself, because a center removes what it is given to the byte.
        let listed = listed.entry((&listing.center, &listing.listed_as)).or_insert_with(|| Listed {
            center: (*listing.center).to_owned(),
            address: (*listing.listed_as).to_owned(),
            identity: address.to_owned(),
            names: Vec::new(),
            probe: sighting.map(|sighting| sighting.probe.clone()),
            before: suspicions.get(address).cloned(),
            last_answer_at: None,
        });
        let kinship = sighting.and_then(|sighting| sighting.kinship(&entry.key));
        let AddressState { last_answer_at, other_build, .. } = entry.state(address);
        listed.names.push(Name { service: name.to_owned(), kinship, other_build });
        listed.last_answer_at = listed.last_answer_at.max(last_answer_at);
    });
    let graves = tombstones.into_iter().map(|tombstone| Grave {
        is_back: survey
            .seen
            .get(&normal_form(&tombstone.address))
            .is_some_and(|sighting| is_back(&tombstone, sighting, &survey.naming)),
        tombstone,
    });
    Situation { listed: listed.into_values().collect(), graves: graves.collect(), answered, now }
}

/// Tells whether what was seen at the address of a tombstone is what was removed there.
pub(crate) fn is_back(tombstone: &Tombstone, sighting: &Sighting, naming: &Naming) -> bool {
    let (key, _) = key_and_branch(naming, &tombstone.service);
    let kinship = sighting.kinship(&key).unwrap_or(Kinship::Unknown);
    match sighting.build {
        Some(build) => tombstone.fits(build, kinship),
        // No pull could read what it serves either, for the same reason perhaps, such as its size.
        None => tombstone.build.is_none() && sighting.probe.finding == Finding::Alive,
    }
}

/// Returns what the database should learn of a plan before it is carried out.
pub(crate) fn remember(
    plan: &Plan,
    fleet: &Fleet,
    suspicions: &HashMap<String, Suspicion>,
    naming: &Naming,
    now: DateTime<Utc>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut listed = HashSet::new();
    for judged in &plan.judged {
        let address = judged.listed.identity.clone();
        if !listed.insert(address.clone()) {
            continue;
        }
        match &judged.suspicion {
            Some(suspicion) if Some(suspicion) == suspicions.get(&address) => {}
            Some(suspicion) => changes.push(Change::Suspected { address, suspicion: suspicion.clone() }),
            None if suspicions.contains_key(&address) => changes.push(Change::Unsuspected(address)),
            None => {}
        }
    }
    // Where a center is silent, what it listed before may still be there.
    let assumed = fleet.entries.iter().flat_map(|entry| &entry.members).flat_map(|member| &member.listings);
    listed.extend(assumed.map(|listing| (*listing.address).to_owned()));
    let gone = suspicions.keys().filter(|address| !listed.contains(*address));
    changes.extend(gone.cloned().map(Change::Unsuspected));
    for tombstone in &plan.forgotten {
        let (key, _) = key_and_branch(naming, &tombstone.service);
        let address = normal_form(&tombstone.address);
        let of_it = fleet.entries.iter().find(|entry| entry.key == key);
        // Not where the same key has the address under another name or in another spelling, or again.
        if of_it.is_none_or(|entry| !entry.addresses().contains(&address)) {
            let service = tombstone.service.clone();
            changes.push(Change::Closed { service, address, at: now });
        }
        changes.push(Change::Exhumed(tombstone.clone()));
    }
    changes
}
