//! The only module that starts threads.
//!
//! The system can refuse a thread because of the limit of a user's processes (`ulimit -u`), of a container (the pids
//! cgroup) or of a unit (`TasksMax=`), or for lack of memory. The standard library panics then. Here the work goes on
//! with the threads that could be started, at least the calling one, and [`refusal`] returns the reason.

use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Builder, JoinHandle, Scope, ScopedJoinHandle};
use std::time::Duration;

/// The reason why the first thread was refused. It is static, because the limit holds for the whole process.
static REFUSAL: OnceLock<String> = OnceLock::new();

/// Returns the reason why a thread could not be started, if one was refused.
#[must_use]
pub(crate) fn refusal() -> Option<&'static str> {
    REFUSAL.get().map(String::as_str)
}

/// Number of threads at work.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Tells whether threads that were started here are at work. The end of one makes room for a process.
#[must_use]
pub(crate) fn are_running() -> bool {
    RUNNING.load(Ordering::Relaxed) > 0
}

/// A thread at work, counted until its work ends, also by a panic.
struct RunningThread;

impl RunningThread {
    fn new() -> Self {
        RUNNING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for RunningThread {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Work that was given to a thread.
#[derive(Debug)]
#[must_use = "work without a thread is done when it is joined"]
pub(crate) enum Spawned<'scope, T, W> {
    /// A thread does the work.
    Thread(ScopedJoinHandle<'scope, T>),
    /// No thread could be started, so the work is still to be done.
    Refused(W),
}

impl<T, W: FnOnce() -> T> Spawned<'_, T, W> {
    /// Waits for the thread, and panics as it did; without a thread, does the work now.
    #[must_use]
    pub(crate) fn join(self) -> T {
        match self {
            Self::Thread(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Self::Refused(work) => work(),
        }
    }
}

/// Begins some work on a thread of its own.
pub(crate) fn spawn<'scope, T, W>(scope: &'scope Scope<'scope, '_>, work: W) -> Spawned<'scope, T, W>
where
    T: Send + 'scope,
    W: FnOnce() -> T + Send + 'scope,
{
    let (kept, run) = ReturnableWork::new(work);
    #[expect(clippy::disallowed_methods, reason = "this is where threads are started")]
    match limited(|| Builder::new().spawn_scoped(scope, run)) {
        Ok(thread) => Spawned::Thread(thread),
        Err(error) => Spawned::Refused(kept.refused(&error)),
    }
}

/// Begins some work on a thread that may outlive the caller. Returns the work if no thread can be started.
pub(crate) fn spawn_detached<T, W>(work: W) -> Result<JoinHandle<T>, W>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let (kept, run) = ReturnableWork::new(work);
    #[expect(clippy::disallowed_methods, reason = "this is where threads are started")]
    limited(|| Builder::new().spawn(run)).map_err(|error| kept.refused(&error))
}

/// Starts up to `most` threads that all do the same work, and returns the number of those that could be started.
///
/// The caller must do the work if there is none.
#[must_use]
pub(crate) fn spawn_workers<'scope, W>(scope: &'scope Scope<'scope, '_>, most: usize, work: &W) -> usize
where
    W: Fn() + Clone + Send + 'scope,
{
    (0..most).take_while(|_| matches!(spawn(scope, work.clone()), Spawned::Thread(_))).count()
}

/// Work that is kept until a thread takes it, because the standard library drops the work of a thread that it cannot
/// start.
struct ReturnableWork<W>(Arc<Mutex<Option<W>>>);

impl<W> ReturnableWork<W> {
    /// Returns the work to keep, and the closure for a thread.
    fn new<T>(work: W) -> (Self, impl FnOnce() -> T)
    where
        W: FnOnce() -> T,
    {
        let slot = Arc::new(Mutex::new(Some(work)));
        let kept = Self(Arc::clone(&slot));
        let run = move || {
            let _running = RunningThread::new();
            Self(slot).take()()
        };
        (kept, run)
    }

    fn refused(self, error: &io::Error) -> W {
        REFUSAL.get_or_init(|| error.to_string());
        self.take()
    }

    fn take(self) -> W {
        let work = lock(&self.0).take();
        work.expect("either the thread takes it, or the caller that could not start one")
    }
}

/// Starts a thread, unless a test allows no more.
fn limited<H>(start: impl FnOnce() -> io::Result<H>) -> io::Result<H> {
    #[cfg(test)]
    if !testing::is_allowed() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    start()
}

/// Maps each item on a thread of its own, and returns the results in their order.
#[must_use]
pub(crate) fn on_own_threads<I: Send, T: Send>(
    items: impl IntoIterator<Item = I>,
    map: impl Fn(I) -> T + Sync,
) -> Vec<T> {
    let map = &map;
    thread::scope(|scope| {
        let threads: Vec<_> = items.into_iter().map(|item| spawn(scope, move || map(item))).collect();
        threads.into_iter().map(Spawned::join).collect()
    })
}

/// Maps each item, with one thread for each core, and returns the results in the order of the items.
#[must_use]
pub(crate) fn on_all_cores<I: Sync, T: Send>(items: &[I], map: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let part_len = items.len().div_ceil(cores()).max(1);
    let parts = on_own_threads(items.chunks(part_len), |part| part.iter().map(&map).collect::<Vec<T>>());
    parts.into_iter().flatten().collect()
}

/// Locks a mutex, also after a panic of a thread that held it. The panic ends the run where the thread is joined.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the number of cores that this process may use.
#[must_use]
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Interval in which a thread that waits for others checks whether to stop.
const TICK: Duration = Duration::from_millis(50);

