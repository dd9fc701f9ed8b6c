//! The end of a key's pull: which build group it shows now, whether that changed, and what is remembered.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};

use crate::collect::election::{Adopted, OtherKeys};
use crate::collect::fault::{BadAdoption, Reach};
use crate::collect::group_pull::GroupPull;
use crate::collect::ledger::{Answered, Ledger, LiveBuildGroup};
use crate::collect::mending::written;
use crate::collect::pending::Pending;
use crate::collect::shared::Shared;
use crate::collect::{election, succession};
use crate::config::ChangeRule;
use crate::coverage::Coverage;
use crate::fleet::build_group::{self, BuildGroupStatus, Conditions, Decision, Election};
use crate::fleet::change::Change;
use crate::fleet::ids::{BuildGroupId, KeyId, StructureId};
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::plan::GroupKey;
use crate::fleet::records::{AddressState, Replicas, ScheduleRow};
use crate::fleet::retention::HIGHEST_NUMBER;
use crate::fleet::row::{NewRow, Row, RowStats};
use crate::fleet::schedule::{self, Outcome, Reason, Schedule};
use crate::io::store::Store;
use crate::io::workdir::CovPath;
use crate::names::in_message;
use crate::profile::{self, Build, Fingerprint, Merged, Profile, Template, counts_digest, covered_digest};

/// Result of the pull of a key. A run keeps all of them until its end, so nothing is copied that the fleet has.
#[derive(Clone, Debug)]
pub(crate) struct Pulled {
    pub(crate) key: KeyId,
    pub(crate) reason: Reason,
    pub(crate) result: PullResult,
    pub(crate) coverage: Option<Coverage>,
    pub(crate) before: Option<Coverage>,
    /// Addresses that answered for the key, of those listed or asked.
    pub(crate) answered: usize,
    pub(crate) known: usize,
    /// Addresses that answered just now, only filled for [`Reason::LastChance`]: other runs need no names, and a large
    /// fleet has many.
    pub(crate) answering: Vec<String>,
    pub(crate) bytes: u64,
    pub(crate) restarted: usize,
    pub(crate) failures: Vec<Failure>,
    pub(crate) asides: Vec<Aside>,
    /// Addresses whose process belongs to another key, with a name of that key.
    pub(crate) elsewhere: Vec<(String, String)>,
    pub(crate) adopted: Vec<Adopted>,
    /// A build that may be adopted soon.
    pub(crate) pending: Option<Box<Pending>>,
    pub(crate) next_due: Option<DateTime<Utc>>,
    /// Faults on our own side; each concerns this key alone.
    pub(crate) faults: BTreeSet<String>,
}

impl Pulled {
    /// Tells of a key of which nothing could be decided.
    pub(crate) fn not_stored(entry: &KeyEntry, reason: Reason, faults: BTreeSet<String>) -> Self {
        let result = PullResult::NotStored;
        Self { reason, result, faults, ..Self::of_nothing(entry) }
    }

    /// Takes back that anything of it was stored: the database refused that.
    pub(crate) fn refused(&mut self, result: PullResult, fault: String) {
        self.result = result;
        self.coverage = self.before;
        self.adopted.clear();
        self.faults.insert(fault);
    }

    pub(crate) fn peek_failed(entry: &KeyEntry, failure: Failure) -> Self {
        Self { failures: vec![failure], ..Self::of_nothing(entry) }
    }

    fn of_nothing(entry: &KeyEntry) -> Self {
        Self {
            key: entry.id,
            reason: Reason::Peeked,
            result: PullResult::NotDue,
            coverage: None,
            before: None,
            answered: 0,
            known: entry.addresses().len(),
            answering: Vec::new(),
            bytes: 0,
            restarted: 0,
            failures: Vec::new(),
            asides: Vec::new(),
            elsewhere: Vec::new(),
            adopted: Vec::new(),
            pending: None,
            next_due: entry.schedule.schedule.next_due,
            faults: BTreeSet::new(),
        }
    }
}

/// What a pull found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PullResult {
    /// Coverage changed.
    Changed,
    /// It did not.
    Unchanged,
    /// No address answered for the key.
    NothingAnswered,
    /// Its counters are in the database, and its row could not be stored.
    NotStored,
    /// The database refused its counters.
    Refused,
    /// It was not due, and only a peek was tried.
    NotDue,
}

/// An address that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) address: String,
    pub(crate) error: String,
    pub(crate) next_try: Option<DateTime<Utc>>,
}

