//! The threads of a pull, and the one among them that writes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::plan::Plan;
use super::settlement::Pulled;
use super::shared::{Message, Shared, lock};
use super::unit::Unit;
use crate::clock::Stopwatch;
use crate::progress::Progress;
use crate::signals::Signals;
use crate::store::{Change, Store, StoreError, Writer};

/// How often the writing thread looks up from its work, and how often it commits at least.
const TICK: Duration = Duration::from_millis(50);
const COMMIT_EVERY: Duration = Duration::from_millis(500);

/// Something a thread can do next.
enum Task<'a> {
    Pull(&'a Unit<'a>, usize),
    Settle(&'a Unit<'a>),
    Peek(&'a Unit<'a>),
}

/// The tasks of a run: pulls first, peeks after them.
pub(super) struct Queue<'a> {
    state: Mutex<QueueState<'a>>,
    changed: Condvar,
}

struct QueueState<'a> {
    pulls: VecDeque<Task<'a>>,
    peeks: VecDeque<Task<'a>>,
    busy: usize,
}

impl<'a> Queue<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, peek: bool) -> Self {
        let pulls = plan.pulls.iter().flat_map(pull_tasks).collect();
        let peeks = if peek { plan.peeks.iter().map(Task::Peek).collect() } else { VecDeque::new() };
        Self { state: Mutex::new(QueueState { pulls, peeks, busy: 0 }), changed: Condvar::new() }
    }

    fn len(&self) -> usize {
        let state = lock(&self.state);
        state.pulls.len() + state.peeks.len()
    }

    fn take(&self, shared: &Shared<'_>) -> Option<Task<'a>> {
        let mut state = lock(&self.state);
        loop {
            if shared.is_stopped() {
                return None;
            }
            let next = state.pulls.pop_front();
            if let Some(task) = next.or_else(|| state.peeks.pop_front()) {
                state.busy += 1;
                return Some(task);
            }
            if state.busy == 0 {
                self.changed.notify_all();
                return None;
            }
            // The timeout lets a thread see that the run was stopped.
            state = match self.changed.wait_timeout(state, TICK) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    fn done(&self, next: Vec<Task<'a>>) {
        let mut state = lock(&self.state);
        state.busy -= 1;
        for task in next.into_iter().rev() {
            state.pulls.push_front(task);
        }
        self.changed.notify_all();
    }

    /// Works until nothing is left or the run is stopped.
    pub(super) fn work(&self, shared: &Shared<'_>, store: &Store) {
        while let Some(task) = self.take(shared) {
            let done = match task {
                Task::Pull(unit, target) => unit
                    .pull(target, shared, store)
                    .map(|next| next.map(|target| Task::Pull(unit, target)).collect()),
                Task::Settle(unit) => unit.settle(shared, store).map(|()| Vec::new()),
                Task::Peek(unit) => {
                    Ok(if unit.peek(shared) { pull_tasks(unit).into_iter().collect() } else { Vec::new() })
                }
            };
            match done {
                Ok(next) => self.done(next),
                Err(error) => {
                    shared.stopped.store(true, Ordering::Relaxed);
                    shared.send(Message::Fatal(error));
                    self.done(Vec::new());
                }
            }
        }
    }
}

fn pull_tasks<'a>(unit: &'a Unit<'a>) -> Vec<Task<'a>> {
    match unit.targets().len() {
        0 => vec![Task::Settle(unit)],
        _ => unit.first_targets().map(|target| Task::Pull(unit, target)).collect(),
    }
}

/// Why a run ended before all was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Its deadline passed.
    Deadline,
    /// A signal came.
    Signal(i32),
}

impl Stop {
    /// Returns why a run is to end now, if it is.
    pub(super) fn now(signals: &Signals, deadline: Option<Duration>, started: &Stopwatch) -> Option<Self> {
        let has_passed = || deadline.is_some_and(|deadline| started.elapsed() >= deadline);
        signals.received().map(Self::Signal).or_else(|| has_passed().then_some(Self::Deadline))
    }
}

/// What came of a run.
pub(super) struct Haul {
    pub(super) pulled: Vec<Pulled>,
    pub(super) stop: Option<Stop>,
}

/// The thread that writes: it carries out what the others send, and ends the run when it must.
pub(super) struct Scribe<'a, 'w> {
    pub(super) writer: &'a mut Writer<'w>,
    pub(super) stopped: &'a AtomicBool,
    pub(super) signals: &'a Signals,
    pub(super) deadline: Option<Duration>,
    pub(super) started: &'a Stopwatch,
    pub(super) progress: &'a Progress,
}

impl Scribe<'_, '_> {
    /// Takes messages until the last sender is gone. `break_off` ends requests that are under way.
    pub(super) fn write(
        &mut self,
        messages: &Receiver<Message>,
        bytes: impl Fn() -> u64,
        break_off: impl Fn(),
    ) -> anyhow::Result<Haul> {
        let mut haul = Haul { pulled: Vec::new(), stop: None };
        let mut fatal: Option<anyhow::Error> = None;
        let mut since_commit = Stopwatch::start();
        loop {
            let message = messages.recv_timeout(TICK);
            let written = match message {
                Ok(Message::Changes(changes)) if fatal.is_none() => self.apply(&changes),
                Ok(Message::Settled(changes, pulled)) if fatal.is_none() => {
                    haul.pulled.extend(pulled);
                    self.apply(&changes)
                }
                Ok(Message::Fatal(error)) => {
                    fatal.get_or_insert(error);
                    Ok(())
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let committed = if since_commit.elapsed() >= COMMIT_EVERY && fatal.is_none() {
                since_commit = Stopwatch::start();
                written.and_then(|()| self.writer.commit())
            } else {
                written
            };
            if let Err(error) = committed {
                fatal.get_or_insert(error.into());
            }
            let stop = Stop::now(self.signals, self.deadline, self.started);
            let is_new = haul.stop.is_none() && stop.is_some();
            haul.stop = haul.stop.or(stop);
            if is_new || fatal.is_some() {
                let was_stopped = self.stopped.swap(true, Ordering::Relaxed);
                if !was_stopped || is_new {
                    break_off();
                }
            }
            let failures = haul.pulled.iter().map(|pulled| pulled.failures.len()).sum();
            self.progress.show(haul.pulled.len(), bytes(), failures);
        }
        if let Some(error) = fatal {
            Err(error)
        } else {
            self.writer.commit()?;
            Ok(haul)
        }
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        changes.iter().try_for_each(|change| self.writer.apply(change))
    }
}

/// Lets `threads` threads work on the queue while this one writes.
pub(super) fn work(
    shared: Shared<'_>,
    queue: &Queue<'_>,
    store: &Store,
    threads: usize,
    scribe: &mut Scribe<'_, '_>,
    messages: &Receiver<Message>,
) -> anyhow::Result<Haul> {
    let client = shared.client;
    let shared = Arc::new(shared);
    let bytes = Arc::clone(&shared.bytes);
    thread::scope(|scope| {
        for _ in 0..threads.min(queue.len()) {
            let shared = Arc::clone(&shared);
            let reader = store.reader();
            scope.spawn(move || match reader {
                Ok(reader) => queue.work(&shared, &reader),
                Err(error) => {
                    shared.stopped.store(true, Ordering::Relaxed);
                    shared.send(Message::Fatal(error.into()));
                }
            });
        }
        // The channel ends with the last thread, so none may be left here.
        drop(shared);
        scribe.write(messages, || bytes.load(Ordering::Relaxed), || client.shutdown())
    })
}
