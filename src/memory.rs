//! The limit of the memory for decoded answers, for all threads of a run together.
//!
//! A thread reserves memory before it decodes more, and waits while others hold the rest. Two readers never wait for each
//! other: the last one that does not wait gets [`MemoryExhausted::Crowded`], gives up its memory, and may read again alone. A
//! reader that is alone never waits.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::parallel::lock;

/// Interval in which a waiting thread checks whether the run was stopped.
const TICK: Duration = Duration::from_millis(50);
/// Number of checks after which a thread gives up. Other answers take minutes to come.
const MAX_TICKS: u32 = 20 * 120;
/// Number of checks for which a thread waits when all memory is kept for services whose pull has not ended yet.
const TICKS_FOR_KEPT: u32 = 20 * 2;

/// No more memory could be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryExhausted {
    /// No other reservation could be given back.
    #[error("decoding needs more memory than the {total} bytes for all answers at once ([pull] memory)")]
    TooLarge {
        /// The bound.
        total: u64,
    },
    /// Other readers hold the memory, and wait, too.
    #[error("other answers hold the {total} bytes of memory for all at once ([pull] memory)")]
    Crowded {
        /// The bound.
        total: u64,
    },
}

/// The memory that all reservations share.
#[derive(Debug)]
pub(crate) struct Memory {
    total: u64,
    /// The value of [`TICKS_FOR_KEPT`], which tests shorten.
    ticks_for_kept: u32,
    state: Mutex<MemoryState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct MemoryState {
    used: u64,
    /// Part of `used` that is kept until the pull of a service ends.
    kept: u64,
    /// Number of readers, of which `waiting` wait for memory.
    readers: usize,
    waiting: usize,
    /// Number of threads that sleep until something changes.
    asleep: usize,
    /// Reservations of decoded answers and of pulls that are ending, which end soon and never wait.
    decoded: usize,
    /// A reader is alone, or waits to be alone.
    has_loner: bool,
    /// The run ends, so no thread waits any more.
    is_over: bool,
}

/// Reserved memory, given back when this value is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    memory: Arc<Memory>,
    bytes: u64,
    stage: ReservationStage,
    is_alone: bool,
    /// No other thread would give memory back meanwhile, so a wait would be in vain.
    is_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReservationStage {
    Reading,
    Decoded,
    Kept,
}

impl Memory {
    /// Makes the bound of a run.
    #[must_use]
    pub(crate) fn new(total: u64) -> Arc<Self> {
        let ticks_for_kept = TICKS_FOR_KEPT;
        Arc::new(Self { total, ticks_for_kept, state: Mutex::default(), changed: Condvar::new() })
    }

    /// Begins to read an answer. With `is_alone`, waits until nobody else reads, and lets nobody else begin.
    #[must_use]
    pub(crate) fn reader(self: &Arc<Self>, is_alone: bool) -> Reservation {
        let mut state = self.wait_while(self.state(), |state| state.has_loner);
        if is_alone {
            // The flag is set before the wait, or readers that begin meanwhile would delay it for ever.
            state.has_loner = true;
            state = self.wait_while(state, |state| state.readers > 0);
        }
        state.readers += 1;
        drop(state);
        let mut reservation = self.reservation(ReservationStage::Reading, 0);
        reservation.is_alone = is_alone;
        reservation
    }

    /// Begins to read while an inbox is taken in. The reservation never waits: the thread that reads ahead keeps its
    /// memory until this one takes the file, so nobody would give memory back.
    #[must_use]
    pub(crate) fn only_reader(self: &Arc<Self>) -> Reservation {
        let mut reservation = self.reader(false);
        reservation.is_only = true;
        reservation
    }

    /// Counts memory that is used in any case, without a wait.
    #[must_use]
    pub(crate) fn keep(self: &Arc<Self>, bytes: u64) -> Reservation {
        let mut state = self.state();
        state.used += bytes;
        state.kept += bytes;
        drop(state);
        self.reservation(ReservationStage::Kept, bytes)
    }

    /// Tells readers, until the value is dropped, that the pull of a service is ending and its memory will soon be
    /// free.
    #[must_use]
    pub(crate) fn settling(self: &Arc<Self>) -> Reservation {
        self.state().decoded += 1;
        self.reservation(ReservationStage::Decoded, 0)
    }

    fn reservation(self: &Arc<Self>, stage: ReservationStage, bytes: u64) -> Reservation {
        Reservation { memory: Arc::clone(self), bytes, stage, is_alone: false, is_only: false }
    }

