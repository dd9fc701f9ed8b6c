//! The queue to the thread that writes.
//!
//! Threads that ask addresses go on while earlier changes are committed, so the queue is bounded by the bytes that wait, and
//! not by the number of messages. The thread that writes takes all messages at once, a few milliseconds after the first one:
//! to be woken takes longer than to store a small message.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::collect::run::StoreMessage;
use crate::parallel::lock;

/// Bytes of waiting messages at which senders wait for room; as many may be stored meanwhile. Below it a message of any
/// length is added, so that small ones never keep a long one from its turn.
const MOST_BYTES: usize = 4 << 20;
/// Time for which a message waits for others.
const GATHERED_FOR: Duration = Duration::from_millis(4);
/// Bytes at which messages wait for no others.
const ENOUGH_BYTES: usize = MOST_BYTES / 8;

/// The end of the queue at which messages come in. The queue ends when it is dropped.
pub(crate) struct StoreSender(Arc<StoreQueue>);

/// The end of the queue at which messages are taken.
pub(crate) struct StoreReceiver(Arc<StoreQueue>);

/// The promise that a thread of its own takes messages, so that senders may wait for it. It ends when this is dropped, also
/// when that thread panics.
pub(crate) struct Served<'q>(&'q StoreQueue);

#[derive(Default)]
struct StoreQueue {
    state: Mutex<QueueState>,
    /// Signals the receiver that messages came in, or that the queue ended.
    filled: Condvar,
    /// Signals senders that messages were taken.
    emptied: Condvar,
}

#[derive(Default)]
struct QueueState {
    messages: Vec<StoreMessage>,
    /// Bytes of these messages.
    bytes: usize,
    /// A thread of its own takes messages, so that senders may wait for it.
    is_served: bool,
    has_ended: bool,
    receiver: Receiver,
    /// Number of senders that wait.
    waiting: usize,
}

/// The state of the thread that takes messages.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Receiver {
    #[default]
    Busy,
    /// The thread waits for a message.
    Waits,
    /// The thread has a message, and waits for others.
    Gathers,
}

/// The result of waiting for messages.
pub(crate) enum Received {
    /// The messages in their order; at least one.
    Messages(Vec<StoreMessage>),
    /// No message came in time.
    Nothing,
    /// The sender is gone, and all messages were taken.
    Ended,
}

/// Makes an empty queue.
pub(crate) fn store_queue() -> (StoreSender, StoreReceiver) {
    let queue = Arc::new(StoreQueue::default());
    (StoreSender(Arc::clone(&queue)), StoreReceiver(queue))
}

impl StoreSender {
    /// Adds a message. While a thread of its own takes messages, waits for room.
    pub(crate) fn send(&self, message: StoreMessage) {
        let StoreQueue { state, filled, emptied } = &*self.0;
        let bytes = message.bytes();
        let mut state = lock(state);
        while state.is_served && state.bytes >= MOST_BYTES {
            state.waiting += 1;
            state = emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.messages.push(message);
        state.bytes += bytes;
        let is_awaited = match state.receiver {
            Receiver::Busy => false,
            Receiver::Waits => true,
            Receiver::Gathers => state.bytes >= ENOUGH_BYTES,
        };
        if is_awaited {
            state.receiver = Receiver::Busy;
            filled.notify_one();
        }
    }
}

impl Drop for StoreSender {
    fn drop(&mut self) {
        lock(&self.0.state).has_ended = true;
        self.0.filled.notify_one();
    }
}

impl StoreReceiver {
    /// Lets senders wait for room until the returned value is dropped, because this thread does nothing but take messages.
    pub(crate) fn serve(&self) -> Served<'_> {
        lock(&self.0.state).is_served = true;
        Served(&self.0)
    }

    /// Waits for messages, at most for so long, and takes all of them.
    pub(crate) fn receive(&self, timeout: Duration) -> Received {
        let mut state = lock(&self.0.state);
        if state.messages.is_empty() && !state.has_ended {
            state = self.wait(state, Receiver::Waits, timeout);
        }
        if !state.messages.is_empty() && !state.has_ended && state.bytes < ENOUGH_BYTES {
            state = self.wait(state, Receiver::Gathers, GATHERED_FOR);
        }
        match (state.messages.is_empty(), state.has_ended) {
            (false, _) => Received::Messages(self.take(state)),
            (true, false) => Received::Nothing,
            (true, true) => Received::Ended,
        }
    }