/// Calls a function for each item on several threads; returns the results in the order of the items.
///
/// After `is_stopped`, `break_off` aborts the running calls, and no new ones begin. `None` stands for an item that was
/// not done by then, because its result would only show the abort.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
    is_stopped: impl Fn() -> bool + Sync,
    break_off: impl Fn(),
) -> Vec<Option<R>> {
    let next = AtomicUsize::new(0);
    let (results, received) = mpsc::channel();
    let mut done: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let do_next = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let result = work(items.get(at).filter(|_| !is_stopped())?);
        (!is_stopped()).then_some((at, result))
    };
    thread::scope(|scope| {
        let do_next = &do_next;
        let worker = move || {
            while let Some(result) = do_next() {
                // The receiver lives until the last sender is gone.
                let _ = results.send(result);
            }
        };
        if spawn_workers(scope, threads.min(items.len()), &worker) == 0 {
            while let Some((at, result)) = do_next() {
                done[at] = Some(result);
            }
        }
        drop(worker);
        let mut is_broken_off = false;
        loop {
            match received.recv_timeout(TICK) {
                Ok((at, result)) => done[at] = Some(result),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if is_stopped() && !std::mem::replace(&mut is_broken_off, true) {
                break_off();
            }
        }
    });
    done
}

/// A limit of threads for unit tests.
#[cfg(test)]
pub(crate) mod testing {
    use std::cell::Cell;

    thread_local! {
        static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// Does some work while this thread may start at most `allowed` others.
    pub(crate) fn with_threads<T>(allowed: usize, work: impl FnOnce() -> T) -> T {
        LEFT.set(Some(allowed));
        let done = work();
        LEFT.set(None);
        done
    }

    pub(super) fn is_allowed() -> bool {
        match LEFT.get() {
            Some(0) => false,
            left => {
                LEFT.set(left.map(|left| left - 1));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::testing::with_threads;
    use super::*;

    #[test]
    fn all_items_are_mapped_in_order_whatever_threads_can_be_had() {
        let items: Vec<usize> = (0..100).collect();
        let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
        for allowed in 0..3 {
            assert_eq!(with_threads(allowed, || on_all_cores(&items, |item| item * 2)), doubled, "{allowed}");
        }
        assert!(refusal().is_some());
    }

    #[test]
    fn work_without_a_thread_is_done_when_it_is_joined() {
        let doer = |allowed| {
            with_threads(allowed, || {
                thread::scope(|scope| {
                    spawn(scope, || thread::current().id()).join() == thread::current().id()
                })
            })
        };
        assert_eq!((doer(0), doer(1)), (true, false));
    }

    #[test]
    fn detached_work_comes_back_where_no_thread_can_be_had() {
        let begun = |allowed| with_threads(allowed, || spawn_detached(|| 7));
        assert_eq!(begun(0).map_err(|work| work()).err(), Some(7));
        assert_eq!(begun(1).map(|thread| thread.join().unwrap()).ok(), Some(7));
    }

    #[test]
    fn as_many_workers_start_as_can_be_had() {
        for (allowed, expected) in [(0, 0), (1, 1), (3, 3), (9, 4)] {
            let done = AtomicUsize::new(0);
            let work = || {
                done.fetch_add(1, Ordering::Relaxed);
            };
            let started = with_threads(allowed, || thread::scope(|scope| spawn_workers(scope, 4, &work)));
            assert_eq!((started, done.into_inner()), (expected, expected), "{allowed} allowed");
        }
    }

    #[test]
    fn what_is_done_in_parallel_comes_back_in_order() {
        let items: Vec<usize> = (0..1000).collect();
        let doubled = in_parallel(&items, 8, |item| item * 2, || false, || ());
        assert_eq!(doubled, items.iter().map(|item| Some(item * 2)).collect::<Vec<_>>());
        assert_eq!(in_parallel(&[0_usize; 0], 8, |item| *item, || false, || ()), []);
    }

    #[test]
    fn without_a_single_further_thread_the_calling_one_does_all() {
        let items: Vec<usize> = (0..100).collect();
        let doubled = with_threads(0, || in_parallel(&items, 8, |item| item * 2, || false, || ()));
        assert_eq!(doubled, items.iter().map(|item| Some(item * 2)).collect::<Vec<_>>());
        let stopped = with_threads(0, || in_parallel(&items, 8, |item| item * 2, || true, || ()));
        assert_eq!(stopped, vec![None; 100]);
    }

    #[test]
    fn what_was_done_before_the_end_stands_and_what_the_end_cut_off_does_not() {
        let is_over = AtomicBool::new(false);
        let work = |item: &usize| {
            is_over.store(*item == 2, Ordering::Relaxed);
            *item
        };
        let done = in_parallel(&[0, 1, 2, 3], 1, work, || is_over.load(Ordering::Relaxed), || ());
        assert_eq!(done, [Some(0), Some(1), None, None]);
    }

    #[test]
    fn once_stopped_nothing_more_is_begun() {
        let items: Vec<usize> = (0..1000).collect();
        let is_broken_off = AtomicBool::new(false);
        let begun = AtomicUsize::new(0);
        let is_stopped = || begun.load(Ordering::Relaxed) == 4;
        let work = |_: &usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            while !is_broken_off.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        };
        let done = in_parallel(&items, 4, work, is_stopped, || is_broken_off.store(true, Ordering::Relaxed));
        assert_eq!(done, vec![None; 1000]);
        assert_eq!(begun.into_inner(), 4);
    }
}
