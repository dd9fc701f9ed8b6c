//! A model of pods that are pulled, start again and leave files, by which the rules for left counters are tested.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::counters::fell;
use super::left_pool::{LeftCounts, LeftPool, PulledOwner, SettledPool, may_be_before, may_be_of};
use super::process_snapshots::ProcessSnapshots;
use super::snapshot::{beyond, larger};
use crate::profile::{Mode, add_all};

const BLOCKS: usize = 6;
/// Number of the blocks that tell processes apart: each process executes one that no other process executes.
const OWN_BLOCKS: usize = 64;

/// An event of a service of which each process has the id 1.
#[derive(Clone, Debug)]
enum Event {
    Hits(usize, Vec<u64>),
    /// A process writes its counters into its folder, where they arrive at once or after the next pull.
    Write(usize, bool),
    /// A container starts again, or another pod takes the place of this one. The process may leave its counters.
    Start {
        place: usize,
        leaves: Option<bool>,
        is_same_pod: bool,
    },
    /// A pull takes the files in and asks some of the pods.
    Pull(u8),
    /// A pull that is killed after these pods have answered, so that nothing is settled.
    Cut(u8),
}

fn event() -> impl Strategy<Value = Event> {
    let hits = prop::collection::vec(prop_oneof![4 => Just(0), 2 => 1..3_u64, 1 => 20..40_u64], BLOCKS);
    let is_late = || prop::bool::weighted(0.2);
    let start = (0..2_usize, prop::option::of(is_late()), any::<bool>());
    prop_oneof![
        6 => (0..2_usize, hits).prop_map(|(place, hits)| Event::Hits(place, hits)),
        1 => (0..2_usize, is_late()).prop_map(|(place, is_late)| Event::Write(place, is_late)),
        2 => start.prop_map(|(place, leaves, is_same_pod)| Event::Start { place, leaves, is_same_pod }),
        2 => Just(Event::Pull(u8::MAX)),
        2 => any::<u8>().prop_map(Event::Pull),
        1 => any::<u8>().prop_map(Event::Cut),
    ]
}

/// The folders into which processes write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Folders {
    /// All pods write into one.
    Shared,
    /// Each pod has its own, but no list of targets names the pods.
    OfPods,
    /// Each pod has its own. The list of targets names the pods, so that a file may only be of a process of its pod.
    OfNamedPods,
}

/// The facts that are told of processes.
#[derive(Clone, Copy, Debug)]
struct Told {
    mode: Mode,
    folders: Folders,
    /// Agents tell when they read their counters.
    time: bool,
    /// Each process executes a block that no other one does.
    own_block: bool,
    /// Lives of a folder that are held apart.
    most_lives: usize,
}

impl Told {
    /// Tells whether a file in this folder may be of a process.
    fn is_kin(self, container: &Container, folder: usize) -> bool {
        self.folders != Folders::OfNamedPods || container.folder == folder
    }
}

/// A life of a process that left files.
#[derive(Clone, Debug)]
struct Left {
    counts: Vec<u64>,
    surplus: Vec<u64>,
    /// `None`: no pulled life had a part of it so far.
    owners: Option<BTreeSet<usize>>,
    taken_in: usize,
}

/// The life with the rest of what a process left.
#[derive(Clone, Debug)]
struct Rest {
    counts: Vec<u64>,
    owners: Option<BTreeSet<usize>>,
}

/// Counters that a process wrote.
struct File {
    process: usize,
    counts: Vec<u64>,
    /// The file arrives after the next pull.
    is_late: bool,
}

#[derive(Default)]
struct Folder {
    files: Vec<File>,
    lives: Vec<Left>,
    rest: Option<Rest>,
}

impl Folder {
    fn is_pooled(&self) -> bool {
        self.lives.iter().any(|life| life.owners.is_some())
            || self.rest.as_ref().is_some_and(|rest| rest.owners.is_some())
    }

    fn owners(&self) -> impl Iterator<Item = usize> {
        let of_lives = self.lives.iter().filter_map(|life| life.owners.as_ref());
        of_lives.chain(self.rest.iter().filter_map(|rest| rest.owners.as_ref())).flatten().copied()
    }
}

/// A process, of which the list of targets tells the pod and the restarts, so that its life is known for certain.
struct Container {
    pod: usize,
    folder: usize,
    counts: Vec<u64>,
    /// The counters of its pulled life.
    pulled: Option<Vec<u64>>,
    /// The life moved since the last settlement.
    unsettled: Option<Unsettled>,
    /// The largest counts that were seen of it.
    shown: Vec<u64>,
}

/// A pulled life that moved since the last settlement.
struct Unsettled {
    /// Its counters then; `None`: it was not there.
    before: Option<Vec<u64>>,
    /// The last answer that moved it, and the first one that did so.
    runs: [usize; 2],
}

