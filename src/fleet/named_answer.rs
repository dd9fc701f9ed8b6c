//! The life that an answer of a named process belongs to, where its counters alone would make it another process.
//!
//! An agent of Go's binary coverage data names its process, and most agents tell when they read the counters. These
//! facts show two things that text never shows: an answer that a proxy kept for a while is older than the last one, and
//! each of two processes behind one address goes on with its own life. If nothing tells an answer from that of a
//! process that started again, the process counts as started again, as in [`super::counters`].

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

use super::counters::{Verdict, continues, fell, judge};
use super::ids::LifeId;
use super::process::Process;
use super::records::Life;
use super::shared_address;
use crate::profile::Mode;

/// Most lives with which an answer is compared, so that a crash loop does not cost a pull its time.
pub(crate) const MOST_COMPARED: usize = 16;

/// Tells whether an answer goes on with the open life of its build if its counters only grew. The life has to be the only
/// one of its address, and nothing tells that the answer is old or of another process.
///
/// All other questions of a [`NamedAnswer`] are about further lives or about counters that fell.
pub(crate) fn goes_on_if_grown(
    life: &Life,
    known: Option<&Process>,
    answering: Option<&Process>,
    mut here: impl Iterator<Item = LifeId>,
) -> bool {
    if life.is_mixture || life.closed_at.is_some() || here.any(|other| other != life.id) {
        return false;
    }
    known.zip(answering).is_none_or(|(known, answering)| {
        let is_old = known.read_at.zip(answering.read_at).is_some_and(|(last, read_at)| read_at < last);
        known.may_be(answering) && !known.is_shared && !is_old
    })
}

/// A stored life with the address and the build of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamedLife<'a> {
    /// `None`: the process of the life is not known.
    pub(crate) process: Option<&'a Process>,
    pub(crate) is_open: bool,
}

/// An answer whose process names itself, and what is known of its address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamedAnswer<'a> {
    pub(crate) process: &'a Process,
    pub(crate) counts: &'a [u64],
    /// The stored counters of the open life that the answer may go on with.
    pub(crate) open: Option<&'a [u64]>,
    /// The open life of the address is that of another process.
    pub(crate) is_beside_another: bool,
    /// The address is known to answer for several processes with these names.
    pub(crate) is_shared: bool,
    /// The latest time at which any process of the address read its counters.
    pub(crate) last_read_at: Option<DateTime<Utc>>,
}

/// The life of an answer, by its index, with the counters that are stored of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NamedPlace {
    /// The life has all counts of the answer, which ends no other life.
    Held(usize, Vec<u64>),
    /// The life was taken for ended, and goes on.
    Resumes(usize, Vec<u64>),
    /// The answer goes on with this life and ends none: it is older than the last one of its address, or a clock went
    /// back.
    LateOf(usize, Vec<u64>),
    /// The answer is older than the last one of its address, and goes on with none of the compared lives.
    LateAlone,
    /// The address answers for several processes with the same names; `is_first`: the answer is the first that shows it.
    Shared { is_first: bool },
}

