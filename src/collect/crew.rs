//! The threads of a pull, and the one among them that writes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::collect::group_pull::{GroupPull, peek};
use crate::collect::outcome::{PullResult, Pulled};
use crate::collect::shared::{Message, Shared, lock};
use crate::fleet::change::Change;
use crate::fleet::ids::KeyId;
use crate::fleet::plan::{AddressGroup, PullPlan};
use crate::io::clock::Stopwatch;
use crate::io::progress::Progress;
use crate::io::signals::Signals;
use crate::io::store::{Store, StoreError, Writer};
use crate::parallel::{self, Begun};

/// How often the writing thread looks up from its work, and how often it commits at least.
const TICK: Duration = Duration::from_millis(50);
const COMMIT_EVERY: Duration = Duration::from_millis(500);

/// Something a thread can do next.
enum Task<'a> {
    /// Ask the addresses of a group that may be asked at once.
    Begin(&'a AddressGroup<'a>),
    /// Ask an address of a group, by index.
    Pull(Arc<GroupPull<'a>>, usize),
    /// Ask a group whether it moved.
    Peek(&'a AddressGroup<'a>),
}

/// The tasks of a run: pulls first, peeks after them.
pub(crate) struct Queue<'a> {
    state: Mutex<QueueState<'a>>,
    changed: Condvar,
}

struct QueueState<'a> {
    pulls: VecDeque<Task<'a>>,
    peeks: VecDeque<Task<'a>>,
    busy: usize,
}

impl<'a> Queue<'a> {
    pub(crate) fn new(plan: &'a PullPlan<'a>, peek: bool) -> Self {
        let pulls = plan.pulls.iter().map(Task::Begin).collect();
        let peeks = if peek { plan.peeks.iter().map(Task::Peek).collect() } else { VecDeque::new() };
        Self { state: Mutex::new(QueueState { pulls, peeks, busy: 0 }), changed: Condvar::new() }
    }

    /// Counts what threads can do at the same time.
    fn len(&self) -> usize {
        let state = lock(&self.state);
        let at_once = |task: &Task<'_>| match task {
            Task::Begin(group) => group.first_addresses().len().max(1),
            Task::Pull(..) | Task::Peek(_) => 1,
        };
        state.pulls.iter().map(at_once).sum::<usize>() + state.peeks.len()
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
    fn work(&self, shared: &Shared<'_>, store: &Store) {
        while self.work_once(shared, store) {}
    }

    /// Does the next task; tells whether there was one.
    fn work_once(&self, shared: &Shared<'_>, store: &Store) -> bool {
        let Some(task) = self.take(shared) else { return false };
        match next_tasks(task, shared, store) {
            Ok(next) => self.done(next),
            Err(error) => {
                shared.stopped.store(true, Ordering::Relaxed);
                shared.send(Message::Fatal(error));
                self.done(Vec::new());
            }
        }
        true
    }
}

/// Does a task; returns those that can be done now.
fn next_tasks<'a>(task: Task<'a>, shared: &Shared<'_>, store: &Store) -> anyhow::Result<Vec<Task<'a>>> {
    match task {
        Task::Begin(group) => begin(group, BTreeMap::new(), shared, store),
        Task::Pull(pull, address) => {
            let next = pull.pull(address, shared, store)?;
            Ok(next.map(|address| Task::Pull(Arc::clone(&pull), address)).collect())
        }
        Task::Peek(group) => match peek(group, shared) {
            Some(peeked) => begin(group, peeked, shared, store),
            None => Ok(Vec::new()),
        },
    }
}

/// Begins the pull of a group; one without an address to ask is done with at once.
fn begin<'a>(
    group: &'a AddressGroup<'a>,
    peeked: BTreeMap<String, String>,
    shared: &Shared<'_>,
    store: &Store,
) -> anyhow::Result<Vec<Task<'a>>> {
    let pull = Arc::new(GroupPull::new(group, peeked));
    if group.addresses.is_empty() {
        pull.end(shared, store)?;
    }
    Ok(group.first_addresses().map(|address| Task::Pull(Arc::clone(&pull), address)).collect())
}

/// Why a run ended before all was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its deadline passed.
    Deadline,
    /// A signal came.
    Signal(i32),
}