/// The store of the service, as `collect::inbox` and `collect::settling` keep it.
struct Model {
    told: Told,
    containers: Vec<Container>,
    folders: Vec<Folder>,
    run: usize,
    /// Files or answers came in since the last settlement.
    is_unfinished: bool,
}

impl Model {
    fn start(&mut self, pod: usize) -> usize {
        let mut counts = vec![0; BLOCKS + OWN_BLOCKS];
        if self.told.own_block {
            counts[BLOCKS + self.containers.len()] = 1;
        }
        let folder = if self.told.folders == Folders::Shared { 0 } else { pod };
        self.containers.push(Container {
            pod,
            folder,
            shown: vec![0; counts.len()],
            counts,
            pulled: None,
            unsettled: None,
        });
        self.folders.resize_with(self.folders.len().max(folder + 1), Folder::default);
        self.containers.len() - 1
    }

    fn write(&mut self, number: usize, is_late: bool) {
        let Container { folder, counts, .. } = &self.containers[number];
        self.folders[*folder].files.push(File { process: number, counts: counts.clone(), is_late });
    }

    /// Takes the files of a folder in; tells whether they brought anything.
    fn take_in(&mut self, number: usize) -> bool {
        let Told { mode, most_lives, .. } = self.told;
        let (late, files): (Vec<File>, _) =
            std::mem::take(&mut self.folders[number].files).into_iter().partition(|file| file.is_late);
        self.folders[number].files.extend(late.into_iter().map(|file| File { is_late: false, ..file }));
        for File { process, counts, .. } in &files {
            let shown = &mut self.containers[*process].shown;
            *shown = larger(shown, counts);
        }
        let pulled: Vec<(usize, Vec<u64>)> = self.kin(number).collect();
        let claimed: BTreeSet<usize> = (0..self.folders.len())
            .filter(|&other| other != number)
            .flat_map(|other| self.folders[other].owners())
            .collect();
        let run = self.run;
        let folder = &mut self.folders[number];
        let is_pooled = folder.is_pooled();
        let rest = folder.rest.as_ref().filter(|_| !is_pooled).map(|rest| rest.counts.clone());
        let lives = folder.lives.iter().map(|life| life.counts.clone()).collect();
        let mut snapshots = ProcessSnapshots::from_stored(mode, lives, rest).with_most_lives(most_lives);
        let (mut is_changed, mut has_moved) = (false, false);
        for File { counts, .. } in files {
            let is_new = snapshots.add(&counts);
            is_changed |= is_new;
            let mut unclaimed = pulled.iter().filter(|(life, _)| !claimed.contains(life));
            has_moved |= is_new && !unclaimed.any(|(_, pulled)| !fell(&counts, pulled));
        }
        if !is_changed {
            return false;
        }
        let stored = std::mem::take(&mut folder.lives);
        let owners_of = |counts: &Vec<u64>| {
            let stored =
                stored.iter().find(|life| life.counts == *counts).and_then(|life| life.owners.clone());
            let may_own = pulled.iter().filter(|(_, pulled)| may_be_of(mode, counts, pulled));
            stored.unwrap_or_else(|| may_own.map(|(life, _)| *life).collect())
        };
        let owners: Vec<BTreeSet<usize>> = snapshots.lives().iter().map(owners_of).collect();
        let rest = snapshots.rest();
        let is_rest_known = pulled.is_empty() || rest == folder.rest.as_ref().map(|rest| rest.counts.clone());
        if !is_pooled && owners.iter().all(BTreeSet::is_empty) && is_rest_known {
            let life = |counts: &Vec<u64>| match stored.iter().find(|life| life.counts == *counts) {
                Some(life) => life.clone(),
                None => Left { counts: counts.clone(), surplus: counts.clone(), owners: None, taken_in: run },
            };
            folder.lives = snapshots.lives().iter().map(life).collect();
            folder.rest = rest.map(|counts| Rest { counts, owners: None });
            return has_moved;
        }
        let mut counted = vec![0; snapshots.total().len()];
        for life in &stored {
            add_all(&mut counted, &life.surplus);
        }
        let had = stored.iter().filter_map(|life| life.owners.as_ref()).flatten();
        let lost: BTreeSet<usize> =
            had.filter(|owner| !owners.iter().any(|owners| owners.contains(owner))).copied().collect();
        for (counts, owners) in snapshots.lives().iter().zip(owners) {
            let surplus = std::mem::replace(&mut counted, vec![0; counts.len()]);
            let (counts, owners) = (counts.clone(), Some(owners));
            folder.lives.push(Left { counts, surplus, owners, taken_in: run });
        }
        let none = || Rest { counts: vec![0; BLOCKS + OWN_BLOCKS], owners: None };
        if !lost.is_empty() {
            folder.rest.get_or_insert_with(none).owners.get_or_insert_default().extend(lost);
        }
        if rest.is_some() {
            let mut held = self.counted_in_pool();
            for (_, pulled) in &pulled {
                add_all(&mut held, pulled);
            }
            let unheld = beyond(snapshots.total(), &held);
            if unheld.iter().any(|count| *count > 0) {
                let rest = self.folders[number].rest.get_or_insert_with(none);
                add_all(&mut rest.counts, &unheld);
                rest.owners.get_or_insert_default().extend(pulled.iter().map(|(life, _)| *life));
            }
        }
        has_moved
    }