    /// Ends all waiting, because the run ends.
    pub(crate) fn close(&self) {
        self.state().is_over = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, MemoryState> {
        lock(&self.state)
    }

    fn wait_while<'s>(
        &self,
        mut state: MutexGuard<'s, MemoryState>,
        is_early: impl Fn(&MemoryState) -> bool,
    ) -> MutexGuard<'s, MemoryState> {
        for _ in 0..MAX_TICKS {
            if state.is_over || !is_early(&state) {
                break;
            }
            state = self.wait(state);
        }
        state
    }

    fn wait<'s>(&self, mut state: MutexGuard<'s, MemoryState>) -> MutexGuard<'s, MemoryState> {
        state.asleep += 1;
        let mut state = self.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
        state.asleep -= 1;
        state
    }

    /// Wakes the threads that sleep, after a change of the state.
    fn wake(&self, state: MutexGuard<'_, MemoryState>) {
        let asleep = state.asleep;
        drop(state);
        // Most changes find no thread asleep, and notify_all would call the kernel even then.
        if asleep > 0 {
            self.changed.notify_all();
        }
    }
}

impl Reservation {
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Grows to at least so many bytes, waiting for others to give memory back.
    pub(crate) fn grow_to(&mut self, bytes: u64) -> Result<(), MemoryExhausted> {
        let Some(more) = bytes.checked_sub(self.bytes).filter(|more| *more > 0) else { return Ok(()) };
        let memory = Arc::clone(&self.memory);
        let total = memory.total;
        let mut state = memory.state();
        // Kept memory is free when the pull of its service ends, which may take any time.
        let mut ticks_left = if bytes <= total { memory.ticks_for_kept } else { 0 };
        for _ in 0..MAX_TICKS {
            if state.used.saturating_add(more) <= total {
                state.used += more;
                self.bytes = bytes;
                return Ok(());
            }
            if self.is_only {
                return Err(MemoryExhausted::TooLarge { total });
            }
            if state.is_over {
                break;
            }
            let others = state.readers - 1;
            if others == state.waiting && state.decoded == 0 {
                if state.kept > 0 && ticks_left > 0 {
                    ticks_left -= 1;
                    state = memory.wait(state);
                    continue;
                }
                return Err(match others {
                    0 => MemoryExhausted::TooLarge { total },
                    _ => MemoryExhausted::Crowded { total },
                });
            }
            state.waiting += 1;
            state = memory.wait(state);
            state.waiting -= 1;
        }
        Err(MemoryExhausted::Crowded { total })
    }

    /// Notes that the answer was read. A decoded answer never waits.
    pub(crate) fn decoded(&mut self) {
        self.set_stage(ReservationStage::Decoded, self.bytes);
    }

    /// Keeps all of its bytes.
    pub(crate) fn keep_all(&mut self) {
        self.keep(self.bytes);
    }

    /// Reduces the reservation to these bytes, which are kept until it is dropped.
    pub(crate) fn keep(&mut self, bytes: u64) {
        self.set_stage(ReservationStage::Kept, bytes);
    }

    fn set_stage(&mut self, next: ReservationStage, bytes: u64) {
        let mut state = self.memory.state();
        state.leave(self.stage, self.bytes, &mut self.is_alone);
        state.decoded += usize::from(next == ReservationStage::Decoded);
        state.used = state.used - self.bytes + bytes;
        state.kept += if next == ReservationStage::Kept { bytes } else { 0 };
        (self.stage, self.bytes) = (next, bytes);
        self.memory.wake(state);
    }
}

/// Makes room in a buffer for more bytes, once they are reserved. `held` counts the room of all buffers of a reservation.
pub(crate) fn make_room(
    buffer: &mut Vec<u8>,
    more: usize,
    held: &mut u64,
    reservation: Option<&mut Reservation>,
) -> Result<(), MemoryExhausted> {
    /// Memory is reserved in steps of so many bytes.
    const STEP: u64 = 256 << 10;
    let (needed, room) = (buffer.len() + more, buffer.capacity());
    if needed > room {
        // A buffer that grows by itself doubles its room. Growing by a fixed number of bytes would copy them too often.
        let next = needed.max(room + room / 2);
        let all = *held + (next - room) as u64;
        if let Some(reservation) = reservation {
            reservation.grow_to(all.next_multiple_of(STEP))?;
        }
        *held = all;
        buffer.reserve_exact(next - buffer.len());
    }
    Ok(())
}

