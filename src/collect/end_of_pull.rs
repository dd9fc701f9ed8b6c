//! The end of a key's pull, which carries out the decisions about its build, its row and its next pull.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;

use crate::collect::fault::{BadAdoption, FaultScope};
use crate::collect::mending::written;
use crate::collect::open_key::OpenKey;
use crate::collect::outcome::{AddressFailure, KeyOutcome, KeyResult, QuarantinedAddress, WhyQuarantined};
use crate::collect::run::PullRun;
use crate::collect::settling::settle;
use crate::collect::stored_sum::{self, EncodedLife, SumFailure};
use crate::fleet::address_states::{PeekedFraction, address_states, answering};
use crate::fleet::adoption::{self, Adoption};
use crate::fleet::change::Change;
use crate::fleet::election::Election;
use crate::fleet::ids::BuildGroupId;
use crate::fleet::key_state::{AddressAnswer, PulledBuildGroup};
use crate::fleet::pending::PendingAdoption;
use crate::fleet::pulled_key::PulledKey;
use crate::fleet::records::Life;
use crate::fleet::records::{AddressState, Replicas};
use crate::fleet::retention::HIGHEST_NUMBER;
use crate::fleet::row::{NewRow, RowStats};
use crate::fleet::row_decision::{GroupFigures, KeyFigures, Moved, RowDecision, RowQuestion};
use crate::fleet::schedule::{DueReason, ScheduleOutcome};
use crate::fleet::votes::{OtherKeys, candidates};
use crate::io::store::Store;
use crate::io::workdir::CovPath;
use crate::profile::{self, Profile, ProfileSum, Template, counts_digest, covered_digest};

/// The end of a key's pull.
pub(crate) struct EndOfPull<'s> {
    pub(crate) key: PulledKey<'s>,
    pub(crate) reason: DueReason,
    /// Index of the key in its group.
    pub(crate) index: usize,
    /// The mark that the row of the key gets if an address answers, or none is there to be asked.
    pub(crate) mark: Option<&'s str>,
    pub(crate) others: &'s OtherKeys,
    /// The address whose fraction had changed in a peek of this run.
    pub(crate) peeked: Option<&'s PeekedFraction>,
    pub(crate) open: OpenKey,
    pub(crate) run: &'s PullRun<'s>,
    pub(crate) store: &'s Store,
}

/// The builds that a key shows after its election.
struct BuildsShown {
    adopted: Vec<Adoption>,
    remembered: Election<BuildGroupId>,
    pending: Option<PendingAdoption>,
}

/// The addresses of a key and the number of answers.
struct KeyAddresses {
    /// Addresses that are listed or were asked, sorted.
    known: Vec<String>,
    /// Number of these addresses that answered for the key.
    answered: usize,
    states: BTreeMap<String, AddressState>,
}

