//! The carrying out of a plan for the centers' lists, one center after the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::mpsc::Sender;

use anyhow::Result;

use crate::collect::fleet::FleetSource;
use crate::collect::last_pull::LastPull;
use crate::collect::run::Adapters;
use crate::fleet::center_address::{AddressName, Registration};
use crate::fleet::change::Change;
use crate::fleet::ids::ServiceId;
use crate::fleet::probe::{ProbeTarget, current_listings};
use crate::fleet::records::Key;
use crate::fleet::removal::{AddressAction, AddressDecision, RemovalPlan};
use crate::fleet::services::Fleet;
use crate::fleet::situation::Observations;
use crate::fleet::tombstone::Tombstone;
use crate::io::center::Client;
use crate::io::clock::Deadline;
use crate::io::store::{Numbering, Store};
use crate::io::workdir::LockedWorkdir;
use crate::prune::PruneInputs;
use crate::prune::center_removal::CenterRemoval;
use crate::prune::event::OnEvent;
use crate::prune::outcome::ListsOutcome;
use crate::prune::probe::Prober;
use crate::prune::probe_round::{ProbeRound, answered};
use crate::prune::registration::register;

/// The outcome for an address that the plan removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RemovalOutcome {
    /// The center does not list the address any more.
    Removed,
    /// The address is listed only under its right names.
    Renamed,
    /// The address stays, for this reason.
    Spared(String),
    /// The removal failed, for this reason.
    Failed(String),
    /// The removal was not tried, because an earlier step failed or a signal came.
    NotTried,
}

/// The outcome of a plan that was carried out.
#[derive(Debug, Default)]
pub(crate) struct RemovalResults {
    /// The outcomes by center and address.
    pub(crate) outcomes: BTreeMap<(String, String), RemovalOutcome>,
    /// Addresses of earlier runs that came back, each with the error of its registration.
    pub(crate) restored: Vec<(Tombstone, Option<String>)>,
    /// Addresses that a center dropped without a request, each with the error of its registration.
    pub(crate) dropped: Vec<(Tombstone, Option<String>)>,
    /// The deadline ended the run early.
    pub(crate) is_cut: bool,
}

impl RemovalResults {
    /// Tells whether an action failed or was not tried.
    pub(crate) fn has_failures(&self) -> bool {
        let is_short = |outcome: &RemovalOutcome| {
            matches!(outcome, RemovalOutcome::Failed(_) | RemovalOutcome::NotTried)
        };
        self.outcomes.values().any(is_short)
            || self.restored.iter().any(|(_, error)| error.is_some())
            || !self.dropped.is_empty()
    }

    pub(crate) fn set(&mut self, decision: &AddressDecision, outcome: RemovalOutcome) {
        let listed = &decision.listed;
        self.outcomes.insert((listed.center.clone(), listed.address.clone()), outcome);
    }
}

/// The connections and settings for removing addresses.
pub(crate) struct Remover<'a> {
    pub(crate) inputs: &'a PruneInputs<'a>,
    pub(crate) prober: &'a Prober<'a>,
    /// Client for the last pulls.
    pub(crate) pulling: &'a Client,
    pub(crate) locked: &'a LockedWorkdir,
    pub(crate) store: &'a Store,
    /// Channel to the watch, which gets the removed addresses.
    pub(crate) removed: &'a Sender<Vec<Tombstone>>,
    pub(crate) on_event: OnEvent<'a>,
}

