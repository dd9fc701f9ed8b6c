//! Processes that left their counters in folders beside processes that were pulled, where nothing tells which are the same.
//!
//! In containers each process has the id 1, and without the name of its pod a file may be of each pulled life that it
//! goes on with, or that goes on with it. One life is of one process, and so are the counters that a process left. The
//! files and the lives of a pool are therefore paired such that most counts are the same: in each block, the largest
//! count of a file belongs to the largest count of a life, the second one to the second one, and so on. The sum is never
//! above the true one, whoever the owners are, and exact where each file has one possible owner.
//!
//! A later file can take the place of two others, and an answer can show a further possible owner. Then the sum would be
//! smaller than before, though both are lower bounds of the true one. So the rest of the larger one is counted, too.

use std::collections::BTreeSet;

use super::counters::continues;
use super::process_snapshots::{SnapshotOrder, snapshot_order};
use super::snapshot::{beyond, larger};
use crate::profile::{MAX_COUNT, Mode, add_all};

/// Bytes of sorted counts that are held at a time. Further files count as one process.
const MOST_BYTES: usize = 32 << 20;

/// Tells whether counters that a process left may be those of a pulled life, whichever is the later one.
pub(crate) fn may_be_of(mode: Mode, left: &[u64], pulled: &[u64]) -> bool {
    snapshot_order(mode, left, pulled) != SnapshotOrder::Apart
}

/// Tells whether counters that were taken in before an answer may be those of its process, which has counted them all.
pub(crate) fn may_be_before(mode: Mode, left: &[u64], answered: &[u64]) -> bool {
    continues(mode, left, answered)
}

/// A pulled life that may own files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PulledOwner {
    /// Its counters; `None`: it was joined with other lives of its address.
    pub(crate) counts: Option<Vec<u64>>,
    /// The counts that it has gained since the surpluses were stored.
    pub(crate) grown: Vec<u64>,
}

/// Counters that a process left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftCounts {
    /// The counters as they were left.
    pub(crate) counts: Vec<u64>,
    /// The part of them that is counted beside the lives, as it is stored.
    pub(crate) surplus: Vec<u64>,
    /// Indices of the lives to which they may belong.
    pub(crate) owners: BTreeSet<usize>,
}

/// The files and lives of one build that may belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftPool {
    pub(crate) pulled: Vec<PulledOwner>,
    pub(crate) left: Vec<LeftCounts>,
    /// The counts beside the lives and the surpluses, as they are stored.
    pub(crate) rest: Vec<u64>,
    /// Counts of mixtures, which may hold those of lives that are gone.
    pub(crate) mixed: Vec<u64>,
}

/// The counts of a pool that are counted beside its lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettledPool {
    /// The part of each file's counters.
    pub(crate) surpluses: Vec<Vec<u64>>,
    /// Counts of files and lives that the surpluses no longer tell apart. Whatever a life of the pool gains may be in them,
    /// also if it cannot own any of the files any more.
    pub(crate) rest: Vec<u64>,
}

impl LeftPool {
    /// Returns what is counted beside the lives. The sum of it and of the lives never falls.
    pub(crate) fn settled(&self) -> SettledPool {
        let blocks = self.left.iter().map(|left| left.counts.len()).max().unwrap_or(0);
        let mut surpluses = vec![vec![0; blocks]; self.left.len()];
        let (mut before, mut now) = (vec![0; blocks], vec![0; blocks]);
        for part in self.parts() {
            surpluses[part[0]] = self.surplus_of(&part);
            add_all(&mut now, &surpluses[part[0]]);
        }
        add_all(&mut before, &self.rest);
        self.left.iter().for_each(|left| add_all(&mut before, &left.surplus));
        let mut grown = vec![0; blocks];
        self.pulled.iter().for_each(|owner| add_all(&mut grown, &owner.grown));
        let rest = beyond(&beyond(&before, &grown), &now);
        SettledPool { surpluses, rest }
    }

    /// Returns the files in parts, such that files of two parts have no possible owner in common.
    fn parts(&self) -> Vec<Vec<usize>> {
        let mut parts: Vec<(BTreeSet<usize>, Vec<usize>)> = Vec::new();
        for (index, left) in self.left.iter().enumerate() {
            let (joined, apart): (Vec<_>, Vec<_>) =
                parts.into_iter().partition(|(owners, _)| !owners.is_disjoint(&left.owners));
            let mut part = (left.owners.clone(), Vec::new());
            for (owners, files) in joined {
                part.0.extend(owners);
                part.1.extend(files);
            }
            part.1.push(index);
            parts = apart;
            parts.push(part);
        }
        let mut parts: Vec<Vec<usize>> = parts.into_iter().map(|(_, files)| files).collect();
        for files in &mut parts {
            files.sort_unstable();
        }
        parts
    }