impl EndOfPull<'_> {
    /// Decides the build and the row that the key shows, and its next pull.
    pub(crate) fn decide(mut self, changes: &mut Vec<Change>) -> anyhow::Result<KeyResult> {
        let BuildsShown { adopted, remembered: election, pending } = self.decide_build(changes)?;
        self.settle_if_can(changes)?;
        let addresses = self.decide_addresses(changes);
        let latest = self.open.latest.take();
        let before = latest.as_ref().map(|stats| stats.coverage);
        let shown_id = self.open.state.current_id();
        let own_answers =
            self.open.state.answered.values().filter(|answer| shown_id == Some(answer.build_group)).count();
        self.mark = self.mark.filter(|_| own_answers > 0 || self.key.asked.is_empty());
        let shown = self.decide_row_if_can(latest.as_ref(), &addresses, changes)?;
        let is_stored = shown.is_some();
        let shown = shown.unwrap_or_default();

        let entry = self.key.entry;
        let outcome = self.key.outcome(own_answers, shown.changed);
        let schedule = self.key.next_schedule(outcome, &shown, election);
        let is_new = is_stored && (schedule != entry.schedule || self.open.state.touched);
        changes.extend(is_new.then(|| Change::Schedule(entry.id, schedule.clone())));
        // The next run tries again, even if the key is not due.
        let is_faulty = !self.open.state.faults.is_empty();
        changes.extend(is_faulty.then_some(Change::Unfinished(entry.id)));
        let schedule = &schedule.schedule;
        Ok(KeyResult {
            outcome: match outcome {
                _ if !is_stored => KeyOutcome::NotStored,
                ScheduleOutcome::Changed => KeyOutcome::Changed,
                ScheduleOutcome::Unchanged | ScheduleOutcome::UnchangedAtRetry => KeyOutcome::Unchanged,
                ScheduleOutcome::NothingAnswered => KeyOutcome::NothingAnswered,
            },
            coverage: shown.coverage.or(before),
            before,
            adopted,
            pending: pending.map(Box::new),
            next_due: match is_stored {
                true => schedule.next_due.into_iter().chain(schedule.election).min(),
                false => entry.schedule.schedule.next_due,
            },
            ..self.told(&addresses)
        })
    }

    /// Returns the result of the addresses of the key.
    fn told(self, addresses: &KeyAddresses) -> KeyResult {
        let state = self.open.state;
        let shown = state.current_id();
        let next_try = |address: &String| addresses.states.get(address).and_then(|it| it.retry.next_try);
        let mut failures = Vec::with_capacity(state.failed.len());
        failures.extend(state.failed.into_iter().map(|(address, error)| AddressFailure {
            next_try: next_try(&address),
            address,
            error,
        }));
        let quarantined = state.answered.iter().filter(|(_, answer)| Some(answer.build_group) != shown);
        let report = |(address, answer): (&String, &AddressAnswer)| QuarantinedAddress {
            address: address.clone(),
            build: answer.build,
            why: match answer.is_decided {
                _ if answer.build.is_of_nothing() => WhyQuarantined::NoBlocks,
                true => WhyQuarantined::OtherBuild,
                false => WhyQuarantined::Undecided,
            },
        };
        let elsewhere = state.elsewhere.iter().map(|(address, (name, _))| (address.clone(), name.clone()));
        KeyResult {
            reason: self.reason,
            answered: addresses.answered,
            known: addresses.known.len(),
            answering: match self.reason {
                DueReason::LastChance => state.answered.keys().cloned().collect(),
                _ => Vec::new(),
            },
            bytes: state.bytes,
            restarted: state.restarted,
            failures,
            quarantined: quarantined.map(report).collect(),
            elsewhere: elsewhere.collect(),
            faults: state.faults,
            notes: state.notes,
            details: state.details,
            ..KeyResult::empty(self.key.entry)
        }
    }

    /// Adopts another build group if the election decides so, and moves replaced sets of files into the history.
    fn decide_build(&mut self, changes: &mut Vec<Change>) -> anyhow::Result<BuildsShown> {
        let Self { key, index, others, open, run, store, .. } = self;
        let candidates = candidates(*index, key, &open.state, others);
        let decision = adoption::decide(key, &open.state, &candidates).map_err(BadAdoption)?;
        let mut remembered = decision.remembered;
        let build_groups = &open.state.build_groups;
        let pending = PendingAdoption::new(&remembered, |id| {
            build_groups.iter().find(|known| known.id == id).and_then(PulledBuildGroup::newest_build)
        });
        let elected = decision.adopted.and_then(|elected| adoption::adopt(&mut open.state, elected, changes));
        let mut adopted: Vec<Adoption> = elected.into_iter().collect();
        let replaced = adoption::leave_replaced(key, &mut open.state, run.ids, changes);
        if let Some(current) = open.state.current().filter(|_| !replaced.is_empty()) {
            open.leave_replaced(current, run, store)?;
            // A deploy ends the choice of a person.
            remembered.chosen = None;
        }
        adopted.extend(replaced);
        Ok(BuildsShown { adopted, remembered, pending })
    }

    /// Decides the states of the addresses.
    fn decide_addresses(&self, changes: &mut Vec<Change>) -> KeyAddresses {
        let PulledKey { entry, rules, now, .. } = self.key;
        let states = address_states(&self.open.state, entry, self.peeked, &rules.retry, now);
        changes.extend(states.iter().map(|(address, state)| Change::Address {
            key: entry.id,
            address: address.clone(),
            state: state.clone(),
        }));
        let known = self.key.known_addresses();
        let answered = answering(&known, &states, entry);
        if !self.key.asked.is_empty() || entry.replicas.is_none() {
            let (answered, listed) = (small(answered), small(known.len()));
            changes.push(Change::Replicas(entry.id, Replicas { answered, listed, pulled_at: now }));
        }
        KeyAddresses { known, answered, states }
    }

    /// Settles what processes left with what was pulled. A failure that concerns only this key is noted.
    fn settle_if_can(&mut self, changes: &mut Vec<Change>) -> anyhow::Result<()> {
        let Self { key: PulledKey { entry, .. }, open, run, store, .. } = self;
        match settle(open, entry, run, store) {
            Err(error) if FaultScope::from_error(&error) == FaultScope::Service => {
                open.state.faults.insert(format!("{error:#}"));
            }
            settled => changes.extend(settled?),
        }
        Ok(())
    }

    /// Decides about a row. A failure that concerns only this key is noted, and the result is `None`.
    fn decide_row_if_can(
        &mut self,
        latest: Option<&RowStats>,
        addresses: &KeyAddresses,
        changes: &mut Vec<Change>,
    ) -> anyhow::Result<Option<KeyFigures>> {
        match self.decide_row(latest, addresses, changes) {
            Err(error) if FaultScope::from_error(&error) == FaultScope::Service => {
                self.open.state.faults.insert(format!("{error:#}"));
                Ok(None)
            }
            shown => shown.map(Some),
        }
    }

    /// Stores a row if the counters of the current build group require one.
    fn decide_row(
        &mut self,
        latest: Option<&RowStats>,
        addresses: &KeyAddresses,
        changes: &mut Vec<Change>,
    ) -> anyhow::Result<KeyFigures> {
        let Some(current) = self.open.state.current() else { return Ok(KeyFigures::default()) };
        let PulledKey { entry, rules, now, .. } = self.key;
        let build_group = &self.open.state.build_groups[current];
        let moved = if entry.came_in { Moved::Covered } else { build_group.moved };
        let id = build_group.id;
        let question = RowQuestion {
            build_group: id,
            moved,
            latest,
            old: &entry.schedule,
            rule: rules.change,
            row_at_least_every: rules.row_at_least_every,
            is_marked: self.mark.is_some(),
            now,
        };
        let lives = match question.decide(&self.open.state) {
            RowDecision::Stands(shown) => return Ok(shown),
            RowDecision::Nothing => return Ok(KeyFigures::default()),
            RowDecision::Sum(lives) => lives.into_iter().cloned().collect::<Vec<Life>>(),
        };
        let build_group = &mut self.open.state.build_groups[current];
        build_group.add_waiting()?;
        let own = build_group.sum.take();
        let (sum, templates) = self.summed(own, &lives)?;
        let profile = sum.into_profile().at_distinct_places();
        let figures = GroupFigures {
            coverage: profile.coverage(),
            covered_digest: covered_digest(&profile.build, &profile.counts),
            counts_digest: counts_digest(&profile),
        };
        let conclusion = question.conclude(&figures);
        if conclusion.is_stored {
            let stats = figures.stats(id, small(addresses.answered), small(addresses.known.len()));
            changes.push(self.stored_row(&addresses.known, stats, &profile, templates)?);
        }
        Ok(conclusion.shown)
    }

    /// Adds stored counters to the answers of this run; also returns the templates that were used.
    fn summed(
        &self,
        own: Option<ProfileSum>,
        lives: &[Life],
    ) -> anyhow::Result<(ProfileSum, Vec<Arc<Template>>)> {
        // The templates are kept, so that lives of one structure share it.
        let mut templates = Vec::new();
        let mut next = lives.iter();
        let stored = || -> anyhow::Result<Option<EncodedLife>> {
            for known in next.by_ref() {
                let template = self.run.template(self.store, known.structure)?;
                if let Some(counts) = self.store.encoded_counts(known.id)? {
                    let (id, mode, build) = (known.id, known.mode, Arc::clone(template.build()));
                    templates.push(template);
                    return Ok(Some(EncodedLife { id, mode, build, counts }));
                }
            }
            Ok(None)
        };
        let sum = stored_sum::add(own, stored).map_err(|error| match error {
            SumFailure::Reading(error) => error,
            SumFailure::Conflict(conflict) => conflict.into(),
            SumFailure::Damaged(life, error) => self.store.damaged_counts(life, error).into(),
        })?;
        Ok((sum, templates))
    }

    /// Stores a profile under the next number; returns its row.
    fn stored_row(
        &self,
        addresses: &[String],
        stats: RowStats,
        profile: &Profile,
        mut templates: Vec<Arc<Template>>,
    ) -> anyhow::Result<Change> {
        let entry = self.key.entry;
        let folder = crate::names::escape(&entry.key.app);
        let workdir = self.run.locked.workdir();
        let number = self.run.numbers.next(&folder, || workdir.highest_number(&folder))?;
        let number = number.with_context(|| {
            format!(
                "no number is left for another profile, as {folder}_{HIGHEST_NUMBER} is there; move it out of \
                 {folder}/cov_data"
            )
        })?;
        let path = CovPath::new(&entry.key.app, number).relative();
        templates.extend(self.open.state.templates.iter().map(|(_, template)| Arc::clone(template)));
        let known = templates.iter().find(|known| known.build().fingerprint() == profile.build.fingerprint());
        let mut file_bytes = 0;
        self.run.locked.store(&path, |out| {
            match known {
                Some(template) => profile::write_known(profile.mode, template, &profile.counts, out)?,
                None => profile::write(profile.mode, &profile.build, &profile.counts, out)?,
            }
            file_bytes = written(out)?;
            Ok(())
        })?;
        Ok(Change::Row(Box::new(NewRow {
            key: entry.key.clone(),
            at: self.run.now,
            addresses: addresses.to_vec(),
            branch: entry.newest_name().branch.clone(),
            cov_file_path: path,
            number: (folder, number),
            file_bytes,
            stats,
            mark: self.mark.map(str::to_owned),
        })))
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