    /// Returns the counts of files and rests that are added to those of pulled lives, which may hold a part of them.
    fn counted_in_pool(&self) -> Vec<u64> {
        let mut counted = vec![0; BLOCKS + OWN_BLOCKS];
        for folder in &self.folders {
            let lives = folder.lives.iter().filter(|life| life.owners.is_some());
            lives.for_each(|life| add_all(&mut counted, &life.surplus));
            folder.rest.iter().for_each(|rest| add_all(&mut counted, &rest.counts));
        }
        counted
    }

    /// The pulled lives that may be of the processes of a folder.
    fn kin(&self, folder: usize) -> impl Iterator<Item = (usize, Vec<u64>)> {
        let all = self.containers.iter().enumerate();
        let kin = all.filter(move |(_, container)| self.told.is_kin(container, folder));
        kin.filter_map(|(number, container)| Some((number, container.pulled.clone()?)))
    }

    /// Takes the files in and asks the processes of these places.
    fn ask(&mut self, running: &[usize], asked: u8) {
        self.run += 1;
        for folder in 0..self.folders.len() {
            self.is_unfinished |= self.take_in(folder);
        }
        let asked = running.iter().enumerate().filter(|(place, _)| asked & (1 << place) > 0);
        asked.for_each(|(_, number)| self.pull(*number));
    }

    /// Pulls a process.
    fn pull(&mut self, number: usize) {
        let container = &mut self.containers[number];
        let before = container.pulled.replace(container.counts.clone());
        container.shown.clone_from(&container.counts);
        if before.as_ref() != Some(&container.counts) {
            let unsettled = Unsettled { before, runs: [self.run; 2] };
            container.unsettled.get_or_insert(unsettled).runs[0] = self.run;
            self.is_unfinished = true;
        }
    }

    fn settle(&mut self) {
        if !std::mem::take(&mut self.is_unfinished) {
            return;
        }
        let Self { told, containers, folders, run, .. } = self;
        let mode = told.mode;
        let moved =
            |(number, container): (usize, &mut Container)| Some((number, container.unsettled.take()?));
        let moved: Vec<(usize, Unsettled)> = containers.iter_mut().enumerate().filter_map(moved).collect();
        let mut ids = BTreeSet::new();
        let mut pooled: Vec<(usize, usize)> = Vec::new();
        for (pod, folder) in folders.iter_mut().enumerate() {
            let kin: Vec<_> =
                moved.iter().filter(|(number, _)| told.is_kin(&containers[*number], pod)).collect();
            let is_new = |of: &Unsettled| of.before.is_none() || of.runs[1] < *run;
            let new: Vec<usize> =
                kin.iter().filter(|(_, of)| is_new(of)).map(|(number, _)| *number).collect();
            let has_owned_rest =
                folder.rest.as_ref().is_some_and(|rest| rest.owners.is_some() || !new.is_empty());
            for (index, left) in folder.lives.iter_mut().enumerate() {
                let mut owners = left.owners.clone().unwrap_or_default();
                for (number, of) in &kin {
                    let now = containers[*number].pulled.as_ref().unwrap();
                    let is_later = left.taken_in < *run && of.runs[0] == *run;
                    let may_own = match is_later && of.before.is_some() && told.time {
                        true => may_be_before(mode, &left.counts, now),
                        false => may_be_of(mode, &left.counts, now),
                    };
                    match may_own {
                        true if is_new(of) => _ = owners.insert(*number),
                        true => {}
                        false => _ = owners.remove(number),
                    }
                }
                if left.owners.is_some() || !owners.is_empty() || has_owned_rest {
                    ids.extend(left.owners.iter().flatten().copied());
                    ids.extend(owners.iter().chain(&new).copied());
                    left.owners = Some(owners);
                    pooled.push((pod, index));
                }
            }
        }
        let Some(&(first, _)) = pooled.first() else { return };
        let (mut rest, mut rest_at) = (vec![0; BLOCKS + OWN_BLOCKS], None);
        for (pod, folder) in folders.iter_mut().enumerate() {
            let is_pooled = folder.lives.iter().any(|life| life.owners.is_some());
            if let Some(known) = folder.rest.take_if(|_| is_pooled) {
                add_all(&mut rest, &known.counts);
                ids.extend(known.owners.into_iter().flatten());
                rest_at = rest_at.or(Some(pod));
            }
        }
        let ids: Vec<usize> = ids.into_iter().collect();
        let place = |id: &usize| ids.binary_search(id).unwrap();
        let owner = |id: &usize| {
            let counts = containers[*id].pulled.clone();
            let grown = moved
                .iter()
                .find(|(number, _)| number == id)
                .map(|(_, of)| beyond(counts.as_ref().unwrap(), of.before.as_deref().unwrap_or_default()));
            PulledOwner { counts, grown: grown.unwrap_or_default() }
        };
        let left = |&(pod, index): &(usize, usize)| {
            let Left { counts, surplus, owners, .. } = folders[pod].lives[index].clone();
            LeftCounts { counts, surplus, owners: owners.iter().flatten().map(place).collect() }
        };
        let left = pooled.iter().map(left).collect();
        let pool = LeftPool { pulled: ids.iter().map(owner).collect(), left, rest, mixed: Vec::new() };
        let SettledPool { surpluses, rest } = pool.settled();
        for ((pod, index), surplus) in pooled.into_iter().zip(surpluses) {
            folders[pod].lives[index].surplus = surplus;
        }
        if rest.iter().any(|count| *count > 0) {
            let owners = Some(ids.into_iter().collect());
            folders[rest_at.unwrap_or(first)].rest = Some(Rest { counts: rest, owners });
        }
    }