impl MemoryState {
    fn leave(&mut self, stage: ReservationStage, bytes: u64, is_alone: &mut bool) {
        match stage {
            ReservationStage::Reading => self.readers -= 1,
            ReservationStage::Decoded => self.decoded -= 1,
            ReservationStage::Kept => self.kept -= bytes,
        }
        if std::mem::take(is_alone) {
            self.has_loner = false;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.memory.state();
        state.leave(self.stage, self.bytes, &mut self.is_alone);
        state.used -= self.bytes;
        self.memory.wake(state);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn memory_within_the_bound_is_reserved_at_once_and_given_back() {
        let memory = Memory::new(100);
        let (mut one, mut two) = (memory.reader(false), memory.reader(false));
        one.grow_to(60).unwrap();
        two.grow_to(40).unwrap();
        one.keep(10);
        two.grow_to(90).unwrap();
        assert_eq!(memory.state().used, 100);
        drop((one, two));
        let state = memory.state();
        assert_eq!((state.used, state.kept, state.readers), (0, 0, 0));
    }

    #[test]
    fn the_room_of_buffers_is_reserved_before_they_grow() {
        let memory = Memory::new(4 << 20);
        let mut reservation = memory.reader(false);
        let (mut buffers, mut held) = ([Vec::new(), Vec::new()], 0);
        for piece in 1..100 {
            for buffer in &mut buffers {
                make_room(buffer, 10_000, &mut held, Some(&mut reservation)).unwrap();
                buffer.resize(piece * 10_000, 0);
            }
            let room = buffers.iter().map(Vec::capacity).sum::<usize>() as u64;
            assert!(room <= held && held <= memory.state().used, "{room} {held}");
        }
        let failed = make_room(&mut buffers[0], 4 << 20, &mut held, Some(&mut reservation));
        assert_eq!(failed, Err(MemoryExhausted::TooLarge { total: 4 << 20 }));
        assert!(buffers[0].capacity() < 2 << 20);
    }

    #[test]
    fn a_reader_that_is_alone_fails_at_once_beyond_the_bound() {
        let memory = Memory::new(100);
        let mut one = memory.reader(false);
        one.grow_to(60).unwrap();
        assert_eq!(one.grow_to(101), Err(MemoryExhausted::TooLarge { total: 100 }));
    }

    #[test]
    fn the_only_reader_never_waits_for_what_it_holds_itself() {
        let memory = Memory::new(100);
        let kept = memory.keep(30);
        let (mut counters, mut meta) = (memory.only_reader(), memory.only_reader());
        counters.grow_to(40).unwrap();
        assert_eq!(meta.grow_to(31), Err(MemoryExhausted::TooLarge { total: 100 }));
        drop(kept);
        assert_eq!(meta.grow_to(60), Ok(()));
        drop((counters, meta));
        let state = memory.state();
        assert_eq!((state.used, state.kept, state.readers), (0, 0, 0));
    }

    #[test]
    fn a_reader_waits_for_one_that_goes_on() {
        let memory = Memory::new(100);
        let mut one = memory.reader(false);
        one.grow_to(60).unwrap();
        thread::scope(|scope| {
            let mut two = memory.reader(false);
            two.grow_to(30).unwrap();
            #[expect(clippy::disallowed_methods, reason = "a thread of a test")]
            let waits = scope.spawn(move || two.grow_to(80));
            while memory.state().waiting == 0 {
                thread::yield_now();
            }
            one.decoded();
            drop(one);
            assert_eq!(waits.join().unwrap(), Ok(()));
        });
    }

    #[test]
    fn a_reader_waits_for_what_is_kept_while_its_service_is_settled() {
        let wait_with = |is_settling: bool| {
            let memory = Arc::new(Memory { ticks_for_kept: 0, ..Arc::into_inner(Memory::new(100)).unwrap() });
            let kept = memory.keep(90);
            let settling = is_settling.then(|| memory.settling());
            let mut reader = memory.reader(false);
            thread::scope(|scope| {
                #[expect(clippy::disallowed_methods, reason = "a thread of a test")]
                let waits = scope.spawn(move || reader.grow_to(20));
                while memory.state().waiting == 0 && !waits.is_finished() {
                    thread::yield_now();
                }
                drop((kept, settling));
                waits.join().unwrap()
            })
        };
        assert_eq!(
            [wait_with(false), wait_with(true)],
            [Err(MemoryExhausted::TooLarge { total: 100 }), Ok(())]
        );
    }

    #[test]
    fn of_readers_that_all_wait_the_last_gives_up_and_reads_alone() {
        let memory = Memory::new(100);
        let read = |is_alone: bool| {
            let mut reader = memory.reader(is_alone);
            (1..=9).try_for_each(|step| reader.grow_to(10 * step)).map(|()| reader.decoded())
        };
        thread::scope(|scope| {
            for _ in 0..6 {
                #[expect(clippy::disallowed_methods, reason = "a thread of a test")]
                scope.spawn(|| read(false).or_else(|_| read(true)).unwrap());
            }
        });
        let state = memory.state();
        assert_eq!((state.used, state.readers, state.decoded, state.has_loner), (0, 0, 0, false));
    }
}