impl Stop {
    /// Returns why a run is to end now, if it is.
    pub(crate) fn now(signals: &Signals, deadline: Option<Duration>, started: &Stopwatch) -> Option<Self> {
        let has_passed = || deadline.is_some_and(|deadline| started.elapsed() >= deadline);
        signals.received().map(Self::Signal).or_else(|| has_passed().then_some(Self::Deadline))
    }
}

/// What came of a run.
pub(crate) struct Haul {
    pub(crate) pulled: Vec<Pulled>,
    pub(crate) stop: Option<Stop>,
}

/// The thread that writes: it carries out what the others send, and ends the run when it must.
pub(crate) struct Scribe<'a, 'w> {
    pub(crate) writer: &'a mut Writer<'w>,
    pub(crate) stopped: &'a AtomicBool,
    pub(crate) signals: &'a Signals,
    pub(crate) deadline: Option<Duration>,
    pub(crate) started: &'a Stopwatch,
    pub(crate) progress: &'a Progress,
}

/// How far a [`Scribe`] got.
struct Written {
    haul: Haul,
    /// Addresses that failed, of all that was pulled.
    failures: usize,
    fatal: Option<anyhow::Error>,
    /// The database takes what is sent.
    is_writable: bool,
    /// Why the database refused changes of a key, or of nobody's own, to which others refer.
    refused: HashMap<Option<KeyId>, String>,
    since_commit: Stopwatch,
}

impl Written {
    fn new(stop: Option<Stop>) -> Self {
        let haul = Haul { pulled: Vec::new(), stop };
        let since_commit = Stopwatch::start();
        Self { haul, failures: 0, fatal: None, is_writable: true, refused: HashMap::new(), since_commit }
    }
}

impl Scribe<'_, '_> {
    /// Takes messages until the last sender is gone. `break_off` ends requests that are under way.
    fn write(
        &mut self,
        messages: &Receiver<Message>,
        bytes: impl Fn() -> u64,
        break_off: impl Fn(),
    ) -> anyhow::Result<Haul> {
        let mut written = Written::new(self.stop());
        loop {
            let message = match messages.recv_timeout(TICK) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.take(message, &mut written, &break_off);
            self.show(&written, bytes());
        }
        self.finish(written)
    }

    /// Does the work of the queue itself, where no thread can be had for it, and writes after each task.
    ///
    /// A task sends few messages, so they wait without filling the channel. A request under way is not broken off.
    fn work_and_write(
        &mut self,
        queue: &Queue<'_>,
        shared: &Shared<'_>,
        store: &Store,
        messages: &Receiver<Message>,
    ) -> anyhow::Result<Haul> {
        let mut written = Written::new(self.stop());
        while queue.work_once(shared, store) {
            while let Ok(message) = messages.try_recv() {
                self.take(Some(message), &mut written, &|| ());
            }
            self.take(None, &mut written, &|| ());
            self.show(&written, shared.bytes.load(Ordering::Relaxed));
        }
        self.finish(written)
    }

    /// Carries out a message, commits now and then, and looks whether the run is to end.
    fn take(&mut self, message: Option<Message>, written: &mut Written, break_off: &impl Fn()) {
        let Written { haul, failures, fatal, is_writable, refused, since_commit } = written;
        let applied = match message {
            Some(Message::Changes(of, changes)) if *is_writable => self.store(of, &changes, refused),
            Some(Message::Ended(changes, mut pulled)) if *is_writable => {
                *failures += pulled.iter().map(|pulled| pulled.failures.len()).sum::<usize>();
                let settled = self.settle(&changes, &mut pulled, refused);
                haul.pulled.extend(pulled);
                settled
            }
            Some(Message::Fatal(error)) => {
                fatal.get_or_insert(error);
                Ok(())
            }
            Some(_) | None => Ok(()),
        };
        let committed = if since_commit.elapsed() >= COMMIT_EVERY && *is_writable {
            *since_commit = Stopwatch::start();
            applied.and_then(|()| self.writer.commit())
        } else {
            applied
        };
        if let Err(error) = committed {
            *is_writable = false;
            fatal.get_or_insert(error.into());
        }
        let stop = self.stop();
        let is_new = haul.stop.is_none() && stop.is_some();
        haul.stop = haul.stop.or(stop);
        if is_new || fatal.is_some() {
            let was_stopped = self.stopped.swap(true, Ordering::Relaxed);
            if !was_stopped || is_new {
                break_off();
            }
        }
    }

