//! The threads of a pull. They take tasks from one queue, while the thread that started them writes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::collect::group_pull::{GroupPull, peek};
use crate::collect::run::{PullRun, StoreMessage};
use crate::collect::store_queue::StoreReceiver;
use crate::collect::store_thread::{PullResult, StoreThread, TICK};
use crate::collect::stored_keys::StoredKeys;
use crate::fleet::address_states::PeekedFraction;
use crate::fleet::plan::{AddressGroup, PullPlan};
use crate::io::store::{Store, StoreError};
use crate::parallel::{self, Spawned, lock};

/// The next work of a thread.
enum Task<'a> {
    /// The task is to ask the addresses of a group that may be asked at once.
    Begin(&'a AddressGroup<'a>),
    /// The task is to ask the address of a group with this index.
    Pull(Arc<GroupPull<'a>>, usize),
    /// The task is to peek at a group.
    Peek(&'a AddressGroup<'a>),
}

/// The tasks of a run: pulls first, peeks after them.
pub(crate) struct TaskQueue<'a> {
    state: Mutex<QueueState<'a>>,
    changed: Condvar,
    stored: Arc<StoredKeys>,
}

struct QueueState<'a> {
    pulls: VecDeque<Task<'a>>,
    peeks: VecDeque<Task<'a>>,
    busy: usize,
    /// Number of threads that wait for a task.
    waiting: usize,
}

impl<'a> TaskQueue<'a> {
    /// Begins with all pulls of a plan, and its peeks if they are wanted.
    pub(crate) fn new(plan: &'a PullPlan<'a>, peek: bool) -> Self {
        let pulls = plan.pulls.iter().map(Task::Begin).collect();
        let peeks = if peek { plan.peeks.iter().map(Task::Peek).collect() } else { VecDeque::new() };
        let state = Mutex::new(QueueState { pulls, peeks, busy: 0, waiting: 0 });
        Self { state, changed: Condvar::new(), stored: Arc::new(StoredKeys::new(plan)) }
    }

    /// Returns the number of tasks that threads can do at the same time.
    fn len(&self) -> usize {
        let state = lock(&self.state);
        let at_once = |task: &Task<'_>| match task {
            Task::Begin(group) => group.first_addresses().len().max(1),
            Task::Pull(..) | Task::Peek(_) => 1,
        };
        state.pulls.iter().map(at_once).sum::<usize>() + state.peeks.len()
    }

    fn take(&self, run: &PullRun<'_>) -> Option<Task<'a>> {
        let mut state = lock(&self.state);
        loop {
            if run.is_stopped() {
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
            state.waiting += 1;
            // The timeout lets a thread see that the run was stopped.
            state = match self.changed.wait_timeout(state, TICK) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
            state.waiting -= 1;
        }
    }

    fn done(&self, next: Vec<Task<'a>>) {
        let mut state = lock(&self.state);
        state.busy -= 1;
        for task in next.into_iter().rev() {
            state.pulls.push_front(task);
        }
        // notify_all calls the kernel even if no thread waits.
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Works until no task is left or the run is stopped.
    fn work(&self, run: &PullRun<'_>, store: &Store) {
        while self.work_once(run, store) {}
    }

    /// Does the next task; tells whether there was one.
    fn work_once(&self, run: &PullRun<'_>, store: &Store) -> bool {
        let Some(task) = self.take(run) else { return false };
        match self.next_tasks(task, run, store) {
            Ok(next) => self.done(next),
            Err(error) => {
                run.stopped.store(true, Ordering::Relaxed);
                run.send(StoreMessage::Fatal(error));
                self.done(Vec::new());
            }
        }
        true
    }

    /// Does a task; returns the tasks that can be done now.
    fn next_tasks(&self, task: Task<'a>, run: &PullRun<'_>, store: &Store) -> anyhow::Result<Vec<Task<'a>>> {
        match task {
            Task::Begin(group) => self.begin(group, None, run, store),
            Task::Pull(pull, address) => {
                let next = pull.pull(address, run, store)?;
                Ok(next.map(|address| Task::Pull(Arc::clone(&pull), address)).collect())
            }
            Task::Peek(group) => match peek(group, run) {
                Some(peeked) => self.begin(group, Some(peeked), run, store),
                None => Ok(Vec::new()),
            },
        }
    }

    /// Begins the pull of a group. A group without an address to ask ends at once.
    fn begin(
        &self,
        group: &'a AddressGroup<'a>,
        peeked: Option<PeekedFraction>,
        run: &PullRun<'_>,
        store: &Store,
    ) -> anyhow::Result<Vec<Task<'a>>> {
        let pull = Arc::new(GroupPull::new(group, peeked, Arc::clone(&self.stored)));
        if group.addresses.is_empty() {
            pull.end(run, store)?;
        }
        Ok(group.first_addresses().map(|address| Task::Pull(Arc::clone(&pull), address)).collect())
    }
}