/// An address whose data was set aside.
#[derive(Clone, Debug)]
pub(crate) struct Aside {
    pub(crate) address: String,
    pub(crate) build: Fingerprint,
    pub(crate) why: WhyAside,
}

/// Why data is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhyAside {
    /// The build is not the one that the key shows.
    OtherBuild,
    /// The address stands under two names, and which of them it is cannot be told.
    Undecided,
}

/// The result of a key's election.
struct Elected {
    adopted: Vec<Adopted>,
    remembered: Election<BuildGroupId>,
    pending: Option<Pending>,
}

/// Parts of the next latest row, besides its counters.
struct NextRow<'r> {
    /// Index of the build group that the key shows.
    current: usize,
    /// The row that is there.
    latest: Option<&'r Row>,
    addresses: &'r [String],
    /// How many of the addresses answered.
    answered: usize,
}

/// The end of a key's pull.
pub(crate) struct Settlement<'s, 'a> {
    pub(crate) unit: &'s GroupPull<'a>,
    pub(crate) part: &'s GroupKey<'a>,
    /// Of the part in its unit.
    pub(crate) index: usize,
    pub(crate) others: &'s OtherKeys,
    pub(crate) ledger: Ledger,
    pub(crate) asked: Vec<&'s str>,
    pub(crate) shared: &'s Shared<'s>,
    pub(crate) store: &'s Store,
}

impl Settlement<'_, '_> {
    pub(crate) fn settle(mut self, changes: &mut Vec<Change>) -> anyhow::Result<Pulled> {
        let entry = self.part.entry;
        let now = self.shared.now;
        let Elected { mut adopted, remembered: mut election, pending } = self.elect(changes)?;
        let replaced = self.replace(changes)?;
        if !replaced.is_empty() {
            // A deploy ends the choice of a person.
            election.chosen = None;
        }
        adopted.extend(replaced);
        let current = self.ledger.current();
        let states = self.address_states();
        changes.extend(states.iter().map(|(address, state)| Change::Address {
            key: entry.id,
            address: address.clone(),
            state: state.clone(),
        }));

        let mut addresses = entry.addresses();
        addresses.extend(self.asked.iter().map(|address| (*address).to_owned()));
        addresses.sort_unstable();
        addresses.dedup();
        let answered = answered_of(&addresses, &states, entry);
        if !self.asked.is_empty() || entry.replicas.is_none() {
            let (answered, listed) = (small(answered), small(addresses.len()));
            changes.push(Change::Replicas(entry.id, Replicas { answered, listed, pulled_at: now }));
        }

        let latest = self.store.latest(&entry.key)?;
        let before = latest.as_ref().and_then(|row| row.stats.as_ref()).map(|stats| stats.coverage);
        let shown_id = current.map(|current| self.ledger.build_groups[current].id);
        let serves_current = |answer: &Answered| shown_id == Some(answer.build_group);
        let own_answers = self.ledger.answered.values().filter(|answer| serves_current(answer)).count();
        let shown = match current {
            Some(current) => {
                let latest = latest.as_ref();
                self.show_if_can(&NextRow { current, latest, addresses: &addresses, answered }, changes)?
            }
            None => Some(Shown::default()),
        };
        let is_stored = shown.is_some();
        let shown = shown.unwrap_or_default();

        let outcome = self.outcome(own_answers, shown.changed);
        let old = &entry.schedule;
        let (name, steps) = (&entry.newest_name().name, &self.shared.rules.steps);
        let schedule = match outcome {
            Outcome::Changed if self.asked.is_empty() => schedule::hastened(&old.schedule, name, now, steps),
            outcome => schedule::after(&old.schedule, name, outcome, &entry.addresses(), now, steps),
        };
        let schedule = ScheduleRow {
            schedule: Schedule { election: election.decided_at(), ..schedule },
            last_change_at: if shown.changed { Some(now) } else { old.last_change_at },
            counts_moved_at: shown.counts_moved_at,
            unfinished: false,
            election,
        };
        let is_new = is_stored && (schedule != *old || self.ledger.touched);
        changes.extend(is_new.then(|| Change::Schedule(entry.id, schedule.clone())));
        // The next run tries again, whatever else is due.
        let is_faulty = !self.ledger.faults.is_empty();
        changes.extend(is_faulty.then_some(Change::Unfinished(entry.id)));

        let mut failures = Vec::with_capacity(self.ledger.failed.len());
        failures.extend(std::mem::take(&mut self.ledger.failed).into_iter().map(|(address, error)| {
            Failure { next_try: states.get(&address).and_then(|state| state.retry.next_try), address, error }
        }));
        let asides = self.ledger.answered.iter().filter(|(_, answer)| !serves_current(answer));
        let asides = asides.map(|(address, answer)| Aside {
            address: address.clone(),
            build: answer.build,
            why: if answer.is_decided { WhyAside::OtherBuild } else { WhyAside::Undecided },
        });
        let elsewhere =
            self.ledger.elsewhere.iter().map(|(address, (name, _))| (address.clone(), name.clone()));
        let answering = match self.part.reason {
            Reason::LastChance => self.ledger.answered.keys().cloned().collect(),
            _ => Vec::new(),
        };
        Ok(Pulled {
            key: entry.id,
            reason: self.part.reason,
            result: match outcome {
                _ if !is_stored => PullResult::NotStored,
                Outcome::Changed => PullResult::Changed,
                Outcome::Unchanged | Outcome::UnchangedAtRetry => PullResult::Unchanged,
                Outcome::NothingAnswered => PullResult::NothingAnswered,
            },
            coverage: shown.coverage.or(before),
            before,
            answered,
            known: addresses.len(),
            answering,
            bytes: self.ledger.bytes,
            restarted: self.ledger.restarted,
            failures,
            asides: asides.collect(),
            elsewhere: elsewhere.collect(),
            adopted,
            pending: pending.map(Box::new),
            next_due: if is_stored {
                schedule.schedule.next_due.into_iter().chain(schedule.schedule.election).min()
            } else {
                old.schedule.next_due
            },
            faults: self.ledger.faults,
        })
    }

