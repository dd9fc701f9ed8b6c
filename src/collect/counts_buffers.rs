//! Buffers for the decoded counters of answers.
//!
//! Counters of a large program take megabytes, which the allocator gives back to the kernel each time they are freed. The
//! kernel would have to clear them for each answer anew.

use std::sync::Mutex;

use crate::parallel::lock;
use crate::profile::Hit;

/// Bytes of the buffers that are kept. Few threads decode at the same time, however many wait for their answers.
const KEPT_BYTES: usize = 4 << 20;

/// Buffers that wait for the next answer.
#[derive(Default)]
pub(crate) struct CountsBuffers(Mutex<Vec<Vec<Hit>>>);

impl CountsBuffers {
    /// Returns a buffer with any content.
    pub(crate) fn take(&self) -> Vec<Hit> {
        lock(&self.0).pop().unwrap_or_default()
    }

    /// Keeps a buffer for another answer, if not too many are kept.
    pub(crate) fn give_back(&self, buffer: Vec<Hit>) {
        let mut kept = lock(&self.0);
        let bytes = kept.iter().chain([&buffer]).map(|buffer| buffer.capacity() * size_of::<Hit>());
        if bytes.sum::<usize>() <= KEPT_BYTES {
            kept.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_buffers_are_kept() {
        let buffers = CountsBuffers::default();
        for _ in 0..3 {
            buffers.give_back(Vec::with_capacity(KEPT_BYTES / size_of::<Hit>() / 2));
        }
        let kept = [(); 3].map(|()| buffers.take().capacity() > 0);
        assert_eq!(kept, [true, true, false]);
    }
}
