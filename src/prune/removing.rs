//! Carrying a plan out: one address at a time, and each time a look at what the center made of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::mpsc::Sender;

use anyhow::Result;

use crate::address::{normal_form, shown_url};
use crate::collect::last_pull::LastPull;
use crate::commands::{Context, warn};
use crate::fleet::assembly::{Fleet, key_and_branch};
use crate::fleet::center_list::ListedService;
use crate::fleet::change::Change;
use crate::fleet::ids::{IdSource, ServiceId};
use crate::fleet::liveness::{Finding, Kinship, Probe};
use crate::fleet::removal::{Action, Judged, Plan, Registration, Renaming, Tombstone};
use crate::io::center::{Client, Effort, HttpError};
use crate::io::clock::Deadline;
use crate::io::store::Store;
use crate::io::workdir::Locked;
use crate::prune::probing::{Prober, Sighting, Target};
use crate::prune::registering::{register, stands};
use crate::prune::watch;

/// The first removals are checked one by one, so that a center which takes them for more than they are is
/// noticed at once; later ones in batches that double up to this, so that a long list is not read a
/// thousand times.
const LARGEST_BATCH: usize = 64;

/// What came of an address that was to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The center lists it no more.
    Removed,
    /// It stands under its right names alone.
    Renamed,
    /// It answered at the last moment.
    Spared(String),
    /// The center lists it still.
    Failed(String),
    /// It was not tried: something before it went wrong, or a signal came.
    NotTried,
}

/// What came of a plan.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    /// By center and address.
    pub(crate) outcomes: BTreeMap<(String, String), Outcome>,
    /// Those that came back since an earlier run, and why one could not be registered again.
    pub(crate) restored: Vec<(Tombstone, Option<String>)>,
    /// Those that a center dropped though nobody named them, and why one could not be registered again.
    pub(crate) dropped: Vec<(Tombstone, Option<String>)>,
    /// The deadline ended it before all was done.
    pub(crate) is_cut: bool,
}

impl Removal {
    /// Tells whether something was not done that should have been.
    pub(crate) fn has_failures(&self) -> bool {
        let is_short = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_) | Outcome::NotTried);
        self.outcomes.values().any(is_short)
            || self.restored.iter().any(|(_, error)| error.is_some())
            || !self.dropped.is_empty()
    }
}

/// Carries a plan out, under the lock.
pub(crate) struct Remover<'a> {
    pub(crate) context: &'a Context,
    pub(crate) prober: &'a Prober<'a>,
    /// For the last pulls.
    pub(crate) pulling: &'a Client,
    pub(crate) locked: &'a Locked,
    pub(crate) store: &'a Store,
    pub(crate) ids: &'a IdSource,
    pub(crate) fleet: &'a Fleet,
    /// Takes what was removed, to look after it.
    pub(crate) gone: &'a Sender<Vec<Tombstone>>,
}

/// A name with an address under it.
type KeyEntry = (String, String);