    /// Returns what the pull means for the next one. `own_answers` were of the build that the key shows.
    fn outcome(&self, own_answers: usize, is_changed: bool) -> Outcome {
        match own_answers {
            _ if is_changed => Outcome::Changed,
            0 if self.asked.is_empty() => Outcome::UnchangedAtRetry,
            0 => Outcome::NothingAnswered,
            _ if self.part.full => Outcome::Unchanged,
            _ => Outcome::UnchangedAtRetry,
        }
    }

    /// Lets another build group take the place of the current one where that is due.
    fn elect(&mut self, changes: &mut Vec<Change>) -> anyhow::Result<Elected> {
        let entry = self.part.entry;
        let asked: HashSet<&str> = self.asked.iter().copied().collect();
        let candidates = election::candidates(self.index, entry, &self.ledger, &asked, self.others);
        let conditions = Conditions {
            may_adopt: self.shared.rules.adopt,
            is_answered: !self.ledger.answered.is_empty(),
            listed: entry.addresses().len(),
            now: self.shared.now,
        };
        let Decision { adopted, remembered } = match &self.shared.rules.adopt_by_hand {
            Some(wanted) => {
                let wanted = self.by_hand(wanted)?;
                let chosen = Some(self.ledger.build_groups[wanted].id);
                Decision { adopted: Some(wanted), remembered: Election { contest: None, chosen } }
            }
            None => build_group::elect(&candidates, &entry.schedule.election, conditions),
        };
        let current = self.ledger.current();
        let build_groups = &self.ledger.build_groups;
        let build_of =
            |id| build_groups.iter().find(|known| known.id == id).and_then(LiveBuildGroup::newest_build);
        let pending = Pending::new(&remembered, build_of);
        let Some(elected) = adopted.filter(|elected| Some(*elected) != current) else {
            return Ok(Elected { adopted: Vec::new(), remembered, pending });
        };
        let adopted = current.map(|current| Adopted {
            from: self.ledger.build_groups[current].newest_build(),
            to: self.ledger.build_groups[elected].newest_build(),
        });
        for (index, status) in current
            .map(|current| (current, BuildGroupStatus::Former))
            .into_iter()
            .chain([(elected, BuildGroupStatus::Current)])
        {
            let build_group = &mut self.ledger.build_groups[index];
            build_group.status = status;
            changes.push(Change::BuildGroupStatus(build_group.id, status));
        }
        Ok(Elected { adopted: adopted.into_iter().collect(), remembered, pending })
    }