/// A guard that stops the run when a thread panics. Otherwise the other threads would wait forever for its task.
struct StopsOnPanic<'a>(&'a AtomicBool);

impl Drop for StopsOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// The work of a run, with the values that its threads need.
pub(crate) struct Workers<'q, 'a> {
    pub(crate) queue: &'q TaskQueue<'a>,
    pub(crate) store: &'q Store,
    /// Largest number of threads.
    pub(crate) threads: usize,
    /// Queue with the messages of the threads.
    pub(crate) messages: &'q StoreReceiver,
}

impl Workers<'_, '_> {
    /// Starts threads for the queue while this one writes. If no thread can be started, this one does both.
    pub(crate) fn carry_out(
        &self,
        run: PullRun<'_>,
        store_thread: &mut StoreThread<'_, '_>,
    ) -> anyhow::Result<PullResult> {
        let Self { queue, store, threads, messages } = *self;
        let client = run.client;
        // The earlier steps may have used all the time of the run.
        if store_thread.stop().is_some() {
            store_thread.stopped.store(true, Ordering::Relaxed);
        }
        let run = Arc::new(run);
        let (bytes, memory) = (Arc::clone(&run.bytes), Arc::clone(&run.memory));
        thread::scope(|scope| {
            for begun in 0..threads.min(queue.len()) {
                let worker_run = Arc::clone(&run);
                let reader = store.reader();
                // The earlier threads may have taken the last files that this process may open. They work without this
                // one.
                if begun > 0 && reader.as_ref().is_err_and(StoreError::is_not_opened) {
                    break;
                }
                let worker = parallel::spawn(scope, move || match reader {
                    Ok(reader) => {
                        let _stops = StopsOnPanic(worker_run.stopped);
                        queue.work(&worker_run, &reader);
                    }
                    Err(error) => {
                        worker_run.stopped.store(true, Ordering::Relaxed);
                        worker_run.send(StoreMessage::Fatal(error.into()));
                    }
                });
                match worker {
                    Spawned::Thread(_) => {}
                    Spawned::Refused(_) if begun == 0 => {
                        return self.work_and_write(&run, &store.reader()?, store_thread);
                    }
                    Spawned::Refused(_) => break,
                }
            }
            // The queue ends with the last owner of its sender, so this one has to be dropped.
            drop(run);
            store_thread.write(
                messages,
                || bytes.load(Ordering::Relaxed),
                || {
                    client.shutdown();
                    memory.close();
                },
            )
        })
    }

    /// Does the tasks of the queue in this thread, and writes after each task. This is for a process that gets no other
    /// thread.
    ///
    /// A running request is not aborted.
    fn work_and_write(
        &self,
        run: &PullRun<'_>,
        reader: &Store,
        store_thread: &mut StoreThread<'_, '_>,
    ) -> anyhow::Result<PullResult> {
        let mut written = store_thread.begin();
        while self.queue.work_once(run, reader) {
            for message in self.messages.take_all() {
                store_thread.take(Some(message), &mut written, &|| ());
            }
            store_thread.take(None, &mut written, &|| ());
            store_thread.show(&written, run.bytes.load(Ordering::Relaxed));
        }
        store_thread.finish(written)
    }
}