    fn total(&self) -> Vec<u64> {
        let mut total = vec![0; BLOCKS + OWN_BLOCKS];
        self.containers
            .iter()
            .filter_map(|it| it.pulled.as_ref())
            .for_each(|counts| add_all(&mut total, counts));
        for folder in &self.folders {
            folder.lives.iter().for_each(|life| add_all(&mut total, &life.surplus));
            folder.rest.iter().for_each(|rest| add_all(&mut total, &rest.counts));
        }
        total
    }

    fn truth(&self) -> Vec<u64> {
        let mut truth = vec![0; BLOCKS + OWN_BLOCKS];
        self.containers.iter().for_each(|container| add_all(&mut truth, &container.shown));
        truth
    }
}

/// Plays the events, and compares the stored counts with the true ones after each pull.
fn check(told: Told, events: &[Event]) -> Result<(), TestCaseError> {
    let mut model = Model { told, containers: Vec::new(), folders: Vec::new(), run: 0, is_unfinished: false };
    let mut running = [0, 1].map(|pod| model.start(pod));
    let mut before = model.total();
    for event in events {
        match event {
            Event::Hits(place, hits) => {
                add_all(&mut model.containers[running[*place]].counts[..BLOCKS], hits);
            }
            Event::Write(place, is_late) => model.write(running[*place], *is_late),
            &Event::Start { place, leaves, is_same_pod } => {
                if let Some(is_late) = leaves {
                    model.write(running[place], is_late);
                }
                let pod = match is_same_pod {
                    true => model.containers[running[place]].pod,
                    false => model.containers.len(),
                };
                running[place] = model.start(pod);
            }
            Event::Cut(asked) => model.ask(&running, *asked),
            Event::Pull(asked) => {
                model.ask(&running, *asked);
                model.settle();
                let (total, truth) = (model.total(), model.truth());
                for block in 0..total.len() {
                    prop_assert!(total[block] <= truth[block], "{:?} above {:?} in {}", total, truth, block);
                    prop_assert_eq!(total[block] > 0, truth[block] > 0, "{}", block);
                    prop_assert!(before[block] <= total[block], "{:?} fell to {:?}", before, total);
                }
                prop_assert!(
                    !told.own_block || told.most_lives < 64 || total == truth,
                    "{:?} below {:?}",
                    total,
                    truth
                );
                before = larger(&before, &total);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn files_and_lives_of_pods_that_start_again_are_never_overstated_and_never_fall(
        mode in prop::sample::select(vec![Mode::Count, Mode::Atomic]),
        folders in prop::sample::select(vec![Folders::Shared, Folders::OfPods, Folders::OfNamedPods]),
        time in any::<bool>(),
        own_block in prop::bool::weighted(0.2),
        most_lives in prop::sample::select(vec![2, 64]),
        events in prop::collection::vec(event(), 1..60),
    ) {
        check(Told { mode, folders, time, own_block, most_lives }, &events)?;
    }
}