    /// Moves the sets of files that another build replaced from the build group shown into the history.
    fn replace(&mut self, changes: &mut Vec<Change>) -> anyhow::Result<Vec<Adopted>> {
        let Some(current) = self.ledger.current().filter(|_| self.shared.rules.adopt) else {
            return Ok(Vec::new());
        };
        let build_group = &self.ledger.build_groups[current];
        if build_group.structures.len() < 2 {
            return Ok(Vec::new());
        }
        let asked: HashSet<&str> = self.asked.iter().copied().collect();
        let served = succession::served(self.part.entry, &self.ledger, build_group, &asked);
        let replaced = build_group::replaced(&served);
        if replaced.is_empty() {
            return Ok(Vec::new());
        }
        let members: BTreeMap<StructureId, Fingerprint> = build_group.structures.iter().copied().collect();
        let history = self.ledger.history(self.part.entry.id, self.shared, changes);
        let mut adopted = Vec::new();
        for (old, new) in replaced {
            changes.push(self.ledger.move_structure((old, members[&old]), current, history));
            adopted.push(Adopted { from: Some(members[&old]), to: Some(members[&new]) });
        }
        self.ledger.build_groups[current].leave_replaced(self.shared, self.store)?;
        self.ledger.touched = true;
        Ok(adopted)
    }

    fn by_hand(&self, wanted: &str) -> anyhow::Result<usize> {
        let wanted = wanted.to_ascii_lowercase();
        let builds = || {
            self.ledger.build_groups.iter().enumerate().flat_map(|(index, build_group)| {
                build_group.structures.iter().map(move |(_, fingerprint)| (index, fingerprint.short()))
            })
        };
        let mut fitting: Vec<usize> =
            builds().filter(|(_, known)| known.starts_with(&wanted)).map(|(index, _)| index).collect();
        fitting.dedup();
        if let [index] = fitting[..] {
            Ok(index)
        } else {
            let known: Vec<String> = builds().map(|(_, known)| known).collect();
            let message = format!(
                "--adopt \"{}\" fits {} builds of {}, known are: {}",
                in_message(&wanted),
                fitting.len(),
                in_message(&self.part.entry.newest_name().name),
                known.join(", ")
            );
            Err(BadAdoption(message).into())
        }
    }

    /// Returns what is to be remembered of each address that was asked.
    fn address_states(&self) -> BTreeMap<String, AddressState> {
        let Self { unit, part, ledger, shared, .. } = self;
        let now = shared.now;
        let current = ledger.current().map(|current| ledger.build_groups[current].id);
        let mut states = BTreeMap::new();
        for (address, answer) in &ledger.answered {
            let state = AddressState {
                last_answer_at: Some(now),
                fraction: Some(answer.fraction.clone()),
                peeked: unit.peeked(address).or_else(|| part.entry.state(address).peeked),
                other_build: (Some(answer.build_group) != current).then_some(answer.build),
                ..AddressState::default()
            };
            states.insert(address.clone(), state);
        }
        for (address, error) in &ledger.failed {
            let old = part.entry.state(address);
            let retry = old.retry.after_failure(now, &shared.rules.retry);
            states.insert(address.clone(), AddressState { retry, last_error: Some(error.clone()), ..old });
        }
        for (address, (_, build)) in &ledger.elsewhere {
            let state = AddressState { other_build: Some(*build), ..AddressState::default() };
            states.insert(address.clone(), state);
        }
        states
    }

    /// Shows the current build group; `None`, and the fault is noted, where that fails for this key alone.
    fn show_if_can(
        &mut self,
        next: &NextRow<'_>,
        changes: &mut Vec<Change>,
    ) -> anyhow::Result<Option<Shown>> {
        match self.show(next, changes) {
            Err(error) if Reach::of(&error) == Reach::Service => {
                self.ledger.faults.insert(format!("{error:#}"));
                Ok(None)
            }
            shown => shown.map(Some),
        }
    }