impl Remover<'_> {
    /// Makes the plan from the centers' present lists, stores failures, and carries the plan out.
    pub(crate) fn update_lists(&self, round: &ProbeRound) -> Result<ListsOutcome> {
        let PruneInputs { naming, centers, options, now, .. } = *self.inputs;
        let store = self.store;
        let answers = round.ask_again(self.prober, centers);
        let answered = answered(&answers);
        let source = FleetSource { store: Some(store), naming, now };
        let (mut fleet, numbering) = source.assemble(|_| answers.into())?;
        fleet.silent.extend(round.silent());
        let suspicions = store.suspicions()?;
        let (results, fleet_now, suspicions) = (&round.results, &fleet, &suspicions);
        let seen = Observations { fleet: fleet_now, results, suspicions, naming, now };
        let plan = RemovalPlan::new(seen.situation(store.tombstones()?, answered), &options);
        self.write(fleet.changes.iter().cloned().chain(seen.changes(&plan)))?;
        let run = ListRemovals { remover: self, numbering: &numbering, fleet: &fleet }.carry_out(&plan)?;
        let is_cut = round.is_cut || run.is_cut;
        Ok(ListsOutcome { plan, removal: run, silent: fleet.silent, restored: Vec::new(), is_cut })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.prober.is_over()
    }

    /// Returns the client for requests that have to follow a removal even after the deadline: reading the list and
    /// registering again. Its requests have their own timeout.
    pub(crate) fn finishing(&self) -> Client {
        self.prober.patient.until(Deadline::NONE)
    }

    /// Returns the probe target of an address with the keys of its names.
    pub(crate) fn target(&self, decision: &AddressDecision, wants_build: bool) -> ProbeTarget {
        let right: &[Registration] = match &decision.action {
            AddressAction::Rename(renaming) => &renaming.right,
            _ => &[],
        };
        let names = decision.listed.names.iter().map(|AddressName { service, .. }| service);
        let names = names.chain(right.iter().map(|right| &right.service));
        let mut keys: Vec<_> = names.map(|name| Key::from_name(name, self.inputs.naming)).collect();
        keys.dedup();
        ProbeTarget { address: decision.listed.identity.clone(), keys, wants_build }
    }

    /// Stores changes durably, so that they survive a power cut.
    pub(crate) fn write(&self, changes: impl IntoIterator<Item = Change>) -> Result<()> {
        let mut writer = self.store.writer(self.locked.proof());
        for change in changes {
            writer.apply(&change)?;
        }
        writer.commit()?;
        Ok(())
    }
}

/// The removals of a run, with the present lists.
pub(crate) struct ListRemovals<'a> {
    pub(crate) remover: &'a Remover<'a>,
    numbering: &'a Numbering,
    fleet: &'a Fleet,
}

impl ListRemovals<'_> {
    fn carry_out(&self, plan: &RemovalPlan) -> Result<RemovalResults> {
        let mut run = RemovalResults::default();
        if !self.remover.is_over() {
            let restores: Vec<&Tombstone> = plan.restores.iter().collect();
            let errors = register(&self.remover.prober.patient, &restores);
            run.restored = plan.restores.iter().cloned().zip(errors).collect();
        }
        for (center, planned) in plan.removals() {
            for decision in &planned {
                run.set(decision, RemovalOutcome::NotTried);
            }
            let expected = self.expected_at(center, &run);
            let (renamed, dead): (Vec<&AddressDecision>, Vec<&AddressDecision>) =
                planned.into_iter().partition(|decision| matches!(decision.action, AddressAction::Rename(_)));
            let mut at_center = CenterRemoval { removals: self, center, expected, run: &mut run };
            if at_center.remove_dead(&dead)? {
                at_center.rename(&renamed)?;
            }
        }
        let is_done = run.restored.len() == plan.restores.len()
            && run.outcomes.values().all(|outcome| *outcome != RemovalOutcome::NotTried);
        run.is_cut = self.remover.prober.deadline.has_passed() && !is_done;
        Ok(run)
    }

    /// Returns the registrations that a center lists, with those that were just restored.
    fn expected_at(&self, center: &str, run: &RemovalResults) -> BTreeSet<Registration> {
        let listed =
            current_listings(self.fleet).filter(|(listing, ..)| listing.lister.center() == Some(center));
        let listed = listed.map(|(listing, name, _)| (name, &*listing.listed_as));
        let returned = run.restored.iter().filter(|(it, error)| it.center == center && error.is_none());
        let returned = returned.map(|(it, _)| (it.service.as_str(), it.address.as_str()));
        let registration = |(service, address): (&str, &str)| Registration {
            service: service.to_owned(),
            address: address.to_owned(),
        };
        listed.chain(returned).map(registration).collect()
    }

    /// Returns the services that a center lists or listed before, by the spelling of the address.
    pub(crate) fn services_at(&self, center: &str) -> HashMap<&str, Vec<ServiceId>> {
        let mut services: HashMap<&str, Vec<ServiceId>> = HashMap::new();
        for member in self.fleet.entries.iter().flat_map(|entry| &entry.members) {
            for listing in member.listings.iter().filter(|listing| listing.lister.center() == Some(center)) {
                services.entry(&listing.listed_as).or_default().push(member.id);
            }
        }
        services
    }

    /// Pulls addresses a last time; returns those that answered.
    pub(crate) fn last_pull(&self, addresses: &BTreeSet<String>) -> Result<BTreeSet<String>> {
        if addresses.is_empty() {
            return Ok(BTreeSet::new());
        }
        let Remover { inputs, prober, pulling: client, locked, store, .. } = *self.remover;
        let Prober { signals, deadline, concurrency, .. } = *prober;
        let adapters = Adapters { client, signals, locked, store, deadline, now: inputs.now };
        let last_pull = LastPull { adapters, numbering: self.numbering, concurrency, config: inputs.pull };
        last_pull.ask(addresses, &self.fleet.entries)
    }
}