    /// Carries out changes; notes why, where the database refuses one for its value.
    fn store(
        &mut self,
        of: Option<KeyId>,
        changes: &[Change],
        refused: &mut HashMap<Option<KeyId>, String>,
    ) -> Result<(), StoreError> {
        match self.writer.apply_all(changes) {
            Err(error) if error.is_of_one_value() => {
                refused.entry(of).or_insert(error.to_string());
                Ok(())
            }
            applied => applied,
        }
    }

    /// Carries out what was decided about keys that were pulled together: nothing of it, where the database refuses a
    /// part, or refused counters on which it stands.
    fn settle(
        &mut self,
        changes: &[Change],
        pulled: &mut [Pulled],
        refused: &HashMap<Option<KeyId>, String>,
    ) -> Result<(), StoreError> {
        let earlier = pulled.iter().find_map(|pulled| refused.get(&Some(pulled.key)));
        let why = match earlier {
            Some(why) => why.clone(),
            None => match self.writer.apply_all(changes) {
                Err(error) if error.is_of_one_value() => error.to_string(),
                applied => return applied,
            },
        };
        for one in &mut *pulled {
            let result = match refused.contains_key(&Some(one.key)) {
                true => PullResult::Refused,
                false => PullResult::NotStored,
            };
            one.refused(result, why.clone());
            // A structure that was refused before is why others, which refer to it, are.
            one.faults.extend(refused.get(&None).cloned());
        }
        // The next run tries again, whatever else is due.
        let unfinished: Vec<Change> = pulled.iter().map(|pulled| Change::Unfinished(pulled.key)).collect();
        match self.writer.apply_all(&unfinished) {
            Err(error) if error.is_of_one_value() => Ok(()),
            applied => applied,
        }
    }

    /// Returns why the run is to end now, if it is.
    fn stop(&self) -> Option<Stop> {
        Stop::now(self.signals, self.deadline, self.started)
    }

    fn show(&self, written: &Written, bytes: u64) {
        self.progress.show(written.haul.pulled.len(), bytes, written.failures);
    }

    fn finish(&mut self, written: Written) -> anyhow::Result<Haul> {
        // Also where the run failed: whatever was settled until then is true.
        let committed = self.writer.commit();
        match written.fatal {
            Some(error) => Err(error),
            None => Ok(committed.map(|()| written.haul)?),
        }
    }
}

/// Ends the run where a thread panics: the others would wait for what it began for ever.
struct StopsOnPanic<'a>(&'a AtomicBool);

impl Drop for StopsOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Lets up to `threads` threads work on the queue while this one writes; with none to be had, this one does both.
pub(crate) fn work(
    shared: Shared<'_>,
    queue: &Queue<'_>,
    store: &Store,
    threads: usize,
    scribe: &mut Scribe<'_, '_>,
    messages: &Receiver<Message>,
) -> anyhow::Result<Haul> {
    let client = shared.client;
    // The steps before may have taken all the time of the run.
    if scribe.stop().is_some() {
        scribe.stopped.store(true, Ordering::Relaxed);
    }
    let shared = Arc::new(shared);
    let (bytes, memory) = (Arc::clone(&shared.bytes), Arc::clone(&shared.memory));
    thread::scope(|scope| {
        for begun in 0..threads.min(queue.len()) {
            let worker_shared = Arc::clone(&shared);
            let reader = store.reader();
            // The threads before it may have taken the last files that this process may open, and go on.
            if begun > 0 && reader.as_ref().is_err_and(StoreError::is_not_opened) {
                break;
            }
            let worker = parallel::begin(scope, move || match reader {
                Ok(reader) => {
                    let _stops = StopsOnPanic(worker_shared.stopped);
                    queue.work(&worker_shared, &reader);
                }
                Err(error) => {
                    worker_shared.stopped.store(true, Ordering::Relaxed);
                    worker_shared.send(Message::Fatal(error.into()));
                }
            });
            match worker {
                Begun::Thread(_) => {}
                Begun::Refused(_) if begun == 0 => {
                    return scribe.work_and_write(queue, &shared, &store.reader()?, messages);
                }
                Begun::Refused(_) => break,
            }
        }
        // The channel ends with the last thread, so none may be left here.
        drop(shared);
        scribe.write(
            messages,
            || bytes.load(Ordering::Relaxed),
            || {
                client.shutdown();
                memory.close();
            },
        )
    })
}
