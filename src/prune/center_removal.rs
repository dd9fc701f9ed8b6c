//! The removals at one center in batches, with a check of the center's list after each batch.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;

use crate::address::normal_form;
use crate::fleet::center_address::Registration;
use crate::fleet::center_list::ListedService;
use crate::fleet::change::Change;
use crate::fleet::liveness::{Finding, ProbeFinding};
use crate::fleet::probe::ProbeTarget;
use crate::fleet::registration::registrations;
use crate::fleet::removal::{AddressDecision, reason_to_spare};
use crate::fleet::tombstone::Tombstone;
use crate::io::center::{HttpError, ProbeEffort};
use crate::prune::event::PruneEvent;
use crate::prune::registration::register;
use crate::prune::removal::{ListRemovals, RemovalOutcome, RemovalResults, Remover};

/// Largest number of removals between two checks of the list. The first removals are checked one by one, so that a
/// center that drops more addresses than requested is noticed at once. Later batches double up to this size, because a
/// check after each removal would read a long list a thousand times.
const LARGEST_BATCH: usize = 64;

/// The removals at one center.
pub(crate) struct CenterRemoval<'r> {
    pub(crate) removals: &'r ListRemovals<'r>,
    pub(crate) center: &'r str,
    /// The registrations that the center should list after all requests.
    pub(crate) expected: BTreeSet<Registration>,
    pub(crate) run: &'r mut RemovalResults,
}

/// The removals that were sent.
pub(crate) struct SentRemovals<'d> {
    /// The removals that the center accepted.
    pub(crate) taken: Vec<&'d AddressDecision>,
    /// The center still answers, and the run has not ended.
    pub(crate) may_go_on: bool,
}

impl<'r> CenterRemoval<'r> {
    pub(crate) fn remover(&self) -> &'r Remover<'r> {
        self.removals.remover
    }