    /// Returns the counts of files beyond those of their possible owners.
    fn surplus_of(&self, files: &[usize]) -> Vec<u64> {
        let blocks = self.left[files[0]].counts.len();
        let owners: BTreeSet<usize> =
            files.iter().flat_map(|&file| self.left[file].owners.iter().copied()).collect();
        let counts = |owner: &usize| self.pulled[*owner].counts.as_deref();
        if owners.iter().any(|owner| counts(owner).is_none()) {
            // Counts of a life that is gone are in a mixture, where nothing tells how many processes they are of.
            let mut held = self.mixed.clone();
            held.resize(blocks, 0);
            owners.iter().filter_map(counts).for_each(|counts| add_all(&mut held, counts));
            let largest =
                files.iter().fold(vec![0; blocks], |all, &file| larger(&all, &self.left[file].counts));
            return beyond(&largest, &held);
        }
        let ranks =
            (MOST_BYTES / 2 / size_of::<u64>()).checked_div(blocks).unwrap_or(1).clamp(1, files.len());
        let (mut left, mut pulled) = (Ranks::new(ranks, blocks), Ranks::new(ranks, blocks));
        for &file in files {
            left.add(&self.left[file].counts);
        }
        owners.iter().filter_map(counts).for_each(|counts| pulled.add(counts));
        left.beyond(&pulled)
    }
}

/// The largest counts of each block, sorted.
struct Ranks {
    ranks: usize,
    counts: Vec<u64>,
}

impl Ranks {
    fn new(ranks: usize, blocks: usize) -> Self {
        Self { ranks, counts: vec![0; ranks * blocks] }
    }

    fn add(&mut self, counts: &[u64]) {
        for (sorted, &count) in self.counts.chunks_exact_mut(self.ranks).zip(counts) {
            let at = sorted.partition_point(|known| *known >= count);
            if at < sorted.len() {
                sorted[at..].rotate_right(1);
                sorted[at] = count;
            }
        }
    }