impl Remover<'_> {
    pub(crate) fn carry_out(&self, plan: &Plan) -> Result<Removal> {
        let mut removal = Removal::default();
        if !self.is_over() {
            let restores: Vec<&Tombstone> = plan.restores.iter().collect();
            let errors = register(&self.prober.patient, &restores);
            removal.restored = plan.restores.iter().cloned().zip(errors).collect();
        }

        let mut by_center: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
        for judged in &plan.judged {
            if matches!(judged.action, Action::Remove | Action::Rename(_)) {
                by_center.entry(&judged.listed.center).or_default().push(judged);
            }
        }
        for (center, planned) in by_center {
            for judged in &planned {
                let listing = (center.to_owned(), judged.listed.address.clone());
                removal.outcomes.insert(listing, Outcome::NotTried);
            }
            // Who came back a moment ago stands in the list, too.
            let is_back = |(tombstone, error): &&(Tombstone, Option<String>)| {
                tombstone.center == center && error.is_none()
            };
            let returned = removal.restored.iter().filter(is_back);
            let mut expected = self.listed_by(center);
            expected.extend(returned.map(|(it, _)| (it.service.clone(), it.address.clone())));
            let (renamed, dead): (Vec<&Judged>, Vec<&Judged>) =
                planned.into_iter().partition(|judged| matches!(judged.action, Action::Rename(_)));
            if self.remove_dead(center, &dead, &mut expected, &mut removal)? {
                self.rename(center, &renamed, &mut expected, &mut removal)?;
            }
        }
        let is_done = removal.restored.len() == plan.restores.len()
            && removal.outcomes.values().all(|outcome| *outcome != Outcome::NotTried);
        removal.is_cut = self.prober.deadline.has_passed() && !is_done;
        Ok(removal)
    }

    /// Removes what is dead; tells whether the center can be trusted with more.
    fn remove_dead(
        &self,
        center: &str,
        dead: &[&Judged],
        expected: &mut BTreeSet<KeyEntry>,
        removal: &mut Removal,
    ) -> Result<bool> {
        let mut rest = dead;
        let mut size = 1;
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            let Some(going) = self.last_look(batch, removal)? else { return Ok(false) };
            rest = after;
            if going.is_empty() {
                continue;
            }
            let tombstones = self.tombstones(&going)?;
            self.write(tombstones.iter().cloned().map(Change::Buried))?;
            let (sent, is_there) = self.send(center, &going, removal);
            let listed = self.finishing().list(center);
            let is_sound = self.settle(center, &sent, &tombstones, listed, expected, removal)?;
            if !is_sound || !is_there || self.is_over() {
                return Ok(false);
            }
            size = (size * 2).min(LARGEST_BATCH);
        }
        Ok(true)
    }

    fn is_over(&self) -> bool {
        self.prober.is_over()
    }

    /// Returns the client for what must not be left half done: to learn what became of a removal, and to register
    /// again. Its requests have a timeout of their own.
    fn finishing(&self) -> Client {
        self.prober.patient.until(Deadline::NONE)
    }

    /// Probes once more, and gives what may still answer one last pull; returns those that go all the same.
    fn last_look<'j>(&self, batch: &[&'j Judged], removal: &mut Removal) -> Result<Option<Vec<&'j Judged>>> {
        // Spellings of one address are one process, which is asked once.
        let targets: BTreeMap<&str, Target> = batch
            .iter()
            .map(|judged| (judged.listed.identity.as_str(), self.target(judged, false)))
            .collect();
        let targets: Vec<Target> = targets.into_values().collect();
        let Some(seen) = self.prober.look(&targets, Effort::Quick)? else { return Ok(None) };
        let mut found: HashMap<&str, Probe> =
            targets.iter().zip(seen).map(|(target, seen)| (target.address.as_str(), seen.probe)).collect();
        // Only what accepts a connection can have anything to say.
        let silent = |address: &str| found[address].finding == Finding::Silent;
        let asked: BTreeSet<String> =
            targets.iter().filter(|it| silent(&it.address)).map(|it| it.address.clone()).collect();
        let answered = self.last_pull(&asked)?;
        if self.is_over() {
            return Ok(None);
        }
        // A profile that is too large for a pull, or breaks off, is an agent's all the same.
        let doubtful: Vec<Target> = targets
            .iter()
            .filter(|it| asked.contains(&it.address) && !answered.contains(&it.address))
            .cloned()
            .collect();
        let Some(seen) = self.prober.look(&doubtful, Effort::Thorough)? else { return Ok(None) };
        for (target, seen) in doubtful.iter().zip(seen) {
            if let Some(probe) = found.get_mut(target.address.as_str()) {
                *probe = seen.probe;
            }
        }
        let (mut going, mut changes) = (Vec::new(), Vec::new());
        for judged in batch {
            let address = &judged.listed.identity;
            let probe = &found[address.as_str()];
            let spared = match probe.finding {
                _ if answered.contains(address) => Some("it answered the last pull".to_owned()),
                Finding::Alive => Some("it answers again".to_owned()),
                Finding::Withheld => Some(probe.detail.clone()),
                _ => None,
            };
            let Some(why) = spared else {
                going.push(*judged);
                continue;
            };
            if probe.finding != Finding::Withheld {
                changes.push(Change::Unsuspected(address.clone()));
            }
            removal.outcomes.insert(listing(judged), Outcome::Spared(why));
        }
        self.write(changes)?;
        Ok(Some(going))
    }

    /// Pulls once more; returns the addresses that answered.
    fn last_pull(&self, addresses: &BTreeSet<String>) -> Result<BTreeSet<String>> {
        if addresses.is_empty() {
            return Ok(BTreeSet::new());
        }
        let last_pull = LastPull {
            client: self.pulling,
            signals: self.prober.signals,
            locked: self.locked,
            store: self.store,
            ids: self.ids,
            concurrency: self.prober.concurrency,
            deadline: self.prober.deadline,
            config: &self.context.config.pull,
            now: self.context.now(),
        };
        last_pull.ask(addresses, &self.fleet.entries)
    }

    /// Sends the removals; returns those that the center took, and whether it is there still.
    ///
    /// One that it refuses does not stop the others.
    fn send<'j>(&self, center: &str, going: &[&'j Judged], removal: &mut Removal) -> (Vec<&'j Judged>, bool) {
        let mut sent = Vec::new();
        for judged in going {
            if self.is_over() {
                return (sent, false);
            }
            match self.finishing().remove(center, &judged.listed.address) {
                Ok(()) => sent.push(*judged),
                Err(error) => {
                    removal.outcomes.insert(listing(judged), Outcome::Failed(error.to_string()));
                    if !matches!(error, HttpError::Status { .. }) {
                        return (sent, false);
                    }
                }
            }
        }
        (sent, true)
    }

    /// Finds out what the center made of what was sent; tells whether it did nothing beyond that.
    fn settle(
        &self,
        center: &str,
        sent: &[&Judged],
        tombstones: &[Tombstone],
        listed: Result<Vec<ListedService>, HttpError>,
        expected: &mut BTreeSet<KeyEntry>,
        removal: &mut Removal,
    ) -> Result<bool> {
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => {
                // Their tombstones stay: the center may have carried it out.
                for judged in sent {
                    let error = format!("it is not known whether the center carried it out: {error}");
                    removal.outcomes.insert(listing(judged), Outcome::Failed(error));
                }
                return Ok(false);
            }
        };
        let standing = entries(&listed);
        let still_there: BTreeSet<&str> = standing.iter().map(|(_, address)| address.as_str()).collect();
        let services = self.services_at(center);
        let (mut changes, mut gone) = (Vec::new(), Vec::new());
        for judged in sent {
            let address = judged.listed.address.as_str();
            let buried = tombstones.iter().filter(|tombstone| tombstone.address == address);
            if still_there.contains(address) {
                let error = "the center said yes, and lists it still".to_owned();
                removal.outcomes.insert(listing(judged), Outcome::Failed(error));
                changes.extend(buried.cloned().map(Change::Exhumed));
                continue;
            }
            expected.retain(|(_, known)| known != address);
            removal.outcomes.insert(listing(judged), Outcome::Removed);
            changes.push(Change::Unsuspected(judged.listed.identity.clone()));
            changes.extend(services.get(address).into_iter().flatten().map(|service| Change::Unlisted {
                service: *service,
                address: address.to_owned(),
                at: self.context.now(),
            }));
            gone.extend(buried.cloned());
        }
        self.write(changes)?;
        // The other end is gone only where the watch failed, which is said when it is joined.
        let _ = self.gone.send(gone);
        let lost = missing(expected, &standing);
        self.bring_back(center, lost, expected, removal)
    }

    /// Registers again whoever is alive and gone from the list though nobody named it; tells whether there
    /// was none.
    ///
    /// A process that ends takes itself off the list and answers no more, so it is none of these.
    fn bring_back(
        &self,
        center: &str,
        lost: Vec<KeyEntry>,
        expected: &mut BTreeSet<KeyEntry>,
        removal: &mut Removal,
    ) -> Result<bool> {
        if lost.is_empty() {
            return Ok(true);
        }
        let at = self.context.now();
        let mut tombstones = Vec::new();
        for (service, address) in lost {
            let build = self.store.last_build(&service, &normal_form(&address))?;
            let center = center.to_owned();
            expected.remove(&(service.clone(), address.clone()));
            tombstones.push(Tombstone { center, address, service, build, removed_at: at, was_alive: false });
        }
        let naming = &self.context.config.naming;
        let targets: Vec<Target> = tombstones.iter().map(|it| watch::target(it, naming)).collect();
        // Before they are asked: a run that ends here leaves them to the next one.
        self.write(tombstones.iter().cloned().map(Change::Buried))?;
        let Some(seen) = self.prober.look(&targets, Effort::Thorough)? else { return Ok(false) };
        let (living, gone): (Vec<_>, Vec<_>) = tombstones
            .into_iter()
            .zip(seen)
            .partition(|(_, sighting)| sighting.probe.finding == Finding::Alive);
        self.write(gone.into_iter().map(|(tombstone, _)| Change::Exhumed(tombstone)))?;
        let living: Vec<Tombstone> = living
            .into_iter()
            .map(|(tombstone, sighting)| Tombstone { build: sighting.build, was_alive: true, ..tombstone })
            .collect();
        self.write(living.iter().cloned().map(Change::Buried))?;
        if living.is_empty() {
            return Ok(true);
        }
        warn(format!(
            "center \"{}\" lost {} addresses that answer and that nobody asked it to remove; they are \
             registered again, and nothing more is removed there",
            shown_url(center),
            living.len()
        ));
        let errors = register(&self.finishing(), &living.iter().collect::<Vec<_>>());
        removal.dropped.extend(living.into_iter().zip(errors));
        Ok(false)
    }

    /// Registers addresses under their right names alone, by removing each for a moment.
    fn rename(
        &self,
        center: &str,
        renamed: &[&Judged],
        expected: &mut BTreeSet<KeyEntry>,
        removal: &mut Removal,
    ) -> Result<()> {
        for judged in renamed {
            let Action::Rename(renaming) = &judged.action else { continue };
            if self.is_over() {
                break;
            }
            let Some(seen) = self.prober.look(&[self.target(judged, true)], Effort::Thorough)? else { break };
            if !self.is_as_planned(renaming, &seen[0]) {
                let why = "what it serves changed meanwhile".to_owned();
                removal.outcomes.insert(listing(judged), Outcome::Spared(why));
                continue;
            }
            let removed_at = self.context.now();
            let tombstones = renaming.right.iter().cloned().map(|Registration { service, address }| {
                let (center, build) = (center.to_owned(), seen[0].build);
                Tombstone { center, address, service, build, removed_at, was_alive: true }
            });
            let tombstones: Vec<Tombstone> = tombstones.collect();
            self.write(tombstones.iter().cloned().map(Change::Buried))?;
            match self.send(center, &[judged], removal) {
                (sent, true) if sent.is_empty() => continue,
                (_, true) => {}
                (_, false) => break,
            }
            let finishing = self.finishing();
            let errors = register(&finishing, &tombstones.iter().collect::<Vec<_>>());
            let listed = finishing.list(center);
            let is_stale = |listed: &[ListedService]| {
                renaming.stale.iter().any(|stale| stands(listed, stale, &judged.listed.address))
            };
            let outcome = match (errors.into_iter().flatten().next(), &listed) {
                (Some(error), _) => Outcome::Failed(error),
                (None, Err(error)) => Outcome::Failed(error.to_string()),
                (None, Ok(listed)) if is_stale(listed) => {
                    Outcome::Failed("the center said yes, and lists the stale name still".to_owned())
                }
                (None, Ok(_)) => Outcome::Renamed,
            };
            let is_done = outcome == Outcome::Renamed;
            removal.outcomes.insert(listing(judged), outcome);
            expected.retain(|(_, address)| *address != judged.listed.address);
            let standing = entries(listed.as_deref().unwrap_or_default());
            let lost = if listed.is_ok() { missing(expected, &standing) } else { Vec::new() };
            let is_sound = self.bring_back(center, lost, expected, removal)?;
            if is_done {
                self.write(tombstones.iter().cloned().map(Change::Exhumed))?;
            }
            if is_done && is_sound {
                continue;
            }
            if !is_done {
                // It lives, and may be lost: it is tried again while the watch lasts, and in the next runs.
                let _ = self.gone.send(tombstones);
            }
            break;
        }
        Ok(())
    }

    /// Tells whether what an address serves is still what its right names show and its stale ones do not.
    fn is_as_planned(&self, renaming: &Renaming, sighting: &Sighting) -> bool {
        let kinship =
            |service: &String| sighting.kinship(&key_and_branch(&self.context.config.naming, service).0);
        let differs = |service| kinship(service) == Some(Kinship::Other);
        renaming.right.iter().any(|right| kinship(&right.service) == Some(Kinship::Own))
            && renaming.stale.iter().all(differs)
    }

    fn target(&self, judged: &Judged, wants_build: bool) -> Target {
        let naming = &self.context.config.naming;
        let right = match &judged.action {
            Action::Rename(renaming) => &renaming.right[..],
            _ => &[],
        };
        let names = judged.listed.names.iter().map(|name| &name.service);
        let names = names.chain(right.iter().map(|right| &right.service));
        let mut keys: Vec<_> = names.map(|name| key_and_branch(naming, name).0).collect();
        keys.dedup();
        Target { address: judged.listed.identity.clone(), keys, wants_build }
    }

    /// Returns what is to be remembered of addresses that go, one for each name.
    fn tombstones(&self, going: &[&Judged]) -> Result<Vec<Tombstone>> {
        let mut tombstones = Vec::new();
        for judged in going {
            for name in &judged.listed.names {
                tombstones.push(Tombstone {
                    center: judged.listed.center.clone(),
                    address: judged.listed.address.clone(),
                    service: name.service.clone(),
                    build: self.store.last_build(&name.service, &judged.listed.identity)?,
                    removed_at: self.context.now(),
                    was_alive: false,
                });
            }
        }
        Ok(tombstones)
    }

    fn listed_by(&self, center: &str) -> BTreeSet<KeyEntry> {
        let members = self.fleet.entries.iter().flat_map(|entry| &entry.members);
        let listings =
            members.flat_map(|member| member.listings.iter().map(|listing| (&member.name, listing)));
        listings
            .filter(|(_, listing)| *listing.center == *center && !listing.assumed)
            .map(|(name, listing)| (name.clone(), (*listing.listed_as).to_owned()))
            .collect()
    }

    fn services_at(&self, center: &str) -> HashMap<&str, Vec<ServiceId>> {
        let mut services: HashMap<&str, Vec<ServiceId>> = HashMap::new();
        for member in self.fleet.entries.iter().flat_map(|entry| &entry.members) {
            for listing in member.listings.iter().filter(|listing| *listing.center == *center) {
                services.entry(&listing.listed_as).or_default().push(member.id);
            }
        }
        services
    }

    /// Writes changes so that they survive a power cut.
    fn write(&self, changes: impl IntoIterator<Item = Change>) -> Result<()> {
        let mut writer = self.store.writer(self.locked.held());
        for change in changes {
            writer.apply(&change)?;
        }
        writer.commit()?;
        Ok(())
    }
}

fn listing(judged: &Judged) -> (String, String) {
    (judged.listed.center.clone(), judged.listed.address.clone())
}

fn entries(listed: &[ListedService]) -> BTreeSet<KeyEntry> {
    let of = |service: &ListedService| -> Vec<KeyEntry> {
        service.addresses.iter().map(|address| (service.name.clone(), address.clone())).collect()
    };
    listed.iter().flat_map(of).collect()
}

fn missing(expected: &BTreeSet<KeyEntry>, standing: &BTreeSet<KeyEntry>) -> Vec<KeyEntry> {
    expected.difference(standing).cloned().collect()
}