    /// Removes dead addresses; tells whether the center may get further requests.
    pub(crate) fn remove_dead(&mut self, dead: &[&AddressDecision]) -> Result<bool> {
        let mut rest = dead;
        let mut size = 1;
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            let Some(going) = self.last_look(batch)? else { return Ok(false) };
            rest = after;
            if going.is_empty() {
                continue;
            }
            let tombstones = self.tombstones(&going)?;
            self.remover().write(tombstones.iter().cloned().map(Change::TombstoneAdded))?;
            let SentRemovals { taken, may_go_on } = self.send(&going);
            let is_sound = self.confirm(&taken, &tombstones)?;
            if !is_sound || !may_go_on || self.remover().is_over() {
                return Ok(false);
            }
            size = (size * 2).min(LARGEST_BATCH);
        }
        Ok(true)
    }

    /// Probes once more, and pulls each address that may still answer one last time. Returns the addresses to remove,
    /// or `None` if the run is over.
    fn last_look<'d>(&mut self, batch: &[&'d AddressDecision]) -> Result<Option<Vec<&'d AddressDecision>>> {
        let remover = self.remover();
        // All spellings of an address mean one process, which is asked once.
        let targets: BTreeMap<&str, ProbeTarget> = batch
            .iter()
            .map(|decision| (decision.listed.identity.as_str(), remover.target(decision, false)))
            .collect();
        let targets: Vec<ProbeTarget> = targets.into_values().collect();
        let Some(results) = remover.prober.probe_all(&targets, ProbeEffort::Quick)? else { return Ok(None) };
        let results = results.into_iter().map(|result| result.probe);
        let mut probes: HashMap<&str, ProbeFinding> =
            targets.iter().map(|target| target.address.as_str()).zip(results).collect();
        // Only an address that accepts connections can still serve a profile.
        let silent =
            targets.iter().filter(|target| probes[target.address.as_str()].finding == Finding::Silent);
        let asked: BTreeSet<String> = silent.map(|target| target.address.clone()).collect();
        let answered = self.removals.last_pull(&asked)?;
        if remover.is_over() {
            return Ok(None);
        }
        // A profile that is too large for a pull, or is cut short, still shows an agent.
        let is_doubtful = |it: &&ProbeTarget| asked.contains(&it.address) && !answered.contains(&it.address);
        let doubtful: Vec<ProbeTarget> = targets.iter().filter(is_doubtful).cloned().collect();
        let Some(results) = remover.prober.probe_all(&doubtful, ProbeEffort::Thorough)? else {
            return Ok(None);
        };
        for (target, result) in doubtful.iter().zip(results) {
            if let Some(probe) = probes.get_mut(target.address.as_str()) {
                *probe = result.probe;
            }
        }
        self.spare(batch, &probes, &answered).map(Some)
    }

    /// Notes the addresses that stay after the last look; returns the others.
    fn spare<'d>(
        &mut self,
        batch: &[&'d AddressDecision],
        probes: &HashMap<&str, ProbeFinding>,
        answered: &BTreeSet<String>,
    ) -> Result<Vec<&'d AddressDecision>> {
        let (mut going, mut changes) = (Vec::new(), Vec::new());
        for decision in batch {
            let address = &decision.listed.identity;
            let probe = &probes[address.as_str()];
            let Some(why) = reason_to_spare(probe, answered.contains(address)) else {
                going.push(*decision);
                continue;
            };
            if probe.finding != Finding::Withheld {
                changes.push(Change::Unsuspected(address.clone()));
            }
            self.run.set(decision, RemovalOutcome::Spared(why));
        }
        self.remover().write(changes)?;
        Ok(going)
    }

    /// Sends removals. A removal that the center refuses does not stop the others.
    pub(crate) fn send<'d>(&mut self, going: &[&'d AddressDecision]) -> SentRemovals<'d> {
        let mut taken = Vec::new();
        for decision in going {
            if self.remover().is_over() {
                return SentRemovals { taken, may_go_on: false };
            }
            match self.remover().finishing().remove(self.center, &decision.listed.address) {
                Ok(()) => taken.push(*decision),
                Err(error) => {
                    self.run.set(decision, RemovalOutcome::Failed(error.to_string()));
                    if !matches!(error, HttpError::Status { .. }) {
                        return SentRemovals { taken, may_go_on: false };
                    }
                }
            }
        }
        SentRemovals { taken, may_go_on: true }
    }

    /// Reads the list to learn the result of the removals; tells whether the center removed nothing else.
    fn confirm(&mut self, taken: &[&AddressDecision], tombstones: &[Tombstone]) -> Result<bool> {
        match self.remover().finishing().list(self.center) {
            Ok(listed) => self.compare(taken, tombstones, &listed),
            Err(error) => {
                // The tombstones stay, because the center may have removed the addresses.
                for decision in taken {
                    let error = format!("the center may or may not have removed it: {error}");
                    self.run.set(decision, RemovalOutcome::Failed(error));
                }
                Ok(false)
            }
        }
    }

    fn compare(
        &mut self,
        taken: &[&AddressDecision],
        tombstones: &[Tombstone],
        listed: &[ListedService],
    ) -> Result<bool> {
        let standing = registrations(listed);
        let still_there: BTreeSet<&str> = standing.iter().map(|known| known.address.as_str()).collect();
        let services = self.removals.services_at(self.center);
        let (mut changes, mut removed) = (Vec::new(), Vec::new());
        for decision in taken {
            let address = decision.listed.address.as_str();
            let of_address = tombstones.iter().filter(|tombstone| tombstone.address == address).cloned();
            if still_there.contains(address) {
                let error = "the center accepted the removal, but still lists it".to_owned();
                self.run.set(decision, RemovalOutcome::Failed(error));
                changes.extend(of_address.map(Change::TombstoneRemoved));
                continue;
            }
            self.expected.retain(|known| known.address != address);
            self.run.set(decision, RemovalOutcome::Removed);
            changes.push(Change::Unsuspected(decision.listed.identity.clone()));
            changes.extend(services.get(address).into_iter().flatten().map(|service| Change::Unlisted {
                service: *service,
                address: address.to_owned(),
                at: self.remover().inputs.now,
            }));
            removed.extend(of_address);
        }
        self.remover().write(changes)?;
        // The receiver is gone only after a signal, or if the watch failed; then its join returns the error.
        let _ = self.remover().removed.send(removed);
        self.bring_back(&standing)
    }

    /// Registers again each living address that the center dropped without a request; tells whether there was none.
    ///
    /// A process that ends removes itself from the list and answers no more, so it is not registered again.
    pub(crate) fn bring_back(&mut self, standing: &BTreeSet<Registration>) -> Result<bool> {
        let lost: Vec<Registration> = self.expected.difference(standing).cloned().collect();
        if lost.is_empty() {
            return Ok(true);
        }
        let Remover { inputs, store, prober, on_event, .. } = *self.remover();
        let mut tombstones = Vec::new();
        for registration in lost {
            self.expected.remove(&registration);
            let Registration { service, address } = registration;
            let build = store.last_build(&service, &normal_form(&address))?;
            let center = self.center.to_owned();
            tombstones.push(Tombstone {
                center,
                address,
                service,
                build,
                removed_at: inputs.now,
                was_alive: false,
            });
        }
        let target = |tombstone| ProbeTarget::for_tombstone(tombstone, inputs.naming);
        let targets: Vec<ProbeTarget> = tombstones.iter().map(target).collect();
        // The tombstones are written before the probes, so that a run which ends in between leaves the addresses to the
        // next one.
        self.remover().write(tombstones.iter().cloned().map(Change::TombstoneAdded))?;
        let Some(results) = prober.probe_all(&targets, ProbeEffort::Thorough)? else { return Ok(false) };
        let (living, ended): (Vec<_>, Vec<_>) =
            tombstones.into_iter().zip(results).partition(|(_, result)| result.is_alive());
        self.remover().write(ended.into_iter().map(|(tombstone, _)| Change::TombstoneRemoved(tombstone)))?;
        let living: Vec<Tombstone> = living
            .into_iter()
            .map(|(tombstone, result)| Tombstone { build: result.build, was_alive: true, ..tombstone })
            .collect();
        self.remover().write(living.iter().cloned().map(Change::TombstoneAdded))?;
        if living.is_empty() {
            return Ok(true);
        }
        on_event(PruneEvent::Dropped { center: self.center, count: living.len() });
        let errors = register(&self.remover().finishing(), &living.iter().collect::<Vec<_>>());
        self.run.dropped.extend(living.into_iter().zip(errors));
        Ok(false)
    }

    /// Returns the tombstones of addresses to remove, one for each name.
    fn tombstones(&self, going: &[&AddressDecision]) -> Result<Vec<Tombstone>> {
        let Remover { inputs, store, .. } = *self.remover();
        let mut tombstones = Vec::new();
        for decision in going {
            for name in &decision.listed.names {
                tombstones.push(Tombstone {
                    center: decision.listed.center.clone(),
                    address: decision.listed.address.clone(),
                    service: name.service.clone(),
                    build: store.last_build(&name.service, &decision.listed.identity)?,
                    removed_at: inputs.now,
                    was_alive: false,
                });
            }
        }
        Ok(tombstones)
    }
}