    /// Returns for each block the sum of the differences by which its counts exceed those of the same rank.
    fn beyond(&self, others: &Self) -> Vec<u64> {
        let blocks = self.counts.chunks_exact(self.ranks).zip(others.counts.chunks_exact(self.ranks));
        let sum = |(own, others): (&[u64], &[u64])| {
            let pairs = own.iter().zip(others);
            pairs
                .fold(0_u64, |sum, (own, other)| sum.saturating_add(own.saturating_sub(*other)))
                .min(MAX_COUNT)
        };
        blocks.map(sum).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MODE: Mode = Mode::Atomic;

    fn pool(pulled: &[&[u64]], left: &[(&[u64], &[usize])]) -> LeftPool {
        let owner =
            |counts: &&[u64]| PulledOwner { counts: Some(counts.to_vec()), grown: vec![0; counts.len()] };
        let file = |(counts, owners): &(&[u64], &[usize])| LeftCounts {
            counts: counts.to_vec(),
            surplus: vec![0; counts.len()],
            owners: owners.iter().copied().collect(),
        };
        LeftPool {
            pulled: pulled.iter().map(owner).collect(),
            left: left.iter().map(file).collect(),
            rest: Vec::new(),
            mixed: Vec::new(),
        }
    }

    #[test]
    fn a_file_counts_what_is_beyond_its_life() {
        assert_eq!(pool(&[&[5, 0, 2]], &[(&[6, 1, 1], &[0])]).settled().surpluses, [[1, 1, 0]]);
        assert_eq!(pool(&[&[5, 0, 2]], &[(&[6, 1, 1], &[])]).settled().surpluses, [[6, 1, 1]]);
    }

    #[test]
    fn two_exit_files_of_two_pods_are_two_processes() {
        // Both lives stood at 5 when the pods ended.
        let files: [(&[u64], &[usize]); 2] = [(&[30], &[0, 1]), (&[30], &[0, 1])];
        assert_eq!(pool(&[&[5], &[5]], &files).settled().surpluses, [[50], [0]]);
        // Nothing tells whose file this is.
        assert_eq!(pool(&[&[5], &[3]], &[(&[7], &[0, 1])]).settled().surpluses, [[2]]);
        assert_eq!(pool(&[&[5], &[3]], &[(&[7], &[1])]).settled().surpluses, [[4]]);
    }

    #[test]
    fn no_block_counts_more_than_any_pairs_of_files_and_lives_tell() {
        // The file is of one of two lives, which share no block.
        assert_eq!(pool(&[&[9, 0], &[0, 7]], &[(&[9, 7], &[0, 1])]).settled().surpluses, [[0, 0]]);
    }

    #[test]
    fn the_sum_stays_when_a_file_gets_another_possible_owner() {
        let mut pool = pool(&[&[5], &[40]], &[(&[30], &[0, 1])]);
        pool.left[0].surplus = vec![25];
        assert_eq!(pool.settled(), SettledPool { surpluses: vec![vec![0]], rest: vec![25] });
        // The second life has begun since, and its counts may be those of the file.
        pool.pulled[1].grown = vec![40];
        assert_eq!(pool.settled(), SettledPool { surpluses: vec![vec![0]], rest: vec![0] });
    }

    #[test]
    fn a_rest_shrinks_by_what_lives_gain_and_is_never_added_to_what_they_have() {
        // The file took the place of two others, whose processes had counted 10 each.
        let mut pool = pool(&[&[10], &[10]], &[(&[10], &[0, 1])]);
        pool.rest = vec![7];
        assert_eq!(pool.settled(), SettledPool { surpluses: vec![vec![0]], rest: vec![7] });
        pool.pulled[0] = PulledOwner { counts: Some(vec![15]), grown: vec![5] };
        assert_eq!(pool.settled(), SettledPool { surpluses: vec![vec![0]], rest: vec![2] });
    }

    #[test]
    fn a_life_that_is_gone_may_be_in_a_mixture() {
        let mut pool = pool(&[&[5]], &[(&[30], &[0]), (&[9], &[0])]);
        pool.pulled[0].counts = None;
        pool.mixed = vec![4];
        assert_eq!(pool.settled().surpluses, [[26], [0]]);
    }

    #[test]
    fn more_counts_than_can_be_sorted_are_understated() {
        let mut ranks = Ranks::new(2, 1);
        for count in [3, 9, 5] {
            ranks.add(&[count]);
        }
        assert_eq!(ranks.counts, [9, 5]);
    }

    const PAIRS: usize = 6;
    const BLOCKS: usize = 2 * PAIRS;

    /// An event of a service whose processes have the id 1 each.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        Hits(usize, usize, u64),
        /// A pod writes its counters into its folder.
        Write(usize),
        /// A pod ends, writes its counters or not, and another one takes its place.
        Replace(usize, bool),
        /// A pull takes the files in, in this order, and asks some of the pods.
        Pull(usize, u8),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            6 => (0..3_usize, 0..PAIRS, 1..9_u64).prop_map(|(pod, pair, times)| Event::Hits(pod, pair, times)),
            2 => (0..3_usize).prop_map(Event::Write),
            1 => (0..3_usize, any::<bool>()).prop_map(|(pod, writes)| Event::Replace(pod, writes)),
            4 => (any::<usize>(), any::<u8>()).prop_map(|(order, asked)| Event::Pull(order, asked)),
        ]
    }

    /// The knowledge of which life a file is of.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Told {
        /// None.
        Nothing,
        /// Each pod executes a block that no other one does.
        OwnBlock,
        /// The label of the pod.
        Pod,
    }

    #[derive(Default)]
    struct Model {
        /// By number of the pod, which is also that of its life and its folder.
        running: Vec<Vec<u64>>,
        pulled: Vec<Option<Vec<u64>>>,
        grown: Vec<Vec<u64>>,
        /// The counters of each folder, with its possible owners and the run that took it in.
        left: Vec<Option<(LeftCounts, usize)>>,
        rest: Vec<u64>,
        files: Vec<(usize, Vec<u64>)>,
        run: usize,
    }

    impl Model {
        fn start(&mut self, told: Told) -> usize {
            let number = self.running.len();
            let mut counts = vec![0; BLOCKS];
            if told == Told::OwnBlock {
                counts.resize(BLOCKS + 64, 0);
                counts[BLOCKS + number] = 1;
            }
            self.grown.push(vec![0; counts.len()]);
            self.running.push(counts);
            self.pulled.push(None);
            self.left.push(None);
            number
        }

        fn take_in(&mut self, told: Told, pod: usize, counts: Vec<u64>) {
            let known = self.left[pod].as_ref();
            if known.is_some_and(|(known, _)| may_be_before(MODE, &counts, &known.counts)) {
                return;
            }
            let surplus = known.map_or_else(|| vec![0; counts.len()], |(known, _)| known.surplus.clone());
            let may_own = |life: &usize| {
                let is_kin = told != Told::Pod || *life == pod;
                is_kin && self.pulled[*life].as_ref().is_some_and(|pulled| may_be_of(MODE, &counts, pulled))
            };
            let owners = (0..self.pulled.len()).filter(may_own).collect();
            self.left[pod] = Some((LeftCounts { counts, surplus, owners }, self.run));
        }

        fn pull(&mut self, told: Told, pod: usize) {
            let now = self.running[pod].clone();
            let before = self.pulled[pod].replace(now.clone());
            let is_new = before.is_none();
            add_all(&mut self.grown[pod], &beyond(&now, &before.unwrap_or_else(|| vec![0; now.len()])));
            for (folder, left) in self.left.iter_mut().enumerate() {
                let Some((left, taken_in)) = left.as_mut().filter(|_| told != Told::Pod || folder == pod)
                else {
                    continue;
                };
                let may_own = match *taken_in < self.run && !is_new {
                    true => may_be_before(MODE, &left.counts, &now),
                    false => may_be_of(MODE, &left.counts, &now),
                };
                if is_new && may_own {
                    left.owners.insert(pod);
                } else if !may_own {
                    left.owners.remove(&pod);
                }
            }
        }

        fn settle(&mut self) {
            let blocks = self.running[0].len();
            let owner = |(counts, grown): (&Option<Vec<u64>>, &Vec<u64>)| PulledOwner {
                counts: Some(counts.clone().unwrap_or_else(|| vec![0; blocks])),
                grown: grown.clone(),
            };
            let pool = LeftPool {
                pulled: self.pulled.iter().zip(&self.grown).map(owner).collect(),
                left: self.left.iter().flatten().map(|(left, _)| left.clone()).collect(),
                rest: self.rest.clone(),
                mixed: Vec::new(),
            };
            let SettledPool { surpluses, rest } = pool.settled();
            self.rest = rest;
            for (left, surplus) in self.left.iter_mut().flatten().zip(surpluses) {
                left.0.surplus = surplus;
            }
            self.grown.iter_mut().for_each(|grown| grown.fill(0));
        }

        fn total(&self) -> Vec<u64> {
            let mut total = vec![0; self.running[0].len()];
            self.pulled.iter().flatten().for_each(|counts| add_all(&mut total, counts));
            self.left.iter().flatten().for_each(|(left, _)| add_all(&mut total, &left.surplus));
            add_all(&mut total, &self.rest);
            total
        }
    }

    fn check(told: Told, pods: usize, events: &[Event]) -> Result<(), TestCaseError> {
        let mut model = Model::default();
        let mut running: Vec<usize> = (0..pods).map(|_| model.start(told)).collect();
        let mut before = model.total();
        for event in events {
            match *event {
                Event::Hits(pod, pair, times) => {
                    let counts = &mut model.running[running[pod % pods]];
                    counts[2 * pair..2 * pair + 2].iter_mut().for_each(|count| *count += times);
                }
                Event::Write(pod) => {
                    let number = running[pod % pods];
                    model.files.push((number, model.running[number].clone()));
                }
                Event::Replace(pod, writes) => {
                    let number = running[pod % pods];
                    if writes {
                        model.files.push((number, model.running[number].clone()));
                    }
                    running[pod % pods] = model.start(told);
                }
                Event::Pull(order, asked) => {
                    model.run += 1;
                    let mut files = std::mem::take(&mut model.files);
                    let by = order % files.len().max(1);
                    files.rotate_left(by);
                    if order % 2 == 1 {
                        files.reverse();
                    }
                    for (pod, counts) in files {
                        model.take_in(told, pod, counts);
                    }
                    for (place, &pod) in running.iter().enumerate() {
                        if asked & (1 << place) > 0 {
                            model.pull(told, pod);
                        }
                    }
                    model.settle();
                }
            }
            let total = model.total();
            let shown = |pod: usize| {
                let left = model.left[pod].as_ref().map(|(left, _)| left.counts.clone());
                let seen = [model.pulled[pod].clone(), left];
                seen.into_iter().flatten().fold(vec![0; total.len()], |all, counts| larger(&all, &counts))
            };
            let mut truth = vec![0; total.len()];
            (0..model.running.len()).for_each(|pod| add_all(&mut truth, &shown(pod)));
            for block in 0..total.len() {
                prop_assert!(total[block] <= truth[block], "{:?} above {:?}", total, truth);
                prop_assert_eq!(total[block] > 0, truth[block] > 0);
                prop_assert!(before[block] <= total[block], "{:?} fell to {:?}", before, total);
            }
            prop_assert!(told == Told::Nothing || total == truth, "{:?} below {:?}", total, truth);
            before = total;
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn files_of_pods_count_once_and_exactly_where_they_can_be_told_apart(
            told in prop::sample::select(vec![Told::Nothing, Told::OwnBlock, Told::Pod]),
            pods in 1..4_usize,
            events in prop::collection::vec(event(), 1..50),
        ) {
            check(told, pods, &events)?;
        }
    }
}
