//! Work on many things at a time.

use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

/// Maps each of some items, on as many threads as there are cores; returns what came of them, in their order.
#[must_use]
pub fn on_all_cores<I: Sync, T: Send>(items: &[I], map: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let part_len = items.len().div_ceil(cores).max(1);
    let map = &map;
    thread::scope(|scope| {
        let parts = items.chunks(part_len);
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().map(map).collect::<Vec<T>>())).collect();
        threads.into_iter().flat_map(joined).collect()
    })
}

/// Waits for a thread, and panics as it did.
#[must_use]
pub fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