    /// Brings the latest row up to what the current build group holds.
    fn show(&mut self, next: &NextRow<'_>, changes: &mut Vec<Change>) -> anyhow::Result<Shown> {
        let Shared { now, rules, .. } = self.shared;
        let NextRow { current, latest, addresses, answered } = *next;
        let entry = self.part.entry;
        let old = &entry.schedule;
        let longest = TimeDelta::from_std(rules.row_at_least_every).unwrap_or(TimeDelta::MAX);
        let is_overdue = |since: Option<DateTime<Utc>>| since.is_some_and(|since| *now - since >= longest);
        let build_group = &self.ledger.build_groups[current];
        let stats =
            latest.and_then(|row| row.stats.as_ref()).filter(|stats| stats.build_group == build_group.id);
        if let Some(stats) = stats
            && !build_group.moved
            && !old.unfinished
            && !entry.came_in
            && !is_overdue(old.counts_moved_at)
        {
            return Ok(Shown {
                changed: false,
                coverage: Some(stats.coverage),
                counts_moved_at: old.counts_moved_at,
            });
        }

        let id = build_group.id;
        let (sum, templates) = self.summed(current)?;
        if self.ledger.replaced.is_empty()
            && !self.ledger.generations.iter().any(|known| known.build_group == id)
        {
            return Ok(Shown::default());
        }
        let profile = sum.into_profile().at_distinct_places();
        let coverage = profile.coverage();
        let covered = covered_digest(&profile.build, &profile.counts);
        let counts = counts_digest(&profile);
        let moved = stats.is_none_or(|stats| stats.counts_digest != counts);
        let is_change = match rules.change {
            ChangeRule::Covered => stats.is_none_or(|stats| stats.covered_digest != covered),
            ChangeRule::Counts => moved,
        };
        let moved_at = moved.then(|| old.counts_moved_at.unwrap_or(*now));
        if !is_change && !is_overdue(moved_at) {
            return Ok(Shown { changed: false, coverage: Some(coverage), counts_moved_at: moved_at });
        }

        let stats = RowStats {
            build_group: id,
            coverage,
            covered_digest: covered,
            counts_digest: counts,
            answered: small(answered),
            listed: small(addresses.len()),
        };
        changes.push(self.stored_row(addresses, stats, &profile, templates)?);
        Ok(Shown { changed: is_change, coverage: Some(coverage), counts_moved_at: None })
    }

    /// Adds what is stored of a build group to what this run heard of it; also returns the templates that took part.
    fn summed(&mut self, build_group: usize) -> anyhow::Result<(Merged, Vec<Arc<Template>>)> {
        let build_group = &mut self.ledger.build_groups[build_group];
        // Held, so that generations of one structure share it.
        let mut templates = Vec::new();
        let mut sum = build_group.sum.take().unwrap_or_else(|| Merged::new(Arc::new(Build::empty())));
        for known in &self.ledger.generations {
            if known.build_group != build_group.id || self.ledger.replaced.contains(&known.id) {
                continue;
            }
            let template = self.shared.template(self.store, known.structure)?;
            let Some(counts) = self.store.counts(known.id, template.build().blocks().len())? else {
                continue;
            };
            sum.add(known.mode, template.build(), &counts)?;
            templates.push(template);
        }
        Ok((sum, templates))
    }

    /// Stores a profile under the next number, and returns its row.
    fn stored_row(
        &self,
        addresses: &[String],
        stats: RowStats,
        profile: &Profile,
        mut templates: Vec<Arc<Template>>,
    ) -> anyhow::Result<Change> {
        let entry = self.part.entry;
        let folder = crate::names::escape(&entry.key.app);
        let workdir = self.shared.locked.workdir();
        let number = self.shared.numbers.next(&folder, || workdir.highest_number(&folder))?;
        let number = number.with_context(|| {
            format!(
                "no number is left for another profile, as {folder}_{HIGHEST_NUMBER} is there; move it out of \
                 {folder}/cov_data"
            )
        })?;
        let path = CovPath::new(&entry.key.app, number).relative();
        templates.extend(self.ledger.templates.iter().map(|(_, template)| Arc::clone(template)));
        let known = templates.iter().find(|known| known.build().fingerprint() == profile.build.fingerprint());
        let mut file_bytes = 0;
        self.shared.locked.store(&path, |out| {
            match known {
                Some(template) => profile::write_known(profile.mode, template, &profile.counts, out)?,
                None => profile::write(profile.mode, &profile.build, &profile.counts, out)?,
            }
            file_bytes = written(out)?;
            Ok(())
        })?;
        Ok(Change::Row(Box::new(NewRow {
            key: entry.key.clone(),
            at: self.shared.now,
            addresses: addresses.to_vec(),
            branch: entry.newest_name().branch.clone(),
            cov_file_path: path,
            number: (folder, number),
            file_bytes,
            stats,
        })))
    }
}

/// Counts the addresses whose last answer was of the build that the key shows. What `states` lacks was not asked now.
fn answered_of(addresses: &[String], states: &BTreeMap<String, AddressState>, entry: &KeyEntry) -> usize {
    let answers = |address: &&String| {
        let state = states.get(*address).cloned().unwrap_or_else(|| entry.state(address));
        state.retry.failures == 0 && state.last_answer_at.is_some() && state.other_build.is_none()
    };
    addresses.iter().filter(answers).count()
}

#[derive(Default)]
struct Shown {
    pub(crate) changed: bool,
    pub(crate) coverage: Option<Coverage>,
    pub(crate) counts_moved_at: Option<DateTime<Utc>>,
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
