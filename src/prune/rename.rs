//! Renaming: an address with a stale name is removed, and registered again at once under its right names only.

use anyhow::Result;

use crate::fleet::center_address::{Registration, Renaming};
use crate::fleet::change::Change;
use crate::fleet::registration::{is_registered, registrations};
use crate::fleet::removal::{AddressAction, AddressDecision};
use crate::fleet::tombstone::Tombstone;
use crate::io::center::ProbeEffort;
use crate::prune::center_removal::{CenterRemoval, SentRemovals};
use crate::prune::registration::register;
use crate::prune::removal::RemovalOutcome;

impl CenterRemoval<'_> {
    /// Registers addresses under their right names only, until a failure or the end of the run.
    pub(crate) fn rename(&mut self, renamed: &[&AddressDecision]) -> Result<()> {
        for decision in renamed {
            let AddressAction::Rename(renaming) = &decision.action else { continue };
            if self.remover().is_over() || !self.rename_one(decision, renaming)? {
                break;
            }
        }
        Ok(())
    }

    /// Renames one address; tells whether the next one may follow.
    fn rename_one(&mut self, decision: &AddressDecision, renaming: &Renaming) -> Result<bool> {
        let remover = self.remover();
        let target = remover.target(decision, true);
        let Some(results) = remover.prober.probe_all(&[target], ProbeEffort::Thorough)? else {
            return Ok(false);
        };
        if !renaming.still_holds(&results[0], remover.inputs.naming) {
            let why = "its build changed meanwhile".to_owned();
            self.run.set(decision, RemovalOutcome::Spared(why));
            return Ok(true);
        }
        let tombstones = renaming.right.iter().cloned().map(|Registration { service, address }| {
            let (center, build, removed_at) = (self.center.to_owned(), results[0].build, remover.inputs.now);
            Tombstone { center, address, service, build, removed_at, was_alive: true }
        });
        let tombstones: Vec<Tombstone> = tombstones.collect();
        remover.write(tombstones.iter().cloned().map(Change::TombstoneAdded))?;
        match self.send(&[decision]) {
            SentRemovals { taken, may_go_on: true } if taken.is_empty() => return Ok(true),
            SentRemovals { may_go_on, .. } if !may_go_on => return Ok(false),
            SentRemovals { .. } => {}
        }
        self.register_renamed(decision, renaming, tombstones)
    }

    /// Registers an address again after its removal; tells whether the next one may follow.
    fn register_renamed(
        &mut self,
        decision: &AddressDecision,
        renaming: &Renaming,
        tombstones: Vec<Tombstone>,
    ) -> Result<bool> {
        let remover = self.remover();
        let finishing = remover.finishing();
        let errors = register(&finishing, &tombstones.iter().collect::<Vec<_>>());
        let listed = finishing.list(self.center);
        let address = &decision.listed.address;
        let outcome = match (errors.into_iter().flatten().next(), &listed) {
            (Some(error), _) => RemovalOutcome::Failed(error),
            (None, Err(error)) => RemovalOutcome::Failed(error.to_string()),
            (None, Ok(listed))
                if renaming.stale.iter().any(|stale| is_registered(listed, stale, address)) =>
            {
                RemovalOutcome::Failed(
                    "the center accepted the removal, but still lists the stale name".to_owned(),
                )
            }
            (None, Ok(_)) => RemovalOutcome::Renamed,
        };
        let is_done = outcome == RemovalOutcome::Renamed;
        self.run.set(decision, outcome);
        self.expected.retain(|known| known.address != *address);
        let is_sound = match &listed {
            Ok(listed) => self.bring_back(&registrations(listed))?,
            Err(_) => true,
        };
        if is_done {
            remover.write(tombstones.into_iter().map(Change::TombstoneRemoved))?;
        } else {
            // The process lives and may be unlisted now, so the watch and the next runs try again.
            let _ = remover.removed.send(tombstones);
        }
        Ok(is_done && is_sound)
    }
}