impl NamedAnswer<'_> {
    /// Tells whether a life has to be compared with the answer.
    pub(crate) fn may_be_of(&self, process: Option<&Process>) -> bool {
        process.is_none_or(|known| known.answers_as(self.process))
    }

    /// Finds the life of the answer among those that it [may be of](Self::may_be_of), the newest first; `None` where
    /// its counters decide. `counts_of` returns the counters of the life with an index.
    pub(crate) fn place<E>(
        &self,
        mode: Mode,
        lives: &[NamedLife<'_>],
        mut counts_of: impl FnMut(usize) -> Result<Option<Vec<u64>>, E>,
    ) -> Result<Option<NamedPlace>, E> {
        let age = self.age();
        if age == Some(Ordering::Less) {
            return self.place_of_late(mode, lives, counts_of).map(Some);
        }
        if age == Some(Ordering::Equal)
            && let Some(held) = self.repeated(lives, &mut counts_of)?
        {
            return Ok(Some(held));
        }
        if self.is_shared {
            return Ok(Some(NamedPlace::Shared { is_first: false }));
        }
        self.place_among(mode, lives, counts_of)
    }

    /// Compares the time of the answer with the last one of its address.
    fn age(&self) -> Option<Ordering> {
        self.process.read_at.zip(self.last_read_at).map(|(read_at, last)| read_at.cmp(&last))
    }

    /// Returns the life that has the same counters since the same time: the same reading, whatever a list tells now.
    fn repeated<E>(
        &self,
        lives: &[NamedLife<'_>],
        mut counts_of: impl FnMut(usize) -> Result<Option<Vec<u64>>, E>,
    ) -> Result<Option<NamedPlace>, E> {
        for (index, life) in lives.iter().enumerate() {
            if life.process.is_some_and(|known| known.read_at == self.process.read_at)
                && let Some(then) = counts_of(index)?
                && then == self.counts
            {
                return Ok(Some(NamedPlace::Held(index, then)));
            }
        }
        Ok(None)
    }

    fn place_of_late<E>(
        &self,
        mode: Mode,
        lives: &[NamedLife<'_>],
        mut counts_of: impl FnMut(usize) -> Result<Option<Vec<u64>>, E>,
    ) -> Result<NamedPlace, E> {
        // A life that was read later would have all counts of the answer, so the last life before the answer goes on.
        // If no life is before it, the open life goes on: counts that have grown in no time show that a clock went
        // back. A life of the same process is later, too, if it has joined a file, whose counts are stored beside it.
        let mut last_before: Option<(Option<DateTime<Utc>>, usize, Vec<u64>)> = None;
        let mut open = None;
        for (index, life) in lives.iter().enumerate().take(MOST_COMPARED) {
            let Some(then) = counts_of(index)? else { continue };
            if !fell(self.counts, &then) {
                return Ok(NamedPlace::Held(index, then));
            }
            let read_at = life.process.and_then(|known| known.read_at);
            let is_before = read_at.is_some() && read_at < self.process.read_at;
            if is_before && last_before.as_ref().is_none_or(|(last, ..)| *last < read_at) {
                last_before = Some((read_at, index, then));
            } else if open.is_none()
                && (life.is_open || !is_before && life.process.is_some_and(|known| self.is_told_of(known)))
                && continues(mode, &then, self.counts)
            {
                open = Some((index, then));
            }
        }
        let before = last_before.filter(|(_, _, then)| continues(mode, then, self.counts));
        let goes_on = before.map(|(_, index, then)| (index, then)).or(open);
        Ok(goes_on.map_or(NamedPlace::LateAlone, |(index, then)| NamedPlace::LateOf(index, then)))
    }

    fn place_among<E>(
        &self,
        mode: Mode,
        lives: &[NamedLife<'_>],
        mut counts_of: impl FnMut(usize) -> Result<Option<Vec<u64>>, E>,
    ) -> Result<Option<NamedPlace>, E> {
        if self.open.is_some_and(|open| open == self.counts) {
            return Ok(None);
        }
        let goes_on = self.open.is_some_and(|open| continues(mode, open, self.counts));
        let has_fallen = self.open.is_some() && !goes_on;
        let (mut nearest, mut is_shared) = (Nearest::default(), false);
        let may_be = |life: &NamedLife<'_>| life.process.is_none_or(|known| known.may_be(self.process));
        let lives = lives.iter().enumerate().filter(|(_, life)| may_be(life));
        for (index, life) in lives.take(MOST_COMPARED) {
            let is_same = !goes_on && life.process.is_some_and(|known| self.is_certainly(known));
            if life.is_open && !is_same {
                continue;
            }
            let Some(then) = counts_of(index)? else { continue };
            let is_held = is_same && !self.is_dated() && !fell(self.counts, &then);
            match life.is_open {
                // A process that has counted exactly as much as one that was taken for ended is taken for that one.
                false if then == self.counts => return Ok(Some(NamedPlace::Resumes(index, then))),
                _ if is_held => return Ok(Some(NamedPlace::Held(index, then))),
                false if is_same => nearest.note(mode, index, then, self.counts),
                false => {
                    is_shared |= has_fallen && shared_address::is_evidence(mode, &then, self.counts);
                }
                true => {}
            }
        }
        let resumes = nearest.best.map(|(_, index, then)| NamedPlace::Resumes(index, then));
        Ok(resumes.or(is_shared.then_some(NamedPlace::Shared { is_first: true })))
    }

    /// Tells whether the process id or the container say that the answer is of this process.
    fn is_told_of(&self, known: &Process) -> bool {
        known.shares_telling_pid(self.process) || known.is_of_container(self.process)
    }

    /// Tells whether the answer is certainly later than all others of its address, so that no proxy has kept it.
    fn is_dated(&self) -> bool {
        self.age() == Some(Ordering::Greater)
    }

    /// Tells whether the answer is of this process and of no other one with the same names.
    ///
    /// The process id alone proves that beside a process with another one. Alone at its address, a process of a
    /// container has the same id after each start.
    fn is_certainly(&self, known: &Process) -> bool {
        let by_pid = known.pid.is_some() && known.pid == self.process.pid && self.is_beside_another;
        known.is_of_container(self.process)
            || by_pid
            || !self.is_dated() && known.shares_telling_pid(self.process)
    }
}

/// The life to which an answer adds least, of those that it can go on with.
#[derive(Default)]
struct Nearest {
    best: Option<(u128, usize, Vec<u64>)>,
}

impl Nearest {
    fn note(&mut self, mode: Mode, index: usize, then: Vec<u64>, counts: &[u64]) {
        let Verdict::Continues(now) = judge(mode, &then, counts) else { return };
        let added = now.iter().zip(&then).map(|(now, then)| u128::from(now - then)).sum();
        if self.best.as_ref().is_none_or(|(least, ..)| added < *least) {
            self.best = Some((added, index, then));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::fleet::counters::growth;
    use crate::fleet::fixtures::{self, at, print};
    use crate::fleet::left_pool::{LeftCounts, LeftPool, PulledOwner, SettledPool, may_be_before, may_be_of};
    use crate::fleet::life::{KnownLives, LifeDecision, RivalLives, StoredLife};
    use crate::fleet::process_snapshots::{SnapshotOrder, snapshot_order};
    use crate::fleet::snapshot::{ClockDoubt, LifeTimes, ResumedLife, beyond, larger, resumed};
    use crate::profile::encode_counts;

    /// A process with this id that read its counters at this minute, if it tells it.
    fn process(pid: u32, minute: Option<i64>) -> Process {
        Process { read_at: minute.map(at), ..fixtures::process(print(1), Some(pid)) }
    }

    /// The place of an answer beside an open life and closed ones.
    fn placed(
        answer: (&Process, &[u64]),
        open: Option<(&Process, &[u64])>,
        closed: &[(&Process, &[u64])],
    ) -> Option<NamedPlace> {
        let all: Vec<_> =
            open.iter().map(|life| (*life, true)).chain(closed.iter().map(|life| (*life, false))).collect();
        let (process, counts) = answer;
        let mut named = NamedAnswer {
            process,
            counts,
            open: None,
            is_beside_another: open.is_some_and(|(open, _)| open.is_another(process)),
            is_shared: false,
            last_read_at: all.iter().filter_map(|((known, _), _)| known.read_at).max(),
        };
        named.open = open.filter(|(open, _)| open.may_be(process)).map(|(_, counts)| counts);
        let here: Vec<_> = all.into_iter().filter(|((known, _), _)| named.may_be_of(Some(known))).collect();
        let lives: Vec<NamedLife<'_>> = here
            .iter()
            .map(|((known, _), is_open)| NamedLife { process: Some(known), is_open: *is_open })
            .collect();
        let counts_of = |index: usize| Ok::<_, Infallible>(Some(here[index].0.1.to_vec()));
        let Ok(place) = named.place(Mode::Atomic, &lives, counts_of);
        place
    }

    #[test]
    fn an_answer_is_placed_by_what_its_process_tells() {
        use NamedPlace::{Held, LateAlone, LateOf, Resumes};
        let (now, before) = (process(1, Some(20)), process(1, Some(10)));
        let held = |counts: &[u64]| Some(Held(0, counts.to_vec()));
        let s3: &[u64] = &[5, 0, 9];
        for (what, answer, expected) in [
            ("kept by a proxy", (&before, &[1, 0, 2][..]), held(s3)),
            ("kept, and it was never seen", (&before, &[1, 4, 2]), Some(LateAlone)),
            ("grown, and a clock went back", (&before, &[6, 1, 9]), Some(LateOf(0, s3.to_vec()))),
            ("fallen, and later", (&process(1, Some(30)), &[1, 0, 2]), None),
            ("fallen, at the same time, as with a clock that stands", (&now, &[1, 0, 2]), None),
            ("fallen, and no time is told", (&process(1, None), &[1, 0, 2]), None),
            ("grown", (&process(1, Some(30)), &[6, 0, 9]), None),
        ] {
            assert_eq!(placed(answer, Some((&now, s3)), &[]), expected, "{what}");
        }
        // The answer is between two lives.
        let lives: [(&Process, &[u64]); 2] = [(&now, &[1, 1, 1]), (&before, s3)];
        let between = |counts: &[u64]| placed((&process(1, Some(15)), counts), Some(lives[0]), &lives[1..]);
        assert_eq!(between(&[6, 1, 9]), Some(LateOf(1, s3.to_vec())));
        assert_eq!(between(&[1, 2, 3]), Some(LateOf(0, vec![1, 1, 1])));
        // A life joined a file that is later than the answer.
        let (kept, joined) = (process(7, Some(5)), process(7, Some(10)));
        let other = process(8, Some(20));
        let beside = placed((&kept, &[6, 0, 9]), Some((&other, &[1, 1, 1])), &[(&joined, s3)]);
        assert_eq!(beside, Some(LateOf(0, s3.to_vec())));
        // The process id of no container's first process.
        let (seven, other) = (process(7, None), process(8, None));
        assert_eq!(placed((&seven, &[1, 0, 2]), Some((&seven, s3)), &[]), held(s3));
        assert_eq!(placed((&seven, &[1, 1, 2]), Some((&seven, s3)), &[]), None, "it started again");
        // The address has two processes.
        let of = |answer: &[u64]| placed((&seven, answer), Some((&other, &[1, 1, 1])), &[(&seven, s3)]);
        assert_eq!(of(&[6, 0, 9]), Some(Resumes(0, s3.to_vec())));
        assert_eq!(of(&[4, 0, 9]), held(s3));
        assert_eq!(of(&[0, 7, 0]), None);
        // The counters at which a life ended.
        let (one, closed) = (process(1, Some(30)), [(&before, s3)]);
        let open: Option<(&Process, &[u64])> = Some((&now, &[1, 0, 2]));
        assert_eq!(placed((&one, s3), open, &closed), Some(Resumes(1, s3.to_vec())));
        assert_eq!(placed((&one, &[5, 0, 10]), open, &closed), None);
        assert_eq!(placed((&one, s3), Some((&now, s3)), &closed), None);
    }

    #[test]
    fn an_answer_that_grew_goes_on_with_the_only_life_of_its_address_unless_something_is_told_against_it() {
        let (open, known, later) = (fixtures::life(7, 1, 1, "a"), process(1, Some(10)), process(1, Some(20)));
        let goes_on = |life: &Life, known: &Process, answering: &Process, here: &[i64]| {
            goes_on_if_grown(life, Some(known), Some(answering), here.iter().copied().map(LifeId))
        };
        assert!(goes_on(&open, &known, &later, &[7]));
        assert!(goes_on(&open, &known, &known, &[7]), "a clock that stands");
        assert!(goes_on(&open, &known, &process(1, None), &[7]));
        assert!(goes_on_if_grown(&open, Some(&known), None, [LifeId(7)].into_iter()));
        assert!(!goes_on(&open, &known, &process(1, Some(5)), &[7]), "kept by a proxy");
        assert!(!goes_on(&open, &known, &process(2, Some(20)), &[7]));
        assert!(!goes_on(&open, &Process { is_shared: true, ..known.clone() }, &later, &[7]));
        assert!(!goes_on(&open, &known, &later, &[6, 7]));
        assert!(!goes_on(&Life { closed_at: Some(at(1)), ..open.clone() }, &known, &later, &[7]));
        assert!(!goes_on(&Life { is_mixture: true, ..open }, &known, &later, &[7]));
    }

    #[test]
    fn a_container_that_did_not_start_again_has_one_process() {
        let of =
            |restarts| Process { uid: Some("a".to_owned()), restarts: Some(restarts), ..process(1, None) };
        let s3: &[u64] = &[5, 0, 9];
        let held = Some(NamedPlace::Held(0, s3.to_vec()));
        assert_eq!(placed((&of(1), &[1, 0, 2]), Some((&of(1), s3)), &[]), held);
        assert_eq!(placed((&of(2), &[1, 0, 2]), Some((&of(1), s3)), &[]), None);
        // A proxy kept the answer of the container before; the list tells of today.
        let kept = Process { read_at: Some(at(5)), ..of(2) };
        let of_today = Process { read_at: Some(at(9)), ..of(2) };
        assert_eq!(
            placed((&kept, &[1, 0, 2]), Some((&of_today, &[0, 1, 0])), &[(&of(1), s3)]),
            Some(NamedPlace::Held(1, s3.to_vec()))
        );
    }

    #[test]
    fn of_a_crash_loop_few_lives_are_decoded() {
        let open = process(1, Some(1));
        let answer = process(1, Some(2));
        let lives = vec![NamedLife { process: Some(&open), is_open: false }; 1000];
        let mut decoded = 0;
        let counts_of = |_| {
            decoded += 1;
            Ok::<_, Infallible>(Some(vec![9]))
        };
        let named = NamedAnswer {
            process: &answer,
            counts: &[7],
            open: None,
            is_beside_another: false,
            is_shared: false,
            last_read_at: Some(at(1)),
        };
        assert_eq!(named.place(Mode::Atomic, &lives, counts_of), Ok(None));
        assert_eq!(decoded, MOST_COMPARED);
    }

    const BLOCKS: usize = 6;

    /// An event at an address.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        /// Hits of two blocks of one of the processes.
        Hits(bool, usize, u64),
        /// A process answers.
        Pull(bool),
        /// A proxy keeps the answer of one, and does not show it.
        Keep(bool),
        /// An answer that was given or kept before comes again.
        Again(usize),
        /// A process writes its counters into a folder, and they are taken in at once.
        Leave(bool),
        /// A process is started again.
        Restart(bool),
        /// The list of the pods is read anew, or fails from now on; until then the pulls are given the old one.
        List(bool),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            4 => (any::<bool>(), 0..BLOCKS / 2, 1..4_u64).prop_map(|(one, pair, times)| Event::Hits(one, pair, times)),
            4 => any::<bool>().prop_map(Event::Pull),
            1 => any::<bool>().prop_map(Event::Keep),
            2 => any::<usize>().prop_map(Event::Again),
            1 => any::<bool>().prop_map(Event::Leave),
            1 => any::<bool>().prop_map(Event::Restart),
            1 => any::<bool>().prop_map(Event::List),
        ]
    }

    /// The facts that agents and lists tell of processes.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Told {
        PidAndTime,
        Pid,
        /// Of a container, whose process has the id 1.
        Time,
        ContainerAndTime,
        /// Of a container and its start, as a list tells it that can be old.
        OldListAndTime,
        Container,
        Nothing,
    }

    impl Told {
        fn process(self, number: u32, minute: i64) -> Process {
            let has_time = !matches!(self, Self::Pid | Self::Container | Self::Nothing);
            let pid = if matches!(self, Self::PidAndTime | Self::Pid) { 100 + number } else { 1 };
            let is_of_container = matches!(self, Self::ContainerAndTime | Self::Container);
            Process {
                uid: is_of_container.then(|| "uid".to_owned()),
                restarts: is_of_container.then(|| u64::from(number)),
                ..process(pid, has_time.then_some(minute))
            }
        }

        /// Returns a process as a pull takes it with the list that it was given: of a container and the minute of its start.
        fn listed(self, process: Process, list: Option<(u32, i64)>) -> Process {
            if self != Self::OldListAndTime {
                return process;
            }
            let uid = list.map(|_| "uid".to_owned());
            let (restarts, started_at) = list.map(|(number, minute)| (u64::from(number), at(minute))).unzip();
            Process { uid, restarts, started_at, ..process }.without_later_container()
        }

        /// Only a process id tells two processes at one address apart; a list tells of the last container.
        fn has_two_processes(self) -> bool {
            matches!(self, Self::PidAndTime | Self::Pid)
        }
    }

    struct ModelLife {
        process: Process,
        opened: i64,
        pulled: i64,
        closed: Option<i64>,
        counts: Vec<u64>,
        is_mixture: bool,
    }

    /// Counters that a process left in a folder.
    struct ModelLeft {
        process: Process,
        counts: LeftCounts,
        taken_in: i64,
    }

    fn times_of(life: &Life) -> LifeTimes {
        let &Life { opened_at, pulled_at, closed_at, .. } = life;
        LifeTimes { opened_at, pulled_at, closed_at, is_from_before_jump: false, is_mixture: false }
    }

    /// The lives of an address as pulls store them.
    #[derive(Default)]
    struct Model {
        lives: Vec<ModelLife>,
        left: Vec<ModelLeft>,
        /// The rest of what was left.
        rest: Vec<u64>,
        /// The total when the address was found to have several processes.
        shared_at: Option<Vec<u64>>,
    }

    impl Model {
        fn stored(&self, index: usize) -> StoredLife {
            let ModelLife { opened, pulled, closed, counts, .. } = &self.lives[index];
            let id = i64::try_from(index).unwrap();
            let life = Life {
                opened_at: at(*opened),
                pulled_at: at(*pulled),
                closed_at: closed.map(at),
                is_mixture: self.lives[index].is_mixture,
                ..crate::fleet::fixtures::life(id, 1, 1, "a")
            };
            StoredLife { life, counts: counts.clone() }
        }

        fn last_read_at(&self) -> Option<DateTime<Utc>> {
            self.lives.iter().filter_map(|life| life.process.read_at).max()
        }

        /// Takes in counters that a process wrote into a folder. Each process here leaves them under its own id.
        fn take_in(&mut self, process: &Process, counts: &[u64], now: i64) {
            let mut earlier = None;
            for (index, left) in self.left.iter().enumerate() {
                match snapshot_order(Mode::Atomic, &left.counts.counts, counts) {
                    _ if !left.process.answers_as(process) => {}
                    SnapshotOrder::Precedes(_) => return,
                    SnapshotOrder::Continues(_) => earlier = Some(index),
                    SnapshotOrder::Apart => {}
                }
            }
            let may_own = |index: &usize| {
                let life = &self.lives[*index];
                life.process.answers_as(process) && may_be_of(Mode::Atomic, counts, &life.counts)
            };
            let owners: BTreeSet<usize> = (0..self.lives.len()).filter(may_own).collect();
            if let [Some(owner), None] = [owners.first(), owners.iter().nth(1)] {
                let life = &mut self.lives[*owner];
                life.process.read_at = life.process.read_at.max(process.read_at);
            }
            let surplus = earlier.map_or(vec![0; BLOCKS], |index| self.left[index].counts.surplus.clone());
            let counts = LeftCounts { counts: counts.to_vec(), surplus, owners };
            let left = ModelLeft { process: process.clone(), counts, taken_in: now };
            match earlier {
                Some(index) => self.left[index] = left,
                None => self.left.push(left),
            }
            self.settle(None);
        }

        /// Settles what was left with the lives, of which one has grown.
        fn settle(&mut self, grown: Option<&(usize, Vec<u64>)>) {
            let pulled = self.lives.iter().enumerate().map(|(index, life)| PulledOwner {
                counts: Some(life.counts.clone()),
                grown: grown
                    .filter(|(of, _)| *of == index)
                    .map(|(_, grown)| grown.clone())
                    .unwrap_or_default(),
            });
            let left = self.left.iter().map(|left| left.counts.clone()).collect();
            let (pulled, rest) = (pulled.collect(), self.rest.clone());
            let SettledPool { surpluses, rest } =
                LeftPool { pulled, left, rest, mixed: Vec::new() }.settled();
            self.rest = rest;
            for (left, surplus) in self.left.iter_mut().zip(surpluses) {
                left.counts.surplus = surplus;
            }
        }

        /// Settles what was left with a life that an answer was of.
        fn settle_with(
            &mut self,
            index: usize,
            before: Option<&[u64]>,
            read_at: Option<DateTime<Utc>>,
            now: i64,
        ) {
            let life = &self.lives[index];
            for left in self.left.iter_mut().filter(|left| left.process.answers_as(&life.process)) {
                let counts = &mut left.counts;
                let may_own =
                    match left.taken_in < now && before.is_some() && read_at >= Some(at(left.taken_in)) {
                        true => may_be_before(Mode::Atomic, &counts.counts, &life.counts),
                        false => may_be_of(Mode::Atomic, &counts.counts, &life.counts),
                    };
                if !may_own {
                    counts.owners.remove(&index);
                } else if before.is_none() {
                    counts.owners.insert(index);
                }
            }
            let grown = before.map_or_else(|| life.counts.clone(), |before| beyond(&life.counts, before));
            self.settle(Some(&(index, grown)));
        }

        /// Finds the lives as `collect::known_lives` does.
        fn known(&self, process: &Process, counts: &[u64], now: i64) -> KnownLives {
            let open = |life: &&ModelLife| life.closed.is_none();
            let own =
                self.lives.iter().position(|life| life.closed.is_none() && life.process.may_be(process));
            let named = NamedAnswer {
                process,
                counts,
                open: own.map(|index| &*self.lives[index].counts),
                is_beside_another: self
                    .lives
                    .iter()
                    .filter(open)
                    .any(|life| life.process.is_another(process)),
                is_shared: self.shared_at.is_some(),
                last_read_at: self.last_read_at(),
            };
            let is_own = |life: &ModelLife| !life.is_mixture && !life.counts.is_empty();
            let mut here: Vec<usize> = (0..self.lives.len())
                .filter(|&index| {
                    is_own(&self.lives[index]) && named.may_be_of(Some(&self.lives[index].process))
                })
                .collect();
            here.sort_by_key(|&index| {
                std::cmp::Reverse((self.lives[index].closed.is_none(), self.lives[index].pulled))
            });
            let lives: Vec<NamedLife<'_>> = here
                .iter()
                .map(|&index| &self.lives[index])
                .map(|life| NamedLife { process: Some(&life.process), is_open: life.closed.is_none() })
                .collect();
            let counts_of = |index: usize| Ok::<_, Infallible>(Some(self.lives[here[index]].counts.clone()));
            let Ok(place) = named.place(Mode::Atomic, &lives, counts_of);
            let known = |index: usize, is_late| {
                let previous = Some(self.stored(index));
                KnownLives { previous, is_late, mixture: self.mixture(), ..KnownLives::default() }
            };
            match place {
                Some(NamedPlace::Held(index, _) | NamedPlace::LateOf(index, _)) => {
                    return known(here[index], true);
                }
                Some(NamedPlace::Resumes(index, _)) => return known(here[index], false),
                Some(NamedPlace::LateAlone) => {
                    let mixture = self.mixture();
                    return KnownLives { is_late: true, mixture, ..KnownLives::default() };
                }
                Some(NamedPlace::Shared { is_first }) => {
                    here.retain(|&index| self.lives[index].process.may_be(process));
                    here.sort_unstable();
                    return self.shared(&here, counts, is_first);
                }
                None => {}
            }
            let goes_on = named.open.is_some_and(|open| continues(Mode::Atomic, open, counts));
            if !goes_on {
                here.retain(|&index| self.lives[index].process.may_be(process));
                let counts_of =
                    |index: usize| Ok::<_, Infallible>(Some(self.lives[here[index]].counts.clone()));
                let times: Vec<LifeTimes> =
                    here.iter().map(|&index| times_of(&self.stored(index).life)).collect();
                let doubt = ClockDoubt::new(at(now), Vec::new());
                let Ok(resumed) = resumed(Mode::Atomic, &times, counts, &doubt, counts_of);
                if let Some(ResumedLife { index, others, .. }) = resumed {
                    assert!(others.is_empty(), "several without a doubt about clocks");
                    return known(here[index], false);
                }
            }
            KnownLives { previous: own.map(|index| self.stored(index)), ..KnownLives::default() }
        }

        fn mixture(&self) -> Option<StoredLife> {
            let mixture = self.lives.iter().position(|life| life.is_mixture && !life.counts.is_empty());
            mixture.map(|index| self.stored(index))
        }

        fn shared(&self, here: &[usize], counts: &[u64], is_first: bool) -> KnownLives {
            let lives: Vec<Life> = here.iter().map(|&index| self.stored(index).life).collect();
            let times: Vec<LifeTimes> = lives.iter().map(times_of).collect();
            let counts_of = |index: usize| Ok::<_, Infallible>(Some(self.lives[here[index]].counts.clone()));
            let Ok(place) = shared_address::place(Mode::Atomic, &times, counts, is_first, counts_of);
            KnownLives::for_shared(place, &lives, self.mixture())
        }

        fn pull(&mut self, process: &Process, counts: &[u64], now: i64) {
            let known = self.known(process, counts, now);
            if known.is_shared && self.shared_at.is_none() {
                self.shared_at = Some(self.total());
            }
            let is_grown = !self.lives.is_empty() && self.is_grown(process, counts);
            let decision = known.decide(Mode::Atomic, counts.to_vec());
            let rivals = known.rivals(&decision);
            if is_grown {
                let (life, counts) = (LifeId(0), counts.to_vec());
                let (is_reopened, has_moved, is_as_answered) = (false, true, true);
                let grown = LifeDecision::Continues { life, counts, is_reopened, has_moved, is_as_answered };
                assert_eq!((&decision, &rivals), (&grown, &RivalLives::default()), "not as a grown answer");
            }
            for (place, rival) in rivals.lives.iter().enumerate() {
                let life = &mut self.lives[usize::try_from(rival.id.0).unwrap()];
                life.closed = Some(now);
                if place == 0 {
                    (life.is_mixture, life.counts) = (true, rivals.counts.clone());
                } else {
                    life.counts = Vec::new();
                }
            }
            for index in 0..self.lives.len() {
                if self.lives[index].closed.is_none() && decision.ends(&self.stored(index).life) {
                    self.lives[index].closed = Some(now);
                }
            }
            let index = |id: i64| usize::try_from(id).unwrap();
            let own = |closed| {
                let (process, counts) = (process.clone(), counts.to_vec());
                let (opened, pulled) = (now, now);
                ModelLife { process, opened, pulled, closed, counts, is_mixture: false }
            };
            let goes_on = match &decision {
                LifeDecision::Continues { life, .. } => Some(index(life.0)),
                LifeDecision::Late { life, .. } => life.as_ref().map(|life| index(life.id.0)),
                LifeDecision::Begins { .. } => None,
            };
            let is_late = matches!(decision, LifeDecision::Late { .. });
            let before = goes_on.map(|index| self.lives[index].counts.clone());
            match decision {
                LifeDecision::Begins { counts } => self.lives.push(ModelLife { counts, ..own(None) }),
                LifeDecision::Late { life: None, .. } => self.lives.push(own(Some(now))),
                LifeDecision::Late { life: Some(life), counts, .. } => {
                    self.lives[index(life.id.0)].counts = counts;
                }
                LifeDecision::Continues { life, counts, is_reopened, has_moved, .. } => {
                    let life = &mut self.lives[index(life.0)];
                    life.closed = None;
                    if has_moved {
                        (life.pulled, life.counts) = (now, counts);
                    }
                    // As in `collect::taking_in`: the time of an answer that changed nothing is not stored.
                    life.process = match has_moved || is_reopened {
                        true => process.clone(),
                        false => Process {
                            read_at: life.process.read_at,
                            ..process.clone().or_container_of(&life.process)
                        },
                    };
                }
            }
            let index = goes_on.unwrap_or(self.lives.len() - 1);
            self.settle_with(index, before.as_deref(), process.read_at.filter(|_| !is_late), now);
        }

        /// Tells whether an answer is taken in as one that grew, without all that is decided of the others.
        fn is_grown(&self, process: &Process, counts: &[u64]) -> bool {
            let life = self.stored(0).life;
            let ids = (0..).map(LifeId).take(self.lives.len());
            let known = Process { is_shared: self.shared_at.is_some(), ..self.lives[0].process.clone() };
            goes_on_if_grown(&life, Some(&known), Some(process), ids)
                && growth(&encode_counts(&self.lives[0].counts), counts)
                    .is_some_and(|growth| growth.has_moved)
        }

        fn total(&self) -> Vec<u64> {
            let pulled = self.lives.iter().map(|life| &life.counts);
            let all: Vec<_> =
                pulled.chain(self.left.iter().map(|left| &left.counts.surplus)).chain([&self.rest]).collect();
            (0..BLOCKS).map(|block| all.iter().filter_map(|counts| counts.get(block)).sum()).collect()
        }
    }

    /// Lets all of it happen, and holds what is counted against the truth after each event.
    fn check(told: Told, events: &[Event]) -> Result<(), TestCaseError> {
        let mut model = Model::default();
        let mut running = [(0_u32, vec![0_u64; BLOCKS]), (1, vec![0; BLOCKS])];
        let mut next = 2;
        // The greatest counts that were shown, by process.
        let mut shown: Vec<Vec<u64>> = vec![vec![0; BLOCKS]; 2];
        let mut kept: Vec<(u32, Process, Vec<u64>)> = Vec::new();
        let mut before = vec![0; BLOCKS];
        let (mut started_at, mut list) = (-1, Some((0, -1)));
        for (now, event) in (0..).zip(events) {
            let chosen = |one: bool| usize::from(told.has_two_processes() && one);
            let answer = match *event {
                Event::Hits(one, pair, times) => {
                    let counts = &mut running[chosen(one)].1;
                    counts[2 * pair] += times;
                    counts[2 * pair + 1] += times;
                    None
                }
                Event::Restart(one) => {
                    running[chosen(one)] = (next, vec![0; BLOCKS]);
                    shown.push(vec![0; BLOCKS]);
                    next += 1;
                    started_at = now;
                    None
                }
                Event::List(answers) => {
                    list = answers.then_some((running[0].0, started_at));
                    None
                }
                // Only a process id tells whose counters lie in a folder.
                Event::Leave(_) if !told.has_two_processes() => None,
                Event::Leave(one) => {
                    let (number, counts) = running[chosen(one)].clone();
                    let process = Process { read_at: Some(at(now)), ..told.process(number, now) };
                    Some((number, process, counts))
                }
                Event::Pull(one) | Event::Keep(one) => {
                    let (number, counts) = running[chosen(one)].clone();
                    let answer = (number, told.process(number, now), counts);
                    kept.push(answer.clone());
                    matches!(event, Event::Pull(_)).then_some(answer)
                }
                Event::Again(_) if kept.is_empty() => None,
                Event::Again(number) => {
                    let (number, process, counts) = kept[number % kept.len()].clone();
                    // The list tells of the container that runs.
                    let listed = told.process(running[0].0, now);
                    Some((number, Process { uid: listed.uid, restarts: listed.restarts, ..process }, counts))
                }
            };
            let Some((number, process, counts)) = answer else { continue };
            let process = told.listed(process, list);
            // A list tells of today's container, and the time of an answer that changed nothing is not stored. So nothing
            // shows that such an answer is of the container before.
            let last_read_at = model.last_read_at();
            let is_foreign =
                process.restarts.is_some() && number != running[0].0 && told != Told::OldListAndTime;
            if is_foreign && process.read_at.is_none_or(|at| Some(at) > last_read_at) {
                continue;
            }
            match event {
                Event::Leave(_) => model.take_in(&process, &counts, now),
                _ => model.pull(&process, &counts, now),
            }
            let number = usize::try_from(number).unwrap();
            shown[number] = larger(&shown[number], &counts);
            let total = model.total();
            let truth: Vec<u64> =
                (0..BLOCKS).map(|block| shown.iter().map(|counts| counts[block]).sum()).collect();
            let at_most = |one: &[u64], other: &[u64]| one.iter().zip(other).all(|(one, other)| one <= other);
            let covered = |counts: &[u64]| counts.iter().map(|count| *count > 0).collect::<Vec<_>>();
            prop_assert_eq!(covered(&total), covered(&truth), "{:?}", event);
            prop_assert!(at_most(&before, &total), "{:?} fell to {:?}", before, total);
            prop_assert!(told == Told::Nothing || at_most(&total, &truth), "{:?} above {:?}", total, truth);
            let is_exact = told == Told::PidAndTime;
            prop_assert!(!is_exact || total == truth, "{:?} below {:?}", total, truth);
            before = total;
        }
        Ok(())
    }

    #[test]
    fn an_answer_that_a_proxy_kept_since_before_a_reopened_life_is_not_of_that_life() {
        let pulls = |number| vec![Event::Pull(false); number];
        let hits = |pair| Event::Hits(false, pair, 1);
        let events = [
            // The second process grows to the counts of the first one, whose life is taken for its.
            [vec![hits(1), Event::Pull(false), Event::Restart(false)], pulls(1), vec![hits(1)], pulls(1)]
                .concat(),
            // An answer of it is kept, and the third process begins with the counts of the life that was over.
            vec![hits(0), Event::Pull(false), hits(0), Event::Keep(false), Event::Restart(false)],
            vec![Event::Pull(false), Event::Again(4)],
        ];
        check(Told::Time, &events.concat()).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn processes_that_are_told_apart_count_once_whatever_a_proxy_keeps(
            told in prop::sample::select(vec![
                Told::PidAndTime, Told::Pid, Told::Time, Told::ContainerAndTime, Told::OldListAndTime,
                Told::Container, Told::Nothing,
            ]),
            events in prop::collection::vec(event(), 1..40),
        ) {
            check(told, &events)?;
        }

        #[test]
        fn a_process_that_starts_again_in_its_container_counts_as_one_that_serves_text(
            events in prop::collection::vec(event(), 1..40),
            has_time in any::<bool>(),
        ) {
            let told = if has_time { Told::Time } else { Told::Nothing };
            let mut model = Model::default();
            let mut text: Vec<Vec<u64>> = Vec::new();
            let mut running = vec![0_u64; BLOCKS];
            for (now, event) in (0..).zip(events) {
                match event {
                    Event::Hits(_, pair, times) => running[2 * pair..2 * pair + 2].iter_mut().for_each(|count| *count += times),
                    Event::Restart(_) => running.fill(0),
                    Event::Leave(_) | Event::List(_) => {}
                    _ => {
                        let ended: Vec<&ModelLife> =
                            model.lives.iter().filter(|life| life.closed.is_some()).collect();
                        if ended.iter().any(|life| life.counts == running) {
                            // A process that counted exactly as much as an earlier one is taken for that one.
                            break;
                        }
                        let fell = model.lives.iter().any(|life| {
                            life.closed.is_none() && !continues(Mode::Atomic, &life.counts, &running)
                        });
                        let is_evidence = |life: &&&ModelLife| {
                            shared_address::is_evidence(Mode::Atomic, &life.counts, &running)
                        };
                        if fell && ended.iter().any(|life| is_evidence(&life)) {
                            // The process is taken for one of several at its address.
                            break;
                        }
                        model.pull(&told.process(0, now), &running, now);
                        match text.last_mut().filter(|open| continues(Mode::Atomic, open, &running)) {
                            Some(open) => open.clone_from(&running),
                            None => text.push(running.clone()),
                        }
                        let sum: Vec<u64> =
                            (0..BLOCKS).map(|block| text.iter().map(|life| life[block]).sum()).collect();
                        prop_assert_eq!(model.total(), sum);
                    }
                }
            }
        }

        #[test]
        fn several_processes_with_the_same_names_behind_one_address_are_understated_at_most(
            events in same_names(Just(2), 1..9_u64),
            processes in 1..4_usize,
            has_time in any::<bool>(),
        ) {
            check_same_names(&events, processes, has_time, true)?;
        }

        #[test]
        fn no_count_of_processes_with_the_same_names_falls_where_large_counters_stand_beside_small_ones(
            events in same_names(1..=BLOCKS, prop_oneof![1..9_u64, 1_000..1_000_000_u64]),
            processes in 1..4_usize,
            has_time in any::<bool>(),
        ) {
            check_same_names(&events, processes, has_time, false)?;
        }
    }

    /// An event of one of several processes with the same names.
    #[derive(Clone, Debug)]
    enum SameName {
        /// Hits of blocks that follow each other.
        Hits(usize, usize, u64),
        Pull,
        Restart,
    }

    fn same_names(
        widths: impl Strategy<Value = usize> + 'static,
        times: impl Strategy<Value = u64> + 'static,
    ) -> impl Strategy<Value = Vec<(usize, SameName)>> {
        let hits = (0..BLOCKS / 2, widths, times)
            .prop_map(|(pair, width, times)| SameName::Hits(2 * pair, width, times));
        let event = prop_oneof![5 => hits, 5 => Just(SameName::Pull), 1 => Just(SameName::Restart)];
        prop::collection::vec((0..3_usize, event), 1..60)
    }

    /// Holds what is counted of processes with the same names against the truth after each pull. The truth is a bound
    /// where no fall is taken for noise (`is_bounded`).
    fn check_same_names(
        events: &[(usize, SameName)],
        processes: usize,
        has_time: bool,
        is_bounded: bool,
    ) -> Result<(), TestCaseError> {
        let told = if has_time { Told::Time } else { Told::Nothing };
        let mut model = Model::default();
        let mut running = vec![vec![0_u64; BLOCKS]; processes];
        // The greatest counts that each process has shown.
        let mut shown = running.clone();
        let mut names: Vec<usize> = (0..processes).collect();
        let mut before = vec![0; BLOCKS];
        for (now, (number, event)) in (0..).zip(events) {
            let number = number % processes;
            match *event {
                SameName::Hits(first, width, times) => {
                    running[number].iter_mut().skip(first).take(width).for_each(|count| *count += times);
                    continue;
                }
                SameName::Restart => {
                    running[number].fill(0);
                    names[number] = shown.len();
                    shown.push(vec![0; BLOCKS]);
                    continue;
                }
                SameName::Pull => {}
            }
            model.pull(&told.process(0, now), &running[number], now);
            shown[names[number]].clone_from(&running[number]);
            let total = model.total();
            for block in 0..BLOCKS {
                let truth = shown.iter().map(|counts| counts[block]).sum::<u64>();
                prop_assert_eq!(total[block] > 0, truth > 0);
                prop_assert!(before[block] <= total[block], "{:?} fell to {:?}", before, total);
                if let Some(then) = model.shared_at.as_ref().filter(|_| is_bounded) {
                    let most = truth.max(then[block]);
                    prop_assert!(total[block] <= most, "{:?} above {:?} in {}", total, most, block);
                }
            }
            before = total;
        }
        Ok(())
    }
}