    /// Takes the messages that are there.
    pub(crate) fn take_all(&self) -> Vec<StoreMessage> {
        self.take(lock(&self.0.state))
    }

    fn wait<'s>(
        &self,
        mut state: MutexGuard<'s, QueueState>,
        how: Receiver,
        timeout: Duration,
    ) -> MutexGuard<'s, QueueState> {
        state.receiver = how;
        let filled = self.0.filled.wait_timeout(state, timeout);
        let mut state = filled.unwrap_or_else(PoisonError::into_inner).0;
        state.receiver = Receiver::Busy;
        state
    }

    fn take(&self, mut state: MutexGuard<'_, QueueState>) -> Vec<StoreMessage> {
        let messages = std::mem::take(&mut state.messages);
        state.bytes = 0;
        let are_waiting = state.waiting > 0;
        drop(state);
        if are_waiting {
            self.0.emptied.notify_all();
        }
        messages
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).is_served = false;
        self.0.emptied.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::fleet::change::Change;
    use crate::fleet::ids::{KeyId, StructureId};
    use crate::parallel;

    /// A message whose data has so many bytes.
    fn message(id: i64, bytes: usize) -> StoreMessage {
        StoreMessage::Changes(None, vec![Change::StructureMended(StructureId(id), vec![0; bytes])])
    }

    /// The ids of messages, in their order.
    fn ids(messages: &[StoreMessage]) -> Vec<i64> {
        let id = |message: &StoreMessage| match message {
            StoreMessage::Changes(_, changes) => match changes[..] {
                [Change::StructureMended(StructureId(id), _)] => id,
                _ => panic!("no message of these tests"),
            },
            _ => panic!("no message of these tests"),
        };
        messages.iter().map(id).collect()
    }

    fn received(receiver: &StoreReceiver) -> Option<Vec<i64>> {
        loop {
            match receiver.receive(Duration::from_secs(60)) {
                Received::Messages(messages) => return Some(ids(&messages)),
                Received::Nothing => {}
                Received::Ended => return None,
            }
        }
    }

    #[test]
    fn messages_are_taken_together_and_in_their_order_until_the_sender_is_gone() {
        let (sender, receiver) = store_queue();
        for id in 0..3 {
            sender.send(message(id, 1));
        }
        drop(sender);
        assert_eq!(received(&receiver), Some(vec![0, 1, 2]));
        assert_eq!(received(&receiver), None);
    }

    #[test]
    fn a_sender_waits_while_too_many_bytes_wait() {
        let (sender, receiver) = store_queue();
        let _served = receiver.serve();
        let taken = thread::scope(|scope| {
            let sending = parallel::spawn(scope, move || {
                for id in 0..3 {
                    sender.send(message(id, MOST_BYTES));
                }
            });
            let taken: Vec<_> = std::iter::from_fn(|| received(&receiver)).collect();
            let () = sending.join();
            taken
        });
        assert_eq!(taken, [[0], [1], [2]]);
    }

    #[test]
    fn nobody_waits_for_room_where_one_thread_sends_and_takes() {
        let (sender, receiver) = store_queue();
        for id in 0..3 {
            sender.send(message(id, MOST_BYTES));
        }
        assert_eq!(ids(&receiver.take_all()), [0, 1, 2]);
    }

    #[test]
    fn a_sender_does_not_wait_for_a_thread_that_panicked() {
        let (sender, receiver) = store_queue();
        let panicked = std::panic::catch_unwind(|| {
            let _served = receiver.serve();
            std::panic::resume_unwind(Box::new("as a bug would"))
        });
        assert!(panicked.is_err());
        for id in 0..3 {
            sender.send(message(id, MOST_BYTES));
        }
    }

    #[test]
    fn a_long_message_waits_no_longer_than_a_short_one() {
        let (sender, receiver) = store_queue();
        let _served = receiver.serve();
        sender.send(message(0, 1));
        sender.send(message(1, MOST_BYTES));
        assert_eq!(ids(&receiver.take_all()), [0, 1]);
    }

    #[test]
    fn changes_and_results_count() {
        let small = message(0, 0).bytes();
        assert_eq!(message(0, 1000).bytes(), small + 1000);
        let ended = StoreMessage::Ended(vec![Change::Unfinished(KeyId(1))], Vec::new());
        assert_eq!(ended.bytes(), small);
    }
}
